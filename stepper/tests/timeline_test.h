/* A recorded run for the tests of timelines: a guest that changes everything that a guest can change, and a
 * host that does so as well, calls it again, and makes another guest on the way. Every instruction is a stop.
 */
#ifndef LOCKSTEP_STEPPER_TESTS_TIMELINE_TEST_H
#define LOCKSTEP_STEPPER_TESTS_TIMELINE_TEST_H

#include "runtime/trace/trace.h"
#include "stepper/tests/session_test.h"

enum { GUEST, NEIGHBOUR, MODULES };
enum { ROUNDS = 24, EXITS = 101 };

/* The engine of the test that runs. */
static enum rt_engine tested_engine;

static uint64_t random_below(uint64_t *state, uint64_t bound) {
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (*state >> 33) % bound;
}

/* ---- The host ---- */

struct host {
    struct rt_code *neighbour_code;
    struct rt_instance *guest, *neighbour;
};

static struct rt_extern export_of(struct rt_instance *instance, const char *name) {
    struct rt_extern found;
    assert_true(rt_instance_export(instance, name, &found));
    return found;
}

static struct rt_error *call_export(struct rt_instance *instance, const char *name, uint32_t argument,
                                    uint32_t *ret) {
    union rt_value result = {.i64 = 0};
    struct rt_error *error =
        rt_func_call(export_of(instance, name).func, &(union rt_value){.i32 = argument}, &result);
    *ret = result.i32;
    return error;
}

static struct rt_error *serve(void *user, struct rt_caller *caller, const union rt_value *args,
                              union rt_value *results) {
    struct host *host = user;
    const uint32_t n = args[0].i32;
    uint32_t result = 0, old;
    uint64_t pages;
    if (n == EXITS) {
        struct rt_error *error = rt_error_format(RT_EXIT, "exit");
        error->exit_status = 5;
        return error;
    }
    assert_true(rt_guest_write(caller, 128 + 8 * (n % 16), &n, sizeof(n)));
    if (n % 5 == 2) {
        rt_error_destroy(rt_memory_grow(rt_instance_memory(caller->instance, 0), 1, &pages));
        rt_error_destroy(rt_table_grow(export_of(caller->instance, "table").table, 1, NULL, &old));
        rt_global_set(export_of(caller->instance, "global").global, (union rt_value){.i32 = 1000 * n});
    }
    if (n % 5 == 3)
        check_fails(call_export(caller->instance, "divide", 0, &result), "divide by zero");
    if (n % 5 == 4)
        check(call_export(caller->instance, "recurse", n, &result));
    if (n == 7 || n == 15) { /* another guest; the second time, too */
        struct rt_extern imports[2] = {export_of(caller->instance, "recurse"),
                                       export_of(caller->instance, "memory")};
        check(rt_instance_create(caller->store, host->neighbour_code, imports, 2, &host->neighbour));
    }
    if (host->neighbour)
        check(call_export(host->neighbour, "count", 2, &result));
    results[0].i32 = result + 3 * n;
    return NULL;
}

static void play(struct rt_store *store, struct rt_code *const codes[MODULES], uint32_t deep) {
    static const uint8_t i32[] = {RT_I32};
    struct host host = {.neighbour_code = codes[NEIGHBOUR]};
    struct rt_extern import = {.kind = RT_EXTERN_FUNC};
    uint32_t result;
    check(rt_func_create(store, "env.f", (struct rt_func_type){1, 1, i32, i32}, serve, &host, &import.func));
    check(rt_instance_create(store, codes[GUEST], &import, 1, &host.guest));
    if (deep > 0) {
        rt_error_destroy(call_export(host.guest, "recurse", deep, &result));
    } else {
        check(call_export(host.guest, "run", ROUNDS, &result));
        check_fails(call_export(host.guest, "divide", 0, &result), "divide by zero");
    }
    struct rt_error *error = call_export(host.guest, "ask", EXITS, &result);
    assert_int_equal(error->code, RT_EXIT);
    rt_error_destroy(error);
}

/* ---- Recording, and a session over the replay ---- */

struct recording {
    struct rt_trace_memory bytes;
    struct rt_module *modules[MODULES];
};

static void make_codes(const struct recording *recording, enum rt_engine engine,
                       struct rt_code *ret[MODULES]) {
    const struct rt_compile_options options = {
        .engine = engine, .every_instruction = true, .canonical_nans = true};
    for (size_t i = 0; i < MODULES; i++)
        check(rt_code_create(recording->modules[i], &options, &ret[i]));
}

/* `deep`: recurse so deep alone. */
static struct recording record(uint32_t deep) {
    struct recording recording = {.modules = {NULL}};
    const struct rt_trace_writer_options writer = {.block_size = 300};
    struct rt_recorder_module modules[MODULES];
    struct rt_code *codes[MODULES];
    struct rt_recorder *recorder;
    struct rt_store *store;

    check(rt_module_open(STEPPER_TEST_IMAGES "/timeline.wasm", &recording.modules[GUEST]));
    check(rt_module_open(STEPPER_TEST_IMAGES "/timeline_neighbour.wasm", &recording.modules[NEIGHBOUR]));
    make_codes(&recording, tested_engine, codes);
    for (size_t i = 0; i < MODULES; i++)
        modules[i] = (struct rt_recorder_module){codes[i], "a module"};
    const struct rt_recorder_options options = {
        .modules = modules, .module_count = MODULES, .engine = "a test", .writer = &writer};
    check(rt_store_create(&store));
    check(rt_recorder_create(store, rt_trace_sink_memory(&recording.bytes), &options, &recorder));
    play(store, codes, deep);
    check(rt_recorder_finish(recorder));
    rt_recorder_destroy(recorder);
    rt_store_destroy(store);
    for (size_t i = 0; i < MODULES; i++)
        rt_code_destroy(codes[i]);
    return recording;
}

static void destroy_recording(struct recording *recording) {
    for (size_t i = 0; i < MODULES; i++)
        rt_module_destroy(recording->modules[i]);
    free(recording->bytes.bytes);
}

struct travel {
    struct rt_code *codes[MODULES];
    struct rt_store *store;
    struct rt_replayer *replayer;
    struct rt_instance *guest;
    struct st_session *session;
    struct st_timeline *timeline;
    struct rt_error *error; /* of the replay */
    struct told {           /* by at_event; part of the state */
        uint64_t events, sum, instances;
    } told;
    uint64_t writes; /* of the host since this was cleared; not part of it */
    uint64_t write_address, write_size;
};

static void at_event(void *user, struct rt_caller *caller, const char *import,
                     const struct rt_trace_event *event) {
    struct travel *travel = user;
    (void)caller, (void)import;
    travel->told.events++;
    travel->told.sum = travel->told.sum * 31 + event->number;
    travel->told.instances += event->kind == RT_TRACE_INSTANTIATE;
    if (event->kind == RT_TRACE_MEMORY_WRITE) {
        travel->writes++;
        travel->write_address = event->memory_write.address;
        travel->write_size = event->memory_write.bytes.size;
    }
}

static struct rt_error *run_replay(void *user, struct rt_instance *instance, int *ret_status) {
    struct travel *travel = user;
    struct rt_replay_result result = {.status = 0};
    (void)instance;
    rt_error_destroy(travel->error);
    travel->error = rt_replayer_run(travel->replayer, &result);
    *ret_status = (int)result.status;
    return NULL;
}

/* A session that has not run. */
static struct travel *open_session(const struct recording *recording, size_t stack_size) {
    struct travel *travel = calloc(1, sizeof(*travel));
    struct rt_trace_source source;
    struct rt_trace_reader *reader;
    const struct st_session_options options = {
        .stack_size = stack_size, .run = run_replay, .run_user = travel};

    assert_non_null(travel);
    make_codes(recording, tested_engine, travel->codes);
    const struct rt_replayer_options replayer = {
        .codes = travel->codes, .code_count = MODULES, .at_event = at_event, .user = travel};
    check(rt_store_create(&travel->store));
    check(rt_trace_source_memory(recording->bytes.bytes, recording->bytes.size, &source));
    check(rt_trace_reader_create(source, &reader));
    check(rt_replayer_create(travel->store, reader, &replayer, &travel->replayer));
    check(rt_replayer_start(travel->replayer));
    travel->guest = rt_replayer_instance(travel->replayer);
    check(st_session_create_wasm(travel->guest, NULL, &options, &travel->session));
    return travel;
}

static struct travel *open_timeline(const struct recording *recording, uint64_t interval, size_t budget,
                                    size_t stack_size) {
    struct travel *travel = open_session(recording, stack_size);
    const struct rt_area told = {&travel->told, sizeof(travel->told), 0, sizeof(travel->told)};
    const struct st_timeline_options options = {.replayer = travel->replayer,
                                                .areas = &told,
                                                .area_count = 1,
                                                .interval = interval,
                                                .budget = budget};
    check(st_timeline_create(travel->session, &options, &travel->timeline));
    return travel;
}

static void close_travel(struct travel *travel) {
    check(travel->error);
    st_timeline_destroy(travel->timeline);
    st_session_destroy(travel->session);
    rt_replayer_destroy(travel->replayer);
    rt_store_destroy(travel->store);
    for (size_t i = 0; i < MODULES; i++)
        rt_code_destroy(travel->codes[i]);
    free(travel);
}

/* ---- The state at a stop ---- */

static void mix(uint64_t *hash, uint64_t value) {
    *hash = (*hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    *hash ^= *hash >> 29;
}

/* Of a reference to a function of the guest's, what is the same in every run: its index, plus one. */
static uint64_t name_reference(const struct travel *travel, const void *reference) {
    const struct rt_func *func;
    for (uint32_t i = 0; reference && (func = rt_instance_func(travel->guest, i)); i++)
        if (func == reference)
            return i + 1;
    return reference ? UINT64_MAX : 0;
}

static void mix_frames(uint64_t *hash, const struct travel *travel) {
    const struct st_frame *frames;
    size_t count;
    check(st_session_frames(travel->session, &frames, &count));
    mix(hash, count);
    for (size_t i = 0; i < count; i++) {
        const struct rt_activation *activation = &frames[i].activation;
        const struct rt_module *module = rt_code_module(rt_instance_code(activation->instance));
        const uint32_t locals = rt_module_local_count(module, activation->function);
        uint32_t operands = 0;
        union rt_value value;
        enum rt_type type;
        mix(hash, frames[i].pc);
        mix(hash, activation->instance == travel->guest);
        for (uint32_t k = 0; k < locals; k++) {
            check(rt_activation_local(activation, k, &type, &value));
            mix(hash, type == RT_I32 ? value.i32 : value.i64);
        }
        check(rt_activation_operand_count(activation, &operands));
        for (uint32_t k = 0; k < operands; k++) {
            check(rt_activation_operand(activation, k, &type, &value));
            mix(hash, type == RT_I32       ? value.i32
                      : type == RT_FUNCREF ? name_reference(travel, value.ref)
                                           : value.i64);
        }
    }
}

static void mix_instance(uint64_t *hash, const struct travel *travel, struct rt_instance *instance) {
    const struct rt_global *global;
    const struct rt_table *table;
    for (uint32_t i = 0; (global = rt_instance_global(instance, i)); i++)
        mix(hash, rt_global_type(global) == RT_I32 ? rt_global_get(global).i32 : rt_global_get(global).i64);
    for (uint32_t i = 0; (table = rt_instance_table(instance, i)); i++) {
        mix(hash, rt_table_size(table));
        for (uint32_t k = 0; k < rt_table_size(table); k++)
            mix(hash, name_reference(travel, rt_table_get(table, k)));
    }
}

static void mix_memory(uint64_t *hash, const struct rt_memory *memory) {
    const uint8_t *base = rt_memory_base(memory);
    const size_t size = rt_memory_size(memory);
    uint64_t word, sum = size;
    for (size_t i = 0; i < size; i += sizeof(word)) {
        memcpy(&word, base + i, sizeof(word));
        sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    }
    mix(hash, sum);
}

/* All that can be seen there. Of the neighbours, the newest, once both have
 * been made. */
__attribute__((unused)) static uint64_t digest(struct travel *travel, const struct st_event *event) {
    uint64_t hash = 1;
    mix(&hash, event->kind);
    mix(&hash, event->pc);
    mix(&hash, travel->told.events);
    mix(&hash, travel->told.sum);
    if (event->kind != ST_EXIT)
        mix_frames(&hash, travel);
    mix_instance(&hash, travel, travel->guest);
    mix_memory(&hash, rt_instance_memory(travel->guest, 0));
    if (travel->told.instances == 2)
        mix_instance(&hash, travel, rt_replayer_instance(travel->replayer));
    return hash;
}

#endif
