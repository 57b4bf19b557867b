/* The address of an array's element, taken in the block that initializes the array: in the module, whose block a
 * 16-bit addition leaves to the SelectionDAG, the statement that takes it goes back to the initializer's line. */
static int **place;

int main(void) {
    int a = 1, b = 2, c = 3, d = 4, count = 0;
    unsigned short counter = 0;
    int *list[4] = {&a, &b, &c, &d};

    count++;
    place = &list[2];
    counter++;
    return !(*place == &c && count == 1 && counter == 1);
}
