/* Lists of the output: ranges and locations, of DWARF 4 and DWARF 5. A unit's lists of DWARF 5 are one part
 * of their section, with a header of its own; they are found by offset. */
#include "runtime/dwarf/pass.h"

enum { MOST_OF_LOC = UINT16_MAX };

/* Kinds of entries, which differ between the two lists of DWARF 5. */
struct kinds {
    enum rt_dwarf_section section;
    uint8_t base_address, start_end, start_length;
};
static const struct kinds range_kinds = {RT_DWARF_RNGLISTS, 5, 6, 7};
static const struct kinds location_kinds = {RT_DWARF_LOCLISTS, 6, 7, 8};
enum { END_OF_LIST = 0, OFFSET_PAIR = 4, DEFAULT_LOCATION = 5 };

/* The unit's part of a section begins with its first list. `start` is its offset + 1. */
static void begin_part(struct rt_dwarf_pass *pass, enum rt_dwarf_section section, uint32_t *start) {
    struct rt_dwarf_bytes *out = &pass->out[section];
    if (*start)
        return;
    *start = (uint32_t)out->size + 1;
    rt_dwarf_put_number(out, 0, 4); /* the length, by end_part */
    rt_dwarf_put_number(out, 5, 2);
    rt_dwarf_put_number(out, pass->address_size, 1);
    rt_dwarf_put_number(out, 0, 1); /* no segments */
    rt_dwarf_put_number(out, 0, 4); /* no indices */
}

static void end_part(struct rt_dwarf_pass *pass, enum rt_dwarf_section section, uint32_t *start) {
    struct rt_dwarf_bytes *out = &pass->out[section];
    if (*start && !pass->budget->failed)
        rt_dwarf_store(out->bytes + *start - 1, out->size - (*start - 1) - 4, 4);
    *start = 0;
}

void rt_dwarf_lists_end(struct rt_dwarf_pass *pass) {
    end_part(pass, RT_DWARF_RNGLISTS, &pass->ranges_start);
    end_part(pass, RT_DWARF_LOCLISTS, &pass->locations_start);
}

/* ---- One entry's range ---- */

struct list {
    struct rt_dwarf_bytes *out;
    const struct kinds *kinds;
    unsigned address_size;
    uint64_t base;
    bool has_base; /* entries are pairs of offsets from it */
};

static void put_address(struct list *list, uint64_t address) {
    rt_dwarf_put_number(list->out, address, list->address_size);
}

/* What comes before the first entry: `lowest` is the least address of all, of `count` entries. */
static void begin_list(const struct rt_dwarf_pass *pass, struct list *list, uint64_t lowest, size_t count) {
    list->address_size = pass->address_size;
    list->base = pass->unit_base;
    if (pass->options.version < 5) {
        if (lowest < list->base) { /* a base of its own */
            put_address(list, UINT64_MAX);
            put_address(list, 0);
            list->base = 0;
        }
        return;
    }
    list->has_base = list->base != 0 && lowest >= list->base;
    if (!list->has_base && count > 1) {
        rt_dwarf_put_number(list->out, list->kinds->base_address, 1);
        put_address(list, lowest);
        list->base = lowest;
        list->has_base = true;
    }
}

static void put_range(struct list *list, struct rt_dwarf_range range) {
    if (range.high < range.low) { /* no offset or length says so */
        rt_dwarf_put_number(list->out, list->kinds->start_end, 1);
        put_address(list, range.low);
        put_address(list, range.high);
    } else if (list->has_base) {
        rt_dwarf_put_number(list->out, OFFSET_PAIR, 1);
        rt_dwarf_put_uleb(list->out, range.low - list->base);
        rt_dwarf_put_uleb(list->out, range.high - list->base);
    } else {
        rt_dwarf_put_number(list->out, list->kinds->start_length, 1);
        put_address(list, range.low);
        rt_dwarf_put_uleb(list->out, range.high - range.low);
    }
}

/* A pair of DWARF 4; false for one that means something else there: the list's end, or a base. */
static bool put_pair(struct list *list, struct rt_dwarf_range range) {
    const uint64_t highest = rt_dwarf_highest(list->address_size);
    const uint64_t low = (range.low - list->base) & highest, high = (range.high - list->base) & highest;
    if (low == highest || (low == 0 && high == 0))
        return false;
    put_address(list, low);
    put_address(list, high);
    return true;
}

/* ---- Lists ---- */

uint32_t rt_dwarf_ranges_write(struct rt_dwarf_pass *pass, const struct rt_dwarf_range *ranges,
                               size_t count) {
    const bool is_old = pass->options.version < 5;
    struct list list = {.out = &pass->out[is_old ? RT_DWARF_RANGES : RT_DWARF_RNGLISTS],
                        .kinds = &range_kinds};
    uint64_t lowest = UINT64_MAX;
    if (!is_old)
        begin_part(pass, RT_DWARF_RNGLISTS, &pass->ranges_start);
    const uint32_t offset = (uint32_t)list.out->size;
    for (size_t i = 0; i < count; i++)
        lowest = ranges[i].low < lowest ? ranges[i].low : lowest;
    begin_list(pass, &list, lowest, count);
    for (size_t i = 0; i < count; i++) {
        pass->stat->out.list_entries++;
        if (!is_old)
            put_range(&list, ranges[i]);
        else if (!put_pair(&list, ranges[i]))
            rt_dwarf_count(pass, "left out: a range that DWARF 4 has no words for");
    }
    if (is_old)
        rt_dwarf_put_number(list.out, 0, list.address_size);
    rt_dwarf_put_number(list.out, 0, is_old ? list.address_size : 1);
    return offset;
}

/* A list's entry with its expression. */
static void put_location(struct rt_dwarf_pass *pass, struct list *list, const struct rt_dwarf_piece *piece) {
    if (pass->options.version >= 5) {
        if (piece->is_everywhere)
            rt_dwarf_put_number(list->out, DEFAULT_LOCATION, 1);
        else
            put_range(list, piece->range);
        rt_dwarf_put_uleb(list->out, piece->size);
        rt_dwarf_piece_write(pass, piece, RT_DWARF_LOCLISTS);
    } else if (piece->is_everywhere || piece->size > MOST_OF_LOC || !put_pair(list, piece->range)) {
        rt_dwarf_count(pass, "optimised out: a location that DWARF 4 has no words for");
    } else {
        rt_dwarf_put_number(list->out, piece->size, 2);
        rt_dwarf_piece_write(pass, piece, RT_DWARF_LOC);
    }
}

uint32_t rt_dwarf_locations_write(struct rt_dwarf_pass *pass, const struct rt_dwarf_piece *pieces,
                                  size_t count) {
    const bool is_old = pass->options.version < 5;
    struct list list = {.out = &pass->out[is_old ? RT_DWARF_LOC : RT_DWARF_LOCLISTS],
                        .kinds = &location_kinds};
    uint64_t lowest = UINT64_MAX;
    if (!is_old)
        begin_part(pass, RT_DWARF_LOCLISTS, &pass->locations_start);
    const uint32_t offset = (uint32_t)list.out->size;
    for (size_t i = 0; i < count; i++)
        if (!pieces[i].is_everywhere && pieces[i].range.low < lowest)
            lowest = pieces[i].range.low;
    begin_list(pass, &list, lowest, count);
    for (size_t i = 0; i < count; i++) {
        pass->stat->out.list_entries++;
        put_location(pass, &list, &pieces[i]);
    }
    if (is_old)
        rt_dwarf_put_number(list.out, 0, list.address_size);
    rt_dwarf_put_number(list.out, 0, is_old ? list.address_size : 1);
    return offset;
}
