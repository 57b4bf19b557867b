/* The stops of several witnesses around a finding as the rows of one table: a row for each stop that they
 * share, and one for each that one has alone. */
#ifndef LOCKSTEP_HARNESS_STOPS_H
#define LOCKSTEP_HARNESS_STOPS_H

#include "harness/finding_read.h"

/* Witnesses that are shown beside each other, and stops of one that are looked at. */
enum { HX_SHOWN_WITNESSES = 5, HX_SHOWN_STOPS = 64 };

struct hx_stop_row {
    int at[HX_SHOWN_WITNESSES]; /* index into the witness's stops; -1: it has no stop here */
    bool is_finding;            /* a stop at which the finding was made */
    bool is_alone;              /* not all witnesses have it */
};

/* Witnesses of a finding that are shown. */
size_t hx_shown_witnesses(const struct hx_told *told);
/* In the arena, *ret_count of them; NULL when memory is at its end. The longest common subsequence of each
 * witness's stops with the first one's decides what is shared: before the finding and from it on, each for
 * itself. At either end, what only stands alone because no more stops were kept is left out. */
const struct hx_stop_row *hx_stop_rows(const struct hx_told *told, struct rt_arena *arena, size_t *ret_count);

#endif
