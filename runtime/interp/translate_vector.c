/* Translates SIMD instructions: vector.c executes them on operands in their places, and says nothing of where
 * those are, so that all operands are put there first. */
#include "runtime/interp/translate.h"
#include "runtime/interp/vector.h"

#include <string.h>

/* The bytes of an immediate; zeros after an error. */
static const uint8_t *read_bytes(struct rt_translator *t, size_t size) {
    static const uint8_t zeros[16];
    const uint8_t *bytes = zeros;
    struct rt_error *error = rt_cursor_bytes(&t->cursor, size, "immediate", &bytes);
    if (error)
        rt_translate_fail(t, error);
    return error ? zeros : bytes;
}

/* The bytes lie in the stream as they are, and are read there as bytes. */
static void emit_immediate(struct rt_translator *t, uint32_t opcode, uint32_t top, size_t size) {
    uint32_t words[4] = {0};
    memcpy(words, read_bytes(t, size), size);
    RT_EMIT(t, RT_DO_VECTOR_IMMEDIATE, opcode, top, words[0], words[1], words[2], words[3]);
}

static void emit_access(struct rt_translator *t, uint32_t opcode, uint32_t index, uint32_t top) {
    (void)rt_translate_u32(t); /* alignment is a hint */
    uint32_t offset = rt_translate_u32(t);
    uint32_t lane = rt_opcodes[opcode].immediate == RT_IMM_MEMARG_LANE ? *read_bytes(t, 1) : 0;
    RT_EMIT(t, RT_DO_VECTOR_MEMORY, opcode, index, top, offset, lane);
}

void rt_translate_vector(struct rt_translator *t, uint32_t opcode) {
    const char *signature = rt_opcodes[opcode].signature, *results = strchr(signature, ':');
    uint32_t from = t->height - (uint32_t)(results - signature);
    rt_operands_settle(t, from, t->height);
    uint32_t top = rt_place_slot(t, t->height);
    switch ((enum rt_immediate)rt_opcodes[opcode].immediate) {
    case RT_IMM_MEMARG:
    case RT_IMM_MEMARG_LANE: emit_access(t, opcode, rt_place_slot(t, from), top); break;
    case RT_IMM_V128:
    case RT_IMM_LANES: emit_immediate(t, opcode, top, 16); break;
    case RT_IMM_LANE: emit_immediate(t, opcode, top, 1); break;
    default: RT_EMIT(t, RT_DO_VECTOR, opcode, top); break;
    }
    rt_operands_drop(t, from);
    if (results[1])
        rt_operand_push(t, rt_translate_type(results[1]));
}
