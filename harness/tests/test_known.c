/* The list of known defects: matching, reading, and what it refuses. */
#include "harness/known.h"

#include "harness/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void test_match(void **state) {
    (void)state;
    assert_true(hx_known_match("value/a", "value/a"));
    assert_true(hx_known_match("value/*", "value/a[3].f1"));
    assert_true(hx_known_match("*/a*c", "value/abcbc"));
    assert_true(hx_known_match("a**", "a"));
    assert_false(hx_known_match("value/a", "value/ab"));
    assert_false(hx_known_match("value/a[3]", "value/a3"));
    assert_false(hx_known_match("*x", "value"));
    assert_false(hx_known_match("", "value"));
}

static void put(const struct hx_temp *folder, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    assert_null(hx_file_write(path, text, strlen(text), 0600));
}

static void test_load_and_mark(void **state) {
    const struct or_finding findings[] = {
        {.signature = "scope/one", .witnesses = {{.name = "native"}, {.name = "wasm"}}},
        {.signature = "scope/two", .witnesses = {{.name = "native"}, {.name = "wasm"}}},
        {.signature = "value/three", .witnesses = {{.name = "native"}, {.name = "wasm"}}},
    };
    struct hx_temp folder;
    struct hx_known known;
    struct hx_result result;

    (void)state;
    assert_null(hx_temp_create(&folder));
    put(&folder, "lld-scope.json",
        "{\"signatures\": [\"scope/one\", \"scope/t*\"], \"reason\": \"lld\", \"evidence\": \"e\", "
        "\"reproducer\": \"lld-scope.c\"}");
    put(&folder, "README.md", "not a list");
    assert_null(hx_known_load(folder.path, &known));
    assert_int_equal(known.count, 1);
    hx_result_init(&result);
    for (size_t i = 0; i < 3; i++)
        assert_non_null(hx_result_add(&result, "scope", &findings[i]));
    assert_int_equal(hx_known_mark(&known, &result), 1);
    assert_string_equal(result.findings[1].known, "lld-scope");
    assert_null(result.findings[2].known);
    hx_result_clear(&result);
    hx_known_clear(&known);
    hx_temp_remove(&folder);
}

static void test_refusals(void **state) {
    static const char *const texts[] = {
        "{",
        "[]",
        "{\"signatures\": [\"a\"], \"reason\": \"r\", \"evidence\": \"e\"}",
        "{\"signatures\": [], \"reason\": \"r\", \"evidence\": \"e\", \"reproducer\": \"p\"}",
        "{\"signatures\": [\"**\"], \"reason\": \"r\", \"evidence\": \"e\", \"reproducer\": \"p\"}",
        "{\"signatures\": [7], \"reason\": \"r\", \"evidence\": \"e\", \"reproducer\": \"p\"}",
    };
    struct hx_temp folder;
    struct hx_known known;

    (void)state;
    assert_null(hx_temp_create(&folder));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put(&folder, "bad.json", texts[i]);
        struct rt_error *error = hx_known_load(folder.path, &known);
        assert_non_null(error);
        assert_int_equal(error->code, RT_MALFORMED);
        assert_non_null(strstr(error->message, "bad.json"));
        rt_error_destroy(error);
    }
    hx_temp_remove(&folder);
    struct rt_error *error = hx_known_load("/nowhere", &known);
    assert_int_equal(error->code, RT_OS);
    rt_error_destroy(error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_load_and_mark),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
