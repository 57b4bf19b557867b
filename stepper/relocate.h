/* Displaced instructions: one x86-64 instruction decoded, and made again at another address with the same
 * effect (private to stepper/). */
#ifndef LOCKSTEP_STEPPER_RELOCATE_H
#define LOCKSTEP_STEPPER_RELOCATE_H

#include "stepper/stepper.h"

/* Where control goes after an instruction. */
enum st_flow {
    ST_FLOW_NEXT,          /* to the next one */
    ST_FLOW_JUMP,          /* to `target` */
    ST_FLOW_BRANCH,        /* to `target` or the next one */
    ST_FLOW_CALL,          /* to `target`, and comes back to the next one */
    ST_FLOW_INDIRECT_CALL, /* the same, through a register or memory */
    ST_FLOW_INDIRECT_JUMP,
    ST_FLOW_RETURN,
};

struct st_instruction {
    uint64_t address; /* where it stands */
    uint64_t target;  /* of a direct jump, branch or call */
    uint8_t bytes[15];
    uint8_t length;
    uint8_t flow;         /* enum st_flow */
    uint8_t modrm;        /* offset of the ModRM byte; 0 when there is none (an opcode comes before it) */
    uint8_t displacement; /* offset of a RIP-relative operand's displacement, else 0 */
    uint8_t condition;    /* of a Jcc: its condition code */
    bool is_loop;         /* LOOP, LOOPE, LOOPNE, JECXZ, JRCXZ: there is no form with a long displacement */
    bool is_move;         /* it copies between registers, constants and what lies at %rbp or %rsp, or is no
                             operation */
    bool is_fixed;        /* it cannot run elsewhere (a far call, XBEGIN, EIP-relative operands, ...) */
};

/* Decodes the instruction at `bytes`, of which `size` are there, standing at `address`. False: not an
 * instruction. */
bool st_instruction_decode(const void *bytes, size_t size, uint64_t address, struct st_instruction *ret);

/* The memory that it writes by an operand of its own, with a general register for its base. False: none. */
bool st_instruction_written(const struct st_instruction *instruction, struct st_memory_operand *ret);

/* Where displaced code is written: `next` is where to write, `address` where those bytes will run (another
 * mapping of the same memory). */
struct st_emitter {
    uint8_t *next, *end;
    uint64_t address;
};

/* No displaced instruction, jump or return to the original takes more. */
enum { ST_RELOCATED_MAX = 48, ST_JUMP_SIZE = 5 };

/* Writes code with the instruction's effect, as if it still stood at its own address: a call pushes the
 * original return address, RIP-relative operands name the original memory. Registers, flags and memory below
 * the stack pointer (but for what a call overwrites anyway) are left alone; an operand that faults does so
 * before anything has changed. Code that falls through goes on after what was written. False when it cannot
 * be done: is_fixed, out of reach (2 GiB), or no room. */
RT_MUST_USE bool st_instruction_relocate(const struct st_instruction *instruction, struct st_emitter *out);
/* Writes `jmp target`; false when out of reach, or no room. */
RT_MUST_USE bool st_emit_jump(struct st_emitter *out, uint64_t target);
/* The displacement of a jump of ST_JUMP_SIZE bytes at `from`; false when out of reach. */
RT_MUST_USE bool st_jump_displacement(uint64_t from, uint64_t target, int32_t *ret);

#endif
