/* `lockstep bench runtime`, for its shape and not for its times: every line is a JSON object with what the
 * README promises, all engines agree, and what is missing is left out with a line. */
#include "harness/json.h"
#include "harness/samples.h"
#include "harness/tests/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINES = 64 };

struct lines {
    struct rt_arena arena;
    const struct hx_json_value *objects[MAX_LINES];
    size_t count;
};

static int shell(const char *line, struct hx_buffer *output) {
    return run_shell(line, 280000, output);
}

/* Runs the benchmark with `environment` before it; its complaints go to the file `complaints`. */
static void bench(const char *environment, const char *arguments, struct lines *ret) {
    char line[1024];
    struct hx_buffer output = {0};

    snprintf(line, sizeof line, "%s '%s' bench runtime --json --work 1 %s 2>complaints", environment,
             LOCKSTEP_BINARY, arguments);
    int status = shell(line, &output);
    if (status != 0) {
        print_error("%s\nexit status %d\n%s\n", line, status, hx_buffer_string(&output));
        fail();
    }
    rt_arena_init(&ret->arena, 0);
    ret->count = 0;
    for (const char *text = hx_buffer_string(&output); *text;) {
        size_t length = strcspn(text, "\n");
        assert_true(ret->count < MAX_LINES);
        assert_null(hx_json_parse(text, length, &ret->arena, &ret->objects[ret->count++]));
        text += length + (text[length] == '\n');
    }
    hx_buffer_clear(&output);
}

/* The object whose members have these texts; NULL when there is none. */
static const struct hx_json_value *find(const struct lines *lines, const char *table, const char *key,
                                        const char *value, const char *engine) {
    for (size_t i = 0; i < lines->count; i++) {
        const struct hx_json_value *object = lines->objects[i];
        const char *its_table = hx_json_member_string(object, "table");
        const char *its_value = hx_json_member_string(object, key);
        const char *its_engine = hx_json_member_string(object, "engine");
        if (its_table && strcmp(its_table, table) == 0 && its_value && strcmp(its_value, value) == 0 &&
            (!engine || (its_engine && strcmp(its_engine, engine) == 0)))
            return object;
    }
    return NULL;
}

static double number(const struct hx_json_value *object, const char *key) {
    const struct hx_json_value *member = hx_json_member(object, key);
    assert_non_null(member);
    return member->number;
}

static int complains(const char *text) {
    char line[256];
    struct hx_buffer output = {0};

    snprintf(line, sizeof line, "grep -q '%s' complaints", text);
    int status = shell(line, &output);
    hx_buffer_clear(&output);
    return status == 0;
}

static void test_all(void **state) {
    static const char *const programs[] = {"sha256", "recursion", "memory", "csmith"};
    static const char *const ours[] = {"lockstep", "lockstep-sites", "native-O0", "native-O2"};
    struct hx_buffer output = {0};
    struct lines lines;

    (void)state;
    /* An empty cache: zstd is left out. */
    bench("XDG_CACHE_HOME=$PWD", "--rounds 1", &lines);
    assert_true(complains("left out: .*zstd.*run ci/bench-programs"));
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        for (size_t j = 0; j < sizeof ours / sizeof *ours; j++) {
            const struct hx_json_value *row = find(&lines, "run", "program", programs[i], ours[j]);
            assert_non_null(row);
            assert_int_equal(number(row, "rounds"), 1);
            assert_true(number(row, "milliseconds") > 0);
        }
    }
    if (shell("command -v node", &output) == 0) {
        const struct hx_json_value *node = find(&lines, "run", "program", "sha256", "node");
        assert_non_null(node);
        assert_int_equal(number(node, "ratio"), 1);
    }
    hx_buffer_clear(&output);
    if (shell("command -v wasm-interp", &output) == 0)
        assert_non_null(find(&lines, "interpret", "program", "memory", "wasm-interp"));
    hx_buffer_clear(&output);
    const struct hx_json_value *start = find(&lines, "start", "module", "csmith", NULL);
    assert_non_null(start);
    assert_true(number(start, "code_bytes") > 0 && number(start, "metadata_bytes") > 0);
    assert_true(number(start, "sites") > 100);
    assert_true(number(hx_json_member(start, "megabytes_per_second"), "lockstep") > 0);
    assert_true(number(lines.objects[lines.count - 1], "bytes") > 0); /* start-up comes last */
    rt_arena_clear(&lines.arena);
}

/* With the compiler alone in PATH, the rest goes on. */
static void test_missing_tools(void **state) {
    struct hx_buffer output = {0};
    struct lines lines;

    (void)state;
    assert_int_equal(
        shell("mkdir few && for i in clang-19 wasm-ld-19 ld; do ln -s $(command -v $i) few/; done", &output),
        0);
    hx_buffer_clear(&output);
    bench("PATH=$PWD/few XDG_CACHE_HOME=$PWD", "--rounds 3 --program sha256 --program csmith", &lines);
    assert_true(complains("left out: node is missing: install the package nodejs"));
    assert_true(complains("left out: wasm-interp is missing: install the package wabt"));
    assert_true(complains("left out: csmith is missing"));
    const struct hx_json_value *row = find(&lines, "run", "program", "sha256", "lockstep-sites");
    assert_non_null(row);
    assert_int_equal(number(row, "rounds"), 3);
    assert_true(number(row, "least") <= number(row, "milliseconds"));
    assert_true(number(row, "milliseconds") <= number(row, "most"));
    assert_null(find(&lines, "run", "program", "sha256", "node"));
    assert_null(find(&lines, "run", "program", "memory", "lockstep"));
    rt_arena_clear(&lines.arena);
}

/* A program of the cache whose builds differ is an error, exit status 2. */
static void test_disagreement(void **state) {
    static const char program[] = "#include <stdio.h>\n"
                                  "int main(void) {\n"
                                  "    printf(\"result %d\\nseconds 1\\n\", (int)sizeof(long));\n"
                                  "    return 0;\n"
                                  "}\n";
    static const char make[] = "mkdir -p lockstep/zstd && cd lockstep/zstd && "
                               "clang-19 --target=wasm32-wasi -g ../../program.c -o program.wasm && "
                               "clang-19 ../../program.c -o native-O0 && cp native-O0 native-O2";
    char path[512];
    char line[512];
    struct hx_buffer output = {0};

    (void)state;
    snprintf(path, sizeof path, "%s/program.c", temp.path);
    assert_null(hx_file_write(path, program, strlen(program), 0600));
    assert_int_equal(shell(make, &output), 0);
    hx_buffer_clear(&output);
    snprintf(line, sizeof line, "XDG_CACHE_HOME=$PWD '%s' bench runtime --program zstd 2>&1 >/dev/null",
             LOCKSTEP_BINARY);
    assert_int_equal(shell(line, &output), 2);
    assert_non_null(strstr(hx_buffer_string(&output), "lockstep and native-O0 print different results"));
    hx_buffer_clear(&output);
}

static void test_usage(void **state) {
    static const char *const wrong[] = {"--program nothing", "--rounds 0", "extra", "--module nowhere.wasm"};
    char line[512];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct hx_buffer output = {0};
        snprintf(line, sizeof line, "XDG_CACHE_HOME=$PWD/none '%s' bench runtime --program zstd %s",
                 LOCKSTEP_BINARY, wrong[i]);
        assert_int_equal(shell(line, &output), 2);
        hx_buffer_clear(&output);
    }
}

static void test_samples(void **state) {
    static struct hx_samples samples;

    (void)state;
    assert_true(hx_samples_median(&samples) == 0);
    for (int i = 0; i < 5; i++)
        hx_samples_add(&samples, (i * 3) % 5);
    assert_true(hx_samples_least(&samples) == 0);
    assert_true(hx_samples_median(&samples) == 2);
    assert_true(hx_samples_most(&samples) == 4);
    for (int i = 0; i < 2 * HX_SAMPLES_MAX; i++)
        hx_samples_add(&samples, 9);
    assert_int_equal(samples.count, HX_SAMPLES_MAX);
}

static int set_up(void **state) {
    (void)state;
    assert_null(hx_temp_create(&temp));
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),          cmocka_unit_test(test_missing_tools),
        cmocka_unit_test(test_disagreement), cmocka_unit_test(test_usage),
        cmocka_unit_test(test_samples),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
