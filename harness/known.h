/* The list of known defects: real, looked into, and not ours. It never hides a signature that it does not
 * name. */
#ifndef LOCKSTEP_HARNESS_KNOWN_H
#define LOCKSTEP_HARNESS_KNOWN_H

#include "harness/result.h"
#include "harness/tools.h"

#include <regex.h>

/* Patterns are lists of strings, each ended by a zero, the last by two; '*' in them stands for anything. */
/* "shown_by": seeds of Csmith's programs that show a defect. */
struct hx_known_seeds {
    const char *compiler, *optimisation; /* a pattern, for both sides; "-O0" */
    const uint64_t *seeds;
    size_t count;
    const struct hx_known_seeds *next;
};

struct hx_known_defect {
    const char *name;       /* of its file, without ".json" */
    const char *reason;     /* one line: what is wrong, and in which tool */
    const char *reproducer; /* path of a C file that shows it */
    const char *options;    /* that `lockstep check` needs for it: strings, as in patterns; or NULL */
    const char *signatures; /* patterns */
    const char *compilers;  /* patterns */
    const char *opt;        /* the only level of optimisation that shows it, "-O1"; NULL: any */
    /* What must be so, too; NULL: nothing is asked. */
    const char *lacking;  /* the name of the only witness that cannot show what the finding is about */
    regex_t *line;        /* matches in the source line of the finding */
    regex_t *line_before; /* matches in the line before that one */
    regex_t *before_column, *from_column; /* match in the two parts of the source line */
    const char *gone_with;                /* it is not shown when both compilers get these words, too */
    const char *source; /* matches in the file's text, when VARIABLE in it is the finding's variable */
    const struct hx_known_seeds *shown_by; /* or NULL */
};

struct hx_known {
    struct rt_arena arena;
    struct hx_known_defect *defects;
    size_t count;
    uint64_t digest; /* of all that the list says; 0 without one */
};

/* Where findings come from. */
struct hx_known_context {
    const char *folder; /* where a file whose name is not absolute is looked for; NULL: nowhere */
    const char
        *compiler; /* the first line of --version of the one that made the Wasm module; NULL: unknown */
    const char *optimisation; /* "-O1"; NULL: unknown */
};

/* Of a program in that folder, by these compilers; `tools` NULL: nobody knows. */
struct hx_known_context hx_known_context_of(const struct hx_tools *tools, const char *folder);

/* Reads every *.json of the folder; corpus/known/README.md describes them. `folder` NULL: the one that
 * belongs to this build of lockstep, if there is one. */
RT_MUST_USE struct rt_error *hx_known_load(const char *folder, struct hx_known *ret);
void hx_known_clear(struct hx_known *known);
/* Sets `known` of each finding that the list names; returns how many it does not name. A defect that asks for
 * something of the source is not named where that cannot be read. */
size_t hx_known_mark(const struct hx_known *known, const struct hx_known_context *context,
                     struct hx_result *result);
/* The defect's `gone_with` when the finding has all else that it asks for: then a control build has to tell
 * whether it is the defect. Else NULL. */
const char *hx_known_control(const struct hx_known_defect *defect, const struct hx_known_context *context,
                             const struct hx_finding *finding);
/* Whether the seed's program is to show the defect when one compiler of this version makes both sides. */
bool hx_known_is_expected(const struct hx_known_defect *defect, const char *compiler,
                          const char *optimisation, uint64_t seed);
/* Whether the comparison went far enough to show what its program has, and the defect is not among it. */
bool hx_known_is_missing(const struct hx_known_defect *defect, const struct hx_result *result);
/* known_seeds.c: "shown_by" of a defect's object; NULL when it has none. `path` is for messages. */
RT_MUST_USE struct rt_error *hx_known_seeds_read(const struct hx_json_value *object, const char *path,
                                                 struct rt_arena *arena, const struct hx_known_seeds **ret);
/* True when the pattern is all of `text`; '*' stands for any bytes, also none. */
bool hx_known_match(const char *pattern, const char *text);

#endif
