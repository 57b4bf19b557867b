/* A map of the output's own: open addressing under the pass's budget. */
#include <stdlib.h>

#include "runtime/dwarf/pass.h"

enum { FIRST_CAPACITY = 64 };

static uint64_t mix(uint64_t key) {
    key *= 0x9e3779b97f4a7c15;
    return key ^ key >> 32;
}

static bool grow(struct rt_dwarf_map *map, struct rt_dwarf_budget *budget) {
    const size_t capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY;
    const size_t size = capacity * sizeof *map->entries;
    struct rt_dwarf_map_entry *entries = size <= budget->left ? calloc(capacity, sizeof *entries) : NULL;
    if (!entries) {
        budget->failed = true;
        return false;
    }
    budget->left -= size;
    for (size_t i = 0; i < map->capacity; i++) {
        if (!map->entries[i].key)
            continue;
        size_t at = mix(map->entries[i].key) & (capacity - 1);
        while (entries[at].key)
            at = (at + 1) & (capacity - 1);
        entries[at] = map->entries[i];
    }
    budget->left += map->capacity * sizeof *entries;
    free(map->entries);
    map->entries = entries;
    map->capacity = capacity;
    return true;
}

struct rt_dwarf_map_entry *rt_dwarf_map_find(struct rt_dwarf_map *map, struct rt_dwarf_budget *budget,
                                             uint64_t key) {
    if (map->count * 2 >= map->capacity && !grow(map, budget))
        return NULL;
    size_t at = mix(key) & (map->capacity - 1);
    while (map->entries[at].key && map->entries[at].key != key)
        at = (at + 1) & (map->capacity - 1);
    return &map->entries[at];
}

void rt_dwarf_map_fill(struct rt_dwarf_map *map, struct rt_dwarf_map_entry *entry, uint64_t key,
                       uint32_t value, uint32_t size) {
    *entry = (struct rt_dwarf_map_entry){key, value, size};
    map->count++;
}

void rt_dwarf_map_clear(struct rt_dwarf_map *map) {
    free(map->entries);
    *map = (struct rt_dwarf_map){0};
}

uint64_t rt_dwarf_hash(uint64_t seed, const uint8_t *bytes, size_t size) {
    uint64_t hash = seed, word;
    for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = mix(hash ^ word);
    }
    for (; size; bytes++, size--)
        hash = mix(hash ^ *bytes ^ 0x100);
    return mix(hash ^ 0x10000);
}
