/* The guest's descriptor table, and the functions about descriptors as such: close, renumber, what they are
 * and may do, which are preopened folders. */
#include "runtime/wasi/wasi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- What a descriptor is and may do ---- */

#define RIGHT(name) RT_WASI_RIGHT_##name

enum {
    STREAM_RIGHTS = RIGHT(FD_READ) | RIGHT(FD_WRITE) | RIGHT(FD_FDSTAT_SET_FLAGS) | RIGHT(FD_FILESTAT_GET) |
                    RIGHT(POLL_FD_READWRITE),
    SEEK_RIGHTS = RIGHT(FD_SEEK) | RIGHT(FD_TELL),
    SOCKET_RIGHTS = STREAM_RIGHTS | RIGHT(SOCK_SHUTDOWN) | RIGHT(SOCK_ACCEPT),
    FILE_RIGHTS = STREAM_RIGHTS | SEEK_RIGHTS | RIGHT(FD_DATASYNC) | RIGHT(FD_SYNC) | RIGHT(FD_ADVISE) |
                  RIGHT(FD_ALLOCATE) | RIGHT(FD_FILESTAT_SET_SIZE) | RIGHT(FD_FILESTAT_SET_TIMES),
    DIRECTORY_RIGHTS = RIGHT(FD_DATASYNC) | RIGHT(FD_SYNC) | RIGHT(FD_FDSTAT_SET_FLAGS) |
                       RIGHT(FD_FILESTAT_GET) | RIGHT(FD_FILESTAT_SET_TIMES) | RIGHT(FD_READDIR) |
                       RIGHT(PATH_CREATE_DIRECTORY) | RIGHT(PATH_CREATE_FILE) | RIGHT(PATH_LINK_SOURCE) |
                       RIGHT(PATH_LINK_TARGET) | RIGHT(PATH_OPEN) | RIGHT(PATH_READLINK) |
                       RIGHT(PATH_RENAME_SOURCE) | RIGHT(PATH_RENAME_TARGET) | RIGHT(PATH_FILESTAT_GET) |
                       RIGHT(PATH_FILESTAT_SET_SIZE) | RIGHT(PATH_FILESTAT_SET_TIMES) | RIGHT(PATH_SYMLINK) |
                       RIGHT(PATH_REMOVE_DIRECTORY) | RIGHT(PATH_UNLINK_FILE),
    WRITING_RIGHTS = RIGHT(FD_WRITE) | RIGHT(FD_ALLOCATE) | RIGHT(FD_FILESTAT_SET_SIZE),
};

static const struct {
    uint32_t base, inheriting;
} most_rights[] = {
    [RT_WASI_UNKNOWN] = {STREAM_RIGHTS, 0},
    [RT_WASI_BLOCK_DEVICE] = {FILE_RIGHTS, 0},
    [RT_WASI_CHARACTER_DEVICE] = {STREAM_RIGHTS, 0},
    [RT_WASI_DIRECTORY] = {DIRECTORY_RIGHTS, DIRECTORY_RIGHTS | FILE_RIGHTS},
    [RT_WASI_REGULAR_FILE] = {FILE_RIGHTS, 0},
    [RT_WASI_SOCKET_DGRAM] = {SOCKET_RIGHTS, 0},
    [RT_WASI_SOCKET_STREAM] = {SOCKET_RIGHTS, 0},
    [RT_WASI_SYMBOLIC_LINK] = {0, 0}, /* never open */
};

enum rt_wasi_filetype rt_wasi_filetype_of(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFBLK: return RT_WASI_BLOCK_DEVICE;
    case S_IFCHR: return RT_WASI_CHARACTER_DEVICE;
    case S_IFDIR: return RT_WASI_DIRECTORY;
    case S_IFREG: return RT_WASI_REGULAR_FILE;
    case S_IFLNK: return RT_WASI_SYMBOLIC_LINK;
    case S_IFSOCK: return RT_WASI_SOCKET_STREAM;
    default: return RT_WASI_UNKNOWN; /* preview 1 has no number for a pipe */
    }
}

static uint16_t fdflags_of(int host_flags) {
    unsigned flags = 0;
    if (host_flags & O_APPEND)
        flags |= RT_WASI_FDFLAG_APPEND;
    if (host_flags & O_NONBLOCK)
        flags |= RT_WASI_FDFLAG_NONBLOCK;
    if (host_flags & O_DSYNC)
        flags |= RT_WASI_FDFLAG_DSYNC;
    if ((host_flags & O_SYNC) == O_SYNC)
        flags |= RT_WASI_FDFLAG_SYNC | RT_WASI_FDFLAG_RSYNC;
    return (uint16_t)flags;
}

bool rt_wasi_descriptor_describe(int host, struct rt_wasi_descriptor *ret) {
    struct stat stat;
    int flags = fcntl(host, F_GETFL);
    if (flags < 0 || fstat(host, &stat) < 0)
        return false;
    enum rt_wasi_filetype type = rt_wasi_filetype_of(stat.st_mode);
    int socket_type = 0;
    socklen_t size = sizeof socket_type;
    if (type == RT_WASI_SOCKET_STREAM && getsockopt(host, SOL_SOCKET, SO_TYPE, &socket_type, &size) == 0 &&
        socket_type == SOCK_DGRAM)
        type = RT_WASI_SOCKET_DGRAM;

    uint32_t base = most_rights[type].base;
    /* C libraries tell a terminal from another device by this: one cannot seek in it. */
    if (type == RT_WASI_CHARACTER_DEVICE && !isatty(host) && lseek(host, 0, SEEK_CUR) >= 0)
        base |= SEEK_RIGHTS;
    if ((flags & O_ACCMODE) == O_RDONLY)
        base &= ~(uint32_t)WRITING_RIGHTS;
    if ((flags & O_ACCMODE) == O_WRONLY)
        base &= ~(uint32_t)RIGHT(FD_READ);
    *ret = (struct rt_wasi_descriptor){
        .is_open = true,
        .host = host,
        .type = type,
        .flags = fdflags_of(flags),
        .base = base,
        .inheriting = most_rights[type].inheriting,
    };
    return true;
}

/* ---- The table ---- */

enum rt_wasi_errno rt_wasi_descriptor_get(struct rt_wasi *wasi, uint32_t fd, uint32_t rights,
                                          struct rt_wasi_descriptor **ret) {
    if (fd >= wasi->descriptor_capacity || !wasi->descriptors[fd].is_open)
        return RT_WASI_EBADF;
    if (rights & ~wasi->descriptors[fd].base)
        return RT_WASI_ENOTCAPABLE;
    *ret = &wasi->descriptors[fd];
    return RT_WASI_ESUCCESS;
}

bool rt_wasi_descriptor_add_at(struct rt_wasi *wasi, uint32_t fd,
                               const struct rt_wasi_descriptor *descriptor) {
    if (fd >= wasi->descriptor_capacity) {
        uint32_t capacity = wasi->descriptor_capacity ? wasi->descriptor_capacity : 16;
        while (capacity <= fd)
            capacity *= 2;
        struct rt_wasi_descriptor *grown = realloc(wasi->descriptors, capacity * sizeof *grown);
        if (!grown)
            return false;
        memset(grown + wasi->descriptor_capacity, 0, (capacity - wasi->descriptor_capacity) * sizeof *grown);
        wasi->descriptors = grown;
        wasi->descriptor_capacity = capacity;
    }
    wasi->descriptors[fd] = *descriptor;
    return true;
}

enum rt_wasi_errno rt_wasi_descriptor_add(struct rt_wasi *wasi, const struct rt_wasi_descriptor *descriptor,
                                          uint32_t *ret) {
    uint32_t fd = 0;
    while (fd < wasi->descriptor_capacity && wasi->descriptors[fd].is_open)
        fd++;
    if (fd >= RT_WASI_MAX_DESCRIPTORS)
        return RT_WASI_EMFILE;
    if (!rt_wasi_descriptor_add_at(wasi, fd, descriptor))
        return RT_WASI_ENOMEM;
    *ret = fd;
    return RT_WASI_ESUCCESS;
}

static enum rt_wasi_errno close_descriptor(struct rt_wasi_descriptor *descriptor) {
    int host = descriptor->host;
    bool is_borrowed = descriptor->is_borrowed;
    *descriptor = (struct rt_wasi_descriptor){0};
    /* Linux has freed the number even after EINTR. */
    if (!is_borrowed && close(host) < 0 && errno != EINTR)
        return rt_wasi_errno_of(errno);
    return RT_WASI_ESUCCESS;
}

void rt_wasi_descriptors_clear(struct rt_wasi *wasi) {
    for (uint32_t fd = 0; fd < wasi->descriptor_capacity; fd++)
        if (wasi->descriptors[fd].is_open)
            close_descriptor(&wasi->descriptors[fd]);
    free(wasi->descriptors);
    wasi->descriptors = NULL;
    wasi->descriptor_capacity = 0;
}

enum rt_wasi_errno rt_wasi_fd_close(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum = rt_wasi_descriptor_get(call->wasi, args[0].i32, 0, &descriptor);
    return errnum ? errnum : close_descriptor(descriptor);
}

enum rt_wasi_errno rt_wasi_fd_renumber(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi_descriptor *from, *to;
    enum rt_wasi_errno errnum = rt_wasi_descriptor_get(call->wasi, args[0].i32, 0, &from);
    if (!errnum)
        errnum = rt_wasi_descriptor_get(call->wasi, args[1].i32, 0, &to);
    if (errnum || from == to)
        return errnum;
    close_descriptor(to);
    *to = *from;
    *from = (struct rt_wasi_descriptor){0};
    return RT_WASI_ESUCCESS;
}

/* ---- What the guest may ask and change ---- */

enum rt_wasi_errno rt_wasi_fd_fdstat_get(struct rt_wasi_call *call, const union rt_value *args) {
    enum { FILETYPE = 0, FLAGS = 2, RIGHTS_BASE = 8, RIGHTS_INHERITING = 16, SIZE = 24 }; /* witx `fdstat` */
    if (!rt_wasi_in_memory(call, args[1].i32, SIZE))
        return RT_WASI_EFAULT;
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum = rt_wasi_descriptor_get(call->wasi, args[0].i32, 0, &descriptor);
    if (errnum)
        return errnum;
    uint8_t bytes[SIZE] = {0};
    rt_wasi_store(bytes + FILETYPE, descriptor->type, 1);
    rt_wasi_store(bytes + FLAGS, descriptor->flags, 2);
    rt_wasi_store(bytes + RIGHTS_BASE, descriptor->base, 8);
    rt_wasi_store(bytes + RIGHTS_INHERITING, descriptor->inheriting, 8);
    return rt_guest_write(call->caller, args[1].i32, bytes, SIZE) ? RT_WASI_ESUCCESS : RT_WASI_EFAULT;
}

enum rt_wasi_errno rt_wasi_fd_fdstat_set_flags(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum =
        rt_wasi_descriptor_get(call->wasi, args[0].i32, RIGHT(FD_FDSTAT_SET_FLAGS), &descriptor);
    if (errnum)
        return errnum;
    uint32_t flags = args[1].i32;
    if (flags & ~(uint32_t)RT_WASI_FDFLAGS_ALL)
        return RT_WASI_EINVAL;
    if (flags == descriptor->flags)
        return RT_WASI_ESUCCESS;
    /* Linux cannot change how an open file syncs; and the embedder's streams are not the guest's to change:
     * O_NONBLOCK on a terminal would reach every process that has it. */
    if (((flags ^ descriptor->flags) & RT_WASI_FDFLAGS_SYNC) || descriptor->is_borrowed)
        return RT_WASI_ENOTSUP;
    int host_flags =
        (flags & RT_WASI_FDFLAG_APPEND ? O_APPEND : 0) | (flags & RT_WASI_FDFLAG_NONBLOCK ? O_NONBLOCK : 0);
    if (fcntl(descriptor->host, F_SETFL, host_flags) < 0)
        return rt_wasi_errno_of(errno);
    descriptor->flags = (uint16_t)flags;
    return RT_WASI_ESUCCESS;
}

enum rt_wasi_errno rt_wasi_fd_fdstat_set_rights(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum = rt_wasi_descriptor_get(call->wasi, args[0].i32, 0, &descriptor);
    if (errnum)
        return errnum;
    uint64_t base = args[1].i64, inheriting = args[2].i64;
    /* Rights can be given up, never gained. */
    if ((base & ~(uint64_t)descriptor->base) || (inheriting & ~(uint64_t)descriptor->inheriting))
        return RT_WASI_ENOTCAPABLE;
    descriptor->base = (uint32_t)base;
    descriptor->inheriting = (uint32_t)inheriting;
    return RT_WASI_ESUCCESS;
}

/* ---- Preopened folders ---- */

static enum rt_wasi_errno get_preopen(struct rt_wasi_call *call, uint32_t fd, const char **ret) {
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum = rt_wasi_descriptor_get(call->wasi, fd, 0, &descriptor);
    if (errnum)
        return errnum;
    *ret = descriptor->preopen;
    return *ret ? RT_WASI_ESUCCESS : RT_WASI_EBADF;
}

enum rt_wasi_errno rt_wasi_fd_prestat_get(struct rt_wasi_call *call, const union rt_value *args) {
    enum { TAG = 0, NAME_SIZE = 4, SIZE = 8, TAG_DIRECTORY = 0 }; /* witx `prestat` */
    if (!rt_wasi_in_memory(call, args[1].i32, SIZE))
        return RT_WASI_EFAULT;
    const char *name;
    enum rt_wasi_errno errnum = get_preopen(call, args[0].i32, &name);
    if (errnum)
        return errnum;
    uint8_t bytes[SIZE] = {0};
    rt_wasi_store(bytes + TAG, TAG_DIRECTORY, 1);
    rt_wasi_store(bytes + NAME_SIZE, strlen(name), 4);
    return rt_guest_write(call->caller, args[1].i32, bytes, SIZE) ? RT_WASI_ESUCCESS : RT_WASI_EFAULT;
}

enum rt_wasi_errno rt_wasi_fd_prestat_dir_name(struct rt_wasi_call *call, const union rt_value *args) {
    if (!rt_wasi_in_memory(call, args[1].i32, args[2].i32))
        return RT_WASI_EFAULT;
    const char *name;
    enum rt_wasi_errno errnum = get_preopen(call, args[0].i32, &name);
    if (errnum)
        return errnum;
    size_t size = strlen(name);
    if (args[2].i32 < size)
        return RT_WASI_ENAMETOOLONG;
    return rt_guest_write(call->caller, args[1].i32, name, size) ? RT_WASI_ESUCCESS : RT_WASI_EFAULT;
}
