/* Where a trace comes from: a file, a descriptor that is read in order, memory. */
#include "runtime/trace/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void rt_trace_source_destroy(struct rt_trace_source *source) {
    if (source->destroy)
        source->destroy(source->user);
    *source = (struct rt_trace_source){0};
}

/* ---- Descriptors and files ---- */

struct input {
    int fd;
    bool is_own;      /* close it */
    bool is_in_order; /* a pipe or the like */
    char *name;
};

static struct rt_error *input_read(void *user, uint64_t offset, void *bytes, size_t size, size_t *ret) {
    const struct input *input = user;
    size_t done = 0;

    while (done < size) {
        const ssize_t got = input->is_in_order ? read(input->fd, (uint8_t *)bytes + done, size - done)
                                               : pread(input->fd, (uint8_t *)bytes + done, size - done,
                                                       (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return rt_error_os(errno, "cannot read the trace %s", input->name);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret = done;
    return NULL;
}

static void input_destroy(void *user) {
    struct input *input = user;
    if (input->is_own)
        close(input->fd);
    free(input->name);
    free(input);
}

static struct rt_error *input_create(int fd, const char *name, struct input **ret) {
    struct input *input = calloc(1, sizeof *input);
    char *copy = strdup(name);
    if (!input || !copy) {
        free(input);
        free(copy);
        return rt_error_out_of_memory();
    }
    *input = (struct input){.fd = fd, .is_in_order = true, .name = copy};
    *ret = input;
    return NULL;
}

struct rt_error *rt_trace_source_fd(int fd, const char *name, struct rt_trace_source *ret) {
    struct input *input;
    struct rt_error *error = input_create(fd, name, &input);
    if (!error)
        *ret = (struct rt_trace_source){
            .user = input, .size = RT_TRACE_UNKNOWN, .read = input_read, .destroy = input_destroy};
    return error;
}

struct rt_error *rt_trace_source_file(const char *path, struct rt_trace_source *ret) {
    struct stat stat;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct rt_error *error = NULL;

    if (fd < 0)
        return rt_error_os(errno, "cannot open the trace %s", path);
    if (fstat(fd, &stat) != 0)
        error = rt_error_os(errno, "cannot read the trace %s", path);
    else if (S_ISDIR(stat.st_mode))
        error = rt_error_os(EISDIR, "cannot read the trace %s", path);
    else
        error = rt_trace_source_fd(fd, path, ret);
    if (error) {
        close(fd);
        return error;
    }
    struct input *input = ret->user;
    input->is_own = true;
    if (S_ISREG(stat.st_mode)) {
        input->is_in_order = false;
        ret->size = (uint64_t)stat.st_size;
    }
    return NULL;
}

/* ---- Memory ---- */

struct view {
    const uint8_t *bytes;
    size_t size;
};

static struct rt_error *view_read(void *user, uint64_t offset, void *bytes, size_t size, size_t *ret) {
    const struct view *view = user;
    const size_t left = offset < view->size ? view->size - (size_t)offset : 0;
    *ret = size < left ? size : left;
    if (*ret)
        memcpy(bytes, view->bytes + offset, *ret);
    return NULL;
}

struct rt_error *rt_trace_source_memory(const void *bytes, size_t size, struct rt_trace_source *ret) {
    struct view *view = malloc(sizeof *view);
    if (!view)
        return rt_error_out_of_memory();
    *view = (struct view){bytes, size};
    *ret = (struct rt_trace_source){.user = view, .size = size, .read = view_read, .destroy = free};
    return NULL;
}

static struct rt_error *growing_read(void *user, uint64_t offset, void *bytes, size_t size, size_t *ret) {
    const struct rt_trace_memory *memory = user;
    struct view view = {memory->bytes, memory->size};
    return view_read(&view, offset, bytes, size, ret);
}

static void growing_destroy(void *user) {
    (void)user; /* the caller's */
}

struct rt_trace_source rt_trace_source_growing(const struct rt_trace_memory *memory) {
    return (struct rt_trace_source){.user = (void *)(uintptr_t)memory,
                                    .size = RT_TRACE_UNKNOWN,
                                    .read = growing_read,
                                    .destroy = growing_destroy,
                                    .grows = true};
}
