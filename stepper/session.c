/* Sessions: events, going on, ending. What differs between native, registered and Wasm debuggees is in
 * session_native.c, session_jit.c and session_wasm.c. */
#include "stepper/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Thread_local struct st_session *st_current;

/* ---- On the debuggee's stack ---- */

void st_session_stop(struct st_session *session, struct st_saved *saved) {
    int errnum = errno;
    session->in_debuggee = false;
    session->saved = saved;
    st_fiber_leave(&session->fiber);
    errno = errnum;
    session->in_debuggee = true;
}

void st_session_end(struct st_session *session, int status, struct rt_error *error) {
    session->in_debuggee = false;
    session->saved = NULL;
    session->error = error;
    session->event = (struct st_event){.kind = ST_EXIT, .status = status, .error = error};
    st_fiber_finish(&session->fiber);
}

static void deliver(struct st_session *session, struct st_saved *saved) {
    st_vector_settle(saved->registers.vector);
    if (session->is_wasm) {
        st_wasm_injected(session, saved);
    } else {
        st_native_injected(session, saved);
    }
}

/* Code with probes in it may run outside of its session: a constructor, a function that another debuggee
 * calls. It passes through then, as if the probe were not there; the resume slot says just that already. */
void st_injected(void *stub) {
    struct st_session *session = st_current;
    if (session == NULL || !session->in_debuggee) {
        return;
    }
    if ((uintptr_t)stub % _Alignof(struct st_saved) == 0) {
        deliver(session, stub);
        return;
    }
    struct st_saved saved;
    memcpy(&saved, stub, sizeof(saved));
    deliver(session, &saved);
    memcpy(stub, &saved, sizeof(saved));
}

/* ---- Going on ---- */

struct rt_error *st_session_next(struct st_session *session, struct st_event *ret) {
    if (session->state == ST_STATE_ENDED) {
        return rt_error_format(RT_USAGE, "running a session to its next event: it has ended");
    }
    if (session->state == ST_STATE_RUNNING) {
        return rt_error_format(RT_USAGE,
                               "running a session to its next event: it is running, and called this");
    }
    struct rt_error *error = NULL;
    if (session->state == ST_STATE_READY) {
        error = st_signals_enter_thread();
    }
    if (error == NULL && session->options.quantum != 0 && !session->is_ticking) {
        error = st_timer_start(session);
    }
    if (error != NULL) {
        return error;
    }
    session->frames.is_walked = session->frames.is_innermost_known = false;
    if (session->reasons.used != 0) {
        rt_arena_clear(&session->reasons);
    }

    struct st_session *outer = st_current;
    st_current = session;
    session->state = ST_STATE_RUNNING;
    session->resumptions++;
    st_fiber_enter(&session->fiber);
    session->state = session->event.kind == ST_EXIT ? ST_STATE_ENDED : ST_STATE_STOPPED;
    st_current = outer;

    if (session->is_registered && !session->is_in_front) {
        session->is_in_front = true;
        error = st_signals_install();
    }
    if (session->state == ST_STATE_ENDED) {
        st_timer_stop(session);
        if (session->flushes) {
            fflush(NULL);
        }
        if (session->image != NULL) {
            session->image->session = NULL;
        }
    }
    *ret = session->event;
    return error;
}

struct rt_error *st_session_set_machine_pc(struct st_session *session, uintptr_t machine) {
    if (session->is_interpreted) {
        return rt_error_format(RT_USAGE, "setting the pc: an interpreted guest has no machine code to go to");
    }
    if (session->state != ST_STATE_STOPPED || session->saved == NULL) {
        return rt_error_format(RT_USAGE, "setting the pc: the session is not stopped in its own code");
    }
    if (session->saved->origin == ST_ORIGIN_FAULT) {
        return rt_error_format(RT_USAGE, "setting the pc: the stack has no room to go on");
    }
    if (!st_session_is_code(session, machine) ||
        (session->image != NULL && st_image_resume(session->image, machine) == 0)) {
        return rt_error_format(RT_USAGE, "setting the pc: 0x%zx is no instruction of the debuggee's own code",
                               (size_t)machine);
    }
    session->next_pc = machine;
    return NULL;
}

struct rt_error *st_session_set_probes(struct st_session *session, struct st_probe *probes, size_t count) {
    if (session->state != ST_STATE_READY && session->state != ST_STATE_STOPPED) {
        return rt_error_format(RT_USAGE, "setting probes: the session is not stopped");
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && probes[i].pc <= probes[i - 1].pc) {
            return rt_error_format(RT_USAGE, "setting probes: pc 0x%zx does not ascend after 0x%zx",
                                   (size_t)probes[i].pc, (size_t)probes[i - 1].pc);
        }
        if (probes[i].kind != ST_STEP && probes[i].kind != ST_BREAKPOINT) {
            return rt_error_format(RT_USAGE,
                                   "setting probes: the one at pc 0x%zx is neither a step nor a "
                                   "breakpoint",
                                   (size_t)probes[i].pc);
        }
    }
    return session->is_wasm ? st_wasm_set_probes(session, probes, count)
                            : st_image_set_probes(session->image, probes, count, session->prefer_traps);
}

void st_session_prefer_traps(struct st_session *session, bool prefer) {
    session->prefer_traps = prefer;
}

/* ---- Making and ending ---- */

struct rt_error *st_session_allocate(const struct st_session_options *options, struct st_session **ret) {
    struct rt_error *error = st_vector_init();
    if (error == NULL) {
        error = st_signals_install();
    }
    if (error != NULL) {
        return error;
    }
    struct st_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return rt_error_out_of_memory();
    }
    rt_arena_init(&session->arena, 0);
    rt_arena_init(&session->reasons, 1 << 20);
    if (options != NULL) {
        session->options = *options;
    }
    if (session->options.stack_size == 0) {
        session->options.stack_size = (size_t)8 << 20;
    }
    *ret = session;
    return NULL;
}

void st_session_destroy(struct st_session *session) {
    if (session == NULL) {
        return;
    }
    st_timer_stop(session);
    if (session->is_wasm) {
        st_wasm_clear(session);
    } else if (session->is_registered) {
        st_jit_clear(session);
    } else {
        st_native_clear(session);
    }
    st_frames_clear(session);
    st_fiber_clear(&session->fiber);
    rt_error_destroy(session->error);
    rt_arena_clear(&session->arena);
    rt_arena_clear(&session->reasons);
    free(session);
}

/* ---- Asking ---- */

bool st_session_is_code(const struct st_session *session, uintptr_t address) {
    return session->is_wasm ? address >= session->code_low && address < session->code_high
                            : st_image_is_text(session->image, address);
}

uint64_t st_session_pc(const struct st_session *session, uintptr_t machine) {
    if (session->is_wasm) {
        uint32_t function, pc;
        return rt_code_pc(session->code, machine, &function, &pc) ? pc : 0;
    }
    return st_image_is_text(session->image, machine) ? machine - session->image->bias : 0;
}

const struct st_debug *st_session_debug(const struct st_session *session) {
    return session->debug;
}

unsigned st_session_address_size(const struct st_session *session) {
    return session->is_wasm ? 4 : 8;
}

uint64_t st_session_pointer_base(const struct st_session *session) {
    return session->is_registered ? session->options.memory : 0;
}
