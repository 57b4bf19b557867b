/* Lowers integer arithmetic and comparisons (section 4.3.2). */
#include "runtime/x86_64/lower.h"

static bool fits_immediate(const struct rt_operand *operand) {
    return operand->kind == RT_IS_CONSTANT &&
           (operand->type == RT_I32 || (int64_t)operand->bits == (int32_t)operand->bits);
}

static bool in_frame(const struct rt_operand *operand) {
    return operand->kind == RT_IN_SLOT || operand->kind == RT_IS_LOCAL;
}

void rt_x86_alu(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type type = (enum rt_type)how->operand;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    bool commutes = how->operation != GROUP_SUB;
    if (commutes && left.kind != RT_IN_REGISTER &&
        (right.kind == RT_IN_REGISTER || left.kind == RT_IS_CONSTANT))
        x86_swap_operands(&left, &right);
    uint8_t reg = rt_x86_to_register(c, &left);
    if (fits_immediate(&right))
        rt_x86_group_imm(c, x86_width(type), how->operation, reg, (int32_t)right.bits);
    else
        rt_x86_operate(c, x86_width(type) | (how->operation << 3) | 3, reg, &right);
    rt_give_operand(c, &right);
    rt_push_register(c, type, reg);
}

void rt_x86_multiply(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type type = (enum rt_type)how->operand;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    if (left.kind != RT_IN_REGISTER && (right.kind == RT_IN_REGISTER || left.kind == RT_IS_CONSTANT))
        x86_swap_operands(&left, &right);
    if (fits_immediate(&right)) {
        uint8_t reg = rt_x86_to_register(c, &left);
        rt_x86_rr(c, x86_width(type) | X86_IMUL_IMM, reg, reg);
        x86_u32(c, (uint32_t)right.bits);
        rt_push_register(c, type, reg);
        return;
    }
    uint8_t reg = rt_x86_to_register(c, &left);
    rt_x86_operate(c, x86_width(type) | X86_IMUL, reg, &right);
    rt_give_operand(c, &right);
    rt_push_register(c, type, reg);
}

/* Unsigned division by a power of two; false when it is none. */
static bool divide_by_shift(struct rt_compiler *c, const struct x86_lowering *how) {
    const struct rt_operand *divisor = &c->operands[c->height - 1];
    if (how->detail & DIVIDE_SIGNED || divisor->kind != RT_IS_CONSTANT || !divisor->bits ||
        divisor->bits & (divisor->bits - 1) || !fits_immediate(divisor) || divisor->bits > 0x40000000)
        return false;
    enum rt_type type = (enum rt_type)how->operand;
    struct rt_operand popped = rt_pop(c);
    uint8_t reg = rt_pop_register(c, NULL);
    if (how->detail & DIVIDE_REMAINDER)
        rt_x86_group_imm(c, x86_width(type), GROUP_AND, reg, (int32_t)(popped.bits - 1));
    else if (popped.bits > 1)
        rt_x86_shift_imm(c, x86_width(type), SHIFT_SHR, reg, (uint8_t)__builtin_ctzll(popped.bits));
    rt_push_register(c, type, reg);
    return true;
}

void rt_x86_divide(struct rt_compiler *c, const struct x86_lowering *how) {
    if (divide_by_shift(c, how))
        return;
    enum rt_type type = (enum rt_type)how->operand;
    uint32_t width = x86_width(type);
    bool is_signed = how->detail & DIVIDE_SIGNED, remainder = how->detail & DIVIDE_REMAINDER;
    /* rdx:rax is divided by a register that is neither. */
    rt_take_this_register(c, RT_GENERAL, RDX);
    struct rt_operand popped = rt_pop(c);
    uint8_t divisor = rt_x86_to_register(c, &popped);
    if (divisor == RAX) {
        divisor = rt_take_register(c, RT_GENERAL);
        rt_x86_move(c, type, divisor, RAX);
        rt_give_register(c, RT_GENERAL, RAX);
        if (popped.kind == RT_IN_REGISTER)
            c->operands[c->height].reg = divisor;
    }
    rt_pop_into(c, RAX);

    bool constant = popped.kind == RT_IS_CONSTANT;
    if (!constant || !popped.bits) {
        rt_x86_rr(c, width | X86_TEST, divisor, divisor);
        rt_x86_trap_if(c, CC_E, RT_TRAP_INTEGER_DIVIDE_BY_ZERO, c->height + 2);
    }
    uint8_t *done = NULL;
    bool minus_one = !constant || popped.bits == (type == RT_I32 ? UINT32_MAX : UINT64_MAX);
    if (is_signed && minus_one) {
        /* The least integer by -1: an overflow, its remainder 0. */
        rt_x86_group_imm(c, width, GROUP_CMP, divisor, -1);
        uint8_t *other = x86_jcc(c, CC_NE);
        if (remainder) {
            rt_x86_rr(c, X86_XOR, RDX, RDX);
            done = x86_jmp(c);
        } else {
            rt_x86_group_imm(c, width, GROUP_CMP, RAX, 1); /* overflows for the least integer alone */
            rt_x86_trap_if(c, CC_O, RT_TRAP_INTEGER_OVERFLOW, c->height + 2);
        }
        x86_land(c, other);
    }
    if (is_signed) {
        if (width)
            x86_byte(c, 0x48);
        x86_byte(c, 0x99); /* cdq, cqo */
    } else {
        rt_x86_rr(c, X86_XOR, RDX, RDX);
    }
    rt_x86_rr(c, width | 0xf7, is_signed ? 7 : 6, divisor);
    if (done)
        x86_land(c, done);
    rt_give_register(c, RT_GENERAL, divisor);
    rt_give_register(c, RT_GENERAL, remainder ? RAX : RDX);
    rt_push_register(c, type, remainder ? RDX : RAX);
}

void rt_x86_shift(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type type = (enum rt_type)how->operand;
    uint32_t width = x86_width(type);
    if (c->operands[c->height - 1].kind == RT_IS_CONSTANT) {
        struct rt_operand count = rt_pop(c);
        uint8_t reg = rt_pop_register(c, NULL);
        rt_x86_shift_imm(c, width, how->operation, reg, (uint8_t)(count.bits & (width ? 63 : 31)));
        rt_push_register(c, type, reg);
        return;
    }
    rt_pop_into(c, RCX);
    struct rt_operand count = c->operands[c->height];
    uint8_t reg = rt_pop_register(c, NULL);
    rt_x86_rr(c, width | 0xd3, (uint8_t)how->operation, reg); /* by cl, modulo the width as Wasm has it */
    rt_give_register(c, RT_GENERAL, RCX);
    if (count.kind == RT_IS_LOCAL && rt_cached_register(c, &count) == RT_NO_REGISTER)
        rt_cache_local(c, count.index, RCX); /* the next shift may be by the same */
    rt_push_register(c, type, reg);
}

/* The condition for swapped operands. */
static uint8_t mirrored(uint8_t condition) {
    switch (condition) {
    case CC_B: return CC_A;
    case CC_A: return CC_B;
    case CC_AE: return CC_BE;
    case CC_BE: return CC_AE;
    case CC_L: return CC_G;
    case CC_G: return CC_L;
    case CC_GE: return CC_LE;
    case CC_LE: return CC_GE;
    default: return condition;
    }
}

/* Where a popped operand can be compared in place: its register, or one that holds the local that it names.
 */
static uint8_t readable_register(const struct rt_compiler *c, const struct rt_operand *operand) {
    return operand->kind == RT_IN_REGISTER ? operand->reg : rt_cached_register(c, operand);
}

void rt_x86_compare(struct rt_compiler *c, const struct x86_lowering *how) {
    uint32_t width = x86_width((enum rt_type)how->operand);
    uint8_t condition = how->detail;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    if (left.kind == RT_IS_CONSTANT ||
        (readable_register(c, &left) == RT_NO_REGISTER && readable_register(c, &right) != RT_NO_REGISTER)) {
        x86_swap_operands(&left, &right);
        condition = mirrored(condition);
    }
    uint8_t reg = readable_register(c, &left);
    if (reg == RT_NO_REGISTER && in_frame(&left) && fits_immediate(&right)) {
        rt_x86_group_memory_imm(c, width, GROUP_CMP, rt_x86_operand_memory(c, &left), (int32_t)right.bits);
    } else {
        bool loaded = reg == RT_NO_REGISTER;
        if (loaded)
            reg = rt_x86_to_register(c, &left);
        if (fits_immediate(&right) && !right.bits)
            rt_x86_rr(c, width | X86_TEST, reg, reg);
        else if (fits_immediate(&right))
            rt_x86_group_imm(c, width, GROUP_CMP, reg, (int32_t)right.bits);
        else
            rt_x86_operate(c, width | X86_CMP, reg, &right);
        if (loaded)
            rt_give_register(c, RT_GENERAL, reg);
        rt_give_operand(c, &left);
    }
    rt_give_operand(c, &right);
    rt_x86_push_condition(c, condition);
}

void rt_x86_is_zero(struct rt_compiler *c, const struct x86_lowering *how) {
    uint32_t width = x86_width((enum rt_type)how->operand);
    struct rt_operand operand = rt_pop(c);
    uint8_t condition = CC_E;
    if (operand.kind == RT_IN_FLAGS) {
        condition = rt_x86_invert(operand.reg);
    } else if (readable_register(c, &operand) != RT_NO_REGISTER) {
        uint8_t reg = readable_register(c, &operand);
        rt_x86_rr(c, width | X86_TEST, reg, reg);
        rt_give_operand(c, &operand);
    } else if (in_frame(&operand)) {
        rt_x86_group_memory_imm(c, width, GROUP_CMP, rt_x86_operand_memory(c, &operand), 0);
    } else {
        uint8_t reg = rt_x86_to_register(c, &operand);
        rt_x86_rr(c, width | X86_TEST, reg, reg);
        rt_give_register(c, RT_GENERAL, reg);
    }
    rt_x86_push_condition(c, condition);
}

void rt_x86_count_zeros(struct rt_compiler *c, const struct x86_lowering *how) {
    enum rt_type type = (enum rt_type)how->operand;
    uint32_t width = x86_width(type), bits = width ? 64 : 32;
    uint8_t reg = rt_pop_register(c, NULL);
    /* Of zero the instruction gives nothing: then the answer is the width. */
    bool leading = how->operation == X86_BSR;
    rt_x86_mov_imm(c, SCRATCH, leading ? 2 * bits - 1 : bits);
    rt_x86_rr(c, width | how->operation, reg, reg);
    rt_x86_rr(c, width | X86_CMOV | CC_E, reg, SCRATCH);
    if (leading)
        rt_x86_group_imm(c, width, GROUP_XOR, reg, (int32_t)bits - 1);
    rt_push_register(c, type, reg);
}

void rt_x86_unary(struct rt_compiler *c, const struct x86_lowering *how) {
    struct rt_operand operand = rt_pop(c);
    uint8_t reg = operand.kind == RT_IN_REGISTER ? operand.reg : rt_take_register(c, RT_GENERAL);
    rt_x86_operate(c, how->operation, reg, &operand);
    rt_push_register(c, (enum rt_type)how->result, reg);
}
