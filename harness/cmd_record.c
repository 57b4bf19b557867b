/* `lockstep record`: runs a WASI command and records what crosses the boundary between it and the host. */
#include "harness/harness.h"

#include "harness/faults.h"
#include "harness/wasi_command.h"
#include "runtime/trace/trace.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct values {
    struct hx_run_values run;
    const char *output, *faults;
    struct hx_list rules;
    bool quiet;
};

static const struct values defaults = {.run = HX_RUN_DEFAULTS};

static const struct hx_option options[] = {
    {"-o", "FILE.trace", HX_OPTION_TEXT, offsetof(struct values, output), "where the trace goes (needed)"},
    HX_RUN_OPTIONS,
    {"--faults", "SEED", HX_OPTION_TEXT, offsetof(struct values, faults),
     "have WASI calls fail, transfer less, and so on, as this number says"},
    {"--fault", "RULE", HX_OPTION_LIST, offsetof(struct values, rules),
     "have this fault at these calls, as below; may be repeated"},
    {"--quiet", NULL, HX_OPTION_FLAG, offsetof(struct values, quiet),
     "do not tell each fault on standard error"},
};
_Static_assert(offsetof(struct values, run) == 0, "HX_RUN_OPTIONS");

static struct rt_error *start_recording(const struct hx_wasi_command *guest,
                                        const struct hx_arguments *arguments, const struct values *values,
                                        struct rt_recorder **ret) {
    static const struct rt_trace_writer_options writer = {.in_background = true};
    const struct rt_recorder_module module = {guest->code, arguments->items[0]};
    const struct rt_recorder_options recorder = {.modules = &module,
                                                 .module_count = 1,
                                                 .engine = "lockstep " LOCKSTEP_VERSION,
                                                 .command = arguments->items,
                                                 .command_count = arguments->count,
                                                 .writer = &writer};
    struct rt_trace_sink sink;
    struct rt_error *error = rt_trace_sink_file(values->output, &sink);

    return error ? error : rt_recorder_create(guest->store, sink, &recorder, ret);
}

/* ---- Faults ---- */

struct listener {
    struct rt_recorder *recorder;
    bool quiet;
};

static struct rt_error *tell_fault(void *user, uint64_t call, const char *rule) {
    const struct listener *listener = user;

    if (!listener->quiet)
        fprintf(stderr, "lockstep record: call %llu: fault %s\n", (unsigned long long)call, rule);
    return rt_recorder_message(listener->recorder, "fault", rule, strlen(rule));
}

/* The plan that the options make; NULL without any. */
static struct rt_error *make_faults(const struct values *values, struct hx_faults **ret) {
    struct rt_error *error = NULL;

    if (!values->faults && !values->rules.count)
        return NULL;
    error = hx_faults_create(ret);
    for (size_t i = 0; i < values->rules.count && !error; i++)
        error = hx_faults_add(*ret, values->rules.items[i]);
    if (!error && values->faults) {
        char *end;
        const unsigned long long seed = strtoull(values->faults, &end, 10);
        if (values->faults[0] < '0' || values->faults[0] > '9' || *end)
            return rt_error_format(RT_USAGE, "--faults: '%s' is not a number", values->faults);
        hx_faults_seed(*ret, seed);
    }
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct rt_compile_options compile = {.canonical_nans = true};
    struct hx_wasi_command guest = {0};
    struct rt_recorder *recorder = NULL;
    struct hx_faults *faults = NULL;
    struct listener listener = {.quiet = values->quiet};

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
        error = make_faults(values, &faults);
    if (!error)
        error = start_recording(&guest, arguments, values, &recorder);
    if (!error && faults) {
        listener.recorder = recorder;
        hx_faults_attach(faults, guest.store, tell_fault, &listener);
    }
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
    hx_faults_destroy(faults);
    return error;
}

const struct hx_command hx_command_record = {
    .name = "record",
    .arguments =
        "FILE.wasm -o FILE.trace [--engine compiled|interp] [--dir HOST[::GUEST]] [--env NAME=VALUE] "
        "[--faults SEED] [--fault RULE] [-- ARGS]",
    .summary = "Runs a WASI command and records it, for `lockstep replay`.",
    .details =
        "Runs as `lockstep run` does, with the same exit status. The trace has what crossed the "
        "boundary\n"
        "between the guest and its host: calls of imports with their results, what the host wrote "
        "into the\n"
        "guest's memory, traps, the exit; runtime/trace/FORMAT.md specifies it. Until the guest has "
        "ended\n"
        "its events are in FILE.trace.part, which stays when this process dies, and can be replayed "
        "then.\n"
        "A trace that cannot be written ends the run with exit status 2.\n"
        "\n"
        "Faults are what a host does now and then: a full disk, a short write, a clock that is set. A\n"
        "replay has them from the trace. Each is told as a RULE of its own, for --fault another time:\n"
        "\n"
        "  FUNCTION#CALLS=FAULT     CALLS: N, N-M, or N- for all from N on; a function's first is 1\n"
        "  fd_write#3=nospc         an error by its name in WASI; the call is not made\n"
        "  fd_read#1-=short:100     transfers at most 100 bytes, and leaves the others for later\n"
        "  clock_time_get#2=jump:-5000\n"
        "                           the clock that is read goes back by 5000 milliseconds, and on from\n"
        "                           there\n"
        "  poll_oneoff#1=early      the first clock that is waited for is told to be due (early), or the\n"
        "                           first descriptor to be ready (spurious)\n"
        "\n"
        "A fault that does not fit its call, such as a short read of one byte, is passed over.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
