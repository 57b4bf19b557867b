/* Stops, frames and values, in words or as JSON. */
#include "harness/travel.h"

#include "harness/source.h"

#include <dwarf.h>
#include <string.h>

enum { MOST_ELEMENTS = 200, MOST_TEXT = 200, DEEPEST = 8, MOST_OUTPUT = 64 << 10 };

/* ---- Scalars ---- */

static uint64_t bits_of(const struct hx_object *object, uint64_t size) {
    uint64_t bits = 0;
    memcpy(&bits, object->bytes, size < sizeof bits ? size : sizeof bits);
    if (object->bit_size)
        bits = bits >> object->bit_offset &
               (object->bit_size < 64 ? (UINT64_C(1) << object->bit_size) - 1 : UINT64_MAX);
    return bits;
}

static int64_t sign_extend(uint64_t bits, uint64_t width) {
    const unsigned unused = width < 64 ? 64 - (unsigned)width : 0;
    return (int64_t)(bits << unused) >> unused;
}

static void print_base(const struct st_type *type, uint64_t bits, uint64_t width, struct hx_buffer *out) {
    double real;
    float single;

    switch (type->encoding) {
    case DW_ATE_float:
        memcpy(&single, &bits, sizeof single);
        memcpy(&real, &bits, sizeof real);
        if (type->size == 4 || type->size == 8)
            hx_buffer_print(out, type->size == 4 ? "%.9g" : "%.17g", type->size == 4 ? (double)single : real);
        else
            hx_buffer_print(out, "<a float of %llu bytes>", (unsigned long long)type->size);
        break;
    case DW_ATE_boolean: hx_buffer_text(out, bits ? "true" : "false"); break;
    case DW_ATE_signed_char:
    case DW_ATE_unsigned_char:
        hx_buffer_print(
            out, "%lld",
            (long long)(type->encoding == DW_ATE_signed_char ? sign_extend(bits, width) : (int64_t)bits));
        if (bits >= 32 && bits < 127)
            hx_buffer_print(out, " '%c'", (char)bits);
        break;
    case DW_ATE_signed: hx_buffer_print(out, "%lld", (long long)sign_extend(bits, width)); break;
    default: hx_buffer_print(out, "%llu", (unsigned long long)bits); break;
    }
}

static void print_enumerator(const struct st_type *type, int64_t value, struct hx_buffer *out) {
    for (size_t i = 0; i < type->member_count; i++) {
        if (type->enumerators[i].value == value) {
            hx_buffer_text(out, type->enumerators[i].name);
            return;
        }
    }
    hx_buffer_print(out, "%lld", (long long)value);
}

/* Bytes up to a zero, as C writes them. */
static void print_text(const uint8_t *bytes, size_t size, struct hx_buffer *out) {
    size_t i = 0;
    hx_buffer_text(out, "\"");
    for (; i < size && i < MOST_TEXT && bytes[i]; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\')
            hx_buffer_print(out, "\\%c", bytes[i]);
        else if (bytes[i] >= 32 && bytes[i] < 127)
            hx_buffer_append(out, &bytes[i], 1);
        else
            hx_buffer_print(out, bytes[i] == '\n' ? "\\n" : "\\%03o", bytes[i]);
    }
    hx_buffer_text(out, i == MOST_TEXT ? "\"..." : "\"");
}

static bool is_text(const struct st_type *type) {
    const struct st_type *stripped = st_type_strip(type);
    return stripped && stripped->kind == ST_TYPE_BASE && stripped->size == 1 &&
           (stripped->encoding == DW_ATE_signed_char || stripped->encoding == DW_ATE_unsigned_char);
}

static void print_pointer(struct hx_travel *travel, const struct st_type *type, uint64_t address,
                          struct hx_buffer *out) {
    size_t size = 0;

    hx_buffer_print(out, "0x%llx", (unsigned long long)address);
    if (!address || !is_text(type->target))
        return;
    while (size < MOST_TEXT && st_session_memory(travel->guest.session, address, size + 1))
        size++;
    const uint8_t *bytes = st_session_memory(travel->guest.session, address, size);
    if (bytes && size) {
        hx_buffer_text(out, " ");
        print_text(bytes, size, out);
    }
}

/* ---- Values ---- */

static void print_value(struct hx_travel *travel, const struct hx_object *object, unsigned depth,
                        struct hx_buffer *out);

static void print_members(struct hx_travel *travel, const struct hx_object *object,
                          const struct st_type *type, unsigned depth, struct hx_buffer *out) {
    hx_buffer_text(out, "{");
    for (size_t i = 0; i < type->member_count; i++) {
        const struct st_member *member = &type->members[i];
        const struct st_type *stripped = st_type_strip(member->type);
        const uint64_t unit = stripped && member->bit_size ? 8 * stripped->size : 0;
        const uint64_t at = unit ? member->bit_offset / unit * unit : member->bit_offset;
        struct hx_object part;
        hx_travel_part(object, member->type, at / 8, &part);
        part.bit_offset = (uint32_t)(member->bit_offset - at);
        part.bit_size = member->bit_size;
        hx_buffer_print(out, "%s%s%s", i ? ", " : "", member->name ? member->name : "",
                        member->name ? " = " : "");
        print_value(travel, &part, depth + 1, out);
    }
    hx_buffer_text(out, "}");
}

static void print_elements(struct hx_travel *travel, const struct hx_object *object,
                           const struct st_type *type, unsigned depth, struct hx_buffer *out) {
    const struct st_type *element = st_type_strip(type->target);

    if (is_text(type->target)) {
        print_text(object->bytes, type->count, out);
        return;
    }
    hx_buffer_text(out, "{");
    for (uint64_t i = 0; i < type->count && i < MOST_ELEMENTS; i++) {
        struct hx_object part;
        hx_travel_part(object, type->target, i * (element ? element->size : 0), &part);
        hx_buffer_text(out, i ? ", " : "");
        print_value(travel, &part, depth + 1, out);
    }
    hx_buffer_text(out, type->count > MOST_ELEMENTS ? ", ...}" : "}");
}

static void print_value(struct hx_travel *travel, const struct hx_object *object, unsigned depth,
                        struct hx_buffer *out) {
    const struct st_type *type = st_type_strip(object->type);

    if (!type || !object->bytes || depth > DEEPEST || out->size > MOST_OUTPUT) {
        hx_buffer_print(out, "<%s>", object->why ? object->why : type ? "..." : "no type");
        return;
    }
    const uint64_t width = object->bit_size ? object->bit_size : 8 * type->size;
    switch (type->kind) {
    case ST_TYPE_BASE: print_base(type, bits_of(object, type->size), width, out); break;
    case ST_TYPE_ENUM: print_enumerator(type, sign_extend(bits_of(object, type->size), width), out); break;
    case ST_TYPE_POINTER: print_pointer(travel, type, bits_of(object, type->size), out); break;
    case ST_TYPE_STRUCT:
    case ST_TYPE_UNION: print_members(travel, object, type, depth, out); break;
    case ST_TYPE_ARRAY: print_elements(travel, object, type, depth, out); break;
    default: hx_buffer_text(out, "<no value>"); break;
    }
}

void hx_travel_print_object(struct hx_travel *travel, const char *name, const struct hx_object *object) {
    struct hx_buffer value = {0};

    print_value(travel, object, 0, &value);
    if (travel->is_json) {
        hx_json_open(&travel->json, NULL, '{');
        hx_json_string(&travel->json, "name", name);
        hx_json_string(&travel->json, "value", hx_buffer_string(&value));
        if (object->is_memory)
            hx_json_number(&travel->json, "address", object->address);
        hx_json_close(&travel->json, '}');
    } else {
        hx_buffer_print(&travel->out, "%s = %s\n", name, hx_buffer_string(&value));
    }
    hx_buffer_clear(&value);
}

/* ---- Frames and stops ---- */

bool hx_travel_line(const struct hx_travel *travel, const struct st_frame *frame, const char **ret_file,
                    uint32_t *ret_line) {
    const struct st_row *row = travel->guest.debug ? st_debug_row_at(travel->guest.debug, frame->pc) : NULL;
    if (!row || !row->line)
        return false;
    *ret_file = st_debug_file(travel->guest.debug, row->file);
    *ret_line = row->line;
    return true;
}

static const char *function_name(const struct hx_travel *travel, const struct st_frame *frame) {
    const char *name = frame->function
                           ? frame->function->name
                           : rt_module_function_name(travel->guest.module, frame->activation.function);
    return name ? name : "?";
}

/* The members of a place in JSON. */
static void json_place(struct hx_travel *travel, const struct st_frame *frame) {
    const char *file;
    uint32_t line;

    hx_json_string(&travel->json, "function", function_name(travel, frame));
    if (hx_travel_line(travel, frame, &file, &line)) {
        hx_json_string(&travel->json, "file", file);
        hx_json_number(&travel->json, "line", line);
        hx_json_number(&travel->json, "column", st_debug_row_at(travel->guest.debug, frame->pc)->column);
    }
    hx_json_number(&travel->json, "pc", frame->pc);
}

static void print_place(struct hx_travel *travel, const struct st_frame *frame) {
    const char *file;
    uint32_t line;

    hx_buffer_text(&travel->out, function_name(travel, frame));
    if (hx_travel_line(travel, frame, &file, &line))
        hx_buffer_print(&travel->out, " at %s:%u\n", hx_base_name(file), line);
    else
        hx_buffer_print(&travel->out, " at Wasm pc 0x%llx\n", (unsigned long long)frame->pc);
}

void hx_travel_print_frame(struct hx_travel *travel, size_t number, const struct st_frame *frame) {
    if (travel->is_json) {
        hx_json_open(&travel->json, NULL, '{');
        hx_json_number(&travel->json, "frame", number);
        json_place(travel, frame);
        hx_json_close(&travel->json, '}');
    } else {
        hx_buffer_print(&travel->out, "#%zu %s", number, number == travel->frame ? "" : " ");
        print_place(travel, frame);
    }
}

static void print_end(struct hx_travel *travel, const struct st_event *event) {
    if (travel->is_json) {
        hx_json_number(&travel->json, "status", (uint32_t)event->status);
        hx_json_string(&travel->json, "error", travel->diverged ? travel->diverged->message : NULL);
    } else if (travel->diverged) {
        hx_buffer_print(&travel->out, "the replay ends: %s\n", travel->diverged->message);
    } else if (!travel->result.has_end) {
        hx_buffer_text(&travel->out, "the trace ends here; the program had not\n");
    } else {
        hx_buffer_print(&travel->out, "the program has ended with status %d\n", event->status);
    }
}

struct rt_error *hx_travel_print_stop(struct hx_travel *travel) {
    static const char *const kinds[] = {[ST_STEP] = "step", [ST_TRAP] = "trap", [ST_EXIT] = "end"};
    const struct st_event *event = st_timeline_event(travel->timeline);
    const uint64_t number = st_timeline_position(travel->timeline);
    struct hx_buffer text = {0};
    const struct st_frame *frame = NULL;
    const char *file;
    uint32_t line;
    size_t count;
    struct rt_error *error = NULL;

    travel->frame = 0;
    travel->listed = 0;
    if (event->kind != ST_EXIT)
        error = hx_travel_frame(travel, &frame, &count);
    if (error)
        return error;
    if (travel->is_json) {
        hx_json_open(&travel->json, "stop", '{');
        hx_json_number(&travel->json, "number", number);
        hx_json_string(&travel->json, "kind", kinds[event->kind]);
        if (event->kind == ST_TRAP)
            hx_json_string(&travel->json, "trap", event->name);
        if (frame)
            json_place(travel, frame);
        else
            print_end(travel, event);
        hx_json_close(&travel->json, '}');
        return NULL;
    }
    hx_buffer_print(&travel->out, "[%llu] ", (unsigned long long)number);
    if (event->kind == ST_TRAP)
        hx_buffer_print(&travel->out, "trap: %s, in ", event->name);
    if (!frame) {
        print_end(travel, event);
        return NULL;
    }
    print_place(travel, frame);
    if (hx_travel_line(travel, frame, &file, &line) && hx_source_line(file, line, NULL, &text))
        hx_buffer_print(&travel->out, "%u\t%s\n", line, hx_buffer_string(&text));
    hx_buffer_clear(&text);
    return NULL;
}
