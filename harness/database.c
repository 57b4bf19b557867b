/* Opening a campaign's database, its transactions, and statements with their errors in words. */
#include "harness/database.h"

#include "harness/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { APPLICATION = 0x4c4b5354 /* "LKST" */, VERSION = 1, COMMIT_INTERVAL = 1000, BUSY_LIMIT = 10000 };

extern const char hx_database_schema[];

static const struct hx_database closed = {.lock = -1};

/* What SQLite has just refused, in words. */
static RT_NEVER_NULL struct rt_error *refusal(const struct hx_database *database, const char *doing) {
    const char *path = database->path, *words = sqlite3_errmsg(database->sqlite);

    switch (sqlite3_errcode(database->sqlite) & 0xff) {
    case SQLITE_NOMEM: return rt_error_out_of_memory();
    case SQLITE_NOTADB: return rt_error_format(RT_MALFORMED, "%s is no SQLite database", path);
    case SQLITE_CORRUPT: return rt_error_format(RT_MALFORMED, "%s is damaged: %s", path, words);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return rt_error_format(RT_USAGE, "%s is in use by another process", path);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_FULL:
    case SQLITE_IOERR: return rt_error_format(RT_OS, "cannot %s %s: %s", doing, path, words);
    default: return rt_error_format(RT_MALFORMED, "cannot %s %s: %s", doing, path, words);
    }
}

/* ---- Statements ---- */

static struct rt_error *bind(struct hx_database *database, sqlite3_stmt *statement, const char *types,
                             va_list values) {
    for (int i = 1, code = SQLITE_OK; *types; types++, i++) {
        switch (*types) {
        case 'i': code = sqlite3_bind_int64(statement, i, (sqlite3_int64)va_arg(values, uint64_t)); break;
        case 'r': code = sqlite3_bind_double(statement, i, va_arg(values, double)); break;
        case 't':
            code = sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_STATIC);
            break;
        }
        if (code != SQLITE_OK)
            return refusal(database, "use");
    }
    return NULL;
}

static struct rt_error *prepare(struct hx_database *database, const char *sql, sqlite3_stmt **ret,
                                const char *types, va_list values) {
    struct rt_error *error;

    *ret = NULL;
    if (sqlite3_prepare_v2(database->sqlite, sql, -1, ret, NULL) != SQLITE_OK)
        return refusal(database, "read");
    error = bind(database, *ret, types, values);
    if (error) {
        sqlite3_finalize(*ret);
        *ret = NULL;
    }
    return error;
}

struct rt_error *hx_database_prepare(struct hx_database *database, const char *sql, sqlite3_stmt **ret,
                                     const char *types, ...) {
    va_list values;

    va_start(values, types);
    struct rt_error *error = prepare(database, sql, ret, types, values);
    va_end(values);
    return error;
}

struct rt_error *hx_database_next(struct hx_database *database, sqlite3_stmt *statement, bool *ret_row) {
    int code = sqlite3_step(statement);

    *ret_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return NULL;
    return refusal(database, sqlite3_stmt_readonly(statement) ? "read" : "write");
}

struct rt_error *hx_database_run(struct hx_database *database, const char *sql, const char *types, ...) {
    sqlite3_stmt *statement;
    va_list values;
    bool is_row = true;

    va_start(values, types);
    struct rt_error *error = prepare(database, sql, &statement, types, values);
    va_end(values);
    while (!error && is_row)
        error = hx_database_next(database, statement, &is_row);
    sqlite3_finalize(statement);
    return error;
}

struct rt_error *hx_database_number(struct hx_database *database, const char *sql, uint64_t *ret,
                                    const char *types, ...) {
    sqlite3_stmt *statement;
    va_list values;
    bool is_row = false;

    va_start(values, types);
    struct rt_error *error = prepare(database, sql, &statement, types, values);
    va_end(values);
    if (!error)
        error = hx_database_next(database, statement, &is_row);
    *ret = is_row ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return error;
}

const char *hx_database_text(sqlite3_stmt *statement, int column, const char *other) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? text : other;
}

/* ---- Opening ---- */

/* Takes the writer's place. A folder's lock goes with its process, however that ends. */
static struct rt_error *lock_folder(const char *folder, bool make, struct hx_database *database) {
    if (make && mkdir(folder, 0777) != 0 && errno != EEXIST)
        return rt_error_os(errno, "cannot make the folder %s", folder);
    database->lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (database->lock < 0)
        return rt_error_os(errno, "cannot open the folder %s", folder);
    if (flock(database->lock, LOCK_EX | LOCK_NB) == 0)
        return NULL;
    if (errno == EWOULDBLOCK)
        return rt_error_format(RT_USAGE, "another campaign is running in %s", folder);
    return rt_error_os(errno, "cannot lock the folder %s", folder);
}

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool hx_database_exists(const char *folder) {
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", folder, HX_DATABASE_NAME);
    return access(path, F_OK) == 0;
}

/* Whose database it is, and of which version. *ret_is_empty: it has not been made yet. */
static struct rt_error *check_version(struct hx_database *database, bool *ret_is_empty) {
    uint64_t application, version, tables;
    struct rt_error *error = hx_database_number(database, "PRAGMA application_id", &application, "");

    if (!error)
        error = hx_database_number(database, "PRAGMA user_version", &version, "");
    if (!error)
        error = hx_database_number(database, "SELECT count(*) FROM sqlite_schema", &tables, "");
    if (error)
        return error;
    *ret_is_empty = tables == 0 && application == 0;
    if (*ret_is_empty)
        return NULL;
    if (application != APPLICATION)
        return rt_error_format(RT_MALFORMED, "%s is no campaign's database", database->path);
    if (version != VERSION)
        return rt_error_format(RT_MALFORMED,
                               "%s has version %llu of the schema; this lockstep reads and writes version %d",
                               database->path, (unsigned long long)version, VERSION);
    return NULL;
}

static struct rt_error *check_whole(struct hx_database *database) {
    sqlite3_stmt *statement;
    bool is_row;
    struct rt_error *error = hx_database_prepare(database, "PRAGMA quick_check(1)", &statement, "");

    if (!error)
        error = hx_database_next(database, statement, &is_row);
    if (!error && is_row && strcmp(hx_database_text(statement, 0, ""), "ok") != 0)
        error = rt_error_format(RT_MALFORMED, "%s is damaged: %s", database->path,
                                hx_database_text(statement, 0, ""));
    sqlite3_finalize(statement);
    return error;
}

static struct rt_error *execute(struct hx_database *database, const char *sql) {
    if (sqlite3_exec(database->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
        return refusal(database, "write");
    return NULL;
}

static struct rt_error *make_schema(struct hx_database *database) {
    char pragmas[96];

    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", APPLICATION,
             VERSION);
    struct rt_error *error = execute(database, "BEGIN IMMEDIATE");
    if (!error)
        error = execute(database, hx_database_schema);
    return error ? error : execute(database, pragmas);
}

/* A debuggee in a forked worker may write anywhere, and SQLite shares a file's mapping among processes: it is
 * none of a child's. The mapping grows with the log, so this is done again after each commit. */
static void hide_from_children(void) {
    const char suffix[] = "/" HX_DATABASE_NAME "-shm";
    FILE *file = fopen("/proc/self/maps", "re");
    char line[PATH_MAX + 128];
    unsigned long start, end;

    while (file && fgets(line, sizeof line, file)) {
        size_t length = strcspn(line, "\n");
        if (length >= sizeof suffix &&
            strncmp(line + length - (sizeof suffix - 1), suffix, sizeof suffix - 1) == 0 &&
            sscanf(line, "%lx-%lx", &start, &end) == 2)
            (void)madvise((void *)start, end - start, MADV_DONTFORK);
    }
    if (file)
        fclose(file);
}

static struct rt_error *open_file(enum hx_database_mode mode, struct hx_database *database) {
    int flags = SQLITE_OPEN_READWRITE | (mode == HX_DATABASE_CREATE ? SQLITE_OPEN_CREATE : 0);
    bool is_empty = false;
    struct rt_error *error;

    if (mode != HX_DATABASE_CREATE && access(database->path, F_OK) != 0)
        return rt_error_format(RT_USAGE, "there is no campaign: %s: %s", database->path, strerror(errno));
    if (sqlite3_open_v2(database->path, &database->sqlite, flags, NULL) != SQLITE_OK)
        return database->sqlite ? refusal(database, "open") : rt_error_out_of_memory();
    sqlite3_busy_timeout(database->sqlite, BUSY_LIMIT);
    error = check_version(database, &is_empty);
    if (!error && is_empty && mode == HX_DATABASE_READ)
        error = rt_error_format(RT_USAGE, "%s holds nothing yet", database->path);
    if (!error && !is_empty)
        error = check_whole(database);
    if (!error)
        error =
            execute(database, mode == HX_DATABASE_READ ? "PRAGMA query_only=ON; PRAGMA trusted_schema=OFF"
                                                       : "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                                                         "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF");
    if (!error && is_empty)
        error = make_schema(database);
    if (!error && mode != HX_DATABASE_READ)
        hide_from_children();
    return error;
}

struct rt_error *hx_database_open(const char *folder, enum hx_database_mode mode, struct hx_database *ret) {
    struct rt_error *error = NULL;
    bool is_file = mode == HX_DATABASE_READ && !is_folder(folder);

    *ret = closed;
    if (asprintf(&ret->path, "%s%s", folder, is_file ? "" : "/" HX_DATABASE_NAME) < 0) {
        ret->path = NULL;
        return rt_error_out_of_memory();
    }
    if (mode != HX_DATABASE_READ)
        error = lock_folder(folder, mode == HX_DATABASE_CREATE, ret);
    if (!error)
        error = open_file(mode, ret);
    if (error)
        hx_database_close(ret);
    return error;
}

void hx_database_close(struct hx_database *database) {
    if (database->sqlite) {
        if (database->is_open)
            rt_error_destroy(hx_database_commit(database, true));
        /* Of a campaign that is over one file is left, which can be read where nothing can be written. It
         * stays as it is while somebody reads. */
        if (database->lock >= 0) {
            sqlite3_busy_timeout(database->sqlite, 0);
            sqlite3_exec(database->sqlite, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
        }
        sqlite3_close(database->sqlite);
    }
    if (database->path && database->lock >= 0)
        close(database->lock);
    free(database->path);
    *database = closed;
}

/* ---- Transactions ---- */

struct rt_error *hx_database_begin(struct hx_database *database) {
    struct rt_error *error = database->is_open ? NULL : execute(database, "BEGIN IMMEDIATE");

    if (!database->is_open && !error) {
        database->is_open = true;
        database->begun = hx_now();
    }
    return error;
}

struct rt_error *hx_database_commit(struct hx_database *database, bool now) {
    if (!database->is_open || (!now && hx_now() - database->begun < COMMIT_INTERVAL))
        return NULL;
    struct rt_error *error = execute(database, "COMMIT");
    if (!error) {
        database->is_open = false;
        hide_from_children();
    }
    return error;
}
