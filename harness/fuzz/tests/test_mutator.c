/* The mutator of traces: the same mutant for the same seed, within its room, mostly one that a reader takes
 * to its end, and now and then one with something wrong in its framing. */
#include "harness/fuzz/mutator/mutator.h"

#include "runtime/tests/trace_events.h"

enum { EVENTS = 60, ROOM = 1 << 14, MUTANTS = 2000 };

/* An input of the target: a byte, and a trace. */
struct input {
    uint8_t bytes[ROOM];
    size_t size;
};

static struct input make_input(size_t count) {
    struct sample sample = make_sample(count, 512, false);
    struct input input = {.size = sample.file.size + 1};
    assert_in_range(input.size, 1, ROOM);
    memcpy(input.bytes + 1, sample.file.bytes, sample.file.size);
    free_sample(&sample);
    return input;
}

/* Reads all; false when the reader refuses something. */
static bool is_accepted(const uint8_t *bytes, size_t size, bool seen[256], uint64_t *ret_count) {
    const struct rt_trace_event *event = NULL;
    struct rt_trace_source source;
    struct rt_trace_reader *reader;
    *ret_count = 0;
    expect_good(rt_trace_source_memory(bytes, size, &source));
    struct rt_error *error = rt_trace_reader_create(source, &reader);
    if (!error) {
        while (!(error = rt_trace_reader_next(reader, &event)) && event) {
            seen[event->kind] = true;
            ++*ret_count;
        }
        rt_trace_reader_destroy(reader);
    }
    const bool is_good = !error;
    rt_error_destroy(error);
    return is_good;
}

static void test_mutants_are_mostly_traces(void **state) {
    (void)state;
    const struct input input = make_input(EVENTS);
    bool seen[256] = {false};
    unsigned accepted = 0, shorter = 0, longer = 0, same = 0;
    for (unsigned seed = 0; seed < MUTANTS; seed++) {
        struct input mutant = input;
        struct hx_random random = {seed};
        uint64_t count;
        mutant.size = fuzz_mutate_trace(mutant.bytes, input.size, ROOM, NULL, 0, &random);
        assert_in_range(mutant.size, 2, ROOM);
        accepted += is_accepted(mutant.bytes + 1, mutant.size - 1, seen, &count);
        shorter += count < EVENTS;
        longer += count > EVENTS;
        same += mutant.size == input.size && memcmp(mutant.bytes, input.bytes, input.size) == 0;
    }
    assert_in_range(accepted, MUTANTS / 10 * 7, MUTANTS / 100 * 99);
    assert_in_range(same, 0, MUTANTS / 10);
    assert_true(shorter > MUTANTS / 20 && longer > MUTANTS / 20);
#define RT_TRACE_EVENT(code, name, member, order, fields) assert_true(seen[code]);
#include "runtime/trace/events.def"
#undef RT_TRACE_EVENT
}

static void test_same_seed_same_mutant(void **state) {
    (void)state;
    const struct input input = make_input(EVENTS);
    for (unsigned seed = 0; seed < 100; seed++) {
        struct input a = input, b = input;
        a.size = LLVMFuzzerCustomMutator(a.bytes, input.size, ROOM, seed);
        b.size = LLVMFuzzerCustomMutator(b.bytes, input.size, ROOM, seed);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.bytes, b.bytes, a.size);
    }
}

/* Whatever the input and however little room there is. */
static void test_any_input(void **state) {
    (void)state;
    const struct input input = make_input(5);
    for (unsigned seed = 0; seed < MUTANTS; seed++) {
        struct hx_random random = {seed};
        const size_t size = hx_random_below(&random, (uint32_t)input.size + 1);
        const size_t room = hx_random_between(&random, size ? (uint32_t)size : 1, (uint32_t)input.size + 1);
        uint8_t *bytes = malloc(room);
        assert_non_null(bytes);
        memcpy(bytes, input.bytes, size);
        if (size && hx_random_chance(&random, 50))
            fuzz_bytes_change(bytes, size, &random);
        assert_in_range(LLVMFuzzerCustomMutator(bytes, size, room, seed), 1, room);
        memcpy(bytes, input.bytes, size);
        assert_in_range(fuzz_mutate_events(bytes, size, room, input.bytes, input.size, &random), 0, room);
        free(bytes);
    }
}

/* The target's input is events without framing. */
static void test_events_alone(void **state) {
    (void)state;
    struct sample sample = make_sample(EVENTS, 1 << 16, true);
    unsigned whole = 0;
    for (unsigned seed = 0; seed < MUTANTS; seed++) {
        uint8_t bytes[ROOM];
        struct rt_arena arena;
        struct fuzz_events events = {.arena = &arena};
        struct hx_random random = {seed};
        memcpy(bytes, sample.encoded.bytes, sample.encoded.size);
        const size_t size = fuzz_mutate_events(bytes, sample.encoded.size, ROOM, NULL, 0, &random);
        rt_arena_init(&arena, 0);
        fuzz_events_read(&events, bytes, size);
        whole += fuzz_events_fit(&events, SIZE_MAX) == size;
        rt_arena_clear(&arena);
    }
    assert_int_equal(whole, MUTANTS);
    free_sample(&sample);
}

/* Kind 0x82, which nobody knows, is in the other input alone. */
static void test_crossing_over_takes_from_both(void **state) {
    (void)state;
    const struct input input = make_input(EVENTS);
    struct input other = {0};
    struct sample sample = {0};
    struct rt_trace_writer *writer;
    unsigned accepted = 0, crossed = 0;
    expect_good(rt_trace_writer_create(rt_trace_sink_memory(&sample.file), &plain_header, NULL, &writer));
    expect_good(rt_trace_writer_add(writer, &(struct rt_trace_event){.kind = 0x82}));
    expect_good(rt_trace_writer_finish(writer));
    rt_trace_writer_destroy(writer);
    memcpy(other.bytes + 1, sample.file.bytes, sample.file.size);
    other.size = sample.file.size + 1;
    free_sample(&sample);
    for (unsigned seed = 0; seed < 500; seed++) {
        struct input out;
        bool seen[256] = {false};
        uint64_t count;
        out.size = LLVMFuzzerCustomCrossOver(input.bytes, input.size, other.bytes, other.size, out.bytes,
                                             ROOM, seed);
        assert_in_range(out.size, 1, ROOM);
        accepted += is_accepted(out.bytes + 1, out.size - 1, seen, &count);
        crossed += seen[0x82] && count > 1;
    }
    assert_in_range(accepted, 350, 499);
    assert_in_range(crossed, 250, 499);
}

static void test_afl(void **state) {
    (void)state;
    struct input input = make_input(EVENTS), other = make_input(EVENTS);
    const struct input before = input;
    void *mutator = afl_custom_init(NULL, 1);
    unsigned accepted = 0;
    assert_non_null(mutator);
    for (int i = 0; i < 500; i++) {
        uint8_t *out;
        bool seen[256] = {false};
        uint64_t count;
        const size_t room = i & 1 ? ROOM : input.size;
        const size_t size =
            afl_custom_fuzz(mutator, input.bytes, input.size, &out, other.bytes, other.size, room);
        assert_in_range(size, 1, room);
        accepted += is_accepted(out + 1, size - 1, seen, &count);
    }
    assert_memory_equal(input.bytes, before.bytes, input.size);
    assert_in_range(accepted, 300, 499);
    afl_custom_deinit(mutator);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutants_are_mostly_traces),
        cmocka_unit_test(test_same_seed_same_mutant),
        cmocka_unit_test(test_any_input),
        cmocka_unit_test(test_events_alone),
        cmocka_unit_test(test_crossing_over_takes_from_both),
        cmocka_unit_test(test_afl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
