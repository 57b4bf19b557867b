/* Aggregates that WebAssembly's C ABI returns by reference: in the module they have a location from their
 * declaration on. Natively, where they are returned in registers (and, by clang 14 and 16, where the address
 * to return them at is kept in the frame), they have one from the function's start. */
struct small {
    int a, b;
};

union choice {
    long long a;
    int b;
};

struct large {
    long long a, b, c;
};

static struct small first(void) {
    int before = 1;
    struct small result = {before, 2};
    return result;
}

static union choice second(void) {
    int before = 1;
    union choice result = {before};
    return result;
}

static struct large third(void) {
    int before = 1;
    struct large result = {1, 2, 3};
    if (second().b == 2)
        before++;
    result.b = before;
    return result;
}

int main(void) {
    return first().a - third().a;
}
