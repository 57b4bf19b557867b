/* Open files: reading, writing, positions, sizes, times, syncing, and listing a folder. */
#include "runtime/wasi/wasi.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Reading and writing ---- */

/* One system call for the guest, again when a signal that is not the guest's interrupts it. */
static ssize_t read_host(const struct rt_wasi_descriptor *descriptor, void *bytes, size_t size,
                         const uint64_t *offset) {
    if (offset)
        return TEMP_FAILURE_RETRY(pread(descriptor->host, bytes, size, (off_t)*offset));
    return TEMP_FAILURE_RETRY(read(descriptor->host, bytes, size));
}

static enum rt_wasi_errno read_vectors(struct rt_wasi_call *call, const union rt_value *args, uint32_t rights,
                                       const uint64_t *offset, uint32_t result) {
    struct rt_wasi *wasi = call->wasi;
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum = rt_wasi_descriptor_get(wasi, args[0].i32, rights, &descriptor);
    if (errnum)
        return errnum;
    uint32_t count = args[2].i32, size, done = 0;
    errnum = rt_wasi_vectors_load(call, args[1].i32, count, &size);
    if (errnum)
        return errnum;
    if (!rt_wasi_in_memory(call, result, 4))
        return RT_WASI_EFAULT;
    for (;;) {
        uint32_t part = size - done < RT_WASI_BUFFER_SIZE ? size - done : RT_WASI_BUFFER_SIZE;
        uint64_t at = offset ? *offset + done : 0;
        ssize_t got = read_host(descriptor, wasi->buffer, part, offset ? &at : NULL);
        if (got < 0 && done == 0)
            return rt_wasi_errno_of(errno);
        if (got <= 0)
            break;
        rt_wasi_vectors_scatter(call, count, done, (uint32_t)got);
        done += (uint32_t)got;
        /* A second read of a pipe or terminal could block with bytes in hand. */
        if ((uint32_t)got < part || done == size || descriptor->type != RT_WASI_REGULAR_FILE)
            break;
    }
    return rt_wasi_write_u32(call, result, done);
}

static ssize_t write_host(const struct rt_wasi_descriptor *descriptor, struct iovec *vectors, int count,
                          const uint64_t *offset) {
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
    if (offset)
        return TEMP_FAILURE_RETRY(pwritev(descriptor->host, vectors, count, (off_t)*offset));
    /* Without SIGPIPE for a peer that is gone, as sock_send does it. */
    if (descriptor->type == RT_WASI_SOCKET_STREAM || descriptor->type == RT_WASI_SOCKET_DGRAM)
        return TEMP_FAILURE_RETRY(sendmsg(descriptor->host, &message, MSG_NOSIGNAL));
    return TEMP_FAILURE_RETRY(writev(descriptor->host, vectors, count));
}

/* Hands written bytes to the embedder's callback. */
static enum rt_wasi_errno write_captured(struct rt_wasi *wasi, int fd, int count) {
    for (int i = 0; i < count; i++) {
        const struct iovec *vector = &wasi->host_vectors[i];
        if (!wasi->write(wasi->write_user, fd, vector->iov_base, vector->iov_len))
            return RT_WASI_EIO;
    }
    return RT_WASI_ESUCCESS;
}

static enum rt_wasi_errno write_vectors(struct rt_wasi_call *call, const union rt_value *args,
                                        uint32_t rights, const uint64_t *offset, uint32_t result) {
    struct rt_wasi *wasi = call->wasi;
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum = rt_wasi_descriptor_get(wasi, args[0].i32, rights, &descriptor);
    if (errnum)
        return errnum;
    uint32_t size;
    errnum = rt_wasi_vectors_load(call, args[1].i32, args[2].i32, &size);
    if (errnum)
        return errnum;
    if (!rt_wasi_in_memory(call, result, 4))
        return RT_WASI_EFAULT;
    int used = rt_wasi_vectors_view(call, args[2].i32);
    if (descriptor->capture) {
        errnum = write_captured(wasi, descriptor->capture, used);
        return errnum ? errnum : rt_wasi_write_u32(call, result, size);
    }
    ssize_t put = write_host(descriptor, wasi->host_vectors, used, offset);
    return put < 0 ? rt_wasi_errno_of(errno) : rt_wasi_write_u32(call, result, (uint32_t)put);
}

enum rt_wasi_errno rt_wasi_fd_read(struct rt_wasi_call *call, const union rt_value *args) {
    return read_vectors(call, args, RT_WASI_RIGHT_FD_READ, NULL, args[3].i32);
}

enum rt_wasi_errno rt_wasi_fd_pread(struct rt_wasi_call *call, const union rt_value *args) {
    return read_vectors(call, args, RT_WASI_RIGHT_FD_READ | RT_WASI_RIGHT_FD_SEEK, &args[3].i64, args[4].i32);
}

enum rt_wasi_errno rt_wasi_fd_write(struct rt_wasi_call *call, const union rt_value *args) {
    return write_vectors(call, args, RT_WASI_RIGHT_FD_WRITE, NULL, args[3].i32);
}

enum rt_wasi_errno rt_wasi_fd_pwrite(struct rt_wasi_call *call, const union rt_value *args) {
    return write_vectors(call, args, RT_WASI_RIGHT_FD_WRITE | RT_WASI_RIGHT_FD_SEEK, &args[3].i64,
                         args[4].i32);
}

/* ---- Positions ---- */

enum rt_wasi_errno rt_wasi_fd_seek(struct rt_wasi_call *call, const union rt_value *args) {
    static const int whences[2][3] = {
        {SEEK_SET, SEEK_CUR, SEEK_END}, /* preview 1 */
        {SEEK_CUR, SEEK_END, SEEK_SET}, /* snapshot 0 */
    };
    if (!rt_wasi_in_memory(call, args[3].i32, 8))
        return RT_WASI_EFAULT;
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum = rt_wasi_descriptor_get(call->wasi, args[0].i32, 0, &descriptor);
    if (errnum)
        return errnum;
    if (args[2].i32 >= RT_WASI_COUNT(whences[0]))
        return RT_WASI_EINVAL;
    int whence = whences[call->is_snapshot_0][args[2].i32];
    /* witx: fd_tell is enough for a seek that leaves the position as it is. */
    uint32_t enough = RT_WASI_RIGHT_FD_SEEK;
    if (whence == SEEK_CUR && args[1].i64 == 0)
        enough |= RT_WASI_RIGHT_FD_TELL;
    if (!(descriptor->base & enough))
        return RT_WASI_ENOTCAPABLE;
    off_t position = lseek(descriptor->host, (off_t)args[1].i64, whence);
    return position < 0 ? rt_wasi_errno_of(errno) : rt_wasi_write_u64(call, args[3].i32, (uint64_t)position);
}

enum rt_wasi_errno rt_wasi_fd_tell(struct rt_wasi_call *call, const union rt_value *args) {
    if (!rt_wasi_in_memory(call, args[1].i32, 8))
        return RT_WASI_EFAULT;
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum = rt_wasi_descriptor_get(call->wasi, args[0].i32, 0, &descriptor);
    if (errnum)
        return errnum;
    /* witx: fd_seek implies fd_tell. */
    if (!(descriptor->base & (RT_WASI_RIGHT_FD_SEEK | RT_WASI_RIGHT_FD_TELL)))
        return RT_WASI_ENOTCAPABLE;
    off_t position = lseek(descriptor->host, 0, SEEK_CUR);
    return position < 0 ? rt_wasi_errno_of(errno) : rt_wasi_write_u64(call, args[1].i32, (uint64_t)position);
}

/* ---- Space and syncing ---- */

enum rt_wasi_errno rt_wasi_fd_advise(struct rt_wasi_call *call, const union rt_value *args) {
    static const int advices[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                  POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum =
        rt_wasi_descriptor_get(call->wasi, args[0].i32, RT_WASI_RIGHT_FD_ADVISE, &descriptor);
    if (errnum)
        return errnum;
    uint64_t offset = args[1].i64, size = args[2].i64;
    if (args[3].i32 >= RT_WASI_COUNT(advices) || offset > INT64_MAX || size > INT64_MAX)
        return RT_WASI_EINVAL;
    int error = posix_fadvise(descriptor->host, (off_t)offset, (off_t)size, advices[args[3].i32]);
    return error ? rt_wasi_errno_of(error) : RT_WASI_ESUCCESS;
}

enum rt_wasi_errno rt_wasi_fd_allocate(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum =
        rt_wasi_descriptor_get(call->wasi, args[0].i32, RT_WASI_RIGHT_FD_ALLOCATE, &descriptor);
    if (errnum)
        return errnum;
    /* Not posix_fallocate: where the file system cannot, that one writes every block. */
    int result = TEMP_FAILURE_RETRY(fallocate(descriptor->host, 0, (off_t)args[1].i64, (off_t)args[2].i64));
    return result < 0 ? rt_wasi_errno_of(errno) : RT_WASI_ESUCCESS;
}

enum rt_wasi_errno rt_wasi_fd_filestat_set_size(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum =
        rt_wasi_descriptor_get(call->wasi, args[0].i32, RT_WASI_RIGHT_FD_FILESTAT_SET_SIZE, &descriptor);
    if (errnum)
        return errnum;
    int result = TEMP_FAILURE_RETRY(ftruncate(descriptor->host, (off_t)args[1].i64));
    return result < 0 ? rt_wasi_errno_of(errno) : RT_WASI_ESUCCESS;
}

enum rt_wasi_errno rt_wasi_fd_sync(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum =
        rt_wasi_descriptor_get(call->wasi, args[0].i32, RT_WASI_RIGHT_FD_SYNC, &descriptor);
    if (errnum)
        return errnum;
    return TEMP_FAILURE_RETRY(fsync(descriptor->host)) < 0 ? rt_wasi_errno_of(errno) : RT_WASI_ESUCCESS;
}

enum rt_wasi_errno rt_wasi_fd_datasync(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum =
        rt_wasi_descriptor_get(call->wasi, args[0].i32, RT_WASI_RIGHT_FD_DATASYNC, &descriptor);
    if (errnum)
        return errnum;
    return TEMP_FAILURE_RETRY(fdatasync(descriptor->host)) < 0 ? rt_wasi_errno_of(errno) : RT_WASI_ESUCCESS;
}

/* ---- What a file is ---- */

enum rt_wasi_errno rt_wasi_filestat_write(struct rt_wasi_call *call, uint32_t address,
                                          const struct stat *stat, enum rt_wasi_filetype type) {
    /* witx `filestat`; snapshot 0 counts links in 32 bits, so all that follows lies earlier. */
    static const struct layout {
        uint8_t device, inode, type, links, links_size, bytes, accessed, modified, changed, size;
    } layouts[2] = {
        {0, 8, 16, 24, 8, 32, 40, 48, 56, 64},
        {0, 8, 16, 20, 4, 24, 32, 40, 48, 56},
    };
    const struct layout *layout = &layouts[call->is_snapshot_0];
    uint8_t bytes[64] = {0};
    rt_wasi_store(bytes + layout->device, stat->st_dev, 8);
    rt_wasi_store(bytes + layout->inode, stat->st_ino, 8);
    rt_wasi_store(bytes + layout->type, type, 1);
    rt_wasi_store(bytes + layout->links, stat->st_nlink, layout->links_size);
    rt_wasi_store(bytes + layout->bytes, (uint64_t)stat->st_size, 8);
    rt_wasi_store(bytes + layout->accessed, rt_wasi_nanoseconds(stat->st_atim), 8);
    rt_wasi_store(bytes + layout->modified, rt_wasi_nanoseconds(stat->st_mtim), 8);
    rt_wasi_store(bytes + layout->changed, rt_wasi_nanoseconds(stat->st_ctim), 8);
    return rt_guest_write(call->caller, address, bytes, layout->size) ? RT_WASI_ESUCCESS : RT_WASI_EFAULT;
}

enum rt_wasi_errno rt_wasi_fd_filestat_get(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum =
        rt_wasi_descriptor_get(call->wasi, args[0].i32, RT_WASI_RIGHT_FD_FILESTAT_GET, &descriptor);
    if (errnum)
        return errnum;
    struct stat stat;
    if (fstat(descriptor->host, &stat) < 0)
        return rt_wasi_errno_of(errno);
    return rt_wasi_filestat_write(call, args[1].i32, &stat, descriptor->type);
}

enum rt_wasi_errno rt_wasi_times(uint64_t accessed, uint64_t modified, uint32_t flags,
                                 struct timespec ret[2]) {
    enum { SET = 1, NOW = 2, ACCESSED_SHIFT = 0, MODIFIED_SHIFT = 2, ALL = 15 }; /* witx `fstflags` */
    const uint64_t times[2] = {accessed, modified};
    static const unsigned shifts[2] = {ACCESSED_SHIFT, MODIFIED_SHIFT};
    if (flags & ~(uint32_t)ALL)
        return RT_WASI_EINVAL;
    for (int i = 0; i < 2; i++) {
        switch (flags >> shifts[i] & (SET | NOW)) {
        case 0: ret[i] = (struct timespec){0, UTIME_OMIT}; break;
        case SET:
            ret[i] = (struct timespec){(time_t)(times[i] / 1000000000u), (long)(times[i] % 1000000000u)};
            break;
        case NOW: ret[i] = (struct timespec){0, UTIME_NOW}; break;
        default: return RT_WASI_EINVAL;
        }
    }
    return RT_WASI_ESUCCESS;
}

enum rt_wasi_errno rt_wasi_fd_filestat_set_times(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum =
        rt_wasi_descriptor_get(call->wasi, args[0].i32, RT_WASI_RIGHT_FD_FILESTAT_SET_TIMES, &descriptor);
    struct timespec times[2];
    if (!errnum)
        errnum = rt_wasi_times(args[1].i64, args[2].i64, args[3].i32, times);
    if (errnum)
        return errnum;
    return futimens(descriptor->host, times) < 0 ? rt_wasi_errno_of(errno) : RT_WASI_ESUCCESS;
}

/* ---- Listing a folder ---- */

/* One record of getdents64(2). */
struct host_entry {
    uint64_t inode;
    int64_t next; /* the host's position behind it */
    uint16_t size;
    uint8_t type;
    char name[];
};
enum { HOST_ENTRY_NAME = offsetof(struct host_entry, name) };

/* Where a listing is put: as much of each record as fits. */
struct listing {
    uint32_t address, size, used;
};

static bool put(struct rt_wasi_call *call, struct listing *listing, const void *bytes, size_t size) {
    size_t left = listing->size - listing->used;
    size_t part = size < left ? size : left;
    if (!rt_guest_write(call->caller, listing->address + listing->used, bytes, part))
        return false;
    listing->used += (uint32_t)part;
    return true;
}

static bool put_entry(struct rt_wasi_call *call, struct listing *listing, const struct host_entry *entry,
                      uint64_t cookie, const char *name) {
    enum { NEXT = 0, INODE = 8, NAME_SIZE = 16, TYPE = 20, SIZE = 24 }; /* witx `dirent` */
    size_t name_size = strlen(name);
    uint8_t bytes[SIZE] = {0};
    rt_wasi_store(bytes + NEXT, cookie, 8);
    rt_wasi_store(bytes + INODE, entry->inode, 8);
    rt_wasi_store(bytes + NAME_SIZE, name_size, 4);
    rt_wasi_store(bytes + TYPE, rt_wasi_filetype_of((mode_t)entry->type << 12), 1); /* DTTOIF */
    return put(call, listing, bytes, SIZE) && put(call, listing, name, name_size);
}

/* Cookies count entries: the host's positions use all 64 bits, and wasi-libc's telldir has 32. The place of
 * the last call is kept, so that reading on costs nothing and entries that are removed meanwhile move no
 * others. */
enum rt_wasi_errno rt_wasi_fd_readdir(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi *wasi = call->wasi;
    struct listing listing = {args[1].i32, args[2].i32, 0};
    uint64_t cookie = args[3].i64;
    if (!rt_wasi_in_memory(call, listing.address, listing.size) || !rt_wasi_in_memory(call, args[4].i32, 4))
        return RT_WASI_EFAULT;
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum =
        rt_wasi_descriptor_get(wasi, args[0].i32, RT_WASI_RIGHT_FD_READDIR, &descriptor);
    if (errnum)
        return errnum;
    if (cookie > INT64_MAX)
        return RT_WASI_EINVAL;
    struct rt_wasi_place place = {0};
    if (descriptor->listed.index <= cookie)
        place = descriptor->listed;
    if (lseek(descriptor->host, (off_t)place.offset, SEEK_SET) < 0)
        return rt_wasi_errno_of(errno);
    while (listing.used < listing.size) {
        long got = syscall(SYS_getdents64, descriptor->host, wasi->buffer, (size_t)RT_WASI_BUFFER_SIZE);
        if (got < 0)
            return rt_wasi_errno_of(errno);
        if (got == 0)
            break;
        for (long at = 0; at < got && listing.used < listing.size;) {
            struct host_entry entry;
            memcpy(&entry, wasi->buffer + at, HOST_ENTRY_NAME);
            place = (struct rt_wasi_place){place.index + 1, entry.next};
            if (place.index > cookie && !put_entry(call, &listing, &entry, place.index,
                                                   (const char *)wasi->buffer + at + HOST_ENTRY_NAME))
                return RT_WASI_EFAULT;
            if (listing.used < listing.size)
                descriptor->listed = place;
            at += entry.size;
        }
    }
    return rt_wasi_write_u32(call, args[4].i32, listing.used);
}
