/* Whether two builds do the same when nothing is written into them. Before a comparison fills locals, a child
 * stands by that has loaded nothing yet: when the outputs differ in the end, it runs both without a stop.
 * Where a location of the debug information is wrong, the filling went into another variable, and the
 * programs are not to blame. */
#ifndef LOCKSTEP_HARNESS_FREE_RUN_H
#define LOCKSTEP_HARNESS_FREE_RUN_H

#include "harness/job.h"

struct hx_free_run {
    int pid;        /* 0: no child stands by */
    int channel[2]; /* the parent's end of a socket, and the child's */
};

/* None stands by where the comparison does not fill locals, and where none can be started. `result_fd` is
 * closed in the child. */
void hx_free_run_prepare(const struct hx_setup *setup, const struct hx_two *two, bool fills_locals,
                         int result_fd, struct hx_free_run *ret);
/* Once: runs both, and tells whether they print and end alike. False when that cannot be told. */
bool hx_free_run_agrees(struct hx_free_run *run);
void hx_free_run_clear(struct hx_free_run *run);

#endif
