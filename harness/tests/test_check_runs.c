/* Two Wasm builds that are compared by what they print: the same, another output, another end, a trap. */
#include "harness/job.h"

#include "harness/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct hx_temp temp;

/* Compiles a main with this body to a file in the temporary folder. */
static void compile(const char *body, const char *artifact) {
    const char *argv[] = {"clang-19", "--target=wasm32-wasi", "program.c", "-o", artifact, NULL};
    struct hx_process process = {.argv = argv, .directory = temp.path, .own_group = true};
    char text[400], path[512];

    snprintf(text, sizeof text, "#include <stdio.h>\nint main(void) { %s }\n", body);
    snprintf(path, sizeof path, "%s/program.c", temp.path);
    assert_null(hx_file_write(path, text, strlen(text), 0644));
    assert_null(hx_process_run(&process, 1));
    assert_true(hx_process_succeeded(&process));
    hx_process_clear(&process);
}

/* Compares the two; `signature` is NULL where nothing shall be found. */
static void expect(const char *first, const char *second, const char *signature, const char *shown) {
    const struct hx_tools tools = {.optimisation = "-O0"};
    const struct hx_setup setup = {.tools = &tools, .generator = &hx_generator_wasi};
    struct hx_result result;

    compile(first, HX_WASM);
    compile(second, HX_WASM_OTHER);
    hx_result_init(&result);
    assert_null(hx_check_runs(&setup, 1, temp.path, &result));
    assert_int_equal(result.verdict, signature ? HX_OUTPUT : HX_AGREE);
    assert_int_equal(result.finding_count, signature != NULL);
    if (signature) {
        assert_string_equal(result.findings[0].body.signature, signature);
        assert_string_equal(result.findings[0].body.witnesses[0].name, "-O0");
        assert_string_equal(result.findings[0].body.witnesses[1].name, "-O2");
        assert_string_equal(result.findings[0].body.witnesses[1].value, shown);
    }
    hx_result_clear(&result);
}

static void test_same(void **state) {
    (void)state;
    expect("puts(\"one\"); return 3;", "printf(\"one\\n\"); return 3;", NULL, NULL);
    /* Standard error is the host's. */
    expect("fputs(\"one\", stderr); return 0;", "fputs(\"two\", stderr); return 0;", NULL, NULL);
    expect("__builtin_trap();", "__builtin_trap();", NULL, NULL);
}

static void test_differs(void **state) {
    (void)state;
    expect("puts(\"one\"); puts(\"two\"); return 0;", "puts(\"one\"); puts(\"tow\"); return 0;",
           "output/levels/standard output", "\"tow\", exit status 0");
    expect("puts(\"one\"); return 0;", "return 0;", "output/levels/standard output", "\"\", exit status 0");
    expect("return 0;", "return 4;", "output/levels/exit status", "\"\", exit status 4");
    expect("return 0;", "__builtin_trap();", "output/levels/trap", "\"\", unreachable, exit status 134");
}

/* Each run has a setup of its own: what the first leaves behind, the second does not find. */
static void test_own_setup(void **state) {
    static const char body[] = "int first = remove(\"notes.txt\"); printf(\"%d\\n\", first);"
                               "return first == 0 && remove(\"deep/inner.txt\") == 0 ? 0 : 1;";
    (void)state;
    expect(body, body, NULL, NULL);
    expect(body, "puts(\"0\"); return 0;", NULL, NULL);
}

static int set_up(void **state) {
    (void)state;
    assert_null(hx_temp_create(&temp));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    hx_temp_remove(&temp);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_differs),
        cmocka_unit_test(test_own_setup),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
