/* Single events: the table of kinds, who may come where, and the encoding of contents. All is made from
 * events.def. */
#include "runtime/trace/format.h"

#include "runtime/decode.h"

#include <stdlib.h>
#include <string.h>

static const struct rt_trace_kind_info infos[256] = {
#define RT_TRACE_EVENT(code, kind, member, place, list)                                                      \
    [code] = {.name = #member,                                                                               \
              .order = RT_TRACE_ORDER_##place,                                                               \
              .field_count = sizeof((struct rt_trace_field[]){list}) / sizeof(struct rt_trace_field),        \
              .fields = {list}},
#define RT_TRACE_FIELD(member, kind, field)                                                                  \
    {#field, RT_TRACE_##kind, offsetof(struct rt_trace_event, member.field)},
#include "runtime/trace/events.def"
#undef RT_TRACE_FIELD
#undef RT_TRACE_EVENT
};

const struct rt_trace_kind_info *rt_trace_kind_info(uint8_t kind) {
    return &infos[kind];
}

/* FORMAT.md numbers traps; these are the same numbers. */
_Static_assert(RT_TRAP_UNREACHABLE == 0 && RT_TRAP_MEMORY_OUT_OF_BOUNDS == 1 &&
                   RT_TRAP_TABLE_OUT_OF_BOUNDS == 2 && RT_TRAP_UNDEFINED_ELEMENT == 3 &&
                   RT_TRAP_UNINITIALIZED_ELEMENT == 4 && RT_TRAP_INDIRECT_CALL_TYPE == 5 &&
                   RT_TRAP_INTEGER_OVERFLOW == 6 && RT_TRAP_INTEGER_DIVIDE_BY_ZERO == 7 &&
                   RT_TRAP_INVALID_CONVERSION == 8 && RT_TRAP_STACK_EXHAUSTED == 9 && RT_TRAP_HOST == 10 &&
                   RT_TRAP_COUNT == 11,
               "traps.def and the format's table of traps");

static bool is_trap(uint32_t trap) {
    return trap < RT_TRAP_COUNT || trap == RT_TRACE_FAILURE;
}

const char *rt_trace_trap_name(uint32_t trap) {
    if (trap == RT_TRACE_FAILURE)
        return "failure of a host function";
    return is_trap(trap) ? rt_trap_message((enum rt_trap)trap) : "unknown trap";
}

/* By enum rt_trace_order: who has control before, and how the depth changes. */
static const struct {
    int8_t guest, change; /* guest: 1 the guest, 0 the host, -1 either */
} orders[] = {
    [RT_TRACE_ORDER_ANY] = {-1, 0},        [RT_TRACE_ORDER_HOST] = {0, 0},
    [RT_TRACE_ORDER_CALL_GUEST] = {0, 1},  [RT_TRACE_ORDER_END_GUEST] = {1, -1},
    [RT_TRACE_ORDER_CALL_IMPORT] = {1, 1}, [RT_TRACE_ORDER_END_IMPORT] = {0, -1},
    [RT_TRACE_ORDER_LAST] = {-1, 0},
};

static bool refuse(const char *why, const char **ret_why) {
    *ret_why = why;
    return false;
}

bool rt_trace_nest(struct rt_trace_nesting *nesting, uint8_t kind, const char **ret_why) {
    const uint32_t depth = nesting->depth, order = infos[kind].order;
    const int guest = orders[order].guest;

    if (nesting->has_ended)
        return refuse("no event follows the end", ret_why);
    if (guest >= 0 && (int)(depth & 1) != guest)
        return refuse(guest ? "the host has control here" : "the guest has control here", ret_why);
    if (order == RT_TRACE_ORDER_LAST) {
        nesting->has_ended = !depth;
        return nesting->has_ended || refuse("calls are open", ret_why);
    }
    if (order == RT_TRACE_ORDER_END_IMPORT && !depth)
        return refuse("no call is open", ret_why);
    if (orders[order].change > 0 && depth == RT_TRACE_MAX_DEPTH)
        return refuse("calls nest too deep", ret_why);
    nesting->depth = depth + (uint32_t)orders[order].change;
    return true;
}

bool rt_trace_is_reference(uint8_t type) {
    return type == RT_FUNCREF || type == RT_EXTERNREF;
}

bool rt_trace_is_type(uint8_t type) {
    return rt_trace_is_reference(type) || (type >= RT_V128 && type <= RT_I32);
}

/* ---- Encoding ---- */

enum {
    LEB32_SIZE = 5,
    LEB_SIZE = 10,
    TYPED_VALUE_SIZE = 17, /* a v128 with its type */
    FRAME_SIZE = 1 + LEB32_SIZE,
};

static const void *field_of(const struct rt_trace_event *event, const struct rt_trace_field *field) {
    return (const uint8_t *)event + field->offset;
}

static size_t field_bound(const void *from, uint8_t type) {
    switch ((enum rt_trace_field_type)type) {
    case RT_TRACE_PLACES:
        return LEB32_SIZE + 2 * LEB32_SIZE * (size_t)((const struct rt_trace_places *)from)->count;
    case RT_TRACE_VALUES:
        return LEB32_SIZE + TYPED_VALUE_SIZE * (size_t)((const struct rt_trace_values *)from)->count;
    case RT_TRACE_ELEMENTS:
        return 1 + LEB32_SIZE + LEB_SIZE * (size_t)((const struct rt_trace_elements *)from)->count;
    case RT_TRACE_FUNCTYPE:
        return 2 * LEB32_SIZE + (size_t)((const struct rt_func_type *)from)->param_count +
               ((const struct rt_func_type *)from)->result_count;
    case RT_TRACE_NAME:
    case RT_TRACE_BYTES: return LEB32_SIZE + ((const struct rt_trace_bytes *)from)->size;
    default: return TYPED_VALUE_SIZE; /* the longest of the others */
    }
}

/* Kinds with nothing longer than one list of values, as most events of a trace have: one bound does for all.
 */
enum {
    SMALL_BOUND = FRAME_SIZE + RT_TRACE_MAX_FIELDS * TYPED_VALUE_SIZE + LEB32_SIZE +
                  TYPED_VALUE_SIZE * RT_TRACE_MAX_VALUES
};
#define IS_SMALL(type)                                                                                       \
    ((type) != RT_TRACE_PLACES && (type) != RT_TRACE_ELEMENTS && (type) != RT_TRACE_FUNCTYPE &&              \
     (type) != RT_TRACE_NAME && (type) != RT_TRACE_BYTES)
static const bool is_small[256] = {
#define RT_TRACE_EVENT(code, kind, member, place, list) [code] = true list,
#define RT_TRACE_FIELD(member, kind, field)             &&IS_SMALL(RT_TRACE_##kind)
#include "runtime/trace/events.def"
#undef RT_TRACE_FIELD
#undef RT_TRACE_EVENT
};

size_t rt_trace_encoded_bound(const struct rt_trace_event *event) {
    const struct rt_trace_kind_info *info = &infos[event->kind];
    if (is_small[event->kind])
        return SMALL_BOUND;
    size_t bound = FRAME_SIZE;
    if (!info->name)
        return bound + event->unknown.size;
    for (size_t i = 0; i < info->field_count; i++)
        bound += field_bound(field_of(event, &info->fields[i]), info->fields[i].type);
    return bound;
}

static uint8_t *put_value(uint8_t *out, uint8_t type, const union rt_value *value) {
    switch (type) {
    case RT_I32: return rt_trace_put_leb(out, value->i32);
    case RT_F32: return rt_trace_put_fixed(out, value->i32, 4); /* the same bits */
    case RT_F64: return rt_trace_put_fixed(out, value->i64, 8);
    case RT_V128: memcpy(out, value->v128, 16); return out + 16;
    default: return rt_trace_put_leb(out, value->i64);
    }
}

static bool put_types(uint8_t **out, const uint8_t *types, uint32_t count) {
    *out = rt_trace_put_leb(*out, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!rt_trace_is_type(types[i]))
            return false;
        *(*out)++ = types[i];
    }
    return true;
}

/* Writes a field, except for the bytes of a BYTES field, which are left to the caller. False when FORMAT.md
 * does not allow the value. */
static bool put_field(uint8_t **ret, const void *from, uint8_t type) {
    uint8_t *out = *ret;
    switch ((enum rt_trace_field_type)type) {
    case RT_TRACE_U32:
    case RT_TRACE_INDEX:
    case RT_TRACE_FUNCTION: out = rt_trace_put_leb(out, *(const uint32_t *)from); break;
    case RT_TRACE_U64:
    case RT_TRACE_LIMIT: out = rt_trace_put_leb(out, *(const uint64_t *)from); break;
    case RT_TRACE_FLAG: *out++ = *(const bool *)from; break;
    case RT_TRACE_TRAP:
        if (!is_trap(*(const uint32_t *)from))
            return false;
        out = rt_trace_put_leb(out, *(const uint32_t *)from);
        break;
    case RT_TRACE_OUTCOME:
        if (*(const uint32_t *)from > RT_TRACE_FAILED)
            return false;
        out = rt_trace_put_leb(out, *(const uint32_t *)from);
        break;
    case RT_TRACE_TYPE:
        *out = *(const uint8_t *)from;
        if (!rt_trace_is_type(*out++))
            return false;
        break;
    case RT_TRACE_FUNCTYPE: {
        const struct rt_func_type *func = from;
        if (func->param_count > RT_TRACE_MAX_VALUES || func->result_count > RT_TRACE_MAX_VALUES ||
            !put_types(&out, func->params, func->param_count) ||
            !put_types(&out, func->results, func->result_count))
            return false;
        break;
    }
    case RT_TRACE_PLACE: {
        const struct rt_trace_place *place = from;
        out = rt_trace_put_leb(rt_trace_put_leb(out, place->owner), place->index);
        break;
    }
    case RT_TRACE_PLACES: {
        const struct rt_trace_places *places = from;
        if (places->count > RT_TRACE_MAX_IMPORTS)
            return false;
        out = rt_trace_put_leb(out, places->count);
        for (uint32_t i = 0; i < places->count; i++)
            out = rt_trace_put_leb(rt_trace_put_leb(out, places->items[i].owner), places->items[i].index);
        break;
    }
    case RT_TRACE_VALUE: {
        const struct rt_trace_value *value = from;
        *out = value->type;
        if (!rt_trace_is_type(*out++))
            return false;
        out = put_value(out, value->type, &value->value);
        break;
    }
    case RT_TRACE_VALUES: {
        const struct rt_trace_values *values = from;
        if (values->count > RT_TRACE_MAX_VALUES)
            return false;
        out = rt_trace_put_leb(out, values->count);
        for (uint32_t i = 0; i < values->count; i++) {
            *out = values->types[i];
            if (!rt_trace_is_type(*out++))
                return false;
            out = put_value(out, values->types[i], &values->values[i]);
        }
        break;
    }
    case RT_TRACE_ELEMENTS: {
        const struct rt_trace_elements *elements = from;
        if (elements->count > RT_TRACE_MAX_ELEMENTS || !rt_trace_is_reference(elements->type))
            return false;
        *out++ = elements->type;
        out = rt_trace_put_leb(out, elements->count);
        for (uint32_t i = 0; i < elements->count; i++)
            out = rt_trace_put_leb(out, elements->values[i].i64);
        break;
    }
    case RT_TRACE_NAME: {
        const struct rt_trace_bytes *name = from;
        if (!rt_utf8_valid(name->data, name->size))
            return false;
        out = rt_trace_put_leb(out, name->size);
        if (name->size)
            memcpy(out, name->data, name->size);
        out += name->size;
        break;
    }
    case RT_TRACE_BYTES: out = rt_trace_put_leb(out, ((const struct rt_trace_bytes *)from)->size); break;
    }
    *ret = out;
    return true;
}

struct rt_error *rt_trace_encode(const struct rt_trace_event *event, uint8_t *out, uint8_t **ret) {
    const struct rt_trace_kind_info *info = &infos[event->kind];
    struct rt_trace_bytes tail = {0};
    /* The contents stand where they belong when their size takes one byte, as most do. */
    uint8_t *const contents = out + 2, *next = contents;

    if (!info->name) {
        if (event->kind == 0)
            return rt_error_format(RT_USAGE, "trace: there is no event of kind 0");
        tail = event->unknown;
    }
    for (size_t i = 0; i < info->field_count; i++) {
        const struct rt_trace_field *field = &info->fields[i];
        const void *from = field_of(event, field);
        if (!put_field(&next, from, field->type))
            return rt_error_format(RT_USAGE, "trace: %s: its %s cannot be written", info->name, field->name);
        if (field->type == RT_TRACE_BYTES)
            tail = *(const struct rt_trace_bytes *)from;
    }
    const size_t head = (size_t)(next - contents), size = head + tail.size;
    if (tail.size > RT_TRACE_MAX_EVENT || size > RT_TRACE_MAX_EVENT)
        return rt_error_format(RT_USAGE, "trace: %s: %zu bytes are too many", info->name, size);
    out[0] = event->kind;
    if (size < 0x80) {
        out[1] = (uint8_t)size;
    } else {
        uint8_t length[LEB32_SIZE];
        const size_t length_size = (size_t)(rt_trace_put_leb(length, size) - length);
        memmove(out + 1 + length_size, contents, head);
        memcpy(out + 1, length, length_size);
        next = out + 1 + length_size + head;
    }
    if (tail.size)
        memcpy(next, tail.data, tail.size);
    *ret = next + tail.size;
    return NULL;
}

/* ---- Decoding ---- */

static struct rt_error *get_value(struct rt_cursor *c, uint8_t type, union rt_value *ret) {
    struct rt_error *error;
    const uint8_t *bytes;
    switch (type) {
    case RT_I32: return rt_trace_get_u32(c, "i32", &ret->i32);
    case RT_F32: return rt_cursor_u32(c, "f32", &ret->i32);
    case RT_F64: return rt_cursor_u64(c, "f64", &ret->i64);
    case RT_V128:
        error = rt_cursor_bytes(c, 16, "v128", &bytes);
        if (!error)
            memcpy(ret->v128, bytes, 16);
        return error;
    default: return rt_trace_get_leb(c, 64, rt_trace_is_reference(type) ? "reference" : "i64", &ret->i64);
    }
}

static struct rt_error *get_count(struct rt_cursor *c, const char *what, uint32_t limit, size_t least,
                                  uint32_t *ret) {
    const uint8_t *const first = c->next;
    struct rt_error *error = rt_trace_get_u32(c, what, ret);
    if (error || (*ret <= limit && *ret * least <= rt_cursor_left(c)))
        return error;
    const struct rt_cursor back = rt_cursor_back(c, first);
    return rt_cursor_error(&back, "%s: a count of %u is too large", what, *ret);
}

static struct rt_error *get_place(struct rt_cursor *c, const char *what, struct rt_trace_place *ret) {
    struct rt_error *error = rt_trace_get_u32(c, what, &ret->owner);
    return error ? error : rt_trace_get_u32(c, what, &ret->index);
}

static struct rt_error *get_places(struct rt_cursor *c, const char *what, struct rt_trace_scratch *scratch,
                                   struct rt_trace_places *ret) {
    struct rt_error *error = get_count(c, what, RT_TRACE_MAX_IMPORTS, 2, &ret->count);
    if (error)
        return error;
    if (ret->count > scratch->place_capacity) {
        struct rt_trace_place *places = realloc(scratch->places, ret->count * sizeof *places);
        if (!places)
            return rt_error_out_of_memory();
        scratch->places = places;
        scratch->place_capacity = ret->count;
    }
    ret->items = scratch->places;
    for (uint32_t i = 0; i < ret->count && !error; i++)
        error = get_place(c, what, &scratch->places[i]);
    return error;
}

static struct rt_error *get_values(struct rt_cursor *c, const char *what, struct rt_trace_scratch *scratch,
                                   struct rt_trace_values *ret) {
    struct rt_error *error = get_count(c, what, RT_TRACE_MAX_VALUES, 2, &ret->count);
    for (uint32_t i = 0; i < ret->count && !error; i++) {
        error = rt_trace_get_type(c, what, &scratch->types[i]);
        if (!error)
            error = get_value(c, scratch->types[i], &scratch->values[i]);
    }
    ret->types = scratch->types;
    ret->values = scratch->values;
    return error;
}

static struct rt_error *get_elements(struct rt_cursor *c, const char *what, struct rt_trace_scratch *scratch,
                                     struct rt_trace_elements *ret) {
    const struct rt_cursor first = *c;
    struct rt_error *error = rt_trace_get_type(c, what, &ret->type);
    if (!error && !rt_trace_is_reference(ret->type))
        return rt_cursor_error(&first, "%s: type 0x%02x is no reference type", what, ret->type);
    if (!error)
        error = get_count(c, what, RT_TRACE_MAX_ELEMENTS, 1, &ret->count);
    for (uint32_t i = 0; !error && i < ret->count; i++)
        error = get_value(c, ret->type, &scratch->values[i]);
    ret->values = scratch->values;
    return error;
}

static struct rt_error *get_number_below(struct rt_cursor *c, const char *what, bool (*is_good)(uint32_t),
                                         uint32_t *ret) {
    const struct rt_cursor first = *c;
    struct rt_error *error = rt_trace_get_u32(c, what, ret);
    if (!error && !is_good(*ret))
        error = rt_cursor_error(&first, "%s: there is no %u", what, *ret);
    return error;
}

static bool is_outcome(uint32_t outcome) {
    return outcome <= RT_TRACE_FAILED;
}

static struct rt_error *get_field(struct rt_cursor *c, const struct rt_trace_field *field,
                                  struct rt_trace_scratch *scratch, void *to) {
    struct rt_trace_value *value = to;
    struct rt_trace_bytes *bytes = to;
    struct rt_error *error;
    uint32_t size;

    switch ((enum rt_trace_field_type)field->type) {
    case RT_TRACE_U32:
    case RT_TRACE_INDEX:
    case RT_TRACE_FUNCTION: return rt_trace_get_u32(c, field->name, to);
    case RT_TRACE_U64:
    case RT_TRACE_LIMIT: return rt_trace_get_leb(c, 64, field->name, to);
    case RT_TRACE_FLAG: return rt_trace_get_flag(c, field->name, to);
    case RT_TRACE_TRAP: return get_number_below(c, field->name, is_trap, to);
    case RT_TRACE_OUTCOME: return get_number_below(c, field->name, is_outcome, to);
    case RT_TRACE_TYPE: return rt_trace_get_type(c, field->name, to);
    case RT_TRACE_FUNCTYPE: return rt_trace_get_functype(c, field->name, to);
    case RT_TRACE_PLACE: return get_place(c, field->name, to);
    case RT_TRACE_PLACES: return get_places(c, field->name, scratch, to);
    case RT_TRACE_VALUES: return get_values(c, field->name, scratch, to);
    case RT_TRACE_ELEMENTS: return get_elements(c, field->name, scratch, to);
    case RT_TRACE_NAME: return rt_trace_get_name(c, field->name, to);
    case RT_TRACE_VALUE:
        error = rt_trace_get_type(c, field->name, &value->type);
        return error ? error : get_value(c, value->type, &value->value);
    case RT_TRACE_BYTES:
        error = rt_trace_get_u32(c, field->name, &size);
        if (!error)
            error = rt_cursor_bytes(c, size, field->name, &bytes->data);
        if (!error)
            bytes->size = size;
        return error;
    }
    return rt_cursor_error(c, "%s: unknown type of field", field->name);
}

struct rt_error *rt_trace_decode(struct rt_cursor *contents, bool is_exact, struct rt_trace_scratch *scratch,
                                 struct rt_trace_event *event) {
    const struct rt_trace_kind_info *info = &infos[event->kind];

    if (!info->name) {
        event->unknown = (struct rt_trace_bytes){contents->next, rt_cursor_left(contents)};
        return event->kind ? NULL : rt_cursor_error(contents, "there is no event of kind 0");
    }
    for (size_t i = 0; i < info->field_count; i++) {
        const struct rt_trace_field *field = &info->fields[i];
        struct rt_error *error = get_field(contents, field, scratch, (uint8_t *)event + field->offset);
        if (error)
            return error;
    }
    if (is_exact && rt_cursor_left(contents))
        return rt_cursor_error(contents, "%zu bytes too many in the event", rt_cursor_left(contents));
    return NULL;
}
