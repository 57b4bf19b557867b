/* One module in two engines: loading it twice, running a command or calling its exports, and what came of it.
 */
#ifndef LOCKSTEP_HARNESS_ENGINES_H
#define LOCKSTEP_HARNESS_ENGINES_H

#include "harness/guest_world.h"
#include "harness/result.h"

#define HX_DEFAULT_STEPS              20000000
#define HX_DEFAULT_ENGINES_TIME_LIMIT 60000

/* What to compare; set for a command, the same for all of its modules. */
struct hx_engines {
    enum rt_engine engines[2];
    uint64_t max_steps;      /* instructions, or stops, of a module */
    bool is_coarse;          /* stop at loops and functions' first instructions alone */
    uint32_t memory_pages;   /* that a memory may have; 0: 1024 */
    const char *invoke;      /* "NAME" or "NAME,ARG,...": one export; NULL: `_start`, or else all exports */
    const char *const *args; /* a command's, args[0] its name */
    size_t arg_count;
    const char *const *env;
    size_t env_count;
    const struct rt_wasi_dir *dirs; /* both sides'; a run that is recorded has copies of its own */
    size_t dir_count;
    const struct hx_guest_setup *setup; /* instead of the above: each run that is recorded has it anew */
    const struct hx_temp *folder;       /* where the runs' folders are made; not needed without is_replay */
    const struct hx_replay_faults *faults; /* that a test plants, else NULL */
    bool is_replay;                        /* record on the first, replay on the second: replays.c */
    const char *wasm_opt; /* a seed is a random module of this tool's; NULL: a Csmith program */
};

struct hx_guest;
struct rt_trace_sink;

/* Faults for tests of --replay, each may be NULL. */
struct hx_replay_faults {
    /* Puts another sink in front of the one that keeps what a round records: 0 the run, 1 its replay, 2 the
     * replay of that; HX_REPLAY_STEPPED the run that is stepped beside its replay. */
    void (*sink)(void *user, unsigned round, struct rt_trace_sink *sink);
    /* At each event of the stepped replay, before it is compared. */
    void (*at_event)(void *user, const struct hx_guest *replay, const struct st_event *event);
    void *user;
};
#define HX_REPLAY_STEPPED 3

/* "compiled,interp"; RT_USAGE when it is not two names. */
RT_MUST_USE struct rt_error *hx_engines_parse(const char *text, enum rt_engine ret[2]);

/* Loads the module twice and compares; the worker's last stage. Sets the result's verdict and findings. */
RT_MUST_USE struct rt_error *hx_engines_check(const struct hx_engines *options, const char *path,
                                              unsigned time_limit, struct or_progress *progress,
                                              struct hx_result *result);

/* ---- engines_guest.c: one side ---- */

struct hx_guest {
    /* Set before opening, or NULL: called when code and store are there. It may instantiate by itself, and
     * say what shall run. */
    struct rt_error *(*prepare)(struct hx_guest *guest, struct st_session_options *session);
    void *prepare_user;
    const struct st_debug *debug; /* or NULL */
    bool is_recorded;             /* it has the real host, and its folders for itself */

    const struct hx_engines *options;
    bool is_command; /* a WASI command that is run by its _start */
    struct rt_code *code;
    struct rt_store *store;
    struct hx_guest_world world; /* of a command that is recorded */
    struct rt_wasi *wasi;        /* of a command, unless it was instantiated by `prepare` */
    struct rt_instance *instance;
    struct st_session *session;
    struct rt_arena arena;
    uint64_t answers;            /* that made-up imports have given */
    struct hx_buffer streams[2]; /* what a command printed */
    struct hx_buffer calls;      /* a line for each call of an export: what came of it */
};

/* Instantiates and makes a session that is ready to run: a WASI command by its `_start`; of another module,
 * whose imports are made up, the exports in their order. Zero the guest before; close it on error too. */
RT_MUST_USE struct rt_error *hx_guest_open(const struct rt_module *module, enum rt_engine engine,
                                           const struct hx_engines *options, struct hx_guest *ret);
void hx_guest_close(struct hx_guest *guest);
/* For WASI and what stands in for it: keeps what a command prints. `user` is the guest. */
bool hx_guest_keep_output(void *user, int fd, const void *bytes, size_t size);

/* Compares two guests that have not run yet, then what they printed and what their calls returned. */
RT_MUST_USE struct rt_error *hx_engines_compare(const struct hx_engines *options,
                                                struct hx_guest *const guests[2],
                                                const struct or_engines_options *compare,
                                                struct hx_result *result);
/* The name of the comparison in the result. */
RT_MUST_USE struct rt_error *hx_engines_name(const struct hx_engines *options, struct hx_result *result);

/* ---- replays.c: a run, its replay, the replay's replay (only with LOCKSTEP_RR) ---- */

/* Records the module on the first engine, replays that on the second, and the recording of the replay on the
 * first: all must agree event by event. Then records another run on the first engine while a replay on the
 * second follows it, compared instruction by instruction. */
RT_MUST_USE struct rt_error *hx_replays_check(const struct hx_engines *options, const char *path,
                                              unsigned time_limit, struct or_progress *progress,
                                              struct hx_result *result);

struct rt_trace_memory;

/* Records a run on the first engine. RT_USAGE when it does not end in time. The caller frees ret->bytes. */
RT_MUST_USE struct rt_error *hx_replay_record(const struct hx_engines *options,
                                              const struct rt_module *module, unsigned time_limit,
                                              struct rt_trace_memory *ret);
/* Replays a trace on an engine. *ret_wrong is what its replay says is wrong with it, or NULL. */
RT_MUST_USE struct rt_error *hx_replay_play(const struct hx_engines *options, const struct rt_module *module,
                                            enum rt_engine engine, const struct rt_trace_memory *trace,
                                            unsigned time_limit, struct rt_error **ret_wrong);

struct hx_replay_at {
    uint64_t number; /* of the event that was replayed last in the call of an import; 0: none */
    char import[64];
};
/* Replays two traces side by side, instruction by instruction, each on its engine. *ret_at is where the
 * second one was in the end. */
RT_MUST_USE struct rt_error *hx_replay_beside(const struct hx_engines *options,
                                              const struct rt_module *module,
                                              const struct rt_trace_memory *const traces[2],
                                              unsigned time_limit, struct hx_result *result,
                                              struct hx_replay_at *ret_at);

#endif
