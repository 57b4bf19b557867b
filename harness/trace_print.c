/* Events as text and as JSON, made from the table of kinds. Everything comes from a file that may be hostile:
 * names are printed with what is no plain text escaped. */
#include "harness/trace.h"

#include <math.h>
#include <string.h>

typedef unsigned long long u64; /* for printf */

static void print_hex(const uint8_t *bytes, size_t size, const char *between, struct hx_buffer *out) {
    for (size_t i = 0; i < size; i++)
        hx_buffer_print(out, "%s%02x", i ? between : "", bytes[i]);
}

/* ---- Text ---- */

static void print_escaped(const uint8_t *bytes, size_t size, const char *marked, struct hx_buffer *out) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] < 0x20 || bytes[i] == 0x7f)
            hx_buffer_print(out, "\\x%02x", bytes[i]);
        else
            hx_buffer_print(out, "%s%c", strchr(marked, bytes[i]) ? "\\" : "", bytes[i]);
    }
}

void hx_trace_print_name(const char *name, struct hx_buffer *out) {
    print_escaped((const uint8_t *)name, strlen(name), "", out);
}

static void print_text(const struct rt_trace_bytes *text, struct hx_buffer *out) {
    hx_buffer_text(out, "\"");
    print_escaped(text->data, text->size, "\"\\", out);
    hx_buffer_text(out, "\"");
}

static void print_value(uint8_t type, const union rt_value *value, struct hx_buffer *out) {
    switch (type) {
    case RT_I32: hx_buffer_print(out, "%d", (int32_t)value->i32); break;
    case RT_I64: hx_buffer_print(out, "%lld", (long long)value->i64); break;
    case RT_F32:
        if (isnan(value->f32))
            hx_buffer_print(out, "nan:0x%08x", value->i32);
        else
            hx_buffer_print(out, "%.9g", (double)value->f32);
        break;
    case RT_F64:
        if (isnan(value->f64))
            hx_buffer_print(out, "nan:0x%016llx", (u64)value->i64);
        else
            hx_buffer_print(out, "%.17g", value->f64);
        break;
    case RT_V128: print_hex(value->v128, sizeof value->v128, "", out); break;
    default:
        if (value->i64)
            hx_buffer_print(out, "#%llu", (u64)value->i64 - 1);
        else
            hx_buffer_text(out, "null");
    }
}

static void print_values(const struct rt_trace_values *values, struct hx_buffer *out) {
    hx_buffer_text(out, "(");
    for (uint32_t i = 0; i < values->count; i++) {
        hx_buffer_print(out, "%s%s ", i ? ", " : "", rt_type_name(values->types[i]));
        print_value(values->types[i], &values->values[i], out);
    }
    hx_buffer_text(out, ")");
}

static void print_place(const struct rt_trace_place *place, struct hx_buffer *out) {
    if (place->owner)
        hx_buffer_print(out, "%u of instance %u", place->index, place->owner - 1);
    else
        hx_buffer_print(out, "%u of the host", place->index);
}

static void print_places(const struct rt_trace_places *places, struct hx_buffer *out) {
    hx_buffer_text(out, "[");
    for (uint32_t i = 0; i < places->count; i++) {
        hx_buffer_text(out, i ? ", " : "");
        print_place(&places->items[i], out);
    }
    hx_buffer_text(out, "]");
}

static void print_types(const uint8_t *types, uint32_t count, struct hx_buffer *out) {
    hx_buffer_text(out, "(");
    for (uint32_t i = 0; i < count; i++)
        hx_buffer_print(out, "%s%s", i ? " " : "", rt_type_name(types[i]));
    hx_buffer_text(out, ")");
}

static void print_elements(const struct rt_trace_elements *elements, struct hx_buffer *out) {
    hx_buffer_print(out, "%u %s [", elements->count, rt_type_name(elements->type));
    for (uint32_t i = 0; i < elements->count; i++) {
        hx_buffer_text(out, i ? " " : "");
        print_value(elements->type, &elements->values[i], out);
    }
    hx_buffer_text(out, "]");
}

/* Size, then hexadecimal and, where plain, ASCII of the first of them. */
static void print_bytes(const struct rt_trace_bytes *bytes, uint64_t limit, struct hx_buffer *out) {
    const size_t shown = bytes->size < limit ? bytes->size : (size_t)limit;

    hx_buffer_print(out, "%zu", bytes->size);
    if (!shown)
        return;
    hx_buffer_text(out, ": ");
    print_hex(bytes->data, shown, " ", out);
    hx_buffer_text(out, shown < bytes->size ? "... |" : " |");
    for (size_t i = 0; i < shown; i++) {
        const char byte = bytes->data[i] >= 0x20 && bytes->data[i] < 0x7f ? (char)bytes->data[i] : '.';
        hx_buffer_append(out, &byte, 1);
    }
    hx_buffer_text(out, "|");
}

static const char *outcome_name(uint32_t outcome) {
    static const char *const names[] = {"returned", "exited", "trapped", "failed"};
    return names[outcome % 4];
}

/* The name of a host function; NULL when the events so far do not tell. */
static const char *function_name(const struct hx_trace *trace, uint32_t function) {
    const char *name;
    struct rt_func_type type;
    return rt_trace_checker_function(trace->checker, function, &name, &type) ? name : NULL;
}

static void print_field(const struct hx_trace *trace, uint8_t type, const void *from, uint64_t byte_limit,
                        struct hx_buffer *out) {
    const struct rt_func_type *func = from;
    const char *name;

    switch ((enum rt_trace_field_type)type) {
    case RT_TRACE_U32: hx_buffer_print(out, "%u", *(const uint32_t *)from); break;
    case RT_TRACE_U64: hx_buffer_print(out, "%llu", (u64) * (const uint64_t *)from); break;
    case RT_TRACE_FLAG: hx_buffer_text(out, *(const bool *)from ? "yes" : "no"); break;
    case RT_TRACE_INDEX:
        if (*(const uint32_t *)from == RT_TRACE_NO_INDEX)
            hx_buffer_text(out, "none");
        else
            hx_buffer_print(out, "%u", *(const uint32_t *)from);
        break;
    case RT_TRACE_LIMIT:
        if (*(const uint64_t *)from == RT_TRACE_NO_LIMIT)
            hx_buffer_text(out, "none");
        else
            hx_buffer_print(out, "%llu", (u64) * (const uint64_t *)from);
        break;
    case RT_TRACE_FUNCTION:
        hx_buffer_print(out, "%u", *(const uint32_t *)from);
        name = function_name(trace, *(const uint32_t *)from);
        if (name) {
            const struct rt_trace_bytes text = {(const uint8_t *)name, strlen(name)};
            hx_buffer_text(out, " ");
            print_text(&text, out);
        }
        break;
    case RT_TRACE_TRAP: hx_buffer_print(out, "\"%s\"", rt_trace_trap_name(*(const uint32_t *)from)); break;
    case RT_TRACE_OUTCOME: hx_buffer_text(out, outcome_name(*(const uint32_t *)from)); break;
    case RT_TRACE_TYPE: hx_buffer_text(out, rt_type_name(*(const uint8_t *)from)); break;
    case RT_TRACE_PLACE: print_place(from, out); break;
    case RT_TRACE_VALUE: {
        const struct rt_trace_value *value = from;
        hx_buffer_print(out, "%s ", rt_type_name(value->type));
        print_value(value->type, &value->value, out);
        break;
    }
    case RT_TRACE_VALUES: print_values(from, out); break;
    case RT_TRACE_FUNCTYPE:
        print_types(func->params, func->param_count, out);
        hx_buffer_text(out, " -> ");
        print_types(func->results, func->result_count, out);
        break;
    case RT_TRACE_PLACES: print_places(from, out); break;
    case RT_TRACE_ELEMENTS: print_elements(from, out); break;
    case RT_TRACE_NAME: print_text(from, out); break;
    case RT_TRACE_BYTES: print_bytes(from, byte_limit, out); break;
    }
}

void hx_trace_print(const struct hx_trace *trace, const struct rt_trace_event *event, uint64_t byte_limit,
                    struct hx_buffer *out) {
    enum { DEEPEST = 40 }; /* as far as lines are indented */
    const struct rt_trace_kind_info *info = rt_trace_kind_info(event->kind);
    /* What ends a call stands below what began it. */
    const bool ends = info->order == RT_TRACE_ORDER_END_GUEST || info->order == RT_TRACE_ORDER_END_IMPORT;
    const uint32_t depth = event->depth - ends;

    hx_buffer_print(out, "%8llu %*s", (u64)event->number, 2 * (int)(depth < DEEPEST ? depth : DEEPEST), "");
    if (info->name)
        for (const char *c = info->name; *c; c++)
            hx_buffer_append(out, *c == '_' ? " " : c, 1);
    else
        hx_buffer_print(out, "unknown kind 0x%02x, bytes ", event->kind);
    if (!info->name)
        print_bytes(&event->unknown, byte_limit, out);
    for (size_t i = 0; i < info->field_count; i++) {
        const struct rt_trace_field *field = &info->fields[i];
        hx_buffer_print(out, "%s %s ", i ? "," : "", field->name);
        print_field(trace, field->type, (const uint8_t *)event + field->offset, byte_limit, out);
    }
}

/* ---- JSON ---- */

/* The text of what was put into a buffer for it. */
static void put_string(struct hx_json *json, const char *key, struct hx_buffer *text) {
    hx_json_string(json, key, hx_buffer_string(text));
    json->out->failed |= text->failed;
    hx_buffer_clear(text);
}

static void put_name(struct hx_json *json, const char *key, const struct rt_trace_bytes *name) {
    struct hx_buffer text = {0};
    for (size_t i = 0; i < name->size; i++)
        if (name->data[i])
            hx_buffer_append(&text, &name->data[i], 1);
        else
            hx_buffer_text(&text, "\xef\xbf\xbd"); /* U+FFFD: our strings hold no zeros */
    put_string(json, key, &text);
}

static void put_hex(struct hx_json *json, const char *key, const uint8_t *bytes, size_t size) {
    struct hx_buffer text = {0};
    print_hex(bytes, size, "", &text);
    put_string(json, key, &text);
}

/* Integers as unsigned decimal numbers, floats by their bits, vectors as bytes, references as their number.
 * All but null are strings, as a reader of JSON may have no 64-bit numbers. */
static void put_value(struct hx_json *json, const char *key, uint8_t type, const union rt_value *value) {
    struct hx_buffer text = {0};

    switch (type) {
    case RT_I32: hx_buffer_print(&text, "%u", value->i32); break;
    case RT_I64: hx_buffer_print(&text, "%llu", (u64)value->i64); break;
    case RT_F32: hx_buffer_print(&text, "0x%08x", value->i32); break;
    case RT_F64: hx_buffer_print(&text, "0x%016llx", (u64)value->i64); break;
    case RT_V128: print_hex(value->v128, sizeof value->v128, "", &text); break;
    default:
        if (!value->i64) {
            hx_json_string(json, key, NULL);
            return;
        }
        hx_buffer_print(&text, "%llu", (u64)value->i64 - 1);
    }
    put_string(json, key, &text);
}

static void put_typed_value(struct hx_json *json, const char *key, uint8_t type,
                            const union rt_value *value) {
    hx_json_open(json, key, '{');
    hx_json_string(json, "type", rt_type_name(type));
    put_value(json, "value", type, value);
    hx_json_close(json, '}');
}

static void put_types(struct hx_json *json, const char *key, const uint8_t *types, uint32_t count) {
    hx_json_open(json, key, '[');
    for (uint32_t i = 0; i < count; i++)
        hx_json_string(json, NULL, rt_type_name(types[i]));
    hx_json_close(json, ']');
}

/* The host's things have no instance. */
static void put_place(struct hx_json *json, const char *key, const struct rt_trace_place *place) {
    hx_json_open(json, key, '{');
    if (place->owner)
        hx_json_number(json, "instance", place->owner - 1);
    hx_json_number(json, "index", place->index);
    hx_json_close(json, '}');
}

static void put_bytes(struct hx_json *json, const char *key, const struct rt_trace_bytes *bytes,
                      uint64_t limit) {
    hx_json_number(json, "size", bytes->size);
    put_hex(json, key, bytes->data, bytes->size < limit ? bytes->size : (size_t)limit);
}

static void put_field(const struct hx_trace *trace, const char *key, uint8_t type, const void *from,
                      uint64_t byte_limit, struct hx_json *json) {
    const struct rt_trace_value *value = from;
    const struct rt_trace_values *values = from;
    const struct rt_trace_elements *elements = from;
    const struct rt_trace_places *places = from;
    const struct rt_func_type *func = from;

    switch ((enum rt_trace_field_type)type) {
    case RT_TRACE_FUNCTION:
        hx_json_number(json, key, *(const uint32_t *)from);
        hx_json_string(json, "name", function_name(trace, *(const uint32_t *)from));
        break;
    case RT_TRACE_U32: hx_json_number(json, key, *(const uint32_t *)from); break;
    case RT_TRACE_U64: hx_json_number(json, key, *(const uint64_t *)from); break;
    case RT_TRACE_INDEX:
        if (*(const uint32_t *)from == RT_TRACE_NO_INDEX)
            hx_json_string(json, key, NULL);
        else
            hx_json_number(json, key, *(const uint32_t *)from);
        break;
    case RT_TRACE_LIMIT:
        if (*(const uint64_t *)from == RT_TRACE_NO_LIMIT)
            hx_json_string(json, key, NULL);
        else
            hx_json_number(json, key, *(const uint64_t *)from);
        break;
    case RT_TRACE_FLAG: hx_json_bool(json, key, *(const bool *)from); break;
    case RT_TRACE_TRAP: hx_json_string(json, key, rt_trace_trap_name(*(const uint32_t *)from)); break;
    case RT_TRACE_OUTCOME: hx_json_string(json, key, outcome_name(*(const uint32_t *)from)); break;
    case RT_TRACE_TYPE: hx_json_string(json, key, rt_type_name(*(const uint8_t *)from)); break;
    case RT_TRACE_PLACE: put_place(json, key, from); break;
    case RT_TRACE_VALUE: put_typed_value(json, key, value->type, &value->value); break;
    case RT_TRACE_VALUES:
        hx_json_open(json, key, '[');
        for (uint32_t i = 0; i < values->count; i++)
            put_typed_value(json, NULL, values->types[i], &values->values[i]);
        hx_json_close(json, ']');
        break;
    case RT_TRACE_FUNCTYPE:
        put_types(json, "params", func->params, func->param_count);
        put_types(json, "results", func->results, func->result_count);
        break;
    case RT_TRACE_PLACES:
        hx_json_open(json, key, '[');
        for (uint32_t i = 0; i < places->count; i++)
            put_place(json, NULL, &places->items[i]);
        hx_json_close(json, ']');
        break;
    case RT_TRACE_ELEMENTS:
        hx_json_string(json, "type", rt_type_name(elements->type));
        hx_json_open(json, key, '[');
        for (uint32_t i = 0; i < elements->count; i++)
            put_value(json, NULL, elements->type, &elements->values[i]);
        hx_json_close(json, ']');
        break;
    case RT_TRACE_NAME: put_name(json, key, from); break;
    case RT_TRACE_BYTES: put_bytes(json, key, from, byte_limit); break;
    }
}

void hx_trace_json(const struct hx_trace *trace, const struct rt_trace_event *event, uint64_t byte_limit,
                   struct hx_json *json, const char *key) {
    const struct rt_trace_kind_info *info = rt_trace_kind_info(event->kind);

    hx_json_open(json, key, '{');
    hx_json_number(json, "event", event->number);
    hx_json_number(json, "depth", event->depth);
    hx_json_string(json, "kind", info->name ? info->name : "unknown");
    if (!info->name) {
        hx_json_number(json, "code", event->kind);
        put_bytes(json, "bytes", &event->unknown, byte_limit);
    }
    for (size_t i = 0; i < info->field_count; i++) {
        const struct rt_trace_field *field = &info->fields[i];
        put_field(trace, field->name, field->type, (const uint8_t *)event + field->offset, byte_limit, json);
    }
    hx_json_close(json, '}');
}
