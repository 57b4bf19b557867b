/* A local that is returned by reference and not changed after its declaration: on x86-64 its location is the register
 * that brings the address in, from the declaration to where that register is next used. */
struct big {
    long words[3];
};

static int count;

static int next(int step) {
    count += step;
    return count;
}

static struct big make(int start) {
    int first = start + 1;
    const struct big result = {{1, 2, 3}};
    first += next(first);
    count += first;
    return result;
}

union either {
    struct big all;
    long first;
};

static union either make_either(int start) {
    int first = start + 1;
    const union either result = {{{1, 2, 3}}};
    first += next(first);
    count += first;
    return result;
}

int main(void) {
    struct big made = make(3);
    union either other = make_either(3);
    return made.words[0] + other.first + count != 38;
}
