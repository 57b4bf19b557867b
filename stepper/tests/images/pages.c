/* Several pages of short statements (closing braces, breaks, jumps), for sets of probes that change. */
static volatile int sum;

#define ROUND  "stepper/tests/images/pages_round.h"
#define ROUNDS "stepper/tests/images/pages_rounds.h"

static void many(int a) {
#include ROUNDS
#include ROUNDS
#include ROUNDS
#include ROUNDS
#include ROUNDS
#include ROUNDS
#include ROUNDS
#include ROUNDS
#include ROUNDS
#include ROUNDS
}

int main(void) {
    sum = 0;
    many(0);
    many(1);
    many(2);
    return sum == 100 ? 42 : sum;
}
