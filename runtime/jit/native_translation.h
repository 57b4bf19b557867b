/* An expression that is being translated (private to runtime/jit/). Reading order: native_stack.c (its
 * stack), native_place.c (what it reads), native_expression.c (its operations). */
#ifndef LOCKSTEP_RUNTIME_JIT_NATIVE_TRANSLATION_H
#define LOCKSTEP_RUNTIME_JIT_NATIVE_TRANSLATION_H

#include "runtime/jit/native.h"

enum {
    RT_NATIVE_GENERIC = 32, /* bits of a number without a type of its own */
    RT_NATIVE_MOST_ENTRIES = 64,
    RT_NATIVE_MOST_BRANCHES = 8,
};

/* A branch that has not come to its target yet. */
struct rt_native_branch {
    size_t put;      /* where it is in the output */
    uint64_t target; /* in the input */
    struct rt_native_integer stack[RT_NATIVE_MOST_ENTRIES];
    unsigned depth;
};

struct rt_native_translation {
    struct rt_native *native;
    struct rt_dwarf_pass *pass;
    struct rt_native_expression *needs;            /* what is needed is collected here, or ... */
    const struct rt_native_expression *expression; /* ... is in `places` */
    const struct rt_machine_place *const *places;
    unsigned depth;        /* of `stack` */
    unsigned branch_count; /* of `branches` */
    enum {
        RT_NATIVE_STACK,     /* the top of the stack is an offset in memory */
        RT_NATIVE_VALUE,     /* the top of the stack is the object's value */
        RT_NATIVE_DESCRIBED, /* the output has a whole description already */
    } state;
    bool has_pieces;
    bool is_skipped;    /* no operation leads to the next one, but a branch may */
    const char *reason; /* why it cannot be translated, or NULL */
    struct rt_native_integer stack[RT_NATIVE_MOST_ENTRIES];
    struct rt_native_branch branches[RT_NATIVE_MOST_BRANCHES];
};

/* ---- native_stack.c ---- */

/* Adds operations to the output. */
void rt_native_op(struct rt_native_translation *t, uint8_t code);
void rt_native_op_with(struct rt_native_translation *t, uint8_t code, uint64_t operand);
void rt_native_op_constant(struct rt_native_translation *t, uint64_t number);
/* It cannot be translated; `reason` is static, and the first one stands. */
void rt_native_refuse(struct rt_native_translation *t, const char *reason);

/* What the output's stack has gained and lost. */
void rt_native_push(struct rt_native_translation *t, unsigned bits);
struct rt_native_integer rt_native_pop(struct rt_native_translation *t);
/* Puts zeros above the lowest bits of the top. */
void rt_native_mask(struct rt_native_translation *t, unsigned bits);

void rt_native_binary(struct rt_native_translation *t, uint8_t code, bool is_signed, bool is_masked,
                      bool is_comparison);
void rt_native_unary(struct rt_native_translation *t, uint8_t code, bool is_signed);
/* DW_OP_convert and DW_OP_reinterpret to the base type at a position, 0 being the generic type. */
struct rt_error *rt_native_convert(struct rt_native_translation *t, uint64_t position, bool is_reinterpreted);
void rt_native_pick(struct rt_native_translation *t, uint8_t code, uint64_t index);
void rt_native_rotate(struct rt_native_translation *t, uint8_t code, unsigned count);

/* ---- native_place.c ---- */

/* The place of what is needed; NULL while needs are collected. */
const struct rt_machine_place *rt_native_find_place(struct rt_native_translation *t, int kind,
                                                    uint64_t index);
/* The number that is in a place. */
void rt_native_push_place(struct rt_native_translation *t, const struct rt_machine_place *place);
/* The object, or the piece of it, of so many bytes is what is in the place, as long as it is no larger; 0: it
 * may be. False: the value is to be computed. */
bool rt_native_describe_place(struct rt_native_translation *t, const struct rt_machine_place *place,
                              uint64_t size);
void rt_native_push_global(struct rt_native_translation *t, uint64_t index);
/* The offset on top becomes an address. */
void rt_native_put_address(struct rt_native_translation *t);
/* The pointer on top, as memory holds it, becomes one of the process; null stays null. */
void rt_native_put_pointer(struct rt_native_translation *t);
/* The offset on top becomes what memory holds there. */
void rt_native_read_memory(struct rt_native_translation *t, uint64_t size);

#endif
