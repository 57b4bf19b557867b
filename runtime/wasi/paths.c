/* Functions that take a path. No path leaves the folder that it starts in: not by "..", not from "/", not
 * through a symbolic link, not by renaming a folder meanwhile.
 *
 * What openat2(2) can do is done on its descriptor, opened with RESOLVE_BENEATH. What names a directory entry
 * (create, remove, rename, link) opens the entry's folder that way; then the last component alone goes to the
 * *at system call, which does not follow it. */
#include "runtime/wasi/wasi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOOKUP_FOLLOW = 1 };                                                          /* witx `lookupflags` */
enum { OPEN_CREATE = 1, OPEN_DIRECTORY = 2, OPEN_EXCLUSIVE = 4, OPEN_TRUNCATE = 8 }; /* witx `oflags` */

int rt_wasi_open_beneath(int directory, const char *path, int flags, mode_t mode,
                         enum rt_wasi_errno *ret_errno) {
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    /* EAGAIN: something was renamed while ".." was resolved, and the kernel would not vouch for the result.
     */
    int host = -1;
    for (int attempts = 0; attempts < 64; attempts++) {
        host = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
        if (host >= 0 || (errno != EINTR && errno != EAGAIN))
            break;
    }
    if (host < 0)
        *ret_errno = errno == EXDEV ? RT_WASI_EPERM : rt_wasi_errno_of(errno);
    return host;
}

/* ---- Arguments ---- */

/* Whether the bytes are UTF-8 (Unicode, table 3-7), as witx has it of all strings. */
static bool is_utf8(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size;) {
        uint8_t lead = bytes[i++];
        if (lead < 0x80)
            continue;
        unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || more > size - i)
            return false;
        /* The second byte excludes overlong forms, surrogates and what is past U+10FFFF. */
        uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        for (; more; more--, i++, low = 0x80, high = 0xbf)
            if (bytes[i] < low || bytes[i] > high)
                return false;
    }
    return true;
}

/* Copies a path out of the guest's memory, which may change under a view. */
static enum rt_wasi_errno load_path(struct rt_wasi_call *call, uint32_t address, uint32_t size,
                                    char ret[PATH_MAX]) {
    if (!rt_wasi_in_memory(call, address, size))
        return RT_WASI_EFAULT;
    if (size >= PATH_MAX)
        return RT_WASI_ENAMETOOLONG;
    if (!rt_guest_read(call->caller, address, ret, size))
        return RT_WASI_EFAULT;
    ret[size] = 0;
    if (memchr(ret, 0, size))
        return RT_WASI_EINVAL;
    if (!is_utf8((const uint8_t *)ret, size))
        return RT_WASI_EILSEQ;
    return size ? RT_WASI_ESUCCESS : RT_WASI_ENOENT;
}

static enum rt_wasi_errno get_folder(struct rt_wasi_call *call, uint32_t fd, uint32_t rights,
                                     struct rt_wasi_descriptor **ret) {
    enum rt_wasi_errno errnum = rt_wasi_descriptor_get(call->wasi, fd, 0, ret);
    if (!errnum && (*ret)->type != RT_WASI_DIRECTORY)
        errnum = RT_WASI_ENOTDIR;
    return errnum ? errnum : rt_wasi_descriptor_get(call->wasi, fd, rights, ret);
}

/* Loads a path and opens what it names with O_PATH: for functions that work on a file in place. */
static int open_path(struct rt_wasi_call *call, uint32_t fd, uint32_t rights, uint32_t lookup,
                     uint32_t address, uint32_t size, enum rt_wasi_errno *ret_errno) {
    char path[PATH_MAX];
    struct rt_wasi_descriptor *folder;
    *ret_errno = load_path(call, address, size, path);
    if (!*ret_errno)
        *ret_errno = get_folder(call, fd, rights, &folder);
    if (!*ret_errno && (lookup & ~(uint32_t)LOOKUP_FOLLOW))
        *ret_errno = RT_WASI_EINVAL;
    if (*ret_errno)
        return -1;
    int follow = lookup & LOOKUP_FOLLOW ? 0 : O_NOFOLLOW;
    return rt_wasi_open_beneath(folder->host, path, O_PATH | follow, 0, ret_errno);
}

/* A directory entry: its folder's descriptor, and its name with what slashes followed it. */
struct entry {
    int folder;
    bool is_opened; /* `folder` is ours to close */
    const char *name;
    char path[PATH_MAX];
};

static enum rt_wasi_errno entry_open(struct rt_wasi_call *call, uint32_t fd, uint32_t rights,
                                     uint32_t address, uint32_t size, struct entry *ret) {
    struct rt_wasi_descriptor *folder;
    ret->is_opened = false;
    enum rt_wasi_errno errnum = load_path(call, address, size, ret->path);
    if (!errnum)
        errnum = get_folder(call, fd, rights, &folder);
    if (errnum)
        return errnum;
    if (ret->path[0] == '/')
        return RT_WASI_EPERM;

    size_t end = size;
    while (end && ret->path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start && ret->path[start - 1] != '/')
        start--;
    const char *parent = ret->path;
    ret->name = ret->path + start;
    if (end - start == 2 && memcmp(ret->name, "..", 2) == 0) {
        /* The parent's own entry is outside what was checked: name the folder by itself instead. */
        ret->name = ".";
    } else if (start == 0) {
        ret->folder = folder->host;
        return RT_WASI_ESUCCESS;
    } else {
        ret->path[start - 1] = 0;
    }
    ret->folder = rt_wasi_open_beneath(folder->host, parent, O_PATH | O_DIRECTORY, 0, &errnum);
    ret->is_opened = ret->folder >= 0;
    return ret->is_opened ? RT_WASI_ESUCCESS : errnum;
}

static void entry_close(struct entry *entry) {
    if (entry->is_opened)
        close(entry->folder);
}

/* ---- Opening ---- */

static int host_open_flags(uint32_t rights, uint32_t lookup, uint32_t oflags, uint32_t fdflags) {
    const uint32_t reading = RT_WASI_RIGHT_FD_READ | RT_WASI_RIGHT_FD_READDIR;
    const uint32_t writing =
        RT_WASI_RIGHT_FD_WRITE | RT_WASI_RIGHT_FD_ALLOCATE | RT_WASI_RIGHT_FD_FILESTAT_SET_SIZE;
    int flags = O_NOCTTY;
    if (rights & writing)
        flags |= rights & reading ? O_RDWR : O_WRONLY;
    if (!(lookup & LOOKUP_FOLLOW))
        flags |= O_NOFOLLOW;
    if (oflags & OPEN_CREATE)
        flags |= O_CREAT;
    if (oflags & OPEN_DIRECTORY)
        flags |= O_DIRECTORY;
    if (oflags & OPEN_EXCLUSIVE)
        flags |= O_EXCL;
    if (oflags & OPEN_TRUNCATE)
        flags |= O_TRUNC;
    if (fdflags & RT_WASI_FDFLAG_APPEND)
        flags |= O_APPEND;
    if (fdflags & RT_WASI_FDFLAG_NONBLOCK)
        flags |= O_NONBLOCK;
    if (fdflags & RT_WASI_FDFLAG_DSYNC)
        flags |= O_DSYNC;
    if (fdflags & (RT_WASI_FDFLAG_SYNC | RT_WASI_FDFLAG_RSYNC))
        flags |= O_SYNC;
    return flags;
}

enum rt_wasi_errno rt_wasi_path_open(struct rt_wasi_call *call, const union rt_value *args) {
    uint32_t lookup = args[1].i32, oflags = args[4].i32, fdflags = args[7].i32, result = args[8].i32;
    uint64_t base = args[5].i64, inheriting = args[6].i64;
    char path[PATH_MAX];
    if (!rt_wasi_in_memory(call, result, 4))
        return RT_WASI_EFAULT;
    enum rt_wasi_errno errnum = load_path(call, args[2].i32, args[3].i32, path);
    uint32_t needed = RT_WASI_RIGHT_PATH_OPEN;
    if (oflags & OPEN_CREATE)
        needed |= RT_WASI_RIGHT_PATH_CREATE_FILE;
    if (oflags & OPEN_TRUNCATE)
        needed |= RT_WASI_RIGHT_PATH_FILESTAT_SET_SIZE;
    struct rt_wasi_descriptor *folder;
    if (!errnum)
        errnum = get_folder(call, args[0].i32, needed, &folder);
    if (errnum)
        return errnum;
    if ((lookup & ~(uint32_t)LOOKUP_FOLLOW) ||
        (oflags & ~(uint32_t)(OPEN_CREATE | OPEN_DIRECTORY | OPEN_EXCLUSIVE | OPEN_TRUNCATE)) ||
        (fdflags & ~(uint32_t)RT_WASI_FDFLAGS_ALL))
        return RT_WASI_EINVAL;
    /* No folder can be made this way, and some kernels make a file of that name before they refuse. */
    if ((oflags & OPEN_CREATE) && (oflags & OPEN_DIRECTORY))
        return RT_WASI_EINVAL;
    /* Rights that nothing below a folder has are dropped in silence, as witx allows. */
    const uint32_t sockets = RT_WASI_RIGHT_SOCK_SHUTDOWN | RT_WASI_RIGHT_SOCK_ACCEPT;
    base &= RT_WASI_RIGHTS_ALL & ~sockets;
    if (base & ~(uint64_t)folder->inheriting)
        return RT_WASI_ENOTCAPABLE;
    inheriting &= folder->inheriting;

    int host = rt_wasi_open_beneath(folder->host, path,
                                    host_open_flags((uint32_t)base, lookup, oflags, fdflags), 0666, &errnum);
    if (host < 0)
        return errnum;
    struct rt_wasi_descriptor opened = {0};
    uint32_t fd;
    if (rt_wasi_descriptor_describe(host, &opened)) {
        opened.flags = (uint16_t)fdflags;
        opened.base &= (uint32_t)base;
        opened.inheriting &= (uint32_t)inheriting;
        errnum = rt_wasi_descriptor_add(call->wasi, &opened, &fd);
    } else {
        errnum = rt_wasi_errno_of(errno);
    }
    if (errnum) {
        close(host);
        return errnum;
    }
    return rt_wasi_write_u32(call, result, fd);
}

/* ---- What a path names ---- */

enum rt_wasi_errno rt_wasi_path_filestat_get(struct rt_wasi_call *call, const union rt_value *args) {
    enum rt_wasi_errno errnum;
    int host = open_path(call, args[0].i32, RT_WASI_RIGHT_PATH_FILESTAT_GET, args[1].i32, args[2].i32,
                         args[3].i32, &errnum);
    if (host < 0)
        return errnum;
    struct stat stat;
    errnum = fstat(host, &stat) < 0
                 ? rt_wasi_errno_of(errno)
                 : rt_wasi_filestat_write(call, args[4].i32, &stat, rt_wasi_filetype_of(stat.st_mode));
    close(host);
    return errnum;
}

enum rt_wasi_errno rt_wasi_path_filestat_set_times(struct rt_wasi_call *call, const union rt_value *args) {
    struct timespec times[2];
    enum rt_wasi_errno errnum = rt_wasi_times(args[4].i64, args[5].i64, args[6].i32, times);
    if (errnum)
        return errnum;
    int host = open_path(call, args[0].i32, RT_WASI_RIGHT_PATH_FILESTAT_SET_TIMES, args[1].i32, args[2].i32,
                         args[3].i32, &errnum);
    if (host < 0)
        return errnum;
    if (utimensat(host, "", times, AT_EMPTY_PATH) < 0)
        errnum = rt_wasi_errno_of(errno);
    close(host);
    return errnum;
}

enum rt_wasi_errno rt_wasi_path_readlink(struct rt_wasi_call *call, const union rt_value *args) {
    uint32_t buffer = args[3].i32, size = args[4].i32, result = args[5].i32;
    if (!rt_wasi_in_memory(call, buffer, size) || !rt_wasi_in_memory(call, result, 4))
        return RT_WASI_EFAULT;
    enum rt_wasi_errno errnum;
    int host =
        open_path(call, args[0].i32, RT_WASI_RIGHT_PATH_READLINK, 0, args[1].i32, args[2].i32, &errnum);
    if (host < 0)
        return errnum;
    struct stat stat;
    ssize_t got = 0;
    /* With an empty path readlinkat answers ENOENT for what is no link. */
    if (fstat(host, &stat) < 0)
        errnum = rt_wasi_errno_of(errno);
    else if (!S_ISLNK(stat.st_mode))
        errnum = RT_WASI_EINVAL;
    else if ((got = readlinkat(host, "", (char *)call->wasi->buffer, RT_WASI_BUFFER_SIZE)) < 0)
        errnum = rt_wasi_errno_of(errno);
    close(host);
    if (errnum)
        return errnum;
    uint32_t part = (size_t)got < size ? (uint32_t)got : size;
    if (!rt_guest_write(call->caller, buffer, call->wasi->buffer, part))
        return RT_WASI_EFAULT;
    return rt_wasi_write_u32(call, result, part);
}

/* ---- Directory entries ---- */

enum rt_wasi_errno rt_wasi_path_create_directory(struct rt_wasi_call *call, const union rt_value *args) {
    struct entry entry;
    enum rt_wasi_errno errnum =
        entry_open(call, args[0].i32, RT_WASI_RIGHT_PATH_CREATE_DIRECTORY, args[1].i32, args[2].i32, &entry);
    if (errnum)
        return errnum;
    if (mkdirat(entry.folder, entry.name, 0777) < 0)
        errnum = rt_wasi_errno_of(errno);
    entry_close(&entry);
    return errnum;
}

static enum rt_wasi_errno remove_entry(struct rt_wasi_call *call, const union rt_value *args, uint32_t rights,
                                       int flags) {
    struct entry entry;
    enum rt_wasi_errno errnum = entry_open(call, args[0].i32, rights, args[1].i32, args[2].i32, &entry);
    if (errnum)
        return errnum;
    if (unlinkat(entry.folder, entry.name, flags) < 0)
        errnum = rt_wasi_errno_of(errno);
    entry_close(&entry);
    return errnum;
}

enum rt_wasi_errno rt_wasi_path_remove_directory(struct rt_wasi_call *call, const union rt_value *args) {
    return remove_entry(call, args, RT_WASI_RIGHT_PATH_REMOVE_DIRECTORY, AT_REMOVEDIR);
}

enum rt_wasi_errno rt_wasi_path_unlink_file(struct rt_wasi_call *call, const union rt_value *args) {
    return remove_entry(call, args, RT_WASI_RIGHT_PATH_UNLINK_FILE, 0);
}

enum rt_wasi_errno rt_wasi_path_rename(struct rt_wasi_call *call, const union rt_value *args) {
    struct entry from, to;
    enum rt_wasi_errno errnum =
        entry_open(call, args[0].i32, RT_WASI_RIGHT_PATH_RENAME_SOURCE, args[1].i32, args[2].i32, &from);
    if (errnum)
        return errnum;
    errnum = entry_open(call, args[3].i32, RT_WASI_RIGHT_PATH_RENAME_TARGET, args[4].i32, args[5].i32, &to);
    if (!errnum) {
        if (renameat(from.folder, from.name, to.folder, to.name) < 0)
            errnum = rt_wasi_errno_of(errno);
        entry_close(&to);
    }
    entry_close(&from);
    return errnum;
}

enum rt_wasi_errno rt_wasi_path_symlink(struct rt_wasi_call *call, const union rt_value *args) {
    char target[PATH_MAX];
    enum rt_wasi_errno errnum = load_path(call, args[0].i32, args[1].i32, target);
    if (errnum)
        return errnum;
    struct entry entry;
    errnum = entry_open(call, args[2].i32, RT_WASI_RIGHT_PATH_SYMLINK, args[3].i32, args[4].i32, &entry);
    if (errnum)
        return errnum;
    /* The guest itself could never follow one that starts at the host's root; a host program would. */
    if (target[0] == '/')
        errnum = RT_WASI_EPERM;
    else if (symlinkat(target, entry.folder, entry.name) < 0)
        errnum = rt_wasi_errno_of(errno);
    entry_close(&entry);
    return errnum;
}

/* The source of a hard link whose last component may have to be resolved: opened beneath the folder first,
 * then linked by its descriptor (which linkat allows an unprivileged process only by way of /proc). */
static enum rt_wasi_errno link_resolved(struct rt_wasi_call *call, const union rt_value *args,
                                        const struct entry *to) {
    enum rt_wasi_errno errnum;
    int host = open_path(call, args[0].i32, RT_WASI_RIGHT_PATH_LINK_SOURCE, args[1].i32, args[2].i32,
                         args[3].i32, &errnum);
    if (host < 0)
        return errnum;
    char source[32];
    snprintf(source, sizeof source, "/proc/self/fd/%d", host);
    if (linkat(AT_FDCWD, source, to->folder, to->name, AT_SYMLINK_FOLLOW) < 0)
        errnum = rt_wasi_errno_of(errno);
    close(host);
    return errnum;
}

enum rt_wasi_errno rt_wasi_path_link(struct rt_wasi_call *call, const union rt_value *args) {
    struct entry from, to;
    enum rt_wasi_errno errnum =
        entry_open(call, args[0].i32, RT_WASI_RIGHT_PATH_LINK_SOURCE, args[2].i32, args[3].i32, &from);
    if (errnum)
        return errnum;
    errnum = entry_open(call, args[4].i32, RT_WASI_RIGHT_PATH_LINK_TARGET, args[5].i32, args[6].i32, &to);
    if (!errnum) {
        /* linkat follows a link with a slash after it, wherever it leads. */
        if (args[1].i32 || from.name[strlen(from.name) - 1] == '/')
            errnum = link_resolved(call, args, &to);
        else if (linkat(from.folder, from.name, to.folder, to.name, 0) < 0)
            errnum = rt_wasi_errno_of(errno);
        entry_close(&to);
    }
    entry_close(&from);
    return errnum;
}
