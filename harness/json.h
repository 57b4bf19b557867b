/* JSON (RFC 8259): a writer for reports, and a small reader for what tools and people write. */
#ifndef LOCKSTEP_HARNESS_JSON_H
#define LOCKSTEP_HARNESS_JSON_H

#include "harness/buffer.h"

/* Bytes of the well-formed UTF-8 sequence (the Unicode standard, table 3-7) that a text begins with; 0 when
 * it begins with none. `size` is not 0. */
size_t hx_utf8_length(const char *text, size_t size);

/* ---- Writing ---- */

/* Commas and colons are put where they belong; nesting is the caller's affair. All zero with `out` set is a
 * writer at the start of a document. */
struct hx_json {
    struct hx_buffer *out;
    bool needs_comma;
};

void hx_json_open(struct hx_json *json, const char *key, char bracket); /* '{' or '['; key NULL in arrays */
void hx_json_close(struct hx_json *json, char bracket);                 /* '}' or ']' */
/* Bytes that are no UTF-8 become U+FFFD. A NULL value is null. */
void hx_json_string(struct hx_json *json, const char *key, const char *value);
void hx_json_number(struct hx_json *json, const char *key, uint64_t value);
void hx_json_seconds(struct hx_json *json, const char *key, double value); /* three decimals */
void hx_json_bool(struct hx_json *json, const char *key, bool value);

/* ---- Reading ---- */

enum hx_json_kind {
    HX_JSON_NULL,
    HX_JSON_BOOL,
    HX_JSON_NUMBER,
    HX_JSON_STRING,
    HX_JSON_ARRAY,
    HX_JSON_OBJECT,
};

struct hx_json_value {
    enum hx_json_kind kind;
    bool boolean;
    double number;
    const char *string; /* NUL-terminated UTF-8, U+FFFD for what was none; the size tells of zeros in it */
    size_t string_size;
    const char *key;                   /* of an object's member */
    const struct hx_json_value *first; /* of an array's or object's items */
    const struct hx_json_value *next;  /* the item after this one */
};

/* One document; values live in the arena. RT_MALFORMED names the byte. */
RT_MUST_USE struct rt_error *hx_json_parse(const char *text, size_t size, struct rt_arena *arena,
                                           const struct hx_json_value **ret);
/* A member of an object, or NULL. */
const struct hx_json_value *hx_json_member(const struct hx_json_value *object, const char *key);
/* A member that is a string, or NULL. */
const char *hx_json_member_string(const struct hx_json_value *object, const char *key);

#endif
