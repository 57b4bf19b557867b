/* Displaced instructions (x86-64): Zydis decodes, the few kinds that mention their own address are made anew,
 * all others are copied. */
#include "stepper/relocate.h"

#include <Zydis/Zydis.h>
#include <pthread.h>
#include <string.h>

static ZydisDecoder decoder;

static void init_decoder(void) {
    /* Zydis documents no failure for this pair. */
    (void)ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

static bool is_loop(ZydisMnemonic mnemonic) {
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE:
    case ZYDIS_MNEMONIC_JCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_JRCXZ: return true;
    default: return false;
    }
}

/* Jumps, branches, calls and returns: sets flow, target, condition, is_loop and is_fixed. */
static void classify(const ZydisDecodedInstruction *decoded, struct st_instruction *ret) {
    bool is_relative = decoded->raw.imm[0].is_relative;
    if (is_relative) {
        ret->target = ret->address + ret->length + (uint64_t)decoded->raw.imm[0].value.s;
    }
    switch (decoded->meta.category) {
    case ZYDIS_CATEGORY_UNCOND_BR: ret->flow = is_relative ? ST_FLOW_JUMP : ST_FLOW_INDIRECT_JUMP; break;
    case ZYDIS_CATEGORY_COND_BR:
        ret->flow = ST_FLOW_BRANCH;
        ret->is_loop = is_loop(decoded->mnemonic);
        ret->condition = decoded->opcode & 0xf; /* 70+cc rel8 and 0f 80+cc rel32 alike */
        break;
    case ZYDIS_CATEGORY_CALL: ret->flow = is_relative ? ST_FLOW_CALL : ST_FLOW_INDIRECT_CALL; break;
    case ZYDIS_CATEGORY_RET: ret->flow = ST_FLOW_RETURN; break;
    default: ret->flow = ST_FLOW_NEXT; break;
    }
    bool is_branch = ret->flow != ST_FLOW_NEXT && ret->flow != ST_FLOW_RETURN;
    if (is_branch && decoded->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) {
        ret->is_fixed = true;
    }
    /* XBEGIN is relative, and neither jump nor call: its fallback address must be its own. */
    if (is_relative && (!is_branch || decoded->mnemonic == ZYDIS_MNEMONIC_XBEGIN)) {
        ret->is_fixed = true;
    }
    /* Intel ignores an operand-size prefix of a near branch, AMD cuts the target to 16 bits. */
    if (is_branch && (decoded->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE)) {
        ret->is_fixed = true;
    }
}

/* Whether all of its operands are registers, constants, or memory at a fixed distance from %rbp or %rsp. */
static bool is_in_frame(const ZydisDecodedInstruction *decoded) {
    enum { RSP = 4, RBP = 5, DIRECT = 3 };
    if (!(decoded->attributes & ZYDIS_ATTRIB_HAS_MODRM) || decoded->raw.modrm.mod == DIRECT) {
        return true;
    }
    if (decoded->raw.rex.B || decoded->raw.rex.X) {
        return false;
    }
    if (decoded->raw.modrm.rm == RSP) { /* a SIB byte follows; RSP is no index */
        return decoded->raw.sib.base == RSP && decoded->raw.sib.index == RSP;
    }
    return decoded->raw.modrm.rm == RBP && decoded->raw.modrm.mod != 0;
}

static bool is_move(const ZydisDecodedInstruction *decoded) {
    switch (decoded->mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
        return decoded->opcode >= 0x88 && decoded->opcode != 0x8c && decoded->opcode != 0x8e &&
               (decoded->opcode <= 0x8b || decoded->opcode >= 0xb0) && is_in_frame(decoded);
    case ZYDIS_MNEMONIC_NOP: return true;
    case ZYDIS_MNEMONIC_MOVD:
    case ZYDIS_MNEMONIC_MOVQ:
    case ZYDIS_MNEMONIC_MOVSS:
    case ZYDIS_MNEMONIC_MOVSD:
    case ZYDIS_MNEMONIC_MOVAPS:
    case ZYDIS_MNEMONIC_MOVUPS: return is_in_frame(decoded);
    default: return false;
    }
}

static void prepare_decoder(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_decoder);
}

bool st_instruction_decode(const void *bytes, size_t size, uint64_t address, struct st_instruction *ret) {
    prepare_decoder();
    ZydisDecodedInstruction decoded;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, size, &decoded))) {
        return false;
    }
    memset(ret, 0, sizeof(*ret));
    ret->address = address;
    ret->length = decoded.length;
    memcpy(ret->bytes, bytes, decoded.length);
    classify(&decoded, ret);
    ret->is_move = is_move(&decoded);
    if (decoded.attributes & ZYDIS_ATTRIB_HAS_MODRM) {
        ret->modrm = decoded.raw.modrm.offset;
        if (decoded.raw.modrm.mod == 0 && decoded.raw.modrm.rm == 5) {
            ret->displacement = decoded.raw.disp.offset;
            ret->is_fixed = ret->is_fixed || decoded.address_width != 64;
        }
    }
    return true;
}

/* The DWARF number of a general register of 64 bits; -1 for any other. */
static int8_t register_number(ZydisRegister name) {
    static const int8_t numbers[16] = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};
    return name >= ZYDIS_REGISTER_RAX && name <= ZYDIS_REGISTER_R15 ? numbers[name - ZYDIS_REGISTER_RAX] : -1;
}

bool st_instruction_written(const struct st_instruction *instruction, struct st_memory_operand *ret) {
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    prepare_decoder();
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&decoder, instruction->bytes, instruction->length, &decoded, operands))) {
        return false;
    }
    for (unsigned i = 0; i < decoded.operand_count_visible; i++) {
        const ZydisDecodedOperand *operand = &operands[i];
        if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || operand->mem.type != ZYDIS_MEMOP_TYPE_MEM ||
            operand->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT ||
            !(operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
            operand->mem.segment == ZYDIS_REGISTER_FS || operand->mem.segment == ZYDIS_REGISTER_GS) {
            continue;
        }
        *ret = (struct st_memory_operand){.base = register_number(operand->mem.base),
                                          .index = register_number(operand->mem.index),
                                          .scale = operand->mem.scale,
                                          .size = operand->size / 8u,
                                          .displacement = operand->mem.disp.value};
        bool has_index = operand->mem.index != ZYDIS_REGISTER_NONE;
        return ret->base >= 0 && (ret->index >= 0) == has_index;
    }
    return false;
}

/* ---- Emitting ---- */

static bool emit(struct st_emitter *out, const void *bytes, size_t size) {
    if ((size_t)(out->end - out->next) < size) {
        return false;
    }
    memcpy(out->next, bytes, size);
    out->next += size;
    out->address += size;
    return true;
}

static bool fits_int32(int64_t value) {
    return value == (int32_t)value;
}

bool st_jump_displacement(uint64_t from, uint64_t target, int32_t *ret) {
    int64_t displacement = (int64_t)(target - (from + ST_JUMP_SIZE));
    *ret = (int32_t)displacement;
    return fits_int32(displacement);
}

bool st_emit_jump(struct st_emitter *out, uint64_t target) {
    uint8_t code[ST_JUMP_SIZE] = {0xe9};
    int32_t displacement;
    if (!st_jump_displacement(out->address, target, &displacement)) {
        return false;
    }
    memcpy(code + 1, &displacement, sizeof(displacement));
    return emit(out, code, sizeof(code));
}

/* The instruction's bytes, a RIP-relative operand corrected; with `extension` not 0, the ModRM byte's
 * opcode extension becomes that. */
static bool emit_copy(struct st_emitter *out, const struct st_instruction *instruction, uint8_t extension) {
    uint8_t code[15];
    memcpy(code, instruction->bytes, instruction->length);
    if (extension != 0) {
        code[instruction->modrm] = (uint8_t)((code[instruction->modrm] & 0xc7) | extension << 3);
    }
    if (instruction->displacement != 0) {
        int32_t displacement;
        memcpy(&displacement, code + instruction->displacement, sizeof(displacement));
        int64_t moved = displacement + (int64_t)(instruction->address - out->address);
        if (!fits_int32(moved)) {
            return false;
        }
        displacement = (int32_t)moved;
        memcpy(code + instruction->displacement, &displacement, sizeof(displacement));
    }
    return emit(out, code, instruction->length);
}

static bool emit_branch(struct st_emitter *out, const struct st_instruction *instruction) {
    if (instruction->is_loop) {
        /* The original, to +2; jmp to the end; jmp target. Its last byte is the displacement. */
        uint8_t code[15];
        memcpy(code, instruction->bytes, instruction->length);
        code[instruction->length - 1] = 2;
        static const uint8_t skip[] = {0xeb, ST_JUMP_SIZE};
        return emit(out, code, instruction->length) && emit(out, skip, sizeof(skip)) &&
               st_emit_jump(out, instruction->target);
    }
    /* 0f 80+cc rel32: one byte longer than a jump, so the displacement counts from the second byte. */
    int32_t displacement;
    if (!st_jump_displacement(out->address + 1, instruction->target, &displacement)) {
        return false;
    }
    uint8_t code[6] = {0x0f, (uint8_t)(0x80 | instruction->condition)};
    memcpy(code + 2, &displacement, sizeof(displacement));
    return emit(out, code, sizeof(code));
}

static bool emit_call(struct st_emitter *out, const struct st_instruction *instruction) {
    uint64_t back = instruction->address + instruction->length;
    /* pushq 5(%rip), the literal behind the jump */
    static const uint8_t push[] = {0xff, 0x35, ST_JUMP_SIZE, 0, 0, 0};
    return emit(out, push, sizeof(push)) && st_emit_jump(out, instruction->target) &&
           emit(out, &back, sizeof(back));
}

/* Pushes the target while every operand still means the same (PUSH computes an address on %rsp before it
 * moves it), pushes it again, puts the return address in the first one's place, and returns to the second. */
static bool emit_indirect_call(struct st_emitter *out, const struct st_instruction *instruction) {
    uint64_t back = instruction->address + instruction->length;
    uint8_t code[] = {
        0xff, 0x34, 0x24,                   /* pushq (%rsp) */
        0xc7, 0x44, 0x24, 0x08, 0, 0, 0, 0, /* movl $low, 8(%rsp) */
        0xc7, 0x44, 0x24, 0x0c, 0, 0, 0, 0, /* movl $high, 12(%rsp) */
        0xc3,                               /* ret */
    };
    memcpy(code + 7, &back, 4);
    memcpy(code + 15, (uint8_t *)&back + 4, 4);
    enum { PUSH_EXTENSION = 6 }; /* ff /6, where the call is ff /2 */
    return emit_copy(out, instruction, PUSH_EXTENSION) && emit(out, code, sizeof(code));
}

bool st_instruction_relocate(const struct st_instruction *instruction, struct st_emitter *out) {
    if (instruction->is_fixed) {
        return false;
    }
    switch ((enum st_flow)instruction->flow) {
    case ST_FLOW_JUMP: return st_emit_jump(out, instruction->target);
    case ST_FLOW_BRANCH: return emit_branch(out, instruction);
    case ST_FLOW_CALL: return emit_call(out, instruction);
    case ST_FLOW_INDIRECT_CALL: return emit_indirect_call(out, instruction);
    case ST_FLOW_NEXT:
    case ST_FLOW_INDIRECT_JUMP:
    case ST_FLOW_RETURN: return emit_copy(out, instruction, 0);
    }
    return false;
}
