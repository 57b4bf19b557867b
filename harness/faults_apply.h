/* The parts of fault plans, private to faults.c and faults_apply.c: kinds of faults, what may happen to which
 * function, and giving a call its fault. */
#ifndef LOCKSTEP_HARNESS_FAULTS_APPLY_H
#define LOCKSTEP_HARNESS_FAULTS_APPLY_H

#include "harness/random.h"

#include "runtime/runtime.h"

enum hx_fault_kind {
    HX_FAULT_ERROR,
#define HX_FAULT(kind, word, unit) HX_FAULT_##kind,
#include "harness/faults.def"
#undef HX_FAULT
    HX_FAULT_KINDS,
};

enum hx_transfer {
    HX_TRANSFER_NONE,
    HX_TRANSFER_VECTORS, /* the second parameter is the iovecs' address, the third their count */
    HX_TRANSFER_BUFFER,  /* the third parameter is the buffer's size */
};

/* A row of faults.def. */
struct hx_faulty {
    const char *function;
    uint32_t kinds; /* 1 << enum hx_fault_kind */
    enum hx_transfer transfer;
    const char *errnos; /* with spaces between */
};

struct hx_fault {
    enum hx_fault_kind kind;
    int64_t amount; /* an errno, bytes, or milliseconds */
};
#define HX_FAULT_ANY INT64_MIN /* bytes or milliseconds: as the call and random numbers have it */

enum { HX_FAULT_CLOCKS = 4 };

/* A call that a guest makes. */
struct hx_fault_call {
    struct rt_caller *caller;
    const struct rt_func *func;
    const union rt_value *args;
    union rt_value *results;
    const struct hx_faulty *function; /* NULL: it has no row */
    int64_t *jumps;                   /* of HX_FAULT_CLOCKS clocks, in nanoseconds */
};

/* Whether the fault fits the call. An amount of HX_FAULT_ANY becomes one that does. */
bool hx_fault_fit(const struct hx_fault_call *call, struct hx_random *random, struct hx_fault *fault);
/* Serves the call with a fault that fits it. */
RT_MUST_USE struct rt_error *hx_fault_apply(const struct hx_fault_call *call, const struct hx_fault *fault);
/* Serves the call without a fault; clocks that have jumped stay where they are. */
RT_MUST_USE struct rt_error *hx_fault_pass(const struct hx_fault_call *call);

#endif
