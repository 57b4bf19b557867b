/* Signals: how a trap byte, a fault or the end of a quantum becomes an injected call. A handler debugs
 * nothing: it notes why, points the context at the stub, and returns. What is not the stepper's goes to the
 * handler that was there before. */
#include "stepper/session.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* struct sigevent's member has no name of its own in older headers. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum {
    ALTERNATE_STACK_SIZE = 64 << 10, /* a signal frame with AMX state takes 11 KiB */
    RETRY_MILLISECONDS = 1,          /* between looks whether a busy debuggee is back in its own code */
};

static const int handled[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { HANDLED_COUNT = sizeof(handled) / sizeof(handled[0]) };

/* Whose a signal was. Somebody may have taken it from us and handed it on to us; when we take it back, there
 * is a circle, and only the first one we found is known to lead out of it. */
static struct former {
    bool is_known;
    struct sigaction first, latest;
} former[HANDLED_COUNT], former_timer;

/* Real-time signals queue one each and are hardly ever used; this one is far from both ends. */
static int timer_signal(void) {
    return SIGRTMIN + 11;
}

/* ---- Signals of others ---- */

/* How many handlers of others this thread is in. One that jumps away instead of returning leaves it too big,
 * until the next session is made. */
static _Thread_local volatile sig_atomic_t forward_depth;

/* The handler to go on to. */
static struct sigaction *former_of(int signal) {
    struct former *found = &former_timer;
    for (size_t i = 0; i < HANDLED_COUNT; i++) {
        found = handled[i] == signal ? &former[i] : found;
    }
    if (forward_depth > 1) {
        found->first = (struct sigaction){.sa_handler = SIG_DFL};
    }
    return forward_depth > 0 ? &found->first : &found->latest;
}

static bool is_handler(const struct sigaction *action) {
    return (action->sa_flags & SA_SIGINFO) ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static bool has_former(int signal) {
    return is_handler(former_of(signal));
}

/* Does what would have happened without us. */
static void forward(int signal, siginfo_t *info, void *context) {
    struct sigaction *action = former_of(signal);
    bool is_fault = info->si_code > 0 && signal != SIGTRAP && signal != SIGABRT;
    if (!is_handler(action)) {
        if (action->sa_handler == SIG_IGN && !is_fault) {
            return;
        }
        /* The default action. A fault comes again by itself, at its own place; the kernel takes an ignored
         * one for the default, too. */
        struct sigaction fallback = {.sa_handler = SIG_DFL};
        sigaction(signal, &fallback, NULL);
        if (!is_fault) {
            raise(signal);
        }
        return;
    }

    struct sigaction handler = *action;
    if (handler.sa_flags & (int)SA_RESETHAND) {
        *action = (struct sigaction){.sa_handler = SIG_DFL};
    }
    sigset_t masked = handler.sa_mask, before;
    if (!(handler.sa_flags & SA_NODEFER)) {
        sigaddset(&masked, signal);
    }
    pthread_sigmask(SIG_BLOCK, &masked, &before);
    forward_depth++;
    if (handler.sa_flags & SA_SIGINFO) {
        handler.sa_sigaction(signal, info, context);
    } else {
        handler.sa_handler(signal);
    }
    forward_depth--;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- Into the stub ---- */

static struct st_session *native_session(void) {
    struct st_session *session = st_current;
    return session != NULL && !session->is_wasm && session->in_debuggee ? session : NULL;
}

/* Whether the stub can run on the debuggee's stack. */
static bool has_room(const struct st_session *session, uintptr_t stack) {
    return stack <= session->fiber.high && stack >= session->fiber.low &&
           stack - session->fiber.low >= ST_STUB_ROOM + st_vector_size;
}

/* The order of struct rt_registers. */
static const int general_order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

/* Leaves the debuggee's stack alone: the registers go to session->fault, and the driver hears of it from the
 * emergency stack. There is no way back from there. */
static void go_to_emergency(struct st_session *session, ucontext_t *context) {
    greg_t *general = context->uc_mcontext.gregs;
    struct st_saved *fault = &session->fault;
    fault->origin = ST_ORIGIN_FAULT;
    for (size_t i = 0; i < 16; i++) {
        fault->registers.general[i] = (uint64_t)general[general_order[i]];
    }
    fault->registers.pc = session->pending.pc;
    fault->registers.flags = (uint64_t)general[REG_EFL];
    fault->registers.vector = session->fault_vector;
    if (context->uc_mcontext.fpregs != NULL) {
        memcpy(session->fault_vector, context->uc_mcontext.fpregs->_xmm, sizeof(session->fault_vector));
    }
    enum { DIRECTION_AND_ALIGNMENT = 0x40400 };
    general[REG_EFL] &= ~(greg_t)DIRECTION_AND_ALIGNMENT;
    general[REG_RDI] = (greg_t)(uintptr_t)session;
    /* As after a call: eight bytes off the alignment to 16. */
    general[REG_RSP] = (greg_t)(uintptr_t)(session->emergency + ST_EMERGENCY_SIZE - 64 - 8);
    general[REG_RIP] = (greg_t)(uintptr_t)st_native_fault;
}

static const char *fault_name(const struct st_session *session, int signal, uint64_t address) {
    switch (signal) {
    case SIGSEGV:
        return address >= session->fiber.guard && address < session->fiber.low ? "stack overflow"
                                                                               : "segmentation fault";
    case SIGBUS: return "bus error";
    case SIGFPE: return "arithmetic exception";
    case SIGILL: return "illegal instruction";
    case SIGABRT: return "abort";
    default: return "breakpoint instruction";
    }
}

/* A fault of the native debuggee, wherever its pc is: in its image, in a library, or in a displaced
 * instruction, whose original place is what counts. `resume`: where it may go on, or 0. */
static void inject_fault(struct st_session *session, int signal, siginfo_t *info, ucontext_t *context,
                         uintptr_t resume) {
    greg_t *general = context->uc_mcontext.gregs;
    uintptr_t pc = (uintptr_t)general[REG_RIP];
    uint64_t stack;
    uintptr_t original = st_trampoline_original(session->image, pc, &stack);
    if (original != 0) {
        pc = original;
        general[REG_RSP] += (greg_t)stack;
    }
    uint64_t address =
        signal == SIGSEGV || signal == SIGBUS ? (uint64_t)(uintptr_t)info->si_addr : (uint64_t)0;
    session->pending = (struct st_pending){.kind = ST_TRAP,
                                           .pc = pc,
                                           .resume = resume,
                                           .trap = signal,
                                           .address = address,
                                           .name = fault_name(session, signal, address)};
    if (has_room(session, (uintptr_t)general[REG_RSP])) {
        general[REG_RIP] = (greg_t)(uintptr_t)st_inject_signal;
    } else {
        go_to_emergency(session, context);
    }
}

/* A fault in registered code is its engine's, whose handler was there before ours. The driver hears of it
 * first: then it happens again. */
static void take_registered(struct st_session *session, int signal, siginfo_t *info, ucontext_t *context) {
    greg_t *program_counter = &context->uc_mcontext.gregs[REG_RIP];
    uintptr_t pc = (uintptr_t)*program_counter;
    uint64_t stack;
    uintptr_t original = st_trampoline_original(session->image, pc, &stack);
    original = original != 0 ? original : pc;
    bool is_fault = info->si_code > 0 && signal != SIGTRAP && signal != SIGABRT;
    if (!is_fault || !st_image_is_text(session->image, original)) {
        forward(signal, info, context);
        return;
    }
    if (session->told != pc) {
        inject_fault(session, signal, info, context, has_former(signal) ? pc : 0);
        return;
    }
    session->told = 0;
    /* The engine knows its code as it made it. */
    st_image_lift(session->image, original);
    *program_counter = (greg_t)original;
    forward(signal, info, context);
    st_image_lower(session->image);
    if (*program_counter == (greg_t)original) {
        *program_counter = (greg_t)pc;
    }
}

/* A trap byte of ours lies just before pc. Outside of its session's run it is stepped over silently. */
static bool inject_site(struct st_session *session, ucontext_t *context) {
    greg_t *general = context->uc_mcontext.gregs;
    uintptr_t address = (uintptr_t)general[REG_RIP] - 1;
    struct st_site *site = NULL;
    for (struct st_image *image = st_images; image != NULL && site == NULL; image = image->next) {
        site = st_site_find(image, address);
    }
    if (site == NULL || site->now.form != ST_PROBE_TRAP) {
        return false;
    }
    if (session == NULL || session->image != site->image) {
        general[REG_RIP] = (greg_t)site->single;
        return true;
    }
    session->pending = (struct st_pending){.kind = (enum st_event_kind)site->kind,
                                           .site = site,
                                           .pc = address,
                                           .trap = SIGSEGV,
                                           .address = (uint64_t)general[REG_RSP],
                                           .name = "stack overflow"};
    if (has_room(session, (uintptr_t)general[REG_RSP])) {
        general[REG_RIP] = (greg_t)(uintptr_t)st_inject_signal;
    } else {
        go_to_emergency(session, context);
    }
    return true;
}

static void handle(int signal, siginfo_t *info, void *context) {
    int errnum = errno;
    struct st_session *session = native_session();
    bool is_own_abort = signal == SIGABRT && info->si_code == SI_TKILL && info->si_pid == getpid();
    if (signal == SIGTRAP && info->si_code > 0 && inject_site(session, context)) {
        errno = errnum;
        return;
    }
    /* si_code is not positive when a process, not the processor, sent it. */
    if (session != NULL && session->is_registered) {
        take_registered(session, signal, info, context);
    } else if (session != NULL && (info->si_code > 0 || is_own_abort)) {
        inject_fault(session, signal, info, context, 0);
    } else {
        forward(signal, info, context);
    }
    errno = errnum;
}

/* ---- The quantum ---- */

static int set_timer(struct st_session *session, unsigned milliseconds) {
    struct timespec span = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    struct itimerspec interval = {span, span};
    return timer_settime(session->timer, 0, &interval, NULL);
}

/* Two ticks a quantum; a session that has not stopped between three in a row has run that long. */
static unsigned tick_milliseconds(const struct st_session *session) {
    return (session->options.quantum + 1) / 2;
}

static void tick(struct st_session *session, ucontext_t *context) {
    if (session->state != ST_STATE_RUNNING) { /* a driver that takes its time is not disturbed again */
        session->is_ticking = false;
        set_timer(session, 0);
        return;
    }
    if (session->ticked_resumptions != session->resumptions) {
        if (session->idle_ticks >= 2) {
            set_timer(session, tick_milliseconds(session));
        }
        session->ticked_resumptions = session->resumptions;
        session->idle_ticks = 0;
        return;
    }
    if (++session->idle_ticks < 2) {
        return;
    }
    if (session->is_interpreted) {
        if (session->in_debuggee) {
            st_wasm_arm(session);
        }
        return;
    }
    uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    bool can_inject = session->in_debuggee && st_session_is_code(session, pc) &&
                      has_room(session, (uintptr_t)context->uc_mcontext.gregs[REG_RSP]);
    if (!can_inject) {
        if (session->idle_ticks == 2) {
            set_timer(session, RETRY_MILLISECONDS);
        }
        return;
    }
    session->pending = (struct st_pending){.kind = ST_INTERRUPT, .pc = pc, .resume = pc};
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)st_inject_signal;
}

static void handle_timer(int signal, siginfo_t *info, void *context) {
    int errnum = errno;
    if (info->si_code != SI_TIMER) {
        forward(signal, info, context);
    } else if (st_current != NULL && info->si_value.sival_ptr == st_current) {
        tick(st_current, context);
    }
    errno = errnum;
}

struct rt_error *st_timer_start(struct st_session *session) {
    if (!session->has_timer) {
        struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = timer_signal()};
        event.sigev_value.sival_ptr = session;
        event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
        if (timer_create(CLOCK_MONOTONIC, &event, &session->timer) != 0) {
            return rt_error_os(errno, "making a timer for the quantum");
        }
        session->has_timer = true;
    }
    session->is_ticking = true;
    if (set_timer(session, tick_milliseconds(session)) != 0) {
        return rt_error_os(errno, "starting the timer of a quantum of %u ms", session->options.quantum);
    }
    return NULL;
}

void st_timer_stop(struct st_session *session) {
    if (session->has_timer) {
        timer_delete(session->timer);
        session->has_timer = false;
        session->is_ticking = false;
    }
}

/* ---- Installing ---- */

/* Makes `handler` the signal's, if it is not, and notes which was. */
static bool take(int signal, void (*handler)(int, siginfo_t *, void *), int flags, struct former *note) {
    struct sigaction present;
    if (sigaction(signal, NULL, &present) != 0) {
        return false;
    }
    if ((present.sa_flags & SA_SIGINFO) && present.sa_sigaction == handler) {
        return true;
    }
    if (!note->is_known) {
        note->first = present;
        note->is_known = true;
    }
    note->latest = present;
    struct sigaction action = {.sa_sigaction = handler,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | flags | (present.sa_flags & SA_RESTART)};
    return sigaction(signal, &action, NULL) == 0;
}

struct rt_error *st_signals_install(void) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    forward_depth = 0;
    pthread_mutex_lock(&mutex);
    /* The mask stays as the debuggee has it, here and in the stub: SA_NODEFER and an empty sa_mask. */
    bool is_taken = take(timer_signal(), handle_timer, SA_RESTART, &former_timer);
    for (size_t i = 0; i < HANDLED_COUNT && is_taken; i++) {
        is_taken = take(handled[i], handle, SA_NODEFER, &former[i]);
    }
    int errnum = errno;
    pthread_mutex_unlock(&mutex);
    return is_taken ? NULL : rt_error_os(errnum, "installing signal handlers");
}

struct rt_error *st_signals_enter_thread(void) {
    static _Thread_local _Alignas(16) uint8_t stack[ALTERNATE_STACK_SIZE];
    stack_t present;
    if (sigaltstack(NULL, &present) != 0) {
        return rt_error_os(errno, "asking for the alternate signal stack");
    }
    if (!(present.ss_flags & SS_DISABLE) && present.ss_size >= (size_t)ALTERNATE_STACK_SIZE / 2) {
        return NULL;
    }
    stack_t own = {.ss_sp = stack, .ss_size = sizeof(stack)};
    return sigaltstack(&own, NULL) != 0 ? rt_error_os(errno, "setting the alternate signal stack") : NULL;
}
