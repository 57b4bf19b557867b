/* Whether two events say the same. */
#include "runtime/trace/format.h"

#include <string.h>

static bool same_bytes(const void *a, const void *b, size_t size) {
    return !size || memcmp(a, b, size) == 0;
}

/* By their bits: NaNs too are equal to themselves. */
bool rt_trace_value_equal(uint8_t type, const union rt_value *a, const union rt_value *b) {
    switch (type) {
    case RT_I32:
    case RT_F32: return a->i32 == b->i32;
    case RT_V128: return memcmp(a->v128, b->v128, sizeof a->v128) == 0;
    default: return a->i64 == b->i64;
    }
}

static bool same_values(const struct rt_trace_values *a, const struct rt_trace_values *b) {
    bool same = a->count == b->count && same_bytes(a->types, b->types, a->count);
    for (uint32_t i = 0; same && i < a->count; i++)
        same = rt_trace_value_equal(a->types[i], &a->values[i], &b->values[i]);
    return same;
}

static bool same_elements(const struct rt_trace_elements *a, const struct rt_trace_elements *b) {
    bool same = a->type == b->type && a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++)
        same = rt_trace_value_equal(a->type, &a->values[i], &b->values[i]);
    return same;
}

static bool same_places(const struct rt_trace_places *a, const struct rt_trace_places *b) {
    return a->count == b->count && same_bytes(a->items, b->items, a->count * sizeof *a->items);
}

static bool same_functype(const struct rt_func_type *a, const struct rt_func_type *b) {
    return a->param_count == b->param_count && a->result_count == b->result_count &&
           same_bytes(a->params, b->params, a->param_count) &&
           same_bytes(a->results, b->results, a->result_count);
}

static bool same_contents(const struct rt_trace_bytes *a, const struct rt_trace_bytes *b) {
    return a->size == b->size && same_bytes(a->data, b->data, a->size);
}

bool rt_trace_field_equal(uint8_t type, const void *a, const void *b) {
    switch ((enum rt_trace_field_type)type) {
    case RT_TRACE_U32:
    case RT_TRACE_INDEX:
    case RT_TRACE_FUNCTION:
    case RT_TRACE_TRAP:
    case RT_TRACE_OUTCOME: return *(const uint32_t *)a == *(const uint32_t *)b;
    case RT_TRACE_U64:
    case RT_TRACE_LIMIT: return *(const uint64_t *)a == *(const uint64_t *)b;
    case RT_TRACE_FLAG: return *(const bool *)a == *(const bool *)b;
    case RT_TRACE_TYPE: return *(const uint8_t *)a == *(const uint8_t *)b;
    case RT_TRACE_PLACE: return same_bytes(a, b, sizeof(struct rt_trace_place));
    case RT_TRACE_VALUE:
        return ((const struct rt_trace_value *)a)->type == ((const struct rt_trace_value *)b)->type &&
               rt_trace_value_equal(((const struct rt_trace_value *)a)->type,
                                    &((const struct rt_trace_value *)a)->value,
                                    &((const struct rt_trace_value *)b)->value);
    case RT_TRACE_VALUES: return same_values(a, b);
    case RT_TRACE_FUNCTYPE: return same_functype(a, b);
    case RT_TRACE_PLACES: return same_places(a, b);
    case RT_TRACE_ELEMENTS: return same_elements(a, b);
    case RT_TRACE_NAME:
    case RT_TRACE_BYTES: return same_contents(a, b);
    }
    return false;
}

bool rt_trace_event_equal(const struct rt_trace_event *a, const struct rt_trace_event *b) {
    const struct rt_trace_kind_info *info = rt_trace_kind_info(a->kind);
    if (a->kind != b->kind)
        return false;
    bool same = info->name || same_contents(&a->unknown, &b->unknown);
    for (size_t i = 0; same && i < info->field_count; i++)
        same = rt_trace_field_equal(info->fields[i].type, (const uint8_t *)a + info->fields[i].offset,
                                    (const uint8_t *)b + info->fields[i].offset);
    return same;
}
