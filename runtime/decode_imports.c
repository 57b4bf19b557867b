/* The decoder's import section, the types that imports and definitions share, and names. */
#include "runtime/decode.h"

#include <string.h>

bool rt_utf8_valid(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size;) {
        uint8_t lead = bytes[i++];
        if (lead < 0x80)
            continue;
        unsigned more;
        uint32_t smallest, point;
        if ((lead & 0xe0) == 0xc0) {
            more = 1, smallest = 0x80, point = lead & 0x1f;
        } else if ((lead & 0xf0) == 0xe0) {
            more = 2, smallest = 0x800, point = lead & 0x0f;
        } else if ((lead & 0xf8) == 0xf0) {
            more = 3, smallest = 0x10000, point = lead & 0x07;
        } else {
            return false;
        }
        if (size - i < more)
            return false;
        for (; more; more--, i++) {
            if ((bytes[i] & 0xc0) != 0x80)
                return false;
            point = point << 6 | (bytes[i] & 0x3f);
        }
        if (point < smallest || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
    }
    return true;
}

struct rt_error *rt_name_read(struct rt_module *module, struct rt_cursor *cursor, const char *what,
                              const char **ret, size_t *ret_size) {
    uint32_t size;
    const uint8_t *bytes;
    struct rt_error *error = rt_read_u32(cursor, what, &size);
    if (error)
        return error;
    uint64_t offset = rt_cursor_offset(cursor);
    error = rt_cursor_bytes(cursor, size, what, &bytes);
    if (error)
        return error;
    if (!rt_utf8_valid(bytes, size))
        return rt_decode_error(RT_MALFORMED, offset, "%s: malformed UTF-8 encoding", what);
    *ret = rt_arena_copy(&module->arena, bytes, size);
    *ret_size = size;
    return *ret ? NULL : rt_error_out_of_memory();
}

/* Limits (section 5.3.4). The maximum's flag is a number of one bit. */
static struct rt_error *read_limits(struct rt_cursor *cursor, const char *what, struct rt_limits *ret) {
    uint64_t offset = rt_cursor_offset(cursor);
    uint8_t flags;
    struct rt_error *error = rt_cursor_u8(cursor, what, &flags);
    if (error)
        return error;
    if (flags == 3)
        return rt_decode_error(RT_UNSUPPORTED, offset,
                               "%s: not supported: threads (limits flags 0x03, shared)", what);
    if (flags >= 4 && flags <= 7)
        return rt_decode_error(RT_UNSUPPORTED, offset,
                               "%s: not supported: 64-bit addresses (limits flags 0x%02x)", what, flags);
    if (flags > 1)
        return rt_decode_error(RT_MALFORMED, offset, "%s: malformed limits flags 0x%02x: %s", what, flags,
                               flags & 0x80 ? "integer representation too long" : "integer too large");
    uint32_t min, max;
    error = rt_read_u32(cursor, "minimum", &min);
    if (error)
        return error;
    *ret = (struct rt_limits){min, UINT64_MAX};
    if (flags == 1) {
        error = rt_read_u32(cursor, "maximum", &max);
        if (error)
            return error;
        ret->max = max;
    }
    if (ret->min > ret->max)
        return rt_decode_error(RT_INVALID, offset,
                               "%s: size minimum must not be greater than maximum: %u, %u", what, min, max);
    return NULL;
}

struct rt_error *rt_table_type_read(struct rt_cursor *cursor, struct rt_table_type *ret) {
    uint64_t offset = rt_cursor_offset(cursor);
    /* A table with an initial value starts with 0x40 0x00 in the later specification. */
    if (cursor->next != cursor->end && *cursor->next == 0x40)
        return rt_decode_error(RT_UNSUPPORTED, offset,
                               "table type: not supported: typed function references");
    uint8_t type;
    struct rt_error *error = rt_reference_type_read(cursor, "table type", &type);
    if (error)
        return error;
    ret->type = (enum rt_type)type;
    return read_limits(cursor, "table type", &ret->limits);
}

struct rt_error *rt_memory_type_read(struct rt_cursor *cursor, struct rt_limits *ret) {
    uint64_t offset = rt_cursor_offset(cursor);
    struct rt_error *error = read_limits(cursor, "memory type", ret);
    if (error)
        return error;
    if (ret->min > 65536 || (ret->max != UINT64_MAX && ret->max > 65536))
        return rt_decode_error(RT_INVALID, offset,
                               "memory type: memory size must be at most 65536 pages (4GiB): %llu asked for",
                               (unsigned long long)(ret->min > 65536 ? ret->min : ret->max));
    return NULL;
}

struct rt_error *rt_global_type_read(struct rt_cursor *cursor, struct rt_global_type *ret) {
    uint8_t type, is_mutable;
    struct rt_error *error = rt_value_type_read(cursor, "global type", &type);
    if (error)
        return error;
    uint64_t offset = rt_cursor_offset(cursor);
    error = rt_cursor_u8(cursor, "mutability", &is_mutable);
    if (error)
        return error;
    if (is_mutable > 1)
        return rt_decode_error(RT_MALFORMED, offset, "malformed mutability 0x%02x", is_mutable);
    *ret = (struct rt_global_type){(enum rt_type)type, is_mutable == 1};
    return NULL;
}

/* What is imported, by its kind; `type_index` is a function's. */
static struct rt_error *read_import_type(const struct rt_module *module, struct rt_cursor *cursor,
                                         struct rt_import *import, uint32_t *type_index) {
    uint64_t offset = rt_cursor_offset(cursor);
    uint8_t kind;
    struct rt_error *error = rt_cursor_u8(cursor, "import kind", &kind);
    if (error)
        return error;
    struct rt_table_type table;
    struct rt_global_type global;
    switch (kind) {
    case RT_EXTERN_FUNC:
        offset = rt_cursor_offset(cursor);
        error = rt_read_u32(cursor, "type index", type_index);
        if (error)
            return error;
        if (*type_index >= module->type_count)
            return rt_decode_error(RT_INVALID, offset, "unknown type %u of an import, the module has %u",
                                   *type_index, module->type_count);
        import->func = module->types[*type_index];
        break;
    case RT_EXTERN_TABLE:
        error = rt_table_type_read(cursor, &table);
        if (error)
            return error;
        import->type = table.type;
        import->limits = table.limits;
        break;
    case RT_EXTERN_MEMORY:
        error = rt_memory_type_read(cursor, &import->limits);
        if (error)
            return error;
        break;
    case RT_EXTERN_GLOBAL:
        error = rt_global_type_read(cursor, &global);
        if (error)
            return error;
        import->type = global.type;
        import->is_mutable = global.is_mutable;
        break;
    default:
        return rt_decode_error(RT_MALFORMED, offset, "malformed import kind 0x%02x%s", kind,
                               kind == 4 ? " (a tag: exception handling is not supported)" : "");
    }
    import->kind = (enum rt_extern_kind)kind;
    return NULL;
}

/* Puts the imports in front of the index spaces; `type_indices` are by import. */
static struct rt_error *fill_index_spaces(struct rt_module *module, const uint32_t *type_indices) {
    uint32_t counts[4] = {0};
    for (uint32_t i = 0; i < module->import_count; i++)
        counts[module->imports[i].kind]++;
    uint32_t *function_types = rt_arena_array(&module->arena, counts[RT_EXTERN_FUNC], sizeof *function_types);
    struct rt_table_type *tables = rt_arena_array(&module->arena, counts[RT_EXTERN_TABLE], sizeof *tables);
    struct rt_limits *memories = rt_arena_array(&module->arena, counts[RT_EXTERN_MEMORY], sizeof *memories);
    struct rt_global_type *globals =
        rt_arena_array(&module->arena, counts[RT_EXTERN_GLOBAL], sizeof *globals);
    if (!function_types || !tables || !memories || !globals)
        return rt_error_out_of_memory();
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < module->import_count; i++) {
        const struct rt_import *import = &module->imports[i];
        uint32_t index = counts[import->kind]++;
        switch (import->kind) {
        case RT_EXTERN_FUNC: function_types[index] = type_indices[i]; break;
        case RT_EXTERN_TABLE: tables[index] = (struct rt_table_type){import->type, import->limits}; break;
        case RT_EXTERN_MEMORY: memories[index] = import->limits; break;
        case RT_EXTERN_GLOBAL:
            globals[index] = (struct rt_global_type){import->type, import->is_mutable};
            break;
        }
    }
    module->function_types = function_types;
    module->tables = tables;
    module->memories = memories;
    module->globals = globals;
    module->function_count = module->imported_functions = counts[RT_EXTERN_FUNC];
    module->table_count = module->imported_tables = counts[RT_EXTERN_TABLE];
    module->memory_count = module->imported_memories = counts[RT_EXTERN_MEMORY];
    module->global_count = module->imported_globals = counts[RT_EXTERN_GLOBAL];
    return NULL;
}

struct rt_error *rt_import_section_read(struct rt_module *module, struct rt_cursor *cursor) {
    uint64_t section_offset = rt_cursor_offset(cursor);
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(cursor, "import count", 3, &count);
    if (error)
        return error;
    struct rt_import *imports = rt_arena_array(&module->arena, count, sizeof *imports);
    uint32_t *type_indices = rt_arena_array(&module->arena, count, sizeof *type_indices);
    if (!imports || !type_indices)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < count; i++) {
        struct rt_import *import = &imports[i];
        error = rt_name_read(module, cursor, "import's module name", &import->module, &import->module_size);
        if (!error)
            error = rt_name_read(module, cursor, "import's name", &import->name, &import->name_size);
        if (!error)
            error = read_import_type(module, cursor, import, &type_indices[i]);
        if (error)
            return error;
    }
    module->imports = imports;
    module->import_count = count;
    error = fill_index_spaces(module, type_indices);
    if (!error && module->memory_count > 1)
        error = rt_decode_error(RT_UNSUPPORTED, section_offset, "not supported: multiple memories");
    return error;
}
