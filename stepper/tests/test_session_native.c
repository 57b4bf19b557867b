/* Native sessions: how they end, what a fault looks like, frames and variables at a stop, the quantum. */
#include "stepper/tests/session_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Runs without probes to the first event. */
static struct st_event run(struct st_image *image, const char *how, struct st_session **ret) {
    *ret = start(image, how, NULL, 0);
    return next(*ret);
}

static void test_exit_statuses(void **state) {
    (void)state;
    static const struct {
        const char *how;
        int status;
    } cases[] = {{"return", 3}, {"exit", 4},       {"_exit", 5},     {"_Exit", 6},
                 {"print", 0},  {"quick_exit", 7}, {"fibonacci", 8}, {"else", 4}};
    struct st_image *image = open_image("program");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct st_session *session;
        struct st_event event = run(image, cases[i].how, &session);
        assert_int_equal(event.kind, ST_EXIT);
        assert_int_equal(event.status, cases[i].status);
        assert_null(event.error);
        check_fails(st_session_next(session, &event), "it has ended");
        const struct st_frame *frames;
        size_t count;
        check_fails(st_session_frames(session, &frames, &count), "not stopped");
        st_session_destroy(session);
    }
    st_image_close(image);
}

/* A fault is seen as it is, with the whole stack, before the session ends by it. */
static void test_faults(void **state) {
    (void)state;
    static const struct {
        const char *how;
        int signal;
        const char *name, *innermost;
    } cases[] = {
        {"write", SIGSEGV, "segmentation fault", "main"},
        {"divide", SIGFPE, "arithmetic exception", "main"},
        {"illegal", SIGILL, "illegal instruction", "main"},
        {"abort", SIGABRT, "abort", "main"},
        {"assert", SIGABRT, "assertion failed", "main"},
        {"overflow", SIGSEGV, "stack overflow", "overflow"},
        {"big_frame", SIGSEGV, "stack overflow", "big_frame"},
    };
    struct st_image *image = open_image("program");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct st_session *session;
        struct st_event event = run(image, cases[i].how, &session);
        assert_int_equal(event.kind, ST_TRAP);
        assert_int_equal(event.trap, cases[i].signal);
        assert_string_equal(event.name, cases[i].name);
        assert_int_not_equal(event.pc, 0);
        const struct st_frame *frames;
        size_t count;
        check(st_session_frames(session, &frames, &count));
        assert_true(count >= 1);
        assert_string_equal(frames[0].function->name, cases[i].innermost);
        assert_string_equal(frames[count - 1].function->name, "main");
        event = next(session);
        assert_int_equal(event.kind, ST_EXIT);
        assert_int_equal(event.status, 128 + cases[i].signal);
        st_session_destroy(session);
    }
    st_image_close(image);
}

/* In a library the innermost frame has no function; its callers are found through the library's own
 * call-frame information. */
static void test_fault_in_library(void **state) {
    (void)state;
    static const char *const cases[] = {"library", "raise"};
    struct st_image *image = open_image("program");
    for (size_t i = 0; i < 2; i++) {
        struct st_session *session;
        struct st_event event = run(image, cases[i], &session);
        assert_int_equal(event.kind, ST_TRAP);
        assert_int_equal(event.pc, 0);
        const struct st_frame *frames;
        size_t count;
        check(st_session_frames(session, &frames, &count));
        assert_null(frames[0].function);
#ifndef LOCKSTEP_ASAN /* its interceptors have frames that unwind by other means */
        assert_true(count >= 2);
        assert_string_equal(frames[count - 1].function->name, "main");
#endif
        st_session_destroy(session);
    }
    st_image_close(image);
}

/* A driver may go on after a fault, at a place of its choice. */
static void test_goes_on_after_a_fault(void **state) {
    (void)state;
    struct st_image *image = open_image("program");
    struct st_session *session;
    struct st_event event = run(image, "write", &session);
    assert_int_equal(event.kind, ST_TRAP);
    check_fails(st_session_set_machine_pc(session, (uintptr_t)image), "no instruction");
    /* The next statement's first row. */
    size_t count;
    const struct st_row *rows = st_debug_rows(st_image_debug(image), &count);
    const struct st_row *at = st_debug_row_at(st_image_debug(image), event.pc);
    const struct st_row *other = NULL;
    for (size_t i = 0; i < count && other == NULL; i++) {
        if (rows[i].is_stmt && rows[i].pc > event.pc && rows[i].line > at->line) {
            other = &rows[i];
        }
    }
    assert_non_null(other);
    check(st_session_set_machine_pc(session, (uintptr_t)other->pc + st_image_bias(image)));
    event = next(session);
    assert_int_equal(event.kind, ST_EXIT);
    assert_int_equal(event.status, 4);
    st_session_destroy(session);

    event = run(image, "overflow", &session);
    assert_int_equal(event.kind, ST_TRAP);
    if (event.pc != 0) {
        uintptr_t machine = event.machine;
        struct rt_error *error = st_session_set_machine_pc(session, machine);
        rt_error_destroy(error); /* possible or not, nothing breaks */
    }
    st_session_destroy(session);
    st_image_close(image);
}

/* With probes everywhere the stub meets the end of the stack before the debuggee does. */
static void test_overflow_while_stepping(void **state) {
    (void)state;
    struct st_image *image = open_image("program");
    size_t count;
    struct st_probe *probes = all_rows(st_image_debug(image), &count);
    for (int traps = 0; traps < 2; traps++) {
        const char *argv[] = {"program", "overflow"};
        struct st_session_options options = {.argc = 2, .argv = argv, .stack_size = 128 << 10};
        struct st_session *session;
        check(st_session_create_native(image, &options, &session));
        st_session_prefer_traps(session, traps);
        check(st_session_set_probes(session, probes, count));
        struct st_event event;
        size_t depth = 0;
        while ((event = next(session)).kind == ST_STEP) {
            const struct st_frame *frames;
            check(st_session_frames(session, &frames, &depth));
        }
        assert_int_equal(event.kind, ST_TRAP);
        assert_string_equal(event.name, "stack overflow");
        assert_true(depth > 100);
        assert_int_equal(next(session).status, 128 + SIGSEGV);
        st_session_destroy(session);
    }
    free(probes);
    st_image_close(image);
}

static const struct st_variable *variable_of(const struct st_function *function, const char *name) {
    for (size_t i = 0; i < function->scope.variable_count; i++) {
        if (strcmp(function->scope.variables[i].name, name) == 0) {
            return &function->scope.variables[i];
        }
    }
    return NULL;
}

static int int_of(struct st_session *session, const struct st_frame *frame, const char *name) {
    const struct st_variable *variable = variable_of(frame->function, name);
    assert_non_null(variable);
    struct st_place place;
    st_locate(session, frame, variable, &place);
    assert_int_equal(place.kind, ST_PLACE_MEMORY);
    assert_true(st_session_on_stack(session, place.address));
    const int *value = st_session_memory(session, place.address, sizeof(int));
    assert_non_null(value);
    return *value;
}

/* Every stop of a recursion: depth, arguments of all frames, and that the cached walk says what a walk anew
 * does. */
static void test_frames_of_a_recursion(void **state) {
    (void)state;
    struct st_image *image = open_image("program");
    const struct st_function *fibonacci = st_debug_function_named(st_image_debug(image), "fibonacci");
    struct st_probe probe = {.pc = fibonacci->body, .cookie = 9, .kind = ST_BREAKPOINT};
    struct st_session *session = start(image, "fibonacci", NULL, 0);
    check(st_session_set_probes(session, &probe, 1));
    size_t calls = 0, deepest = 0;
    struct st_event event;
    while ((event = next(session)).kind == ST_BREAKPOINT) {
        calls++;
        const struct st_frame *frames, *again, *innermost;
        size_t count, count_again;
        check(st_session_frame(session, &innermost));
        check(st_session_frames(session, &frames, &count));
        check(st_session_frames(session, &again, &count_again));
        assert_ptr_equal(frames, again);
        assert_int_equal(innermost->cfa, frames[0].cfa);
        assert_int_equal(innermost->pc, event.pc);
        deepest = count > deepest ? count : deepest;
        int n = int_of(session, &frames[0], "n");
        for (size_t i = 1; i + 1 < count; i++) {
            assert_string_equal(frames[i].function->name, "fibonacci");
            assert_true(frames[i].cfa > frames[i - 1].cfa);
            int caller = int_of(session, &frames[i], "n");
            assert_true(caller == n + 1 || caller == n + 2);
            n = caller;
        }
        assert_int_equal(n, 6);
        assert_string_equal(frames[count - 1].function->name, "main");
    }
    assert_int_equal(calls, 25);
    assert_int_equal(deepest, 7);
    assert_int_equal(*(int *)global(session, "counter", sizeof(int)), 25);
    st_session_destroy(session);
    st_image_close(image);
}

static void test_memory(void **state) {
    (void)state;
    struct st_image *image = open_image("program");
    struct st_probe probe = {.pc = st_debug_function_named(st_image_debug(image), "main")->body,
                             .kind = ST_STEP};
    struct st_session *session = start(image, NULL, NULL, 0);
    check(st_session_set_probes(session, &probe, 1));
    assert_int_equal(next(session).kind, ST_STEP);
    assert_int_equal(st_session_address_size(session), 8);

    int *counter = global(session, "counter", sizeof(int));
    uint64_t address = (uint64_t)(uintptr_t)counter;
    assert_ptr_equal(st_session_memory(session, address, 4), counter);
    assert_int_equal(st_session_static_address(session, address), address - st_image_bias(image));
    assert_false(st_session_on_stack(session, address));
    /* Its code can be read and not written. */
    assert_non_null(st_session_memory(session, probe.pc + st_image_bias(image), 1));
    assert_null(st_session_writable(session, probe.pc + st_image_bias(image), 1));
    /* The kernel knows of other memory; nobody of this. */
    static const char elsewhere[] = "elsewhere";
    assert_non_null(st_session_memory(session, (uint64_t)(uintptr_t)elsewhere, sizeof(elsewhere)));
    assert_null(st_session_writable(session, (uint64_t)(uintptr_t)elsewhere, sizeof(elsewhere)));
    assert_null(st_session_memory(session, 0, 1));
    assert_null(st_session_memory(session, 8, 8));
    assert_null(st_session_memory(session, UINT64_MAX, 1));
    assert_null(st_session_memory(session, UINT64_MAX - 3, 8));
    assert_null(st_session_memory(session, address, SIZE_MAX));
    assert_null(st_session_memory(session, UINT64_C(0x8000000000000000), 8));
    st_session_destroy(session);
    st_image_close(image);
}

/* errno is the debuggee's, whatever the driver does at a stop. */
static void test_keeps_errno(void **state) {
    (void)state;
    struct st_image *image = open_image("program");
    size_t count;
    struct st_probe *probes = all_rows(st_image_debug(image), &count);
    struct st_session *session = start(image, "errno", NULL, 0);
    check(st_session_set_probes(session, probes, count));
    struct st_event event;
    while ((event = next(session)).kind == ST_STEP) {
        errno = 5;
    }
    assert_int_equal(event.status, 77);
    st_session_destroy(session);
    free(probes);
    st_image_close(image);
}

/* A debuggee that spins is interrupted again and again, and probes may come and go under its feet. */
static void test_quantum(void **state) {
    (void)state;
    struct st_image *image = open_image("program");
    size_t count;
    struct st_probe *probes = all_rows(st_image_debug(image), &count);
    struct st_session *session = start(image, "spin", NULL, 5);
    for (int i = 0; i < 20; i++) {
        struct st_event event = next(session);
        assert_int_equal(event.kind, ST_INTERRUPT);
        assert_int_not_equal(event.pc, 0);
        const struct st_frame *frames;
        size_t depth;
        check(st_session_frames(session, &frames, &depth));
        assert_int_equal(depth, 2);
        assert_string_equal(frames[0].function->name, "spin");
        /* Jumps are made over the very instructions that it stands between. */
        st_session_prefer_traps(session, i % 3 == 2);
        check(st_session_set_probes(session, probes, count));
        for (int j = 0; j < 7; j++) {
            assert_int_equal(next(session).kind, ST_STEP);
        }
        check(st_session_set_probes(session, NULL, 0));
    }
    *(volatile int *)global(session, "zero", sizeof(int)) = 1;
    struct st_event event;
    while ((event = next(session)).kind == ST_INTERRUPT) {
    }
    assert_int_equal(event.kind, ST_EXIT);
    assert_int_equal(event.status, 1);
    st_session_destroy(session);
    free(probes);
    st_image_close(image);
}

/* Standard output is the process's; what the program printed is flushed when it ends. */
static void test_output_is_flushed(void **state) {
    (void)state;
    struct st_image *image = open_image("program");
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    int saved = dup(1);
    dup2(ends[1], 1);
    struct st_session *session;
    struct st_event event = run(image, "print", &session);
    dup2(saved, 1);
    close(saved);
    close(ends[1]);
    char text[64] = {0};
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    close(ends[0]);
    assert_string_equal(text, "printed by print\n");
    assert_int_equal(event.kind, ST_EXIT);
    st_session_destroy(session);
    st_image_close(image);
}

static void test_refuses(void **state) {
    (void)state;
    struct st_image *image = open_image("program"), *other;
    check_fails(st_image_open(STEPPER_TEST_IMAGES "/program.so", &other), "open a copy");
    check_fails(st_image_open(STEPPER_TEST_IMAGES "/nothing.so", &other), "nothing.so");
    check_fails(st_image_open(STEPPER_TEST_IMAGES "/no_main.so", &other), "no function main");
    struct st_session *session = start(image, NULL, NULL, 0), *second;
    check_fails(st_session_create_native(image, NULL, &second), "a session already");
    check_fails(st_session_set_machine_pc(session, 0), "not stopped");
    struct st_probe probes[2] = {{.pc = 20, .kind = ST_STEP}, {.pc = 20, .kind = ST_STEP}};
    check_fails(st_session_set_probes(session, probes, 2), "does not ascend");
    probes[0].kind = ST_TRAP;
    check_fails(st_session_set_probes(session, probes, 1), "neither a step nor a breakpoint");
    st_session_destroy(session); /* never run */
    st_session_destroy(NULL);
    st_image_close(image);
    st_image_close(NULL);
}

/* A session that is given up in the middle; the image can be run again. */
static void test_abandoned(void **state) {
    (void)state;
    struct st_image *image = open_image("program");
    size_t count;
    struct st_probe *probes = all_rows(st_image_debug(image), &count);
    for (int i = 0; i < 50; i++) {
        struct st_session *session = start(image, "fibonacci", NULL, 0);
        check(st_session_set_probes(session, probes, count));
        for (int j = 0; j < 5 + i; j++) {
            assert_int_equal(next(session).kind, ST_STEP);
        }
        st_session_destroy(session);
    }
    free(probes);
    st_image_close(image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_statuses),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_fault_in_library),
        cmocka_unit_test(test_goes_on_after_a_fault),
        cmocka_unit_test(test_overflow_while_stepping),
        cmocka_unit_test(test_frames_of_a_recursion),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_keeps_errno),
        cmocka_unit_test(test_quantum),
        cmocka_unit_test(test_output_is_flushed),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_abandoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
