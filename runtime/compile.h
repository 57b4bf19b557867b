/* The state of the one-pass compiler, shared by its parts and the architectures (private to runtime/).
 *
 * The compiler walks a validated body once. Its operand stack is virtual: an operand is a constant, another
 * name for a local, a register, or in its slot of the frame, and moves there only when it must. At control
 * flow merges operands are in their slots (or constants), so that all paths agree.
 *
 * A local's value is always in its place of the frame. A free register may hold it as well: what reads the
 * local then reads the register. Nothing depends on that: it ends when the register is taken, the local
 * changes, paths meet, or a call is made. A site does not end it: a debugger that writes the local there
 * writes both (rt_code_cached_register).
 *
 * Frame places are named, not addressed; the architecture decides where they are. */
#ifndef LOCKSTEP_RUNTIME_COMPILE_H
#define LOCKSTEP_RUNTIME_COMPILE_H

#include "runtime/code.h"
#include "runtime/compile_notes.h"
#include "runtime/instance.h"

struct rt_target;

enum rt_register_class { RT_GENERAL, RT_VECTOR, RT_CLASS_COUNT };

static inline enum rt_register_class rt_class_of(enum rt_type type) {
    return type == RT_F32 || type == RT_F64 || type == RT_V128 ? RT_VECTOR : RT_GENERAL;
}

enum rt_operand_kind {
    RT_IN_SLOT = RT_WHERE_SLOT,
    RT_IN_REGISTER = RT_WHERE_REGISTER,
    RT_IS_CONSTANT = RT_WHERE_CONSTANT,
    RT_IS_LOCAL = RT_WHERE_LOCAL,
    RT_IN_FLAGS, /* only until the next instruction, which consumes it */
};

struct rt_operand {
    uint8_t kind;   /* enum rt_operand_kind */
    uint8_t type;   /* enum rt_type */
    uint8_t reg;    /* RT_IN_REGISTER; RT_IN_FLAGS: the architecture's condition */
    uint32_t index; /* RT_IN_SLOT: the operand's index; RT_IS_LOCAL: the local's */
    uint64_t bits;  /* RT_IS_CONSTANT; a v128 never is one */
};

enum rt_place_kind {
    RT_PLACE_LOCAL,    /* a local of this function */
    RT_PLACE_OPERAND,  /* an operand's slot */
    RT_PLACE_OUTGOING, /* an argument for a callee, or a result that it left there */
    RT_PLACE_RESULT,   /* a result for the caller: where this function's arguments came in */
};
struct rt_place {
    enum rt_place_kind kind;
    uint32_t index; /* RT_PLACE_OUTGOING and RT_PLACE_RESULT: of its first 8-byte word */
};

/* A place in code that jumps go to. Until it is bound, the fields of the jumps to it form a chain: each holds
 * the machine offset of the one before, 0 ends it. */
#define RT_UNBOUND UINT32_MAX
struct rt_label {
    uint32_t offset;
    uint32_t uses;
};

struct rt_control {
    uint32_t opcode; /* BLOCK, LOOP, IF, ELSE; UNREACHABLE for the function itself */
    uint32_t height; /* of the operand stack below the parameters */
    struct rt_func_type type;
    struct rt_label label, otherwise;
    uint32_t table_serial, table_stub; /* the stub that a br_table made for this label */
};

struct rt_vector_immediate { /* what a vector instruction has of these */
    uint32_t offset;
    uint8_t lane;
    uint8_t bytes[16]; /* a constant, or the lanes of a shuffle */
};

struct rt_trap_exit { /* a jump to an out-of-line trap */
    uint32_t field, origin;
    enum rt_trap trap;
};

struct rt_call_fixup { /* a call of a function that is not compiled yet */
    uint32_t field, function;
};

struct rt_site_question { /* which register holds a local at a site */
    uint32_t pc, local;
    uint32_t machine; /* answer: the site's offset */
    uint8_t reg;      /* answer, or RT_NO_REGISTER */
};

struct rt_pooled_vector { /* 16 bytes behind the function's code, and the field that shall name them */
    uint32_t field;
    uint8_t bytes[16];
};

struct rt_compiler {
    const struct rt_module *module;
    const struct rt_target *target;
    struct rt_instance_layout layout;
    struct rt_compile_options options;
    struct rt_machine_code *code;
    struct rt_error *error; /* the first one; compilation stops */

    /* Machine code: [start, next) is written, and there is room until limit. */
    uint8_t *start, *next, *limit;

    /* This function. */
    uint32_t function;
    const struct rt_body *body;
    struct rt_func_type type;
    uint8_t *local_types; /* enum rt_type, parameters first */
    uint32_t local_capacity;
    struct rt_frame_shape shape;
    uint32_t outgoing;    /* words of the outgoing area */
    uint32_t frame_field; /* the architecture's: where the frame's size goes in the prologue */

    /* This instruction. */
    struct rt_cursor cursor;
    uint32_t pc;
    uint32_t pc_offset; /* machine offset at its start */
    bool mapped;        /* it has a map entry */

    bool reachable;
    uint32_t dead_depth; /* blocks opened in code that cannot run */
    uint32_t table_serial;

    struct rt_operand *operands;
    uint32_t height, operand_capacity;
    uint32_t settled; /* operands below have neither register nor local */
    uint32_t aliases; /* RT_IS_LOCAL operands */
    uint32_t free[RT_CLASS_COUNT];
    uint32_t owners[RT_CLASS_COUNT][32];        /* operand index; RT_NO_OWNER when an instruction holds it */
    uint32_t cached[RT_CLASS_COUNT];            /* free registers that hold a local's value */
    uint32_t cached_locals[RT_CLASS_COUNT][32]; /* which local's */
    uint8_t *local_registers;                   /* by local: the last register that held it */
    uint32_t local_register_capacity;
    unsigned evicted; /* the register whose local's value made room last */

    struct rt_control *controls;
    uint32_t control_count, control_capacity;

    struct rt_trap_exit *trap_exits;
    uint32_t trap_exit_count, trap_exit_capacity;
    struct rt_call_fixup *fixups;
    uint32_t fixup_count, fixup_capacity;
    struct rt_pooled_vector *pool;
    uint32_t pool_count, pool_capacity;
    uint32_t trap_site_capacity;

    /* The map. */
    uint32_t map_machine, map_pc;
    uint32_t map_entries;     /* since the last checkpoint */
    uint32_t listed;          /* operands in the last list */
    uint32_t listed_the_same; /* of which so many are unchanged */
    uint32_t checkpoint_capacity;

    size_t next_site;  /* in options.sites */
    bool site_in_loop; /* the loop instruction that is being compiled is a site */
    size_t site_capacity;
    struct rt_site_question *question; /* NULL where nothing is asked */
    struct rt_notes *notes;            /* NULL where nothing is noted */
    uint32_t noted_the_same;           /* operands unchanged since the notes' last look */
};

#define RT_NO_OWNER UINT32_MAX

static inline uint32_t rt_here(const struct rt_compiler *c) {
    return (uint32_t)(c->next - c->start);
}
/* Makes room for `size` bytes of code. When that fails the error is set and code goes to the start again, so
 * that writing stays inside. */
void rt_compile_grow(struct rt_compiler *c, size_t size);
static inline void rt_compile_reserve(struct rt_compiler *c, size_t size) {
    if ((size_t)(c->limit - c->next) < size)
        rt_compile_grow(c, size);
}
/* Keeps the first error. */
void rt_compile_fail(struct rt_compiler *c, struct rt_error *error);
/* Grows an array to hold `count` elements; false (and the error set) when it cannot. */
bool rt_compile_array(struct rt_compiler *c, void *array, uint32_t *capacity, size_t count, size_t size);

/* The signed rt_read_uleb. */
static inline int64_t rt_read_sleb(struct rt_cursor *cursor) {
    uint64_t value = 0;
    for (unsigned shift = 0; cursor->next < cursor->end && shift < 64;) {
        uint8_t byte = *cursor->next++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (!(byte & 0x80)) {
            if ((byte & 0x40) && shift < 64)
                value |= ~(uint64_t)0 << shift;
            break;
        }
    }
    return (int64_t)value;
}

/* ---- compile_operands.c: the operand stack and the registers ---- */

void rt_operands_clear(struct rt_compiler *c);
void rt_push_register(struct rt_compiler *c, enum rt_type type, uint8_t reg);
/* An i32 that is the architecture's condition, for the next instruction alone. */
void rt_push_flags(struct rt_compiler *c, uint8_t condition);
void rt_push_constant(struct rt_compiler *c, enum rt_type type, uint64_t bits);
/* The operand is in its slot already. */
void rt_push_slot(struct rt_compiler *c, enum rt_type type);
/* Another name for the local, or its value in a register. */
void rt_push_local(struct rt_compiler *c, uint32_t local);
/* Takes the top operand. Its register, if any, is held by the instruction until it is pushed or given back.
 * The popped operand stays known above the stack's top for rt_map_operands, until the next push. */
struct rt_operand rt_pop(struct rt_compiler *c);
/* rt_pop, and its value in a register that the instruction then holds (and may change). */
uint8_t rt_pop_register(struct rt_compiler *c, enum rt_type *ret_type);
/* rt_pop, and its value in this very register. The register must be free or the operand's own, or belong to
 * an operand of the stack. */
void rt_pop_into(struct rt_compiler *c, uint8_t reg);
/* Forgets operands above `height`. */
void rt_drop_to(struct rt_compiler *c, uint32_t height);
/* A register that the instruction holds; another operand may move to its slot for it, by instructions that
 * change no flags. */
uint8_t rt_take_register(struct rt_compiler *c, enum rt_register_class class);
/* This one; what was in it moves. It must not be held. */
void rt_take_this_register(struct rt_compiler *c, enum rt_register_class class, uint8_t reg);
void rt_give_register(struct rt_compiler *c, enum rt_register_class class, uint8_t reg);
/* Gives back the register of a popped operand. */
static inline void rt_give_operand(struct rt_compiler *c, const struct rt_operand *operand) {
    if (operand->kind == RT_IN_REGISTER)
        rt_give_register(c, rt_class_of((enum rt_type)operand->type), operand->reg);
}
/* Before a call: no operand is in a register. */
void rt_spill_registers(struct rt_compiler *c);
/* Before control flow: no operand is in a register or another name for a local, and the top `count` are in
 * their slots. Changes no flags. */
void rt_settle(struct rt_compiler *c, uint32_t count);
/* Before a local changes: no operand is another name for it, and no register holds it. */
void rt_detach_local(struct rt_compiler *c, uint32_t local);
/* A register, given back already, holds the local's value from here on. */
void rt_cache_local(struct rt_compiler *c, uint32_t local, uint8_t reg);
/* No register holds a local's value from here on. */
static inline void rt_forget_locals(struct rt_compiler *c) {
    for (unsigned class = 0; class < RT_CLASS_COUNT; class ++)
        c->cached[class] = 0;
}
/* The free register that holds the value of an operand which is another name for a local: to be read only,
 * before another register is taken. RT_NO_REGISTER when there is none. */
static inline uint8_t rt_cached_register(const struct rt_compiler *c, const struct rt_operand *operand) {
    if (operand->kind != RT_IS_LOCAL)
        return RT_NO_REGISTER;
    enum rt_register_class class = rt_class_of((enum rt_type)operand->type);
    uint8_t reg = c->local_registers[operand->index];
    bool holds = c->cached[class] >> reg & 1 && c->cached_locals[class][reg] == operand->index;
    return holds ? reg : RT_NO_REGISTER;
}

/* ---- compile_control.c: blocks, branches, calls ---- */

/* Remembers that the field at this machine offset is a jump's to the label (or fills it in). */
void rt_use_label(struct rt_compiler *c, struct rt_label *label, uint32_t field);
/* Adds an out-of-line trap; `field` is the jump's that goes there. The operands up to `height` are known at
 * the machine offset `origin`, where the jump is. */
void rt_trap_exit(struct rt_compiler *c, enum rt_trap trap, uint32_t field, uint32_t origin);
/* Compiles BLOCK to RETURN, and CALL and CALL_INDIRECT; the opcode is read. */
void rt_compile_control(struct rt_compiler *c, uint32_t opcode);
/* ELSE or END where the code before cannot run. */
void rt_compile_revival(struct rt_compiler *c, uint32_t opcode);
void rt_compile_builtin(struct rt_compiler *c, enum rt_builtin builtin, const uint32_t *immediates,
                        int result_type);

/* ---- compile_map.c: the map ---- */

void rt_map_function(struct rt_compiler *c);
/* This instruction made code: gives it an entry, if it has none. */
void rt_map_instruction(struct rt_compiler *c);
/* compile.c: makes the present instruction a probe site, here. */
void rt_compile_site(struct rt_compiler *c);
/* Lists the operands below `height` (popped ones included) at the current machine offset. */
void rt_map_operands(struct rt_compiler *c, uint32_t height);
/* Operands from `index` on have changed. */
static inline void rt_map_changed(struct rt_compiler *c, uint32_t index) {
    if (c->listed_the_same > index)
        c->listed_the_same = index;
    if (c->noted_the_same > index)
        c->noted_the_same = index;
}

/* ---- compile.c ---- */

/* Whether a condition may stay in the flags: the next instruction takes it from there, and is no site. */
bool rt_condition_follows(const struct rt_compiler *c);

#endif
