/* Reads the map that compile_map.c writes: machine pcs to Wasm pcs and back, and where operands are. */
#include <stdlib.h>
#include <string.h>

#include "runtime/code.h"

/* Walks the entries from a checkpoint on. */
struct walk {
    const struct rt_machine_code *code;
    struct rt_cursor cursor;
    uint32_t next_checkpoint; /* the next to be passed */
    uint32_t machine, pc;
    bool operands; /* a list follows */
};

static struct walk walk_from(const struct rt_machine_code *code, uint32_t checkpoint) {
    struct walk walk = {.code = code, .next_checkpoint = checkpoint};
    walk.cursor = rt_cursor_make(code->map.bytes, code->map.size, 0);
    walk.cursor.next += code->checkpoints[checkpoint].stream;
    return walk;
}

/* The next entry; false at the end of the map. A list, if there is one, must be read by the caller. */
static bool walk_next(struct walk *walk) {
    struct rt_cursor *cursor = &walk->cursor;
    if (cursor->next >= cursor->end)
        return false;
    const struct rt_machine_code *code = walk->code;
    if (walk->next_checkpoint < code->checkpoint_count &&
        rt_cursor_offset(cursor) == code->checkpoints[walk->next_checkpoint].stream) {
        walk->machine = code->checkpoints[walk->next_checkpoint].machine;
        walk->pc = code->checkpoints[walk->next_checkpoint].pc;
        walk->next_checkpoint++;
    }
    uint8_t head = *cursor->next++;
    uint32_t pcs = head >> 1 & 7, machines = head >> 4;
    if (pcs == 7)
        pcs = (uint32_t)rt_read_uleb(cursor);
    if (machines == 15)
        machines = (uint32_t)rt_read_uleb(cursor);
    walk->pc += pcs;
    walk->machine += machines;
    walk->operands = head & 1;
    return true;
}

static struct rt_operand_place read_operand(struct rt_cursor *cursor, uint32_t slot) {
    static const uint8_t types[8] = {RT_I32,  RT_I64,     RT_F32,       RT_F64,
                                     RT_V128, RT_FUNCREF, RT_EXTERNREF, RT_I32};
    uint8_t head = cursor->next < cursor->end ? *cursor->next++ : 0;
    struct rt_operand_place place = {
        .where = (enum rt_where)(head & 3), .type = (enum rt_type)types[head >> 2 & 7], .slot = slot};
    if (place.where == RT_WHERE_REGISTER)
        place.value = cursor->next < cursor->end ? *cursor->next++ : 0;
    else if (place.where != RT_WHERE_SLOT)
        place.value = rt_read_uleb(cursor);
    return place;
}

/* Steps over a list: *count and the first `room` places are as the list before left them. */
static void walk_operands(struct walk *walk, uint32_t *count, struct rt_operand_place *places,
                          uint32_t room) {
    if (!walk->operands)
        return;
    uint32_t gone = (uint32_t)rt_read_uleb(&walk->cursor), added = (uint32_t)rt_read_uleb(&walk->cursor);
    *count -= gone;
    for (uint32_t i = 0; i < added; i++) {
        struct rt_operand_place read = read_operand(&walk->cursor, *count);
        if (*count < room)
            places[*count] = read;
        ++*count;
    }
}

static uint32_t last_checkpoint(const struct rt_machine_code *code, uint32_t key, bool by_pc) {
    uint32_t low = 0, high = code->checkpoint_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        const struct rt_checkpoint *checkpoint = &code->checkpoints[middle];
        if ((by_pc ? checkpoint->pc : checkpoint->machine) <= key)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The defined function that holds a machine offset; false for none. */
static bool function_at(const struct rt_machine_code *code, uint32_t offset, uint32_t *ret) {
    uint32_t low = 0, high = code->function_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (code->functions[middle].start <= offset)
            low = middle;
        else
            high = middle;
    }
    *ret = low;
    return code->function_count && code->functions[low].start <= offset && offset < code->functions[low].end;
}

/* The instruction that jumps to an out-of-line trap. */
static uint32_t trap_origin(const struct rt_machine_code *code, uint32_t offset) {
    uint32_t low = 0, high = code->trap_site_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (code->trap_sites[middle].trap <= offset)
            low = middle;
        else
            high = middle;
    }
    return code->trap_site_count ? code->trap_sites[low].origin : offset;
}

/* A machine pc as an offset of a function's code proper; false outside of any body. */
static bool offset_of(const struct rt_machine_code *code, uintptr_t machine, uint32_t *ret_offset,
                      uint32_t *ret_function) {
    uintptr_t offset = machine - (uintptr_t)code->memory.executable;
    if (offset >= code->memory.size || !function_at(code, (uint32_t)offset, ret_function))
        return false;
    *ret_offset = (uint32_t)offset;
    if (*ret_offset >= code->functions[*ret_function].tail)
        *ret_offset = trap_origin(code, *ret_offset);
    return true;
}

/* ---- What was asked before ---- */

/* The entry for a machine pc; NULL when the pc is far from all code. Without memory for a table it is
 * `spare`, and nothing is remembered. */
static struct rt_lookup *lookup_of(const struct rt_machine_code *code, uintptr_t machine,
                                   struct rt_lookup *spare) {
    uintptr_t offset = machine - (uintptr_t)code->memory.executable;
    if (offset >= code->memory.size)
        return NULL;
    if (!code->cache->lookups)
        code->cache->lookups = calloc(RT_LOOKUP_SLOTS, sizeof(*code->cache->lookups));
    uint32_t key = (uint32_t)offset + 1;
    /* Sites are at least five bytes apart: neighbours must not share slots. */
    struct rt_lookup *lookup =
        code->cache->lookups ? &code->cache->lookups[(key ^ key >> 12) & (RT_LOOKUP_SLOTS - 1)] : spare;
    if (lookup == spare || lookup->key != key)
        *lookup = (struct rt_lookup){.key = key};
    return lookup;
}

static bool find_position(const struct rt_machine_code *code, uintptr_t machine,
                          struct rt_code_position *ret) {
    uint32_t offset, function, unused_count = 0;
    if (!offset_of(code, machine, &offset, &function))
        return false;
    struct walk walk = walk_from(code, last_checkpoint(code, offset, false));
    uint32_t pc = 0;
    while (walk_next(&walk) && walk.machine <= offset) {
        pc = walk.pc;
        walk_operands(&walk, &unused_count, NULL, 0);
    }
    *ret = (struct rt_code_position){.function = code->base.module->imported_functions + function,
                                     .pc = pc,
                                     .in_prologue = offset < code->functions[function].body};
    return true;
}

bool rt_code_find(const struct rt_machine_code *code, uintptr_t machine, struct rt_code_position *ret) {
    struct rt_lookup spare, *lookup = lookup_of(code, machine, &spare);
    if (!lookup)
        return false;
    if (!lookup->has_position)
        lookup->has_position = find_position(code, machine, &lookup->position);
    if (lookup->has_position)
        *ret = lookup->position;
    return lookup->has_position;
}

bool rt_code_in_prologue(const struct rt_machine_code *code, uintptr_t machine) {
    struct rt_code_position position;
    return rt_code_find(code, machine, &position) && position.in_prologue;
}

uintptr_t rt_code_machine_pc(const struct rt_machine_code *code, uint32_t pc) {
    if (!code->checkpoint_count)
        return 0;
    uint32_t checkpoint = last_checkpoint(code, pc, true), unused_count = 0;
    /* An instruction's second entry may have become a checkpoint. */
    while (checkpoint && code->checkpoints[checkpoint].pc == pc)
        checkpoint--;
    struct walk walk = walk_from(code, checkpoint);
    while (walk_next(&walk) && walk.pc <= pc) {
        if (walk.pc == pc)
            return (uintptr_t)code->memory.executable + walk.machine;
        walk_operands(&walk, &unused_count, NULL, 0);
    }
    return 0;
}

/* Takes the last walk on to the offset, or begins one at the last checkpoint without operands: there the list
 * starts anew, so that no walk may come across one from before it. */
static struct rt_operand_walk *walk_to(const struct rt_machine_code *code, uint32_t offset) {
    struct rt_operand_walk *last = &code->cache->walk;
    uint32_t checkpoint = last_checkpoint(code, offset, false);
    while (!code->checkpoints[checkpoint].empty) /* a function's first always is */
        checkpoint--;
    if (!last->is_under_way || last->machine > offset ||
        last->stream <= code->checkpoints[checkpoint].stream) {
        *last = (struct rt_operand_walk){.is_under_way = true,
                                         .stream = code->checkpoints[checkpoint].stream,
                                         .next_checkpoint = checkpoint};
    }
    struct walk walk = {.code = code,
                        .cursor = rt_cursor_make(code->map.bytes, code->map.size, 0),
                        .next_checkpoint = last->next_checkpoint,
                        .machine = last->machine,
                        .pc = last->pc};
    walk.cursor.next += last->stream;
    while (walk_next(&walk) && walk.machine <= offset) {
        walk_operands(&walk, &last->count, last->places, RT_WALK_PLACES);
        last->stream = (uint32_t)rt_cursor_offset(&walk.cursor);
        last->next_checkpoint = walk.next_checkpoint;
        last->machine = walk.machine;
        last->pc = walk.pc;
    }
    return last;
}

/* The place of an operand beyond those that a walk keeps. */
static struct rt_error *find_deep_operand(const struct rt_machine_code *code, uint32_t offset, uint32_t index,
                                          struct rt_operand_place *ret) {
    struct rt_operand_place *places = calloc(index + (size_t)1, sizeof *places);
    if (!places)
        return rt_error_out_of_memory();
    uint32_t checkpoint = last_checkpoint(code, offset, false), count = 0;
    while (!code->checkpoints[checkpoint].empty)
        checkpoint--;
    struct walk walk = walk_from(code, checkpoint);
    while (walk_next(&walk) && walk.machine <= offset)
        walk_operands(&walk, &count, places, index + 1);
    *ret = places[index];
    free(places);
    return NULL;
}

struct rt_error *rt_code_operand(const struct rt_machine_code *code, uintptr_t machine, uint32_t index,
                                 uint32_t *ret_count, struct rt_operand_place *ret) {
    struct rt_lookup spare, *lookup = lookup_of(code, machine, &spare);
    struct rt_operand_place unused;
    uint32_t offset = 0, function;
    if (!lookup || (!lookup->has_operands && !offset_of(code, machine, &offset, &function)))
        return rt_error_format(RT_USAGE, "machine pc 0x%zx is in no function's code", (size_t)machine);
    if (!lookup->has_operands) {
        const struct rt_operand_walk *walk = walk_to(code, offset);
        lookup->has_operands = true;
        lookup->count = walk->count;
        memcpy(lookup->places, walk->places, sizeof lookup->places);
    }
    *ret_count = lookup->count;
    ret = ret ? ret : &unused;
    if (index >= lookup->count)
        return NULL;
    if (index < RT_LOOKUP_PLACES) {
        *ret = lookup->places[index];
        return NULL;
    }
    if (!offset_of(code, machine, &offset, &function))
        return NULL; /* it was in one before */
    if (index >= RT_WALK_PLACES)
        return find_deep_operand(code, offset, index, ret);
    *ret = walk_to(code, offset)->places[index];
    return NULL;
}
