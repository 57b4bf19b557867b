/* Statements, calls and their lines differ; what is printed does not.
 *
 * PLANT LINE_MOVED line_missing moved - row* absent
 * PLANT LINE_MOVED line_missing moved - absent row*
 * PLANT STATEMENT_EXTRA line_missing extra - absent row*
 * PLANT STATEMENT_MISSING line_missing missing - row* absent
 * PLANT OTHER_BRANCH location - - branch:<if> branch:<else>
 * PLANT ROUND_EXTRA location - - rounds:<after> rounds:<round>
 * PLANT ROUND_MISSING location - - rounds:<round> rounds:<after>
 * PLANT CALL_MISSING location - - callee:<callee> calls:<call-extra>
 * PLANT CALL_EXTRA location - - calls:<not-called> callee:<callee>
 * PLANT CALL_OTHER location - - callee:<callee> other:<other>
 * PLANT CALL_THROUGH_POINTER location - - callee:<callee> other:<other>
 * PLANT RECURSION_DEEPER value recurse depth 3 4
 * PLANT RECURSION_DEEPER location - - recurse:<returns> recurse:<recurses>
 * PLANT EARLY_RETURN location - - early:<not-early> early:<early>
 * PLANT FRAME_BETWEEN stack innermost - innermost:<innermost><main:<main> innermost:<innermost><between:<between><main:<main>
 * PLANT FRAME_BETWEEN stack innermost - innermost:<leaves><main:<main> innermost:<leaves><between:<between><main:<main>
 * MISS FUNCTION_RENAMED a function that one side alone knows is passed over
 * MISS FUNCTION_MOVED a function that one side alone knows in that line is passed over
 */
#include "planted.h"

#include <stdio.h>

static int sum;

static void moved(void) {
    sum += 1;
    PLANT(LINE_MOVED, , sum += 2;) /* SEEN LINE_MOVED */
    PLANT(LINE_MOVED, sum += 2;, ) /* SEEN LINE_MOVED */
    sum += 3;
}

static void extra(void) {
    sum += 1;
    PLANT(STATEMENT_EXTRA, sum += 0;, ) /* SEEN STATEMENT_EXTRA */
    sum += 2;
}

static void missing(void) {
    sum += 1;
    PLANT(STATEMENT_MISSING, , sum += 0;) /* SEEN STATEMENT_MISSING */
    sum += 2;
}

static void branch(int choice) {
    if (PLANTED(OTHER_BRANCH) ? !choice : choice)
        sum += 1; /* LINE if */
    else
        sum += 1; /* LINE else */
    sum += 2;
}

static void rounds(void) {
    for (int i = 0; i < 10 + PLANTED(ROUND_EXTRA) - PLANTED(ROUND_MISSING); i++) {
        sum += 1; /* LINE round */
        sum -= 1;
    }
    sum += 2; /* LINE after */
}

static void callee(void) {
    sum += 2; /* LINE callee */
}

static void other(void) {
    sum += 2; /* LINE other */
}

static void calls(void) {
    void (*pointer)(void) = PLANT(CALL_THROUGH_POINTER, other, callee);
    PLANT(CALL_MISSING, sum += 2, callee());
    PLANT(CALL_EXTRA, callee(), sum += 2); /* LINE call-extra */
    PLANT(CALL_OTHER, other(), callee()); /* LINE not-called */
    pointer();
}

static void recurse(int depth) {
    sum += 0; /* SEEN recurse */
    if (depth > 0)
        recurse(depth - 1); /* LINE recurses */
} /* LINE returns */

static void early(int choice) {
    sum += 1;
    if (PLANTED(EARLY_RETURN) ? choice : !choice)
        return; /* LINE early */
    sum += 0; /* LINE not-early */
}

static void innermost(void) {
    sum += 1; /* SEEN FRAME_BETWEEN */ /* LINE innermost */
} /* SEEN FRAME_BETWEEN */ /* LINE leaves */

#if PLANTED(FRAME_BETWEEN)
static void between(void) { innermost(); } /* LINE between */
#endif

static void PLANT(FUNCTION_RENAMED, renamed, named)(void) {
    sum += 1;
}

PLANT(FUNCTION_MOVED, static void placed(void), )
PLANT(FUNCTION_MOVED, , static void placed(void))
{
    sum += 1;
}

int main(void) {
    moved();
    extra();
    missing();
    branch(1);
    rounds();
    other();
    calls();
    recurse(3 + PLANTED(RECURSION_DEEPER));
    early(1);
    PLANT(FRAME_BETWEEN, between, innermost)(); /* LINE main */
    PLANT(FUNCTION_RENAMED, renamed, named)();
    placed();
    printf("done\n");
    return 0;
}
