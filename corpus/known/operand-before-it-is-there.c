/* A value is on WebAssembly's operand stack from where an instruction has put it there. */
#include <stdio.h>

int total = 3;

__attribute__((noinline)) static int print(const char *text, int number) {
    int kept = number + total;
    printf("%s %d\n", text, kept);
    total += kept;
    printf("%s %d\n", text, number);
    return kept;
}

int main(void) {
    return print("total", total) == 0;
}
