/* Runs every SIMD instruction as compiled code does, with its operands in every place where they may be, and
 * at the end of memory. */
#include "runtime/tests/vector_rows.h"

#define MEMORY_SIZE 65536u
#define OFFSET      8 /* of each access */

enum { ROW_COUNT = sizeof(rows) / sizeof(*rows) };

/* Where an operand is when the instruction comes. */
enum form { CONSTANT, LOCAL, REGISTER, SLOT, FORM_COUNT };

static unsigned access_size(const struct row *row) {
    const char *digits = strpbrk(rt_opcodes[row->opcode].text + strlen("v128."), "0123456789");
    if (!digits)
        return VECTOR_SIZE;
    char *end;
    unsigned bits = (unsigned)strtoul(digits, &end, 10);
    return *end == 'x' ? 8 : bits / 8;
}

/* The operands by the signature: an access's index makes it end where memory does. */
static void operands_of(const struct row *row, union rt_value *ret) {
    const char *signature = rt_opcodes[row->opcode].signature;
    for (unsigned i = 0, vectors = 0; signature[i] != ':'; i++) {
        uint64_t bits = accesses_memory(row->opcode) ? MEMORY_SIZE - OFFSET - access_size(row) : row->scalar;
        if (signature[i] == 'v')
            memcpy(ret[i].v128, from_hex(inputs[row->operands[vectors++]]).bytes, VECTOR_SIZE);
        else
            ret[i] = value_of(type_of_letter(signature[i]), bits);
    }
}

static void put_operand(struct bytes *code, char letter, unsigned local, union rt_value value,
                        enum form form) {
    if (form == CONSTANT && letter == 'v') {
        put_op(code, RT_OP_V128_CONST);
        put(code, value.v128, VECTOR_SIZE);
        return;
    }
    if (form == CONSTANT) {
        put_constant(code, type_of_letter(letter), bits_of(type_of_letter(letter), value));
        return;
    }
    PUT(code, RT_OP_LOCAL_GET, (uint8_t)local);
    if (form == SLOT) /* a block has what is below it in slots */
        PUT(code, RT_OP_BLOCK, 0x40, RT_OP_END);
    if (form != REGISTER)
        return;
    switch (letter) {
    case 'i': PUT(code, RT_OP_I32_CONST, 0, RT_OP_I32_ADD); break;
    case 'I': PUT(code, RT_OP_I64_CONST, 0, RT_OP_I64_ADD); break;
    case 'f': PUT(code, RT_OP_F32_NEG, RT_OP_F32_NEG); break;
    case 'F': PUT(code, RT_OP_F64_NEG, RT_OP_F64_NEG); break;
    default: put_op(code, RT_OP_V128_NOT); put_op(code, RT_OP_V128_NOT);
    }
}

/* A function for a row, with all its operands as parameters as well. */
static void build_row(struct builder *builder, const struct row *row, enum form first, enum form second) {
    const struct rt_opcode_info *info = &rt_opcodes[row->opcode];
    union rt_value operands[3];
    operands_of(row, operands);
    struct bytes code = {0};
    for (unsigned i = 0; info->signature[i] != ':'; i++)
        put_operand(&code, info->signature[i], i, operands[i], i ? second : first);
    put_op(&code, row->opcode);
    if (accesses_memory(row->opcode))
        PUT(&code, 0, OFFSET);
    if (info->immediate == RT_IMM_LANE || info->immediate == RT_IMM_MEMARG_LANE)
        put_byte(&code, row->lane);
    build_function(builder, NULL, info->signature, "", &code);
}

static void run_row(struct running *running, uint32_t function, const struct row *row, bool canonical_nans) {
    uint8_t *memory = rt_memory_base(rt_instance_memory(running->instance, 0));
    memset(memory + MEMORY_SIZE - 2 * VECTOR_SIZE, 0xee, 2 * VECTOR_SIZE);
    const char *signature = rt_opcodes[row->opcode].signature;
    bool stores = signature[strlen(signature) - 1] == ':';
    unsigned size = accesses_memory(row->opcode) ? access_size(row) : 0;
    if (size && !stores)
        memcpy(memory + MEMORY_SIZE - size, from_hex(inputs[row->memory]).bytes, size);

    union rt_value operands[3], result = {.v128 = {0}};
    operands_of(row, operands);
    expect_good(rt_func_call(rt_instance_func(running->instance, function), operands, &result));
    struct vector found = {0};
    enum rt_type type = type_of_letter(signature[strlen(signature) - 1]);
    if (stores) {
        memset(found.bytes, 0xee, VECTOR_SIZE);
        memcpy(found.bytes, memory + MEMORY_SIZE - size, size);
    } else if (type == RT_V128) {
        memcpy(found.bytes, result.v128, VECTOR_SIZE);
    } else { /* the judge's scalars are numbers of this machine */
        uint64_t bits = bits_of(type, result);
        memcpy(found.bytes, &bits, sizeof(bits));
    }
    judge(row, found, canonical_nans);
    for (unsigned i = size; stores && i < 2 * VECTOR_SIZE; i++)
        assert_int_equal(memory[MEMORY_SIZE - 1 - i], 0xee);
}

static void run_rows(enum form first, enum form second, bool canonical_nans) {
    struct builder builder = {0};
    build_memory(&builder, 1, 1);
    for (uint32_t i = 0; i < ROW_COUNT; i++)
        build_row(&builder, &rows[i], first, second);
    struct rt_compile_options options = {.canonical_nans = canonical_nans};
    struct running running = run_with(&builder, &options, NULL, 0, NULL);
    for (uint32_t i = 0; i < ROW_COUNT; i++)
        run_row(&running, i, &rows[i], canonical_nans);
    stop(&running);
}

static void every_row_in_every_form(void **state) {
    (void)state;
    for (enum form first = CONSTANT; first < FORM_COUNT; first++) {
        for (enum form second = CONSTANT; second < FORM_COUNT; second++)
            run_rows(first, second, false);
        run_rows(first, first, true);
    }
}

/* ---- Beyond memory ---- */

/* One byte further, an access traps and writes nothing. */
static void past_the_end_of_memory(void **state) {
    (void)state;
    struct builder builder = {0};
    build_memory(&builder, 1, 1);
    for (uint32_t i = 0; i < ROW_COUNT; i++)
        build_row(&builder, &rows[i], LOCAL, LOCAL);
    struct running running = run(&builder);
    uint8_t *memory = rt_memory_base(rt_instance_memory(running.instance, 0));
    memset(memory + MEMORY_SIZE - VECTOR_SIZE, 0xee, VECTOR_SIZE);
    for (uint32_t i = 0; i < ROW_COUNT; i++) {
        if (!accesses_memory(rows[i].opcode))
            continue;
        union rt_value operands[3], result;
        operands_of(&rows[i], operands);
        operands[0].i32++;
        expect_trap_error(rt_func_call(rt_instance_func(running.instance, i), operands, &result),
                          RT_TRAP_MEMORY_OUT_OF_BOUNDS, NULL);
        operands[0].i32 = UINT32_MAX; /* with the offset, past 4 GiB */
        expect_trap_error(rt_func_call(rt_instance_func(running.instance, i), operands, &result),
                          RT_TRAP_MEMORY_OUT_OF_BOUNDS, NULL);
    }
    for (unsigned i = 1; i <= VECTOR_SIZE; i++)
        assert_int_equal(memory[MEMORY_SIZE - i], 0xee);
    stop(&running);
}

/* ---- Instructions that the tables do not have ---- */

static const char *const shuffles[] = {
    "1f00100f11011e0e02120d1d07081718", /* in no order */
    "000102030405060708090a0b0c0d0e0f", /* one operand, as it is */
    "101112131415161718191a1b1c1d1e1f", /* the other */
    "0f0e0d0c0b0a09080706050403020100", /* one operand, reversed */
    "1f1e1d1c1b1a19181716151413121110", /* the other */
    "0c0d0e0f08090a0b0001020304050607", /* dwords of one */
    "1415161714151617101112131c1d1e1f", /* dwords of the other */
    "01020304050607080102030405060708", /* no dwords: they begin inside one */
    "00100111021203130414051506160717", /* interleaved bytes */
    "081809190a1a0b1b0c1c0d1d0e1e0f1f", "00011011020312130405141506071617", /* words */
    "080918190a0b1a1b0c0d1c1d0e0f1e1f", "00010203101112130405060714151617", /* dwords */
    "08090a0b18191a1b0c0d0e0f1c1d1e1f", "00010203040506071011121314151617", /* qwords */
    "08090a0b0c0d0e0f18191a1b1c1d1e1f", "10001101120213031404150516061707", /* nearly */
    "00100111021203130414051506160718", "04050607080910111213141516170001",
};
enum { SHUFFLE_COUNT = sizeof(shuffles) / sizeof(*shuffles) };

static void build_shuffle(struct builder *builder, unsigned shuffle, enum form first, enum form second,
                          bool same) {
    struct bytes code = {0};
    union rt_value left, right;
    memcpy(left.v128, from_hex(inputs[I8_A]).bytes, VECTOR_SIZE);
    memcpy(right.v128, from_hex(inputs[I8_C]).bytes, VECTOR_SIZE);
    put_operand(&code, 'v', 0, left, first);
    put_operand(&code, 'v', !same, same ? left : right, second);
    put_op(&code, RT_OP_I8X16_SHUFFLE);
    put(&code, from_hex(shuffles[shuffle]).bytes, VECTOR_SIZE);
    build_function(builder, NULL, "vv:v", "", &code);
}

/* With the second operand equal to the first, or another. */
static void run_shuffles(enum form first, enum form second, bool same) {
    struct builder builder = {0};
    for (unsigned i = 0; i < SHUFFLE_COUNT; i++)
        build_shuffle(&builder, i, first, second, same);
    struct running running = run(&builder);
    struct vector left = from_hex(inputs[I8_A]), right = same ? left : from_hex(inputs[I8_C]);
    for (unsigned i = 0; i < SHUFFLE_COUNT; i++) {
        union rt_value operands[2], result;
        memcpy(operands[0].v128, left.bytes, VECTOR_SIZE);
        memcpy(operands[1].v128, from_hex(inputs[I8_C]).bytes, VECTOR_SIZE);
        expect_good(rt_func_call(rt_instance_func(running.instance, i), operands, &result));
        struct vector lanes = from_hex(shuffles[i]), expected;
        for (unsigned k = 0; k < VECTOR_SIZE; k++)
            expected.bytes[k] = (lanes.bytes[k] < 16 ? left : right).bytes[lanes.bytes[k] % 16];
        if (memcmp(result.v128, expected.bytes, VECTOR_SIZE))
            fail_msg("shuffle %s", shuffles[i]);
    }
    stop(&running);
}

static void shuffles_in_every_form(void **state) {
    (void)state;
    for (enum form first = CONSTANT; first < FORM_COUNT; first++) {
        for (enum form second = CONSTANT; second < FORM_COUNT; second++) {
            run_shuffles(first, second, false);
            run_shuffles(first, second, true);
        }
    }
}

static void bitselect_in_every_form(void **state) {
    (void)state;
    static const char *const texts[] = {"0123456789abcdef0123456789abcdef",
                                        "fedcba98765432100000000000000000",
                                        "ffff0000f0f0f0f00f0f0f0f00ff00ff"};
    union rt_value operands[3], result;
    for (unsigned i = 0; i < 3; i++)
        memcpy(operands[i].v128, from_hex(texts[i]).bytes, VECTOR_SIZE);
    struct vector expected = from_hex("0123ba9886a4c2e00103050700ab00ef");
    for (unsigned forms = 0; forms < FORM_COUNT * FORM_COUNT * FORM_COUNT; forms++) {
        struct builder builder = {0};
        struct bytes code = {0};
        for (unsigned i = 0, left = forms; i < 3; i++, left /= FORM_COUNT)
            put_operand(&code, 'v', i, operands[i], (enum form)(left % FORM_COUNT));
        put_op(&code, RT_OP_V128_BITSELECT);
        build_function(&builder, NULL, "vvv:v", "", &code);
        struct running running = run(&builder);
        expect_good(rt_func_call(rt_instance_func(running.instance, 0), operands, &result));
        assert_memory_equal(result.v128, expected.bytes, VECTOR_SIZE);
        stop(&running);
    }
}

static void every_instruction_is_tested(void **state) {
    (void)state;
    bool is_tested[RT_OP_LIMIT] = {
        [RT_OP_V128_CONST] = true, [RT_OP_I8X16_SHUFFLE] = true, [RT_OP_V128_BITSELECT] = true};
    for (size_t i = 0; i < ROW_COUNT; i++)
        is_tested[rows[i].opcode] = true;
    for (uint32_t opcode = RT_OP_V128_LOAD; opcode < RT_OP_LIMIT; opcode++)
        if (rt_opcodes[opcode].text && !is_tested[opcode])
            fail_msg("%s has no row", rt_opcodes[opcode].text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_in_every_form),     cmocka_unit_test(past_the_end_of_memory),
        cmocka_unit_test(shuffles_in_every_form),      cmocka_unit_test(bitselect_in_every_form),
        cmocka_unit_test(every_instruction_is_tested),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
