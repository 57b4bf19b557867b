/* Findings and results in words, for people. */
#ifndef LOCKSTEP_HARNESS_REPORT_H
#define LOCKSTEP_HARNESS_REPORT_H

#include "harness/result.h"

/* One finding: the place with its source line, both witnesses with the DWARF behind them, the signature.
 * `folder` is where the program's own source is looked for; may be NULL. */
void hx_report_finding(const struct hx_finding *finding, const char *folder, struct hx_buffer *out);
/* A whole result: its findings and one closing line. */
void hx_report_result(const struct hx_result *result, const char *folder, struct hx_buffer *out);

#endif
