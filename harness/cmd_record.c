/* `lockstep record`: runs a WASI command and records what crosses the boundary between it and the host. */
#include "harness/harness.h"

#include "harness/wasi_command.h"
#include "runtime/trace/trace.h"

#include <signal.h>

struct values {
    struct hx_run_values run;
    const char *output;
};

static const struct values defaults = {.run = HX_RUN_DEFAULTS};

static const struct hx_option options[] = {
    {"-o", "FILE.trace", HX_OPTION_TEXT, offsetof(struct values, output), "where the trace goes (needed)"},
    HX_RUN_OPTIONS,
};
_Static_assert(offsetof(struct values, run) == 0, "HX_RUN_OPTIONS");

static struct rt_error *start_recording(const struct hx_wasi_command *guest,
                                        const struct hx_arguments *arguments, const struct values *values,
                                        struct rt_recorder **ret) {
    const struct rt_recorder_module module = {guest->code, arguments->items[0]};
    const struct rt_recorder_options recorder = {.modules = &module,
                                                 .module_count = 1,
                                                 .engine = "lockstep " LOCKSTEP_VERSION,
                                                 .command = arguments->items,
                                                 .command_count = arguments->count};
    struct rt_trace_sink sink;
    struct rt_error *error = rt_trace_sink_file(values->output, &sink);

    return error ? error : rt_recorder_create(guest->store, sink, &recorder, ret);
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct rt_compile_options compile = {.canonical_nans = true};
    struct hx_wasi_command guest = {0};
    struct rt_recorder *recorder = NULL;

    if (arguments->before_dashes != 1)
        return rt_error_format(RT_USAGE, "needs one Wasm file; its arguments come after --");
    if (!values->output)
        return rt_error_format(RT_USAGE, "needs -o FILE.trace");
    struct rt_error *error = rt_engine_parse(values->run.engine, &compile.engine);
    if (error)
        return rt_error_context(error, "--engine");
    error = hx_native_options_apply(&values->run.native, &compile);
    if (error)
        return error;
    signal(SIGPIPE, SIG_IGN); /* as `run` has it */
    signal(SIGXFSZ, SIG_IGN); /* a trace that grows too large is an error */
    error = hx_wasi_command_open(arguments->items[0], &compile, &guest);
    if (!error)
        error = start_recording(&guest, arguments, values, &recorder);
    if (!error)
        error = hx_wasi_command_link(&guest, arguments, &values->run);
    if (!error) {
        error = hx_wasi_command_drive(&guest, "record", ret_status);
        /* How the guest failed is in the trace; a failure to record would be told twice. */
        struct rt_error *unfinished = rt_recorder_finish(recorder);
        if (error)
            rt_error_destroy(unfinished);
        else
            error = unfinished;
    }
    rt_recorder_destroy(recorder);
    hx_wasi_command_close(&guest);
    return error;
}

const struct hx_command hx_command_record = {
    .name = "record",
    .arguments =
        "FILE.wasm -o FILE.trace [--engine compiled|interp] [--dir HOST[::GUEST]] [--env NAME=VALUE] "
        "[-- ARGS]",
    .summary = "Runs a WASI command and records it, for `lockstep replay`.",
    .details = "Runs as `lockstep run` does, with the same exit status. The trace has what crossed the "
               "boundary\n"
               "between the guest and its host: calls of imports with their results, what the host wrote "
               "into the\n"
               "guest's memory, traps, the exit; runtime/trace/FORMAT.md specifies it. Until the guest has "
               "ended\n"
               "its events are in FILE.trace.part, which stays when this process dies, and can be replayed "
               "then.\n"
               "A trace that cannot be written ends the run with exit status 2.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
