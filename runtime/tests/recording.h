/* A run for the tests of recording and replaying: guests that call their host in every way, and a host that
 * changes, calls and ends them in every way. Recorded into memory, replayed on either engine, rewritten. */
#ifndef LOCKSTEP_RUNTIME_TESTS_RECORDING_H
#define LOCKSTEP_RUNTIME_TESTS_RECORDING_H

#include "runtime/tests/builder.h"
#include "runtime/trace/trace.h"

enum { MODULES = 3 }; /* the guest, one that imports from it, one whose data segment traps */

struct recording {
    struct rt_trace_memory bytes;
    struct rt_module *modules[MODULES];
};

/* ---- Modules ---- */

/* An import "env.name" of another kind than a function; `type` is its encoded type. */
static void build_other_import(struct builder *builder, const char *name, unsigned kind, const char *type,
                               size_t size) {
    struct bytes *bytes = add_to(builder, 2);
    put_name(bytes, "env");
    put_name(bytes, name);
    put_byte(bytes, kind);
    put(bytes, type, size);
}

static struct rt_module *build_guest(void) {
    struct builder builder = {0};
    const uint32_t f = build_import(&builder, "f", "i:i"), g = build_import(&builder, "g", "re:re");
    const uint32_t number = build_type(&builder, "i:i");
    build_other_import(&builder, "host_global", RT_EXTERN_GLOBAL, "\x7e\x01", 2);
    build_memory(&builder, 1, 3);
    build_table(&builder, 'r', 4, 8);
    build_global(&builder, 'i', true, 7);
    build_export(&builder, "memory", RT_EXTERN_MEMORY, 0);
    build_export(&builder, "table", RT_EXTERN_TABLE, 0);
    build_export(&builder, "global", RT_EXTERN_GLOBAL, 1);
    /* f of the argument, plus what is at address 4, the global, and the memory's pages. */
    BUILD_FUNCTION(&builder, "run", "i:i", "", RT_OP_LOCAL_GET, 0, RT_OP_CALL, (uint8_t)f, RT_OP_I32_CONST, 4,
                   RT_OP_I32_LOAD, 2, 0, RT_OP_I32_ADD, RT_OP_GLOBAL_GET, 1, RT_OP_I32_ADD, RT_OP_MEMORY_SIZE,
                   0, RT_OP_I32_ADD);
    BUILD_FUNCTION(&builder, "refs", "re:re", "", RT_OP_LOCAL_GET, 0, RT_OP_LOCAL_GET, 1, RT_OP_CALL,
                   (uint8_t)g);
    BUILD_FUNCTION(&builder, "indirect", "ii:i", "", RT_OP_LOCAL_GET, 0, RT_OP_LOCAL_GET, 1,
                   RT_OP_CALL_INDIRECT, (uint8_t)number, 0);
    BUILD_FUNCTION(&builder, "divide", "ii:i", "", RT_OP_LOCAL_GET, 0, RT_OP_LOCAL_GET, 1, RT_OP_I32_DIV_U);
    const uint32_t self = builder.functions;
    BUILD_FUNCTION(&builder, "recurse", "i:i", "", RT_OP_LOCAL_GET, 0, RT_OP_CALL, (uint8_t)self);
    BUILD_FUNCTION(&builder, "own", "e:re", "", RT_OP_REF_FUNC, (uint8_t)self, RT_OP_LOCAL_GET, 0, RT_OP_CALL,
                   (uint8_t)g);
    BUILD_FUNCTION(&builder, "give", ":r", "", RT_OP_REF_FUNC, (uint8_t)(self + 1));
    BUILD_FUNCTION(&builder, "numbers", "iIfFv:vFfIi", "", RT_OP_LOCAL_GET, 4, RT_OP_LOCAL_GET, 3,
                   RT_OP_LOCAL_GET, 2, RT_OP_LOCAL_GET, 1, RT_OP_LOCAL_GET, 0);
    const uint32_t elements[] = {builder.functions - 1};
    build_elements(&builder, 0, elements, 1);
    build_data(&builder, 0, "data");
    return build_module(&builder);
}

/* Imports what the guest exports. */
static struct rt_module *build_neighbour(void) {
    struct builder builder = {0};
    const uint32_t run = build_import(&builder, "run", "i:i");
    build_other_import(&builder, "memory", RT_EXTERN_MEMORY, "\x01\x01\x03", 3);
    build_other_import(&builder, "table", RT_EXTERN_TABLE, "\x70\x01\x04\x08", 4);
    build_other_import(&builder, "global", RT_EXTERN_GLOBAL, "\x7f\x01", 2);
    BUILD_FUNCTION(&builder, "twice", "i:i", "", RT_OP_LOCAL_GET, 0, RT_OP_CALL, (uint8_t)run,
                   RT_OP_LOCAL_GET, 0, RT_OP_CALL, (uint8_t)run, RT_OP_I32_ADD);
    return build_module(&builder);
}

static struct rt_module *build_trapping(void) {
    struct builder builder = {0};
    build_memory(&builder, 1, 1);
    build_data(&builder, 65535, "ends behind the memory");
    return build_module(&builder);
}

/* ---- The host ---- */

enum { /* arguments of f that it does not count down from */
       TRAPS = 100,
       EXITS,
       FAILS,
};

static struct rt_error *count(void *user, struct rt_caller *caller, const union rt_value *args,
                              union rt_value *results) {
    (void)user, (void)caller;
    results[0].i32 = args[0].i32 + 1;
    return NULL;
}

static struct rt_extern export_of(struct rt_instance *instance, const char *name) {
    struct rt_extern found;
    assert_true(rt_instance_export(instance, name, &found));
    return found;
}

/* Calls a function of the guest that has integers; the error is the caller's. */
static struct rt_error *call_guest(struct rt_instance *instance, const char *name, uint32_t a, uint32_t b,
                                   uint32_t *ret) {
    const union rt_value args[2] = {{.i32 = a}, {.i32 = b}};
    union rt_value result = {.i64 = 0};
    struct rt_error *error = rt_func_call(export_of(instance, name).func, args, &result);
    *ret = result.i32;
    return error;
}

/* Changes all that the guest has, and calls it again with one less. */
static struct rt_error *f(void *user, struct rt_caller *caller, const union rt_value *args,
                          union rt_value *results) {
    struct rt_table *table = export_of(caller->instance, "table").table;
    struct rt_global *global = export_of(caller->instance, "global").global;
    const uint32_t n = args[0].i32;
    uint32_t result;
    uint64_t pages;

    if (n == TRAPS) {
        struct rt_error *error = rt_error_format(RT_TRAP, "the host does not want that");
        error->trap = RT_TRAP_HOST;
        return error;
    }
    if (n == EXITS) {
        struct rt_error *error = rt_error_format(RT_EXIT, "exit");
        error->exit_status = 5;
        return error;
    }
    if (n == FAILS)
        return rt_error_format(RT_OS, "the host cannot");
    assert_true(rt_guest_write(caller, 4, &n, sizeof n));
    rt_global_set(global, (union rt_value){.i32 = n + 1});
    if (!n) {
        results[0].i32 = 1000;
        return NULL;
    }
    rt_error_destroy(rt_memory_grow(rt_instance_memory(caller->instance, 0), 1, &pages));
    uint32_t old;
    rt_error_destroy(rt_table_grow(table, 2, user, &old)); /* three times: then it is full */
    expect_good(rt_table_set(table, n % 4, n % 2 ? user : export_of(caller->instance, "divide").func));
    expect_trap_error(call_guest(caller->instance, "divide", 1, 0, &result), RT_TRAP_INTEGER_DIVIDE_BY_ZERO,
                      NULL);
    rt_error_destroy(call_guest(caller->instance, "run", EXITS, 0, &result));
    expect_good(call_guest(caller->instance, "run", n - 1, 0, &result));
    results[0].i32 = result;
    return NULL;
}

/* Gives references of its own. */
static struct rt_error *g(void *user, struct rt_caller *caller, const union rt_value *args,
                          union rt_value *results) {
    (void)caller;
    results[0].ref = args[0].ref ? NULL : user;
    results[1].ref = args[1].ref ? args[1].ref : user;
    return NULL;
}

/* All calls of the run, by the host. */
static void make_calls(struct rt_instance *guest, struct rt_instance *neighbour, struct rt_func *counts) {
    static const char *const strange = "a host reference";
    union rt_value args[5] = {{.ref = NULL}, {.ref = NULL}}, results[5];
    uint32_t result;

    expect_good(call_guest(guest, "run", 3, 0, &result));
    expect_good(call_guest(neighbour, "twice", 2, 0, &result));
    struct rt_func *refs = export_of(guest, "refs").func;
    expect_good(rt_func_call(refs, args, results));
    args[0].ref = results[0].ref;
    args[1].ref = (void *)(uintptr_t)strange;
    expect_good(rt_func_call(refs, args, results));
    /* Functions that the host sees for the first time as an argument and as a result. */
    expect_good(rt_func_call(export_of(guest, "own").func, &args[1], results));
    expect_good(rt_func_call(export_of(guest, "give").func, NULL, results));
    expect_good(rt_table_set(export_of(guest, "table").table, 1, counts));
    expect_good(call_guest(guest, "indirect", 41, 1, &result));
    assert_int_equal(result, 42);
    memset(args, 0xa5, sizeof args);
    expect_good(rt_func_call(export_of(guest, "numbers").func, args, results));
    expect_trap_error(call_guest(guest, "indirect", 41, 77, &result), RT_TRAP_UNDEFINED_ELEMENT, NULL);
    expect_trap_error(call_guest(guest, "recurse", 1, 0, &result), RT_TRAP_STACK_EXHAUSTED, NULL);
    struct rt_error *error = call_guest(guest, "run", FAILS, 0, &result);
    assert_int_equal(error->code, RT_OS);
    rt_error_destroy(error);
    error = call_guest(guest, "run", TRAPS, 0, &result);
    assert_int_equal(error->trap, RT_TRAP_HOST);
    rt_error_destroy(error);
    error = call_guest(neighbour, "twice", EXITS, 0, &result);
    assert_int_equal(error->exit_status, 5);
    rt_error_destroy(error);
}

/* Makes what the guests import, instantiates them, and runs all: what is recorded. */
static void play(struct rt_store *store, struct rt_code *const codes[MODULES]) {
    static const uint8_t i32[] = {RT_I32}, references[] = {RT_FUNCREF, RT_EXTERNREF};
    const struct rt_func_type number = {1, 1, i32, i32}, pair = {2, 2, references, references};
    struct rt_func *counts;
    struct rt_extern imports[4] = {
        {.kind = RT_EXTERN_FUNC}, {.kind = RT_EXTERN_FUNC}, {.kind = RT_EXTERN_GLOBAL}};
    struct rt_instance *guest, *neighbour, *other, *trapping = NULL;
    struct rt_memory *memory;
    struct rt_table *table;
    uint32_t result;

    expect_good(rt_func_create(store, "env.count", number, count, NULL, &counts));
    expect_good(rt_func_create(store, "env.f", number, f, counts, &imports[0].func));
    expect_good(rt_func_create(store, "env.g", pair, g, counts, &imports[1].func));
    expect_good(
        rt_global_create(store, RT_I64, true, (union rt_value){.i64 = 1ull << 40}, &imports[2].global));
    rt_global_set(imports[2].global, (union rt_value){.i64 = 3}); /* before a guest has it */
    expect_good(rt_instance_create(store, codes[0], imports, 3, &guest));
    rt_global_set(imports[2].global, (union rt_value){.i64 = 4});

    struct rt_extern exports[4] = {export_of(guest, "run"), export_of(guest, "memory"),
                                   export_of(guest, "table"), export_of(guest, "global")};
    expect_good(rt_instance_create(store, codes[1], exports, 4, &neighbour));

    /* One that has the host's memory and table, with contents from before. */
    expect_good(rt_memory_create(store, (struct rt_limits){2, 3}, &memory));
    assert_true(rt_memory_write(memory, 70000, "from before", 11));
    expect_good(rt_table_create(store, RT_FUNCREF, (struct rt_limits){5, 8}, &table));
    expect_good(rt_table_set(table, 3, counts));
    exports[1].memory = memory;
    exports[2].table = table;
    expect_good(rt_instance_create(store, codes[1], exports, 4, &other));
    assert_true(rt_memory_write(memory, 1, "from behind", 11));
    assert_false(rt_memory_write(memory, 131070, "out", 3));

    expect_trap_error(rt_instance_create(store, codes[2], NULL, 0, &trapping), RT_TRAP_MEMORY_OUT_OF_BOUNDS,
                      NULL);
    make_calls(guest, neighbour, counts);
    expect_good(call_guest(other, "twice", 1, 0, &result));
    struct rt_error *error = call_guest(guest, "run", EXITS, 0, &result);
    assert_int_equal(error->code, RT_EXIT);
    rt_error_destroy(error);
}

/* ---- Recording and replaying ---- */

struct codes {
    struct rt_code *codes[MODULES];
};

static struct codes make_codes(const struct recording *recording, enum rt_engine engine) {
    const struct rt_compile_options options = {.engine = engine, .canonical_nans = true};
    struct codes made;
    for (size_t i = 0; i < MODULES; i++)
        expect_good(rt_code_create(recording->modules[i], &options, &made.codes[i]));
    return made;
}

static void destroy_codes(struct codes *made) {
    for (size_t i = 0; i < MODULES; i++)
        rt_code_destroy(made->codes[i]);
}

MAYBE_UNUSED static struct rt_error *start_recorder(struct rt_store *store, const struct codes *made,
                                                    struct rt_trace_sink sink, struct rt_recorder **ret) {
    struct rt_recorder_module modules[MODULES];
    const struct rt_trace_writer_options writer = {.block_size = 300};
    for (size_t i = 0; i < MODULES; i++)
        modules[i] = (struct rt_recorder_module){made->codes[i], "a module"};
    const struct rt_recorder_options options = {
        .modules = modules, .module_count = MODULES, .engine = "a test", .writer = &writer};
    return rt_recorder_create(store, sink, &options, ret);
}

/* Records `play` on the tested engine. */
MAYBE_UNUSED static struct recording record(void) {
    struct recording recording = {.modules = {build_guest(), build_neighbour(), build_trapping()}};
    struct codes made = make_codes(&recording, tested_engine);
    struct rt_recorder *recorder;
    struct rt_store *store;

    expect_good(rt_store_create(&store));
    expect_good(start_recorder(store, &made, rt_trace_sink_memory(&recording.bytes), &recorder));
    play(store, made.codes);
    expect_good(rt_recorder_finish(recorder));
    rt_recorder_destroy(recorder);
    rt_store_destroy(store);
    destroy_codes(&made);
    return recording;
}

MAYBE_UNUSED static void destroy_recording(struct recording *recording) {
    for (size_t i = 0; i < MODULES; i++)
        rt_module_destroy(recording->modules[i]);
    free(recording->bytes.bytes);
}

static struct rt_trace_reader *open_reader(const struct rt_trace_memory *bytes) {
    struct rt_trace_source source;
    struct rt_trace_reader *reader;
    expect_good(rt_trace_source_memory(bytes->bytes, bytes->size, &source));
    expect_good(rt_trace_reader_create(source, &reader));
    return reader;
}

/* The number of the first event of a kind, which is there. */
MAYBE_UNUSED static uint64_t first_of(const struct recording *recording, uint8_t kind) {
    struct rt_trace_reader *reader = open_reader(&recording->bytes);
    const struct rt_trace_event *event;
    do {
        expect_good(rt_trace_reader_next(reader, &event));
        assert_non_null(event);
    } while (event->kind != kind);
    const uint64_t number = event->number;
    rt_trace_reader_destroy(reader);
    return number;
}

/* Replays a trace; with `again`, the replay is recorded there. */
MAYBE_UNUSED static struct rt_error *replay(const struct recording *recording,
                                            const struct rt_trace_memory *bytes, enum rt_engine engine,
                                            struct rt_trace_memory *again, struct rt_replay_result *ret) {
    struct codes made = make_codes(recording, engine);
    const struct rt_replayer_options options = {.codes = made.codes, .code_count = MODULES};
    struct rt_recorder *recorder = NULL;
    struct rt_replayer *replayer = NULL;
    struct rt_store *store;

    *ret = (struct rt_replay_result){.events = 0};
    expect_good(rt_store_create(&store));
    if (again)
        expect_good(start_recorder(store, &made, rt_trace_sink_memory(again), &recorder));
    struct rt_error *error = rt_replayer_create(store, open_reader(bytes), &options, &replayer);
    if (!error)
        error = rt_replayer_start(replayer);
    if (!error)
        error = rt_replayer_run(replayer, ret);
    if (again)
        expect_good(rt_recorder_finish(recorder));
    rt_recorder_destroy(recorder);
    rt_replayer_destroy(replayer);
    rt_store_destroy(store);
    destroy_codes(&made);
    return error;
}

#ifdef __x86_64__
static const enum rt_engine replay_engines[] = {RT_ENGINE_COMPILED, RT_ENGINE_INTERP};
#else
static const enum rt_engine replay_engines[] = {RT_ENGINE_INTERP};
#endif
enum { REPLAY_ENGINES = sizeof replay_engines / sizeof *replay_engines };

#endif
