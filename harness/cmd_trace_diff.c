/* `lockstep trace diff`: the first difference of two traces. */
#include "harness/trace.h"

#include <string.h>

struct values {
    bool json;
    uint64_t bytes, context;
};

static const struct values defaults = {.bytes = 32, .context = 3};

static const struct hx_option options[] = {
    {"--context", "N", HX_OPTION_NUMBER, offsetof(struct values, context),
     "show N events before and behind the difference (3)"},
    {"--bytes", "N", HX_OPTION_NUMBER, offsetof(struct values, bytes),
     "show at most N bytes of what was written to memory (32)"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object"},
};

enum { SIDES = 2, MAX_CONTEXT = 100 };

struct diff {
    struct hx_trace traces[SIDES];
    const struct rt_trace_event *events[SIDES]; /* the first that differ; NULL: that side is at its end */
    uint64_t same;                              /* events before them */
    struct hx_buffer header;                    /* what differs in the headers, in words */
    bool differs;
    uint64_t counts[SIDES];               /* all events, once they were counted */
    struct hx_buffer before[MAX_CONTEXT]; /* lines, by event number modulo --context */
};

/* Settings that one side has and the other has not, or not so. A stack's size is an engine's affair. */
static void compare_settings(struct diff *diff, size_t side) {
    const struct rt_trace_header *header = rt_trace_reader_header(diff->traces[side].reader);
    const struct rt_trace_header *other = rt_trace_reader_header(diff->traces[!side].reader);

    for (size_t i = 0; i < header->setting_count; i++) {
        const struct rt_trace_setting *setting = &header->settings[i];
        const char *value = rt_trace_setting(other, setting->key);
        if (strcmp(setting->key, "stack") == 0)
            continue;
        if (value && (side > 0 || strcmp(value, setting->value) == 0)) /* each pair once */
            continue;
        hx_buffer_text(&diff->header, "setting ");
        hx_trace_print_name(setting->key, &diff->header);
        hx_buffer_text(&diff->header, ": ");
        hx_trace_print_name(setting->value, &diff->header);
        hx_buffer_print(&diff->header, " in %s, ", diff->traces[side].name);
        hx_trace_print_name(value ? value : "none", &diff->header);
        hx_buffer_print(&diff->header, " in %s\n", diff->traces[!side].name);
    }
}

/* What a replay rests on; the engine's name, its stack's size and the command may differ. */
static void compare_headers(struct diff *diff) {
    const struct rt_trace_header *a = rt_trace_reader_header(diff->traces[0].reader);
    const struct rt_trace_header *b = rt_trace_reader_header(diff->traces[1].reader);

    for (size_t side = 0; side < SIDES; side++)
        compare_settings(diff, side);
    if (a->module_count != b->module_count)
        hx_buffer_print(&diff->header, "%zu modules, and %zu\n", a->module_count, b->module_count);
    for (size_t i = 0; i < a->module_count && i < b->module_count; i++)
        if (memcmp(a->modules[i].hash, b->modules[i].hash, sizeof a->modules[i].hash) != 0)
            hx_buffer_print(&diff->header, "module %zu is another one\n", i);
}

static struct rt_error *next_on_both(struct diff *diff) {
    struct rt_error *error = NULL;
    for (size_t side = 0; side < SIDES && !error; side++)
        error = hx_trace_next(&diff->traces[side], &diff->events[side]);
    return error;
}

/* Goes to the first difference, and keeps the lines of the last events before it in a ring. */
static struct rt_error *find(struct diff *diff, const struct values *values) {
    for (diff->same = 0;; diff->same++) {
        struct rt_error *error = next_on_both(diff);
        if (error)
            return error;
        const struct rt_trace_event *a = diff->events[0], *b = diff->events[1];
        diff->differs = !a != !b || (a && !rt_trace_event_equal(a, b));
        if (diff->differs || !a)
            return NULL;
        if (values->json || !values->context)
            continue;
        struct hx_buffer *line = &diff->before[diff->same % values->context];
        line->size = 0;
        hx_trace_print(&diff->traces[0], a, values->bytes, line);
    }
}

/* The side's event at the difference and up to `context` behind it, then on to its end. */
static struct rt_error *print_side(struct diff *diff, size_t side, const struct values *values,
                                   struct hx_buffer *out) {
    const struct rt_trace_event *event = diff->events[side];
    struct hx_trace *trace = &diff->traces[side];
    struct rt_error *error = NULL;

    diff->counts[side] = diff->same;
    hx_buffer_print(out, "%s:\n%s", trace->name, event ? "" : "     end of the trace\n");
    while (event && !error) {
        if (diff->counts[side] - diff->same <= values->context) {
            hx_trace_print(trace, event, values->bytes, out);
            hx_buffer_text(out, "\n");
        }
        diff->counts[side]++;
        error = hx_trace_next(trace, &event);
    }
    return error;
}

static struct rt_error *print(struct diff *diff, const struct values *values, struct hx_buffer *out) {
    struct rt_error *error = NULL;

    hx_buffer_append(out, diff->header.bytes, diff->header.size);
    if (!diff->differs && !diff->header.size)
        hx_buffer_print(out, "%llu events, all the same\n", (unsigned long long)diff->same);
    if (diff->differs) {
        const uint64_t shown = diff->same < values->context ? diff->same : values->context;
        hx_buffer_print(out, "the first %llu events are the same%s\n", (unsigned long long)diff->same,
                        shown ? "; the last of them:" : "");
        for (uint64_t i = diff->same - shown; i < diff->same; i++)
            hx_buffer_print(out, "%s\n", hx_buffer_string(&diff->before[i % values->context]));
        for (size_t side = 0; side < SIDES && !error; side++)
            error = print_side(diff, side, values, out);
        for (size_t side = 0; side < SIDES && !error; side++)
            hx_buffer_print(out, "%s has %llu events\n", diff->traces[side].name,
                            (unsigned long long)diff->counts[side]);
    }
    for (size_t side = 0; side < SIDES; side++)
        hx_trace_print_cut(&diff->traces[side], out);
    return error;
}

static struct rt_error *put(struct diff *diff, const struct values *values, struct hx_buffer *out) {
    static const char *const keys[SIDES] = {"a", "b"};
    struct hx_json json = {.out = out};

    hx_json_open(&json, NULL, '{');
    hx_json_bool(&json, "same", !diff->differs && !diff->header.size);
    hx_json_number(&json, "events", diff->same);
    hx_json_string(&json, "header", diff->header.size ? hx_buffer_string(&diff->header) : NULL);
    for (size_t side = 0; side < SIDES; side++) {
        if (diff->differs && diff->events[side])
            hx_trace_json(&diff->traces[side], diff->events[side], values->bytes, &json, keys[side]);
        else
            hx_json_string(&json, keys[side], NULL);
    }
    hx_json_close(&json, '}');
    hx_buffer_text(out, "\n");
    return NULL;
}

static void clear(struct diff *diff) {
    for (size_t i = 0; i < MAX_CONTEXT; i++)
        hx_buffer_clear(&diff->before[i]);
    for (size_t side = 0; side < SIDES; side++)
        hx_trace_close(&diff->traces[side]);
    hx_buffer_clear(&diff->header);
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct diff diff = {0};
    struct hx_buffer out = {0};
    struct rt_error *error = NULL;

    if (arguments->count != SIDES)
        return rt_error_format(RT_USAGE, "needs two traces");
    if (strcmp(arguments->items[0], "-") == 0 && strcmp(arguments->items[1], "-") == 0)
        return rt_error_format(RT_USAGE, "only one of the traces can be standard input");
    if (values->context > MAX_CONTEXT)
        return rt_error_format(RT_USAGE, "--context: at most %d", MAX_CONTEXT);
    for (size_t side = 0; side < SIDES && !error; side++)
        error = hx_trace_open(arguments->items[side], &diff.traces[side]);
    if (!error) {
        compare_headers(&diff);
        error = find(&diff, values);
    }
    if (!error)
        error = (values->json ? put : print)(&diff, values, &out);
    if (!error)
        error = hx_trace_output(&out);
    *ret_status = diff.differs || diff.header.size ? HX_STATUS_FOUND : HX_STATUS_CLEAN;
    hx_buffer_clear(&out);
    clear(&diff);
    return error;
}

const struct hx_command hx_command_trace_diff = {
    .name = "diff",
    .arguments = "FILE FILE [--context N] [--bytes N] [--json]",
    .summary = "Shows the first difference of two traces.",
    .details = "Compares settings, modules' hashes, then event by event; exit status 1 when there is a "
               "difference. The\n"
               "engines' names, the commands and how events lie in blocks do not matter. In JSON, `events` "
               "is how many\n"
               "events are the same, and `a` and `b` are the first two that differ, null at a trace's end.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
