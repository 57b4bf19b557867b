/* The bounded cursor: every read of untrusted bytes, with the offset in every error. */
#include "runtime/base.h"

#include <stdarg.h>
#include <stdio.h>

struct rt_error *rt_cursor_error(const struct rt_cursor *c, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return rt_error_format(RT_MALFORMED, "at byte 0x%llx: %s", (unsigned long long)rt_cursor_offset(c), text);
}

struct rt_error *rt_cursor_bytes(struct rt_cursor *c, size_t size, const char *what, const uint8_t **ret) {
    if (size > rt_cursor_left(c))
        return rt_cursor_error(c, "%s: unexpected end, length out of bounds: %zu bytes needed, %zu left",
                               what, size, rt_cursor_left(c));
    *ret = c->next;
    c->next += size;
    return NULL;
}

/* A little-endian number of `size` bytes. */
static struct rt_error *read_fixed(struct rt_cursor *c, size_t size, const char *what, uint64_t *ret) {
    if (size > rt_cursor_left(c))
        return rt_cursor_error(c, "%s: unexpected end", what);
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)c->next[i] << (8 * i);
    c->next += size;
    *ret = value;
    return NULL;
}

struct rt_error *rt_cursor_u8(struct rt_cursor *c, const char *what, uint8_t *ret) {
    if (c->next == c->end)
        return rt_cursor_error(c, "%s: unexpected end", what);
    *ret = *c->next++;
    return NULL;
}

struct rt_error *rt_cursor_u16(struct rt_cursor *c, const char *what, uint16_t *ret) {
    uint64_t value;
    struct rt_error *error = read_fixed(c, 2, what, &value);
    if (!error)
        *ret = (uint16_t)value;
    return error;
}

struct rt_error *rt_cursor_u32(struct rt_cursor *c, const char *what, uint32_t *ret) {
    uint64_t value;
    struct rt_error *error = read_fixed(c, 4, what, &value);
    if (!error)
        *ret = (uint32_t)value;
    return error;
}

struct rt_error *rt_cursor_u64(struct rt_cursor *c, const char *what, uint64_t *ret) {
    return read_fixed(c, 8, what, ret);
}

/* The bytes of a LEB128 number of at most `width` bits: `raw` gets its payload bits (those beyond 64 are in
 * `last` only), `last` its last byte, `bits` the number of payload bits that were read before `last`. Errors
 * stand at the number's first byte. */
static struct rt_error *read_leb(struct rt_cursor *c, unsigned width, const char *what, uint64_t *raw,
                                 uint8_t *last, unsigned *bits) {
    const uint8_t *const first = c->next;
    uint64_t value = 0;
    for (unsigned shift = 0; shift < width; shift += 7) {
        if (c->next == c->end) {
            c->next = first;
            return rt_cursor_error(c, "%s: unexpected end", what);
        }
        uint8_t byte = *c->next++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *raw = value;
            *last = byte;
            *bits = shift;
            return NULL;
        }
    }
    c->next = first;
    return rt_cursor_error(c, "%s: integer representation too long (more than %u bytes)", what,
                           (width + 6) / 7);
}

struct rt_error *rt_cursor_uleb(struct rt_cursor *c, unsigned width, const char *what, uint64_t *ret) {
    if (c->next != c->end && *c->next < 0x80 && width >= 7) {
        *ret = *c->next++;
        return NULL;
    }
    const uint8_t *const first = c->next;
    uint8_t last;
    unsigned bits;
    struct rt_error *error = read_leb(c, width, what, ret, &last, &bits);
    if (error)
        return error;
    if (width - bits < 7 && last >> (width - bits)) {
        c->next = first;
        return rt_cursor_error(c, "%s: integer too large for %u bits", what, width);
    }
    return NULL;
}

struct rt_error *rt_cursor_sleb(struct rt_cursor *c, unsigned width, const char *what, int64_t *ret) {
    const struct rt_cursor first = *c;
    uint64_t value;
    uint8_t last;
    unsigned bits;
    struct rt_error *error = read_leb(c, width, what, &value, &last, &bits);
    if (error)
        return error;
    bool negative = last & 0x40;
    if (width - bits < 7) {
        /* The bits beyond the width must repeat the sign, which is the width's own highest bit. */
        unsigned mask = 0x7f & ~((1u << (width - bits - 1)) - 1u);
        if ((last & mask) != 0 && (last & mask) != mask) {
            *c = first;
            return rt_cursor_error(c, "%s: integer too large for %u bits", what, width);
        }
    }
    if (negative && bits + 7 < 64)
        value |= ~(uint64_t)0 << (bits + 7);
    *ret = (int64_t)value;
    return NULL;
}
