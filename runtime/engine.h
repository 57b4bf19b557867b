/* What an engine is: something that makes a validated module runnable, runs it, and can say at any site, trap
 * or call where every local and operand is (private to runtime/). engine.c hands the public functions on to
 * the engine that made the code.
 *
 * Instructions are executed in the order of the specification's reduction rules, and a site is reached when
 * its instruction is executed. Engines agree on these points:
 * - a branch to the label of a `loop` executes the `loop` again (section 4.4.8);
 * - a branch to any other label goes on behind the `end`, and does not execute it; so does `return`. Code
 * that falls out of a block executes its `end`; code that falls out of the first arm of an `if` executes its
 *   `else`, and then goes on behind the `end`;
 * - an `if` whose condition is zero goes on behind its `else`, or behind its `end` when there is none;
 * - instructions that can never run (behind an unconditional branch) are no sites. */
#ifndef LOCKSTEP_RUNTIME_ENGINE_H
#define LOCKSTEP_RUNTIME_ENGINE_H

#include "runtime/instance.h"

/* The beginning of every engine's code. */
struct rt_code {
    const struct rt_engine_ops *ops;
    const struct rt_module *module;
    struct rt_site *sites; /* ascending by Wasm pc */
    size_t site_count;
    bool has_canonical_nans; /* as rt_compile_options asked */
};

#define RT_ENGINE_AREAS 3

struct rt_engine_ops {
    const char *name; /* as --engine has it */

    /* ---- Code ---- */

    /* `options` is never NULL. */
    struct rt_error *(*create)(const struct rt_module *module, const struct rt_compile_options *options,
                               struct rt_code **ret);
    void (*destroy)(struct rt_code *code); /* its sites, too */
    void (*range)(const struct rt_code *code, uintptr_t *low, uintptr_t *high);
    /* Indices are good. */
    struct rt_error *(*set_probes)(struct rt_code *code, const uint32_t *indices, size_t count, bool enabled);
    /* The store's probe hooks have changed. */
    void (*set_hooks)(struct rt_code *code, const struct rt_hooks *hooks);
    bool (*pc)(const struct rt_code *code, uintptr_t machine, uint32_t *function, uint32_t *pc);
    uintptr_t (*machine)(const struct rt_code *code, uint32_t pc);
    struct rt_code_sizes (*sizes)(const struct rt_code *code);

    /* ---- Running ---- */

    /* Fills in what the engine needs in a new instance: `code` of each of its functions, and its own. */
    void (*link)(struct rt_instance *instance);
    /* Called once, for the first instance of a store; *ret is store->engine_state. May be NULL. */
    struct rt_error *(*open_store)(struct rt_store *store, void **ret);
    void (*close_store)(void *state);
    /* Bytes that the frames of a store's guests can take; 0: not known. */
    size_t (*stack_size)(const struct rt_store *store);
    /* rt_func_call for a function of an instance. */
    struct rt_error *(*call)(struct rt_func *func, const union rt_value *args, union rt_value *results);

    /* For checkpoints: what a running guest changes of the engine's own state, besides the thread's stack and
     * the store's fields. Always the same pieces of memory; how many. May be NULL: nothing. */
    size_t (*areas)(void *state, struct rt_area ret[RT_ENGINE_AREAS]);

    /* ---- Looking inside: see the public functions of the same names ---- */

    bool (*first)(struct rt_store *store, struct rt_registers *registers, struct rt_activation *ret);
    bool (*caller)(const struct rt_activation *activation, struct rt_activation *ret);
    /* The index is good. */
    union rt_value (*local)(const struct rt_activation *activation, uint32_t local);
    struct rt_error *(*set_local)(const struct rt_activation *activation, uint32_t local,
                                  union rt_value value);
    struct rt_error *(*operand_count)(const struct rt_activation *activation, uint32_t *ret);
    struct rt_error *(*operand)(const struct rt_activation *activation, uint32_t index, enum rt_type *type,
                                union rt_value *ret);
};

extern const struct rt_engine_ops rt_engine_compiled, rt_engine_interp;

#endif
