/* `lockstep wast`: runs specification test scripts, each in a process of its own. */
#include "harness/harness.h"

#include "harness/interrupt.h"
#include "harness/process.h"
#include "harness/tools.h"
#include "harness/wast.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_LIMIT = 60000, CONVERSION_LIMIT = 60000 };

struct values {
    const char *engine, *suite;
    uint64_t limit;
    bool strict_words, verbose, json;
};

static const struct values defaults = {.engine = "compiled", .limit = DEFAULT_LIMIT};

static const struct hx_option options[] = {
    {"--engine", "ENGINE", HX_OPTION_TEXT, offsetof(struct values, engine), "compiled or interp (compiled)"},
    {"--suite", "DIR", HX_OPTION_TEXT, offsetof(struct values, suite),
     "run every .wast file of DIR (without files, LOCKSTEP_WASM_TESTSUITE)"},
    {"--limit", "TIME", HX_OPTION_DURATION, offsetof(struct values, limit),
     "a command without end for so long has failed, and its script ends; 0 for no limit (60s)"},
    {"--strict-words", NULL, HX_OPTION_FLAG, offsetof(struct values, strict_words),
     "a module's error in other words than the script's is a failure"},
    {"--verbose", NULL, HX_OPTION_FLAG, offsetof(struct values, verbose),
     "print a line for each script, not only for one that failed"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object a script"},
};

/* What all scripts of a command share, and what came of them. */
struct run {
    const struct values *values;
    struct rt_compile_options compile;
    struct rt_arena arena;
    struct hx_temp temp;
    const char *wast2json; /* NULL when no script needs it */
    struct hx_list paths;
    struct hx_wast_counts counts[HX_WAST_KIND_COUNT];
    uint32_t script_count, words, unusable;
};

/* ---- Which scripts ---- */

static bool ends_in(const char *path, const char *end) {
    size_t length = strlen(path), end_length = strlen(end);
    return length >= end_length && strcmp(path + length - end_length, end) == 0;
}

static int is_script(const struct dirent *entry) {
    return ends_in(entry->d_name, ".wast");
}

static struct rt_error *list_suite(const char *folder, struct rt_arena *arena, struct hx_list *ret) {
    struct dirent **entries = NULL;
    struct rt_error *error = NULL;
    int count = scandir(folder, &entries, is_script, alphasort);

    if (count < 0)
        return rt_error_os(errno, "cannot open the suite %s", folder);
    if (count == 0)
        error = rt_error_format(RT_USAGE, "there is no .wast file in %s", folder);
    ret->items = rt_arena_array(arena, (size_t)count, sizeof *ret->items);
    for (int i = 0; i < count; i++) {
        const char *path = rt_arena_printf(arena, "%s/%s", folder, entries[i]->d_name);
        if (ret->items && path)
            ret->items[ret->count++] = path;
        else
            error = rt_error_out_of_memory();
        free(entries[i]);
    }
    free(entries);
    return error;
}

static struct rt_error *list_scripts(const struct hx_arguments *arguments, struct run *run) {
    const char *suite = run->values->suite;

    if (suite && arguments->count > 0)
        return rt_error_format(RT_USAGE, "needs files or --suite, not both");
    if (arguments->count > 0) {
        run->paths = (struct hx_list){arguments->items, arguments->count};
        return NULL;
    }
    if (!suite)
        suite = getenv("LOCKSTEP_WASM_TESTSUITE");
    if (!suite || !*suite)
        return rt_error_format(RT_USAGE, "needs FILE.wast, or --suite DIR");
    return list_suite(suite, &run->arena, &run->paths);
}

static struct rt_error *find_converter(struct run *run) {
    for (size_t i = 0; i < run->paths.count; i++)
        if (!ends_in(run->paths.items[i], ".json"))
            return hx_tool_find("wast2json", "wabt", &run->arena, &run->wast2json);
    return NULL;
}

/* ---- One script ---- */

/* Converts into the folder, and gives the converted script's path. */
static struct rt_error *convert(const struct run *run, const char *path, const struct hx_temp *folder,
                                char *ret, size_t size) {
    const char *argv[] = {run->wast2json, path, "-o", ret, NULL};
    struct hx_process process = {.argv = argv, .time_limit = CONVERSION_LIMIT, .own_group = true};
    char how[128], words[160];

    snprintf(ret, size, "%s/script.json", folder->path);
    /* Its own message about a file that is not there is longer. */
    if (access(path, R_OK) != 0)
        return rt_error_os(errno, "cannot open %s", path);
    struct rt_error *error = hx_process_run(&process, 1);
    if (!error && !hx_process_succeeded(&process)) {
        hx_process_complaint(&process, words, sizeof words);
        error = rt_error_format(RT_MALFORMED, "%s: wast2json cannot convert it: %s", path,
                                words[0] ? words : hx_process_describe(&process, how, sizeof how));
    }
    hx_process_clear(&process);
    return error;
}

static void print_text(const struct hx_wast_script *script, const struct hx_wast_report *report) {
    for (uint32_t i = 0; i < report->remark_count; i++) {
        const struct hx_wast_remark *remark = &report->remarks[i];
        printf("%s:%u: %s: %s%s\n", script->source, remark->line, hx_wast_kind_name(remark->kind),
               remark->is_words ? "other words: " : "", remark->text);
    }
}

static void print_summary(const struct hx_wast_script *script, const struct hx_wast_report *report) {
    const struct hx_wast_counts total = hx_wast_total(report);

    if (total.failed + report->words > report->remark_count)
        printf("%s: and %u more\n", script->source, total.failed + report->words - report->remark_count);
    printf("%s: %u passed, %u failed", script->source, total.passed, total.failed);
    if (total.left_out > 0)
        printf(", %u left out (text form)", total.left_out);
    if (report->words > 0)
        printf(", %u with an error in other words", report->words);
    putchar('\n');
}

static void put_counts(struct hx_json *json, const struct hx_wast_counts *counts) {
    hx_json_number(json, "passed", counts->passed);
    hx_json_number(json, "failed", counts->failed);
    hx_json_number(json, "left_out", counts->left_out);
}

static struct rt_error *print_json(const struct hx_wast_script *script, const struct hx_wast_report *report,
                                   double seconds) {
    const struct hx_wast_counts total = hx_wast_total(report);
    struct hx_buffer text = {0};
    struct hx_json json = {.out = &text};

    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "file", script->source);
    put_counts(&json, &total);
    hx_json_number(&json, "other_words", report->words);
    hx_json_seconds(&json, "seconds", seconds);
    hx_json_open(&json, "commands", '{');
    for (int kind = 0; kind < HX_WAST_KIND_COUNT; kind++) {
        hx_json_open(&json, hx_wast_kind_name((enum hx_wast_kind)kind), '{');
        put_counts(&json, &report->counts[kind]);
        hx_json_close(&json, '}');
    }
    hx_json_close(&json, '}');
    hx_json_open(&json, "remarks", '[');
    for (uint32_t i = 0; i < report->remark_count; i++) {
        const struct hx_wast_remark *remark = &report->remarks[i];
        hx_json_open(&json, NULL, '{');
        hx_json_number(&json, "line", remark->line);
        hx_json_string(&json, "command", hx_wast_kind_name(remark->kind));
        hx_json_bool(&json, "passed", remark->is_words);
        hx_json_string(&json, "text", remark->text);
        hx_json_close(&json, '}');
    }
    hx_json_close(&json, ']');
    hx_json_close(&json, '}');
    hx_buffer_text(&text, "\n");
    struct rt_error *error = text.failed ? rt_error_out_of_memory() : NULL;
    if (!error)
        fputs(hx_buffer_string(&text), stdout);
    hx_buffer_clear(&text);
    return error;
}

static void add_up(struct run *run, const struct hx_wast_report *report) {
    for (int kind = 0; kind < HX_WAST_KIND_COUNT; kind++) {
        run->counts[kind].passed += report->counts[kind].passed;
        run->counts[kind].failed += report->counts[kind].failed;
        run->counts[kind].left_out += report->counts[kind].left_out;
    }
    run->words += report->words;
    run->script_count++;
}

static struct rt_error *run_script(struct run *run, const char *path) {
    const struct values *values = run->values;
    struct hx_wast_script script = {0};
    struct hx_wast_report report;
    struct hx_temp folder = {0};
    char converted[sizeof folder.path + 16];
    struct rt_error *error = NULL;
    double started = hx_seconds();

    if (!ends_in(path, ".json")) {
        error = hx_temp_folder(&run->temp, "script", &folder);
        if (!error)
            error = convert(run, path, &folder, converted, sizeof converted);
        path = converted;
    }
    if (!error)
        error = hx_wast_script_read(path, &script);
    if (!error)
        error = hx_wast_run_apart(&script, &run->compile, values->limit, &report);
    if (!error) {
        add_up(run, &report);
        if (values->json) {
            error = print_json(&script, &report, hx_seconds() - started);
        } else {
            print_text(&script, &report);
            if (values->verbose || report.remark_count > 0)
                print_summary(&script, &report);
        }
    }
    hx_wast_script_clear(&script);
    hx_temp_remove(&folder);
    return error;
}

/* ---- All of them ---- */

/* A script that cannot be run keeps none of the others from running. */
static struct rt_error *run_all(struct run *run) {
    for (size_t i = 0; i < run->paths.count; i++) {
        struct rt_error *error = run_script(run, run->paths.items[i]);
        if (error && (error->code == RT_EXIT || error->code == RT_OUT_OF_MEMORY))
            return error;
        if (error) {
            fflush(stdout);
            fprintf(stderr, "lockstep wast: %s\n", error->message);
            rt_error_destroy(error);
            run->unusable++;
        }
    }
    return NULL;
}

/* "wast: 90 files, 21361 assert_return, ...: 26423 passed, 0 failed". */
static void print_total(const struct run *run) {
    struct hx_wast_counts total = {0};

    printf("wast: %u file%s", run->script_count, run->script_count == 1 ? "" : "s");
    for (int kind = 0; kind < HX_WAST_KIND_COUNT; kind++) {
        const struct hx_wast_counts *counts = &run->counts[kind];
        uint32_t all = counts->passed + counts->failed + counts->left_out;
        if (all > 0)
            printf(", %u %s", all, hx_wast_kind_name((enum hx_wast_kind)kind));
        total.passed += counts->passed;
        total.failed += counts->failed;
        total.left_out += counts->left_out;
    }
    printf(": %u passed, %u failed, %u left out (text form), %u with an error in other words\n", total.passed,
           total.failed, total.left_out, run->words);
}

static int status_of(const struct run *run) {
    if (run->unusable > 0)
        return HX_STATUS_ERROR;
    for (int kind = 0; kind < HX_WAST_KIND_COUNT; kind++)
        if (run->counts[kind].failed > 0)
            return HX_STATUS_FOUND;
    return run->values->strict_words && run->words > 0 ? HX_STATUS_FOUND : HX_STATUS_CLEAN;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    struct run state = {.values = all};
    struct rt_error *error = rt_engine_parse(state.values->engine, &state.compile.engine);

    if (error)
        return error;
    rt_arena_init(&state.arena, 0);
    hx_interrupt_catch();
    error = list_scripts(arguments, &state);
    if (!error)
        error = find_converter(&state);
    if (!error)
        error = hx_temp_create(&state.temp);
    if (!error)
        error = run_all(&state);
    if (!error) {
        if (!state.values->json && state.script_count > 0)
            print_total(&state);
        *ret_status = status_of(&state);
    }
    hx_temp_remove(&state.temp);
    rt_arena_clear(&state.arena);
    return error;
}

const struct hx_command hx_command_wast = {
    .name = "wast",
    .arguments = "FILE.wast|FILE.json... | --suite DIR [OPTIONS]",
    .summary = "Runs WebAssembly specification test scripts.",
    .details =
        "A .wast file is converted with wabt's wast2json; a .json file is what that wrote. A trap is\n"
        "compared by its kind, a module's error by its class (malformed, invalid, unlinkable), and words\n"
        "that differ are counted apart. Modules in text form are left out: there is no text parser.\n\n"
        "Exit status: 0 all passed; 1 a command failed, or its process crashed or did not end; 2 a script\n"
        "could not be read or converted.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
