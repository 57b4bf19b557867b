/* Candidates from the text itself, level by level, the largest parts first: what main does not need,
 * functions' bodies, statements, blocks without their heads, expressions, top-level forms. */
#include "harness/reduce_changes.h"

#include <ctype.h>
#include <string.h>

enum { MAX_DEPTH = 12, MAX_ROUNDS = 4 };

/* ---- Collecting them ---- */

enum what { DELETE, UNWRAP };

/* What is around the block goes. */
static void unwrap(struct hx_range unit, struct hx_range block, struct hx_changes *changes) {
    hx_change_begin(changes);
    hx_change_edit(changes, (struct hx_range){unit.begin, block.begin}, "");
    hx_change_edit(changes, (struct hx_range){block.end, unit.end}, "");
}

/* Declarations among statements are left to those passes that know what is named. */
static void collect_units(const char *text, struct hx_range range, bool is_code, unsigned depth,
                          enum what what, struct hx_changes *changes) {
    struct hx_unit unit, next;

    for (size_t at = range.begin; hx_unit_next(text, at, range.end, &unit); at = unit.range.end) {
        /* A function's last `return` has to stay, and what takes it along cannot be. */
        const bool is_last = !hx_unit_next(text, unit.range.end, range.end, &next);
        const bool is_return = hx_word_is(text, unit.range.begin, unit.range.end, "return");
        const bool is_declared = is_code && hx_is_declaration(text, unit.range);
        if (depth == 0 && what == DELETE && !(is_last && is_return) && !is_declared)
            hx_change_add(changes, (struct hx_range){unit.range.begin, unit.range.end}, "");
        if (depth == 0 && what == UNWRAP && unit.block_count > 1 && unit.is_code[1])
            hx_change_add(changes, (struct hx_range){unit.blocks[0].end + 1, unit.range.end},
                          ""); /* without `else` */
        for (size_t i = 0; i < unit.block_count; i++) {
            const struct hx_range block = unit.blocks[i];
            if (depth > 0)
                collect_units(text, block, unit.is_code[i], depth - 1, what, changes);
            else if (what == UNWRAP && unit.is_code[i])
                unwrap(unit.range, block, changes);
        }
    }
}

static bool is_short(const char *text, size_t begin, size_t end) {
    while (begin < end && isspace((unsigned char)text[begin]))
        begin++;
    while (end > begin && isspace((unsigned char)text[end - 1]))
        end--;
    return end - begin <= 1;
}

/* A group in parentheses: 0 in its place, with the function that it calls; a cast goes. */
static void collect_group(const char *text, struct hx_range statement, size_t open, size_t close,
                          struct hx_changes *changes) {
    static const char *const conditions[] = {"if", "while", "for", "sizeof", "return"};
    const size_t word = hx_word_before(text, statement.begin, open).begin;
    const char after = text[close + strspn(text + close, " \t\r\n")];
    size_t kind = 0;

    while (kind < sizeof conditions / sizeof *conditions && !hx_word_is(text, word, open, conditions[kind]))
        kind++;
    if (kind == 2) /* a loop's three expressions */
        return;
    if (word < open && kind < 2) {
        if (!is_short(text, open + 1, close - 1)) {
            hx_change_add(changes, (struct hx_range){open + 1, close - 1}, "0");
            hx_change_add(changes, (struct hx_range){open + 1, close - 1}, "1");
        }
    } else if (word < open && kind == sizeof conditions / sizeof *conditions) {
        hx_change_add(changes, (struct hx_range){word, close}, "0");
    } else if (hx_is_word(after) || strchr("(&*~!", after)) {
        hx_change_add(changes, (struct hx_range){open, close}, "");
    } else {
        hx_change_add(changes, (struct hx_range){open, close}, "0");
    }
}

/* Expressions within one statement: what is assigned or returned (depth 0), then groups by their depth. */
static void collect_expressions(const char *text, struct hx_range statement, unsigned depth,
                                struct hx_changes *changes) {
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
                hx_change_add(changes, (struct hx_range){start + 1, hx_bracket_end(text, start, end) - 1},
                              "0");
            else if (start < end && !is_short(text, start, end))
                hx_change_add(changes, (struct hx_range){from, end}, is_return ? " 0" : "0");
            return;
        } else if (text[i] == '(' && ++brackets == depth) {
            collect_group(text, statement, i, hx_bracket_end(text, i, statement.end), changes);
        } else if (text[i] == ')' && brackets > 0) {
            brackets--;
        }
    }
}

/* A statement becomes one of the calls in it. */
static void collect_calls(const char *text, struct hx_range statement, struct hx_changes *changes) {
    static const char *const keywords[] = {"if", "while", "for", "sizeof", "return", "else", "do"};

    for (size_t i = statement.begin; i < statement.end; i++) {
        const size_t word = hx_word_before(text, statement.begin, i).begin;
        bool is_call = text[i] == '(' && word < i && word > statement.begin;
        for (size_t k = 0; k < sizeof keywords / sizeof *keywords; k++)
            is_call = is_call && !hx_word_is(text, word, i, keywords[k]);
        if (!is_call)
            continue;
        const char *call = rt_arena_printf(&changes->arena, "%.*s;",
                                           (int)(hx_bracket_end(text, i, statement.end) - word), text + word);
        changes->failed |= !call;
        if (call)
            hx_change_add(changes, (struct hx_range){statement.begin, statement.end}, call);
    }
}

/* `depth` for calls instead of expressions. */
enum { CALLS = MAX_DEPTH };

/* Of every statement in every body, and of top-level variables. */
static void collect_level(const char *text, struct hx_range range, bool is_top, unsigned depth,
                          struct hx_changes *changes) {
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

/* ---- Initialisers ---- */

/* Each declarator without an initialiser gets one. */
static void initialise(const char *text, struct hx_range statement, struct hx_changes *changes) {
    bool is_set = false;

    for (size_t i = statement.begin; i < statement.end;) {
        const size_t past = hx_skip_opaque(text, i, statement.end);
        is_set |= text[i] == '=' || text[i] == '(';
        if ((text[i] == ',' || text[i] == ';') && past == i) {
            if (!is_set)
                hx_change_add(changes, (struct hx_range){i, i}, " = {0}");
            is_set = false;
        }
        i = past > i ? past : strchr("([{", text[i]) ? hx_bracket_end(text, i, statement.end) : i + 1;
    }
}

static void collect_initialisers(const char *text, struct hx_range block, struct hx_changes *changes) {
    struct hx_unit unit;

    for (size_t at = block.begin; hx_unit_next(text, at, block.end, &unit); at = unit.range.end) {
        if (unit.block_count == 0 && hx_is_declaration(text, unit.range))
            initialise(text, unit.range, changes);
        for (size_t i = 0; i < unit.block_count; i++)
            if (unit.is_code[i])
                collect_initialisers(text, unit.blocks[i], changes);
    }
}

/* Locals that are never without a value: then what gives them one can go, and nothing reads what is not set.
 */
static struct rt_error *pass_initialisers(struct hx_reduction *reduction) {
    const char *text = hx_buffer_string(&reduction->best);
    struct hx_changes changes;
    struct hx_unit unit;

    hx_changes_init(&changes);
    for (size_t at = 0; hx_unit_next(text, at, reduction->best.size, &unit); at = unit.range.end)
        if (unit.block_count == 1 && unit.is_code[0])
            collect_initialisers(text, unit.blocks[0], &changes);
    /* It makes nothing smaller, so that single ones are not worth their trials. */
    struct rt_error *error = hx_changes_try(reduction, &changes, changes.count / 4 + 1);
    hx_changes_clear(&changes);
    return error;
}

/* ---- The passes ---- */

static struct rt_error *pass_unneeded(struct hx_reduction *reduction) {
    struct hx_buffer candidate = {0};
    struct rt_error *error = NULL;
    bool is_same;

    hx_keep_reachable(hx_buffer_string(&reduction->best), reduction->best.size, &candidate);
    if (candidate.failed || candidate.size < reduction->best.size)
        error = hx_try(reduction, &candidate, &is_same);
    hx_buffer_clear(&candidate);
    return error;
}

/* All levels of one kind; those below the last that has anything have nothing. */
static struct rt_error *pass_units(struct hx_reduction *reduction, enum what what, unsigned first) {
    struct rt_error *error = NULL;

    for (unsigned depth = first; depth < MAX_DEPTH && !error && !hx_reduction_is_over(reduction); depth++) {
        struct hx_changes changes;
        const struct hx_range all = {0, reduction->best.size};
        hx_changes_init(&changes);
        collect_units(hx_buffer_string(&reduction->best), all, false, depth, what, &changes);
        const bool is_last = what == DELETE && (changes.count == 0 || first == 0);
        error = hx_changes_try(reduction, &changes, 1);
        hx_changes_clear(&changes);
        if (is_last)
            break;
    }
    return error;
}

static struct rt_error *try_level(struct hx_reduction *reduction, unsigned depth) {
    const struct hx_range all = {0, reduction->best.size};
    struct hx_changes changes;

    hx_changes_init(&changes);
    collect_level(hx_buffer_string(&reduction->best), all, true, depth, &changes);
    struct rt_error *error = hx_changes_try(reduction, &changes, 1);
    hx_changes_clear(&changes);
    return error;
}

static struct rt_error *pass_hoist(struct hx_reduction *reduction) {
    return try_level(reduction, CALLS);
}

static struct rt_error *pass_expressions(struct hx_reduction *reduction) {
    struct rt_error *error = NULL;

    for (unsigned depth = 0; depth < CALLS && !error && !hx_reduction_is_over(reduction); depth++)
        error = try_level(reduction, depth);
    return error;
}

static struct rt_error *pass_statements(struct hx_reduction *reduction) {
    return pass_units(reduction, DELETE, 1);
}

static struct rt_error *pass_blocks(struct hx_reduction *reduction) {
    return pass_units(reduction, UNWRAP, 1);
}

static struct rt_error *pass_forms(struct hx_reduction *reduction) {
    return pass_units(reduction, DELETE, 0);
}

/* A round; what makes the program smaller at the lowest price comes first. */
static const struct {
    const char *name;
    struct rt_error *(*run)(struct hx_reduction *reduction);
} passes[] = {
    {"what main does not need", pass_unneeded},
    {"an early end", hx_reduce_end},
    {"what never runs", hx_reduce_idle},
    {"what main does not need", pass_unneeded},
    {"what is never named", hx_reduce_unused},
    {"initialisers", pass_initialisers},
    {"calls", hx_reduce_calls},
    {"what main does not need", pass_unneeded},
    {"functions' bodies", hx_reduce_bodies},
    {"what main does not need", pass_unneeded},
    {"prototypes", hx_reduce_prototypes},
    {"names of types", hx_reduce_typedefs},
    {"statements", pass_statements},
    {"calls alone", pass_hoist},
    {"what is never named", hx_reduce_unused},
    {"what main does not need", pass_unneeded},
    {"parameters", hx_reduce_parameters},
    {"blocks", pass_blocks},
    {"expressions", pass_expressions},
    {"what is never named", hx_reduce_unused},
    {"what main does not need", pass_unneeded},
    {"top-level forms", pass_forms},
};

struct rt_error *hx_reduce_passes(struct hx_reduction *reduction) {
    struct rt_error *error = NULL;
    size_t before = SIZE_MAX;

    /* A round that takes away less than a tenth is left to C-Vise. */
    for (int round = 0; round < MAX_ROUNDS && !error && reduction->best.size < before - before / 10;
         round++) {
        before = reduction->best.size;
        for (size_t i = 0; i < sizeof passes / sizeof *passes && !error; i++) {
            if (hx_reduction_is_over(reduction))
                return NULL;
            hx_reduction_begin(reduction, passes[i].name);
            error = passes[i].run(reduction);
        }
    }
    return error;
}
