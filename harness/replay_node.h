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

/* The judge of changed traces in Node, found once. */
struct hx_node_judge {
    const char *node, *script; /* in the arena */
};
/* RT_USAGE without a Node that is new enough. */
RT_MUST_USE struct rt_error *hx_node_judge_find(struct rt_arena *arena, struct hx_node_judge *ret);
/* Whether the replays of two traces of a module, files whose blocks are stored, show another thing in Node,
 * by the rule of node/shown.mjs. False when it could not tell, with the reason in `why`. */
RT_MUST_USE struct rt_error *hx_node_judge_ask(const struct hx_node_judge *judge, const char *const traces[2],
                                               const char *module, unsigned time_limit, bool *ret_differs,
                                               char *why, size_t why_size);

#endif
