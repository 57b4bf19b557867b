/* SIMD in the interpreter: operands from slots and results to them, and the instructions that move lanes or
 * work on all 128 bits at once (core specification, section 4.4.3). */
#include "runtime/interp/vector_lanes.h"

#include <assert.h>
#include <string.h>

uint64_t *rt_vector_pop(struct rt_vector_call *call, uint64_t *top) {
    const char *signature = rt_opcodes[call->opcode].signature;
    for (const char *operand = signature; *operand != ':'; operand++)
        top -= *operand == 'v' ? 2 : 1;
    struct rt_vector *vector = call->operands;
    const uint64_t *slot = top;
    const char *operand = signature;
    for (; *operand != ':'; operand++) {
        if (*operand == 'v') {
            memcpy(vector++, slot, sizeof(*vector));
            slot += 2;
        } else {
            call->scalar = *slot++;
        }
    }
    call->result_type = operand[1];
    return top;
}

uint64_t *rt_vector_push(const struct rt_vector_call *call, uint64_t *top) {
    switch (call->result_type) {
    case '\0': return top;
    case 'v': memcpy(top, &call->result, sizeof(call->result)); return top + 2;
    default: *top = call->scalar_result; return top + 1;
    }
}

/* ---- Lanes moved ---- */

static void shuffle(struct rt_vector_call *call) {
    for (unsigned i = 0; i < RT_VECTOR_SIZE; i++) {
        uint8_t from = call->immediate[i];
        call->result.bytes[i] = call->operands[from / RT_VECTOR_SIZE].bytes[from % RT_VECTOR_SIZE];
    }
}

/* A lane number out of range selects zero. */
static void swizzle(struct rt_vector_call *call) {
    for (unsigned i = 0; i < RT_VECTOR_SIZE; i++) {
        uint8_t from = call->operands[1].bytes[i];
        call->result.bytes[i] = from < RT_VECTOR_SIZE ? call->operands[0].bytes[from] : 0;
    }
}

static void splat(struct rt_vector_call *call, unsigned size) {
    for (unsigned i = 0; i < RT_VECTOR_SIZE / size; i++)
        rt_vector_set_lane(&call->result, size, i, call->scalar);
}

/* A signed lane becomes an i32. */
static void extract(struct rt_vector_call *call, unsigned size, bool is_signed) {
    uint64_t lane = rt_vector_lane(&call->operands[0], size, *call->immediate);
    call->scalar_result = is_signed ? (uint32_t)rt_vector_extend(lane, size, true) : lane;
}

static void replace(struct rt_vector_call *call, unsigned size) {
    call->result = call->operands[0];
    rt_vector_set_lane(&call->result, size, *call->immediate, call->scalar);
}

/* ---- All bits at once ---- */

/* The instruction's function of each bit, 64 of them at a time. */
static uint64_t bits_of(uint32_t opcode, uint64_t a, uint64_t b, uint64_t c) {
    switch (opcode) {
    case RT_OP_V128_NOT: return ~a;
    case RT_OP_V128_AND: return a & b;
    case RT_OP_V128_ANDNOT: return a & ~b;
    case RT_OP_V128_OR: return a | b;
    case RT_OP_V128_XOR: return a ^ b;
    default: return (a & c) | (b & ~c); /* v128.bitselect */
    }
}

static void bitwise(struct rt_vector_call *call) {
    const struct rt_vector *v = call->operands;
    for (unsigned i = 0; i < 2; i++)
        rt_vector_set_lane(&call->result, 8, i,
                           bits_of(call->opcode, rt_vector_lane(&v[0], 8, i), rt_vector_lane(&v[1], 8, i),
                                   rt_vector_lane(&v[2], 8, i)));
}

static void any_true(struct rt_vector_call *call) {
    const struct rt_vector *v = &call->operands[0];
    call->scalar_result = (rt_vector_lane(v, 8, 0) | rt_vector_lane(v, 8, 1)) != 0;
}

/* Executes what treats lanes as neither integers nor floats; false for any other instruction. */
static bool move(struct rt_vector_call *call) {
    switch (call->opcode) {
    case RT_OP_V128_CONST: memcpy(&call->result, call->immediate, sizeof(call->result)); return true;
    case RT_OP_I8X16_SHUFFLE: shuffle(call); return true;
    case RT_OP_I8X16_SWIZZLE: swizzle(call); return true;
    case RT_OP_I8X16_SPLAT: splat(call, 1); return true;
    case RT_OP_I16X8_SPLAT: splat(call, 2); return true;
    case RT_OP_I32X4_SPLAT:
    case RT_OP_F32X4_SPLAT: splat(call, 4); return true;
    case RT_OP_I64X2_SPLAT:
    case RT_OP_F64X2_SPLAT: splat(call, 8); return true;
    case RT_OP_I8X16_EXTRACT_LANE_S: extract(call, 1, true); return true;
    case RT_OP_I8X16_EXTRACT_LANE_U: extract(call, 1, false); return true;
    case RT_OP_I16X8_EXTRACT_LANE_S: extract(call, 2, true); return true;
    case RT_OP_I16X8_EXTRACT_LANE_U: extract(call, 2, false); return true;
    case RT_OP_I32X4_EXTRACT_LANE:
    case RT_OP_F32X4_EXTRACT_LANE: extract(call, 4, false); return true;
    case RT_OP_I64X2_EXTRACT_LANE:
    case RT_OP_F64X2_EXTRACT_LANE: extract(call, 8, false); return true;
    case RT_OP_I8X16_REPLACE_LANE: replace(call, 1); return true;
    case RT_OP_I16X8_REPLACE_LANE: replace(call, 2); return true;
    case RT_OP_I32X4_REPLACE_LANE:
    case RT_OP_F32X4_REPLACE_LANE: replace(call, 4); return true;
    case RT_OP_I64X2_REPLACE_LANE:
    case RT_OP_F64X2_REPLACE_LANE: replace(call, 8); return true;
    case RT_OP_V128_NOT:
    case RT_OP_V128_AND:
    case RT_OP_V128_ANDNOT:
    case RT_OP_V128_OR:
    case RT_OP_V128_XOR:
    case RT_OP_V128_BITSELECT: bitwise(call); return true;
    case RT_OP_V128_ANY_TRUE: any_true(call); return true;
    default: return false;
    }
}

uint64_t *rt_interp_vector(uint32_t opcode, uint64_t *top, const uint8_t *immediate, bool canonical_nans) {
    struct rt_vector_call call = {.opcode = opcode, .immediate = immediate, .canonical_nans = canonical_nans};
    top = rt_vector_pop(&call, top);
    bool is_done = rt_vector_integer(&call) || rt_vector_float(&call) || move(&call);
    assert(is_done);
    (void)is_done;
    return rt_vector_push(&call, top);
}
