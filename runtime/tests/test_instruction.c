/* Instructions as debuggers see them, whole activations at once, and what a store may grow to. */
#include "runtime/tests/builder.h"

#define CONST(n) RT_OP_I32_CONST, n

/* ---- rt_module_instruction ---- */

static void test_changes(void **state) {
    (void)state;
    struct builder builder = {0};
    build_table(&builder, 'r', 4, 8);
    build_table(&builder, 'r', 4, 8);
    build_memory(&builder, 1, 2);
    build_global(&builder, 'i', true, 0);
    build_global(&builder, 'i', true, 0);
    build_elements(&builder, -1, NULL, 0);
    build_data(&builder, -1, "text");
    BUILD_FUNCTION(&builder, "f", ":", "iI", CONST(1), RT_OP_LOCAL_SET, 0, CONST(1), RT_OP_LOCAL_TEE, 0,
                   RT_OP_GLOBAL_SET, 1, CONST(8), CONST(2), RT_OP_I32_STORE16, 1, 0x85, 0x01, CONST(8),
                   CONST(2), CONST(3), 0xfc, 11, 0, CONST(8), CONST(2), CONST(3), 0xfc, 8, 0, 0, CONST(1),
                   RT_OP_REF_NULL, RT_FUNCREF, RT_OP_TABLE_SET, 1, CONST(0), CONST(0), CONST(0), 0xfc, 12, 0,
                   1, RT_OP_REF_NULL, RT_FUNCREF, CONST(1), 0xfc, 15, 1, RT_OP_DROP, CONST(1),
                   RT_OP_MEMORY_GROW, 0, RT_OP_DROP);
    struct rt_module *module = build_module(&builder);
    static const struct rt_instruction expected[] = {
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"local.set", 2, RT_CHANGES_LOCAL, 0, 0, 0, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"local.tee", 2, RT_CHANGES_LOCAL, 0, 0, 0, 0, 0},
        {"global.set", 2, RT_CHANGES_GLOBAL, 1, 0, 0, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"i32.store16", 4, RT_CHANGES_MEMORY, 0, 2, 0, 133, 2},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"memory.fill", 3, RT_CHANGES_MEMORY, 0, 3, 1, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"memory.init", 4, RT_CHANGES_MEMORY, 0, 3, 1, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"ref.null", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"table.set", 2, RT_CHANGES_TABLE, 1, 2, 0, 0, 1},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"table.init", 4, RT_CHANGES_TABLE, 1, 3, 1, 0, 0},
        {"ref.null", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"table.grow", 3, RT_CHANGES_TABLE, 1, 0, 0, 0, 0},
        {"drop", 1, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"i32.const", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"memory.grow", 2, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"drop", 1, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
        {"end", 1, RT_CHANGES_NOTHING, 0, 0, 0, 0, 0},
    };
    uint32_t start, pc, end;
    assert_true(rt_module_function_range(module, 0, &start, &pc, &end));
    struct rt_instruction found;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++, pc += found.size) {
        assert_true(rt_module_instruction(module, pc, &found));
        assert_string_equal(found.text, expected[i].text);
        assert_int_equal(found.size, expected[i].size);
        assert_int_equal(found.changes, expected[i].changes);
        assert_int_equal(found.index, expected[i].index);
        assert_int_equal(found.start_operand, expected[i].start_operand);
        assert_int_equal(found.count_operand, expected[i].count_operand);
        assert_int_equal(found.offset, expected[i].offset);
        assert_int_equal(found.count, expected[i].count);
    }
    assert_int_equal(pc, end);
    assert_false(rt_module_instruction(module, end, &found));
    assert_false(rt_module_instruction(module, start, &found)); /* declarations of locals */
    rt_module_destroy(module);
}

/* ---- rt_module_past_markers ---- */

static void test_markers(void **state) {
    (void)state;
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "f", ":", "", RT_OP_BLOCK, 0x40, RT_OP_NOP, RT_OP_LOOP, 0x40, RT_OP_NOP,
                   RT_OP_END, RT_OP_END, CONST(1), RT_OP_IF, 0x40, RT_OP_ELSE, RT_OP_END);
    struct rt_module *module = build_module(&builder);
    /* Where each instruction leads to, from the first one on: a loop has code, and so has an `else`; the last
     * `end` returns. */
    static const struct {
        uint8_t at, past;
    } expected[] = {{0, 3}, {2, 3},   {3, 3},   {5, 8},   {6, 8},  {7, 8},
                    {8, 8}, {10, 10}, {12, 12}, {13, 14}, {14, 14}};
    uint32_t start, code, end;
    assert_true(rt_module_function_range(module, 0, &start, &code, &end));
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(rt_module_past_markers(module, code + expected[i].at), code + expected[i].past);
    assert_int_equal(end, code + 15);
    assert_int_equal(rt_module_past_markers(module, end), end);
    assert_int_equal(rt_module_past_markers(module, start), start);
    rt_module_destroy(module);
}

/* ---- Whole activations ---- */

enum { DEEP = 40 };

static struct rt_error *look(void *user, struct rt_caller *caller, const union rt_value *args,
                             union rt_value *results) {
    bool *looked = user;
    struct rt_activation activation;
    union rt_value values[DEEP];
    enum rt_type types[DEEP];
    (void)args, (void)results;
    assert_true(rt_activation_first(caller->store, NULL, &activation));
    expect_good(rt_activation_locals(&activation, 0, 4, values));
    assert_int_equal(values[0].i32, 7);
    assert_int_equal(values[1].i64, UINT64_MAX);
    assert_int_equal(values[2].i32, 0);
    assert_int_equal(values[3].i64, 0);
    expect_good(rt_activation_locals(&activation, 1, 2, values));
    assert_int_equal(values[0].i64, UINT64_MAX);
    expect_good(rt_activation_locals(&activation, 4, 0, values));
    /* In both orders, twice: what is remembered of a pc is not all that there is. */
    for (int round = 0; round < 2; round++) {
        for (int last = DEEP - 1; last >= 0; last -= 13) {
            uint32_t first = (uint32_t)last;
            expect_good(rt_activation_operands(&activation, first, DEEP - first, types, values));
            for (uint32_t i = first; i < DEEP; i++) {
                assert_int_equal(types[i - first], RT_I32);
                assert_int_equal(values[i - first].i32, i);
            }
        }
    }
    static const uint32_t bad[][2] = {{4, 1}, {0, 5}, {UINT32_MAX, 2}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rt_error *error = rt_activation_locals(&activation, bad[i][0], bad[i][1], values);
        assert_non_null(error);
        assert_int_equal(error->code, RT_USAGE);
        rt_error_destroy(error);
    }
    *looked = true;
    return NULL;
}

static void test_many_at_once(void **state) {
    struct builder builder = {0};
    struct bytes body = {0};
    struct rt_store *store;
    bool looked = false;
    struct rt_extern import = {.kind = RT_EXTERN_FUNC};
    struct rt_compile_options options = {.engine = tested_engine};
    (void)state;
    expect_good(rt_store_create(&store));
    expect_good(rt_func_create(store, "look", (struct rt_func_type){0}, look, &looked, &import.func));
    build_import(&builder, "look", ":");
    for (unsigned i = 0; i < DEEP; i++) {
        put_byte(&body, RT_OP_I32_CONST);
        put_sleb(&body, i);
    }
    put(&body, (const uint8_t[]){RT_OP_CALL, 0}, 2);
    for (unsigned i = 0; i < DEEP; i++)
        put_byte(&body, RT_OP_DROP);
    build_function(&builder, "f", "iI:", "iI", &body);
    struct running running = {.store = store, .module = build_module(&builder)};
    expect_good(rt_code_create(running.module, &options, &running.code));
    expect_good(rt_instance_create(store, running.code, &import, 1, &running.instance));
    const union rt_value args[2] = {{.i32 = 7}, {.i64 = UINT64_MAX}};
    expect_good(rt_func_call(rt_instance_func(running.instance, 1), args, NULL));
    assert_true(looked);
    rt_store_destroy(store);
    rt_code_destroy(running.code);
    rt_module_destroy(running.module);
}

/* ---- rt_store_set_limits ---- */

static void test_limits(void **state) {
    (void)state;
    struct rt_store *store;
    struct rt_memory *memory;
    struct rt_table *table;
    uint64_t old;
    expect_good(rt_store_create(&store));
    rt_store_set_limits(store, 3, 10);
    expect_good(rt_memory_create(store, (struct rt_limits){1, UINT64_MAX}, &memory));
    expect_good(rt_memory_grow(memory, 2, &old));
    struct rt_error *error = rt_memory_grow(memory, 1, &old);
    assert_non_null(error);
    rt_error_destroy(error);
    assert_int_equal(rt_memory_size(memory), 3 * 65536);
    error = rt_memory_create(store, (struct rt_limits){4, UINT64_MAX}, &memory);
    assert_int_equal(error->code, RT_UNSUPPORTED);
    rt_error_destroy(error);
    expect_good(rt_table_create(store, RT_FUNCREF, (struct rt_limits){10, UINT64_MAX}, &table));
    error = rt_table_create(store, RT_FUNCREF, (struct rt_limits){11, UINT64_MAX}, &table);
    assert_int_equal(error->code, RT_UNSUPPORTED);
    rt_error_destroy(error);
    rt_store_destroy(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_markers),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_limits),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
