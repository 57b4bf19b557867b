/* A pointer points elsewhere; nothing is read through it. Addresses never agree between the two sides, so that
 * only what they point to can be compared.
 *
 * PLANT VARIABLE value work pointer &first &second
 * PLANT ELEMENT value work pointer &array+4 &array+8
 * PLANT INNER_ELEMENT value work pointer &grid+28 &grid+32
 * PLANT STRUCT_MEMBER value work pointer &place+4 &place+8
 * PLANT AFTER_POINTER_MEMBER value work pointer * &mixed
 * PLANT FROM_NULL value work pointer null &first
 * PLANT TO_NULL value work pointer &first null
 * PLANT LOCAL value work pointer &here &there
 * PLANT LOCAL_ELEMENT value work pointer &row+8 &row+12
 * PLANT LOCAL_FOR_GLOBAL value work pointer &first &here
 * PLANT STATIC_LOCAL value work pointer &kept &other
 * PLANT CALLERS_LOCAL value callee given &mine &yours
 * PLANT CALLERS_PARAMETER value callee given &mine &argument
 * PLANT GLOBAL_POINTER value work holder.pointer &first &second
 * PLANT POINTERS_ELEMENT value work pointers[2] &first &second
 * PLANT TO_POINTER value work indirect &global_pointer &pointers
 * MISS FUNCTION what a function pointer points to is no variable: opaque
 * MISS LITERAL a string literal is storage without a name: opaque
 * MISS IN_UNION a union that holds a pointer has no bytes that mean the same on both targets: opaque
 * MISS HEAP what malloc returned is storage without a name: opaque
 */
#include "planted.h"

#include <stdio.h>
#include <stdlib.h>

#define CHOOSE(name, plain, planted) (PLANTED(name) ? (planted) : (plain))

struct place {
    int x, y, z;
};
struct mixed {
    int *before;
    int after;
};
union mix {
    int number;
    int *pointer;
};

int first = 1, second = 2;
int array[4] = {1, 2, 3, 4};
int grid[3][4] = {{1}};
struct place place = {1, 2, 3};
struct mixed mixed = {&first, 1};
struct {
    int number;
    int *pointer;
} holder;
int *global_pointer = &first;
int *pointers[4];

static int one(void) {
    return 1;
}

static int two(void) {
    return 1;
}

static void callee(int *given) {
    int used = given != 0; /* SEEN CALLERS_LOCAL CALLERS_PARAMETER */
    used++;
}

static void caller(int argument) {
    int mine = 1, yours = 2;
    mine++;
    callee(PLANTED(CALLERS_PARAMETER) ? &argument : CHOOSE(CALLERS_LOCAL, &mine, &yours));
    yours++;
}

static void work(void) {
    static int kept = 1, other = 2;
    int here = 1, there = 2, row[4] = {0, 1, 2, 3};
    int *pointer = &here, **indirect = &pointer;
    int (*function)(void) = two;
    const char *literal = "nothing";
    union mix mix = {0};
    char *heap = malloc(16);

    pointer = CHOOSE(VARIABLE, &first, &second);
    pointer = CHOOSE(ELEMENT, &array[1], &array[2]);                      /* SEEN VARIABLE */
    pointer = CHOOSE(INNER_ELEMENT, &grid[1][3], &grid[2][0]);            /* SEEN ELEMENT */
    pointer = CHOOSE(STRUCT_MEMBER, &place.y, &place.z);                  /* SEEN INNER_ELEMENT */
    pointer = CHOOSE(AFTER_POINTER_MEMBER, &mixed.after, (int *)&mixed);  /* SEEN STRUCT_MEMBER */
    pointer = CHOOSE(FROM_NULL, (int *)0, &first);                        /* SEEN AFTER_POINTER_MEMBER */
    pointer = CHOOSE(TO_NULL, &first, (int *)0);                          /* SEEN FROM_NULL */
    pointer = CHOOSE(LOCAL, &here, &there);                               /* SEEN TO_NULL */
    pointer = CHOOSE(LOCAL_ELEMENT, &row[2], &row[3]);                    /* SEEN LOCAL */
    pointer = CHOOSE(LOCAL_FOR_GLOBAL, &first, &here);                    /* SEEN LOCAL_ELEMENT */
    pointer = CHOOSE(STATIC_LOCAL, &kept, &other);                        /* SEEN LOCAL_FOR_GLOBAL */
    holder.pointer = CHOOSE(GLOBAL_POINTER, &first, &second);             /* SEEN STATIC_LOCAL */
    pointers[2] = CHOOSE(POINTERS_ELEMENT, &first, &second);              /* SEEN GLOBAL_POINTER */
    indirect = CHOOSE(TO_POINTER, &global_pointer, &pointers[0]);         /* SEEN POINTERS_ELEMENT */
    function = CHOOSE(FUNCTION, one, two);                                /* SEEN TO_POINTER */
    literal = CHOOSE(LITERAL, "something", "else");
    mix.pointer = CHOOSE(IN_UNION, &first, &second);
    heap += PLANTED(HEAP);
    kept += here + there + other + row[0] + !pointer + !indirect + !literal + !mix.pointer + !function + !heap;
    kept += second + array[0] + grid[0][0] + place.x + mixed.after + !holder.pointer + !pointers[0] + !global_pointer;
}

int main(void) {
    caller(5);
    work();
    printf("done\n");
    return 0;
}
