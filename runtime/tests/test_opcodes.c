/* The opcode table, and stepping over instructions without knowing what they do. */
#include "runtime/tests/module_bytes.h"
#include "runtime/module.h"

#include <stdio.h>

static void table_is_complete(void **state) {
    (void)state;
    unsigned count = 0;
    for (uint32_t opcode = 0; opcode < RT_OP_LIMIT; opcode++) {
        const struct rt_opcode_info *info = &rt_opcodes[opcode];
        if (!info->text)
            continue;
        count++;
        assert_true(strcmp(info->signature, "*") == 0 || strchr(info->signature, ':') != NULL);
        assert_int_equal(strspn(info->signature, "iIfFv:*"), strlen(info->signature));
    }
    /* Of WebAssembly 2.0: 172 of version 1, 5 sign extensions, 8 saturating conversions, 7 of
     * bulk memory, and select with a type, 5 of tables, 3 of references and 236 of
     * vectors. */
    assert_int_equal(count, 172 + 5 + 8 + 7 + 1 + 5 + 3 + 236);
}

/* Stepping over each opcode's immediate ends exactly behind it. */
static void immediates_are_skipped(void **state) {
    (void)state;
    static const struct {
        enum rt_immediate immediate;
        uint8_t bytes[16];
        size_t size;
    } rows[] = {
        {RT_IMM_NONE, {0}, 0},
        {RT_IMM_BLOCK, {0x40}, 1},
        {RT_IMM_BLOCK, {0x80, 0x01}, 2},
        {RT_IMM_LABEL, {0x80, 0x00}, 2},
        {RT_IMM_LABELS, {0, 3}, 2},
        {RT_IMM_LABELS, {2, 0x81, 0, 1, 0}, 5},
        {RT_IMM_FUNC, {0xff, 0xff, 0xff, 0xff, 0x0f}, 5},
        {RT_IMM_INDIRECT, {1, 0x80, 0}, 3},
        {RT_IMM_LOCAL, {0}, 1},
        {RT_IMM_GLOBAL, {0}, 1},
        {RT_IMM_TABLE, {0}, 1},
        {RT_IMM_MEMARG, {2, 0x80, 0x08}, 3},
        {RT_IMM_MEMORY, {0}, 1},
        {RT_IMM_MEMORY_MEMORY, {0, 0}, 2},
        {RT_IMM_I32, {0x80, 0x80, 0x80, 0x80, 0x78}, 5},
        {RT_IMM_I64, {0xff, 0x00}, 2},
        {RT_IMM_F32, {1, 2, 3, 4}, 4},
        {RT_IMM_F64, {1, 2, 3, 4, 5, 6, 7, 8}, 8},
        {RT_IMM_TYPES, {2, RT_I32, RT_FUNCREF}, 3},
        {RT_IMM_REFTYPE, {RT_EXTERNREF}, 1},
        {RT_IMM_DATA, {5}, 1},
        {RT_IMM_DATA_MEMORY, {5, 0}, 2},
        {RT_IMM_ELEM, {5}, 1},
        {RT_IMM_ELEM_TABLE, {5, 0}, 2},
        {RT_IMM_TABLE_TABLE, {1, 0}, 2},
        {RT_IMM_V128, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, 16},
        {RT_IMM_LANE, {15}, 1},
        {RT_IMM_LANES, {0, 31, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, 16},
        {RT_IMM_MEMARG_LANE, {1, 0x80, 0x08, 7}, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rt_cursor cursor = rt_cursor_make(rows[i].bytes, rows[i].size, 0);
        assert_null(rt_immediate_skip(&cursor, rows[i].immediate));
        assert_ptr_equal(cursor.next, cursor.end);
        /* One byte less is not enough. */
        for (size_t size = 0; size < rows[i].size; size++) {
            cursor = rt_cursor_make(rows[i].bytes, size, 0);
            struct rt_error *error = rt_immediate_skip(&cursor, rows[i].immediate);
            assert_non_null(error);
            assert_int_equal(error->code, RT_MALFORMED);
            rt_error_destroy(error);
        }
    }
}

static void immediates_that_are_malformed(void **state) {
    (void)state;
    static const struct {
        enum rt_immediate immediate;
        uint8_t bytes[8];
        const char *message;
    } rows[] = {
        {RT_IMM_MEMORY, {1}, "at byte 0x0: memory index: zero byte expected, found 0x01"},
        {RT_IMM_MEMORY_MEMORY, {0, 0x80}, "at byte 0x1: memory index: zero byte expected, found 0x80"},
        {RT_IMM_LABELS, {0xff, 0xff, 0xff, 0xff, 0x0f}, "length out of bounds"},
        {RT_IMM_TYPES, {1, 0}, "malformed value type 0x00"},
        {RT_IMM_REFTYPE, {RT_I32}, "malformed reference type 0x7f"},
        {RT_IMM_I32, {0xff, 0xff, 0xff, 0xff, 0x0f}, "integer too large"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rt_cursor cursor = rt_cursor_make(rows[i].bytes, sizeof rows[i].bytes, 0);
        struct rt_error *error = rt_immediate_skip(&cursor, rows[i].immediate);
        assert_non_null(error);
        assert_non_null(strstr(error->message, rows[i].message));
        rt_error_destroy(error);
    }
}

/* Every byte is an opcode, a feature that is named, or illegal. */
static void every_first_byte(void **state) {
    (void)state;
    unsigned unsupported = 0;
    for (int byte = 0; byte < 256; byte++) {
        for (int member = 0; member < 256; member++) {
            const uint8_t bytes[] = {(uint8_t)byte, (uint8_t)member, 1};
            struct rt_cursor cursor = rt_cursor_make(bytes, sizeof bytes, 0x40);
            uint32_t opcode;
            struct rt_error *error = rt_opcode_read(&cursor, &opcode);
            if (!error) {
                assert_non_null(rt_opcodes[opcode].text);
                assert_int_equal(opcode >= 0x100, byte == 0xfc || byte == 0xfd);
                assert_int_equal(opcode >= 0x200, byte == 0xfd);
                continue;
            }
            if (error->code == RT_UNSUPPORTED) {
                unsupported += member == 0;
                assert_non_null(strstr(error->message, "at byte 0x40: not supported: "));
            } else {
                assert_int_equal(error->code, RT_MALFORMED);
                assert_non_null(strstr(error->message, "at byte 0x40: illegal opcode 0x"));
            }
            rt_error_destroy(error);
        }
    }
    assert_true(unsupported > 20);
}

static void opcode_with_a_huge_member(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f};
    struct rt_cursor cursor = rt_cursor_make(bytes, sizeof bytes, 0);
    uint32_t opcode;
    struct rt_error *error = rt_opcode_read(&cursor, &opcode);
    assert_non_null(error);
    assert_non_null(strstr(error->message, "illegal opcode 0xfc 0xffffffff"));
    rt_error_destroy(error);
}

static void block_types(void **state) {
    (void)state;
    struct rt_module *module;
    assert_null(create_exact(BYTES(HEADER, SECTION(1, 2, 0x60, 1, I32, 2, I64, F64, 0x60, 0, 0)), &module));
    static const struct {
        uint8_t bytes[5];
        size_t size;
        uint32_t params, results;
        const char *message;
    } rows[] = {
        {{0x40}, 1, 0, 0, NULL},
        {{RT_I32}, 1, 0, 1, NULL},
        {{RT_EXTERNREF}, 1, 0, 1, NULL},
        {{0}, 1, 1, 2, NULL},
        {{0x81, 0}, 2, 0, 0, NULL},
        {{2}, 1, 0, 0, "unknown type 2 of a block"},
        {{0x41}, 1, 0, 0, "malformed value type 0x41"},
        {{RT_V128}, 1, 0, 1, NULL},
        {{0xff, 0x7f}, 2, 0, 0, "malformed block type -1"},
        {{0x80}, 1, 0, 0, "unexpected end"},
        {{0}, 0, 0, 0, "unexpected end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rt_cursor cursor = rt_cursor_make(rows[i].bytes, rows[i].size, 0);
        struct rt_func_type type;
        struct rt_error *error = rt_block_type_read(module, &cursor, &type);
        if (rows[i].message) {
            assert_non_null(error);
            assert_non_null(strstr(error->message, rows[i].message));
            rt_error_destroy(error);
            continue;
        }
        assert_null(error);
        assert_int_equal(type.param_count, rows[i].params);
        assert_int_equal(type.result_count, rows[i].results);
        if (rows[i].bytes[0] > 0x40 && rows[i].bytes[0] < 0x80)
            assert_int_equal(type.results[0], rows[i].bytes[0]);
        assert_ptr_equal(cursor.next, cursor.end);
    }
    rt_module_destroy(module);
}

static void bodies_step_to_their_end(void **state) {
    (void)state;
    struct rt_module *module;
    assert_null(create_exact(BYTES(SAMPLE_MODULE), &module));
    for (uint32_t i = 0; i < 3; i++) {
        struct rt_cursor cursor = rt_module_code_cursor(module, &module->bodies[i]);
        uint32_t opcode = RT_OP_NOP;
        while (cursor.next != cursor.end) {
            assert_null(rt_opcode_read(&cursor, &opcode));
            assert_null(rt_immediate_skip(&cursor, (enum rt_immediate)rt_opcodes[opcode].immediate));
        }
        assert_int_equal(opcode, RT_OP_END);
    }
    rt_module_destroy(module);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_complete),
        cmocka_unit_test(immediates_are_skipped),
        cmocka_unit_test(immediates_that_are_malformed),
        cmocka_unit_test(every_first_byte),
        cmocka_unit_test(opcode_with_a_huge_member),
        cmocka_unit_test(block_types),
        cmocka_unit_test(bodies_step_to_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
