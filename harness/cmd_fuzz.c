/* `lockstep fuzz`: the main job. */
#include "harness/harness.h"

#include "harness/campaign.h"
#include "harness/cmd_options.h"
#include "harness/interrupt.h"
#include "harness/modules.h"
#include "harness/process.h"
#include "harness/program.h"

#include <string.h>
#include <unistd.h>

enum { MAX_JOBS = 1024 };

struct values {
    struct hx_seeds seeds;
    uint64_t time, jobs, stops, visits, time_limit;
    const char *source, *out, *cc, *native_cc, *opt, *engine, *engines, *witness, *known, *csmith;
    uint64_t steps;
    bool coarse, replay, blame, json;
};

static const struct values defaults = {.source = HX_DEFAULT_SOURCE,
                                       .cc = HX_DEFAULT_CC,
                                       .opt = "-O0",
                                       .engine = "compiled",
                                       .stops = HX_DEFAULT_STOPS,
                                       .visits = HX_DEFAULT_VISITS,
                                       .steps = HX_DEFAULT_STEPS};

static const struct hx_option options[] = {
    {"--seeds", "A-B", HX_OPTION_SEEDS, offsetof(struct values, seeds),
     "seeds to try (1-100; with --time alone: from 1 on)"},
    {"--source", "SOURCE", HX_OPTION_TEXT, offsetof(struct values, source),
     "where programs come from: csmith, or wasi, whose programs use WASI widely; with --engines csmith,\n"
     "wasm-opt for random modules, or a folder of modules, and wasi with --replay (csmith)"},
    {"--time", "10m", HX_OPTION_DURATION, offsetof(struct values, time),
     "start no program after this long: 90s, 10m, 2h"},
    {"--jobs", "N", HX_OPTION_NUMBER, offsetof(struct values, jobs), "programs at a time (number of cores)"},
    {"--out", "DIR", HX_OPTION_TEXT, offsetof(struct values, out),
     "keep each finding in a folder of its own in DIR (nothing is kept)"},
    HX_COMPILER_OPTIONS(struct values),
    HX_ENGINE_OPTION(struct values),
    HX_WITNESS_OPTIONS(struct values),
    HX_LIMIT_OPTIONS(struct values),
    HX_ENGINES_OPTIONS(struct values),
    {"--csmith", "WORDS", HX_OPTION_TEXT, offsetof(struct values, csmith),
     "more words for Csmith's command line"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json),
     "print one JSON object a program; the summary goes to standard error"},
};

/* Where programs come from. */
struct origin {
    const struct hx_generator *generator; /* NULL: no programs in C */
    const struct hx_tools *tools;         /* NULL when nothing is compiled */
    const struct hx_engines *engines;
    const char *const *modules; /* of a folder, else NULL */
    size_t module_count;
};

/* With --engines: what to compare, on which modules. Fills `engines`; ret->tools is set already. */
static struct rt_error *engines_of(const struct values *values, struct rt_arena *arena,
                                   struct hx_engines *engines, struct origin *ret) {
    static const char *const args[] = {"program"};
    struct rt_error *error = hx_engines_parse(values->engines, engines->engines);

    engines->max_steps = values->steps;
    engines->is_coarse = values->coarse;
    engines->is_replay = values->replay;
    engines->args = args;
    engines->arg_count = 1;
    ret->engines = engines;
    if (error)
        return error;
    if (strcmp(values->source, "wasm-opt") == 0)
        return hx_tool_find("wasm-opt", "binaryen", arena, &engines->wasm_opt);
    if (strcmp(values->source, hx_generator_wasi.name) == 0 && !values->replay)
        return rt_error_format(RT_USAGE,
                               "--engines: what programs of --source wasi see of their host is never the "
                               "same twice; add --replay, or take csmith, wasm-opt, or a folder of modules");
    ret->generator = strcmp(values->source, hx_generator_csmith.name) == 0 ? &hx_generator_csmith
                     : strcmp(values->source, hx_generator_wasi.name) == 0 ? &hx_generator_wasi
                                                                           : NULL;
    return ret->generator ? NULL : hx_modules_list(values->source, arena, &ret->modules, &ret->module_count);
}

static struct rt_error *campaign_of(const struct values *values, const struct origin *origin,
                                    const struct hx_known *known, struct hx_campaign *ret) {
    const struct hx_tools *tools = origin->tools;
    unsigned time_limit = (unsigned)values->time_limit;
    struct hx_seeds seeds = values->seeds;
    enum rt_engine engine;

    struct rt_error *error = rt_engine_parse(values->engine, &engine);
    if (error)
        return rt_error_context(error, "--engine");
    if (values->jobs > MAX_JOBS)
        return rt_error_format(RT_USAGE, "--jobs: at most %d", MAX_JOBS);
    if (!seeds.is_set)
        seeds = (struct hx_seeds){.first = 1, .last = values->time ? UINT64_MAX : 100};
    if (origin->modules && seeds.last > origin->module_count)
        seeds.last = origin->module_count;
    if (origin->modules && (seeds.first == 0 || seeds.first > seeds.last))
        return rt_error_format(RT_USAGE, "--seeds: the folder has modules 1 to %zu", origin->module_count);
    if (!time_limit)
        time_limit = origin->engines ? HX_DEFAULT_ENGINES_TIME_LIMIT : HX_DEFAULT_TIME_LIMIT;
    *ret = (struct hx_campaign){
        .setup = {.tools = tools,
                  .generator = origin->generator,
                  .csmith_words = values->csmith,
                  .max_stops = values->stops,
                  .max_visits = values->visits,
                  .time_limit = time_limit,
                  .engine = engine,
                  .engines = origin->engines,
                  .is_one_compiler = tools && hx_tools_are_alike(tools),
                  .is_unoptimised = tools && strcmp(tools->optimisation, "-O0") == 0},
        .modules = origin->modules,
        .known = known,
        .first_seed = seeds.first,
        .last_seed = seeds.last,
        .time_limit = values->time,
        .jobs = values->jobs ? (unsigned)values->jobs : hx_core_count(),
        .out = values->out,
        .json = values->json,
        .progress = isatty(STDERR_FILENO),
    };
    return NULL;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    struct values complete = *(const struct values *)all;
    const struct values *const values = &complete;
    struct hx_tools_choice choice = {
        .cc = values->cc, .native_cc = values->native_cc, .optimisation = values->opt};
    struct hx_tools tools = {0};
    struct hx_known known = {0};
    struct hx_temp temp = {0};
    struct hx_engines engines = {0};
    struct hx_witnesses witnesses = {.count = 0};
    struct origin origin = {0};
    struct hx_campaign campaign;
    struct hx_tally tally;
    struct rt_arena arena;
    struct rt_error *error;

    if (complete.replay && !complete.engines)
        complete.engines = HX_REPLAY_ENGINES;
    if (arguments->count > 0)
        return rt_error_format(RT_USAGE, "takes no argument '%s'", arguments->items[0]);
    const bool wants_witnesses = values->witness || values->blame;
    if (wants_witnesses && values->engines)
        return rt_error_format(RT_USAGE, HX_NO_WITNESSES);
    rt_arena_init(&arena, 0);
    hx_tally_init(&tally);
    hx_interrupt_catch();
    double started = hx_seconds();
    error = hx_known_load(values->known, &known);
    if (!error)
        error = hx_temp_create(&temp);
    if (!error && values->engines)
        error = engines_of(values, &arena, &engines, &origin);
    else if (!error && strcmp(values->source, "wasm-opt") == 0)
        error = rt_error_format(RT_USAGE, "--source wasm-opt needs --engines");
    else if (!error)
        error = hx_generator_find(values->source, values->csmith, &origin.generator);
    if (!error && origin.generator) {
        choice.generate = origin.generator->needs_csmith;
        error = hx_tools_find(&choice, &temp, &tools);
        origin.tools = &tools;
    }
    if (!error)
        error = campaign_of(values, &origin, &known, &campaign);
    if (!error && wants_witnesses && !origin.generator->has_native)
        error = rt_error_format(RT_USAGE, "--witness: programs of --source %s mean nothing natively",
                                origin.generator->name);
    if (!error && wants_witnesses) {
        error = hx_witnesses_create(values->witness, values->blame, campaign.setup.engine, origin.tools,
                                    &temp, &witnesses);
        campaign.setup.witnesses = &witnesses;
    }
    if (!error) {
        error = hx_campaign_run(&campaign, &temp, &tally);
        hx_tally_print(&tally, hx_seconds() - started, values->json ? stderr : stdout);
    }
    *ret_status = tally.unknown > 0 ? HX_STATUS_FOUND : HX_STATUS_CLEAN;
    /* A campaign that could not look at a single program has not found "nothing". */
    if (tally.programs > 0 && tally.verdicts[HX_SKIPPED] == tally.programs)
        *ret_status = HX_STATUS_ERROR;
    hx_tally_clear(&tally);
    hx_witnesses_clear(&witnesses);
    hx_tools_clear(&tools);
    hx_known_clear(&known);
    hx_temp_remove(&temp);
    rt_arena_clear(&arena);
    return error;
}

const struct hx_command hx_command_fuzz = {
    .name = "fuzz",
    .arguments = "[--seeds A-B] [--time 10m] [--jobs N] [--out DIR] [OPTIONS]",
    .summary = "Generates C programs, compiles each natively and to wasm32-wasi, steps both and compares.",
    .details = HX_GENERATE_RULE
    "\n\nThe programs of --source wasi use WASI widely and mean nothing natively: each is compiled to Wasm\n"
    "at --opt and at another level, and what the two print and how they end is compared."
    "\n\nWith --engines, a module alone is compared in two engines (see `lockstep check --help`): a\n"
    "program's, a random one of --source wasm-opt, or those of the folder that --source names, where\n"
    "--seeds A-B takes the A-th to the B-th. With --replay, recorded runs of it are compared\n"
    "with their replays, and --source wasi is another source: each recorded run gets its folders anew."
    "\n\n" HX_WITNESS_RULE
    "\n\nExit status: 0 when all findings are known or there are none, 1 when one is not known, 2 when\n"
    "not one program could be checked. Ctrl-C ends the campaign, keeps what was found and prints the\n"
    "summary.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
