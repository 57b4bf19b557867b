/* The tools: command lines as drivers print them, Csmith's words by seed, what is said of a missing tool. */
#include "harness/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_words(void **state) {
    static const char line[] = " \"/usr/bin/ld\" \"a b\" -o  \"q\\\"\\\\\" plain \"\" x\"y\"z";
    static const char *const expected[] = {"/usr/bin/ld", "a b", "-o", "q\"\\", "plain", "", "xyz"};
    struct rt_arena arena;
    size_t count = 0;

    (void)state;
    rt_arena_init(&arena, 0);
    const char **words = hx_tools_words(line, strlen(line), &arena);
    for (; words[count]; count++)
        assert_string_equal(words[count], expected[count]);
    assert_int_equal(count, sizeof expected / sizeof *expected);
    assert_null(hx_tools_words("", 0, &arena)[0]);
    rt_arena_clear(&arena);
}

static void test_missing(void **state) {
    struct rt_arena arena;
    const char *path;

    (void)state;
    rt_arena_init(&arena, 0);
    assert_null(hx_tool_find("sh", "dash", &arena, &path));
    assert_int_equal(path[0], '/');
    struct rt_error *error = hx_tool_find("clang-0", "clang-0", &arena, &path);
    assert_string_equal(error->message, "clang-0 is missing: install the package clang-0");
    rt_error_destroy(error);
    rt_arena_clear(&arena);
}

static bool has(const char *const *words, const char *word) {
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

/* One seed always gives one command line, and neighbours differ. */
static void test_csmith_words(void **state) {
    struct hx_tools tools = {.csmith = "csmith", .native.name = "clang-19"};
    struct rt_arena arena;
    const char *const *first, *const *again, *const *next;

    (void)state;
    rt_arena_init(&arena, 0);
    assert_null(hx_generate_words(&tools, 41, NULL, &arena, &first));
    assert_null(hx_generate_words(&tools, 41, NULL, &arena, &again));
    assert_null(hx_generate_words(&tools, 42, " --no-float  --concise", &arena, &next));
    size_t count = 0;
    bool differs = false;
    for (; first[count]; count++) {
        assert_string_equal(first[count], again[count]);
        differs = differs || strcmp(first[count], next[count]) != 0;
    }
    assert_null(again[count]);
    assert_true(differs);
    assert_true(has(first, "--float") && has(first, "41"));
    assert_string_equal(next[count], "--no-float");
    assert_string_equal(next[count + 1], "--concise");
    assert_null(next[count + 2]);
    /* gcc's conversions of floats do not saturate, so its programs have none. */
    tools.native.name = "gcc";
    assert_null(hx_generate_words(&tools, 41, NULL, &arena, &first));
    assert_false(has(first, "--float"));
    rt_arena_clear(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_csmith_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
