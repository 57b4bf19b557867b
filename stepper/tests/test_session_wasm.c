/* Wasm sessions, over both engines: probes, locals at a stop, traps seen before the unwinding, host calls,
 * the quantum, nesting. */
#include "stepper/tests/session_test.h"

#include <unistd.h>

/* ---- A module: one imported function (i32) -> (), _start, and a helper (i32) -> i32 ---- */

struct bytes {
    uint8_t data[512];
    size_t size;
};

static void put(struct bytes *bytes, const void *data, size_t size) {
    assert_true(bytes->size + size <= sizeof(bytes->data));
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}
#define PUT(bytes, ...) put(bytes, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Sizes below 128 are one byte of LEB128; the sections here are small. */
static void put_sized(struct bytes *bytes, const struct bytes *content) {
    assert_true(content->size < 128);
    PUT(bytes, (uint8_t)content->size);
    put(bytes, content->data, content->size);
}

static void put_name(struct bytes *bytes, const char *name) {
    PUT(bytes, (uint8_t)strlen(name));
    put(bytes, name, strlen(name));
}

static void put_section(struct bytes *module, unsigned id, const struct bytes *content) {
    PUT(module, (uint8_t)id);
    put_sized(module, content);
}

static struct bytes build(const char *import_module, const char *import_name, const struct bytes *start_body,
                          const struct bytes *helper_body) {
    struct bytes module = {0}, types = {0}, imports = {0}, functions = {0}, memory = {0}, exports = {0},
                 code = {0};
    PUT(&module, 0, 'a', 's', 'm', 1, 0, 0, 0);
    PUT(&types, 3, 0x60, 1, 0x7f, 0, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f);
    PUT(&imports, 1);
    put_name(&imports, import_module);
    put_name(&imports, import_name);
    PUT(&imports, 0, 0);
    PUT(&functions, 2, 1, 2);
    PUT(&memory, 1, 0, 1);
    PUT(&exports, 2);
    put_name(&exports, "_start");
    PUT(&exports, 0, 1);
    put_name(&exports, "memory");
    PUT(&exports, 2, 0);
    PUT(&code, 2);
    put_sized(&code, start_body);
    put_sized(&code, helper_body);
    put_section(&module, 1, &types);
    put_section(&module, 2, &imports);
    put_section(&module, 3, &functions);
    put_section(&module, 5, &memory);
    put_section(&module, 7, &exports);
    put_section(&module, 10, &code);
    return module;
}
#define BODY(...) (&(struct bytes){.data = {__VA_ARGS__}, .size = sizeof((const uint8_t[]){__VA_ARGS__})})

/* The helper: sums its argument down to 1 into its local 1. */
static const struct bytes summing = {
    .data = {1,    1,    0x7f,                      /* one local, i32 */
             0x03, 0x40,                            /* loop */
             0x20, 0,    0x20, 1,    0x6a, 0x21, 1, /* local 1 += local 0 */
             0x20, 0,    0x41, 1,    0x6b, 0x22, 0, /* local 0 -= 1 */
             0x0d, 0,    0x0b, 0x20, 1,    0x0b},   /* br_if 0 end local.get 1 end */
    .size = 25,
};

/* The engine of the test that runs: its state. */
static enum rt_engine engine_of(void *const *state) {
    return *(const enum rt_engine *)*state;
}

struct guest {
    struct rt_module *module;
    struct rt_code *code;
    struct rt_store *store;
    struct rt_wasi *wasi;
    struct rt_instance *instance;
};

/* All instructions are sites. With `host` that is the imported function, else WASI has it. */
static void open_guest(enum rt_engine engine, struct guest *guest, const struct bytes *bytes, rt_host_fn host,
                       void *user) {
    memset(guest, 0, sizeof(*guest));
    check(rt_module_create(bytes->data, bytes->size, &guest->module));
    struct rt_compile_options options = {.engine = engine, .every_instruction = true};
    check(rt_code_create(guest->module, &options, &guest->code));
    check(rt_store_create(&guest->store));
    if (host != NULL) {
        static const uint8_t parameter = RT_I32;
        struct rt_extern import = {.kind = RT_EXTERN_FUNC};
        check(rt_func_create(guest->store, "host",
                             (struct rt_func_type){.param_count = 1, .params = &parameter}, host, user,
                             &import.func));
        check(rt_instance_create(guest->store, guest->code, &import, 1, &guest->instance));
    } else {
        static const char *const args[] = {"guest"};
        struct rt_wasi_options wasi = {
            .args = args, .arg_count = 1, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
        check(rt_wasi_create(guest->store, &wasi, &guest->wasi));
        check(rt_wasi_instantiate(guest->wasi, guest->code, &guest->instance));
    }
}

static void close_guest(struct guest *guest) {
    rt_store_destroy(guest->store);
    rt_wasi_destroy(guest->wasi);
    rt_code_destroy(guest->code);
    rt_module_destroy(guest->module);
}

static struct st_session *start_guest(struct guest *guest, bool host_calls, unsigned quantum) {
    struct st_session_options options = {.host_calls = host_calls, .quantum = quantum};
    struct st_session *session;
    check(st_session_create_wasm(guest->instance, NULL, &options, &session));
    return session;
}

static struct bytes wasi_module(const struct bytes *start_body, const struct bytes *helper_body) {
    return build("wasi_snapshot_preview1", "proc_exit", start_body, helper_body);
}

/* Probes at all sites. */
static size_t probe_all(struct guest *guest, struct st_session *session, struct st_probe *probes,
                        size_t room) {
    size_t count;
    const struct rt_site *sites = rt_code_sites(guest->code, &count);
    assert_true(count <= room);
    for (size_t i = 0; i < count; i++) {
        probes[i] = (struct st_probe){.pc = sites[i].pc, .cookie = (uint32_t)i, .kind = ST_STEP};
    }
    check(st_session_set_probes(session, probes, count));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(probes[i].made, ST_PROBE_CALL);
    }
    return count;
}

/* ---- Tests ---- */

static void test_steps(void **state) {
    struct bytes module = wasi_module(BODY(0, 0x41, 5, 0x10, 2, 0x1a, 0x0b), &summing);
    struct guest guest;
    open_guest(engine_of(state), &guest, &module, NULL, NULL);
    struct st_session *session = start_guest(&guest, false, 0);
    struct st_probe probes[64];
    probe_all(&guest, session, probes, 64);
    size_t stops = 0, loops = 0;
    struct st_event event;
    uint32_t helper_start, helper_code, helper_end;
    assert_true(rt_module_function_range(guest.module, 2, &helper_start, &helper_code, &helper_end));
    while ((event = next(session)).kind == ST_STEP) {
        stops++;
        assert_int_equal(probes[event.cookie].pc, event.pc);
        const struct st_frame *frames, *innermost;
        size_t count;
        check(st_session_frames(session, &frames, &count));
        check(st_session_frame(session, &innermost));
        assert_int_equal(innermost->pc, event.pc);
        assert_int_equal(innermost->cfa, frames[0].cfa);
        bool in_helper = event.pc >= helper_start;
        assert_int_equal(count, in_helper ? 2 : 1);
        assert_int_equal(frames[0].activation.function, in_helper ? 2 : 1);
        assert_int_equal(frames[count - 1].activation.function, 1);
        if (event.pc == helper_code + 2) { /* the loop's first instruction */
            enum rt_type type;
            union rt_value left, sum;
            check(rt_activation_local(&frames[0].activation, 0, &type, &left));
            check(rt_activation_local(&frames[0].activation, 1, &type, &sum));
            assert_int_equal(left.i32, 5 - loops);
            static const uint32_t sums[] = {0, 5, 9, 12, 14};
            assert_int_equal(sum.i32, sums[loops]);
            loops++;
        }
    }
    assert_int_equal(loops, 5);
    assert_true(stops > 50);
    assert_int_equal(event.kind, ST_EXIT);
    assert_int_equal(event.status, 0);
    assert_null(event.error);
    st_session_destroy(session);
    close_guest(&guest);
}

/* A set of probes may change at any stop; what is not there any more is not stopped at. */
static void test_probes_change(void **state) {
    struct bytes module = wasi_module(BODY(0, 0x41, 5, 0x10, 2, 0x1a, 0x0b), &summing);
    struct guest guest;
    open_guest(engine_of(state), &guest, &module, NULL, NULL);
    struct st_session *session = start_guest(&guest, false, 0);
    uint32_t start_pc, code, end;
    assert_true(rt_module_function_range(guest.module, 2, &start_pc, &code, &end));
    struct st_probe probe = {.pc = code + 2, .cookie = 1, .kind = ST_BREAKPOINT};
    check(st_session_set_probes(session, &probe, 1));
    assert_int_equal(probe.made, ST_PROBE_CALL);
    assert_int_equal(next(session).kind, ST_BREAKPOINT);
    probe = (struct st_probe){.pc = code + 9, .cookie = 2, .kind = ST_STEP};
    check(st_session_set_probes(session, &probe, 1));
    struct st_event event = next(session);
    assert_int_equal(event.kind, ST_STEP);
    assert_int_equal(event.cookie, 2);
    assert_int_equal(event.pc, code + 9);
    /* A function's local declarations stand for its first instruction; other pcs must be sites. */
    struct st_probe probes[] = {{.pc = start_pc, .cookie = 3, .kind = ST_STEP},
                                {.pc = code + 3, .cookie = 4, .kind = ST_STEP},
                                {.pc = UINT32_MAX, .cookie = 5, .kind = ST_STEP},
                                {.pc = UINT64_MAX, .cookie = 6, .kind = ST_STEP}};
    check(st_session_set_probes(session, probes, 4));
    assert_int_equal(probes[0].made, ST_PROBE_CALL);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(probes[i].made, ST_PROBE_NONE);
    }
    check(st_session_set_probes(session, NULL, 0));
    event = next(session);
    assert_int_equal(event.kind, ST_EXIT);
    st_session_destroy(session);
    close_guest(&guest);
}

/* A trap is an event with all frames still there; going on ends the session with the error. */
static void test_traps(void **state) {
    static const struct {
        struct bytes helper;
        enum rt_trap trap;
    } cases[] = {
        {{.data = {0, 0x00, 0x0b}, .size = 3}, RT_TRAP_UNREACHABLE},
        {{.data = {0, 0x41, 0x7f, 0x28, 2, 4, 0x0b}, .size = 7}, RT_TRAP_MEMORY_OUT_OF_BOUNDS},
        {{.data = {0, 0x20, 0, 0x41, 0, 0x6d, 0x0b}, .size = 7}, RT_TRAP_INTEGER_DIVIDE_BY_ZERO},
        /* Many locals, so that frames are large and their number is not. */
        {{.data = {1, 100, 0x7e, 0x20, 0, 0x10, 2, 0x0b}, .size = 8}, RT_TRAP_STACK_EXHAUSTED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes module = wasi_module(BODY(0, 0x41, 5, 0x10, 2, 0x1a, 0x0b), &cases[i].helper);
        struct guest guest;
        open_guest(engine_of(state), &guest, &module, NULL, NULL);
        struct st_session *session = start_guest(&guest, false, 0);
        struct st_event event = next(session);
        assert_int_equal(event.kind, ST_TRAP);
        assert_int_equal(event.trap, cases[i].trap);
        assert_string_equal(event.name, rt_trap_message(cases[i].trap));
        uint32_t function;
        assert_true(rt_module_function_at(guest.module, (uint32_t)event.pc, &function));
        assert_int_equal(function, 2);
        const struct st_frame *frames;
        size_t count;
        check(st_session_frames(session, &frames, &count));
        assert_true(count >= 2);
        assert_int_equal(frames[0].activation.function, 2);
        assert_int_equal(frames[count - 1].activation.function, 1);
        if (cases[i].trap == RT_TRAP_STACK_EXHAUSTED) {
            assert_true(count > 1000);
        } else {
            enum rt_type type;
            union rt_value value;
            check(rt_activation_local(&frames[0].activation, 0, &type, &value));
            assert_int_equal(value.i32, 5);
        }
        event = next(session);
        assert_int_equal(event.kind, ST_EXIT);
        assert_int_equal(event.status, 134);
        assert_non_null(event.error);
        assert_int_equal(event.error->code, RT_TRAP);
        assert_int_equal(event.error->trap, cases[i].trap);
        st_session_destroy(session);
        close_guest(&guest);
    }
}

static void test_host_calls(void **state) {
    struct bytes module = wasi_module(BODY(0, 0x41, 42, 0x10, 0, 0x0b), &summing);
    struct guest guest;
    open_guest(engine_of(state), &guest, &module, NULL, NULL);
    struct st_session *session = start_guest(&guest, true, 0);
    struct st_event event = next(session);
    assert_int_equal(event.kind, ST_HOST_CALL);
    assert_string_equal(event.name, "wasi_snapshot_preview1.proc_exit");
    const struct st_frame *frames;
    size_t count;
    check(st_session_frames(session, &frames, &count));
    assert_int_equal(count, 1);
    assert_int_equal(frames[0].pc, event.pc);
    check_fails(st_session_set_machine_pc(session, event.machine), engine_of(state) == RT_ENGINE_INTERP
                                                                       ? "an interpreted guest"
                                                                       : "not stopped in its own code");
    event = next(session);
    assert_int_equal(event.kind, ST_HOST_RETURN);
    event = next(session);
    assert_int_equal(event.kind, ST_EXIT);
    assert_int_equal(event.status, 42);
    st_session_destroy(session);
    close_guest(&guest);
}

static void test_memory(void **state) {
    /* i32.store8 at 100 */
    struct bytes module =
        wasi_module(BODY(0, 0x41, 0xe4, 0, 0x41, 7, 0x3a, 0, 0, 0x41, 1, 0x10, 2, 0x1a, 0x0b), &summing);
    struct guest guest;
    open_guest(engine_of(state), &guest, &module, NULL, NULL);
    struct st_session *session = start_guest(&guest, false, 0);
    uint32_t start_pc, code, end;
    assert_true(rt_module_function_range(guest.module, 2, &start_pc, &code, &end));
    struct st_probe probe = {.pc = code, .kind = ST_STEP};
    check(st_session_set_probes(session, &probe, 1));
    assert_int_equal(next(session).kind, ST_STEP);
    const uint8_t *byte = st_session_memory(session, 100, 1);
    assert_non_null(byte);
    assert_int_equal(*byte, 7);
    assert_ptr_equal(st_session_writable(session, 100, 1), byte);
    assert_non_null(st_session_memory(session, 65535, 1));
    assert_null(st_session_memory(session, 65535, 2));
    assert_null(st_session_memory(session, 65537, 0));
    assert_null(st_session_memory(session, UINT64_MAX, 2));
    assert_int_equal(st_session_address_size(session), 4);
    assert_false(st_session_on_stack(session, 100));
    assert_int_equal(st_session_static_address(session, 100), 100);
    st_session_destroy(session); /* abandoned */
    close_guest(&guest);
}

/* What a session is to run may be the driver's own: here two calls of the helper, and their sum. */
static struct rt_error *call_twice(void *user, struct rt_instance *instance, int *ret_status) {
    (void)user;
    *ret_status = 0;
    for (uint32_t n = 3; n <= 4; n++) {
        union rt_value argument = {.i32 = n}, sum;
        struct rt_error *error = rt_func_call(rt_instance_func(instance, 2), &argument, &sum);
        if (error != NULL) {
            return error;
        }
        *ret_status += (int)sum.i32;
    }
    return NULL;
}

static void test_runs_what_the_driver_wants(void **state) {
    struct bytes module = wasi_module(BODY(0, 0x0b), &summing);
    struct guest guest;
    open_guest(engine_of(state), &guest, &module, NULL, NULL);
    struct st_session_options options = {.run = call_twice};
    struct st_session *session;
    check(st_session_create_wasm(guest.instance, NULL, &options, &session));
    uint32_t start_pc, code, end;
    assert_true(rt_module_function_range(guest.module, 2, &start_pc, &code, &end));
    struct st_probe probe = {.pc = code, .kind = ST_STEP}; /* the loop */
    check(st_session_set_probes(session, &probe, 1));
    struct st_event event;
    int rounds = 0;
    while ((event = next(session)).kind == ST_STEP) {
        rounds++;
    }
    assert_int_equal(rounds, 3 + 4);
    assert_int_equal(event.kind, ST_EXIT);
    assert_int_equal(event.status, 3 + 2 + 1 + 4 + 3 + 2 + 1);
    st_session_destroy(session);
    close_guest(&guest);
}

static void test_machine_pc(void **state) {
    struct bytes module = wasi_module(BODY(0, 0x01, 0x01, 0x0b), &summing);
    struct guest guest;
    open_guest(engine_of(state), &guest, &module, NULL, NULL);
    struct st_session *session = start_guest(&guest, false, 0);
    struct st_probe probes[64];
    probe_all(&guest, session, probes, 64);
    struct st_event first = next(session);
    if (engine_of(state) == RT_ENGINE_INTERP) {
        check_fails(st_session_set_machine_pc(session, first.machine), "interpreted");
        assert_int_equal(next(session).pc, first.pc + 1);
    } else {
        assert_int_equal(next(session).pc, first.pc + 1);
        check(st_session_set_machine_pc(session, first.machine));
        assert_int_equal(next(session).pc, first.pc);
    }
    st_session_destroy(session);
    close_guest(&guest);
}

static void test_quantum(void **state) {
    struct bytes module = wasi_module(BODY(0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b), &summing);
    struct guest guest;
    open_guest(engine_of(state), &guest, &module, NULL, NULL);
    struct st_session *session = start_guest(&guest, false, 5);
    for (int i = 0; i < 5; i++) {
        struct st_event event = next(session);
        assert_int_equal(event.kind, ST_INTERRUPT);
        assert_true(event.pc != 0);
        const struct st_frame *frames;
        size_t count;
        check(st_session_frames(session, &frames, &count));
        assert_int_equal(count, 1);
        assert_int_equal(frames[0].activation.function, 1);
    }
    st_session_destroy(session);
    close_guest(&guest);
}

/* ---- Nesting: the host function of one guest steps another debuggee ---- */

struct nest {
    struct st_session *inner;
    int calls;
    struct st_event last;
};

static struct rt_error *drive_inner(void *user, struct rt_caller *caller, const union rt_value *args,
                                    union rt_value *results) {
    struct nest *nest = user;
    (void)caller, (void)args, (void)results;
    nest->calls++;
    if (nest->last.kind != ST_EXIT) {
        return st_session_next(nest->inner, &nest->last);
    }
    return NULL;
}

static void test_nests(void **state) {
    struct st_image *image = open_image("program");
    size_t row_count;
    struct st_probe *rows = all_rows(st_image_debug(image), &row_count);
    struct nest nest = {.inner = start(image, "return", NULL, 0), .last = {.kind = ST_STEP}};
    check(st_session_set_probes(nest.inner, rows, row_count));

    /* Calls the host 200 times: local 0 counts down. */
    struct bytes module = build("env", "host",
                                BODY(1, 1, 0x7f, 0x41, 0xc8, 1, 0x21, 0, 0x03, 0x40, 0x41, 1, 0x10, 0, 0x20,
                                     0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x0b),
                                &summing);
    struct guest guest;
    open_guest(engine_of(state), &guest, &module, drive_inner, &nest);
    struct st_session *session = start_guest(&guest, false, 0);
    struct st_probe probes[64];
    probe_all(&guest, session, probes, 64);
    size_t stops = 0;
    struct st_event event;
    while ((event = next(session)).kind == ST_STEP) {
        stops++;
        if (nest.last.kind == ST_STEP && nest.calls > 0) { /* both are stopped, and both can be looked at */
            const struct st_frame *frames;
            size_t count;
            check(st_session_frames(nest.inner, &frames, &count));
            assert_string_equal(frames[count - 1].function->name, "main");
            check(st_session_frames(session, &frames, &count));
            assert_int_equal(count, 1);
        }
    }
    assert_int_equal(event.kind, ST_EXIT);
    assert_int_equal(event.status, 0);
    assert_int_equal(nest.calls, 200);
    assert_true(stops > 1000);
    assert_int_equal(nest.last.kind, ST_EXIT);
    assert_int_equal(nest.last.status, 3);
    st_session_destroy(session);
    st_session_destroy(nest.inner);
    close_guest(&guest);
    free(rows);
    st_image_close(image);
}

/* A host function that drives its own caller gets an error, not a crash. */
static struct rt_error *drive_self(void *user, struct rt_caller *caller, const union rt_value *args,
                                   union rt_value *results) {
    struct st_session **session = user;
    (void)caller, (void)args, (void)results;
    struct st_event event;
    check_fails(st_session_next(*session, &event), "it is running");
    check_fails(st_session_set_probes(*session, NULL, 0), "not stopped");
    return NULL;
}

static void test_does_not_drive_itself(void **state) {
    struct st_session *session;
    struct bytes module = build("env", "host", BODY(0, 0x41, 1, 0x10, 0, 0x0b), &summing);
    struct guest guest;
    open_guest(engine_of(state), &guest, &module, drive_self, &session);
    session = start_guest(&guest, false, 0);
    assert_int_equal(next(session).kind, ST_EXIT);
    st_session_destroy(session);
    close_guest(&guest);
}

/* ---- The same tests for each engine ---- */

#define TESTS(engine)                                                                                        \
    {"steps " #engine, test_steps, NULL, NULL, &engine},                                                     \
        {"probes change " #engine, test_probes_change, NULL, NULL, &engine},                                 \
        {"traps " #engine, test_traps, NULL, NULL, &engine},                                                 \
        {"host calls " #engine, test_host_calls, NULL, NULL, &engine},                                       \
        {"memory " #engine, test_memory, NULL, NULL, &engine},                                               \
        {"runs what the driver wants " #engine, test_runs_what_the_driver_wants, NULL, NULL, &engine},       \
        {"machine pc " #engine, test_machine_pc, NULL, NULL, &engine},                                       \
        {"quantum " #engine, test_quantum, NULL, NULL, &engine},                                             \
        {"nests " #engine, test_nests, NULL, NULL, &engine}, {                                               \
        "does not drive itself " #engine, test_does_not_drive_itself, NULL, NULL, &engine                    \
    }

int main(void) {
    static enum rt_engine compiled = RT_ENGINE_COMPILED, interp = RT_ENGINE_INTERP;
    const struct CMUnitTest tests[] = {TESTS(compiled), TESTS(interp)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
