/* The stack of an expression that is being translated: what is known of its entries, and arithmetic on them.
 * An entry is kept as its number's bits with zeros above, so that what may carry is masked, and operations on
 * signed numbers extend their operands first. */
#include "runtime/jit/native_translation.h"

/* ---- Building ---- */

void rt_native_op(struct rt_native_translation *t, uint8_t code) {
    rt_native_op_with(t, code, 0);
}

void rt_native_op_with(struct rt_native_translation *t, uint8_t code, uint64_t operand) {
    if (t->needs)
        return;
    const struct rt_dwarf_operation operation = {.code = code, .operands = {operand}};
    rt_dwarf_put_operation(t->pass, &operation);
}

void rt_native_op_constant(struct rt_native_translation *t, uint64_t number) {
    if (number < 32)
        rt_native_op(t, (uint8_t)(RT_DWARF_OP_lit0 + number));
    else
        rt_native_op_with(t, RT_DWARF_OP_constu, number);
}

void rt_native_refuse(struct rt_native_translation *t, const char *reason) {
    if (!t->reason)
        t->reason = reason;
}

void rt_native_push(struct rt_native_translation *t, unsigned bits) {
    if (t->depth == RT_NATIVE_MOST_ENTRIES)
        rt_native_refuse(t, "optimised out: an expression that needs too deep a stack");
    else
        t->stack[t->depth++] = (struct rt_native_integer){.bits = (uint8_t)bits};
}

struct rt_native_integer rt_native_pop(struct rt_native_translation *t) {
    if (t->depth == 0) {
        rt_native_refuse(t, "optimised out: an expression that pops from an empty stack");
        return (struct rt_native_integer){.bits = RT_NATIVE_GENERIC};
    }
    return t->stack[--t->depth];
}

void rt_native_mask(struct rt_native_translation *t, unsigned bits) {
    if (bits >= 64)
        return;
    rt_native_op_constant(t, (UINT64_C(1) << bits) - 1);
    rt_native_op(t, RT_DWARF_OP_and);
}

/* Puts copies of its sign above the lowest bits of the top. */
static void extend_sign(struct rt_native_translation *t, unsigned bits) {
    if (bits >= 64 || t->native->fault == RT_NATIVE_SIGN_LOST)
        return;
    rt_native_op_constant(t, UINT64_C(1) << (bits - 1));
    rt_native_op(t, RT_DWARF_OP_xor);
    rt_native_op_constant(t, UINT64_C(1) << (bits - 1));
    rt_native_op(t, RT_DWARF_OP_minus);
}

/* ---- Arithmetic ---- */

void rt_native_binary(struct rt_native_translation *t, uint8_t code, bool is_signed, bool is_masked,
                      bool is_comparison) {
    const struct rt_native_integer top = rt_native_pop(t), below = rt_native_pop(t);
    const bool is_shift = code == RT_DWARF_OP_shl || code == RT_DWARF_OP_shr || code == RT_DWARF_OP_shra;
    const unsigned bits = is_shift || below.bits > top.bits ? below.bits : top.bits;
    if (is_signed) {
        rt_native_op(t, RT_DWARF_OP_swap);
        extend_sign(t, below.bits);
        rt_native_op(t, RT_DWARF_OP_swap);
        if (!is_shift)
            extend_sign(t, top.bits);
    }
    rt_native_op(t, code);
    if (is_masked)
        rt_native_mask(t, bits);
    rt_native_push(t, is_comparison ? RT_NATIVE_GENERIC : bits);
}

void rt_native_unary(struct rt_native_translation *t, uint8_t code, bool is_signed) {
    const struct rt_native_integer top = rt_native_pop(t);
    if (is_signed)
        extend_sign(t, top.bits);
    rt_native_op(t, code);
    rt_native_mask(t, top.bits);
    rt_native_push(t, top.bits);
}

struct rt_error *rt_native_convert(struct rt_native_translation *t, uint64_t position,
                                   bool is_reinterpreted) {
    const struct rt_native_integer from = rt_native_pop(t);
    struct rt_native_integer to = {.bits = from.bits > RT_NATIVE_GENERIC ? from.bits : RT_NATIVE_GENERIC};
    struct rt_error *error = position ? rt_native_base_type(t->pass, position, &to) : NULL;
    if (error)
        return error;
    if (to.bits == 0 || (is_reinterpreted && to.bits != from.bits)) {
        rt_native_refuse(t, "optimised out: a conversion from or to what is no integer");
        return NULL;
    }
    if (from.is_signed && to.bits > from.bits)
        extend_sign(t, from.bits);
    if (from.is_signed || to.bits < from.bits)
        rt_native_mask(t, to.bits);
    rt_native_push(t, to.bits);
    if (t->depth)
        t->stack[t->depth - 1].is_signed = to.is_signed;
    return NULL;
}

void rt_native_pick(struct rt_native_translation *t, uint8_t code, uint64_t index) {
    if (index >= t->depth) {
        rt_native_refuse(t, "optimised out: an expression that pops from an empty stack");
        return;
    }
    const struct rt_native_integer entry = t->stack[t->depth - 1 - index];
    if (code == RT_DWARF_OP_pick)
        rt_native_op_with(t, code, index);
    else
        rt_native_op(t, code);
    rt_native_push(t, entry.bits);
}

void rt_native_rotate(struct rt_native_translation *t, uint8_t code, unsigned count) {
    if (t->depth < count) {
        rt_native_refuse(t, "optimised out: an expression that pops from an empty stack");
        return;
    }
    const struct rt_native_integer top = t->stack[t->depth - 1];
    for (unsigned i = 1; i < count; i++)
        t->stack[t->depth - i] = t->stack[t->depth - i - 1];
    t->stack[t->depth - count] = top;
    rt_native_op(t, code);
}
