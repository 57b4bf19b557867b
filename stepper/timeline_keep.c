/* The checkpoints of a timeline: taking them, going back to one, and which to give up when they are too many.
 */
#include "stepper/timeline.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_KEPT = 256, FEW_TAKEN = 16 };

uint64_t st_timeline_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

size_t st_timeline_before(const struct st_timeline *timeline, uint64_t reached) {
    size_t low = 0, high = timeline->kept_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (timeline->kept[middle].reached <= reached) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- Giving up ---- */

static void clear(struct st_kept *kept) {
    rt_checkpoint_destroy(kept->checkpoint);
    rt_replay_mark_destroy(kept->replay);
}

static void drop(struct st_timeline *timeline, size_t index) {
    clear(&timeline->kept[index]);
    timeline->kept_count--;
    memmove(&timeline->kept[index], &timeline->kept[index + 1],
            (timeline->kept_count - index) * sizeof(*timeline->kept));
}

void st_timeline_drop_all(struct st_timeline *timeline) {
    while (timeline->kept_count > 0) {
        drop(timeline, timeline->kept_count - 1);
    }
}

/* The one that is missed least: the gap that it leaves is small beside its distance from here. What is left
 * is dense around the present stop, and exponentially sparser away from it. Neither the first nor the present
 * one. */
static size_t least_missed(const struct st_timeline *timeline) {
    size_t found = 0;
    double least = 0;
    for (size_t i = 1; i < timeline->kept_count; i++) {
        const struct st_kept *kept = &timeline->kept[i];
        bool is_last = i + 1 == timeline->kept_count;
        uint64_t next = is_last ? kept->reached + timeline->interval : kept[1].reached;
        uint64_t distance = kept->reached > timeline->reached ? kept->reached - timeline->reached
                                                              : timeline->reached - kept->reached;
        if (distance == 0) {
            continue;
        }
        double missed = (double)(next - kept[-1].reached) / (double)distance;
        if (found == 0 || missed < least) {
            found = i;
            least = missed;
        }
    }
    return found;
}

static void thin_out(struct st_timeline *timeline) {
    while (timeline->kept_count > MOST_KEPT || rt_history_cost(timeline->history).bytes > timeline->budget) {
        size_t index = least_missed(timeline);
        if (index == 0) {
            return;
        }
        drop(timeline, index);
    }
}

/* ---- Taking ---- */

uint64_t st_timeline_due(const struct st_timeline *timeline) {
    return (timeline->reached / timeline->interval + 1) * timeline->interval;
}

static struct rt_error *take(struct st_timeline *timeline, struct st_kept *ret) {
    struct st_kept kept = {.reached = timeline->reached};
    kept.session = st_session_mark(timeline->session, &timeline->areas[0]);
    struct rt_error *error = rt_replay_mark_take(timeline->replayer, &kept.replay);
    if (error == NULL) {
        error =
            rt_checkpoint_take(timeline->history, timeline->areas, timeline->area_count, &kept.checkpoint);
    }
    if (error != NULL) {
        clear(&kept);
    } else {
        *ret = kept;
    }
    return error;
}

/* Counts the cost. Checkpoints that cost more than the way to them are worth half as many. */
static void settle(struct st_timeline *timeline, uint64_t nanoseconds) {
    timeline->taken++;
    timeline->spent += nanoseconds;
    if (timeline->reached == 0) { /* the first copies everything */
        return;
    }
    timeline->recent_count++;
    timeline->taking += nanoseconds;
    if (timeline->recent_count >= FEW_TAKEN && timeline->taking > timeline->running &&
        timeline->interval < UINT64_C(1) << 40) {
        timeline->interval *= 2;
        timeline->recent_count = timeline->taking = timeline->running = 0;
    }
}

struct rt_error *st_timeline_keep(struct st_timeline *timeline) {
    size_t before = timeline->kept_count > 0 ? st_timeline_before(timeline, timeline->reached) : 0;
    bool is_there = timeline->kept_count > 0 && timeline->kept[before].reached == timeline->reached;
    bool can_be = timeline->reached == 0 || timeline->event.kind == ST_STEP;
    if (is_there || !can_be) {
        return NULL;
    }
    if (timeline->kept_count == timeline->kept_room) {
        size_t room = timeline->kept_room > 0 ? 2 * timeline->kept_room : 64;
        struct st_kept *grown = realloc(timeline->kept, room * sizeof(*grown));
        if (grown == NULL) {
            return rt_error_out_of_memory();
        }
        timeline->kept = grown;
        timeline->kept_room = room;
    }
    uint64_t started = st_timeline_now();
    struct st_kept kept;
    struct rt_error *error = take(timeline, &kept);
    if (error != NULL) {
        return error;
    }
    size_t at = timeline->kept_count > 0 ? before + 1 : 0;
    memmove(&timeline->kept[at + 1], &timeline->kept[at],
            (timeline->kept_count - at) * sizeof(*timeline->kept));
    timeline->kept[at] = kept;
    timeline->kept_count++;
    settle(timeline, st_timeline_now() - started);
    thin_out(timeline);
    return NULL;
}

/* ---- Going back ---- */

struct rt_error *st_timeline_restore(struct st_timeline *timeline, size_t index) {
    const struct st_kept *kept = &timeline->kept[index];
    struct rt_error *error = rt_checkpoint_restore(kept->checkpoint);
    if (error == NULL) {
        error = rt_replay_mark_restore(kept->replay, timeline->replayer);
    }
    if (error != NULL) {
        return error;
    }
    st_session_return(timeline->session, &kept->session);
    timeline->reached = kept->reached;
    timeline->event = kept->session.event;
    timeline->has_ended = false;
    return timeline->has_stores != timeline->wants_stores ? st_timeline_set_probes(timeline) : NULL;
}
