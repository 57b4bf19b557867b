/* A variable whose computation was removed, of a signed and an unsigned number: the debugger has to do it. */
static volatile int total = 5;

__attribute__((noinline)) static int work(int first, unsigned short second) {
    int mixed = (int)((long long)first | second);
    total++;
    return total + first + second;
}

int main(void) {
    return work(total, (unsigned short)total) == 0;
}
