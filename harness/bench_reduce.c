/* `lockstep bench reduce`: how small findings become, in how much time. Each is reduced by the command
 * itself, in a process of its own, one after the other. */
#include "harness/bench.h"

#include "harness/finding_read.h"
#include "harness/interrupt.h"
#include "harness/json.h"
#include "harness/process.h"
#include "harness/samples.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_TIME = 300000, MOST_FINDINGS = 999 };

struct values {
    uint64_t time, lines, jobs, limit;
    const char *out;
    bool json;
};

static const struct values defaults = {.time = DEFAULT_TIME};

static const struct hx_option options[] = {
    {"--time", "TIME", HX_OPTION_DURATION, offsetof(struct values, time), "for each finding (5m)"},
    {"--lines", "N", HX_OPTION_NUMBER, offsetof(struct values, lines),
     "a program of N lines is small enough (0: take the time)"},
    {"--jobs", "N", HX_OPTION_NUMBER, offsetof(struct values, jobs),
     "programs to try side by side (one a core, 16 at most)"},
    {"--limit", "N", HX_OPTION_NUMBER, offsetof(struct values, limit), "the first N findings alone (0: all)"},
    {"--out", "DIR", HX_OPTION_TEXT, offsetof(struct values, out),
     "keep the smaller programs, a folder each (they are removed)"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object a line"},
};

/* What came of one finding. */
struct row {
    const char *name, *signature, *cc, *native_cc, *opt;
    double lines_before, lines, seconds, processor_seconds, tried;
    double load; /* of the machine, when it was over: processes that want a core, over the last minute */
    const char *failure;
};

struct bench {
    const struct values *values;
    const char *self, *out; /* absolute */
    struct rt_arena arena;
    struct hx_samples lines_before, lines, seconds, processor_seconds;
    size_t count, failed;
};

/* ---- One finding ---- */

static double number_of(const struct hx_json_value *object, const char *name) {
    const struct hx_json_value *member = hx_json_member(object, name);
    return member && member->kind == HX_JSON_NUMBER ? member->number : 0;
}

static struct rt_error *read_row(const struct hx_process *process, struct rt_arena *arena, struct row *row) {
    const struct hx_json_value *object;
    struct rt_error *error =
        hx_json_parse(hx_buffer_string(&process->output), process->output.size, arena, &object);

    if (error)
        return error;
    const struct hx_json_value *tried = hx_json_member(object, "tried");
    row->lines_before = number_of(object, "lines_before");
    row->lines = number_of(object, "lines");
    row->seconds = number_of(object, "seconds");
    row->processor_seconds = number_of(object, "processor_seconds");
    for (const struct hx_json_value *answer = tried ? tried->first : NULL; answer; answer = answer->next)
        row->tried += answer->kind == HX_JSON_NUMBER ? answer->number : 0;
    return NULL;
}

static struct rt_error *reduce(struct bench *bench, const char *finding, struct row *row) {
    const struct values *values = bench->values;
    const char *out = rt_arena_printf(&bench->arena, "%s/%zu", bench->out, bench->count);
    char time[32], lines[32], jobs[32], complaint[240];

    snprintf(time, sizeof time, "%llums", (unsigned long long)values->time);
    snprintf(jobs, sizeof jobs, "%llu", (unsigned long long)values->jobs);
    snprintf(lines, sizeof lines, "%llu", (unsigned long long)values->lines);
    const char *words[] = {bench->self, "reduce", finding, "--json",  "--time", time, "--out",
                           out,         "--jobs", jobs,    "--lines", lines,    NULL};
    struct hx_process process = {.argv = words};
    struct rt_error *error = out ? hx_process_run(&process, 1) : rt_error_out_of_memory();
    if (!error && hx_process_succeeded(&process))
        error = read_row(&process, &bench->arena, row);
    else if (!error)
        row->failure =
            rt_arena_printf(&bench->arena, "%s", hx_process_complaint(&process, complaint, sizeof complaint));
    hx_process_clear(&process);
    if (getloadavg(&row->load, 1) != 1)
        row->load = 0;
    return error;
}

/* ---- Telling ---- */

static void print_json(const struct row *row) {
    struct hx_buffer line = {0};
    struct hx_json json = {.out = &line};

    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "table", "finding");
    hx_json_string(&json, "finding", row->name);
    hx_json_string(&json, "signature", row->signature);
    hx_json_string(&json, "cc", row->cc);
    hx_json_string(&json, "native_cc", row->native_cc);
    hx_json_string(&json, "opt", row->opt);
    hx_json_string(&json, "failure", row->failure);
    hx_json_number(&json, "lines_before", (uint64_t)row->lines_before);
    hx_json_number(&json, "lines", (uint64_t)row->lines);
    hx_json_seconds(&json, "seconds", row->seconds);
    hx_json_seconds(&json, "processor_seconds", row->processor_seconds);
    hx_json_number(&json, "tried", (uint64_t)row->tried);
    hx_json_seconds(&json, "load", row->load);
    hx_json_close(&json, '}');
    puts(hx_buffer_string(&line));
    hx_buffer_clear(&line);
}

static void print_row(const struct row *row) {
    const bool has_two = row->native_cc && row->cc && strcmp(row->native_cc, row->cc) != 0;

    if (row->failure)
        printf("%6s %6s %8s %8s %6s %5.1f", "-", "-", "-", "-", "-", row->load);
    else
        printf("%6.0f %6.0f %8.0f %8.0f %6.0f %5.1f", row->lines_before, row->lines, row->seconds,
               row->processor_seconds, row->tried, row->load);
    printf("  %s%s%s %s  %s%s%s\n", row->cc ? row->cc : "", has_two ? "+" : "", has_two ? row->native_cc : "",
           row->opt ? row->opt : "", row->signature, row->failure ? ": " : "",
           row->failure ? row->failure : "");
}

static void print_medians(struct bench *bench) {
    const double before = hx_samples_median(&bench->lines_before), lines = hx_samples_median(&bench->lines),
                 seconds = hx_samples_median(&bench->seconds),
                 processor = hx_samples_median(&bench->processor_seconds);
    struct hx_buffer line = {0};
    struct hx_json json = {.out = &line};

    if (!bench->values->json) {
        printf("%6.0f %6.0f %8.0f %8.0f               medians of %zu findings", before, lines, seconds,
               processor, bench->count - bench->failed);
        printf(bench->failed ? "; %zu more could not be reduced\n" : "\n", bench->failed);
        return;
    }
    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "table", "medians");
    hx_json_number(&json, "findings", bench->count - bench->failed);
    hx_json_number(&json, "failed", bench->failed);
    hx_json_number(&json, "lines_before", (uint64_t)before);
    hx_json_number(&json, "lines", (uint64_t)lines);
    hx_json_seconds(&json, "seconds", seconds);
    hx_json_seconds(&json, "processor_seconds", processor);
    hx_json_close(&json, '}');
    puts(hx_buffer_string(&line));
    hx_buffer_clear(&line);
}

/* ---- The findings ---- */

static bool is_over(const struct bench *bench) {
    return hx_interrupted() || (bench->values->limit && bench->count == bench->values->limit);
}

static struct rt_error *run_one(struct bench *bench, const char *finding) {
    struct hx_kept kept;
    struct rt_error *error = hx_kept_read(finding, &bench->arena, &kept);

    if (error)
        return error;
    struct row row = {.name = finding,
                      .signature = kept.told.signature,
                      .cc = kept.wasm_cc,
                      .native_cc = kept.native_cc,
                      .opt = kept.opt};
    error = reduce(bench, finding, &row);
    if (error || hx_interrupted())
        return error;
    bench->count++;
    bench->failed += row.failure != NULL;
    if (!row.failure) {
        hx_samples_add(&bench->lines_before, row.lines_before);
        hx_samples_add(&bench->lines, row.lines);
        hx_samples_add(&bench->seconds, row.seconds);
        hx_samples_add(&bench->processor_seconds, row.processor_seconds);
    }
    (bench->values->json ? print_json : print_row)(&row);
    fflush(stdout);
    return NULL;
}

static bool has_finding(const char *folder) {
    char path[PATH_MAX];
    return (size_t)snprintf(path, sizeof path, "%s/finding.json", folder) < sizeof path &&
           access(path, R_OK) == 0;
}

/* The findings of a campaign's folder, by their names. */
static struct rt_error *run_folder(struct bench *bench, const char *folder) {
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, NULL, alphasort);
    struct rt_error *error = count < 0 ? rt_error_os(errno, "cannot read the folder %s", folder) : NULL;
    bool any = false;

    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        const bool fits =
            (size_t)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) < sizeof path;
        if (!error && fits && entries[i]->d_name[0] != '.' && has_finding(path)) {
            any = true;
            if (!is_over(bench))
                error = run_one(bench, path);
        }
        free(entries[i]);
    }
    free(entries);
    return error || any ? error : rt_error_format(RT_USAGE, "%s has no findings", folder);
}

static struct rt_error *run_all(struct bench *bench, const struct hx_arguments *arguments) {
    struct rt_error *error = NULL;

    if (!bench->values->json)
        puts("lines: of them left   seconds: processor  tried  load");
    for (size_t i = 0; i < arguments->count && !error && !is_over(bench); i++)
        error = has_finding(arguments->items[i]) ? run_one(bench, arguments->items[i])
                                                 : run_folder(bench, arguments->items[i]);
    if (!error && bench->count > 0)
        print_medians(bench);
    return error;
}

/* ---- The command ---- */

static struct rt_error *make_out(const char *out, struct rt_arena *arena, const char **ret) {
    struct rt_error *error = NULL;

    if (mkdir(out, 0777) != 0 && errno != EEXIST)
        return rt_error_os(errno, "cannot make the folder %s", out);
    char *real = realpath(out, NULL);
    if (!real)
        return rt_error_os(errno, "cannot use the folder %s", out);
    *ret = rt_arena_copy(arena, real, strlen(real));
    if (!*ret)
        error = rt_error_out_of_memory();
    free(real);
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct bench bench = {.values = values, .self = "/proc/self/exe"};
    struct hx_temp temp = {0};

    (void)ret_status; /* a measurement finds nothing */
    if (arguments->count == 0 || arguments->count > MOST_FINDINGS)
        return rt_error_format(RT_USAGE, "needs findings' folders, or campaigns'");
    rt_arena_init(&bench.arena, 0);
    hx_interrupt_catch();
    struct rt_error *error = hx_temp_create(&temp);
    if (!error)
        error = make_out(values->out ? values->out : temp.path, &bench.arena, &bench.out);
    if (!error)
        error = run_all(&bench, arguments);
    hx_temp_remove(&temp);
    rt_arena_clear(&bench.arena);
    return error;
}

const struct hx_command hx_command_bench_reduce = {
    .name = "reduce",
    .arguments = "FINDING|CAMPAIGN... [--time 5m] [OPTIONS]",
    .summary = "Measures how small `lockstep reduce` makes findings, and in how much time.",
    .details =
        "Takes findings' folders, and of a campaign's folder all findings in it. Each is reduced by itself,\n"
        "and nothing is written into it. A row tells the program's lines before and after, seconds, "
        "processor\n"
        "seconds of all that was started, programs tried, and the machine's load when it was over: beside\n"
        "other work a reduction gets less of the processor, and seconds alone say little. The last row has\n"
        "the medians of all that could be reduced.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
