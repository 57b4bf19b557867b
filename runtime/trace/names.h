/* How events name what exists in a store (FORMAT.md, "Events"): places for functions, tables, memories and
 * globals, and numbers for references (private to the folder). */
#ifndef LOCKSTEP_RUNTIME_TRACE_NAMES_H
#define LOCKSTEP_RUNTIME_TRACE_NAMES_H

#include "runtime/instance.h"
#include "runtime/trace/trace.h"

/* From pointers to pairs of numbers. All zero is empty. */
struct rt_trace_map {
    struct rt_trace_map_entry {
        const void *key; /* NULL: free */
        struct rt_trace_place value;
    } *entries;
    size_t capacity, count; /* a power of two; at most half of it is used */
};
/* False when memory is at its end. A key that is there gets the new value. */
bool rt_trace_map_set(struct rt_trace_map *map, const void *key, struct rt_trace_place value);

struct rt_trace_names {
    /* What the host made, and instances' tables, memories and globals. Instances' functions are not in it:
     * they know themselves. */
    struct rt_trace_map places;
    struct rt_trace_map funcrefs, externrefs; /* `index` is the number */
    uint32_t funcref_count, externref_count;
    uint32_t host_counts[RT_EXTERN_GLOBAL + 1]; /* lengths of the host's lists */
};
void rt_trace_names_clear(struct rt_trace_names *names);

/* False when the thing has no place yet. */
bool rt_trace_place_of_func(const struct rt_trace_names *names, const struct rt_func *func,
                            struct rt_trace_place *ret);
/* Of a table, memory or global. */
bool rt_trace_place_of(const struct rt_trace_names *names, const void *thing, struct rt_trace_place *ret);
/* Gives a thing of the host's the next place in the list of its kind. */
bool rt_trace_names_add_host(struct rt_trace_names *names, enum rt_extern_kind kind, const void *thing);
/* Gives what an instance defines itself its places. */
bool rt_trace_names_add_instance(struct rt_trace_names *names, struct rt_instance *instance);
/* The number of a reference in events; RT_TRACE_UNNAMED when it has none yet. */
uint64_t rt_trace_reference(const struct rt_trace_names *names, uint8_t type, const void *reference);
/* The pointer in an external, by its kind. */
void *rt_trace_extern_pointer(const struct rt_extern *external);

/* Fills in a `guest trap` for a call that ended with this error. */
void rt_trace_guest_trap(const struct rt_store *store, const struct rt_error *error,
                         struct rt_trace_event *ret);

#endif
