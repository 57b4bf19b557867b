/* Location lists: which expression holds at which pcs. DWARF 4's .debug_loc (section 2.6.2) and DWARF 5's
 * .debug_loclists (section 7.7.3) become the same array of expressions with ranges. */
#include <dwarf.h>

#include "stepper/debug.h"

struct rt_error *st_unit_read_address(const struct st_unit *unit, struct rt_cursor *cursor, uint64_t *ret) {
    if (unit->address_size == 8)
        return rt_cursor_u64(cursor, "address", ret);
    uint32_t low = 0;
    struct rt_error *error = rt_cursor_u32(cursor, "address", &low);
    *ret = low;
    return error;
}

struct rt_error *st_unit_read_offset(const struct st_unit *unit, struct rt_cursor *cursor, uint64_t *ret) {
    if (unit->offset_size == 8)
        return rt_cursor_u64(cursor, "offset", ret);
    uint32_t low = 0;
    struct rt_error *error = rt_cursor_u32(cursor, "offset", &low);
    *ret = low;
    return error;
}

/* The bytes of a section from an offset on. */
static struct rt_error *section_at(const struct st_unit *unit, enum st_section_kind kind, uint64_t offset,
                                   struct rt_cursor *ret) {
    if (!unit->sections) /* DWARF 5, section 6.4.2: no operation that refers to one may be there */
        return rt_error_format(RT_MALFORMED, "call-frame information refers to %s", st_section_names[kind]);
    const struct st_section *section = &unit->sections[kind];
    if (offset >= section->size)
        return rt_error_format(RT_MALFORMED, "offset 0x%llx is past the end of %s (%zu bytes)",
                               (unsigned long long)offset, st_section_names[kind], section->size);
    *ret = rt_cursor_make(section->bytes + offset, section->size - (size_t)offset, offset);
    return NULL;
}

/* base + index * size, or an offset that no section reaches. */
static uint64_t table_offset(uint64_t base, uint64_t index, unsigned size) {
    uint64_t offset;
    if (__builtin_mul_overflow(index, size, &offset) || __builtin_add_overflow(offset, base, &offset))
        return UINT64_MAX;
    return offset;
}

struct rt_error *st_unit_address(const struct st_unit *unit, uint64_t index, uint64_t *ret) {
    struct rt_cursor cursor;
    struct rt_error *error = section_at(unit, ST_SECTION_ADDR,
                                        table_offset(unit->address_base, index, unit->address_size), &cursor);
    if (!error)
        error = st_unit_read_address(unit, &cursor, ret);
    return error ? rt_error_context(error, "address %llu of .debug_addr", (unsigned long long)index) : NULL;
}

struct rt_error *st_location_list_offset(const struct st_unit *unit, uint64_t index, uint64_t *ret) {
    struct rt_cursor cursor;
    struct rt_error *error = section_at(unit, ST_SECTION_LOCLISTS,
                                        table_offset(unit->location_base, index, unit->offset_size), &cursor);
    if (!error)
        error = st_unit_read_offset(unit, &cursor, ret);
    if (error)
        return rt_error_context(error, "location list %llu", (unsigned long long)index);
    *ret += unit->location_base;
    return NULL;
}

/* A list that is being read: entries go to `expressions`, or are only counted while that is NULL. */
struct list {
    const struct st_unit *unit;
    struct rt_cursor cursor;
    uint64_t mask, base;
    struct st_expression *expressions;
    size_t count;
};

static void add(struct list *list, uint64_t low, uint64_t high, const uint8_t *bytes, size_t size) {
    low &= list->mask;
    high &= list->mask;
    /* Dropped code: tombstones of all ones, and one less where all ones has a meaning. */
    if (low >= high || low >= list->mask - 1)
        return;
    if (list->expressions)
        list->expressions[list->count] = (struct st_expression){{low, high}, bytes, size, list->unit};
    list->count++;
}

static struct rt_error *read_loc(struct list *list) {
    for (;;) {
        uint64_t low, high;
        uint16_t size;
        const uint8_t *bytes;
        struct rt_error *error = st_unit_read_address(list->unit, &list->cursor, &low);
        if (!error)
            error = st_unit_read_address(list->unit, &list->cursor, &high);
        if (error)
            return error;
        if (low == 0 && high == 0)
            return NULL;
        if (low == list->mask) {
            list->base = high;
            continue;
        }
        error = rt_cursor_u16(&list->cursor, "expression size", &size);
        if (!error)
            error = rt_cursor_bytes(&list->cursor, size, "expression", &bytes);
        if (error)
            return error;
        if (low < list->mask - 1)
            add(list, list->base + low, list->base + high, bytes, size);
    }
}

/* An operand that is an index into .debug_addr. */
static struct rt_error *read_indexed(struct list *list, uint64_t *ret) {
    uint64_t index;
    struct rt_error *error = rt_cursor_uleb(&list->cursor, 64, "address index", &index);
    return error ? error : st_unit_address(list->unit, index, ret);
}

/* One entry of .debug_loclists: its range, or *is_range = false for one that only changes the base or ends
 * the list. */
static struct rt_error *read_entry(struct list *list, uint8_t kind, uint64_t *low, uint64_t *high,
                                   bool *is_range) {
    struct rt_cursor *cursor = &list->cursor;
    struct rt_error *error = NULL;
    *is_range = true;
    switch (kind) {
    case DW_LLE_base_addressx: *is_range = false; return read_indexed(list, &list->base);
    case DW_LLE_base_address: *is_range = false; return st_unit_read_address(list->unit, cursor, &list->base);
    case DW_LLE_startx_endx: error = read_indexed(list, low); return error ? error : read_indexed(list, high);
    case DW_LLE_startx_length:
        error = read_indexed(list, low);
        if (!error)
            error = rt_cursor_uleb(cursor, 64, "range length", high);
        *high += *low;
        return error;
    case DW_LLE_offset_pair:
        error = rt_cursor_uleb(cursor, 64, "range start", low);
        if (!error)
            error = rt_cursor_uleb(cursor, 64, "range end", high);
        *low += list->base;
        *high += list->base;
        if (list->base >= list->mask - 1) /* the base of dropped code */
            *high = *low;
        return error;
    case DW_LLE_start_end:
        error = st_unit_read_address(list->unit, cursor, low);
        return error ? error : st_unit_read_address(list->unit, cursor, high);
    case DW_LLE_start_length:
        error = st_unit_read_address(list->unit, cursor, low);
        if (!error)
            error = rt_cursor_uleb(cursor, 64, "range length", high);
        *high += *low;
        return error;
    case DW_LLE_GNU_view_pair:
        *is_range = false;
        error = rt_cursor_uleb(cursor, 64, "view", low);
        return error ? error : rt_cursor_uleb(cursor, 64, "view", high);
    default: return rt_cursor_error(cursor, "unknown kind of location list entry 0x%x", kind);
    }
}

static struct rt_error *read_loclists(struct list *list) {
    /* The default location holds where no other entry does: it is kept for the end. */
    struct st_expression fallback = {.unit = NULL};
    for (;;) {
        uint8_t kind;
        uint64_t low = 0, high = 0, size;
        bool is_range = false;
        const uint8_t *bytes;
        struct rt_error *error = rt_cursor_u8(&list->cursor, "kind of entry", &kind);
        if (error)
            return error;
        if (kind == DW_LLE_end_of_list)
            break;
        if (kind != DW_LLE_default_location) {
            error = read_entry(list, kind, &low, &high, &is_range);
            if (error)
                return error;
            if (!is_range)
                continue;
        }
        error = rt_cursor_uleb(&list->cursor, 32, "expression size", &size);
        if (!error)
            error = rt_cursor_bytes(&list->cursor, size, "expression", &bytes);
        if (error)
            return error;
        if (is_range)
            add(list, low, high, bytes, size);
        else
            fallback = (struct st_expression){{0, UINT64_MAX}, bytes, size, list->unit};
    }
    if (fallback.unit) {
        if (list->expressions)
            list->expressions[list->count] = fallback;
        list->count++;
    }
    return NULL;
}

struct rt_error *st_location_list_read(const struct st_unit *unit, uint64_t offset, struct rt_arena *arena,
                                       struct st_location *ret) {
    enum st_section_kind kind = unit->version >= 5 ? ST_SECTION_LOCLISTS : ST_SECTION_LOC;
    struct list list = {.unit = unit, .mask = st_unit_address_mask(unit), .base = unit->low};
    struct st_expression *expressions = NULL;
    *ret = (struct st_location){.kind = ST_LOCATION_EXPRESSIONS};
    for (int pass = 0; pass < 2; pass++) {
        struct rt_error *error = section_at(unit, kind, offset, &list.cursor);
        if (!error)
            error = kind == ST_SECTION_LOC ? read_loc(&list) : read_loclists(&list);
        if (error)
            return rt_error_context(error, "location list at %s+0x%llx", st_section_names[kind],
                                    (unsigned long long)offset);
        if (pass == 1 || list.count == 0)
            break;
        expressions = rt_arena_array(arena, list.count, sizeof *expressions);
        if (!expressions)
            return rt_error_out_of_memory();
        list.expressions = expressions;
        list.count = 0;
        list.base = unit->low;
    }
    ret->expressions = expressions;
    ret->count = list.count;
    return NULL;
}
