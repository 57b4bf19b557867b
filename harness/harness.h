/* The harness: what a person runs. This is its public header: the `lockstep` command's parts, for main.c and
 * the tests. Each part has a header of its own, private to the folder. */
#ifndef LOCKSTEP_HARNESS_H
#define LOCKSTEP_HARNESS_H

#include "harness/options.h"

/* Exit statuses of every command; `run` hands the guest's own through. */
enum hx_status {
    HX_STATUS_CLEAN = 0, /* nothing found */
    HX_STATUS_FOUND = 1, /* a difference, a failed test */
    HX_STATUS_ERROR = 2, /* bad usage, bad input, a missing tool */
};

extern const struct hx_command hx_command_fuzz;
extern const struct hx_command hx_command_merge;
extern const struct hx_command hx_command_check;
extern const struct hx_command hx_command_reduce;
extern const struct hx_command hx_command_run;
extern const struct hx_command hx_command_record;
extern const struct hx_command hx_command_replay;
extern const struct hx_command hx_command_generate;
extern const struct hx_command hx_command_wast;
extern const struct hx_command hx_command_trace;
extern const struct hx_command hx_command_transform;
extern const struct hx_command hx_command_show;
extern const struct hx_command hx_command_report;
extern const struct hx_command hx_command_bench;
extern const struct hx_command hx_command_selftest;

/* Runs `lockstep` with these arguments and returns its exit status. */
int hx_main(int argc, char **argv);

#endif
