/* Passes over names: what is declared and never named goes, a type's other name gives way to the type, and
 * functions are put in front of those that call them, which need no prototypes then. */
#include "harness/reduce_changes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 16 };

/* True when the name stands in the range. */
static bool is_named(const char *text, struct hx_range range, struct hx_range name) {
    const size_t length = name.end - name.begin;

    for (size_t i = range.begin; i + length <= range.end;) {
        const size_t past = text[i] == '#' ? i : hx_skip_opaque(text, i, range.end);
        if (past == i && memcmp(text + i, text + name.begin, length) == 0 && !hx_is_word(text[i + length]) &&
            (i == 0 || !hx_is_word(text[i - 1])))
            return true;
        i = past > i ? past : i + 1;
    }
    return false;
}

/* True when nothing but the unit itself, in the scope, has a name of it. */
static bool is_unused(const char *text, struct hx_range scope, struct hx_range unit,
                      const struct hx_range *names, size_t count) {
    const struct hx_range before = {scope.begin, unit.begin}, after = {unit.end, scope.end};

    for (size_t i = 0; i < count; i++)
        if (is_named(text, before, names[i]) || is_named(text, after, names[i]))
            return false;
    return count > 0;
}

/* The names that a declaration's or a member's declarators declare: each is the last word in front of what
 * ends it. */
static size_t declared_names(const char *text, struct hx_range unit, struct hx_range *ret) {
    struct hx_range word = {0, 0};
    bool is_named = false;
    size_t count = 0;

    for (size_t i = unit.begin; i < unit.end && count < MAX_NAMES;) {
        const size_t past = hx_skip_opaque(text, i, unit.end);
        if (past > i) {
            i = past;
        } else if (hx_is_word(text[i])) {
            word.begin = i;
            while (i < unit.end && hx_is_word(text[i]))
                i++;
            word.end = i;
        } else {
            if (strchr("[=;,:", text[i]) && !is_named && word.end > word.begin) {
                ret[count++] = word;
                is_named = true;
            }
            if (text[i] == ',') {
                is_named = false;
                word = (struct hx_range){0, 0};
            }
            i = strchr("([{", text[i]) ? hx_bracket_end(text, i, unit.end) : i + 1;
        }
    }
    return count < MAX_NAMES ? count : 0;
}

/* ---- What is never named ---- */

static void collect_unused(const char *text, struct hx_range block, struct hx_range scope, bool is_code,
                           struct hx_changes *changes) {
    struct hx_range names[MAX_NAMES];
    struct hx_unit unit;

    for (size_t at = block.begin; hx_unit_next(text, at, block.end, &unit); at = unit.range.end) {
        for (size_t i = 0; i < unit.block_count; i++)
            collect_unused(text, unit.blocks[i], scope, unit.is_code[i], changes);
        if (unit.block_count > 0 || (is_code && !hx_is_declaration(text, unit.range)))
            continue;
        const size_t count = declared_names(text, unit.range, names);
        if (is_unused(text, scope, unit.range, names, count))
            hx_change_add(changes, unit.range, "");
    }
}

/* Locals by their function, members by the whole program. */
static void collect_all_unused(const char *text, size_t size, struct hx_changes *changes) {
    const struct hx_range all = {0, size};
    struct hx_unit unit;

    for (size_t at = 0; hx_unit_next(text, at, size, &unit); at = unit.range.end)
        for (size_t i = 0; i < unit.block_count; i++)
            collect_unused(text, unit.blocks[i], unit.is_code[i] ? unit.range : all, unit.is_code[i],
                           changes);
}

struct rt_error *hx_reduce_unused(struct hx_reduction *reduction) {
    struct rt_error *error = NULL;
    size_t before = SIZE_MAX;

    /* One may have named another. */
    while (!error && reduction->best.size < before && !hx_reduction_is_over(reduction)) {
        struct hx_changes changes;
        before = reduction->best.size;
        hx_changes_init(&changes);
        collect_all_unused(hx_buffer_string(&reduction->best), reduction->best.size, &changes);
        error = hx_changes_try(reduction, &changes, 1);
        hx_changes_clear(&changes);
    }
    return error;
}

/* ---- Names of types ---- */

/* "typedef unsigned char uint8_t;": words alone, the last of which is the name. */
static bool is_simple_typedef(const char *text, struct hx_range unit, struct hx_range *ret_name,
                              struct hx_range *ret_type) {
    const size_t end = unit.end - 1, begin = unit.begin + strlen("typedef");

    if (!hx_word_is(text, unit.begin, unit.end, "typedef") || text[end] != ';')
        return false;
    for (size_t i = begin; i < end; i++)
        if (!hx_is_word(text[i]) && !isspace((unsigned char)text[i]))
            return false;
    *ret_name = hx_word_before(text, begin, end);
    *ret_type = (struct hx_range){begin + strspn(text + begin, " \t\r\n"), ret_name->begin};
    while (ret_type->end > ret_type->begin && isspace((unsigned char)text[ret_type->end - 1]))
        ret_type->end--;
    return ret_type->end > ret_type->begin && ret_name->end > ret_name->begin;
}

static void replace_type(const char *text, size_t size, struct hx_range unit, struct hx_range name,
                         const char *type, struct hx_changes *changes) {
    const size_t length = name.end - name.begin;

    hx_change_begin(changes);
    hx_change_edit(changes, unit, "");
    for (size_t i = unit.end; i < size;) {
        const size_t past = hx_skip_opaque(text, i, size);
        size_t end = i;
        while (end < size && hx_is_word(text[end]))
            end++;
        if (past == i && end - i == length && memcmp(text + i, text + name.begin, length) == 0)
            hx_change_edit(changes, (struct hx_range){i, end}, type);
        i = past > i ? past : end > i ? end : i + 1;
    }
}

struct rt_error *hx_reduce_typedefs(struct hx_reduction *reduction) {
    const char *text = hx_buffer_string(&reduction->best);
    const size_t size = reduction->best.size;
    struct hx_range name, type;
    struct hx_changes changes;
    struct hx_unit unit;

    hx_changes_init(&changes);
    for (size_t at = 0; hx_unit_next(text, at, size, &unit); at = unit.range.end) {
        if (!is_simple_typedef(text, unit.range, &name, &type))
            continue;
        const char *words = rt_arena_copy(&changes.arena, text + type.begin, type.end - type.begin);
        changes.failed |= !words;
        if (words)
            replace_type(text, size, unit.range, name, words, &changes);
    }
    struct rt_error *error = hx_changes_try(reduction, &changes, 1);
    hx_changes_clear(&changes);
    return error;
}

/* ---- Prototypes ---- */

/* "int f(int);": no braces, and the first bracket is a round one that ends it. */
static bool is_prototype(const char *text, const struct hx_unit *unit) {
    const char *bracket = memchr(text + unit->range.begin, '(', unit->range.end - unit->range.begin);

    if (unit->block_count > 0 || !bracket || hx_word_is(text, unit->range.begin, unit->range.end, "typedef"))
        return false;
    const size_t close = hx_bracket_end(text, (size_t)(bracket - text), unit->range.end);
    return close + strspn(text + close, " \t\r\n") + 1 == unit->range.end;
}

struct body {
    struct hx_range name, range;
    bool is_placed;
};

struct bodies {
    const char *text;
    struct body *items;
    size_t count;
};

static bool same_text(const char *text, struct hx_range a, struct hx_range b) {
    return a.end - a.begin == b.end - b.begin && memcmp(text + a.begin, text + b.begin, a.end - a.begin) == 0;
}

/* The function that has the name, or NULL. */
static struct body *find_body(const struct bodies *all, struct hx_range name) {
    for (size_t i = 0; i < all->count; i++)
        if (same_text(all->text, all->items[i].name, name))
            return &all->items[i];
    return NULL;
}

/* Appends a function after those that it names. Of those that call each other one comes first, and needs its
 * prototype. */
static void place(const struct bodies *all, struct body *body, struct hx_buffer *ret) {
    if (body->is_placed)
        return;
    body->is_placed = true;
    for (size_t i = body->range.begin; i < body->range.end;) {
        const size_t past = hx_skip_opaque(all->text, i, body->range.end);
        struct hx_range word = {i, i};
        while (past == i && word.end < body->range.end && hx_is_word(all->text[word.end]))
            word.end++;
        struct body *named = word.end > i ? find_body(all, word) : NULL;
        if (named)
            place(all, named, ret);
        i = past > i ? past : word.end > i ? word.end : i + 1;
    }
    hx_buffer_append(ret, all->text + body->range.begin, body->range.end - body->range.begin);
    hx_buffer_text(ret, "\n");
}

/* A prototype of a function that has a body; the C library's have none. */
static bool is_needless(const struct bodies *all, const struct hx_unit *unit) {
    const size_t begin = unit->range.begin;

    if (!is_prototype(all->text, unit))
        return false;
    const char *bracket = memchr(all->text + begin, '(', unit->range.end - begin);
    return find_body(all, hx_word_before(all->text, begin, (size_t)(bracket - all->text))) != NULL;
}

void hx_without_prototypes(const char *text, size_t size, struct hx_buffer *ret) {
    struct bodies all = {.text = text};
    struct hx_unit unit;
    size_t units = 0;

    for (size_t at = 0; hx_unit_next(text, at, size, &unit); at = unit.range.end)
        units++;
    all.items = calloc(units + 1, sizeof *all.items);
    ret->failed |= !all.items;
    for (size_t at = 0; all.items && hx_unit_next(text, at, size, &unit); at = unit.range.end)
        if (hx_function_name(text, &unit, &all.items[all.count].name))
            all.items[all.count++].range = unit.range;
    for (size_t at = 0, next = 0; all.items && hx_unit_next(text, at, size, &unit); at = unit.range.end) {
        if (next < all.count && all.items[next].range.begin == unit.range.begin) {
            next++;
        } else if (!is_needless(&all, &unit)) {
            hx_buffer_append(ret, text + unit.range.begin, unit.range.end - unit.range.begin);
            hx_buffer_text(ret, "\n");
        }
    }
    for (size_t i = 0; i < all.count; i++)
        place(&all, &all.items[i], ret);
    free(all.items);
}

struct rt_error *hx_reduce_prototypes(struct hx_reduction *reduction) {
    struct hx_buffer candidate = {0};
    struct rt_error *error = NULL;
    bool is_same;

    hx_without_prototypes(hx_buffer_string(&reduction->best), reduction->best.size, &candidate);
    if (candidate.failed || candidate.size < reduction->best.size)
        error = hx_try(reduction, &candidate, &is_same);
    hx_buffer_clear(&candidate);
    return error;
}
