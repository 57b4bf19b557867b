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
#include <sys/resource.h>
#include <unistd.h>

enum { OUTPUT_LIMIT = 16 << 20, SHOWN = 120 };

/* What the Wasm guest printed. */
struct guest_output {
    struct hx_buffer streams[2];
    int result_fd;
    bool silent;
};

static bool keep_output(void *user, int fd, const void *bytes, size_t size) {
    struct guest_output *output = user;
    struct hx_buffer *stream = &output->streams[fd == STDERR_FILENO];

    if (output->silent)
        return true;
    if (stream->size + size > OUTPUT_LIMIT)
        size = OUTPUT_LIMIT - stream->size;
    hx_buffer_append(stream, bytes, size);
    return !stream->failed;
}

/* In a child that looks ahead: what it prints is not the program's, and the parent must not wait for it. */
static void silence(void *user) {
    struct guest_output *output = user;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    output->silent = true;
    close(output->result_fd);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
}

/* A native program that prints without end gets an error from write(), not a signal. */
static void limit_output(void) {
    const struct rlimit limit = {OUTPUT_LIMIT, OUTPUT_LIMIT};

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
}

static struct rt_error *read_output(const int fds[2], struct hx_buffer streams[2]) {
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        long got;
        if (lseek(fds[i], 0, SEEK_SET) != 0)
            return rt_error_os(errno, "cannot read the native program's output");
        while ((got = hx_buffer_read(&streams[i], fds[i])) != 0)
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
static struct rt_error *compare_output(const struct or_report *report, const struct hx_buffer *native,
                                       const struct hx_buffer *guest, struct hx_free_run *free_run,
                                       struct hx_result *result) {
    static const char *const stream_names[2] = {"standard output", "standard error"};
    struct or_finding finding = {.witnesses = {{.name = "native"}, {.name = "wasm"}}, .stop = report->stops};
    size_t at = 0;
    int stream = 0;

    for (stream = 0; stream < 2; stream++) {
        const struct hx_buffer *a = &native[stream], *b = &guest[stream];
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
        finding.witnesses[i].value = show_output(&result->arena, i == 0 ? &native[stream] : &guest[stream],
                                                 at, report->status[i], report->error[i]);
    if (!finding.witnesses[0].value || !finding.witnesses[1].value || !finding.detail ||
        !hx_result_add(result, "output", &finding))
        return rt_error_out_of_memory();
    return NULL;
}

/* The oracle's report as a result. */
static struct rt_error *take_report(const struct or_report *report, unsigned time_limit,
                                    struct hx_result *result) {
    result->stops = report->stops;
    result->values = report->values;
    result->unchanged = report->unchanged;
    result->repeats = report->repeats;
    result->findings_left_out = report->findings_left_out;
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
            .signature = report->ended[0] ? "timeout/wasm" : "timeout/native",
            .detail = "one build ended, the other did not within the time limit",
            .witnesses = {{.name = "native", .value = report->ended[0] ? "ended" : "still running"},
                          {.name = "wasm", .value = report->ended[1] ? "ended" : "still running"}},
            .stop = report->stops,
        };
        if (!hx_result_add(result, "timeout", &finding))
            return rt_error_out_of_memory();
    }
    result->reason = rt_arena_printf(&result->arena, "no end within %.1f s", (double)time_limit / 1000);
    return result->reason ? NULL : rt_error_out_of_memory();
}

struct rt_error *hx_check_pair(const struct hx_setup *setup, const char *native, const char *wasm,
                               const int output_fd[2], struct or_progress *progress, int result_fd,
                               struct hx_result *result) {
    struct guest_output guest = {.result_fd = result_fd};
    const struct hx_pair_options load = {.engine = setup->engine, .write = keep_output, .write_user = &guest};
    const struct or_options options = {.max_stops = setup->max_stops,
                                       .max_visits = setup->max_visits,
                                       .max_time = setup->time_limit,
                                       .max_idle = setup->time_limit / 4,
                                       .is_unoptimised = setup->is_unoptimised,
                                       .leave_locals = setup->leave_locals,
                                       .is_one_compiler = setup->is_one_compiler,
                                       .progress = progress,
                                       .in_child = silence,
                                       .user = &guest};
    struct hx_buffer printed[2] = {0};
    struct or_report *report = NULL;
    struct hx_pair pair;
    struct hx_free_run free_run;

    limit_output();
    progress->running = 2;
    hx_free_run_prepare(setup, native, wasm, result_fd, &free_run);
    struct rt_error *error = hx_pair_open(native, wasm, &load, &pair);
    double started = hx_seconds();
    if (!error) {
        const struct or_witness witnesses[2] = {{"native", pair.sessions[0]}, {"wasm", pair.sessions[1]}};
        error = or_compare(witnesses, &options, &report);
    }
    result->compare_seconds = hx_seconds() - started;
    if (!error)
        error = take_report(report, setup->time_limit, result);
    if (!error && report->ended[0] && report->ended[1])
        error = read_output(output_fd, printed);
    if (!error && report->ended[0] && report->ended[1])
        error = compare_output(report, printed, guest.streams, &free_run, result);
    or_report_destroy(report);
    hx_free_run_clear(&free_run);
    for (int i = 0; i < 2; i++) {
        hx_buffer_clear(&printed[i]);
        hx_buffer_clear(&guest.streams[i]);
    }
    hx_pair_close(&pair);
    return error;
}
