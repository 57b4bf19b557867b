/* A growing buffer of bytes, for what is read from children and written to people. */
#ifndef LOCKSTEP_HARNESS_BUFFER_H
#define LOCKSTEP_HARNESS_BUFFER_H

#include "runtime/base.h"

/* All zero is an empty buffer. `bytes` is NULL or ends in a zero that `size` does not count. When memory runs
 * out, `failed` stays set and what follows is dropped, so that a writer need look only once, at the end. */
struct hx_buffer {
    char *bytes;
    size_t size, capacity;
    bool failed;
};

void hx_buffer_clear(struct hx_buffer *buffer); /* frees; the buffer may be used again */
void hx_buffer_append(struct hx_buffer *buffer, const void *bytes, size_t size);
void hx_buffer_text(struct hx_buffer *buffer, const char *text);
void hx_buffer_print(struct hx_buffer *buffer, const char *format, ...) RT_PRINTF(2, 3);
/* Appends a word of a shell's command line that means `text`; quoted only where it must be. */
void hx_buffer_shell_word(struct hx_buffer *buffer, const char *text);
/* The bytes as a string; never NULL. */
const char *hx_buffer_string(const struct hx_buffer *buffer);
/* Reads once from `fd` and appends. Returns what read returned: 0 at the end, -1 with errno. */
long hx_buffer_read(struct hx_buffer *buffer, int fd);

/* FNV-1a, 64 bits, going on from `hash` (HX_HASH to begin with): for names and versions, not against anyone.
 */
#define HX_HASH 0xcbf29ce484222325u
uint64_t hx_hash(uint64_t hash, const void *bytes, size_t size);

/* Reads and writes whole files. Errors name the path. `limit` is in bytes; a longer file is RT_USAGE. */
RT_MUST_USE struct rt_error *hx_file_read(const char *path, size_t limit, struct hx_buffer *ret);
RT_MUST_USE struct rt_error *hx_file_write(const char *path, const void *bytes, size_t size, unsigned mode);
/* The path of what is there, absolute and without links, in the arena. RT_OS: cannot open it. */
RT_MUST_USE struct rt_error *hx_path_real(const char *path, struct rt_arena *arena, const char **ret);
/* Writes the buffer to a file of a folder; out of memory when it has failed. */
RT_MUST_USE struct rt_error *hx_buffer_write(const struct hx_buffer *buffer, const char *folder,
                                             const char *name, unsigned mode);
/* The same, and clears the buffer. */
RT_MUST_USE struct rt_error *hx_buffer_save(struct hx_buffer *buffer, const char *folder, const char *name,
                                            unsigned mode);

#endif
