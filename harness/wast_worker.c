/* A script in a process of its own: the report is in shared memory, so whatever the script does to the
 * worker, the parent knows the command that did it. */
#include "harness/wast.h"

#include "harness/interrupt.h"
#include "harness/process.h"

#include <errno.h>
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

/* How often the parent looks whether the worker is at another command, in milliseconds. */
enum { INTERVAL = 50 };

static _Noreturn void work(const struct hx_wast_script *script, const struct rt_compile_options *options,
                           struct hx_wast_report *report, pid_t parent) {
    const struct rlimit no_core = {0, 0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    hx_interrupt_release();
    setrlimit(RLIMIT_CORE, &no_core);
    struct rt_error *error = hx_wast_run(script, options, report);
    if (error) {
        fprintf(stderr, "%s: %s\n", script->source, error->message);
        _exit(1);
    }
    _exit(0);
}

/* Waits for the worker's end, or makes it. */
static struct rt_error *watch(pid_t pid, int pid_fd, const struct hx_wast_report *report, uint64_t limit,
                              bool *ret_timed_out) {
    uint64_t started = hx_now();
    uint32_t position = 0;

    *ret_timed_out = false;
    for (;;) {
        struct pollfd ended = {pid_fd, POLLIN, 0};
        hx_interrupt_poll(&ended, 1, INTERVAL);
        if (ended.revents)
            return NULL;
        if (report->position != position) {
            position = report->position;
            started = hx_now();
        }
        *ret_timed_out = limit > 0 && hx_now() - started >= limit;
        if (*ret_timed_out || hx_interrupted()) {
            kill(pid, SIGKILL);
            return *ret_timed_out ? NULL : rt_error_format(RT_EXIT, "interrupted");
        }
    }
}

/* The command that the worker was at when it ended. */
static void blame(const struct hx_wast_script *script, const char *how, struct hx_wast_report *report) {
    static const struct hx_wast_command none = {.kind = HX_WAST_MODULE};
    uint32_t position = report->position;
    bool is_known = position > 0 && position <= script->command_count;
    char text[300];

    snprintf(text, sizeof text, "%s; the script ended here, %zu commands were not run", how,
             script->command_count - (is_known ? position : 0));
    hx_wast_remark(report, is_known ? &script->commands[position - 1] : &none, false, text);
}

static struct rt_error *run(const struct hx_wast_script *script, const struct rt_compile_options *options,
                            uint64_t limit, struct hx_wast_report *report) {
    char how[160];
    int status = 0;
    bool timed_out = false;
    pid_t parent = getpid();

    fflush(NULL); /* what is buffered would be printed by the worker once more */
    pid_t pid = fork();
    if (pid == 0)
        work(script, options, report, parent);
    int pid_fd = pid > 0 ? pidfd_open(pid, 0) : -1;
    struct rt_error *error = NULL;
    if (pid_fd < 0) {
        error = rt_error_os(errno, "cannot start a worker process");
        if (pid > 0)
            kill(pid, SIGKILL);
    } else {
        error = watch(pid, pid_fd, report, limit, &timed_out);
        close(pid_fd);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (error || (report->is_finished && status == 0))
        return error;
    if (timed_out)
        snprintf(how, sizeof how, "no end after %.1f s", (double)limit / 1000);
    else
        hx_status_describe(status, how, sizeof how);
    blame(script, how, report);
    return NULL;
}

struct rt_error *hx_wast_run_apart(const struct hx_wast_script *script,
                                   const struct rt_compile_options *options, uint64_t limit,
                                   struct hx_wast_report *ret) {
    struct hx_wast_report *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED)
        return rt_error_os(errno, "cannot make shared memory");
    struct rt_error *error = run(script, options, limit, shared);
    *ret = *shared;
    munmap(shared, sizeof *shared);
    return error;
}
