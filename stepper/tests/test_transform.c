/* DWARF that was rewritten says the same: the model of a module, and the model of it after the identity, have
 * the same functions, rows, scopes, variables, types and locations, in either version of DWARF.
 *
 *     stepper_test_transform [MODULE...]    without arguments: programs of the corpus, by each compiler that
 * is here */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/dwarf/dwarf.h"
#include "stepper/debug.h"
#include "stepper/machine.h"

/* ---- A made-up frame, in which locations of both sides are evaluated ---- */

static bool read_register(void *user, unsigned number, uint64_t *ret) {
    (void)user;
    *ret = 0x1000 + number;
    return true;
}

static const void *read_memory(void *user, uint64_t address, size_t size) {
    static uint8_t memory[256];
    (void)user;
    for (size_t i = 0; i < sizeof memory; i++)
        memory[i] = (uint8_t)(address * 31 + i);
    return size <= sizeof memory ? memory : NULL;
}

static bool read_cfa(void *user, uint64_t *ret) {
    (void)user;
    *ret = 0x1080;
    return true;
}

static struct rt_error *read_wasm(void *user, unsigned kind, uint32_t index, enum rt_type *type,
                                  union rt_value *ret) {
    (void)user;
    *type = RT_I32;
    *ret = (union rt_value){.i64 = 0x1010 + 16 * index + kind};
    return NULL;
}

/* ---- Two models side by side ---- */

static const struct st_debug *before, *after;
static struct rt_arena arena;
static void *pairs; /* a tree of struct pair: types that are being or have been compared */

struct pair {
    const struct st_type *a, *b;
};

static int by_type(const void *a, const void *b) {
    const struct pair *first = a, *second = b;
    return (first->a > second->a) - (first->a < second->a);
}

static void same_text(const char *a, const char *b) {
    assert_int_equal(a == NULL, b == NULL);
    if (a)
        assert_string_equal(a, b);
}

static void same_file(uint32_t a, uint32_t b) {
    assert_string_equal(st_debug_file(before, a), st_debug_file(after, b));
}

static void same_type(const struct st_type *a, const struct st_type *b) {
    assert_int_equal(a == NULL, b == NULL);
    if (!a)
        return;
    struct pair *pair = rt_arena_alloc(&arena, sizeof *pair);
    assert_non_null(pair);
    *pair = (struct pair){a, b};
    struct pair **found = tsearch(pair, &pairs, by_type);
    assert_non_null(found);
    if (*found != pair) {
        assert_ptr_equal((*found)->b, b);
        return;
    }
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->encoding, b->encoding);
    assert_int_equal(a->is_complete, b->is_complete);
    same_text(a->name, b->name);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->member_count, b->member_count);
    same_type(a->target, b->target);
    for (size_t i = 0; i < a->member_count; i++) {
        if (a->kind == ST_TYPE_ENUM) {
            same_text(a->enumerators[i].name, b->enumerators[i].name);
            assert_int_equal(a->enumerators[i].value, b->enumerators[i].value);
            continue;
        }
        same_text(a->members[i].name, b->members[i].name);
        assert_int_equal(a->members[i].bit_offset, b->members[i].bit_offset);
        assert_int_equal(a->members[i].bit_size, b->members[i].bit_size);
        assert_int_equal(a->members[i].line, b->members[i].line);
        same_type(a->members[i].type, b->members[i].type);
    }
}

static void same_place(const struct st_location *a, const struct st_location *b,
                       const struct st_location *frame_a, const struct st_location *frame_b, uint64_t pc,
                       size_t size) {
    struct st_machine machine = {.pc = pc,
                                 .address_size = 4,
                                 .frame_base = frame_a,
                                 .read_register = read_register,
                                 .memory = read_memory,
                                 .cfa = read_cfa,
                                 .wasm = read_wasm};
    struct st_place first, second;
    st_evaluate(&machine, a, size, &arena, &first);
    machine.frame_base = frame_b;
    st_evaluate(&machine, b, size, &arena, &second);
    assert_int_equal(first.kind, second.kind);
    same_text(first.reason, second.reason);
    assert_int_equal(first.address, second.address);
    assert_int_equal(first.valid, second.valid);
    if (first.kind == ST_PLACE_VALUE)
        assert_memory_equal(first.bytes, second.bytes, first.size < 64 ? first.size : 64);
}

static void same_location(const struct st_location *a, const struct st_location *b,
                          const struct st_location *frame_a, const struct st_location *frame_b, size_t size) {
    assert_int_equal(a->kind, b->kind);
    same_text(a->reason, b->reason);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->constant_size, b->constant_size);
    if (a->constant_size)
        assert_memory_equal(a->constant, b->constant, a->constant_size);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->expressions[i].range.low, b->expressions[i].range.low);
        assert_int_equal(a->expressions[i].range.high, b->expressions[i].range.high);
        same_place(a, b, frame_a, frame_b, a->expressions[i].range.low, size);
    }
}

static void same_variable(const struct st_variable *a, const struct st_variable *b,
                          const struct st_function *function_a, const struct st_function *function_b) {
    const struct st_type *type = st_type_strip(a->type);
    assert_string_equal(a->name, b->name);
    same_file(a->file, b->file);
    assert_int_equal(a->line, b->line);
    assert_int_equal(a->is_parameter, b->is_parameter);
    assert_int_equal(a->is_artificial, b->is_artificial);
    assert_int_equal(a->is_external, b->is_external);
    assert_int_equal(a->is_static, b->is_static);
    assert_int_equal(a->is_dropped, b->is_dropped);
    same_type(a->type, b->type);
    same_location(&a->location, &b->location, function_a ? &function_a->frame_base : NULL,
                  function_b ? &function_b->frame_base : NULL, type ? (size_t)type->size : 0);
}

static void same_scope(const struct st_scope *a, const struct st_scope *b) {
    assert_int_equal(a->kind, b->kind);
    same_text(a->inlined, b->inlined);
    same_file(a->call_file, b->call_file);
    assert_int_equal(a->call_line, b->call_line);
    assert_int_equal(a->range_count, b->range_count);
    assert_int_equal(a->variable_count, b->variable_count);
    assert_int_equal(a->child_count, b->child_count);
    for (size_t i = 0; i < a->range_count; i++) {
        assert_int_equal(a->ranges[i].low, b->ranges[i].low);
        assert_int_equal(a->ranges[i].high, b->ranges[i].high);
    }
    for (size_t i = 0; i < a->variable_count; i++)
        same_variable(&a->variables[i], &b->variables[i], a->function, b->function);
    for (size_t i = 0; i < a->child_count; i++)
        same_scope(&a->children[i], &b->children[i]);
}

static void same_functions(void) {
    size_t count, other;
    const struct st_function *a = st_debug_functions(before, &count), *b = st_debug_functions(after, &other);
    assert_int_equal(count, other);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(a[i].name, b[i].name);
        same_text(a[i].linkage_name, b[i].linkage_name);
        same_file(a[i].file, b[i].file);
        assert_int_equal(a[i].line, b[i].line);
        assert_int_equal(a[i].is_external, b[i].is_external);
        assert_int_equal(a[i].low, b[i].low);
        assert_int_equal(a[i].body, b[i].body);
        same_type(a[i].type, b[i].type);
        same_location(&a[i].frame_base, &b[i].frame_base, NULL, NULL, 4);
        same_scope(&a[i].scope, &b[i].scope);
    }
}

static void same_rows(void) {
    size_t count, other;
    const struct st_row *a = st_debug_rows(before, &count), *b = st_debug_rows(after, &other);
    assert_int_equal(count, other);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(a[i].pc, b[i].pc);
        same_file(a[i].file, b[i].file);
        assert_int_equal(a[i].line, b[i].line);
        assert_int_equal(a[i].column, b[i].column);
        assert_int_equal(a[i].is_stmt, b[i].is_stmt);
        assert_int_equal(a[i].prologue_end, b[i].prologue_end);
        assert_int_equal(a[i].epilogue_begin, b[i].epilogue_begin);
        assert_int_equal(a[i].end_sequence, b[i].end_sequence);
    }
}

static void same_globals(void) {
    size_t count, other;
    const struct st_variable *a = st_debug_globals(before, &count), *b = st_debug_globals(after, &other);
    assert_int_equal(count, other);
    for (size_t i = 0; i < count; i++)
        same_variable(&a[i], &b[i], NULL, NULL);
}

/* ---- Modules ---- */

static void succeed(struct rt_error *error) {
    if (error)
        fail_msg("%s", error->message);
}

static void keep_node(void *node) {
    (void)node;
}

static void check_version(const struct rt_module *module, const struct st_debug *debug, unsigned version) {
    const struct rt_dwarf_options options = {.version = version};
    struct rt_dwarf_sections sections;
    struct rt_dwarf_output *output;
    struct rt_module *other;
    struct st_debug *debug_after;
    uint8_t *bytes;
    size_t size;
    succeed(rt_dwarf_module_sections(module, &sections));
    succeed(rt_dwarf_transform(&sections, &rt_dwarf_identity, &options, &output));
    succeed(rt_dwarf_module_write(module, rt_dwarf_output_sections(output), &bytes, &size));
    succeed(rt_module_create(bytes, size, &other));
    succeed(st_debug_open_wasm(other, &debug_after));
    before = debug;
    after = debug_after;
    rt_arena_init(&arena, 0);
    same_functions();
    same_rows();
    same_globals();
    tdestroy(pairs, keep_node);
    pairs = NULL;
    rt_arena_clear(&arena);
    st_debug_close(debug_after);
    rt_module_destroy(other);
    free(bytes);
    rt_dwarf_output_destroy(output);
}

static void check_module(const char *path) {
    struct rt_module *module;
    struct st_debug *debug;
    succeed(rt_module_open(path, &module));
    struct rt_error *error = st_debug_open_wasm(module, &debug);
    if (error && error->code == RT_USAGE) { /* it has no debug information */
        rt_error_destroy(error);
    } else {
        succeed(error);
        check_version(module, debug, 4);
        check_version(module, debug, 5);
        st_debug_close(debug);
    }
    rt_module_destroy(module);
}

static int argument_count;
static char **arguments;

static void test_arguments(void **state) {
    (void)state;
    for (int i = 1; i < argument_count; i++)
        check_module(arguments[i]);
}

/* Compiles and links one program; false when this compiler is not here. */
static bool compile(const char *compiler, const char *options, const char *source, const char *module) {
    char command[1024];
    snprintf(command, sizeof command,
             "exec 2>/dev/null; %s --target=wasm32-wasi -w %s -c %s -o %s.o && "
             "$(command -v wasm-ld-19 wasm-ld-14 wasm-ld | head -n 1) --no-entry --export-all "
             "--allow-undefined %s.o -o %s",
             compiler, options, source, module, module, module);
    return system(command) == 0;
}

static void test_programs(void **state) {
    static const char *const compilers[] = {"clang-14", "clang-16", "clang-19"};
    static const char *const options[] = {"-O0 -gdwarf-4", "-O0 -gdwarf-5", "-O2 -gdwarf-4", "-O2 -gdwarf-5"};
    static const char *const sources[] = {"planted/dwarf.c", "planted/lines.c",
                                          "known/returned-local-in-register.c"};
    char folder[] = "/tmp/lockstep-test-XXXXXX", module[64], source[512];
    size_t count = 0;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(module, sizeof module, "%s/module.wasm", folder);
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++)
        for (size_t k = 0; k < sizeof options / sizeof *options; k++)
            for (size_t m = 0; m < sizeof sources / sizeof *sources; m++) {
                snprintf(source, sizeof source, "%s/%s", STEPPER_TEST_CORPUS, sources[m]);
                if (!compile(compilers[i], options[k], source, module))
                    continue;
                check_module(module);
                count++;
            }
    snprintf(source, sizeof source, "rm -r %s", folder);
    assert_int_equal(system(source), 0);
    if (count == 0)
        skip();
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_programs)};
    const struct CMUnitTest given[] = {cmocka_unit_test(test_arguments)};
    argument_count = argc;
    arguments = argv;
    return argc > 1 ? cmocka_run_group_tests(given, NULL, NULL) : cmocka_run_group_tests(tests, NULL, NULL);
}
