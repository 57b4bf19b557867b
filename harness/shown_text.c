/* Runs llvm-dwarfdump and reads what it prints. */
#include "harness/shown_text.h"

#include "harness/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIME_LIMIT = 60000, MOST_DEPTH = 256, TEXT_LIMIT = 256 << 20 };

/* ---- Parts of lines ---- */

bool hx_text_is(struct hx_text text, const char *word) {
    return text.size == strlen(word) && !memcmp(text.start, word, text.size);
}

uint64_t hx_text_number(struct hx_text text) {
    char digits[24] = "";
    memcpy(digits, text.start, text.size < sizeof digits ? text.size : sizeof digits - 1);
    return strtoull(digits, NULL, 0);
}

struct hx_text hx_text_quoted(struct hx_text text) {
    const char *start = text.size ? memchr(text.start, '"', text.size) : NULL;
    if (!start)
        return (struct hx_text){0};
    start++;
    const size_t left = text.size - (size_t)(start - text.start);
    const char *end = memchr(start, '"', left);
    return (struct hx_text){start, end ? (size_t)(end - start) : left};
}

/* The next word of a line, which loses it; words end at blanks. */
static struct hx_text take_word(struct hx_text *line) {
    while (line->size && (*line->start == ' ' || *line->start == '\t'))
        line->start++, line->size--;
    struct hx_text word = {line->start, 0};
    while (line->size && *line->start != ' ' && *line->start != '\t')
        line->start++, line->size--, word.size++;
    return word;
}

static bool starts_with(struct hx_text text, const char *word) {
    return text.size >= strlen(word) && !memcmp(text.start, word, strlen(word));
}

static void *grow(void **items, size_t count, size_t *capacity, size_t size) {
    if (count == *capacity) {
        const size_t more = *capacity ? 2 * *capacity : 1024;
        void *grown = realloc(*items, more * size);
        if (!grown)
            return NULL;
        *items = grown;
        *capacity = more;
    }
    return (char *)*items + count * size;
}

/* ---- Reading ---- */

struct reader {
    struct hx_shown *shown;
    uint32_t open[MOST_DEPTH]; /* indices of the DIEs around the present place */
    uint32_t depth;
    struct hx_text *value; /* of the attribute that was begun last, or NULL */
    bool in_lines;
};

/* "0x00000000: Compile Unit: length = 0x000000e1, format = DWARF32, ..., addr_size = 0x08 (next unit at ...)"
 */
static void read_header(struct hx_shown *shown, struct hx_text line) {
    static const char word[] = "addr_size = ";
    const char *at = memmem(line.start, line.size, word, sizeof word - 1);
    if (at) {
        at += sizeof word - 1;
        shown->address_size =
            (unsigned)hx_text_number((struct hx_text){at, line.size - (size_t)(at - line.start)});
    }
}

/* "0x0000002a:     DW_TAG_variable": two blanks more for each level. */
static bool read_die(struct reader *reader, struct hx_text line) {
    struct hx_shown *shown = reader->shown;
    const char *colon = memchr(line.start, ':', line.size);
    size_t blanks = 0;
    if (!colon)
        return true;
    struct hx_text rest = {colon + 1, line.size - (size_t)(colon + 1 - line.start)};
    while (blanks < rest.size && rest.start[blanks] == ' ')
        blanks++;
    struct hx_text tag = take_word(&rest);
    const uint32_t depth = blanks ? (uint32_t)(blanks - 1) / 2 : 0;
    reader->value = NULL;
    if (starts_with(tag, "Compile"))
        read_header(reader->shown, line);
    if (!starts_with(tag, "DW_TAG_") || depth >= MOST_DEPTH)
        return true; /* the end of a list of children, or a unit's header */
    for (; reader->depth > depth; reader->depth--)
        shown->dies[reader->open[reader->depth - 1]].end = (uint32_t)shown->die_count;
    struct hx_shown_die *die =
        grow((void **)&shown->dies, shown->die_count, &shown->die_capacity, sizeof *die);
    if (!die)
        return false;
    *die = (struct hx_shown_die){.offset = hx_text_number(line), .tag = tag, .depth = depth};
    reader->open[depth] = (uint32_t)shown->die_count++;
    reader->depth = depth + 1;
    return true;
}

/* "  DW_AT_name\t("main")" */
static void read_attribute(struct reader *reader, struct hx_text line) {
    static const char *const names[HX_SHOWN_COUNT] = {
#define X(name) "DW_AT_" #name,
        HX_SHOWN_ATTRIBUTES(X)
#undef X
    };
    const struct hx_text name = take_word(&line);
    reader->value = NULL;
    for (int i = 0; reader->shown->die_count && i < HX_SHOWN_COUNT; i++)
        if (hx_text_is(name, names[i])) {
            reader->value = &reader->shown->dies[reader->shown->die_count - 1].at[i];
            take_word(&(struct hx_text){line.start, line.size});
            const char *open = memchr(line.start, '(', line.size);
            *reader->value = open ? (struct hx_text){open + 1, line.size - (size_t)(open + 1 - line.start)}
                                  : (struct hx_text){line.start, line.size};
            return;
        }
}

/* "0x00000c    12      5      1   0             0       0  is_stmt prologue_end" */
static bool read_row(struct reader *reader, struct hx_text line) {
    struct hx_shown *shown = reader->shown;
    struct hx_shown_row *row =
        grow((void **)&shown->rows, shown->row_count, &shown->row_capacity, sizeof *row);
    if (!row)
        return false;
    *row = (struct hx_shown_row){.address = hx_text_number(take_word(&line)),
                                 .order = (uint32_t)shown->row_count};
    row->line = (uint32_t)hx_text_number(take_word(&line));
    while (line.size) {
        const struct hx_text word = take_word(&line);
        row->is_stmt |= hx_text_is(word, "is_stmt");
        row->prologue_end |= hx_text_is(word, "prologue_end");
        row->end_sequence |= hx_text_is(word, "end_sequence");
    }
    shown->row_count++;
    return true;
}

static bool read_line(struct reader *reader, struct hx_text line) {
    const bool is_numbered = starts_with(line, "0x");
    if (starts_with(line, ".debug_"))
        reader->in_lines = starts_with(line, ".debug_line ");
    if (reader->in_lines)
        return is_numbered ? read_row(reader, line) : true;
    if (is_numbered)
        return read_die(reader, line);
    struct hx_text rest = line;
    while (rest.size && *rest.start == ' ')
        rest.start++, rest.size--;
    if (starts_with(rest, "DW_AT_"))
        read_attribute(reader, rest);
    else if (rest.size == 0)
        reader->value = NULL;
    else if (reader->value) /* a list goes on */
        reader->value->size = (size_t)(line.start + line.size - reader->value->start);
    return true;
}

static int compare_rows(const void *a, const void *b) {
    const struct hx_shown_row *x = a, *y = b;
    return x->address != y->address ? (x->address > y->address ? 1 : -1)
                                    : (x->order > y->order) - (x->order < y->order);
}

static struct rt_error *read_text(struct hx_shown *shown) {
    struct reader reader = {.shown = shown};
    const char *text = hx_buffer_string(&shown->text), *end = text + shown->text.size;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        const struct hx_text line = {text, (size_t)((stop ? stop : end) - text)};
        if (!read_line(&reader, line))
            return rt_error_out_of_memory();
        text += line.size + 1;
    }
    for (; reader.depth; reader.depth--)
        shown->dies[reader.open[reader.depth - 1]].end = (uint32_t)shown->die_count;
    if (shown->row_count)
        qsort(shown->rows, shown->row_count, sizeof *shown->rows, compare_rows);
    return NULL;
}

struct rt_error *hx_shown_read(const char *dwarfdump, const char *path, struct hx_shown **ret) {
    char how[128], text[512];
    const char *const words[] = {dwarfdump, "--debug-info", "--debug-line", "-o", text, path, NULL};
    struct hx_process process = {.argv = words, .time_limit = TIME_LIMIT};
    struct hx_shown *shown = calloc(1, sizeof *shown);
    if (!shown)
        return rt_error_out_of_memory();
    snprintf(text, sizeof text, "%s.txt", path);
    struct rt_error *error = hx_process_run(&process, 1);
    if (!error && !hx_process_succeeded(&process))
        error = rt_error_format(RT_USAGE, "%s cannot read %s: %s", dwarfdump, path,
                                hx_process_describe(&process, how, sizeof how));
    hx_process_clear(&process);
    if (!error)
        error = hx_file_read(text, TEXT_LIMIT, &shown->text);
    if (!error)
        error = read_text(shown);
    if (error)
        hx_shown_destroy(shown);
    else
        *ret = shown;
    return error;
}

void hx_shown_destroy(struct hx_shown *shown) {
    if (!shown)
        return;
    hx_buffer_clear(&shown->text);
    free(shown->dies);
    free(shown->rows);
    free(shown);
}
