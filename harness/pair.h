/* A program's two artifacts, loaded into this process and suspended before their first instruction. */
#ifndef LOCKSTEP_HARNESS_PAIR_H
#define LOCKSTEP_HARNESS_PAIR_H

#include "oracle/oracle.h"

struct hx_pair {
    struct st_image *image;
    struct rt_module *module;
    struct st_debug *debug; /* of the module */
    struct rt_code *code;
    struct rt_store *store;
    struct rt_wasi *wasi;
    struct rt_instance *instance;
    struct st_session *sessions[2]; /* native, Wasm */
};

/* Compiles a module with the oracle's probe sites in its code. */
RT_MUST_USE struct rt_error *hx_compile_sites(const struct rt_module *module, const struct st_debug *debug,
                                              enum rt_engine engine, struct rt_code **ret);

struct hx_pair_options {
    enum rt_engine engine; /* of the Wasm side */
    /* What the Wasm guest prints (see rt_wasi_options). */
    bool (*write)(void *user, int fd, const void *bytes, size_t size);
    void *write_user;
};

/* Loads both, or, where the other is NULL, one. A shared object runs its constructors here, so this belongs
 * in a process of its own. The native program prints to this process's descriptors 1 and 2. Close the pair on
 * error too. */
RT_MUST_USE struct rt_error *hx_pair_open(const char *native, const char *wasm,
                                          const struct hx_pair_options *options, struct hx_pair *ret);
void hx_pair_close(struct hx_pair *pair);

#endif
