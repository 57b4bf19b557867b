/* A finding for people: in the terminal, and as the text of an issue for those who keep the tool that is
 * wrong. */
#ifndef LOCKSTEP_HARNESS_SHOW_H
#define LOCKSTEP_HARNESS_SHOW_H

#include "harness/finding_read.h"
#include "harness/terminal.h"

/* Appends all that there is: the source around the stop, what each witness shows, stops and call stacks, the
 * DWARF behind it (read from the kept artifacts), versions, and how to see it again. */
RT_MUST_USE struct rt_error *hx_show(const struct hx_terminal *terminal, const struct hx_kept *kept,
                                     struct rt_arena *arena, struct hx_buffer *out);
/* issue.c: appends Markdown: what is wrong, the program, commands, expected and seen, versions. */
RT_MUST_USE struct rt_error *hx_show_issue(const struct hx_kept *kept, struct rt_arena *arena,
                                           struct hx_buffer *out);

/* What a witness shows: its value, or its state with the reason; in the arena, never NULL. */
const char *hx_show_testimony(const struct or_testimony *testimony, struct rt_arena *arena);
/* "func_1 at program.c:12:3"; in the arena, never NULL. */
const char *hx_show_place(const struct or_spot *place, struct rt_arena *arena);
/* The finding in one line: "value: g_5.f1 in func_1 at program.c:12:3". In the arena, never NULL. */
const char *hx_show_headline(const struct hx_told *told, struct rt_arena *arena);

#endif
