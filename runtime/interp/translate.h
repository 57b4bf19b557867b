/* The translator: from a validated body to the interpreter's stream (private to runtime/interp/).
 *
 * It walks a body once with an operand stack of places. An instruction reads its operands where they are and
 * writes its result to the place of the result's height; a `local.set` behind it makes it write to the local
 * instead, and a branch takes over the comparison before it. Neither happens across a site or a label. At
 * each label all operands are in their slots, so that all paths agree. */
#ifndef LOCKSTEP_RUNTIME_INTERP_TRANSLATE_H
#define LOCKSTEP_RUNTIME_INTERP_TRANSLATE_H

#include "runtime/interp/interp.h"

#define RT_NO_WORD UINT32_MAX

struct rt_translator_operand {
    uint64_t value; /* a constant's bits, or a local's slot */
    uint32_t slot;  /* its place by height */
    uint32_t node;  /* its list, when it is among the first `known_nodes` */
    uint8_t type, kind;
};

struct rt_translator_local {
    uint32_t slot;
    uint32_t names; /* operands that are another name for it */
    enum rt_type type;
};

/* Where branches go: a word of the stream, or the chain of the words that shall hold the distance to it. */
struct rt_translator_label {
    uint32_t word;
    uint32_t uses; /* the last word that uses it, which holds the one before */
};

struct rt_translator_control {
    uint32_t opcode; /* BLOCK, LOOP, IF, ELSE; UNREACHABLE for the function's own */
    uint32_t height; /* operands below its parameters */
    struct rt_func_type type;
    struct rt_translator_label label, otherwise;
    uint32_t table; /* the last branch table with a path of its own to here, and that path */
    struct rt_translator_label table_path;
};

struct rt_translator {
    const struct rt_module *module;
    const struct rt_compile_options *options;
    const int32_t *handlers;
    struct rt_instance_layout layout;
    struct rt_interp_code *code;
    struct rt_error *error; /* the first; nothing that is written after it counts */

    /* What grows with the module. */
    size_t word_capacity, place_capacity, node_capacity, site_capacity;
    uint32_t *node_slots; /* open addressing: a node's index, or 0 */
    size_t node_slot_count;
    struct rt_call_word { /* a call whose callee may not be there yet */
        uint32_t word, function;
    } *calls;
    size_t call_count, call_capacity;
    size_t next_site; /* of options->sites */

    /* The function. */
    uint32_t function; /* index, imports counted */
    const struct rt_body *body;
    struct rt_func_type type;
    struct rt_cursor cursor;
    struct rt_translator_local *locals;
    size_t local_capacity;
    uint32_t local_slots, frame_slots;
    struct rt_translator_operand *operands;
    size_t operand_capacity;
    uint32_t height, known_nodes;
    uint32_t settled; /* so many of the lowest are known to be in their places */
    uint32_t names;   /* operands that are another name for a local */
    struct rt_translator_control *controls;
    size_t control_capacity;
    uint32_t control_count;
    bool reachable;
    uint32_t dead_depth; /* blocks opened in code that cannot run */

    /* The instruction. */
    uint32_t pc;
    uint32_t start_height; /* before it; its operands stay in `operands` until it pushes */
    bool site_in_loop;     /* it is a `loop` and a site */
    bool site_waits;       /* the newest site takes the next instruction's first word */
    uint32_t site_pc, site_node;

    /* The last instruction of the stream, while its result may still change: its destination is its first
     * operand, `last_operand` is what it made. */
    uint32_t last, last_operand;
    uint32_t last_compare; /* the opcode of an integer comparison, else 0 */
    bool last_constant;    /* its right side is a constant */
};

/* translate_emit.c */
void rt_translate_fail(struct rt_translator *t, struct rt_error *error);
/* Makes room for one more in an array; false when there is no memory. */
bool rt_translate_room(struct rt_translator *t, void *array, size_t *capacity, size_t count, size_t size);
/* Writes an instruction; its first word, where the map and a waiting site point. */
uint32_t rt_emit(struct rt_translator *t, uint32_t handler, const uint32_t *operands, uint32_t count);
#define RT_EMIT(t, handler, ...)                                                                             \
    rt_emit(t, handler, (const uint32_t[]){__VA_ARGS__},                                                     \
            sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
/* A branch table, with room for the distances. */
uint32_t rt_emit_table(struct rt_translator *t, uint32_t index, uint32_t count);
/* Lets the word hold the distance to a defined function, when all are there. */
void rt_emit_callee(struct rt_translator *t, uint32_t word, uint32_t function);
/* The call that was written last is executing at its last word: the operands are those that are left. */
void rt_emit_calling(struct rt_translator *t);
void rt_emit_site(struct rt_translator *t);
/* Lets the word hold the distance to the label. */
void rt_label_use(struct rt_translator *t, struct rt_translator_label *label, uint32_t word);
/* The label is here. */
void rt_label_bind(struct rt_translator *t, struct rt_translator_label *label);

/* translate_operands.c: operands, by index from the bottom */
/* The slot of the operand that will have this index. */
uint32_t rt_place_slot(const struct rt_translator *t, uint32_t index);
void rt_operand_push(struct rt_translator *t, enum rt_type type);
void rt_operand_push_constant(struct rt_translator *t, enum rt_type type, uint64_t bits);
void rt_operand_push_local(struct rt_translator *t, uint32_t local);
void rt_operands_drop(struct rt_translator *t, uint32_t height);
/* The slot that holds it; a constant is written to its place first. */
uint32_t rt_operand_slot(struct rt_translator *t, uint32_t index);
/* Copies it to any slot and changes nothing else. */
void rt_operand_copy(struct rt_translator *t, uint32_t index, uint32_t slot);
/* Puts the operands from `from` on, before `to`, into their places. */
void rt_operands_settle(struct rt_translator *t, uint32_t from, uint32_t to);
/* Makes that no operand is another name for a local. */
void rt_operands_detach(struct rt_translator *t);
/* Whether it is a constant that an instruction can hold; *ret is its word. */
bool rt_operand_constant(const struct rt_translator *t, uint32_t index, uint32_t *ret);
/* Pops `count` operands and pushes what the instruction at `word` made. */
void rt_operand_result(struct rt_translator *t, uint32_t word, uint32_t count, enum rt_type type);

/* translate_control.c */
void rt_translate_control(struct rt_translator *t, uint32_t opcode);
/* An `else` or `end` of the block where code became unreachable. */
void rt_translate_revival(struct rt_translator *t, uint32_t opcode);
/* The function's own label. */
void rt_translate_begin(struct rt_translator *t);

/* translate_numeric.c: everything that computes, and memory */
void rt_translate_numeric(struct rt_translator *t, uint32_t opcode);
/* The type that a letter of opcodes.def's signatures stands for. */
enum rt_type rt_translate_type(char letter);
/* The handler of a branch taken when the comparison is (or is not) true; `constant` tells its form. */
enum rt_handler rt_compare_branch(uint32_t compare, bool when, bool constant);

/* translate_vector.c: SIMD */
void rt_translate_vector(struct rt_translator *t, uint32_t opcode);

/* translate.c: immediates of a validated body */
uint32_t rt_translate_u32(struct rt_translator *t);

#endif
