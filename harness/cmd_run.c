/* `lockstep run`: runs a WASI command, and shows where it trapped. */
#include "harness/harness.h"

#include "harness/wasi_command.h"

#include <signal.h>

static const struct hx_run_values defaults = HX_RUN_DEFAULTS;

static const struct hx_option options[] = {HX_RUN_OPTIONS};

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct hx_run_values *values = all;
    struct rt_compile_options compile = {0};
    struct hx_wasi_command guest = {0};

    if (arguments->before_dashes != 1)
        return rt_error_format(RT_USAGE, "needs one Wasm file; its arguments come after --");
    struct rt_error *error = rt_engine_parse(values->engine, &compile.engine);
    if (error)
        return rt_error_context(error, "--engine");
    error = hx_native_options_apply(&values->native, &compile);
    if (error)
        return error;
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is EPIPE for the guest, which may want to say so */
    error = hx_wasi_command_open(arguments->items[0], &compile, &guest);
    if (!error)
        error = hx_wasi_command_link(&guest, arguments, values);
    if (!error)
        error = hx_wasi_command_drive(&guest, "run", ret_status);
    hx_wasi_command_close(&guest);
    return error;
}

const struct hx_command hx_command_run = {
    .name = "run",
    .arguments = "FILE.wasm [--engine compiled|interp] [--dir HOST[::GUEST]] [--env NAME=VALUE] [-g]\n"
                 "       [--perf map|jitdump] [-- ARGS]",
    .summary = "Runs a WASI command.",
    .details =
        "The exit status is the guest's own, modulo 256 as any process's. A guest that traps gives a "
        "message\n"
        "with the Wasm call stack and exit status 134; a file that cannot be run gives exit status 2.\n"
        "Writing to a closed pipe is an error for the guest, EPIPE, and does not end it.\n\n"
        "With -g a native debugger sees the guest's functions: in `gdb --args lockstep run -g FILE.wasm`, "
        "say\n"
        "`set breakpoint pending on` once, then break at a function, step, `finish`, `bt`. The guest's own\n"
        "code is a little slower then. A trap stops the debugger as SIGILL or SIGSEGV; `continue` goes on.\n"
        "A module with DWARF has its lines, variables and types there. Link with -Wl,--global-base=65536, "
        "and\n"
        "GDB can follow all pointers that lie in memory.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
