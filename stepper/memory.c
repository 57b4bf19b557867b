/* What of a debuggee's memory can be looked at and changed. */
#include "stepper/session.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_within(uintptr_t low, uintptr_t high, uint64_t address, size_t size) {
    return address >= low && address <= high && size <= high - address;
}

/* Asks the kernel about every page. rt_sigprocmask copies the new set in before it looks at what to do with
 * it, so an operation that does not exist changes nothing and tells a bad address from a good one. Unlike
 * process_vm_readv it is never forbidden, and unlike mincore it heeds protections. */
bool st_memory_can_read(uint64_t address, size_t size) {
    enum { NO_SUCH_OPERATION = -1, KERNEL_SET_SIZE = 8, LARGEST = 16 << 20 };
    if (size > LARGEST || address + size < address) {
        return false;
    }
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t last = (address + (size ? size - 1 : 0)) & ~(page - 1);
    for (uint64_t at = address & ~(page - 1); at <= last; at += page) {
        if (syscall(SYS_rt_sigprocmask, NO_SUCH_OPERATION, at, NULL, KERNEL_SET_SIZE) == 0 ||
            errno != EINVAL) {
            return false;
        }
    }
    return true;
}

/* Likewise: it copies the present set out, before it is known to be of use. */
/* The same for writing. No other thread may use them meanwhile: some are written, and put back. */
static bool can_write(uint64_t address, size_t size) {
    enum { KERNEL_SET_SIZE = 8 };
    if (!st_memory_can_read(address, size)) {
        return false;
    }
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t last = (address + (size ? size - 1 : 0)) & ~(page - 1);
    for (uint64_t at = address & ~(page - 1); at <= last; at += page) {
        uint64_t *word = (uint64_t *)(uintptr_t)at, before = *word;
        if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, word, KERNEL_SET_SIZE) != 0) {
            return false;
        }
        *word = before;
    }
    return true;
}

static uint8_t *linear_memory(const struct st_session *session, uint64_t address, size_t size) {
    struct rt_memory *memory = rt_instance_memory(session->instance, 0);
    if (memory == NULL || !is_within(0, rt_memory_size(memory), address, size)) {
        return NULL;
    }
    return rt_memory_base(memory) + address;
}

bool st_session_on_stack(const struct st_session *session, uint64_t address) {
    return !session->is_wasm && address >= session->fiber.low && address < session->fiber.high;
}

const void *st_session_memory(struct st_session *session, uint64_t address, size_t size) {
    if (session->is_wasm) {
        return linear_memory(session, address, size);
    }
    if (is_within(session->fiber.low, session->fiber.high, address, size)) {
        return (const void *)(uintptr_t)address;
    }
    const struct st_segment *segment = st_image_segment(session->image, address);
    bool is_known = segment != NULL && is_within(segment->low, segment->high, address, size);
    return is_known || st_memory_can_read(address, size) ? (const void *)(uintptr_t)address : NULL;
}

void *st_session_writable(struct st_session *session, uint64_t address, size_t size) {
    if (session->is_wasm) {
        return linear_memory(session, address, size);
    }
    const struct st_image *image = session->image;
    const struct st_segment *segment = st_image_segment(image, address);
    if (session->is_registered && st_jit_is_memory(session, address)) {
        return can_write(address, size) ? (void *)(uintptr_t)address : NULL;
    }
    if (segment != NULL) {
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
        uint64_t relro_low = image->relro_low & ~page, relro_high = image->relro_high & ~page;
        bool is_relro = address < relro_high && address + size > relro_low;
        bool is_writable =
            segment->is_writable && !is_relro && is_within(segment->low, segment->high, address, size);
        return is_writable ? (void *)(uintptr_t)address : NULL;
    }
    return is_within(session->fiber.low, session->fiber.high, address, size) ? (void *)(uintptr_t)address
                                                                             : NULL;
}

uint64_t st_session_static_address(const struct st_session *session, uint64_t address) {
    return session->is_wasm ? address : address - session->image->bias;
}

__attribute__((no_sanitize_address)) uint64_t st_memory_load(const void *word) {
    struct __attribute__((packed, may_alias)) any {
        uint64_t word;
    };
    return ((const volatile struct any *)word)->word;
}
