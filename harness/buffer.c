/* A growing buffer of bytes, and whole files read into it and written from it. */
#include "harness/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void hx_buffer_clear(struct hx_buffer *buffer) {
    free(buffer->bytes);
    *buffer = (struct hx_buffer){0};
}

/* Room for `more` bytes and the terminating zero. */
static bool reserve(struct hx_buffer *buffer, size_t more) {
    size_t needed, capacity = buffer->capacity ? buffer->capacity : 256;

    if (buffer->failed || __builtin_add_overflow(buffer->size + 1, more, &needed))
        return !(buffer->failed = true);
    if (needed <= buffer->capacity)
        return true;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    char *bytes = realloc(buffer->bytes, capacity);
    if (!bytes)
        return !(buffer->failed = true);
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

void hx_buffer_append(struct hx_buffer *buffer, const void *bytes, size_t size) {
    if (size == 0 || !reserve(buffer, size))
        return;
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
    buffer->bytes[buffer->size] = '\0';
}

void hx_buffer_text(struct hx_buffer *buffer, const char *text) {
    hx_buffer_append(buffer, text, strlen(text));
}

void hx_buffer_print(struct hx_buffer *buffer, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 || !reserve(buffer, (size_t)size))
        return;
    va_start(arguments, format);
    vsnprintf(buffer->bytes + buffer->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
}

void hx_buffer_shell_word(struct hx_buffer *buffer, const char *text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+:,./@%";
    if (*text && !text[strspn(text, plain)]) {
        hx_buffer_text(buffer, text);
        return;
    }
    hx_buffer_text(buffer, "'");
    for (; *text; text++)
        hx_buffer_print(buffer, *text == '\'' ? "'\\%c'" : "%c", *text);
    hx_buffer_text(buffer, "'");
}

const char *hx_buffer_string(const struct hx_buffer *buffer) {
    return buffer->bytes ? buffer->bytes : "";
}

long hx_buffer_read(struct hx_buffer *buffer, int fd) {
    enum { CHUNK = 16384 };

    if (!reserve(buffer, CHUNK)) {
        errno = ENOMEM;
        return -1;
    }
    ssize_t got = read(fd, buffer->bytes + buffer->size, CHUNK);
    if (got > 0)
        buffer->size += (size_t)got;
    buffer->bytes[buffer->size] = '\0';
    return got;
}

uint64_t hx_hash(uint64_t hash, const void *bytes, size_t size) {
    const uint8_t *next = bytes;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ next[i]) * 0x100000001b3;
    return hash;
}

struct rt_error *hx_file_read(const char *path, size_t limit, struct hx_buffer *ret) {
    struct rt_error *error = NULL;
    long got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return rt_error_os(errno, "cannot open %s", path);
    while ((got = hx_buffer_read(ret, fd)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error = rt_error_os(errno, "cannot read %s", path);
            break;
        }
        if (ret->size > limit) {
            error = rt_error_format(RT_USAGE, "%s is longer than %zu bytes", path, limit);
            break;
        }
    }
    close(fd);
    return error;
}

struct rt_error *hx_file_write(const char *path, const void *bytes, size_t size, unsigned mode) {
    const char *next = bytes;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    if (fd < 0)
        return rt_error_os(errno, "cannot create %s", path);
    while (size > 0) {
        ssize_t written = write(fd, next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            struct rt_error *error = rt_error_os(errno, "cannot write %s", path);
            close(fd);
            return error;
        }
        next += written;
        size -= (size_t)written;
    }
    if (close(fd) != 0)
        return rt_error_os(errno, "cannot write %s", path);
    return NULL;
}

struct rt_error *hx_path_real(const char *path, struct rt_arena *arena, const char **ret) {
    char *real = realpath(path, NULL);

    if (!real)
        return rt_error_os(errno, "cannot open %s", path);
    *ret = rt_arena_copy(arena, real, strlen(real));
    free(real);
    return *ret ? NULL : rt_error_out_of_memory();
}

struct rt_error *hx_buffer_write(const struct hx_buffer *buffer, const char *folder, const char *name,
                                 unsigned mode) {
    char path[PATH_MAX];

    if (buffer->failed)
        return rt_error_out_of_memory();
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return rt_error_os(ENAMETOOLONG, "cannot create %s", name);
    return hx_file_write(path, buffer->bytes, buffer->size, mode);
}

struct rt_error *hx_buffer_save(struct hx_buffer *buffer, const char *folder, const char *name,
                                unsigned mode) {
    struct rt_error *error = hx_buffer_write(buffer, folder, name, mode);

    hx_buffer_clear(buffer);
    return error;
}
