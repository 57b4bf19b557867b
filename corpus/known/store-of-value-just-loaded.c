/* Assignments of a variable to itself, and of what is always its own value, in a block that fast instruction
 * selection leaves to the SelectionDAG (for its 16-bit addition): that one removes them, at -O0 too, and
 * their line rows with them. */
static short counter;

int main(void) {
    unsigned char byte = 7;
    int local = 1;
    int *pointer = &local;
    local = local;
    (*pointer) = (*pointer);
    local |= (byte > 0xB750ADFB);
    counter++;
    return local - 1;
}
