/* What checking one program gave: made by a worker, sent to its parent, printed as JSON or for people. */
#ifndef LOCKSTEP_HARNESS_RESULT_H
#define LOCKSTEP_HARNESS_RESULT_H

#include "harness/json.h"
#include "oracle/oracle.h"

enum hx_verdict {
#define HX_VERDICT(name, word) HX_##name,
#include "harness/verdicts.def"
#undef HX_VERDICT
    HX_VERDICT_COUNT,
};
const char *hx_verdict_name(enum hx_verdict verdict);

enum hx_stage { HX_GENERATE, HX_COMPILE, HX_STEP, HX_STAGE_COUNT };
const char *hx_stage_name(enum hx_stage stage);

struct hx_finding {
    const char *kind;  /* the oracle's word, or "output", "crash", "timeout" */
    const char *known; /* name of the known defect that it matches, else NULL */
    const char
        *gone_with; /* not shown when both compilers get these words, too; NULL: nobody tried, or it is */
    bool is_new;    /* the campaign has not seen its signature before */
    struct or_finding body; /* `kind` in it is of use with the oracle's words alone */
};

/* One build compared with itself; the counts are or_self_report's. */
struct hx_self {
    bool is_run, is_limited;
#define HX_SELF_COUNT(name) uint64_t name;
#include "harness/self_counts.def"
#undef HX_SELF_COUNT
    double seconds;
};

/* Of more than two witnesses: one comparison of two. */
struct hx_pair_result {
    const char *names[2];
    enum hx_verdict verdict;
    const char *reason; /* as in hx_result */
    uint64_t findings, stops, values, unchanged, readable[2], same;
};

struct hx_result {
    bool has_seed;
    uint64_t seed;
    const char *file; /* of a program that has no seed */
    enum hx_verdict verdict;
    const char *reason; /* why it was skipped, crashed or not done in time; else NULL */
    uint64_t stops, values, unchanged, repeats;
    const char *engines;    /* of a comparison of engines: "compiled,interp"; else NULL */
    uint64_t steps;         /* then: instructions that both sides executed */
    bool is_limited;        /* and whether a limit ended it */
    uint64_t events;        /* of --replay: events of a recording that its replays were compared with */
    struct hx_self self[2]; /* of --self: native, Wasm */
    double seconds[HX_STAGE_COUNT];
    double compare_seconds; /* the part of HX_STEP after loading */
    uint64_t source_size;   /* bytes of the C program, or of the module without one; 0 when there is none */
    uint64_t worker_kib;    /* the worker's largest resident set; 0 when it did not tell */
    struct hx_finding *findings;
    size_t finding_count;
    uint64_t findings_left_out;
    uint64_t readable[2], same; /* see or_report */
    bool is_complete;           /* both were stepped to their end */
    struct or_place *places;    /* where the comparison came; not of more than two witnesses */
    size_t place_count;
    struct hx_pair_result *pairs; /* of more than two witnesses: the numbers above are the first one's */
    size_t pair_count;
    struct rt_arena arena; /* holds all of the above */
};

void hx_result_init(struct hx_result *result);
void hx_result_clear(struct hx_result *result);

/* Adds a finding whose strings are copied; NULL when memory is at its end. */
struct hx_finding *hx_result_add(struct hx_result *result, const char *kind, const struct or_finding *body);
/* Copies them; false when memory is at its end. */
bool hx_result_set_places(struct hx_result *result, const struct or_place *places, size_t count);

/* Between a worker and its parent. Reading trusts nothing: a worker may have been hit by its debuggee. */
void hx_result_write(const struct hx_result *result, struct hx_buffer *out);
RT_MUST_USE struct rt_error *hx_result_read(const void *bytes, size_t size, struct hx_result *ret);

/* One object on one line, without a newline. Beside DESIGN's fields: "reason" when there is one, "file" for a
 * program without a seed, "known" in a finding that is known, and "new" in one whose signature is seen for
 * the first time. */
void hx_result_json(const struct hx_result *result, struct hx_buffer *out);
/* A finding alone, with its DWARF and reasons; `is_whole`: with places, call stacks and the stops around it.
 */
void hx_finding_json(const struct hx_finding *finding, bool is_whole, const char *key, struct hx_json *json);

#endif
