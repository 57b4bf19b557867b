/* Location lists of both formats, from bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "stepper/debug.h"

static struct rt_arena arena;
static struct st_section sections[ST_SECTION_COUNT];
static struct st_unit unit;
/* .debug_addr: a header of 8 bytes, then 0x1000, 0x2000 and a tombstone of 4 bytes each */
static const uint8_t addresses[] = {0, 0, 0, 0,    0, 0, 0,    0,    0,    0x10,
                                    0, 0, 0, 0x20, 0, 0, 0xff, 0xff, 0xff, 0xff};

static int set_up(void **state) {
    (void)state;
    memset(sections, 0, sizeof sections);
    sections[ST_SECTION_ADDR] = (struct st_section){addresses, sizeof addresses};
    unit = (struct st_unit){.sections = sections,
                            .version = 5,
                            .address_size = 4,
                            .offset_size = 4,
                            .address_base = 8,
                            .low = 0x100};
    rt_arena_init(&arena, 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (size_t i = 0; i < ST_SECTION_COUNT; i++)
        if (i != ST_SECTION_ADDR)
            free((void *)sections[i].bytes);
    rt_arena_clear(&arena);
    return 0;
}

/* Makes the section of copied bytes, of their exact size. */
static void set_section(enum st_section_kind kind, const uint8_t *bytes, size_t size) {
    free((void *)sections[kind].bytes);
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    sections[kind] = (struct st_section){copy, size};
}
#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static struct st_location read_list(uint64_t offset) {
    struct st_location location;
    struct rt_error *error = st_location_list_read(&unit, offset, &arena, &location);
    if (error)
        fail_msg("%s", error->message);
    assert_int_equal(location.kind, ST_LOCATION_EXPRESSIONS);
    return location;
}

static void check_error(const uint8_t *bytes, size_t size, const char *part) {
    struct st_location location;
    set_section(unit.version < 5 ? ST_SECTION_LOC : ST_SECTION_LOCLISTS, bytes, size);
    struct rt_error *error = st_location_list_read(&unit, 0, &arena, &location);
    assert_non_null(error);
    if (!strstr(error->message, part))
        fail_msg("\"%s\" does not say \"%s\"", error->message, part);
    rt_error_destroy(error);
}

static void check(const struct st_location *location, size_t index, uint64_t low, uint64_t high,
                  uint8_t first_byte) {
    assert_in_range(index, 0, location->count - 1);
    const struct st_expression *expression = &location->expressions[index];
    assert_int_equal(expression->range.low, low);
    assert_int_equal(expression->range.high, high);
    assert_int_equal(expression->size, 1);
    assert_int_equal(expression->bytes[0], first_byte);
    assert_ptr_equal(expression->unit, &unit);
}

static void test_version_4(void **state) {
    (void)state;
    unit.version = 4;
    set_section(ST_SECTION_LOC,
                BYTES(0xaa,                                                       /* not ours */
                      0x10, 0, 0, 0, 0x20, 0, 0, 0, 1, 0, 0x51,                   /* from the unit's base */
                      0x20, 0, 0, 0, 0x20, 0, 0, 0, 1, 0, 0x52,                   /* empty */
                      0xff, 0xff, 0xff, 0xff, 0, 0x40, 0, 0,                      /* base 0x4000 */
                      0x10, 0, 0, 0, 0x18, 0, 0, 0, 1, 0, 0x53,                   /* */
                      0xfe, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 1, 0, 0x54, /* dropped */
                      0x20, 0, 0, 0, 0x28, 0, 0, 0, 0, 0,                         /* optimized out */
                      0, 0, 0, 0, 0, 0, 0, 0));
    struct st_location location = read_list(1);
    assert_int_equal(location.count, 3);
    check(&location, 0, 0x110, 0x120, 0x51);
    check(&location, 1, 0x4010, 0x4018, 0x53);
    assert_int_equal(location.expressions[2].range.low, 0x4020);
    assert_int_equal(location.expressions[2].size, 0);
}

static void test_version_4_errors(void **state) {
    (void)state;
    unit.version = 4;
    check_error(BYTES(0x10, 0, 0, 0, 0x20, 0, 0, 0, 1, 0), "unexpected end");
    check_error(BYTES(0x10, 0, 0, 0, 0x20, 0, 0), ".debug_loc+0x0");
    struct st_location location;
    struct rt_error *error = st_location_list_read(&unit, 99, &arena, &location);
    assert_non_null(error);
    assert_non_null(strstr(error->message, "past the end of .debug_loc"));
    rt_error_destroy(error);
}

static void test_version_5(void **state) {
    (void)state;
    set_section(ST_SECTION_LOCLISTS,
                BYTES(DW_LLE_offset_pair, 0x10, 0x20, 1, 0x50,                    /* unit's base */
                      DW_LLE_base_addressx, 1,                                    /* 0x2000 */
                      DW_LLE_offset_pair, 0x10, 0x20, 1, 0x51,                    /* */
                      DW_LLE_default_location, 1, 0x57,                           /* goes last */
                      DW_LLE_startx_endx, 0, 1, 1, 0x52,                          /* */
                      DW_LLE_startx_length, 1, 0x80, 0x01, 1, 0x53,               /* */
                      DW_LLE_base_address, 0, 0x30, 0, 0,                         /* 0x3000 */
                      DW_LLE_offset_pair, 4, 8, 1, 0x54,                          /* */
                      DW_LLE_start_end, 0, 0x50, 0, 0, 0, 0x60, 0, 0, 1, 0x55,    /* */
                      DW_LLE_start_length, 0, 0x70, 0, 0, 0x10, 1, 0x56,          /* */
                      DW_LLE_GNU_view_pair, 1, 2,                                 /* says nothing */
                      DW_LLE_startx_length, 2, 0x10, 1, 0x58,                     /* dropped */
                      DW_LLE_base_addressx, 2, DW_LLE_offset_pair, 4, 8, 1, 0x59, /* dropped */
                      DW_LLE_end_of_list));
    struct st_location location = read_list(0);
    assert_int_equal(location.count, 8);
    check(&location, 0, 0x110, 0x120, 0x50);
    check(&location, 1, 0x2010, 0x2020, 0x51);
    check(&location, 2, 0x1000, 0x2000, 0x52);
    check(&location, 3, 0x2000, 0x2080, 0x53);
    check(&location, 4, 0x3004, 0x3008, 0x54);
    check(&location, 5, 0x5000, 0x6000, 0x55);
    check(&location, 6, 0x7000, 0x7010, 0x56);
    check(&location, 7, 0, UINT64_MAX, 0x57);
}

static void test_version_5_errors(void **state) {
    (void)state;
    check_error(BYTES(0x42), "unknown kind of location list entry 0x42");
    check_error(BYTES(DW_LLE_offset_pair, 0x10, 0x20, 1, 0x50), "unexpected end");
    check_error(BYTES(DW_LLE_offset_pair, 0x10, 0x20, 9, 0x50), ".debug_loclists+0x0");
    check_error(BYTES(DW_LLE_base_addressx, 3), "address 3 of .debug_addr");
    check_error(BYTES(DW_LLE_startx_length, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
                "past the end of .debug_addr");
}

/* Eight-byte addresses wrap nowhere, and the list may be empty. */
static void test_addresses_of_8_bytes(void **state) {
    (void)state;
    unit.address_size = 8;
    set_section(ST_SECTION_LOCLISTS, BYTES(DW_LLE_end_of_list, DW_LLE_start_length, 0, 0, 0, 0, 0, 1, 0, 0, 8,
                                           1, 0x50, DW_LLE_end_of_list));
    struct st_location location = read_list(0);
    assert_int_equal(location.count, 0);
    location = read_list(1);
    check(&location, 0, 0x10000000000, 0x10000000008, 0x50);
}

static void test_index(void **state) {
    (void)state;
    /* two bytes that are not ours, then offsets of two lists, from the base */
    set_section(ST_SECTION_LOCLISTS, BYTES(0, 0, 8, 0, 0, 0, 9, 0, 0, 0));
    unit.location_base = 2;
    uint64_t offset;
    struct rt_error *error = st_location_list_offset(&unit, 1, &offset);
    assert_null(error);
    assert_int_equal(offset, 11);
    error = st_location_list_offset(&unit, 2, &offset);
    assert_non_null(error);
    assert_non_null(strstr(error->message, "location list 2"));
    rt_error_destroy(error);
}

static void test_any_bytes(void **state) {
    (void)state;
    uint64_t random = 88172645463325252u;
    uint8_t bytes[64];
    for (int i = 0; i < 20000; i++) {
        for (size_t j = 0; j < sizeof bytes; j++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes[j] = (uint8_t)(random >> 24) & (i % 2 ? 0x0f : 0xff);
        }
        unit.version = i % 4 < 2 ? 4 : 5;
        set_section(i % 4 < 2 ? ST_SECTION_LOC : ST_SECTION_LOCLISTS, bytes, 1 + bytes[0] % sizeof bytes);
        struct st_location location;
        struct rt_error *error = st_location_list_read(&unit, bytes[1] % 8, &arena, &location);
        rt_error_destroy(error);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_version_4), TEST(test_version_4_errors),
        TEST(test_version_5), TEST(test_version_5_errors),
        TEST(test_index),     TEST(test_addresses_of_8_bytes),
        TEST(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
