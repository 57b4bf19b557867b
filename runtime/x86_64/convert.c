/* Lowers conversions between types (section 4.3.4). */
#include "runtime/x86_64/lower.h"

void rt_x86_wrap(struct rt_compiler *c, const struct x86_lowering *how) {
    struct rt_operand operand = rt_pop(c);
    if (operand.kind == RT_IS_CONSTANT) {
        rt_push_constant(c, (enum rt_type)how->result, (uint32_t)operand.bits);
        return;
    }
    uint8_t reg = operand.kind == RT_IN_REGISTER ? operand.reg : rt_take_register(c, RT_GENERAL);
    rt_x86_operate(c, X86_MOV_LOAD, reg, &operand);
    rt_push_register(c, (enum rt_type)how->result, reg);
}

void rt_x86_extend_unsigned(struct rt_compiler *c, const struct x86_lowering *how) {
    struct rt_operand operand = rt_pop(c);
    if (operand.kind == RT_IS_CONSTANT) {
        rt_push_constant(c, (enum rt_type)how->result, operand.bits);
        return;
    }
    rt_push_register(c, (enum rt_type)how->result, rt_x86_to_register(c, &operand)); /* it is already */
}

void rt_x86_reinterpret(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type from = (enum rt_type)how->operand, to = (enum rt_type)how->result;
    struct rt_operand operand = rt_pop(c);
    if (operand.kind == RT_IS_CONSTANT) {
        rt_push_constant(c, to, operand.bits);
        return;
    }
    uint8_t reg = rt_take_register(c, rt_class_of(to));
    if (operand.kind == RT_IN_REGISTER) {
        bool to_vector = rt_class_of(to) == RT_VECTOR;
        rt_x86_rr(c, (to_vector ? X86_MOVD_LOAD : X86_MOVD_STORE) | x86_width(to),
                  to_vector ? reg : operand.reg, to_vector ? operand.reg : reg);
        rt_give_register(c, rt_class_of(from), operand.reg);
    } else {
        struct rt_operand as_result = operand;
        as_result.type = (uint8_t)to;
        rt_x86_load(c, reg, &as_result);
    }
    rt_push_register(c, to, reg);
}

/* cvtsi2ss or cvtsi2sd from 64 bits; the rest of the register would be a false dependency. */
static void from_i64(struct rt_compiler *c, enum rt_type to, uint8_t reg, uint8_t from) {
    rt_x86_rr(c, X86_XORPS, reg, reg);
    rt_x86_rr(c, (to == RT_F32 ? X86_F3 : X86_F2) | X86_MAP_0F | X86_W | 0x2a, reg, from);
}

void rt_x86_to_float(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type from_type = (enum rt_type)how->operand, to = (enum rt_type)how->result;
    uint8_t from = rt_pop_register(c, NULL), reg = rt_take_register(c, RT_VECTOR);
    if (from_type == RT_I32 && !(how->detail & CONVERT_UNSIGNED))
        rt_x86_rr(c, X86_W | X86_MOVSXD, from, from);
    if (from_type == RT_I32 || !(how->detail & CONVERT_UNSIGNED)) {
        from_i64(c, to, reg, from);
    } else {
        /* Beyond the signed range: convert the half, its lost bit kept for rounding, and double. */
        rt_x86_rr(c, X86_W | X86_TEST, from, from);
        uint8_t *large = x86_jcc(c, CC_S);
        from_i64(c, to, reg, from);
        uint8_t *done = x86_jmp(c);
        x86_land(c, large);
        rt_x86_rr(c, X86_W | X86_MOV_LOAD, SCRATCH, from);
        rt_x86_group_imm(c, X86_W, GROUP_AND, SCRATCH, 1);
        rt_x86_shift_imm(c, X86_W, SHIFT_SHR, from, 1);
        rt_x86_rr(c, X86_W | X86_OR, from, SCRATCH);
        from_i64(c, to, reg, from);
        rt_x86_rr(c, (to == RT_F32 ? X86_F3 : X86_F2) | X86_MAP_0F | 0x58, reg, reg);
        x86_land(c, done);
    }
    rt_give_register(c, RT_GENERAL, from);
    rt_push_register(c, to, reg);
}

/* ---- Truncation ---- */

struct truncation {
    enum rt_type from;
    uint8_t reg;   /* general: the result */
    uint8_t value; /* vector: the operand */
    bool is_unsigned, saturates;
};

static uint32_t unordered_compare(const struct truncation *t) {
    return t->from == RT_F32 ? X86_UCOMISS : X86_UCOMISD;
}

/* cvttss2si or cvttsd2si to 64 bits: gives the least integer when the value does not fit or is a NaN. */
static void truncate(struct rt_compiler *c, const struct truncation *t, uint8_t from) {
    rt_x86_rr(c, (t->from == RT_F32 ? X86_F3 : X86_F2) | X86_MAP_0F | X86_W | 0x2c, t->reg, from);
}

/* The value is out of range or a NaN: traps accordingly. */
static void trap_out_of_range(struct rt_compiler *c, const struct truncation *t) {
    rt_x86_rr(c, unordered_compare(t), t->value, t->value);
    rt_x86_trap_if(c, CC_P, RT_TRAP_INVALID_CONVERSION, c->height + 1);
    rt_x86_trap_if(c, CC_NP, RT_TRAP_INTEGER_OVERFLOW, c->height + 1);
}

/* The value is out of range or a NaN: the result is `least`, `most`, or 0 for a NaN. */
static void saturate(struct rt_compiler *c, const struct truncation *t, uint64_t least, uint64_t most) {
    rt_x86_rr(c, X86_XORPS, VECTOR_SCRATCH, VECTOR_SCRATCH);
    rt_x86_rr(c, unordered_compare(t), t->value, VECTOR_SCRATCH);
    rt_x86_mov_imm(c, t->reg, 0);
    uint8_t *is_nan = x86_jcc(c, CC_P);
    rt_x86_mov_imm(c, t->reg, most);
    uint8_t *is_positive = x86_jcc(c, CC_A);
    rt_x86_mov_imm(c, t->reg, least);
    x86_land(c, is_nan);
    x86_land(c, is_positive);
}

static void truncate_to_i32(struct rt_compiler *c, const struct truncation *t) {
    truncate(c, t, t->value);
    /* The 64-bit result is the answer if it survives being an i32. */
    rt_x86_rr(c, t->is_unsigned ? X86_MOV_LOAD : X86_W | X86_MOVSXD, SCRATCH, t->reg);
    rt_x86_rr(c, X86_W | X86_CMP, SCRATCH, t->reg);
    uint8_t *fits = x86_jcc(c, CC_E);
    if (!t->saturates)
        trap_out_of_range(c, t);
    else if (t->is_unsigned)
        saturate(c, t, 0, UINT32_MAX);
    else
        saturate(c, t, (uint32_t)INT32_MIN, INT32_MAX);
    x86_land(c, fits);
    if (!t->is_unsigned)
        rt_x86_rr(c, X86_MOV_LOAD, t->reg, t->reg); /* zero-extended again */
}

static void truncate_to_signed_i64(struct rt_compiler *c, const struct truncation *t) {
    truncate(c, t, t->value);
    rt_x86_group_imm(c, X86_W, GROUP_CMP, t->reg, 1);
    uint8_t *fits = x86_jcc(c, CC_NO); /* not the least integer */
    if (t->saturates) {
        saturate(c, t, (uint64_t)INT64_MIN, INT64_MAX);
    } else {
        /* -2^63 itself is in range; no other value that gives the least integer is. */
        rt_x86_mov_imm(c, SCRATCH, t->from == RT_F32 ? 0xdf000000 : 0xc3e0000000000000);
        rt_x86_rr(c, X86_MOVD_LOAD | x86_width(t->from), VECTOR_SCRATCH, SCRATCH);
        rt_x86_rr(c, unordered_compare(t), t->value, VECTOR_SCRATCH);
        rt_x86_trap_if(c, CC_P, RT_TRAP_INVALID_CONVERSION, c->height + 1);
        rt_x86_trap_if(c, CC_NE, RT_TRAP_INTEGER_OVERFLOW, c->height + 1);
    }
    x86_land(c, fits);
}

static void truncate_to_unsigned_i64(struct rt_compiler *c, const struct truncation *t) {
    uint8_t difference = rt_take_register(c, RT_VECTOR); /* here, for that may move an operand */
    /* From 2^63 on: subtract it, and set the top bit after. */
    rt_x86_mov_imm(c, SCRATCH, t->from == RT_F32 ? 0x5f000000 : 0x43e0000000000000);
    rt_x86_rr(c, X86_MOVD_LOAD | x86_width(t->from), VECTOR_SCRATCH, SCRATCH);
    rt_x86_rr(c, unordered_compare(t), t->value, VECTOR_SCRATCH);
    uint8_t *large = x86_jcc(c, CC_AE);
    truncate(c, t, t->value);
    rt_x86_rr(c, X86_W | X86_TEST, t->reg, t->reg);
    uint8_t *fits = x86_jcc(c, CC_NS);
    if (t->saturates)
        rt_x86_mov_imm(c, t->reg, 0); /* negative or a NaN */
    else
        trap_out_of_range(c, t);
    uint8_t *done = x86_jmp(c);
    x86_land(c, large);
    rt_x86_rr(c, X86_MOVAPS, difference, t->value);
    rt_x86_rr(c, (t->from == RT_F32 ? X86_F3 : X86_F2) | X86_MAP_0F | 0x5c, difference, VECTOR_SCRATCH);
    truncate(c, t, difference);
    rt_x86_rr(c, X86_W | X86_TEST, t->reg, t->reg);
    if (t->saturates) {
        uint8_t *in_range = x86_jcc(c, CC_NS);
        rt_x86_mov_imm(c, t->reg, UINT64_MAX);
        uint8_t *done_too = x86_jmp(c);
        x86_land(c, in_range);
        rt_x86_rr(c, X86_W | X86_MAP_0F | 0xba, 7, t->reg); /* btc: complements bit 63, which is 0 */
        x86_byte(c, 63);
        x86_land(c, done_too);
    } else {
        rt_x86_trap_if(c, CC_S, RT_TRAP_INTEGER_OVERFLOW, c->height + 1);
        rt_x86_rr(c, X86_W | X86_MAP_0F | 0xba, 7, t->reg);
        x86_byte(c, 63);
    }
    rt_give_register(c, RT_VECTOR, difference);
    x86_land(c, fits);
    x86_land(c, done);
}

void rt_x86_truncate(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type to = (enum rt_type)how->result;
    struct truncation t = {.from = (enum rt_type)how->operand,
                           .value = rt_pop_register(c, NULL),
                           .is_unsigned = how->detail & CONVERT_UNSIGNED,
                           .saturates = how->detail & CONVERT_SATURATE};
    t.reg = rt_take_register(c, RT_GENERAL);
    if (to == RT_I32)
        truncate_to_i32(c, &t);
    else if (t.is_unsigned)
        truncate_to_unsigned_i64(c, &t);
    else
        truncate_to_signed_i64(c, &t);
    rt_give_register(c, RT_VECTOR, t.value);
    rt_push_register(c, to, t.reg);
}
