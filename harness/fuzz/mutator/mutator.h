/* A mutator that knows what traces are made of (runtime/trace/FORMAT.md): it takes one apart down to the
 * fields of its events, changes some, and puts it together again, so that a fuzzer comes past checksums,
 * sizes and counts. hooks.c is what fuzzers call; framing.c, events.c and fields.c are the layers of a trace.
 *
 * All that is random comes from `random`: the same input and seed give the same mutant. */
#ifndef LOCKSTEP_HARNESS_FUZZ_MUTATOR_MUTATOR_H
#define LOCKSTEP_HARNESS_FUZZ_MUTATOR_MUTATOR_H

#include "harness/random.h"

#include "runtime/trace/format.h"

/* ---- Whole inputs ---- */

/* Each changes the `size` bytes of an input in place, which has room for `room` bytes, and returns the
 * mutant's size; 0, with the input as it was, when nothing can be made of it. Events may be taken from the
 * other input, which may be NULL. */
typedef size_t fuzz_mutate(uint8_t *bytes, size_t size, size_t room, const uint8_t *other, size_t other_size,
                           struct hx_random *random);
/* The input of trace.c: a byte, and a trace. */
fuzz_mutate fuzz_mutate_trace;
/* The input of replay.c: events alone. */
fuzz_mutate fuzz_mutate_events;

/* ---- Lists of events ---- */

struct fuzz_event {
    const uint8_t *bytes; /* kind, size and contents */
    size_t size;
};
struct fuzz_events {
    struct rt_arena *arena; /* owns the list and what is made for it */
    struct fuzz_event *items;
    size_t count, capacity;
};

/* Appends the whole events that bytes begin with; they are not copied. */
void fuzz_events_read(struct fuzz_events *events, const uint8_t *bytes, size_t size);
/* Makes a few changes: to fields, to single events, to whole calls. Takes some events of `other` (may be
 * NULL) before. Mostly the result keeps to "Order" of FORMAT.md. */
void fuzz_events_change(struct fuzz_events *events, const struct fuzz_events *other,
                        struct hx_random *random);
/* Leaves out events at the end until all the others are at most `room` bytes. Returns how many those are. */
size_t fuzz_events_fit(struct fuzz_events *events, size_t room);

/* ---- One event ---- */

/* The event with one thing changed: mostly a field, else its bytes. */
struct fuzz_event fuzz_event_change(struct fuzz_event event, struct rt_arena *arena,
                                    struct hx_random *random);
/* An event of any kind with any fields. */
struct fuzz_event fuzz_event_make(struct rt_arena *arena, struct hx_random *random);
/* Changes a byte or two; `size` is not 0. */
void fuzz_bytes_change(uint8_t *bytes, size_t size, struct hx_random *random);

/* ---- What fuzzers call (hooks.c) ---- */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t size, const uint8_t *other, size_t other_size,
                                 uint8_t *out, size_t room, unsigned seed);
void *afl_custom_init(void *fuzzer, unsigned seed);
void afl_custom_deinit(void *state);
size_t afl_custom_fuzz(void *state, uint8_t *data, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t room);

#endif
