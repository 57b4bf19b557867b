/* What a program of the WASI generator is run with: arguments, environment, folders and standard input, all
 * by its seed. */
#ifndef LOCKSTEP_HARNESS_GUEST_SETUP_H
#define LOCKSTEP_HARNESS_GUEST_SETUP_H

#include "runtime/runtime.h"

/* The folders that the guest gets, in the setup's own folder, and its standard input there. */
#define HX_GUEST_ROOT  "root"  /* the guest's "/" */
#define HX_GUEST_EXTRA "extra" /* the guest's "/extra" */
#define HX_GUEST_INPUT "input"

struct hx_guest_entry {
    enum hx_guest_kind { HX_GUEST_FOLDER, HX_GUEST_FILE, HX_GUEST_LINK } kind;
    const char *path;  /* in the setup's folder; folders come before what is in them */
    const char *bytes; /* of a file; of a link the target, which ends in a zero */
    size_t size;
};

struct hx_guest_setup {
    struct rt_arena arena;
    const char **args; /* args[0] is "program" */
    size_t arg_count;
    const char **env;
    size_t env_count;
    struct hx_guest_entry *entries;
    size_t entry_count;
};

/* The seed's setup. */
RT_MUST_USE struct rt_error *hx_guest_setup_create(uint64_t seed, struct hx_guest_setup *ret);
void hx_guest_setup_clear(struct hx_guest_setup *setup);
/* Makes all entries in `folder`, which is there and empty. All have the same times. */
RT_MUST_USE struct rt_error *hx_guest_setup_make(const struct hx_guest_setup *setup, const char *folder);
/* Appends the words that `lockstep run` takes to run `program` so, for a shell in the setup's folder. */
struct hx_buffer;
void hx_guest_setup_command(const struct hx_guest_setup *setup, const char *program, struct hx_buffer *ret);

#endif
