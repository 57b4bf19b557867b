/* What the comparison of two engines shares between its files (private to oracle/).
 *
 * engines.c is the loop; engines_state.c compares what one stop shows; engines_report.c puts a difference
 * into words, engines_name.c says which variable and line it concerns. */
#ifndef LOCKSTEP_ORACLE_ENGINES_H
#define LOCKSTEP_ORACLE_ENGINES_H

#include "oracle/words.h"

enum {
    OR_RECENT = 8,      /* instructions before a difference that the finding names */
    OR_MANY_VALUES = 64 /* frames with more locals, or operands, are compared in part at most stops */
};

struct or_engine_site {
    struct rt_instruction instruction;
    uint32_t pc, function;
    uint32_t local_count; /* of the function */
    bool is_entry;        /* the function's first instruction */
};

/* A function of one side, for references: they differ as pointers and agree as indices. */
struct or_engine_func {
    const struct rt_func *func;
    uint32_t index;
};

struct or_engine_side {
    const char *name;
    struct st_session *session;
    struct rt_instance *instance;
    struct or_engine_func *funcs; /* ascending by address */
    struct st_event event;
    const struct st_frame *frame; /* innermost, at a step */
    union rt_value *locals, *operands;
    enum rt_type *types; /* of the operands */
    uint32_t operand_count;
};

struct or_engine_frame {
    uintptr_t frame[2];
    uint32_t function;
};

/* What the instruction that is about to run may change in memory or a table: [start, start + count). */
struct or_engine_range {
    uint64_t start, count;
};

struct or_engines_full_report {
    struct or_engines_report public;
    struct rt_arena arena;
};

struct or_engines {
    struct or_engine_side sides[2];
    struct or_engines_options options;
    const struct rt_module *module;
    struct or_engine_site *sites; /* by probe cookie */
    uint32_t site_count;
    uint32_t room; /* of the sides' arrays of values */

    struct or_engine_frame *frames; /* live, outermost first */
    size_t depth, capacity;

    const struct or_engine_site *last; /* the instruction executed last; NULL at the start */
    struct or_engine_range range;      /* its memory or table */
    uint64_t next_sweep;               /* the step of the next whole comparison */
    uint32_t recent[OR_RECENT];        /* site indices, a ring by step */

    struct or_engines_full_report *report;
    struct rt_error *error;
};

/* engines_state.c: each is false when there is a difference, or an error in `engines->error`. */

/* The stop at a site: stack, operands, locals, and what the last instruction changed. */
bool or_engines_step(struct or_engines *engines, uint32_t site);
/* What the last instruction changed, where the guest is not at a site. */
bool or_engines_effects(struct or_engines *engines);
/* All memory, globals and tables. */
bool or_engines_sweep(struct or_engines *engines);
struct rt_error *or_engines_list_functions(struct or_engine_side *side, const struct rt_module *module,
                                           struct rt_arena *arena);

/* engines_report.c */

/* Makes the finding; always false. `variable` and the values may be NULL. */
bool or_engines_differ(struct or_engines *engines, enum or_engine_kind kind, const char *variable,
                       const char *const values[2]);
/* A value in words, in the report's arena. */
const char *or_engines_print(struct or_engines *engines, int side, enum rt_type type, union rt_value value);
/* What a reference denotes: 0 null, a function's index + 1, else, with the highest bit set, what the host
 * calls it. */
uint64_t or_engines_reference(const struct or_engines *engines, int side, enum rt_type type, void *ref);

/* engines_name.c: names for places, by the debug information that there is; in the report's arena. */

/* "memory at 0x68: g_5[2].f1" */
const char *or_engines_name_address(struct or_engines *engines, uint64_t address);
/* Of the innermost frame: "local 3: count" */
const char *or_engines_name_local(struct or_engines *engines, uint32_t index);
/* Sets file, line and column. */
void or_engines_name_line(struct or_engines *engines, uint32_t pc, struct or_finding *finding);

#endif
