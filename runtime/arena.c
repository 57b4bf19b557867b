/* Arenas: zeroed memory in growing blocks that is freed all at once, under a limit where input decides the
 * size. */
#include "runtime/base.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, FIRST_BLOCK = 4 * 1024, LARGEST_STEP = 1024 * 1024 };

struct rt_arena_block {
    struct rt_arena_block *older;
    size_t capacity, used;
    alignas(ALIGNMENT) uint8_t bytes[];
};

void rt_arena_init(struct rt_arena *arena, size_t limit) {
    *arena = (struct rt_arena){.limit = limit};
}

void rt_arena_clear(struct rt_arena *arena) {
    while (arena->blocks) {
        struct rt_arena_block *older = arena->blocks->older;
        free(arena->blocks);
        arena->blocks = older;
    }
    arena->used = 0;
}

/* Puts a block with room for `size` bytes in front; false when memory is at its end. */
static bool add_block(struct rt_arena *arena, size_t size) {
    size_t capacity = FIRST_BLOCK;
    if (arena->blocks) {
        capacity = arena->blocks->capacity * 2;
        if (capacity > LARGEST_STEP)
            capacity = LARGEST_STEP;
    }
    if (capacity < size)
        capacity = size;
    if (capacity > SIZE_MAX - sizeof(struct rt_arena_block))
        return false;
    /* calloc, because fresh pages of the system are zero already and then cost nothing. */
    struct rt_arena_block *block = calloc(1, sizeof *block + capacity);
    if (!block)
        return false;
    block->capacity = capacity;
    block->older = arena->blocks;
    arena->blocks = block;
    return true;
}

void *rt_arena_alloc(struct rt_arena *arena, size_t size) {
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    /* A size of 0 takes a slot too, so that its pointer is nobody else's. */
    size_t rounded = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (arena->limit && (arena->used > arena->limit || rounded > arena->limit - arena->used))
        return NULL;
    struct rt_arena_block *block = arena->blocks;
    if (!block || block->capacity - block->used < rounded) {
        if (!add_block(arena, rounded))
            return NULL;
        block = arena->blocks;
    }
    void *result = block->bytes + block->used;
    block->used += rounded;
    arena->used += rounded;
    return result;
}

void *rt_arena_array(struct rt_arena *arena, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return rt_arena_alloc(arena, total);
}

char *rt_arena_copy(struct rt_arena *arena, const void *bytes, size_t size) {
    if (size == SIZE_MAX)
        return NULL;
    char *copy = rt_arena_alloc(arena, size + 1);
    if (copy && size)
        memcpy(copy, bytes, size);
    return copy;
}

char *rt_arena_printf(struct rt_arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0)
        return NULL;
    char *text = rt_arena_alloc(arena, (size_t)size + 1);
    if (text) {
        va_start(args, format);
        vsnprintf(text, (size_t)size + 1, format, args);
        va_end(args);
    }
    return text;
}
