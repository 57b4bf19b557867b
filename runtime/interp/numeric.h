/* The interpreter's arithmetic where C's operators are not enough (core specification, section 4.3), and how
 * slots and guest memory hold numbers. Memory is little-endian on every host. */
#ifndef LOCKSTEP_RUNTIME_INTERP_NUMERIC_H
#define LOCKSTEP_RUNTIME_INTERP_NUMERIC_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* ---- Slots: 64 bits; what is narrower has zeros above it ---- */

static inline float rt_slot_f32(uint64_t slot) {
    uint32_t bits = (uint32_t)slot;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline double rt_slot_f64(uint64_t slot) {
    double value;
    memcpy(&value, &slot, sizeof value);
    return value;
}
static inline uint64_t rt_f32_slot(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
static inline uint64_t rt_f64_slot(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
/* A NaN that an instruction makes is always the positive canonical one, which section 4.3.3 allows
 * everywhere: two runs agree on any host. */
static inline uint64_t rt_n32_slot(float value) {
    return value != value ? UINT64_C(0x7fc00000) : rt_f32_slot(value);
}
static inline uint64_t rt_n64_slot(double value) {
    return value != value ? UINT64_C(0x7ff8000000000000) : rt_f64_slot(value);
}

/* ---- Memory ---- */

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define RT_LITTLE(bits, value) __builtin_bswap##bits(value)
#else
#define RT_LITTLE(bits, value) (value)
#endif

static inline uint64_t rt_memory_u8(const uint8_t *at) {
    return *at;
}
static inline uint64_t rt_memory_u16(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return RT_LITTLE(16, value);
}
static inline uint64_t rt_memory_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return RT_LITTLE(32, value);
}
static inline uint64_t rt_memory_u64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return RT_LITTLE(64, value);
}
static inline void rt_memory_set_u8(uint8_t *at, uint64_t value) {
    *at = (uint8_t)value;
}
static inline void rt_memory_set_u16(uint8_t *at, uint64_t value) {
    uint16_t bits = RT_LITTLE(16, (uint16_t)value);
    memcpy(at, &bits, sizeof bits);
}
static inline void rt_memory_set_u32(uint8_t *at, uint64_t value) {
    uint32_t bits = RT_LITTLE(32, (uint32_t)value);
    memcpy(at, &bits, sizeof bits);
}
static inline void rt_memory_set_u64(uint8_t *at, uint64_t value) {
    uint64_t bits = RT_LITTLE(64, value);
    memcpy(at, &bits, sizeof bits);
}

/* ---- Integers ---- */

static inline uint32_t rt_rotate32(uint32_t value, uint32_t left) {
    return value << (left & 31) | value >> (-left & 31);
}
static inline uint64_t rt_rotate64(uint64_t value, uint64_t left) {
    return value << (left & 63) | value >> (-left & 63);
}

/* ---- Floating point ---- */

/* The lesser zero is -0; a NaN operand makes a NaN (sections 4.3.3, fmin and fmax). */
static inline float rt_minimum32(float a, float b) {
    if (a != a || b != b)
        return a + b;
    return a < b || (a == b && signbit(a)) ? a : b;
}
static inline float rt_maximum32(float a, float b) {
    if (a != a || b != b)
        return a + b;
    return a > b || (a == b && !signbit(a)) ? a : b;
}
static inline double rt_minimum64(double a, double b) {
    if (a != a || b != b)
        return a + b;
    return a < b || (a == b && signbit(a)) ? a : b;
}
static inline double rt_maximum64(double a, double b) {
    if (a != a || b != b)
        return a + b;
    return a > b || (a == b && !signbit(a)) ? a : b;
}

/* Whether the integer part of a number is one of the type; every f32 is an f64. Bounds are exact in an f64;
 * the lowest i64 itself fits, and no f64 lies between it and the next below. */
static inline bool rt_fits_i32(double value) {
    return value > -2147483649.0 && value < 2147483648.0;
}
static inline bool rt_fits_u32(double value) {
    return value > -1.0 && value < 4294967296.0;
}
static inline bool rt_fits_i64(double value) {
    return value >= -9223372036854775808.0 && value < 9223372036854775808.0;
}
static inline bool rt_fits_u64(double value) {
    return value > -1.0 && value < 18446744073709551616.0;
}

static inline int32_t rt_saturate_i32(double value) {
    if (rt_fits_i32(value))
        return (int32_t)value;
    return value != value ? 0 : value < 0 ? INT32_MIN : INT32_MAX;
}
static inline uint32_t rt_saturate_u32(double value) {
    if (rt_fits_u32(value))
        return (uint32_t)value;
    return value > 0 ? UINT32_MAX : 0;
}
static inline int64_t rt_saturate_i64(double value) {
    if (rt_fits_i64(value))
        return (int64_t)value;
    return value != value ? 0 : value < 0 ? INT64_MIN : INT64_MAX;
}
static inline uint64_t rt_saturate_u64(double value) {
    if (rt_fits_u64(value))
        return (uint64_t)value;
    return value > 0 ? UINT64_MAX : 0;
}

#endif
