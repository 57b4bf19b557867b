/* Many programs, several at a time: seeds in order, a worker process each. */
#ifndef LOCKSTEP_HARNESS_CAMPAIGN_H
#define LOCKSTEP_HARNESS_CAMPAIGN_H

#include "harness/job.h"
#include "harness/known.h"
#include "harness/publish.h"
#include "harness/ledger.h"
#include "harness/tally.h"

struct hx_campaign {
    struct hx_setup setup;
    uint64_t first_seed, last_seed;
    const char *const *modules; /* a seed is an index into these, from 1 on; NULL: programs are generated */
    uint64_t time_limit;        /* milliseconds after which no program is started; 0: none */
    unsigned jobs;              /* programs at a time, at least 1 */
    struct hx_ledger *ledger;   /* what is written down, findings in its folder; NULL: nothing is kept */
    const char *known_compiler; /* of both sides, when seeds are to show known defects; else NULL */
    bool is_over;               /* starts nothing: what was done before is all */
    bool news;                  /* a line for each signature that is seen for the first time */
    bool json;                  /* one object a program on standard output */
    struct hx_publisher *publisher; /* is given each result */
    bool progress;                  /* a line on standard error that is written over and over */
    /* Called after each program; may be NULL. */
    void (*watch)(void *user, const struct hx_tally *tally);
    void *user;
};

/* Runs until the seeds, the time or the user's patience end; passes over seeds that the ledger has. `tally`
 * is valid on error too. */
RT_MUST_USE struct rt_error *hx_campaign_run(const struct hx_campaign *campaign, const struct hx_temp *temp,
                                             struct hx_tally *tally);
/* Number of processor cores that this process may use. */
unsigned hx_core_count(void);

#endif
