/* Waits for the host most of the time, and works a little between. A unit is 5 milliseconds of waiting. */
#include "bench.h"

static uint64_t work(uint32_t amount) {
    uint64_t checksum = 0xcbf29ce484222325u;

    for (uint32_t i = 0; i < amount; i++) {
        const struct timespec pause = {.tv_nsec = 5000000};

        nanosleep(&pause, NULL);
        for (uint32_t j = 0; j < 10000; j++)
            checksum = (checksum ^ (i + j)) * 0x100000001b3u;
    }
    return checksum;
}
