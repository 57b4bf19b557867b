/* One event: its fields by their types in events.def, changed to values that are near, at an end of a range,
 * or anything. What the format refuses to write is changed byte by byte instead. */
#include "harness/fuzz/mutator/mutator.h"

#include <string.h>

/* ---- Numbers and bytes ---- */

static uint64_t change_number(uint64_t value, unsigned bits, struct hx_random *random) {
    static const uint64_t ends[] = {0,
                                    0x7f,
                                    0x80,
                                    0xffff,
                                    0x10000,
                                    INT32_MAX,
                                    (uint64_t)INT32_MAX + 1,
                                    UINT32_MAX,
                                    (uint64_t)UINT32_MAX + 1,
                                    INT64_MAX,
                                    (uint64_t)INT64_MAX + 1,
                                    UINT64_MAX};
    switch (hx_random_below(random, 6)) {
    case 0: value++; break;
    case 1: value--; break;
    case 2: value ^= (uint64_t)1 << hx_random_below(random, bits); break;
    case 3: value = ends[hx_random_below(random, sizeof ends / sizeof *ends)]; break;
    case 4: value = hx_random_below(random, 4); break;
    default: value = hx_random_next(random) >> hx_random_below(random, 64); break;
    }
    return value & (UINT64_MAX >> (64 - bits));
}

void fuzz_bytes_change(uint8_t *bytes, size_t size, struct hx_random *random) {
    for (uint32_t left = hx_random_between(random, 1, 2); left; left--) {
        uint8_t *byte = &bytes[hx_random_next(random) % size];
        *byte = (uint8_t)change_number(*byte, 8, random);
    }
}

/* The items of an array, in memory of the arena that has room for one more; NULL when that is at its end. */
static void *with_room(const void *items, uint32_t count, size_t size, struct rt_arena *arena) {
    void *copy = rt_arena_array(arena, (size_t)count + 1, size);
    if (copy && count)
        memcpy(copy, items, count * size);
    return copy;
}

/* ---- Types and values ---- */

static uint8_t any_type(struct hx_random *random) {
    static const uint8_t types[] = {RT_I32, RT_I64, RT_F32, RT_F64, RT_V128, RT_FUNCREF, RT_EXTERNREF};
    return types[hx_random_below(random, sizeof types)];
}

static void change_value(uint8_t type, union rt_value *value, struct hx_random *random) {
    switch (type) {
    case RT_I32:
    case RT_F32: value->i32 = (uint32_t)change_number(value->i32, 32, random); break;
    case RT_V128: fuzz_bytes_change(value->v128, sizeof value->v128, random); break;
    default: value->i64 = change_number(value->i64, 64, random); break;
    }
}

static void change_values(struct rt_trace_values *values, struct rt_arena *arena, struct hx_random *random) {
    uint8_t *types = with_room(values->types, values->count, sizeof *types, arena);
    union rt_value *items = with_room(values->values, values->count, sizeof *items, arena);
    if (!types || !items)
        return;
    const uint32_t at = values->count ? hx_random_below(random, values->count) : 0;
    const uint32_t what = values->count ? hx_random_below(random, 6) : 0;
    if (what == 0)
        types[values->count++] = any_type(random);
    else if (what == 1)
        values->count--;
    else if (what == 2)
        types[at] = any_type(random);
    else
        change_value(types[at], &items[at], random);
    values->types = types;
    values->values = items;
}

static void change_elements(struct rt_trace_elements *elements, struct rt_arena *arena,
                            struct hx_random *random) {
    union rt_value *items = with_room(elements->values, elements->count, sizeof *items, arena);
    if (!items)
        return;
    const uint32_t what = elements->count ? hx_random_below(random, 6) : 0;
    if (what == 0)
        elements->count++;
    else if (what == 1)
        elements->count--;
    else if (what == 2)
        elements->type = elements->type == RT_FUNCREF ? RT_EXTERNREF : RT_FUNCREF;
    else
        change_value(elements->type, &items[hx_random_below(random, elements->count)], random);
    elements->values = items;
}

static void change_types(const uint8_t **types, uint32_t *count, struct rt_arena *arena,
                         struct hx_random *random) {
    uint8_t *items = with_room(*types, *count, sizeof *items, arena);
    if (!items)
        return;
    const uint32_t what = *count ? hx_random_below(random, 3) : 0;
    if (what == 0)
        items[(*count)++] = any_type(random);
    else if (what == 1)
        --*count;
    else
        items[hx_random_below(random, *count)] = any_type(random);
    *types = items;
}

/* ---- Places, names and bytes ---- */

static void change_place(struct rt_trace_place *place, struct hx_random *random) {
    uint32_t *number = hx_random_chance(random, 50) ? &place->owner : &place->index;
    *number = (uint32_t)change_number(*number, 32, random);
}

static void change_places(struct rt_trace_places *places, struct rt_arena *arena, struct hx_random *random) {
    struct rt_trace_place *items = with_room(places->items, places->count, sizeof *items, arena);
    if (!items)
        return;
    const uint32_t what = places->count ? hx_random_below(random, 4) : 0;
    if (what == 0)
        places->count++;
    else if (what == 1)
        places->count--;
    else
        change_place(&items[hx_random_below(random, places->count)], random);
    places->items = items;
}

static void change_name(struct rt_trace_bytes *name, struct hx_random *random) {
    static const char *const names[] = {
        "", "f", "env.f", "a\nb", "\xe2\x82\xac", "a name of thirty-two letters...."};
    const char *text = names[hx_random_below(random, sizeof names / sizeof *names)];
    *name = (struct rt_trace_bytes){(const uint8_t *)text, strlen(text)};
}

static void change_bytes(struct rt_trace_bytes *bytes, struct rt_arena *arena, struct hx_random *random) {
    uint8_t *items = with_room(bytes->data, (uint32_t)bytes->size, 1, arena);
    if (!items)
        return;
    const uint32_t what = bytes->size ? hx_random_below(random, 3) : 0;
    if (what == 0)
        items[bytes->size++] = (uint8_t)hx_random_next(random);
    else if (what == 1)
        bytes->size = hx_random_next(random) % bytes->size;
    else
        fuzz_bytes_change(items, bytes->size, random);
    bytes->data = items;
}

/* ---- Fields ---- */

static void change_field(uint8_t type, void *field, struct rt_arena *arena, struct hx_random *random) {
    struct rt_func_type *func = field;
    struct rt_trace_value *value = field;
    uint32_t *number = field;

    switch ((enum rt_trace_field_type)type) {
    case RT_TRACE_U32:
    case RT_TRACE_INDEX:
    case RT_TRACE_FUNCTION: *number = (uint32_t)change_number(*number, 32, random); break;
    case RT_TRACE_U64:
    case RT_TRACE_LIMIT: *(uint64_t *)field = change_number(*(uint64_t *)field, 64, random); break;
    case RT_TRACE_FLAG: *(bool *)field = !*(bool *)field; break;
    case RT_TRACE_TRAP:
        *number = hx_random_below(random, RT_TRAP_COUNT + 1);
        if (*number == RT_TRAP_COUNT)
            *number = RT_TRACE_FAILURE;
        break;
    case RT_TRACE_OUTCOME: *number = hx_random_below(random, RT_TRACE_FAILED + 1); break;
    case RT_TRACE_TYPE: *(uint8_t *)field = any_type(random); break;
    case RT_TRACE_PLACE: change_place(field, random); break;
    case RT_TRACE_PLACES: change_places(field, arena, random); break;
    case RT_TRACE_VALUE:
        if (hx_random_chance(random, 25))
            value->type = any_type(random);
        change_value(value->type, &value->value, random);
        break;
    case RT_TRACE_VALUES: change_values(field, arena, random); break;
    case RT_TRACE_ELEMENTS: change_elements(field, arena, random); break;
    case RT_TRACE_FUNCTYPE:
        if (hx_random_chance(random, 50))
            change_types(&func->params, &func->param_count, arena, random);
        else
            change_types(&func->results, &func->result_count, arena, random);
        break;
    case RT_TRACE_NAME: change_name(field, random); break;
    case RT_TRACE_BYTES: change_bytes(field, arena, random); break;
    }
}

/* A field of zeros that has types in it gets good ones. */
static void start_field(uint8_t type, void *field) {
    if (type == RT_TRACE_TYPE)
        *(uint8_t *)field = RT_FUNCREF;
    else if (type == RT_TRACE_VALUE)
        ((struct rt_trace_value *)field)->type = RT_I32;
    else if (type == RT_TRACE_ELEMENTS)
        ((struct rt_trace_elements *)field)->type = RT_FUNCREF;
}

/* ---- Events ---- */

/* False when it cannot be written. */
static bool encode(const struct rt_trace_event *event, struct rt_arena *arena, struct fuzz_event *ret) {
    uint8_t *bytes = rt_arena_alloc(arena, rt_trace_encoded_bound(event)), *end;
    struct rt_error *error = bytes ? rt_trace_encode(event, bytes, &end) : rt_error_out_of_memory();
    if (!error)
        *ret = (struct fuzz_event){bytes, (size_t)(end - bytes)};
    rt_error_destroy(error);
    return !error;
}

static bool change_decoded(struct fuzz_event *event, const uint8_t *contents, size_t size,
                           struct rt_arena *arena, struct hx_random *random) {
    static struct rt_trace_scratch scratch; /* keeps the memory that it has once got */
    struct rt_cursor cursor = rt_cursor_make(contents, size, 0);
    struct rt_trace_event decoded = {.kind = event->bytes[0]};
    const struct rt_trace_kind_info *info = rt_trace_kind_info(decoded.kind);
    if (!info->field_count)
        return false;
    struct rt_error *error = rt_trace_decode(&cursor, true, &scratch, &decoded);
    const bool is_good = !error;
    rt_error_destroy(error);
    if (!is_good)
        return false;
    const struct rt_trace_field *field = &info->fields[hx_random_below(random, info->field_count)];
    change_field(field->type, (uint8_t *)&decoded + field->offset, arena, random);
    return encode(&decoded, arena, event);
}

struct fuzz_event fuzz_event_change(struct fuzz_event event, struct rt_arena *arena,
                                    struct hx_random *random) {
    struct rt_cursor cursor = rt_cursor_make(event.bytes + 1, event.size - 1, 0);
    uint32_t size = 0;
    rt_error_destroy(rt_trace_get_u32(&cursor, "size", &size)); /* it was read before */
    if (!hx_random_chance(random, 10) && change_decoded(&event, cursor.next, size, arena, random))
        return event;
    uint8_t *bytes = (uint8_t *)rt_arena_copy(arena, event.bytes, event.size);
    if (!bytes)
        return event;
    if (size && hx_random_chance(random, 80))
        fuzz_bytes_change(bytes + (cursor.next - event.bytes), size, random);
    else
        bytes[0] = (uint8_t)change_number(bytes[0], 8, random); /* another kind, of the same contents */
    return (struct fuzz_event){bytes, event.size};
}

struct fuzz_event fuzz_event_make(struct rt_arena *arena, struct hx_random *random) {
    static const uint8_t kinds[] = {
#define RT_TRACE_EVENT(code, name, member, order, fields) code,
#include "runtime/trace/events.def"
#undef RT_TRACE_EVENT
    };
    struct rt_trace_event event = {.kind = kinds[hx_random_below(random, sizeof kinds)]};
    const struct rt_trace_kind_info *info = rt_trace_kind_info(event.kind);
    struct fuzz_event made = {0};
    for (size_t i = 0; i < info->field_count; i++) {
        void *field = (uint8_t *)&event + info->fields[i].offset;
        start_field(info->fields[i].type, field);
        if (hx_random_chance(random, 50))
            change_field(info->fields[i].type, field, arena, random);
    }
    return encode(&event, arena, &made) ? made : (struct fuzz_event){0};
}
