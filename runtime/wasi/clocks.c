/* Clocks, random bytes, yielding: what comes from outside and is not a file. A deterministic guest gets a
 * clock that ticks by one millisecond a reading, and a fixed sequence of random bytes. */
#include "runtime/wasi/wasi.h"

#include <errno.h>
#include <sched.h>
#include <sys/random.h>

enum { TICK = 1000 * 1000 };

static const clockid_t host_clocks[] = {
    [RT_WASI_CLOCK_REALTIME] = CLOCK_REALTIME,
    [RT_WASI_CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
    [RT_WASI_CLOCK_PROCESS] = CLOCK_PROCESS_CPUTIME_ID,
    [RT_WASI_CLOCK_THREAD] = CLOCK_THREAD_CPUTIME_ID,
};

enum rt_wasi_errno rt_wasi_clock_now(struct rt_wasi *wasi, uint32_t clock, uint64_t *ret) {
    if (clock >= RT_WASI_COUNT(host_clocks))
        return RT_WASI_EINVAL;
    if (wasi->is_deterministic) {
        *ret = wasi->ticks;
        wasi->ticks += TICK;
        return RT_WASI_ESUCCESS;
    }
    struct timespec time;
    if (clock_gettime(host_clocks[clock], &time) < 0)
        return rt_wasi_errno_of(errno);
    *ret = rt_wasi_nanoseconds(time);
    return RT_WASI_ESUCCESS;
}

enum rt_wasi_errno rt_wasi_clock_res_get(struct rt_wasi_call *call, const union rt_value *args) {
    uint32_t clock = args[0].i32;
    if (!rt_wasi_in_memory(call, args[1].i32, 8))
        return RT_WASI_EFAULT;
    if (clock >= RT_WASI_COUNT(host_clocks))
        return RT_WASI_EINVAL;
    struct timespec time = {0, TICK};
    if (!call->wasi->is_deterministic && clock_getres(host_clocks[clock], &time) < 0)
        return rt_wasi_errno_of(errno);
    return rt_wasi_write_u64(call, args[1].i32, rt_wasi_nanoseconds(time));
}

enum rt_wasi_errno rt_wasi_clock_time_get(struct rt_wasi_call *call, const union rt_value *args) {
    uint64_t now;
    if (!rt_wasi_in_memory(call, args[2].i32, 8))
        return RT_WASI_EFAULT;
    enum rt_wasi_errno errnum = rt_wasi_clock_now(call->wasi, args[0].i32, &now);
    return errnum ? errnum : rt_wasi_write_u64(call, args[2].i32, now);
}

/* Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014): SplitMix64. */
static uint64_t next_random(struct rt_wasi *wasi) {
    uint64_t x = wasi->random_state += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* Fills buffer[0, size). */
static enum rt_wasi_errno fill_random(struct rt_wasi *wasi, size_t size) {
    if (wasi->is_deterministic) {
        for (size_t i = 0; i < size; i += 8)
            rt_wasi_store(wasi->buffer + i, next_random(wasi), size - i < 8 ? (unsigned)(size - i) : 8);
        return RT_WASI_ESUCCESS;
    }
    for (size_t done = 0; done < size;) {
        ssize_t got = getrandom(wasi->buffer + done, size - done, 0);
        if (got >= 0)
            done += (size_t)got;
        else if (errno != EINTR)
            return rt_wasi_errno_of(errno);
    }
    return RT_WASI_ESUCCESS;
}

enum rt_wasi_errno rt_wasi_random_get(struct rt_wasi_call *call, const union rt_value *args) {
    uint32_t address = args[0].i32, left = args[1].i32;
    if (!rt_wasi_in_memory(call, address, left))
        return RT_WASI_EFAULT;
    while (left) {
        uint32_t part = left < RT_WASI_BUFFER_SIZE ? left : RT_WASI_BUFFER_SIZE;
        enum rt_wasi_errno errnum = fill_random(call->wasi, part);
        if (errnum)
            return errnum;
        if (!rt_guest_write(call->caller, address, call->wasi->buffer, part))
            return RT_WASI_EFAULT;
        address += part;
        left -= part;
    }
    return RT_WASI_ESUCCESS;
}

enum rt_wasi_errno rt_wasi_sched_yield(struct rt_wasi_call *call, const union rt_value *args) {
    (void)call;
    (void)args;
    sched_yield();
    return RT_WASI_ESUCCESS;
}
