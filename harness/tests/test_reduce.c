/* Reduction: C text read by its brackets, what a trial accepts and refuses, and the command from a program to
 * its smaller one. */
#include "harness/process.h"
#include "harness/reduce.h"
#include "harness/reduce_changes.h"
#include "harness/reduce_task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* The known defect "unused-aggregate-parameter": any program with such a parameter shows it. */
#define SIGNATURE "scope/parameter/struct/DW_OP_fbreg|absent"
#define DEFECT    "unused-aggregate-parameter"
#define SHOWN                                                                                                \
    "struct pair {\n    int a, b;\n};\n"                                                                     \
    "static int function(struct pair unused) {\n    return 5;\n}\n"

/* ---- Text ---- */

static void test_units(void **state) {
    static const char text[] =
        "#pragma pack(1)\n"
        "struct s { int a; } v = {1};\n"
        "static int f(int x) { if (x) { return 1; } else return (2); do { x--; } while (x > "
        "'}'); /* } */ return x; }\n"
        "int g[2] = {1, 2};";
    static const char *const top[] = {"#pragma pack(1)", "struct s { int a; } v = {1};", NULL,
                                      "int g[2] = {1, 2};"};
    static const char *const inner[] = {"if (x) { return 1; } else return (2);",
                                        "do { x--; } while (x > '}');", "return x;"};
    struct hx_unit unit, statement;
    size_t at = 0, count = 0;

    (void)state;
    for (; hx_unit_next(text, at, strlen(text), &unit); at = unit.range.end, count++) {
        assert_true(count < 4);
        const size_t size = unit.range.end - unit.range.begin;
        if (top[count]) {
            assert_int_equal(size, strlen(top[count]));
            assert_memory_equal(text + unit.range.begin, top[count], size);
            continue;
        }
        assert_int_equal(unit.block_count, 1);
        assert_true(unit.is_code[0]);
        size_t inside = unit.blocks[0].begin, statements = 0;
        for (; hx_unit_next(text, inside, unit.blocks[0].end, &statement); inside = statement.range.end) {
            assert_true(statements < 3);
            assert_int_equal(statement.range.end - statement.range.begin, strlen(inner[statements]));
            assert_memory_equal(text + statement.range.begin, inner[statements], strlen(inner[statements]));
            statements++;
        }
        assert_int_equal(statements, 3);
    }
    assert_int_equal(count, 4);
}

/* Whatever the text, units follow each other and end. */
static void test_units_of_broken_text(void **state) {
    static const char *const texts[] = {"",      "{",     "}}}",     "a(b{c]d", "\"open",  "'",  "/* open",
                                        "# a\\", "int x", "= { ; )", "do",      "else ;}", "\\", "f() {{{"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const size_t size = strlen(texts[i]);
        struct hx_buffer kept = {0};
        struct hx_unit unit;
        for (size_t at = 0; hx_unit_next(texts[i], at, size, &unit); at = unit.range.end) {
            assert_true(unit.range.begin >= at && unit.range.end > unit.range.begin &&
                        unit.range.end <= size);
            for (size_t k = 0; k < unit.block_count; k++)
                assert_true(unit.blocks[k].begin <= unit.blocks[k].end && unit.blocks[k].end <= size);
        }
        hx_keep_reachable(texts[i], size, &kept);
        hx_buffer_clear(&kept);
    }
}

static void test_edit(void **state) {
    static const char text[] = "one;\n  two;\nthree(x);\n";
    struct hx_edit edits[] = {{{12, 20}, "3"}, {{7, 11}, ""}, {{18, 19}, "never"}};
    struct hx_buffer out = {0};

    (void)state;
    hx_edit(text, strlen(text), edits, 3, &out);
    assert_string_equal(hx_buffer_string(&out), "one;\n3;\n");
    hx_buffer_clear(&out);
}

static void test_reachable(void **state) {
    static const char text[] = "typedef int number;\n"
                               "enum colour { RED, GREEN };\n"
                               "static number used = GREEN, other;\n"
                               "static number unused = 1;\n"
                               "struct lost { number a; };\n"
                               "static number callee(number x) { return x; }\n"
                               "static number alone(void) { return callee(unused); }\n"
                               "int main(void) { return callee(used); }\n";
    struct hx_buffer out = {0};

    (void)state;
    hx_keep_reachable(text, strlen(text), &out);
    assert_string_equal(hx_buffer_string(&out), "typedef int number;\n"
                                                "enum colour { RED, GREEN };\n"
                                                "static number used = GREEN, other;\n"
                                                "static number callee(number x) { return x; }\n"
                                                "int main(void) { return callee(used); }\n");
    hx_buffer_clear(&out);
}

static void test_declarations(void **state) {
    static const char *const declarations[] = {"int x;", "struct s *p = 0;", "const int a[2], b;",
                                               "union U0 **const l = &g;"};
    static const char *const others[] = {"x = 1;",  "return x;", "f(x, y);",        "goto end;",
                                         "*p = 1;", "x * 2;",    "else x = 1;",     "a[1] = 2;",
                                         "x++;",    "for (;;) ", "static int kept;"};
    (void)state;
    for (size_t i = 0; i < sizeof declarations / sizeof *declarations; i++)
        assert_true(hx_is_declaration(declarations[i], (struct hx_range){0, strlen(declarations[i])}));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(hx_is_declaration(others[i], (struct hx_range){0, strlen(others[i])}));
}

static void test_prototypes(void **state) {
    static const char text[] = "int printf(const char *, ...);\n"
                               "static int one(int);\n"
                               "int g = 3;\n"
                               "static int two(int x) { return one(x); }\n"
                               "static int one(int x) { return x; }\n"
                               "int main(void) { return two(g); }\n";
    struct hx_buffer out = {0};

    (void)state;
    hx_without_prototypes(text, strlen(text), &out);
    assert_string_equal(hx_buffer_string(&out), "int printf(const char *, ...);\n"
                                                "int g = 3;\n"
                                                "static int one(int x) { return x; }\n"
                                                "static int two(int x) { return one(x); }\n"
                                                "int main(void) { return two(g); }\n");
    hx_buffer_clear(&out);
}

/* ---- Trials ---- */

static struct hx_temp temp;
static struct hx_tools tools;
static struct hx_known known;

static int set_up(void **state) {
    const struct hx_tools_choice choice = {.cc = "clang-19", .optimisation = "-O0"};

    (void)state;
    assert_null(hx_temp_create(&temp));
    assert_null(hx_tools_find(&choice, &temp, &tools));
    assert_null(hx_known_load(NULL, &known));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    hx_known_clear(&known);
    hx_tools_clear(&tools);
    hx_temp_remove(&temp);
    return 0;
}

static void make(struct hx_reduction *ret, const char *signature, const char *defect) {
    *ret = (struct hx_reduction){
        .setup = {.tools = &tools,
                  .max_stops = HX_DEFAULT_STOPS,
                  .max_visits = HX_DEFAULT_VISITS,
                  .time_limit = 1000,
                  .known = &known,
                  .is_one_compiler = true,
                  .is_unoptimised = true},
        .temp = &temp,
        .target = {.signature = signature, .known = defect},
        .sanitizing_cc = tools.wasm.path,
    };
}

static enum hx_answer try(struct hx_reduction *reduction, const char *text) {
    struct hx_temp folder;
    enum hx_answer answer;

    assert_null(hx_temp_folder(&temp, "trial", &folder));
    assert_null(hx_trial_run(reduction, text, strlen(text), &folder, &answer));
    hx_temp_remove(&folder);
    return answer;
}

static void measure(struct hx_reduction *reduction, const char *text) {
    struct hx_temp folder;

    assert_null(hx_temp_folder(&temp, "first", &folder));
    assert_null(hx_soundness_measure(reduction, text, strlen(text), &folder));
    hx_temp_remove(&folder);
}

static void test_trial(void **state) {
    static const struct {
        enum hx_answer answer;
        const char *text;
    } cases[] = {
        {HX_ANSWER_SAME,
         SHOWN "int main(void) {\n    struct pair p = {1, 2};\n    return function(p) - 5;\n}\n"},
        {HX_ANSWER_ILL_FORMED, SHOWN "int main(void) {\n"},
        /* no such parameter; used; of another kind */
        {HX_ANSWER_OTHER, "int main(void) {\n    return 0;\n}\n"},
        {HX_ANSWER_OTHER, "struct pair {\n    int a, b;\n};\n"
                          "static int function(struct pair used) {\n    return used.a;\n}\n"
                          "int main(void) {\n    struct pair p = {1, 2};\n    return function(p);\n}\n"},
        {HX_ANSWER_OTHER, "union pair {\n    int a;\n    long long b;\n};\n"
                          "static int function(union pair unused) {\n    return 5;\n}\n"
                          "int main(void) {\n    union pair p = {1};\n    return function(p);\n}\n"},
        /* what the targets differ in */
        {HX_ANSWER_ENDS_DIFFERENTLY, SHOWN "int printf(const char *, ...);\n"
                                           "int main(void) {\n    struct pair p = {1, 2};\n"
                                           "    printf(\"%d\\n\", (int)sizeof(long));\n"
                                           "    return function(p) - 5;\n}\n"},
        {HX_ANSWER_ENDS_DIFFERENTLY, SHOWN "int main(void) {\n    struct pair p = {1, 2};\n"
                                           "    return function(p) - 5 + (int)sizeof(long);\n}\n"},
        {HX_ANSWER_ENDS_DIFFERENTLY, SHOWN "static volatile int forever = 1;\n"
                                           "int main(void) {\n    struct pair p = {1, 2};\n    function(p);\n"
                                           "    while (forever)\n        ;\n    return 0;\n}\n"},
        /* what the compiler sees */
        {HX_ANSWER_ILL_FORMED, SHOWN "int main(void) {\n    struct pair p = {1, 2};\n    int x;\n"
                                     "    function(p);\n    return x;\n}\n"},
        {HX_ANSWER_ILL_FORMED, SHOWN "static int nothing(void) {\n}\n"
                                     "int main(void) {\n    struct pair p = {1, 2};\n"
                                     "    return function(p) - 5 + nothing();\n}\n"},
        {HX_ANSWER_ILL_FORMED, SHOWN "int main(void) {\n    struct pair p = {1, 2};\n"
                                     "    undeclared();\n    return function(p) - 5;\n}\n"},
        /* and what only running shows: overflow, an object not set, one beyond its end */
        {HX_ANSWER_UNDEFINED, SHOWN "static int big = 2147483647;\n"
                                    "int main(void) {\n    struct pair p = {1, 2};\n    big++;\n"
                                    "    return function(p) - 5;\n}\n"},
        {HX_ANSWER_UNDEFINED, SHOWN "static int is_set(int *x) {\n    if (*x == 3)\n        return 1;\n"
                                    "    return 0;\n}\n"
                                    "int main(void) {\n    struct pair p = {1, 2};\n    int x[4];\n"
                                    "    is_set(x);\n    return function(p) - 5;\n}\n"},
        {HX_ANSWER_UNDEFINED, SHOWN "static int array[4];\n"
                                    "static void set(int *x) {\n    *x = 3;\n}\n"
                                    "int main(void) {\n    struct pair p = {1, 2};\n    set(&array[3] + 1);\n"
                                    "    return function(p) - 5;\n}\n"},
    };
    struct hx_reduction reduction;

    (void)state;
    make(&reduction, SIGNATURE, DEFECT);
    measure(&reduction, cases[0].text);
    assert_string_equal(hx_buffer_string(&reduction.soundness.left_out), "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const enum hx_answer answer = try(&reduction, cases[i].text);
        if (answer != cases[i].answer)
            print_error("%s\n%s, and not what it should be: %s\n", cases[i].text, hx_answer_words(answer),
                        hx_answer_words(cases[i].answer));
        assert_int_equal(answer, cases[i].answer);
    }
    hx_buffer_clear(&reduction.soundness.left_out);
}

/* One that is not known is another finding than one that is; so is one that the other side lacks. */
static void test_target(void **state) {
    static const char *const program = SHOWN "int main(void) {\n    struct pair p = {1, 2};\n"
                                             "    return function(p) - 5;\n}\n";
    struct hx_reduction reduction;

    (void)state;
    make(&reduction, SIGNATURE, NULL);
    measure(&reduction, program);
    assert_int_equal(try(&reduction, program), HX_ANSWER_OTHER);
    reduction.target.known = DEFECT;
    reduction.target.has_states = true;
    reduction.target.states[1] = "absent";
    assert_int_equal(try(&reduction, program), HX_ANSWER_SAME);
    reduction.target.states[0] = "absent";
    reduction.target.states[1] = NULL;
    assert_int_equal(try(&reduction, program), HX_ANSWER_OTHER);
    hx_buffer_clear(&reduction.soundness.left_out);
}

/* What the first program does not pass is left out, and nothing else. */
static void test_measure(void **state) {
    static const char *const overflow =
        "static int big = 2147483647;\n"
        "int main(void) {\n    int x;\n    int y = x;\n    big++;\n    return 0;\n}\n";
    struct hx_reduction reduction;

    (void)state;
    make(&reduction, SIGNATURE, NULL);
    measure(&reduction, overflow);
    assert_string_equal(hx_buffer_string(&reduction.soundness.left_out),
                        "uninitialized, UndefinedBehaviorSanitizer");
    assert_true(reduction.soundness.address);
    hx_buffer_clear(&reduction.soundness.left_out);
}

/* ---- Passes ---- */

/* What a pass leaves of a program that shows the finding, in *best. */
static void leave(struct rt_error *(*pass)(struct hx_reduction *), const char *text, struct hx_buffer *best) {
    struct hx_reduction reduction;

    make(&reduction, SIGNATURE, DEFECT);
    assert_null(hx_reduction_init(&reduction));
    measure(&reduction, text);
    reduction.jobs = 2;
    reduction.deadline = UINT64_MAX;
    hx_buffer_text(&reduction.best, text);
    hx_reduction_begin(&reduction, "a pass");
    assert_null(pass(&reduction));
    hx_reduction_begin(&reduction, NULL);
    assert_int_equal(reduction.pass_count, 1);
    assert_true(reduction.passes[0].tried > 0 && reduction.passes[0].shown > 0);
    hx_buffer_text(best, hx_buffer_string(&reduction.best));
    hx_reduction_clear(&reduction);
}

struct pass_case {
    struct rt_error *(*pass)(struct hx_reduction *);
    const char *text;
    const char *gone[4], *left[4];
};

static void test_passes(void **state) {
    static const struct pass_case cases[] = {
        {hx_reduce_idle,
         SHOWN "static int never(int x) {\n    x++;\n    x--;\n    x++;\n    x += x;\n    return x;\n}\n"
               "int main(void) {\n    struct pair p = {1, 2};\n    int x = function(p) - 5;\n"
               "    if (x)\n        goto out;\n"
               "    if (x) {\n        x = 3;\n        x = never(x);\n    }\n"
               "out:\n    return x;\n}\n",
         {"x--", "x = 3", "x = never"},
         {"function(p)", "out:", "return x;"}},
        {hx_reduce_end,
         SHOWN "static int after(void) {\n    return 1;\n}\n"
               "int main(void) {\n    struct pair p = {1, 2};\n    int x = function(p) - 5;\n"
               "    x += after();\n    return x;\n}\n",
         {NULL},
         {"void exit(int);", "function(p) - 5; exit(0);"}},
        {hx_reduce_calls,
         SHOWN
         "static int add(int x, int y) {\n    return x + y;\n}\nstatic int one(void) {\n    return 1;\n}\n"
         "int main(void) {\n    struct pair p = {1, 2};\n    return add(one(), add(function(p), 3));\n}\n",
         {"add(one", "add(function"},
         {"return (0, (function(p), 3));", "static int add(int x, int y)"}},
        {hx_reduce_parameters,
         "struct pair {\n    int a, b;\n};\n"
         "static int function(int x, struct pair unused, int y) {\n    x += y;\n    return x;\n}\n"
         "int main(void) {\n    struct pair p = {1, 2};\n    return function(0, p, function(0, p, 0));\n}\n",
         {"int y)", "(int x", "function(0"},
         {"int y = {0};", "function(struct pair unused)", "function(p)"}},
        {hx_reduce_unused,
         "struct pair {\n    int a, b;\n    int c;\n};\n"
         "static int function(struct pair unused) {\n    int first = 1, second = first;\n    int third = "
         "second;\n    return 5;\n}\n"
         "int main(void) {\n    struct pair p = {1, 2};\n    return function(p) - 5;\n}\n",
         {"third", "first", "int c;"},
         {"struct pair unused", "struct pair p"}},
        {hx_reduce_typedefs,
         "typedef unsigned char byte;\n" SHOWN
         "int main(void) {\n    struct pair p = {1, 2};\n    byte x = 5;\n    return function(p) - x;\n}\n",
         {"typedef", "byte"},
         {"unsigned char x = 5;"}},
        {hx_reduce_bodies,
         SHOWN "static struct pair make(int x) {\n    struct pair p = {x, x};\n    p.a += x;\n    p.b -= x;\n"
               "    return p;\n}\n"
               "int main(void) {\n    return function(make(3)) - 5;\n}\n",
         {"p.a += x"},
         {"struct pair result = {0};", "return function(make(3)) - 5;"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hx_buffer best = {0};
        leave(cases[i].pass, cases[i].text, &best);
        for (size_t k = 0; k < 4; k++) {
            const bool is_gone = !cases[i].gone[k] || !strstr(hx_buffer_string(&best), cases[i].gone[k]);
            const bool is_left = !cases[i].left[k] || strstr(hx_buffer_string(&best), cases[i].left[k]);
            if (!is_gone || !is_left)
                print_error("case %zu, word %zu:\n%s\n", i, k, hx_buffer_string(&best));
            assert_true(is_gone && is_left);
        }
        hx_buffer_clear(&best);
    }
}

static void change(struct hx_changes *changes, const char *text, const char *word, const char *with) {
    const size_t at = (size_t)(strstr(text, word) - text);
    hx_change_add(changes, (struct hx_range){at, at + strlen(word)}, with);
}

/* Of changes that are tried without sanitizers, the one that makes behaviour undefined is found and left out,
 * and so is the one that takes the finding away. */
static void test_changes(void **state) {
    static const char text[] =
        "static int big = 2147483647, step = 0;\n" SHOWN
        "int main(void) {\n    struct pair p = {1, 2};\n    int a = 1;\n    int b = 2;\n    big += step;\n"
        "    a = function(p);\n    b++;\n    a++;\n    return 0;\n}\n";
    struct hx_reduction reduction;
    struct hx_changes changes;

    (void)state;
    make(&reduction, SIGNATURE, DEFECT);
    assert_null(hx_reduction_init(&reduction));
    measure(&reduction, text);
    reduction.jobs = 2;
    reduction.deadline = UINT64_MAX;
    reduction.pass = "changes";
    hx_buffer_text(&reduction.best, text);
    hx_changes_init(&changes);
    change(&changes, text, "    a++;\n", "");
    change(&changes, text, "    a = function(p);\n", "");
    change(&changes, text, "step = 0", "step = 1");
    change(&changes, text, "    b++;\n", "");
    assert_null(hx_changes_try(&reduction, &changes, 1));
    const char *best = hx_buffer_string(&reduction.best);
    assert_null(strstr(best, "a++"));
    assert_null(strstr(best, "b++"));
    assert_non_null(strstr(best, "step = 0"));
    assert_non_null(strstr(best, "a = function(p);"));
    assert_true(changes.items[0].is_made && changes.items[3].is_made);
    assert_false(changes.items[1].is_made || changes.items[2].is_made);
    assert_true(reduction.counts->answers[HX_ANSWER_UNDEFINED] > 0);
    hx_changes_clear(&changes);
    hx_reduction_clear(&reduction);
}

/* ---- What is asked for ---- */

static struct rt_error *read_task(const char *document, struct rt_arena *arena, struct hx_reduce_task *ret) {
    const struct hx_reduce_values values = {.stops = UINT64_MAX, .visits = UINT64_MAX, .steps = UINT64_MAX};
    struct hx_arguments arguments = {.count = 1};
    struct hx_temp folder;
    char path[512];

    assert_null(hx_temp_folder(&temp, "asked", &folder));
    snprintf(path, sizeof path, "%s/finding.json", folder.path);
    assert_null(hx_file_write(path, document, strlen(document), 0644));
    snprintf(path, sizeof path, "%s/program.c", folder.path);
    assert_null(hx_file_write(path, "", 0, 0644));
    const char *items[] = {folder.path};
    arguments.items = items;
    return hx_reduce_task_read(&arguments, &values, arena, ret);
}

#define ASKED(rest, first, second, signature)                                                                \
    "{\"cc\": \"clang-19\", \"native_cc\": \"clang-19\", \"opt\": \"-O1\", " rest                            \
    "\"finding\": {\"signature\": \"" signature "\", \"witnesses\": [{\"name\": \"" first                    \
    "\"}, {\"name\": \"" second "\", \"state\": \"absent\"}]}}"

/* A finding's own settings, those in the names of its witnesses among them. */
static void test_task(void **state) {
    static const char *const refused[][2] = {
        {ASKED("", "native", "native:gcc", "value/x"), "for a native and a Wasm build"},
        {ASKED("", "native", "jit", "value/x"), "for a native and a Wasm build"},
        {ASKED("\"wasm\": \"clang; wasm-opt version 108\", ", "native", "wasm", "value/x"), "say --wasm-opt"},
        {ASKED("\"engines\": \"compiled,interp\", ", "compiled", "interp", "value/x"), "wasm-reduce"},
    };
    struct hx_reduce_task task;
    struct rt_arena arena;

    (void)state;
    rt_arena_init(&arena, 0);
    assert_null(read_task(ASKED("\"wasm_opt\": \"-O2 --flatten\", \"engine\": \"interp\", \"visits\": 7, ",
                                "native", "wasm", "value/x"),
                          &arena, &task));
    assert_string_equal(task.values.wasm_opt, "-O2 --flatten");
    assert_string_equal(task.values.engine, "interp");
    assert_string_equal(task.values.opt, "-O1");
    assert_int_equal(task.values.visits, 7);
    assert_string_equal(task.states[1], "absent");
    assert_false(task.is_self);
    assert_null(read_task(ASKED("", "native:gcc", "wasm:clang-16", "value/x"), &arena, &task));
    assert_string_equal(task.values.native_cc, "gcc");
    assert_string_equal(task.values.cc, "clang-16");
    assert_null(read_task(ASKED("", "native", "wasm:interp", "value/x"), &arena, &task));
    assert_string_equal(task.values.engine, "interp");
    assert_string_equal(task.values.cc, "clang-19");
    assert_null(read_task(ASKED("\"steps\": 9, ", "wasm", "itself", "self/lost/wasm/x"), &arena, &task));
    assert_true(task.is_self);
    assert_int_equal(task.values.steps, 9);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct rt_error *error = read_task(refused[i][0], &arena, &task);
        assert_non_null(error);
        assert_non_null(strstr(error->message, refused[i][1]));
        rt_error_destroy(error);
    }
    rt_arena_clear(&arena);
}

/* ---- The command ---- */

static int run(struct hx_process *process, const char *const *words) {
    *process =
        (struct hx_process){.argv = words, .directory = temp.path, .time_limit = 300000, .own_group = true};
    assert_null(hx_process_run(process, 1));
    assert_false(process->timed_out);
    return WIFEXITED(process->status) ? WEXITSTATUS(process->status) : 128;
}

static const char program[] =
    "#include <stdint.h>\n#include <stdio.h>\n"
    "struct pair {\n    int a, b;\n};\n"
    "static int32_t count = 3, other[4] = {1, 2, 3, 4};\n"
    "static int32_t unused(int32_t x) {\n    return x + 1;\n}\n"
    "static int32_t add(int32_t x, int32_t y) {\n    count++;\n    return x + y + count;\n}\n"
    "static int32_t function(struct pair first, int32_t x) {\n    int32_t y = x + 1;\n    int32_t i;\n"
    "    for (i = 0; i < 4; i++) {\n        if (other[i] > 2) {\n            y = add(y, other[i]);\n        "
    "} else {\n"
    "            other[i]++;\n        }\n    }\n    return y;\n}\n"
    "int main(void) {\n    struct pair pair = {1, 2};\n    int32_t sum = 0;\n"
    "    for (int32_t i = 0; i < 3; i++) {\n        sum = add(sum, function(pair, i));\n    }\n"
    "    printf(\"%d\\n\", (int)sum);\n    return 0;\n}\n";

static void test_command(void **state) {
    const char *words[] = {LOCKSTEP_BINARY, "reduce", "program.c", "--signature", SIGNATURE, "--time", "200s",
                           "--lines",       "16",     "--json",    "--out",       "out",     NULL};
    const char *again[] = {"out/reduced/reproduce", "--json", NULL};
    const struct hx_json_value *object;
    struct hx_process process;
    struct hx_buffer text = {0};
    struct rt_arena arena;
    char path[512];

    (void)state;
    snprintf(path, sizeof path, "%s/program.c", temp.path);
    assert_null(hx_file_write(path, program, strlen(program), 0644));
    const int status = run(&process, words);
    if (status != 0)
        print_error("%s\n", hx_buffer_string(&process.output));
    assert_int_equal(status, 0);
    rt_arena_init(&arena, 0);
    assert_null(hx_json_parse(hx_buffer_string(&process.output), process.output.size, &arena, &object));
    assert_true(hx_json_member(object, "lines")->number < 20);
    assert_true(hx_json_member(object, "lines_before")->number > 30);
    assert_true(hx_json_member(hx_json_member(object, "tried"), "SAME")->number > 3);
    assert_string_equal(hx_json_member_string(hx_json_member(object, "finding"), "known"), DEFECT);
    rt_arena_clear(&arena);
    hx_process_clear(&process);
    /* The smaller one is whole, and the first is as it was. */
    assert_null(hx_file_read(path, 1 << 20, &text));
    assert_string_equal(hx_buffer_string(&text), program);
    text.size = 0;
    snprintf(path, sizeof path, "%s/out/reduced.c", temp.path);
    assert_null(hx_file_read(path, 1 << 20, &text));
    assert_non_null(strstr(hx_buffer_string(&text), "main"));
    assert_null(strstr(hx_buffer_string(&text), "#include"));
    hx_buffer_clear(&text);
    assert_int_equal(run(&process, again), 0);
    assert_non_null(strstr(hx_buffer_string(&process.output), SIGNATURE));
    hx_process_clear(&process);
}

/* The smaller program is a finding of its own, which can be measured. */
static void test_bench(void **state) {
    const char *words[] = {LOCKSTEP_BINARY, "bench",   "reduce", "out/reduced", "--time",
                           "60s",           "--lines", "16",     "--json",      NULL};
    struct hx_temp none;
    const char *nothing[] = {LOCKSTEP_BINARY, "bench", "reduce", "none", NULL};
    struct hx_process process;

    (void)state;
    const int status = run(&process, words);
    const char *medians = strstr(hx_buffer_string(&process.output), "{\"table\":\"medians\",\"findings\":1,");
    if (status != 0 || !medians || strstr(medians, "\"lines\":0"))
        print_error("%s\n", hx_buffer_string(&process.output));
    assert_int_equal(status, 0);
    assert_true(medians && !strstr(medians, "\"lines\":0"));
    assert_non_null(strstr(hx_buffer_string(&process.output), "\"signature\":\"" SIGNATURE "\""));
    hx_process_clear(&process);
    assert_null(hx_temp_folder(&temp, "none", &none));
    assert_int_equal(run(&process, nothing), 2);
    assert_non_null(strstr(hx_buffer_string(&process.output), "has no findings"));
    hx_process_clear(&process);
}

/* Ctrl-C once it has begun: the smallest so far is kept, and nothing of ours is left in the temporary folder.
 */
static void test_interrupt(void **state) {
    static const char script[] =
        "mkdir -p tmp; TMPDIR=$PWD/tmp \"$0\" reduce program.c --signature \"$1\" --json --out stopped & "
        "i=0; while [ $i -lt 600 ] && ! ls tmp/*/trial-0 >/dev/null 2>&1; do sleep 0.1; i=$((i + 1)); done; "
        "kill -INT $!; wait $!; echo status $?; ls tmp";
    const char *words[] = {"/bin/bash", "-c", script, LOCKSTEP_BINARY, SIGNATURE, NULL};
    struct hx_process process;
    struct stat info;
    char path[512];

    (void)state;
    snprintf(path, sizeof path, "%s/program.c", temp.path);
    assert_null(hx_file_write(path, program, strlen(program), 0644));
    assert_int_equal(run(&process, words), 0);
    const char *end = strstr(hx_buffer_string(&process.output), "status ");
    if (!end || strcmp(end, "status 0\n") != 0)
        print_error("%s\n", hx_buffer_string(&process.output));
    assert_true(end && strcmp(end, "status 0\n") == 0);
    hx_process_clear(&process);
    snprintf(path, sizeof path, "%s/stopped/reduced/program.wasm", temp.path);
    assert_int_equal(stat(path, &info), 0);
}

static void refuse(const char *what, const char *option, const char *value, const char *complaint) {
    const char *words[] = {LOCKSTEP_BINARY, "reduce", what, option, value, NULL};
    struct hx_process process;

    const int status = run(&process, words);
    if (status != 2 || !strstr(hx_buffer_string(&process.output), complaint))
        print_error("%s\n", hx_buffer_string(&process.output));
    assert_int_equal(status, 2);
    assert_non_null(strstr(hx_buffer_string(&process.output), complaint));
    hx_process_clear(&process);
}

static void test_broken_input(void **state) {
    static const char *const documents[] = {
        "",
        "[]",
        "{",
        "{\"finding\": {}}",
        "{\"finding\": {\"signature\": \"value/x\"}}",
        "{\"engines\": \"a\", \"finding\": {\"signature\": \"value/x\"}}"};
    static const char *const complaints[] = {"finding.json", "no signature", "finding.json",
                                             "no signature", "--cc",         "engines"};
    static const char plain[] = "int main(void) {\n    return 0;\n}\n";
    struct hx_temp folder;
    char path[512];

    (void)state;
    assert_null(hx_temp_folder(&temp, "broken", &folder));
    refuse("missing", "--time", "5s", "missing");
    refuse("broken", "--time", "5s", "finding.json");
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        snprintf(path, sizeof path, "%s/finding.json", folder.path);
        assert_null(hx_file_write(path, documents[i], strlen(documents[i]), 0644));
        refuse("broken", "--time", "5s", complaints[i]);
    }
    snprintf(path, sizeof path, "%s/plain.c", temp.path);
    assert_null(hx_file_write(path, plain, strlen(plain), 0644));
    refuse("plain.c", "--signature", SIGNATURE, "does not show");
    refuse("plain.c", "--time", "5s", "does not show a finding that is not known");
    snprintf(path, sizeof path, "%s/no.c", temp.path);
    assert_null(hx_file_write(path, plain, 20, 0644));
    refuse("no.c", "--time", "5s", "cannot compile");
    refuse("no.c", "--test", "missing", "socket");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),        cmocka_unit_test(test_units_of_broken_text),
        cmocka_unit_test(test_edit),         cmocka_unit_test(test_reachable),
        cmocka_unit_test(test_trial),        cmocka_unit_test(test_target),
        cmocka_unit_test(test_declarations), cmocka_unit_test(test_prototypes),
        cmocka_unit_test(test_passes),       cmocka_unit_test(test_changes),
        cmocka_unit_test(test_task),         cmocka_unit_test(test_measure),
        cmocka_unit_test(test_command),      cmocka_unit_test(test_bench),
        cmocka_unit_test(test_interrupt),    cmocka_unit_test(test_broken_input),
    };
    setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
    unsetenv("WASI_SDK_PATH"); /* its compiler is another one */
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
