/* SARIF 2.1.0: one run, a rule for each signature, a result for each finding. A known defect's results are
 * suppressed, by section 3.35. */
#include "harness/publish.h"

#include "harness/tools.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rt_error *rule_index(struct hx_publisher *publisher, const struct hx_told *told, size_t *ret) {
    for (*ret = 0; *ret < publisher->rule_count; ++*ret)
        if (strcmp(publisher->rules[*ret].signature, told->signature) == 0)
            return NULL;
    if (publisher->rule_count == publisher->rule_capacity) {
        const size_t capacity = publisher->rule_capacity ? 2 * publisher->rule_capacity : 16;
        struct hx_published_rule *rules = realloc(publisher->rules, capacity * sizeof *rules);
        if (!rules)
            return rt_error_out_of_memory();
        publisher->rules = rules;
        publisher->rule_capacity = capacity;
    }
    struct hx_published_rule *rule = &publisher->rules[publisher->rule_count];
    rule->signature = rt_arena_copy(&publisher->arena, told->signature, strlen(told->signature));
    rule->kind = rt_arena_copy(&publisher->arena, told->kind, strlen(told->kind));
    if (!rule->signature || !rule->kind)
        return rt_error_out_of_memory();
    publisher->rule_count++;
    return NULL;
}

/* A path as a URI reference (RFC 3986): all but unreserved characters and slashes is encoded. */
static void uri(const char *path, struct hx_buffer *out) {
    if (path[0] == '/')
        hx_buffer_text(out, "file://");
    for (; *path; path++) {
        const char c = *path;
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                              strchr("-._~/", c) != NULL;
        hx_buffer_print(out, is_plain ? "%c" : "%%%02X", (unsigned char)c);
    }
}

static void message(struct hx_json *json, const char *key, const struct hx_buffer *text) {
    hx_json_open(json, key, '{');
    hx_json_string(json, "text", hx_buffer_string(text));
    hx_json_close(json, '}');
}

static void location(struct hx_json *json, const char *file, uint32_t line, uint32_t column,
                     const char *function) {
    struct hx_buffer path = {0};

    hx_json_open(json, NULL, '{');
    hx_json_open(json, "physicalLocation", '{');
    hx_json_open(json, "artifactLocation", '{');
    uri(file, &path);
    hx_json_string(json, "uri", hx_buffer_string(&path));
    hx_json_close(json, '}');
    if (line > 0) {
        hx_json_open(json, "region", '{');
        hx_json_number(json, "startLine", line);
        if (column > 0)
            hx_json_number(json, "startColumn", column);
        hx_json_close(json, '}');
    }
    hx_json_close(json, '}');
    if (function) {
        hx_json_open(json, "logicalLocations", '[');
        hx_json_open(json, NULL, '{');
        hx_json_string(json, "name", function);
        hx_json_string(json, "kind", "function");
        hx_json_close(json, '}');
        hx_json_close(json, ']');
    }
    hx_json_close(json, '}');
    json->out->failed |= path.failed;
    hx_buffer_clear(&path);
}

static void describe(const struct hx_outcome *outcome, const struct hx_told *told, struct hx_buffer *text) {
    hx_buffer_text(text, told->kind);
    if (told->variable)
        hx_buffer_print(text, ": %s", told->variable);
    if (told->function)
        hx_buffer_print(text, " in %s", told->function);
    for (size_t i = 0; i < told->witness_count; i++) {
        const struct or_testimony *testimony = &told->witnesses[i];
        const char *shown = testimony->state ? testimony->state : testimony->value;
        hx_buffer_print(text, "%s %s shows %s", i == 0 ? ":" : ",", testimony->name,
                        shown ? shown : "nothing");
    }
    if (told->detail)
        hx_buffer_print(text, " (%s)", told->detail);
    if (outcome->has_seed)
        hx_buffer_print(text, ". Seed %llu", (unsigned long long)outcome->seed);
}

/* A path below the working folder as it is from there, which CI systems match with a repository's files. */
static const char *below_here(const char *path) {
    char here[PATH_MAX];
    const size_t length = getcwd(here, sizeof here) ? strlen(here) : 0;
    return length > 1 && strncmp(path, here, length) == 0 && path[length] == '/' ? path + length + 1 : path;
}

/* Where the program is for whoever reads the file: beside what is kept, else as it was named. */
static const char *program_path(const struct hx_outcome *outcome, const char *folder,
                                struct rt_arena *arena) {
    if (folder)
        return rt_arena_printf(arena, "%s/" HX_SOURCE, folder);
    return outcome->file && !outcome->has_seed ? below_here(outcome->file) : HX_SOURCE;
}

struct rt_error *hx_sarif_add(struct hx_publisher *publisher, const struct hx_outcome *outcome,
                              const struct hx_told *told, const char *folder) {
    struct hx_json json = {.out = &publisher->results, .needs_comma = publisher->results.size > 0};
    struct hx_buffer text = {0};
    size_t rule;

    if (publisher->result_count == HX_SARIF_RESULTS) {
        publisher->results_left_out++;
        return NULL;
    }
    struct rt_error *error = rule_index(publisher, told, &rule);
    const char *path = program_path(outcome, folder, &publisher->arena);
    if (error || !path)
        return error ? error : rt_error_out_of_memory();
    publisher->result_count++;
    describe(outcome, told, &text);
    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "ruleId", told->signature);
    hx_json_number(&json, "ruleIndex", rule);
    hx_json_string(&json, "level", told->known ? "note" : "error");
    message(&json, "message", &text);
    hx_json_open(&json, "locations", '[');
    location(&json, path, told->line, told->column, told->function);
    hx_json_close(&json, ']');
    hx_json_open(&json, "partialFingerprints", '{');
    hx_json_string(&json, "lockstepSignature/v1", told->signature);
    hx_json_close(&json, '}');
    if (told->known) {
        hx_json_open(&json, "suppressions", '[');
        hx_json_open(&json, NULL, '{');
        hx_json_string(&json, "kind", "external");
        hx_json_string(&json, "justification", told->known);
        hx_json_close(&json, '}');
        hx_json_close(&json, ']');
    }
    hx_json_open(&json, "properties", '{');
    if (outcome->has_seed)
        hx_json_number(&json, "seed", outcome->seed);
    hx_json_string(&json, "verdict", outcome->verdict);
    if (told->blame)
        hx_json_string(&json, "blame", told->blame);
    hx_json_close(&json, '}');
    hx_json_close(&json, '}');
    publisher->results.failed |= text.failed;
    hx_buffer_clear(&text);
    return NULL;
}

static void print_rules(const struct hx_publisher *publisher, struct hx_json *json) {
    hx_json_open(json, "rules", '[');
    for (size_t i = 0; i < publisher->rule_count; i++) {
        const struct hx_published_rule *rule = &publisher->rules[i];
        struct hx_buffer text = {0};
        hx_buffer_print(&text, "A debugger's user is shown a difference of kind %s.", rule->kind);
        hx_json_open(json, NULL, '{');
        hx_json_string(json, "id", rule->signature);
        hx_json_string(json, "name", rule->kind);
        message(json, "shortDescription", &text);
        hx_json_close(json, '}');
        json->out->failed |= text.failed;
        hx_buffer_clear(&text);
    }
    hx_json_close(json, ']');
}

void hx_sarif_document(const struct hx_publisher *publisher, struct hx_buffer *out) {
    struct hx_json json = {.out = out};

    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    hx_json_string(&json, "version", "2.1.0");
    hx_json_open(&json, "runs", '[');
    hx_json_open(&json, NULL, '{');
    hx_json_open(&json, "tool", '{');
    hx_json_open(&json, "driver", '{');
    hx_json_string(&json, "name", "Lockstep");
    hx_json_string(&json, "version", LOCKSTEP_VERSION);
    print_rules(publisher, &json);
    hx_json_close(&json, '}');
    hx_json_close(&json, '}');
    hx_json_string(&json, "columnKind", "utf16CodeUnits");
    hx_json_open(&json, "results", '[');
    hx_buffer_append(out, hx_buffer_string(&publisher->results), publisher->results.size);
    hx_json_close(&json, ']');
    hx_json_open(&json, "properties", '{');
    hx_json_number(&json, "resultsLeftOut", publisher->results_left_out);
    hx_json_close(&json, '}');
    hx_json_close(&json, '}');
    hx_json_close(&json, ']');
    hx_json_close(&json, '}');
    hx_buffer_text(out, "\n");
}
