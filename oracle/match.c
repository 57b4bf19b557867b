/* Finds the anchors: the (function, file, line) that both line tables mark as statements, and the pcs on each
 * side that belong to them. Rows that only one side has (a closing brace that Wasm's control flow does not
 * need) are no anchors. */
#include "oracle/compare.h"

#include <stdlib.h>
#include <string.h>

const char *or_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *or_logical_function(const struct st_scope *scope) {
    for (const struct st_scope *s = scope; s; s = s->parent) {
        if (s->kind == ST_SCOPE_INLINED)
            return s->inlined ? s->inlined : "";
        if (s->kind == ST_SCOPE_FUNCTION)
            return s->function->name;
    }
    return "";
}

static uint8_t inline_depth(const struct st_scope *scope) {
    unsigned depth = 0;
    for (const struct st_scope *s = scope; s; s = s->parent)
        depth += s->kind == ST_SCOPE_INLINED;
    return depth < OR_MAX_INLINE ? (uint8_t)depth : OR_MAX_INLINE - 1;
}

/* An open hash table of keys. */
struct key_table {
    struct or_key *keys;
    size_t count, capacity;
    uint32_t *slots;
    size_t slot_mask;
};

static uint64_t key_hash(const struct or_key *key) {
    uint64_t hash = 0xcbf29ce484222325u ^ key->line;
    for (const char *p = key->function; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 0x100000001b3u;
    for (const char *p = key->file; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

static uint32_t key_intern(struct key_table *table, struct or_key key, int side) {
    for (size_t slot = key_hash(&key) & table->slot_mask;; slot = (slot + 1) & table->slot_mask) {
        uint32_t index = table->slots[slot];
        if (index == OR_NO_KEY) {
            index = table->slots[slot] = (uint32_t)table->count++;
            table->keys[index] = key;
        }
        struct or_key *found = &table->keys[index];
        if (found->line == key.line && !strcmp(found->function, key.function) &&
            !strcmp(found->file, key.file)) {
            found->in[side] = true;
            return index;
        }
    }
}

/* A row where a debugger may stop: after the prologue of a function that has debug information. */
static bool is_statement(const struct st_row *row, const struct st_function *function) {
    return row->is_stmt && !row->end_sequence && row->line != 0 && function && row->pc >= function->body;
}

/* Nothing runs before the first instruction: a row over a body's declarations stands for that one. */
static uint64_t stop_pc(const struct st_row *row, const struct st_function *function) {
    return row->pc > function->entry ? row->pc : function->entry;
}

static uint64_t body_pc(const struct st_function *function) {
    return function->body > function->entry ? function->body : function->entry;
}

/* st_debug_function_at, for pcs in ascending order: most are in the function of the one before. */
static const struct st_function *next_function_at(const struct st_debug *debug,
                                                  const struct st_function *before, uint64_t pc) {
    if (before && before->scope.range_count == 1 && pc >= before->scope.ranges[0].low &&
        pc < before->scope.ranges[0].high)
        return before;
    return st_debug_function_at(debug, pc);
}

static int compare_points(const void *a, const void *b) {
    const struct or_point *x = a, *y = b;
    if (x->pc != y->pc)
        return x->pc < y->pc ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* One point a pc: flags are united, and of several rows at one pc the last is in force. */
static size_t unite_points(struct or_point *points, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct or_point *last = kept ? &points[kept - 1] : NULL;
        if (!last || last->pc != points[i].pc) {
            points[kept++] = points[i];
            continue;
        }
        last->is_entry |= points[i].is_entry;
        last->is_body |= points[i].is_body;
        if (points[i].row) {
            last->row = points[i].row;
            last->key = points[i].key;
        }
    }
    return kept;
}

/* All statement rows, entries and bodies of one side. */
static struct rt_error *collect_points(const struct or_match *match, const struct st_debug *debug, int side,
                                       struct key_table *table, struct rt_arena *arena, struct or_point **ret,
                                       size_t *ret_count) {
    size_t row_count, function_count;
    const struct st_row *rows = st_debug_rows(debug, &row_count);
    const struct st_function *functions = st_debug_functions(debug, &function_count);
    struct or_point *points = rt_arena_array(arena, row_count + 2 * function_count, sizeof(*points));
    if (!points)
        return rt_error_out_of_memory();
    size_t count = 0;
    for (size_t i = 0; i < function_count; i++) {
        const struct st_function *f = &functions[i];
        points[count++] =
            (struct or_point){.pc = f->entry, .key = OR_NO_KEY, .is_entry = true, .function = f};
        points[count++] =
            (struct or_point){.pc = body_pc(f), .key = OR_NO_KEY, .is_body = true, .function = f};
    }
    const struct st_function *function = NULL;
    for (size_t i = 0; i < row_count; i++) {
        const struct st_row *row = &rows[i];
        if (!row->is_stmt || row->end_sequence || !row->line)
            continue;
        function = next_function_at(debug, function, row->pc);
        if (!is_statement(row, function))
            continue;
        struct or_point point = {
            .pc = stop_pc(row, function), .key = OR_NO_KEY, .row = row, .function = function};
        if (match->is_one_module)
            point.pc = st_session_past_markers(match->sessions[side], point.pc);
        const struct st_scope *scope = st_scope_at(function, match->is_one_module ? point.pc : row->pc);
        struct or_key key = {.function = or_logical_function(scope),
                             .file = or_base_name(st_debug_file(debug, row->file)),
                             .line = row->line};
        point.key = key_intern(table, key, side);
        points[count++] = point;
    }
    for (size_t i = 0; i < count; i++) {
        const struct st_function *f = points[i].function;
        struct or_key key = {.function = f->name, .file = or_base_name(st_debug_file(debug, f->file))};
        points[i].group = key_intern(table, key, side);
    }
    if (count)
        qsort(points, count, sizeof(*points), compare_points);
    *ret = points;
    *ret_count = unite_points(points, count);
    return NULL;
}

/* The most keys that a side can add. */
static size_t size_of(const struct st_debug *debug) {
    size_t rows, functions;
    st_debug_rows(debug, &rows);
    st_debug_functions(debug, &functions);
    return rows + functions;
}

/* Drops the points of functions that have no anchor: nothing would be compared there. */
static size_t keep_anchored(struct or_match *match, struct or_point *points, size_t count,
                            const struct st_debug *debug, struct rt_arena *arena) {
    size_t function_count;
    st_debug_functions(debug, &function_count);
    bool *anchored = rt_arena_array(arena, function_count, sizeof(*anchored));
    if (!anchored)
        return SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        struct or_point *p = &points[i];
        if (p->key != OR_NO_KEY && !(match->keys[p->key].in[0] && match->keys[p->key].in[1]))
            p->key = OR_NO_KEY;
        if (p->key != OR_NO_KEY)
            anchored[p->function->index] = true;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct or_point p = points[i];
        if (!anchored[p.function->index] || (p.key == OR_NO_KEY && !p.is_entry && !p.is_body))
            continue;
        p.scope = st_scope_at(p.function, p.pc);
        p.inline_depth = inline_depth(p.scope);
        points[kept++] = p;
    }
    return kept;
}

struct rt_error *or_match_build(struct or_match *match, const struct st_debug *const debug[2],
                                const struct or_options *options, struct rt_arena *arena) {
    size_t most = size_of(debug[0]) + size_of(debug[1]), slots = 16;
    while (slots < 2 * most)
        slots *= 2;
    struct key_table table = {.keys = rt_arena_array(arena, most, sizeof(struct or_key)),
                              .slots = rt_arena_array(arena, slots, sizeof(uint32_t)),
                              .slot_mask = slots - 1};
    if (!table.keys || !table.slots)
        return rt_error_out_of_memory();
    memset(table.slots, 0xff, slots * sizeof(uint32_t));
    for (int side = 0; side < 2; side++) {
        struct rt_error *error = collect_points(match, debug[side], side, &table, arena, &match->points[side],
                                                &match->point_count[side]);
        if (error)
            return error;
    }
    match->keys = table.keys;
    match->key_count = table.count;
    if (options->is_same_code || (options->is_unoptimised && options->is_one_compiler)) {
        struct rt_error *error = or_pair_rows(match, debug, options->is_same_code, arena);
        if (error)
            return error;
    }
    for (int side = 0; side < 2; side++) {
        match->point_count[side] =
            keep_anchored(match, match->points[side], match->point_count[side], debug[side], arena);
        if (match->point_count[side] == SIZE_MAX)
            return rt_error_out_of_memory();
    }
    return NULL;
}

static int compare_pcs(const void *a, const void *b) {
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Ascending, each once; returns how many there are. */
static size_t unite_pcs(uint32_t *pcs, size_t count) {
    size_t kept = 0, at = 1;
    while (at < count && pcs[at - 1] <= pcs[at])
        at++;
    if (at < count)
        qsort(pcs, count, sizeof(*pcs), compare_pcs);
    for (size_t i = 0; i < count; i++) {
        if (!kept || pcs[kept - 1] != pcs[i])
            pcs[kept++] = pcs[i];
    }
    return kept;
}

struct rt_error *or_sites(const struct rt_module *module, const struct st_debug *debug,
                          struct rt_arena *arena, const uint32_t **ret, size_t *ret_count) {
    size_t row_count, function_count, count = 0, entered = 0;
    const struct st_row *rows = st_debug_rows(debug, &row_count);
    const struct st_function *functions = st_debug_functions(debug, &function_count), *function = NULL;
    uint32_t *pcs = rt_arena_array(arena, 2 * row_count + 2 * function_count, sizeof(*pcs));
    if (!pcs)
        return rt_error_out_of_memory();
    /* In turn, so that they hardly need to be sorted. */
    for (size_t i = 0; i <= row_count; i++) {
        for (; entered < function_count && (i == row_count || functions[entered].low <= rows[i].pc);
             entered++) {
            pcs[count++] = (uint32_t)functions[entered].entry;
            pcs[count++] = (uint32_t)body_pc(&functions[entered]);
        }
        if (i == row_count)
            break;
        function = next_function_at(debug, function, rows[i].pc);
        if (!is_statement(&rows[i], function))
            continue;
        pcs[count] = (uint32_t)stop_pc(&rows[i], function);
        pcs[count + 1] = rt_module_past_markers(module, pcs[count]);
        count += 2;
    }
    *ret = pcs;
    *ret_count = unite_pcs(pcs, count);
    return NULL;
}
