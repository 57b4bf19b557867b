/* A DIE's attributes, found in one walk, and their values by class (DWARF 5, section 7.5). */
#include <dwarf.h>
#include <string.h>

#include "stepper/debug.h"

/* Chains of abstract origins and specifications longer than this have a cycle. */
#define MAX_ORIGINS 16

struct rt_error *st_reader_no_memory(const struct st_reader *reader) {
    if (reader->arena->limit && reader->arena->used > reader->arena->limit / 2)
        return rt_error_format(RT_MALFORMED, "%s: the debug information unfolds to more than %zu MiB",
                               reader->debug->label, reader->arena->limit >> 20);
    return rt_error_out_of_memory();
}

struct rt_error *st_reader_broken_die(const struct st_reader *reader, Dwarf_Die *die) {
    return rt_error_format(RT_MALFORMED, "%s: DIE at .debug_info+0x%llx: %s", reader->debug->label,
                           (unsigned long long)dwarf_dieoffset(die), dwarf_errmsg(-1));
}

/* Attribute codes to slots, plus one; 0 for those that nobody looks at. */
static const uint8_t slots[256] = {
#define X(kind, code) [code] = ST_AT_##kind + 1,
    ST_ATTRIBUTES(X)
#undef X
};
_Static_assert(ST_AT_LIMIT <= 64, "st_attributes.present has one bit for each");

static int collect(Dwarf_Attribute *attribute, void *user) {
    struct st_attributes *attributes = user;
    unsigned slot = 0;
    if (attribute->code < sizeof slots)
        slot = slots[attribute->code];
    else if (attribute->code == DW_AT_MIPS_linkage_name)
        slot = ST_AT_LINKAGE_NAME + 1;
    else if (attribute->code == DW_AT_GNU_dwo_name)
        slot = ST_AT_DWO_NAME + 1;
    if (slot && !st_has(attributes, slot - 1)) {
        attributes->at[slot - 1] = *attribute;
        attributes->present |= (uint64_t)1 << (slot - 1);
    }
    return DWARF_CB_OK;
}

struct rt_error *st_attributes_read(const struct st_reader *reader, Dwarf_Die *die,
                                    struct st_attributes *ret) {
    ret->present = 0;
    return dwarf_getattrs(die, collect, ret, 0) == -1 ? st_reader_broken_die(reader, die) : NULL;
}

/* What describes one place of an entity, and does not go over to another. */
#define OWN                                                                                                  \
    ((uint64_t)1 << ST_AT_DECLARATION | (uint64_t)1 << ST_AT_LOW_PC | (uint64_t)1 << ST_AT_HIGH_PC |         \
     (uint64_t)1 << ST_AT_RANGES | (uint64_t)1 << ST_AT_ENTRY_PC | (uint64_t)1 << ST_AT_FRAME_BASE |         \
     (uint64_t)1 << ST_AT_ABSTRACT_ORIGIN | (uint64_t)1 << ST_AT_SPECIFICATION)

struct rt_error *st_attributes_integrate(const struct st_reader *reader, struct st_attributes *attributes) {
    const uint64_t links = (uint64_t)1 << ST_AT_ABSTRACT_ORIGIN | (uint64_t)1 << ST_AT_SPECIFICATION;
    if (!(attributes->present & links))
        return NULL;
    struct st_attributes origin;
    struct st_attributes *from = attributes;
    for (int i = 0; i < MAX_ORIGINS && from->present & links; i++) {
        Dwarf_Die die;
        Dwarf_Attribute link =
            from->at[st_has(from, ST_AT_ABSTRACT_ORIGIN) ? ST_AT_ABSTRACT_ORIGIN : ST_AT_SPECIFICATION];
        if (!dwarf_formref_die(&link, &die))
            return rt_error_format(
                RT_MALFORMED, "%s: reference at .debug_info+0x%llx: %s", reader->debug->label,
                (unsigned long long)st_attribute_bytes(reader, &link).base, dwarf_errmsg(-1));
        struct rt_error *error = st_attributes_read(reader, &die, &origin);
        if (error)
            return error;
        uint64_t added = origin.present & ~attributes->present & ~OWN;
        /* A specification's file belongs to its line: never mix the two. */
        if (st_has(attributes, ST_AT_DECL_LINE))
            added &= ~((uint64_t)1 << ST_AT_DECL_FILE | (uint64_t)1 << ST_AT_DECL_LINE) |
                     (st_has(attributes, ST_AT_DECL_FILE) ? 0 : (uint64_t)1 << ST_AT_DECL_FILE);
        attributes->present |= added;
        for (; added; added &= added - 1) {
            int slot = __builtin_ctzll(added);
            attributes->at[slot] = origin.at[slot];
        }
        from = &origin;
    }
    return NULL;
}

const char *st_attribute_string(struct st_attributes *attributes, enum st_attribute attribute) {
    return st_has(attributes, attribute) ? dwarf_formstring(&attributes->at[attribute]) : NULL;
}

uint64_t st_attribute_number(struct st_attributes *attributes, enum st_attribute attribute) {
    Dwarf_Word number = 0;
    if (!st_has(attributes, attribute) || dwarf_formudata(&attributes->at[attribute], &number) != 0)
        return 0;
    return number;
}

bool st_attribute_flag(struct st_attributes *attributes, enum st_attribute attribute) {
    bool flag = false;
    return st_has(attributes, attribute) && dwarf_formflag(&attributes->at[attribute], &flag) == 0 && flag;
}

bool st_attribute_constant(struct st_attributes *attributes, enum st_attribute attribute, int64_t *ret) {
    if (!st_has(attributes, attribute))
        return false;
    Dwarf_Attribute *at = &attributes->at[attribute];
    Dwarf_Word number;
    Dwarf_Sword signed_number;
    switch (dwarf_whatform(at)) {
    case DW_FORM_sdata:
    case DW_FORM_implicit_const:
        if (dwarf_formsdata(at, &signed_number) != 0)
            return false;
        *ret = signed_number;
        return true;
    case DW_FORM_data1:
    case DW_FORM_data2:
    case DW_FORM_data4:
    case DW_FORM_data8:
    case DW_FORM_udata:
        if (dwarf_formudata(at, &number) != 0)
            return false;
        *ret = (int64_t)number;
        return true;
    default: return false;
    }
}

struct rt_cursor st_attribute_bytes(const struct st_reader *reader, const Dwarf_Attribute *attribute) {
    const enum st_section_kind kinds[] = {ST_SECTION_INFO, ST_SECTION_TYPES};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct st_section *section = &reader->debug->sections[kinds[i]];
        size_t offset = (size_t)((uintptr_t)attribute->valp - (uintptr_t)section->bytes);
        if (section->size && offset <= section->size)
            return rt_cursor_make(section->bytes + offset, section->size - offset, offset);
    }
    return rt_cursor_make(NULL, 0, 0);
}

/* The unit that holds an attribute. */
static const struct st_unit *unit_of(const struct st_reader *reader, const Dwarf_Attribute *attribute) {
    if (attribute->cu == reader->unit->cu)
        return reader->unit;
    for (size_t i = 0; i < reader->debug->unit_count; i++)
        if (reader->debug->units[i].cu == attribute->cu)
            return &reader->debug->units[i];
    return NULL;
}

struct rt_error *st_attribute_offset(const struct st_reader *reader, struct st_attributes *attributes,
                                     enum st_attribute attribute, uint64_t *ret) {
    const Dwarf_Attribute *at = &attributes->at[attribute];
    struct rt_cursor cursor = st_attribute_bytes(reader, at);
    const struct st_unit *unit = unit_of(reader, at);
    uint32_t low = 0;
    struct rt_error *error = NULL;
    if (!unit)
        return rt_cursor_error(&cursor, "an offset in an unknown unit");
    switch (at->form) {
    case DW_FORM_sec_offset: return st_unit_read_offset(unit, &cursor, ret);
    case DW_FORM_data8: return rt_cursor_u64(&cursor, "section offset", ret);
    case DW_FORM_data4:
        error = rt_cursor_u32(&cursor, "section offset", &low);
        *ret = low;
        return error;
    case DW_FORM_loclistx:
        error = rt_cursor_uleb(&cursor, 64, "index of a location list", ret);
        return error ? error : st_location_list_offset(unit, *ret, ret);
    default: return rt_cursor_error(&cursor, "form 0x%x is no section offset", at->form);
    }
}

uint32_t st_attribute_file(const struct st_reader *reader, struct st_attributes *attributes,
                           enum st_attribute attribute) {
    if (!st_has(attributes, attribute))
        return 0;
    const struct st_unit *unit = unit_of(reader, &attributes->at[attribute]);
    uint64_t index = st_attribute_number(attributes, attribute);
    return unit && index < unit->file_count ? unit->files[index] : 0;
}

static struct rt_error *broken(const struct st_reader *reader, struct rt_error *error,
                               struct st_location *ret) {
    *ret = (struct st_location){.kind = ST_LOCATION_BROKEN};
    ret->reason = rt_arena_printf(reader->arena, "%s", error->message);
    rt_error_destroy(error);
    return ret->reason ? NULL : st_reader_no_memory(reader);
}

static struct rt_error *read_constant(const struct st_reader *reader, struct st_attributes *attributes,
                                      struct st_location *ret) {
    Dwarf_Attribute *at = &attributes->at[ST_AT_CONST_VALUE];
    Dwarf_Block block;
    int64_t number;
    *ret = (struct st_location){.kind = ST_LOCATION_CONSTANT};
    if (st_attribute_constant(attributes, ST_AT_CONST_VALUE, &number)) {
        uint8_t bytes[16];
        unsigned form = dwarf_whatform(at);
        bool is_signed = form == DW_FORM_sdata || form == DW_FORM_implicit_const;
        memset(bytes, is_signed && number < 0 ? 0xff : 0, sizeof bytes);
        memcpy(bytes, &number, sizeof number);
        ret->constant = (const uint8_t *)rt_arena_copy(reader->arena, bytes, sizeof bytes);
        return ret->constant ? NULL : st_reader_no_memory(reader);
    }
    if (dwarf_formblock(at, &block) == 0) {
        ret->constant = block.data;
        ret->constant_size = block.length;
        return NULL;
    }
    const char *string = dwarf_formstring(at);
    if (string) {
        ret->constant = (const uint8_t *)string;
        ret->constant_size = strlen(string) + 1;
        return NULL;
    }
    struct rt_cursor cursor = st_attribute_bytes(reader, at);
    return broken(reader, rt_cursor_error(&cursor, "form 0x%x is no constant", at->form), ret);
}

struct rt_error *st_attribute_location(const struct st_reader *reader, struct st_attributes *attributes,
                                       enum st_attribute attribute, struct st_location *ret) {
    *ret = (struct st_location){.kind = ST_LOCATION_NONE};
    if (!st_has(attributes, attribute))
        return attribute == ST_AT_LOCATION && st_has(attributes, ST_AT_CONST_VALUE)
                   ? read_constant(reader, attributes, ret)
                   : NULL;
    Dwarf_Attribute *at = &attributes->at[attribute];
    struct rt_cursor cursor = st_attribute_bytes(reader, at);
    const struct st_unit *unit = unit_of(reader, at);
    if (!unit)
        return broken(reader, rt_cursor_error(&cursor, "a location in an unknown unit"), ret);
    Dwarf_Block block;
    if (dwarf_formblock(at, &block) == 0) {
        struct st_expression *expression = rt_arena_alloc(reader->arena, sizeof *expression);
        if (!expression)
            return st_reader_no_memory(reader);
        *expression = (struct st_expression){{0, UINT64_MAX}, block.data, block.length, unit};
        *ret = (struct st_location){.kind = ST_LOCATION_EXPRESSIONS, .expressions = expression, .count = 1};
        return NULL;
    }
    uint64_t offset;
    struct rt_error *error = st_attribute_offset(reader, attributes, attribute, &offset);
    if (!error)
        error = st_location_list_read(unit, offset, reader->arena, ret);
    if (!error)
        return NULL;
    if (error->code == RT_OUT_OF_MEMORY) {
        rt_error_destroy(error);
        return st_reader_no_memory(reader);
    }
    return broken(reader, error, ret);
}
