/* Templates of statements: choosing one by weight, filling its places, and indenting its lines. */
#include "harness/generate_wasi.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- What stands for a place ---- */

/* Paths as the guest sees them; guest_setup.c makes what is there from the start. */
static const char *const files[] = {
    "notes.txt", "data.bin",          "empty",   "deep/inner.txt",      "deep/deeper/leaf",
    "link",      "through/inner.txt", "wide/e3", "./deep/../notes.txt", "/extra/spare.bin",
};
static const char *const folders[] = {"deep", "deep/deeper", "wide", ".", "through", "/extra", "/extra/box"};
static const char *const new_names[] = {"new0", "new1",       "new2", "deep/new0",  "deep/new1",
                                        "dir0", "dir0/inner", "dir1", "/extra/new0"};

static const char *one_of(struct hx_writer *writer, const char *const *items, size_t count) {
    return items[hx_random_below(&writer->random, (uint32_t)count)];
}

static void put_path(struct hx_writer *writer, const char *const *items, size_t count,
                     struct hx_buffer *ret) {
    hx_buffer_print(ret, "\"%s\"", one_of(writer, items, count));
}

static void put_file(struct hx_writer *writer, struct hx_buffer *ret) {
    put_path(writer, files, COUNT(files), ret);
}

static void put_folder(struct hx_writer *writer, struct hx_buffer *ret) {
    put_path(writer, folders, COUNT(folders), ret);
}

static void put_new(struct hx_writer *writer, struct hx_buffer *ret) {
    put_path(writer, new_names, COUNT(new_names), ret);
}

static void put_any(struct hx_writer *writer, struct hx_buffer *ret) {
    static void (*const kinds[])(struct hx_writer *, struct hx_buffer *) = {put_file, put_new, put_folder};

    kinds[hx_random_below(&writer->random, COUNT(kinds))](writer, ret);
}

static void put_offset(struct hx_writer *writer, struct hx_buffer *ret) {
    static const uint32_t bounds[] = {10, 100, 1000, 5000, 70000};
    uint32_t bound = bounds[hx_random_below(&writer->random, COUNT(bounds))];

    hx_buffer_print(ret, "%u", hx_random_below(&writer->random, bound));
}

static void put_few(struct hx_writer *writer, struct hx_buffer *ret) {
    hx_buffer_print(ret, "%u", hx_random_between(&writer->random, 1, 9));
}

static void put_many(struct hx_writer *writer, struct hx_buffer *ret) {
    hx_buffer_print(ret, "%u", hx_random_between(&writer->random, 10, 60));
}

static void put_bytes(struct hx_writer *writer, struct hx_buffer *ret) {
    hx_buffer_text(ret, "bytes");
    if (writer->slice_start > 0)
        hx_buffer_print(ret, " + %u", writer->slice_start);
    if (writer->slice_stride > 0)
        hx_buffer_print(ret, " + %c * %u", writer->turn, writer->slice_stride);
}

static void put_size(struct hx_writer *writer, struct hx_buffer *ret) {
    hx_buffer_print(ret, "%u", writer->slice_size);
}

static void put_room(struct hx_writer *writer, struct hx_buffer *ret) {
    hx_buffer_print(ret, "%u", writer->room);
}

static void put_same(struct hx_writer *writer, struct hx_buffer *ret) {
    hx_buffer_text(ret, writer->choice);
}

static const struct place {
    const char *name;
    void (*put)(struct hx_writer *writer, struct hx_buffer *ret);
} places[] = {
    {"bytes", put_bytes},   {"size", put_size}, {"room", put_room}, {"file", put_file},
    {"folder", put_folder}, {"new", put_new},   {"any", put_any},   {"offset", put_offset},
    {"few", put_few},       {"many", put_many}, {"same", put_same},
};

/* A part of `bytes`, mostly a small one; in a loop one that moves with each turn. */
static void choose_slice(struct hx_writer *writer) {
    struct hx_random *random = &writer->random;
    uint32_t moves = writer->turns > 1 ? writer->turns - 1 : 0;
    uint32_t room = writer->room, most = hx_random_chance(random, 70) && room > 40 ? 40 : room;

    writer->slice_size = hx_random_between(random, 1, most);
    room -= writer->slice_size;
    writer->slice_stride = moves > 0 && room >= moves ? hx_random_between(random, 1, 3) : 0;
    if (writer->slice_stride * moves > room)
        writer->slice_stride = 1;
    writer->slice_start = hx_random_below(random, room - writer->slice_stride * moves + 1);
}

/* ---- Filling ---- */

static const char *expand(struct hx_writer *writer, const char *text, const char *end, struct hx_buffer *ret);

/* Puts one of the alternatives of "a~b~c]" and returns what follows the bracket. */
static const char *expand_choice(struct hx_writer *writer, const char *text, struct hx_buffer *ret) {
    const char *end = text + strcspn(text, "]");
    uint32_t count = 1;

    for (const char *at = text; at < end; at++)
        count += *at == '~';
    for (uint32_t skipped = hx_random_below(&writer->random, count); skipped > 0; skipped--)
        text = strchr(text, '~') + 1;
    size_t size = strcspn(text, "~]"), start = ret->size;
    expand(writer, text, text + size, ret);
    snprintf(writer->choice, sizeof writer->choice, "%s", hx_buffer_string(ret) + start);
    return end + 1;
}

static const char *expand_place(struct hx_writer *writer, const char *text, struct hx_buffer *ret) {
    for (size_t i = 0; i < COUNT(places); i++) {
        size_t size = strlen(places[i].name);
        if (strncmp(text, places[i].name, size) != 0)
            continue;
        places[i].put(writer, ret);
        return text + size;
    }
    ret->failed = true; /* no such place: the program would not compile either */
    return text;
}

/* Appends [text, end) with its places filled; returns the end. */
static const char *expand(struct hx_writer *writer, const char *text, const char *end,
                          struct hx_buffer *ret) {
    while (text < end) {
        size_t plain = strcspn(text, "$");
        if (plain > (size_t)(end - text))
            plain = (size_t)(end - text);
        hx_buffer_append(ret, text, plain);
        text += plain;
        if (text == end)
            break;
        if (text[1] == '[')
            text = expand_choice(writer, text + 2, ret);
        else
            text = expand_place(writer, text + 1, ret);
    }
    return end;
}

/* Appends the lines to the program. A line's braces at its start and end say how deep the next ones are. */
static void put_lines(struct hx_writer *writer, const char *text) {
    enum { WIDTH = 4 };

    while (*text) {
        size_t size = strcspn(text, "\n");
        writer->indentation -= text[0] == '}';
        if (size > 0)
            hx_buffer_print(writer->text, "%*s%.*s", (int)writer->indentation * WIDTH, "", (int)size, text);
        hx_buffer_text(writer->text, "\n");
        writer->indentation += size > 0 && text[size - 1] == '{';
        text += size + (text[size] == '\n');
    }
}

void hx_write(struct hx_writer *writer, const char *text) {
    struct hx_buffer lines = {0};

    if (writer->room > 0)
        choose_slice(writer);
    expand(writer, text, text + strlen(text), &lines);
    writer->text->failed |= lines.failed;
    put_lines(writer, hx_buffer_string(&lines));
    hx_buffer_clear(&lines);
}

void hx_write_format(struct hx_writer *writer, const char *format, ...) {
    char lines[600];
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(lines, sizeof lines, format, arguments);
    va_end(arguments);
    writer->text->failed |= size < 0 || (size_t)size >= sizeof lines;
    put_lines(writer, lines);
}

size_t hx_choose(struct hx_writer *writer, const struct hx_statement *statements, size_t count) {
    uint32_t sum = 0;
    size_t chosen = 0;

    for (size_t i = 0; i < count; i++)
        sum += statements[i].weight;
    uint32_t left = hx_random_below(&writer->random, sum);
    while (left >= statements[chosen].weight)
        left -= statements[chosen++].weight;
    return chosen;
}
