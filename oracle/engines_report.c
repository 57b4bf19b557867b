/* Two engines' difference in words: the instruction that made it, what either side has, and how they got
 * there. */
#include "oracle/engines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *or_engine_kind_name(enum or_engine_kind kind) {
    static const char *const names[] = {
#define OR_ENGINE_KIND(name, word) word,
#include "oracle/engine_kinds.def"
#undef OR_ENGINE_KIND
    };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}

/* ---- Values ---- */

/* Apart from functions' indices. */
static uint64_t host_reference(const struct or_engines *engines, int side, enum rt_type type, void *ref) {
    const struct or_engines_options *options = &engines->options;
    if (ref == NULL)
        return 0;
    return UINT64_C(1) << 63 |
           (options->reference ? options->reference(options->user, (uint32_t)side, type, ref)
                               : (uintptr_t)ref);
}

uint64_t or_engines_reference(const struct or_engines *engines, int side, enum rt_type type, void *ref) {
    if (ref == NULL || type != RT_FUNCREF)
        return host_reference(engines, side, type, ref);
    const struct or_engine_func *funcs = engines->sides[side].funcs;
    size_t low = 0, high = rt_module_function_count(engines->module);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)funcs[middle].func < (uintptr_t)ref)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < rt_module_function_count(engines->module) && funcs[low].func == ref)
        return (uint64_t)funcs[low].index + 1;
    return host_reference(engines, side, type, ref);
}

const char *or_engines_print(struct or_engines *engines, int side, enum rt_type type, union rt_value value) {
    uint64_t reference;
    switch (type) {
    case RT_I32: return or_printf(&engines->report->arena, "i32 0x%x (%d)", value.i32, (int32_t)value.i32);
    case RT_I64:
        return or_printf(&engines->report->arena, "i64 0x%llx (%lld)", (unsigned long long)value.i64,
                         (long long)value.i64);
    case RT_F32: return or_printf(&engines->report->arena, "f32 %.9g (0x%08x)", (double)value.f32, value.i32);
    case RT_F64:
        return or_printf(&engines->report->arena, "f64 %.17g (0x%016llx)", value.f64,
                         (unsigned long long)value.i64);
    case RT_V128: {
        char text[3 * 16 + 1] = "";
        for (unsigned i = 0; i < 16; i++)
            snprintf(text + 3 * i, 4, " %02x", value.v128[i]);
        return or_printf(&engines->report->arena, "v128%s", text);
    }
    case RT_FUNCREF:
    case RT_EXTERNREF:
        reference = or_engines_reference(engines, side, type, value.ref);
        if (reference == 0)
            return type == RT_FUNCREF ? "funcref null" : "externref null";
        if (type == RT_FUNCREF && reference <= rt_module_function_count(engines->module))
            return or_printf(&engines->report->arena, "funcref to function %llu",
                             (unsigned long long)reference - 1);
        return or_printf(&engines->report->arena, "reference 0x%llx",
                         (unsigned long long)(reference & ~(UINT64_C(1) << 63)));
    }
    return "unknown";
}

/* ---- The finding ---- */

/* "i32.add at 0x1f" */
static void append_site(const struct or_engine_site *site, char *text, size_t size) {
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s at 0x%x", length ? ", " : "", site->instruction.text,
             site->pc);
}

static const char *recent(struct or_engines *engines) {
    char text[400] = "";
    uint64_t steps = engines->report->public.steps;
    for (uint64_t step = steps > OR_RECENT ? steps - OR_RECENT : 0; step < steps; step++)
        append_site(&engines->sites[engines->recent[step % OR_RECENT]], text, sizeof text);
    return or_printf(&engines->report->arena, "%s", text);
}

bool or_engines_differ(struct or_engines *engines, enum or_engine_kind kind, const char *variable,
                       const char *const values[2]) {
    struct or_engines_report *report = &engines->report->public;
    const struct or_engine_site *last = engines->last;
    struct or_finding *finding = &report->finding;
    const char *text = last ? last->instruction.text : "start";
    const char *name = last ? rt_module_function_name(engines->module, last->function) : NULL;

    if (report->verdict == OR_ENGINES_DIFFER)
        return false;
    report->verdict = OR_ENGINES_DIFFER;
    report->kind = kind;
    finding->signature = or_printf(&engines->report->arena, "%s/%s/%s", engines->options.subject,
                                   or_engine_kind_name(kind), text);
    finding->function =
        last ? (name ? name : or_printf(&engines->report->arena, "function %u", last->function)) : NULL;
    if (last)
        or_engines_name_line(engines, last->pc, finding);
    finding->depth = (uint32_t)engines->depth;
    finding->variable = variable;
    finding->stop = report->steps;
    finding->detail =
        last ? or_printf(&engines->report->arena, "after %s at pc 0x%x of function %u; before: %s", text,
                         last->pc, last->function, recent(engines))
             : "before the first instruction";
    for (int i = 0; i < 2; i++) {
        const struct or_engine_side *side = &engines->sides[i];
        finding->witnesses[i] = (struct or_testimony){.name = side->name,
                                                      .value = values ? values[i] : NULL,
                                                      .function = finding->function,
                                                      .file = finding->file,
                                                      .line = finding->line,
                                                      .column = finding->column,
                                                      .depth = finding->depth,
                                                      .pc = side->event.pc};
    }
    return false;
}

void or_engines_report_destroy(struct or_engines_report *report) {
    if (!report)
        return;
    struct or_engines_full_report *full = (struct or_engines_full_report *)report;
    rt_arena_clear(&full->arena);
    free(full);
}
