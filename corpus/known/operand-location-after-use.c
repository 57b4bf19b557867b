/* Two variables with one value, which lies on the operand stack until it is stored: the location of one of
 * them does not end there. */
static int target;
static int *volatile place;
static volatile int sink;

int main(void) {
    int *first = &target, *second = first;
    place = second;
    sink = 1;
    sink = sink + 2;
    return 0;
}
