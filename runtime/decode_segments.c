/* The decoder's element and data sections, and the constant expressions that they and globals hold. */
#include "runtime/decode.h"

#include <string.h>

struct rt_error *rt_module_declare_functions(struct rt_module *module) {
    if (!module->declared_refs)
        module->declared_refs = rt_arena_alloc(&module->arena, module->function_count);
    return module->declared_refs ? NULL : rt_error_out_of_memory();
}

struct rt_error *rt_module_declare_function(struct rt_module *module, uint32_t function) {
    struct rt_error *error = rt_module_declare_functions(module);
    if (!error)
        ((uint8_t *)module->declared_refs)[function] = 1;
    return error;
}

/* A function index that may become a reference. */
static struct rt_error *read_function(struct rt_module *module, struct rt_cursor *cursor, uint32_t *ret) {
    uint64_t offset = rt_cursor_offset(cursor);
    struct rt_error *error = rt_read_u32(cursor, "function index", ret);
    if (error)
        return error;
    if (*ret >= module->function_count)
        return rt_decode_error(RT_INVALID, offset, "unknown function %u, the module has %u", *ret,
                               module->function_count);
    return rt_module_declare_function(module, *ret);
}

/* The global of a global.get in a constant expression: an imported and immutable one. */
static struct rt_error *read_const_global(const struct rt_module *module, struct rt_cursor *cursor,
                                          struct rt_const_expr *expression) {
    uint64_t offset = rt_cursor_offset(cursor);
    struct rt_error *error = rt_read_u32(cursor, "global index", &expression->index);
    if (error)
        return error;
    if (expression->index >= module->imported_globals)
        return rt_decode_error(RT_INVALID, offset,
                               "unknown global %u: a constant expression sees the %u imported ones only",
                               expression->index, module->imported_globals);
    if (module->globals[expression->index].is_mutable)
        return rt_decode_error(RT_INVALID, offset, "constant expression required: global %u is mutable",
                               expression->index);
    expression->kind = RT_CONST_GLOBAL;
    expression->type = module->globals[expression->index].type;
    return NULL;
}

/* One instruction of a constant expression. */
static struct rt_error *read_const_instruction(struct rt_module *module, struct rt_cursor *cursor,
                                               uint32_t opcode, uint64_t offset, struct rt_const_expr *ret) {
    *ret = (struct rt_const_expr){.kind = RT_CONST_VALUE};
    struct rt_error *error;
    int64_t number = 0;
    uint8_t type;
    const uint8_t *bytes;
    switch (opcode) {
    case RT_OP_I32_CONST:
        error = rt_cursor_sleb(cursor, 32, "i32.const", &number);
        ret->type = RT_I32;
        ret->value.i32 = (uint32_t)number;
        return error;
    case RT_OP_I64_CONST:
        error = rt_cursor_sleb(cursor, 64, "i64.const", &number);
        ret->type = RT_I64;
        ret->value.i64 = (uint64_t)number;
        return error;
    /* Floats are kept as bits: a signalling NaN stays what it is. */
    case RT_OP_F32_CONST: ret->type = RT_F32; return rt_cursor_u32(cursor, "f32.const", &ret->value.i32);
    case RT_OP_F64_CONST: ret->type = RT_F64; return rt_cursor_u64(cursor, "f64.const", &ret->value.i64);
    case RT_OP_V128_CONST:
        error = rt_cursor_bytes(cursor, 16, "v128.const", &bytes);
        ret->type = RT_V128;
        if (!error)
            memcpy(ret->value.v128, bytes, 16);
        return error;
    case RT_OP_REF_NULL:
        error = rt_reference_type_read(cursor, "ref.null", &type);
        if (error)
            return error;
        ret->kind = RT_CONST_NULL;
        ret->type = (enum rt_type)type;
        return NULL;
    case RT_OP_REF_FUNC:
        ret->kind = RT_CONST_FUNC;
        ret->type = RT_FUNCREF;
        return read_function(module, cursor, &ret->index);
    case RT_OP_GLOBAL_GET: return read_const_global(module, cursor, ret);
    default:
        return rt_decode_error(RT_INVALID, offset, "constant expression required: %s is not constant",
                               rt_opcodes[opcode].text);
    }
}

struct rt_error *rt_const_expr_read(struct rt_module *module, struct rt_cursor *cursor, enum rt_type type,
                                    struct rt_const_expr *ret) {
    uint64_t start = rt_cursor_offset(cursor);
    size_t values = 0;
    for (;;) {
        uint64_t offset = rt_cursor_offset(cursor);
        if (cursor->next == cursor->end)
            return rt_decode_error(
                RT_MALFORMED, offset,
                "constant expression: unexpected end of section or function: END opcode expected");
        uint32_t opcode;
        struct rt_error *error = rt_opcode_read(cursor, &opcode);
        if (error)
            return error;
        if (opcode == RT_OP_END)
            break;
        error = read_const_instruction(module, cursor, opcode, offset, ret);
        if (error)
            return error;
        values++;
    }
    if (values != 1)
        return rt_decode_error(RT_INVALID, start,
                               "constant expression: type mismatch: expected one %s, found %zu values",
                               rt_type_name(type), values);
    if (ret->type != type)
        return rt_decode_error(RT_INVALID, start, "constant expression: type mismatch: expected %s, found %s",
                               rt_type_name(type), rt_type_name(ret->type));
    return NULL;
}

/* What an element segment's leading number says (section 5.5.12). */
enum { ELEMENT_NOT_ACTIVE = 1, ELEMENT_EXPLICIT = 2, ELEMENT_EXPRESSIONS = 4, ELEMENT_FLAGS = 7 };

/* The type of a segment's items: implied, an element kind, or a reference type. */
static struct rt_error *read_element_type(struct rt_cursor *cursor, uint32_t flags, enum rt_type *ret) {
    *ret = RT_FUNCREF;
    if (!(flags & (ELEMENT_NOT_ACTIVE | ELEMENT_EXPLICIT)))
        return NULL;
    uint64_t offset = rt_cursor_offset(cursor);
    uint8_t byte;
    struct rt_error *error;
    if (flags & ELEMENT_EXPRESSIONS) {
        error = rt_reference_type_read(cursor, "element type", &byte);
        if (!error)
            *ret = (enum rt_type)byte;
        return error;
    }
    error = rt_cursor_u8(cursor, "element kind", &byte);
    if (!error && byte != 0)
        error = rt_decode_error(RT_MALFORMED, offset, "malformed element kind 0x%02x", byte);
    return error;
}

static struct rt_error *read_element_items(struct rt_module *module, struct rt_cursor *cursor, uint32_t flags,
                                           struct rt_element_segment *segment) {
    struct rt_error *error =
        rt_vector_count_read(cursor, "element count", flags & ELEMENT_EXPRESSIONS ? 2 : 1, &segment->count);
    if (error)
        return error;
    struct rt_const_expr *items = rt_arena_array(&module->arena, segment->count, sizeof *items);
    if (!items)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < segment->count; i++) {
        if (flags & ELEMENT_EXPRESSIONS) {
            error = rt_const_expr_read(module, cursor, segment->type, &items[i]);
        } else {
            items[i] = (struct rt_const_expr){.kind = RT_CONST_FUNC, .type = RT_FUNCREF};
            error = read_function(module, cursor, &items[i].index);
        }
        if (error)
            return error;
    }
    segment->items = items;
    return NULL;
}

static struct rt_error *read_element(struct rt_module *module, struct rt_cursor *cursor,
                                     struct rt_element_segment *segment) {
    uint64_t start = rt_cursor_offset(cursor);
    uint32_t flags;
    struct rt_error *error = rt_read_u32(cursor, "element segment", &flags);
    if (error)
        return error;
    if (flags > ELEMENT_FLAGS)
        return rt_decode_error(RT_MALFORMED, start, "malformed elements segment kind %u", flags);
    segment->mode = flags & ELEMENT_NOT_ACTIVE
                        ? flags & ELEMENT_EXPLICIT ? RT_SEGMENT_DECLARED : RT_SEGMENT_PASSIVE
                        : RT_SEGMENT_ACTIVE;
    if (segment->mode == RT_SEGMENT_ACTIVE) {
        if (flags & ELEMENT_EXPLICIT) {
            error = rt_read_u32(cursor, "table index", &segment->table);
            if (error)
                return error;
        }
        if (segment->table >= module->table_count)
            return rt_decode_error(RT_INVALID, start,
                                   "unknown table %u of an element segment, the module has %u",
                                   segment->table, module->table_count);
        error = rt_const_expr_read(module, cursor, RT_I32, &segment->offset);
        if (error)
            return error;
    }
    error = read_element_type(cursor, flags, &segment->type);
    if (error)
        return error;
    if (segment->mode == RT_SEGMENT_ACTIVE && module->tables[segment->table].type != segment->type)
        return rt_decode_error(
            RT_INVALID, start, "element segment: type mismatch: table %u holds %s, the segment %s",
            segment->table, rt_type_name(module->tables[segment->table].type), rt_type_name(segment->type));
    return read_element_items(module, cursor, flags, segment);
}

struct rt_error *rt_element_section_read(struct rt_module *module, struct rt_cursor *cursor) {
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(cursor, "segment count", 3, &count);
    if (error)
        return error;
    struct rt_element_segment *elements = rt_arena_array(&module->arena, count, sizeof *elements);
    if (!elements)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < count && !error; i++)
        error = read_element(module, cursor, &elements[i]);
    module->elements = elements;
    module->element_count = count;
    return error;
}

static struct rt_error *read_data(struct rt_module *module, struct rt_cursor *cursor,
                                  struct rt_data_segment *data) {
    uint64_t start = rt_cursor_offset(cursor);
    uint32_t flags;
    struct rt_error *error = rt_read_u32(cursor, "data segment", &flags);
    if (error)
        return error;
    if (flags > 2)
        return rt_decode_error(RT_MALFORMED, start, "malformed data segment kind %u", flags);
    data->active = flags != 1;
    if (flags == 2) {
        error = rt_read_u32(cursor, "memory index", &data->memory);
        if (error)
            return error;
    }
    if (data->active) {
        if (data->memory >= module->memory_count)
            return rt_decode_error(RT_INVALID, start,
                                   "unknown memory %u of a data segment, the module has %u", data->memory,
                                   module->memory_count);
        error = rt_const_expr_read(module, cursor, RT_I32, &data->offset);
        if (error)
            return error;
    }
    error = rt_read_u32(cursor, "data size", &data->size);
    if (error)
        return error;
    return rt_cursor_bytes(cursor, data->size, "data", &data->bytes);
}

struct rt_error *rt_data_section_read(struct rt_module *module, struct rt_cursor *cursor) {
    uint64_t offset = rt_cursor_offset(cursor);
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(cursor, "segment count", 2, &count);
    if (error)
        return error;
    if (module->has_data_count && count != module->data_count)
        return rt_decode_error(RT_MALFORMED, offset,
                               "data count and data section have inconsistent lengths: %u counted, %u there",
                               module->data_count, count);
    struct rt_data_segment *datas = rt_arena_array(&module->arena, count, sizeof *datas);
    if (!datas)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < count && !error; i++)
        error = read_data(module, cursor, &datas[i]);
    module->datas = datas;
    module->data_count = count;
    return error;
}
