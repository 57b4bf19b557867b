/* Loading debuggees: an image by the dynamic loader, a module by our runtime, with the oracle's probe sites
 * in its code or with the code registered for debuggers. */
#include "harness/pair.h"

#include "harness/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A debuggee that runs free is interrupted this often, so that a limit of time can be kept. */
enum { QUANTUM = 50, PAGE = 4096, ROOM = 64 << 20 };

static const char *const arguments[] = {"program"};

static struct rt_error *load_native(const char *path, struct hx_debuggee *ret) {
    const struct st_session_options options = {.argc = 1, .argv = arguments, .quantum = QUANTUM};
    char *absolute;

    if (access(path, R_OK) != 0)
        return rt_error_format(RT_USAGE, "cannot open %s", path);
    /* A name without a slash would be looked up in the library path. */
    absolute = realpath(path, NULL);
    if (!absolute)
        return rt_error_out_of_memory();
    struct rt_error *error = st_image_open(absolute, &ret->image);
    free(absolute);
    if (error)
        return error;
    return st_session_create_native(ret->image, &options, &ret->session);
}

struct rt_error *hx_compile_sites(const struct rt_module *module, const struct st_debug *debug,
                                  const struct rt_compile_options *options, struct rt_code **ret) {
    struct rt_arena arena;
    struct rt_compile_options with_sites = *options;

    rt_arena_init(&arena, 0);
    struct rt_error *error = or_sites(module, debug, &arena, &with_sites.sites, &with_sites.site_count);
    if (!error)
        error = rt_code_create(module, &with_sites, ret);
    rt_arena_clear(&arena);
    return error;
}

static int compare_sites(const void *a, const void *b) {
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Compiles it with a site for each row of the line table and each function. */
static struct rt_error *compile_rows(const struct rt_module *module, const struct st_debug *debug,
                                     const struct rt_compile_options *like, struct rt_code **ret) {
    struct rt_compile_options options = *like;
    size_t row_count, function_count;
    const struct st_row *rows = st_debug_rows(debug, &row_count);
    const struct st_function *functions = st_debug_functions(debug, &function_count);
    uint32_t *sites = malloc((row_count + function_count + 1) * sizeof *sites);

    if (!sites)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < row_count; i++)
        if (!rows[i].end_sequence)
            sites[options.site_count++] = (uint32_t)rows[i].pc;
    for (size_t i = 0; i < function_count; i++)
        sites[options.site_count++] = (uint32_t)functions[i].entry;
    qsort(sites, options.site_count, sizeof *sites, compare_sites);
    options.sites = sites;
    struct rt_error *error = rt_code_create(module, &options, ret);
    free(sites);
    return error;
}

/* As `lockstep run -g` does. Memory near the code is kept free while two guests' linear memories are
 * reserved, for what the probes displace: no jump reaches past those. */
static struct rt_error *compile_for_debugger(struct hx_debuggee *ret) {
    struct rt_compile_options options = {.engine = RT_ENGINE_COMPILED};
    const struct hx_native_options native = {.debugger = true};
    uintptr_t low, high;
    struct rt_error *error = hx_native_options_apply(&native, &options);

    if (!error)
        error = hx_compile_sites(ret->module, ret->debug, &options, &ret->code);
    if (error)
        return error;
    rt_code_range(ret->code, &low, &high);
    const uintptr_t below = (low & ~(uintptr_t)(PAGE - 1)) - ROOM;
    ret->room = mmap((void *)below, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return ret->room == MAP_FAILED ? rt_error_os(errno, "keeping room near the code free") : NULL;
}

static void free_room(struct hx_debuggee *debuggee) {
    if (debuggee->room && debuggee->room != MAP_FAILED)
        munmap(debuggee->room, ROOM);
    debuggee->room = NULL;
}

/* What a trap ends with, as sessions of modules have it. */
enum { STATUS_FAILED = 1, STATUS_TRAPPED = 134 };

static int run_instance(void *user) {
    int status = STATUS_FAILED;
    struct rt_error *error = rt_wasi_run(user, &status);

    if (error)
        status = error->code == RT_TRAP ? STATUS_TRAPPED : STATUS_FAILED;
    rt_error_destroy(error);
    return status;
}

/* Registers the instance's code and opens a session over what a debugger finds there. */
static struct rt_error *show_as_native(struct hx_debuggee *ret) {
    const struct hx_native_options native = {.debugger = true};
    struct st_session_options options = {.quantum = QUANTUM};
    struct rt_memory *memory = rt_instance_memory(ret->instance, 0);
    uintptr_t low, high;

    if (memory)
        options.memory = (uintptr_t)rt_memory_base(memory);
    struct rt_error *error = hx_native_view_open(&native, ret->instance, ret->debug, &ret->view);
    if (!error)
        error = st_jit_images_read(&ret->images);
    if (error)
        return error;
    rt_code_range(ret->code, &low, &high);
    const struct st_jit_image *image = st_jit_image_at(ret->images, low);
    if (!image)
        return rt_error_format(RT_USAGE, "its compiled code is not registered for debuggers");
    error = st_session_create_jit(ret->images, image, run_instance, ret->instance, &options, &ret->session);
    if (!error)
        rt_store_set_stack_limit(ret->store, st_session_stack_limit(ret->session));
    return error;
}

/* Everything of a module's side but its session. */
static struct rt_error *load_module(const struct hx_load *load, struct hx_debuggee *ret) {
    const struct rt_wasi_options wasi = {.args = arguments,
                                         .arg_count = 1,
                                         .stdin_fd = -1,
                                         .stdout_fd = -1,
                                         .stderr_fd = -1,
                                         .write = load->write,
                                         .write_user = load->write_user,
                                         .deterministic = true};
    const struct rt_compile_options options = {.engine = load->engine};
    struct rt_error *error = rt_module_open(load->path, &ret->module);

    if (!error)
        error = st_debug_open_wasm(ret->module, &ret->debug);
    if (!error)
        error = load->kind == HX_WITNESS_JIT ? compile_for_debugger(ret)
                                             : (load->all_rows ? compile_rows : hx_compile_sites)(
                                                   ret->module, ret->debug, &options, &ret->code);
    if (!error)
        error = rt_store_create(&ret->store);
    if (!error)
        error = rt_wasi_create(ret->store, &wasi, &ret->wasi);
    if (!error)
        error = rt_wasi_instantiate(ret->wasi, ret->code, &ret->instance);
    return error;
}

struct rt_error *hx_debuggee_open(const struct hx_load *load, struct hx_debuggee *ret) {
    const struct st_session_options session = {.quantum = QUANTUM};
    struct rt_error *error;

    *ret = (struct hx_debuggee){.image = NULL};
    if (load->kind == HX_WITNESS_NATIVE)
        return load_native(load->path, ret);
    error = load_module(load, ret);
    if (!error)
        error = load->kind == HX_WITNESS_JIT
                    ? show_as_native(ret)
                    : st_session_create_wasm(ret->instance, ret->debug, &session, &ret->session);
    free_room(ret);
    return error ? rt_error_context(error, "%s", load->path) : NULL;
}

void hx_debuggee_close(struct hx_debuggee *debuggee) {
    st_session_destroy(debuggee->session);
    st_jit_images_destroy(debuggee->images);
    hx_native_view_close(debuggee->view);
    rt_wasi_destroy(debuggee->wasi);
    rt_store_destroy(debuggee->store);
    rt_code_destroy(debuggee->code);
    st_debug_close(debuggee->debug);
    rt_module_destroy(debuggee->module);
    st_image_close(debuggee->image);
    *debuggee = (struct hx_debuggee){.image = NULL};
}

struct rt_error *hx_pair_open(const struct hx_load loads[2], struct hx_pair *ret) {
    struct rt_error *error = NULL;

    *ret = (struct hx_pair){.sides = {{.image = NULL}}};
    for (int wants_native = 0; wants_native < 2; wants_native++)
        for (int i = 0; i < 2 && !error; i++)
            if ((loads[i].kind == HX_WITNESS_NATIVE) == wants_native)
                error = hx_debuggee_open(&loads[i], &ret->sides[i]);
    return error;
}

void hx_pair_close(struct hx_pair *pair) {
    for (int i = 0; i < 2; i++)
        hx_debuggee_close(&pair->sides[i]);
}
