/* The list of known defects: matching, reading, what it asks of a finding, and what it refuses. */
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

/* A defect with all that it must have, and with `members` in front. */
static void put_defect(const struct hx_temp *folder, const char *name, const char *members) {
    char text[1024];
    snprintf(text, sizeof text,
             "{%s, \"reason\": \"lld\", \"evidence\": [\"one\", \"two\"], \"reproducer\": \"lld.c\"}",
             members);
    put(folder, name, text);
}

static const char *level; /* that the findings come from; NULL: unknown */

/* The name of the defect that a list with these members finds in it; NULL when it is unknown. */
static const char *mark(const char *members, const struct or_finding *finding, const char *compiler) {
    static char name[64];
    struct hx_temp folder;
    struct hx_known known;
    struct hx_result result;

    assert_null(hx_temp_create(&folder));
    put(&folder, "program.c", "int main(void) {\nagain:\n    x = x;\n    y = x;\n}\n");
    put_defect(&folder, "defect.json", members);
    assert_null(hx_known_load(folder.path, &known));
    hx_result_init(&result);
    assert_non_null(hx_result_add(&result, "kind", finding));
    const struct hx_known_context context = {
        .folder = folder.path, .compiler = compiler, .optimisation = level};
    size_t unknown = hx_known_mark(&known, &context, &result);
    bool is_known = result.findings[0].known != NULL;
    assert_int_equal(unknown, is_known ? 0 : 1);
    if (is_known)
        snprintf(name, sizeof name, "%s", result.findings[0].known);
    hx_result_clear(&result);
    hx_known_clear(&known);
    hx_temp_remove(&folder);
    return is_known ? name : NULL;
}

static void test_load_and_mark(void **state) {
    const struct or_finding findings[] = {
        {.signature = "scope/one", .witnesses = {{.name = "native"}, {.name = "wasm"}}},
        {.signature = "scope/two", .witnesses = {{.name = "native"}, {.name = "wasm"}}},
        {.signature = "value/three", .witnesses = {{.name = "native"}, {.name = "wasm"}}},
    };
    const struct hx_known_context context = {0};
    char reproducer[512];
    struct hx_temp folder;
    struct hx_known known;
    struct hx_result result;

    (void)state;
    assert_null(hx_temp_create(&folder));
    put_defect(&folder, "lld-scope.json",
               "\"signatures\": [\"scope/one\", \"scope/t*\"], \"compilers\": [\"clang\"]");
    put(&folder, "README.md", "not a list");
    assert_null(hx_known_load(folder.path, &known));
    assert_int_equal(known.count, 1);
    snprintf(reproducer, sizeof reproducer, "%s/lld.c", folder.path);
    assert_string_equal(known.defects[0].reproducer, reproducer);
    hx_result_init(&result);
    for (size_t i = 0; i < 3; i++)
        assert_non_null(hx_result_add(&result, "scope", &findings[i]));
    assert_int_equal(hx_known_mark(&known, &context, &result), 1);
    assert_string_equal(result.findings[1].known, "lld-scope");
    assert_null(result.findings[2].known);
    hx_result_clear(&result);
    hx_known_clear(&known);
    hx_temp_remove(&folder);
}

/* A control build has to say that the finding is gone, with these words. */
static void test_control(void **state) {
    static const char members[] =
        "\"signatures\": [\"s/a\"], \"compilers\": [\"gcc*\"], \"gone_with\": \"-mllvm -x\"";
    const struct or_finding body = {.signature = "s/a", .witnesses = {{.name = "native"}, {.name = "wasm"}}};
    const struct hx_known_context context = {.compiler = "gcc 12"}, other = {.compiler = "clang"};
    struct hx_temp folder;
    struct hx_known known;
    struct hx_result result;

    (void)state;
    assert_null(hx_temp_create(&folder));
    put_defect(&folder, "defect.json", members);
    assert_null(hx_known_load(folder.path, &known));
    hx_result_init(&result);
    assert_non_null(hx_result_add(&result, "kind", &body));
    assert_string_equal(hx_known_control(&known.defects[0], &context, &result.findings[0]), "-mllvm -x");
    assert_null(hx_known_control(&known.defects[0], &other, &result.findings[0]));
    assert_int_equal(hx_known_mark(&known, &context, &result), 1);
    result.findings[0].gone_with = "-mllvm -y";
    assert_int_equal(hx_known_mark(&known, &context, &result), 1);
    result.findings[0].gone_with = "-mllvm -x";
    assert_int_equal(hx_known_mark(&known, &other, &result), 1);
    assert_int_equal(hx_known_mark(&known, &context, &result), 0);
    hx_result_clear(&result);
    hx_known_clear(&known);
    hx_temp_remove(&folder);
}

static void test_compiler(void **state) {
    static const char members[] = "\"signatures\": [\"s/a\"], \"compilers\": [\"*version 14.*\", \"gcc*\"]";
    const struct or_finding finding = {.signature = "s/a",
                                       .witnesses = {{.name = "native"}, {.name = "wasm"}}};

    (void)state;
    assert_string_equal(mark(members, &finding, "Debian clang version 14.0.6"), "defect");
    assert_string_equal(mark(members, &finding, "gcc 12"), "defect");
    assert_string_equal(mark(members, &finding, NULL), "defect");
    assert_null(mark(members, &finding, "Debian clang version 19.1.7"));
}

static void test_level(void **state) {
    static const char members[] = "\"signatures\": [\"s/a\"], \"compilers\": [\"c\"], \"opt\": \"-O1\"";
    const struct or_finding finding = {.signature = "s/a",
                                       .witnesses = {{.name = "native"}, {.name = "wasm"}}};

    (void)state;
    assert_string_equal(mark(members, &finding, NULL), "defect");
    level = "-O1";
    assert_string_equal(mark(members, &finding, NULL), "defect");
    level = "-O0";
    assert_null(mark(members, &finding, NULL));
    level = NULL;
}

static void test_lacking(void **state) {
    static const char members[] = "\"signatures\": [\"s/a\"], \"compilers\": [\"c\"], \"lacking\": \"wasm\"";
    struct or_finding finding = {.signature = "s/a", .witnesses = {{.name = "native"}, {.name = "wasm"}}};

    (void)state;
    assert_null(mark(members, &finding, NULL));
    finding.witnesses[1].state = "absent";
    assert_string_equal(mark(members, &finding, NULL), "defect");
    finding.witnesses[0].state = "absent";
    assert_null(mark(members, &finding, NULL));
    finding.witnesses[1].state = NULL;
    assert_null(mark(members, &finding, NULL));
}

static void test_lines(void **state) {
    static const char self[] = "\"signatures\": [\"s/a\"], \"compilers\": [\"c\"], "
                               "\"line\": \"^[[:space:]]*(.+) = \\\\1;$\"";
    static const char label[] = "\"signatures\": [\"s/a\"], \"compilers\": [\"c\"], "
                                "\"line\": \"x\", \"line_before\": \"^[a-z]+:$\"";
    struct or_finding finding = {
        .signature = "s/a", .file = "./program.c", .witnesses = {{.name = "native"}, {.name = "wasm"}}};

    (void)state;
    for (uint32_t line = 0; line < 8; line++) {
        finding.line = line;
        assert_int_equal(mark(self, &finding, NULL) != NULL, line == 3);
        assert_int_equal(mark(label, &finding, NULL) != NULL, line == 3);
    }
    finding.line = 3;
    finding.signature = "s/b";
    assert_null(mark(self, &finding, NULL));
    /* A source that is not there, is no regular file, or has no name. */
    finding.signature = "s/a";
    finding.file = "/nowhere/program.c";
    assert_null(mark(self, &finding, NULL));
    finding.file = "/dev/zero";
    assert_null(mark(self, &finding, NULL));
    finding.file = NULL;
    assert_null(mark(self, &finding, NULL));
}

static void test_columns(void **state) {
    static const char members[] = "\"signatures\": [\"s/a\"], \"compilers\": [\"c\"], "
                                  "\"before_column\": \"^    y = $\", \"from_column\": \"^x;$\"";
    struct or_finding finding = {.signature = "s/a",
                                 .file = "./program.c",
                                 .line = 4,
                                 .column = 9,
                                 .witnesses = {{.name = "native"}, {.name = "wasm"}}};

    (void)state;
    assert_string_equal(mark(members, &finding, NULL), "defect");
    finding.column = 8;
    assert_null(mark(members, &finding, NULL));
    finding.column = 0; /* the line table has none */
    assert_null(mark(members, &finding, NULL));
    finding.column = 4000000000;
    assert_null(mark(members, &finding, NULL));
    finding.column = 9;
    finding.line = 3;
    assert_null(mark(members, &finding, NULL));
}

static void test_source(void **state) {
    static const char members[] = "\"signatures\": [\"s/a\"], \"compilers\": [\"c\"], "
                                  "\"source\": \"^ *VARIABLE = (VARIABLE|x);$\"";
    struct or_finding finding = {.signature = "s/a",
                                 .file = "./program.c",
                                 .variable = "y.member[1]",
                                 .witnesses = {{.name = "native"}, {.name = "wasm"}}};

    (void)state;
    assert_string_equal(mark(members, &finding, NULL), "defect");
    finding.variable = "x";
    assert_string_equal(mark(members, &finding, NULL), "defect");
    finding.variable = "z";
    assert_null(mark(members, &finding, NULL));
    finding.variable = "("; /* no identifier: debug information may say anything */
    assert_null(mark(members, &finding, NULL));
    finding.variable = NULL;
    assert_null(mark(members, &finding, NULL));
    finding.variable = "x";
    finding.file = "/nowhere/program.c";
    assert_null(mark(members, &finding, NULL));
}

static void test_shown_by(void **state) {
    const struct or_finding finding = {.signature = "s/a",
                                       .witnesses = {{.name = "native"}, {.name = "wasm"}}};
    struct hx_temp folder;
    struct hx_known known;
    struct hx_result result;

    (void)state;
    assert_null(hx_temp_create(&folder));
    put_defect(&folder, "defect.json",
               "\"signatures\": [\"s/a\"], \"compilers\": [\"c\"], \"shown_by\": ["
               "{\"compiler\": \"*version 14.*\", \"opt\": \"-O0\", \"seeds\": [3, 4]},"
               "{\"compiler\": \"*version 19.*\", \"opt\": \"-O1\", \"seeds\": [5]}]");
    assert_null(hx_known_load(folder.path, &known));
    const struct hx_known_defect *defect = &known.defects[0];
    assert_true(hx_known_is_expected(defect, "clang version 14.0.6", "-O0", 3));
    assert_true(hx_known_is_expected(defect, "clang version 14.0.6", "-O0", 4));
    assert_true(hx_known_is_expected(defect, "clang version 19.1.7", "-O1", 5));
    assert_false(hx_known_is_expected(defect, "clang version 19.1.7", "-O0", 5));
    assert_false(hx_known_is_expected(defect, "clang version 14.0.6", "-O0", 5));
    assert_false(hx_known_is_expected(defect, "clang version 16.0.6", "-O0", 3));

    hx_result_init(&result);
    result.verdict = HX_AGREE;
    assert_true(hx_known_is_missing(defect, &result));
    result.verdict = HX_TIMEOUT; /* nobody knows what would have come */
    assert_false(hx_known_is_missing(defect, &result));
    result.verdict = HX_DIFFER;
    assert_non_null(hx_result_add(&result, "kind", &finding));
    assert_true(hx_known_is_missing(defect, &result));
    const struct hx_known_context context = {.compiler = "c"};
    assert_int_equal(hx_known_mark(&known, &context, &result), 0);
    assert_false(hx_known_is_missing(defect, &result));
    hx_result_clear(&result);
    hx_known_clear(&known);
    hx_temp_remove(&folder);
}

static void test_refusals(void **state) {
#define REST "\"reason\": \"r\", \"evidence\": \"e\", \"reproducer\": \"p\"}"
    static const char *const texts[] = {
        "{",
        "[]",
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"reason\": \"r\", \"evidence\": \"e\"}",
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"reason\": \"r\", \"reproducer\": \"p\"}",
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"reason\": \"r\", \"evidence\": [], "
        "\"reproducer\": \"p\"}",
        "{\"signatures\": [], \"compilers\": [\"c\"], " REST,
        "{\"signatures\": [\"**\"], \"compilers\": [\"c\"], " REST,
        "{\"signatures\": [7], \"compilers\": [\"c\"], " REST,
        "{\"signatures\": [\"a\"], " REST,
        "{\"signatures\": [\"a\"], \"compilers\": [\"*\"], " REST,
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"line\": \"(\", " REST,
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"line\": \"x\", \"line_before\": \"[\", " REST,
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"lacking\": 1, " REST,
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"source\": \"*(\", " REST,
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"lines\": \"a\", " REST,
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"shown_by\": 1, " REST,
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"shown_by\": [7], " REST,
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"shown_by\": "
        "[{\"compiler\": \"c\", \"seeds\": [1]}], " REST,
        "{\"signatures\": [\"a\"], \"compilers\": [\"c\"], \"shown_by\": "
        "[{\"compiler\": \"c\", \"opt\": \"-O0\", \"seeds\": [-1]}], " REST,
    };
#undef REST
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
        cmocka_unit_test(test_match),    cmocka_unit_test(test_load_and_mark), cmocka_unit_test(test_control),
        cmocka_unit_test(test_compiler), cmocka_unit_test(test_lacking),       cmocka_unit_test(test_lines),
        cmocka_unit_test(test_source),   cmocka_unit_test(test_level),         cmocka_unit_test(test_columns),
        cmocka_unit_test(test_shown_by), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
