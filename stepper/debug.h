/* The DWARF model from the inside (private to stepper/): sections, units, and what the readers share.
 *
 * Reading order: debug_image.c finds the sections and opens libdw, debug_lines.c decodes line programs,
 * debug_attributes.c collects a DIE's attributes, debug_types.c and debug_units.c build types and scopes from
 * them, debug.c puts the result in order and answers questions. */
#ifndef LOCKSTEP_STEPPER_DEBUG_H
#define LOCKSTEP_STEPPER_DEBUG_H

#include <elfutils/libdw.h>

#include "stepper/stepper.h"

/* ---- Sections ---- */

#define ST_SECTIONS(X)                                                                                       \
    X(INFO, ".debug_info")                                                                                   \
    X(TYPES, ".debug_types")                                                                                 \
    X(ABBREV, ".debug_abbrev")                                                                               \
    X(LINE, ".debug_line")                                                                                   \
    X(LINE_STR, ".debug_line_str")                                                                           \
    X(STR, ".debug_str")                                                                                     \
    X(STR_OFFSETS, ".debug_str_offsets")                                                                     \
    X(ADDR, ".debug_addr")                                                                                   \
    X(LOC, ".debug_loc")                                                                                     \
    X(LOCLISTS, ".debug_loclists")                                                                           \
    X(RANGES, ".debug_ranges")                                                                               \
    X(RNGLISTS, ".debug_rnglists")

enum st_section_kind {
#define X(kind, name) ST_SECTION_##kind,
    ST_SECTIONS(X)
#undef X
        ST_SECTION_COUNT,
};
extern const char *const st_section_names[ST_SECTION_COUNT];

/* The bytes of one section; all zero when the image has none of that name. */
struct st_section {
    const uint8_t *bytes;
    size_t size;
};

/* ---- A map from 64-bit keys: types by DIE offset, line tables by offset, unwind rows by pc ---- */

struct st_map {
    struct st_map_entry {
        uint64_t key;
        void *value; /* NULL: the entry is free */
    } *entries;
    size_t count, capacity; /* capacity is 0 or a power of two */
};

void *st_map_get(const struct st_map *map, uint64_t key); /* NULL when it is not there */
/* `value` is not NULL; an older value of that key is replaced. False when memory runs out. */
bool st_map_put(struct st_map *map, uint64_t key, void *value);
void st_map_clear(struct st_map *map); /* frees the map, not its values */

/* ---- A growing array ---- */

struct st_list {
    void *items;
    size_t count, capacity;
};

/* Adds a zeroed item of that size and returns it; NULL when memory runs out. */
void *st_list_push(struct st_list *list, size_t item_size);
void st_list_clear(struct st_list *list);

/* ---- Units ---- */

/* Declared in stepper.h as what an expression needs to be read. */
struct st_unit {
    const struct st_section *sections; /* ST_SECTION_COUNT of them */
    const struct st_map *types;        /* st_type by DIE offset; may be NULL */
    Dwarf_CU *cu;
    uint64_t offset; /* of the unit's header in .debug_info */
    uint64_t low;    /* base address of its location lists */
    uint64_t address_base, location_base;
    uint64_t end; /* offset of the next unit */
    uint8_t version, address_size, offset_size;
    const uint32_t *files; /* index in the unit's line table to index for st_debug_file */
    size_t file_count;
    const char *directory; /* DW_AT_comp_dir; never NULL */
};

/* Entry `index` of the unit's part of .debug_addr; RT_MALFORMED past its end. */
RT_MUST_USE struct rt_error *st_unit_address(const struct st_unit *unit, uint64_t index, uint64_t *ret);
/* Reads an address or an offset of the unit's size. */
RT_MUST_USE struct rt_error *st_unit_read_address(const struct st_unit *unit, struct rt_cursor *cursor,
                                                  uint64_t *ret);
RT_MUST_USE struct rt_error *st_unit_read_offset(const struct st_unit *unit, struct rt_cursor *cursor,
                                                 uint64_t *ret);
/* The greatest address of the unit: 2^(8 * address_size) - 1. */
static inline uint64_t st_unit_address_mask(const struct st_unit *unit) {
    return unit->address_size >= 8 ? UINT64_MAX : ((uint64_t)1 << (8 * unit->address_size)) - 1;
}

/* location_list.c: decodes the list at `offset` in .debug_loc (DWARF 4 and before, section 2.6.2) or
 * .debug_loclists (DWARF 5, section 7.7.3). Empty ranges, and those of dropped code, are left out. */
RT_MUST_USE struct rt_error *st_location_list_read(const struct st_unit *unit, uint64_t offset,
                                                   struct rt_arena *arena, struct st_location *ret);
/* The offset of list `index` in .debug_loclists (DW_FORM_loclistx). */
RT_MUST_USE struct rt_error *st_location_list_offset(const struct st_unit *unit, uint64_t index,
                                                     uint64_t *ret);

/* ---- The model ---- */

struct st_function_range {
    struct st_range range;
    const struct st_function *function;
};

struct st_debug {
    struct rt_arena arena;
    const char *label; /* the file's path, or "the module" */
    uint8_t *image;    /* an ELF image in memory, which all strings and expressions point into */
    size_t image_size;
    Elf *elf;
    Dwarf *dwarf;
    struct st_section sections[ST_SECTION_COUNT];
    const struct rt_module *module; /* Wasm only */
    struct st_range *code;          /* native only: executable segments */
    size_t code_count;

    struct st_unit *units; /* ascending by offset */
    size_t unit_count;
    struct st_map types; /* st_type by DIE offset */
    struct st_function *functions;
    size_t function_count;
    struct st_function_range *ranges; /* ascending by low */
    size_t range_count;
    const struct st_function **by_name; /* ascending by name, then low */
    struct st_row *rows;
    size_t row_count;
    struct st_variable *globals;
    size_t global_count;
    const char **files; /* [0] is "" */
    size_t file_count;
};

/* debug_image.c: fills in elf, dwarf, sections, and what is code. On error the caller clears it all the same.
 */
RT_MUST_USE struct rt_error *st_debug_read_elf(struct st_debug *debug, const char *path);
/* An ELF file in memory, which is copied; so is what it is called in messages. */
RT_MUST_USE struct rt_error *st_debug_read_memory(struct st_debug *debug, const char *label,
                                                  const uint8_t *bytes, size_t size);
RT_MUST_USE struct rt_error *st_debug_read_wasm(struct st_debug *debug, const struct rt_module *module);
void st_debug_clear_image(struct st_debug *debug);
/* False for the addresses that linkers give to dropped code: 0, 1, the tombstones -1 and -2, and whatever
 * lies outside of the image's code. */
bool st_debug_is_code(const struct st_debug *debug, uint64_t pc);

/* ---- Reading: state that is gone once the model stands ---- */

struct st_reader {
    struct st_debug *debug;
    struct rt_arena *arena; /* the model's */
    struct st_unit *unit;   /* being read */

    struct st_list units;     /* struct st_unit */
    struct st_list functions; /* struct st_function */
    struct st_list globals;   /* struct st_variable */
    struct st_list variables; /* struct st_variable: a stack, each open scope's part on top */
    struct st_list scopes;    /* struct st_scope: likewise */

    struct st_list rows;       /* struct st_row */
    struct st_list sequences;  /* struct st_sequence */
    struct st_list files;      /* const char * */
    struct st_map file_names;  /* index into `files` + 1, by a hash of the path */
    struct st_map line_tables; /* struct st_line_table by offset */
    uint64_t line_bytes;       /* sum of the lengths of all line tables read */

    struct st_list types; /* struct st_type_node *: all, in the order they were met */
    size_t types_done;    /* how many of them have been read */
};

/* The arena's limit or the machine's memory is at its end. */
RT_MUST_USE struct rt_error *st_reader_no_memory(const struct st_reader *reader);
/* libdw could not read the DIE at that offset. */
RT_MUST_USE struct rt_error *st_reader_broken_die(const struct st_reader *reader, Dwarf_Die *die);

/* debug_lines.c: the line table at `offset` of the unit (DWARF 5, section 6.2), read once for all units that
 * share it. */
RT_MUST_USE struct rt_error *st_lines_read(struct st_reader *reader, uint64_t offset);
/* Puts the rows of all tables in order, into the model. */
RT_MUST_USE struct rt_error *st_lines_finish(struct st_reader *reader);

/* debug_types.c: the type of a DIE, perhaps not yet filled in; NULL only with an error. */
RT_MUST_USE struct rt_error *st_type_of(struct st_reader *reader, Dwarf_Die *die, const struct st_type **ret);
/* Fills in all types that were asked for, and those that they need. Cycles that C cannot have are cut. */
RT_MUST_USE struct rt_error *st_types_finish(struct st_reader *reader);

/* debug_units.c: the bases and the line table of the reader's unit; `die` is the unit's DIE. */
RT_MUST_USE struct rt_error *st_unit_open(struct st_reader *reader, Dwarf_Die *die);
/* All functions, globals and types in it. All units have been opened before the first is read. */
RT_MUST_USE struct rt_error *st_unit_read(struct st_reader *reader, Dwarf_Die *die);
/* Puts functions and globals into the model, in order, once all types are filled in. */
RT_MUST_USE struct rt_error *st_units_finish(struct st_reader *reader);

/* ---- Attributes ---- */

/* What the readers look at. One walk over a DIE's attributes finds them all. */
#define ST_ATTRIBUTES(X)                                                                                     \
    X(NAME, DW_AT_name)                                                                                      \
    X(STMT_LIST, DW_AT_stmt_list)                                                                            \
    X(COMP_DIR, DW_AT_comp_dir)                                                                              \
    X(ADDR_BASE, DW_AT_addr_base)                                                                            \
    X(LOCLISTS_BASE, DW_AT_loclists_base)                                                                    \
    X(DWO_NAME, DW_AT_dwo_name)                                                                              \
    X(LINKAGE_NAME, DW_AT_linkage_name)                                                                      \
    X(TYPE, DW_AT_type)                                                                                      \
    X(DECL_FILE, DW_AT_decl_file)                                                                            \
    X(DECL_LINE, DW_AT_decl_line)                                                                            \
    X(EXTERNAL, DW_AT_external)                                                                              \
    X(ARTIFICIAL, DW_AT_artificial)                                                                          \
    X(DECLARATION, DW_AT_declaration)                                                                        \
    X(LOCATION, DW_AT_location)                                                                              \
    X(CONST_VALUE, DW_AT_const_value)                                                                        \
    X(LOW_PC, DW_AT_low_pc)                                                                                  \
    X(HIGH_PC, DW_AT_high_pc)                                                                                \
    X(RANGES, DW_AT_ranges)                                                                                  \
    X(ENTRY_PC, DW_AT_entry_pc)                                                                              \
    X(FRAME_BASE, DW_AT_frame_base)                                                                          \
    X(ABSTRACT_ORIGIN, DW_AT_abstract_origin)                                                                \
    X(SPECIFICATION, DW_AT_specification)                                                                    \
    X(SIGNATURE, DW_AT_signature)                                                                            \
    X(CALL_FILE, DW_AT_call_file)                                                                            \
    X(CALL_LINE, DW_AT_call_line)                                                                            \
    X(BYTE_SIZE, DW_AT_byte_size)                                                                            \
    X(ENCODING, DW_AT_encoding)                                                                              \
    X(BIT_SIZE, DW_AT_bit_size)                                                                              \
    X(BIT_OFFSET, DW_AT_bit_offset)                                                                          \
    X(DATA_BIT_OFFSET, DW_AT_data_bit_offset)                                                                \
    X(DATA_MEMBER_LOCATION, DW_AT_data_member_location)                                                      \
    X(COUNT, DW_AT_count)                                                                                    \
    X(LOWER_BOUND, DW_AT_lower_bound)                                                                        \
    X(UPPER_BOUND, DW_AT_upper_bound)

enum st_attribute {
#define X(kind, code) ST_AT_##kind,
    ST_ATTRIBUTES(X)
#undef X
        ST_AT_LIMIT,
};

struct st_attributes {
    uint64_t present; /* bit i: at[i] is there */
    Dwarf_Attribute at[ST_AT_LIMIT];
};

static inline bool st_has(const struct st_attributes *attributes, enum st_attribute attribute) {
    return attributes->present >> attribute & 1;
}

/* The DIE's own attributes. */
RT_MUST_USE struct rt_error *st_attributes_read(const struct st_reader *reader, Dwarf_Die *die,
                                                struct st_attributes *ret);
/* Adds what the DIE takes from its abstract origin or specification (DWARF 5, sections 3.3.8.1 and 2.13.2).
 */
RT_MUST_USE struct rt_error *st_attributes_integrate(const struct st_reader *reader,
                                                     struct st_attributes *attributes);
/* NULL, 0 or false when the attribute is not there or has another class. */
const char *st_attribute_string(struct st_attributes *attributes, enum st_attribute attribute);
uint64_t st_attribute_number(struct st_attributes *attributes, enum st_attribute attribute);
bool st_attribute_flag(struct st_attributes *attributes, enum st_attribute attribute);
/* A constant: sign-extended where its form is signed. False when it is not a constant. */
bool st_attribute_constant(struct st_attributes *attributes, enum st_attribute attribute, int64_t *ret);
/* The attribute's raw bytes in its section, up to the section's end. */
struct rt_cursor st_attribute_bytes(const struct st_reader *reader, const Dwarf_Attribute *attribute);
/* A section offset, whatever form it has. */
RT_MUST_USE struct rt_error *st_attribute_offset(const struct st_reader *reader,
                                                 struct st_attributes *attributes,
                                                 enum st_attribute attribute, uint64_t *ret);
/* A file attribute as an index for st_debug_file; 0 when it is not there. */
uint32_t st_attribute_file(const struct st_reader *reader, struct st_attributes *attributes,
                           enum st_attribute attribute);
/* An expression, a location list, or a constant; what cannot be read is ST_LOCATION_BROKEN. A constant that
 * is a number has constant_size 0 and 16 bytes, extended as its form says, until the object's size is known.
 * Fails only for memory. */
RT_MUST_USE struct rt_error *st_attribute_location(const struct st_reader *reader,
                                                   struct st_attributes *attributes,
                                                   enum st_attribute attribute, struct st_location *ret);

#endif
