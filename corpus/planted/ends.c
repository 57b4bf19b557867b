/* The two builds print something else or do not end the same way.
 *
 * PLANT STATUS output - - done,exitstatus0 done,exitstatus3
 * PLANT EXIT_STATUS output - - done,exitstatus0 done,exitstatus4
 * PLANT OUTPUT output - - done,exitstatus0 gone,exitstatus0
 * PLANT OUTPUT_MORE output - - ,exitstatus0 more,exitstatus0
 * PLANT OUTPUT_LESS output - - done,exitstatus0 ,exitstatus0
 * PLANT ERROR_OUTPUT output - - ,exitstatus0 note,exitstatus0
 * PLANT EXIT_BEFORE_OUTPUT output - - done,exitstatus0 ,exitstatus0
 * PLANT ABORT output - - done,exitstatus0 ,endedby*
 * PLANT TRAP output - - done,exitstatus0 ,endedby*
 * PLANT WILD_POINTER output - - done,exitstatus0 ,endedby*
 * PLANT DIVISION output - - done,exitstatus0 ,endedby*
 * PLANT STACK_OVERFLOW output - - done,exitstatus0 ,endedby*
 * PLANT LOOP location - - main:<after-loop> main:<in-loop>
 * PLANT LOOP location - - exited main:<loop>
 * PLANT LOOP timeout - - ended stillrunning
 * PLANT LOOP_IN_LINE timeout - - ended stillrunning
 */
#include "planted.h"

#include <stdio.h>
#include <stdlib.h>

static volatile int zero, sum;

static int overflow(int depth) {
    char frame[4096];
    frame[depth % 4096] = (char)depth;
    return overflow(depth + 1) + frame[zero];
}

int main(void) {
    while (PLANTED(LOOP) ? !zero : zero) { /* LINE loop */
        sum++; /* LINE in-loop */
        sum--;
    }
    while (PLANTED(LOOP_IN_LINE) ? !zero : zero) sum++; /* LINE after-loop */
    fprintf(stderr, PLANTED(ERROR_OUTPUT) ? "note\n" : "");
    if (PLANTED(WILD_POINTER))
        sum = *(volatile int *)-(zero + 64);
    if (PLANTED(DIVISION))
        sum = 1 / zero;
    if (PLANTED(TRAP))
        __builtin_trap();
    if (PLANTED(STACK_OVERFLOW))
        sum = overflow(0);
    if (PLANTED(ABORT))
        abort();
    if (PLANTED(EXIT_BEFORE_OUTPUT))
        _Exit(0);
    if (!PLANTED(OUTPUT_LESS))
        printf(PLANTED(OUTPUT) ? "gone\n" : "done\n");
    if (PLANTED(OUTPUT_MORE))
        printf("more\n");
    if (PLANTED(EXIT_STATUS))
        exit(4);
    return PLANTED(STATUS) ? 3 : 0;
}
