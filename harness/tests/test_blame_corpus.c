/* `check --blame` on the known defects, of which corpus/known says who is wrong: it names that side. GDB,
 * where it is installed, confirms what the native session shows. */
#include "harness/json.h"
#include "harness/tests/shell.h"

#include <unistd.h>

#define KNOWN(name) LOCKSTEP_KNOWN "/" name ".c"

static const struct {
    const char *reproducer, *compiler, *blame;
} defects[] = {
    {KNOWN("block-in-front-of-loop"), "clang-19", "wasm"},
    {KNOWN("location-ends-with-basic-block"), "clang-14", "wasm"},
    {KNOWN("returned-local-before-declaration"), "clang-19", "wasm"},
    {KNOWN("returned-local-in-inner-block"), "clang-19", "wasm"},
    {KNOWN("store-of-value-just-loaded"), "clang-19", "wasm"},
    {KNOWN("unused-aggregate-parameter"), "clang-19", "wasm"},
    {KNOWN("returned-local-before-native-declaration"), "clang-19", "native"},
    {KNOWN("returned-local-in-register"), "clang-19", "native"},
};

static bool has_gdb(void) {
    return access("/usr/bin/gdb", X_OK) == 0;
}

static void check_finding(const struct hx_json_value *finding, const char *blame) {
    const char *got = hx_json_member_string(finding, "blame");
    const char *reason = hx_json_member_string(finding, "blame_reason");
    /* A lone row of a line table is no stop that GDB could be driven to. */
    const bool is_stop = strcmp(hx_json_member_string(finding, "kind"), "line_missing") != 0;

    assert_non_null(got);
    assert_non_null(reason);
    if (strcmp(got, blame) != 0) {
        print_error("blame %s: %s\n", got, reason);
        fail();
    }
    if (has_gdb() && is_stop && !strstr(reason, "GDB shows the same of native")) {
        print_error("GDB does not confirm: %s\n", reason);
        fail();
    }
}

/* All findings of the program are known and blamed on this. */
static void check_blame(const char *program, const char *compiler, const char *blame) {
    const char *argv[] = {LOCKSTEP_BINARY, "check",        program, "--json",
                          "--blame",       "--time-limit", "10s", /* a loaded machine */
                          "--cc",          compiler,       NULL};
    struct hx_process process = {.argv = argv, .time_limit = 100000, .own_group = true};
    const struct hx_json_value *object;
    struct rt_arena arena;
    size_t count = 0;

    assert_null(hx_process_run(&process, 1));
    assert_true(WIFEXITED(process.status) && WEXITSTATUS(process.status) == 0);
    rt_arena_init(&arena, 0);
    assert_null(hx_json_parse(hx_buffer_string(&process.output), process.output.size, &arena, &object));
    const struct hx_json_value *findings = hx_json_member(object, "findings");
    print_message("%s\n", program);
    for (const struct hx_json_value *item = findings ? findings->first : NULL; item; item = item->next) {
        check_finding(item, blame);
        count++;
    }
    assert_true(count > 0);
    rt_arena_clear(&arena);
    hx_process_clear(&process);
}

static void test_known_defects(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof defects / sizeof *defects; i += share())
        check_blame(defects[i].reproducer, defects[i].compiler, defects[i].blame);
}

/* store-of-value-just-loaded where gcc has no row of the line either: only the intermediate code decides. */
static void test_front_end_decides(void **state) {
    static const char text[] = "static short counter;\n"
                               "int main(void) {\n"
                               "    unsigned char byte = 7;\n"
                               "    int local = 1;\n"
                               "    local |= (byte > 0xB750ADFB);\n"
                               "    counter++;\n"
                               "    return local - 1;\n"
                               "}\n";
    char path[] = "/tmp/lockstep-blame-XXXXXX.c";
    const int fd = mkstemps(path, 2);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    check_blame(path, "clang-19", "wasm");
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_defects),
                                       cmocka_unit_test(test_front_end_decides)};
    unsetenv("WASI_SDK_PATH"); /* its compiler is another one */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
