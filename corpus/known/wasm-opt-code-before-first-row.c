/* A function whose first instruction, as the program writes it, comes behind the one that wasm-opt puts first. */
union either {
    long long first;
    int second;
};

static const union either constant = {4};

static union either get(void) {
    return constant;
}

int main(void) {
    return get().first != 4;
}
