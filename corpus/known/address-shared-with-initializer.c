/* The address of an array's element, taken in the block that initializes the array: natively the SelectionDAG
 * (to which the conversion to float leaves the block) shares one node between the two, and gives the
 * instruction the initializer's line. */
static int **place;
static float scaled;

int main(void) {
    int a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, count = 0;
    signed char factor = 3;
    int *list[8][2] = {{&a, &b}, {&b, &c}, {&d, &e}, {&e, &e}, {&f, &g}, {&g, &h}, {&h, &a}, {&c, &f}};

    count++;
    place = &list[3][1];
    scaled = factor;
    return !(*place == &e && count == 1);
}
