/* Writing a trace: events go into a block in memory, and blocks to whom packs them. */
#include "runtime/trace/format.h"

#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_BLOCK = 64 << 10,
    MAX_BLOCK = 1 << 20, /* with the largest event behind it, still below RT_TRACE_MAX_BLOCK */
    /* Of an event with no long name, bytes or list; the block always has room for one. */
    SMALL_EVENT = 1 << 15,
};
_Static_assert(MAX_BLOCK + RT_TRACE_MAX_EVENT + SMALL_EVENT <= RT_TRACE_MAX_BLOCK, "blocks within the limit");

struct rt_trace_writer {
    struct rt_trace_packer *packer;
    size_t block_size;
    bool is_finished;
    struct rt_error *failure; /* the sink's, or out of memory: nothing can be added any more */

    struct rt_trace_memory block; /* events of the open block */
    uint32_t count;               /* of them */
    uint32_t first_depth;         /* calls that were open before the first of them */
    struct rt_trace_nesting nesting;
    uint64_t events, raw; /* in the blocks before */
};

/* Remembers a failure that leaves the trace incomplete. */
static struct rt_error *fail(struct rt_trace_writer *writer, struct rt_error *error) {
    if (error && !writer->failure)
        writer->failure = rt_error_format(error->code, "%s", error->message);
    return error;
}

/* What stands against doing anything more. */
static struct rt_error *refuse(const struct rt_trace_writer *writer) {
    if (writer->failure)
        return rt_error_format(writer->failure->code, "%s", writer->failure->message);
    if (writer->is_finished)
        return rt_error_format(RT_USAGE, "trace: it is finished");
    return NULL;
}

/* Room for a block and an event behind it. */
static struct rt_error *make_room(struct rt_trace_writer *writer) {
    return rt_trace_reserve(&writer->block, writer->block_size + SMALL_EVENT) ? NULL
                                                                              : rt_error_out_of_memory();
}

static struct rt_error *end_block(struct rt_trace_writer *writer) {
    if (!writer->count)
        return NULL;
    const struct rt_trace_block block = {
        .depth = (uint16_t)writer->first_depth, .count = writer->count, .first = writer->events};
    const size_t raw = writer->block.size;
    struct rt_error *error = rt_trace_packer_add(writer->packer, &block, &writer->block);
    if (error)
        return fail(writer, error);
    writer->events += block.count;
    writer->raw += raw;
    writer->count = 0;
    writer->block.size = 0;
    return fail(writer, make_room(writer));
}

static struct rt_error *add_one(struct rt_trace_writer *writer, const struct rt_trace_event *event) {
    struct rt_trace_nesting *nesting = &writer->nesting;
    const uint32_t depth = nesting->depth;
    const size_t bound = rt_trace_encoded_bound(event);
    const char *why;
    uint8_t *end;

    if (bound > writer->block.capacity - writer->block.size) {
        /* Names, lists and bytes, whose bound is about twice their size at most. */
        if (bound > 2 * (size_t)RT_TRACE_MAX_EVENT)
            return rt_error_format(RT_USAGE, "trace: an event of up to %zu bytes is too large", bound);
        if (!rt_trace_reserve(&writer->block, bound + SMALL_EVENT))
            return fail(writer, rt_error_out_of_memory());
    }
    if (!rt_trace_nest(nesting, event->kind, &why)) {
        const char *name = rt_trace_kind_info(event->kind)->name;
        return rt_error_format(RT_USAGE, "trace: event %llu, %s: it cannot come here: %s",
                               (unsigned long long)(writer->events + writer->count), name ? name : "unknown",
                               why);
    }
    struct rt_error *error = rt_trace_encode(event, writer->block.bytes + writer->block.size, &end);
    if (error) {
        *nesting = (struct rt_trace_nesting){.depth = depth}; /* it had not ended: the event fitted in */
        return error;
    }
    if (!writer->count++)
        writer->first_depth = depth;
    writer->block.size = (size_t)(end - writer->block.bytes);
    return writer->block.size >= writer->block_size ? end_block(writer) : NULL;
}

static struct rt_error *add_write(struct rt_trace_writer *writer, const struct rt_trace_event *event) {
    struct rt_trace_event piece = *event;
    struct rt_trace_bytes left = event->memory_write.bytes;
    struct rt_error *error = NULL;

    while (left.size && !error) {
        const size_t size = left.size < RT_TRACE_MAX_WRITE ? left.size : RT_TRACE_MAX_WRITE;
        piece.memory_write.bytes = (struct rt_trace_bytes){left.data, size};
        error = add_one(writer, &piece);
        piece.memory_write.address += size;
        left.data += size;
        left.size -= size;
    }
    return error;
}

static struct rt_error *add_elements(struct rt_trace_writer *writer, const struct rt_trace_event *event) {
    struct rt_trace_event piece = *event;
    struct rt_trace_elements *elements = &piece.table_set.elements;
    uint32_t left = elements->count;
    struct rt_error *error = NULL;

    while (left && !error) {
        elements->count = left < RT_TRACE_MAX_ELEMENTS ? left : RT_TRACE_MAX_ELEMENTS;
        error = add_one(writer, &piece);
        piece.table_set.first += elements->count;
        elements->values += elements->count;
        left -= elements->count;
    }
    return error;
}

struct rt_error *rt_trace_writer_add(struct rt_trace_writer *writer, const struct rt_trace_event *event) {
    if (writer->failure || writer->is_finished)
        return refuse(writer);
    if (event->kind == RT_TRACE_MEMORY_WRITE && event->memory_write.bytes.size > RT_TRACE_MAX_WRITE)
        return add_write(writer, event);
    if (event->kind == RT_TRACE_TABLE_SET && event->table_set.elements.count > RT_TRACE_MAX_ELEMENTS)
        return add_elements(writer, event);
    return add_one(writer, event);
}

struct rt_error *rt_trace_writer_flush(struct rt_trace_writer *writer) {
    struct rt_error *error = refuse(writer);
    if (!error)
        error = end_block(writer);
    return error ? error : fail(writer, rt_trace_packer_flush(writer->packer));
}

struct rt_error *rt_trace_writer_finish(struct rt_trace_writer *writer) {
    struct rt_error *error = rt_trace_writer_flush(writer);

    if (error)
        return error;
    error = rt_trace_packer_finish(writer->packer, writer->events);
    writer->is_finished = !error;
    return fail(writer, error);
}

struct rt_trace_totals rt_trace_writer_totals(const struct rt_trace_writer *writer) {
    return (struct rt_trace_totals){.events = writer->events + writer->count,
                                    .raw = writer->raw + writer->block.size,
                                    .stored = rt_trace_packer_stored(writer->packer)};
}

static struct rt_error *set_up(struct rt_trace_writer *writer, const struct rt_trace_header *header,
                               const struct rt_trace_writer_options *options) {
    writer->block_size = options->block_size ? options->block_size : DEFAULT_BLOCK;
    if (writer->block_size > MAX_BLOCK)
        return rt_error_format(RT_USAGE, "trace: blocks of %zu bytes: at most %d", writer->block_size,
                               MAX_BLOCK);
    struct rt_trace_memory bytes = {0};
    struct rt_error *error = make_room(writer);
    if (!error)
        error = rt_trace_header_encode(header, &bytes);
    if (!error)
        error = rt_trace_packer_write(writer->packer, bytes.bytes, bytes.size);
    free(bytes.bytes);
    return error;
}

struct rt_error *rt_trace_writer_create(struct rt_trace_sink sink, const struct rt_trace_header *header,
                                        const struct rt_trace_writer_options *options,
                                        struct rt_trace_writer **ret) {
    static const struct rt_trace_writer_options defaults;
    struct rt_trace_writer *writer = calloc(1, sizeof *writer);

    if (!writer) {
        rt_trace_sink_destroy(&sink);
        return rt_error_out_of_memory();
    }
    options = options ? options : &defaults;
    struct rt_error *error = rt_trace_packer_create(sink, options, &writer->packer);
    if (!error)
        error = set_up(writer, header, options);
    if (error)
        rt_trace_writer_destroy(writer);
    else
        *ret = writer;
    return error;
}

void rt_trace_writer_destroy(struct rt_trace_writer *writer) {
    if (!writer)
        return;
    rt_trace_packer_destroy(writer->packer);
    rt_error_destroy(writer->failure);
    free(writer->block.bytes);
    free(writer);
}
