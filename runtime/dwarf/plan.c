/* What is kept, once the visitor has said what becomes of each DIE: whoever is kept keeps its parents, what
 * it refers to, and the children that go with it. A list of DIEs still to be looked into takes the place of
 * recursion. */
#include "runtime/dwarf/pass.h"

struct settling {
    struct rt_dwarf_pass *pass;
    uint32_t *waiting; /* each DIE enters once */
    size_t count;
};

static void keep(struct settling *settling, uint32_t number) {
    struct rt_dwarf_planned *planned = &settling->pass->planned[number];
    if (planned->is_kept || planned->fate == RT_DWARF_DROP)
        return;
    planned->is_kept = true;
    settling->waiting[settling->count++] = number;
}

static void keep_position(void *user, uint64_t position) {
    struct settling *settling = user;
    uint32_t number;
    if (rt_dwarf_number(&settling->pass->index, position, &number))
        keep(settling, number);
}

static struct rt_error *keep_of_list(struct settling *settling, const struct rt_dwarf_unit *unit,
                                     uint64_t offset) {
    struct rt_dwarf_pass *pass = settling->pass;
    pass->entries.size = 0;
    struct rt_error *error = rt_dwarf_locations_read(pass, unit, offset, &pass->entries);
    const size_t count = error ? 0 : RT_DWARF_COUNT(&pass->entries, struct rt_dwarf_entry);
    for (size_t i = 0; i < count; i++)
        rt_dwarf_expression_references(pass, unit,
                                       RT_DWARF_ITEMS(&pass->entries, struct rt_dwarf_entry)[i].expression,
                                       keep_position, settling);
    return error;
}

/* The sibling of a DIE is no part of what it means. */
static struct rt_error *keep_of_attribute(struct settling *settling, const struct rt_dwarf_unit *unit,
                                          const struct rt_dwarf_attribute *at) {
    if (at->name == RT_DWARF_AT_sibling)
        return NULL;
    if (at->class == RT_DWARF_CLASS_REFERENCE)
        keep_position(settling, at->number);
    else if (at->class == RT_DWARF_CLASS_EXPRESSION)
        rt_dwarf_expression_references(settling->pass, unit, at->bytes, keep_position, settling);
    else if (at->class == RT_DWARF_CLASS_LOCATION_LIST)
        return keep_of_list(settling, unit, at->number);
    return NULL;
}

static struct rt_error *keep_of_die(struct settling *settling, uint32_t number) {
    struct rt_dwarf_pass *pass = settling->pass;
    const struct rt_dwarf_planned *planned = &pass->planned[number];
    const struct rt_dwarf_unit *unit = &pass->units[planned->unit];
    const struct rt_dwarf_abbrev *abbrev;
    struct rt_cursor cursor;
    struct rt_error *error = rt_dwarf_unit_cursor(pass, unit, planned->position, &cursor);
    if (!error)
        error = rt_dwarf_die_read(unit, &cursor, &abbrev);
    if (error || !abbrev->has_references)
        return error;
    for (uint32_t i = 0; !error && i < abbrev->count; i++) {
        const struct rt_dwarf_spec *spec = &abbrev->specs[i];
        struct rt_dwarf_attribute at;
        if (!spec->may_refer) {
            error = rt_dwarf_attribute_skip(unit, &cursor, spec);
            continue;
        }
        error = rt_dwarf_attribute_read(pass, unit, &cursor, spec, &at);
        if (!error)
            error = keep_of_attribute(settling, unit, &at);
    }
    return error ? rt_dwarf_section_error(error, unit->section) : NULL;
}

static struct rt_error *settle(struct settling *settling) {
    struct rt_dwarf_pass *pass = settling->pass;
    while (settling->count) {
        const uint32_t number = settling->waiting[--settling->count];
        const struct rt_dwarf_planned *planned = &pass->planned[number];
        keep(settling, planned->parent);
        for (uint32_t child = number + 1; child < planned->end; child = pass->planned[child].end)
            if (pass->planned[child].fate == RT_DWARF_WITH_PARENT)
                keep(settling, child);
        struct rt_error *error = keep_of_die(settling, number);
        if (error)
            return error;
    }
    return NULL;
}

/* Whether what a DIE refers to decides about nothing: each is kept or dropped for itself. */
static bool is_settled(const struct rt_dwarf_pass *pass) {
    uint32_t i = 0;
    while (i < pass->index.count &&
           (pass->planned[i].fate == RT_DWARF_KEEP || pass->planned[i].fate == RT_DWARF_DROP))
        i++;
    return i == pass->index.count;
}

struct rt_error *rt_dwarf_plan_settle(struct rt_dwarf_pass *pass) {
    struct settling settling = {.pass = pass};
    settling.waiting = rt_dwarf_alloc(pass, pass->index.count, sizeof *settling.waiting);
    if (!settling.waiting)
        return rt_dwarf_check(pass);
    for (uint32_t i = 0; i < pass->index.count; i++)
        if (pass->planned[i].fate == RT_DWARF_KEEP)
            keep(&settling, i);
    struct rt_error *error = is_settled(pass) ? NULL : settle(&settling);
    for (uint32_t i = 0; !error && i < pass->index.count; i++)
        if (pass->planned[i].is_kept && pass->planned[i].parent != i)
            pass->planned[pass->planned[i].parent].keeps_child = true;
    return error;
}

bool rt_dwarf_target(const struct rt_dwarf_pass *pass, uint64_t position, uint64_t *ret) {
    uint32_t number;
    *ret = position;
    if (position & RT_DWARF_NEW)
        return true;
    if (!rt_dwarf_number(&pass->index, position, &number))
        return false;
    *ret = number;
    return !pass->planned || pass->planned[number].is_kept;
}
