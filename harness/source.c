/* Lines of a program's C source. Its name comes from debug information, which may say anything. */
#include "harness/source.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SOURCE_LIMIT = 16 << 20 };

const char *hx_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Reading anything but a regular file might never end. */
static bool is_regular(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool hx_source_text(const char *file, const char *folder, struct hx_buffer *out) {
    char path[PATH_MAX];
    int length = file[0] == '/' || !folder ? snprintf(path, sizeof path, "%s", file)
                                           : snprintf(path, sizeof path, "%s/%s", folder, hx_base_name(file));

    if (length >= (int)sizeof path || path[0] != '/' || !is_regular(path))
        return false;
    struct rt_error *error = hx_file_read(path, SOURCE_LIMIT, out);
    bool is_read = !error;
    rt_error_destroy(error);
    return is_read;
}

bool hx_source_line(const char *file, uint32_t line, const char *folder, struct hx_buffer *out) {
    struct hx_buffer text = {0};
    const char *next = line > 0 && hx_source_text(file, folder, &text) ? hx_buffer_string(&text) : NULL;

    for (uint32_t i = 1; i < line && next; i++) {
        next = strchr(next, '\n');
        next = next ? next + 1 : NULL;
    }
    bool is_there = next && *next != '\0';
    if (is_there)
        hx_buffer_append(out, next, strcspn(next, "\n"));
    hx_buffer_clear(&text);
    return is_there;
}
