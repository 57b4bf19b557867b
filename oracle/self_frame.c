/* The live frames of one binary that is stepped by instructions, known without call-frame information: a
 * function's first instruction has the stack pointer that its caller left. What call-frame information says
 * at every later instruction is held against that (DWARF 5, section 6.4: the CFA is the stack pointer's value
 * at the call in the previous frame; System V ABI for AMD64, section 3.2.1: who keeps which register). */
#include "oracle/self.h"

#include <stdlib.h>
#include <string.h>

enum { STACK_POINTER = 7, RETURN_ADDRESS = 16 };

static const unsigned char saved_numbers[OR_SAVED_COUNT] = {3, 6, 12, 13, 14, 15}; /* rbx, rbp, r12 to r15 */

static struct rt_error *push(struct or_self *self, uint64_t cfa, const struct or_self_site *site) {
    if (self->depth == self->frame_room) {
        size_t room = self->frame_room ? 2 * self->frame_room : 64;
        struct or_self_frame *frames = realloc(self->frames, room * sizeof *frames);
        if (!frames)
            return rt_error_out_of_memory();
        memset(frames + self->frame_room, 0, (room - self->frame_room) * sizeof *frames);
        self->frames = frames;
        self->frame_room = room;
    }
    struct or_self_frame *frame = &self->frames[self->depth++];
    size_t count = self->functions[site->function].variable_count;
    struct or_self_shown *shown = frame->shown;
    size_t shown_room = frame->shown_room;
    if (count > shown_room) {
        shown = realloc(shown, count * sizeof *shown);
        if (!shown)
            return rt_error_out_of_memory();
        shown_room = count;
    }
    if (count > 0)
        memset(shown, 0, count * sizeof *shown);
    *frame = (struct or_self_frame){.cfa = cfa,
                                    .function = site->function,
                                    .is_whole = site->is_entry,
                                    .last = OR_NO_SITE,
                                    .shown = shown,
                                    .shown_room = shown_room};
    return NULL;
}

/* At a function's first instruction nothing has been saved yet: the caller's registers are the present ones,
 * and the return address is on top of the stack. */
static void note_caller(struct or_self *self) {
    const struct st_frame *frame = self->frame;
    for (int i = 0; i < OR_SAVED_COUNT; i++) {
        if (!(frame->known & 1u << saved_numbers[i]))
            return;
        self->live->saved[i] = frame->registers[saved_numbers[i]];
    }
    const void *top = st_session_memory(self->session, frame->registers[STACK_POINTER], 8);
    if (!top)
        return;
    memcpy(&self->live->back, top, 8);
    self->live->has_caller = true;
}

static void note_stack_pointer(struct or_self *self) {
    if (self->stack_pointer != UINT32_MAX)
        self->live->stack_pointer =
            rt_global_get(rt_instance_global(self->instance, self->stack_pointer)).i32;
}

struct rt_error *or_self_track(struct or_self *self, const struct or_self_site *site) {
    struct rt_error *error = st_session_frame(self->session, &self->frame);
    if (error)
        return error;
    /* Stacks grow down. A native frame is left when the stack pointer is where it was before the call; of a
     * module's, the engine's frame has its name. */
    uint64_t stack = self->instance ? self->frame->cfa - 1 : self->frame->registers[STACK_POINTER];
    uint64_t entry = self->instance ? self->frame->cfa : stack + 8;
    while (self->depth && self->frames[self->depth - 1].cfa <= (site->is_entry ? entry : stack))
        self->depth--;
    bool is_known =
        self->depth && !site->is_entry && self->frames[self->depth - 1].function == site->function;
    if (!is_known && (error = push(self, site->is_entry ? entry : self->frame->cfa, site)))
        return error;
    self->live = &self->frames[self->depth - 1];
    if (site->is_entry && self->instance)
        note_stack_pointer(self);
    else if (site->is_entry)
        note_caller(self);
    return NULL;
}

static void report(struct or_self *self, const struct or_self_site *site, const char *what, uint64_t said,
                   uint64_t is) {
    struct or_self_place place = or_self_at(self, site, NULL, NULL);
    or_self_report(
        self, OR_SELF_FRAME, &place, what,
        or_printf(&self->report->arena, "call-frame information finds another %s than the caller left", what),
        or_printf(&self->report->arena, "%s 0x%llx", what, (unsigned long long)said),
        or_printf(&self->report->arena, "0x%llx at the call", (unsigned long long)is));
}

struct rt_error *or_self_check_frame(struct or_self *self, const struct or_self_site *site) {
    static const char *const names[OR_SAVED_COUNT] = {"rbx", "rbp", "r12", "r13", "r14", "r15"};
    const struct or_self_frame *live = self->live;
    const struct st_frame *frames;
    size_t count;
    if (self->instance || !live->is_whole)
        return NULL;
    if (self->frame->cfa != live->cfa) {
        report(self, site, "CFA", self->frame->cfa, live->cfa);
        return NULL;
    }
    struct rt_error *error = st_session_frames(self->session, &frames, &count);
    if (error || count < 2 || !live->has_caller)
        return error;
    self->report->public.frames++;
    if (frames[1].known & 1u << RETURN_ADDRESS && frames[1].registers[RETURN_ADDRESS] != live->back)
        report(self, site, "return address", frames[1].registers[RETURN_ADDRESS], live->back);
    for (int i = 0; i < OR_SAVED_COUNT; i++)
        if (frames[1].known & 1u << saved_numbers[i] &&
            frames[1].registers[saved_numbers[i]] != live->saved[i])
            report(self, site, names[i], frames[1].registers[saved_numbers[i]], live->saved[i]);
    return NULL;
}
