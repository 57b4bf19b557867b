/* A counter that the optimiser replaces by its multiple, which wraps: the location found for the counter
 * divides the multiple, as if it had not wrapped. */
static unsigned table[4];

int main(void) {
    int i = 0;
    while (i < 4) {
        table[i] = i * 2654435761u, i++;
        table[i - 1] += 1;
    }
    return table[3] != 3668339988u;
}
