/* `lockstep merge`: campaigns put together. */
#include "harness/harness.h"

#include "harness/database.h"

#include <stdio.h>

struct values {
    const char *out;
};

static const struct values defaults = {.out = NULL};

static const struct hx_option options[] = {
    {"-o", "DIR", HX_OPTION_TEXT, offsetof(struct values, out),
     "the folder of the merged campaign, a new one"},
};

static struct rt_error *tell(const char *folder) {
    struct hx_database database;
    uint64_t programs = 0, runs = 0, signatures = 0;
    struct rt_error *error = hx_database_open(folder, HX_DATABASE_READ, &database);

    if (!error)
        error = hx_database_number(&database, "SELECT count(*) FROM programs", &programs, "");
    if (!error)
        error = hx_database_number(&database, "SELECT count(*) FROM runs", &runs, "");
    if (!error)
        error = hx_database_number(&database, "SELECT count(*) FROM signatures", &signatures, "");
    hx_database_close(&database);
    if (!error)
        printf("%s: %llu programs of %llu run%s, %llu signatures\n", folder, (unsigned long long)programs,
               (unsigned long long)runs, runs == 1 ? "" : "s", (unsigned long long)signatures);
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct rt_error *error;

    (void)ret_status;
    if (!values->out)
        return rt_error_format(RT_USAGE, "-o must name the folder of the merged campaign");
    if (arguments->count == 0)
        return rt_error_format(RT_USAGE, "which campaigns? Name their folders");
    error = hx_database_merge(arguments->items, arguments->count, values->out);
    return error ? error : tell(values->out);
}

const struct hx_command hx_command_merge = {
    .name = "merge",
    .arguments = "CAMPAIGN... -o DIR",
    .summary = "Puts the campaigns of several folders together in a new one.",
    .details = "A campaign is what `lockstep fuzz --out` made, or another merge. Programs of the same seed,\n"
               "flags and tools count once, whichever order the campaigns are named in and however often;\n"
               "programs of other flags or tools are kept as runs of their own. The campaigns are left as\n"
               "they are, and may be running.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
