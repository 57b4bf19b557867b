/* The oracle over traces: a run, its replay on another engine, and the replay of what that recorded, compared
 * event by event; then a run that is being recorded and its replay side by side, instruction by instruction.
 * Runs in a worker. */
#include "harness/engines.h"

#include "harness/process.h"
#include "harness/replay_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUANTUM = 50, /* milliseconds: how often a run is asked whether it may go on */
    /* Parts of the time limit. What takes the compiled engine so long takes the interpreter many times
     * longer, and being stepped longer still. */
    RUN_PART = 60,
    REPLAY_PART = 6,
    STEP_PART = 2,
};

/* One run or replay of the module. */
struct side {
    struct hx_guest guest;
    const struct rt_trace_memory *from; /* what is replayed; NULL: a run */
    bool follows;                       /* `from` is still being recorded */
    struct rt_trace_memory *to;         /* where it is recorded; NULL: it is not */
    unsigned round;                     /* see struct hx_replay_faults */
    struct rt_recorder *recorder;
    struct rt_replayer *replayer;
    struct hx_replay_output output;
    struct hx_replay_at at;
    struct rt_replay_result result;
    unsigned time_limit;         /* milliseconds; 0: it is stepped */
    bool is_late;                /* that was too short */
    struct rt_error *divergence; /* the replay is not the recorded run */
    bool is_failing;             /* stepped: an error is on its way through the guest */
};

/* ---- One side ---- */

/* Ends as the recorded run did. */
static struct rt_error *end_of(const struct side *side, int *ret_status) {
    const struct rt_replay_result *result = &side->result;
    struct rt_error *error = NULL;

    *ret_status = (int)result->status;
    if (result->outcome == RT_TRACE_TRAPPED || result->outcome == RT_TRACE_FAILED)
        error = rt_error_format(result->outcome == RT_TRACE_TRAPPED ? RT_TRAP : RT_OS, "%s",
                                rt_trace_trap_name(result->trap));
    if (error && error->code == RT_TRAP)
        error->trap = (int)result->trap;
    return error;
}

static struct rt_error *run_replay(void *user, struct rt_instance *instance, int *ret_status) {
    struct side *side = user;

    (void)instance;
    struct rt_error *error = rt_replayer_run(side->replayer, &side->result);
    if (!error && side->guest.is_command)
        return end_of(side, ret_status);
    if (!error) /* as a host that calls exports, whatever becomes of the calls */
        return NULL;
    side->divergence = rt_error_format(error->code, "%s", error->message);
    return error;
}

static struct rt_error *start_recording(struct side *side) {
    static const struct rt_trace_writer_options fast = {.is_stored = true};
    const struct rt_recorder_module module = {side->guest.code, ""};
    const struct rt_recorder_options options = {
        .modules = &module, .module_count = 1, .engine = "lockstep", .writer = &fast};

    const struct hx_replay_faults *faults = side->guest.options->faults;
    struct rt_trace_sink sink = rt_trace_sink_memory(side->to);

    if (faults && faults->sink)
        faults->sink(faults->user, side->round, &sink);
    return rt_recorder_create(side->guest.store, sink, &options, &side->recorder);
}

static void note_event(void *user, struct rt_caller *caller, const char *import,
                       const struct rt_trace_event *event) {
    struct side *side = user;
    side->at.number = event->number;
    snprintf(side->at.import, sizeof side->at.import, "%s", import);
    hx_replay_output_event(&side->output, caller, import, event);
}

static struct rt_error *start_replay(struct side *side, struct st_session_options *session) {
    const struct rt_replayer_options options = {
        .codes = &side->guest.code, .code_count = 1, .at_event = note_event, .user = side};
    struct rt_trace_source source;
    struct rt_trace_reader *reader;

    side->output = hx_replay_output_make(hx_guest_keep_output, &side->guest);
    struct rt_error *error = NULL;
    if (side->follows)
        source = rt_trace_source_growing(side->from);
    else
        error = rt_trace_source_memory(side->from->bytes, side->from->size, &source);
    if (!error)
        error = rt_trace_reader_create(source, &reader);
    if (!error)
        error = rt_replayer_create(side->guest.store, reader, &options, &side->replayer);
    if (!error)
        error = rt_replayer_start(side->replayer);
    side->guest.instance = error ? NULL : rt_replayer_instance(side->replayer);
    if (!error && !side->guest.instance)
        error = rt_error_format(RT_MALFORMED, "the trace has no instance");
    session->run = run_replay;
    session->run_user = side;
    return error;
}

static struct rt_error *prepare(struct hx_guest *guest, struct st_session_options *session) {
    struct side *side = guest->prepare_user;
    session->quantum = side->time_limit ? QUANTUM : 0;
    struct rt_error *error = side->to ? start_recording(side) : NULL;

    return error || !side->from ? error : start_replay(side, session);
}

static struct rt_error *open_side(const struct rt_module *module, enum rt_engine engine,
                                  const struct st_debug *debug, const struct hx_engines *options,
                                  struct side *side) {
    side->guest.debug = debug;
    side->guest.is_recorded = !side->from;
    side->guest.prepare = prepare;
    side->guest.prepare_user = side;
    return hx_guest_open(module, engine, options, &side->guest);
}

static void close_side(struct side *side) {
    rt_recorder_destroy(side->recorder);
    rt_replayer_destroy(side->replayer);
    rt_error_destroy(side->divergence);
    hx_guest_close(&side->guest);
}

/* Runs to the end, or to the time limit, without a stop to look at. */
static struct rt_error *run_side(struct side *side) {
    const uint64_t deadline = hx_now() + side->time_limit;
    struct st_event event = {0};
    struct rt_error *error = NULL;

    while (!error && event.kind != ST_EXIT && !side->is_late) {
        error = st_session_next(side->guest.session, &event);
        side->is_late = event.kind == ST_INTERRUPT && hx_now() > deadline;
    }
    if (!error && side->divergence)
        return rt_error_format(side->divergence->code, "%s", side->divergence->message);
    return error || !side->recorder ? error : rt_recorder_finish(side->recorder);
}

/* ---- Comparing ---- */

/* Adds a finding. A stack that was exhausted at another place than in the recorded run is none. */
static struct rt_error *add_finding(const struct hx_engines *options, const char *what, const char *detail,
                                    struct hx_result *result) {
    if (strstr(detail, rt_trap_message(RT_TRAP_STACK_EXHAUSTED))) {
        result->verdict = HX_EXHAUSTED;
        return NULL;
    }
    const struct or_finding finding = {
        .signature = rt_arena_printf(&result->arena, "replay/%s", what),
        .detail = detail,
        .witnesses = {{.name = rt_engine_name(options->engines[0]), .value = "the recorded run"},
                      {.name = rt_engine_name(options->engines[1]), .value = "its replay"}}};
    result->verdict = HX_DIFFER;
    return finding.signature && hx_result_add(result, "trace", &finding) ? NULL : rt_error_out_of_memory();
}

static struct rt_error *open_trace(const struct rt_trace_memory *bytes, struct rt_trace_reader **ret) {
    struct rt_trace_source source;
    struct rt_error *error = rt_trace_source_memory(bytes->bytes, bytes->size, &source);
    return error ? error : rt_trace_reader_create(source, ret);
}

static bool is_exhaustion(const struct rt_trace_event *event) {
    return event->kind == RT_TRACE_GUEST_TRAP && event->guest_trap.trap == RT_TRAP_STACK_EXHAUSTED;
}

/* RT_DIVERGED at the first event in which two traces differ. */
static struct rt_error *compare_traces(const struct rt_trace_memory *a, const struct rt_trace_memory *b,
                                       uint64_t *ret_events) {
    struct rt_trace_reader *readers[2] = {NULL, NULL};
    const struct rt_trace_event *x = NULL, *y = NULL;
    struct rt_error *error = open_trace(a, &readers[0]);

    if (!error)
        error = open_trace(b, &readers[1]);
    for (*ret_events = 0; !error; ++*ret_events) {
        error = rt_trace_reader_next(readers[0], &x);
        if (!error)
            error = rt_trace_reader_next(readers[1], &y);
        if (error || (!x && !y))
            break;
        if (!x || !y)
            error = rt_error_format(RT_DIVERGED, "event %llu: only one of the traces has it",
                                    (unsigned long long)*ret_events);
        else if (!rt_trace_event_equal(x, y) && !(is_exhaustion(x) && is_exhaustion(y)))
            error = rt_error_context(rt_trace_difference(NULL, x, y), "event %llu",
                                     (unsigned long long)*ret_events);
    }
    rt_trace_reader_destroy(readers[0]);
    rt_trace_reader_destroy(readers[1]);
    return error;
}

static struct rt_error *compare_streams(const struct hx_guest *a, const struct hx_guest *b) {
    for (int i = 0; i < 2; i++)
        if (a->streams[i].size != b->streams[i].size ||
            (a->streams[i].size && memcmp(a->streams[i].bytes, b->streams[i].bytes, a->streams[i].size) != 0))
            return rt_error_format(RT_DIVERGED, "what the replay printed is not what the run printed");
    return NULL;
}

/* ---- Event by event ---- */

enum { ROUNDS = 3 };

/* The run, its replay and the replay of that, each recorded into a trace; compared with the one before. One
 * that does not end in time is recorded as far as it came, and has no further rounds. */
static struct rt_error *play_rounds(const struct rt_module *module, const struct hx_engines *options,
                                    struct side sides[ROUNDS], struct rt_trace_memory traces[ROUNDS],
                                    unsigned time_limit, struct hx_result *result) {
    struct rt_error *error = NULL;

    for (int i = 0; i < ROUNDS && !error && !result->is_limited; i++) {
        sides[i].time_limit = time_limit / (i ? REPLAY_PART : RUN_PART);
        sides[i].to = &traces[i];
        sides[i].round = (unsigned)i;
        sides[i].from = i ? &traces[i - 1] : NULL;
        error = open_side(module, options->engines[i % 2], NULL, options, &sides[i]);
        if (!error)
            error = run_side(&sides[i]);
        if (!error)
            result->is_limited = sides[i].is_late;
        if (!error && i && !result->is_limited)
            error = compare_traces(&traces[i - 1], &traces[i], &result->events);
        if (!error && i && !result->is_limited)
            error = compare_streams(&sides[0].guest, &sides[i].guest);
    }
    return error;
}

/* ---- Side by side ---- */

/* What the recording side has recorded up to its event is there before the replay goes on to that event. */
static struct rt_error *hand_over(void *user, uint32_t side, uint64_t step, const struct st_event *event) {
    struct side *sides = user;
    const struct hx_replay_faults *faults = sides[0].guest.options->faults;

    (void)step;
    sides[side].is_failing = event->kind == ST_HOST_RETURN && event->error;
    if (side == 1 && faults && faults->at_event)
        faults->at_event(faults->user, &sides[1].guest, event);
    if (side == 1)
        return NULL;
    return event->kind == ST_EXIT ? rt_recorder_finish(sides[0].recorder)
                                  : rt_recorder_flush(sides[0].recorder);
}

static uint64_t number_reference(void *user, uint32_t side, enum rt_type type, const void *reference) {
    const struct side *sides = user;
    const uint64_t number = side == 0 ? rt_recorder_reference(sides[0].recorder, type, reference)
                                      : rt_replayer_reference(sides[1].replayer, type, reference);
    return number & INT64_MAX;
}

/* Lets an error come to the end of its way: with the guest's stack it would be lost. */
static struct rt_error *unwind(struct side *side) {
    struct st_event event = {.kind = ST_HOST_RETURN};
    struct rt_error *error = NULL;

    while (!error && side->is_failing && event.kind != ST_EXIT)
        error = st_session_next(side->guest.session, &event);
    return error;
}

/* A run that is being recorded, and a replay that follows it one stop behind. */
static struct rt_error *step(const struct rt_module *module, const struct hx_engines *options,
                             unsigned time_limit, struct or_progress *progress, struct hx_result *result) {
    struct rt_trace_memory trace = {.bytes = NULL};
    struct side sides[2] = {{.to = &trace, .round = HX_REPLAY_STEPPED}, {.from = &trace, .follows = true}};
    struct st_debug *debug = NULL;

    rt_error_destroy(st_debug_open_wasm(module, &debug)); /* for names alone */
    struct rt_error *error = open_side(module, options->engines[0], debug, options, &sides[0]);
    if (!error)
        error = rt_recorder_flush(sides[0].recorder); /* the replay makes the instance when it is opened */
    if (!error)
        error = open_side(module, options->engines[1], debug, options, &sides[1]);
    if (!error) {
        struct hx_guest *const guests[2] = {&sides[0].guest, &sides[1].guest};
        const struct or_engines_options compare = {.max_steps = options->max_steps,
                                                   .max_time = time_limit,
                                                   .progress = progress,
                                                   .subject = "replay",
                                                   .at_event = hand_over,
                                                   .reference = number_reference,
                                                   .user = sides};
        error = hx_engines_compare(options, guests, &compare, result);
    }
    for (int i = 0; i < 2 && !error; i++)
        error = unwind(&sides[i]);
    for (int i = 0; i < 2; i++)
        close_side(&sides[i]);
    st_debug_close(debug);
    free(trace.bytes);
    return error;
}

/* ---- One at a time, for traces that were changed ---- */

struct rt_error *hx_replay_record(const struct hx_engines *options, const struct rt_module *module,
                                  unsigned time_limit, struct rt_trace_memory *ret) {
    struct side side = {.to = ret, .time_limit = time_limit};

    *ret = (struct rt_trace_memory){.bytes = NULL};
    struct rt_error *error = open_side(module, options->engines[0], NULL, options, &side);
    if (!error)
        error = run_side(&side);
    if (!error && side.is_late)
        error = rt_error_format(RT_USAGE, "it does not end in time");
    close_side(&side);
    return error;
}

static bool is_about_trace(const struct rt_error *error) {
    return error && (error->code == RT_DIVERGED || error->code == RT_MALFORMED);
}

struct rt_error *hx_replay_play(const struct hx_engines *options, const struct rt_module *module,
                                enum rt_engine engine, const struct rt_trace_memory *trace,
                                unsigned time_limit, struct rt_error **ret_wrong) {
    struct side side = {.from = trace, .time_limit = time_limit};

    *ret_wrong = NULL;
    struct rt_error *error = open_side(module, engine, NULL, options, &side);
    if (!error)
        error = run_side(&side);
    if (!error && side.is_late)
        error = rt_error_format(RT_DIVERGED, "event %llu: the guest comes to no other",
                                (unsigned long long)side.at.number);
    close_side(&side);
    if (!is_about_trace(error))
        return error;
    *ret_wrong = error;
    return NULL;
}

static struct rt_error *note_failing(void *user, uint32_t side, uint64_t step, const struct st_event *event) {
    struct side *sides = user;

    (void)step;
    sides[side].is_failing = event->kind == ST_HOST_RETURN && event->error;
    return NULL;
}

static uint64_t number_replayed(void *user, uint32_t side, enum rt_type type, const void *reference) {
    const struct side *sides = user;

    return rt_replayer_reference(sides[side].replayer, type, reference) & INT64_MAX;
}

struct rt_error *hx_replay_beside(const struct hx_engines *options, const struct rt_module *module,
                                  const struct rt_trace_memory *const traces[2], unsigned time_limit,
                                  struct hx_result *result, struct hx_replay_at *ret_at) {
    struct side sides[2] = {{.from = traces[0]}, {.from = traces[1]}};
    struct or_progress progress = {.running = 2};
    struct hx_guest *const guests[2] = {&sides[0].guest, &sides[1].guest};
    const struct or_engines_options compare = {.max_steps = options->max_steps,
                                               .max_time = time_limit,
                                               .progress = &progress,
                                               .subject = "replay",
                                               .at_event = note_failing,
                                               .reference = number_replayed,
                                               .user = sides};
    struct rt_error *error = NULL;

    for (int i = 0; i < 2 && !error; i++)
        error = open_side(module, options->engines[i], NULL, options, &sides[i]);
    if (!error)
        error = hx_engines_compare(options, guests, &compare, result);
    for (int i = 0; i < 2 && !error; i++)
        error = unwind(&sides[i]);
    *ret_at = sides[1].at;
    for (int i = 0; i < 2; i++)
        close_side(&sides[i]);
    return error;
}

/* ---- The whole ---- */

struct rt_error *hx_replays_check(const struct hx_engines *options, const char *path, unsigned time_limit,
                                  struct or_progress *progress, struct hx_result *result) {
    struct rt_trace_memory traces[ROUNDS] = {{.bytes = NULL}};
    struct side sides[ROUNDS] = {{.from = NULL}};
    struct rt_module *module = NULL;

    progress->running = 2;
    struct rt_error *error = rt_module_open(path, &module);
    if (!error)
        error = hx_engines_name(options, result);
    if (!error) {
        result->verdict = HX_AGREE;
        error = play_rounds(module, options, sides, traces, time_limit, result);
    }
    for (int i = 0; i < ROUNDS; i++)
        close_side(&sides[i]);
    const bool was_late = result->is_limited;
    if (!error)
        error = step(module, options, time_limit / STEP_PART, progress, result);
    if (!error && was_late && !result->is_limited) {
        result->is_limited = true;
        result->reason = "without its steps it was too slow to be replayed";
    }
    if (error && error->code == RT_DIVERGED) {
        const char *detail = rt_arena_printf(&result->arena, "%s", error->message);
        rt_error_destroy(error);
        error = detail ? add_finding(options, "trace", detail, result) : rt_error_out_of_memory();
    }
    for (int i = 0; i < ROUNDS; i++)
        free(traces[i].bytes);
    rt_module_destroy(module);
    return error ? rt_error_context(error, "%s", path) : NULL;
}
