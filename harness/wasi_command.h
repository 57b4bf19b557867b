/* A WASI command that a person runs, records or replays: its module, how it is run on a session's stack, and
 * how a trap of it is shown. */
#ifndef LOCKSTEP_HARNESS_WASI_COMMAND_H
#define LOCKSTEP_HARNESS_WASI_COMMAND_H

#include "harness/cmd_options.h"
#include "harness/native_view.h"
#include "stepper/stepper.h"

enum { HX_STATUS_TRAPPED = 134 /* as a shell shows a program that aborted */ };

/* What the options of a run say: the first field of the values of each command that runs a guest. */
struct hx_run_values {
    const char *engine;
    struct hx_list dirs, env;
    struct hx_native_options native;
};
#define HX_RUN_DEFAULTS {.engine = "compiled"}
#define HX_RUN_OPTIONS                                                                                       \
    {"--dir", "HOST[::GUEST]", HX_OPTION_LIST, offsetof(struct hx_run_values, dirs),                         \
     "let the guest use the folder HOST, which it sees as GUEST"},                                           \
        {"--env", "NAME=VALUE", HX_OPTION_LIST, offsetof(struct hx_run_values, env),                         \
         "set a variable of the guest's environment"},                                                       \
        {"--engine", "ENGINE", HX_OPTION_TEXT, offsetof(struct hx_run_values, engine),                       \
         "run it compiled or in the interpreter: compiled or interp (compiled)"},                            \
        HX_NATIVE_OPTIONS(struct hx_run_values, native)

/* A guest's run and all that it needs. All zero is empty. */
struct hx_wasi_command {
    struct rt_module *module;
    struct st_debug *debug; /* NULL when the module has no debug information */
    struct rt_code *code;
    struct rt_store *store;
    struct rt_wasi *wasi;
    struct rt_instance *instance; /* of link; the store's */
    struct st_session *session;
    struct hx_native_view *view;
};

/* Reads and compiles the module, for a native debugger so that each statement has code of its own, and makes
 * a store. */
RT_MUST_USE struct rt_error *hx_wasi_command_open(const char *path, const struct rt_compile_options *compile,
                                                  struct hx_wasi_command *ret);
/* Gives it WASI by the options and the arguments (the module's path, and what follows "--"), and a session.
 * What the options hold is not kept. */
RT_MUST_USE struct rt_error *hx_wasi_command_link(struct hx_wasi_command *command,
                                                  const struct hx_arguments *arguments,
                                                  const struct hx_run_values *values);
/* Runs the session to its end. A trap is shown on standard error, after `name` ("run"), with the Wasm call
 * stack; then the status is 134. Another failure of the guest is an error. */
RT_MUST_USE struct rt_error *hx_wasi_command_drive(struct hx_wasi_command *command, const char *name,
                                                   int *ret_status);
void hx_wasi_command_close(struct hx_wasi_command *command);

#endif
