/* `lockstep report`: a campaign as a page, as SARIF, as JUnit's XML. */
#include "harness/harness.h"

#include "harness/cmd_options.h"
#include "harness/page.h"
#include "harness/publish.h"

#include <stddef.h>
#include <string.h>

struct values {
    const char *out, *sarif, *junit;
};

static const struct values defaults = {.out = NULL};

static const struct hx_option options[] = {
    {"-o", "FILE.html", HX_OPTION_TEXT, offsetof(struct values, out), "write the page to FILE.html"},
    HX_PUBLISH_OPTIONS(struct values),
};

static struct rt_error *write_page(struct hx_database *database, const char *folder, const char *path,
                                   struct rt_arena *arena) {
    struct hx_campaign_view view;
    struct hx_buffer page = {0};
    struct rt_error *error = hx_campaign_view(database, folder, arena, &view);

    if (!error)
        error = hx_page(&view, arena, &page);
    if (!error)
        error = hx_file_write(path, page.bytes, page.size, 0666);
    hx_buffer_clear(&page);
    return error;
}

/* ---- The campaign's programs, one by one, for the publishers ---- */

struct folders {
    const char *campaign;
    const char *const *names; /* by finding */
    const struct hx_told *findings;
    struct rt_arena *arena;
};

static const char *folder_of(void *user, const struct hx_told *told) {
    const struct folders *folders = user;
    const char *name = folders->names[told - folders->findings];
    return name ? rt_arena_printf(folders->arena, "%s/%s", folders->campaign, name) : NULL;
}

/* The findings of the statement's rows; a document that is none is an error, as a campaign writes no such. */
static struct rt_error *read_findings(struct hx_database *database, sqlite3_stmt *program,
                                      struct rt_arena *arena, struct hx_told *findings, const char **folders,
                                      size_t count) {
    const char *const sql =
        "SELECT document, folder FROM findings JOIN signatures ON signatures.id = signature"
        " WHERE run = ? AND seed = ? ORDER BY number";
    sqlite3_stmt *statement;
    bool is_row = true;
    struct rt_error *error =
        hx_database_prepare(database, sql, &statement, "ii", (uint64_t)sqlite3_column_int64(program, 0),
                            (uint64_t)sqlite3_column_int64(program, 1));

    for (size_t i = 0; i < count && !error && is_row; i++) {
        const struct hx_json_value *json;
        error = hx_database_next(database, statement, &is_row);
        if (error || !is_row)
            break;
        const char *document = hx_database_text(statement, 0, ""),
                   *folder = hx_database_text(statement, 1, NULL);
        error = hx_json_parse(document, strlen(document), arena, &json);
        if (!error)
            error = hx_told_read(json, arena, &findings[i]);
        folders[i] = folder ? rt_arena_copy(arena, folder, strlen(folder)) : NULL;
    }
    sqlite3_finalize(statement);
    return error;
}

static struct rt_error *publish_program(struct hx_database *database, sqlite3_stmt *row, const char *campaign,
                                        struct hx_publisher *publisher) {
    const size_t count = (size_t)sqlite3_column_int64(row, 6);
    struct rt_arena arena;

    rt_arena_init(&arena, 0);
    struct hx_told *findings = rt_arena_array(&arena, count, sizeof *findings);
    const char **names = rt_arena_array(&arena, count, sizeof *names);
    struct folders folders = {campaign, names, findings, &arena};
    const struct hx_outcome outcome = {.has_seed = sqlite3_column_type(row, 3) == SQLITE_NULL,
                                       .seed = (uint64_t)sqlite3_column_int64(row, 1),
                                       .verdict = hx_database_text(row, 2, ""),
                                       .file = hx_database_text(row, 3, NULL),
                                       .reason = hx_database_text(row, 4, NULL),
                                       .seconds = sqlite3_column_double(row, 5),
                                       .findings = findings,
                                       .finding_count = count};
    struct rt_error *error = findings && names ? NULL : rt_error_out_of_memory();
    if (!error)
        error = read_findings(database, row, &arena, findings, names, count);
    if (!error)
        error = hx_publisher_add(publisher, &outcome, folder_of, &folders);
    rt_arena_clear(&arena);
    return error;
}

static struct rt_error *publish(struct hx_database *database, const char *campaign,
                                const struct values *values) {
    struct hx_publisher publisher;
    sqlite3_stmt *statement = NULL;
    bool is_row = true;
    struct rt_error *error = NULL;

    hx_publisher_init(&publisher, values->sarif, values->junit);
    error = hx_database_prepare(
        database,
        "SELECT run, seed, verdict, file, reason, generate_seconds + compile_seconds + step_seconds,"
        " (SELECT count(*) FROM findings WHERE findings.run = programs.run AND findings.seed = programs.seed)"
        " FROM programs ORDER BY run, seed",
        &statement, "");
    while (!error && is_row) {
        error = hx_database_next(database, statement, &is_row);
        if (!error && is_row)
            error = publish_program(database, statement, campaign, &publisher);
    }
    sqlite3_finalize(statement);
    if (!error)
        error = hx_publisher_write(&publisher);
    hx_publisher_clear(&publisher);
    return error;
}

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    struct hx_database database;
    struct rt_arena arena;

    (void)ret_status;
    if (arguments->count != 1)
        return rt_error_format(RT_USAGE, "needs one campaign: the folder of `lockstep fuzz --out`");
    if (!values->out && !values->sarif && !values->junit)
        return rt_error_format(RT_USAGE,
                               "what is to be written? -o FILE.html, --sarif FILE, or --junit FILE");
    rt_arena_init(&arena, 0);
    struct rt_error *error = hx_database_open(arguments->items[0], HX_DATABASE_READ, &database);
    if (!error && values->out)
        error = write_page(&database, arguments->items[0], values->out, &arena);
    if (!error && (values->sarif || values->junit))
        error = publish(&database, arguments->items[0], values);
    hx_database_close(&database);
    rt_arena_clear(&arena);
    return error;
}

const struct hx_command hx_command_report = {
    .name = "report",
    .arguments = "CAMPAIGN [-o FILE.html] [--sarif FILE] [--junit FILE]",
    .summary = "Publishes a campaign: a page for people, SARIF and JUnit's XML for CI systems.",
    .details =
        "CAMPAIGN is the folder of `lockstep fuzz --out`, also while it runs. The page needs nothing beside\n"
        "it and no network: totals, signatures over programs, throughput, and for each signature its\n"
        "smallest program with the stops of both sides, the source, and what differs. Unexplained\n"
        "signatures come first, then the most frequent ones; the first 100 are shown with their programs,\n"
        "1,000 are listed, and the sources together take at most 3 MiB.\n\n"
        "SARIF has a rule for each signature and at most 5,000 results, with known defects suppressed.\n"
        "JUnit's XML has a test case for each program; findings that are known are no failures.\n\n"
        "Exit status: 0, or 2 when it could not be done.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
