/* What a program is started with, and how it ends: arguments, environment, proc_exit, proc_raise. */
#include "runtime/wasi/wasi.h"

#include <string.h>

/* Writes a table of pointers at `pointers` and the strings themselves at `bytes`. */
static enum rt_wasi_errno write_strings(struct rt_wasi_call *call, const struct rt_wasi_strings *strings,
                                        uint32_t pointers, uint32_t bytes) {
    if (!rt_wasi_in_memory(call, pointers, 4 * (size_t)strings->count) ||
        !rt_wasi_in_memory(call, bytes, strings->size))
        return RT_WASI_EFAULT;
    for (uint32_t i = 0; i < strings->count; i++) {
        size_t size = strlen(strings->items[i]) + 1;
        if (rt_wasi_write_u32(call, pointers + 4 * i, bytes) ||
            !rt_guest_write(call->caller, bytes, strings->items[i], size))
            return RT_WASI_EFAULT;
        bytes += (uint32_t)size;
    }
    return RT_WASI_ESUCCESS;
}

static enum rt_wasi_errno write_sizes(struct rt_wasi_call *call, const struct rt_wasi_strings *strings,
                                      uint32_t count, uint32_t size) {
    if (!rt_wasi_in_memory(call, count, 4) || !rt_wasi_in_memory(call, size, 4))
        return RT_WASI_EFAULT;
    enum rt_wasi_errno errnum = rt_wasi_write_u32(call, count, strings->count);
    return errnum ? errnum : rt_wasi_write_u32(call, size, strings->size);
}

enum rt_wasi_errno rt_wasi_args_get(struct rt_wasi_call *call, const union rt_value *args) {
    return write_strings(call, &call->wasi->args, args[0].i32, args[1].i32);
}

enum rt_wasi_errno rt_wasi_args_sizes_get(struct rt_wasi_call *call, const union rt_value *args) {
    return write_sizes(call, &call->wasi->args, args[0].i32, args[1].i32);
}

enum rt_wasi_errno rt_wasi_environ_get(struct rt_wasi_call *call, const union rt_value *args) {
    return write_strings(call, &call->wasi->env, args[0].i32, args[1].i32);
}

enum rt_wasi_errno rt_wasi_environ_sizes_get(struct rt_wasi_call *call, const union rt_value *args) {
    return write_sizes(call, &call->wasi->env, args[0].i32, args[1].i32);
}

/* Ends the guest: an RT_EXIT error, which rt_wasi_run turns into a status. */
static void end_guest(struct rt_wasi_call *call, uint32_t status, const char *how) {
    call->error = rt_error_format(RT_EXIT, "the guest %s %u", how, (unsigned)status);
    if (call->error->code == RT_EXIT) /* not the static out-of-memory error */
        call->error->exit_status = (int)status;
}

enum rt_wasi_errno rt_wasi_proc_exit(struct rt_wasi_call *call, const union rt_value *args) {
    end_guest(call, args[0].i32, "exited with status");
    return RT_WASI_ESUCCESS;
}

/* A guest has no signal handlers, so each signal (witx `signal`) has its default action. */
enum rt_wasi_errno rt_wasi_proc_raise(struct rt_wasi_call *call, const union rt_value *args) {
    enum { NONE = 0, CHLD = 16, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH = 27, SYS = 30 };
    uint32_t signal = args[0].i32;
    switch (signal) {
    case NONE:
    case CHLD:
    case CONT:
    case URG:
    case WINCH: return RT_WASI_ESUCCESS; /* ignored */
    case STOP:
    case TSTP:
    case TTIN:
    case TTOU: return RT_WASI_ENOTSUP; /* nobody could continue the guest */
    default:
        if (signal > SYS)
            return RT_WASI_EINVAL;
        /* As a shell reports a process that a signal ended. */
        end_guest(call, 128 + signal, "raised a signal that ends it with status");
        return RT_WASI_ESUCCESS;
    }
}
