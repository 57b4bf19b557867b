/* Modules written byte by byte, for tests: macros that count sizes, and one sample that has every section. */
#ifndef LOCKSTEP_RUNTIME_TESTS_MODULE_BYTES_H
#define LOCKSTEP_RUNTIME_TESTS_MODULE_BYTES_H

#include "runtime/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A list of bytes as "address, size". */
#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define HEADER     0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00
/* Contents below 128 bytes, behind their size. */
#define SIZED(...)       sizeof((const uint8_t[]){__VA_ARGS__}), __VA_ARGS__
#define SECTION(id, ...) id, SIZED(__VA_ARGS__)

enum {
    I32 = RT_I32,
    I64 = RT_I64,
    F32 = RT_F32,
    F64 = RT_F64,
    FUNCREF = RT_FUNCREF,
    EXTERNREF = RT_EXTERNREF
};

/* Creates a module from a copy of just these bytes, so that a read past them shows under AddressSanitizer. */
static inline struct rt_error *create_exact(const uint8_t *bytes, size_t size, struct rt_module **ret) {
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, bytes, size);
    struct rt_error *error = rt_module_create(copy, size, ret);
    free(copy);
    return error;
}

/* Function 0 is imported ("env" "host"), 1 to 3 are defined; see test_module.c for what is asserted of it. */
#define SAMPLE_CODE_CONTENTS                                                                                 \
    3, SIZED(1, 2, I64, 0x20, 0, 0x20, 1, 0x6a, 0x0b), SIZED(0, 0x0b),                                       \
        SIZED(2, 1, I32, 1, F64, 0x41, 5, 0x10, 0, 0x0b)
#define SAMPLE_MODULE                                                                                        \
    HEADER, SECTION(1, 3, 0x60, 2, I32, I32, 1, I32, 0x60, 0, 0, 0x60, 1, I32, 0),                           \
        SECTION(2, 2, SIZED('e', 'n', 'v'), SIZED('h', 'o', 's', 't'), 0, 2, SIZED('e', 'n', 'v'),           \
                SIZED('g'), 3, I32, 0),                                                                      \
        SECTION(3, 3, 0, 1, 1), SECTION(4, 1, FUNCREF, 1, 2, 8), SECTION(5, 1, 1, 1, 16),                    \
        SECTION(6, 2, I64, 1, 0x42, 0x7f, 0x0b, F32, 0, 0x43, 1, 0, 0xa0, 0x7f, 0x0b),                       \
        SECTION(7, 3, SIZED('a', 'd', 'd'), 0, 1, SIZED('m', 'e', 'm'), 2, 0, SIZED('r', 'u', 'n'), 0, 3),   \
        SECTION(8, 2),                                                                                       \
        SECTION(9, 2, 0, 0x41, 0, 0x0b, 2, 1, 2, 5, FUNCREF, 2, 0xd2, 3, 0x0b, 0xd0, FUNCREF, 0x0b),         \
        SECTION(12, 2), SECTION(10, SAMPLE_CODE_CONTENTS),                                                   \
        SECTION(11, 2, 0, 0x23, 0, 0x0b, SIZED('a', 'b', 'c'), 1, SIZED('p')),                               \
        SECTION(0, 4, 'n', 'a', 'm', 'e', 1,                                                                 \
                SIZED(2, 1, SIZED('s', 'u', 'm'), 2, SIZED('s', 't', 'a', 'r', 't'))),                       \
        SECTION(0, 3, '.', 'x', 'y', 1, 2, 3), SECTION(0, 3, '.', 'x', 'y', 4)

#endif
