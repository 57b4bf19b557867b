/* Runs every numeric instruction over corner values, with operands in every kind of place and comparisons
 * with every consumer, against plain C. */
#include "runtime/tests/builder.h"

#include <math.h>

enum outcome { GOOD, ANY_NAN, TRAPS };

struct expectation {
    enum outcome outcome;
    uint64_t bits;
    enum rt_trap trap;
};

static struct expectation good(uint64_t bits) {
    return (struct expectation){.bits = bits};
}
static struct expectation traps(enum rt_trap trap) {
    return (struct expectation){.outcome = TRAPS, .trap = trap};
}
static struct expectation good_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return isnan(value) ? (struct expectation){.outcome = ANY_NAN} : good(bits);
}
static struct expectation good_f64(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return isnan(value) ? (struct expectation){.outcome = ANY_NAN} : good(bits);
}

/* ---- The judge ---- */

static struct expectation integer(uint32_t base, uint32_t opcode, unsigned width, uint64_t a, uint64_t b) {
    uint64_t mask = width == 32 ? UINT32_MAX : UINT64_MAX, least = (uint64_t)1 << (width - 1);
    int64_t signed_a = width == 32 ? (int32_t)a : (int64_t)a,
            signed_b = width == 32 ? (int32_t)b : (int64_t)b;
    unsigned shift = b % width, count = 0;
    switch (opcode - base + RT_OP_I32_CLZ) {
    case RT_OP_I32_CLZ:
        while (count < width && !(a >> (width - 1 - count) & 1))
            count++;
        return good(count);
    case RT_OP_I32_CTZ:
        while (count < width && !(a >> count & 1))
            count++;
        return good(count);
    case RT_OP_I32_POPCNT:
        for (unsigned i = 0; i < width; i++)
            count += a >> i & 1;
        return good(count);
    case RT_OP_I32_ADD: return good((a + b) & mask);
    case RT_OP_I32_SUB: return good((a - b) & mask);
    case RT_OP_I32_MUL: return good((a * b) & mask);
    case RT_OP_I32_AND: return good(a & b);
    case RT_OP_I32_OR: return good(a | b);
    case RT_OP_I32_XOR: return good(a ^ b);
    case RT_OP_I32_SHL: return good(a << shift & mask);
    case RT_OP_I32_SHR_S: return good((uint64_t)(signed_a >> shift) & mask);
    case RT_OP_I32_SHR_U: return good(a >> shift);
    case RT_OP_I32_ROTL: return good((a << shift | (shift ? a >> (width - shift) : 0)) & mask);
    case RT_OP_I32_ROTR: return good((a >> shift | (shift ? a << (width - shift) : 0)) & mask);
    default: break;
    }
    if (!b)
        return traps(RT_TRAP_INTEGER_DIVIDE_BY_ZERO);
    switch (opcode - base + RT_OP_I32_CLZ) {
    case RT_OP_I32_DIV_S:
        if (a == least && b == mask)
            return traps(RT_TRAP_INTEGER_OVERFLOW);
        return good((uint64_t)(signed_a / signed_b) & mask);
    case RT_OP_I32_REM_S: return good(b == mask ? 0 : (uint64_t)(signed_a % signed_b) & mask);
    case RT_OP_I32_DIV_U: return good(a / b);
    default: return good(a % b);
    }
}

static struct expectation integer_compare(uint32_t which, int64_t a, int64_t b) {
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    const bool answers[] = {a == 0, a == b,   a != b, a<b, ua<ub, a> b, ua> ub,
                            a <= b, ua <= ub, a >= b, ua >= ub};
    return good(answers[which]);
}

static struct expectation float_compare(uint32_t which, double a, double b) {
    const bool answers[] = {a == b, a != b, a<b, a> b, a <= b, a >= b};
    return good(answers[which]);
}

static double extreme(bool is_minimum, double a, double b) {
    if (isnan(a) || isnan(b))
        return NAN;
    if (a == b) /* zeros */
        return is_minimum == (bool)signbit(a) ? a : b;
    return (a < b) == is_minimum ? a : b;
}

/* Truncation to `width` bits from any finite double: every bound is exact in a double. */
static struct expectation truncation(double value, unsigned width, bool is_unsigned, bool saturates) {
    double low = is_unsigned ? -1 : -ldexp(1, (int)width - 1), high = ldexp(1, (int)width - !is_unsigned);
    uint64_t mask = width == 32 ? UINT32_MAX : UINT64_MAX, top = (uint64_t)1 << (width - 1);
    if (isnan(value))
        return saturates ? good(0) : traps(RT_TRAP_INVALID_CONVERSION);
    double whole = trunc(value);
    if (is_unsigned ? whole <= low : whole < low)
        return saturates ? good(is_unsigned ? 0 : top) : traps(RT_TRAP_INTEGER_OVERFLOW);
    if (whole >= high)
        return saturates ? good(is_unsigned ? mask : top - 1) : traps(RT_TRAP_INTEGER_OVERFLOW);
    return good((is_unsigned ? (uint64_t)whole : (uint64_t)(int64_t)whole) & mask);
}

static float as_f32(uint64_t bits) {
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof(value));
    return value;
}
static double as_f64(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static struct expectation float32(uint32_t opcode, uint64_t a_bits, uint64_t b_bits) {
    float a = as_f32(a_bits), b = as_f32(b_bits);
    switch (opcode) {
    case RT_OP_F32_ABS: return good(a_bits & 0x7fffffff);
    case RT_OP_F32_NEG: return good(a_bits ^ 0x80000000);
    case RT_OP_F32_COPYSIGN: return good((a_bits & 0x7fffffff) | (b_bits & 0x80000000));
    case RT_OP_F32_CEIL: return good_f32(ceilf(a));
    case RT_OP_F32_FLOOR: return good_f32(floorf(a));
    case RT_OP_F32_TRUNC: return good_f32(truncf(a));
    case RT_OP_F32_NEAREST: return good_f32(rintf(a));
    case RT_OP_F32_SQRT: return good_f32(sqrtf(a));
    case RT_OP_F32_ADD: return good_f32(a + b);
    case RT_OP_F32_SUB: return good_f32(a - b);
    case RT_OP_F32_MUL: return good_f32(a * b);
    case RT_OP_F32_DIV: return good_f32(a / b);
    case RT_OP_F32_MIN: return good_f32((float)extreme(true, a, b));
    default: return good_f32((float)extreme(false, a, b));
    }
}

static struct expectation float64(uint32_t opcode, uint64_t a_bits, uint64_t b_bits) {
    const uint64_t sign = (uint64_t)1 << 63;
    double a = as_f64(a_bits), b = as_f64(b_bits);
    switch (opcode) {
    case RT_OP_F64_ABS: return good(a_bits & ~sign);
    case RT_OP_F64_NEG: return good(a_bits ^ sign);
    case RT_OP_F64_COPYSIGN: return good((a_bits & ~sign) | (b_bits & sign));
    case RT_OP_F64_CEIL: return good_f64(ceil(a));
    case RT_OP_F64_FLOOR: return good_f64(floor(a));
    case RT_OP_F64_TRUNC: return good_f64(trunc(a));
    case RT_OP_F64_NEAREST: return good_f64(rint(a));
    case RT_OP_F64_SQRT: return good_f64(sqrt(a));
    case RT_OP_F64_ADD: return good_f64(a + b);
    case RT_OP_F64_SUB: return good_f64(a - b);
    case RT_OP_F64_MUL: return good_f64(a * b);
    case RT_OP_F64_DIV: return good_f64(a / b);
    case RT_OP_F64_MIN: return good_f64(extreme(true, a, b));
    default: return good_f64(extreme(false, a, b));
    }
}

static struct expectation conversion(uint32_t opcode, uint64_t a) {
    switch (opcode) {
    case RT_OP_I32_WRAP_I64: return good((uint32_t)a);
    case RT_OP_I64_EXTEND_I32_S: return good((uint64_t)(int64_t)(int32_t)a);
    case RT_OP_I64_EXTEND_I32_U: return good((uint32_t)a);
    case RT_OP_F32_CONVERT_I32_S: return good_f32((float)(int32_t)a);
    case RT_OP_F32_CONVERT_I32_U: return good_f32((float)(uint32_t)a);
    case RT_OP_F32_CONVERT_I64_S: return good_f32((float)(int64_t)a);
    case RT_OP_F32_CONVERT_I64_U: return good_f32((float)a);
    case RT_OP_F64_CONVERT_I32_S: return good_f64((int32_t)a);
    case RT_OP_F64_CONVERT_I32_U: return good_f64((uint32_t)a);
    case RT_OP_F64_CONVERT_I64_S: return good_f64((double)(int64_t)a);
    case RT_OP_F64_CONVERT_I64_U: return good_f64((double)a);
    case RT_OP_F32_DEMOTE_F64: return good_f32((float)as_f64(a));
    case RT_OP_F64_PROMOTE_F32: return good_f64((double)as_f32(a));
    case RT_OP_I32_EXTEND8_S: return good((uint32_t)(int8_t)a);
    case RT_OP_I32_EXTEND16_S: return good((uint32_t)(int16_t)a);
    case RT_OP_I64_EXTEND8_S: return good((uint64_t)(int8_t)a);
    case RT_OP_I64_EXTEND16_S: return good((uint64_t)(int16_t)a);
    case RT_OP_I64_EXTEND32_S: return good((uint64_t)(int32_t)a);
    default: return good(a); /* reinterpretations */
    }
}

static struct expectation judge(uint32_t opcode, uint64_t a, uint64_t b) {
    static const struct {
        uint32_t opcode;
        bool from_f32;
        unsigned width;
    } truncations[] = {
        {RT_OP_I32_TRUNC_F32_S, true, 32},
        {RT_OP_I32_TRUNC_F64_S, false, 32},
        {RT_OP_I64_TRUNC_F32_S, true, 64},
        {RT_OP_I64_TRUNC_F64_S, false, 64},
    };
    for (unsigned i = 0; i < 4; i++) {
        double value = truncations[i].from_f32 ? (double)as_f32(a) : as_f64(a);
        uint32_t saturating = RT_OP_I32_TRUNC_SAT_F32_S + 2 * i;
        if (opcode - truncations[i].opcode < 2)
            return truncation(value, truncations[i].width, opcode - truncations[i].opcode, false);
        if (opcode >= saturating && opcode - saturating < 2)
            return truncation(value, truncations[i].width, opcode - saturating, true);
    }
    if (opcode <= RT_OP_I32_GE_U)
        return opcode == RT_OP_I32_EQZ || (opcode - RT_OP_I32_EQZ < 3) || (opcode - RT_OP_I32_LT_S) % 2 == 0
                   ? integer_compare(opcode - RT_OP_I32_EQZ, (int32_t)a, (int32_t)b)
                   : integer_compare(opcode - RT_OP_I32_EQZ, (int64_t)(uint32_t)a, (int64_t)(uint32_t)b);
    if (opcode <= RT_OP_I64_GE_U)
        return integer_compare(opcode - RT_OP_I64_EQZ, (int64_t)a, (int64_t)b);
    if (opcode <= RT_OP_F32_GE)
        return float_compare(opcode - RT_OP_F32_EQ, (double)as_f32(a), (double)as_f32(b));
    if (opcode <= RT_OP_F64_GE)
        return float_compare(opcode - RT_OP_F64_EQ, as_f64(a), as_f64(b));
    if (opcode <= RT_OP_I32_ROTR)
        return integer(RT_OP_I32_CLZ, opcode, 32, a, b);
    if (opcode <= RT_OP_I64_ROTR)
        return integer(RT_OP_I64_CLZ, opcode, 64, a, b);
    if (opcode <= RT_OP_F32_COPYSIGN)
        return float32(opcode, a, b);
    if (opcode <= RT_OP_F64_COPYSIGN)
        return float64(opcode, a, b);
    return conversion(opcode, a);
}

/* ---- Values ---- */

static const uint64_t i32_values[] = {0,    1,      2,          7,          31,         32,
                                      0x80, 0x8000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
static const uint64_t i64_values[] = {0,
                                      1,
                                      3,
                                      63,
                                      64,
                                      0x80,
                                      0x8000,
                                      0xffffffff,
                                      0x80000000,
                                      0x7fffffffffffffff,
                                      (uint64_t)1 << 63,
                                      UINT64_MAX,
                                      0x8000008000000001,
                                      0xfffffe0000000001};
static const uint64_t f32_values[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 0x3f000000, 0xbf000000,
                                      0x3fc00000, 0x40200000, 0x00000001, 0x4b000001, 0x4effffff, 0x4f000000,
                                      0xcf000000, 0xcf000001, 0x4f7fffff, 0x4f800000, 0x5effffff, 0x5f000000,
                                      0xdf000000, 0xdf000001, 0x5f7fffff, 0x5f800000, 0x7f7fffff, 0x7f800000,
                                      0xff800000, 0x7fc00000, 0xffc00000, 0x7fa00000, 0xbf7fffff};
static const uint64_t f64_values[] = {0,
                                      0x8000000000000000,
                                      0x3ff0000000000000,
                                      0xbff0000000000000,
                                      0x3fe0000000000000,
                                      0xbfe0000000000000,
                                      0x4004000000000000,
                                      1,
                                      0x41dfffffffc00000,
                                      0x41dfffffffe00000,
                                      0x41e0000000000000,
                                      0xc1e0000000000000,
                                      0xc1e00000001fffff,
                                      0xc1e0000000200000,
                                      0x41efffffffe00000,
                                      0x41f0000000000000,
                                      0x43dfffffffffffff,
                                      0x43e0000000000000,
                                      0xc3e0000000000000,
                                      0xc3e0000000000001,
                                      0x43efffffffffffff,
                                      0x43f0000000000000,
                                      0x36a0000000000000,
                                      0x47efffffe0000000,
                                      0x7fefffffffffffff,
                                      0x7ff0000000000000,
                                      0xfff0000000000000,
                                      0x7ff8000000000000,
                                      0xfff8000000000000,
                                      0x7ff4000000000000,
                                      0xbfefffffffffffff};

static const uint64_t *values_of(char letter, size_t *count) {
    switch (letter) {
    case 'i': *count = sizeof(i32_values) / 8; return i32_values;
    case 'I': *count = sizeof(i64_values) / 8; return i64_values;
    case 'f': *count = sizeof(f32_values) / 8; return f32_values;
    default: *count = sizeof(f64_values) / 8; return f64_values;
    }
}

/* ---- Programs ---- */

enum place { AS_LOCAL, AS_REGISTER, AS_SLOT, AS_CONSTANT, PLACE_COUNT };
enum consumer { USE_VALUE, USE_EQZ, USE_IF, USE_BR_IF, USE_SELECT, USE_FLOAT_SELECT, CONSUMER_COUNT };

/* Operand `index` of a function whose parameters are the operands, and after them two locals to spare. */
static void put_operand(struct bytes *code, enum place place, char letter, uint32_t index, uint32_t spare,
                        uint64_t bits) {
    switch (place) {
    case AS_CONSTANT: put_constant(code, type_of_letter(letter), bits); return;
    case AS_SLOT:
        put_byte(code, RT_OP_BLOCK);
        put_byte(code, type_of_letter(letter));
        put_byte(code, RT_OP_LOCAL_GET);
        put_uleb(code, index);
        PUT(code, RT_OP_BR, 0, RT_OP_END);
        return;
    default:
        put_byte(code, RT_OP_LOCAL_GET);
        put_uleb(code, index);
        if (place == AS_REGISTER) {
            put_byte(code, RT_OP_LOCAL_TEE);
            put_uleb(code, spare);
        }
        return;
    }
}

/* Turns a comparison's answer into the same i32, by way of each instruction that takes conditions. */
static void put_consumer(struct bytes *code, enum consumer consumer) {
    switch (consumer) {
    case USE_VALUE:
    case CONSUMER_COUNT: break;
    case USE_EQZ: PUT(code, RT_OP_I32_EQZ, RT_OP_I32_EQZ); break;
    case USE_IF:
        put(code,
            (uint8_t[]){RT_OP_IF, RT_I32, RT_OP_I32_CONST, 1, RT_OP_ELSE, RT_OP_I32_CONST, 0, RT_OP_END}, 8);
        break;
    case USE_BR_IF: PUT(code, RT_OP_BR_IF, 0, RT_OP_DROP, RT_OP_I32_CONST, 0, RT_OP_END); break;
    case USE_SELECT: put_byte(code, RT_OP_SELECT); break;
    case USE_FLOAT_SELECT: PUT(code, RT_OP_SELECT, RT_OP_I32_TRUNC_F32_S); break;
    }
}
static void put_before(struct bytes *code, enum consumer consumer) {
    if (consumer == USE_BR_IF)
        PUT(code, RT_OP_BLOCK, RT_I32, RT_OP_I32_CONST, 1);
    else if (consumer == USE_SELECT)
        PUT(code, RT_OP_I32_CONST, 1, RT_OP_I32_CONST, 0);
    else if (consumer == USE_FLOAT_SELECT) {
        put_constant(code, RT_F32, 0x3f800000);
        put_constant(code, RT_F32, 0);
    }
}

struct subject {
    uint32_t opcode;
    char left, right; /* letters; right 0: one operand */
    char result;
    bool compares, canonical;
};

static void put_program(struct builder *builder, const struct subject *subject, enum place left,
                        enum place right, enum consumer consumer, uint64_t a, uint64_t b) {
    struct bytes code = {0};
    uint32_t count = subject->right ? 2 : 1;
    char signature[8] = {subject->left}, locals[4] = {subject->left};
    size_t at = 1;
    if (subject->right)
        signature[at++] = locals[1] = subject->right;
    signature[at++] = ':';
    signature[at] = subject->result;
    put_before(&code, consumer);
    put_operand(&code, left, subject->left, 0, count, a);
    if (subject->right)
        put_operand(&code, right, subject->right, 1, count + 1, b);
    put_op(&code, subject->opcode);
    put_consumer(&code, consumer);
    build_function(builder, NULL, signature, locals, &code);
}

static void check(const struct subject *subject, struct rt_func *func, uint64_t a, uint64_t b) {
    union rt_value result = {0};
    struct expectation expected = judge(subject->opcode, a, b);
    struct rt_error *error = call_with(func, (const uint64_t[4]){a, b}, &result);
    const char *text = rt_opcodes[subject->opcode].text;
    if (expected.outcome == TRAPS) {
        if (!error || error->trap != (int)expected.trap)
            fail_msg("%s 0x%llx 0x%llx: no trap, or another one", text, (unsigned long long)a,
                     (unsigned long long)b);
        rt_error_destroy(error);
        return;
    }
    expect_good(error);
    uint64_t quiet = subject->result == 'f' ? 0x7fc00000 : 0x7ff8000000000000;
    uint64_t bits = bits_of((enum rt_type)rt_func_type_of(func).results[0], result);
    bool right = bits == expected.bits;
    if (expected.outcome == ANY_NAN)
        right = subject->canonical ? bits == quiet : (bits & quiet) == quiet;
    if (!right)
        fail_msg("%s 0x%llx 0x%llx: 0x%llx, not 0x%llx", text, (unsigned long long)a, (unsigned long long)b,
                 (unsigned long long)bits, (unsigned long long)expected.bits);
}

/* Every pair of values in every pair of places; constants need a program for each value. */
static void check_opcode(const struct subject *subject) {
    size_t left_count, right_count = 1;
    const uint64_t *left = values_of(subject->left, &left_count), *right = (const uint64_t[]){0};
    if (subject->right)
        right = values_of(subject->right, &right_count);
    unsigned consumers = subject->compares ? CONSUMER_COUNT : 1, rights = subject->right ? PLACE_COUNT : 1;
    for (unsigned variant = 0; variant < PLACE_COUNT * rights * consumers; variant++) {
        enum place a_place = variant % PLACE_COUNT, b_place = variant / PLACE_COUNT % rights;
        enum consumer consumer = variant / (PLACE_COUNT * rights);
        size_t a_programs = a_place == AS_CONSTANT ? left_count : 1;
        size_t b_programs = b_place == AS_CONSTANT ? right_count : 1;
        struct builder builder = {0};
        for (size_t i = 0; i < a_programs * b_programs; i++)
            put_program(&builder, subject, a_place, b_place, consumer, left[i / b_programs],
                        right[i % b_programs]);
        struct rt_compile_options options = {.canonical_nans = subject->canonical};
        struct running running = run_with(&builder, &options, NULL, 0, NULL);
        for (size_t i = 0; i < left_count; i++) {
            for (size_t k = 0; k < right_count; k++) {
                size_t program = (a_programs > 1 ? i : 0) * b_programs + (b_programs > 1 ? k : 0);
                check(subject, rt_instance_func(running.instance, (uint32_t)program), left[i], right[k]);
            }
        }
        stop(&running);
    }
}

static void check_all(uint32_t first, uint32_t last, bool canonical) {
    for (uint32_t opcode = first; opcode <= last; opcode++) {
        if (!rt_opcodes[opcode].text)
            continue;
        const char *signature = rt_opcodes[opcode].signature, *colon = strchr(signature, ':');
        struct subject subject = {.opcode = opcode,
                                  .left = signature[0],
                                  .right = colon - signature > 1 ? signature[1] : 0,
                                  .result = colon[1],
                                  .compares = opcode <= RT_OP_F64_GE,
                                  .canonical = canonical};
        check_opcode(&subject);
    }
}

static void test_comparisons(void **state) {
    (void)state;
    check_all(RT_OP_I32_EQZ, RT_OP_F64_GE, false);
}
static void test_integers(void **state) {
    (void)state;
    check_all(RT_OP_I32_CLZ, RT_OP_I64_ROTR, false);
}
static void test_floats(void **state) {
    (void)state;
    check_all(RT_OP_F32_ABS, RT_OP_F64_COPYSIGN, false);
}
static void test_conversions(void **state) {
    (void)state;
    check_all(RT_OP_I32_WRAP_I64, RT_OP_I64_EXTEND32_S, false);
    check_all(RT_OP_I32_TRUNC_SAT_F32_S, RT_OP_I64_TRUNC_SAT_F64_U, false);
}
static void test_canonical_nans(void **state) {
    (void)state;
    check_all(RT_OP_F32_ABS, RT_OP_F64_COPYSIGN, true);
    check_all(RT_OP_F32_DEMOTE_F64, RT_OP_F64_PROMOTE_F32, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparisons),    cmocka_unit_test(test_integers),
        cmocka_unit_test(test_floats),         cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_canonical_nans),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
