/* `lockstep trace export`: a trace as a differential test of WASI preview 1. */
#include "harness/cmd_options.h"
#include "harness/export.h"
#include "harness/trace.h"

#include <string.h>

struct values {
    const char *wasm, *output;
    struct hx_list dirs;
    struct hx_seeds calls;
    bool json;
};

static const struct values defaults = {0};

static const struct hx_option options[] = {
    {"--json", NULL, HX_OPTION_FLAG, offsetof(struct values, json), "print one JSON object a call"},
    {"-o", "FILE.c|FOLDER", HX_OPTION_TEXT, offsetof(struct values, output),
     "write a C program, or a folder with it and all that it needs to run"},
    {"--dir", "HOST[::GUEST]", HX_OPTION_LIST, offsetof(struct values, dirs),
     "what was in the program's folder GUEST when the recording began, for -o FOLDER"},
    {"--calls", "A-B", HX_OPTION_SEEDS, offsetof(struct values, calls), "these calls alone, from 0 on (all)"},
    {"--wasm", "FILE.wasm", HX_OPTION_TEXT, offsetof(struct values, wasm),
     "the recorded module (the file that was recorded, when it still is the same)"},
};

static struct rt_error *choose_calls(struct hx_export *export, const struct hx_seeds *calls) {
    if (!export->call_count)
        return rt_error_format(RT_USAGE, "its program calls no function of WASI preview 1");
    if (!calls->is_set)
        return NULL;
    if (calls->first >= export->call_count)
        return rt_error_format(RT_USAGE, "--calls: its last call is %zu", export->call_count - 1);
    export->first = (size_t)calls->first;
    export->end = calls->last < export->call_count ? (size_t)calls->last + 1 : export->call_count;
    return NULL;
}

static struct rt_error *print_json(const struct hx_export *export) {
    struct hx_buffer out = {0};

    hx_export_json_header(export, &out);
    struct rt_error *error = hx_trace_output(&out);
    for (size_t i = export->first; i < export->end && !error; i++) {
        hx_export_json_call(export, i, &out);
        error = hx_trace_output(&out);
    }
    hx_buffer_clear(&out);
    return error;
}

static struct rt_error *write_test(const struct hx_export *export, const struct values *values) {
    const size_t length = strlen(values->output);
    struct hx_buffer program = {0};
    const struct rt_wasi_dir *dirs;
    struct rt_arena arena;
    struct rt_error *error;

    if (length > 2 && strcmp(values->output + length - 2, ".c") == 0) {
        if (values->dirs.count)
            return rt_error_format(RT_USAGE, "--dir is for -o FOLDER");
        error = hx_export_c(export, &program);
        if (!error)
            error = hx_file_write(values->output, program.bytes, program.size, 0644);
        hx_buffer_clear(&program);
        return error;
    }
    rt_arena_init(&arena, 0);
    error = hx_parse_dirs(&values->dirs, &arena, &dirs);
    if (!error)
        error = hx_export_folder(export, values->output, dirs, values->dirs.count);
    rt_arena_clear(&arena);
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct hx_export export;

    *ret_status = HX_STATUS_CLEAN;
    if (arguments->count != 1)
        return rt_error_format(RT_USAGE, "needs one trace");
    if (!values->json && !values->output)
        return rt_error_format(RT_USAGE, "needs --json, or -o FILE.c, or -o FOLDER");
    struct rt_error *error = hx_export_read(arguments->items[0], values->wasm, &export);
    if (!error)
        error = hx_export_find_setup(&export);
    if (!error)
        error = choose_calls(&export, &values->calls);
    if (!error && values->json)
        error = print_json(&export);
    if (!error && values->output)
        error = write_test(&export, values);
    hx_export_clear(&export);
    return error;
}

const struct hx_command hx_command_trace_export = {
    .name = "export",
    .arguments =
        "FILE.trace [--json] [-o FILE.c|FOLDER] [--dir HOST[::GUEST]] [--calls A-B] [--wasm FILE.wasm]",
    .summary = "Makes a test of a WASI implementation from a trace.",
    .details = "The trace is replayed, and each call of WASI preview 1 is taken with its arguments, the "
               "memory that it\n"
               "read, its errno, and the memory that was written for it. --json prints them. -o FILE.c "
               "writes a program\n"
               "for wasm32-wasi, to be compiled with -nostdlib, that makes these calls again and compares; a "
               "name without\n"
               "\".c\" is a new folder with that program, arguments, environment, standard input, folders, "
               "and a script:\n"
               "`FOLDER/run lockstep|interp|node|wasmtime`. What the interface leaves open, as clocks, "
               "random bytes,\n"
               "inodes, times, the numbers of descriptors and the order of a folder's entries, is not "
               "compared. A folder\n"
               "of the program's holds what --dir says that was in it, else what the calls tell of that.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
