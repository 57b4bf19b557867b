/* `lockstep fuzz`: the main job. */
#include "harness/harness.h"

#include "harness/campaign.h"
#include "harness/cmd_options.h"
#include "harness/interrupt.h"
#include "harness/process.h"
#include "harness/program.h"

#include <string.h>
#include <unistd.h>

enum { MAX_JOBS = 1024 };

struct values {
    struct hx_seeds seeds;
    uint64_t time, jobs, stops, visits, time_limit;
    const char *source, *out, *cc, *native_cc, *opt, *known, *csmith;
    bool json;
};

static const struct values defaults = {.source = HX_DEFAULT_SOURCE,
                                       .cc = HX_DEFAULT_CC,
                                       .opt = "-O0",
                                       .stops = HX_DEFAULT_STOPS,
                                       .visits = HX_DEFAULT_VISITS,
                                       .time_limit = HX_DEFAULT_TIME_LIMIT};

static const struct hx_option options[] = {
    {"--seeds", "A-B", HX_OPTION_SEEDS, offsetof(struct values, seeds),
     "seeds to try (1-100; with --time alone: from 1 on)"},
    HX_SOURCE_OPTION(struct values),
    {"--time", "10m", HX_OPTION_DURATION, offsetof(struct values, time),
     "start no program after this long: 90s, 10m, 2h"},
    {"--jobs", "N", HX_OPTION_NUMBER, offsetof(struct values, jobs), "programs at a time (number of cores)"},
    {"--out", "DIR", HX_OPTION_TEXT, offsetof(struct values, out),
     "keep each finding in a folder of its own in DIR (nothing is kept)"},
    HX_COMPILER_OPTIONS(struct values),
    HX_LIMIT_OPTIONS(struct values),
    {"--csmith", "WORDS", HX_OPTION_TEXT, offsetof(struct values, csmith),
     "more words for Csmith's command line"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json),
     "print one JSON object a program; the summary goes to standard error"},
};

static struct rt_error *campaign_of(const struct values *values, const struct hx_generator *generator,
                                    const struct hx_tools *tools, const struct hx_known *known,
                                    struct hx_campaign *ret) {
    struct hx_seeds seeds = values->seeds;

    if (values->jobs > MAX_JOBS)
        return rt_error_format(RT_USAGE, "--jobs: at most %d", MAX_JOBS);
    if (!seeds.is_set)
        seeds = (struct hx_seeds){.first = 1, .last = values->time ? UINT64_MAX : 100};
    *ret = (struct hx_campaign){
        .setup = {.tools = tools,
                  .generator = generator,
                  .csmith_words = values->csmith,
                  .max_stops = values->stops,
                  .max_visits = values->visits,
                  .time_limit = (unsigned)values->time_limit,
                  .is_one_compiler = hx_tools_are_alike(tools),
                  .is_unoptimised = strcmp(tools->optimisation, "-O0") == 0},
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
    const struct values *values = all;
    struct hx_tools_choice choice = {
        .cc = values->cc, .native_cc = values->native_cc, .optimisation = values->opt};
    const struct hx_generator *generator;
    struct hx_tools tools = {0};
    struct hx_known known = {0};
    struct hx_temp temp = {0};
    struct hx_campaign campaign;
    struct hx_tally tally;
    struct rt_error *error;

    if (arguments->count > 0)
        return rt_error_format(RT_USAGE, "takes no argument '%s'", arguments->items[0]);
    error = hx_generator_find(values->source, values->csmith, &generator);
    if (error)
        return error;
    choice.generate = generator->needs_csmith;
    hx_tally_init(&tally);
    hx_interrupt_catch();
    double started = hx_seconds();
    error = hx_known_load(values->known, &known);
    if (!error)
        error = hx_temp_create(&temp);
    if (!error)
        error = hx_tools_find(&choice, &temp, &tools);
    if (!error)
        error = campaign_of(values, generator, &tools, &known, &campaign);
    if (!error) {
        error = hx_campaign_run(&campaign, &temp, &tally);
        hx_tally_print(&tally, hx_seconds() - started, values->json ? stderr : stdout);
    }
    *ret_status = tally.unknown > 0 ? HX_STATUS_FOUND : HX_STATUS_CLEAN;
    /* A campaign that could not look at a single program has not found "nothing". */
    if (tally.programs > 0 && tally.verdicts[HX_SKIPPED] == tally.programs)
        *ret_status = HX_STATUS_ERROR;
    hx_tally_clear(&tally);
    hx_tools_clear(&tools);
    hx_known_clear(&known);
    hx_temp_remove(&temp);
    return error;
}

const struct hx_command hx_command_fuzz = {
    .name = "fuzz",
    .arguments = "[--seeds A-B] [--time 10m] [--jobs N] [--out DIR] [OPTIONS]",
    .summary = "Generates C programs, compiles each natively and to wasm32-wasi, steps both and compares.",
    .details = HX_GENERATE_RULE
    "\n\nThe programs of --source wasi use WASI widely and mean nothing natively: each is compiled to Wasm\n"
    "at --opt and at another level, and what the two print and how they end is compared."
    "\n\nExit status: 0 when all findings are known or there are none, 1 when one is not known, 2 when\n"
    "not one program could be checked. Ctrl-C ends the campaign, keeps what was found and prints the\n"
    "summary.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
