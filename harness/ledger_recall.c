/* Reading back what a campaign wrote down: for `fuzz --resume`, and for its totals. */
#include "harness/ledger.h"

#include <stdlib.h>
#include <string.h>

/* ---- What was asked ---- */

static struct rt_error *recall_flags(struct hx_ledger *ledger, struct rt_arena *arena, struct hx_facts *ret) {
    sqlite3_stmt *statement;
    bool is_row = true;
    struct rt_error *error =
        hx_database_prepare(&ledger->database, "SELECT name, value FROM flags ORDER BY name", &statement, "");

    while (!error && is_row) {
        error = hx_database_next(&ledger->database, statement, &is_row);
        if (error || !is_row)
            break;
        const char *texts[2] = {hx_database_text(statement, 0, ""), hx_database_text(statement, 1, "")};
        for (int i = 0; i < 2; i++)
            texts[i] = rt_arena_copy(arena, texts[i], strlen(texts[i]));
        if (texts[0] && texts[1])
            hx_facts_add(ret, texts[0], texts[1]);
        else
            error = rt_error_out_of_memory();
    }
    sqlite3_finalize(statement);
    return error;
}

static struct rt_error *recall_asked(struct hx_ledger *ledger, struct hx_asked *ret) {
    sqlite3_stmt *statement;
    bool is_row = false;
    struct rt_error *error = hx_database_prepare(
        &ledger->database,
        "SELECT first_seed, coalesce(last_seed, -1), time_limit, coalesce(ended, seen) - started"
        " FROM sessions ORDER BY started DESC, id LIMIT 1",
        &statement, "");

    if (!error)
        error = hx_database_next(&ledger->database, statement, &is_row);
    if (is_row) {
        uint64_t limit = (uint64_t)sqlite3_column_int64(statement, 2);
        uint64_t spent = (uint64_t)sqlite3_column_int64(statement, 3);
        *ret = (struct hx_asked){.first_seed = (uint64_t)sqlite3_column_int64(statement, 0),
                                 .last_seed = (uint64_t)sqlite3_column_int64(statement, 1),
                                 .time_limit = limit > spent ? limit - spent : limit > 0,
                                 .is_over = limit > 0 && limit <= spent};
    }
    sqlite3_finalize(statement);
    return error;
}

struct rt_error *hx_ledger_recall(struct hx_ledger *ledger, struct rt_arena *arena,
                                  struct hx_facts *ret_flags, struct hx_asked *ret_asked) {
    uint64_t runs;
    struct rt_error *error = hx_database_number(&ledger->database, "SELECT count(*) FROM runs", &runs, "");

    *ret_flags = (struct hx_facts){.count = 0};
    *ret_asked = (struct hx_asked){.first_seed = 1, .last_seed = UINT64_MAX};
    if (!error && runs != 1)
        return rt_error_format(RT_USAGE,
                               "--resume: %s has %llu runs of different flags or tools; go on with one of "
                               "them by its flags and --out %s",
                               ledger->folder, (unsigned long long)runs, ledger->folder);
    if (!error)
        error = recall_flags(ledger, arena, ret_flags);
    return error ? error : recall_asked(ledger, ret_asked);
}

/* ---- What was done ---- */

static bool read_verdict(const char *word, enum hx_verdict *ret) {
    for (int i = 0; i < HX_VERDICT_COUNT; i++) {
        *ret = (enum hx_verdict)i;
        if (strcmp(hx_verdict_name(*ret), word) == 0)
            return true;
    }
    return false;
}

/* The row of a program. Its reason is valid until the statement goes on. */
static bool read_program(sqlite3_stmt *row, struct hx_result *ret) {
    ret->seed = (uint64_t)sqlite3_column_int64(row, 0);
    ret->reason = hx_database_text(row, 2, NULL);
    ret->source_size = (uint64_t)sqlite3_column_int64(row, 3);
    ret->stops = (uint64_t)sqlite3_column_int64(row, 4);
    ret->values = (uint64_t)sqlite3_column_int64(row, 5);
    ret->steps = (uint64_t)sqlite3_column_int64(row, 6);
    ret->events = (uint64_t)sqlite3_column_int64(row, 7);
    ret->is_limited = sqlite3_column_int64(row, 8) != 0;
    for (int i = 0; i < HX_STAGE_COUNT; i++)
        ret->seconds[i] = sqlite3_column_double(row, 9 + i);
    ret->worker_kib = (uint64_t)sqlite3_column_int64(row, 9 + HX_STAGE_COUNT);
    return read_verdict(hx_database_text(row, 1, ""), &ret->verdict);
}

static bool read_finding(sqlite3_stmt *row, struct hx_result *result) {
    const struct or_finding body = {.signature = hx_database_text(row, 2, "")};
    struct hx_finding *finding = hx_result_add(result, hx_database_text(row, 1, ""), &body);
    const char *known = hx_database_text(row, 3, "");

    if (finding && *known)
        finding->known = rt_arena_copy(&result->arena, known, strlen(known));
    return finding && (!*known || finding->known);
}

/* Takes the findings of the result's seed; `*is_row` tells whether the statement is at one. */
static struct rt_error *read_findings(struct hx_ledger *ledger, sqlite3_stmt *findings, bool *is_row,
                                      struct hx_result *result) {
    struct rt_error *error = NULL;

    while (!error && *is_row && (uint64_t)sqlite3_column_int64(findings, 0) == result->seed) {
        if (!read_finding(findings, result))
            return rt_error_out_of_memory();
        error = hx_database_next(&ledger->database, findings, is_row);
    }
    return error;
}

static struct rt_error *take_program(struct hx_ledger *ledger, sqlite3_stmt *program, sqlite3_stmt *findings,
                                     bool *is_finding, bool is_of_engines, struct hx_tally *tally) {
    struct hx_result result;
    struct rt_error *error = NULL;

    hx_result_init(&result);
    if (!read_program(program, &result))
        error = rt_error_format(RT_MALFORMED, "%s: seed %llu has the verdict '%s', which there is not",
                                ledger->database.path, (unsigned long long)result.seed,
                                hx_database_text(program, 1, ""));
    if (is_of_engines)
        result.engines = "";
    if (!error)
        error = read_findings(ledger, findings, is_finding, &result);
    if (!error)
        error = hx_tally_add(tally, &result);
    if (!error)
        ledger->done[ledger->done_count++] = result.seed;
    hx_result_clear(&result);
    return error;
}

static struct rt_error *load_programs(struct hx_ledger *ledger, struct hx_tally *tally) {
    sqlite3_stmt *programs = NULL, *findings = NULL;
    uint64_t count, engines = 0;
    bool is_program = true, is_finding = false;
    struct rt_error *error = hx_database_number(
        &ledger->database, "SELECT count(*) FROM programs WHERE run = ?", &count, "i", ledger->run);

    if (!error)
        error = hx_database_number(&ledger->database,
                                   "SELECT value <> '' FROM flags WHERE run = ? AND name = 'engines'",
                                   &engines, "i", ledger->run);
    if (!error && !(ledger->done = calloc(count + 1, sizeof *ledger->done)))
        error = rt_error_out_of_memory();
    if (!error)
        error = hx_database_prepare(
            &ledger->database,
            "SELECT seed, verdict, reason, size, stops, compared, steps, events, limited, generate_seconds,"
            " compile_seconds, step_seconds, worker_kib FROM programs WHERE run = ? ORDER BY seed < 0, seed",
            &programs, "i", ledger->run);
    if (!error)
        error = hx_database_prepare(
            &ledger->database,
            "SELECT seed, kind, text, known FROM findings JOIN signatures ON id = signature"
            " WHERE run = ? ORDER BY seed < 0, seed, number",
            &findings, "i", ledger->run);
    if (!error)
        error = hx_database_next(&ledger->database, findings, &is_finding);
    while (!error) {
        error = hx_database_next(&ledger->database, programs, &is_program);
        if (error || !is_program)
            break;
        error = take_program(ledger, programs, findings, &is_finding, engines != 0, tally);
    }
    sqlite3_finalize(programs);
    sqlite3_finalize(findings);
    return error;
}

static struct rt_error *load_folders(struct hx_ledger *ledger, struct hx_tally *tally) {
    sqlite3_stmt *statement;
    bool is_row = true;
    struct rt_error *error = hx_database_prepare(
        &ledger->database, "SELECT text, known, folder FROM signatures WHERE folder IS NOT NULL", &statement,
        "");

    while (!error && is_row) {
        error = hx_database_next(&ledger->database, statement, &is_row);
        if (error || !is_row)
            break;
        const char *known = hx_database_text(statement, 1, "");
        const struct hx_finding finding = {.known = *known ? known : NULL,
                                           .body = {.signature = hx_database_text(statement, 0, "")}};
        struct hx_sighting *sighting = hx_tally_sighting(tally, &finding);
        if (sighting)
            sighting->folder =
                rt_arena_printf(&tally->arena, "%s/%s", ledger->folder, hx_database_text(statement, 2, ""));
        if (sighting && !sighting->folder)
            error = rt_error_out_of_memory();
    }
    sqlite3_finalize(statement);
    return error;
}

static struct rt_error *load_gone(struct hx_ledger *ledger, struct hx_tally *tally) {
    sqlite3_stmt *statement;
    bool is_row = true;
    struct rt_error *error = hx_database_prepare(
        &ledger->database, "SELECT defect, seed FROM gone WHERE run = ?", &statement, "i", ledger->run);

    while (!error && is_row) {
        error = hx_database_next(&ledger->database, statement, &is_row);
        if (!error && is_row)
            error = hx_tally_miss(tally, hx_database_text(statement, 0, ""),
                                  (uint64_t)sqlite3_column_int64(statement, 1));
    }
    sqlite3_finalize(statement);
    return error;
}

struct rt_error *hx_ledger_load(struct hx_ledger *ledger, struct hx_tally *tally) {
    struct rt_error *error = load_programs(ledger, tally);

    if (!error)
        error = load_folders(ledger, tally);
    if (!error)
        error = load_gone(ledger, tally);
    tally->recalled = tally->programs;
    return error;
}
