/* How long engines take to make a module ready to run, and how much memory ours then has for it. */
#include "harness/bench_runtime.h"

#include "harness/json.h"
#include "harness/pair.h"
#include "harness/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPEATS = 5, FILE_LIMIT = 256 << 20, TIME_LIMIT = 600000 };

/* Appends the module's bytes without custom sections (core specification, section 5.5.3). */
static struct rt_error *strip(const struct hx_buffer *file, struct hx_buffer *out) {
    struct rt_cursor cursor = rt_cursor_make(file->bytes, file->size, 0);
    const uint8_t *bytes;
    struct rt_error *error = rt_cursor_bytes(&cursor, 8, "header", &bytes);

    if (!error)
        hx_buffer_append(out, bytes, 8);
    while (!error && rt_cursor_left(&cursor) > 0) {
        const uint8_t *start = cursor.next;
        uint64_t size;
        error = rt_cursor_bytes(&cursor, 1, "section", &bytes);
        if (!error)
            error = rt_cursor_uleb(&cursor, 32, "section size", &size);
        if (!error)
            error = rt_cursor_bytes(&cursor, size, "section", &bytes);
        if (!error && *start != 0)
            hx_buffer_append(out, start, (size_t)(cursor.next - start));
    }
    return !error && out->failed ? rt_error_out_of_memory() : error;
}

static void stripped_path(const struct hx_bench_module *module, const struct hx_bench_context *context,
                          const char *ending, char *path, size_t size) {
    snprintf(path, size, "%s/start-%s.%s", context->temp->path, module->name, ending);
}

struct rt_error *hx_bench_module_open(const char *name, const char *file,
                                      const struct hx_bench_context *context, struct hx_bench_module *ret) {
    struct hx_buffer whole = {0}, bytes = {0};
    struct rt_module *module = NULL;
    struct st_debug *debug = NULL;
    char path[512];

    *ret = (struct hx_bench_module){.wasm2c = {-1, -1, -1}};
    snprintf(ret->name, sizeof ret->name, "%s", name);
    snprintf(ret->path, sizeof ret->path, "%s", file);
    stripped_path(ret, context, "wasm", path, sizeof path);
    struct rt_error *error = hx_file_read(file, FILE_LIMIT, &whole);
    if (!error)
        error = strip(&whole, &bytes);
    if (!error)
        error = hx_file_write(path, bytes.bytes, bytes.size, 0600);
    if (!error)
        error = rt_module_create(whole.bytes, whole.size, &module);
    if (!error) {
        struct rt_error *none = st_debug_open_wasm(module, &debug);
        ret->has_lines = !none;
        rt_error_destroy(none);
    }
    ret->size = bytes.size;
    st_debug_close(debug);
    rt_module_destroy(module);
    hx_buffer_clear(&whole);
    hx_buffer_clear(&bytes);
    return error ? rt_error_context(error, "%s", file) : NULL;
}

/* Compiles, and tells the seconds and the sizes. */
static struct rt_error *compile(const struct rt_module *module, const struct st_debug *debug,
                                struct hx_samples *seconds, size_t *ret_code, size_t *ret_metadata,
                                size_t *ret_sites) {
    const struct rt_compile_options options = {0};
    struct rt_code *code = NULL;
    double started = hx_seconds();
    struct rt_error *error =
        debug ? hx_compile_sites(module, debug, &options, &code) : rt_code_create(module, &options, &code);

    if (error)
        return error;
    hx_samples_add(seconds, hx_seconds() - started);
    struct rt_code_sizes sizes = rt_code_sizes(code);
    *ret_code = sizes.code;
    *ret_metadata = sizes.metadata;
    rt_code_sites(code, ret_sites);
    rt_code_destroy(code);
    return NULL;
}

/* What one round gives is the median of its repeats. */
static struct rt_error *measure_ours(struct hx_bench_module *result, const struct hx_bench_context *context) {
    struct hx_samples *samples = calloc(4, sizeof *samples);
    struct rt_module *whole = NULL;
    struct st_debug *debug = NULL;
    struct hx_buffer bytes = {0};
    char path[512];
    struct rt_error *error;

    if (!samples)
        return rt_error_out_of_memory();
    stripped_path(result, context, "wasm", path, sizeof path);
    error = hx_file_read(path, FILE_LIMIT, &bytes);
    if (!error && result->has_lines)
        error = rt_module_open(result->path, &whole);
    if (!error && result->has_lines)
        error = st_debug_open_wasm(whole, &debug);
    for (int i = 0; i < REPEATS && !error; i++) {
        struct rt_module *module = NULL;
        size_t code, none;
        error = rt_module_create(bytes.bytes, bytes.size, &module);
        if (!error) {
            struct rt_module_times times = rt_module_times(module);
            hx_samples_add(&samples[0], (double)times.decode * 1e-9);
            hx_samples_add(&samples[1], (double)times.validate * 1e-9);
            error = compile(module, NULL, &samples[2], &result->code, &result->metadata, &none);
        }
        if (!error && debug)
            error = compile(module, debug, &samples[3], &code, &result->metadata_sites, &result->sites);
        rt_module_destroy(module);
    }
    if (!error) {
        hx_samples_add(&result->decode, hx_samples_median(&samples[0]));
        hx_samples_add(&result->validate, hx_samples_median(&samples[1]));
        hx_samples_add(&result->compile, hx_samples_median(&samples[2]));
        if (debug)
            hx_samples_add(&result->compile_sites, hx_samples_median(&samples[3]));
    }
    st_debug_close(debug);
    rt_module_destroy(whole);
    hx_buffer_clear(&bytes);
    free(samples);
    return error;
}

/* The script's line of JSON. */
static struct rt_error *read_node(const struct hx_process *node, struct hx_samples *ret) {
    const char *text = hx_buffer_string(&node->output);
    const struct hx_json_value *object, *seconds;
    struct hx_samples *samples = calloc(1, sizeof *samples);
    struct rt_arena arena;

    if (!samples)
        return rt_error_out_of_memory();
    rt_arena_init(&arena, 0);
    struct rt_error *error = hx_json_parse(text, strcspn(text, "\n"), &arena, &object);
    if (!error) {
        seconds = hx_json_member(object, "seconds");
        for (seconds = seconds ? seconds->first : NULL; seconds; seconds = seconds->next)
            hx_samples_add(samples, seconds->number);
        if (samples->count == 0)
            error = rt_error_format(RT_MALFORMED, "node did not tell what it measured: %.200s", text);
        else
            hx_samples_add(ret, hx_samples_median(samples));
    }
    rt_arena_clear(&arena);
    free(samples);
    return error;
}

static struct rt_error *run(const char *const *words, const char *folder, struct hx_process *ret) {
    char how[128], complaint[200];

    *ret =
        (struct hx_process){.argv = words, .directory = folder, .time_limit = TIME_LIMIT, .own_group = true};
    struct rt_error *error = hx_process_run(ret, 1);
    if (!error && !hx_process_succeeded(ret))
        error = rt_error_format(RT_USAGE, "%s failed (%s): %s", words[0],
                                hx_process_describe(ret, how, sizeof how),
                                hx_process_complaint(ret, complaint, sizeof complaint));
    return error;
}

static struct rt_error *measure_node(const struct hx_bench_module *module,
                                     const struct hx_bench_context *context, bool single,
                                     struct hx_samples *ret) {
    char path[512], repeats[16];
    const char *const words[] = {context->node,
                                 "--no-warnings",
                                 "--liftoff",
                                 "--no-wasm-tier-up",
                                 "--no-wasm-lazy-compilation",
                                 single ? "--wasm-num-compilation-tasks=1"
                                        : "--wasm-num-compilation-tasks=128",
                                 context->script,
                                 "start",
                                 path,
                                 repeats,
                                 NULL};
    struct hx_process process;

    stripped_path(module, context, "wasm", path, sizeof path);
    snprintf(repeats, sizeof repeats, "%d", REPEATS);
    struct rt_error *error = run(words, context->temp->path, &process);
    if (!error)
        error = read_node(&process, ret);
    hx_process_clear(&process);
    return error;
}

struct rt_error *hx_bench_module_measure(struct hx_bench_module *module,
                                         const struct hx_bench_context *context) {
    struct rt_error *error = measure_ours(module, context);

    if (!error && context->node)
        error = measure_node(module, context, false, &module->node);
    if (!error && context->node)
        error = measure_node(module, context, true, &module->node_single);
    return error;
}

struct rt_error *hx_bench_module_translate(struct hx_bench_module *module,
                                           const struct hx_bench_context *context) {
    char wasm[512], text[512];
    const char *const compiler = context->tools->native.path;
    const char *const commands[][9] = {
        {context->wasm2c, wasm, "-n", "guest", "-o", text, NULL},
        {compiler, "-O0", "-w", "-c", text, "-o", "translated.o", NULL},
        {compiler, "-O2", "-w", "-c", text, "-o", "translated.o", NULL},
    };
    struct rt_error *error = NULL;

    stripped_path(module, context, "wasm", wasm, sizeof wasm);
    stripped_path(module, context, "c", text, sizeof text);
    for (size_t i = 0; i < 3 && !error; i++) {
        struct hx_process process;
        error = run(commands[i], context->temp->path, &process);
        if (!error)
            module->wasm2c[i] = process.seconds;
        hx_process_clear(&process);
    }
    return error;
}
