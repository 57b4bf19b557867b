/* A counter that the optimiser replaces by its multiple: clang 19 shows the counter of the next round in a
 * Wasm module from the loop's start on. */
static unsigned table[300];

int main(void) {
    int i;
    for (i = 0; i < 300; i++)
        table[i] = i * 3;
    return table[299] != 897;
}
