/* What exists at run time: stores, instances and what they hold (private to runtime/).
 *
 * Compiled code reaches these through the instance register, at offsets taken with offsetof; assembly uses
 * the constants of x86_64/layout.h, which target.c checks against the structures here. */
#ifndef LOCKSTEP_RUNTIME_INSTANCE_H
#define LOCKSTEP_RUNTIME_INSTANCE_H

#include "runtime/boundary.h"
#include "runtime/module.h"

struct rt_engine_ops;

/* A memory reserves every address that an i32 index plus an i32 offset can reach, and a page for the access
 * itself: what lies past its size faults, so that compiled code need not check. Where there is no compiled
 * code it reserves what it may grow to. */
#define RT_PAGE_SIZE          65536u
#define RT_MAX_PAGES          65536u
#define RT_MEMORY_RESERVATION ((size_t)0x200000000 + RT_PAGE_SIZE)
/* Elements a table may have at most (an implementation limit, appendix A.2). */
#define RT_MAX_TABLE_SIZE 10000000u

struct rt_func {
    const void *code;             /* the engine's: machine code, a body's or the host-call thunk */
    struct rt_instance *instance; /* its own; of a host function the store's `host` instance */
    uint32_t type_id;             /* equal types of a store have equal ids */
    uint32_t index;               /* in its instance's index space */
    struct rt_func_type type;
    bool passes_vectors; /* rt_func_type_has_vectors(type) */
    struct rt_store *store;
    rt_host_fn host; /* NULL for a function of an instance */
    void *user;
    char *name;           /* a host function's, owned */
    struct rt_func *next; /* of the store's host functions */
};

struct rt_memory {
    uint8_t *base;
    size_t reserved; /* bytes of address space */
    uint32_t pages;
    uint64_t max;   /* pages */
    uint32_t limit; /* pages, the store's */
    struct rt_store *store;
    struct rt_memory *next;
};

struct rt_table {
    void **elements;
    uint32_t size;
    enum rt_type type;
    uint64_t max;
    uint32_t limit; /* the store's */
    struct rt_store *store;
    struct rt_table *next;
};

struct rt_global {
    union rt_value value;
    enum rt_type type;
    bool is_mutable;
    struct rt_store *store;
    struct rt_global *next; /* of the store's own */
};

struct rt_element_items { /* an element segment, evaluated; count 0 when dropped, the items stay */
    void **items;
    uint32_t count;
};

/* After the structure follow what the module's index spaces name; see rt_instance_layout. */
struct rt_instance {
    /* Compiled code and assembly read these. */
    uint8_t *memory_base;
    uintptr_t stack_limit;
    struct rt_store *store;
    const void *builtin_call;  /* the architecture's thunk */
    struct rt_func *functions; /* the defined ones */
    struct rt_memory *memory;  /* memory 0, or NULL */

    struct rt_code *code;
    const struct rt_module *module;
    struct rt_element_items *elements;
    bool *data_dropped;
    uint32_t number;          /* in its store: 0 is the first */
    struct rt_instance *next; /* in its store, the one made before it */
};

/* Offsets from a struct rt_instance of the variable parts. */
struct rt_instance_layout {
    uint32_t imported_functions; /* struct rt_func *[imported_functions] */
    uint32_t tables;             /* struct rt_table *[table_count] */
    uint32_t imported_globals;   /* struct rt_global *[imported_globals] */
    uint32_t globals;            /* struct rt_global[defined] */
    uint32_t type_ids;           /* uint32_t[type_count] */
    uint32_t size;
};
/* False when the module's index spaces are too large for 32-bit offsets. */
bool rt_instance_layout(const struct rt_module *module, struct rt_instance_layout *ret);

/* One call from C into compiled code. The architecture's enter routine fills the first part. */
struct rt_entry {
    uintptr_t stack;                           /* stack pointer that unwinding returns to */
    uintptr_t frame;                           /* frame pointer of the enter routine */
    uint64_t general_result, vector_result[2]; /* the first result is in one of them */

    struct rt_entry *outer;
    uintptr_t exit_frame; /* while in a host function or builtin: the frame that called it, else 0 */
    uintptr_t exit_return;
};

struct rt_pending_trap {
    bool set;
    struct rt_trap_info info;
    struct rt_instance *instance; /* whose code trapped */
};

/* The innermost activation of the guest where a call of it ended in an error. */
struct rt_trap_place {
    struct rt_instance *instance; /* NULL: there was none */
    uint32_t function, pc;
};

struct rt_store {
    struct rt_entry *entry; /* innermost, of compiled code; first, for assembly */
    uintptr_t stack_limit;
    size_t stack_size;              /* bytes above stack_limit; 0: its owner alone knows */
    struct rt_error *pending_error; /* a host function's, on its way to rt_func_call */
    struct rt_pending_trap pending_trap;
    struct rt_trap_place trap_place; /* of the last error */
    struct rt_hooks hooks;
    rt_interpose_fn interpose; /* NULL: host functions are called directly */
    void *interpose_user;
    uint32_t max_pages, max_elements;   /* see rt_store_set_limits */
    const struct rt_engine_ops *engine; /* of its instances; NULL while there is none */
    void *engine_state;                 /* the engine's own */
#ifdef LOCKSTEP_RR
    struct rt_boundary *boundary; /* NULL: nobody is told */
#endif

    struct rt_instance host;       /* stands in the instance register while a host function is called */
    struct rt_instance *instances; /* newest first */
    uint32_t instance_count;
    struct rt_func *functions;
    struct rt_memory *memories;
    struct rt_table *tables;
    struct rt_global *globals;

    struct rt_func_type *types; /* interned, by id */
    uint32_t type_count, type_capacity;
    uint32_t *type_slots; /* open addressing, id + 1 */
    uint32_t type_slot_count;
};

enum rt_builtin {
#define RT_BUILTIN(name, operands, immediates, trap) RT_BUILTIN_##name,
#include "runtime/builtins.def"
#undef RT_BUILTIN
    RT_BUILTIN_COUNT,
};

/* Called by the architecture's thunks. Each gets the thunk's own frame: [0] is the caller's frame pointer,
 * [1] the return address, from [2] on the outgoing area. */

/* Runs a host function; true means that the guest must be unwound (store->pending_error says why). */
bool rt_host_call(struct rt_func *func, uintptr_t *frame);
/* Runs a builtin; true means that it traps. */
bool rt_builtin_call(struct rt_instance *instance, uint32_t builtin, uintptr_t *frame);

/* The id of a type in this store; the type is copied. */
struct rt_error *rt_store_type_id(struct rt_store *store, struct rt_func_type type, uint32_t *ret);
void rt_instance_destroy(struct rt_instance *instance);
/* Makes what an instance has itself as it was when it was linked, and applies its active segments again.
 * Nobody is told. */
struct rt_error *rt_instance_restart(struct rt_instance *instance);

/* Calls with `type`, from C, the host function itself: hooks around it. */
struct rt_error *rt_host_invoke(struct rt_func *func, struct rt_caller *caller, const union rt_value *args,
                                union rt_value *results);

/* table.c; false when a range is out of bounds (nothing is written then, section 4.4.6). */
bool rt_table_init(struct rt_table *table, const struct rt_element_items *elements, uint64_t to,
                   uint64_t from, uint64_t count);
bool rt_table_copy(struct rt_table *to_table, struct rt_table *from_table, uint64_t to, uint64_t from,
                   uint64_t count);
bool rt_table_fill(struct rt_table *table, uint64_t to, void *value, uint64_t count);
/* rt_table_grow that is not told to the boundary, for the guest: the old size, or UINT32_MAX when it cannot
 * grow. */
uint32_t rt_table_extend(struct rt_table *table, uint64_t count, void *value);
/* As it was made: `size` nulls. */
struct rt_error *rt_table_restart(struct rt_table *table, uint64_t size);
void rt_table_destroy(struct rt_table *table);

/* memory.c */

/* rt_memory_grow that is not told to the boundary, for the guest. */
struct rt_error *rt_memory_extend(struct rt_memory *memory, uint64_t pages, uint64_t *ret_old_pages);
bool rt_memory_init(struct rt_memory *memory, const uint8_t *bytes, uint64_t size, uint64_t to, uint64_t from,
                    uint64_t count);
/* As it was made: `pages` of zeros. */
struct rt_error *rt_memory_restart(struct rt_memory *memory, uint64_t pages);
void rt_memory_destroy(struct rt_memory *memory);

/* trap.c */

/* Makes sure that the process's signal handlers are in place (a store's creation does so), and this thread's
 * signal stack. */
struct rt_error *rt_trap_prepare(void);
/* The same where there is no compiled code, for faults of tracked memories (track.h). */
struct rt_error *rt_trap_prepare_faults(void);
/* The signal stack alone: cheap, for each call. */
struct rt_error *rt_trap_prepare_thread(void);
/* Machine code whose faults are traps. Ranges are few; adding and removing take a lock, faults do not. */
struct rt_error *rt_trap_add_code(uintptr_t low, uintptr_t high);
void rt_trap_remove_code(uintptr_t low);
/* The error for a trap that is pending in `store`; takes it. */
struct rt_error *rt_trap_take(struct rt_store *store);
/* An RT_TRAP error: the trap's words, then the context. */
struct rt_error *rt_trap_error(enum rt_trap trap, const char *context);

#endif
