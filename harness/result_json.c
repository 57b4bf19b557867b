/* A result as the JSON object that `fuzz` and `check` print. */
#include "harness/result.h"

/* The members that say where, of spots, testimonies and findings alike. */
static void where_json(const char *function, const char *file, uint32_t line, uint32_t column, uint32_t depth,
                       struct hx_json *json) {
    hx_json_string(json, "function", function);
    hx_json_string(json, "file", file);
    hx_json_number(json, "line", line);
    hx_json_number(json, "column", column);
    hx_json_number(json, "depth", depth);
}

static void place_json(const struct or_spot *place, struct hx_json *json) {
    hx_json_open(json, NULL, '{');
    where_json(place->function, place->file, place->line, place->column, place->depth, json);
    hx_json_number(json, "pc", place->pc);
    hx_json_close(json, '}');
}

static void places_json(const struct or_spot *places, size_t count, const char *key, struct hx_json *json) {
    hx_json_open(json, key, '[');
    for (size_t i = 0; i < count; i++)
        place_json(&places[i], json);
    hx_json_close(json, ']');
}

static void whole_witness_json(const struct or_testimony *testimony, struct hx_json *json) {
    hx_json_string(json, "words", testimony->words);
    where_json(testimony->function, testimony->file, testimony->line, testimony->column, testimony->depth,
               json);
    hx_json_number(json, "pc", testimony->pc);
    hx_json_number(json, "hits", testimony->hits);
    hx_json_number(json, "die", testimony->die);
    places_json(testimony->stack, testimony->stack_count, "stack", json);
    places_json(testimony->stops, testimony->stop_count, "stops", json);
    hx_json_number(json, "stop_at", testimony->stop_at);
}

static void witness_json(const struct or_testimony *testimony, bool is_whole, struct hx_json *json) {
    hx_json_open(json, NULL, '{');
    hx_json_string(json, "name", testimony->name);
    if (testimony->state)
        hx_json_string(json, "state", testimony->state);
    else
        hx_json_string(json, "value", testimony->value);
    if (testimony->reason)
        hx_json_string(json, "reason", testimony->reason);
    if (testimony->dwarf)
        hx_json_string(json, "dwarf", testimony->dwarf);
    if (is_whole)
        whole_witness_json(testimony, json);
    hx_json_close(json, '}');
}

/* Parameters and locals at stops: those that the first can show, those that the second can, and those that
 * both show alike. */
static void shown_json(const uint64_t readable[2], uint64_t same, struct hx_json *json) {
    hx_json_open(json, "shown", '[');
    hx_json_number(json, NULL, readable[0]);
    hx_json_number(json, NULL, readable[1]);
    hx_json_number(json, NULL, same);
    hx_json_close(json, ']');
}

void hx_finding_json(const struct hx_finding *finding, bool is_whole, const char *key, struct hx_json *json) {
    const struct or_finding *body = &finding->body;

    hx_json_open(json, key, '{');
    hx_json_string(json, "kind", finding->kind);
    hx_json_string(json, "signature", body->signature);
    where_json(body->function, body->file, body->line, body->column, body->depth, json);
    hx_json_string(json, "variable", body->variable);
    if (finding->known)
        hx_json_string(json, "known", finding->known);
    if (finding->gone_with)
        hx_json_string(json, "gone_with", finding->gone_with);
    if (finding->is_new)
        hx_json_bool(json, "new", true);
    if (body->detail)
        hx_json_string(json, "detail", body->detail);
    if (is_whole)
        hx_json_number(json, "stop", body->stop);
    hx_json_open(json, "witnesses", '[');
    for (int i = 0; i < 2; i++)
        witness_json(&body->witnesses[i], is_whole, json);
    for (size_t i = 0; i < body->other_count; i++)
        witness_json(&body->others[i], is_whole, json);
    hx_json_close(json, ']');
    if (body->blame) {
        hx_json_string(json, "blame", body->blame);
        hx_json_string(json, "blame_reason", body->blame_reason);
    }
    hx_json_close(json, '}');
}

static void pair_json(const struct hx_pair_result *pair, struct hx_json *json) {
    hx_json_open(json, NULL, '{');
    hx_json_open(json, "witnesses", '[');
    for (int i = 0; i < 2; i++)
        hx_json_string(json, NULL, pair->names[i]);
    hx_json_close(json, ']');
    hx_json_string(json, "verdict", hx_verdict_name(pair->verdict));
    if (pair->reason)
        hx_json_string(json, "reason", pair->reason);
    hx_json_number(json, "findings", pair->findings);
    hx_json_number(json, "stops", pair->stops);
    hx_json_number(json, "values", pair->values);
    hx_json_number(json, "unchanged", pair->unchanged);
    shown_json(pair->readable, pair->same, json);
    hx_json_close(json, '}');
}

static void self_json(const struct hx_self *self, const char *name, struct hx_json *json) {
    if (!self->is_run)
        return;
    hx_json_open(json, NULL, '{');
    hx_json_string(json, "build", name);
#define HX_SELF_COUNT(name) hx_json_number(json, #name, self->name);
#include "harness/self_counts.def"
#undef HX_SELF_COUNT
    hx_json_bool(json, "limited", self->is_limited);
    hx_json_seconds(json, "seconds", self->seconds);
    if (self->seconds > 0)
        hx_json_number(json, "instructions_a_second", (uint64_t)((double)self->instructions / self->seconds));
    hx_json_close(json, '}');
}

void hx_result_json(const struct hx_result *result, struct hx_buffer *out) {
    struct hx_json json = {.out = out};

    hx_json_open(&json, NULL, '{');
    if (result->has_seed)
        hx_json_number(&json, "seed", result->seed);
    else
        hx_json_string(&json, "seed", NULL);
    if (result->file)
        hx_json_string(&json, "file", result->file);
    hx_json_string(&json, "verdict", hx_verdict_name(result->verdict));
    if (result->reason)
        hx_json_string(&json, "reason", result->reason);
    if (result->engines) {
        hx_json_string(&json, "engines", result->engines);
        hx_json_number(&json, "steps", result->steps);
        if (result->events)
            hx_json_number(&json, "events", result->events);
        hx_json_bool(&json, "limited", result->is_limited);
        hx_json_number(&json, "values", result->values);
    } else {
        hx_json_number(&json, "stops", result->stops);
        hx_json_number(&json, "values", result->values);
        hx_json_number(&json, "unchanged", result->unchanged);
        hx_json_number(&json, "repeats", result->repeats);
    }
    if (result->self[0].is_run || result->self[1].is_run) {
        hx_json_open(&json, "self", '[');
        self_json(&result->self[0], "native", &json);
        self_json(&result->self[1], "wasm", &json);
        hx_json_close(&json, ']');
    }
    hx_json_open(&json, "seconds", '{');
    for (int i = 0; i < HX_STAGE_COUNT; i++)
        hx_json_seconds(&json, hx_stage_name((enum hx_stage)i), result->seconds[i]);
    hx_json_close(&json, '}');
    if (result->pair_count > 0) {
        hx_json_open(&json, "pairs", '[');
        for (size_t i = 0; i < result->pair_count; i++)
            pair_json(&result->pairs[i], &json);
        hx_json_close(&json, ']');
    } else if (result->readable[0] > 0) {
        shown_json(result->readable, result->same, &json);
    }
    hx_json_open(&json, "findings", '[');
    for (size_t i = 0; i < result->finding_count; i++)
        hx_finding_json(&result->findings[i], false, NULL, &json);
    hx_json_close(&json, ']');
    hx_json_close(&json, '}');
}
