/* Lists of events: read, changed, and brought into an order that a trace can have. */
#include "harness/fuzz/mutator/mutator.h"

#include <string.h>

/* ---- The list ---- */

static bool reserve(struct fuzz_events *events, size_t more) {
    if (events->capacity - events->count >= more)
        return true;
    const size_t capacity = 2 * (events->count + more);
    struct fuzz_event *items = rt_arena_array(events->arena, capacity, sizeof *items);
    if (!items)
        return false;
    if (events->count)
        memcpy(items, events->items, events->count * sizeof *items);
    events->items = items;
    events->capacity = capacity;
    return true;
}

/* What is inserted is not in the list itself. */
static void insert(struct fuzz_events *events, size_t at, const struct fuzz_event *items, size_t count) {
    if (!count || !reserve(events, count))
        return;
    struct fuzz_event *place = events->items + at;
    memmove(place + count, place, (events->count - at) * sizeof *place);
    memcpy(place, items, count * sizeof *items);
    events->count += count;
}

static void erase(struct fuzz_events *events, size_t at, size_t count) {
    struct fuzz_event *place = events->items + at;
    memmove(place, place + count, (events->count - at - count) * sizeof *place);
    events->count -= count;
}

void fuzz_events_read(struct fuzz_events *events, const uint8_t *bytes, size_t size) {
    struct rt_cursor cursor = rt_cursor_make(bytes, size, 0);
    struct rt_error *error = NULL;
    while (!error && rt_cursor_left(&cursor)) {
        const uint8_t *first = cursor.next, *contents;
        uint32_t length = 0;
        uint8_t kind;
        error = rt_cursor_u8(&cursor, "kind", &kind);
        if (!error)
            error = rt_trace_get_u32(&cursor, "size", &length);
        if (!error)
            error = rt_cursor_bytes(&cursor, length, "contents", &contents);
        if (!error)
            insert(events, events->count, &(struct fuzz_event){first, (size_t)(cursor.next - first)}, 1);
    }
    rt_error_destroy(error);
}

size_t fuzz_events_fit(struct fuzz_events *events, size_t room) {
    size_t size = 0, count = 0;
    while (count < events->count && events->items[count].size <= room - size)
        size += events->items[count++].size;
    events->count = count;
    return size;
}

/* ---- Order ---- */

/* How many calls an event opens (or ends: negative). */
static int opens(const struct fuzz_event *event) {
    switch ((enum rt_trace_order)rt_trace_kind_info(event->bytes[0])->order) {
    case RT_TRACE_ORDER_CALL_GUEST:
    case RT_TRACE_ORDER_CALL_IMPORT: return 1;
    case RT_TRACE_ORDER_END_GUEST:
    case RT_TRACE_ORDER_END_IMPORT: return -1;
    default: return 0;
    }
}

/* Of the event at `at` and those behind it: a whole call, where one begins, or a few. */
static size_t choose_length(const struct fuzz_events *events, size_t at, struct hx_random *random) {
    const size_t left = events->count - at;
    if (opens(&events->items[at]) <= 0 || hx_random_chance(random, 25)) {
        const size_t few = hx_random_between(random, 1, 3);
        return few < left ? few : left;
    }
    int depth = 0;
    for (size_t i = 0; i < left; i++) {
        depth += opens(&events->items[at + i]);
        if (depth <= 0)
            return i + 1;
    }
    return left;
}

/* Leaves out what cannot come where it is. */
static void mend_order(struct fuzz_events *events) {
    struct rt_trace_nesting nesting = {0};
    size_t kept = 0;
    for (size_t i = 0; i < events->count; i++) {
        const struct rt_trace_nesting before = nesting;
        const char *why;
        if (rt_trace_nest(&nesting, events->items[i].bytes[0], &why))
            events->items[kept++] = events->items[i];
        else
            nesting = before;
    }
    events->count = kept;
}

/* ---- Changes ---- */

static size_t anywhere(const struct fuzz_events *events, struct hx_random *random) {
    return hx_random_next(random) % events->count;
}

/* Copies events of either list to another place of the first one. */
static void copy(struct fuzz_events *to, const struct fuzz_events *from, struct hx_random *random) {
    const size_t at = anywhere(from, random), length = choose_length(from, at, random);
    struct fuzz_event *items = rt_arena_array(to->arena, length, sizeof *items);
    if (!items)
        return;
    memcpy(items, from->items + at, length * sizeof *items);
    insert(to, hx_random_next(random) % (to->count + 1), items, length);
}

static void swap(struct fuzz_events *events, struct hx_random *random) {
    struct fuzz_event *a = &events->items[anywhere(events, random)],
                      *b = &events->items[anywhere(events, random)], kept = *a;
    *a = *b;
    *b = kept;
}

static void change_one(struct fuzz_events *events, struct hx_random *random) {
    struct fuzz_event *event = &events->items[anywhere(events, random)];
    *event = fuzz_event_change(*event, events->arena, random);
}

static void make_one(struct fuzz_events *events, struct hx_random *random) {
    const struct fuzz_event event = fuzz_event_make(events->arena, random);
    if (event.size)
        insert(events, hx_random_next(random) % (events->count + 1), &event, 1);
}

void fuzz_events_change(struct fuzz_events *events, const struct fuzz_events *other,
                        struct hx_random *random) {
    if (other && other->count)
        copy(events, other, random);
    for (uint32_t left = hx_random_between(random, 1, 4); left; left--) {
        const uint32_t what = events->count ? hx_random_below(random, 16) : 0;
        if (what <= 1) {
            make_one(events, random);
        } else if (what <= 3) {
            copy(events, events, random);
        } else if (what <= 5) {
            const size_t at = anywhere(events, random);
            erase(events, at, choose_length(events, at, random));
        } else if (what == 6) {
            swap(events, random);
        } else {
            change_one(events, random);
        }
    }
    if (!hx_random_chance(random, 10))
        mend_order(events);
}
