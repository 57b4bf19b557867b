/* C text as reduction sees it: units (statements, declarations, definitions) and edits. It is read by its
 * brackets and semicolons alone: a candidate that is wrong is refused by the compiler, at no other cost. */
#ifndef LOCKSTEP_HARNESS_REDUCE_TEXT_H
#define LOCKSTEP_HARNESS_REDUCE_TEXT_H

#include "harness/buffer.h"

/* From the byte at `begin` to the one before `end`. */
struct hx_range {
    size_t begin, end;
};

/* What follows is past a literal, a comment or a preprocessor's line that begins at `at`; `at` when there is
 * none. */
size_t hx_skip_opaque(const char *text, size_t at, size_t end);
bool hx_is_word(char c);
/* The end of the bracket that opens at `at` (the byte after its partner), or `end`. */
size_t hx_bracket_end(const char *text, size_t at, size_t end);
/* True when the word is at `at`, as a whole. */
bool hx_word_is(const char *text, size_t at, size_t end, const char *word);

/* The word in front of `at`, which blanks may part from it; empty, and at `at`, when there is none after
 * `begin`. */
struct hx_range hx_word_before(const char *text, size_t begin, size_t at);

enum { HX_MAX_BLOCKS = 8 };

/* A statement with all that belongs to it, a declaration, a definition, or a preprocessor's line. */
struct hx_unit {
    struct hx_range range;
    struct hx_range blocks[HX_MAX_BLOCKS]; /* what is between its braces: bodies, not initialisers */
    bool is_code[HX_MAX_BLOCKS];           /* statements; else members */
    size_t block_count;
};
/* The unit that begins at or after `at`; false when only blanks are left. */
bool hx_unit_next(const char *text, size_t at, size_t end, struct hx_unit *ret);
/* True when a statement declares variables, by the two words that it begins with. */
bool hx_is_declaration(const char *text, struct hx_range statement);

/* Puts `with` in place of a range. */
struct hx_edit {
    struct hx_range range;
    const char *with;
};
/* Appends the text with the edits made, without blank lines. They are sorted; of two that overlap, the first
 * is made. */
void hx_edit(const char *text, size_t size, struct hx_edit *edits, size_t count, struct hx_buffer *ret);

/* Appends the top-level units that main needs, by the names that they declare and use. */
void hx_keep_reachable(const char *text, size_t size, struct hx_buffer *ret);

#endif
