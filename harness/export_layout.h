/* Where the memory of an exported call lies in the test's scratch memory, and the test's data. Private to the
 * files that write the test (export_c.c, export_layout.c). */
#ifndef LOCKSTEP_HARNESS_EXPORT_LAYOUT_H
#define LOCKSTEP_HARNESS_EXPORT_LAYOUT_H

#include "harness/export.h"

/* Pieces of guest memory, those that overlap as one, side by side in scratch memory. */
struct hx_export_layout {
    struct hx_export_window {
        uint64_t address, end;
        uint32_t at;
    } *windows;
    size_t count, capacity;
    uint32_t size; /* of scratch memory that it takes */
};

/* Lays a call out; the layout may have been another call's. RT_USAGE when it takes too much. */
RT_MUST_USE struct rt_error *hx_export_layout_make(struct hx_export_layout *layout,
                                                   const struct hx_export_call *call);
void hx_export_layout_clear(struct hx_export_layout *layout);
/* Where a region that is in memory lies. */
uint32_t hx_export_layout_at(const struct hx_export_layout *layout, const struct hx_export_region *region);

/* The bytes of a test, equal ones once. */
struct hx_export_data {
    struct hx_buffer bytes;
    struct hx_export_blob {
        uint32_t hash, at, size; /* size 0: free */
    } *blobs;
    size_t count, capacity; /* a power of two */
};

/* The offset of such bytes, which are added when they are new. */
uint32_t hx_export_data_add(struct hx_export_data *data, const void *bytes, size_t size);
void hx_export_data_clear(struct hx_export_data *data);

#endif
