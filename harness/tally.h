/* What a campaign has seen so far: counts, sums, and each signature once. */
#ifndef LOCKSTEP_HARNESS_TALLY_H
#define LOCKSTEP_HARNESS_TALLY_H

#include "harness/result.h"

#include <stdio.h>

/* A text that was seen `count` times: a signature, a reason for skipping, or a known defect that no longer
 * shows. */
struct hx_sighting {
    const char *text;
    const char *known;  /* a known defect's name, else NULL */
    const char *folder; /* where it is kept, else NULL */
    uint64_t count;
    uint64_t seed;                         /* the least */
    uint64_t smallest_seed, smallest_size; /* the smallest program's; of several, the least seed */
};

struct hx_sightings {
    struct hx_sighting *items;
    size_t count, capacity;
};

struct hx_tally {
    uint64_t programs, verdicts[HX_VERDICT_COUNT];
    uint64_t recalled; /* of the programs: those that were done before */
    uint64_t findings, unknown;
    uint64_t steps, limited; /* of engines: instructions compared, and modules that a limit ended */
    uint64_t events;         /* of recordings, compared */
    uint64_t readable,
        same; /* parameters and locals at stops: the first witness's, shown alike by the second */
    struct hx_sightings signatures, reasons, gone;
    double seconds[HX_STAGE_COUNT];
    uint64_t worker_kib; /* the largest of all workers */
    /* Of programs that were compared, for medians. */
    uint64_t *stops, *values;
    size_t compared, capacity;
    struct rt_arena arena;
};

void hx_tally_init(struct hx_tally *tally);
void hx_tally_clear(struct hx_tally *tally);
/* Sets `is_new` of findings whose signature is the first. */
RT_MUST_USE struct rt_error *hx_tally_add(struct hx_tally *tally, struct hx_result *result);
/* That the seed no longer shows the known defect. */
RT_MUST_USE struct rt_error *hx_tally_miss(struct hx_tally *tally, const char *defect, uint64_t seed);
/* The sighting of a finding's signature, or NULL. A signature that some findings share with a known defect
 * and others do not is two sightings. */
struct hx_sighting *hx_tally_sighting(struct hx_tally *tally, const struct hx_finding *finding);
/* Upper medians; 0 when nothing was compared. Sorts the arrays. */
void hx_tally_medians(struct hx_tally *tally, uint64_t *ret_stops, uint64_t *ret_values);
/* The summary for people. `seconds` is how long those took that were not recalled. */
void hx_tally_print(struct hx_tally *tally, double seconds, FILE *file);

#endif
