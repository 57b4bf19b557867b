/* JSON: what is written reads back, hostile strings stay valid, malformed documents are refused. */
#include "harness/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_writer(void **state) {
    struct hx_buffer text = {0};
    struct hx_json json = {.out = &text};

    (void)state;
    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "s", "a\"b\\c\n\x01");
    hx_json_string(&json, "null", NULL);
    hx_json_number(&json, "n", UINT64_MAX);
    hx_json_seconds(&json, "t", 0.0625);
    hx_json_open(&json, "a", '[');
    hx_json_bool(&json, NULL, true);
    hx_json_open(&json, NULL, '{');
    hx_json_close(&json, '}');
    hx_json_close(&json, ']');
    hx_json_close(&json, '}');
    assert_string_equal(hx_buffer_string(&text),
                        "{\"s\":\"a\\\"b\\\\c\\u000a\\u0001\",\"null\":null,\"n\":18446744073709551615,"
                        "\"t\":0.062,\"a\":[true,{}]}");
    hx_buffer_clear(&text);
}

static void test_bytes_that_are_no_utf8(void **state) {
    struct hx_buffer text = {0};
    struct hx_json json = {.out = &text};

    (void)state;
    /* A lone continuation, an overlong slash, a surrogate, a sequence cut short, and a good one. */
    hx_json_string(&json, NULL, "\x80|\xc0\xaf|\xed\xa0\x80|\xe2\x82|\xe2\x82\xac");
    assert_string_equal(hx_buffer_string(&text), "\"\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|"
                                                 "\\ufffd\\ufffd|\xe2\x82\xac\"");
    hx_buffer_clear(&text);
}

static void test_reads_bytes_that_are_no_utf8(void **state) {
    /* The same ones as above, the last one at the document's end; and keys, too. */
    static const char text[] = "{\"k\xff\": \"\x80|\xc0\xaf|\xed\xa0\x80|\xe2\x82|\xe2\x82\xac\\n\xf0\x9f\"}",
                      cut[] = "\"\xe2\x82";
#define NONE "\xef\xbf\xbd"
    const struct hx_json_value *value;
    struct rt_arena arena;

    (void)state;
    rt_arena_init(&arena, 0);
    assert_null(hx_json_parse(text, strlen(text), &arena, &value));
    assert_string_equal(hx_json_member_string(value, "k" NONE),
                        NONE "|" NONE NONE "|" NONE NONE NONE "|" NONE NONE "|\xe2\x82\xac\n" NONE NONE);
#undef NONE
    struct rt_error *error = hx_json_parse(cut, strlen(cut), &arena, &value);
    assert_non_null(error);
    rt_error_destroy(error);
    rt_arena_clear(&arena);
}

static void test_reader(void **state) {
    static const char text[] = " {\"a\": [1, -2.5e1, true, null], \"s\": \"x\\u20ac\\ud83d\\ude00\\n\"} ";
    const struct hx_json_value *value;
    struct rt_arena arena;

    (void)state;
    rt_arena_init(&arena, 0);
    assert_null(hx_json_parse(text, strlen(text), &arena, &value));
    const struct hx_json_value *item = hx_json_member(value, "a")->first;
    assert_true(item->number == 1);
    assert_true(item->next->number == -25);
    assert_true(item->next->next->boolean);
    assert_int_equal(item->next->next->next->kind, HX_JSON_NULL);
    assert_null(item->next->next->next->next);
    assert_string_equal(hx_json_member_string(value, "s"), "x\xe2\x82\xac\xf0\x9f\x98\x80\n");
    assert_null(hx_json_member(value, "b"));
    assert_null(hx_json_member_string(value, "a"));
    static const char zeros[] = "\"a\\u0000\\ud800b\"";
    assert_null(hx_json_parse(zeros, strlen(zeros), &arena, &value));
    assert_int_equal(value->string_size, 6);
    assert_memory_equal(value->string,
                        "a\0\xef\xbf\xbd"
                        "b",
                        7);
    rt_arena_clear(&arena);
}

static void test_malformed(void **state) {
    static const char *const cases[] = {
        "",    "{",  "[",   "\"",     "\"\\", "\"\\u12", "{\"a\"}", "{\"a\":}",       "[1,]", "[1 2]",
        "nul", "1x", "--1", "\"\n\"", "[]]",  "{a:1}",   "\"\\x\"", "\"\\ud800\\u\"", "+",    "[\"\\\"]",
    };
    const struct hx_json_value *value;
    struct rt_arena arena;
    char deep[200];

    (void)state;
    rt_arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rt_error *error = hx_json_parse(cases[i], strlen(cases[i]), &arena, &value);
        assert_non_null(error);
        assert_int_equal(error->code, RT_MALFORMED);
        rt_error_destroy(error);
    }
    memset(deep, '[', sizeof deep);
    struct rt_error *error = hx_json_parse(deep, sizeof deep, &arena, &value);
    assert_non_null(strstr(error->message, "nested deeper"));
    rt_error_destroy(error);
    rt_arena_clear(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_bytes_that_are_no_utf8),
        cmocka_unit_test(test_reads_bytes_that_are_no_utf8),
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
