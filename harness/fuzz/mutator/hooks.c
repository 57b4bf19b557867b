/* What fuzzers call for a mutant, for the one target that FUZZ_MUTATE (a fuzz_mutate) is of. libFuzzer finds
 * LLVMFuzzerCustomMutator in the target's program; afl-fuzz loads this file as a shared object
 * (AFL_CUSTOM_MUTATOR_LIBRARY) and mutates the bytes itself besides. */
#include "harness/fuzz/mutator/mutator.h"

#include <stdlib.h>
#include <string.h>

/* libFuzzer's own mutator; not there in other fuzzers. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);

enum { BYTES_PERCENT = 10 }; /* so many mutants are not of events, but of bytes */

/* A mutant of the bytes as such. */
static size_t mutate_bytes(uint8_t *data, size_t size, size_t room, struct hx_random *random) {
    if (LLVMFuzzerMutate)
        return LLVMFuzzerMutate(data, size, room);
    if (!size) {
        *data = (uint8_t)hx_random_next(random);
        return 1;
    }
    fuzz_bytes_change(data, size, random);
    return size;
}

static size_t mutate(uint8_t *data, size_t size, size_t room, const uint8_t *other, size_t other_size,
                     struct hx_random *random) {
    size_t mutant = 0;
    if (!room)
        return 0;
    if (!hx_random_chance(random, BYTES_PERCENT))
        mutant = FUZZ_MUTATE(data, size, room, other, other_size, random);
    return mutant ? mutant : mutate_bytes(data, size, room, random);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed) {
    struct hx_random random = {seed};
    return mutate(data, size, room, NULL, 0, &random);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t size, const uint8_t *other, size_t other_size,
                                 uint8_t *out, size_t room, unsigned seed) {
    struct hx_random random = {seed};
    size = size < room ? size : room;
    if (size)
        memcpy(out, data, size);
    return FUZZ_MUTATE(out, size, room, other, other_size, &random);
}

/* ---- AFL++ ---- */

struct state {
    struct hx_random random;
    uint8_t *bytes; /* the mutant */
    size_t room;
};

void *afl_custom_init(void *fuzzer, unsigned seed) {
    struct state *state = calloc(1, sizeof *state);
    (void)fuzzer;
    if (state)
        state->random.state = seed;
    return state;
}

void afl_custom_deinit(void *user) {
    struct state *state = user;
    free(state->bytes);
    free(state);
}

size_t afl_custom_fuzz(void *user, uint8_t *data, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t room) {
    struct state *state = user;
    *out = data;
    if (room > state->room) {
        uint8_t *bytes = realloc(state->bytes, room);
        if (!bytes)
            return 0;
        state->bytes = bytes;
        state->room = room;
    }
    size = size < room ? size : room;
    memcpy(state->bytes, data, size);
    *out = state->bytes;
    return mutate(state->bytes, size, room, other, other_size, &state->random);
}
