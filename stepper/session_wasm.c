/* Wasm debuggees: a guest on a stack of its own. Probes are the sites of its code; the runtime's hooks tell
 * of traps and host calls, and of probes where the interpreter runs. */
#include "stepper/session.h"

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum {
    SITE_SIZE = 5, /* a site's call instruction: the return address less this is the site */
    /* Guest frames leave this much of the stack to host functions, the stub and the stepper. */
    HOST_RESERVE = 256 << 10,
    GUARD_SIZE = 64 << 10,
    TRAP_STATUS = 134, /* as a shell sees an abort */
    ERROR_STATUS = 1,
};

/* ---- On the debuggee's stack ---- */

static void run_guest(void *user) {
    struct st_session *session = user;
    session->in_debuggee = true;
    int status = 0;
    struct rt_error *error = session->options.run != NULL
                                 ? session->options.run(session->options.run_user, session->instance, &status)
                                 : rt_wasi_run(session->instance, &status);
    if (error != NULL) {
        status = error->code == RT_TRAP ? TRAP_STATUS : ERROR_STATUS;
    }
    st_session_end(session, status, error);
}

static const struct st_wasm_probe *find_probe(const struct st_session *session, uintptr_t machine);

void st_wasm_injected(struct st_session *session, struct st_saved *saved) {
    if (saved->origin == ST_ORIGIN_CALL) {
        uintptr_t machine = (uintptr_t)saved->resume - SITE_SIZE;
        const struct st_wasm_probe *probe = find_probe(session, machine);
        if (probe == NULL) {
            return; /* another instance's code */
        }
        saved->registers.pc = machine;
        session->event = (struct st_event){
            .kind = probe->kind, .pc = probe->pc, .machine = machine, .cookie = probe->cookie};
        if (session->pass != NULL && session->pass(session->pass_user, &session->event, &saved->registers)) {
            return;
        }
    } else if (saved->origin == ST_ORIGIN_SIGNAL) {
        const struct st_pending *pending = &session->pending;
        saved->registers.pc = pending->pc;
        saved->resume = pending->resume;
        session->event = (struct st_event){.kind = pending->kind,
                                           .pc = st_session_pc(session, pending->pc),
                                           .machine = pending->pc,
                                           .trap = pending->trap,
                                           .address = pending->address,
                                           .name = pending->name};
    } else {
        return;
    }
    st_session_stop(session, saved);
    if (session->next_pc != 0) {
        saved->resume = session->next_pc;
        session->next_pc = 0;
    }
}

/* ---- Hooks ---- */

static bool runs_here(const struct st_session *session) {
    return st_current == session && session->in_debuggee;
}

/* Back to the sites that shall be enabled. Not while the debuggee may be interrupted. */
static void disarm(struct st_session *session) {
    if (!session->is_wasm_armed) {
        return;
    }
    /* Both calls succeed: the indices are the code's own. */
    rt_error_destroy(rt_code_set_probes(session->code, session->wasm_sites, session->wasm_site_count, false));
    rt_error_destroy(
        rt_code_set_probes(session->code, session->wasm_enabled, session->wasm_enabled_count, true));
    session->is_wasm_armed = false;
}

void st_wasm_arm(struct st_session *session) {
    if (!session->is_wasm_armed) {
        session->is_wasm_armed = true;
        rt_error_destroy(
            rt_code_set_probes(session->code, session->wasm_sites, session->wasm_site_count, true));
    }
}

/* The interpreter's stop, and that of a host call: a call on the guest's stack, with no registers to show. */
static void stop_in_call(struct st_session *session, const struct st_event *event) {
    session->in_debuggee = false; /* from here on no tick can arm again */
    disarm(session);
    session->event = *event;
    st_session_stop(session, NULL);
}

/* The interpreter reached an enabled site. */
static void on_probe(void *user, const struct rt_code *code, uintptr_t machine) {
    struct st_session *session = user;
    if (!runs_here(session) || code != session->code) {
        return;
    }
    if (session->is_wasm_armed) {
        stop_in_call(session, &(struct st_event){.kind = ST_INTERRUPT,
                                                 .pc = st_session_pc(session, machine),
                                                 .machine = machine});
    }
    /* Asked for only now: the driver may have changed the probes. */
    const struct st_wasm_probe *probe = find_probe(session, machine);
    if (probe == NULL) {
        return;
    }
    const struct st_event event = {
        .kind = probe->kind, .pc = probe->pc, .machine = machine, .cookie = probe->cookie};
    if (session->pass == NULL || !session->pass(session->pass_user, &event, NULL)) {
        stop_in_call(session, &event);
    }
}

/* In a signal handler, unless the interpreter runs. */
static void on_trap(void *user, const struct rt_trap_info *info, void *context) {
    struct st_session *session = user;
    if (!runs_here(session)) {
        return;
    }
    if (context == NULL) {
        stop_in_call(session, &(struct st_event){.kind = ST_TRAP,
                                                 .pc = st_session_pc(session, info->machine),
                                                 .machine = info->machine,
                                                 .trap = (int)info->trap,
                                                 .address = info->fault_address,
                                                 .name = rt_trap_message(info->trap)});
        return;
    }
    greg_t *general = ((ucontext_t *)context)->uc_mcontext.gregs;
    session->pending = (struct st_pending){.kind = ST_TRAP,
                                           .pc = info->machine,
                                           .resume = (uintptr_t)general[REG_RIP],
                                           .trap = (int)info->trap,
                                           .address = info->fault_address,
                                           .name = rt_trap_message(info->trap)};
    general[REG_RIP] = (greg_t)(uintptr_t)st_inject_signal;
}

static void stop_at_host(struct st_session *session, enum st_event_kind kind, const struct rt_func *func,
                         struct rt_error *error) {
    if (!runs_here(session)) {
        return;
    }
    struct rt_activation activation;
    bool is_known = rt_activation_first(session->store, NULL, &activation);
    stop_in_call(session, &(struct st_event){.kind = kind,
                                             .pc = is_known ? activation.pc : 0,
                                             .machine = is_known ? activation.machine : 0,
                                             .name = rt_func_name(func),
                                             .error = error});
}

/* What the host calls itself, such as a start function that is its own, is none of the guest's doing. */
static void on_host_call(void *user, struct rt_caller *caller, const struct rt_func *func,
                         const union rt_value *args) {
    (void)args;
    if (caller->instance != NULL) {
        stop_at_host(user, ST_HOST_CALL, func, NULL);
    }
}

static void on_host_return(void *user, struct rt_caller *caller, const struct rt_func *func,
                           const union rt_value *results, struct rt_error *error) {
    (void)results;
    if (caller->instance != NULL) {
        stop_at_host(user, ST_HOST_RETURN, func, error);
    }
}

/* ---- Probes ---- */

static size_t slot_of(const struct st_session *session, uintptr_t machine) {
    return (size_t)(machine * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (session->wasm_probe_slots - 1);
}

static const struct st_wasm_probe *find_probe(const struct st_session *session, uintptr_t machine) {
    if (session->wasm_probe_slots == 0) {
        return NULL;
    }
    size_t slot = slot_of(session, machine);
    while (session->wasm_probes[slot].machine != machine) {
        if (session->wasm_probes[slot].machine == 0) {
            return NULL;
        }
        slot = (slot + 1) & (session->wasm_probe_slots - 1);
    }
    return &session->wasm_probes[slot];
}

static void insert_probe(struct st_session *session, struct st_wasm_probe probe) {
    size_t slot = slot_of(session, probe.machine);
    while (session->wasm_probes[slot].machine != 0) {
        slot = (slot + 1) & (session->wasm_probe_slots - 1);
    }
    session->wasm_probes[slot] = probe;
}

/* The site for a pc. A function's first row stands for its local declarations, which are no instruction: that
 * is its first instruction's site. Any other pc must be a site's own: one in code that never runs must not
 * turn into the next that does. False when there is none. */
static bool find_site(const struct rt_module *module, const struct rt_site *sites, size_t count, uint64_t pc,
                      uint32_t *ret) {
    uint32_t function, start, code, end;
    if (pc > UINT32_MAX) {
        return false;
    }
    if (rt_module_function_at(module, (uint32_t)pc, &function) &&
        rt_module_function_range(module, function, &start, &code, &end) && pc < code) {
        pc = code;
    }
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sites[middle].pc < pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret = (uint32_t)low;
    return low < count && sites[low].pc == pc;
}

struct rt_error *st_wasm_set_probes(struct st_session *session, struct st_probe *probes, size_t count) {
    size_t site_count;
    const struct rt_site *sites = rt_code_sites(session->code, &site_count);
    size_t slots = 16;
    while (slots < count * 2) {
        slots *= 2;
    }
    struct rt_error *error = NULL;
    struct st_wasm_probe *table = calloc(slots, sizeof(*table));
    uint32_t *wanted = malloc((count + 1) * sizeof(*wanted));
    uint32_t *changed = malloc((count + session->wasm_enabled_count + 1) * sizeof(*changed));
    if (table == NULL || wanted == NULL || changed == NULL) {
        error = rt_error_out_of_memory();
        goto out;
    }
    size_t wanted_count = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t site;
        bool is_made = find_site(rt_code_module(session->code), sites, site_count, probes[i].pc, &site);
        probes[i].made = is_made ? ST_PROBE_CALL : ST_PROBE_NONE;
        if (!is_made) {
            continue;
        }
        if (wanted_count > 0 && wanted[wanted_count - 1] == site) {
            /* Both a function's start and its first instruction: the latter is the site's own. */
            probes[i - 1].made = ST_PROBE_NONE;
        } else {
            wanted[wanted_count++] = site;
        }
    }
    /* Both lists ascend: what is in one alone changes. Those that go are put first, those that come last. */
    size_t gone = 0, come = 0, room = count + session->wasm_enabled_count;
    for (size_t i = 0, j = 0; i < session->wasm_enabled_count || j < wanted_count;) {
        uint32_t old = i < session->wasm_enabled_count ? session->wasm_enabled[i] : UINT32_MAX;
        uint32_t new = j < wanted_count ? wanted[j] : UINT32_MAX;
        if (old < new) {
            changed[gone++] = old;
        } else if (new < old) {
            changed[room - ++come] = new;
        }
        i += old <= new;
        j += new <= old;
    }
    error = rt_code_set_probes(session->code, changed, gone, false);
    if (error == NULL) {
        error = rt_code_set_probes(session->code, changed + room - come, come, true);
    }
    if (error != NULL) {
        goto out;
    }
    free(session->wasm_enabled);
    session->wasm_enabled = wanted;
    session->wasm_enabled_count = wanted_count;
    wanted = NULL;
    free(session->wasm_probes);
    session->wasm_probes = table;
    session->wasm_probe_slots = slots;
    table = NULL;
    for (size_t i = 0; i < count; i++) {
        uint32_t site;
        if (probes[i].made == ST_PROBE_CALL &&
            find_site(rt_code_module(session->code), sites, site_count, probes[i].pc, &site)) {
            insert_probe(session, (struct st_wasm_probe){sites[site].machine, sites[site].pc,
                                                         probes[i].cookie, probes[i].kind});
        }
    }
out:
    free(table);
    free(wanted);
    free(changed);
    return error;
}

/* ---- Making and ending ---- */

/* The indices that a tick hands to rt_code_set_probes: a handler cannot make them. */
static struct rt_error *list_sites(struct st_session *session) {
    rt_code_sites(session->code, &session->wasm_site_count);
    session->wasm_sites = malloc((session->wasm_site_count + 1) * sizeof(*session->wasm_sites));
    if (session->wasm_sites == NULL) {
        return rt_error_out_of_memory();
    }
    for (size_t i = 0; i < session->wasm_site_count; i++) {
        session->wasm_sites[i] = (uint32_t)i;
    }
    return NULL;
}

struct rt_error *st_session_create_wasm(struct rt_instance *instance, const struct st_debug *debug,
                                        const struct st_session_options *options, struct st_session **ret) {
    struct st_session *session;
    struct rt_error *error = st_session_allocate(options, &session);
    if (error != NULL) {
        return error;
    }
    session->is_wasm = true;
    session->debug = debug;
    session->instance = instance;
    session->store = rt_instance_store(instance);
    session->code = rt_instance_code(instance);
    session->is_interpreted = rt_code_engine(session->code) == RT_ENGINE_INTERP;
    rt_code_range(session->code, &session->code_low, &session->code_high);
    error = st_fiber_init(&session->fiber, session->options.stack_size + HOST_RESERVE, GUARD_SIZE, run_guest,
                          session);
    if (error == NULL && session->is_interpreted && session->options.quantum != 0) {
        error = list_sites(session);
    }
    if (error != NULL) {
        st_session_destroy(session);
        return error;
    }
    rt_store_set_stack_limit(session->store, session->fiber.low + HOST_RESERVE);
    bool host_calls = session->options.host_calls;
    rt_store_set_hooks(session->store, &(struct rt_hooks){.user = session,
                                                          .probe = on_probe,
                                                          .probe_stub = (void *)st_inject_call,
                                                          .trap = on_trap,
                                                          .host_call = host_calls ? on_host_call : NULL,
                                                          .host_return = host_calls ? on_host_return : NULL});
    *ret = session;
    return NULL;
}

void st_wasm_clear(struct st_session *session) {
    if (session->store != NULL && session->fiber.guard != 0) {
        disarm(session);
        if (session->wasm_enabled_count > 0) {
            /* Should it fail, the sites' calls lead nowhere harmful: the stub lets code of no session pass.
             */
            rt_error_destroy(st_wasm_set_probes(session, NULL, 0));
        }
        rt_store_set_hooks(session->store, NULL);
    }
    free(session->wasm_probes);
    free(session->wasm_enabled);
    free(session->wasm_sites);
}
