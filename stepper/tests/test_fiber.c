/* Fibers: control goes to and fro, registers and floating-point control stay each side's own, fibers nest. */
#include "stepper/fiber.h"
#include "stepper/tests/session_test.h"

#include <immintrin.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct counter {
    struct st_fiber fiber;
    int value, limit;
    struct counter *inner;
    uintptr_t stack;
};

static void count(void *user) {
    struct counter *counter = user;
    counter->stack = (uintptr_t)__builtin_frame_address(0);
    while (counter->value < counter->limit) {
        counter->value++;
        if (counter->inner != NULL) {
            st_fiber_enter(&counter->inner->fiber);
        }
        st_fiber_leave(&counter->fiber);
    }
    counter->value = -1;
    st_fiber_finish(&counter->fiber);
}

static void test_leaves_and_returns(void **state) {
    (void)state;
    struct counter counter = {.limit = 1000};
    check(st_fiber_init(&counter.fiber, 64 << 10, 4096, count, &counter));
    for (int i = 1; i <= 1000; i++) {
        st_fiber_enter(&counter.fiber);
        assert_int_equal(counter.value, i);
    }
    st_fiber_enter(&counter.fiber);
    assert_int_equal(counter.value, -1);
#ifndef LOCKSTEP_ASAN /* its frames may lie elsewhere */
    assert_true(counter.stack > counter.fiber.low && counter.stack < counter.fiber.high);
#endif
    st_fiber_clear(&counter.fiber);
}

static void test_nests(void **state) {
    (void)state;
    struct counter inner = {.limit = 100}, outer = {.limit = 50, .inner = &inner};
    check(st_fiber_init(&inner.fiber, 64 << 10, 4096, count, &inner));
    check(st_fiber_init(&outer.fiber, 64 << 10, 4096, count, &outer));
    for (int i = 1; i <= 50; i++) {
        st_fiber_enter(&outer.fiber);
        assert_int_equal(outer.value, i);
        assert_int_equal(inner.value, i);
    }
    st_fiber_clear(&outer.fiber); /* both abandoned in the middle */
    st_fiber_clear(&inner.fiber);
}

static void change_rounding(void *user) {
    struct st_fiber *fiber = user;
    _MM_SET_ROUNDING_MODE(_MM_ROUND_UP);
    st_fiber_leave(fiber);
    if (_MM_GET_ROUNDING_MODE() != _MM_ROUND_UP) {
        _MM_SET_ROUNDING_MODE(_MM_ROUND_TOWARD_ZERO); /* so that the test sees it */
    }
    st_fiber_finish(fiber);
}

static void test_keeps_floating_point_control(void **state) {
    (void)state;
    struct st_fiber fiber;
    check(st_fiber_init(&fiber, 64 << 10, 4096, change_rounding, &fiber));
    st_fiber_enter(&fiber);
    assert_int_equal(_MM_GET_ROUNDING_MODE(), _MM_ROUND_NEAREST);
    _MM_SET_ROUNDING_MODE(_MM_ROUND_DOWN);
    st_fiber_enter(&fiber);
    assert_int_equal(_MM_GET_ROUNDING_MODE(), _MM_ROUND_DOWN);
    _MM_SET_ROUNDING_MODE(_MM_ROUND_NEAREST);
    st_fiber_clear(&fiber);
}

static void test_has_a_guard(void **state) {
    (void)state;
    struct counter counter = {.limit = 1};
    check(st_fiber_init(&counter.fiber, 10000, 4096, count, &counter));
    assert_true(counter.fiber.high - counter.fiber.low >= 10000);
    assert_int_equal(counter.fiber.low - counter.fiber.guard, 4096);
    /* msync says ENOMEM of what is not mapped; the guard is, and cannot be read. */
    assert_int_equal(msync((void *)counter.fiber.guard, 4096, MS_ASYNC), 0);
    st_fiber_clear(&counter.fiber);
    st_fiber_clear(&counter.fiber); /* cleared twice is fine */
}

static void use_locals(void *user) {
    volatile uint8_t locals[100] = {0};
    struct st_fiber *fiber = user;
    locals[99] = 1;
    st_fiber_leave(fiber);
    locals[0] = locals[99];
    st_fiber_finish(fiber);
}

static size_t mapped_bytes(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Neither of its stack nor of what a sanitizer keeps for it. */
static void test_leaves_nothing_mapped(void **state) {
    enum { STACK = 1 << 20, FIBERS = 100 };
    (void)state;
    for (int entries = 0; entries <= 2; entries++) {
        size_t before = 0;
        for (int i = 0; i <= FIBERS; i++) {
            struct st_fiber fiber;
            check(st_fiber_init(&fiber, STACK, 4096, use_locals, &fiber));
            for (int k = 0; k < entries; k++)
                st_fiber_enter(&fiber);
            st_fiber_clear(&fiber);
            before = i ? before : mapped_bytes();
        }
        assert_in_range(mapped_bytes(), 0, before + (size_t)FIBERS * STACK / 4);
    }
}

static void test_refuses_nonsense(void **state) {
    (void)state;
    struct st_fiber fiber;
    check_fails(st_fiber_init(&fiber, SIZE_MAX / 2, 4096, count, NULL), "too big");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_and_returns),           cmocka_unit_test(test_nests),
        cmocka_unit_test(test_keeps_floating_point_control), cmocka_unit_test(test_has_a_guard),
        cmocka_unit_test(test_leaves_nothing_mapped),        cmocka_unit_test(test_refuses_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
