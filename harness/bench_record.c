/* `lockstep bench record`: what recording costs and how long replays take: a compressor, a program of small
 * calls of the host, and one that waits for it; without recording, with it, and replayed, in turn. */
#include "harness/bench.h"

#include "harness/bench_runtime.h"
#include "harness/json.h"
#include "harness/process.h"

#include "runtime/trace/trace.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- What is measured ---- */

static const struct workload {
    const char *name;
    bool interprets; /* the interpreter has time for it, too */
    struct hx_bench_program program;
} workloads[] = {
    {"zstd", false, {.name = "zstd", .amount = 40}},
    {"zstd-once", true, {.name = "zstd", .amount = 1}}, /* as much is read as is compressed */
    {"calls", true, {.name = "calls", .source = "calls.c", .amount = 50, .optimisation = "-O2"}},
    {"waits", true, {.name = "waits", .source = "waits.c", .amount = 40, .optimisation = "-O2"}},
};

enum doing { RUNS, RECORDS, RECORDS_IN_BACKGROUND, RECORDS_TO_FILE, REPLAYS };

/* Each engine's first is what its others are measured against. A replay is of the trace recorded before. The
 * compiled engine's are in the order of enum doing. */
static const struct way {
    const char *name;
    enum rt_engine engine;
    enum doing doing;
} ways[] = {
    {"run", RT_ENGINE_COMPILED, RUNS},
    {"recorded to memory", RT_ENGINE_COMPILED, RECORDS},
    {"in the background", RT_ENGINE_COMPILED, RECORDS_IN_BACKGROUND}, /* to memory */
    {"recorded to a file", RT_ENGINE_COMPILED, RECORDS_TO_FILE},      /* in the background */
    {"replayed", RT_ENGINE_COMPILED, REPLAYS},
    {"interpreted", RT_ENGINE_INTERP, RUNS},
    {"interpreted, replayed", RT_ENGINE_INTERP, REPLAYS},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
enum { WORKLOADS = COUNT(workloads), WAYS = COUNT(ways), ENGINES = 2 };

struct values {
    struct hx_list programs;
    uint64_t rounds, percent;
    bool json;
};

static const struct values defaults = {.rounds = 9, .percent = 100};

static const struct hx_option options[] = {
    {"--program", "NAME", HX_OPTION_LIST, offsetof(struct values, programs),
     "measure this program alone: zstd, zstd-once, calls, waits; may be repeated (all)"},
    {"--rounds", "N", HX_OPTION_NUMBER, offsetof(struct values, rounds),
     "every way in turn, N times; medians are told (9)"},
    {"--work", "PERCENT", HX_OPTION_NUMBER, offsetof(struct values, percent),
     "of each program's usual work (100)"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object a line"},
};

struct times {
    double seconds, work; /* work: processor time of the guest's thread */
};

/* By a way: its times, and each by that of the same round's plain run on the same engine. */
struct measured {
    struct hx_samples seconds, work, seconds_ratio, work_ratio;
};

struct subject {
    const struct workload *workload;
    struct hx_bench_built built;
    struct rt_module *module;
    struct rt_code *codes[ENGINES];
    struct rt_trace_memory trace; /* the last one that was recorded to memory */
    struct rt_trace_totals totals;
    uint64_t calls, crossed; /* of imports; bytes of their arguments, results and the host's writes */
    struct measured *measured;
};

struct bench {
    struct hx_bench_context context;
    const struct values *values;
    struct rt_arena *arena;
    char file[300]; /* where traces go */
    struct subject subjects[WORKLOADS];
    size_t subject_count;
};

/* ---- One run ---- */

static double work_seconds(void) {
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static struct times start_clock(void) {
    return (struct times){hx_seconds(), work_seconds()};
}

static struct times stop_clock(struct times started) {
    return (struct times){hx_seconds() - started.seconds, work_seconds() - started.work};
}

static struct rt_error *make_wasi(const struct subject *subject, struct rt_store *store,
                                  struct rt_wasi **ret) {
    char number[16];
    const char *arguments[] = {"program", number};
    const struct rt_wasi_dir dir = {subject->built.builds[0].folder, "."};
    const struct rt_wasi_options wasi = {.args = arguments,
                                         .arg_count = 2,
                                         .dirs = &dir,
                                         .dir_count = 1,
                                         .stdin_fd = -1,
                                         .stdout_fd = -1,
                                         .stderr_fd = -1};

    snprintf(number, sizeof number, "%u", subject->built.amount);
    return rt_wasi_create(store, &wasi, ret);
}

static struct rt_error *make_recorder(const struct bench *bench, struct subject *subject,
                                      const struct way *way, struct rt_store *store,
                                      struct rt_recorder **ret) {
    const struct rt_recorder_module module = {subject->codes[way->engine], ""};
    const struct rt_trace_writer_options writer = {.in_background = way->doing != RECORDS};
    const struct rt_recorder_options recorder = {
        .modules = &module, .module_count = 1, .engine = "lockstep " LOCKSTEP_VERSION, .writer = &writer};
    struct rt_trace_sink sink = rt_trace_sink_memory(&subject->trace);
    struct rt_error *error = NULL;

    if (way->doing != RECORDS_TO_FILE) {
        free(subject->trace.bytes);
        subject->trace = (struct rt_trace_memory){0};
    } else {
        error = rt_trace_sink_file(bench->file, &sink);
    }
    return error ? error : rt_recorder_create(store, sink, &recorder, ret);
}

/* A run, recorded or not: from its first instruction to the end, of the trace too. */
static struct rt_error *run_guest(const struct bench *bench, struct subject *subject, const struct way *way,
                                  struct rt_store *store, struct times *ret) {
    struct rt_recorder *recorder = NULL;
    struct rt_instance *instance;
    struct rt_wasi *wasi = NULL;
    int status = 0;
    struct rt_error *error = make_wasi(subject, store, &wasi);

    if (!error && way->doing != RUNS)
        error = make_recorder(bench, subject, way, store, &recorder);
    if (!error)
        error = rt_wasi_instantiate(wasi, subject->codes[way->engine], &instance);
    const struct times started = start_clock();
    if (!error)
        error = rt_wasi_run(instance, &status);
    if (!error && recorder)
        error = rt_recorder_finish(recorder);
    *ret = stop_clock(started);
    if (!error && status != 0)
        error = rt_error_format(RT_USAGE, "%s: exit status %d", subject->workload->name, status);
    if (!error && way->doing != RUNS && way->doing != RECORDS_TO_FILE)
        subject->totals = rt_recorder_totals(recorder);
    rt_recorder_destroy(recorder);
    rt_wasi_destroy(wasi);
    return error;
}

static struct rt_error *open_trace(const struct subject *subject, struct rt_trace_reader **ret) {
    struct rt_trace_source source;
    struct rt_error *error = rt_trace_source_memory(subject->trace.bytes, subject->trace.size, &source);

    return error ? error : rt_trace_reader_create(source, ret);
}

static struct rt_error *replay_guest(struct subject *subject, const struct way *way, struct rt_store *store,
                                     struct times *ret) {
    const struct rt_replayer_options replay = {.codes = &subject->codes[way->engine], .code_count = 1};
    struct rt_replayer *replayer = NULL;
    struct rt_replay_result result = {0};
    struct rt_trace_reader *reader;
    struct rt_error *error = open_trace(subject, &reader);

    if (!error)
        error = rt_replayer_create(store, reader, &replay, &replayer);
    if (!error)
        error = rt_replayer_start(replayer);
    const struct times started = start_clock();
    if (!error)
        error = rt_replayer_run(replayer, &result);
    *ret = stop_clock(started);
    if (!error && (!result.has_end || result.status != 0))
        error = rt_error_format(RT_DIVERGED, "%s: the replay has another end", subject->workload->name);
    rt_replayer_destroy(replayer);
    return error;
}

static struct rt_error *go(const struct bench *bench, struct subject *subject, const struct way *way,
                           struct times *ret) {
    struct rt_store *store;
    struct rt_error *error = rt_store_create(&store);

    if (error)
        return error;
    error = way->doing == REPLAYS ? replay_guest(subject, way, store, ret)
                                  : run_guest(bench, subject, way, store, ret);
    rt_store_destroy(store);
    return error;
}

/* ---- Rounds ---- */

static struct rt_error *measure_round(const struct bench *bench, struct subject *subject) {
    struct times plain[ENGINES] = {{0, 0}};
    struct rt_error *error = NULL;

    for (size_t i = 0; i < WAYS && !error && !hx_bench_interrupted(); i++) {
        struct measured *measured = &subject->measured[i];
        struct times times = {0, 0};
        if (ways[i].engine == RT_ENGINE_INTERP && !subject->workload->interprets)
            continue;
        error = go(bench, subject, &ways[i], &times);
        if (error)
            break;
        if (ways[i].doing == RUNS)
            plain[ways[i].engine] = times;
        hx_samples_add(&measured->seconds, times.seconds);
        hx_samples_add(&measured->work, times.work);
        hx_samples_add(&measured->seconds_ratio, times.seconds / plain[ways[i].engine].seconds);
        hx_samples_add(&measured->work_ratio, times.work / plain[ways[i].engine].work);
    }
    return error;
}

static size_t size_of_values(const struct rt_trace_values *values) {
    size_t size = 0;

    for (uint32_t i = 0; i < values->count; i++)
        size += values->types[i] == RT_V128                                ? 16
                : values->types[i] == RT_I32 || values->types[i] == RT_F32 ? 4
                                                                           : 8;
    return size;
}

/* Counts what crossed the boundary. */
static struct rt_error *count_crossed(struct subject *subject) {
    const struct rt_trace_event *event;
    struct rt_trace_reader *reader = NULL;
    struct rt_error *error = open_trace(subject, &reader);

    while (!error && !(error = rt_trace_reader_next(reader, &event)) && event) {
        if (event->kind == RT_TRACE_IMPORT_CALL) {
            subject->calls++;
            subject->crossed += size_of_values(&event->import_call.arguments);
        } else if (event->kind == RT_TRACE_IMPORT_RETURN) {
            subject->crossed += size_of_values(&event->import_return.results);
        } else if (event->kind == RT_TRACE_MEMORY_WRITE) {
            subject->crossed += event->memory_write.bytes.size;
        }
    }
    rt_trace_reader_destroy(reader);
    return error;
}

static struct rt_error *measure(struct bench *bench) {
    struct rt_error *error = NULL;

    for (uint64_t round = 0; round < bench->values->rounds && !error && !hx_bench_interrupted(); round++)
        for (size_t i = 0; i < bench->subject_count && !error; i++)
            error = measure_round(bench, &bench->subjects[i]);
    for (size_t i = 0; i < bench->subject_count && !error; i++)
        if (bench->subjects[i].trace.bytes)
            error = count_crossed(&bench->subjects[i]);
    return error;
}

/* ---- Telling ---- */

static void add_ratio(struct hx_json *json, const char *key, const struct hx_samples *samples) {
    hx_json_open(json, key, '{');
    hx_json_seconds(json, "median", hx_samples_median(samples) * 100);
    hx_json_seconds(json, "least", hx_samples_least(samples) * 100);
    hx_json_seconds(json, "most", hx_samples_most(samples) * 100);
    hx_json_close(json, '}');
}

static void print_ratio(const struct hx_samples *samples) {
    printf("  %7.2f (%.1f to %.1f)", hx_samples_median(samples) * 100, hx_samples_least(samples) * 100,
           hx_samples_most(samples) * 100);
}

static void print_way(const struct bench *bench, const struct subject *subject, const struct way *way,
                      const struct measured *measured) {
    const double seconds = hx_samples_median(&measured->seconds), work = hx_samples_median(&measured->work);
    struct hx_buffer line = {0};
    struct hx_json json = {.out = &line};

    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "table", "record");
    hx_json_string(&json, "program", subject->workload->name);
    hx_json_string(&json, "way", way->name);
    hx_json_number(&json, "rounds", measured->seconds.count);
    hx_json_seconds(&json, "milliseconds", seconds * 1e3);
    hx_json_seconds(&json, "work_milliseconds", work * 1e3);
    add_ratio(&json, "percent", &measured->seconds_ratio);
    add_ratio(&json, "work_percent", &measured->work_ratio);
    hx_json_close(&json, '}');
    if (!bench->values->json) {
        printf("  %-22s %9.2f %9.2f", way->name, seconds * 1e3, work * 1e3);
        if (way->doing != RUNS) {
            print_ratio(&measured->seconds_ratio);
            print_ratio(&measured->work_ratio);
        }
        putchar('\n');
    }
    hx_bench_end_line(bench->values->json, &line);
}

/* Nanoseconds that recording so adds to a call of an import, by the least processor time of the guest's
 * thread: what else the machine does can only add to that. */
static double call_cost(const struct subject *subject, enum doing doing) {
    const double added =
        hx_samples_least(&subject->measured[doing].work) - hx_samples_least(&subject->measured[RUNS].work);

    return added * 1e9 / (double)subject->calls;
}

static void print_trace(const struct bench *bench, const struct subject *subject) {
    enum { MANY = 1000 /* fewer calls tell nothing about one */ };
    struct hx_buffer line = {0};
    struct hx_json json = {.out = &line};

    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "table", "trace");
    hx_json_string(&json, "program", subject->workload->name);
    hx_json_number(&json, "events", subject->totals.events);
    hx_json_number(&json, "calls", subject->calls);
    hx_json_number(&json, "crossed_bytes", subject->crossed);
    hx_json_number(&json, "event_bytes", subject->totals.raw);
    hx_json_number(&json, "trace_bytes", subject->trace.size);
    if (subject->calls >= MANY) {
        hx_json_seconds(&json, "nanoseconds_a_call", call_cost(subject, RECORDS));
        hx_json_seconds(&json, "nanoseconds_a_call_in_background", call_cost(subject, RECORDS_IN_BACKGROUND));
    }
    hx_json_close(&json, '}');
    if (!bench->values->json) {
        printf("  %llu calls, %llu bytes crossed; %llu bytes of events, a trace of %zu",
               (unsigned long long)subject->calls, (unsigned long long)subject->crossed,
               (unsigned long long)subject->totals.raw, subject->trace.size);
        if (subject->calls >= MANY)
            printf("; %.0f ns a call, %.0f in the background", call_cost(subject, RECORDS),
                   call_cost(subject, RECORDS_IN_BACKGROUND));
        puts("\n");
    }
    hx_bench_end_line(bench->values->json, &line);
}

static void print(const struct bench *bench) {
    if (!bench->values->json)
        printf("%-24s %9s %9s  %s\n", "", "ms", "of work", "percent of the plain run's: time, work (spread)");
    for (size_t i = 0; i < bench->subject_count; i++) {
        const struct subject *subject = &bench->subjects[i];
        if (!bench->values->json)
            printf("%s\n", subject->workload->name);
        for (size_t j = 0; j < WAYS; j++)
            if (subject->measured[j].seconds.count)
                print_way(bench, subject, &ways[j], &subject->measured[j]);
        if (subject->calls)
            print_trace(bench, subject);
    }
}

/* ---- The command ---- */

static struct rt_error *load(struct bench *bench, struct subject *subject) {
    char path[300];
    struct rt_error *error;

    subject->measured = rt_arena_array(bench->arena, WAYS, sizeof *subject->measured);
    if (!subject->measured)
        return rt_error_out_of_memory();
    snprintf(path, sizeof path, "%s/program.wasm", subject->built.builds[0].folder);
    error = rt_module_open(path, &subject->module);
    for (int engine = 0; engine < ENGINES && !error; engine++) {
        const struct rt_compile_options compile = {.engine = (enum rt_engine)engine, .canonical_nans = true};
        error = rt_code_create(subject->module, &compile, &subject->codes[engine]);
    }
    return error ? rt_error_context(error, "%s", path) : NULL;
}

/* A program that is not there is left out with a line. */
static struct rt_error *build(struct bench *bench) {
    struct rt_error *error = NULL;

    for (size_t i = 0; i < WORKLOADS && !error && !hx_bench_interrupted(); i++) {
        struct subject *subject = &bench->subjects[bench->subject_count];
        if (!hx_bench_is_chosen(&bench->values->programs, workloads[i].name))
            continue;
        subject->workload = &workloads[i];
        error = hx_bench_build(&bench->context, &workloads[i].program, &subject->built);
        if (!error) {
            bench->subject_count++;
            error = load(bench, subject);
        } else if (error->code == RT_USAGE) {
            fprintf(stderr, "left out: %s\n", error->message);
            rt_error_destroy(error);
            error = NULL;
        }
    }
    if (!error && !bench->subject_count)
        error = rt_error_format(RT_USAGE, "nothing is left to measure");
    return error;
}

static void unload(struct bench *bench) {
    for (size_t i = 0; i < bench->subject_count; i++) {
        struct subject *subject = &bench->subjects[i];
        for (int engine = 0; engine < ENGINES; engine++)
            rt_code_destroy(subject->codes[engine]);
        rt_module_destroy(subject->module);
        free(subject->trace.bytes);
    }
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    const char *names[WORKLOADS];
    const struct hx_bench_choice choice = {&values->programs, names, WORKLOADS, values->rounds,
                                           values->percent};
    struct hx_bench_command command;
    struct bench bench = {.values = values, .arena = &command.arena};

    (void)ret_status; /* a measurement finds nothing */
    for (size_t i = 0; i < WORKLOADS; i++)
        names[i] = workloads[i].name;
    struct rt_error *error = hx_bench_begin(arguments, &choice, &bench.context, &command);
    snprintf(bench.file, sizeof bench.file, "%s/trace", command.temp.path);
    if (!error)
        error = hx_bench_tools(&command, false, &bench.context);
    if (!error)
        error = build(&bench);
    if (!error)
        error = measure(&bench);
    if (!error)
        print(&bench);
    unload(&bench);
    hx_bench_end(&command);
    return error;
}

const struct hx_command hx_command_bench_record = {
    .name = "record",
    .arguments = "[--program NAME] [--rounds N] [OPTIONS]",
    .summary = "What recording costs and how long replays take, beside the same runs without either.",
    .details =
        "zstd compresses its own sources, read from the page cache, 40 times or once (zstd-once); calls\n"
        "makes small calls of the host; waits sleeps. Times go from a run's first instruction until it\n"
        "and its trace have ended, to the disk for a file. Percents are medians over rounds of the time,\n"
        "and of the processor time of the guest's thread (work), by those of the plain run on the same "
        "engine in\n"
        "the same round. zstd comes from ci/bench-programs; what is not there is left out with a line.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
