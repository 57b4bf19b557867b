/* Writes call-frame information for compiled code: a section .eh_frame (Linux Standard Base, section 10.6),
 * with one entry for each function and one for the probe thunk. */
#include "runtime/jit/map.h"

#include "runtime/frame_rules.h"
#include "runtime/target.h"

enum {
    NOP = 0x00,            /* DW_CFA_nop */
    ADVANCE = 0x40,        /* DW_CFA_advance_loc, + distance below 64 */
    ADVANCE_4 = 0x04,      /* DW_CFA_advance_loc4 */
    REMEMBER_STATE = 0x0a, /* DW_CFA_remember_state */
    RESTORE_STATE = 0x0b,  /* DW_CFA_restore_state */
    POINTER_ABSOLUTE = 0x00,
    /* More than an entry takes without its returns, and than one return. */
    ENTRY_ROOM = 128,
    RETURN_ROOM = 48,
};

static void put_program(struct rt_buffer *frames, const struct rt_frame_program *program) {
    rt_put_bytes(frames, program->bytes, program->size);
}

static void advance(struct rt_buffer *frames, uint32_t *at, uint32_t to) {
    uint32_t distance = to - *at;
    if (distance && distance < 64) {
        rt_put(frames, ADVANCE | distance, 1);
    } else if (distance) {
        rt_put(frames, ADVANCE_4, 1);
        rt_put(frames, distance, 4);
    }
    *at = to;
}

/* Completes the entry that begins at `start` with its length. */
static void end_entry(struct rt_buffer *frames, size_t start) {
    while ((frames->size - start - 4) % 8 != 4)
        rt_put(frames, NOP, 1);
    struct rt_buffer length = {.bytes = frames->bytes + start};
    rt_put(&length, frames->size - start - 4, 4);
}

static void put_common(struct rt_buffer *frames, const struct rt_frame_rules *rules) {
    size_t start = frames->size;
    rt_put(frames, 0, 4); /* length */
    rt_put(frames, 0, 4); /* it is no function's */
    rt_put(frames, 1, 1); /* version */
    rt_put_bytes(frames, "zR", 3);
    rt_put(frames, 1, 1); /* code alignment */
    rt_put(frames, rules->data_alignment & 0x7f, 1);
    rt_put(frames, rules->return_register, 1);
    rt_put(frames, 1, 1); /* size of what "R" stands for */
    rt_put(frames, POINTER_ABSOLUTE, 1);
    put_program(frames, &rules->entry);
    end_entry(frames, start);
}

/* Opens the entry for code at [low, low + size); returns where it begins. */
static size_t begin_entry(struct rt_buffer *frames, uintptr_t low, uint64_t size) {
    size_t start = frames->size;
    rt_put(frames, 0, 4);         /* length */
    rt_put(frames, start + 4, 4); /* back to the common entry, which is the first */
    rt_put(frames, low, 8);
    rt_put(frames, size, 8);
    rt_put(frames, 0, 1); /* no augmentation data */
    return start;
}

static void put_function(struct rt_code_map *map, uint32_t defined) {
    const struct rt_code_function *function = &map->code->functions[defined];
    const struct rt_frame_rules *rules = map->rules;
    struct rt_buffer *frames = &map->frames;
    uintptr_t code = (uintptr_t)map->code->memory.executable;
    uint32_t at = function->start;

    size_t start = begin_entry(frames, code + function->start, function->end - function->start);
    for (size_t i = 0; i < sizeof(rules->prologue) / sizeof(*rules->prologue); i++) {
        advance(frames, &at, function->start + rules->prologue[i].at);
        put_program(frames, &rules->prologue[i].program);
    }
    const struct rt_noted_function *first = &map->notes.functions[defined];
    for (uint32_t i = first->returns; i < first[1].returns; i++) {
        uint32_t end = map->notes.returns[i].high;
        advance(frames, &at, end - rules->left_size);
        rt_put(frames, REMEMBER_STATE, 1);
        put_program(frames, &rules->left);
        advance(frames, &at, end);
        rt_put(frames, RESTORE_STATE, 1);
    }
    end_entry(frames, start);
}

struct rt_error *rt_code_map_make_frames(struct rt_code_map *map) {
    const struct rt_machine_code *code = map->code;
    size_t size = 2 * ENTRY_ROOM + code->function_count * (size_t)ENTRY_ROOM +
                  map->notes.return_count * (size_t)RETURN_ROOM;
    if (!rt_buffer_reserve(&map->frames, size))
        return rt_error_out_of_memory();
    put_common(&map->frames, map->rules);
    size_t start = begin_entry(&map->frames, (uintptr_t)code->memory.executable + code->probe_thunk,
                               map->rules->thunk_size);
    put_program(&map->frames, &map->rules->thunk);
    end_entry(&map->frames, start);
    for (uint32_t i = 0; i < code->function_count; i++)
        put_function(map, i);
    rt_put(&map->frames, 0, 4);
    return NULL;
}
