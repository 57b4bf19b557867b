/* `lockstep bench runtime`: our runtime beside what else runs WebAssembly, on the same programs in the same
 * run: how long programs take, how long modules take to start, and how much memory their code takes. */
#include "harness/bench.h"

#include "harness/bench_runtime.h"
#include "harness/json.h"
#include "harness/process.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_MODULES = 16 };

struct values {
    struct hx_list programs, modules;
    uint64_t rounds, percent;
    bool translate, json;
};

static const struct values defaults = {.rounds = 5, .percent = 100};

static const struct hx_option options[] = {
    {"--program", "NAME", HX_OPTION_LIST, offsetof(struct values, programs),
     "run this program alone: zstd, sha256, recursion, memory, csmith; may be repeated (all)"},
    {"--module", "FILE.wasm", HX_OPTION_LIST, offsetof(struct values, modules),
     "measure this module's start-up too; may be repeated"},
    {"--rounds", "N", HX_OPTION_NUMBER, offsetof(struct values, rounds),
     "every engine in turn, N times; medians are told (5)"},
    {"--work", "PERCENT", HX_OPTION_NUMBER, offsetof(struct values, percent),
     "of each program's usual work (100)"},
    {"--wasm2c", NULL, HX_OPTION_FLAG, offsetof(struct values, translate),
     "measure wasm2c with clang -O0 and -O2 as well, once; takes minutes"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object a line"},
};

/* One program and one list of engines. */
struct row {
    struct hx_bench_built built;
    const struct hx_bench_engine *engines;
    size_t engine_count;
    const char *table;          /* "run" or "interpret" */
    struct hx_samples *seconds; /* by engine */
    char *expected;             /* what all of them print */
};

struct bench {
    struct hx_bench_context context;
    const struct values *values;
    struct rt_arena *arena;
    struct row rows[2 * HX_BENCH_PROGRAMS];
    size_t row_count;
    struct hx_bench_module *modules[MAX_MODULES];
    size_t module_count;
    bool progress;
};

static void say(const struct bench *bench, const char *what, const char *with) {
    if (bench->progress)
        fprintf(stderr, "\r%s %s\033[K", what, with);
}

static void clear_line(const struct bench *bench) {
    if (bench->progress)
        fputs("\r\033[K", stderr);
}

/* What is missing is said, and the rest goes on. */
static struct rt_error *pass_over(const struct bench *bench, struct rt_error *error) {
    if (!error || error->code != RT_USAGE)
        return error;
    clear_line(bench);
    fprintf(stderr, "left out: %s\n", error->message);
    rt_error_destroy(error);
    return NULL;
}

/* ---- Measuring ---- */

static struct rt_error *add_row(struct bench *bench, const struct hx_bench_built *built, const char *table,
                                const struct hx_bench_engine *engines, size_t count) {
    struct row *row = &bench->rows[bench->row_count++];

    *row = (struct row){*built, engines, count, table, NULL, NULL};
    row->seconds = rt_arena_array(bench->arena, count, sizeof *row->seconds);
    return row->seconds ? NULL : rt_error_out_of_memory();
}

static struct rt_error *run_row(struct bench *bench, struct row *row) {
    struct rt_error *error = NULL;

    for (size_t i = 0; i < row->engine_count && !error && !hx_bench_interrupted(); i++) {
        struct hx_bench_run run = {0};
        if (!hx_bench_engine_available(&row->engines[i], &bench->context))
            continue;
        say(bench, row->built.program->name, row->engines[i].name);
        error = hx_bench_run(&row->engines[i], &bench->context, &row->built, &run);
        if (!error)
            hx_samples_add(&row->seconds[i], run.seconds);
        const char *output = hx_buffer_string(&run.output);
        if (!error && !row->expected) {
            row->expected = rt_arena_copy(bench->arena, output, strlen(output));
            error = row->expected ? NULL : rt_error_out_of_memory();
        } else if (!error && strcmp(output, row->expected) != 0) {
            error = rt_error_format(RT_MALFORMED, "%s: %s and %s print different results",
                                    row->built.program->name, row->engines[0].name, row->engines[i].name);
        }
        hx_buffer_clear(&run.output);
    }
    return error;
}

static struct rt_error *add_module(struct bench *bench, const char *name, const char *file) {
    struct hx_bench_module *module = rt_arena_alloc(bench->arena, sizeof *module);

    if (!module)
        return rt_error_out_of_memory();
    if (bench->module_count == MAX_MODULES)
        return rt_error_format(RT_USAGE, "--module: more than %d modules", MAX_MODULES);
    struct rt_error *error = hx_bench_module_open(name, file, &bench->context, module);
    if (!error)
        bench->modules[bench->module_count++] = module;
    return error;
}

/* Modules to start: zstd, Csmith's largest, and the user's. */
static struct rt_error *add_modules(struct bench *bench) {
    struct rt_error *error = NULL;
    char path[300];

    for (size_t i = 0; i < bench->row_count && !error; i++) {
        const struct hx_bench_built *built = &bench->rows[i].built;
        size_t largest = bench->module_count;
        if (built->program->source && !built->program->seeds[0])
            continue;
        for (size_t j = 0; j < built->count && !error; j++) {
            snprintf(path, sizeof path, "%s/program.wasm", built->builds[j].folder);
            error = add_module(bench, built->program->name, path);
            if (!error && bench->modules[bench->module_count - 1]->size > bench->modules[largest]->size)
                bench->modules[largest] = bench->modules[bench->module_count - 1];
            bench->module_count = largest + 1;
        }
    }
    for (size_t i = 0; i < bench->values->modules.count && !error; i++) {
        const char *file = bench->values->modules.items[i], *slash = strrchr(file, '/');
        error = add_module(bench, slash ? slash + 1 : file, file);
    }
    return error;
}

static struct rt_error *build(struct bench *bench) {
    struct rt_error *error = NULL;

    for (size_t i = 0; i < HX_BENCH_PROGRAMS && !error && !hx_bench_interrupted(); i++) {
        const struct hx_bench_program *program = &hx_bench_programs[i];
        struct hx_bench_built built;
        if (!hx_bench_is_chosen(&bench->values->programs, program->name))
            continue;
        say(bench, "building", program->name);
        error = hx_bench_build(&bench->context, program, &built);
        if (error) {
            error = pass_over(bench, error);
            continue;
        }
        error = add_row(bench, &built, "run", hx_bench_compiled, HX_BENCH_COMPILED);
        if (!error && program->bare)
            error = add_row(bench, &built, "interpret", hx_bench_interpreted, HX_BENCH_INTERPRETED);
    }
    return error ? error : add_modules(bench);
}

static struct rt_error *measure(struct bench *bench) {
    struct rt_error *error = NULL;

    for (uint64_t round = 0; round < bench->values->rounds && !error && !hx_bench_interrupted(); round++) {
        for (size_t i = 0; i < bench->row_count && !error; i++)
            error = run_row(bench, &bench->rows[i]);
        for (size_t i = 0; i < bench->module_count && !error && !hx_bench_interrupted(); i++) {
            say(bench, "starting", bench->modules[i]->name);
            error = hx_bench_module_measure(bench->modules[i], &bench->context);
        }
    }
    for (size_t i = 0; i < bench->module_count && !error && bench->context.wasm2c && !hx_bench_interrupted();
         i++) {
        say(bench, "translating", bench->modules[i]->name);
        error = hx_bench_module_translate(bench->modules[i], &bench->context);
    }
    clear_line(bench);
    return error;
}

/* ---- Telling ---- */

/* What the others are measured against: Node, or wasm-interp. */
static size_t yardstick(const struct row *row) {
    return row->engines == hx_bench_compiled ? 2 : 1;
}

static void print_row(const struct bench *bench, const struct row *row) {
    double other = hx_samples_median(&row->seconds[yardstick(row)]);

    if (!bench->values->json)
        printf("%-10s", row->built.program->name);
    for (size_t i = 0; i < row->engine_count; i++) {
        const struct hx_samples *samples = &row->seconds[i];
        struct hx_buffer line = {0};
        struct hx_json json = {.out = &line};
        double seconds = hx_samples_median(samples);
        double spread = seconds > 0 ? (hx_samples_most(samples) - hx_samples_least(samples)) / seconds : 0;
        if (!bench->values->json && samples->count)
            printf(" %9.2f ±%2.0f%%", seconds * 1e3, spread * 50);
        else if (!bench->values->json)
            printf(" %14s", "-");
        if (!samples->count)
            continue;
        hx_json_open(&json, NULL, '{');
        hx_json_string(&json, "table", row->table);
        hx_json_string(&json, "program", row->built.program->name);
        hx_json_string(&json, "engine", row->engines[i].name);
        hx_json_number(&json, "rounds", samples->count);
        hx_json_seconds(&json, "milliseconds", seconds * 1e3);
        hx_json_seconds(&json, "least", hx_samples_least(samples) * 1e3);
        hx_json_seconds(&json, "most", hx_samples_most(samples) * 1e3);
        if (other > 0)
            hx_json_seconds(&json, "ratio", seconds / other);
        hx_json_close(&json, '}');
        hx_bench_end_line(bench->values->json, &line);
    }
    if (bench->values->json)
        return;
    double ours = hx_samples_median(&row->seconds[0]);
    if (row->engines == hx_bench_compiled) {
        double sites = hx_samples_median(&row->seconds[1]);
        printf("  %5.1f %%", ours > 0 ? (sites / ours - 1) * 100 : 0);
        if (other > 0)
            printf(" %10.2f", sites / other);
    } else if (other > 0 && ours > 0) {
        printf(" %12.1f", other / ours);
    }
    putchar('\n');
}

static void print_rows(const struct bench *bench, const struct hx_bench_engine *engines, size_t count,
                       const char *title, const char *columns) {
    bool first = true;

    for (size_t i = 0; i < bench->row_count; i++) {
        if (bench->rows[i].engines != engines)
            continue;
        if (first && !bench->values->json) {
            printf("%s\n%-10s", title, "");
            for (size_t j = 0; j < count; j++)
                printf(" %14s", engines[j].name);
            printf("  %s\n", columns);
        }
        first = false;
        print_row(bench, &bench->rows[i]);
    }
    if (!first && !bench->values->json)
        putchar('\n');
}

/* Megabytes of Wasm a second; 0 without a measurement. */
static double rate(const struct hx_bench_module *module, double seconds) {
    return seconds > 0 ? (double)module->size / 1e6 / seconds : 0;
}

static void print_module(const struct bench *bench, const struct hx_bench_module *module) {
    double decode = hx_samples_median(&module->decode), validate = hx_samples_median(&module->validate);
    double compile = hx_samples_median(&module->compile), sites = hx_samples_median(&module->compile_sites);
    double parts = decode + validate;
    const struct {
        const char *name;
        double seconds;
    } rates[] = {
        {"lockstep", parts + compile},
        {"lockstep-sites", module->has_lines ? parts + sites : 0},
        {"decode", decode},
        {"validate", validate},
        {"compile", compile},
        {"compile-sites", sites},
        {"node", hx_samples_median(&module->node)},
        {"node-single", hx_samples_median(&module->node_single)},
        {"wasm2c-O0", module->wasm2c[1] > 0 ? module->wasm2c[0] + module->wasm2c[1] : 0},
        {"wasm2c-O2", module->wasm2c[2] > 0 ? module->wasm2c[0] + module->wasm2c[2] : 0},
    };
    struct hx_buffer line = {0};
    struct hx_json json = {.out = &line};

    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "table", "start");
    hx_json_string(&json, "module", module->name);
    hx_json_number(&json, "bytes", module->size);
    hx_json_open(&json, "megabytes_per_second", '{');
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        if (rates[i].seconds > 0)
            hx_json_seconds(&json, rates[i].name, rate(module, rates[i].seconds));
    hx_json_close(&json, '}');
    hx_json_number(&json, "code_bytes", module->code);
    hx_json_number(&json, "metadata_bytes", module->metadata);
    if (module->has_lines) {
        hx_json_number(&json, "sites", module->sites);
        hx_json_number(&json, "metadata_bytes_with_sites", module->metadata_sites);
    }
    hx_json_close(&json, '}');
    if (!bench->values->json) {
        printf("%s: %zu bytes; code %.2f and metadata %.2f bytes a byte of Wasm", module->name, module->size,
               (double)module->code / (double)module->size, (double)module->metadata / (double)module->size);
        if (module->has_lines)
            printf(" (%.2f with %zu sites)", (double)module->metadata_sites / (double)module->size,
                   module->sites);
        putchar('\n');
        for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
            if (rates[i].seconds > 0)
                printf("  %-16s %8.2f MB/s %10.3f ms\n", rates[i].name, rate(module, rates[i].seconds),
                       rates[i].seconds * 1e3);
    }
    hx_bench_end_line(bench->values->json, &line);
}

/* The means over all programs: how far ours with sites is from Node, and what the sites cost. */
static void print_means(const struct bench *bench) {
    double beside = 0, cost = 0;
    size_t count = 0, both = 0;
    struct hx_buffer line = {0};
    struct hx_json json = {.out = &line};

    for (size_t i = 0; i < bench->row_count; i++) {
        const struct row *row = &bench->rows[i];
        double ours = hx_samples_median(&row->seconds[0]), sites = hx_samples_median(&row->seconds[1]);
        double node = hx_samples_median(&row->seconds[2]);
        if (row->engines != hx_bench_compiled || !(ours > 0) || !(sites > 0))
            continue;
        cost += log(sites / ours);
        count++;
        if (node > 0) {
            beside += log(sites / node);
            both++;
        }
    }
    if (!count)
        return;
    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "table", "mean");
    hx_json_seconds(&json, "sites_to_none", exp(cost / (double)count));
    if (both)
        hx_json_seconds(&json, "sites_to_node", exp(beside / (double)both));
    hx_json_close(&json, '}');
    if (!bench->values->json) {
        printf("geometric means: sites cost %.1f %%", (exp(cost / (double)count) - 1) * 100);
        if (both)
            printf("; with sites %.2f times Node's time", exp(beside / (double)both));
        puts("\n");
    }
    hx_bench_end_line(bench->values->json, &line);
}

static void print(const struct bench *bench) {
    print_rows(bench, hx_bench_compiled, HX_BENCH_COMPILED,
               "running: milliseconds (median, half the range), the program's own clock",
               "sites cost  sites/node");
    print_means(bench);
    print_rows(bench, hx_bench_interpreted, HX_BENCH_INTERPRETED,
               "modules without imports: milliseconds, less work", "times faster");
    if (bench->module_count && !bench->values->json)
        puts("starting: without custom sections; node-single with one compilation task");
    for (size_t i = 0; i < bench->module_count; i++)
        print_module(bench, bench->modules[i]);
}

/* ---- The command ---- */

static struct rt_error *find_optional(struct bench *bench, const char *name, const char *package,
                                      const char **ret) {
    struct rt_error *error = hx_tool_find(name, package, bench->arena, ret);

    if (error)
        *ret = NULL;
    return pass_over(bench, error);
}

static struct rt_error *find(struct bench *bench, struct hx_bench_command *command) {
    struct hx_bench_context *context = &bench->context;
    const char *csmith;
    struct rt_error *error = find_optional(bench, "node", "nodejs", &context->node);

    if (!error)
        error = find_optional(bench, "wasm-interp", "wabt", &context->wasm_interp);
    if (!error && bench->values->translate)
        error = find_optional(bench, "wasm2c", "wabt", &context->wasm2c);
    if (!error)
        error = find_optional(bench, "csmith", "csmith", &csmith);
    if (!error)
        error = hx_bench_tools(command, csmith != NULL, context);
    if (error)
        return error;
    context->script = rt_arena_printf(bench->arena, "%s/bench_node.js", command->temp.path);
    return context->script
               ? hx_file_write(context->script, hx_bench_node_script, strlen(hx_bench_node_script), 0600)
               : rt_error_out_of_memory();
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    const char *names[HX_BENCH_PROGRAMS];
    const struct hx_bench_choice choice = {&values->programs, names, HX_BENCH_PROGRAMS, values->rounds,
                                           values->percent};
    struct hx_bench_command command;
    struct bench bench = {.values = values, .arena = &command.arena, .progress = isatty(STDERR_FILENO)};

    (void)ret_status; /* a measurement finds nothing */
    for (size_t i = 0; i < HX_BENCH_PROGRAMS; i++)
        names[i] = hx_bench_programs[i].name;
    struct rt_error *error = hx_bench_begin(arguments, &choice, &bench.context, &command);
    if (!error)
        error = find(&bench, &command);
    if (!error)
        error = build(&bench);
    if (!error && bench.row_count == 0 && bench.module_count == 0)
        error = rt_error_format(RT_USAGE, "nothing is left to measure");
    if (!error)
        error = measure(&bench);
    if (!error)
        print(&bench);
    hx_bench_end(&command);
    return error;
}

const struct hx_command hx_command_bench_runtime = {
    .name = "runtime",
    .arguments = "[--program NAME] [--rounds N] [--module FILE.wasm] [OPTIONS]",
    .summary =
        "The runtime's start-up, speed and memory beside Node's baseline compiler, wasm-interp and Clang.",
    .details =
        "Programs are compiled at -O2 (Csmith's at -O0), run by every engine in turn, and must print the\n"
        "same everywhere. Each times its work by its own clock. Node runs with Liftoff alone. zstd comes\n"
        "from ci/bench-programs; what is not there is left out with a line that says how to get it.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
