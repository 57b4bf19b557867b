/* Running a WASI command in this process with a setup, and what came of it. */
#ifndef LOCKSTEP_HARNESS_GUEST_RUN_H
#define LOCKSTEP_HARNESS_GUEST_RUN_H

#include "harness/buffer.h"
#include "harness/guest_setup.h"

struct hx_guest_options {
    bool deterministic; /* clocks and random bytes are the runtime's own: see rt_wasi_options */
    /* Each host call's name ("wasi_snapshot_preview1.fd_read"), before the call; NULL: not told. */
    void (*on_call)(void *user, const char *name);
    void *user;
};

struct hx_guest_run {
    struct hx_buffer streams[2]; /* what it wrote to its standard output and error */
    int status;                  /* 134 after a trap, as a shell shows a program that aborted */
    const char *trap;            /* the trap's name (rt_trap_message); NULL when it ended by itself */
};

/* Runs it to its end. `folder` is where hx_guest_setup_make made the setup; the guest changes what is there.
 * A trap is no error. Clear *ret in every case. */
RT_MUST_USE struct rt_error *hx_guest_run(const char *wasm, const struct hx_guest_setup *setup,
                                          const char *folder, const struct hx_guest_options *options,
                                          struct hx_guest_run *ret);
void hx_guest_run_clear(struct hx_guest_run *run);

/* Where two runs are not the same: "standard output" (byte *ret_at), "exit status", "trap"; NULL when they
 * are. What is on standard error depends on the host (generate_wasi.h) and is not looked at. */
const char *hx_guest_run_difference(const struct hx_guest_run *a, const struct hx_guest_run *b,
                                    size_t *ret_at);

#endif
