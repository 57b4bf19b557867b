/* A variable whose computation was removed, of a signed and an unsigned number: the debugger has to do it. */
static volatile int total = 5;

static inline int work(int first, unsigned short second) {
    int mixed = (int)((long long)first | second);
    total++;
    return total + first;
}

__attribute__((noinline)) static int call(int first) {
    return work(first, 4) + work(first, 5);
}

int main(void) {
    return call(total) == 0;
}
