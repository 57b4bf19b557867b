/* Events for the tests of traces: of every kind, made from the table of kinds by a generator of numbers, in
 * an order that a trace can have. */
#ifndef LOCKSTEP_RUNTIME_TESTS_TRACE_EVENTS_H
#define LOCKSTEP_RUNTIME_TESTS_TRACE_EVENTS_H

#include "runtime/trace/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAYBE_UNUSED __attribute__((unused))

MAYBE_UNUSED static void expect_good(struct rt_error *error) {
    if (error)
        fail_msg("%s", error->message);
}

/* Expects an error whose message holds the text. */
MAYBE_UNUSED static void expect_error(struct rt_error *error, enum rt_error_code code, const char *text) {
    assert_non_null(error);
    if (error->code != code || !strstr(error->message, text))
        fail_msg("expected %d \"%s\": %d \"%s\"", code, text, error->code, error->message);
    rt_error_destroy(error);
}

/* xorshift64: the same numbers on every machine. */
static uint64_t random_state = 88172645463325252u;
MAYBE_UNUSED static uint64_t random_number(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}
/* Of any number of bits, so that all lengths of encodings come. */
MAYBE_UNUSED static uint64_t random_bits(unsigned most) {
    const unsigned bits = (unsigned)(random_number() % (most + 1));
    return bits ? random_number() >> (64 - bits) : 0;
}

/* What generated events point to; one event at a time. */
static uint8_t event_types[RT_TRACE_MAX_VALUES];
static union rt_value event_values[RT_TRACE_MAX_ELEMENTS];
static struct rt_trace_place event_places[100];
static uint8_t event_name[300], event_bytes[300];

MAYBE_UNUSED static uint8_t random_type(void) {
    static const uint8_t types[] = {RT_I32, RT_I64, RT_F32, RT_F64, RT_V128, RT_FUNCREF, RT_EXTERNREF};
    return types[random_number() % sizeof types];
}

MAYBE_UNUSED static union rt_value random_value(uint8_t type) {
    union rt_value value = {.v128 = {0}};
    if (type == RT_I32 || type == RT_F32)
        value.i32 = (uint32_t)random_bits(32);
    else
        value.i64 = random_bits(64);
    if (type == RT_V128)
        memset(value.v128 + 8, (int)random_bits(8), 8);
    return value;
}

MAYBE_UNUSED static struct rt_trace_bytes random_text(size_t most, bool is_name) {
    const size_t size = random_number() % (most + 1);
    uint8_t *bytes = is_name ? event_name : event_bytes;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(is_name ? 'a' + random_number() % 26 : random_number());
    return (struct rt_trace_bytes){bytes, size};
}

MAYBE_UNUSED static void random_field(uint8_t type, void *to, uint32_t most) {
    uint32_t count = (uint32_t)(random_number() % (most + 1));

    switch ((enum rt_trace_field_type)type) {
    case RT_TRACE_U32:
    case RT_TRACE_INDEX:
    case RT_TRACE_FUNCTION: *(uint32_t *)to = (uint32_t)random_bits(32); break;
    case RT_TRACE_U64:
    case RT_TRACE_LIMIT: *(uint64_t *)to = random_bits(64); break;
    case RT_TRACE_FLAG: *(bool *)to = random_number() & 1; break;
    case RT_TRACE_TRAP: *(uint32_t *)to = random_number() & 1 ? RT_TRACE_FAILURE : RT_TRAP_HOST; break;
    case RT_TRACE_OUTCOME: *(uint32_t *)to = random_number() % 4; break;
    case RT_TRACE_TYPE: *(uint8_t *)to = random_type(); break;
    case RT_TRACE_PLACE:
        *(struct rt_trace_place *)to =
            (struct rt_trace_place){(uint32_t)random_bits(32), (uint32_t)random_bits(32)};
        break;
    case RT_TRACE_PLACES:
        for (uint32_t i = 0; i < count; i++)
            random_field(RT_TRACE_PLACE, &event_places[i], 0);
        *(struct rt_trace_places *)to = (struct rt_trace_places){count, event_places};
        break;
    case RT_TRACE_FUNCTYPE:
        for (uint32_t i = 0; i < count; i++)
            event_types[i] = random_type();
        *(struct rt_func_type *)to = (struct rt_func_type){count, count / 2, event_types, event_types};
        break;
    case RT_TRACE_VALUE: {
        const uint8_t of = random_type();
        *(struct rt_trace_value *)to = (struct rt_trace_value){of, random_value(of)};
        break;
    }
    case RT_TRACE_VALUES:
        for (uint32_t i = 0; i < count; i++) {
            event_types[i] = random_type();
            event_values[i] = random_value(event_types[i]);
        }
        *(struct rt_trace_values *)to = (struct rt_trace_values){count, event_types, event_values};
        break;
    case RT_TRACE_ELEMENTS:
        for (uint32_t i = 0; i < count; i++)
            event_values[i] = random_value(RT_EXTERNREF);
        *(struct rt_trace_elements *)to =
            (struct rt_trace_elements){random_number() & 1 ? RT_EXTERNREF : RT_FUNCREF, count, event_values};
        break;
    case RT_TRACE_NAME: *(struct rt_trace_bytes *)to = random_text(most, true); break;
    case RT_TRACE_BYTES: *(struct rt_trace_bytes *)to = random_text(most, false); break;
    }
}

/* An event of that kind with lists of up to `most` items (100 at most). */
MAYBE_UNUSED static struct rt_trace_event random_event(uint8_t kind, uint32_t most) {
    const struct rt_trace_kind_info *info = rt_trace_kind_info(kind);
    struct rt_trace_event event = {.kind = kind};

    if (!info->name)
        event.unknown = random_text(most, false);
    for (size_t i = 0; i < info->field_count; i++)
        random_field(info->fields[i].type, (uint8_t *)&event + info->fields[i].offset, most);
    return event;
}

/* A kind that can come here, never `end`; each at some time. */
MAYBE_UNUSED static uint8_t random_kind(struct rt_trace_nesting *nesting) {
    for (;;) {
        const uint8_t kind = (uint8_t)(random_number() % 0x82);
        struct rt_trace_nesting after = *nesting;
        const char *why;
        if (kind == 0 || kind == RT_TRACE_END || (!rt_trace_kind_info(kind)->name && random_number() % 50))
            continue;
        if (after.depth > 20 && rt_trace_kind_info(kind)->order >= RT_TRACE_ORDER_CALL_GUEST &&
            rt_trace_kind_info(kind)->order != RT_TRACE_ORDER_END_GUEST && random_number() % 2)
            continue;
        if (!rt_trace_nest(&after, kind, &why))
            continue;
        *nesting = after;
        return kind;
    }
}

/* ---- Whole traces in memory ---- */

struct sample {
    struct rt_trace_memory file;
    size_t data; /* offset of the first block */
    /* Each event as it is encoded, one after the other, and where each ends. */
    struct rt_trace_memory encoded;
    size_t *ends;
    size_t count;
    /* Where each block ends in the file, and the events up to there. */
    size_t *block_ends, *block_events;
    size_t blocks;
};

MAYBE_UNUSED static void encode_event(const struct rt_trace_event *event, struct rt_trace_memory *ret) {
    uint8_t *end;
    assert_true(rt_trace_reserve(ret, rt_trace_encoded_bound(event)));
    expect_good(rt_trace_encode(event, ret->bytes + ret->size, &end));
    ret->size = (size_t)(end - ret->bytes);
}

MAYBE_UNUSED static const struct rt_trace_header plain_header = {
    .engine = "test", .settings = (const struct rt_trace_setting[]){{"nan", "any"}}, .setting_count = 1};

/* A trace of `count` generated events, small blocks. */
MAYBE_UNUSED static struct sample make_sample(size_t count, size_t block_size, bool is_stored) {
    const struct rt_trace_writer_options options = {.block_size = block_size, .is_stored = is_stored};
    struct sample sample = {.count = count, .ends = calloc(count, sizeof(size_t))};
    struct rt_trace_nesting nesting = {0};
    struct rt_trace_writer *writer;

    sample.block_ends = calloc(count + 1, sizeof(size_t));
    sample.block_events = calloc(count + 1, sizeof(size_t));
    expect_good(rt_trace_writer_create(rt_trace_sink_memory(&sample.file), &plain_header, &options, &writer));
    sample.data = sample.file.size;
    for (size_t i = 0; i < count; i++) {
        const struct rt_trace_event event = random_event(random_kind(&nesting), 20);
        const size_t before = sample.file.size;
        encode_event(&event, &sample.encoded);
        sample.ends[i] = sample.encoded.size;
        expect_good(rt_trace_writer_add(writer, &event));
        if (i + 1 == count)
            expect_good(rt_trace_writer_flush(writer));
        if (sample.file.size != before) {
            sample.block_ends[sample.blocks] = sample.file.size;
            sample.block_events[sample.blocks++] = i + 1;
        }
    }
    assert_int_equal(rt_trace_writer_totals(writer).events, count);
    expect_good(rt_trace_writer_finish(writer));
    rt_trace_writer_destroy(writer);
    return sample;
}

MAYBE_UNUSED static void free_sample(struct sample *sample) {
    free(sample->file.bytes);
    free(sample->encoded.bytes);
    free(sample->ends);
    free(sample->block_ends);
    free(sample->block_events);
}

/* Whether an event that was read is event `i` of the sample. */
MAYBE_UNUSED static bool is_event(const struct sample *sample, size_t i, const struct rt_trace_event *event) {
    struct rt_trace_memory bytes = {0};
    const size_t start = i ? sample->ends[i - 1] : 0, size = sample->ends[i] - start;
    encode_event(event, &bytes);
    const bool same = event->number == i && bytes.size == size && event->size == size &&
                      memcmp(bytes.bytes, sample->encoded.bytes + start, size) == 0;
    free(bytes.bytes);
    return same;
}

/* A copy in memory of its own, so that a read past its end is one that a sanitizer sees. */
MAYBE_UNUSED static struct rt_error *open_bytes(const uint8_t *bytes, size_t size, bool in_order,
                                                struct rt_trace_reader **ret) {
    struct rt_trace_source source;
    expect_good(rt_trace_source_memory(bytes, size, &source));
    if (in_order)
        source.size = RT_TRACE_UNKNOWN;
    return rt_trace_reader_create(source, ret);
}

#endif
