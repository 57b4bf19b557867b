/* The engines of `bench runtime`: each runs a built program once and tells what it printed and how long its
 * work took by the program's own clock. */
#include "harness/bench_runtime.h"

#include "harness/pair.h"
#include "harness/process.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIME_LIMIT = 300000 /* milliseconds */ };

/* Moves what a program printed into `ret`, its line of seconds apart. */
static struct rt_error *take_output(const char *engine, const char *text, struct hx_bench_run *ret) {
    const char *line = strstr(text, "seconds ");

    if (!line || (line > text && line[-1] != '\n'))
        return rt_error_format(RT_USAGE, "%s: the program did not tell its time: %.200s", engine, text);
    hx_buffer_append(&ret->output, text, (size_t)(line - text));
    ret->seconds += strtod(line + strlen("seconds "), NULL);
    line = strchr(line, '\n');
    if (line)
        hx_buffer_text(&ret->output, line + 1);
    return ret->output.failed ? rt_error_out_of_memory() : NULL;
}

static struct rt_error *run_words(const char *engine, const char *const *words, const char *folder,
                                  struct hx_process *ret) {
    char how[128], complaint[200];

    *ret =
        (struct hx_process){.argv = words, .directory = folder, .time_limit = TIME_LIMIT, .own_group = true};
    struct rt_error *error = hx_process_run(ret, 1);
    if (!error && !hx_process_succeeded(ret))
        error =
            rt_error_format(RT_USAGE, "%s failed (%s): %s", engine, hx_process_describe(ret, how, sizeof how),
                            hx_process_complaint(ret, complaint, sizeof complaint));
    return error;
}

/* Runs a program as a process of its own. */
static struct rt_error *run_process(const char *engine, const char *const *words, const char *folder,
                                    struct hx_bench_run *ret) {
    struct hx_process process;
    struct rt_error *error = run_words(engine, words, folder, &process);

    if (!error)
        error = take_output(engine, hx_buffer_string(&process.output), ret);
    hx_process_clear(&process);
    return error;
}

static struct rt_error *run_native(const struct hx_bench_engine *engine,
                                   const struct hx_bench_context *context, const struct hx_bench_build *build,
                                   uint32_t amount, struct hx_bench_run *ret) {
    char number[16];
    const char *const words[] = {engine->file, number, NULL};

    (void)context;
    snprintf(number, sizeof number, "%u", amount);
    return run_process(engine->name, words, build->folder, ret);
}

static struct rt_error *run_node(const struct hx_bench_engine *engine, const struct hx_bench_context *context,
                                 const struct hx_bench_build *build, uint32_t amount,
                                 struct hx_bench_run *ret) {
    char number[16];
    const char *const words[] = {context->node,
                                 "--no-warnings",
                                 "--liftoff",
                                 "--no-wasm-tier-up",
                                 "--no-wasm-lazy-compilation",
                                 context->script,
                                 "run",
                                 "program.wasm",
                                 number,
                                 NULL};

    snprintf(number, sizeof number, "%u", amount);
    return run_process(engine->name, words, build->folder, ret);
}

/* ---- Ours, in this process ---- */

static bool keep(void *user, int fd, const void *bytes, size_t size) {
    (void)fd;
    hx_buffer_append(user, bytes, size);
    return true;
}

struct guest {
    struct rt_module *module;
    struct st_debug *debug;
    struct rt_code *code;
    struct rt_store *store;
    struct rt_wasi *wasi;
    struct rt_instance *instance;
};

static void close_guest(struct guest *guest) {
    rt_wasi_destroy(guest->wasi);
    rt_store_destroy(guest->store);
    rt_code_destroy(guest->code);
    st_debug_close(guest->debug);
    rt_module_destroy(guest->module);
}

static struct rt_error *load(const struct hx_bench_engine *engine, const struct hx_bench_build *build,
                             const char *file, struct guest *ret) {
    const struct rt_compile_options options = {.engine = engine->engine};
    char path[300];

    *ret = (struct guest){0};
    snprintf(path, sizeof path, "%s/%s", build->folder, file);
    struct rt_error *error = rt_module_open(path, &ret->module);
    if (!error && engine->sites) {
        error = st_debug_open_wasm(ret->module, &ret->debug);
        if (!error)
            error = hx_compile_sites(ret->module, ret->debug, &options, &ret->code);
    } else if (!error) {
        error = rt_code_create(ret->module, &options, &ret->code);
    }
    if (!error)
        error = rt_store_create(&ret->store);
    return error ? rt_error_context(error, "%s", path) : NULL;
}

static struct rt_error *run_ours(const struct hx_bench_engine *engine, const struct hx_bench_context *context,
                                 const struct hx_bench_build *build, uint32_t amount,
                                 struct hx_bench_run *ret) {
    char number[16];
    const char *arguments[] = {"program", number};
    const struct rt_wasi_dir dir = {build->folder, "."};
    struct hx_buffer output = {0};
    const struct rt_wasi_options options = {.args = arguments,
                                            .arg_count = 2,
                                            .dirs = &dir,
                                            .dir_count = 1,
                                            .stdin_fd = -1,
                                            .stdout_fd = -1,
                                            .stderr_fd = -1,
                                            .write = keep,
                                            .write_user = &output};
    struct guest guest;
    int status = 0;

    (void)context;
    snprintf(number, sizeof number, "%u", amount);
    struct rt_error *error = load(engine, build, "program.wasm", &guest);
    if (!error)
        error = rt_wasi_create(guest.store, &options, &guest.wasi);
    if (!error)
        error = rt_wasi_instantiate(guest.wasi, guest.code, &guest.instance);
    if (!error)
        error = rt_wasi_run(guest.instance, &status);
    if (!error && status != 0)
        error = rt_error_format(RT_USAGE, "%s: exit status %d: %s", engine->name, status,
                                hx_buffer_string(&output));
    if (!error)
        error = take_output(engine->name, hx_buffer_string(&output), ret);
    close_guest(&guest);
    hx_buffer_clear(&output);
    return error;
}

/* ---- Modules that import nothing ---- */

static struct rt_error *run_ours_bare(const struct hx_bench_engine *engine,
                                      const struct hx_bench_context *context,
                                      const struct hx_bench_build *build, uint32_t amount,
                                      struct hx_bench_run *ret) {
    struct guest guest;
    struct rt_extern run;
    union rt_value result;

    (void)context, (void)amount; /* which is in the module */
    struct rt_error *error = load(engine, build, "bare.wasm", &guest);
    if (!error)
        error = rt_instance_create(guest.store, guest.code, NULL, 0, &guest.instance);
    if (!error && (!rt_instance_export(guest.instance, "run", &run) || run.kind != RT_EXTERN_FUNC))
        error = rt_error_format(RT_USAGE, "bare.wasm has no function 'run'");
    double started = hx_seconds();
    if (!error)
        error = rt_func_call(run.func, NULL, &result);
    if (!error) {
        ret->seconds += hx_seconds() - started;
        hx_buffer_print(&ret->output, "result %llu\n", (unsigned long long)result.i64);
    }
    close_guest(&guest);
    return error;
}

/* The process's time, less that of the module which does nothing. */
static struct rt_error *run_wasm_interp(const struct hx_bench_engine *engine,
                                        const struct hx_bench_context *context,
                                        const struct hx_bench_build *build, uint32_t amount,
                                        struct hx_bench_run *ret) {
    static const char *const files[] = {"bare.wasm", "idle.wasm"};
    struct hx_process processes[2] = {0};
    struct rt_error *error = NULL;
    char rest;
    unsigned long long result;

    (void)amount;
    for (size_t i = 0; i < 2 && !error; i++) {
        const char *const words[] = {context->wasm_interp, files[i], "--run-all-exports", NULL};
        error = run_words(engine->name, words, build->folder, &processes[i]);
    }
    const char *text = hx_buffer_string(&processes[0].output);
    if (!error && sscanf(text, "run() => i64:%llu%c", &result, &rest) < 1)
        error = rt_error_format(RT_USAGE, "%s: no result: %.200s", engine->name, text);
    if (!error) {
        ret->seconds += fmax(processes[0].seconds - processes[1].seconds, 0);
        hx_buffer_print(&ret->output, "result %llu\n", result);
    }
    for (size_t i = 0; i < 2; i++)
        hx_process_clear(&processes[i]);
    return error;
}

/* ---- All of them ---- */

const struct hx_bench_engine hx_bench_compiled[HX_BENCH_COMPILED] = {
    {.name = "lockstep", .run = run_ours},
    {.name = "lockstep-sites", .run = run_ours, .sites = true},
    {.name = "node", .run = run_node, .needs_node = true},
    {.name = "native-O0", .run = run_native, .file = "./native-O0"},
    {.name = "native-O2", .run = run_native, .file = "./native-O2"},
};

const struct hx_bench_engine hx_bench_interpreted[HX_BENCH_INTERPRETED] = {
    {.name = "lockstep-interp", .run = run_ours_bare, .engine = RT_ENGINE_INTERP},
    {.name = "wasm-interp", .run = run_wasm_interp, .needs_wasm_interp = true},
    {.name = "lockstep", .run = run_ours_bare},
};

bool hx_bench_engine_available(const struct hx_bench_engine *engine, const struct hx_bench_context *context) {
    return (!engine->needs_node || context->node) && (!engine->needs_wasm_interp || context->wasm_interp);
}

struct rt_error *hx_bench_run(const struct hx_bench_engine *engine, const struct hx_bench_context *context,
                              const struct hx_bench_built *built, struct hx_bench_run *ret) {
    struct rt_error *error = NULL;

    *ret = (struct hx_bench_run){0};
    for (size_t i = 0; i < built->count && !error; i++)
        error = engine->run(engine, context, &built->builds[i], built->amount, ret);
    return error ? rt_error_context(error, "%s", built->program->name) : NULL;
}
