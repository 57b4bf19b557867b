/* Findings read back from JSON. */
#include "harness/finding_read.h"

#include "harness/source.h"
#include "harness/tools.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DOCUMENT_LIMIT = 16 << 20 };

/* Numbers of JSON are doubles; what is none, or out of range, is 0. */
static uint64_t number(const struct hx_json_value *object, const char *key) {
    const struct hx_json_value *value = hx_json_member(object, key);
    const bool is_number = value && value->kind == HX_JSON_NUMBER;
    return is_number && value->number >= 0 && value->number < 0x1p63 ? (uint64_t)value->number : 0;
}

static uint32_t narrow(const struct hx_json_value *object, const char *key) {
    const uint64_t wide = number(object, key);
    return wide <= UINT32_MAX ? (uint32_t)wide : 0;
}

static const struct hx_json_value *container(const struct hx_json_value *object, const char *key,
                                             enum hx_json_kind kind) {
    const struct hx_json_value *value = hx_json_member(object, key);
    return value && value->kind == kind ? value : NULL;
}

static const struct hx_json_value *array(const struct hx_json_value *object, const char *key) {
    return container(object, key, HX_JSON_ARRAY);
}

/* The items of an array that are objects. */
static size_t count_objects(const struct hx_json_value *items) {
    size_t count = 0;
    for (const struct hx_json_value *item = items ? items->first : NULL; item; item = item->next)
        count += item->kind == HX_JSON_OBJECT;
    return count;
}

static bool read_places(const struct hx_json_value *items, struct rt_arena *arena, struct or_spot **ret,
                        size_t *ret_count) {
    const size_t count = count_objects(items);

    *ret = rt_arena_array(arena, count, sizeof **ret);
    if (!*ret)
        return false;
    for (const struct hx_json_value *item = items ? items->first : NULL; item; item = item->next)
        if (item->kind == HX_JSON_OBJECT)
            (*ret)[(*ret_count)++] = (struct or_spot){.function = hx_json_member_string(item, "function"),
                                                      .file = hx_json_member_string(item, "file"),
                                                      .line = narrow(item, "line"),
                                                      .column = narrow(item, "column"),
                                                      .depth = narrow(item, "depth"),
                                                      .pc = number(item, "pc")};
    return true;
}

static bool read_witness(const struct hx_json_value *json, struct rt_arena *arena, struct or_testimony *ret) {
    const char *name = hx_json_member_string(json, "name");

    *ret = (struct or_testimony){.name = name ? name : "?",
                                 .value = hx_json_member_string(json, "value"),
                                 .state = hx_json_member_string(json, "state"),
                                 .reason = hx_json_member_string(json, "reason"),
                                 .dwarf = hx_json_member_string(json, "dwarf"),
                                 .words = hx_json_member_string(json, "words"),
                                 .function = hx_json_member_string(json, "function"),
                                 .file = hx_json_member_string(json, "file"),
                                 .line = narrow(json, "line"),
                                 .column = narrow(json, "column"),
                                 .depth = narrow(json, "depth"),
                                 .pc = number(json, "pc"),
                                 .hits = number(json, "hits"),
                                 .die = number(json, "die")};
    const uint64_t stop_at = number(json, "stop_at");
    if (!read_places(array(json, "stack"), arena, &ret->stack, &ret->stack_count) ||
        !read_places(array(json, "stops"), arena, &ret->stops, &ret->stop_count))
        return false;
    ret->stop_at = stop_at < ret->stop_count ? stop_at : ret->stop_count;
    return true;
}

struct rt_error *hx_told_read(const struct hx_json_value *json, struct rt_arena *arena, struct hx_told *ret) {
    const bool is_object = json && json->kind == HX_JSON_OBJECT;
    const struct hx_json_value *items = is_object ? array(json, "witnesses") : NULL;
    struct or_testimony *witnesses;

    *ret = (struct hx_told){0};
    if (!is_object)
        return rt_error_format(RT_MALFORMED, "a finding must be an object");
    *ret = (struct hx_told){.kind = hx_json_member_string(json, "kind"),
                            .signature = hx_json_member_string(json, "signature"),
                            .function = hx_json_member_string(json, "function"),
                            .file = hx_json_member_string(json, "file"),
                            .variable = hx_json_member_string(json, "variable"),
                            .detail = hx_json_member_string(json, "detail"),
                            .known = hx_json_member_string(json, "known"),
                            .gone_with = hx_json_member_string(json, "gone_with"),
                            .blame = hx_json_member_string(json, "blame"),
                            .blame_reason = hx_json_member_string(json, "blame_reason"),
                            .line = narrow(json, "line"),
                            .column = narrow(json, "column"),
                            .depth = narrow(json, "depth"),
                            .stop = number(json, "stop"),
                            .witness_count = count_objects(items)};
    if (!ret->kind || !ret->signature || !items)
        return rt_error_format(RT_MALFORMED, "a finding must have \"%s\"",
                               !ret->kind        ? "kind"
                               : !ret->signature ? "signature"
                                                 : "witnesses");
    ret->witnesses = witnesses = rt_arena_array(arena, ret->witness_count, sizeof *witnesses);
    if (!witnesses)
        return rt_error_out_of_memory();
    for (const struct hx_json_value *item = items->first; item; item = item->next)
        if (item->kind == HX_JSON_OBJECT && !read_witness(item, arena, witnesses++))
            return rt_error_out_of_memory();
    return NULL;
}

/* An array of findings. */
static struct rt_error *read_list(const struct hx_json_value *items, struct rt_arena *arena,
                                  const struct hx_told **ret, size_t *ret_count) {
    struct hx_told *list = rt_arena_array(arena, count_objects(items), sizeof *list);
    struct rt_error *error = list ? NULL : rt_error_out_of_memory();

    *ret = list;
    for (const struct hx_json_value *item = items ? items->first : NULL; item && !error; item = item->next)
        if (item->kind == HX_JSON_OBJECT)
            error = hx_told_read(item, arena, &list[(*ret_count)++]);
    return error;
}

static void read_seed(const struct hx_json_value *json, bool *ret_has, uint64_t *ret) {
    const struct hx_json_value *seed = hx_json_member(json, "seed");

    *ret_has = seed && seed->kind == HX_JSON_NUMBER;
    *ret = number(json, "seed");
}

struct rt_error *hx_outcome_read(const struct hx_json_value *json, struct rt_arena *arena,
                                 struct hx_outcome *ret) {
    *ret = (struct hx_outcome){0};
    if (!json || json->kind != HX_JSON_OBJECT || !hx_json_member_string(json, "verdict"))
        return rt_error_format(RT_MALFORMED, "a program's result must be an object with a \"verdict\"");
    const struct hx_json_value *seconds = hx_json_member(json, "seconds");
    *ret = (struct hx_outcome){.file = hx_json_member_string(json, "file"),
                               .verdict = hx_json_member_string(json, "verdict"),
                               .reason = hx_json_member_string(json, "reason")};
    read_seed(json, &ret->has_seed, &ret->seed);
    for (const struct hx_json_value *item = seconds ? seconds->first : NULL; item; item = item->next)
        if (item->kind == HX_JSON_NUMBER)
            ret->seconds += item->number;
    return read_list(array(json, "findings"), arena, &ret->findings, &ret->finding_count);
}

static struct rt_error *read_document(const char *path, struct rt_arena *arena, struct hx_kept *ret) {
    const struct hx_json_value *json;
    struct hx_buffer text = {0};
    struct rt_error *error = hx_file_read(path, DOCUMENT_LIMIT, &text);

    if (!error) {
        error = hx_json_parse(hx_buffer_string(&text), text.size, arena, &json);
        if (!error && json->kind != HX_JSON_OBJECT)
            error = rt_error_format(RT_MALFORMED, "it must be an object with a \"finding\"");
        if (!error)
            error = hx_told_read(hx_json_member(json, "finding"), arena, &ret->told);
        if (!error)
            error = read_list(array(json, "also"), arena, &ret->also, &ret->also_count);
        if (error)
            error = rt_error_context(error, "%s", path);
    }
    hx_buffer_clear(&text);
    if (error)
        return error;
    ret->lockstep = hx_json_member_string(json, "lockstep");
    ret->native = hx_json_member_string(json, "native");
    ret->wasm = hx_json_member_string(json, "wasm");
    ret->native_cc = hx_json_member_string(json, "native_cc");
    ret->wasm_cc = hx_json_member_string(json, "wasm_cc");
    ret->tools = container(json, "tools", HX_JSON_OBJECT);
    ret->artifacts = container(json, "artifacts", HX_JSON_OBJECT);
    ret->commands = container(json, "commands", HX_JSON_ARRAY);
    ret->opt = hx_json_member_string(json, "opt");
    ret->engine = hx_json_member_string(json, "engine");
    ret->engines = hx_json_member_string(json, "engines");
    ret->file = hx_json_member_string(json, "file");
    read_seed(json, &ret->has_seed, &ret->seed);
    return NULL;
}

struct rt_error *hx_kept_read(const char *path, struct rt_arena *arena, struct hx_kept *ret) {
    char *real = realpath(path, NULL);
    struct stat info;

    *ret = (struct hx_kept){0};
    if (!real || stat(real, &info) != 0 || (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode))) {
        free(real);
        return rt_error_format(RT_USAGE, "%s: there is no such folder or file", path);
    }
    const bool is_folder = S_ISDIR(info.st_mode);
    char *slash = is_folder ? NULL : strrchr(real, '/');
    const char *document = rt_arena_printf(arena, is_folder ? "%s/finding.json" : "%s", real);
    ret->folder = rt_arena_copy(arena, real, slash ? (size_t)(slash - real) : strlen(real));
    free(real);
    if (!document || !ret->folder)
        return rt_error_out_of_memory();
    if (stat(document, &info) != 0 || !S_ISREG(info.st_mode))
        return rt_error_format(
            RT_USAGE,
            "%s is no finding's folder: there is no finding.json in it (`lockstep fuzz --out "
            "DIR` makes a folder for each finding in DIR)",
            path);
    ret->reduced = rt_arena_printf(arena, "%s/" HX_REDUCED "/finding.json", ret->folder);
    if (!ret->reduced)
        return rt_error_out_of_memory();
    ret->reduced = stat(ret->reduced, &info) == 0 && S_ISREG(info.st_mode)
                       ? rt_arena_printf(arena, "%s/" HX_REDUCED, ret->folder)
                       : NULL;
    return read_document(document, arena, ret);
}

const char *hx_kept_source(const struct hx_kept *kept, const char *file) {
    const char *base = hx_base_name(file);
    return kept->file && strcmp(base, hx_base_name(kept->file)) == 0 ? HX_SOURCE : base;
}
