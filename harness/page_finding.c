/* A signature's smallest program on the page of a report. */
#include "harness/page.h"

#include "harness/publish.h"
#include "harness/show.h"
#include "harness/source.h"

#include <stdio.h>
#include <string.h>

enum { LINES_AROUND = 9 };

/* ---- Source ---- */

/* Whether a witness stops at that line, among the stops that are known. */
static bool stops_at(const struct or_testimony *testimony, const char *file, uint32_t line) {
    for (size_t i = 0; i < testimony->stop_count; i++) {
        const struct or_spot *place = &testimony->stops[i];
        if (place->line == line && place->file && strcmp(hx_base_name(place->file), file) == 0)
            return true;
    }
    return false;
}

static void print_line(const struct hx_told *told, const char *file, uint32_t line, const char *text,
                       size_t length, struct rt_arena *arena, struct hx_buffer *out) {
    hx_buffer_print(out, "<span class=\"row%s\"><span class=\"number\">%u</span>",
                    line == told->line ? " here" : "", line);
    for (size_t i = 0; i < hx_shown_witnesses(told); i++)
        hx_buffer_print(out, "<span class=\"at witness%zu\">%s</span>", i,
                        stops_at(&told->witnesses[i], file, line) ? "&#9679;" : " ");
    hx_buffer_text(out, "<span class=\"code\">");
    hx_markup_text(rt_arena_copy(arena, text, length), out);
    hx_buffer_text(out, "</span></span>\n");
}

/* The lines [first, last]; returns how many the text has. */
static uint32_t print_lines(const struct hx_told *told, const char *file, const char *text, uint32_t first,
                            uint32_t last, struct rt_arena *arena, struct hx_buffer *out) {
    uint32_t line = 0;

    while (*text) {
        const size_t length = strcspn(text, "\n");
        line++;
        if (line >= first && line <= last)
            print_line(told, file, line, text, length, arena, out);
        text += length + (text[length] == '\n');
    }
    return line;
}

static void print_source(const struct hx_signature_view *signature, struct rt_arena *arena,
                         struct hx_buffer *out) {
    const struct hx_told *told = &signature->told;
    const char *file = told->file ? hx_base_name(told->file) : signature->source_name;
    const bool has_place =
        told->line > 0 && told->line < UINT32_MAX - LINES_AROUND && strcmp(file, signature->source_name) == 0;
    const uint32_t first = told->line > LINES_AROUND ? told->line - LINES_AROUND : 1;

    hx_buffer_text(out, "<div class=\"source\">\n");
    if (!signature->source) {
        hx_buffer_text(out, "<p class=\"faint\">The program is not on this page.</p></div>\n");
        return;
    }
    if (signature->is_reduced)
        hx_buffer_text(out, "<h3>Reduced program: ");
    else
        hx_buffer_print(out, "<h3>Smallest program: seed %llu, ", (unsigned long long)signature->seed);
    hx_page_number(signature->size, out);
    hx_buffer_text(out, " bytes</h3>\n");
    if (has_place) {
        hx_buffer_text(out, "<pre class=\"lines\" tabindex=\"0\">");
        print_lines(told, file, signature->source, first, told->line + LINES_AROUND, arena, out);
        hx_buffer_text(out, "</pre>\n");
        if (told->witness_count > 0) {
            hx_buffer_text(out, "<p class=\"faint\">Dots: stops of ");
            for (size_t i = 0; i < hx_shown_witnesses(told); i++) {
                hx_buffer_print(out, "%s<span class=\"witness%zu\">&#9679;</span> ", i ? ", " : "", i);
                hx_markup_text(told->witnesses[i].name, out);
            }
            hx_buffer_text(out, " around the finding.</p>\n");
        }
    } else if (told->line > 0) {
        hx_buffer_text(out, "<p class=\"faint\">The finding is in ");
        hx_markup_text(file, out);
        hx_buffer_text(out, ", which the program includes.</p>\n");
    }
    hx_buffer_text(out, "<details class=\"whole\"><summary>The whole program</summary><pre tabindex=\"0\">");
    hx_markup_text(signature->source, out);
    hx_buffer_text(out, "</pre></details>\n</div>\n");
}

/* ---- Witnesses ---- */

struct column {
    const struct or_testimony *testimony;
    struct rt_arena *arena;
};

static const char *cell_shows(const struct column *column) {
    return hx_show_testimony(column->testimony, column->arena);
}

static const char *cell_where(const struct column *column) {
    const struct or_testimony *testimony = column->testimony;
    const struct or_spot place = {.function = testimony->function,
                                  .file = testimony->file,
                                  .line = testimony->line,
                                  .column = testimony->column};
    return testimony->function ? hx_show_place(&place, column->arena) : NULL;
}

static const char *cell_dwarf(const struct column *column) {
    return column->testimony->dwarf;
}

static const char *cell_words(const struct column *column) {
    return column->testimony->words;
}

static const char *cell_stack(const struct column *column) {
    const char *words = NULL;
    for (size_t i = 0; i < column->testimony->stack_count; i++)
        words = rt_arena_printf(column->arena, "%s%s%s", words ? words : "", words ? "\n" : "",
                                hx_show_place(&column->testimony->stack[i], column->arena));
    return words;
}

static void print_witnesses(const struct hx_told *told, struct rt_arena *arena, struct hx_buffer *out) {
    static const struct {
        const char *name;
        const char *(*cell)(const struct column *);
    } rows[] = {{"shows", cell_shows},
                {"stops at", cell_where},
                {"call stack", cell_stack},
                {"DWARF", cell_dwarf},
                {"which says", cell_words}};
    const size_t count = hx_shown_witnesses(told);

    hx_buffer_text(out, "<div class=\"witnesses\" tabindex=\"0\">\n<h3>");
    hx_markup_text(told->variable ? told->variable : "What a debugger shows", out);
    hx_buffer_text(out, "</h3>\n<table>\n<tr><td></td>");
    for (size_t i = 0; i < count; i++) {
        hx_buffer_print(out, "<th scope=\"col\"><span class=\"witness%zu\">&#9679;</span> ", i);
        hx_markup_text(told->witnesses[i].name, out);
        hx_buffer_text(out, "</th>");
    }
    hx_buffer_text(out, "</tr>\n");
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const char *cells[HX_SHOWN_WITNESSES] = {NULL};
        bool has_any = false;
        for (size_t i = 0; i < count; i++) {
            const struct column column = {&told->witnesses[i], arena};
            cells[i] = rows[r].cell(&column);
            has_any |= cells[i] != NULL;
        }
        if (!has_any)
            continue;
        hx_buffer_print(out, "<tr class=\"%s\"><th scope=\"row\">%s</th>", r == 0 ? "shows" : "",
                        rows[r].name);
        for (size_t i = 0; i < count; i++)
            hx_page_element("td", r == 0 && told->witnesses[i].state ? "bad" : NULL, cells[i], out);
        hx_buffer_text(out, "</tr>\n");
    }
    hx_buffer_text(out, "</table>\n");
    if (told->blame) {
        hx_buffer_text(out, "<p>Blame: <strong>");
        hx_markup_text(told->blame, out);
        hx_buffer_text(out, "</strong> ");
        hx_markup_text(told->blame_reason, out);
        hx_buffer_text(out, "</p>\n");
    }
    hx_buffer_text(out, "</div>\n");
}

void hx_page_finding(const struct hx_campaign_view *view, const struct hx_signature_view *signature,
                     struct rt_arena *arena, struct hx_buffer *out) {
    const struct hx_told *told = &signature->told;
    size_t count;
    const struct hx_stop_row *rows = hx_stop_rows(told, arena, &count);

    hx_buffer_text(out, "<div class=\"finding-body\">\n");
    hx_page_element("p", "headline", hx_show_headline(told, arena), out);
    if (told->detail)
        hx_page_element("p", "faint", told->detail, out);
    if (rows && count > 0)
        hx_page_stops(told, rows, count, arena, out);
    hx_buffer_text(out, "<div class=\"columns\">\n");
    print_source(signature, arena, out);
    print_witnesses(told, arena, out);
    hx_buffer_text(out, "</div>\n");
    if (signature->folder) {
        hx_buffer_text(out, "<p class=\"kept\">Its first finding: <code>lockstep show ");
        hx_markup_text(view->folder, out);
        hx_buffer_text(out, "/");
        hx_markup_text(signature->folder, out);
        hx_buffer_text(out, "</code></p>\n");
    }
    hx_buffer_text(out, "</div>\n");
}
