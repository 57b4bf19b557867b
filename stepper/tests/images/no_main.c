/* An image that is no program. */
int value(void);

int value(void) {
    return 1;
}
