/* Writes the map of machine pcs, Wasm pcs and operands; code.h has its format. */
#include <string.h>

#include "runtime/compile.h"

#define CHECKPOINT_DISTANCE     64  /* entries, where the operand stack is empty */
#define CHECKPOINT_DISTANCE_MAX 512 /* entries, anywhere */

static void put_byte(struct rt_buffer *map, unsigned byte) {
    map->bytes[map->size++] = (uint8_t)byte;
}

static void put_uleb(struct rt_buffer *map, uint64_t value) {
    uint8_t *to = map->bytes + map->size;
    for (; value > 0x7f; value >>= 7)
        *to++ = (uint8_t)(0x80 | (value & 0x7f));
    *to++ = (uint8_t)value;
    map->size = (size_t)(to - map->bytes);
}

/* Room for `size` bytes in the map, which 31-bit offsets must reach. */
static bool reserve(struct rt_compiler *c, size_t size) {
    struct rt_buffer *map = &c->code->map;
    if (map->size + size < ((size_t)1 << 31) && rt_buffer_reserve(map, size))
        return true;
    rt_compile_fail(c, rt_error_out_of_memory());
    return false;
}

static void checkpoint(struct rt_compiler *c, uint32_t machine, uint32_t pc) {
    struct rt_machine_code *code = c->code;
    if (!rt_compile_array(c, &code->checkpoints, &c->checkpoint_capacity, code->checkpoint_count + (size_t)1,
                          sizeof(*code->checkpoints)))
        return;
    bool empty = c->height == 0;
    code->checkpoints[code->checkpoint_count++] =
        (struct rt_checkpoint){machine, pc, (uint32_t)code->map.size & 0x7fffffff, empty};
    if (empty)
        c->listed = c->listed_the_same = 0;
    c->map_machine = machine;
    c->map_pc = pc;
    c->map_entries = 0;
}

/* The head of an entry; the caller has reserved 32 bytes. */
static void put_entry(struct rt_compiler *c, uint32_t machine, uint32_t pc, bool operands) {
    struct rt_buffer *map = &c->code->map;
    if (c->notes)
        rt_note_entry(c, machine, pc);
    uint32_t pcs = pc - c->map_pc, machines = machine - c->map_machine;
    unsigned short_pcs = pcs < 7 ? pcs : 7, short_machines = machines < 15 ? machines : 15;
    put_byte(map, short_machines << 4 | short_pcs << 1 | operands);
    if (short_pcs == 7)
        put_uleb(map, pcs);
    if (short_machines == 15)
        put_uleb(map, machines);
    c->map_machine = machine;
    c->map_pc = pc;
    c->map_entries++;
}

void rt_map_function(struct rt_compiler *c) {
    c->pc = c->body->start;
    c->pc_offset = rt_here(c);
    c->mapped = true;
    checkpoint(c, c->pc_offset, c->pc);
    if (reserve(c, 32))
        put_entry(c, c->pc_offset, c->pc, false);
}

/* A new checkpoint, when it is time. */
static void next_checkpoint(struct rt_compiler *c) {
    if (c->map_entries >= CHECKPOINT_DISTANCE &&
        (c->height == 0 || c->map_entries >= CHECKPOINT_DISTANCE_MAX))
        checkpoint(c, c->pc_offset, c->pc);
}

void rt_map_instruction(struct rt_compiler *c) {
    if (c->mapped)
        return;
    c->mapped = true;
    next_checkpoint(c);
    if (reserve(c, 32))
        put_entry(c, c->pc_offset, c->pc, false);
}

/* The type's number in an operand's byte. */
static unsigned type_number(enum rt_type type) {
    return type >= RT_V128 ? RT_I32 - type : 5u + (RT_FUNCREF - type);
}

static void put_operand(struct rt_buffer *map, const struct rt_operand *operand) {
    put_byte(map, operand->kind | type_number((enum rt_type)operand->type) << 2);
    switch (operand->kind) {
    case RT_IN_REGISTER: put_byte(map, operand->reg); break;
    case RT_IS_CONSTANT: put_uleb(map, operand->bits); break;
    case RT_IS_LOCAL: put_uleb(map, operand->index); break;
    default: break;
    }
}

void rt_map_operands(struct rt_compiler *c, uint32_t height) {
    uint32_t here = rt_here(c);
    if (c->notes)
        rt_note_operands(c, height);
    if (here != c->pc_offset)
        rt_map_instruction(c);
    else if (!c->mapped)
        next_checkpoint(c);
    c->mapped = true;
    uint32_t same = c->listed_the_same < height ? c->listed_the_same : height;
    if (!reserve(c, 64 + (size_t)(height - same) * 16))
        return;
    struct rt_buffer *map = &c->code->map;
    bool changed = same != c->listed || same != height;
    put_entry(c, here, c->pc, changed);
    if (changed) {
        put_uleb(map, c->listed - same);
        put_uleb(map, height - same);
        for (uint32_t i = same; i < height; i++)
            put_operand(map, &c->operands[i]);
    }
    c->listed = height;
    c->listed_the_same = height < c->height ? height : c->height;
}
