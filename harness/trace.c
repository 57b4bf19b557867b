/* Opening a trace, reading it in order or from an event on, and keeping what its events define. */
#include "harness/trace.h"

#include <string.h>
#include <unistd.h>

struct rt_error *hx_trace_open(const char *path, struct hx_trace *ret) {
    struct rt_trace_source source;
    struct rt_error *error;

    *ret = (struct hx_trace){.name = strcmp(path, "-") == 0 ? "standard input" : path};
    if (strcmp(path, "-") == 0)
        error = rt_trace_source_fd(STDIN_FILENO, ret->name, &source);
    else
        error = rt_trace_source_file(path, &source);
    if (error)
        return error;
    error = rt_trace_reader_create(source, &ret->reader);
    if (!error)
        error = rt_trace_checker_create(rt_trace_reader_header(ret->reader), &ret->checker);
    return error ? rt_error_context(error, "%s", ret->name) : NULL;
}

void hx_trace_close(struct hx_trace *trace) {
    rt_trace_checker_destroy(trace->checker);
    rt_trace_reader_destroy(trace->reader);
    rt_error_destroy(trace->wrong);
    *trace = (struct hx_trace){0};
}

struct rt_error *hx_trace_next(struct hx_trace *trace, const struct rt_trace_event **ret) {
    struct rt_error *error = rt_trace_reader_next(trace->reader, ret);

    if (error)
        return rt_error_context(error, "%s", trace->name);
    if (*ret && !trace->has_gap && !trace->wrong)
        trace->wrong = rt_trace_checker_add(trace->checker, *ret);
    return NULL;
}

struct rt_error *hx_trace_seek(struct hx_trace *trace, uint64_t number) {
    const struct rt_trace_event *event;
    struct rt_error *error;
    uint64_t at = 0;

    while (at < number) {
        error = hx_trace_next(trace, &event);
        if (error || !event)
            return error;
        at++;
        if (event->kind == RT_TRACE_GUEST_CALL)
            break;
    }
    if (at == number)
        return NULL;
    trace->has_gap = true;
    error = rt_trace_reader_seek(trace->reader, number);
    return error ? rt_error_context(error, "%s", trace->name) : NULL;
}

struct rt_error *hx_trace_module(const struct rt_trace_header *header, const char *wasm, const char **ret) {
    if (header->module_count != 1)
        return rt_error_format(RT_UNSUPPORTED, "it has %zu modules; the command replays traces of one",
                               header->module_count);
    *ret = wasm ? wasm : header->modules[0].label;
    if (!**ret)
        return rt_error_format(RT_USAGE, "it does not say where its module is: name it with --wasm");
    if (wasm || access(*ret, R_OK) == 0)
        return NULL;
    return rt_error_format(RT_USAGE, "its module %s is not there: name it with --wasm", *ret);
}

void hx_trace_print_cut(const struct hx_trace *trace, struct hx_buffer *out) {
    const struct rt_trace_block_info block = rt_trace_reader_block(trace->reader);
    uint64_t behind;

    if (rt_trace_is_cut(trace->reader, &behind))
        hx_buffer_print(out, "%s: cut short after %llu events: %llu bytes are behind the last whole block\n",
                        trace->name, (unsigned long long)(block.first + block.count),
                        (unsigned long long)behind);
}

struct rt_error *hx_trace_output(struct hx_buffer *buffer) {
    const bool failed = buffer->failed;
    const size_t size = buffer->size;

    if (!failed && fwrite(hx_buffer_string(buffer), 1, size, stdout) != size)
        return rt_error_format(RT_OS, "cannot write to standard output");
    buffer->size = 0;
    return failed ? rt_error_out_of_memory() : NULL;
}
