/* Lowers jumps, conditions and select. */
#include "runtime/x86_64/lower.h"

#define JUMP_ROOM 32

void rt_x86_set_field(uint8_t *start, uint32_t field, uint32_t to) {
    uint32_t distance = to - (field + 4);
    memcpy(start + field, &distance, sizeof(distance));
}

uint8_t rt_x86_test(struct rt_compiler *c, const struct rt_operand *operand) {
    if (operand->kind == RT_IN_FLAGS)
        return operand->reg;
    rt_compile_reserve(c, JUMP_ROOM);
    uint8_t reg = operand->kind == RT_IN_REGISTER ? operand->reg : rt_cached_register(c, operand);
    if (reg != RT_NO_REGISTER) {
        rt_x86_rr(c, X86_TEST, reg, reg);
        rt_give_operand(c, operand);
    } else if (operand->kind == RT_IS_CONSTANT) {
        rt_x86_mov_imm(c, SCRATCH, operand->bits);
        rt_x86_rr(c, X86_TEST, SCRATCH, SCRATCH);
    } else {
        rt_x86_group_memory_imm(c, 0, GROUP_CMP, rt_x86_operand_memory(c, operand), 0);
    }
    return CC_NE;
}

uint8_t rt_x86_invert(uint8_t condition) {
    return condition ^ 1; /* the two that need parity are a pair as well */
}

void rt_x86_jump(struct rt_compiler *c, struct rt_label *label) {
    rt_compile_reserve(c, JUMP_ROOM);
    uint32_t field = rt_x86_jmp_near(c);
    rt_use_label(c, label, field);
}

void rt_x86_branch(struct rt_compiler *c, uint8_t condition, struct rt_label *label) {
    rt_compile_reserve(c, JUMP_ROOM);
    uint32_t field;
    if (condition == CC_EQUAL_ORDERED) {
        uint8_t *unordered = x86_jcc(c, CC_P);
        field = rt_x86_jcc_near(c, CC_E);
        x86_land(c, unordered);
    } else if (condition == CC_NOT_EQUAL_OR_UNORDERED) {
        field = rt_x86_jcc_near(c, CC_P);
        rt_use_label(c, label, field);
        field = rt_x86_jcc_near(c, CC_NE);
    } else {
        field = rt_x86_jcc_near(c, condition);
    }
    rt_use_label(c, label, field);
}

uint32_t rt_x86_jump_table(struct rt_compiler *c, uint8_t reg, uint32_t count) {
    rt_compile_reserve(c, 64 + 4 * ((size_t)count + 1));
    if (c->error)
        return 0;
    rt_x86_mov_imm(c, SCRATCH, count);
    rt_x86_rr(c, X86_CMP, reg, SCRATCH);
    rt_x86_rr(c, X86_CMOV | CC_A, reg, SCRATCH);
    /* Each field holds the distance from its own end. */
    rt_x86_rm(c, X86_W | X86_LEA, SCRATCH, x86_at(RIP, 0), 0);
    uint32_t base_field = rt_here(c) - 4;
    rt_x86_rm(c, X86_W | X86_LEA, SCRATCH, (struct x86_memory){SCRATCH, reg, 2, 0}, 0);
    rt_x86_rm(c, X86_W | X86_MOVSXD, reg, x86_at(SCRATCH, 0), 0);
    rt_x86_rm(c, X86_W | X86_LEA, reg, (struct x86_memory){SCRATCH, reg, 0, 4}, 0);
    rt_x86_rr(c, 0xff, 4, reg);
    uint32_t table = rt_here(c);
    rt_x86_set_field(c->start, base_field, table);
    memset(c->next, 0, 4 * ((size_t)count + 1));
    c->next += 4 * ((size_t)count + 1);
    return table;
}

void rt_x86_leave(struct rt_compiler *c) {
    rt_compile_reserve(c, JUMP_ROOM);
    x86_byte(c, 0xc9); /* leave */
    x86_byte(c, 0xc3); /* ret */
}

/* ud2, and the kind where rt_x86_trap_at reads it. */
void rt_x86_trap(struct rt_compiler *c, enum rt_trap trap) {
    rt_compile_reserve(c, JUMP_ROOM);
    x86_byte(c, 0x0f);
    x86_byte(c, 0x0b);
    x86_byte(c, trap);
}

static void select_general(struct rt_compiler *c, uint8_t condition, struct rt_operand *yes,
                           struct rt_operand *no) {
    enum rt_type type = (enum rt_type)yes->type;
    uint32_t width = x86_width(type);
    uint8_t reg = rt_x86_to_register(c, yes);
    if (condition == CC_EQUAL_ORDERED) {
        rt_x86_operate(c, width | X86_CMOV | CC_NE, reg, no);
        rt_x86_operate(c, width | X86_CMOV | CC_P, reg, no);
    } else {
        rt_x86_operate(c, width | X86_CMOV | rt_x86_invert(condition), reg, no);
    }
    rt_give_operand(c, no);
    rt_push_register(c, type, reg);
}

static void select_vector(struct rt_compiler *c, uint8_t condition, struct rt_operand *yes,
                          struct rt_operand *no) {
    uint8_t reg = rt_x86_to_register(c, yes);
    if (condition == CC_EQUAL_ORDERED) {
        uint8_t *differ = x86_jcc(c, CC_NE);
        uint8_t *ordered = x86_jcc(c, CC_NP);
        x86_land(c, differ);
        rt_x86_load(c, reg, no);
        x86_land(c, ordered);
    } else {
        uint8_t *chosen = x86_jcc(c, condition);
        rt_x86_load(c, reg, no);
        x86_land(c, chosen);
    }
    rt_give_operand(c, no);
    rt_push_register(c, (enum rt_type)yes->type, reg);
}

void rt_x86_select(struct rt_compiler *c) {
    struct rt_operand operand = rt_pop(c);
    uint8_t condition = rt_x86_test(c, &operand);
    struct rt_operand no = rt_pop(c), yes = rt_pop(c);
    if (condition == CC_NOT_EQUAL_OR_UNORDERED) {
        struct rt_operand kept = yes;
        yes = no;
        no = kept;
        condition = CC_EQUAL_ORDERED;
    }
    if (rt_class_of((enum rt_type)yes.type) == RT_GENERAL)
        select_general(c, condition, &yes, &no);
    else
        select_vector(c, condition, &yes, &no);
}
