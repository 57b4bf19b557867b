/* SIMD in the interpreter: instructions on integer lanes (core specification, sections 4.3.2 and 4.4.3).
 *
 * A table says for each instruction how lanes are walked and which function of lanes it applies. That
 * function gets lanes as numbers of 64 bits, sign-extended or zero-extended as the instruction's are, so that
 * one function serves all shapes and, mostly, both signs; of what it returns, the result's lane takes the low
 * bits. */
#include "runtime/interp/vector_lanes.h"

struct operation;
typedef uint64_t lane_function(uint64_t a, uint64_t b, const struct operation *operation);

/* Operand lanes are a[i] and b[i], f is the function; the result's lane i is ... */
enum form {
    NOT_INTEGER, /* an instruction of another file */
    EACH,        /* f(a[i], b[i]) */
    SHIFT,       /* f(a[i], the scalar operand modulo the lane's bits) */
    LOW,         /* f(a[i], b[i]) in a lane of twice the size, for the lower half of the lanes */
    HIGH,        /* the same for the upper half */
    PAIRS,       /* f(a[2i], b[2i]) + f(a[2i+1], b[2i+1]) in a lane of twice the size */
    NARROW,      /* the lanes of a, then those of b, saturated to half the size */
    ALL_TRUE,    /* (a scalar) 1 when no lane is zero */
    BITMASK,     /* (a scalar) the lanes' sign bits, lane 0 lowest */
};

struct operation {
    uint8_t form; /* enum form */
    uint8_t size; /* bytes of an operand's lane */
    bool is_signed;
    lane_function *function;
};

/* ---- Functions of lanes ---- */

/* The nearest number that `size` bytes can hold; 4 at most. */
static uint64_t saturate(int64_t value, unsigned size, bool is_signed) {
    int64_t least = is_signed ? -((int64_t)1 << (8 * size - 1)) : 0;
    int64_t greatest = least + ((int64_t)1 << 8 * size) - 1;
    return (uint64_t)(value < least ? least : value > greatest ? greatest : value);
}

/* Comparisons answer with all bits set or none. */
static uint64_t mask(bool condition) {
    return condition ? UINT64_MAX : 0;
}

#define LANE_FUNCTION(name, expression)                                                                      \
    static uint64_t name(uint64_t a, uint64_t b, const struct operation *operation) {                        \
        (void)a, (void)b, (void)operation;                                                                   \
        return expression;                                                                                   \
    }

LANE_FUNCTION(eq, mask(a == b))
LANE_FUNCTION(ne, mask(a != b))
/* Zero-extended lanes are less than 2^63: of 64 bits there are signed comparisons only. */
LANE_FUNCTION(lt, mask((int64_t)a < (int64_t)b))
LANE_FUNCTION(gt, mask((int64_t)a > (int64_t)b))
LANE_FUNCTION(le, mask((int64_t)a <= (int64_t)b))
LANE_FUNCTION(ge, mask((int64_t)a >= (int64_t)b))
LANE_FUNCTION(min, (int64_t)a < (int64_t)b ? a : b)
LANE_FUNCTION(max, (int64_t)a > (int64_t)b ? a : b)

LANE_FUNCTION(same, a)
LANE_FUNCTION(negate, 0 - a)
LANE_FUNCTION(absolute, (int64_t)a < 0 ? 0 - a : a)
LANE_FUNCTION(add, a + b)
LANE_FUNCTION(sub, a - b)
LANE_FUNCTION(mul, a *b)
LANE_FUNCTION(add_sat, saturate((int64_t)(a + b), operation->size, operation->is_signed))
LANE_FUNCTION(sub_sat, saturate((int64_t)(a - b), operation->size, operation->is_signed))
LANE_FUNCTION(avgr, (a + b + 1) / 2)
LANE_FUNCTION(q15mulr_sat, saturate(((int64_t)(a * b) + 0x4000) >> 15, operation->size, true))

LANE_FUNCTION(shl, a << b)
LANE_FUNCTION(shr_s, (uint64_t)((int64_t)a >> b))
LANE_FUNCTION(shr_u, a >> b)

static uint64_t popcnt(uint64_t a, uint64_t b, const struct operation *operation) {
    (void)b, (void)operation;
    uint64_t count = 0;
    for (; a; a >>= 1)
        count += a & 1;
    return count;
}

/* ---- Which instruction is what ---- */

enum sign { U, S }; /* where the sign makes no difference, lanes are unsigned */

#define ROW(name, form, size, sign, function)                                                                \
    [RT_OP_##name - RT_OP_V128_LOAD] = {form, size, (sign) == S, function}
#define ROWS_8_16(name, form, sign, function)                                                                \
    ROW(I8X16_##name, form, 1, sign, function), ROW(I16X8_##name, form, 2, sign, function)
#define ROWS_8_16_32(name, form, sign, function)                                                             \
    ROWS_8_16(name, form, sign, function), ROW(I32X4_##name, form, 4, sign, function)
#define ROWS_16_32_64(name, form, sign, function)                                                            \
    ROW(I16X8_##name, form, 2, sign, function), ROW(I32X4_##name, form, 4, sign, function),                  \
        ROW(I64X2_##name, form, 8, sign, function)
#define ROWS(name, form, sign, function)                                                                     \
    ROWS_8_16_32(name, form, sign, function), ROW(I64X2_##name, form, 8, sign, function)
/* Lanes of twice the size, each from lanes of both signs. */
#define ROWS_WIDER(name, form, function)                                                                     \
    ROW(I16X8_##name##_I8X16_S, form, 1, S, function), ROW(I16X8_##name##_I8X16_U, form, 1, U, function),    \
        ROW(I32X4_##name##_I16X8_S, form, 2, S, function), ROW(I32X4_##name##_I16X8_U, form, 2, U, function)
#define ROWS_WIDER_64(name, form, function)                                                                  \
    ROWS_WIDER(name, form, function), ROW(I64X2_##name##_I32X4_S, form, 4, S, function),                     \
        ROW(I64X2_##name##_I32X4_U, form, 4, U, function)

static const struct operation operations[] = {
    ROWS(EQ, EACH, U, eq),
    ROWS(NE, EACH, U, ne),
    ROWS(LT_S, EACH, S, lt),
    ROWS(GT_S, EACH, S, gt),
    ROWS(LE_S, EACH, S, le),
    ROWS(GE_S, EACH, S, ge),
    ROWS_8_16_32(LT_U, EACH, U, lt),
    ROWS_8_16_32(GT_U, EACH, U, gt),
    ROWS_8_16_32(LE_U, EACH, U, le),
    ROWS_8_16_32(GE_U, EACH, U, ge),

    ROWS(ABS, EACH, S, absolute),
    ROWS(NEG, EACH, U, negate),
    ROW(I8X16_POPCNT, EACH, 1, U, popcnt),
    ROWS(ADD, EACH, U, add),
    ROWS(SUB, EACH, U, sub),
    ROWS_16_32_64(MUL, EACH, U, mul),
    ROWS_8_16(ADD_SAT_S, EACH, S, add_sat),
    ROWS_8_16(ADD_SAT_U, EACH, U, add_sat),
    ROWS_8_16(SUB_SAT_S, EACH, S, sub_sat),
    ROWS_8_16(SUB_SAT_U, EACH, U, sub_sat),
    ROWS_8_16_32(MIN_S, EACH, S, min),
    ROWS_8_16_32(MIN_U, EACH, U, min),
    ROWS_8_16_32(MAX_S, EACH, S, max),
    ROWS_8_16_32(MAX_U, EACH, U, max),
    ROWS_8_16(AVGR_U, EACH, U, avgr),
    ROW(I16X8_Q15MULR_SAT_S, EACH, 2, S, q15mulr_sat),

    ROWS(SHL, SHIFT, U, shl),
    ROWS(SHR_S, SHIFT, S, shr_s),
    ROWS(SHR_U, SHIFT, U, shr_u),

    ROWS_WIDER_64(EXTEND_LOW, LOW, same),
    ROWS_WIDER_64(EXTEND_HIGH, HIGH, same),
    ROWS_WIDER_64(EXTMUL_LOW, LOW, mul),
    ROWS_WIDER_64(EXTMUL_HIGH, HIGH, mul),
    ROWS_WIDER(EXTADD_PAIRWISE, PAIRS, same),
    ROW(I32X4_DOT_I16X8_S, PAIRS, 2, S, mul),

    /* The sign is the result's: the operands' lanes are signed. */
    ROW(I8X16_NARROW_I16X8_S, NARROW, 2, S, NULL),
    ROW(I8X16_NARROW_I16X8_U, NARROW, 2, U, NULL),
    ROW(I16X8_NARROW_I32X4_S, NARROW, 4, S, NULL),
    ROW(I16X8_NARROW_I32X4_U, NARROW, 4, U, NULL),

    ROWS(ALL_TRUE, ALL_TRUE, U, NULL),
    ROWS(BITMASK, BITMASK, U, NULL),
};

/* ---- Walking lanes ---- */

/* f(a[i], b[i]) */
static uint64_t apply(const struct rt_vector_call *call, const struct operation *operation, unsigned index) {
    uint64_t a = rt_vector_lane(&call->operands[0], operation->size, index);
    uint64_t b = rt_vector_lane(&call->operands[1], operation->size, index);
    return operation->function(rt_vector_extend(a, operation->size, operation->is_signed),
                               rt_vector_extend(b, operation->size, operation->is_signed), operation);
}

static void shift(struct rt_vector_call *call, const struct operation *operation) {
    unsigned size = operation->size, distance = call->scalar % (8 * size);
    for (unsigned i = 0; i < RT_VECTOR_SIZE / size; i++) {
        uint64_t a = rt_vector_lane(&call->operands[0], size, i);
        rt_vector_set_lane(
            &call->result, size, i,
            operation->function(rt_vector_extend(a, size, operation->is_signed), distance, operation));
    }
}

static void narrow(struct rt_vector_call *call, const struct operation *operation) {
    unsigned size = operation->size, count = RT_VECTOR_SIZE / size;
    for (unsigned i = 0; i < 2 * count; i++) {
        uint64_t lane = rt_vector_lane(&call->operands[i / count], size, i % count);
        rt_vector_set_lane(
            &call->result, size / 2, i,
            saturate((int64_t)rt_vector_extend(lane, size, true), size / 2, operation->is_signed));
    }
}

static uint64_t all_true(const struct rt_vector *vector, unsigned size) {
    for (unsigned i = 0; i < RT_VECTOR_SIZE / size; i++)
        if (!rt_vector_lane(vector, size, i))
            return 0;
    return 1;
}

static uint64_t bitmask(const struct rt_vector *vector, unsigned size) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < RT_VECTOR_SIZE / size; i++)
        bits |= rt_vector_lane(vector, size, i) >> (8 * size - 1) << i;
    return bits;
}

bool rt_vector_integer(struct rt_vector_call *call) {
    size_t row = call->opcode - RT_OP_V128_LOAD;
    if (row >= sizeof operations / sizeof *operations)
        return false;
    const struct operation *operation = &operations[row];
    unsigned size = operation->size, count = size ? RT_VECTOR_SIZE / size : 0;
    switch ((enum form)operation->form) {
    case NOT_INTEGER: return false;
    case EACH:
        for (unsigned i = 0; i < count; i++)
            rt_vector_set_lane(&call->result, size, i, apply(call, operation, i));
        return true;
    case SHIFT: shift(call, operation); return true;
    case LOW:
    case HIGH:
        for (unsigned i = 0; i < count / 2; i++)
            rt_vector_set_lane(&call->result, 2 * size, i,
                               apply(call, operation, operation->form == LOW ? i : count / 2 + i));
        return true;
    case PAIRS:
        for (unsigned i = 0; i < count / 2; i++)
            rt_vector_set_lane(&call->result, 2 * size, i,
                               apply(call, operation, 2 * i) + apply(call, operation, 2 * i + 1));
        return true;
    case NARROW: narrow(call, operation); return true;
    case ALL_TRUE: call->scalar_result = all_true(&call->operands[0], size); return true;
    case BITMASK: call->scalar_result = bitmask(&call->operands[0], size); return true;
    }
    return false;
}
