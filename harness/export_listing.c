/* The listing of a folder that several calls of fd_readdir gave, put together: neither the order of entries
 * nor their cookies are determined, so it is compared as a whole. */
#include "harness/export.h"

#include <string.h>

enum { OFFSET_NEXT = 0, OFFSET_NAME_SIZE = 16, OFFSET_TYPE = 20, ENTRY_SIZE = 24 }; /* witx `dirent` */
enum { ARG_FD, ARG_BUF, ARG_BUF_LEN, ARG_COOKIE, ARG_USED };
enum { OFLAGS_CREAT = 1, ARG_OFLAGS = 4 };

/* Takes the entries that are whole. *cookie becomes that behind the last of them. */
static void take_entries(const struct hx_export_region *buffer, uint64_t *cookie,
                         struct hx_export_listing *ret) {
    uint32_t at = 0;

    while (buffer->written - at >= ENTRY_SIZE) {
        const uint8_t *entry = buffer->after + at;
        const uint64_t size = hx_export_load(entry + OFFSET_NAME_SIZE, 4);
        const char *name = (const char *)entry + ENTRY_SIZE;
        if (size > UINT16_MAX || size > buffer->written - at - ENTRY_SIZE)
            return;
        *cookie = hx_export_load(entry + OFFSET_NEXT, 8);
        at += ENTRY_SIZE + (uint32_t)size;
        if (size && size <= 2 && memcmp(name, "..", size) == 0)
            continue;
        const uint8_t head[3] = {entry[OFFSET_TYPE], (uint8_t)size, (uint8_t)(size >> 8)};
        hx_buffer_append(&ret->entries, head, sizeof head);
        hx_buffer_append(&ret->entries, name, size);
        ret->count++;
    }
}

/* Whether a call may have changed what is in a folder. */
static bool changes_folders(const struct hx_export_call *call) {
    if (!hx_export_succeeded(call))
        return false;
    switch (call->number) {
    case HX_EXPORT_path_open: return call->args[ARG_OFLAGS] & OFLAGS_CREAT;
    case HX_EXPORT_path_create_directory:
    case HX_EXPORT_path_link:
    case HX_EXPORT_path_remove_directory:
    case HX_EXPORT_path_rename:
    case HX_EXPORT_path_symlink:
    case HX_EXPORT_path_unlink_file: return true;
    default: return false;
    }
}

/* Whether a descriptor may be another one after a call. */
static bool changes_descriptor(const struct hx_export_call *call, uint64_t fd) {
    return (call->number == HX_EXPORT_fd_close && call->args[0] == fd) ||
           (call->number == HX_EXPORT_fd_renumber && (call->args[0] == fd || call->args[1] == fd));
}

void hx_export_list(const struct hx_export *export, size_t number, struct hx_export_listing *ret) {
    const uint64_t fd = export->calls[number].args[ARG_FD];
    uint64_t cookie = 0;

    *ret = (struct hx_export_listing){0};
    for (size_t i = number; i < export->end; i++) {
        const struct hx_export_call *call = &export->calls[i];
        if (changes_folders(call) || changes_descriptor(call, fd))
            return;
        if (call->number != HX_EXPORT_fd_readdir || call->args[ARG_FD] != fd)
            continue;
        if (!hx_export_succeeded(call) || (i > number && call->args[ARG_COOKIE] != cookie))
            return;
        const struct hx_export_region *used = hx_export_region(call, ARG_USED, 0);
        take_entries(hx_export_region(call, ARG_BUF, 0), &cookie, ret);
        if (hx_export_load(used->after, used->written) < call->args[ARG_BUF_LEN]) {
            ret->is_complete = true;
            return;
        }
    }
}
