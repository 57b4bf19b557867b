/* A campaign's report as a page: totals, figures, and the list of signatures. */
#include "harness/page.h"

#include "harness/publish.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

extern const char hx_page_html[], hx_page_css[], hx_page_js[];

/* ---- Text ---- */

void hx_page_number(uint64_t number, struct hx_buffer *out) {
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);

    for (int i = 0; i < length; i++)
        hx_buffer_print(out, "%s%c", i > 0 && (length - i) % 3 == 0 ? "," : "", digits[i]);
}

void hx_page_element(const char *tag, const char *class, const char *text, struct hx_buffer *out) {
    hx_buffer_print(out, "<%s", tag);
    if (class)
        hx_buffer_print(out, " class=\"%s\"", class);
    hx_buffer_text(out, ">");
    hx_markup_text(text, out);
    hx_buffer_print(out, "</%s>", tag);
}

/* ---- Totals ---- */

static uint64_t verdict(const struct hx_campaign_view *view, const char *word) {
    for (size_t i = 0; i < view->verdicts.count; i++)
        if (strcmp(view->verdicts.items[i].name, word) == 0)
            return view->verdicts.items[i].count;
    return 0;
}

static double programs_a_minute(const struct hx_campaign_view *view) {
    return view->milliseconds > 0 ? (double)view->programs * 60000 / (double)view->milliseconds : 0;
}

static void tile(const char *name, const char *class, uint64_t number, struct hx_buffer *out) {
    hx_buffer_print(out, "<div class=\"tile %s\"><dt>%s</dt><dd>", class, name);
    hx_page_number(number, out);
    hx_buffer_text(out, "</dd></div>\n");
}

static void print_head(const struct hx_campaign_view *view, struct hx_buffer *out) {
    const time_t started = (time_t)(view->started / 1000);
    char date[32] = "";
    struct tm time;

    if (view->started > 0 && gmtime_r(&started, &time))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &time);
    hx_buffer_text(out, "<header>\n<h1>Lockstep campaign</h1>\n<p class=\"lead\">");
    if (view->programs == 0) {
        hx_buffer_text(out, "No program has been checked yet.");
    } else {
        hx_page_number(view->programs, out);
        hx_buffer_text(out,
                       view->programs == 1 ? " program, <strong class=\"" : " programs, <strong class=\"");
        hx_buffer_text(out, view->unknown_signatures > 0 ? "bad\">" : "good\">");
        hx_page_number(view->unknown_signatures, out);
        hx_buffer_text(out, " unexplained</strong> and ");
        hx_page_number(view->known_signatures, out);
        hx_buffer_text(out, " known signatures.");
    }
    hx_buffer_text(out, "</p>\n<p class=\"where\">");
    hx_page_element("code", NULL, view->folder, out);
    if (*date)
        hx_buffer_print(out, ", begun %s", date);
    hx_buffer_print(out, ", %llu session%s</p>\n</header>\n", (unsigned long long)view->sessions,
                    view->sessions == 1 ? "" : "s");
}

static void print_totals(const struct hx_campaign_view *view, struct hx_buffer *out) {
    hx_buffer_text(out, "<section aria-label=\"Totals\">\n<dl class=\"tiles\">\n");
    tile("programs", "", view->programs, out);
    tile("agree", "", verdict(view, "agree"), out);
    tile("findings", "", view->findings, out);
    tile("unexplained signatures", view->unknown_signatures > 0 ? "bad" : "good", view->unknown_signatures,
         out);
    tile("known signatures", "", view->known_signatures, out);
    tile("stops compared", "", view->stops, out);
    tile("values compared", "", view->compared, out);
    tile("programs a minute", "", (uint64_t)(programs_a_minute(view) + 0.5), out);
    hx_buffer_text(out, "</dl>\n</section>\n");
}

static void print_figures(const struct hx_campaign_view *view, struct hx_buffer *out) {
    struct hx_share stages[HX_STAGE_COUNT], verdicts[HX_VERDICT_COUNT];
    char seconds[HX_STAGE_COUNT][32], counts[HX_VERDICT_COUNT][32], classes[HX_VERDICT_COUNT][32];
    size_t shown = 0;

    for (int i = 0; i < HX_STAGE_COUNT; i++) {
        static const char *const names[] = {"stage0", "stage1", "stage2"};
        snprintf(seconds[i], sizeof seconds[i], "%.1f s", view->stages[i]);
        stages[i] = (struct hx_share){hx_stage_name((enum hx_stage)i), names[i], view->stages[i], seconds[i]};
    }
    for (int i = 0; i < HX_VERDICT_COUNT; i++) {
        const char *word = hx_verdict_name((enum hx_verdict)i);
        const uint64_t count = verdict(view, word);
        if (count == 0)
            continue;
        snprintf(counts[shown], sizeof counts[shown], "%llu", (unsigned long long)count);
        snprintf(classes[shown], sizeof classes[shown], "verdict-%s", word);
        verdicts[shown] = (struct hx_share){word, classes[shown], (double)count, counts[shown]};
        shown++;
    }
    hx_buffer_text(out, "<section class=\"figures\" aria-label=\"Figures\">\n");
    hx_page_discoveries(view, out);
    hx_page_throughput(view, out);
    hx_page_shares("Outcomes of the programs", verdicts, shown, out);
    hx_page_shares("Where the time went", stages, HX_STAGE_COUNT, out);
    hx_buffer_text(out, "</section>\n");
}

static void print_gone(const struct hx_campaign_view *view, struct hx_buffer *out) {
    if (view->gone.count == 0)
        return;
    hx_buffer_text(out, "<section>\n<h2>Known defects that no longer show</h2>\n<ul>\n");
    for (size_t i = 0; i < view->gone.count; i++) {
        const struct hx_named *gone = &view->gone.items[i];
        hx_buffer_text(out, "<li>");
        hx_page_element("code", NULL, gone->name, out);
        hx_buffer_text(out, " ");
        hx_markup_text(gone->text, out);
        hx_buffer_print(out, " (%llu of its seeds)</li>\n", (unsigned long long)gone->count);
    }
    hx_buffer_text(out, "</ul>\n</section>\n");
}

/* ---- Signatures ---- */

static void print_summary(const struct hx_signature_view *signature, struct hx_buffer *out) {
    hx_page_element("span", "kind", signature->kind, out);
    hx_page_element("code", "text", signature->text, out);
    if (signature->known) {
        hx_buffer_text(out, "<span class=\"badge\">known: ");
        hx_markup_text(signature->known, out);
        hx_buffer_text(out, "</span>");
    } else {
        hx_buffer_text(out, "<span class=\"badge bad\">unexplained</span>");
    }
    hx_buffer_text(out, "<span class=\"count\">");
    hx_page_number(signature->programs, out);
    hx_buffer_print(out, " program%s, ", signature->programs == 1 ? "" : "s");
    hx_page_number(signature->findings, out);
    hx_buffer_print(out, " finding%s, first seed %llu</span>", signature->findings == 1 ? "" : "s",
                    (unsigned long long)signature->first_seed);
}

static void print_signatures(const struct hx_campaign_view *view, struct rt_arena *arena,
                             struct hx_buffer *out) {
    hx_buffer_text(out, "<section id=\"signatures\">\n<h2>Signatures</h2>\n");
    if (view->signature_count == 0) {
        hx_buffer_text(out, "<p>None: no program showed a difference.</p>\n</section>\n");
        return;
    }
    hx_buffer_text(out, "<p class=\"controls\"><label for=\"filter\">Filter</label> "
                        "<input id=\"filter\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\"> "
                        "<span id=\"shown\" role=\"status\"></span> "
                        "<span class=\"keys\"><kbd>/</kbd> filter, <kbd>&#8593;</kbd> <kbd>&#8595;</kbd> go, "
                        "<kbd>Enter</kbd> open, <kbd>Esc</kbd> back</span></p>\n<div id=\"list\">\n");
    for (size_t i = 0; i < view->signature_count; i++) {
        const struct hx_signature_view *signature = &view->signatures[i];
        const char *class = signature->known ? "known" : "unknown";
        if (signature->has_detail) {
            hx_buffer_print(out, "<details class=\"signature %s\"><summary>", class);
            print_summary(signature, out);
            hx_buffer_text(out, "</summary>\n");
            hx_page_finding(view, signature, arena, out);
            hx_buffer_text(out, "</details>\n");
        } else {
            hx_buffer_print(out, "<div class=\"signature %s\" tabindex=\"0\">", class);
            print_summary(signature, out);
            hx_buffer_text(out, "</div>\n");
        }
    }
    hx_buffer_text(out, "</div>\n");
    if (view->signature_count > HX_DETAILED_SIGNATURES || view->signatures_left_out > 0) {
        hx_buffer_print(out, "<p>The first %d have their smallest program here", HX_DETAILED_SIGNATURES);
        if (view->signatures_left_out > 0) {
            hx_buffer_text(out, "; ");
            hx_page_number(view->signatures_left_out, out);
            hx_buffer_text(out, " more are in the database alone");
        }
        hx_buffer_text(out, ".</p>\n");
    }
    hx_buffer_text(out, "</section>\n");
}

static void print_named(const char *title, const struct hx_named_list *list, const char *dashes,
                        struct hx_buffer *out) {
    if (list->count == 0)
        return;
    hx_buffer_print(out, "<div><h2>%s</h2>\n<table>\n", title);
    for (size_t i = 0; i < list->count; i++) {
        hx_buffer_print(out, "<tr><th scope=\"row\">%s", dashes);
        hx_markup_text(list->items[i].name, out);
        hx_buffer_text(out, "</th><td>");
        hx_markup_text(list->items[i].text, out);
        hx_buffer_text(out, "</td></tr>\n");
    }
    hx_buffer_text(out, "</table></div>\n");
}

static void print_body(const struct hx_campaign_view *view, struct rt_arena *arena, struct hx_buffer *out) {
    print_head(view, out);
    print_totals(view, out);
    if (view->programs > 0)
        print_figures(view, out);
    print_gone(view, out);
    print_signatures(view, arena, out);
    hx_buffer_text(out, "<footer>\n");
    print_named("Tools", &view->tools, "", out);
    print_named("Flags", &view->flags, "--", out);
    hx_buffer_text(out, "</footer>\n");
}

/* ---- The whole ---- */

struct rt_error *hx_page(const struct hx_campaign_view *view, struct rt_arena *arena, struct hx_buffer *out) {
    for (const char *next = hx_page_html; *next;) {
        const char *at = strchr(next, '@');
        hx_buffer_append(out, next, at ? (size_t)(at - next) : strlen(next));
        if (!at)
            break;
        next = strchr(at + 1, '@') + 1; /* the template has them in pairs */
        if (strncmp(at, "@TITLE@", 7) == 0)
            hx_markup_text(view->folder, out);
        else if (strncmp(at, "@STYLE@", 7) == 0)
            hx_buffer_text(out, hx_page_css);
        else if (strncmp(at, "@SCRIPT@", 8) == 0)
            hx_buffer_text(out, hx_page_js);
        else if (strncmp(at, "@BODY@", 6) == 0)
            print_body(view, arena, out);
    }
    return out->failed ? rt_error_out_of_memory() : NULL;
}
