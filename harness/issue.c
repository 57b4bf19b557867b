/* A finding as the text of an issue for those who keep the tool that is wrong, in Markdown. */
#include "harness/show.h"

#include "harness/source.h"
#include "harness/tools.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A longer program is shown around the line alone. */
enum { WHOLE_LINES = 150, LINES_AROUND = 15, SOURCE_LIMIT = 16 << 20 };

static size_t longest_run(const char *text, char of) {
    size_t longest = 0;
    for (size_t run = 0; *text; text++) {
        run = *text == of ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void repeat(char what, size_t count, struct hx_buffer *out) {
    for (size_t i = 0; i < count; i++)
        hx_buffer_append(out, &what, 1);
}

/* Text as it is, but for control characters and what is no UTF-8. */
static void plain(const char *text, struct hx_buffer *out) {
    static const struct hx_terminal none = {.width = 100};
    for (const char *end; *text; text = *end ? end + 1 : end) {
        struct hx_buffer line = {0};
        end = text + strcspn(text, "\n");
        hx_buffer_append(&line, text, (size_t)(end - text));
        hx_terminal_text(&none, HX_PLAIN, hx_buffer_string(&line), out);
        out->failed |= line.failed;
        hx_buffer_clear(&line);
        if (*end)
            hx_buffer_text(out, "\n");
    }
}

/* A code span (CommonMark, section 6.1): more backticks around it than are in it. */
static void code(const char *text, struct hx_buffer *out) {
    const size_t run = longest_run(text, '`');
    repeat('`', run + 1, out);
    hx_buffer_text(out, run > 0 ? " " : "");
    plain(text, out);
    hx_buffer_text(out, run > 0 ? " " : "");
    repeat('`', run + 1, out);
}

static void open_block(const char *language, size_t fence, struct hx_buffer *out) {
    repeat('`', fence, out);
    hx_buffer_print(out, "%s\n", language);
}

static void close_block(size_t fence, struct hx_buffer *out) {
    repeat('`', fence, out);
    hx_buffer_text(out, "\n\n");
}

/* The lines [first, last] of a text. */
static void print_lines(const char *text, uint32_t first, uint32_t last, struct hx_buffer *out) {
    for (uint32_t line = 1; *text && line <= last; line++) {
        const size_t length = strcspn(text, "\n");
        struct hx_buffer copy = {0};
        hx_buffer_append(&copy, text, length);
        if (line >= first) {
            plain(hx_buffer_string(&copy), out);
            hx_buffer_text(out, "\n");
        }
        hx_buffer_clear(&copy);
        text += length + (text[length] == '\n');
    }
}

static uint32_t line_count(const char *text) {
    uint32_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* Appends the program and says whether Csmith's headers are needed. */
static void print_program(const struct hx_kept *kept, bool *ret_needs_csmith, struct hx_buffer *out) {
    const struct hx_told *told = &kept->told;
    struct hx_buffer text = {0};

    *ret_needs_csmith = false;
    hx_buffer_text(out, "#### Program\n\n");
    if (hx_source_text(HX_SOURCE, kept->folder, &text)) {
        const char *source = hx_buffer_string(&text);
        const size_t run = longest_run(source, '`'), fence = run < 3 ? 3 : run + 1;
        const uint32_t lines = line_count(source);
        const bool is_whole = lines <= WHOLE_LINES || told->line == 0;
        const uint32_t first = is_whole || told->line <= LINES_AROUND ? 1 : told->line - LINES_AROUND;
        *ret_needs_csmith = strstr(source, "csmith.h") != NULL;
        if (!is_whole)
            hx_buffer_print(out,
                            "Around line %u; all %u lines are attached as " HX_SOURCE
                            " (`lockstep reduce` makes them fewer).\n\n",
                            told->line, lines);
        open_block("c", fence, out);
        print_lines(source, first, is_whole ? UINT32_MAX : told->line + LINES_AROUND, out);
        close_block(fence, out);
    } else {
        hx_buffer_text(out, "The module is attached as " HX_WASM ".\n\n");
    }
    hx_buffer_clear(&text);
}

/* The compiler's command for one side; what `lockstep` runs besides (warnings off, the linker by itself)
 * makes no difference to the debug information. */
static void print_compiler(const struct hx_kept *kept, bool is_wasm, const char *include,
                           struct hx_buffer *out) {
    const char *cc = is_wasm ? kept->wasm_cc : kept->native_cc;
    if (!cc)
        return;
    plain(cc, out);
    hx_buffer_text(out, is_wasm ? " --target=wasm32-wasi" : " -fPIC -shared");
    if (strncmp(cc, "gcc", 3) != 0)
        hx_buffer_text(out, " -fno-strict-float-cast-overflow");
    hx_buffer_text(out, " -g ");
    plain(kept->opt ? kept->opt : "-O0", out);
    hx_buffer_print(out, "%s " HX_SOURCE " -o %s\n", include, is_wasm ? HX_WASM : HX_NATIVE);
}

static void print_commands(const struct hx_kept *kept, bool needs_csmith, struct hx_buffer *out) {
    const struct hx_told *told = &kept->told;

    hx_buffer_text(out, "#### Commands\n\n");
    open_block("sh", 3, out);
    for (int is_wasm = 0; is_wasm < 2; is_wasm++)
        print_compiler(kept, is_wasm, needs_csmith ? " -I" HX_CSMITH_INCLUDE : "", out);
    for (size_t i = 0; i < told->witness_count; i++) {
        const struct or_testimony *testimony = &told->witnesses[i];
        const char *file = strcmp(testimony->name, "native") == 0 ? HX_NATIVE
                           : strcmp(testimony->name, "wasm") == 0 ? HX_WASM
                                                                  : NULL;
        if (file && testimony->die)
            hx_buffer_print(out, "llvm-dwarfdump --debug-info=0x%llx %s\n",
                            (unsigned long long)testimony->die, file);
        else if (file && told->line > 0 && !kept->engines)
            hx_buffer_print(out, "llvm-dwarfdump --debug-line %s | grep -w %u\n", file, told->line);
    }
    hx_buffer_text(out, "./reproduce   # the same by Lockstep\n");
    close_block(3, out);
}

static void print_witness(const struct or_testimony *testimony, struct rt_arena *arena,
                          struct hx_buffer *out) {
    hx_buffer_text(out, "- ");
    plain(testimony->name, out);
    hx_buffer_text(out, ": ");
    code(hx_show_testimony(testimony, arena), out);
    if (testimony->dwarf) {
        hx_buffer_text(out, ", by ");
        code(testimony->dwarf, out);
    }
    if (testimony->words) {
        hx_buffer_text(out, " (");
        plain(testimony->words, out);
        hx_buffer_text(out, ")");
    }
    hx_buffer_text(out, "\n");
}

static bool is_blamed(const struct hx_told *told, const struct or_testimony *testimony) {
    return told->blame && strcmp(told->blame, testimony->name) == 0;
}

/* What should be so, of a finding of that kind. */
static const char *expectation(const struct hx_kept *kept) {
    const char *kind = kept->told.kind;
    if (kept->engines)
        return "Both runs of the module do the same. These disagree:\n\n";
    if (strcmp(kind, "output") == 0 || strcmp(kind, "crash") == 0 || strcmp(kind, "timeout") == 0)
        return "All builds of one source print the same and end the same way. These disagree:\n\n";
    return "A debugger shows the same in all builds of one source. These disagree:\n\n";
}

static void print_expectation(const struct hx_kept *kept, struct rt_arena *arena, struct hx_buffer *out) {
    const struct hx_told *told = &kept->told;
    bool has_blamed = false;

    for (size_t i = 0; i < told->witness_count; i++)
        has_blamed |= is_blamed(told, &told->witnesses[i]);
    hx_buffer_text(out, "#### Expected\n\n");
    if (has_blamed)
        hx_buffer_text(out, "What the other debuggees of the same source show here:\n\n");
    else
        hx_buffer_text(out, expectation(kept));
    for (size_t i = 0; i < told->witness_count; i++)
        if (!is_blamed(told, &told->witnesses[i]))
            print_witness(&told->witnesses[i], arena, out);
    if (told->blame_reason) {
        hx_buffer_text(out, "\n");
        plain(told->blame_reason, out);
        hx_buffer_text(out, "\n");
    }
    if (has_blamed)
        hx_buffer_text(out, "\n#### Seen\n\n");
    for (size_t i = 0; i < told->witness_count; i++)
        if (is_blamed(told, &told->witnesses[i]))
            print_witness(&told->witnesses[i], arena, out);
    hx_buffer_text(out, "\n");
}

static void print_versions(const struct hx_kept *kept, struct hx_buffer *out) {
    const struct {
        const char *label, *text;
    } rows[] = {{"native compiler", kept->native},
                {"Wasm compiler", kept->wasm},
                {"optimisation", kept->opt},
                {"engine", kept->engines ? kept->engines : kept->engine},
                {"Lockstep", kept->lockstep}};

    hx_buffer_text(out, "#### Versions\n\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].text) {
            hx_buffer_print(out, "- %s: ", rows[i].label);
            code(rows[i].text, out);
            hx_buffer_text(out, "\n");
        }
    if (kept->has_seed)
        hx_buffer_print(out, "- seed: %llu\n", (unsigned long long)kept->seed);
}

struct rt_error *hx_show_issue(const struct hx_kept *kept, struct rt_arena *arena, struct hx_buffer *out) {
    const struct hx_told *told = &kept->told;
    bool needs_csmith;

    hx_buffer_text(out, "### ");
    code(hx_show_headline(told, arena), out);
    hx_buffer_text(out, "\n\n");
    if (told->detail) {
        plain(told->detail, out);
        hx_buffer_text(out, "\n\n");
    }
    print_program(kept, &needs_csmith, out);
    print_commands(kept, needs_csmith, out);
    print_expectation(kept, arena, out);
    print_versions(kept, out);
    return out->failed ? rt_error_out_of_memory() : NULL;
}
