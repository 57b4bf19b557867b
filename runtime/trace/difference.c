/* Where two events differ, in words: for a replay that is not the recorded run. */
#include "runtime/trace/format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char bytes[320];
    size_t size;
};

static RT_PRINTF(2, 3)
void add(struct text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int size = vsnprintf(text->bytes + text->size, sizeof text->bytes - text->size, format, args);
    va_end(args);
    text->size += size < 0 ? 0 : (size_t)size;
    if (text->size >= sizeof text->bytes)
        text->size = sizeof text->bytes - 1;
}

/* ---- Values ---- */

static void add_reference(struct text *text, const char *what, uint64_t number) {
    if (!number)
        add(text, "null");
    else if (number == UINT64_MAX)
        add(text, "%s reference that the trace does not have", what);
    else
        add(text, "%s reference %" PRIu64, what, number - 1);
}

static void add_value(struct text *text, uint8_t type, const union rt_value *value) {
    switch (type) {
    case RT_I32: add(text, "i32 %" PRIu32 " (0x%" PRIx32 ")", value->i32, value->i32); break;
    case RT_I64: add(text, "i64 %" PRIu64 " (0x%" PRIx64 ")", value->i64, value->i64); break;
    case RT_F32: add(text, "f32 %.9g (0x%08" PRIx32 ")", (double)value->f32, value->i32); break;
    case RT_F64: add(text, "f64 %.17g (0x%016" PRIx64 ")", value->f64, value->i64); break;
    case RT_V128:
        add(text, "v128");
        for (size_t i = 0; i < sizeof value->v128; i++)
            add(text, " %02x", value->v128[i]);
        break;
    case RT_FUNCREF: add_reference(text, "function", value->i64); break;
    default: add_reference(text, "host", value->i64); break;
    }
}

static void add_values(struct text *text, const char *what, const struct rt_trace_values *expected,
                       const struct rt_trace_values *got) {
    const size_t last = strlen(what) - 1; /* "arguments": one of them is an "argument" */
    uint32_t i = 0;

    if (expected->count != got->count) {
        add(text, "expected %" PRIu32 " %s, got %" PRIu32, expected->count, what, got->count);
        return;
    }
    while (i + 1 < got->count && expected->types[i] == got->types[i] &&
           rt_trace_value_equal(got->types[i], &expected->values[i], &got->values[i]))
        i++;
    add(text, "%.*s %" PRIu32 ": expected ", (int)last, what, i);
    add_value(text, expected->types[i], &expected->values[i]);
    add(text, ", got ");
    add_value(text, got->types[i], &got->values[i]);
}

static void add_bytes(struct text *text, const struct rt_trace_bytes *expected,
                      const struct rt_trace_bytes *got, uint64_t address) {
    enum { SHOWN = 8 };
    size_t at = 0;

    if (expected->size != got->size) {
        add(text, "expected %zu bytes at address 0x%" PRIx64 ", got %zu", expected->size, address, got->size);
        return;
    }
    while (at + 1 < got->size && expected->data[at] == got->data[at])
        at++;
    const size_t end = at + SHOWN < got->size ? at + SHOWN : got->size;
    add(text, "at address 0x%" PRIx64 ": expected", address + at);
    for (size_t i = at; i < end; i++)
        add(text, " %02x", expected->data[i]);
    add(text, ", got");
    for (size_t i = at; i < end; i++)
        add(text, " %02x", got->data[i]);
}

/* ---- Fields ---- */

static void add_index(struct text *text, uint32_t index) {
    if (index == RT_TRACE_NO_INDEX)
        add(text, "none");
    else
        add(text, "%" PRIu32, index);
}

static void add_limit(struct text *text, uint64_t limit) {
    if (limit == RT_TRACE_NO_LIMIT)
        add(text, "none");
    else
        add(text, "%" PRIu64, limit);
}

static void add_function(struct text *text, const struct rt_trace_checker *checker, uint32_t function) {
    struct rt_func_type type;
    const char *name;

    if (checker && rt_trace_checker_function(checker, function, &name, &type))
        add(text, "%s", rt_printable(name).text);
    else
        add(text, "host function %" PRIu32, function);
}

static void add_name(struct text *text, const struct rt_trace_bytes *name) {
    char start[sizeof(struct rt_printable) + 1];
    snprintf(start, sizeof start, "%.*s", (int)name->size, (const char *)name->data);
    add(text, "\"%s\"", rt_printable(start).text);
}

static void add_place(struct text *text, struct rt_trace_place place) {
    if (place.owner)
        add(text, "%" PRIu32 " of instance %" PRIu32, place.index, place.owner - 1);
    else
        add(text, "%" PRIu32 " of the host", place.index);
}

/* One side of a field that is shown as a whole. */
static void add_field(struct text *text, const struct rt_trace_checker *checker, uint8_t type,
                      const void *field) {
    const struct rt_trace_value *value;

    switch ((enum rt_trace_field_type)type) {
    case RT_TRACE_U32: add(text, "%" PRIu32, *(const uint32_t *)field); break;
    case RT_TRACE_U64: add(text, "%" PRIu64, *(const uint64_t *)field); break;
    case RT_TRACE_FLAG: add(text, "%s", *(const bool *)field ? "true" : "false"); break;
    case RT_TRACE_INDEX: add_index(text, *(const uint32_t *)field); break;
    case RT_TRACE_LIMIT: add_limit(text, *(const uint64_t *)field); break;
    case RT_TRACE_FUNCTION: add_function(text, checker, *(const uint32_t *)field); break;
    case RT_TRACE_TRAP: add(text, "\"%s\"", rt_trace_trap_name(*(const uint32_t *)field)); break;
    case RT_TRACE_OUTCOME: add(text, "%" PRIu32, *(const uint32_t *)field); break;
    case RT_TRACE_TYPE: add(text, "type 0x%02x", *(const uint8_t *)field); break;
    case RT_TRACE_PLACE: add_place(text, *(const struct rt_trace_place *)field); break;
    case RT_TRACE_VALUE:
        value = field;
        add_value(text, value->type, &value->value);
        break;
    case RT_TRACE_FUNCTYPE:
        add(text, "%" PRIu32 " parameters and %" PRIu32 " results",
            ((const struct rt_func_type *)field)->param_count,
            ((const struct rt_func_type *)field)->result_count);
        break;
    case RT_TRACE_PLACES:
        add(text, "%" PRIu32 " places", ((const struct rt_trace_places *)field)->count);
        break;
    case RT_TRACE_ELEMENTS:
        add(text, "%" PRIu32 " elements", ((const struct rt_trace_elements *)field)->count);
        break;
    case RT_TRACE_NAME: add_name(text, field); break;
    case RT_TRACE_VALUES:
    case RT_TRACE_BYTES: break; /* shown from the first difference on */
    }
}

static const void *field_of(const struct rt_trace_event *event, const struct rt_trace_field *field) {
    return (const uint8_t *)event + field->offset;
}

static void add_difference(struct text *text, const struct rt_trace_checker *checker,
                           const struct rt_trace_field *field, const struct rt_trace_event *expected,
                           const struct rt_trace_event *got) {
    const void *a = field_of(expected, field), *b = field_of(got, field);

    if (field->type == RT_TRACE_VALUES) {
        add_values(text, field->name, a, b);
    } else if (field->type == RT_TRACE_BYTES) {
        add_bytes(text, a, b, got->kind == RT_TRACE_MEMORY_WRITE ? got->memory_write.address : 0);
    } else {
        add(text, "%s: expected ", field->name);
        add_field(text, checker, field->type, a);
        add(text, ", got ");
        add_field(text, checker, field->type, b);
    }
}

/* ---- Events ---- */

/* The kind, and what tells one of the kind from others. */
static void add_event(struct text *text, const struct rt_trace_checker *checker,
                      const struct rt_trace_event *event) {
    const char *name = rt_trace_kind_info(event->kind)->name;

    for (; name && *name; name++)
        add(text, "%c", *name == '_' ? ' ' : *name);
    if (event->kind == RT_TRACE_IMPORT_CALL) {
        add(text, " ");
        add_function(text, checker, event->import_call.function);
    } else if (event->kind == RT_TRACE_GUEST_TRAP) {
        add(text, " \"%s\"", rt_trace_trap_name(event->guest_trap.trap));
    } else if (event->kind == RT_TRACE_GUEST_EXIT) {
        add(text, " %" PRIu32, event->guest_exit.status);
    }
}

struct rt_error *rt_trace_difference(const struct rt_trace_checker *checker,
                                     const struct rt_trace_event *expected,
                                     const struct rt_trace_event *got) {
    const struct rt_trace_kind_info *info = rt_trace_kind_info(got->kind);
    struct text text = {.size = 0};
    size_t i = 0;

    if (expected->kind != got->kind) {
        add(&text, "expected ");
        add_event(&text, checker, expected);
        add(&text, ", got ");
        add_event(&text, checker, got);
        return rt_error_format(RT_DIVERGED, "%s", text.bytes);
    }
    while (i < info->field_count &&
           rt_trace_field_equal(info->fields[i].type, field_of(expected, &info->fields[i]),
                                field_of(got, &info->fields[i])))
        i++;
    add_event(&text, checker, expected);
    add(&text, ": ");
    if (i < info->field_count)
        add_difference(&text, checker, &info->fields[i], expected, got);
    else
        add(&text, "no difference");
    return rt_error_format(RT_DIVERGED, "%s", text.bytes);
}
