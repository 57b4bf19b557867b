/* Temporary folders: made under $TMPDIR, removed with all that is in them. */
#include "harness/temp.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)info, (void)kind, (void)place;
    /* One entry that stays must not keep the others. */
    (void)remove(path);
    return 0;
}

struct rt_error *hx_temp_create(struct hx_temp *ret) {
    const char *parent = getenv("TMPDIR");
    char *absolute;

    ret->path[0] = '\0';
    if (!parent || !*parent)
        parent = "/tmp";
    absolute = realpath(parent, NULL);
    if (!absolute)
        return rt_error_os(errno, "cannot use the temporary folder %s", parent);
    int length = snprintf(ret->path, sizeof ret->path, "%s/lockstep-XXXXXX", absolute);
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
    return NULL;
}

struct rt_error *hx_temp_folder(const struct hx_temp *temp, const char *name, struct hx_temp *ret) {
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
    temp->path[0] = '\0';
}
