/* The JSON writer. Strings may come from hostile DWARF, so every byte of them is looked at. */
#include "harness/json.h"

#include <string.h>

static void begin(struct hx_json *json, const char *key) {
    if (json->needs_comma)
        hx_buffer_text(json->out, ",");
    json->needs_comma = true;
    if (key)
        hx_buffer_print(json->out, "\"%s\":", key);
}

void hx_json_open(struct hx_json *json, const char *key, char bracket) {
    begin(json, key);
    hx_buffer_append(json->out, &bracket, 1);
    json->needs_comma = false;
}

void hx_json_close(struct hx_json *json, char bracket) {
    hx_buffer_append(json->out, &bracket, 1);
    json->needs_comma = true;
}

void hx_json_string(struct hx_json *json, const char *key, const char *value) {
    begin(json, key);
    if (!value) {
        hx_buffer_text(json->out, "null");
        return;
    }
    hx_buffer_text(json->out, "\"");
    const char *end = value + strlen(value);
    for (const char *next = value; next < end;) {
        const size_t length = hx_utf8_length(next, (size_t)(end - next));
        if (*next == '"' || *next == '\\')
            hx_buffer_print(json->out, "\\%c", *next);
        else if ((unsigned char)*next < 0x20 || *next == 0x7f)
            hx_buffer_print(json->out, "\\u%04x", (unsigned char)*next);
        else if (length == 0)
            hx_buffer_text(json->out, "\\ufffd");
        else
            hx_buffer_append(json->out, next, length);
        next += length ? length : 1;
    }
    hx_buffer_text(json->out, "\"");
}

void hx_json_number(struct hx_json *json, const char *key, uint64_t value) {
    begin(json, key);
    hx_buffer_print(json->out, "%llu", (unsigned long long)value);
}

void hx_json_seconds(struct hx_json *json, const char *key, double value) {
    begin(json, key);
    hx_buffer_print(json->out, "%.3f", value);
}

void hx_json_bool(struct hx_json *json, const char *key, bool value) {
    begin(json, key);
    hx_buffer_text(json->out, value ? "true" : "false");
}
