/* An inlined call whose last instruction wasm-opt removes. */
static int total;

static inline __attribute__((always_inline)) void add(int number) {
    for (int i = 0; i < 3; i++)
        total += number;
}

int main(void) {
    add(2);
    return total != 6;
}
