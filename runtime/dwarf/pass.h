/* A running pass from the inside (private to runtime/dwarf/): what is read, what is written, and what the
 * files share.
 *
 * README.md has the reading order.
 *
 * Reading fails with an error. Writing never fails by itself: memory is one budget, and who was refused finds
 * `failed` set; rt_dwarf_check turns it into an error, once for each DIE. */
#ifndef LOCKSTEP_RUNTIME_DWARF_PASS_H
#define LOCKSTEP_RUNTIME_DWARF_PASS_H

#include <string.h>

#include "runtime/dwarf/dwarf.h"

/* ---- Growing memory under the pass's budget ---- */

struct rt_dwarf_budget {
    size_t limit, left;
    bool failed; /* stays so: what was asked for since is not there */
};

struct rt_dwarf_bytes {
    uint8_t *bytes;
    size_t size, capacity;
    struct rt_dwarf_budget *budget;
};

/* Makes room for `size` more bytes; false when it was refused. */
bool rt_dwarf_grow(struct rt_dwarf_bytes *buffer, size_t size);
void rt_dwarf_bytes_clear(struct rt_dwarf_bytes *buffer);

/* `size` bytes at the end, to be filled in; NULL when memory was refused. */
static inline uint8_t *rt_dwarf_room(struct rt_dwarf_bytes *buffer, size_t size) {
    if (buffer->capacity - buffer->size < size && !rt_dwarf_grow(buffer, size))
        return NULL;
    uint8_t *room = buffer->bytes + buffer->size;
    buffer->size += size;
    return room;
}

static inline void rt_dwarf_put(struct rt_dwarf_bytes *buffer, const void *bytes, size_t size) {
    uint8_t *room = size ? rt_dwarf_room(buffer, size) : NULL;
    if (room)
        memcpy(room, bytes, size);
}

static inline void rt_dwarf_store(uint8_t *at, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Little endian, at most 8 bytes. */
static inline void rt_dwarf_put_number(struct rt_dwarf_bytes *buffer, uint64_t value, size_t size) {
    uint8_t *room = rt_dwarf_room(buffer, size);
    if (room)
        rt_dwarf_store(room, value, size);
}

static inline void rt_dwarf_put_uleb(struct rt_dwarf_bytes *buffer, uint64_t value) {
    do {
        uint8_t byte = value & 0x7f;
        value >>= 7;
        rt_dwarf_put_number(buffer, value ? byte | 0x80u : byte, 1);
    } while (value);
}

void rt_dwarf_put_sleb(struct rt_dwarf_bytes *buffer, int64_t value);

/* One more item of an array that is kept in a buffer; NULL when memory was refused. */
#define RT_DWARF_PUSH(buffer, type)  ((type *)(void *)rt_dwarf_room(buffer, sizeof(type)))
#define RT_DWARF_ITEMS(buffer, type) ((type *)(void *)(buffer)->bytes)
#define RT_DWARF_COUNT(buffer, type) ((buffer)->size / sizeof(type))

/* map.c: from numbers to numbers. All zero is empty. */
struct rt_dwarf_map {
    struct rt_dwarf_map_entry {
        uint64_t key; /* 0: free */
        uint32_t value, size;
    } *entries;
    size_t count, capacity;
};

/* The entry of a key, which is not 0, or a free one for it; NULL when memory was refused. */
struct rt_dwarf_map_entry *rt_dwarf_map_find(struct rt_dwarf_map *map, struct rt_dwarf_budget *budget,
                                             uint64_t key);
/* Takes the free entry that rt_dwarf_map_find gave. */
void rt_dwarf_map_fill(struct rt_dwarf_map *map, struct rt_dwarf_map_entry *entry, uint64_t key,
                       uint32_t value, uint32_t size);
void rt_dwarf_map_clear(struct rt_dwarf_map *map);
uint64_t rt_dwarf_hash(uint64_t seed, const uint8_t *bytes, size_t size);

/* ---- Reading: abbreviations and forms ---- */

enum rt_dwarf_shape { FIXED, ADDRESS, OFFSET, ULEB, SLEB, BLOCK, TEXT, NOTHING, INDIRECT };

enum rt_dwarf_role {
    RT_DWARF_ROLE_PLAIN, /* not in attributes.def */
    RT_DWARF_ROLE_NAMED,
    RT_DWARF_ROLE_LOW_PC,
    RT_DWARF_ROLE_HIGH_PC,
    RT_DWARF_ROLE_RANGES,
    RT_DWARF_ROLE_PC,
    RT_DWARF_ROLE_LOCATION,
    RT_DWARF_ROLE_VALUE,
    RT_DWARF_ROLE_LINES,
    RT_DWARF_ROLE_FILE,
    RT_DWARF_ROLE_TABLE,
    RT_DWARF_ROLE_MACROS,
    RT_DWARF_ROLE_VIEWS,
    RT_DWARF_ROLE_SIBLING,
    RT_DWARF_ROLE_DWO,
};

struct rt_dwarf_form {
    const char *name; /* NULL: not known */
    uint8_t shape, size, class;
};
/* By code; the form without a name when it is not known. */
const struct rt_dwarf_form *rt_dwarf_form(uint64_t code);
enum rt_dwarf_role rt_dwarf_role(unsigned attribute);

struct rt_dwarf_spec { /* an attribute of an abbreviation */
    uint16_t name, form;
    uint8_t role, shape, class;
    uint8_t size;     /* of a fixed shape, addresses and offsets included */
    bool is_copied;   /* its bytes mean the same in any output of any version */
    bool is_string;   /* of .debug_str, by offset or index, and copied as well */
    bool is_visited;  /* by the visitor's `attribute` */
    bool may_refer;   /* to DIEs, itself or in an expression */
    int64_t implicit; /* DW_FORM_implicit_const */
};

struct rt_dwarf_abbrev {
    uint64_t code;
    uint16_t tag;
    bool has_children, has_pcs, has_references;
    uint32_t count;
    uint32_t fixed_size; /* of all its attributes; UINT32_MAX: it depends */
    const struct rt_dwarf_spec *specs;
    uint32_t *written; /* the output's abbreviation of the last DIE that had this one */
};

struct rt_dwarf_abbrevs {
    uint64_t offset;
    bool is_dense; /* codes are 1, 2, 3 ... */
    size_t count;
    const struct rt_dwarf_abbrev *items; /* ascending by code */
};

/* abbrev.c: the table at `offset` as a unit of these sizes reads it; read once for all units that share it.
 */
RT_MUST_USE struct rt_error *rt_dwarf_abbrevs_read(struct rt_dwarf_pass *pass,
                                                   const struct rt_dwarf_unit *unit, uint64_t offset,
                                                   struct rt_dwarf_abbrevs **ret);
/* NULL when there is none of that code. */
const struct rt_dwarf_abbrev *rt_dwarf_abbrev_find(const struct rt_dwarf_abbrevs *abbrevs, uint64_t code);

/* ---- The pass ---- */

/* Which DIEs there are: bit `position` says that one starts there; a rank makes it a number. */
struct rt_dwarf_index {
    uint64_t *bits;
    uint32_t *ranks; /* bits set in all words before */
    size_t words;
    uint32_t count;
};

enum { RT_DWARF_MAX_DEPTH = 1000 }; /* of DIEs; each open one takes a frame of the walk's own stack */

/* What is known of a DIE before it is written, where the visitor plans. By number of the DIE. */
struct rt_dwarf_planned {
    uint32_t position;     /* all DIEs together have less than 4 GiB */
    uint32_t unit, parent; /* numbers; a root is its own parent */
    uint32_t end;          /* number of the first DIE behind all below it */
    uint8_t fate;
    bool is_kept, keeps_child;
};

enum rt_dwarf_reference_kind {
    RT_DWARF_IN_UNIT,     /* 4 bytes, from the unit's start */
    RT_DWARF_IN_SECTION,  /* 4 bytes, from .debug_info's start */
    RT_DWARF_IN_UNIT_LEB, /* 4 bytes of ULEB128, from the unit's start */
};

/* A reference that is written before the DIE that it leads to. */
struct rt_dwarf_fixup {
    uint64_t target;      /* number of a DIE, or a name with RT_DWARF_NEW */
    uint32_t place, unit; /* in `section`; the output's unit */
    uint8_t kind, section;
};

#define RT_DWARF_NEW ((uint64_t)1 << 63) /* of names by rt_dwarf_new_name */

/* An expression of the answer to a `location` hook. */
struct rt_dwarf_piece {
    struct rt_dwarf_range range;
    bool is_everywhere;
    uint32_t start, size; /* in `expression` */
};

/* An entry of a location list. */
struct rt_dwarf_entry {
    struct rt_dwarf_range range;
    bool is_default;
    struct rt_dwarf_span expression;
};

/* What one walk over a DIE's attributes says of its pcs. */
struct rt_dwarf_pcs {
    bool has_low, has_high, has_ranges, is_dead;
    uint64_t low, high, ranges; /* high is an address; ranges an offset */
    unsigned high_form;
};

/* An added DIE that is open. */
struct rt_dwarf_added {
    uint64_t name;
    unsigned tag;
    bool has_children, is_written;
};

/* An open DIE of the second walk. */
struct rt_dwarf_frame {
    struct rt_dwarf_die die;
    struct rt_cursor start; /* at its abbreviation code */
    uint32_t number, end;   /* of the first DIE in it; unused in one without copies */
    unsigned copies;
    bool is_kept, is_open; /* written at all; with children */
};

struct rt_dwarf_pass {
    const struct rt_dwarf_sections *input;
    const struct rt_dwarf_visitor *visitor;
    struct rt_dwarf_options options;
    struct rt_dwarf_budget *budget; /* the output's */
    struct rt_arena arena;
    uint64_t work_left; /* bytes that may yet be read */
    struct rt_dwarf_stat *stat;
    struct rt_dwarf_bytes reasons; /* struct rt_dwarf_reason */

    struct rt_dwarf_unit *units;
    size_t unit_count;
    struct rt_dwarf_map abbrev_offsets, line_offsets; /* to an item of the next two, plus 1 */
    struct rt_dwarf_bytes abbrevs, line_tables;       /* pointers to the tables that were read */
    struct rt_dwarf_index index;
    unsigned deepest; /* DIEs that are open at once, by the first walk */
    struct rt_dwarf_bytes plan;
    struct rt_dwarf_planned *planned; /* its items; NULL: all DIEs are kept */

    /* Writing: the sections, and where DIEs went (offset in their section; 0: not written) */
    struct rt_dwarf_bytes *out; /* by enum rt_dwarf_section */
    uint32_t *written;
    struct rt_dwarf_bytes names; /* uint32_t: where added DIEs went */
    struct rt_dwarf_bytes fixups;
    struct rt_dwarf_bytes abbrev_keys, abbrev_starts; /* die.c: uint32_t each */
    struct rt_dwarf_map abbrev_codes;
    struct rt_dwarf_map strings, texts; /* strings.c */
    struct rt_dwarf_bytes cies;         /* frames.c */

    /* The unit that is being written */
    const struct rt_dwarf_unit *unit;
    enum rt_dwarf_section section; /* .debug_info or .debug_types */
    uint32_t unit_start;
    uint64_t unit_base; /* base address of its lists */
    unsigned address_size;
    uint32_t ranges_start, locations_start; /* of its part of .debug_rnglists, .debug_loclists; 0: none yet */

    /* The DIE that is being written */
    const struct rt_dwarf_die *die;
    struct rt_dwarf_bytes key;        /* uint32_t: what its abbreviation will be */
    struct rt_dwarf_bytes values;     /* of its attributes */
    struct rt_dwarf_bytes die_fixups; /* places are in `values` */
    bool is_open, pcs_written;        /* its attributes are being gathered; its pcs are among them */
    bool is_added;                    /* it is one that the visitor adds */
    struct rt_dwarf_bytes added;      /* struct rt_dwarf_added: the open ones, outermost first */
    const char *misuse;               /* what a visitor must not do, and did */

    /* Answers */
    struct rt_dwarf_bytes ranges, input_ranges, asked, entries, pieces, expression, expression_fixups;
    uint32_t expression_start;
    struct rt_dwarf_bytes branches; /* expression.c */
    struct rt_dwarf_bytes rows, input_rows;
};

/* ---- output.c ---- */

/* An error where memory was refused. */
RT_MUST_USE struct rt_error *rt_dwarf_check(const struct rt_dwarf_pass *pass);
/* Zeroed memory of the pass; NULL sets `failed`. */
void *rt_dwarf_alloc(struct rt_dwarf_pass *pass, size_t count, size_t size);
/* Fills in all references that were written before their DIEs. */
RT_MUST_USE struct rt_error *rt_dwarf_fix_references(struct rt_dwarf_pass *pass);

/* ---- sections.c ---- */

/* A cursor from `offset` to the end of a section; RT_MALFORMED when that is past the end. */
RT_MUST_USE struct rt_error *rt_dwarf_section_at(const struct rt_dwarf_pass *pass,
                                                 enum rt_dwarf_section section, uint64_t offset,
                                                 struct rt_cursor *ret);
/* Puts the section's name before the message. */
RT_MUST_USE struct rt_error *rt_dwarf_section_error(struct rt_error *error, enum rt_dwarf_section section);
/* A little-endian number of at most 8 bytes. */
static inline struct rt_error *rt_dwarf_read_number(struct rt_cursor *cursor, unsigned size, const char *what,
                                                    uint64_t *ret) {
    const uint8_t *bytes;
    uint64_t value = 0;
    if (size == 4 && rt_cursor_left(cursor) >= 4) { /* most are offsets */
        uint32_t word;
        memcpy(&word, cursor->next, 4);
        cursor->next += 4;
        *ret = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap32(word) : word;
        return NULL;
    }
    struct rt_error *error = rt_cursor_bytes(cursor, size, what, &bytes);
    if (error)
        return error;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    *ret = value;
    return NULL;
}
/* An entry of a table of indices: base + index * size. */
RT_MUST_USE struct rt_error *rt_dwarf_table_entry(const struct rt_dwarf_pass *pass,
                                                  enum rt_dwarf_section section, uint64_t base,
                                                  uint64_t index, unsigned size, uint64_t *ret);
/* Address `index` of the unit's part of .debug_addr. */
RT_MUST_USE struct rt_error *rt_dwarf_unit_address(const struct rt_dwarf_pass *pass,
                                                   const struct rt_dwarf_unit *unit, uint64_t index,
                                                   uint64_t *ret);
/* Counts bytes of the input that are read again and again where the input says so; an error when that gets
 * out of proportion. */
RT_MUST_USE struct rt_error *rt_dwarf_charge(struct rt_dwarf_pass *pass, uint64_t bytes);
/* A unit_length: *ret_size is the size of offsets. */
RT_MUST_USE struct rt_error *rt_dwarf_read_length(struct rt_cursor *cursor, uint64_t *ret, uint8_t *ret_size);

static inline uint64_t rt_dwarf_highest(unsigned address_size) {
    return address_size >= 8 ? UINT64_MAX : ((uint64_t)1 << (8 * address_size)) - 1;
}

/* The common case of an LEB128 in one byte, without a call. */
static inline struct rt_error *rt_dwarf_read_uleb(struct rt_cursor *cursor, const char *what, uint64_t *ret) {
    if (cursor->next < cursor->end && *cursor->next < 0x80) {
        *ret = *cursor->next++;
        return NULL;
    }
    return rt_cursor_uleb(cursor, 64, what, ret);
}

static inline bool rt_dwarf_is_dead(const struct rt_dwarf_pass *pass, uint64_t address) {
    return pass->visitor->is_dead && pass->visitor->is_dead(pass->visitor->user, address);
}

/* ---- unit.c ---- */

/* All units of .debug_info and .debug_types, with their bases. Those that are left out are counted. */
RT_MUST_USE struct rt_error *rt_dwarf_units_read(struct rt_dwarf_pass *pass);
/* The unit of a position; NULL when it is in none. */
const struct rt_dwarf_unit *rt_dwarf_unit_at(const struct rt_dwarf_pass *pass, uint64_t position);
/* A cursor at a position; its offsets are those of the section. */
RT_MUST_USE struct rt_error *rt_dwarf_unit_cursor(const struct rt_dwarf_pass *pass,
                                                  const struct rt_dwarf_unit *unit, uint64_t position,
                                                  struct rt_cursor *ret);
/* Position of a cursor in a unit. */
uint64_t rt_dwarf_position(const struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                           const struct rt_cursor *cursor);
/* The abbreviation of the DIE at the cursor; NULL for the end of a DIE's children. */
RT_MUST_USE struct rt_error *rt_dwarf_die_read(const struct rt_dwarf_unit *unit, struct rt_cursor *cursor,
                                               const struct rt_dwarf_abbrev **ret);

/* ---- attribute.c ---- */

RT_MUST_USE struct rt_error *rt_dwarf_attribute_read(struct rt_dwarf_pass *pass,
                                                     const struct rt_dwarf_unit *unit,
                                                     struct rt_cursor *cursor,
                                                     const struct rt_dwarf_spec *spec,
                                                     struct rt_dwarf_attribute *ret);
RT_MUST_USE struct rt_error *rt_dwarf_attribute_skip(const struct rt_dwarf_unit *unit,
                                                     struct rt_cursor *cursor,
                                                     const struct rt_dwarf_spec *spec);
/* Past all attributes of a DIE. */
RT_MUST_USE struct rt_error *rt_dwarf_attributes_skip(const struct rt_dwarf_unit *unit,
                                                      struct rt_cursor *cursor,
                                                      const struct rt_dwarf_abbrev *abbrev);
RT_MUST_USE struct rt_error *rt_dwarf_pcs_read(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                               struct rt_dwarf_pcs *ret);
/* A value of any form with an offset size, a line table's entries included. */
RT_MUST_USE struct rt_error *rt_dwarf_value_read(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                                 struct rt_cursor *cursor, uint64_t form, int64_t implicit,
                                                 unsigned offset_size, struct rt_dwarf_attribute *ret);

/* ---- index.c, plan.c: the first walk ---- */

/* Finds all DIEs, and asks the visitor about each where it plans. */
RT_MUST_USE struct rt_error *rt_dwarf_index_read(struct rt_dwarf_pass *pass);
/* The number of the DIE at a position; false when none starts there. */
bool rt_dwarf_number(const struct rt_dwarf_index *index, uint64_t position, uint32_t *ret);
/* Settles what is kept. */
RT_MUST_USE struct rt_error *rt_dwarf_plan_settle(struct rt_dwarf_pass *pass);
/* Whether a reference to a position, or to an added DIE, can be carried over: a number, or the name. */
bool rt_dwarf_target(const struct rt_dwarf_pass *pass, uint64_t position, uint64_t *ret);

/* ---- lists.c, lists_write.c ---- */

/* Appends the ranges of a list to a buffer of struct rt_dwarf_range, empty ones included. */
RT_MUST_USE struct rt_error *rt_dwarf_ranges_read(struct rt_dwarf_pass *pass,
                                                  const struct rt_dwarf_unit *unit, uint64_t offset,
                                                  struct rt_dwarf_bytes *ret);
/* Appends the entries of a list to a buffer of struct rt_dwarf_entry. */
RT_MUST_USE struct rt_error *rt_dwarf_locations_read(struct rt_dwarf_pass *pass,
                                                     const struct rt_dwarf_unit *unit, uint64_t offset,
                                                     struct rt_dwarf_bytes *ret);
/* Write a list, for the unit that is being written; its offset in the output's section. */
uint32_t rt_dwarf_ranges_write(struct rt_dwarf_pass *pass, const struct rt_dwarf_range *ranges, size_t count);
uint32_t rt_dwarf_locations_write(struct rt_dwarf_pass *pass, const struct rt_dwarf_piece *pieces,
                                  size_t count);
/* Ends the unit's parts of .debug_rnglists and .debug_loclists. */
void rt_dwarf_lists_end(struct rt_dwarf_pass *pass);

/* ---- expression.c ---- */

/* Calls `visit` for each DIE that an expression refers to. What cannot be read refers to nothing. */
void rt_dwarf_expression_references(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                    struct rt_dwarf_span expression,
                                    void (*visit)(void *user, uint64_t position), void *user);
/* Asks the visitor about one expression; its answers are added to pass->pieces. */
RT_MUST_USE struct rt_error *rt_dwarf_location_translate(struct rt_dwarf_pass *pass,
                                                         const struct rt_dwarf_die *die, unsigned name,
                                                         const struct rt_dwarf_range *range,
                                                         struct rt_dwarf_span expression);
/* Appends a piece's bytes to a section, or (where `section` is RT_DWARF_SECTION_COUNT) to pass->values, with
 * its references. */
void rt_dwarf_piece_write(struct rt_dwarf_pass *pass, const struct rt_dwarf_piece *piece,
                          enum rt_dwarf_section section);

/* ---- die.c, attribute_write.c: the second walk ---- */

/* Starts a DIE of the output. */
void rt_dwarf_die_begin(struct rt_dwarf_pass *pass);
/* Ends its attributes and writes it; its offset. *code is the abbreviation that a DIE like it had, or 0, and
 * then the one that it has. */
uint32_t rt_dwarf_die_write(struct rt_dwarf_pass *pass, unsigned tag, bool has_children, uint32_t *code);
/* One input attribute of the DIE that is being written, with all that it leads to. */
RT_MUST_USE struct rt_error *rt_dwarf_attribute_write(struct rt_dwarf_pass *pass,
                                                      const struct rt_dwarf_die *die,
                                                      const struct rt_dwarf_attribute *attribute);
/* Name and form, for the abbreviation. */
static inline void rt_dwarf_key(struct rt_dwarf_pass *pass, unsigned name, unsigned form) {
    uint32_t *room = RT_DWARF_PUSH(&pass->key, uint32_t);
    if (room)
        *room = (uint32_t)name << 16 | form;
    pass->stat->out.attributes++;
}
/* The 4 bytes at `place` of a section, or (RT_DWARF_SECTION_COUNT) of pass->values, become a reference to
 * what rt_dwarf_target gave: now, or when that DIE has been written. */
void rt_dwarf_refer(struct rt_dwarf_pass *pass, uint64_t target, enum rt_dwarf_section section, size_t place,
                    enum rt_dwarf_reference_kind kind);

/* ---- strings.c ---- */

/* The string at an offset of an input section, without its zero. */
RT_MUST_USE struct rt_error *rt_dwarf_string_at(const struct rt_dwarf_pass *pass,
                                                enum rt_dwarf_section section, uint64_t offset,
                                                struct rt_dwarf_span *ret);
/* The output's offset of the string at an offset of .debug_str or .debug_line_str, which goes into the same
 * section.
 */
RT_MUST_USE struct rt_error *rt_dwarf_string_copy(struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                                                  uint64_t offset, uint32_t *ret);
/* A string of any origin, in .debug_str or .debug_line_str. */
uint32_t rt_dwarf_string_put(struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                             struct rt_dwarf_span string);

/* ---- lines.c, lines_program.c, lines_write.c ---- */

struct rt_dwarf_file {
    struct rt_dwarf_span name;
    uint64_t directory, time, size;
    const uint8_t *md5; /* 16 bytes, or NULL */
};

struct rt_dwarf_line_table {
    uint32_t written; /* its offset in the output */
    uint16_t version;
    uint8_t address_size, offset_size;
    uint8_t min_length, opcode_base, line_range;
    int8_t line_base;
    bool default_is_stmt;
    const uint8_t *lengths;                   /* of standard operations, from the first on */
    struct rt_dwarf_bytes directories, files; /* struct rt_dwarf_span, struct rt_dwarf_file */
    struct rt_cursor program;
};

/* The table at `offset`, copied to the output; once for all units that share it. */
RT_MUST_USE struct rt_error *rt_dwarf_lines_transform(struct rt_dwarf_pass *pass, struct rt_dwarf_unit *unit,
                                                      uint64_t offset);
void rt_dwarf_lines_clear(struct rt_dwarf_pass *pass);
/* Runs the line program, and writes what the visitor makes of its sequences. */
RT_MUST_USE struct rt_error *rt_dwarf_lines_run(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                                struct rt_dwarf_line_table *table);
/* A file's number in the output; false when it has none there. */
bool rt_dwarf_line_file(const struct rt_dwarf_pass *pass, const struct rt_dwarf_line_table *table,
                        uint64_t file, uint64_t *ret);
/* Writes the table's header; its program follows, then the end. */
RT_MUST_USE struct rt_error *rt_dwarf_lines_begin(struct rt_dwarf_pass *pass,
                                                  const struct rt_dwarf_unit *unit,
                                                  struct rt_dwarf_line_table *table);
/* Writes all rows that were put, and forgets them. */
void rt_dwarf_lines_rows(struct rt_dwarf_pass *pass, const struct rt_dwarf_line_table *table);
void rt_dwarf_lines_end(struct rt_dwarf_pass *pass, const struct rt_dwarf_line_table *table);

/* ---- frames.c, frames_write.c ---- */

/* All of .debug_frame. */
RT_MUST_USE struct rt_error *rt_dwarf_frames_transform(struct rt_dwarf_pass *pass);

#endif
