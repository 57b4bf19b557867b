/* JUnit's XML: a test case is a program, a failure one that has findings which are not known, an error one
 * that crashed or took too long. */
#include "harness/publish.h"

#include <stdio.h>
#include <string.h>

static void attribute(const char *name, const char *value, struct hx_buffer *out) {
    hx_buffer_print(out, " %s=\"", name);
    hx_markup_text(value, out);
    hx_buffer_text(out, "\"");
}

static void print_finding(const struct hx_told *told, struct hx_buffer *out) {
    hx_markup_text(told->kind, out);
    if (told->variable) {
        hx_buffer_text(out, ": ");
        hx_markup_text(told->variable, out);
    }
    if (told->function) {
        hx_buffer_text(out, " in ");
        hx_markup_text(told->function, out);
    }
    if (told->file && told->line > 0) {
        hx_buffer_text(out, " at ");
        hx_markup_text(told->file, out);
        hx_buffer_print(out, ":%u", told->line);
    }
    hx_buffer_text(out, "\n");
    for (size_t i = 0; i < told->witness_count; i++) {
        const struct or_testimony *testimony = &told->witnesses[i];
        hx_buffer_text(out, "  ");
        hx_markup_text(testimony->name, out);
        hx_buffer_text(out, ": ");
        hx_markup_text(testimony->state ? testimony->state : testimony->value, out);
        hx_buffer_text(out, "\n");
    }
    hx_buffer_text(out, "  signature ");
    hx_markup_text(told->signature, out);
    hx_buffer_text(out, "\n");
    if (told->known) {
        hx_buffer_text(out, "  known as ");
        hx_markup_text(told->known, out);
        hx_buffer_text(out, "\n");
    }
}

static void print_findings(const struct hx_outcome *outcome, struct hx_buffer *out) {
    for (size_t i = 0; i < outcome->finding_count; i++)
        print_finding(&outcome->findings[i], out);
}

/* The first finding that is not known, or NULL. */
static const struct hx_told *first_unknown(const struct hx_outcome *outcome) {
    for (size_t i = 0; i < outcome->finding_count; i++)
        if (!outcome->findings[i].known)
            return &outcome->findings[i];
    return NULL;
}

void hx_junit_add(struct hx_publisher *publisher, const struct hx_outcome *outcome) {
    struct hx_buffer *out = &publisher->cases;
    const struct hx_told *unknown = first_unknown(outcome);
    const bool is_skipped = strcmp(outcome->verdict, "skipped") == 0;
    const bool is_broken =
        !unknown && (strcmp(outcome->verdict, "crash") == 0 || strcmp(outcome->verdict, "timeout") == 0);
    char name[32];

    publisher->programs++;
    publisher->seconds += outcome->seconds;
    publisher->failures += unknown != NULL;
    publisher->errors += is_broken && outcome->finding_count == 0;
    publisher->skipped += is_skipped;
    snprintf(name, sizeof name, "seed %llu", (unsigned long long)outcome->seed);
    hx_buffer_text(out, "    <testcase classname=\"lockstep\"");
    attribute("name", outcome->has_seed || !outcome->file ? name : outcome->file, out);
    hx_buffer_print(out, " time=\"%.3f\"", outcome->seconds);
    if (is_skipped) {
        hx_buffer_text(out, "><skipped");
        attribute("message", outcome->reason ? outcome->reason : "", out);
        hx_buffer_text(out, "/></testcase>\n");
    } else if (unknown) {
        hx_buffer_text(out, "><failure");
        attribute("type", unknown->kind, out);
        attribute("message", unknown->signature, out);
        hx_buffer_text(out, ">");
        print_findings(outcome, out);
        hx_buffer_text(out, "</failure></testcase>\n");
    } else if (is_broken && outcome->finding_count == 0) {
        hx_buffer_text(out, "><error");
        attribute("type", outcome->verdict, out);
        attribute("message", outcome->reason ? outcome->reason : outcome->verdict, out);
        hx_buffer_text(out, "/></testcase>\n");
    } else if (outcome->finding_count > 0) { /* all known */
        hx_buffer_text(out, "><system-out>");
        print_findings(outcome, out);
        hx_buffer_text(out, "</system-out></testcase>\n");
    } else {
        hx_buffer_text(out, "/>\n");
    }
}

void hx_junit_document(const struct hx_publisher *publisher, struct hx_buffer *out) {
    char counts[160];

    snprintf(counts, sizeof counts,
             " tests=\"%llu\" failures=\"%llu\" errors=\"%llu\" skipped=\"%llu\" time=\"%.3f\"",
             (unsigned long long)publisher->programs, (unsigned long long)publisher->failures,
             (unsigned long long)publisher->errors, (unsigned long long)publisher->skipped,
             publisher->seconds);
    hx_buffer_print(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites%s>\n  <testsuite name=\"lockstep\"%s>\n",
        counts, counts);
    hx_buffer_append(out, hx_buffer_string(&publisher->cases), publisher->cases.size);
    hx_buffer_text(out, "  </testsuite>\n</testsuites>\n");
}
