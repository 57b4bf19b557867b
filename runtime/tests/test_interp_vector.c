/* The interpreter's SIMD instructions against tables of what another engine computes: each instruction, with
 * lanes that tell it from its neighbours. */
#include "runtime/interp/vector.h"
#include "runtime/tests/builder.h"

enum { VECTOR_SIZE = 16 };

struct vector {
    uint8_t bytes[VECTOR_SIZE];
};

/* ---- The tables ---- */

enum input {
    NO_INPUT,
#define INPUT(name, bytes) name,
#include "runtime/tests/interp_vector_inputs.def"
#undef INPUT
};

static const char *const inputs[] = {
    "00000000000000000000000000000000",
#define INPUT(name, bytes) [name] = bytes,
#include "runtime/tests/interp_vector_inputs.def"
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
#include "runtime/tests/interp_vector_float.def"
#include "runtime/tests/interp_vector_integer.def"
};

static struct vector from_hex(const char *text) {
    struct vector vector;
    assert_int_equal(strlen(text), 2 * VECTOR_SIZE);
    for (unsigned i = 0; i < VECTOR_SIZE; i++) {
        char byte[] = {text[2 * i], text[2 * i + 1], '\0'};
        vector.bytes[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return vector;
}

/* ---- Operand stacks ---- */

enum { STACK_SLOTS = 16, BELOW = 3 };
static const uint64_t untouched = 0xa5a5a5a5a5a5a5a5;

/* Slots below the operands, which an instruction must leave alone, and above them. */
struct stack {
    uint64_t slots[STACK_SLOTS];
    uint64_t *top;
};

static void stack_init(struct stack *stack) {
    for (unsigned i = 0; i < STACK_SLOTS; i++)
        stack->slots[i] = untouched;
    stack->top = stack->slots + BELOW;
}

static void push_vector(struct stack *stack, struct vector vector) {
    memcpy(stack->top, vector.bytes, VECTOR_SIZE);
    stack->top += 2;
}

/* What is on the stack besides the slots below; fails unless it takes `size` bytes. */
static struct vector result_of(const struct stack *stack, size_t size) {
    struct vector vector = {0};
    for (unsigned i = 0; i < BELOW; i++)
        assert_true(stack->slots[i] == untouched);
    assert_int_equal(stack->top - stack->slots, BELOW + size / sizeof(uint64_t));
    memcpy(vector.bytes, stack->slots + BELOW, size);
    return vector;
}

/* ---- Judging ---- */

/* With canonical NaNs, a lane that is the canonical NaN must be it; without, it may be any quiet NaN where
 * the instruction is arithmetic. Lanes are told apart by their bytes of memory: the last of them has the
 * sign. */
static bool is_result(const struct row *row, struct vector found, struct vector expected,
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

static void print_vector(const char *what, struct vector vector) {
    print_error("  %s ", what);
    for (unsigned i = 0; i < VECTOR_SIZE; i++)
        print_error("%02x", vector.bytes[i]);
    print_error("\n");
}

/* Fails, and names the instruction and its operands, unless `found` is the row's result. */
static void judge(const struct row *row, struct vector found, bool canonical_nans) {
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

/* ---- Tests ---- */

static bool accesses_memory(uint32_t opcode) {
    uint8_t immediate = rt_opcodes[opcode].immediate;
    return immediate == RT_IMM_MEMARG || immediate == RT_IMM_MEMARG_LANE;
}

static void plain_instructions(void **state) {
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
        const struct row *row = &rows[i / 2];
        bool canonical_nans = i % 2;
        if (accesses_memory(row->opcode))
            continue;
        struct stack stack;
        stack_init(&stack);
        const char *operand = rt_opcodes[row->opcode].signature;
        for (unsigned vectors = 0; *operand != ':'; operand++) {
            if (*operand == 'v')
                push_vector(&stack, from_hex(inputs[row->operands[vectors++]]));
            else
                *stack.top++ = row->scalar;
        }
        stack.top = rt_interp_vector(row->opcode, stack.top, &row->lane, canonical_nans);
        judge(row, result_of(&stack, operand[1] == 'v' ? VECTOR_SIZE : 8), canonical_nans);
    }
}

/* A load reads the bytes that it says and no more; a store writes those only. */
static void memory_instructions(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        if (!accesses_memory(row->opcode))
            continue;
        unsigned size = rt_interp_vector_access(row->opcode);
        const char *signature = rt_opcodes[row->opcode].signature;
        bool stores = signature[strlen(signature) - 1] == ':';
        struct vector memory;
        memset(memory.bytes, 0xee, VECTOR_SIZE);
        if (!stores)
            memcpy(memory.bytes, from_hex(inputs[row->memory]).bytes, size);
        struct stack stack;
        stack_init(&stack);
        *stack.top++ = 12345; /* the index */
        if (signature[1] == 'v')
            push_vector(&stack, from_hex(inputs[row->operands[0]]));
        /* An allocation of its own, so that AddressSanitizer sees an access past its end. */
        uint8_t *bytes = malloc(size);
        assert_non_null(bytes);
        memcpy(bytes, memory.bytes, size);
        stack.top = rt_interp_vector_memory(row->opcode, stack.top, bytes, row->lane);
        memcpy(memory.bytes, bytes, size);
        free(bytes);
        struct vector result = result_of(&stack, stores ? 0 : VECTOR_SIZE);
        judge(row, stores ? memory : result, true);
    }
}

static void constant_shuffle_bitselect(void **state) {
    (void)state;
    static const uint8_t immediate[VECTOR_SIZE] = {31, 0, 16, 15, 17, 1, 30, 14, 2, 18, 13, 29, 7, 8, 23, 24};
    struct stack stack;
    stack_init(&stack);
    stack.top = rt_interp_vector(RT_OP_V128_CONST, stack.top, immediate, false);
    assert_memory_equal(result_of(&stack, VECTOR_SIZE).bytes, immediate, VECTOR_SIZE);

    stack_init(&stack);
    push_vector(&stack, from_hex("000102030405060708090a0b0c0d0e0f"));
    push_vector(&stack, from_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"));
    stack.top = rt_interp_vector(RT_OP_I8X16_SHUFFLE, stack.top, immediate, false);
    struct vector expected = from_hex("ff00f00ff101fe0e02f20dfd0708f7f8");
    assert_memory_equal(result_of(&stack, VECTOR_SIZE).bytes, expected.bytes, VECTOR_SIZE);

    stack_init(&stack);
    push_vector(&stack, from_hex("0123456789abcdef0123456789abcdef"));
    push_vector(&stack, from_hex("fedcba98765432100000000000000000"));
    push_vector(&stack, from_hex("ffff0000f0f0f0f00f0f0f0f00ff00ff"));
    stack.top = rt_interp_vector(RT_OP_V128_BITSELECT, stack.top, NULL, false);
    expected = from_hex("0123ba9886a4c2e00103050700ab00ef");
    assert_memory_equal(result_of(&stack, VECTOR_SIZE).bytes, expected.bytes, VECTOR_SIZE);
}

/* Slots and union rt_value.v128 have the same bytes, whatever the host's byte order. */
static void slots_are_memory(void **state) {
    (void)state;
    union rt_value value;
    struct stack stack;
    stack_init(&stack);
    *stack.top++ = 0x04030201;
    stack.top = rt_interp_vector(RT_OP_I32X4_SPLAT, stack.top, NULL, false);
    memcpy(value.v128, stack.top - 2, sizeof(value.v128));
    for (unsigned i = 0; i < VECTOR_SIZE; i++)
        assert_int_equal(value.v128[i], i % 4 + 1);
}

static void every_instruction_is_tested(void **state) {
    (void)state;
    bool is_tested[RT_OP_LIMIT] = {
        [RT_OP_V128_CONST] = true, [RT_OP_I8X16_SHUFFLE] = true, [RT_OP_V128_BITSELECT] = true};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        is_tested[rows[i].opcode] = true;
    for (uint32_t opcode = RT_OP_V128_LOAD; opcode < RT_OP_LIMIT; opcode++)
        if (rt_opcodes[opcode].text && !is_tested[opcode])
            fail_msg("%s has no row", rt_opcodes[opcode].text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_instructions),          cmocka_unit_test(memory_instructions),
        cmocka_unit_test(constant_shuffle_bitselect),  cmocka_unit_test(slots_are_memory),
        cmocka_unit_test(every_instruction_is_tested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
