/* One comparison of the self-test, in a process of its own. */
#include "harness/selftest.h"

#include "harness/interrupt.h"
#include "harness/pair.h"
#include "harness/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Milliseconds beyond the comparison's own limit of time after which a process hangs. */
enum { GRACE = 10000 };

static bool drop_output(void *user, int fd, const void *bytes, size_t size) {
    (void)user, (void)fd, (void)bytes, (void)size;
    return true;
}

/* One code beside itself with other debug information. */
static struct rt_error *compare_twins(const struct hx_setup *setup, enum hx_witness_kind kind,
                                      const char *const paths[2], struct hx_result *result) {
    /* All stops: the copies of an inlined function are one statement, and each has locations of its own. */
    const struct or_options options = {.max_time = setup->time_limit,
                                       .max_idle = setup->time_limit / 4,
                                       .is_one_compiler = true,
                                       .is_same_code = true};
    struct hx_load loads[2];
    struct or_report *report = NULL;
    struct hx_pair pair;
    for (int i = 0; i < 2; i++)
        loads[i] =
            (struct hx_load){.kind = kind, .path = paths[i], .engine = setup->engine, .write = drop_output};
    struct rt_error *error = hx_pair_open(loads, &pair);
    if (!error) {
        const struct or_witness witnesses[2] = {{"base", pair.sides[0].session},
                                                {"fault", pair.sides[1].session}};
        error = or_compare(witnesses, &options, &report);
    }
    if (!error) {
        result->stops = report->stops;
        result->values = report->values;
        for (size_t i = 0; i < report->finding_count; i++)
            if (!hx_result_add(result, or_kind_name(report->findings[i].kind), &report->findings[i]))
                error = rt_error_out_of_memory();
        result->verdict = result->finding_count                  ? HX_DIFFER
                          : report->ended[0] && report->ended[1] ? HX_AGREE
                                                                 : HX_TIMEOUT;
    }
    or_report_destroy(report);
    hx_pair_close(&pair);
    return error;
}

/* Standard streams of its own, no core file, and an end when the parent ends. */
static void settle(int outputs[2], pid_t parent) {
    const struct rlimit no_core = {0, 0};
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    setpgid(0, 0);
    hx_interrupt_release();
    setrlimit(RLIMIT_CORE, &no_core);
    for (int i = 0; i < 2; i++) {
        outputs[i] = i + 1;
        if (null < 0 || dup2(null, 0) < 0 || dup2(memfd_create("output", MFD_CLOEXEC), i + 1) < 0)
            _exit(1);
    }
}

static _Noreturn void compare(const struct hx_setup *setup, enum hx_pairing pairing, enum hx_side side,
                              const char *const paths[2], int result_fd, pid_t parent) {
    struct or_progress progress = {0};
    struct hx_result result;
    struct hx_buffer bytes = {0};
    int outputs[2];
    const struct hx_witness native = {.name = "native", .kind = HX_WITNESS_NATIVE},
                            module = {.name = "wasm", .kind = HX_WITNESS_WASM, .engine = setup->engine};
    const struct hx_two two = {{&native, &module}, {paths[0], paths[1]}};
    settle(outputs, parent);
    hx_result_init(&result);
    struct rt_error *error = pairing == HX_TWINS
                                 ? compare_twins(setup, hx_side_witness(side), paths, &result)
                                 : hx_check_pair(setup, &two, outputs, &progress, result_fd, &result);
    if (error) {
        result.verdict = HX_SKIPPED;
        result.reason = error->message;
        result.finding_count = 0;
    }
    hx_result_write(&result, &bytes);
    _exit(bytes.failed || write(result_fd, bytes.bytes, bytes.size) != (ssize_t)bytes.size);
}

/* Waits for the process's end; true when it had to be killed. */
static bool wait_for(pid_t pid, unsigned limit, int *ret_status) {
    const int fd = pidfd_open(pid, 0);
    struct pollfd poll_fd = {fd, POLLIN, 0};
    const uint64_t deadline = hx_now() + limit;
    int got = 0;
    while (fd >= 0 && got <= 0 && hx_now() < deadline && !hx_interrupted())
        got = hx_interrupt_poll(&poll_fd, 1, (int)(deadline - hx_now()));
    if (fd >= 0)
        close(fd);
    kill(-pid, SIGKILL);
    if (got <= 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
        ;
    return got <= 0;
}

static struct rt_error *read_result(int fd, struct hx_result *ret) {
    struct hx_buffer bytes = {0};
    long got = 1;
    if (lseek(fd, 0, SEEK_SET) != 0)
        return rt_error_os(errno, "cannot read a comparison's result");
    while (got > 0 || (got < 0 && errno == EINTR))
        got = hx_buffer_read(&bytes, fd);
    struct rt_error *error = hx_result_read(bytes.bytes, bytes.size, ret);
    hx_buffer_clear(&bytes);
    return error;
}

struct rt_error *hx_selftest_compare(const struct hx_setup *setup, enum hx_pairing pairing, enum hx_side side,
                                     const char *const paths[2], struct hx_result *ret) {
    const int fd = memfd_create("result", MFD_CLOEXEC);
    const pid_t parent = getpid();
    char how[128];
    int status = 0;
    hx_result_init(ret);
    if (fd < 0)
        return rt_error_os(errno, "cannot start a comparison");
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0)
        compare(setup, pairing, side, paths, fd, parent);
    if (pid < 0) {
        struct rt_error *error = rt_error_os(errno, "cannot start a comparison");
        close(fd);
        return error;
    }
    const bool is_late = wait_for(pid, setup->time_limit + GRACE, &status);
    struct rt_error *error = NULL;
    if (hx_interrupted()) {
        error = rt_error_format(RT_EXIT, "interrupted");
    } else if (is_late) {
        ret->verdict = HX_TIMEOUT;
        ret->reason = "it hangs";
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        ret->verdict = HX_CRASH;
        ret->reason = rt_arena_printf(&ret->arena, "the comparison died: %s",
                                      hx_status_describe(status, how, sizeof how));
    } else {
        error = read_result(fd, ret);
    }
    close(fd);
    return error;
}
