/* What a debugger's user calls the place of a difference between two engines: the variable that a byte of
 * memory or a local belongs to, and the line. Asked once, when there is a difference; the first side's debug
 * information answers, as both run one module. */
#include "oracle/compare.h"
#include "oracle/engines.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_FRAMES = 64, /* from the innermost one on */
    DW_OP_WASM_LOCATION = 0xed,
    WASM_LOCAL = 0,
};

/* What is looked for: a byte of memory, or a local of the innermost frame. */
struct search {
    struct or_engines *engines;
    struct st_session *session;
    const struct st_frame *frame; /* whose variables are looked at */
    bool is_local;
    uint64_t address; /* or the local's index */
    const char *found;
};

static struct st_session *first_session(const struct or_engines *engines) {
    return engines->sides[0].session;
}

/* ---- One variable ---- */

/* "[2].f1" of the scalar at an offset of the variable; "" when there is none. */
static const char *path_at(struct search *search, const struct st_variable *variable, uint64_t offset) {
    struct rt_arena *arena = &search->engines->report->arena;
    struct or_layouts layouts = {.buckets = {NULL}};
    const struct or_layout *layout;
    struct rt_error *error = or_layout_get(&layouts, arena, variable->type, variable->type, &layout);

    if (error) {
        rt_error_destroy(error);
        return "";
    }
    for (size_t i = 0; i < layout->leaf_count; i++) {
        const struct or_leaf *leaf = &layout->leaves[i];
        if (offset >= leaf->offset[0] && offset - leaf->offset[0] < leaf->size[0])
            return or_layout_path(layout, i, arena);
    }
    return "";
}

/* Whether an expression begins with the local that is looked for. */
static bool is_in_local(const struct search *search, const struct st_expression *expression) {
    uint8_t code = 0, kind = 0;
    uint64_t index = 0;

    if (!expression)
        return false;
    struct rt_cursor cursor = rt_cursor_make(expression->bytes, expression->size, 0);
    struct rt_error *error = rt_cursor_u8(&cursor, "operation", &code);
    if (!error)
        error = rt_cursor_u8(&cursor, "kind", &kind);
    if (!error)
        error = rt_cursor_uleb(&cursor, 32, "index", &index);
    const bool is_good = !error;
    rt_error_destroy(error);
    return is_good && code == DW_OP_WASM_LOCATION && kind == WASM_LOCAL && index == search->address;
}

static void look_at(struct search *search, const struct st_variable *variable) {
    const struct st_type *type = st_type_strip(variable->type);
    struct st_place place;

    if (search->found || !type || variable->is_dropped)
        return;
    st_locate(search->session, search->frame, variable, &place);
    if (search->is_local) {
        if (place.kind == ST_PLACE_VALUE && is_in_local(search, place.expression))
            search->found = or_printf(&search->engines->report->arena, "%s", variable->name);
    } else if (place.kind == ST_PLACE_MEMORY && search->address >= place.address &&
               search->address - place.address < type->size) {
        search->found = or_printf(&search->engines->report->arena, "%s%s", variable->name,
                                  path_at(search, variable, search->address - place.address));
    }
}

/* ---- All that there are ---- */

static void look_in_frame(struct search *search, const struct st_frame *frame) {
    search->frame = frame;
    for (const struct st_scope *scope = frame->function ? st_scope_at(frame->function, frame->pc) : NULL;
         scope && !search->found; scope = scope->parent)
        for (size_t i = 0; i < scope->variable_count; i++)
            look_at(search, &scope->variables[i]);
}

static void look_in_frames(struct search *search, size_t most) {
    const struct st_frame *frames;
    size_t count;
    struct rt_error *error = st_session_frames(search->session, &frames, &count);

    if (error) { /* it has ended */
        rt_error_destroy(error);
        return;
    }
    for (size_t i = 0; i < count && i < most && !search->found; i++)
        look_in_frame(search, &frames[i]);
}

static void look_at_statics(struct search *search, const struct st_scope *scope) {
    for (size_t i = 0; i < scope->variable_count; i++)
        if (scope->variables[i].is_static)
            look_at(search, &scope->variables[i]);
    for (size_t i = 0; i < scope->child_count && !search->found; i++)
        look_at_statics(search, &scope->children[i]);
}

static void look_in_storage(struct search *search, const struct st_debug *debug) {
    static const struct st_frame no_frame = {.pc = 0};
    size_t count;
    const struct st_variable *globals = st_debug_globals(debug, &count);

    search->frame = &no_frame;
    for (size_t i = 0; i < count; i++)
        look_at(search, &globals[i]);
    const struct st_function *functions = st_debug_functions(debug, &count);
    for (size_t i = 0; i < count && !search->found; i++)
        look_at_statics(search, &functions[i].scope);
}

/* ---- For the others ---- */

const char *or_engines_name_address(struct or_engines *engines, uint64_t address) {
    const struct st_debug *debug = st_session_debug(first_session(engines));
    struct search search = {.engines = engines, .session = first_session(engines), .address = address};

    if (debug) {
        look_in_frames(&search, MOST_FRAMES);
        if (!search.found)
            look_in_storage(&search, debug);
    }
    const unsigned long long at = address;
    return search.found ? or_printf(&engines->report->arena, "memory at 0x%llx: %s", at, search.found)
                        : or_printf(&engines->report->arena, "memory at 0x%llx", at);
}

const char *or_engines_name_local(struct or_engines *engines, uint32_t index) {
    struct search search = {
        .engines = engines, .session = first_session(engines), .is_local = true, .address = index};

    if (st_session_debug(search.session))
        look_in_frames(&search, 1);
    return search.found ? or_printf(&engines->report->arena, "local %u: %s", index, search.found)
                        : or_printf(&engines->report->arena, "local %u", index);
}

void or_engines_name_line(struct or_engines *engines, uint32_t pc, struct or_finding *finding) {
    const struct st_debug *debug = st_session_debug(first_session(engines));
    const struct st_row *row = debug ? st_debug_row_at(debug, pc) : NULL;

    if (!row || !row->line)
        return;
    finding->file = or_printf(&engines->report->arena, "%s", st_debug_file(debug, row->file));
    finding->line = row->line;
    finding->column = row->column;
}
