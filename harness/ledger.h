/* What a campaign writes down while it runs, and remembers when it is resumed: its run in the database of its
 * folder. A program's row and its findings are written together, after the findings' folders; a seed that has
 * a row is done. */
#ifndef LOCKSTEP_HARNESS_LEDGER_H
#define LOCKSTEP_HARNESS_LEDGER_H

#include "harness/database.h"
#include "harness/job.h"
#include "harness/known.h"
#include "harness/tally.h"
#include "harness/versions.h"

/* What one session of a campaign is to do. */
struct hx_asked {
    uint64_t first_seed, last_seed; /* UINT64_MAX: without end */
    uint64_t time_limit;            /* milliseconds; 0: none */
    unsigned jobs;
    bool is_over; /* of one that is recalled: its time has run out */
};

/* What a run is made with, and its list of known defects. */
struct hx_run {
    struct hx_facts flags, tools;
    const struct hx_known *known;
    const char *known_compiler; /* whose seeds are to show known defects, at `optimisation`; NULL: none are */
    const char *optimisation;
};

struct hx_ledger {
    struct hx_database database;
    const char *folder; /* the caller's */
    uint64_t run;
    char session[33];
    uint64_t *done; /* seeds that a session before this one did, ascending */
    size_t done_count, next;
};

/* Opens the folder's database for writing. Without `is_resume` both are made when they are not there. */
RT_MUST_USE struct rt_error *hx_ledger_open(const char *folder, bool is_resume, struct hx_ledger *ret);
/* Commits, and leaves the session without an end. All zero is fine. */
void hx_ledger_close(struct hx_ledger *ledger);

/* The flags of the folder's only run, and what is left of what its last session was asked. RT_USAGE when it
 * has several runs or none. Strings live in the arena. */
RT_MUST_USE struct rt_error *hx_ledger_recall(struct hx_ledger *ledger, struct rt_arena *arena,
                                              struct hx_facts *ret_flags, struct hx_asked *ret_asked);
/* Begins a session of the run: it is made when the database has none, and RT_USAGE tells what differs when
 * the database has others alone. Adds what was done before to the tally, which is empty. */
RT_MUST_USE struct rt_error *hx_ledger_begin(struct hx_ledger *ledger, const struct hx_run *run,
                                             const struct hx_asked *asked, struct hx_tally *tally);
/* Whether a session before this one did the seed. Ask for ascending seeds. */
bool hx_ledger_is_done(struct hx_ledger *ledger, uint64_t seed);
/* Writes down a finished job, which the tally has already. */
RT_MUST_USE struct rt_error *hx_ledger_add(struct hx_ledger *ledger, const struct hx_job *job,
                                           const struct hx_result *result, struct hx_tally *tally);
/* Ends the session. */
RT_MUST_USE struct rt_error *hx_ledger_end(struct hx_ledger *ledger);

/* ledger_recall.c: what the run's sessions did, into the tally and `done`. */
RT_MUST_USE struct rt_error *hx_ledger_load(struct hx_ledger *ledger, struct hx_tally *tally);

#endif
