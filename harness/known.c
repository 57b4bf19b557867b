/* The list of known defects: reading corpus/known/ and matching signatures. */
#include "harness/known.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_LIMIT = 1 << 20 };

bool hx_known_match(const char *pattern, const char *text) {
    const char *star = NULL, *resume = NULL;

    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static struct rt_error *read_patterns(const struct hx_json_value *object, const char *path,
                                      struct rt_arena *arena, const char **ret) {
    const struct hx_json_value *signatures = hx_json_member(object, "signatures");
    size_t size = 1;

    if (!signatures || signatures->kind != HX_JSON_ARRAY || !signatures->first)
        return rt_error_format(RT_MALFORMED, "%s: \"signatures\" must be an array of strings", path);
    for (const struct hx_json_value *item = signatures->first; item; item = item->next) {
        if (item->kind != HX_JSON_STRING || item->string[strspn(item->string, "*")] == '\0')
            return rt_error_format(RT_MALFORMED, "%s: a signature must be a string with more in it than '*'",
                                   path);
        size += strlen(item->string) + 1;
    }
    char *out = rt_arena_alloc(arena, size);
    if (!out)
        return rt_error_out_of_memory();
    *ret = out;
    for (const struct hx_json_value *item = signatures->first; item; item = item->next)
        out = stpcpy(out, item->string) + 1;
    return NULL;
}

static struct rt_error *read_defect(const char *path, const char *name, struct rt_arena *arena,
                                    struct hx_known_defect *ret) {
    static const char *const required[] = {"reason", "evidence", "reproducer"};
    const struct hx_json_value *object;
    struct hx_buffer text = {0};
    struct rt_error *error = hx_file_read(path, FILE_LIMIT, &text);

    if (!error)
        error = hx_json_parse(hx_buffer_string(&text), text.size, arena, &object);
    hx_buffer_clear(&text);
    if (error)
        return rt_error_context(error, "%s", path);
    for (size_t i = 0; i < sizeof required / sizeof *required; i++)
        if (!hx_json_member_string(object, required[i]))
            return rt_error_format(RT_MALFORMED, "%s: \"%s\" is missing; it must be a string", path,
                                   required[i]);
    ret->reason = hx_json_member_string(object, "reason");
    ret->name = rt_arena_copy(arena, name, strlen(name) - strlen(".json"));
    if (!ret->name)
        return rt_error_out_of_memory();
    return read_patterns(object, path, arena, &ret->patterns);
}

/* Beside an installed binary, else in the source tree that this one was built from. */
static const char *default_folder(char *path, size_t size) {
    char binary[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", binary, sizeof binary - 1);

    if (length > 0) {
        binary[length] = '\0';
        char *slash = strrchr(binary, '/');
        if (slash)
            *slash = '\0';
        snprintf(path, size, "%s/../share/lockstep/known", binary);
        if (access(path, R_OK) == 0)
            return path;
    }
    return access(LOCKSTEP_KNOWN, R_OK) == 0 ? LOCKSTEP_KNOWN : NULL;
}

static int is_json(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

struct rt_error *hx_known_load(const char *folder, struct hx_known *ret) {
    char place[PATH_MAX + 64], path[PATH_MAX + 512];
    struct dirent **entries = NULL;
    struct rt_error *error = NULL;

    *ret = (struct hx_known){0};
    rt_arena_init(&ret->arena, 0);
    if (!folder)
        folder = default_folder(place, sizeof place);
    if (!folder)
        return NULL;
    int count = scandir(folder, &entries, is_json, alphasort);
    if (count < 0)
        return rt_error_os(errno, "cannot read the known defects in %s", folder);
    ret->defects = rt_arena_array(&ret->arena, (size_t)count, sizeof *ret->defects);
    if (!ret->defects)
        error = rt_error_out_of_memory();
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (!error)
            error = read_defect(path, entries[i]->d_name, &ret->arena, &ret->defects[i]);
        free(entries[i]);
    }
    free(entries);
    ret->count = (size_t)count;
    if (error)
        hx_known_clear(ret);
    return error;
}

void hx_known_clear(struct hx_known *known) {
    rt_arena_clear(&known->arena);
    *known = (struct hx_known){0};
}

static const char *find(const struct hx_known *known, const char *signature) {
    for (size_t i = 0; i < known->count; i++)
        for (const char *pattern = known->defects[i].patterns; *pattern; pattern += strlen(pattern) + 1)
            if (hx_known_match(pattern, signature))
                return known->defects[i].name;
    return NULL;
}

size_t hx_known_mark(const struct hx_known *known, struct hx_result *result) {
    size_t unknown = 0;

    for (size_t i = 0; i < result->finding_count; i++) {
        struct hx_finding *finding = &result->findings[i];
        finding->known = find(known, finding->body.signature);
        unknown += finding->known == NULL;
    }
    return unknown;
}
