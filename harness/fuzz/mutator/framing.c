/* The framing of a trace: header, blocks, index and trailer. What an input has of it is read as far as that
 * can be; what is written is right in all but at most one place, which is wrong on purpose now and then. */
#include "harness/fuzz/mutator/mutator.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { MOST_RAW = 1 << 20, ARENA = 64 << 20 };

/* A number or place of the framing that may be wrong, by a percentage of all mutants. */
enum wrong {
    WRONG_MINOR,
    WRONG_HEADER_SIZE,
    WRONG_HEADER_CRC,
    WRONG_CODEC,
    WRONG_DEPTH,
    WRONG_SIZE,
    WRONG_RAW,
    WRONG_COUNT,
    WRONG_FIRST,
    WRONG_PAYLOAD,
    WRONG_INDEX_OFFSET,
    WRONG_INDEX_FIRST,
    WRONG_END_OFFSET,
    WRONG_END_EVENTS,
    WRONG_END, /* the file ends early */
    WRONG_COUNT_OF_ALL,
};
enum { WRONG_PERCENT = 15 };

struct parts {
    uint16_t minor;
    struct fuzz_events header; /* fields are framed as events are: tag, size, contents */
    struct fuzz_events events;
};

struct output {
    struct rt_trace_memory file;
    struct hx_random *random;
    int wrong; /* enum wrong; -1: nothing is */
    bool has_failed;
};

/* ---- Taking apart ---- */

/* The payload's bytes as far as they can be had; they live in the arena. */
static const uint8_t *unpack(const struct rt_trace_block *block, const uint8_t *payload, size_t size,
                             struct rt_arena *arena, size_t *ret_size) {
    *ret_size = size;
    if (block->codec != RT_TRACE_ZSTD)
        return payload;
    const size_t raw = block->raw < MOST_RAW ? block->raw : MOST_RAW;
    uint8_t *bytes = rt_arena_alloc(arena, raw + 1);
    const size_t got = bytes ? ZSTD_decompress(bytes, raw, payload, size) : 0;
    *ret_size = ZSTD_isError(got) ? 0 : got;
    return bytes;
}

/* False when the bytes do not begin as a trace. */
static bool take_apart(const uint8_t *bytes, size_t size, struct parts *parts) {
    struct rt_trace_header header;
    uint32_t header_size = 0;
    if (size < RT_TRACE_PREAMBLE_SIZE)
        return false;
    struct rt_error *error = rt_trace_preamble_decode(bytes, &header, &header_size);
    const size_t left = size - RT_TRACE_PREAMBLE_SIZE;
    const bool is_trace = !error && header_size <= left;
    rt_error_destroy(error);
    if (!is_trace)
        return false;
    parts->minor = header.minor;
    fuzz_events_read(&parts->header, bytes + RT_TRACE_PREAMBLE_SIZE, header_size);
    for (size_t at = RT_TRACE_PREAMBLE_SIZE + header_size; size - at >= RT_TRACE_BLOCK_HEADER_SIZE;) {
        struct rt_trace_block block = {0};
        size_t raw;
        error = rt_trace_block_decode(bytes + at, at, &block);
        const bool is_block = !error;
        rt_error_destroy(error);
        if (!is_block)
            break;
        at += RT_TRACE_BLOCK_HEADER_SIZE;
        const size_t payload = block.size < size - at ? block.size : size - at;
        const uint8_t *events = unpack(&block, bytes + at, payload, parts->events.arena, &raw);
        fuzz_events_read(&parts->events, events, raw);
        at += payload;
    }
    return true;
}

/* ---- The header ---- */

static struct fuzz_event make_setting(struct rt_arena *arena, struct hx_random *random) {
    static const char *const words[] = {"nan",     "canonical", "any",  "simd.relaxed", "deterministic",
                                        "none",    "stack",     "grow", "limits",       "random",
                                        "unknown", "65536",     ""};
    uint8_t bytes[64], *next = bytes + 2;
    for (int i = 0; i < 2; i++) {
        const char *word = words[hx_random_below(random, sizeof words / sizeof *words)];
        const size_t size = strlen(word);
        *next++ = (uint8_t)size;
        memcpy(next, word, size);
        next += size;
    }
    bytes[0] = 2;
    bytes[1] = (uint8_t)(next - bytes - 2);
    const size_t size = (size_t)(next - bytes);
    const char *copy = rt_arena_copy(arena, bytes, size);
    return (struct fuzz_event){(const uint8_t *)copy, copy ? size : 0};
}

static void change_header(struct parts *parts, struct hx_random *random) {
    struct fuzz_events *header = &parts->header;
    const size_t at = header->count ? hx_random_next(random) % header->count : 0;
    const uint32_t what = header->count ? hx_random_below(random, 4) : 0;
    if (what == 0) {
        const struct fuzz_event made = make_setting(header->arena, random);
        fuzz_events_read(header, made.bytes, made.size);
    } else if (what == 1) {
        header->items[at] = header->items[--header->count];
    } else if (header->items[at].size > 2) {
        struct fuzz_event *field = &header->items[at];
        uint8_t *bytes = (uint8_t *)rt_arena_copy(header->arena, field->bytes, field->size);
        if (!bytes)
            return;
        fuzz_bytes_change(bytes + 2, field->size - 2, random);
        field->bytes = bytes;
    }
}

/* ---- Putting together ---- */

/* A number of the framing, which is another one when it is the one to be wrong. */
static uint64_t number(struct output *out, enum wrong what, uint64_t value) {
    if (out->wrong != (int)what || hx_random_chance(out->random, 50))
        return value;
    switch (hx_random_below(out->random, 4)) {
    case 0: return value + 1;
    case 1: return value - 1;
    case 2: return value ^ (uint64_t)1 << hx_random_below(out->random, 24);
    default: return hx_random_next(out->random) >> hx_random_below(out->random, 64);
    }
}

static void append(struct output *out, const void *bytes, size_t size) {
    out->has_failed |= !rt_trace_append(&out->file, bytes, size);
}

static void append_events(struct output *out, const struct fuzz_events *events, size_t first, size_t end) {
    for (size_t i = first; i < end; i++)
        append(out, events->items[i].bytes, events->items[i].size);
}

static void write_header(struct output *out, const struct parts *parts) {
    const uint8_t preamble[RT_TRACE_PREAMBLE_SIZE] = {0};
    append(out, preamble, sizeof preamble);
    append_events(out, &parts->header, 0, parts->header.count);
    if (out->has_failed)
        return;
    const size_t size = out->file.size - sizeof preamble;
    uint8_t *next = out->file.bytes;
    memcpy(next, rt_trace_magic, RT_TRACE_MAGIC_SIZE);
    next = rt_trace_put_fixed(next + RT_TRACE_MAGIC_SIZE, RT_TRACE_MAJOR, 2);
    next = rt_trace_put_fixed(next, number(out, WRONG_MINOR, parts->minor), 2);
    next = rt_trace_put_fixed(next, number(out, WRONG_HEADER_SIZE, size), 4);
    uLong crc = crc32(0, out->file.bytes, sizeof preamble - 4);
    crc = size ? crc32(crc, next + 4, (uInt)size) : crc;
    rt_trace_put_fixed(next, number(out, WRONG_HEADER_CRC, crc), 4);
}

/* The events [first, end) as one block; `depth` calls are open before. */
static void write_block(struct output *out, struct rt_trace_index *index, const struct parts *parts,
                        size_t first, size_t end, uint32_t depth) {
    struct output raw = {.random = out->random, .wrong = -1};
    append_events(&raw, &parts->events, first, end);
    struct rt_trace_memory packed = raw.file;
    struct rt_trace_block block = {.codec = RT_TRACE_STORED, .raw = (uint32_t)raw.file.size};
    if (!raw.has_failed && hx_random_chance(out->random, 75)) {
        const size_t bound = ZSTD_compressBound(raw.file.size);
        packed = (struct rt_trace_memory){0};
        raw.has_failed = !rt_trace_reserve(&packed, bound);
        if (!raw.has_failed)
            packed.size = ZSTD_compress(packed.bytes, bound, raw.file.bytes, raw.file.size, 1);
        block.codec = RT_TRACE_ZSTD;
    }
    out->has_failed |= raw.has_failed;
    if (!out->has_failed) {
        uint8_t encoded[RT_TRACE_BLOCK_HEADER_SIZE];
        if (packed.size && number(out, WRONG_PAYLOAD, 0))
            fuzz_bytes_change(packed.bytes, packed.size, out->random);
        block.size = (uint32_t)packed.size;
        block.codec = (uint8_t)number(out, WRONG_CODEC, block.codec);
        block.depth = (uint16_t)number(out, WRONG_DEPTH, depth);
        block.raw = (uint32_t)number(out, WRONG_RAW, block.raw);
        block.count = (uint32_t)number(out, WRONG_COUNT, end - first);
        block.first = number(out, WRONG_FIRST, first);
        rt_trace_block_encode(&block, packed.bytes, encoded);
        rt_trace_put_fixed(encoded + 8, number(out, WRONG_SIZE, block.size), 4);
        out->has_failed |= !rt_trace_index_add(index, number(out, WRONG_INDEX_OFFSET, out->file.size),
                                               number(out, WRONG_INDEX_FIRST, first));
        append(out, encoded, sizeof encoded);
        append(out, packed.bytes, packed.size);
    }
    if (packed.bytes != raw.file.bytes)
        free(packed.bytes);
    free(raw.file.bytes);
}

static void write_blocks(struct output *out, struct rt_trace_index *index, const struct parts *parts) {
    /* All in one, or a few in each. */
    const size_t most = hx_random_chance(out->random, 50) ? SIZE_MAX : hx_random_between(out->random, 1, 64);
    struct rt_trace_nesting nesting = {0};
    for (size_t first = 0, end; first < parts->events.count && !out->has_failed; first = end) {
        const uint32_t depth = nesting.depth;
        size_t raw = 0;
        for (end = first; end < parts->events.count && end - first < most; end++) {
            const struct fuzz_event *event = &parts->events.items[end];
            const struct rt_trace_nesting before = nesting;
            const char *why;
            if (raw && raw + event->size > RT_TRACE_MAX_BLOCK)
                break;
            raw += event->size;
            if (!rt_trace_nest(&nesting, event->bytes[0], &why))
                nesting = before;
        }
        write_block(out, index, parts, first, end, depth);
    }
}

static void put_together(struct output *out, const struct parts *parts) {
    struct rt_trace_index index = {0};
    write_header(out, parts);
    write_blocks(out, &index, parts);
    if (!out->has_failed) {
        struct rt_error *error =
            rt_trace_index_encode(&index, number(out, WRONG_END_OFFSET, out->file.size),
                                  number(out, WRONG_END_EVENTS, parts->events.count), &out->file);
        out->has_failed = error;
        rt_error_destroy(error);
    }
    rt_trace_index_clear(&index);
    if (!out->has_failed && out->wrong == WRONG_END)
        out->file.size = hx_random_next(out->random) % out->file.size;
}

/* ---- Whole inputs ---- */

size_t fuzz_mutate_trace(uint8_t *bytes, size_t size, size_t room, const uint8_t *other, size_t other_size,
                         struct hx_random *random) {
    struct rt_arena arena;
    struct parts parts = {.header = {.arena = &arena}, .events = {.arena = &arena}}, others = parts;
    struct output out = {.random = random, .wrong = -1};
    size_t mutant = 0;

    rt_arena_init(&arena, ARENA);
    if (size && take_apart(bytes + 1, size - 1, &parts)) {
        const bool has_other = other_size && take_apart(other + 1, other_size - 1, &others);
        if (hx_random_chance(random, 15))
            change_header(&parts, random);
        else
            fuzz_events_change(&parts.events, has_other ? &others.events : NULL, random);
        if (hx_random_chance(random, WRONG_PERCENT))
            out.wrong = (int)hx_random_below(random, WRONG_COUNT_OF_ALL);
        /* With fewer events, when there is not the room for all. */
        for (size_t most = room; !mutant && most; most /= 2) {
            fuzz_events_fit(&parts.events, most);
            out.file.size = 0;
            put_together(&out, &parts);
            if (!out.has_failed && out.file.size < room)
                mutant = out.file.size + 1;
        }
        if (mutant)
            memcpy(bytes + 1, out.file.bytes, out.file.size);
        free(out.file.bytes);
    }
    rt_arena_clear(&arena);
    return mutant;
}

size_t fuzz_mutate_events(uint8_t *bytes, size_t size, size_t room, const uint8_t *other, size_t other_size,
                          struct hx_random *random) {
    struct rt_arena arena;
    struct fuzz_events events = {.arena = &arena}, others = events;
    size_t mutant = 0;

    rt_arena_init(&arena, ARENA);
    fuzz_events_read(&events, bytes, size);
    if (other)
        fuzz_events_read(&others, other, other_size);
    fuzz_events_change(&events, other ? &others : NULL, random);
    const size_t fitting = fuzz_events_fit(&events, room);
    uint8_t *copy = fitting ? rt_arena_alloc(&arena, fitting) : NULL;
    /* The events may be the input's own bytes. */
    for (size_t i = 0; copy && i < events.count; i++) {
        memcpy(copy + mutant, events.items[i].bytes, events.items[i].size);
        mutant += events.items[i].size;
    }
    if (mutant)
        memcpy(bytes, copy, mutant);
    rt_arena_clear(&arena);
    return mutant;
}
