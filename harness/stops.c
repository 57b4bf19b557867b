/* Stops of several witnesses, side by side. */
#include "harness/stops.h"

#include <string.h>

struct part { /* the stops [first, first + count) of a witness; backwards from the last one when `is_back` */
    const struct or_spot *first;
    size_t count;
    bool is_back;
};

static const struct or_spot *item(const struct part *part, size_t index) {
    return &part->first[part->is_back ? part->count - 1 - index : index];
}

static bool is_same(const struct or_spot *a, const struct or_spot *b) {
    return a->line == b->line && a->depth == b->depth && rt_same_text(a->function, b->function) &&
           rt_same_text(a->file, b->file);
}

/* Sets partner[i] to the index in `a` that item i of `b` is shared with, else to -1; both count as the parts
 * run. */
static void match(const struct part *a, const struct part *b, int partner[HX_SHOWN_STOPS]) {
    static uint8_t length[HX_SHOWN_STOPS + 1][HX_SHOWN_STOPS + 1]; /* of the common tail from (i, j) on */

    memset(length, 0, sizeof length);
    for (size_t i = a->count; i-- > 0;)
        for (size_t j = b->count; j-- > 0;) {
            const uint8_t skip_a = length[i + 1][j], skip_b = length[i][j + 1];
            length[i][j] = is_same(item(a, i), item(b, j)) ? (uint8_t)(length[i + 1][j + 1] + 1)
                           : skip_a > skip_b               ? skip_a
                                                           : skip_b;
        }
    for (size_t j = 0; j < b->count; j++)
        partner[j] = -1;
    for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
        if (is_same(item(a, i), item(b, j)))
            partner[j++] = (int)i++;
        else if (length[i + 1][j] >= length[i][j + 1])
            i++;
        else
            j++;
    }
}

static size_t stop_count(const struct or_testimony *testimony) {
    return testimony->stop_count < HX_SHOWN_STOPS ? testimony->stop_count : HX_SHOWN_STOPS;
}

static size_t stop_at(const struct or_testimony *testimony) {
    return testimony->stop_at < stop_count(testimony) ? testimony->stop_at : stop_count(testimony);
}

size_t hx_shown_witnesses(const struct hx_told *told) {
    return told->witness_count < HX_SHOWN_WITNESSES ? told->witness_count : HX_SHOWN_WITNESSES;
}

/* The partners of all stops of a witness among the first one's. */
static void match_all(const struct or_testimony *a, const struct or_testimony *b,
                      int partner[HX_SHOWN_STOPS]) {
    const size_t at_a = stop_at(a), at_b = stop_at(b);
    int part[HX_SHOWN_STOPS];
    /* Before the finding, what is nearest to it goes together. */
    const struct part before[2] = {{a->stops, at_a, true}, {b->stops, at_b, true}};
    const struct part after[2] = {{a->stops + at_a, stop_count(a) - at_a, false},
                                  {b->stops + at_b, stop_count(b) - at_b, false}};

    match(&before[0], &before[1], part);
    for (size_t j = 0; j < at_b; j++)
        partner[at_b - 1 - j] = part[j] < 0 ? -1 : (int)at_a - 1 - part[j];
    match(&after[0], &after[1], part);
    for (size_t j = 0; j < after[1].count; j++)
        partner[at_b + j] = part[j] < 0 ? -1 : (int)at_a + part[j];
}

struct table {
    const struct hx_told *told;
    struct hx_stop_row *rows;
    size_t count;
};

static struct hx_stop_row *add_row(struct table *table) {
    struct hx_stop_row *row = &table->rows[table->count++];
    for (size_t i = 0; i < HX_SHOWN_WITNESSES; i++)
        row->at[i] = -1;
    return row;
}

static void finish_row(const struct table *table, struct hx_stop_row *row) {
    for (size_t i = 0; i < hx_shown_witnesses(table->told); i++) {
        row->is_alone |= row->at[i] < 0;
        row->is_finding |= row->at[i] >= 0 && (size_t)row->at[i] == stop_at(&table->told->witnesses[i]);
    }
}

/* The first of a witness's stops from `from` on that the first witness shares; `count` when there is none. */
static size_t next_shared(const int partner[HX_SHOWN_STOPS], size_t from, size_t count) {
    while (from < count && partner[from] < 0)
        from++;
    return from;
}

/* Leaves out what stands alone at an end only because the others' stops were not kept so far: where all of
 * them were kept as long as they are. */
static void trim(struct table *table) {
    const struct hx_told *told = table->told;
    bool is_cut_before = true, is_cut_after = true;
    size_t first = 0, last = table->count;

    for (size_t i = 0; i < hx_shown_witnesses(told); i++) {
        const struct or_testimony *testimony = &told->witnesses[i];
        is_cut_before &= stop_at(testimony) >= OR_TRAIL_BEFORE;
        is_cut_after &= stop_count(testimony) > stop_at(testimony) + OR_TRAIL_AFTER;
    }
    while (is_cut_before && first < last && table->rows[first].is_alone && !table->rows[first].is_finding)
        first++;
    while (is_cut_after && last > first && table->rows[last - 1].is_alone &&
           !table->rows[last - 1].is_finding)
        last--;
    /* Nothing shared on that side of the finding: then all of it is what differs. */
    if (first < last && table->rows[first].is_finding)
        first = 0;
    if (first < last && table->rows[last - 1].is_finding)
        last = table->count;
    table->rows += first;
    table->count = last - first;
}

const struct hx_stop_row *hx_stop_rows(const struct hx_told *told, struct rt_arena *arena,
                                       size_t *ret_count) {
    const size_t witnesses = hx_shown_witnesses(told);
    int partner[HX_SHOWN_WITNESSES][HX_SHOWN_STOPS];
    size_t next[HX_SHOWN_WITNESSES] = {0}, total = 0;
    struct table table = {.told = told};

    for (size_t i = 0; i < witnesses; i++)
        total += stop_count(&told->witnesses[i]);
    *ret_count = 0;
    table.rows = rt_arena_array(arena, total, sizeof *table.rows);
    if (!table.rows || witnesses == 0)
        return table.rows;
    for (size_t i = 1; i < witnesses; i++)
        match_all(&told->witnesses[0], &told->witnesses[i], partner[i]);
    /* What another one has alone comes right before what it shares next, or at the end. */
    const size_t last = stop_count(&told->witnesses[0]);
    for (size_t s = 0; s <= last; s++) {
        for (size_t i = 1; i < witnesses; i++) {
            const size_t end = next_shared(partner[i], next[i], stop_count(&told->witnesses[i]));
            const bool is_due =
                s == last || (end < stop_count(&told->witnesses[i]) && (size_t)partner[i][end] == s);
            while (is_due && next[i] < end) {
                struct hx_stop_row *row = add_row(&table);
                row->at[i] = (int)next[i]++;
                finish_row(&table, row);
            }
        }
        if (s == last)
            break;
        struct hx_stop_row *row = add_row(&table);
        row->at[0] = (int)s;
        for (size_t i = 1; i < witnesses; i++)
            if (next[i] < stop_count(&told->witnesses[i]) && (size_t)partner[i][next[i]] == s)
                row->at[i] = (int)next[i]++;
        finish_row(&table, row);
    }
    trim(&table);
    *ret_count = table.count;
    return table.rows;
}
