/* Words of findings, whatever was compared (private to oracle/). */
#ifndef LOCKSTEP_ORACLE_WORDS_H
#define LOCKSTEP_ORACLE_WORDS_H

#include "oracle/oracle.h"

/* At most 511 bytes of text, in the arena; "(out of memory)" without memory. */
const char *or_printf(struct rt_arena *arena, const char *format, ...) RT_PRINTF(2, 3);
/* "g_5" and "g_5[2].f1" are one variable: findings name the first scalar that differs, which need not be the
 * same one. Two NULLs are one, too. */
bool or_names_one_variable(const char *a, const char *b);

#endif
