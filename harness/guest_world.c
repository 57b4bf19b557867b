/* Making and taking away what a guest's run has: a seed's setup, or copies of folders. */
#include "harness/guest_world.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_COPIED = 1 << 30 };

static const struct {
    const char *host, *guest;
} folders[] = {{HX_GUEST_ROOT, "/"}, {HX_GUEST_EXTRA, "/extra"}};
enum { FOLDERS = sizeof folders / sizeof *folders };

static struct rt_error *begin(size_t dir_count, struct hx_guest_world *ret) {
    *ret = (struct hx_guest_world){.dir_count = dir_count};
    rt_arena_init(&ret->arena, 0);
    ret->dirs = rt_arena_array(&ret->arena, dir_count, sizeof *ret->dirs);
    return ret->dirs ? NULL : rt_error_out_of_memory();
}

void hx_guest_world_close(struct hx_guest_world *world) {
    if (world->has_input)
        close(world->input_fd);
    hx_temp_remove(&world->own);
    rt_arena_clear(&world->arena);
    *world = (struct hx_guest_world){.has_input = false};
}

/* ---- A setup ---- */

static struct rt_error *find(const char *folder, struct hx_guest_world *world) {
    char input[PATH_MAX];

    for (size_t i = 0; i < FOLDERS; i++) {
        world->dirs[i] = (struct rt_wasi_dir){
            rt_arena_printf(&world->arena, "%s/%s", folder, folders[i].host), folders[i].guest};
        if (!world->dirs[i].host)
            return rt_error_out_of_memory();
    }
    snprintf(input, sizeof input, "%s/" HX_GUEST_INPUT, folder);
    world->input_fd = open(input, O_RDONLY | O_CLOEXEC);
    world->has_input = world->input_fd >= 0;
    return world->has_input ? NULL : rt_error_os(errno, "cannot open the guest's input %s", input);
}

struct rt_error *hx_guest_world_open(const char *folder, struct hx_guest_world *ret) {
    struct rt_error *error = begin(FOLDERS, ret);

    if (!error)
        error = find(folder, ret);
    if (error)
        hx_guest_world_close(ret);
    return error;
}

struct rt_error *hx_guest_world_make(const struct hx_guest_setup *setup, const struct hx_temp *parent,
                                     const char *name, struct hx_guest_world *ret) {
    struct rt_error *error = begin(FOLDERS, ret);

    if (!error)
        error = hx_temp_folder(parent, name, &ret->own);
    if (!error)
        error = hx_guest_setup_make(setup, ret->own.path);
    if (!error)
        error = find(ret->own.path, ret);
    if (error)
        hx_guest_world_close(ret);
    return error;
}

/* ---- Copies ---- */

/* Copies a file's bytes; a hole becomes zeros. */
static bool copy_bytes(const char *from, const char *to, mode_t mode) {
    static char bytes[1 << 16];
    const int source = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode | S_IRUSR | S_IWUSR);
    ssize_t got = -1, put = 0;

    while (source >= 0 && target >= 0 && put >= 0 && (got = read(source, bytes, sizeof bytes)) > 0)
        for (ssize_t at = 0; at < got && put >= 0; at += put)
            put = write(target, bytes + at, (size_t)(got - at));
    const bool good = got == 0 && put >= 0;
    const int why = errno;
    if (source >= 0)
        close(source);
    if (target >= 0)
        close(target);
    errno = why;
    return good;
}

static bool copy_link(const char *from, const char *to) {
    char target[PATH_MAX];
    const ssize_t size = readlink(from, target, sizeof target - 1);

    if (size < 0)
        return false;
    target[size] = 0;
    return symlink(target, to) == 0;
}

/* One entry of the walk, to the same place below `to`. A folder's times change with what is made in it, so
 * they are set when it is left. */
static struct rt_error *copy_entry(const FTSENT *entry, size_t from_length, const char *to,
                                   uint64_t *copied) {
    char path[PATH_MAX];
    bool good = true;

    snprintf(path, sizeof path, "%s%s", to, entry->fts_path + from_length);
    switch (entry->fts_info) {
    case FTS_D: good = mkdir(path, (entry->fts_statp->st_mode & 0777) | 0700) == 0; break;
    case FTS_SL:
    case FTS_SLNONE: good = copy_link(entry->fts_path, path); break;
    case FTS_F:
        *copied += (uint64_t)entry->fts_statp->st_size;
        if (*copied > MOST_COPIED)
            return rt_error_format(RT_USAGE, "there is more than a gigabyte in it, too much to copy");
        good = copy_bytes(entry->fts_path, path, entry->fts_statp->st_mode & 0777);
        break;
    case FTS_DP: break;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS: return rt_error_os(entry->fts_errno, "cannot read %s", entry->fts_path);
    default: return NULL;
    }
    const struct timespec times[2] = {entry->fts_statp->st_atim, entry->fts_statp->st_mtim};
    if (good && entry->fts_info != FTS_D)
        good = utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0;
    return good ? NULL : rt_error_os(errno, "cannot copy %s to %s", entry->fts_path, path);
}

struct rt_error *hx_folder_copy(const char *from, const char *to, uint64_t *copied) {
    char real[PATH_MAX];
    char *const roots[] = {realpath(from, real), NULL};
    FTS *walk = roots[0] ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
    struct rt_error *error = walk ? NULL : rt_error_os(errno, "cannot open it");

    errno = 0;
    for (FTSENT *entry; !error && (entry = fts_read(walk));)
        error = copy_entry(entry, strlen(real), to, copied);
    if (walk)
        fts_close(walk);
    return error ? rt_error_context(error, "the folder %s", from) : NULL;
}

struct rt_error *hx_guest_world_copy(const struct rt_wasi_dir *dirs, size_t count,
                                     const struct hx_temp *parent, const char *name,
                                     struct hx_guest_world *ret) {
    uint64_t copied = 0;
    struct rt_error *error = begin(count, ret);

    if (!error)
        error = hx_temp_folder(parent, name, &ret->own);
    for (size_t i = 0; i < count && !error; i++) {
        const char *host = rt_arena_printf(&ret->arena, "%s/%zu", ret->own.path, i);
        ret->dirs[i] = (struct rt_wasi_dir){host, dirs[i].guest};
        error = host ? hx_folder_copy(dirs[i].host, host, &copied) : rt_error_out_of_memory();
    }
    if (error)
        hx_guest_world_close(ret);
    return error;
}
