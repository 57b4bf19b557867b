/* Aggregates that WebAssembly's C ABI passes and returns by reference: clang 14 ends their location where
 * their first basic block ends. */
struct structure {
    int a, b, c, d, e;
};

struct small {
    int a, b;
};

union choice {
    long long a;
    int b;
};

static int global;

static struct structure first(struct structure parameter, union choice other) {
    struct structure result = parameter;
    if (global)
        result.b = other.a;
    return result;
}

static union choice second(void) {
    union choice result = {1};
    if (global)
        result.a = 2;
    return result;
}

static struct small third(void) {
    struct small result = {1, 2};
    if (global)
        result.a = 2;
    return result;
}

int main(void) {
    struct structure argument = {1, 2, 3, 4, 5};
    union choice other = {7};
    return first(argument, other).a + second().a - 2 * third().a;
}
