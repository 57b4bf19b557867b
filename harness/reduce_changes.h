/* Changes to a program's text that are independent of each other, and trying them in chunks. Passes collect
 * them; reduce_changes.c makes as many of them as leave the finding. */
#ifndef LOCKSTEP_HARNESS_REDUCE_CHANGES_H
#define LOCKSTEP_HARNESS_REDUCE_CHANGES_H

#include "harness/reduce.h"
#include "harness/reduce_text.h"

/* One change: edits that are made together. */
struct hx_change {
    size_t first, count; /* of the edits */
    bool is_made;
};

/* All zero but the arena is none. */
struct hx_changes {
    struct hx_change *items;
    struct hx_edit *edits;
    size_t count, capacity, edit_count, edit_capacity;
    struct rt_arena arena; /* of texts that are put in */
    bool failed;           /* memory has run out */
};

void hx_changes_init(struct hx_changes *changes);
void hx_changes_clear(struct hx_changes *changes);
/* Begins a change that has no edits yet. */
void hx_change_begin(struct hx_changes *changes);
/* Adds an edit to the change that was begun last. `with` outlives the changes. */
void hx_change_edit(struct hx_changes *changes, struct hx_range range, const char *with);
/* A change of one edit. */
void hx_change_add(struct hx_changes *changes, struct hx_range range, const char *with);

/* Makes as many of the changes to the best program, from which they were collected, as leave the finding: all
 * at once, then in halves of halves, down to chunks of `least` (1 and more). */
RT_MUST_USE struct rt_error *hx_changes_try(struct hx_reduction *reduction, struct hx_changes *changes,
                                            size_t least);

/* reduce_functions.c: what a function's body is replaced by to return zero, in the arena; NULL when the unit
 * is no function, or main. */
const char *hx_zero_body(const char *text, const struct hx_unit *unit, struct rt_arena *arena);
/* The name of a function that the unit defines; false for another unit. */
bool hx_function_name(const char *text, const struct hx_unit *unit, struct hx_range *ret);
/* reduce_names.c: appends the program with its functions after those that they name, and without the
 * prototypes that need not be. */
void hx_without_prototypes(const char *text, size_t size, struct hx_buffer *ret);

#endif
