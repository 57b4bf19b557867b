/* Temporary folders: made under $TMPDIR, removed with all that is in them. */
#include "harness/temp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)info, (void)kind, (void)place;
    /* One entry that stays must not keep the others. */
    (void)remove(path);
    return 0;
}

/* ---- What others have left ---- */

#define NAME_PREFIX "lockstep-"
#define NAME_RANDOM "XXXXXX"
enum { ABANDONED_AFTER = 24 * 60 * 60 /* seconds */ };

/* Where locks do not work, nobody gets one. */
static bool lock_folder(int folder) {
    return flock(folder, LOCK_EX | LOCK_NB) == 0;
}

static int open_folder(int parent, const char *name) {
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_old(int folder) {
    struct stat info;
    return fstat(folder, &info) == 0 && info.st_uid == geteuid() &&
           time(NULL) - info.st_mtime > ABANDONED_AFTER;
}

static void remove_abandoned(const char *parent) {
    DIR *entries = opendir(parent);
    char path[PATH_MAX];

    for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
        if (strncmp(entry->d_name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0 ||
            strlen(entry->d_name) != strlen(NAME_PREFIX NAME_RANDOM))
            continue;
        const int folder = open_folder(dirfd(entries), entry->d_name);
        if (folder < 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", parent, entry->d_name);
        if (is_old(folder) && lock_folder(folder))
            hx_folder_remove(path);
        close(folder);
    }
    if (entries)
        closedir(entries);
}

/* ---- One's own ---- */

struct rt_error *hx_temp_create(struct hx_temp *ret) {
    const char *parent = getenv("TMPDIR");
    char *absolute;

    *ret = (struct hx_temp){.lock = 0};
    if (!parent || !*parent)
        parent = "/tmp";
    absolute = realpath(parent, NULL);
    if (!absolute)
        return rt_error_os(errno, "cannot use the temporary folder %s", parent);
    int length = snprintf(ret->path, sizeof ret->path, "%s/" NAME_PREFIX NAME_RANDOM, absolute);
    remove_abandoned(absolute);
    free(absolute);
    /* Leaves room for the names of files in it. */
    if ((size_t)length > sizeof ret->path - 64) {
        ret->path[0] = '\0';
        return rt_error_format(RT_OS, "the temporary folder's path is too long: %s", parent);
    }
    if (!mkdtemp(ret->path)) {
        ret->path[0] = '\0';
        return rt_error_os(errno, "cannot make a temporary folder in %s", parent);
    }
    const int folder = open_folder(AT_FDCWD, ret->path);
    if (folder >= 0)
        lock_folder(folder);
    ret->lock = folder + 1;
    return NULL;
}

struct rt_error *hx_temp_folder(const struct hx_temp *temp, const char *name, struct hx_temp *ret) {
    ret->lock = 0;
    int length = snprintf(ret->path, sizeof ret->path, "%s/%s", temp->path, name);

    if ((size_t)length >= sizeof ret->path) {
        ret->path[0] = '\0';
        return rt_error_format(RT_OS, "the temporary folder's path is too long: %s", temp->path);
    }
    if (mkdir(ret->path, 0700) == 0)
        return NULL;
    if (errno == EEXIST) {
        struct hx_temp old = *ret;
        hx_temp_remove(&old);
        if (mkdir(ret->path, 0700) == 0)
            return NULL;
    }
    return rt_error_os(errno, "cannot make the folder %s", ret->path);
}

bool hx_temp_is_full(const char *path) {
    enum { ROOM = 1 << 20 };
    struct statvfs disk;
    return statvfs(path, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < ROOM;
}

void hx_folder_remove(const char *path) {
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void hx_temp_remove(struct hx_temp *temp) {
    if (temp->path[0] == '\0')
        return;
    hx_folder_remove(temp->path);
    if (temp->lock > 0)
        close(temp->lock - 1);
    *temp = (struct hx_temp){.lock = 0};
}
