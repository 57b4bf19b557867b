/* The DWARF behind a finding, read from the artifacts that are kept with it: nothing is run. */
#ifndef LOCKSTEP_HARNESS_EVIDENCE_H
#define LOCKSTEP_HARNESS_EVIDENCE_H

#include "harness/finding_read.h"
#include "harness/terminal.h"

/* One artifact's debug information. */
struct hx_artifact {
    const char *name; /* of the file */
    struct rt_module *module;
    struct st_debug *debug;
};

/* Opens the artifact that a witness of that name ran. RT_USAGE when none is kept: a witness by another
 * compiler, or code that is made anew in each run. Close it on error, too. */
RT_MUST_USE struct rt_error *hx_artifact_open(const char *folder, const char *witness,
                                              struct hx_artifact *ret);
void hx_artifact_close(struct hx_artifact *artifact);

/* Appends what the artifact says at a witness's stop: the variable's DIE, its expressions in operations and
 * in words with those of the frame base, and the line rows around. */
void hx_evidence_print(const struct hx_terminal *terminal, const struct hx_artifact *artifact,
                       const struct hx_told *told, const struct or_testimony *testimony,
                       struct rt_arena *arena, struct hx_buffer *out);

#endif
