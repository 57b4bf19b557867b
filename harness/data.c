/* Finds the files that lockstep comes with. */
#include "harness/data.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *hx_data_folder(const char *name, const char *in_tree, char *path, size_t size) {
    char binary[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", binary, sizeof binary - 1);

    if (length > 0) {
        binary[length] = '\0';
        char *slash = strrchr(binary, '/');
        if (slash)
            *slash = '\0';
        snprintf(path, size, "%s/../share/lockstep/%s", binary, name);
        if (access(path, R_OK) == 0)
            return path;
    }
    return access(in_tree, R_OK) == 0 ? in_tree : NULL;
}
