/* The x86-64 lowering, by family (private to runtime/x86_64/). Reading order: emit.h, operands.c, integer.c,
 * float.c, convert.c, memory.c, control.c, call.c, vector.h; target.c gathers them.
 *
 * Frame, from high to low addresses:
 *   [rbp+16+8ai]      argument i, later result i
 *   [rbp+8] [rbp]     return address, the caller's rbp
 *   [rbp-8]           the instance (r14)
 *   [rbp-16s-8si]     declared local i, then the operands' slots
 *   [rsp+8j]          word j of the outgoing area
 * a and s are words of 8 bytes: struct rt_frame_shape's argument_words and slot_words, 1 in all that has no
 * v128. rbp and, at calls, rsp are multiples of 16, and so is the address of every slot that may hold a v128:
 * vector instructions take their operands from there. */
#ifndef LOCKSTEP_RUNTIME_X86_64_LOWER_H
#define LOCKSTEP_RUNTIME_X86_64_LOWER_H

#include "runtime/target.h"
#include "runtime/x86_64/emit.h"

/* Constants at the start of all code, 16 bytes each: a name, and the 8 bytes that are there twice. */
#define X86_CONSTANTS(CONSTANT)                                                                              \
    CONSTANT(ABS_F32, 0x7fffffff7fffffff)                                                                    \
    CONSTANT(SIGN_F32, 0x8000000080000000)                                                                   \
    CONSTANT(ABS_F64, 0x7fffffffffffffff)                                                                    \
    CONSTANT(SIGN_F64, 0x8000000000000000)                                                                   \
    CONSTANT(NAN_F32, 0x7fc000007fc00000)                                                                    \
    CONSTANT(NAN_F64, 0x7ff8000000000000)                                                                    \
    CONSTANT(ONES_I8, 0x0101010101010101)                                                                    \
    CONSTANT(ONES_I16, 0x0001000100010001)                                                                   \
    CONSTANT(LEAST_I16, 0x8000800080008000)                                                                  \
    CONSTANT(NIBBLES, 0x0f0f0f0f0f0f0f0f)                                                                    \
    CONSTANT(SWIZZLE, 0x7070707070707070)          /* saturates what is beyond 15 to a set top bit */        \
    CONSTANT(MOST_I32_AS_F64, 0x41dfffffffc00000)  /* 2147483647.0 */                                        \
    CONSTANT(MOST_U32_AS_F64, 0x41efffffffe00000)  /* 4294967295.0 */                                        \
    CONSTANT(TWO_52, 0x4330000000000000)           /* 0x1p52: an integer below it is in the low bits */      \
    CONSTANT(TWO_52_HIGH_HALF, 0x4330000043300000) /* the upper halves of four such numbers */

enum x86_constant_index {
#define CONSTANT(name, bits) CONSTANT_INDEX_##name,
    X86_CONSTANTS(CONSTANT)
#undef CONSTANT
        CONSTANT_COUNT
};
enum { /* machine offsets */
#define CONSTANT(name, bits) CONSTANT_##name = 16 * CONSTANT_INDEX_##name,
       X86_CONSTANTS(CONSTANT)
#undef CONSTANT
           CONSTANT_BIT_COUNTS = 16 * CONSTANT_COUNT, /* bits set in each number below 16, a byte each */
       STUB_CELL = CONSTANT_BIT_COUNTS + 16,
       PROBE_THUNK = STUB_CELL + 8,
};

/* ---- operands.c ---- */

struct x86_memory rt_x86_place(const struct rt_compiler *c, struct rt_place place);
uintptr_t rt_x86_place_address(uintptr_t frame, const struct rt_frame_shape *shape, struct rt_place place);
/* Where an operand that is in the frame lies. */
struct x86_memory rt_x86_operand_memory(const struct rt_compiler *c, const struct rt_operand *operand);
void rt_x86_load(struct rt_compiler *c, uint8_t reg, const struct rt_operand *operand);
void rt_x86_store(struct rt_compiler *c, struct rt_place to, const struct rt_operand *operand);
void rt_x86_copy(struct rt_compiler *c, enum rt_type type, struct rt_place to, struct rt_place from);
void rt_x86_move(struct rt_compiler *c, enum rt_type type, uint8_t to, uint8_t from);
/* A popped operand's value in a register that the instruction holds. */
uint8_t rt_x86_to_register(struct rt_compiler *c, const struct rt_operand *operand);
/* operation reg, operand, in the form for where the operand is; a constant goes through a scratch register.
 */
void rt_x86_operate(struct rt_compiler *c, uint32_t operation, uint8_t reg, const struct rt_operand *operand);
/* operation reg, [constant at the start of all code] */
static inline void x86_with_constant(struct rt_compiler *c, uint32_t operation, uint8_t reg,
                                     int32_t constant) {
    rt_x86_rm(c, operation, reg, x86_at(RIP, constant), 0);
}
static inline void x86_swap_operands(struct rt_operand *a, struct rt_operand *b) {
    struct rt_operand kept = *a;
    *a = *b;
    *b = kept;
}
static inline uint32_t x86_width(enum rt_type type) {
    return type == RT_I32 || type == RT_F32 ? 0 : X86_W;
}
/* Loads and stores of a vector register, by the operand's type. */
static inline uint32_t x86_vector_load(enum rt_type type) {
    return type == RT_V128 ? X86_MOVUPS : type == RT_F32 ? X86_MOVSS : X86_MOVSD;
}
static inline uint32_t x86_vector_store(enum rt_type type) {
    return type == RT_V128 ? X86_MOVUPS_STORE : type == RT_F32 ? X86_MOVSS_STORE : X86_MOVSD_STORE;
}
/* An i32 from the flags: they stay where they are if the next instruction takes them. */
void rt_x86_push_condition(struct rt_compiler *c, uint8_t condition);

/* ---- Instructions ---- */

/* How to lower one numeric instruction; numeric.c has the table. */
struct x86_lowering {
    void (*lower)(struct rt_compiler *c, const struct x86_lowering *how);
    uint32_t operation;      /* for the encoders, or a group */
    uint8_t operand, result; /* enum rt_type */
    uint8_t detail;          /* condition, rounding mode, flags: by family */
};

/* integer.c */
void rt_x86_alu(struct rt_compiler *c, const struct x86_lowering *how); /* operation: the group */
void rt_x86_multiply(struct rt_compiler *c, const struct x86_lowering *how);
void rt_x86_divide(struct rt_compiler *c, const struct x86_lowering *how);  /* detail: DIVIDE_* */
void rt_x86_shift(struct rt_compiler *c, const struct x86_lowering *how);   /* operation: SHIFT_* */
void rt_x86_compare(struct rt_compiler *c, const struct x86_lowering *how); /* detail: the condition */
void rt_x86_is_zero(struct rt_compiler *c, const struct x86_lowering *how);
void rt_x86_count_zeros(struct rt_compiler *c, const struct x86_lowering *how); /* operation: BSR or BSF */
void rt_x86_unary(struct rt_compiler *c, const struct x86_lowering *how);       /* reg, reg or memory */
enum { DIVIDE_SIGNED = 1, DIVIDE_REMAINDER = 2 };

/* float.c */
void rt_x86_float_binary(struct rt_compiler *c, const struct x86_lowering *how);
void rt_x86_float_unary(struct rt_compiler *c, const struct x86_lowering *how); /* detail: canonicalise */
void rt_x86_float_round(struct rt_compiler *c, const struct x86_lowering *how); /* detail: mode */
void rt_x86_float_mask(struct rt_compiler *c, const struct x86_lowering *how);  /* detail: the constant */
void rt_x86_float_copysign(struct rt_compiler *c, const struct x86_lowering *how);
void rt_x86_float_extreme(struct rt_compiler *c, const struct x86_lowering *how); /* min, max */
void rt_x86_float_compare(struct rt_compiler *c, const struct x86_lowering *how); /* detail: COMPARE_SWAP */
#define COMPARE_SWAP 0x80

/* convert.c */
void rt_x86_wrap(struct rt_compiler *c, const struct x86_lowering *how);
void rt_x86_extend_unsigned(struct rt_compiler *c, const struct x86_lowering *how);
void rt_x86_reinterpret(struct rt_compiler *c, const struct x86_lowering *how);
void rt_x86_to_float(struct rt_compiler *c, const struct x86_lowering *how); /* detail: CONVERT_* */
void rt_x86_truncate(struct rt_compiler *c, const struct x86_lowering *how); /* detail: CONVERT_* */
enum { CONVERT_UNSIGNED = 1, CONVERT_SATURATE = 2 };

/* numeric.c */
void rt_x86_numeric(struct rt_compiler *c, uint32_t opcode);

/* memory.c */
/* The address of a popped index plus an offset. Nothing checks it: what lies past the memory is guard pages,
 * and an i32 plus an i32 stays within the reservation. May need the scratch register; *held is a register to
 * give back, or NO_REGISTER. */
struct x86_memory rt_x86_address(struct rt_compiler *c, const struct rt_operand *index, uint32_t offset,
                                 uint8_t *held);
void rt_x86_memory_load(struct rt_compiler *c, uint32_t opcode, uint32_t offset);
void rt_x86_memory_store(struct rt_compiler *c, uint32_t opcode, uint32_t offset);
void rt_x86_memory_size(struct rt_compiler *c);
void rt_x86_global_get(struct rt_compiler *c, uint32_t global);
void rt_x86_global_set(struct rt_compiler *c, uint32_t global);
void rt_x86_table_size(struct rt_compiler *c, uint32_t table);
void rt_x86_ref_func(struct rt_compiler *c, uint32_t function);
void rt_x86_ref_is_null(struct rt_compiler *c);

/* vector.c */
void rt_x86_vector(struct rt_compiler *c, uint32_t opcode, const struct rt_vector_immediate *immediate);

/* control.c */
void rt_x86_set_field(uint8_t *start, uint32_t field, uint32_t to);
uint8_t rt_x86_test(struct rt_compiler *c, const struct rt_operand *operand);
uint8_t rt_x86_invert(uint8_t condition);
void rt_x86_jump(struct rt_compiler *c, struct rt_label *label);
void rt_x86_branch(struct rt_compiler *c, uint8_t condition, struct rt_label *label);
uint32_t rt_x86_jump_table(struct rt_compiler *c, uint8_t reg, uint32_t count);
void rt_x86_leave(struct rt_compiler *c);
void rt_x86_trap(struct rt_compiler *c, enum rt_trap trap);
void rt_x86_select(struct rt_compiler *c);

/* frame_rules.c */
extern const struct rt_frame_rules rt_x86_frame_rules;

/* call.c */
void rt_x86_begin_function(struct rt_compiler *c);
void rt_x86_end_function(struct rt_compiler *c);
void rt_x86_call_defined(struct rt_compiler *c, uint32_t function);
uint8_t rt_x86_import(struct rt_compiler *c, uint32_t function);
uint8_t rt_x86_element(struct rt_compiler *c, uint32_t type, uint32_t table);
void rt_x86_call_pointer(struct rt_compiler *c, uint8_t reg);
void rt_x86_call_builtin(struct rt_compiler *c, enum rt_builtin builtin, uint32_t operands,
                         enum rt_trap trap);

#endif
