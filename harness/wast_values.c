/* A script's values: read from JSON, compared with what a guest gave, printed. Floats are compared by their
 * bits; a NaN may be a pattern. References of the host are numbers: the pointer is the number and one, so
 * that none of them is null. */
#include "harness/wast.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct form {
    const char *name;
    enum rt_type type; /* of a value; RT_V128 where only lanes have this form */
    uint8_t size;
    bool is_float;
} forms[] = {
    {"i32", RT_I32, 4, false},
    {"i64", RT_I64, 8, false},
    {"f32", RT_F32, 4, true},
    {"f64", RT_F64, 8, true},
    {"i8", RT_V128, 1, false},
    {"i16", RT_V128, 2, false},
    {"funcref", RT_FUNCREF, sizeof(void *), false},
    {"externref", RT_EXTERNREF, sizeof(void *), false},
};

static const struct form *form_by_name(const char *name) {
    for (size_t i = 0; name && i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].name, name) == 0)
            return &forms[i];
    return NULL;
}

static bool is_reference(enum rt_type type) {
    return type == RT_FUNCREF || type == RT_EXTERNREF;
}

static size_t lane_count(const struct hx_wast_value *value) {
    return value->type == RT_V128 ? 16u / value->lane_size : 1;
}

static uint64_t lane_bits(const struct hx_wast_value *form, const union rt_value *value, size_t lane) {
    uint64_t bits = 0;
    memcpy(&bits, value->v128 + lane * form->lane_size, form->lane_size);
    return bits;
}

/* A decimal number of this many bytes, with a sign or without. */
static bool read_bits(const char *text, unsigned size, uint64_t *ret) {
    char *end;
    bool is_negative = text[0] == '-';

    if (text[is_negative] < '0' || text[is_negative] > '9')
        return false;
    errno = 0;
    uint64_t magnitude = strtoull(text + is_negative, &end, 10);
    uint64_t limit = UINT64_MAX >> (64 - 8 * size);
    if (errno || *end || magnitude > (is_negative ? limit / 2 + 1 : limit))
        return false;
    *ret = is_negative ? 0 - magnitude : magnitude;
    return true;
}

static struct rt_error *read_lane(const struct hx_json_value *json, size_t lane, struct hx_wast_value *ret) {
    const char *text = json && json->kind == HX_JSON_STRING ? json->string : "";
    uint64_t bits = 0;

    if (ret->is_float && strcmp(text, "nan:canonical") == 0)
        ret->nans[lane] = HX_WAST_CANONICAL;
    else if (ret->is_float && strcmp(text, "nan:arithmetic") == 0)
        ret->nans[lane] = HX_WAST_ARITHMETIC;
    else if (!read_bits(text, ret->lane_size, &bits))
        return rt_error_format(RT_MALFORMED, "'%s' is no value of this type", rt_printable(text).text);
    memcpy(ret->value.v128 + lane * ret->lane_size, &bits, ret->lane_size);
    return NULL;
}

/* wast2json writes 0 for the one function reference that a script can expect, which is any. */
static struct rt_error *read_reference(const struct hx_json_value *json, struct hx_wast_value *ret) {
    uint64_t number;

    if (json && json->kind == HX_JSON_STRING && strcmp(json->string, "null") == 0)
        return NULL;
    if (!json || ret->type == RT_FUNCREF) {
        ret->is_any_ref = true;
        return NULL;
    }
    if (json->kind != HX_JSON_STRING || !read_bits(json->string, 4, &number))
        return rt_error_format(RT_MALFORMED, "a reference that is no number");
    ret->value.ref = (void *)(uintptr_t)(number + 1);
    return NULL;
}

static struct rt_error *read_vector(const struct hx_json_value *json, struct hx_wast_value *ret) {
    const struct form *lanes = form_by_name(hx_json_member_string(json, "lane_type"));
    const struct hx_json_value *list = hx_json_member(json, "value");
    struct rt_error *error = NULL;
    size_t count = 0;

    if (!lanes || is_reference(lanes->type) || !list || list->kind != HX_JSON_ARRAY)
        return rt_error_format(RT_MALFORMED, "a vector without its lanes");
    ret->lane_size = lanes->size;
    ret->is_float = lanes->is_float;
    for (const struct hx_json_value *item = list->first; item && !error; item = item->next, count++)
        error = count < lane_count(ret) ? read_lane(item, count, ret) : NULL;
    if (!error && count != lane_count(ret))
        error = rt_error_format(RT_MALFORMED, "a vector of %zu lanes instead of %zu", count, lane_count(ret));
    return error;
}

static bool is_pattern(const struct hx_wast_value *value) {
    for (size_t i = 0; i < sizeof value->nans; i++)
        if (value->nans[i] != HX_WAST_BITS)
            return true;
    return value->is_any_ref;
}

struct rt_error *hx_wast_value_read(const struct hx_json_value *json, bool is_pattern_allowed,
                                    struct hx_wast_value *ret) {
    const char *type = hx_json_member_string(json, "type");
    const struct hx_json_value *value = hx_json_member(json, "value");
    const struct form *form = form_by_name(type);
    struct rt_error *error;

    *ret = (struct hx_wast_value){.type = RT_V128};
    if (type && strcmp(type, "v128") == 0) {
        error = read_vector(json, ret);
    } else if (!form || form->type == RT_V128) {
        error = rt_error_format(RT_MALFORMED, "unknown type '%s'", rt_printable(type ? type : "").text);
    } else {
        ret->type = form->type;
        ret->lane_size = form->size;
        ret->is_float = form->is_float;
        error = is_reference(form->type) ? read_reference(value, ret) : read_lane(value, 0, ret);
    }
    if (!error && !is_pattern_allowed && is_pattern(ret))
        error = rt_error_format(RT_MALFORMED, "an argument that is a pattern");
    return error;
}

static bool nan_matches(enum hx_wast_nan nan, unsigned size, uint64_t bits) {
    uint64_t exponent = size == 4 ? 0x7f800000 : 0x7ff0000000000000;
    uint64_t quiet = size == 4 ? 0x400000 : 0x8000000000000, payload = 2 * quiet - 1;

    if ((bits & exponent) != exponent || !(bits & quiet))
        return false;
    return nan == HX_WAST_ARITHMETIC || (bits & payload) == quiet;
}

bool hx_wast_value_matches(const struct hx_wast_value *pattern, const union rt_value *value) {
    if (pattern->is_any_ref)
        return value->ref != NULL;
    for (size_t lane = 0; lane < lane_count(pattern); lane++) {
        uint64_t got = lane_bits(pattern, value, lane);
        enum hx_wast_nan nan = (enum hx_wast_nan)pattern->nans[lane];
        if (nan == HX_WAST_BITS ? got != lane_bits(pattern, &pattern->value, lane)
                                : !nan_matches(nan, pattern->lane_size, got))
            return false;
    }
    return true;
}

struct hx_wast_value hx_wast_value_of(enum rt_type type, const union rt_value *value,
                                      const struct hx_wast_value *like) {
    struct hx_wast_value form = {.type = type, .lane_size = 4};

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (forms[i].type == type && type != RT_V128) {
            form.lane_size = forms[i].size;
            form.is_float = forms[i].is_float;
        }
    }
    if (type == RT_V128 && like && like->type == type) {
        form.lane_size = like->lane_size;
        form.is_float = like->is_float;
    }
    form.value = *value;
    return form;
}

static void print_float(uint64_t bits, unsigned size, struct hx_buffer *out) {
    float single;
    double number;

    if (size == 4) {
        memcpy(&single, &bits, sizeof single);
        hx_buffer_print(out, "0x%08" PRIx64 " (%.9g)", bits, (double)single);
    } else {
        memcpy(&number, &bits, sizeof number);
        hx_buffer_print(out, "0x%016" PRIx64 " (%.17g)", bits, number);
    }
}

static void print_reference(const struct hx_wast_value *value, struct hx_buffer *out) {
    if (value->is_any_ref)
        hx_buffer_text(out, "that is not null");
    else if (!value->value.ref)
        hx_buffer_text(out, "null");
    else if (value->type == RT_EXTERNREF)
        hx_buffer_print(out, "%llu", (unsigned long long)(uintptr_t)value->value.ref - 1);
    else
        hx_buffer_text(out, "of a function");
}

void hx_wast_value_print(const struct hx_wast_value *value, struct hx_buffer *out) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (value->type != RT_V128 && forms[i].type == value->type)
            hx_buffer_print(out, "%s ", forms[i].name);
    if (is_reference(value->type)) {
        print_reference(value, out);
        return;
    }
    if (value->type == RT_V128)
        hx_buffer_print(out, "%c%ux%zu ", value->is_float ? 'f' : 'i', 8u * value->lane_size,
                        lane_count(value));
    for (size_t lane = 0; lane < lane_count(value); lane++) {
        uint64_t bits = lane_bits(value, &value->value, lane);
        hx_buffer_text(out, lane > 0 ? " " : "");
        if (value->nans[lane] != HX_WAST_BITS)
            hx_buffer_text(out, value->nans[lane] == HX_WAST_CANONICAL ? "nan:canonical" : "nan:arithmetic");
        else if (value->is_float)
            print_float(bits, value->lane_size, out);
        else
            hx_buffer_print(out, "%" PRIu64, bits);
    }
}
