/* Runs a WASI command in this process with a setup. */
#include "harness/guest_run.h"

#include "harness/guest_world.h"

#include <string.h>
#include <unistd.h>

enum { STATUS_TRAPPED = 134, OUTPUT_LIMIT = 16 << 20 };

static bool keep_output(void *user, int fd, const void *bytes, size_t size) {
    struct hx_guest_run *run = user;
    struct hx_buffer *stream = &run->streams[fd == STDERR_FILENO];

    if (stream->size + size > OUTPUT_LIMIT)
        return false;
    hx_buffer_append(stream, bytes, size);
    return !stream->failed;
}

static void tell_call(void *user, struct rt_caller *caller, const struct rt_func *func,
                      const union rt_value *args) {
    const struct hx_guest_options *options = user;

    (void)caller, (void)args;
    options->on_call(options->user, rt_func_name(func));
}

static struct rt_error *run_module(const char *wasm, const struct rt_wasi_options *wasi_options,
                                   const struct rt_hooks *hooks, int *ret_status) {
    struct rt_module *module = NULL;
    struct rt_code *code = NULL;
    struct rt_store *store = NULL;
    struct rt_wasi *wasi = NULL;
    struct rt_instance *instance;

    struct rt_error *error = rt_module_open(wasm, &module);
    if (!error)
        error = rt_code_create(module, NULL, &code);
    if (!error)
        error = rt_store_create(&store);
    if (!error)
        error = rt_wasi_create(store, wasi_options, &wasi);
    if (!error)
        error = rt_wasi_instantiate(wasi, code, &instance);
    if (!error) {
        rt_store_set_hooks(store, hooks);
        error = rt_wasi_run(instance, ret_status);
    }
    rt_wasi_destroy(wasi);
    rt_store_destroy(store);
    rt_code_destroy(code);
    rt_module_destroy(module);
    return error;
}

struct rt_error *hx_guest_run(const char *wasm, const struct hx_guest_setup *setup, const char *folder,
                              const struct hx_guest_options *options, struct hx_guest_run *ret) {
    const struct rt_hooks hooks = {.user = (void *)(uintptr_t)options, .host_call = tell_call};

    struct hx_guest_world world;
    struct rt_error *error = hx_guest_world_open(folder, &world);

    *ret = (struct hx_guest_run){0};
    if (error)
        return error;
    const struct rt_wasi_options wasi = {
        .args = setup->args,
        .arg_count = setup->arg_count,
        .env = setup->env,
        .env_count = setup->env_count,
        .dirs = world.dirs,
        .dir_count = world.dir_count,
        .stdin_fd = world.input_fd,
        .stdout_fd = -1,
        .stderr_fd = -1,
        .write = keep_output,
        .write_user = ret,
        .deterministic = options->deterministic,
    };
    error = run_module(wasm, &wasi, options->on_call ? &hooks : NULL, &ret->status);
    hx_guest_world_close(&world);
    if (error && error->code == RT_TRAP) {
        ret->trap = rt_trap_message((enum rt_trap)error->trap);
        ret->status = STATUS_TRAPPED;
        rt_error_destroy(error);
        return NULL;
    }
    return error;
}

void hx_guest_run_clear(struct hx_guest_run *run) {
    hx_buffer_clear(&run->streams[0]);
    hx_buffer_clear(&run->streams[1]);
}

const char *hx_guest_run_difference(const struct hx_guest_run *a, const struct hx_guest_run *b,
                                    size_t *ret_at) {
    const struct hx_buffer *x = &a->streams[0], *y = &b->streams[0];
    size_t common = x->size < y->size ? x->size : y->size, at = 0;

    while (at < common && x->bytes[at] == y->bytes[at])
        at++;
    *ret_at = at;
    if (at < common || x->size != y->size)
        return "standard output";
    if (strcmp(a->trap ? a->trap : "", b->trap ? b->trap : "") != 0)
        return "trap";
    return a->status != b->status ? "exit status" : NULL;
}
