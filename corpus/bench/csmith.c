/* A Csmith program, timed: what Csmith wrote is beside it as program.c, and prints its checksum by itself.
 * The amount is not looked at, for such a program runs once. */
#define main program_main
#include "program.c"
#undef main

#include "bench.h"

static uint64_t work(uint32_t amount) {
    (void)amount;
    return (uint64_t)(unsigned)program_main();
}
