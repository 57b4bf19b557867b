/* The validator: small bodies in one surrounding module, those that are valid and those that break one rule
 * each. */
#include "runtime/tests/module_bytes.h"
#include "runtime/module.h"

#include <stdio.h>

/* What the tested bodies, which are of function 0, can name. */
static const uint8_t front[] = {
    HEADER,
    /* Types 0 to 5. */
    SECTION(1, 6, 0x60, 0, 0, 0x60, 0, 1, I32, 0x60, 1, I32, 1, I32, 0x60, 2, I32, I64, 2, F32, F64, 0x60, 0,
            2, I32, I64, 0x60, 1, EXTERNREF, 1, FUNCREF),
};
static const uint8_t middle[] = {
    SECTION(4, 3, FUNCREF, 0, 1, EXTERNREF, 0, 1, FUNCREF, 0, 1),         /* tables 0 to 2 */
    SECTION(5, 1, 0, 1),                                                  /* memory 0 */
    SECTION(6, 2, I64, 1, 0x42, 0, 0x0b, F32, 0, 0x43, 0, 0, 0, 0, 0x0b), /* globals 0 (mutable) and 1 */
    SECTION(7, 1, SIZED('f'), 0, 1),                                      /* declares function 1 */
    SECTION(9, 2, 1, 0, 1, 1, 5, EXTERNREF, 1, 0xd0, EXTERNREF, 0x0b),    /* element segments 0 and 1 */
    SECTION(12, 1),                                                       /* data segment 0 */
};
static const uint8_t back[] = {SECTION(11, 1, 1, 1, 'd')};

/* Creates the module whose function 0 has the type `type` and the body `body`. Function 1 is of type 2,
 * function 2, which no ref.func may name, of type 3. */
static struct rt_error *create_around(uint8_t type, const uint8_t *body, size_t size,
                                      struct rt_module **ret) {
    static const uint8_t others[] = {SIZED(0, 0x20, 0, 0x0b),
                                     SIZED(0, 0x43, 0, 0, 0, 0, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b)};
    const uint8_t functions[] = {SECTION(3, 3, type, 2, 3)};
    uint8_t bytes[1024];
    size_t at = 0, code = 1 + 2 + size + sizeof others;
    assert_true(size < 300);
#define APPEND(from, count) (memcpy(bytes + at, from, count), at += (count))
    APPEND(front, sizeof front);
    APPEND(functions, sizeof functions);
    APPEND(middle, sizeof middle);
    const uint8_t code_front[] = {10, (uint8_t)(code | 0x80), (uint8_t)(code >> 7),
                                  3,  (uint8_t)(size | 0x80), (uint8_t)(size >> 7)};
    APPEND(code_front, sizeof code_front);
    APPEND(body, size);
    APPEND(others, sizeof others);
    APPEND(back, sizeof back);
#undef APPEND
    return create_exact(bytes, at, ret);
}

struct row {
    uint8_t type;
    const uint8_t *body; /* from its local declarations */
    size_t size;
    const char *message; /* NULL: it is valid */
};

static void expect_rows(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct rt_module *module = NULL;
        struct rt_error *error = create_around(rows[i].type, rows[i].body, rows[i].size, &module);
        const char *expected = rows[i].message ? rows[i].message : "no error";
        const char *found = error ? error->message : "no error";
        if (!strstr(found, expected))
            fail_msg("row %zu: expected \"%s\", found \"%s\"", i, expected, found);
        if (error) {
            /* The body's place in the file is behind all that is in front of it. */
            assert_int_equal(strncmp(found, "function 0: at byte 0x", 22), 0);
            assert_true(strtoul(found + 22, NULL, 16) >= sizeof front + sizeof middle);
        }
        rt_error_destroy(error);
        rt_module_destroy(module);
    }
}
#define EXPECT_ROWS(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

/* A body without local declarations; its final `end` is put there. */
#define VALID(type, ...)            {type, BYTES(0, __VA_ARGS__, 0x0b), NULL}
#define INVALID(type, message, ...) {type, BYTES(0, __VA_ARGS__, 0x0b), message}

/* Some of the opcodes, shorter. */
enum {
    UNREACHABLE = RT_OP_UNREACHABLE,
    NOP = RT_OP_NOP,
    BLOCK = RT_OP_BLOCK,
    LOOP = RT_OP_LOOP,
    IF = RT_OP_IF,
    ELSE = RT_OP_ELSE,
    END = RT_OP_END,
    BR = RT_OP_BR,
    BR_IF = RT_OP_BR_IF,
    BR_TABLE = RT_OP_BR_TABLE,
    RETURN = RT_OP_RETURN,
    CALL = RT_OP_CALL,
    CALL_INDIRECT = RT_OP_CALL_INDIRECT,
    DROP = RT_OP_DROP,
    SELECT = RT_OP_SELECT,
    SELECT_T = RT_OP_SELECT_T,
    LOCAL_GET = RT_OP_LOCAL_GET,
    LOCAL_SET = RT_OP_LOCAL_SET,
    LOCAL_TEE = RT_OP_LOCAL_TEE,
    GLOBAL_GET = RT_OP_GLOBAL_GET,
    GLOBAL_SET = RT_OP_GLOBAL_SET,
    I32_CONST = RT_OP_I32_CONST,
    I64_CONST = RT_OP_I64_CONST,
    REF_NULL = RT_OP_REF_NULL,
    REF_FUNC = RT_OP_REF_FUNC,
    REF_IS_NULL = RT_OP_REF_IS_NULL,
    EMPTY = 0x40,
    PREFIX = 0xfc, /* of the opcodes that are 0x100 + n */
};

static void numbers(void **state) {
    (void)state;
    const struct row rows[] = {
        VALID(0, NOP),
        VALID(1, I32_CONST, 1, I32_CONST, 2, RT_OP_I32_ADD),
        INVALID(1, "i32.add: type mismatch: expected i32, found i64", I32_CONST, 1, I64_CONST, 2,
                RT_OP_I32_ADD),
        INVALID(1, "i32.add: type mismatch: expected i32, found nothing", I32_CONST, 1, RT_OP_I32_ADD),
        INVALID(1, "end: type mismatch: expected i32, found nothing", NOP),
        INVALID(1, "end: type mismatch: expected i32, found i64", I64_CONST, 1),
        INVALID(1, "end: type mismatch: expected 1 values at the end of the block, found 1 more", I32_CONST,
                1, I32_CONST, 1),
        VALID(1, I64_CONST, 1, RT_OP_I64_EXTEND8_S, RT_OP_I32_WRAP_I64),
        VALID(1, RT_OP_F64_CONST, 0, 0, 0, 0, 0, 0, 0, 0, PREFIX, 2),
        INVALID(1, "i32.trunc_sat_f32_s: type mismatch: expected f32, found f64", RT_OP_F64_CONST, 0, 0, 0, 0,
                0, 0, 0, 0, PREFIX, 0),
        INVALID(1, "i32.const: integer too large", I32_CONST, 0xff, 0xff, 0xff, 0xff, 0x0f),
    };
    EXPECT_ROWS(rows);
}

static void blocks(void **state) {
    (void)state;
    const struct row rows[] = {
        VALID(0, BLOCK, EMPTY, LOOP, EMPTY, END, END),
        VALID(1, BLOCK, I32, I32_CONST, 0, END),
        INVALID(1, "expected i32, found nothing on the stack of its block", I32_CONST, 0, BLOCK, I32, END),
        INVALID(0, "unexpected end of section or function: END opcode expected", BLOCK, EMPTY),
        /* A block takes parameters and gives several results. */
        VALID(4, I32_CONST, 1, I64_CONST, 2, BLOCK, 4, I32_CONST, 3, I64_CONST, 4, END, BLOCK, 3, DROP, DROP,
              RT_OP_F32_CONST, 0, 0, 0, 0, RT_OP_F64_CONST, 0, 0, 0, 0, 0, 0, 0, 0, END, DROP, DROP),
        INVALID(0, "block: type mismatch: expected i32, found i64", I64_CONST, 1, BLOCK, 2, END, DROP),
        INVALID(0, "unknown type 9 of a block", BLOCK, 9, END),
        VALID(0, I32_CONST, 1, IF, EMPTY, END),
        VALID(1, I32_CONST, 1, IF, I32, I32_CONST, 1, ELSE, I32_CONST, 2, END),
        VALID(1, I32_CONST, 1, I32_CONST, 1, IF, 2, END),
        INVALID(1, "end: type mismatch: an if without else", I32_CONST, 1, IF, I32, I32_CONST, 1, END),
        INVALID(1, "else: type mismatch: expected i32", I32_CONST, 1, IF, I32, ELSE, I32_CONST, 1, END),
        INVALID(0, "if: type mismatch: expected i32, found nothing", IF, EMPTY, END),
        INVALID(0, "misplaced else", BLOCK, EMPTY, ELSE, END),
        INVALID(0, "misplaced else", I32_CONST, 1, IF, EMPTY, ELSE, ELSE, END),
    };
    EXPECT_ROWS(rows);
}

static void branches(void **state) {
    (void)state;
    const struct row rows[] = {
        VALID(1, I32_CONST, 1, BR, 0),
        VALID(1, BLOCK, EMPTY, I32_CONST, 1, BR, 1, END, UNREACHABLE),
        INVALID(0, "br: unknown label 1, there are 1", BR, 1),
        INVALID(1, "br: type mismatch: expected i32, found nothing", BR, 0),
        /* A branch to a loop takes its parameters, one to a block its results. */
        VALID(1, I32_CONST, 1, LOOP, 2, BR, 0, END),
        INVALID(1, "expected i32, found nothing", I32_CONST, 1, LOOP, 2, DROP, BR, 0, END),
        VALID(1, LOOP, I32, BR, 0, END),
        VALID(1, I32_CONST, 1, I32_CONST, 2, BR_IF, 0),
        INVALID(1, "br_if: type mismatch: expected i32, found nothing", I32_CONST, 1, BR_IF, 0),
        VALID(0, BLOCK, EMPTY, I32_CONST, 0, BR_TABLE, 2, 0, 1, 0, END),
        VALID(1, BLOCK, I32, I32_CONST, 5, I32_CONST, 0, BR_TABLE, 1, 0, 1, END),
        INVALID(1, "br_table: type mismatch: its labels take 0 and 1 values", BLOCK, EMPTY, I32_CONST, 5,
                I32_CONST, 0, BR_TABLE, 1, 0, 1, END, I32_CONST, 1),
        INVALID(1, "br_table: type mismatch: expected i64, found i32", BLOCK, I64, I32_CONST, 5, I32_CONST, 0,
                BR_TABLE, 1, 0, 1, END, DROP, I32_CONST, 1),
        INVALID(0, "br_table: unknown label 2", I32_CONST, 0, BR_TABLE, 1, 0, 2),
        INVALID(0, "labels: unexpected end of section or function, length out of bounds", I32_CONST, 0,
                BR_TABLE, 0x7f),
        VALID(4, I32_CONST, 1, I64_CONST, 2, RETURN),
        INVALID(4, "return: type mismatch: expected i64, found i32", I64_CONST, 1, I32_CONST, 2, RETURN),
    };
    EXPECT_ROWS(rows);
}

/* Behind an unconditional branch the stack has any types, but not any use of them is valid. */
static void unreachable_code(void **state) {
    (void)state;
    const struct row rows[] = {
        VALID(1, UNREACHABLE),
        VALID(1, UNREACHABLE, RT_OP_I32_ADD),
        VALID(1, UNREACHABLE, I64_CONST, 1, RT_OP_I64_EQ),
        INVALID(1, "i32.add: type mismatch: expected i32, found i64", UNREACHABLE, I64_CONST, 1,
                RT_OP_I32_ADD),
        VALID(0, UNREACHABLE, DROP, DROP),
        VALID(1, UNREACHABLE, SELECT),
        VALID(1, UNREACHABLE, I32_CONST, 1, I32_CONST, 1, SELECT),
        INVALID(1, "end: type mismatch: expected i32, found i64", UNREACHABLE, I64_CONST, 1, I32_CONST, 1,
                SELECT),
        INVALID(1, "select: type mismatch: expected i32, found i64", UNREACHABLE, I32_CONST, 1, I64_CONST, 1,
                I32_CONST, 1, SELECT),
        INVALID(1, "found 1 more", UNREACHABLE, I32_CONST, 1, I32_CONST, 1),
        /* br_if gives the label's types, whatever it took. */
        INVALID(1, "expected f32, found i32", UNREACHABLE, BR_IF, 0, RT_OP_F32_ABS, DROP),
        VALID(1, UNREACHABLE, REF_IS_NULL),
        INVALID(1, "br_table: type mismatch: expected i32, found i64", BLOCK, I64, UNREACHABLE, I64_CONST, 0,
                I32_CONST, 0, BR_TABLE, 1, 0, 1, END, DROP, I32_CONST, 0),
        VALID(1, BLOCK, I64, UNREACHABLE, BR_TABLE, 1, 0, 1, END, DROP, I32_CONST, 0),
        /* An inner block is reachable for itself. */
        INVALID(0, "drop: type mismatch: expected a value, found nothing", UNREACHABLE, BLOCK, EMPTY, DROP,
                END),
    };
    EXPECT_ROWS(rows);
}

static void calls(void **state) {
    (void)state;
    const struct row rows[] = {
        VALID(1, I32_CONST, 1, CALL, 1),
        VALID(0, I32_CONST, 1, I64_CONST, 1, CALL, 2, DROP, DROP),
        INVALID(0, "call: type mismatch: expected i64, found i32", I64_CONST, 1, I32_CONST, 1, CALL, 2, DROP,
                DROP),
        INVALID(0, "call: unknown function 3, there are 3", CALL, 3),
        VALID(1, I32_CONST, 1, I32_CONST, 0, CALL_INDIRECT, 2, 0),
        VALID(1, I32_CONST, 1, I32_CONST, 0, CALL_INDIRECT, 2, 2),
        INVALID(1, "call_indirect: type mismatch: expected funcref, found externref", I32_CONST, 1, I32_CONST,
                0, CALL_INDIRECT, 2, 1),
        INVALID(1, "call_indirect: unknown table 3", I32_CONST, 0, CALL_INDIRECT, 1, 3),
        INVALID(1, "call_indirect: unknown type 6", I32_CONST, 0, CALL_INDIRECT, 6, 0),
        INVALID(1, "call_indirect: type mismatch: expected i32, found i64", I64_CONST, 0, CALL_INDIRECT, 1,
                0),
    };
    EXPECT_ROWS(rows);
}

static void variables(void **state) {
    (void)state;
    const struct row rows[] = {
        VALID(2, LOCAL_GET, 0),
        VALID(2, I32_CONST, 1, LOCAL_TEE, 0),
        INVALID(2, "local.get: unknown local 1, there are 1", LOCAL_GET, 1),
        INVALID(2, "local.set: type mismatch: expected i32, found i64", I64_CONST, 1, LOCAL_SET, 0, LOCAL_GET,
                0),
        {0, BYTES(2, 1, I64, 2, FUNCREF, LOCAL_GET, 2, LOCAL_SET, 1, LOCAL_GET, 0, LOCAL_SET, 0, END), NULL},
        {0, BYTES(2, 1, I64, 2, FUNCREF, LOCAL_GET, 3, DROP, END), "unknown local 3, there are 3"},
        {0, BYTES(2, 1, I64, 2, FUNCREF, LOCAL_GET, 0, LOCAL_SET, 1, END), "expected funcref, found i64"},
        VALID(0, GLOBAL_GET, 0, GLOBAL_SET, 0),
        INVALID(0, "global.set: global is immutable: 1", GLOBAL_GET, 1, GLOBAL_SET, 1),
        INVALID(0, "global.get: unknown global 2", GLOBAL_GET, 2),
        INVALID(0, "global.set: type mismatch: expected i64, found i32", I32_CONST, 0, GLOBAL_SET, 0),
        VALID(1, I64_CONST, 1, I64_CONST, 2, I32_CONST, 1, SELECT, RT_OP_I64_EQZ),
        INVALID(0, "select: type mismatch: select without a type takes numbers, found funcref", REF_NULL,
                FUNCREF, REF_NULL, FUNCREF, I32_CONST, 1, SELECT, DROP),
        VALID(0, REF_NULL, FUNCREF, REF_NULL, FUNCREF, I32_CONST, 1, SELECT_T, 1, FUNCREF, DROP),
        INVALID(0, "select: invalid result arity 2", I32_CONST, 0, I32_CONST, 0, I32_CONST, 1, SELECT_T, 2,
                I32, I32),
        INVALID(0, "select: type mismatch: expected i64, found i32", I64_CONST, 0, I32_CONST, 0, I32_CONST, 1,
                SELECT_T, 1, I64, DROP),
    };
    EXPECT_ROWS(rows);
}

static void vectors(void **state) {
    (void)state;
#define V128(byte) 0xfd, 0x0c, byte, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    const struct row rows[] = {
        VALID(0, V128(1), V128(2), 0xfd, 0xae, 1 /* i32x4.add */, DROP),
        INVALID(0, "i32x4.add: type mismatch: expected v128, found i32", V128(1), I32_CONST, 2, 0xfd, 0xae,
                1),
        VALID(0, V128(1), 0xfd, 0x15, 15 /* i8x16.extract_lane_s */, DROP),
        INVALID(0, "invalid lane index 16, there are 16 lanes", V128(1), 0xfd, 0x15, 16, DROP),
        INVALID(0, "invalid lane index 8, there are 8 lanes", V128(1), I32_CONST, 0, 0xfd, 0x1a, 8, DROP),
        INVALID(0, "invalid lane index 4, there are 4 lanes", V128(1), 0xfd, 0x1f, 4, DROP),
        INVALID(0, "invalid lane index 2, there are 2 lanes", V128(1), 0xfd, 0x21, 2, DROP),
        INVALID(0, "invalid lane index 32, there are 32 lanes", V128(1), V128(2), 0xfd, 0x0d, 0, 1, 2, 3, 4,
                5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 32),
        VALID(0, I32_CONST, 0, 0xfd, 0x00, 4, 0, DROP),
        INVALID(0, "v128.load: alignment must not be larger than natural: 2**5, at most 2**4", I32_CONST, 0,
                0xfd, 0x00, 5, 0),
        VALID(0, I32_CONST, 0, V128(1), 0xfd, 0x56, 2, 0, 3 /* v128.load32_lane */, DROP),
        INVALID(0, "invalid lane index 4, there are 4 lanes", I32_CONST, 0, V128(1), 0xfd, 0x56, 2, 0, 4,
                DROP),
        INVALID(0, "v128.store8_lane: alignment must not be larger than natural: 2**1, at most 2**0",
                I32_CONST, 0, V128(1), 0xfd, 0x58, 1, 0, 0),
        INVALID(0, "v128.load64_zero: alignment must not be larger than natural: 2**4, at most 2**3",
                I32_CONST, 0, 0xfd, 0x5d, 4, 0),
    };
    EXPECT_ROWS(rows);
}

static void memory(void **state) {
    (void)state;
    const struct row rows[] = {
        VALID(1, I32_CONST, 0, RT_OP_I32_LOAD, 2, 0x80, 0x80, 4),
        INVALID(1, "i32.load: alignment must not be larger than natural: 2**3, at most 2**2", I32_CONST, 0,
                RT_OP_I32_LOAD, 3, 0),
        INVALID(1, "i32.load8_u: alignment must not be larger than natural", I32_CONST, 0, RT_OP_I32_LOAD8_U,
                1, 0),
        INVALID(0, "i64.store32: alignment must not be larger than natural: 2**3", I32_CONST, 0, I64_CONST, 0,
                RT_OP_I64_STORE32, 3, 0),
        VALID(0, I32_CONST, 0, I64_CONST, 0, RT_OP_I64_STORE, 3, 0),
        INVALID(0, "i64.store: type mismatch: expected i32, found i64", I64_CONST, 0, I64_CONST, 0,
                RT_OP_I64_STORE, 3, 0),
        VALID(1, RT_OP_MEMORY_SIZE, 0, RT_OP_MEMORY_GROW, 0),
        INVALID(1, "memory index: zero byte expected, found 0x01", RT_OP_MEMORY_SIZE, 1),
        VALID(0, I32_CONST, 0, I32_CONST, 0, I32_CONST, 0, PREFIX, 8, 0, 0, PREFIX, 9, 0),
        INVALID(0, "memory.init: unknown data segment 1, there are 1", I32_CONST, 0, I32_CONST, 0, I32_CONST,
                0, PREFIX, 8, 1, 0),
        INVALID(0, "data.drop: unknown data segment 1", PREFIX, 9, 1),
        VALID(0, I32_CONST, 0, I32_CONST, 0, I32_CONST, 0, PREFIX, 10, 0, 0),
        VALID(0, I32_CONST, 0, I32_CONST, 0, I32_CONST, 0, PREFIX, 11, 0),
        INVALID(0, "memory.fill: type mismatch: expected i32, found nothing", I32_CONST, 0, I32_CONST, 0,
                PREFIX, 11, 0),
    };
    EXPECT_ROWS(rows);
}

static void tables_and_references(void **state) {
    (void)state;
    const struct row rows[] = {
        VALID(5, I32_CONST, 0, RT_OP_TABLE_GET, 0),
        VALID(5, I32_CONST, 0, LOCAL_GET, 0, RT_OP_TABLE_SET, 1, REF_FUNC, 1),
        INVALID(5, "table.set: type mismatch: expected funcref, found externref", I32_CONST, 0, LOCAL_GET, 0,
                RT_OP_TABLE_SET, 0, REF_NULL, FUNCREF),
        INVALID(5, "table.get: unknown table 3", I32_CONST, 0, RT_OP_TABLE_GET, 3),
        VALID(1, REF_NULL, EXTERNREF, I32_CONST, 1, PREFIX, 15, 1),
        INVALID(1, "table.grow: type mismatch: expected externref, found funcref", REF_NULL, FUNCREF,
                I32_CONST, 1, PREFIX, 15, 1),
        VALID(1, PREFIX, 16, 2),
        VALID(0, I32_CONST, 0, REF_NULL, FUNCREF, I32_CONST, 0, PREFIX, 17, 0),
        INVALID(0, "table.fill: type mismatch: expected funcref, found i32", REF_NULL, FUNCREF, I32_CONST, 0,
                I32_CONST, 0, PREFIX, 17, 0),
        VALID(0, I32_CONST, 0, I32_CONST, 0, I32_CONST, 0, PREFIX, 12, 0, 2, PREFIX, 13, 1),
        INVALID(0, "table.init: type mismatch: expected funcref, found externref", I32_CONST, 0, I32_CONST, 0,
                I32_CONST, 0, PREFIX, 12, 1, 0),
        INVALID(0, "table.init: unknown elem segment 2", I32_CONST, 0, I32_CONST, 0, I32_CONST, 0, PREFIX, 12,
                2, 0),
        INVALID(0, "elem.drop: unknown elem segment 2", PREFIX, 13, 2),
        VALID(0, I32_CONST, 0, I32_CONST, 0, I32_CONST, 0, PREFIX, 14, 0, 2),
        INVALID(0, "table.copy: type mismatch: expected externref, found funcref", I32_CONST, 0, I32_CONST, 0,
                I32_CONST, 0, PREFIX, 14, 1, 0),
        VALID(1, REF_NULL, EXTERNREF, REF_IS_NULL),
        INVALID(1, "ref.is_null: type mismatch: expected a reference, found i32", I32_CONST, 0, REF_IS_NULL),
        INVALID(0, "ref.func: undeclared function reference: 2", REF_FUNC, 2, DROP),
        INVALID(0, "ref.func: unknown function 3", REF_FUNC, 3, DROP),
        INVALID(0, "malformed reference type 0x7f", REF_NULL, I32, DROP),
    };
    EXPECT_ROWS(rows);
}

/* What is invalid before and malformed after is malformed. */
static void malformed_before_invalid(void **state) {
    (void)state;
    const struct row rows[] = {
        INVALID(0, "drop: type mismatch", DROP, BLOCK, EMPTY, END),
        INVALID(0, "END opcode expected", DROP, BLOCK, EMPTY),
        INVALID(0, "section size mismatch: 1 bytes behind", DROP, END),
        INVALID(0, "memory index: zero byte expected", BR, 9, RT_OP_MEMORY_SIZE, 1, DROP),
        INVALID(0, "unknown label 9", BR, 9, BLOCK, EMPTY, PREFIX, 11, 0, END),
    };
    EXPECT_ROWS(rows);
}

static void needs_of_bare_modules(void **state) {
    (void)state;
    static const struct {
        uint8_t code[10];
        size_t size;
        enum rt_error_code kind;
        const char *message;
    } rows[] = {
        {{I32_CONST, 0, RT_OP_I32_LOAD, 2, 0, DROP}, 6, RT_INVALID, "unknown memory 0"},
        {{RT_OP_MEMORY_SIZE, 0, DROP}, 3, RT_INVALID, "unknown memory 0"},
        {{PREFIX, 9, 0}, 3, RT_INVALID, "unknown data segment 0"},
        {{I32_CONST, 0, RT_OP_TABLE_GET, 0, DROP}, 5, RT_INVALID, "unknown table 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[64] = {HEADER, SECTION(1, 1, 0x60, 0, 0), SECTION(3, 1, 0), 10};
        size_t at = 8 + 6 + 4 + 1, size = rows[i].size;
        bytes[at++] = (uint8_t)(size + 4);
        bytes[at++] = 1;
        bytes[at++] = (uint8_t)(size + 2);
        bytes[at++] = 0;
        memcpy(bytes + at, rows[i].code, size);
        at += size;
        bytes[at++] = END;
        struct rt_module *module;
        struct rt_error *error = create_exact(bytes, at, &module);
        assert_non_null(error);
        assert_int_equal(error->code, rows[i].kind);
        assert_non_null(strstr(error->message, rows[i].message));
        rt_error_destroy(error);
    }
    struct rt_module *module;
    struct rt_error *error =
        create_exact(BYTES(HEADER, SECTION(1, 1, 0x60, 0, 0), SECTION(3, 1, 0), SECTION(5, 1, 0, 1),
                           SECTION(10, 1, SIZED(0, PREFIX, 9, 0, END)), SECTION(11, 1, 1, 0)),
                     &module);
    assert_non_null(error);
    assert_int_equal(error->code, RT_MALFORMED);
    assert_non_null(strstr(error->message, "data.drop: data count section required"));
    rt_error_destroy(error);
}

static void stack_heights(void **state) {
    (void)state;
    const struct {
        struct row row;
        uint32_t operands, labels;
    } rows[] = {
        {VALID(0, NOP), 0, 1},
        {VALID(1, I32_CONST, 1, I32_CONST, 2, I32_CONST, 3, DROP, DROP), 3, 1},
        {VALID(0, BLOCK, EMPTY, LOOP, EMPTY, END, END, BLOCK, EMPTY, END), 0, 3},
        /* The results of a call count, and so do those of a branch that unreachable code leaves. */
        {VALID(0, I32_CONST, 1, I64_CONST, 1, CALL, 2, DROP, DROP), 2, 1},
        {VALID(0, I32_CONST, 1, I32_CONST, 1, BLOCK, I32, I32_CONST, 2, END, DROP, DROP, DROP), 3, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rt_module *module;
        assert_null(create_around(rows[i].row.type, rows[i].row.body, rows[i].row.size, &module));
        assert_int_equal(module->bodies[0].max_operands, rows[i].operands);
        assert_int_equal(module->bodies[0].max_labels, rows[i].labels);
        rt_module_destroy(module);
    }
}

/* A module of one function of type () -> () whose code is `count` times `piece`, then `tail`. */
static struct rt_error *create_repeated(const uint8_t *piece, size_t piece_size, size_t count,
                                        const uint8_t *tail, size_t tail_size, struct rt_module **ret) {
    static const uint8_t start[] = {HEADER, SECTION(1, 1, 0x60, 0, 0), SECTION(3, 1, 0)};
    size_t code = piece_size * count + tail_size, body = 1 + code, section = 1 + 5 + body;
    uint8_t *bytes = malloc(sizeof start + 6 + section);
    assert_non_null(bytes);
    memcpy(bytes, start, sizeof start);
    size_t at = sizeof start;
    bytes[at++] = 10;
    for (unsigned i = 0; i < 5; i++)
        bytes[at++] = (uint8_t)((section >> (7 * i) & 0x7f) | (i < 4 ? 0x80 : 0));
    bytes[at++] = 1;
    for (unsigned i = 0; i < 5; i++)
        bytes[at++] = (uint8_t)((body >> (7 * i) & 0x7f) | (i < 4 ? 0x80 : 0));
    bytes[at++] = 0;
    for (size_t i = 0; i < count; i++, at += piece_size)
        memcpy(bytes + at, piece, piece_size);
    memcpy(bytes + at, tail, tail_size);
    struct rt_error *error = create_exact(bytes, at + tail_size, ret);
    free(bytes);
    return error;
}

static void large_stacks(void **state) {
    (void)state;
    struct rt_module *module;
    assert_null(create_repeated(BYTES(I32_CONST, 1), RT_MAX_OPERANDS, BYTES(UNREACHABLE, END), &module));
    assert_int_equal(module->bodies[0].max_operands, RT_MAX_OPERANDS);
    rt_module_destroy(module);
    struct rt_error *error =
        create_repeated(BYTES(I32_CONST, 1), RT_MAX_OPERANDS + 1, BYTES(UNREACHABLE, END), &module);
    assert_non_null(error);
    assert_int_equal(error->code, RT_UNSUPPORTED);
    assert_non_null(strstr(error->message, "not supported: more than 100000 operands"));
    rt_error_destroy(error);

    /* Blocks nest as deep as the body has bytes for. */
    error = create_repeated(BYTES(BLOCK, EMPTY), 200000, BYTES(END), &module);
    assert_non_null(error);
    assert_non_null(strstr(error->message, "END opcode expected"));
    rt_error_destroy(error);
    assert_null(create_repeated(BYTES(BLOCK, EMPTY, END), 200000, BYTES(END), &module));
    assert_int_equal(module->bodies[0].max_labels, 2);
    rt_module_destroy(module);
}

static void errors_name_the_function(void **state) {
    (void)state;
    struct rt_module *module;
    struct rt_error *error = create_exact(
        BYTES(HEADER, SECTION(1, 1, 0x60, 0, 0), SECTION(2, 1, 1, 'm', 1, 'i', 0, 0), SECTION(3, 1, 0),
              SECTION(7, 1, SIZED('m', 'a', 'i', 'n'), 0, 1), SECTION(10, 1, SIZED(0, NOP, DROP, END))),
        &module);
    assert_non_null(error);
    assert_int_equal(error->code, RT_INVALID);
    assert_string_equal(error->message,
                        "function 1 (main): at byte 0x2b: drop: type mismatch: expected a value, found "
                        "nothing on the stack of its block");
    rt_error_destroy(error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(blocks),
        cmocka_unit_test(branches),
        cmocka_unit_test(unreachable_code),
        cmocka_unit_test(calls),
        cmocka_unit_test(variables),
        cmocka_unit_test(memory),
        cmocka_unit_test(vectors),
        cmocka_unit_test(tables_and_references),
        cmocka_unit_test(malformed_before_invalid),
        cmocka_unit_test(needs_of_bare_modules),
        cmocka_unit_test(stack_heights),
        cmocka_unit_test(large_stacks),
        cmocka_unit_test(errors_name_the_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
