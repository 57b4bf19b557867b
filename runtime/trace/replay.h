/* What the replayer's files share (private to the folder). */
#ifndef LOCKSTEP_RUNTIME_TRACE_REPLAY_H
#define LOCKSTEP_RUNTIME_TRACE_REPLAY_H

#include "runtime/trace/names.h"

/* How far a replay is: what changes on the way, and is put back to go back. */
struct rt_replay_progress {
    uint64_t at;     /* number of the event that is being replayed, for messages */
    uint64_t events; /* replayed */
    bool is_out;     /* the trace came to its end while calls were open */
    bool is_stopped; /* by an error: open calls unwind with it */
    /* How much of what the trace defines has been met. The lists may have more, of a time that was gone back
     * from. */
    uint32_t host[RT_EXTERN_GLOBAL + 1], instances, funcrefs;
    uint64_t host_elements; /* of all tables of the host together */

    struct rt_caller *caller; /* of the innermost import's call; NULL when none is open */
    uint32_t import;          /* its number */
    char failure[256];        /* of the last import that trapped */
    bool has_end;
    uint32_t outcome, status, trap;
};

struct rt_replayer {
    struct rt_store *store;
    struct rt_trace_reader *reader;
    struct rt_trace_checker *checker;
    const struct rt_trace_header *header;
    struct rt_arena arena;
    struct rt_code **codes; /* by module */
    struct rt_replayer_options options;

    const struct rt_trace_event *ahead; /* read, not replayed yet; valid until the next is read */
    uint64_t checked; /* events before this one have been checked, and what they define is there */
    struct rt_replay_progress now;
    /* See rt_replayer_watch. */
    rt_replay_write_fn at_write;
    void *write_user;

    /* What the trace's numbers stand for; the other way is in `names`. */
    struct rt_trace_memory host[RT_EXTERN_GLOBAL + 1]; /* pointers, by kind */
    struct rt_trace_memory instances;                  /* struct rt_instance * */
    struct rt_trace_memory funcrefs;                   /* struct rt_func * */
    struct rt_trace_names names;
};

/* replay_host.c: what the host did. Each is given the event that the trace has. */

struct rt_error *rt_replay_define_function(struct rt_replayer *replayer, const struct rt_trace_event *event);
struct rt_error *rt_replay_define_funcref(struct rt_replayer *replayer, const struct rt_trace_event *event);
/* Instantiate, what the host made, and what it changed. *ret_trap: the trap that instantiation ended in, or
 * RT_TRAP_COUNT. */
struct rt_error *rt_replay_host_event(struct rt_replayer *replayer, const struct rt_trace_event *event,
                                      enum rt_trap *ret_trap);
/* The thing of a kind at a place. */
struct rt_error *rt_replay_resolve(const struct rt_replayer *replayer, enum rt_extern_kind kind,
                                   struct rt_trace_place place, void **ret);
/* A value of an event as the engine has it, and back. */
union rt_value rt_replay_value(const struct rt_replayer *replayer, uint8_t type, union rt_value value);
union rt_value rt_replay_number(const struct rt_replayer *replayer, uint8_t type, union rt_value value);

/* replay.c: the host function that stands for function `number` of the trace. */
struct rt_error *rt_replay_serve(void *user, struct rt_caller *caller, const union rt_value *args,
                                 union rt_value *results);
struct rt_replay_function {
    struct rt_replayer *replayer;
    uint32_t number;
    struct rt_func_type type;
};

#endif
