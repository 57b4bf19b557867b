/* The visitor that keeps some functions: their DIEs with what they refer to, their rows and frames, and the
 * variables of units. */
#include <stdlib.h>

#include "runtime/dwarf/pass.h"

enum { MOST_ORIGINS = 4, MEMORY = 64 << 20 };

struct rt_dwarf_strip {
    const char *const *names;
    size_t count;
    struct rt_dwarf_budget budget;
    struct rt_dwarf_bytes ranges; /* of the functions that are kept */
    bool is_sorted;
    struct rt_dwarf_visitor visitor;
};

/* ---- DIEs ---- */

static struct rt_error *has_name(const struct rt_dwarf_strip *strip, struct rt_dwarf_pass *pass,
                                 const struct rt_dwarf_die *die, bool *ret) {
    static const unsigned names[] = {RT_DWARF_AT_name, RT_DWARF_AT_linkage_name};
    *ret = false;
    for (size_t i = 0; !*ret && i < sizeof names / sizeof *names; i++) {
        struct rt_dwarf_attribute at;
        bool found;
        struct rt_error *error = rt_dwarf_attribute_find(pass, die, names[i], &at, &found);
        if (error)
            return error;
        for (size_t k = 0; found && !*ret && k < strip->count; k++)
            *ret = at.class == RT_DWARF_CLASS_STRING && strlen(strip->names[k]) == at.bytes.size &&
                   memcmp(strip->names[k], at.bytes.bytes, at.bytes.size) == 0;
    }
    return NULL;
}

/* The DIE's own name, or that of what it is an instance or the definition of. */
static struct rt_error *is_wanted(const struct rt_dwarf_strip *strip, struct rt_dwarf_pass *pass,
                                  const struct rt_dwarf_die *die, bool *ret) {
    struct rt_dwarf_die other = *die;
    for (int i = 0; i < MOST_ORIGINS; i++) {
        struct rt_dwarf_attribute at;
        bool found;
        struct rt_error *error = has_name(strip, pass, &other, ret);
        if (error || *ret)
            return error;
        error = rt_dwarf_attribute_find(pass, &other, RT_DWARF_AT_abstract_origin, &at, &found);
        if (!error && !found)
            error = rt_dwarf_attribute_find(pass, &other, RT_DWARF_AT_specification, &at, &found);
        if (!error && found && at.class == RT_DWARF_CLASS_REFERENCE)
            error = rt_dwarf_die_find(pass, at.number, &other, &found);
        if (error || !found)
            return error;
    }
    return NULL;
}

static struct rt_error *plan_function(struct rt_dwarf_strip *strip, struct rt_dwarf_pass *pass,
                                      const struct rt_dwarf_die *die, enum rt_dwarf_fate *ret) {
    const struct rt_dwarf_range *ranges;
    size_t count;
    bool wanted = false;
    *ret = RT_DWARF_IF_REFERENCED; /* a declaration, or what inlined ones stem from */
    if (!die->abbrev->has_pcs)
        return NULL;
    struct rt_error *error = is_wanted(strip, pass, die, &wanted);
    if (!error)
        error = rt_dwarf_die_ranges(pass, die, &ranges, &count);
    if (error)
        return error;
    *ret = wanted && count ? RT_DWARF_KEEP : RT_DWARF_DROP;
    if (*ret == RT_DWARF_KEEP)
        rt_dwarf_put(&strip->ranges, ranges, count * sizeof *ranges);
    return strip->budget.failed ? rt_error_out_of_memory() : NULL;
}

/* Parts of a type that are nothing without it. */
static bool is_part(unsigned tag) {
    switch (tag) {
    case RT_DWARF_TAG_formal_parameter:
    case 0x0d: /* member */
    case 0x18: /* unspecified parameters */
    case 0x19: /* variant */
    case 0x1c: /* inheritance */
    case 0x21: /* subrange type */
    case 0x28: /* enumerator */
    case 0x2f: /* template type parameter */
    case 0x30: /* template value parameter */
    case 0x33: /* variant part */
    case 0x45: /* generic subrange */ return true;
    default: return false;
    }
}

static struct rt_error *plan(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                             enum rt_dwarf_fate *ret) {
    for (const struct rt_dwarf_die *outer = die->parent; outer; outer = outer->parent) {
        if (outer->tag == RT_DWARF_TAG_subprogram) {
            *ret = RT_DWARF_WITH_PARENT;
            return NULL;
        }
    }
    if (die->tag == RT_DWARF_TAG_subprogram)
        return plan_function(user, pass, die, ret);
    *ret = RT_DWARF_IF_REFERENCED;
    if (die->depth == 1 && die->tag == RT_DWARF_TAG_variable)
        *ret = RT_DWARF_KEEP;
    else if (die->depth > 0 && is_part(die->tag))
        *ret = RT_DWARF_WITH_PARENT;
    return NULL;
}

/* ---- Pcs ---- */

static int by_low(const void *a, const void *b) {
    const struct rt_dwarf_range *first = a, *second = b;
    return first->low < second->low ? -1 : first->low > second->low;
}

/* The ranges that are kept, ascending; *ret is the first that does not end before `low`. */
static size_t find_range(struct rt_dwarf_strip *strip, uint64_t low, const struct rt_dwarf_range **ret) {
    struct rt_dwarf_range *ranges = RT_DWARF_ITEMS(&strip->ranges, struct rt_dwarf_range);
    const size_t count = RT_DWARF_COUNT(&strip->ranges, struct rt_dwarf_range);
    size_t first = 0, end = count;
    if (!strip->is_sorted && count)
        qsort(ranges, count, sizeof *ranges, by_low);
    strip->is_sorted = true;
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        if (ranges[middle].high <= low)
            first = middle + 1;
        else
            end = middle;
    }
    *ret = ranges ? ranges + first : NULL;
    return count - first;
}

/* A unit has the pcs of what is kept of it. */
static struct rt_error *put_range(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                  struct rt_dwarf_range range) {
    const struct rt_dwarf_range *kept;
    if (die->depth > 0) {
        rt_dwarf_put_range(pass, range);
        return NULL;
    }
    size_t count = find_range(user, range.low, &kept);
    for (; count && kept->low < range.high; count--, kept++)
        rt_dwarf_put_range(pass, (struct rt_dwarf_range){kept->low > range.low ? kept->low : range.low,
                                                         kept->high < range.high ? kept->high : range.high});
    return NULL;
}

/* The rows in one range, as a sequence of their own. A row holds up to the next one. */
static void put_rows(struct rt_dwarf_pass *pass, struct rt_dwarf_range range, const struct rt_dwarf_row *rows,
                     size_t count) {
    struct rt_dwarf_row end = {.end_sequence = true};
    for (size_t i = 0; i + 1 < count && rows[i].address < range.high; i++) {
        struct rt_dwarf_row row = rows[i];
        const uint64_t next = rows[i + 1].address;
        if (next < range.low || (next == range.low && row.address < range.low))
            continue;
        if (row.address < range.low)
            row.address = range.low;
        rt_dwarf_put_row(pass, &row);
        end.file = row.file;
        end.line = row.line;
        end.address = next < range.high ? next : range.high;
    }
    if (end.address)
        rt_dwarf_put_row(pass, &end);
}

static struct rt_error *put_sequence(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                     const struct rt_dwarf_row *rows, size_t count) {
    const struct rt_dwarf_range *kept;
    (void)unit;
    size_t left = find_range(user, rows[0].address, &kept);
    for (; left && kept->low < rows[count - 1].address; left--, kept++)
        put_rows(pass, *kept, rows, count);
    return NULL;
}

static struct rt_error *put_frame(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_cie *cie,
                                  struct rt_dwarf_range range, struct rt_dwarf_span instructions) {
    const struct rt_dwarf_range *kept;
    if (find_range(user, range.low, &kept) && kept->low < range.high)
        rt_dwarf_put_fde(pass, RT_DWARF_FRAME, rt_dwarf_put_cie(pass, RT_DWARF_FRAME, cie), range,
                         instructions);
    return NULL;
}

/* ---- The visitor ---- */

struct rt_error *rt_dwarf_strip_create(const char *const *functions, size_t count,
                                       bool (*is_dead)(void *user, uint64_t address),
                                       struct rt_dwarf_strip **ret) {
    struct rt_dwarf_strip *strip = calloc(1, sizeof *strip);
    if (!strip)
        return rt_error_out_of_memory();
    strip->names = functions;
    strip->count = count;
    strip->budget = (struct rt_dwarf_budget){.limit = MEMORY, .left = MEMORY};
    strip->ranges.budget = &strip->budget;
    strip->visitor = (struct rt_dwarf_visitor){.user = strip,
                                               .is_dead = is_dead,
                                               .plan = plan,
                                               .range = put_range,
                                               .sequence = put_sequence,
                                               .frame = put_frame};
    *ret = strip;
    return NULL;
}

void rt_dwarf_strip_destroy(struct rt_dwarf_strip *strip) {
    if (!strip)
        return;
    rt_dwarf_bytes_clear(&strip->ranges);
    free(strip);
}

const struct rt_dwarf_visitor *rt_dwarf_strip_visitor(struct rt_dwarf_strip *strip) {
    strip->ranges.size = 0;
    strip->is_sorted = false;
    return &strip->visitor;
}
