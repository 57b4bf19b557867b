/* The decoder against malformed modules: each rule of the binary format once, every truncation and every
 * changed byte of a module that has all sections. */
#include "runtime/tests/module_bytes.h"
#include "runtime/module.h"

#include <stdio.h>

static const uint8_t sample[] = {SAMPLE_MODULE};

struct row {
    const uint8_t *bytes;
    size_t size;
    enum rt_error_code code;
    uint64_t offset; /* that the message names */
    const char *message;
};

static void expect_rows(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct rt_module *module = NULL;
        struct rt_error *error = create_exact(rows[i].bytes, rows[i].size, &module);
        char place[32];
        snprintf(place, sizeof place, "at byte 0x%llx: ", (unsigned long long)rows[i].offset);
        if (!error || error->code != rows[i].code || !strstr(error->message, rows[i].message) ||
            !strstr(error->message, place))
            fail_msg("row %zu: expected \"%s%s\", found \"%s\"", i, place, rows[i].message,
                     error ? error->message : "no error");
        rt_error_destroy(error);
    }
}
#define EXPECT_ROWS(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

#define MALFORMED(offset, message, ...) {BYTES(__VA_ARGS__), RT_MALFORMED, offset, message}
#define INVALID(offset, message, ...)   {BYTES(HEADER, __VA_ARGS__), RT_INVALID, offset, message}
/* Behind the header, which is 8 bytes. */
#define BAD(offset, message, ...)         {BYTES(HEADER, __VA_ARGS__), RT_MALFORMED, offset, message}
#define UNSUPPORTED(offset, message, ...) {BYTES(HEADER, __VA_ARGS__), RT_UNSUPPORTED, offset, message}

/* 6 bytes: type 0 takes and gives nothing. */
#define TYPE SECTION(1, 1, 0x60, 0, 0)
/* 4 bytes: one function of it. */
#define FUNCTION SECTION(3, 1, 0)
/* 6 bytes: its empty body. */
#define CODE SECTION(10, 1, SIZED(0, 0x0b))

static void headers(void **state) {
    (void)state;
    const struct row rows[] = {
        MALFORMED(0, "magic header: unexpected end", 0x00),
        MALFORMED(0, "magic header not detected", 'a', 's', 'm', 0, 1, 0, 0, 0),
        MALFORMED(0, "magic header not detected", 0x7f, 'E', 'L', 'F', 2, 1, 1, 0),
        MALFORMED(4, "binary version: unexpected end", 0, 'a', 's', 'm', 1, 0, 0),
        MALFORMED(4, "unknown binary version 0x2", 0, 'a', 's', 'm', 2, 0, 0, 0),
        MALFORMED(4, "unknown binary version 0x1000d (a component", 0, 'a', 's', 'm', 0x0d, 0, 1, 0),
    };
    EXPECT_ROWS(rows);
    struct rt_module *module;
    struct rt_error *error = create_exact(NULL, 0, &module);
    assert_non_null(error);
    rt_error_destroy(error);
}

static void sections(void **state) {
    (void)state;
    const struct row rows[] = {
        BAD(8, "malformed section id 15", 15, 0),
        BAD(8, "malformed section id 128", 0x80, 0, 1, 0),
        UNSUPPORTED(8, "malformed section id 13: not supported: exception handling", 13, 1, 0),
        BAD(9, "type section: at byte 0x9: section size: unexpected end", 1),
        BAD(9, "integer representation too long", 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0),
        BAD(9, "integer too large", 1, 0x80, 0x80, 0x80, 0x80, 0x10),
        BAD(10, "length out of bounds", 1, 5, 1, 0x60, 0, 0),
        BAD(14, "section size mismatch: 1 bytes more", 1, 5, 1, 0x60, 0, 0, 0),
        BAD(14, "unexpected content after last section: type section", TYPE, TYPE),
        BAD(11, "unexpected content after last section: type section", SECTION(5, 0), TYPE),
        /* The data count section comes between elements and code. */
        BAD(24, "data count section is out of order", TYPE, FUNCTION, CODE, SECTION(12, 0)),
        BAD(11, "unexpected content after last section: element section", SECTION(12, 0), SECTION(9, 0)),
        BAD(10, "custom section's name: unexpected end", 0, 0),
        BAD(11, "length out of bounds", SECTION(0, 9, 'x')),
        BAD(11, "malformed UTF-8 encoding", SECTION(0, 1, 0xff)),
    };
    EXPECT_ROWS(rows);
}

static void types_and_functions(void **state) {
    (void)state;
    const struct row rows[] = {
        BAD(10, "type count: unexpected end of section or function, length out of bounds: 2 entries",
            SECTION(1, 2, 0x60, 0, 0)),
        BAD(11, "malformed type form 0x40", SECTION(1, 1, 0x40, 0, 0)),
        BAD(11, "integer representation too long", SECTION(1, 1, 0xe0, 0x7f, 0, 0)),
        UNSUPPORTED(11, "not supported: garbage collection (type form 0x5f)", SECTION(1, 1, 0x5f, 0, 0)),
        BAD(13, "malformed value type 0x01", SECTION(1, 1, 0x60, 1, 1, 0)),
        UNSUPPORTED(14, "not supported: typed function references", SECTION(1, 1, 0x60, 0, 1, 0x64, 0x70)),
        BAD(12, "parameter types: unexpected end", SECTION(1, 1, 0x60, 9, I32)),
        INVALID(17, "unknown type 1 of function 0, the module has 1", TYPE, SECTION(3, 1, 1)),
        BAD(18, "function and code section have inconsistent lengths: 1 functions, no bodies", TYPE,
            FUNCTION),
        BAD(20, "function and code section have inconsistent lengths: 1 functions, 0 bodies", TYPE, FUNCTION,
            SECTION(10, 0)),
        BAD(16, "function and code section have inconsistent lengths: 0 functions, 1 bodies", TYPE, CODE),
    };
    EXPECT_ROWS(rows);
}

static void imports(void **state) {
    (void)state;
    const struct row rows[] = {
        BAD(13, "malformed import kind 0x05", SECTION(2, 1, 0, 0, 5, 0)),
        BAD(13, "malformed import kind 0x04 (a tag", SECTION(2, 1, 0, 0, 4, 0, 0)),
        BAD(12, "import's module name: malformed UTF-8", SECTION(2, 1, 1, 0xc0, 0, 0, 0)),
        /* A surrogate, an encoding that is longer than it need be, and one past the last character. */
        BAD(13, "malformed UTF-8", SECTION(2, 1, 0, 3, 0xed, 0xa0, 0x80, 0, 0)),
        BAD(13, "malformed UTF-8", SECTION(2, 1, 0, 3, 0xe0, 0x9f, 0x80, 0, 0)),
        BAD(13, "malformed UTF-8", SECTION(2, 1, 0, 4, 0xf4, 0x90, 0x80, 0x80, 0, 0)),
        BAD(13, "malformed UTF-8", SECTION(2, 1, 0, 1, 0x80, 0, 0)),
        BAD(13, "malformed UTF-8", SECTION(2, 1, 0, 2, 0xe2, 0x82, 0, 0)),
        INVALID(14, "unknown type 0 of an import, the module has 0", SECTION(2, 1, 0, 0, 0, 0)),
        BAD(15, "malformed mutability 0x02", SECTION(2, 1, 0, 0, 3, I32, 2)),
        UNSUPPORTED(10, "not supported: multiple memories", SECTION(2, 2, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0)),
        UNSUPPORTED(18, "not supported: multiple memories", SECTION(2, 1, 0, 0, 2, 0, 0),
                    SECTION(5, 1, 0, 0)),
    };
    EXPECT_ROWS(rows);
}

static void tables_memories_globals(void **state) {
    (void)state;
    const struct row rows[] = {
        BAD(11, "malformed reference type 0x7f (i32)", SECTION(4, 1, I32, 0, 0)),
        BAD(12, "malformed limits flags 0x02: integer too large", SECTION(4, 1, FUNCREF, 2, 0)),
        BAD(12, "malformed limits flags 0x81: integer representation too long",
            SECTION(4, 1, FUNCREF, 0x81, 0, 0)),
        INVALID(12, "size minimum must not be greater than maximum: 2, 1", SECTION(4, 1, FUNCREF, 1, 2, 1)),
        INVALID(11, "size minimum must not be greater than maximum", SECTION(5, 1, 1, 2, 1)),
        INVALID(11, "memory size must be at most 65536 pages (4GiB)", SECTION(5, 1, 0, 0x81, 0x80, 4)),
        INVALID(11, "memory size must be at most 65536 pages (4GiB)", SECTION(5, 1, 1, 0, 0x81, 0x80, 4)),
        BAD(11, "malformed limits flags 0x08: integer too large", SECTION(5, 1, 8, 0)),
        UNSUPPORTED(11, "not supported: threads", SECTION(5, 1, 3, 0, 1)),
        UNSUPPORTED(11, "not supported: 64-bit addresses", SECTION(5, 1, 4, 0)),
        UNSUPPORTED(10, "not supported: multiple memories", SECTION(5, 2, 0, 0, 0, 0)),
        BAD(12, "minimum: unexpected end", SECTION(5, 1, 0)),
        BAD(11, "malformed value type 0x40", SECTION(6, 1, 0x40, 0, 0x41, 0, 0x0b)),
        BAD(12, "malformed mutability 0xff", SECTION(6, 1, I32, 0xff, 0x41, 0, 0x0b)),
    };
    EXPECT_ROWS(rows);
}

static void constant_expressions(void **state) {
    (void)state;
    const struct row rows[] = {
        INVALID(13, "type mismatch: expected one i32, found 0 values", SECTION(6, 1, I32, 0, 0x0b)),
        INVALID(13, "type mismatch: expected one i32, found 2 values",
                SECTION(6, 1, I32, 0, 0x41, 0, 0x41, 0, 0x0b)),
        INVALID(13, "type mismatch: expected i32, found i64", SECTION(6, 1, I32, 0, 0x42, 0, 0x0b)),
        INVALID(13, "constant expression required: nop is not constant", SECTION(6, 1, I32, 0, 1, 0x0b)),
        INVALID(17, "constant expression required: i32.add",
                SECTION(6, 1, I32, 0, 0x41, 0, 0x41, 0, 0x6a, 0x0b)),
        BAD(15, "unexpected end of section or function: END opcode expected", SECTION(6, 1, I32, 0, 0x41, 0)),
        BAD(13, "illegal opcode 0xff", SECTION(6, 1, I32, 0, 0xff, 0x0b)),
        BAD(14, "i32.const: integer too large",
            SECTION(6, 1, I32, 0, 0x41, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x0b)),
        BAD(14, "f32.const: unexpected end", SECTION(6, 1, F32, 0, 0x43, 0, 0)),
        BAD(15, "v128.const: unexpected end", SECTION(6, 1, I32, 0, 0xfd, 0x0c, 0x0b)),
        INVALID(14, "unknown global 0: a constant expression sees the 0 imported",
                SECTION(6, 1, I32, 0, 0x23, 0, 0x0b)),
        INVALID(22, "constant expression required: global 0 is mutable", SECTION(2, 1, 0, 0, 3, I32, 1),
                SECTION(6, 1, I32, 0, 0x23, 0, 0x0b)),
        INVALID(14, "unknown function 0, the module has 0", SECTION(6, 1, FUNCREF, 0, 0xd2, 0, 0x0b)),
        INVALID(13, "type mismatch: expected funcref, found externref",
                SECTION(6, 1, FUNCREF, 0, 0xd0, EXTERNREF, 0x0b)),
        BAD(14, "malformed reference type 0x7f", SECTION(6, 1, FUNCREF, 0, 0xd0, I32, 0x0b)),
    };
    EXPECT_ROWS(rows);
}

static void exports_and_start(void **state) {
    (void)state;
    const struct row rows[] = {
        BAD(12, "malformed export kind 0x04", SECTION(7, 1, 0, 4, 0)),
        INVALID(13, "unknown function 0 of export \"\"", SECTION(7, 1, 0, 0, 0)),
        INVALID(13, "unknown table 0", SECTION(7, 1, 0, 1, 0)),
        INVALID(13, "unknown memory 0", SECTION(7, 1, 0, 2, 0)),
        INVALID(13, "unknown global 0", SECTION(7, 1, 0, 3, 0)),
        INVALID(15, "duplicate export name \"a\"", SECTION(5, 1, 0, 0),
                SECTION(7, 3, 1, 'a', 2, 0, 1, 'b', 2, 0, 1, 'a', 2, 0)),
        /* What a message shows of a name stays on its line. */
        INVALID(14, "export \"?\", the module", SECTION(7, 1, 1, '\n', 0, 0)),
        INVALID(10, "start function: unknown function 0", SECTION(8, 0)),
        INVALID(21, "start function 0 has 1 parameters", SECTION(1, 1, 0x60, 1, I32, 0), FUNCTION,
                SECTION(8, 0)),
    };
    EXPECT_ROWS(rows);
}

static void segments(void **state) {
    (void)state;
    const struct row rows[] = {
        BAD(11, "malformed elements segment kind 8", SECTION(9, 1, 8, 0, 0)),
        INVALID(11, "unknown table 0 of an element segment", SECTION(9, 1, 0, 0x41, 0, 0x0b, 0)),
        BAD(12, "malformed element kind 0x01", SECTION(9, 1, 1, 1, 0)),
        BAD(12, "malformed reference type 0x7f", SECTION(9, 1, 5, I32, 0)),
        INVALID(14, "unknown function 7, the module has 0", SECTION(9, 1, 1, 0, 1, 7)),
        INVALID(17, "type mismatch: table 0 holds externref, the segment funcref",
                SECTION(4, 1, EXTERNREF, 0, 1), SECTION(9, 1, 0, 0x41, 0, 0x0b, 0)),
        INVALID(18, "type mismatch: expected i32, found i64", SECTION(4, 1, FUNCREF, 0, 1),
                SECTION(9, 1, 0, 0x42, 0, 0x0b, 0)),
        BAD(13, "element count: unexpected end of section or function, length out of bounds",
            SECTION(9, 1, 1, 0, 9)),
        BAD(11, "malformed data segment kind 3", SECTION(11, 1, 3, 0)),
        INVALID(11, "unknown memory 0 of a data segment", SECTION(11, 1, 0, 0x41, 0, 0x0b, 0)),
        INVALID(16, "unknown memory 1 of a data segment", SECTION(5, 1, 0, 0),
                SECTION(11, 1, 2, 1, 0x41, 0, 0x0b, 0)),
        BAD(13, "length out of bounds: 5 bytes needed, 1 left", SECTION(11, 1, 1, 5, 'a')),
        BAD(13, "data count and data section have inconsistent lengths: 2 counted, 1 there", SECTION(12, 2),
            SECTION(11, 1, 1, 0)),
        BAD(11, "data count and data section have inconsistent lengths: 2 counted, none there",
            SECTION(12, 2)),
    };
    EXPECT_ROWS(rows);
}

static void bodies(void **state) {
    (void)state;
    const struct row rows[] = {
        BAD(22, "function 0: at byte 0x16: body: unexpected end, length out of bounds", TYPE, FUNCTION,
            SECTION(10, 1, 9, 0, 0x0b)),
        BAD(22, "local declarations: unexpected end", TYPE, FUNCTION, SECTION(10, 1, 0, 0x0b)),
        BAD(22, "too many locals: 4294967297", TYPE, FUNCTION,
            SECTION(10, 1, SIZED(2, 0xff, 0xff, 0xff, 0xff, 0x0f, I32, 2, I64, 0x0b))),
        UNSUPPORTED(22, "too many locals: not supported: 50001, at most 50000 are", TYPE, FUNCTION,
                    SECTION(10, 1, SIZED(2, 0xd0, 0x86, 3, I32, 1, I64, 0x0b))),
        BAD(24, "local type: malformed value type 0x00", TYPE, FUNCTION,
            SECTION(10, 1, SIZED(1, 1, 0, 0x0b))),
        BAD(23, "unexpected end of section or function: END opcode expected", TYPE, FUNCTION,
            SECTION(10, 1, SIZED(0))),
        BAD(24, "section size mismatch: 1 bytes behind the function's end", TYPE, FUNCTION,
            SECTION(10, 1, SIZED(0, 0x0b, 0x0b))),
        BAD(24, "section size mismatch", TYPE, FUNCTION, SECTION(10, 1, SIZED(0, 0x0b), 0)),
        BAD(23, "illegal opcode 0xc5", TYPE, FUNCTION, SECTION(10, 1, SIZED(0, 0xc5, 0x0b))),
        BAD(23, "illegal opcode 0xfc 0x7f", TYPE, FUNCTION, SECTION(10, 1, SIZED(0, 0xfc, 0x7f, 0x0b))),
        BAD(23, "misplaced else", TYPE, FUNCTION, SECTION(10, 1, SIZED(0, 0x05, 0x0b))),
        BAD(23, "illegal opcode 0xfd 0x9a", TYPE, FUNCTION, SECTION(10, 1, SIZED(0, 0xfd, 0x9a, 1, 0x0b))),
        UNSUPPORTED(23, "not supported: relaxed SIMD (opcode 0xfd 0x100)", TYPE, FUNCTION,
                    SECTION(10, 1, SIZED(0, 0xfd, 0x80, 2, 0x0b))),
        UNSUPPORTED(23, "not supported: threads (opcode 0xfe 0x10)", TYPE, FUNCTION,
                    SECTION(10, 1, SIZED(0, 0xfe, 0x10, 0x0b))),
        UNSUPPORTED(23, "not supported: tail calls (opcode 0x12)", TYPE, FUNCTION,
                    SECTION(10, 1, SIZED(0, 0x12, 0, 0x0b))),
    };
    EXPECT_ROWS(rows);
}

static void names_with_zeros_and_all_planes(void **state) {
    (void)state;
    struct rt_module *module;
    assert_null(create_exact(
        BYTES(HEADER, SECTION(2, 1, SIZED('a', 0, 'b'),
                              SIZED(0xc2, 0x80, 0xe0, 0xa0, 0x80, 0xf4, 0x8f, 0xbf, 0xbf), 3, F64, 1)),
        &module));
    struct rt_import import = rt_module_import(module, 0);
    assert_int_equal(import.module_size, 3);
    assert_memory_equal(import.module, "a\0b\0", 4);
    assert_int_equal(import.name_size, 9);
    assert_true(import.is_mutable);
    rt_module_destroy(module);
}

/* A vector that says that it is huge costs nothing. */
static void huge_counts(void **state) {
    (void)state;
    for (uint8_t id = 1; id <= 11; id++) {
        if (id == 8)
            continue;
        uint8_t bytes[] = {HEADER, id, 7, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0};
        struct rt_module *module;
        struct rt_error *error = create_exact(bytes, sizeof bytes, &module);
        assert_non_null(error);
        assert_int_not_equal(error->code, RT_OUT_OF_MEMORY);
        rt_error_destroy(error);
    }
}

/* True when a section of the sample starts at `at`: what is in front of it may be a module. */
static bool is_section_start(size_t at) {
    size_t next = 8;
    while (next < at)
        next += 2 + sample[next + 1];
    return next == at;
}

static void every_truncation(void **state) {
    (void)state;
    struct rt_module *module;
    for (size_t size = 0; size < sizeof sample; size++) {
        module = NULL;
        struct rt_error *error = create_exact(sample, size, &module);
        if (!is_section_start(size))
            assert_non_null(error);
        assert_true((error != NULL) == (module == NULL));
        rt_error_destroy(error);
        rt_module_destroy(module);
    }
    assert_null(create_exact(sample, sizeof sample, &module));
    rt_module_destroy(module);
}

static void every_changed_byte(void **state) {
    (void)state;
    uint8_t bytes[sizeof sample];
    memcpy(bytes, sample, sizeof sample);
    for (size_t i = 0; i < sizeof sample; i++) {
        for (int value = 0; value < 256; value++) {
            bytes[i] = (uint8_t)value;
            struct rt_module *module = NULL;
            struct rt_error *error = create_exact(bytes, sizeof bytes, &module);
            assert_true((error != NULL) == (module == NULL));
            if (error)
                assert_true(error->code == RT_MALFORMED || error->code == RT_INVALID ||
                            error->code == RT_UNSUPPORTED);
            rt_error_destroy(error);
            rt_module_destroy(module);
        }
        bytes[i] = sample[i];
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(sections),
        cmocka_unit_test(types_and_functions),
        cmocka_unit_test(imports),
        cmocka_unit_test(tables_memories_globals),
        cmocka_unit_test(constant_expressions),
        cmocka_unit_test(exports_and_start),
        cmocka_unit_test(segments),
        cmocka_unit_test(bodies),
        cmocka_unit_test(names_with_zeros_and_all_planes),
        cmocka_unit_test(huge_counts),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_changed_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
