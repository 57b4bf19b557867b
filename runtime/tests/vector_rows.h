/* What SIMD instructions compute: rows that another engine has filled in, for the tests of either engine.
 * Each instruction has some, with lanes that tell it from its neighbours. */
#ifndef LOCKSTEP_RUNTIME_TESTS_VECTOR_ROWS_H
#define LOCKSTEP_RUNTIME_TESTS_VECTOR_ROWS_H

#include "runtime/tests/builder.h"

enum { VECTOR_SIZE = 16 };

struct vector {
    uint8_t bytes[VECTOR_SIZE];
};

/* ---- The tables ---- */

enum input {
    NO_INPUT,
#define INPUT(name, bytes) name,
#include "runtime/tests/vector_inputs.def"
#undef INPUT
};

static const char *const inputs[] = {
    "00000000000000000000000000000000",
#define INPUT(name, bytes) [name] = bytes,
#include "runtime/tests/vector_inputs.def"
#undef INPUT
};

/* One execution. Which members have a meaning is told by the opcode's signature and immediate. */
struct row {
    uint32_t opcode;
    enum input operands[2]; /* the vectors */
    uint64_t scalar;        /* the operand that is none, but for a memory index */
    uint8_t lane;
    enum input memory;
    const char *result;     /* a vector; of a store, the memory */
    uint64_t scalar_result; /* a result that is none */
};

static const struct row rows[] = {
#define UNARY(name, a, to)     {.opcode = RT_OP_##name, .operands = {a}, .result = to},
#define BINARY(name, a, b, to) {.opcode = RT_OP_##name, .operands = {a, b}, .result = to},
#define SHIFT(name, a, distance, to)                                                                         \
    {.opcode = RT_OP_##name, .operands = {a}, .scalar = distance, .result = to},
#define TEST(name, a, to)       {.opcode = RT_OP_##name, .operands = {a}, .scalar_result = to},
#define SPLAT(name, number, to) {.opcode = RT_OP_##name, .scalar = number, .result = to},
#define EXTRACT(name, index, a, to)                                                                          \
    {.opcode = RT_OP_##name, .operands = {a}, .lane = index, .scalar_result = to},
#define REPLACE(name, index, a, number, to)                                                                  \
    {.opcode = RT_OP_##name, .operands = {a}, .lane = index, .scalar = number, .result = to},
#define LOAD(name, bytes, to) {.opcode = RT_OP_##name, .memory = bytes, .result = to},
#define LOAD_LANE(name, index, a, bytes, to)                                                                 \
    {.opcode = RT_OP_##name, .operands = {a}, .lane = index, .memory = bytes, .result = to},
#define STORE(name, index, a, to) {.opcode = RT_OP_##name, .operands = {a}, .lane = index, .result = to},
#include "runtime/tests/vector_float.def"
#include "runtime/tests/vector_integer.def"
};

MAYBE_UNUSED static struct vector from_hex(const char *text) {
    struct vector vector;
    assert_int_equal(strlen(text), 2 * VECTOR_SIZE);
    for (unsigned i = 0; i < VECTOR_SIZE; i++) {
        char byte[] = {text[2 * i], text[2 * i + 1], '\0'};
        vector.bytes[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return vector;
}

/* ---- Judging ---- */

/* With canonical NaNs, a lane that is the canonical NaN must be it; without, it may be any quiet NaN where
 * the instruction is arithmetic. Lanes are told apart by their bytes of memory: the last of them has the
 * sign. */
MAYBE_UNUSED static bool is_result(const struct row *row, struct vector found, struct vector expected,
                                   bool canonical_nans) {
    static const uint8_t canonical[2][8] = {{0, 0, 0xc0, 0x7f}, {0, 0, 0, 0, 0, 0, 0xf8, 0x7f}};
    bool is_single = strncmp(rt_opcodes[row->opcode].text, "f32x4", 5) == 0;
    bool is_double = strncmp(rt_opcodes[row->opcode].text, "f64x2", 5) == 0;
    unsigned size = is_single ? 4 : is_double ? 8 : VECTOR_SIZE;
    for (unsigned i = 0; i < VECTOR_SIZE; i += size) {
        const uint8_t *lane = found.bytes + i, *wanted = expected.bytes + i;
        if (memcmp(lane, wanted, size) == 0)
            continue;
        if (canonical_nans || size == VECTOR_SIZE || memcmp(wanted, canonical[is_double], size) != 0)
            return false;
        for (unsigned j = 0; j < size; j++)
            if ((lane[j] & wanted[j]) != wanted[j])
                return false;
    }
    return true;
}

MAYBE_UNUSED static void print_vector(const char *what, struct vector vector) {
    print_error("  %s ", what);
    for (unsigned i = 0; i < VECTOR_SIZE; i++)
        print_error("%02x", vector.bytes[i]);
    print_error("\n");
}

/* Fails, and names the instruction and its operands, unless `found` is the row's result. */
MAYBE_UNUSED static void judge(const struct row *row, struct vector found, bool canonical_nans) {
    struct vector expected = {0};
    if (row->result)
        expected = from_hex(row->result);
    else
        memcpy(expected.bytes, &row->scalar_result, sizeof(row->scalar_result));
    if (is_result(row, found, expected, canonical_nans))
        return;
    print_error("%s, scalar 0x%llx, lane %u:\n", rt_opcodes[row->opcode].text,
                (unsigned long long)row->scalar, row->lane);
    print_vector("first operand ", from_hex(inputs[row->operands[0]]));
    print_vector("second operand", from_hex(inputs[row->operands[1]]));
    print_vector("memory        ", from_hex(inputs[row->memory]));
    print_vector("expected      ", expected);
    print_vector("found         ", found);
    fail();
}

MAYBE_UNUSED static bool accesses_memory(uint32_t opcode) {
    uint8_t immediate = rt_opcodes[opcode].immediate;
    return immediate == RT_IMM_MEMARG || immediate == RT_IMM_MEMARG_LANE;
}

#endif
