/* The worker: a forked child that takes one program through its stages and writes the result into a pipe. */
#include "harness/job.h"

#include "harness/interrupt.h"
#include "harness/modules.h"
#include "harness/process.h"
#include "harness/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RESULT_FD = 3, FIRST_FREE_FD = 4 };

/* Leaves the parent's world: its group, signals, descriptors and working folder. */
static void settle(const struct hx_job *job, int result_fd, pid_t parent) {
    const struct rlimit no_core = {0, 0};
    int null;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(HX_STAGE_COUNT);
    if (!job->is_part)
        setpgid(0, 0);
    hx_interrupt_release();
    setrlimit(RLIMIT_CORE, &no_core);
    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    /* Out of the way of the numbers that are about to be given out. */
    result_fd = fcntl(result_fd, F_DUPFD_CLOEXEC, 64);
    if (null < 0 || result_fd < 0 || dup2(null, 0) < 0 || dup2(job->output_fd[0], 1) < 0 ||
        dup2(job->output_fd[1], 2) < 0 || dup3(result_fd, RESULT_FD, O_CLOEXEC) < 0)
        _exit(1);
    close_range(FIRST_FREE_FD, ~0U, 0);
    if (chdir(job->folder.path) != 0)
        _exit(1);
}

static void begin_stage(struct hx_shared *shared, enum hx_stage stage) {
    shared->stage_started = hx_now();
    shared->stage = stage;
}

void hx_worker_begin_part(const struct hx_job *job, unsigned limit) {
    job->shared->part_limit = limit;
    job->shared->stage_started = hx_now();
}

const char *hx_worker_text(const struct hx_job *job) {
    const struct hx_source *source = &job->source;

    return source->has_seed ? "../" HX_SOURCE : source->c_file ? source->c_file : source->text;
}

struct rt_error *hx_worker_compare(const struct hx_job *job, const struct hx_two *two, unsigned limit,
                                   struct hx_result *result) {
    const struct hx_source source = {.pair = {two->witness[0], two->witness[1]},
                                     .artifacts = {two->artifact[0], two->artifact[1]}};
    struct hx_setup setup = *job->setup;
    struct hx_job part;

    setup.time_limit = limit;
    hx_worker_begin_part(job, limit);
    hx_job_init(&part);
    hx_result_clear(result);
    struct rt_error *error = hx_job_run(&setup, &source, &job->folder, &part, result);
    hx_job_clear(&part);
    return error;
}

/* `has_setup`: it is a program of ours, which wants its seed's setup. */
static struct rt_error *check_engines(const struct hx_job *job, bool has_setup, struct hx_result *result) {
    struct hx_engines engines = *job->setup->engines;
    struct hx_guest_setup guest = {.entry_count = 0};
    const char *wasm = job->source.wasm ? job->source.wasm : HX_WASM;
    struct rt_error *error = has_setup ? hx_guest_setup_create(job->source.seed, &guest) : NULL;

    engines.setup = has_setup ? &guest : NULL;
    engines.folder = &job->folder;
    if (!error)
        error = hx_engines_check(&engines, wasm, job->setup->time_limit, &job->shared->progress, result);
    hx_guest_setup_clear(&guest);
    return error;
}

static struct rt_error *check_two(const struct hx_job *job, struct hx_result *result) {
    static const int outputs[2] = {STDOUT_FILENO, STDERR_FILENO};
    struct hx_two two;
    struct rt_error *error = hx_first_two(job->setup, &job->source, job->folder.path, &result->arena, &two);

    return error ? error
                 : hx_check_pair(job->setup, &two, outputs, &job->shared->progress, RESULT_FD, result);
}

static struct rt_error *run_stages(const struct hx_job *job, struct hx_result *result) {
    const struct hx_source *source = &job->source;
    const struct hx_tools *tools = job->setup->tools;
    struct hx_shared *shared = job->shared;
    struct rt_error *error = NULL;
    bool random_module = job->setup->engines && job->setup->engines->wasm_opt;
    bool is_wasm_only = source->has_seed && !random_module && !job->setup->generator->has_native;
    double started = hx_seconds();

    if (source->has_seed) {
        begin_stage(shared, HX_GENERATE);
        error = random_module
                    ? hx_module_generate(job->setup->engines->wasm_opt, source->seed, job->folder.path)
                    : job->setup->generator->write(tools, source->seed, job->setup->csmith_words,
                                                   job->folder.path);
        shared->seconds[HX_GENERATE] = hx_seconds() - started;
        started = hx_seconds();
    }
    if (!error && !random_module && (source->has_seed || source->c_file)) {
        begin_stage(shared, HX_COMPILE);
        const char *file = source->has_seed ? HX_SOURCE : source->c_file;
        if (job->setup->engines)
            error = hx_compile_wasm(tools, tools->optimisation, file, job->folder.path);
        else if (is_wasm_only)
            error = hx_compile_levels(tools, job->folder.path);
        else
            error = hx_compile(tools, file, job->folder.path);
        shared->seconds[HX_COMPILE] = hx_seconds() - started;
        started = hx_seconds();
    }
    if (!error) {
        begin_stage(shared, HX_STEP);
        const struct hx_setup *setup = job->setup;
        bool is_built = source->native || source->wasm;
        if (setup->is_self)
            error = hx_check_self(setup, is_built ? source->native : HX_NATIVE,
                                  is_built ? source->wasm : HX_WASM, &shared->progress, RESULT_FD, result);
        else if (setup->engines)
            error = check_engines(job, is_wasm_only, result);
        else if (is_wasm_only)
            error = hx_check_runs(setup, source->seed, job->folder.path, result);
        else if (!source->pair[0] && hx_has_more_witnesses(setup))
            error = hx_check_witnesses(job, result);
        else
            error = check_two(job, result);
        const bool is_pair = !setup->is_self && !setup->engines && !is_wasm_only && !source->pair[0];
        if (!error && is_pair && !hx_has_more_witnesses(setup))
            error = hx_check_again(job, result);
        if (!error && is_pair)
            error = hx_check_controls(job, result);
        shared->seconds[HX_STEP] = hx_seconds() - started;
    }
    return error;
}

static void write_all(int fd, const struct hx_buffer *buffer) {
    for (size_t done = 0; done < buffer->size;) {
        ssize_t written = write(fd, buffer->bytes + done, buffer->size - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            _exit(1);
        done += (size_t)written;
    }
}

_Noreturn void hx_worker_main(const struct hx_job *job, int result_fd) {
    struct hx_result result;
    struct hx_buffer bytes = {0};
    struct rusage usage = {0};

    settle(job, result_fd, getppid());
    hx_result_init(&result);
    struct rt_error *error = run_stages(job, &result);
    if (error) {
        result.verdict = HX_SKIPPED;
        result.reason = error->message;
        result.finding_count = 0;
    }
    for (int i = 0; i < HX_STAGE_COUNT; i++)
        result.seconds[i] = job->shared->seconds[i];
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        result.worker_kib = (uint64_t)usage.ru_maxrss;
    hx_result_write(&result, &bytes);
    if (bytes.failed)
        _exit(1);
    write_all(RESULT_FD, &bytes);
    /* The debuggee's exit handlers are its own affair, and nothing of ours needs a normal exit. */
    _exit(0);
}
