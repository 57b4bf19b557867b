/* A campaign as it is reported: everything that a report shows, read from its database at once. */
#ifndef LOCKSTEP_HARNESS_CAMPAIGN_VIEW_H
#define LOCKSTEP_HARNESS_CAMPAIGN_VIEW_H

#include "harness/database.h"
#include "harness/finding_read.h"

/* Signatures that a report lists, those whose smallest program it shows, and bytes of all their sources as
 * the page has them, so that its size is bounded. */
enum { HX_LISTED_SIGNATURES = 1000, HX_DETAILED_SIGNATURES = 100, HX_SHOWN_SOURCE = 3 << 20 };

struct hx_named { /* a verdict and its programs, a tool and its version */
    const char *name, *text;
    uint64_t count;
};
struct hx_named_list {
    struct hx_named *items;
    size_t count;
};

/* A point of a plot. */
struct hx_point {
    uint64_t x, y;
};
struct hx_points {
    struct hx_point *items;
    size_t count;
};

struct hx_signature_view {
    uint64_t id;
    const char *text, *kind;
    const char *known;  /* a known defect's name, or NULL */
    const char *folder; /* in the campaign's, or NULL */
    uint64_t findings, programs, first_seed;
    /* Of its smallest program, when it is among the first HX_DETAILED_SIGNATURES. */
    bool has_detail;
    uint64_t seed, size;
    struct hx_told told;
    const char *source;      /* NULL when it is not kept, or when sources have become too many */
    const char *source_name; /* as line tables have it, without its folders */
    bool is_reduced;         /* it is what `lockstep reduce` made of the first finding */
};

struct hx_campaign_view {
    const char *folder;
    uint64_t runs, sessions, programs, findings, stops, compared, unchanged;
    uint64_t unknown_signatures, known_signatures;
    uint64_t milliseconds;         /* that its sessions took, by the clock */
    uint64_t started, ended;       /* milliseconds since 1970; 0: no session */
    double stages[HX_STAGE_COUNT]; /* seconds */
    struct hx_named_list verdicts, tools, flags;
    struct hx_named_list gone;            /* known defects that no longer show: name, reason, seeds */
    struct hx_points discoveries;         /* programs, signatures seen by then */
    struct hx_points throughput;          /* minutes since the first, programs */
    struct hx_signature_view *signatures; /* unknown ones first, then by how often they were seen */
    size_t signature_count;               /* at most HX_LISTED_SIGNATURES */
    uint64_t signatures_left_out;
};

/* All of it in the arena. */
RT_MUST_USE struct rt_error *hx_campaign_view(struct hx_database *database, const char *folder,
                                              struct rt_arena *arena, struct hx_campaign_view *ret);

#endif
