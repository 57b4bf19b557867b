/* The JSON reader: one pass over a bounded cursor, a limit on nesting, values in an arena. */
#include "harness/json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

struct reader {
    struct rt_cursor cursor;
    struct rt_arena *arena;
    unsigned depth;
};

static struct rt_error *read_value(struct reader *reader, struct hx_json_value *ret);

static int peek(struct reader *reader) {
    return rt_cursor_left(&reader->cursor) > 0 ? *reader->cursor.next : -1;
}

static void skip_space(struct reader *reader) {
    int next;
    while ((next = peek(reader)) == ' ' || next == '\t' || next == '\n' || next == '\r')
        reader->cursor.next++;
}

static struct rt_error *expect(struct reader *reader, const char *word) {
    size_t length = strlen(word);
    if (rt_cursor_left(&reader->cursor) < length || memcmp(reader->cursor.next, word, length) != 0)
        return rt_cursor_error(&reader->cursor, "expected '%s'", word);
    reader->cursor.next += length;
    return NULL;
}

static struct rt_error *read_hex(struct reader *reader, uint32_t *ret) {
    *ret = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        int next = peek(reader);
        const char *digit = next > 0 ? strchr(digits, next | 0x20) : NULL;
        if (!digit)
            return rt_cursor_error(&reader->cursor, "expected a hexadecimal digit");
        *ret = *ret << 4 | (uint32_t)(digit - digits);
        reader->cursor.next++;
    }
    return NULL;
}

static size_t put_utf8(char *out, uint32_t code) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* What follows a backslash. Lone surrogates, which UTF-8 cannot hold, become U+FFFD. */
static struct rt_error *read_escape(struct reader *reader, char *out, size_t *ret_size) {
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    int next = peek(reader);
    const char *name = next > 0 ? strchr(names, next) : NULL;
    uint32_t code, low;
    struct rt_error *error;

    if (name) {
        *out = meanings[name - names];
        *ret_size = 1;
        reader->cursor.next++;
        return NULL;
    }
    error = expect(reader, "u");
    if (!error)
        error = read_hex(reader, &code);
    if (error)
        return error;
    if (code >= 0xd800 && code <= 0xdbff && rt_cursor_left(&reader->cursor) >= 2 &&
        memcmp(reader->cursor.next, "\\u", 2) == 0) {
        reader->cursor.next += 2;
        error = read_hex(reader, &low);
        if (error)
            return error;
        code = low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
    }
    if (code >= 0xd800 && code <= 0xdfff)
        code = 0xfffd;
    *ret_size = put_utf8(out, code);
    return NULL;
}

size_t hx_utf8_length(const char *text, size_t size) {
    const unsigned char *bytes = (const unsigned char *)text, lead = bytes[0];
    unsigned low = 0x80, high = 0xbf;
    size_t length;

    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf) {
        length = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        length = 3;
        low = lead == 0xe0 ? 0xa0 : low;
        high = lead == 0xed ? 0x9f : high;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        length = 4;
        low = lead == 0xf0 ? 0x90 : low;
        high = lead == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (length > size)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (bytes[i] < low || bytes[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

/* A character that is no escape; bytes that are no UTF-8 become U+FFFD. */
static size_t read_character(struct reader *reader, char *out) {
    const char *text = (const char *)reader->cursor.next;
    const size_t length = hx_utf8_length(text, rt_cursor_left(&reader->cursor));
    reader->cursor.next += length ? length : 1;
    if (!length)
        return put_utf8(out, 0xfffd);
    memcpy(out, text, length);
    return length;
}

static struct rt_error *read_string(struct reader *reader, const char **ret, size_t *ret_size) {
    struct rt_error *error = expect(reader, "\"");
    if (error)
        return error;
    /* No escape is shorter than what it stands for, and U+FFFD is two bytes longer than a byte: the rest of
     * the string bounds the result. */
    const uint8_t *end = reader->cursor.next;
    size_t longer = 4;
    while (end < reader->cursor.end && *end != '"') {
        longer += *end >= 0x80 ? 2 : 0;
        end += *end == '\\' && reader->cursor.end - end > 1 ? 2 : 1;
    }
    char *out = rt_arena_alloc(reader->arena, (size_t)(end - reader->cursor.next) + longer);
    size_t size = 0, got;

    if (!out)
        return rt_error_out_of_memory();
    *ret = out;
    for (;;) {
        int next = peek(reader);
        if (next < 0)
            return rt_cursor_error(&reader->cursor, "a string that does not end");
        if (next < 0x20)
            return rt_cursor_error(&reader->cursor, "a control character in a string");
        if (next == '"') {
            reader->cursor.next++;
            *ret_size = size;
            return NULL;
        }
        if (next != '\\') {
            size += read_character(reader, out + size);
            continue;
        }
        reader->cursor.next++;
        error = read_escape(reader, out + size, &got);
        if (error)
            return error;
        size += got;
    }
}

static struct rt_error *read_number(struct reader *reader, double *ret) {
    char text[64], *end;
    size_t length = 0;
    int next;

    while ((next = peek(reader)) > 0 && strchr("+-.0123456789eE", next) && length + 1 < sizeof text) {
        text[length++] = (char)next;
        reader->cursor.next++;
    }
    text[length] = '\0';
    *ret = strtod(text, &end);
    if (length == 0 || *end != '\0')
        return rt_cursor_error(&reader->cursor, "expected a value");
    return NULL;
}

/* The items of an array or object, after its bracket. */
static struct rt_error *read_items(struct reader *reader, bool is_object, struct hx_json_value *ret) {
    const struct hx_json_value **link = &ret->first;
    const char *close = is_object ? "}" : "]";
    struct rt_error *error = NULL;

    skip_space(reader);
    if (peek(reader) == *close)
        return expect(reader, close);
    for (;;) {
        struct hx_json_value *item = rt_arena_alloc(reader->arena, sizeof *item);
        const char *key = NULL;
        size_t key_size;
        if (!item)
            return rt_error_out_of_memory();
        skip_space(reader);
        if (is_object) {
            error = read_string(reader, &key, &key_size);
            skip_space(reader);
            if (!error)
                error = expect(reader, ":");
        }
        if (!error)
            error = read_value(reader, item);
        if (error)
            return error;
        item->key = key;
        *link = item;
        link = &item->next;
        skip_space(reader);
        if (peek(reader) != ',')
            return expect(reader, close);
        reader->cursor.next++;
    }
}

static struct rt_error *read_value(struct reader *reader, struct hx_json_value *ret) {
    struct rt_error *error;

    skip_space(reader);
    switch (peek(reader)) {
    case '{':
    case '[':
        if (++reader->depth > MAX_DEPTH)
            return rt_cursor_error(&reader->cursor, "nested deeper than %d", MAX_DEPTH);
        ret->kind = *reader->cursor.next++ == '{' ? HX_JSON_OBJECT : HX_JSON_ARRAY;
        error = read_items(reader, ret->kind == HX_JSON_OBJECT, ret);
        reader->depth--;
        return error;
    case '"': ret->kind = HX_JSON_STRING; return read_string(reader, &ret->string, &ret->string_size);
    case 't':
        ret->kind = HX_JSON_BOOL;
        ret->boolean = true;
        return expect(reader, "true");
    case 'f': ret->kind = HX_JSON_BOOL; return expect(reader, "false");
    case 'n': ret->kind = HX_JSON_NULL; return expect(reader, "null");
    default: ret->kind = HX_JSON_NUMBER; return read_number(reader, &ret->number);
    }
}

struct rt_error *hx_json_parse(const char *text, size_t size, struct rt_arena *arena,
                               const struct hx_json_value **ret) {
    struct reader reader = {rt_cursor_make(text, size, 0), arena, 0};
    struct hx_json_value *value = rt_arena_alloc(arena, sizeof *value);

    if (!value)
        return rt_error_out_of_memory();
    struct rt_error *error = read_value(&reader, value);
    if (error)
        return error;
    skip_space(&reader);
    if (rt_cursor_left(&reader.cursor) > 0)
        return rt_cursor_error(&reader.cursor, "something after the document's end");
    *ret = value;
    return NULL;
}

const struct hx_json_value *hx_json_member(const struct hx_json_value *object, const char *key) {
    const struct hx_json_value *item = object && object->kind == HX_JSON_OBJECT ? object->first : NULL;
    while (item && strcmp(item->key, key) != 0)
        item = item->next;
    return item;
}

const char *hx_json_member_string(const struct hx_json_value *object, const char *key) {
    const struct hx_json_value *item = hx_json_member(object, key);
    return item && item->kind == HX_JSON_STRING ? item->string : NULL;
}
