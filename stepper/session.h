/* A session, as the parts of the stepper that make it go see it (private to stepper/).
 *
 * Reading order: fiber.c (stacks), x86_64/inject.S (the injected call), signals.c (how a fault gets there),
 * session.c (events), session_native.c, session_jit.c and session_wasm.c (the kinds of debuggee), frames.c.
 */
#ifndef LOCKSTEP_STEPPER_SESSION_H
#define LOCKSTEP_STEPPER_SESSION_H

#include "stepper/fiber.h"
#include "stepper/image.h"
#include "stepper/machine.h"
#include "stepper/x86_64/inject.h"

#include <signal.h>
#include <time.h>

enum {
    /* A native stack's last part: a stop that finds the stack pointer in there reports a stack overflow. It
     * is room for the stub and the stepper. */
    ST_STACK_RESERVE = 64 << 10,
    /* Below a native stack. Big frames must hit it. */
    ST_STACK_GUARD = 1 << 20,
    /* What the handler of a fault needs below the stack pointer to inject there, besides the vector state. */
    ST_STUB_ROOM = 8 << 10,
    ST_EMERGENCY_SIZE = 64 << 10,
};

/* Why st_inject_signal was entered: written by a handler, read by st_injected. */
struct st_pending {
    enum st_event_kind kind;
    struct st_site *site; /* a native probe, else NULL */
    uintptr_t pc;         /* what a debugger shows */
    uintptr_t resume;     /* where to go on */
    int trap;
    uint64_t address;
    const char *name;
};

/* What one frame's unwinding read of memory: as long as it all reads the same, the caller is the same. */
struct st_frame_read {
    uint64_t address, value;
};

struct st_frame_trail {
    struct st_frame_read *reads;
    size_t count, room;
};

struct st_frame_list {
    struct st_frame *frames;
    struct st_frame_trail *trails; /* beside each frame: how its CFA and its caller were found */
    size_t count, room;
};

struct st_frame_cache {
    /* The last walk's frames, innermost first, at the end of the room: the outer ones stay in place while
     * inner ones come and go. They are frames[room - count .. room). */
    struct st_frame_list settled;
    struct st_frame_list fresh; /* found by the walk under way, innermost first, from index 0 */
    struct st_frame innermost;
    bool is_walked, is_innermost_known; /* at this stop */
};

/* Another object's call-frame information, for a fault inside a library. */
struct st_library {
    struct st_library *next;
    uintptr_t bias;
    struct st_unwinder *unwinder; /* NULL: it has none */
};

struct st_wasm_probe {
    uintptr_t machine; /* of the site; 0: a free slot */
    uint32_t pc, cookie;
    enum st_event_kind kind;
};

enum st_session_state { ST_STATE_READY, ST_STATE_RUNNING, ST_STATE_STOPPED, ST_STATE_ENDED };

/* Asked on the debuggee's stack at each enabled probe, before control is handed over: true passes it.
 * `registers` are those for rt_activation_first. */
typedef bool st_pass_fn(void *user, const struct st_event *event, struct rt_registers *registers);

struct st_session {
    bool is_wasm, is_registered; /* neither: a native image that was loaded */
    enum st_session_state state;
    volatile sig_atomic_t in_debuggee; /* its own code runs, not the stepper's */
    struct st_fiber fiber;
    const struct st_debug *debug; /* may be NULL */
    struct st_session_options options;
    struct rt_arena arena;   /* options */
    struct rt_arena reasons; /* of places, until the next `next` */
    struct rt_error *error;  /* ended with this */
    bool flushes;            /* it ended in a way that flushes standard output */

    /* The stop. */
    struct st_event event;
    struct st_saved *saved; /* NULL when the registers are not known: a host call, an interpreted guest */
    struct st_site *site;   /* a native probe */
    bool is_after_call;     /* the pc is a return address */
    uintptr_t next_pc;      /* set by st_session_set_machine_pc, else 0 */
    struct st_pending pending;
    struct st_frame_cache frames;

    /* The quantum. */
    timer_t timer;
    bool has_timer;
    volatile sig_atomic_t is_ticking;
    volatile uint64_t resumptions; /* how often the debuggee has been resumed */
    uint64_t ticked_resumptions;   /* at the last tick */
    unsigned idle_ticks;           /* since it last stopped */

    /* Native, loaded or registered. */
    struct st_image *image;
    bool prefer_traps;
    uint8_t *emergency; /* a stack for the stepper when the debuggee's has no room */
    struct st_saved fault;
    uint8_t fault_vector[16][16];
    struct st_library *libraries;
    struct st_jit_images *jit_images; /* as they were at the stop after so many resumptions */
    uint64_t jit_resumptions;
    char **arguments;
    int argument_count;

    /* Registered. */
    int (*enter)(void *user);
    void *enter_user;
    uintptr_t told;   /* a fault there has been an ST_TRAP: when it comes again, it is the engine's; else 0 */
    bool is_in_front; /* our signal handlers are before those that the engine set when it was entered */

    /* Wasm. */
    st_pass_fn *pass; /* see st_session_filter */
    void *pass_user;
    struct rt_instance *instance;
    struct rt_store *store;
    struct rt_code *code;
    uintptr_t code_low, code_high;
    struct st_wasm_probe *wasm_probes; /* hash table by machine address */
    size_t wasm_probe_slots;
    uint32_t *wasm_enabled; /* site indices */
    size_t wasm_enabled_count;
    bool is_interpreted;
    /* The end of an interpreted guest's quantum enables all sites: which they are, and whether they are. */
    uint32_t *wasm_sites;
    size_t wasm_site_count;
    volatile sig_atomic_t is_wasm_armed;
};

/* The session whose debuggee runs in this thread: the innermost one, when they nest. */
extern _Thread_local struct st_session *st_current;

/* session.c */

/* On the debuggee's stack: hands control to the driver with session->event filled, until the next `next`.
 * `saved` may be NULL. Keeps errno, which is the debuggee's. */
void st_session_stop(struct st_session *session, struct st_saved *saved);
/* The same for good. `error` may be NULL. */
_Noreturn void st_session_end(struct st_session *session, int status, struct rt_error *error);
/* Whether an address is in the debuggee's own code. */
bool st_session_is_code(const struct st_session *session, uintptr_t address);
/* The pc, as DWARF has it, of a machine pc in the debuggee's own code; 0 elsewhere. */
uint64_t st_session_pc(const struct st_session *session, uintptr_t machine);
RT_MUST_USE struct rt_error *st_session_allocate(const struct st_session_options *options,
                                                 struct st_session **ret);

/* session_native.c */
void st_native_exit(int status);       /* exit */
void st_native_quick_exit(int status); /* _exit, _Exit, quick_exit: nothing is flushed */
/* At a stop of a native session: delivers it and returns where to go on. */
void st_native_injected(struct st_session *session, struct st_saved *saved);
void st_native_clear(struct st_session *session);
/* The session's stack, with `reserve` beside what its options ask for, and the emergency stack. */
RT_MUST_USE struct rt_error *st_native_make_stacks(struct st_session *session, size_t reserve,
                                                   void (*entry)(void *user));
/* Entered by a handler, on the emergency stack, with the registers in session->fault. */
_Noreturn void st_native_fault(struct st_session *session);

/* session_jit.c */
void st_jit_clear(struct st_session *session);
/* Whether an address is in the guest's memory, as far as options.memory tells. */
bool st_jit_is_memory(const struct st_session *session, uint64_t address);

/* session_wasm.c */
void st_wasm_injected(struct st_session *session, struct st_saved *saved);
void st_wasm_clear(struct st_session *session);
/* In a signal handler, while the interpreter runs the guest: it shall stop at the next site. */
void st_wasm_arm(struct st_session *session);
RT_MUST_USE struct rt_error *st_wasm_set_probes(struct st_session *session, struct st_probe *probes,
                                                size_t count);

/* session_mark.c: where a Wasm session is, beside what is on its stack. */
struct st_session_mark {
    enum st_session_state state;
    void *inside, *inside_fake; /* the fiber's */
    struct st_event event;
    struct st_saved *saved;
};
/* Before it runs or at a probe. `ret_stack`: what of its stack is in use. */
struct st_session_mark st_session_mark(const struct st_session *session, struct rt_area *ret_stack);
/* Its stack holds what it did then. */
void st_session_return(struct st_session *session, const struct st_session_mark *mark);

/* signals.c */

/* Takes over SIGTRAP and the signals of faults; also from who has taken them since the last call. */
RT_MUST_USE struct rt_error *st_signals_install(void);
/* Before a debuggee runs in this thread for the first time: handlers need a stack of their own. */
RT_MUST_USE struct rt_error *st_signals_enter_thread(void);
/* Starts, or starts again, the session's quantum. */
RT_MUST_USE struct rt_error *st_timer_start(struct st_session *session);
void st_timer_stop(struct st_session *session);

/* frames.c */
void st_frames_clear(struct st_session *session);

#endif
