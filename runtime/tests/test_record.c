/* Recording and replaying a run that has every kind of event: on both engines, in both directions, again from
 * the replay, cut short, and into a sink that fails. */
#include "runtime/tests/recording.h"

#include <unistd.h>

static void expect_error(struct rt_error *error, enum rt_error_code code, const char *text) {
    assert_non_null(error);
    if (error->code != code || !strstr(error->message, text))
        fail_msg("expected %d \"%s\": %d \"%s\"", code, text, error->code, error->message);
    rt_error_destroy(error);
}

/* ---- What is recorded ---- */

static void test_every_kind(void **state) {
    (void)state;
    struct recording recording = record();
    struct rt_trace_reader *reader = open_reader(&recording.bytes);
    struct rt_trace_checker *checker;
    const struct rt_trace_event *event;
    uint32_t kinds[256] = {0};

    expect_good(rt_trace_checker_create(rt_trace_reader_header(reader), &checker));
    assert_string_equal(rt_trace_setting(rt_trace_reader_header(reader), "nan"), "canonical");
    for (;;) {
        expect_good(rt_trace_reader_next(reader, &event));
        if (!event)
            break;
        expect_good(rt_trace_checker_add(checker, event));
        kinds[event->kind]++;
        if (event->kind == RT_TRACE_END) {
            assert_int_equal(event->end.outcome, RT_TRACE_EXITED);
            assert_int_equal(event->end.status, 5);
        }
        if (event->kind == RT_TRACE_GUEST_TRAP) /* all are known */
            assert_true(event->guest_trap.instance == 0 || event->guest_trap.instance == 1);
    }
    for (unsigned kind = 0; kind < 256; kind++)
        if (rt_trace_kind_info((uint8_t)kind)->name && kind != RT_TRACE_MESSAGE && !kinds[kind])
            fail_msg("no event %s", rt_trace_kind_info((uint8_t)kind)->name);
    rt_trace_checker_destroy(checker);
    rt_trace_reader_destroy(reader);
    destroy_recording(&recording);
}

/* A start function is a call like another, and what the guest's own instructions do is none. */
static void test_guest_does_it_itself(void **state) {
    (void)state;
    struct builder builder = {0};
    build_memory(&builder, 1, 9);
    build_table(&builder, 'r', 1, 9);
    BUILD_FUNCTION(&builder, "grow", ":", "", RT_OP_I32_CONST, 1, RT_OP_MEMORY_GROW, 0, RT_OP_DROP,
                   RT_OP_REF_NULL, RT_FUNCREF, RT_OP_I32_CONST, 1, 0xfc, RT_OP_TABLE_GROW & 0xff, 0,
                   RT_OP_DROP);
    struct recording recording = {.modules = {build_module(&builder), build_trapping(), build_trapping()}};
    struct codes made = make_codes(&recording, tested_engine);
    struct rt_recorder *recorder;
    struct rt_instance *instance;
    struct rt_store *store;
    uint32_t result;

    expect_good(rt_store_create(&store));
    expect_good(start_recorder(store, &made, rt_trace_sink_memory(&recording.bytes), &recorder));
    expect_good(rt_instance_create(store, made.codes[0], NULL, 0, &instance));
    expect_good(call_guest(instance, "grow", 0, 0, &result));
    assert_int_equal(rt_table_size(rt_instance_table(instance, 0)), 2);
    assert_int_equal(rt_memory_size(rt_instance_memory(instance, 0)), 2 * 65536);
    assert_int_equal(rt_recorder_totals(recorder).events, 3); /* instantiate, call, return */
    rt_recorder_destroy(recorder);
    rt_store_destroy(store);
    destroy_codes(&made);
    destroy_recording(&recording);
}

/* The bytes of stack that the header of a recording in this store tells; 0: unknown. */
static unsigned long long recorded_stack(const struct codes *made, bool has_other_stack) {
    struct rt_trace_memory bytes = {0};
    struct rt_trace_source source;
    struct rt_trace_reader *reader;
    struct rt_recorder *recorder;
    struct rt_store *store;

    expect_good(rt_store_create(&store));
    if (has_other_stack)
        rt_store_set_stack_limit(store, (uintptr_t)&store - 1000);
    expect_good(start_recorder(store, made, rt_trace_sink_memory(&bytes), &recorder));
    expect_good(rt_recorder_finish(recorder));
    rt_recorder_destroy(recorder);
    expect_good(rt_trace_source_memory(bytes.bytes, bytes.size, &source));
    expect_good(rt_trace_reader_create(source, &reader));
    const char *value = rt_trace_setting(rt_trace_reader_header(reader), "stack");
    assert_non_null(value);
    const unsigned long long stack = strcmp(value, "unknown") == 0 ? 0 : strtoull(value, NULL, 10);
    rt_trace_reader_destroy(reader);
    rt_store_destroy(store);
    free(bytes.bytes);
    return stack;
}

static void test_tells_the_stack(void **state) {
    (void)state;
    struct recording recording = record();
    struct codes made = make_codes(&recording, tested_engine);
    const unsigned long long usual = recorded_stack(&made, false), other = recorded_stack(&made, true);

    assert_true(usual > 65536);
    assert_int_equal(recorded_stack(&made, false), usual);
    assert_int_equal(other, tested_engine == RT_ENGINE_INTERP ? usual : 0); /* it has one of its own */
    destroy_codes(&made);
    destroy_recording(&recording);
}

static void test_usage(void **state) {
    (void)state;
    struct recording recording = record();
    struct codes made = make_codes(&recording, tested_engine);
    struct rt_trace_memory bytes = {0};
    struct rt_recorder *recorder, *second;
    struct rt_instance *instance;
    struct rt_store *store;

    expect_good(rt_store_create(&store));
    expect_good(start_recorder(store, &made, rt_trace_sink_memory(&bytes), &recorder));
    expect_error(start_recorder(store, &made, rt_trace_sink_memory(&bytes), &second), RT_USAGE,
                 "is being recorded already");
    /* A module that the header has not. */
    struct rt_module *unknown = build_trapping();
    struct rt_code *code;
    const struct rt_compile_options options = {.engine = tested_engine};
    expect_good(rt_code_create(unknown, &options, &code));
    expect_error(rt_instance_create(store, code, NULL, 0, &instance), RT_USAGE, "not named before");
    expect_error(rt_recorder_finish(recorder), RT_USAGE, "not named before");
    rt_recorder_destroy(recorder);
    expect_error(start_recorder(store, &made, rt_trace_sink_memory(&bytes), &recorder), RT_USAGE,
                 "has instances already");
    rt_store_destroy(store);
    rt_code_destroy(code);
    rt_module_destroy(unknown);
    free(bytes.bytes);
    destroy_codes(&made);
    destroy_recording(&recording);
}

/* ---- A sink that fails ---- */

static struct rt_error *write_some(void *user, const void *bytes, size_t size) {
    size_t *left = user;
    (void)bytes;
    if (size > *left)
        return rt_error_format(RT_OS, "some.trace: no room");
    *left -= size;
    return NULL;
}
static struct rt_error *finish_nothing(void *user) {
    (void)user;
    return NULL;
}
static void destroy_nothing(void *user) {
    (void)user;
}

/* The call that is running ends with the sink's error, wherever it comes, and so does all that follows. */
static void test_full_disk(void **state) {
    (void)state;
    struct recording recording = {.modules = {build_guest(), build_neighbour(), build_trapping()}};
    struct codes made = make_codes(&recording, tested_engine);
    static const uint8_t i32[] = {RT_I32}, references[] = {RT_FUNCREF, RT_EXTERNREF};
    size_t failures = 0;

    for (size_t room = 600; room < 1800; room += 100) {
        struct rt_extern imports[3] = {
            {.kind = RT_EXTERN_FUNC}, {.kind = RT_EXTERN_FUNC}, {.kind = RT_EXTERN_GLOBAL}};
        size_t left = room;
        const struct rt_trace_sink sink = {&left, write_some, finish_nothing, destroy_nothing};
        struct rt_recorder *recorder;
        struct rt_instance *guest;
        struct rt_store *store;
        uint32_t result, calls = 0;

        expect_good(rt_store_create(&store));
        struct rt_error *error = start_recorder(store, &made, sink, &recorder);
        expect_good(error);
        expect_good(rt_func_create(store, "env.f", (struct rt_func_type){1, 1, i32, i32}, count, NULL,
                                   &imports[0].func));
        expect_good(rt_func_create(store, "env.g", (struct rt_func_type){2, 2, references, references}, g,
                                   NULL, &imports[1].func));
        expect_good(rt_global_create(store, RT_I64, true, (union rt_value){.i64 = 0}, &imports[2].global));
        error = rt_instance_create(store, made.codes[0], imports, 3, &guest);
        while (!error && calls++ < 10000)
            error = call_guest(guest, "run", calls, 0, &result);
        expect_error(error, RT_OS, "recording: some.trace: no room");
        if (calls) {
            failures++;
            expect_error(call_guest(guest, "run", 1, 0, &result), RT_OS, "no room");
        }
        expect_error(rt_recorder_finish(recorder), RT_OS, "no room");
        rt_recorder_destroy(recorder);
        rt_store_destroy(store);
    }
    assert_true(failures > 5);
    destroy_codes(&made);
    destroy_recording(&recording);
}

/* ---- Replaying ---- */

static void expect_same_events(const struct rt_trace_memory *a, const struct rt_trace_memory *b) {
    struct rt_trace_reader *first = open_reader(a), *second = open_reader(b);
    const struct rt_trace_event *x, *y;
    do {
        expect_good(rt_trace_reader_next(first, &x));
        expect_good(rt_trace_reader_next(second, &y));
        assert_true(!x == !y);
        if (!x || rt_trace_event_equal(x, y))
            continue;
        /* Where a stack is exhausted is the engine's affair. */
        assert_int_equal(x->kind, RT_TRACE_GUEST_TRAP);
        assert_int_equal(x->guest_trap.trap, RT_TRAP_STACK_EXHAUSTED);
        assert_int_equal(y->guest_trap.trap, RT_TRAP_STACK_EXHAUSTED);
    } while (x);
    rt_trace_reader_destroy(first);
    rt_trace_reader_destroy(second);
}

/* A run, its replay, and the replay of the replay's recording agree event by event, whichever engine does
 * which. */
static void test_replay_of_replay(void **state) {
    (void)state;
    struct recording recording = record();
    for (size_t i = 0; i < REPLAY_ENGINES; i++) {
        struct rt_trace_memory second = {0}, third = {0};
        struct rt_replay_result result;
        expect_good(replay(&recording, &recording.bytes, replay_engines[i], &second, &result));
        assert_true(result.has_end && !result.is_cut);
        assert_int_equal(result.outcome, RT_TRACE_EXITED);
        assert_int_equal(result.status, 5);
        expect_same_events(&recording.bytes, &second);
        expect_good(replay(&recording, &second, tested_engine, &third, &result));
        expect_same_events(&second, &third);
        free(second.bytes);
        free(third.bytes);
    }
    destroy_recording(&recording);
}

/* Cut anywhere, it replays to its last whole block. */
static void test_cut(void **state) {
    (void)state;
    struct recording recording = record();
    uint64_t most = 0;
    for (size_t size = 1000; size < recording.bytes.size; size += 97) {
        const struct rt_trace_memory cut = {.bytes = recording.bytes.bytes, .size = size};
        struct rt_trace_source source;
        struct rt_trace_reader *reader = NULL;
        struct rt_replay_result result;
        expect_good(rt_trace_source_memory(cut.bytes, cut.size, &source));
        struct rt_error *error = rt_trace_reader_create(source, &reader);
        rt_trace_reader_destroy(reader);
        rt_error_destroy(error);
        if (error) /* inside of the header */
            continue;
        expect_good(replay(&recording, &cut, replay_engines[size % REPLAY_ENGINES], NULL, &result));
        assert_true(result.is_cut);
        assert_true(result.events >= most);
        most = result.events;
    }
    assert_true(most > 20);
    destroy_recording(&recording);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_guest_does_it_itself),
        cmocka_unit_test(test_tells_the_stack),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_replay_of_replay),
        cmocka_unit_test(test_cut),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
