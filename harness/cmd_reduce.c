/* `lockstep reduce`: a smaller program that shows the same finding. */
#include "harness/harness.h"

#include "harness/campaign.h"
#include "harness/cmd_options.h"
#include "harness/finding.h"
#include "harness/interrupt.h"
#include "harness/process.h"
#include "harness/reduce.h"
#include "harness/reduce_task.h"
#include "harness/report.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define REDUCED "reduced"

enum { DEFAULT_TIME = 300000, LEAST_TIME_LIMIT = 500, MORE_TIMES = 2, FILE_LIMIT = 64 << 20 };

static const struct hx_reduce_values defaults = {
    .time = DEFAULT_TIME, .stops = UINT64_MAX, .visits = UINT64_MAX, .steps = UINT64_MAX};

static const struct hx_option options[] = {
    {"--time", "TIME", HX_OPTION_DURATION, offsetof(struct hx_reduce_values, time),
     "take at most this long (5m)"},
    {"--lines", "N", HX_OPTION_NUMBER, offsetof(struct hx_reduce_values, lines),
     "end when the program has no more than N lines (0: take the time)"},
    {"--jobs", "N", HX_OPTION_NUMBER, offsetof(struct hx_reduce_values, jobs),
     "programs to try side by side (one a core, 16 at most)"},
    {"--signature", "SIGNATURE", HX_OPTION_TEXT, offsetof(struct hx_reduce_values, signature),
     "of a C file: the finding that has to stay (its first that is not known)"},
    {"--out", "DIR", HX_OPTION_TEXT, offsetof(struct hx_reduce_values, out),
     "folder for the result (FINDING itself; of FILE.c: FILE-reduced)"},
    HX_COMPILER_OPTIONS(struct hx_reduce_values),
    HX_WASM_OPT_OPTION(struct hx_reduce_values),
    HX_ENGINE_OPTION(struct hx_reduce_values),
    {"--steps", "N", HX_OPTION_NUMBER, offsetof(struct hx_reduce_values, steps),
     "of a finding of --self: at most N instructions of a build, 0 for all (20000000)"},
    HX_LIMIT_OPTIONS(struct hx_reduce_values),
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct hx_reduce_values, json), "print one JSON object"},
    {"--test", "DIR", HX_OPTION_TEXT, offsetof(struct hx_reduce_values, test),
     "what C-Vise runs: ask the reduction that serves in DIR about ./program.c"},
};

/* ---- The program as it is ---- */

/* Compares the program as `lockstep check` does, findings marked. */
static struct rt_error *compare(const struct hx_reduction *reduction, const char *c_file, struct hx_job *job,
                                struct hx_result *result) {
    const struct hx_source source = {.c_file = c_file};
    struct rt_error *error = hx_job_run(&reduction->setup, &source, reduction->temp, job, result);

    if (!error && result->verdict == HX_SKIPPED)
        error = rt_error_format(RT_USAGE, "%s", result->reason);
    if (!error) {
        const struct hx_known_context context = hx_known_context_of(reduction->setup.tools, job->folder.path);
        hx_known_mark(reduction->setup.known, &context, result);
    }
    return error;
}

/* The finding that is meant: with the states of the document, and the known defect of the document rather
 * than another one. */
static const struct hx_finding *choose(const struct hx_reduce_task *task, const struct hx_result *result) {
    const struct hx_finding *chosen = NULL;

    for (size_t i = 0; i < result->finding_count; i++) {
        const struct hx_finding *finding = &result->findings[i];
        const struct hx_target exact = {.signature =
                                            hx_word_or(task->values.signature, finding->body.signature),
                                        .known = task->known,
                                        .has_states = task->has_states,
                                        .states = {task->states[0], task->states[1]}};
        struct hx_target similar = exact;
        similar.known = finding->known;
        if (hx_target_is(&exact, finding))
            return finding;
        if (!chosen && task->values.signature && hx_target_is(&similar, finding))
            chosen = finding;
    }
    return chosen;
}

static const char *copy(struct rt_arena *arena, const char *text) {
    return text ? rt_arena_copy(arena, text, strlen(text)) : NULL;
}

static bool is_out_of_time(const struct hx_reduction *reduction, const struct hx_result *result) {
    return result->seconds[HX_STEP] * 1000 >= reduction->setup.time_limit;
}

static struct rt_error *find_target(struct hx_reduce_task *task, struct rt_arena *arena,
                                    struct hx_reduction *reduction) {
    struct hx_result result;
    struct hx_job job;

    hx_job_init(&job);
    hx_result_init(&result);
    struct rt_error *error = compare(reduction, task->c_file, &job, &result);
    const struct hx_finding *finding = error ? NULL : choose(task, &result);
    /* On a machine that has other work, the time may not have sufficed. */
    for (int i = 0; i < MORE_TIMES && !error && !finding && is_out_of_time(reduction, &result); i++) {
        hx_result_clear(&result);
        hx_job_clear(&job);
        hx_result_init(&result);
        reduction->setup.time_limit *= 5;
        error = compare(reduction, task->c_file, &job, &result);
        finding = error ? NULL : choose(task, &result);
    }
    task->values.time_limit = reduction->setup.time_limit;
    if (!error && !finding)
        error =
            rt_error_format(RT_USAGE, "%s does not show %s with %s %s; `lockstep check` tells what it shows",
                            task->c_file, hx_word_or(task->values.signature, "a finding that is not known"),
                            reduction->setup.tools->cc, reduction->setup.tools->optimisation);
    if (!error) {
        struct hx_target *target = &reduction->target;
        *target = (struct hx_target){.signature = copy(arena, finding->body.signature),
                                     .known = copy(arena, finding->known),
                                     .has_states = true};
        for (int i = 0; i < 2; i++)
            target->states[i] = copy(arena, finding->body.witnesses[i].state);
        reduction->is_endless = result.verdict == HX_DIFFER && result.reason;
        /* What takes much longer than this program is a loop that has lost its end. */
        if (!reduction->is_endless)
            reduction->setup.time_limit = (unsigned)(result.seconds[HX_STEP] * 4000) + LEAST_TIME_LIMIT;
        if (!target->signature)
            error = rt_error_out_of_memory();
    }
    hx_result_clear(&result);
    hx_job_clear(&job);
    return error;
}

/* ---- The way down ---- */

static struct rt_error *prepare(const struct hx_reduce_task *task, struct hx_reduction *reduction) {
    struct hx_temp folder = {0};
    enum hx_answer answer = HX_ANSWER_FAILED;
    struct rt_error *error = hx_file_read(task->c_file, FILE_LIMIT, &reduction->best);

    reduction->first_lines = hx_reduction_lines(&reduction->best);
    if (!error)
        error = hx_temp_folder(reduction->temp, "first", &folder);
    if (!error)
        error = hx_soundness_measure(reduction, hx_buffer_string(&reduction->best), reduction->best.size,
                                     &folder);
    hx_temp_remove(&folder);
    if (!error)
        error = hx_temp_folder(reduction->temp, "first", &folder);
    reduction->extent = HX_EXTENT_FINDING;
    if (!error)
        error = hx_trial_run(reduction, hx_buffer_string(&reduction->best), reduction->best.size, &folder,
                             &answer);
    reduction->extent = HX_EXTENT_WHOLE;
    hx_temp_remove(&folder);
    if (!error && answer != HX_ANSWER_SAME)
        error =
            rt_error_format(RT_USAGE, "%s cannot be reduced: it %s", task->c_file, hx_answer_words(answer));
    return error;
}

static struct rt_error *reduce(struct hx_reduction *reduction, const char *cvise) {
    struct rt_error *error = hx_reduce_expand(reduction);

    if (!error && !hx_reduction_is_over(reduction))
        error = hx_reduce_passes(reduction);
    if (!error && !hx_reduction_is_over(reduction))
        error = hx_reduce_cvise(reduction, cvise);
    /* The layout is worth a second more than was given, but not to who has interrupted. */
    if (!error && !hx_interrupted()) {
        reduction->deadline = UINT64_MAX;
        reduction->enough_lines = 0;
        error = hx_reduce_format(reduction);
    }
    hx_reduction_begin(reduction, NULL);
    if (reduction->has_progress)
        fputs("\r\033[K", stderr);
    return error;
}

/* ---- The result ---- */

static struct rt_error *make_folder(const char *path) {
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return NULL;
    return rt_error_os(errno, "cannot make the folder %s", path);
}

static double processor_seconds(void) {
    double sum = 0;

    for (int i = 0; i < 2; i++) {
        struct rusage usage;
        if (getrusage(i ? RUSAGE_CHILDREN : RUSAGE_SELF, &usage) == 0)
            sum += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    }
    return sum;
}

static void pass_json(const struct hx_pass *pass, struct hx_json *json) {
    hx_json_open(json, NULL, '{');
    hx_json_string(json, "pass", pass->name);
    hx_json_seconds(json, "seconds", pass->seconds);
    hx_json_number(json, "tried", pass->tried);
    hx_json_number(json, "shown", pass->shown);
    hx_json_number(json, "lines_removed", pass->lines > 0 ? (uint64_t)pass->lines : 0);
    hx_json_close(json, '}');
}

static void print_json(const struct hx_reduction *reduction, const char *path,
                       const struct hx_finding *finding, double seconds, struct hx_buffer *out) {
    static const char *const names[] = {
#define HX_ANSWER(name, words) #name,
#include "harness/reduce_answers.def"
#undef HX_ANSWER
    };
    struct hx_json json = {.out = out};

    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "file", path);
    hx_json_number(&json, "lines_before", reduction->first_lines);
    hx_json_number(&json, "lines", hx_reduction_lines(&reduction->best));
    hx_json_number(&json, "bytes", reduction->best.size);
    hx_json_seconds(&json, "seconds", seconds);
    hx_json_seconds(&json, "processor_seconds", processor_seconds());
    hx_json_open(&json, "tried", '{');
    for (int i = 0; i < HX_ANSWER_COUNT; i++)
        hx_json_number(&json, names[i], reduction->counts->answers[i]);
    hx_json_close(&json, '}');
    hx_json_open(&json, "passes", '[');
    for (size_t i = 0; i < reduction->pass_count; i++)
        pass_json(&reduction->passes[i], &json);
    hx_json_close(&json, ']');
    hx_json_string(&json, "checks_left_out", hx_buffer_string(&reduction->soundness.left_out));
    hx_finding_json(finding, false, "finding", &json);
    hx_json_close(&json, '}');
    hx_buffer_text(out, "\n");
}

static void print_words(const struct hx_reduction *reduction, const char *path, const char *folder,
                        const struct hx_finding *finding, double seconds, struct hx_buffer *out) {
    hx_report_finding(finding, folder, out);
    hx_buffer_print(out, "\n%s: %zu lines of %zu, in %.0f s (%.0f s of processor time)\nprograms tried:\n",
                    path, hx_reduction_lines(&reduction->best), reduction->first_lines, seconds,
                    processor_seconds());
    for (int i = 0; i < HX_ANSWER_COUNT; i++)
        if (reduction->counts->answers[i])
            hx_buffer_print(out, "  %5llu %s\n", (unsigned long long)reduction->counts->answers[i],
                            hx_answer_words((enum hx_answer)i));
    if (reduction->soundness.left_out.size > 0)
        hx_buffer_print(out, "not checked, as the first program does not pass it: %s\n",
                        hx_buffer_string(&reduction->soundness.left_out));
}

/* Makes the folder, and its path absolute. */
static struct rt_error *make_out(const char *out, char path[PATH_MAX]) {
    struct rt_error *error = make_folder(out);

    if (!error && !realpath(out, path))
        error = rt_error_os(errno, "cannot use the folder %s", out);
    return error;
}

/* Writes OUT/reduced.c, and OUT/reduced/ as a finding of its own, whose program.c is what its debug
 * information names. */
static struct rt_error *keep(const struct hx_reduce_task *task, struct hx_reduction *reduction) {
    const double seconds = (double)(hx_now() - reduction->started) / 1000;
    char place[PATH_MAX], path[PATH_MAX + 16], folder[PATH_MAX + 16], program[PATH_MAX + 32];
    struct hx_buffer out = {0};
    struct hx_result result;
    struct hx_job job;

    hx_job_init(&job);
    hx_result_init(&result);
    struct rt_error *error = make_out(task->out, place);
    if (!error) {
        snprintf(path, sizeof path, "%s/" REDUCED ".c", place);
        snprintf(folder, sizeof folder, "%s/" REDUCED, place);
        snprintf(program, sizeof program, "%s/" HX_SOURCE, folder);
        error = make_folder(folder);
    }
    hx_interrupt_forget();
    reduction->setup.time_limit = (unsigned)task->values.time_limit;
    if (!error)
        error = hx_file_write(path, reduction->best.bytes, reduction->best.size, 0666);
    if (!error)
        error = hx_file_write(program, reduction->best.bytes, reduction->best.size, 0666);
    if (!error)
        error = compare(reduction, program, &job, &result);
    const struct hx_finding *finding = NULL;
    for (size_t i = 0; !error && i < result.finding_count && !finding; i++)
        if (hx_target_is(&reduction->target, &result.findings[i]))
            finding = &result.findings[i];
    if (!error && !finding)
        error = rt_error_format(RT_USAGE, "%s showed the finding and does not any more", path);
    if (!error)
        error = hx_finding_write_to(folder, &job, &result, finding);
    if (!error && task->values.json)
        print_json(reduction, path, finding, seconds, &out);
    else if (!error)
        print_words(reduction, path, job.folder.path, finding, seconds, &out);
    if (out.failed)
        error = rt_error_out_of_memory();
    if (!error)
        fputs(hx_buffer_string(&out), stdout);
    hx_buffer_clear(&out);
    hx_result_clear(&result);
    hx_job_clear(&job);
    return error;
}

/* ---- The command ---- */

static struct rt_error *set_up(struct hx_reduce_task *task, struct rt_arena *arena, struct hx_tools *tools,
                               const struct hx_known *known, struct hx_reduction *reduction) {
    struct hx_reduce_values *values = &task->values;
    const char *native = values->native_cc && values->cc && strcmp(values->native_cc, values->cc) == 0
                             ? NULL
                             : values->native_cc;
    const struct hx_tools_choice choice = {.cc = hx_word_or(values->cc, HX_DEFAULT_CC),
                                           .native_cc = native,
                                           .optimisation = hx_word_or(values->opt, "-O0"),
                                           .wasm_opt = values->wasm_opt};
    const unsigned time_limit = task->is_self ? HX_DEFAULT_ENGINES_TIME_LIMIT : HX_DEFAULT_TIME_LIMIT;
    const unsigned cores = hx_core_count();
    struct rt_error *error = hx_tools_find(&choice, reduction->temp, tools);

    if (error)
        return error;
    reduction->setup =
        (struct hx_setup){.tools = tools,
                          .known = known,
                          .max_stops = values->stops == UINT64_MAX ? HX_DEFAULT_STOPS : values->stops,
                          .max_visits = values->visits == UINT64_MAX ? HX_DEFAULT_VISITS : values->visits,
                          .time_limit = values->time_limit ? (unsigned)values->time_limit : time_limit,
                          .is_self = task->is_self,
                          .self_steps = values->steps == UINT64_MAX ? HX_DEFAULT_STEPS : values->steps,
                          .is_one_compiler = hx_tools_are_alike(tools),
                          .is_unoptimised = strcmp(choice.optimisation, "-O0") == 0 && !choice.wasm_opt};
    reduction->jobs = values->jobs ? (unsigned)values->jobs : cores;
    if (reduction->jobs > HX_MAX_TRIALS)
        reduction->jobs = HX_MAX_TRIALS;
    reduction->enough_lines = values->lines;
    reduction->has_progress = isatty(STDERR_FILENO);
    error = rt_engine_parse(hx_word_or(values->engine, "compiled"), &reduction->setup.engine);
    if (error)
        return rt_error_context(error, "--engine");
    return hx_tool_find(HX_DEFAULT_CC, HX_DEFAULT_CC, arena, &reduction->sanitizing_cc);
}

static struct rt_error *run_test(const char *folder, int *ret_status) {
    bool is_same;
    struct rt_error *error = hx_reduce_ask(folder, &is_same);

    *ret_status = is_same ? HX_STATUS_CLEAN : HX_STATUS_FOUND;
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct hx_reduce_values *values = all;
    struct hx_reduce_task task;
    struct hx_reduction reduction = {0};
    struct hx_known known = {0};
    struct hx_tools tools = {0};
    struct hx_temp temp = {0};
    struct rt_arena arena;
    const char *cvise = NULL;

    if (values->test)
        return run_test(values->test, ret_status);
    rt_arena_init(&arena, 0);
    hx_interrupt_catch();
    struct rt_error *error = hx_reduce_task_read(arguments, values, &arena, &task);
    if (!error)
        error = hx_tool_find("cvise", "cvise", &arena, &cvise);
    if (!error)
        error = hx_known_load(values->known, &known);
    if (!error)
        error = hx_temp_create(&temp);
    /* What tools and programs that are killed leave behind goes with the folder. */
    if (!error && (setenv("TMPDIR", temp.path, 1) != 0 || setenv("ASAN_OPTIONS", "detect_leaks=0", 1) != 0))
        error = rt_error_out_of_memory();
    reduction.temp = &temp;
    if (!error)
        error = hx_reduction_init(&reduction);
    reduction.deadline = reduction.started + values->time;
    if (!error)
        error = set_up(&task, &arena, &tools, &known, &reduction);
    if (!error)
        error = find_target(&task, &arena, &reduction);
    if (!error)
        error = prepare(&task, &reduction);
    if (!error)
        error = reduce(&reduction, cvise);
    if (!error)
        error = keep(&task, &reduction);
    hx_reduction_clear(&reduction);
    hx_tools_clear(&tools);
    hx_known_clear(&known);
    hx_temp_remove(&temp);
    rt_arena_clear(&arena);
    return error;
}

const struct hx_command hx_command_reduce = {
    .name = "reduce",
    .arguments = "FINDING | FILE.c [--signature SIGNATURE] [--time 5m] [OPTIONS]",
    .summary = "Makes a program smaller that shows a finding, as long as it shows it.",
    .details =
        "FINDING is a folder that `lockstep fuzz --out` made; its compilers and settings are taken from\n"
        "there. The program loses its headers, then what main does not need and what never runs before the\n"
        "finding shows, calls, functions' bodies, statements, blocks, expressions, and goes to C-Vise for\n"
        "the rest. A smaller program counts when it\n"
        "  - is accepted without warnings that mean undefined behaviour,\n"
        "  - shows a finding of the same signature, of which the same side lacks a value, which is the same\n"
        "    known defect or none,\n"
        "  - prints and ends the same on both sides,\n"
        "  - runs under clang-19's MemorySanitizer, UndefinedBehaviorSanitizer and AddressSanitizer.\n"
        "What the first program itself does not pass is left out, and named.\n\n"
        "Findings about engines or modules, of two native builds or two modules, and of jit are refused.\n\n"
        "The result is FINDING/reduced.c, and FINDING/reduced a finding of its own; the program that was\n"
        "found stays. Ctrl-C ends it and keeps the smallest so far.\n\n"
        "Exit status: 0 it is as small as it gets in the time; 2 it could not be reduced: it does not show\n"
        "the finding, or a tool is missing. With --test: 0 the program shows the finding, 1 it does not.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
