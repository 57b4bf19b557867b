/* A value on WebAssembly's operand stack is gone when an instruction has taken it. */
#include <stdint.h>

struct fields {
    unsigned first : 24, second : 5;
};

uint32_t sum = 1, table[256];
struct fields fields = {0, 29};

static void one(uint8_t byte) {
    sum = (sum >> 8 & 0x00ffffff) ^ table[(sum ^ byte) & 255];
}

static void all(uint64_t value) {
    one(value & 255);
    one(value >> 8 & 255);
}

__attribute__((noinline)) static void work(void) {
    all(fields.second);
}

int main(void) {
    for (int i = 0; i < 256; i++)
        table[i] = i * 0x1010101u;
    work();
    return sum == 0;
}
