/* Aggregates that WebAssembly's C ABI returns by reference, declared in an inner block that control does not
 * enter from the function's first basic block: clang gives them no location in the module. */
struct large {
    long long a, b, c;
};

struct small {
    int a, b;
};

union large_choice {
    long long a[3];
    int b;
};

union small_choice {
    long long a;
    int b;
};

static struct large large;
static struct small small;
static union large_choice large_choice;
static union small_choice small_choice;
static int rounds;

static struct large first(void) {
    for (rounds = 0; rounds < 3; rounds++) {
        struct large result = {1, 2, 3};
        return result;
    }
    return large;
}

static struct small second(void) {
    for (rounds = 0; rounds < 3; rounds++) {
        struct small result = {1, 2};
        return result;
    }
    return small;
}

static union large_choice third(void) {
    for (rounds = 0; rounds < 3; rounds++) {
        union large_choice result = {{1, 2, 3}};
        return result;
    }
    return large_choice;
}

static union small_choice fourth(void) {
    for (rounds = 0; rounds < 3; rounds++) {
        union small_choice result = {1};
        return result;
    }
    return small_choice;
}

int main(void) {
    return first().a + second().a + third().b + fourth().b - 4;
}
