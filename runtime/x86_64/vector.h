/* The lowering of vector instructions, by family (private to runtime/x86_64/). Reading order: vector.c has
 * the table; vector_lanes.c, vector_integer.c, vector_float.c and vector_memory.c what it names.
 *
 * A v128 is in a register, a local or a slot, never a constant of the operand stack. Instructions take one
 * operand from the frame, where it is aligned. */
#ifndef LOCKSTEP_RUNTIME_X86_64_VECTOR_H
#define LOCKSTEP_RUNTIME_X86_64_VECTOR_H

#include "runtime/x86_64/lower.h"

/* Operation codes of the packed instructions, by their opcode map. */
#define PACKED(byte)   (X86_66 | X86_MAP_0F | (byte))
#define PACKED38(byte) (X86_66 | X86_MAP_0F38 | (byte))
#define PACKED3A(byte) (X86_66 | X86_MAP_0F3A | (byte))

enum {
    X86_PXOR = PACKED(0xef),
    X86_PAND = PACKED(0xdb),
    X86_PANDN = PACKED(0xdf),
    X86_POR = PACKED(0xeb),
    X86_PCMPEQB = PACKED(0x74),
    X86_PCMPEQW = PACKED(0x75),
    X86_PCMPEQD = PACKED(0x76),
    X86_PCMPEQQ = PACKED38(0x29),
    X86_PCMPGTQ = PACKED38(0x37),
    X86_PADDB = PACKED(0xfc),
    X86_PADDD = PACKED(0xfe),
    X86_PADDQ = PACKED(0xd4),
    X86_PADDUSB = PACKED(0xdc),
    X86_PSUBB = PACKED(0xf8),
    X86_PSUBW = PACKED(0xf9),
    X86_PSUBD = PACKED(0xfa),
    X86_PSUBQ = PACKED(0xfb),
    X86_PMULLW = PACKED(0xd5),
    X86_PMULLD = PACKED38(0x40),
    X86_PMULUDQ = PACKED(0xf4),
    X86_PMULDQ = PACKED38(0x28),
    X86_PMADDWD = PACKED(0xf5),
    X86_PMADDUBSW = PACKED38(0x04),
    X86_PMULHRSW = PACKED38(0x0b),
    X86_PSRLW = PACKED(0xd1), /* by the count in a register */
    X86_PSRLD = PACKED(0xd2),
    X86_PSRLQ = PACKED(0xd3),
    X86_PSRAW = PACKED(0xe1),
    X86_PSRAD = PACKED(0xe2),
    X86_PSLLW = PACKED(0xf1),
    X86_PSLLD = PACKED(0xf2),
    X86_PSLLQ = PACKED(0xf3),
    X86_PSHUFB = PACKED38(0x00),
    X86_PSHUFD = PACKED(0x70),                /* , imm8 */
    X86_PSHUFLW = X86_F2 | X86_MAP_0F | 0x70, /* , imm8 */
    X86_SHUFPS = X86_MAP_0F | 0xc6,           /* , imm8 */
    X86_PBLENDW = PACKED3A(0x0e),             /* , imm8 */
    X86_INSERTPS = PACKED3A(0x21),            /* , imm8 */
    X86_PACKSSWB = PACKED(0x63),
    X86_PUNPCKLBW = PACKED(0x60),
    X86_PUNPCKHBW = PACKED(0x68),
    X86_PUNPCKLQDQ = PACKED(0x6c),
    X86_UNPCKLPS = X86_MAP_0F | 0x14,
    X86_PMOVMSKB = PACKED(0xd7),
    X86_MOVMSKPS = X86_MAP_0F | 0x50,
    X86_MOVMSKPD = PACKED(0x50),
    X86_PTEST = PACKED38(0x17),
    X86_PMAXSD = PACKED38(0x3d),
    X86_CVTDQ2PS = X86_MAP_0F | 0x5b,
    X86_CVTTPS2DQ = X86_F3 | X86_MAP_0F | 0x5b,
    X86_CVTTPD2DQ = PACKED(0xe6),
    X86_ROUNDPS = PACKED3A(0x08), /* , imm8 */
    X86_ROUNDPD = PACKED3A(0x09), /* , imm8 */
};
/* The shifts of opcodes 0x71 to 0x73, by their register field. */
enum { SHIFT_PACKED_RIGHT = 2, SHIFT_PACKED_ARITHMETIC = 4, SHIFT_PACKED_LEFT = 6 };

/* Lane sizes, as the logarithm of their bytes. */
enum { LANE_8, LANE_16, LANE_32, LANE_64 };
#define HIGH_HALF 0xee /* pshufd: the upper 8 bytes, twice */

/* How to lower one instruction. */
struct x86_vector {
    void (*lower)(struct rt_compiler *c, const struct x86_vector *how,
                  const struct rt_vector_immediate *immediate);
    uint32_t operation; /* for the encoders */
    uint8_t lane;       /* LANE_*; of a float instruction LANE_32 or LANE_64 */
    uint8_t detail;     /* VECTOR_* flags, or by family */
};
enum {
    VECTOR_SWAP = 1,     /* operation right, left */
    VECTOR_COMMUTES = 2, /* either order */
    VECTOR_INVERT = 4,   /* complements the result */
    VECTOR_HIGH = 8,     /* takes the upper half of each operand */
    VECTOR_SIGNED = 16,
};

/* Every function that a table may name has this form. */
#define X86_VECTOR_LOWERING(name)                                                                            \
    void name(struct rt_compiler *c, const struct x86_vector *how,                                           \
              const struct rt_vector_immediate *immediate)

/* ---- vector_lanes.c: constants, lanes, bits ---- */

X86_VECTOR_LOWERING(rt_x86_vector_constant);
X86_VECTOR_LOWERING(rt_x86_vector_splat);
X86_VECTOR_LOWERING(rt_x86_vector_extract); /* operation: general registers' alone */
X86_VECTOR_LOWERING(rt_x86_vector_extract_float);
X86_VECTOR_LOWERING(rt_x86_vector_replace);
X86_VECTOR_LOWERING(rt_x86_vector_replace_float);
X86_VECTOR_LOWERING(rt_x86_vector_shuffle);
X86_VECTOR_LOWERING(rt_x86_vector_swizzle);
X86_VECTOR_LOWERING(rt_x86_vector_not);
X86_VECTOR_LOWERING(rt_x86_vector_bitselect);
X86_VECTOR_LOWERING(rt_x86_vector_any_true);
X86_VECTOR_LOWERING(rt_x86_vector_all_true);
X86_VECTOR_LOWERING(rt_x86_vector_bitmask);
/* Copies the lowest lane to all others. */
void rt_x86_splat_lowest(struct rt_compiler *c, unsigned lane, uint8_t reg);

/* ---- vector_integer.c ---- */

X86_VECTOR_LOWERING(rt_x86_vector_binary);           /* one instruction and detail's flags */
X86_VECTOR_LOWERING(rt_x86_vector_unary);            /* one instruction */
X86_VECTOR_LOWERING(rt_x86_vector_compare_unsigned); /* operation: the extreme that equals the left operand */
X86_VECTOR_LOWERING(rt_x86_vector_negate);           /* operation: the subtraction */
X86_VECTOR_LOWERING(rt_x86_vector_abs_i64);
X86_VECTOR_LOWERING(rt_x86_vector_multiply_i64);
X86_VECTOR_LOWERING(rt_x86_vector_shift); /* detail: SHIFT_PACKED_* */
X86_VECTOR_LOWERING(rt_x86_vector_shift_right_i64);
X86_VECTOR_LOWERING(rt_x86_vector_shift_i8); /* detail: SHIFT_PACKED_* */
X86_VECTOR_LOWERING(rt_x86_vector_popcnt);
X86_VECTOR_LOWERING(rt_x86_vector_extend);
X86_VECTOR_LOWERING(rt_x86_vector_extend_multiply); /* operation: the extension */
X86_VECTOR_LOWERING(rt_x86_vector_multiply_i32);    /* extmul to i64x2; operation: the multiplication */
X86_VECTOR_LOWERING(rt_x86_vector_add_pairs);       /* extadd_pairwise; lane: of the operand */
X86_VECTOR_LOWERING(rt_x86_vector_q15);

/* ---- vector_float.c ---- */

X86_VECTOR_LOWERING(rt_x86_vector_float_binary);
X86_VECTOR_LOWERING(rt_x86_vector_float_unary);
X86_VECTOR_LOWERING(rt_x86_vector_float_round);   /* detail: the mode */
X86_VECTOR_LOWERING(rt_x86_vector_float_mask);    /* detail: the constant */
X86_VECTOR_LOWERING(rt_x86_vector_float_compare); /* detail: the predicate, COMPARE_SWAP */
X86_VECTOR_LOWERING(rt_x86_vector_float_min);
X86_VECTOR_LOWERING(rt_x86_vector_float_max);
X86_VECTOR_LOWERING(rt_x86_vector_truncate_f32);
X86_VECTOR_LOWERING(rt_x86_vector_truncate_f32_unsigned);
X86_VECTOR_LOWERING(rt_x86_vector_truncate_f64);
X86_VECTOR_LOWERING(rt_x86_vector_truncate_f64_unsigned);
X86_VECTOR_LOWERING(rt_x86_vector_convert_unsigned);     /* to f32x4 */
X86_VECTOR_LOWERING(rt_x86_vector_convert_low_unsigned); /* to f64x2 */

/* ---- vector_memory.c ---- */

X86_VECTOR_LOWERING(rt_x86_vector_load);
X86_VECTOR_LOWERING(rt_x86_vector_load_splat); /* operation: the load of a lane */
X86_VECTOR_LOWERING(rt_x86_vector_load_lane);
X86_VECTOR_LOWERING(rt_x86_vector_store);
X86_VECTOR_LOWERING(rt_x86_vector_store_lane);

/* ---- Helpers ---- */

/* operation reg, [constant at the start of all code] */
static inline void x86_with_constant(struct rt_compiler *c, uint32_t operation, uint8_t reg,
                                     int32_t constant) {
    rt_x86_rm(c, operation, reg, x86_at(RIP, constant), 0);
}
/* operation reg, rm, imm8 */
static inline void x86_rr_imm(struct rt_compiler *c, uint32_t operation, uint8_t reg, uint8_t rm,
                              unsigned immediate) {
    rt_x86_rr(c, operation, reg, rm);
    x86_byte(c, immediate);
}
/* Shifts by a constant. */
static inline void x86_shift_packed(struct rt_compiler *c, unsigned lane, unsigned kind, uint8_t reg,
                                    unsigned count) {
    x86_rr_imm(c, PACKED(0x70 + lane), (uint8_t)kind, reg, count);
}
static inline void x86_swap_operands(struct rt_operand *a, struct rt_operand *b) {
    struct rt_operand kept = *a;
    *a = *b;
    *b = kept;
}

#endif
