/* Lowers loads, stores, and access to what an instance holds. */
#include "runtime/x86_64/lower.h"

struct x86_memory rt_x86_address(struct rt_compiler *c, const struct rt_operand *index, uint32_t offset,
                                 uint8_t *held) {
    *held = NO_REGISTER;
    if (index->kind == RT_IS_CONSTANT) {
        uint64_t sum = index->bits + offset;
        if (sum <= INT32_MAX)
            return x86_at(MEMORY, (int32_t)sum);
        rt_x86_mov_imm(c, SCRATCH, sum);
        return (struct x86_memory){MEMORY, SCRATCH, 0, 0};
    }
    uint8_t cached = rt_cached_register(c, index);
    if (offset <= INT32_MAX && cached != RT_NO_REGISTER)
        return (struct x86_memory){MEMORY, cached, 0, (int32_t)offset};
    /* Only a register that holds no local's value: what is to be stored may be in one that does. */
    if (offset <= INT32_MAX && index->kind == RT_IS_LOCAL && c->free[RT_GENERAL] & ~c->cached[RT_GENERAL]) {
        uint8_t reg = rt_take_register(c, RT_GENERAL);
        rt_x86_load(c, reg, index);
        rt_give_register(c, RT_GENERAL, reg);
        rt_cache_local(c, index->index, reg); /* a base is rarely used once */
        return (struct x86_memory){MEMORY, reg, 0, (int32_t)offset};
    }
    if (offset <= INT32_MAX && index->kind != RT_IN_REGISTER) {
        rt_x86_load(c, SCRATCH, index);
        return (struct x86_memory){MEMORY, SCRATCH, 0, (int32_t)offset};
    }
    uint8_t reg = *held = rt_x86_to_register(c, index);
    if (offset <= INT32_MAX)
        return (struct x86_memory){MEMORY, reg, 0, (int32_t)offset};
    rt_x86_mov_imm(c, SCRATCH, offset);
    rt_x86_rr(c, X86_W | X86_ADD, SCRATCH, reg);
    return (struct x86_memory){MEMORY, SCRATCH, 0, 0};
}

void rt_x86_memory_load(struct rt_compiler *c, uint32_t opcode, uint32_t offset) {
    static const struct {
        uint32_t operation;
        uint8_t type;
    } table[] = {
        [RT_OP_I32_LOAD - RT_OP_I32_LOAD] = {X86_MOV_LOAD, RT_I32},
        [RT_OP_I64_LOAD - RT_OP_I32_LOAD] = {X86_W | X86_MOV_LOAD, RT_I64},
        [RT_OP_F32_LOAD - RT_OP_I32_LOAD] = {X86_MOVSS, RT_F32},
        [RT_OP_F64_LOAD - RT_OP_I32_LOAD] = {X86_MOVSD, RT_F64},
        [RT_OP_I32_LOAD8_S - RT_OP_I32_LOAD] = {X86_MOVSX8, RT_I32},
        [RT_OP_I32_LOAD8_U - RT_OP_I32_LOAD] = {X86_MOVZX8, RT_I32},
        [RT_OP_I32_LOAD16_S - RT_OP_I32_LOAD] = {X86_MOVSX16, RT_I32},
        [RT_OP_I32_LOAD16_U - RT_OP_I32_LOAD] = {X86_MOVZX16, RT_I32},
        [RT_OP_I64_LOAD8_S - RT_OP_I32_LOAD] = {X86_W | X86_MOVSX8, RT_I64},
        [RT_OP_I64_LOAD8_U - RT_OP_I32_LOAD] = {X86_MOVZX8, RT_I64},
        [RT_OP_I64_LOAD16_S - RT_OP_I32_LOAD] = {X86_W | X86_MOVSX16, RT_I64},
        [RT_OP_I64_LOAD16_U - RT_OP_I32_LOAD] = {X86_MOVZX16, RT_I64},
        [RT_OP_I64_LOAD32_S - RT_OP_I32_LOAD] = {X86_W | X86_MOVSXD, RT_I64},
        [RT_OP_I64_LOAD32_U - RT_OP_I32_LOAD] = {X86_MOV_LOAD, RT_I64},
    };
    uint32_t operation = table[opcode - RT_OP_I32_LOAD].operation;
    enum rt_type type = (enum rt_type)table[opcode - RT_OP_I32_LOAD].type;
    struct rt_operand index = rt_pop(c);
    uint8_t held;
    struct x86_memory memory = rt_x86_address(c, &index, offset, &held);
    bool reuse = held != NO_REGISTER && rt_class_of(type) == RT_GENERAL;
    uint8_t reg = reuse ? held : rt_take_register(c, rt_class_of(type));
    rt_map_operands(c, c->height + 1);
    rt_x86_rm(c, operation, reg, memory, 0);
    if (!reuse && held != NO_REGISTER)
        rt_give_register(c, RT_GENERAL, held);
    rt_push_register(c, type, reg);
}

void rt_x86_memory_store(struct rt_compiler *c, uint32_t opcode, uint32_t offset) {
    static const struct {
        uint32_t operation;
        uint8_t size; /* of the immediate form's immediate */
    } table[] = {
        [RT_OP_I32_STORE - RT_OP_I32_STORE] = {X86_MOV_STORE, 4},
        [RT_OP_I64_STORE - RT_OP_I32_STORE] = {X86_W | X86_MOV_STORE, 4},
        [RT_OP_F32_STORE - RT_OP_I32_STORE] = {X86_MOV_STORE, 4},
        [RT_OP_F64_STORE - RT_OP_I32_STORE] = {X86_W | X86_MOV_STORE, 4},
        [RT_OP_I32_STORE8 - RT_OP_I32_STORE] = {X86_BYTE_REG | 0x88, 1},
        [RT_OP_I32_STORE16 - RT_OP_I32_STORE] = {X86_66 | X86_MOV_STORE, 2},
        [RT_OP_I64_STORE8 - RT_OP_I32_STORE] = {X86_BYTE_REG | 0x88, 1},
        [RT_OP_I64_STORE16 - RT_OP_I32_STORE] = {X86_66 | X86_MOV_STORE, 2},
        [RT_OP_I64_STORE32 - RT_OP_I32_STORE] = {X86_MOV_STORE, 4},
    };
    uint32_t operation = table[opcode - RT_OP_I32_STORE].operation;
    unsigned size = table[opcode - RT_OP_I32_STORE].size;
    struct rt_operand value = rt_pop(c), index = rt_pop(c);
    bool immediate =
        value.kind == RT_IS_CONSTANT && (!(operation & X86_W) || (int64_t)value.bits == (int32_t)value.bits);
    uint8_t cached = rt_cached_register(c, &value);
    if (cached != RT_NO_REGISTER &&
        offset <= INT32_MAX) { /* so that address takes no register for the index */
        value.reg = cached;
    } else if (!immediate && value.kind != RT_IN_REGISTER) { /* floats go as integers, too */
        value.type = x86_width((enum rt_type)value.type) ? RT_I64 : RT_I32;
        uint8_t reg = rt_x86_to_register(c, &value);
        value.kind = RT_IN_REGISTER;
        value.reg = reg;
    }
    uint8_t held;
    struct x86_memory memory = rt_x86_address(c, &index, offset, &held);
    rt_map_operands(c, c->height + 2);
    if (immediate) {
        uint32_t form = (operation & ~(X86_BYTE_REG | 0xff)) | (size == 1 ? 0xc6 : 0xc7);
        rt_x86_rm(c, form, 0, memory, size);
        for (unsigned i = 0; i < size; i++)
            x86_byte(c, value.bits >> 8 * i & 0xff);
    } else if (value.type == RT_F32 || value.type == RT_F64) {
        rt_x86_rm(c, x86_vector_store((enum rt_type)value.type), value.reg, memory, 0);
    } else {
        rt_x86_rm(c, operation, value.reg, memory, 0);
    }
    rt_give_operand(c, &value);
    if (held != NO_REGISTER)
        rt_give_register(c, RT_GENERAL, held);
}

void rt_x86_memory_size(struct rt_compiler *c) {
    uint8_t reg = rt_take_register(c, RT_GENERAL);
    rt_x86_rm(c, X86_W | X86_MOV_LOAD, reg, x86_at(INSTANCE, offsetof(struct rt_instance, memory)), 0);
    rt_x86_rm(c, X86_MOV_LOAD, reg, x86_at(reg, offsetof(struct rt_memory, pages)), 0);
    rt_push_register(c, RT_I32, reg);
}

/* A global's value; may need the scratch register. */
static struct x86_memory global_value(struct rt_compiler *c, uint32_t global) {
    uint32_t imported = c->module->imported_globals;
    if (global >= imported) /* it is part of the instance */
        return x86_at(INSTANCE, (int32_t)(c->layout.globals + (global - imported) * sizeof(struct rt_global) +
                                          offsetof(struct rt_global, value)));
    rt_x86_rm(c, X86_W | X86_MOV_LOAD, SCRATCH,
              x86_at(INSTANCE, (int32_t)(c->layout.imported_globals + global * sizeof(void *))), 0);
    return x86_at(SCRATCH, offsetof(struct rt_global, value));
}

void rt_x86_global_get(struct rt_compiler *c, uint32_t global) {
    enum rt_type type = c->module->globals[global].type;
    uint8_t reg = rt_take_register(c, rt_class_of(type));
    struct x86_memory memory = global_value(c, global);
    uint32_t operation =
        rt_class_of(type) == RT_GENERAL ? X86_MOV_LOAD | x86_width(type) : x86_vector_load(type);
    rt_x86_rm(c, operation, reg, memory, 0);
    rt_push_register(c, type, reg);
}

void rt_x86_global_set(struct rt_compiler *c, uint32_t global) {
    enum rt_type type;
    uint8_t reg = rt_pop_register(c, &type);
    struct x86_memory memory = global_value(c, global);
    uint32_t operation =
        rt_class_of(type) == RT_GENERAL ? X86_MOV_STORE | x86_width(type) : x86_vector_store(type);
    rt_x86_rm(c, operation, reg, memory, 0);
    rt_give_register(c, rt_class_of(type), reg);
}

void rt_x86_table_size(struct rt_compiler *c, uint32_t table) {
    uint8_t reg = rt_take_register(c, RT_GENERAL);
    rt_x86_rm(c, X86_W | X86_MOV_LOAD, reg,
              x86_at(INSTANCE, (int32_t)(c->layout.tables + table * sizeof(void *))), 0);
    rt_x86_rm(c, X86_MOV_LOAD, reg, x86_at(reg, offsetof(struct rt_table, size)), 0);
    rt_push_register(c, RT_I32, reg);
}

void rt_x86_ref_func(struct rt_compiler *c, uint32_t function) {
    uint8_t reg = rt_take_register(c, RT_GENERAL);
    uint32_t imported = c->module->imported_functions;
    if (function < imported) {
        rt_x86_rm(c, X86_W | X86_MOV_LOAD, reg,
                  x86_at(INSTANCE, (int32_t)(c->layout.imported_functions + function * sizeof(void *))), 0);
    } else {
        rt_x86_rm(c, X86_W | X86_MOV_LOAD, reg, x86_at(INSTANCE, offsetof(struct rt_instance, functions)), 0);
        rt_x86_group_imm(c, X86_W, GROUP_ADD, reg, (int32_t)((function - imported) * sizeof(struct rt_func)));
    }
    rt_push_register(c, RT_FUNCREF, reg);
}

void rt_x86_ref_is_null(struct rt_compiler *c) {
    uint8_t reg = rt_pop_register(c, NULL);
    rt_x86_rr(c, X86_W | X86_TEST, reg, reg);
    rt_give_register(c, RT_GENERAL, reg);
    rt_x86_push_condition(c, CC_E);
}
