/* The decoder's code section: where each body is, and the locals that it declares. Its instructions are read
 * by the validator; what that refuses is read once more here, for its form alone. */
#include "runtime/decode.h"

static struct rt_error *read_body(struct rt_module *module, struct rt_cursor *section, struct rt_body *body) {
    uint32_t size;
    struct rt_error *error = rt_read_u32(section, "body size", &size);
    if (error)
        return error;
    uint64_t base = rt_cursor_offset(section);
    const uint8_t *bytes;
    error = rt_cursor_bytes(section, size, "body", &bytes);
    if (error)
        return error;
    struct rt_cursor cursor = rt_cursor_make(bytes, size, base);
    error = rt_vector_count_read(&cursor, "local declarations", 2, &body->run_count);
    if (error)
        return error;
    struct rt_local_run *runs = NULL;
    if (body->run_count) {
        runs = rt_arena_array(&module->arena, body->run_count, sizeof *runs);
        if (!runs)
            return rt_error_out_of_memory();
    }
    uint64_t total = 0;
    for (uint32_t i = 0; i < body->run_count; i++) {
        uint8_t type;
        error = rt_read_u32(&cursor, "number of locals", &runs[i].count);
        if (!error)
            error = rt_value_type_read(&cursor, "local type", &type);
        if (error)
            return error;
        runs[i].type = (enum rt_type)type;
        total += runs[i].count;
        runs[i].end = (uint32_t)total;
    }
    if (total > UINT32_MAX)
        return rt_decode_error(RT_MALFORMED, base, "too many locals: %llu", (unsigned long long)total);
    if (total > RT_MAX_LOCALS)
        return rt_decode_error(RT_UNSUPPORTED, base, "too many locals: not supported: %llu, at most %d are",
                               (unsigned long long)total, RT_MAX_LOCALS);
    body->runs = runs;
    body->local_count = (uint32_t)total;
    body->start = (uint32_t)(base - module->code_offset);
    body->code = (uint32_t)(rt_cursor_offset(&cursor) - module->code_offset);
    body->end = body->start + size;
    return NULL;
}

struct rt_error *rt_code_section_read(struct rt_module *module, struct rt_cursor *cursor) {
    module->code_offset = rt_cursor_offset(cursor);
    uint32_t defined = module->function_count - module->imported_functions;
    uint32_t count;
    struct rt_error *error = rt_vector_count_read(cursor, "body count", 2, &count);
    if (error)
        return error;
    if (count != defined)
        return rt_decode_error(RT_MALFORMED, module->code_offset,
                               "function and code section have inconsistent lengths: %u functions, %u bodies",
                               defined, count);
    struct rt_body *bodies = rt_arena_array(&module->arena, count, sizeof *bodies);
    if (!bodies)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < count; i++) {
        error = read_body(module, cursor, &bodies[i]);
        if (error)
            return rt_error_context(error, "function %u", module->imported_functions + i);
    }
    module->bodies = bodies;
    return NULL;
}

struct rt_error *rt_body_without_end(const struct rt_cursor *cursor) {
    return rt_cursor_error(cursor, "unexpected end of section or function: END opcode expected");
}

struct rt_error *rt_body_behind_end(const struct rt_cursor *cursor) {
    return rt_cursor_error(cursor, "section size mismatch: %zu bytes behind the function's end",
                           rt_cursor_left(cursor));
}

static struct rt_error *read_form(struct rt_cursor *cursor) {
    uint32_t depth = 1, opcode;
    while (depth) {
        if (cursor->next == cursor->end)
            return rt_body_without_end(cursor);
        struct rt_error *error = rt_opcode_read(cursor, &opcode);
        if (!error)
            error = rt_immediate_skip(cursor, (enum rt_immediate)rt_opcodes[opcode].immediate);
        if (error)
            return error;
        if (opcode == RT_OP_BLOCK || opcode == RT_OP_LOOP || opcode == RT_OP_IF)
            depth++;
        else if (opcode == RT_OP_END)
            depth--;
    }
    return cursor->next == cursor->end ? NULL : rt_body_behind_end(cursor);
}

struct rt_error *rt_body_check_form(const struct rt_module *module, uint32_t function) {
    const struct rt_body *body = &module->bodies[function - module->imported_functions];
    struct rt_cursor cursor = rt_module_code_cursor(module, body);
    struct rt_error *error = read_form(&cursor);
    if (error && error->code == RT_MALFORMED)
        return rt_error_context(error, "function %u", function);
    rt_error_destroy(error);
    return NULL;
}
