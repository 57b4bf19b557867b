/* Moves operands between registers and the frame. None of it changes flags. */
#include "runtime/x86_64/lower.h"

/* What one move may take. */
#define MOVE_ROOM 48

struct x86_memory rt_x86_place(const struct rt_compiler *c, struct rt_place place) {
    if (place.kind == RT_PLACE_OUTGOING)
        return x86_at(RSP, (int32_t)(8 * place.index));
    return x86_at(RBP, (int32_t)(intptr_t)rt_x86_place_address(0, &c->shape, place));
}

uintptr_t rt_x86_place_address(uintptr_t frame, const struct rt_frame_shape *shape, struct rt_place place) {
    uintptr_t index = place.index;
    if (place.kind == RT_PLACE_RESULT)
        return frame + 16 + 8 * index;
    if (place.kind == RT_PLACE_LOCAL && index < shape->param_count)
        return frame + 16 + 8 * index * shape->argument_words;
    if (place.kind == RT_PLACE_OPERAND)
        index += shape->local_count;
    return frame - 8 * (index - shape->param_count + 2) * shape->slot_words;
}

struct x86_memory rt_x86_operand_memory(const struct rt_compiler *c, const struct rt_operand *operand) {
    enum rt_place_kind kind = operand->kind == RT_IS_LOCAL ? RT_PLACE_LOCAL : RT_PLACE_OPERAND;
    return rt_x86_place(c, (struct rt_place){kind, operand->index});
}

static void load_constant(struct rt_compiler *c, enum rt_type type, uint8_t reg, uint64_t bits) {
    if (rt_class_of(type) == RT_GENERAL) {
        rt_x86_mov_imm(c, reg, bits);
    } else if (!bits) {
        rt_x86_rr(c, X86_XORPS, reg, reg);
    } else {
        rt_x86_mov_imm(c, SCRATCH, bits);
        rt_x86_rr(c, X86_MOVD_LOAD | x86_width(type), reg, SCRATCH);
    }
}

void rt_x86_load(struct rt_compiler *c, uint8_t reg, const struct rt_operand *operand) {
    rt_compile_reserve(c, MOVE_ROOM);
    enum rt_type type = (enum rt_type)operand->type;
    uint8_t cached = rt_cached_register(c, operand);
    if (cached != RT_NO_REGISTER)
        rt_x86_move(c, type, reg, cached);
    else if (operand->kind == RT_IS_CONSTANT)
        load_constant(c, type, reg, operand->bits);
    else if (operand->kind == RT_IN_REGISTER)
        rt_x86_move(c, type, reg, operand->reg);
    else if (rt_class_of(type) == RT_GENERAL)
        rt_x86_rm(c, X86_MOV_LOAD | x86_width(type), reg, rt_x86_operand_memory(c, operand), 0);
    else
        rt_x86_rm(c, x86_vector_load(type), reg, rt_x86_operand_memory(c, operand), 0);
}

void rt_x86_store(struct rt_compiler *c, struct rt_place to, const struct rt_operand *operand) {
    rt_compile_reserve(c, MOVE_ROOM);
    enum rt_type type = (enum rt_type)operand->type;
    struct x86_memory memory = rt_x86_place(c, to);
    uint32_t width = x86_width(type);
    uint8_t reg = operand->kind == RT_IN_REGISTER ? operand->reg : rt_cached_register(c, operand);
    if (reg != RT_NO_REGISTER) {
        uint32_t store = rt_class_of(type) == RT_GENERAL ? X86_MOV_STORE | width : x86_vector_store(type);
        rt_x86_rm(c, store, reg, memory, 0);
    } else if (type == RT_V128) {
        rt_x86_rm(c, X86_MOVUPS, VECTOR_SCRATCH, rt_x86_operand_memory(c, operand), 0);
        rt_x86_rm(c, X86_MOVUPS_STORE, VECTOR_SCRATCH, memory, 0);
    } else if (operand->kind == RT_IS_CONSTANT &&
               (!width || (int64_t)operand->bits == (int32_t)operand->bits)) {
        rt_x86_rm(c, 0xc7 | width, 0, memory, 4);
        x86_u32(c, (uint32_t)operand->bits);
    } else {
        if (operand->kind == RT_IS_CONSTANT)
            rt_x86_mov_imm(c, SCRATCH, operand->bits);
        else
            rt_x86_rm(c, X86_MOV_LOAD | width, SCRATCH, rt_x86_operand_memory(c, operand), 0);
        rt_x86_rm(c, X86_MOV_STORE | width, SCRATCH, memory, 0);
    }
}

void rt_x86_copy(struct rt_compiler *c, enum rt_type type, struct rt_place to, struct rt_place from) {
    rt_compile_reserve(c, MOVE_ROOM);
    bool vector = type == RT_V128;
    uint8_t scratch = vector ? VECTOR_SCRATCH : SCRATCH;
    rt_x86_rm(c, vector ? X86_MOVUPS : X86_MOV_LOAD | x86_width(type), scratch, rt_x86_place(c, from), 0);
    rt_x86_rm(c, vector ? X86_MOVUPS_STORE : X86_MOV_STORE | x86_width(type), scratch, rt_x86_place(c, to),
              0);
}

void rt_x86_move(struct rt_compiler *c, enum rt_type type, uint8_t to, uint8_t from) {
    rt_compile_reserve(c, MOVE_ROOM);
    if (rt_class_of(type) == RT_VECTOR)
        rt_x86_rr(c, X86_MOVAPS, to, from);
    else
        rt_x86_rr(c, X86_MOV_LOAD | x86_width(type), to, from);
}

uint8_t rt_x86_to_register(struct rt_compiler *c, const struct rt_operand *operand) {
    if (operand->kind == RT_IN_REGISTER)
        return operand->reg;
    uint8_t reg = rt_take_register(c, rt_class_of((enum rt_type)operand->type));
    rt_x86_load(c, reg, operand);
    return reg;
}

void rt_x86_operate(struct rt_compiler *c, uint32_t operation, uint8_t reg,
                    const struct rt_operand *operand) {
    enum rt_type type = (enum rt_type)operand->type;
    uint8_t other = operand->kind == RT_IN_REGISTER ? operand->reg : rt_cached_register(c, operand);
    if (other != RT_NO_REGISTER) {
        rt_x86_rr(c, operation, reg, other);
    } else if (operand->kind == RT_IS_CONSTANT) {
        uint8_t scratch = rt_class_of(type) == RT_GENERAL ? SCRATCH : VECTOR_SCRATCH;
        load_constant(c, type, scratch, operand->bits);
        rt_x86_rr(c, operation, reg, scratch);
    } else {
        rt_x86_rm(c, operation, reg, rt_x86_operand_memory(c, operand), 0);
    }
}

void rt_x86_push_condition(struct rt_compiler *c, uint8_t condition) {
    if (rt_condition_follows(c)) {
        rt_push_flags(c, condition);
        return;
    }
    uint8_t reg = rt_take_register(c, RT_GENERAL);
    rt_x86_set(c, condition, reg);
    rt_push_register(c, RT_I32, reg);
}
