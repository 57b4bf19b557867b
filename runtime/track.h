/* Trackers: which pages of a memory were written since an image of it was made (private to runtime/).
 *
 * A page that was not written is write-protected; its first write faults, and the handler of faults notes it
 * and lets it be written from there on. Guests, the host and debuggers all write memory past no one else. */
#ifndef LOCKSTEP_RUNTIME_TRACK_H
#define LOCKSTEP_RUNTIME_TRACK_H

#include "runtime/instance.h"
#include "runtime/pages.h"

struct rt_tracker;

/* Tracks the memory: all of it counts as written. One tracker a memory, which must outlive it. */
RT_MUST_USE struct rt_error *rt_tracker_create(struct rt_memory *memory, struct rt_page_pool *pool,
                                               struct rt_tracker **ret);
/* The memory can be written everywhere again. */
void rt_tracker_destroy(struct rt_tracker *tracker);
const struct rt_memory *rt_tracker_memory(const struct rt_tracker *tracker);

/* An image of the memory, which it costs a copy of the pages that were written; from then on none is. */
RT_MUST_USE struct rt_error *rt_tracker_take(struct rt_tracker *tracker, struct rt_image *ret);
/* Makes the memory what an image of it holds, its size included. What differs or was written is copied. */
RT_MUST_USE struct rt_error *rt_tracker_put(struct rt_tracker *tracker, const struct rt_image *image);

/* In a signal handler: whether the fault was a tracked page's first write, which can be done again now. */
bool rt_tracker_fault(uintptr_t address);

#endif
