/* Exported calls as JSON Lines; harness/README.md has the schema. */
#include "harness/export.h"

#include <stdio.h>

static void put_hex(struct hx_json *json, const char *key, const void *bytes, size_t size) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    struct hx_buffer text = {0};

    for (size_t i = 0; i < size; i++) {
        const char pair[2] = {digits[from[i] >> 4], digits[from[i] & 15]};
        hx_buffer_append(&text, pair, sizeof pair);
    }
    json->out->failed |= text.failed;
    hx_json_string(json, key, hx_buffer_string(&text));
    hx_buffer_clear(&text);
}

static void put_strings(struct hx_json *json, const char *key, const struct hx_export_strings *strings) {
    hx_json_open(json, key, '[');
    for (size_t i = 0; i < strings->count; i++)
        hx_json_string(json, NULL, strings->items[i]);
    hx_json_close(json, ']');
}

void hx_export_json_header(const struct hx_export *export, struct hx_buffer *out) {
    struct hx_json json = {.out = out};

    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "export", "wasi_snapshot_preview1");
    hx_json_number(&json, "version", 1);
    hx_json_string(&json, "trace", export->trace);
    hx_json_string(&json, "module", export->wasm);
    put_hex(&json, "sha256", export->hash, sizeof export->hash);
    hx_json_string(&json, "engine", export->engine);
    put_strings(&json, "args", &export->args);
    put_strings(&json, "env", &export->env);
    hx_json_open(&json, "preopens", '[');
    for (size_t i = 0; i < export->preopen_count; i++) {
        hx_json_open(&json, NULL, '{');
        hx_json_number(&json, "fd", export->preopens[i].fd);
        hx_json_string(&json, "name", export->preopens[i].name);
        hx_json_close(&json, '}');
    }
    hx_json_close(&json, ']');
    put_hex(&json, "stdin", export->input.bytes, export->input.size);
    hx_json_number(&json, "calls", export->call_count);
    hx_json_close(&json, '}');
    hx_buffer_text(out, "\n");
}

/* ---- A call ---- */

static void put_arguments(struct hx_json *json, const struct hx_export_call *call) {
    const struct hx_export_function *function = hx_export_function(call);

    hx_json_open(json, "arguments", '[');
    for (uint32_t i = 0; i < function->parameter_count; i++) {
        char text[24];
        hx_json_open(json, NULL, '{');
        hx_json_string(json, "name", function->parameters[i].name);
        hx_json_string(json, "type", function->parameters[i].type);
        snprintf(text, sizeof text, "%llu", (unsigned long long)call->args[i]);
        hx_json_string(json, "value", text);
        hx_json_close(json, '}');
    }
    hx_json_close(json, ']');
}

static void open_region(struct hx_json *json, const struct hx_export_call *call,
                        const struct hx_export_region *region) {
    hx_json_open(json, NULL, '{');
    hx_json_string(json, "parameter", hx_export_function(call)->parameters[region->parameter].name);
    if (region->item)
        hx_json_number(json, "item", region->item - 1);
    hx_json_number(json, "address", region->address);
    hx_json_number(json, "size", region->size);
}

static void put_reads(struct hx_json *json, const struct hx_export_call *call) {
    hx_json_open(json, "reads", '[');
    for (size_t i = 0; i < call->region_count; i++) {
        const struct hx_export_region *region = &call->regions[i];
        if (!region->before)
            continue;
        open_region(json, call, region);
        put_hex(json, "bytes", region->before, region->size);
        hx_json_close(json, '}');
    }
    hx_json_close(json, ']');
}

/* How what a parameter other than a RESULT points to is compared. */
static const char *compare_word(enum hx_export_role role) {
    switch (role) {
    case HX_EXPORT_RANDOM: return hx_export_how_word(HX_EXPORT_IGNORED);
    case HX_EXPORT_LISTING: return "entries";
    case HX_EXPORT_EVENTS: return "unordered";
    case HX_EXPORT_STRINGS:
    case HX_EXPORT_STRING_BYTES: return "strings";
    default: return hx_export_how_word(HX_EXPORT_EXACT);
    }
}

static void put_write(struct hx_json *json, const struct hx_export_call *call,
                      const struct hx_export_region *region) {
    const struct hx_export_parameter *parameter = &hx_export_function(call)->parameters[region->parameter];

    open_region(json, call, region);
    put_hex(json, "bytes", region->after, region->written);
    if (!parameter->structure) {
        hx_json_string(json, "compare", compare_word(parameter->role));
    } else {
        hx_json_open(json, "fields", '[');
        for (size_t i = 0; i < parameter->structure->field_count; i++) {
            const struct hx_export_field *field = &parameter->structure->fields[i];
            hx_json_open(json, NULL, '{');
            hx_json_string(json, "name", field->name);
            hx_json_number(json, "offset", field->offset);
            hx_json_number(json, "size", field->size);
            hx_json_string(json, "compare", hx_export_how_word(field->how));
            hx_json_close(json, '}');
        }
        hx_json_close(json, ']');
    }
    hx_json_close(json, '}');
}

void hx_export_json_call(const struct hx_export *export, size_t number, struct hx_buffer *out) {
    static const char *const ends[] = {"returned", "exited", "trapped"};
    const struct hx_export_call *call = &export->calls[number];
    struct hx_json json = {.out = out};

    hx_json_open(&json, NULL, '{');
    hx_json_number(&json, "call", number);
    hx_json_number(&json, "event", call->event);
    hx_json_string(&json, "module", "wasi_snapshot_preview1");
    hx_json_string(&json, "function", hx_export_function(call)->name);
    hx_json_number(&json, "memory", call->memory_size);
    put_arguments(&json, call);
    put_reads(&json, call);
    hx_json_string(&json, "end", ends[call->end]);
    if (call->end == HX_EXPORT_RETURNED) {
        hx_json_number(&json, "errno", call->errnum);
        hx_json_string(&json, "errno_name", hx_export_errno_name(call->errnum));
    }
    hx_json_open(&json, "writes", '[');
    for (size_t i = 0; i < call->region_count && hx_export_succeeded(call); i++)
        if (call->regions[i].after)
            put_write(&json, call, &call->regions[i]);
    hx_json_close(&json, ']');
    hx_json_close(&json, '}');
    hx_buffer_text(out, "\n");
}
