/* `lockstep bench transform`: megabytes of DWARF a second, memory and size of the output, beside
 * llvm-dwarfutil. */
#include "harness/bench.h"

#include "harness/bench_dwarf.h"
#include "harness/cmd_options.h"
#include "harness/generator.h"
#include "harness/interrupt.h"
#include "harness/json.h"
#include "harness/modules.h"
#include "harness/process.h"
#include "harness/program.h"
#include "harness/samples.h"
#include "runtime/dwarf/dwarf.h"
#include "runtime/jit/jit.h"
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { MOST_ROUNDS = 999, DWARFUTIL_ROUNDS = 5 };

struct values {
    uint64_t programs, first, rounds;
    const char *modules, *cc;
    bool growth, json;
};

static const struct values defaults = {.programs = 3, .first = 1, .rounds = 21, .cc = HX_DEFAULT_CC};

static const struct hx_option options[] = {
    {"--modules", "DIR", HX_OPTION_TEXT, offsetof(struct values, modules),
     "measure the modules of a folder, too"},
    {"--programs", "N", HX_OPTION_NUMBER, offsetof(struct values, programs), "Csmith programs (3)"},
    {"--first", "SEED", HX_OPTION_NUMBER, offsetof(struct values, first), "the first one's seed (1)"},
    {"--rounds", "N", HX_OPTION_NUMBER, offsetof(struct values, rounds),
     "times that each is transformed (21)"},
    {"--cc", "COMPILER", HX_OPTION_TEXT, offsetof(struct values, cc),
     "compiler of the programs (" HX_DEFAULT_CC ")"},
    {"--growth", NULL, HX_OPTION_FLAG, offsetof(struct values, growth),
     "link copies of each program to 0.5, 2, 8 and 20 MB of DWARF"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object a module"},
};

/* What one module gave. */
struct row {
    const char *name;
    uint64_t input, output, native_output;
    double seconds;                            /* of processor time: the median of a pass alone */
    double native_seconds;                     /* the same for compiled code; 0: there is none here */
    double command_seconds, dwarfutil_seconds; /* of whole processes, start-up and files included */
    uint64_t command_kib, dwarfutil_kib;       /* their peaks */
    uint64_t dwarfutil_output;
};

/* ---- Measuring: processor time, which other work on the machine changes least ---- */

static double pass_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of all children that have ended. */
static double children_clock(void) {
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static struct rt_error *time_passes(const struct rt_dwarf_sections *sections, uint64_t rounds,
                                    struct row *row) {
    struct hx_samples samples = {.count = 0};
    for (uint64_t i = 0; i < rounds; i++) {
        struct rt_dwarf_output *output;
        const double start = pass_clock();
        struct rt_error *error = rt_dwarf_transform(sections, &rt_dwarf_identity, NULL, &output);
        if (error)
            return error;
        hx_samples_add(&samples, pass_clock() - start);
        row->input = rt_dwarf_output_stat(output)->input_bytes;
        row->output = rt_dwarf_output_stat(output)->output_bytes;
        rt_dwarf_output_destroy(output);
    }
    row->seconds = hx_samples_median(&samples);
    return NULL;
}

/* Passes for compiled code that is there already. */
static struct rt_error *time_map(const struct rt_code_map *map, struct rt_instance *instance, uint64_t rounds,
                                 struct row *row) {
    struct hx_samples samples = {.count = 0};
    for (uint64_t i = 0; i < rounds; i++) {
        struct rt_dwarf_output *output;
        const double start = pass_clock();
        struct rt_error *error = rt_native_dwarf(map, instance, &output);
        if (error)
            return error;
        hx_samples_add(&samples, pass_clock() - start);
        row->native_output = rt_dwarf_output_stat(output)->output_bytes;
        rt_dwarf_output_destroy(output);
    }
    row->native_seconds = hx_samples_median(&samples);
    return NULL;
}

/* The same for compiled code, with an instance where the module is a WASI command: as debuggers get it. */
static struct rt_error *time_native(struct rt_module *module, uint64_t rounds, struct row *row) {
    const struct rt_compile_options compile = {.private_code = true, .writable_locals = true};
    const struct rt_wasi_options wasi_options = {
        .args = &row->name, .arg_count = 1, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    struct rt_code_map *map = NULL;
    struct rt_store *store = NULL;
    struct rt_wasi *wasi = NULL;
    struct rt_instance *instance = NULL;
    struct rt_code *code;
    struct rt_error *error = rt_code_create(module, &compile, &code);
    if (error && error->code == RT_UNSUPPORTED) {
        rt_error_destroy(error);
        return NULL;
    }
    if (error)
        return error;
    error = rt_store_create(&store);
    if (!error)
        error = rt_wasi_create(store, &wasi_options, &wasi);
    if (!error)
        rt_error_destroy(rt_wasi_instantiate(wasi, code, &instance));
    if (!error)
        error = rt_code_map_create(code, &map);
    if (!error)
        error = time_map(map, instance, rounds, row);
    rt_code_map_destroy(map);
    rt_wasi_destroy(wasi);
    rt_store_destroy(store);
    rt_code_destroy(code);
    return error;
}

/* Clears a process that has ended; an error of it, or that it failed. */
static struct rt_error *check_process(struct rt_error *error, struct hx_process *process, const char *name) {
    char how[128], complaint[240];
    if (!error && !hx_process_succeeded(process))
        error = rt_error_format(RT_USAGE, "%s (%s): %s", name, hx_process_describe(process, how, sizeof how),
                                hx_process_complaint(process, complaint, sizeof complaint));
    hx_process_clear(process);
    return error;
}

/* The median time and the peak memory of a command that is run several times. */
static struct rt_error *time_command(const char *const *words, double *ret_seconds, uint64_t *ret_kib) {
    struct hx_samples samples = {.count = 0};
    struct rt_error *error = NULL;
    *ret_kib = 0;
    for (int i = 0; !error && i < DWARFUTIL_ROUNDS; i++) {
        struct hx_process process = {.argv = words};
        const double start = children_clock();
        error = hx_process_run(&process, 1);
        *ret_kib = process.peak_kib > *ret_kib ? process.peak_kib : *ret_kib;
        error = check_process(error, &process, words[0]);
        hx_samples_add(&samples, children_clock() - start);
    }
    *ret_seconds = hx_samples_median(&samples);
    return error;
}

static struct rt_error *compare(const char *path, const struct rt_dwarf_sections *sections,
                                const char *dwarfutil, const struct hx_temp *temp, struct row *row) {
    char self[] = "/proc/self/exe", image[400], output[400];
    snprintf(image, sizeof image, "%s/dwarf.elf", temp->path);
    snprintf(output, sizeof output, "%s/output", temp->path);
    const char *const ours[] = {self, "transform", path, "-o", output, NULL};
    const char *const theirs[] = {dwarfutil, "-j", "1", image, output, NULL};
    struct rt_error *error = time_command(ours, &row->command_seconds, &row->command_kib);
    if (!error)
        error = hx_bench_dwarf_image(sections, image);
    if (!error)
        error = time_command(theirs, &row->dwarfutil_seconds, &row->dwarfutil_kib);
    if (!error)
        error = hx_bench_dwarf_size(output, &row->dwarfutil_output);
    return error;
}

/* The sections live as long as the module. */
static struct rt_error *open_module(const char *path, struct rt_module **ret,
                                    struct rt_dwarf_sections *ret_sections) {
    struct rt_error *error = rt_module_open(path, ret);
    if (error)
        return error;
    error = rt_dwarf_module_sections(*ret, ret_sections);
    if (error)
        rt_module_destroy(*ret);
    return error;
}

static struct rt_error *measure(const char *path, const struct values *values, const char *dwarfutil,
                                const struct hx_temp *temp, struct row *row) {
    struct rt_dwarf_sections sections;
    struct rt_module *module;
    struct rt_error *error = open_module(path, &module, &sections);
    if (error)
        return rt_error_context(error, "%s", path);
    error = time_passes(&sections, values->rounds, row);
    if (!error && row->input)
        error = time_native(module, values->rounds, row);
    if (!error && row->input)
        error = compare(path, &sections, dwarfutil, temp, row);
    rt_module_destroy(module);
    return error ? rt_error_context(error, "%s", path) : NULL;
}

/* ---- Telling ---- */

static double rate(uint64_t bytes, double seconds) {
    return seconds > 0 ? (double)bytes / 1e6 / seconds : 0;
}

static void print_json(const struct row *row) {
    struct hx_buffer line = {0};
    struct hx_json json = {.out = &line};
    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "module", row->name);
    hx_json_number(&json, "input_bytes", row->input);
    hx_json_number(&json, "output_bytes", row->output);
    hx_json_seconds(&json, "megabytes_per_second", rate(row->input, row->seconds));
    hx_json_seconds(&json, "native_megabytes_per_second", rate(row->input, row->native_seconds));
    hx_json_number(&json, "native_output_bytes", row->native_output);
    hx_json_seconds(&json, "output_ratio", (double)row->output / (double)row->input);
    hx_json_seconds(&json, "command_seconds", row->command_seconds);
    hx_json_number(&json, "command_kib", row->command_kib);
    hx_json_seconds(&json, "dwarfutil_seconds", row->dwarfutil_seconds);
    hx_json_number(&json, "dwarfutil_kib", row->dwarfutil_kib);
    hx_json_number(&json, "dwarfutil_output_bytes", row->dwarfutil_output);
    hx_json_close(&json, '}');
    puts(hx_buffer_string(&line));
    hx_buffer_clear(&line);
}

static void print_row(const struct row *row) {
    printf("%9llu %8.1f %6.3f | %8.1f %6.3f | %8.1f %7.1f | %8.1f %7.1f %6.3f | %s\n",
           (unsigned long long)row->input, rate(row->input, row->seconds),
           (double)row->output / (double)row->input, rate(row->input, row->native_seconds),
           (double)row->native_output / (double)row->input, row->command_seconds * 1e3,
           (double)row->command_kib / 1024, row->dwarfutil_seconds * 1e3, (double)row->dwarfutil_kib / 1024,
           (double)row->dwarfutil_output / (double)row->input, row->name);
}

/* ---- The command ---- */

struct bench {
    const struct values *values;
    const struct hx_temp *temp;
    const char *dwarfutil;
    struct hx_samples rates;
    uint64_t bytes;
    double seconds;
};

static struct rt_error *run_one(struct bench *bench, const char *path, const char *name) {
    struct row row = {.name = name};
    struct rt_error *error = measure(path, bench->values, bench->dwarfutil, bench->temp, &row);
    if (error || row.input == 0)
        return error;
    (bench->values->json ? print_json : print_row)(&row);
    fflush(stdout);
    hx_samples_add(&bench->rates, rate(row.input, row.seconds));
    bench->bytes += row.input;
    bench->seconds += row.seconds;
    return NULL;
}

/* Compiles the folder's program so that copies of its object can be linked: there is one `main` of them. */
static struct rt_error *compile_copy(const struct hx_tools *tools, const char *folder) {
    static const char *const words[] = {"-w", "-Dmain=__attribute__((weak)) main", NULL};
    struct hx_process process;
    struct rt_error *error = hx_compile_object(tools, true, words, HX_SOURCE, folder, &process);
    return check_process(error, &process, tools->wasm.name);
}

/* Links HX_WASM of a folder anew, of so many copies of its object, and all functions of them. */
static struct rt_error *link_copies(const struct hx_tools *tools, const char *folder, uint64_t copies,
                                    struct rt_arena *arena) {
    size_t count = 0, at = 0;
    while (tools->wasm.link && tools->wasm.link[count])
        count++;
    if (count == 0)
        return rt_error_format(RT_USAGE, "--growth: %s does not tell how it links", tools->wasm.name);
    const char **words = rt_arena_array(arena, count + copies + 2, sizeof *words);
    if (!words)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < count; i++) {
        const bool is_object = strcmp(tools->wasm.link[i], HX_WASM_OBJECT) == 0;
        for (uint64_t copy = 0; copy < (is_object ? copies : 1); copy++)
            words[at++] = tools->wasm.link[i];
    }
    words[at++] = "--no-gc-sections";
    struct hx_process process = {.argv = words, .directory = folder};
    return check_process(hx_process_run(&process, 1), &process, words[0]);
}

static struct rt_error *find_size(const char *path, uint64_t *ret) {
    struct rt_dwarf_sections sections;
    struct rt_module *module;
    struct rt_error *error = open_module(path, &module, &sections);
    *ret = 0;
    if (error)
        return error;
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++)
        *ret += sections.at[i].size;
    rt_module_destroy(module);
    return NULL;
}

/* The folder's program, which was measured alone, grows: `size` bytes of DWARF are those of one. */
static struct rt_error *run_growth(struct bench *bench, const struct hx_tools *tools, const char *path,
                                   const char *name, uint64_t size) {
    enum { SOME = 17 };
    static const uint64_t sizes[] = {500000, 2000000, 8000000, 20000000};
    const char *folder = bench->temp->path;
    uint64_t more = 0;
    struct rt_arena arena;
    rt_arena_init(&arena, 0);
    struct rt_error *error = compile_copy(tools, folder);
    if (!error)
        error = link_copies(tools, folder, SOME, &arena);
    if (!error)
        error = find_size(path, &more);
    more = more > size ? (more - size) / (SOME - 1) : 0; /* of each further one */
    for (size_t i = 0; !error && more && i < sizeof sizes / sizeof *sizes; i++) {
        const uint64_t copies = sizes[i] > size ? (sizes[i] - size) / more + 1 : 1;
        const char *text = rt_arena_printf(&arena, "%s, %llu times", name, (unsigned long long)copies);
        error = text ? link_copies(tools, folder, copies, &arena) : rt_error_out_of_memory();
        if (!error)
            error = run_one(bench, path, text);
    }
    rt_arena_clear(&arena);
    return error;
}

static struct rt_error *run_programs(struct bench *bench) {
    const struct hx_tools_choice choice = {.cc = bench->values->cc, .optimisation = "-O0", .generate = true};
    struct hx_tools tools = {0};
    char path[400], name[64];
    struct rt_error *error = bench->values->programs ? hx_tools_find(&choice, bench->temp, &tools) : NULL;
    for (uint64_t i = 0; !error && i < bench->values->programs; i++) {
        const uint64_t seed = bench->values->first + i;
        snprintf(path, sizeof path, "%s/%s", bench->temp->path, HX_WASM);
        snprintf(name, sizeof name, "Csmith, seed %llu", (unsigned long long)seed);
        error = hx_generator_csmith.write(&tools, seed, NULL, bench->temp->path);
        if (!error)
            error = hx_compile_wasm(&tools, "-O0", HX_SOURCE, bench->temp->path);
        const uint64_t before = bench->bytes;
        if (!error)
            error = run_one(bench, path, name);
        if (!error && bench->values->growth)
            error = run_growth(bench, &tools, path, name, bench->bytes - before);
    }
    hx_tools_clear(&tools);
    return error;
}

static struct rt_error *run_folder(struct bench *bench, struct rt_arena *arena) {
    const char *const *paths = NULL;
    size_t count = 0;
    struct rt_error *error =
        bench->values->modules ? hx_modules_list(bench->values->modules, arena, &paths, &count) : NULL;
    for (size_t i = 0; !error && i < count; i++)
        error = run_one(bench, paths[i], strrchr(paths[i], '/') ? strrchr(paths[i], '/') + 1 : paths[i]);
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct bench bench = {.values = values};
    struct hx_temp temp = {0};
    struct rt_arena arena;
    (void)ret_status; /* a measurement finds nothing */
    if (arguments->count > 0)
        return rt_error_format(RT_USAGE, "takes no argument '%s'", arguments->items[0]);
    if (values->rounds == 0 || values->rounds > MOST_ROUNDS)
        return rt_error_format(RT_USAGE, "--rounds: from 1 to %d", MOST_ROUNDS);
    rt_arena_init(&arena, 0);
    bench.temp = &temp;
    hx_interrupt_catch();
    struct rt_error *error = hx_tool_find("llvm-dwarfutil-19", "llvm-19", &arena, &bench.dwarfutil);
    if (!error)
        error = hx_temp_create(&temp);
    if (!error && !values->json)
        printf(
            "                 the identity |          native | lockstep transform |          llvm-dwarfutil "
            "|\n"
            "DWARF/bytes    MB/s out/in |     MB/s out/in |       ms   MiB peak |       ms MiB peak out/in | "
            "module\n");
    if (!error)
        error = run_programs(&bench);
    if (!error)
        error = run_folder(&bench, &arena);
    if (!error && bench.rates.count && !values->json)
        printf("%llu bytes at %.1f MB/s; a module: %.1f MB/s in the median, from %.1f to %.1f\n",
               (unsigned long long)bench.bytes, rate(bench.bytes, bench.seconds),
               hx_samples_median(&bench.rates), hx_samples_least(&bench.rates),
               hx_samples_most(&bench.rates));
    hx_temp_remove(&temp);
    rt_arena_clear(&arena);
    return error;
}

const struct hx_command hx_command_bench_transform = {
    .name = "transform",
    .arguments = "[--modules DIR] [--programs N] [--growth] [OPTIONS]",
    .summary =
        "Megabytes of DWARF a second, through the identity and for compiled code, beside llvm-dwarfutil.",
    .details =
        "The first two are passes alone, which read and write in memory: the identity, and native, the one "
        "for\n"
        "compiled code, which is made before; a WASI command has an instance as well. The two commands, for\n"
        "the identity alone, are timed as processes, files and start-up\n"
        "included; llvm-dwarfutil, which knows no Wasm, gets the same sections in an ELF file, and "
        "one thread.\n"
        "It leaves out what is dead and types that are the same; the identity keeps all. Times are the\n"
        "processor's, in the median.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
