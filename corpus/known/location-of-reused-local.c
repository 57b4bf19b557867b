/* A Wasm local that holds a counter until its last use in a round, and then something else: the location
 * list says that it holds the counter to the end of the loop. */
static unsigned table[256];
static unsigned sum = 1;
static int words[8] = {3, -1, 4, -1, 5, -9, 2, -6};

static void fill(void) {
    for (int i = 0; i < 256; i++) {
        unsigned entry = i;
        for (int j = 8; j > 0; j--)
            entry = entry >> 1 ^ 0xedb88320;
        table[i] = entry;
    }
}

static void add(unsigned char byte) {
    sum = table[(sum ^ byte) & 255];
}

int main(void) {
    int i;
    fill();
    for (i = 0; i < 8; i++)
        add((unsigned long long)words[i] >> 56);
    return sum == 0;
}
