/* Loading a program's two artifacts: the image by the dynamic loader, the module by our runtime with the
 * oracle's probe sites in its code. */
#include "harness/pair.h"

#include "harness/buffer.h"

#include <stdlib.h>
#include <unistd.h>

/* A debuggee that runs free is interrupted this often, so that a limit of time can be kept. */
enum { QUANTUM = 50 };

static const char *const arguments[] = {"program"};

static struct rt_error *load_native(const char *path, struct hx_pair *pair) {
    const struct st_session_options options = {.argc = 1, .argv = arguments, .quantum = QUANTUM};
    char *absolute;

    if (access(path, R_OK) != 0)
        return rt_error_format(RT_USAGE, "cannot open %s", path);
    /* A name without a slash would be looked up in the library path. */
    absolute = realpath(path, NULL);
    if (!absolute)
        return rt_error_out_of_memory();
    struct rt_error *error = st_image_open(absolute, &pair->image);
    free(absolute);
    if (error)
        return error;
    return st_session_create_native(pair->image, &options, &pair->sessions[0]);
}

struct rt_error *hx_compile_sites(const struct rt_module *module, const struct st_debug *debug,
                                  enum rt_engine engine, struct rt_code **ret) {
    struct rt_arena arena;
    const uint64_t *pcs;
    struct rt_compile_options options = {.engine = engine};

    rt_arena_init(&arena, 0);
    struct rt_error *error = or_sites(debug, &arena, &pcs, &options.site_count);
    if (!error) {
        uint32_t *sites = rt_arena_array(&arena, options.site_count, sizeof *sites);
        if (!sites)
            error = rt_error_out_of_memory();
        for (size_t i = 0; sites && i < options.site_count; i++)
            sites[i] = (uint32_t)pcs[i];
        options.sites = sites;
    }
    if (!error)
        error = rt_code_create(module, &options, ret);
    rt_arena_clear(&arena);
    return error;
}

static struct rt_error *load_wasm(const char *path, const struct hx_pair_options *options,
                                  struct hx_pair *pair) {
    const struct rt_wasi_options wasi = {.args = arguments,
                                         .arg_count = 1,
                                         .stdin_fd = -1,
                                         .stdout_fd = -1,
                                         .stderr_fd = -1,
                                         .write = options->write,
                                         .write_user = options->write_user,
                                         .deterministic = true};
    const struct st_session_options session = {.quantum = QUANTUM};
    struct rt_error *error = rt_module_open(path, &pair->module);

    if (!error)
        error = st_debug_open_wasm(pair->module, &pair->debug);
    if (error)
        return rt_error_context(error, "%s", path);
    error = hx_compile_sites(pair->module, pair->debug, options->engine, &pair->code);
    if (!error)
        error = rt_store_create(&pair->store);
    if (!error)
        error = rt_wasi_create(pair->store, &wasi, &pair->wasi);
    if (!error)
        error = rt_wasi_instantiate(pair->wasi, pair->code, &pair->instance);
    if (!error)
        error = st_session_create_wasm(pair->instance, pair->debug, &session, &pair->sessions[1]);
    return error ? rt_error_context(error, "%s", path) : NULL;
}

struct rt_error *hx_pair_open(const char *native, const char *wasm, const struct hx_pair_options *options,
                              struct hx_pair *ret) {
    struct rt_error *error;

    *ret = (struct hx_pair){0};
    /* The module first: it cannot run anything while it is looked at. */
    error = wasm ? load_wasm(wasm, options, ret) : NULL;
    if (!error && native)
        error = load_native(native, ret);
    return error;
}

void hx_pair_close(struct hx_pair *pair) {
    for (int i = 0; i < 2; i++)
        st_session_destroy(pair->sessions[i]);
    rt_wasi_destroy(pair->wasi);
    rt_store_destroy(pair->store);
    rt_code_destroy(pair->code);
    st_debug_close(pair->debug);
    rt_module_destroy(pair->module);
    st_image_close(pair->image);
    *pair = (struct hx_pair){0};
}
