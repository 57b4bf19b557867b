/* Pairs the statement rows of a function on both sides, in order.
 *
 * From one source, unoptimised, both targets get a function's statements in the same order. Where one line
 * table says "line 308 again" over code that only jumps or moves values about (the join behind a conditional
 * operator, the jump that ends a loop) and the other does not, the row is no statement, and no anchor. A row
 * that does something and whose line the other side lacks is reported. */
#include "oracle/compare.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_CELLS = 1 << 22 }; /* of the table of one function; larger functions keep all their rows */

struct run { /* consecutive rows of one key */
    uint32_t key;
    uint32_t first, count; /* points */
};

struct runs {
    struct run *items;
    size_t count;
};

/* The runs of one function among a side's points (ascending by pc). */
static struct rt_error *function_runs(const struct or_match *match, int side,
                                      const struct st_function *function, struct rt_arena *arena,
                                      struct runs *ret) {
    const struct or_point *points = match->points[side];
    size_t low = 0, high = match->point_count[side];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (points[middle].pc < function->low)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < match->point_count[side] && points[end].function == function)
        end++;
    *ret = (struct runs){rt_arena_array(arena, end - low, sizeof(struct run)), 0};
    if (!ret->items)
        return rt_error_out_of_memory();
    for (size_t i = low; i < end; i++) {
        if (points[i].key == OR_NO_KEY)
            continue;
        struct run *last = ret->count ? &ret->items[ret->count - 1] : NULL;
        if (last && last->key == points[i].key)
            last->count = (uint32_t)(i + 1) - last->first;
        else
            ret->items[ret->count++] = (struct run){points[i].key, (uint32_t)i, 1};
    }
    return NULL;
}

/* A row, with those behind it that go on with its line, over code that only jumps or moves locals. */
static bool is_idle(const struct or_match *match, int side, const struct run *run) {
    const struct st_row *row = match->points[side][run->first].row, *end = row;
    while (!end->end_sequence && end->line == row->line)
        end++;
    return st_session_is_idle_code(match->sessions[side], row->pc, end->pc);
}

/* Counts a run as one without a partner. */
static struct rt_error *leave_alone(struct or_match *match, int side, const struct run *run,
                                    struct rt_arena *arena) {
    if ((match->lone_count & (match->lone_count - 1)) == 0) { /* full at each power of two */
        size_t capacity = match->lone_count ? 2 * match->lone_count : 1;
        struct or_lone *lone = rt_arena_array(arena, capacity, sizeof(*lone));
        if (!lone)
            return rt_error_out_of_memory();
        if (match->lone_count)
            memcpy(lone, match->lone, match->lone_count * sizeof(*lone));
        match->lone = lone;
    }
    match->lone[match->lone_count++] =
        (struct or_lone){side, match->points[side][run->first], run->key, is_idle(match, side, run)};
    bool is_anchor = match->keys[run->key].in[!side] && !match->lone[match->lone_count - 1].is_idle;
    for (uint32_t i = run->first; i < run->first + run->count && !is_anchor; i++)
        match->points[side][i].key = OR_NO_KEY;
    return NULL;
}

/* Takes out the idle rows whose line the other side has nowhere, so that what they divide is one run again.
 */
static struct rt_error *drop_idle(struct or_match *match, int side, struct runs *runs,
                                  struct rt_arena *arena) {
    size_t kept = 0;
    for (size_t i = 0; i < runs->count; i++) {
        const struct run run = runs->items[i];
        struct run *last = kept ? &runs->items[kept - 1] : NULL;
        if (!match->keys[run.key].in[!side] && is_idle(match, side, &run)) {
            struct rt_error *error = leave_alone(match, side, &run, arena);
            if (error)
                return error;
        } else if (last && last->key == run.key) {
            last->count = run.first + run.count - last->first;
        } else {
            runs->items[kept++] = run;
        }
    }
    runs->count = kept;
    return NULL;
}

/* The longest common subsequence of both lists of runs; what is not in it is left alone. */
static struct rt_error *pair_function(struct or_match *match, const struct runs *a, const struct runs *b,
                                      struct rt_arena *arena) {
    size_t width = b->count + 1;
    if ((a->count + 1) * width > MAX_CELLS)
        return NULL;
    uint16_t *length =
        calloc((a->count + 1) * width, sizeof(*length)); /* of the common tail from (i, j) on */
    if (!length)
        return rt_error_out_of_memory();
    for (size_t i = a->count; i-- > 0;)
        for (size_t j = b->count; j-- > 0;) {
            uint16_t skip_a = length[(i + 1) * width + j], skip_b = length[i * width + j + 1];
            length[i * width + j] = a->items[i].key == b->items[j].key
                                        ? (uint16_t)(length[(i + 1) * width + j + 1] + 1)
                                    : skip_a > skip_b ? skip_a
                                                      : skip_b;
        }
    struct rt_error *error = NULL;
    for (size_t i = 0, j = 0; !error && (i < a->count || j < b->count);) {
        if (i < a->count && j < b->count && a->items[i].key == b->items[j].key)
            i++, j++;
        else if (j == b->count || (i < a->count && length[(i + 1) * width + j] >= length[i * width + j + 1]))
            error = leave_alone(match, 0, &a->items[i++], arena);
        else
            error = leave_alone(match, 1, &b->items[j++], arena);
    }
    free(length);
    return error;
}

const struct st_function *or_partner(const struct st_debug *debug, const struct st_function *function,
                                     const struct st_debug *other) {
    const char *file = or_base_name(st_debug_file(debug, function->file));
    size_t count;
    const struct st_function *others = st_debug_functions(other, &count);
    for (size_t i = 0; i < count; i++)
        if (others[i].line == function->line && !strcmp(others[i].name, function->name) &&
            !strcmp(or_base_name(st_debug_file(other, others[i].file)), file))
            return &others[i];
    return NULL;
}

/* Rows of one code belong together by their pcs. */
static struct rt_error *pair_by_pc(struct or_match *match, struct rt_arena *arena) {
    struct rt_error *error = NULL;
    size_t i = 0, k = 0;
    while (!error && (i < match->point_count[0] || k < match->point_count[1])) {
        const struct or_point *a = i < match->point_count[0] ? &match->points[0][i] : NULL;
        const struct or_point *b = k < match->point_count[1] ? &match->points[1][k] : NULL;
        const bool takes_a = a && (!b || a->pc <= b->pc), takes_b = b && (!a || b->pc <= a->pc);
        const bool is_pair = takes_a && takes_b && a->key == b->key;
        if (takes_a && !is_pair && a->key != OR_NO_KEY)
            error = leave_alone(match, 0, &(struct run){a->key, (uint32_t)i, 1}, arena);
        if (!error && takes_b && !is_pair && b->key != OR_NO_KEY)
            error = leave_alone(match, 1, &(struct run){b->key, (uint32_t)k, 1}, arena);
        i += takes_a;
        k += takes_b;
    }
    return error;
}

struct rt_error *or_pair_rows(struct or_match *match, const struct st_debug *const debug[2],
                              bool is_same_code, struct rt_arena *arena) {
    size_t count;
    const struct st_function *functions = st_debug_functions(debug[0], &count);
    if (is_same_code)
        return pair_by_pc(match, arena);
    for (size_t i = 0; i < count; i++) {
        const struct st_function *partner = or_partner(debug[0], &functions[i], debug[1]);
        struct runs runs[2];
        if (!partner)
            continue;
        struct rt_error *error = function_runs(match, 0, &functions[i], arena, &runs[0]);
        if (error || (error = function_runs(match, 1, partner, arena, &runs[1])) ||
            (error = drop_idle(match, 0, &runs[0], arena)) ||
            (error = drop_idle(match, 1, &runs[1], arena)) ||
            (error = pair_function(match, &runs[0], &runs[1], arena)))
            return error;
    }
    return NULL;
}
