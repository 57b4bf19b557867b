/* Sources of programs: the generators that `--source` names. */
#ifndef LOCKSTEP_HARNESS_GENERATOR_H
#define LOCKSTEP_HARNESS_GENERATOR_H

#include "harness/tools.h"

struct hx_generator {
    const char *name; /* as --source has it */
    bool needs_csmith;
    bool has_native; /* its programs mean the same when they are compiled natively */
    /* Writes the seed's program as HX_SOURCE into the folder. `words` are more words for Csmith, or NULL. */
    struct rt_error *(*write)(const struct hx_tools *tools, uint64_t seed, const char *words,
                              const char *folder);
};

extern const struct hx_generator hx_generator_csmith, hx_generator_wasi;

#define HX_DEFAULT_SOURCE "csmith"

/* By its name. `words` are those that it shall be given, or NULL. RT_USAGE for a name that there is not, and
 * for words that it cannot take. */
RT_MUST_USE struct rt_error *hx_generator_find(const char *name, const char *words,
                                               const struct hx_generator **ret);

/* The option, as a row for commands' tables. */
#define HX_SOURCE_OPTION(type)                                                                               \
    {"--source", "SOURCE", HX_OPTION_TEXT, offsetof(type, source),                                           \
     "where programs come from: csmith, or wasi, whose programs use WASI widely (csmith)"}

#endif
