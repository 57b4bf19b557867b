/* The iovecs of a call: loaded, checked, sent from, and filled through a bounded buffer. */
#include "runtime/wasi/wasi.h"

enum rt_wasi_errno rt_wasi_vectors_load(struct rt_wasi_call *call, uint32_t address, uint32_t count,
                                        uint32_t *ret_size) {
    if (count > RT_WASI_MAX_VECTORS)
        return RT_WASI_EINVAL;
    const uint8_t *bytes = rt_guest_view(call->caller, address, (size_t)count * 8);
    if (!bytes)
        return RT_WASI_EFAULT;
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct rt_wasi_vector *vector = &call->wasi->vectors[i];
        vector->address = (uint32_t)rt_wasi_load(bytes + 8 * (size_t)i, 4);
        vector->size = (uint32_t)rt_wasi_load(bytes + 8 * (size_t)i + 4, 4);
        if (!rt_wasi_in_memory(call, vector->address, vector->size))
            return RT_WASI_EFAULT;
        total += vector->size;
    }
    if (total > UINT32_MAX)
        return RT_WASI_EINVAL;
    *ret_size = (uint32_t)total;
    return RT_WASI_ESUCCESS;
}

int rt_wasi_vectors_view(struct rt_wasi_call *call, uint32_t count) {
    int used = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct rt_wasi_vector *vector = &call->wasi->vectors[i];
        if (vector->size == 0)
            continue;
        /* An iovec serves reading and writing and so has no const; these are only sent from. */
        union {
            const uint8_t *from;
            void *base;
        } view = {rt_guest_view(call->caller, vector->address, vector->size)};
        call->wasi->host_vectors[used++] = (struct iovec){view.base, vector->size};
    }
    return used;
}

void rt_wasi_vectors_scatter(struct rt_wasi_call *call, uint32_t count, uint32_t skip, uint32_t size) {
    uint32_t done = 0;
    for (uint32_t i = 0; i < count && done < size; i++) {
        const struct rt_wasi_vector *vector = &call->wasi->vectors[i];
        if (skip >= vector->size) {
            skip -= vector->size;
            continue;
        }
        uint32_t part = vector->size - skip;
        if (part > size - done)
            part = size - done;
        /* rt_wasi_vectors_load has checked the range, and a guest's memory never shrinks. */
        if (!rt_guest_write(call->caller, vector->address + skip, call->wasi->buffer + done, part))
            return;
        done += part;
        skip = 0;
    }
}
