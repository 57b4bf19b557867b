/* Child processes: no shell, output captured and bounded, a time limit. */
#ifndef LOCKSTEP_HARNESS_PROCESS_H
#define LOCKSTEP_HARNESS_PROCESS_H

#include "harness/buffer.h"

struct hx_process {
    /* Asked for */
    const char *const *argv; /* argv[0] is a path, or a name that PATH finds; NULL-terminated */
    const char *directory;   /* to run in; NULL: this one */
    unsigned time_limit;     /* milliseconds; 0: none */
    bool own_group;          /* a process group of its own, which the time limit kills as a whole */

    /* Told */
    struct hx_buffer output; /* standard output and standard error together, the first MiB of it */
    int status;              /* as waitpid has it */
    bool timed_out;
    double seconds;
    uint64_t peak_kib; /* largest resident set, its children's included */

    /* Private to process.c */
    int pid, fd;
    uint64_t deadline;
};

/* Runs all of them at once and waits until all have ended. A program that cannot be started is an error
 * ("cannot run NAME: ..."); one that fails is not: look at `status`. Clear each afterwards, on error too. */
RT_MUST_USE struct rt_error *hx_process_run(struct hx_process *processes, size_t count);
void hx_process_clear(struct hx_process *process);

bool hx_process_succeeded(const struct hx_process *process);
/* "exit status 1", "signal 11 (Segmentation fault)", "no end after 5 s"; lives in `text`. */
const char *hx_process_describe(const struct hx_process *process, char *text, size_t size);
const char *hx_status_describe(int status, char *text, size_t size);
/* The line of its output that says most: the first with "error" or "fatal" in it, else the last one. Copied
 * into `text`, shortened to fit; "" when there is no output. */
const char *hx_process_complaint(const struct hx_process *process, char *text, size_t size);

/* Monotonic milliseconds. */
uint64_t hx_now(void);
/* Monotonic seconds, for measuring. */
double hx_seconds(void);

#endif
