/* One test for each way in which rewriters of DWARF have gone wrong, on DWARF written by hand. libdw reads
 * what comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stepper/tests/transform_test.h"

enum { MOVE = 0x20 }; /* how far the translating visitor moves code */
enum { GLOBAL_AT = 0x400, GLOBALS_MOVED = 0x10000 };

/* ---- A visitor that moves code, and globals to another place ---- */

static struct rt_error *move_range(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                   struct rt_dwarf_range range) {
    (void)user;
    (void)die;
    rt_dwarf_put_range(pass, (struct rt_dwarf_range){range.low + MOVE, range.high + MOVE});
    return NULL;
}

static struct rt_error *move_location(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                      unsigned name, const struct rt_dwarf_range *range,
                                      struct rt_dwarf_span expression) {
    struct rt_cursor cursor = rt_cursor_make(expression.bytes, expression.size, 0);
    (void)user;
    (void)name;
    while (rt_cursor_left(&cursor)) {
        struct rt_dwarf_operation op;
        struct rt_error *error = rt_dwarf_operation_read(pass, die->unit, &cursor, &op);
        if (error)
            return error;
        if (op.code == RT_DWARF_OP_addr)
            op.operands[0] += GLOBALS_MOVED;
        rt_dwarf_put_operation(pass, &op);
    }
    if (range) {
        const struct rt_dwarf_range moved = {range->low + MOVE, range->high + MOVE};
        rt_dwarf_put_location(pass, &moved);
    } else {
        rt_dwarf_put_location(pass, NULL);
    }
    return NULL;
}

static struct rt_error *move_rows(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                  const struct rt_dwarf_row *rows, size_t count) {
    (void)user;
    (void)unit;
    for (size_t i = 0; i < count; i++) {
        struct rt_dwarf_row row = rows[i];
        row.address += MOVE;
        rt_dwarf_put_row(pass, &row);
    }
    return NULL;
}

static const struct rt_dwarf_visitor moving = {
    .range = move_range, .location = move_location, .sequence = move_rows};

static void check_entry(const struct st_location *location, size_t index, uint64_t low, uint64_t high,
                        int number) {
    assert_true(index < location->count);
    const struct st_expression *expression = &location->expressions[index];
    assert_int_equal(expression->range.low, low);
    assert_int_equal(expression->range.high, high);
    assert_int_equal(expression->size, 2);
    assert_int_equal(expression->bytes[0], DW_OP_lit0 + number);
}

/* ---- The bugs ---- */

/* A variable whose list has a hole, in a unit whose base is not 0: its ranges stay exact to the byte, the
 * hole stays a hole, and nothing holds outside of the list. */
static void test_location_list(void **state) {
    (void)state;
    struct bytes *info = &input.at[RT_DWARF_INFO];
    put_entry(&input.at[RT_DWARF_LOC], 3, 17, 1);
    put_entry(&input.at[RT_DWARF_LOC], 20, 21, 2);
    put_pair(&input.at[RT_DWARF_LOC], 0, 0);
    const size_t unit = begin_unit(&input);
    put_function(info, "f", 0);
    put_variable(info, LISTED, "v", 9);
    put(info, 0, 4);
    put(info, 0, 2);
    end(info, unit);
    for (unsigned version = 4; version <= 5; version++) {
        for (int moves = 0; moves < 2; moves++) {
            transform(moves ? &moving : &rt_dwarf_identity, version);
            const struct st_scope *scope = &function_named("f")->scope;
            const uint64_t base = FUNCTION(0) + (moves ? MOVE : 0u);
            assert_int_equal(scope->variable_count, 1);
            assert_int_equal(scope->variables[0].location.count, 2);
            check_entry(&scope->variables[0].location, 0, base + 3, base + 17, 1);
            check_entry(&scope->variables[0].location, 1, base + 20, base + 21, 2);
        }
    }
}

/* Blocks in blocks with variables before and behind them: none is lost, and each is where it was. */
static void test_children(void **state) {
    (void)state;
    struct bytes *info = &input.at[RT_DWARF_INFO];
    put_pair(&input.at[RT_DWARF_RANGES], 4, 30);
    put_pair(&input.at[RT_DWARF_RANGES], 40, 50);
    put_pair(&input.at[RT_DWARF_RANGES], 0, 0);
    const size_t unit = begin_unit(&input);
    put_function(info, "f", 1);
    put_variable(info, VARIABLE, "first", 1);
    put_bytes(info, 3, 2, DW_OP_lit1, DW_OP_stack_value);
    for (int i = 0; i < 2; i++) {
        put(info, BLOCK, 1);
        put(info, 0, 4);
        put_variable(info, VARIABLE, "inner", 2);
        put_bytes(info, 3, 2, DW_OP_lit2, DW_OP_stack_value);
    }
    put(info, 0, 2);
    put_variable(info, VARIABLE, "last", 3);
    put_bytes(info, 3, 2, DW_OP_lit3, DW_OP_stack_value);
    put(info, 0, 2);
    end(info, unit);
    for (unsigned version = 4; version <= 5; version++) {
        transform(&moving, version);
        const struct st_scope *scope = &function_named("f")->scope;
        assert_int_equal(scope->variable_count, 2);
        assert_string_equal(scope->variables[1].name, "last");
        assert_int_equal(scope->child_count, 1);
        assert_int_equal(scope->children[0].variable_count, 1);
        assert_int_equal(scope->children[0].child_count, 1);
        assert_int_equal(scope->children[0].range_count, 2);
        assert_int_equal(scope->children[0].ranges[1].low, FUNCTION(0) + 40 + MOVE);
        assert_int_equal(scope->children[0].ranges[1].high, FUNCTION(0) + 50 + MOVE);
    }
}

/* A declaration's file and line are two attributes, and a file keeps its name when the version changes: DWARF
 * 5 has a file 0, DWARF 4 has none. */
static void test_declaration(void **state) {
    (void)state;
    struct bytes *info = &input.at[RT_DWARF_INFO];
    const size_t unit = begin_unit(&input);
    put_function(info, "f", 2);
    put_variable(info, VARIABLE, "v", 99);
    put_bytes(info, 2, 1, DW_OP_call_frame_cfa);
    put(info, 0, 2);
    end(info, unit);
    for (unsigned version = 4; version <= 5; version++) {
        transform(&rt_dwarf_identity, version);
        const struct st_function *function = function_named("f");
        assert_int_equal(function->line, 27);
        assert_string_equal(st_debug_file(debug, function->file), "/dir/b.c");
        assert_int_equal(function->scope.variables[0].line, 99);
        assert_string_equal(st_debug_file(debug, function->scope.variables[0].file), "/dir/b.c");
    }
}

/* Empty ranges, of a list and of a function, are no error and cover nothing. */
static void test_empty_ranges(void **state) {
    (void)state;
    struct bytes *info = &input.at[RT_DWARF_INFO];
    put_pair(&input.at[RT_DWARF_RANGES], 8, 8);
    put_pair(&input.at[RT_DWARF_RANGES], 9, 12);
    put_pair(&input.at[RT_DWARF_RANGES], 12, 12);
    put_pair(&input.at[RT_DWARF_RANGES], 0, 0);
    put_entry(&input.at[RT_DWARF_LOC], 5, 5, 1);
    put_pair(&input.at[RT_DWARF_LOC], 0, 0);
    const size_t unit = begin_unit(&input);
    put_function(info, "f", 0);
    put(info, BLOCK, 1);
    put(info, 0, 4);
    put_variable(info, LISTED, "v", 1);
    put(info, 0, 4);
    put(info, 0, 2);
    put(info, LEAF, 1);
    put_text(info, "empty");
    put_pair(info, FUNCTION(1), 0);
    put_bytes(info, 2, 1, 1);
    put(info, 0, 1);
    end(info, unit);
    for (unsigned version = 4; version <= 5; version++) {
        for (int moves = 0; moves < 2; moves++) {
            transform(moves ? &moving : &rt_dwarf_identity, version);
            const struct st_scope *scope = &function_named("f")->scope;
            assert_int_equal(scope->child_count, 1);
            assert_int_equal(scope->children[0].range_count, 1);
            assert_int_equal(scope->children[0].ranges[0].low, FUNCTION(0) + 9 + (moves ? MOVE : 0));
            assert_int_equal(scope->children[0].variables[0].location.count, 0);
            assert_int_equal(count_of("empty range"), 3);
        }
    }
}

/* One sequence has the rows of several functions: what is kept of it are the rows of the function that is
 * kept. */
static void test_rows_of_several_functions(void **state) {
    static const char *const names[] = {"third"};
    struct bytes *info = &input.at[RT_DWARF_INFO];
    struct rt_dwarf_strip *strip;
    size_t count;
    (void)state;
    const size_t unit = begin_unit(&input);
    put_function(info, "first", 0);
    put(info, 0, 1);
    put_function(info, "third", 2);
    put(info, 0, 2);
    end(info, unit);
    succeed(rt_dwarf_strip_create(names, 1, NULL, &strip));
    transform(rt_dwarf_strip_visitor(strip), 5);
    rt_dwarf_strip_destroy(strip);
    const struct st_row *rows = st_debug_rows(debug, &count);
    assert_int_equal(count, 3);
    assert_int_equal(rows[0].pc, FUNCTION(2));
    assert_int_equal(rows[0].line, 30);
    assert_int_equal(rows[1].pc, FUNCTION(2) + FUNCTION_SIZE / 2);
    assert_int_equal(rows[1].line, 31);
    assert_int_equal(rows[2].pc, FUNCTION(2) + FUNCTION_LENGTH);
    assert_true(rows[2].end_sequence);
    assert_null(st_debug_function_named(debug, "first"));
    assert_int_equal(function_named("third")->line, 27);
    assert_string_equal(function_named("third")->type->name, "int");
}

/* A unit whose DIEs are in another file is left out and counted; its neighbour stays what it is. */
static void test_split_unit(void **state) {
    (void)state;
    struct bytes *info = &input.at[RT_DWARF_INFO];
    const size_t skeleton = begin(info);
    put(info, 4, 2);
    put(info, 0, 4);
    put_bytes(info, 2, 4, SKELETON);
    put_text(info, "other.dwo");
    put(info, FUNCTION(3), 4);
    end(info, skeleton);
    const size_t unit = begin_unit(&input);
    put_function(info, "f", 1);
    put(info, 0, 2);
    end(info, unit);
    transform(&rt_dwarf_identity, 5);
    assert_int_equal(rt_dwarf_output_stat(output)->in.units, 2);
    assert_int_equal(rt_dwarf_output_stat(output)->out.units, 1);
    assert_int_equal(count_of("split DWARF"), 1);
    assert_int_equal(function_named("f")->low, FUNCTION(1));
}

/* Variables of a unit are asked about as those of a function are. */
static void test_globals(void **state) {
    (void)state;
    struct bytes *info = &input.at[RT_DWARF_INFO];
    size_t count;
    const size_t unit = begin_unit(&input);
    put_variable(info, VARIABLE, "global", 5);
    put_bytes(info, 2, 5, DW_OP_addr);
    put(info, GLOBAL_AT, 4);
    put(info, 0, 1);
    end(info, unit);
    for (unsigned version = 4; version <= 5; version++) {
        transform(&moving, version);
        const struct st_variable *globals = st_debug_globals(debug, &count);
        assert_int_equal(count, 1);
        assert_int_equal(globals[0].location.count, 1);
        const uint8_t *bytes = globals[0].location.expressions[0].bytes;
        assert_int_equal(bytes[0], DW_OP_addr);
        assert_int_equal(bytes[1] | bytes[2] << 8 | bytes[3] << 16, GLOBAL_AT + GLOBALS_MOVED);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_location_list),
        TEST(test_children),
        TEST(test_declaration),
        TEST(test_empty_ranges),
        TEST(test_rows_of_several_functions),
        TEST(test_split_unit),
        TEST(test_globals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
