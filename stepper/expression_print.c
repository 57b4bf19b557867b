/* Decoding operations, and printing expressions in words. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stepper/expression.h"

const struct st_operation_info st_operations[256] = {
#define RT_DW_OP(code, name, first, second) [code] = {#name, {ST_OPERAND_##first, ST_OPERAND_##second}, 0},
#define RT_DW_OP_FAMILY(code, name, operand)                                                                 \
    [code... code + 31] = {#name, {ST_OPERAND_##operand, ST_OPERAND_NONE}, code},
#include "runtime/dwarf/operations.def"
#undef RT_DW_OP
#undef RT_DW_OP_FAMILY
};

/* ---- Decoding ---- */

static struct rt_error *read_block(struct rt_cursor *cursor, uint64_t size, struct st_operation *ret) {
    if (size > rt_cursor_left(cursor))
        return rt_cursor_error(cursor, "a block of %" PRIu64 " bytes in the %zu that are left", size,
                               rt_cursor_left(cursor));
    ret->block_size = (size_t)size;
    return rt_cursor_bytes(cursor, (size_t)size, "block", &ret->block);
}

static struct rt_error *read_operand(const struct st_unit *unit, struct rt_cursor *cursor,
                                     enum st_operand operand, unsigned index, struct st_operation *ret) {
    uint64_t *number = &ret->operands[index];
    struct rt_error *error = NULL;
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    int64_t s64 = 0;
    switch (operand) {
    case ST_OPERAND_NONE: return NULL;
    case ST_OPERAND_ADDRESS: return st_unit_read_address(unit, cursor, number);
    case ST_OPERAND_REFERENCE:
        /* Version 2 gave references the size of an address (DWARF 3, section 7.4). */
        return unit->version == 2 ? st_unit_read_address(unit, cursor, number)
                                  : st_unit_read_offset(unit, cursor, number);
    case ST_OPERAND_U8:
    case ST_OPERAND_S8:
        error = rt_cursor_u8(cursor, "operand", &u8);
        *number = operand == ST_OPERAND_S8 ? (uint64_t)(int8_t)u8 : u8;
        return error;
    case ST_OPERAND_U16:
    case ST_OPERAND_S16:
        error = rt_cursor_u16(cursor, "operand", &u16);
        *number = operand == ST_OPERAND_S16 ? (uint64_t)(int16_t)u16 : u16;
        return error;
    case ST_OPERAND_U32:
    case ST_OPERAND_S32:
        error = rt_cursor_u32(cursor, "operand", &u32);
        *number = operand == ST_OPERAND_S32 ? (uint64_t)(int32_t)u32 : u32;
        return error;
    case ST_OPERAND_U64:
    case ST_OPERAND_S64: return rt_cursor_u64(cursor, "operand", number);
    case ST_OPERAND_ULEB:
    case ST_OPERAND_TYPE: return rt_cursor_uleb(cursor, 64, "operand", number);
    case ST_OPERAND_SLEB:
        error = rt_cursor_sleb(cursor, 64, "operand", &s64);
        *number = (uint64_t)s64;
        return error;
    case ST_OPERAND_BLOCK:
    case ST_OPERAND_EXPRESSION:
        error = rt_cursor_uleb(cursor, 64, "block size", number);
        return error ? error : read_block(cursor, *number, ret);
    case ST_OPERAND_BLOCK8:
        error = rt_cursor_u8(cursor, "block size", &u8);
        *number = u8;
        return error ? error : read_block(cursor, u8, ret);
    case ST_OPERAND_WASM:
        error = rt_cursor_u8(cursor, "kind of location", &u8);
        if (error)
            return error;
        ret->operands[0] = u8;
        if (u8 < 3)
            return rt_cursor_uleb(cursor, 32, "index", &ret->operands[1]);
        if (u8 > 3)
            return rt_cursor_error(cursor, "unknown kind of WebAssembly location %u", u8);
        error = rt_cursor_u32(cursor, "index", &u32);
        ret->operands[1] = u32;
        return error;
    }
    return NULL;
}

struct rt_error *st_operation_read(const struct st_unit *unit, struct rt_cursor *cursor,
                                   struct st_operation *ret) {
    ret->offset = (size_t)(cursor->next - cursor->start);
    struct rt_error *error = rt_cursor_u8(cursor, "operation", &ret->code);
    if (error)
        return error;
    const struct st_operation_info *info = &st_operations[ret->code];
    if (!info->name)
        return rt_error_format(RT_UNSUPPORTED, "unknown operation 0x%02x at offset %zu", ret->code,
                               ret->offset);
    if (info->operands[0] != ST_OPERAND_NONE)
        error = read_operand(unit, cursor, info->operands[0], 0, ret);
    if (!error && info->operands[1] != ST_OPERAND_NONE)
        error = read_operand(unit, cursor, info->operands[1], 1, ret);
    return error;
}

/* ---- Printing ---- */

static void print_operand(FILE *out, const struct st_unit *unit, const struct st_operation *operation,
                          unsigned index);

static void print_operations(FILE *out, const struct st_unit *unit, const uint8_t *bytes, size_t size,
                             unsigned depth) {
    struct rt_cursor cursor = rt_cursor_make(bytes, size, 0);
    while (rt_cursor_left(&cursor)) {
        struct st_operation operation;
        if (cursor.next != cursor.start)
            fputs(", ", out);
        struct rt_error *error = st_operation_read(unit, &cursor, &operation);
        if (error) {
            fprintf(out, "<%s>", error->message);
            rt_error_destroy(error);
            return;
        }
        const struct st_operation_info *info = &st_operations[operation.code];
        fprintf(out, "DW_OP_%s", info->name);
        if (info->family)
            fprintf(out, "%u", operation.code - info->family);
        for (unsigned i = 0; i < 2 && info->operands[i] != ST_OPERAND_NONE; i++) {
            if (info->operands[i] == ST_OPERAND_EXPRESSION && depth < 4) {
                fputs(" (", out);
                print_operations(out, unit, operation.block, operation.block_size, depth + 1);
                fputc(')', out);
            } else {
                print_operand(out, unit, &operation, i);
            }
        }
    }
}

static void print_operand(FILE *out, const struct st_unit *unit, const struct st_operation *operation,
                          unsigned index) {
    static const char *const wasm_kinds[] = {"local", "global", "operand", "global"};
    uint64_t number = operation->operands[index];
    switch ((enum st_operand)st_operations[operation->code].operands[index]) {
    case ST_OPERAND_NONE: break;
    case ST_OPERAND_S8:
    case ST_OPERAND_S16:
    case ST_OPERAND_S32:
    case ST_OPERAND_S64:
    case ST_OPERAND_SLEB: fprintf(out, " %" PRId64, (int64_t)number); break;
    case ST_OPERAND_ADDRESS:
    case ST_OPERAND_REFERENCE: fprintf(out, " 0x%" PRIx64, number); break;
    case ST_OPERAND_TYPE: {
        const struct st_type *type =
            number && unit->types ? st_map_get(unit->types, unit->offset + number) : NULL;
        if (type && type->name)
            fprintf(out, " \"%s\"", type->name);
        else
            fprintf(out, " 0x%" PRIx64, number);
        break;
    }
    case ST_OPERAND_BLOCK:
    case ST_OPERAND_BLOCK8:
    case ST_OPERAND_EXPRESSION:
        fputc(' ', out);
        for (size_t i = 0; i < operation->block_size; i++)
            fprintf(out, "%s%02x", i ? " " : "", operation->block[i]);
        break;
    case ST_OPERAND_WASM:
        fprintf(out, " %s %" PRIu64, wasm_kinds[operation->operands[0]], operation->operands[1]);
        break;
    default: fprintf(out, " %" PRIu64, number); break;
    }
}

const char *st_expression_print(const struct st_expression *expression, struct rt_arena *arena) {
    if (expression->size == 0)
        return "(empty)";
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return "(out of memory)";
    print_operations(out, expression->unit, expression->bytes, expression->size, 0);
    const char *copy = fclose(out) == 0 ? rt_arena_copy(arena, text, size) : NULL;
    free(text);
    return copy ? copy : "(out of memory)";
}
