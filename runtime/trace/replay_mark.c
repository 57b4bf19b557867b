/* Marks: how far a replay is, to go back to. */
#include "runtime/trace/replay.h"

#include <stdlib.h>

struct rt_replay_mark {
    struct rt_trace_position position;
    bool is_ahead; /* `again` has been read, and is to be read again */
    uint64_t again;
    struct rt_replay_progress progress;
};

struct rt_error *rt_replay_mark_take(const struct rt_replayer *replayer, struct rt_replay_mark **ret) {
    struct rt_replay_mark *mark = calloc(1, sizeof *mark);
    if (!mark)
        return rt_error_out_of_memory();
    mark->progress = replayer->now;
    mark->is_ahead = replayer->ahead;
    mark->again = mark->is_ahead ? replayer->ahead->number : 0;
    struct rt_error *error = rt_trace_reader_tell(replayer->reader, &mark->position);
    if (error)
        free(mark);
    else
        *ret = mark;
    return error;
}

struct rt_error *rt_replay_mark_restore(const struct rt_replay_mark *mark, struct rt_replayer *replayer) {
    replayer->ahead = NULL;
    replayer->now = mark->progress;
    return mark->is_ahead ? rt_trace_reader_seek(replayer->reader, mark->again)
                          : rt_trace_reader_return(replayer->reader, &mark->position);
}

void rt_replay_mark_destroy(struct rt_replay_mark *mark) {
    free(mark);
}

void rt_replayer_watch(struct rt_replayer *replayer, rt_replay_write_fn at_write, void *user) {
    replayer->at_write = at_write;
    replayer->write_user = user;
}
