/* A finding in the terminal: first what a person asks first. */
#include "harness/show.h"

#include "harness/evidence.h"
#include "harness/source.h"
#include "harness/stops.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINES_BEFORE = 4, LINES_AFTER = 4, LABEL = 12 };

static const char *or_nothing(const char *text) {
    return text ? text : "";
}

const char *hx_show_testimony(const struct or_testimony *testimony, struct rt_arena *arena) {
    const char *what = testimony->state   ? testimony->state
                       : testimony->value ? testimony->value
                                          : "(nothing)";
    const char *words = testimony->reason ? rt_arena_printf(arena, "%s (%s)", what, testimony->reason) : what;
    return words ? words : "(out of memory)";
}

const char *hx_show_place(const struct or_spot *place, struct rt_arena *arena) {
    const char *words =
        place->column > 0
            ? rt_arena_printf(arena, "%s at %s:%u:%u", place->function ? place->function : "?",
                              place->file ? hx_base_name(place->file) : "?", place->line, place->column)
            : rt_arena_printf(arena, "%s at %s:%u", place->function ? place->function : "?",
                              place->file ? hx_base_name(place->file) : "?", place->line);
    return words ? words : "(out of memory)";
}

const char *hx_show_headline(const struct hx_told *told, struct rt_arena *arena) {
    const struct or_spot place = {
        .function = told->function, .file = told->file, .line = told->line, .column = told->column};
    const char *words = rt_arena_printf(arena, "%s%s%s%s%s", told->kind, told->variable ? ": " : "",
                                        or_nothing(told->variable), told->function ? " in " : "",
                                        told->function ? hx_show_place(&place, arena) : "");
    return words ? words : "(out of memory)";
}

/* ---- Sections ---- */

struct show {
    const struct hx_terminal *terminal;
    const struct hx_kept *kept;
    struct rt_arena *arena;
    struct hx_buffer *out;
};

static size_t witness_count(const struct show *show) {
    return hx_shown_witnesses(&show->kept->told);
}

static void title(const struct show *show, const char *text) {
    hx_buffer_text(show->out, "\n");
    hx_terminal_text(show->terminal, HX_TITLE, text, show->out);
    hx_buffer_text(show->out, "\n");
}

static void pair(const struct show *show, const char *label, enum hx_colour colour, const char *text) {
    const struct hx_cell cells[] = {{HX_FAINT, label}, {colour, text}};
    if (text)
        hx_terminal_row(show->terminal, LABEL, cells, 2, show->out);
}

/* A row with a cell a witness. */
static void witness_row(const struct show *show, struct hx_cell label, const struct hx_cell *of) {
    struct hx_cell cells[HX_SHOWN_WITNESSES + 1] = {label};
    memcpy(cells + 1, of, witness_count(show) * sizeof *of);
    hx_terminal_row(show->terminal, LABEL, cells, witness_count(show) + 1, show->out);
}

static void names_row(const struct show *show) {
    struct hx_cell cells[HX_SHOWN_WITNESSES];
    for (size_t i = 0; i < witness_count(show); i++)
        cells[i] = (struct hx_cell){HX_FAINT, show->kept->told.witnesses[i].name};
    witness_row(show, (struct hx_cell){HX_FAINT, ""}, cells);
}

static void show_head(const struct show *show) {
    const struct hx_told *told = &show->kept->told;
    hx_terminal_text(show->terminal, HX_BAD, hx_show_headline(told, show->arena), show->out);
    hx_buffer_text(show->out, "\n");
    pair(show, "", HX_PLAIN, told->detail);
    pair(show, "signature", HX_PLAIN, told->signature);
    pair(show, "gone with", HX_PLAIN, told->gone_with);
    pair(show, "known as", HX_GOOD, told->known);
    pair(show, "blame", HX_BAD, told->blame);
    pair(show, "", HX_PLAIN, told->blame_reason);
}

static void show_source(const struct show *show) {
    const struct hx_told *told = &show->kept->told;
    const uint32_t first = told->line > LINES_BEFORE ? told->line - LINES_BEFORE : 1;
    char gutter[32];

    if (!told->file || told->line == 0)
        return;
    title(show, rt_arena_printf(show->arena, "Source: %s", hx_base_name(told->file)));
    for (uint32_t line = first; line <= told->line + LINES_AFTER; line++) {
        struct hx_buffer text = {0};
        if (hx_source_line(hx_kept_source(show->kept, told->file), line, show->kept->folder, &text)) {
            const bool is_it = line == told->line;
            snprintf(gutter, sizeof gutter, "%s %6u | ", is_it ? " >" : "  ", line);
            hx_terminal_text(show->terminal, is_it ? HX_MARKED : HX_FAINT, gutter, show->out);
            hx_terminal_text(show->terminal, is_it ? HX_MARKED : HX_PLAIN, hx_buffer_string(&text),
                             show->out);
            hx_buffer_text(show->out, "\n");
        } else if (line == told->line) {
            pair(show, "", HX_FAINT, "the source is not kept with the finding");
        }
        hx_buffer_clear(&text);
    }
}

static void show_testimonies(const struct show *show) {
    const struct hx_told *told = &show->kept->told;
    struct hx_cell cells[HX_SHOWN_WITNESSES];

    title(show, told->variable ? rt_arena_printf(show->arena, "What a debugger shows: %s", told->variable)
                               : "What a debugger shows");
    names_row(show);
    for (size_t i = 0; i < witness_count(show); i++)
        cells[i] = (struct hx_cell){told->witnesses[i].state ? HX_BAD : HX_PLAIN,
                                    hx_show_testimony(&told->witnesses[i], show->arena)};
    witness_row(show, (struct hx_cell){HX_PLAIN, ""}, cells);
}

/* The stops that witnesses share are in one row; one that a witness has alone is in a row of its own. */
static void show_stops(const struct show *show) {
    const struct hx_told *told = &show->kept->told;
    struct hx_cell cells[HX_SHOWN_WITNESSES];
    size_t count;
    const struct hx_stop_row *rows = hx_stop_rows(told, show->arena, &count);

    if (!rows || count == 0)
        return;
    title(show, "Stops");
    names_row(show);
    for (size_t n = 0; n < count; n++) {
        const enum hx_colour colour = rows[n].is_finding ? HX_MARKED : rows[n].is_alone ? HX_BAD : HX_PLAIN;
        for (size_t i = 0; i < witness_count(show); i++)
            cells[i] = (struct hx_cell){
                colour, rows[n].at[i] >= 0
                            ? hx_show_place(&told->witnesses[i].stops[rows[n].at[i]], show->arena)
                            : "-"};
        witness_row(show, (struct hx_cell){HX_MARKED, rows[n].is_finding ? "          >" : ""}, cells);
    }
}

static void show_stacks(const struct show *show) {
    const struct hx_told *told = &show->kept->told;
    struct hx_cell cells[HX_SHOWN_WITNESSES];
    size_t most = 0;

    for (size_t i = 0; i < witness_count(show); i++)
        if (told->witnesses[i].stack_count > most)
            most = told->witnesses[i].stack_count;
    if (most == 0)
        return;
    title(show, "Call stack");
    names_row(show);
    for (size_t frame = 0; frame < most; frame++) {
        for (size_t i = 0; i < witness_count(show); i++) {
            const struct or_testimony *testimony = &told->witnesses[i];
            cells[i] = (struct hx_cell){HX_PLAIN, frame < testimony->stack_count
                                                      ? hx_show_place(&testimony->stack[frame], show->arena)
                                                      : ""};
        }
        witness_row(show, (struct hx_cell){HX_FAINT, rt_arena_printf(show->arena, "%9s #%zu", "", frame)},
                    cells);
    }
}

static void show_dwarf(const struct show *show) {
    const struct hx_told *told = &show->kept->told;

    for (size_t i = 0; i < witness_count(show); i++) {
        struct hx_artifact artifact;
        struct rt_error *error = hx_artifact_open(show->kept->folder, told->witnesses[i].name, &artifact);
        title(show, rt_arena_printf(show->arena, "DWARF of %s (%s)", told->witnesses[i].name, artifact.name));
        if (error)
            pair(show, "", HX_FAINT, rt_arena_printf(show->arena, "%s", error->message));
        else
            hx_evidence_print(show->terminal, &artifact, told, &told->witnesses[i], show->arena, show->out);
        rt_error_destroy(error);
        hx_artifact_close(&artifact);
    }
}

static void show_also(const struct show *show) {
    if (show->kept->also_count == 0)
        return;
    title(show, "Also in this program");
    for (size_t i = 0; i < show->kept->also_count; i++) {
        const struct hx_told *told = &show->kept->also[i];
        pair(show, "", HX_PLAIN, hx_show_headline(told, show->arena));
        for (size_t k = 0; k < told->witness_count && k < HX_SHOWN_WITNESSES; k++)
            pair(show, told->witnesses[k].name, HX_FAINT,
                 hx_show_testimony(&told->witnesses[k], show->arena));
    }
}

static void show_tools(const struct show *show) {
    const struct hx_kept *kept = show->kept;
    const char *reproduce = rt_arena_printf(show->arena, "%s/reproduce", kept->folder);

    title(show, "Seen with");
    pair(show, "lockstep", HX_PLAIN, kept->lockstep);
    pair(show, "native", HX_PLAIN, kept->native);
    pair(show, "wasm", HX_PLAIN, kept->wasm);
    pair(show, "level", HX_PLAIN, kept->opt);
    pair(show, "engine", HX_PLAIN, kept->engines ? kept->engines : kept->engine);
    if (kept->has_seed)
        pair(show, "seed", HX_PLAIN, rt_arena_printf(show->arena, "%llu", (unsigned long long)kept->seed));
    pair(show, "reduced", HX_GOOD, kept->reduced);
    if (reproduce && access(reproduce, X_OK) == 0)
        pair(show, "again", HX_TITLE, reproduce);
    else
        pair(show, "again", HX_FAINT, "there is no `reproduce` beside the finding");
}

struct rt_error *hx_show(const struct hx_terminal *terminal, const struct hx_kept *kept,
                         struct rt_arena *arena, struct hx_buffer *out) {
    const struct show show = {terminal, kept, arena, out};

    show_head(&show);
    show_source(&show);
    show_testimonies(&show);
    show_stops(&show);
    show_stacks(&show);
    if (!kept->engines)
        show_dwarf(&show);
    show_also(&show);
    show_tools(&show);
    return out->failed ? rt_error_out_of_memory() : NULL;
}
