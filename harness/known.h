/* The list of known defects: real, looked into, and not ours. It never hides a signature that it does not
 * name. */
#ifndef LOCKSTEP_HARNESS_KNOWN_H
#define LOCKSTEP_HARNESS_KNOWN_H

#include "harness/result.h"

struct hx_known_defect {
    const char *name;     /* of its file, without ".json" */
    const char *reason;   /* one line: what is wrong, and in which tool */
    const char *patterns; /* signatures, each ended by a zero, the last by two; '*' stands for anything */
};

struct hx_known {
    struct rt_arena arena;
    struct hx_known_defect *defects;
    size_t count;
};

/* Reads every *.json of the folder: an object with "signatures" (an array of strings, each may hold '*'),
 * "reason", "evidence" and "reproducer"; all four must be there. `folder` NULL: the one that belongs to this
 * build of lockstep, if there is one. */
RT_MUST_USE struct rt_error *hx_known_load(const char *folder, struct hx_known *ret);
void hx_known_clear(struct hx_known *known);
/* Sets `known` of each finding that the list names; returns how many it does not name. */
size_t hx_known_mark(const struct hx_known *known, struct hx_result *result);
/* True when the pattern is all of `text`; '*' stands for any bytes, also none. */
bool hx_known_match(const char *pattern, const char *text);

#endif
