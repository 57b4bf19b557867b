/* poll_oneoff: waits for the first of clocks and descriptors. A deterministic guest's clock jumps to the
 * earliest deadline instead of waiting for it. */
#include "runtime/wasi/wasi.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum event_type { EVENT_CLOCK = 0, EVENT_FD_READ = 1, EVENT_FD_WRITE = 2 }; /* witx `eventtype` */
enum { CLOCK_ABSOLUTE = 1 };                                                /* witx `subclockflags` */

struct subscription {
    uint64_t userdata;
    enum event_type type;
    enum rt_wasi_errno errnum; /* of the subscription itself: its event is due at once */
    uint32_t clock;
    uint64_t deadline; /* by `clock`, in nanoseconds */
    uint32_t fd;
    struct pollfd *host; /* its entry of waiting.host; NULL for a clock, and with an errnum */
    bool is_due;
};

/* What this function looks at, and what poll(2) does: descriptors only, for it takes no more entries than the
 * process may have files (RLIMIT_NOFILE). */
struct waiting {
    uint32_t count, host_count;
    struct subscription *items;
    struct pollfd *host;
};

/* witx `subscription`; snapshot 0 has a clock identifier of 8 bytes before the rest of a clock. */
static const struct layout {
    uint8_t userdata, type, fd, clock, timeout, flags, size;
} layouts[2] = {
    {0, 8, 16, 16, 24, 40, 48},
    {0, 8, 16, 24, 32, 48, 56},
};

static uint64_t add_saturated(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The time of a clock that can be waited for. Looking at it is no reading: a deterministic clock stays. */
static enum rt_wasi_errno look_at_clock(struct rt_wasi *wasi, uint32_t clock, uint64_t *ret) {
    if (clock == RT_WASI_CLOCK_PROCESS || clock == RT_WASI_CLOCK_THREAD)
        return RT_WASI_ENOTSUP; /* it would stand still while the guest waits */
    if (wasi->is_deterministic && clock <= RT_WASI_CLOCK_THREAD) {
        *ret = wasi->ticks;
        return RT_WASI_ESUCCESS;
    }
    return rt_wasi_clock_now(wasi, clock, ret);
}

static enum rt_wasi_errno parse(struct rt_wasi *wasi, const struct layout *layout, const uint8_t *bytes,
                                struct waiting *waiting, struct subscription *ret) {
    ret->userdata = rt_wasi_load(bytes + layout->userdata, 8);
    ret->type = (enum event_type)bytes[layout->type];
    switch (ret->type) {
    case EVENT_CLOCK: {
        uint64_t now, timeout = rt_wasi_load(bytes + layout->timeout, 8);
        uint64_t flags = rt_wasi_load(bytes + layout->flags, 2);
        ret->clock = (uint32_t)rt_wasi_load(bytes + layout->clock, 4);
        ret->errnum = look_at_clock(wasi, ret->clock, &now);
        if (!ret->errnum && (flags & ~(uint64_t)CLOCK_ABSOLUTE))
            ret->errnum = RT_WASI_EINVAL;
        if (!ret->errnum)
            ret->deadline = flags & CLOCK_ABSOLUTE ? timeout : add_saturated(now, timeout);
        if (ret->deadline > INT64_MAX)
            ret->deadline = INT64_MAX; /* 292 years; UINT64_MAX is no deadline at all */
        break;
    }
    case EVENT_FD_READ:
    case EVENT_FD_WRITE: {
        struct rt_wasi_descriptor *descriptor;
        uint32_t right = ret->type == EVENT_FD_READ ? RT_WASI_RIGHT_FD_READ : RT_WASI_RIGHT_FD_WRITE;
        ret->fd = (uint32_t)rt_wasi_load(bytes + layout->fd, 4);
        ret->errnum =
            rt_wasi_descriptor_get(wasi, ret->fd, right | RT_WASI_RIGHT_POLL_FD_READWRITE, &descriptor);
        if (!ret->errnum) {
            ret->host = &waiting->host[waiting->host_count++];
            ret->host->fd = descriptor->host;
            ret->host->events = ret->type == EVENT_FD_READ ? POLLIN : POLLOUT;
        }
        break;
    }
    default: return RT_WASI_EINVAL;
    }
    ret->is_due = ret->errnum != RT_WASI_ESUCCESS;
    return RT_WASI_ESUCCESS;
}

/* Marks the clocks that are due; gives the nanoseconds to the earliest other one, UINT64_MAX for none. */
static uint64_t check_clocks(struct rt_wasi *wasi, struct waiting *waiting, bool *any_due) {
    uint64_t left = UINT64_MAX;
    for (uint32_t i = 0; i < waiting->count; i++) {
        struct subscription *item = &waiting->items[i];
        uint64_t now;
        if (item->type == EVENT_CLOCK && !item->is_due &&
            look_at_clock(wasi, item->clock, &now) == RT_WASI_ESUCCESS) {
            item->is_due = item->deadline <= now;
            if (!item->is_due && item->deadline - now < left)
                left = item->deadline - now;
        }
        *any_due |= item->is_due;
    }
    return left;
}

/* Returns when something is due. */
static enum rt_wasi_errno wait_for_any(struct rt_wasi *wasi, struct waiting *waiting) {
    for (;;) {
        bool any_due = false;
        uint64_t left = check_clocks(wasi, waiting, &any_due);
        uint64_t wait = any_due || (wasi->is_deterministic && left != UINT64_MAX) ? 0 : left;
        struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
        int ready = ppoll(waiting->host, waiting->host_count, wait == UINT64_MAX ? NULL : &timeout, NULL);
        if (ready < 0 && errno != EINTR)
            return rt_wasi_errno_of(errno);
        for (uint32_t i = 0; ready > 0 && i < waiting->count; i++)
            if (waiting->items[i].host && waiting->items[i].host->revents)
                waiting->items[i].is_due = any_due = true;
        if (ready == 0 && !any_due && wasi->is_deterministic)
            wasi->ticks = add_saturated(wasi->ticks, left);
        check_clocks(wasi, waiting, &any_due);
        if (any_due)
            return RT_WASI_ESUCCESS;
    }
}

static uint64_t readable_bytes(const struct rt_wasi_descriptor *descriptor) {
    struct stat stat;
    if (descriptor->type == RT_WASI_REGULAR_FILE) {
        off_t at = lseek(descriptor->host, 0, SEEK_CUR);
        return at >= 0 && fstat(descriptor->host, &stat) == 0 && stat.st_size > at
                   ? (uint64_t)(stat.st_size - at)
                   : 0;
    }
    int count;
    return ioctl(descriptor->host, FIONREAD, &count) == 0 && count > 0 ? (uint64_t)count : 0;
}

static bool write_event(struct rt_wasi_call *call, uint32_t address, const struct subscription *item) {
    enum {
        USERDATA = 0,
        ERROR = 8,
        TYPE = 10,
        BYTES = 16,
        FLAGS = 24,
        SIZE = 32,
        HANGUP = 1
    }; /* witx `event` */
    uint8_t bytes[SIZE] = {0};
    enum rt_wasi_errno errnum = item->errnum;
    struct rt_wasi_descriptor *descriptor;
    if (item->host && (item->host->revents & POLLNVAL))
        errnum = RT_WASI_EBADF;
    rt_wasi_store(bytes + USERDATA, item->userdata, 8);
    rt_wasi_store(bytes + ERROR, errnum, 2);
    rt_wasi_store(bytes + TYPE, item->type, 1);
    if (!errnum && item->host &&
        rt_wasi_descriptor_get(call->wasi, item->fd, 0, &descriptor) == RT_WASI_ESUCCESS) {
        /* POLLOUT promises room for as much as a pipe takes at once. */
        rt_wasi_store(bytes + BYTES, item->type == EVENT_FD_READ ? readable_bytes(descriptor) : PIPE_BUF, 8);
        rt_wasi_store(bytes + FLAGS, item->host->revents & (POLLHUP | POLLERR) ? HANGUP : 0, 2);
    }
    return rt_guest_write(call->caller, address, bytes, SIZE);
}

enum rt_wasi_errno rt_wasi_poll_oneoff(struct rt_wasi_call *call, const union rt_value *args) {
    enum { EVENT_SIZE = 32 };
    const struct layout *layout = &layouts[call->is_snapshot_0];
    uint32_t events = args[1].i32, count = args[2].i32, result = args[3].i32, written = 0;
    const uint8_t *bytes = rt_guest_view(call->caller, args[0].i32, (size_t)count * layout->size);
    if (!bytes || !rt_wasi_in_memory(call, events, (size_t)count * EVENT_SIZE) ||
        !rt_wasi_in_memory(call, result, 4))
        return RT_WASI_EFAULT;
    if (count == 0 || count > RT_WASI_MAX_SUBSCRIPTIONS)
        return RT_WASI_EINVAL;
    struct waiting waiting = {.count = count,
                              .items = calloc(count, sizeof *waiting.items),
                              .host = calloc(count, sizeof *waiting.host)};
    enum rt_wasi_errno errnum = waiting.items && waiting.host ? RT_WASI_ESUCCESS : RT_WASI_ENOMEM;
    for (uint32_t i = 0; i < count && !errnum; i++)
        errnum = parse(call->wasi, layout, bytes + (size_t)i * layout->size, &waiting, &waiting.items[i]);
    if (!errnum)
        errnum = wait_for_any(call->wasi, &waiting);
    for (uint32_t i = 0; i < count && !errnum; i++)
        if (waiting.items[i].is_due && !write_event(call, events + EVENT_SIZE * written++, &waiting.items[i]))
            errnum = RT_WASI_EFAULT;
    if (!errnum)
        errnum = rt_wasi_write_u32(call, result, written);
    free(waiting.items);
    free(waiting.host);
    return errnum;
}
