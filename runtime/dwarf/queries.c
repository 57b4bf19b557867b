/* What a visitor may ask about a DIE: its own pcs, those of the scope that it is in, and another DIE. */
#include "runtime/dwarf/pass.h"

/* Appends the DIE's ranges to pass->asked, without empty and dead ones. */
static struct rt_error *ask(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die) {
    struct rt_dwarf_pcs pcs;
    pass->asked.size = 0;
    struct rt_error *error = die->abbrev->has_pcs ? rt_dwarf_pcs_read(pass, die, &pcs) : NULL;
    if (error || !die->abbrev->has_pcs)
        return error;
    if (pcs.has_ranges) {
        error = rt_dwarf_ranges_read(pass, die->unit, pcs.ranges, &pass->asked);
    } else if (pcs.has_low && pcs.has_high) {
        const struct rt_dwarf_range range = {pcs.low, pcs.high};
        rt_dwarf_put(&pass->asked, &range, sizeof range);
    }
    struct rt_dwarf_range *ranges = RT_DWARF_ITEMS(&pass->asked, struct rt_dwarf_range);
    size_t kept = 0;
    for (size_t i = 0; !error && i < RT_DWARF_COUNT(&pass->asked, struct rt_dwarf_range); i++)
        if (ranges[i].low < ranges[i].high && !rt_dwarf_is_dead(pass, ranges[i].low))
            ranges[kept++] = ranges[i];
    pass->asked.size = kept * sizeof *ranges;
    return error ? error : rt_dwarf_check(pass);
}

struct rt_error *rt_dwarf_die_ranges(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                     const struct rt_dwarf_range **ret, size_t *ret_count) {
    struct rt_error *error = ask(pass, die);
    *ret = RT_DWARF_ITEMS(&pass->asked, struct rt_dwarf_range);
    *ret_count = RT_DWARF_COUNT(&pass->asked, struct rt_dwarf_range);
    return error;
}

struct rt_error *rt_dwarf_scope_ranges(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                       const struct rt_dwarf_range **ret, size_t *ret_count) {
    struct rt_error *error = NULL;
    *ret_count = 0;
    for (; die && !error && *ret_count == 0; die = die->parent)
        error = rt_dwarf_die_ranges(pass, die, ret, ret_count);
    return error;
}

struct rt_error *rt_dwarf_die_find(struct rt_dwarf_pass *pass, uint64_t position, struct rt_dwarf_die *ret,
                                   bool *ret_found) {
    const struct rt_dwarf_unit *unit = rt_dwarf_unit_at(pass, position);
    const struct rt_dwarf_abbrev *abbrev;
    struct rt_cursor cursor;
    uint32_t number;
    *ret_found = false;
    if (!unit || position < unit->first ||
        (pass->index.count && !rt_dwarf_number(&pass->index, position, &number)))
        return NULL;
    struct rt_error *error = rt_dwarf_unit_cursor(pass, unit, position, &cursor);
    if (!error)
        error = rt_dwarf_die_read(unit, &cursor, &abbrev);
    if (error)
        return rt_dwarf_section_error(error, unit->section);
    *ret_found = abbrev != NULL;
    if (abbrev)
        *ret = (struct rt_dwarf_die){.unit = unit,
                                     .position = position,
                                     .tag = abbrev->tag,
                                     .has_children = abbrev->has_children,
                                     .abbrev = abbrev,
                                     .attributes = cursor};
    return NULL;
}
