/* Small calls of the host: the time, 16 bytes at a place of a file, a descriptor's flags. A unit is 1,000 of
 * each. Its own file program.wasm is the file. */
#include "bench.h"

#include <fcntl.h>
#include <unistd.h>

static uint64_t work(uint32_t amount) {
    uint64_t checksum = 0xcbf29ce484222325u, late = 0;
    double last = seconds();
    int file = open("program.wasm", O_RDONLY);

    for (uint32_t i = 0; i < 1000 * amount; i++) {
        unsigned char bytes[16] = {0};
        double now = seconds();

        late += now < last; /* it never is: the result does not depend on the time */
        last = now;
        if (pread(file, bytes, sizeof bytes, i * 16 % 4096) != sizeof bytes)
            late++;
        for (size_t at = 0; at < sizeof bytes; at++)
            checksum = (checksum ^ bytes[at]) * 0x100000001b3u;
        checksum += (uint64_t)fcntl(file, F_GETFL) + late;
    }
    close(file);
    return checksum;
}
