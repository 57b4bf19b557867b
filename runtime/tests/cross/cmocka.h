/* As much of cmocka as the runtime's tests use, for processors that the library is not installed for: a build
 * for another processor puts this folder in front. A failed check ends its test, the others still run. */
#ifndef LOCKSTEP_RUNTIME_TESTS_CROSS_CMOCKA_H
#define LOCKSTEP_RUNTIME_TESTS_CROSS_CMOCKA_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*function)(void **state);
};
#define cmocka_unit_test(function) {#function, function}

static jmp_buf cross_failed;

#define fail_msg(...)                                                                                        \
    do {                                                                                                     \
        printf("%s:%d: ", __FILE__, __LINE__);                                                               \
        printf(__VA_ARGS__);                                                                                 \
        putchar('\n');                                                                                       \
        longjmp(cross_failed, 1);                                                                            \
    } while (0)
#define fail()           fail_msg("failed")
#define print_error(...) printf(__VA_ARGS__)
#define assert_true(condition)                                                                               \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            fail_msg("not true: %s", #condition);                                                            \
    } while (0)
#define assert_false(condition)          assert_true(!(condition))
#define assert_null(pointer)             assert_true((pointer) == NULL)
#define assert_non_null(pointer)         assert_true((pointer) != NULL)
#define assert_ptr_equal(a, b)           assert_true((const void *)(a) == (const void *)(b))
#define assert_ptr_not_equal(a, b)       assert_true((const void *)(a) != (const void *)(b))
#define assert_string_equal(a, b)        assert_true(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, size)  assert_true(memcmp(a, b, size) == 0)
#define assert_in_range(value, low, top) assert_true((value) >= (low) && (value) <= (top))
#define assert_int_not_equal(a, b)       assert_true((uintmax_t)(a) != (uintmax_t)(b))
#define assert_int_equal(a, b)                                                                               \
    do {                                                                                                     \
        uintmax_t cross_a = (uintmax_t)(a), cross_b = (uintmax_t)(b);                                        \
        if (cross_a != cross_b)                                                                              \
            fail_msg("%s is 0x%jx, not 0x%jx", #a, cross_a, cross_b);                                        \
    } while (0)

static inline int _cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t count,
                                          int (*setup)(void **), int (*teardown)(void **)) {
    volatile int failed = 0;
    (void)setup, (void)teardown;
    for (volatile size_t i = 0; i < count; i++) {
        void *state = NULL;
        if (setjmp(cross_failed)) {
            printf("%s: %s failed\n", group, tests[i].name);
            failed++;
        } else {
            tests[i].function(&state);
        }
    }
    return failed;
}
#define cmocka_run_group_tests(tests, setup, teardown)                                                       \
    _cmocka_run_group_tests("tests", tests, sizeof(tests) / sizeof(*(tests)), setup, teardown)

#endif
