/* SIMD in the interpreter: loads and stores (core specification, section 4.4.7).
 *
 * Vectors have the byte order of linear memory, so that all but the widening loads only move bytes. */
#include "runtime/interp/vector_lanes.h"

#include <assert.h>
#include <string.h>

enum form {
    NO_ACCESS,  /* not a load or store */
    LOAD,       /* the bytes; zeros behind them */
    LOAD_S,     /* each lane sign-extended to twice its size */
    LOAD_U,     /* each lane zero-extended to twice its size */
    LOAD_SPLAT, /* the lane in all lanes */
    LOAD_LANE,  /* the vector operand with one lane replaced */
    STORE,      /* the whole vector */
    STORE_LANE, /* one lane of it */
};

struct access {
    uint8_t form; /* enum form */
    uint8_t bytes;
    uint8_t size; /* of a lane in memory, in bytes */
};

#define ROW(name, form, bytes, size) [RT_OP_V128_##name - RT_OP_V128_LOAD] = {form, bytes, size}

static const struct access accesses[] = {
    ROW(LOAD, LOAD, 16, 16),
    ROW(LOAD8X8_S, LOAD_S, 8, 1),
    ROW(LOAD8X8_U, LOAD_U, 8, 1),
    ROW(LOAD16X4_S, LOAD_S, 8, 2),
    ROW(LOAD16X4_U, LOAD_U, 8, 2),
    ROW(LOAD32X2_S, LOAD_S, 8, 4),
    ROW(LOAD32X2_U, LOAD_U, 8, 4),
    ROW(LOAD8_SPLAT, LOAD_SPLAT, 1, 1),
    ROW(LOAD16_SPLAT, LOAD_SPLAT, 2, 2),
    ROW(LOAD32_SPLAT, LOAD_SPLAT, 4, 4),
    ROW(LOAD64_SPLAT, LOAD_SPLAT, 8, 8),
    ROW(LOAD32_ZERO, LOAD, 4, 4),
    ROW(LOAD64_ZERO, LOAD, 8, 8),
    ROW(LOAD8_LANE, LOAD_LANE, 1, 1),
    ROW(LOAD16_LANE, LOAD_LANE, 2, 2),
    ROW(LOAD32_LANE, LOAD_LANE, 4, 4),
    ROW(LOAD64_LANE, LOAD_LANE, 8, 8),
    ROW(STORE, STORE, 16, 16),
    ROW(STORE8_LANE, STORE_LANE, 1, 1),
    ROW(STORE16_LANE, STORE_LANE, 2, 2),
    ROW(STORE32_LANE, STORE_LANE, 4, 4),
    ROW(STORE64_LANE, STORE_LANE, 8, 8),
};

static const struct access *access_of(uint32_t opcode) {
    size_t row = opcode - RT_OP_V128_LOAD;
    assert(row < sizeof accesses / sizeof *accesses && accesses[row].form != NO_ACCESS);
    return &accesses[row];
}

unsigned rt_interp_vector_access(uint32_t opcode) {
    return access_of(opcode)->bytes;
}

/* Lanes of `size` bytes become lanes of twice the size. */
static void load_wider(struct rt_vector *ret, const uint8_t *memory, unsigned size, bool is_signed) {
    struct rt_vector narrow = {0};
    memcpy(narrow.bytes, memory, RT_VECTOR_SIZE / 2);
    for (unsigned i = 0; i < RT_VECTOR_SIZE / 2 / size; i++)
        rt_vector_set_lane(ret, 2 * size, i,
                           rt_vector_extend(rt_vector_lane(&narrow, size, i), size, is_signed));
}

uint64_t *rt_interp_vector_memory(uint32_t opcode, uint64_t *top, uint8_t *memory, uint8_t lane) {
    const struct access *access = access_of(opcode);
    struct rt_vector_call call = {.opcode = opcode};
    top = rt_vector_pop(&call, top);
    const struct rt_vector *vector = &call.operands[0];
    size_t place = (size_t)lane * access->size;
    switch ((enum form)access->form) {
    case NO_ACCESS: break;
    case LOAD: memcpy(call.result.bytes, memory, access->bytes); break;
    case LOAD_S:
    case LOAD_U: load_wider(&call.result, memory, access->size, access->form == LOAD_S); break;
    case LOAD_SPLAT:
        for (unsigned i = 0; i < RT_VECTOR_SIZE; i += access->size)
            memcpy(call.result.bytes + i, memory, access->size);
        break;
    case LOAD_LANE:
        call.result = *vector;
        memcpy(call.result.bytes + place, memory, access->size);
        break;
    case STORE: memcpy(memory, vector->bytes, access->bytes); break;
    case STORE_LANE: memcpy(memory, vector->bytes + place, access->size); break;
    }
    return rt_vector_push(&call, top);
}
