/* One binary against itself: the debuggee runs by instructions, and a forked copy of it by lines. The copy
 * tells through a pipe what it shows at each of its stops; the other must come to the same ones. */
#include "oracle/self.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    VISITS = 8,        /* default of max_visits */
    STATIC_VISITS = 2, /* static storage is told so often at a statement */
    CLOCK_INTERVAL = 1024,
    RETURN_ADDRESS = 16, /* DWARF's number */
};

/* A stop, as the line stepper tells it; `count` digests follow. */
struct stop {
    uint64_t pc; /* UINT64_MAX: the end */
    uint32_t depth, count;
};

struct teller { /* the child's end of the pipe, or the parent's */
    pid_t child;
    int fd; /* -1: it has nothing more to say */
};

static bool write_all(int fd, const void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t written = write(fd, (const uint8_t *)bytes + done, size - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        done += (size_t)written;
    }
    return true;
}

static bool read_all(int fd, void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (uint8_t *)bytes + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* ---- What both steppers do at a statement ---- */

/* `site` counts visits: both steppers see the same ones. */
static struct rt_error *show_stop(struct or_self *self, struct or_self_site *site, struct stop *ret) {
    uint32_t visits = site->visits++;
    struct rt_error *error = NULL;
    self->digest_count = 0;
    if (visits < self->options.max_visits)
        error = or_self_show(self, site, visits < STATIC_VISITS);
    *ret = (struct stop){site->pc, (uint32_t)self->depth, (uint32_t)self->digest_count};
    return error;
}

static struct rt_error *enter(struct or_self *self, const struct or_self_site *site) {
    struct rt_error *error = or_self_track(self, site);
    if (!error && site->is_body && self->options.is_unoptimised && !self->live->is_filled)
        or_self_fill(self, site);
    return error;
}

static struct rt_error *set_probes(struct or_self *self, bool all) {
    struct st_probe *probes = calloc(self->site_count + 1, sizeof *probes);
    size_t count = 0;
    if (!probes)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < self->site_count; i++) {
        const struct or_self_site *site = &self->sites[i];
        if (all || site->row || site->is_entry || site->is_body)
            probes[count++] = (struct st_probe){.pc = site->pc, .cookie = (uint32_t)i, .kind = ST_STEP};
    }
    struct rt_error *error = st_session_set_probes(self->session, probes, count);
    free(probes);
    return error;
}

/* ---- By lines, in the child ---- */

static struct rt_error *tell_stop(struct or_self *self, struct or_self_site *site, int fd) {
    struct stop stop;
    struct rt_error *error = enter(self, site);
    if (error || !site->row || (error = show_stop(self, site, &stop)))
        return error;
    if (!write_all(fd, &stop, sizeof stop))
        _exit(0); /* nobody listens any more */
    for (size_t i = 0; i < self->digest_count; i++)
        if (!write_all(fd, &self->digests[i].digest, sizeof(uint64_t)))
            _exit(0);
    return NULL;
}

static void step_lines(struct or_self *self, int fd) {
    const struct stop end = {.pc = UINT64_MAX};
    struct st_event event = {.kind = ST_STEP};
    self->is_child = true;
    if (self->options.in_child)
        self->options.in_child(self->options.user);
    struct rt_error *error = set_probes(self, false);
    while (!error && event.kind != ST_EXIT) {
        error = st_session_next(self->session, &event);
        if (!error && event.kind == ST_STEP)
            error = tell_stop(self, &self->sites[event.cookie], fd);
    }
    if (!error)
        write_all(fd, &end, sizeof end);
}

static struct rt_error *start_lines(struct or_self *self, struct teller *ret) {
    int fds[2];
    if (pipe(fds) != 0)
        return rt_error_os(errno, "stepping by lines: pipe");
    ret->child = fork();
    if (ret->child == 0) {
        close(fds[0]);
        step_lines(self, fds[1]);
        _exit(0);
    }
    close(fds[1]);
    ret->fd = fds[0];
    return ret->child < 0 ? rt_error_os(errno, "stepping by lines: fork") : NULL;
}

static void stop_listening(struct teller *lines) {
    int status;
    if (lines->fd >= 0)
        close(lines->fd);
    lines->fd = -1;
    if (lines->child > 0) {
        kill(lines->child, SIGKILL);
        while (waitpid(lines->child, &status, 0) < 0 && errno == EINTR)
            ;
    }
    lines->child = 0;
}

/* ---- By instructions ---- */

static const char *stop_words(struct or_self *self, const struct stop *stop) {
    if (stop->pc == UINT64_MAX)
        return "ends";
    const struct or_self_site *site = or_self_site_at(self, stop->pc);
    const struct st_row *row = site ? site->row : NULL;
    return or_printf(&self->report->arena, "stops at 0x%llx, line %u, depth %u", (unsigned long long)stop->pc,
                     row ? row->line : 0, stop->depth);
}

static void report_steps(struct or_self *self, const struct stop *lines, const struct stop *instructions) {
    uint64_t pc = instructions->pc != UINT64_MAX ? instructions->pc : lines->pc;
    const struct or_self_site *site = or_self_site_at(self, pc);
    struct or_self_place place = {.pc = pc};
    if (site)
        place = or_self_at(self, site, NULL, NULL);
    or_self_report(self, OR_SELF_STEPS, &place, lines->pc == instructions->pc ? "depth" : "pc",
                   "stepping by lines and by instructions come to different statements",
                   or_printf(&self->report->arena, "by lines it %s", stop_words(self, lines)),
                   or_printf(&self->report->arena, "by instructions it %s", stop_words(self, instructions)));
}

/* The line stepper's next stop must be this one; where it is not, nobody listens to it any longer. */
static struct rt_error *compare_stop(struct or_self *self, const struct or_self_site *site,
                                     const struct stop *stop, struct teller *lines) {
    struct stop told;
    if (!read_all(lines->fd, &told, sizeof told)) {
        stop_listening(lines);
        return rt_error_format(RT_OS, "the process that steps by lines has died");
    }
    if (told.pc != stop->pc || told.depth != stop->depth || told.count != stop->count) {
        report_steps(self, &told, stop);
        stop_listening(lines);
        return NULL;
    }
    self->report->public.stops += stop->pc != UINT64_MAX;
    for (uint32_t i = 0; i < stop->count; i++) {
        uint64_t digest;
        if (!read_all(lines->fd, &digest, sizeof digest)) {
            stop_listening(lines);
            return rt_error_format(RT_OS, "the process that steps by lines has died");
        }
        self->report->public.values++;
        if (digest == self->digests[i].digest)
            continue;
        struct or_self_place place = or_self_at(self, site, self->digests[i].variable, NULL);
        or_self_report(self, OR_SELF_VALUES, &place, NULL,
                       "stepping by lines and by instructions show other values at one stop",
                       or_printf(&self->report->arena, "digest %016llx by lines", (unsigned long long)digest),
                       or_printf(&self->report->arena, "digest %016llx by instructions",
                                 (unsigned long long)self->digests[i].digest));
    }
    return NULL;
}

static struct rt_error *take_statement(struct or_self *self, struct or_self_site *site, bool is_looked_at,
                                       struct teller *lines) {
    struct stop stop;
    struct rt_error *error = show_stop(self, site, &stop);
    if (!error && lines->fd >= 0)
        error = compare_stop(self, site, &stop, lines);
    or_self_check_shown(self, site);
    if (is_looked_at)
        or_self_check_slots(self, site);
    return error;
}

/* Compilers end code where C leaves the behaviour undefined, as behind a loop without end or effect (C11,
 * section 6.8.5). Then nothing but padding follows up to the next function, or the sequence of the line table
 * ends: it is the code that ends, and not just what the debug information says of it. */
static bool is_end_of_code(const struct or_self *self, const struct or_self_site *site) {
    enum { ALIGNMENT = 16 };
    static const uint8_t padding[] = {0x00, 0xcc, 0x90, 0x66, 0x2e, 0x0f, 0x1f, 0x40, 0x44, 0x80, 0x84};
    uint64_t end = site->pc + site->instruction.size, next = (end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    uint64_t address =
        self->frame->registers[RETURN_ADDRESS] + site->instruction.size; /* the stop's own pc */
    const uint8_t *bytes = st_session_memory(self->session, address, next - end);
    for (uint64_t i = 0; i < next - end; i++)
        if (!bytes || !memchr(padding, bytes[i], sizeof padding))
            return false;
    return !st_debug_row_at(self->debug, next) || st_debug_function_at(self->debug, next);
}

/* The last instruction of a function's range is run, and does not leave it. A program that does so by
 * undefined behaviour of its own is looked at no further. */
static void report_run_out(struct or_self *self, const struct or_self_site *site) {
    const struct or_self_place place = or_self_at(self, site, NULL, NULL);
    uint64_t end = site->pc + site->instruction.size;
    if (is_end_of_code(self, site)) {
        self->report->public.is_limited = true;
        return;
    }
    or_self_report(self, OR_SELF_RANGE, &place, "run_out",
                   "the program runs over the end of a function's range",
                   or_printf(&self->report->arena, "the range ends at 0x%llx", (unsigned long long)end),
                   "the instruction before does not jump");
}

static struct rt_error *take_instruction(struct or_self *self, uint32_t index, struct teller *lines) {
    struct or_self_site *site = &self->sites[index];
    struct rt_error *error = enter(self, site);
    if (error)
        return error;
    self->report->public.instructions++;
    bool is_looked_at = site->visits < self->options.max_visits;
    bool is_return = self->live->last != OR_NO_SITE && self->live->last + 1 == index &&
                     self->sites[self->live->last].instruction.is_call;
    if (is_return)
        or_self_check_return(self, site);
    self->live->call.count = 0;
    if (site->is_last && site->instruction.is_straight)
        report_run_out(self, site);
    if (is_looked_at) {
        error = or_self_check_frame(self, site);
        if (self->instance)
            or_self_check_operands(self, site);
        if (site->instruction.store_size > 0 && self->options.is_unoptimised)
            or_self_check_store(self, site);
        if (site->instruction.is_call)
            or_self_note_call(self, site);
    }
    if (site->row) {
        if (!error)
            error = take_statement(self, site, is_looked_at, lines);
    } else {
        site->visits++;
    }
    self->live->last = index;
    return error;
}

static struct rt_error *take_end(struct or_self *self, const struct st_event *event, struct teller *lines) {
    struct or_self_report *report = &self->report->public;
    const struct stop stop = {.pc = UINT64_MAX};
    report->ended = true;
    report->status = event->status;
    report->error = event->error ? or_printf(&self->report->arena, "%s", event->error->message) : NULL;
    self->depth = 0;
    return lines->fd >= 0 ? compare_stop(self, NULL, &stop, lines) : NULL;
}

static struct rt_error *step_instructions(struct or_self *self, struct teller *lines) {
    struct or_self_report *report = &self->report->public;
    struct or_progress unused = {0}, *progress = self->options.progress ? self->options.progress : &unused;
    uint64_t deadline =
        self->options.max_time ? or_now() + self->options.max_time * UINT64_C(1000000) : UINT64_MAX;
    struct rt_error *error = set_probes(self, true);
    for (uint64_t events = 1; !error && !report->ended && !report->is_limited; events++) {
        struct st_event event;
        progress->running = self->instance != NULL;
        error = st_session_next(self->session, &event);
        progress->running = 2;
        if (error)
            break;
        progress->pc[self->instance != NULL] = event.pc;
        progress->stops = report->stops;
        progress->values = report->values;
        if (event.kind == ST_EXIT)
            error = take_end(self, &event, lines);
        else if (event.kind == ST_STEP)
            error = take_instruction(self, event.cookie, lines);
        report->is_limited |=
            !report->ended &&
            ((self->options.max_steps && report->instructions >= self->options.max_steps) ||
             ((event.kind == ST_INTERRUPT || events % CLOCK_INTERVAL == 0) && or_now() > deadline));
    }
    return error;
}

/* ---- The whole ---- */

/* LLVM keeps the address of its stack in memory in a mutable global, the first one. */
static uint32_t find_stack_pointer(struct rt_instance *instance) {
    struct rt_global *global = instance ? rt_instance_global(instance, 0) : NULL;
    return global && rt_global_type(global) == RT_I32 ? 0 : UINT32_MAX;
}

static void clear(struct or_self *self) {
    for (size_t i = 0; i < self->frame_room; i++)
        free(self->frames[i].shown);
    free(self->frames);
    free(self->sites);
    free(self->digests);
}

struct rt_error *or_self_compare(const struct or_self_witness *witness, const struct or_self_options *options,
                                 struct or_self_report **ret) {
    struct or_self_full_report *report = calloc(1, sizeof *report);
    struct teller lines = {.fd = -1};
    if (!report)
        return rt_error_out_of_memory();
    rt_arena_init(&report->arena, 0);
    struct or_self self = {.name = witness->name,
                           .session = witness->session,
                           .instance = witness->instance,
                           .debug = st_session_debug(witness->session),
                           .options = *options,
                           .stack_pointer = find_stack_pointer(witness->instance),
                           .report = report};
    if (self.options.max_visits == 0)
        self.options.max_visits = VISITS;
    struct rt_error *error = or_self_list_sites(&self);
    uint64_t started = or_now();
    if (!error) {
        or_self_check_shape(&self);
        error = start_lines(&self, &lines);
    }
    if (!error)
        error = step_instructions(&self, &lines);
    stop_listening(&lines);
    report->public.nanoseconds = or_now() - started;
    report->public.verdict = report->public.finding_count > 0 ? OR_DIFFER : OR_AGREE;
    clear(&self);
    if (error) {
        or_self_report_destroy(&report->public);
        return error;
    }
    *ret = &report->public;
    return NULL;
}
