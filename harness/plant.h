/* The table of faults that are planted. Those in a file's debug information, one at a time: which there could
 * be (plant_survey.c), and a copy of the file that has one of them (plant_apply.c). Everything else stays as
 * it was.
 *
 * The file that faults are planted in is a *base*: the program's own unit alone, rewritten without a fault,
 * with a sequence of line rows for each function. */
#ifndef LOCKSTEP_HARNESS_PLANT_H
#define LOCKSTEP_HARNESS_PLANT_H

#include "harness/dwarf_file.h"
#include "harness/witness.h"

enum hx_plant_class {
#define HX_PLANT(NAME, word, pairing, kinds, names, what) HX_PLANT_##NAME,
#include "harness/plants.def"
#undef HX_PLANT
    HX_PLANT_COUNT,
};

/* What a fault is compared with. */
enum hx_pairing { HX_BUILDS, HX_TWINS, HX_TRACES };

/* What a fault is in. */
enum hx_side { HX_SIDE_NATIVE, HX_SIDE_WASM, HX_SIDE_TRACE, HX_SIDE_COUNT };
enum { HX_BUILD_SIDES = 2 }; /* those that are built of a program */
extern const char *const hx_side_words[HX_SIDE_COUNT];
static inline enum hx_witness_kind hx_side_witness(enum hx_side side) {
    return side == HX_SIDE_NATIVE ? HX_WITNESS_NATIVE : HX_WITNESS_WASM;
}

/* Kinds of findings, as bits by enum or_kind. */
enum {
    HX_KINDS_NONE = 0,
    HX_KINDS_PLACES = 1 << OR_LOCATION | 1 << OR_LINE_MISSING | 1 << OR_STACK,
    HX_KINDS_VALUES =
        1 << OR_SCOPE | 1 << OR_TYPE | 1 << OR_VALUE | 1 << OR_OPTIMIZED_OUT | 1 << OR_IRRETRIEVABLE,
    HX_KINDS_ANY = HX_KINDS_PLACES | HX_KINDS_VALUES,
};

enum { HX_NAMES_FUNCTION = 1, HX_NAMES_LINE = 2, HX_NAMES_VARIABLE = 4, HX_NAMES_EVENT = 8 };

struct hx_plant_row { /* of the table of classes */
    const char *word, *what;
    enum hx_pairing pairing;
    unsigned kinds, names;
};
extern const struct hx_plant_row hx_plant_rows[HX_PLANT_COUNT];
/* False when there is no class of that name. */
bool hx_plant_find(const char *word, enum hx_plant_class *ret);

/* One fault that can be planted. What `at`, `other`, `index` and `addresses` are is between survey and
 * planting.
 */
struct hx_plant {
    enum hx_plant_class class;
    uint64_t at, other;
    uint32_t index;
    const uint64_t *addresses;  /* `index` of them */
    bool is_live;               /* it concerns code that was executed */
    const char *function;       /* that it is in, or NULL */
    const char *partner;        /* another function that it concerns, or NULL */
    const char *variable;       /* that it is about, or NULL: the second reader knows which it changes */
    uint32_t lines[2];          /* of a row: that it had, and that it gets; 0: none */
    struct rt_dwarf_range code; /* of a row: what it is over */
};

struct hx_plants {
    struct hx_plant *items;
    size_t count;
};

/* The pcs that were executed, ascending. */
struct hx_live {
    const uint64_t *pcs;
    size_t count;
};

/* Writes a copy of the file with the DWARF of the units of `source` (a path; its last part counts) alone.
 * RT_USAGE when no unit has that name. */
RT_MUST_USE struct rt_error *hx_plant_base(const struct hx_dwarf_file *file, const char *source,
                                           const char *path);
/* All faults that can be planted in a base. In the arena. */
RT_MUST_USE struct rt_error *hx_plant_survey(const struct hx_dwarf_file *base, const struct hx_live *live,
                                             struct rt_arena *arena, struct hx_plants *ret);
/* Writes a copy of the base with one of its faults; NULL: without any. */
RT_MUST_USE struct rt_error *hx_plant_apply(const struct hx_dwarf_file *base, const struct hx_plant *plant,
                                            const char *path);

/* Whether an operation says that a value is in a register. */
static inline bool hx_plant_is_register(uint8_t code) {
    return code >= RT_DWARF_OP_reg0 && code <= RT_DWARF_OP_reg31;
}
/* A DIE's name: its own, else that of its abstract origin or specification; NULL: it has none. In the arena.
 */
RT_MUST_USE struct rt_error *hx_plant_name(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                           struct rt_arena *arena, const char **ret);
/* The abbreviation at that index in a .debug_abbrev, where it can be faulted: the offset of the byte to
 * replace and what comes there. *ret_is_end past the last one; *ret_at 0 where it cannot be. */
RT_MUST_USE struct rt_error *hx_plant_abbreviation(struct rt_dwarf_span section, uint32_t index,
                                                   size_t *ret_at, uint8_t *ret_byte, bool *ret_is_end);

#endif
