/* What came of a script: counting, and remarks that fit into memory of a fixed size. */
#include "harness/wast.h"

#include <stdio.h>

struct hx_wast_counts hx_wast_total(const struct hx_wast_report *report) {
    struct hx_wast_counts total = {0};

    for (int kind = 0; kind < HX_WAST_KIND_COUNT; kind++) {
        total.passed += report->counts[kind].passed;
        total.failed += report->counts[kind].failed;
        total.left_out += report->counts[kind].left_out;
    }
    return total;
}

void hx_wast_remark(struct hx_wast_report *report, const struct hx_wast_command *command, bool is_words,
                    const char *text) {
    if (is_words)
        report->words++;
    else
        report->counts[command->kind].failed++;
    if (report->remark_count >= (is_words ? HX_WAST_REMARKS / 2 : HX_WAST_REMARKS))
        return;
    struct hx_wast_remark *remark = &report->remarks[report->remark_count++];
    remark->line = command->line;
    remark->kind = command->kind;
    remark->is_words = is_words;
    snprintf(remark->text, sizeof remark->text, "%s", text);
}
