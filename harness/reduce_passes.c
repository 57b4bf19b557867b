/* Candidates from the text itself, level by level, the largest parts first: what main does not need,
 * statements, blocks without their heads, expressions, top-level forms. A pass collects changes that are
 * independent of each other and tries them in chunks, all at once, then halves, to single ones. */
#include "harness/reduce.h"
#include "harness/reduce_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 12, MAX_ROUNDS = 4 };

/* One change: a part that goes, or two (a block's head and its end). */
struct change {
    struct hx_edit edits[2];
    size_t count;
    bool is_made;
};

struct changes {
    struct change *items;
    size_t count, capacity;
    struct rt_arena arena; /* of texts that are put in */
    bool failed;
};

static void changes_init(struct changes *changes) {
    *changes = (struct changes){0};
    rt_arena_init(&changes->arena, 0);
}

static void changes_clear(struct changes *changes) {
    free(changes->items);
    rt_arena_clear(&changes->arena);
}

static void add(struct changes *changes, struct change change) {
    if (changes->count == changes->capacity) {
        const size_t capacity = 2 * changes->capacity + 64;
        struct change *grown = realloc(changes->items, capacity * sizeof *grown);
        if (!grown) {
            changes->failed = true;
            return;
        }
        changes->items = grown;
        changes->capacity = capacity;
    }
    changes->items[changes->count++] = change;
}

static void add_edit(struct changes *changes, size_t begin, size_t end, const char *with) {
    add(changes, (struct change){.edits = {{{begin, end}, with}}, .count = 1});
}

/* ---- Trying them ---- */

/* The text with all changes made so far, and those of the chunk. */
static void apply(const struct hx_buffer *text, const struct changes *changes, size_t first, size_t last,
                  struct hx_edit *edits, struct hx_buffer *ret) {
    size_t count = 0;

    for (size_t i = 0; i < changes->count; i++)
        if (changes->items[i].is_made || (first <= i && i < last))
            for (size_t k = 0; k < changes->items[i].count; k++)
                edits[count++] = changes->items[i].edits[k];
    ret->size = 0;
    hx_edit(hx_buffer_string(text), text->size, edits, count, ret);
}

static bool is_new(const struct changes *changes, size_t first, size_t last) {
    for (size_t i = first; i < last; i++)
        if (!changes->items[i].is_made)
            return true;
    return false;
}

static void set_best(struct hx_reduction *reduction, const struct hx_buffer *text) {
    reduction->best.size = 0;
    hx_buffer_append(&reduction->best, text->bytes, text->size);
}

/* One sweep over all changes, from the last to the first: what is declared goes after what uses it. */
static struct rt_error *sweep(struct hx_reduction *reduction, const struct hx_buffer *text,
                              struct changes *changes, size_t chunk, struct hx_edit *edits) {
    struct hx_buffer candidates[HX_MAX_TRIALS] = {0};
    size_t firsts[HX_MAX_TRIALS], lasts[HX_MAX_TRIALS], end = changes->count;
    struct rt_error *error = NULL;

    while (end > 0 && !error && !hx_reduction_is_over(reduction)) {
        size_t count = 0, next = end, index;
        while (next > 0 && count < reduction->jobs) {
            lasts[count] = next;
            next = firsts[count] = next > chunk ? next - chunk : 0;
            if (!is_new(changes, firsts[count], lasts[count]))
                continue;
            apply(text, changes, firsts[count], lasts[count], edits, &candidates[count]);
            if (candidates[count].failed)
                error = rt_error_out_of_memory();
            count++;
        }
        if (!error)
            error = hx_trials(reduction, candidates, count, &index);
        if (!error && index < count) {
            for (size_t i = firsts[index]; i < lasts[index]; i++)
                changes->items[i].is_made = true;
            set_best(reduction, &candidates[index]);
            next = firsts[index];
        }
        end = next;
        hx_reduction_progress(reduction, false);
    }
    for (size_t i = 0; i < HX_MAX_TRIALS; i++)
        hx_buffer_clear(&candidates[i]);
    return error;
}

static void mark_made(struct changes *changes, const bool *made) {
    for (size_t i = 0; i < changes->count; i++)
        changes->items[i].is_made = made[i];
}

/* Sweeps without sanitizers, which take longer than all else, and asks them of the outcome: few steps make
 * behaviour undefined that no warning tells of. Where one did, the sweep is undone, and done again with
 * sanitizers, as are those that follow; *ret_sound says whether none did. */
static struct rt_error *sweep_hastily(struct hx_reduction *reduction, const struct hx_buffer *text,
                                      struct changes *changes, size_t chunk, struct hx_edit *edits,
                                      bool *ret_sound) {
    bool *made = calloc(changes->count, sizeof *made);
    struct hx_buffer before = {0};
    struct hx_trial outcome;

    *ret_sound = true;
    for (size_t i = 0; made && i < changes->count; i++)
        made[i] = changes->items[i].is_made;
    hx_buffer_append(&before, reduction->best.bytes, reduction->best.size);
    struct rt_error *error = made && !before.failed ? NULL : rt_error_out_of_memory();
    reduction->is_hasty = true;
    if (!error)
        error = sweep(reduction, text, changes, chunk, edits);
    reduction->is_hasty = false;
    /* The end of the time, or Ctrl-C, waits for this. */
    if (!error && reduction->best.size != before.size) {
        error = hx_trial_start(reduction, 0, reduction->best.bytes, reduction->best.size, &outcome);
        *ret_sound = !error && hx_trial_finish(&outcome) == HX_ANSWER_SAME;
    }
    if (!error && !*ret_sound) {
        set_best(reduction, &before);
        mark_made(changes, made);
        error = sweep(reduction, text, changes, chunk, edits);
    }
    free(made);
    hx_buffer_clear(&before);
    return error;
}

/* From all changes at once to single ones. */
static struct rt_error *sweep_all(struct hx_reduction *reduction, const struct hx_buffer *text,
                                  struct changes *changes, struct hx_edit *edits) {
    struct rt_error *error = NULL;
    bool is_hasty = true;

    for (size_t chunk = changes->count; chunk > 0 && !error && !hx_reduction_is_over(reduction); chunk /= 2)
        error = is_hasty ? sweep_hastily(reduction, text, changes, chunk, edits, &is_hasty)
                         : sweep(reduction, text, changes, chunk, edits);
    return error;
}

/* Makes as many of the changes to the best program as can be. */
static struct rt_error *try_all(struct hx_reduction *reduction, struct changes *changes) {
    struct hx_edit *edits = calloc(2 * changes->count + 1, sizeof *edits);
    struct hx_buffer text = {0};
    struct rt_error *error = NULL;

    hx_buffer_append(&text, reduction->best.bytes, reduction->best.size);
    if (!edits || text.failed || changes->failed)
        error = rt_error_out_of_memory();
    if (!error)
        error = sweep_all(reduction, &text, changes, edits);
    free(edits);
    hx_buffer_clear(&text);
    return error;
}

/* ---- Collecting them ---- */

enum what { DELETE, UNWRAP };

static void collect_units(const char *text, struct hx_range range, unsigned depth, enum what what,
                          struct changes *changes) {
    struct hx_unit unit, next;

    for (size_t at = range.begin; hx_unit_next(text, at, range.end, &unit); at = unit.range.end) {
        /* A function's last `return` has to stay, and what takes it along cannot be. */
        const bool is_last = !hx_unit_next(text, unit.range.end, range.end, &next);
        const bool is_return = hx_word_is(text, unit.range.begin, unit.range.end, "return");
        if (depth == 0 && what == DELETE && !(is_last && is_return))
            add_edit(changes, unit.range.begin, unit.range.end, "");
        if (depth == 0 && what == UNWRAP && unit.block_count > 1 && unit.is_code[1])
            add_edit(changes, unit.blocks[0].end + 1, unit.range.end, ""); /* without `else` */
        for (size_t i = 0; i < unit.block_count; i++) {
            const struct hx_range block = unit.blocks[i];
            if (depth > 0)
                collect_units(text, block, depth - 1, what, changes);
            else if (what == UNWRAP && unit.is_code[i])
                add(changes, (struct change){.edits = {{{unit.range.begin, block.begin}, ""},
                                                       {{block.end, unit.range.end}, ""}},
                                             .count = 2});
        }
    }
}

/* A function's result type: what stands before its name, without storage classes. */
static struct hx_range result_type(const char *text, size_t begin, size_t name) {
    static const char *const others[] = {"static", "inline", "extern"};

    for (size_t i = 0; i < sizeof others / sizeof *others;) {
        begin += strspn(text + begin, " \t\r\n");
        i = hx_word_is(text, begin, name, others[i]) ? (begin += strlen(others[i]), 0) : i + 1;
    }
    while (name > begin && isspace((unsigned char)text[name - 1]))
        name--;
    return (struct hx_range){begin, name};
}

static size_t word_before(const char *text, size_t begin, size_t at);

/* Each function but main returns an object of its type that is all zero, and does nothing else. */
static void collect_bodies(const char *text, size_t size, struct changes *changes) {
    struct hx_unit unit;

    for (size_t at = 0; hx_unit_next(text, at, size, &unit); at = unit.range.end) {
        if (unit.block_count != 1 || !unit.is_code[0])
            continue;
        const size_t begin = unit.range.begin, end = unit.blocks[0].begin;
        const char *bracket = memchr(text + begin, '(', end - begin);
        const size_t open = bracket ? (size_t)(bracket - text) : begin, name = word_before(text, begin, open);
        if (name == open || hx_word_is(text, name, end, "main"))
            continue;
        const struct hx_range type = result_type(text, begin, name);
        const bool is_void = type.end - type.begin == 4 && hx_word_is(text, type.begin, type.end, "void");
        const char *body =
            is_void ? ""
                    : rt_arena_printf(&changes->arena, "\n    %.*s result = {0};\n    return result;\n",
                                      (int)(type.end - type.begin), text + type.begin);
        changes->failed |= !body;
        if (body && strlen(body) < unit.blocks[0].end - unit.blocks[0].begin)
            add_edit(changes, unit.blocks[0].begin, unit.blocks[0].end, body);
    }
}

static bool is_short(const char *text, size_t begin, size_t end) {
    while (begin < end && isspace((unsigned char)text[begin]))
        begin++;
    while (end > begin && isspace((unsigned char)text[end - 1]))
        end--;
    return end - begin <= 1;
}

/* Where the word or keyword in front of a bracket begins; `at` when there is none. */
static size_t word_before(const char *text, size_t begin, size_t at) {
    size_t end = at;

    while (end > begin && text[end - 1] == ' ')
        end--;
    size_t word = end;
    while (word > begin && hx_is_word(text[word - 1]))
        word--;
    return word < end ? word : at;
}

/* A group in parentheses: 0 in its place, with the function that it calls; a cast goes. */
static void collect_group(const char *text, struct hx_range statement, size_t open, size_t close,
                          struct changes *changes) {
    static const char *const conditions[] = {"if", "while", "for", "sizeof", "return"};
    const size_t word = word_before(text, statement.begin, open);
    const char after = text[close + strspn(text + close, " \t\r\n")];
    size_t kind = 0;

    while (kind < sizeof conditions / sizeof *conditions && !hx_word_is(text, word, open, conditions[kind]))
        kind++;
    if (kind == 2) /* a loop's three expressions */
        return;
    if (word < open && kind < 2) {
        if (!is_short(text, open + 1, close - 1)) {
            add_edit(changes, open + 1, close - 1, "0");
            add_edit(changes, open + 1, close - 1, "1");
        }
    } else if (word < open && kind == sizeof conditions / sizeof *conditions) {
        add_edit(changes, word, close, "0");
    } else if (hx_is_word(after) || strchr("(&*~!", after)) {
        add_edit(changes, open, close, "");
    } else {
        add_edit(changes, open, close, "0");
    }
}

/* Expressions within one statement: what is assigned or returned (depth 0), then groups by their depth. */
static void collect_expressions(const char *text, struct hx_range statement, unsigned depth,
                                struct changes *changes) {
    size_t brackets = 0;

    for (size_t i = statement.begin; i < statement.end; i++) {
        const size_t past = hx_skip_opaque(text, i, statement.end);
        if (past > i) {
            i = past - 1;
            continue;
        }
        const bool is_return = depth == 0 && hx_word_is(text, i, statement.end, "return");
        if (text[i] == '=' && text[i + 1] == '=') {
            i++;
        } else if (is_return || (depth == 0 && brackets == 0 && text[i] == '=')) {
            const size_t from = i + (is_return ? strlen("return") : 1);
            const size_t end = statement.end - (text[statement.end - 1] == ';');
            const size_t start = from + strspn(text + from, " \t\r\n");
            if (text[start] == '{' && end > start + 3)
                add_edit(changes, start + 1, hx_bracket_end(text, start, end) - 1, "0");
            else if (start < end && !is_short(text, start, end))
                add_edit(changes, from, end, is_return ? " 0" : "0");
            return;
        } else if (text[i] == '(' && ++brackets == depth) {
            collect_group(text, statement, i, hx_bracket_end(text, i, statement.end), changes);
        } else if (text[i] == ')' && brackets > 0) {
            brackets--;
        }
    }
}

/* A statement becomes one of the calls in it. */
static void collect_calls(const char *text, struct hx_range statement, struct changes *changes) {
    static const char *const keywords[] = {"if", "while", "for", "sizeof", "return", "else", "do"};

    for (size_t i = statement.begin; i < statement.end; i++) {
        const size_t word = word_before(text, statement.begin, i);
        bool is_call = text[i] == '(' && word < i && word > statement.begin;
        for (size_t k = 0; k < sizeof keywords / sizeof *keywords; k++)
            is_call = is_call && !hx_word_is(text, word, i, keywords[k]);
        if (!is_call)
            continue;
        const char *call = rt_arena_printf(&changes->arena, "%.*s;",
                                           (int)(hx_bracket_end(text, i, statement.end) - word), text + word);
        changes->failed |= !call;
        if (call)
            add_edit(changes, statement.begin, statement.end, call);
    }
}

/* `depth` for calls instead of expressions. */
enum { CALLS = MAX_DEPTH };

/* Of every statement in every body, and of top-level variables. */
static void collect_level(const char *text, struct hx_range range, bool is_top, unsigned depth,
                          struct changes *changes) {
    struct hx_unit unit;

    for (size_t at = range.begin; hx_unit_next(text, at, range.end, &unit); at = unit.range.end) {
        struct hx_range own = unit.range;
        if (text[own.begin] == '#')
            continue;
        /* A statement with blocks has its head for itself. */
        for (size_t i = 0; i < unit.block_count; i++) {
            own.end = own.end < unit.blocks[i].begin ? own.end : unit.blocks[i].begin - 1;
            if (unit.is_code[i])
                collect_level(text, unit.blocks[i], false, depth, changes);
        }
        if (depth == CALLS && !is_top)
            collect_calls(text, own, changes);
        else if (depth != CALLS && (!is_top || (unit.block_count == 0 && depth == 0)))
            collect_expressions(text, own, depth, changes);
    }
}

/* ---- The passes ---- */

static struct rt_error *drop_unneeded(struct hx_reduction *reduction) {
    struct hx_buffer candidate = {0};
    struct rt_error *error = NULL;
    bool is_same;

    reduction->pass = "what main does not need";
    hx_keep_reachable(hx_buffer_string(&reduction->best), reduction->best.size, &candidate);
    if (candidate.failed || candidate.size < reduction->best.size)
        error = hx_try(reduction, &candidate, &is_same);
    hx_buffer_clear(&candidate);
    return error;
}

/* All levels of one kind; those below the last that has anything have nothing. */
static struct rt_error *pass_units(struct hx_reduction *reduction, enum what what, unsigned first) {
    struct rt_error *error = NULL;

    reduction->pass = what == UNWRAP ? "blocks" : first == 0 ? "top-level forms" : "statements";
    for (unsigned depth = first; depth < MAX_DEPTH && !error && !hx_reduction_is_over(reduction); depth++) {
        struct changes changes;
        const struct hx_range all = {0, reduction->best.size};
        changes_init(&changes);
        collect_units(hx_buffer_string(&reduction->best), all, depth, what, &changes);
        const bool is_last = what == DELETE && (changes.count == 0 || first == 0);
        error = try_all(reduction, &changes);
        changes_clear(&changes);
        if (is_last)
            break;
    }
    return error;
}

static struct rt_error *pass_bodies(struct hx_reduction *reduction) {
    struct changes changes;

    reduction->pass = "functions' bodies";
    changes_init(&changes);
    collect_bodies(hx_buffer_string(&reduction->best), reduction->best.size, &changes);
    struct rt_error *error = try_all(reduction, &changes);
    changes_clear(&changes);
    return error;
}

static struct rt_error *pass_expressions(struct hx_reduction *reduction) {
    struct rt_error *error = NULL;

    reduction->pass = "expressions";
    for (unsigned depth = 0; depth <= CALLS && !error && !hx_reduction_is_over(reduction); depth++) {
        struct changes changes;
        const struct hx_range all = {0, reduction->best.size};
        changes_init(&changes);
        collect_level(hx_buffer_string(&reduction->best), all, true, depth, &changes);
        error = try_all(reduction, &changes);
        changes_clear(&changes);
    }
    return error;
}

struct rt_error *hx_reduce_passes(struct hx_reduction *reduction) {
    struct rt_error *error = NULL;
    size_t before = SIZE_MAX;

    /* A round that takes away less than a tenth is left to C-Vise. */
    for (int round = 0; round < MAX_ROUNDS && !error && reduction->best.size < before - before / 10;
         round++) {
        before = reduction->best.size;
        error = drop_unneeded(reduction);
        if (!error)
            error = pass_bodies(reduction);
        if (!error)
            error = drop_unneeded(reduction);
        if (!error)
            error = pass_units(reduction, DELETE, 1);
        if (!error)
            error = drop_unneeded(reduction);
        if (!error)
            error = pass_units(reduction, UNWRAP, 1);
        if (!error)
            error = pass_expressions(reduction);
        if (!error)
            error = drop_unneeded(reduction);
        if (!error)
            error = pass_units(reduction, DELETE, 0);
        if (hx_reduction_is_over(reduction))
            break;
    }
    return error;
}
