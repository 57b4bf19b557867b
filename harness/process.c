/* Child processes: fork and exec without a shell, pipes, a time limit, what they used. */
#include "harness/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_LIMIT = 1 << 20, MAX_PROCESSES = 8 };

uint64_t hx_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

double hx_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* In the child; tells the parent the errno of what failed through `report`, which exec closes. */
static _Noreturn void become(const struct hx_process *process, int output, int report, pid_t parent) {
    sigset_t none;
    int null;

    /* What is started here must not outlive a parent that is killed. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    if (process->own_group)
        setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    null = open("/dev/null", O_RDONLY);
    if (null >= 0 && dup2(null, 0) >= 0 && dup2(output, 1) >= 0 && dup2(output, 2) >= 0 &&
        (!process->directory || chdir(process->directory) == 0))
        execvp(process->argv[0], (char *const *)(uintptr_t)process->argv);
    int code = errno;
    if (write(report, &code, sizeof code) < 0)
        _exit(126);
    _exit(127);
}

static struct rt_error *start(struct hx_process *process) {
    int output[2], report[2], code;
    pid_t parent = getpid();

    process->pid = 0;
    process->fd = -1;
    if (pipe2(output, O_CLOEXEC) != 0)
        return rt_error_os(errno, "cannot run %s", process->argv[0]);
    if (pipe2(report, O_CLOEXEC) != 0) {
        code = errno;
        close(output[0]);
        close(output[1]);
        return rt_error_os(code, "cannot run %s", process->argv[0]);
    }
    process->pid = fork();
    if (process->pid == 0)
        become(process, output[1], report[1], parent);
    code = process->pid < 0 ? errno : 0;
    close(output[1]);
    close(report[1]);
    process->fd = output[0];
    /* Ends without a byte when exec succeeds. */
    if (process->pid > 0) {
        ssize_t got;
        do
            got = read(report[0], &code, sizeof code);
        while (got < 0 && errno == EINTR);
    }
    close(report[0]);
    process->deadline = process->time_limit ? hx_now() + process->time_limit : 0;
    return code ? rt_error_os(code, "cannot run %s", process->argv[0]) : NULL;
}

static void reap(struct hx_process *process, double started) {
    struct rusage usage = {0};

    while (wait4(process->pid, &process->status, 0, &usage) < 0 && errno == EINTR)
        ;
    process->pid = 0;
    process->peak_kib = (uint64_t)usage.ru_maxrss;
    process->seconds = hx_seconds() - started;
}

static void stop(struct hx_process *process) {
    kill(process->own_group ? -process->pid : process->pid, SIGKILL);
}

/* Takes what there is to read; closes the pipe at its end. A child that writes without end is read without
 * end, but kept only up to the limit. */
static void drain(struct hx_process *process) {
    long got = hx_buffer_read(&process->output, process->fd);

    if (process->output.size > OUTPUT_LIMIT) {
        process->output.size = OUTPUT_LIMIT;
        process->output.bytes[OUTPUT_LIMIT] = '\0';
    }
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
        close(process->fd);
        process->fd = -1;
    }
}

/* Milliseconds until the first deadline, -1 when there is none; kills those that are past theirs. */
static int enforce_deadlines(struct hx_process *processes, size_t count) {
    uint64_t now = hx_now(), first = UINT64_MAX;

    for (size_t i = 0; i < count; i++) {
        struct hx_process *process = &processes[i];
        if (process->fd < 0 || !process->deadline || process->timed_out)
            continue;
        if (now >= process->deadline) {
            process->timed_out = true;
            stop(process);
        } else if (process->deadline < first) {
            first = process->deadline;
        }
    }
    return first == UINT64_MAX ? -1 : (int)(first - now);
}

struct rt_error *hx_process_run(struct hx_process *processes, size_t count) {
    struct rt_error *error = NULL;
    struct pollfd fds[MAX_PROCESSES];
    double started = hx_seconds();
    size_t started_count = 0, open_count;

    if (count > MAX_PROCESSES)
        return rt_error_format(RT_USAGE, "cannot run %zu processes at once", count);
    while (started_count < count && !error)
        error = start(&processes[started_count++]);
    for (;;) {
        int wait = enforce_deadlines(processes, started_count);
        open_count = 0;
        for (size_t i = 0; i < started_count; i++)
            if (processes[i].fd >= 0)
                fds[open_count++] = (struct pollfd){processes[i].fd, POLLIN, 0};
        if (open_count == 0)
            break;
        if (poll(fds, open_count, wait) < 0 && errno != EINTR)
            break;
        for (size_t i = 0, f = 0; i < started_count; i++)
            if (processes[i].fd >= 0 && f < open_count && fds[f++].revents)
                drain(&processes[i]);
    }
    for (size_t i = 0; i < started_count; i++)
        if (processes[i].pid > 0)
            reap(&processes[i], started);
    return error;
}

void hx_process_clear(struct hx_process *process) {
    hx_buffer_clear(&process->output);
}

bool hx_process_succeeded(const struct hx_process *process) {
    return !process->timed_out && WIFEXITED(process->status) && WEXITSTATUS(process->status) == 0;
}

const char *hx_status_describe(int status, char *text, size_t size) {
    if (WIFSIGNALED(status))
        snprintf(text, size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "exit status %d", WEXITSTATUS(status));
    return text;
}

const char *hx_process_describe(const struct hx_process *process, char *text, size_t size) {
    if (!process->timed_out)
        return hx_status_describe(process->status, text, size);
    snprintf(text, size, "no end after %.1f s", (double)process->time_limit / 1000);
    return text;
}

const char *hx_process_complaint(const struct hx_process *process, char *text, size_t size) {
    const char *line = hx_buffer_string(&process->output), *chosen = line;
    size_t chosen_length = 0;

    while (*line) {
        size_t length = strcspn(line, "\n");
        if (length > 0) {
            chosen = line;
            chosen_length = length;
        }
        if (memmem(line, length, "error", 5) || memmem(line, length, "fatal", 5))
            break;
        line += length + (line[length] == '\n');
    }
    snprintf(text, size, "%.*s", (int)(chosen_length < size ? chosen_length : size - 1), chosen);
    return text;
}
