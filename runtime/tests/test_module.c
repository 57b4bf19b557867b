/* What a module answers about itself, on one sample that has every section, and files that are no modules. */
#include "runtime/tests/module_bytes.h"
#include "runtime/module.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t sample[] = {SAMPLE_MODULE};

static struct rt_module *create_sample(void) {
    struct rt_module *module;
    assert_null(create_exact(sample, sizeof sample, &module));
    return module;
}

static void functions(void **state) {
    (void)state;
    struct rt_module *module = create_sample();
    assert_int_equal(rt_module_function_count(module), 4);
    assert_int_equal(rt_module_imported_function_count(module), 1);
    static const char *const names[] = {"host", "sum", "start", "run"};
    for (uint32_t i = 0; i < 4; i++)
        assert_string_equal(rt_module_function_name(module, i), names[i]);
    assert_null(rt_module_function_name(module, 4));

    struct rt_func_type type = rt_module_function_type(module, 1);
    assert_int_equal(type.param_count, 2);
    assert_int_equal(type.result_count, 1);
    assert_int_equal(type.params[1], RT_I32);
    assert_int_equal(type.results[0], RT_I32);
    assert_int_equal(rt_module_function_type(module, 0).param_count, 1);
    assert_int_equal(rt_module_function_type(module, 99).param_count, 0);

    assert_int_equal(rt_module_local_count(module, 0), 1);
    assert_int_equal(rt_module_local_count(module, 1), 4);
    assert_int_equal(rt_module_local_type(module, 1, 0), RT_I32);
    assert_int_equal(rt_module_local_type(module, 1, 2), RT_I64);
    assert_int_equal(rt_module_local_type(module, 1, 3), RT_I64);
    assert_int_equal(rt_module_local_type(module, 3, 0), RT_I32);
    assert_int_equal(rt_module_local_type(module, 3, 1), RT_F64);
    rt_module_destroy(module);
}

static void code_places(void **state) {
    (void)state;
    struct rt_module *module = create_sample();
    uint64_t offset = rt_module_code_offset(module);
    static const uint8_t code[] = {SAMPLE_CODE_CONTENTS};
    assert_memory_equal(sample + offset, code, sizeof code);
    uint32_t start, begin, end;
    assert_false(rt_module_function_range(module, 0, &start, &begin, &end));
    assert_false(rt_module_function_range(module, 4, &start, &begin, &end));
    /* Byte 0 is the count, byte 1 the first body's size. */
    assert_true(rt_module_function_range(module, 1, &start, &begin, &end));
    assert_int_equal(start, 2);
    assert_int_equal(begin, 5);
    assert_int_equal(end, 11);
    assert_true(rt_module_function_range(module, 3, &start, &begin, &end));
    assert_int_equal(end, sizeof code);
    for (uint32_t pc = 0; pc <= sizeof code; pc++) {
        uint32_t expected = 0, found = 0;
        for (uint32_t i = 1; i < 4; i++) {
            assert_true(rt_module_function_range(module, i, &start, &begin, &end));
            if (pc >= start && pc < end)
                expected = i;
        }
        assert_int_equal(rt_module_function_at(module, pc, &found), expected != 0);
        assert_int_equal(found, expected);
    }
    uint32_t found;
    assert_false(rt_module_function_at(module, UINT32_MAX, &found));
    struct rt_cursor cursor = rt_module_code_cursor(module, &module->bodies[1]);
    assert_int_equal(rt_cursor_left(&cursor), 1);
    assert_int_equal(cursor.next[0], 0x0b);
    assert_memory_equal(sample + rt_cursor_offset(&cursor), cursor.next, 1);
    rt_module_destroy(module);
}

static void imports_and_exports(void **state) {
    (void)state;
    struct rt_module *module = create_sample();
    assert_int_equal(rt_module_import_count(module), 2);
    struct rt_import import = rt_module_import(module, 0);
    assert_string_equal(import.module, "env");
    assert_string_equal(import.name, "host");
    assert_int_equal(import.name_size, 4);
    assert_int_equal(import.kind, RT_EXTERN_FUNC);
    assert_int_equal(import.func.param_count, 1);
    import = rt_module_import(module, 1);
    assert_int_equal(import.kind, RT_EXTERN_GLOBAL);
    assert_int_equal(import.type, RT_I32);
    assert_false(import.is_mutable);
    assert_null(rt_module_import(module, 2).name);

    assert_int_equal(rt_module_export_count(module), 3);
    enum rt_extern_kind kind;
    uint32_t item;
    assert_string_equal(rt_module_export(module, 0, &kind, &item), "add");
    assert_int_equal(kind, RT_EXTERN_FUNC);
    assert_int_equal(item, 1);
    assert_string_equal(rt_module_export(module, 1, &kind, &item), "mem");
    assert_int_equal(kind, RT_EXTERN_MEMORY);
    assert_null(rt_module_export(module, 3, &kind, &item));
    rt_module_destroy(module);
}

static void custom_sections(void **state) {
    (void)state;
    struct rt_module *module = create_sample();
    const char *name;
    const uint8_t *bytes;
    size_t size;
    assert_true(rt_module_custom(module, ".xy", &bytes, &size));
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "\1\2\3", 3);
    assert_false(rt_module_custom(module, ".x", &bytes, &size));
    assert_false(rt_module_custom(module, ".xyz", &bytes, &size));
    assert_true(rt_module_custom_at(module, 2, &name, &bytes, &size));
    assert_string_equal(name, ".xy");
    assert_int_equal(size, 1);
    assert_false(rt_module_custom_at(module, 3, &name, &bytes, &size));
    rt_module_destroy(module);
}

static void other_index_spaces(void **state) {
    (void)state;
    struct rt_module *module = create_sample();
    assert_int_equal(module->memory_count, 1);
    assert_int_equal(module->memories[0].min, 1);
    assert_int_equal(module->memories[0].max, 16);
    assert_int_equal(module->tables[0].limits.max, 8);
    assert_int_equal(module->global_count, 3);
    assert_int_equal(module->imported_globals, 1);
    assert_true(module->globals[1].is_mutable);
    assert_true(module->global_inits[0].value.i64 == UINT64_MAX);
    /* A signalling NaN keeps its bits. */
    assert_int_equal(module->global_inits[1].value.i32, 0x7fa00001);
    assert_true(module->has_start);
    assert_int_equal(module->start, 2);
    assert_int_equal(module->element_count, 2);
    assert_int_equal(module->elements[0].mode, RT_SEGMENT_ACTIVE);
    assert_int_equal(module->elements[0].items[1].index, 2);
    assert_int_equal(module->elements[1].mode, RT_SEGMENT_PASSIVE);
    assert_int_equal(module->elements[1].items[0].kind, RT_CONST_FUNC);
    assert_int_equal(module->elements[1].items[1].kind, RT_CONST_NULL);
    assert_memory_equal(module->declared_refs, "\0\1\1\1", 4);
    assert_int_equal(module->data_count, 2);
    assert_int_equal(module->datas[0].offset.kind, RT_CONST_GLOBAL);
    assert_int_equal(module->datas[0].size, 3);
    assert_false(module->datas[1].active);
    /* sum: two operands; run: the argument of its call. */
    assert_int_equal(module->bodies[0].max_operands, 2);
    assert_int_equal(module->bodies[0].max_labels, 1);
    assert_int_equal(module->bodies[1].max_operands, 0);
    assert_int_equal(module->bodies[2].max_operands, 1);
    rt_module_destroy(module);
}

/* A module of one function behind a name section with these contents; its function's name, or "" for none. */
static void expect_name(const uint8_t *contents, size_t size, const char *expected) {
    static const uint8_t front[] = {HEADER, SECTION(1, 1, 0x60, 0, 0), SECTION(3, 1, 0),
                                    SECTION(10, 1, 2, 0, 0x0b)};
    uint8_t bytes[256];
    memcpy(bytes, front, sizeof front);
    size_t at = sizeof front;
    bytes[at++] = 0;
    bytes[at++] = (uint8_t)(5 + size);
    memcpy(bytes + at, "\4name", 5);
    memcpy(bytes + at + 5, contents, size);
    struct rt_module *module;
    assert_null(create_exact(bytes, at + 5 + size, &module));
    const char *name = rt_module_function_name(module, 0);
    assert_string_equal(name ? name : "", expected);
    rt_module_destroy(module);
}

static void name_sections_that_are_malformed(void **state) {
    (void)state;
    expect_name(BYTES(1, SIZED(1, 0, SIZED('f'))), "f");
    expect_name(BYTES(0, SIZED(1, 'm'), 1, SIZED(1, 0, SIZED('f')), 2, SIZED(0)), "f");
    expect_name(BYTES(1, SIZED(2, 0, SIZED('f'), 0, SIZED('g'))), "f");
    expect_name(BYTES(1, SIZED(2, 0, SIZED('f'), 77, SIZED('g'))), "f");
    /* The names in front of a mistake stand. */
    expect_name(BYTES(1, SIZED(9, 0, SIZED('f'))), "");
    expect_name(BYTES(1, SIZED(2, 0, SIZED('f'), 0, 9, 'g')), "f");
    expect_name(BYTES(1, SIZED(1, 0, SIZED(0xff))), "");
    expect_name(BYTES(1, SIZED(1, 0, 0)), "");
    expect_name(BYTES(1, 99, 1), "");
    expect_name(BYTES(1), "");
}

static void names_from_exports(void **state) {
    (void)state;
    struct rt_module *module;
    assert_null(create_exact(BYTES(HEADER, SECTION(1, 1, 0x60, 0, 0), SECTION(3, 2, 0, 0),
                                   SECTION(7, 2, SIZED('a'), 0, 1, SIZED('b'), 0, 1),
                                   SECTION(10, 2, 2, 0, 0x0b, 2, 0, 0x0b)),
                             &module));
    assert_null(rt_module_function_name(module, 0));
    assert_string_equal(rt_module_function_name(module, 1), "a");
    rt_module_destroy(module);
}

static void empty_module(void **state) {
    (void)state;
    struct rt_module *module;
    assert_null(create_exact(BYTES(HEADER), &module));
    assert_int_equal(rt_module_function_count(module), 0);
    assert_int_equal(rt_module_code_offset(module), 0);
    uint32_t found;
    assert_false(rt_module_function_at(module, 0, &found));
    assert_int_equal(rt_module_local_count(module, 0), 0);
    rt_module_destroy(module);
    rt_module_destroy(NULL);
}

/* ---- Files ---- */

static void expect_open_error(const char *path, enum rt_error_code code, const char *part) {
    struct rt_module *module = NULL;
    struct rt_error *error = rt_module_open(path, &module);
    assert_non_null(error);
    assert_int_equal(error->code, code);
    assert_non_null(strstr(error->message, path));
    assert_non_null(strstr(error->message, part));
    assert_null(strchr(error->message, '\n'));
    rt_error_destroy(error);
}

static void files(void **state) {
    (void)state;
    char folder[] = "/tmp/lockstep-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    expect_open_error(path, RT_OS, "No such file");
    expect_open_error(folder, RT_USAGE, "not a regular file");
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_open_error(path, RT_USAGE, "not a regular file");
    unlink(path);

    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    expect_open_error(path, RT_MALFORMED, "unexpected end");
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("#!/bin/sh\nexit 1\n", file);
    fclose(file);
    expect_open_error(path, RT_MALFORMED, "magic header not detected");
    assert_int_equal(truncate(path, (off_t)RT_MAX_MODULE_SIZE + 1), 0);
    expect_open_error(path, RT_UNSUPPORTED, "at most 1073741824 are");

    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(sample, 1, sizeof sample, file), sizeof sample);
    fclose(file);
    struct rt_module *module;
    assert_null(rt_module_open(path, &module));
    assert_int_equal(rt_module_function_count(module), 4);
    rt_module_destroy(module);
    unlink(path);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions),
        cmocka_unit_test(code_places),
        cmocka_unit_test(imports_and_exports),
        cmocka_unit_test(custom_sections),
        cmocka_unit_test(other_index_spaces),
        cmocka_unit_test(name_sections_that_are_malformed),
        cmocka_unit_test(names_from_exports),
        cmocka_unit_test(empty_module),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
