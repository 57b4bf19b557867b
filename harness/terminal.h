/* Text for a terminal, or for a pipe: colours, width, and text that may hold anything. */
#ifndef LOCKSTEP_HARNESS_TERMINAL_H
#define LOCKSTEP_HARNESS_TERMINAL_H

#include "harness/buffer.h"

enum hx_colour {
    HX_PLAIN,
    HX_TITLE,  /* headings */
    HX_FAINT,  /* what frames other text */
    HX_BAD,    /* what differs, and what a debugger should not say */
    HX_GOOD,   /* what is as it should be */
    HX_MARKED, /* the line, row or stop that it is all about */
    HX_COLOUR_COUNT,
};

struct hx_terminal {
    bool has_colour;
    unsigned width; /* columns */
};

/* What standard output is: colours on a terminal that has them, unless NO_COLOR is set (no-color.org); its
 * width, or COLUMNS, or 100. */
struct hx_terminal hx_terminal_get(void);

/* Appends text in a colour. Control characters become \xNN and what is no UTF-8 U+FFFD, so that a hostile
 * text cannot drive the terminal; a tab becomes spaces. NULL is nothing. */
void hx_terminal_text(const struct hx_terminal *terminal, enum hx_colour colour, const char *text,
                      struct hx_buffer *out);

/* One row of a table. */
struct hx_cell {
    enum hx_colour colour;
    const char *text; /* NULL is nothing */
};
/* Appends cells side by side, the first `first` columns wide and the others sharing the rest; a long one
 * goes on in the next lines. */
void hx_terminal_row(const struct hx_terminal *terminal, unsigned first, const struct hx_cell *cells,
                     size_t count, struct hx_buffer *out);

#endif
