/* A second reader of debug information, for the self-test: what a debugger's user would be shown of a
 * program, by the text of llvm-dwarfdump and the pcs that a run passed. It shares no code with the stepper's
 * reader.
 *
 * The rule. A run has passed pcs, each in an activation of a function. A *stop* is a pass of a pc that has a
 * row with is_stmt and a line other than 0, not before the prologue's end of its function (the row that says
 * so, else the function's start); several of one statement in one activation, an inlined call being one of
 * its own, with none of another between are one stop. Shown are
 *  - the sequence of stops, each a function's name and a line;
 *  - at each stop the names of the function and of inlined calls with their lines, and of each variable of
 * the innermost of them, in all blocks around the pc: its name, declaration line, type as far as no pointer
 * is followed, and the location in force with the frame base where that is meant;
 *  - the same of each global variable.
 * Two files of one code show different things when any of that differs. */
#ifndef LOCKSTEP_HARNESS_SHOWN_H
#define LOCKSTEP_HARNESS_SHOWN_H

#include "harness/buffer.h"
#include "harness/witness.h"

/* A run of a program: in order, the pcs of line rows and functions' starts that it passed. */
struct hx_pass {
    uint64_t low,
        pc; /* rows from `low` on stand for the code at pc: they differ at a Wasm function's start alone */
    uint32_t activation; /* a number of its own */
};
struct hx_passes {
    struct hx_pass *items; /* malloc'd */
    size_t count, capacity;
    uint64_t *pcs; /* all of them once, ascending; malloc'd */
    size_t pc_count;
    uint32_t activations;
};
/* Runs a module, or a shared object, to its end, or as far as a limit of passes goes. In a process that is
 * there for it: the program runs in it. What it prints is dropped. */
RT_MUST_USE struct rt_error *hx_passes_record(enum hx_witness_kind kind, const char *path,
                                              struct hx_passes *ret);
void hx_passes_clear(struct hx_passes *passes);

struct hx_shown;
/* Reads a file's debug information. `dwarfdump` is the tool's path; its text goes to the file's path with
 * ".txt" behind. RT_USAGE when it fails. */
RT_MUST_USE struct rt_error *hx_shown_read(const char *dwarfdump, const char *path, struct hx_shown **ret);
void hx_shown_destroy(struct hx_shown *shown);

enum { HX_MOST_CHANGES = 64 };
struct hx_changes {
    bool in_stops, in_variables; /* what differs */
    uint32_t lines[2];           /* of the first stop that differs; 0: none */
    /* Variables that are shown in another way at some stop, with their functions ("" of a global); the first
     * of them. The names live as long as both of what was compared. */
    struct hx_changed {
        const char *function, *name;
        size_t function_size, name_size;
    } variables[HX_MOST_CHANGES];
    size_t variable_count;
};
/* What of a run is shown differently. Both keep what they make of their types for the next comparison. */
RT_MUST_USE struct rt_error *hx_shown_compare(struct hx_shown *a, struct hx_shown *b,
                                              const struct hx_passes *passes, struct hx_changes *ret);

/* What the variables that are shown in another place hold there, at each stop of one more run of `a`'s file:
 * the same bytes as in the right place, others, or what cannot be told. A place with the right value is none
 * that a user can tell from the right one. shown_values.c; as hx_passes_record in its process. */
struct hx_values {
    uint64_t same, different, unknown;
    bool is_pointer; /* one of those that differ */
};
RT_MUST_USE struct rt_error *hx_shown_values(struct hx_shown *a, struct hx_shown *b,
                                             enum hx_witness_kind kind, const char *path,
                                             const struct hx_passes *passes, struct hx_values *ret);

#endif
