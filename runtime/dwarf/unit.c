/* Units of the input (DWARF 5, section 7.5.1): headers, bases, and which of them are left out. */
#include "runtime/dwarf/pass.h"

enum { UT_COMPILE = 1, UT_TYPE = 2, UT_PARTIAL = 3 };

static uint64_t section_position(const struct rt_dwarf_pass *pass, enum rt_dwarf_section section) {
    return section == RT_DWARF_TYPES ? pass->input->at[RT_DWARF_INFO].size : 0;
}

struct rt_error *rt_dwarf_unit_cursor(const struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                      uint64_t position, struct rt_cursor *ret) {
    const uint64_t start = section_position(pass, unit->section), offset = position - start;
    if (position < unit->offset || position > unit->end)
        return rt_error_format(RT_MALFORMED, "%s: offset 0x%llx is outside of its unit",
                               rt_dwarf_section_name(unit->section), (unsigned long long)offset);
    *ret =
        rt_cursor_make(pass->input->at[unit->section].bytes + offset, (size_t)(unit->end - position), offset);
    return NULL;
}

uint64_t rt_dwarf_position(const struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                           const struct rt_cursor *cursor) {
    return section_position(pass, unit->section) + rt_cursor_offset(cursor);
}

struct rt_error *rt_dwarf_die_read(const struct rt_dwarf_unit *unit, struct rt_cursor *cursor,
                                   const struct rt_dwarf_abbrev **ret) {
    const struct rt_cursor start = *cursor;
    uint64_t code;
    struct rt_error *error = rt_dwarf_read_uleb(cursor, "abbreviation code", &code);
    *ret = NULL;
    if (error || code == 0)
        return error;
    *ret = rt_dwarf_abbrev_find(unit->abbrevs, code);
    return *ret ? NULL : rt_cursor_error(&start, "there is no abbreviation %llu", (unsigned long long)code);
}

/* ---- Headers ---- */

/* What is left out, or NULL. */
static const char *read_kind(struct rt_dwarf_unit *unit, uint8_t kind) {
    switch (kind) {
    case UT_COMPILE: unit->kind = RT_DWARF_COMPILE_UNIT; return NULL;
    case UT_TYPE: unit->kind = RT_DWARF_TYPE_UNIT; return NULL;
    case UT_PARTIAL: unit->kind = RT_DWARF_PARTIAL_UNIT; return NULL;
    case 4: /* skeleton */
    case 5:
    case 6: return "left out: unit of split DWARF, whose DIEs are in another file";
    default: return "left out: unit of an unknown kind";
    }
}

/* The rest of a header, behind its length and version. */
static struct rt_error *read_header(struct rt_cursor *cursor, struct rt_dwarf_unit *unit,
                                    uint64_t *ret_abbrevs, const char **ret_reason) {
    uint8_t kind = unit->section == RT_DWARF_TYPES ? UT_TYPE : UT_COMPILE;
    uint64_t type = 0;
    struct rt_error *error = NULL;
    if (unit->version >= 5) {
        error = rt_cursor_u8(cursor, "unit type", &kind);
        if (!error)
            error = rt_cursor_u8(cursor, "address size", &unit->address_size);
    }
    *ret_reason = error ? NULL : read_kind(unit, kind);
    if (!error)
        error = rt_dwarf_read_number(cursor, unit->offset_size, "offset of abbreviations", ret_abbrevs);
    if (!error && unit->version < 5)
        error = rt_cursor_u8(cursor, "address size", &unit->address_size);
    if (!error && !*ret_reason && unit->address_size != 4 && unit->address_size != 8)
        *ret_reason = "left out: unit whose addresses have neither 4 nor 8 bytes";
    if (error || *ret_reason || unit->kind != RT_DWARF_TYPE_UNIT)
        return error;
    error = rt_cursor_u64(cursor, "type signature", &unit->signature);
    if (!error)
        error = rt_dwarf_read_number(cursor, unit->offset_size, "offset of the type", &type);
    unit->type = type;
    return error;
}

/* ---- Bases ---- */

/* Empty when it is no string: a block has bytes, too, which may hold zeros. */
static struct rt_dwarf_span text_of(const struct rt_dwarf_attribute *at) {
    return at->class == RT_DWARF_CLASS_STRING ? at->bytes : (struct rt_dwarf_span){NULL, 0};
}

/* The root's attributes of one kind: tables first, because the others may be indices into them. */
static struct rt_error *read_root(struct rt_dwarf_pass *pass, struct rt_dwarf_unit *unit,
                                  const struct rt_dwarf_abbrev *abbrev, struct rt_cursor cursor, bool tables,
                                  const char **ret_reason) {
    struct rt_error *error = NULL;
    for (uint32_t i = 0; !error && i < abbrev->count; i++) {
        const struct rt_dwarf_spec *spec = &abbrev->specs[i];
        struct rt_dwarf_attribute at;
        const bool is_table = spec->role == RT_DWARF_ROLE_TABLE || spec->role == RT_DWARF_ROLE_DWO;
        const bool is_wanted = tables
                                   ? is_table
                                   : spec->role == RT_DWARF_ROLE_LOW_PC || spec->name == RT_DWARF_AT_name ||
                                         spec->name == RT_DWARF_AT_comp_dir;
        if (!is_wanted) {
            error = rt_dwarf_attribute_skip(unit, &cursor, spec);
            continue;
        }
        if (spec->role == RT_DWARF_ROLE_DWO) {
            *ret_reason = "left out: unit of split DWARF, whose DIEs are in another file";
            return NULL;
        }
        error = rt_dwarf_attribute_read(pass, unit, &cursor, spec, &at);
        if (error)
            break;
        switch (spec->name) {
        case RT_DWARF_AT_str_offsets_base: unit->str_offsets_base = at.number; break;
        case RT_DWARF_AT_addr_base:
        case RT_DWARF_AT_GNU_addr_base: unit->addr_base = at.number; break;
        case RT_DWARF_AT_rnglists_base: unit->rnglists_base = at.number; break;
        case RT_DWARF_AT_loclists_base: unit->loclists_base = at.number; break;
        case RT_DWARF_AT_low_pc: unit->base = at.class == RT_DWARF_CLASS_ADDRESS ? at.number : 0; break;
        case RT_DWARF_AT_name: unit->name = text_of(&at); break;
        case RT_DWARF_AT_comp_dir: unit->directory = text_of(&at); break;
        default: break;
        }
    }
    return error;
}

static struct rt_error *read_bases(struct rt_dwarf_pass *pass, struct rt_dwarf_unit *unit,
                                   struct rt_cursor cursor, const char **ret_reason) {
    const struct rt_dwarf_abbrev *abbrev;
    /* Where no attribute says so, a unit's part is the section's first, behind its header. */
    unit->str_offsets_base = unit->addr_base = unit->offset_size == 8 ? 16 : 8;
    unit->rnglists_base = unit->loclists_base = unit->offset_size == 8 ? 20 : 12;
    struct rt_error *error = rt_dwarf_die_read(unit, &cursor, &abbrev);
    if (!error && !abbrev)
        *ret_reason = "left out: unit without a DIE";
    if (!error && !*ret_reason)
        error = read_root(pass, unit, abbrev, cursor, true, ret_reason);
    if (!error && !*ret_reason)
        error = read_root(pass, unit, abbrev, cursor, false, ret_reason);
    return error;
}

/* ---- All units ---- */

static struct rt_error *read_unit(struct rt_dwarf_pass *pass, struct rt_dwarf_unit *unit,
                                  struct rt_cursor *cursor, uint64_t length, const char **ret_reason) {
    const uint8_t *bytes;
    const uint64_t start = section_position(pass, unit->section);
    uint64_t abbrevs = 0;
    uint16_t version;
    struct rt_cursor contents = *cursor;
    struct rt_error *error = rt_cursor_bytes(cursor, (size_t)length, "unit", &bytes);
    if (error)
        return error;
    contents.end = contents.next + length;
    unit->end = start + rt_cursor_offset(cursor);
    error = rt_cursor_u16(&contents, "version", &version);
    if (error)
        return error;
    *ret_reason = NULL;
    unit->version = (uint8_t)version;
    if (version != 4 && version != 5)
        *ret_reason = "left out: unit of a version other than DWARF 4 and 5";
    else
        error = read_header(&contents, unit, &abbrevs, ret_reason);
    if (error || *ret_reason)
        return error;
    unit->first = start + rt_cursor_offset(&contents);
    unit->type += unit->kind == RT_DWARF_TYPE_UNIT ? unit->offset : 0;
    error = rt_dwarf_abbrevs_read(pass, unit, abbrevs, &unit->abbrevs);
    return error ? error : read_bases(pass, unit, contents, ret_reason);
}

static struct rt_error *read_section(struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                                     struct rt_dwarf_bytes *list) {
    const struct rt_dwarf_span *span = &pass->input->at[section];
    struct rt_cursor cursor = rt_cursor_make(span->bytes, span->size, 0);
    while (rt_cursor_left(&cursor)) {
        struct rt_dwarf_unit unit = {.section = section};
        const char *reason = NULL;
        uint64_t length;
        unit.offset = section_position(pass, section) + rt_cursor_offset(&cursor);
        struct rt_error *error = rt_dwarf_read_length(&cursor, &length, &unit.offset_size);
        if (!error)
            error = read_unit(pass, &unit, &cursor, length, &reason);
        if (error)
            return rt_dwarf_section_error(
                rt_error_context(error, "unit at 0x%llx",
                                 (unsigned long long)(unit.offset - section_position(pass, section))),
                section);
        pass->stat->in.units++;
        if (reason)
            rt_dwarf_count(pass, reason);
        else
            rt_dwarf_put(list, &unit, sizeof unit);
    }
    return NULL;
}

struct rt_error *rt_dwarf_units_read(struct rt_dwarf_pass *pass) {
    struct rt_dwarf_bytes list = {.budget = pass->budget};
    struct rt_error *error = read_section(pass, RT_DWARF_INFO, &list);
    if (!error)
        error = read_section(pass, RT_DWARF_TYPES, &list);
    if (!error)
        error = rt_dwarf_check(pass);
    if (!error) {
        pass->unit_count = RT_DWARF_COUNT(&list, struct rt_dwarf_unit);
        pass->units = rt_dwarf_alloc(pass, pass->unit_count, sizeof *pass->units);
        if (pass->units && pass->unit_count)
            memcpy(pass->units, list.bytes, list.size);
        error = rt_dwarf_check(pass);
    }
    rt_dwarf_bytes_clear(&list);
    return error;
}

const struct rt_dwarf_unit *rt_dwarf_unit_at(const struct rt_dwarf_pass *pass, uint64_t position) {
    size_t low = 0, high = pass->unit_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (pass->units[middle].end <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low < pass->unit_count && pass->units[low].offset <= position ? &pass->units[low] : NULL;
}
