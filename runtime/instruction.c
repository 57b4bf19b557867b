/* One instruction as a debugger wants to know it: its text, its size, what it can change, and whether it does
 * anything. */
#include "runtime/decode.h"

/* Bytes that a store writes (section 4.4.7); 0 for any other opcode. */
static uint32_t stored_width(uint32_t opcode) {
    switch (opcode) {
    case RT_OP_I32_STORE8:
    case RT_OP_I64_STORE8:
    case RT_OP_V128_STORE8_LANE: return 1;
    case RT_OP_I32_STORE16:
    case RT_OP_I64_STORE16:
    case RT_OP_V128_STORE16_LANE: return 2;
    case RT_OP_I32_STORE:
    case RT_OP_F32_STORE:
    case RT_OP_I64_STORE32:
    case RT_OP_V128_STORE32_LANE: return 4;
    case RT_OP_I64_STORE:
    case RT_OP_F64_STORE:
    case RT_OP_V128_STORE64_LANE: return 8;
    case RT_OP_V128_STORE: return 16;
    default: return 0;
    }
}

/* The two numbers that may follow an opcode; those that are not there are 0. */
static struct rt_error *read_numbers(struct rt_cursor cursor, uint8_t immediate, uint32_t numbers[2]) {
    unsigned count = 0;
    struct rt_error *error = NULL;
    switch ((enum rt_immediate)immediate) {
    case RT_IMM_LOCAL:
    case RT_IMM_GLOBAL:
    case RT_IMM_TABLE:
    case RT_IMM_FUNC:
    case RT_IMM_LABEL: count = 1; break;
    case RT_IMM_MEMARG:
    case RT_IMM_MEMARG_LANE:
    case RT_IMM_ELEM_TABLE:
    case RT_IMM_TABLE_TABLE: count = 2; break;
    default: break;
    }
    for (unsigned i = 0; i < count && !error; i++)
        error = rt_read_u32(&cursor, "immediate", &numbers[i]);
    return error;
}

static void describe_change(uint32_t opcode, const uint32_t numbers[2], struct rt_instruction *ret) {
    switch (opcode) {
    case RT_OP_LOCAL_SET:
    case RT_OP_LOCAL_TEE:
        ret->changes = RT_CHANGES_LOCAL;
        ret->index = numbers[0];
        break;
    case RT_OP_GLOBAL_SET:
        ret->changes = RT_CHANGES_GLOBAL;
        ret->index = numbers[0];
        break;
    case RT_OP_MEMORY_INIT:
    case RT_OP_MEMORY_COPY:
    case RT_OP_MEMORY_FILL:
        ret->changes = RT_CHANGES_MEMORY;
        ret->start_operand = 3;
        ret->count_operand = 1;
        break;
    case RT_OP_TABLE_SET:
        ret->changes = RT_CHANGES_TABLE;
        ret->index = numbers[0];
        ret->start_operand = 2;
        ret->count = 1;
        break;
    case RT_OP_TABLE_FILL:
    case RT_OP_TABLE_COPY:
    case RT_OP_TABLE_INIT:
        ret->changes = RT_CHANGES_TABLE;
        ret->index = opcode == RT_OP_TABLE_INIT ? numbers[1] : numbers[0];
        ret->start_operand = 3;
        ret->count_operand = 1;
        break;
    case RT_OP_TABLE_GROW:
        ret->changes = RT_CHANGES_TABLE;
        ret->index = numbers[0];
        break;
    default:
        ret->count = stored_width(opcode);
        if (ret->count > 0) {
            ret->changes = RT_CHANGES_MEMORY;
            ret->start_operand = 2;
            ret->offset = numbers[1];
        }
    }
}

bool rt_module_instruction(const struct rt_module *module, uint32_t pc, struct rt_instruction *ret) {
    uint32_t function, start, code, end, opcode, numbers[2] = {0};
    if (!rt_module_function_at(module, pc, &function) ||
        !rt_module_function_range(module, function, &start, &code, &end) || pc < code)
        return false;
    uint64_t offset = module->code_offset + pc;
    struct rt_cursor cursor = rt_cursor_make(module->bytes + offset, end - pc, offset);
    struct rt_error *error = rt_opcode_read(&cursor, &opcode);
    if (!error) {
        *ret = (struct rt_instruction){.text = rt_opcodes[opcode].text};
        error = read_numbers(cursor, rt_opcodes[opcode].immediate, numbers);
    }
    if (!error)
        error = rt_immediate_skip(&cursor, (enum rt_immediate)rt_opcodes[opcode].immediate);
    if (error) { /* not an instruction's first byte */
        rt_error_destroy(error);
        return false;
    }
    ret->size = (uint32_t)(rt_cursor_offset(&cursor) - offset);
    describe_change(opcode, numbers, ret);
    return true;
}

uint32_t rt_module_past_markers(const struct rt_module *module, uint32_t pc) {
    uint32_t function, start, code, end, opcode, past = pc;
    if (!rt_module_function_at(module, pc, &function) ||
        !rt_module_function_range(module, function, &start, &code, &end) || pc < code)
        return pc;
    uint64_t offset = module->code_offset + pc;
    struct rt_cursor cursor = rt_cursor_make(module->bytes + offset, end - pc, offset);
    struct rt_error *error = NULL;
    while (!error && !(error = rt_opcode_read(&cursor, &opcode)) &&
           (opcode == RT_OP_BLOCK || opcode == RT_OP_NOP || opcode == RT_OP_END) && rt_cursor_left(&cursor)) {
        error = rt_immediate_skip(&cursor, (enum rt_immediate)rt_opcodes[opcode].immediate);
        past = error ? past : end - (uint32_t)rt_cursor_left(&cursor);
    }
    rt_error_destroy(error);
    return past;
}
