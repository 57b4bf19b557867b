/* Child processes: output, statuses, time limits, several at once. */
#include "harness/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct hx_process shell(const char *const *argv) {
    return (struct hx_process){.argv = argv};
}

static void test_output(void **state) {
    const char *argv[] = {"sh", "-c", "echo one; echo two >&2; exit 3", NULL};
    struct hx_process process = shell(argv);
    char text[64];

    (void)state;
    assert_null(hx_process_run(&process, 1));
    assert_string_equal(hx_buffer_string(&process.output), "one\ntwo\n");
    assert_false(hx_process_succeeded(&process));
    assert_string_equal(hx_process_describe(&process, text, sizeof text), "exit status 3");
    assert_string_equal(hx_process_complaint(&process, text, sizeof text), "two");
    assert_true(process.peak_kib > 0);
    hx_process_clear(&process);
}

static void test_complaint_is_the_error_line(void **state) {
    const char *argv[] = {"sh", "-c", "echo note; echo 'a.c:1: error: no'; echo '1 error generated.'", NULL};
    struct hx_process process = shell(argv);
    char text[64], narrow[8];

    (void)state;
    assert_null(hx_process_run(&process, 1));
    assert_string_equal(hx_process_complaint(&process, text, sizeof text), "a.c:1: error: no");
    assert_string_equal(hx_process_complaint(&process, narrow, sizeof narrow), "a.c:1: ");
    hx_process_clear(&process);
}

static void test_signal(void **state) {
    const char *argv[] = {"sh", "-c", "kill -SEGV $$", NULL};
    struct hx_process process = shell(argv);
    char text[64];

    (void)state;
    assert_null(hx_process_run(&process, 1));
    assert_string_equal(hx_process_describe(&process, text, sizeof text), "signal 11 (Segmentation fault)");
    assert_string_equal(hx_process_complaint(&process, text, sizeof text), "");
    hx_process_clear(&process);
}

/* The shell's own child holds the pipe, so the whole group must go. */
static void test_time_limit(void **state) {
    const char *argv[] = {"sh", "-c", "sleep 100; true", NULL};
    struct hx_process process = {.argv = argv, .time_limit = 100, .own_group = true};
    char text[64];

    (void)state;
    assert_null(hx_process_run(&process, 1));
    assert_true(process.timed_out);
    assert_true(process.seconds < 50);
    assert_string_equal(hx_process_describe(&process, text, sizeof text), "no end after 0.1 s");
    hx_process_clear(&process);
}

static void test_bounded_output(void **state) {
    const char *argv[] = {"sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x", NULL};
    struct hx_process process = shell(argv);

    (void)state;
    assert_null(hx_process_run(&process, 1));
    assert_true(hx_process_succeeded(&process));
    assert_int_equal(process.output.size, 1 << 20);
    hx_process_clear(&process);
}

static void test_cannot_run(void **state) {
    const char *good[] = {"true", NULL}, *bad[] = {"/nowhere/tool", NULL};
    struct hx_process processes[2] = {shell(good), shell(bad)};

    (void)state;
    struct rt_error *error = hx_process_run(processes, 2);
    assert_non_null(error);
    assert_string_equal(error->message, "cannot run /nowhere/tool: No such file or directory");
    rt_error_destroy(error);
    hx_process_clear(&processes[0]);
    hx_process_clear(&processes[1]);
}

static void test_together(void **state) {
    const char *argv[] = {"sh", "-c", "pwd", NULL};
    struct hx_process processes[2] = {{.argv = argv, .directory = "/"}, {.argv = argv, .directory = "/usr"}};

    (void)state;
    assert_null(hx_process_run(processes, 2));
    assert_string_equal(hx_buffer_string(&processes[0].output), "/\n");
    assert_string_equal(hx_buffer_string(&processes[1].output), "/usr\n");
    hx_process_clear(&processes[0]);
    hx_process_clear(&processes[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),         cmocka_unit_test(test_complaint_is_the_error_line),
        cmocka_unit_test(test_signal),         cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_bounded_output), cmocka_unit_test(test_cannot_run),
        cmocka_unit_test(test_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
