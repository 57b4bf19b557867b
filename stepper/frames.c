/* The call stack of a stopped debuggee, and where variables are in its frames. */
#include "stepper/session.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAMES_MAX = 1 << 20, /* more is a loop in the call-frame information */
    DWARF_RSP = 7,
    DWARF_PC = 16,
};

/* By DWARF number (System V ABI for x86-64, figure 3.36): the hardware's number. */
static const uint8_t hardware_number[16] = {0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};

/* ---- One frame as the evaluator sees it ---- */

struct view {
    struct st_session *session;
    const struct st_frame *frame;
    struct st_frame_trail *trail;     /* while unwinding: what was read */
    const struct rt_registers *saved; /* of the innermost frame, else NULL */
    bool is_out_of_memory;
};

static bool read_register(void *user, unsigned number, uint64_t *ret) {
    const struct view *view = user;
    if (number > DWARF_PC || !(view->frame->known & (UINT32_C(1) << number))) {
        return false;
    }
    *ret = view->frame->registers[number];
    return true;
}

static const uint8_t *read_vector(void *user, unsigned index) {
    const struct view *view = user;
    if (view->saved == NULL || view->saved->vector == NULL || index > 15) {
        return NULL;
    }
    return view->saved->vector[index];
}

static const void *read_memory(void *user, uint64_t address, size_t size) {
    const struct view *view = user;
    return st_session_memory(view->session, address, size);
}

static bool read_cfa(void *user, uint64_t *ret) {
    const struct view *view = user;
    *ret = view->frame->cfa;
    return *ret != 0;
}

static struct rt_error *read_wasm(void *user, unsigned kind, uint32_t index, enum rt_type *type,
                                  union rt_value *ret) {
    const struct view *view = user;
    const struct rt_activation *activation = &view->frame->activation;
    switch (kind) {
    case 0: return rt_activation_local(activation, index, type, ret);
    case 2: return rt_activation_operand(activation, index, type, ret);
    default: {
        struct rt_global *global = rt_instance_global(activation->instance, index);
        if (global == NULL) {
            return rt_error_format(RT_USAGE, "the instance has no global %u", index);
        }
        *type = rt_global_type(global);
        *ret = rt_global_get(global);
        return NULL;
    }
    }
}

static struct st_machine machine_for(struct view *view) {
    static const struct st_location no_frame_base = {.kind = ST_LOCATION_NONE};
    const struct st_session *session = view->session;
    const struct st_function *function = view->frame->function;
    return (struct st_machine){.debug = session->debug,
                               .bias = session->is_wasm ? 0 : session->image->bias,
                               .address_size = st_session_address_size(session),
                               .pc = view->frame->pc,
                               .frame_base = function != NULL ? &function->frame_base : &no_frame_base,
                               .user = view,
                               .read_register = session->is_wasm ? NULL : read_register,
                               .read_vector = session->is_wasm ? NULL : read_vector,
                               .memory = read_memory,
                               .cfa = session->is_wasm ? NULL : read_cfa,
                               .wasm = session->is_wasm ? read_wasm : NULL};
}

/* ---- The cache ---- */

static void clear_list(struct st_frame_list *list) {
    for (size_t i = 0; i < list->room; i++) {
        free(list->trails[i].reads);
    }
    free(list->trails);
    free(list->frames);
    memset(list, 0, sizeof(*list));
}

void st_frames_clear(struct st_session *session) {
    clear_list(&session->frames.settled);
    clear_list(&session->frames.fresh);
}

/* Makes room for `count` frames; what is there moves to the end of the room, or stays at its start. */
static struct rt_error *reserve(struct st_frame_list *list, size_t count, bool at_end) {
    if (count <= list->room) {
        return NULL;
    }
    if (count > FRAMES_MAX) {
        return rt_error_format(RT_USAGE, "the call stack has more than %d frames", (int)FRAMES_MAX);
    }
    size_t room = list->room ? list->room : 32;
    while (room < count) {
        room *= 2;
    }
    struct st_frame *frames = calloc(room, sizeof(*frames));
    struct st_frame_trail *trails = calloc(room, sizeof(*trails));
    if (frames == NULL || trails == NULL) {
        free(frames);
        free(trails);
        return rt_error_out_of_memory();
    }
    if (list->room > 0) {
        size_t shift = at_end ? room - list->room : 0;
        memcpy(frames + shift, list->frames, list->room * sizeof(*frames));
        memcpy(trails + shift, list->trails, list->room * sizeof(*trails));
    }
    free(list->frames);
    free(list->trails);
    list->frames = frames;
    list->trails = trails;
    list->room = room;
    return NULL;
}

/* Puts the fresh frames before those from settled.frames[kept] on. */
static struct rt_error *settle(struct st_frame_cache *cache, size_t kept) {
    struct st_frame_list *settled = &cache->settled, *fresh = &cache->fresh;
    size_t outer = settled->room - kept;
    struct rt_error *error = reserve(settled, fresh->count + outer, true);
    if (error != NULL) {
        return error;
    }
    settled->count = fresh->count + outer;
    size_t first = settled->room - settled->count;
    for (size_t i = 0; i < fresh->count; i++) {
        settled->frames[first + i] = fresh->frames[i];
        struct st_frame_trail trail = settled->trails[first + i];
        settled->trails[first + i] = fresh->trails[i];
        fresh->trails[i] = trail;
    }
    fresh->count = 0;
    return NULL;
}

static bool trail_holds(struct st_session *session, const struct st_frame_trail *trail) {
    for (size_t i = 0; i < trail->count; i++) {
        const void *bytes = st_session_memory(session, trail->reads[i].address, sizeof(uint64_t));
        if (bytes == NULL || memcmp(bytes, &trail->reads[i].value, sizeof(uint64_t)) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_same(const struct st_frame *a, const struct st_frame *b) {
    return a->known == b->known && memcmp(a->registers, b->registers, sizeof(a->registers)) == 0;
}

/* The settled frame that equals `frame`, if everything that the walk read from there on still reads the same:
 * then all that follows is the same, too. Else settled.room. `*from` is where to look on; stack pointers
 * ascend outwards. */
static size_t find_settled(struct st_session *session, const struct st_frame *frame, size_t *from) {
    const struct st_frame_list *settled = &session->frames.settled;
    while (*from < settled->room &&
           settled->frames[*from].registers[DWARF_RSP] < frame->registers[DWARF_RSP]) {
        ++*from;
    }
    if (*from == settled->room || !is_same(&settled->frames[*from], frame)) {
        return settled->room;
    }
    for (size_t i = *from; i < settled->room; i++) {
        if (!trail_holds(session, &settled->trails[i])) {
            *from = settled->room; /* no other frame can match: it would need the same words */
            return settled->room;
        }
    }
    return *from;
}

/* ---- Unwinding ---- */

/* While unwinding: every word read goes to the trail. The evaluator reads words only, and a read of another
 * size makes the trail cover the words around it. */
static const void *read_and_note(void *user, uint64_t address, size_t size) {
    struct view *view = user;
    const void *bytes = st_session_memory(view->session, address, size);
    if (bytes == NULL) {
        return NULL;
    }
    struct st_frame_trail *trail = view->trail;
    for (uint64_t at = address & ~UINT64_C(7); at < address + size; at += 8) {
        const void *word = st_session_memory(view->session, at, 8);
        if (trail->count == trail->room) {
            size_t room = trail->room ? trail->room * 2 : 16;
            struct st_frame_read *reads = realloc(trail->reads, room * sizeof(*reads));
            if (reads == NULL) {
                view->is_out_of_memory = true;
                return NULL;
            }
            trail->reads = reads;
            trail->room = room;
        }
        struct st_frame_read *read = &trail->reads[trail->count];
        if (word != NULL) {
            read->address = at;
            read->value = st_memory_load(word);
            trail->count++;
        }
    }
    return bytes;
}

/* That of code which an engine in the debuggee has registered. What is registered may change whenever the
 * debuggee runs. */
static struct st_unwinder *registered_unwinder(struct st_session *session, uintptr_t machine) {
    if (session->jit_images == NULL || session->jit_resumptions != session->resumptions) {
        st_jit_images_destroy(session->jit_images);
        session->jit_images = NULL;
        /* Without them, the walk ends here. */
        rt_error_destroy(st_jit_images_read(&session->jit_images));
        session->jit_resumptions = session->resumptions;
    }
    if (session->jit_images == NULL) {
        return NULL;
    }
    const struct st_jit_image *image = st_jit_image_at(session->jit_images, machine);
    return image != NULL ? st_jit_image_unwinder(session->jit_images, image) : NULL;
}

/* The call-frame information for a machine pc: the image's, that of a library, or of registered code. */
static struct st_unwinder *unwinder_at(struct st_session *session, uintptr_t machine, uintptr_t *ret_bias) {
    if (st_image_is_text(session->image, machine)) {
        *ret_bias = session->image->bias;
        return session->image->unwinder;
    }
    Dl_info info;
    struct link_map *map = NULL;
    if (dladdr1((void *)machine, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || map == NULL) {
        *ret_bias = 0;
        return registered_unwinder(session, machine);
    }
    *ret_bias = map->l_addr;
    struct st_library *library = session->libraries;
    while (library != NULL && library->bias != map->l_addr) {
        library = library->next;
    }
    if (library == NULL) {
        library = calloc(1, sizeof(*library));
        if (library == NULL) {
            return NULL;
        }
        library->bias = map->l_addr;
        library->next = session->libraries;
        session->libraries = library;
        const char *path = map->l_name[0] != '\0' ? map->l_name : "/proc/self/exe";
        /* Without it, the walk ends here. */
        rt_error_destroy(st_unwinder_create(path, &library->unwinder));
    }
    return library->unwinder;
}

/* Sets a native frame's pc, function and CFA from its registers. `back` is 1 when registers[16] is a return
 * address, else 0. NULL when nothing is known about the frame's caller. */
static const struct st_unwind_row *describe(struct st_session *session, struct view *view,
                                            struct st_frame *frame, uintptr_t back, uintptr_t *ret_bias) {
    uintptr_t machine = (uintptr_t)frame->registers[DWARF_PC] - back;
    *ret_bias = session->image->bias;
    struct st_unwinder *unwinder = unwinder_at(session, machine, ret_bias);
    uintptr_t bias = *ret_bias;
    bool is_own = st_image_is_text(session->image, machine);
    frame->pc = is_own ? machine - bias : 0;
    frame->function = is_own ? st_debug_function_at(session->debug, frame->pc) : NULL;
    const struct st_unwind_row *row = unwinder != NULL ? st_unwinder_row(unwinder, machine - bias) : NULL;
    struct st_machine state = machine_for(view);
    state.bias = bias;
    state.memory = view->trail != NULL ? read_and_note : read_memory;
    if (row == NULL || !st_unwind_cfa(row, &state, &frame->cfa)) {
        frame->cfa = 0;
        return NULL;
    }
    return row;
}

static void load_innermost(const struct st_session *session, struct st_frame *frame) {
    const struct rt_registers *registers = &session->saved->registers;
    memset(frame, 0, sizeof(*frame));
    for (unsigned i = 0; i < 16; i++) {
        frame->registers[i] = registers->general[hardware_number[i]];
    }
    frame->registers[DWARF_PC] = registers->pc;
    frame->known = (UINT32_C(1) << (DWARF_PC + 1)) - 1;
}

/* A guest may be entered anywhere, and may be entered again from the host. */
static bool is_outermost(const struct st_session *session, const struct st_frame *frame) {
    return !session->is_registered && frame->function != NULL && strcmp(frame->function->name, "main") == 0;
}

/* A fiber's outermost frame unwinds to who entered it. */
static bool leaves_fiber(const struct st_session *session, const struct st_frame *frame,
                         const struct st_frame *caller) {
    uint64_t from = frame->registers[DWARF_RSP], to = caller->registers[DWARF_RSP];
    return session->is_registered && from - session->fiber.low < session->fiber.high - session->fiber.low &&
           to - session->fiber.low >= session->fiber.high - session->fiber.low;
}

/* A frame whose caller's stack pointer is not above its own would never end. */
static bool find_caller(struct view *view, const struct st_unwind_row *row, uintptr_t bias,
                        struct st_frame *ret) {
    struct st_machine state = machine_for(view);
    state.bias = bias;
    state.memory = read_and_note;
    memset(ret, 0, sizeof(*ret));
    enum { NEEDED = 1 << DWARF_PC | 1 << DWARF_RSP };
    return row != NULL && !is_outermost(view->session, view->frame) &&
           st_unwind_caller(row, &state, view->frame->cfa, ret->registers, &ret->known) &&
           (ret->known & NEEDED) == NEEDED && ret->registers[DWARF_PC] != 0 &&
           ret->registers[DWARF_RSP] > view->frame->registers[DWARF_RSP] &&
           !leaves_fiber(view->session, view->frame, ret);
}

/* Finds callers one by one until the outermost, or one that is as it was at the last walk. */
static struct rt_error *walk_native(struct st_session *session) {
    struct st_frame_cache *cache = &session->frames;
    struct st_frame_list *fresh = &cache->fresh;
    /* The last walk's innermost frame was not at a call, so it matches nothing. */
    size_t from = cache->settled.room - cache->settled.count + (cache->settled.count > 0);
    size_t kept = cache->settled.room;
    struct st_frame frame;
    load_innermost(session, &frame);
    fresh->count = 0;
    for (uintptr_t back = session->is_after_call;; back = 1) {
        if (fresh->count > 0 && (kept = find_settled(session, &frame, &from)) < cache->settled.room) {
            break;
        }
        struct rt_error *error = reserve(fresh, fresh->count + 1, false);
        if (error != NULL) {
            return error;
        }
        struct st_frame *slot = &fresh->frames[fresh->count];
        struct st_frame_trail *trail = &fresh->trails[fresh->count++];
        trail->count = 0;
        *slot = frame;
        struct view view = {.session = session, .frame = slot, .trail = trail};
        uintptr_t bias;
        const struct st_unwind_row *row = describe(session, &view, slot, back, &bias);
        bool has_caller = find_caller(&view, row, bias, &frame);
        if (view.is_out_of_memory) {
            return rt_error_out_of_memory();
        }
        if (!has_caller) {
            break;
        }
    }
    return settle(cache, kept);
}

/* ---- Wasm ---- */

static void describe_activation(const struct st_session *session, struct st_frame *frame) {
    frame->pc = frame->activation.pc;
    frame->cfa = frame->activation.frame;
    frame->function = session->debug != NULL ? st_debug_function_at(session->debug, frame->pc) : NULL;
}

static bool first_activation(const struct st_session *session, struct st_frame *frame) {
    memset(frame, 0, sizeof(*frame));
    struct rt_registers *registers = session->saved != NULL ? &session->saved->registers : NULL;
    if (!rt_activation_first(session->store, registers, &frame->activation)) {
        return false;
    }
    describe_activation(session, frame);
    return true;
}

static struct rt_error *walk_wasm(struct st_session *session) {
    struct st_frame_list *fresh = &session->frames.fresh;
    struct st_frame frame;
    fresh->count = 0;
    for (bool is_there = first_activation(session, &frame); is_there;) {
        struct rt_error *error = reserve(fresh, fresh->count + 1, false);
        if (error != NULL) {
            return error;
        }
        fresh->trails[fresh->count].count = 0;
        fresh->frames[fresh->count++] = frame;
        struct rt_activation activation = frame.activation;
        is_there = rt_activation_caller(&activation, &frame.activation);
        if (is_there) {
            describe_activation(session, &frame);
        }
    }
    return settle(&session->frames, session->frames.settled.room);
}

/* ---- Public ---- */

static struct rt_error *check_stopped(const struct st_session *session) {
    if (session->state != ST_STATE_STOPPED) {
        return rt_error_format(RT_USAGE, "looking at frames: the session is not stopped");
    }
    return NULL;
}

struct rt_error *st_session_frames(struct st_session *session, const struct st_frame **ret,
                                   size_t *ret_count) {
    struct rt_error *error = check_stopped(session);
    if (error == NULL && !session->frames.is_walked) {
        error = session->is_wasm ? walk_wasm(session) : walk_native(session);
    }
    if (error != NULL) {
        return error;
    }
    session->frames.is_walked = true;
    const struct st_frame_list *settled = &session->frames.settled;
    *ret = settled->frames + (settled->room - settled->count);
    *ret_count = settled->count;
    if (session->is_registered) { /* who called the guest is the host's */
        while (*ret_count > 0 && (*ret)[*ret_count - 1].pc == 0) {
            --*ret_count;
        }
    }
    return NULL;
}

struct rt_error *st_session_frame(struct st_session *session, const struct st_frame **ret) {
    struct rt_error *error = check_stopped(session);
    if (error != NULL) {
        return error;
    }
    struct st_frame_cache *cache = &session->frames;
    *ret = &cache->innermost;
    if (cache->is_innermost_known) {
        return NULL;
    }
    if (session->is_wasm) {
        if (!first_activation(session, &cache->innermost)) {
            return rt_error_format(RT_USAGE, "looking at the innermost frame: no guest function is running");
        }
    } else {
        load_innermost(session, &cache->innermost);
        struct view view = {.session = session, .frame = &cache->innermost};
        uintptr_t bias;
        describe(session, &view, &cache->innermost, session->is_after_call, &bias);
    }
    cache->is_innermost_known = true;
    return NULL;
}

/* Vector registers are known of the innermost frame alone: all of them are the caller's to save. */
static const struct rt_registers *registers_of(const struct st_session *session,
                                               const struct st_frame *frame) {
    const struct rt_registers *registers = session->saved != NULL ? &session->saved->registers : NULL;
    bool is_innermost = registers != NULL && frame->registers[DWARF_PC] == registers->pc &&
                        frame->registers[DWARF_RSP] == registers->general[hardware_number[DWARF_RSP]];
    return is_innermost ? registers : NULL;
}

void st_locate(struct st_session *session, const struct st_frame *frame, const struct st_variable *variable,
               struct st_place *ret) {
    struct view view = {.session = session, .frame = frame, .saved = registers_of(session, frame)};
    struct st_machine machine = machine_for(&view);
    const struct st_type *type = st_type_strip(variable->type);
    st_evaluate(&machine, &variable->location, type != NULL ? type->size : 0, &session->reasons, ret);
    bool is_pointer = type != NULL && type->kind == ST_TYPE_POINTER && ret->storage_size < type->size;
    if (!is_pointer || ret->kind != ST_PLACE_VALUE || !st_jit_is_memory(session, ret->storage)) {
        ret->storage_size = 0;
    }
}
