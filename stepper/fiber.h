/* Fibers: a debuggee's own stack, and the switch to it and back (private to stepper/). */
#ifndef LOCKSTEP_STEPPER_FIBER_H
#define LOCKSTEP_STEPPER_FIBER_H

#include "runtime/runtime.h"

struct st_fiber {
    uintptr_t low, high; /* [low, high) is the stack; a guard lies below */
    uintptr_t guard;     /* lowest address of the guard, and of the mapping */
    void (*entry)(void *user);
    void *user;
    void *inside, *outside; /* stack pointers: the fiber's while it is left, the enterer's while it runs */
    /* For the address sanitizer, which must hear of every switch. */
    const void *outside_bottom;
    size_t outside_size;
    void *inside_fake, *outside_fake;
    bool is_ending;
};

/* A stack of at least `size` bytes above a guard of `guard` bytes. `entry` runs at the first st_fiber_enter
 * and must end in st_fiber_finish. */
RT_MUST_USE struct rt_error *st_fiber_init(struct st_fiber *fiber, size_t size, size_t guard,
                                           void (*entry)(void *user), void *user);
/* Its stack goes away as it is; not from inside. A zeroed fiber is fine. */
void st_fiber_clear(struct st_fiber *fiber);

/* Runs the fiber until it leaves. Fibers nest: one may enter another. */
void st_fiber_enter(struct st_fiber *fiber);
/* On the fiber: goes back to where it was entered; returns at the next st_fiber_enter. */
void st_fiber_leave(struct st_fiber *fiber);
/* On the fiber: leaves for good. It must not be entered again. */
_Noreturn void st_fiber_finish(struct st_fiber *fiber);

/* Memory that was a stack becomes ordinary memory: the address sanitizer forgets the frames in it. */
void st_stack_forget(void *low, size_t size);

#endif
