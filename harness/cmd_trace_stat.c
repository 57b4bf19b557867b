/* `lockstep trace stat`: what a trace is made of, by kind of event and by host function. */
#include "harness/trace.h"

#include <stdlib.h>
#include <string.h>

struct values {
    bool json;
};

static const struct values defaults = {0};

static const struct hx_option options[] = {
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object"},
};

struct share {
    uint64_t events, raw;
    double stored; /* each event's share of its block's compressed bytes */
};

struct statistics {
    struct share all, kinds[256];
    uint64_t blocks;
    /* By number of host function: calls, and all events of a call but those of calls inside of it. */
    struct function {
        uint64_t calls, written;
        struct share share;
    } *functions;
    size_t function_count;
};

static void add_share(struct share *share, const struct rt_trace_event *event, double ratio) {
    share->events++;
    share->raw += event->size;
    share->stored += event->size * ratio;
}

static struct rt_error *add_function(struct statistics *statistics, uint32_t number,
                                     const struct rt_trace_event *event, double ratio) {
    if (number >= statistics->function_count) {
        /* The checker has seen so many host functions' definitions: it is bounded by the trace's size. */
        const size_t count = 2 * (size_t)number + 16;
        struct function *functions = realloc(statistics->functions, count * sizeof *functions);
        if (!functions)
            return rt_error_out_of_memory();
        memset(functions + statistics->function_count, 0,
               (count - statistics->function_count) * sizeof *functions);
        statistics->functions = functions;
        statistics->function_count = count;
    }
    struct function *function = &statistics->functions[number];
    add_share(&function->share, event, ratio);
    function->calls += event->kind == RT_TRACE_IMPORT_CALL;
    if (event->kind == RT_TRACE_MEMORY_WRITE)
        function->written += event->memory_write.bytes.size;
    return NULL;
}

static struct rt_error *count(struct hx_trace *trace, struct statistics *statistics) {
    for (;;) {
        const struct rt_trace_event *event;
        uint32_t before = 0, after = 0;
        const bool was_inside = rt_trace_checker_callee(trace->checker, &before);
        struct rt_error *error = hx_trace_next(trace, &event);
        if (!error && trace->wrong)
            return rt_error_format(RT_MALFORMED, "%s: %s", trace->name, trace->wrong->message);
        if (error || !event)
            return error;
        const struct rt_trace_block_info block = rt_trace_reader_block(trace->reader);
        const double ratio = (double)block.stored / block.raw;
        const bool is_inside = rt_trace_checker_callee(trace->checker, &after);
        statistics->blocks += event->number == block.first;
        add_share(&statistics->all, event, ratio);
        add_share(&statistics->kinds[event->kind], event, ratio);
        /* A call's last event leaves it, its first enters it; one of a guest's call inside belongs to
         * neither. */
        if (event->kind == RT_TRACE_IMPORT_CALL ? is_inside
                                                : was_inside && event->kind != RT_TRACE_GUEST_CALL)
            error =
                add_function(statistics, event->kind == RT_TRACE_IMPORT_CALL ? after : before, event, ratio);
        if (error)
            return error;
    }
}

static const char *kind_name(unsigned kind) {
    const char *name = rt_trace_kind_info((uint8_t)kind)->name;
    return name ? name : "unknown";
}

/* Of a function that has calls. */
static const char *function_name(const struct hx_trace *trace, size_t number) {
    const char *name = "";
    struct rt_func_type type;
    rt_trace_checker_function(trace->checker, (uint32_t)number, &name, &type);
    return name;
}

static void print_row(struct hx_buffer *out, uint64_t events, const struct share *share, const char *name) {
    hx_buffer_print(out, "%12llu %14llu %14.0f  %s", (unsigned long long)events,
                    (unsigned long long)share->raw, share->stored, name);
}

static void print(const struct hx_trace *trace, const struct statistics *statistics, struct hx_buffer *out) {
    hx_buffer_print(out, "%12s %14s %14s  kind\n", "events", "bytes", "compressed");
    for (unsigned kind = 0; kind < 256; kind++) {
        const struct share *share = &statistics->kinds[kind];
        if (share->events) {
            print_row(out, share->events, share, kind_name(kind));
            hx_buffer_text(out, "\n");
        }
    }
    print_row(out, statistics->all.events, &statistics->all, "all");
    hx_buffer_print(out, ", in %llu blocks\n\n%12s %14s %14s  host function\n",
                    (unsigned long long)statistics->blocks, "calls", "bytes", "compressed");
    for (size_t i = 0; i < statistics->function_count; i++) {
        const struct function *function = &statistics->functions[i];
        if (function->calls) {
            print_row(out, function->calls, &function->share, function_name(trace, i));
            hx_buffer_print(out, ", wrote %llu bytes\n", (unsigned long long)function->written);
        }
    }
    hx_trace_print_cut(trace, out);
}

static void put_share(struct hx_json *json, const struct share *share) {
    hx_json_number(json, "bytes", share->raw);
    hx_json_number(json, "compressed", (uint64_t)(share->stored + 0.5));
}

static void put(const struct hx_trace *trace, const struct statistics *statistics, struct hx_buffer *out) {
    struct hx_json json = {.out = out};
    uint64_t behind;

    hx_json_open(&json, NULL, '{');
    hx_json_number(&json, "events", statistics->all.events);
    hx_json_number(&json, "blocks", statistics->blocks);
    put_share(&json, &statistics->all);
    hx_json_bool(&json, "cut", rt_trace_is_cut(trace->reader, &behind));
    hx_json_open(&json, "kinds", '[');
    for (unsigned kind = 0; kind < 256; kind++) {
        const struct share *share = &statistics->kinds[kind];
        if (!share->events)
            continue;
        hx_json_open(&json, NULL, '{');
        hx_json_string(&json, "kind", kind_name(kind));
        hx_json_number(&json, "code", kind);
        hx_json_number(&json, "events", share->events);
        put_share(&json, share);
        hx_json_close(&json, '}');
    }
    hx_json_close(&json, ']');
    hx_json_open(&json, "functions", '[');
    for (size_t i = 0; i < statistics->function_count; i++) {
        const struct function *function = &statistics->functions[i];
        if (!function->calls)
            continue;
        hx_json_open(&json, NULL, '{');
        hx_json_number(&json, "function", i);
        hx_json_string(&json, "name", function_name(trace, i));
        hx_json_number(&json, "calls", function->calls);
        hx_json_number(&json, "written", function->written);
        put_share(&json, &function->share);
        hx_json_close(&json, '}');
    }
    hx_json_close(&json, ']');
    hx_json_close(&json, '}');
    hx_buffer_text(out, "\n");
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct statistics statistics = {0};
    struct hx_buffer out = {0};
    struct hx_trace trace;

    *ret_status = HX_STATUS_CLEAN;
    if (arguments->count != 1)
        return rt_error_format(RT_USAGE, "needs one trace");
    struct rt_error *error = hx_trace_open(arguments->items[0], &trace);
    if (!error)
        error = count(&trace, &statistics);
    if (!error) {
        (values->json ? put : print)(&trace, &statistics, &out);
        error = hx_trace_output(&out);
    }
    hx_buffer_clear(&out);
    free(statistics.functions);
    hx_trace_close(&trace);
    return error;
}

const struct hx_command hx_command_trace_stat = {
    .name = "stat",
    .arguments = "FILE [--json]",
    .summary = "Counts the events and bytes of a trace, by kind and by host function.",
    .details = "A host function's row has what its calls took, arguments and results and what they wrote, "
               "but not the\n"
               "guests' calls inside of them. Blocks are compressed as a whole: an event's compressed bytes "
               "are its\n"
               "share of its block's.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
