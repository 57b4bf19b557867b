/* The boundary between guests and the host: who is told of all that crosses it (private to runtime/).
 *
 * A store has one such listener or none. It is told in the order in which things happen: of calls and
 * instantiations before and after them, of the host's changes when they are done. What the guest does itself
 * is not told. Without LOCKSTEP_RR there is never one, and no code that asks. */
#ifndef LOCKSTEP_RUNTIME_BOUNDARY_H
#define LOCKSTEP_RUNTIME_BOUNDARY_H

#include "runtime/runtime.h"

struct rt_boundary {
    /* Linked, and numbered; its active segments are applied next. */
    void (*instantiate)(struct rt_boundary *boundary, struct rt_instance *instance,
                        const struct rt_extern *imports);
    /* After the segments. The functions that get an error return what the instantiation or call shall end
     * with: that error, or one of their own instead. */
    struct rt_error *(*instantiated)(struct rt_boundary *boundary, struct rt_error *error);

    /* The guest calls a host function. */
    void (*import_call)(struct rt_boundary *boundary, const struct rt_caller *caller, struct rt_func *func,
                        const union rt_value *args);
    struct rt_error *(*import_end)(struct rt_boundary *boundary, const struct rt_func *func,
                                   const union rt_value *results, struct rt_error *error);
    /* The host calls a function of an instance. store->trap_place is set when it ended in an error. */
    void (*guest_call)(struct rt_boundary *boundary, const struct rt_func *func, const union rt_value *args);
    struct rt_error *(*guest_end)(struct rt_boundary *boundary, const struct rt_func *func,
                                  const union rt_value *results, struct rt_error *error);

    /* The host changed something. */
    void (*memory_write)(struct rt_boundary *boundary, const struct rt_memory *memory, uint64_t address,
                         const void *bytes, size_t size);
    void (*memory_grow)(struct rt_boundary *boundary, const struct rt_memory *memory, uint64_t pages,
                        uint64_t old); /* UINT64_MAX: it was refused */
    void (*global_set)(struct rt_boundary *boundary, const struct rt_global *global);
    void (*table_set)(struct rt_boundary *boundary, const struct rt_table *table, uint32_t index);
    void (*table_grow)(struct rt_boundary *boundary, const struct rt_table *table, uint64_t count,
                       void *value, uint64_t old); /* as of a memory */
};

#ifdef LOCKSTEP_RR
#define RT_BOUNDARY(store) ((store)->boundary)
#else
#define RT_BOUNDARY(store) ((struct rt_boundary *)NULL)
#endif

#endif
