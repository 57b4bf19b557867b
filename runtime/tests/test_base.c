/* Errors, arenas and the cursor: the ground that everything else stands on. */
#include "runtime/base.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* ---- Errors ---- */

static void error_messages(void **state) {
    (void)state;
    struct rt_error *error = rt_error_format(RT_INVALID, "%s %d", "global", 7);
    assert_int_equal(error->code, RT_INVALID);
    assert_string_equal(error->message, "global 7");
    error = rt_error_context(error, "module %s", "a.wasm");
    assert_int_equal(error->code, RT_INVALID);
    assert_string_equal(error->message, "module a.wasm: global 7");
    rt_error_destroy(error);

    error = rt_error_os(ENOENT, "opening %s", "x");
    assert_int_equal(error->code, RT_OS);
    assert_string_equal(error->message, "opening x: No such file or directory");
    rt_error_destroy(error);
    rt_error_destroy(NULL);
}

static void error_context_keeps_the_rest(void **state) {
    (void)state;
    struct rt_error *error = rt_error_format(RT_EXIT, "exit");
    error->exit_status = 42;
    error->trap = 3;
    error = rt_error_context(error, "guest");
    assert_int_equal(error->exit_status, 42);
    assert_int_equal(error->trap, 3);
    rt_error_destroy(error);
}

static void out_of_memory_is_static(void **state) {
    (void)state;
    struct rt_error *error = rt_error_out_of_memory();
    assert_ptr_equal(error, rt_error_out_of_memory());
    assert_ptr_equal(rt_error_context(error, "deep inside"), error);
    assert_int_equal(error->code, RT_OUT_OF_MEMORY);
    rt_error_destroy(error);
    assert_string_equal(rt_error_out_of_memory()->message, "out of memory");
}

static void long_messages_stay_whole(void **state) {
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    struct rt_error *error = rt_error_format(RT_USAGE, "%s", text);
    error = rt_error_context(error, "%s", text);
    assert_int_equal(strlen(error->message), 2 * (sizeof text - 1) + 2);
    rt_error_destroy(error);
}

/* ---- Arenas ---- */

static void arena_memory_is_zeroed_and_aligned(void **state) {
    (void)state;
    struct rt_arena arena;
    rt_arena_init(&arena, 0);
    uint8_t *previous = NULL;
    for (size_t size = 0; size < 3000; size += 7) {
        uint8_t *bytes = rt_arena_alloc(&arena, size);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % 16, 0);
        assert_ptr_not_equal(bytes, previous);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(bytes[i], 0);
        memset(bytes, 0xff, size);
        previous = bytes;
    }
    uint8_t *large = rt_arena_alloc(&arena, 10 << 20);
    assert_non_null(large);
    assert_int_equal(large[(10 << 20) - 1], 0);
    rt_arena_clear(&arena);
    assert_int_equal(arena.used, 0);
    assert_non_null(rt_arena_alloc(&arena, 1));
    rt_arena_clear(&arena);
}

static void arena_keeps_its_limit(void **state) {
    (void)state;
    struct rt_arena arena;
    rt_arena_init(&arena, 100);
    assert_null(rt_arena_alloc(&arena, 101));
    assert_non_null(rt_arena_alloc(&arena, 60));
    assert_null(rt_arena_alloc(&arena, 60));
    assert_non_null(rt_arena_alloc(&arena, 32));
    assert_null(rt_arena_alloc(&arena, 1));
    rt_arena_clear(&arena);
    assert_non_null(rt_arena_alloc(&arena, 90));
    rt_arena_clear(&arena);
}

static void arena_sizes_that_overflow(void **state) {
    (void)state;
    struct rt_arena arena;
    rt_arena_init(&arena, 0);
    assert_null(rt_arena_alloc(&arena, SIZE_MAX));
    assert_null(rt_arena_alloc(&arena, SIZE_MAX - 16));
    assert_null(rt_arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(rt_arena_array(&arena, (size_t)1 << 33, (size_t)1 << 31));
    rt_arena_clear(&arena);
}

static void arena_texts(void **state) {
    (void)state;
    struct rt_arena arena;
    rt_arena_init(&arena, 0);
    assert_memory_equal(rt_arena_copy(&arena, "a\0b", 3), "a\0b\0", 4);
    assert_string_equal(rt_arena_copy(&arena, NULL, 0), "");
    assert_string_equal(rt_arena_printf(&arena, "%d-%s", 5, "x"), "5-x");
    rt_arena_clear(&arena);
}

/* ---- The cursor ---- */

static void expect_error(struct rt_error *error, const char *message) {
    assert_non_null(error);
    assert_int_equal(error->code, RT_MALFORMED);
    assert_string_equal(error->message, message);
    rt_error_destroy(error);
}

static void cursor_fixed_widths(void **state) {
    (void)state;
    struct rt_cursor c = rt_cursor_make(BYTES(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), 0x100);
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    const uint8_t *bytes;
    assert_null(rt_cursor_u8(&c, "a", &u8));
    assert_null(rt_cursor_u16(&c, "b", &u16));
    assert_null(rt_cursor_u32(&c, "c", &u32));
    assert_int_equal(u8, 1);
    assert_int_equal(u16, 0x302);
    assert_int_equal(u32, 0x7060504);
    assert_null(rt_cursor_u64(&c, "d", &u64));
    assert_true(u64 == 0x0f0e0d0c0b0a0908u);
    assert_int_equal(rt_cursor_left(&c), 0);
    assert_null(rt_cursor_bytes(&c, 0, "nothing", &bytes));
    expect_error(rt_cursor_u8(&c, "a", &u8), "at byte 0x10f: a: unexpected end");
    c.next -= 1;
    expect_error(rt_cursor_u16(&c, "b", &u16), "at byte 0x10e: b: unexpected end");
    expect_error(rt_cursor_u32(&c, "c", &u32), "at byte 0x10e: c: unexpected end");
    expect_error(rt_cursor_u64(&c, "d", &u64), "at byte 0x10e: d: unexpected end");
    expect_error(
        rt_cursor_bytes(&c, SIZE_MAX, "e", &bytes),
        "at byte 0x10e: e: unexpected end, length out of bounds: 18446744073709551615 bytes needed, 1 left");
    assert_int_equal(rt_cursor_offset(&c), 0x10e);
}

static void empty_cursor(void **state) {
    (void)state;
    struct rt_cursor c = rt_cursor_make(NULL, 0, 5);
    uint64_t value;
    int64_t number;
    expect_error(rt_cursor_uleb(&c, 32, "a", &value), "at byte 0x5: a: unexpected end");
    expect_error(rt_cursor_sleb(&c, 32, "a", &number), "at byte 0x5: a: unexpected end");
}

static void unsigned_leb(void **state) {
    (void)state;
    static const struct {
        unsigned width;
        uint8_t bytes[11];
        size_t size;
        uint64_t value;
        const char *error;
    } rows[] = {
        {32, {0x00}, 1, 0, NULL},
        {32, {0x7f}, 1, 127, NULL},
        {32, {0x80, 0x01}, 2, 128, NULL},
        {32, {0x82, 0x80, 0x80, 0x80, 0x00}, 5, 2, NULL},
        {32, {0xff, 0xff, 0xff, 0xff, 0x0f}, 5, UINT32_MAX, NULL},
        {32, {0xff, 0xff, 0xff, 0xff, 0x1f}, 5, 0, "integer too large"},
        {32, {0xff, 0xff, 0xff, 0xff, 0x4f}, 5, 0, "integer too large"},
        {32, {0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 6, 0, "integer representation too long"},
        {32, {0x80, 0x80}, 2, 0, "unexpected end"},
        {1, {0x01}, 1, 1, NULL},
        {1, {0x02}, 1, 0, "integer too large"},
        {1, {0x81, 0x00}, 2, 0, "integer representation too long"},
        {7, {0x7f}, 1, 127, NULL},
        {7, {0x80, 0x00}, 2, 0, "integer representation too long"},
        {64, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 10, UINT64_MAX, NULL},
        {64, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, 10, 0, "integer too large"},
        {64, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 11, 0, "too long"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rt_cursor c = rt_cursor_make(rows[i].bytes, rows[i].size, 0);
        uint64_t value;
        struct rt_error *error = rt_cursor_uleb(&c, rows[i].width, "n", &value);
        if (rows[i].error) {
            assert_non_null(error);
            assert_non_null(strstr(error->message, rows[i].error));
            assert_non_null(strstr(error->message, "at byte 0x0: n: "));
            assert_ptr_equal(c.next, c.start);
            rt_error_destroy(error);
        } else {
            assert_null(error);
            assert_true(value == rows[i].value);
            assert_ptr_equal(c.next, c.end);
        }
    }
}

static void signed_leb(void **state) {
    (void)state;
    static const struct {
        unsigned width;
        uint8_t bytes[11];
        size_t size;
        int64_t value;
        const char *error;
    } rows[] = {
        {32, {0x00}, 1, 0, NULL},
        {32, {0x7f}, 1, -1, NULL},
        {32, {0x40}, 1, -64, NULL},
        {32, {0xff, 0x00}, 2, 127, NULL},
        {32, {0xff, 0xff, 0xff, 0xff, 0x7f}, 5, -1, NULL},
        {32, {0x80, 0x80, 0x80, 0x80, 0x78}, 5, INT32_MIN, NULL},
        {32, {0xff, 0xff, 0xff, 0xff, 0x07}, 5, INT32_MAX, NULL},
        {32, {0xff, 0xff, 0xff, 0xff, 0x0f}, 5, 0, "integer too large"},
        {32, {0x80, 0x80, 0x80, 0x80, 0x70}, 5, 0, "integer too large"},
        {32, {0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 6, 0, "integer representation too long"},
        {33, {0xff, 0xff, 0xff, 0xff, 0x0f}, 5, UINT32_MAX, NULL},
        {33, {0x80, 0x80, 0x80, 0x80, 0x70}, 5, -((int64_t)1 << 32), NULL},
        {33, {0x80, 0x80, 0x80, 0x80, 0x10}, 5, 0, "integer too large"},
        {64, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00}, 10, INT64_MAX, NULL},
        {64, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f}, 10, INT64_MIN, NULL},
        {64, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 10, 0, "integer too large"},
        {64, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7e}, 10, 0, "integer too large"},
        {64, {0x80, 0x80}, 2, 0, "unexpected end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rt_cursor c = rt_cursor_make(rows[i].bytes, rows[i].size, 0);
        int64_t value;
        struct rt_error *error = rt_cursor_sleb(&c, rows[i].width, "n", &value);
        if (rows[i].error) {
            assert_non_null(error);
            assert_non_null(strstr(error->message, rows[i].error));
            assert_ptr_equal(c.next, c.start);
            rt_error_destroy(error);
        } else {
            assert_null(error);
            assert_true(value == rows[i].value);
            assert_ptr_equal(c.next, c.end);
        }
    }
}

/* Every number of every length survives being written and read. */
static void leb_round_trip(void **state) {
    (void)state;
    uint64_t random = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 20000; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        int64_t number = (int64_t)random >> (i % 64);
        uint8_t bytes[10];
        size_t size = 0;
        int64_t rest = number;
        bool more = true;
        while (more) {
            uint8_t low = rest & 0x7f;
            rest >>= 7;
            more = !((rest == 0 && !(low & 0x40)) || (rest == -1 && (low & 0x40)));
            bytes[size++] = more ? low | 0x80 : low;
        }
        struct rt_cursor c = rt_cursor_make(bytes, size, 0);
        int64_t read;
        assert_null(rt_cursor_sleb(&c, 64, "n", &read));
        assert_true(read == number);
        assert_ptr_equal(c.next, c.end);

        uint64_t positive = random >> (i % 64), left = positive;
        size = 0;
        do {
            bytes[size++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
            left >>= 7;
        } while (left);
        c = rt_cursor_make(bytes, size, 0);
        uint64_t unsigned_read;
        assert_null(rt_cursor_uleb(&c, 64, "n", &unsigned_read));
        assert_true(unsigned_read == positive);
        assert_ptr_equal(c.next, c.end);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_messages),
        cmocka_unit_test(error_context_keeps_the_rest),
        cmocka_unit_test(out_of_memory_is_static),
        cmocka_unit_test(long_messages_stay_whole),
        cmocka_unit_test(arena_memory_is_zeroed_and_aligned),
        cmocka_unit_test(arena_keeps_its_limit),
        cmocka_unit_test(arena_sizes_that_overflow),
        cmocka_unit_test(arena_texts),
        cmocka_unit_test(cursor_fixed_widths),
        cmocka_unit_test(empty_cursor),
        cmocka_unit_test(unsigned_leb),
        cmocka_unit_test(signed_leb),
        cmocka_unit_test(leb_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
