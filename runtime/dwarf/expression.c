/* Operations of expressions (DWARF 5, sections 2.5 and 7.7) decoded and encoded. */
#include "runtime/dwarf/expression.h"

static const struct rt_dwarf_operation_info operations[256] = {
#define RT_DW_OP(code, name, first, second)                                                                  \
    [code] = {"DW_OP_" #name, {RT_DWARF_OPERAND_##first, RT_DWARF_OPERAND_##second}},
#define RT_DW_OP_FAMILY(code, name, operand)                                                                 \
    [code... code + 31] = {"DW_OP_" #name, {RT_DWARF_OPERAND_##operand, RT_DWARF_OPERAND_NONE}},
#include "runtime/dwarf/operations.def"
#undef RT_DW_OP
#undef RT_DW_OP_FAMILY
};

const struct rt_dwarf_operation_info *rt_dwarf_operation_info(uint8_t code) {
    return &operations[code];
}

/* ---- Decoding ---- */

static struct rt_error *read_signed(struct rt_cursor *cursor, unsigned size, uint64_t *ret) {
    struct rt_error *error = rt_dwarf_read_number(cursor, size, "operand", ret);
    if (!error && size < 8 && *ret >> (8 * size - 1))
        *ret |= UINT64_MAX << (8 * size);
    return error;
}

static struct rt_error *read_block(struct rt_cursor *cursor, uint64_t size, struct rt_dwarf_operation *ret) {
    if (size > rt_cursor_left(cursor))
        return rt_cursor_error(cursor, "block of 0x%llx bytes reaches past the expression's end",
                               (unsigned long long)size);
    ret->block.size = (size_t)size;
    return rt_cursor_bytes(cursor, ret->block.size, "block", &ret->block.bytes);
}

static struct rt_error *read_operand(const struct rt_dwarf_unit *unit, struct rt_cursor *cursor,
                                     enum rt_dwarf_operand operand, struct rt_dwarf_operation *ret,
                                     uint64_t *number) {
    struct rt_error *error = NULL;
    int64_t value;
    uint8_t kind;
    uint64_t size;
    switch (operand) {
    case RT_DWARF_OPERAND_NONE: return NULL;
    case RT_DWARF_OPERAND_ADDRESS: return rt_dwarf_read_number(cursor, unit->address_size, "operand", number);
    case RT_DWARF_OPERAND_REFERENCE:
        return rt_dwarf_read_number(cursor, unit->offset_size, "operand", number);
    case RT_DWARF_OPERAND_U8: return rt_dwarf_read_number(cursor, 1, "operand", number);
    case RT_DWARF_OPERAND_U16: return rt_dwarf_read_number(cursor, 2, "operand", number);
    case RT_DWARF_OPERAND_U32: return rt_dwarf_read_number(cursor, 4, "operand", number);
    case RT_DWARF_OPERAND_U64:
    case RT_DWARF_OPERAND_S64: return rt_dwarf_read_number(cursor, 8, "operand", number);
    case RT_DWARF_OPERAND_S8: return read_signed(cursor, 1, number);
    case RT_DWARF_OPERAND_S16: return read_signed(cursor, 2, number);
    case RT_DWARF_OPERAND_S32: return read_signed(cursor, 4, number);
    case RT_DWARF_OPERAND_ULEB:
    case RT_DWARF_OPERAND_TYPE: return rt_dwarf_read_uleb(cursor, "operand", number);
    case RT_DWARF_OPERAND_SLEB:
        error = rt_cursor_sleb(cursor, 64, "operand", &value);
        *number = (uint64_t)value;
        return error;
    case RT_DWARF_OPERAND_BLOCK:
    case RT_DWARF_OPERAND_EXPRESSION:
        error = rt_dwarf_read_uleb(cursor, "block size", &size);
        return error ? error : read_block(cursor, size, ret);
    case RT_DWARF_OPERAND_BLOCK8:
        error = rt_cursor_u8(cursor, "block size", &kind);
        return error ? error : read_block(cursor, kind, ret);
    case RT_DWARF_OPERAND_WASM: /* kind 3 has an index of four bytes, which a linker can fill in */
        error = rt_cursor_u8(cursor, "kind of location", &kind);
        ret->operands[0] = kind;
        if (error)
            return error;
        return kind == 3 ? rt_dwarf_read_number(cursor, 4, "index", &ret->operands[1])
                         : rt_dwarf_read_uleb(cursor, "index", &ret->operands[1]);
    }
    return NULL;
}

/* Numbers that the input has in terms of its unit become positions and addresses. */
static struct rt_error *settle(const struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                               struct rt_dwarf_operation *op) {
    const struct rt_dwarf_operation_info *info = &operations[op->code];
    for (int i = 0; i < 2; i++)
        if (info->operands[i] == RT_DWARF_OPERAND_TYPE && op->operands[i] != 0)
            op->operands[i] =
                op->operands[i] <= UINT32_MAX ? unit->offset + op->operands[i] : UINT64_MAX >> 1;
    switch (op->code) {
    case RT_DWARF_OP_call2: op->code = RT_DWARF_OP_call4; __attribute__((fallthrough));
    case RT_DWARF_OP_call4:
    case RT_DWARF_OP_GNU_parameter_ref: op->operands[0] += unit->offset; return NULL;
    case RT_DWARF_OP_addrx:
    case RT_DWARF_OP_GNU_addr_index:
        op->code = RT_DWARF_OP_addr;
        return rt_dwarf_unit_address(pass, unit, op->operands[0], &op->operands[0]);
    case RT_DWARF_OP_constx:
    case RT_DWARF_OP_GNU_const_index:
        op->code = unit->address_size == 4 ? RT_DWARF_OP_const4u : RT_DWARF_OP_const8u;
        return rt_dwarf_unit_address(pass, unit, op->operands[0], &op->operands[0]);
    default: return NULL;
    }
}

struct rt_error *rt_dwarf_operation_read(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                         struct rt_cursor *cursor, struct rt_dwarf_operation *ret) {
    *ret = (struct rt_dwarf_operation){.offset = (size_t)(cursor->next - cursor->start)};
    struct rt_error *error = rt_cursor_u8(cursor, "operation", &ret->code);
    if (error)
        return error;
    const struct rt_dwarf_operation_info *info = &operations[ret->code];
    if (!info->name)
        return rt_error_format(RT_UNSUPPORTED, "operation 0x%x is not known", ret->code);
    for (int i = 0; !error && i < 2; i++)
        error = read_operand(unit, cursor, (enum rt_dwarf_operand)info->operands[i], ret, &ret->operands[i]);
    ret->next = (size_t)(cursor->next - cursor->start);
    if (!error)
        error = settle(pass, unit, ret);
    return error ? rt_error_context(error, "%s in an expression", info->name) : NULL;
}

/* ---- Encoding ---- */

/* A DIE: 4 bytes that are filled in when it has been written. */
static void put_reference(struct rt_dwarf_pass *pass, uint64_t position, enum rt_dwarf_reference_kind kind) {
    struct rt_dwarf_bytes *out = &pass->expression;
    uint64_t target;
    if (!rt_dwarf_target(pass, position, &target)) { /* checked by put_expression; a visitor's mistake else */
        rt_dwarf_put_number(out, 0, 4);
        return;
    }
    struct rt_dwarf_fixup *fixup = RT_DWARF_PUSH(&pass->expression_fixups, struct rt_dwarf_fixup);
    if (fixup)
        *fixup =
            (struct rt_dwarf_fixup){.target = target, .place = (uint32_t)out->size, .kind = (uint8_t)kind};
    rt_dwarf_put_number(out, 0, 4);
}

static void put_operand(struct rt_dwarf_pass *pass, const struct rt_dwarf_operation *op, int index) {
    struct rt_dwarf_bytes *out = &pass->expression;
    const uint64_t number = op->operands[index];
    switch ((enum rt_dwarf_operand)operations[op->code].operands[index]) {
    case RT_DWARF_OPERAND_NONE: break;
    case RT_DWARF_OPERAND_ADDRESS: rt_dwarf_put_number(out, number, pass->address_size); break;
    case RT_DWARF_OPERAND_U8:
    case RT_DWARF_OPERAND_S8: rt_dwarf_put_number(out, number, 1); break;
    case RT_DWARF_OPERAND_U16:
    case RT_DWARF_OPERAND_S16: rt_dwarf_put_number(out, number, 2); break;
    case RT_DWARF_OPERAND_U32:
        if (op->code == RT_DWARF_OP_call4 || op->code == RT_DWARF_OP_GNU_parameter_ref)
            put_reference(pass, number, RT_DWARF_IN_UNIT);
        else
            rt_dwarf_put_number(out, number, 4);
        break;
    case RT_DWARF_OPERAND_S32: rt_dwarf_put_number(out, number, 4); break;
    case RT_DWARF_OPERAND_U64:
    case RT_DWARF_OPERAND_S64: rt_dwarf_put_number(out, number, 8); break;
    case RT_DWARF_OPERAND_ULEB: rt_dwarf_put_uleb(out, number); break;
    case RT_DWARF_OPERAND_SLEB: rt_dwarf_put_sleb(out, (int64_t)number); break;
    case RT_DWARF_OPERAND_TYPE:
        if (number == 0)
            rt_dwarf_put_number(out, 0, 1);
        else
            put_reference(pass, number, RT_DWARF_IN_UNIT_LEB);
        break;
    case RT_DWARF_OPERAND_REFERENCE: put_reference(pass, number, RT_DWARF_IN_SECTION); break;
    case RT_DWARF_OPERAND_BLOCK:
    case RT_DWARF_OPERAND_EXPRESSION:
        rt_dwarf_put_uleb(out, op->block.size);
        rt_dwarf_put(out, op->block.bytes, op->block.size);
        break;
    case RT_DWARF_OPERAND_BLOCK8:
        rt_dwarf_put_number(out, op->block.size, 1);
        rt_dwarf_put(out, op->block.bytes, op->block.size);
        break;
    case RT_DWARF_OPERAND_WASM:
        rt_dwarf_put_number(out, op->operands[0], 1);
        if (op->operands[0] == 3)
            rt_dwarf_put_number(out, op->operands[1], 4);
        else
            rt_dwarf_put_uleb(out, op->operands[1]);
        break;
    }
}

void rt_dwarf_put_operation(struct rt_dwarf_pass *pass, const struct rt_dwarf_operation *operation) {
    /* Of what DWARF 5 has made standard, this is the one that readers of DWARF 4 know by another code only.
     */
    const bool is_old = pass->options.version < 5 && operation->code == RT_DWARF_OP_entry_value;
    rt_dwarf_put_number(&pass->expression, is_old ? RT_DWARF_OP_GNU_entry_value : operation->code, 1);
    put_operand(pass, operation, 0);
    put_operand(pass, operation, 1);
}
