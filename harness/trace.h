/* What the `lockstep trace` commands share: opening a trace, what its events say of names, and events as text
 * and as JSON. */
#ifndef LOCKSTEP_HARNESS_TRACE_H
#define LOCKSTEP_HARNESS_TRACE_H

#include "harness/harness.h"
#include "harness/json.h"

#include "runtime/trace/trace.h"

extern const struct hx_command hx_command_trace_dump;
extern const struct hx_command hx_command_trace_verify;
extern const struct hx_command hx_command_trace_stat;
extern const struct hx_command hx_command_trace_diff;
extern const struct hx_command hx_command_trace_export;

/* A trace that is looked into. */
struct hx_trace {
    const char *name; /* for messages */
    struct rt_trace_reader *reader;
    /* Knows host functions' names. Once events were passed over, numbers that new events define are not known
     * any more, and those from before are all that is. */
    struct rt_trace_checker *checker;
    bool has_gap;
    struct rt_error *wrong; /* the first thing that the checker said */
};

/* `path` "-" is standard input. Errors name the path. */
RT_MUST_USE struct rt_error *hx_trace_open(const char *path, struct hx_trace *ret);
void hx_trace_close(struct hx_trace *trace);
/* The next event, or NULL at the end. Inconsistent events are handed out too; `wrong` tells. */
RT_MUST_USE struct rt_error *hx_trace_next(struct hx_trace *trace, const struct rt_trace_event **ret);
/* Goes to an event. Reads the trace's beginning first, up to the first call of a guest, for the names. */
RT_MUST_USE struct rt_error *hx_trace_seek(struct hx_trace *trace, uint64_t number);

/* The file of a trace's one module: `wasm` when it is given, else the one that the trace names. */
RT_MUST_USE struct rt_error *hx_trace_module(const struct rt_trace_header *header, const char *wasm,
                                             const char **ret);

/* Appends an event as a line, without the line's end: number, depth as indentation, kind and fields. At most
 * `byte_limit` bytes of memory are shown. */
void hx_trace_print(const struct hx_trace *trace, const struct rt_trace_event *event, uint64_t byte_limit,
                    struct hx_buffer *out);
/* As a JSON object. */
void hx_trace_json(const struct hx_trace *trace, const struct rt_trace_event *event, uint64_t byte_limit,
                   struct hx_json *json, const char *key);
/* A name or other text of a trace, with control characters escaped. */
void hx_trace_print_name(const char *name, struct hx_buffer *out);
/* A sentence about a trace that was cut short, at its end; nothing for another. */
void hx_trace_print_cut(const struct hx_trace *trace, struct hx_buffer *out);

/* Writes the buffer to standard output and empties it. */
RT_MUST_USE struct rt_error *hx_trace_output(struct hx_buffer *buffer);

#endif
