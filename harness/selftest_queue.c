/* Programs of the self-test, each in a process of its own, several at once. Their counts are added in the
 * order of the programs, so that they do not depend on how many run at once. */
#include "harness/selftest.h"

#include "harness/interrupt.h"
#include "harness/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- One program ---- */

static _Noreturn void take(const struct hx_selftest *selftest, struct hx_selftest_job *job, size_t most,
                           pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    struct rt_error *error = hx_selftest_source(selftest, &job->source, &job->folder, most, job->faults);
    if (error)
        snprintf(job->faults->reason, sizeof job->faults->reason, "%s", error->message);
    _exit(0);
}

static struct rt_error *start(const struct hx_selftest_queue *queue, const struct hx_source *source,
                              unsigned number, struct hx_selftest_job *job) {
    const pid_t parent = getpid();
    char name[32];
    *job = (struct hx_selftest_job){.source = *source};
    job->faults = mmap(NULL, sizeof *job->faults, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (job->faults == MAP_FAILED)
        return rt_error_os(errno, "cannot share memory with a program's process");
    snprintf(name, sizeof name, "program-%u", number);
    struct rt_error *error = hx_temp_folder(queue->temp, name, &job->folder);
    fflush(NULL);
    job->pid = error ? -1 : fork();
    if (job->pid == 0)
        take(queue->selftest, job, queue->left, parent);
    if (!error && job->pid < 0)
        error = rt_error_os(errno, "cannot start a program's process");
    if (error) {
        hx_temp_remove(&job->folder);
        munmap(job->faults, sizeof *job->faults);
    }
    return error;
}

/* Waits for its end, which an interruption hastens. *ret_status is as waitpid has it. */
static void wait_for(const struct hx_selftest_job *job, int *ret_status) {
    struct pollfd end = {pidfd_open(job->pid, 0), POLLIN, 0};
    while (end.fd >= 0 && !hx_interrupted() && hx_interrupt_poll(&end, 1, -1) <= 0)
        ;
    if (end.fd >= 0)
        close(end.fd);
    if (hx_interrupted())
        kill(job->pid, SIGTERM);
    while (waitpid(job->pid, ret_status, 0) < 0 && errno == EINTR)
        ;
}

static void clear(struct hx_selftest_job *job) {
    hx_temp_remove(&job->folder);
    munmap(job->faults, sizeof *job->faults);
}

/* ---- The queue ---- */

/* Waits for the first program, and counts what it gave. */
static struct rt_error *finish_first(struct hx_selftest_queue *queue) {
    struct hx_selftest_job *job = &queue->items[queue->first];
    int status = 0;
    wait_for(job, &status);
    if (status)
        hx_status_describe(status, job->faults->reason, sizeof job->faults->reason);
    queue->first = (queue->first + 1) % HX_SELFTEST_JOBS;
    queue->count--;
    const char *reason = job->faults->reason;
    if (reason[0] && job->source.has_seed)
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)job->source.seed, reason);
    else if (reason[0])
        fprintf(stderr, "%s: %s\n", job->source.c_file, reason);
    struct rt_error *error = hx_recall_add(queue->recall, job->faults, &queue->left);
    clear(job);
    if (!error && hx_interrupted())
        error = rt_error_format(RT_EXIT, "interrupted");
    return error;
}

struct rt_error *hx_selftest_queue_add(struct hx_selftest_queue *queue, const struct hx_source *source) {
    struct rt_error *error = NULL;
    if (queue->count == queue->jobs)
        error = finish_first(queue);
    if (error || !queue->left)
        return error;
    const unsigned place = (queue->first + queue->count) % HX_SELFTEST_JOBS;
    error = start(queue, source, place, &queue->items[place]);
    queue->count += !error;
    return error;
}

struct rt_error *hx_selftest_queue_end(struct hx_selftest_queue *queue) {
    struct rt_error *error = NULL;
    while (!error && queue->count && queue->left)
        error = finish_first(queue);
    for (; queue->count; queue->count--) { /* no longer wanted */
        struct hx_selftest_job *job = &queue->items[queue->first];
        kill(job->pid, SIGKILL);
        while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        clear(job);
        queue->first = (queue->first + 1) % HX_SELFTEST_JOBS;
    }
    return error;
}
