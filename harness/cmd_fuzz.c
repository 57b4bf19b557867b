/* `lockstep fuzz`: the main job. */
#include "harness/harness.h"

#include "harness/campaign.h"
#include "harness/cmd_options.h"
#include "harness/interrupt.h"
#include "harness/modules.h"
#include "harness/process.h"
#include "harness/program.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_JOBS = 1024 };

/* A number that the command line does not give. */
#define NOT_GIVEN UINT64_MAX

struct values {
    struct hx_seeds seeds;
    uint64_t time, jobs;
    const char *out, *resume, *sarif, *junit;
    bool json;
    /* Those of fuzz_flags.def: NULL and NOT_GIVEN until they are settled. */
#define HX_FUZZ_TEXT(field, name, otherwise)   const char *field;
#define HX_FUZZ_NUMBER(field, name, otherwise) uint64_t field;
#define HX_FUZZ_FLAG(field, name)              bool field;
#include "harness/fuzz_flags.def"
#undef HX_FUZZ_TEXT
#undef HX_FUZZ_NUMBER
#undef HX_FUZZ_FLAG
};

static const struct values defaults = {
#define HX_FUZZ_TEXT(field, name, otherwise)   .field = NULL,
#define HX_FUZZ_NUMBER(field, name, otherwise) .field = NOT_GIVEN,
#define HX_FUZZ_FLAG(field, name)              .field = false,
#include "harness/fuzz_flags.def"
#undef HX_FUZZ_TEXT
#undef HX_FUZZ_NUMBER
#undef HX_FUZZ_FLAG
};

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
     "keep the campaign in DIR, or go on with it: a database, a folder a signature (nothing is kept)"},
    {"--resume", "DIR", HX_OPTION_TEXT, offsetof(struct values, resume),
     "go on with the campaign in DIR, with its flags and what is left of its seeds and time"},
    HX_COMPILER_OPTIONS(struct values),
    HX_WASM_OPT_OPTION(struct values),
    HX_ENGINE_OPTION(struct values),
    HX_WITNESS_OPTIONS(struct values),
    HX_LIMIT_OPTIONS(struct values),
    HX_SELF_OPTION(struct values),
    HX_ENGINES_OPTIONS(struct values),
    {"--csmith", "WORDS", HX_OPTION_TEXT, offsetof(struct values, csmith),
     "more words for Csmith's command line"},
    HX_PUBLISH_OPTIONS(struct values),
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

/* ---- Flags ---- */

static struct rt_error *settle_text(const char *name, const char *stored, const char *otherwise,
                                    const char **value) {
    if (stored && *value && strcmp(stored, *value) != 0)
        return rt_error_format(RT_USAGE, "--resume: the campaign's --%s is '%s', not '%s'", name, stored,
                               *value);
    if (!*value)
        *value = stored ? stored : otherwise;
    /* Absent in the rest of the command. */
    if (**value == '\0')
        *value = NULL;
    return NULL;
}

static struct rt_error *settle_number(const char *name, const char *stored, uint64_t otherwise,
                                      uint64_t *value) {
    uint64_t number = stored ? strtoull(stored, NULL, 10) : otherwise;

    if (stored && *value != NOT_GIVEN && *value != number)
        return rt_error_format(RT_USAGE, "--resume: the campaign's --%s is %s, not %llu", name, stored,
                               (unsigned long long)*value);
    if (*value == NOT_GIVEN)
        *value = number;
    return NULL;
}

static struct rt_error *settle_flag(const char *name, const char *stored, bool *value) {
    if (stored && *value && !*stored)
        return rt_error_format(RT_USAGE, "--resume: the campaign is without --%s", name);
    *value |= stored && *stored;
    return NULL;
}

/* Gives each flag its value: the command line's, that of the campaign that is resumed (`stored`, else empty),
 * or the one of an option that is not given. */
static struct rt_error *settle(const struct hx_facts *stored, struct values *values) {
    struct rt_error *error = NULL;

#define HX_FUZZ_TEXT(field, name, otherwise)                                                                 \
    if (!error)                                                                                              \
        error = settle_text(name, hx_facts_find(stored, name), otherwise, &values->field);
#define HX_FUZZ_NUMBER(field, name, otherwise)                                                               \
    if (!error)                                                                                              \
        error = settle_number(name, hx_facts_find(stored, name), otherwise, &values->field);
#define HX_FUZZ_FLAG(field, name)                                                                            \
    if (!error)                                                                                              \
        error = settle_flag(name, hx_facts_find(stored, name), &values->field);
#include "harness/fuzz_flags.def"
#undef HX_FUZZ_TEXT
#undef HX_FUZZ_NUMBER
#undef HX_FUZZ_FLAG
    if (values->replay && !values->engines)
        values->engines = HX_REPLAY_ENGINES;
    if (!values->time_limit)
        values->time_limit =
            values->engines || values->self ? HX_DEFAULT_ENGINES_TIME_LIMIT : HX_DEFAULT_TIME_LIMIT;
    return error;
}

/* A folder by a name that means the same everywhere. */
static struct rt_error *settle_folder(struct rt_arena *arena, const char **folder) {
    char *absolute = *folder ? realpath(*folder, NULL) : NULL;

    if (absolute)
        *folder = rt_arena_copy(arena, absolute, strlen(absolute));
    free(absolute);
    return absolute && !*folder ? rt_error_out_of_memory() : NULL;
}

static struct rt_error *list_flags(const struct values *values, struct rt_arena *arena,
                                   struct hx_facts *ret) {
    const char *number;

#define HX_FUZZ_TEXT(field, name, otherwise) hx_facts_add(ret, name, values->field ? values->field : "");
#define HX_FUZZ_NUMBER(field, name, otherwise)                                                               \
    number = rt_arena_printf(arena, "%llu", (unsigned long long)values->field);                              \
    if (!number)                                                                                             \
        return rt_error_out_of_memory();                                                                     \
    hx_facts_add(ret, name, number);
#define HX_FUZZ_FLAG(field, name) hx_facts_add(ret, name, values->field ? "yes" : "");
#include "harness/fuzz_flags.def"
#undef HX_FUZZ_TEXT
#undef HX_FUZZ_NUMBER
#undef HX_FUZZ_FLAG
    return NULL;
}

/* ---- What to do ---- */

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

/* What is to be done: of a campaign that is resumed, what is left of it unless the command line says
 * otherwise. */
static struct rt_error *asked_of(const struct values *values, const struct origin *origin,
                                 const struct hx_asked *left, struct hx_asked *ret) {
    *ret = (struct hx_asked){.first_seed = values->seeds.first,
                             .last_seed = values->seeds.last,
                             .time_limit = values->time,
                             .jobs = values->jobs ? (unsigned)values->jobs : hx_core_count()};
    if (values->jobs > MAX_JOBS)
        return rt_error_format(RT_USAGE, "--jobs: at most %d", MAX_JOBS);
    if (values->resume && !values->time) {
        ret->time_limit = left->time_limit;
        ret->is_over = left->is_over;
    }
    if (!values->seeds.is_set) {
        ret->first_seed = values->resume ? left->first_seed : 1;
        ret->last_seed = values->resume ? left->last_seed : values->time ? UINT64_MAX : 100;
    }
    if (origin->modules && ret->last_seed > origin->module_count)
        ret->last_seed = origin->module_count;
    if (origin->modules && (ret->first_seed == 0 || ret->first_seed > ret->last_seed))
        return rt_error_format(RT_USAGE, "--seeds: the folder has modules 1 to %zu", origin->module_count);
    return NULL;
}

/* Seeds of known defects are Csmith's, compared as far as the defaults go. */
static bool shows_known(const struct values *values, const struct origin *origin) {
    return origin->generator == &hx_generator_csmith && !values->csmith && !origin->engines &&
           !values->self && !values->wasm_opt && hx_tools_are_alike(origin->tools) &&
           (values->stops == 0 || values->stops >= HX_DEFAULT_STOPS) &&
           (values->visits == 0 || values->visits >= HX_DEFAULT_VISITS);
}

static struct rt_error *campaign_of(const struct values *values, const struct origin *origin,
                                    const struct hx_known *known, const struct hx_asked *asked,
                                    struct hx_campaign *ret) {
    const struct hx_tools *tools = origin->tools;
    enum rt_engine engine;

    struct rt_error *error = rt_engine_parse(values->engine, &engine);
    if (error)
        return rt_error_context(error, "--engine");
    if (values->self && (values->engines || !origin->generator || !origin->generator->has_native))
        return rt_error_format(RT_USAGE, "--self takes programs of --source csmith, and no --engines");
    *ret = (struct hx_campaign){
        .setup = {.tools = tools,
                  .generator = origin->generator,
                  .csmith_words = values->csmith,
                  .max_stops = values->stops,
                  .max_visits = values->visits,
                  .time_limit = (unsigned)values->time_limit,
                  .engine = engine,
                  .engines = origin->engines,
                  .is_self = values->self,
                  .self_steps = values->steps,
                  .known = known,
                  .is_one_compiler = tools && hx_tools_are_alike(tools),
                  .is_unoptimised = tools && strcmp(tools->optimisation, "-O0") == 0 && !tools->wasm_opt},
        .modules = origin->modules,
        .known_compiler = shows_known(values, origin) ? tools->wasm.version : NULL,
        .first_seed = asked->first_seed,
        .last_seed = asked->last_seed,
        .time_limit = asked->time_limit,
        .is_over = asked->is_over,
        .jobs = asked->jobs,
        .news = true,
        .json = values->json,
        .progress = isatty(STDERR_FILENO),
    };
    return NULL;
}

/* Opens the campaign's folder where it is not open yet, and begins a session there. */
static struct rt_error *begin(const struct values *values, const struct origin *origin,
                              const struct hx_asked *asked, struct rt_arena *arena,
                              struct hx_campaign *campaign, struct hx_ledger *ledger,
                              struct hx_tally *tally) {
    struct hx_run run = {.known = campaign->setup.known,
                         .known_compiler = campaign->known_compiler,
                         .optimisation = values->opt};
    struct rt_error *error = values->resume ? NULL : hx_ledger_open(values->out, false, ledger);

    if (!error)
        error = list_flags(values, arena, &run.flags);
    if (!error)
        error = hx_versions(origin->tools, origin->engines, campaign->setup.witnesses, campaign->setup.known,
                            origin->modules, origin->module_count, arena, &run.tools);
    if (!error)
        error = hx_ledger_begin(ledger, &run, asked, tally);
    campaign->ledger = error ? NULL : ledger;
    return error;
}

/* Everything that a campaign stands on while it runs. */
struct session {
    struct rt_arena arena;
    struct hx_tools tools;
    struct hx_known known;
    struct hx_temp temp;
    struct hx_engines engines;
    struct hx_witnesses witnesses;
    struct origin origin;
    struct hx_ledger ledger;
    struct hx_tally tally;
    struct hx_publisher publisher;
};

static struct rt_error *find_origin(const struct values *values, struct session *session) {
    struct hx_tools_choice choice = {.cc = values->cc,
                                     .native_cc = values->native_cc,
                                     .optimisation = values->opt,
                                     .wasm_opt = values->wasm_opt};
    struct origin *origin = &session->origin;
    struct rt_error *error;

    if (values->engines)
        error = engines_of(values, &session->arena, &session->engines, origin);
    else if (strcmp(values->source, "wasm-opt") == 0)
        error = rt_error_format(RT_USAGE, "--source wasm-opt needs --engines");
    else
        error = hx_generator_find(values->source, values->csmith, &origin->generator);
    if (!error && origin->generator) {
        choice.generate = origin->generator->needs_csmith;
        error = hx_tools_find(&choice, &session->temp, &session->tools);
        origin->tools = &session->tools;
    }
    return error;
}

/* Fills in the values; opens the ledger of a campaign that is resumed and tells what is left of it. */
static struct rt_error *settle_all(struct session *session, struct values *values,
                                   struct hx_asked *ret_left) {
    struct hx_facts stored = {.count = 0};
    struct rt_error *error = settle_folder(&session->arena, &values->known);

    if (!error && values->source && values->engines && strcmp(values->source, "wasm-opt") != 0 &&
        strcmp(values->source, hx_generator_csmith.name) != 0 &&
        strcmp(values->source, hx_generator_wasi.name) != 0)
        error = settle_folder(&session->arena, &values->source);
    if (!error && values->resume)
        error = hx_ledger_open(values->resume, true, &session->ledger);
    if (!error && values->resume)
        error = hx_ledger_recall(&session->ledger, &session->arena, &stored, ret_left);
    return error ? error : settle(&stored, values);
}

/* With --witness or --blame: finds the witnesses. */
static struct rt_error *find_witnesses(const struct values *values, struct session *session,
                                       struct hx_campaign *campaign) {
    const struct origin *origin = &session->origin;

    if (!values->witness && !values->blame)
        return NULL;
    if (values->engines || values->self)
        return rt_error_format(RT_USAGE, HX_NO_WITNESSES);
    if (!origin->generator->has_native)
        return rt_error_format(RT_USAGE, "--witness: programs of --source %s mean nothing natively",
                               origin->generator->name);
    campaign->setup.witnesses = &session->witnesses;
    return hx_witnesses_create(values->witness, values->blame, campaign->setup.engine, origin->tools,
                               &session->temp, &session->witnesses);
}

static struct rt_error *work(struct session *session, struct values *values) {
    struct hx_asked left = {.first_seed = 1}, asked;
    struct hx_campaign campaign;
    struct rt_error *error = settle_all(session, values, &left);

    if (!error)
        error = hx_known_load(values->known, &session->known);
    if (!error)
        error = hx_temp_create(&session->temp);
    if (!error)
        error = find_origin(values, session);
    if (!error)
        error = asked_of(values, &session->origin, &left, &asked);
    if (!error)
        error = campaign_of(values, &session->origin, &session->known, &asked, &campaign);
    if (!error)
        error = find_witnesses(values, session, &campaign);
    if (!error && (values->out || values->resume))
        error = begin(values, &session->origin, &asked, &session->arena, &campaign, &session->ledger,
                      &session->tally);
    if (error)
        return error;
    campaign.publisher = &session->publisher;
    double started = hx_seconds();
    error = hx_campaign_run(&campaign, &session->temp, &session->tally);
    hx_tally_print(&session->tally, hx_seconds() - started, values->json ? stderr : stdout);
    return error ? error : hx_publisher_write(&session->publisher);
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    struct values values = *(const struct values *)all;
    struct session session = {.origin = {.generator = NULL}};
    const struct hx_tally *tally = &session.tally;

    if (arguments->count > 0)
        return rt_error_format(RT_USAGE, "takes no argument '%s'", arguments->items[0]);
    if (values.out && values.resume)
        return rt_error_format(RT_USAGE, "--resume names the campaign's folder; --out is another one's");
    rt_arena_init(&session.arena, 0);
    hx_tally_init(&session.tally);
    hx_publisher_init(&session.publisher, values.sarif, values.junit);
    hx_interrupt_catch();
    struct rt_error *error = work(&session, &values);
    *ret_status = tally->unknown > 0 ? HX_STATUS_FOUND : HX_STATUS_CLEAN;
    /* A campaign that could not look at a single program has not found "nothing". */
    if (tally->programs > 0 && tally->verdicts[HX_SKIPPED] == tally->programs)
        *ret_status = HX_STATUS_ERROR;
    hx_ledger_close(&session.ledger);
    hx_publisher_clear(&session.publisher);
    hx_tally_clear(&session.tally);
    hx_witnesses_clear(&session.witnesses);
    hx_tools_clear(&session.tools);
    hx_known_clear(&session.known);
    hx_temp_remove(&session.temp);
    rt_arena_clear(&session.arena);
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
    "\n\nWith --self, each of a program's builds is compared with itself (see `lockstep check --help`)."
    "\n\nExit status: 0 when all findings are known or there are none, 1 when one is not known, 2 when\n"
    "not one program could be checked. Ctrl-C ends the campaign, keeps what was found and prints the\n"
    "summary."
    "\n\nWith --out, a campaign that was stopped, by a kill too, goes on where it was: the same command "
    "again\n"
    "passes over the seeds that are done, other --seeds or --time add to it, and --resume DIR alone does\n"
    "what was left to do. The totals are the whole campaign's. Flags and tools must be those that it was\n"
    "begun with; `lockstep merge` puts campaigns together. A signature is shown when it is seen for the\n"
    "first time, and a known defect whose seeds no longer show it is told. --sarif and --junit write of the\n"
    "programs of this call alone; `lockstep report` does so of the whole campaign.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
