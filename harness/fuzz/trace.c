/* Fuzz target: reading any bytes as a trace never crashes; reading in order, from anywhere and again gives
 * the same events; and what is accepted can be written, and reads the same then. Checksums are put right
 * first, as no fuzzer finds them; the first byte of the input says whether.
 *
 * Covers: runtime/trace/reader.c runtime/trace/block.c runtime/trace/header.c runtime/trace/numbers.c
 * runtime/trace/event.c runtime/trace/check.c runtime/trace/writer.c */
#include "harness/trace.h"

#include "runtime/trace/format.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Checks stay on in every build: a property that does not hold is a crash for the fuzzer to report. */
static void require(bool holds) {
    if (!holds)
        abort();
}

static uint32_t get_u32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Puts the checksums of whatever looks like the parts of a trace right. */
static void repair(uint8_t *bytes, size_t size) {
    enum { CHECKED = RT_TRACE_BLOCK_HEADER_SIZE - 4 };
    if (size < RT_TRACE_PREAMBLE_SIZE)
        return;
    memcpy(bytes, rt_trace_magic, RT_TRACE_MAGIC_SIZE);
    const uint32_t header = get_u32(bytes + 12);
    if (header > size - RT_TRACE_PREAMBLE_SIZE)
        return;
    uLong crc = crc32(0, bytes, 16);
    rt_trace_put_fixed(bytes + 16, header ? crc32(crc, bytes + RT_TRACE_PREAMBLE_SIZE, header) : crc, 4);
    size_t at = RT_TRACE_PREAMBLE_SIZE + header;
    while (size - at >= RT_TRACE_BLOCK_HEADER_SIZE && get_u32(bytes + at) == RT_TRACE_BLOCK_MAGIC) {
        const uint32_t payload = get_u32(bytes + at + 8);
        if (payload > size - at - RT_TRACE_BLOCK_HEADER_SIZE)
            return;
        crc = crc32(0, bytes + at, CHECKED);
        rt_trace_put_fixed(bytes + at + CHECKED, crc32(crc, bytes + at + RT_TRACE_BLOCK_HEADER_SIZE, payload),
                           4);
        at += RT_TRACE_BLOCK_HEADER_SIZE + payload;
    }
    if (size - at < rt_trace_index_size(0) + RT_TRACE_TRAILER_SIZE)
        return;
    const uint32_t count = get_u32(bytes + at + 4);
    if (count > RT_TRACE_MAX_INDEX || rt_trace_index_size(count) + RT_TRACE_TRAILER_SIZE > size - at)
        return;
    const size_t index = rt_trace_index_size(count);
    rt_trace_put_fixed(bytes + at + index - 4, crc32(0, bytes + at, (uInt)index - 4), 4);
    rt_trace_put_fixed(bytes + at + index + 16, crc32(0, bytes + at + index, 16), 4);
}

static struct rt_trace_reader *open_bytes(const uint8_t *bytes, size_t size, bool in_order) {
    struct rt_trace_source source;
    struct rt_trace_reader *reader = NULL;
    struct rt_error *error = rt_trace_source_memory(bytes, size, &source);
    require(!error);
    if (in_order)
        source.size = RT_TRACE_UNKNOWN;
    error = rt_trace_reader_create(source, &reader);
    require((error == NULL) == (reader != NULL));
    require(!error || !strchr(error->message, '\n'));
    rt_error_destroy(error);
    return reader;
}

/* The next event; an error is an end too. */
static const struct rt_trace_event *next(struct rt_trace_reader *reader, bool *failed) {
    const struct rt_trace_event *event;
    struct rt_error *error = rt_trace_reader_next(reader, &event);
    require(!error || (!event && !strchr(error->message, '\n')));
    *failed = error;
    rt_error_destroy(error);
    return event;
}

/* Reads all, writes it again, checks and prints it. Returns the count of events. */
static uint64_t read_all(struct rt_trace_reader *reader, struct rt_trace_writer *writer,
                         struct hx_trace *checked) {
    const struct rt_trace_event *event;
    struct hx_buffer text = {0};
    struct hx_json json = {.out = &text};
    uint64_t count = 0;
    bool failed;

    while ((event = next(reader, &failed))) {
        require(event->number == count++);
        require(rt_trace_event_equal(event, event));
        struct rt_error *error = rt_trace_writer_add(writer, event);
        require(!error);
        if (!checked->wrong)
            checked->wrong = rt_trace_checker_add(checked->checker, event);
        text.size = 0;
        hx_trace_print(checked, event, 16, &text);
        hx_trace_json(checked, event, 16, &json, NULL);
        require(!text.failed && !strchr(hx_buffer_string(&text), '\n'));
    }
    hx_buffer_clear(&text);
    return count;
}

/* Both readers give the same `count` events. The second one is asked for some of them by number, last first,
 * too; its index may be wrong when `b` is any bytes, but then it is an error, never another event. */
static void require_same(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint64_t count,
                         bool b_is_ours) {
    struct rt_trace_reader *first = open_bytes(a, a_size, true), *second = open_bytes(b, b_size, false);
    bool failed;

    require(first && second);
    for (uint64_t i = 0; i < count; i++) {
        const struct rt_trace_event *x = next(first, &failed), *y = next(second, &failed);
        require(x && y && x->number == y->number && x->depth == y->depth && rt_trace_event_equal(x, y));
    }
    const uint64_t step = count / 16 + 1;
    for (uint64_t i = count; i >= step; i -= step) {
        struct rt_error *error = rt_trace_reader_seek(second, i - 1);
        require(!error || !b_is_ours);
        if (!error) {
            const struct rt_trace_event *event = next(second, &failed);
            require(event ? event->number == i - 1 : !b_is_ours);
        }
        rt_error_destroy(error);
    }
    rt_trace_reader_destroy(first);
    rt_trace_reader_destroy(second);
}

static void require_same_header(const struct rt_trace_header *a, const struct rt_trace_header *b) {
    struct rt_trace_memory x = {0}, y = {0};
    struct rt_error *error = rt_trace_header_encode(a, &x), *other = rt_trace_header_encode(b, &y);
    require(!error && !other && x.size == y.size && memcmp(x.bytes, y.bytes, x.size) == 0);
    free(x.bytes);
    free(y.bytes);
}

static void try(const uint8_t *bytes, size_t size) {
    const struct rt_trace_writer_options options = {.block_size = 256, .is_stored = size & 1};
    struct rt_trace_reader *reader = open_bytes(bytes, size, false), *again;
    struct rt_trace_memory file = {0};
    struct rt_trace_writer *writer = NULL;
    struct hx_trace checked = {.name = "fuzz"};

    if (!reader)
        return;
    const struct rt_trace_header *header = rt_trace_reader_header(reader);
    struct rt_error *error = rt_trace_checker_create(header, &checked.checker);
    if (!error)
        error = rt_trace_writer_create(rt_trace_sink_memory(&file), header, &options, &writer);
    require(!error);
    const uint64_t count = read_all(reader, writer, &checked);
    error = rt_trace_writer_finish(writer);
    require(!error);
    rt_trace_writer_destroy(writer);
    require_same(bytes, size, file.bytes, file.size, count, true);
    require_same(file.bytes, file.size, bytes, size, count, false);
    again = open_bytes(file.bytes, file.size, true);
    require_same_header(header, rt_trace_reader_header(again));
    rt_trace_reader_destroy(again);
    rt_trace_reader_destroy(reader);
    rt_trace_checker_destroy(checked.checker);
    rt_error_destroy(checked.wrong);
    free(file.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size)
        return 0;
    uint8_t *bytes = malloc(size - 1);
    require(bytes || size == 1);
    memcpy(bytes, data + 1, size - 1);
    if (data[0] & 1)
        repair(bytes, size - 1);
    try(bytes, size - 1);
    free(bytes);
    return 0;
}
