/* What each side did around a finding: its last stops before, and those that come after it. Shown to people,
 * who see from it where two runs part and where they meet again. */
#include "oracle/compare.h"

enum { LENGTH = OR_TRAIL_BEFORE + 1 + OR_TRAIL_AFTER };

static void add_stop(const struct or_comparison *comparison, const struct or_recent *stop,
                     struct or_testimony *testimony) {
    const struct or_key *key = &comparison->match.keys[stop->point->key];
    testimony->stops[testimony->stop_count++] = (struct or_spot){.function = key->function,
                                                                 .file = key->file,
                                                                 .line = key->line,
                                                                 .column = stop->point->row->column,
                                                                 .depth = stop->depth,
                                                                 .pc = stop->point->pc};
}

static bool is_open(const struct or_testimony *testimony) {
    return testimony->stops && testimony->stop_count < LENGTH &&
           testimony->stop_count <= testimony->stop_at + OR_TRAIL_AFTER;
}

void or_trail_note(struct or_comparison *comparison, struct or_side *side) {
    struct or_trail *trail = &side->trail;
    struct or_full_report *report = comparison->report;
    const struct or_recent stop = {side->point, (uint32_t)side->depth};
    const size_t count = report->public.finding_count;
    const int index = (int)(side - comparison->sides);

    trail->recent[trail->count++ % (OR_TRAIL_BEFORE + 1)] = stop;
    while (report->first_open < count && !is_open(&report->findings[report->first_open].witnesses[0]) &&
           !is_open(&report->findings[report->first_open].witnesses[1]))
        report->first_open++;
    for (size_t i = report->first_open; i < count; i++)
        if (is_open(&report->findings[i].witnesses[index]))
            add_stop(comparison, &stop, &report->findings[i].witnesses[index]);
}

void or_trail_begin(struct or_comparison *comparison, int side, struct or_testimony *testimony) {
    const struct or_side *from = &comparison->sides[side];
    const struct or_trail *trail = &from->trail;
    const uint64_t kept = trail->count < OR_TRAIL_BEFORE + 1 ? trail->count : OR_TRAIL_BEFORE + 1;

    testimony->stops = rt_arena_array(&comparison->report->arena, LENGTH, sizeof *testimony->stops);
    for (uint64_t i = trail->count - kept; testimony->stops && i < trail->count; i++)
        add_stop(comparison, &trail->recent[i % (OR_TRAIL_BEFORE + 1)], testimony);
    testimony->stop_at = testimony->stop_count - (from->point && testimony->stop_count > 0);
    if (from->point)
        testimony->stack_count = or_stack_places(comparison, side, &testimony->stack);
}
