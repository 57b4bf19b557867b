/* Putting campaigns together: their databases in SQL, their findings' folders by copying. */
#include "harness/database.h"

#include "harness/guest_world.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const char hx_database_merging[];

/* Runs the script on what is attached, as a whole or not at all. */
static struct rt_error *add_attached(struct hx_database *into, const struct hx_database *from) {
    char *complaint = NULL;
    struct rt_error *error = hx_database_begin(into);

    if (!error && sqlite3_exec(into->sqlite, hx_database_merging, NULL, NULL, &complaint) != SQLITE_OK)
        error = rt_error_format(RT_MALFORMED, "cannot merge %s: %s", from->path, complaint ? complaint : "");
    sqlite3_free(complaint);
    return error ? error : hx_database_commit(into, true);
}

/* Where the folder's campaign keeps a finding; false when the name is none of ours. */
static bool is_name(const char *name) {
    return *name && *name != '.' && !strchr(name, '/') && strlen(name) < NAME_MAX;
}

/* Copies the folders that the database names and `out` has not yet. */
static struct rt_error *copy_findings(struct hx_database *into, const char *source, const char *out) {
    sqlite3_stmt *statement;
    char from[PATH_MAX], to[PATH_MAX];
    bool is_row = true;
    struct rt_error *error = hx_database_prepare(
        into, "SELECT DISTINCT folder FROM signatures WHERE folder IS NOT NULL", &statement, "");

    while (!error && is_row) {
        uint64_t copied = 0;
        error = hx_database_next(into, statement, &is_row);
        const char *name = !error && is_row ? hx_database_text(statement, 0, "") : "";
        if (!is_name(name))
            continue;
        snprintf(from, sizeof from, "%s/%s", source, name);
        snprintf(to, sizeof to, "%s/%s", out, name);
        if (access(from, F_OK) == 0 && access(to, F_OK) != 0)
            error = hx_folder_copy(from, to, &copied);
    }
    sqlite3_finalize(statement);
    return error;
}

static struct rt_error *add_campaign(struct hx_database *into, const char *source, const char *out) {
    struct hx_database from;
    struct rt_error *error;

    /* This looks at the file: what is attached below is a campaign's database, of this version, whole. */
    error = hx_database_open(source, HX_DATABASE_READ, &from);
    if (error)
        return error;
    error = hx_database_run(into, "ATTACH DATABASE ? AS other", "t", from.path);
    if (!error) {
        error = add_attached(into, &from);
        if (!error)
            error = hx_database_run(into, "DETACH DATABASE other", "");
    }
    hx_database_close(&from);
    return error ? error : copy_findings(into, source, out);
}

struct rt_error *hx_database_merge(const char *const *sources, size_t count, const char *out) {
    struct hx_database into = {.lock = -1};
    char *partial = NULL;
    struct rt_error *error = NULL;

    if (access(out, F_OK) == 0)
        return rt_error_format(RT_USAGE, "%s exists already; a merged campaign needs a new folder", out);
    if (asprintf(&partial, "%s.partial", out) < 0)
        return rt_error_out_of_memory();
    /* What a kill has left; anything else of that name stays. */
    if (hx_database_exists(partial))
        hx_folder_remove(partial);
    else if (access(partial, F_OK) == 0)
        error = rt_error_format(RT_USAGE, "%s is in the way of merging into %s", partial, out);
    if (!error) {
        error = hx_database_open(partial, HX_DATABASE_CREATE, &into);
        for (size_t i = 0; i < count && !error; i++)
            error = add_campaign(&into, sources[i], partial);
        hx_database_close(&into);
        if (!error && rename(partial, out) != 0)
            error = rt_error_os(errno, "cannot rename %s to %s", partial, out);
        if (error)
            hx_folder_remove(partial);
    }
    free(partial);
    return error;
}
