/* Trials in processes of their own, several at a time, and the reduction that they serve: its time, its
 * progress line, its best program. */
#include "harness/reduce.h"

#include "harness/interrupt.h"
#include "harness/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROGRESS_INTERVAL = 200 };

struct rt_error *hx_reduction_init(struct hx_reduction *reduction) {
    void *counts =
        mmap(NULL, sizeof *reduction->counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (counts == MAP_FAILED)
        return rt_error_os(errno, "cannot share memory with trials");
    reduction->counts = counts;
    reduction->started = hx_now();
    return NULL;
}

void hx_reduction_clear(struct hx_reduction *reduction) {
    if (reduction->counts)
        munmap(reduction->counts, sizeof *reduction->counts);
    reduction->counts = NULL;
    hx_buffer_clear(&reduction->best);
    hx_buffer_clear(&reduction->soundness.left_out);
}

/* Lines that are not blank, and of a line the parts that are at most `width` wide; 0: any width. */
static size_t count_lines(const struct hx_buffer *text, size_t width) {
    size_t count = 0;

    for (const char *line = hx_buffer_string(text); *line;) {
        const size_t length = strcspn(line, "\n");
        if (strspn(line, " \t\r") < length)
            count += width > 0 ? (length + width - 1) / width : 1;
        line += length + (line[length] == '\n');
    }
    return count;
}

bool hx_reduction_is_over(const struct hx_reduction *reduction) {
    /* The layout at the end breaks long lines. */
    return hx_interrupted() || hx_now() >= reduction->deadline ||
           (reduction->enough_lines > 0 &&
            count_lines(&reduction->best, HX_LAYOUT_WIDTH) <= reduction->enough_lines);
}

size_t hx_reduction_lines(const struct hx_buffer *text) {
    return count_lines(text, 0);
}

static uint64_t trial_count(const struct hx_reduction *reduction) {
    uint64_t count = 0;

    for (int i = 0; i < HX_ANSWER_COUNT; i++)
        count += reduction->counts->answers[i];
    return count;
}

void hx_reduction_begin(struct hx_reduction *reduction, const char *pass) {
    const uint64_t tried = trial_count(reduction), shown = reduction->counts->answers[HX_ANSWER_SAME];
    const size_t lines = hx_reduction_lines(&reduction->best);
    const double now = hx_seconds();
    size_t index = 0;

    while (reduction->pass && index < reduction->pass_count &&
           strcmp(reduction->passes[index].name, reduction->pass) != 0)
        index++;
    if (reduction->pass && index < HX_MAX_PASSES) {
        struct hx_pass *ended = &reduction->passes[index];
        ended->name = reduction->pass;
        ended->seconds += now - reduction->before.seconds;
        ended->tried += tried - reduction->before.tried;
        ended->shown += shown - reduction->before.shown;
        ended->lines += (int64_t)reduction->before.lines - (int64_t)lines;
        reduction->pass_count += index == reduction->pass_count;
    }
    reduction->pass = pass;
    reduction->before.seconds = now;
    reduction->before.tried = tried;
    reduction->before.shown = shown;
    reduction->before.lines = lines;
}

void hx_reduction_progress(struct hx_reduction *reduction, bool now) {
    const uint64_t time = hx_now(), seconds = (time - reduction->started) / 1000;

    if (!reduction->has_progress || (!now && time - reduction->shown < PROGRESS_INTERVAL))
        return;
    reduction->shown = time;
    fprintf(stderr, "\r%zu of %zu lines, %llu programs tried, %llu:%02llu, %s\033[K",
            hx_reduction_lines(&reduction->best), reduction->first_lines,
            (unsigned long long)trial_count(reduction), (unsigned long long)(seconds / 60),
            (unsigned long long)(seconds % 60), reduction->pass);
    fflush(stderr);
}

/* The child's life. Its group is its own, so that it can be killed with all that it started. */
static _Noreturn void run_trial(const struct hx_reduction *reduction, const struct hx_temp *folder,
                                const char *text, size_t size, pid_t parent) {
    enum hx_answer answer;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(HX_ANSWER_FAILED);
    setpgid(0, 0);
    rt_error_destroy(hx_trial_run(reduction, text, size, folder, &answer));
    __atomic_fetch_add(&reduction->counts->answers[answer], 1, __ATOMIC_RELAXED);
    _exit((int)answer);
}

struct rt_error *hx_trial_start(struct hx_reduction *reduction, unsigned slot, const char *text, size_t size,
                                struct hx_trial *ret) {
    const pid_t parent = getpid();
    struct hx_temp folder;
    char name[32];

    *ret = (struct hx_trial){.pid_fd = -1};
    snprintf(name, sizeof name, "trial-%u", slot);
    struct rt_error *error = hx_temp_folder(reduction->temp, name, &folder);
    if (error)
        return error;
    fflush(NULL);
    ret->pid = fork();
    if (ret->pid == 0)
        run_trial(reduction, &folder, text, size, parent);
    if (ret->pid < 0) {
        ret->pid = 0;
        return rt_error_os(errno, "cannot start a trial");
    }
    setpgid(ret->pid, ret->pid);
    ret->pid_fd = pidfd_open(ret->pid, 0);
    if (ret->pid_fd < 0) {
        error = rt_error_os(errno, "cannot watch a trial");
        hx_trial_stop(ret);
    }
    return error;
}

static int reap(struct hx_trial *trial) {
    int status = 0;

    while (waitpid(trial->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (trial->pid_fd >= 0)
        close(trial->pid_fd);
    *trial = (struct hx_trial){.pid_fd = -1};
    return status;
}

enum hx_answer hx_trial_finish(struct hx_trial *trial) {
    const int status = reap(trial);

    return WIFEXITED(status) && WEXITSTATUS(status) < HX_ANSWER_COUNT ? (enum hx_answer)WEXITSTATUS(status)
                                                                      : HX_ANSWER_FAILED;
}

void hx_trial_stop(struct hx_trial *trial) {
    if (trial->pid <= 0)
        return;
    kill(-trial->pid, SIGKILL);
    kill(trial->pid, SIGKILL); /* it may not have made its group yet */
    reap(trial);
}

struct rt_error *hx_trials(struct hx_reduction *reduction, const struct hx_buffer *candidates, size_t count,
                           size_t *ret_index) {
    struct hx_trial trials[HX_MAX_TRIALS];
    struct pollfd fds[HX_MAX_TRIALS];
    struct rt_error *error = NULL;
    size_t started = 0, open = 0;

    /* The first of those that show it is taken, so that a reduction does not depend on which ends first. */
    *ret_index = count;
    for (; started < count && !error; started++)
        error = hx_trial_start(reduction, (unsigned)started, candidates[started].bytes,
                               candidates[started].size, &trials[started]);
    for (open = 0; !error && open < count && !hx_reduction_is_over(reduction);) {
        for (size_t i = 0; i < count; i++)
            fds[i] = (struct pollfd){trials[i].pid > 0 ? trials[i].pid_fd : -1, POLLIN, 0};
        hx_interrupt_poll(fds, (nfds_t)count, PROGRESS_INTERVAL);
        hx_reduction_progress(reduction, false);
        /* Later ones wait until the earlier ones have failed. */
        while (open < count && *ret_index == count && fds[open].revents) {
            if (hx_trial_finish(&trials[open]) == HX_ANSWER_SAME)
                *ret_index = open;
            open++;
        }
        if (*ret_index < count)
            break;
    }
    for (size_t i = 0; i < started; i++)
        hx_trial_stop(&trials[i]);
    return error;
}

struct rt_error *hx_try(struct hx_reduction *reduction, const struct hx_buffer *candidate, bool *ret_same) {
    size_t index;

    *ret_same = false;
    if (candidate->failed)
        return rt_error_out_of_memory();
    struct rt_error *error = hx_trials(reduction, candidate, 1, &index);
    if (error || index != 0)
        return error;
    *ret_same = true;
    reduction->best.size = 0;
    hx_buffer_append(&reduction->best, candidate->bytes, candidate->size);
    return reduction->best.failed ? rt_error_out_of_memory() : NULL;
}
