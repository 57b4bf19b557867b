/* Compiled code: machine code memory, and the maps between machine pcs, Wasm pcs and operands (private to
 * runtime/). compile.c makes it, code_lookup.c reads the maps. */
#ifndef LOCKSTEP_RUNTIME_CODE_H
#define LOCKSTEP_RUNTIME_CODE_H

#include <string.h>

#include "runtime/engine.h"

/* Machine code memory: one memory file, seen through a writable view and an executable view. While code is
 * written only the first exists. */
struct rt_code_memory {
    int file;
    uint8_t *writable;
    const uint8_t *executable;
    size_t capacity; /* bytes of the writable view */
    size_t size;     /* bytes of the executable view */
    bool is_private; /* it is anonymous memory of its own, and the only view once code is sealed */
};
struct rt_error *rt_code_memory_open(struct rt_code_memory *memory, size_t capacity);
/* Makes the writable view larger; it may move. */
struct rt_error *rt_code_memory_grow(struct rt_code_memory *memory, size_t capacity);
/* Cuts the file to `size` and makes the executable view, or a private copy: the kernel lets no debugger write
 * to memory that is shared. */
struct rt_error *rt_code_memory_seal(struct rt_code_memory *memory, size_t size, bool is_private);
/* Sealed code may be written from the result on, until the end of writing; NULL when the system refuses. */
uint8_t *rt_code_memory_begin_write(struct rt_code_memory *memory);
struct rt_error *rt_code_memory_end_write(struct rt_code_memory *memory);
void rt_code_memory_close(struct rt_code_memory *memory);

/* A growing array of bytes. */
struct rt_buffer {
    uint8_t *bytes;
    size_t size, capacity;
};
/* Room for `size` more bytes at the end; false when memory is. Does not change buffer->size. */
bool rt_buffer_reserve(struct rt_buffer *buffer, size_t size);

/* The map of a function is a stream of entries, each a machine offset and a Wasm pc as differences to the
 * entry before, in ascending order of both:
 *
 *   byte: bit 0: operands follow; bits 1-3: pc difference, 7: an unsigned LEB128 follows;
 *         bits 4-7: machine difference, 15: an unsigned LEB128 follows (after the pc's).
 *   operands: LEB128 how many operands of the last operand list are gone, LEB128 how many are new, then each:
 *         byte: bits 0-1: enum rt_where, bits 2-4: type; then by where.
 *
 * A checkpoint starts each function and about every 64th entry; its entry's differences are 0. The operand
 * list is empty at one that is marked so. */
enum rt_where {
    RT_WHERE_SLOT,     /* the operand's own slot in the frame */
    RT_WHERE_REGISTER, /* byte: register number */
    RT_WHERE_CONSTANT, /* LEB128: bits */
    RT_WHERE_LOCAL,    /* LEB128: index; the operand is that local's value */
};

struct rt_checkpoint {
    uint32_t machine, pc;
    uint32_t stream : 31; /* offset of the entry */
    uint32_t empty : 1;
};

struct rt_code_function { /* machine offsets */
    uint32_t start;
    uint32_t body; /* past the prologue: from here on the locals are in the frame */
    uint32_t tail; /* out-of-line traps from here on */
    uint32_t end;
};

struct rt_trap_site { /* an out-of-line trap and the instruction that jumps to it */
    uint32_t trap, origin;
};

/* Where an operand is, with its type and a value by `where`. */
struct rt_operand_place {
    enum rt_where where;
    enum rt_type type;
    uint32_t slot;  /* index of the operand */
    uint64_t value; /* register, constant or local */
};

/* Where a machine pc is: function, Wasm pc, and whether the frame is complete. */
struct rt_code_position {
    uint32_t function; /* index, imports counted */
    uint32_t pc;
    bool in_prologue;
};

/* What the map says of a machine pc that was asked about before: debuggers ask about the same stops over and
 * over. Each pc has one slot that it can be in; a newer one replaces it. */
enum { RT_LOOKUP_SLOTS = 4096, RT_LOOKUP_PLACES = 16 };
struct rt_lookup {
    uint32_t key; /* machine offset + 1; 0: none */
    bool has_position, has_operands;
    struct rt_code_position position;
    uint32_t count; /* operands; the places of all of them, when they are RT_LOOKUP_PLACES or fewer */
    struct rt_operand_place places[RT_LOOKUP_PLACES];
};

/* Where the last walk for operands stands: the next one, a little further on, goes on from there. */
enum { RT_WALK_PLACES = 64 };
struct rt_operand_walk {
    bool is_under_way;
    uint32_t stream, next_checkpoint, machine, pc; /* behind the last entry that was read */
    uint32_t count;
    struct rt_operand_place places[RT_WALK_PLACES]; /* the lowest ones */
};

/* What questions about code leave behind, for the next ones. Code that nobody looks into stays small. */
struct rt_code_cache {
    struct rt_operand_walk walk;
    struct rt_lookup *lookups; /* RT_LOOKUP_SLOTS, from the first question on; NULL: none yet, or no memory */
};

struct rt_machine_code {
    struct rt_code base; /* first; its sites' addresses are machine offsets until the code is sealed */
    struct rt_code_memory memory;
    bool canonical_nans;  /* as it was compiled */
    bool writable_locals; /* so, too */
    uint32_t probe_thunk; /* machine offset: what an enabled site calls */
    uint32_t probe_stub;  /* machine offset of the pointer that the thunk jumps through */
    const void *no_stub;  /* what the pointer holds when there is no stub */

    struct rt_code_function *functions; /* of the defined functions, in order */
    uint32_t function_count;
    struct rt_buffer map;
    struct rt_checkpoint *checkpoints;
    uint32_t checkpoint_count;
    struct rt_trap_site *trap_sites;
    uint32_t trap_site_count;
    struct rt_code_cache *cache;
};

static inline const struct rt_machine_code *rt_machine_code_of(const struct rt_code *code) {
    return (const struct rt_machine_code *)code;
}

/* How a function's frame is laid out: slots are of one 8-byte word, or of two where a v128 may be in one. */
struct rt_frame_shape {
    uint32_t param_count, local_count; /* local_count: with the parameters */
    uint8_t argument_words;            /* of a slot for an argument or a result */
    uint8_t slot_words;                /* of a slot for a declared local or an operand */
};
struct rt_frame_shape rt_frame_shape_of(const struct rt_module *module, uint32_t function);
static inline uint8_t rt_slot_words(bool vectors) {
    return vectors ? 2 : 1;
}

/* A slot's value. What is beyond the value's width may be anything in the slot, and is zero in the value. */
static inline void rt_slot_read_to(enum rt_type type, const void *slot, union rt_value *ret) {
    memset(ret, 0, sizeof(*ret));
    if (type == RT_I32 || type == RT_F32)
        memcpy(ret, slot, 4);
    else
        memcpy(ret, slot, type == RT_V128 ? 16 : 8);
}
static inline union rt_value rt_slot_read(enum rt_type type, const void *slot) {
    union rt_value value;
    rt_slot_read_to(type, slot, &value);
    return value;
}
static inline void rt_slot_write(enum rt_type type, void *slot, const union rt_value *value) {
    uint64_t word = type == RT_I32 || type == RT_F32 ? value->i32 : value->i64;
    if (type == RT_V128)
        memcpy(slot, value, 16);
    else
        memcpy(slot, &word, sizeof(word));
}

/* Reads a LEB128 of bytes known to be good (a validated body, our own map); stops at their end in any case.
 */
static inline uint64_t rt_read_uleb(struct rt_cursor *cursor) {
    uint64_t value = 0;
    for (unsigned shift = 0; cursor->next < cursor->end && shift < 64; shift += 7) {
        uint8_t byte = *cursor->next++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            break;
    }
    return value;
}

/* Position, prologue and operands are remembered by machine pc. */
bool rt_code_find(const struct rt_machine_code *code, uintptr_t machine, struct rt_code_position *ret);
/* Whether a machine pc comes before a function's declared locals are in its frame. Cheap. */
bool rt_code_in_prologue(const struct rt_machine_code *code, uintptr_t machine);
/* rt_code_machine for compiled code. */
uintptr_t rt_code_machine_pc(const struct rt_machine_code *code, uint32_t pc);
/* The number of operands known at a machine pc; with `index` below it, that operand's place in *ret (may be
 * NULL). */
struct rt_error *rt_code_operand(const struct rt_machine_code *code, uintptr_t machine, uint32_t index,
                                 uint32_t *ret_count, struct rt_operand_place *ret);

/* The register that holds a local's value, as its place in the frame does, at the site with this machine pc;
 * RT_NO_REGISTER when none does, and where no site is. The map does not tell: the function is compiled once
 * more. */
#define RT_NO_REGISTER 0xff
struct rt_error *rt_code_cached_register(const struct rt_machine_code *code, uintptr_t machine,
                                         uint32_t local, uint8_t *ret);

/* Parts of rt_engine_compiled that live in other files. */
struct rt_error *rt_compile_module(const struct rt_module *module, const struct rt_compile_options *options,
                                   struct rt_code **ret);
void rt_machine_code_destroy(struct rt_machine_code *code);
struct rt_error *rt_compiled_call(struct rt_func *func, const union rt_value *args, union rt_value *results);
bool rt_compiled_first(struct rt_store *store, struct rt_registers *registers, struct rt_activation *ret);
bool rt_compiled_caller(const struct rt_activation *activation, struct rt_activation *ret);
union rt_value rt_compiled_local(const struct rt_activation *activation, uint32_t local);
struct rt_error *rt_compiled_set_local(const struct rt_activation *activation, uint32_t local,
                                       union rt_value value);
struct rt_error *rt_compiled_operand_count(const struct rt_activation *activation, uint32_t *ret);
struct rt_error *rt_compiled_operand(const struct rt_activation *activation, uint32_t index,
                                     enum rt_type *type, union rt_value *ret);

#endif
