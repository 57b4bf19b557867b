/* What a replayed WASI command prints: its writes to standard output and error, taken from its memory when
 * the trace says how much of them the recorded host took. */
#ifndef LOCKSTEP_HARNESS_REPLAY_OUTPUT_H
#define LOCKSTEP_HARNESS_REPLAY_OUTPUT_H

#include "runtime/trace/trace.h"

struct hx_replay_output {
    /* The guest's descriptors that are its standard output and error, as it closes and renumbers them. */
    struct hx_replay_stream {
        uint32_t fd;
        bool is_open;
    } streams[2];
    bool (*write)(void *user, int fd, const void *bytes, size_t size); /* fd: 1 or 2; false: it failed */
    void *user;
    bool has_failed;

    enum hx_replay_call { HX_REPLAY_OTHER, HX_REPLAY_WRITE, HX_REPLAY_CLOSE, HX_REPLAY_RENUMBER } call;
    uint32_t args[4]; /* of the call that is open */
};

struct hx_replay_output
hx_replay_output_make(bool (*write)(void *user, int fd, const void *bytes, size_t size), void *user);
/* For struct rt_replayer_options; `user` is the struct hx_replay_output. */
void hx_replay_output_event(void *user, struct rt_caller *caller, const char *import,
                            const struct rt_trace_event *event);
/* A `write` for the process's own streams. */
bool hx_replay_output_write(void *user, int fd, const void *bytes, size_t size);

#endif
