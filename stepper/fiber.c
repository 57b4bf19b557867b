/* Fibers: memory for their stacks, and what the address sanitizer must be told at a switch. The switch itself
 * is x86_64/fiber.S. */
#include "stepper/fiber.h"
#include "stepper/x86_64/fiber.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef LOCKSTEP_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

_Static_assert(offsetof(struct st_fiber, outside) == ST_FIBER_OUTSIDE, "fiber.h");

void st_fiber_switch(void **save, void *load);
void st_fiber_start(void);

/* Tells the sanitizer that the stack [bottom, bottom + size) is about to be taken. `fake` keeps the stack
 * that is left; NULL when that one will never be used again. */
static void announce_switch(void **fake, const void *bottom, size_t size) {
#ifdef LOCKSTEP_ASAN
    __sanitizer_start_switch_fiber(fake, bottom, size);
#else
    (void)fake, (void)bottom, (void)size;
#endif
}

/* Tells the sanitizer that the switch has happened; where it came from goes to *bottom and *size. */
static void confirm_switch(void *fake, const void **bottom, size_t *size) {
#ifdef LOCKSTEP_ASAN
    __sanitizer_finish_switch_fiber(fake, bottom, size);
#else
    (void)fake, (void)bottom, (void)size;
#endif
}

/* The sanitizer keeps the locals of each stack in memory of its own, which goes away when that stack is left
 * for good. A fiber that is cleared while it is suspended never comes to that: its stack is taken and left in
 * words. No locals of this function itself may lie there. */
static __attribute__((no_sanitize("address"))) void forget_locals(struct st_fiber *fiber) {
    const void *bottom = NULL;
    void *fake = NULL;
    size_t size = 0;
    if (!fiber->inside_fake)
        return;
    announce_switch(&fake, (void *)fiber->low, fiber->high - fiber->low);
    confirm_switch(fiber->inside_fake, &bottom, &size);
    announce_switch(NULL, bottom, size);
    confirm_switch(fake, NULL, NULL);
}

void st_stack_forget(void *low, size_t size) {
#ifdef LOCKSTEP_ASAN
    __asan_unpoison_memory_region(low, size);
#else
    (void)low, (void)size;
#endif
}

/* The first C function on a fiber. */
static void fiber_main(void *argument) {
    struct st_fiber *fiber = argument;
    confirm_switch(NULL, &fiber->outside_bottom, &fiber->outside_size);
    fiber->entry(fiber->user);
    st_fiber_finish(fiber);
}

/* What st_fiber_switch pops; see x86_64/fiber.S. */
struct switch_frame {
    uint32_t mxcsr;
    uint16_t x87_control, unused;
    uint64_t r15, r14, r13, r12, rbx, rbp, pc;
};

struct rt_error *st_fiber_init(struct st_fiber *fiber, size_t size, size_t guard, void (*entry)(void *user),
                               void *user) {
    memset(fiber, 0, sizeof(*fiber));
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (size > ((size_t)1 << 40)) {
        return rt_error_format(RT_USAGE, "a stack of %zu bytes is too big", size);
    }
    size = (size + page - 1) / page * page;
    guard = (guard + page - 1) / page * page;
    uint8_t *mapping =
        mmap(NULL, guard + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED) {
        return rt_error_os(errno, "making a stack of %zu bytes", size);
    }
    if (mprotect(mapping + guard, size, PROT_READ | PROT_WRITE) != 0) {
        int errnum = errno;
        munmap(mapping, guard + size);
        return rt_error_os(errnum, "making a stack of %zu bytes accessible", size);
    }
    fiber->guard = (uintptr_t)mapping;
    fiber->low = fiber->guard + guard;
    fiber->high = fiber->low + size;
    fiber->entry = entry;
    fiber->user = user;
    st_stack_forget(mapping + guard, size); /* another fiber's frames may have lain there */

    struct switch_frame frame = {.r12 = (uint64_t)(uintptr_t)fiber_main,
                                 .r13 = (uint64_t)(uintptr_t)fiber,
                                 .pc = (uint64_t)(uintptr_t)st_fiber_start};
    __asm__("stmxcsr %0" : "=m"(frame.mxcsr));
    __asm__("fnstcw %0" : "=m"(frame.x87_control));
    /* st_fiber_start calls, so the stack must be aligned to 16 there: `pc` has just been popped. */
    uint8_t *top = (uint8_t *)fiber->high - 64 - sizeof(frame);
    memcpy(top, &frame, sizeof(frame));
    fiber->inside = top;
    return NULL;
}

void st_fiber_clear(struct st_fiber *fiber) {
    if (fiber->guard != 0) {
        forget_locals(fiber);
        st_stack_forget((void *)fiber->low, fiber->high - fiber->low);
        munmap((void *)fiber->guard, fiber->high - fiber->guard);
    }
    memset(fiber, 0, sizeof(*fiber));
}

void st_fiber_enter(struct st_fiber *fiber) {
    announce_switch(&fiber->outside_fake, (void *)fiber->low, fiber->high - fiber->low);
    st_fiber_switch(&fiber->outside, fiber->inside);
    confirm_switch(fiber->outside_fake, NULL, NULL);
}

void st_fiber_leave(struct st_fiber *fiber) {
    announce_switch(fiber->is_ending ? NULL : &fiber->inside_fake, fiber->outside_bottom,
                    fiber->outside_size);
    st_fiber_switch(&fiber->inside, fiber->outside);
    confirm_switch(fiber->inside_fake, &fiber->outside_bottom, &fiber->outside_size);
}

void st_fiber_finish(struct st_fiber *fiber) {
    fiber->is_ending = true;
    fiber->inside_fake = NULL;
    st_fiber_leave(fiber);
    __builtin_trap(); /* an ended fiber was entered */
}
