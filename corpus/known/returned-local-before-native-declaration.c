/* A local that is returned by reference: clang 19 gives it a native location from its declaration on, and in Wasm
 * from the function's start. */
struct big {
    int words[12];
};

static int count;

static int next(int step) {
    count += step;
    return count;
}

static struct big make(int start) {
    int first = start + 1;
    struct big result = {{1, 2, 3}};
    result.words[0] = next(first);
    result.words[1] = next(first);
    return result;
}

union either {
    struct big all;
    int first;
};

static union either make_either(int start) {
    int first = start + 1;
    union either result = {{{1, 2, 3}}};
    result.all.words[0] = next(first);
    result.all.words[1] = next(first);
    return result;
}

int main(void) {
    struct big made = make(3);
    union either other = make_either(3);
    return made.words[0] + made.words[1] + other.first - 24;
}
