/* Two engines compared on one module: loading, the oracle's comparison, then what was printed and what the
 * exports returned. Runs in a worker. */
#include "harness/engines.h"

#include "harness/process.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 120 };

struct rt_error *hx_engines_parse(const char *text, enum rt_engine ret[2]) {
    const char *comma = strchr(text, ',');
    char first[32] = "";

    if (!comma || (size_t)(comma - text) >= sizeof first)
        return rt_error_format(RT_USAGE, "--engines: '%s' is not two engines, as compiled,interp", text);
    memcpy(first, text, (size_t)(comma - text));
    struct rt_error *error = rt_engine_parse(first, &ret[0]);
    if (!error)
        error = rt_engine_parse(comma + 1, &ret[1]);
    return error ? rt_error_context(error, "--engines") : NULL;
}

/* The line of `text` that holds byte `at`, shortened. */
static const char *line_at(struct rt_arena *arena, const struct hx_buffer *buffer, size_t at) {
    const char *text = hx_buffer_string(buffer);
    size_t start = at < buffer->size ? at : buffer->size;

    while (start > 0 && text[start - 1] != '\n')
        start--;
    size_t length = strcspn(text + start, "\n");
    return rt_arena_printf(arena, "\"%.*s\"", (int)(length < SHOWN ? length : SHOWN), text + start);
}

/* Adds a finding when two buffers are not the same; false when there was one, or an error. */
static bool compare_text(const struct hx_engines *options, const struct hx_buffer *a,
                         const struct hx_buffer *b, const char *what, struct hx_result *result,
                         struct rt_error **ret_error) {
    size_t at = 0;

    while (at < a->size && at < b->size && a->bytes[at] == b->bytes[at])
        at++;
    if (at == a->size && at == b->size)
        return true;
    struct or_finding finding = {
        .signature =
            rt_arena_printf(&result->arena, "%s/%s", options->is_replay ? "replay" : "engines", what),
        .detail = rt_arena_printf(&result->arena, "what the two %s differs at byte %zu",
                                  strcmp(what, "output") == 0 ? "printed" : "returned", at),
        .stop = result->steps,
        .witnesses = {
            {.name = rt_engine_name(options->engines[0]), .value = line_at(&result->arena, a, at)},
            {.name = rt_engine_name(options->engines[1]), .value = line_at(&result->arena, b, at)}}};
    result->verdict = HX_DIFFER;
    if (!finding.signature || !finding.detail || !hx_result_add(result, what, &finding))
        *ret_error = rt_error_out_of_memory();
    return false;
}

struct rt_error *hx_engines_name(const struct hx_engines *options, struct hx_result *result) {
    result->engines = rt_arena_printf(&result->arena, "%s,%s", rt_engine_name(options->engines[0]),
                                      rt_engine_name(options->engines[1]));
    return result->engines ? NULL : rt_error_out_of_memory();
}

static struct rt_error *take_report(const struct hx_engines *options, const struct or_engines_report *report,
                                    struct hx_result *result) {
    static const enum hx_verdict verdicts[] = {[OR_ENGINES_AGREE] = HX_AGREE,
                                               [OR_ENGINES_DIFFER] = HX_DIFFER,
                                               [OR_ENGINES_EXHAUSTED] = HX_EXHAUSTED};

    result->verdict = verdicts[report->verdict];
    result->steps = report->steps;
    result->values = report->values;
    result->is_limited = report->is_limited;
    struct rt_error *error = hx_engines_name(options, result);
    if (error)
        return error;
    if (report->verdict == OR_ENGINES_DIFFER &&
        !hx_result_add(result, or_engine_kind_name(report->kind), &report->finding))
        return rt_error_out_of_memory();
    if (report->is_limited) {
        result->reason = rt_arena_printf(&result->arena, "stopped after %llu instructions",
                                         (unsigned long long)report->steps);
        return result->reason ? NULL : rt_error_out_of_memory();
    }
    return NULL;
}

struct rt_error *hx_engines_compare(const struct hx_engines *options, struct hx_guest *const guests[2],
                                    const struct or_engines_options *compare, struct hx_result *result) {
    static const char *const roles[] = {"recorded", "replayed"};
    struct or_engines_report *report = NULL;
    struct or_engine_witness witnesses[2];

    for (int i = 0; i < 2; i++) {
        const char *engine = rt_engine_name(options->engines[i]);
        witnesses[i] = (struct or_engine_witness){
            options->is_replay ? rt_arena_printf(&result->arena, "%s, %s", roles[i], engine) : engine,
            guests[i]->session, guests[i]->instance};
        if (!witnesses[i].name)
            return rt_error_out_of_memory();
    }
    double started = hx_seconds();
    struct rt_error *error = or_engines_compare(witnesses, compare, &report);
    result->compare_seconds = hx_seconds() - started;
    if (!error)
        error = take_report(options, report, result);
    /* A comparison that was cut short may have left one side a line ahead. */
    if (!error && report->verdict == OR_ENGINES_AGREE && report->ended) {
        bool same = true;
        for (int i = 0; i < 2 && same; i++)
            same = compare_text(options, &guests[0]->streams[i], &guests[1]->streams[i], "output", result,
                                &error);
        if (same && !options->is_replay) /* a replay is told what its calls gave */
            compare_text(options, &guests[0]->calls, &guests[1]->calls, "results", result, &error);
        /* A mistake in what was to be called shows as an error of both sides. */
        if (!error && guests[0]->calls.size == 0 && options->invoke && report->error[0])
            error = rt_error_format(RT_USAGE, "%s", report->error[0]);
    }
    or_engines_report_destroy(report);
    return error;
}

struct rt_error *hx_engines_check(const struct hx_engines *options, const char *path, unsigned time_limit,
                                  struct or_progress *progress, struct hx_result *result) {
    const struct or_engines_options compare = {
        .max_steps = options->max_steps, .max_time = time_limit, .progress = progress};
    struct rt_module *module = NULL;
    struct st_debug *debug = NULL;
    struct hx_guest guests[2] = {0};

#ifdef LOCKSTEP_RR
    if (options->is_replay)
        return hx_replays_check(options, path, time_limit, progress, result);
#endif
    progress->running = 2;
    struct rt_error *error = rt_module_open(path, &module);
    if (!error)
        rt_error_destroy(st_debug_open_wasm(module, &debug)); /* for names alone */
    for (int i = 0; i < 2 && !error; i++) {
        guests[i].debug = debug;
        error = hx_guest_open(module, options->engines[i], options, &guests[i]);
        if (error)
            error = rt_error_context(error, "%s", path);
    }
    if (!error)
        error =
            hx_engines_compare(options, (struct hx_guest *const[]){&guests[0], &guests[1]}, &compare, result);
    for (int i = 0; i < 2; i++)
        hx_guest_close(&guests[i]);
    st_debug_close(debug);
    rt_module_destroy(module);
    return error;
}
