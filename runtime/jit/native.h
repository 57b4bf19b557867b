/* DWARF of a module rewritten for its compiled code (private to runtime/jit/). Reading order: native.c (the
 * visitor and its ranges), native_types.c (pointers), native_expression.c with native_translation.h (one
 * expression for one machine range), native_scope.c (what the expressions of a scope share),
 * native_location.c (for which ranges), native_lines.c, native_faults.c (what tests plant). */
#ifndef LOCKSTEP_RUNTIME_JIT_NATIVE_H
#define LOCKSTEP_RUNTIME_JIT_NATIVE_H

#include "runtime/dwarf/dwarf.h"
#include "runtime/jit/jit.h"

/* A pointer of the input, and what is added for it. */
struct rt_native_pointer {
    uint64_t position;
    uint64_t wide;   /* name of the process's pointer to the same type; 0: nobody asked */
    uint64_t target; /* name of what the input's pointer leads to; likewise */
};

/* What a DIE's type is, past typedefs and qualifiers. */
struct rt_native_type {
    enum {
        RT_NATIVE_OTHER,
        RT_NATIVE_POINTER,  /* to data: `position` is its DIE */
        RT_NATIVE_FUNCTION, /* a pointer to a function: an index into a table */
    } kind;
    uint64_t position;
    uint64_t size; /* bytes of the input; 0: not known */
};
/* A type that was looked at, by the position that a DW_AT_type has. */
struct rt_native_known_type {
    uint64_t name; /* position + 1; 0: nothing is here */
    bool is_found; /* there is such a DIE */
    bool is_pointer;
    struct rt_native_type type;
};

/* The part of [low, high) that is one function's; `whole`: all of its body. False when there is none from
 * low on. */
struct rt_native_part {
    uint32_t function;
    uint32_t low, high; /* Wasm pcs */
    bool is_whole;
};
/* Something whose place depends on the machine pc. */
struct rt_native_need {
    enum { RT_NATIVE_LOCAL, RT_NATIVE_OPERAND, RT_NATIVE_INSTANCE } kind;
    uint32_t index;
};

/* The function that a DIE is in. */
struct rt_native_function {
    uint64_t name;                   /* its position + 1; 0: none was asked about */
    struct rt_dwarf_span frame_base; /* empty where it has none that is one expression */
    bool has_code;
};

/* Where a need is in one part of a scope. */
struct rt_native_found {
    const struct rt_placed_range *ranges;
    size_t count;
    const char *reason; /* why it cannot be anywhere, or NULL */
};

enum { RT_NATIVE_MOST_KNOWN = 16 };

/* The code of a DIE's scope, and where things are in it. */
struct rt_native_scope {
    uint64_t name; /* the DIE's position + 1; 0: empty */
    struct rt_native_part *parts;
    size_t count;
    struct rt_native_known {
        struct rt_native_need need;
        const struct rt_native_found *found; /* in each part */
    } known[RT_NATIVE_MOST_KNOWN];
    unsigned known_count;
    struct rt_arena arena;
};

enum {
    RT_NATIVE_MOST_TYPES = 1024, /* a power of 2 */
};

struct rt_native {
    const struct rt_code_map *map;
    const struct rt_module *module;
    struct rt_instance *instance; /* NULL: found through the frame */
    bool has_memory;
    uint64_t memory_base;  /* of the instance */
    struct rt_arena arena; /* of one hook's call */
    enum rt_native_fault fault;

    struct rt_native_pointer *pointers; /* of this unit, ascending by position */
    size_t pointer_count, pointer_capacity;
    uint64_t table_index; /* name of this unit's type of function pointers; 0: not met */

    /* What was asked about last, and is asked about again and again. */
    uint32_t last_function; /* index */
    struct rt_native_function function;
    struct rt_native_scope unit_scope, inner_scope;
    struct rt_native_known_type types[RT_NATIVE_MOST_TYPES];
};

enum { /* what dwarf.h has no names for */
       RT_NATIVE_TAG_array_type = 0x01,
       RT_NATIVE_TAG_enumeration_type = 0x04,
       RT_NATIVE_TAG_member = 0x0d,
       RT_NATIVE_TAG_reference_type = 0x10,
       RT_NATIVE_TAG_subroutine_type = 0x15,
       RT_NATIVE_TAG_union_type = 0x17,
       RT_NATIVE_TAG_inheritance = 0x1c,
       RT_NATIVE_TAG_const_type = 0x26,
       RT_NATIVE_TAG_volatile_type = 0x35,
       RT_NATIVE_TAG_restrict_type = 0x37,
       RT_NATIVE_TAG_rvalue_reference_type = 0x42,
       RT_NATIVE_TAG_atomic_type = 0x47,
       RT_NATIVE_TAG_call_site = 0x48,
       RT_NATIVE_TAG_call_site_parameter = 0x49,
       RT_NATIVE_TAG_GNU_call_site = 0x4109,
       RT_NATIVE_TAG_GNU_call_site_parameter = 0x410a,
       RT_NATIVE_AT_bit_offset = 0x0c,
       RT_NATIVE_AT_calling_convention = 0x36,
       RT_NATIVE_AT_data_bit_offset = 0x6b,
};

bool rt_native_next_part(struct rt_native *native, uint64_t low, uint64_t high, struct rt_native_part *ret);

/* ---- native_types.c ---- */

struct rt_error *rt_native_type_of(struct rt_native *native, struct rt_dwarf_pass *pass,
                                   const struct rt_dwarf_die *die, struct rt_native_type *ret);
/* A number's bits, and whether it is of a base type with a sign. */
struct rt_native_integer {
    uint8_t bits; /* 0: no integer */
    bool is_signed;
};
/* The base type at a position. */
struct rt_error *rt_native_base_type(struct rt_dwarf_pass *pass, uint64_t position,
                                     struct rt_native_integer *ret);
/* The hooks' share of it. */
struct rt_error *rt_native_type_attribute(struct rt_native *native, struct rt_dwarf_pass *pass,
                                          const struct rt_dwarf_die *die, struct rt_dwarf_attribute *at);
struct rt_error *rt_native_type_end(struct rt_native *native, struct rt_dwarf_pass *pass,
                                    const struct rt_dwarf_die *die);
/* Before the end of a unit: adds the types that it was found to need. */
struct rt_error *rt_native_add_types(struct rt_native *native, struct rt_dwarf_pass *pass);

/* ---- native_scope.c ---- */

/* The function of a DIE; NULL where it is in none. It lives until the next call. */
struct rt_error *rt_native_function_of(struct rt_native *native, struct rt_dwarf_pass *pass,
                                       const struct rt_dwarf_die *die, const struct rt_native_function **ret);
/* The scope in which an object of a DIE has its place. It lives until the end of the hook's call. */
struct rt_error *rt_native_scope_of(struct rt_native *native, struct rt_dwarf_pass *pass,
                                    const struct rt_dwarf_die *die, struct rt_native_scope **ret);
/* Where a need is in each part of a scope; it lives until the end of the hook's call. */
struct rt_error *rt_native_scope_find(struct rt_native *native, struct rt_native_scope *scope,
                                      const struct rt_native_need *need, const struct rt_native_found **ret);
/* Where a need is in a part. */
struct rt_error *rt_native_find(struct rt_native *native, const struct rt_native_part *part,
                                const struct rt_native_need *need, struct rt_arena *arena,
                                struct rt_native_found *ret);
void rt_native_scopes_clear(struct rt_native *native);

/* ---- native_expression.c ---- */

enum { RT_NATIVE_MOST_NEEDS = 8 };

/* An expression with what it is for. */
struct rt_native_expression {
    const struct rt_dwarf_die *die;
    struct rt_dwarf_span bytes;
    struct rt_dwarf_span frame_base; /* of its function */
    bool is_value;                   /* of an attribute that is a number, not a place */
    struct rt_native_type type;      /* of the object */
    struct rt_native_need needs[RT_NATIVE_MOST_NEEDS];
    unsigned need_count;
};

/* Finds out what the expression needs. *ret_reason: why it cannot be translated at all, or NULL. */
struct rt_error *rt_native_expression_needs(struct rt_native *native, struct rt_dwarf_pass *pass,
                                            struct rt_native_expression *expression, const char **ret_reason);
/* Builds the output's expression, with what is needed in these places. */
struct rt_error *rt_native_expression_put(struct rt_native *native, struct rt_dwarf_pass *pass,
                                          const struct rt_native_expression *expression,
                                          const struct rt_machine_place *const *places,
                                          const char **ret_reason);

/* ---- native_faults.c ---- */

/* A visitor that makes a mistake: its hooks stand before those of the sound one. */
struct rt_native_faulty {
    struct rt_native *native;
    struct rt_dwarf_visitor sound;
    uint64_t unit;           /* past the position of the last sequence's; 0: none */
    uint64_t last;           /* position of what was met last */
    struct rt_dwarf_row row; /* the last one of the function before */
};
/* Puts the native's fault into the visitor. */
void rt_native_plant(struct rt_native_faulty *faulty, struct rt_native *native,
                     struct rt_dwarf_visitor *visitor);

/* ---- Hooks in other files ---- */

struct rt_error *rt_native_location(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                    unsigned name, const struct rt_dwarf_range *range,
                                    struct rt_dwarf_span expression);
struct rt_error *rt_native_sequence(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                    const struct rt_dwarf_row *rows, size_t count);

#endif
