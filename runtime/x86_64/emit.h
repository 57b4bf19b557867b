/* Encoders of x86-64 instructions (private to runtime/x86_64/). They write at c->next and never ask for room:
 * the lowering has reserved it. */
#ifndef LOCKSTEP_RUNTIME_X86_64_EMIT_H
#define LOCKSTEP_RUNTIME_X86_64_EMIT_H

#include <string.h>

#include "runtime/compile.h"

/* Register numbers, as encoded. */
enum {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    RIP, /* as a base only: disp is then a machine offset */
    NO_REGISTER,
};
#define INSTANCE       R14
#define MEMORY         R15
#define SCRATCH        R11
#define VECTOR_SCRATCH 15

/* Operation codes for the encoders: opcode byte, map, mandatory prefix, and flags. */
#define X86_MAP_0F   0x00000100u
#define X86_MAP_0F38 0x00000200u
#define X86_MAP_0F3A 0x00000300u
#define X86_66       0x00660000u
#define X86_F2       0x00f20000u
#define X86_F3       0x00f30000u
#define X86_W        0x01000000u /* 64 bits wide */
#define X86_BYTE_REG 0x02000000u /* the register field names a byte */
#define X86_BYTE_RM  0x04000000u /* so does the other operand, when a register */

enum {
    X86_ADD = 0x03, /* register, register or memory */
    X86_OR = 0x0b,
    X86_AND = 0x23,
    X86_SUB = 0x2b,
    X86_XOR = 0x33,
    X86_CMP = 0x3b,
    X86_TEST = 0x85,
    X86_MOV_LOAD = 0x8b,
    X86_MOV_STORE = 0x89,
    X86_LEA = 0x8d,
    X86_MOVSXD = 0x63,
    X86_IMUL = X86_MAP_0F | 0xaf,
    X86_IMUL_IMM = 0x69,
    X86_MOVZX8 = X86_MAP_0F | 0xb6,
    X86_MOVZX16 = X86_MAP_0F | 0xb7,
    X86_MOVSX8 = X86_MAP_0F | 0xbe,
    X86_MOVSX16 = X86_MAP_0F | 0xbf,
    X86_BSF = X86_MAP_0F | 0xbc,
    X86_BSR = X86_MAP_0F | 0xbd,
    X86_POPCNT = X86_F3 | X86_MAP_0F | 0xb8,
    X86_CMOV = X86_MAP_0F | 0x40, /* + condition */
    X86_MOVSS = X86_F3 | X86_MAP_0F | 0x10,
    X86_MOVSD = X86_F2 | X86_MAP_0F | 0x10,
    X86_MOVSS_STORE = X86_F3 | X86_MAP_0F | 0x11,
    X86_MOVSD_STORE = X86_F2 | X86_MAP_0F | 0x11,
    X86_MOVAPS = X86_MAP_0F | 0x28,
    X86_MOVUPS = X86_MAP_0F | 0x10,
    X86_MOVUPS_STORE = X86_MAP_0F | 0x11,
    X86_UCOMISS = X86_MAP_0F | 0x2e,
    X86_UCOMISD = X86_66 | X86_MAP_0F | 0x2e,
    X86_MOVD_LOAD = X86_66 | X86_MAP_0F | 0x6e,  /* vector from general; | X86_W for 64 bits */
    X86_MOVD_STORE = X86_66 | X86_MAP_0F | 0x7e, /* general from vector */
    X86_XORPS = X86_MAP_0F | 0x57,
    X86_ANDPS = X86_MAP_0F | 0x54,
    X86_ANDNPS = X86_MAP_0F | 0x55,
    X86_ORPS = X86_MAP_0F | 0x56,
};

/* Conditions, as encoded; the last two need the parity flag as well, which says "unordered". */
enum {
    CC_O = 0,
    CC_NO = 1,
    CC_B = 2,
    CC_AE = 3,
    CC_E = 4,
    CC_NE = 5,
    CC_BE = 6,
    CC_A = 7,
    CC_S = 8,
    CC_NS = 9,
    CC_P = 10,
    CC_NP = 11,
    CC_L = 12,
    CC_GE = 13,
    CC_LE = 14,
    CC_G = 15,
    CC_EQUAL_ORDERED = 16,
    CC_NOT_EQUAL_OR_UNORDERED = 17,
};

/* The eight operations of opcodes 0x81 and 0xc1, by their register field. */
enum { GROUP_ADD, GROUP_OR, GROUP_ADC, GROUP_SBB, GROUP_AND, GROUP_SUB, GROUP_XOR, GROUP_CMP };
enum { SHIFT_ROL = 0, SHIFT_ROR = 1, SHIFT_SHL = 4, SHIFT_SHR = 5, SHIFT_SAR = 7 };

struct x86_memory {
    uint8_t base, index; /* NO_REGISTER: none */
    uint8_t scale;       /* of the index: a shift count */
    int32_t displacement;
};

static inline struct x86_memory x86_at(uint8_t base, int32_t displacement) {
    return (struct x86_memory){base, NO_REGISTER, 0, displacement};
}

static inline void x86_byte(struct rt_compiler *c, unsigned byte) {
    *c->next++ = (uint8_t)byte;
}
static inline void x86_u32(struct rt_compiler *c, uint32_t value) {
    memcpy(c->next, &value, sizeof(value));
    c->next += sizeof(value);
}
static inline void x86_u64(struct rt_compiler *c, uint64_t value) {
    memcpy(c->next, &value, sizeof(value));
    c->next += sizeof(value);
}

/* operation reg, rm */
void rt_x86_rr(struct rt_compiler *c, uint32_t operation, uint8_t reg, uint8_t rm);
/* operation reg, [memory]; `immediate` is how many bytes of immediate follow (RIP-relative addresses need it)
 */
void rt_x86_rm(struct rt_compiler *c, uint32_t operation, uint8_t reg, struct x86_memory memory,
               unsigned immediate);
/* Group 1 (add to cmp) with an immediate: the short form when it fits. */
void rt_x86_group_imm(struct rt_compiler *c, uint32_t wide, unsigned operation, uint8_t reg,
                      int32_t immediate);
void rt_x86_group_memory_imm(struct rt_compiler *c, uint32_t wide, unsigned operation,
                             struct x86_memory memory, int32_t immediate);
void rt_x86_shift_imm(struct rt_compiler *c, uint32_t wide, unsigned operation, uint8_t reg, uint8_t count);
/* mov reg, value in the shortest form that changes no flags. */
void rt_x86_mov_imm(struct rt_compiler *c, uint8_t reg, uint64_t value);
/* setcc and zero extension. */
void rt_x86_set(struct rt_compiler *c, uint8_t condition, uint8_t reg);

/* Jumps. A near one leaves a 4-byte field, whose offset is returned. */
uint32_t rt_x86_jcc_near(struct rt_compiler *c, unsigned condition);
uint32_t rt_x86_jmp_near(struct rt_compiler *c);
/* A short one inside an instruction's lowering: returns where its field is, for x86_land. */
static inline uint8_t *x86_jcc(struct rt_compiler *c, unsigned condition) {
    x86_byte(c, 0x70 | condition);
    x86_byte(c, 0);
    return c->next - 1;
}
static inline uint8_t *x86_jmp(struct rt_compiler *c) {
    x86_byte(c, 0xeb);
    x86_byte(c, 0);
    return c->next - 1;
}
static inline void x86_land(struct rt_compiler *c, uint8_t *field) {
    *field = (uint8_t)(c->next - field - 1);
}
/* A conditional jump to an out-of-line trap; the operands below `height` are listed. */
void rt_x86_trap_if(struct rt_compiler *c, unsigned condition, enum rt_trap trap, uint32_t height);

#endif
