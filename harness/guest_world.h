/* What one run of a WASI command has for itself: folders that nobody else changes, and its standard input. */
#ifndef LOCKSTEP_HARNESS_GUEST_WORLD_H
#define LOCKSTEP_HARNESS_GUEST_WORLD_H

#include "harness/guest_setup.h"
#include "harness/temp.h"

struct hx_guest_world {
    struct hx_temp own; /* a folder that goes with the world; "" when there is none */
    struct rt_wasi_dir *dirs;
    size_t dir_count;
    bool has_input;
    int input_fd;
    struct rt_arena arena;
};

/* The setup that hx_guest_setup_make made in `folder`, which stays the caller's. */
RT_MUST_USE struct rt_error *hx_guest_world_open(const char *folder, struct hx_guest_world *ret);
/* Makes the setup in the folder NAME of `parent`. */
RT_MUST_USE struct rt_error *hx_guest_world_make(const struct hx_guest_setup *setup,
                                                 const struct hx_temp *parent, const char *name,
                                                 struct hx_guest_world *ret);
/* Copies the folders into the folder NAME of `parent`, with their times; no input. What is neither file,
 * folder nor link is left out. RT_USAGE for more than a gigabyte. */
RT_MUST_USE struct rt_error *hx_guest_world_copy(const struct rt_wasi_dir *dirs, size_t count,
                                                 const struct hx_temp *parent, const char *name,
                                                 struct hx_guest_world *ret);
/* Copies one folder to `to`, which is made, in the same way. The bytes are added to *copied, whose limit is
 * that of hx_guest_world_copy. */
RT_MUST_USE struct rt_error *hx_folder_copy(const char *from, const char *to, uint64_t *copied);
/* Closes, and removes the world's own folder. A zeroed world is none. */
void hx_guest_world_close(struct hx_guest_world *world);

#endif
