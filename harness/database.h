/* A campaign's database: DIR/campaign.sqlite. This is how it is opened, read and written; its tables and
 * views, and what they mean, are in database.sql, and readers ask in SQL.
 *
 * One process writes, the campaign; any number may read meanwhile. What is written is there after a kill at
 * any moment but for the last second; the programs of that second are run again by whoever resumes. */
#ifndef LOCKSTEP_HARNESS_DATABASE_H
#define LOCKSTEP_HARNESS_DATABASE_H

#include "harness/buffer.h"

#include <sqlite3.h>

#define HX_DATABASE_NAME "campaign.sqlite"

enum hx_database_mode {
    HX_DATABASE_READ,   /* it must be there; nothing is changed */
    HX_DATABASE_WRITE,  /* it must be there; nobody else may write */
    HX_DATABASE_CREATE, /* made when it is not there, as its folder is; nobody else may write */
};

struct hx_database {
    sqlite3 *sqlite; /* for SQL of a reader's own; NULL: not open */
    char *path;      /* of the file */
    int lock;        /* the writer's hold on the folder, or -1 */
    bool is_open;    /* a transaction is */
    uint64_t begun;  /* hx_now() when it was opened */
};

/* Opens the database of the campaign in `folder`, or the database file of that name. RT_USAGE when there is
 * none, when another process writes it; RT_MALFORMED when the file is no campaign's database, is of another
 * version of the schema, or is damaged. On an error *ret is closed. */
RT_MUST_USE struct rt_error *hx_database_open(const char *folder, enum hx_database_mode mode,
                                              struct hx_database *ret);
/* Commits what was written. Closing what is closed, or all zero, is fine. */
void hx_database_close(struct hx_database *database);
/* True when the folder holds a file of the database's name. */
bool hx_database_exists(const char *folder);

/* ---- Statements ---- */

/* Makes a statement of one SQL text and binds what follows by `types`, one letter a parameter: 'i' int64_t or
 * uint64_t, 'r' double, 't' const char * (NULL is NULL; the text must outlive the statement). The caller ends
 * it with sqlite3_finalize, for which NULL is fine. */
RT_MUST_USE struct rt_error *hx_database_prepare(struct hx_database *database, const char *sql,
                                                 sqlite3_stmt **ret, const char *types, ...);
/* The next row: sqlite3_column_* read it when *ret_row is true. Text may be NULL. */
RT_MUST_USE struct rt_error *hx_database_next(struct hx_database *database, sqlite3_stmt *statement,
                                              bool *ret_row);
/* Prepares, binds, runs to the end and finalizes: for statements without rows. */
RT_MUST_USE struct rt_error *hx_database_run(struct hx_database *database, const char *sql, const char *types,
                                             ...);
/* The first column of the first row as a number; 0 when there is no row. */
RT_MUST_USE struct rt_error *hx_database_number(struct hx_database *database, const char *sql, uint64_t *ret,
                                                const char *types, ...);
/* A column's text, or `other` when it is NULL. Valid until the statement goes on. */
const char *hx_database_text(sqlite3_stmt *statement, int column, const char *other);

/* ---- Writing ---- */

/* Begins a transaction when none is open. */
RT_MUST_USE struct rt_error *hx_database_begin(struct hx_database *database);
/* Commits the open transaction when it is older than a second, or `now`. */
RT_MUST_USE struct rt_error *hx_database_commit(struct hx_database *database, bool now);

/* ---- Merging ---- */

/* database_merge.c: puts the campaigns of `sources` (folders) together in `out`, a new folder, with their
 * findings' folders. A program that several have counts once. */
RT_MUST_USE struct rt_error *hx_database_merge(const char *const *sources, size_t count, const char *out);

#endif
