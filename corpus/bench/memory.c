/* A sieve, a pointer chase and a matrix transposed, over 28 MiB together: loads and stores that miss caches. A
 * unit is one of them, in turn. */
#include "bench.h"

enum { SIEVE = 4 << 20, NODES = 4 << 20, SIDE = 1024 };

static uint8_t composite[SIEVE];
static uint32_t next[NODES];
static double matrix[SIDE][SIDE];

static uint64_t sieve(void) {
    uint64_t sum = 0;

    for (uint32_t i = 0; i < SIEVE; i++)
        composite[i] = 0;
    for (uint32_t i = 2; i < SIEVE; i++) {
        if (composite[i])
            continue;
        sum += i;
        for (uint64_t j = (uint64_t)i * i; j < SIEVE; j += i)
            composite[j] = 1;
    }
    return sum;
}

/* One cycle through all nodes: a full-period linear congruential generator's steps. */
static uint64_t chase(void) {
    uint32_t at = 0;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < NODES; i++)
        next[i] = (i * 1664525u + 1013904223u) % NODES;
    for (uint32_t i = 0; i < NODES; i++) {
        at = next[at];
        sum = sum * 5 + at;
    }
    return sum;
}

static uint64_t transpose(void) {
    double sum = 0;

    for (uint32_t i = 0; i < SIDE; i++)
        for (uint32_t j = 0; j < SIDE; j++)
            matrix[i][j] = (double)(i ^ (j * 3));
    for (uint32_t i = 0; i < SIDE; i++) {
        for (uint32_t j = 0; j < i; j++) {
            double kept = matrix[i][j];
            matrix[i][j] = matrix[j][i];
            matrix[j][i] = kept;
        }
    }
    for (uint32_t i = 0; i < SIDE; i++)
        for (uint32_t j = 0; j < SIDE; j++)
            sum += matrix[i][j] * (double)(j & 7);
    return (uint64_t)sum;
}

static uint64_t work(uint32_t amount) {
    uint64_t sum = 0;

    for (uint32_t i = 0; i < amount; i++)
        sum = sum * 31 + (i % 3 == 0 ? sieve() : i % 3 == 1 ? chase() : transpose());
    return sum;
}
