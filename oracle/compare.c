/* The comparison itself: both witnesses from anchor to anchor, and at each what their debuggers would show.
 */
#include "oracle/compare.h"

#include <stdlib.h>
#include <string.h>

/* Counts statement lines and anchors of the functions that both sides have. */
static void count_lines(struct or_comparison *comparison) {
    struct or_report *report = &comparison->report->public;
    const struct or_match *match = &comparison->match;
    for (size_t i = 0; i < match->key_count; i++) {
        if (!match->keys[i].line)
            continue;
        report->lines[0] += match->keys[i].in[0];
        report->lines[1] += match->keys[i].in[1];
        report->anchors += match->keys[i].in[0] && match->keys[i].in[1];
    }
}

/* Depths are the call stacks' matter: or_compare_stacks looks at them. */
static bool at_same_place(const struct or_comparison *comparison) {
    const struct or_side *sides = comparison->sides;
    if (sides[0].has_ended || sides[1].has_ended)
        return sides[0].has_ended && sides[1].has_ended;
    return sides[0].point->key == sides[1].point->key;
}

static bool is_late(const struct or_comparison *comparison) {
    return comparison->sides[0].is_late || comparison->sides[1].is_late;
}

/* Both stand at an anchor, but not at the same one (or one has ended). */
static struct rt_error *differ_in_location(struct or_comparison *comparison) {
    struct or_side *sides = comparison->sides;
    struct or_report *report = &comparison->report->public;
    const char *words[2] = {or_stop_words(comparison, 0), or_stop_words(comparison, 1)};
    struct or_finding *finding = or_report_add(comparison, OR_LOCATION, NULL, "", "the next stops differ");
    if (finding)
        for (int i = 0; i < 2; i++) {
            finding->witnesses[i].value = words[i];
            if (sides[i].has_ended)
                finding->witnesses[i].state = "exited";
        }
    uint32_t skipped[2] = {0, 0};
    bool has_ended = sides[0].has_ended || sides[1].has_ended;
    struct rt_error *error = NULL;
    for (int i = 0; i < 2 && has_ended && !error; i++)
        error = or_side_finish(comparison, &sides[i]);
    if (!has_ended)
        error = or_align(comparison, skipped);
    if (error)
        return error;
    if (finding) {
        const char *shape = has_ended                   ? "one-ended"
                            : skipped[0] && !skipped[1] ? "only-first"
                            : skipped[1] && !skipped[0] ? "only-second"
                                                        : "both";
        finding->signature = rt_arena_printf(&comparison->report->arena, "location/%s", shape);
        finding->detail = rt_arena_printf(&comparison->report->arena,
                                          "the next common stop comes after %u more of %s and %u more of %s",
                                          skipped[0], sides[0].name, skipped[1], sides[1].name);
        for (int i = 0; i < 2; i++)
            finding->witnesses[i].skipped = skipped[i];
    }
    report->skipped[0] += skipped[0];
    report->skipped[1] += skipped[1];
    return NULL;
}

static struct rt_error *compare_stop(struct or_comparison *comparison) {
    struct rt_error *error = or_compare_stacks(comparison);
    if (error || (error = or_compare_scopes(comparison)))
        return error;
    if (!comparison->watch.is_ready && (error = or_watch_build(comparison)))
        return error;
    if ((error = or_compare_watched(comparison)))
        return error;
    struct or_report *report = &comparison->report->public;
    report->stops++;
    struct or_key *key = &comparison->match.keys[comparison->sides[0].point->key];
    if (++key->visits == comparison->options.max_visits)
        key->is_exhausted = true;
    /* Both sides stand at one place now, and stop counting from here on alike. */
    while (comparison->tired_count)
        comparison->match.keys[comparison->tired[--comparison->tired_count]].is_exhausted = true;
    if (comparison->scratch.used)
        rt_arena_clear(&comparison->scratch);
    struct or_progress *progress = comparison->options.progress;
    if (progress) {
        progress->stops = report->stops;
        progress->values = report->values;
        progress->unchanged = report->unchanged;
    }
    return NULL;
}

/* True when it is time to go on without looking. */
static bool limits_reached(struct or_comparison *comparison) {
    const struct or_options *options = &comparison->options;
    struct or_report *report = &comparison->report->public;
    uint64_t seen = report->stops + report->skipped[0] + report->skipped[1];
    if (options->max_stops && seen >= options->max_stops)
        report->out_of_stops = true;
    return report->out_of_stops ||
           (seen % 64 == 0 && comparison->deadline && or_now() > comparison->deadline);
}

static struct rt_error *run(struct or_comparison *comparison) {
    struct or_side *sides = comparison->sides;
    struct rt_error *error = NULL;
    bool is_done = false;
    while (!error && !is_done) {
        for (int i = 0; i < 2 && !error; i++)
            error = or_side_advance(comparison, &sides[i]);
        while (!error && !is_late(comparison) && !at_same_place(comparison) && !limits_reached(comparison))
            error = differ_in_location(comparison);
        is_done = error || is_late(comparison) || sides[0].has_ended || limits_reached(comparison);
        if (!is_done)
            error = compare_stop(comparison);
    }
    for (int i = 0; i < 2 && !error; i++)
        error = or_side_finish(comparison, &sides[i]);
    return error;
}

/* The anchors' keys for whoever asks later where this comparison has been. */
static struct rt_error *list_places(struct or_comparison *comparison) {
    struct or_report *report = &comparison->report->public;
    const struct or_match *match = &comparison->match;
    struct or_place *places = rt_arena_array(&comparison->report->arena, match->key_count, sizeof(*places));
    if (!places)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < match->key_count; i++) {
        const struct or_key *key = &match->keys[i];
        if (key->line)
            places[report->place_count++] =
                (struct or_place){key->function, key->file, key->line, {key->in[0], key->in[1]}, key->visits};
    }
    report->places = places;
    return NULL;
}

static void conclude(struct or_comparison *comparison) {
    struct or_report *report = &comparison->report->public;
    or_report_deferred(comparison);
    for (int i = 0; i < 2; i++) {
        report->ended[i] = comparison->sides[i].has_ended;
        report->status[i] = comparison->sides[i].status;
        report->error[i] = comparison->sides[i].error;
    }
    report->verdict = report->finding_count                  ? OR_DIFFER
                      : report->ended[0] && report->ended[1] ? OR_AGREE
                                                             : OR_TIMEOUT;
}

struct rt_error *or_compare(const struct or_witness witnesses[2], const struct or_options *options,
                            struct or_report **ret) {
    struct or_full_report *report = calloc(1, sizeof(*report));
    if (!report)
        return rt_error_out_of_memory();
    rt_arena_init(&report->arena, 0);
    struct or_comparison *comparison = calloc(1, sizeof(*comparison));
    struct rt_error *error = comparison ? NULL : rt_error_out_of_memory();
    if (error)
        goto out;
    comparison->options = *options;
    comparison->report = report;
    comparison->deadline = options->max_time ? or_now() + options->max_time * UINT64_C(1000000) : 0;
    rt_arena_init(&comparison->scratch, 0);
    const struct st_debug *debug[2];
    comparison->match.is_one_module = options->is_one_module;
    for (int i = 0; i < 2; i++) {
        debug[i] = st_session_debug(witnesses[i].session);
        comparison->match.sessions[i] = witnesses[i].session;
        comparison->sides[i] = (struct or_side){.name = witnesses[i].name,
                                                .session = witnesses[i].session,
                                                .debug = debug[i],
                                                .address_size = st_session_address_size(witnesses[i].session),
                                                .pointer_base = st_session_pointer_base(witnesses[i].session),
                                                .fill_locals = or_fills_locals(options)};
    }
    if ((error = or_match_build(&comparison->match, debug, options, &report->arena)))
        goto out;
    count_lines(comparison);
    or_report_lone_rows(comparison);
    if (!report->public.anchors)
        error = rt_error_format(RT_USAGE,
                                "the two programs have no statement in common: no function and line of %s is "
                                "in %s's line table; are they built from the same source with -g?",
                                witnesses[0].name, witnesses[1].name);
    for (int i = 0; i < 2 && !error; i++) {
        comparison->sides[i].points = comparison->match.points[i];
        error = or_side_set_probes(comparison, &comparison->sides[i]);
    }
    if (!error)
        error = run(comparison);
    if (!error && !(error = list_places(comparison)))
        conclude(comparison);
out:
    if (comparison) {
        for (size_t i = 0; i < comparison->pair_capacity; i++) {
            free(comparison->pairs[i].copies);
            free(comparison->pairs[i].shadow);
        }
        free(comparison->pairs);
        or_side_clear(&comparison->sides[0]);
        or_side_clear(&comparison->sides[1]);
        rt_arena_clear(&comparison->scratch);
        free(comparison);
    }
    if (error) {
        or_report_destroy(&report->public);
        return error;
    }
    *ret = &report->public;
    return NULL;
}
