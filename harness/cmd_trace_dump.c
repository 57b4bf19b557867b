/* `lockstep trace dump`: the events of a trace, for people or as JSON Lines. */
#include "harness/trace.h"

struct values {
    bool json;
    uint64_t from, count, bytes;
};

static const struct values defaults = {.bytes = 32};

static const struct hx_option options[] = {
    {"--from", "N", HX_OPTION_NUMBER, offsetof(struct values, from), "begin with event N (0)"},
    {"--count", "N", HX_OPTION_NUMBER, offsetof(struct values, count),
     "show at most N events, 0 for all (0)"},
    {"--bytes", "N", HX_OPTION_NUMBER, offsetof(struct values, bytes),
     "show at most N bytes of what was written to memory (32)"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object an event"},
};

/* Header: what a person wants to know first. */
static void print_header(const struct hx_trace *trace, struct hx_buffer *out) {
    const struct rt_trace_header *header = rt_trace_reader_header(trace->reader);

    hx_buffer_print(out, "trace version %u.%u, written by ", header->major, header->minor);
    hx_trace_print_name(header->engine ? header->engine : "an engine without a name", out);
    hx_buffer_text(out, "\n");
    for (size_t i = 0; i < header->setting_count; i++) {
        hx_buffer_text(out, "setting ");
        hx_trace_print_name(header->settings[i].key, out);
        hx_buffer_text(out, ": ");
        hx_trace_print_name(header->settings[i].value, out);
        hx_buffer_text(out, "\n");
    }
    for (size_t i = 0; i < header->module_count; i++) {
        const struct rt_trace_module *module = &header->modules[i];
        hx_buffer_print(out, "module %zu: ", i);
        hx_trace_print_name(module->label, out);
        hx_buffer_print(out, ", %llu bytes, %zu imports, SHA-256 ", (unsigned long long)module->size,
                        module->import_count);
        for (size_t k = 0; k < sizeof module->hash; k++)
            hx_buffer_print(out, "%02x", module->hash[k]);
        hx_buffer_text(out, "\n");
    }
    if (header->command_count)
        hx_buffer_text(out, "command:");
    for (size_t i = 0; i < header->command_count; i++) {
        hx_buffer_text(out, " ");
        hx_trace_print_name(header->command[i], out);
    }
    hx_buffer_text(out, header->command_count ? "\n" : "");
}

/* The last object of a trace that was cut short; nothing for another. */
static void put_cut(const struct hx_trace *trace, struct hx_buffer *out) {
    const struct rt_trace_block_info block = rt_trace_reader_block(trace->reader);
    struct hx_json json = {.out = out};
    uint64_t behind;

    if (!rt_trace_is_cut(trace->reader, &behind))
        return;
    hx_json_open(&json, NULL, '{');
    hx_json_bool(&json, "cut", true);
    hx_json_number(&json, "events", block.first + block.count);
    hx_json_number(&json, "behind", behind);
    hx_json_close(&json, '}');
    hx_buffer_text(out, "\n");
}

static struct rt_error *dump(struct hx_trace *trace, const struct values *values) {
    struct hx_buffer out = {0};
    const struct rt_trace_event *event = NULL;
    struct rt_error *error = hx_trace_seek(trace, values->from);

    if (!error && !values->json && values->from == 0)
        print_header(trace, &out);
    for (uint64_t i = 0; !error && (!values->count || i < values->count); i++) {
        error = hx_trace_next(trace, &event);
        if (error || !event)
            break;
        if (values->json) {
            struct hx_json json = {.out = &out};
            hx_trace_json(trace, event, values->bytes, &json, NULL);
        } else {
            hx_trace_print(trace, event, values->bytes, &out);
        }
        hx_buffer_text(&out, "\n");
        error = hx_trace_output(&out);
    }
    if (!error && !event && values->json)
        put_cut(trace, &out);
    else if (!error && !event)
        hx_trace_print_cut(trace, &out);
    struct rt_error *later = hx_trace_output(&out);
    hx_buffer_clear(&out);
    if (!error)
        return later;
    rt_error_destroy(later);
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    struct hx_trace trace;

    *ret_status = HX_STATUS_CLEAN;
    if (arguments->count != 1)
        return rt_error_format(RT_USAGE, "needs one trace");
    struct rt_error *error = hx_trace_open(arguments->items[0], &trace);
    if (!error)
        error = dump(&trace, all);
    hx_trace_close(&trace);
    return error;
}

const struct hx_command hx_command_trace_dump = {
    .name = "dump",
    .arguments = "FILE [--from N] [--count N] [--bytes N] [--json]",
    .summary = "Prints the events of a trace.",
    .details =
        "One line an event: its number, its kind, and its fields; what happens inside a call is indented. "
        "Functions\n"
        "have the names of the imports that they were made for. In JSON, integers are unsigned, floats are\n"
        "given by their bits, all values but null are strings, and of written bytes there are `size` and, "
        "in\n"
        "hexadecimal, as many as --bytes allows. The last object of a trace that was cut short tells how "
        "many\n"
        "whole `events` it has, and how many bytes are `behind` them: {\"cut\":true,...}.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
