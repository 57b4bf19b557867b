/* What a replayed WASI command prints. */
#include "harness/replay_output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct hx_replay_output
hx_replay_output_make(bool (*write)(void *user, int fd, const void *bytes, size_t size), void *user) {
    return (struct hx_replay_output){
        .streams = {{STDOUT_FILENO, true}, {STDERR_FILENO, true}}, .write = write, .user = user};
}

bool hx_replay_output_write(void *user, int fd, const void *bytes, size_t size) {
    const char *from = bytes;
    (void)user;
    while (size) {
        const ssize_t done = write(fd, from, size);
        if (done < 0 && errno != EINTR)
            return false;
        from += done > 0 ? done : 0;
        size -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

static struct hx_replay_stream *find_stream(struct hx_replay_output *output, uint32_t fd) {
    for (size_t i = 0; i < 2; i++)
        if (output->streams[i].is_open && output->streams[i].fd == fd)
            return &output->streams[i];
    return NULL;
}

static uint32_t get_u32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* ---- Calls ---- */

static void open_call(struct hx_replay_output *output, const char *import,
                      const struct rt_trace_values *arguments) {
    static const struct {
        const char *name;
        uint32_t args;
        enum hx_replay_call call;
    } calls[] = {{"fd_write", 4, HX_REPLAY_WRITE},
                 {"fd_close", 1, HX_REPLAY_CLOSE},
                 {"fd_renumber", 2, HX_REPLAY_RENUMBER}};
    const char *dot = strrchr(import, '.');

    output->call = HX_REPLAY_OTHER;
    if (!dot || strncmp(import, "wasi_", 5) != 0)
        return;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(dot + 1, calls[i].name) == 0 && arguments->count == calls[i].args)
            output->call = calls[i].call;
    for (uint32_t i = 0; i < arguments->count && i < 4; i++)
        output->args[i] = arguments->values[i].i32;
}

/* The host tells how many bytes it took: those are in memory still as it found them. */
static void take_written(struct hx_replay_output *output, struct rt_caller *caller, uint32_t left) {
    const struct hx_replay_stream *stream = find_stream(output, output->args[0]);
    const int fd = !stream ? -1 : stream == output->streams ? STDOUT_FILENO : STDERR_FILENO;

    for (uint32_t i = 0; fd >= 0 && i < output->args[2] && left; i++) {
        const uint64_t at = output->args[1] + 8 * (uint64_t)i;
        const uint8_t *vector = at <= UINT32_MAX ? rt_guest_view(caller, (uint32_t)at, 8) : NULL;
        uint32_t size = vector ? get_u32(vector + 4) : 0;
        size = size < left ? size : left;
        const uint8_t *bytes = vector ? rt_guest_view(caller, get_u32(vector), size) : NULL;
        if (!bytes)
            return;
        output->has_failed |= size && !output->write(output->user, fd, bytes, size);
        left -= size;
    }
}

static void close_call(struct hx_replay_output *output) {
    struct hx_replay_stream *stream;

    if (output->call == HX_REPLAY_CLOSE && (stream = find_stream(output, output->args[0])))
        stream->is_open = false;
    if (output->call != HX_REPLAY_RENUMBER || output->args[0] == output->args[1])
        return;
    if ((stream = find_stream(output, output->args[1])))
        stream->is_open = false;
    if ((stream = find_stream(output, output->args[0])))
        stream->fd = output->args[1];
}

void hx_replay_output_event(void *user, struct rt_caller *caller, const char *import,
                            const struct rt_trace_event *event) {
    struct hx_replay_output *output = user;

    if (event->kind == RT_TRACE_IMPORT_CALL) {
        open_call(output, import, &event->import_call.arguments);
    } else if (event->kind == RT_TRACE_MEMORY_WRITE) {
        if (output->call == HX_REPLAY_WRITE && event->memory_write.address == output->args[3] &&
            event->memory_write.bytes.size == 4)
            take_written(output, caller, get_u32(event->memory_write.bytes.data));
    } else if (event->kind == RT_TRACE_IMPORT_RETURN) {
        const struct rt_trace_values *results = &event->import_return.results;
        if (results->count == 1 && results->values[0].i32 == 0)
            close_call(output);
        output->call = HX_REPLAY_OTHER;
    }
}
