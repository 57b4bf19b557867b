/* Passes over whole functions: calls that give way to their arguments, bodies that only return zero, and
 * parameters that become locals, so that what calls gave them can go. */
#include "harness/reduce_changes.h"

#include <ctype.h>
#include <string.h>

enum { MAX_PARAMETERS = 32 };

/* A function's definition. */
struct function {
    struct hx_range name, body, list; /* what is between the braces, and between the parentheses */
    size_t begin;
};

static bool function_of(const char *text, const struct hx_unit *unit, struct function *ret) {
    if (unit->block_count != 1 || !unit->is_code[0])
        return false;
    const size_t begin = unit->range.begin, end = unit->blocks[0].begin;
    const char *bracket = memchr(text + begin, '(', end - begin);
    const size_t open = bracket ? (size_t)(bracket - text) : begin;
    const struct hx_range name = hx_word_before(text, begin, open);
    if (name.begin == name.end)
        return false;
    *ret = (struct function){.name = name,
                             .body = unit->blocks[0],
                             .list = {open + 1, hx_bracket_end(text, open, end) - 1},
                             .begin = begin};
    return true;
}

bool hx_function_name(const char *text, const struct hx_unit *unit, struct hx_range *ret) {
    struct function function;
    const bool is_function = function_of(text, unit, &function);

    if (is_function)
        *ret = function.name;
    return is_function;
}

static bool is_main(const char *text, const struct function *function) {
    return hx_word_is(text, function->name.begin, function->name.end, "main");
}

/* Tries what `collect` finds of each function but main. */
static struct rt_error *try_functions(struct hx_reduction *reduction,
                                      void (*collect)(const char *text, size_t size,
                                                      const struct function *function,
                                                      struct hx_changes *changes)) {
    const char *text = hx_buffer_string(&reduction->best);
    struct hx_changes changes;
    struct function function;
    struct hx_unit unit;

    hx_changes_init(&changes);
    for (size_t at = 0; hx_unit_next(text, at, reduction->best.size, &unit); at = unit.range.end)
        if (function_of(text, &unit, &function) && !is_main(text, &function))
            collect(text, reduction->best.size, &function, &changes);
    struct rt_error *error = hx_changes_try(reduction, &changes, 1);
    hx_changes_clear(&changes);
    return error;
}

/* ---- Bodies ---- */

/* What stands before the name, without storage classes. */
static struct hx_range result_type(const char *text, const struct function *function) {
    static const char *const others[] = {"static", "inline", "extern"};
    size_t begin = function->begin, end = function->name.begin;

    for (size_t i = 0; i < sizeof others / sizeof *others;) {
        begin += strspn(text + begin, " \t\r\n");
        i = hx_word_is(text, begin, end, others[i]) ? (begin += strlen(others[i]), 0) : i + 1;
    }
    while (end > begin && isspace((unsigned char)text[end - 1]))
        end--;
    return (struct hx_range){begin, end};
}

const char *hx_zero_body(const char *text, const struct hx_unit *unit, struct rt_arena *arena) {
    struct function function;

    if (!function_of(text, unit, &function) || is_main(text, &function))
        return NULL;
    const struct hx_range type = result_type(text, &function);
    const bool is_void = type.end - type.begin == 4 && hx_word_is(text, type.begin, type.end, "void");
    return is_void ? "\n"
                   : rt_arena_printf(arena, "\n    %.*s result = {0};\n    return result;\n",
                                     (int)(type.end - type.begin), text + type.begin);
}

struct rt_error *hx_reduce_bodies(struct hx_reduction *reduction) {
    const char *text = hx_buffer_string(&reduction->best);
    struct hx_changes changes;
    struct hx_unit unit;

    hx_changes_init(&changes);
    for (size_t at = 0; hx_unit_next(text, at, reduction->best.size, &unit); at = unit.range.end) {
        const char *body = hx_zero_body(text, &unit, &changes.arena);
        if (body && strlen(body) < unit.blocks[0].end - unit.blocks[0].begin)
            hx_change_add(&changes, unit.blocks[0], body);
    }
    struct rt_error *error = hx_changes_try(reduction, &changes, 1);
    hx_changes_clear(&changes);
    return error;
}

/* ---- Calls ---- */

/* Where the function's name stands with a bracket after it, from `at` on; `end` when it does nowhere. */
static size_t find_use(const char *text, size_t at, size_t end, struct hx_range name) {
    const size_t length = name.end - name.begin;

    while (at < end) {
        const size_t past = hx_skip_opaque(text, at, end);
        if (past == at && at + length < end && text[at + length] == '(' &&
            memcmp(text + at, text + name.begin, length) == 0 && (at == 0 || !hx_is_word(text[at - 1])))
            return at;
        at = past > at ? past : at + 1;
    }
    return end;
}

/* "f(a, b)" becomes "(a, b)" in all bodies: what the arguments call is called still. */
static void collect_uses(const char *text, size_t size, const struct function *function,
                         struct hx_changes *changes) {
    const struct hx_range name = function->name;
    const size_t length = name.end - name.begin;
    struct hx_unit unit;

    hx_change_begin(changes);
    for (size_t at = 0; hx_unit_next(text, at, size, &unit); at = unit.range.end) {
        const size_t end = unit.range.end;
        if (unit.block_count != 1 || !unit.is_code[0])
            continue;
        for (size_t use = find_use(text, unit.blocks[0].begin, end, name); use < end;
             use = find_use(text, use + length, end, name)) {
            const bool has_none = text[use + length + 1] == ')';
            hx_change_edit(changes, (struct hx_range){use, use + length + (has_none ? 2 : 0)},
                           has_none ? "0" : "");
        }
    }
}

struct rt_error *hx_reduce_calls(struct hx_reduction *reduction) {
    return try_functions(reduction, collect_uses);
}

/* ---- Parameters ---- */

/* The parts of a list between its commas; 0 when there are more than fit. */
static size_t split(const char *text, struct hx_range list, struct hx_range *ret) {
    size_t count = 0, begin = list.begin;

    for (size_t i = list.begin; i < list.end;) {
        const size_t past = hx_skip_opaque(text, i, list.end);
        if (past > i) {
            i = past;
        } else if (strchr("([{", text[i])) {
            i = hx_bracket_end(text, i, list.end);
        } else if (text[i] != ',') {
            i++;
        } else {
            if (count == MAX_PARAMETERS - 1)
                return 0;
            ret[count++] = (struct hx_range){begin, i};
            begin = ++i;
            while (begin < list.end && isspace((unsigned char)text[begin]))
                begin++;
            i = begin;
        }
    }
    while (begin < list.end && isspace((unsigned char)text[begin]))
        begin++;
    if (begin < list.end)
        ret[count++] = (struct hx_range){begin, list.end};
    return count;
}

/* Without a part, and without a comma beside it. */
static void leave_out(const struct hx_range *parts, size_t count, size_t index, const char *if_none,
                      struct hx_changes *changes) {
    struct hx_range range = parts[index];

    if (index + 1 < count)
        range.end = parts[index + 1].begin;
    else if (index > 0)
        range.begin = parts[index - 1].end;
    hx_change_edit(changes, range, count == 1 ? if_none : "");
}

/* Wherever the function's name has a list after it, in `unit`, the part goes. */
static void leave_out_in(const char *text, const struct hx_unit *unit, struct hx_range name, size_t count,
                         size_t index, struct hx_changes *changes) {
    const size_t length = name.end - name.begin, end = unit->range.end;
    struct hx_range parts[MAX_PARAMETERS];

    for (size_t use = find_use(text, unit->range.begin, end, name); use < end;
         use = find_use(text, use + length, end, name)) {
        const bool is_call = unit->block_count > 0 && use >= unit->blocks[0].begin;
        const size_t open = use + length;
        const struct hx_range list = {open + 1, hx_bracket_end(text, open, end) - 1};
        if (split(text, list, parts) == count)
            leave_out(parts, count, index, is_call ? "" : "void", changes);
    }
}

static void collect_parameters(const char *text, size_t size, const struct function *function,
                               struct hx_changes *changes) {
    struct hx_range parts[MAX_PARAMETERS];
    const size_t count = split(text, function->list, parts);
    struct hx_unit unit;

    if (count == 1 && hx_word_is(text, parts[0].begin, parts[0].end, "void"))
        return;
    for (size_t i = 0; i < count; i++) {
        const int length = (int)(parts[i].end - parts[i].begin);
        const size_t body = function->body.begin;
        /* Of a pointer to a function, the name is not the last word. */
        const char *local =
            memchr(text + parts[i].begin, '(', (size_t)length)
                ? NULL
                : rt_arena_printf(&changes->arena, "\n    %.*s = {0};", length, text + parts[i].begin);
        if (!local)
            continue;
        hx_change_begin(changes);
        for (size_t at = 0; hx_unit_next(text, at, size, &unit); at = unit.range.end)
            leave_out_in(text, &unit, function->name, count, i, changes);
        hx_change_edit(changes, (struct hx_range){body, body}, local);
    }
}

struct rt_error *hx_reduce_parameters(struct hx_reduction *reduction) {
    return try_functions(reduction, collect_parameters);
}
