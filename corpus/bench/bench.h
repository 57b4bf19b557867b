/* What the programs of this folder share: a command that does an amount of work, then prints the work's
 * checksum and the seconds that it took by the program's own clock, so that all engines are timed alike and
 * start-up is not. Usage: PROGRAM AMOUNT. With LOCKSTEP_BARE defined as an amount, the module imports nothing
 * and exports `run`, which does that amount and returns the checksum: for engines without WASI. */
#ifndef LOCKSTEP_CORPUS_BENCH_H
#define LOCKSTEP_CORPUS_BENCH_H

#include <stdint.h>

/* The program's own: does `amount` units of work and returns what they gave. */
static uint64_t work(uint32_t amount);

#ifdef LOCKSTEP_BARE

__attribute__((export_name("run"))) uint64_t run(void) {
    return work(LOCKSTEP_BARE);
}

#else

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    uint32_t amount = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1;
    double started = seconds();
    uint64_t checksum = work(amount);

    printf("result %016llx\nseconds %.9f\n", (unsigned long long)checksum, seconds() - started);
    return 0;
}

#endif

#endif
