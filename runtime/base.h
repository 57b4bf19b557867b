/* What every layer stands on: errors, arenas, the bounded cursor over untrusted bytes.
 * Part of the runtime's public header; include "runtime/runtime.h". */
#ifndef LOCKSTEP_RUNTIME_BASE_H
#define LOCKSTEP_RUNTIME_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define RT_MUST_USE            __attribute__((warn_unused_result))
#define RT_NEVER_NULL          __attribute__((returns_nonnull)) /* of functions that make an error */

/* ---- Errors ---- */

enum rt_error_code {
    RT_OUT_OF_MEMORY,
    RT_MALFORMED,   /* bytes that do not decode (core specification, section 5) */
    RT_INVALID,     /* a module that does not validate (section 3) */
    RT_UNSUPPORTED, /* a feature that this build does not have */
    RT_UNLINKABLE,  /* an import that does not match (section 4.5.4) */
    RT_TRAP,        /* the guest trapped; `trap` tells why */
    RT_EXIT,        /* the guest ended by itself; `exit_status` tells how */
    RT_OS,          /* the operating system refused */
    RT_USAGE,       /* the caller asked for what is not there */
    RT_DIVERGED,    /* a replay is not the run that was recorded */
};

/* NULL means success everywhere. A message says what was being done, to what, at which byte or line, and what
 * would be right; it never ends in a newline. */
struct rt_error {
    enum rt_error_code code;
    int trap;        /* enum rt_trap, with RT_TRAP */
    int exit_status; /* with RT_EXIT */
    char *message;
};

/* Makes an error; never returns NULL (running out of memory has a static error). The caller owns it. */
RT_MUST_USE RT_NEVER_NULL struct rt_error *rt_error_format(enum rt_error_code code, const char *format, ...)
    RT_PRINTF(2, 3);
/* The same, with ": " and strerror(errnum) after the message; code is RT_OS. */
RT_MUST_USE RT_NEVER_NULL struct rt_error *rt_error_os(int errnum, const char *format, ...) RT_PRINTF(2, 3);
/* Puts "context: " before the message of `error` and returns it (or the out-of-memory error). */
RT_MUST_USE RT_NEVER_NULL struct rt_error *rt_error_context(struct rt_error *error, const char *format, ...)
    RT_PRINTF(2, 3);
/* The static error: nothing to allocate, destroying it does nothing. */
RT_MUST_USE RT_NEVER_NULL struct rt_error *rt_error_out_of_memory(void);
void rt_error_destroy(struct rt_error *error);

/* A name of the input as a message can show it: on one line, and not too long. */
struct rt_printable {
    char text[64];
};
struct rt_printable rt_printable(const char *name);

/* ---- Arenas ---- */

/* Memory that lives as long as one thing (a module, one function's compilation, one program's check). */
struct rt_arena {
    struct rt_arena_block *blocks; /* newest first */
    size_t used;                   /* bytes handed out */
    size_t limit;                  /* bytes that may be handed out; 0 is no limit */
};

void rt_arena_init(struct rt_arena *arena, size_t limit);
void rt_arena_clear(struct rt_arena *arena); /* frees all; the arena may be used again */
/* Zeroed memory aligned to 16, or NULL when memory or the limit is at its end. size 0 gives a valid pointer.
 */
void *rt_arena_alloc(struct rt_arena *arena, size_t size);
/* count * size with an overflow check. */
void *rt_arena_array(struct rt_arena *arena, size_t count, size_t size);
/* A copy with a terminating zero after it. */
char *rt_arena_copy(struct rt_arena *arena, const void *bytes, size_t size);
char *rt_arena_printf(struct rt_arena *arena, const char *format, ...) RT_PRINTF(2, 3);

/* Equal, or both NULL. */
static inline bool rt_same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* ---- The cursor ---- */

/* A bounded reader of untrusted bytes. Errors are RT_MALFORMED and carry `base` + the offset. Each read says
 * what it reads (`what`, for the message: "at byte 0x1f: section size: unexpected end"). */
struct rt_cursor {
    const uint8_t *start, *next, *end;
    uint64_t base; /* offset of `start` in the file, for messages */
};

static inline struct rt_cursor rt_cursor_make(const void *bytes, size_t size, uint64_t base) {
    const uint8_t *start = (const uint8_t *)bytes;
    return (struct rt_cursor){start, start, start ? start + size : start, base};
}
static inline size_t rt_cursor_left(const struct rt_cursor *c) {
    return (size_t)(c->end - c->next);
}
/* The cursor where it was before: for errors about what began there. A whole copy made before each number
 * would wait for the last change of `next` to reach memory. */
static inline struct rt_cursor rt_cursor_back(const struct rt_cursor *c, const uint8_t *next) {
    return (struct rt_cursor){c->start, next, c->end, c->base};
}
static inline uint64_t rt_cursor_offset(const struct rt_cursor *c) {
    return c->base + (uint64_t)(c->next - c->start);
}
RT_MUST_USE RT_NEVER_NULL struct rt_error *rt_cursor_error(const struct rt_cursor *c, const char *format, ...)
    RT_PRINTF(2, 3);
RT_MUST_USE struct rt_error *rt_cursor_u8(struct rt_cursor *c, const char *what, uint8_t *ret);
RT_MUST_USE struct rt_error *rt_cursor_u16(struct rt_cursor *c, const char *what,
                                           uint16_t *ret); /* little endian */
RT_MUST_USE struct rt_error *rt_cursor_u32(struct rt_cursor *c, const char *what, uint32_t *ret);
RT_MUST_USE struct rt_error *rt_cursor_u64(struct rt_cursor *c, const char *what, uint64_t *ret);
/* LEB128 with the width rules of the core specification, section 5.2.2 (too long, or bits beyond the width:
 * error). */
RT_MUST_USE struct rt_error *rt_cursor_uleb(struct rt_cursor *c, unsigned width, const char *what,
                                            uint64_t *ret);
RT_MUST_USE struct rt_error *rt_cursor_sleb(struct rt_cursor *c, unsigned width, const char *what,
                                            int64_t *ret);
RT_MUST_USE struct rt_error *rt_cursor_bytes(struct rt_cursor *c, size_t size, const char *what,
                                             const uint8_t **ret);

#endif
