/* `lockstep bench step`: our stop pairs a second, with all values compared, beside GDB stepping the native
 * side alone and reading the same scalars, on the same programs in the same run. */
#include "harness/bench.h"

#include "harness/cmd_options.h"
#include "harness/interrupt.h"
#include "harness/process.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PROGRAMS = 1000, MIN_STOPS = 200 };

struct values {
    uint64_t programs, first, stops, visits, time_limit, gdb_stops, gdb_seconds;
    const char *cc, *native_cc, *opt, *known;
    bool json;
};

static const struct values defaults = {.programs = 7,
                                       .first = 1,
                                       .cc = HX_DEFAULT_CC,
                                       .opt = "-O0",
                                       .stops = HX_DEFAULT_STOPS,
                                       .time_limit = HX_DEFAULT_TIME_LIMIT,
                                       .gdb_stops = 500,
                                       .gdb_seconds = 5000};

static const struct hx_option options[] = {
    {"--programs", "N", HX_OPTION_NUMBER, offsetof(struct values, programs),
     "measure N programs of at least 200 stops (7)"},
    {"--first", "SEED", HX_OPTION_NUMBER, offsetof(struct values, first), "the first seed to try (1)"},
    {"--gdb-stops", "N", HX_OPTION_NUMBER, offsetof(struct values, gdb_stops),
     "GDB's stops a program at most (500)"},
    {"--gdb-time", "TIME", HX_OPTION_DURATION, offsetof(struct values, gdb_seconds),
     "GDB's time a program at most (5s)"},
    HX_COMPILER_OPTIONS(struct values),
    HX_LIMIT_OPTIONS(struct values),
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object a line"},
};

static int compare_ratios(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Prints one program's row and returns its ratio. */
static double print_row(const struct hx_result *ours, const struct hx_gdb_run *gdb, bool as_json) {
    uint64_t scalars = ours->values + ours->unchanged;
    double our_rate = (double)ours->stops / ours->compare_seconds;
    double gdb_rate = (double)gdb->stops / gdb->seconds;
    struct hx_buffer line = {0};
    struct hx_json json = {.out = &line};

    if (!as_json) {
        printf("%6llu %8llu %8llu %12.0f %10llu %8llu %10.1f %8.0f\n", (unsigned long long)ours->seed,
               (unsigned long long)ours->stops, (unsigned long long)(scalars / ours->stops), our_rate,
               (unsigned long long)gdb->stops, (unsigned long long)(gdb->scalars / gdb->stops), gdb_rate,
               our_rate / gdb_rate);
    } else {
        hx_json_open(&json, NULL, '{');
        hx_json_number(&json, "seed", ours->seed);
        hx_json_number(&json, "stops", ours->stops);
        hx_json_number(&json, "scalars_per_stop", scalars / ours->stops);
        hx_json_seconds(&json, "pairs_per_second", our_rate);
        hx_json_number(&json, "gdb_stops", gdb->stops);
        hx_json_number(&json, "gdb_scalars_per_stop", gdb->scalars / gdb->stops);
        hx_json_seconds(&json, "gdb_stops_per_second", gdb_rate);
        hx_json_seconds(&json, "ratio", our_rate / gdb_rate);
        hx_json_close(&json, '}');
        puts(hx_buffer_string(&line));
        hx_buffer_clear(&line);
    }
    fflush(stdout);
    return our_rate / gdb_rate;
}

/* Measures programs from the first seed on; those that are too short to time, or cannot be checked, are
 * passed over. */
static struct rt_error *measure_programs(const struct values *values, const struct hx_setup *setup,
                                         const char *gdb, const struct hx_temp *temp, double *ratios,
                                         size_t *ret_count) {
    struct rt_error *error = NULL;
    size_t count = 0;

    for (uint64_t seed = values->first; !error && count < values->programs && seed - values->first < 10000;
         seed++) {
        const struct hx_source source = {.has_seed = true, .seed = seed};
        struct hx_job job;
        struct hx_result result = {0};
        struct hx_gdb_run run = {0};
        error = hx_job_run(setup, &source, temp, &job, &result);
        bool usable = !error && result.stops >= MIN_STOPS && !result.reason &&
                      (result.verdict == HX_AGREE || result.verdict == HX_DIFFER);
        if (usable)
            error = hx_bench_gdb(setup->tools, gdb, job.folder.path, values->gdb_stops,
                                 (values->gdb_seconds + 999) / 1000, &run);
        if (usable && !error && run.stops > 0)
            ratios[count++] = print_row(&result, &run, values->json);
        hx_result_clear(&result);
        hx_job_clear(&job);
    }
    *ret_count = count;
    return error;
}

static void print_end(double median, size_t count, const struct hx_probe_times *probes, bool as_json) {
    struct hx_buffer line = {0};
    struct hx_json json = {.out = &line};
    const struct {
        const char *name, *words;
        double time;
    } rows[] = {{"call", "patched call (Wasm)", probes->call},
                {"jump", "jump (native)", probes->jump},
                {"trap", "trap (native)", probes->trap}};

    if (!as_json)
        printf("median ratio over %zu programs: %.0f\n\nnanoseconds a stop, nothing compared:\n", count,
               median);
    hx_json_open(&json, NULL, '{');
    hx_json_seconds(&json, "median_ratio", median);
    hx_json_open(&json, "nanoseconds_per_stop", '{');
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].time >= 0)
            hx_json_seconds(&json, rows[i].name, rows[i].time);
        if (!as_json && rows[i].time >= 0)
            printf("  %-20s %8.0f\n", rows[i].words, rows[i].time);
        else if (!as_json)
            printf("  %-20s could not be made\n", rows[i].words);
    }
    hx_json_close(&json, '}');
    const struct {
        const char *name;
        size_t count;
        double time;
    } sides[] = {{"native", probes->native_probes, probes->native_setting},
                 {"wasm", probes->wasm_probes, probes->wasm_setting}};
    hx_json_open(&json, "milliseconds_to_set_and_clear", '{');
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        hx_json_seconds(&json, sides[i].name, sides[i].time / 1e6);
        if (!as_json)
            printf("%s: %zu probes set and taken away in %.2f ms\n", sides[i].name, sides[i].count,
                   sides[i].time / 1e6);
    }
    hx_json_close(&json, '}');
    hx_json_close(&json, '}');
    if (as_json)
        puts(hx_buffer_string(&line));
    hx_buffer_clear(&line);
}

static struct rt_error *run_with(const struct values *values, const struct hx_tools *tools, const char *gdb,
                                 const struct hx_temp *temp, struct rt_arena *arena) {
    const struct hx_setup setup = {.tools = tools,
                                   .generator = &hx_generator_csmith,
                                   .max_stops = values->stops,
                                   .max_visits = values->visits,
                                   .time_limit = (unsigned)values->time_limit,
                                   .is_one_compiler = true,
                                   .is_unoptimised = strcmp(values->opt, "-O0") == 0};
    struct hx_probe_times probes;
    double *ratios = rt_arena_array(arena, values->programs, sizeof *ratios);
    size_t count;

    if (!ratios)
        return rt_error_out_of_memory();
    if (!values->json)
        printf("       |       lockstep, both sides     |     gdb, native side alone     |\n"
               "  seed    stops  scalars      pairs/s      stops  scalars    stops/s    ratio\n"
               "                  a stop                          a stop\n");
    struct rt_error *error = measure_programs(values, &setup, gdb, temp, ratios, &count);
    if (!error && count == 0)
        error = rt_error_format(RT_USAGE, "no program could be measured");
    if (!error)
        error = hx_bench_probes(tools, temp, &probes);
    if (error)
        return error;
    qsort(ratios, count, sizeof *ratios, compare_ratios);
    print_end(ratios[count / 2], count, &probes, values->json);
    return NULL;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    const struct hx_tools_choice choice = {
        .cc = values->cc, .native_cc = values->native_cc, .optimisation = values->opt, .generate = true};
    struct hx_tools tools = {0};
    struct hx_temp temp = {0};
    struct rt_arena arena;
    const char *gdb;

    (void)ret_status; /* a measurement finds nothing */
    if (arguments->count > 0)
        return rt_error_format(RT_USAGE, "takes no argument '%s'", arguments->items[0]);
    if (values->programs == 0 || values->programs > MAX_PROGRAMS)
        return rt_error_format(RT_USAGE, "--programs: from 1 to %d", MAX_PROGRAMS);
    rt_arena_init(&arena, 0);
    hx_interrupt_catch();
    struct rt_error *error = hx_tool_find("gdb", "gdb", &arena, &gdb);
    if (!error)
        error = hx_temp_create(&temp);
    if (!error)
        error = hx_tools_find(&choice, &temp, &tools);
    if (!error)
        error = run_with(values, &tools, gdb, &temp, &arena);
    hx_tools_clear(&tools);
    hx_temp_remove(&temp);
    rt_arena_clear(&arena);
    return error;
}

const struct hx_command hx_command_bench_step = {
    .name = "step",
    .arguments = "[--programs N] [OPTIONS]",
    .summary = "Stop pairs a second beside GDB's stops, and nanoseconds a stop by kind of probe.",
    .details =
        "Each program is stepped by lockstep on both sides with all values compared, then by GDB on the\n"
        "native side alone, which reads the scalars in scope and all globals through its Python API at\n"
        "each stop. Loading and start-up count on neither side.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
