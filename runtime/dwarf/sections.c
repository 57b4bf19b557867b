/* Sections of the input: their names, cursors into them, lengths, and tables of indices. */
#include "runtime/dwarf/pass.h"

static const char *const names[RT_DWARF_SECTION_COUNT] = {
#define RT_DWARF_SECTION(kind, name) name,
#include "runtime/dwarf/sections.def"
#undef RT_DWARF_SECTION
};

const char *rt_dwarf_section_name(enum rt_dwarf_section section) {
    return names[section];
}

bool rt_dwarf_section_find(const char *name, enum rt_dwarf_section *ret) {
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret = (enum rt_dwarf_section)i;
            return true;
        }
    }
    return false;
}

struct rt_error *rt_dwarf_section_error(struct rt_error *error, enum rt_dwarf_section section) {
    return rt_error_context(error, "%s", names[section]);
}

struct rt_error *rt_dwarf_section_at(const struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                                     uint64_t offset, struct rt_cursor *ret) {
    const struct rt_dwarf_span *span = &pass->input->at[section];
    if (offset >= span->size)
        return rt_error_format(RT_MALFORMED, "%s: offset 0x%llx is past its end (%zu bytes)", names[section],
                               (unsigned long long)offset, span->size);
    *ret = rt_cursor_make(span->bytes + offset, span->size - (size_t)offset, offset);
    return NULL;
}

struct rt_error *rt_dwarf_charge(struct rt_dwarf_pass *pass, uint64_t bytes) {
    if (bytes > pass->work_left)
        return rt_error_format(RT_UNSUPPORTED,
                               "not supported: lists and tables that overlap again and again");
    pass->work_left -= bytes;
    return NULL;
}

struct rt_error *rt_dwarf_read_length(struct rt_cursor *cursor, uint64_t *ret, uint8_t *ret_size) {
    const struct rt_cursor start = *cursor;
    struct rt_error *error = rt_dwarf_read_number(cursor, 4, "length", ret);
    *ret_size = 4;
    if (!error && *ret == UINT32_MAX) {
        *ret_size = 8;
        error = rt_cursor_u64(cursor, "length", ret);
    } else if (!error && *ret >= 0xfffffff0) {
        return rt_cursor_error(&start, "reserved length 0x%llx", (unsigned long long)*ret);
    }
    if (!error && *ret > rt_cursor_left(cursor))
        return rt_cursor_error(&start, "length 0x%llx reaches past the section's end",
                               (unsigned long long)*ret);
    return error;
}

struct rt_error *rt_dwarf_table_entry(const struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                                      uint64_t base, uint64_t index, unsigned size, uint64_t *ret) {
    struct rt_cursor cursor;
    uint64_t offset;
    if (__builtin_mul_overflow(index, size, &offset) || __builtin_add_overflow(offset, base, &offset))
        offset = UINT64_MAX;
    struct rt_error *error = rt_dwarf_section_at(pass, section, offset, &cursor);
    if (!error)
        error = rt_dwarf_read_number(&cursor, size, "entry", ret);
    return error ? rt_error_context(error, "entry %llu of the unit's part of %s", (unsigned long long)index,
                                    names[section])
                 : NULL;
}

struct rt_error *rt_dwarf_unit_address(const struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                       uint64_t index, uint64_t *ret) {
    return rt_dwarf_table_entry(pass, RT_DWARF_ADDR, unit->addr_base, index, unit->address_size, ret);
}
