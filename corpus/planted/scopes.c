/* What is in scope, and its type, differ; values and what is printed do not.
 *
 * PLANT RENAMED_LOCAL scope work local (inscope) absent
 * PLANT RENAMED_LOCAL scope work renamed absent (inscope)
 * PLANT RENAMED_PARAMETER scope work parameter (inscope) absent
 * PLANT RENAMED_PARAMETER scope work renamed absent (inscope)
 * PLANT RENAMED_GLOBAL scope main global (declared) absent
 * PLANT RENAMED_GLOBAL scope main renamed absent (declared)
 * PLANT RENAMED_STATIC_LOCAL scope main kept (declared) absent
 * PLANT RENAMED_STATIC_LOCAL scope main renamed absent (declared)
 * PLANT RENAMED_STATIC_LOCAL scope work kept (inscope) absent
 * PLANT RENAMED_STATIC_LOCAL scope work renamed absent (inscope)
 * PLANT MOVED_LOCAL scope work moved
 * PLANT MISSING_LOCAL scope work missing (inscope) absent
 * PLANT MISSING_GLOBAL scope main missing_global (declared) absent
 * PLANT MISSING_IN_BLOCK scope work inner (inscope) absent
 * PLANT EXTRA_LOCAL scope work extra absent (inscope)
 * PLANT STATIC_FOR_LOCAL scope main lasting absent (declared)
 * PLANT STATIC_FOR_LOCAL value work lasting * 0
 * PLANT SIZE type work number
 * PLANT SIGN type work number
 * PLANT KIND type work number
 * PLANT BOOL_FOR_INT type work number
 * PLANT ENUM_FOR_INT type work number
 * PLANT POINTER_FOR_NUMBER type work number
 * PLANT GLOBAL_SIZE type main global
 * PLANT STATIC_LOCAL_SIZE type main kept
 * PLANT PARAMETER_SIZE type work parameter
 * PLANT MEMBER_SIZE type work record
 * PLANT MEMBER_NAME type work record
 * PLANT MEMBER_EXTRA type work record
 * PLANT MEMBER_ORDER type work record
 * PLANT BIT_FIELD_WIDTH type work record
 * PLANT ELEMENTS type work array
 * PLANT DIMENSIONS type work array
 * PLANT ENUMERATOR type work colour type'colour',4bytes type'colour',4bytes
 * MISS POINTEE the types that pointers point to are not compared
 */
#include "planted.h"

#include <stdio.h>

#if PLANTED(RENAMED_LOCAL)
#define local renamed
#elif PLANTED(RENAMED_PARAMETER)
#define parameter renamed
#elif PLANTED(RENAMED_GLOBAL)
#define global renamed
#elif PLANTED(RENAMED_STATIC_LOCAL)
#define kept renamed
#elif PLANTED(MEMBER_NAME)
#define second renamed
#elif PLANTED(ENUMERATOR)
#define RED CRIMSON
#endif

#if PLANTED(DIMENSIONS)
#define COUNT [6]
#elif PLANTED(ELEMENTS)
#define COUNT [2][4]
#else
#define COUNT [2][3]
#endif

enum colour { RED, GREEN };

#if PLANTED(SIZE)
#define NUMBER short
#elif PLANTED(SIGN)
#define NUMBER unsigned
#elif PLANTED(KIND)
#define NUMBER float
#elif PLANTED(BOOL_FOR_INT)
#define NUMBER _Bool
#elif PLANTED(ENUM_FOR_INT)
#define NUMBER enum colour
#elif PLANTED(POINTER_FOR_NUMBER)
#define NUMBER char *
#else
#define NUMBER int
#endif

struct record {
    PLANT(MEMBER_SIZE, long long, int) PLANT(MEMBER_ORDER, second, first);
    int PLANT(MEMBER_ORDER, first, second);
    unsigned bits : PLANT(BIT_FIELD_WIDTH, 4, 3);
    PLANT(MEMBER_EXTRA, int extra;, )
};

PLANT(GLOBAL_SIZE, short, int) global = 1;
PLANT(MISSING_GLOBAL, , int missing_global = 1;)

static int work(PLANT(PARAMETER_SIZE, short, int) parameter) {
    static PLANT(STATIC_LOCAL_SIZE, short, int) kept = 1;
    int local = 1; /* SEEN work */
    PLANT(MISSING_LOCAL, , int missing;)
    PLANT(EXTRA_LOCAL, int extra;, )
    PLANT(MOVED_LOCAL, int moved;, )
    PLANT(MOVED_LOCAL, , int moved;)
    PLANT(STATIC_FOR_LOCAL, static, ) int lasting;
    NUMBER number;
    struct record record = {1, 1, 1};
    int array COUNT;
    enum colour colour = 0;
    PLANT(POINTEE, short, int) *pointer = 0;

    lasting = 1;
    number = 0;
    {
        PLANT(MISSING_IN_BLOCK, , int inner;)
        local++; /* SEEN MISSING_IN_BLOCK */
    }
    return local + kept + global + PLANT(MISSING_GLOBAL, 1, missing_global);
}

int main(void) {
    int status = work(1) == 5; /* SEEN main */
    printf("done\n");
    return !status;
}
