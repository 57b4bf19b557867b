/* The containers of the DWARF readers: a hash map from 64-bit keys and a growing array. */
#include <stdlib.h>
#include <string.h>

#include "stepper/debug.h"

/* Where the search for a key starts: offsets and pcs are dense, so multiply to spread them. */
static size_t home(const struct st_map *map, uint64_t key) {
    return (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (map->capacity - 1);
}

static struct st_map_entry *find(const struct st_map *map, uint64_t key) {
    size_t i = home(map, key);
    while (map->entries[i].value && map->entries[i].key != key)
        i = (i + 1) & (map->capacity - 1);
    return &map->entries[i];
}

void *st_map_get(const struct st_map *map, uint64_t key) {
    return map->capacity ? find(map, key)->value : NULL;
}

bool st_map_put(struct st_map *map, uint64_t key, void *value) {
    if (2 * (map->count + 1) > map->capacity) {
        struct st_map larger = {.capacity = map->capacity ? 2 * map->capacity : 64, .count = map->count};
        larger.entries = calloc(larger.capacity, sizeof *larger.entries);
        if (!larger.entries)
            return false;
        for (size_t i = 0; i < map->capacity; i++)
            if (map->entries[i].value)
                *find(&larger, map->entries[i].key) = map->entries[i];
        free(map->entries);
        *map = larger;
    }
    struct st_map_entry *entry = find(map, key);
    map->count += entry->value == NULL;
    *entry = (struct st_map_entry){key, value};
    return true;
}

void st_map_clear(struct st_map *map) {
    free(map->entries);
    *map = (struct st_map){.capacity = 0};
}

void *st_list_push(struct st_list *list, size_t item_size) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 32;
        void *items = reallocarray(list->items, capacity, item_size);
        if (!items)
            return NULL;
        list->items = items;
        list->capacity = capacity;
    }
    return memset((char *)list->items + list->count++ * item_size, 0, item_size);
}

void st_list_clear(struct st_list *list) {
    free(list->items);
    *list = (struct st_list){.items = NULL};
}
