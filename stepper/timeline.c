/* Timelines: the stops of a replay, numbered, and running to them. */
#include "stepper/timeline.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_INTERVAL = 1000, DEFAULT_BUDGET = 256 << 20, NEAR_PART = 32 };

/* ---- Running ---- */

bool st_timeline_meets(struct st_timeline *timeline, const struct st_event *event,
                       struct rt_registers *registers) {
    const struct st_condition *condition = &timeline->condition;
    struct rt_activation activation;
    if (condition->kind == ST_NEVER) {
        return false;
    }
    if (timeline->points[event->cookie].is_breakpoint) {
        return true;
    }
    /* Both engines' frames lie the lower the further in. */
    return condition->kind == ST_AT_FRAME &&
           rt_activation_first(timeline->session->store, registers, &activation) &&
           (condition->is_other ? activation.frame > condition->frame : activation.frame >= condition->frame);
}

static void meet(struct st_timeline *timeline) {
    timeline->is_met = true;
    timeline->met = timeline->reached;
}

/* On the debuggee's stack. */
static bool pass(void *user, const struct st_event *event, struct rt_registers *registers) {
    struct st_timeline *timeline = user;
    const struct st_point *point = &timeline->points[event->cookie];
    if (point->is_statement) {
        timeline->reached++;
        if (!timeline->is_scanning || timeline->reached < timeline->until) {
            if (st_timeline_meets(timeline, event, registers)) {
                meet(timeline);
                if (!timeline->is_scanning) {
                    return false;
                }
            }
        }
        if (timeline->reached >= timeline->until || timeline->is_interrupted ||
            (timeline->is_met && !timeline->is_scanning)) {
            return false; /* it is there, or behind a write that was watched for */
        }
    }
    if (point->is_store) {
        st_timeline_note_store(timeline, point, registers);
    }
    return true;
}

/* To the next stop that the filter does not pass, a trap, or the end. */
static struct rt_error *go_on(struct st_timeline *timeline) {
    struct rt_error *error = st_session_next(timeline->session, &timeline->event);
    if (error != NULL) {
        return error;
    }
    if (timeline->event.kind == ST_TRAP) {
        timeline->reached++;
        if (timeline->condition.kind != ST_NEVER &&
            (!timeline->is_scanning || timeline->reached < timeline->until)) {
            meet(timeline);
        }
    } else if (timeline->event.kind == ST_EXIT) {
        timeline->reached++;
        timeline->has_ended = true;
        timeline->end = timeline->reached;
    }
    if (timeline->reached > timeline->furthest) {
        timeline->furthest = timeline->reached;
    }
    return NULL;
}

struct rt_error *st_timeline_forward(struct st_timeline *timeline, uint64_t until) {
    struct rt_error *error = NULL;
    while (error == NULL && !timeline->has_ended && timeline->reached < until &&
           (timeline->is_scanning || !timeline->is_met)) {
        if (timeline->watched_size > 0 && !timeline->is_scanning) {
            st_timeline_look_here(timeline);
            if (timeline->is_met) {
                return NULL;
            }
        }
        uint64_t due = st_timeline_due(timeline), started = st_timeline_now();
        timeline->until = timeline->is_scanning || until < due ? until : due;
        error = go_on(timeline);
        if (error == NULL && timeline->is_interrupted) {
            timeline->is_interrupted = false;
            error = rt_error_format(RT_USAGE, "interrupted");
        }
        timeline->running += st_timeline_now() - started;
        if (error == NULL && !timeline->is_scanning && timeline->reached == due) {
            error = st_timeline_keep(timeline);
        }
    }
    return error;
}

/* Who has gone back one stop is likely to go back another: a checkpoint a little before it makes that cheap.
 */
static struct rt_error *keep_near(struct st_timeline *timeline, uint64_t reached) {
    uint64_t near = timeline->interval / NEAR_PART;
    if (near == 0 || reached < timeline->reached + 2 * near) {
        return NULL;
    }
    struct rt_error *error = st_timeline_forward(timeline, reached - near);
    return error != NULL ? error : st_timeline_keep(timeline);
}

struct rt_error *st_timeline_reach(struct st_timeline *timeline, uint64_t reached) {
    struct rt_error *error = NULL;
    size_t index = st_timeline_before(timeline, reached);
    bool is_behind = reached < timeline->reached;
    timeline->condition.kind = ST_NEVER;
    timeline->is_met = false;
    if (is_behind || (!timeline->has_ended && timeline->kept[index].reached > timeline->reached)) {
        error = st_timeline_restore(timeline, index);
    }
    if (error == NULL && is_behind) {
        error = keep_near(timeline, reached);
    }
    return error != NULL ? error : st_timeline_forward(timeline, reached);
}

/* ---- Public ---- */

struct rt_error *st_timeline_goto(struct st_timeline *timeline, uint64_t number) {
    return st_timeline_reach(timeline, number < UINT64_MAX ? number + 1 : number);
}

struct rt_error *st_timeline_condition(struct st_timeline *timeline, enum st_until until,
                                       struct st_condition *ret) {
    const struct st_frame *frame;
    *ret = (struct st_condition){.kind = ST_AT_BREAKPOINT};
    if (until == ST_UNTIL_BREAKPOINT || timeline->has_ended) {
        return NULL;
    }
    struct rt_error *error = st_session_frame(timeline->session, &frame);
    if (error == NULL) {
        *ret = (struct st_condition){
            .kind = ST_AT_FRAME, .frame = frame->activation.frame, .is_other = until == ST_UNTIL_CALLER};
    }
    return error;
}

struct rt_error *st_timeline_run(struct st_timeline *timeline, enum st_until until) {
    struct rt_error *error = st_timeline_condition(timeline, until, &timeline->condition);
    timeline->is_met = false;
    return error != NULL ? error : st_timeline_forward(timeline, UINT64_MAX);
}

void st_timeline_interrupt(struct st_timeline *timeline) {
    timeline->is_interrupted = true;
}

const struct st_event *st_timeline_event(const struct st_timeline *timeline) {
    return &timeline->event;
}

uint64_t st_timeline_position(const struct st_timeline *timeline) {
    return timeline->reached - 1;
}

uint64_t st_timeline_furthest(const struct st_timeline *timeline) {
    return timeline->furthest - 1;
}

bool st_timeline_end(const struct st_timeline *timeline, uint64_t *ret) {
    *ret = timeline->end - 1;
    return timeline->end != 0;
}

struct st_timeline_cost st_timeline_cost(const struct st_timeline *timeline) {
    struct rt_history_cost cost = rt_history_cost(timeline->history);
    return (struct st_timeline_cost){.checkpoints = timeline->kept_count,
                                     .bytes = cost.bytes,
                                     .taken = timeline->taken,
                                     .pages_copied = cost.pages_copied,
                                     .nanoseconds = timeline->spent};
}

/* ---- Where it looks ---- */

struct rt_error *st_timeline_set_probes(struct st_timeline *timeline) {
    size_t count = 0;
    for (size_t i = 0; i < timeline->point_count; i++) {
        const struct st_point *point = &timeline->points[i];
        if (point->is_statement || (point->is_store && timeline->wants_stores)) {
            timeline->probes[count++] =
                (struct st_probe){.pc = point->pc, .cookie = (uint32_t)i, .kind = ST_STEP};
        }
    }
    struct rt_error *error = st_session_set_probes(timeline->session, timeline->probes, count);
    timeline->has_stores = timeline->wants_stores && error == NULL;
    return error;
}

/* The first of the points from a pc on. */
static size_t find_point(const struct st_timeline *timeline, uint64_t pc) {
    size_t low = 0, high = timeline->point_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (timeline->points[middle].pc < pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A function's first row is of its local declarations: the statement is its first instruction. */
static uint64_t statement_pc(const struct rt_module *module, uint64_t pc) {
    uint32_t function, start, code, end;
    bool is_before = pc <= UINT32_MAX && rt_module_function_at(module, (uint32_t)pc, &function) &&
                     rt_module_function_range(module, function, &start, &code, &end) && pc < code;
    return is_before ? code : pc;
}

/* Whether there is any. */
static bool find_statements(struct st_timeline *timeline, const struct rt_module *module) {
    size_t count;
    bool found = false;
    const struct st_row *rows = st_debug_rows(timeline->session->debug, &count);
    for (size_t i = 0; i < count; i++) {
        uint64_t pc = statement_pc(module, rows[i].pc);
        size_t at = find_point(timeline, pc);
        if (rows[i].is_stmt && !rows[i].end_sequence && at < timeline->point_count &&
            timeline->points[at].pc == pc) {
            timeline->points[at].is_statement = true;
            found = true;
        }
    }
    return found;
}

/* The module's stores; and the first that is no site, though it can run. */
static void find_stores(struct st_timeline *timeline, const struct rt_module *module) {
    struct rt_instruction instruction;
    uint32_t start, code, end;
    timeline->missing_store = UINT32_MAX;
    for (uint32_t i = rt_module_imported_function_count(module); i < rt_module_function_count(module); i++) {
        if (!rt_module_function_range(module, i, &start, &code, &end)) {
            continue;
        }
        for (uint32_t pc = code; pc < end && rt_module_instruction(module, pc, &instruction);
             pc += instruction.size) {
            size_t at = find_point(timeline, pc);
            bool is_site = at < timeline->point_count && timeline->points[at].pc == pc;
            if (instruction.changes == RT_CHANGES_MEMORY && is_site) {
                timeline->points[at].is_store = true;
                timeline->points[at].store = instruction;
            } else if (instruction.changes == RT_CHANGES_MEMORY && timeline->missing_store == UINT32_MAX &&
                       rt_code_machine(timeline->session->code, pc) != 0) {
                timeline->missing_store = pc;
            }
        }
    }
}

static struct rt_error *find_points(struct st_timeline *timeline) {
    const struct st_session *session = timeline->session;
    const struct rt_module *module = rt_code_module(session->code);
    const struct rt_site *sites = rt_code_sites(session->code, &timeline->point_count);
    timeline->points = calloc(timeline->point_count + 1, sizeof(*timeline->points));
    timeline->probes = calloc(timeline->point_count + 1, sizeof(*timeline->probes));
    if (timeline->points == NULL || timeline->probes == NULL) {
        return rt_error_out_of_memory();
    }
    for (size_t i = 0; i < timeline->point_count; i++) {
        timeline->points[i] = (struct st_point){.pc = sites[i].pc};
    }
    bool has_statements = session->debug != NULL && find_statements(timeline, module);
    for (size_t i = 0; i < timeline->point_count && !has_statements; i++) {
        timeline->points[i].is_statement = true;
    }
    find_stores(timeline, module);
    return NULL;
}

struct rt_error *st_timeline_set_breakpoints(struct st_timeline *timeline, const uint64_t *pcs, size_t count,
                                             size_t *ret_count) {
    const struct rt_module *module = rt_code_module(timeline->session->code);
    size_t found = 0;
    for (size_t i = 0; i < timeline->point_count; i++) {
        timeline->points[i].is_breakpoint = false;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t pc = statement_pc(module, pcs[i]);
        size_t at = find_point(timeline, pc);
        if (at < timeline->point_count && timeline->points[at].pc == pc &&
            timeline->points[at].is_statement) {
            found += !timeline->points[at].is_breakpoint;
            timeline->points[at].is_breakpoint = true;
        }
    }
    if (ret_count != NULL) {
        *ret_count = found;
    }
    return NULL;
}

/* ---- Making ---- */

static struct rt_error *set_up(struct st_timeline *timeline, const struct st_timeline_options *options) {
    timeline->area_count = options->area_count + 1;
    timeline->areas = calloc(timeline->area_count, sizeof(*timeline->areas));
    if (timeline->areas == NULL) {
        return rt_error_out_of_memory();
    }
    if (options->area_count > 0) {
        memcpy(timeline->areas + 1, options->areas, options->area_count * sizeof(*options->areas));
    }
    struct rt_error *error = find_points(timeline);
    if (error == NULL) {
        error = rt_history_create(timeline->session->store, &timeline->history);
    }
    if (error == NULL) {
        error = st_timeline_set_probes(timeline);
    }
    if (error == NULL) {
        error = st_timeline_keep(timeline);
    }
    return error != NULL ? error : st_timeline_forward(timeline, 1);
}

struct rt_error *st_timeline_create(struct st_session *session, const struct st_timeline_options *options,
                                    struct st_timeline **ret) {
    if (!session->is_wasm || session->state != ST_STATE_READY || session->options.host_calls ||
        session->options.quantum != 0) {
        return rt_error_format(RT_USAGE,
                               "making a timeline: it takes a Wasm session that has not run, without "
                               "host calls and quantum");
    }
    struct st_timeline *timeline = calloc(1, sizeof(*timeline));
    if (timeline == NULL) {
        return rt_error_out_of_memory();
    }
    timeline->session = session;
    timeline->replayer = options->replayer;
    timeline->interval = options->interval > 0 ? options->interval : DEFAULT_INTERVAL;
    timeline->budget = options->budget > 0 ? options->budget : (size_t)DEFAULT_BUDGET;
    session->pass = pass;
    session->pass_user = timeline;
    struct rt_error *error = set_up(timeline, options);
    if (error != NULL) {
        st_timeline_destroy(timeline);
    } else {
        *ret = timeline;
    }
    return error;
}

void st_timeline_destroy(struct st_timeline *timeline) {
    if (timeline == NULL) {
        return;
    }
    timeline->session->pass = NULL;
    rt_replayer_watch(timeline->replayer, NULL, NULL);
    st_timeline_drop_all(timeline);
    rt_history_destroy(timeline->history);
    free(timeline->kept);
    free(timeline->areas);
    free(timeline->points);
    free(timeline->probes);
    free(timeline);
}
