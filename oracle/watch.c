/* Watches static storage: globals and static locals, at fixed addresses on both sides. A copy of each side's
 * bytes tells which variables need another look at a stop; the others are vouched for. */
#include "oracle/compare.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 64,  /* bytes compared at once */
    SPAN = 4096, /* bytes compared first */
    GAP = 256,   /* storage nearer than this is one extent */
};

struct named { /* a static variable of one side, to be paired */
    const struct st_variable *variable;
    const char *owner, *file;
};

struct named_list {
    struct named *items;
    size_t count, capacity;
    struct rt_arena *arena;
    bool out_of_memory;
};

static void add_named(struct named_list *list, struct named item) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;
        struct named *items = rt_arena_array(list->arena, capacity, sizeof(*items));
        if (!items) {
            list->out_of_memory = true;
            return;
        }
        if (list->count)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
}

static void add_scope(struct named_list *list, const struct st_debug *debug, const struct st_scope *scope,
                      const char *owner) {
    for (size_t i = 0; i < scope->variable_count; i++)
        if (scope->variables[i].is_static || scope->variables[i].is_dropped)
            add_named(list, (struct named){&scope->variables[i], owner,
                                           or_base_name(st_debug_file(debug, scope->variables[i].file))});
    for (size_t i = 0; i < scope->child_count; i++)
        if (scope->children[i].kind == ST_SCOPE_BLOCK)
            add_scope(list, debug, &scope->children[i], owner);
}

static int compare_named(const void *a, const void *b) {
    const struct named *x = a, *y = b;
    int order = strcmp(x->variable->name, y->variable->name);
    if (!order)
        order = (x->variable->line > y->variable->line) - (x->variable->line < y->variable->line);
    if (!order)
        order = strcmp(x->owner ? x->owner : "", y->owner ? y->owner : "");
    return order ? order : strcmp(x->file, y->file);
}

static struct rt_error *list_statics(const struct st_debug *debug, struct rt_arena *arena,
                                     struct named_list *ret) {
    *ret = (struct named_list){.arena = arena};
    size_t count;
    const struct st_variable *globals = st_debug_globals(debug, &count);
    for (size_t i = 0; i < count; i++)
        if (globals[i].name[0])
            add_named(ret,
                      (struct named){&globals[i], NULL, or_base_name(st_debug_file(debug, globals[i].file))});
    const struct st_function *functions = st_debug_functions(debug, &count);
    for (size_t i = 0; i < count; i++)
        add_scope(ret, debug, &functions[i].scope, functions[i].name);
    if (ret->out_of_memory)
        return rt_error_out_of_memory();
    if (ret->count)
        qsort(ret->items, ret->count, sizeof(*ret->items), compare_named);
    return NULL;
}

/* A file that both line tables have statements in: what is declared elsewhere (a C library's start-up) is one
 * side's own. */
static bool is_common_file(const struct or_comparison *comparison, const char *file) {
    for (size_t i = 0; i < comparison->match.key_count; i++) {
        const struct or_key *key = &comparison->match.keys[i];
        if (key->line && key->in[0] && key->in[1] && !strcmp(key->file, file))
            return true;
    }
    return false;
}

static void report_lone(struct or_comparison *comparison, const struct named *lone, int side) {
    if (!is_common_file(comparison, lone->file))
        return;
    const char *shape = lone->owner ? "static" : "global";
    struct or_finding *finding = or_report_add(comparison, OR_SCOPE, lone->variable->name, shape,
                                               "one side has this variable and the other does not");
    if (!finding)
        return;
    or_testify_dwarf(comparison, &finding->witnesses[side], lone->variable, NULL);
    finding->witnesses[side].value = "(declared)";
    finding->witnesses[!side].state = "absent";
}

/* Adds a pair when both sides have it at an address; its state is reported when not. */
static struct rt_error *add_item(struct or_comparison *comparison, const struct named *a,
                                 const struct named *b) {
    struct or_watch *watch = &comparison->watch;
    struct rt_arena *arena = &comparison->report->arena;
    struct or_report *report = &comparison->report->public;
    report->dropped[0] += a->variable->is_dropped;
    report->dropped[1] += b->variable->is_dropped;
    if (a->variable->is_dropped || b->variable->is_dropped)
        return NULL;
    struct or_watched *item = &watch->items[watch->item_count];
    *item = (struct or_watched){.variable = {.side = {a->variable, b->variable}, .owner = a->owner}};
    struct rt_error *error = or_layout_get(&comparison->layouts, arena, a->variable->type, b->variable->type,
                                           &item->variable.layout);
    if (error)
        return error;
    const struct or_layout *layout = item->variable.layout;
    if (layout->mismatch) {
        or_report_add(comparison, OR_TYPE, a->variable->name, a->owner ? "static" : "global",
                      layout->mismatch);
        return NULL;
    }
    struct st_place place[2];
    const uint8_t *object[2];
    if (!or_place_variable(comparison, &item->variable, place, object))
        return NULL;
    bool is_loose = false;
    for (int side = 0; side < 2; side++) {
        item->copy.size[side] = or_place_storage(&place[side], layout->size[side], &item->copy.address[side]);
        is_loose |= !item->copy.size[side];
    }
    if (is_loose && !comparison->options.is_unoptimised)
        return NULL;
    for (int side = 0; side < 2; side++) {
        if (is_loose)
            item->copy.address[side] = OR_NO_ADDRESS;
        item->copy.bytes[side] = rt_arena_alloc(arena, layout->size[side]);
        if (!item->copy.bytes[side])
            return rt_error_out_of_memory();
    }
    if (is_loose) {
        watch->loose[watch->loose_count++] = *item;
        return NULL;
    }
    watch->scalars += layout->leaf_count;
    watch->item_count++;
    return NULL;
}

static struct rt_error *pair_statics(struct or_comparison *comparison, const struct named_list lists[2]) {
    size_t i = 0, j = 0;
    struct rt_error *error = NULL;
    while (!error && (i < lists[0].count || j < lists[1].count)) {
        int order = i == lists[0].count   ? 1
                    : j == lists[1].count ? -1
                                          : compare_named(&lists[0].items[i], &lists[1].items[j]);
        if (order < 0)
            report_lone(comparison, &lists[0].items[i++], 0);
        else if (order > 0)
            report_lone(comparison, &lists[1].items[j++], 1);
        else
            error = add_item(comparison, &lists[0].items[i++], &lists[1].items[j++]);
    }
    return error;
}

static int sort_side; /* for qsort; the oracle runs in one thread */
static const struct or_watched *sort_items;

static int compare_addresses(const void *a, const void *b) {
    uint64_t x = sort_items[*(const uint32_t *)a].copy.address[sort_side];
    uint64_t y = sort_items[*(const uint32_t *)b].copy.address[sort_side];
    return (x > y) - (x < y);
}

/* Sorts the items by address and joins near ones into extents. */
static struct rt_error *lay_out(struct or_comparison *comparison, int side) {
    struct or_watch *watch = &comparison->watch;
    struct rt_arena *arena = &comparison->report->arena;
    uint32_t *order = watch->by_address[side] = rt_arena_array(arena, watch->item_count, sizeof(*order));
    struct or_extent *extents = watch->extents[side] =
        rt_arena_array(arena, watch->item_count, sizeof(*extents));
    if (!order || !extents)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < watch->item_count; i++)
        order[i] = (uint32_t)i;
    sort_side = side;
    sort_items = watch->items;
    if (watch->item_count)
        qsort(order, watch->item_count, sizeof(*order), compare_addresses);
    size_t count = 0;
    for (size_t i = 0; i < watch->item_count; i++) {
        const struct or_watched *item = &watch->items[order[i]];
        uint64_t low = item->copy.address[side], high = low + item->copy.size[side];
        struct or_extent *last = count ? &extents[count - 1] : NULL;
        if (last && low <= last->address + last->size + GAP) {
            if (high > last->address + last->size)
                last->size = high - last->address;
        } else {
            extents[count++] = (struct or_extent){low, high - low, NULL};
        }
    }
    for (size_t i = 0; i < count; i++)
        if (!(extents[i].shadow = rt_arena_alloc(arena, extents[i].size)))
            return rt_error_out_of_memory();
    watch->extent_count[side] = count;
    return NULL;
}

/* Reports storage that two variables share on one side alone. Where more than two do, neighbours tell. */
static void compare_neighbours(struct or_comparison *comparison, int side) {
    const struct or_watch *watch = &comparison->watch;
    for (size_t i = 1; i < watch->item_count; i++) {
        const struct or_watched *a = &watch->items[watch->by_address[side][i - 1]];
        const struct or_watched *b = &watch->items[watch->by_address[side][i]];
        const struct or_variable *const both[2] = {&a->variable, &b->variable};
        const struct or_copy *const copies[2] = {&a->copy, &b->copy};
        or_compare_storage(comparison, both, copies);
    }
}

struct rt_error *or_watch_build(struct or_comparison *comparison) {
    struct or_watch *watch = &comparison->watch;
    struct rt_arena *arena = &comparison->report->arena;
    struct named_list lists[2];
    struct rt_error *error = NULL;
    for (int side = 0; side < 2 && !error; side++)
        error = list_statics(comparison->sides[side].debug, arena, &lists[side]);
    if (error)
        return error;
    watch->items = rt_arena_array(arena, lists[0].count, sizeof(*watch->items));
    watch->loose = rt_arena_array(arena, lists[0].count, sizeof(*watch->loose));
    watch->dirty = rt_arena_array(arena, lists[0].count, sizeof(*watch->dirty));
    if (!watch->items || !watch->loose || !watch->dirty)
        return rt_error_out_of_memory();
    if ((error = pair_statics(comparison, lists)))
        return error;
    for (int side = 0; side < 2 && !error; side++)
        error = lay_out(comparison, side);
    for (int side = 0; side < 2 && comparison->options.is_unoptimised; side++)
        compare_neighbours(comparison, side);
    for (size_t i = 0; i < watch->item_count; i++) { /* nothing is known yet: all need a first look */
        watch->items[i].is_dirty = true;
        watch->dirty[watch->dirty_count++] = (uint32_t)i;
    }
    watch->is_ready = true;
    return error;
}

static void mark_dirty(struct or_watch *watch, uint32_t index) {
    if (!watch->items[index].is_dirty) {
        watch->items[index].is_dirty = true;
        watch->dirty[watch->dirty_count++] = index;
    }
}

/* Marks the variables of one side that overlap [low, high). */
static void mark_range(struct or_watch *watch, int side, uint64_t low, uint64_t high) {
    size_t from = 0, to = watch->item_count;
    while (from < to) { /* first item that ends above low; items of one side do not overlap but for aliases */
        size_t middle = from + (to - from) / 2;
        const struct or_watched *item = &watch->items[watch->by_address[side][middle]];
        if (item->copy.address[side] + item->copy.size[side] <= low)
            from = middle + 1;
        else
            to = middle;
    }
    for (; from < watch->item_count; from++) {
        uint32_t index = watch->by_address[side][from];
        if (watch->items[index].copy.address[side] >= high)
            break;
        mark_dirty(watch, index);
    }
}

/* Finds the blocks of one extent that changed, marks their variables and takes the new bytes over. */
static void scan_extent(struct or_watch *watch, int side, const struct or_extent *extent,
                        const uint8_t *live) {
    for (size_t span = 0; span < extent->size; span += SPAN) {
        size_t span_size = extent->size - span < SPAN ? extent->size - span : SPAN;
        if (!memcmp(live + span, extent->shadow + span, span_size))
            continue;
        for (size_t block = span; block < span + span_size; block += BLOCK) {
            size_t size = span + span_size - block < BLOCK ? span + span_size - block : BLOCK;
            if (!memcmp(live + block, extent->shadow + block, size))
                continue;
            memcpy(extent->shadow + block, live + block, size);
            mark_range(watch, side, extent->address + block, extent->address + block + size);
        }
    }
}

/* Those that have no memory on one side are placed anew at each stop. */
static void compare_loose(struct or_comparison *comparison) {
    static const uint64_t nowhere[2] = {OR_NO_ADDRESS, OR_NO_ADDRESS};
    for (size_t i = 0; i < comparison->watch.loose_count; i++) {
        struct or_watched *item = &comparison->watch.loose[i];
        struct st_place place[2];
        const uint8_t *object[2];
        if (or_place_variable(comparison, &item->variable, place, object))
            or_compare_object(comparison, &item->variable, &item->copy, object, nowhere, place);
    }
}

struct rt_error *or_compare_watched(struct or_comparison *comparison) {
    struct or_watch *watch = &comparison->watch;
    compare_loose(comparison);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < watch->extent_count[side]; i++) {
            const struct or_extent *extent = &watch->extents[side][i];
            const uint8_t *live =
                st_session_memory(comparison->sides[side].session, extent->address, extent->size);
            if (!live)
                return rt_error_format(RT_USAGE, "static storage at 0x%llx (%zu bytes) of %s cannot be read",
                                       (unsigned long long)extent->address, extent->size,
                                       comparison->sides[side].name);
            scan_extent(watch, side, extent, live);
        }
    /* Those that no byte changed of are vouched for, when they have agreed. */
    uint64_t looked_at = 0;
    for (size_t i = 0; i < watch->dirty_count; i++) {
        struct or_watched *item = &watch->items[watch->dirty[i]];
        const struct or_layout *layout = item->variable.layout;
        const uint8_t *object[2];
        struct st_place place[2] = {{.kind = ST_PLACE_MEMORY}, {.kind = ST_PLACE_MEMORY}};
        for (int side = 0; side < 2; side++) {
            const struct or_side *s = &comparison->sides[side];
            const struct st_variable *variable = item->variable.side[side];
            place[side].address = item->copy.address[side];
            place[side].expression = variable->location.count ? &variable->location.expressions[0] : NULL;
            if (item->copy.size[side] == layout->size[side]) {
                object[side] = st_session_memory(s->session, item->copy.address[side], layout->size[side]);
            } else {
                st_locate(s->session, s->frame, variable, &place[side]);
                object[side] = place[side].kind == ST_PLACE_VALUE ? place[side].bytes : NULL;
            }
        }
        if (object[0] && object[1]) {
            uint64_t address[2] = {item->copy.address[0], item->copy.address[1]};
            bool was_counted = item->copy.is_known && item->copy.has_agreed;
            uint64_t before = was_counted ? layout->leaf_count - item->copy.opaque : 0;
            watch->vouched -= before;
            or_compare_object(comparison, &item->variable, &item->copy, object, address, place);
            if (item->copy.has_agreed)
                looked_at += layout->leaf_count - item->copy.opaque;
        }
        item->is_dirty = false;
    }
    watch->dirty_count = 0;
    comparison->report->public.unchanged += watch->vouched;
    watch->vouched += looked_at;
    return NULL;
}
