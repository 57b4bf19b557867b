/* Attribute values of the input (DWARF 5, section 7.5.5): decoded, or passed over. Indices into tables of
 * strings, addresses and lists are looked up here: what comes out is a value of a class. */
#include "runtime/dwarf/pass.h"

/* ---- Raw values ---- */

/* The number or the bytes that a form has, whatever they mean. `form` is none that is INDIRECT. */
static struct rt_error *read_raw(const struct rt_dwarf_unit *unit, struct rt_cursor *cursor,
                                 const struct rt_dwarf_form *form, unsigned offset_size, uint64_t *number,
                                 struct rt_dwarf_span *bytes) {
    struct rt_error *error = NULL;
    int64_t value = 0;
    uint64_t size;
    const uint8_t *end;
    switch (form->shape) {
    case FIXED:
        if (form->size <= 8)
            return rt_dwarf_read_number(cursor, form->size, form->name, number);
        bytes->size = form->size;
        return rt_cursor_bytes(cursor, form->size, form->name, &bytes->bytes);
    case ADDRESS: return rt_dwarf_read_number(cursor, unit->address_size, form->name, number);
    case OFFSET: return rt_dwarf_read_number(cursor, offset_size, form->name, number);
    case ULEB: return rt_dwarf_read_uleb(cursor, form->name, number);
    case SLEB:
        error = rt_cursor_sleb(cursor, 64, form->name, &value);
        *number = (uint64_t)value;
        return error;
    case BLOCK:
        error = form->size ? rt_dwarf_read_number(cursor, form->size, form->name, &size)
                           : rt_dwarf_read_uleb(cursor, form->name, &size);
        if (error)
            return error;
        if (size > rt_cursor_left(cursor))
            return rt_cursor_error(cursor, "DW_FORM_%s: size 0x%llx reaches past the end", form->name,
                                   (unsigned long long)size);
        bytes->size = (size_t)size;
        return rt_cursor_bytes(cursor, (size_t)size, form->name, &bytes->bytes);
    case TEXT:
        end = rt_cursor_left(cursor) ? memchr(cursor->next, 0, rt_cursor_left(cursor)) : NULL;
        if (!end)
            return rt_cursor_error(cursor, "a string without an end");
        bytes->size = (size_t)(end - cursor->next);
        return rt_cursor_bytes(cursor, bytes->size + 1, form->name, &bytes->bytes);
    default: *number = 1; return NULL; /* DW_FORM_flag_present */
    }
}

/* ---- Meaning ---- */

static struct rt_error *read_string(struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                                    uint64_t offset, struct rt_dwarf_span *ret) {
    struct rt_error *error = rt_dwarf_string_at(pass, section, offset, ret);
    return error ? error : rt_dwarf_charge(pass, ret->size);
}

static struct rt_error *look_up(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                struct rt_dwarf_attribute *at) {
    uint64_t offset = at->number;
    struct rt_error *error = NULL;
    switch (at->form) {
    case RT_DWARF_FORM_strp: return read_string(pass, RT_DWARF_STR, at->number, &at->bytes);
    case RT_DWARF_FORM_line_strp: return read_string(pass, RT_DWARF_LINE_STR, at->number, &at->bytes);
    case RT_DWARF_FORM_strx:
    case RT_DWARF_FORM_strx1:
    case RT_DWARF_FORM_strx2:
    case RT_DWARF_FORM_strx3:
    case RT_DWARF_FORM_strx4:
    case RT_DWARF_FORM_GNU_str_index:
        error = rt_dwarf_table_entry(pass, RT_DWARF_STR_OFFSETS, unit->str_offsets_base, at->number,
                                     unit->offset_size, &offset);
        return error ? error : read_string(pass, RT_DWARF_STR, offset, &at->bytes);
    case RT_DWARF_FORM_addrx:
    case RT_DWARF_FORM_addrx1:
    case RT_DWARF_FORM_addrx2:
    case RT_DWARF_FORM_addrx3:
    case RT_DWARF_FORM_addrx4:
    case RT_DWARF_FORM_GNU_addr_index: return rt_dwarf_unit_address(pass, unit, at->number, &at->number);
    case RT_DWARF_FORM_rnglistx:
        error = rt_dwarf_table_entry(pass, RT_DWARF_RNGLISTS, unit->rnglists_base, at->number,
                                     unit->offset_size, &offset);
        at->number = unit->rnglists_base + offset;
        return error;
    case RT_DWARF_FORM_loclistx:
        error = rt_dwarf_table_entry(pass, RT_DWARF_LOCLISTS, unit->loclists_base, at->number,
                                     unit->offset_size, &offset);
        at->number = unit->loclists_base + offset;
        return error;
    default: return NULL;
    }
}

/* A constant is signed where its form is. */
static void sign(struct rt_dwarf_attribute *at) {
    at->is_signed = at->form == RT_DWARF_FORM_sdata || at->form == RT_DWARF_FORM_implicit_const;
}

/* Offsets within the unit become positions; those of .debug_info are positions. */
static void refer(const struct rt_dwarf_unit *unit, struct rt_dwarf_attribute *at) {
    if (at->form == RT_DWARF_FORM_ref_addr)
        return;
    if (__builtin_add_overflow(at->number, unit->offset, &at->number) || at->number & RT_DWARF_NEW)
        at->number = UINT64_MAX >> 1; /* the position of no DIE */
}

struct rt_error *rt_dwarf_value_read(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                     struct rt_cursor *cursor, uint64_t code, int64_t implicit,
                                     unsigned offset_size, struct rt_dwarf_attribute *ret) {
    const struct rt_dwarf_form *form = rt_dwarf_form(code);
    if (form->shape == INDIRECT && form->name) {
        struct rt_error *error = rt_dwarf_read_uleb(cursor, "form", &code);
        if (error)
            return error;
        form = rt_dwarf_form(code);
        if (form->shape == INDIRECT || code == RT_DWARF_FORM_implicit_const)
            return rt_cursor_error(cursor, "form 0x%llx cannot be indirect", (unsigned long long)code);
    }
    if (!form->name)
        return rt_cursor_error(cursor, "unknown form 0x%llx", (unsigned long long)code);
    ret->form = (unsigned)code;
    ret->class = (enum rt_dwarf_class)form->class;
    ret->number = 0;
    ret->bytes = (struct rt_dwarf_span){0};
    ret->is_signed = false;
    struct rt_error *error = read_raw(unit, cursor, form, offset_size, &ret->number, &ret->bytes);
    if (error)
        return error;
    if (code == RT_DWARF_FORM_implicit_const)
        ret->number = (uint64_t)implicit;
    if (ret->class == RT_DWARF_CLASS_CONSTANT)
        sign(ret);
    if (ret->class == RT_DWARF_CLASS_REFERENCE)
        refer(unit, ret);
    return look_up(pass, unit, ret);
}

struct rt_error *rt_dwarf_attribute_read(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                         struct rt_cursor *cursor, const struct rt_dwarf_spec *spec,
                                         struct rt_dwarf_attribute *ret) {
    ret->name = spec->name;
    struct rt_error *error =
        rt_dwarf_value_read(pass, unit, cursor, spec->form, spec->implicit, unit->offset_size, ret);
    if (error)
        return rt_error_context(error, "attribute 0x%x", spec->name);
    if (ret->class == RT_DWARF_CLASS_SECTION_OFFSET) {
        switch ((enum rt_dwarf_role)spec->role) {
        case RT_DWARF_ROLE_LOCATION: ret->class = RT_DWARF_CLASS_LOCATION_LIST; break;
        case RT_DWARF_ROLE_RANGES: ret->class = RT_DWARF_CLASS_RANGE_LIST; break;
        case RT_DWARF_ROLE_LINES: ret->class = RT_DWARF_CLASS_LINE_TABLE; break;
        default: break;
        }
    } else if (ret->class == RT_DWARF_CLASS_BLOCK && spec->form != RT_DWARF_FORM_data16 &&
               (spec->role == RT_DWARF_ROLE_LOCATION || spec->role == RT_DWARF_ROLE_VALUE)) {
        ret->class = RT_DWARF_CLASS_EXPRESSION; /* as DWARF 3 wrote them */
    }
    return NULL;
}

/* ---- Passing over ---- */

struct rt_error *rt_dwarf_attribute_skip(const struct rt_dwarf_unit *unit, struct rt_cursor *cursor,
                                         const struct rt_dwarf_spec *spec) {
    const uint8_t *bytes;
    struct rt_dwarf_span span;
    uint64_t number;
    if (spec->shape == FIXED)
        return rt_cursor_bytes(cursor, spec->size, rt_dwarf_form(spec->form)->name, &bytes);
    if (spec->shape == NOTHING)
        return NULL;
    const struct rt_dwarf_form *form = rt_dwarf_form(spec->form);
    if (form->shape == INDIRECT) {
        struct rt_error *error = rt_dwarf_read_uleb(cursor, "form", &number);
        if (error)
            return error;
        form = rt_dwarf_form(number);
        if (!form->name || form->shape == INDIRECT || number == RT_DWARF_FORM_implicit_const)
            return rt_cursor_error(cursor, "form 0x%llx cannot be indirect", (unsigned long long)number);
    }
    return read_raw(unit, cursor, form, unit->offset_size, &number, &span);
}

struct rt_error *rt_dwarf_attributes_skip(const struct rt_dwarf_unit *unit, struct rt_cursor *cursor,
                                          const struct rt_dwarf_abbrev *abbrev) {
    const uint8_t *bytes;
    if (abbrev->fixed_size != UINT32_MAX)
        return rt_cursor_bytes(cursor, abbrev->fixed_size, "attributes", &bytes);
    struct rt_error *error = NULL;
    for (uint32_t i = 0; !error && i < abbrev->count; i++)
        error = rt_dwarf_attribute_skip(unit, cursor, &abbrev->specs[i]);
    return error;
}

/* ---- Questions about a DIE ---- */

struct rt_error *rt_dwarf_attribute_find(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                         unsigned name, struct rt_dwarf_attribute *ret, bool *ret_found) {
    struct rt_cursor cursor = die->attributes;
    *ret_found = false;
    for (uint32_t i = 0; i < die->abbrev->count; i++) {
        const struct rt_dwarf_spec *spec = &die->abbrev->specs[i];
        *ret_found = spec->name == name;
        struct rt_error *error = *ret_found ? rt_dwarf_attribute_read(pass, die->unit, &cursor, spec, ret)
                                            : rt_dwarf_attribute_skip(die->unit, &cursor, spec);
        if (error || *ret_found)
            return error ? rt_dwarf_section_error(error, die->unit->section) : NULL;
    }
    return NULL;
}

struct rt_error *rt_dwarf_pcs_read(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                   struct rt_dwarf_pcs *ret) {
    struct rt_cursor cursor = die->attributes;
    bool high_is_size = false;
    *ret = (struct rt_dwarf_pcs){0};
    for (uint32_t i = 0; i < die->abbrev->count; i++) {
        const struct rt_dwarf_spec *spec = &die->abbrev->specs[i];
        struct rt_dwarf_attribute at;
        struct rt_error *error;
        if (spec->role != RT_DWARF_ROLE_LOW_PC && spec->role != RT_DWARF_ROLE_HIGH_PC &&
            spec->role != RT_DWARF_ROLE_RANGES)
            error = rt_dwarf_attribute_skip(die->unit, &cursor, spec);
        else
            error = rt_dwarf_attribute_read(pass, die->unit, &cursor, spec, &at);
        if (error)
            return error;
        switch ((enum rt_dwarf_role)spec->role) {
        case RT_DWARF_ROLE_LOW_PC:
            ret->has_low = at.class == RT_DWARF_CLASS_ADDRESS;
            ret->low = at.number;
            break;
        case RT_DWARF_ROLE_HIGH_PC:
            ret->has_high = at.class == RT_DWARF_CLASS_ADDRESS || at.class == RT_DWARF_CLASS_CONSTANT;
            high_is_size = at.class == RT_DWARF_CLASS_CONSTANT;
            ret->high = at.number;
            ret->high_form = at.form;
            break;
        case RT_DWARF_ROLE_RANGES:
            ret->has_ranges = at.class == RT_DWARF_CLASS_RANGE_LIST;
            ret->ranges = at.number;
            break;
        default: break;
        }
    }
    if (high_is_size)
        ret->high = (ret->low + ret->high) & rt_dwarf_highest(die->unit->address_size);
    ret->is_dead = ret->has_low && rt_dwarf_is_dead(pass, ret->low);
    return NULL;
}
