/* Reading C by its brackets, edits, and what main needs. */
#include "harness/reduce_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool hx_is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

size_t hx_skip_opaque(const char *text, size_t at, size_t end) {
    const char c = text[at], next = at + 1 < end ? text[at + 1] : '\0';
    size_t i = at + 1;

    if (c == '"' || c == '\'') {
        while (i < end && text[i] != c && text[i] != '\n')
            i += text[i] == '\\' && i + 1 < end ? 2 : 1;
        return i < end ? i + 1 : end;
    }
    if (c == '/' && next == '*') {
        const char *close = memmem(text + i + 1, end - i - 1, "*/", 2);
        return close ? (size_t)(close - text) + 2 : end;
    }
    if ((c == '/' && next == '/') || (c == '#' && (at == 0 || text[at - 1] == '\n'))) {
        while (i < end && (text[i] != '\n' || text[i - 1] == '\\'))
            i++;
        return i;
    }
    return at;
}

bool hx_word_is(const char *text, size_t at, size_t end, const char *word) {
    const size_t length = strlen(word);

    return end - at >= length && memcmp(text + at, word, length) == 0 &&
           (at + length == end || !hx_is_word(text[at + length])) && (at == 0 || !hx_is_word(text[at - 1]));
}

struct hx_range hx_word_before(const char *text, size_t begin, size_t at) {
    size_t end = at;

    while (end > begin && text[end - 1] == ' ')
        end--;
    size_t word = end;
    while (word > begin && hx_is_word(text[word - 1]))
        word--;
    return word < end ? (struct hx_range){word, end} : (struct hx_range){at, at};
}

size_t hx_bracket_end(const char *text, size_t at, size_t end) {
    size_t depth = 0;

    while (at < end) {
        const size_t past = hx_skip_opaque(text, at, end);
        if (past > at) {
            at = past;
            continue;
        }
        if (strchr("([{", text[at]))
            depth++;
        else if (strchr(")]}", text[at]) && (depth == 0 || --depth == 0))
            return at + 1;
        at++;
    }
    return end;
}

static size_t skip_blanks(const char *text, size_t at, size_t end) {
    while (at < end) {
        const size_t past = text[at] == '#' ? at : hx_skip_opaque(text, at, end);
        if (past > at && text[at] == '/')
            at = past;
        else if (isspace((unsigned char)text[at]))
            at++;
        else
            break;
    }
    return at;
}

/* What stands before a brace says whether statements follow: a parameter list or condition, a word. */
static bool opens_code(const char *text, size_t begin, size_t brace) {
    size_t at = brace;

    while (at > begin && isspace((unsigned char)text[at - 1]))
        at--;
    if (at == begin || strchr("):;", text[at - 1]))
        return true;
    return (at >= begin + 2 && hx_word_is(text, at - 2, at, "do")) ||
           (at >= begin + 4 && hx_word_is(text, at - 4, at, "else"));
}

static void add_block(struct hx_unit *unit, size_t open, size_t end, bool is_code) {
    if (unit->block_count == HX_MAX_BLOCKS || end < open + 2)
        return;
    unit->blocks[unit->block_count] = (struct hx_range){open + 1, end - 1};
    unit->is_code[unit->block_count++] = is_code;
}

bool hx_unit_next(const char *text, size_t at, size_t end, struct hx_unit *ret) {
    const size_t begin = skip_blanks(text, at, end);
    const bool is_do = begin < end && hx_word_is(text, begin, end, "do");
    bool is_assigned = false;

    *ret = (struct hx_unit){.range = {begin, end}};
    if (begin == end)
        return false;
    if (text[begin] == '#') {
        ret->range.end = hx_skip_opaque(text, begin, end);
        ret->range.end += ret->range.end == begin; /* a stray one is a unit of one byte */
        return true;
    }
    for (size_t i = begin; i < end;) {
        const size_t past = hx_skip_opaque(text, i, end);
        bool is_end = false;
        if (past > i) {
            i = past;
            continue;
        }
        if (text[i] == '(' || text[i] == '[') {
            i = hx_bracket_end(text, i, end);
            continue;
        }
        is_assigned |= text[i] == '=';
        if (text[i] == '{') {
            const bool is_code = !is_assigned && opens_code(text, begin, i);
            const size_t close = hx_bracket_end(text, i, end);
            if (!is_assigned)
                add_block(ret, i, close, is_code);
            is_end = is_code && !is_do;
            i = close;
        } else {
            is_end = text[i] == ';';
            i++;
        }
        ret->range.end = i;
        if (is_end && !hx_word_is(text, skip_blanks(text, i, end), end, "else"))
            return true;
    }
    ret->range.end = end;
    return true;
}

bool hx_is_declaration(const char *text, struct hx_range statement) {
    static const char *const others[] = {"return", "goto",  "else",    "do",     "if",
                                         "for",    "while", "typedef", "extern", "static"};
    size_t at = statement.begin;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (hx_word_is(text, at, statement.end, others[i]))
            return false;
    while (at < statement.end && hx_is_word(text[at]))
        at++;
    const size_t first = at;
    while (at < statement.end && (isspace((unsigned char)text[at]) || text[at] == '*'))
        at++;
    return first > statement.begin && at > first && at < statement.end && hx_is_word(text[at]) &&
           !isdigit((unsigned char)text[at]);
}

static int by_place(const void *a, const void *b) {
    const struct hx_edit *one = a, *other = b;
    const int order = (one->range.begin > other->range.begin) - (one->range.begin < other->range.begin);
    /* What is put in front of something comes first. */
    return order ? order : (one->range.end > other->range.end) - (one->range.end < other->range.end);
}

/* Appends text, leaving out lines that are blank with what is before them in `ret`. */
static void append_lines(struct hx_buffer *ret, const char *text, size_t size) {
    for (size_t i = 0; i < size;) {
        const char *newline = memchr(text + i, '\n', size - i);
        const size_t length = newline ? (size_t)(newline - text) + 1 - i : size - i;
        hx_buffer_append(ret, text + i, length);
        i += length;
        size_t last = ret->size;
        while (last > 0 && isspace((unsigned char)ret->bytes[last - 1]) &&
               !(last < ret->size && ret->bytes[last - 1] == '\n'))
            last--;
        /* Only blanks since the last line's end: they go. */
        if (newline && !ret->failed && (last == 0 || ret->bytes[last - 1] == '\n'))
            ret->bytes[ret->size = last] = '\0';
    }
}

void hx_edit(const char *text, size_t size, struct hx_edit *edits, size_t count, struct hx_buffer *ret) {
    size_t at = 0;

    qsort(edits, count, sizeof *edits, by_place);
    for (size_t i = 0; i < count; i++) {
        if (edits[i].range.begin < at)
            continue;
        append_lines(ret, text + at, edits[i].range.begin - at);
        hx_buffer_text(ret, edits[i].with);
        at = edits[i].range.end;
    }
    append_lines(ret, text + at, size - at);
}

/* ---- What main needs ---- */

struct name {
    struct hx_range range;
    size_t unit;
};

struct units {
    const char *text;
    struct hx_unit *units;
    bool *is_needed;
    struct name *names;
    size_t count, name_count, capacity, name_capacity;
    bool failed;
};

static bool grow(void **array, size_t *capacity, size_t count, size_t size) {
    if (count < *capacity)
        return true;
    void *grown = realloc(*array, 2 * (count + 32) * size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = 2 * (count + 32);
    return true;
}

static void add_name(struct units *all, struct hx_range range) {
    if (range.begin == range.end)
        return;
    if (!grow((void **)&all->names, &all->name_capacity, all->name_count, sizeof *all->names)) {
        all->failed = true;
        return;
    }
    all->names[all->name_count++] = (struct name){range, all->count};
}

/* The names that a unit declares: words in front of what ends a declarator, tags in front of their members,
 * and all words of an enumeration. */
static void add_names(struct units *all, const struct hx_unit *unit) {
    const char *text = all->text;
    struct hx_range word = {0, 0};

    for (size_t i = unit->range.begin; i < unit->range.end;) {
        const size_t past = hx_skip_opaque(text, i, unit->range.end);
        if (past > i) {
            i = past;
        } else if (hx_is_word(text[i])) {
            word.begin = i;
            while (i < unit->range.end && hx_is_word(text[i]))
                i++;
            word.end = i;
        } else if (isspace((unsigned char)text[i])) {
            i++;
        } else {
            if (strchr("[=;,({", text[i]))
                add_name(all, word);
            if (text[i] == '(')
                return;
            /* Over an initialiser, to the next declarator. */
            if (text[i] == '=') {
                while (i < unit->range.end && !strchr(",;", text[i]))
                    i = strchr("([{", text[i]) ? hx_bracket_end(text, i, unit->range.end) : i + 1;
            } else if (strchr("[{", text[i])) {
                for (size_t k = i; text[i] == '{' && k < unit->blocks[0].end && k < unit->range.end;) {
                    size_t begin = k;
                    while (k < unit->range.end && hx_is_word(text[k]))
                        k++;
                    if (hx_word_is(text, unit->range.begin, unit->range.end, "enum"))
                        add_name(all, (struct hx_range){begin, k});
                    k += k == begin;
                }
                i = hx_bracket_end(text, i, unit->range.end);
            } else {
                i++;
            }
            word = (struct hx_range){0, 0};
        }
    }
}

static bool same_word(const char *text, struct hx_range a, struct hx_range b) {
    return a.end - a.begin == b.end - b.begin && memcmp(text + a.begin, text + b.begin, a.end - a.begin) == 0;
}

/* Marks the unit and, as `needed` is read on, all that its words name. */
static void need(struct units *all, size_t unit, size_t *needed, size_t *needed_count) {
    if (all->is_needed[unit])
        return;
    all->is_needed[unit] = true;
    needed[(*needed_count)++] = unit;
}

static void need_words(struct units *all, size_t unit, size_t *needed, size_t *needed_count) {
    const struct hx_range range = all->units[unit].range;

    for (size_t i = range.begin; i < range.end;) {
        const size_t past = all->text[i] == '#' ? i : hx_skip_opaque(all->text, i, range.end);
        struct hx_range word = {i, i};
        while (word.end < range.end && hx_is_word(all->text[word.end]))
            word.end++;
        for (size_t n = 0; word.end > i && n < all->name_count; n++)
            if (same_word(all->text, word, all->names[n].range))
                need(all, all->names[n].unit, needed, needed_count);
        i = past > i ? past : word.end > i ? word.end : i + 1;
    }
}

void hx_keep_reachable(const char *text, size_t size, struct hx_buffer *ret) {
    struct units all = {.text = text};
    size_t *needed = NULL, needed_count = 0;
    struct hx_unit unit;

    for (size_t at = 0; !all.failed && hx_unit_next(text, at, size, &unit); at = unit.range.end) {
        if (!grow((void **)&all.units, &all.capacity, all.count, sizeof *all.units)) {
            all.failed = true;
            break;
        }
        add_names(&all, &unit);
        all.units[all.count++] = unit;
    }
    all.is_needed = calloc(all.count + 1, sizeof *all.is_needed);
    needed = calloc(all.count + 1, sizeof *needed);
    if (!all.is_needed || !needed)
        all.failed = true;
    for (size_t i = 0; i < all.count && !all.failed; i++)
        if (text[all.units[i].range.begin] == '#')
            need(&all, i, needed, &needed_count);
    for (size_t n = 0; n < all.name_count && !all.failed; n++)
        if (hx_word_is(text, all.names[n].range.begin, all.names[n].range.end, "main"))
            need(&all, all.names[n].unit, needed, &needed_count);
    for (size_t i = 0; i < needed_count && !all.failed; i++)
        need_words(&all, needed[i], needed, &needed_count);
    for (size_t i = 0; i < all.count && !all.failed; i++) {
        if (!all.is_needed[i])
            continue;
        hx_buffer_append(ret, text + all.units[i].range.begin,
                         all.units[i].range.end - all.units[i].range.begin);
        hx_buffer_text(ret, "\n");
    }
    ret->failed |= all.failed;
    free(all.units);
    free(all.names);
    free(all.is_needed);
    free(needed);
}
