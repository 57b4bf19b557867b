/* Attributes of the output: each one's class and role decide what becomes of it, the output's version which
 * form it has. */
#include "runtime/dwarf/pass.h"

/* ---- Values ---- */

static void put_number(struct rt_dwarf_pass *pass, unsigned name, unsigned form, uint64_t number,
                       size_t size) {
    rt_dwarf_key(pass, name, form);
    rt_dwarf_put_number(&pass->values, number, size);
}

static void put_address(struct rt_dwarf_pass *pass, unsigned name, uint64_t address) {
    put_number(pass, name, RT_DWARF_FORM_addr, address, pass->address_size);
}

static void put_offset(struct rt_dwarf_pass *pass, unsigned name, uint32_t offset) {
    put_number(pass, name, RT_DWARF_FORM_sec_offset, offset, 4);
}

/* The constant in the form that it came in, where it fits that. */
static void put_constant(struct rt_dwarf_pass *pass, const struct rt_dwarf_attribute *at) {
    unsigned form = at->form;
    if (form == RT_DWARF_FORM_implicit_const && pass->options.version >= 5) {
        rt_dwarf_key(pass, at->name, form);
        const uint32_t halves[] = {(uint32_t)at->number, (uint32_t)(at->number >> 32)};
        rt_dwarf_put(&pass->key, halves, sizeof halves);
        return;
    }
    const struct rt_dwarf_form *info = rt_dwarf_form(form);
    if (info->shape == FIXED && info->class == RT_DWARF_CLASS_CONSTANT &&
        (info->size == 8 || at->number >> (8 * info->size) == 0)) {
        put_number(pass, at->name, form, at->number, info->size);
    } else if (at->is_signed && (int64_t)at->number < 0) {
        rt_dwarf_key(pass, at->name, RT_DWARF_FORM_sdata);
        rt_dwarf_put_sleb(&pass->values, (int64_t)at->number);
    } else {
        rt_dwarf_key(pass, at->name, RT_DWARF_FORM_udata);
        rt_dwarf_put_uleb(&pass->values, at->number);
    }
}

static void put_block(struct rt_dwarf_pass *pass, unsigned name, unsigned form, struct rt_dwarf_span bytes) {
    const struct rt_dwarf_form *info = rt_dwarf_form(form);
    if (form == RT_DWARF_FORM_data16 && pass->options.version >= 5 && bytes.size == 16) {
        rt_dwarf_key(pass, name, form);
    } else if (info->shape == BLOCK && info->size && (uint64_t)bytes.size >> (8 * info->size) == 0) {
        put_number(pass, name, form, bytes.size, info->size);
    } else {
        rt_dwarf_key(pass, name, RT_DWARF_FORM_block);
        rt_dwarf_put_uleb(&pass->values, bytes.size);
    }
    rt_dwarf_put(&pass->values, bytes.bytes, bytes.size);
}

/* Whether a block of that attribute is an expression, as it was before DW_FORM_exprloc. */
static bool is_expression_in_blocks(unsigned name) {
    const enum rt_dwarf_role role = rt_dwarf_role(name);
    return role == RT_DWARF_ROLE_LOCATION || role == RT_DWARF_ROLE_VALUE;
}

static void put_expression(struct rt_dwarf_pass *pass, unsigned name, size_t size) {
    rt_dwarf_key(pass, name, RT_DWARF_FORM_exprloc);
    rt_dwarf_put_uleb(&pass->values, size);
}

static bool is_of(const struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                  struct rt_dwarf_span string) {
    const struct rt_dwarf_span *span = &pass->input->at[section];
    return span->size && string.bytes >= span->bytes && string.bytes < span->bytes + span->size;
}

static struct rt_error *put_string(struct rt_dwarf_pass *pass, const struct rt_dwarf_attribute *at) {
    struct rt_error *error = NULL;
    struct rt_dwarf_span string = at->bytes;
    uint32_t offset;
    if (at->name == RT_DWARF_AT_producer && pass->options.producer) {
        string =
            (struct rt_dwarf_span){(const uint8_t *)pass->options.producer, strlen(pass->options.producer)};
        offset = rt_dwarf_string_put(pass, RT_DWARF_STR, string);
    } else if (at->form == RT_DWARF_FORM_string) {
        rt_dwarf_key(pass, at->name, RT_DWARF_FORM_string);
        rt_dwarf_put(&pass->values, string.bytes, string.size);
        rt_dwarf_put_number(&pass->values, 0, 1);
        return NULL;
    } else if (is_of(pass, RT_DWARF_STR, string)) {
        error = rt_dwarf_string_copy(pass, RT_DWARF_STR,
                                     (uint64_t)(string.bytes - pass->input->at[RT_DWARF_STR].bytes), &offset);
    } else {
        offset = rt_dwarf_string_put(pass, RT_DWARF_STR, string);
    }
    if (!error)
        put_number(pass, at->name, RT_DWARF_FORM_strp, offset, 4);
    return error;
}

static void put_reference(struct rt_dwarf_pass *pass, const struct rt_dwarf_attribute *at) {
    uint64_t target;
    if (!rt_dwarf_target(pass, at->number, &target)) {
        rt_dwarf_count(pass, "left out: a reference to a DIE that is not kept");
        return;
    }
    /* A name's DIE is in the unit of who names it. */
    const bool is_local =
        target & RT_DWARF_NEW || (at->number >= pass->unit->offset && at->number < pass->unit->end);
    if (!is_local && pass->options.version < 5) {
        /* Nothing but a signature leads into .debug_types. */
        const struct rt_dwarf_unit *unit = rt_dwarf_unit_at(pass, at->number);
        if (unit && unit->kind == RT_DWARF_TYPE_UNIT) {
            rt_dwarf_count(pass, "left out: a reference into a type unit");
            return;
        }
    }
    const size_t place = pass->values.size;
    put_number(pass, at->name, is_local ? RT_DWARF_FORM_ref4 : RT_DWARF_FORM_ref_addr, 0, 4);
    rt_dwarf_refer(pass, target, RT_DWARF_SECTION_COUNT, place,
                   is_local ? RT_DWARF_IN_UNIT : RT_DWARF_IN_SECTION);
}

static struct rt_error *put_plain(struct rt_dwarf_pass *pass, const struct rt_dwarf_attribute *at) {
    switch (at->class) {
    case RT_DWARF_CLASS_ADDRESS: put_address(pass, at->name, at->number); return NULL;
    case RT_DWARF_CLASS_CONSTANT: put_constant(pass, at); return NULL;
    case RT_DWARF_CLASS_FLAG:
        if (at->number == 1 && at->form != RT_DWARF_FORM_flag)
            rt_dwarf_key(pass, at->name, RT_DWARF_FORM_flag_present);
        else
            put_number(pass, at->name, RT_DWARF_FORM_flag, at->number, 1);
        return NULL;
    case RT_DWARF_CLASS_STRING: return put_string(pass, at);
    case RT_DWARF_CLASS_BLOCK:
        if (is_expression_in_blocks(at->name) && pass->options.version < 5)
            rt_dwarf_count(pass,
                           "left out: a constant of 16 bytes, which DWARF 4 would take for an expression");
        else
            put_block(pass, at->name, at->form, at->bytes);
        return NULL;
    case RT_DWARF_CLASS_EXPRESSION:
        put_expression(pass, at->name, at->bytes.size);
        rt_dwarf_put(&pass->values, at->bytes.bytes, at->bytes.size);
        return NULL;
    case RT_DWARF_CLASS_REFERENCE: put_reference(pass, at); return NULL;
    case RT_DWARF_CLASS_SIGNATURE:
        put_number(pass, at->name, RT_DWARF_FORM_ref_sig8, at->number, 8);
        return NULL;
    case RT_DWARF_CLASS_SUPPLEMENTARY:
        rt_dwarf_count(pass, "left out: a reference into a supplementary file");
        return NULL;
    default: rt_dwarf_count(pass, "left out: an offset into a section that is not carried over"); return NULL;
    }
}

/* ---- Pcs ---- */

static void put_length(struct rt_dwarf_pass *pass, uint64_t length) {
    if (length <= UINT32_MAX)
        put_number(pass, RT_DWARF_AT_high_pc, RT_DWARF_FORM_data4, length, 4);
    else
        put_number(pass, RT_DWARF_AT_high_pc, RT_DWARF_FORM_data8, length, 8);
}

/* What was put by rt_dwarf_put_range. The root's own range is the base of its unit's lists. */
static void write_pcs(struct rt_dwarf_pass *pass, bool is_list, bool is_root) {
    const struct rt_dwarf_range *ranges = RT_DWARF_ITEMS(&pass->ranges, struct rt_dwarf_range);
    const size_t count = RT_DWARF_COUNT(&pass->ranges, struct rt_dwarf_range);
    if (is_list || count > 1) {
        put_offset(pass, RT_DWARF_AT_ranges, rt_dwarf_ranges_write(pass, ranges, count));
    } else if (count == 1) {
        if (is_root)
            pass->unit_base = ranges[0].low;
        put_address(pass, RT_DWARF_AT_low_pc, ranges[0].low);
        put_length(pass, (ranges[0].high - ranges[0].low) & rt_dwarf_highest(pass->address_size));
    }
    pass->ranges.size = 0;
}

/* Whether attributes can be put now. */
static bool is_open(struct rt_dwarf_pass *pass) {
    if (!pass->is_open)
        pass->misuse = "an attribute is put while no DIE is being written";
    return pass->is_open && !pass->budget->failed;
}

/* Asks the visitor about each range of the list or pair. */
static struct rt_error *translate_ranges(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                         bool is_list) {
    const struct rt_dwarf_visitor *visitor = pass->visitor;
    struct rt_error *error = NULL;
    const size_t count = RT_DWARF_COUNT(&pass->input_ranges, struct rt_dwarf_range);
    for (size_t i = 0; !error && i < count; i++) {
        const struct rt_dwarf_range range = RT_DWARF_ITEMS(&pass->input_ranges, struct rt_dwarf_range)[i];
        if (rt_dwarf_is_dead(pass, range.low))
            rt_dwarf_count(pass, "left out: a range of dead code");
        else if (is_list && range.low == range.high)
            rt_dwarf_count(pass, "left out: an empty range of a list");
        else if (!visitor->range)
            rt_dwarf_put_range(pass, range);
        else if (range.low < range.high)
            error = visitor->range(visitor->user, pass, die, range);
    }
    return error;
}

void rt_dwarf_put_range(struct rt_dwarf_pass *pass, struct rt_dwarf_range range) {
    rt_dwarf_put(&pass->ranges, &range, sizeof range);
}

/* One address of code: `name` is its attribute. */
static struct rt_error *write_pc(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die, unsigned name,
                                 uint64_t address) {
    const struct rt_dwarf_visitor *visitor = pass->visitor;
    bool is_kept = !rt_dwarf_is_dead(pass, address);
    if (!is_kept)
        rt_dwarf_count(pass, "left out: an address of dead code");
    else if (visitor->address) {
        struct rt_error *error = visitor->address(visitor->user, pass, die, name, &address, &is_kept);
        if (error)
            return error;
    }
    if (is_kept)
        put_address(pass, name, address);
    return NULL;
}

/* A root's DW_AT_low_pc alone is no more than the base of its unit's lists. Where addresses change, it is 0.
 */
static void write_base(struct rt_dwarf_pass *pass, const struct rt_dwarf_pcs *pcs) {
    const bool is_same = !pass->visitor->range && !pcs->is_dead;
    pass->unit_base = is_same ? pcs->low : 0;
    put_address(pass, RT_DWARF_AT_low_pc, pass->unit_base);
}

/* DW_AT_low_pc, DW_AT_high_pc and DW_AT_ranges together, in the place of the first of them. */
static struct rt_error *translate_pcs(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die) {
    struct rt_dwarf_pcs pcs;
    struct rt_error *error = NULL;
    pass->pcs_written = true;
    if (!die->abbrev->has_pcs)
        return NULL;
    error = rt_dwarf_pcs_read(pass, die, &pcs);
    if (error)
        return error;
    const bool is_pair = pcs.has_low && pcs.has_high, has_base = pcs.has_low && !is_pair && die->depth == 0;
    if (pcs.has_low && !is_pair && !has_base)
        error = write_pc(pass, die, RT_DWARF_AT_low_pc, pcs.low);
    pass->ranges.size = 0;
    pass->input_ranges.size = 0;
    if (!error && pcs.has_ranges) {
        error = rt_dwarf_ranges_read(pass, die->unit, pcs.ranges, &pass->input_ranges);
    } else if (is_pair) {
        const struct rt_dwarf_range range = {pcs.low, pcs.high};
        rt_dwarf_put(&pass->input_ranges, &range, sizeof range);
    }
    if (!error)
        error = translate_ranges(pass, die, pcs.has_ranges);
    if (error || pass->budget->failed)
        return error;
    const bool is_list = pcs.has_ranges && !pass->visitor->range && !pass->visitor->is_dead;
    if (has_base && (is_list || pass->ranges.size != sizeof(struct rt_dwarf_range)))
        write_base(pass, &pcs);
    write_pcs(pass, is_list, die->depth == 0);
    return NULL;
}

/* ---- Locations ---- */

/* All pieces that were put: `can_list` says whether the attribute may have a list. */
static void write_locations(struct rt_dwarf_pass *pass, unsigned name, bool can_list) {
    const struct rt_dwarf_piece *pieces = RT_DWARF_ITEMS(&pass->pieces, struct rt_dwarf_piece);
    const size_t count = RT_DWARF_COUNT(&pass->pieces, struct rt_dwarf_piece);
    if (pass->budget->failed)
        return;
    if (count == 1 && pieces[0].is_everywhere) {
        put_expression(pass, name, pieces[0].size);
        rt_dwarf_piece_write(pass, &pieces[0], RT_DWARF_SECTION_COUNT);
    } else if (count && can_list) {
        put_offset(pass, name, rt_dwarf_locations_write(pass, pieces, count));
    } else if (count) {
        rt_dwarf_count(pass, "optimised out: holds in a part of the scope, and its attribute has no lists");
    }
    pass->pieces.size = pass->expression.size = pass->expression_fixups.size = 0;
    pass->expression_start = 0;
}

void rt_dwarf_put_locations(struct rt_dwarf_pass *pass, unsigned name) {
    rt_dwarf_cancel_expression(pass);
    if (is_open(pass))
        write_locations(pass, name, rt_dwarf_role(name) == RT_DWARF_ROLE_LOCATION);
}

static struct rt_error *translate_list(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                       const struct rt_dwarf_attribute *at) {
    pass->entries.size = 0;
    struct rt_error *error = rt_dwarf_locations_read(pass, die->unit, at->number, &pass->entries);
    const size_t count = error ? 0 : RT_DWARF_COUNT(&pass->entries, struct rt_dwarf_entry);
    for (size_t i = 0; !error && i < count; i++) {
        const struct rt_dwarf_entry entry = RT_DWARF_ITEMS(&pass->entries, struct rt_dwarf_entry)[i];
        if (entry.is_default)
            error = rt_dwarf_location_translate(pass, die, at->name, NULL, entry.expression);
        else if (rt_dwarf_is_dead(pass, entry.range.low))
            rt_dwarf_count(pass, "left out: a location in dead code");
        else if (entry.range.low == entry.range.high)
            rt_dwarf_count(pass, "left out: an empty range of a list");
        else if (!pass->visitor->location || entry.range.low < entry.range.high)
            error = rt_dwarf_location_translate(pass, die, at->name, &entry.range, entry.expression);
    }
    return error;
}

static struct rt_error *translate_location(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                           const struct rt_dwarf_attribute *at, bool can_list) {
    struct rt_error *error;
    pass->pieces.size = pass->expression.size = pass->expression_fixups.size = 0;
    if (at->class == RT_DWARF_CLASS_EXPRESSION)
        error = rt_dwarf_location_translate(pass, die, at->name, NULL, at->bytes);
    else
        error = translate_list(pass, die, at);
    if (error)
        return rt_error_context(error, "attribute 0x%x", at->name);
    write_locations(pass, at->name, can_list);
    return NULL;
}

/* ---- By role ---- */

static struct rt_error *write_file(struct rt_dwarf_pass *pass, const struct rt_dwarf_attribute *at) {
    struct rt_dwarf_attribute file = *at;
    if (!rt_dwarf_line_file(pass, pass->unit->lines, at->number, &file.number)) {
        rt_dwarf_count(pass, "left out: a file number that stands for no file");
        return NULL;
    }
    put_constant(pass, &file);
    return NULL;
}

/* DWARF 5 lets DW_AT_entry_pc be an offset from the DIE's base address. */
static struct rt_error *translate_pc(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                     const struct rt_dwarf_attribute *at) {
    struct rt_dwarf_pcs pcs;
    if (at->class == RT_DWARF_CLASS_ADDRESS)
        return write_pc(pass, die, at->name, at->number);
    struct rt_error *error = rt_dwarf_pcs_read(pass, die, &pcs);
    return error || !pcs.has_low ? error : write_pc(pass, die, at->name, pcs.low + at->number);
}

static struct rt_error *translate_lines(struct rt_dwarf_pass *pass, const struct rt_dwarf_attribute *at) {
    const struct rt_dwarf_line_table *table = pass->unit->lines;
    if (table)
        put_offset(pass, at->name, table->written);
    return NULL;
}

struct rt_error *rt_dwarf_attribute_write(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                          const struct rt_dwarf_attribute *at) {
    const bool is_expression = at->class == RT_DWARF_CLASS_EXPRESSION;
    /* A root's own lists are counted from its base, which is written before them. */
    if (at->class == RT_DWARF_CLASS_LOCATION_LIST && die->depth == 0 && !pass->pcs_written) {
        struct rt_error *error = translate_pcs(pass, die);
        if (error)
            return error;
    }
    switch (rt_dwarf_role(at->name)) {
    case RT_DWARF_ROLE_SIBLING:
    case RT_DWARF_ROLE_TABLE: return NULL;
    case RT_DWARF_ROLE_MACROS: rt_dwarf_count(pass, "left out: macros"); return NULL;
    case RT_DWARF_ROLE_VIEWS: rt_dwarf_count(pass, "left out: views of a location list"); return NULL;
    case RT_DWARF_ROLE_LOW_PC:
    case RT_DWARF_ROLE_HIGH_PC:
    case RT_DWARF_ROLE_RANGES: return pass->pcs_written ? NULL : translate_pcs(pass, die);
    case RT_DWARF_ROLE_PC:
        if (at->class == RT_DWARF_CLASS_ADDRESS || at->class == RT_DWARF_CLASS_CONSTANT)
            return translate_pc(pass, die, at);
        break;
    case RT_DWARF_ROLE_LINES:
        if (at->class == RT_DWARF_CLASS_LINE_TABLE)
            return translate_lines(pass, at);
        break;
    case RT_DWARF_ROLE_FILE:
        if (at->class == RT_DWARF_CLASS_CONSTANT)
            return write_file(pass, at);
        break;
    case RT_DWARF_ROLE_LOCATION:
        if (is_expression || at->class == RT_DWARF_CLASS_LOCATION_LIST)
            return translate_location(pass, die, at, true);
        break;
    default: break;
    }
    if (is_expression)
        return translate_location(pass, die, at, false);
    if (at->class == RT_DWARF_CLASS_ADDRESS)
        return write_pc(pass, die, at->name, at->number);
    return put_plain(pass, at);
}

void rt_dwarf_put_attribute(struct rt_dwarf_pass *pass, const struct rt_dwarf_attribute *attribute) {
    if (!is_open(pass))
        return;
    struct rt_error *error = put_plain(pass, attribute);
    if (error) { /* a string of the input has been read before, so that copying it cannot fail but for memory
                  */
        pass->budget->failed = true;
        rt_error_destroy(error);
    }
}
