/* Reading a trace: everything in it is untrusted. One block is in memory at a time; it is checked as a whole
 * before its first event is handed out. */
#include "runtime/trace/format.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum state { READING, AT_END, FAILED };

struct rt_trace_reader {
    struct rt_trace_source source;
    struct rt_arena arena; /* the header's */
    struct rt_trace_header header;
    bool is_exact; /* the file's version is not above ours: what is unknown is wrong */
    enum state state;
    struct rt_error *failure;

    uint64_t data;   /* offset of the first block */
    uint64_t offset; /* of what comes behind the current block */
    /* The current block. */
    struct rt_trace_block_info block;
    struct rt_trace_memory stored, raw;
    bool is_loaded;          /* `events` is of `block` */
    struct rt_cursor events; /* what is left of it */
    uint64_t next;           /* number of the next event */
    uint64_t block_end;      /* number behind the block's last one */
    struct rt_trace_nesting nesting;
    bool is_fresh; /* just moved: the next block's depth is taken, not checked */
    ZSTD_DCtx *zstd;

    struct rt_trace_index index; /* of a source that can be read anywhere, once it was wanted */
    bool index_wanted;
    bool is_cut;
    uint64_t behind; /* bytes behind the last whole block, when it is cut */

    struct rt_trace_event event;
    struct rt_trace_scratch scratch;
};

const struct rt_trace_header *rt_trace_reader_header(const struct rt_trace_reader *reader) {
    return &reader->header;
}

bool rt_trace_is_cut(const struct rt_trace_reader *reader, uint64_t *ret_behind) {
    *ret_behind = reader->behind;
    return reader->is_cut;
}

struct rt_trace_block_info rt_trace_reader_block(const struct rt_trace_reader *reader) {
    return reader->block;
}

static bool can_seek(const struct rt_trace_reader *reader) {
    return reader->source.size != RT_TRACE_UNKNOWN;
}

static struct rt_error *copy_failure(const struct rt_trace_reader *reader) {
    return rt_error_format(reader->failure->code, "%s", reader->failure->message);
}

static struct rt_error *fail(struct rt_trace_reader *reader, struct rt_error *error) {
    if (!error)
        return NULL;
    reader->state = FAILED;
    rt_error_destroy(reader->failure);
    reader->failure = error;
    return copy_failure(reader);
}

static struct rt_error *at_event(const struct rt_trace_reader *reader, struct rt_error *error) {
    return error
               ? rt_error_context(error, "event %llu, in the contents of the block at byte 0x%llx",
                                  (unsigned long long)reader->next, (unsigned long long)reader->block.offset)
               : NULL;
}

static struct rt_error *read_at(struct rt_trace_reader *reader, uint64_t offset, void *bytes, size_t size,
                                size_t *ret) {
    return reader->source.read(reader->source.user, offset, bytes, size, ret);
}

/* The file ends `got` bytes behind the last whole block. */
static void end_cut(struct rt_trace_reader *reader, uint64_t got) {
    reader->state = AT_END;
    reader->is_cut = true;
    reader->behind = got;
}

/* More may be there by now. */
static void go_on(struct rt_trace_reader *reader) {
    reader->state = READING;
    reader->is_cut = false;
    reader->behind = 0;
}

/* ---- The end ---- */

/* Each entry of the index must be of a block; only a source that can be read anywhere can tell. */
static struct rt_error *check_entries(struct rt_trace_reader *reader, const struct rt_trace_index *index) {
    for (uint32_t i = 0; i < index->count; i++) {
        uint8_t bytes[RT_TRACE_BLOCK_HEADER_SIZE] = {0};
        struct rt_trace_block block = {0};
        size_t got;
        struct rt_error *error = read_at(reader, index->entries[i].offset, bytes, sizeof bytes, &got);
        if (error)
            return error;
        error = rt_trace_block_decode(bytes, index->entries[i].offset, &block);
        if (!error && block.first != index->entries[i].first)
            error =
                rt_error_format(RT_MALFORMED, "its first event is %llu, not %llu",
                                (unsigned long long)block.first, (unsigned long long)index->entries[i].first);
        if (error)
            return rt_error_context(error, "index entry %u", i);
    }
    return NULL;
}

/* At the index's magic, of which `head` has the first bytes of what is there. */
static struct rt_error *read_end(struct rt_trace_reader *reader, const uint8_t *head, size_t head_size) {
    const uint64_t offset = reader->offset;
    struct rt_trace_index index = {0};
    uint64_t index_offset, events;
    uint8_t extra;
    uint32_t count;
    size_t got, more;

    if (head_size < 8) {
        end_cut(reader, head_size);
        return NULL;
    }
    struct rt_error *error = rt_trace_index_count(head, offset, &count);
    if (error)
        return error;
    const size_t index_size = rt_trace_index_size(count), size = index_size + RT_TRACE_TRAILER_SIZE;
    reader->stored.size = 0;
    reader->is_loaded = false;
    if (!rt_trace_reserve(&reader->stored, size))
        return rt_error_out_of_memory();
    /* An index is at least as long as the head that was read. */
    memcpy(reader->stored.bytes, head, head_size);
    error = read_at(reader, offset + head_size, reader->stored.bytes + head_size, size - head_size, &got);
    if (error)
        return error;
    if (got < size - head_size) {
        end_cut(reader, head_size + got);
        return NULL;
    }
    error = rt_trace_index_decode(reader->stored.bytes, count, offset, reader->data, &index);
    if (!error && can_seek(reader))
        error = check_entries(reader, &index);
    else if (!error && index.count && index.entries[index.count - 1].first >= reader->next)
        error = rt_error_format(RT_MALFORMED, "at byte 0x%llx: an index entry is past the last event",
                                (unsigned long long)offset);
    rt_trace_index_clear(&index);
    if (error)
        return error;
    const uint64_t trailer = offset + index_size;
    if (!rt_trace_trailer_decode(reader->stored.bytes + index_size, &index_offset, &events))
        return rt_error_format(RT_MALFORMED, "at byte 0x%llx: the trailer is damaged",
                               (unsigned long long)trailer);
    if (index_offset != offset || events != reader->next)
        return rt_error_format(RT_MALFORMED,
                               "at byte 0x%llx: the trailer says %llu events and an index at 0x%llx; "
                               "there are %llu, and it is at 0x%llx",
                               (unsigned long long)trailer, (unsigned long long)events,
                               (unsigned long long)index_offset, (unsigned long long)reader->next,
                               (unsigned long long)offset);
    error = read_at(reader, trailer + RT_TRACE_TRAILER_SIZE, &extra, 1, &more);
    if (!error && more)
        error = rt_error_format(RT_MALFORMED, "at byte 0x%llx: there is more behind the trailer",
                                (unsigned long long)(trailer + RT_TRACE_TRAILER_SIZE));
    reader->state = AT_END;
    return error;
}

/* ---- Blocks ---- */

/* A block's payload, decompressed, as the cursor over events. */
static struct rt_error *unpack(struct rt_trace_reader *reader, const struct rt_trace_block *block) {
    const uint8_t *payload = reader->stored.bytes;

    if (block->codec == RT_TRACE_ZSTD) {
        reader->raw.size = 0;
        if (!rt_trace_reserve(&reader->raw, block->raw))
            return rt_error_out_of_memory();
        /* Several frames in a row decompress as one, but are none. */
        const size_t frame = ZSTD_findFrameCompressedSize(payload, block->size);
        if (ZSTD_isError(frame) || frame != block->size)
            return rt_error_format(RT_MALFORMED, "at byte 0x%llx: block: not one zstd frame",
                                   (unsigned long long)reader->block.offset);
        const size_t got =
            ZSTD_decompressDCtx(reader->zstd, reader->raw.bytes, block->raw, payload, block->size);
        if (ZSTD_isError(got) || got != block->raw)
            return rt_error_format(RT_MALFORMED,
                                   "at byte 0x%llx: block: cannot decompress it to %u bytes: %s",
                                   (unsigned long long)reader->block.offset, block->raw,
                                   ZSTD_isError(got) ? ZSTD_getErrorName(got) : "another size");
        payload = reader->raw.bytes;
    }
    reader->events = rt_cursor_make(payload, block->raw, 0);
    return NULL;
}

/* The header of the block at reader->offset. False in *ret_more: there is none, the trace is at its end. */
static struct rt_error *next_header(struct rt_trace_reader *reader, uint8_t *bytes,
                                    struct rt_trace_block *ret, bool *ret_more) {
    struct rt_cursor c;
    uint32_t magic = 0;
    size_t got;
    struct rt_error *error = read_at(reader, reader->offset, bytes, RT_TRACE_BLOCK_HEADER_SIZE, &got);

    *ret_more = false;
    if (error)
        return error;
    c = rt_cursor_make(bytes, got, reader->offset);
    if (got >= 4) {
        error = rt_cursor_u32(&c, "magic", &magic);
        if (!error && magic == RT_TRACE_INDEX_MAGIC)
            return read_end(reader, bytes, got);
        if (!error && magic != RT_TRACE_BLOCK_MAGIC)
            error = rt_error_format(RT_MALFORMED, "at byte 0x%llx: neither a block nor the index begins here",
                                    (unsigned long long)reader->offset);
        if (error)
            return error;
    }
    if (got < RT_TRACE_BLOCK_HEADER_SIZE) {
        end_cut(reader, got);
        return NULL;
    }
    error = rt_trace_block_decode(bytes, reader->offset, ret);
    if (!error && ret->first != reader->block_end)
        error = rt_error_format(RT_MALFORMED, "at byte 0x%llx: block: it begins with event %llu, not %llu",
                                (unsigned long long)reader->offset, (unsigned long long)ret->first,
                                (unsigned long long)reader->block_end);
    *ret_more = !error;
    return error;
}

/* Moves on to the block at reader->offset. */
static struct rt_error *load_block(struct rt_trace_reader *reader) {
    uint8_t header[RT_TRACE_BLOCK_HEADER_SIZE];
    struct rt_trace_block block;
    bool more;
    size_t got;
    struct rt_error *error = next_header(reader, header, &block, &more);

    if (error || !more)
        return error;
    reader->stored.size = 0;
    reader->is_loaded = false;
    if (!rt_trace_reserve(&reader->stored, block.size))
        return rt_error_out_of_memory();
    error = read_at(reader, reader->offset + sizeof header, reader->stored.bytes, block.size, &got);
    if (error)
        return error;
    if (got < block.size) {
        end_cut(reader, sizeof header + got);
        return NULL;
    }
    reader->block = (struct rt_trace_block_info){.offset = reader->offset,
                                                 .first = block.first,
                                                 .stored = block.size,
                                                 .raw = block.raw,
                                                 .count = block.count};
    if (!rt_trace_block_is_whole(header, &block, reader->stored.bytes))
        return rt_error_format(RT_MALFORMED, "at byte 0x%llx: the block is damaged: its checksum is wrong",
                               (unsigned long long)reader->offset);
    if (!reader->is_fresh && block.depth != reader->nesting.depth)
        return rt_error_format(RT_MALFORMED, "at byte 0x%llx: block: a depth of %u, after one of %u",
                               (unsigned long long)reader->offset, block.depth, reader->nesting.depth);
    reader->nesting.depth = block.depth;
    reader->is_fresh = false;
    error = unpack(reader, &block);
    if (error)
        return error;
    reader->is_loaded = true;
    reader->offset += sizeof header + block.size;
    reader->next = block.first;
    reader->block_end = block.first + block.count;
    return NULL;
}

/* ---- Events ---- */

/* The frame of the block's next event: its kind, depth and size, and a cursor over its contents. */
static struct rt_error *next_frame(struct rt_trace_reader *reader, struct rt_cursor *ret) {
    struct rt_trace_event *event = &reader->event;
    struct rt_cursor *c = &reader->events;
    const uint8_t *const start = c->next, *contents = NULL;
    uint32_t size = 0;
    const char *why;
    struct rt_error *error = rt_cursor_u8(c, "event", &event->kind);

    if (!error)
        error = rt_trace_get_u32(c, "event's size", &size);
    if (!error && size > RT_TRACE_MAX_EVENT)
        error = rt_cursor_error(c, "an event of %u bytes is too large", size);
    const uint64_t base = rt_cursor_offset(c);
    if (!error)
        error = rt_cursor_bytes(c, size, "event", &contents);
    event->number = reader->next;
    event->depth = reader->nesting.depth;
    if (!error && !rt_trace_nest(&reader->nesting, event->kind, &why)) {
        const char *name = rt_trace_kind_info(event->kind)->name;
        error =
            rt_error_format(RT_MALFORMED, "%s cannot come here: %s", name ? name : "an unknown event", why);
    }
    if (!error && reader->next + 1 == reader->block_end && rt_cursor_left(c))
        error = rt_cursor_error(c, "%zu bytes behind the block's last event", rt_cursor_left(c));
    if (error)
        return at_event(reader, error);
    event->size = (uint32_t)(c->next - start);
    *ret = rt_cursor_make(contents, size, base);
    return NULL;
}

struct rt_error *rt_trace_reader_next(struct rt_trace_reader *reader, const struct rt_trace_event **ret) {
    struct rt_cursor contents;
    struct rt_error *error = NULL;

    *ret = NULL;
    if (reader->state == FAILED)
        return copy_failure(reader);
    if (reader->state == AT_END && reader->is_cut && reader->source.grows)
        go_on(reader);
    if (reader->state == READING && reader->next == reader->block_end)
        error = load_block(reader);
    if (error || reader->state == AT_END)
        return fail(reader, error);
    error = next_frame(reader, &contents);
    if (!error)
        error =
            at_event(reader, rt_trace_decode(&contents, reader->is_exact, &reader->scratch, &reader->event));
    if (error)
        return fail(reader, error);
    reader->next++;
    *ret = &reader->event;
    return NULL;
}

/* ---- Seeking ---- */

/* The index of a source that can be read anywhere. One that is damaged or cut off is as good as none: reading
 * on to the end tells. */
static struct rt_error *load_index(struct rt_trace_reader *reader) {
    const uint64_t size = reader->source.size;
    uint8_t trailer[RT_TRACE_TRAILER_SIZE], head[8];
    uint64_t offset, events;
    uint32_t count;
    size_t got;

    reader->index_wanted = true;
    if (size < reader->data + rt_trace_index_size(0) + sizeof trailer)
        return NULL;
    struct rt_error *error = read_at(reader, size - sizeof trailer, trailer, sizeof trailer, &got);
    if (error || got < sizeof trailer || !rt_trace_trailer_decode(trailer, &offset, &events) ||
        offset < reader->data || offset > size - sizeof trailer - rt_trace_index_size(0))
        return error;
    error = read_at(reader, offset, head, sizeof head, &got);
    if (error)
        return error;
    error = rt_trace_index_count(head, offset, &count);
    if (!error && offset + rt_trace_index_size(count) == size - sizeof trailer) {
        struct rt_trace_memory bytes = {0};
        if (!rt_trace_reserve(&bytes, rt_trace_index_size(count)))
            return rt_error_out_of_memory();
        error = read_at(reader, offset, bytes.bytes, rt_trace_index_size(count), &got);
        if (!error && got == rt_trace_index_size(count))
            error = rt_trace_index_decode(bytes.bytes, count, offset, reader->data, &reader->index);
        free(bytes.bytes);
    }
    if (error && error->code == RT_MALFORMED) {
        rt_trace_index_clear(&reader->index);
        rt_error_destroy(error);
        error = NULL;
    }
    return error;
}

/* Makes the block at `offset`, which begins with event `first`, the next one. */
static void move_to(struct rt_trace_reader *reader, uint64_t offset, uint64_t first) {
    reader->offset = offset;
    reader->next = reader->block_end = first;
    reader->is_loaded = false;
    reader->events = (struct rt_cursor){0};
    reader->nesting = (struct rt_trace_nesting){0};
    reader->is_fresh = offset != reader->data;
    go_on(reader);
}

/* Steps over the block at reader->offset where `number` is not in it; else *ret_found is set, and the block
 * is loaded. */
static struct rt_error *pass_block(struct rt_trace_reader *reader, uint64_t number, bool *ret_found) {
    uint8_t header[RT_TRACE_BLOCK_HEADER_SIZE];
    struct rt_trace_block block;
    bool more = false;
    struct rt_error *error = NULL;

    *ret_found = true;
    if (!can_seek(reader)) { /* every byte has to be read anyway */
        error = load_block(reader);
        *ret_found = error || reader->state == AT_END || number < reader->block_end;
        if (!*ret_found) {
            reader->next = reader->block_end;
            reader->is_fresh = true;
        }
        return error;
    }
    error = next_header(reader, header, &block, &more);
    if (error || !more)
        return error;
    if (number < block.first + block.count)
        return load_block(reader);
    if (block.size > reader->source.size - reader->offset - sizeof header) {
        end_cut(reader, reader->source.size - reader->offset);
        return NULL;
    }
    *ret_found = false;
    move_to(reader, reader->offset + sizeof header + block.size, block.first + block.count);
    return NULL;
}

struct rt_error *rt_trace_reader_seek(struct rt_trace_reader *reader, uint64_t number) {
    struct rt_error *error = NULL;
    struct rt_cursor contents;

    if (reader->state == FAILED && !can_seek(reader))
        return copy_failure(reader);
    if (!can_seek(reader) && number < reader->next)
        return rt_error_format(RT_USAGE, "trace: it is read in order, and event %llu is past",
                               (unsigned long long)number);
    if (can_seek(reader) && !reader->index_wanted)
        error = load_index(reader);
    if (error)
        return fail(reader, error);
    const struct rt_trace_index_entry *entry = rt_trace_index_find(&reader->index, number);
    const bool is_ahead = number >= reader->next && reader->state == READING;
    if (can_seek(reader) && (!is_ahead || (entry && entry->first > reader->block_end)))
        move_to(reader, entry ? entry->offset : reader->data, entry ? entry->first : 0);
    if (reader->state == READING && number >= reader->block_end) {
        bool found = false;
        if (reader->next != reader->block_end) {
            reader->next = reader->block_end;
            reader->is_fresh = true;
        }
        while (!found && !error)
            error = pass_block(reader, number, &found);
    }
    while (!error && reader->state == READING && reader->next < number) {
        error = next_frame(reader, &contents);
        reader->next++;
    }
    return fail(reader, error);
}

/* ---- Going back ---- */

struct rt_error *rt_trace_reader_tell(const struct rt_trace_reader *reader, struct rt_trace_position *ret) {
    const bool is_inside = reader->is_loaded && reader->next < reader->block_end;
    if (!can_seek(reader) || reader->state != READING)
        return rt_error_format(RT_USAGE, "trace: it is read in order, or at its end: no place to return to");
    *ret = (struct rt_trace_position){
        .block = is_inside ? reader->block.offset : reader->offset,
        .first = is_inside ? reader->block.first : reader->next,
        .number = reader->next,
        .consumed = is_inside ? (size_t)(reader->events.next - reader->events.start) : 0,
        .depth = reader->nesting.depth,
        .has_ended = reader->nesting.has_ended};
    return NULL;
}

struct rt_error *rt_trace_reader_return(struct rt_trace_reader *reader,
                                        const struct rt_trace_position *position) {
    struct rt_error *error = NULL;
    if (!can_seek(reader))
        return rt_error_format(RT_USAGE, "trace: it is read in order, and cannot return to event %llu",
                               (unsigned long long)position->number);
    if (!reader->is_loaded || reader->block.offset != position->block) {
        move_to(reader, position->block, position->first);
        if (position->number != position->first)
            error = load_block(reader);
    }
    if (error)
        return fail(reader, error);
    if (reader->is_loaded) {
        reader->offset = reader->block.offset + RT_TRACE_BLOCK_HEADER_SIZE + reader->block.stored;
        reader->block_end = reader->block.first + reader->block.count;
        reader->events.next = reader->events.start + position->consumed;
    }
    reader->state = READING;
    reader->is_cut = false;
    reader->behind = 0;
    reader->next = position->number;
    reader->nesting = (struct rt_trace_nesting){position->depth, position->has_ended};
    return NULL;
}

/* ---- Opening ---- */

static struct rt_error *read_header(struct rt_trace_reader *reader) {
    uint8_t preamble[RT_TRACE_PREAMBLE_SIZE];
    uint32_t size;
    size_t got;
    struct rt_error *error = read_at(reader, 0, preamble, sizeof preamble, &got);

    if (error)
        return error;
    if (got < sizeof preamble && (!got || memcmp(preamble, rt_trace_magic, got < 8 ? got : 8) != 0))
        return rt_error_format(RT_MALFORMED, "this is no trace: it does not begin as one");
    if (got < sizeof preamble)
        return rt_error_format(RT_MALFORMED, "the trace was cut short inside its header, at byte 0x%zx", got);
    error = rt_trace_preamble_decode(preamble, &reader->header, &size);
    if (error)
        return error;
    /* Not more than there is, so that a few bytes cannot ask for much memory. */
    struct rt_trace_memory bytes = {0};
    while (!error && bytes.size < size) {
        const size_t step = size - bytes.size < 65536 ? size - bytes.size : 65536;
        if (!rt_trace_reserve(&bytes, step)) {
            error = rt_error_out_of_memory();
            break;
        }
        error = read_at(reader, sizeof preamble + bytes.size, bytes.bytes + bytes.size, step, &got);
        if (!error && got < step)
            error = rt_error_format(RT_MALFORMED, "the trace was cut short inside its header, at byte 0x%zx",
                                    sizeof preamble + bytes.size + got);
        bytes.size += step;
    }
    if (!error)
        error = rt_trace_header_decode(preamble, bytes.bytes, size, &reader->arena, &reader->header);
    free(bytes.bytes);
    reader->data = reader->offset = sizeof preamble + (uint64_t)size;
    reader->is_exact = reader->header.minor <= RT_TRACE_MINOR;
    return error;
}

struct rt_error *rt_trace_reader_create(struct rt_trace_source source, struct rt_trace_reader **ret) {
    struct rt_trace_reader *reader = calloc(1, sizeof *reader);

    if (!reader) {
        rt_trace_source_destroy(&source);
        return rt_error_out_of_memory();
    }
    reader->source = source;
    reader->zstd = ZSTD_createDCtx();
    struct rt_error *error = reader->zstd ? read_header(reader) : rt_error_out_of_memory();
    if (error)
        rt_trace_reader_destroy(reader);
    else
        *ret = reader;
    return error;
}

void rt_trace_reader_destroy(struct rt_trace_reader *reader) {
    if (!reader)
        return;
    rt_trace_source_destroy(&reader->source);
    rt_error_destroy(reader->failure);
    rt_trace_index_clear(&reader->index);
    rt_arena_clear(&reader->arena);
    ZSTD_freeDCtx(reader->zstd);
    free(reader->stored.bytes);
    free(reader->raw.bytes);
    free(reader->scratch.places);
    free(reader);
}
