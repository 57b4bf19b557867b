/* One scalar differs, of each kind and at each depth; what is printed does not.
 *
 * PLANT LOCAL value work count 3 4
 * PLANT PARAMETER value take given 5 6
 * PLANT GLOBAL value work global 7 8
 * PLANT GLOBAL_START value work start 1 2
 * PLANT GLOBAL_START value main start 1 2
 * PLANT STATIC value work hidden 7 8
 * PLANT STATIC_LOCAL value work calls 7 8
 * PLANT CALLERS_LOCAL value main changed 7 8
 * PLANT MEMBER value work point.y 7 8
 * PLANT ELEMENT value work deep[1].rows[2].cells[3].y 7 8
 * PLANT LAST_ELEMENT value work table[16383] 7 8
 * PLANT BIT_FIELD value work fields.middle -3 -4
 * PLANT WIDE_BIT_FIELD value work fields.wide 1099511627775 1099511627774
 * PLANT PACKED_BIT_FIELD value work packed.across 274877906944 274877906945
 * PLANT UNION value work number.integer 7 8
 * PLANT ANONYMOUS_MEMBER value work holder.inner 7 8
 * PLANT ENUM value work colour RED GREEN
 * PLANT ENUM_UNNAMED value work colour RED 9
 * PLANT BOOL value work flag false true
 * PLANT CHAR value work letter 97 98
 * PLANT STRING value work text[4] 111 112
 * PLANT LONG value work wide 7 8
 * PLANT LONG_LONG value work wider -9223372036854775808 -9223372036854775807
 * PLANT FLOAT value work single 0.5 0.50000006
 * PLANT DOUBLE value work real 0.10000000000000001 0.10000000000000002
 * PLANT NEGATIVE_ZERO value work real 0.10000000000000001 -0
 * PLANT VOLATILE value work watched 7 8
 * PLANT ATOMIC value work atomic 7 8
 * PLANT IN_BLOCK value work inner 7 8
 * PLANT IN_LOOP value work sum 36 35
 * PLANT IN_RECURSION value recurse level 2 3
 * PLANT UNION_OTHER_MEMBER value work number.integer 1056964608 1056964609
 * PLANT SIGNED_CHAR value work small -1 -2
 * PLANT THREE_DIMENSIONS value work cube[1][2][3] 7 8
 * MISS NAN_PAYLOAD all NaNs are equal: targets choose the payload
 * MISS LONG_DOUBLE the two targets have different formats of long double: opaque
 * MISS INT128 scalars of more than 8 bytes are opaque
 * MISS COMPLEX complex numbers are opaque
 * MISS BEYOND_LIMIT only the first 65536 scalars of a variable are compared
 */
#include "planted.h"

#include <stdio.h>

struct point {
    int x, y;
};
struct cells {
    struct point cells[4];
};
struct row {
    char name;
    struct cells rows[3];
};
struct fields {
    unsigned low : 3;
    int middle : 5;
    unsigned long long wide : 40;
};
struct __attribute__((packed)) packed {
    unsigned char low : 5;
    unsigned long long across : 60;
};
union number {
    int integer;
    float real;
};
struct holder {
    int before;
    union {
        int inner;
        unsigned other;
    };
};
enum colour { RED, GREEN, BLUE };

int start = 1 + PLANTED(GLOBAL_START);
int global;
static unsigned short hidden;
struct row deep[2];
short table[16384];
struct fields fields;
struct packed packed;
volatile int watched;
int cube[2][3][4];
char large[65536 + 64];

static int take(int given) {
    return given * 0 * start; /* SEEN PARAMETER */
}

static int recurse(int depth) {
    int level = depth;
    if (depth == 2)
        level += PLANTED(IN_RECURSION);
    if (depth < 4) /* SEEN IN_RECURSION */
        recurse(depth + 1);
    return 0;
}

static void change(int *there) {
    *there = 7 + PLANTED(CALLERS_LOCAL);
}

static int work(void) {
    static int calls;
    int count = 0;
    struct point point = {1, 2};
    union number number = {0};
    struct holder holder = {1, {2}};
    enum colour colour = BLUE;
    _Bool flag = 1;
    char letter = 'z';
    char text[] = "lockstep";
    long wide = 1;
    long long wider = 1;
    float single = 1;
    double real = 1;
    _Atomic int atomic = 1;
    signed char small = 1;
    long double longer = 1;
    __int128 int128 = 1;
    _Complex double complex = 1;
    int sum = 0;

    count = 3 + PLANTED(LOCAL);
    global = 7 + PLANTED(GLOBAL);                                        /* SEEN LOCAL */
    hidden = 7 + PLANTED(STATIC);                                        /* SEEN GLOBAL GLOBAL_START */
    calls = 7 + PLANTED(STATIC_LOCAL);                                   /* SEEN STATIC */
    point.y = 7 + PLANTED(MEMBER);                                       /* SEEN STATIC_LOCAL */
    deep[1].rows[2].cells[3].y = 7 + PLANTED(ELEMENT);                   /* SEEN MEMBER */
    table[16383] = 7 + PLANTED(LAST_ELEMENT);                            /* SEEN ELEMENT */
    fields.middle = -3 - PLANTED(BIT_FIELD);                             /* SEEN LAST_ELEMENT */
    fields.wide = 1099511627775 - PLANTED(WIDE_BIT_FIELD);               /* SEEN BIT_FIELD */
    packed.across = 274877906944 + PLANTED(PACKED_BIT_FIELD);            /* SEEN WIDE_BIT_FIELD */
    number.integer = 7 + PLANTED(UNION);                                 /* SEEN PACKED_BIT_FIELD */
    holder.inner = 7 + PLANTED(ANONYMOUS_MEMBER);                        /* SEEN UNION */
    colour = PLANTED(ENUM) + 9 * PLANTED(ENUM_UNNAMED);                  /* SEEN ANONYMOUS_MEMBER */
    flag = PLANTED(BOOL);                                                /* SEEN ENUM ENUM_UNNAMED */
    letter = 'a' + PLANTED(CHAR);                                        /* SEEN BOOL */
    text[4] = 'o' + PLANTED(STRING);                                     /* SEEN CHAR */
    wide = 7 + PLANTED(LONG);                                            /* SEEN STRING */
    wider = -9223372036854775807 - 1 + PLANTED(LONG_LONG);               /* SEEN LONG */
    single = PLANTED(FLOAT) ? 0.50000006f : 0.5f;                        /* SEEN LONG_LONG */
    real = PLANTED(NEGATIVE_ZERO) ? -0.0 : PLANTED(DOUBLE) ? 0.10000000000000002 : 0.1; /* SEEN FLOAT */
    watched = 7 + PLANTED(VOLATILE);                                     /* SEEN DOUBLE NEGATIVE_ZERO */
    atomic = 7 + PLANTED(ATOMIC);                                        /* SEEN VOLATILE */
    number.real = PLANTED(UNION_OTHER_MEMBER) ? 0.50000006f : 0.5f;      /* SEEN ATOMIC */
    small = -1 - PLANTED(SIGNED_CHAR);                                   /* SEEN UNION_OTHER_MEMBER */
    cube[1][2][3] = 7 + PLANTED(THREE_DIMENSIONS);                         /* SEEN SIGNED_CHAR */
    single = PLANTED(NAN_PAYLOAD) ? __builtin_nanf("1") : __builtin_nanf("2"); /* SEEN THREE_DIMENSIONS */
    longer = 7 + PLANTED(LONG_DOUBLE);
    int128 = 7 + PLANTED(INT128);
    complex = 7 + PLANTED(COMPLEX);
    large[65536] = 7 + PLANTED(BEYOND_LIMIT);
    {
        int inner = 7 + PLANTED(IN_BLOCK);
        inner += 0; /* SEEN IN_BLOCK */
    }
    for (int i = 0; i < 12; i++) {
        sum += i;
        if (i == 8)
            sum -= PLANTED(IN_LOOP);
        flag = 0; /* SEEN IN_LOOP */
    }
    return 0;
}

int main(void) {
    int changed = 1; /* SEEN GLOBAL_START */
    change(&changed);
    take(5 + PLANTED(PARAMETER)); /* SEEN CALLERS_LOCAL */
    recurse(0);
    work();
    printf("done\n");
    return 0;
}
