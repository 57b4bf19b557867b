/* Lowers integer vector arithmetic and comparisons (section 4.3.6). */
#include "runtime/x86_64/vector.h"

static void invert(struct rt_compiler *c, uint8_t reg) {
    rt_x86_rr(c, X86_PCMPEQD, VECTOR_SCRATCH, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_PXOR, reg, VECTOR_SCRATCH);
}

X86_VECTOR_LOWERING(rt_x86_vector_binary) {
    (void)immediate;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    if (how->detail & VECTOR_SWAP ||
        (how->detail & VECTOR_COMMUTES && left.kind != RT_IN_REGISTER && right.kind == RT_IN_REGISTER))
        x86_swap_operands(&left, &right);
    uint8_t reg = rt_x86_to_register(c, &left);
    rt_x86_operate(c, how->operation, reg, &right);
    rt_give_operand(c, &right);
    if (how->detail & VECTOR_INVERT)
        invert(c, reg);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_unary) {
    (void)immediate;
    struct rt_operand operand = rt_pop(c);
    uint8_t reg = operand.kind == RT_IN_REGISTER ? operand.reg : rt_take_register(c, RT_VECTOR);
    rt_x86_operate(c, how->operation, reg, &operand);
    rt_push_register(c, RT_V128, reg);
}

/* ---- Comparisons ---- */

/* There is no unsigned comparison: a >= b when max(a, b) is a, a <= b when min(a, b) is. */
X86_VECTOR_LOWERING(rt_x86_vector_compare_unsigned) {
    (void)immediate;
    static const uint32_t equal[] = {X86_PCMPEQB, X86_PCMPEQW, X86_PCMPEQD};
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    uint8_t reg = rt_x86_to_register(c, &left);
    rt_x86_rr(c, X86_MOVAPS, VECTOR_SCRATCH, reg);
    rt_x86_operate(c, how->operation, reg, &right);
    rt_x86_rr(c, equal[how->lane], reg, VECTOR_SCRATCH);
    rt_give_operand(c, &right);
    if (how->detail & VECTOR_INVERT)
        invert(c, reg);
    rt_push_register(c, RT_V128, reg);
}

/* ---- Arithmetic ---- */

X86_VECTOR_LOWERING(rt_x86_vector_negate) {
    (void)immediate;
    struct rt_operand operand = rt_pop(c);
    rt_x86_rr(c, X86_PXOR, VECTOR_SCRATCH, VECTOR_SCRATCH);
    rt_x86_operate(c, how->operation, VECTOR_SCRATCH, &operand);
    uint8_t reg = operand.kind == RT_IN_REGISTER ? operand.reg : rt_take_register(c, RT_VECTOR);
    rt_x86_rr(c, X86_MOVAPS, reg, VECTOR_SCRATCH);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_abs_i64) {
    (void)how, (void)immediate;
    uint8_t reg = rt_pop_register(c, NULL);
    rt_x86_rr(c, X86_PXOR, VECTOR_SCRATCH, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_PCMPGTQ, VECTOR_SCRATCH, reg); /* all ones where negative */
    rt_x86_rr(c, X86_PXOR, reg, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_PSUBQ, reg, VECTOR_SCRATCH);
    rt_push_register(c, RT_V128, reg);
}

/* low * low + ((high * low' + low * high') << 32) */
X86_VECTOR_LOWERING(rt_x86_vector_multiply_i64) {
    (void)how, (void)immediate;
    uint8_t right = rt_pop_register(c, NULL), left = rt_pop_register(c, NULL);
    uint8_t cross = rt_take_register(c, RT_VECTOR);
    rt_x86_rr(c, X86_MOVAPS, VECTOR_SCRATCH, left);
    x86_shift_packed(c, LANE_64, SHIFT_PACKED_RIGHT, VECTOR_SCRATCH, 32);
    rt_x86_rr(c, X86_PMULUDQ, VECTOR_SCRATCH, right);
    rt_x86_rr(c, X86_MOVAPS, cross, right);
    x86_shift_packed(c, LANE_64, SHIFT_PACKED_RIGHT, cross, 32);
    rt_x86_rr(c, X86_PMULUDQ, cross, left);
    rt_x86_rr(c, X86_PADDQ, cross, VECTOR_SCRATCH);
    x86_shift_packed(c, LANE_64, SHIFT_PACKED_LEFT, cross, 32);
    rt_x86_rr(c, X86_PMULUDQ, left, right);
    rt_x86_rr(c, X86_PADDQ, left, cross);
    rt_give_register(c, RT_VECTOR, cross);
    rt_give_register(c, RT_VECTOR, right);
    rt_push_register(c, RT_V128, left);
}

X86_VECTOR_LOWERING(rt_x86_vector_popcnt) {
    (void)how, (void)immediate;
    uint8_t reg = rt_pop_register(c, NULL), counts = rt_take_register(c, RT_VECTOR);
    rt_x86_rr(c, X86_MOVAPS, VECTOR_SCRATCH, reg);
    x86_shift_packed(c, LANE_16, SHIFT_PACKED_RIGHT, VECTOR_SCRATCH, 4);
    x86_with_constant(c, X86_PAND, VECTOR_SCRATCH, CONSTANT_NIBBLES);
    x86_with_constant(c, X86_PAND, reg, CONSTANT_NIBBLES);
    x86_with_constant(c, X86_MOVAPS, counts, CONSTANT_BIT_COUNTS);
    rt_x86_rr(c, X86_PSHUFB, counts, reg);
    x86_with_constant(c, X86_MOVAPS, reg, CONSTANT_BIT_COUNTS);
    rt_x86_rr(c, X86_PSHUFB, reg, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_PADDB, reg, counts);
    rt_give_register(c, RT_VECTOR, counts);
    rt_push_register(c, RT_V128, reg);
}

/* pmulhrsw, but for -1 by -1, which is out of range and saturates. */
X86_VECTOR_LOWERING(rt_x86_vector_q15) {
    (void)how, (void)immediate;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    uint8_t reg = rt_x86_to_register(c, &left);
    rt_x86_operate(c, X86_PMULHRSW, reg, &right);
    x86_with_constant(c, X86_MOVAPS, VECTOR_SCRATCH, CONSTANT_LEAST_I16);
    rt_x86_rr(c, X86_PCMPEQW, VECTOR_SCRATCH, reg);
    rt_x86_rr(c, X86_PXOR, reg, VECTOR_SCRATCH);
    rt_give_operand(c, &right);
    rt_push_register(c, RT_V128, reg);
}

/* ---- Shifts ---- */

/* The popped count, modulo the lane's width and `more` added, in the vector scratch register. */
static void pop_count(struct rt_compiler *c, unsigned lane, unsigned more) {
    struct rt_operand count = rt_pop(c);
    rt_x86_load(c, SCRATCH, &count);
    rt_x86_group_imm(c, 0, GROUP_AND, SCRATCH, (8 << lane) - 1);
    if (more)
        rt_x86_group_imm(c, 0, GROUP_ADD, SCRATCH, (int32_t)more);
    rt_x86_rr(c, X86_MOVD_LOAD, VECTOR_SCRATCH, SCRATCH);
    rt_give_operand(c, &count);
}

X86_VECTOR_LOWERING(rt_x86_vector_shift) {
    (void)immediate;
    uint8_t reg;
    if (c->operands[c->height - 1].kind == RT_IS_CONSTANT) {
        struct rt_operand count = rt_pop(c);
        reg = rt_pop_register(c, NULL);
        x86_shift_packed(c, how->lane, how->detail, reg, count.bits & ((8u << how->lane) - 1));
    } else {
        pop_count(c, how->lane, 0);
        reg = rt_pop_register(c, NULL);
        rt_x86_rr(c, how->operation, reg, VECTOR_SCRATCH);
    }
    rt_push_register(c, RT_V128, reg);
}

/* A logical shift; the sign bit is where it went, and subtracting it extends it. */
X86_VECTOR_LOWERING(rt_x86_vector_shift_right_i64) {
    (void)how, (void)immediate;
    pop_count(c, LANE_64, 0);
    uint8_t reg = rt_pop_register(c, NULL), sign = rt_take_register(c, RT_VECTOR);
    x86_with_constant(c, X86_MOVAPS, sign, CONSTANT_SIGN_F64);
    rt_x86_rr(c, X86_PSRLQ, reg, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_PSRLQ, sign, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_PXOR, reg, sign);
    rt_x86_rr(c, X86_PSUBQ, reg, sign);
    rt_give_register(c, RT_VECTOR, sign);
    rt_push_register(c, RT_V128, reg);
}

/* Shifts words, and clears what came from the neighbour. */
static void shift_bytes_logical(struct rt_compiler *c, uint8_t reg, uint8_t mask, bool left) {
    uint32_t operation = left ? X86_PSLLW : X86_PSRLW;
    rt_x86_rr(c, operation, reg, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_PCMPEQD, mask, mask);
    rt_x86_rr(c, operation, mask, VECTOR_SCRATCH);
    if (!left) /* the byte that lost bits is the upper one */
        x86_shift_packed(c, LANE_16, SHIFT_PACKED_RIGHT, mask, 8);
    rt_x86_splat_lowest(c, LANE_8, mask);
    rt_x86_rr(c, X86_PAND, reg, mask);
}

/* Shifts each byte as the upper half of a word. */
static void shift_bytes_arithmetic(struct rt_compiler *c, uint8_t reg, uint8_t high) {
    rt_x86_rr(c, X86_MOVAPS, high, reg);
    rt_x86_rr(c, X86_PUNPCKHBW, high, high);
    rt_x86_rr(c, X86_PUNPCKLBW, reg, reg);
    rt_x86_rr(c, X86_PSRAW, high, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_PSRAW, reg, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_PACKSSWB, reg, high);
}

X86_VECTOR_LOWERING(rt_x86_vector_shift_i8) {
    (void)immediate;
    bool arithmetic = how->detail == SHIFT_PACKED_ARITHMETIC;
    pop_count(c, LANE_8, arithmetic ? 8 : 0);
    uint8_t reg = rt_pop_register(c, NULL), other = rt_take_register(c, RT_VECTOR);
    if (arithmetic)
        shift_bytes_arithmetic(c, reg, other);
    else
        shift_bytes_logical(c, reg, other, how->detail == SHIFT_PACKED_LEFT);
    rt_give_register(c, RT_VECTOR, other);
    rt_push_register(c, RT_V128, reg);
}

/* ---- Wider lanes ---- */

/* pmovsx or pmovzx of a half. */
static void extend(struct rt_compiler *c, const struct x86_vector *how, uint8_t reg,
                   const struct rt_operand *operand) {
    if (how->detail & VECTOR_HIGH) {
        rt_x86_operate(c, X86_PSHUFD, reg, operand);
        x86_byte(c, HIGH_HALF);
        rt_x86_rr(c, how->operation, reg, reg);
    } else {
        rt_x86_operate(c, how->operation, reg, operand);
    }
}

X86_VECTOR_LOWERING(rt_x86_vector_extend) {
    (void)immediate;
    struct rt_operand operand = rt_pop(c);
    uint8_t reg = operand.kind == RT_IN_REGISTER ? operand.reg : rt_take_register(c, RT_VECTOR);
    extend(c, how, reg, &operand);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_extend_multiply) {
    (void)immediate;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    uint8_t reg = left.kind == RT_IN_REGISTER ? left.reg : rt_take_register(c, RT_VECTOR);
    extend(c, how, reg, &left);
    extend(c, how, VECTOR_SCRATCH, &right);
    rt_x86_rr(c, how->lane == LANE_16 ? X86_PMULLW : X86_PMULLD, reg, VECTOR_SCRATCH);
    rt_give_operand(c, &right);
    rt_push_register(c, RT_V128, reg);
}

/* The multiplication takes dwords 0 and 2. */
X86_VECTOR_LOWERING(rt_x86_vector_multiply_i32) {
    (void)immediate;
    unsigned order = how->detail & VECTOR_HIGH ? 0xfa : 0x50;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    uint8_t reg = left.kind == RT_IN_REGISTER ? left.reg : rt_take_register(c, RT_VECTOR);
    rt_x86_operate(c, X86_PSHUFD, reg, &left);
    x86_byte(c, order);
    rt_x86_operate(c, X86_PSHUFD, VECTOR_SCRATCH, &right);
    x86_byte(c, order);
    rt_x86_rr(c, how->operation, reg, VECTOR_SCRATCH);
    rt_give_operand(c, &right);
    rt_push_register(c, RT_V128, reg);
}

/* Multiplies by ones and adds pairs; pmaddubsw has an unsigned and a signed operand, pmaddwd two signed. */
X86_VECTOR_LOWERING(rt_x86_vector_add_pairs) {
    (void)immediate;
    bool is_signed = how->detail & VECTOR_SIGNED;
    uint8_t reg = rt_pop_register(c, NULL);
    if (how->lane == LANE_8 && is_signed) {
        x86_with_constant(c, X86_MOVAPS, VECTOR_SCRATCH, CONSTANT_ONES_I8);
        rt_x86_rr(c, X86_PMADDUBSW, VECTOR_SCRATCH, reg);
        rt_x86_rr(c, X86_MOVAPS, reg, VECTOR_SCRATCH);
    } else if (how->lane == LANE_8) {
        x86_with_constant(c, X86_PMADDUBSW, reg, CONSTANT_ONES_I8);
    } else if (is_signed) {
        x86_with_constant(c, X86_PMADDWD, reg, CONSTANT_ONES_I16);
    } else {
        rt_x86_rr(c, X86_MOVAPS, VECTOR_SCRATCH, reg);
        x86_shift_packed(c, LANE_32, SHIFT_PACKED_RIGHT, VECTOR_SCRATCH, 16);
        x86_shift_packed(c, LANE_32, SHIFT_PACKED_LEFT, reg, 16);
        x86_shift_packed(c, LANE_32, SHIFT_PACKED_RIGHT, reg, 16);
        rt_x86_rr(c, X86_PADDD, reg, VECTOR_SCRATCH);
    }
    rt_push_register(c, RT_V128, reg);
}
