/* Faults planted in traces, one at a time: which there could be, and a copy of the trace that has one. A
 * fault is the same events written again with one of them changed, or one call's or write's lost, doubled,
 * swapped: the file stays well formed, and it is the replay's affair to notice. */
#ifndef LOCKSTEP_HARNESS_TRACE_PLANT_H
#define LOCKSTEP_HARNESS_TRACE_PLANT_H

#include "harness/plant.h"
#include "runtime/trace/trace.h"

/* One fault that can be planted. Events by their numbers in the trace. */
struct hx_trace_plant {
    enum hx_plant_class class;
    uint64_t first, count; /* the call that it is in, from `import call` to `import return` */
    uint64_t event;        /* that is changed, or the write that is lost or doubled */
    uint64_t other_count;  /* swapped: events of the call right behind it */
    const char *import;    /* the call's */
};

struct hx_trace_plants {
    struct hx_trace_plant *items;
    size_t count, capacity;
    bool *is_guest; /* by event: the guest made it */
    uint64_t event_count;
};

/* All faults that can be planted in a trace. In the arena. */
RT_MUST_USE struct rt_error *hx_trace_plant_survey(const struct rt_trace_memory *trace,
                                                   struct rt_arena *arena, struct hx_trace_plants *ret);
/* A copy of the trace with the fault; NULL: without any. `index` chooses the argument or byte of it. The
 * caller frees ret->bytes. */
RT_MUST_USE struct rt_error *hx_trace_plant_apply(const struct rt_trace_memory *trace,
                                                  const struct hx_trace_plant *plant, uint32_t index,
                                                  struct rt_trace_memory *ret);

#endif
