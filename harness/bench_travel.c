/* What time travel costs: checkpoints on the way, and going back one stop, after a short way and a long one.
 */
#include "harness/bench.h"

#include "harness/cmd_options.h"
#include "harness/interrupt.h"
#include "harness/process.h"
#include "harness/program.h"
#include "harness/samples.h"
#include "harness/travel.h"

#include <stdio.h>
#include <stdlib.h>

enum { STOPS_BACK = 200 };
static const uint64_t distances[] = {10000, 1000000};

/* Both run more than a million statements. One writes to a few pages at a time, as most programs do; the
 * other all over 4 MiB, so that each checkpoint finds hundreds of pages written. */
static const struct program {
    const char *name, *index;
} programs[] = {{"local", "(i / 64 + (h & 63)) % 1048576"}, {"scattered", "h % 1048576"}};
enum { PROGRAMS = sizeof programs / sizeof *programs };

static void write_source(const struct program *program, struct hx_buffer *out) {
    hx_buffer_print(out,
                    "static unsigned early, table[1048576];\n"
                    "static unsigned mix(unsigned x) {\n"
                    "    x ^= x >> 7;\n"
                    "    x *= 0x9e3779b1u;\n"
                    "    return x;\n"
                    "}\n"
                    "int main(void) {\n"
                    "    unsigned h = 1;\n"
                    "    early = 7;\n"
                    "    for (unsigned i = 0; i < 160000; i++) {\n"
                    "        h = mix(h + i);\n"
                    "        table[%s] ^= h;\n"
                    "    }\n"
                    "    return h & 1;\n"
                    "}\n",
                    program->index);
}

/* ---- The trace ---- */

static struct rt_error *record(const char *module, enum rt_engine engine, const char *trace) {
    const struct rt_compile_options compile = {.engine = engine, .canonical_nans = true};
    static const char *const args[] = {"program"};
    const struct rt_wasi_options wasi = {.args = args,
                                         .arg_count = 1,
                                         .stdin_fd = -1,
                                         .stdout_fd = -1,
                                         .stderr_fd = -1,
                                         .deterministic = true};
    struct rt_recorder *recorder = NULL;
    struct hx_wasi_command guest = {0};
    struct rt_instance *instance;
    struct rt_trace_sink sink;
    int status;
    struct rt_error *error = hx_wasi_command_open(module, &compile, &guest);

    if (!error)
        error = rt_trace_sink_file(trace, &sink);
    if (!error) {
        const struct rt_recorder_module recorded = {guest.code, module};
        const struct rt_recorder_options options = {
            .modules = &recorded, .module_count = 1, .engine = "lockstep"};
        error = rt_recorder_create(guest.store, sink, &options, &recorder);
    }
    if (!error)
        error = rt_wasi_create(guest.store, &wasi, &guest.wasi);
    if (!error)
        error = rt_wasi_instantiate(guest.wasi, guest.code, &instance);
    if (!error)
        error = rt_wasi_run(instance, &status);
    if (!error)
        error = rt_recorder_finish(recorder);
    rt_recorder_destroy(recorder);
    hx_wasi_command_close(&guest);
    return error;
}

static struct rt_error *open_travel(const char *module, enum rt_engine engine, const char *trace,
                                    uint64_t interval, struct hx_travel **ret) {
    const struct hx_travel_options options = {.module = module, .engine = engine, .interval = interval};
    struct rt_trace_reader *reader;
    struct rt_trace_source source;
    struct rt_error *error = rt_trace_source_file(trace, &source);

    if (!error)
        error = rt_trace_reader_create(source, &reader);
    return error ? error : hx_travel_open(&options, reader, ret);
}

/* ---- Measuring ---- */

struct row {
    const char *program, *engine;
    uint64_t stops;
    double plain, forward;               /* seconds to get there: without checkpoints, with them */
    struct st_timeline_cost first, cost; /* of the checkpoint at the start; of all */
    struct hx_samples back;              /* seconds for one stop */
    double search; /* seconds back to the first write of what is written at the beginning */
};

static struct rt_error *timed_goto(struct st_timeline *timeline, uint64_t number, double *ret) {
    const double started = hx_seconds();
    struct rt_error *error = st_timeline_goto(timeline, number);
    *ret = hx_seconds() - started;
    if (!error && st_timeline_position(timeline) != number)
        error = rt_error_format(RT_USAGE, "the benchmark's program ended early");
    return error;
}

/* Back one stop, again and again: this is what a person does who steps backwards. */
static struct rt_error *go_back(struct st_timeline *timeline, struct row *row) {
    struct rt_error *error = NULL;
    for (uint64_t i = 1; i <= STOPS_BACK && !error; i++) {
        double seconds;
        error = timed_goto(timeline, row->stops - i, &seconds);
        hx_samples_add(&row->back, seconds);
    }
    return error;
}

static struct rt_error *search_back(struct hx_travel *travel, struct row *row) {
    struct hx_object early;
    struct st_write write;
    double seconds, started;
    bool found = false;
    struct rt_error *error = timed_goto(travel->timeline, row->stops, &seconds);

    if (!error)
        error = hx_travel_find(travel, "early", &early);
    if (error)
        return error;
    started = hx_seconds();
    error = st_timeline_last_write(travel->timeline, early.address, 4, &write, &found);
    row->search = hx_seconds() - started;
    return error || found ? error : rt_error_format(RT_USAGE, "the benchmark's write was not found");
}

static struct rt_error *measure(const char *module, enum rt_engine engine, const char *trace,
                                struct row *row) {
    enum { NEVER_AGAIN = 1 << 30 };
    struct hx_travel *travel = NULL;
    struct rt_error *error = open_travel(module, engine, trace, NEVER_AGAIN, &travel);

    if (!error)
        error = timed_goto(travel->timeline, row->stops, &row->plain);
    hx_travel_close(travel);
    travel = NULL;
    if (!error)
        error = open_travel(module, engine, trace, 0, &travel);
    if (!error) {
        row->first = st_timeline_cost(travel->timeline);
        error = timed_goto(travel->timeline, row->stops, &row->forward);
    }
    if (!error) {
        row->cost = st_timeline_cost(travel->timeline);
        error = go_back(travel->timeline, row);
    }
    if (!error)
        error = search_back(travel, row);
    hx_travel_close(travel);
    return error;
}

/* ---- Printing ---- */

static void print_row(const struct row *row, bool json) {
    const double taken = (double)(row->cost.taken - row->first.taken);
    const double each = (double)(row->cost.nanoseconds - row->first.nanoseconds) / taken / 1000;
    const double pages = (double)(row->cost.pages_copied - row->first.pages_copied) / taken;

    if (json)
        printf(
            "{\"program\": \"%s\", \"engine\": \"%s\", \"stops\": %llu, \"forward_seconds\": %.4f, "
            "\"forward_without_seconds\": %.4f, \"checkpoint_microseconds\": %.1f, \"pages\": %.1f, "
            "\"taken\": "
            "%llu, \"kept\": %zu, \"bytes\": %zu, \"back_microseconds\": {\"least\": %.1f, \"median\": %.1f, "
            "\"most\": %.1f}, \"search_seconds\": %.4f}\n",
            row->program, row->engine, (unsigned long long)row->stops, row->forward, row->plain, each, pages,
            (unsigned long long)row->cost.taken, row->cost.checkpoints, row->cost.bytes,
            hx_samples_least(&row->back) * 1e6, hx_samples_median(&row->back) * 1e6,
            hx_samples_most(&row->back) * 1e6, row->search);
    else
        printf("%-10s %-9s %8llu %9.1f %9.1f %9.1f %7.1f %6llu %5zu %8.1f %8.0f %8.0f %9.1f\n", row->program,
               row->engine, (unsigned long long)row->stops, row->plain * 1e3, row->forward * 1e3, each, pages,
               (unsigned long long)row->cost.taken, row->cost.checkpoints,
               (double)row->cost.bytes / (1 << 20), hx_samples_median(&row->back) * 1e6,
               hx_samples_most(&row->back) * 1e6, row->search * 1e3);
    fflush(stdout);
}

static struct rt_error *measure_program(const struct hx_tools *tools, const struct hx_temp *temp,
                                        const struct program *program, bool json) {
    static const enum rt_engine engines[] = {RT_ENGINE_COMPILED, RT_ENGINE_INTERP};
    struct hx_buffer source = {0};
    struct hx_temp folder = {0};
    char path[512], module[512], trace[512];
    struct row *row = malloc(sizeof *row);
    struct rt_error *error = row ? hx_temp_folder(temp, program->name, &folder) : rt_error_out_of_memory();

    snprintf(path, sizeof path, "%s/" HX_SOURCE, folder.path);
    snprintf(module, sizeof module, "%s/" HX_WASM, folder.path);
    snprintf(trace, sizeof trace, "%s/run.trace", folder.path);
    write_source(program, &source);
    if (!error)
        error =
            source.failed ? rt_error_out_of_memory() : hx_file_write(path, source.bytes, source.size, 0600);
    if (!error)
        error = hx_compile_wasm(tools, "-O0", HX_SOURCE, folder.path);
    if (!error)
        error = record(module, RT_ENGINE_COMPILED, trace);
    for (size_t e = 0; e < 2; e++) {
        for (size_t d = 0; d < sizeof distances / sizeof *distances && !error; d++) {
            *row = (struct row){
                .program = program->name, .engine = rt_engine_name(engines[e]), .stops = distances[d]};
            error = measure(module, engines[e], trace, row);
            if (!error)
                print_row(row, json);
        }
    }
    hx_buffer_clear(&source);
    hx_temp_remove(&folder);
    free(row);
    return error;
}

/* What checkpoints cost, and going back: on both engines, printed as a table or as JSON Lines. */
static struct rt_error *measure_all(const struct hx_tools *tools, const struct hx_temp *temp, bool json) {
    struct rt_error *error = NULL;

    if (!json)
        printf("                              forward, ms            checkpoint             held     back, "
               "us      "
               " search\n"
               "program    engine       stops   without      with        us   pages  taken  kept      MiB   "
               "median    "
               " most        ms\n");
    for (size_t i = 0; i < PROGRAMS && !error; i++)
        error = measure_program(tools, temp, &programs[i], json);
    return error;
}

/* ---- The command ---- */

struct values {
    bool json;
};
static const struct values defaults = {.json = false};
static const struct hx_option options[] = {
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object a line"},
};

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    const struct hx_tools_choice choice = {.cc = "clang-19", .optimisation = "-O0"};
    struct hx_tools tools = {0};
    struct hx_temp temp = {0};

    (void)ret_status; /* a measurement finds nothing */
    if (arguments->count > 0)
        return rt_error_format(RT_USAGE, "takes no argument '%s'", arguments->items[0]);
    hx_interrupt_catch();
    struct rt_error *error = hx_temp_create(&temp);
    if (!error)
        error = hx_tools_find(&choice, &temp, &tools);
    if (!error)
        error = measure_all(&tools, &temp, values->json);
    hx_tools_clear(&tools);
    hx_temp_remove(&temp);
    return error;
}

const struct hx_command hx_command_bench_travel = {
    .name = "travel",
    .arguments = "[--json]",
    .summary = "What checkpoints of a replay cost, and going back one stop, at 10,000 and 1,000,000 stops.",
    .details =
        "Two programs, on both engines: one that writes to a few pages at a time, and one that writes all\n"
        "over 4 MiB. `without` and `with` are the times to get that far without checkpoints and with\n"
        "them; a page's first write after a checkpoint is a fault, which counts there. `us` is for taking\n"
        "one, `pages` what is copied for it, after the first, which copies all; `kept` and `held` are\n"
        "how many there are at the end and what they take. `back` is the time for one stop, of 200 in a\n"
        "row; `search` is that for finding the last write of a variable that is written at the very\n"
        "beginning.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
