/* The interpreter's bulk memory and table instructions (core specification, sections 4.4.6 and 4.4.7). Each
 * checks its whole range before it writes. */
#include <string.h>

#include "runtime/interp/interp.h"

/* Whether [from, from + count) lies within `size`. Operands are i32: 64 bits hold the sum. */
static bool is_within(uint32_t from, uint32_t count, uint64_t size) {
    return (uint64_t)from + count <= size;
}

static enum rt_trap check(bool good, enum rt_trap trap) {
    return good ? RT_TRAP_COUNT : trap;
}

/* ---- Memory ---- */

static uint32_t grow_memory(struct rt_memory *memory, uint32_t pages) {
    uint64_t old = UINT32_MAX;
    rt_error_destroy(rt_memory_extend(memory, pages, &old));
    return (uint32_t)old;
}

static bool init_memory(struct rt_instance *instance, uint32_t data, uint32_t to, uint32_t from,
                        uint32_t count) {
    const struct rt_data_segment *segment = &instance->module->datas[data];
    if (!is_within(from, count, instance->data_dropped[data] ? 0 : segment->size) ||
        !is_within(to, count, rt_memory_size(instance->memory)))
        return false;
    if (count)
        memcpy(instance->memory->base + to, segment->bytes + from, count);
    return true;
}

static bool copy_memory(struct rt_memory *memory, uint32_t to, uint32_t from, uint32_t count) {
    uint64_t size = rt_memory_size(memory);
    if (!is_within(from, count, size) || !is_within(to, count, size))
        return false;
    memmove(memory->base + to, memory->base + from, count);
    return true;
}

static bool fill_memory(struct rt_memory *memory, uint32_t to, uint32_t byte, uint32_t count) {
    if (!is_within(to, count, rt_memory_size(memory)))
        return false;
    memset(memory->base + to, (uint8_t)byte, count);
    return true;
}

/* ---- Tables ---- */

static bool get_element(const struct rt_table *table, uint64_t *operand) {
    uint32_t index = (uint32_t)*operand;
    if (index >= table->size)
        return false;
    *operand = (uintptr_t)table->elements[index];
    return true;
}

static bool fill_table(struct rt_table *table, uint32_t to, uint64_t value, uint32_t count) {
    if (!is_within(to, count, table->size))
        return false;
    for (uint32_t i = 0; i < count; i++)
        table->elements[to + i] = (void *)(uintptr_t)value;
    return true;
}

static bool init_table(struct rt_table *table, const struct rt_element_items *elements, uint32_t to,
                       uint32_t from, uint32_t count) {
    if (!is_within(from, count, elements->count) || !is_within(to, count, table->size))
        return false;
    for (uint32_t i = 0; i < count; i++)
        table->elements[to + i] = elements->items[from + i];
    return true;
}

static bool copy_table(struct rt_table *to_table, const struct rt_table *from_table, uint32_t to,
                       uint32_t from, uint32_t count) {
    if (!is_within(from, count, from_table->size) || !is_within(to, count, to_table->size))
        return false;
    if (count)
        memmove(to_table->elements + to, from_table->elements + from, count * sizeof(*to_table->elements));
    return true;
}

enum rt_trap rt_interp_bulk(struct rt_instance *instance, uint32_t opcode, uint64_t *operands, uint32_t a,
                            uint32_t b) {
    /* Of three operands at most; a shorter instruction's others are not used. */
    uint32_t first = (uint32_t)operands[0];
    switch (opcode) {
    case RT_OP_MEMORY_GROW: operands[0] = grow_memory(instance->memory, first); break;
    case RT_OP_MEMORY_INIT:
        return check(init_memory(instance, a, first, (uint32_t)operands[1], (uint32_t)operands[2]),
                     RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    case RT_OP_MEMORY_COPY:
        return check(copy_memory(instance->memory, first, (uint32_t)operands[1], (uint32_t)operands[2]),
                     RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    case RT_OP_MEMORY_FILL:
        return check(fill_memory(instance->memory, first, (uint32_t)operands[1], (uint32_t)operands[2]),
                     RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    case RT_OP_DATA_DROP: instance->data_dropped[a] = true; break;
    case RT_OP_ELEM_DROP: instance->elements[a].count = 0; break;
    case RT_OP_TABLE_GET:
        return check(get_element(rt_instance_table(instance, a), operands), RT_TRAP_TABLE_OUT_OF_BOUNDS);
    case RT_OP_TABLE_SET:
        return check(fill_table(rt_instance_table(instance, a), first, operands[1], 1),
                     RT_TRAP_TABLE_OUT_OF_BOUNDS);
    case RT_OP_TABLE_SIZE: operands[0] = rt_instance_table(instance, a)->size; break;
    case RT_OP_TABLE_GROW:
        operands[0] = rt_table_extend(rt_instance_table(instance, a), (uint32_t)operands[1],
                                      (void *)(uintptr_t)operands[0]);
        break;
    case RT_OP_TABLE_FILL:
        return check(fill_table(rt_instance_table(instance, a), first, operands[1], (uint32_t)operands[2]),
                     RT_TRAP_TABLE_OUT_OF_BOUNDS);
    case RT_OP_TABLE_INIT: /* a: segment, b: table */
        return check(init_table(rt_instance_table(instance, b), &instance->elements[a], first,
                                (uint32_t)operands[1], (uint32_t)operands[2]),
                     RT_TRAP_TABLE_OUT_OF_BOUNDS);
    case RT_OP_TABLE_COPY: /* a: to, b: from */
        return check(copy_table(rt_instance_table(instance, a), rt_instance_table(instance, b), first,
                                (uint32_t)operands[1], (uint32_t)operands[2]),
                     RT_TRAP_TABLE_OUT_OF_BOUNDS);
    default: break;
    }
    return RT_TRAP_COUNT;
}
