/* Reading a campaign's database for a report. */
#include "harness/campaign_view.h"

#include "harness/publish.h"
#include "harness/source.h"
#include "harness/tools.h"

#include <stdio.h>
#include <string.h>

struct reader {
    struct hx_database *database;
    struct rt_arena *arena;
    struct hx_campaign_view *view;
};

static const char *keep(const struct reader *reader, const char *text) {
    return rt_arena_copy(reader->arena, text, strlen(text));
}

/* Calls `take` with each row. */
static struct rt_error *each_row(const struct reader *reader, const char *sql, void *user,
                                 struct rt_error *(*take)(const struct reader *, sqlite3_stmt *,
                                                          void *user)) {
    sqlite3_stmt *statement;
    bool is_row = true;
    struct rt_error *error = hx_database_prepare(reader->database, sql, &statement, "");

    while (!error && is_row) {
        error = hx_database_next(reader->database, statement, &is_row);
        if (!error && is_row)
            error = take(reader, statement, user);
    }
    sqlite3_finalize(statement);
    return error;
}

static uint64_t number(sqlite3_stmt *statement, int column) {
    return (uint64_t)sqlite3_column_int64(statement, column);
}

/* Room for one more item in an array of the arena, whose capacity is a power of two. */
static void *grow(const struct reader *reader, void *items, size_t count, size_t size) {
    if (count != 0 && (count & (count - 1)) != 0)
        return items;
    void *grown = rt_arena_array(reader->arena, count ? 2 * count : 1, size);
    if (grown && count)
        memcpy(grown, items, count * size);
    return grown;
}

/* Columns: name, text, count. */
static struct rt_error *take_named(const struct reader *reader, sqlite3_stmt *statement, void *user) {
    struct hx_named_list *list = user;

    list->items = grow(reader, list->items, list->count, sizeof *list->items);
    if (!list->items)
        return rt_error_out_of_memory();
    struct hx_named *item = &list->items[list->count++];
    *item = (struct hx_named){.name = keep(reader, hx_database_text(statement, 0, "")),
                              .text = keep(reader, hx_database_text(statement, 1, "")),
                              .count = number(statement, 2)};
    return item->name && item->text ? NULL : rt_error_out_of_memory();
}

static struct rt_error *take_point(const struct reader *reader, sqlite3_stmt *statement, void *user) {
    struct hx_points *points = user;

    points->items = grow(reader, points->items, points->count, sizeof *points->items);
    if (!points->items)
        return rt_error_out_of_memory();
    points->items[points->count++] = (struct hx_point){number(statement, 0), number(statement, 1)};
    return NULL;
}

static struct rt_error *take_totals(const struct reader *reader, sqlite3_stmt *statement, void *user) {
    struct hx_campaign_view *view = reader->view;

    (void)user;
    view->programs = number(statement, 0);
    view->stops = number(statement, 1);
    view->compared = number(statement, 2);
    view->unchanged = number(statement, 3);
    for (int i = 0; i < HX_STAGE_COUNT; i++)
        view->stages[i] = sqlite3_column_double(statement, 4 + i);
    view->findings = number(statement, 7);
    view->unknown_signatures = number(statement, 8);
    view->known_signatures = number(statement, 9);
    view->runs = number(statement, 10);
    return NULL;
}

static struct rt_error *take_sessions(const struct reader *reader, sqlite3_stmt *statement, void *user) {
    struct hx_campaign_view *view = reader->view;

    (void)user;
    view->sessions = number(statement, 0);
    view->milliseconds = number(statement, 1);
    view->started = number(statement, 2);
    view->ended = number(statement, 3);
    return NULL;
}

static struct rt_error *take_signature(const struct reader *reader, sqlite3_stmt *statement, void *user) {
    struct hx_campaign_view *view = reader->view;
    const char *known = hx_database_text(statement, 2, ""), *folder = hx_database_text(statement, 3, NULL);

    (void)user;
    view->signatures = grow(reader, view->signatures, view->signature_count, sizeof *view->signatures);
    if (!view->signatures)
        return rt_error_out_of_memory();
    struct hx_signature_view *signature = &view->signatures[view->signature_count++];
    *signature = (struct hx_signature_view){.id = number(statement, 0),
                                            .text = keep(reader, hx_database_text(statement, 1, "")),
                                            .known = *known ? keep(reader, known) : NULL,
                                            .folder = folder ? keep(reader, folder) : NULL,
                                            .kind = keep(reader, hx_database_text(statement, 4, "")),
                                            .findings = number(statement, 5),
                                            .programs = number(statement, 6),
                                            .first_seed = number(statement, 7)};
    return signature->text && signature->kind ? NULL : rt_error_out_of_memory();
}

/* A document that is no finding leaves the signature without details: the page says so. */
static struct rt_error *read_told(const struct reader *reader, const char *document, struct hx_told *ret) {
    const struct hx_json_value *json;
    struct rt_error *error = hx_json_parse(document, strlen(document), reader->arena, &json);
    return error ? error : hx_told_read(json, reader->arena, ret);
}

/* Keeps a source when it still fits on the page, else leaves it out. `shown` counts bytes. */
static const char *keep_source(const struct reader *reader, const char *source, size_t *shown) {
    struct hx_buffer markup = {0};
    const char *kept = NULL;

    hx_markup_text(source, &markup);
    if (!markup.failed && markup.size <= HX_SHOWN_SOURCE - *shown) {
        *shown += markup.size;
        kept = keep(reader, source);
    }
    hx_buffer_clear(&markup);
    return kept;
}

static struct rt_error *take_smallest(const struct reader *reader, sqlite3_stmt *statement, void *user) {
    struct hx_campaign_view *view = reader->view;
    const uint64_t id = number(statement, 0);
    size_t *shown = user, i = 0;

    while (i < view->signature_count && view->signatures[i].id != id)
        i++;
    if (i >= HX_DETAILED_SIGNATURES || i == view->signature_count || view->signatures[i].has_detail)
        return NULL;
    struct hx_signature_view *signature = &view->signatures[i];
    struct rt_error *error = read_told(reader, hx_database_text(statement, 3, ""), &signature->told);
    if (error && error->code == RT_MALFORMED) {
        rt_error_destroy(error);
        return NULL;
    }
    if (error)
        return error;
    signature->has_detail = true;
    signature->source_name = HX_SOURCE;
    signature->seed = number(statement, 1);
    signature->size = number(statement, 2);
    const char *source = hx_database_text(statement, 4, NULL);
    if (source)
        signature->source = keep_source(reader, source, shown);
    return NULL;
}

/* Takes the reduced program in place of the smallest one, where there is one. What cannot be read is passed
 * over: it is no part of the campaign. */
static struct rt_error *take_reduced(const struct reader *reader, struct hx_signature_view *signature,
                                     size_t *shown) {
    struct hx_buffer text = {0};
    struct hx_kept kept;
    const char *path =
        rt_arena_printf(reader->arena, "%s/%s/" HX_REDUCED, reader->view->folder, signature->folder);
    struct rt_error *error = path ? hx_kept_read(path, reader->arena, &kept) : rt_error_out_of_memory();

    if (!error && kept.file && strcmp(kept.told.signature, signature->text) == 0 &&
        hx_source_text(HX_SOURCE, kept.folder, &text)) {
        signature->has_detail = signature->is_reduced = true;
        signature->size = text.size;
        signature->told = kept.told;
        signature->source = keep_source(reader, hx_buffer_string(&text), shown);
        signature->source_name = hx_base_name(kept.file);
    }
    hx_buffer_clear(&text);
    if (error && error->code != RT_MALFORMED && error->code != RT_USAGE)
        return error;
    rt_error_destroy(error);
    return NULL;
}

static struct rt_error *read_signatures(struct reader *reader) {
    struct hx_campaign_view *view = reader->view;
    size_t shown = 0;
    const uint64_t all = view->unknown_signatures + view->known_signatures;

    const char *sql = rt_arena_printf(
        reader->arena,
        "SELECT signature, text, known, folder, kind, findings, programs, first_seed FROM signature_counts"
        " ORDER BY known <> '', programs DESC, signature LIMIT %d",
        HX_LISTED_SIGNATURES);
    struct rt_error *error = sql ? each_row(reader, sql, NULL, take_signature) : rt_error_out_of_memory();
    if (!error)
        error = each_row(reader,
                         "SELECT smallest.signature, smallest.seed, smallest.size, document,"
                         " sources.text FROM signature_smallest AS smallest"
                         " JOIN findings ON findings.signature = smallest.signature"
                         " AND findings.run = smallest.run AND findings.seed = smallest.seed"
                         " LEFT JOIN sources ON sources.run = smallest.run AND sources.seed = smallest.seed"
                         " ORDER BY smallest.size, smallest.signature, number",
                         &shown, take_smallest);
    for (size_t i = 0; i < view->signature_count && i < HX_DETAILED_SIGNATURES && !error; i++)
        if (view->signatures[i].folder && !strchr(view->signatures[i].folder, '/'))
            error = take_reduced(reader, &view->signatures[i], &shown);
    view->signatures_left_out = all - (all < view->signature_count ? all : view->signature_count);
    return error;
}

struct rt_error *hx_campaign_view(struct hx_database *database, const char *folder, struct rt_arena *arena,
                                  struct hx_campaign_view *ret) {
    struct reader reader = {database, arena, ret};
    struct hx_campaign_view *view = ret;
    const struct {
        const char *sql;
        void *user;
        struct rt_error *(*take)(const struct reader *, sqlite3_stmt *, void *);
    } queries[] = {
        {"SELECT count(*), total(stops), total(compared), total(unchanged), total(generate_seconds),"
         " total(compile_seconds), total(step_seconds), (SELECT count(*) FROM findings),"
         " (SELECT count(*) FROM signatures WHERE known = ''), (SELECT count(*) FROM signatures WHERE known "
         "<> ''),"
         " (SELECT count(*) FROM runs) FROM programs",
         NULL, take_totals},
        {"SELECT count(*), total(max(seen - started, 0)), min(started), max(seen) FROM sessions", NULL,
         take_sessions},
        {"SELECT verdict, '', total(programs) FROM outcomes GROUP BY verdict ORDER BY 3 DESC",
         &view->verdicts, take_named},
        {"SELECT DISTINCT name, version, 0 FROM tools WHERE name NOT IN ('known', 'modules') ORDER BY name",
         &view->tools, take_named},
        {"SELECT DISTINCT name, value, 0 FROM flags WHERE value <> '' ORDER BY name", &view->flags,
         take_named},
        {"SELECT defect, min(reason), count(*) FROM gone JOIN defects ON defects.run = gone.run AND"
         " defects.name = defect GROUP BY defect ORDER BY defect",
         &view->gone, take_named},
        {"SELECT programs, count(*) FROM discoveries GROUP BY programs ORDER BY programs", &view->discoveries,
         take_point},
        {"SELECT minute - (SELECT min(minute) FROM throughput), total(programs) FROM throughput GROUP BY "
         "minute"
         " ORDER BY minute",
         &view->throughput, take_point},
    };
    struct rt_error *error = NULL;

    *ret = (struct hx_campaign_view){.folder = folder};
    for (size_t i = 0; i < sizeof queries / sizeof *queries && !error; i++)
        error = each_row(&reader, queries[i].sql, queries[i].user, queries[i].take);
    if (!error)
        error = read_signatures(&reader);
    /* The plot is of all signatures seen by then. */
    for (size_t i = 1; i < view->discoveries.count; i++)
        view->discoveries.items[i].y += view->discoveries.items[i - 1].y;
    return error;
}
