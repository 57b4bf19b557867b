/* Translates instructions that compute, and memory's loads and stores. */
#include "runtime/interp/translate.h"

enum group { NO_GROUP, INTEGER, COMPARE, DIVIDE, BINARY, UNARY, LOAD, STORE };

/* How an instruction is done: its group, and its first handler. The other forms' handlers follow that one in
 * the order of handlers.def. */
struct form {
    uint8_t group;
    uint16_t handler;
    uint16_t inverse; /* of a comparison: the opcode */
};

static const struct form forms[RT_OP_LIMIT] = {
#define RT_INTEGER(name, type, expression) [RT_OP_##name] = {INTEGER, RT_DO_##name##_RR, 0},
#define RT_COMPARE(name, inverse, type, expression)                                                          \
    [RT_OP_##name] = {COMPARE, RT_DO_##name##_RR, RT_OP_##inverse},
#define RT_DIVIDE(name, type, overflows, expression) [RT_OP_##name] = {DIVIDE, RT_DO_##name##_RR, 0},
#define RT_BINARY(name, type, result, expression)    [RT_OP_##name] = {BINARY, RT_DO_##name##_RR, 0},
#define RT_UNARY(name, type, result, expression)     [RT_OP_##name] = {UNARY, RT_DO_##name##_R, 0},
#define RT_TRUNCATE(name, type, result, function)    [RT_OP_##name] = {UNARY, RT_DO_##name##_R, 0},
#define RT_LOAD(name, unit, expression)              [RT_OP_##name] = {LOAD, RT_DO_##name##_R, 0},
#define RT_STORE(name, unit)                         [RT_OP_##name] = {STORE, RT_DO_##name##_RR, 0},
#include "runtime/interp/operations.def"
    /* Slots hold zeros above 32 bits, and floats by their bits: these are the same. */
    [RT_OP_F32_LOAD] = {LOAD, RT_DO_I32_LOAD_R, 0},
    [RT_OP_F64_LOAD] = {LOAD, RT_DO_I64_LOAD_R, 0},
    [RT_OP_I64_LOAD8_U] = {LOAD, RT_DO_I32_LOAD8_U_R, 0},
    [RT_OP_I64_LOAD16_U] = {LOAD, RT_DO_I32_LOAD16_U_R, 0},
    [RT_OP_I64_LOAD32_U] = {LOAD, RT_DO_I32_LOAD_R, 0},
    [RT_OP_F32_STORE] = {STORE, RT_DO_I32_STORE_RR, 0},
    [RT_OP_F64_STORE] = {STORE, RT_DO_I64_STORE_RR, 0},
    [RT_OP_I64_STORE8] = {STORE, RT_DO_I32_STORE8_RR, 0},
    [RT_OP_I64_STORE16] = {STORE, RT_DO_I32_STORE16_RR, 0},
    [RT_OP_I64_STORE32] = {STORE, RT_DO_I32_STORE_RR, 0},
};

/* The forms' distances from the first. */
enum { FORM_RK = 1, FORM_BRANCH_RR = 2, FORM_BRANCH_RK = 3, FORM_LOAD_K = 1 };
enum { FORM_STORE_RK = 1, FORM_STORE_KR = 2, FORM_STORE_KK = 3 };
#define SAME(name, other, distance) _Static_assert(RT_DO_##other - RT_DO_##name == (distance), #other)
SAME(I32_EQ_RR, I32_EQ_RK, FORM_RK);
SAME(I32_EQ_RR, BR_I32_EQ_RR, FORM_BRANCH_RR);
SAME(I32_EQ_RR, BR_I32_EQ_RK, FORM_BRANCH_RK);
SAME(I32_LOAD_R, I32_LOAD_K, FORM_LOAD_K);
SAME(I32_STORE_RR, I32_STORE_KK, FORM_STORE_KK);

enum rt_handler rt_compare_branch(uint32_t compare, bool when, bool constant) {
    uint32_t opcode = when ? compare : forms[compare].inverse;
    return (enum rt_handler)(forms[opcode].handler + (constant ? FORM_BRANCH_RK : FORM_BRANCH_RR));
}

enum rt_type rt_translate_type(char letter) {
    switch (letter) {
    case 'i': return RT_I32;
    case 'I': return RT_I64;
    case 'f': return RT_F32;
    case 'F': return RT_F64;
    default: return RT_V128;
    }
}

static enum rt_type result_of(uint32_t opcode) {
    const char *letter = rt_opcodes[opcode].signature;
    while (*letter != ':')
        letter++;
    return rt_translate_type(letter[1]);
}

static bool commutes(uint32_t opcode) {
    switch (opcode) {
    case RT_OP_I32_ADD:
    case RT_OP_I32_MUL:
    case RT_OP_I32_AND:
    case RT_OP_I32_OR:
    case RT_OP_I32_XOR:
    case RT_OP_I32_EQ:
    case RT_OP_I32_NE:
    case RT_OP_I64_ADD:
    case RT_OP_I64_MUL:
    case RT_OP_I64_AND:
    case RT_OP_I64_OR:
    case RT_OP_I64_XOR:
    case RT_OP_I64_EQ:
    case RT_OP_I64_NE: return true;
    default: return false;
    }
}

static void translate_binary(struct rt_translator *t, uint32_t opcode) {
    const struct form *form = &forms[opcode];
    uint32_t left = t->height - 2, right = t->height - 1, constant, to = rt_place_slot(t, left), word;
    if (commutes(opcode) && rt_operand_constant(t, left, &constant)) {
        left = t->height - 1;
        right = t->height - 2;
    }
    bool has_constant = form->group != BINARY && rt_operand_constant(t, right, &constant);
    if (has_constant) {
        uint32_t a = rt_operand_slot(t, left);
        word = RT_EMIT(t, form->handler + FORM_RK, to, a, constant);
    } else {
        uint32_t a = rt_operand_slot(t, left), b = rt_operand_slot(t, right);
        word = RT_EMIT(t, form->handler, to, a, b);
    }
    rt_operand_result(t, word, 2, result_of(opcode));
    if (form->group == COMPARE) {
        t->last_compare = opcode;
        t->last_constant = has_constant;
    }
}

/* Its bits stay as they are, and it needs no instruction. */
static void change_type(struct rt_translator *t, enum rt_type type) {
    uint32_t top = t->height - 1;
    t->operands[top].type = (uint8_t)type;
    t->known_nodes = t->known_nodes < top ? t->known_nodes : top;
}

/* A comparison with zero; of a comparison, its inverse. */
static void translate_eqz(struct rt_translator *t, uint32_t equal) {
    uint32_t top = t->height - 1;
    if (t->last != RT_NO_WORD && t->last_compare && t->last_operand == top &&
        t->operands[top].kind == RT_OPERAND_SLOT) {
        t->last_compare = forms[t->last_compare].inverse;
        t->code->words[t->last] =
            (uint32_t)t->handlers[forms[t->last_compare].handler + (t->last_constant ? FORM_RK : 0)];
        change_type(t, RT_I32); /* it may have been extended */
        return;
    }
    uint32_t a = rt_operand_slot(t, top);
    uint32_t word = RT_EMIT(t, forms[equal].handler + FORM_RK, rt_place_slot(t, top), a, 0);
    rt_operand_result(t, word, 1, RT_I32);
    t->last_compare = equal;
    t->last_constant = true;
}

static void translate_unary(struct rt_translator *t, uint32_t opcode) {
    uint32_t a = rt_operand_slot(t, t->height - 1);
    uint32_t word = RT_EMIT(t, forms[opcode].handler, rt_place_slot(t, t->height - 1), a);
    rt_operand_result(t, word, 1, result_of(opcode));
}

/* ---- Memory ---- */

/* Whether the index is known, and the sum with the offset is an address of 32 bits. */
static bool known_address(const struct rt_translator *t, uint32_t index, uint32_t offset, uint32_t *ret) {
    const struct rt_translator_operand *operand = &t->operands[index];
    uint64_t sum = operand->value + offset;
    *ret = (uint32_t)sum;
    return operand->kind == RT_OPERAND_CONSTANT && sum <= UINT32_MAX;
}

static void translate_load(struct rt_translator *t, uint32_t opcode, uint32_t offset) {
    uint32_t index = t->height - 1, to = rt_place_slot(t, index), address, word;
    if (known_address(t, index, offset, &address)) {
        word = RT_EMIT(t, forms[opcode].handler + FORM_LOAD_K, to, address);
    } else {
        uint32_t slot = rt_operand_slot(t, index);
        word = RT_EMIT(t, forms[opcode].handler, to, slot, offset);
    }
    rt_operand_result(t, word, 1, result_of(opcode));
}

static void translate_store(struct rt_translator *t, uint32_t opcode, uint32_t offset) {
    uint32_t index = t->height - 2, handler = forms[opcode].handler, address, value;
    bool has_value = rt_operand_constant(t, t->height - 1, &value);
    bool has_address = known_address(t, index, offset, &address);
    if (!has_value)
        value = rt_operand_slot(t, t->height - 1);
    if (has_address) {
        RT_EMIT(t, handler + (has_value ? FORM_STORE_KK : FORM_STORE_KR), address, value);
    } else {
        uint32_t slot = rt_operand_slot(t, index);
        RT_EMIT(t, handler + (has_value ? FORM_STORE_RK : 0), slot, value, offset);
    }
    rt_operands_drop(t, index);
}

void rt_translate_numeric(struct rt_translator *t, uint32_t opcode) {
    switch (opcode) {
    case RT_OP_I32_EQZ: translate_eqz(t, RT_OP_I32_EQ); return;
    case RT_OP_I64_EQZ:
    case RT_OP_REF_IS_NULL: translate_eqz(t, RT_OP_I64_EQ); return;
    case RT_OP_I64_EXTEND_I32_U:
    case RT_OP_I64_REINTERPRET_F64: change_type(t, RT_I64); return;
    case RT_OP_I32_REINTERPRET_F32: change_type(t, RT_I32); return;
    case RT_OP_F32_REINTERPRET_I32: change_type(t, RT_F32); return;
    case RT_OP_F64_REINTERPRET_I64: change_type(t, RT_F64); return;
    default: break;
    }
    switch (forms[opcode].group) {
    case INTEGER:
    case COMPARE:
    case DIVIDE:
    case BINARY: translate_binary(t, opcode); break;
    case UNARY: translate_unary(t, opcode); break;
    case LOAD:
    case STORE: {
        (void)rt_translate_u32(t); /* alignment is a hint */
        uint32_t offset = rt_translate_u32(t);
        if (forms[opcode].group == LOAD)
            translate_load(t, opcode, offset);
        else
            translate_store(t, opcode, offset);
        break;
    }
    default:
        rt_translate_fail(t,
                          rt_error_format(RT_UNSUPPORTED,
                                          "not supported: %s in the interpreter (function %u, Wasm pc 0x%x)",
                                          rt_opcodes[opcode].text, t->function, t->pc));
        break;
    }
}
