/* Linear memories (section 4.2.8), and the host's way into a guest's memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/target.h"

struct rt_error *rt_memory_create(struct rt_store *store, struct rt_limits limits, struct rt_memory **ret) {
    if (limits.min <= RT_MAX_PAGES && limits.min > store->max_pages)
        return rt_error_format(RT_UNSUPPORTED, "a memory of %llu pages: the store allows %u",
                               (unsigned long long)limits.min, store->max_pages);
    if (limits.min > RT_MAX_PAGES)
        return rt_error_format(RT_USAGE, "a memory of %llu pages: there can be at most %u",
                               (unsigned long long)limits.min, RT_MAX_PAGES);
    struct rt_memory *memory = calloc(1, sizeof(*memory));
    if (!memory)
        return rt_error_out_of_memory();
    memory->max = limits.max < RT_MAX_PAGES ? limits.max : RT_MAX_PAGES;
    memory->reserved = rt_target_host() ? RT_MEMORY_RESERVATION : (size_t)(memory->max + 1) * RT_PAGE_SIZE;
    void *base = mmap(NULL, memory->reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        struct rt_error *error =
            rt_error_os(errno, "reserving %zu bytes of address space for a memory", memory->reserved);
        free(memory);
        return error;
    }
    memory->base = base;
    memory->limit = store->max_pages;
    memory->store = store;
    uint64_t old;
    struct rt_error *error = rt_memory_extend(memory, limits.min, &old);
    if (error) {
        rt_memory_destroy(memory);
        return error;
    }
    /* What the import must match (section 3.2.2), beyond what there can be. */
    memory->max = limits.max;
    memory->next = store->memories;
    store->memories = memory;
    *ret = memory;
    return NULL;
}

void rt_memory_destroy(struct rt_memory *memory) {
    if (!memory)
        return;
    munmap(memory->base, memory->reserved);
    free(memory);
}

uint8_t *rt_memory_base(const struct rt_memory *memory) {
    return memory->base;
}

size_t rt_memory_size(const struct rt_memory *memory) {
    return (size_t)memory->pages * RT_PAGE_SIZE;
}

struct rt_error *rt_memory_extend(struct rt_memory *memory, uint64_t pages, uint64_t *ret_old_pages) {
    uint64_t max = memory->max < memory->limit ? memory->max : memory->limit;
    if (pages > max - memory->pages)
        return rt_error_format(RT_USAGE, "growing a memory of %u pages by %llu: its maximum is %llu",
                               memory->pages, (unsigned long long)pages, (unsigned long long)max);
    if (pages &&
        mprotect(memory->base + rt_memory_size(memory), (size_t)pages * RT_PAGE_SIZE, PROT_READ | PROT_WRITE))
        return rt_error_os(errno, "growing a memory of %u pages by %llu", memory->pages,
                           (unsigned long long)pages);
    *ret_old_pages = memory->pages;
    memory->pages += (uint32_t)pages;
    return NULL;
}

struct rt_error *rt_memory_restart(struct rt_memory *memory, uint64_t pages) {
    const size_t size = rt_memory_size(memory), wanted = (size_t)pages * RT_PAGE_SIZE;
    uint64_t old;
    memset(memory->base, 0, size);
    if (wanted >= size)
        return rt_memory_extend(memory, pages - memory->pages, &old);
    if (mprotect(memory->base + wanted, size - wanted, PROT_NONE))
        return rt_error_os(errno, "making a memory of %u pages one of %llu", memory->pages,
                           (unsigned long long)pages);
    memory->pages = (uint32_t)pages;
    return NULL;
}

struct rt_error *rt_memory_grow(struct rt_memory *memory, uint64_t pages, uint64_t *ret_old_pages) {
    struct rt_boundary *boundary = RT_BOUNDARY(memory->store);
    struct rt_error *error = rt_memory_extend(memory, pages, ret_old_pages);
    if (boundary)
        boundary->memory_grow(boundary, memory, pages, error ? UINT64_MAX : *ret_old_pages);
    return error;
}

bool rt_memory_write(struct rt_memory *memory, uint64_t address, const void *bytes, size_t size) {
    struct rt_boundary *boundary = RT_BOUNDARY(memory->store);
    size_t limit = rt_memory_size(memory);
    if (size > limit || address > limit - size)
        return false;
    if (!size)
        return true;
    memcpy(memory->base + address, bytes, size);
    if (boundary)
        boundary->memory_write(boundary, memory, address, bytes, size);
    return true;
}

bool rt_memory_init(struct rt_memory *memory, const uint8_t *bytes, uint64_t size, uint64_t to, uint64_t from,
                    uint64_t count) {
    if (from + count > size || to + count > rt_memory_size(memory))
        return false;
    if (count)
        memcpy(memory->base + to, bytes + from, count);
    return true;
}

/* ---- The guest's memory, seen by a host function ---- */

const uint8_t *rt_guest_view(struct rt_caller *caller, uint32_t address, size_t size) {
    const struct rt_memory *memory = caller->instance ? caller->instance->memory : NULL;
    size_t limit = memory ? rt_memory_size(memory) : 0;
    if (!memory || size > limit || address > limit - size)
        return NULL;
    return memory->base + address;
}

bool rt_guest_read(struct rt_caller *caller, uint32_t address, void *ret, size_t size) {
    const uint8_t *bytes = rt_guest_view(caller, address, size);
    if (bytes && size)
        memcpy(ret, bytes, size);
    return bytes;
}

bool rt_guest_write(struct rt_caller *caller, uint32_t address, const void *bytes, size_t size) {
    struct rt_memory *memory = caller->instance ? caller->instance->memory : NULL;
    return memory && rt_memory_write(memory, address, bytes, size);
}
