/* The decoder's code section: where each body is, and the locals that it declares. Its instructions are read
 * by the validator. */
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
