/* `lockstep check`: the same comparison for one program, or for a pair that was built elsewhere. */
#include "harness/harness.h"

#include "harness/cmd_options.h"
#include "harness/finding.h"
#include "harness/interrupt.h"
#include "harness/job.h"
#include "harness/known.h"
#include "harness/publish.h"
#include "harness/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct values {
    const char *out, *sarif, *junit, *native, *wasm, *cc, *native_cc, *opt, *wasm_opt, *engine, *engines,
        *witness, *invoke, *known;
    uint64_t stops, visits, steps, time_limit;
    struct hx_list dirs, env;
    bool coarse, replay, self, blame, json;
};

static const struct values defaults = {.cc = HX_DEFAULT_CC,
                                       .opt = "-O0",
                                       .engine = "compiled",
                                       .stops = HX_DEFAULT_STOPS,
                                       .visits = HX_DEFAULT_VISITS,
                                       .steps = HX_DEFAULT_STEPS};

static const struct hx_option options[] = {
    {"--native", "FILE.so", HX_OPTION_TEXT, offsetof(struct values, native),
     "a shared object with debug information that exports main"},
    {"--wasm", "FILE.wasm", HX_OPTION_TEXT, offsetof(struct values, wasm),
     "the same program as a WASI command with debug information"},
    HX_COMPILER_OPTIONS(struct values),
    HX_WASM_OPT_OPTION(struct values),
    HX_ENGINE_OPTION(struct values),
    HX_WITNESS_OPTIONS(struct values),
    HX_LIMIT_OPTIONS(struct values),
    HX_SELF_OPTION(struct values),
    HX_ENGINES_OPTIONS(struct values),
    {"--invoke", "NAME[,ARGS]", HX_OPTION_TEXT, offsetof(struct values, invoke),
     "with --engines: call this export alone"},
    {"--dir", "HOST[::GUEST]", HX_OPTION_LIST, offsetof(struct values, dirs),
     "with --engines: let both guests use the folder HOST; with --replay: a copy for each recorded run"},
    {"--env", "NAME=VALUE", HX_OPTION_LIST, offsetof(struct values, env),
     "with --engines: set a variable of the guests' environment"},
    {"--out", "DIR", HX_OPTION_TEXT, offsetof(struct values, out),
     "keep each finding in a folder of its own in DIR, for `lockstep show`"},
    HX_PUBLISH_OPTIONS(struct values),
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object"},
};

static struct rt_error *absolute(const char *path, struct rt_arena *arena, const char **ret) {
    struct rt_error *error = hx_path_real(path, arena, ret);

    if (!error && access(*ret, R_OK) != 0)
        error = rt_error_os(errno, "cannot open %s", path);
    return error;
}

static bool is_c_file(const char *path) {
    const size_t length = strlen(path);
    return length > 2 && strcmp(path + length - 2, ".c") == 0;
}

/* What the command line names, with absolute paths: the worker runs in a folder of its own. */
static struct rt_error *source_of(const struct hx_arguments *arguments, const struct values *values,
                                  struct rt_arena *arena, struct hx_source *ret) {
    struct rt_error *error;

    *ret = (struct hx_source){0};
    if (values->self && values->engines)
        return rt_error_format(RT_USAGE, "--self and --engines are two comparisons: choose one");
    if (values->self && (values->native || values->wasm)) {
        if (arguments->count > 0)
            return rt_error_format(RT_USAGE, "--self takes a C file, or builds by --native and --wasm");
        error = values->native ? absolute(values->native, arena, &ret->native) : NULL;
        return error || !values->wasm ? error : absolute(values->wasm, arena, &ret->wasm);
    }
    if (values->native || values->wasm) {
        if (!values->native || !values->wasm || arguments->count > 0)
            return rt_error_format(RT_USAGE, "a pair is --native FILE.so and --wasm FILE.wasm, nothing else");
        error = absolute(values->native, arena, &ret->native);
        return error ? error : absolute(values->wasm, arena, &ret->wasm);
    }
    if (values->engines && arguments->before_dashes != 1)
        return rt_error_format(RT_USAGE, "%s its arguments come after --",
                               values->replay ? "--replay needs one C or Wasm file;"
                                              : "--engines needs one Wasm file;");
    if (values->engines) {
        const bool is_source = values->replay && is_c_file(arguments->items[0]);
        return absolute(arguments->items[0], arena, is_source ? &ret->c_file : &ret->wasm);
    }
    if (arguments->count != 1)
        return rt_error_format(RT_USAGE, "needs one C file, or --native and --wasm");
    return absolute(arguments->items[0], arena, &ret->c_file);
}

/* The folders are opened from the worker's own working folder. */
static struct rt_error *engines_of(const struct hx_arguments *arguments, const struct values *values,
                                   struct rt_arena *arena, struct hx_engines *ret) {
    const struct rt_wasi_dir *dirs;
    struct rt_wasi_dir *real = rt_arena_array(arena, values->dirs.count, sizeof *real);
    struct hx_list env = {.count = 0};

    *ret = (struct hx_engines){.max_steps = values->steps,
                               .is_coarse = values->coarse,
                               .is_replay = values->replay,
                               .invoke = values->invoke,
                               .args = arguments->items,
                               .arg_count = arguments->count,
                               .dirs = real,
                               .dir_count = values->dirs.count};
    struct rt_error *error = hx_engines_parse(values->engines, ret->engines);
    if (!error && !real)
        error = rt_error_out_of_memory();
    if (!error)
        error = hx_parse_dirs(&values->dirs, arena, &dirs);
    if (!error)
        error = hx_parse_env(&values->env, arena, &env);
    ret->env = env.items;
    ret->env_count = env.count;
    for (size_t i = 0; i < values->dirs.count && !error; i++) {
        real[i].guest = dirs[i].guest;
        error = absolute(dirs[i].host, arena, &real[i].host);
    }
    return error;
}

static struct rt_error *print_result(const struct hx_result *result, const char *folder, bool json) {
    struct hx_buffer text = {0};
    struct rt_error *error = NULL;

    if (json) {
        hx_result_json(result, &text);
        hx_buffer_text(&text, "\n");
    } else {
        hx_report_result(result, folder, &text);
    }
    if (text.failed)
        error = rt_error_out_of_memory();
    else
        fputs(hx_buffer_string(&text), stdout);
    hx_buffer_clear(&text);
    return error;
}

/* Folders for all findings, one a signature. */
static struct rt_error *keep_findings(const char *out, const struct hx_job *job, struct hx_result *result) {
    const char *name;
    struct rt_error *error = NULL;

    if (result->finding_count > 0 && mkdir(out, 0777) != 0 && errno != EEXIST)
        return rt_error_os(errno, "cannot make the folder %s", out);
    for (size_t i = 0; i < result->finding_count && !error; i++)
        error = hx_finding_write(out, job, result, &result->findings[i], &name);
    return error;
}

static struct rt_error *check(const struct values *values, const struct hx_setup *setup,
                              const struct hx_source *source, const struct hx_temp *temp, int *ret_status) {
    struct hx_publisher publisher;
    struct hx_job job;
    struct hx_result result;
    struct rt_error *error;

    hx_publisher_init(&publisher, values->sarif, values->junit);
    hx_job_init(&job);
    hx_result_init(&result);
    error = hx_job_run(setup, source, temp, &job, &result);
    if (!error && result.verdict == HX_SKIPPED && !values->json)
        error = rt_error_format(RT_USAGE, "%s", result.reason);
    if (!error) {
        const struct hx_known_context context = hx_known_context_of(setup->tools, job.folder.path);
        *ret_status = hx_known_mark(setup->known, &context, &result) > 0 ? HX_STATUS_FOUND : HX_STATUS_CLEAN;
        if (values->out)
            error = keep_findings(values->out, &job, &result);
        if (!error)
            error = hx_publisher_add_result(&publisher, &result);
        if (!error)
            error = hx_publisher_write(&publisher);
        if (!error)
            error = print_result(&result, job.folder.path, values->json);
    }
    if (!error && result.verdict == HX_SKIPPED) {
        fprintf(stderr, "lockstep check: %s\n", result.reason);
        *ret_status = HX_STATUS_ERROR;
    }
    hx_publisher_clear(&publisher);
    hx_result_clear(&result);
    hx_job_clear(&job);
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    struct values complete = *(const struct values *)all;
    const struct values *const values = &complete;
    const struct hx_tools_choice choice = {.cc = values->cc,
                                           .native_cc = values->native_cc,
                                           .optimisation = values->opt,
                                           .wasm_opt = values->wasm_opt};
    struct hx_setup setup = {.max_stops = values->stops,
                             .max_visits = values->visits,
                             .time_limit = (unsigned)values->time_limit,
                             .is_self = values->self,
                             .self_steps = values->steps,
                             .is_one_compiler = !values->native_cc, /* of a pair that was built elsewhere */
                             .is_unoptimised = strcmp(values->opt, "-O0") == 0 && !values->wasm_opt};
    struct hx_engines engines;
    struct hx_known known = {0};
    struct hx_witnesses witnesses = {.count = 0};
    struct hx_tools tools = {0};
    struct hx_temp temp = {0};
    struct hx_source source;
    struct rt_arena arena;
    struct rt_error *error;

    if (complete.replay && !complete.engines)
        complete.engines = HX_REPLAY_ENGINES;
    if ((values->engines || values->self) && (values->witness || values->blame))
        return rt_error_format(RT_USAGE, HX_NO_WITNESSES);
    rt_arena_init(&arena, 0);
    hx_interrupt_catch();
    error = rt_engine_parse(values->engine, &setup.engine);
    if (error)
        error = rt_error_context(error, "--engine");
    if (!setup.time_limit)
        setup.time_limit =
            values->engines || values->self ? HX_DEFAULT_ENGINES_TIME_LIMIT : HX_DEFAULT_TIME_LIMIT;
    if (!error && values->engines) {
        error = engines_of(arguments, values, &arena, &engines);
        setup.engines = &engines;
    }
    if (!error)
        error = source_of(arguments, values, &arena, &source);
    if (!error)
        error = hx_temp_create(&temp);
    if (!error && source.c_file) {
        error = hx_tools_find(&choice, &temp, &tools);
        setup.tools = &tools;
        setup.is_one_compiler = !error && hx_tools_are_alike(&tools);
    }
    if (!error && (values->witness || values->blame)) {
        error =
            hx_witnesses_create(values->witness, values->blame, setup.engine, setup.tools, &temp, &witnesses);
        setup.witnesses = &witnesses;
    }
    if (!error)
        error = hx_known_load(values->known, &known);
    setup.known = &known;
    if (!error)
        error = check(values, &setup, &source, &temp, ret_status);
    hx_known_clear(&known);
    hx_witnesses_clear(&witnesses);
    hx_tools_clear(&tools);
    hx_temp_remove(&temp);
    rt_arena_clear(&arena);
    return error;
}

const struct hx_command hx_command_check = {
    .name = "check",
    .arguments = "FILE.c | --native FILE.so --wasm FILE.wasm | --engines A,B FILE.wasm | "
                 "--replay FILE.c|FILE.wasm | --self FILE.c [OPTIONS] [-- ARGS]",
    .summary = "Steps one program's two builds side by side and compares what a debugger would show.",
    .details =
        "A C file is compiled as `lockstep fuzz` compiles. Of a pair that was built elsewhere, --opt\n"
        "says how: at -O0 a fixed pattern is written into locals before their first use, which in\n"
        "optimised code would do harm.\n\n"
        "With --engines, one module runs in two engines, which are each other's judge: at every\n"
        "instruction the next pc, the call stack, operands, locals, and what was written are compared.\n"
        "A WASI command runs its _start, with fixed clocks and random numbers and an empty input; of\n"
        "another module all exports are called, with made-up arguments and imports.\n\n"
        "With --replay, a run is recorded on the first engine and replayed on the second, and what that\n"
        "records is replayed on the first: all three must agree event by event. Then another run is\n"
        "recorded and replayed at the same time, side by side, compared at every instruction as above.\n"
        "Both runs have the real clocks and random numbers, an empty input, and a copy each of the folders\n"
        "of --dir.\n\n"
        "With --self, a build is its own judge: it is stepped by instructions, and a copy of it by lines.\n"
        "Both must come to the same statements with the same values; variables, ranges and call-frame\n"
        "information must not contradict what the instructions do. Of two builds made elsewhere one is "
        "enough.\n\n" HX_WITNESS_RULE "\n\n"
        "Exit status: 0 no difference, or known ones alone; 1 a difference; 2 it could not be checked.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
