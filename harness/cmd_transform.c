/* `lockstep transform`: rewrites the DWARF of a module by one of the visitors of runtime/dwarf/. */
#include "harness/harness.h"

#include "harness/buffer.h"
#include "harness/json.h"
#include "harness/wasi_command.h"
#include "runtime/dwarf/dwarf.h"
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

struct values {
    const char *output, *visitor, *functions;
    uint64_t version;
    bool stat, json;
};

static const struct values defaults = {.visitor = "identity"};

static const struct hx_option options[] = {
    {"-o", "OUT", HX_OPTION_TEXT, offsetof(struct values, output),
     "where the module goes (needed), or native's ELF file"},
    {"--visitor", "NAME", HX_OPTION_TEXT, offsetof(struct values, visitor),
     "identity (the default), strip or native"},
    {"--functions", "A,B", HX_OPTION_TEXT, offsetof(struct values, functions), "what strip keeps, by name"},
    {"--dwarf", "4|5", HX_OPTION_NUMBER, offsetof(struct values, version), "version of the output (5)"},
    {"--stat", NULL, HX_OPTION_FLAG, offsetof(struct values, stat),
     "print what came in, went out and was left out"},
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print that as one JSON object"},
};

/* ---- Numbers ---- */

#define COUNTS(X)                                                                                            \
    X(units)                                                                                                 \
    X(dies)                                                                                                  \
    X(attributes)                                                                                            \
    X(expressions)                                                                                           \
    X(list_entries)                                                                                          \
    X(sequences)                                                                                             \
    X(rows)                                                                                                  \
    X(frames)

static void print_stat(const struct rt_dwarf_stat *stat, struct hx_buffer *out) {
    hx_buffer_print(out, "%14s %14s\n", "in", "out");
    hx_buffer_print(out, "%14llu %14llu  bytes\n", (unsigned long long)stat->input_bytes,
                    (unsigned long long)stat->output_bytes);
#define X(name)                                                                                              \
    hx_buffer_print(out, "%14llu %14llu  " #name "\n", (unsigned long long)stat->in.name,                    \
                    (unsigned long long)stat->out.name);
    COUNTS(X)
#undef X
    for (size_t i = 0; i < stat->reason_count; i++)
        hx_buffer_print(out, "%14llu %14s  %s\n", (unsigned long long)stat->reasons[i].count, "",
                        stat->reasons[i].what);
}

static void put_counts(struct hx_json *json, const char *key, uint64_t bytes,
                       const struct rt_dwarf_counts *counts) {
    hx_json_open(json, key, '{');
    hx_json_number(json, "bytes", bytes);
#define X(name) hx_json_number(json, #name, counts->name);
    COUNTS(X)
#undef X
    hx_json_close(json, '}');
}

static void put_stat(const struct rt_dwarf_stat *stat, struct hx_buffer *out) {
    struct hx_json json = {.out = out};
    hx_json_open(&json, NULL, '{');
    put_counts(&json, "in", stat->input_bytes, &stat->in);
    put_counts(&json, "out", stat->output_bytes, &stat->out);
    hx_json_open(&json, "reasons", '[');
    for (size_t i = 0; i < stat->reason_count; i++) {
        hx_json_open(&json, NULL, '{');
        hx_json_string(&json, "what", stat->reasons[i].what);
        hx_json_number(&json, "count", stat->reasons[i].count);
        hx_json_close(&json, '}');
    }
    hx_json_close(&json, ']');
    hx_json_close(&json, '}');
    hx_buffer_text(out, "\n");
}

static void show_stat(const struct rt_dwarf_output *output, const struct values *values) {
    struct hx_buffer text = {0};
    if (!values->stat && !values->json)
        return;
    (values->json ? put_stat : print_stat)(rt_dwarf_output_stat(output), &text);
    fputs(hx_buffer_string(&text), stdout);
    hx_buffer_clear(&text);
}

/* ---- The command ---- */

static struct rt_error *write_module(const struct rt_module *module, const struct rt_dwarf_output *output,
                                     const char *path) {
    uint8_t *bytes;
    size_t size;
    struct rt_error *error = rt_dwarf_module_write(module, rt_dwarf_output_sections(output), &bytes, &size);
    if (error)
        return error;
    error = hx_file_write(path, bytes, size, 0666);
    free(bytes);
    return error;
}

static struct rt_error *transform(const struct rt_module *module, const struct rt_dwarf_visitor *visitor,
                                  const struct values *values) {
    const struct rt_dwarf_options pass = {.version = (unsigned)values->version};
    struct rt_dwarf_sections sections;
    struct rt_dwarf_output *output;
    struct rt_error *error = rt_dwarf_module_sections(module, &sections);
    if (!error)
        error = rt_dwarf_transform(&sections, visitor, &pass, &output);
    if (error)
        return error;
    error = write_module(module, output, values->output);
    if (!error)
        show_stat(output, values);
    rt_dwarf_output_destroy(output);
    return error;
}

/* ---- For compiled code ---- */

static struct rt_error *write_image(const struct rt_code_map *map, const struct rt_dwarf_output *output,
                                    const char *path) {
    struct rt_jit_image *image;
    size_t size;
    struct rt_error *error = hx_native_image_make(map, output, &image);
    if (error)
        return error;
    const uint8_t *bytes = rt_jit_image_bytes(image, &size);
    error = hx_file_write(path, bytes, size, 0666);
    rt_jit_unregister(image);
    return error;
}

/* Compiles the module; a WASI command gets an instance as well, so that its globals have addresses. */
static struct rt_error *native(const struct hx_arguments *arguments, const struct values *values) {
    const struct rt_compile_options compile = {
        .engine = RT_ENGINE_COMPILED, .private_code = true, .writable_locals = true};
    const struct hx_run_values run_values = HX_RUN_DEFAULTS;
    struct hx_wasi_command guest = {0};
    struct rt_code_map *map = NULL;
    struct rt_dwarf_output *output = NULL;
    struct rt_error *error = hx_wasi_command_open(arguments->items[0], &compile, &guest);
    if (!error)
        rt_error_destroy(hx_wasi_command_link(&guest, arguments, &run_values));
    if (!error)
        error = rt_code_map_create(guest.code, &map);
    if (!error)
        error = rt_native_dwarf(map, guest.instance, &output);
    if (!error && values->output)
        error = write_image(map, output, values->output);
    if (!error)
        show_stat(output, values);
    rt_dwarf_output_destroy(output);
    rt_code_map_destroy(map);
    hx_wasi_command_close(&guest);
    return error;
}

/* The words of "A,B", in the arena. */
static struct rt_error *split(const char *text, struct rt_arena *arena, const char *const **ret,
                              size_t *ret_count) {
    size_t count = 0;
    char *words = rt_arena_copy(arena, text, strlen(text));
    const char **items = rt_arena_array(arena, strlen(text) + 1, sizeof *items);
    if (!words || !items)
        return rt_error_out_of_memory();
    for (char *rest = words, *word; (word = strsep(&rest, ","));)
        if (*word)
            items[count++] = word;
    *ret = items;
    *ret_count = count;
    return NULL;
}

static struct rt_error *strip(const struct rt_module *module, const struct values *values) {
    struct rt_arena arena;
    struct rt_dwarf_strip *state = NULL;
    const char *const *names;
    size_t count;
    if (!values->functions)
        return rt_error_format(RT_USAGE, "--visitor strip needs --functions");
    rt_arena_init(&arena, 0);
    struct rt_error *error = split(values->functions, &arena, &names, &count);
    if (!error)
        error = rt_dwarf_strip_create(names, count, rt_dwarf_module_is_dead, &state);
    if (!error)
        error = transform(module, rt_dwarf_strip_visitor(state), values);
    rt_dwarf_strip_destroy(state);
    rt_arena_clear(&arena);
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    const bool strips = strcmp(values->visitor, "strip") == 0;
    const bool is_native = strcmp(values->visitor, "native") == 0;
    struct rt_module *module;
    *ret_status = HX_STATUS_CLEAN;
    if (arguments->count != 1)
        return rt_error_format(RT_USAGE, "needs one Wasm file");
    if (!values->output && !(is_native && (values->stat || values->json)))
        return rt_error_format(RT_USAGE, is_native ? "needs -o OUT, --stat or --json" : "needs -o OUT.wasm");
    if (!strips && !is_native && strcmp(values->visitor, "identity") != 0)
        return rt_error_format(RT_USAGE, "--visitor is identity, strip or native, not '%s'", values->visitor);
    if (values->functions && !strips)
        return rt_error_format(RT_USAGE, "--functions is for --visitor strip");
    if (values->version != 0 && values->version != 4 && values->version != 5)
        return rt_error_format(RT_USAGE, "--dwarf is 4 or 5");
    if (is_native && values->version)
        return rt_error_format(RT_USAGE, "--dwarf is not for --visitor native");
    if (is_native)
        return native(arguments, values);
    struct rt_error *error = rt_module_open(arguments->items[0], &module);
    if (error)
        return error;
    error = strips ? strip(module, values) : transform(module, &rt_dwarf_identity, values);
    if (error)
        error = rt_error_context(error, "%s", arguments->items[0]);
    rt_module_destroy(module);
    return error;
}

const struct hx_command hx_command_transform = {
    .name = "transform",
    .arguments =
        "IN.wasm -o OUT [--visitor identity|strip --functions A,B|native] [--dwarf 4|5] [--stat] [--json]",
    .summary = "Rewrites the DWARF of a module; the rest of the module stays as it is.",
    .details =
        "identity writes DWARF that means the same. strip keeps functions by name, what they refer to,\n"
        "and global variables. What cannot be carried over is left out, and --stat says how much and why.\n"
        "native compiles the module, and writes the ELF file that `run -g` would show to a debugger, at the\n"
        "addresses that code and memory have in this very process.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
