/* Drives one witness from stop to stop: keeps its stack of live frames, so that consecutive hits of one line
 * in one frame count once. */
#include "oracle/compare.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PATIENCE = 10,        /* times as long may a side run when the other has ended */
    CLOCK_INTERVAL = 256, /* events between two looks at the clock */
    ENTRIES_A_VISIT =
        5,         /* a function is entered this many times as often as a statement is compared, at most */
    TIRING = 2000, /* hits of exhausted anchors after which their probes are taken away */
};

uint64_t or_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void or_side_clear(struct or_side *side) {
    free(side->frames);
    free(side->probes);
    free(side->fillings);
    side->fillings = NULL;
    side->frames = NULL;
    side->probes = NULL;
}

static struct rt_error *push_frame(struct or_side *side, uint64_t cfa, const struct st_function *function) {
    if (side->depth == side->capacity) {
        size_t capacity = side->capacity ? 2 * side->capacity : 64;
        void *frames = realloc(side->frames, capacity * sizeof(*side->frames));
        if (!frames)
            return rt_error_out_of_memory();
        side->frames = frames;
        side->capacity = capacity;
    }
    struct or_live_frame *frame = &side->frames[side->depth++];
    *frame = (struct or_live_frame){.cfa = cfa, .function = function, .serial = ++side->serial};
    memset(frame->last, 0xff, sizeof(frame->last));
    return NULL;
}

/* Brings the stack of live frames up to a hit at `point` with this CFA. Stacks grow down: a frame whose CFA
 * is below an outer one's present CFA has been left. */
static struct rt_error *track_frames(struct or_side *side, const struct or_point *point, uint64_t cfa) {
    while (side->depth) {
        const struct or_live_frame *top = &side->frames[side->depth - 1];
        if (top->cfa > cfa || (top->cfa == cfa && !point->is_entry && top->function == point->function))
            break;
        side->depth--;
    }
    if (side->depth && side->frames[side->depth - 1].cfa == cfa)
        return NULL;
    return push_frame(side, cfa, point->function);
}

/* True when this hit is a stop of its own, not one more hit of the line that its frame stopped at last. */
static bool is_new_stop(struct or_live_frame *frame, const struct or_point *point) {
    bool is_new = frame->last[point->inline_depth] != point->key;
    frame->last[point->inline_depth] = point->key;
    for (unsigned i = point->inline_depth + 1u; i < OR_MAX_INLINE; i++)
        frame->last[i] = OR_NO_KEY;
    return is_new;
}

static void note_end(struct or_comparison *comparison, struct or_side *side, const struct st_event *event) {
    side->has_ended = true;
    side->status = event->status;
    side->point = NULL;
    if (event->error)
        side->error = rt_arena_printf(&comparison->report->arena, "%s", event->error->message);
}

/* True when the run is over its time, or the side has run for too long without anything to compare. */
static bool is_over_time(const struct or_comparison *comparison, const struct or_side *side) {
    const struct or_side *other = &comparison->sides[side == &comparison->sides[0]];
    uint64_t now = or_now(), idle = comparison->options.max_idle * UINT64_C(1000000);
    if (other->has_ended)
        idle *= PATIENCE;
    return (comparison->deadline && now > comparison->deadline) || (idle && now - side->started > idle);
}

struct rt_error *or_side_set_probes(struct or_comparison *comparison, struct or_side *side) {
    size_t count = comparison->match.point_count[side - comparison->sides];
    if (!side->probes && !(side->probes = calloc(count + 1, sizeof(*side->probes))))
        return rt_error_out_of_memory();
    side->probe_count = 0;
    side->idle_hits = 0;
    for (size_t i = 0; i < count; i++) {
        const struct or_point *point = &side->points[i];
        const struct or_key *keys = comparison->match.keys;
        bool is_wanted = point->key != OR_NO_KEY && !keys[point->key].is_exhausted;
        if (!keys[point->group].is_exhausted && (is_wanted || point->is_entry || point->is_body))
            side->probes[side->probe_count++] =
                (struct st_probe){.pc = point->pc, .cookie = (uint32_t)i, .kind = ST_STEP};
    }
    return st_session_set_probes(side->session, side->probes, side->probe_count);
}

/* Counts an entry of a function. After many, with nothing new in sight, the function is passed over
 * altogether: from the next compared stop on, so that both sides leave it out from the same point. */
static void count_entry(struct or_comparison *comparison, const struct or_side *side, uint32_t group) {
    uint64_t limit = comparison->options.max_visits * ENTRIES_A_VISIT;
    size_t room = sizeof(comparison->tired) / sizeof(comparison->tired[0]);
    if (limit && side == &comparison->sides[0] && ++comparison->match.keys[group].visits >= limit &&
        comparison->tired_count < room)
        comparison->tired[comparison->tired_count++] = group;
}

/* What a hit of a probe means. Sets *ret_is_stop when it is a stop to compare. */
static struct rt_error *take_hit(struct or_comparison *comparison, struct or_side *side,
                                 const struct or_point *point, bool *ret_is_stop) {
    const struct or_key *keys = comparison->match.keys;
    bool is_exhausted = point->key != OR_NO_KEY && keys[point->key].is_exhausted;
    bool is_frames = point->is_entry || point->is_body; /* it tells of frames too */
    if (keys[point->group].is_exhausted || (is_exhausted && !is_frames)) {
        comparison->report->public.repeats++;
        side->idle_hits++;
        return NULL;
    }
    struct rt_error *error = st_session_frame(side->session, &side->frame);
    if (error || (error = track_frames(side, point, side->frame->cfa)))
        return error;
    if (point->is_entry)
        count_entry(comparison, side, point->group);
    struct or_live_frame *frame = &side->frames[side->depth - 1];
    if (point->is_body && !frame->is_filled) {
        frame->is_filled = true;
        if (side->fill_locals && (error = or_fill_locals(comparison, side, point->function)))
            return error;
    }
    *ret_is_stop = point->key != OR_NO_KEY && !is_exhausted && is_new_stop(frame, point);
    return NULL;
}

struct rt_error *or_side_advance(struct or_comparison *comparison, struct or_side *side) {
    struct or_progress *progress = comparison->options.progress;
    int index = (int)(side - comparison->sides);
    if (progress)
        progress->running = (uint32_t)index;
    if (comparison->options.at_turn)
        comparison->options.at_turn(comparison->options.user, index);
    struct rt_error *error = NULL;
    bool is_stop = false;
    side->started = or_now();
    for (uint32_t events = 1; !side->has_ended && !side->is_late && !is_stop && !error; events++) {
        struct st_event event;
        if ((error = st_session_next(side->session, &event)))
            break;
        if (event.kind == ST_EXIT)
            note_end(comparison, side, &event);
        else if (event.kind == ST_TRAP && !side->error)
            side->error =
                rt_arena_printf(&comparison->report->arena, "%s", event.name ? event.name : "a trap");
        else if (event.kind == ST_STEP) {
            side->points[event.cookie].hits++;
            error = take_hit(comparison, side, side->point = &side->points[event.cookie], &is_stop);
        }
        if (!is_stop && (event.kind == ST_INTERRUPT || events % CLOCK_INTERVAL == 0))
            side->is_late = !side->has_ended && is_over_time(comparison, side);
        if (!error && side->idle_hits > TIRING && !comparison->is_child)
            error = or_side_set_probes(comparison, side);
    }
    if (progress) {
        progress->pc[index] = is_stop ? side->point->pc : progress->pc[index];
        progress->running = 2;
    }
    if (is_stop)
        or_trail_note(comparison, side);
    else
        side->point = NULL;
    return error;
}

struct rt_error *or_side_finish(struct or_comparison *comparison, struct or_side *side) {
    if (side->has_ended || side->is_late)
        return NULL;
    struct rt_error *error = st_session_set_probes(side->session, NULL, 0);
    return error ? error : or_side_advance(comparison, side);
}
