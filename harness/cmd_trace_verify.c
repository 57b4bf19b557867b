/* `lockstep trace verify`: whether a trace is whole and consistent. */
#include "harness/trace.h"

struct values {
    bool quiet;
};

static const struct values defaults = {0};

static const struct hx_option options[] = {
    {"--quiet", NULL, HX_OPTION_FLAG, offsetof(struct values, quiet), "print nothing about a good trace"},
};

/* Whether the error is about the trace rather than about reading it. */
static bool is_about_trace(const struct rt_error *error) {
    return error->code == RT_MALFORMED || error->code == RT_UNSUPPORTED;
}

static struct rt_error *read_all(struct hx_trace *trace, struct hx_buffer *out) {
    const struct rt_trace_event *event;
    struct rt_trace_block_info block = {0};
    uint64_t events = 0, blocks = 0, raw = 0, stored = 0, behind;
    bool has_end = false;

    for (;; events++) {
        struct rt_error *error = hx_trace_next(trace, &event);
        if (error || trace->wrong || !event) {
            if (error)
                return error;
            break;
        }
        block = rt_trace_reader_block(trace->reader);
        if (event->number == block.first) {
            blocks++;
            raw += block.raw;
            stored += block.stored;
        }
        has_end = event->kind == RT_TRACE_END;
    }
    if (!trace->wrong && !rt_trace_is_cut(trace->reader, &behind))
        hx_buffer_print(out, "%s: %llu events in %llu blocks, %llu bytes, %llu compressed%s\n", trace->name,
                        (unsigned long long)events, (unsigned long long)blocks, (unsigned long long)raw,
                        (unsigned long long)stored,
                        has_end ? "" : "; there is no `end`: the recording was stopped before");
    return NULL;
}

static struct rt_error *verify(struct hx_trace *trace, const char *path, bool quiet, int *ret_status) {
    struct hx_buffer out = {0};
    uint64_t behind;
    struct rt_error *error = hx_trace_open(path, trace);

    if (!error)
        error = read_all(trace, &out);
    if (error && is_about_trace(error)) {
        hx_buffer_print(&out, "%s\n", error->message);
        rt_error_destroy(error);
        error = NULL;
        *ret_status = HX_STATUS_FOUND;
    } else if (!error && trace->wrong) {
        hx_buffer_print(&out, "%s: %s\n", trace->name, trace->wrong->message);
        *ret_status = HX_STATUS_FOUND;
    } else if (!error && rt_trace_is_cut(trace->reader, &behind)) {
        hx_trace_print_cut(trace, &out);
        *ret_status = HX_STATUS_FOUND;
    }
    if (quiet && *ret_status == HX_STATUS_CLEAN)
        out.size = 0;
    if (!error)
        error = hx_trace_output(&out);
    hx_buffer_clear(&out);
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct rt_error *error = NULL;

    if (arguments->count == 0)
        return rt_error_format(RT_USAGE, "needs a trace");
    for (size_t i = 0; i < arguments->count && !error; i++) {
        struct hx_trace trace;
        int status = HX_STATUS_CLEAN;
        error = verify(&trace, arguments->items[i], values->quiet, &status);
        hx_trace_close(&trace);
        *ret_status = status > *ret_status ? status : *ret_status;
    }
    return error;
}

const struct hx_command hx_command_trace_verify = {
    .name = "verify",
    .arguments = "FILE... [--quiet]",
    .summary = "Checks that traces are whole and consistent.",
    .details = "Checks framing, checksums, the index, the order of events, and that numbers, types and links "
               "fit the\n"
               "modules' imports and the events before. Exit status 1 when something is wrong, with a line "
               "that names\n"
               "the byte or event; a trace that was cut short is wrong too.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
