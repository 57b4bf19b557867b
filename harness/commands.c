/* The table of commands: finds the one that the command line names, parses its options, runs it, and turns
 * errors into one line and exit status 2. */
#include "harness/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct hx_command *const commands[] = {
    &hx_command_fuzz,     &hx_command_check,     &hx_command_reduce, &hx_command_run,
#ifdef LOCKSTEP_RR
    &hx_command_record,   &hx_command_replay,    &hx_command_trace,
#endif
    &hx_command_show,     &hx_command_report,    &hx_command_merge,  &hx_command_wast,
    &hx_command_generate, &hx_command_transform, &hx_command_bench,  &hx_command_selftest,
};
static const struct hx_command lockstep = {
    .name = "lockstep",
    .arguments = "COMMAND [OPTIONS]",
    .summary = "Steps a C program's native and WebAssembly builds side by side and compares what a debugger\n"
               "would show.",
    .details = "lockstep COMMAND --help explains each command. Exit status: 0 nothing found, 1 something "
               "found,\n2 it could not do its work.",
    .commands = commands,
    .command_count = sizeof commands / sizeof *commands,
};

static int fail(const char *path, struct rt_error *error) {
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", path, error->message);
    rt_error_destroy(error);
    return HX_STATUS_ERROR;
}

static int run_command(const struct hx_command *command, const char *prefix, const char *path, int argc,
                       char **argv) {
    struct rt_arena arena;
    struct hx_arguments arguments;
    struct rt_error *error;
    bool help = false;
    int status = HX_STATUS_CLEAN;

    rt_arena_init(&arena, 0);
    void *values = rt_arena_copy(&arena, command->defaults, command->values_size);
    if (values)
        error = hx_options_parse(command, argc, argv, &arena, values, &arguments, &help);
    else
        error = rt_error_out_of_memory();
    if (!error && help)
        hx_options_help(command, prefix, stdout);
    else if (!error)
        error = command->run(&arguments, values, &status);
    if (error)
        status = fail(path, error);
    else if (fflush(stdout) != 0)
        status = fail(path, rt_error_format(RT_OS, "cannot write to standard output"));
    rt_arena_clear(&arena);
    return status;
}

/* Walks the words down the tree of commands. `prefix` stands before `command`'s own name in usage lines and
 * `path` is both together. With `help`, a "help" came before the words. */
static int dispatch(const struct hx_command *command, const char *prefix, const char *path, bool help,
                    int argc, char **argv) {
    char longer[128];

    if (command->run && !help)
        return run_command(command, prefix, path, argc, argv);
    if (argc > 0 && !help && strcmp(argv[0], "help") == 0)
        return dispatch(command, prefix, path, true, argc - 1, argv + 1);
    if (argc == 0 || command->run || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        bool asked = help || argc > 0;
        hx_options_help(command, prefix, asked ? stdout : stderr);
        return asked ? HX_STATUS_CLEAN : HX_STATUS_ERROR;
    }
    for (size_t i = 0; i < command->command_count; i++) {
        const struct hx_command *next = command->commands[i];
        if (strcmp(argv[0], next->name) != 0)
            continue;
        snprintf(longer, sizeof longer, "%s %s", path, next->name);
        return dispatch(next, path, longer, help, argc - 1, argv + 1);
    }
    return fail(path, rt_error_format(RT_USAGE, "unknown command '%s'; see '%s --help'", argv[0], path));
}

/* Where a standard stream is closed, the next file that is opened would get its number, and what is meant for
 * the stream would go there: into the machine code of a guest, for one. /dev/null opened for the
 * other direction keeps the number, and using it stays an error. */
static struct rt_error *keep_standard_streams(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return rt_error_os(errno, "cannot open /dev/null in place of the closed standard stream %d", fd);
    return NULL;
}

int hx_main(int argc, char **argv) {
    struct rt_error *error = keep_standard_streams();

    if (error)
        return fail("lockstep", error);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("lockstep %s\n", LOCKSTEP_VERSION);
        return HX_STATUS_CLEAN;
    }
    return dispatch(&lockstep, "", "lockstep", false, argc - 1, argv + 1);
}
