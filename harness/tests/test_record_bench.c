/* `lockstep bench record`, for its shape and not for its times: every line is a JSON object with what the
 * README promises, sizes are those of the trace, waiting is not replayed, and what is missing is left out
 * with a line.
 */
#include "harness/json.h"
#include "harness/tests/shell.h"

#include <stdio.h>
#include <string.h>

static int bench(const char *arguments, struct hx_buffer *output) {
    char line[512];

    snprintf(line, sizeof line, "XDG_CACHE_HOME=$PWD/none '%s' bench record %s 2>complaints", LOCKSTEP_BINARY,
             arguments);
    return run_shell(line, 110000, output);
}

static double number(const struct hx_json_value *object, const char *key) {
    const struct hx_json_value *member = hx_json_member(object, key);
    assert_non_null(member);
    return member->number;
}

static void expect_way(const struct hx_json_value *object) {
    const struct hx_json_value *percent = hx_json_member(object, "percent");
    const char *way = hx_json_member_string(object, "way");

    assert_non_null(percent);
    assert_non_null(hx_json_member(object, "work_percent"));
    assert_int_equal(number(object, "rounds"), 3);
    assert_true(number(object, "milliseconds") > 0);
    assert_true(number(percent, "least") <= number(percent, "median"));
    assert_true(number(percent, "median") <= number(percent, "most"));
    if (strcmp(way, "run") == 0 || strcmp(way, "interpreted") == 0)
        assert_true(number(percent, "least") == 100 && number(percent, "most") == 100);
    if (strcmp(hx_json_member_string(object, "program"), "waits") == 0 && strstr(way, "replayed"))
        assert_true(number(percent, "median") < 100);
}

static void expect_trace(const struct hx_json_value *object) {
    if (strcmp(hx_json_member_string(object, "program"), "calls") == 0) /* one unit */
        assert_in_range((uintmax_t)number(object, "calls"), 3000, 3100);
    assert_true(number(object, "events") > number(object, "calls"));
    assert_true(number(object, "event_bytes") > number(object, "crossed_bytes") / 2);
    assert_true(number(object, "trace_bytes") > 0);
}

static void test_all(void **state) {
    struct hx_buffer output = {0};
    size_t rows = 0, traces = 0;
    struct rt_arena arena;
    (void)state;

    rt_arena_init(&arena, 0);
    assert_int_equal(bench("--json --rounds 3 --work 3", &output), 0);
    for (const char *text = hx_buffer_string(&output); *text;) {
        const size_t length = strcspn(text, "\n");
        const struct hx_json_value *object;
        assert_null(hx_json_parse(text, length, &arena, &object));
        if (strcmp(hx_json_member_string(object, "table"), "record") == 0) {
            expect_way(object);
            rows++;
        } else {
            expect_trace(object);
            traces++;
        }
        text += length + (text[length] == '\n');
    }
    assert_int_equal(rows, 14); /* two programs, seven ways */
    assert_int_equal(traces, 2);
    hx_buffer_clear(&output);
    assert_int_equal(
        run_shell("grep -c 'left out: .*zstd.*run ci/bench-programs' complaints", 10000, &output), 0);
    assert_string_equal(hx_buffer_string(&output), "2\n");
    hx_buffer_clear(&output);
    rt_arena_clear(&arena);
}

static void test_usage(void **state) {
    static const char *const wrong[] = {"--program nothing", "--rounds 0", "extra", "--program zstd"};
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct hx_buffer output = {0};
        assert_int_equal(bench(wrong[i], &output), 2);
        hx_buffer_clear(&output);
    }
}

static int set_up(void **state) {
    (void)state;
    assert_null(hx_temp_create(&temp));
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
