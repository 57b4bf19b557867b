/* Who is wrong, when more than two witnesses were compared pair by pair.
 *
 * Findings of several pairs about one thing are one group. Of each group every pair has an answer: it
 * differs, it agrees, or it knows nothing (it never came there). Witnesses that agree form classes. One part
 * that all witnesses outside of one class rest on, and no witness inside, explains the classes: it is to
 * blame. */
#include "oracle/words.h"

#include <string.h>

/* What findings can be about. Of one thing, different pairs may see different kinds of difference. */
enum subject { ON_PLACE, ON_LINE, ON_STACK, ON_VARIABLE, ON_OUTPUT };

enum answer { KNOWS_NOTHING, AGREES, DIFFERS };

enum { MAX_PAIRS = OR_MAX_WITNESSES * (OR_MAX_WITNESSES - 1) / 2, NO_CLASS = UINT32_MAX };

struct group {
    enum subject subject;
    const struct or_finding *first;
    const uint32_t *pair;                                   /* the witnesses of `first` */
    const struct or_testimony *testimony[OR_MAX_WITNESSES]; /* NULL: no finding shows it */
    enum answer answers[MAX_PAIRS];
    const char *reasons[MAX_PAIRS]; /* of KNOWS_NOTHING */
};

struct blamer {
    const struct or_account *witnesses;
    uint32_t witness_count;
    const struct or_pair_report *pairs;
    size_t pair_count;
    struct rt_arena *arena;
    bool *taken[MAX_PAIRS]; /* findings that have a group */
};

static enum subject subject_of(const struct or_finding *finding) {
    switch (finding->kind) {
    case OR_LOCATION: return ON_PLACE;
    case OR_LINE_MISSING: return ON_LINE;
    case OR_STACK: return ON_STACK;
    case OR_OUTPUT: return ON_OUTPUT;
    default: return ON_VARIABLE;
    }
}

static bool same_place(const struct or_testimony *a, const struct or_testimony *b) {
    return a->line == b->line && rt_same_text(a->function, b->function);
}

/* ---- Groups ---- */

/* A global that differs from a pair's first stop on, in whatever function its stops begin. */
static bool is_from_the_start(const struct or_finding *finding) {
    return finding->is_global && finding->stop == 1;
}

static bool belongs(const struct group *group, const struct or_pair_report *pair,
                    const struct or_finding *finding) {
    const struct or_finding *first = group->first;
    bool has_common = false;

    if (subject_of(finding) != group->subject)
        return false;
    if (group->subject == ON_OUTPUT)
        return true;
    if (group->subject == ON_VARIABLE && !or_names_one_variable(first->variable, finding->variable))
        return false;
    if (group->subject == ON_VARIABLE && is_from_the_start(first) && is_from_the_start(finding))
        return true;
    if (group->subject != ON_PLACE)
        return first->line == finding->line && rt_same_text(first->function, finding->function);
    /* Where the next stops differ, a witness is known by where it stands. */
    for (int i = 0; i < 2; i++) {
        const struct or_testimony *known = group->testimony[pair->witness[i]];
        if (known && !same_place(known, &finding->witnesses[i]))
            return false;
        has_common |= known != NULL;
    }
    return has_common;
}

static void take(struct blamer *blamer, struct group *group, size_t p, size_t f) {
    const struct or_finding *finding = &blamer->pairs[p].findings[f];

    blamer->taken[p][f] = true;
    group->answers[p] = DIFFERS;
    for (int i = 0; i < 2; i++) {
        const struct or_testimony **testimony = &group->testimony[blamer->pairs[p].witness[i]];
        if (!*testimony)
            *testimony = &finding->witnesses[i];
    }
}

/* Takes all findings about the same thing, at most one of each pair. */
static void gather(struct blamer *blamer, struct group *group) {
    for (bool is_more = true; is_more;) {
        is_more = false;
        for (size_t p = 0; p < blamer->pair_count; p++)
            for (size_t f = 0; f < blamer->pairs[p].finding_count && group->answers[p] != DIFFERS; f++)
                if (!blamer->taken[p][f] &&
                    belongs(group, &blamer->pairs[p], &blamer->pairs[p].findings[f])) {
                    take(blamer, group, p, f);
                    is_more = true;
                }
    }
}

/* ---- The answers of pairs that show no such finding ---- */

static const struct or_place *place_in(const struct or_pair_report *pair, const char *function,
                                       uint32_t line) {
    for (size_t i = 0; i < pair->place_count; i++)
        if (pair->places[i].line == line && rt_same_text(pair->places[i].function, function))
            return &pair->places[i];
    return NULL;
}

/* The oracle reports a variable once in a function: what came behind that is not known. The stops of two
 * views of one module are not numbered as others are. */
static const struct or_finding *earlier_report(const struct group *group, const struct or_pair_report *pair) {
    for (size_t i = 0; group->subject == ON_VARIABLE && i < pair->finding_count; i++) {
        const struct or_finding *finding = &pair->findings[i];
        if (subject_of(finding) == ON_VARIABLE && rt_same_text(finding->function, group->first->function) &&
            or_names_one_variable(finding->variable, group->first->variable) &&
            (pair->is_one_module || finding->stop <= group->first->stop))
            return finding;
    }
    return NULL;
}

static const char own_rules[] = "its compiler gives lines to code by rules of its own";

static bool has_own_lines(const struct blamer *blamer, const struct or_pair_report *pair) {
    return blamer->witnesses[pair->witness[0]].has_own_lines ||
           blamer->witnesses[pair->witness[1]].has_own_lines;
}

/* Whether agreement counts in a pair with a compiler that has rules of its own: about variables, and about a
 * stop that the other witness makes and not everybody. */
static bool counts_about_lines(const struct group *group, const struct or_pair_report *pair) {
    bool has_stop = group->subject == ON_VARIABLE;

    for (int i = 0; i < 2 && group->subject == ON_PLACE; i++) {
        const struct or_testimony *testimony = group->testimony[pair->witness[i]];
        has_stop |= testimony && testimony->function && testimony->skipped > 0;
    }
    return has_stop;
}

static enum answer line_answer(const struct blamer *blamer, const struct group *group,
                               const struct or_pair_report *pair, const char **ret_reason) {
    const struct or_place *place = place_in(pair, group->first->function, group->first->line);

    for (int i = 0; i < 2; i++)
        if (blamer->witnesses[pair->witness[i]].has_own_lines && (!place || !place->in[i])) {
            *ret_reason = own_rules;
            return KNOWS_NOTHING;
        }
    return !place || place->in[0] == place->in[1] ? AGREES : DIFFERS;
}

/* True when the pair compared a stop where the group's witnesses stood. */
static bool came_there(const struct group *group, const struct or_pair_report *pair) {
    bool is_known = false;

    for (int i = 0; i < 2 && group->subject == ON_PLACE; i++) {
        const struct or_testimony *known = group->testimony[pair->witness[i]];
        const struct or_place *place = known ? place_in(pair, known->function, known->line) : NULL;
        is_known |= known && known->function;
        if (place && place->visits)
            return true;
    }
    if (is_known)
        return false;
    const struct or_place *place = place_in(pair, group->first->function, group->first->line);
    return place && place->visits;
}

static enum answer silent_answer(const struct blamer *blamer, const struct group *group,
                                 const struct or_pair_report *pair, const char **ret_reason) {
    const struct or_finding *first = group->first, *earlier;

    *ret_reason = pair->problem;
    if (pair->problem)
        return KNOWS_NOTHING;
    if (group->subject == ON_OUTPUT) {
        *ret_reason = "it did not come to the programs' end";
        return pair->is_complete ? AGREES : KNOWS_NOTHING;
    }
    *ret_reason = "the output differs, and so debug information was not compared";
    if (pair->is_output)
        return KNOWS_NOTHING;
    if (group->subject == ON_LINE)
        return line_answer(blamer, group, pair, ret_reason);
    *ret_reason = own_rules;
    if (has_own_lines(blamer, pair) && !counts_about_lines(group, pair))
        return KNOWS_NOTHING;
    *ret_reason = "it had more findings than it kept";
    if (pair->has_left_out)
        return KNOWS_NOTHING;
    if ((earlier = earlier_report(group, pair))) {
        *ret_reason =
            rt_arena_printf(blamer->arena, "it reported the variable in line %u already", earlier->line);
        return KNOWS_NOTHING;
    }
    *ret_reason = rt_arena_printf(blamer->arena, "it did not come to %s:%u",
                                  first->function ? first->function : "the place", first->line);
    bool is_behind = !pair->is_complete && pair->stops < first->stop;
    return came_there(group, pair) && !is_behind ? AGREES : KNOWS_NOTHING;
}

/* The answer of the pair of these witnesses; KNOWS_NOTHING when there is none. */
static enum answer answer_of(const struct blamer *blamer, const struct group *group, uint32_t a, uint32_t b) {
    for (size_t p = 0; p < blamer->pair_count; p++) {
        const uint32_t *witness = blamer->pairs[p].witness;
        if ((witness[0] == a && witness[1] == b) || (witness[0] == b && witness[1] == a))
            return group->answers[p];
    }
    return KNOWS_NOTHING;
}

/* A module's view and its compiled code were compared at the places that compiled code finds. That they agree
 * there says nothing of what the view shows elsewhere, where a third witness agrees with the code alone. */
static void doubt_found_places(const struct blamer *blamer, struct group *group) {
    for (size_t p = 0; p < blamer->pair_count && group->subject == ON_PLACE; p++) {
        const struct or_pair_report *pair = &blamer->pairs[p];
        const bool finds = blamer->witnesses[pair->witness[0]].may_find_places;
        const uint32_t code = pair->witness[!finds], view = pair->witness[finds];
        if (!pair->is_one_module || finds == blamer->witnesses[pair->witness[1]].may_find_places)
            continue;
        for (uint32_t w = 0; w < blamer->witness_count && group->answers[p] == AGREES; w++)
            if (answer_of(blamer, group, code, w) == AGREES && answer_of(blamer, group, view, w) == DIFFERS) {
                group->answers[p] = KNOWS_NOTHING;
                group->reasons[p] = "rows over markers are looked at where compiled code has them";
            }
    }
}

static void ask_all(const struct blamer *blamer, struct group *group) {
    for (size_t p = 0; p < blamer->pair_count; p++) {
        const struct or_pair_report *pair = &blamer->pairs[p];
        bool is_about_lines = group->subject == ON_PLACE || group->subject == ON_STACK;
        if (group->answers[p] != DIFFERS) {
            group->answers[p] = silent_answer(blamer, group, pair, &group->reasons[p]);
        } else if (is_about_lines && has_own_lines(blamer, pair)) {
            group->answers[p] = KNOWS_NOTHING;
            group->reasons[p] = own_rules;
        }
    }
    doubt_found_places(blamer, group);
}

/* ---- Classes of witnesses that agree, and what explains them ---- */

struct classes {
    uint32_t of[OR_MAX_WITNESSES]; /* NO_CLASS: no answer tells where it belongs */
    uint32_t size[OR_MAX_WITNESSES];
    uint32_t count, voters;
    bool is_torn; /* two agree with a third and differ from each other */
};

/* Joins those that agree; a class is named by its first member. */
static void join(const struct blamer *blamer, const struct group *group, struct classes *ret) {
    for (uint32_t w = 0; w < blamer->witness_count; w++)
        ret->of[w] = w;
    for (size_t p = 0; p < blamer->pair_count; p++) {
        uint32_t a = ret->of[blamer->pairs[p].witness[0]], b = ret->of[blamer->pairs[p].witness[1]];
        uint32_t low = a < b ? a : b, high = a < b ? b : a;
        for (uint32_t w = 0; w < blamer->witness_count && group->answers[p] == AGREES; w++)
            if (ret->of[w] == high)
                ret->of[w] = low;
    }
    for (uint32_t w = 0; w < blamer->witness_count; w++)
        ret->size[ret->of[w]]++;
}

static bool differ_somewhere(const struct blamer *blamer, const struct group *group,
                             const struct classes *classes, uint32_t a, uint32_t b) {
    for (size_t p = 0; p < blamer->pair_count; p++) {
        uint32_t x = classes->of[blamer->pairs[p].witness[0]], y = classes->of[blamer->pairs[p].witness[1]];
        if (group->answers[p] == DIFFERS && ((x == a && y == b) || (x == b && y == a)))
            return true;
    }
    return false;
}

/* A witness that agrees with nobody votes when it differs from every class: else it may belong to one. */
static void drop_unknown(const struct blamer *blamer, const struct group *group, struct classes *classes) {
    for (uint32_t w = 0; w < blamer->witness_count; w++) {
        if (classes->of[w] != w || classes->size[w] > 1)
            continue;
        bool is_known = group->testimony[w] != NULL;
        for (uint32_t c = 0; c < blamer->witness_count && is_known; c++)
            if (classes->of[c] == c && c != w && (classes->size[c] > 1 || c < w))
                is_known = differ_somewhere(blamer, group, classes, w, c);
        if (!is_known)
            classes->of[w] = NO_CLASS;
    }
}

static void classify(const struct blamer *blamer, const struct group *group, struct classes *ret) {
    *ret = (struct classes){.count = 0};
    join(blamer, group, ret);
    for (uint32_t w = 0; w < blamer->witness_count; w++)
        ret->is_torn |= differ_somewhere(blamer, group, ret, w, w);
    drop_unknown(blamer, group, ret);
    for (uint32_t w = 0; w < blamer->witness_count; w++) {
        ret->count += ret->of[w] == w;
        ret->voters += ret->of[w] != NO_CLASS;
    }
}

static bool rests_on(const struct or_account *witness, const char *part) {
    for (size_t i = 0; i < witness->part_count; i++)
        if (!strcmp(witness->parts[i].name, part))
            return true;
    return false;
}

/* The class that would be right if this part alone were at fault: the voters that do not rest on it have to
 * be one whole class. NO_CLASS when they are not. */
static uint32_t right_class(const struct blamer *blamer, const struct group *group,
                            const struct classes *classes, const char *part) {
    uint32_t right = NO_CLASS;

    for (uint32_t w = 0; w < blamer->witness_count; w++) {
        if (classes->of[w] == NO_CLASS || rests_on(&blamer->witnesses[w], part))
            continue;
        if (right != NO_CLASS && right != classes->of[w])
            return NO_CLASS;
        right = classes->of[w];
    }
    for (uint32_t w = 0; w < blamer->witness_count; w++)
        if (right != NO_CLASS && classes->of[w] == right && rests_on(&blamer->witnesses[w], part) &&
            !((group->subject == ON_PLACE || group->subject == ON_LINE) &&
              blamer->witnesses[w].may_find_places))
            return NO_CLASS;
    return right;
}

/* "native, native:gcc against wasm, jit" */
static const char *sides_in_words(const struct blamer *blamer, const struct classes *classes) {
    const char *words = "";

    for (uint32_t c = 0; c < blamer->witness_count && words; c++) {
        const char *before = *words ? " against " : "";
        for (uint32_t w = 0; w < blamer->witness_count && words; w++) {
            if (classes->of[w] != c)
                continue;
            words = rt_arena_printf(blamer->arena, "%s%s%s", words, before, blamer->witnesses[w].name);
            before = ", ";
        }
    }
    return words;
}

/* Why the witnesses without a class said nothing: of each the first reason. */
static const char *silence_in_words(const struct blamer *blamer, const struct group *group,
                                    const struct classes *classes) {
    const char *words = "";

    for (uint32_t w = 0; w < blamer->witness_count && words; w++) {
        const char *reason = NULL;
        for (size_t p = 0; p < blamer->pair_count && !reason; p++) {
            const uint32_t *pair = blamer->pairs[p].witness;
            if (pair[0] == w || pair[1] == w)
                reason = group->reasons[p];
        }
        if (classes->of[w] == NO_CLASS)
            words = rt_arena_printf(blamer->arena, "%s; nothing is known of %s: %s", words,
                                    blamer->witnesses[w].name, reason ? reason : "no pair shows it");
    }
    return words;
}

/* All parts that explain the classes, as long as their faults would make the same witnesses wrong. */
struct explanation {
    uint32_t right;     /* the class */
    const char *blame;  /* the word of the first such part */
    const char *parts;  /* in words */
    const char *remark; /* behind them */
    bool is_ambiguous;
};

static void explain(const struct blamer *blamer, const struct group *group, const struct classes *classes,
                    struct explanation *ret) {
    *ret = (struct explanation){.right = NO_CLASS, .remark = ""};
    for (uint32_t w = 0; w < blamer->witness_count; w++)
        for (size_t i = 0; i < blamer->witnesses[w].part_count; i++) {
            const struct or_part *part = &blamer->witnesses[w].parts[i];
            bool is_again = false;
            for (uint32_t before = 0; before < w; before++)
                is_again |= rests_on(&blamer->witnesses[before], part->name);
            uint32_t right = is_again ? NO_CLASS : right_class(blamer, group, classes, part->name);
            if (right == NO_CLASS)
                continue;
            ret->is_ambiguous |= ret->right != NO_CLASS && ret->right != right;
            ret->parts =
                ret->parts ? rt_arena_printf(blamer->arena, "%s, or %s", ret->parts, part->name) : part->name;
            ret->right = right;
            if (!ret->blame)
                ret->blame = part->blame;
        }
}

/* ---- Who cannot show a variable ---- */

enum ability { UNKNOWN_ABILITY, SHOWS, LACKS };

/* What a witness's class says about itself; UNKNOWN_ABILITY when it contradicts itself. */
static enum ability ability_of(const struct blamer *blamer, const struct group *group,
                               const struct classes *classes, uint32_t class) {
    enum ability ability = UNKNOWN_ABILITY;

    for (uint32_t w = 0; w < blamer->witness_count; w++) {
        const struct or_testimony *testimony = classes->of[w] == class ? group->testimony[w] : NULL;
        enum ability own = testimony && testimony->state ? LACKS : SHOWS;
        if (testimony && ability != UNKNOWN_ABILITY && ability != own)
            return UNKNOWN_ABILITY;
        if (testimony)
            ability = own;
    }
    return ability;
}

static bool share_a_part(const struct or_account *a, const struct or_account *b) {
    for (size_t i = 0; i < a->part_count; i++)
        if (rests_on(b, a->parts[i].name))
            return true;
    return false;
}

/* Any fault loses a variable, so witnesses that lack it do not confirm each other: each may have lost it by a
 * fault of its own. But two that rest on nothing common do not both make up one that can be shown. Then the
 * lacking one of the first pair is wrong, by a part that none who shows it rests on. */
static void explain_lack(const struct blamer *blamer, const struct group *group,
                         const struct classes *classes, struct explanation *ret) {
    enum ability abilities[OR_MAX_WITNESSES] = {0};
    const struct or_account *lacking;
    bool is_confirmed = false;

    if (group->subject != ON_VARIABLE)
        return;
    for (uint32_t w = 0; w < blamer->witness_count; w++)
        if (classes->of[w] != NO_CLASS)
            abilities[w] = ability_of(blamer, group, classes, classes->of[w]);
    for (uint32_t a = 0; a < blamer->witness_count; a++)
        for (uint32_t b = 0; b < a; b++)
            is_confirmed |= abilities[a] == SHOWS && abilities[b] == SHOWS &&
                            !share_a_part(&blamer->witnesses[a], &blamer->witnesses[b]);
    if (!is_confirmed || abilities[group->pair[0]] + abilities[group->pair[1]] != SHOWS + LACKS)
        return;
    lacking = &blamer->witnesses[group->pair[abilities[group->pair[0]] == SHOWS]];
    *ret = (struct explanation){.right = NO_CLASS, .remark = "; that others lack it confirms nothing"};
    for (size_t i = 0; i < lacking->part_count; i++) {
        const struct or_part *part = &lacking->parts[i];
        bool is_acquitted = false;
        for (uint32_t w = 0; w < blamer->witness_count; w++)
            is_acquitted |= abilities[w] == SHOWS && rests_on(&blamer->witnesses[w], part->name);
        if (is_acquitted)
            continue;
        ret->parts =
            ret->parts ? rt_arena_printf(blamer->arena, "%s, or %s", ret->parts, part->name) : part->name;
        if (!ret->blame)
            ret->blame = part->blame;
    }
}

static struct rt_error *judge(const struct blamer *blamer, const struct group *group,
                              struct or_finding *ret) {
    struct rt_arena *arena = blamer->arena;
    struct classes classes;
    struct explanation explanation;

    classify(blamer, group, &classes);
    explain(blamer, group, &classes, &explanation);
    if (!explanation.parts || explanation.is_ambiguous)
        explain_lack(blamer, group, &classes, &explanation);
    const char *sides = sides_in_words(blamer, &classes);
    const char *silence = silence_in_words(blamer, group, &classes);
    if (!sides || !silence)
        return rt_error_out_of_memory();
    bool is_even = classes.count == 2 && classes.voters >= 4;
    for (uint32_t w = 0; w < blamer->witness_count; w++)
        is_even &= classes.of[w] == NO_CLASS || classes.size[classes.of[w]] > 1;
    ret->blame = "undecided";
    if (classes.is_torn) {
        ret->blame_reason = "witnesses that agree with a third differ from each other";
    } else if (explanation.parts && !explanation.is_ambiguous) {
        ret->blame = explanation.blame;
        ret->blame_reason =
            rt_arena_printf(arena, "%s: %s%s%s", sides, explanation.parts, explanation.remark, silence);
    } else {
        if (is_even)
            ret->blame = "two against two";
        ret->blame_reason =
            explanation.parts
                ? rt_arena_printf(arena, "%s: one of %s%s", sides, explanation.parts, silence)
                : rt_arena_printf(arena, "%s: no fault of one part explains it%s", sides, silence);
    }
    return ret->blame_reason ? NULL : rt_error_out_of_memory();
}

/* ---- The finding of a group ---- */

/* A witness that no finding shows: what is known of it is with whom it agrees. */
static struct rt_error *speak_for(const struct blamer *blamer, const struct group *group, uint32_t w,
                                  struct or_testimony *ret) {
    const char *reason = NULL;

    *ret = (struct or_testimony){.state = "not_asked"};
    for (size_t p = 0; p < blamer->pair_count; p++) {
        const uint32_t *pair = blamer->pairs[p].witness;
        if (pair[0] != w && pair[1] != w)
            continue;
        uint32_t other = pair[0] == w ? pair[1] : pair[0];
        if (group->answers[p] == AGREES) {
            ret->state = "agrees";
            ret->reason = rt_arena_printf(blamer->arena, "with %s", blamer->witnesses[other].name);
            return ret->reason ? NULL : rt_error_out_of_memory();
        }
        reason = reason ? reason : group->reasons[p];
    }
    ret->reason = reason;
    return NULL;
}

/* In the order of the witnesses: the two of the first pair that shows it stay the first two. */
static struct rt_error *make_finding(const struct blamer *blamer, const struct group *group, size_t pair,
                                     struct or_finding *ret) {
    struct or_testimony *others = rt_arena_array(blamer->arena, blamer->witness_count - 2, sizeof(*others));
    const uint32_t *witness = blamer->pairs[pair].witness;

    *ret = *group->first;
    if (!others)
        return rt_error_out_of_memory();
    for (uint32_t w = 0; w < blamer->witness_count; w++) {
        struct or_testimony *other = &others[ret->other_count];
        if (w == witness[0] || w == witness[1])
            continue;
        if (group->testimony[w]) {
            *other = *group->testimony[w];
        } else {
            struct rt_error *error = speak_for(blamer, group, w, other);
            if (error)
                return error;
        }
        other->name = blamer->witnesses[w].name;
        ret->other_count++;
    }
    ret->others = others;
    return blamer->witness_count > 2 ? judge(blamer, group, ret) : NULL;
}

struct rt_error *or_blame(const struct or_account *witnesses, uint32_t witness_count,
                          const struct or_pair_report *pairs, size_t pair_count, struct rt_arena *arena,
                          struct or_finding **ret, size_t *ret_count) {
    struct blamer blamer = {.witnesses = witnesses,
                            .witness_count = witness_count,
                            .pairs = pairs,
                            .pair_count = pair_count,
                            .arena = arena};
    size_t most = 0, count = 0;

    if (witness_count < 2 || witness_count > OR_MAX_WITNESSES || pair_count > MAX_PAIRS)
        return rt_error_format(RT_USAGE, "%u witnesses in %zu pairs: at most %d can be compared",
                               witness_count, pair_count, OR_MAX_WITNESSES);
    for (size_t p = 0; p < pair_count; p++) {
        most += pairs[p].finding_count;
        blamer.taken[p] = rt_arena_array(arena, pairs[p].finding_count, sizeof(bool));
        if (!blamer.taken[p])
            return rt_error_out_of_memory();
    }
    struct or_finding *findings = rt_arena_array(arena, most, sizeof(*findings));
    if (!findings)
        return rt_error_out_of_memory();
    for (size_t p = 0; p < pair_count; p++)
        for (size_t f = 0; f < pairs[p].finding_count; f++) {
            struct group group = {.subject = subject_of(&pairs[p].findings[f]),
                                  .first = &pairs[p].findings[f],
                                  .pair = pairs[p].witness};
            if (blamer.taken[p][f])
                continue;
            take(&blamer, &group, p, f);
            gather(&blamer, &group);
            ask_all(&blamer, &group);
            struct rt_error *error = make_finding(&blamer, &group, p, &findings[count++]);
            if (error)
                return error;
        }
    *ret = findings;
    *ret_count = count;
    return NULL;
}
