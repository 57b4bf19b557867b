/* Results: their way through the pipe, cut short and spoilt ones, and the JSON object. */
#include "harness/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct or_spot stack[] = {
    {.function = "func_1", .file = "program.c", .line = 12, .depth = 2, .pc = 0x90},
    {.function = "main", .file = "program.c", .line = 40, .depth = 1}};

static void make(struct hx_result *result) {
    const struct or_finding finding = {
        .kind = OR_VALUE,
        .signature = "value/bit-field",
        .function = "func_1",
        .file = "program.c",
        .line = 12,
        .column = 3,
        .depth = 2,
        .variable = "g_5.f1",
        .stop = 77,
        .witnesses = {{.name = "native",
                       .value = "1",
                       .dwarf = "DIE 0x10, DW_OP_addr 0x4010",
                       .words = "in memory at 0x4010",
                       .die = 0x10,
                       .stack = stack,
                       .stack_count = 2,
                       .stops = stack,
                       .stop_count = 2,
                       .stop_at = 1},
                      {.name = "wasm", .state = "irretrievable", .reason = "no frame base"}},
    };

    hx_result_init(result);
    result->has_seed = true;
    result->seed = 17;
    result->verdict = HX_DIFFER;
    result->stops = 300;
    result->values = 4000;
    result->unchanged = 50000;
    result->repeats = 900;
    result->events = 30;
    result->seconds[HX_COMPILE] = 0.25;
    assert_non_null(hx_result_add(result, "value", &finding));
    assert_non_null(hx_result_add(result, "value", &finding));
}

static void test_round_trip(void **state) {
    struct hx_result written, read;
    struct hx_buffer bytes = {0}, again = {0};

    (void)state;
    make(&written);
    hx_result_write(&written, &bytes);
    hx_result_init(&read);
    assert_null(hx_result_read(bytes.bytes, bytes.size, &read));
    assert_int_equal(read.finding_count, 2);
    assert_int_equal(read.events, 30);
    assert_string_equal(read.findings[1].body.variable, "g_5.f1");
    assert_null(read.findings[1].body.detail);
    assert_string_equal(read.findings[1].body.witnesses[0].words, "in memory at 0x4010");
    assert_int_equal(read.findings[1].body.witnesses[0].stop_at, 1);
    assert_int_equal(read.findings[1].body.witnesses[0].stack_count, 2);
    assert_string_equal(read.findings[1].body.witnesses[0].stack[1].function, "main");
    assert_int_equal(read.findings[1].body.witnesses[0].stops[0].pc, 0x90);
    assert_int_equal(read.findings[1].body.witnesses[1].stack_count, 0);
    hx_result_write(&read, &again);
    assert_int_equal(bytes.size, again.size);
    assert_memory_equal(bytes.bytes, again.bytes, bytes.size);
    hx_buffer_clear(&bytes);
    hx_buffer_clear(&again);
    hx_result_clear(&written);
    hx_result_clear(&read);
}

/* More than two witnesses: what the others say, the blame, the pairs, and where a pair came. */
static void make_more(struct hx_result *result) {
    static const struct or_testimony others[] = {
        {.name = "native:gcc", .state = "agrees", .reason = "with native", .hits = 3, .skipped = 1},
        {.name = "gdb", .value = "1"},
    };
    static const struct or_place places[] = {{"main", "a.c", 7, {true, false}, 2}};
    struct or_finding finding;

    make(result);
    finding = result->findings[0].body;
    finding.others = others;
    finding.other_count = 2;
    finding.blame = "wasm";
    finding.blame_reason = "native, native:gcc against wasm";
    result->finding_count = 0;
    assert_non_null(hx_result_add(result, "value", &finding));
    assert_true(hx_result_set_places(result, places, 1));
    result->pairs = rt_arena_array(&result->arena, 1, sizeof *result->pairs);
    assert_non_null(result->pairs);
    result->pairs[0] = (struct hx_pair_result){
        .names = {"native", "wasm"}, .verdict = HX_DIFFER, .findings = 1, .readable = {9, 8}, .same = 7};
    result->pair_count = 1;
}

static void test_more_witnesses(void **state) {
    struct hx_result written, read;
    struct hx_buffer bytes = {0}, text = {0};

    (void)state;
    make_more(&written);
    hx_result_write(&written, &bytes);
    hx_result_init(&read);
    assert_null(hx_result_read(bytes.bytes, bytes.size, &read));
    assert_int_equal(read.findings[0].body.kind, OR_VALUE);
    assert_int_equal(read.findings[0].body.other_count, 2);
    assert_int_equal(read.findings[0].body.others[0].hits, 3);
    assert_int_equal(read.findings[0].body.others[0].skipped, 1);
    assert_int_equal(read.place_count, 1);
    assert_string_equal(read.places[0].function, "main");
    assert_true(read.places[0].in[0] && !read.places[0].in[1]);
    assert_int_equal(read.places[0].visits, 2);
    hx_result_json(&read, &text);
    assert_non_null(
        strstr(hx_buffer_string(&text),
               "\"pairs\":[{\"witnesses\":[\"native\",\"wasm\"],\"verdict\":\"differ\",\"findings\":1,"
               "\"stops\":0,\"values\":0,\"unchanged\":0,\"shown\":[9,8,7]}]"));
    assert_non_null(strstr(hx_buffer_string(&text),
                           "{\"name\":\"native:gcc\",\"state\":\"agrees\",\"reason\":\"with native\"},"
                           "{\"name\":\"gdb\",\"value\":\"1\"}],\"blame\":\"wasm\","
                           "\"blame_reason\":\"native, native:gcc against wasm\""));
    hx_buffer_clear(&bytes);
    hx_buffer_clear(&text);
    hx_result_clear(&written);
    hx_result_clear(&read);
}

/* Every shorter message is refused, and no spoilt byte does harm. */
static void test_damage(void **state) {
    struct hx_result written, read;
    struct hx_buffer bytes = {0};

    (void)state;
    make_more(&written);
    hx_result_write(&written, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        char *exact = malloc(size + 1);
        assert_non_null(exact);
        memcpy(exact, bytes.bytes, size);
        hx_result_init(&read);
        struct rt_error *error = hx_result_read(exact, size, &read);
        assert_non_null(error);
        rt_error_destroy(error);
        hx_result_clear(&read);
        free(exact);
    }
    for (size_t at = 0; at < bytes.size; at++) {
        bytes.bytes[at] = (char)~bytes.bytes[at];
        hx_result_init(&read);
        rt_error_destroy(hx_result_read(bytes.bytes, bytes.size, &read));
        hx_result_clear(&read);
        bytes.bytes[at] = (char)~bytes.bytes[at];
    }
    hx_buffer_clear(&bytes);
    hx_result_clear(&written);
}

static void test_json(void **state) {
    struct hx_result result;
    struct hx_buffer text = {0};

    (void)state;
    make(&result);
    result.finding_count = 1;
    hx_result_json(&result, &text);
    assert_string_equal(
        hx_buffer_string(&text),
        "{\"seed\":17,\"verdict\":\"differ\",\"stops\":300,\"values\":4000,\"unchanged\":50000,\"repeats\":"
        "900,"
        "\"seconds\":{\"generate\":0.000,\"compile\":0.250,\"step\":0.000},\"findings\":[{\"kind\":\"value\","
        "\"signature\":\"value/bit-field\",\"function\":\"func_1\",\"file\":\"program.c\",\"line\":12,"
        "\"column\":3,\"depth\":2,\"variable\":\"g_5.f1\",\"witnesses\":[{\"name\":\"native\",\"value\":"
        "\"1\","
        "\"dwarf\":\"DIE 0x10, DW_OP_addr 0x4010\"},{\"name\":\"wasm\",\"state\":\"irretrievable\","
        "\"reason\":\"no frame base\"}]}]}");
    hx_buffer_clear(&text);
    hx_result_clear(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_more_witnesses),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
