/* wasm-opt gives locals other numbers, and code other addresses. Debug information must follow. */
struct pair {
    int first;
    long second;
};

int total = 3;

int add(int left, int right) {
    int sum = left;
    struct pair pair = {1, 2};
    for (int i = 0; i < 3; i++)
        pair.second += sum;
    sum += right + (int)pair.second;
    return sum;
}

int main(void) {
    int sum = total;
    for (int i = 0; i < 3; i++)
        sum += i;
    return sum + add(3, 4) == 24 ? 0 : 1;
}
