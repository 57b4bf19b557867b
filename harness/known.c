/* The list of known defects: reading corpus/known/ and matching signatures. */
#include "harness/known.h"

#include "harness/data.h"
#include "harness/source.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A longer source line matches nothing: back references take a time that grows with its cube. */
enum { FILE_LIMIT = 1 << 20, LINE_LIMIT = 2000 };

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

/* An array of strings with more in them than '*', as a list of patterns. */
static struct rt_error *read_patterns(const struct hx_json_value *object, const char *name, const char *path,
                                      struct rt_arena *arena, const char **ret) {
    const struct hx_json_value *array = hx_json_member(object, name);
    size_t size = 1;

    if (!array || array->kind != HX_JSON_ARRAY || !array->first)
        return rt_error_format(RT_MALFORMED, "%s: \"%s\" must be an array of strings", path, name);
    for (const struct hx_json_value *item = array->first; item; item = item->next) {
        if (item->kind != HX_JSON_STRING || item->string[strspn(item->string, "*")] == '\0')
            return rt_error_format(RT_MALFORMED, "%s: \"%s\": each must be a string with more in it than '*'",
                                   path, name);
        size += strlen(item->string) + 1;
    }
    char *out = rt_arena_alloc(arena, size);
    if (!out)
        return rt_error_out_of_memory();
    *ret = out;
    for (const struct hx_json_value *item = array->first; item; item = item->next)
        out = stpcpy(out, item->string) + 1;
    return NULL;
}

static struct rt_error *read_required(const struct hx_json_value *object, const char *name, const char *path,
                                      const char **ret) {
    *ret = hx_json_member_string(object, name);
    if (!*ret)
        return rt_error_format(RT_MALFORMED, "%s: \"%s\" is missing; it must be a string", path, name);
    return NULL;
}

/* An optional string; NULL when it is not there. */
static struct rt_error *read_optional(const struct hx_json_value *object, const char *name, const char *path,
                                      const char **ret) {
    *ret = hx_json_member_string(object, name);
    if (!*ret && hx_json_member(object, name))
        return rt_error_format(RT_MALFORMED, "%s: \"%s\" must be a string", path, name);
    return NULL;
}

static void free_expression(regex_t *expression) {
    if (expression)
        regfree(expression);
}

static struct rt_error *read_expression(const struct hx_json_value *object, const char *name,
                                        const char *path, struct rt_arena *arena, regex_t **ret) {
    const char *text;
    char complaint[128];
    struct rt_error *error = read_optional(object, name, path, &text);

    if (error || !text)
        return error;
    regex_t *expression = rt_arena_alloc(arena, sizeof *expression);
    if (!expression)
        return rt_error_out_of_memory();
    int code = regcomp(expression, text, REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
        regerror(code, expression, complaint, sizeof complaint);
        return rt_error_format(RT_MALFORMED, "%s: \"%s\" is no extended regular expression: %s", path, name,
                               complaint);
    }
    *ret = expression;
    return NULL;
}

/* The variable's name comes with the finding, so that all that can be done here is to see that it is one. */
static struct rt_error *read_source(const struct hx_json_value *object, const char *path,
                                    struct rt_arena *arena, const char **ret) {
    regex_t *expression = NULL;
    struct rt_error *error = read_expression(object, "source", path, arena, &expression);

    *ret = hx_json_member_string(object, "source");
    free_expression(expression);
    return error;
}

/* Text for people: it must be there, as a string or as an array of lines. */
static struct rt_error *check_evidence(const struct hx_json_value *object, const char *path) {
    const struct hx_json_value *evidence = hx_json_member(object, "evidence");
    bool is_text = evidence &&
                   (evidence->kind == HX_JSON_STRING || (evidence->kind == HX_JSON_ARRAY && evidence->first));

    for (const struct hx_json_value *item = is_text ? evidence->first : NULL; item; item = item->next)
        is_text &= item->kind == HX_JSON_STRING;
    return is_text ? NULL
                   : rt_error_format(RT_MALFORMED, "%s: \"evidence\" must be a string or an array of strings",
                                     path);
}

/* The path of a file in the folder that `path` is in. */
static struct rt_error *read_sibling(const struct hx_json_value *object, const char *name, const char *path,
                                     struct rt_arena *arena, const char **ret) {
    struct rt_error *error = read_required(object, name, path, ret);

    if (error)
        return error;
    *ret = rt_arena_printf(arena, "%.*s%s", (int)(hx_base_name(path) - path), path, *ret);
    return *ret ? NULL : rt_error_out_of_memory();
}

/* A misspelt condition must not make a defect hide more than it was meant to. */
static struct rt_error *check_members(const struct hx_json_value *object, const char *path) {
    static const char *const members[] = {
        "signatures",    "compilers",   "lacking", "line",    "line_before",
        "before_column", "from_column", "source",  "reason",  "evidence",
        "reproducer",    "shown_by",    "opt",     "options", "gone_with",
    };

    if (object->kind != HX_JSON_OBJECT)
        return rt_error_format(RT_MALFORMED, "%s: must be an object", path);
    for (const struct hx_json_value *item = object->first; item; item = item->next) {
        bool is_member = false;
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
            is_member |= strcmp(item->key, members[i]) == 0;
        if (!is_member)
            return rt_error_format(RT_MALFORMED, "%s: \"%s\" has no meaning", path, item->key);
    }
    return NULL;
}

/* What has been read so far stays in `ret` on an error, too, for hx_known_clear. */
static struct rt_error *read_members(const struct hx_json_value *object, const char *path,
                                     struct rt_arena *arena, struct hx_known_defect *ret) {
    struct rt_error *error = check_members(object, path);

    if (!error)
        error = read_patterns(object, "signatures", path, arena, &ret->signatures);
    if (!error)
        error = read_patterns(object, "compilers", path, arena, &ret->compilers);
    if (!error)
        error = read_required(object, "reason", path, &ret->reason);
    if (!error)
        error = check_evidence(object, path);
    if (!error)
        error = read_sibling(object, "reproducer", path, arena, &ret->reproducer);
    if (!error && hx_json_member(object, "options"))
        error = read_patterns(object, "options", path, arena, &ret->options);
    if (!error)
        error = read_optional(object, "opt", path, &ret->opt);
    if (!error)
        error = read_optional(object, "lacking", path, &ret->lacking);
    if (!error)
        error = read_expression(object, "line", path, arena, &ret->line);
    if (!error)
        error = read_expression(object, "line_before", path, arena, &ret->line_before);
    if (!error)
        error = read_expression(object, "before_column", path, arena, &ret->before_column);
    if (!error)
        error = read_expression(object, "from_column", path, arena, &ret->from_column);
    if (!error)
        error = read_optional(object, "gone_with", path, &ret->gone_with);
    if (!error)
        error = read_source(object, path, arena, &ret->source);
    if (!error)
        error = hx_known_seeds_read(object, path, arena, &ret->shown_by);
    return error;
}

static struct rt_error *read_defect(const char *path, const char *name, struct rt_arena *arena,
                                    uint64_t *digest, struct hx_known_defect *ret) {
    const struct hx_json_value *object;
    struct hx_buffer text = {0};
    struct rt_error *error = hx_file_read(path, FILE_LIMIT, &text);

    if (!error)
        error = hx_json_parse(hx_buffer_string(&text), text.size, arena, &object);
    *digest = hx_hash(hx_hash(*digest, name, strlen(name) + 1), hx_buffer_string(&text), text.size + 1);
    hx_buffer_clear(&text);
    if (error)
        return rt_error_context(error, "%s", path);
    ret->name = rt_arena_copy(arena, name, strlen(name) - strlen(".json"));
    return ret->name ? read_members(object, path, arena, ret) : rt_error_out_of_memory();
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
        folder = hx_data_folder("known", LOCKSTEP_KNOWN, place, sizeof place);
    if (!folder)
        return NULL;
    int count = scandir(folder, &entries, is_json, alphasort);
    if (count < 0)
        return rt_error_os(errno, "cannot read the known defects in %s", folder);
    ret->digest = HX_HASH;
    ret->defects = rt_arena_array(&ret->arena, (size_t)count, sizeof *ret->defects);
    if (ret->defects)
        ret->count = (size_t)count;
    else
        error = rt_error_out_of_memory();
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (!error)
            error = read_defect(path, entries[i]->d_name, &ret->arena, &ret->digest, &ret->defects[i]);
        free(entries[i]);
    }
    free(entries);
    if (error)
        hx_known_clear(ret);
    return error;
}

void hx_known_clear(struct hx_known *known) {
    for (size_t i = 0; i < known->count; i++) {
        free_expression(known->defects[i].line);
        free_expression(known->defects[i].line_before);
        free_expression(known->defects[i].before_column);
        free_expression(known->defects[i].from_column);
    }
    rt_arena_clear(&known->arena);
    *known = (struct hx_known){0};
}

/* Which part of a source line an expression is to match in. */
enum part { WHOLE, BEFORE_COLUMN, FROM_COLUMN };

/* True when the expression matches in that part of the line; NULL asks for nothing. */
static bool is_in_line(const regex_t *expression, const struct or_finding *finding, uint32_t line,
                       enum part part, const char *folder) {
    struct hx_buffer text = {0};

    if (!expression)
        return true;
    bool is_match = finding->file && hx_source_line(finding->file, line, folder, &text) && !text.failed &&
                    text.size <= LINE_LIMIT &&
                    (part == WHOLE || (finding->column > 0 && finding->column <= text.size));
    if (is_match) {
        const char *from = hx_buffer_string(&text) + (part == FROM_COLUMN ? finding->column - 1 : 0);
        if (part == BEFORE_COLUMN)
            text.bytes[finding->column - 1] = '\0';
        is_match = regexec(expression, from, 0, NULL, 0) == 0;
    }
    hx_buffer_clear(&text);
    return is_match;
}

/* The expression with the variable's name put in; false when memory is at its end. The name, up to a member
 * or element of it, is an identifier and means itself. */
static bool put_variable(const char *expression, const char *variable, struct hx_buffer *out) {
    static const char word[] = "VARIABLE";
    const char *place;

    for (; (place = strstr(expression, word)); expression = place + strlen(word)) {
        hx_buffer_append(out, expression, (size_t)(place - expression));
        hx_buffer_append(out, variable, strcspn(variable, "[."));
    }
    hx_buffer_text(out, expression);
    return !out->failed;
}

static bool is_in_source(const char *text, const struct or_finding *finding, const char *folder) {
    struct hx_buffer expression = {0}, source = {0};
    regex_t compiled;
    bool is_match = false;

    if (!text)
        return true;
    if (finding->file && finding->variable && hx_source_text(finding->file, folder, &source) &&
        !source.failed && put_variable(text, finding->variable, &expression) &&
        regcomp(&compiled, hx_buffer_string(&expression), REG_EXTENDED | REG_NOSUB | REG_NEWLINE) == 0) {
        is_match = regexec(&compiled, hx_buffer_string(&source), 0, NULL, 0) == 0;
        regfree(&compiled);
    }
    hx_buffer_clear(&expression);
    hx_buffer_clear(&source);
    return is_match;
}

static bool match_any(const char *patterns, const char *text) {
    for (const char *pattern = patterns; *pattern; pattern += strlen(pattern) + 1)
        if (hx_known_match(pattern, text))
            return true;
    return false;
}

/* True when the witness of that name, and no other, has a state in place of a value. */
static bool is_lacking(const char *name, const struct or_finding *finding) {
    for (int i = 0; i < 2; i++)
        if ((finding->witnesses[i].state != NULL) != (strcmp(finding->witnesses[i].name, name) == 0))
            return false;
    return true;
}

/* All but what a control build has to tell. */
static bool looks_like(const struct hx_known_defect *defect, const struct hx_known_context *context,
                       const struct or_finding *finding) {
    if (!match_any(defect->signatures, finding->signature))
        return false;
    if (context->compiler && !match_any(defect->compilers, context->compiler))
        return false;
    if (defect->opt && context->optimisation && strcmp(defect->opt, context->optimisation) != 0)
        return false;
    if (defect->lacking && !is_lacking(defect->lacking, finding))
        return false;
    return is_in_line(defect->line, finding, finding->line, WHOLE, context->folder) &&
           is_in_line(defect->line_before, finding, finding->line ? finding->line - 1 : 0, WHOLE,
                      context->folder) &&
           is_in_line(defect->before_column, finding, finding->line, BEFORE_COLUMN, context->folder) &&
           is_in_line(defect->from_column, finding, finding->line, FROM_COLUMN, context->folder) &&
           is_in_source(defect->source, finding, context->folder);
}

static bool is_defect(const struct hx_known_defect *defect, const struct hx_known_context *context,
                      const struct hx_finding *finding) {
    return (!defect->gone_with || rt_same_text(defect->gone_with, finding->gone_with)) &&
           looks_like(defect, context, &finding->body);
}

const char *hx_known_control(const struct hx_known_defect *defect, const struct hx_known_context *context,
                             const struct hx_finding *finding) {
    return defect->gone_with && looks_like(defect, context, &finding->body) ? defect->gone_with : NULL;
}

struct hx_known_context hx_known_context_of(const struct hx_tools *tools, const char *folder) {
    return (struct hx_known_context){.folder = folder,
                                     .compiler = tools ? tools->wasm.version : NULL,
                                     .optimisation = tools ? tools->optimisation : NULL};
}

size_t hx_known_mark(const struct hx_known *known, const struct hx_known_context *context,
                     struct hx_result *result) {
    size_t unknown = 0;

    for (size_t i = 0; i < result->finding_count; i++) {
        struct hx_finding *finding = &result->findings[i];
        finding->known = NULL;
        for (size_t j = 0; j < known->count && !finding->known; j++)
            if (is_defect(&known->defects[j], context, finding))
                finding->known = known->defects[j].name;
        unknown += finding->known == NULL;
    }
    return unknown;
}
