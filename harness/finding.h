/* A folder on disk for each finding, made once a signature. */
#ifndef LOCKSTEP_HARNESS_FINDING_H
#define LOCKSTEP_HARNESS_FINDING_H

#include "harness/job.h"
#include "harness/result.h"

/* Writes OUT/NAME/ with the C program, both artifacts, finding.json, finding.txt and the `reproduce` script.
 * NAME is the kind and a hash of the signature, or "known-" and a known defect's name, so that one signature
 * and one defect have one folder: when it is there already, nothing is written. A folder of that name is
 * whole: it is made under another one and renamed. *ret_name lives in the result's arena. */
RT_MUST_USE struct rt_error *hx_finding_write(const char *out, const struct hx_job *job,
                                              struct hx_result *result, const struct hx_finding *finding,
                                              const char **ret_name);

/* Writes the files of a finding into a folder that is there, over those of the same names. */
RT_MUST_USE struct rt_error *hx_finding_write_to(const char *folder, const struct hx_job *job,
                                                 const struct hx_result *result,
                                                 const struct hx_finding *finding);

#endif
