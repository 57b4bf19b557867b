/* What words stand for: variables and their parts, memory, places in the source. */
#include "harness/travel.h"

#include "harness/source.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- Frames and variables ---- */

struct rt_error *hx_travel_frame(struct hx_travel *travel, const struct st_frame **ret, size_t *ret_count) {
    const struct st_frame *frames;

    if (st_timeline_event(travel->timeline)->kind == ST_EXIT)
        return rt_error_format(RT_USAGE, "the program has ended here: go back first");
    struct rt_error *error = st_session_frames(travel->guest.session, &frames, ret_count);
    if (error)
        return error;
    if (travel->frame >= *ret_count)
        return rt_error_format(RT_USAGE, "there is no frame %zu", travel->frame);
    *ret = &frames[travel->frame];
    return NULL;
}

static uint64_t size_of(const struct st_type *type) {
    const struct st_type *stripped = st_type_strip(type);
    return stripped ? stripped->size : 0;
}

static void load(struct hx_travel *travel, struct hx_object *object) {
    object->is_memory = true;
    object->bytes = st_session_memory(travel->guest.session, object->address, size_of(object->type));
    object->why = object->bytes ? NULL : "outside of memory";
}

void hx_travel_locate(struct hx_travel *travel, const struct st_frame *frame,
                      const struct st_variable *variable, struct hx_object *ret) {
    const uint64_t size = size_of(variable->type);
    struct st_place place;

    *ret = (struct hx_object){.type = variable->type};
    st_locate(travel->guest.session, frame, variable, &place);
    switch (place.kind) {
    case ST_PLACE_MEMORY:
        ret->address = place.address;
        load(travel, ret);
        break;
    case ST_PLACE_VALUE:
        memcpy(ret->copy, place.bytes, sizeof ret->copy);
        if (size <= sizeof ret->copy && place.valid == (size < 64 ? (UINT64_C(1) << size) - 1 : UINT64_MAX))
            ret->bytes = ret->copy;
        else
            ret->why = "parts of it are optimized out";
        break;
    case ST_PLACE_OPTIMIZED_OUT: ret->why = "optimized out"; break;
    case ST_PLACE_IRRETRIEVABLE: ret->why = place.reason; break;
    }
}

void hx_travel_part(const struct hx_object *whole, const struct st_type *type, uint64_t offset,
                    struct hx_object *ret) {
    const struct hx_object from = *whole; /* `ret` may be `whole` */

    *ret = (struct hx_object){
        .type = type, .is_memory = from.is_memory, .address = from.address + offset, .why = from.why};
    memcpy(ret->copy, from.copy, sizeof ret->copy);
    if (from.bytes && offset + size_of(type) <= size_of(from.type))
        ret->bytes = from.bytes + offset; /* of the whole's copy, where it is one */
    else if (from.bytes)
        ret->why = "outside of the object";
}

static bool find_variable(struct hx_travel *travel, const struct st_frame *frame, const char *name,
                          size_t size, struct hx_object *ret) {
    const struct st_scope *scope = frame->function ? st_scope_at(frame->function, frame->pc) : NULL;
    size_t count = 0;
    const struct st_variable *globals =
        travel->guest.debug ? st_debug_globals(travel->guest.debug, &count) : NULL;
    const struct st_variable *found = NULL;

    for (; scope && !found; scope = scope->parent)
        for (size_t i = 0; i < scope->variable_count; i++)
            if (strncmp(scope->variables[i].name, name, size) == 0 && !scope->variables[i].name[size])
                found = &scope->variables[i];
    for (size_t i = 0; i < count && !found; i++)
        if (strncmp(globals[i].name, name, size) == 0 && !globals[i].name[size])
            found = &globals[i];
    if (found)
        hx_travel_locate(travel, frame, found, ret);
    return found;
}

/* ---- Expressions ---- */

static size_t name_size(const char *text) {
    size_t size = 0;
    while (isalnum((unsigned char)text[size]) || text[size] == '_' || text[size] == '$')
        size++;
    return size;
}

static struct rt_error *follow(struct hx_travel *travel, struct hx_object *object) {
    const struct st_type *type = st_type_strip(object->type);
    uint32_t address = 0;

    if (!type || type->kind != ST_TYPE_POINTER || !object->bytes)
        return rt_error_format(RT_USAGE, "that is no pointer with a value");
    memcpy(&address, object->bytes, sizeof address);
    *object = (struct hx_object){.type = type->target, .address = address};
    load(travel, object);
    return NULL;
}

static struct rt_error *enter_member(struct hx_object *object, const char *name, size_t size) {
    const struct st_type *type = st_type_strip(object->type);

    for (size_t i = 0;
         type && (type->kind == ST_TYPE_STRUCT || type->kind == ST_TYPE_UNION) && i < type->member_count;
         i++) {
        const struct st_member *member = &type->members[i];
        if (!member->name || strncmp(member->name, name, size) != 0 || member->name[size])
            continue;
        const uint64_t whole = 8 * size_of(member->type);
        const uint64_t at =
            member->bit_size && whole ? member->bit_offset / whole * whole : member->bit_offset;
        hx_travel_part(object, member->type, at / 8, object);
        object->bit_offset = (uint32_t)(member->bit_offset - at);
        object->bit_size = member->bit_size;
        return NULL;
    }
    return rt_error_format(RT_USAGE, "there is no member %.*s", (int)size, name);
}

static struct rt_error *enter_element(struct hx_travel *travel, struct hx_object *object, uint64_t index) {
    const struct st_type *type = st_type_strip(object->type);

    if (type && type->kind == ST_TYPE_ARRAY) {
        hx_travel_part(object, type->target, index * size_of(type->target), object);
        return NULL;
    }
    struct rt_error *error = follow(travel, object);
    if (!error) {
        object->address += index * size_of(object->type);
        load(travel, object);
    }
    return error;
}

struct rt_error *hx_travel_find(struct hx_travel *travel, const char *text, struct hx_object *ret) {
    static const struct st_frame none; /* at the end there are globals alone */
    const struct st_frame *frame = &none;
    size_t count, stars = strspn(text, "*"), size = name_size(text + stars);
    const char *at = text + stars;
    char *end;
    struct rt_error *error = NULL;

    if (st_timeline_event(travel->timeline)->kind != ST_EXIT)
        error = hx_travel_frame(travel, &frame, &count);
    if (error)
        return error;
    if (!size || !find_variable(travel, frame, at, size, ret))
        return rt_error_format(RT_USAGE, "no variable %.*s here", (int)(size ? size : strlen(at)), at);
    for (at += size; *at && !error;) {
        const bool is_arrow = strncmp(at, "->", 2) == 0;
        if (*at == '.' || is_arrow) {
            at += is_arrow ? 2 : 1;
            error = is_arrow ? follow(travel, ret) : NULL;
            size = name_size(at);
            if (!error)
                error = enter_member(ret, at, size);
            at += size;
        } else if (*at == '[' && (strtoull(at + 1, &end, 0), *end == ']')) {
            error = enter_element(travel, ret, strtoull(at + 1, NULL, 0));
            at = end + 1;
        } else {
            return rt_error_format(RT_USAGE, "cannot read '%s': .member, ->member or [number] can be here",
                                   at);
        }
    }
    for (; stars > 0 && !error; stars--)
        error = follow(travel, ret);
    return error;
}

struct rt_error *hx_travel_memory(struct hx_travel *travel, const char *text, uint64_t *ret_address,
                                  uint64_t *ret_size) {
    struct hx_object object;
    char *end;

    if (isdigit((unsigned char)*text)) {
        *ret_address = strtoull(text, &end, 0);
        *ret_size = *end == ',' ? strtoull(end + 1, &end, 0) : 0;
        return *end || !*ret_size ? rt_error_format(RT_USAGE, "'%s' is not ADDRESS,SIZE", text) : NULL;
    }
    struct rt_error *error = hx_travel_find(travel, text, &object);
    if (error)
        return error;
    *ret_address = object.address;
    *ret_size = size_of(object.type);
    if (!object.is_memory || !*ret_size)
        return rt_error_format(RT_USAGE, "%s is not in memory here%s%s", text, object.why ? ": " : "",
                               object.why ? object.why : "");
    return NULL;
}

/* ---- Places in the source ---- */

struct pcs {
    uint64_t *items;
    size_t count;
};

static struct rt_error *add_pc(struct pcs *pcs, uint64_t pc) {
    uint64_t *grown = realloc(pcs->items, (pcs->count + 1) * sizeof *grown);
    if (!grown)
        return rt_error_out_of_memory();
    pcs->items = grown;
    grown[pcs->count++] = pc;
    return NULL;
}

/* Where a line begins: its rows that follow upon another line's. `file` NULL: any. */
static struct rt_error *find_line(const struct st_debug *debug, const char *file, uint32_t line,
                                  struct pcs *ret) {
    size_t count;
    const struct st_row *rows = st_debug_rows(debug, &count);
    struct rt_error *error = NULL;

    for (size_t i = 0; i < count && !error; i++) {
        const bool begins = i == 0 || rows[i - 1].end_sequence || rows[i - 1].line != line;
        if (rows[i].is_stmt && !rows[i].end_sequence && rows[i].line == line && begins &&
            (!file || strcmp(hx_base_name(st_debug_file(debug, rows[i].file)), hx_base_name(file)) == 0))
            error = add_pc(ret, rows[i].pc);
    }
    return error;
}

/* The file of the frame that is looked at: what a line alone is meant in. */
static const char *present_file(struct hx_travel *travel) {
    const struct st_frame *frame;
    const char *file = NULL;
    uint32_t line;
    size_t count;
    struct rt_error *error = hx_travel_frame(travel, &frame, &count);

    if (!error)
        hx_travel_line(travel, frame, &file, &line);
    rt_error_destroy(error);
    return file;
}

struct rt_error *hx_travel_pcs(struct hx_travel *travel, const char *text, uint64_t **ret,
                               size_t *ret_count) {
    const struct st_debug *debug = travel->guest.debug;
    const char *colon = strrchr(text, ':'), *number = colon ? colon + 1 : text;
    struct rt_error *error = NULL;
    struct pcs pcs = {0};
    char *end;

    if (*text == '*') {
        error = add_pc(&pcs, strtoull(text + 1, NULL, 0));
    } else if (!debug) {
        error =
            rt_error_format(RT_USAGE, "the module has no debug information: *PC, a Wasm pc, names a place");
    } else if (isdigit((unsigned char)*number)) {
        const uint32_t line = (uint32_t)strtoul(number, &end, 10);
        char *file = colon ? strndup(text, (size_t)(colon - text)) : NULL;
        error = find_line(debug, file ? file : present_file(travel), line, &pcs);
        free(file);
    } else {
        const struct st_function *function = st_debug_function_named(debug, text);
        if (function)
            error = add_pc(&pcs, function->body);
    }
    if (!error && !pcs.count)
        error =
            rt_error_format(RT_USAGE, "no code at '%s': FILE:LINE, LINE, FUNCTION or *PC name a place", text);
    if (error)
        free(pcs.items);
    *ret = error ? NULL : pcs.items;
    *ret_count = pcs.count;
    return error;
}
