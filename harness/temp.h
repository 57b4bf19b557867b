/* Temporary folders under $TMPDIR: one for a command, in it one a program. */
#ifndef LOCKSTEP_HARNESS_TEMP_H
#define LOCKSTEP_HARNESS_TEMP_H

#include "runtime/base.h"

struct hx_temp {
    char path[256]; /* absolute, without links; "" when there is none */
    int lock;       /* of hx_temp_create's: a descriptor that holds the folder's lock, plus 1; 0: none */
};

/* Makes "$TMPDIR/lockstep-XXXXXX" (/tmp without TMPDIR), and locks it for as long as this process lives.
 * Removes what killed processes of this user have left there: folders of such names that nobody has locked,
 * and that nothing was made in or removed from for a day. */
RT_MUST_USE struct rt_error *hx_temp_create(struct hx_temp *ret);
/* Makes or empties the folder NAME in it. */
RT_MUST_USE struct rt_error *hx_temp_folder(const struct hx_temp *temp, const char *name,
                                            struct hx_temp *ret);
/* True when the disk under it has next to no room: then whatever a tool says of its failure is beside the
 * point. */
bool hx_temp_is_full(const char *path);
/* Removes it with all that is in it. A second time is fine. */
void hx_temp_remove(struct hx_temp *temp);
/* The same of any folder; fine when there is none. */
void hx_folder_remove(const char *path);

#endif
