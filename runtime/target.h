/* An architecture (private to runtime/). To add one: a folder that fills in this table, and its line in
 * rt_target_host. Everything else of the runtime is the same for all.
 *
 * Rules for compiled code:
 * - One register holds the running instance, one its memory's base; a frame pointer chain links the frames;
 *   the word below the frame pointer is the instance.
 * - An i32 in a register is zero-extended.
 * - Arguments are slots in the caller's outgoing area, where the callee reads them; the first result comes
 *   back in a register, the others in the same slots. A slot is one 8-byte word, or two when any parameter or
 *   result of the type is a v128 (rt_func_type_has_vectors). A call keeps no other register.
 * - A frame's slots are of one word, or of two when the body has v128s (rt_frame_shape). A slot of two words
 *   is aligned to 16.
 * - load, store, copy and move change no flags, and need no registers but scratch ones. */
#ifndef LOCKSTEP_RUNTIME_TARGET_H
#define LOCKSTEP_RUNTIME_TARGET_H

#include "runtime/compile.h"

struct rt_frame_rules; /* frame_rules.h */

struct rt_target {
    const char *name;

    /* Registers that operands may be in, by class, and those to take first. Bit n is number n. */
    uint32_t registers[RT_CLASS_COUNT];
    uint32_t preferred[RT_CLASS_COUNT];
    uint8_t result[RT_CLASS_COUNT]; /* of a call's first result */

    /* RT_UNSUPPORTED when this processor lacks what compiled code uses. */
    struct rt_error *(*check)(void);

    /* ---- Code ---- */

    /* What stands before all functions: the probe thunk (code->probe_thunk, probe_stub, no_stub) and
     * constants. */
    void (*begin_code)(struct rt_compiler *c);
    void (*end_code)(struct rt_machine_code *code, uint8_t *writable);
    /* Prologue: frame, stack check, zeroed locals. end_function completes it and adds the trap exits. */
    void (*begin_function)(struct rt_compiler *c);
    void (*end_function)(struct rt_compiler *c);
    /* Sets the jump or call field at a machine offset. */
    void (*set_field)(uint8_t *start, uint32_t field, uint32_t to);
    void (*site)(struct rt_compiler *c);
    /* Writes a site's instruction through the writable view. */
    void (*set_probe)(uint8_t *start, uint32_t site, uint32_t thunk, bool enabled);
    /* After code was changed. */
    void (*synchronise)(void);

    /* ---- Operands ---- */

    void (*load)(struct rt_compiler *c, uint8_t reg, const struct rt_operand *operand);
    void (*store)(struct rt_compiler *c, struct rt_place to, const struct rt_operand *operand);
    void (*copy)(struct rt_compiler *c, enum rt_type type, struct rt_place to, struct rt_place from);
    void (*move)(struct rt_compiler *c, enum rt_type type, uint8_t to, uint8_t from);

    /* ---- Control ---- */

    /* Sets the flags for "not zero" from a popped i32, and gives its register back. */
    uint8_t (*test)(struct rt_compiler *c, const struct rt_operand *operand);
    uint8_t (*invert)(uint8_t condition);
    void (*jump)(struct rt_compiler *c, struct rt_label *label);
    void (*branch)(struct rt_compiler *c, uint8_t condition, struct rt_label *label);
    /* Jumps by a register's value, values past `count` as count itself; returns the machine offset of count +
     * 1 fields of 4 bytes. */
    uint32_t (*jump_table)(struct rt_compiler *c, uint8_t reg, uint32_t count);
    void (*leave)(struct rt_compiler *c);
    void (*trap)(struct rt_compiler *c, enum rt_trap trap);

    /* ---- Calls ---- */

    void (*call_defined)(struct rt_compiler *c, uint32_t function);
    /* A register with an import, or with the checked element of a table (its index is popped). */
    uint8_t (*import)(struct rt_compiler *c, uint32_t function);
    uint8_t (*element)(struct rt_compiler *c, uint32_t type, uint32_t table);
    void (*call_pointer)(struct rt_compiler *c, uint8_t reg);
    /* Its operands are in the outgoing area and popped; `operands` of them are known above the stack. The
     * trap is RT_TRAP_COUNT when it has none. */
    void (*call_builtin)(struct rt_compiler *c, enum rt_builtin builtin, uint32_t operands,
                         enum rt_trap trap);

    /* ---- Instructions: operands are popped, results pushed ---- */

    void (*numeric)(struct rt_compiler *c, uint32_t opcode); /* i32.eqz to i64.extend32_s, trunc_sat */
    void (*memory_load)(struct rt_compiler *c, uint32_t opcode, uint32_t offset);
    void (*memory_store)(struct rt_compiler *c, uint32_t opcode, uint32_t offset);
    void (*memory_size)(struct rt_compiler *c);
    void (*select)(struct rt_compiler *c);
    void (*global_get)(struct rt_compiler *c, uint32_t global);
    void (*global_set)(struct rt_compiler *c, uint32_t global);
    void (*table_size)(struct rt_compiler *c, uint32_t table);
    void (*ref_func)(struct rt_compiler *c, uint32_t function);
    void (*ref_is_null)(struct rt_compiler *c);

    /* Any instruction behind the prefix 0xfd. */
    void (*vector)(struct rt_compiler *c, uint32_t opcode, const struct rt_vector_immediate *immediate);

    /* ---- Running ---- */

    /* Calls machine code with `count` words at `slots`, results put back there and in entry. True when it was
     * unwound. */
    bool (*enter)(struct rt_entry *entry, const void *code, struct rt_instance *instance, uint64_t *slots,
                  uint64_t count);
    const void *host_call, *builtin_call; /* thunks that call rt_host_call and rt_builtin_call */
    const void *unwind;                   /* ends the innermost entry; needs the instance register only */
    /* Of an interrupted thread's context: its pc, and the instance register. */
    uintptr_t (*context_pc)(const void *context);
    void (*context_set_pc)(void *context, uintptr_t pc);
    struct rt_instance *(*context_instance)(const void *context);
    /* The kind of the explicit trap at this pc, or RT_TRAP_COUNT. */
    enum rt_trap (*trap_at)(uintptr_t pc);
    /* How a debugger unwinds compiled code. */
    const struct rt_frame_rules *frame_rules;
    /* Numbers of the frame pointer in struct rt_registers. */
    uint8_t frame_pointer;
    /* Address of a frame's place. */
    uintptr_t (*address)(uintptr_t frame, const struct rt_frame_shape *shape, struct rt_place place);
};

extern const struct rt_target rt_target_x86_64;

/* The architecture of this process; NULL where only the interpreter runs. */
static inline const struct rt_target *rt_target_host(void) {
#ifdef __x86_64__
    return &rt_target_x86_64;
#else
    return NULL;
#endif
}

#endif
