/* Encoders of x86-64 instructions that are too long to be inline. */
#include "runtime/x86_64/emit.h"

/* The two encoders that nearly all code goes through write by a pointer of their own: a byte that is stored
 * by c->next could be part of *c, which would be read again each time. */

/* Prefix, REX, map and opcode; returns the end. */
static inline uint8_t *put_operation(uint8_t *to, uint32_t operation, uint8_t reg, uint8_t index, uint8_t rm,
                                     bool needs_rex) {
    unsigned prefix = operation >> 16 & 0xff;
    if (prefix)
        *to++ = (uint8_t)prefix;
    unsigned rex = (operation & X86_W ? 8u : 0) | (reg & 8u) >> 1 | (index & 8u) >> 2 | (rm & 8u) >> 3;
    if (rex || needs_rex)
        *to++ = (uint8_t)(0x40 | rex);
    unsigned map = operation >> 8 & 3;
    if (map)
        *to++ = 0x0f;
    if (map > 1)
        *to++ = map == 2 ? 0x38 : 0x3a;
    *to++ = operation & 0xff;
    return to;
}

void rt_x86_rr(struct rt_compiler *c, uint32_t operation, uint8_t reg, uint8_t rm) {
    /* Without REX the byte registers 4 to 7 are ah to bh. */
    bool needs_rex = (operation & X86_BYTE_REG && reg >= 4) || (operation & X86_BYTE_RM && rm >= 4);
    uint8_t *to = put_operation(c->next, operation, reg, 0, rm, needs_rex);
    *to++ = (uint8_t)(0xc0 | (reg & 7u) << 3 | (rm & 7u));
    c->next = to;
}

void rt_x86_rm(struct rt_compiler *c, uint32_t operation, uint8_t reg, struct x86_memory memory,
               unsigned immediate) {
    bool indexed = memory.index != NO_REGISTER;
    uint8_t base = memory.base == RIP ? 0 : memory.base;
    uint8_t *to = put_operation(c->next, operation, reg, indexed ? memory.index : 0, base,
                                operation & X86_BYTE_REG && reg >= 4);
    unsigned middle = (reg & 7u) << 3;
    uint32_t displacement = (uint32_t)memory.displacement;
    if (memory.base == RIP) {
        *to++ = (uint8_t)(middle | 5);
        displacement -= (uint32_t)(to - c->start) + 4 + immediate;
        memcpy(to, &displacement, sizeof(displacement));
        c->next = to + sizeof(displacement);
        return;
    }
    /* rbp and r13 as a base always have a displacement, rsp and r12 always the second byte. */
    unsigned mode = memory.displacement == 0 && (base & 7) != RBP ? 0
                    : (int8_t)displacement == memory.displacement ? 0x40
                                                                  : 0x80;
    if (indexed || (base & 7) == RSP) {
        *to++ = (uint8_t)(mode | middle | 4);
        *to++ =
            (uint8_t)((unsigned)memory.scale << 6 | (indexed ? memory.index & 7u : 4u) << 3 | (base & 7u));
    } else {
        *to++ = (uint8_t)(mode | middle | (base & 7u));
    }
    if (mode == 0x40) {
        *to++ = displacement & 0xff;
    } else if (mode == 0x80) {
        memcpy(to, &displacement, sizeof(displacement));
        to += sizeof(displacement);
    }
    c->next = to;
}

void rt_x86_group_imm(struct rt_compiler *c, uint32_t wide, unsigned operation, uint8_t reg,
                      int32_t immediate) {
    bool is_short = (int8_t)immediate == immediate;
    rt_x86_rr(c, wide | (is_short ? 0x83 : 0x81), (uint8_t)operation, reg);
    if (is_short)
        x86_byte(c, (uint8_t)immediate);
    else
        x86_u32(c, (uint32_t)immediate);
}

void rt_x86_group_memory_imm(struct rt_compiler *c, uint32_t wide, unsigned operation,
                             struct x86_memory memory, int32_t immediate) {
    bool is_short = (int8_t)immediate == immediate;
    rt_x86_rm(c, wide | (is_short ? 0x83 : 0x81), (uint8_t)operation, memory, is_short ? 1 : 4);
    if (is_short)
        x86_byte(c, (uint8_t)immediate);
    else
        x86_u32(c, (uint32_t)immediate);
}

void rt_x86_shift_imm(struct rt_compiler *c, uint32_t wide, unsigned operation, uint8_t reg, uint8_t count) {
    rt_x86_rr(c, wide | 0xc1, (uint8_t)operation, reg);
    x86_byte(c, count);
}

void rt_x86_mov_imm(struct rt_compiler *c, uint8_t reg, uint64_t value) {
    if (value <= UINT32_MAX) {
        if (reg & 8)
            x86_byte(c, 0x41);
        x86_byte(c, 0xb8 | (reg & 7u));
        x86_u32(c, (uint32_t)value);
    } else if ((int64_t)value == (int32_t)value) {
        rt_x86_rr(c, X86_W | 0xc7, 0, reg);
        x86_u32(c, (uint32_t)value);
    } else {
        x86_byte(c, 0x48 | reg >> 3);
        x86_byte(c, 0xb8 | (reg & 7u));
        x86_u64(c, value);
    }
}

void rt_x86_set(struct rt_compiler *c, uint8_t condition, uint8_t reg) {
    if (condition == CC_EQUAL_ORDERED || condition == CC_NOT_EQUAL_OR_UNORDERED) {
        bool equal = condition == CC_EQUAL_ORDERED;
        rt_x86_rr(c, X86_MAP_0F | X86_BYTE_RM | 0x90 | (equal ? CC_NP : CC_P), 0, reg);
        rt_x86_rr(c, X86_MAP_0F | X86_BYTE_RM | 0x90 | (equal ? CC_E : CC_NE), 0, SCRATCH);
        rt_x86_rr(c, X86_BYTE_REG | X86_BYTE_RM | (equal ? 0x22 : 0x0a), reg, SCRATCH);
    } else {
        rt_x86_rr(c, X86_MAP_0F | X86_BYTE_RM | 0x90 | condition, 0, reg);
    }
    rt_x86_rr(c, X86_MOVZX8 | X86_BYTE_RM, reg, reg);
}

uint32_t rt_x86_jcc_near(struct rt_compiler *c, unsigned condition) {
    x86_byte(c, 0x0f);
    x86_byte(c, 0x80 | condition);
    x86_u32(c, 0);
    return rt_here(c) - 4;
}

uint32_t rt_x86_jmp_near(struct rt_compiler *c) {
    x86_byte(c, 0xe9);
    x86_u32(c, 0);
    return rt_here(c) - 4;
}

void rt_x86_trap_if(struct rt_compiler *c, unsigned condition, enum rt_trap trap, uint32_t height) {
    rt_map_operands(c, height);
    uint32_t origin = rt_here(c);
    rt_trap_exit(c, trap, rt_x86_jcc_near(c, condition), origin);
}
