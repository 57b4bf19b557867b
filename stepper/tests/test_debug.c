/* The DWARF model: of this very program, and of the same source compiled to WebAssembly where clang can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stepper/debug.h"

/* The source that is looked at: compiled into this program here, and written to a file for WebAssembly. The
 * first line of it is SOURCE_LINE here and 1 there. */
#define SAMPLE(...)                                                                                          \
    static const char sample_source[] = #__VA_ARGS__;                                                        \
    __VA_ARGS__
enum { SOURCE_LINE = __LINE__ + 2 };
/* clang-format off */
SAMPLE(enum sample_color { SAMPLE_RED = -1, SAMPLE_GREEN = 200 };
struct sample_bits { unsigned low : 3; int middle : 7; unsigned long long high : 33; signed char tail; };
struct sample_node { struct sample_node *next; union { int number; float real; }; char text[5]; };
typedef const volatile struct sample_node sample_alias;
int sample_matrix[2][3][4];
struct sample_bits sample_bits;
enum sample_color sample_color;
sample_alias *sample_pointer;
double sample_double;
long double sample_long_double;
_Bool sample_bool;
extern int sample_declared;
int sample_declared = 7;
int sample_function(int first, long second);
int sample_function(int first, long second) {
    static int counter;
    int local = first;
    { int inner = local + (int)second; int nested = inner; counter += nested; }
    return counter;
})
/* clang-format on */

static struct st_debug *native, *wasm;
static struct rt_module *module;

static int set_up(void **state) {
    (void)state;
    sample_pointer = NULL;
    assert_int_equal(sample_function(1, 2), 3);
    struct rt_error *error = st_debug_open_elf("/proc/self/exe", &native);
    if (error && error->code != RT_USAGE)
        fail_msg("%s", error->message);
    if (error)
        print_message("this program was compiled without -g\n");
    rt_error_destroy(error);
    return 0;
}

static void need_native(void) {
    if (!native)
        skip();
}

static int tear_down(void **state) {
    (void)state;
    st_debug_close(native);
    st_debug_close(wasm);
    rt_module_destroy(module);
    return 0;
}

static const struct st_variable *find(const struct st_variable *variables, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(variables[i].name, name) == 0)
            return &variables[i];
    fail_msg("there is no variable %s", name);
    return NULL;
}

static const struct st_variable *global(const struct st_debug *debug, const char *name) {
    size_t count;
    const struct st_variable *variables = st_debug_globals(debug, &count);
    return find(variables, count, name);
}

static void check_types(const struct st_debug *debug, unsigned pointer_size) {
    const struct st_type *type = global(debug, "sample_bits")->type;
    assert_int_equal(type->kind, ST_TYPE_STRUCT);
    assert_string_equal(type->name, "sample_bits");
    assert_true(type->is_complete);
    assert_int_equal(type->size, 8);
    static const struct {
        const char *name;
        uint64_t bit_offset;
        uint32_t bit_size;
    } members[] = {{"low", 0, 3}, {"middle", 3, 7}, {"high", 10, 33}, {"tail", 48, 0}};
    assert_int_equal(type->member_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(type->members[i].name, members[i].name);
        assert_int_equal(type->members[i].bit_offset, members[i].bit_offset);
        assert_int_equal(type->members[i].bit_size, members[i].bit_size);
    }
    assert_int_equal(type->members[1].type->encoding, DW_ATE_signed);

    /* an array of three dimensions */
    type = global(debug, "sample_matrix")->type;
    for (uint64_t i = 2, size = 96; i <= 4; size /= i, i++, type = type->target) {
        assert_int_equal(type->kind, ST_TYPE_ARRAY);
        assert_int_equal(type->count, i);
        assert_int_equal(type->size, size);
    }
    assert_int_equal(type->kind, ST_TYPE_BASE);

    type = global(debug, "sample_color")->type;
    assert_int_equal(type->kind, ST_TYPE_ENUM);
    assert_int_equal(type->size, 4);
    assert_int_equal(type->member_count, 2);
    assert_string_equal(type->enumerators[0].name, "SAMPLE_RED");
    assert_int_equal(type->enumerators[0].value, -1);
    assert_int_equal(type->enumerators[1].value, 200);

    /* pointer -> typedef -> qualifiers -> a structure that points to itself */
    type = global(debug, "sample_pointer")->type;
    assert_int_equal(type->kind, ST_TYPE_POINTER);
    assert_int_equal(type->size, pointer_size);
    type = type->target;
    assert_int_equal(type->kind, ST_TYPE_TYPEDEF);
    assert_string_equal(type->name, "sample_alias");
    const struct st_type *node = st_type_strip(type);
    assert_int_equal(node->kind, ST_TYPE_STRUCT);
    assert_int_equal(type->size, node->size);
    assert_ptr_equal(node->members[0].type->target, node);
    assert_null(node->members[1].name); /* the anonymous union */
    assert_int_equal(node->members[1].type->kind, ST_TYPE_UNION);
    assert_int_equal(node->members[1].type->member_count, 2);
    assert_int_equal(node->members[2].type->count, 5);
    assert_null(st_type_strip(NULL));

    type = st_type_strip(global(debug, "sample_bool")->type);
    assert_int_equal(type->encoding, DW_ATE_boolean);
    assert_int_equal(global(debug, "sample_double")->type->encoding, DW_ATE_float);
    assert_int_equal(global(debug, "sample_long_double")->type->size, 16);
}

static void check_globals(const struct st_debug *debug, const char *file, uint32_t line) {
    const struct st_variable *variable = global(debug, "sample_declared");
    assert_true(variable->is_static);
    assert_true(variable->is_external);
    assert_int_equal(variable->location.kind, ST_LOCATION_EXPRESSIONS);
    assert_int_equal(variable->location.count, 1);
    assert_non_null(strstr(st_debug_file(debug, variable->file), file));
    assert_int_equal(st_debug_file(debug, variable->file)[0], '/');
    assert_in_range(variable->line, line, line + 20);
    assert_string_equal(st_debug_file(debug, 0), "");
    assert_string_equal(st_debug_file(debug, UINT32_MAX), "");
}

static void check_function(const struct st_debug *debug, const char *file, uint32_t line) {
    const struct st_function *function = st_debug_function_named(debug, "sample_function");
    assert_non_null(function);
    assert_null(st_debug_function_named(debug, "no such function"));
    assert_true(function->is_external);
    assert_string_equal(function->type->name, "int");
    assert_non_null(strstr(st_debug_file(debug, function->file), file));
    assert_in_range(function->line, line, line + 20);
    assert_int_equal(function->frame_base.kind, ST_LOCATION_EXPRESSIONS);
    assert_int_equal(function->scope.range_count, 1);
    assert_int_equal(function->low, function->scope.ranges[0].low);
    assert_in_range(function->body, function->low, function->scope.ranges[0].high - 1);
    assert_ptr_equal(st_debug_function_at(debug, function->low), function);
    assert_ptr_equal(st_debug_function_at(debug, function->scope.ranges[0].high - 1), function);
    assert_ptr_not_equal(st_debug_function_at(debug, function->scope.ranges[0].high), function);
    assert_null(st_debug_function_at(debug, 0));
    assert_null(st_debug_function_at(debug, UINT64_MAX));

    const struct st_scope *scope = &function->scope;
    assert_int_equal(scope->kind, ST_SCOPE_FUNCTION);
    assert_ptr_equal(scope->function, function);
    assert_int_equal(scope->variable_count, 4);
    assert_string_equal(scope->variables[0].name, "first");
    assert_string_equal(scope->variables[1].name, "second");
    assert_true(scope->variables[0].is_parameter && scope->variables[1].is_parameter);
    const struct st_variable *counter = find(scope->variables, 4, "counter");
    assert_true(counter->is_static && !counter->is_parameter && !counter->is_external);
    assert_false(find(scope->variables, 4, "local")->is_static);

    /* Without optimization, the block has pcs of its own. */
    if (scope->child_count == 0)
        return;
    const struct st_scope *block = &scope->children[0];
    assert_int_equal(block->kind, ST_SCOPE_BLOCK);
    assert_ptr_equal(block->parent, scope);
    assert_ptr_equal(block->function, function);
    assert_int_equal(block->variable_count, 2);
    find(block->variables, 2, "inner");
    find(block->variables, 2, "nested");
    assert_ptr_equal(st_scope_at(function, block->ranges[0].low), block);
    if (function->low < block->ranges[0].low)
        assert_ptr_equal(st_scope_at(function, function->low), scope);
}

static void check_rows(const struct st_debug *debug) {
    size_t count, function_count;
    const struct st_row *rows = st_debug_rows(debug, &count);
    const struct st_function *function = st_debug_function_named(debug, "sample_function");
    assert_non_null(function);
    assert_true(count > 5);
    for (size_t i = 1; i < count; i++)
        assert_true(rows[i - 1].pc <= rows[i].pc);
    assert_true(rows[count - 1].end_sequence);
    const struct st_row *row = st_debug_row_at(debug, function->low);
    assert_non_null(row);
    assert_int_equal(row->pc, function->low);
    assert_int_equal(row->line, function->line);
    assert_int_equal(row->file, function->file);
    row = st_debug_row_at(debug, function->body);
    assert_non_null(row);
    assert_int_equal(row->pc, function->body);
    assert_null(st_debug_row_at(debug, 0));
    assert_null(st_debug_row_at(debug, UINT64_MAX));
    const struct st_function *functions = st_debug_functions(debug, &function_count);
    for (size_t i = 0; i < function_count; i++) {
        assert_int_equal(functions[i].index, i);
        assert_true(i == 0 || functions[i - 1].low <= functions[i].low);
    }
}

static void test_native(void **state) {
    (void)state;
    need_native();
    check_types(native, sizeof(void *));
    check_globals(native, "test_debug.c", SOURCE_LINE);
    check_function(native, "test_debug.c", SOURCE_LINE);
    check_rows(native);
}

/* Every expression in all of this program can be decoded. */
static void print_scope(const struct st_scope *scope, struct rt_arena *arena) {
    for (size_t i = 0; i < scope->variable_count; i++) {
        const struct st_location *location = &scope->variables[i].location;
        assert_int_not_equal(location->kind, ST_LOCATION_BROKEN);
        for (size_t j = 0; location->kind == ST_LOCATION_EXPRESSIONS && j < location->count; j++)
            assert_null(strchr(st_expression_print(&location->expressions[j], arena), '<'));
    }
    for (size_t i = 0; i < scope->child_count; i++) {
        assert_ptr_equal(scope->children[i].parent, scope);
        print_scope(&scope->children[i], arena);
    }
}

static void test_all_locations(void **state) {
    (void)state;
    need_native();
    struct rt_arena arena;
    size_t count;
    rt_arena_init(&arena, 0);
    const struct st_function *functions = st_debug_functions(native, &count);
    for (size_t i = 0; i < count; i++)
        print_scope(&functions[i].scope, &arena);
    rt_arena_clear(&arena);
}

/* ---- WebAssembly ---- */

static bool is_on_path(const char *tool) {
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", tool);
    return system(command) == 0;
}

/* Compiles the sample into a module in a folder of its own; false where the tools are missing. */
static bool compile_wasm(const char *options) {
    char folder[] = "/tmp/lockstep-test-XXXXXX", path[64], command[512];
    if (!is_on_path("clang-19") || !is_on_path("wasm-ld-19") || !mkdtemp(folder))
        return false;
    snprintf(path, sizeof path, "%s/sample.c", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(sample_source, file);
    fputs("\nint dropped_function(void) { return 1; }\n", file);
    fputs("void _start(void) { sample_function(1, 2); sample_pointer = 0; sample_bits.low = 1;"
          " sample_color = 200; sample_double = sample_declared; sample_bool = 1; sample_long_double = 0;"
          " sample_matrix[0][0][0] = 1; }\n",
          file);
    assert_int_equal(fclose(file), 0);
    snprintf(
        command, sizeof command,
        "cd %s && clang-19 --target=wasm32-wasi -g -nostdlib -ffunction-sections %s sample.c -o sample.wasm "
        ">/dev/null 2>&1",
        folder, options);
    bool compiled = system(command) == 0;
    snprintf(path, sizeof path, "%s/sample.wasm", folder);
    struct rt_error *error = compiled ? rt_module_open(path, &module) : NULL;
    if (compiled && !error)
        error = st_debug_open_wasm(module, &wasm);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    if (error)
        fail_msg("%s", error->message);
    return compiled;
}

static void test_wasm(void **state) {
    (void)state;
    static const char *const options[] = {"-O0 -gdwarf-4", "-O0 -gdwarf-5"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (!compile_wasm(options[i])) {
            print_message("clang-19 for wasm32-wasi is missing: skipped\n");
            skip();
        }
        check_types(wasm, 4);
        check_globals(wasm, "sample.c", 1);
        check_function(wasm, "sample.c", 1);
        check_rows(wasm);
        const struct st_function *function = st_debug_function_named(wasm, "sample_function");
        const struct st_row *row = st_debug_row_at(wasm, function->body);
        assert_true(row->prologue_end);
        assert_null(st_debug_function_named(wasm, "dropped_function"));
        st_debug_close(wasm);
        rt_module_destroy(module);
        wasm = NULL;
        module = NULL;
    }
}

/* ---- Errors ---- */

static void check_open_error(const char *path, const char *part) {
    struct st_debug *debug = NULL;
    struct rt_error *error = st_debug_open_elf(path, &debug);
    assert_non_null(error);
    if (!strstr(error->message, part))
        fail_msg("\"%s\" does not say \"%s\"", error->message, part);
    rt_error_destroy(error);
}

static void write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void test_open_errors(void **state) {
    (void)state;
    char path[] = "/tmp/lockstep-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    check_open_error("/nonexistent/file", "opening /nonexistent/file");
    check_open_error("/dev/null", "not a regular file");
    check_open_error(path, "not an ELF file");
    write_file(path, "\177ELF", 4);
    check_open_error(path, path);
    /* this program's ELF header, whose section headers are then missing */
    char header[64];
    FILE *self = fopen("/proc/self/exe", "r");
    assert_non_null(self);
    assert_int_equal(fread(header, 1, sizeof header, self), sizeof header);
    fclose(self);
    write_file(path, header, sizeof header);
    check_open_error(path, path);
    unlink(path);

    static const uint8_t empty[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    struct rt_module *no_debug = NULL;
    struct st_debug *debug = NULL;
    struct rt_error *error = rt_module_create(empty, sizeof empty, &no_debug);
    assert_null(error);
    error = st_debug_open_wasm(no_debug, &debug);
    assert_non_null(error);
    assert_int_equal(error->code, RT_USAGE);
    assert_string_equal(error->message, "the module has no debug information: compile it with -g");
    rt_error_destroy(error);
    rt_module_destroy(no_debug);
    st_debug_close(NULL);
}

/* A line table with every byte wrong in turn: an error or a model, never a crash. */
static void test_broken_lines(void **state) {
    (void)state;
    static const uint8_t table[] = {
        65,  0, 0,  0,    4,    0,                          /* length, version */
        32,  0, 0,  0,    1,    1,   1, 0xfb, 14, 13,       /* header length ... opcode base */
        0,   1, 1,  1,    1,    0,   0, 0,    1,  0,  0, 1, /* operand counts */
        'd', 0, 0,                                          /* directories */
        'f', 0, 1,  0,    0,    'g', 0, 0,    0,  0,  0,    /* files */
        0,   9, 2,  0,    0x10, 0,   0, 0,    0,  0,  0,    /* set_address 0x1000 */
        5,   3, 10, 0x4b,                                   /* column 3, prologue end, pc + 4 and line + 1 */
        2,   4, 3,  1,    1,                                /* pc + 4, line + 1, a row */
        8,   9, 1,  0,    0,    1,   1,                     /* more pc, end_sequence */
    };
    struct st_range code = {0x1000, 0x2000};
    for (size_t i = 0; i < sizeof table * 256; i++) {
        uint8_t bytes[sizeof table];
        memcpy(bytes, table, sizeof bytes);
        bytes[i / 256] = (uint8_t)i;
        struct st_debug debug = {.label = "test", .code = &code, .code_count = 1};
        struct st_unit unit = {.directory = "/unit"};
        debug.sections[ST_SECTION_LINE] = (struct st_section){bytes, sizeof bytes};
        rt_arena_init(&debug.arena, 0);
        struct st_reader reader = {.debug = &debug, .arena = &debug.arena, .unit = &unit};
        struct rt_error *error = st_lines_read(&reader, 0);
        if (!error)
            error = st_lines_finish(&reader);
        if (bytes[i / 256] == table[i / 256]) {
            assert_null(error);
            assert_int_equal(debug.row_count, 3);
            assert_int_equal(debug.rows[0].pc, 0x1004);
            assert_int_equal(debug.rows[0].line, 2);
            assert_int_equal(debug.rows[0].column, 3);
            assert_true(debug.rows[0].prologue_end && !debug.rows[1].prologue_end);
            assert_string_equal(st_debug_file(&debug, debug.rows[0].file), "/unit/d/f");
            assert_int_equal(debug.rows[1].pc, 0x1008);
            assert_int_equal(debug.rows[1].line, 3);
            assert_true(debug.rows[2].end_sequence);
        }
        rt_error_destroy(error);
        st_list_clear(&reader.rows);
        st_list_clear(&reader.sequences);
        st_list_clear(&reader.files);
        st_map_clear(&reader.file_names);
        st_map_clear(&reader.line_tables);
        rt_arena_clear(&debug.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_native),      cmocka_unit_test(test_all_locations), cmocka_unit_test(test_wasm),
        cmocka_unit_test(test_open_errors), cmocka_unit_test(test_broken_lines),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
