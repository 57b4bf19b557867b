/* The interpreter: what its files share (private to runtime/interp/).
 *
 * A body is translated once to a stream of 32-bit words. An instruction is a word that names its handler (as
 * an offset between labels of execute.c) and then its operands: slots of the frame, constants, branch targets
 * as differences. handlers.def lists them.
 *
 * A frame is a run of 64-bit slots: parameters, declared locals, then one place for each operand by its
 * height; a v128 has two slots, its low half first. An operand that is a constant or the value of a local
 * needs no instruction: it is read where it is. A callee's parameters are its caller's arguments, in place,
 * and its results come back there.
 *
 * Machine pcs are addresses in the stream: an instruction's first word while it is not executed yet (a site);
 * its second where it traps; its last word while it calls. The map has an entry for each. */
#ifndef LOCKSTEP_RUNTIME_INTERP_INTERP_H
#define LOCKSTEP_RUNTIME_INTERP_INTERP_H

#include "runtime/engine.h"

enum rt_handler {
#define RT_HANDLER(name) RT_DO_##name,
#include "runtime/interp/handlers.def"
    RT_HANDLER_COUNT,
};

/* ---- Code ---- */

/* Where an operand is. */
enum rt_interp_kind {
    RT_OPERAND_SLOT,     /* in a slot: its place by height */
    RT_OPERAND_LOCAL,    /* in a local's slot: the local's value is the operand's */
    RT_OPERAND_CONSTANT, /* its bits */
};

/* An operand stack as a list, the topmost first. Lists with a common rest share it; equal ones are one. */
struct rt_interp_node {
    uint64_t value;  /* the slot, or a constant's bits */
    uint32_t below;  /* index of a node; 0 is the empty stack's */
    uint32_t height; /* number of operands, this one counted */
    uint8_t type;    /* enum rt_type */
    uint8_t kind;    /* enum rt_interp_kind */
};

/* From this word of the stream to the next entry's. Ascending in both. */
struct rt_interp_place {
    uint32_t word;
    uint32_t pc;   /* Wasm pc */
    uint32_t node; /* the operands there */
};

#define RT_INTERP_ENTER_WORDS 4

struct rt_interp_function {
    uint32_t start, end; /* words; the first instruction is ENTER */
};

struct rt_interp_code {
    struct rt_code base; /* first */
    uint32_t *words;
    size_t word_count;
    int32_t *site_handlers;               /* by site: the handler's word while the site is not enabled */
    struct rt_interp_function *functions; /* of the defined functions, in order; ascending */
    uint32_t function_count;
    struct rt_interp_place *places;
    size_t place_count;
    struct rt_interp_node *nodes; /* from 1 on */
    size_t node_count;
};

static inline struct rt_interp_code *rt_interp_code_of(const struct rt_code *code) {
    return (struct rt_interp_code *)(uintptr_t)code;
}

/* Slots that a value of this type takes. */
static inline uint32_t rt_interp_slots(enum rt_type type) {
    return type == RT_V128 ? 2 : 1;
}
/* The sum over `count` types. */
uint32_t rt_interp_slots_of(const uint8_t *types, uint32_t count);
/* A value to and from its slot or slots. */
void rt_interp_put(uint64_t *slots, enum rt_type type, const union rt_value *value);
union rt_value rt_interp_get(const uint64_t *slots, enum rt_type type);

/* translate.c: rt_code_create. */
struct rt_error *rt_interp_translate(const struct rt_module *module, const struct rt_compile_options *options,
                                     struct rt_code **ret);
void rt_interp_code_destroy(struct rt_code *code);
/* The function that holds a word; NULL when none does. */
const struct rt_interp_function *rt_interp_function_at(const struct rt_interp_code *code, size_t word);
/* The map's entry for an address in the stream; NULL outside of any function. */
const struct rt_interp_place *rt_interp_place_at(const struct rt_interp_code *code, uintptr_t machine);

/* ---- Running ---- */

/* A live activation. Records lie beside each other, the innermost at the lowest address. */
struct rt_interp_record {
    const uint32_t *at; /* where it stopped, when it is not running: see the top of this file */
    uint64_t *slots;
    uint64_t *top; /* behind the slots that it uses */
    struct rt_instance *instance;
};

/* A store's guest stack: one reservation, where slots grow upwards from `low`, and records downwards from
 * `base`. Records are there as long as their activations are; a host function that calls a guest function
 * again adds to the same stack. */
struct rt_interp {
    struct rt_store *store;
    char *low;
    size_t size; /* bytes */
    struct rt_interp_record *base;
    struct rt_interp_use {               /* valid while C runs */
        struct rt_interp_record *record; /* the innermost; `base` when there is none */
        uint64_t *free;                  /* the next slots that nothing uses */
    } use;
};

/* What a record and a host call's values may need beyond a frame that was checked. */
#define RT_INTERP_MARGIN 1024

/* execute.c: the handlers' words, by enum rt_handler. */
const int32_t *rt_interp_handlers(void);
/* Runs from a function's first instruction to its return; the record is there, results come back in its
 * slots. False when it trapped or a host function failed: then store->pending_trap or pending_error says why.
 */
bool rt_interp_execute(struct rt_interp *interp, const uint32_t *ip);

/* call.c */
struct rt_error *rt_interp_call(struct rt_func *func, const union rt_value *args, union rt_value *results);
struct rt_error *rt_interp_open(struct rt_store *store, void **ret);
void rt_interp_close(void *state);
/* While C runs: how far the stack is used, its slots, its records. */
size_t rt_interp_areas(void *state, struct rt_area ret[RT_ENGINE_AREAS]);
size_t rt_interp_stack_size(const struct rt_store *store);
/* What the running guest asks for; record->at is set. The fault address is that of a memory access, if it was
 * one. */
void rt_interp_trap(struct rt_interp *interp, struct rt_interp_record *record, enum rt_trap trap,
                    uint64_t fault_address);
/* Runs a host function on its arguments' slots. False when the guest must be unwound. */
bool rt_interp_host_call(struct rt_interp *interp, struct rt_interp_record *record, struct rt_func *func,
                         uint64_t *slots);
/* An enabled site is reached: calls the hook; the word of the handler that the site stands for. */
int32_t rt_interp_probe(struct rt_interp *interp, struct rt_interp_record *record);

/* bulk.c: table instructions, memory.grow, .init, .copy and .fill, and the drops. `operands` points at the
 * first operand's slot, where the result goes. RT_TRAP_COUNT, or why it traps. */
enum rt_trap rt_interp_bulk(struct rt_instance *instance, uint32_t opcode, uint64_t *operands, uint32_t a,
                            uint32_t b);

/* walk.c */
bool rt_interp_first(struct rt_store *store, struct rt_registers *registers, struct rt_activation *ret);
bool rt_interp_caller(const struct rt_activation *activation, struct rt_activation *ret);
union rt_value rt_interp_local(const struct rt_activation *activation, uint32_t local);
struct rt_error *rt_interp_set_local(const struct rt_activation *activation, uint32_t local,
                                     union rt_value value);
struct rt_error *rt_interp_operand_count(const struct rt_activation *activation, uint32_t *ret);
struct rt_error *rt_interp_operand(const struct rt_activation *activation, uint32_t index, enum rt_type *type,
                                   union rt_value *ret);

#endif
