/* What was in a recorded program's folders when it began, as far as its calls tell: what it opened, listed,
 * asked about, removed or renamed was there unless it had made it; and what it read was in a file unless it
 * had written to that. Paths are taken as text: what is reached through a symbolic link is not seen as what
 * it is. */
#include "harness/export.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { UNKNOWN, FOLDER, FILE_OF_BYTES, LINK };
enum { TYPE_FOLDER = 3, TYPE_FILE = 4, TYPE_LINK = 7 };                         /* witx `filetype` */
enum { OFLAG_CREAT = 1, OFLAG_DIRECTORY = 2, OFLAG_EXCL = 4, OFLAG_TRUNC = 8 }; /* witx `oflags` */
enum { FDFLAG_APPEND = 1 };                                                     /* witx `fdflags` */
enum { MOST_NAMES = 20000 };

struct piece { /* of a file's first contents */
    uint64_t offset;
    const uint8_t *bytes;
    uint32_t size;
    struct piece *next;
};

struct node {
    const char *path; /* when the program began: beneath its folder, "" that itself */
    size_t preopen;
    enum kind kind;
    bool was_there;
    bool is_made;     /* by the program */
    bool is_doubtful; /* path_open may have made it */
    uint64_t changed; /* from here on, what is read in it may be the program's */
    uint64_t size;
    struct piece *pieces;
    const char *target; /* of a link */
    struct node *next;
};

struct name { /* as of now */
    size_t preopen;
    const char *path;
    struct node *node; /* NULL: nothing is there */
    struct name *next;
};

struct open_file {
    uint64_t fd;
    size_t preopen;
    struct node *node;
    uint64_t offset;
    bool appends;
    struct open_file *next;
};

struct files {
    struct rt_arena arena;
    struct node *nodes;
    struct name *names;
    struct open_file *open;
    size_t name_count;
    bool has_failed; /* no more memory */
};

static void *make(struct files *files, size_t size) {
    void *made = rt_arena_alloc(&files->arena, size);
    files->has_failed |= !made;
    return made;
}

/* ---- Names ---- */

/* A path beneath another, without ".", ".." and doubled slashes. NULL for one that leads out, or has a zero.
 */
static const char *join(struct files *files, const char *base, const uint8_t *path, size_t size) {
    const size_t start = strlen(base);
    char *joined = rt_arena_array(&files->arena, start + size + 2, 1);
    size_t length = start;

    files->has_failed |= !joined;
    if (!joined || memchr(path, 0, size) || (size && path[0] == '/'))
        return NULL;
    memcpy(joined, base, start);
    for (size_t at = 0; at < size;) {
        const uint8_t *slash = memchr(path + at, '/', size - at);
        const size_t part = slash ? (size_t)(slash - path) - at : size - at;
        if (part == 2 && memcmp(path + at, "..", 2) == 0) {
            if (!length)
                return NULL;
            while (length && joined[length - 1] != '/')
                length--;
            length -= length > 0;
        } else if (part && !(part == 1 && path[at] == '.')) {
            if (length)
                joined[length++] = '/';
            memcpy(joined + length, path + at, part);
            length += part;
        }
        at += part + 1;
    }
    joined[length] = '\0';
    return joined;
}

static struct name *find_name(const struct files *files, size_t preopen, const char *path, size_t length) {
    for (struct name *name = files->names; name; name = name->next)
        if (name->preopen == preopen && strlen(name->path) == length && memcmp(name->path, path, length) == 0)
            return name;
    return NULL;
}

static struct node *add_node(struct files *files, size_t preopen, const char *path) {
    struct node *node = make(files, sizeof *node);
    if (!node)
        return NULL;
    *node = (struct node){.path = path, .preopen = preopen, .changed = UINT64_MAX, .next = files->nodes};
    return files->nodes = node;
}

/* The name of a path; a new one is of something that may have been there, unless it is in what was made
 * since. */
static struct name *name_at(struct files *files, size_t preopen, const char *path) {
    struct name *name = path ? find_name(files, preopen, path, strlen(path)) : NULL;
    bool is_made = false;

    if (name || !path || files->name_count == MOST_NAMES)
        return name;
    for (const char *slash = strchr(path, '/'); slash && !is_made; slash = strchr(slash + 1, '/')) {
        const struct name *parent = find_name(files, preopen, path, (size_t)(slash - path));
        is_made = parent && (!parent->node || parent->node->is_made || parent->node->path != parent->path);
    }
    name = make(files, sizeof *name);
    if (!name)
        return NULL;
    *name = (struct name){preopen, path, add_node(files, preopen, path), files->names};
    if (!name->node)
        return NULL;
    name->node->is_made = is_made;
    files->names = name;
    files->name_count++;
    return name;
}

static void seen(struct node *node, enum kind kind) {
    if (!node || node->is_made || node->is_doubtful)
        return;
    node->was_there = true;
    if (kind != UNKNOWN)
        node->kind = kind;
}

/* Puts something else at a name: what the program made, or nothing. */
static void replace(struct name *name, struct node *node) {
    if (name)
        name->node = node;
}

static struct node *made_node(struct files *files, size_t preopen) {
    struct node *node = add_node(files, preopen, "");
    if (node)
        *node = (struct node){.path = "", .preopen = preopen, .is_made = true, .next = node->next};
    return node;
}

/* ---- Descriptors ---- */

static struct open_file *find_open(const struct files *files, uint64_t fd) {
    for (struct open_file *open = files->open; open; open = open->next)
        if (open->fd == fd && open->node)
            return open;
    return NULL;
}

static void add_open(struct files *files, uint64_t fd, size_t preopen, struct node *node) {
    struct open_file *open = make(files, sizeof *open);
    if (!open)
        return;
    *open = (struct open_file){fd, preopen, node, 0, false, files->open};
    files->open = open;
}

/* The name that the path arguments of a call mean: a descriptor, and the parameter that points to the path.
 */
static struct name *name_of(struct files *files, const struct hx_export_call *call, uint32_t fd,
                            uint32_t path) {
    const struct hx_export_region *region = hx_export_region(call, path, 0);
    const struct open_file *folder = find_open(files, call->args[fd]);

    if (!folder || !region || !region->before)
        return NULL;
    for (const struct name *name = files->names; name; name = name->next)
        if (name->node == folder->node)
            return name_at(files, folder->preopen, join(files, name->path, region->before, region->size));
    return NULL;
}

/* ---- What calls tell ---- */

static uint64_t result(const struct hx_export_call *call, uint32_t parameter, uint32_t offset,
                       uint32_t size) {
    return hx_export_load(hx_export_region(call, parameter, 0)->after + offset, size);
}

/* The program writes there. Behind what is known of the file, it may have made a hole that reads as zeros. */
static void changed(struct node *node, uint64_t offset) {
    const uint64_t from = offset < node->size ? offset : node->size;
    node->changed = from < node->changed ? from : node->changed;
}

static void opened(struct files *files, const struct hx_export_call *call) {
    struct name *name = name_of(files, call, 0, 2);
    const uint64_t flags = call->args[4];

    if (!name)
        return;
    if (!name->node || ((flags & OFLAG_CREAT) && (flags & OFLAG_EXCL)))
        replace(name, made_node(files, name->preopen));
    else if (!(flags & OFLAG_CREAT))
        seen(name->node, flags & OFLAG_DIRECTORY ? FOLDER : UNKNOWN);
    else
        name->node->is_doubtful |= !name->node->was_there;
    if (!name->node)
        return;
    if (flags & OFLAG_TRUNC)
        changed(name->node, 0);
    add_open(files, result(call, 8, 0, 4), name->preopen, name->node);
    if (files->open)
        files->open->appends = call->args[7] & FDFLAG_APPEND;
}

static void read_bytes(struct files *files, const struct hx_export_call *call, bool has_offset) {
    struct open_file *open = find_open(files, call->args[0]);
    uint64_t offset;

    if (!open)
        return;
    offset = has_offset ? call->args[3] : open->offset;
    for (size_t i = 0; i < call->region_count; i++) {
        const struct hx_export_region *region = &call->regions[i];
        if (!region->item || !region->written)
            continue;
        const uint64_t left = open->node->changed > offset ? open->node->changed - offset : 0;
        const uint32_t size = left < region->written ? (uint32_t)left : region->written;
        struct piece *piece = size ? make(files, sizeof *piece) : NULL;
        if (piece) {
            *piece = (struct piece){offset, region->after, size, open->node->pieces};
            open->node->pieces = piece;
            open->node->is_doubtful = false;
            seen(open->node, FILE_OF_BYTES);
            if (offset + size > open->node->size)
                open->node->size = offset + size;
        }
        offset += region->written;
    }
    if (!has_offset)
        open->offset = offset;
}

/* Seeking from the end tells the size. */
static void seeked(struct open_file *open, const struct hx_export_call *call) {
    enum { WHENCE_END = 2 }; /* witx `whence` */
    const uint64_t size = result(call, 3, 0, 8) - call->args[1];

    open->offset = result(call, 3, 0, 8);
    if (call->args[2] != WHENCE_END || open->node->changed != UINT64_MAX || size <= open->node->size)
        return;
    open->node->size = size;
    open->node->is_doubtful = false;
    seen(open->node, FILE_OF_BYTES);
}

static void stat_node(struct node *node, const struct hx_export_call *call, uint32_t parameter) {
    enum { TYPE = 16, SIZE = 32 }; /* witx `filestat` */
    const uint64_t type = result(call, parameter, TYPE, 1), size = result(call, parameter, SIZE, 8);

    if (!node || node->is_made || node->changed != UINT64_MAX)
        return;
    if (size > 0) /* and nothing was written */
        node->is_doubtful = false;
    seen(node, type == TYPE_FOLDER ? FOLDER : type == TYPE_LINK ? LINK : FILE_OF_BYTES);
    if (type != TYPE_FOLDER && size > node->size)
        node->size = size;
}

static void listed(struct files *files, const struct hx_export *export, size_t number) {
    const struct hx_export_call *call = &export->calls[number];
    const struct open_file *folder = find_open(files, call->args[0]);
    struct hx_export_listing list;

    if (!folder || call->args[3] != 0)
        return;
    seen(folder->node, FOLDER);
    hx_export_list(export, number, &list);
    for (const struct name *name = files->names; name; name = name->next) {
        if (name->node != folder->node)
            continue;
        const uint8_t *entry = (const uint8_t *)list.entries.bytes;
        for (size_t i = 0; i < list.count; i++) {
            const size_t size = (size_t)hx_export_load(entry + 1, 2);
            const char *path = join(files, name->path, entry + 3, size);
            const bool is_new = path && !find_name(files, folder->preopen, path, strlen(path));
            const struct name *child = name_at(files, folder->preopen, path);
            if (child && is_new)
                seen(child->node, entry[0] == TYPE_FOLDER ? FOLDER
                                  : entry[0] == TYPE_LINK ? LINK
                                                          : FILE_OF_BYTES);
            entry += 3 + size;
        }
        break;
    }
    hx_buffer_clear(&list.entries);
}

static void read_link(struct files *files, const struct hx_export_call *call) {
    const struct name *name = name_of(files, call, 0, 1);
    const struct hx_export_region *target = hx_export_region(call, 3, 0);

    if (!name || !name->node || name->node->is_made || !target->after)
        return;
    seen(name->node, LINK);
    name->node->target = rt_arena_copy(&files->arena, target->after, target->written);
    files->has_failed |= !name->node->target;
}

/* What is in a renamed folder has other names as well. */
static void renamed(struct files *files, struct name *from, struct name *to) {
    if (!from || !to || from == to)
        return;
    seen(from->node, UNKNOWN);
    const size_t length = strlen(from->path);
    for (struct name *name = files->names; name; name = name->next) {
        if (name->preopen != from->preopen || strncmp(name->path, from->path, length) != 0 ||
            name->path[length] != '/' || !name->node)
            continue;
        const char *path = name->path + length + 1;
        const char *joined = join(files, to->path, (const uint8_t *)path, strlen(path));
        struct name *moved = name_at(files, to->preopen, joined);
        replace(moved, name->node);
        replace(name, NULL);
    }
    replace(to, from->node);
    replace(from, NULL);
}

static void removed(struct files *files, const struct hx_export_call *call, enum kind kind) {
    struct name *name = name_of(files, call, 0, 1);
    if (!name)
        return;
    if (name->node && name->node->kind == UNKNOWN)
        seen(name->node, kind);
    seen(name->node, UNKNOWN);
    replace(name, NULL);
}

static void renumber(struct files *files, uint64_t from, uint64_t to) {
    struct open_file *old = find_open(files, from), *new = find_open(files, to);
    if (from == to)
        return;
    if (new)
        new->node = NULL;
    if (old)
        old->fd = to;
}

static void take_call(struct files *files, const struct hx_export *export, size_t number) {
    const struct hx_export_call *call = &export->calls[number];
    struct open_file *open = find_open(files, call->args[0]);
    struct name *name;

    switch (call->number) {
    case HX_EXPORT_path_open: opened(files, call); break;
    case HX_EXPORT_fd_read: read_bytes(files, call, false); break;
    case HX_EXPORT_fd_pread: read_bytes(files, call, true); break;
    case HX_EXPORT_fd_seek:
        if (open)
            seeked(open, call);
        break;
    case HX_EXPORT_fd_write:
        if (!open)
            break;
        changed(open->node, open->appends ? open->node->size : open->offset);
        open->offset += result(call, 3, 0, 4);
        break;
    case HX_EXPORT_fd_pwrite:
        if (open)
            changed(open->node, open->appends ? open->node->size : call->args[3]);
        break;
    case HX_EXPORT_fd_allocate:
        if (open)
            changed(open->node, open->node->size);
        break;
    case HX_EXPORT_fd_filestat_set_size:
        if (open)
            changed(open->node, call->args[1]);
        break;
    case HX_EXPORT_fd_fdstat_set_flags:
        if (open)
            open->appends = call->args[1] & FDFLAG_APPEND;
        break;
    case HX_EXPORT_fd_filestat_get: stat_node(open ? open->node : NULL, call, 1); break;
    case HX_EXPORT_path_filestat_get:
        name = name_of(files, call, 0, 2);
        stat_node(name ? name->node : NULL, call, 4);
        break;
    case HX_EXPORT_path_filestat_set_times:
        name = name_of(files, call, 0, 2);
        seen(name ? name->node : NULL, UNKNOWN);
        break;
    case HX_EXPORT_fd_readdir: listed(files, export, number); break;
    case HX_EXPORT_path_readlink: read_link(files, call); break;
    case HX_EXPORT_path_unlink_file: removed(files, call, FILE_OF_BYTES); break;
    case HX_EXPORT_path_remove_directory: removed(files, call, FOLDER); break;
    case HX_EXPORT_path_rename:
        name = name_of(files, call, 0, 1);
        renamed(files, name, name_of(files, call, 3, 4));
        break;
    case HX_EXPORT_path_link:
        name = name_of(files, call, 0, 2);
        seen(name ? name->node : NULL, UNKNOWN);
        replace(name_of(files, call, 4, 5), name ? name->node : NULL);
        break;
    case HX_EXPORT_path_create_directory:
        name = name_of(files, call, 0, 1);
        replace(name, name ? made_node(files, name->preopen) : NULL);
        break;
    case HX_EXPORT_path_symlink:
        name = name_of(files, call, 2, 3);
        replace(name, name ? made_node(files, name->preopen) : NULL);
        break;
    case HX_EXPORT_fd_close:
        if (open)
            open->node = NULL;
        break;
    case HX_EXPORT_fd_renumber: renumber(files, call->args[0], call->args[1]); break;
    default: break;
    }
}

/* What a failure tells. */
static void take_failure(struct files *files, const struct hx_export_call *call) {
    enum { SYMLINK_FOLLOW = 1 }; /* witx `lookupflags` */
    const struct name *name;

    if (call->end != HX_EXPORT_RETURNED)
        return;
    if (call->number == HX_EXPORT_path_open && call->errnum == HX_EXPORT_ELOOP) {
        name = name_of(files, call, 0, 2);
        if (!name || !name->node || name->node->is_made)
            return;
        seen(name->node, LINK);
        if (call->args[1] & SYMLINK_FOLLOW) { /* to itself, for one */
            const char *slash = strrchr(name->path, '/');
            name->node->target = slash ? slash + 1 : name->path;
        }
    } else if (call->errnum == HX_EXPORT_ENOENT) {
        /* Of calls that do not follow a link. What comes there later is the program's. */
        const bool is_path_third = call->number == HX_EXPORT_path_filestat_get;
        if (call->number != HX_EXPORT_path_unlink_file && call->number != HX_EXPORT_path_remove_directory &&
            call->number != HX_EXPORT_path_readlink && !(is_path_third && call->args[1] == 0))
            return;
        name = name_of(files, call, 0, is_path_third ? 2 : 1);
        if (name && name->node && !name->node->was_there)
            name->node->is_made = true;
    } else if (call->number == HX_EXPORT_path_create_directory && call->errnum == HX_EXPORT_EEXIST) {
        name = name_of(files, call, 0, 1);
        seen(name ? name->node : NULL, UNKNOWN);
    }
}

/* ---- Making them ---- */

/* A link that was never read has a target of the size that it had. */
static struct rt_error *make_link(const char *path, const struct node *node) {
    char target[PATH_MAX] = "x";
    const size_t size = node->size < sizeof target ? (size_t)node->size : 0;

    memset(target, 'x', size);
    if (node->target && *node->target)
        snprintf(target, sizeof target, "%s", node->target);
    if (symlink(target, path) == 0 || errno == EEXIST || errno == ENOTDIR || errno == ENAMETOOLONG)
        return NULL;
    return rt_error_os(errno, "cannot make the link %s", path);
}

/* The folders that a path is in. What is there already is left alone, here and below. */
static void make_parents(char *path, size_t root) {
    for (char *slash = strchr(path + root, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
}

static struct rt_error *make_file(const char *path, const struct node *node) {
    const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool failed = file < 0 && errno != EEXIST && errno != ENOTDIR && errno != ENAMETOOLONG;

    if (file >= 0) {
        failed = ftruncate(file, (off_t)node->size) != 0;
        for (const struct piece *piece = node->pieces; piece && !failed; piece = piece->next)
            failed = pwrite(file, piece->bytes, piece->size, (off_t)piece->offset) != (ssize_t)piece->size;
    }
    struct rt_error *error = failed ? rt_error_os(errno, "cannot make %s", path) : NULL;
    if (file >= 0)
        close(file);
    return error;
}

/* Links come last, so that nothing is made through one. */
static struct rt_error *make_all(const struct files *files, size_t preopen, const char *folder) {
    static const enum kind order[] = {FOLDER, FILE_OF_BYTES, LINK};
    struct rt_error *error = NULL;
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        for (const struct node *node = files->nodes; node && !error; node = node->next) {
            const enum kind kind = node->kind == UNKNOWN ? FILE_OF_BYTES : node->kind;
            if (!node->was_there || node->preopen != preopen || !*node->path ||
                (size_t)snprintf(path, sizeof path, "%s/%s", folder, node->path) >= sizeof path)
                continue;
            if (order[i] == FOLDER)
                make_parents(path, strlen(folder) + 1);
            if (kind != order[i])
                continue;
            if (kind == FOLDER)
                mkdir(path, 0755);
            else if (kind == FILE_OF_BYTES)
                error = make_file(path, node);
            else
                error = make_link(path, node);
        }
    }
    return error;
}

struct rt_error *hx_export_make_files(const struct hx_export *export, size_t preopen, const char *folder) {
    struct files files = {0};
    struct rt_error *error;

    rt_arena_init(&files.arena, 0);
    for (size_t i = 0; i < export->preopen_count; i++) {
        const struct name *name = name_at(&files, i, "");
        if (name)
            add_open(&files, export->preopens[i].fd, i, name->node);
    }
    for (size_t i = 0; i < export->call_count && !files.has_failed; i++)
        if (hx_export_succeeded(&export->calls[i]))
            take_call(&files, export, i);
        else
            take_failure(&files, &export->calls[i]);
    error = files.has_failed ? rt_error_out_of_memory() : make_all(&files, preopen, folder);
    rt_arena_clear(&files.arena);
    return error;
}
