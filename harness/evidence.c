/* The DWARF behind a finding: the DIE of its variable, expressions, line rows. */
#include "harness/evidence.h"

#include "harness/source.h"
#include "harness/tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_AROUND = 4, MAX_ROWS = 12, MAX_ENTRIES = 12, MAX_TYPE_DEPTH = 8, LABEL = 12 };

/* What printing shares. */
struct view {
    const struct hx_terminal *terminal;
    const struct st_debug *debug;
    const struct or_testimony *testimony;
    struct rt_arena *arena;
    struct hx_buffer *out;
};

struct rt_error *hx_artifact_open(const char *folder, const char *witness, struct hx_artifact *ret) {
    const bool is_native = strcmp(witness, "native") == 0, is_wasm = strcmp(witness, "wasm") == 0;
    struct hx_buffer path = {0};
    struct rt_error *error;

    *ret = (struct hx_artifact){.name = is_native ? HX_NATIVE : HX_WASM};
    if (!is_native && !is_wasm)
        return rt_error_format(RT_USAGE, "what ran as %s is not kept with the finding", witness);
    hx_buffer_print(&path, "%s/%s", folder, ret->name);
    if (path.failed)
        error = rt_error_out_of_memory();
    else if (is_native)
        error = st_debug_open_elf(path.bytes, &ret->debug);
    else
        error = rt_module_open(path.bytes, &ret->module);
    if (!error && is_wasm)
        error = st_debug_open_wasm(ret->module, &ret->debug);
    hx_buffer_clear(&path);
    return error;
}

void hx_artifact_close(struct hx_artifact *artifact) {
    st_debug_close(artifact->debug);
    rt_module_destroy(artifact->module);
    *artifact = (struct hx_artifact){0};
}

/* ---- Finding the variable ---- */

static const struct st_variable *find_in(const struct st_variable *variables, size_t count, uint64_t die) {
    for (size_t i = 0; i < count; i++)
        if (variables[i].die == die)
            return &variables[i];
    return NULL;
}

static const struct st_variable *find_in_scope(const struct st_scope *scope, uint64_t die) {
    const struct st_variable *found = find_in(scope->variables, scope->variable_count, die);
    for (size_t i = 0; !found && i < scope->child_count; i++)
        found = find_in_scope(&scope->children[i], die);
    return found;
}

/* By its DIE; `ret_function` is the function that declares it, NULL for a global. */
static const struct st_variable *find_variable(const struct st_debug *debug, uint64_t die,
                                               const struct st_function **ret_function) {
    size_t count, function_count;
    const struct st_variable *globals = st_debug_globals(debug, &count);
    const struct st_function *functions = st_debug_functions(debug, &function_count);
    const struct st_variable *found = find_in(globals, count, die);

    *ret_function = NULL;
    for (size_t i = 0; !found && i < function_count; i++) {
        found = find_in_scope(&functions[i].scope, die);
        *ret_function = found ? &functions[i] : NULL;
    }
    return found;
}

static const char *type_words(const struct st_type *type, struct rt_arena *arena, unsigned depth) {
    const char *target;

    if (!type)
        return "void";
    target = type->target && depth < MAX_TYPE_DEPTH ? type_words(type->target, arena, depth + 1) : "void";
    switch (type->kind) {
    case ST_TYPE_STRUCT: return rt_arena_printf(arena, "struct %s", type->name ? type->name : "(unnamed)");
    case ST_TYPE_UNION: return rt_arena_printf(arena, "union %s", type->name ? type->name : "(unnamed)");
    case ST_TYPE_ENUM: return rt_arena_printf(arena, "enum %s", type->name ? type->name : "(unnamed)");
    case ST_TYPE_POINTER: return rt_arena_printf(arena, "pointer to %s", target);
    case ST_TYPE_ARRAY: return rt_arena_printf(arena, "array of %" PRIu64 " x %s", type->count, target);
    case ST_TYPE_FUNCTION: return rt_arena_printf(arena, "function returning %s", target);
    case ST_TYPE_CONST: return rt_arena_printf(arena, "const %s", target);
    case ST_TYPE_VOLATILE: return rt_arena_printf(arena, "volatile %s", target);
    case ST_TYPE_RESTRICT: return rt_arena_printf(arena, "restrict %s", target);
    case ST_TYPE_ATOMIC: return rt_arena_printf(arena, "_Atomic %s", target);
    default: return type->name ? type->name : "(unnamed)";
    }
}

/* ---- Printing ---- */

static void row(struct view *view, enum hx_colour colour, const char *label, const char *text) {
    const struct hx_cell cells[] = {{HX_FAINT, label}, {colour, text ? text : "(out of memory)"}};
    hx_terminal_row(view->terminal, LABEL, cells, 2, view->out);
}

static void print_expression(struct view *view, const char *label, enum hx_colour colour,
                             const struct st_expression *expression) {
    row(view, colour, label, st_expression_print(expression, view->arena));
    row(view, colour, "", st_expression_words(expression, view->arena));
}

static bool holds(const struct st_expression *expression, uint64_t pc) {
    return pc >= expression->range.low && pc < expression->range.high;
}

static bool is_always(const struct st_expression *expression) {
    return expression->range.low == 0 && expression->range.high == UINT64_MAX;
}

static void print_location(struct view *view, const char *label, const struct st_location *location) {
    const uint64_t pc = view->testimony->pc;
    size_t at = 0, first, last;

    if (location->kind == ST_LOCATION_NONE)
        row(view, HX_BAD, label, "no location");
    else if (location->kind == ST_LOCATION_BROKEN)
        row(view, HX_BAD, label, rt_arena_printf(view->arena, "cannot be read: %s", location->reason));
    else if (location->kind == ST_LOCATION_CONSTANT)
        row(view, HX_PLAIN, label, "DW_AT_const_value: a constant");
    if (location->kind != ST_LOCATION_EXPRESSIONS)
        return;
    if (location->count == 1 && is_always(location->expressions)) {
        print_expression(view, label, HX_PLAIN, location->expressions);
        return;
    }
    while (at < location->count && location->expressions[at].range.high <= pc)
        at++;
    const bool has_entry = at < location->count && holds(&location->expressions[at], pc);
    row(view, has_entry ? HX_PLAIN : HX_BAD, label,
        rt_arena_printf(view->arena, "a list of %zu entries%s", location->count,
                        has_entry ? "" : rt_arena_printf(view->arena, ", none at pc 0x%" PRIx64, pc)));
    first = at > MAX_ENTRIES / 2 ? at - MAX_ENTRIES / 2 : 0;
    last = first + MAX_ENTRIES < location->count ? first + MAX_ENTRIES : location->count;
    for (size_t i = first; i < last; i++) {
        const struct st_expression *entry = &location->expressions[i];
        const bool is_it = holds(entry, pc);
        row(view, is_it ? HX_MARKED : HX_PLAIN, is_it ? "          >" : "",
            rt_arena_printf(view->arena, "0x%" PRIx64 "..0x%" PRIx64 "  %s: %s", entry->range.low,
                            entry->range.high, st_expression_print(entry, view->arena),
                            st_expression_words(entry, view->arena)));
    }
    if (last - first < location->count)
        row(view, HX_FAINT, "",
            rt_arena_printf(view->arena, "and %zu more", location->count - (last - first)));
}

static void print_variable(struct view *view) {
    const struct st_function *function;
    const struct st_variable *variable = find_variable(view->debug, view->testimony->die, &function);
    char die[32];

    snprintf(die, sizeof die, "DIE 0x%" PRIx64, view->testimony->die);
    if (!variable) {
        row(view, HX_BAD, die, "not in this file's .debug_info");
        return;
    }
    const char *file = hx_base_name(st_debug_file(view->debug, variable->file));
    const char *what = variable->is_parameter ? "parameter"
                       : !function            ? "global"
                       : variable->is_static  ? "static local"
                                              : "local";
    row(view, HX_PLAIN, die,
        rt_arena_printf(view->arena, "%s %s%s%s, %s, %" PRIu64 " bytes, declared at %s:%u", what,
                        variable->name, function ? " of " : "", function ? function->name : "",
                        type_words(variable->type, view->arena, 0), variable->type ? variable->type->size : 0,
                        file, variable->line));
    if (variable->is_dropped)
        row(view, HX_BAD, "location", "the linker dropped it: its address is a tombstone");
    else
        print_location(view, "location", &variable->location);
    const struct st_function *here = st_debug_function_at(view->debug, view->testimony->pc);
    if (here && function)
        print_location(view, "frame base", &here->frame_base);
}

static void print_row(struct view *view, const struct st_row *line, bool is_it) {
    const char *file = hx_base_name(st_debug_file(view->debug, line->file));
    if (line->end_sequence)
        row(view, HX_PLAIN, "", rt_arena_printf(view->arena, "0x%" PRIx64 "  end of the sequence", line->pc));
    else
        row(view, is_it ? HX_MARKED : HX_PLAIN, is_it ? "          >" : "",
            rt_arena_printf(view->arena, "0x%" PRIx64 "  %s:%u:%u%s%s%s", line->pc, file, line->line,
                            line->column, line->is_stmt ? "  is_stmt" : "",
                            line->prologue_end ? "  prologue_end" : "",
                            line->epilogue_begin ? "  epilogue_begin" : ""));
}

/* The rows around the witness's pc. */
static void print_rows(struct view *view, const struct st_row *at) {
    size_t count;
    const struct st_row *rows = st_debug_rows(view->debug, &count);
    const size_t index = (size_t)(at - rows);
    const size_t first = index > ROWS_AROUND ? index - ROWS_AROUND : 0;

    row(view, HX_PLAIN, "line rows",
        rt_arena_printf(view->arena, "around pc 0x%" PRIx64, view->testimony->pc));
    for (size_t i = first; i < count && i <= index + ROWS_AROUND; i++)
        print_row(view, &rows[i], i == index);
}

/* The rows of a line in a function that the witness has not stopped in: there may be none. */
static void print_rows_of(struct view *view, const struct st_function *function, uint32_t line) {
    size_t count, shown = 0;
    const struct st_row *rows = st_debug_rows(view->debug, &count);

    row(view, HX_PLAIN, "line rows",
        rt_arena_printf(view->arena, "of lines %u to %u in %s", line > 0 ? line - 1 : 0, line + 1,
                        function->name));
    for (size_t i = 0; i < count && shown < MAX_ROWS; i++)
        if (st_debug_function_at(view->debug, rows[i].pc) == function && !rows[i].end_sequence &&
            rows[i].line + 1 >= line && rows[i].line <= line + 1) {
            print_row(view, &rows[i], rows[i].line == line);
            shown++;
        }
    if (shown == 0)
        row(view, HX_BAD, "", "none");
}

void hx_evidence_print(const struct hx_terminal *terminal, const struct hx_artifact *artifact,
                       const struct hx_told *told, const struct or_testimony *testimony,
                       struct rt_arena *arena, struct hx_buffer *out) {
    struct view view = {terminal, artifact->debug, testimony, arena, out};
    const struct st_row *at = testimony->pc ? st_debug_row_at(artifact->debug, testimony->pc) : NULL;
    const struct st_function *function =
        told->function ? st_debug_function_named(artifact->debug, told->function) : NULL;

    if (testimony->die)
        print_variable(&view);
    else if (told->variable)
        row(&view, HX_BAD, "variable", "no DIE for it is in scope here");
    if (at)
        print_rows(&view, at);
    else if (function && told->line > 0)
        print_rows_of(&view, function, told->line);
}
