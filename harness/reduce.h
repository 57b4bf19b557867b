/* Reduction: a smaller program that shows the same finding, found by trying. Candidates come from passes over
 * the text (reduce_passes.c) and from C-Vise (reduce_cvise.c); one trial (reduce_trial.c), in a process of
 * its own, says whether a candidate is still a sound program with the same finding. */
#ifndef LOCKSTEP_HARNESS_REDUCE_H
#define LOCKSTEP_HARNESS_REDUCE_H

#include "harness/job.h"
#include "harness/known.h"
#include "harness/program.h"

enum hx_answer {
#define HX_ANSWER(name, words) HX_ANSWER_##name,
#include "harness/reduce_answers.def"
#undef HX_ANSWER
    HX_ANSWER_COUNT,
};
const char *hx_answer_words(enum hx_answer answer);

/* Which finding has to stay: one of the same signature, of which the same witnesses lack a value, and which
 * is the same known defect, or none as well. NULL states with has_states are values. */
struct hx_target {
    const char *signature;
    const char *known; /* NULL: no known defect */
    bool has_states;
    const char *states[2];
};
bool hx_target_is(const struct hx_target *target, const struct hx_finding *finding);

/* Counted by the trials' processes, in memory that they share. */
struct hx_reduce_counts {
    volatile uint64_t answers[HX_ANSWER_COUNT];
};

/* The soundness checks that the first program passes; a check that it fails can say nothing of what is left
 * of it, and is left out. */
struct hx_soundness {
    const char *warnings[HX_MAX_WARNINGS + 1];              /* "-Wno-everything", "-Werror=...", NULL */
    bool undefined, alignment, conversion, memory, address; /* sanitizers */
    struct hx_buffer left_out;                              /* their names, for people; "" */
};

/* How much of a candidate trials look at; what they leave out is asked of the outcome. */
enum hx_extent {
    HX_EXTENT_WHOLE,
    HX_EXTENT_FINDING,   /* no sanitizers */
    HX_EXTENT_SOUNDNESS, /* the sanitizers alone */
};

/* What a pass has done, all its rounds together. */
struct hx_pass {
    const char *name;
    double seconds;
    uint64_t tried, shown; /* candidates, and those of them that show the finding */
    int64_t lines;         /* fewer than before */
};
enum { HX_MAX_PASSES = 24 };

struct hx_reduction {
    struct hx_setup setup; /* has tools and known defects; of one trial's stepping */
    const struct hx_temp *temp;
    struct hx_target target;
    const char *sanitizing_cc; /* an absolute path */
    struct hx_soundness soundness;
    struct hx_reduce_counts *counts;
    unsigned jobs;
    bool is_endless; /* the first program has no end within the time limit, and a smaller one need not */
    enum hx_extent extent;
    uint64_t started, deadline; /* hx_now() */
    size_t enough_lines;        /* a program of so many lines is small enough; 0: none is */
    bool has_progress;          /* a line on standard error */
    const char *pass;           /* the present one; see hx_reduction_begin */
    struct hx_pass passes[HX_MAX_PASSES];
    size_t pass_count;
    uint64_t shown;        /* hx_now() */
    struct hx_buffer best; /* the smallest program so far */
    size_t first_lines;
    struct { /* when the present pass began */
        double seconds;
        uint64_t tried, shown;
        size_t lines;
    } before;
};

/* Prepares trials. Clear it afterwards, on error too. */
RT_MUST_USE struct rt_error *hx_reduction_init(struct hx_reduction *reduction);
void hx_reduction_clear(struct hx_reduction *reduction);

/* Begins a pass, which ends the one before it; NULL: none follows. */
void hx_reduction_begin(struct hx_reduction *reduction, const char *pass);
/* True when the time is up, the program is small enough, or the user has interrupted. */
bool hx_reduction_is_over(const struct hx_reduction *reduction);
void hx_reduction_progress(struct hx_reduction *reduction, bool now);
/* Columns of a line as the layout at the end makes it. */
#define HX_LAYOUT_WIDTH 100
/* Lines that are not blank. */
size_t hx_reduction_lines(const struct hx_buffer *text);

/* ---- One trial (reduce_trial.c) ---- */

/* Finds out which soundness checks the program passes; `folder` is an empty one. RT_USAGE when it is not even
 * accepted. */
RT_MUST_USE struct rt_error *hx_soundness_measure(struct hx_reduction *reduction, const char *text,
                                                  size_t size, const struct hx_temp *folder);
/* Tries a candidate in an empty folder, in this process and what it starts. */
RT_MUST_USE struct rt_error *hx_trial_run(const struct hx_reduction *reduction, const char *text, size_t size,
                                          const struct hx_temp *folder, enum hx_answer *ret);

/* Where the best program shows the finding: the lines of its innermost frames, 0 for none. */
enum { HX_PLACE_LINES = 3 };
RT_MUST_USE struct rt_error *hx_trial_locate(const struct hx_reduction *reduction,
                                             uint32_t ret[HX_PLACE_LINES]);

/* ---- Trials in processes of their own (reduce_trials.c) ---- */

struct hx_trial {
    int pid; /* 0: none */
    int pid_fd;
};
/* Starts a trial in the folder "trial-SLOT". */
RT_MUST_USE struct rt_error *hx_trial_start(struct hx_reduction *reduction, unsigned slot, const char *text,
                                            size_t size, struct hx_trial *ret);
/* Waits for it, which is at once when pid_fd is readable. */
enum hx_answer hx_trial_finish(struct hx_trial *trial);
/* Kills it with all that it started. No trial is fine. */
void hx_trial_stop(struct hx_trial *trial);

enum { HX_MAX_TRIALS = 16 };

/* Tries candidates side by side; *ret_index is the first that shows the finding, `count` when none does or
 * the reduction is over. */
RT_MUST_USE struct rt_error *hx_trials(struct hx_reduction *reduction, const struct hx_buffer *candidates,
                                       size_t count, size_t *ret_index);
/* Tries one, which becomes the best when it shows the finding. */
RT_MUST_USE struct rt_error *hx_try(struct hx_reduction *reduction, const struct hx_buffer *candidate,
                                    bool *ret_same);

/* ---- Sources of candidates; each leaves the best program in reduction->best ---- */

/* reduce_expand.c: the same program without #include; false when there is none to take out or it does not
 * show the finding without it. */
RT_MUST_USE struct rt_error *hx_reduce_expand(struct hx_reduction *reduction);
/* reduce_functions.c: arguments in place of calls; functions that only return zero; parameters as locals. */
RT_MUST_USE struct rt_error *hx_reduce_calls(struct hx_reduction *reduction);
RT_MUST_USE struct rt_error *hx_reduce_bodies(struct hx_reduction *reduction);
RT_MUST_USE struct rt_error *hx_reduce_parameters(struct hx_reduction *reduction);
/* reduce_names.c: without declarations of what is never named, other names of types, prototypes. */
RT_MUST_USE struct rt_error *hx_reduce_unused(struct hx_reduction *reduction);
RT_MUST_USE struct rt_error *hx_reduce_typedefs(struct hx_reduction *reduction);
RT_MUST_USE struct rt_error *hx_reduce_prototypes(struct hx_reduction *reduction);
/* reduce_runs.c: without what never runs; ended once the finding has shown. */
RT_MUST_USE struct rt_error *hx_reduce_idle(struct hx_reduction *reduction);
RT_MUST_USE struct rt_error *hx_reduce_end(struct hx_reduction *reduction);
/* reduce_passes.c: all of the above, top-level forms, statements, blocks, expressions. */
RT_MUST_USE struct rt_error *hx_reduce_passes(struct hx_reduction *reduction);
/* reduce_cvise.c: C-Vise (`path`), with trials served by this process. */
RT_MUST_USE struct rt_error *hx_reduce_cvise(struct hx_reduction *reduction, const char *path);
/* The interestingness test that C-Vise runs, in its folder: asks the serving process whose folder is given.
 */
RT_MUST_USE struct rt_error *hx_reduce_ask(const char *folder, bool *ret_same);
/* Lines as clang-format lays them out, where it is installed and the finding stays. */
RT_MUST_USE struct rt_error *hx_reduce_format(struct hx_reduction *reduction);

#endif
