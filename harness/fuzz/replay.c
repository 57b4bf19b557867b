/* Fuzz target: any bytes as a trace, replayed against a fixed module, end in success or in one clear line; on
 * both engines the same. The bytes are the events of one block: header, module and checksums are put around
 * them, as no fuzzer finds those. The module's functions end soon whatever they are given.
 *
 * Covers: runtime/trace/replay.c runtime/trace/replay_host.c runtime/trace/difference.c */
#include "harness/fuzz/fuzz.h"

#include "runtime/trace/format.h"

/* (module
 *   (import "env" "f" (func $f (param i32) (result i32)))
 *   (memory 1 2) (table 2 4 funcref) (global (mut i32) (i32.const 7))
 *   (func (param i32) (result i32)
 *     (i32.add (i32.load (local.get 0)) (call $f (local.get 0))))
 *   (func (param i32) (result i32) (call_indirect (type 0) (global.get 0) (local.get 0)))
 *   (elem (i32.const 0) func 1)) */
static const uint8_t binary[] =
    "\0asm\1\0\0\0"
    "\1\6\1\x60\1\x7f\1\x7f"
    "\2\x09\1\3env\1f\0\0"
    "\3\3\2\0\0"
    "\4\5\1\x70\1\2\4"
    "\5\4\1\1\1\2"
    "\6\6\1\x7f\1\x41\7\x0b"
    "\x09\7\1\0\x41\0\x0b\1\1"
    "\x0a\x18\2\x0c\0\x20\0\x28\2\0\x20\0\x10\0\x6a\x0b\x09\0\x23\0\x20\0\x11\0\0\x0b";

/* A trace of these events: one block, stored, as if cut behind it. */
static void make_trace(const struct rt_module *module, const uint8_t *events, size_t size,
                       struct rt_trace_memory *ret) {
    struct rt_trace_block block = {.codec = RT_TRACE_STORED, .size = (uint32_t)size, .raw = (uint32_t)size};
    uint8_t encoded[RT_TRACE_BLOCK_HEADER_SIZE];
    struct rt_trace_module described;
    struct rt_arena arena;

    rt_arena_init(&arena, 0);
    struct rt_error *error = rt_trace_module_describe(module, "", &arena, &described);
    const struct rt_trace_header header = {.modules = &described, .module_count = 1};
    if (!error)
        error = rt_trace_header_encode(&header, ret);
    fuzz_require(!error);
    rt_arena_clear(&arena);
    /* As many events as there are whole ones: kind, size, contents. */
    for (struct rt_cursor cursor = rt_cursor_make(events, size, 0); rt_cursor_left(&cursor); block.count++) {
        const uint8_t *contents;
        uint8_t kind;
        uint64_t length;
        error = rt_cursor_u8(&cursor, "kind", &kind);
        if (!error)
            error = rt_trace_get_leb(&cursor, 32, "size", &length);
        if (!error)
            error = rt_cursor_bytes(&cursor, (size_t)length, "contents", &contents);
        if (error)
            break;
    }
    rt_error_destroy(error);
    rt_trace_block_encode(&block, events, encoded);
    fuzz_require(rt_trace_append(ret, encoded, sizeof encoded) && rt_trace_append(ret, events, size));
}

/* Replays; returns the error's code, or -1. */
static int replay(const struct rt_module *module, enum rt_engine engine,
                  const struct rt_trace_memory *trace) {
    const struct rt_compile_options compile = {.engine = engine, .canonical_nans = true};
    struct rt_code *code = NULL;
    struct rt_store *store = NULL;
    struct rt_trace_source source;
    struct rt_trace_reader *reader = NULL;
    struct rt_replayer *replayer = NULL;
    struct rt_replay_result result;

    struct rt_error *error = rt_code_create(module, &compile, &code);
    if (!error)
        error = rt_store_create(&store);
    if (!error)
        error = rt_trace_source_memory(trace->bytes, trace->size, &source);
    if (!error)
        error = rt_trace_reader_create(source, &reader);
    fuzz_require(!error);
    rt_store_set_limits(store, 16, 1000);
    const struct rt_replayer_options options = {.codes = &code, .code_count = 1};
    error = rt_replayer_create(store, reader, &options, &replayer);
    fuzz_require(!error);
    error = rt_replayer_run(replayer, &result);
    const int ret = error ? (int)error->code : -1;
    fuzz_require_sound_error(error);
    rt_replayer_destroy(replayer);
    rt_store_destroy(store);
    rt_code_destroy(code);
    return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rt_trace_memory trace = {0};
    struct rt_module *module;

    if (!size ||
        size > 1 << 16) /* more would nest calls until a stack is exhausted: at another depth in each */
        return 0;
    struct rt_error *error = rt_module_create(binary, sizeof binary - 1, &module);
    fuzz_require(!error);
    make_trace(module, data, size, &trace);
    fuzz_require(replay(module, RT_ENGINE_COMPILED, &trace) == replay(module, RT_ENGINE_INTERP, &trace));
    free(trace.bytes);
    rt_module_destroy(module);
    return 0;
}
