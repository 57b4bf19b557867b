/* Where a trace goes: a file that appears when it is whole, a descriptor, memory. */
#include "runtime/trace/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void rt_trace_sink_destroy(struct rt_trace_sink *sink) {
    if (sink->destroy)
        sink->destroy(sink->user);
    *sink = (struct rt_trace_sink){0};
}

/* ---- Descriptors and files ---- */

struct output {
    int fd;
    bool is_own; /* of a file: close it */
    char *name;  /* for errors; of a file: its path */
    char *part;  /* the path until it is whole; NULL when it is written directly */
    bool is_finished;
};

static struct rt_error *output_write(void *user, const void *bytes, size_t size) {
    const struct output *output = user;
    for (const uint8_t *next = bytes; size > 0;) {
        const ssize_t written = write(output->fd, next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return rt_error_os(written < 0 ? errno : EIO, "cannot write the trace %s", output->name);
        next += written;
        size -= (size_t)written;
    }
    return NULL;
}

static struct rt_error *output_finish(void *user) {
    struct output *output = user;

    output->is_finished = true;
    if (!output->is_own)
        return NULL;
    /* Some file systems tell only now that the disk is full or broken. A device may know no fsync. */
    struct rt_error *error = NULL;
    if (fsync(output->fd) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
        error = rt_error_os(errno, "cannot write the trace %s", output->name);
    if (!error && output->part && rename(output->part, output->name) != 0)
        error = rt_error_os(errno, "cannot give the trace its name %s", output->name);
    output->is_finished = !error;
    return error;
}

static void output_destroy(void *user) {
    struct output *output = user;

    /* Before it is closed: while it is locked, the name is nobody else's. */
    if (output->part && !output->is_finished)
        unlink(output->part);
    if (output->is_own && output->fd >= 0)
        close(output->fd);
    free(output->name);
    free(output->part);
    free(output);
}

static struct rt_error *output_create(const char *name, int fd, struct output **ret) {
    struct output *output = calloc(1, sizeof *output);
    char *copy = strdup(name);
    if (!output || !copy) {
        free(output);
        free(copy);
        return rt_error_out_of_memory();
    }
    *output = (struct output){.fd = fd, .name = copy};
    *ret = output;
    return NULL;
}

static struct rt_trace_sink sink_of(struct output *output) {
    return (struct rt_trace_sink){output, output_write, output_finish, output_destroy};
}

struct rt_error *rt_trace_sink_fd(int fd, const char *name, struct rt_trace_sink *ret) {
    struct output *output;
    struct rt_error *error = output_create(name, fd, &output);
    if (!error)
        *ret = sink_of(output);
    return error;
}

/* Opens and locks the part file, empty. Whoever had the lock before may have renamed it meanwhile: then it is
 * not the part file any more, and must not be touched. */
static struct rt_error *open_part(struct output *output, char *part) {
    for (;;) {
        struct stat opened, named;
        const int fd = open(part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0)
            return rt_error_os(errno, "cannot create the trace %s", part);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            const int errnum = errno;
            close(fd);
            if (errnum == EWOULDBLOCK)
                return rt_error_format(RT_OS, "cannot create the trace %s: it is being written already",
                                       part);
            return rt_error_os(errnum, "cannot lock the trace %s", part);
        }
        if (fstat(fd, &opened) == 0 && lstat(part, &named) == 0 && opened.st_dev == named.st_dev &&
            opened.st_ino == named.st_ino) {
            output->fd = fd;
            output->part = part;
            return ftruncate(fd, 0) == 0 ? NULL : rt_error_os(errno, "cannot empty the file %s", part);
        }
        close(fd);
    }
}

struct rt_error *rt_trace_sink_file(const char *path, struct rt_trace_sink *ret) {
    struct output *output;
    struct stat there;
    struct rt_error *error = output_create(path, -1, &output);

    if (error)
        return error;
    output->is_own = true;
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        output->fd = open(path, O_WRONLY | O_CLOEXEC);
        if (output->fd < 0)
            error = rt_error_os(errno, "cannot write the trace %s", path);
    } else {
        char *part = malloc(strlen(path) + sizeof ".part");
        if (part)
            strcat(strcpy(part, path), ".part");
        error = part ? open_part(output, part) : rt_error_out_of_memory();
        if (output->part != part)
            free(part);
    }
    if (error)
        output_destroy(output);
    else
        *ret = sink_of(output);
    return error;
}

/* ---- Memory ---- */

static struct rt_error *memory_write(void *user, const void *bytes, size_t size) {
    return rt_trace_append(user, bytes, size) ? NULL : rt_error_out_of_memory();
}

static struct rt_error *memory_finish(void *user) {
    (void)user;
    return NULL;
}

static void memory_destroy(void *user) {
    (void)user; /* the caller's */
}

struct rt_trace_sink rt_trace_sink_memory(struct rt_trace_memory *memory) {
    return (struct rt_trace_sink){memory, memory_write, memory_finish, memory_destroy};
}
