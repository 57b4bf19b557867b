/* When two scalars mean the same: signs, widths, NaNs, and pointers by what they point to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/compare.h"

static const struct st_type int32 = {
    .kind = ST_TYPE_BASE, .encoding = DW_ATE_signed, .size = 4, .name = "int", .is_complete = true};

static struct or_comparison comparison;
static struct or_full_report report;

static enum or_outcome compare(enum or_class class, unsigned native_size, unsigned wasm_size, unsigned bits,
                               uint64_t a, uint64_t b) {
    struct or_leaf leaf = {.class = (uint8_t)class,
                           .size = {(uint8_t)native_size, (uint8_t)wasm_size},
                           .bits = (uint8_t)bits,
                           .type = {&int32, &int32}};
    return or_leaf_compare(&comparison, &leaf, a, b);
}

static void integers(void **state) {
    (void)state;
    assert_int_equal(compare(OR_SIGNED, 4, 4, 0, 5, 5), OR_EQUAL);
    assert_int_equal(compare(OR_SIGNED, 4, 4, 0, 5, 6), OR_WRONG);
    assert_int_equal(compare(OR_SIGNED, 8, 4, 0, UINT64_MAX, UINT32_MAX), OR_EQUAL); /* -1 as a long */
    assert_int_equal(compare(OR_UNSIGNED, 8, 4, 0, UINT32_MAX, UINT32_MAX), OR_EQUAL);
    assert_int_equal(compare(OR_UNSIGNED, 1, 1, 0, 0x80, 0x81), OR_WRONG);
    assert_int_equal(compare(OR_UNSIGNED, 4, 4, 3, 7, 6), OR_WRONG);
    assert_int_equal(compare(OR_BOOLEAN, 1, 1, 0, 1, 0), OR_WRONG);
}

static void floats(void **state) {
    (void)state;
    assert_int_equal(compare(OR_FLOAT, 4, 4, 0, 0x7fc00000, 0xffc00001), OR_EQUAL); /* any NaN is a NaN */
    assert_int_equal(compare(OR_FLOAT, 4, 4, 0, 0x7f800000, 0x7fc00000), OR_WRONG); /* infinity is none */
    assert_int_equal(compare(OR_FLOAT, 8, 8, 0, UINT64_C(1) << 63, 0),
                     OR_WRONG); /* nor is -0 +0 for a debugger */
    assert_int_equal(compare(OR_FLOAT, 8, 8, 0, UINT64_C(0x7ff8000000000000), UINT64_C(0xfff8000000000000)),
                     OR_EQUAL);
}

static void pointers(void **state) {
    (void)state;
    struct st_variable a = {.name = "a", .type = &int32}, b = {.name = "b", .type = &int32};
    struct or_layout layout = {.size = {8, 8}, .is_identical = true};
    struct or_watched items[2] = {
        {.variable = {.side = {&a, &a}, .layout = &layout}, .copy = {.address = {0x7000, 0x400}}},
        {.variable = {.side = {&b, &b}, .layout = &layout}, .copy = {.address = {0x7008, 0x500}}},
    };
    uint32_t order[2] = {0, 1};
    comparison.watch = (struct or_watch){.items = items, .item_count = 2, .by_address = {order, order}};
    assert_int_equal(compare(OR_POINTER, 8, 4, 0, 0, 0), OR_EQUAL);
    assert_int_equal(compare(OR_POINTER, 8, 4, 0, 0x7000, 0x400), OR_EQUAL);
    assert_int_equal(compare(OR_POINTER, 8, 4, 0, 0x7004, 0x404), OR_EQUAL);
    assert_int_equal(compare(OR_POINTER, 8, 4, 0, 0x7004, 0x400), OR_WRONG); /* another place in it */
    assert_int_equal(compare(OR_POINTER, 8, 4, 0, 0x7000, 0x500), OR_WRONG); /* another variable */
    assert_int_equal(compare(OR_POINTER, 8, 4, 0, 0x7008, 0x500), OR_EQUAL); /* start of b, or end of a ... */
    assert_int_equal(compare(OR_POINTER, 8, 4, 0, 0x7008, 0x408), OR_EQUAL); /* ... both are meant so */
    assert_int_equal(compare(OR_POINTER, 8, 4, 0, 0x7000, 0), OR_WRONG); /* null is known to mean nothing */
    assert_int_equal(compare(OR_POINTER, 8, 4, 0, 0x9999, 0x999), OR_UNKNOWABLE);
    assert_int_equal(compare(OR_POINTER, 8, 4, 0, 0x7010, 0x408), OR_UNKNOWABLE); /* what follows b, and a */
    assert_int_equal(compare(OR_POINTER, 8, 4, 0, UINT64_C(0xa5a5a5a5a5a5a5a5), 0xa5a5a5a5), OR_EQUAL);
    struct or_leaf leaf = {.class = OR_POINTER, .size = {8, 4}, .type = {&int32, &int32}};
    assert_string_equal(or_leaf_print(&comparison, &leaf, 1, 0x404), "&a + 4 (0x404)");
    memset(&comparison.watch, 0, sizeof(comparison.watch));
}

static void printing(void **state) {
    (void)state;
    struct st_enumerator names[] = {{"RED", 0}, {"BLUE", -2}};
    struct st_type colour = {.kind = ST_TYPE_ENUM, .size = 4, .enumerators = names, .member_count = 2};
    struct or_leaf leaf = {.class = OR_ENUMERATION, .size = {4, 4}, .type = {&colour, &colour}};
    assert_string_equal(or_leaf_print(&comparison, &leaf, 0, 0xfffffffe), "BLUE");
    leaf = (struct or_leaf){.class = OR_SIGNED, .size = {2, 2}, .type = {&int32, &int32}};
    assert_string_equal(or_leaf_print(&comparison, &leaf, 0, 0xffff), "-1");
    leaf.class = OR_FLOAT;
    leaf.size[0] = 4;
    assert_string_equal(or_leaf_print(&comparison, &leaf, 0, 0x3fc00000), "1.5");
}

static int set_up(void **state) {
    (void)state;
    comparison.report = &report;
    rt_arena_init(&report.arena, 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rt_arena_clear(&report.arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(floats),
        cmocka_unit_test(pointers),
        cmocka_unit_test(printing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
