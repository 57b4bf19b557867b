/* Laying out the memory of exported calls: a call's pieces of guest memory keep their order, overlaps and
 * alignment, at other addresses. */
#include "harness/export_layout.h"

#include <stdlib.h>
#include <string.h>

enum {
    ALIGNMENT = 16,
    MOST_SCRATCH = 64 << 20,
    STRINGS_ROOM = 64 * 1024, /* for the pointers, and for the bytes, of an engine that has other strings */
};

static int compare_windows(const void *a, const void *b) {
    const struct hx_export_window *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

struct rt_error *hx_export_layout_make(struct hx_export_layout *layout, const struct hx_export_call *call) {
    const bool is_strings = call->number == HX_EXPORT_args_get || call->number == HX_EXPORT_environ_get;
    uint64_t size = 0;
    size_t used = 0;

    layout->count = 0;
    layout->size = 0;
    if (layout->capacity < call->region_count) {
        free(layout->windows);
        layout->windows = malloc(call->region_count * sizeof *layout->windows);
        layout->capacity = layout->windows ? call->region_count : 0;
        if (!layout->windows)
            return rt_error_out_of_memory();
    }
    for (size_t i = 0; i < call->region_count; i++)
        if (!call->regions[i].is_outside)
            layout->windows[used++] = (struct hx_export_window){
                call->regions[i].address, (uint64_t)call->regions[i].address + call->regions[i].size, 0};
    if (used)
        qsort(layout->windows, used, sizeof *layout->windows, compare_windows);
    for (size_t i = 0; i < used; i++) {
        const struct hx_export_window next = layout->windows[i];
        struct hx_export_window *last = &layout->windows[layout->count - 1];
        if (layout->count && (next.address < last->end || next.address == last->address)) {
            last->end = next.end > last->end ? next.end : last->end;
            continue;
        }
        layout->windows[layout->count++] = next;
    }
    for (size_t i = 0; i < layout->count; i++) {
        struct hx_export_window *window = &layout->windows[i];
        const uint64_t length = window->end - window->address;
        size += (window->address - size) % ALIGNMENT;
        if (size + length > MOST_SCRATCH)
            return rt_error_format(
                RT_USAGE, "event %llu: %s is given more than %d MiB of memory: leave it out with --calls",
                (unsigned long long)call->event, hx_export_function(call)->name, MOST_SCRATCH >> 20);
        window->at = (uint32_t)size;
        size += is_strings ? STRINGS_ROOM : length;
    }
    layout->size = (uint32_t)size;
    return NULL;
}

void hx_export_layout_clear(struct hx_export_layout *layout) {
    free(layout->windows);
    *layout = (struct hx_export_layout){0};
}

uint32_t hx_export_layout_at(const struct hx_export_layout *layout, const struct hx_export_region *region) {
    const struct hx_export_window *window = layout->windows;

    while (window + 1 < layout->windows + layout->count && window[1].address <= region->address)
        window++;
    return window->at + (uint32_t)(region->address - window->address);
}

/* ---- Data ---- */

/* FNV-1a. */
static uint32_t hash_of(const uint8_t *bytes, size_t size) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static struct hx_export_blob *find(const struct hx_export_data *data, uint32_t hash, const void *bytes,
                                   size_t size) {
    size_t at = hash & (data->capacity - 1);

    for (;; at = (at + 1) & (data->capacity - 1)) {
        struct hx_export_blob *blob = &data->blobs[at];
        if (!blob->size || (blob->hash == hash && blob->size == size &&
                            memcmp(data->bytes.bytes + blob->at, bytes, size) == 0))
            return blob;
    }
}

static bool grow(struct hx_export_data *data) {
    struct hx_export_data grown = {.capacity = data->capacity ? 2 * data->capacity : 1024};

    grown.blobs = calloc(grown.capacity, sizeof *grown.blobs);
    if (!grown.blobs)
        return false;
    grown.bytes = data->bytes;
    for (size_t i = 0; i < data->capacity; i++) {
        const struct hx_export_blob *blob = &data->blobs[i];
        if (blob->size)
            *find(&grown, blob->hash, data->bytes.bytes + blob->at, blob->size) = *blob;
    }
    free(data->blobs);
    data->blobs = grown.blobs;
    data->capacity = grown.capacity;
    return true;
}

uint32_t hx_export_data_add(struct hx_export_data *data, const void *bytes, size_t size) {
    const uint32_t hash = hash_of(bytes, size);

    if (!size)
        return 0;
    if (2 * data->count >= data->capacity && !grow(data)) {
        data->bytes.failed = true;
        return 0;
    }
    struct hx_export_blob *blob = find(data, hash, bytes, size);
    if (blob->size)
        return blob->at;
    *blob = (struct hx_export_blob){hash, (uint32_t)data->bytes.size, (uint32_t)size};
    hx_buffer_append(&data->bytes, bytes, size);
    data->count += !data->bytes.failed;
    if (data->bytes.failed)
        blob->size = 0;
    return blob->at;
}

void hx_export_data_clear(struct hx_export_data *data) {
    hx_buffer_clear(&data->bytes);
    free(data->blobs);
    *data = (struct hx_export_data){0};
}
