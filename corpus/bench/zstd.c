/* zstd's streaming compressor at level 3 over the file `input` of the working folder. A unit is one pass over
 * it. Needs zstd's own sources, see ci/bench-programs. */
#include "zstd.h"

#include "bench.h"

static void fail(const char *what) {
    fprintf(stderr, "zstd: %s\n", what);
    exit(1);
}

static uint8_t *read_input(size_t *ret_size) {
    FILE *file = fopen("input", "rb");
    uint8_t *bytes = NULL;
    size_t size = 0, capacity = 0, got;

    if (!file)
        fail("cannot open input");
    do {
        if (size == capacity) {
            capacity = capacity ? capacity * 2 : 1 << 20;
            bytes = realloc(bytes, capacity);
        }
        if (!bytes)
            fail("out of memory");
        got = fread(bytes + size, 1, capacity - size, file);
        size += got;
    } while (got > 0);
    fclose(file);
    *ret_size = size;
    return bytes;
}

/* FNV-1a of what was written. */
static uint64_t add(uint64_t checksum, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        checksum = (checksum ^ bytes[i]) * 0x100000001b3u;
    return checksum;
}

static uint64_t compress_once(ZSTD_CCtx *context, const uint8_t *bytes, size_t size, uint64_t checksum) {
    static uint8_t chunk[1 << 16];
    ZSTD_inBuffer in = {bytes, size, 0};
    size_t left;

    do {
        ZSTD_outBuffer out = {chunk, sizeof chunk, 0};
        left = ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
        if (ZSTD_isError(left))
            fail(ZSTD_getErrorName(left));
        checksum = add(checksum, chunk, out.pos);
    } while (left > 0);
    return checksum;
}

static uint64_t work(uint32_t amount) {
    ZSTD_CCtx *context = ZSTD_createCCtx();
    uint64_t checksum = 0xcbf29ce484222325u;
    size_t size;
    uint8_t *bytes = read_input(&size);

    if (!context)
        fail("out of memory");
    for (uint32_t i = 0; i < amount; i++)
        checksum = compress_once(context, bytes, size, checksum);
    ZSTD_freeCCtx(context);
    free(bytes);
    return checksum;
}
