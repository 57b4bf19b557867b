/* The validator's two stacks (core specification, appendix 7.3), private to validate*.c. */
#ifndef LOCKSTEP_RUNTIME_VALIDATE_H
#define LOCKSTEP_RUNTIME_VALIDATE_H

#include "runtime/decode.h"

/* The operand type that unreachable code has: it matches every other. No type of the binary format is 0. */
enum { RT_ANY_TYPE = 0 };

/* One entry of the control stack. */
struct rt_label {
    uint32_t opcode; /* RT_OP_BLOCK, LOOP, IF, ELSE; the function's own is a BLOCK */
    bool unreachable;
    uint32_t height; /* of the operand stack below its parameters */
    struct rt_func_type type;
};

struct rt_validator {
    const struct rt_module *module;
    struct rt_cursor cursor;
    uint64_t offset; /* of the instruction in hand, in the file */
    uint32_t opcode; /* of that instruction */

    uint8_t *operands; /* enum rt_type, or RT_ANY_TYPE */
    uint32_t operand_count, operand_capacity, max_operands;
    bool has_vectors; /* an operand was a v128 */
    struct rt_label *labels;
    uint32_t label_count, label_capacity, max_labels;
    uint8_t *locals; /* their types, parameters first */
    uint32_t local_count;

    /* What all but the largest functions need, so that they cost no allocation. */
    uint8_t first_operands[256], first_locals[256];
    struct rt_label first_labels[32];
};

void rt_validator_init(struct rt_validator *v, const struct rt_module *module, struct rt_cursor code);
void rt_validator_clear(struct rt_validator *v);

/* An RT_INVALID error at the instruction in hand. */
RT_MUST_USE RT_NEVER_NULL struct rt_error *rt_validator_error(const struct rt_validator *v,
                                                              const char *format, ...) RT_PRINTF(2, 3);

/* "type mismatch" and the two types; one may be RT_ANY_TYPE. */
RT_MUST_USE RT_NEVER_NULL struct rt_error *rt_validator_mismatch(const struct rt_validator *v,
                                                                 uint8_t expected, uint8_t found);

/* Slow paths of the functions below. */
RT_MUST_USE struct rt_error *rt_validator_grow_operands(struct rt_validator *v);
RT_MUST_USE struct rt_error *rt_validator_pop_other(struct rt_validator *v, uint8_t expected);

/* The innermost label: there is one while the body runs. */
static inline struct rt_label *rt_innermost_label(const struct rt_validator *v) {
    return &v->labels[v->label_count - 1];
}

static inline struct rt_error *rt_push(struct rt_validator *v, uint8_t type) {
    if (v->operand_count == v->operand_capacity) {
        struct rt_error *error = rt_validator_grow_operands(v);
        if (error)
            return error;
    }
    v->operands[v->operand_count++] = type;
    v->has_vectors |= type == RT_V128;
    if (v->operand_count > v->max_operands)
        v->max_operands = v->operand_count;
    return NULL;
}

/* Pops an operand of that type. */
static inline struct rt_error *rt_pop(struct rt_validator *v, uint8_t expected) {
    if (v->operand_count > rt_innermost_label(v)->height && v->operands[v->operand_count - 1] == expected) {
        v->operand_count--;
        return NULL;
    }
    return rt_validator_pop_other(v, expected);
}

/* Pops an operand of whatever type. */
RT_MUST_USE struct rt_error *rt_pop_any(struct rt_validator *v, uint8_t *ret);
RT_MUST_USE struct rt_error *rt_push_types(struct rt_validator *v, const uint8_t *types, uint32_t count);
RT_MUST_USE struct rt_error *rt_pop_types(struct rt_validator *v, const uint8_t *types, uint32_t count);
/* Checks that the topmost operands have these types, and leaves them. */
RT_MUST_USE struct rt_error *rt_peek_types(const struct rt_validator *v, const uint8_t *types,
                                           uint32_t count);

/* Enters a block whose parameters were popped. */
RT_MUST_USE struct rt_error *rt_push_label(struct rt_validator *v, uint32_t opcode, struct rt_func_type type);
/* Leaves it: its results are there and nothing else. They are popped. */
RT_MUST_USE struct rt_error *rt_pop_label(struct rt_validator *v, struct rt_label *ret);
/* The rest of the block cannot run. */
void rt_set_unreachable(struct rt_validator *v);
/* Reads a label index and finds the types that a branch to it takes. */
RT_MUST_USE struct rt_error *rt_read_label(struct rt_validator *v, const uint8_t **types, uint32_t *count);

#endif
