/* What an instruction of the debuggee's own code is, and where it is about to write. */
#include "stepper/session.h"

#include <string.h>

static bool instruction_native(struct st_session *session, uint64_t pc, struct st_instruction_info *ret) {
    struct st_instruction instruction;
    if (!st_code_instruction(session->image, (uintptr_t)pc + session->image->bias, &instruction))
        return false;
    *ret = (struct st_instruction_info){.size = instruction.length,
                                        .is_call = instruction.flow == ST_FLOW_CALL ||
                                                   instruction.flow == ST_FLOW_INDIRECT_CALL,
                                        .is_straight = instruction.flow == ST_FLOW_NEXT,
                                        .is_return = instruction.flow == ST_FLOW_RETURN};
    if (st_instruction_written(&instruction, &ret->store))
        ret->store_size = ret->store.size;
    return true;
}

static bool instruction_wasm(const struct st_session *session, uint64_t pc, struct st_instruction_info *ret) {
    const struct rt_module *module = rt_code_module(session->code);
    struct rt_instruction instruction;
    if (pc > UINT32_MAX || !rt_module_instruction(module, (uint32_t)pc, &instruction))
        return false;
    *ret = (struct st_instruction_info){.size = instruction.size,
                                        .is_call = strncmp(instruction.text, "call", 4) == 0,
                                        .is_return = strcmp(instruction.text, "return") == 0};
    if (instruction.changes == RT_CHANGES_MEMORY && instruction.count_operand == 0) {
        ret->store_size = (uint32_t)instruction.count;
        ret->store = (struct st_memory_operand){.base = (int8_t)instruction.start_operand,
                                                .index = -1,
                                                .size = ret->store_size,
                                                .displacement = (int64_t)instruction.offset};
    }
    return true;
}

bool st_session_instruction(struct st_session *session, uint64_t pc, struct st_instruction_info *ret) {
    return session->is_wasm ? instruction_wasm(session, pc, ret) : instruction_native(session, pc, ret);
}

static bool store_native(const struct st_frame *frame, const struct st_memory_operand *store, uint64_t *ret) {
    uint64_t address = (uint64_t)store->displacement;
    if (store->base >= 0) {
        if (!(frame->known & 1u << store->base))
            return false;
        address += frame->registers[store->base];
    }
    if (store->index >= 0) {
        if (!(frame->known & 1u << store->index))
            return false;
        address += frame->registers[store->index] * store->scale;
    }
    *ret = address;
    return true;
}

static bool store_wasm(const struct st_frame *frame, const struct st_memory_operand *store, uint64_t *ret) {
    uint32_t count = 0;
    enum rt_type type;
    union rt_value value;
    struct rt_error *error = rt_activation_operand_count(&frame->activation, &count);
    bool is_known = !error && store->base > 0 && (uint32_t)store->base <= count;
    if (is_known)
        error = rt_activation_operand(&frame->activation, count - (uint32_t)store->base, &type, &value);
    is_known = is_known && !error;
    rt_error_destroy(error);
    if (is_known)
        *ret = (uint64_t)value.i32 + (uint64_t)store->displacement;
    return is_known;
}

bool st_session_store(struct st_session *session, const struct st_instruction_info *instruction,
                      uint64_t *ret) {
    const struct st_frame *frame;
    struct rt_error *error = st_session_frame(session, &frame);
    if (error || instruction->store_size == 0) {
        rt_error_destroy(error);
        return false;
    }
    return session->is_wasm ? store_wasm(frame, &instruction->store, ret)
                            : store_native(frame, &instruction->store, ret);
}
