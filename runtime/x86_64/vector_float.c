/* Lowers floating-point vector instructions (section 4.3.6). Lanes are LANE_32 or LANE_64; the instructions
 * for the latter are those for the former with a prefix. */
#include "runtime/x86_64/vector.h"

#define TO_ZERO      3 /* rounding mode: truncate */
#define NO_EXCEPTION 8 /* of precision */

/* Predicates of cmpps and cmppd. */
enum { PREDICATE_LE = 2, PREDICATE_UNORDERED = 3, PREDICATE_ORDERED = 7 };

/* An instruction of the SSE float map for a lane. */
static uint32_t packed_float(unsigned lane, unsigned byte) {
    return (lane == LANE_64 ? X86_66 : 0u) | X86_MAP_0F | byte;
}

/* cmpps or cmppd */
static void compare(struct rt_compiler *c, unsigned lane, uint8_t reg, uint8_t with, unsigned predicate) {
    x86_rr_imm(c, packed_float(lane, 0xc2), reg, with, predicate);
}

/* With canonical NaNs: any NaN becomes the positive canonical one. */
static void canonicalise(struct rt_compiler *c, unsigned lane, uint8_t reg) {
    if (!c->options.canonical_nans)
        return;
    rt_x86_rr(c, X86_MOVAPS, VECTOR_SCRATCH, reg);
    compare(c, lane, VECTOR_SCRATCH, VECTOR_SCRATCH, PREDICATE_ORDERED);
    rt_x86_rr(c, X86_PAND, reg, VECTOR_SCRATCH);
    x86_with_constant(c, X86_PANDN, VECTOR_SCRATCH, lane == LANE_32 ? CONSTANT_NAN_F32 : CONSTANT_NAN_F64);
    rt_x86_rr(c, X86_POR, reg, VECTOR_SCRATCH);
}

X86_VECTOR_LOWERING(rt_x86_vector_float_binary) {
    (void)immediate;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    uint8_t reg = rt_x86_to_register(c, &left);
    rt_x86_operate(c, how->operation, reg, &right);
    rt_give_operand(c, &right);
    canonicalise(c, how->lane, reg);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_float_unary) {
    (void)immediate;
    struct rt_operand operand = rt_pop(c);
    uint8_t reg = operand.kind == RT_IN_REGISTER ? operand.reg : rt_take_register(c, RT_VECTOR);
    rt_x86_operate(c, how->operation, reg, &operand);
    canonicalise(c, how->lane, reg);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_float_round) {
    (void)immediate;
    struct rt_operand operand = rt_pop(c);
    uint8_t reg = operand.kind == RT_IN_REGISTER ? operand.reg : rt_take_register(c, RT_VECTOR);
    rt_x86_operate(c, how->lane == LANE_32 ? X86_ROUNDPS : X86_ROUNDPD, reg, &operand);
    x86_byte(c, how->detail | NO_EXCEPTION);
    canonicalise(c, how->lane, reg);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_float_mask) {
    (void)immediate;
    uint8_t reg = rt_pop_register(c, NULL);
    x86_with_constant(c, how->operation, reg, how->detail);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_float_compare) {
    (void)immediate;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    if (how->detail & COMPARE_SWAP)
        x86_swap_operands(&left, &right);
    uint8_t reg = rt_x86_to_register(c, &left);
    rt_x86_operate(c, packed_float(how->lane, 0xc2), reg, &right);
    x86_byte(c, how->detail & (uint8_t)~COMPARE_SWAP);
    rt_give_operand(c, &right);
    rt_push_register(c, RT_V128, reg);
}

/* ---- Minimum and maximum ---- */

/* NaNs of `value`, whatever their payload, become quiet ones without it; the result is in `reg`. */
static void quieten(struct rt_compiler *c, unsigned lane, uint8_t reg, uint8_t value) {
    compare(c, lane, reg, value, PREDICATE_UNORDERED);
    rt_x86_rr(c, X86_POR, value, reg);
    x86_shift_packed(c, lane, SHIFT_PACKED_RIGHT, reg, lane == LANE_32 ? 10 : 13); /* the payload */
    rt_x86_rr(c, X86_PANDN, reg, value);
}

/* minps gives its second operand for two zeros and for NaNs. Both orders together have the sign of -0, and
 * the bits of any NaN. */
X86_VECTOR_LOWERING(rt_x86_vector_float_min) {
    (void)immediate;
    uint32_t minimum = packed_float(how->lane, 0x5d);
    uint8_t right = rt_pop_register(c, NULL), left = rt_pop_register(c, NULL);
    rt_x86_rr(c, X86_MOVAPS, VECTOR_SCRATCH, left);
    rt_x86_rr(c, minimum, VECTOR_SCRATCH, right);
    rt_x86_rr(c, minimum, right, left);
    rt_x86_rr(c, X86_POR, VECTOR_SCRATCH, right);
    quieten(c, how->lane, right, VECTOR_SCRATCH);
    rt_give_register(c, RT_VECTOR, left);
    canonicalise(c, how->lane, right);
    rt_push_register(c, RT_V128, right);
}

/* The two orders differ in the sign of zeros, and for NaNs. The union has a NaN's bits, or is -0 where the
 * difference is; subtracting that makes +0 of it, and keeps a NaN one. */
X86_VECTOR_LOWERING(rt_x86_vector_float_max) {
    (void)immediate;
    uint32_t maximum = packed_float(how->lane, 0x5f);
    uint8_t right = rt_pop_register(c, NULL), left = rt_pop_register(c, NULL);
    rt_x86_rr(c, X86_MOVAPS, VECTOR_SCRATCH, left);
    rt_x86_rr(c, maximum, VECTOR_SCRATCH, right);
    rt_x86_rr(c, maximum, right, left);
    rt_x86_rr(c, X86_PXOR, right, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_POR, VECTOR_SCRATCH, right);
    rt_x86_rr(c, packed_float(how->lane, 0x5c), VECTOR_SCRATCH, right);
    quieten(c, how->lane, right, VECTOR_SCRATCH);
    rt_give_register(c, RT_VECTOR, left);
    canonicalise(c, how->lane, right);
    rt_push_register(c, RT_V128, right);
}

/* ---- Truncation: NaNs become 0, what is out of range the nearest integer ---- */

X86_VECTOR_LOWERING(rt_x86_vector_truncate_f32) {
    (void)how, (void)immediate;
    uint8_t reg = rt_pop_register(c, NULL);
    rt_x86_rr(c, X86_MOVAPS, VECTOR_SCRATCH, reg);
    compare(c, LANE_32, VECTOR_SCRATCH, VECTOR_SCRATCH, PREDICATE_ORDERED);
    rt_x86_rr(c, X86_PAND, reg, VECTOR_SCRATCH);
    /* The sign bit of the scratch register is set where the value is positive; cvttps2dq gives the least
     * integer for what is out of range. Where both are so, the result must be the most. */
    rt_x86_rr(c, X86_PXOR, VECTOR_SCRATCH, reg);
    rt_x86_rr(c, X86_CVTTPS2DQ, reg, reg);
    rt_x86_rr(c, X86_PAND, VECTOR_SCRATCH, reg);
    x86_shift_packed(c, LANE_32, SHIFT_PACKED_ARITHMETIC, VECTOR_SCRATCH, 31);
    rt_x86_rr(c, X86_PXOR, reg, VECTOR_SCRATCH);
    rt_push_register(c, RT_V128, reg);
}

/* The sum of two signed conversions: of the value, which gives 2^31 from there on, and of the value less
 * 2^31, which counts from there on. */
X86_VECTOR_LOWERING(rt_x86_vector_truncate_f32_unsigned) {
    (void)how, (void)immediate;
    uint8_t reg = rt_pop_register(c, NULL), rest = rt_take_register(c, RT_VECTOR);
    uint8_t limit = rt_take_register(c, RT_VECTOR);
    rt_x86_rr(c, X86_PXOR, limit, limit);
    rt_x86_rr(c, packed_float(LANE_32, 0x5f), reg, limit); /* 0 for a NaN and for what is negative */
    rt_x86_rr(c, X86_PCMPEQD, limit, limit);
    x86_shift_packed(c, LANE_32, SHIFT_PACKED_RIGHT, limit, 1);
    rt_x86_rr(c, X86_CVTDQ2PS, limit, limit); /* 2^31 */
    rt_x86_rr(c, X86_MOVAPS, rest, reg);
    rt_x86_rr(c, packed_float(LANE_32, 0x5c), rest, limit);
    compare(c, LANE_32, limit, rest, PREDICATE_LE); /* 2^32 or more: all ones */
    rt_x86_rr(c, X86_CVTTPS2DQ, rest, rest);
    rt_x86_rr(c, X86_PXOR, rest, limit); /* 2^31 - 1 there, from the least integer */
    rt_x86_rr(c, X86_PXOR, limit, limit);
    rt_x86_rr(c, X86_PMAXSD, rest, limit);
    rt_x86_rr(c, X86_CVTTPS2DQ, reg, reg);
    rt_x86_rr(c, X86_PADDD, reg, rest);
    rt_give_register(c, RT_VECTOR, limit);
    rt_give_register(c, RT_VECTOR, rest);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_truncate_f64) {
    (void)how, (void)immediate;
    uint8_t reg = rt_pop_register(c, NULL);
    rt_x86_rr(c, X86_MOVAPS, VECTOR_SCRATCH, reg);
    compare(c, LANE_64, VECTOR_SCRATCH, VECTOR_SCRATCH, PREDICATE_ORDERED);
    x86_with_constant(c, X86_PAND, VECTOR_SCRATCH, CONSTANT_MOST_I32_AS_F64);
    rt_x86_rr(c, packed_float(LANE_64, 0x5d), reg, VECTOR_SCRATCH); /* for a NaN its second operand: 0 */
    rt_x86_rr(c, X86_CVTTPD2DQ, reg, reg);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_truncate_f64_unsigned) {
    (void)how, (void)immediate;
    uint8_t reg = rt_pop_register(c, NULL);
    rt_x86_rr(c, X86_PXOR, VECTOR_SCRATCH, VECTOR_SCRATCH);
    rt_x86_rr(c, packed_float(LANE_64, 0x5f), reg, VECTOR_SCRATCH); /* 0 for a NaN and for what is negative */
    x86_with_constant(c, packed_float(LANE_64, 0x5d), reg, CONSTANT_MOST_U32_AS_F64);
    x86_rr_imm(c, X86_ROUNDPD, reg, reg, TO_ZERO | NO_EXCEPTION);
    x86_with_constant(c, packed_float(LANE_64, 0x58), reg, CONSTANT_TWO_52);
    x86_rr_imm(c, X86_SHUFPS, reg, VECTOR_SCRATCH, 0x88); /* the low halves, and zeros */
    rt_push_register(c, RT_V128, reg);
}

/* ---- From unsigned integers ---- */

/* The low 16 bits are exact; the rest, halved, is below 2^31 and exact as well: the sum alone rounds. */
X86_VECTOR_LOWERING(rt_x86_vector_convert_unsigned) {
    (void)how, (void)immediate;
    uint8_t reg = rt_pop_register(c, NULL);
    rt_x86_rr(c, X86_PXOR, VECTOR_SCRATCH, VECTOR_SCRATCH);
    x86_rr_imm(c, X86_PBLENDW, VECTOR_SCRATCH, reg, 0x55);
    rt_x86_rr(c, X86_PSUBD, reg, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_CVTDQ2PS, VECTOR_SCRATCH, VECTOR_SCRATCH);
    x86_shift_packed(c, LANE_32, SHIFT_PACKED_RIGHT, reg, 1);
    rt_x86_rr(c, X86_CVTDQ2PS, reg, reg);
    rt_x86_rr(c, packed_float(LANE_32, 0x58), reg, reg);
    rt_x86_rr(c, packed_float(LANE_32, 0x58), reg, VECTOR_SCRATCH);
    rt_push_register(c, RT_V128, reg);
}

/* As the low half of 2^52 plus the integer; less 2^52 it is the integer. */
X86_VECTOR_LOWERING(rt_x86_vector_convert_low_unsigned) {
    (void)how, (void)immediate;
    uint8_t reg = rt_pop_register(c, NULL);
    x86_with_constant(c, X86_UNPCKLPS, reg, CONSTANT_TWO_52_HIGH_HALF);
    x86_with_constant(c, packed_float(LANE_64, 0x5c), reg, CONSTANT_TWO_52);
    rt_push_register(c, RT_V128, reg);
}
