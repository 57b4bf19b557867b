/* A made-up frame for location expressions: a few registers, 256 bytes of memory, locals of each type. */
#ifndef LOCKSTEP_HARNESS_FUZZ_MACHINE_H
#define LOCKSTEP_HARNESS_FUZZ_MACHINE_H

#include "harness/fuzz/fuzz.h"
#include "stepper/debug.h"
#include "stepper/machine.h"

/* Addresses [0x1000, 0x1100) are these bytes. */
static const uint8_t fuzz_memory[256] = {[0x10] = 0x42, [0x80] = 0xff, [0x81] = 0x7f, [0xff] = 1};

static inline bool fuzz_read_register(void *user, unsigned number, uint64_t *ret) {
    (void)user;
    *ret = 0x1000 + number;
    return number < 17;
}

static inline const uint8_t *fuzz_read_vector(void *user, unsigned index) {
    (void)user;
    return index < 8 ? fuzz_memory + (size_t)16 * index : NULL;
}

static inline const void *fuzz_read_memory(void *user, uint64_t address, size_t size) {
    (void)user;
    return address >= 0x1000 && size <= sizeof fuzz_memory && address - 0x1000 <= sizeof fuzz_memory - size
               ? fuzz_memory + (address - 0x1000)
               : NULL;
}

static inline bool fuzz_read_cfa(void *user, uint64_t *ret) {
    (void)user;
    *ret = 0x1080;
    return true;
}

static inline struct rt_error *fuzz_read_wasm(void *user, unsigned kind, uint32_t index, enum rt_type *type,
                                              union rt_value *ret) {
    static const enum rt_type types[] = {RT_I32, RT_I64, RT_F32, RT_F64, RT_FUNCREF};
    (void)user;
    if (index >= sizeof types / sizeof *types)
        return rt_error_format(RT_USAGE, "there is no %u of kind %u", index, kind);
    *type = types[index];
    *ret = (union rt_value){.i64 = 0x1010};
    return NULL;
}

static inline struct st_machine fuzz_machine(unsigned address_size, const struct st_location *frame_base) {
    return (struct st_machine){
        .bias = 0x1000,
        .address_size = address_size,
        .frame_base = frame_base,
        .read_register = fuzz_read_register,
        .read_vector = fuzz_read_vector,
        .memory = fuzz_read_memory,
        .cfa = fuzz_read_cfa,
        .wasm = fuzz_read_wasm,
    };
}

/* Evaluates the location at the first pc of each of its first expressions, for an object of `size` bytes.
 * Each has an answer: a place whose bytes fit, or a reason. */
static inline void fuzz_evaluate(struct st_machine *machine, const struct st_location *location, size_t size,
                                 struct rt_arena *arena) {
    enum { MOST = 16 };
    for (size_t i = 0; i < location->count && i < MOST; i++) {
        struct st_place place;
        machine->pc = location->expressions[i].range.low;
        st_evaluate(machine, location, size, arena, &place);
        fuzz_require(place.kind != ST_PLACE_IRRETRIEVABLE || place.reason);
        fuzz_require(place.kind != ST_PLACE_VALUE || place.size <= sizeof place.bytes);
        st_expression_print(&location->expressions[i], arena);
    }
}

#endif
