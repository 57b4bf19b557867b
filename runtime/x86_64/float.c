/* Lowers floating-point arithmetic and comparisons (section 4.3.3). */
#include "runtime/x86_64/lower.h"

static uint32_t prefix_of(enum rt_type type) {
    return type == RT_F32 ? X86_F3 : X86_F2;
}

static uint32_t unordered_compare(enum rt_type type) {
    return type == RT_F32 ? X86_UCOMISS : X86_UCOMISD;
}

/* With canonical NaNs: any NaN becomes the positive canonical one. */
static void canonicalise(struct rt_compiler *c, enum rt_type type, uint8_t reg) {
    if (!c->options.canonical_nans)
        return;
    rt_x86_rr(c, unordered_compare(type), reg, reg);
    uint8_t *ordered = x86_jcc(c, CC_NP);
    rt_x86_mov_imm(c, SCRATCH, type == RT_F32 ? 0x7fc00000 : 0x7ff8000000000000);
    rt_x86_rr(c, X86_MOVD_LOAD | x86_width(type), reg, SCRATCH);
    x86_land(c, ordered);
}

void rt_x86_float_binary(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type type = (enum rt_type)how->operand;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    uint8_t reg = rt_x86_to_register(c, &left);
    rt_x86_operate(c, prefix_of(type) | how->operation, reg, &right);
    rt_give_operand(c, &right);
    canonicalise(c, type, reg);
    rt_push_register(c, type, reg);
}

void rt_x86_float_unary(struct rt_compiler *c, const struct x86_lowering *how) {
    struct rt_operand operand = rt_pop(c);
    uint8_t reg = operand.kind == RT_IN_REGISTER ? operand.reg : rt_take_register(c, RT_VECTOR);
    rt_x86_operate(c, prefix_of((enum rt_type)how->operand) | how->operation, reg, &operand);
    canonicalise(c, (enum rt_type)how->result, reg);
    rt_push_register(c, (enum rt_type)how->result, reg);
}

void rt_x86_float_round(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type type = (enum rt_type)how->operand;
    struct rt_operand operand = rt_pop(c);
    uint8_t reg = operand.kind == RT_IN_REGISTER ? operand.reg : rt_take_register(c, RT_VECTOR);
    rt_x86_operate(c, X86_66 | X86_MAP_0F3A | (type == RT_F32 ? 0x0a : 0x0b), reg, &operand);
    x86_byte(c, how->detail | 8); /* no precision exception */
    canonicalise(c, type, reg);
    rt_push_register(c, type, reg);
}

void rt_x86_float_mask(struct rt_compiler *c, const struct x86_lowering *how) {
    uint8_t reg = rt_pop_register(c, NULL);
    x86_with_constant(c, how->operation, reg, how->detail);
    rt_push_register(c, (enum rt_type)how->operand, reg);
}

void rt_x86_float_copysign(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type type = (enum rt_type)how->operand;
    bool is_single = type == RT_F32;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    uint8_t reg = rt_x86_to_register(c, &left);
    rt_x86_load(c, VECTOR_SCRATCH, &right);
    x86_with_constant(c, X86_ANDPS, VECTOR_SCRATCH, is_single ? CONSTANT_SIGN_F32 : CONSTANT_SIGN_F64);
    x86_with_constant(c, X86_ANDPS, reg, is_single ? CONSTANT_ABS_F32 : CONSTANT_ABS_F64);
    rt_x86_rr(c, X86_ORPS, reg, VECTOR_SCRATCH);
    rt_give_operand(c, &right);
    rt_push_register(c, type, reg);
}

void rt_x86_float_extreme(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type type = (enum rt_type)how->operand;
    bool is_minimum = how->operation == 0x5d;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    uint8_t reg = rt_x86_to_register(c, &left), other = rt_x86_to_register(c, &right);
    rt_x86_rr(c, unordered_compare(type), reg, other);
    uint8_t *differ = x86_jcc(c, CC_NE);
    uint8_t *unordered = x86_jcc(c, CC_P);
    /* Equal: only zeros may differ in their sign, and -0 is the lesser. */
    rt_x86_rr(c, is_minimum ? X86_ORPS : X86_ANDPS, reg, other);
    uint8_t *done = x86_jmp(c);
    x86_land(c, unordered);
    rt_x86_rr(c, prefix_of(type) | X86_MAP_0F | 0x58, reg, other); /* the sum is a quiet NaN */
    uint8_t *done_too = x86_jmp(c);
    x86_land(c, differ);
    rt_x86_rr(c, prefix_of(type) | X86_MAP_0F | how->operation, reg, other);
    x86_land(c, done);
    x86_land(c, done_too);
    rt_give_register(c, RT_VECTOR, other);
    canonicalise(c, type, reg);
    rt_push_register(c, type, reg);
}

void rt_x86_float_compare(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type type = (enum rt_type)how->operand;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    /* "Above" is false for unordered operands, "below" is not: less-than compares the other way round. */
    if (how->detail & COMPARE_SWAP)
        x86_swap_operands(&left, &right);
    uint8_t reg = rt_x86_to_register(c, &left);
    rt_x86_operate(c, unordered_compare(type), reg, &right);
    rt_give_register(c, RT_VECTOR, reg);
    rt_give_operand(c, &right);
    rt_x86_push_condition(c, how->detail & (uint8_t)~COMPARE_SWAP);
}
