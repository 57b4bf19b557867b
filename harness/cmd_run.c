/* `lockstep run`: runs a WASI command, and shows where it trapped. */
#include "harness/harness.h"

#include "harness/cmd_options.h"
#include "stepper/stepper.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_TRAPPED = 134 /* as a shell shows a program that aborted */ };

struct values {
    const char *engine;
    struct hx_list dirs, env;
};

static const struct values defaults = {.engine = "compiled"};

static const struct hx_option options[] = {
    {"--dir", "HOST[::GUEST]", HX_OPTION_LIST, offsetof(struct values, dirs),
     "let the guest use the folder HOST, which it sees as GUEST"},
    {"--env", "NAME=VALUE", HX_OPTION_LIST, offsetof(struct values, env),
     "set a variable of the guest's environment"},
    {"--engine", "ENGINE", HX_OPTION_TEXT, offsetof(struct values, engine),
     "run it compiled or in the interpreter: compiled or interp (compiled)"},
};

/* A guest's run and all that it needs. */
struct guest {
    struct rt_module *module;
    struct st_debug *debug; /* NULL when the module has no debug information */
    struct rt_code *code;
    struct rt_store *store;
    struct rt_wasi *wasi;
    struct rt_instance *instance;
    struct st_session *session;
};

static void close_guest(struct guest *guest) {
    st_session_destroy(guest->session);
    rt_wasi_destroy(guest->wasi);
    rt_store_destroy(guest->store);
    rt_code_destroy(guest->code);
    st_debug_close(guest->debug);
    rt_module_destroy(guest->module);
}

/* The variables, the last of each name alone: a guest's C library takes the first that it finds. */
static struct rt_error *environment(const struct hx_list *given, struct rt_arena *arena,
                                    struct hx_list *ret) {
    *ret = (struct hx_list){.items = rt_arena_array(arena, given->count, sizeof *ret->items)};
    if (!ret->items)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < given->count; i++) {
        const char *equals = strchr(given->items[i], '=');
        size_t at = 0;

        if (!equals || equals == given->items[i])
            return rt_error_format(RT_USAGE, "--env: '%s' is not NAME=VALUE", given->items[i]);
        while (at < ret->count &&
               strncmp(ret->items[at], given->items[i], (size_t)(equals + 1 - given->items[i])))
            at++;
        ret->items[at] = given->items[i];
        ret->count += at == ret->count;
    }
    return NULL;
}

static struct rt_error *wasi_options(const struct hx_arguments *arguments, const struct values *values,
                                     struct rt_arena *arena, struct rt_wasi_options *ret) {
    const struct rt_wasi_dir *dirs;
    struct hx_list env;
    struct rt_error *error = hx_parse_dirs(&values->dirs, arena, &dirs);

    if (!error)
        error = environment(&values->env, arena, &env);
    if (error)
        return error;
    /* The module's name and what follows "--" lie side by side. */
    *ret = (struct rt_wasi_options){.args = arguments->items,
                                    .arg_count = arguments->count,
                                    .env = env.items,
                                    .env_count = env.count,
                                    .dirs = dirs,
                                    .dir_count = values->dirs.count,
                                    .stdin_fd = STDIN_FILENO,
                                    .stdout_fd = STDOUT_FILENO,
                                    .stderr_fd = STDERR_FILENO};
    return NULL;
}

static struct rt_error *open_guest(const char *path, const struct rt_compile_options *compile,
                                   const struct rt_wasi_options *wasi, struct guest *ret) {
    const struct st_session_options session = {0};
    struct rt_error *error = rt_module_open(path, &ret->module);

    if (error)
        return error;
    /* Debug information makes a backtrace better; a module without it runs as well. */
    rt_error_destroy(st_debug_open_wasm(ret->module, &ret->debug));
    error = rt_code_create(ret->module, compile, &ret->code);
    if (!error)
        error = rt_store_create(&ret->store);
    if (!error)
        error = rt_wasi_create(ret->store, wasi, &ret->wasi);
    if (!error)
        error = rt_wasi_instantiate(ret->wasi, ret->code, &ret->instance);
    if (!error)
        error = st_session_create_wasm(ret->instance, ret->debug, &session, &ret->session);
    return error ? rt_error_context(error, "%s", path) : NULL;
}

static void print_frame(const struct guest *guest, size_t number, const struct st_frame *frame) {
    const char *name = frame->function ? frame->function->name
                                       : rt_module_function_name(guest->module, frame->activation.function);
    const struct st_row *row = guest->debug ? st_debug_row_at(guest->debug, frame->pc) : NULL;

    fprintf(stderr, "  #%zu %s", number, name ? name : "?");
    fprintf(stderr, " [function %u, pc 0x%llx]", frame->activation.function, (unsigned long long)frame->pc);
    if (row && row->line > 0)
        fprintf(stderr, " at %s:%u", st_debug_file(guest->debug, row->file), row->line);
    fputc('\n', stderr);
}

static struct rt_error *print_trap(const struct guest *guest, const struct st_event *event) {
    enum { SHOWN = 50 };
    const struct st_frame *frames;
    size_t count;

    fflush(stdout);
    fprintf(stderr, "lockstep run: trap: %s\n", event->name ? event->name : "unknown");
    struct rt_error *error = st_session_frames(guest->session, &frames, &count);
    if (error)
        return error;
    for (size_t i = 0; i < count && i < SHOWN; i++)
        print_frame(guest, i, &frames[i]);
    if (count > SHOWN)
        fprintf(stderr, "  and %zu frames more\n", count - SHOWN);
    return NULL;
}

static struct rt_error *drive(struct guest *guest, int *ret_status) {
    struct st_event event = {0};
    bool trapped = false;
    struct rt_error *error = NULL;

    while (!error && event.kind != ST_EXIT) {
        error = st_session_next(guest->session, &event);
        if (!error && event.kind == ST_TRAP) {
            trapped = true;
            error = print_trap(guest, &event);
        }
    }
    if (error)
        return error;
    *ret_status = trapped ? STATUS_TRAPPED : event.status;
    if (event.error && !trapped)
        return rt_error_format(event.error->code, "%s", event.error->message);
    return NULL;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct rt_compile_options compile = {0};
    struct rt_wasi_options wasi;
    struct guest guest = {0};
    struct rt_arena arena;

    if (arguments->before_dashes != 1)
        return rt_error_format(RT_USAGE, "needs one Wasm file; its arguments come after --");
    struct rt_error *error = rt_engine_parse(values->engine, &compile.engine);
    if (error)
        return rt_error_context(error, "--engine");
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is EPIPE for the guest, which may want to say so */
    rt_arena_init(&arena, 0);
    error = wasi_options(arguments, values, &arena, &wasi);
    if (!error)
        error = open_guest(arguments->items[0], &compile, &wasi, &guest);
    if (!error)
        error = drive(&guest, ret_status);
    close_guest(&guest);
    rt_arena_clear(&arena);
    return error;
}

const struct hx_command hx_command_run = {
    .name = "run",
    .arguments = "FILE.wasm [--engine compiled|interp] [--dir HOST[::GUEST]] [--env NAME=VALUE] [-- ARGS]",
    .summary = "Runs a WASI command.",
    .details =
        "The exit status is the guest's own, modulo 256 as any process's. A guest that traps gives a "
        "message\n"
        "with the Wasm call stack and exit status 134; a file that cannot be run gives exit status 2.\n"
        "Writing to a closed pipe is an error for the guest, EPIPE, and does not end it.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
