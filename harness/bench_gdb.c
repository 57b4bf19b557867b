/* The other side of `bench step`: GDB steps the same program natively and reads the same scalars through its
 * Python API. */
#include "harness/bench.h"

#include "harness/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { START_UP = 60000 /* milliseconds that GDB may take beside the measured time */ };

static struct rt_error *build(const struct hx_tools *tools, const char *folder) {
    const char *words[] = {tools->native.path,
                           "-g",
                           "-w",
                           tools->optimisation,
                           tools->csmith_include ? tools->csmith_include : "-I.",
                           HX_SOURCE,
                           "-o",
                           "program",
                           NULL};
    struct hx_process compiler = {.argv = words, .directory = folder};
    char how[128], complaint[160];
    struct rt_error *error = hx_process_run(&compiler, 1);

    if (!error && !hx_process_succeeded(&compiler))
        error = rt_error_format(RT_USAGE, "%s cannot build an executable (%s): %s", tools->native.name,
                                hx_process_describe(&compiler, how, sizeof how),
                                hx_process_complaint(&compiler, complaint, sizeof complaint));
    hx_process_clear(&compiler);
    return error;
}

/* The script's object is the last line that begins with a brace: the program may print too. */
static struct rt_error *read_numbers(const struct hx_process *gdb, struct hx_gdb_run *ret) {
    const char *text = hx_buffer_string(&gdb->output), *line = NULL;
    const struct hx_json_value *object, *stops, *scalars, *seconds;
    struct rt_arena arena;
    char complaint[200];

    for (const char *next = text; next; next = strchr(next, '\n')) {
        next += *next == '\n';
        if (*next == '{')
            line = next;
    }
    if (!line)
        return rt_error_format(RT_USAGE, "gdb did not step the program: %s",
                               hx_process_complaint(gdb, complaint, sizeof complaint));
    rt_arena_init(&arena, 0);
    struct rt_error *error = hx_json_parse(line, strcspn(line, "\n"), &arena, &object);
    if (!error) {
        stops = hx_json_member(object, "stops");
        scalars = hx_json_member(object, "scalars");
        seconds = hx_json_member(object, "seconds");
        if (stops && scalars && seconds)
            *ret = (struct hx_gdb_run){(uint64_t)stops->number, (uint64_t)scalars->number, seconds->number};
        else
            error = rt_error_format(RT_MALFORMED, "gdb's script did not tell what it measured");
    }
    rt_arena_clear(&arena);
    return error;
}

struct rt_error *hx_bench_gdb(const struct hx_tools *tools, const char *gdb, const char *folder,
                              uint64_t stops, uint64_t seconds, struct hx_gdb_run *ret) {
    const char *words[] = {gdb,  "-nx",         "-batch",  "-iex", "set debuginfod enabled off",
                           "-x", "stepping.py", "program", NULL};
    struct hx_process process = {.argv = words,
                                 .directory = folder,
                                 .time_limit = (unsigned)(seconds * 1000 + START_UP),
                                 .own_group = true};
    char path[512], number[32];
    struct rt_error *error;

    snprintf(path, sizeof path, "%s/stepping.py", folder);
    snprintf(number, sizeof number, "%llu", (unsigned long long)stops);
    setenv("LOCKSTEP_STOPS", number, 1);
    snprintf(number, sizeof number, "%llu", (unsigned long long)seconds);
    setenv("LOCKSTEP_SECONDS", number, 1);
    error = hx_file_write(path, hx_bench_gdb_script, strlen(hx_bench_gdb_script), 0600);
    if (!error)
        error = build(tools, folder);
    if (!error)
        error = hx_process_run(&process, 1);
    if (!error)
        error = read_numbers(&process, ret);
    hx_process_clear(&process);
    return error;
}
