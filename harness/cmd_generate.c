/* `lockstep generate`: prints a seed's program, and makes what it runs with. */
#include "harness/harness.h"

#include "harness/cmd_options.h"
#include "harness/generator.h"
#include "harness/guest_setup.h"
#include "harness/program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SOURCE_LIMIT = 64 << 20 };

struct values {
    const char *source, *out, *setup, *csmith;
    uint64_t seed;
};

static const struct values defaults = {.source = HX_DEFAULT_SOURCE, .seed = 1};

static const struct hx_option options[] = {
    HX_SOURCE_OPTION(struct values),
    {"--seed", "N", HX_OPTION_NUMBER, offsetof(struct values, seed), "which program (1)"},
    {"-o", "FILE.c", HX_OPTION_TEXT, offsetof(struct values, out), "write it there (standard output)"},
    {"--setup", "DIR", HX_OPTION_TEXT, offsetof(struct values, setup),
     "make the folder DIR with what a program of --source wasi runs with; DIR/command says how"},
    {"--csmith", "WORDS", HX_OPTION_TEXT, offsetof(struct values, csmith),
     "more words for Csmith's command line"},
};

/* The program's text. Generators write into a folder. */
static struct rt_error *generate(const struct hx_generator *generator, const struct values *values,
                                 struct hx_buffer *ret) {
    const struct hx_tools_choice choice = {
        .cc = HX_DEFAULT_CC, .optimisation = "-O0", .generate = generator->needs_csmith};
    struct hx_tools tools = {0};
    struct hx_temp temp = {0};
    char path[512];

    struct rt_error *error = hx_temp_create(&temp);
    if (!error && generator->needs_csmith)
        error = hx_tools_find(&choice, &temp, &tools);
    if (!error)
        error = generator->write(&tools, values->seed, values->csmith, temp.path);
    if (!error) {
        snprintf(path, sizeof path, "%s/" HX_SOURCE, temp.path);
        error = hx_file_read(path, SOURCE_LIMIT, ret);
    }
    hx_tools_clear(&tools);
    hx_temp_remove(&temp);
    return error;
}

static struct rt_error *make_setup(const struct values *values) {
    struct hx_guest_setup setup;
    struct hx_buffer command = {0};
    char path[512];

    if (mkdir(values->setup, 0755) != 0)
        return rt_error_os(errno, "cannot make the folder %s", values->setup);
    struct rt_error *error = hx_guest_setup_create(values->seed, &setup);
    if (error)
        return error;
    error = hx_guest_setup_make(&setup, values->setup);
    hx_guest_setup_command(&setup, HX_WASM, &command);
    snprintf(path, sizeof path, "%s/command", values->setup);
    if (!error)
        error = command.failed ? rt_error_out_of_memory()
                               : hx_file_write(path, command.bytes, command.size, 0755);
    hx_buffer_clear(&command);
    hx_guest_setup_clear(&setup);
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    const struct hx_generator *generator;
    struct hx_buffer text = {0};

    (void)ret_status;
    if (arguments->count > 0)
        return rt_error_format(RT_USAGE, "takes no argument '%s'", arguments->items[0]);
    struct rt_error *error = hx_generator_find(values->source, values->csmith, &generator);
    if (!error && values->setup && generator->has_native)
        error =
            rt_error_format(RT_USAGE, "--setup: programs of --source %s run with nothing", generator->name);
    if (!error)
        error = generate(generator, values, &text);
    if (!error && values->out)
        error = hx_file_write(values->out, text.bytes, text.size, 0644);
    else if (!error)
        fwrite(text.bytes, 1, text.size, stdout);
    if (!error && values->setup)
        error = make_setup(values);
    hx_buffer_clear(&text);
    return error;
}

const struct hx_command hx_command_generate = {
    .name = "generate",
    .arguments = "[--source csmith|wasi] [--seed N] [-o FILE.c] [--setup DIR]",
    .summary = "Prints the program that a seed gives.",
    .details = "A seed always gives the same program. Those of --source wasi are compiled with clang for\n"
               "wasm32-wasi, and print the same in every run in a new folder that --setup made; what they\n"
               "print on standard error depends on clocks, random bytes and the file system.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
