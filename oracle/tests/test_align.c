/* Finding the next common stop of two sequences. Letters stand for anchors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "oracle/compare.h"

static bool find(const char *native, const char *wasm, uint32_t ret[2]) {
    enum { LIMIT = 64 };
    struct or_ahead *ahead = calloc(1, sizeof(*ahead) + 2 * LIMIT * sizeof(struct or_seen));
    assert_non_null(ahead);
    ahead->limit = LIMIT;
    const char *texts[2] = {native, wasm};
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; texts[side][i]; i++, ahead->count[side] = i)
            ahead->stops[side * LIMIT + i] = (struct or_seen){(uint32_t)texts[side][i], 1};
    bool found = or_find_common(ahead, ret);
    free(ahead);
    return found;
}

static void expect(const char *native, const char *wasm, uint32_t skip_native, uint32_t skip_wasm) {
    uint32_t skip[2] = {99, 99};
    assert_true(find(native, wasm, skip));
    assert_int_equal(skip[0], skip_native);
    assert_int_equal(skip[1], skip_wasm);
}

static void one_side_has_more(void **state) {
    (void)state;
    expect("xabcd", "abcd", 1, 0);
    expect("abcd", "xyabcd", 0, 2);
}

static void each_has_its_own(void **state) {
    (void)state;
    expect("xabcd", "yabcd", 1, 1);
    expect("xxxabcd", "yabcd", 3, 1);
}

static void a_chance_meeting_is_passed_over(void **state) {
    (void)state;
    expect("abqrs", "bxqrs", 2, 2); /* b meets b at once, but then they part again */
}

static void the_end_confirms(void **state) {
    (void)state;
    expect("xab", "ab", 1, 0);
    expect("xa", "a", 1, 0);
}

static void nothing_in_common(void **state) {
    (void)state;
    uint32_t skip[2];
    assert_false(find("abc", "xyz", skip));
    assert_false(find("", "xyz", skip));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_side_has_more),
        cmocka_unit_test(each_has_its_own),
        cmocka_unit_test(a_chance_meeting_is_passed_over),
        cmocka_unit_test(the_end_confirms),
        cmocka_unit_test(nothing_in_common),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
