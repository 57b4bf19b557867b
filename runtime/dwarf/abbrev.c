/* Abbreviations of the input (DWARF 5, section 7.5.3), and what their attributes and forms are. */
#include <stdlib.h>

#include "runtime/dwarf/pass.h"

#define FORM_LIMIT 0x2d

static const struct rt_dwarf_form forms[] = {
#define RT_DWARF_FORM(code, name, shape, size, class)                                                        \
    [code < FORM_LIMIT ? code : FORM_LIMIT + (code & 0x3f)] = {#name, shape, size, RT_DWARF_CLASS_##class},
#include "runtime/dwarf/forms.def"
#undef RT_DWARF_FORM
};
static const struct rt_dwarf_form unknown_form;

const struct rt_dwarf_form *rt_dwarf_form(uint64_t code) {
    if (code >= FORM_LIMIT) {
        if ((code & ~(uint64_t)0x3f) != 0x1f00)
            return &unknown_form;
        code = FORM_LIMIT + (code & 0x3f);
    }
    return code < sizeof forms / sizeof *forms ? &forms[code] : &unknown_form;
}

enum rt_dwarf_role rt_dwarf_role(unsigned attribute) {
    switch (attribute) {
#define RT_DWARF_ATTRIBUTE(code, name, role)                                                                 \
    case code: return RT_DWARF_ROLE_##role;
#include "runtime/dwarf/attributes.def"
#undef RT_DWARF_ATTRIBUTE
    default: return RT_DWARF_ROLE_PLAIN;
    }
}

/* True for what is the same bytes in the output, whatever its version and sizes. */
static bool is_copied(const struct rt_dwarf_spec *spec) {
    if (spec->role != RT_DWARF_ROLE_PLAIN && spec->role != RT_DWARF_ROLE_NAMED &&
        spec->role != RT_DWARF_ROLE_VALUE)
        return false;
    if (spec->name == RT_DWARF_AT_producer)
        return false;
    switch (spec->class) {
    case RT_DWARF_CLASS_CONSTANT: return spec->form != RT_DWARF_FORM_implicit_const;
    case RT_DWARF_CLASS_FLAG: return true;
    case RT_DWARF_CLASS_BLOCK: return spec->form != RT_DWARF_FORM_data16 && spec->role != RT_DWARF_ROLE_VALUE;
    case RT_DWARF_CLASS_STRING: return spec->form == RT_DWARF_FORM_string;
    case RT_DWARF_CLASS_SIGNATURE: return true;
    default: return false;
    }
}

static bool is_string(const struct rt_dwarf_spec *spec) {
    return spec->class == RT_DWARF_CLASS_STRING && spec->form != RT_DWARF_FORM_string &&
           spec->form != RT_DWARF_FORM_line_strp && spec->name != RT_DWARF_AT_producer &&
           (spec->role == RT_DWARF_ROLE_PLAIN || spec->role == RT_DWARF_ROLE_NAMED);
}

static bool may_refer(const struct rt_dwarf_spec *spec) {
    return spec->class == RT_DWARF_CLASS_REFERENCE || spec->shape == INDIRECT ||
           spec->role == RT_DWARF_ROLE_LOCATION || spec->role == RT_DWARF_ROLE_VALUE ||
           spec->class == RT_DWARF_CLASS_EXPRESSION;
}

static bool is_visited(const struct rt_dwarf_visitor *visitor, unsigned tag, unsigned name) {
    return visitor->attribute && (!visitor->looks_at || visitor->looks_at(visitor->user, tag, name));
}

static struct rt_error *read_spec(struct rt_cursor *cursor, const struct rt_dwarf_unit *unit, uint64_t name,
                                  uint64_t code, struct rt_dwarf_spec *ret) {
    const struct rt_dwarf_form *form = rt_dwarf_form(code);
    if (!form->name)
        return rt_cursor_error(cursor, "unknown form 0x%llx", (unsigned long long)code);
    if (name == 0 || name > UINT16_MAX)
        return rt_cursor_error(cursor, "attribute 0x%llx is none", (unsigned long long)name);
    *ret = (struct rt_dwarf_spec){.name = (uint16_t)name,
                                  .form = (uint16_t)code,
                                  .role = (uint8_t)rt_dwarf_role((unsigned)name),
                                  .shape = form->shape,
                                  .class = form->class,
                                  .size = form->size};
    if (form->shape == ADDRESS || form->shape == OFFSET) {
        ret->size = form->shape == ADDRESS ? unit->address_size : unit->offset_size;
        ret->shape = FIXED;
    }
    ret->is_copied = is_copied(ret);
    ret->is_string = is_string(ret);
    ret->may_refer = may_refer(ret);
    if (code == RT_DWARF_FORM_implicit_const)
        return rt_cursor_sleb(cursor, 64, "implicit constant", &ret->implicit);
    return NULL;
}

static void add_up(struct rt_dwarf_abbrev *abbrev, const struct rt_dwarf_spec *spec) {
    if (spec->shape == FIXED && abbrev->fixed_size != UINT32_MAX)
        abbrev->fixed_size += spec->size;
    else if (spec->shape != NOTHING)
        abbrev->fixed_size = UINT32_MAX;
    abbrev->has_pcs |= spec->role == RT_DWARF_ROLE_LOW_PC || spec->role == RT_DWARF_ROLE_RANGES;
    abbrev->has_references |= spec->may_refer;
}

/* One declaration; *ret_end is set at the table's end. Its attributes are left in `specs`. */
static struct rt_error *read_abbrev(const struct rt_dwarf_pass *pass, struct rt_cursor *cursor,
                                    const struct rt_dwarf_unit *unit, struct rt_dwarf_bytes *specs,
                                    struct rt_dwarf_abbrev *ret, bool *ret_end) {
    uint64_t tag, name, form;
    uint8_t children;
    *ret = (struct rt_dwarf_abbrev){0};
    specs->size = 0;
    struct rt_error *error = rt_dwarf_read_uleb(cursor, "abbreviation code", &ret->code);
    *ret_end = !error && ret->code == 0;
    if (error || *ret_end)
        return error;
    error = rt_dwarf_read_uleb(cursor, "tag", &tag);
    if (!error && (tag == 0 || tag > UINT16_MAX))
        return rt_cursor_error(cursor, "tag 0x%llx is none", (unsigned long long)tag);
    if (!error)
        error = rt_cursor_u8(cursor, "children", &children);
    if (error)
        return error;
    ret->tag = (uint16_t)tag;
    ret->has_children = children != 0;
    for (;;) {
        error = rt_dwarf_read_uleb(cursor, "attribute", &name);
        if (!error)
            error = rt_dwarf_read_uleb(cursor, "form", &form);
        if (error || (name == 0 && form == 0))
            return error;
        struct rt_dwarf_spec *spec = RT_DWARF_PUSH(specs, struct rt_dwarf_spec);
        if (!spec)
            return rt_error_out_of_memory();
        error = read_spec(cursor, unit, name, form, spec);
        if (error)
            return error;
        spec->is_visited = is_visited(pass->visitor, ret->tag, spec->name);
        add_up(ret, spec);
    }
}

static int by_code(const void *a, const void *b) {
    const struct rt_dwarf_abbrev *first = a, *second = b;
    return first->code < second->code ? -1 : first->code > second->code;
}

/* Puts the declarations that were read into the table, ascending by code. */
static struct rt_error *finish(struct rt_dwarf_pass *pass, struct rt_dwarf_bytes *list,
                               struct rt_dwarf_abbrevs *ret) {
    ret->count = RT_DWARF_COUNT(list, struct rt_dwarf_abbrev);
    struct rt_dwarf_abbrev *items = rt_dwarf_alloc(pass, ret->count, sizeof *items);
    if (!items)
        return rt_dwarf_check(pass);
    uint32_t *written = rt_dwarf_alloc(pass, ret->count, sizeof *written);
    if (!written)
        return rt_dwarf_check(pass);
    if (ret->count)
        memcpy(items, list->bytes, list->size);
    ret->is_dense = true;
    for (size_t i = 0; i < ret->count; i++) {
        items[i].written = &written[i];
        ret->is_dense &= items[i].code == i + 1;
    }
    if (!ret->is_dense)
        qsort(items, ret->count, sizeof *items, by_code);
    for (size_t i = 1; i < ret->count; i++)
        if (items[i].code == items[i - 1].code)
            return rt_error_format(RT_MALFORMED, "two abbreviations of code %llu in the table at byte 0x%llx",
                                   (unsigned long long)items[i].code, (unsigned long long)ret->offset);
    ret->items = items;
    return NULL;
}

static struct rt_error *read_table(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                   struct rt_cursor *cursor, struct rt_dwarf_abbrevs *ret) {
    struct rt_dwarf_bytes list = {.budget = pass->budget}, specs = {.budget = pass->budget};
    struct rt_error *error;
    bool at_end = false;
    for (;;) {
        struct rt_dwarf_abbrev abbrev;
        error = read_abbrev(pass, cursor, unit, &specs, &abbrev, &at_end);
        if (error || at_end)
            break;
        abbrev.count = (uint32_t)RT_DWARF_COUNT(&specs, struct rt_dwarf_spec);
        void *kept = rt_dwarf_alloc(pass, abbrev.count, sizeof(struct rt_dwarf_spec));
        if (kept && specs.size)
            memcpy(kept, specs.bytes, specs.size);
        abbrev.specs = kept;
        rt_dwarf_put(&list, &abbrev, sizeof abbrev);
        error = rt_dwarf_check(pass);
        if (error)
            break;
    }
    if (!error)
        error = finish(pass, &list, ret);
    rt_dwarf_bytes_clear(&list);
    rt_dwarf_bytes_clear(&specs);
    return error;
}

struct rt_error *rt_dwarf_abbrevs_read(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                       uint64_t offset, struct rt_dwarf_abbrevs **ret) {
    /* Sizes of forms depend on the unit's; its version is 4 or 5. */
    const uint64_t key = offset << 8 | (uint64_t)unit->version << 4 |
                         (uint64_t)(unit->address_size == 8) << 1 | (unit->offset_size == 8);
    struct rt_dwarf_map_entry *entry = rt_dwarf_map_find(&pass->abbrev_offsets, pass->budget, key);
    if (!entry)
        return rt_dwarf_check(pass);
    if (entry->key) {
        *ret = RT_DWARF_ITEMS(&pass->abbrevs, struct rt_dwarf_abbrevs *)[entry->value];
        return NULL;
    }
    struct rt_cursor cursor;
    struct rt_error *error = rt_dwarf_section_at(pass, RT_DWARF_ABBREV, offset, &cursor);
    if (error)
        return error;
    struct rt_dwarf_abbrevs *table = rt_dwarf_alloc(pass, 1, sizeof *table);
    if (!table)
        return rt_dwarf_check(pass);
    table->offset = offset;
    error = read_table(pass, unit, &cursor, table);
    if (!error)
        error = rt_dwarf_charge(pass, rt_cursor_offset(&cursor) - offset);
    if (error)
        return rt_dwarf_section_error(error, RT_DWARF_ABBREV);
    rt_dwarf_map_fill(&pass->abbrev_offsets, entry, key,
                      (uint32_t)RT_DWARF_COUNT(&pass->abbrevs, struct rt_dwarf_abbrevs *), 0);
    rt_dwarf_put(&pass->abbrevs, &table, sizeof table);
    *ret = table;
    return rt_dwarf_check(pass);
}

const struct rt_dwarf_abbrev *rt_dwarf_abbrev_find(const struct rt_dwarf_abbrevs *abbrevs, uint64_t code) {
    if (abbrevs->is_dense)
        return code - 1 < abbrevs->count ? &abbrevs->items[code - 1] : NULL;
    const struct rt_dwarf_abbrev key = {.code = code};
    return bsearch(&key, abbrevs->items, abbrevs->count, sizeof key, by_code);
}
