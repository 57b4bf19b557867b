/* The first walk: finds every DIE and gives it a number, in the input's order. A bit says that one starts at
 * a position, and the bits before it are its number, so that a reference is resolved in a few instructions.
 */
#include "runtime/dwarf/pass.h"

bool rt_dwarf_number(const struct rt_dwarf_index *index, uint64_t position, uint32_t *ret) {
    const uint64_t word = position / 64, bit = (uint64_t)1 << position % 64;
    if (word >= index->words || !(index->bits[word] & bit))
        return false;
    *ret = index->ranks[word] + (uint32_t)__builtin_popcountll(index->bits[word] & (bit - 1));
    return true;
}

/* ---- Walking ---- */

struct walk {
    struct rt_dwarf_pass *pass;
    struct rt_dwarf_die *open; /* the parents of the DIE that is read, where the visitor plans */
    uint32_t *numbers;         /* of the open ones */
    uint32_t dropped;          /* depth of the outermost one that is dropped, +1 */
};

static struct rt_error *plan_die(struct walk *walk, const struct rt_dwarf_unit *unit, uint64_t position,
                                 const struct rt_dwarf_abbrev *abbrev, const struct rt_cursor *attributes,
                                 unsigned depth) {
    struct rt_dwarf_pass *pass = walk->pass;
    struct rt_dwarf_die *die = &walk->open[depth];
    const uint32_t number = (uint32_t)RT_DWARF_COUNT(&walk->pass->plan, struct rt_dwarf_planned);
    enum rt_dwarf_fate fate = RT_DWARF_DROP;
    *die = (struct rt_dwarf_die){.unit = unit,
                                 .parent = depth ? &walk->open[depth - 1] : NULL,
                                 .position = position,
                                 .tag = abbrev->tag,
                                 .depth = depth,
                                 .has_children = abbrev->has_children,
                                 .abbrev = abbrev,
                                 .attributes = *attributes};
    if (walk->dropped && depth < walk->dropped)
        walk->dropped = 0;
    if (!walk->dropped) {
        fate = RT_DWARF_KEEP;
        struct rt_error *error = pass->visitor->plan(pass->visitor->user, pass, die, &fate);
        if (error)
            return error;
        if (fate == RT_DWARF_DROP)
            walk->dropped = depth + 1;
    }
    walk->numbers[depth] = number;
    struct rt_dwarf_planned *planned = RT_DWARF_PUSH(&walk->pass->plan, struct rt_dwarf_planned);
    if (planned)
        *planned = (struct rt_dwarf_planned){.position = (uint32_t)position,
                                             .unit = (uint32_t)(unit - pass->units),
                                             .parent = depth ? walk->numbers[depth - 1] : number,
                                             .end = number + 1,
                                             .fate = (uint8_t)fate};
    return rt_dwarf_check(pass);
}

/* Called when the DIE at `depth` and all below it have been read. */
static void end_die(struct walk *walk, unsigned depth) {
    struct rt_dwarf_planned *planned = RT_DWARF_ITEMS(&walk->pass->plan, struct rt_dwarf_planned);
    planned[walk->numbers[depth]].end = (uint32_t)RT_DWARF_COUNT(&walk->pass->plan, struct rt_dwarf_planned);
}

static struct rt_error *walk_unit(struct walk *walk, const struct rt_dwarf_unit *unit) {
    struct rt_dwarf_pass *pass = walk->pass;
    const bool plans = pass->visitor->plan != NULL;
    struct rt_cursor cursor;
    unsigned depth = 0;
    struct rt_error *error = rt_dwarf_unit_cursor(pass, unit, unit->first, &cursor);
    while (!error) {
        const struct rt_dwarf_abbrev *abbrev;
        const uint64_t position = rt_dwarf_position(pass, unit, &cursor);
        error = rt_dwarf_die_read(unit, &cursor, &abbrev);
        if (error)
            break;
        if (abbrev) {
            pass->index.bits[position / 64] |= (uint64_t)1 << position % 64;
            if (depth >= pass->deepest)
                pass->deepest = depth + 1;
            if (plans)
                error = plan_die(walk, unit, position, abbrev, &cursor, depth);
            if (!error)
                error = rt_dwarf_attributes_skip(unit, &cursor, abbrev);
            if (!error) /* attributes without bytes cost time all the same */
                error = rt_dwarf_charge(pass, abbrev->count);
            pass->stat->in.attributes += abbrev->count;
            if (!error && abbrev->has_children && ++depth == RT_DWARF_MAX_DEPTH)
                error = rt_cursor_error(&cursor, "DIEs nest deeper than %d", RT_DWARF_MAX_DEPTH);
            if (error || abbrev->has_children)
                continue;
        } else if (plans) {
            end_die(walk, depth - 1);
        }
        depth -= !abbrev;
        if (depth == 0)
            break;
    }
    return error ? rt_dwarf_section_error(error, unit->section) : NULL;
}

static struct rt_error *count_bits(struct rt_dwarf_pass *pass) {
    struct rt_dwarf_index *index = &pass->index;
    uint64_t count = 0;
    for (size_t i = 0; i < index->words; i++) {
        index->ranks[i] = (uint32_t)count;
        count += (uint64_t)__builtin_popcountll(index->bits[i]);
    }
    index->count = (uint32_t)count;
    pass->stat->in.dies = count;
    pass->written = rt_dwarf_alloc(pass, index->count, sizeof *pass->written);
    return rt_dwarf_check(pass);
}

struct rt_error *rt_dwarf_index_read(struct rt_dwarf_pass *pass) {
    const uint64_t size =
        (uint64_t)pass->input->at[RT_DWARF_INFO].size + pass->input->at[RT_DWARF_TYPES].size;
    struct walk walk = {.pass = pass};
    if (size > UINT32_MAX)
        return rt_error_format(RT_UNSUPPORTED, "not supported: more than 4 GiB of DIEs");
    pass->index.words = (size_t)(size / 64) + 1;
    pass->index.bits = rt_dwarf_alloc(pass, pass->index.words, sizeof *pass->index.bits);
    pass->index.ranks = rt_dwarf_alloc(pass, pass->index.words, sizeof *pass->index.ranks);
    if (pass->visitor->plan) {
        walk.open = rt_dwarf_alloc(pass, RT_DWARF_MAX_DEPTH, sizeof *walk.open);
        walk.numbers = rt_dwarf_alloc(pass, RT_DWARF_MAX_DEPTH, sizeof *walk.numbers);
    }
    struct rt_error *error = rt_dwarf_check(pass);
    for (size_t i = 0; !error && i < pass->unit_count; i++)
        error = walk_unit(&walk, &pass->units[i]);
    if (!error)
        error = count_bits(pass);
    if (error || !pass->visitor->plan)
        return error;
    pass->planned = RT_DWARF_ITEMS(&pass->plan, struct rt_dwarf_planned);
    return rt_dwarf_plan_settle(pass);
}
