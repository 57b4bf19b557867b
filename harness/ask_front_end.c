/* Asks LLVM's intermediate code about lines. Of an instruction it says "!dbg !45", and of that
 * "!45 = !DILocation(line: 12, column: 3, scope: !9)". */
#include "harness/ask_front_end.h"

#include "harness/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 64 << 20 };

/* ---- The text ---- */

/* The definition's line, or NULL. */
static const char *find_definition(const char *text, const char *function) {
    const size_t length = strlen(function);

    for (const char *next = strstr(text, "\ndefine "); next; next = strstr(next + 1, "\ndefine ")) {
        const char *name = next + strcspn(next, "@(") + 1;
        if (name[-1] == '@' && strncmp(name, function, length) == 0 && name[length] == '(')
            return next + 1;
    }
    return NULL;
}

static bool is_location_of_line(const char *text, const char *location, uint32_t line) {
    char begin[64], distinct[64];
    const int length = (int)strspn(location, "0123456789");

    snprintf(begin, sizeof begin, "\n!%.*s = !DILocation(line: %u,", length, location, line);
    snprintf(distinct, sizeof distinct, "\n!%.*s = distinct !DILocation(line: %u,", length, location, line);
    return strstr(text, begin) || strstr(text, distinct);
}

bool hx_ir_has_line(const char *text, const char *function, uint32_t line) {
    static const char attached[] = ", !dbg !";
    const char *last = NULL;

    for (const char *row = find_definition(text, function); row && *row != '}'; row = strchr(row, '\n')) {
        row += *row == '\n';
        const char *end = row + strcspn(row, "\n"), *location = strstr(row, attached);
        /* What declares a variable is no instruction that anything is made of. */
        const char *declares = strstr(row, "@llvm.dbg.");
        if (*row == '}')
            break;
        if (!location || location > end || (declares && declares < end))
            continue;
        location += strlen(attached);
        const size_t length = strspn(location, "0123456789");
        if (last && strncmp(last, location, length) == 0 && !strchr("0123456789", last[length]))
            continue; /* as of the instruction before */
        last = location;
        if (is_location_of_line(text, location, line))
            return true;
    }
    return false;
}

/* ---- Findings ---- */

static bool is_undecided(const struct or_finding *finding) {
    static const char *const words[] = {"undecided", "two against two"};

    for (size_t i = 0; finding->blame && i < sizeof words / sizeof *words; i++)
        if (strcmp(finding->blame, words[i]) == 0)
            return true;
    return false;
}

/* The one of the first two witnesses that lacks the finding's line and whose compiler can be asked, or NULL.
 */
static const struct hx_witness *lacking_witness(const struct hx_witnesses *witnesses,
                                                const struct or_finding *finding) {
    if (finding->kind != OR_LINE_MISSING || !finding->function || !is_undecided(finding))
        return NULL;
    for (int i = 0; i < 2; i++)
        for (size_t w = 0; w < witnesses->count; w++) {
            const struct hx_witness *witness = &witnesses->items[w];
            if (finding->witnesses[i].state && strcmp(witness->name, finding->witnesses[i].name) == 0)
                return witness->tools && !hx_compiler_is_gcc(witness->compiler) ? witness : NULL;
        }
    return NULL;
}

static struct rt_error *read_ir(const struct hx_job *job, const struct hx_witness *witness,
                                struct hx_buffer *ret) {
    const char *folder = job->folder.path, *source = job->source.has_seed ? HX_SOURCE : job->source.c_file;
    char path[4096];
    struct rt_error *error = hx_compile_ir(witness->tools, hx_witness_is_module(witness), source, folder);

    snprintf(path, sizeof path, "%s/%s", folder, HX_IR);
    hx_buffer_clear(ret);
    return error ? error : hx_file_read(path, LARGEST, ret);
}

static struct rt_error *decide(const struct hx_witness *witness, struct hx_result *result,
                               struct or_finding *finding) {
    const char *back_end = hx_witness_is_module(witness) ? "Wasm" : "x86-64";

    finding->blame_reason = rt_arena_printf(
        &result->arena, "%s; %s's intermediate code for %s has the line, and LLVM's %s back end has lost it",
        finding->blame_reason, witness->compiler->name, witness->name, back_end);
    finding->blame = witness->name;
    return finding->blame_reason ? NULL : rt_error_out_of_memory();
}

struct rt_error *hx_ask_front_end(const struct hx_job *job, struct hx_result *result) {
    const struct hx_witness *asked = NULL;
    struct hx_buffer text = {0};
    struct rt_error *error = NULL;

    for (size_t i = 0; i < result->finding_count && !error; i++) {
        struct or_finding *finding = &result->findings[i].body;
        const struct hx_witness *witness = lacking_witness(job->setup->witnesses, finding);
        if (!witness)
            continue;
        /* A compiler that gives no such code leaves the finding as it is. */
        if (witness != asked)
            rt_error_destroy(read_ir(job, witness, &text));
        asked = witness;
        if (hx_ir_has_line(hx_buffer_string(&text), finding->function, finding->line))
            error = decide(witness, result, finding);
    }
    hx_buffer_clear(&text);
    return error;
}
