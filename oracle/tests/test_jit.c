/* Compiled code as a third witness: a program's native build and its module in the engine, each beside the
 * same module's compiled code stepped as a native image. */
#include "oracle/oracle.h"
#include "stepper/tests/jit_test.h"

/* Of the address sanitizer's. The debuggee in this process never frees what it allocates. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}

static bool can_compile;

/* A module whose compiled code can be stopped where the oracle may want to. */
static void open_wasm(struct guest *guest, const char *path, struct st_debug **ret_debug) {
    struct rt_arena arena;
    struct rt_compile_options options = {.site_count = 0};
    memset(guest, 0, sizeof *guest);
    check(rt_module_open(path, &guest->module));
    check(st_debug_open_wasm(guest->module, ret_debug));
    rt_arena_init(&arena, 0);
    check(or_sites(guest->module, *ret_debug, &arena, &options.sites, &options.site_count));
    guest_instantiate(guest, &options);
    rt_arena_clear(&arena);
    check(st_session_create_wasm(guest->instance, *ret_debug, NULL, &guest->session));
}

/* The C library has been optimised, and is not what is looked at. */
static size_t count_findings(const struct or_report *report, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct or_finding *finding = &report->findings[i];
        if (!finding->file || !strstr(finding->file, name))
            continue;
        print_message("%s:%u: %s %s: %s\n", finding->file, finding->line, or_kind_name(finding->kind),
                      finding->variable ? finding->variable : "", finding->detail ? finding->detail : "");
        for (int side = 0; side < 2; side++)
            print_message("    %s: %s\n", finding->witnesses[side].name,
                          finding->witnesses[side].value ? finding->witnesses[side].value : "-");
        count++;
    }
    return count;
}

static struct or_report *compare(const char *first, struct st_session *a, struct st_session *b,
                                 bool is_one_module) {
    const struct or_witness witnesses[2] = {{first, a}, {"jit", b}};
    const struct or_options options = {
        .is_unoptimised = true, .is_one_compiler = true, .is_one_module = is_one_module};
    struct or_report *report;
    check(or_compare(witnesses, &options, &report));
    assert_true(report->ended[0] && report->ended[1]);
    assert_int_equal(report->status[0], report->status[1]);
    assert_true(report->stops > 0);
    assert_true(report->values > 0);
    return report;
}

static void check_program(const char *name) {
    char source[512], module[256], shared[256];
    struct guest wasm, jit;
    struct st_debug *debug;
    struct st_image *image;
    snprintf(source, sizeof source, "%s/%s.c", ORACLE_TEST_PROGRAMS, name);
    compile_file(source, "--target=wasm32-wasi -O0", "program.wasm", module);
    compile_file(source, "-O0 -fPIC -shared", "program.so", shared);
    print_message("%s\n", name);

    open_wasm(&wasm, module, &debug);
    guest_open(&jit, module);
    struct or_report *report = compare("wasm", wasm.session, jit.session, true);
    assert_int_equal(count_findings(report, name), 0);
    or_report_destroy(report);
    guest_close(&jit);
    guest_close(&wasm);
    st_debug_close(debug);

    guest_open(&jit, module);
    check(st_image_open(shared, &image));
    struct st_session *native = start(image, NULL, NULL, 0);
    report = compare("native", native, jit.session, false);
    assert_int_equal(count_findings(report, ""), 0);
    or_report_destroy(report);
    st_session_destroy(native);
    st_image_close(image);
    guest_close(&jit);
}

static void test_planted_programs(void **state) {
    (void)state;
    static const char *const names[] = {"dwarf", "ends", "lines", "pointers", "scopes", "values"};
    if (!can_compile)
        skip();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_program(names[i]);
}

/* What differs is noticed: through pointers that are smaller in memory, in static storage, in locals. */
static void test_differences(void **state) {
    (void)state;
    static const char program[] =
        "static int one = 1, two = 2;\n"
        "#ifdef __wasm__\n"
        "#define SELECT &two\n"
        "#define VALUE 7\n"
        "#else\n"
        "#define SELECT &one\n"
        "#define VALUE 8\n"
        "#endif\n"
        "static int *global = SELECT, *table[2] = {&one, SELECT};\n"
        "int main(void) {\n"
        "    static int *kept = SELECT;\n"
        "    int *local = SELECT, count = VALUE;\n"
        "    return !(global && table[1] && kept && local && count && one && two);\n"
        "}\n";
    static const char *const names[] = {"global", "table[1]", "kept", "local", "count"};
    char module[256], shared[256];
    struct guest jit;
    struct st_image *image;
    if (!can_compile)
        skip();
    compile_text(program, "--target=wasm32-wasi -O0", "program.wasm", module);
    compile_text(program, "-O0 -fPIC -shared", "program.so", shared);
    guest_open(&jit, module);
    check(st_image_open(shared, &image));
    struct st_session *native = start(image, NULL, NULL, 0);
    struct or_report *report = compare("native", native, jit.session, false);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t found = 0;
        for (size_t j = 0; j < report->finding_count; j++)
            found += report->findings[j].kind == OR_VALUE && !strcmp(report->findings[j].variable, names[i]);
        if (!found)
            fail_msg("%s is not noticed", names[i]);
    }
    assert_int_equal(report->finding_count, sizeof names / sizeof *names);
    or_report_destroy(report);
    st_session_destroy(native);
    st_image_close(image);
    guest_close(&jit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted_programs),
        cmocka_unit_test(test_differences),
    };
    can_compile = compiled_make();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    compiled_remove();
    return failed;
}
