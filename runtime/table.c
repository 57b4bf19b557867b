/* Tables (section 4.2.7). */
#include <stdlib.h>
#include <string.h>

#include "runtime/instance.h"

struct rt_error *rt_table_create(struct rt_store *store, enum rt_type type, struct rt_limits limits,
                                 struct rt_table **ret) {
    if (type != RT_FUNCREF && type != RT_EXTERNREF)
        return rt_error_format(RT_USAGE, "a table of type 0x%x: its elements must be references",
                               (unsigned)type);
    if (limits.min > limits.max)
        return rt_error_format(RT_USAGE, "a table of %llu elements: its maximum is %llu",
                               (unsigned long long)limits.min, (unsigned long long)limits.max);
    if (limits.min > store->max_elements)
        return rt_error_format(RT_UNSUPPORTED, "not supported: a table of %llu elements (at most %u)",
                               (unsigned long long)limits.min, store->max_elements);
    struct rt_table *table = calloc(1, sizeof(*table));
    if (!table)
        return rt_error_out_of_memory();
    table->type = type;
    table->max = limits.max;
    table->limit = store->max_elements;
    table->store = store;
    if (rt_table_extend(table, limits.min, NULL) == UINT32_MAX) {
        free(table);
        return rt_error_out_of_memory();
    }
    table->next = store->tables;
    store->tables = table;
    *ret = table;
    return NULL;
}

struct rt_error *rt_table_restart(struct rt_table *table, uint64_t size) {
    table->size = 0;
    return rt_table_extend(table, size, NULL) == UINT32_MAX ? rt_error_out_of_memory() : NULL;
}

void rt_table_destroy(struct rt_table *table) {
    if (!table)
        return;
    free(table->elements);
    free(table);
}

enum rt_type rt_table_type(const struct rt_table *table) {
    return table->type;
}

uint32_t rt_table_size(const struct rt_table *table) {
    return table->size;
}

void *rt_table_get(const struct rt_table *table, uint32_t index) {
    return index < table->size ? table->elements[index] : NULL;
}

uint32_t rt_table_extend(struct rt_table *table, uint64_t count, void *value) {
    uint64_t max = table->max < table->limit ? table->max : table->limit;
    uint32_t old = table->size;
    if (count > max || old > max - count)
        return UINT32_MAX;
    if (!count)
        return old;
    void **grown = realloc(table->elements, (old + (size_t)count) * sizeof(*grown));
    if (!grown)
        return UINT32_MAX;
    table->elements = grown;
    table->size = old + (uint32_t)count;
    (void)rt_table_fill(table, old, value, count);
    return old;
}

struct rt_error *rt_table_grow(struct rt_table *table, uint64_t count, void *value, uint32_t *ret_old) {
    struct rt_boundary *boundary = RT_BOUNDARY(table->store);
    const uint32_t size = table->size, old = rt_table_extend(table, count, value);
    const bool is_refused = old == UINT32_MAX;
    if (boundary)
        boundary->table_grow(boundary, table, count, value, is_refused ? UINT64_MAX : old);
    if (is_refused)
        return rt_error_format(RT_USAGE, "growing a table of %u elements by %llu: its maximum is %llu", size,
                               (unsigned long long)count,
                               (unsigned long long)(table->max < table->limit ? table->max : table->limit));
    *ret_old = old;
    return NULL;
}

struct rt_error *rt_table_set(struct rt_table *table, uint32_t index, void *value) {
    struct rt_boundary *boundary = RT_BOUNDARY(table->store);
    if (!rt_table_fill(table, index, value, 1))
        return rt_error_format(RT_USAGE, "setting element %u of a table of %u", index, table->size);
    if (boundary)
        boundary->table_set(boundary, table, index);
    return NULL;
}

bool rt_table_fill(struct rt_table *table, uint64_t to, void *value, uint64_t count) {
    if (to + count > table->size)
        return false;
    for (uint64_t i = 0; i < count; i++)
        table->elements[to + i] = value;
    return true;
}

bool rt_table_init(struct rt_table *table, const struct rt_element_items *elements, uint64_t to,
                   uint64_t from, uint64_t count) {
    if (from + count > elements->count || to + count > table->size)
        return false;
    if (count)
        memcpy(table->elements + to, elements->items + from, count * sizeof(*table->elements));
    return true;
}

bool rt_table_copy(struct rt_table *to_table, struct rt_table *from_table, uint64_t to, uint64_t from,
                   uint64_t count) {
    if (from + count > from_table->size || to + count > to_table->size)
        return false;
    if (count)
        memmove(to_table->elements + to, from_table->elements + from, count * sizeof(*to_table->elements));
    return true;
}
