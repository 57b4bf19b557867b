/* The parent's side of a job: starting a worker, its deadlines, and what came of it, crash or not. */
#include "harness/job.h"

#include "harness/interrupt.h"
#include "harness/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Milliseconds. Stepping has a limit of its own, which the oracle keeps; past this much more it hangs. */
enum { GENERATE_LIMIT = 10000, COMPILE_LIMIT = 60000, STEP_GRACE = 15000, RESULT_LIMIT = 64 << 20 };

static const struct hx_job no_job = {.pid_fd = -1, .result_fd = -1, .output_fd = {-1, -1}};

static void close_fd(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void hx_job_init(struct hx_job *job) {
    *job = no_job;
}

struct rt_error *hx_job_start(const struct hx_setup *setup, const struct hx_source *source,
                              const struct hx_temp *temp, const char *name, struct hx_job *ret) {
    int result[2] = {-1, -1};
    struct rt_error *error;

    *ret = no_job;
    ret->setup = setup;
    ret->source = *source;
    ret->is_part = source->pair[0] != NULL;
    error = hx_temp_folder(temp, name, &ret->folder);
    if (error)
        return error;
    ret->shared = mmap(NULL, sizeof *ret->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ret->shared == MAP_FAILED) {
        ret->shared = NULL;
        goto failed;
    }
    ret->shared->stage = source->has_seed ? HX_GENERATE : source->c_file ? HX_COMPILE : HX_STEP;
    ret->shared->stage_started = hx_now();
    for (int i = 0; i < 2; i++) {
        ret->output_fd[i] = memfd_create("output", MFD_CLOEXEC);
        if (ret->output_fd[i] < 0)
            goto failed;
    }
    if (pipe2(result, O_CLOEXEC) != 0)
        goto failed;
    ret->result_fd = result[0];
    fcntl(ret->result_fd, F_SETFL, O_NONBLOCK);
    /* What is buffered would be printed by the worker once more. */
    fflush(NULL);
    ret->pid = fork();
    if (ret->pid == 0)
        hx_worker_main(ret, result[1]);
    if (ret->pid < 0) {
        ret->pid = 0;
        goto failed;
    }
    if (!ret->is_part)
        setpgid(ret->pid, ret->pid); /* the worker does the same: whoever comes first */
    close_fd(&result[1]);
    ret->pid_fd = pidfd_open(ret->pid, 0);
    if (ret->pid_fd < 0)
        goto failed;
    return NULL;

failed:
    error = rt_error_os(errno, "cannot start a worker process");
    close_fd(&result[1]);
    hx_job_clear(ret);
    return error;
}

/* Kills the worker and all that it started; a part's children go with the worker that it is of. */
static void kill_all(const struct hx_job *job) {
    kill(job->is_part ? job->pid : -job->pid, SIGKILL);
}

/* When the worker's present stage must have ended, in hx_now()'s time. */
static uint64_t stage_deadline(const struct hx_job *job) {
    uint64_t limit;

    switch (job->shared->stage) {
    case HX_GENERATE: limit = GENERATE_LIMIT; break;
    case HX_COMPILE: limit = COMPILE_LIMIT; break;
    default: limit = job->setup->time_limit + STEP_GRACE; break;
    }
    /* To tell of a part that hangs. */
    if (job->shared->part_limit > 0)
        limit += job->shared->part_limit + STEP_GRACE;
    return job->shared->stage_started + limit;
}

void hx_job_enforce(struct hx_job *job) {
    if (job->pid == 0 || job->timed_out || hx_now() < stage_deadline(job))
        return;
    job->timed_out = true;
    kill_all(job);
}

void hx_job_read(struct hx_job *job) {
    while (job->result_fd >= 0) {
        long got = hx_buffer_read(&job->bytes, job->result_fd);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0 || job->bytes.size > RESULT_LIMIT)
            close_fd(&job->result_fd);
    }
}

/* The witness on a side of the comparison that a job makes: its name, as the setup has it. */
static const char *side_name(const struct hx_job *job, uint32_t side) {
    const struct hx_engines *engines = job->setup->engines;

    if (engines)
        return rt_engine_name(engines->engines[side]);
    if (job->source.pair[side])
        return job->source.pair[side]->name;
    if (job->setup->witnesses)
        return job->setup->witnesses->items[side].name;
    return side == 0 ? "native" : "wasm";
}

/* Where the two debuggees were when the worker died, as the finding's testimony. */
static void describe_places(const struct hx_job *job, struct or_finding *finding, char text[2][64]) {
    const struct or_progress *progress = &job->shared->progress;

    finding->stop = progress->stops;
    for (uint32_t i = 0; i < 2; i++) {
        snprintf(text[i], 64, "pc 0x%llx%s", (unsigned long long)progress->pc[i],
                 job->shared->stage == HX_STEP && progress->running == i ? ", running" : "");
        finding->witnesses[i] =
            (struct or_testimony){.name = side_name(job, i), .value = text[i], .pc = progress->pc[i]};
    }
}

/* The last line that the worker wrote on standard error: what a sanitizer or an assertion said. */
static void last_words(const struct hx_job *job, char *text, size_t size) {
    struct hx_process voice = {0};

    text[0] = '\0';
    if (job->output_fd[1] >= 0 && lseek(job->output_fd[1], 0, SEEK_SET) == 0 &&
        hx_buffer_read(&voice.output, job->output_fd[1]) > 0)
        hx_process_complaint(&voice, text, size);
    hx_process_clear(&voice);
}

/* The worker ended without a whole result. */
static struct rt_error *make_crash(const struct hx_job *job, int status, struct hx_result *ret) {
    char places[2][64], how[128], words[160], signature[160];
    const char *stage = hx_stage_name((enum hx_stage)job->shared->stage);
    const struct or_progress *progress = &job->shared->progress;
    bool stepping = job->shared->stage == HX_STEP;
    const char *running = !stepping               ? "tools"
                          : progress->running < 2 ? side_name(job, progress->running)
                                                  : "oracle";
    struct or_finding finding = {.detail = how};

    ret->verdict = job->timed_out ? HX_TIMEOUT : HX_CRASH;
    ret->stops = progress->stops;
    ret->values = progress->values;
    ret->unchanged = progress->unchanged;
    for (int i = 0; i < HX_STAGE_COUNT; i++)
        ret->seconds[i] = job->shared->seconds[i];
    hx_status_describe(status, how, sizeof how);
    last_words(job, words, sizeof words);
    if (job->timed_out && !stepping) {
        /* A generator or compiler that does not end is no finding about a debugger. */
        ret->verdict = HX_SKIPPED;
        ret->reason = rt_arena_printf(&ret->arena, "no end within the time for stage %s", stage);
        return ret->reason ? NULL : rt_error_out_of_memory();
    }
    if (job->timed_out)
        ret->reason = rt_arena_printf(&ret->arena, "the worker hung in %s", running);
    else
        ret->reason = rt_arena_printf(&ret->arena, "the worker died in stage %s, in %s: %s%s%s", stage,
                                      running, how, words[0] ? ": " : "", words);
    snprintf(signature, sizeof signature, "%s/%s/%s/%s", hx_verdict_name(ret->verdict), stage, running,
             job->timed_out ? "hang" : how);
    finding.signature = signature;
    finding.detail = ret->reason;
    describe_places(job, &finding, places);
    if (!ret->reason || !hx_result_add(ret, hx_verdict_name(ret->verdict), &finding))
        return rt_error_out_of_memory();
    return NULL;
}

static uint64_t source_size(const struct hx_job *job) {
    const char *file = job->source.wasm ? job->source.wasm : job->source.c_file;
    char path[PATH_MAX];
    struct stat info;

    for (int i = 0; !file && i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", job->folder.path, i == 0 ? HX_SOURCE : HX_WASM);
        file = access(path, F_OK) == 0 ? path : NULL;
    }
    return file && stat(file, &info) == 0 ? (uint64_t)info.st_size : 0;
}

struct rt_error *hx_job_finish(struct hx_job *job, struct hx_result *ret) {
    struct rt_error *error = NULL;
    int status = 0;

    hx_result_init(ret);
    hx_job_read(job);
    /* The worker's own children go with it; its process id is not free before the wait. */
    kill_all(job);
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
        ;
    job->pid = 0;
    hx_job_read(job);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !job->timed_out && !job->bytes.failed)
        error = hx_result_read(job->bytes.bytes, job->bytes.size, ret);
    if (error || !WIFEXITED(status) || WEXITSTATUS(status) != 0 || job->timed_out) {
        rt_error_destroy(error);
        hx_result_clear(ret);
        hx_result_init(ret);
        error = make_crash(job, status, ret);
    }
    ret->has_seed = job->source.has_seed;
    ret->seed = job->source.seed;
    const char *file = job->source.c_file   ? job->source.c_file
                       : job->source.native ? job->source.native
                                            : job->source.wasm;
    if (file)
        ret->file = rt_arena_copy(&ret->arena, file, strlen(file));
    ret->source_size = source_size(job);
    close_fd(&job->pid_fd);
    return error;
}

void hx_job_clear(struct hx_job *job) {
    if (job->pid > 0) {
        kill_all(job);
        kill(job->pid, SIGKILL); /* it may not have made its group yet */
        while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    close_fd(&job->pid_fd);
    close_fd(&job->result_fd);
    close_fd(&job->output_fd[0]);
    close_fd(&job->output_fd[1]);
    if (job->shared)
        munmap(job->shared, sizeof *job->shared);
    hx_buffer_clear(&job->bytes);
    hx_temp_remove(&job->folder);
    *job = no_job;
}

struct rt_error *hx_job_run(const struct hx_setup *setup, const struct hx_source *source,
                            const struct hx_temp *temp, struct hx_job *job, struct hx_result *ret) {
    struct rt_error *error = hx_job_start(setup, source, temp, "program", job);

    if (error)
        return error;
    for (;;) {
        struct pollfd fds[2] = {{job->pid_fd, POLLIN, 0}, {job->result_fd, POLLIN, 0}};
        uint64_t now = hx_now(), deadline = stage_deadline(job);
        /* The worker moves its deadline as it goes, so look again now and then. */
        uint64_t left = deadline > now ? deadline - now : 1;
        hx_interrupt_poll(fds, 2, left < 200 ? (int)left : 200);
        if (hx_interrupted())
            return rt_error_format(RT_EXIT, "interrupted");
        hx_job_read(job);
        hx_job_enforce(job);
        if (fds[0].revents)
            return hx_job_finish(job, ret);
    }
}
