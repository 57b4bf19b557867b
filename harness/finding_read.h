/* Findings read back: from the JSON that `fuzz` and `check` print of a program, and from the folder that a
 * finding is kept in. What is read may have been written by anybody, so whatever is missing is NULL or 0. */
#ifndef LOCKSTEP_HARNESS_FINDING_READ_H
#define LOCKSTEP_HARNESS_FINDING_READ_H

#include "harness/result.h"

/* A finding as its JSON tells it. Without the whole of it (see hx_finding_json) its witnesses have no places,
 * stacks and stops. */
struct hx_told {
    const char *kind, *signature; /* never NULL */
    const char *function, *file, *variable, *detail;
    const char *known;                /* a known defect's name */
    const char *gone_with;            /* both compilers' words that make it go away */
    const char *blame, *blame_reason; /* the witness that is wrong, or "undecided", and why */
    uint32_t line, column, depth;
    uint64_t stop;
    const struct or_testimony *witnesses; /* their names are never NULL */
    size_t witness_count;
};

/* What came of one program. */
struct hx_outcome {
    bool has_seed;
    uint64_t seed;
    const char *file;
    const char *verdict; /* never NULL */
    const char *reason;
    double seconds; /* of all stages */
    const struct hx_told *findings;
    size_t finding_count;
};

/* A finding's folder. */
struct hx_kept {
    const char *folder;   /* absolute */
    const char *reduced;  /* the folder of the same finding in a smaller program, or NULL */
    const char *lockstep; /* versions, as --version prints them */
    const char *native, *wasm;
    const char *native_cc, *wasm_cc; /* the compilers' names */
    const char *opt, *engine;
    /* Objects and an array of strings: versions by tool, files by witness, a shell's commands. Or NULL. */
    const struct hx_json_value *tools, *artifacts, *commands;
    const char *engines; /* of a comparison of engines */
    const char *file;    /* what the program's source was called, else NULL: it is HX_SOURCE in the folder */
    bool has_seed;
    uint64_t seed;
    struct hx_told told;
    const struct hx_told *also; /* other findings of the program */
    size_t also_count;
};

/* All of it in the arena. RT_MALFORMED when it is no finding: "kind", "signature" and "witnesses" must be
 * there. */
RT_MUST_USE struct rt_error *hx_told_read(const struct hx_json_value *json, struct rt_arena *arena,
                                          struct hx_told *ret);
/* The object that hx_result_json prints. */
RT_MUST_USE struct rt_error *hx_outcome_read(const struct hx_json_value *json, struct rt_arena *arena,
                                             struct hx_outcome *ret);
/* What `lockstep reduce` calls the folder that it makes in a finding's. */
#define HX_REDUCED "reduced"

/* `path` is a folder that hx_finding_write made, or the finding.json in one. RT_USAGE when there is none,
 * RT_MALFORMED names the file. */
RT_MUST_USE struct rt_error *hx_kept_read(const char *path, struct rt_arena *arena, struct hx_kept *ret);
/* The name that a file of the program's has in the folder; `file` is what the line table calls it. */
const char *hx_kept_source(const struct hx_kept *kept, const char *file);

#endif
