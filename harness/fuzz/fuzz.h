/* What fuzz targets share: the entry point, a check that stays on in every build, and taking an input apart.
 *
 * A target is one property of any bytes in about a hundred lines. It runs the same twice, leaves no files and
 * bounds its memory and time. Its first comment has a line "Covers: FILE..." that ci/fuzz-coverage reads. */
#ifndef LOCKSTEP_HARNESS_FUZZ_FUZZ_H
#define LOCKSTEP_HARNESS_FUZZ_FUZZ_H

#include <stdlib.h>
#include <string.h>

#include "runtime/base.h"

/* What libFuzzer, AFL++'s driver and standalone.c call; 0 always. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that does not hold is a crash for the fuzzer to report. */
static inline void fuzz_require(bool holds) {
    if (!holds)
        abort();
}

static inline void fuzz_require_same_text(const char *a, const char *b) {
    fuzz_require((a == NULL) == (b == NULL));
    fuzz_require(!a || strcmp(a, b) == 0);
}

/* An error is one line; it is destroyed here. Running out of memory is none: targets bound what they ask for.
 */
static inline void fuzz_require_sound_error(struct rt_error *error) {
    fuzz_require(!error ||
                 (error->code != RT_OUT_OF_MEMORY && error->message[0] && !strchr(error->message, '\n')));
    rt_error_destroy(error);
}

/* The next `size` bytes (at most 8) as a little-endian number; what the input lacks is zero. */
static inline uint64_t fuzz_take(struct rt_cursor *input, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size && input->next < input->end; i++)
        value |= (uint64_t)*input->next++ << (8 * i);
    return value;
}

/* The next `size` bytes, or those that are left. */
static inline const uint8_t *fuzz_take_bytes(struct rt_cursor *input, size_t size, size_t *ret_size) {
    const uint8_t *bytes = input->next;
    *ret_size = size < rt_cursor_left(input) ? size : rt_cursor_left(input);
    input->next += *ret_size;
    return bytes;
}

#endif
