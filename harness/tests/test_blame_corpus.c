/* `check --blame` on the known defects, of which corpus/known says who is wrong: it names that side, or is
 * undecided where two defects meet, and never names the other. GDB, where it is installed, confirms what the
 * native session shows. */
#include "harness/json.h"
#include "harness/tests/shell.h"

#include <unistd.h>

#define KNOWN(name) LOCKSTEP_KNOWN "/" name ".c"

static const struct {
    const char *reproducer, *compiler;
    const char *blame; /* NULL: another defect of the asked compilers meets it */
    const char *wrong; /* what must not be blamed */
} defects[] = {
    {KNOWN("block-in-front-of-loop"), "clang-19", "wasm", NULL},
    {KNOWN("location-ends-with-basic-block"), "clang-14", "wasm", NULL},
    {KNOWN("returned-local-before-declaration"), "clang-19", "wasm", NULL},
    {KNOWN("returned-local-in-inner-block"), "clang-19", "wasm", NULL},
    {KNOWN("store-of-value-just-loaded"), "clang-19", "wasm", NULL},
    {KNOWN("unused-aggregate-parameter"), "clang-19", "wasm", NULL},
    {KNOWN("returned-local-before-native-declaration"), "clang-19", NULL, "wasm"},
    {KNOWN("returned-local-in-register"), "clang-19", NULL, "wasm"},
};

static bool has_gdb(void) {
    return access("/usr/bin/gdb", X_OK) == 0;
}

static void check_finding(const struct hx_json_value *finding, const char *blame, const char *wrong) {
    const char *got = hx_json_member_string(finding, "blame");
    const char *reason = hx_json_member_string(finding, "blame_reason");
    /* A lone row of a line table is no stop that GDB could be driven to. */
    const bool is_stop = strcmp(hx_json_member_string(finding, "kind"), "line_missing") != 0;

    assert_non_null(got);
    assert_non_null(reason);
    if ((blame && strcmp(got, blame) != 0) || (wrong && strcmp(got, wrong) == 0)) {
        print_error("blame %s: %s\n", got, reason);
        fail();
    }
    if (has_gdb() && is_stop && !strstr(reason, "GDB shows the same of native")) {
        print_error("GDB does not confirm: %s\n", reason);
        fail();
    }
}

static void test_known_defects(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof defects / sizeof *defects; i += share()) {
        const char *argv[] = {LOCKSTEP_BINARY,
                              "check",
                              defects[i].reproducer,
                              "--json",
                              "--blame",
                              "--time-limit",
                              "10s", /* a loaded machine */
                              "--cc",
                              defects[i].compiler,
                              NULL};
        struct hx_process process = {.argv = argv, .time_limit = 100000, .own_group = true};
        const struct hx_json_value *object;
        struct rt_arena arena;
        size_t count = 0;

        assert_null(hx_process_run(&process, 1));
        assert_true(WIFEXITED(process.status) && WEXITSTATUS(process.status) == 0);
        rt_arena_init(&arena, 0);
        assert_null(hx_json_parse(hx_buffer_string(&process.output), process.output.size, &arena, &object));
        const struct hx_json_value *findings = hx_json_member(object, "findings");
        print_message("%s\n", defects[i].reproducer);
        for (const struct hx_json_value *item = findings ? findings->first : NULL; item; item = item->next) {
            check_finding(item, defects[i].blame, defects[i].wrong);
            count++;
        }
        assert_true(count > 0);
        rt_arena_clear(&arena);
        hx_process_clear(&process);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_defects)};
    unsetenv("WASI_SDK_PATH"); /* its compiler is another one */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
