/* What `lockstep reduce` is asked for: a finding's folder or a C file, with the settings of the command line,
 * and for those that it has not, the finding's own. */
#ifndef LOCKSTEP_HARNESS_REDUCE_TASK_H
#define LOCKSTEP_HARNESS_REDUCE_TASK_H

#include "harness/options.h"
#include "runtime/runtime.h"

/* The command's options; NULL, 0, and UINT64_MAX of what 0 has a meaning for are not given. */
struct hx_reduce_values {
    const char *signature, *cc, *native_cc, *opt, *wasm_opt, *engine, *out, *known, *test;
    uint64_t time, jobs, lines, stops, visits, steps, time_limit;
    bool json;
};

struct hx_reduce_task {
    struct hx_reduce_values values; /* the finding's where the command line has none */
    bool is_self;                   /* the finding is of --self, by its signature */
    const char *c_file, *out;       /* absolute; the folder that gets the result */
    bool has_states;                /* of the witnesses, by the finding's document */
    const char *states[2];
    const char *known;
};

static inline const char *hx_word_or(const char *given, const char *other) {
    return given ? given : other;
}

/* Texts live in the arena. RT_USAGE for a finding that is of a kind that cannot be made smaller, or that does
 * not say how it was found; RT_MALFORMED for what is no finding. */
RT_MUST_USE struct rt_error *hx_reduce_task_read(const struct hx_arguments *arguments,
                                                 const struct hx_reduce_values *values,
                                                 struct rt_arena *arena, struct hx_reduce_task *ret);
/* True for a finding about a build that was compared with itself. */
bool hx_signature_is_self(const char *signature);

#endif
