/* Native debuggees: an image's `main` on a stack of its own; and the stops of all native code. */
#include "stepper/session.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- On the debuggee's stack ---- */

static void run_main(void *user) {
    struct st_session *session = user;
    session->in_debuggee = true;
    int status = session->image->main(session->argument_count, session->arguments, environ);
    session->flushes = true;
    st_session_end(session, status & 0xff, NULL);
}

/* The session whose image called a function that would end the process; NULL when no session of it runs
 * (a constructor called it). */
static struct st_session *caller(void) {
    bool is_loaded = st_current != NULL && !st_current->is_wasm && !st_current->is_registered;
    return is_loaded && st_current->in_debuggee ? st_current : NULL;
}

void st_native_exit(int status) {
    struct st_session *session = caller();
    if (session == NULL) {
        exit(status);
    }
    session->flushes = true;
    st_session_end(session, status & 0xff, NULL);
}

void st_native_quick_exit(int status) {
    struct st_session *session = caller();
    if (session == NULL) {
        _exit(status);
    }
    st_session_end(session, status & 0xff, NULL);
}

/* glibc's words; the arguments are __assert_fail's. */
static void print_assertion(const struct rt_registers *registers) {
    enum { RDI = 7, RSI = 6, RDX = 2, RCX = 1 };
    const char *assertion = (const char *)registers->general[RDI];
    const char *file = (const char *)registers->general[RSI];
    const char *function = (const char *)registers->general[RCX];
    fflush(stdout);
    fprintf(stderr, "%s:%u: %s: Assertion `%s' failed.\n", file, (unsigned)registers->general[RDX],
            function != NULL ? function : "?", assertion);
}

static void fill_trap(struct st_session *session, int signal, uintptr_t machine, uint64_t address,
                      const char *name) {
    session->event = (struct st_event){.kind = ST_TRAP,
                                       .pc = st_session_pc(session, machine),
                                       .machine = machine,
                                       .trap = signal,
                                       .address = address,
                                       .name = name};
}

/* The stop that session->event describes; returns only when there is a place to go on: one that was set, or
 * `resume` when that is not 0. */
static uintptr_t stop_at_trap(struct st_session *session, struct st_saved *saved, uintptr_t resume) {
    int signal = session->event.trap;
    session->told = resume;
    st_session_stop(session, saved);
    if (session->next_pc == 0 && resume != 0) {
        return resume;
    }
    session->told = 0;
    if (session->next_pc == 0) {
        st_session_end(session, 128 + signal, NULL);
    }
    resume = st_image_resume(session->image, session->next_pc);
    session->next_pc = 0;
    return resume;
}

/* A probe was reached. Where the stack is all but used up, that is what the driver must hear of. */
static uintptr_t stop_at_site(struct st_session *session, struct st_saved *saved, struct st_site *site) {
    saved->registers.pc = site->address;
    session->told = 0;
    uintptr_t stack = (uintptr_t)saved->registers.general[4];
    if (stack - session->fiber.low < ST_STACK_RESERVE) {
        fill_trap(session, SIGSEGV, site->address, stack, "stack overflow");
        return stop_at_trap(session, saved, 0);
    }
    session->event = (struct st_event){.kind = (enum st_event_kind)site->kind,
                                       .pc = site->address - site->image->bias,
                                       .machine = site->address,
                                       .cookie = site->cookie};
    session->site = site;
    st_session_stop(session, saved);
    session->site = NULL;
    if (session->next_pc != 0) {
        uintptr_t resume = st_image_resume(session->image, session->next_pc);
        session->next_pc = 0;
        return resume;
    }
    return st_site_resume(site);
}

/* Why a handler sent the debuggee here. */
static uintptr_t stop_at_signal(struct st_session *session, struct st_saved *saved) {
    const struct st_pending pending = session->pending;
    if (pending.site != NULL) {
        return stop_at_site(session, saved, pending.site);
    }
    saved->registers.pc = pending.pc;
    if (pending.kind == ST_TRAP) {
        fill_trap(session, pending.trap, pending.pc, pending.address, pending.name);
        return stop_at_trap(session, saved, pending.resume);
    }
    session->told = 0;
    session->event = (struct st_event){
        .kind = pending.kind, .pc = st_session_pc(session, pending.pc), .machine = pending.pc};
    st_session_stop(session, saved);
    uintptr_t next = session->next_pc != 0 ? session->next_pc : pending.resume;
    session->next_pc = 0;
    return st_image_resume(session->image, next);
}

void st_native_injected(struct st_session *session, struct st_saved *saved) {
    st_image_lower(session->image); /* a handler that did not come back left some of it lifted */
    switch (saved->origin) {
    case ST_ORIGIN_JUMP: {
        struct st_site *site = st_trampoline_site(saved->resume);
        if (site->image == session->image) {
            saved->resume = stop_at_site(session, saved, site);
        }
        return;
    }
    case ST_ORIGIN_SIGNAL: saved->resume = stop_at_signal(session, saved); return;
    case ST_ORIGIN_ABORT:
    case ST_ORIGIN_ASSERT:
        if (saved->origin == ST_ORIGIN_ASSERT) {
            print_assertion(&saved->registers);
        }
        /* As the caller sees it: its return address has been popped. */
        saved->registers.pc = saved->resume;
        fill_trap(session, SIGABRT, saved->registers.pc, 0,
                  saved->origin == ST_ORIGIN_ABORT ? "abort" : "assertion failed");
        session->is_after_call = true;
        saved->resume = stop_at_trap(session, saved, 0);
        session->is_after_call = false;
        return;
    default: return;
    }
}

void st_native_fault(struct st_session *session) {
    __asm__ volatile("fninit"); /* the x87 stack may hold values, which C code does not expect */
    fill_trap(session, session->pending.trap, session->pending.pc, session->pending.address,
              session->pending.name);
    (void)stop_at_trap(session, &session->fault, 0);
    abort(); /* st_session_set_machine_pc refuses a stop of this origin, so the session has ended */
}

/* ---- Making and ending ---- */

/* argv, copied: the debuggee may write into it. */
static struct rt_error *copy_arguments(struct st_session *session) {
    const char *const *given = session->options.argv;
    const char *name = session->image->path;
    int count = session->options.argc;
    if (count <= 0 || given == NULL) {
        given = &name;
        count = 1;
    }
    session->arguments = rt_arena_array(&session->arena, (size_t)count + 1, sizeof(char *));
    if (session->arguments == NULL) {
        return rt_error_out_of_memory();
    }
    for (int i = 0; i < count; i++) {
        session->arguments[i] = rt_arena_copy(&session->arena, given[i], strlen(given[i]));
        if (session->arguments[i] == NULL) {
            return rt_error_out_of_memory();
        }
    }
    session->argument_count = count;
    session->options.argv = NULL; /* the caller's may go away */
    return NULL;
}

struct rt_error *st_native_make_stacks(struct st_session *session, size_t reserve,
                                       void (*entry)(void *user)) {
    struct rt_error *error =
        st_fiber_init(&session->fiber, session->options.stack_size + reserve, ST_STACK_GUARD, entry, session);
    if (error != NULL) {
        return error;
    }
    session->emergency =
        mmap(NULL, ST_EMERGENCY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (session->emergency == MAP_FAILED) {
        session->emergency = NULL;
        return rt_error_os(errno, "making an emergency stack");
    }
    return NULL;
}

struct rt_error *st_session_create_native(struct st_image *image, const struct st_session_options *options,
                                          struct st_session **ret) {
    if (image->session != NULL) {
        return rt_error_format(RT_USAGE, "%s has a session already: its variables exist once", image->path);
    }
    struct st_session *session;
    struct rt_error *error = st_session_allocate(options, &session);
    if (error != NULL) {
        return error;
    }
    session->image = image;
    session->debug = image->debug;
    error = copy_arguments(session);
    if (error == NULL) {
        error = st_native_make_stacks(session, ST_STACK_RESERVE, run_main);
    }
    if (error != NULL) {
        st_session_destroy(session);
        return error;
    }
    image->session = session;
    *ret = session;
    return NULL;
}

void st_native_clear(struct st_session *session) {
    if (session->image != NULL && session->image->session == session) {
        session->image->session = NULL;
    }
    if (session->emergency != NULL) {
        st_stack_forget(session->emergency, ST_EMERGENCY_SIZE);
        munmap(session->emergency, ST_EMERGENCY_SIZE);
    }
    st_jit_images_destroy(session->jit_images);
    while (session->libraries != NULL) {
        struct st_library *library = session->libraries;
        session->libraries = library->next;
        st_unwinder_destroy(library->unwinder);
        free(library);
    }
}
