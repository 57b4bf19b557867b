/* Text for a terminal, or for a pipe. */
#include "harness/terminal.h"

#include "harness/json.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DEFAULT_WIDTH = 100, MIN_WIDTH = 40, MAX_WIDTH = 400, MIN_CELL = 10, TAB = 4, MAX_CELLS = 8 };

static bool has_colours(void) {
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

struct hx_terminal hx_terminal_get(void) {
    const char *columns = getenv("COLUMNS");
    struct winsize size = {0};
    unsigned long width = DEFAULT_WIDTH;

    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    else if (columns && strtoul(columns, NULL, 10) > 0)
        width = strtoul(columns, NULL, 10);
    width = width < MIN_WIDTH ? MIN_WIDTH : width > MAX_WIDTH ? MAX_WIDTH : width;
    return (struct hx_terminal){.has_colour = has_colours(), .width = (unsigned)width};
}

static void begin(const struct hx_terminal *terminal, enum hx_colour colour, struct hx_buffer *out) {
    static const char *const codes[HX_COLOUR_COUNT] = {"", "1", "2", "31", "32", "1;33"};
    if (terminal->has_colour && colour != HX_PLAIN)
        hx_buffer_print(out, "\033[%sm", codes[colour]);
}

static void end(const struct hx_terminal *terminal, enum hx_colour colour, struct hx_buffer *out) {
    if (terminal->has_colour && colour != HX_PLAIN)
        hx_buffer_text(out, "\033[0m");
}

/* Appends the next character as it may be shown, and tells how many columns it takes. */
static const char *put_character(const char *text, const char *stop, unsigned column, struct hx_buffer *out,
                                 unsigned *ret_columns) {
    const size_t length = hx_utf8_length(text, (size_t)(stop - text));
    const unsigned char byte = (unsigned char)*text;
    /* U+0080 to U+009F are control characters, too. */
    const bool is_control = byte < 0x20 || byte == 0x7f || (byte == 0xc2 && (unsigned char)text[1] < 0xa0);

    *ret_columns = 1;
    if (byte == '\t') {
        *ret_columns = TAB - column % TAB;
        hx_buffer_print(out, "%*s", (int)*ret_columns, "");
    } else if (length == 0) {
        hx_buffer_text(out, "\xef\xbf\xbd");
    } else if (is_control) {
        *ret_columns = 4;
        hx_buffer_print(out, "\\x%02x", length == 2 ? (unsigned char)text[1] : byte);
    } else {
        hx_buffer_append(out, text, length);
    }
    return text + (length ? length : 1);
}

void hx_terminal_text(const struct hx_terminal *terminal, enum hx_colour colour, const char *text,
                      struct hx_buffer *out) {
    unsigned column = 0, columns;

    if (!text || !*text)
        return;
    begin(terminal, colour, out);
    for (const char *stop = text + strlen(text); text < stop; column += columns)
        text = put_character(text, stop, column, out, &columns);
    end(terminal, colour, out);
}

/* Appends as much of a cell's text as `width` columns take, at a space where one is near, and spaces up to
 * the width. Moves the text on. */
static void put_part(const struct hx_terminal *terminal, struct hx_cell *cell, unsigned width, bool is_last,
                     struct hx_buffer *out) {
    struct hx_buffer part = {0};
    const char *text = cell->text ? cell->text : "", *stop = text + strlen(text), *space = NULL;
    size_t size_at_space = 0;
    unsigned used = 0, columns, used_at_space = 0;

    while (text < stop) {
        const size_t size = part.size;
        if (*text == ' ' && used > width / 2) {
            space = text;
            size_at_space = part.size;
            used_at_space = used;
        }
        const char *next = put_character(text, stop, used, &part, &columns);
        if (used + columns > width) {
            part.size = space ? size_at_space : size;
            used = space ? used_at_space : used;
            text = space ? space + 1 : text;
            break;
        }
        used += columns;
        text = next;
    }
    cell->text = text;
    if (used > 0) {
        begin(terminal, cell->colour, out);
        hx_buffer_append(out, part.bytes, part.size);
        end(terminal, cell->colour, out);
    }
    if (!is_last)
        hx_buffer_print(out, "%*s", (int)(width - used), "");
    out->failed |= part.failed;
    hx_buffer_clear(&part);
}

void hx_terminal_row(const struct hx_terminal *terminal, unsigned first, const struct hx_cell *cells,
                     size_t count, struct hx_buffer *out) {
    struct hx_cell left[MAX_CELLS];
    bool is_more = true;

    count = count < MAX_CELLS ? count : MAX_CELLS;
    const unsigned gaps = 2 * (unsigned)count;
    const unsigned rest = terminal->width > first + gaps ? terminal->width - first - gaps : 0;
    unsigned width = count > 1 ? rest / (unsigned)(count - 1) : 0;

    width = width < MIN_CELL ? MIN_CELL : width;
    memcpy(left, cells, count * sizeof *cells);
    while (is_more && !out->failed) {
        is_more = false;
        for (size_t i = 0; i < count; i++) {
            hx_buffer_text(out, "  ");
            put_part(terminal, &left[i], i == 0 ? first : width, i + 1 == count, out);
            is_more |= *left[i].text != '\0';
        }
        while (out->size > 0 && out->bytes[out->size - 1] == ' ')
            out->bytes[--out->size] = '\0';
        hx_buffer_text(out, "\n");
    }
}
