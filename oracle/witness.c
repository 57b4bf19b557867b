/* Drives one witness from stop to stop: keeps its stack of live frames, so that consecutive hits of one line
 * in one frame count once, and gives locals a known content before their first assignment. */
#include "oracle/compare.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t or_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void or_side_clear(struct or_side *side) {
    free(side->frames);
    free(side->probes);
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

/* Writes the fill byte over every automatic variable of the function, in all its scopes. */
static void fill_scope(struct or_side *side, const struct st_scope *scope) {
    for (size_t i = 0; i < scope->variable_count; i++) {
        const struct st_variable *variable = &scope->variables[i];
        if (variable->is_parameter || variable->is_static || variable->is_artificial || !variable->type)
            continue;
        struct st_place place;
        st_locate(side->session, side->frame, variable, &place);
        if (place.kind != ST_PLACE_MEMORY)
            continue;
        void *bytes = st_session_writable(side->session, place.address, variable->type->size);
        if (bytes)
            memset(bytes, OR_FILL_BYTE, variable->type->size);
    }
    for (size_t i = 0; i < scope->child_count; i++)
        if (scope->children[i].kind == ST_SCOPE_BLOCK)
            fill_scope(side, &scope->children[i]);
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

static bool deadline_passed(const struct or_comparison *comparison) {
    return comparison->deadline && or_now() > comparison->deadline;
}

struct rt_error *or_side_advance(struct or_comparison *comparison, struct or_side *side) {
    struct or_progress *progress = comparison->options.progress;
    int index = (int)(side - comparison->sides);
    if (progress)
        progress->running = (uint32_t)index;
    struct rt_error *error = NULL;
    while (!side->has_ended) {
        struct st_event event;
        if ((error = st_session_next(side->session, &event)))
            return error;
        if (event.kind == ST_EXIT) {
            note_end(comparison, side, &event);
            break;
        }
        if (event.kind == ST_TRAP && !side->error)
            side->error =
                rt_arena_printf(&comparison->report->arena, "%s", event.name ? event.name : "a trap");
        if (event.kind != ST_STEP) {
            if (event.kind == ST_INTERRUPT && deadline_passed(comparison)) {
                side->is_late = true;
                break;
            }
            continue;
        }
        const struct or_point *point = &side->points[event.cookie];
        if ((error = st_session_frame(side->session, &side->frame)) ||
            (error = track_frames(side, point, side->frame->cfa)))
            return error;
        struct or_live_frame *frame = &side->frames[side->depth - 1];
        if (point->is_body && !frame->is_filled) {
            frame->is_filled = true;
            if (side->fill_locals)
                fill_scope(side, &point->function->scope);
        }
        if (point->key != OR_NO_KEY && is_new_stop(frame, point)) {
            side->point = point;
            if (progress)
                progress->pc[index] = point->pc;
            break;
        }
    }
    if (progress)
        progress->running = 2;
    return NULL;
}

struct rt_error *or_side_finish(struct or_comparison *comparison, struct or_side *side) {
    if (side->has_ended || side->is_late)
        return NULL;
    struct rt_error *error = st_session_set_probes(side->session, NULL, 0);
    return error ? error : or_side_advance(comparison, side);
}
