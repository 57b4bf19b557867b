/* What an expression reads: locals, operands and globals of the module, and its memory. */
#include "runtime/jit/native_translation.h"

/* ---- Things with places ---- */

/* The place of what is needed; NULL while needs are collected. */
const struct rt_machine_place *rt_native_find_place(struct rt_native_translation *t, int kind,
                                                    uint64_t index) {
    const struct rt_native_expression *expression = t->expression;
    unsigned i = 0;
    while (i < expression->need_count &&
           ((int)expression->needs[i].kind != kind || expression->needs[i].index != index))
        i++;
    if (!t->needs)
        return t->places[i];
    if (i < expression->need_count)
        return NULL;
    if (i == RT_NATIVE_MOST_NEEDS || index > UINT32_MAX) {
        rt_native_refuse(t, "optimised out: an expression of too many locals");
        return NULL;
    }
    t->needs->needs[i].kind = kind;
    t->needs->needs[i].index = (uint32_t)index;
    t->needs->need_count++;
    return NULL;
}

static unsigned width_of(enum rt_type type) {
    return type == RT_I32 || type == RT_F32 ? 32 : type == RT_I64 || type == RT_F64 ? 64 : 128;
}

static void push_read(struct rt_native_translation *t, enum rt_type type) {
    if (type != RT_I32 && type != RT_I64)
        rt_native_refuse(t, "optimised out: an expression that computes with a number that is no integer");
    else if (type == RT_I32)
        rt_native_op_with(t, RT_DWARF_OP_deref_size, 4);
    else
        rt_native_op(t, RT_DWARF_OP_deref);
    rt_native_push(t, type == RT_I32 ? 32 : 64);
}

void rt_native_push_place(struct rt_native_translation *t, const struct rt_machine_place *place) {
    if (!place) { /* any will do */
        rt_native_push(t, RT_NATIVE_GENERIC);
        return;
    }
    switch (place->where) {
    case RT_MACHINE_FRAME:
        rt_native_op_with(t, RT_DWARF_OP_fbreg, (uint64_t)(int64_t)place->offset);
        push_read(t, place->type);
        return;
    case RT_MACHINE_REGISTER:
        if (place->register_number > 31 || (place->type != RT_I32 && place->type != RT_I64))
            rt_native_refuse(t,
                             "optimised out: an expression that computes with a number that is no integer");
        else
            rt_native_op_with(t, (uint8_t)(RT_DWARF_OP_breg0 + place->register_number), 0);
        rt_native_push(t, width_of(place->type));
        rt_native_mask(t, width_of(place->type));
        return;
    case RT_MACHINE_CONSTANT:
        rt_native_op_constant(t, place->type == RT_I32 ? (uint32_t)place->bits : place->bits);
        rt_native_push(t, width_of(place->type));
        return;
    }
}

bool rt_native_describe_place(struct rt_native_translation *t, const struct rt_machine_place *place,
                              uint64_t size) {
    if (!place || t->expression->is_value || t->expression->type.kind == RT_NATIVE_POINTER)
        return false;
    const bool is_integer = place->type == RT_I32 || place->type == RT_I64;
    if (is_integer && (size == 0 || 8 * size > width_of(place->type)))
        return false;
    if (place->where == RT_MACHINE_FRAME)
        rt_native_op_with(t, RT_DWARF_OP_fbreg, (uint64_t)(int64_t)place->offset);
    else if (place->where == RT_MACHINE_REGISTER && place->register_number < 32)
        rt_native_op(t, (uint8_t)(RT_DWARF_OP_reg0 + place->register_number));
    else if (place->where == RT_MACHINE_REGISTER)
        rt_native_op_with(t, RT_DWARF_OP_regx, place->register_number);
    else
        return false;
    t->state = RT_NATIVE_DESCRIBED;
    return true;
}

/* ---- Memory ---- */

/* The address of the module's memory. */
static void put_base(struct rt_native_translation *t) {
    const struct rt_native *native = t->native;
    struct rt_instance_path path;
    if (!native->has_memory) {
        rt_native_refuse(t, "optimised out: an address in a module without a memory");
    } else if (native->memory_base) {
        rt_native_op_constant(t, native->memory_base);
    } else {
        const struct rt_machine_place *place = rt_native_find_place(t, RT_NATIVE_INSTANCE, 0);
        rt_code_map_memory(native->map, &path);
        rt_native_push_place(t, place);
        rt_native_pop(t);
        rt_native_op_with(t, RT_DWARF_OP_plus_uconst, path.offsets[0]);
        rt_native_op(t, RT_DWARF_OP_deref);
        rt_native_op_with(t, RT_DWARF_OP_plus_uconst, path.offsets[1]);
    }
}

void rt_native_put_address(struct rt_native_translation *t) {
    put_base(t);
    rt_native_op(t, RT_DWARF_OP_plus);
}

void rt_native_put_pointer(struct rt_native_translation *t) {
    if (t->native->fault == RT_NATIVE_NULL_MOVED) {
        rt_native_put_address(t);
        return;
    }
    rt_native_op(t, RT_DWARF_OP_dup);
    rt_native_op(t, RT_DWARF_OP_lit0);
    rt_native_op(t, RT_DWARF_OP_ne);
    put_base(t);
    rt_native_op(t, RT_DWARF_OP_mul);
    rt_native_op(t, RT_DWARF_OP_plus);
}

void rt_native_read_memory(struct rt_native_translation *t, uint64_t size) {
    const struct rt_native_integer top = rt_native_pop(t);
    if (top.bits != RT_NATIVE_GENERIC || size == 0 || size > 8) {
        rt_native_refuse(t, "optimised out: a read of memory of a size or at an address that is none");
        return;
    }
    rt_native_put_address(t);
    rt_native_op_with(t, RT_DWARF_OP_deref_size, size);
}

void rt_native_push_global(struct rt_native_translation *t, uint64_t index) {
    const struct rt_native *native = t->native;
    struct rt_instance_path path;
    struct rt_global *global = native->instance && index <= UINT32_MAX
                                   ? rt_instance_global(native->instance, (uint32_t)index)
                                   : NULL;
    if (global) {
        rt_native_op_constant(t, rt_global_address(global));
        push_read(t, rt_global_type(global));
    } else if (index > UINT32_MAX || !rt_code_map_global(native->map, (uint32_t)index, &path)) {
        rt_native_refuse(t, "optimised out: a global that the module does not have");
    } else {
        rt_native_push_place(t, rt_native_find_place(t, RT_NATIVE_INSTANCE, 0));
        rt_native_pop(t);
        for (uint32_t i = 0; i < path.count; i++) {
            if (i)
                rt_native_op(t, RT_DWARF_OP_deref);
            rt_native_op_with(t, RT_DWARF_OP_plus_uconst, path.offsets[i]);
        }
        push_read(t, RT_I32); /* an address, wherever an expression has one: the stack pointer */
    }
}
