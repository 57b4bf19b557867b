/* A conditional jump back to a label: the row of the label's statement is at the `block` in front of the
 * `loop`, where the jump back does not pass. */
static int count, rounds;

int main(void) {
    count = 0;
again:
    count += 2;
    rounds++;
    if (rounds < 3)
        goto again;
    return count - 6;
}
