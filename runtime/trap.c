/* Traps: from a fault in compiled code to an error of rt_func_call.
 *
 * Compiled code raises a trap by faulting: an illegal instruction with the kind behind it, or an access to a
 * memory's guard pages. The signal handler notes what happened, moves the context's pc to the unwinder, and
 * returns. The first write to a page that track.c protects is done again. A fault anywhere else goes to the
 * handler that was there before ours. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/engine.h"
#include "runtime/target.h"
#include "runtime/track.h"

const char *rt_trap_message(enum rt_trap trap) {
    static const char *const messages[] = {
#define RT_TRAP_KIND(name, message) message,
#include "runtime/traps.def"
#undef RT_TRAP_KIND
    };
    return (unsigned)trap < RT_TRAP_COUNT ? messages[trap] : "unknown trap";
}

/* ---- Known code ---- */

/* A list that only grows, so that a handler may walk it at any time; an entry without code is used again. */
struct code_range {
    _Atomic uintptr_t low, high;
    struct code_range *_Atomic next;
};
static struct code_range *_Atomic ranges;
static pthread_mutex_t range_lock = PTHREAD_MUTEX_INITIALIZER;

struct rt_error *rt_trap_add_code(uintptr_t low, uintptr_t high) {
    struct rt_error *error = NULL;
    pthread_mutex_lock(&range_lock);
    struct code_range *range = atomic_load(&ranges);
    while (range && atomic_load(&range->high))
        range = atomic_load(&range->next);
    if (!range) {
        range = calloc(1, sizeof(*range));
        if (!range) {
            error = rt_error_out_of_memory();
            goto out;
        }
        atomic_store(&range->next, atomic_load(&ranges));
        atomic_store(&ranges, range);
    }
    atomic_store(&range->low, low);
    atomic_store(&range->high, high);
out:
    pthread_mutex_unlock(&range_lock);
    return error;
}

void rt_trap_remove_code(uintptr_t low) {
    pthread_mutex_lock(&range_lock);
    for (struct code_range *range = atomic_load(&ranges); range; range = atomic_load(&range->next)) {
        if (atomic_load(&range->low) == low)
            atomic_store(&range->high, 0);
    }
    pthread_mutex_unlock(&range_lock);
}

static bool is_our_code(uintptr_t pc) {
    for (struct code_range *range = atomic_load(&ranges); range; range = atomic_load(&range->next)) {
        if (atomic_load(&range->low) <= pc && pc < atomic_load(&range->high))
            return true;
    }
    return false;
}

/* ---- Signals ---- */

static const int trap_signals[] = {SIGSEGV, SIGBUS, SIGILL};
#define TRAP_SIGNALS (sizeof(trap_signals) / sizeof(*trap_signals))
static struct sigaction previous[TRAP_SIGNALS];

/* What the fault means, or RT_TRAP_COUNT when it is none of ours. */
static enum rt_trap classify(int number, const siginfo_t *info, const struct rt_instance *instance,
                             uintptr_t pc, uint64_t *ret_address) {
    if (number == SIGILL)
        return rt_target_host()->trap_at(pc);
    uintptr_t address = (uintptr_t)info->si_addr;
    if (!instance->memory || address - (uintptr_t)instance->memory->base >= RT_MEMORY_RESERVATION)
        return RT_TRAP_COUNT;
    *ret_address = address - (uintptr_t)instance->memory->base;
    return RT_TRAP_MEMORY_OUT_OF_BOUNDS;
}

static bool raise_trap(int number, const siginfo_t *info, void *context) {
    const struct rt_target *target = rt_target_host();
    uintptr_t pc = target ? target->context_pc(context) : 0;
    if (!target || !is_our_code(pc))
        return false;
    struct rt_instance *instance = target->context_instance(context);
    uint64_t address = 0;
    enum rt_trap trap = classify(number, info, instance, pc, &address);
    if (trap == RT_TRAP_COUNT)
        return false;
    struct rt_store *store = instance->store;
    store->pending_trap =
        (struct rt_pending_trap){true, {.trap = trap, .machine = pc, .fault_address = address}, instance};
    target->context_set_pc(context, (uintptr_t)target->unwind);
    if (store->hooks.trap)
        store->hooks.trap(store->hooks.user, &store->pending_trap.info, context);
    return true;
}

/* The signal that this thread is forwarding. A handler that was put over ours may forward to ours again: then
 * the same context comes back from deeper down the stack. */
static _Thread_local const void *forwarded_context;
static _Thread_local uintptr_t forwarded_frame;

static void forward(int number, siginfo_t *info, void *context) {
    const struct sigaction *before = NULL;
    for (size_t i = 0; i < TRAP_SIGNALS; i++) {
        if (trap_signals[i] == number)
            before = &previous[i];
    }
    if (!before)
        return;
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    if (context == forwarded_context && frame < forwarded_frame) {
        signal(number, SIG_DFL); /* nobody wants it */
        return;
    }
    forwarded_context = context;
    forwarded_frame = frame;
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(number, info, context);
    else if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN)
        sigaction(number, before, NULL); /* the fault happens again, and then as if we had not been there */
    else
        before->sa_handler(number);
    forwarded_context = NULL;
}

static void handle_signal(int number, siginfo_t *info, void *context) {
    int kept = errno;
    bool is_first_write = number == SIGSEGV && rt_tracker_fault((uintptr_t)info->si_addr);
    if (!is_first_write && !raise_trap(number, info, context))
        forward(number, info, context);
    errno = kept;
}

/* Others may have set handlers since (test frameworks do): ours goes in front again. */
static int install_handlers(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int status = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < TRAP_SIGNALS && !status; i++) {
        struct sigaction action = {.sa_sigaction = handle_signal,
                                   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER},
                         current;
        sigemptyset(&action.sa_mask);
        if (sigaction(trap_signals[i], NULL, &current)) {
            status = errno;
        } else if (!(current.sa_flags & SA_SIGINFO) || current.sa_sigaction != handle_signal) {
            previous[i] = current;
            if (sigaction(trap_signals[i], &action, NULL))
                status = errno;
        }
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t signal_stack_key;
static int key_status;

/* A thread ends: its signal stack, if it is ours. */
static void free_signal_stack(void *stack) {
    stack_t off = {.ss_flags = SS_DISABLE};
    sigaltstack(&off, NULL);
    free(stack);
}

static void make_key(void) {
    key_status = pthread_key_create(&signal_stack_key, free_signal_stack);
}

/* Leaves a signal stack that is there as it is. */
static int make_signal_stack(void) {
    stack_t stack = {0};
    pthread_once(&key_once, make_key);
    if (key_status || sigaltstack(NULL, &stack))
        return key_status ? key_status : errno;
    if (!(stack.ss_flags & SS_DISABLE))
        return 0;
    stack = (stack_t){.ss_size = (size_t)64 * 1024};
    stack.ss_sp = malloc(stack.ss_size);
    if (!stack.ss_sp)
        return ENOMEM;
    int status = sigaltstack(&stack, NULL) ? errno : pthread_setspecific(signal_stack_key, stack.ss_sp);
    if (status)
        free_signal_stack(stack.ss_sp);
    return status;
}

struct rt_error *rt_trap_prepare_thread(void) {
    static _Thread_local bool prepared;
    if (prepared)
        return NULL;
    int status = make_signal_stack();
    if (status)
        return rt_error_os(status, "making a signal stack");
    prepared = true;
    return NULL;
}

struct rt_error *rt_trap_prepare(void) {
    return rt_target_host() ? rt_trap_prepare_faults() : NULL; /* else nothing faults on purpose */
}

struct rt_error *rt_trap_prepare_faults(void) {
    int status = install_handlers();
    return status ? rt_error_os(status, "installing signal handlers") : rt_trap_prepare_thread();
}

/* ---- Errors ---- */

struct rt_error *rt_trap_error(enum rt_trap trap, const char *context) {
    struct rt_error *error = rt_error_format(RT_TRAP, "%s: %s", rt_trap_message(trap), context);
    if (error->code == RT_TRAP)
        error->trap = (int)trap;
    return error;
}

struct rt_error *rt_trap_take(struct rt_store *store) {
    const struct rt_pending_trap pending = store->pending_trap;
    store->trap_place = (struct rt_trap_place){0};
    if (!pending.set)
        return rt_error_format(RT_TRAP, "unwound without a trap");
    store->pending_trap.set = false;
    uint32_t function, pc;
    if (!rt_code_pc(pending.instance->code, pending.info.machine, &function, &pc))
        return rt_trap_error(pending.info.trap, "unknown code");
    store->trap_place = (struct rt_trap_place){pending.instance, function, pc};
    const char *name = rt_module_function_name(pending.instance->module, function);
    char context[256];
    snprintf(context, sizeof(context), "function %u%s%.160s%s, Wasm pc 0x%x", function, name ? " (" : "",
             name ? name : "", name ? ")" : "", pc);
    return rt_trap_error(pending.info.trap, context);
}
