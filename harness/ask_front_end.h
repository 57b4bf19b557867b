/* The compiler's front end as a witness of lines that one of its back ends has lost. */
#ifndef LOCKSTEP_HARNESS_ASK_FRONT_END_H
#define LOCKSTEP_HARNESS_ASK_FRONT_END_H

#include "harness/job.h"

/* Of each finding that a line is missing, and that blame has not decided: whether LLVM's intermediate code
 * for the side that lacks the line has an instruction of it. When it has, the back end that was given this
 * code has lost it, and gets the blame. A side that gcc made, or that was built elsewhere, is not asked. */
RT_MUST_USE struct rt_error *hx_ask_front_end(const struct hx_job *job, struct hx_result *result);

/* True when this function has instructions of this line, in LLVM's intermediate code as text. */
bool hx_ir_has_line(const char *text, const char *function, uint32_t line);

#endif
