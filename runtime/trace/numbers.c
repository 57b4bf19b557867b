/* What contents are made of: numbers in their shortest form, names, types, all read from untrusted bytes; and
 * memory that grows. */
#include "runtime/trace/format.h"

#include "runtime/decode.h"

#include <stdlib.h>
#include <string.h>

struct rt_error *rt_trace_get_leb(struct rt_cursor *cursor, unsigned width, const char *what, uint64_t *ret) {
    const uint8_t *const first = cursor->next;
    struct rt_error *error = rt_cursor_uleb(cursor, width, what, ret);
    if (error || cursor->next - first == 1 || cursor->next[-1])
        return error;
    /* A last byte without bits could have been left out. */
    const struct rt_cursor back = rt_cursor_back(cursor, first);
    return rt_cursor_error(&back, "%s: not the shortest form of %llu", what, (unsigned long long)*ret);
}

struct rt_error *rt_trace_get_u32(struct rt_cursor *cursor, const char *what, uint32_t *ret) {
    uint64_t value;
    struct rt_error *error = rt_trace_get_leb(cursor, 32, what, &value);
    if (!error)
        *ret = (uint32_t)value;
    return error;
}

struct rt_error *rt_trace_get_name(struct rt_cursor *cursor, const char *what, struct rt_trace_bytes *ret) {
    const struct rt_cursor first = *cursor;
    uint32_t size;
    struct rt_error *error = rt_trace_get_u32(cursor, what, &size);
    if (!error)
        error = rt_cursor_bytes(cursor, size, what, &ret->data);
    if (error)
        return error;
    ret->size = size;
    return rt_utf8_valid(ret->data, size) ? NULL : rt_cursor_error(&first, "%s: malformed UTF-8", what);
}

struct rt_error *rt_trace_get_type(struct rt_cursor *cursor, const char *what, uint8_t *ret) {
    const uint8_t *const first = cursor->next;
    struct rt_error *error = rt_cursor_u8(cursor, what, ret);
    if (error || rt_trace_is_type(*ret))
        return error;
    const struct rt_cursor back = rt_cursor_back(cursor, first);
    return rt_cursor_error(&back, "%s: 0x%02x is no value type", what, *ret);
}

struct rt_error *rt_trace_get_flag(struct rt_cursor *cursor, const char *what, bool *ret) {
    const struct rt_cursor first = *cursor;
    uint8_t byte;
    struct rt_error *error = rt_cursor_u8(cursor, what, &byte);
    if (!error && byte > 1)
        error = rt_cursor_error(&first, "%s: %u is neither 0 nor 1", what, byte);
    if (!error)
        *ret = byte;
    return error;
}

static struct rt_error *get_types(struct rt_cursor *cursor, const char *what, const uint8_t **ret,
                                  uint32_t *ret_count) {
    const struct rt_cursor first = *cursor;
    struct rt_error *error = rt_trace_get_u32(cursor, what, ret_count);
    if (!error && *ret_count > RT_TRACE_MAX_VALUES)
        error = rt_cursor_error(&first, "%s: %u types are too many", what, *ret_count);
    if (!error)
        error = rt_cursor_bytes(cursor, *ret_count, what, ret);
    for (uint32_t i = 0; !error && i < *ret_count; i++)
        if (!rt_trace_is_type((*ret)[i]))
            error = rt_cursor_error(&first, "%s: 0x%02x is no value type", what, (*ret)[i]);
    return error;
}

struct rt_error *rt_trace_get_functype(struct rt_cursor *cursor, const char *what, struct rt_func_type *ret) {
    struct rt_error *error = get_types(cursor, what, &ret->params, &ret->param_count);
    return error ? error : get_types(cursor, what, &ret->results, &ret->result_count);
}

bool rt_trace_reserve(struct rt_trace_memory *memory, size_t more) {
    size_t needed, capacity = memory->capacity ? memory->capacity : 4096;

    if (__builtin_add_overflow(memory->size, more, &needed))
        return false;
    if (needed <= memory->capacity)
        return true;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : 2 * capacity;
    uint8_t *bytes = realloc(memory->bytes, capacity);
    if (!bytes)
        return false;
    memory->bytes = bytes;
    memory->capacity = capacity;
    return true;
}

bool rt_trace_append(struct rt_trace_memory *memory, const void *bytes, size_t size) {
    if (!rt_trace_reserve(memory, size))
        return false;
    if (size)
        memcpy(memory->bytes + memory->size, bytes, size);
    memory->size += size;
    return true;
}
