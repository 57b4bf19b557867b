/* Test scripts' runner, without the command: values and patterns, what is refused, commands that no converter
 * writes. Links nothing but the runner's library and the runtime. */
#include "harness/wast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct rt_arena arena;
static char folder[] = "/tmp/lockstep-test-XXXXXX";

static int set_up(void **state) {
    (void)state;
    rt_arena_init(&arena, 0);
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    rt_arena_clear(&arena);
    return rmdir(folder);
}

/* ---- Values ---- */

static struct rt_error *read_value(const char *text, bool is_pattern_allowed, struct hx_wast_value *ret) {
    const struct hx_json_value *json;
    assert_null(hx_json_parse(text, strlen(text), &arena, &json));
    return hx_wast_value_read(json, is_pattern_allowed, ret);
}

static struct hx_wast_value pattern(const char *text) {
    struct hx_wast_value value;
    struct rt_error *error = read_value(text, true, &value);
    if (error)
        fail_msg("%s: %s", text, error->message);
    return value;
}

static void expect_print(const struct hx_wast_value *value, const char *text) {
    struct hx_buffer out = {0};
    hx_wast_value_print(value, &out);
    assert_string_equal(hx_buffer_string(&out), text);
    hx_buffer_clear(&out);
}

static void test_numbers(void **state) {
    (void)state;
    struct hx_wast_value value = pattern("{\"type\": \"i32\", \"value\": \"4294967295\"}");
    assert_true(hx_wast_value_matches(&value, &(union rt_value){.i32 = UINT32_MAX}));
    assert_false(hx_wast_value_matches(&value, &(union rt_value){.i32 = UINT32_MAX - 1}));
    /* What lies beside a value is not looked at. */
    assert_true(hx_wast_value_matches(&value, &(union rt_value){.i64 = UINT64_MAX}));
    expect_print(&value, "i32 4294967295");

    value = pattern("{\"type\": \"i64\", \"value\": \"-9223372036854775808\"}");
    assert_true(hx_wast_value_matches(&value, &(union rt_value){.i64 = (uint64_t)1 << 63}));

    value = pattern("{\"type\": \"f32\", \"value\": \"2147483648\"}");
    assert_true(hx_wast_value_matches(&value, &(union rt_value){.f32 = -0.0f}));
    assert_false(hx_wast_value_matches(&value, &(union rt_value){.f32 = 0.0f}));
    expect_print(&value, "f32 0x80000000 (-0)");
}

static void expect_nan(const char *text, uint64_t bits, bool matches) {
    struct hx_wast_value value = pattern(text);
    if (hx_wast_value_matches(&value, &(union rt_value){.i64 = bits}) != matches)
        fail_msg("%s and 0x%llx", text, (unsigned long long)bits);
}

static void test_nans(void **state) {
    static const char canonical32[] = "{\"type\": \"f32\", \"value\": \"nan:canonical\"}";
    static const char arithmetic32[] = "{\"type\": \"f32\", \"value\": \"nan:arithmetic\"}";
    static const char canonical64[] = "{\"type\": \"f64\", \"value\": \"nan:canonical\"}";
    static const char arithmetic64[] = "{\"type\": \"f64\", \"value\": \"nan:arithmetic\"}";

    (void)state;
    expect_nan(canonical32, 0x7fc00000, true);
    expect_nan(canonical32, 0xffc00000, true);
    expect_nan(canonical32, 0x7fc00001, false);
    expect_nan(canonical32, 0x7f800000, false); /* infinity */
    expect_nan(canonical32, 0x00400000, false); /* a small number */
    expect_nan(arithmetic32, 0xffc00001, true);
    expect_nan(arithmetic32, 0x7fa00000, false); /* signalling */
    expect_nan(canonical64, 0x7ff8000000000000, true);
    expect_nan(canonical64, 0xfff8000000000001, false);
    expect_nan(arithmetic64, 0xfff8000000000001, true);
    expect_nan(arithmetic64, 0x7ff4000000000000, false);
    expect_nan(arithmetic64, 0x7ff0000000000000, false);
}

static void test_vectors(void **state) {
    union rt_value got = {.v128 = {1, 0, 0xff, 0xff, 0, 0x80, 7}};

    (void)state;
    struct hx_wast_value value =
        pattern("{\"type\": \"v128\", \"lane_type\": \"i16\","
                " \"value\": [\"1\", \"-1\", \"32768\", \"7\", \"0\", \"0\", \"0\", \"0\"]}");
    assert_true(hx_wast_value_matches(&value, &got));
    got.v128[15] = 1;
    assert_false(hx_wast_value_matches(&value, &got));
    struct hx_wast_value like = hx_wast_value_of(RT_V128, &got, &value);
    expect_print(&like, "i16x8 1 65535 32768 7 0 0 0 256");

    value = pattern("{\"type\": \"v128\", \"lane_type\": \"f32\","
                    " \"value\": [\"0\", \"nan:canonical\", \"nan:arithmetic\", \"1065353216\"]}");
    static const uint32_t lanes[4] = {0, 0xffc00000, 0x7fc00001, 0x3f800000};
    memcpy(got.v128, lanes, sizeof lanes);
    assert_true(hx_wast_value_matches(&value, &got));
    memcpy(got.v128 + 4, &lanes[2], sizeof *lanes);
    assert_false(hx_wast_value_matches(&value, &got));
    expect_print(&value, "f32x4 0x00000000 (0) nan:canonical nan:arithmetic 0x3f800000 (1)");

    value = pattern("{\"type\": \"v128\", \"lane_type\": \"i64\", \"value\": [\"1\", \"2\"]}");
    assert_true(hx_wast_value_matches(&value, &(union rt_value){.v128 = {1, [8] = 2}}));
}

static void test_references(void **state) {
    (void)state;
    struct hx_wast_value value = pattern("{\"type\": \"externref\", \"value\": \"0\"}");
    assert_non_null(value.value.ref);
    assert_true(hx_wast_value_matches(&value, &value.value));
    assert_false(hx_wast_value_matches(&value, &(union rt_value){.ref = NULL}));
    expect_print(&value, "externref 0");
    value = pattern("{\"type\": \"funcref\", \"value\": \"null\"}");
    assert_true(hx_wast_value_matches(&value, &(union rt_value){.ref = NULL}));
    value = pattern("{\"type\": \"funcref\", \"value\": \"0\"}");
    assert_true(hx_wast_value_matches(&value, &(union rt_value){.ref = &value}));
    assert_false(hx_wast_value_matches(&value, &(union rt_value){.ref = NULL}));
}

static void test_values_that_are_refused(void **state) {
    static const struct {
        const char *text;
        bool is_pattern_allowed;
    } rows[] = {
        {"{\"type\": \"i32\", \"value\": \"4294967296\"}", true},
        {"{\"type\": \"i32\", \"value\": \"-2147483649\"}", true},
        {"{\"type\": \"i32\", \"value\": \"\"}", true},
        {"{\"type\": \"i32\", \"value\": \"1x\"}", true},
        {"{\"type\": \"i32\", \"value\": 1}", true},
        {"{\"type\": \"i32\"}", true},
        {"{\"type\": \"i32\", \"value\": \"nan:canonical\"}", true},
        {"{\"type\": \"i16\", \"value\": \"1\"}", true},
        {"{\"type\": \"exnref\", \"value\": \"1\"}", true},
        {"{\"value\": \"1\"}", true},
        {"[]", true},
        {"{\"type\": \"v128\", \"value\": [\"1\"]}", true},
        {"{\"type\": \"v128\", \"lane_type\": \"i64\", \"value\": [\"1\"]}", true},
        {"{\"type\": \"v128\", \"lane_type\": \"i64\", \"value\": [\"1\", \"2\", \"3\"]}", true},
        {"{\"type\": \"v128\", \"lane_type\": \"funcref\", \"value\": [\"1\", \"2\"]}", true},
        {"{\"type\": \"f32\", \"value\": \"nan:canonical\"}", false},
        {"{\"type\": \"externref\"}", false},
        {"{\"type\": \"v128\", \"lane_type\": \"f64\", \"value\": [\"1\", \"nan:arithmetic\"]}", false},
    };
    struct hx_wast_value value;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rt_error *error = read_value(rows[i].text, rows[i].is_pattern_allowed, &value);
        if (!error)
            fail_msg("row %zu was read", i);
        assert_int_equal(error->code, RT_MALFORMED);
        rt_error_destroy(error);
    }
}

/* ---- Scripts ---- */

/* "m.wasm" in the temporary folder exports "f", (i32) -> (i64 f64): its argument, and one half. */
static const uint8_t module_bytes[] = {
    0,    'a',  's',  'm',  1,   0,      0, 0,              /* header */
    1,    7,    1,    0x60, 1,   RT_I32, 2, RT_I64, RT_F64, /* types */
    3,    2,    1,    0,                                    /* functions */
    7,    5,    1,    1,    'f', 0,      0,                 /* exports */
    10,   16,   1,    14,   0,   0x20,   0, 0xac,   0x44,
    0,    0,    0,    0,    0,   0, /* local.get 0, i64.extend_i32_s */
    0xe0, 0x3f, 0x0b,               /* f64.const 0.5 */
};

static void write_file(const char *name, const void *bytes, size_t size) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_null(hx_file_write(path, bytes, size, 0600));
}

static void remove_file(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

static struct rt_error *read_script(const char *json, struct hx_wast_script *ret) {
    char path[256];
    write_file("script.json", json, strlen(json));
    snprintf(path, sizeof path, "%s/script.json", folder);
    struct rt_error *error = hx_wast_script_read(path, ret);
    remove_file("script.json");
    return error;
}

static void test_scripts_that_are_refused(void **state) {
    static const struct {
        const char *json, *message;
    } rows[] = {
        {"{", "at byte 0x1"},
        {"[]", "no commands"},
        {"{\"commands\": [{\"type\": \"module\", \"filename\": \"m.wasm\"}]}", "command 1, line 0: no line"},
        {"{\"commands\": [{\"type\": \"module\", \"line\": 3}]}", "command 1, line 3: no filename"},
        {"{\"commands\": [{\"type\": \"magic\", \"line\": 3}]}", "unknown command 'magic'"},
        {"{\"commands\": [{\"line\": 3}]}", "unknown command"},
        {"{\"commands\": [{\"type\": \"register\", \"line\": 3}]}", "no name"},
        {"{\"commands\": [{\"type\": \"action\", \"line\": 3}]}", "no action"},
        {"{\"commands\": [{\"type\": \"action\", \"line\": 3, \"action\": {\"type\": \"call\"}}]}",
         "no action"},
        {"{\"commands\": [{\"type\": \"action\", \"line\": 3, \"action\": {\"type\": \"get\"}}]}",
         "no field"},
        {"{\"commands\": [{\"type\": \"action\", \"line\": 3, \"action\":"
         " {\"type\": \"invoke\", \"field\": \"f\"}}]}",
         "no list of values"},
        {"{\"commands\": [{\"type\": \"assert_return\", \"line\": 3, \"action\":"
         " {\"type\": \"get\", \"field\": \"f\"}}]}",
         "no list of values"},
        {"{\"commands\": [{\"type\": \"assert_trap\", \"line\": 3, \"action\":"
         " {\"type\": \"get\", \"field\": \"f\"}}]}",
         "no text"},
        {"{\"commands\": [{\"type\": \"assert_invalid\", \"line\": 3, \"filename\": \"a\","
         " \"text\": \"b\", \"module_type\": \"magic\"}]}",
         "no module_type"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hx_wast_script script;
        struct rt_error *error = read_script(rows[i].json, &script);
        if (!error || error->code != RT_MALFORMED || !strstr(error->message, rows[i].message))
            fail_msg("row %zu: expected '%s', got '%s'", i, rows[i].message,
                     error ? error->message : "success");
        rt_error_destroy(error);
        hx_wast_script_clear(&script);
    }
}

#define MODULE "{\"type\": \"module\", \"line\": 1, \"filename\": \"m.wasm\"}"
#define CALL(args, expected)                                                                                 \
    "{\"type\": \"assert_return\", \"line\": 2, \"action\": {\"type\": \"invoke\", \"field\": \"f\","        \
    " \"args\": [" args "]}, \"expected\": [" expected "]}"
#define I32(value) "{\"type\": \"i32\", \"value\": \"" value "\"}"
#define I64(value) "{\"type\": \"i64\", \"value\": \"" value "\"}"
#define F64(value) "{\"type\": \"f64\", \"value\": \"" value "\"}"
#define HALF       "4602678819172646912"

/* Runs a module and one assertion on it; the remark must hold the message, NULL when it passes. */
static void expect_run(const char *assertion, const char *message) {
    struct hx_wast_script script;
    struct hx_wast_report report = {0};
    struct hx_buffer text = {0};

    hx_buffer_print(&text, "{\"source_filename\": \"s.wast\", \"commands\": [" MODULE ", %s]}", assertion);
    assert_null(read_script(hx_buffer_string(&text), &script));
    assert_string_equal(script.source, "s.wast");
    assert_null(hx_wast_run(&script, NULL, &report));
    struct hx_wast_counts total = hx_wast_total(&report);
    if (total.passed != (message ? 1 : 2) || (message && !strstr(report.remarks[0].text, message)))
        fail_msg("%s: expected '%s', got '%s'", assertion, message ? message : "success",
                 report.remarks[0].text);
    assert_int_equal(report.remark_count, message ? 1 : 0);
    assert_int_equal(report.position, 2);
    assert_true(report.is_finished);
    hx_buffer_clear(&text);
    hx_wast_script_clear(&script);
}

/* What wast2json checks itself, so that it never writes the like. */
static void test_run(void **state) {
    (void)state;
    write_file("m.wasm", module_bytes, sizeof module_bytes);
    expect_run(CALL(I32("7"), I64("7") ", " F64(HALF)), NULL);
    expect_run(CALL(I32("-1"), I64("-1") ", " F64(HALF)), NULL);
    expect_run(CALL(I32("7"), I64("8") ", " F64(HALF)),
               "f: expected i64 8, f64 0x3fe0000000000000 (0.5), got i64 7");
    expect_run(CALL(I32("7"), I64("7")), "f: expected i64 7, got i64 7, f64 0x3fe0000000000000 (0.5)");
    expect_run(CALL(I32("7"), I64("7") ", " F64(HALF) ", " I32("1")), "i32 1, got i64 7");
    expect_run(CALL(I32("7"), I32("7") ", " F64(HALF)), "f: expected i32 7, ");
    expect_run(CALL(I64("7"), I64("7") ", " F64(HALF)), "the arguments are not of f's type");
    expect_run(CALL("", I64("7") ", " F64(HALF)), "the arguments are not of f's type");
    expect_run("{\"type\": \"action\", \"line\": 2, \"action\": {\"type\": \"invoke\", \"field\": \"g\","
               " \"args\": []}}",
               "no function 'g' is exported");
    expect_run("{\"type\": \"action\", \"line\": 2, \"action\": {\"type\": \"get\", \"field\": \"f\"}}",
               "no global 'f' is exported");
    expect_run("{\"type\": \"action\", \"line\": 2, \"action\": {\"type\": \"get\", \"field\": \"f\","
               " \"module\": \"$M\"}}",
               "there is no module $M");
    expect_run("{\"type\": \"register\", \"line\": 2, \"name\": \"$M\", \"as\": \"m\"}",
               "there is no module '$M'");
    expect_run("{\"type\": \"assert_invalid\", \"line\": 2, \"filename\": \"no.wasm\", \"text\": \"type\"}",
               "got an error: cannot open");
    remove_file("m.wasm");
}

/* Failures are counted without end, remarks are not, and words leave room for failures. */
static void test_many_remarks(void **state) {
    const struct hx_wast_command command = {.kind = HX_WAST_ASSERT_INVALID, .line = 5};
    struct hx_wast_report *report = calloc(1, sizeof *report);

    (void)state;
    assert_non_null(report);
    for (int i = 0; i < HX_WAST_REMARKS; i++)
        hx_wast_remark(report, &command, true, "words");
    assert_int_equal(report->remark_count, HX_WAST_REMARKS / 2);
    for (int i = 0; i < HX_WAST_REMARKS; i++)
        hx_wast_remark(report, &command, false, "failure");
    assert_int_equal(report->remark_count, HX_WAST_REMARKS);
    assert_int_equal(report->words, HX_WAST_REMARKS);
    assert_int_equal(hx_wast_total(report).failed, HX_WAST_REMARKS);
    assert_string_equal(report->remarks[HX_WAST_REMARKS - 1].text, "failure");
    free(report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_nans),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_values_that_are_refused),
        cmocka_unit_test(test_scripts_that_are_refused),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_many_remarks),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
