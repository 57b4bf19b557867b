/* Strings of the output. A string of an input section is copied when it is first met; one that is the tail of
 * another stays its tail. Strings of other origins are kept once each. */
#include "runtime/dwarf/pass.h"

enum { FARTHEST_START = 4096 }; /* bytes that are searched backwards for a string's first */

/* Appends a string with its zero; its offset. */
static uint32_t append(struct rt_dwarf_pass *pass, enum rt_dwarf_section section, const uint8_t *bytes,
                       size_t size) {
    struct rt_dwarf_bytes *out = &pass->out[section];
    const uint32_t offset = (uint32_t)out->size;
    rt_dwarf_put(out, bytes, size);
    rt_dwarf_put_number(out, 0, 1);
    return offset;
}

struct rt_error *rt_dwarf_string_at(const struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                                    uint64_t offset, struct rt_dwarf_span *ret) {
    struct rt_cursor cursor;
    struct rt_error *error = rt_dwarf_section_at(pass, section, offset, &cursor);
    if (error)
        return error;
    const uint8_t *end = memchr(cursor.next, 0, rt_cursor_left(&cursor));
    if (!end)
        return rt_dwarf_section_error(rt_cursor_error(&cursor, "a string without an end"), section);
    *ret = (struct rt_dwarf_span){cursor.next, (size_t)(end - cursor.next)};
    return NULL;
}

/* Where the whole string starts that the one at `offset` is a tail of; a long way back, it stands for itself.
 */
static uint64_t find_start(const uint8_t *bytes, uint64_t offset) {
    const uint64_t farthest = offset > FARTHEST_START ? offset - FARTHEST_START : 0;
    const uint8_t *zero = memrchr(bytes + farthest, 0, (size_t)(offset - farthest));
    return zero ? (uint64_t)(zero - bytes) + 1 : farthest == 0 ? 0 : offset;
}

struct rt_error *rt_dwarf_string_copy(struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                                      uint64_t offset, uint32_t *ret) {
    const uint8_t *bytes = pass->input->at[section].bytes;
    const uint64_t tag = section == RT_DWARF_LINE_STR ? (uint64_t)1 << 62 : (uint64_t)1 << 61;
    struct rt_dwarf_span string;
    *ret = 0;
    struct rt_dwarf_map_entry *entry =
        rt_dwarf_map_find(&pass->strings, pass->budget, tag | (uint32_t)offset);
    if (!entry)
        return rt_dwarf_check(pass);
    if (entry->key && offset <= UINT32_MAX) {
        *ret = entry->value;
        return NULL;
    }
    struct rt_error *error = rt_dwarf_string_at(pass, section, offset, &string);
    if (error)
        return error;
    const uint64_t start = find_start(bytes, offset);
    if (start != offset)
        entry = rt_dwarf_map_find(&pass->strings, pass->budget, tag | start);
    if (!entry)
        return rt_dwarf_check(pass);
    if (!entry->key)
        rt_dwarf_map_fill(&pass->strings, entry, tag | start,
                          append(pass, section, bytes + start, (size_t)(offset - start) + string.size), 0);
    *ret = entry->value + (uint32_t)(offset - start);
    if (start == offset)
        return NULL;
    entry = rt_dwarf_map_find(&pass->strings, pass->budget, tag | offset);
    if (entry)
        rt_dwarf_map_fill(&pass->strings, entry, tag | offset, *ret, 0);
    return NULL;
}

uint32_t rt_dwarf_string_put(struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                             struct rt_dwarf_span string) {
    uint64_t hash = rt_dwarf_hash(section, string.bytes, string.size);
    struct rt_dwarf_map_entry *entry;
    /* Two strings of one hash: the next key is tried. */
    for (hash |= 1;; hash += 2) {
        entry = rt_dwarf_map_find(&pass->texts, pass->budget, hash);
        if (!entry)
            return 0;
        const struct rt_dwarf_bytes *out = &pass->out[section];
        if (!entry->key)
            break;
        if (entry->size == string.size && string.size < out->size && entry->value < out->size - string.size &&
            out->bytes[entry->value + string.size] == 0 &&
            (string.size == 0 || memcmp(out->bytes + entry->value, string.bytes, string.size) == 0))
            break;
    }
    if (!entry->key)
        rt_dwarf_map_fill(&pass->texts, entry, hash, append(pass, section, string.bytes, string.size),
                          (uint32_t)string.size);
    return entry->value;
}
