/* A finding as the text of an issue for those who keep the tool that is wrong, in Markdown. */
#include "harness/show.h"

#include "harness/evidence.h"
#include "harness/program.h"
#include "harness/source.h"
#include "harness/tools.h"

#include <inttypes.h>
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

static void print_program(const struct hx_kept *kept, struct hx_buffer *out) {
    const struct hx_told *told = &kept->told;
    struct hx_buffer text = {0};

    hx_buffer_text(out, "#### Program\n\n");
    if (hx_source_text(HX_SOURCE, kept->folder, &text)) {
        const char *source = hx_buffer_string(&text);
        const size_t run = longest_run(source, '`'), fence = run < 3 ? 3 : run + 1;
        const uint32_t lines = line_count(source);
        const bool is_whole = lines <= WHOLE_LINES || told->line == 0;
        const uint32_t first = is_whole || told->line <= LINES_AROUND ? 1 : told->line - LINES_AROUND;
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

/* ---- Commands ---- */

static const struct or_testimony *testimony_of(const struct hx_told *told, const char *name) {
    for (size_t i = 0; i < told->witness_count; i++)
        if (strcmp(told->witnesses[i].name, name) == 0)
            return &told->witnesses[i];
    return NULL;
}

/* The file that a witness of that name ran, or NULL. */
static const char *artifact_of(const struct hx_kept *kept, const char *name) {
    return kept->artifacts ? hx_json_member_string(kept->artifacts, name) : NULL;
}

/* A tool of LLVM's as Debian calls it, beside the compiler that made the module. */
static void llvm_tool(const struct hx_kept *kept, const char *tool, struct hx_buffer *out) {
    const char *const cc = kept->wasm_cc, *const dash = cc ? strrchr(cc, '-') : NULL;
    const bool has_version = dash && dash[1] && strspn(dash + 1, "0123456789") == strlen(dash + 1);

    hx_buffer_print(out, "%s%s", tool, has_version ? dash : "");
}

/* The row behind what a witness says, and that of the others. */
static void line_commands(const struct hx_kept *kept, const char *file, struct hx_buffer *out) {
    const struct hx_told *told = &kept->told;

    llvm_tool(kept, "llvm-dwarfdump", out);
    hx_buffer_text(out, " --debug-line ");
    hx_buffer_shell_word(out, file);
    hx_buffer_print(out, " | awk '/^0x/ && ($2 == %u", told->line);
    for (size_t i = 0; i < told->witness_count; i++) {
        bool is_said = told->witnesses[i].line == told->line;
        for (size_t k = 0; k < i; k++)
            is_said |= told->witnesses[k].line == told->witnesses[i].line;
        if (!is_said && told->witnesses[i].line > 0)
            hx_buffer_print(out, " || $2 == %u", told->witnesses[i].line);
    }
    hx_buffer_text(out, ")'\n");
}

/* The variable's DIE, or those of the function that should have it. */
static void die_command(const struct hx_kept *kept, const struct or_testimony *testimony, const char *file,
                        struct hx_buffer *out) {
    const struct hx_told *told = &kept->told;

    llvm_tool(kept, "llvm-dwarfdump", out);
    if (testimony->die) {
        hx_buffer_print(out, " --show-parents --debug-info=0x%" PRIx64 " ", testimony->die);
    } else {
        hx_buffer_text(out, told->function ? " --show-children --name=" : " --name=");
        hx_buffer_shell_word(out, told->function ? told->function : told->variable);
        hx_buffer_text(out, " ");
    }
    hx_buffer_shell_word(out, file);
    hx_buffer_text(out, "\n");
}

/* The code at the stop. In a module DWARF counts from the start of the code section. */
static void code_command(const struct or_testimony *testimony, const char *file, struct hx_buffer *out) {
    hx_buffer_text(out, "wasm-objdump -d --section-offsets ");
    hx_buffer_shell_word(out, file);
    hx_buffer_print(out, " | grep -B 4 -A 4 '^ %06" PRIx64 ":'\n", testimony->pc);
}

/* GDB at the stop: the breakpoint is counted from the function's start, for a program has its code elsewhere
 * than a shared object. */
static void gdb_command(const struct hx_kept *kept, const struct or_testimony *testimony,
                        struct hx_buffer *out) {
    const struct hx_told *told = &kept->told;
    struct hx_artifact artifact;
    struct rt_error *error = hx_artifact_open(kept->folder, testimony->name, &artifact);
    const struct st_function *function = error ? NULL : st_debug_function_at(artifact.debug, testimony->pc);
    struct hx_buffer words = {0};

    if (function && function->name) {
        hx_buffer_text(out, "gdb -nx -batch");
        hx_buffer_print(&words, "break *(%s+%" PRIu64 ")", function->name, testimony->pc - function->low);
        hx_buffer_text(out, " -ex ");
        hx_buffer_shell_word(out, hx_buffer_string(&words));
        if (testimony->hits > 1)
            hx_buffer_print(out, " -ex 'ignore 1 %" PRIu64 "'", testimony->hits - 1);
        hx_buffer_text(out, " -ex run -ex backtrace");
        if (told->variable) {
            hx_buffer_clear(&words);
            hx_buffer_print(&words, "print %s", told->variable);
            hx_buffer_text(out, " -ex ");
            hx_buffer_shell_word(out, hx_buffer_string(&words));
        }
        hx_buffer_text(out, " ./" HX_NATIVE_PROGRAM "\n");
    }
    hx_buffer_clear(&words);
    rt_error_destroy(error);
    hx_artifact_close(&artifact);
}

static void look_commands(const struct hx_kept *kept, const struct or_testimony *testimony,
                          struct hx_buffer *out) {
    const char *file = artifact_of(kept, testimony->name);
    for (const struct or_testimony *other = kept->told.witnesses; other < testimony && file; other++)
        if (rt_same_text(artifact_of(kept, other->name), file))
            return;
    const bool is_module = file && strcmp(hx_base_name(file), HX_WASM) == 0;
    const bool is_native = file && strcmp(file, HX_NATIVE) == 0;

    if (!file)
        return;
    if (kept->told.variable)
        die_command(kept, testimony, file, out);
    else if (kept->told.line > 0)
        line_commands(kept, file, out);
    if (testimony->pc > 0 && is_module)
        code_command(testimony, file, out);
    if (testimony->hits > 0 && is_native)
        gdb_command(kept, testimony, out);
}

static void run_commands(const struct hx_kept *kept, struct hx_buffer *out) {
    if (testimony_of(&kept->told, "native"))
        hx_buffer_text(out, "./" HX_NATIVE_PROGRAM "; echo \"exit status $?\"\n");
    hx_buffer_text(out, "wasmtime " HX_WASM "; echo \"exit status $?\"   # or another engine with WASI\n");
}

static void print_commands(const struct hx_kept *kept, struct hx_buffer *out) {
    const struct hx_told *told = &kept->told;
    const bool is_output = strcmp(told->kind, "output") == 0 || strcmp(told->kind, "crash") == 0 ||
                           strcmp(told->kind, "timeout") == 0;
    const struct hx_json_value *command = kept->commands ? kept->commands->first : NULL;
    struct hx_buffer text = {0};

    for (; command; command = command->next)
        if (command->kind == HX_JSON_STRING)
            hx_buffer_print(&text, "%s\n", command->string);
    if (is_output && !kept->engines)
        run_commands(kept, &text);
    for (size_t i = 0; i < told->witness_count && !is_output && !kept->engines; i++)
        look_commands(kept, &told->witnesses[i], &text);
    if (text.size > 0) {
        const size_t run = longest_run(hx_buffer_string(&text), '`'), fence = run < 3 ? 3 : run + 1;
        hx_buffer_text(out, "#### Commands\n\nIn a folder with the program as " HX_SOURCE ":\n\n");
        open_block("sh", fence, out);
        plain(hx_buffer_string(&text), out);
        close_block(fence, out);
    }
    out->failed |= text.failed;
    hx_buffer_clear(&text);
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
    if (testimony_of(&kept->told, "itself"))
        return "What the debug information says is what happens in the same build. These disagree:\n\n";
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
    if (told->gone_with) {
        hx_buffer_text(out, "\nBuilds that both have ");
        code(told->gone_with, out);
        hx_buffer_text(out, ", too, do not show it.\n");
    }
    hx_buffer_text(out, "\n");
}

static void print_versions(const struct hx_kept *kept, struct hx_buffer *out) {
    const struct {
        const char *label, *text;
    } rows[] = {{"native", kept->tools ? NULL : kept->native},
                {"wasm", kept->tools ? NULL : kept->wasm},
                {"optimisation", kept->opt},
                {"engine", kept->engines ? kept->engines : kept->engine},
                {"Lockstep", kept->lockstep}};

    hx_buffer_text(out, "#### Versions\n\n");
    for (const struct hx_json_value *tool = kept->tools ? kept->tools->first : NULL; tool; tool = tool->next)
        if (tool->kind == HX_JSON_STRING) {
            hx_buffer_text(out, "- ");
            plain(tool->key, out);
            hx_buffer_text(out, ": ");
            code(tool->string, out);
            hx_buffer_text(out, "\n");
        }
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

    hx_buffer_text(out, "### ");
    code(hx_show_headline(told, arena), out);
    hx_buffer_text(out, "\n\n");
    if (told->detail) {
        plain(told->detail, out);
        hx_buffer_text(out, "\n\n");
    }
    print_program(kept, out);
    print_commands(kept, out);
    print_expectation(kept, arena, out);
    print_versions(kept, out);
    return out->failed ? rt_error_out_of_memory() : NULL;
}
