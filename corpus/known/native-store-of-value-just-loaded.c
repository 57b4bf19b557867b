/* A variable assigned to itself, in front of the return of a structure in two registers, which x86-64's fast
 * instruction selection leaves to the SelectionDAG with its block: that one removes the assignment, at -O0 too,
 * and its line row. The module, whose ABI returns it in memory, has both. */
struct pair {
    long long a;
    int b;
};
static struct pair kept = {1, 2};

static struct pair copy(void) {
    int count = 0;

    count = count;
    return kept;
}

int main(void) {
    return copy().b - 2;
}
