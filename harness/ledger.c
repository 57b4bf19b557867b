/* Writing down a campaign: its run, its sessions, and each program with its findings. */
#include "harness/ledger.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { SOURCE_LIMIT = 16 << 20 };

/* Milliseconds since 1970. */
static uint64_t wall_clock(void) {
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

struct rt_error *hx_ledger_open(const char *folder, bool is_resume, struct hx_ledger *ret) {
    *ret = (struct hx_ledger){.folder = folder};
    return hx_database_open(folder, is_resume ? HX_DATABASE_WRITE : HX_DATABASE_CREATE, &ret->database);
}

void hx_ledger_close(struct hx_ledger *ledger) {
    hx_database_close(&ledger->database);
    free(ledger->done);
    *ledger = (struct hx_ledger){0};
}

/* ---- The run ---- */

static void identity_of(const struct hx_run *run, struct hx_buffer *out) {
    for (size_t i = 0; i < run->flags.count; i++)
        hx_buffer_print(out, "--%s=%s\n", run->flags.items[i].name, run->flags.items[i].value);
    for (size_t i = 0; i < run->tools.count; i++)
        hx_buffer_print(out, "%s=%s\n", run->tools.items[i].name, run->tools.items[i].value);
}

/* Appends how each of the stored facts that `sql` selects differs from this run's. */
static struct rt_error *tell_differences(struct hx_ledger *ledger, const char *sql, const char *dashes,
                                         const struct hx_facts *facts, struct hx_buffer *out) {
    sqlite3_stmt *statement;
    bool is_row = true;
    struct rt_error *error = hx_database_prepare(&ledger->database, sql, &statement, "");

    while (!error && is_row) {
        error = hx_database_next(&ledger->database, statement, &is_row);
        if (error || !is_row)
            break;
        const char *name = hx_database_text(statement, 0, ""), *there = hx_database_text(statement, 1, "");
        const char *here = hx_facts_find(facts, name);
        if (!here || strcmp(here, there) != 0)
            hx_buffer_print(out, "%s%s%s is '%s' there and '%s' here", out->size > 0 ? "; " : "", dashes,
                            name, there, here ? here : "");
    }
    sqlite3_finalize(statement);
    return error;
}

static struct rt_error *refuse(struct hx_ledger *ledger, const struct hx_run *run) {
    struct hx_buffer text = {0};
    uint64_t runs;
    struct rt_error *error = hx_database_number(&ledger->database, "SELECT count(*) FROM runs", &runs, "");

    if (!error && runs == 1)
        error = tell_differences(ledger, "SELECT name, value FROM flags", "--", &run->flags, &text);
    if (!error && runs == 1)
        error = tell_differences(ledger, "SELECT name, version FROM tools", "", &run->tools, &text);
    if (!error)
        error = rt_error_format(
            RT_USAGE,
            "%s holds a campaign of other flags or tools, which would be counted as one: %s. Go on with "
            "those, or name another folder with --out; `lockstep merge` puts campaigns together",
            ledger->folder, runs == 1 ? hx_buffer_string(&text) : "none of its runs has these");
    hx_buffer_clear(&text);
    return error;
}

static struct rt_error *write_facts(struct hx_ledger *ledger, const char *sql, const struct hx_facts *facts) {
    struct rt_error *error = NULL;

    for (size_t i = 0; i < facts->count && !error; i++)
        error = hx_database_run(&ledger->database, sql, "itt", ledger->run, facts->items[i].name,
                                facts->items[i].value);
    return error;
}

static struct rt_error *write_defect(struct hx_ledger *ledger, const struct hx_run *run,
                                     const struct hx_known_defect *defect) {
    struct rt_error *error = hx_database_run(&ledger->database, "INSERT INTO defects VALUES (?, ?, ?)", "itt",
                                             ledger->run, defect->name, defect->reason);

    if (!run->known_compiler)
        return error;
    for (const struct hx_known_seeds *group = defect->shown_by; group; group = group->next)
        for (size_t i = 0; i < group->count && !error; i++)
            if (hx_known_is_expected(defect, run->known_compiler, run->optimisation, group->seeds[i]))
                error =
                    hx_database_run(&ledger->database, "INSERT OR IGNORE INTO expectations VALUES (?, ?, ?)",
                                    "iti", ledger->run, defect->name, group->seeds[i]);
    return error;
}

static struct rt_error *make_run(struct hx_ledger *ledger, const struct hx_run *run, const char *identity) {
    struct rt_error *error =
        hx_database_run(&ledger->database, "INSERT INTO runs (identity) VALUES (?)", "t", identity);

    ledger->run = (uint64_t)sqlite3_last_insert_rowid(ledger->database.sqlite);
    if (!error)
        error = write_facts(ledger, "INSERT INTO flags VALUES (?, ?, ?)", &run->flags);
    if (!error)
        error = write_facts(ledger, "INSERT INTO tools VALUES (?, ?, ?)", &run->tools);
    for (size_t i = 0; i < run->known->count && !error; i++)
        error = write_defect(ledger, run, &run->known->defects[i]);
    return error;
}

/* Finds the run, or makes the first one. */
static struct rt_error *find_run(struct hx_ledger *ledger, const struct hx_run *run) {
    struct hx_buffer identity = {0};
    uint64_t runs = 0;
    struct rt_error *error;

    identity_of(run, &identity);
    error = identity.failed ? rt_error_out_of_memory()
                            : hx_database_number(&ledger->database, "SELECT id FROM runs WHERE identity = ?",
                                                 &ledger->run, "t", hx_buffer_string(&identity));
    if (!error && !ledger->run) {
        error = hx_database_number(&ledger->database, "SELECT count(*) FROM runs", &runs, "");
        if (!error)
            error = runs > 0 ? refuse(ledger, run) : make_run(ledger, run, hx_buffer_string(&identity));
    }
    hx_buffer_clear(&identity);
    return error;
}

/* ---- Sessions ---- */

static struct rt_error *make_session(struct hx_ledger *ledger, const struct hx_asked *asked) {
    uint64_t number[2], now = wall_clock();
    struct rt_error *error;

    if (getrandom(number, sizeof number, 0) != sizeof number)
        return rt_error_os(errno, "cannot get random bytes");
    snprintf(ledger->session, sizeof ledger->session, "%016llx%016llx", (unsigned long long)number[0],
             (unsigned long long)number[1]);
    error = hx_database_run(&ledger->database,
                            "INSERT INTO sessions (id, run, started, seen, jobs, first_seed, time_limit)"
                            " VALUES (?, ?, ?, ?, ?, ?, ?)",
                            "tiiiiii", ledger->session, ledger->run, now, now, (uint64_t)asked->jobs,
                            asked->first_seed, asked->time_limit);
    if (!error && asked->last_seed != UINT64_MAX)
        error = hx_database_run(&ledger->database, "UPDATE sessions SET last_seed = ? WHERE id = ?", "it",
                                asked->last_seed, ledger->session);
    return error;
}

struct rt_error *hx_ledger_begin(struct hx_ledger *ledger, const struct hx_run *run,
                                 const struct hx_asked *asked, struct hx_tally *tally) {
    struct rt_error *error = hx_database_begin(&ledger->database);

    if (!error)
        error = find_run(ledger, run);
    if (!error)
        error = hx_ledger_load(ledger, tally);
    if (!error)
        error = make_session(ledger, asked);
    return error ? error : hx_database_commit(&ledger->database, true);
}

struct rt_error *hx_ledger_end(struct hx_ledger *ledger) {
    uint64_t now = wall_clock();
    struct rt_error *error = hx_database_begin(&ledger->database);

    if (!error)
        error = hx_database_run(&ledger->database, "UPDATE sessions SET seen = ?, ended = ? WHERE id = ?",
                                "iit", now, now, ledger->session);
    /* A smaller program has taken the place of some. */
    if (!error)
        error = hx_database_run(
            &ledger->database,
            "DELETE FROM sources WHERE (run, seed) NOT IN (SELECT run, seed FROM signature_smallest)", "");
    return error ? error : hx_database_commit(&ledger->database, true);
}

bool hx_ledger_is_done(struct hx_ledger *ledger, uint64_t seed) {
    while (ledger->next < ledger->done_count && ledger->done[ledger->next] < seed)
        ledger->next++;
    return ledger->next < ledger->done_count && ledger->done[ledger->next] == seed;
}

/* ---- Programs ---- */

static struct rt_error *add_program(struct hx_ledger *ledger, const struct hx_result *result) {
    const uint64_t now = wall_clock();
    struct rt_error *error = hx_database_run(
        &ledger->database,
        "INSERT INTO programs VALUES (?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "iititttiiiiiiiirrri", ledger->run, result->seed, ledger->session, now,
        hx_verdict_name(result->verdict), result->reason, result->file, result->source_size, result->stops,
        result->values, result->unchanged, result->repeats, result->steps, result->events,
        (uint64_t)result->is_limited, result->seconds[HX_GENERATE], result->seconds[HX_COMPILE],
        result->seconds[HX_STEP], result->worker_kib);

    return error ? error
                 : hx_database_run(&ledger->database, "UPDATE sessions SET seen = ? WHERE id = ?", "it", now,
                                   ledger->session);
}

/* `is_whole`: of a program whose source is kept, too, for a report that shows both. */
static struct rt_error *add_finding(struct hx_ledger *ledger, const struct hx_result *result, uint64_t number,
                                    bool is_whole, const char *folder) {
    struct hx_finding finding = result->findings[number];
    const char *known = finding.known ? finding.known : "", *signature = finding.body.signature;
    struct hx_buffer document = {0};
    struct hx_json json = {.out = &document};
    struct rt_error *error;

    finding.is_new = false;
    hx_finding_json(&finding, is_whole, NULL, &json);
    error = document.failed
                ? rt_error_out_of_memory()
                : hx_database_run(&ledger->database,
                                  "INSERT INTO signatures (text, known, folder) VALUES (?, ?, ?)"
                                  " ON CONFLICT (text, known) DO UPDATE SET folder = excluded.folder"
                                  " WHERE folder IS NULL",
                                  "ttt", signature, known, folder);
    if (!error)
        error = hx_database_run(&ledger->database,
                                "INSERT INTO findings SELECT ?, ?, ?, id, ?, ?, ?, ?, ?, ?, ? FROM signatures"
                                " WHERE text = ? AND known = ?",
                                "iiitttitittt", ledger->run, result->seed, number, finding.kind,
                                finding.body.function, finding.body.file, (uint64_t)finding.body.line,
                                finding.body.variable, (uint64_t)finding.body.stop,
                                hx_buffer_string(&document), signature, known);
    hx_buffer_clear(&document);
    return error;
}

static struct rt_error *add_source(struct hx_ledger *ledger, const struct hx_job *job, uint64_t seed) {
    char path[PATH_MAX];
    struct hx_buffer text = {0};

    snprintf(path, sizeof path, "%s/%s", job->folder.path, HX_SOURCE);
    struct rt_error *error = hx_file_read(path, SOURCE_LIMIT, &text);
    if (error)
        rt_error_destroy(error); /* a program that has none: a module */
    else
        error = hx_database_run(&ledger->database, "INSERT INTO sources VALUES (?, ?, ?)", "iit", ledger->run,
                                seed, hx_buffer_string(&text));
    hx_buffer_clear(&text);
    return error;
}

struct rt_error *hx_ledger_add(struct hx_ledger *ledger, const struct hx_job *job,
                               const struct hx_result *result, struct hx_tally *tally) {
    struct rt_error *error = hx_database_begin(&ledger->database);
    bool is_smallest = false;

    if (!error)
        error = add_program(ledger, result);
    for (size_t i = 0; i < result->finding_count && !error; i++) {
        const struct hx_sighting *sighting = hx_tally_sighting(tally, &result->findings[i]);
        const char *folder = sighting && sighting->folder ? strrchr(sighting->folder, '/') + 1 : NULL;
        const bool is_its_smallest = sighting && sighting->smallest_seed == result->seed;
        is_smallest |= is_its_smallest;
        error = add_finding(ledger, result, i, is_its_smallest, folder);
    }
    if (!error && is_smallest)
        error = add_source(ledger, job, result->seed);
    return error ? error : hx_database_commit(&ledger->database, false);
}
