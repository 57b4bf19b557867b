/* The translator's walk: each body once, instruction by instruction, and the code that comes of it. */
#include <stdlib.h>
#include <string.h>

#include "runtime/interp/translate.h"

/* Slots of one frame: their bytes fit in 32 bits. */
#define FRAME_SLOT_LIMIT (1u << 26)

/* ---- Immediates: the body is valid, an error cannot come from its bytes ---- */

uint32_t rt_translate_u32(struct rt_translator *t) {
    uint64_t value = 0;
    if (t->cursor.next != t->cursor.end && *t->cursor.next < 0x80)
        return *t->cursor.next++;
    struct rt_error *error = rt_cursor_uleb(&t->cursor, 32, "immediate", &value);
    if (error)
        rt_translate_fail(t, error);
    return error ? 0 : (uint32_t)value;
}

static int64_t read_signed(struct rt_translator *t, unsigned width) {
    int64_t value = 0;
    struct rt_error *error = rt_cursor_sleb(&t->cursor, width, "constant", &value);
    if (error)
        rt_translate_fail(t, error);
    return value;
}

static uint64_t read_bytes(struct rt_translator *t, unsigned size) {
    const uint8_t *bytes = NULL;
    uint64_t bits = 0;
    struct rt_error *error = rt_cursor_bytes(&t->cursor, size, "constant", &bytes);
    if (error)
        rt_translate_fail(t, error);
    for (unsigned i = 0; i < size && !error; i++)
        bits |= (uint64_t)bytes[i] << 8 * i;
    return bits;
}

/* ---- Sites ---- */

static bool is_site(const struct rt_translator *t, uint32_t pc) {
    return t->options->every_instruction ||
           (t->next_site < t->options->site_count && t->options->sites[t->next_site] <= pc);
}

static void skip_sites(struct rt_translator *t, uint32_t before) {
    while (t->next_site < t->options->site_count && t->options->sites[t->next_site] < before)
        t->next_site++;
}

/* ---- Instructions ---- */

static void translate_constant(struct rt_translator *t, uint32_t opcode) {
    switch (opcode) {
    case RT_OP_I32_CONST: rt_operand_push_constant(t, RT_I32, (uint32_t)read_signed(t, 32)); break;
    case RT_OP_I64_CONST: rt_operand_push_constant(t, RT_I64, (uint64_t)read_signed(t, 64)); break;
    case RT_OP_F32_CONST: rt_operand_push_constant(t, RT_F32, read_bytes(t, 4)); break;
    case RT_OP_F64_CONST: rt_operand_push_constant(t, RT_F64, read_bytes(t, 8)); break;
    default: rt_operand_push_constant(t, (enum rt_type)read_bytes(t, 1), 0); break; /* ref.null */
    }
}

static void set_local(struct rt_translator *t, uint32_t local) {
    uint32_t top = t->height - 1, slot = t->locals[local].slot;
    const struct rt_translator_operand *operand = &t->operands[top];
    if (operand->kind == RT_OPERAND_LOCAL && operand->value == slot)
        return;                 /* its own value */
    if (t->locals[local].names) /* operands that keep the old value */
        rt_operands_detach(t);
    if (t->last != RT_NO_WORD && t->last_operand == top && operand->kind == RT_OPERAND_SLOT)
        t->code->words[t->last + 1] = slot;
    else
        rt_operand_copy(t, top, slot);
    t->last = RT_NO_WORD;
}

static void translate_local(struct rt_translator *t, uint32_t opcode) {
    uint32_t local = rt_translate_u32(t);
    if (opcode == RT_OP_LOCAL_GET) {
        rt_operand_push_local(t, local);
        return;
    }
    set_local(t, local);
    bool is_constant = t->operands[t->height - 1].kind == RT_OPERAND_CONSTANT;
    if (opcode == RT_OP_LOCAL_TEE && is_constant)
        return; /* still as good */
    rt_operands_drop(t, t->height - 1);
    if (opcode == RT_OP_LOCAL_TEE)
        rt_operand_push_local(t, local);
}

static void translate_global(struct rt_translator *t, uint32_t opcode) {
    uint32_t global = rt_translate_u32(t), imported = t->module->imported_globals;
    enum rt_type type = t->module->globals[global].type;
    bool is_get = opcode == RT_OP_GLOBAL_GET;
    uint32_t slot = is_get ? rt_place_slot(t, t->height) : rt_operand_slot(t, t->height - 1), word;
    if (global < imported) {
        word = RT_EMIT(t, is_get ? RT_DO_IMPORTED_GET : RT_DO_IMPORTED_SET, slot,
                       t->layout.imported_globals + global * (uint32_t)sizeof(struct rt_global *), type);
    } else {
        uint32_t handler = is_get ? RT_DO_GLOBAL_GET_64 : RT_DO_GLOBAL_SET_64;
        if (type == RT_I32 || type == RT_F32)
            handler = is_get ? RT_DO_GLOBAL_GET_32 : RT_DO_GLOBAL_SET_32;
        else if (type == RT_V128)
            handler = is_get ? RT_DO_GLOBAL_GET_128 : RT_DO_GLOBAL_SET_128;
        word = RT_EMIT(t, handler, slot,
                       t->layout.globals + (global - imported) * (uint32_t)sizeof(struct rt_global));
    }
    if (is_get)
        rt_operand_result(t, word, 0, type);
    else
        rt_operands_drop(t, t->height - 1);
}

static void translate_select(struct rt_translator *t) {
    uint32_t first = t->height - 3;
    enum rt_type type = (enum rt_type)t->operands[first].type;
    uint32_t a = rt_operand_slot(t, first), b = rt_operand_slot(t, first + 1);
    uint32_t condition = rt_operand_slot(t, first + 2);
    uint32_t word = RT_EMIT(t, type == RT_V128 ? RT_DO_SELECT_PAIR : RT_DO_SELECT, rt_place_slot(t, first), a,
                            b, condition);
    rt_operand_result(t, word, 3, type);
}

/* An instruction of bulk.c with so many operands; `result` is 0 for none. */
static void translate_bulk(struct rt_translator *t, uint32_t opcode, uint32_t operands, int result,
                           uint32_t a, uint32_t b) {
    uint32_t from = t->height - operands;
    rt_operands_settle(t, from, t->height);
    RT_EMIT(t, RT_DO_BULK, opcode, rt_place_slot(t, from), a, b);
    rt_operands_drop(t, from);
    if (result)
        rt_operand_push(t, (enum rt_type)result);
}

static void translate_table_or_memory(struct rt_translator *t, uint32_t opcode) {
    uint32_t a = rt_translate_u32(t), b;
    switch (opcode) {
    case RT_OP_MEMORY_SIZE:
        rt_operand_result(t, RT_EMIT(t, RT_DO_MEMORY_SIZE, rt_place_slot(t, t->height)), 0, RT_I32);
        break;
    case RT_OP_MEMORY_GROW: translate_bulk(t, opcode, 1, RT_I32, 0, 0); break;
    case RT_OP_MEMORY_FILL: translate_bulk(t, opcode, 3, 0, 0, 0); break;
    case RT_OP_MEMORY_COPY:
    case RT_OP_MEMORY_INIT:
    case RT_OP_TABLE_INIT:
    case RT_OP_TABLE_COPY:
        b = rt_translate_u32(t);
        translate_bulk(t, opcode, 3, 0, a, b);
        break;
    case RT_OP_DATA_DROP:
    case RT_OP_ELEM_DROP: translate_bulk(t, opcode, 0, 0, a, 0); break;
    case RT_OP_TABLE_GET: translate_bulk(t, opcode, 1, t->module->tables[a].type, a, 0); break;
    case RT_OP_TABLE_SET: translate_bulk(t, opcode, 2, 0, a, 0); break;
    case RT_OP_TABLE_SIZE: translate_bulk(t, opcode, 0, RT_I32, a, 0); break;
    case RT_OP_TABLE_GROW: translate_bulk(t, opcode, 2, RT_I32, a, 0); break;
    case RT_OP_TABLE_FILL: translate_bulk(t, opcode, 3, 0, a, 0); break;
    default: break;
    }
}

static void translate_instruction(struct rt_translator *t, uint32_t opcode) {
    switch (opcode) {
    case RT_OP_NOP: break;
    case RT_OP_DROP: rt_operands_drop(t, t->height - 1); break;
    case RT_OP_SELECT_T:
        for (uint32_t left = rt_translate_u32(t); left && !t->error; left--)
            (void)read_bytes(t, 1);
        translate_select(t);
        break;
    case RT_OP_SELECT: translate_select(t); break;
    case RT_OP_LOCAL_GET:
    case RT_OP_LOCAL_SET:
    case RT_OP_LOCAL_TEE: translate_local(t, opcode); break;
    case RT_OP_GLOBAL_GET:
    case RT_OP_GLOBAL_SET: translate_global(t, opcode); break;
    case RT_OP_I32_CONST:
    case RT_OP_I64_CONST:
    case RT_OP_F32_CONST:
    case RT_OP_F64_CONST:
    case RT_OP_REF_NULL: translate_constant(t, opcode); break;
    case RT_OP_REF_FUNC: {
        uint32_t function = rt_translate_u32(t);
        uint32_t word = RT_EMIT(t, RT_DO_REF_FUNC, rt_place_slot(t, t->height), function);
        rt_operand_result(t, word, 0, RT_FUNCREF);
        break;
    }
    case RT_OP_MEMORY_SIZE:
    case RT_OP_MEMORY_GROW:
    case RT_OP_TABLE_GET:
    case RT_OP_TABLE_SET: translate_table_or_memory(t, opcode); break;
    default:
        if (opcode <= RT_OP_CALL_INDIRECT)
            rt_translate_control(t, opcode);
        else if (opcode >= RT_OP_MEMORY_INIT && opcode <= RT_OP_TABLE_FILL)
            translate_table_or_memory(t, opcode);
        else if (opcode >= RT_OP_V128_LOAD)
            rt_translate_vector(t, opcode);
        else
            rt_translate_numeric(t, opcode);
    }
}

/* In code that cannot run only the nesting counts. */
static void skip_instruction(struct rt_translator *t, uint32_t opcode) {
    if (opcode == RT_OP_BLOCK || opcode == RT_OP_LOOP || opcode == RT_OP_IF)
        t->dead_depth++;
    else if ((opcode == RT_OP_ELSE || opcode == RT_OP_END) && !t->dead_depth)
        rt_translate_revival(t, opcode);
    else if (opcode == RT_OP_END)
        t->dead_depth--;
    struct rt_error *error = rt_immediate_skip(&t->cursor, (enum rt_immediate)rt_opcodes[opcode].immediate);
    if (error)
        rt_translate_fail(t, error);
}

static void translate_body(struct rt_translator *t) {
    while (t->control_count && !t->error) {
        uint32_t opcode;
        t->pc = t->body->code + (uint32_t)(t->cursor.next - t->cursor.start);
        t->start_height = t->height;
        struct rt_error *error = rt_opcode_read(&t->cursor, &opcode);
        if (error) {
            rt_translate_fail(t, error);
            return;
        }
        if (is_site(t, t->pc)) {
            if (t->reachable && opcode == RT_OP_LOOP)
                t->site_in_loop = true; /* it lies behind the label */
            else if (t->reachable)
                rt_emit_site(t);
            skip_sites(t, t->pc + 1);
        }
        if (t->reachable)
            translate_instruction(t, opcode);
        else
            skip_instruction(t, opcode);
    }
}

/* ---- Functions ---- */

static bool prepare_locals(struct rt_translator *t) {
    uint32_t count = t->type.param_count + t->body->local_count, local = 0;
    if (!rt_translate_room(t, &t->locals, &t->local_capacity, count + (size_t)1, sizeof(*t->locals)))
        return false;
    t->local_slots = 0;
    for (uint32_t i = 0; i < t->type.param_count; i++, local++)
        t->locals[local] = (struct rt_translator_local){.type = (enum rt_type)t->type.params[i]};
    for (uint32_t i = 0; i < t->body->run_count; i++)
        for (uint32_t k = 0; k < t->body->runs[i].count; k++, local++)
            t->locals[local] = (struct rt_translator_local){.type = t->body->runs[i].type};
    for (local = 0; local < count; local++) {
        t->locals[local].slot = t->local_slots;
        t->local_slots += rt_interp_slots(t->locals[local].type);
    }
    t->frame_slots = t->local_slots;
    return true;
}

static bool prepare_function(struct rt_translator *t, uint32_t index) {
    t->function = t->module->imported_functions + index;
    t->body = &t->module->bodies[index];
    t->type = t->module->types[t->module->function_types[t->function]];
    t->cursor = rt_module_code_cursor(t->module, t->body);
    t->height = t->start_height = t->known_nodes = t->settled = t->names = 0;
    t->pc = t->body->start;
    t->last = RT_NO_WORD;
    t->site_waits = t->site_in_loop = false;
    return prepare_locals(t) &&
           rt_translate_room(t, &t->operands, &t->operand_capacity, t->body->max_operands + (size_t)1,
                             sizeof(*t->operands)) &&
           rt_translate_room(t, &t->controls, &t->control_capacity, t->body->max_labels + (size_t)1,
                             sizeof(*t->controls));
}

static void translate_function(struct rt_translator *t, uint32_t index) {
    if (!prepare_function(t, index))
        return;
    struct rt_interp_function *function = &t->code->functions[index];
    uint32_t params = rt_interp_slots_of(t->type.params, t->type.param_count);
    skip_sites(t, t->body->start);
    function->start = RT_EMIT(t, RT_DO_ENTER, 0, params, t->local_slots - params);
    rt_translate_begin(t);
    translate_body(t);
    if (t->error)
        return;
    function->end = (uint32_t)t->code->word_count;
    t->code->words[function->start + 1] = t->frame_slots;
    /* Results may take more slots than parameters and locals do. */
    if (t->frame_slots > FRAME_SLOT_LIMIT)
        rt_translate_fail(t, rt_error_format(RT_UNSUPPORTED,
                                             "not supported: function %u needs a frame of more than %u slots",
                                             t->function, FRAME_SLOT_LIMIT));
}

/* ---- Modules ---- */

/* What needed the whole stream: calls, and the sites' addresses. */
static void finish_code(struct rt_translator *t) {
    struct rt_interp_code *code = t->code;
    for (size_t i = 0; i < t->call_count; i++)
        code->words[t->calls[i].word] = code->functions[t->calls[i].function].start - t->calls[i].word;
    code->site_handlers = malloc((code->base.site_count + 1) * sizeof(*code->site_handlers));
    if (!code->site_handlers) {
        rt_translate_fail(t, rt_error_out_of_memory());
        return;
    }
    for (size_t i = 0; i < code->base.site_count; i++) {
        const uint32_t *word = code->words + code->base.sites[i].machine;
        code->site_handlers[i] = (int32_t)*word;
        code->base.sites[i].machine = (uintptr_t)word;
    }
}

static void translate_module(struct rt_translator *t) {
    struct rt_interp_code *code = t->code;
    code->function_count = t->module->function_count - t->module->imported_functions;
    code->functions = calloc(code->function_count + (size_t)1, sizeof(*code->functions));
    if (!code->functions ||
        !rt_translate_room(t, &code->words, &t->word_capacity, 64, sizeof(*code->words))) {
        rt_translate_fail(t, t->error ? NULL : rt_error_out_of_memory());
        return;
    }
    code->words[code->word_count++] = (uint32_t)t->handlers[RT_DO_NOP]; /* no function's: no pc is 0 */
    for (uint32_t i = 0; i < code->function_count && !t->error; i++)
        translate_function(t, i);
    if (!t->error)
        finish_code(t);
}

struct rt_error *rt_interp_translate(const struct rt_module *module, const struct rt_compile_options *options,
                                     struct rt_code **ret) {
    struct rt_translator t = {.module = module, .options = options, .handlers = rt_interp_handlers()};
    if (!rt_instance_layout(module, &t.layout))
        return rt_error_format(RT_UNSUPPORTED,
                               "not supported: a module with index spaces of more than 256 MiB");
    t.code = calloc(1, sizeof(*t.code));
    if (!t.code)
        return rt_error_out_of_memory();
    t.code->base = (struct rt_code){.ops = &rt_engine_interp, .module = module};
    translate_module(&t);
    free(t.node_slots);
    free(t.calls);
    free(t.locals);
    free(t.operands);
    free(t.controls);
    if (t.error) {
        rt_interp_code_destroy(&t.code->base);
        return t.error;
    }
    *ret = &t.code->base;
    return NULL;
}
