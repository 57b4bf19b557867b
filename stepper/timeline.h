/* A timeline, as its files see it (private to stepper/).
 *
 * timeline.c makes it and runs forwards, timeline_keep.c has the checkpoints, timeline_back.c searches
 * backwards. Every probe asks `st_timeline_pass`, on the debuggee's stack: a stop that does not matter costs
 * no switch. */
#ifndef LOCKSTEP_STEPPER_TIMELINE_H
#define LOCKSTEP_STEPPER_TIMELINE_H

#include "runtime/trace/trace.h"
#include "stepper/session.h"

/* A site of the code. The timeline looks at statements and stores. */
struct st_point {
    uint32_t pc;
    bool is_statement, is_breakpoint;
    bool is_store; /* then `store` is its instruction */
    struct rt_instruction store;
};

/* Where one can go back to. `reached` stops had been reached: 0 is before the first. */
struct st_kept {
    uint64_t reached;
    struct rt_checkpoint *checkpoint;
    struct rt_replay_mark *replay;
    struct st_session_mark session;
};

/* When a run ends, beside at its limit. */
struct st_condition {
    enum { ST_NEVER, ST_AT_BREAKPOINT, ST_AT_FRAME } kind;
    uintptr_t frame; /* ST_AT_FRAME: an activation whose frame is here or further out */
    bool is_other;   /* but not this one itself */
};

struct st_timeline {
    struct st_session *session;
    struct rt_replayer *replayer;
    struct rt_history *history;
    struct rt_area *areas; /* the session's stack first */
    size_t area_count;
    uint64_t interval;
    size_t budget;

    struct st_point *points; /* ascending by pc; a probe's cookie is its index */
    size_t point_count;
    struct st_probe *probes; /* as many */
    bool has_stores;         /* the stores' probes are set, too */
    bool wants_stores;       /* so they shall be from the next restoring on */
    uint32_t missing_store;  /* pc of a store that is no site; UINT32_MAX: none */

    struct st_kept *kept; /* ascending; the first has reached 0 */
    size_t kept_count, kept_room;

    /* Where it is. */
    uint64_t reached; /* stops so far, the present one counted */
    uint64_t furthest;
    bool has_ended;
    uint64_t end; /* `reached` there; 0: not known yet */
    struct st_event event;

    volatile sig_atomic_t is_interrupted;

    /* What the run that is under way is for. */
    uint64_t until; /* `reached` */
    struct st_condition condition;
    bool is_scanning; /* what meets the condition is noted, and not stopped at */
    bool is_met;
    uint64_t met; /* `reached`, of the last that met it */
    uint64_t watched, watched_size;
    struct st_write write;
    struct rt_error *failure; /* of a search, on its way out of the debuggee */

    uint64_t taken, spent; /* checkpoints, ever; nanoseconds for them */
    uint64_t recent_count, taking,
        running; /* since the interval changed: checkpoints; for them, and for all else */
};

/* timeline.c */

/* Runs until `until` stops have been reached, the condition is met or the end is there; takes checkpoints on
 * the way, unless it scans. */
RT_MUST_USE struct rt_error *st_timeline_forward(struct st_timeline *timeline, uint64_t until);
/* Whether the statement at which it stands or which it reaches meets the condition. */
bool st_timeline_meets(struct st_timeline *timeline, const struct st_event *event,
                       struct rt_registers *registers);
/* Goes to where so many stops have been reached, from the nearest checkpoint or from here. */
RT_MUST_USE struct rt_error *st_timeline_reach(struct st_timeline *timeline, uint64_t reached);
/* The condition for st_timeline_run. */
RT_MUST_USE struct rt_error *st_timeline_condition(struct st_timeline *timeline, enum st_until until,
                                                   struct st_condition *ret);
/* Sets the probes of statements, and of stores where they are wanted. The session is stopped. */
RT_MUST_USE struct rt_error *st_timeline_set_probes(struct st_timeline *timeline);

/* timeline_keep.c */

/* Takes a checkpoint here, unless there is one, or the stop is none at a statement. */
RT_MUST_USE struct rt_error *st_timeline_keep(struct st_timeline *timeline);
/* `reached` where the next one is due. */
uint64_t st_timeline_due(const struct st_timeline *timeline);
/* Index of the last checkpoint at or before. */
size_t st_timeline_before(const struct st_timeline *timeline, uint64_t reached);
RT_MUST_USE struct rt_error *st_timeline_restore(struct st_timeline *timeline, size_t index);
void st_timeline_drop_all(struct st_timeline *timeline);
uint64_t st_timeline_now(void); /* nanoseconds */

/* timeline_back.c */

/* Notes what is looked for at the present stop itself, whose probe is passed already. */
void st_timeline_look_here(struct st_timeline *timeline);

/* A store is about to be executed: notes it when it is watched for. */
void st_timeline_note_store(struct st_timeline *timeline, const struct st_point *point,
                            struct rt_registers *registers);

#endif
