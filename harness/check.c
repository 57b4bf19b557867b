/* The comparison itself: loads a pair, lets the oracle compare it, then compares what both programs printed
 * and how they ended. Runs in a worker. */
#include "harness/job.h"

#include "harness/free_run.h"
#include "harness/pair.h"
#include "harness/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { OUTPUT_LIMIT = 16 << 20, SHOWN = 120 };

/* What both debuggees print. A guest's comes as bytes; a native program's goes to this process's descriptors,
 * which change hands when both are native. */
struct side_output {
    struct hx_buffer streams[2];
    bool is_native;
    int fds[2]; /* of a native program */
    const struct outputs *outputs;
};

struct outputs {
    struct side_output sides[2];
    int result_fd;
    bool is_silent;
};

static bool keep_output(void *user, int fd, const void *bytes, size_t size) {
    struct side_output *output = user;
    struct hx_buffer *stream = &output->streams[fd == STDERR_FILENO];

    if (output->outputs->is_silent)
        return true;
    if (stream->size + size > OUTPUT_LIMIT)
        size = OUTPUT_LIMIT - stream->size;
    hx_buffer_append(stream, bytes, size);
    return !stream->failed;
}

/* In a child that looks ahead: what it prints is not the program's, and the parent must not wait for it. */
static void silence(void *user) {
    struct outputs *outputs = user;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    outputs->is_silent = true;
    close(outputs->result_fd);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
}

/* Hands descriptors 1 and 2 to the side that is about to run. */
static void change_hands(void *user, int side) {
    const struct outputs *outputs = user;

    fflush(NULL);
    for (int i = 0; i < 2 && !outputs->is_silent; i++)
        dup2(outputs->sides[side].fds[i], STDOUT_FILENO + i);
}

/* The first native side prints where this process does, a second one into files of its own. */
static struct rt_error *open_outputs(struct outputs *outputs, const struct hx_two *two,
                                     const int output_fd[2]) {
    bool is_both = true;

    for (int side = 0; side < 2; side++) {
        outputs->sides[side].outputs = outputs;
        outputs->sides[side].is_native = two->witness[side]->kind == HX_WITNESS_NATIVE;
        is_both &= outputs->sides[side].is_native;
    }
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < 2; i++) {
            int *fd = &outputs->sides[side].fds[i];
            *fd = !is_both    ? output_fd[i]
                  : side == 0 ? fcntl(output_fd[i], F_DUPFD_CLOEXEC, 64)
                              : memfd_create("output", MFD_CLOEXEC);
            if (*fd < 0)
                return rt_error_os(errno, "cannot keep two native programs' output apart");
        }
    return NULL;
}

/* A native program that prints without end gets an error from write(), not a signal. */
static void limit_output(void) {
    const struct rlimit limit = {OUTPUT_LIMIT, OUTPUT_LIMIT};

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
}

static struct rt_error *read_output(struct side_output *output) {
    fflush(NULL);
    for (int i = 0; i < 2 && output->is_native; i++) {
        long got;
        if (lseek(output->fds[i], 0, SEEK_SET) != 0)
            return rt_error_os(errno, "cannot read the native program's output");
        while ((got = hx_buffer_read(&output->streams[i], output->fds[i])) != 0)
            if (got < 0 && errno != EINTR)
                return rt_error_os(errno, "cannot read the native program's output");
    }
    return NULL;
}

/* The line of `stream` that holds byte `at`, shortened, with how the program ended. */
static const char *show_output(struct rt_arena *arena, const struct hx_buffer *stream, size_t at, int status,
                               const char *trouble) {
    const char *text = hx_buffer_string(stream);
    size_t start = at < stream->size ? at : stream->size, length;

    while (start > 0 && text[start - 1] != '\n')
        start--;
    length = strcspn(text + start, "\n");
    if (trouble)
        return rt_arena_printf(arena, "\"%.*s\", ended by %s", (int)(length < SHOWN ? length : SHOWN),
                               text + start, trouble);
    return rt_arena_printf(arena, "\"%.*s\", exit status %d", (int)(length < SHOWN ? length : SHOWN),
                           text + start, status);
}

/* Adds a finding when the two did not print the same or did not end the same way. */
static struct rt_error *compare_output(const struct or_report *report, const struct hx_two *two,
                                       const struct outputs *outputs, struct hx_free_run *free_run,
                                       struct hx_result *result) {
    static const char *const stream_names[2] = {"standard output", "standard error"};
    struct or_finding finding = {
        .kind = OR_OUTPUT,
        .witnesses = {{.name = two->witness[0]->name}, {.name = two->witness[1]->name}},
        .stop = report->stops};
    size_t at = 0;
    int stream = 0;

    for (stream = 0; stream < 2; stream++) {
        const struct hx_buffer *a = &outputs->sides[0].streams[stream];
        const struct hx_buffer *b = &outputs->sides[1].streams[stream];
        size_t common = a->size < b->size ? a->size : b->size;
        for (at = 0; at < common && a->bytes[at] == b->bytes[at]; at++)
            ;
        if (at < common || a->size != b->size)
            break;
    }
    bool same_end = report->status[0] == report->status[1] && !report->error[0] == !report->error[1];
    if (stream == 2 && same_end)
        return NULL;
    /* What was written into locals did it, at a place that is another's: the findings say where. */
    if (result->finding_count > 0 && hx_free_run_agrees(free_run))
        return NULL;
    result->verdict = HX_OUTPUT;
    result->finding_count = 0; /* a miscompiled program is not searched for debug defects */
    if (!same_end) {
        finding.signature = report->error[0] || report->error[1] ? "output/trap" : "output/status";
        finding.detail = "the two builds do not end the same way";
        stream = stream == 2 ? 0 : stream;
    } else {
        finding.signature = stream == 0 ? "output/stdout" : "output/stderr";
        finding.detail = rt_arena_printf(&result->arena, "%s differs at byte %zu", stream_names[stream], at);
    }
    for (int i = 0; i < 2; i++)
        finding.witnesses[i].value = show_output(&result->arena, &outputs->sides[i].streams[stream], at,
                                                 report->status[i], report->error[i]);
    if (!finding.witnesses[0].value || !finding.witnesses[1].value || !finding.detail ||
        !hx_result_add(result, or_kind_name(OR_OUTPUT), &finding))
        return rt_error_out_of_memory();
    return NULL;
}

/* The oracle's report as a result. */
static struct rt_error *take_report(const struct or_report *report, const struct hx_two *two,
                                    unsigned time_limit, bool wants_places, struct hx_result *result) {
    const char *const names[2] = {two->witness[0]->name, two->witness[1]->name};

    result->stops = report->stops;
    result->values = report->values;
    result->unchanged = report->unchanged;
    result->repeats = report->repeats;
    result->findings_left_out = report->findings_left_out;
    memcpy(result->readable, report->readable, sizeof result->readable);
    result->same = report->same;
    result->is_complete = report->ended[0] && report->ended[1] && !report->out_of_stops;
    if (wants_places && !hx_result_set_places(result, report->places, report->place_count))
        return rt_error_out_of_memory();
    for (size_t i = 0; i < report->finding_count; i++)
        if (!hx_result_add(result, or_kind_name(report->findings[i].kind), &report->findings[i]))
            return rt_error_out_of_memory();
    result->verdict = report->finding_count > 0 ? HX_DIFFER : HX_AGREE;
    /* The oracle lets both run to their end, whatever else it saw, unless the time is up. */
    if (report->ended[0] && report->ended[1])
        return NULL;
    if (report->finding_count == 0)
        result->verdict = HX_TIMEOUT;
    if (report->ended[0] != report->ended[1]) {
        struct or_finding finding = {
            .signature = rt_arena_printf(&result->arena, "timeout/%s", names[report->ended[0] ? 1 : 0]),
            .detail = "one build ended, the other did not within the time limit",
            .witnesses = {{.name = names[0], .value = report->ended[0] ? "ended" : "still running"},
                          {.name = names[1], .value = report->ended[1] ? "ended" : "still running"}},
            .stop = report->stops,
        };
        if (!finding.signature || !hx_result_add(result, "timeout", &finding))
            return rt_error_out_of_memory();
    }
    result->reason = rt_arena_printf(&result->arena, "no end within %.1f s", (double)time_limit / 1000);
    return result->reason ? NULL : rt_error_out_of_memory();
}

/* One compiler made both: its own word for the plain witnesses, else by version. */
static bool is_one_compiler(const struct hx_setup *setup, const struct hx_two *two) {
    const struct hx_witness *a = two->witness[0], *b = two->witness[1];

    if (hx_witness_share(a, b))
        return true;
    if (!a->compiler || !b->compiler)
        return setup->is_one_compiler;
    return strcmp(a->compiler->version, b->compiler->version) == 0;
}

struct rt_error *hx_check_pair(const struct hx_setup *setup, const struct hx_two *two, const int output_fd[2],
                               struct or_progress *progress, int result_fd, struct hx_result *result) {
    struct outputs outputs = {.result_fd = result_fd};
    struct hx_load loads[2];
    struct or_options options = {.max_stops = setup->max_stops,
                                 .max_visits = setup->max_visits,
                                 .max_time = setup->time_limit,
                                 .max_idle = setup->time_limit / 4,
                                 .is_unoptimised = setup->is_unoptimised,
                                 .leave_locals = setup->leave_locals,
                                 .is_one_compiler = is_one_compiler(setup, two),
                                 .is_one_module =
                                     hx_witnesses_run_one_module(two->witness[0], two->witness[1]),
                                 .progress = progress,
                                 .in_child = silence,
                                 .user = &outputs};
    struct or_report *report = NULL;
    struct hx_pair pair = {.sides = {{.image = NULL}}};
    struct hx_free_run free_run;

    limit_output();
    progress->running = 2;
    hx_free_run_prepare(setup, two, or_fills_locals(&options), result_fd, &free_run);
    struct rt_error *error = open_outputs(&outputs, two, output_fd);
    for (int i = 0; i < 2; i++)
        loads[i] = (struct hx_load){.kind = two->witness[i]->kind,
                                    .path = two->artifact[i],
                                    .engine = two->witness[i]->engine,
                                    .write = keep_output,
                                    .write_user = &outputs.sides[i]};
    if (outputs.sides[0].is_native && outputs.sides[1].is_native)
        options.at_turn = change_hands;
    if (!error)
        error = hx_pair_open(loads, &pair);
    double started = hx_seconds();
    if (!error) {
        const struct or_witness witnesses[2] = {{two->witness[0]->name, pair.sides[0].session},
                                                {two->witness[1]->name, pair.sides[1].session}};
        error = or_compare(witnesses, &options, &report);
    }
    result->compare_seconds = hx_seconds() - started;
    if (!error)
        error = take_report(report, two, setup->time_limit, hx_has_more_witnesses(setup), result);
    const bool has_ended = !error && report->ended[0] && report->ended[1];
    for (int i = 0; i < 2 && has_ended && !error; i++)
        error = read_output(&outputs.sides[i]);
    if (!error && has_ended)
        error = compare_output(report, two, &outputs, &free_run, result);
    or_report_destroy(report);
    hx_free_run_clear(&free_run);
    for (int i = 0; i < 2; i++) {
        hx_buffer_clear(&outputs.sides[i].streams[0]);
        hx_buffer_clear(&outputs.sides[i].streams[1]);
    }
    hx_pair_close(&pair);
    return error;
}
