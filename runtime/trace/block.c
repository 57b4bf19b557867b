/* Blocks' headers, the index and the trailer: the parts of a trace with fixed layouts. */
#include "runtime/trace/format.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CRC_SIZE = 4, CHECKED_SIZE = RT_TRACE_BLOCK_HEADER_SIZE - CRC_SIZE };

static uint32_t block_crc(const uint8_t *header, const uint8_t *payload, uint32_t size) {
    return (uint32_t)crc32(crc32(0, header, CHECKED_SIZE), payload, size);
}

void rt_trace_block_encode(const struct rt_trace_block *block, const uint8_t *payload,
                           uint8_t out[RT_TRACE_BLOCK_HEADER_SIZE]) {
    uint8_t *next = rt_trace_put_fixed(out, RT_TRACE_BLOCK_MAGIC, 4);
    next = rt_trace_put_fixed(next, block->codec, 1);
    next = rt_trace_put_fixed(next, 0, 1);
    next = rt_trace_put_fixed(next, block->depth, 2);
    next = rt_trace_put_fixed(next, block->size, 4);
    next = rt_trace_put_fixed(next, block->raw, 4);
    next = rt_trace_put_fixed(next, block->count, 4);
    next = rt_trace_put_fixed(next, block->first, 8);
    rt_trace_put_fixed(next, block_crc(out, payload, block->size), CRC_SIZE);
}

struct rt_error *rt_trace_block_decode(const uint8_t bytes[RT_TRACE_BLOCK_HEADER_SIZE], uint64_t offset,
                                       struct rt_trace_block *ret) {
    struct rt_cursor c = rt_cursor_make(bytes, RT_TRACE_BLOCK_HEADER_SIZE, offset);
    const struct rt_cursor first = c;
    uint32_t magic = 0;
    uint8_t zero = 0;
    struct rt_error *error = rt_cursor_u32(&c, "block", &magic);

    if (!error && magic != RT_TRACE_BLOCK_MAGIC)
        return rt_cursor_error(&first, "neither a block nor the index begins here");
    if (!error)
        error = rt_cursor_u8(&c, "codec", &ret->codec);
    if (!error)
        error = rt_cursor_u8(&c, "zero", &zero);
    if (!error)
        error = rt_cursor_u16(&c, "depth", &ret->depth);
    if (!error)
        error = rt_cursor_u32(&c, "size", &ret->size);
    if (!error)
        error = rt_cursor_u32(&c, "raw size", &ret->raw);
    if (!error)
        error = rt_cursor_u32(&c, "count", &ret->count);
    if (!error)
        error = rt_cursor_u64(&c, "first event", &ret->first);
    if (!error)
        error = rt_cursor_u32(&c, "checksum", &ret->crc);
    if (error)
        return error;
    if (ret->codec > RT_TRACE_ZSTD || zero)
        return rt_cursor_error(&first, "block: codec %u, flags %u: there is none", ret->codec, zero);
    if (ret->size > RT_TRACE_MAX_BLOCK || ret->raw > RT_TRACE_MAX_BLOCK)
        return rt_cursor_error(&first, "block: %u bytes stored, %u raw: more than %d", ret->size, ret->raw,
                               RT_TRACE_MAX_BLOCK);
    if (ret->codec == RT_TRACE_STORED && ret->size != ret->raw)
        return rt_cursor_error(&first, "block: stored, and %u bytes are not %u", ret->size, ret->raw);
    if (!ret->count || ret->count > ret->raw / 2)
        return rt_cursor_error(&first, "block: %u events in %u bytes", ret->count, ret->raw);
    if (ret->first > UINT64_MAX - ret->count)
        return rt_cursor_error(&first, "block: its first event's number is too large");
    return NULL;
}

bool rt_trace_block_is_whole(const uint8_t header[RT_TRACE_BLOCK_HEADER_SIZE],
                             const struct rt_trace_block *block, const uint8_t *payload) {
    return block_crc(header, payload, block->size) == block->crc;
}

/* ---- The index ---- */

bool rt_trace_index_add(struct rt_trace_index *index, uint64_t offset, uint64_t first) {
    index->stride = index->stride ? index->stride : 1;
    if (index->blocks++ % index->stride)
        return true;
    if (index->count == RT_TRACE_MAX_INDEX) {
        for (uint32_t i = 0; i < RT_TRACE_MAX_INDEX / 2; i++)
            index->entries[i] = index->entries[2 * i];
        index->count = RT_TRACE_MAX_INDEX / 2;
        index->stride *= 2; /* this block's number is a multiple of that too */
    }
    if (index->count == index->capacity) {
        const uint32_t capacity = index->capacity ? 2 * index->capacity : 64;
        struct rt_trace_index_entry *entries = realloc(index->entries, capacity * sizeof *entries);
        if (!entries)
            return false;
        index->entries = entries;
        index->capacity = capacity;
    }
    index->entries[index->count++] = (struct rt_trace_index_entry){offset, first};
    return true;
}
_Static_assert(RT_TRACE_MAX_INDEX % 2 == 0, "the index is thinned out by halves");

void rt_trace_index_clear(struct rt_trace_index *index) {
    free(index->entries);
    *index = (struct rt_trace_index){0};
}

const struct rt_trace_index_entry *rt_trace_index_find(const struct rt_trace_index *index, uint64_t number) {
    uint32_t low = 0, high = index->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (index->entries[middle].first <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &index->entries[low - 1] : NULL;
}

struct rt_error *rt_trace_index_encode(const struct rt_trace_index *index, uint64_t offset, uint64_t events,
                                       struct rt_trace_memory *ret) {
    const size_t size = rt_trace_index_size(index->count);
    if (!rt_trace_reserve(ret, size + RT_TRACE_TRAILER_SIZE))
        return rt_error_out_of_memory();
    uint8_t *start = ret->bytes + ret->size;
    uint8_t *next = rt_trace_put_fixed(start, RT_TRACE_INDEX_MAGIC, 4);
    next = rt_trace_put_fixed(next, index->count, 4);
    for (uint32_t i = 0; i < index->count; i++) {
        next = rt_trace_put_fixed(next, index->entries[i].offset, 8);
        next = rt_trace_put_fixed(next, index->entries[i].first, 8);
    }
    next = rt_trace_put_fixed(next, crc32(0, start, (uInt)(size - CRC_SIZE)), CRC_SIZE);
    start = next;
    next = rt_trace_put_fixed(next, offset, 8);
    next = rt_trace_put_fixed(next, events, 8);
    next = rt_trace_put_fixed(next, crc32(0, start, 16), CRC_SIZE);
    rt_trace_put_fixed(next, RT_TRACE_END_MAGIC, 4);
    ret->size += size + RT_TRACE_TRAILER_SIZE;
    return NULL;
}

struct rt_error *rt_trace_index_count(const uint8_t bytes[8], uint64_t offset, uint32_t *ret) {
    struct rt_cursor c = rt_cursor_make(bytes, 8, offset);
    uint32_t magic = 0;
    struct rt_error *error = rt_cursor_u32(&c, "index", &magic);
    if (!error && magic != RT_TRACE_INDEX_MAGIC)
        error = rt_cursor_error(&c, "this is no index");
    if (!error)
        error = rt_cursor_u32(&c, "index entries", ret);
    if (!error && *ret > RT_TRACE_MAX_INDEX)
        error = rt_cursor_error(&c, "%u index entries are more than %d", *ret, RT_TRACE_MAX_INDEX);
    return error;
}

struct rt_error *rt_trace_index_decode(const uint8_t *bytes, uint32_t count, uint64_t offset, uint64_t data,
                                       struct rt_trace_index *ret) {
    struct rt_cursor c = rt_cursor_make(bytes, rt_trace_index_size(count), offset);
    const uint8_t *checked;
    uint32_t crc = 0;
    struct rt_error *error = rt_cursor_bytes(&c, rt_trace_index_size(count) - CRC_SIZE, "index", &checked);

    if (!error)
        error = rt_cursor_u32(&c, "index's checksum", &crc);
    if (!error && crc != crc32(0, bytes, (uInt)(rt_trace_index_size(count) - CRC_SIZE)))
        error = rt_cursor_error(&c, "the index is damaged: its checksum is wrong");
    if (error)
        return error;
    c = rt_cursor_make(bytes + 8, rt_trace_index_size(count) - CRC_SIZE - 8, offset + 8);
    free(ret->entries);
    *ret = (struct rt_trace_index){.entries = calloc(count ? count : 1, sizeof *ret->entries)};
    if (!ret->entries)
        return rt_error_out_of_memory();
    for (ret->capacity = count; ret->count < count && !error;) {
        const struct rt_cursor first = c;
        struct rt_trace_index_entry *entry = &ret->entries[ret->count];
        error = rt_cursor_u64(&c, "index entry", &entry->offset);
        if (!error)
            error = rt_cursor_u64(&c, "index entry", &entry->first);
        const bool follows = ret->count ? entry->offset > entry[-1].offset && entry->first > entry[-1].first
                                        : entry->offset == data && entry->first == 0;
        if (!error && (!follows || entry->offset >= offset))
            error = rt_cursor_error(&first, "index entry %u does not follow", ret->count);
        ret->count++;
    }
    return error;
}

bool rt_trace_trailer_decode(const uint8_t bytes[RT_TRACE_TRAILER_SIZE], uint64_t *ret_offset,
                             uint64_t *ret_events) {
    struct rt_cursor c = rt_cursor_make(bytes, RT_TRACE_TRAILER_SIZE, 0);
    uint32_t crc = 0, magic = 0;
    struct rt_error *error = rt_cursor_u64(&c, "index's offset", ret_offset);
    if (!error)
        error = rt_cursor_u64(&c, "count of events", ret_events);
    if (!error)
        error = rt_cursor_u32(&c, "checksum", &crc);
    if (!error)
        error = rt_cursor_u32(&c, "end", &magic);
    const bool is_good = !error && magic == RT_TRACE_END_MAGIC && crc == crc32(0, bytes, 16);
    rt_error_destroy(error);
    return is_good;
}
