/* The interpreter's SIMD instructions against tables of what another engine computes: each instruction, with
 * lanes that tell it from its neighbours. */
#include "runtime/interp/vector.h"
#include "runtime/tests/vector_rows.h"

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

/* ---- Tests ---- */

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_instructions),
        cmocka_unit_test(memory_instructions),
        cmocka_unit_test(constant_shuffle_bitselect),
        cmocka_unit_test(slots_are_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
