/* Traps: their errors and hook, and signals that are none of ours. */
#include "runtime/tests/builder.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#define GET(n) RT_OP_LOCAL_GET, n

static struct running trapping(void) {
    struct builder builder = {0};
    build_memory(&builder, 1, 1);
    BUILD_FUNCTION(&builder, "unreachable", ":", "", RT_OP_NOP, RT_OP_UNREACHABLE);
    BUILD_FUNCTION(&builder, "load", "ii:i", "", GET(0), RT_OP_I32_LOAD, 2, 16);
    BUILD_FUNCTION(&builder, "divide", "ii:i", "", GET(0), GET(1), RT_OP_I32_DIV_S);
    BUILD_FUNCTION(&builder, "forever", ":", "", RT_OP_CALL, 3);
    return run(&builder);
}

static void test_messages(void **state) {
    (void)state;
    struct running running = trapping();
    char message[256], expected[256];
    uint32_t start, code, end;
    assert_true(rt_module_function_range(running.module, 0, &start, &code, &end));
    expect_trap_error(rt_func_call(exported(&running, "unreachable"), NULL, NULL), RT_TRAP_UNREACHABLE,
                      message);
    snprintf(expected, sizeof(expected), "unreachable: function 0 (unreachable), Wasm pc 0x%x", code + 1);
    assert_string_equal(message, expected);
    expect_trap(&running, "load", UINT32_MAX, 0, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    expect_trap(&running, "divide", 1, 0, RT_TRAP_INTEGER_DIVIDE_BY_ZERO);
    expect_trap(&running, "divide", 0x80000000, UINT32_MAX, RT_TRAP_INTEGER_OVERFLOW);
    expect_trap(&running, "forever", 0, 0, RT_TRAP_STACK_EXHAUSTED);
    assert_string_equal(rt_trap_message(RT_TRAP_UNREACHABLE), "unreachable");
    stop(&running);
}

struct seen {
    struct rt_trap_info info;
    int count;
};
static void note_trap(void *user, const struct rt_trap_info *info, void *context) {
    struct seen *seen = user;
    assert_int_equal(!context, tested_engine == RT_ENGINE_INTERP);
    seen->info = *info;
    seen->count++;
}

static void test_hook(void **state) {
    (void)state;
    struct running running = trapping();
    struct seen seen = {0};
    rt_store_set_hooks(running.store, &(struct rt_hooks){.user = &seen, .trap = note_trap});
    expect_trap(&running, "load", 0xfffffff0, 0, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.info.trap, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    assert_int_equal(seen.info.fault_address, 0x100000000);
    uint32_t function, pc, start, code, end;
    assert_true(rt_code_pc(running.code, seen.info.machine, &function, &pc));
    assert_true(rt_module_function_range(running.module, 1, &start, &code, &end));
    assert_int_equal(function, 1);
    assert_int_equal(pc, code + 2);
    expect_trap(&running, "divide", 1, 0, RT_TRAP_INTEGER_DIVIDE_BY_ZERO);
    assert_int_equal(seen.info.trap, RT_TRAP_INTEGER_DIVIDE_BY_ZERO);
    assert_true(rt_code_pc(running.code, seen.info.machine, &function, &pc));
    assert_int_equal(function, 2);
    stop(&running);
}

/* ---- Signals of others ---- */

static sigjmp_buf escape;
static volatile sig_atomic_t foreign;

static void foreign_handler(int number, siginfo_t *info, void *context) {
    (void)info, (void)context;
    foreign = number;
    siglongjmp(escape, 1);
}

static void test_foreign_signals(void **state) {
    (void)state;
    static const int numbers[] = {SIGSEGV, SIGILL, SIGBUS};
    struct sigaction before[3],
        action = {.sa_sigaction = foreign_handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    for (unsigned i = 0; i < 3; i++)
        sigaction(numbers[i], &action, &before[i]);
    struct running running = trapping(); /* puts our handlers in front */
    volatile uint8_t *guard = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(guard != MAP_FAILED);
    for (volatile int round = 0; round < 3; round++) {
        foreign = 0;
        if (!sigsetjmp(escape, 1))
            (void)*guard;
        assert_int_equal(foreign, SIGSEGV);
        foreign = 0;
        if (!sigsetjmp(escape, 1))
            raise(SIGILL);
        assert_int_equal(foreign, SIGILL);
        /* Even in a memory's guard pages, when it is the host that reads there. */
        foreign = 0;
        if (!sigsetjmp(escape, 1))
            (void)*(volatile uint8_t *)(rt_memory_base(rt_instance_memory(running.instance, 0)) + 65536);
        assert_int_equal(foreign, SIGSEGV);
        expect_trap(&running, "load", UINT32_MAX, 0, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    }
    munmap((void *)(uintptr_t)guard, 4096);
    stop(&running);
    for (unsigned i = 0; i < 3; i++)
        sigaction(numbers[i], &before[i], NULL);
}

static void *in_thread(void *user) {
    struct running running = trapping();
    for (unsigned i = 0; i < 100; i++) {
        expect_trap(&running, "unreachable", 0, 0, RT_TRAP_UNREACHABLE);
        expect_trap(&running, "load", UINT32_MAX, 0, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
        expect_trap(&running, "forever", 0, 0, RT_TRAP_STACK_EXHAUSTED);
    }
    stop(&running);
    return user;
}

static void test_threads(void **state) {
    pthread_t threads[4];
    void *returned;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, in_thread, state), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &returned), 0);
        assert_ptr_equal(returned, state);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_hook),
        cmocka_unit_test(test_foreign_signals),
        cmocka_unit_test(test_threads),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
