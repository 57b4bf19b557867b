/* Numbers that look random and are the same for a seed on every machine: Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators" (2014), SplitMix64. */
#ifndef LOCKSTEP_HARNESS_RANDOM_H
#define LOCKSTEP_HARNESS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct hx_random {
    uint64_t state; /* any number is a good seed */
};

#define HX_RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t hx_random_mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

static inline uint64_t hx_random_next(struct hx_random *random) {
    return hx_random_mix(random->state += HX_RANDOM_STEP);
}

/* What hx_random_next gives at its number-th call for a seed of 0. */
static inline uint64_t hx_random_nth(uint64_t number) {
    return hx_random_mix(number * HX_RANDOM_STEP);
}

/* 0 to bound - 1; the bound is not 0. */
static inline uint32_t hx_random_below(struct hx_random *random, uint32_t bound) {
    return (uint32_t)((hx_random_next(random) >> 32) * bound >> 32);
}

static inline uint32_t hx_random_between(struct hx_random *random, uint32_t least, uint32_t most) {
    return least + hx_random_below(random, most - least + 1);
}

static inline bool hx_random_chance(struct hx_random *random, uint32_t percent) {
    return hx_random_below(random, 100) < percent;
}

#endif
