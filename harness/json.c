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

/* Length of the well-formed UTF-8 sequence at `text` (the Unicode standard, table 3-7), 0 when there is none.
 */
static size_t utf8_length(const unsigned char *text) {
    unsigned low = 0x80, high = 0xbf;
    size_t length;

    if (text[0] < 0x80)
        return 1;
    if (text[0] >= 0xc2 && text[0] <= 0xdf) {
        length = 2;
    } else if (text[0] >= 0xe0 && text[0] <= 0xef) {
        length = 3;
        low = text[0] == 0xe0 ? 0xa0 : low;
        high = text[0] == 0xed ? 0x9f : high;
    } else if (text[0] >= 0xf0 && text[0] <= 0xf4) {
        length = 4;
        low = text[0] == 0xf0 ? 0x90 : low;
        high = text[0] == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    /* A terminating zero is below `low`, so this never reads past it. */
    for (size_t i = 1; i < length; i++) {
        if (text[i] < low || text[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

void hx_json_string(struct hx_json *json, const char *key, const char *value) {
    begin(json, key);
    if (!value) {
        hx_buffer_text(json->out, "null");
        return;
    }
    hx_buffer_text(json->out, "\"");
    for (const unsigned char *next = (const unsigned char *)value; *next;) {
        size_t length = utf8_length(next);
        if (*next == '"' || *next == '\\')
            hx_buffer_print(json->out, "\\%c", *next);
        else if (*next < 0x20 || *next == 0x7f)
            hx_buffer_print(json->out, "\\u%04x", *next);
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
