/* Validation of function bodies (core specification, section 3.3, by the algorithm of appendix 7.3): one pass
 * that types every instruction, reachable or not. */
#include "runtime/validate.h"

#include <stdlib.h>
#include <string.h>

/* ---- Immediates ---- */

static struct rt_error *check_index(const struct rt_validator *v, const char *what, uint32_t count,
                                    uint32_t index) {
    return index < count ? NULL : rt_validator_error(v, "unknown %s %u, there are %u", what, index, count);
}

/* Reads an index that must be below `count`. */
static struct rt_error *read_index(struct rt_validator *v, const char *what, uint32_t count, uint32_t *ret) {
    struct rt_error *error = rt_read_u32(&v->cursor, what, ret);
    return error ? error : check_index(v, what, count, *ret);
}

static struct rt_error *require_memory(const struct rt_validator *v) {
    return v->module->memory_count ? NULL : rt_validator_error(v, "unknown memory 0, there are 0");
}

/* The logarithm of the bytes that a load or store moves. */
static uint8_t natural_alignment(uint32_t opcode) {
    /* 0x28 i32.load to 0x3e i64.store32 */
    static const uint8_t scalar[] = {2, 3, 2, 3, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 2, 3, 2, 3, 0, 1, 0, 1, 2};
    _Static_assert(sizeof scalar == RT_OP_I64_STORE32 - RT_OP_I32_LOAD + 1, "one for each load and store");
    /* v128.load to v128.store; v128.load8_lane to v128.load64_zero */
    static const uint8_t vector[] = {4, 3, 3, 3, 3, 3, 3, 0, 1, 2, 3, 4};
    static const uint8_t lane[] = {0, 1, 2, 3, 0, 1, 2, 3, 2, 3};
    _Static_assert(sizeof vector == RT_OP_V128_STORE - RT_OP_V128_LOAD + 1, "one for each load and store");
    _Static_assert(sizeof lane == RT_OP_V128_LOAD64_ZERO - RT_OP_V128_LOAD8_LANE + 1, "the same");
    if (opcode <= RT_OP_I64_STORE32)
        return scalar[opcode - RT_OP_I32_LOAD];
    return opcode <= RT_OP_V128_STORE ? vector[opcode - RT_OP_V128_LOAD]
                                      : lane[opcode - RT_OP_V128_LOAD8_LANE];
}

static struct rt_error *read_memarg(struct rt_validator *v) {
    uint8_t natural = natural_alignment(v->opcode);
    struct rt_error *error = require_memory(v);
    uint32_t alignment, offset;
    if (!error)
        error = rt_read_u32(&v->cursor, "alignment", &alignment);
    if (!error)
        error = rt_read_u32(&v->cursor, "offset", &offset);
    if (error)
        return error;
    if (alignment > natural)
        return rt_validator_error(v, "alignment must not be larger than natural: 2**%u, at most 2**%u",
                                  alignment, natural);
    return NULL;
}

/* Lanes that an instruction's lane index chooses from. */
static uint8_t lane_count(uint32_t opcode) {
    if (opcode >= RT_OP_V128_LOAD8_LANE && opcode <= RT_OP_V128_STORE64_LANE)
        return (uint8_t)(16 >> natural_alignment(opcode));
    if (opcode <= RT_OP_I8X16_REPLACE_LANE)
        return 16;
    if (opcode <= RT_OP_I16X8_REPLACE_LANE)
        return 8;
    bool is_64_bits = opcode == RT_OP_I64X2_EXTRACT_LANE || opcode == RT_OP_I64X2_REPLACE_LANE ||
                      opcode == RT_OP_F64X2_EXTRACT_LANE || opcode == RT_OP_F64X2_REPLACE_LANE;
    return is_64_bits ? 2 : 4;
}

/* Reads `count` lane indices that must be below `limit`. */
static struct rt_error *read_lanes(struct rt_validator *v, unsigned count, unsigned limit) {
    const uint8_t *lanes;
    struct rt_error *error = rt_cursor_bytes(&v->cursor, count, "lane index", &lanes);
    for (unsigned i = 0; i < count && !error; i++) {
        if (lanes[i] >= limit)
            error = rt_validator_error(v, "invalid lane index %u, there are %u lanes", lanes[i], limit);
    }
    return error;
}

static struct rt_error *read_data_index(struct rt_validator *v) {
    uint32_t index;
    struct rt_error *error = read_index(v, "data segment", v->module->data_count, &index);
    if (!error && !v->module->has_data_count)
        error = rt_decode_error(RT_MALFORMED, v->offset, "%s: data count section required",
                                rt_opcodes[v->opcode].text);
    return error;
}

static struct rt_error *read_elem_table(struct rt_validator *v) {
    uint32_t elem, table;
    struct rt_error *error = rt_read_u32(&v->cursor, "elem segment", &elem);
    if (!error)
        error = read_index(v, "table", v->module->table_count, &table);
    if (!error)
        error = check_index(v, "elem segment", v->module->element_count, elem);
    if (!error && v->module->elements[elem].type != v->module->tables[table].type)
        error = rt_validator_mismatch(v, (uint8_t)v->module->tables[table].type,
                                      (uint8_t)v->module->elements[elem].type);
    return error;
}

static struct rt_error *read_table_table(struct rt_validator *v) {
    uint32_t target, source;
    struct rt_error *error = read_index(v, "table", v->module->table_count, &target);
    if (!error)
        error = read_index(v, "table", v->module->table_count, &source);
    if (!error && v->module->tables[target].type != v->module->tables[source].type)
        error = rt_validator_mismatch(v, (uint8_t)v->module->tables[target].type,
                                      (uint8_t)v->module->tables[source].type);
    return error;
}

/* The immediate of an instruction whose type its signature tells. */
static struct rt_error *read_plain_immediate(struct rt_validator *v, enum rt_immediate immediate) {
    struct rt_error *error;
    uint32_t index;
    switch (immediate) {
    case RT_IMM_NONE: return NULL;
    case RT_IMM_MEMARG: return read_memarg(v);
    case RT_IMM_MEMORY:
    case RT_IMM_MEMORY_MEMORY:
        error = require_memory(v);
        return error ? error : rt_immediate_skip(&v->cursor, immediate);
    case RT_IMM_DATA: return read_data_index(v);
    case RT_IMM_DATA_MEMORY:
        error = require_memory(v);
        if (!error)
            error = read_data_index(v);
        return error ? error : rt_immediate_skip(&v->cursor, RT_IMM_MEMORY);
    case RT_IMM_ELEM: return read_index(v, "elem segment", v->module->element_count, &index);
    case RT_IMM_TABLE: return read_index(v, "table", v->module->table_count, &index);
    case RT_IMM_ELEM_TABLE: return read_elem_table(v);
    case RT_IMM_TABLE_TABLE: return read_table_table(v);
    case RT_IMM_LANE: return read_lanes(v, 1, lane_count(v->opcode));
    case RT_IMM_LANES: return read_lanes(v, 16, 32);
    case RT_IMM_MEMARG_LANE:
        error = read_memarg(v);
        return error ? error : read_lanes(v, 1, lane_count(v->opcode));
    case RT_IMM_I32:
        if (v->cursor.next != v->cursor.end && *v->cursor.next < 0x80) {
            v->cursor.next++;
            return NULL;
        }
        return rt_immediate_skip(&v->cursor, immediate);
    default: return rt_immediate_skip(&v->cursor, immediate);
    }
}

static uint8_t signature_type(char letter) {
    switch (letter) {
    case 'i': return RT_I32;
    case 'I': return RT_I64;
    case 'f': return RT_F32;
    case 'v': return RT_V128;
    default: return RT_F64;
    }
}

/* Pops the operands and pushes the results that a signature of opcodes.def tells. */
static struct rt_error *apply_signature(struct rt_validator *v, const char *signature) {
    struct rt_error *error = NULL;
    const char *colon = signature;
    while (*colon != ':')
        colon++;
    for (const char *next = colon; next != signature && !error; next--)
        error = rt_pop(v, signature_type(next[-1]));
    for (const char *next = colon + 1; *next && !error; next++)
        error = rt_push(v, signature_type(*next));
    return error;
}

/* ---- Control (section 3.3.8) ---- */

static struct rt_error *enter_block(struct rt_validator *v) {
    struct rt_func_type type;
    struct rt_error *error = rt_block_type_read(v->module, &v->cursor, &type);
    if (!error && v->opcode == RT_OP_IF)
        error = rt_pop(v, RT_I32);
    if (!error)
        error = rt_pop_types(v, type.params, type.param_count);
    return error ? error : rt_push_label(v, v->opcode, type);
}

static struct rt_error *enter_else(struct rt_validator *v) {
    if (rt_innermost_label(v)->opcode != RT_OP_IF)
        return rt_decode_error(RT_MALFORMED, v->offset, "misplaced else: its block is no if");
    struct rt_label label;
    struct rt_error *error = rt_pop_label(v, &label);
    return error ? error : rt_push_label(v, RT_OP_ELSE, label.type);
}

static struct rt_error *leave_block(struct rt_validator *v) {
    struct rt_label label;
    struct rt_error *error = rt_pop_label(v, &label);
    if (error)
        return error;
    /* Without an else, the parameters fall through as results. */
    if (label.opcode == RT_OP_IF && (label.type.param_count != label.type.result_count ||
                                     (label.type.param_count && memcmp(label.type.params, label.type.results,
                                                                       label.type.param_count) != 0)))
        return rt_validator_error(v,
                                  "type mismatch: an if without else must have results like its parameters");
    /* The function's own results are the caller's. */
    return v->label_count ? rt_push_types(v, label.type.results, label.type.result_count) : NULL;
}

static struct rt_error *branch_table(struct rt_validator *v) {
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(&v->cursor, "labels", 1, &count);
    if (!error)
        error = rt_pop(v, RT_I32);
    if (error)
        return error;
    uint32_t arity = 0;
    for (uint32_t i = 0; i <= count; i++) {
        const uint8_t *types;
        uint32_t type_count;
        error = rt_read_label(v, &types, &type_count);
        if (error)
            return error;
        if (i == 0)
            arity = type_count;
        if (type_count != arity)
            return rt_validator_error(v, "type mismatch: its labels take %u and %u values", arity,
                                      type_count);
        error = rt_peek_types(v, types, type_count);
        if (error)
            return error;
    }
    rt_set_unreachable(v);
    return NULL;
}

static struct rt_error *branch(struct rt_validator *v) {
    const uint8_t *types;
    uint32_t count;
    struct rt_error *error = rt_read_label(v, &types, &count);
    if (!error && v->opcode == RT_OP_BR_IF)
        error = rt_pop(v, RT_I32);
    if (!error)
        error = rt_pop_types(v, types, count);
    if (error)
        return error;
    if (v->opcode == RT_OP_BR_IF)
        return rt_push_types(v, types, count);
    rt_set_unreachable(v);
    return NULL;
}

static struct rt_error *return_from(struct rt_validator *v) {
    const struct rt_func_type *type = &v->labels[0].type;
    struct rt_error *error = rt_pop_types(v, type->results, type->result_count);
    if (!error)
        rt_set_unreachable(v);
    return error;
}

static struct rt_error *call(struct rt_validator *v) {
    const struct rt_func_type *type;
    uint32_t index, table;
    struct rt_error *error;
    if (v->opcode == RT_OP_CALL) {
        error = read_index(v, "function", v->module->function_count, &index);
        if (error)
            return error;
        type = &v->module->types[v->module->function_types[index]];
    } else {
        error = read_index(v, "type", v->module->type_count, &index);
        if (!error)
            error = read_index(v, "table", v->module->table_count, &table);
        if (!error && v->module->tables[table].type != RT_FUNCREF)
            error = rt_validator_mismatch(v, RT_FUNCREF, (uint8_t)v->module->tables[table].type);
        if (!error)
            error = rt_pop(v, RT_I32);
        if (error)
            return error;
        type = &v->module->types[index];
    }
    error = rt_pop_types(v, type->params, type->param_count);
    return error ? error : rt_push_types(v, type->results, type->result_count);
}

/* ---- The others whose types depend on something ---- */

static bool is_reference(uint8_t type) {
    return type == RT_FUNCREF || type == RT_EXTERNREF;
}

static struct rt_error *select_value(struct rt_validator *v) {
    uint8_t first, second;
    struct rt_error *error = rt_pop(v, RT_I32);
    if (!error)
        error = rt_pop_any(v, &second);
    if (!error)
        error = rt_pop_any(v, &first);
    if (error)
        return error;
    if (is_reference(first) || is_reference(second))
        return rt_validator_error(v, "type mismatch: select without a type takes numbers, found %s",
                                  rt_type_name((enum rt_type)(is_reference(first) ? first : second)));
    if (first != second && first != RT_ANY_TYPE && second != RT_ANY_TYPE)
        return rt_validator_mismatch(v, first, second);
    return rt_push(v, first == RT_ANY_TYPE ? second : first);
}

static struct rt_error *select_typed(struct rt_validator *v) {
    uint32_t count;
    uint8_t type;
    struct rt_error *error = rt_vector_count_read(&v->cursor, "types", 1, &count);
    if (error)
        return error;
    if (count != 1)
        return rt_validator_error(v, "invalid result arity %u, it must be 1", count);
    error = rt_value_type_read(&v->cursor, "select", &type);
    if (!error)
        error = rt_pop(v, RT_I32);
    if (!error)
        error = rt_pop(v, type);
    if (!error)
        error = rt_pop(v, type);
    return error ? error : rt_push(v, type);
}

static struct rt_error *use_local(struct rt_validator *v) {
    uint32_t index;
    struct rt_error *error = read_index(v, "local", v->local_count, &index);
    if (!error && v->opcode != RT_OP_LOCAL_GET)
        error = rt_pop(v, v->locals[index]);
    if (error || v->opcode == RT_OP_LOCAL_SET)
        return error;
    return rt_push(v, v->locals[index]);
}

static struct rt_error *use_global(struct rt_validator *v) {
    uint32_t index;
    struct rt_error *error = read_index(v, "global", v->module->global_count, &index);
    if (error)
        return error;
    const struct rt_global_type *global = &v->module->globals[index];
    if (v->opcode == RT_OP_GLOBAL_GET)
        return rt_push(v, (uint8_t)global->type);
    if (!global->is_mutable)
        return rt_validator_error(v, "global is immutable: %u", index);
    return rt_pop(v, (uint8_t)global->type);
}

static struct rt_error *use_table(struct rt_validator *v) {
    uint32_t index;
    struct rt_error *error = read_index(v, "table", v->module->table_count, &index);
    if (error)
        return error;
    uint8_t type = (uint8_t)v->module->tables[index].type;
    switch (v->opcode) {
    case RT_OP_TABLE_GET: error = rt_pop(v, RT_I32); return error ? error : rt_push(v, type);
    case RT_OP_TABLE_SET: error = rt_pop(v, type); return error ? error : rt_pop(v, RT_I32);
    case RT_OP_TABLE_GROW:
        error = rt_pop(v, RT_I32);
        if (!error)
            error = rt_pop(v, type);
        return error ? error : rt_push(v, RT_I32);
    default: /* RT_OP_TABLE_FILL */
        error = rt_pop(v, RT_I32);
        if (!error)
            error = rt_pop(v, type);
        return error ? error : rt_pop(v, RT_I32);
    }
}

static struct rt_error *use_reference(struct rt_validator *v) {
    uint8_t type;
    uint32_t index;
    struct rt_error *error;
    switch (v->opcode) {
    case RT_OP_REF_NULL:
        error = rt_reference_type_read(&v->cursor, "ref.null", &type);
        return error ? error : rt_push(v, type);
    case RT_OP_REF_IS_NULL:
        error = rt_pop_any(v, &type);
        if (!error && type != RT_ANY_TYPE && !is_reference(type))
            error = rt_validator_error(v, "type mismatch: expected a reference, found %s",
                                       rt_type_name((enum rt_type)type));
        return error ? error : rt_push(v, RT_I32);
    default: /* RT_OP_REF_FUNC */
        error = read_index(v, "function", v->module->function_count, &index);
        if (!error && !v->module->declared_refs[index])
            error = rt_validator_error(
                v, "undeclared function reference: %u is in no element, export or global", index);
        return error ? error : rt_push(v, RT_FUNCREF);
    }
}

/* ---- Bodies ---- */

static struct rt_error *validate_instruction(struct rt_validator *v) {
    const struct rt_opcode_info *info = &rt_opcodes[v->opcode];
    if (info->signature[0] != '*') {
        struct rt_error *error = read_plain_immediate(v, (enum rt_immediate)info->immediate);
        return error ? error : apply_signature(v, info->signature);
    }
    uint8_t type;
    switch (v->opcode) {
    case RT_OP_UNREACHABLE: rt_set_unreachable(v); return NULL;
    case RT_OP_BLOCK:
    case RT_OP_LOOP:
    case RT_OP_IF: return enter_block(v);
    case RT_OP_ELSE: return enter_else(v);
    case RT_OP_END: return leave_block(v);
    case RT_OP_BR:
    case RT_OP_BR_IF: return branch(v);
    case RT_OP_BR_TABLE: return branch_table(v);
    case RT_OP_RETURN: return return_from(v);
    case RT_OP_CALL:
    case RT_OP_CALL_INDIRECT: return call(v);
    case RT_OP_DROP: return rt_pop_any(v, &type);
    case RT_OP_SELECT: return select_value(v);
    case RT_OP_SELECT_T: return select_typed(v);
    case RT_OP_LOCAL_GET:
    case RT_OP_LOCAL_SET:
    case RT_OP_LOCAL_TEE: return use_local(v);
    case RT_OP_GLOBAL_GET:
    case RT_OP_GLOBAL_SET: return use_global(v);
    case RT_OP_TABLE_GET:
    case RT_OP_TABLE_SET:
    case RT_OP_TABLE_GROW:
    case RT_OP_TABLE_FILL: return use_table(v);
    case RT_OP_REF_NULL:
    case RT_OP_REF_IS_NULL:
    case RT_OP_REF_FUNC: return use_reference(v);
    default: return rt_decode_error(RT_UNSUPPORTED, v->offset, "not supported: %s", info->text);
    }
}

/* The types of all locals, parameters first. */
static struct rt_error *expand_locals(struct rt_validator *v, const struct rt_func_type *type,
                                      const struct rt_body *body) {
    size_t count = (size_t)type->param_count + body->local_count;
    if (count > sizeof v->first_locals) {
        v->locals = malloc(count);
        if (!v->locals) {
            v->locals = v->first_locals;
            return rt_error_out_of_memory();
        }
    }
    if (type->param_count)
        memcpy(v->locals, type->params, type->param_count);
    v->local_count = type->param_count;
    for (uint32_t i = 0; i < body->run_count; i++) {
        memset(v->locals + v->local_count, (int)body->runs[i].type, body->runs[i].count);
        v->local_count += body->runs[i].count;
    }
    return NULL;
}

static struct rt_error *validate_code(struct rt_validator *v, const struct rt_func_type *type) {
    struct rt_error *error = rt_push_label(
        v, RT_OP_BLOCK, (struct rt_func_type){.result_count = type->result_count, .results = type->results});
    while (!error && v->label_count) {
        v->offset = rt_cursor_offset(&v->cursor);
        if (v->cursor.next == v->cursor.end)
            return rt_body_without_end(&v->cursor);
        error = rt_opcode_read(&v->cursor, &v->opcode);
        if (!error)
            error = validate_instruction(v);
    }
    if (!error && v->cursor.next != v->cursor.end)
        error = rt_body_behind_end(&v->cursor);
    return error;
}

struct rt_error *rt_validate_body(const struct rt_module *module, uint32_t function) {
    struct rt_body *body = &module->bodies[function - module->imported_functions];
    const struct rt_func_type *type = &module->types[module->function_types[function]];
    struct rt_validator v;
    rt_validator_init(&v, module, rt_module_code_cursor(module, body));
    struct rt_error *error = expand_locals(&v, type, body);
    if (!error)
        error = validate_code(&v, type);
    body->max_operands = v.max_operands;
    body->max_labels = v.max_labels;
    body->has_vectors = v.has_vectors || (v.local_count && memchr(v.locals, RT_V128, v.local_count));
    body->passes_vectors = rt_func_type_has_vectors(*type);
    rt_validator_clear(&v);
    if (!error)
        return NULL;
    const char *name = rt_module_function_name(module, function);
    return name ? rt_error_context(error, "function %u (%s)", function, rt_printable(name).text)
                : rt_error_context(error, "function %u", function);
}
