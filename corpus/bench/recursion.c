/* Recursive functions (Fibonacci, Takeuchi, Ackermann): calls, and little else. A unit is about two million
 * calls. */
#include "bench.h"

__attribute__((noinline)) static uint32_t fibonacci(uint32_t n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__attribute__((noinline)) static int32_t takeuchi(int32_t x, int32_t y, int32_t z) {
    if (y >= x)
        return z;
    return takeuchi(takeuchi(x - 1, y, z), takeuchi(y - 1, z, x), takeuchi(z - 1, x, y));
}

__attribute__((noinline)) static uint32_t ackermann(uint32_t m, uint32_t n) {
    if (m == 0)
        return n + 1;
    return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static uint64_t work(uint32_t amount) {
    uint64_t sum = 0;

    for (uint32_t i = 0; i < amount; i++) {
        sum = sum * 31 + fibonacci(28 + (i & 1));
        sum = sum * 31 + (uint32_t)takeuchi(18, 12, 6 - (int32_t)(i & 1));
        sum = sum * 31 + ackermann(2, 300 + (i & 3));
    }
    return sum;
}
