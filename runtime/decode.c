/* The decoder (core specification, section 5.5): one pass over the sections of a module, in their order, with
 * the validation rules that need no function body (section 3.4). decode_imports.c, decode_segments.c and
 * decode_code.c read the larger sections. */
#include "runtime/decode.h"

#include <stdlib.h>
#include <string.h>

/* Reads one section's contents; what it leaves unread is a section size mismatch. */
typedef struct rt_error *(*section_reader)(struct rt_module *module, struct rt_cursor *cursor);

static struct rt_error *read_types(struct rt_module *module, struct rt_cursor *cursor) {
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(cursor, "type count", 3, &count);
    if (error)
        return error;
    struct rt_func_type *types = rt_arena_array(&module->arena, count, sizeof *types);
    if (!types)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < count; i++) {
        uint64_t offset = rt_cursor_offset(cursor);
        uint8_t form;
        error = rt_cursor_u8(cursor, "type form", &form);
        if (error)
            return error;
        if (form != 0x60) {
            const char *feature = rt_feature_find(RT_FEATURE_FORM, form);
            if (feature)
                return rt_decode_error(RT_UNSUPPORTED, offset, "not supported: %s (type form 0x%02x)",
                                       feature, form);
            return rt_decode_error(RT_MALFORMED, offset,
                                   "malformed type form 0x%02x, a function type is 0x60%s", form,
                                   form & 0x80 ? " (integer representation too long)" : "");
        }
        /* Types are single bytes, so the lists can stay where they are. */
        for (int list = 0; list < 2; list++) {
            const char *what = list ? "result types" : "parameter types";
            uint32_t length;
            offset = rt_cursor_offset(cursor);
            error = rt_vector_count_read(cursor, what, 1, &length);
            if (error)
                return error;
            if (length > RT_MAX_PARAMS)
                return rt_decode_error(RT_UNSUPPORTED, offset,
                                       "%s: not supported: %u of them, at most %d are", what, length,
                                       RT_MAX_PARAMS);
            *(list ? &types[i].results : &types[i].params) = cursor->next;
            *(list ? &types[i].result_count : &types[i].param_count) = length;
            uint8_t type;
            for (uint32_t k = 0; k < length && !error; k++)
                error = rt_value_type_read(cursor, what, &type);
            if (error)
                return error;
        }
    }
    module->types = types;
    module->type_count = count;
    return NULL;
}

static struct rt_error *read_functions(struct rt_module *module, struct rt_cursor *cursor) {
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(cursor, "function count", 1, &count);
    if (error)
        return error;
    uint32_t imported = module->imported_functions;
    uint32_t *function_types =
        rt_arena_array(&module->arena, (size_t)imported + count, sizeof *function_types);
    if (!function_types)
        return rt_error_out_of_memory();
    if (imported)
        memcpy(function_types, module->function_types, imported * sizeof *function_types);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t offset = rt_cursor_offset(cursor);
        uint32_t *type = &function_types[imported + i];
        error = rt_read_u32(cursor, "type index", type);
        if (error)
            return error;
        if (*type >= module->type_count)
            return rt_decode_error(RT_INVALID, offset, "unknown type %u of function %u, the module has %u",
                                   *type, imported + i, module->type_count);
    }
    module->function_types = function_types;
    module->function_count = imported + count;
    return NULL;
}

static struct rt_error *read_tables(struct rt_module *module, struct rt_cursor *cursor) {
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(cursor, "table count", 2, &count);
    if (error)
        return error;
    uint32_t imported = module->imported_tables;
    struct rt_table_type *tables = rt_arena_array(&module->arena, (size_t)imported + count, sizeof *tables);
    if (!tables)
        return rt_error_out_of_memory();
    if (imported)
        memcpy(tables, module->tables, imported * sizeof *tables);
    for (uint32_t i = 0; i < count && !error; i++)
        error = rt_table_type_read(cursor, &tables[imported + i]);
    if (error)
        return error;
    module->tables = tables;
    module->table_count = imported + count;
    return NULL;
}

static struct rt_error *read_memories(struct rt_module *module, struct rt_cursor *cursor) {
    uint64_t offset = rt_cursor_offset(cursor);
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(cursor, "memory count", 1, &count);
    if (error)
        return error;
    if (module->memory_count + (uint64_t)count > 1)
        return rt_decode_error(RT_UNSUPPORTED, offset, "not supported: multiple memories");
    if (count == 0)
        return NULL;
    struct rt_limits *memory = rt_arena_alloc(&module->arena, sizeof *memory);
    if (!memory)
        return rt_error_out_of_memory();
    error = rt_memory_type_read(cursor, memory);
    if (error)
        return error;
    module->memories = memory;
    module->memory_count = 1;
    return NULL;
}

static struct rt_error *read_globals(struct rt_module *module, struct rt_cursor *cursor) {
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(cursor, "global count", 3, &count);
    if (error)
        return error;
    uint32_t imported = module->imported_globals;
    struct rt_global_type *globals =
        rt_arena_array(&module->arena, (size_t)imported + count, sizeof *globals);
    struct rt_const_expr *inits = rt_arena_array(&module->arena, count, sizeof *inits);
    if (!globals || !inits)
        return rt_error_out_of_memory();
    if (imported)
        memcpy(globals, module->globals, imported * sizeof *globals);
    for (uint32_t i = 0; i < count; i++) {
        struct rt_global_type *global = &globals[imported + i];
        error = rt_global_type_read(cursor, global);
        if (error)
            return error;
        error = rt_const_expr_read(module, cursor, global->type, &inits[i]);
        if (error)
            return error;
    }
    module->globals = globals;
    module->global_inits = inits;
    module->global_count = imported + count;
    return NULL;
}

static int compare_names(const struct rt_export_entry *a, const struct rt_export_entry *b) {
    int order = memcmp(a->name, b->name, a->name_size < b->name_size ? a->name_size : b->name_size);
    if (order)
        return order;
    return (a->name_size > b->name_size) - (a->name_size < b->name_size);
}

static int compare_entries(const void *a, const void *b) {
    return compare_names(*(const struct rt_export_entry *const *)a,
                         *(const struct rt_export_entry *const *)b);
}

/* Export names are unique (section 3.4.10). Sorting keeps that fast for any number of them. */
static struct rt_error *check_export_names(const struct rt_export_entry *exports, uint32_t count,
                                           uint64_t section_offset) {
    if (count < 2)
        return NULL;
    const struct rt_export_entry **sorted = calloc(count, sizeof *sorted);
    if (!sorted)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &exports[i];
    qsort(sorted, count, sizeof *sorted, compare_entries);
    struct rt_error *error = NULL;
    for (uint32_t i = 1; i < count && !error; i++)
        if (compare_names(sorted[i - 1], sorted[i]) == 0)
            error = rt_decode_error(RT_INVALID, section_offset, "duplicate export name \"%s\"",
                                    rt_printable(sorted[i]->name).text);
    free(sorted);
    return error;
}

static struct rt_error *read_exports(struct rt_module *module, struct rt_cursor *cursor) {
    uint64_t section_offset = rt_cursor_offset(cursor);
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(cursor, "export count", 3, &count);
    if (error)
        return error;
    struct rt_export_entry *exports = rt_arena_array(&module->arena, count, sizeof *exports);
    if (!exports)
        return rt_error_out_of_memory();
    const struct {
        const char *text;
        uint32_t count;
    } kinds[] = {
        [RT_EXTERN_FUNC] = {"function", module->function_count},
        [RT_EXTERN_TABLE] = {"table", module->table_count},
        [RT_EXTERN_MEMORY] = {"memory", module->memory_count},
        [RT_EXTERN_GLOBAL] = {"global", module->global_count},
    };
    for (uint32_t i = 0; i < count; i++) {
        struct rt_export_entry *entry = &exports[i];
        error = rt_name_read(module, cursor, "export name", &entry->name, &entry->name_size);
        if (error)
            return error;
        uint64_t offset = rt_cursor_offset(cursor);
        uint8_t kind;
        error = rt_cursor_u8(cursor, "export kind", &kind);
        if (error)
            return error;
        if (kind > RT_EXTERN_GLOBAL)
            return rt_decode_error(RT_MALFORMED, offset, "malformed export kind 0x%02x", kind);
        entry->kind = (enum rt_extern_kind)kind;
        offset = rt_cursor_offset(cursor);
        error = rt_read_u32(cursor, "export index", &entry->index);
        if (error)
            return error;
        if (entry->index >= kinds[kind].count)
            return rt_decode_error(RT_INVALID, offset, "unknown %s %u of export \"%s\", the module has %u",
                                   kinds[kind].text, entry->index, rt_printable(entry->name).text,
                                   kinds[kind].count);
        if (kind == RT_EXTERN_FUNC) {
            error = rt_module_declare_function(module, entry->index);
            if (error)
                return error;
        }
    }
    module->exports = exports;
    module->export_count = count;
    return check_export_names(exports, count, section_offset);
}

static struct rt_error *read_start(struct rt_module *module, struct rt_cursor *cursor) {
    uint64_t offset = rt_cursor_offset(cursor);
    struct rt_error *error = rt_read_u32(cursor, "start function", &module->start);
    if (error)
        return error;
    if (module->start >= module->function_count)
        return rt_decode_error(RT_INVALID, offset, "start function: unknown function %u, the module has %u",
                               module->start, module->function_count);
    const struct rt_func_type *type = &module->types[module->function_types[module->start]];
    if (type->param_count || type->result_count)
        return rt_decode_error(RT_INVALID, offset,
                               "start function %u has %u parameters and %u results, it must have none",
                               module->start, type->param_count, type->result_count);
    module->has_start = true;
    return NULL;
}

static struct rt_error *read_data_count(struct rt_module *module, struct rt_cursor *cursor) {
    struct rt_error *error = rt_read_u32(cursor, "data count", &module->data_count);
    module->has_data_count = !error;
    return error;
}

/* The sections by id, with their place in the module (section 5.5.2). */
static const struct {
    const char *name;
    unsigned place;
    section_reader read;
} sections[] = {
    [0] = {"custom section", 0, NULL},
    [1] = {"type section", 1, read_types},
    [2] = {"import section", 2, rt_import_section_read},
    [3] = {"function section", 3, read_functions},
    [4] = {"table section", 4, read_tables},
    [5] = {"memory section", 5, read_memories},
    [6] = {"global section", 6, read_globals},
    [7] = {"export section", 7, read_exports},
    [8] = {"start section", 8, read_start},
    [9] = {"element section", 9, rt_element_section_read},
    [10] = {"code section", 11, rt_code_section_read},
    [11] = {"data section", 12, rt_data_section_read},
    [12] = {"data count section", 10, read_data_count},
};
enum { SECTION_CUSTOM = 0, SECTION_COUNT = sizeof sections / sizeof *sections };

/* A custom section's name and where its bytes are; `capacity` is that of the module's growing list. */
static struct rt_error *read_custom(struct rt_module *module, struct rt_cursor *cursor, uint32_t *capacity) {
    struct rt_custom custom;
    struct rt_error *error =
        rt_name_read(module, cursor, "custom section's name", &custom.name, &custom.name_size);
    if (error)
        return error;
    custom.bytes = cursor->next;
    custom.size = rt_cursor_left(cursor);
    cursor->next = cursor->end;
    struct rt_custom *customs = (struct rt_custom *)module->customs;
    if (module->custom_count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 8;
        customs = rt_arena_array(&module->arena, *capacity, sizeof *customs);
        if (!customs)
            return rt_error_out_of_memory();
        if (module->custom_count)
            memcpy(customs, module->customs, module->custom_count * sizeof *customs);
        module->customs = customs;
    }
    customs[module->custom_count++] = custom;
    return NULL;
}

static struct rt_error *read_header(struct rt_cursor *cursor) {
    uint64_t offset = rt_cursor_offset(cursor);
    uint32_t version;
    const uint8_t *magic;
    struct rt_error *error = rt_cursor_bytes(cursor, 4, "magic header", &magic);
    if (error)
        return error;
    if (memcmp(magic, "\0asm", 4) != 0)
        return rt_decode_error(
            RT_MALFORMED, offset,
            "magic header not detected: %02x %02x %02x %02x, a WebAssembly module has 00 61 73 6d", magic[0],
            magic[1], magic[2], magic[3]);
    offset = rt_cursor_offset(cursor);
    error = rt_cursor_u32(cursor, "binary version", &version);
    if (error)
        return error;
    if (version != 1)
        return rt_decode_error(RT_MALFORMED, offset, "unknown binary version 0x%x%s", version,
                               version >> 16 == 1 ? " (a component, not a module)" : ", 1 is known");
    return NULL;
}

/* The id and the contents of the next section. */
static struct rt_error *read_section_header(struct rt_cursor *cursor, unsigned *place, uint8_t *ret_id,
                                            struct rt_cursor *ret) {
    uint64_t offset = rt_cursor_offset(cursor);
    struct rt_error *error = rt_cursor_u8(cursor, "section id", ret_id);
    if (error)
        return error;
    uint8_t id = *ret_id;
    if (id >= SECTION_COUNT) {
        const char *feature = rt_feature_find(RT_FEATURE_SECTION, id);
        if (feature)
            return rt_decode_error(RT_UNSUPPORTED, offset, "malformed section id %u: not supported: %s", id,
                                   feature);
        return rt_decode_error(RT_MALFORMED, offset, "malformed section id %u", id);
    }
    uint32_t size;
    error = rt_read_u32(cursor, "section size", &size);
    if (error)
        return rt_error_context(error, "%s", sections[id].name);
    uint64_t base = rt_cursor_offset(cursor);
    const uint8_t *bytes;
    error = rt_cursor_bytes(cursor, size, "section contents", &bytes);
    if (error)
        return rt_error_context(error, "%s", sections[id].name);
    if (id != SECTION_CUSTOM) {
        if (sections[id].place <= *place)
            return rt_decode_error(RT_MALFORMED, offset,
                                   "unexpected content after last section: %s is out of order or there twice",
                                   sections[id].name);
        *place = sections[id].place;
    }
    *ret = rt_cursor_make(bytes, size, base);
    return NULL;
}

/* What only the end of the module tells. */
static struct rt_error *check_lengths(const struct rt_module *module, uint64_t end) {
    if (module->function_count != module->imported_functions && !module->bodies)
        return rt_decode_error(RT_MALFORMED, end,
                               "function and code section have inconsistent lengths: %u functions, no bodies",
                               module->function_count - module->imported_functions);
    if (module->data_count && !module->datas)
        return rt_decode_error(
            RT_MALFORMED, end,
            "data count and data section have inconsistent lengths: %u counted, none there",
            module->data_count);
    return NULL;
}

struct rt_error *rt_module_decode(struct rt_module *module) {
    struct rt_cursor cursor = rt_cursor_make(module->bytes, module->size, 0);
    struct rt_error *error = read_header(&cursor);
    unsigned place = 0;
    uint32_t custom_capacity = 0;
    while (!error && cursor.next != cursor.end) {
        uint8_t id;
        struct rt_cursor contents;
        error = read_section_header(&cursor, &place, &id, &contents);
        if (error)
            return error;
        error = id == SECTION_CUSTOM ? read_custom(module, &contents, &custom_capacity)
                                     : sections[id].read(module, &contents);
        if (!error && contents.next != contents.end)
            error = rt_cursor_error(&contents, "section size mismatch: %zu bytes more than its contents",
                                    rt_cursor_left(&contents));
        if (error)
            return rt_error_context(error, "%s", sections[id].name);
    }
    if (!error)
        error = check_lengths(module, rt_cursor_offset(&cursor));
    /* The list is there even when nothing is on it. */
    if (!error)
        error = rt_module_declare_functions(module);
    return error;
}
