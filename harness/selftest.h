/* The self-test: what the comparison notices of faults that are planted in debug information and in traces,
 * and whether it names the right thing. A program that agrees is compiled once; each fault then has a process
 * of its own. */
#ifndef LOCKSTEP_HARNESS_SELFTEST_H
#define LOCKSTEP_HARNESS_SELFTEST_H

#include "harness/job.h"
#include "harness/plant.h"
#include "harness/shown.h"

#include <stdio.h>

enum { HX_SELFTEST_MOST = 512, HX_SELFTEST_TEXT = 160 };

/* What came of one fault. */
struct hx_fault {
    enum hx_plant_class class;
    enum hx_side side;
    bool is_visible;                 /* the second reader says that it changes what is shown */
    bool is_noticed;                 /* there was a finding of one of the class's kinds */
    bool is_named;                   /* that named what the class asks for */
    char where[HX_SELFTEST_TEXT];    /* what was planted: function, variable, lines */
    char reason[HX_SELFTEST_TEXT];   /* of a miss or a wrong name, to be grouped by; else "" */
    char unjudged[HX_SELFTEST_TEXT]; /* why the second reader could not tell whether it is visible; else "" */
};

/* What one program gave, in memory that its process shares. */
struct hx_faults {
    bool agrees;                       /* without a fault, in one comparison at least */
    char reason[2 * HX_SELFTEST_TEXT]; /* why others did not, or why nothing could be done */
    size_t count;
    struct hx_fault items[HX_SELFTEST_MOST];
};

struct hx_selftest {
    struct hx_setup check; /* how programs are compared */
    const char *dwarfdump; /* the second reader's path */
    bool wanted[HX_PLANT_COUNT];
    bool sides[HX_SIDE_COUNT]; /* that faults are planted in */
    uint64_t seed;             /* of all that is chosen */
    uint64_t tries;            /* faults of a class that are planted in a program, until one is visible */
    const char *keep;          /* absolute; folder for what was missed or named wrongly, or NULL */
};

/* Generates or compiles the program in the folder and plants faults in it, at most `most` visible ones. Runs
 * in this process, which is the program's own. */
RT_MUST_USE struct rt_error *hx_selftest_program(const struct hx_selftest *selftest,
                                                 const struct hx_source *source, const struct hx_temp *folder,
                                                 size_t most, struct hx_faults *ret);
/* trace_selftest.c (only with LOCKSTEP_RR): the same of a recording of the WASI generator's program, for the
 * classes of traces; adds to *ret. */
RT_MUST_USE struct rt_error *hx_selftest_traces(const struct hx_selftest *selftest, uint64_t seed,
                                                const struct hx_temp *folder, size_t most,
                                                struct hx_faults *ret);
/* All that is wanted of a source. A file has no recording: which folders it would run with is not known. */
RT_MUST_USE struct rt_error *hx_selftest_source(const struct hx_selftest *selftest,
                                                const struct hx_source *source, const struct hx_temp *folder,
                                                size_t most, struct hx_faults *ret);

/* selftest_keep.c: copies files into a folder of selftest->keep, with the fault in words. `number` is the
 * fault's of the program's; `result` may be NULL. */
struct hx_selftest_file {
    const char *from, *name;
};
RT_MUST_USE struct rt_error *hx_selftest_keep(const struct hx_selftest *selftest, uint64_t program,
                                              size_t number, const struct hx_fault *fault,
                                              const struct hx_selftest_file *files, size_t count,
                                              const struct hx_result *result);

/* selftest_compare.c: compares two files in a process of its own: a shared object and a module, or, of
 * HX_TWINS, two of the side's, the good one first. What the process does, dying included, is in the result.
 */
RT_MUST_USE struct rt_error *hx_selftest_compare(const struct hx_setup *setup, enum hx_pairing pairing,
                                                 enum hx_side side, const char *const paths[2],
                                                 struct hx_result *ret);

/* selftest_report.c */
struct hx_recall_count {
    uint64_t planted, visible, noticed, named;
    uint64_t unjudged; /* of the planted: the second reader could not judge them */
};
struct hx_recall {
    struct hx_recall_count counts[HX_SIDE_COUNT][HX_PLANT_COUNT];
    uint64_t programs, in_part, set_aside; /* `in_part` of the programs lacked a comparison */
    char unjudged[HX_SELFTEST_TEXT];       /* why, of the first one */
    struct hx_miss {
        enum hx_plant_class class;
        enum hx_side side;
        bool is_noticed; /* named wrongly */
        uint64_t count;
        char reason[HX_SELFTEST_TEXT];
    } *misses; /* malloc'd */
    size_t miss_count;
};
/* Counts a program's faults, until *left of them were visible; *left loses them. */
RT_MUST_USE struct rt_error *hx_recall_add(struct hx_recall *recall, const struct hx_faults *faults,
                                           uint64_t *left);
void hx_recall_print(const struct hx_recall *recall, FILE *file);
void hx_recall_json(const struct hx_recall *recall, FILE *file);
/* Whether of each side's visible faults as many were noticed and named as these parts of a hundred. */
bool hx_recall_meets(const struct hx_recall *recall, double noticed, double named);
void hx_recall_clear(struct hx_recall *recall);

/* selftest_queue.c: programs in processes of their own, whatever they do to them; counted in their order. */
enum { HX_SELFTEST_JOBS = 64 };
struct hx_selftest_queue {
    const struct hx_selftest *selftest;
    const struct hx_temp *temp;
    struct hx_recall *recall;
    uint64_t left; /* visible faults that are wanted */
    unsigned jobs; /* programs at once, HX_SELFTEST_JOBS at most */
    struct hx_selftest_job {
        struct hx_source source;
        struct hx_temp folder;
        struct hx_faults *faults; /* shared with its process */
        int pid;
    } items[HX_SELFTEST_JOBS];
    unsigned first, count;
};
/* Starts a program, unless enough faults were counted; may wait for another one's end. RT_EXIT: interrupted.
 */
RT_MUST_USE struct rt_error *hx_selftest_queue_add(struct hx_selftest_queue *queue,
                                                   const struct hx_source *source);
/* Waits for all. To be called after an error of the other, too. */
RT_MUST_USE struct rt_error *hx_selftest_queue_end(struct hx_selftest_queue *queue);

#endif
