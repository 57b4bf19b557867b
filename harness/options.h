/* The argument parser that all commands share: a command's table of options makes both its parsing and its
 * help. */
#ifndef LOCKSTEP_HARNESS_OPTIONS_H
#define LOCKSTEP_HARNESS_OPTIONS_H

#include "runtime/base.h"

#include <stdio.h>

/* What the field at `offset` is. A duration is written as "90", "90s", "10m", "2h" or "500ms", and is 49 days
 * at most. */
enum hx_option_kind {
    HX_OPTION_FLAG,     /* bool */
    HX_OPTION_TEXT,     /* const char * */
    HX_OPTION_LIST,     /* struct hx_list: the option may be repeated */
    HX_OPTION_NUMBER,   /* uint64_t */
    HX_OPTION_DURATION, /* uint64_t, milliseconds */
    HX_OPTION_SEEDS,    /* struct hx_seeds: "7" or "1-500" */
};

struct hx_list {
    const char **items;
    size_t count;
};

struct hx_seeds {
    bool is_set;
    uint64_t first, last;
};

struct hx_option {
    const char *name;  /* with its dashes */
    const char *value; /* the value's word in the help; NULL for a flag */
    enum hx_option_kind kind;
    size_t offset; /* of the field in the command's values */
    const char *help;
};

/* What is left of the command line. `before_dashes` of the items came before "--". */
struct hx_arguments {
    const char **items;
    size_t count, before_dashes;
};

struct hx_command {
    const char *name;
    const char *arguments; /* as the usage line shows them */
    const char *summary;   /* one line */
    const char *details;   /* paragraphs for --help */
    const struct hx_option *options;
    size_t option_count;
    const void *defaults; /* the values before parsing */
    size_t values_size;
    /* Commands of a second word ("bench step"); when there are any, `run` is NULL. */
    const struct hx_command *const *commands;
    size_t command_count;
    struct rt_error *(*run)(const struct hx_arguments *arguments, const void *values, int *ret_status);
};

/* Parses what follows the command's name. Options and arguments may be mixed; "--" ends the options. Values
 * point into argv or `arena`. *ret_help is set, and the rest left alone, at --help or -h. RT_USAGE names the
 * option that is wrong. */
RT_MUST_USE struct rt_error *hx_options_parse(const struct hx_command *command, int argc, char **argv,
                                              struct rt_arena *arena, void *values,
                                              struct hx_arguments *ret_arguments, bool *ret_help);
/* `prefix` is what stands before the command's name ("lockstep", "lockstep bench"). */
void hx_options_help(const struct hx_command *command, const char *prefix, FILE *file);

#endif
