/* `lockstep replay`: runs a recorded program again from its trace alone. */
#include "harness/harness.h"

#include "harness/replay_node.h"
#include "harness/replay_output.h"
#include "harness/trace.h"
#include "harness/travel.h"
#include "harness/wasi_command.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

struct values {
    const char *wasm, *engine, *node;
    struct hx_native_options native;
    bool interactive, json;
    uint64_t budget; /* MiB */
};

static const struct values defaults = {.engine = "compiled", .budget = 256};

static const struct hx_option options[] = {
    {"--wasm", "FILE.wasm", HX_OPTION_TEXT, offsetof(struct values, wasm),
     "the recorded module (the file that was recorded, when it still is the same)"},
    {"--engine", "ENGINE", HX_OPTION_TEXT, offsetof(struct values, engine),
     "what runs the Wasm side: compiled, interp, or node (compiled)"},
    {"--node", "PATH", HX_OPTION_TEXT, offsetof(struct values, node),
     "with --engine node: the Node to run ($NODE, else the one on PATH); 18 or newer"},
    HX_NATIVE_OPTIONS(struct values, native),
    {"--interactive", NULL, HX_OPTION_FLAG, offsetof(struct values, interactive),
     "step it forwards and backwards by commands from standard input; `help` lists them"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json),
     "with --interactive: answer a command with a JSON object, and what is printed, too"},
    {"--budget", "MIB", HX_OPTION_NUMBER, offsetof(struct values, budget),
     "with --interactive: what checkpoints may take together, in MiB (256)"},
};

/* A replay on a session's stack. What comes of it is kept here, as traps on the way are the session's. */
struct replay {
    struct rt_replayer *replayer;
    struct rt_replay_result result;
    struct rt_error *error;
};

static struct rt_error *run_replay(void *user, struct rt_instance *instance, int *ret_status) {
    struct replay *replay = user;

    (void)instance;
    replay->error = rt_replayer_run(replay->replayer, &replay->result);
    *ret_status = (int)replay->result.status;
    return NULL;
}

static struct rt_error *open_trace(const char *path, struct rt_trace_reader **ret) {
    struct rt_trace_source source;
    struct rt_error *error = rt_trace_source_file(path, &source);

    return error ? error : rt_trace_reader_create(source, ret);
}

static struct rt_error *play(struct hx_wasi_command *guest, struct replay *replay,
                             const struct hx_native_options *native, int *ret_status) {
    const struct st_session_options session = {.run = run_replay, .run_user = replay};
    struct rt_error *error = rt_replayer_start(replay->replayer);
    struct rt_instance *instance = rt_replayer_instance(replay->replayer);

    if (error)
        return error;
    if (!instance) { /* then there is nothing to run either */
        error = rt_replayer_run(replay->replayer, &replay->result);
        *ret_status = (int)replay->result.status;
        return error;
    }
    error = st_session_create_wasm(instance, guest->debug, &session, &guest->session);
    if (!error)
        error = hx_native_view_open(native, instance, guest->debug, &guest->view);
    if (!error)
        error = hx_wasi_command_drive(guest, "replay", ret_status);
    if (replay->error) {
        rt_error_destroy(error);
        error = replay->error;
    }
    return error;
}

/* What is to be said of a replay that came to the trace's end. */
static struct rt_error *conclude(const char *path, const struct replay *replay,
                                 const struct hx_replay_output *output, int *ret_status) {
    const struct rt_replay_result *result = &replay->result;

    if (output->has_failed)
        return rt_error_format(RT_OS, "cannot write what the guest prints");
    if (!result->has_end) {
        fprintf(stderr, "lockstep replay: %s: ", path);
        if (result->is_cut)
            fprintf(stderr, "cut short: %llu bytes are behind the last whole block; ",
                    (unsigned long long)result->behind);
        fprintf(stderr, "%llu events are replayed, and the program has not ended there\n",
                (unsigned long long)result->events);
        *ret_status = HX_STATUS_FOUND;
    } else if (result->outcome == RT_TRACE_FAILED ||
               (result->outcome == RT_TRACE_TRAPPED && *ret_status != HX_STATUS_TRAPPED)) {
        return rt_error_format(RT_OS, "%s", rt_replayer_failure(replay->replayer)); /* as `run` has it */
    }
    return NULL;
}

static struct rt_error *run_node(const char *trace, const struct values *values, int *ret_status) {
    struct hx_replay_node node = {.trace = trace, .node = values->node};
    struct rt_trace_reader *reader = NULL;
    struct rt_error *error = open_trace(trace, &reader);

    if (!error)
        error = hx_trace_module(rt_trace_reader_header(reader), values->wasm, &node.module);
    if (!error)
        error = hx_replay_in_node(&node, reader, ret_status);
    rt_trace_reader_destroy(reader);
    return error ? rt_error_context(error, "%s", trace) : NULL;
}

/* Takes the reader. */
static struct rt_error *travel(const char *trace, const char *module, enum rt_engine engine,
                               const struct values *values, struct rt_trace_reader *reader, int *ret_status) {
    const struct hx_travel_options how = {.module = module,
                                          .engine = engine,
                                          .is_json = values->json,
                                          .budget = values->budget < 1 << 20 ? (size_t)values->budget << 20
                                                                             : SIZE_MAX};
    struct rt_error *error = hx_travel(&how, reader, ret_status);

    return error ? rt_error_context(error, "%s", trace) : NULL;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct rt_compile_options compile = {.canonical_nans = true};
    struct hx_replay_output output = hx_replay_output_make(hx_replay_output_write, NULL);
    struct rt_trace_reader *reader = NULL;
    struct hx_wasi_command guest = {0};
    struct replay replay = {0};
    const char *module;

    if (arguments->count != 1)
        return rt_error_format(RT_USAGE, "needs one trace");
    const bool is_node = strcmp(values->engine, "node") == 0;
    if (values->interactive && is_node)
        return rt_error_format(RT_USAGE,
                               "--interactive: Node cannot be stepped; --engine compiled or interp can");
    if ((values->interactive || is_node) && (values->native.debugger || values->native.perf))
        return rt_error_format(RT_USAGE, "-g and --perf are for a replay on our engines that runs through");
    signal(SIGPIPE, SIG_IGN);
    if (is_node)
        return run_node(arguments->items[0], values, ret_status);
    struct rt_error *error = rt_engine_parse(values->engine, &compile.engine);
    if (error)
        return rt_error_context(error, "--engine");
    error = hx_native_options_apply(&values->native, &compile);
    if (error)
        return error;
    error = open_trace(arguments->items[0], &reader);
    if (!error)
        error = hx_trace_module(rt_trace_reader_header(reader), values->wasm, &module);
    if (!error && values->interactive)
        return travel(arguments->items[0], module, compile.engine, values, reader, ret_status);
    if (!error)
        error = hx_wasi_command_open(module, &compile, &guest);
    if (!error) {
        const struct rt_replayer_options replayer = {
            .codes = &guest.code, .code_count = 1, .at_event = hx_replay_output_event, .user = &output};
        error = rt_replayer_create(guest.store, reader, &replayer, &replay.replayer);
        reader = NULL;
    }
    if (!error)
        error = play(&guest, &replay, &values->native, ret_status);
    if (!error)
        error = conclude(arguments->items[0], &replay, &output, ret_status);
    if (error)
        error = rt_error_context(error, "%s", arguments->items[0]);
    if (error && error->code == RT_DIVERGED) { /* found something, and can say what */
        fprintf(stderr, "lockstep replay: %s\n", error->message);
        rt_error_destroy(error);
        error = NULL;
        *ret_status = HX_STATUS_FOUND;
    }
    rt_trace_reader_destroy(reader);
    rt_replayer_destroy(replay.replayer);
    hx_wasi_command_close(&guest);
    return error;
}

const struct hx_command hx_command_replay = {
    .name = "replay",
    .arguments = "FILE.trace [--wasm FILE.wasm] [--engine compiled|interp|node] [--interactive [--json]]",
    .summary = "Runs a recorded WASI command again, from its trace alone.",
    .details =
        "No file, clock or argument of the recorded run is needed: imports are answered from the trace, and\n"
        "everything that the guest does at its boundary is compared with what was recorded. It prints what\n"
        "the recorded run printed, and ends with its exit status, or with 1 at the first difference, which\n"
        "is shown. A trace that was cut short is replayed up to its last whole block; exit status 1. A\n"
        "module other than the recorded one is refused.\n"
        "\n"
        "Engine \"node\" is another implementation of all that, on V8: a proof that a trace depends on no\n"
        "engine. It needs Node.\n"
        "\n"
        "With --interactive it stops at the first statement and reads commands, one a line: step, next,\n"
        "finish, continue, each also reverse-..., goto N, last-write WHAT, break, watch, where, locals, "
        "print,\n"
        "list, help, quit. Stops are numbered: statements that are reached, traps, the end. Stop N is the\n"
        "same from wherever one comes. What the program prints is printed once.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
