/* DWARF written by hand, for tests: bytes are appended to sections, and all of it becomes a module whose
 * functions do nothing but give the DWARF pcs that are code. */
#ifndef LOCKSTEP_STEPPER_TESTS_DWARF_BYTES_H
#define LOCKSTEP_STEPPER_TESTS_DWARF_BYTES_H

#include <stdarg.h>
#include <string.h>

#include "runtime/dwarf/dwarf.h"
#include "runtime/runtime.h"

/* Function i has the pcs [FUNCTION(i), FUNCTION(i) + FUNCTION_LENGTH); between two is the size of a body. */
enum { FUNCTIONS = 4, FUNCTION_SIZE = 128, FUNCTION_LENGTH = FUNCTION_SIZE - 2 };
#define FUNCTION(i) (3u + (i) * FUNCTION_SIZE)

struct bytes {
    uint8_t bytes[4096];
    size_t size;
};

struct dwarf {
    struct bytes at[RT_DWARF_SECTION_COUNT];
};

static inline void put(struct bytes *bytes, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++)
        bytes->bytes[bytes->size++] = (uint8_t)(value >> (8 * i));
}

static inline void put_text(struct bytes *bytes, const char *text) {
    memcpy(bytes->bytes + bytes->size, text, strlen(text) + 1);
    bytes->size += strlen(text) + 1;
}

/* `count` numbers of one byte each. */
static inline void put_bytes(struct bytes *bytes, int count, ...) {
    va_list list;
    va_start(list, count);
    for (int i = 0; i < count; i++)
        put(bytes, (uint64_t)va_arg(list, int), 1);
    va_end(list);
}

static inline void store(struct bytes *bytes, size_t at, uint64_t value) {
    for (size_t i = 0; i < 4; i++)
        bytes->bytes[at + i] = (uint8_t)(value >> (8 * i));
}

/* What follows a length that `begin` made room for ends here. */
static inline size_t begin(struct bytes *bytes) {
    put(bytes, 0, 4);
    return bytes->size;
}
static inline void end(struct bytes *bytes, size_t start) {
    store(bytes, start - 4, bytes->size - start);
}

static inline struct rt_dwarf_sections sections_of(const struct dwarf *dwarf) {
    struct rt_dwarf_sections sections = {0};
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++)
        if (dwarf->at[i].size)
            sections.at[i] = (struct rt_dwarf_span){dwarf->at[i].bytes, dwarf->at[i].size};
    return sections;
}

/* A module without DWARF. */
static inline struct rt_error *make_module(struct rt_module **ret) {
    static const uint8_t head[] = {0, 'a', 's', 'm',           1,        0, 0, 0, 1, 4, 1, 0x60,
                                   0, 0,   3,   FUNCTIONS + 1, FUNCTIONS};
    struct bytes module = {.size = 0};
    memcpy(module.bytes, head, sizeof head);
    module.size = sizeof head;
    for (int i = 0; i < FUNCTIONS; i++)
        put(&module, 0, 1);
    const unsigned size = 1 + FUNCTIONS * FUNCTION_SIZE;
    put_bytes(&module, 4, 10, (int)(size & 0x7f) | 0x80, (int)(size >> 7), FUNCTIONS);
    for (int i = 0; i < FUNCTIONS; i++) {
        put_bytes(&module, 3, FUNCTION_LENGTH | 0x80, 0, 0); /* no locals */
        for (int k = 4; k < FUNCTION_SIZE; k++)
            put(&module, 0x01, 1); /* nop */
        put(&module, 0x0b, 1);
    }
    return rt_module_create(module.bytes, module.size, ret);
}

#endif
