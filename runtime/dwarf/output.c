/* What a pass makes, and the memory that it takes: one budget for all, so that no input can ask for more than
 * is in proportion to it. */
#include <stdlib.h>

#include "runtime/dwarf/pass.h"

enum { FIRST_CAPACITY = 256 };

bool rt_dwarf_grow(struct rt_dwarf_bytes *buffer, size_t size) {
    struct rt_dwarf_budget *budget = buffer->budget;
    size_t capacity = buffer->capacity ? buffer->capacity * 2 : FIRST_CAPACITY;
    if (size > SIZE_MAX / 4 - buffer->size)
        budget->failed = true;
    while (!budget->failed && capacity < buffer->size + size)
        capacity *= 2;
    /* Offsets of the output have 32 bits. */
    if (!budget->failed && (capacity - buffer->capacity > budget->left || buffer->size + size > UINT32_MAX))
        budget->failed = true;
    uint8_t *bytes = budget->failed ? NULL : realloc(buffer->bytes, capacity);
    if (!bytes) {
        budget->failed = true;
        return false;
    }
    budget->left -= capacity - buffer->capacity;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

void rt_dwarf_bytes_clear(struct rt_dwarf_bytes *buffer) {
    if (buffer->budget)
        buffer->budget->left += buffer->capacity;
    free(buffer->bytes);
    *buffer = (struct rt_dwarf_bytes){.budget = buffer->budget};
}

void rt_dwarf_put_sleb(struct rt_dwarf_bytes *buffer, int64_t value) {
    bool more = true;
    while (more) {
        const uint8_t byte = value & 0x7f;
        value >>= 7;
        more = !((value == 0 && !(byte & 0x40)) || (value == -1 && byte & 0x40));
        rt_dwarf_put_number(buffer, more ? byte | 0x80u : byte, 1);
    }
}

void *rt_dwarf_alloc(struct rt_dwarf_pass *pass, size_t count, size_t size) {
    size_t total;
    void *memory = NULL;
    if (!__builtin_mul_overflow(count, size, &total) && total <= pass->budget->left)
        memory = rt_arena_alloc(&pass->arena, total);
    if (memory)
        pass->budget->left -= total;
    else
        pass->budget->failed = true;
    return memory;
}

struct rt_error *rt_dwarf_check(const struct rt_dwarf_pass *pass) {
    if (pass->misuse)
        return rt_error_format(RT_USAGE, "%s", pass->misuse);
    if (pass->budget->failed)
        return rt_error_format(
            RT_UNSUPPORTED,
            "not supported: what becomes of this DWARF takes more than %zu MiB, or 4 GiB a section",
            pass->budget->limit >> 20);
    return NULL;
}

void rt_dwarf_count(struct rt_dwarf_pass *pass, const char *what) {
    struct rt_dwarf_reason *reasons = RT_DWARF_ITEMS(&pass->reasons, struct rt_dwarf_reason);
    for (size_t i = 0; i < RT_DWARF_COUNT(&pass->reasons, struct rt_dwarf_reason); i++) {
        if (reasons[i].what == what || strcmp(reasons[i].what, what) == 0) {
            reasons[i].count++;
            return;
        }
    }
    const struct rt_dwarf_reason reason = {what, 1};
    rt_dwarf_put(&pass->reasons, &reason, sizeof reason);
}

unsigned rt_dwarf_output_address_size(const struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit) {
    return pass->options.address_size ? pass->options.address_size : unit->address_size;
}
