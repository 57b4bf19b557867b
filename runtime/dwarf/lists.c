/* Lists of the input: ranges and locations, of DWARF 4 (sections 2.17.3 and 2.6.2 there) and DWARF 5
 * (sections 7.25 and 7.29). Addresses come out absolute: indices are looked up, bases added. */
#include "runtime/dwarf/pass.h"

enum { /* the entries of both kinds of DWARF 5's lists; their ranges are laid out alike */
       END_OF_LIST,
       BASE_ADDRESSX,
       STARTX_ENDX,
       STARTX_LENGTH,
       OFFSET_PAIR,
};
enum { RLE_BASE_ADDRESS = 5, RLE_START_END, RLE_START_LENGTH };
enum { LLE_DEFAULT = 5, LLE_BASE_ADDRESS, LLE_START_END, LLE_START_LENGTH, LLE_VIEW_PAIR };

struct list {
    const struct rt_dwarf_pass *pass;
    const struct rt_dwarf_unit *unit;
    struct rt_cursor cursor;
    uint64_t base;
    bool is_relative;            /* its range is, to the base */
    struct rt_dwarf_range range; /* of the entry that was read */
};

static struct rt_error *read_address(struct list *list, uint64_t *ret) {
    return rt_dwarf_read_number(&list->cursor, list->unit->address_size, "address", ret);
}

static struct rt_error *read_indexed(struct list *list, uint64_t *ret) {
    uint64_t index;
    struct rt_error *error = rt_dwarf_read_uleb(&list->cursor, "address index", &index);
    return error ? error : rt_dwarf_unit_address(list->pass, list->unit, index, ret);
}

/* A range's end that comes as its length. */
static struct rt_error *read_length(struct list *list) {
    struct rt_error *error = rt_dwarf_read_uleb(&list->cursor, "range length", &list->range.high);
    list->range.high += list->range.low;
    return error;
}

static struct rt_error *read_offsets(struct list *list) {
    struct rt_error *error = rt_dwarf_read_uleb(&list->cursor, "range start", &list->range.low);
    if (!error)
        error = rt_dwarf_read_uleb(&list->cursor, "range end", &list->range.high);
    list->range.low += list->base;
    list->range.high += list->base;
    list->is_relative = true;
    return error;
}

static struct rt_error *read_start_end(struct list *list) {
    struct rt_error *error = read_address(list, &list->range.low);
    return error ? error : read_address(list, &list->range.high);
}

static struct rt_error *read_start_length(struct list *list) {
    struct rt_error *error = read_address(list, &list->range.low);
    return error ? error : read_length(list);
}

/* The kinds of entry that both lists have. */
static struct rt_error *read_common(struct list *list, uint8_t kind, bool *ret_is_range) {
    struct rt_error *error;
    *ret_is_range = kind != BASE_ADDRESSX;
    switch (kind) {
    case BASE_ADDRESSX: return read_indexed(list, &list->base);
    case STARTX_ENDX:
        error = read_indexed(list, &list->range.low);
        return error ? error : read_indexed(list, &list->range.high);
    case STARTX_LENGTH:
        error = read_indexed(list, &list->range.low);
        return error ? error : read_length(list);
    case OFFSET_PAIR: return read_offsets(list);
    default: return rt_cursor_error(&list->cursor, "unknown kind of list entry 0x%x", kind);
    }
}

/* A DWARF 4 list's pair of addresses; *ret_end at its end. */
static struct rt_error *read_pair(struct list *list, bool *ret_is_range, bool *ret_end) {
    struct rt_error *error = read_start_end(list);
    if (error)
        return error;
    *ret_end = list->range.low == 0 && list->range.high == 0;
    *ret_is_range = !*ret_end && list->range.low != rt_dwarf_highest(list->unit->address_size);
    if (*ret_is_range) {
        list->range.low += list->base;
        list->range.high += list->base;
        list->is_relative = true;
    } else if (!*ret_end) {
        list->base = list->range.high;
    }
    return NULL;
}

/* One entry of a range list. */
static struct rt_error *read_range(struct list *list, bool *ret_is_range, bool *ret_end) {
    uint8_t kind;
    if (list->unit->version < 5)
        return read_pair(list, ret_is_range, ret_end);
    *ret_is_range = true;
    struct rt_error *error = rt_cursor_u8(&list->cursor, "kind of entry", &kind);
    if (error)
        return error;
    *ret_end = kind == END_OF_LIST;
    switch (kind) {
    case END_OF_LIST: *ret_is_range = false; return NULL;
    case RLE_BASE_ADDRESS: *ret_is_range = false; return read_address(list, &list->base);
    case RLE_START_END: return read_start_end(list);
    case RLE_START_LENGTH: return read_start_length(list);
    default: return read_common(list, kind, ret_is_range);
    }
}

/* Addresses wrap around as the unit's size has it; not so where that leads from dead code, whose address is
 * the base, to code that lives. */
static void trim(struct list *list) {
    if (list->is_relative && list->base != 0 && rt_dwarf_is_dead(list->pass, list->base))
        list->range.low = list->range.high = list->base;
    list->range.low &= rt_dwarf_highest(list->unit->address_size);
    list->range.high &= rt_dwarf_highest(list->unit->address_size);
}

/* The end of a list that was read, well or not. */
static struct rt_error *end_list(struct rt_error *error, struct rt_dwarf_pass *pass, const struct list *list,
                                 enum rt_dwarf_section section, uint64_t offset) {
    if (!error)
        error = rt_dwarf_charge(pass, rt_cursor_offset(&list->cursor) - offset);
    return error ? rt_error_context(error, "%s: list at 0x%llx", rt_dwarf_section_name(section),
                                    (unsigned long long)offset)
                 : NULL;
}

struct rt_error *rt_dwarf_ranges_read(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                      uint64_t offset, struct rt_dwarf_bytes *ret) {
    const enum rt_dwarf_section section = unit->version < 5 ? RT_DWARF_RANGES : RT_DWARF_RNGLISTS;
    struct list list = {.pass = pass, .unit = unit, .base = unit->base};
    bool is_range, at_end = false;
    struct rt_error *error = rt_dwarf_section_at(pass, section, offset, &list.cursor);
    while (!error) {
        list.is_relative = false;
        error = read_range(&list, &is_range, &at_end);
        if (error || at_end)
            break;
        if (!is_range)
            continue;
        trim(&list);
        pass->stat->in.list_entries++;
        rt_dwarf_put(ret, &list.range, sizeof list.range);
        error = rt_dwarf_check(pass);
    }
    return end_list(error, pass, &list, section, offset);
}

/* One entry of a location list. */
static struct rt_error *read_location(struct list *list, bool *ret_is_range, bool *ret_end,
                                      bool *ret_default) {
    uint64_t view;
    uint8_t kind;
    *ret_default = false;
    if (list->unit->version < 5)
        return read_pair(list, ret_is_range, ret_end);
    *ret_is_range = true;
    struct rt_error *error = rt_cursor_u8(&list->cursor, "kind of entry", &kind);
    if (error)
        return error;
    *ret_end = kind == END_OF_LIST;
    switch (kind) {
    case END_OF_LIST: *ret_is_range = false; return NULL;
    case LLE_DEFAULT: *ret_default = true; return NULL;
    case LLE_BASE_ADDRESS: *ret_is_range = false; return read_address(list, &list->base);
    case LLE_START_END: return read_start_end(list);
    case LLE_START_LENGTH: return read_start_length(list);
    case LLE_VIEW_PAIR:
        *ret_is_range = false;
        error = rt_dwarf_read_uleb(&list->cursor, "view", &view);
        return error ? error : rt_dwarf_read_uleb(&list->cursor, "view", &view);
    default: return read_common(list, kind, ret_is_range);
    }
}

static struct rt_error *read_expression(struct list *list, struct rt_dwarf_span *ret) {
    uint64_t size;
    struct rt_error *error = list->unit->version < 5
                                 ? rt_dwarf_read_number(&list->cursor, 2, "expression size", &size)
                                 : rt_dwarf_read_uleb(&list->cursor, "expression size", &size);
    if (error)
        return error;
    if (size > rt_cursor_left(&list->cursor))
        return rt_cursor_error(&list->cursor, "expression of 0x%llx bytes reaches past the section's end",
                               (unsigned long long)size);
    ret->size = (size_t)size;
    return rt_cursor_bytes(&list->cursor, ret->size, "expression", &ret->bytes);
}

struct rt_error *rt_dwarf_locations_read(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                         uint64_t offset, struct rt_dwarf_bytes *ret) {
    const enum rt_dwarf_section section = unit->version < 5 ? RT_DWARF_LOC : RT_DWARF_LOCLISTS;
    struct list list = {.pass = pass, .unit = unit, .base = unit->base};
    bool is_range, at_end = false;
    struct rt_error *error = rt_dwarf_section_at(pass, section, offset, &list.cursor);
    while (!error) {
        struct rt_dwarf_entry entry = {.is_default = false};
        list.is_relative = false;
        error = read_location(&list, &is_range, &at_end, &entry.is_default);
        if (error || at_end)
            break;
        if (!is_range)
            continue;
        error = read_expression(&list, &entry.expression);
        if (error)
            break;
        trim(&list);
        entry.range = list.range;
        pass->stat->in.list_entries++;
        rt_dwarf_put(ret, &entry, sizeof entry);
        error = rt_dwarf_check(pass);
    }
    return end_list(error, pass, &list, section, offset);
}
