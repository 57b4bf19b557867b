/* The generator of C programs that use WASI widely. A program is a list of functions; each has a theme
 * (files, folders, clocks, ...), and its statements are templates of the theme's table, in loops and
 * branches.
 *
 * What a program prints on standard output depends on nothing but the guest's setup (guest_setup.h). What
 * depends on the host (times, random bytes, inodes, the order of names) it digests apart, and prints on
 * standard error. */
#ifndef LOCKSTEP_HARNESS_GENERATE_WASI_H
#define LOCKSTEP_HARNESS_GENERATE_WASI_H

#include "harness/buffer.h"
#include "harness/random.h"

/* Where the program's text goes, and what is known of the place that is written next. */
struct hx_writer {
    struct hx_random random;
    struct hx_buffer *text;
    unsigned indentation; /* blocks around */
    unsigned room;        /* bytes that the variable `bytes` points to; 0: there is none */
    unsigned turns;       /* how often the innermost loop turns; 0: no loop around */
    char turn;            /* its variable */
    char choice[41];      /* what was chosen last */
    unsigned slice_start, slice_stride, slice_size; /* the part of `bytes` that a statement works on */
};

/* A statement as text of C lines, chosen `weight` times as often as one of weight 1. In it stand
 *
 *     $bytes $size     a part of the function's buffer, the same throughout the statement
 *     $room            the whole buffer's size
 *     $file $folder    paths that most setups have
 *     $new             a path that programs make and remove
 *     $any             one of the three
 *     $offset          a file offset, mostly small
 *     $few $many       1 to 9, 10 to 60
 *     $[a~b~c]         one of these
 *     $same            what was chosen of the last $[a~b~c], up to 40 bytes of it
 *
 * A template that declares variables is a block: it starts with "{\n". */
struct hx_statement {
    unsigned weight;
    const char *text;
};

struct hx_theme {
    const char *name;    /* of its functions: "files" gives files_0, ... */
    const char *purpose; /* a comment on such a function */
    unsigned weight;
    unsigned least, most;       /* statements a function */
    const char *before, *after; /* templates around them; a "{" of the first is closed by the second */
    const struct hx_statement *statements;
    size_t count;
};

extern const struct hx_theme hx_theme_files, hx_theme_streams,
    hx_theme_descriptors;                                                        /* generate_wasi_files.c */
extern const struct hx_theme hx_theme_folders, hx_theme_names;                   /* generate_wasi_folders.c */
extern const struct hx_theme hx_theme_clocks, hx_theme_polling, hx_theme_random; /* generate_wasi_ambient.c */
extern const struct hx_theme hx_theme_start, hx_theme_console;                   /* generate_wasi_start.c */
extern const struct hx_theme hx_theme_errors, hx_theme_borders, hx_theme_sockets; /* generate_wasi_errors.c */

/* Writes a template's lines, indented by their braces, with all that is in it chosen. */
void hx_write(struct hx_writer *writer, const char *text);
/* The same for lines that are formatted, not chosen. */
void hx_write_format(struct hx_writer *writer, const char *format, ...) RT_PRINTF(2, 3);
/* An index into a table of statements, by weight. */
size_t hx_choose(struct hx_writer *writer, const struct hx_statement *statements, size_t count);

/* Appends what a program starts with: includes, and of the helper functions those that `body` calls. */
void hx_write_prelude(const char *body, struct hx_buffer *ret);

/* Appends the seed's program. The same seed gives the same text everywhere. */
void hx_generate_wasi(uint64_t seed, struct hx_buffer *ret);

#endif
