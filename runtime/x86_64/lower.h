/* The x86-64 lowering, by family (private to runtime/x86_64/). Reading order: emit.h, operands.c, integer.c,
 * float.c, convert.c, memory.c, control.c, call.c; target.c gathers them.
 *
 * Frame, from high to low addresses:
 *   [rbp+16+8i]    argument i, later result i
 *   [rbp+8] [rbp]  return address, the caller's rbp
 *   [rbp-8]        the instance (r14)
 *   [rbp-16-8i]    declared local i, then the operands' slots
 *   [rsp+8i]       outgoing area */
#ifndef LOCKSTEP_RUNTIME_X86_64_LOWER_H
#define LOCKSTEP_RUNTIME_X86_64_LOWER_H

#include "runtime/target.h"
#include "runtime/x86_64/emit.h"

/* Constants at the start of all code, 16 bytes each: masks for the sign bits. */
enum { CONSTANT_ABS_F32 = 0, CONSTANT_SIGN_F32 = 16, CONSTANT_ABS_F64 = 32, CONSTANT_SIGN_F64 = 48 };
#define STUB_CELL   64
#define PROBE_THUNK 72

/* ---- operands.c ---- */

struct x86_memory rt_x86_place(const struct rt_compiler *c, struct rt_place place);
uintptr_t rt_x86_place_address(uintptr_t frame, uint32_t param_count, uint32_t local_count,
                               struct rt_place place);
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
static inline uint32_t x86_width(enum rt_type type) {
    return type == RT_I32 || type == RT_F32 ? 0 : X86_W;
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
void rt_x86_memory_load(struct rt_compiler *c, uint32_t opcode, uint32_t offset);
void rt_x86_memory_store(struct rt_compiler *c, uint32_t opcode, uint32_t offset);
void rt_x86_memory_size(struct rt_compiler *c);
void rt_x86_global_get(struct rt_compiler *c, uint32_t global);
void rt_x86_global_set(struct rt_compiler *c, uint32_t global);
void rt_x86_table_size(struct rt_compiler *c, uint32_t table);
void rt_x86_ref_func(struct rt_compiler *c, uint32_t function);
void rt_x86_ref_is_null(struct rt_compiler *c);

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
