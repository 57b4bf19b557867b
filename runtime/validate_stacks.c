/* The validator's operand and control stacks (core specification, appendix 7.3). */
#include "runtime/validate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof *(array))

void rt_validator_init(struct rt_validator *v, const struct rt_module *module, struct rt_cursor code) {
    v->module = module;
    v->cursor = code;
    v->offset = rt_cursor_offset(&code);
    v->opcode = RT_OP_NOP;
    v->operands = v->first_operands;
    v->operand_capacity = ARRAY_SIZE(v->first_operands);
    v->operand_count = v->max_operands = 0;
    v->has_vectors = false;
    v->labels = v->first_labels;
    v->label_capacity = ARRAY_SIZE(v->first_labels);
    v->label_count = v->max_labels = 0;
    v->locals = v->first_locals;
    v->local_count = 0;
}

void rt_validator_clear(struct rt_validator *v) {
    if (v->operands != v->first_operands)
        free(v->operands);
    if (v->labels != v->first_labels)
        free(v->labels);
    if (v->locals != v->first_locals)
        free(v->locals);
}

struct rt_error *rt_validator_error(const struct rt_validator *v, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return rt_decode_error(RT_INVALID, v->offset, "%s: %s", rt_opcodes[v->opcode].text, text);
}

static const char *type_name(uint8_t type) {
    return type == RT_ANY_TYPE ? "a value" : rt_type_name((enum rt_type)type);
}

struct rt_error *rt_validator_mismatch(const struct rt_validator *v, uint8_t expected, uint8_t found) {
    return rt_validator_error(v, "type mismatch: expected %s, found %s", type_name(expected),
                              type_name(found));
}

/* Twice the room for `count` entries of `size` bytes; `first` is the array that was never allocated. */
static void *grow(void *array, const void *first, uint32_t count, size_t size) {
    void *larger = realloc(array == first ? NULL : array, 2 * (size_t)count * size);
    if (larger && array == first)
        memcpy(larger, first, (size_t)count * size);
    return larger;
}

struct rt_error *rt_validator_grow_operands(struct rt_validator *v) {
    if (v->operand_capacity >= RT_MAX_OPERANDS)
        return rt_decode_error(RT_UNSUPPORTED, v->offset,
                               "%s: not supported: more than %d operands on the stack of one function",
                               rt_opcodes[v->opcode].text, RT_MAX_OPERANDS);
    uint8_t *operands = grow(v->operands, v->first_operands, v->operand_capacity, sizeof *operands);
    if (!operands)
        return rt_error_out_of_memory();
    v->operands = operands;
    v->operand_capacity *= 2;
    if (v->operand_capacity > RT_MAX_OPERANDS)
        v->operand_capacity = RT_MAX_OPERANDS;
    return NULL;
}

/* The stack of the innermost block is empty: an error, unless no code can come here. */
static struct rt_error *pop_nothing(const struct rt_validator *v, uint8_t expected) {
    if (rt_innermost_label(v)->unreachable)
        return NULL;
    return rt_validator_error(v, "type mismatch: expected %s, found nothing on the stack of its block",
                              type_name(expected));
}

struct rt_error *rt_validator_pop_other(struct rt_validator *v, uint8_t expected) {
    if (v->operand_count == rt_innermost_label(v)->height)
        return pop_nothing(v, expected);
    uint8_t found = v->operands[v->operand_count - 1];
    if (found != RT_ANY_TYPE)
        return rt_validator_mismatch(v, expected, found);
    v->operand_count--;
    return NULL;
}

struct rt_error *rt_pop_any(struct rt_validator *v, uint8_t *ret) {
    *ret = RT_ANY_TYPE;
    if (v->operand_count == rt_innermost_label(v)->height)
        return pop_nothing(v, RT_ANY_TYPE);
    *ret = v->operands[--v->operand_count];
    return NULL;
}

struct rt_error *rt_push_types(struct rt_validator *v, const uint8_t *types, uint32_t count) {
    struct rt_error *error = NULL;
    for (uint32_t i = 0; i < count && !error; i++)
        error = rt_push(v, types[i]);
    return error;
}

struct rt_error *rt_pop_types(struct rt_validator *v, const uint8_t *types, uint32_t count) {
    struct rt_error *error = NULL;
    for (uint32_t i = count; i > 0 && !error; i--)
        error = rt_pop(v, types[i - 1]);
    return error;
}

struct rt_error *rt_peek_types(const struct rt_validator *v, const uint8_t *types, uint32_t count) {
    uint32_t height = rt_innermost_label(v)->height;
    uint32_t next = v->operand_count;
    for (uint32_t i = count; i > 0; i--) {
        if (next == height)
            return pop_nothing(v, types[i - 1]);
        uint8_t found = v->operands[--next];
        if (found != types[i - 1] && found != RT_ANY_TYPE)
            return rt_validator_mismatch(v, types[i - 1], found);
    }
    return NULL;
}

struct rt_error *rt_push_label(struct rt_validator *v, uint32_t opcode, struct rt_func_type type) {
    if (v->label_count == v->label_capacity) {
        struct rt_label *labels = grow(v->labels, v->first_labels, v->label_capacity, sizeof *labels);
        if (!labels)
            return rt_error_out_of_memory();
        v->labels = labels;
        v->label_capacity *= 2;
    }
    v->labels[v->label_count++] =
        (struct rt_label){.opcode = opcode, .height = v->operand_count, .type = type};
    if (v->label_count > v->max_labels)
        v->max_labels = v->label_count;
    return rt_push_types(v, type.params, type.param_count);
}

struct rt_error *rt_pop_label(struct rt_validator *v, struct rt_label *ret) {
    struct rt_label label = *rt_innermost_label(v);
    struct rt_error *error = rt_pop_types(v, label.type.results, label.type.result_count);
    if (error)
        return error;
    if (v->operand_count != label.height)
        return rt_validator_error(v,
                                  "type mismatch: expected %u values at the end of the block, found %u more",
                                  label.type.result_count, v->operand_count - label.height);
    v->label_count--;
    *ret = label;
    return NULL;
}

void rt_set_unreachable(struct rt_validator *v) {
    struct rt_label *label = rt_innermost_label(v);
    v->operand_count = label->height;
    label->unreachable = true;
}

struct rt_error *rt_read_label(struct rt_validator *v, const uint8_t **types, uint32_t *count) {
    uint32_t index;
    struct rt_error *error = rt_read_u32(&v->cursor, "label", &index);
    if (error)
        return error;
    if (index >= v->label_count)
        return rt_validator_error(v, "unknown label %u, there are %u", index, v->label_count);
    const struct rt_label *label = &v->labels[v->label_count - 1 - index];
    bool starts = label->opcode == RT_OP_LOOP;
    *types = starts ? label->type.params : label->type.results;
    *count = starts ? label->type.param_count : label->type.result_count;
    return NULL;
}
