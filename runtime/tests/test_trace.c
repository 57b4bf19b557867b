/* Traces in memory: what was written is read again, from anywhere; what was cut short or damaged is noticed.
 */
#include "runtime/tests/trace_events.h"

#include "runtime/tests/module_bytes.h"

#include <zlib.h>

/* ---- Round trips ---- */

static void every_kind_comes_back(void **state) {
    (void)state;
    for (int stored = 0; stored < 2; stored++) {
        struct sample sample = make_sample(20000, 1000, stored);
        bool seen[256] = {0};
        struct rt_trace_reader *reader;
        const struct rt_trace_event *event;
        expect_good(open_bytes(sample.file.bytes, sample.file.size, stored, &reader));
        assert_string_equal(rt_trace_reader_header(reader)->engine, "test");
        assert_string_equal(rt_trace_setting(rt_trace_reader_header(reader), "nan"), "any");
        assert_null(rt_trace_setting(rt_trace_reader_header(reader), "other"));
        for (size_t i = 0; i < sample.count; i++) {
            expect_good(rt_trace_reader_next(reader, &event));
            assert_non_null(event);
            assert_true(is_event(&sample, i, event));
            seen[event->kind] = true;
        }
        uint64_t behind;
        for (int again = 0; again < 2; again++) {
            expect_good(rt_trace_reader_next(reader, &event));
            assert_null(event);
            assert_false(rt_trace_is_cut(reader, &behind));
        }
        for (unsigned kind = 0; kind < 256; kind++)
            if (rt_trace_kind_info((uint8_t)kind)->name && kind != RT_TRACE_END && !seen[kind])
                fail_msg("no event of kind %u was made", kind);
        rt_trace_reader_destroy(reader);
        free_sample(&sample);
    }
}

/* Writes events, and opens what came of it; the caller frees `file`. */
static struct rt_trace_reader *write_and_open(const struct rt_trace_event *events, size_t count,
                                              struct rt_trace_memory *file) {
    struct rt_trace_writer *writer;
    struct rt_trace_reader *reader;
    expect_good(rt_trace_writer_create(rt_trace_sink_memory(file), &plain_header, NULL, &writer));
    for (size_t i = 0; i < count; i++)
        expect_good(rt_trace_writer_add(writer, &events[i]));
    expect_good(rt_trace_writer_finish(writer));
    rt_trace_writer_destroy(writer);
    expect_good(open_bytes(file->bytes, file->size, false, &reader));
    return reader;
}

static void the_longest_events(void **state) {
    (void)state;
    enum { SIZE = 5 * RT_TRACE_MAX_WRITE / 2, ELEMENTS = 10000 };
    uint8_t *bytes = malloc(SIZE);
    union rt_value *values = calloc(ELEMENTS, sizeof *values);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)random_number();
    for (size_t i = 0; i < ELEMENTS; i++)
        values[i].i64 = UINT64_MAX - i;
    memset(event_types, RT_V128, sizeof event_types);
    const struct rt_trace_event events[] = {
        {.kind = RT_TRACE_MEMORY_WRITE,
         .memory_write = {.memory = {1, 2}, .address = 7, .bytes = {bytes, SIZE}}},
        {.kind = RT_TRACE_TABLE_SET, .table_set = {.first = 3, .elements = {RT_EXTERNREF, ELEMENTS, values}}},
        {.kind = RT_TRACE_GUEST_CALL,
         .guest_call = {.arguments = {RT_TRACE_MAX_VALUES, event_types, values}}},
        {.kind = RT_TRACE_MESSAGE, .message = {.bytes = {bytes, RT_TRACE_MAX_WRITE}}},
    };
    struct rt_trace_memory file = {0};
    struct rt_trace_reader *reader = write_and_open(events, 4, &file);
    const struct rt_trace_event *event;
    size_t at = 0;
    while (at < SIZE) {
        expect_good(rt_trace_reader_next(reader, &event));
        assert_int_equal(event->kind, RT_TRACE_MEMORY_WRITE);
        assert_int_equal(event->memory_write.address, 7 + at);
        assert_memory_equal(event->memory_write.bytes.data, bytes + at, event->memory_write.bytes.size);
        at += event->memory_write.bytes.size;
    }
    assert_int_equal(at, SIZE);
    for (at = 0; at < ELEMENTS; at += event->table_set.elements.count) {
        expect_good(rt_trace_reader_next(reader, &event));
        assert_int_equal(event->kind, RT_TRACE_TABLE_SET);
        assert_int_equal(event->table_set.first, 3 + at);
        for (size_t i = 0; i < event->table_set.elements.count; i++)
            assert_int_equal(event->table_set.elements.values[i].i64, values[at + i].i64);
    }
    expect_good(rt_trace_reader_next(reader, &event));
    assert_int_equal(event->guest_call.arguments.count, RT_TRACE_MAX_VALUES);
    expect_good(rt_trace_reader_next(reader, &event));
    assert_int_equal(event->message.bytes.size, RT_TRACE_MAX_WRITE);
    assert_int_equal(event->depth, 1);
    rt_trace_reader_destroy(reader);
    free(file.bytes);
    free(values);
    free(bytes);
}

static void nothing_at_all(void **state) {
    (void)state;
    struct rt_trace_memory file = {0};
    struct rt_trace_reader *reader = write_and_open(NULL, 0, &file);
    const struct rt_trace_event *event;
    uint64_t behind;
    expect_good(rt_trace_reader_next(reader, &event));
    assert_null(event);
    assert_false(rt_trace_is_cut(reader, &behind));
    expect_good(rt_trace_reader_seek(reader, 0));
    expect_good(rt_trace_reader_next(reader, &event));
    assert_null(event);
    rt_trace_reader_destroy(reader);
    free(file.bytes);
}

static void modules_are_described(void **state) {
    (void)state;
    static const uint8_t bytes[] = {SAMPLE_MODULE};
    struct rt_arena arena;
    struct rt_module *module;
    struct rt_trace_module described[2];
    struct rt_trace_memory file = {0};
    struct rt_trace_writer *writer;
    struct rt_trace_reader *reader;
    expect_good(rt_module_create(bytes, sizeof bytes, &module));
    rt_arena_init(&arena, 0);
    expect_good(rt_trace_module_describe(module, "sample.wasm", &arena, &described[0]));
    described[1] = described[0];
    const char *const command[] = {"sample.wasm", "", "--flag"};
    const struct rt_trace_header header = {
        .modules = described, .module_count = 2, .command = command, .command_count = 3};
    expect_good(rt_trace_writer_create(rt_trace_sink_memory(&file), &header, NULL, &writer));
    expect_good(rt_trace_writer_finish(writer));
    rt_trace_writer_destroy(writer);
    expect_good(open_bytes(file.bytes, file.size, false, &reader));
    const struct rt_trace_header *read = rt_trace_reader_header(reader);
    assert_int_equal(read->module_count, 2);
    assert_int_equal(read->command_count, 3);
    assert_string_equal(read->command[2], "--flag");
    for (size_t m = 0; m < 2; m++) {
        assert_memory_equal(read->modules[m].hash, described[0].hash, 32);
        assert_string_equal(read->modules[m].label, "sample.wasm");
        assert_int_equal(read->modules[m].size, sizeof bytes);
        assert_int_equal(read->modules[m].import_count, rt_module_import_count(module));
        for (size_t i = 0; i < read->modules[m].import_count; i++) {
            const struct rt_import import = rt_module_import(module, i);
            const struct rt_import *got = &read->modules[m].imports[i];
            assert_string_equal(got->module, import.module);
            assert_string_equal(got->name, import.name);
            assert_int_equal(got->kind, import.kind);
            if (import.kind == RT_EXTERN_FUNC)
                assert_int_equal(got->func.param_count, import.func.param_count);
        }
    }
    rt_trace_reader_destroy(reader);
    rt_arena_clear(&arena);
    rt_module_destroy(module);
    free(file.bytes);
}

/* FIPS 180-4's function, by a value that sha256sum gives. */
static void hashes_are_sha256(void **state) {
    (void)state;
    static const uint8_t empty_module[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    static const uint8_t expected[32] = {0x93, 0xa4, 0x4b, 0xbb, 0x96, 0xc7, 0x51, 0x21, 0x8e, 0x4c, 0x00,
                                         0xd4, 0x79, 0xe4, 0xc1, 0x43, 0x58, 0x12, 0x2a, 0x38, 0x9a, 0xcc,
                                         0xa1, 0x62, 0x05, 0xb1, 0xe4, 0xd0, 0xdc, 0x5f, 0x94, 0x76};
    struct rt_arena arena;
    struct rt_module *module;
    struct rt_trace_module described;
    rt_arena_init(&arena, 0);
    expect_good(rt_module_create(empty_module, sizeof empty_module, &module));
    expect_good(rt_trace_module_describe(module, "", &arena, &described));
    assert_memory_equal(described.hash, expected, 32);
    rt_arena_clear(&arena);
    rt_module_destroy(module);
}

/* ---- Cut and damaged ---- */

/* Reads to the end; the events that came, each compared. */
static size_t read_all(const struct sample *sample, struct rt_trace_reader *reader, struct rt_error **ret) {
    const struct rt_trace_event *event;
    for (size_t i = 0;; i++) {
        *ret = rt_trace_reader_next(reader, &event);
        if (*ret || !event)
            return i;
        if (i >= sample->count || !is_event(sample, i, event))
            fail_msg("event %zu is wrong", i);
    }
}

static void cut_at_every_byte(void **state) {
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        struct sample sample = make_sample(60, 100, variant & 1);
        assert_true(sample.blocks > 5);
        for (size_t size = 0; size < sample.file.size; size++) {
            struct rt_trace_reader *reader;
            uint8_t *bytes = malloc(size);
            memcpy(bytes, sample.file.bytes, size);
            struct rt_error *error = open_bytes(bytes, size, variant & 2, &reader);
            if (size < sample.data) {
                expect_error(error, RT_MALFORMED, size ? "cut short inside its header" : "no trace");
            } else {
                size_t block = 0;
                while (block < sample.blocks && sample.block_ends[block] <= size)
                    block++;
                uint64_t behind;
                expect_good(error);
                const size_t events = read_all(&sample, reader, &error);
                expect_good(error);
                assert_int_equal(events, block ? sample.block_events[block - 1] : 0);
                assert_true(rt_trace_is_cut(reader, &behind));
                assert_int_equal(behind, size - (block ? sample.block_ends[block - 1] : sample.data));
                rt_trace_reader_destroy(reader);
            }
            free(bytes);
        }
        free_sample(&sample);
    }
}

static void every_flipped_bit_is_noticed(void **state) {
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        struct sample sample = make_sample(40, 150, variant & 1);
        for (size_t bit = 0; bit < 8 * sample.file.size; bit++) {
            struct rt_trace_reader *reader;
            uint64_t behind;
            sample.file.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct rt_error *error = open_bytes(sample.file.bytes, sample.file.size, variant & 2, &reader);
            if (!error) {
                read_all(&sample, reader, &error);
                if (!error && !rt_trace_is_cut(reader, &behind))
                    fail_msg("a flip of bit %zu is not noticed", bit);
                rt_trace_reader_destroy(reader);
            }
            rt_error_destroy(error);
            sample.file.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free_sample(&sample);
    }
}

static void bytes_behind_the_trailer(void **state) {
    (void)state;
    struct sample sample = make_sample(10, 100, true);
    struct rt_trace_reader *reader;
    struct rt_error *error;
    assert_true(rt_trace_append(&sample.file, "x", 1));
    for (int in_order = 0; in_order < 2; in_order++) {
        expect_good(open_bytes(sample.file.bytes, sample.file.size, in_order, &reader));
        assert_int_equal(read_all(&sample, reader, &error), 10);
        expect_error(error, RT_MALFORMED, "more behind the trailer");
        rt_trace_reader_destroy(reader);
    }
    free_sample(&sample);
}

static void errors_come_again(void **state) {
    (void)state;
    struct sample sample = make_sample(60, 100, true);
    struct rt_trace_reader *reader;
    struct rt_error *error;
    sample.file.bytes[sample.block_ends[1] - 1] ^= 1;
    expect_good(open_bytes(sample.file.bytes, sample.file.size, false, &reader));
    assert_int_equal(read_all(&sample, reader, &error), sample.block_events[0]);
    expect_error(error, RT_MALFORMED, "the block is damaged");
    read_all(&sample, reader, &error);
    expect_error(error, RT_MALFORMED, "the block is damaged");
    /* What is behind the damage can be read. */
    const struct rt_trace_event *event;
    expect_good(rt_trace_reader_seek(reader, sample.block_events[1]));
    expect_good(rt_trace_reader_next(reader, &event));
    assert_true(is_event(&sample, sample.block_events[1], event));
    rt_trace_reader_destroy(reader);
    free_sample(&sample);
}

/* ---- Seeking ---- */

static void seek_and_compare(const struct sample *sample, struct rt_trace_reader *reader, size_t number) {
    const struct rt_trace_event *event;
    expect_good(rt_trace_reader_seek(reader, number));
    for (size_t i = number; i < number + 3; i++) {
        expect_good(rt_trace_reader_next(reader, &event));
        assert_int_equal(event != NULL, i < sample->count);
        if (!event)
            break;
        assert_true(is_event(sample, i, event));
    }
}

static void seeking_is_reading(void **state) {
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        struct sample sample = make_sample(500, 200, false);
        struct rt_trace_reader *reader;
        /* Without an index, the blocks' headers lead the way. */
        const size_t size = cut ? sample.block_ends[sample.blocks - 1] : sample.file.size;
        expect_good(open_bytes(sample.file.bytes, size, false, &reader));
        for (size_t i = 0; i < 2000; i++)
            seek_and_compare(&sample, reader, random_number() % (sample.count + 2));
        for (size_t i = sample.count + 1; i-- > 0;)
            seek_and_compare(&sample, reader, i);
        rt_trace_reader_destroy(reader);
        expect_good(open_bytes(sample.file.bytes, size, true, &reader));
        for (size_t i = 0; i < sample.count; i += 7)
            seek_and_compare(&sample, reader, i);
        expect_error(rt_trace_reader_seek(reader, 0), RT_USAGE, "read in order");
        rt_trace_reader_destroy(reader);
        free_sample(&sample);
    }
}

static void depth_is_known_anywhere(void **state) {
    (void)state;
    struct sample sample = make_sample(500, 200, false);
    uint32_t depths[500];
    struct rt_trace_reader *reader;
    const struct rt_trace_event *event;
    expect_good(open_bytes(sample.file.bytes, sample.file.size, false, &reader));
    for (size_t i = 0; i < 500; i++) {
        expect_good(rt_trace_reader_next(reader, &event));
        depths[i] = event->depth;
    }
    for (size_t i = 500; i-- > 0;) {
        expect_good(rt_trace_reader_seek(reader, i));
        expect_good(rt_trace_reader_next(reader, &event));
        assert_int_equal(event->depth, depths[i]);
    }
    rt_trace_reader_destroy(reader);
    free_sample(&sample);
}

static void the_index_is_thinned_out(void **state) {
    (void)state;
    struct rt_trace_index index = {0};
    for (uint64_t i = 0; i < 5 * RT_TRACE_MAX_INDEX + 3; i++)
        assert_true(rt_trace_index_add(&index, 100 + i * 10, i * 2));
    assert_true(index.count > RT_TRACE_MAX_INDEX / 2 && index.count <= RT_TRACE_MAX_INDEX);
    for (uint32_t i = 0; i < index.count; i++) {
        assert_int_equal(index.entries[i].first, 16 * (uint64_t)i);
        assert_int_equal(index.entries[i].offset, 100 + 80 * (uint64_t)i);
    }
    assert_ptr_equal(rt_trace_index_find(&index, 0), &index.entries[0]);
    assert_ptr_equal(rt_trace_index_find(&index, 47), &index.entries[2]);
    assert_ptr_equal(rt_trace_index_find(&index, 48), &index.entries[3]);
    assert_ptr_equal(rt_trace_index_find(&index, UINT64_MAX), &index.entries[index.count - 1]);
    rt_trace_index_clear(&index);
    assert_null(rt_trace_index_find(&index, 0));
}

/* ---- What is refused ---- */

static void the_writer_refuses(void **state) {
    (void)state;
    static const uint8_t bad_type = 0x40;
    static const union rt_value value = {.i32 = 1};
    const struct {
        struct rt_trace_event event;
        const char *text;
    } cases[] = {
        {{.kind = 0}, "no event of kind 0"},
        {{.kind = RT_TRACE_IMPORT_CALL}, "the host has control here"},
        {{.kind = RT_TRACE_GUEST_RETURN}, "the host has control here"},
        {{.kind = RT_TRACE_IMPORT_RETURN}, "no call is open"},
        {{.kind = RT_TRACE_MESSAGE, .message.name = {(const uint8_t *)"\xff", 1}}, "name cannot be written"},
        {{.kind = RT_TRACE_MESSAGE, .message.bytes = {event_bytes, 3 << 20}}, "bytes are too many"},
        {{.kind = RT_TRACE_GUEST_CALL, .guest_call.arguments = {1, &bad_type, &value}}, "arguments cannot"},
        {{.kind = RT_TRACE_GUEST_CALL, .guest_call.arguments = {1001, event_types, event_values}},
         "arguments cannot"},
        {{.kind = RT_TRACE_INSTANTIATION_TRAP, .instantiation_trap.trap = 77}, "trap cannot be written"},
        {{.kind = RT_TRACE_END, .end.outcome = 4}, "outcome cannot be written"},
        {{.kind = RT_TRACE_HOST_TABLE, .host_table.type = 0}, "type cannot be written"},
        {{.kind = RT_TRACE_TABLE_SET, .table_set.elements = {RT_I32, 1, &value}}, "elements cannot"},
        {{.kind = 0x70, .unknown = {event_bytes, 3 << 20}}, "bytes are too many"},
    };
    struct rt_trace_memory file = {0};
    struct rt_trace_writer *writer;
    expect_good(rt_trace_writer_create(rt_trace_sink_memory(&file), &plain_header, NULL, &writer));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(rt_trace_writer_add(writer, &cases[i].event), RT_USAGE, cases[i].text);
    /* None of them left anything. */
    assert_int_equal(rt_trace_writer_totals(writer).events, 0);
    const struct rt_trace_event call = {.kind = RT_TRACE_GUEST_CALL}, end = {.kind = RT_TRACE_END},
                                returned = {.kind = RT_TRACE_GUEST_RETURN};
    expect_good(rt_trace_writer_add(writer, &call));
    expect_error(rt_trace_writer_add(writer, &call), RT_USAGE, "the guest has control here");
    expect_error(rt_trace_writer_add(writer, &end), RT_USAGE, "calls are open");
    expect_good(rt_trace_writer_add(writer, &returned));
    expect_good(rt_trace_writer_add(writer, &end));
    expect_error(rt_trace_writer_add(writer, &call), RT_USAGE, "no event follows the end");
    expect_good(rt_trace_writer_finish(writer));
    expect_error(rt_trace_writer_add(writer, &call), RT_USAGE, "it is finished");
    expect_error(rt_trace_writer_finish(writer), RT_USAGE, "it is finished");
    rt_trace_writer_destroy(writer);
    free(file.bytes);
    const struct rt_trace_writer_options options = {.block_size = 2 << 20};
    expect_error(rt_trace_writer_create(rt_trace_sink_memory(&file), &plain_header, &options, &writer),
                 RT_USAGE, "at most");
}

static void calls_nest_to_a_limit(void **state) {
    (void)state;
    struct rt_trace_memory file = {0};
    struct rt_trace_writer *writer;
    expect_good(rt_trace_writer_create(rt_trace_sink_memory(&file), &plain_header, NULL, &writer));
    for (uint32_t i = 0; i < RT_TRACE_MAX_DEPTH; i++) {
        const struct rt_trace_event call = {.kind = i & 1 ? RT_TRACE_IMPORT_CALL : RT_TRACE_GUEST_CALL};
        expect_good(rt_trace_writer_add(writer, &call));
    }
    const struct rt_trace_event call = {.kind = RT_TRACE_IMPORT_CALL};
    expect_error(rt_trace_writer_add(writer, &call), RT_USAGE, "calls nest too deep");
    expect_good(rt_trace_writer_finish(writer));
    rt_trace_writer_destroy(writer);
    free(file.bytes);
}

/* One stored block with these events in a file of that minor version. */
static struct rt_error *read_events(const uint8_t *payload, size_t size, uint32_t count, uint16_t depth,
                                    uint16_t minor) {
    struct rt_trace_memory file = {0};
    struct rt_trace_reader *reader;
    const struct rt_trace_event *event;
    uint8_t header[RT_TRACE_BLOCK_HEADER_SIZE];
    const struct rt_trace_block block = {
        .depth = depth, .size = (uint32_t)size, .raw = (uint32_t)size, .count = count};
    expect_good(rt_trace_header_encode(&(struct rt_trace_header){0}, &file));
    rt_trace_put_fixed(file.bytes + 10, minor, 2);
    rt_trace_put_fixed(file.bytes + 16, crc32(0, file.bytes, 16), 4);
    rt_trace_block_encode(&block, payload, header);
    assert_true(rt_trace_append(&file, header, sizeof header) && rt_trace_append(&file, payload, size));
    expect_good(open_bytes(file.bytes, file.size, false, &reader));
    struct rt_error *error;
    do
        error = rt_trace_reader_next(reader, &event);
    while (!error && event);
    rt_trace_reader_destroy(reader);
    free(file.bytes);
    return error;
}

static void the_reader_refuses(void **state) {
    (void)state;
#define EVENTS(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
    expect_good(read_events(EVENTS(0x0b, 2, 0, 0), 1, 0, 0));
    expect_error(read_events(EVENTS(0x0b, 3, 0, 0x80, 0), 1, 0, 0), RT_MALFORMED, "not the shortest form");
    expect_error(read_events(EVENTS(0x0b, 3, 0, 0, 0), 1, 0, 0), RT_MALFORMED, "bytes too many in the event");
    expect_error(read_events(EVENTS(0x0b, 2, 0, 0, 0), 1, 0, 0), RT_MALFORMED,
                 "behind the block's last event");
    expect_error(read_events(EVENTS(0x0b, 1, 0), 1, 0, 0), RT_MALFORMED, "unexpected end");
    expect_error(read_events(EVENTS(0x0b, 9, 0, 0), 1, 0, 0), RT_MALFORMED, "out of bounds");
    expect_error(read_events(EVENTS(0x0b, 2, 0, 0), 2, 0, 0), RT_MALFORMED, "event 1");
    expect_error(read_events(EVENTS(0x05, 1, 0), 1, 0, 0), RT_MALFORMED, "no call is open");
    expect_error(read_events(EVENTS(0x0b, 2, 0, 0), 1, 3, 0), RT_MALFORMED, "a depth of 3");
    expect_error(read_events(EVENTS(0x00, 2, 0, 0), 1, 0, 0), RT_MALFORMED, "kind 0");
    expect_error(read_events(EVENTS(0x0f, 3, 2, 0x7f, 0), 1, 0, 0), RT_MALFORMED, "neither 0 nor 1");
    expect_error(read_events(EVENTS(0x0f, 3, 1, 0x40, 0), 1, 0, 0), RT_MALFORMED, "no value type");
    expect_error(read_events(EVENTS(0x14, 1, 99), 1, 0, 0), RT_MALFORMED, "there is no 99");
    expect_error(read_events(EVENTS(0x80, 3, 1, 0xff, 0), 1, 0, 0), RT_MALFORMED, "malformed UTF-8");
    expect_error(read_events(EVENTS(0x10, 4, 1, 0, 0x80, 1), 1, 0, 0), RT_MALFORMED, "is too large");
    expect_error(read_events(EVENTS(0x1f, 2, 0, 0, 0x0b, 2, 0, 0), 2, 0, 0), RT_MALFORMED, "follows the end");
    /* Of a later minor version, what is unknown is skipped. */
    expect_good(read_events(EVENTS(0x0b, 3, 0, 0, 0), 1, 0, 1));
    expect_good(read_events(EVENTS(0x7e, 2, 0, 0), 1, 0, 1));
#undef EVENTS
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back),
        cmocka_unit_test(the_longest_events),
        cmocka_unit_test(nothing_at_all),
        cmocka_unit_test(modules_are_described),
        cmocka_unit_test(hashes_are_sha256),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(bytes_behind_the_trailer),
        cmocka_unit_test(errors_come_again),
        cmocka_unit_test(seeking_is_reading),
        cmocka_unit_test(depth_is_known_anywhere),
        cmocka_unit_test(the_index_is_thinned_out),
        cmocka_unit_test(the_writer_refuses),
        cmocka_unit_test(calls_nest_to_a_limit),
        cmocka_unit_test(the_reader_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
