/* What tests of the command line share: a temporary folder for the whole group, and shell lines run in it. */
#ifndef LOCKSTEP_HARNESS_TESTS_SHELL_H
#define LOCKSTEP_HARNESS_TESTS_SHELL_H

#include "harness/buffer.h"
#include "harness/process.h"
#include "harness/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

static struct hx_temp temp;

/* Runs a shell line in the temporary folder, for at most `time_limit` milliseconds. What it prints goes to
 * `output`, which the caller clears; 128 when a signal ended it. */
static inline int run_shell(const char *line, unsigned time_limit, struct hx_buffer *output) {
    const char *argv[] = {"sh", "-c", line, NULL};
    struct hx_process process = {
        .argv = argv, .directory = temp.path, .time_limit = time_limit, .own_group = true};

    assert_null(hx_process_run(&process, 1));
    assert_false(process.timed_out);
    *output = process.output;
    return WIFEXITED(process.status) ? WEXITSTATUS(process.status) : 128;
}

/* Fails when the line does not end with the status, or what it prints does not have the text. */
__attribute__((unused)) static void expect_shell(const char *line, unsigned time_limit, int status,
                                                 const char *text) {
    struct hx_buffer output = {0};
    const int got = run_shell(line, time_limit, &output);

    if (got != status || !strstr(hx_buffer_string(&output), text)) {
        print_error("%s\nexit status %d, expected %d and '%s'\n%s\n", line, got, status, text,
                    hx_buffer_string(&output));
        fail();
    }
    hx_buffer_clear(&output);
}

/* Of what is repeated over many programs, tests take one in so many: LOCKSTEP_SHARE, or all. */
static inline size_t share(void) {
    const char *text = getenv("LOCKSTEP_SHARE");
    const size_t number = text ? strtoul(text, NULL, 10) : 1;

    return number > 0 ? number : 1;
}

/* The group's set_up makes the folder; this removes it. */
static inline int tear_down(void **state) {
    (void)state;
    hx_temp_remove(&temp);
    return 0;
}

#endif
