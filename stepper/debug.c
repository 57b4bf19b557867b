/* The DWARF model: opening it, and the questions that it answers. */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "stepper/debug.h"

/* What a model may take: several times the file's size is normal, a multiple of that is an attack. */
#define ARENA_BASE   ((size_t)64 << 20)
#define ARENA_FACTOR 64

/* ---- Building ---- */

static struct rt_error *list_units(struct st_reader *reader) {
    struct st_debug *debug = reader->debug;
    Dwarf_Off offset = 0, next, abbreviations;
    size_t header_size;
    Dwarf_Half version;
    uint8_t address_size, offset_size;
    int result;
    while ((result = dwarf_next_unit(debug->dwarf, offset, &next, &header_size, &version, &abbreviations,
                                     &address_size, &offset_size, NULL, NULL)) == 0) {
        struct st_unit *unit = st_list_push(&reader->units, sizeof *unit);
        if (!unit)
            return rt_error_out_of_memory();
        Dwarf_Die die;
        if (next <= offset || next > debug->sections[ST_SECTION_INFO].size || version < 2 || version > 5 ||
            (address_size != 4 && address_size != 8) ||
            !dwarf_offdie(debug->dwarf, offset + header_size, &die))
            return rt_error_format(RT_MALFORMED, "%s: unit at .debug_info+0x%llx (version %u): %s",
                                   debug->label, (unsigned long long)offset, version, dwarf_errmsg(-1));
        *unit = (struct st_unit){
            .sections = debug->sections,
            .types = &debug->types,
            .cu = die.cu,
            .offset = offset,
            .end = next,
            .version = (uint8_t)version,
            .address_size = address_size,
            .offset_size = offset_size,
            .directory = "",
        };
        offset = next;
    }
    if (result < 0)
        return rt_error_format(RT_MALFORMED, "%s: unit at .debug_info+0x%llx: %s", debug->label,
                               (unsigned long long)offset, dwarf_errmsg(-1));
    debug->units = (struct st_unit *)rt_arena_copy(reader->arena, reader->units.items,
                                                   reader->units.count * sizeof *debug->units);
    debug->unit_count = reader->units.count;
    return debug->units ? NULL : st_reader_no_memory(reader);
}

static struct rt_error *for_units(struct st_reader *reader,
                                  struct rt_error *(*visit)(struct st_reader *, Dwarf_Die *)) {
    for (size_t i = 0; i < reader->debug->unit_count; i++) {
        Dwarf_Die die;
        reader->unit = &reader->debug->units[i];
        if (!dwarf_cu_die(reader->unit->cu, &die, NULL, NULL, NULL, NULL, NULL, NULL))
            return rt_error_format(RT_MALFORMED, "%s: unit at .debug_info+0x%llx: %s", reader->debug->label,
                                   (unsigned long long)reader->unit->offset, dwarf_errmsg(-1));
        struct rt_error *error = visit(reader, &die);
        if (error)
            return error;
    }
    return NULL;
}

static int compare_ranges(const void *a, const void *b) {
    const struct st_function_range *left = a, *right = b;
    if (left->range.low != right->range.low)
        return left->range.low < right->range.low ? -1 : 1;
    return left->function->index < right->function->index ? -1
                                                          : left->function->index > right->function->index;
}

static int compare_names(const void *a, const void *b) {
    const struct st_function *left = *(const struct st_function *const *)a;
    const struct st_function *right = *(const struct st_function *const *)b;
    int order = strcmp(left->name, right->name);
    if (order)
        return order;
    return left->index < right->index ? -1 : left->index > right->index;
}

/* First pc after the prologue. Compilers that do not mark it begin the body with a row of its own. */
static uint64_t find_body(const struct st_debug *debug, const struct st_function *function) {
    const struct st_row *row = st_debug_row_at(debug, function->low);
    if (!row)
        return function->low;
    uint64_t high = function->low;
    for (size_t i = 0; i < function->scope.range_count; i++)
        if (function->low >= function->scope.ranges[i].low && function->low < function->scope.ranges[i].high)
            high = function->scope.ranges[i].high;
    const struct st_row *end = debug->rows + debug->row_count;
    uint64_t second = function->low;
    while (row > debug->rows && row[-1].pc == row->pc && !row[-1].end_sequence)
        row--;
    for (; row < end && row->pc < high && !row->end_sequence; row++) {
        if (row->prologue_end)
            return row->pc;
        if (second == function->low && row->pc > function->low && row->is_stmt && row->line != 0)
            second = row->pc;
    }
    return second;
}

static uint64_t first_instruction(const struct st_debug *debug, uint64_t low) {
    uint32_t index, start, code, end;
    bool is_known = debug->module && low <= UINT32_MAX &&
                    rt_module_function_at(debug->module, (uint32_t)low, &index) &&
                    rt_module_function_range(debug->module, index, &start, &code, &end);
    return is_known && code > low ? code : low;
}

static struct rt_error *index_functions(struct st_reader *reader) {
    struct st_debug *debug = reader->debug;
    size_t count = 0;
    for (size_t i = 0; i < debug->function_count; i++)
        count += debug->functions[i].scope.range_count;
    debug->ranges = rt_arena_array(reader->arena, count, sizeof *debug->ranges);
    debug->by_name = rt_arena_array(reader->arena, debug->function_count, sizeof *debug->by_name);
    if (!debug->ranges || !debug->by_name)
        return st_reader_no_memory(reader);
    for (size_t i = 0; i < debug->function_count; i++) {
        struct st_function *function = &debug->functions[i];
        for (size_t j = 0; j < function->scope.range_count; j++)
            debug->ranges[debug->range_count++] =
                (struct st_function_range){function->scope.ranges[j], function};
        debug->by_name[i] = function;
        function->entry = first_instruction(debug, function->low);
        function->body = find_body(debug, function);
    }
    qsort(debug->ranges, debug->range_count, sizeof *debug->ranges, compare_ranges);
    qsort(debug->by_name, debug->function_count, sizeof *debug->by_name, compare_names);
    return NULL;
}

static struct rt_error *build(struct st_debug *debug) {
    struct st_reader reader = {.debug = debug, .arena = &debug->arena};
    debug->arena.limit = ARENA_BASE + ARENA_FACTOR * debug->image_size;
    /* File 0 stands for "no file". */
    const char **no_file = st_list_push(&reader.files, sizeof *no_file);
    struct rt_error *error = no_file ? list_units(&reader) : rt_error_out_of_memory();
    if (no_file)
        *no_file = "";
    if (!error)
        error = for_units(&reader, st_unit_open);
    if (!error)
        error = for_units(&reader, st_unit_read);
    if (!error)
        error = st_types_finish(&reader);
    if (!error)
        error = st_lines_finish(&reader);
    if (!error)
        error = st_units_finish(&reader);
    if (!error)
        error = index_functions(&reader);
    struct st_list *lists[] = {&reader.units,     &reader.functions, &reader.globals,
                               &reader.variables, &reader.scopes,    &reader.rows,
                               &reader.sequences, &reader.files,     &reader.types};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        st_list_clear(lists[i]);
    st_map_clear(&reader.file_names);
    st_map_clear(&reader.line_tables);
    return error;
}

/* ---- Opening and closing ---- */

/* Makes the model when its sections have been read, with that outcome. */
static struct rt_error *finish(struct st_debug *debug, struct rt_error *error, struct st_debug **ret) {
    if (!error)
        error = build(debug);
    if (error) {
        st_debug_close(debug);
        return error;
    }
    *ret = debug;
    return NULL;
}

static struct st_debug *allocate(void) {
    struct st_debug *debug = calloc(1, sizeof *debug);
    if (debug)
        rt_arena_init(&debug->arena, 0);
    return debug;
}

struct rt_error *st_debug_open_elf(const char *path, struct st_debug **ret) {
    struct st_debug *debug = allocate();
    return debug ? finish(debug, st_debug_read_elf(debug, path), ret) : rt_error_out_of_memory();
}

struct rt_error *st_debug_open_memory(const char *label, const uint8_t *bytes, size_t size,
                                      struct st_debug **ret) {
    struct st_debug *debug = allocate();
    return debug ? finish(debug, st_debug_read_memory(debug, label, bytes, size), ret)
                 : rt_error_out_of_memory();
}

struct rt_error *st_debug_open_wasm(const struct rt_module *module, struct st_debug **ret) {
    struct st_debug *debug = allocate();
    return debug ? finish(debug, st_debug_read_wasm(debug, module), ret) : rt_error_out_of_memory();
}

void st_debug_close(struct st_debug *debug) {
    if (!debug)
        return;
    st_debug_clear_image(debug);
    st_map_clear(&debug->types);
    rt_arena_clear(&debug->arena);
    free(debug);
}

/* ---- Questions ---- */

const struct st_function *st_debug_functions(const struct st_debug *debug, size_t *count) {
    *count = debug->function_count;
    return debug->functions;
}

const struct st_function *st_debug_function_at(const struct st_debug *debug, uint64_t pc) {
    size_t low = 0, high = debug->range_count; /* the first range that starts past pc */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (debug->ranges[middle].range.low <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low && pc < debug->ranges[low - 1].range.high ? debug->ranges[low - 1].function : NULL;
}

const struct st_function *st_debug_function_named(const struct st_debug *debug, const char *name) {
    size_t low = 0, high = debug->function_count; /* the first function whose name is not less */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(debug->by_name[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < debug->function_count && strcmp(debug->by_name[low]->name, name) == 0 ? debug->by_name[low]
                                                                                       : NULL;
}

const struct st_row *st_debug_rows(const struct st_debug *debug, size_t *count) {
    *count = debug->row_count;
    return debug->rows;
}

const struct st_row *st_debug_row_at(const struct st_debug *debug, uint64_t pc) {
    size_t low = 0, high = debug->row_count; /* the first row past pc */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (debug->rows[middle].pc <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low && !debug->rows[low - 1].end_sequence ? &debug->rows[low - 1] : NULL;
}

const struct st_variable *st_debug_globals(const struct st_debug *debug, size_t *count) {
    *count = debug->global_count;
    return debug->globals;
}

const char *st_debug_file(const struct st_debug *debug, uint32_t file) {
    return file < debug->file_count ? debug->files[file] : "";
}

static bool scope_holds(const struct st_scope *scope, uint64_t pc) {
    for (size_t i = 0; i < scope->range_count; i++)
        if (pc >= scope->ranges[i].low && pc < scope->ranges[i].high)
            return true;
    return false;
}

const struct st_scope *st_scope_at(const struct st_function *function, uint64_t pc) {
    const struct st_scope *scope = &function->scope;
    for (size_t i = 0; i < scope->child_count;) {
        if (scope_holds(&scope->children[i], pc)) {
            scope = &scope->children[i];
            i = 0;
        } else {
            i++;
        }
    }
    return scope;
}

const struct st_type *st_type_strip(const struct st_type *type) {
    while (type && type->kind >= ST_TYPE_TYPEDEF && type->kind <= ST_TYPE_ATOMIC)
        type = type->target;
    return type;
}
