/* Giving a call of a WASI function its fault. What a function would read from the guest's memory and shall
 * read otherwise is changed there for the time of the call, past the recorder: the guest has control neither
 * before nor after while it is, and never sees it. */
#include "harness/faults_apply.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_VECTORS = 1024, MOST_SUBSCRIPTIONS = 1024 }; /* a host refuses more */

/* ---- The guest's memory ---- */

static uint64_t load(const uint8_t *from, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static void store(uint8_t *to, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

/* Bytes that are inside the guest's memory. */
static uint8_t *bytes_at(const struct hx_fault_call *call, uint32_t address) {
    return rt_memory_base(rt_instance_memory(call->caller->instance, 0)) + address;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
    return a < b + b_size && b < a + a_size;
}

/* ---- Transferring less ---- */

/* The iovecs that remain of a call's, and the last one's new size. */
struct cut {
    uint32_t count, size;
};

/* The bytes that all iovecs have together; 0 when the host will refuse them. */
static uint64_t asked_for(const struct hx_fault_call *call) {
    const uint32_t count = call->args[2].i32;
    const uint8_t *vectors =
        count <= MOST_VECTORS ? rt_guest_view(call->caller, call->args[1].i32, (size_t)count * 8) : NULL;
    uint64_t total = 0;

    for (uint32_t i = 0; vectors && i < count; i++)
        total += load(vectors + 8 * (size_t)i + 4, 4);
    return total;
}

/* Fewer bytes than are asked for. */
static struct cut cut_at(const struct hx_fault_call *call, uint64_t bytes) {
    const uint8_t *vectors = bytes_at(call, call->args[1].i32);
    struct cut cut = {0, 0};

    while (bytes) {
        const uint64_t size = load(vectors + 8 * (size_t)cut.count++ + 4, 4);
        cut.size = (uint32_t)(bytes < size ? bytes : size);
        bytes -= cut.size;
    }
    return cut;
}

/* Whether the size that a cut changes is also part of what the call transfers or answers: a guest may do
 * that.
 */
static bool is_used_otherwise(const struct hx_fault_call *call, struct cut cut) {
    const struct rt_func_type type = rt_func_type_of(call->func);
    const uint64_t address = call->args[1].i32 + 8 * (uint64_t)cut.count - 4;
    const uint8_t *vectors = bytes_at(call, call->args[1].i32);

    for (uint32_t i = 3; i < type.param_count; i++)
        if (type.params[i] == RT_I32 && overlap(call->args[i].i32, 4, address, 4))
            return true;
    for (size_t i = 0; i < cut.count; i++)
        if (overlap(load(vectors + 8 * i, 4), load(vectors + 8 * i + 4, 4), address, 4))
            return true;
    return false;
}

static bool fit_short(const struct hx_fault_call *call, struct hx_random *random, int64_t *amount) {
    enum { ENTRY = 24, LITTLE = 16 }; /* a folder's entry without its name; where much is no more likely */
    const bool is_buffer = call->function->transfer == HX_TRANSFER_BUFFER;
    const uint64_t total = is_buffer ? call->args[2].i32 : asked_for(call), least = is_buffer ? ENTRY : 1;

    if (*amount == HX_FAULT_ANY && total > least) {
        uint64_t range = total - least;
        if (range > LITTLE && hx_random_chance(random, 50))
            range = LITTLE;
        *amount =
            (int64_t)(least + hx_random_below(random, range > UINT32_MAX ? UINT32_MAX : (uint32_t)range));
    }
    if (*amount < 0 || (uint64_t)*amount >= total)
        return false;
    const struct cut cut = is_buffer ? (struct cut){0, 0} : cut_at(call, (uint64_t)*amount);
    return !cut.count || !is_used_otherwise(call, cut);
}

static struct rt_error *transfer_less(const struct hx_fault_call *call, uint32_t bytes) {
    enum { MOST_PARAMETERS = 6 };
    const uint32_t count = rt_func_type_of(call->func).param_count;
    union rt_value args[MOST_PARAMETERS];

    memcpy(args, call->args, (count < MOST_PARAMETERS ? count : MOST_PARAMETERS) * sizeof *args);
    if (call->function->transfer == HX_TRANSFER_BUFFER) {
        args[2].i32 = bytes;
        return rt_func_forward(call->func, call->caller, args, call->results);
    }
    const struct cut cut = cut_at(call, bytes);
    args[2].i32 = cut.count;
    if (!cut.count)
        return rt_func_forward(call->func, call->caller, args, call->results);
    uint8_t *size = bytes_at(call, call->args[1].i32) + 8 * (size_t)cut.count - 4;
    const uint64_t original = load(size, 4);
    store(size, cut.size, 4);
    struct rt_error *error = rt_func_forward(call->func, call->caller, args, call->results);
    store(size, original, 4);
    return error;
}

/* ---- Clocks ---- */

static int64_t add_jump(int64_t jump, int64_t milliseconds) {
    static const int64_t most = INT64_C(4000000000000000000), nanoseconds = 1000000;

    if (milliseconds > most / nanoseconds || milliseconds < -most / nanoseconds)
        return milliseconds < 0 ? -most : most;
    jump += milliseconds * nanoseconds; /* both are below half of the type's range */
    return jump > most ? most : jump < -most ? -most : jump;
}

/* A time in nanoseconds, so much later; time ends at both ends of its range. */
static uint64_t later(uint64_t time, int64_t jump) {
    const uint64_t size = jump < 0 ? -(uint64_t)jump : (uint64_t)jump;

    if (jump < 0)
        return time > size ? time - size : 0;
    return time > UINT64_MAX - size ? UINT64_MAX : time + size;
}

/* The time of day alone may go back. */
static int64_t any_jump(struct hx_random *random, uint32_t clock) {
    enum { MOST_DIGITS = 9, REALTIME = 0 };
    int64_t size = 1;

    for (uint32_t digits = hx_random_below(random, MOST_DIGITS + 1); digits > 0; digits--)
        size *= 10;
    size += hx_random_below(random, (uint32_t)size);
    return clock == REALTIME && hx_random_chance(random, 50) ? -size : size;
}

static struct rt_error *read_clock(const struct hx_fault_call *call, int64_t jump) {
    const uint32_t address = call->args[2].i32;
    struct rt_error *error = rt_func_forward(call->func, call->caller, call->args, call->results);
    uint8_t bytes[8];

    if (error || call->results[0].i32 != 0 || !rt_guest_read(call->caller, address, bytes, sizeof bytes))
        return error;
    store(bytes, later(load(bytes, sizeof bytes), jump), sizeof bytes);
    if (!rt_guest_write(call->caller, address, bytes, sizeof bytes))
        return rt_error_format(RT_USAGE, "a fault: the guest's memory has shrunk");
    return NULL;
}

/* ---- Waiting ---- */

/* witx `subscription` and `event`, of wasi_snapshot_preview1. */
enum {
    SUBSCRIPTION_SIZE = 48,
    SUBSCRIPTION_TYPE = 8,
    SUBSCRIPTION_CLOCK = 16,
    SUBSCRIPTION_TIMEOUT = 24,
    SUBSCRIPTION_FLAGS = 40,
    TYPE_CLOCK = 0,
    ABSOLUTE = 1,
    EVENT_SIZE = 32,
    EVENT_TYPE = 10,
};

/* The subscriptions of a call that the host can read and answer; NULL of another, and of another layout. */
static uint8_t *subscriptions_of(const struct hx_fault_call *call) {
    static const char prefix[] = "wasi_snapshot_preview1.";
    const uint32_t in = call->args[0].i32, out = call->args[1].i32, count = call->args[2].i32,
                   result = call->args[3].i32;
    const size_t in_size = (size_t)count * SUBSCRIPTION_SIZE, out_size = (size_t)count * EVENT_SIZE;

    if (count > MOST_SUBSCRIPTIONS || strncmp(rt_func_name(call->func), prefix, strlen(prefix)) != 0 ||
        !rt_guest_view(call->caller, in, in_size) || !rt_guest_view(call->caller, out, out_size) ||
        !rt_guest_view(call->caller, result, 4) || overlap(in, in_size, out, out_size) ||
        overlap(in, in_size, result, 4))
        return NULL;
    return bytes_at(call, in);
}

/* The first subscription for a clock, or for a descriptor. */
static const uint8_t *find_subscription(const struct hx_fault_call *call, bool is_clock) {
    const uint8_t *subscriptions = subscriptions_of(call);

    for (size_t i = 0; subscriptions && i < call->args[2].i32; i++) {
        const uint8_t *subscription = subscriptions + i * SUBSCRIPTION_SIZE;
        if ((subscription[SUBSCRIPTION_TYPE] == TYPE_CLOCK) == is_clock)
            return subscription;
    }
    return NULL;
}

/* Answers with one event. */
static struct rt_error *tell_ready(const struct hx_fault_call *call, bool is_clock) {
    const uint8_t *subscription = find_subscription(call, is_clock);
    uint8_t event[EVENT_SIZE] = {0}, count[4];

    memcpy(event, subscription, 8); /* userdata */
    event[EVENT_TYPE] = subscription[SUBSCRIPTION_TYPE];
    store(count, 1, sizeof count);
    if (!rt_guest_write(call->caller, call->args[1].i32, event, sizeof event) ||
        !rt_guest_write(call->caller, call->args[3].i32, count, sizeof count))
        return rt_error_format(RT_USAGE, "a fault: the guest's memory has shrunk");
    call->results[0].i32 = 0;
    return NULL;
}

/* Points of time that the guest names are by its clocks; the host waits by its own. */
static struct rt_error *wait_by_host_clocks(const struct hx_fault_call *call) {
    const size_t count = call->args[2].i32;
    uint8_t *subscriptions = subscriptions_of(call);

    if (!subscriptions)
        return rt_func_forward(call->func, call->caller, call->args, call->results);
    uint8_t *originals = malloc(count * SUBSCRIPTION_SIZE + 1);
    if (!originals)
        return rt_error_out_of_memory();
    memcpy(originals, subscriptions, count * SUBSCRIPTION_SIZE);
    for (size_t i = 0; i < count; i++) {
        uint8_t *one = subscriptions + i * SUBSCRIPTION_SIZE, *timeout = one + SUBSCRIPTION_TIMEOUT;
        const uint64_t clock = load(one + SUBSCRIPTION_CLOCK, 4);
        if (one[SUBSCRIPTION_TYPE] == TYPE_CLOCK && (load(one + SUBSCRIPTION_FLAGS, 2) & ABSOLUTE) &&
            clock < HX_FAULT_CLOCKS)
            store(timeout, later(load(timeout, 8), -call->jumps[clock]), 8);
    }
    struct rt_error *error = rt_func_forward(call->func, call->caller, call->args, call->results);
    memcpy(subscriptions, originals, count * SUBSCRIPTION_SIZE);
    free(originals);
    return error;
}

/* ---- All of them ---- */

static bool can(const struct hx_fault_call *call, enum hx_fault_kind kind) {
    return call->function && (call->function->kinds & 1u << kind);
}

bool hx_fault_fit(const struct hx_fault_call *call, struct hx_random *random, struct hx_fault *fault) {
    switch (fault->kind) {
    case HX_FAULT_SHORT: return fit_short(call, random, &fault->amount);
    case HX_FAULT_JUMP:
        if (fault->amount == HX_FAULT_ANY)
            fault->amount = any_jump(random, call->args[0].i32);
        return call->args[0].i32 < HX_FAULT_CLOCKS;
    case HX_FAULT_EARLY: return find_subscription(call, true);
    case HX_FAULT_SPURIOUS: return find_subscription(call, false);
    case HX_FAULT_ERROR:
    case HX_FAULT_KINDS: break;
    }
    return true;
}

struct rt_error *hx_fault_apply(const struct hx_fault_call *call, const struct hx_fault *fault) {
    int64_t *jump;

    switch (fault->kind) {
    case HX_FAULT_ERROR: call->results[0].i32 = (uint32_t)fault->amount; return NULL;
    case HX_FAULT_SHORT: return transfer_less(call, (uint32_t)fault->amount);
    case HX_FAULT_JUMP:
        jump = &call->jumps[call->args[0].i32];
        *jump = add_jump(*jump, fault->amount);
        break;
    case HX_FAULT_EARLY: return tell_ready(call, true);
    case HX_FAULT_SPURIOUS: return tell_ready(call, false);
    case HX_FAULT_KINDS: break;
    }
    return hx_fault_pass(call);
}

struct rt_error *hx_fault_pass(const struct hx_fault_call *call) {
    static const int64_t none[HX_FAULT_CLOCKS] = {0};

    if (memcmp(call->jumps, none, sizeof none) != 0) {
        if (can(call, HX_FAULT_JUMP) && call->args[0].i32 < HX_FAULT_CLOCKS)
            return read_clock(call, call->jumps[call->args[0].i32]);
        if (can(call, HX_FAULT_EARLY))
            return wait_by_host_clocks(call);
    }
    return rt_func_forward(call->func, call->caller, call->args, call->results);
}
