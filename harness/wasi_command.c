/* A WASI command that a person runs: making it from the options of a run, driving it, showing its traps. */
#include "harness/wasi_command.h"

#include "harness/pair.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Making it ---- */

static struct rt_error *wasi_options(const struct hx_arguments *arguments, const struct hx_run_values *values,
                                     struct rt_arena *arena, struct rt_wasi_options *ret) {
    const struct rt_wasi_dir *dirs;
    struct hx_list env;
    struct rt_error *error = hx_parse_dirs(&values->dirs, arena, &dirs);

    if (!error)
        error = hx_parse_env(&values->env, arena, &env);
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

struct rt_error *hx_wasi_command_open(const char *path, const struct rt_compile_options *compile,
                                      struct hx_wasi_command *ret) {
    struct rt_error *error = rt_module_open(path, &ret->module);

    if (error)
        return error;
    /* Debug information makes a backtrace better; a module without it runs as well. */
    rt_error_destroy(st_debug_open_wasm(ret->module, &ret->debug));
    error = compile->writable_locals && ret->debug
                ? hx_compile_sites(ret->module, ret->debug, compile, &ret->code)
                : rt_code_create(ret->module, compile, &ret->code);
    if (!error)
        error = rt_store_create(&ret->store);
    return error ? rt_error_context(error, "%s", path) : NULL;
}

struct rt_error *hx_wasi_command_link(struct hx_wasi_command *command, const struct hx_arguments *arguments,
                                      const struct hx_run_values *values) {
    const struct st_session_options session = {0};
    struct rt_wasi_options wasi;
    struct rt_arena arena;

    rt_arena_init(&arena, 0);
    struct rt_error *error = wasi_options(arguments, values, &arena, &wasi);
    if (!error) {
        error = rt_wasi_create(command->store, &wasi, &command->wasi);
        if (!error)
            error = rt_wasi_instantiate(command->wasi, command->code, &command->instance);
        if (!error)
            error = st_session_create_wasm(command->instance, command->debug, &session, &command->session);
        if (!error)
            error = hx_native_view_open(&values->native, command->instance, command->debug, &command->view);
        if (error)
            error = rt_error_context(error, "%s", arguments->items[0]);
    }
    rt_arena_clear(&arena);
    return error;
}

void hx_wasi_command_close(struct hx_wasi_command *command) {
    st_session_destroy(command->session);
    hx_native_view_close(command->view);
    rt_wasi_destroy(command->wasi);
    rt_store_destroy(command->store);
    rt_code_destroy(command->code);
    st_debug_close(command->debug);
    rt_module_destroy(command->module);
}

/* ---- Driving it ---- */

static void print_frame(const struct hx_wasi_command *command, size_t number, const struct st_frame *frame) {
    const char *name = frame->function ? frame->function->name
                                       : rt_module_function_name(command->module, frame->activation.function);
    const struct st_row *row = command->debug ? st_debug_row_at(command->debug, frame->pc) : NULL;

    fprintf(stderr, "  #%zu %s", number, name ? name : "?");
    fprintf(stderr, " [function %u, pc 0x%llx]", frame->activation.function, (unsigned long long)frame->pc);
    if (row && row->line > 0)
        fprintf(stderr, " at %s:%u", st_debug_file(command->debug, row->file), row->line);
    fputc('\n', stderr);
}

static struct rt_error *print_trap(const struct hx_wasi_command *command, const char *name,
                                   const struct st_event *event) {
    enum { SHOWN = 50 };
    const struct st_frame *frames;
    size_t count;

    fflush(stdout);
    fprintf(stderr, "lockstep %s: trap: %s\n", name, event->name ? event->name : "unknown");
    struct rt_error *error = st_session_frames(command->session, &frames, &count);
    if (error)
        return error;
    for (size_t i = 0; i < count && i < SHOWN; i++)
        print_frame(command, i, &frames[i]);
    if (count > SHOWN)
        fprintf(stderr, "  and %zu frames more\n", count - SHOWN);
    return NULL;
}

struct rt_error *hx_wasi_command_drive(struct hx_wasi_command *command, const char *name, int *ret_status) {
    struct st_event event = {0};
    bool trapped = false;
    struct rt_error *error = NULL;

    while (!error && event.kind != ST_EXIT) {
        error = st_session_next(command->session, &event);
        if (!error && event.kind == ST_TRAP) {
            trapped = true;
            error = print_trap(command, name, &event);
        }
    }
    if (error)
        return error;
    *ret_status = trapped ? HX_STATUS_TRAPPED : event.status;
    if (event.error && !trapped)
        return rt_error_format(event.error->code, "%s", event.error->message);
    return NULL;
}
