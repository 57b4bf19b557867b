/* Findings of one binary against itself: one of a kind for a place and a variable, with what its debug
 * information says beside what the run shows. */
#include "oracle/self.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FINDINGS = 100 };

const char *or_self_kind_name(enum or_self_kind kind) {
    static const char *const names[] = {
#define OR_SELF_KIND(name, word) word,
#include "oracle/self_kinds.def"
#undef OR_SELF_KIND
    };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}

struct or_self_place or_self_at(const struct or_self *self, const struct or_self_site *site,
                                const struct st_variable *variable, const struct st_expression *expression) {
    return (struct or_self_place){.pc = site->pc,
                                  .function = self->functions[site->function].function,
                                  .row = site->row ? site->row : site->in,
                                  .variable = variable,
                                  .expression = expression};
}

static bool is_reported(const struct or_self *self, enum or_self_kind kind,
                        const struct or_finding *finding) {
    const struct or_self_full_report *report = self->report;
    for (size_t i = 0; i < report->public.finding_count; i++) {
        const struct or_finding *old = &report->findings[i];
        if (report->kinds[i] == kind && rt_same_text(old->function, finding->function) &&
            rt_same_text(old->signature, finding->signature) &&
            rt_same_text(old->variable, finding->variable))
            return true;
    }
    return false;
}

static bool make_room(struct or_self_full_report *report) {
    if (report->public.finding_count < report->capacity)
        return true;
    size_t capacity = report->capacity ? 2 * report->capacity : 16;
    void *findings = realloc(report->findings, capacity * sizeof *report->findings);
    if (findings)
        report->findings = findings;
    void *kinds = realloc(report->kinds, capacity * sizeof *report->kinds);
    if (kinds)
        report->kinds = kinds;
    if (findings && kinds)
        report->capacity = capacity;
    return findings && kinds;
}

static const char *class_word(const struct st_variable *variable) {
    return variable->is_parameter ? "parameter" : variable->is_static ? "static" : "local";
}

static const char *signature_of(struct or_self *self, enum or_self_kind kind,
                                const struct or_self_place *place, const char *shape) {
    if (!place->variable)
        return or_printf(&self->report->arena, "self/%s/%s/%s", or_self_kind_name(kind), self->name, shape);
    const char *expression =
        place->expression ? or_expression_shape(place->expression, &self->report->arena) : "none";
    return or_printf(&self->report->arena, "self/%s/%s/%s/%s%s%s", or_self_kind_name(kind), self->name,
                     class_word(place->variable), expression, shape ? "/" : "", shape ? shape : "");
}

void or_self_report(struct or_self *self, enum or_self_kind kind, const struct or_self_place *place,
                    const char *shape, const char *detail, const char *said, const char *is) {
    struct or_self_full_report *report = self->report;
    struct or_finding finding = {.stop = report->public.instructions, .detail = detail};
    const struct st_row *row = place->row ? place->row : st_debug_row_at(self->debug, place->pc);
    if (self->is_child)
        return;
    if (place->function)
        finding.function = place->function->name;
    if (row) {
        finding.file = st_debug_file(self->debug, row->file);
        finding.line = row->line;
        finding.column = row->column;
    }
    finding.depth = (uint32_t)self->depth;
    finding.signature = signature_of(self, kind, place, shape);
    if (place->variable)
        finding.variable = place->variable->name;
    if (is_reported(self, kind, &finding))
        return;
    size_t limit = self->options.max_findings ? self->options.max_findings : MAX_FINDINGS;
    if (report->public.finding_count >= limit || !make_room(report)) {
        report->public.findings_left_out++;
        return;
    }
    const char *dwarf =
        place->expression && place->variable
            ? or_printf(&self->report->arena, "DIE 0x%llx: %s", (unsigned long long)place->variable->die,
                        st_expression_print(place->expression, &report->arena))
            : NULL;
    struct or_testimony testimony = {.function = finding.function,
                                     .file = finding.file,
                                     .line = finding.line,
                                     .column = finding.column,
                                     .depth = finding.depth,
                                     .pc = place->pc};
    finding.witnesses[0] = finding.witnesses[1] = testimony;
    finding.witnesses[0].name = self->name;
    finding.witnesses[0].value =
        or_printf(&self->report->arena, "at pc 0x%llx: %s", (unsigned long long)place->pc, said);
    finding.witnesses[0].dwarf = dwarf;
    finding.witnesses[0].die = place->variable ? place->variable->die : 0;
    finding.witnesses[1].name = "itself";
    finding.witnesses[1].value = is;
    report->findings[report->public.finding_count] = finding;
    report->kinds[report->public.finding_count++] = kind;
    report->public.findings = report->findings;
    report->public.kinds = report->kinds;
}

void or_self_report_destroy(struct or_self_report *report) {
    if (!report)
        return;
    struct or_self_full_report *full = (struct or_self_full_report *)(void *)report;
    free(full->findings);
    free(full->kinds);
    rt_arena_clear(&full->arena);
    free(full);
}
