/* `lockstep bench fuzz`: programs a minute, where the time goes, and how much memory it takes. */
#include "harness/bench.h"

#include "harness/campaign.h"
#include "harness/cmd_options.h"
#include "harness/interrupt.h"
#include "harness/process.h"
#include "harness/samples.h"

#include <string.h>
#include <unistd.h>

struct values {
    uint64_t programs, first, jobs, stops, visits, time_limit;
    const char *cc, *native_cc, *opt, *known;
    bool database, json;
};

enum { ROUNDS = 10 };

static const struct values defaults = {.programs = 100,
                                       .first = 1,
                                       .jobs = 2,
                                       .cc = HX_DEFAULT_CC,
                                       .opt = "-O0",
                                       .stops = HX_DEFAULT_STOPS,
                                       .visits = HX_DEFAULT_VISITS,
                                       .time_limit = HX_DEFAULT_TIME_LIMIT};

static const struct hx_option options[] = {
    {"--programs", "N", HX_OPTION_NUMBER, offsetof(struct values, programs), "programs to run (100)"},
    {"--first", "SEED", HX_OPTION_NUMBER, offsetof(struct values, first), "the first seed (1)"},
    {"--jobs", "N", HX_OPTION_NUMBER, offsetof(struct values, jobs), "programs at a time (2)"},
    HX_COMPILER_OPTIONS(struct values),
    HX_LIMIT_OPTIONS(struct values),
    {"--database", NULL, HX_OPTION_FLAG, offsetof(struct values, database),
     "what keeping the campaign costs: the programs in ten parts, each with a database and without"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object"},
};

/* The campaign process's own memory over time, in KiB. */
struct memory {
    uint64_t early, largest; /* after a tenth of the programs; at any time */
    uint64_t early_programs;
};

static uint64_t resident_kib(void) {
    unsigned long long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file && fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void watch(void *user, const struct hx_tally *tally) {
    struct memory *memory = user;
    uint64_t now = resident_kib();

    if (tally->programs <= memory->early_programs)
        memory->early = now;
    if (now > memory->largest)
        memory->largest = now;
}

static void print(struct hx_tally *tally, const struct memory *memory, double seconds, bool as_json) {
    struct hx_buffer line = {0};
    struct hx_json json = {.out = &line};
    uint64_t stops, values;
    double total = 0, rate = (double)tally->programs * 60 / seconds;

    hx_tally_medians(tally, &stops, &values);
    for (int i = 0; i < HX_STAGE_COUNT; i++)
        total += tally->seconds[i];
    hx_json_open(&json, NULL, '{');
    hx_json_number(&json, "programs", tally->programs);
    hx_json_seconds(&json, "programs_per_minute", rate);
    hx_json_open(&json, "share", '{');
    for (int i = 0; i < HX_STAGE_COUNT; i++)
        hx_json_seconds(&json, hx_stage_name((enum hx_stage)i), total > 0 ? tally->seconds[i] / total : 0.0);
    hx_json_close(&json, '}');
    hx_json_number(&json, "median_stops", stops);
    hx_json_number(&json, "median_values", values);
    hx_json_number(&json, "worker_kib", tally->worker_kib);
    hx_json_number(&json, "campaign_early_kib", memory->early);
    hx_json_number(&json, "campaign_kib", memory->largest);
    hx_json_close(&json, '}');
    if (as_json) {
        puts(hx_buffer_string(&line));
    } else {
        hx_tally_print(tally, seconds, stdout);
        printf("\nshare of the workers' time:");
        for (int i = 0; i < HX_STAGE_COUNT; i++)
            printf("%s %s %.1f %%", i > 0 ? "," : "", hx_stage_name((enum hx_stage)i),
                   total > 0 ? tally->seconds[i] * 100 / total : 0.0);
        printf("\nlargest worker: %.1f MiB; this process: %.1f MiB after %llu programs, %.1f MiB at most\n",
               (double)tally->worker_kib / 1024, (double)memory->early / 1024,
               (unsigned long long)memory->early_programs, (double)memory->largest / 1024);
    }
    hx_buffer_clear(&line);
}

/* One part of the programs; with `keep`, into a campaign's folder, whose making and ending is part of the
 * time. */
static struct rt_error *run_part(struct hx_campaign campaign, const struct hx_temp *temp, bool keep,
                                 double *ret_seconds) {
    const struct hx_run how = {.known = campaign.setup.known};
    const struct hx_asked asked = {.first_seed = campaign.first_seed, .last_seed = campaign.last_seed};
    struct hx_ledger ledger = {.run = 0};
    struct hx_temp folder = {0};
    struct hx_tally tally;
    struct rt_error *error = NULL;

    hx_tally_init(&tally);
    if (keep)
        error = hx_temp_folder(temp, "campaign", &folder);
    const double started = hx_seconds();
    if (keep && !error)
        error = hx_ledger_open(folder.path, false, &ledger);
    if (keep && !error)
        error = hx_ledger_begin(&ledger, &how, &asked, &tally);
    if (keep)
        campaign.ledger = &ledger;
    if (!error)
        error = hx_campaign_run(&campaign, temp, &tally);
    hx_ledger_close(&ledger);
    *ret_seconds = hx_seconds() - started;
    hx_tally_clear(&tally);
    hx_temp_remove(&folder);
    return error;
}

/* Each part both ways, which is first in turn: other work on the machine disturbs one round, and both ways of
 * it. */
static struct rt_error *compare_database(const struct hx_campaign *campaign, const struct hx_temp *temp,
                                         bool as_json) {
    uint64_t programs = (campaign->last_seed - campaign->first_seed + 1) / ROUNDS;
    struct hx_samples ratios = {.count = 0};
    double seconds[2], sums[2] = {0};
    struct hx_campaign part = *campaign;
    struct rt_error *error = NULL;
    size_t rounds = 0;

    part.watch = NULL;
    for (; rounds < ROUNDS && programs > 0 && !hx_interrupted(); rounds++) {
        part.first_seed = campaign->first_seed + rounds * programs;
        part.last_seed = part.first_seed + programs - 1;
        for (size_t i = 0; i < 2 && !error; i++)
            error = run_part(part, temp, (i + rounds) % 2 == 1, &seconds[(i + rounds) % 2]);
        if (error)
            return error;
        hx_samples_add(&ratios, seconds[1] / seconds[0]);
        for (size_t i = 0; i < 2; i++)
            sums[i] += seconds[i];
    }
    if (rounds == 0)
        return rt_error_format(RT_USAGE, "--database: --programs must be at least %d", ROUNDS);
    const double ratio = hx_samples_median(&ratios);
    if (as_json)
        printf("{\"rounds\":%zu,\"programs\":%llu,\"without_seconds\":%.3f,\"with_seconds\":%.3f,"
               "\"ratio\":%.3f}\n",
               rounds, (unsigned long long)programs, sums[0], sums[1], ratio);
    else
        printf("%zu rounds of %llu programs: %.1f s without a database, %.1f s with one; ratio %.3f, the "
               "median of "
               "the rounds, %.3f to %.3f\n",
               rounds, (unsigned long long)programs, sums[0], sums[1], ratio, hx_samples_least(&ratios),
               hx_samples_most(&ratios));
    return NULL;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    const struct hx_tools_choice choice = {
        .cc = values->cc, .native_cc = values->native_cc, .optimisation = values->opt, .generate = true};
    struct memory memory = {.early_programs = values->programs / 10 + 1};
    struct hx_tools tools = {0};
    struct hx_known known = {0};
    struct hx_temp temp = {0};
    struct hx_tally tally;

    (void)ret_status; /* a measurement finds nothing */
    if (arguments->count > 0)
        return rt_error_format(RT_USAGE, "takes no argument '%s'", arguments->items[0]);
    if (values->programs == 0 || values->jobs == 0 || values->jobs > 1024)
        return rt_error_format(RT_USAGE, "--programs and --jobs must be at least 1, and jobs at most 1024");
    hx_tally_init(&tally);
    hx_interrupt_catch();
    struct rt_error *error = hx_known_load(values->known, &known);
    if (!error)
        error = hx_temp_create(&temp);
    if (!error)
        error = hx_tools_find(&choice, &temp, &tools);
    if (!error) {
        const struct hx_campaign campaign = {
            .setup = {.tools = &tools,
                      .generator = &hx_generator_csmith,
                      .max_stops = values->stops,
                      .max_visits = values->visits,
                      .time_limit = (unsigned)values->time_limit,
                      .known = &known,
                      .is_one_compiler = true,
                      .is_unoptimised = strcmp(values->opt, "-O0") == 0},
            .first_seed = values->first,
            .last_seed = values->first + values->programs - 1,
            .jobs = (unsigned)values->jobs,
            .progress = isatty(STDERR_FILENO),
            .watch = watch,
            .user = &memory,
        };
        double started = hx_seconds();
        error = values->database ? compare_database(&campaign, &temp, values->json)
                                 : hx_campaign_run(&campaign, &temp, &tally);
        if (!error && !values->database)
            print(&tally, &memory, hx_seconds() - started, values->json);
    }
    hx_tally_clear(&tally);
    hx_tools_clear(&tools);
    hx_known_clear(&known);
    hx_temp_remove(&temp);
    return error;
}

const struct hx_command hx_command_bench_fuzz = {
    .name = "fuzz",
    .arguments = "[--programs N] [--jobs N] [OPTIONS]",
    .summary = "Programs a minute, the share of each stage, and memory.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
