/* DWARF in a WebAssembly module: custom sections, read and replaced. The one file here that knows of modules.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/dwarf/dwarf.h"
#include "runtime/module.h"

enum { HEADER_SIZE = 8, MOST_OF_ULEB = 5 };

struct rt_error *rt_dwarf_module_sections(const struct rt_module *module, struct rt_dwarf_sections *ret) {
    const char *name;
    const uint8_t *bytes;
    size_t size;
    enum rt_dwarf_section section;
    *ret = (struct rt_dwarf_sections){0};
    if (rt_module_custom(module, "linking", &bytes, &size))
        return rt_error_format(RT_USAGE, "the module is a relocatable object: link it first");
    for (size_t i = 0; rt_module_custom_at(module, i, &name, &bytes, &size); i++)
        if (rt_dwarf_section_find(name, &section) && !ret->at[section].bytes)
            ret->at[section] = (struct rt_dwarf_span){bytes, size};
    return NULL;
}

bool rt_dwarf_module_is_dead(void *user, uint64_t address) {
    (void)user;
    return address == 0 || address == UINT32_MAX || address == UINT32_MAX - 1 || address >= UINT64_MAX - 1;
}

static size_t put_uleb(uint8_t *at, uint64_t value) {
    size_t size = 0;
    do {
        at[size] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
        size++;
    } while (value);
    return size;
}

/* Whether a section of the module is a custom one that holds DWARF. */
static struct rt_error *is_dwarf(uint8_t id, struct rt_cursor contents, bool *ret) {
    uint64_t size;
    const uint8_t *bytes;
    *ret = false;
    if (id != 0)
        return NULL;
    struct rt_error *error = rt_cursor_uleb(&contents, 32, "name's size", &size);
    if (!error)
        error = rt_cursor_bytes(&contents, (size_t)size, "name", &bytes);
    for (int i = 0; !error && i < RT_DWARF_SECTION_COUNT; i++) {
        const char *name = rt_dwarf_section_name((enum rt_dwarf_section)i);
        *ret |= strlen(name) == size && memcmp(name, bytes, size) == 0;
    }
    return error;
}

/* Copies all sections that are none of DWARF. */
static struct rt_error *copy_sections(const struct rt_module *module, uint8_t *to, size_t *ret_size) {
    struct rt_cursor cursor = rt_cursor_make(module->bytes, module->size, 0);
    const uint8_t *bytes;
    struct rt_error *error = rt_cursor_bytes(&cursor, HEADER_SIZE, "header", &bytes);
    size_t at = HEADER_SIZE;
    if (!error)
        memcpy(to, bytes, HEADER_SIZE);
    while (!error && rt_cursor_left(&cursor)) {
        const uint8_t *start = cursor.next;
        struct rt_cursor contents;
        uint64_t size;
        uint8_t id;
        bool drop = false;
        error = rt_cursor_u8(&cursor, "section", &id);
        if (!error)
            error = rt_cursor_uleb(&cursor, 32, "section size", &size);
        contents = cursor;
        if (!error)
            error = rt_cursor_bytes(&cursor, (size_t)size, "section", &bytes);
        contents.end = cursor.next;
        if (!error)
            error = is_dwarf(id, contents, &drop);
        if (error || drop)
            continue;
        memcpy(to + at, start, (size_t)(cursor.next - start));
        at += (size_t)(cursor.next - start);
    }
    *ret_size = at;
    return error;
}

struct rt_error *rt_dwarf_module_write(const struct rt_module *module,
                                       const struct rt_dwarf_sections *sections, uint8_t **ret,
                                       size_t *ret_size) {
    size_t most = module->size, at = 0;
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++)
        most += sections->at[i].size + 64; /* with its header */
    uint8_t *bytes = malloc(most);
    if (!bytes)
        return rt_error_out_of_memory();
    struct rt_error *error = copy_sections(module, bytes, &at);
    for (int i = 0; !error && i < RT_DWARF_SECTION_COUNT; i++) {
        const struct rt_dwarf_span *span = &sections->at[i];
        const char *name = rt_dwarf_section_name((enum rt_dwarf_section)i);
        uint8_t length[MOST_OF_ULEB + 1];
        if (span->size == 0)
            continue;
        const size_t length_size = put_uleb(length, strlen(name));
        bytes[at++] = 0;
        at += put_uleb(bytes + at, length_size + strlen(name) + span->size);
        memcpy(bytes + at, length, length_size);
        at += length_size;
        memcpy(bytes + at, name, strlen(name));
        at += strlen(name);
        memcpy(bytes + at, span->bytes, span->size);
        at += span->size;
    }
    if (error) {
        free(bytes);
        return error;
    }
    *ret = bytes;
    *ret_size = at;
    return NULL;
}
