/* Lines of a program's C source, as findings name them: for people, and for the list of known defects. */
#ifndef LOCKSTEP_HARNESS_SOURCE_H
#define LOCKSTEP_HARNESS_SOURCE_H

#include "harness/buffer.h"

/* Both append to `out` and are false when the file cannot be read, or has no such line. `file` is what a line
 * table calls it: a name that is not absolute is looked for in `folder` by its last part, because the
 * compiler mapped the folder away; NULL: it is not looked for. */
bool hx_source_text(const char *file, const char *folder, struct hx_buffer *out);
/* Without its newline. */
bool hx_source_line(const char *file, uint32_t line, const char *folder, struct hx_buffer *out);

/* What follows the last slash. */
const char *hx_base_name(const char *path);

#endif
