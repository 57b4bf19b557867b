/* Each known defect of the corpus is still there: its reproducer, built by each compiler that it is known of,
 * shows it, without optimisation nothing else, and each of its signatures is shown by one of them. The
 * compilers are Debian's, whose versions do not change: a defect that is gone means that the list, or what we
 * see, has become wrong.
 */
#include "harness/known.h"
#include "harness/tests/shell.h"

#include <stdio.h>

enum { MAX_SIGNATURES = 16, MAX_OPTIONS = 8 };

static const char *const compilers[] = {"clang-14", "clang-16", "clang-19"};

/* Runs a command line; returns its exit status. */
static int run(const char *const *argv, struct hx_process *process) {
    *process = (struct hx_process){.argv = argv, .time_limit = 100000, .own_group = true};
    assert_null(hx_process_run(process, 1));
    assert_false(process->timed_out);
    return WIFEXITED(process->status) ? WEXITSTATUS(process->status) : 128;
}

/* The first line of a tool's --version, behind what `text` has already. */
static void add_version(const char *tool, char *text, size_t size) {
    const char *argv[] = {tool, "--version", NULL};
    struct hx_process process;
    size_t length = strlen(text);

    assert_int_equal(run(argv, &process), 0);
    snprintf(text + length, size - length, "%s%.*s", length > 0 ? "; " : "",
             (int)strcspn(hx_buffer_string(&process.output), "\n"), hx_buffer_string(&process.output));
    hx_process_clear(&process);
}

static bool is_of(const struct hx_known_defect *defect, const char *compiler) {
    char version[512] = "";
    bool is_named = false;

    add_version(compiler, version, sizeof version);
    for (const char *option = defect->options; option && *option; option += strlen(option) + 1)
        if (strcmp(option, "--wasm-opt") == 0)
            add_version("wasm-opt", version, sizeof version);
    for (const char *pattern = defect->compilers; *pattern; pattern += strlen(pattern) + 1)
        is_named |= hx_known_match(pattern, version);
    return is_named;
}

/* Marks the signatures of the defect that its reproducer, built by the compiler, shows as known. */
static void check(const struct hx_known_defect *defect, const char *compiler, bool *shown) {
    const char *argv[10 + MAX_OPTIONS] = {LOCKSTEP_BINARY, "check", defect->reproducer,
                                          "--json",        "--cc",  compiler};
    size_t words = 6;
    const struct hx_json_value *object;
    struct hx_process process;
    struct rt_arena arena;
    size_t count = 0;

    for (const char *option = defect->options; option && *option; option += strlen(option) + 1) {
        assert_true(words < 6 + MAX_OPTIONS);
        argv[words++] = option;
    }
    if (defect->opt) {
        argv[words++] = "--opt";
        argv[words++] = defect->opt;
    }
    int status = run(argv, &process);
    rt_arena_init(&arena, 0);
    assert_null(hx_json_parse(hx_buffer_string(&process.output), process.output.size, &arena, &object));
    const struct hx_json_value *findings = hx_json_member(object, "findings");
    for (const struct hx_json_value *item = findings ? findings->first : NULL; item; item = item->next) {
        const char *signature = hx_json_member_string(item, "signature"), *pattern = defect->signatures;
        for (size_t i = 0; *pattern; pattern += strlen(pattern) + 1, i++)
            if (hx_known_match(pattern, signature) && hx_json_member_string(item, "known")) {
                shown[i] = true;
                count++;
            }
    }
    /* Optimised code has findings beside it. */
    if ((status != 0 && !defect->opt) || count == 0) {
        print_error("lockstep check %s --cc %s: exit status %d, and %zu findings are this known defect\n%s\n",
                    defect->reproducer, compiler, status, count, hx_buffer_string(&process.output));
        fail();
    }
    rt_arena_clear(&arena);
    hx_process_clear(&process);
}

static void test_shows(void **state) {
    struct hx_known known;
    size_t number = 0;

    (void)state;
    assert_null(hx_known_load(NULL, &known));
    assert_true(known.count > 0);
    for (size_t i = 0; i < known.count; i++) {
        const struct hx_known_defect *defect = &known.defects[i];
        const char *pattern = defect->signatures;
        bool shown[MAX_SIGNATURES] = {false};
        for (size_t j = 0; j < sizeof compilers / sizeof *compilers; j++)
            if (is_of(defect, compilers[j]) && number++ % share() == 0)
                check(defect, compilers[j], shown);
        for (size_t j = 0; *pattern && share() == 1; pattern += strlen(pattern) + 1, j++) {
            assert_true(j < MAX_SIGNATURES);
            if (!shown[j]) {
                print_error("%s: no compiler shows %s\n", defect->reproducer, pattern);
                fail();
            }
        }
    }
    hx_known_clear(&known);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shows)};
    unsetenv("WASI_SDK_PATH"); /* its compiler is another one */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
