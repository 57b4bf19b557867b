/* Searching a timeline backwards: the stretches between checkpoints are run through once more, the latest
 * first, until one holds what is looked for. */
#include "stepper/timeline.h"

static void note(struct st_timeline *timeline, const struct st_write *write) {
    bool overlaps = write->size > 0 && write->address < timeline->watched + timeline->watched_size &&
                    timeline->watched < write->address + write->size;
    if (overlaps && timeline->reached > 0) {
        timeline->write = *write;
        timeline->is_met = true;
        timeline->met = timeline->reached;
    }
}

/* ---- Stores of the guest ---- */

/* An operand by its place from the top, as a number. */
static struct rt_error *read_operand(const struct rt_activation *activation, unsigned from_top,
                                     uint64_t *ret) {
    enum rt_type type;
    union rt_value value;
    uint32_t count;
    struct rt_error *error = rt_activation_operand_count(activation, &count);
    if (error == NULL) {
        error = rt_activation_operand(activation, count - from_top, &type, &value);
    }
    if (error == NULL) {
        *ret = value.i32;
    }
    return error;
}

static struct rt_error *read_store(const struct st_point *point, const struct rt_activation *activation,
                                   struct st_write *ret) {
    const struct rt_instruction *store = &point->store;
    *ret = (struct st_write){.pc = point->pc, .size = store->count};
    struct rt_error *error = read_operand(activation, store->start_operand, &ret->address);
    ret->address += store->offset;
    if (error == NULL && store->count_operand != 0) {
        error = read_operand(activation, store->count_operand, &ret->size);
    }
    return error;
}

void st_timeline_note_store(struct st_timeline *timeline, const struct st_point *point,
                            struct rt_registers *registers) {
    struct rt_memory *memory = rt_instance_memory(timeline->session->instance, 0);
    struct rt_activation activation;
    struct st_write write;
    if (timeline->watched_size == 0 || timeline->failure != NULL ||
        !rt_activation_first(timeline->session->store, registers, &activation) ||
        rt_instance_memory(activation.instance, 0) != memory) {
        return;
    }
    timeline->failure = read_store(point, &activation, &write);
    if (timeline->failure == NULL && write.address + write.size <= rt_memory_size(memory)) { /* else a trap */
        note(timeline, &write);
    }
}

/* ---- Writes of the host ---- */

static void note_host(void *user, const struct rt_memory *memory, uint64_t address, size_t size) {
    struct st_timeline *timeline = user;
    struct rt_activation activation;
    if (memory == rt_instance_memory(timeline->session->instance, 0)) {
        bool is_known = rt_activation_first(timeline->session->store, NULL, &activation);
        note(timeline,
             &(struct st_write){
                 .pc = is_known ? activation.pc : 0, .is_host = true, .address = address, .size = size});
    }
}

/* ---- Stretches ---- */

void st_timeline_look_here(struct st_timeline *timeline) {
    const struct st_session *session = timeline->session;
    if (timeline->reached == 0 || timeline->event.kind != ST_STEP) {
        return;
    }
    struct rt_registers *registers = session->saved != NULL ? &session->saved->registers : NULL;
    const struct st_point *point = &timeline->points[timeline->event.cookie];
    if (st_timeline_meets(timeline, &timeline->event, registers)) {
        timeline->is_met = true;
        timeline->met = timeline->reached;
    }
    if (point->is_store) {
        st_timeline_note_store(timeline, point, registers);
    }
}

/* What went wrong on the debuggee's stack. */
static struct rt_error *take_failure(struct st_timeline *timeline, struct rt_error *error) {
    struct rt_error *failure = timeline->failure;
    if (failure == NULL) {
        return error;
    }
    rt_error_destroy(error);
    timeline->failure = NULL;
    return failure;
}

/* Runs through the stretch from a checkpoint until `end` stops have been reached, noting the last of what is
 * looked for. */
static struct rt_error *scan(struct st_timeline *timeline, size_t index, uint64_t end) {
    struct rt_error *error = st_timeline_restore(timeline, index);
    if (error != NULL) {
        return error;
    }
    timeline->is_met = false;
    timeline->is_scanning = true;
    timeline->until = end;
    st_timeline_look_here(timeline);
    error = st_timeline_forward(timeline, end);
    timeline->is_scanning = false;
    return take_failure(timeline, error);
}

/* From the present stop backwards, through all of the past until it is found. */
static struct rt_error *search(struct st_timeline *timeline) {
    uint64_t end = timeline->reached;
    size_t index = st_timeline_before(timeline, end - 1);
    struct rt_error *error = scan(timeline, index, end);
    while (error == NULL && !timeline->is_met && index > 0) {
        end = timeline->kept[index].reached;
        error = scan(timeline, --index, end);
    }
    return error;
}

/* Back from where a search ended. */
static struct rt_error *settle(struct st_timeline *timeline, uint64_t reached) {
    struct rt_error *error = st_timeline_restore(timeline, st_timeline_before(timeline, reached));
    return error != NULL ? error : st_timeline_reach(timeline, reached);
}

/* ---- Public ---- */

struct rt_error *st_timeline_run_back(struct st_timeline *timeline, enum st_until until, bool *ret_found) {
    *ret_found = true;
    if (timeline->has_ended && until != ST_UNTIL_BREAKPOINT && timeline->reached > 1) { /* it has no frame */
        return st_timeline_reach(timeline, timeline->reached - 1);
    }
    struct rt_error *error = st_timeline_condition(timeline, until, &timeline->condition);
    if (error == NULL) {
        error = search(timeline);
    }
    *ret_found = timeline->is_met;
    return error != NULL ? error : settle(timeline, timeline->is_met ? timeline->met : 1);
}

static struct rt_error *watch(struct st_timeline *timeline, uint64_t address, uint64_t size) {
    if (timeline->missing_store != UINT32_MAX) {
        return rt_error_format(RT_USAGE,
                               "searching for a write: the store at Wasm pc 0x%x is no site of the code",
                               timeline->missing_store);
    }
    timeline->condition.kind = ST_NEVER;
    timeline->is_met = false;
    timeline->watched = address;
    timeline->watched_size = size;
    timeline->wants_stores = true;
    rt_replayer_watch(timeline->replayer, note_host, timeline);
    return NULL;
}

static void unwatch(struct st_timeline *timeline, struct st_write *ret, bool *ret_found) {
    rt_replayer_watch(timeline->replayer, NULL, NULL);
    timeline->watched_size = 0;
    timeline->wants_stores = false;
    *ret_found = timeline->is_met;
    *ret = timeline->write;
}

struct rt_error *st_timeline_last_write(struct st_timeline *timeline, uint64_t address, uint64_t size,
                                        struct st_write *ret, bool *ret_found) {
    const uint64_t origin = timeline->reached;
    struct rt_error *error = watch(timeline, address, size);
    if (error != NULL) {
        return error;
    }
    error = search(timeline);
    unwatch(timeline, ret, ret_found);
    return error != NULL ? error : settle(timeline, *ret_found ? timeline->met : origin);
}

struct rt_error *st_timeline_next_write(struct st_timeline *timeline, uint64_t address, uint64_t size,
                                        struct st_write *ret, bool *ret_found) {
    struct rt_error *error = st_timeline_reach(timeline, timeline->reached + 1);
    *ret_found = false;
    if (error != NULL || timeline->has_ended) {
        return error;
    }
    error = watch(timeline, address, size);
    if (error != NULL) {
        return error;
    }
    error = st_timeline_set_probes(timeline);
    if (error == NULL) {
        error = take_failure(timeline, st_timeline_forward(timeline, UINT64_MAX));
    }
    unwatch(timeline, ret, ret_found);
    return error != NULL || !*ret_found ? error : settle(timeline, timeline->met);
}
