/* The argument parser: every kind of option, and what it refuses. */
#include "harness/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct values {
    bool flag;
    const char *text;
    struct hx_list list;
    uint64_t number, duration;
    struct hx_seeds seeds;
};

static const struct hx_option options[] = {
    {"--flag", NULL, HX_OPTION_FLAG, offsetof(struct values, flag), "a flag"},
    {"--text", "T", HX_OPTION_TEXT, offsetof(struct values, text), "a text"},
    {"--list", "L", HX_OPTION_LIST, offsetof(struct values, list), "a list"},
    {"--number", "N", HX_OPTION_NUMBER, offsetof(struct values, number), "a number"},
    {"--time", "D", HX_OPTION_DURATION, offsetof(struct values, duration), "a duration"},
    {"--seeds", "A-B", HX_OPTION_SEEDS, offsetof(struct values, seeds), "seeds"},
};
static const struct hx_command command = {.name = "test",
                                          .arguments = "",
                                          .summary = "a test",
                                          .options = options,
                                          .option_count = sizeof options / sizeof *options};

struct parsed {
    struct rt_arena arena;
    struct values values;
    struct hx_arguments arguments;
    bool help;
    struct rt_error *error;
};

/* Words are separated by one blank. */
static void parse(struct parsed *parsed, char *line) {
    char *argv[32];
    int argc = 0;

    *parsed = (struct parsed){0};
    rt_arena_init(&parsed->arena, 0);
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    parsed->error = hx_options_parse(&command, argc, argv, &parsed->arena, &parsed->values,
                                     &parsed->arguments, &parsed->help);
}

static void clear(struct parsed *parsed) {
    rt_error_destroy(parsed->error);
    rt_arena_clear(&parsed->arena);
}

static void test_all_kinds(void **state) {
    char line[] =
        "one --flag --text t --list a --list=b --number 7 --time 10m --seeds 3-9 two -- --flag three";
    struct parsed parsed;

    (void)state;
    parse(&parsed, line);
    assert_null(parsed.error);
    assert_true(parsed.values.flag);
    assert_string_equal(parsed.values.text, "t");
    assert_int_equal(parsed.values.list.count, 2);
    assert_string_equal(parsed.values.list.items[1], "b");
    assert_int_equal(parsed.values.number, 7);
    assert_int_equal(parsed.values.duration, 600000);
    assert_true(parsed.values.seeds.is_set);
    assert_int_equal(parsed.values.seeds.first, 3);
    assert_int_equal(parsed.values.seeds.last, 9);
    assert_int_equal(parsed.arguments.count, 4);
    assert_int_equal(parsed.arguments.before_dashes, 2);
    assert_string_equal(parsed.arguments.items[2], "--flag");
    clear(&parsed);
}

static void test_durations(void **state) {
    static const struct {
        const char *text;
        uint64_t milliseconds;
    } cases[] = {{"90", 90000}, {"90s", 90000}, {"2h", 7200000}, {"500ms", 500}, {"0", 0}};
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[64] = "--time ";
        strcat(line, cases[i].text);
        parse(&parsed, line);
        assert_null(parsed.error);
        assert_int_equal(parsed.values.duration, cases[i].milliseconds);
        clear(&parsed);
    }
}

static void test_refusals(void **state) {
    static const struct {
        const char *line, *complaint;
    } cases[] = {
        {"--nothing", "unknown option '--nothing'; see --help"},
        {"-x", "unknown option '-x'; see --help"},
        {"--flagged", "unknown option '--flagged'; see --help"},
        {"--flag=1", "--flag takes no value"},
        {"--text", "--text needs a value: T"},
        {"--number x", "--number: 'x' is not a number"},
        {"--number 7x", "--number: '7x' is not a number"},
        {"--number -7", "--number: '-7' is not a number"},
        {"--number 99999999999999999999", "--number: '99999999999999999999' is too large"},
        {"--time 10y", "--time: '10y' is no duration; write 90s, 10m or 2h"},
        {"--time 18446744073709551615h", "--time: '18446744073709551615h' is too long"},
        {"--seeds 9-3", "--seeds: '9-3' ends before it begins"},
        {"--seeds 9-", "--seeds: '' is not a number"},
        {"--seeds 1..4", "--seeds: '1..4' is no range of seeds; write 7 or 1-500"},
    };
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[64];
        strcpy(line, cases[i].line);
        parse(&parsed, line);
        assert_non_null(parsed.error);
        assert_int_equal(parsed.error->code, RT_USAGE);
        assert_string_equal(parsed.error->message, cases[i].complaint);
        clear(&parsed);
    }
}

static void test_help(void **state) {
    char line[] = "--flag --help --nothing", *text = NULL;
    size_t size = 0;
    struct parsed parsed;
    FILE *file = open_memstream(&text, &size);

    (void)state;
    parse(&parsed, line);
    assert_null(parsed.error);
    assert_true(parsed.help);
    clear(&parsed);
    hx_options_help(&command, "lockstep", file);
    fclose(file);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        assert_non_null(strstr(text, options[i].name));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_kinds),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
