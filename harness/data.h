/* Files that lockstep comes with. */
#ifndef LOCKSTEP_HARNESS_DATA_H
#define LOCKSTEP_HARNESS_DATA_H

#include <stddef.h>

/* The folder NAME that came with lockstep: beside an installed binary, else `in_tree`, where it is in the
 * source tree that this binary was built from. NULL when there is none. May use `path`, which needs PATH_MAX
 * + 64. */
const char *hx_data_folder(const char *name, const char *in_tree, char *path, size_t size);

#endif
