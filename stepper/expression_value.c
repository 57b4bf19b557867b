/* Arithmetic on the values of DWARF expressions (DWARF 5, sections 2.5.1.4 and 2.5.1.6).
 *
 * Operands of two types are an error by the standard; producers for WebAssembly do mix the generic type with
 * 64-bit locals, so the generic operand then takes the other's type. */
#include <dwarf.h>
#include <math.h>
#include <string.h>

#include "stepper/expression.h"

static uint64_t mask_of(unsigned size) {
    return size >= 8 ? UINT64_MAX : ((uint64_t)1 << (8 * size)) - 1;
}

static int64_t as_signed(struct st_value value) {
    unsigned shift = 64 - 8 * value.size;
    return (int64_t)(value.bits << shift) >> shift;
}

static double as_double(struct st_value value) {
    if (value.kind == ST_VALUE_FLOAT && value.size == 4) {
        float single;
        memcpy(&single, &value.bits, sizeof single);
        return single;
    }
    if (value.kind == ST_VALUE_FLOAT) {
        double number;
        memcpy(&number, &value.bits, sizeof number);
        return number;
    }
    return value.kind == ST_VALUE_UNSIGNED ? (double)value.bits : (double)as_signed(value);
}

static struct st_value of_double(double number, unsigned size) {
    struct st_value value = {.size = (uint8_t)size, .kind = ST_VALUE_FLOAT};
    float single = (float)number;
    if (size == 4)
        memcpy(&value.bits, &single, sizeof single);
    else
        memcpy(&value.bits, &number, sizeof number);
    return value;
}

static struct st_value generic(uint64_t bits, unsigned address_size) {
    return (struct st_value){bits & mask_of(address_size), (uint8_t)address_size, ST_VALUE_GENERIC};
}

/* Both operands with one type. A literal's 64 bits shrink to an address's here. */
static const char *unify(struct st_value *left, struct st_value *right, unsigned address_size) {
    if (left->kind == ST_VALUE_GENERIC)
        *left = right->kind == ST_VALUE_GENERIC || right->kind == ST_VALUE_FLOAT
                    ? generic(left->bits, address_size)
                    : (struct st_value){left->bits & mask_of(right->size), right->size, right->kind};
    if (right->kind == ST_VALUE_GENERIC)
        *right = left->kind == ST_VALUE_GENERIC || left->kind == ST_VALUE_FLOAT
                     ? generic(right->bits, address_size)
                     : (struct st_value){right->bits & mask_of(left->size), left->size, left->kind};
    if (left->kind != right->kind || left->size != right->size)
        return "operands of two types";
    return NULL;
}

static bool is_comparison(uint8_t code) {
    return code >= ST_DW_OP_eq && code <= ST_DW_OP_ne;
}

static bool compare(uint8_t code, int order, bool unordered) {
    switch (code) {
    case ST_DW_OP_eq: return !unordered && order == 0;
    case ST_DW_OP_ge: return !unordered && order >= 0;
    case ST_DW_OP_gt: return !unordered && order > 0;
    case ST_DW_OP_le: return !unordered && order <= 0;
    case ST_DW_OP_lt: return !unordered && order < 0;
    default: return unordered || order != 0;
    }
}

static const char *binary_float(uint8_t code, struct st_value left, struct st_value right,
                                unsigned address_size, struct st_value *ret) {
    double a = as_double(left), b = as_double(right);
    if (is_comparison(code)) {
        *ret = generic(compare(code, (a > b) - (a < b), isnan(a) || isnan(b)), address_size);
        return NULL;
    }
    switch (code) {
    case ST_DW_OP_plus: a += b; break;
    case ST_DW_OP_minus: a -= b; break;
    case ST_DW_OP_mul: a *= b; break;
    case ST_DW_OP_div: a /= b; break;
    default: return "an integer operation on floating-point values";
    }
    *ret = of_double(a, left.size);
    return NULL;
}

const char *st_value_binary(uint8_t code, struct st_value left, struct st_value right, unsigned address_size,
                            struct st_value *ret) {
    /* A shift's count has a type of its own. */
    bool is_shift = code == ST_DW_OP_shl || code == ST_DW_OP_shr || code == ST_DW_OP_shra;
    uint64_t count = right.bits;
    const char *reason = is_shift ? unify(&left, &left, address_size) : unify(&left, &right, address_size);
    if (reason)
        return reason;
    if (left.kind == ST_VALUE_FLOAT)
        return binary_float(code, left, right, address_size, ret);
    uint64_t a = left.bits, b = right.bits, bits;
    int64_t signed_a = as_signed(left), signed_b = is_shift ? 0 : as_signed(right);
    bool is_unsigned = left.kind == ST_VALUE_UNSIGNED;
    if (is_comparison(code)) {
        int order = is_unsigned ? (a > b) - (a < b) : (signed_a > signed_b) - (signed_a < signed_b);
        *ret = generic(compare(code, order, false), address_size);
        return NULL;
    }
    switch (code) {
    case ST_DW_OP_and: bits = a & b; break;
    case ST_DW_OP_or: bits = a | b; break;
    case ST_DW_OP_xor: bits = a ^ b; break;
    case ST_DW_OP_plus: bits = a + b; break;
    case ST_DW_OP_minus: bits = a - b; break;
    case ST_DW_OP_mul: bits = a * b; break;
    case ST_DW_OP_div: /* signed, for the generic type too */
        if (b == 0)
            return "division by zero";
        bits = is_unsigned ? a / b : signed_b == -1 ? 0 - a : (uint64_t)(signed_a / signed_b);
        break;
    case ST_DW_OP_mod: /* unsigned for the generic type */
        if (b == 0)
            return "division by zero";
        bits = left.kind != ST_VALUE_SIGNED ? a % b : signed_b == -1 ? 0 : (uint64_t)(signed_a % signed_b);
        break;
    case ST_DW_OP_shl: bits = count < 64 ? a << count : 0; break;
    case ST_DW_OP_shr: bits = count < 64 ? a >> count : 0; break;
    case ST_DW_OP_shra: bits = (uint64_t)(signed_a >> (count < 64 ? count : 63)); break;
    default: return "not an operation on two values";
    }
    *ret = (struct st_value){bits & mask_of(left.size), left.size, left.kind};
    return NULL;
}

const char *st_value_unary(uint8_t code, struct st_value value, unsigned address_size, struct st_value *ret) {
    if (value.kind == ST_VALUE_FLOAT) {
        double number = as_double(value);
        if (code == ST_DW_OP_not)
            return "an integer operation on floating-point values";
        *ret = of_double(code == ST_DW_OP_neg ? -number : fabs(number), value.size);
        return NULL;
    }
    if (value.kind == ST_VALUE_GENERIC)
        value = generic(value.bits, address_size);
    uint64_t bits = value.bits;
    if (code == ST_DW_OP_not)
        bits = ~bits;
    else if (code == ST_DW_OP_neg || (value.kind != ST_VALUE_UNSIGNED && as_signed(value) < 0))
        bits = 0 - bits;
    *ret = (struct st_value){bits & mask_of(value.size), value.size, value.kind};
    return NULL;
}

const char *st_value_of_bits(uint64_t bits, const struct st_type *type, unsigned address_size,
                             struct st_value *ret) {
    if (!type) {
        *ret = generic(bits, address_size);
        return NULL;
    }
    if (type->kind != ST_TYPE_BASE ||
        (type->size != 1 && type->size != 2 && type->size != 4 && type->size != 8))
        return "not supported: a value of this type";
    struct st_value value = {bits & mask_of((unsigned)type->size), (uint8_t)type->size, ST_VALUE_UNSIGNED};
    switch (type->encoding) {
    case DW_ATE_signed:
    case DW_ATE_signed_char: value.kind = ST_VALUE_SIGNED; break;
    case DW_ATE_unsigned:
    case DW_ATE_unsigned_char:
    case DW_ATE_boolean:
    case DW_ATE_address:
    case DW_ATE_UTF: break;
    case DW_ATE_float:
        if (value.size < 4)
            return "not supported: a value of this type";
        value.kind = ST_VALUE_FLOAT;
        break;
    default: return "not supported: a value of this type";
    }
    *ret = value;
    return NULL;
}

const char *st_value_convert(struct st_value value, const struct st_type *type, unsigned address_size,
                             struct st_value *ret) {
    struct st_value target;
    const char *reason = st_value_of_bits(0, type, address_size, &target);
    if (reason)
        return reason;
    if (target.kind == ST_VALUE_FLOAT) {
        *ret = of_double(as_double(value), target.size);
        return NULL;
    }
    uint64_t bits = value.bits;
    if (value.kind == ST_VALUE_FLOAT) {
        double number = as_double(value);
        double limit = ldexp(1, 8 * target.size - (target.kind != ST_VALUE_UNSIGNED));
        if (isnan(number) || number >= limit || number < (target.kind == ST_VALUE_UNSIGNED ? 0 : -limit))
            return "a floating-point value that its integer type cannot hold";
        bits = target.kind == ST_VALUE_UNSIGNED ? (uint64_t)number : (uint64_t)(int64_t)number;
    } else if (value.kind == ST_VALUE_SIGNED) {
        bits = (uint64_t)as_signed(value);
    }
    target.bits = bits & mask_of(target.size);
    *ret = target;
    return NULL;
}
