/* Facts that say what a campaign's run was made with: names and values, as its database keeps them. */
#ifndef LOCKSTEP_HARNESS_VERSIONS_H
#define LOCKSTEP_HARNESS_VERSIONS_H

#include "harness/engines.h"
#include "harness/known.h"
#include "harness/tools.h"
#include "harness/witness.h"

struct hx_fact {
    const char *name, *value;
};

enum { HX_MAX_FACTS = 24 };

struct hx_facts {
    struct hx_fact items[HX_MAX_FACTS];
    size_t count;
};

/* Strings are the caller's. */
void hx_facts_add(struct hx_facts *facts, const char *name, const char *value);
/* The value of that name, or NULL. */
const char *hx_facts_find(const struct hx_facts *facts, const char *name);

/* Adds what a tool says of its version: the first line that has a digit in it (some begin with a blank line).
 */
RT_MUST_USE struct rt_error *hx_ask_version(const char *name, const char *path, struct rt_arena *arena,
                                            struct hx_facts *facts);
/* Versions of the tools that programs are made with: asks those that have not been asked yet. `tools`,
 * `engines` and `witnesses` may be NULL. Strings live in the arena or in what was given. */
RT_MUST_USE struct rt_error *hx_tool_versions(const struct hx_tools *tools, const struct hx_engines *engines,
                                              const struct hx_witnesses *witnesses, struct rt_arena *arena,
                                              struct hx_facts *ret);
/* The same, with what else says what a campaign found: this program, modules, known defects. `modules` may be
 * NULL. */
RT_MUST_USE struct rt_error *hx_versions(const struct hx_tools *tools, const struct hx_engines *engines,
                                         const struct hx_witnesses *witnesses, const struct hx_known *known,
                                         const char *const *modules, size_t module_count,
                                         struct rt_arena *arena, struct hx_facts *ret);

#endif
