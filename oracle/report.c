/* Collects findings: one of a kind for a place and a variable, each with a signature, the stop, and what
 * either witness shows. */
#include "oracle/compare.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FINDINGS = 100 };

const char *or_kind_name(enum or_kind kind) {
    static const char *const names[OR_KIND_COUNT] = {
        [OR_LOCATION] = "location",
        [OR_LINE_MISSING] = "line_missing",
        [OR_STACK] = "stack",
        [OR_SCOPE] = "scope",
        [OR_TYPE] = "type",
        [OR_VALUE] = "value",
        [OR_OPTIMIZED_OUT] = "optimized_out",
        [OR_IRRETRIEVABLE] = "irretrievable",
        [OR_OUTPUT] = "output",
    };
    return (unsigned)kind < OR_KIND_COUNT ? names[kind] : "unknown";
}

/* Frames from main, which is 1, to the present stop's: a C library's start-up is around main. */
static uint32_t depth_from_main(const struct or_side *side) {
    size_t outer = 0;
    while (outer < side->depth && strcmp(side->frames[outer].function->name, "main"))
        outer++;
    return (uint32_t)(outer < side->depth ? side->depth - outer : side->depth);
}

const char *or_stop_words(struct or_comparison *comparison, int i) {
    struct rt_arena *arena = &comparison->report->arena;
    const struct or_side *side = &comparison->sides[i];
    if (!side->point)
        return "(ended)";
    const struct or_key *key = &comparison->match.keys[side->point->key];
    return rt_arena_printf(arena, "%s at %s:%u:%u, depth %u", key->function, key->file, key->line,
                           side->point->row->column, depth_from_main(side));
}

static void fill_testimony(struct or_comparison *comparison, int i, struct or_testimony *ret) {
    const struct or_side *side = &comparison->sides[i];
    *ret = (struct or_testimony){.name = side->name};
    if (!side->point)
        return;
    const struct or_key *key = &comparison->match.keys[side->point->key];
    ret->function = key->function;
    ret->file = st_debug_file(side->debug, side->point->row->file);
    ret->line = key->line;
    ret->column = side->point->row->column;
    ret->depth = depth_from_main(side);
    ret->pc = side->point->pc;
    ret->hits = side->point->hits;
}

static bool is_reported(const struct or_comparison *comparison, const struct or_finding *finding) {
    bool is_place =
        finding->kind == OR_LOCATION || finding->kind == OR_STACK || finding->kind == OR_LINE_MISSING;
    for (size_t i = 0; i < comparison->report->public.finding_count; i++) {
        const struct or_finding *old = &comparison->report->findings[i];
        if (old->kind == finding->kind && rt_same_text(old->function, finding->function) &&
            or_names_one_variable(old->variable, finding->variable) &&
            (!is_place || old->line == finding->line))
            return true;
    }
    return false;
}

/* A shape begins with the class of the variable, where one is concerned. */
static bool is_global(const char *shape) {
    static const char class[] = "global";
    return !strncmp(shape, class, strlen(class));
}

/* Adds a finding at a place; testimonies are left empty. */
static struct or_finding *add_at(struct or_comparison *comparison, enum or_kind kind,
                                 const struct or_testimony *place, const char *variable, const char *shape,
                                 const char *detail) {
    struct or_full_report *report = comparison->report;
    struct rt_arena *arena = &report->arena;
    struct or_finding finding = {.kind = kind, .stop = report->public.stops + 1};
    finding.function = place->function;
    finding.file = place->file;
    finding.line = place->line;
    finding.column = place->column;
    finding.depth = place->depth;
    finding.variable = variable;
    if (is_reported(comparison, &finding))
        return NULL;
    size_t limit = comparison->options.max_findings ? comparison->options.max_findings : MAX_FINDINGS;
    if (report->public.finding_count >= limit) {
        report->public.findings_left_out++;
        return NULL;
    }
    if (report->public.finding_count == report->capacity) {
        size_t capacity = report->capacity ? 2 * report->capacity : 16;
        void *findings = realloc(report->findings, capacity * sizeof(*report->findings));
        if (!findings)
            return NULL;
        report->findings = findings;
        report->capacity = capacity;
    }
    finding.variable = variable ? rt_arena_printf(arena, "%s", variable) : NULL;
    finding.is_global = is_global(shape);
    finding.signature = rt_arena_printf(arena, "%s/%s", or_kind_name(kind), shape);
    finding.detail = detail ? rt_arena_printf(arena, "%s", detail) : NULL;
    report->findings[report->public.finding_count] = finding;
    report->public.findings = report->findings;
    return &report->findings[report->public.finding_count++];
}

struct or_finding *or_report_add(struct or_comparison *comparison, enum or_kind kind, const char *variable,
                                 const char *shape, const char *detail) {
    struct or_testimony witnesses[2];
    for (int i = 0; i < 2; i++)
        fill_testimony(comparison, i, &witnesses[i]);
    struct or_finding *finding =
        add_at(comparison, kind, &witnesses[comparison->sides[0].point ? 0 : 1], variable, shape, detail);
    for (int i = 0; finding && i < 2; i++) {
        finding->witnesses[i] = witnesses[i];
        or_trail_begin(comparison, i, &finding->witnesses[i]);
    }
    return finding;
}

struct or_finding *or_report_defer(struct or_comparison *comparison, enum or_kind kind, const char *variable,
                                   const char *other, const char *shape, const char *detail) {
    struct or_full_report *report = comparison->report;
    struct rt_arena *arena = &report->arena;
    for (size_t i = 0; i < report->deferred_count; i++)
        if (rt_same_text(report->deferred[i].finding.variable, variable) &&
            rt_same_text(report->deferred[i].other, other))
            return NULL;
    if (report->deferred_count == sizeof(report->deferred) / sizeof(report->deferred[0]))
        return NULL;
    struct or_deferred *deferred = &report->deferred[report->deferred_count++];
    struct or_finding *finding = &deferred->finding;
    *finding = (struct or_finding){.kind = kind, .stop = report->public.stops + 1};
    for (int i = 0; i < 2; i++)
        fill_testimony(comparison, i, &finding->witnesses[i]);
    const struct or_testimony *place = &finding->witnesses[comparison->sides[0].point ? 0 : 1];
    finding->function = place->function;
    finding->file = place->file;
    finding->line = place->line;
    finding->column = place->column;
    finding->depth = place->depth;
    finding->variable = rt_arena_printf(arena, "%s", variable);
    finding->is_global = is_global(shape);
    finding->signature = rt_arena_printf(arena, "%s/%s", or_kind_name(kind), shape);
    finding->detail = rt_arena_printf(arena, "%s", detail);
    deferred->other = rt_arena_printf(arena, "%s", other);
    return finding;
}

void or_report_deferred(struct or_comparison *comparison) {
    struct or_full_report *report = comparison->report;
    const size_t before = report->public.finding_count;
    for (size_t i = 0; i < report->deferred_count; i++) {
        const struct or_deferred *deferred = &report->deferred[i];
        bool is_known = false;
        for (size_t k = 0; k < before; k++)
            is_known |= or_names_one_variable(report->findings[k].variable, deferred->finding.variable) ||
                        or_names_one_variable(report->findings[k].variable, deferred->other);
        struct or_finding *finding =
            is_known ? NULL
                     : add_at(comparison, deferred->finding.kind, &deferred->finding.witnesses[0],
                              deferred->finding.variable, "", NULL);
        if (finding)
            *finding = deferred->finding;
    }
}

void or_report_lone_rows(struct or_comparison *comparison) {
    struct or_report *report = &comparison->report->public;
    struct rt_arena *arena = &comparison->report->arena;
    for (size_t i = 0; i < comparison->match.lone_count; i++) {
        const struct or_lone *lone = &comparison->match.lone[i];
        const struct or_key *key = &comparison->match.keys[lone->key];
        bool is_again = key->in[!lone->side];
        report->lone_rows[lone->side]++;
        if (lone->is_idle || is_again)
            continue;
        const char *shape = rt_arena_printf(arena, "%s/nowhere", comparison->sides[!lone->side].name);
        struct or_testimony place = {
            .function = key->function,
            .file = st_debug_file(comparison->sides[lone->side].debug, lone->point.row->file),
            .line = key->line,
            .column = lone->point.row->column,
            .pc = lone->point.pc};
        struct or_finding *finding =
            add_at(comparison, OR_LINE_MISSING, &place, NULL, shape,
                   "this line is a statement in one line table and not in the other");
        for (int side = 0; finding && side < 2; side++) {
            struct or_testimony *testimony = &finding->witnesses[side];
            *testimony = place;
            testimony->name = comparison->sides[side].name;
            if (side != lone->side)
                *testimony = (struct or_testimony){.name = comparison->sides[side].name, .state = "absent"};
            else
                testimony->value =
                    rt_arena_printf(arena, "row 0x%llx %s:%u:%u is_stmt", (unsigned long long)place.pc,
                                    key->file, key->line, place.column);
        }
    }
}

void or_testify_dwarf(struct or_comparison *comparison, struct or_testimony *testimony,
                      const struct st_variable *variable, const struct st_expression *expression) {
    struct rt_arena *arena = &comparison->report->arena;
    if (!expression && variable->location.count == 1)
        expression = &variable->location.expressions[0];
    const char *what = expression ? st_expression_print(expression, arena)
                       : variable->location.kind == ST_LOCATION_CONSTANT ? "DW_AT_const_value"
                       : variable->location.kind == ST_LOCATION_BROKEN   ? variable->location.reason
                       : variable->location.count ? "no entry of its location list at this pc"
                                                  : "no location";
    testimony->die = variable->die;
    testimony->words = expression ? st_expression_words(expression, arena) : NULL;
    testimony->dwarf = rt_arena_printf(arena, "DIE 0x%llx: %s", (unsigned long long)variable->die, what);
}

const char *or_expression_shape(const struct st_expression *expression, struct rt_arena *arena) {
    static const char piece[] = "DW_OP_piece";
    const char *words = st_expression_print(expression, arena);
    char *shape = words ? rt_arena_copy(arena, words, strlen(words)) : NULL;
    if (!shape)
        return "";
    /* Operands begin at a space and end at a comma. */
    char *out = shape;
    bool in_operand = false;
    for (const char *p = words; *p; p++) {
        if (*p == ',')
            in_operand = false;
        else if (*p == ' ')
            in_operand = true;
        if (!in_operand)
            *out++ = *p;
        else if (*p == ' ' && p > words && p[-1] == ',')
            in_operand = false;
    }
    *out = 0;
    char *end = strstr(shape, piece);
    if (end)
        end[strlen(piece)] = 0;
    return shape;
}

const char *or_dwarf_shape(struct or_comparison *comparison, const struct st_variable *variable,
                           const struct st_place *place) {
    struct rt_arena *arena = &comparison->report->arena;
    if (!variable)
        return "absent";
    const struct st_expression *expression = place && place->expression      ? place->expression
                                             : variable->location.count == 1 ? variable->location.expressions
                                                                             : NULL;
    if (!expression)
        return variable->location.kind == ST_LOCATION_NONE ? "none" : "other";
    return or_expression_shape(expression, arena);
}

void or_report_destroy(struct or_report *report) {
    if (!report)
        return;
    struct or_full_report *full = (struct or_full_report *)(void *)report;
    free(full->findings);
    rt_arena_clear(&full->arena);
    free(full);
}
