/* Function names: the name section (core specification, appendix 7.4), else what exports and imports call
 * them. */
#include "runtime/decode.h"

enum { NAME_SUBSECTION_FUNCTIONS = 1 };

/* A name map: an index and a name each. */
static struct rt_error *read_function_names(struct rt_module *module, struct rt_cursor *cursor) {
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(cursor, "name count", 2, &count);
    for (uint32_t i = 0; i < count && !error; i++) {
        uint32_t function;
        const char *name;
        size_t size;
        error = rt_read_u32(cursor, "function index", &function);
        if (!error)
            error = rt_name_read(module, cursor, "function name", &name, &size);
        if (!error && function < module->function_count && size && !module->function_names[function])
            module->function_names[function] = name;
    }
    return error;
}

static struct rt_error *read_name_section(struct rt_module *module, struct rt_cursor *cursor) {
    while (cursor->next != cursor->end) {
        uint8_t id;
        uint32_t size;
        const uint8_t *bytes = NULL;
        uint64_t base = 0;
        struct rt_error *error = rt_cursor_u8(cursor, "name subsection", &id);
        if (!error)
            error = rt_read_u32(cursor, "name subsection's size", &size);
        if (!error) {
            base = rt_cursor_offset(cursor);
            error = rt_cursor_bytes(cursor, size, "name subsection", &bytes);
        }
        if (!error && id == NAME_SUBSECTION_FUNCTIONS) {
            struct rt_cursor names = rt_cursor_make(bytes, size, base);
            error = read_function_names(module, &names);
        }
        if (error)
            return error;
    }
    return NULL;
}

struct rt_error *rt_module_name_functions(struct rt_module *module) {
    module->function_names =
        rt_arena_array(&module->arena, module->function_count, sizeof *module->function_names);
    if (!module->function_names)
        return rt_error_out_of_memory();
    const uint8_t *bytes;
    size_t size;
    if (rt_module_custom(module, "name", &bytes, &size)) {
        struct rt_cursor cursor = rt_cursor_make(bytes, size, (uint64_t)(bytes - module->bytes));
        struct rt_error *error = read_name_section(module, &cursor);
        if (error && error->code == RT_OUT_OF_MEMORY)
            return error;
        /* A custom section cannot make a module malformed: the names up to the mistake stand. */
        rt_error_destroy(error);
    }
    for (uint32_t i = 0; i < module->export_count; i++) {
        const struct rt_export_entry *entry = &module->exports[i];
        if (entry->kind == RT_EXTERN_FUNC && entry->name_size && !module->function_names[entry->index])
            module->function_names[entry->index] = entry->name;
    }
    uint32_t function = 0;
    for (uint32_t i = 0; i < module->import_count; i++) {
        const struct rt_import *import = &module->imports[i];
        if (import->kind != RT_EXTERN_FUNC)
            continue;
        if (import->name_size && !module->function_names[function])
            module->function_names[function] = import->name;
        function++;
    }
    return NULL;
}
