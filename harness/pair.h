/* Two debuggees of one program, loaded into this process and suspended before their first instruction. */
#ifndef LOCKSTEP_HARNESS_PAIR_H
#define LOCKSTEP_HARNESS_PAIR_H

#include "harness/native_view.h"
#include "harness/witness.h"

struct hx_debuggee {
    struct st_image *image; /* native */
    struct rt_module *module;
    struct st_debug *debug; /* of the module */
    struct rt_code *code;
    struct rt_store *store;
    struct rt_wasi *wasi;
    struct rt_instance *instance;
    struct hx_native_view *view; /* compiled code as native code, and what is registered of it */
    struct st_jit_images *images;
    void *room; /* near that code, while it is loaded */
    struct st_session *session;
};

struct hx_pair {
    struct hx_debuggee sides[2];
};

/* Compiles a module with the oracle's probe sites in its code, so that each statement has some of its own. */
RT_MUST_USE struct rt_error *hx_compile_sites(const struct rt_module *module, const struct st_debug *debug,
                                              const struct rt_compile_options *options, struct rt_code **ret);

struct hx_load {
    enum hx_witness_kind kind;
    const char *path;
    enum rt_engine engine; /* of a module */
    /* What a guest prints (see rt_wasi_options). */
    bool (*write)(void *user, int fd, const void *bytes, size_t size);
    void *write_user;
    /* The module's code has sites at all line rows and functions' starts, not only where the oracle may stop.
     */
    bool all_rows;
};

/* Loads one. A shared object runs its constructors here, so this belongs in a process of its own. A native
 * program prints to this process's descriptors 1 and 2. Close it on error too. */
RT_MUST_USE struct rt_error *hx_debuggee_open(const struct hx_load *load, struct hx_debuggee *ret);
void hx_debuggee_close(struct hx_debuggee *debuggee);

/* Loads both, modules first: they cannot run anything while they are looked at. */
RT_MUST_USE struct rt_error *hx_pair_open(const struct hx_load loads[2], struct hx_pair *ret);
void hx_pair_close(struct hx_pair *pair);

#endif
