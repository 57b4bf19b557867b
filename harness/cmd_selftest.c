/* `lockstep selftest`: how much the comparison misses, measured. */
#include "harness/harness.h"

#include "harness/campaign.h"
#include "harness/cmd_options.h"
#include "harness/interrupt.h"
#include "harness/selftest.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct values {
    struct hx_seeds seeds;
    struct hx_list classes;
    uint64_t faults, seed, tries, jobs, noticed, named, stops, visits, time_limit;
    const char *cc, *side, *engine, *keep, *csmith;
    bool json;
};

static const struct values defaults = {.cc = HX_DEFAULT_CC,
                                       .side = "all",
                                       .engine = "compiled",
                                       .faults = 200,
                                       .seed = 1,
                                       .tries = 4,
                                       .noticed = 95,
                                       .named = 90,
                                       .stops = HX_DEFAULT_STOPS,
                                       .visits = HX_DEFAULT_VISITS};

static const struct hx_option options[] = {
    {"--seeds", "A-B", HX_OPTION_SEEDS, offsetof(struct values, seeds),
     "seeds of the programs (1-100), as many as are needed"},
    {"--class", "NAME", HX_OPTION_LIST, offsetof(struct values, classes),
     "plant faults of this class; may be repeated (all)"},
    {"--side", "SIDE", HX_OPTION_TEXT, offsetof(struct values, side),
     "plant faults in the debug information of native, wasm or both, in traces (trace), or in all (all)"},
    {"--faults", "N", HX_OPTION_NUMBER, offsetof(struct values, faults), "end after N visible faults (200)"},
    {"--seed", "N", HX_OPTION_NUMBER, offsetof(struct values, seed), "what chooses the faults (1)"},
    {"--tries", "N", HX_OPTION_NUMBER, offsetof(struct values, tries),
     "plant up to N faults of a class in a program, until one is visible (4)"},
    {"--jobs", "N", HX_OPTION_NUMBER, offsetof(struct values, jobs), "programs at a time (number of cores)"},
    {"--noticed", "PERCENT", HX_OPTION_NUMBER, offsetof(struct values, noticed),
     "of visible faults that must be noticed (95)"},
    {"--named", "PERCENT", HX_OPTION_NUMBER, offsetof(struct values, named),
     "of visible faults that must be rightly named (90)"},
    {"--keep", "DIR", HX_OPTION_TEXT, offsetof(struct values, keep),
     "keep what was missed or named wrongly: program, what was compared, the fault in words"},
    {"--cc", "CC", HX_OPTION_TEXT, offsetof(struct values, cc), "compiler of both sides (clang-19)"},
    HX_ENGINE_OPTION(struct values),
    {"--stops", "N", HX_OPTION_NUMBER, offsetof(struct values, stops),
     "compare at most N stops of a program, 0 for all (20000)"},
    {"--visits", "N", HX_OPTION_NUMBER, offsetof(struct values, visits),
     "compare a statement N times, then pass over it; 0 for always (100)"},
    {"--time-limit", "TIME", HX_OPTION_DURATION, offsetof(struct values, time_limit),
     "step a program at most this long (10s)"},
    {"--csmith", "WORDS", HX_OPTION_TEXT, offsetof(struct values, csmith),
     "more words for Csmith's command line"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object a class"},
};

static struct rt_error *choose_classes(const struct hx_list *names, bool wanted[HX_PLANT_COUNT]) {
    for (int i = 0; i < HX_PLANT_COUNT; i++)
        wanted[i] = names->count == 0;
    for (size_t i = 0; i < names->count; i++) {
        enum hx_plant_class class;
        if (!hx_plant_find(names->items[i], &class))
            return rt_error_format(RT_USAGE, "--class: there is no class '%s'; --help lists them",
                                   names->items[i]);
        wanted[class] = true;
    }
    return NULL;
}

static struct rt_error *choose_sides(const char *name, bool sides[HX_SIDE_COUNT]) {
    const size_t count = strcmp(name, "all") == 0    ? HX_SIDE_COUNT
                         : strcmp(name, "both") == 0 ? HX_BUILD_SIDES
                                                     : 0;
    bool is_known = false;
    for (size_t i = 0; i < HX_SIDE_COUNT; i++) {
        sides[i] = i < count || strcmp(name, hx_side_words[i]) == 0;
        is_known |= sides[i];
    }
    return is_known
               ? NULL
               : rt_error_format(RT_USAGE, "--side: '%s' is none of native, wasm, both, trace and all", name);
}

/* The folder need not be there yet. */
static struct rt_error *absolute_folder(const char *path, struct rt_arena *arena, const char **ret) {
    char here[PATH_MAX];
    if (path[0] == '/') {
        *ret = path;
        return NULL;
    }
    if (!getcwd(here, sizeof here))
        return rt_error_os(errno, "cannot tell the working folder");
    *ret = rt_arena_printf(arena, "%s/%s", here, path);
    return *ret ? NULL : rt_error_out_of_memory();
}

static struct rt_error *add_programs(const struct values *values, const struct hx_arguments *arguments,
                                     struct rt_arena *arena, struct hx_selftest_queue *queue) {
    const bool has_files = arguments->count > 0;
    const uint64_t first = values->seeds.is_set ? values->seeds.first : 1;
    const uint64_t last = values->seeds.is_set ? values->seeds.last : 100;
    struct rt_error *error = NULL;
    for (size_t i = 0; !error && queue->left && i < arguments->count; i++) {
        struct hx_source source = {0};
        error = hx_path_real(arguments->items[i], arena, &source.c_file);
        if (!error)
            error = hx_selftest_queue_add(queue, &source);
    }
    for (uint64_t seed = first; !error && queue->left && (!has_files || values->seeds.is_set) && seed <= last;
         seed++) {
        const struct hx_source source = {.has_seed = true, .seed = seed};
        error = hx_selftest_queue_add(queue, &source);
        if (seed == UINT64_MAX)
            break;
    }
    return error;
}

static struct rt_error *take_programs(const struct values *values, const struct hx_arguments *arguments,
                                      const struct hx_selftest *selftest, const struct hx_temp *temp,
                                      struct rt_arena *arena, struct hx_recall *recall) {
    struct hx_selftest_queue queue = {.selftest = selftest,
                                      .temp = temp,
                                      .recall = recall,
                                      .left = values->faults,
                                      .jobs = values->jobs ? (unsigned)values->jobs : hx_core_count()};
    if (values->jobs > HX_SELFTEST_JOBS)
        return rt_error_format(RT_USAGE, "--jobs: at most %d", HX_SELFTEST_JOBS);
    if (queue.jobs > HX_SELFTEST_JOBS)
        queue.jobs = HX_SELFTEST_JOBS;
    struct rt_error *error = add_programs(values, arguments, arena, &queue);
    struct rt_error *other = hx_selftest_queue_end(&queue);
    if (error)
        rt_error_destroy(other);
    else
        error = other;
    if (error && error->code == RT_EXIT) { /* interrupted: what was counted so far is told */
        rt_error_destroy(error);
        error = NULL;
    }
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    const bool needs_csmith = arguments->count == 0 || values->seeds.is_set;
    const struct hx_tools_choice choice = {.cc = values->cc, .optimisation = "-O0", .generate = needs_csmith};
    struct hx_selftest selftest = {.seed = values->seed, .tries = values->tries};
    struct hx_recall recall = {0};
    struct hx_tools tools = {0};
    struct hx_temp temp = {0};
    struct rt_arena arena;
    rt_arena_init(&arena, 0);
    hx_interrupt_catch();
    selftest.check =
        (struct hx_setup){.tools = &tools,
                          .generator = &hx_generator_csmith,
                          .csmith_words = values->csmith,
                          .max_stops = values->stops,
                          .max_visits = values->visits,
                          .time_limit = values->time_limit ? (unsigned)values->time_limit : 10000,
                          .is_one_compiler = true,
                          .is_unoptimised = true};
    struct rt_error *error = rt_engine_parse(values->engine, &selftest.check.engine);
    if (!error)
        error = choose_classes(&values->classes, selftest.wanted);
    if (!error)
        error = choose_sides(values->side, selftest.sides);
    if (!error && values->keep)
        error = absolute_folder(values->keep, &arena, &selftest.keep);
    if (!error)
        error = hx_tool_find("llvm-dwarfdump-19", "llvm-19", &arena, &selftest.dwarfdump);
    if (!error)
        error = hx_temp_create(&temp);
    if (!error)
        error = hx_tools_find(&choice, &temp, &tools);
    if (!error)
        error = take_programs(values, arguments, &selftest, &temp, &arena, &recall);
    if (!error) {
        (values->json ? hx_recall_json : hx_recall_print)(&recall, stdout);
        const bool is_met = hx_recall_meets(&recall, (double)values->noticed, (double)values->named);
        *ret_status = recall.programs == 0 ? HX_STATUS_ERROR : is_met ? HX_STATUS_CLEAN : HX_STATUS_FOUND;
    }
    hx_recall_clear(&recall);
    hx_tools_clear(&tools);
    hx_temp_remove(&temp);
    rt_arena_clear(&arena);
    return error;
}

const struct hx_command hx_command_selftest = {
    .name = "selftest",
    .arguments = "[FILE.c...] [--seeds A-B] [--faults N] [--class NAME] [OPTIONS]",
    .summary = "Plants faults in debug information and traces and counts those that are noticed.",
    .details =
        "Each program is compiled once. It must agree; then faults are planted, one at a time, in the\n"
        "DWARF of its native build or of its module, and the two are compared again: both at -O0, or, for\n"
        "what only optimised code has, the faulty one with itself at -O2 without the fault. A fault counts\n"
        "when it is visible: a second reader, llvm-dwarfdump, shows another thing than before at some stop\n"
        "of a run. It is noticed when there is a finding of a fitting kind, and rightly named when one of\n"
        "the first three has the right function, line and variable. Ctrl-C ends it, and prints what was\n"
        "counted.\n\n"
        "Classes trace-* are planted in recordings of the WASI generator's programs, of the same seeds, and\n"
        "noticed by the replay, or by two replays side by side.\n\n"
        "Exit status: 0 when of each side as many were noticed and named as asked for, 1 when not, 2 when "
        "no\n"
        "program could be taken.\n\nclasses:"
#define HX_PLANT(NAME, word, pairing, kinds, names, what) "\n  " word ": " what
#include "harness/plants.def"
#undef HX_PLANT
    ,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
