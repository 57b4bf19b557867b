/* Parameters that nothing uses, of types that WebAssembly's C ABI passes by reference: clang gives them no
 * DIE in the module. */
struct structure {
    int a, b;
};

union choice {
    int a;
    long long b;
};

static int function(struct structure first, union choice second) {
    return 5;
}

int main(void) {
    struct structure first = {1, 2};
    union choice second = {3};
    return function(first, second) - 5;
}
