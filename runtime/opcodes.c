/* Opcodes, their immediates, and types as the binary format has them (core specification, sections 5.3
 * and 5.4). */
#include "runtime/decode.h"

#include <stdarg.h>
#include <stdio.h>

const struct rt_opcode_info rt_opcodes[RT_OP_LIMIT] = {
#define RT_OP(code, name, text, immediate, signature) [code] = {text, signature, RT_IMM_##immediate},
#include "runtime/opcodes.def"
#undef RT_OP
};

const char *rt_feature_find(enum rt_feature_kind kind, uint32_t code) {
    static const struct {
        enum rt_feature_kind kind;
        uint32_t first, last;
        const char *text;
    } features[] = {
#define RT_FEATURE(where, first, last, text) {RT_FEATURE_##where, first, last, text},
#include "runtime/features.def"
#undef RT_FEATURE
    };
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (features[i].kind == kind && code >= features[i].first && code <= features[i].last)
            return features[i].text;
    return NULL;
}

struct rt_error *rt_decode_error(enum rt_error_code code, uint64_t offset, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return rt_error_format(code, "at byte 0x%llx: %s", (unsigned long long)offset, text);
}

const char *rt_type_name(enum rt_type type) {
    switch (type) {
    case RT_I32: return "i32";
    case RT_I64: return "i64";
    case RT_F32: return "f32";
    case RT_F64: return "f64";
    case RT_V128: return "v128";
    case RT_FUNCREF: return "funcref";
    case RT_EXTERNREF: return "externref";
    }
    return "unknown";
}

/* Why `byte` is no type that we have: a feature's, or nobody's. */
static struct rt_error *type_error(uint64_t offset, const char *what, const char *rule, uint8_t byte) {
    const char *feature = rt_feature_find(RT_FEATURE_TYPE, byte);
    if (feature)
        return rt_decode_error(RT_UNSUPPORTED, offset, "%s: not supported: %s (type 0x%02x)", what, feature,
                               byte);
    return rt_decode_error(RT_MALFORMED, offset, "%s: %s 0x%02x", what, rule, byte);
}

struct rt_error *rt_value_type_read(struct rt_cursor *cursor, const char *what, uint8_t *ret) {
    uint64_t offset = rt_cursor_offset(cursor);
    struct rt_error *error = rt_cursor_u8(cursor, what, ret);
    if (error)
        return error;
    switch (*ret) {
    case RT_I32:
    case RT_I64:
    case RT_F32:
    case RT_F64:
    case RT_V128:
    case RT_FUNCREF:
    case RT_EXTERNREF: return NULL;
    default: return type_error(offset, what, "malformed value type", *ret);
    }
}

struct rt_error *rt_reference_type_read(struct rt_cursor *cursor, const char *what, uint8_t *ret) {
    uint64_t offset = rt_cursor_offset(cursor);
    struct rt_error *error = rt_cursor_u8(cursor, what, ret);
    if (error || *ret == RT_FUNCREF || *ret == RT_EXTERNREF)
        return error;
    /* A number type is a known type, but never a reference. */
    if (*ret >= RT_V128 && *ret <= RT_I32)
        return rt_decode_error(RT_MALFORMED, offset, "%s: malformed reference type 0x%02x (%s)", what, *ret,
                               rt_type_name((enum rt_type)(*ret)));
    return type_error(offset, what, "malformed reference type", *ret);
}

struct rt_error *rt_vector_count_read(struct rt_cursor *cursor, const char *what, size_t entry_size,
                                      uint32_t *ret) {
    uint64_t offset = rt_cursor_offset(cursor);
    struct rt_error *error = rt_read_u32(cursor, what, ret);
    if (error)
        return error;
    if (*ret > rt_cursor_left(cursor) / entry_size)
        return rt_decode_error(RT_MALFORMED, offset,
                               "%s: unexpected end of section or function, length out of bounds: %u entries "
                               "in the %zu bytes left",
                               what, *ret, rt_cursor_left(cursor));
    return NULL;
}

struct rt_error *rt_opcode_read_any(struct rt_cursor *cursor, uint32_t *ret) {
    uint64_t offset = rt_cursor_offset(cursor);
    uint8_t byte;
    struct rt_error *error = rt_cursor_u8(cursor, "opcode", &byte);
    if (error)
        return error;
    *ret = byte;
    if (rt_opcodes[byte].text)
        return NULL;
    const char *feature = rt_feature_find(RT_FEATURE_OPCODE, byte);
    uint32_t member = 0;
    if (byte >= 0xfb && byte <= 0xfe) {
        error = rt_read_u32(cursor, "opcode", &member);
        if (error)
            return error;
    }
    if (byte == 0xfc || byte == 0xfd) {
        *ret = (byte == 0xfc ? 0x100 : 0x200) + member;
        if (member < 0x100 && rt_opcodes[*ret].text)
            return NULL;
        /* Not for a member of the other prefix, nor one so large that the sum wraps around. */
        feature = member < (byte == 0xfc ? 0x100 : 0x200) ? rt_feature_find(RT_FEATURE_OPCODE, *ret) : NULL;
    }
    if (byte >= 0xfb && byte <= 0xfe)
        return feature ? rt_decode_error(RT_UNSUPPORTED, offset, "not supported: %s (opcode 0x%02x 0x%02x)",
                                         feature, byte, member)
                       : rt_decode_error(RT_MALFORMED, offset, "illegal opcode 0x%02x 0x%02x", byte, member);
    if (feature)
        return rt_decode_error(RT_UNSUPPORTED, offset, "not supported: %s (opcode 0x%02x)", feature, byte);
    return rt_decode_error(RT_MALFORMED, offset, "illegal opcode 0x%02x", byte);
}

struct rt_error *rt_block_type_read(const struct rt_module *module, struct rt_cursor *cursor,
                                    struct rt_func_type *ret) {
    const struct rt_cursor first = *cursor;
    *ret = (struct rt_func_type){0};
    /* One byte with bit 6 set is a negative number: the empty type, or a value type (section 5.4.1). */
    if (cursor->next != cursor->end && (*cursor->next & 0xc0) == 0x40) {
        if (*cursor->next == 0x40) {
            cursor->next++;
            return NULL;
        }
        uint8_t type;
        /* The result's type is the byte itself. */
        ret->results = cursor->next;
        ret->result_count = 1;
        return rt_value_type_read(cursor, "block type", &type);
    }
    int64_t index;
    struct rt_error *error = rt_cursor_sleb(cursor, 33, "block type", &index);
    if (error)
        return error;
    if (index < 0)
        return rt_cursor_error(&first, "malformed block type %lld", (long long)index);
    if ((uint64_t)index >= module->type_count)
        return rt_decode_error(RT_INVALID, rt_cursor_offset(&first), "unknown type %lld of a block",
                               (long long)index);
    *ret = module->types[index];
    return NULL;
}

/* Skips `count` unsigned numbers of 32 bits. */
static struct rt_error *skip_u32(struct rt_cursor *cursor, uint64_t count, const char *what) {
    struct rt_error *error = NULL;
    uint32_t value;
    for (uint64_t i = 0; i < count && !error; i++)
        error = rt_read_u32(cursor, what, &value);
    return error;
}

static struct rt_error *skip_zeros(struct rt_cursor *cursor, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        const struct rt_cursor first = *cursor;
        uint8_t byte;
        struct rt_error *error = rt_cursor_u8(cursor, "memory index", &byte);
        if (error)
            return error;
        if (byte != 0)
            return rt_cursor_error(&first, "memory index: zero byte expected, found 0x%02x", byte);
    }
    return NULL;
}

struct rt_error *rt_immediate_skip(struct rt_cursor *cursor, enum rt_immediate immediate) {
    struct rt_error *error = NULL;
    int64_t number;
    uint32_t count;
    uint8_t type;
    const uint8_t *bytes;
    switch (immediate) {
    case RT_IMM_NONE: return NULL;
    case RT_IMM_BLOCK: return rt_cursor_sleb(cursor, 33, "block type", &number);
    case RT_IMM_LABEL:
    case RT_IMM_FUNC:
    case RT_IMM_LOCAL:
    case RT_IMM_GLOBAL:
    case RT_IMM_TABLE:
    case RT_IMM_DATA:
    case RT_IMM_ELEM: return skip_u32(cursor, 1, "index");
    case RT_IMM_INDIRECT:
    case RT_IMM_MEMARG:
    case RT_IMM_ELEM_TABLE:
    case RT_IMM_TABLE_TABLE: return skip_u32(cursor, 2, "immediate");
    case RT_IMM_LABELS:
        error = rt_vector_count_read(cursor, "labels", 1, &count);
        return error ? error : skip_u32(cursor, (uint64_t)count + 1, "label");
    case RT_IMM_MEMORY: return skip_zeros(cursor, 1);
    case RT_IMM_MEMORY_MEMORY: return skip_zeros(cursor, 2);
    case RT_IMM_DATA_MEMORY:
        error = skip_u32(cursor, 1, "data segment index");
        return error ? error : skip_zeros(cursor, 1);
    case RT_IMM_I32: return rt_cursor_sleb(cursor, 32, "i32.const", &number);
    case RT_IMM_I64: return rt_cursor_sleb(cursor, 64, "i64.const", &number);
    case RT_IMM_F32: return rt_cursor_bytes(cursor, 4, "f32.const", &bytes);
    case RT_IMM_F64: return rt_cursor_bytes(cursor, 8, "f64.const", &bytes);
    case RT_IMM_V128:
    case RT_IMM_LANES: return rt_cursor_bytes(cursor, 16, "vector", &bytes);
    case RT_IMM_LANE: return rt_cursor_bytes(cursor, 1, "lane index", &bytes);
    case RT_IMM_MEMARG_LANE:
        error = skip_u32(cursor, 2, "immediate");
        return error ? error : rt_cursor_bytes(cursor, 1, "lane index", &bytes);
    case RT_IMM_REFTYPE: return rt_reference_type_read(cursor, "ref.null", &type);
    case RT_IMM_TYPES:
        error = rt_vector_count_read(cursor, "types", 1, &count);
        for (uint32_t i = 0; i < count && !error; i++)
            error = rt_value_type_read(cursor, "type", &type);
        return error;
    }
    return rt_cursor_error(cursor, "unknown kind of immediate %d", (int)immediate);
}
