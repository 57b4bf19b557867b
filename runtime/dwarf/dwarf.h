/* Rewriting DWARF: a pass that walks an input and builds an output, and a visitor that decides what becomes
 * of each thing on the way. This is the public header of runtime/dwarf/.
 *
 * The pass knows DWARF: forms, tables of indices, lists and their base addresses, references between DIEs. It
 * knows nothing of WebAssembly or of any machine. A visitor knows how addresses and expressions translate; it
 * never sees a form, an index or an offset of the output. A hook that is NULL keeps what is there: a visitor
 * without hooks is the identity.
 *
 * Input: DWARF 4 and 5, both offset sizes, addresses of 4 and 8 bytes, little endian. Output: DWARF 5 or 4
 * with offsets of 32 bits: one .debug_info of all units, one .debug_abbrev, strings and lists by offset,
 * without tables of indices. Not carried over, and counted: macros, accelerator tables (.debug_names,
 * .debug_aranges, .debug_pub*), units whose DIEs are in another file, references into supplementary files.
 *
 * A *position* names a DIE of the input: its offset in .debug_info, or, behind the end of that, in
 * .debug_types.
 */
#ifndef LOCKSTEP_RUNTIME_DWARF_H
#define LOCKSTEP_RUNTIME_DWARF_H

#include "runtime/base.h"

/* ---- Names ---- */

enum rt_dwarf_section {
#define RT_DWARF_SECTION(kind, name) RT_DWARF_##kind,
#include "runtime/dwarf/sections.def"
#undef RT_DWARF_SECTION
    RT_DWARF_SECTION_COUNT,
};

enum { /* codes, as in DW_AT_name: RT_DWARF_AT_name */
#define RT_DWARF_ATTRIBUTE(code, name, role) RT_DWARF_AT_##name = code,
#include "runtime/dwarf/attributes.def"
#undef RT_DWARF_ATTRIBUTE
};

enum { /* codes, as in DW_FORM_addr: RT_DWARF_FORM_addr */
#define RT_DWARF_FORM(code, name, shape, size, class) RT_DWARF_FORM_##name = code,
#include "runtime/dwarf/forms.def"
#undef RT_DWARF_FORM
};

enum { /* codes, as in DW_OP_addr: RT_DWARF_OP_addr; of a family of 32, the first and the last */
#define RT_DW_OP(code, name, first, second)  RT_DWARF_OP_##name = code,
#define RT_DW_OP_FAMILY(code, name, operand) RT_DWARF_OP_##name##0 = code, RT_DWARF_OP_##name##31 = code + 31,
#include "runtime/dwarf/operations.def"
#undef RT_DW_OP
#undef RT_DW_OP_FAMILY
};

/* The tags that a visitor is likely to ask for (DWARF 5, section 7.5.3). */
enum {
    RT_DWARF_TAG_formal_parameter = 0x05,
    RT_DWARF_TAG_lexical_block = 0x0b,
    RT_DWARF_TAG_pointer_type = 0x0f,
    RT_DWARF_TAG_compile_unit = 0x11,
    RT_DWARF_TAG_structure_type = 0x13,
    RT_DWARF_TAG_typedef = 0x16,
    RT_DWARF_TAG_inlined_subroutine = 0x1d,
    RT_DWARF_TAG_base_type = 0x24,
    RT_DWARF_TAG_subprogram = 0x2e,
    RT_DWARF_TAG_variable = 0x34,
    RT_DWARF_TAG_namespace = 0x39,
    RT_DWARF_TAG_imported_unit = 0x3d,
    RT_DWARF_TAG_partial_unit = 0x3c,
    RT_DWARF_TAG_type_unit = 0x41,
    RT_DWARF_TAG_skeleton_unit = 0x4a,
};

/* ---- Sections ---- */

struct rt_dwarf_span {
    const uint8_t *bytes;
    size_t size;
};

/* By enum rt_dwarf_section; what is not there is all zero. */
struct rt_dwarf_sections {
    struct rt_dwarf_span at[RT_DWARF_SECTION_COUNT];
};

const char *rt_dwarf_section_name(enum rt_dwarf_section section); /* ".debug_info" */
/* False when there is no section of that name. */
bool rt_dwarf_section_find(const char *name, enum rt_dwarf_section *ret);

struct rt_module;
/* The DWARF sections of a module, which must outlive them. A relocatable object is RT_USAGE. */
RT_MUST_USE struct rt_error *rt_dwarf_module_sections(const struct rt_module *module,
                                                      struct rt_dwarf_sections *ret);
/* The module's bytes with these sections in place of all that it has of DWARF, at its end; nothing else is
 * touched. The caller frees *ret. */
RT_MUST_USE struct rt_error *rt_dwarf_module_write(const struct rt_module *module,
                                                   const struct rt_dwarf_sections *sections, uint8_t **ret,
                                                   size_t *ret_size);

/* For `is_dead`: true for 0 and the numbers of all ones and one less, which linkers of modules give to
 * functions that they left out. */
bool rt_dwarf_module_is_dead(void *user, uint64_t address);

/* ---- The input, as a visitor sees it ---- */

struct rt_dwarf_range {
    uint64_t low, high; /* [low, high) */
};

struct rt_dwarf_unit {
    enum { RT_DWARF_COMPILE_UNIT, RT_DWARF_TYPE_UNIT, RT_DWARF_PARTIAL_UNIT } kind;
    uint8_t version, address_size, offset_size;
    uint64_t offset, first, end; /* positions of its header, of its root DIE, and past its last */
    uint64_t signature;          /* of a type unit */
    uint64_t type;               /* position of a type unit's type */
    uint64_t base;               /* of its lists: DW_AT_low_pc, else 0 */
    /* private to runtime/dwarf/ */
    enum rt_dwarf_section section;
    struct rt_dwarf_abbrevs *abbrevs;
    uint64_t str_offsets_base, addr_base, rnglists_base, loclists_base;
    struct rt_dwarf_span name, directory;
    struct rt_dwarf_line_table *lines;
};

struct rt_dwarf_die {
    const struct rt_dwarf_unit *unit;
    const struct rt_dwarf_die *parent; /* NULL: the root of its unit */
    uint64_t position;
    unsigned tag, depth;
    bool has_children;
    unsigned copy; /* 0, but in copies made by the `copies` hook */
    /* private to runtime/dwarf/ */
    const struct rt_dwarf_abbrev *abbrev;
    struct rt_cursor attributes;
};

enum rt_dwarf_class {
    RT_DWARF_CLASS_NONE,
    RT_DWARF_CLASS_ADDRESS,        /* `number` */
    RT_DWARF_CLASS_CONSTANT,       /* `number`, sign-extended where `is_signed` */
    RT_DWARF_CLASS_FLAG,           /* `number` */
    RT_DWARF_CLASS_STRING,         /* `bytes`, without the terminating zero */
    RT_DWARF_CLASS_BLOCK,          /* `bytes` */
    RT_DWARF_CLASS_EXPRESSION,     /* `bytes` */
    RT_DWARF_CLASS_REFERENCE,      /* `number` is a position, or a name by rt_dwarf_new_name */
    RT_DWARF_CLASS_SIGNATURE,      /* `number` is a type unit's signature */
    RT_DWARF_CLASS_LOCATION_LIST,  /* `number` is its offset in .debug_loc or .debug_loclists */
    RT_DWARF_CLASS_RANGE_LIST,     /* likewise, .debug_ranges or .debug_rnglists */
    RT_DWARF_CLASS_LINE_TABLE,     /* .debug_line */
    RT_DWARF_CLASS_SECTION_OFFSET, /* of another section */
    RT_DWARF_CLASS_SUPPLEMENTARY,  /* what is in another file */
};

struct rt_dwarf_attribute {
    unsigned name;
    unsigned form; /* as it came in; 0 lets the pass choose one */
    enum rt_dwarf_class class;
    bool is_signed;
    uint64_t number;
    struct rt_dwarf_span bytes;
};

/* One operation of an expression. An operand that is a DIE is a position here (0: the generic type), and one
 * that is an index into .debug_addr is the address: DW_OP_addrx comes as DW_OP_addr. A branch's operand stays
 * what it is.
 */
struct rt_dwarf_operation {
    uint8_t code;
    size_t offset, next; /* in the expression: its own, and that of the operation behind it */
    uint64_t operands[2];
    struct rt_dwarf_span block; /* of a block or an expression */
};

struct rt_dwarf_row {
    uint64_t address;
    uint32_t file, line, column, discriminator, isa; /* `file` as in the input's table */
    bool is_stmt, basic_block, prologue_end, epilogue_begin, end_sequence;
};

/* Call-frame information that FDEs share (DWARF 5, section 6.4.1). */
struct rt_dwarf_cie {
    uint8_t version, address_size;
    const char *augmentation;
    uint64_t code_alignment, return_register;
    int64_t data_alignment;
    struct rt_dwarf_span instructions; /* the initial ones */
};

/* ---- Asking about the input, from any hook ---- */

struct rt_dwarf_pass;

/* False when the DIE has no such attribute. */
RT_MUST_USE struct rt_error *rt_dwarf_attribute_find(struct rt_dwarf_pass *pass,
                                                     const struct rt_dwarf_die *die, unsigned name,
                                                     struct rt_dwarf_attribute *ret, bool *ret_found);
/* The DIE's own pc ranges, empty and dead ones left out; they live until the next call. */
RT_MUST_USE struct rt_error *rt_dwarf_die_ranges(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                                 const struct rt_dwarf_range **ret, size_t *ret_count);
/* The ranges of the nearest DIE, from this one outwards, that has any: where its location holds. */
RT_MUST_USE struct rt_error *rt_dwarf_scope_ranges(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                                   const struct rt_dwarf_range **ret, size_t *ret_count);
/* The DIE at a position, without its parents; false when there is none. While the visitor plans, a position
 * that is no DIE's may lead to what looks like one. */
RT_MUST_USE struct rt_error *rt_dwarf_die_find(struct rt_dwarf_pass *pass, uint64_t position,
                                               struct rt_dwarf_die *ret, bool *ret_found);
/* The next operation at the cursor, whose start is the expression's. RT_UNSUPPORTED: not a known one. */
RT_MUST_USE struct rt_error *rt_dwarf_operation_read(struct rt_dwarf_pass *pass,
                                                     const struct rt_dwarf_unit *unit,
                                                     struct rt_cursor *cursor,
                                                     struct rt_dwarf_operation *ret);

/* ---- Visitors ---- */

enum rt_dwarf_fate {
    RT_DWARF_KEEP,          /* with its parents */
    RT_DWARF_WITH_PARENT,   /* as its parent */
    RT_DWARF_IF_REFERENCED, /* when a DIE that is kept refers to it, or keeps one below it */
    RT_DWARF_DROP,          /* with all below it; attributes that refer to them are left out */
};

/* All hooks may be NULL, and may fail: an error ends the pass. What a hook is given lives until it returns.
 * Hooks of DIEs are called in the input's order. */
struct rt_dwarf_visitor {
    void *user;

    /* True for pcs that stand for code that the linker left out. What is dead is in no range, row or list of
     * the output, and no other hook sees it. NULL: no pc is dead, and all of them are kept as they are. */
    bool (*is_dead)(void *user, uint64_t address);

    /* First walk: what becomes of a DIE; *ret is RT_DWARF_KEEP. Not called below a DIE that is dropped. NULL:
     * all are kept. */
    struct rt_error *(*plan)(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                             enum rt_dwarf_fate *ret);

    /* Second walk, for each DIE that is kept. How often it is written, with all below it: 1, or more;
     * references lead to the first. The root of a unit is written once. */
    struct rt_error *(*copies)(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                               unsigned *ret);
    /* One attribute, before its addresses, lists and expressions are translated. It may be changed in place,
     * and others be put beside it with rt_dwarf_put_attribute. *ret_keep is true; false leaves it out. Pcs
     * are one thing: they go where the first of DW_AT_low_pc, DW_AT_high_pc and DW_AT_ranges is that stays.
     */
    struct rt_error *(*attribute)(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                  struct rt_dwarf_attribute *attribute, bool *ret_keep);
    /* Whether `attribute` is called for the attributes of a name in DIEs of a tag; asked once for many of
     * them. NULL: it is called for all. What it is not called for is carried over faster. */
    bool (*looks_at)(void *user, unsigned tag, unsigned name);
    /* All attributes are written: others may be put. *tag is the DIE's, and may be changed. *ret_children is
     * false; true where DIEs will be added below this one. */
    struct rt_error *(*attributes_end)(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                       unsigned *tag, bool *ret_children);
    /* Between a DIE's attributes and its first child, and after its last child: DIEs may be added. Called
     * where the DIE has children in the output. */
    struct rt_error *(*children_begin)(void *user, struct rt_dwarf_pass *pass,
                                       const struct rt_dwarf_die *die);
    struct rt_error *(*children_end)(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die);

    /* One pc range of a DIE, which is not empty; answered with any number of rt_dwarf_put_range. None at all:
     * the DIE has no pcs. Readers take a scope without any for a part of the one around it, so let `plan`
     * drop what will have none. */
    struct rt_error *(*range)(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                              struct rt_dwarf_range range);
    /* One address that is no range's: DW_AT_low_pc without an end, DW_AT_entry_pc, DW_AT_call_return_pc
     * (`name`), which are code. *ret_keep is true; false leaves the attribute out. */
    struct rt_error *(*address)(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                unsigned name, uint64_t *address, bool *ret_keep);
    /* An expression of attribute `name`, valid in `range`, or, where that is NULL, wherever the DIE is in
     * scope. Answered with any number of rt_dwarf_put_location; none: optimised out. */
    struct rt_error *(*location)(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                 unsigned name, const struct rt_dwarf_range *range,
                                 struct rt_dwarf_span expression);
    /* The rows of one sequence, the last of which ends it; answered with any number of rt_dwarf_put_row. */
    struct rt_error *(*sequence)(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                 const struct rt_dwarf_row *rows, size_t count);
    /* One FDE of .debug_frame; answered with rt_dwarf_put_cie and rt_dwarf_put_fde. */
    struct rt_error *(*frame)(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_cie *cie,
                              struct rt_dwarf_range range, struct rt_dwarf_span instructions);
    /* The input is at its end: call-frame information of the visitor's own may be put. */
    struct rt_error *(*finish)(void *user, struct rt_dwarf_pass *pass);
};

/* ---- Answering: what hooks may call ----
 *
 * They fail never by themselves: what goes wrong (memory, the limit) is kept, and ends the pass. */

/* An attribute of the DIE that is being written, taken as it is: an address and an expression are the
 * output's. A reference is a position, or a name; one that leads to what is not kept is left out. Lists are
 * put by the next two.
 */
void rt_dwarf_put_attribute(struct rt_dwarf_pass *pass, const struct rt_dwarf_attribute *attribute);
/* An attribute of all that was put by rt_dwarf_put_location since the last one: an expression, a location
 * list, or (nothing was put) none. */
void rt_dwarf_put_locations(struct rt_dwarf_pass *pass, unsigned name);

/* A name for a DIE that is yet to be added, for references to it. */
uint64_t rt_dwarf_new_name(struct rt_dwarf_pass *pass);
/* Opens a DIE below the one whose children are being written; `name` by rt_dwarf_new_name, or 0. Its
 * attributes follow, then its children where it has some, then rt_dwarf_add_end. */
void rt_dwarf_add_die(struct rt_dwarf_pass *pass, uint64_t name, unsigned tag, bool has_children);
void rt_dwarf_add_end(struct rt_dwarf_pass *pass);

void rt_dwarf_put_range(struct rt_dwarf_pass *pass, struct rt_dwarf_range range);

/* Adds to the expression that is being built: one operation, whose own expression (of DW_OP_entry_value) is
 * taken as it is; or all of an input's expression, with references and branches put right. Where that holds
 * what cannot be carried over, *ret_reason says what, for rt_dwarf_count, and what was built so far is gone;
 * else it is NULL. */
void rt_dwarf_put_operation(struct rt_dwarf_pass *pass, const struct rt_dwarf_operation *operation);
RT_MUST_USE struct rt_error *rt_dwarf_put_expression(struct rt_dwarf_pass *pass,
                                                     const struct rt_dwarf_unit *unit,
                                                     struct rt_dwarf_span expression,
                                                     const char **ret_reason);
/* Bytes of the expression that is being built, which is where the next operation will be. */
size_t rt_dwarf_expression_size(const struct rt_dwarf_pass *pass);
/* The branch that was put where the expression had `at` bytes leads to where the next operation will be.
 * False when that is too far. */
bool rt_dwarf_aim_branch(struct rt_dwarf_pass *pass, size_t at);
/* Ends the expression that is being built: it holds in an output range, or (NULL) in all of the DIE's scope.
 * Returns the location's number, for the next one. */
size_t rt_dwarf_put_location(struct rt_dwarf_pass *pass, const struct rt_dwarf_range *range);
/* The expression of a location that the same call of the hook has put holds in another range as well. */
void rt_dwarf_repeat_location(struct rt_dwarf_pass *pass, const struct rt_dwarf_range *range,
                              size_t location);
/* Forgets the expression that is being built. */
void rt_dwarf_cancel_expression(struct rt_dwarf_pass *pass);

/* `file` is the input's. A sequence ends with a row that says so; addresses do not fall within one. */
void rt_dwarf_put_row(struct rt_dwarf_pass *pass, const struct rt_dwarf_row *row);

/* A CIE of .debug_frame or .eh_frame, for FDEs to follow; the same one twice is written once. */
uint64_t rt_dwarf_put_cie(struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                          const struct rt_dwarf_cie *cie);
void rt_dwarf_put_fde(struct rt_dwarf_pass *pass, enum rt_dwarf_section section, uint64_t cie,
                      struct rt_dwarf_range range, struct rt_dwarf_span instructions);

/* Counts something under a static text: what was left out, and why ("optimised out: ..."). */
void rt_dwarf_count(struct rt_dwarf_pass *pass, const char *what);

unsigned rt_dwarf_output_address_size(const struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit);

/* ---- Running a pass ---- */

struct rt_dwarf_options {
    unsigned version;      /* of the output: 4 or 5; 0: 5 */
    unsigned address_size; /* of the output: 4 or 8; 0: each unit's own */
    const char *producer;  /* replaces each unit's DW_AT_producer; NULL: as it is */
    int line_base;         /* of line programs (section 6.2.4); line_range 0: -5 and 14 */
    unsigned line_range;
    size_t limit; /* bytes of memory; 0: in proportion to the input, 256 MiB at least */
};

struct rt_dwarf_counts {
    uint64_t units, dies, attributes, expressions, list_entries, rows, sequences, frames;
};

struct rt_dwarf_reason {
    const char *what; /* static */
    uint64_t count;
};

struct rt_dwarf_stat {
    struct rt_dwarf_counts in, out;
    uint64_t input_bytes, output_bytes;
    const struct rt_dwarf_reason *reasons; /* what was not carried over, in the order it was met */
    size_t reason_count;
};

/* An output; its sections live as long as it. */
struct rt_dwarf_output;

/* Reads `input`, which must outlive the call only. Errors name the section and the offset. `options` may be
 * NULL.
 */
RT_MUST_USE struct rt_error *rt_dwarf_transform(const struct rt_dwarf_sections *input,
                                                const struct rt_dwarf_visitor *visitor,
                                                const struct rt_dwarf_options *options,
                                                struct rt_dwarf_output **ret);
void rt_dwarf_output_destroy(struct rt_dwarf_output *output);
const struct rt_dwarf_sections *rt_dwarf_output_sections(const struct rt_dwarf_output *output);
const struct rt_dwarf_stat *rt_dwarf_output_stat(const struct rt_dwarf_output *output);

/* ---- Visitors that come with it ---- */

/* Its output means the same as its input. */
extern const struct rt_dwarf_visitor rt_dwarf_identity;

/* Keeps the functions of these names (DW_AT_name or DW_AT_linkage_name), what they refer to, and the
 * variables of units; the rows and frames of those functions alone. The names must outlive it; `is_dead` may
 * be NULL. */
struct rt_dwarf_strip;
RT_MUST_USE struct rt_error *rt_dwarf_strip_create(const char *const *functions, size_t count,
                                                   bool (*is_dead)(void *user, uint64_t address),
                                                   struct rt_dwarf_strip **ret);
void rt_dwarf_strip_destroy(struct rt_dwarf_strip *strip);
/* The visitor for one pass; it lives as long as `strip`. */
const struct rt_dwarf_visitor *rt_dwarf_strip_visitor(struct rt_dwarf_strip *strip);

#endif
