/* GDB as an outside witness of what the native side shows at a finding's stop. */
#ifndef LOCKSTEP_HARNESS_ASK_GDB_H
#define LOCKSTEP_HARNESS_ASK_GDB_H

#include "harness/job.h"

/* Drives the plain native witness's image to the stops of the result's findings, under GDB, and adds what it
 * shows as a testimony of "gdb" to each that it came to. Where GDB is not installed, or the pair was built
 * elsewhere, so that there is no compiler to make a launcher with, nothing is added. */
RT_MUST_USE struct rt_error *hx_ask_gdb(const struct hx_job *job, struct hx_result *result);

#endif
