/* Interposition: what stands between guests and host functions answers for them, forwards with other
 * arguments, writes the guest's memory, traps; the recording has that as the host's doing, with messages
 * beside it, and both engines replay it without what interposed. */
#include "runtime/tests/recording.h"

enum { ANSWERED = 10, CHANGED = 20, TRAPPED = 30 }; /* arguments of f */

struct interposer {
    struct rt_recorder *recorder;
    uint32_t calls, seen; /* the last argument */
};

static struct rt_error *interpose(void *user, struct rt_caller *caller, const struct rt_func *func,
                                  const union rt_value *args, union rt_value *results) {
    struct interposer *interposer = user;
    const union rt_value other = {.i32 = 1000};

    assert_string_equal(rt_func_name(func), "env.f");
    interposer->calls++;
    interposer->seen = args[0].i32;
    if (interposer->recorder)
        expect_good(rt_recorder_message(interposer->recorder, "interposed", "note", 4));
    if (args[0].i32 == ANSWERED) {
        results[0].i32 = 5;
        return NULL;
    }
    if (args[0].i32 == TRAPPED) {
        struct rt_error *error = rt_error_format(RT_TRAP, "interposed");
        error->trap = RT_TRAP_HOST;
        return error;
    }
    if (args[0].i32 != CHANGED)
        return rt_func_forward(func, caller, args, results);
    static const uint8_t seven[4] = {7};
    assert_true(rt_guest_write(caller, 4, seven, sizeof seven));
    assert_false(rt_guest_write(caller, 65535, seven, sizeof seven));
    struct rt_error *error = rt_func_forward(func, caller, &other, results);
    results[0].i32 *= 2;
    return error;
}

/* The hooks are told of the call as the guest makes it, and of the result that it gets. */
struct told {
    uint32_t argument, result;
};
static void tell_call(void *user, struct rt_caller *caller, const struct rt_func *func,
                      const union rt_value *args) {
    (void)caller, (void)func;
    ((struct told *)user)->argument = args[0].i32;
}
static void tell_return(void *user, struct rt_caller *caller, const struct rt_func *func,
                        const union rt_value *results, struct rt_error *error) {
    (void)caller, (void)func;
    ((struct told *)user)->result = error ? 0 : results[0].i32;
}

/* f of the argument, plus what is at address 4. */
static struct rt_module *build_caller(void) {
    struct builder builder = {0};
    const uint32_t imported = build_import(&builder, "f", "i:i");
    build_memory(&builder, 1, 1);
    build_export(&builder, "memory", RT_EXTERN_MEMORY, 0);
    BUILD_FUNCTION(&builder, "run", "i:i", "", RT_OP_LOCAL_GET, 0, RT_OP_CALL, (uint8_t)imported,
                   RT_OP_I32_CONST, 4, RT_OP_I32_LOAD, 2, 0, RT_OP_I32_ADD);
    return build_module(&builder);
}

/* A store with that and its host function, which the interposer stands before; with `bytes`, recorded. */
struct made {
    struct recording recording;
    struct codes codes;
    struct rt_store *store;
    struct rt_instance *instance;
    struct rt_func *f;
    struct interposer interposer;
};

static void make(struct made *made, bool is_recorded) {
    static const uint8_t i32[] = {RT_I32};
    *made = (struct made){.recording.modules = {build_caller(), build_trapping(), build_trapping()}};
    made->codes = make_codes(&made->recording, tested_engine);
    expect_good(rt_store_create(&made->store));
    if (is_recorded)
        expect_good(start_recorder(made->store, &made->codes, rt_trace_sink_memory(&made->recording.bytes),
                                   &made->interposer.recorder));
    expect_good(
        rt_func_create(made->store, "env.f", (struct rt_func_type){1, 1, i32, i32}, count, NULL, &made->f));
    rt_store_interpose(made->store, interpose, &made->interposer);
    const struct rt_extern import = {.kind = RT_EXTERN_FUNC, .func = made->f};
    expect_good(rt_instance_create(made->store, made->codes.codes[0], &import, 1, &made->instance));
}

static void destroy(struct made *made) {
    rt_recorder_destroy(made->interposer.recorder);
    rt_store_destroy(made->store);
    destroy_codes(&made->codes);
    destroy_recording(&made->recording);
}

static uint32_t run_it(struct made *made, uint32_t argument) {
    uint32_t result;
    expect_good(call_guest(made->instance, "run", argument, 0, &result));
    return result;
}

static void expect_trapped(struct made *made) {
    uint32_t result;
    struct rt_error *error = call_guest(made->instance, "run", TRAPPED, 0, &result);
    assert_non_null(error);
    assert_int_equal(error->trap, RT_TRAP_HOST);
    assert_string_equal(error->message, "interposed");
    rt_error_destroy(error);
}

static void test_calls(void **state) {
    (void)state;
    struct told told = {0, 0};
    struct made made;

    make(&made, false);
    rt_store_set_hooks(made.store,
                       &(struct rt_hooks){.user = &told, .host_call = tell_call, .host_return = tell_return});
    assert_int_equal(run_it(&made, 1), 2);
    assert_int_equal(run_it(&made, ANSWERED), 5);
    assert_int_equal(run_it(&made, CHANGED), 2 * 1001 + 7);
    assert_int_equal(told.argument, CHANGED);
    assert_int_equal(told.result, 2 * 1001);
    expect_trapped(&made);
    assert_int_equal(made.interposer.calls, 4);
    /* A call by the host goes past it, and so does all when it is taken away. */
    const union rt_value argument = {.i32 = ANSWERED};
    union rt_value direct;
    expect_good(rt_func_call(made.f, &argument, &direct));
    assert_int_equal(direct.i32, ANSWERED + 1);
    rt_store_interpose(made.store, NULL, NULL);
    assert_int_equal(run_it(&made, ANSWERED), ANSWERED + 1 + 7);
    assert_int_equal(made.interposer.calls, 4);
    destroy(&made);
}

/* What the trace says of the call with an argument: its own argument, a message, then the result. */
static void expect_recorded(const struct rt_trace_memory *bytes, uint32_t argument, uint32_t result) {
    struct rt_trace_reader *reader = open_reader(bytes);
    const struct rt_trace_event *event;
    bool is_it = false, has_message = false;

    for (;;) {
        expect_good(rt_trace_reader_next(reader, &event));
        assert_non_null(event);
        if (event->kind == RT_TRACE_IMPORT_CALL)
            is_it = event->import_call.arguments.values[0].i32 == argument;
        if (is_it && event->kind == RT_TRACE_MESSAGE) {
            has_message = true;
            assert_memory_equal(event->message.name.data, "interposed", event->message.name.size);
            assert_int_equal(event->message.bytes.size, 4);
        }
        if (is_it && event->kind == RT_TRACE_IMPORT_RETURN)
            break;
    }
    assert_true(has_message);
    assert_int_equal(event->import_return.results.values[0].i32, result);
    rt_trace_reader_destroy(reader);
}

static void test_recorded(void **state) {
    (void)state;
    struct made made;

    make(&made, true);
    (void)run_it(&made, 1);
    (void)run_it(&made, ANSWERED);
    (void)run_it(&made, CHANGED);
    expect_trapped(&made);
    const uint64_t events = rt_recorder_totals(made.interposer.recorder).events;
    expect_good(rt_recorder_finish(made.interposer.recorder));
    expect_recorded(&made.recording.bytes, 1, 2);
    expect_recorded(&made.recording.bytes, ANSWERED, 5);
    expect_recorded(&made.recording.bytes, CHANGED, 2 * 1001);
    for (size_t i = 0; i < REPLAY_ENGINES; i++) {
        struct rt_replay_result replayed;
        expect_good(replay(&made.recording, &made.recording.bytes, replay_engines[i], NULL, &replayed));
        assert_true(replayed.has_end);
        assert_int_equal(replayed.outcome, RT_TRACE_TRAPPED);
        assert_int_equal(replayed.events, events + 1); /* and the end */
    }
    destroy(&made);
}

/* A message that cannot be written is a failure to record. */
static void test_bad_message(void **state) {
    (void)state;
    struct made made;
    uint32_t result;

    make(&made, true);
    struct rt_error *error = rt_recorder_message(made.interposer.recorder, "\xff", "", 0);
    assert_non_null(error);
    assert_int_equal(error->code, RT_USAGE);
    rt_error_destroy(error);
    struct rt_recorder *recorder = made.interposer.recorder;
    made.interposer.recorder = NULL; /* interposes, and adds no message */
    error = call_guest(made.instance, "run", 1, 0, &result);
    assert_non_null(error);
    rt_error_destroy(error);
    made.interposer.recorder = recorder;
    destroy(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_bad_message),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
