/* One program in a process of its own: a worker that generates, compiles, loads and compares, and the
 * parent's hold on it. Whatever the program does to the worker, the parent gets a result. */
#ifndef LOCKSTEP_HARNESS_JOB_H
#define LOCKSTEP_HARNESS_JOB_H

#include "harness/engines.h"
#include "harness/generator.h"
#include "harness/tools.h"
#include "harness/witness.h"

#define HX_DEFAULT_STOPS      20000
#define HX_DEFAULT_VISITS     100
#define HX_DEFAULT_TIME_LIMIT 1000

/* What all programs of a command share. */
struct hx_setup {
    const struct hx_tools *tools;         /* NULL when nothing is compiled */
    const struct hx_generator *generator; /* of seeds' programs in C; NULL when there are none */
    const char *csmith_words;             /* extra words for Csmith, or NULL */
    uint64_t max_stops;                   /* compared stops a program */
    uint64_t max_visits;                  /* how often one statement is compared */
    unsigned time_limit;                  /* milliseconds of stepping a program */
    enum rt_engine engine;                /* of the Wasm side */
    const struct hx_engines *engines;     /* compare engines on the module alone; NULL: native and Wasm */
    bool is_self;                         /* compare each build with itself; engines is NULL */
    uint64_t self_steps;                  /* then: instructions a build; 0: no limit */
    const struct hx_witnesses *witnesses; /* NULL: native and wasm */
    const struct hx_known *known;         /* tells which findings ask for control builds; NULL: none */
    bool is_one_compiler;                 /* it made both sides */
    bool is_unoptimised;                  /* the code is not optimised: see or_options */
    bool leave_locals;                    /* likewise */
};

/* Where a program comes from: a seed, a C file, or a pair that was built elsewhere. Paths are absolute. */
struct hx_source {
    bool has_seed;
    uint64_t seed;
    const char *c_file;
    const char *native, *wasm;
    const char *text; /* of such a pair: the C file that it was made of, for control builds; NULL: unknown */
    const struct hx_witness *pair[2]; /* of another job's program, these two alone, by its artifacts */
    const char *artifacts[2];
};

/* In memory that worker and parent share, so that it outlives a crash. */
struct hx_shared {
    struct or_progress progress;
    volatile uint32_t stage;      /* enum hx_stage */
    volatile unsigned part_limit; /* milliseconds of a worker of its own, which it has to outlive; 0: none */
    volatile uint64_t stage_started; /* hx_now() */
    volatile double seconds[HX_STAGE_COUNT];
};

struct hx_job {
    const struct hx_setup *setup;
    struct hx_source source;
    struct hx_temp folder; /* the program's files: HX_SOURCE and its siblings */
    int pid;               /* 0: no job */
    int pid_fd;            /* readable when the worker has ended */
    int result_fd;         /* the parent's end; not blocking */
    int output_fd[2];      /* what the worker's descriptors 1 and 2 got; the parent keeps them for a crash */
    struct hx_shared *shared;
    struct hx_buffer bytes;
    bool timed_out;
    bool is_part; /* it is a worker's own, and stays in that one's process group */
};

/* No job: what hx_job_clear leaves behind. */
void hx_job_init(struct hx_job *job);
/* Makes the folder NAME in `temp` and starts the worker. */
RT_MUST_USE struct rt_error *hx_job_start(const struct hx_setup *setup, const struct hx_source *source,
                                          const struct hx_temp *temp, const char *name, struct hx_job *ret);
/* Kills a worker that is past its deadline, with all that it started. */
void hx_job_enforce(struct hx_job *job);
/* Takes what the worker has written so far; never blocks. */
void hx_job_read(struct hx_job *job);
/* Ends the worker if it still runs, and tells what came of it. The folder stays, for finding_write. */
RT_MUST_USE struct rt_error *hx_job_finish(struct hx_job *job, struct hx_result *ret);
/* Kills what runs and removes the folder. */
void hx_job_clear(struct hx_job *job);

/* Starts a job and waits for it. RT_EXIT when the user interrupts. */
RT_MUST_USE struct rt_error *hx_job_run(const struct hx_setup *setup, const struct hx_source *source,
                                        const struct hx_temp *temp, struct hx_job *job,
                                        struct hx_result *ret);

/* Begins a step that may take as long as a stage, with a worker for it, or a compiler; `limit` is the
 * worker's, in milliseconds of stepping. */
void hx_worker_begin_part(const struct hx_job *job, unsigned limit);
/* The program's C file, seen from a folder in the program's own; NULL: of a pair whose text nobody has. */
const char *hx_worker_text(const struct hx_job *job);
/* worker.c: the worker's whole life, in the forked child. */
_Noreturn void hx_worker_main(const struct hx_job *job, int result_fd);

/* The two witnesses of a comparison, and the files that they are made of. */
struct hx_two {
    const struct hx_witness *witness[2];
    const char *artifact[2];
};

/* worker.c: such a part. Compares the two in a worker of their own, with milliseconds of stepping; because a
 * loaded image runs once in a process. What the initialised result had is gone. */
RT_MUST_USE struct rt_error *hx_worker_compare(const struct hx_job *job, const struct hx_two *two,
                                               unsigned limit, struct hx_result *result);

/* check.c: loads both artifacts and compares them; the worker's last stage. `output_fd` are its own
 * descriptors 1 and 2, `result_fd` is what a forked child must not keep. */
RT_MUST_USE struct rt_error *hx_check_pair(const struct hx_setup *setup, const struct hx_two *two,
                                           const int output_fd[2], struct or_progress *progress,
                                           int result_fd, struct hx_result *result);

/* check_self.c: compares each build with itself, stepped by lines and by instructions. NULL leaves one out.
 */
RT_MUST_USE struct rt_error *hx_check_self(const struct hx_setup *setup, const char *native, const char *wasm,
                                           struct or_progress *progress, int result_fd,
                                           struct hx_result *result);
/* check_witnesses.c: compares the setup's witnesses pair by pair, each pair in a worker of its own, and puts
 * the findings together with the blame. In the worker that has made the artifacts. */
RT_MUST_USE struct rt_error *hx_check_witnesses(const struct hx_job *job, struct hx_result *result);
/* The setup's first two witnesses with a program's artifacts, in the arena. */
RT_MUST_USE struct rt_error *hx_first_two(const struct hx_setup *setup, const struct hx_source *source,
                                          const char *folder, struct rt_arena *arena, struct hx_two *ret);
/* check_again.c: where one build has ended and the other has not, the comparison with more time takes the
 * result's place. In the worker that has made the artifacts, or was given them. */
RT_MUST_USE struct rt_error *hx_check_again(const struct hx_job *job, struct hx_result *result);
/* check_control.c: what of the findings is gone when both compilers get the words that a known defect names.
 * In the worker that has made the artifacts, or was given them and their text. */
RT_MUST_USE struct rt_error *hx_check_controls(const struct hx_job *job, struct hx_result *result);
/* True when more than two may have to be asked, or another compiler's. */
bool hx_has_more_witnesses(const struct hx_setup *setup);

/* check_runs.c: for programs that mean nothing natively. Runs the two Wasm builds that hx_compile_levels
 * made, each in a new setup of the seed, and compares what they print and how they end. */
RT_MUST_USE struct rt_error *hx_compile_levels(const struct hx_tools *tools, const char *folder);
RT_MUST_USE struct rt_error *hx_check_runs(const struct hx_setup *setup, uint64_t seed, const char *folder,
                                           struct hx_result *result);

#endif
