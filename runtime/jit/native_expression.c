/* One location expression of a module translated to one of the process (DWARF 5, section 2.5; the numbers of
 * DW_OP_WASM_location are kinds of WebAssembly's DWARF).
 *
 * The input's stack holds numbers of 32 bits (generic), of 64 (a local of that type), or of a base type; the
 * output's holds 64 bits always. Each entry is kept as its number's bits with zeros above them, so that
 * arithmetic that may leave more is followed by a mask, and operations on signed numbers extend their
 * operands first. What addresses memory is an offset in the module's memory until the moment it is read, or
 * is the result. */
#include "runtime/jit/native.h"

enum {
    GENERIC = 32, /* bits */
    MOST_ENTRIES = 64,
    KIND_LOCAL = 0,
    KIND_GLOBAL = 1,
    KIND_OPERAND = 2,
    KIND_GLOBAL_U32 = 3,
};

/* What the operations so far describe. */
enum state {
    STACK,     /* the top of the stack is an offset in memory */
    VALUE,     /* the top of the stack is the object's value */
    DESCRIBED, /* the output has a whole description already */
};

struct translation {
    struct rt_native *native;
    struct rt_dwarf_pass *pass;
    struct rt_native_expression *needs;            /* what is needed is collected here, or ... */
    const struct rt_native_expression *expression; /* ... is in `places` */
    const struct rt_machine_place *const *places;
    struct rt_native_integer stack[MOST_ENTRIES];
    unsigned depth;
    enum state state;
    bool has_pieces;
    const char *reason;
};

/* ---- Building ---- */

static void op(struct translation *t, uint8_t code) {
    const struct rt_dwarf_operation operation = {.code = code};
    if (!t->needs)
        rt_dwarf_put_operation(t->pass, &operation);
}

static void op_with(struct translation *t, uint8_t code, uint64_t operand) {
    const struct rt_dwarf_operation operation = {.code = code, .operands = {operand}};
    if (!t->needs)
        rt_dwarf_put_operation(t->pass, &operation);
}

static void op_constant(struct translation *t, uint64_t number) {
    if (number < 32)
        op(t, (uint8_t)(RT_DWARF_OP_lit0 + number));
    else
        op_with(t, RT_DWARF_OP_constu, number);
}

static void refuse(struct translation *t, const char *reason) {
    if (!t->reason)
        t->reason = reason;
}

static void push(struct translation *t, unsigned bits) {
    if (t->depth == MOST_ENTRIES)
        refuse(t, "optimised out: an expression that needs too deep a stack");
    else
        t->stack[t->depth++] = (struct rt_native_integer){.bits = (uint8_t)bits};
}

static struct rt_native_integer pop(struct translation *t) {
    if (t->depth == 0) {
        refuse(t, "optimised out: an expression that pops from an empty stack");
        return (struct rt_native_integer){.bits = GENERIC};
    }
    return t->stack[--t->depth];
}

static void mask(struct translation *t, unsigned bits) {
    if (bits >= 64)
        return;
    op_constant(t, (UINT64_C(1) << bits) - 1);
    op(t, RT_DWARF_OP_and);
}

static void extend_sign(struct translation *t, unsigned bits) {
    if (bits >= 64 || t->native->fault == RT_NATIVE_SIGN_LOST)
        return;
    op_constant(t, UINT64_C(1) << (bits - 1));
    op(t, RT_DWARF_OP_xor);
    op_constant(t, UINT64_C(1) << (bits - 1));
    op(t, RT_DWARF_OP_minus);
}

/* ---- Things with places ---- */

/* The place of what is needed; NULL while needs are collected. */
static const struct rt_machine_place *need(struct translation *t, int kind, uint64_t index) {
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
        refuse(t, "optimised out: an expression of too many locals");
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

static void push_read(struct translation *t, enum rt_type type) {
    if (type != RT_I32 && type != RT_I64)
        refuse(t, "optimised out: an expression that computes with a number that is no integer");
    else if (type == RT_I32)
        op_with(t, RT_DWARF_OP_deref_size, 4);
    else
        op(t, RT_DWARF_OP_deref);
    push(t, type == RT_I32 ? 32 : 64);
}

/* The number that is in a place. */
static void push_place(struct translation *t, const struct rt_machine_place *place) {
    if (!place) { /* any will do */
        push(t, GENERIC);
        return;
    }
    switch (place->where) {
    case RT_MACHINE_FRAME:
        op_with(t, RT_DWARF_OP_fbreg, (uint64_t)(int64_t)place->offset);
        push_read(t, place->type);
        return;
    case RT_MACHINE_REGISTER:
        if (place->register_number > 31 || (place->type != RT_I32 && place->type != RT_I64))
            refuse(t, "optimised out: an expression that computes with a number that is no integer");
        else
            op_with(t, (uint8_t)(RT_DWARF_OP_breg0 + place->register_number), 0);
        push(t, width_of(place->type));
        mask(t, width_of(place->type));
        return;
    case RT_MACHINE_CONSTANT:
        op_constant(t, place->type == RT_I32 ? (uint32_t)place->bits : place->bits);
        push(t, width_of(place->type));
        return;
    }
}

/* The object is what is in the place, as long as it is no larger. False: the value is to be computed. */
static bool describe_place(struct translation *t, const struct rt_machine_place *place) {
    const uint64_t size = t->expression->type.size;
    if (!place || t->expression->is_value || t->expression->type.kind == RT_NATIVE_POINTER)
        return false;
    const bool is_integer = place->type == RT_I32 || place->type == RT_I64;
    if (!t->has_pieces && is_integer && (size == 0 || 8 * size > width_of(place->type)))
        return false;
    if (place->where == RT_MACHINE_FRAME)
        op_with(t, RT_DWARF_OP_fbreg, (uint64_t)(int64_t)place->offset);
    else if (place->where == RT_MACHINE_REGISTER && place->register_number < 32)
        op(t, (uint8_t)(RT_DWARF_OP_reg0 + place->register_number));
    else if (place->where == RT_MACHINE_REGISTER)
        op_with(t, RT_DWARF_OP_regx, place->register_number);
    else
        return false;
    t->state = DESCRIBED;
    return true;
}

/* ---- Memory ---- */

/* The address of the module's memory. */
static void put_base(struct translation *t) {
    const struct rt_native *native = t->native;
    struct rt_instance_path path;
    if (!native->has_memory) {
        refuse(t, "optimised out: an address in a module without a memory");
    } else if (native->memory_base) {
        op_constant(t, native->memory_base);
    } else {
        const struct rt_machine_place *place = need(t, RT_NATIVE_INSTANCE, 0);
        rt_code_map_memory(native->map, &path);
        push_place(t, place);
        pop(t);
        op_with(t, RT_DWARF_OP_plus_uconst, path.offsets[0]);
        op(t, RT_DWARF_OP_deref);
        op_with(t, RT_DWARF_OP_plus_uconst, path.offsets[1]);
    }
}

/* The offset on top becomes an address. */
static void put_address(struct translation *t) {
    put_base(t);
    op(t, RT_DWARF_OP_plus);
}

/* The pointer on top, as memory holds it, becomes one of the process; null stays null. */
static void put_pointer(struct translation *t) {
    if (t->native->fault == RT_NATIVE_NULL_MOVED) {
        put_address(t);
        return;
    }
    op(t, RT_DWARF_OP_dup);
    op(t, RT_DWARF_OP_lit0);
    op(t, RT_DWARF_OP_ne);
    put_base(t);
    op(t, RT_DWARF_OP_mul);
    op(t, RT_DWARF_OP_plus);
}

static void read_memory(struct translation *t, uint64_t size) {
    const struct rt_native_integer top = pop(t);
    if (top.bits != GENERIC || size == 0 || size > 8) {
        refuse(t, "optimised out: a read of memory of a size or at an address that is none");
        return;
    }
    put_address(t);
    op_with(t, RT_DWARF_OP_deref_size, size);
}

static void push_global(struct translation *t, uint64_t index) {
    const struct rt_native *native = t->native;
    struct rt_instance_path path;
    struct rt_global *global = native->instance && index <= UINT32_MAX
                                   ? rt_instance_global(native->instance, (uint32_t)index)
                                   : NULL;
    if (global) {
        op_constant(t, rt_global_address(global));
        push_read(t, rt_global_type(global));
    } else if (index > UINT32_MAX || !rt_code_map_global(native->map, (uint32_t)index, &path)) {
        refuse(t, "optimised out: a global that the module does not have");
    } else {
        push_place(t, need(t, RT_NATIVE_INSTANCE, 0));
        pop(t);
        for (uint32_t i = 0; i < path.count; i++) {
            if (i)
                op(t, RT_DWARF_OP_deref);
            op_with(t, RT_DWARF_OP_plus_uconst, path.offsets[i]);
        }
        push_read(t, RT_I32); /* an address, wherever an expression has one: the stack pointer */
    }
}

/* ---- Operations ---- */

/* The object is at an address that is known: debuggers need no frame for that. With a mere DW_OP_addr, GDB
 * lists the address among its unit's pcs, and is at a loss when it finds no code there. */
static bool describe_object(struct translation *t, uint64_t offset, const struct rt_cursor *rest) {
    if (rt_cursor_left(rest) || t->depth || t->expression->is_value || !t->native->memory_base ||
        t->expression->type.kind == RT_NATIVE_POINTER)
        return false;
    op_with(t, RT_DWARF_OP_addr, t->native->memory_base + offset);
    op(t, RT_DWARF_OP_lit0);
    op(t, RT_DWARF_OP_or);
    t->state = DESCRIBED;
    return true;
}

static bool ends_value(const struct rt_cursor *cursor) {
    const size_t left = rt_cursor_left(cursor);
    return left > 0 && cursor->next[0] == RT_DWARF_OP_stack_value &&
           (left == 1 || cursor->next[1] == RT_DWARF_OP_piece || cursor->next[1] == RT_DWARF_OP_bit_piece);
}

static void wasm_location(struct translation *t, const struct rt_dwarf_operation *operation,
                          const struct rt_cursor *rest, bool is_frame_base) {
    const uint64_t index = operation->operands[1];
    switch (operation->operands[0]) {
    case KIND_LOCAL:
    case KIND_OPERAND: {
        const struct rt_machine_place *place =
            need(t, operation->operands[0] == KIND_LOCAL ? RT_NATIVE_LOCAL : RT_NATIVE_OPERAND, index);
        if (is_frame_base || !ends_value(rest) || t->depth || !describe_place(t, place))
            push_place(t, place);
        return;
    }
    case KIND_GLOBAL:
    case KIND_GLOBAL_U32: push_global(t, index); return;
    default: refuse(t, "optimised out: an unknown kind of WebAssembly location");
    }
}

static void binary(struct translation *t, uint8_t code, bool is_signed, bool is_masked, bool is_comparison) {
    const struct rt_native_integer top = pop(t), below = pop(t);
    const bool is_shift = code == RT_DWARF_OP_shl || code == RT_DWARF_OP_shr || code == RT_DWARF_OP_shra;
    const unsigned bits = is_shift || below.bits > top.bits ? below.bits : top.bits;
    if (is_signed) {
        op(t, RT_DWARF_OP_swap);
        extend_sign(t, below.bits);
        op(t, RT_DWARF_OP_swap);
        if (!is_shift)
            extend_sign(t, top.bits);
    }
    op(t, code);
    if (is_masked)
        mask(t, bits);
    push(t, is_comparison ? GENERIC : bits);
}

static void unary(struct translation *t, uint8_t code, bool is_signed) {
    const struct rt_native_integer top = pop(t);
    if (is_signed)
        extend_sign(t, top.bits);
    op(t, code);
    mask(t, top.bits);
    push(t, top.bits);
}

static struct rt_error *convert(struct translation *t, uint64_t position, bool is_reinterpreted) {
    const struct rt_native_integer from = pop(t);
    struct rt_native_integer to = {.bits = from.bits > GENERIC ? from.bits : GENERIC};
    struct rt_error *error = position ? rt_native_base_type(t->pass, position, &to) : NULL;
    if (error)
        return error;
    if (to.bits == 0 || (is_reinterpreted && to.bits != from.bits)) {
        refuse(t, "optimised out: a conversion from or to what is no integer");
        return NULL;
    }
    if (from.is_signed && to.bits > from.bits)
        extend_sign(t, from.bits);
    if (from.is_signed || to.bits < from.bits)
        mask(t, to.bits);
    push(t, to.bits);
    if (t->depth)
        t->stack[t->depth - 1].is_signed = to.is_signed;
    return NULL;
}

static void pick(struct translation *t, uint8_t code, uint64_t index) {
    if (index >= t->depth) {
        refuse(t, "optimised out: an expression that pops from an empty stack");
        return;
    }
    const struct rt_native_integer entry = t->stack[t->depth - 1 - index];
    if (code == RT_DWARF_OP_pick)
        op_with(t, code, index);
    else
        op(t, code);
    push(t, entry.bits);
}

static void rotate(struct translation *t, uint8_t code, unsigned count) {
    if (t->depth < count) {
        refuse(t, "optimised out: an expression that pops from an empty stack");
        return;
    }
    const struct rt_native_integer top = t->stack[t->depth - 1];
    for (unsigned i = 1; i < count; i++)
        t->stack[t->depth - i] = t->stack[t->depth - i - 1];
    t->stack[t->depth - count] = top;
    op(t, code);
}

/* A whole description of an object, or of a piece of it, is at its end. */
static void finish(struct translation *t) {
    const bool is_pointer = t->expression->type.kind == RT_NATIVE_POINTER;
    if (t->expression->is_value) {
        pop(t);
        return;
    }
    if (t->state == DESCRIBED)
        return;
    const struct rt_native_integer top = pop(t);
    if (t->state == STACK) {
        if (top.bits != GENERIC)
            refuse(t, "optimised out: an address that is none");
        put_address(t);
        if (!is_pointer)
            return;
        op_with(t, RT_DWARF_OP_deref_size, 4);
    }
    if (is_pointer && top.bits != GENERIC)
        refuse(t, "optimised out: a pointer of another size");
    if (is_pointer)
        put_pointer(t);
    op(t, RT_DWARF_OP_stack_value);
}

static void piece(struct translation *t, const struct rt_dwarf_operation *operation) {
    if (t->expression->type.kind == RT_NATIVE_POINTER || t->expression->is_value) {
        refuse(t, "optimised out: a pointer in pieces");
        return;
    }
    if (t->depth || t->state == DESCRIBED)
        finish(t);
    if (!t->needs)
        rt_dwarf_put_operation(t->pass, operation);
    t->depth = 0;
    t->state = STACK;
}

/* A value that the expression holds. */
static void implicit_value(struct translation *t, const struct rt_dwarf_operation *operation) {
    uint64_t number = 0;
    if (t->expression->type.kind != RT_NATIVE_POINTER) {
        if (!t->needs)
            rt_dwarf_put_operation(t->pass, operation);
        t->state = DESCRIBED;
        return;
    }
    if (operation->block.size != 4)
        refuse(t, "optimised out: a pointer of another size");
    else
        for (unsigned i = 0; i < 4; i++)
            number |= (uint64_t)operation->block.bytes[i] << 8 * i;
    op_constant(t, number);
    push(t, GENERIC);
    t->state = VALUE;
}

static struct rt_error *translate(struct translation *t, struct rt_dwarf_span bytes, bool is_frame_base);

static struct rt_error *frame_base(struct translation *t, uint64_t offset, bool is_frame_base) {
    const struct rt_dwarf_span bytes = t->expression->frame_base;
    if (bytes.size == 0 || is_frame_base) {
        refuse(t, "optimised out: relative to a frame base that is not one expression");
        return NULL;
    }
    struct rt_error *error = translate(t, bytes, true);
    t->state = STACK;
    if (error || t->reason)
        return error;
    if (offset) {
        const struct rt_native_integer base = pop(t);
        op_constant(t, offset & UINT32_MAX);
        op(t, RT_DWARF_OP_plus);
        mask(t, base.bits);
        push(t, base.bits);
    }
    return NULL;
}

/* A generic number; one of 64 bits where it has more than 32, or meets one, or is the value of an object that
 * may have more. */
static void push_constant(struct translation *t, uint64_t number, const struct rt_cursor *rest) {
    const bool fits = (int64_t)number >= INT32_MIN && (int64_t)number <= (int64_t)UINT32_MAX;
    const bool is_whole = ends_value(rest) && t->expression->type.kind != RT_NATIVE_POINTER;
    const bool meets_wide = t->depth > 0 && t->stack[t->depth - 1].bits == 64;
    const bool is_generic = fits && !is_whole && !meets_wide;
    op_constant(t, is_generic ? number & UINT32_MAX : number);
    push(t, is_generic ? GENERIC : 64);
}

/* One operation; `rest` is behind it. */
static struct rt_error *operate(struct translation *t, const struct rt_dwarf_operation *operation,
                                const struct rt_cursor *rest, bool is_frame_base) {
    const uint64_t operand = operation->operands[0];
    const uint8_t code = operation->code;
    if (code >= RT_DWARF_OP_lit0 && code <= RT_DWARF_OP_lit31) {
        op(t, code);
        push(t, GENERIC);
        return NULL;
    }
    switch (code) {
    case RT_DWARF_OP_nop: return NULL;
    case RT_DWARF_OP_addr:
        if (rt_dwarf_module_is_dead(NULL, operand)) {
            refuse(t, "optimised out: an object that the linker left out");
            return NULL;
        }
        if (describe_object(t, operand, rest))
            return NULL;
        __attribute__((fallthrough));
    case RT_DWARF_OP_const1u:
    case RT_DWARF_OP_const1s:
    case RT_DWARF_OP_const2u:
    case RT_DWARF_OP_const2s:
    case RT_DWARF_OP_const4u:
    case RT_DWARF_OP_const4s:
    case RT_DWARF_OP_constu:
    case RT_DWARF_OP_consts:
    case RT_DWARF_OP_const8u:
    case RT_DWARF_OP_const8s: push_constant(t, operand, rest); return NULL;
    case RT_DWARF_OP_WASM_location: wasm_location(t, operation, rest, is_frame_base); return NULL;
    case RT_DWARF_OP_fbreg: return frame_base(t, operand, is_frame_base);
    case RT_DWARF_OP_deref:
        read_memory(t, 4);
        push(t, GENERIC);
        return NULL;
    case RT_DWARF_OP_deref_size:
        read_memory(t, operand);
        push(t, operand > 4 ? 64 : GENERIC);
        return NULL;
    case RT_DWARF_OP_deref_type:
    case RT_DWARF_OP_GNU_deref_type: {
        struct rt_native_integer type;
        struct rt_error *error = rt_native_base_type(t->pass, operation->operands[1], &type);
        if (!error && type.bits == 0)
            refuse(t, "optimised out: a conversion from or to what is no integer");
        read_memory(t, operand);
        push(t, type.bits);
        if (t->depth)
            t->stack[t->depth - 1].is_signed = type.is_signed;
        return error;
    }
    case RT_DWARF_OP_convert:
    case RT_DWARF_OP_GNU_convert: return convert(t, operand, false);
    case RT_DWARF_OP_reinterpret:
    case RT_DWARF_OP_GNU_reinterpret: return convert(t, operand, true);
    case RT_DWARF_OP_dup: pick(t, code, 0); return NULL;
    case RT_DWARF_OP_over: pick(t, code, 1); return NULL;
    case RT_DWARF_OP_pick: pick(t, code, operand); return NULL;
    case RT_DWARF_OP_drop:
        pop(t);
        op(t, code);
        return NULL;
    case RT_DWARF_OP_swap: rotate(t, code, 2); return NULL;
    case RT_DWARF_OP_rot: rotate(t, code, 3); return NULL;
    case RT_DWARF_OP_and:
    case RT_DWARF_OP_or:
    case RT_DWARF_OP_xor:
    case RT_DWARF_OP_shr:
    case RT_DWARF_OP_mod: binary(t, code, false, false, false); return NULL;
    case RT_DWARF_OP_plus:
    case RT_DWARF_OP_minus:
    case RT_DWARF_OP_mul:
    case RT_DWARF_OP_shl: binary(t, code, false, true, false); return NULL;
    case RT_DWARF_OP_div:
    case RT_DWARF_OP_shra: binary(t, code, true, true, false); return NULL;
    case RT_DWARF_OP_eq:
    case RT_DWARF_OP_ne: binary(t, code, false, false, true); return NULL;
    case RT_DWARF_OP_lt:
    case RT_DWARF_OP_le:
    case RT_DWARF_OP_gt:
    case RT_DWARF_OP_ge: binary(t, code, true, false, true); return NULL;
    case RT_DWARF_OP_abs: unary(t, code, true); return NULL;
    case RT_DWARF_OP_neg:
    case RT_DWARF_OP_not: unary(t, code, false); return NULL;
    case RT_DWARF_OP_plus_uconst: {
        const struct rt_native_integer top = pop(t);
        op_constant(t, top.bits == GENERIC ? (uint32_t)operand : operand);
        op(t, RT_DWARF_OP_plus);
        mask(t, top.bits);
        push(t, top.bits);
        return NULL;
    }
    case RT_DWARF_OP_stack_value:
        if (t->state == STACK)
            t->state = VALUE;
        return NULL;
    case RT_DWARF_OP_implicit_value: implicit_value(t, operation); return NULL;
    case RT_DWARF_OP_piece:
    case RT_DWARF_OP_bit_piece: piece(t, operation); return NULL;
    case RT_DWARF_OP_bra:
    case RT_DWARF_OP_skip: refuse(t, "optimised out: an expression with branches"); return NULL;
    case RT_DWARF_OP_entry_value:
    case RT_DWARF_OP_GNU_entry_value:
        refuse(t, "optimised out: a value at the function's entry");
        return NULL;
    case RT_DWARF_OP_implicit_pointer:
    case RT_DWARF_OP_GNU_implicit_pointer:
        refuse(t, "optimised out: a pointer to an object that is in no memory");
        return NULL;
    case RT_DWARF_OP_form_tls_address:
    case RT_DWARF_OP_GNU_push_tls_address: refuse(t, "optimised out: thread-local storage"); return NULL;
    default: refuse(t, "optimised out: an operation that means nothing in a module"); return NULL;
    }
}

static struct rt_error *translate(struct translation *t, struct rt_dwarf_span bytes, bool is_frame_base) {
    struct rt_cursor cursor = rt_cursor_make(bytes.bytes, bytes.size, 0);
    struct rt_error *error = NULL;
    while (!error && !t->reason && rt_cursor_left(&cursor)) {
        struct rt_dwarf_operation operation;
        error = rt_dwarf_operation_read(t->pass, t->expression->die->unit, &cursor, &operation);
        if (error)
            break;
        t->has_pieces |= operation.code == RT_DWARF_OP_piece || operation.code == RT_DWARF_OP_bit_piece;
        if (t->state != STACK && operation.code != RT_DWARF_OP_piece &&
            operation.code != RT_DWARF_OP_bit_piece && operation.code != RT_DWARF_OP_stack_value)
            refuse(t, "optimised out: operations behind a value");
        else
            error = operate(t, &operation, &cursor, is_frame_base);
    }
    return error;
}

static struct rt_error *run(struct translation *t, const char **ret_reason) {
    struct rt_error *error = translate(t, t->expression->bytes, false);
    if (!error && !t->reason && (t->depth || t->state == DESCRIBED || !t->has_pieces))
        finish(t);
    *ret_reason = t->reason;
    return error;
}

struct rt_error *rt_native_expression_needs(struct rt_native *native, struct rt_dwarf_pass *pass,
                                            struct rt_native_expression *expression,
                                            const char **ret_reason) {
    struct translation t = {.native = native, .pass = pass, .needs = expression, .expression = expression};
    expression->need_count = 0;
    return run(&t, ret_reason);
}

struct rt_error *rt_native_expression_put(struct rt_native *native, struct rt_dwarf_pass *pass,
                                          const struct rt_native_expression *expression,
                                          const struct rt_machine_place *const *places,
                                          const char **ret_reason) {
    struct translation t = {.native = native, .pass = pass, .expression = expression, .places = places};
    return run(&t, ret_reason);
}
