/* What a compilation writes down beside its code when it is asked: where each operand is over which machine
 * offsets, which machine offset belongs to which Wasm pc, and where functions return (private to runtime/).
 *
 * Ordinary code keeps none of this. The compiler makes the same code from the same body and sites, so who
 * wants the notes compiles once more (rt_compile_notes). */
#ifndef LOCKSTEP_RUNTIME_COMPILE_NOTES_H
#define LOCKSTEP_RUNTIME_COMPILE_NOTES_H

#include "runtime/code.h"

struct rt_compiler;

/* From this machine offset to the next entry's, code belongs to the instruction at this Wasm pc. */
struct rt_noted_entry {
    uint32_t machine, pc;
};

/* An operand of the stack and its place, over the machine offsets [low, high). */
struct rt_noted_operand {
    uint32_t low, high;
    uint32_t index;
    uint8_t where, type; /* enum rt_where, enum rt_type */
    uint64_t value;      /* as struct rt_operand_place has it */
};

/* Code that hands the results over and leaves its function; where there are several results they go where
 * the parameters are. The architecture's epilogue ends at `high`. */
struct rt_noted_return {
    uint32_t low, high;
    bool overwrites; /* the parameters, from `low` on */
};

/* The machine code [low, high) of a call instruction, and the Wasm pcs [pc, past) of the call that it is. */
struct rt_noted_call {
    uint32_t low, high;
    uint32_t pc, past;
};

/* Where a function's notes begin; those of the next function follow. */
struct rt_noted_function {
    uint32_t entry, operand, returns, call;
};

struct rt_notes {
    struct rt_noted_function *functions; /* of the defined ones, and one past the last */
    struct rt_noted_entry *entries;      /* ascending by both */
    struct rt_noted_operand *operands;   /* of a function: ascending by `high`, but for equal places' ends */
    struct rt_noted_return *returns;     /* ascending */
    struct rt_noted_call *calls;         /* of functions, not of builtins; ascending by both */
    uint32_t entry_count, operand_count, return_count, call_count;
    uint32_t entry_capacity, operand_capacity, return_capacity, call_capacity;

    /* While it is compiled: the operands at the last look, which was at the machine offset `at`. */
    struct rt_noted_operand *open;
    uint32_t open_count, open_capacity, at;
};

/* Compiles all functions once more. *ret is cleared by rt_notes_clear, after an error, too. */
struct rt_error *rt_compile_notes(const struct rt_machine_code *code, struct rt_notes *ret);
void rt_notes_clear(struct rt_notes *notes);

/* ---- For the compiler; c->notes is not NULL ---- */

void rt_note_function(struct rt_compiler *c, uint32_t defined);
void rt_note_entry(struct rt_compiler *c, uint32_t machine, uint32_t pc);
/* The operands below `height` (popped ones included) are where c->operands says, at the current offset. */
void rt_note_operands(struct rt_compiler *c, uint32_t height);
void rt_note_return(struct rt_compiler *c, uint32_t low);
/* The call instruction at `low` ends here. */
void rt_note_call(struct rt_compiler *c, uint32_t low);
/* No operand is known from here on. */
void rt_note_end(struct rt_compiler *c);

#endif
