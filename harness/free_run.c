/* The child that stands by for a run without filling. */
#include "harness/free_run.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void stand_by(const struct hx_setup *setup, const struct hx_two *two, int channel) {
    const int outputs[2] = {STDOUT_FILENO, STDERR_FILENO};
    struct hx_setup unfilled = *setup;
    struct or_progress progress = {0};
    struct hx_result result;
    char word;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(channel, &word, 1) != 1)
        _exit(0);
    for (int i = 0; i < 2; i++)
        if (dup2(memfd_create("output", MFD_CLOEXEC), outputs[i]) < 0)
            _exit(1);
    unfilled.leave_locals = true;
    unfilled.max_stops = 1;
    hx_result_init(&result);
    struct rt_error *error = hx_check_pair(&unfilled, two, outputs, &progress, channel, &result);
    word = !error && (result.verdict == HX_AGREE || result.verdict == HX_DIFFER);
    _exit(write(channel, &word, 1) != 1);
}

void hx_free_run_prepare(const struct hx_setup *setup, const struct hx_two *two, bool fills_locals,
                         int result_fd, struct hx_free_run *ret) {
    *ret = (struct hx_free_run){.channel = {-1, -1}};
    if (!fills_locals || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret->channel) != 0)
        return;
    ret->pid = fork();
    if (ret->pid == 0) {
        close(ret->channel[0]);
        close(result_fd);
        stand_by(setup, two, ret->channel[1]);
    }
    close(ret->channel[1]);
    ret->channel[1] = -1;
    if (ret->pid < 0)
        ret->pid = 0;
}

bool hx_free_run_agrees(struct hx_free_run *run) {
    char word = 0;

    if (!run->pid || send(run->channel[0], "", 1, MSG_NOSIGNAL) != 1)
        return false;
    ssize_t got;
    while ((got = read(run->channel[0], &word, 1)) < 0 && errno == EINTR)
        ;
    return got == 1 && word;
}

void hx_free_run_clear(struct hx_free_run *run) {
    if (run->channel[0] >= 0)
        close(run->channel[0]);
    while (run->pid && waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *run = (struct hx_free_run){.channel = {-1, -1}};
}
