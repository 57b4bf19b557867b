/* Places and numbers of what exists in a store, found by pointers. */
#include "runtime/trace/names.h"

#include <stdlib.h>

/* ---- Maps ---- */

static size_t slot_of(const struct rt_trace_map *map, const void *key) {
    size_t slot = (size_t)(((uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (map->capacity - 1);
    while (map->entries[slot].key && map->entries[slot].key != key)
        slot = (slot + 1) & (map->capacity - 1);
    return slot;
}

/* NULL when it is not there. */
static const struct rt_trace_place *find_place(const struct rt_trace_map *map, const void *key) {
    if (!map->count || !key)
        return NULL;
    const struct rt_trace_map_entry *entry = &map->entries[slot_of(map, key)];
    return entry->key ? &entry->value : NULL;
}

static bool grow(struct rt_trace_map *map) {
    const struct rt_trace_map old = *map;
    const size_t capacity = old.capacity ? 2 * old.capacity : 64;
    struct rt_trace_map_entry *entries = calloc(capacity, sizeof *entries);
    if (!entries)
        return false;
    *map = (struct rt_trace_map){.entries = entries, .capacity = capacity, .count = old.count};
    for (size_t i = 0; i < old.capacity; i++)
        if (old.entries[i].key)
            entries[slot_of(map, old.entries[i].key)] = old.entries[i];
    free(old.entries);
    return true;
}

bool rt_trace_map_set(struct rt_trace_map *map, const void *key, struct rt_trace_place value) {
    if (2 * (map->count + 1) > map->capacity && !grow(map))
        return false;
    struct rt_trace_map_entry *entry = &map->entries[slot_of(map, key)];
    map->count += !entry->key;
    *entry = (struct rt_trace_map_entry){key, value};
    return true;
}

static void clear_map(struct rt_trace_map *map) {
    free(map->entries);
    *map = (struct rt_trace_map){0};
}

/* ---- Names ---- */

void rt_trace_names_clear(struct rt_trace_names *names) {
    clear_map(&names->places);
    clear_map(&names->funcrefs);
    clear_map(&names->externrefs);
    *names = (struct rt_trace_names){0};
}

bool rt_trace_place_of(const struct rt_trace_names *names, const void *thing, struct rt_trace_place *ret) {
    const struct rt_trace_place *found = find_place(&names->places, thing);
    if (found)
        *ret = *found;
    return found;
}

bool rt_trace_place_of_func(const struct rt_trace_names *names, const struct rt_func *func,
                            struct rt_trace_place *ret) {
    if (func->host)
        return rt_trace_place_of(names, func, ret);
    *ret = (struct rt_trace_place){func->instance->number + 1, func->index};
    return true;
}

bool rt_trace_names_add_host(struct rt_trace_names *names, enum rt_extern_kind kind, const void *thing) {
    const struct rt_trace_place place = {0, names->host_counts[kind]};
    if (!rt_trace_map_set(&names->places, thing, place))
        return false;
    names->host_counts[kind]++;
    return true;
}

bool rt_trace_names_add_instance(struct rt_trace_names *names, struct rt_instance *instance) {
    const struct rt_module *module = instance->module;
    const uint32_t owner = instance->number + 1;
    bool good = true;
    for (uint32_t i = module->imported_tables; i < module->table_count && good; i++)
        good = rt_trace_map_set(&names->places, rt_instance_table(instance, i),
                                (struct rt_trace_place){owner, i});
    for (uint32_t i = module->imported_memories; i < module->memory_count && good; i++)
        good = rt_trace_map_set(&names->places, rt_instance_memory(instance, i),
                                (struct rt_trace_place){owner, i});
    for (uint32_t i = module->imported_globals; i < module->global_count && good; i++)
        good = rt_trace_map_set(&names->places, rt_instance_global(instance, i),
                                (struct rt_trace_place){owner, i});
    return good;
}

uint64_t rt_trace_reference(const struct rt_trace_names *names, uint8_t type, const void *reference) {
    const struct rt_trace_map *map = type == RT_FUNCREF ? &names->funcrefs : &names->externrefs;
    const struct rt_trace_place *found = find_place(map, reference);
    if (!reference)
        return 0;
    return found ? (uint64_t)found->index + 1 : RT_TRACE_UNNAMED;
}

void *rt_trace_extern_pointer(const struct rt_extern *external) {
    switch (external->kind) {
    case RT_EXTERN_FUNC: return external->func;
    case RT_EXTERN_TABLE: return external->table;
    case RT_EXTERN_MEMORY: return external->memory;
    case RT_EXTERN_GLOBAL: return external->global;
    }
    return NULL;
}
