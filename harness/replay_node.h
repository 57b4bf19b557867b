/* Replaying a trace in Node, by the second implementation of the trace's format in harness/node/. */
#ifndef LOCKSTEP_HARNESS_REPLAY_NODE_H
#define LOCKSTEP_HARNESS_REPLAY_NODE_H

#include "runtime/trace/trace.h"

struct hx_replay_node {
    const char *trace;  /* its file, for messages and for what is behind its last whole block */
    const char *module; /* its module's file */
    const char *node;   /* a path, or a name that PATH finds; NULL: $NODE, else "node" */
};

/* Replays what the reader has, which is at its start. Node gets it through a pipe, with its blocks stored:
 * Node has zstd only in later versions. It prints what the guest printed, and its own complaints; *ret_status
 * is its exit status, as `lockstep replay` has it. RT_USAGE without a Node that is new enough; an error of
 * the reader, RT_MALFORMED, ends Node. */
RT_MUST_USE struct rt_error *hx_replay_in_node(const struct hx_replay_node *replay,
                                               struct rt_trace_reader *reader, int *ret_status);

#endif
