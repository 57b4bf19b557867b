/* The campaign's loop: one thread that starts workers, waits on all of them, and takes in their results. It
 * stays small: whatever a program needs lives in its worker. */
#include "harness/campaign.h"

#include "harness/finding.h"
#include "harness/interrupt.h"
#include "harness/process.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROGRESS_INTERVAL = 200 };

struct loop {
    const struct hx_campaign *campaign;
    const struct hx_temp *temp;
    struct hx_tally *tally;
    struct hx_job *jobs;
    struct pollfd *fds; /* two a job */
    unsigned running;
    uint64_t next_seed, passed; /* `passed` seeds of the range were done before */
    bool out_of_seeds;
    uint64_t started, shown; /* hx_now() */
};

unsigned hx_core_count(void) {
    cpu_set_t cores;
    int count = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
    return count > 0 ? (unsigned)count : 1;
}

/* "2:05", or "~2:05" when it is an estimate, or "" when nobody can say. */
static void time_left(const struct loop *loop, char *text, size_t size) {
    const struct hx_campaign *campaign = loop->campaign;
    uint64_t elapsed = hx_now() - loop->started, by_time = UINT64_MAX, by_seeds = UINT64_MAX, left;

    text[0] = '\0';
    if (campaign->time_limit)
        by_time = elapsed < campaign->time_limit ? campaign->time_limit - elapsed : 0;
    uint64_t programs = loop->tally->programs - loop->tally->recalled;
    if (campaign->last_seed != UINT64_MAX && programs > 0) {
        uint64_t seeds = campaign->last_seed - campaign->first_seed + 1 - loop->passed;
        by_seeds = elapsed / programs * (seeds > programs ? seeds - programs : 0);
    }
    left = (by_time < by_seeds ? by_time : by_seeds) / 1000;
    if (by_time != UINT64_MAX || by_seeds != UINT64_MAX)
        snprintf(text, size, ", %s%llu:%02llu left", by_seeds < by_time ? "about " : "",
                 (unsigned long long)(left / 60), (unsigned long long)(left % 60));
}

static void show_progress(struct loop *loop, bool now) {
    const struct hx_tally *tally = loop->tally;
    uint64_t time = hx_now();
    char left[64];

    if (!loop->campaign->progress || (!now && time - loop->shown < PROGRESS_INTERVAL))
        return;
    loop->shown = time;
    time_left(loop, left, sizeof left);
    fprintf(stderr, "\r%llu programs, %llu agree, %llu findings (%llu unknown), %.0f a minute%s\033[K",
            (unsigned long long)tally->programs, (unsigned long long)tally->verdicts[HX_AGREE],
            (unsigned long long)tally->findings, (unsigned long long)tally->unknown,
            time > loop->started
                ? (double)(tally->programs - tally->recalled) * 60000 / (double)(time - loop->started)
                : 0.0,
            left);
    fflush(stderr);
}

static bool wants_more(const struct loop *loop) {
    const struct hx_campaign *campaign = loop->campaign;

    if (loop->out_of_seeds || campaign->is_over || hx_interrupted())
        return false;
    return !campaign->time_limit || hx_now() - loop->started < campaign->time_limit;
}

static void advance(struct loop *loop) {
    loop->out_of_seeds = loop->next_seed++ == loop->campaign->last_seed;
}

/* To the next seed that no session before this one did. */
static void pass_over_done(struct loop *loop) {
    struct hx_ledger *ledger = loop->campaign->ledger;

    while (ledger && !loop->out_of_seeds && hx_ledger_is_done(ledger, loop->next_seed)) {
        loop->passed++;
        advance(loop);
    }
}

static struct rt_error *start_jobs(struct loop *loop) {
    const struct hx_campaign *campaign = loop->campaign;
    char name[32];

    for (unsigned i = 0; i < campaign->jobs && wants_more(loop); i++) {
        if (loop->jobs[i].pid > 0)
            continue;
        pass_over_done(loop);
        if (loop->out_of_seeds)
            break;
        const char *module = campaign->modules ? campaign->modules[loop->next_seed - 1] : NULL;
        const struct hx_source source = {.has_seed = !module, .seed = loop->next_seed, .wasm = module};
        snprintf(name, sizeof name, "job-%u", i);
        struct rt_error *error = hx_job_start(&campaign->setup, &source, loop->temp, name, &loop->jobs[i]);
        if (error)
            return error;
        loop->running++;
        advance(loop);
    }
    return NULL;
}

/* Keeps the findings that no folder has yet. */
static struct rt_error *keep_findings(struct loop *loop, const struct hx_job *job, struct hx_result *result) {
    const struct hx_ledger *ledger = loop->campaign->ledger;
    const char *name;

    for (size_t i = 0; ledger && i < result->finding_count; i++) {
        struct hx_sighting *sighting = hx_tally_sighting(loop->tally, &result->findings[i]);
        if (!sighting || sighting->folder)
            continue;
        struct rt_error *error = hx_finding_write(ledger->folder, job, result, &result->findings[i], &name);
        if (error)
            return error;
        sighting->folder = rt_arena_printf(&loop->tally->arena, "%s/%s", ledger->folder, name);
        if (!sighting->folder)
            return rt_error_out_of_memory();
    }
    return NULL;
}

/* Known defects that the seed is to show and does not. */
static struct rt_error *look_for_gone(struct loop *loop, const struct hx_result *result) {
    const struct hx_campaign *campaign = loop->campaign;
    const struct hx_known *known = campaign->setup.known;
    struct rt_error *error = NULL;

    for (size_t i = 0; campaign->known_compiler && i < known->count && !error; i++)
        if (hx_known_is_expected(&known->defects[i], campaign->known_compiler,
                                 campaign->setup.tools->optimisation, result->seed) &&
            hx_known_is_missing(&known->defects[i], result))
            error = hx_tally_miss(loop->tally, known->defects[i].name, result->seed);
    return error;
}

static void print_news(struct loop *loop, const struct hx_result *result) {
    FILE *file = loop->campaign->json ? stderr : stdout;

    for (size_t i = 0; loop->campaign->news && i < result->finding_count; i++) {
        const struct hx_finding *finding = &result->findings[i];
        if (!finding->is_new)
            continue;
        if (loop->campaign->progress)
            fputs("\r\033[K", stderr);
        fprintf(file, "seed %llu: new signature, %s%s: %s\n", (unsigned long long)result->seed,
                finding->known ? "known as " : "unknown", finding->known ? finding->known : "",
                finding->body.signature);
        fflush(file);
    }
}

static struct rt_error *print_json(const struct hx_result *result) {
    struct hx_buffer line = {0};
    struct rt_error *error = NULL;

    hx_result_json(result, &line);
    hx_buffer_text(&line, "\n");
    if (line.failed)
        error = rt_error_out_of_memory();
    else if (fwrite(line.bytes, 1, line.size, stdout) != line.size || fflush(stdout) != 0)
        error = rt_error_os(errno, "cannot write to standard output");
    hx_buffer_clear(&line);
    return error;
}

static struct rt_error *take_result(struct loop *loop, struct hx_job *job) {
    struct hx_result result;
    struct rt_error *error = hx_job_finish(job, &result);

    loop->running--;
    if (!error) {
        const struct hx_setup *setup = &loop->campaign->setup;
        const struct hx_known_context context = hx_known_context_of(setup->tools, job->folder.path);
        hx_known_mark(setup->known, &context, &result);
        error = hx_tally_add(loop->tally, &result);
    }
    if (!error)
        error = look_for_gone(loop, &result);
    if (!error)
        error = keep_findings(loop, job, &result);
    if (!error && loop->campaign->ledger)
        error = hx_ledger_add(loop->campaign->ledger, job, &result, loop->tally);
    if (!error)
        print_news(loop, &result);
    if (!error && loop->campaign->json)
        error = print_json(&result);
    if (!error)
        error = hx_publisher_add_result(loop->campaign->publisher, &result);
    hx_result_clear(&result);
    hx_job_clear(job);
    if (!error && loop->campaign->watch)
        loop->campaign->watch(loop->campaign->user, loop->tally);
    return error;
}

/* Waits for the next thing to happen and deals with it. */
static struct rt_error *wait_once(struct loop *loop) {
    struct rt_error *error = NULL;
    unsigned jobs = loop->campaign->jobs;

    /* poll() skips descriptors of -1, which jobs that do not run have. */
    for (unsigned i = 0; i < jobs; i++) {
        loop->fds[2 * i] = (struct pollfd){loop->jobs[i].pid_fd, POLLIN, 0};
        loop->fds[2 * i + 1] = (struct pollfd){loop->jobs[i].result_fd, POLLIN, 0};
    }
    /* Deadlines are seconds away, so looking at them at the progress line's pace is enough. */
    hx_interrupt_poll(loop->fds, 2 * jobs, PROGRESS_INTERVAL);
    for (unsigned i = 0; i < jobs && !error; i++) {
        if (loop->jobs[i].pid == 0)
            continue;
        hx_job_read(&loop->jobs[i]);
        hx_job_enforce(&loop->jobs[i]);
        if (loop->fds[2 * i].revents)
            error = take_result(loop, &loop->jobs[i]);
    }
    if (!error && loop->campaign->ledger)
        error = hx_database_commit(&loop->campaign->ledger->database, false);
    return error;
}

struct rt_error *hx_campaign_run(const struct hx_campaign *campaign, const struct hx_temp *temp,
                                 struct hx_tally *tally) {
    struct loop loop = {.campaign = campaign,
                        .temp = temp,
                        .tally = tally,
                        .next_seed = campaign->first_seed,
                        .started = hx_now()};
    struct rt_error *error = NULL;

    loop.jobs = calloc(campaign->jobs, sizeof *loop.jobs);
    loop.fds = calloc(2 * (size_t)campaign->jobs, sizeof *loop.fds);
    if (!loop.jobs || !loop.fds)
        error = rt_error_out_of_memory();
    for (unsigned i = 0; loop.jobs && i < campaign->jobs; i++)
        hx_job_init(&loop.jobs[i]);
    while (!error && !hx_interrupted()) {
        error = start_jobs(&loop);
        if (!error && loop.running == 0)
            break;
        if (!error)
            error = wait_once(&loop);
        show_progress(&loop, false);
    }
    for (unsigned i = 0; loop.jobs && i < campaign->jobs; i++)
        hx_job_clear(&loop.jobs[i]);
    show_progress(&loop, true);
    if (campaign->progress)
        fputc('\n', stderr);
    free(loop.jobs);
    free(loop.fds);
    if (campaign->ledger && !error)
        error = hx_ledger_end(campaign->ledger);
    return error;
}
