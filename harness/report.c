/* Findings in words: what a person reads first, so the source line and the two values come before all else.
 */
#include "harness/report.h"

#include "harness/source.h"

#include <string.h>

/* Prints a line of a file with its number; nothing when the file or the line is not there. */
static void print_source(const char *file, uint32_t line, const char *folder, struct hx_buffer *out) {
    struct hx_buffer text = {0};

    if (hx_source_line(file, line, folder, &text))
        hx_buffer_print(out, "  %6u | %s\n", line, hx_buffer_string(&text));
    hx_buffer_clear(&text);
}

static void print_witness(const struct or_testimony *testimony, struct hx_buffer *out) {
    hx_buffer_print(out, "  %-8s %s", testimony->name,
                    testimony->state   ? testimony->state
                    : testimony->value ? testimony->value
                                       : "");
    if (testimony->reason)
        hx_buffer_print(out, " (%s)", testimony->reason);
    hx_buffer_text(out, "\n");
    if (testimony->dwarf)
        hx_buffer_print(out, "           %s\n", testimony->dwarf);
}

void hx_report_finding(const struct hx_finding *finding, const char *folder, struct hx_buffer *out) {
    const struct or_finding *body = &finding->body;

    hx_buffer_print(out, "%s%s", finding->kind, finding->known ? " (known)" : "");
    if (body->variable)
        hx_buffer_print(out, ": %s", body->variable);
    if (body->function)
        hx_buffer_print(out, " in %s", body->function);
    if (body->file && body->line > 0)
        hx_buffer_print(out, " at %s:%u", hx_base_name(body->file), body->line);
    if (body->column > 0)
        hx_buffer_print(out, ":%u", body->column);
    if (body->depth > 0)
        hx_buffer_print(out, ", depth %u", body->depth);
    if (body->stop > 0)
        hx_buffer_print(out, ", stop %llu", (unsigned long long)body->stop);
    hx_buffer_text(out, "\n");
    if (body->detail)
        hx_buffer_print(out, "  %s\n", body->detail);
    if (body->file)
        print_source(body->file, body->line, folder, out);
    for (int i = 0; i < 2; i++)
        print_witness(&body->witnesses[i], out);
    for (size_t i = 0; i < body->other_count; i++)
        print_witness(&body->others[i], out);
    if (body->blame)
        hx_buffer_print(out, "  blame    %s (%s)\n", body->blame, body->blame_reason);
    hx_buffer_print(out, "  signature %s\n", body->signature);
    if (finding->gone_with)
        hx_buffer_print(out, "  not shown by builds with %s\n", finding->gone_with);
    if (finding->known)
        hx_buffer_print(out, "  known as %s\n", finding->known);
}

static void report_self(const struct hx_self *self, const char *name, struct hx_buffer *out) {
    if (!self->is_run)
        return;
    hx_buffer_print(out,
                    "%s: %llu instructions%s, %llu stops and %llu values told twice, %llu callers and %llu "
                    "stores looked up, %.0f instructions a second\n",
                    name, (unsigned long long)self->instructions,
                    self->is_limited ? " (no more, by a limit)" : "", (unsigned long long)self->stops,
                    (unsigned long long)self->values, (unsigned long long)self->frames,
                    (unsigned long long)self->stores,
                    self->seconds > 0 ? (double)self->instructions / self->seconds : 0.0);
    hx_buffer_print(out,
                    "  from stop to stop %llu variables kept their values, %llu got another in their place, "
                    "%llu kept it in another place, %llu got both\n",
                    (unsigned long long)self->kept, (unsigned long long)self->assigned,
                    (unsigned long long)self->carried, (unsigned long long)self->moved);
}

void hx_report_result(const struct hx_result *result, const char *folder, struct hx_buffer *out) {
    for (size_t i = 0; i < result->finding_count; i++) {
        hx_report_finding(&result->findings[i], folder, out);
        hx_buffer_text(out, "\n");
    }
    if (result->findings_left_out > 0)
        hx_buffer_print(out, "and %llu findings more\n\n", (unsigned long long)result->findings_left_out);
    report_self(&result->self[0], "native", out);
    report_self(&result->self[1], "wasm", out);
    hx_buffer_print(out, "%s", hx_verdict_name(result->verdict));
    if (result->reason)
        hx_buffer_print(out, " (%s)", result->reason);
    if (result->engines) {
        hx_buffer_text(out, ": ");
        if (result->events)
            hx_buffer_print(out, "%llu events, ", (unsigned long long)result->events);
        hx_buffer_print(out, "%llu instructions of %s, %llu values compared, in %.2f s\n",
                        (unsigned long long)result->steps, result->engines,
                        (unsigned long long)result->values, result->seconds[HX_STEP]);
        return;
    }
    hx_buffer_print(out,
                    ": %llu stops, %llu values compared, %llu unchanged; compiled in %.2f s, stepped and "
                    "compared in %.2f s\n",
                    (unsigned long long)result->stops, (unsigned long long)result->values,
                    (unsigned long long)result->unchanged, result->seconds[HX_COMPILE],
                    result->seconds[HX_STEP]);
    for (size_t i = 0; i < result->pair_count; i++) {
        const struct hx_pair_result *pair = &result->pairs[i];
        hx_buffer_print(out, "  %s and %s: %s, %llu findings%s%s\n", pair->names[0], pair->names[1],
                        hx_verdict_name(pair->verdict), (unsigned long long)pair->findings,
                        pair->reason ? ": " : "", pair->reason ? pair->reason : "");
    }
}
