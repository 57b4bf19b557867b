/* One module in two engines: both sides to their next event, compared, again and again. An instruction is
 * compared before it runs, and what it changed when the next one is. */
#include "oracle/engines.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TIME_INTERVAL = 1 << 10, /* instructions between two looks at the clock */
    /* How far two engines may be apart about a fault's address: one names the access, the other its first
     * byte that is out of bounds. */
    WIDEST_ACCESS = 16,
};

static uint64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- Beginning ---- */

/* Both codes must be stoppable at the same instructions. */
static bool same_sites(struct or_engines *engines, const struct rt_site *sites[2], const size_t counts[2]) {
    size_t at = 0;
    while (at < counts[0] && at < counts[1] && sites[0][at].pc == sites[1][at].pc)
        at++;
    if (at == counts[0] && at == counts[1])
        return true;
    const char *values[2];
    for (int i = 0; i < 2; i++)
        values[i] = at < counts[i] ? or_printf(&engines->report->arena, "next is pc 0x%x", sites[i][at].pc)
                                   : "no more";
    return or_engines_differ(engines, OR_ENGINE_SITES, "instructions that can run", values);
}

static bool describe_sites(struct or_engines *engines, const struct rt_site *sites, size_t count) {
    struct or_engine_site *known = rt_arena_array(&engines->report->arena, count, sizeof *known);
    uint32_t most = 0;
    if (!known) {
        engines->error = rt_error_out_of_memory();
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t start, code, end;
        struct or_engine_site *site = &known[i];
        site->pc = sites[i].pc;
        if (!rt_module_instruction(engines->module, site->pc, &site->instruction) ||
            !rt_module_function_at(engines->module, site->pc, &site->function) ||
            !rt_module_function_range(engines->module, site->function, &start, &code, &end)) {
            engines->error = rt_error_format(RT_USAGE, "site at pc 0x%x is no instruction", site->pc);
            return false;
        }
        site->is_entry = site->pc == code;
        site->local_count = rt_module_local_count(engines->module, site->function);
        most = site->local_count > most ? site->local_count : most;
    }
    engines->sites = known;
    engines->site_count = (uint32_t)count;
    engines->room = most;
    return true;
}

/* No instruction leaves more operands than a function has bytes, but for calls and blocks with many results:
 * room for what a validated body can have. */
enum { MOST_OPERANDS = 100000 };

static struct rt_error *make_room(struct or_engines *engines) {
    struct rt_arena *arena = &engines->report->arena;
    uint32_t locals = engines->room;
    engines->room = MOST_OPERANDS;
    for (int i = 0; i < 2; i++) {
        struct or_engine_side *side = &engines->sides[i];
        side->locals = rt_arena_array(arena, locals + (size_t)1, sizeof *side->locals);
        side->operands = rt_arena_array(arena, engines->room, sizeof *side->operands);
        side->types = rt_arena_array(arena, engines->room, sizeof *side->types);
        if (!side->locals || !side->operands || !side->types)
            return rt_error_out_of_memory();
    }
    return NULL;
}

static struct rt_error *set_probes(struct or_engines *engines, const struct or_engine_side *side) {
    struct st_probe *probes = calloc(engines->site_count + (size_t)1, sizeof *probes);
    if (!probes)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < engines->site_count; i++)
        probes[i] = (struct st_probe){.pc = engines->sites[i].pc, .cookie = i, .kind = ST_STEP};
    struct rt_error *error = st_session_set_probes(side->session, probes, engines->site_count);
    free(probes);
    return error;
}

/* False when there is a difference already, or an error. */
static bool begin(struct or_engines *engines) {
    const struct rt_site *sites[2];
    size_t counts[2];
    for (int i = 0; i < 2; i++)
        sites[i] = rt_code_sites(rt_instance_code(engines->sides[i].instance), &counts[i]);
    if (!describe_sites(engines, sites[0], counts[0]))
        return false;
    engines->error = make_room(engines);
    for (int i = 0; i < 2 && !engines->error; i++)
        engines->error =
            or_engines_list_functions(&engines->sides[i], engines->module, &engines->report->arena);
    if (engines->error || !same_sites(engines, sites, counts))
        return false;
    for (int i = 0; i < 2 && !engines->error; i++)
        engines->error = set_probes(engines, &engines->sides[i]);
    /* Instantiation has written into memories and tables already. */
    return !engines->error && or_engines_sweep(engines);
}

/* ---- Events ---- */

static const char *event_words(struct or_engines *engines, const struct st_event *event) {
    switch (event->kind) {
    case ST_STEP:
    case ST_BREAKPOINT:
        return or_printf(&engines->report->arena, "goes on at pc 0x%llx", (unsigned long long)event->pc);
    case ST_TRAP:
        return or_printf(&engines->report->arena, "traps at pc 0x%llx: %s (address 0x%llx)",
                         (unsigned long long)event->pc, event->name, (unsigned long long)event->address);
    case ST_HOST_CALL: return or_printf(&engines->report->arena, "calls %s", event->name);
    case ST_HOST_RETURN:
        return or_printf(&engines->report->arena, "returns from %s%s%s", event->name,
                         event->error ? ": " : "", event->error ? event->error->message : "");
    case ST_INTERRUPT: return "is interrupted";
    case ST_EXIT:
        if (event->error)
            return or_printf(&engines->report->arena, "ends with status %d: %s", event->status,
                             event->error->message);
        return or_printf(&engines->report->arena, "ends with status %d", event->status);
    }
    return "unknown";
}

static bool differ_events(struct or_engines *engines, enum or_engine_kind kind, const char *what) {
    const char *const values[2] = {event_words(engines, &engines->sides[0].event),
                                   event_words(engines, &engines->sides[1].event)};
    return or_engines_differ(engines, kind, what, values);
}

static bool is_exhaustion(const struct st_event *event) {
    return event->kind == ST_TRAP && event->trap == RT_TRAP_STACK_EXHAUSTED;
}

static bool compare_traps(struct or_engines *engines) {
    const struct st_event *a = &engines->sides[0].event, *b = &engines->sides[1].event;
    uint64_t apart = a->address < b->address ? b->address - a->address : a->address - b->address;
    if (a->trap != b->trap || a->pc != b->pc || apart >= WIDEST_ACCESS)
        return differ_events(engines, OR_ENGINE_TRAP, "trap");
    engines->report->public.traps++;
    /* An instruction that traps has no effect (section 4.4.6), but for a store's neighbours. */
    if (!or_engines_sweep(engines))
        return false;
    engines->depth = 0; /* all frames up to the next host frame go away */
    return true;
}

static bool compare_ends(struct or_engines *engines) {
    struct or_engines_report *report = &engines->report->public;
    const struct st_event *a = &engines->sides[0].event, *b = &engines->sides[1].event;
    for (int i = 0; i < 2; i++) {
        const struct st_event *event = &engines->sides[i].event;
        report->status[i] = event->status;
        report->error[i] =
            event->error ? or_printf(&engines->report->arena, "%s", event->error->message) : NULL;
    }
    report->ended = true;
    bool same = a->status == b->status && !a->error == !b->error;
    if (same && a->error)
        same = a->error->code == b->error->code && a->error->trap == b->error->trap;
    if (!same)
        return differ_events(engines, OR_ENGINE_STATUS, "end");
    return or_engines_effects(engines) && or_engines_sweep(engines);
}

/* What both did is compared; false ends the comparison. */
static bool compare_events(struct or_engines *engines) {
    struct or_engines_report *report = &engines->report->public;
    const struct st_event *a = &engines->sides[0].event, *b = &engines->sides[1].event;
    if (is_exhaustion(a) != is_exhaustion(b)) {
        report->verdict = OR_ENGINES_EXHAUSTED;
        return false;
    }
    if (a->kind != b->kind)
        return differ_events(engines, OR_ENGINE_EVENT, "event");
    switch (a->kind) {
    case ST_STEP:
        if (!or_engines_step(engines, a->cookie))
            return false;
        report->steps++;
        return true;
    case ST_TRAP: return compare_traps(engines);
    case ST_HOST_CALL:
        if (strcmp(a->name, b->name) != 0 || a->pc != b->pc)
            return differ_events(engines, OR_ENGINE_HOST_CALL, "call of the host");
        report->calls++;
        return or_engines_effects(engines);
    case ST_HOST_RETURN:
        if (!a->error != !b->error)
            return differ_events(engines, OR_ENGINE_EVENT, "return of the host");
        return or_engines_sweep(engines);
    case ST_EXIT: compare_ends(engines); return false;
    case ST_BREAKPOINT:
    case ST_INTERRUPT: break;
    }
    engines->error = rt_error_format(RT_USAGE, "an engine stopped for a reason that nobody asked for");
    return false;
}

/* ---- The loop ---- */

static bool advance(struct or_engines *engines, struct or_progress *progress) {
    for (uint32_t i = 0; i < 2; i++) {
        struct or_engine_side *side = &engines->sides[i];
        progress->running = i;
        engines->error = st_session_next(side->session, &side->event);
        if (engines->error)
            return false;
        progress->pc[i] = side->event.pc;
        if (engines->options.at_event)
            engines->error = engines->options.at_event(engines->options.user, i,
                                                       engines->report->public.steps, &side->event);
        if (engines->error)
            return false;
    }
    progress->running = 2;
    progress->stops = engines->report->public.steps;
    progress->values = engines->report->public.values;
    return true;
}

static void run(struct or_engines *engines) {
    struct or_engines_report *report = &engines->report->public;
    const struct or_engines_options *options = &engines->options;
    struct or_progress unused = {0}, *progress = options->progress ? options->progress : &unused;
    uint64_t end = options->max_time ? milliseconds() + options->max_time : UINT64_MAX;
    while (advance(engines, progress) && compare_events(engines)) {
        report->is_limited = (options->max_steps && report->steps >= options->max_steps) ||
                             (report->steps % TIME_INTERVAL == 0 && milliseconds() >= end);
        if (report->is_limited) {
            or_engines_sweep(engines);
            return;
        }
    }
}

struct rt_error *or_engines_compare(const struct or_engine_witness witnesses[2],
                                    const struct or_engines_options *options,
                                    struct or_engines_report **ret) {
    struct or_engines_full_report *report = calloc(1, sizeof *report);
    if (!report)
        return rt_error_out_of_memory();
    struct or_engines engines = {.options = *options, .report = report};
    if (!engines.options.subject)
        engines.options.subject = "engines";
    rt_arena_init(&report->arena, 0);
    engines.module = rt_code_module(rt_instance_code(witnesses[0].instance));
    for (int i = 0; i < 2; i++) {
        engines.sides[i].name = witnesses[i].name;
        engines.sides[i].session = witnesses[i].session;
        engines.sides[i].instance = witnesses[i].instance;
    }
    if (begin(&engines))
        run(&engines);
    free(engines.frames);
    if (engines.error) {
        or_engines_report_destroy(&report->public);
        return engines.error;
    }
    *ret = &report->public;
    return NULL;
}
