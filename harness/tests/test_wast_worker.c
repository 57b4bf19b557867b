/* A script that crashes its process is a failed command, and the tests' own process lives on. */
#include "harness/wast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct rt_compile_options options;

static void test_crash(void **state) {
    /* The message is looked at when the file turns out not to be there. */
    const char *nowhere = (const char *)(uintptr_t)8;
    const struct hx_wast_command commands[] = {
        {.kind = HX_WAST_ASSERT_INVALID, .line = 3, .path = "/dev/null/a.wasm", .text = "first"},
        {.kind = HX_WAST_ASSERT_INVALID, .line = 4, .path = "/dev/null/b.wasm", .text = nowhere},
        {.kind = HX_WAST_ASSERT_INVALID, .line = 5, .path = "/dev/null/c.wasm", .text = "third"},
    };
    const struct hx_wast_script script = {.source = "s.wast", .commands = commands, .command_count = 3};
    struct hx_wast_report *report = calloc(1, sizeof *report);

    (void)state;
    assert_non_null(report);
    assert_null(hx_wast_run_apart(&script, &options, 10000, report));
    assert_false(report->is_finished);
    assert_int_equal(report->counts[HX_WAST_ASSERT_INVALID].failed, 2);
    assert_int_equal(report->remark_count, 2);
    assert_int_equal(report->remarks[1].line, 4);
    assert_non_null(strstr(report->remarks[1].text, "the script ended here, 1 commands were not run"));
    free(report);
}

static void test_no_commands(void **state) {
    const struct hx_wast_script script = {.source = "s.wast"};
    struct hx_wast_report *report = calloc(1, sizeof *report);

    (void)state;
    assert_non_null(report);
    assert_null(hx_wast_run_apart(&script, &options, 10000, report));
    assert_true(report->is_finished);
    assert_int_equal(report->remark_count, 0);
    free(report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_no_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
