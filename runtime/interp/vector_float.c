/* SIMD in the interpreter: instructions on floating-point lanes (core specification, sections 4.3.3, 4.3.4
 * and 4.4.3).
 *
 * All arithmetic is done in double. For an f32 that is exact: an operand widens without loss, and the double
 * nearest to a sum, difference, product, quotient or square root of two f32 rounds to the f32 nearest to it,
 * because 53 bits are at least 2 * 24 + 2 (S. A. Figueroa, "When is double rounding innocuous?", 1995). What
 * selects lanes or changes signs works on the bits, which keeps NaNs as they are. */
#include "runtime/interp/vector_lanes.h"

#include <float.h>
#include <math.h>
#include <string.h>

_Static_assert(FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1, "a double's arithmetic is that of a double");
_Static_assert(FLT_RADIX == 2 && FLT_MANT_DIG == 24 && DBL_MANT_DIG == 53, "floats are IEEE 754's");

typedef double arithmetic_function(double a, double b);
typedef bool predicate_function(double a, double b);

/* Operand lanes are a[i] and b[i]; the result's lane i is ... */
enum form {
    NOT_FLOAT,  /* an instruction of another file */
    ARITHMETIC, /* arithmetic(a[i], b[i]) */
    COMPARE,    /* all bits set where predicate(a[i], b[i]), else none */
    CHOOSE,     /* b[i] where predicate(a[i], b[i]), else a[i] */
    ABS,        /* a[i] without its sign */
    NEG,        /* a[i] with the other sign */
    RESIZE,     /* a[i] as a float of the other size; lanes without an a[i] are zero */
    TRUNC_S,    /* a[i] as an i32, cut off and saturated; NaN and lanes without an a[i] are zero */
    TRUNC_U,    /* the same without sign */
    CONVERT_S,  /* the i32 a[i] as a float; of an f64x2, the lower two */
    CONVERT_U,  /* the same without sign */
};

struct operation {
    uint8_t form; /* enum form */
    uint8_t size; /* bytes of a floating-point operand's lane; where there is none, of the result's */
    arithmetic_function *arithmetic;
    predicate_function *predicate;
};

/* ---- Functions of lanes; the sign and payload of a NaN that they return are of no account ---- */

static double add(double a, double b) {
    return a + b;
}

static double sub(double a, double b) {
    return a - b;
}

static double mul(double a, double b) {
    return a * b;
}

static double divide(double a, double b) {
    return a / b;
}

static double square_root(double a, double b) {
    (void)b;
    return sqrt(a);
}

static double upwards(double a, double b) {
    (void)b;
    return ceil(a);
}

static double downwards(double a, double b) {
    (void)b;
    return floor(a);
}

static double towards_zero(double a, double b) {
    (void)b;
    return trunc(a);
}

/* To nearest, ties to even: the rounding mode that C programs start in. */
static double nearest(double a, double b) {
    (void)b;
    return rint(a);
}

static bool eq(double a, double b) {
    return a == b;
}

static bool ne(double a, double b) {
    return a != b;
}

static bool lt(double a, double b) {
    return a < b;
}

static bool gt(double a, double b) {
    return a > b;
}

static bool le(double a, double b) {
    return a <= b;
}

static bool ge(double a, double b) {
    return a >= b;
}

/* ---- Which instruction is what ---- */

#define ROW(name, form, size, arithmetic, predicate)                                                         \
    [RT_OP_##name - RT_OP_V128_LOAD] = {form, size, arithmetic, predicate}
#define ROWS(name, form, arithmetic, predicate)                                                              \
    ROW(F32X4_##name, form, 4, arithmetic, predicate), ROW(F64X2_##name, form, 8, arithmetic, predicate)

static const struct operation operations[] = {
    ROWS(ADD, ARITHMETIC, add, NULL),
    ROWS(SUB, ARITHMETIC, sub, NULL),
    ROWS(MUL, ARITHMETIC, mul, NULL),
    ROWS(DIV, ARITHMETIC, divide, NULL),
    ROWS(SQRT, ARITHMETIC, square_root, NULL),
    ROWS(CEIL, ARITHMETIC, upwards, NULL),
    ROWS(FLOOR, ARITHMETIC, downwards, NULL),
    ROWS(TRUNC, ARITHMETIC, towards_zero, NULL),
    ROWS(NEAREST, ARITHMETIC, nearest, NULL),
    ROWS(MIN, ARITHMETIC, rt_minimum64, NULL),
    ROWS(MAX, ARITHMETIC, rt_maximum64, NULL),

    ROWS(EQ, COMPARE, NULL, eq),
    ROWS(NE, COMPARE, NULL, ne),
    ROWS(LT, COMPARE, NULL, lt),
    ROWS(GT, COMPARE, NULL, gt),
    ROWS(LE, COMPARE, NULL, le),
    ROWS(GE, COMPARE, NULL, ge),

    /* pmin(a, b) is "b < a ? b : a", pmax(a, b) "a < b ? b : a" (section 4.3.3). */
    ROWS(PMIN, CHOOSE, NULL, gt),
    ROWS(PMAX, CHOOSE, NULL, lt),
    ROWS(ABS, ABS, NULL, NULL),
    ROWS(NEG, NEG, NULL, NULL),

    ROW(F32X4_DEMOTE_F64X2_ZERO, RESIZE, 8, NULL, NULL),
    ROW(F64X2_PROMOTE_LOW_F32X4, RESIZE, 4, NULL, NULL),
    ROW(I32X4_TRUNC_SAT_F32X4_S, TRUNC_S, 4, NULL, NULL),
    ROW(I32X4_TRUNC_SAT_F32X4_U, TRUNC_U, 4, NULL, NULL),
    ROW(I32X4_TRUNC_SAT_F64X2_S_ZERO, TRUNC_S, 8, NULL, NULL),
    ROW(I32X4_TRUNC_SAT_F64X2_U_ZERO, TRUNC_U, 8, NULL, NULL),
    ROW(F32X4_CONVERT_I32X4_S, CONVERT_S, 4, NULL, NULL),
    ROW(F32X4_CONVERT_I32X4_U, CONVERT_U, 4, NULL, NULL),
    ROW(F64X2_CONVERT_LOW_I32X4_S, CONVERT_S, 8, NULL, NULL),
    ROW(F64X2_CONVERT_LOW_I32X4_U, CONVERT_U, 8, NULL, NULL),
};

/* ---- Floats and their bits ---- */

static double from_bits(uint64_t bits, unsigned size) {
    if (size == 8) {
        double value;
        memcpy(&value, &bits, sizeof(value));
        return value;
    }
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof(value));
    return value;
}

/* Rounds to a float of `size` bytes. A NaN comes out quiet (section 4.3.3, "arithmetic"), or canonical. */
static uint64_t to_bits(double value, unsigned size, bool canonical_nans) {
    uint64_t bits, canonical;
    if (size == 8) {
        memcpy(&bits, &value, sizeof(bits));
        canonical = 0x7ff8000000000000;
    } else {
        float rounded = (float)value;
        uint32_t low;
        memcpy(&low, &rounded, sizeof(low));
        bits = low;
        canonical = 0x7fc00000;
    }
    if (!isnan(value))
        return bits;
    return canonical_nans ? canonical : bits | canonical;
}

/* ---- Walking lanes ---- */

static uint64_t lane_of(const struct rt_vector_call *call, const struct operation *operation, unsigned i) {
    unsigned size = operation->size;
    uint64_t a = rt_vector_lane(&call->operands[0], size, i), b = rt_vector_lane(&call->operands[1], size, i);
    uint64_t sign = (uint64_t)1 << (8 * size - 1);
    double x = from_bits(a, size), y = from_bits(b, size);
    switch ((enum form)operation->form) {
    case ARITHMETIC: return to_bits(operation->arithmetic(x, y), size, call->canonical_nans);
    case COMPARE: return operation->predicate(x, y) ? UINT64_MAX : 0;
    case CHOOSE: return operation->predicate(x, y) ? b : a;
    case ABS: return a & ~sign;
    case NEG: return a ^ sign;
    case RESIZE: return to_bits(x, size == 8 ? 4 : 8, call->canonical_nans);
    case TRUNC_S: return (uint32_t)rt_saturate_i32(x);
    case TRUNC_U: return rt_saturate_u32(x);
    default: return 0;
    }
}

/* Every i32 is a double, so that there is one rounding at most. */
static uint64_t convert(const struct rt_vector_call *call, unsigned size, bool is_signed, unsigned i) {
    uint64_t lane = rt_vector_lane(&call->operands[0], 4, i);
    return to_bits((double)(int64_t)rt_vector_extend(lane, 4, is_signed), size, false);
}

bool rt_vector_float(struct rt_vector_call *call) {
    size_t row = call->opcode - RT_OP_V128_LOAD;
    if (row >= sizeof operations / sizeof *operations || operations[row].form == NOT_FLOAT)
        return false;
    const struct operation *operation = &operations[row];
    unsigned size = operation->size, result_size = size;
    if (operation->form == RESIZE)
        result_size = size == 8 ? 4 : 8;
    else if (operation->form == TRUNC_S || operation->form == TRUNC_U)
        result_size = 4;
    bool converts = operation->form == CONVERT_S || operation->form == CONVERT_U;
    unsigned greatest = size > result_size ? size : result_size;
    for (unsigned i = 0; i < RT_VECTOR_SIZE / greatest; i++)
        rt_vector_set_lane(&call->result, result_size, i,
                           converts ? convert(call, size, operation->form == CONVERT_S, i)
                                    : lane_of(call, operation, i));
    return true;
}
