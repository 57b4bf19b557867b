/* Vectors, their lanes and one instruction's execution, as the vector*.c files share them (private to those).
 */
#ifndef LOCKSTEP_RUNTIME_INTERP_VECTOR_LANES_H
#define LOCKSTEP_RUNTIME_INTERP_VECTOR_LANES_H

#include "runtime/interp/numeric.h"
#include "runtime/interp/vector.h"
#include "runtime/module.h"

enum { RT_VECTOR_SIZE = 16 };

/* The bytes in the order of memory: lane i of `size` bytes is bytes i * size on, little-endian. */
struct rt_vector {
    uint8_t bytes[RT_VECTOR_SIZE];
};

/* One instruction being executed. */
struct rt_vector_call {
    uint32_t opcode;
    const uint8_t *immediate;
    bool canonical_nans;
    struct rt_vector operands[3]; /* those that are vectors, the deepest first; zero where there are fewer */
    uint64_t scalar;              /* the operand that is none */
    char result_type;             /* as opcodes.def has it; 0: there is no result. Set by rt_vector_pop */
    struct rt_vector result;      /* zero at first; the result, when it is a vector */
    uint64_t scalar_result;       /* the result, when it is none */
};

/* Takes the operands by the opcode's signature, and returns the top below them. */
uint64_t *rt_vector_pop(struct rt_vector_call *call, uint64_t *top);
uint64_t *rt_vector_push(const struct rt_vector_call *call, uint64_t *top);

/* Each executes its own instructions, and returns false for any other. */
bool rt_vector_integer(struct rt_vector_call *call);
bool rt_vector_float(struct rt_vector_call *call);

/* The lane of `size` bytes at `index`, zero-extended. */
static inline uint64_t rt_vector_lane(const struct rt_vector *vector, unsigned size, unsigned index) {
    const uint8_t *at = vector->bytes + index * size;
    switch (size) {
    case 1: return rt_memory_u8(at);
    case 2: return rt_memory_u16(at);
    case 4: return rt_memory_u32(at);
    default: return rt_memory_u64(at);
    }
}

/* A lane of `size` bytes, zero-extended, as 64 bits of the signed or unsigned number that it is. */
static inline uint64_t rt_vector_extend(uint64_t lane, unsigned size, bool is_signed) {
    uint64_t sign = (uint64_t)1 << (8 * size - 1);
    return is_signed ? (lane ^ sign) - sign : lane;
}

/* Writes the low `size` bytes of `bits`. */
static inline void rt_vector_set_lane(struct rt_vector *vector, unsigned size, unsigned index,
                                      uint64_t bits) {
    uint8_t *at = vector->bytes + index * size;
    switch (size) {
    case 1: rt_memory_set_u8(at, bits); break;
    case 2: rt_memory_set_u16(at, bits); break;
    case 4: rt_memory_set_u32(at, bits); break;
    default: rt_memory_set_u64(at, bits); break;
    }
}

#endif
