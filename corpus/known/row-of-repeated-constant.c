/* A constant that several statements need: each of its copies has the line of the first. */
static int first, second, third;
static volatile int sink;

int main(void) {
    first = sink;
    second = sink + 2;
    third = sink + 3;
    return 0;
}
