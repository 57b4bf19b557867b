/* A debuggee that ends, or fails, in the way that its first argument names. */
#undef NDEBUG /* its assertion is there to fail, in every preset */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pair {
    int first;
    double second;
};

int counter;
static struct pair pairs[3] = {{1, 1.5}, {2, 2.5}, {3, 3.5}};
volatile int zero;
int *volatile nowhere;

static int fibonacci(int n) {
    counter++;
    int smaller = n - 1;
    if (n < 2) {
        return n;
    }
    int result = fibonacci(smaller) + fibonacci(n - 2);
    return result;
}

static int overflow(int depth) {
    volatile char room[256];
    room[depth & 255] = (char)depth;
    return overflow(depth + 1) + room[0];
}

static int big_frame(int depth) {
    volatile char room[100000];
    room[0] = (char)depth;
    return big_frame(depth + 1) + room[0];
}

static int spin(void) {
    while (!zero) {
        counter++;
    }
    return counter;
}

static int keeps_errno(void) {
    errno = 77;
    counter++;
    counter++;
    counter++;
    return errno;
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "return";
    struct pair local = pairs[1];
    local.first += argc;
    if (strcmp(how, "return") == 0) {
        return 3;
    }
    if (strcmp(how, "fibonacci") == 0) {
        return fibonacci(6);
    }
    if (strcmp(how, "exit") == 0) {
        exit(4);
    }
    if (strcmp(how, "_exit") == 0) {
        _exit(5);
    }
    if (strcmp(how, "_Exit") == 0) {
        _Exit(6);
    }
    if (strcmp(how, "quick_exit") == 0) {
        quick_exit(7);
    }
    if (strcmp(how, "abort") == 0) {
        abort();
    }
    if (strcmp(how, "raise") == 0) {
        raise(SIGABRT);
    }
    if (strcmp(how, "assert") == 0) {
        assert(zero == 1);
    }
    if (strcmp(how, "write") == 0) {
        *nowhere = 1;
    }
    if (strcmp(how, "library") == 0) {
        return (int)strlen((const char *)nowhere);
    }
    if (strcmp(how, "divide") == 0) {
        return counter / zero;
    }
    if (strcmp(how, "illegal") == 0) {
        __builtin_trap();
    }
    if (strcmp(how, "overflow") == 0) {
        return overflow(0);
    }
    if (strcmp(how, "big_frame") == 0) {
        return big_frame(0);
    }
    if (strcmp(how, "spin") == 0) {
        return spin() != 0;
    }
    if (strcmp(how, "errno") == 0) {
        return keeps_errno();
    }
    if (strcmp(how, "print") == 0) {
        printf("printed by %s\n", how);
        return 0;
    }
    return local.first;
}
