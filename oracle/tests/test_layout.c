/* Two types as one list of scalars: nesting, bit-fields, arrays, unions, and what counts as another type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <string.h>

#include "oracle/compare.h"

static const struct st_type int32 = {
    .kind = ST_TYPE_BASE, .encoding = DW_ATE_signed, .size = 4, .name = "int", .is_complete = true};
static const struct st_type int16 = {
    .kind = ST_TYPE_BASE, .encoding = DW_ATE_signed, .size = 2, .name = "short", .is_complete = true};
static const struct st_type uint32 = {.kind = ST_TYPE_BASE,
                                      .encoding = DW_ATE_unsigned,
                                      .size = 4,
                                      .name = "unsigned int",
                                      .is_complete = true};
static const struct st_type long8 = {
    .kind = ST_TYPE_BASE, .encoding = DW_ATE_signed, .size = 8, .name = "long", .is_complete = true};
static const struct st_type long4 = {
    .kind = ST_TYPE_BASE, .encoding = DW_ATE_signed, .size = 4, .name = "long", .is_complete = true};
static const struct st_type pointer8 = {.kind = ST_TYPE_POINTER, .size = 8, .target = &int32};
static const struct st_type pointer4 = {.kind = ST_TYPE_POINTER, .size = 4, .target = &int32};
static const struct st_type typedef_int = {
    .kind = ST_TYPE_TYPEDEF, .size = 4, .name = "int32_t", .target = &int32};

struct fixture {
    struct or_layouts layouts;
    struct rt_arena arena;
};

static int set_up(void **state) {
    static struct fixture fixture;
    memset(&fixture, 0, sizeof(fixture));
    rt_arena_init(&fixture.arena, 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    rt_arena_clear(&((struct fixture *)*state)->arena);
    return 0;
}

static const struct or_layout *layout_of(void **state, const struct st_type *a, const struct st_type *b) {
    struct fixture *fixture = *state;
    const struct or_layout *layout = NULL;
    assert_null(or_layout_get(&fixture->layouts, &fixture->arena, a, b, &layout));
    const struct or_layout *again = NULL;
    assert_null(or_layout_get(&fixture->layouts, &fixture->arena, a, b, &again));
    assert_ptr_equal(layout, again);
    return layout;
}

static void scalars(void **state) {
    const struct or_layout *layout = layout_of(state, &typedef_int, &int32);
    assert_null(layout->mismatch);
    assert_int_equal(layout->leaf_count, 1);
    assert_int_equal(layout->leaves[0].class, OR_SIGNED);
    assert_true(layout->is_identical);
}

static void different_scalars(void **state) {
    assert_non_null(layout_of(state, &int32, &uint32)->mismatch);
    assert_non_null(layout_of(state, &int32, &int16)->mismatch);
    assert_non_null(layout_of(state, &int32, &pointer4)->mismatch);
    assert_non_null(layout_of(state, &int32, NULL)->mismatch);
}

static void a_long_may_have_the_targets_own_size(void **state) {
    const struct or_layout *layout = layout_of(state, &long8, &long4);
    assert_null(layout->mismatch);
    assert_int_equal(layout->leaves[0].size[0], 8);
    assert_int_equal(layout->leaves[0].size[1], 4);
    assert_false(layout->is_identical);
}

static void structures_around_pointers(void **state) {
    struct st_member native[] = {{"p", &pointer8, 0, 0, 1}, {"x", &int32, 64, 0, 2}, {"y", &int16, 96, 0, 3}};
    struct st_member wasm[] = {{"p", &pointer4, 0, 0, 1}, {"x", &int32, 32, 0, 2}, {"y", &int16, 64, 0, 3}};
    struct st_type a = {.kind = ST_TYPE_STRUCT, .size = 16, .members = native, .member_count = 3};
    struct st_type b = {.kind = ST_TYPE_STRUCT, .size = 12, .members = wasm, .member_count = 3};
    struct st_type array_a = {.kind = ST_TYPE_ARRAY, .size = 48, .count = 3, .target = &a};
    struct st_type array_b = {.kind = ST_TYPE_ARRAY, .size = 36, .count = 3, .target = &b};
    const struct or_layout *layout = layout_of(state, &array_a, &array_b);
    assert_null(layout->mismatch);
    assert_int_equal(layout->leaf_count, 9);
    assert_int_equal(layout->leaves[7].offset[0], 2 * 16 + 8);
    assert_int_equal(layout->leaves[7].offset[1], 2 * 12 + 4);
    assert_string_equal(or_layout_path(layout, 7, &((struct fixture *)*state)->arena), "[2].x");
    uint64_t offset;
    assert_true(or_layout_map(layout, 16 + 8 + 2, &offset));
    assert_int_equal(offset, 12 + 4 + 2);
    assert_true(or_layout_map(layout, 48, &offset)); /* one past the end */
    assert_int_equal(offset, 36);
    assert_false(or_layout_map(layout, 14, &offset)); /* padding */
}

static void member_names_count(void **state) {
    struct st_member x[] = {{"x", &int32, 0, 0, 1}}, y[] = {{"y", &int32, 0, 0, 1}};
    struct st_type a = {.kind = ST_TYPE_STRUCT, .size = 4, .members = x, .member_count = 1};
    struct st_type b = {.kind = ST_TYPE_STRUCT, .size = 4, .members = y, .member_count = 1};
    assert_non_null(layout_of(state, &a, &b)->mismatch);
}

static void bit_fields(void **state) {
    struct st_member fields[] = {{"a", &int32, 0, 3, 1}, {"b", &uint32, 3, 30, 2}};
    struct st_type type = {.kind = ST_TYPE_STRUCT, .size = 8, .members = fields, .member_count = 2};
    const struct or_layout *layout = layout_of(state, &type, &type);
    assert_int_equal(layout->leaf_count, 2);
    uint8_t object[8] = {0xfd, 0xff, 0xff, 0xff, 0x01, 0, 0, 0}; /* a = 5 (-3 signed), b = all ones */
    assert_int_equal(or_leaf_bits(&layout->leaves[0], 0, object), 5);
    assert_int_equal(or_leaf_bits(&layout->leaves[1], 1, object), (1u << 30) - 1);
}

static void unions(void **state) {
    struct st_member plain[] = {{"i", &int32, 0, 0, 1}, {"u", &uint32, 0, 0, 2}};
    struct st_type a = {.kind = ST_TYPE_UNION, .size = 4, .members = plain, .member_count = 2};
    const struct or_layout *layout = layout_of(state, &a, &a);
    assert_int_equal(layout->leaves[0].class, OR_SIGNED);
    struct st_member n[] = {{"p", &pointer8, 0, 0, 1}, {"i", &int32, 0, 0, 2}};
    struct st_member w[] = {{"p", &pointer4, 0, 0, 1}, {"i", &int32, 0, 0, 2}};
    struct st_type x = {.kind = ST_TYPE_UNION, .size = 8, .members = n, .member_count = 2};
    struct st_type y = {.kind = ST_TYPE_UNION, .size = 4, .members = w, .member_count = 2};
    layout = layout_of(state, &x, &y);
    assert_int_equal(layout->leaves[0].class, OR_OPAQUE);
    assert_int_equal(layout->leaves[1].class, OR_OPAQUE);
}

static void a_long_long_has_one_size(void **state) {
    struct st_type eight = long8, four = long4;
    eight.name = four.name = "long long";
    assert_non_null(layout_of(state, &eight, &four)->mismatch);
    assert_null(layout_of(state, &eight, &eight)->mismatch);
}

static void enumerators_count(void **state) {
    struct st_enumerator names[] = {{"RED", 0}, {"BLUE", 1}}, values[] = {{"RED", 0}, {"BLUE", 5}},
                         others[] = {{"RED", 0}, {"GREEN", 1}};
    struct st_type a = {.kind = ST_TYPE_ENUM, .size = 4, .enumerators = names, .member_count = 2};
    struct st_type same = a, moved = a, renamed = a, shorter = a;
    moved.enumerators = values;
    renamed.enumerators = others;
    shorter.member_count = 1;
    assert_null(layout_of(state, &a, &same)->mismatch);
    assert_non_null(layout_of(state, &a, &moved)->mismatch);
    assert_non_null(layout_of(state, &a, &renamed)->mismatch);
    assert_non_null(layout_of(state, &a, &shorter)->mismatch);
}

static void a_unions_members_start_together(void **state) {
    struct st_member here[] = {{"x", &int32, 0, 0, 1}, {"y", &int16, 0, 0, 2}};
    struct st_member there[] = {{"x", &int32, 0, 0, 1}, {"y", &int16, 16, 0, 2}};
    struct st_type a = {.kind = ST_TYPE_UNION, .size = 4, .members = here, .member_count = 2}, b = a;
    b.members = there;
    assert_non_null(layout_of(state, &a, &b)->mismatch);
}

static void hostile_types_stay_inside(void **state) {
    struct st_member outside[] = {{"x", &int32, 800, 0, 1}};
    struct st_type a = {.kind = ST_TYPE_STRUCT, .size = 4, .members = outside, .member_count = 1};
    assert_non_null(layout_of(state, &a, &a)->mismatch);
    struct st_type huge = {
        .kind = ST_TYPE_ARRAY, .size = UINT64_C(4) << 40, .count = UINT64_C(1) << 40, .target = &int32};
    assert_true(layout_of(state, &huge, &huge)->leaf_count <= OR_MAX_LEAVES);
    struct st_type nothing = {.kind = ST_TYPE_STRUCT, .size = 0};
    struct st_type many = {.kind = ST_TYPE_ARRAY, .size = 0, .count = UINT64_MAX, .target = &nothing};
    assert_int_equal(layout_of(state, &many, &many)->leaf_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scalars, set_up, tear_down),
        cmocka_unit_test_setup_teardown(different_scalars, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_may_have_the_targets_own_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(structures_around_pointers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(member_names_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bit_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_long_has_one_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(enumerators_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_unions_members_start_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_types_stay_inside, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
