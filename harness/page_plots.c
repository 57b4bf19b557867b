/* The figures of a campaign's report, in SVG. Colours are the style sheet's, by class. */
#include "harness/page.h"

#include "harness/publish.h"
#include "harness/show.h"

#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 520, /* of a plot, in user units */
    HEIGHT = 200,
    LEFT = 56,
    RIGHT = 24, /* half of the last number is there */
    TOP = 12,
    BOTTOM = 34,
    MAX_BARS = 120,
};

/* ---- Axes ---- */

/* 1, 2 or 5 times a power of ten: such steps that at most `most` of them reach `top`. */
static uint64_t step_of(uint64_t top, uint64_t most) {
    uint64_t step = 1;
    for (int i = 0; top / step > most; i++)
        step = i % 3 == 1 ? step / 2 * 5 : step * 2;
    return step;
}

static double x_of(uint64_t x, uint64_t top) {
    return LEFT + (top ? (double)x / (double)top : 0) * (WIDTH - LEFT - RIGHT);
}

static double y_of(uint64_t y, uint64_t top) {
    return HEIGHT - BOTTOM - (top ? (double)y / (double)top : 0) * (HEIGHT - TOP - BOTTOM);
}

static void open_plot(const char *title, const char *label, uint64_t x_top, uint64_t y_top,
                      const char *x_name, struct hx_buffer *out) {
    const uint64_t x_step = step_of(x_top, 6), y_step = step_of(y_top, 4);

    hx_buffer_print(
        out, "<figure><figcaption>%s</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
        title, WIDTH, HEIGHT);
    hx_markup_text(label, out);
    hx_buffer_text(out, "\">\n");
    for (uint64_t y = 0; y <= y_top; y += y_step) {
        hx_buffer_print(out,
                        "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"end\" x=\"%d\" y=\"%.1f\">",
                        LEFT, y_of(y, y_top), WIDTH - RIGHT, LEFT - 6, y_of(y, y_top) + 4);
        hx_page_number(y, out);
        hx_buffer_text(out, "</text>\n");
    }
    for (uint64_t x = 0; x <= x_top; x += x_step) {
        hx_buffer_print(out, "<text class=\"middle\" x=\"%.1f\" y=\"%d\">", x_of(x, x_top),
                        HEIGHT - BOTTOM + 14);
        hx_page_number(x, out);
        hx_buffer_text(out, "</text>\n");
    }
    hx_buffer_print(out, "<text class=\"end\" x=\"%d\" y=\"%d\">%s</text>\n", WIDTH - RIGHT, HEIGHT - 3,
                    x_name);
}

static void close_plot(struct hx_buffer *out) {
    hx_buffer_text(out, "</svg></figure>\n");
}

/* ---- Plots ---- */

void hx_page_discoveries(const struct hx_campaign_view *view, struct hx_buffer *out) {
    const struct hx_points *points = &view->discoveries;
    const uint64_t total = points->count ? points->items[points->count - 1].y : 0, top = total ? total : 1;
    char label[160];
    uint64_t last = 0;

    snprintf(label, sizeof label, "Signatures over programs: %llu after %llu programs",
             (unsigned long long)total, (unsigned long long)view->programs);
    open_plot("Signatures over programs", label, view->programs, top, "programs", out);
    hx_buffer_print(out, "<path class=\"line\" d=\"M%.1f %.1f", x_of(0, view->programs), y_of(0, top));
    for (size_t i = 0; i < points->count; i++) {
        hx_buffer_print(out, "H%.1fV%.1f", x_of(points->items[i].x, view->programs),
                        y_of(points->items[i].y, top));
        last = points->items[i].y;
    }
    hx_buffer_print(out, "H%.1f\"/>", x_of(view->programs, view->programs));
    hx_buffer_print(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
                    x_of(view->programs, view->programs), y_of(last, top));
    close_plot(out);
}

void hx_page_throughput(const struct hx_campaign_view *view, struct hx_buffer *out) {
    const struct hx_points *points = &view->throughput;
    const uint64_t minutes = points->count ? points->items[points->count - 1].x + 1 : 1;
    const uint64_t each = (minutes + MAX_BARS - 1) / MAX_BARS, bars = (minutes + each - 1) / each;
    uint64_t sums[MAX_BARS + 1] = {0}, top = 1;
    char title[96];

    for (size_t i = 0; i < points->count; i++) {
        uint64_t *sum =
            &sums[points->items[i].x / each < MAX_BARS ? points->items[i].x / each : MAX_BARS - 1];
        *sum += points->items[i].y;
        top = *sum > top ? *sum : top;
    }
    if (each == 1)
        snprintf(title, sizeof title, "Programs in each minute");
    else
        snprintf(title, sizeof title, "Programs in each %llu minutes", (unsigned long long)each);
    open_plot(title, title, bars * each, top, "minutes", out);
    for (uint64_t i = 0; i < bars; i++) {
        const double x = x_of(i, bars), width = x_of(i + 1, bars) - x, y = y_of(sums[i], top);
        hx_buffer_print(
            out,
            "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>minute %llu: "
            "%llu</title></rect>\n",
            x + width * 0.06, y, width * 0.88, HEIGHT - BOTTOM - y, (unsigned long long)(i * each),
            (unsigned long long)sums[i]);
    }
    close_plot(out);
}

void hx_page_shares(const char *title, const struct hx_share *shares, size_t count, struct hx_buffer *out) {
    double total = 0, at = 0;

    for (size_t i = 0; i < count; i++)
        total += shares[i].amount;
    hx_buffer_print(out,
                    "<figure><figcaption>%s</figcaption>\n<svg class=\"shares\" viewBox=\"0 0 100 6\" "
                    "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s\">\n",
                    title, title);
    for (size_t i = 0; i < count && total > 0; i++) {
        const double width = shares[i].amount * 100 / total;
        hx_buffer_print(out, "<rect class=\"%s\" x=\"%.2f\" y=\"0\" width=\"%.2f\" height=\"6\"/>\n",
                        shares[i].class, at, width);
        at += width;
    }
    hx_buffer_text(out, "</svg>\n<ul class=\"legend\">\n");
    for (size_t i = 0; i < count; i++)
        hx_buffer_print(out,
                        "<li><span class=\"key %s\"></span>%s <b>%s</b> <span "
                        "class=\"faint\">%.1f&#8201;%%</span></li>\n",
                        shares[i].class, shares[i].name, shares[i].shown,
                        total > 0 ? shares[i].amount * 100 / total : 0);
    hx_buffer_text(out, "</ul></figure>\n");
}

/* ---- Stops ---- */

enum { LANE_LEFT = 78, COLUMN = 46, LANE_TOP = 52, LANE = 46, LANE_BOTTOM = 10, MAX_NAME = 24 };

static int column_x(size_t column) {
    return LANE_LEFT + COLUMN / 2 + (int)column * COLUMN;
}

static int lane_y(size_t lane) {
    return LANE_TOP + (int)lane * LANE;
}

/* The first stop in a row. */
static const struct or_spot *place_of(const struct hx_told *told, const struct hx_stop_row *row) {
    for (size_t i = 0; i < hx_shown_witnesses(told); i++)
        if (row->at[i] >= 0)
            return &told->witnesses[i].stops[row->at[i]];
    return NULL;
}

static bool same_function(const struct or_spot *a, const struct or_spot *b) {
    const char *first = a && a->function ? a->function : "", *second = b && b->function ? b->function : "";
    return a && b && strcmp(first, second) == 0 && a->depth == b->depth;
}

/* The names of functions over the stops in them. */
static void draw_functions(const struct hx_told *told, const struct hx_stop_row *rows, size_t count,
                           struct rt_arena *arena, struct hx_buffer *out) {
    for (size_t first = 0, last; first < count; first = last) {
        const struct or_spot *place = place_of(told, &rows[first]);
        for (last = first + 1; last < count && same_function(place, place_of(told, &rows[last])); last++)
            ;
        const size_t room = (last - first) * COLUMN / 7;
        const char *name = place && place->function ? place->function : "?";
        const int from = column_x(first) - COLUMN / 2 + 3, to = column_x(last - 1) + COLUMN / 2 - 3;
        hx_buffer_print(
            out, "<path class=\"bracket\" d=\"M%d 20v-4H%dv4\"/><text class=\"middle\" x=\"%d\" y=\"11\">",
            from, to, (from + to) / 2);
        if (strlen(name) > room)
            name = rt_arena_printf(arena, "%.*s\xe2\x80\xa6", (int)(room > 1 ? room - 1 : 1), name);
        hx_markup_text(name, out);
        hx_buffer_text(out, "</text>\n");
    }
}

/* One stop in its lane. Line numbers are under the last lane's stops and over the others'. */
static void draw_stop(const struct hx_told *told, size_t lane, const struct hx_stop_row *row, int x,
                      struct rt_arena *arena, struct hx_buffer *out) {
    const struct or_testimony *testimony = &told->witnesses[lane];
    const struct or_spot *place = &testimony->stops[row->at[lane]];
    const bool is_finding = (size_t)row->at[lane] == testimony->stop_at;
    const int y = lane_y(lane), text_y = lane + 1 == hx_shown_witnesses(told) ? y + 22 : y - 13;

    hx_buffer_print(out, "<g class=\"stop witness%zu%s%s\"><title>", lane, is_finding ? " finding" : "",
                    row->is_alone ? " alone" : "");
    hx_markup_text(testimony->name, out);
    hx_buffer_text(out, ": ");
    hx_markup_text(hx_show_place(place, arena), out);
    hx_buffer_print(out,
                    ", depth %u</title><circle cx=\"%d\" cy=\"%d\" r=\"6\"/><text class=\"middle\" x=\"%d\" "
                    "y=\"%d\">%u</text></g>\n",
                    place->depth, x, y, x, text_y, place->line);
}

void hx_page_stops(const struct hx_told *told, const struct hx_stop_row *rows, size_t count,
                   struct rt_arena *arena, struct hx_buffer *out) {
    const size_t lanes = hx_shown_witnesses(told);
    const int width = column_x(count) - COLUMN / 2 + 8, height = lane_y(lanes - 1) + 20 + LANE_BOTTOM;

    hx_buffer_print(
        out,
        "<figure class=\"stops\" tabindex=\"0\"><figcaption>Stops, by source line</figcaption>\n<svg "
        "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"The stops of each "
        "side around the finding\">\n",
        width, height, width, height);
    for (size_t n = 0; n < count; n++)
        if (rows[n].is_finding)
            hx_buffer_print(out,
                            "<rect class=\"here\" x=\"%d\" y=\"22\" width=\"%d\" height=\"%d\" rx=\"4\"/>\n",
                            column_x(n) - COLUMN / 2 + 2, COLUMN - 4, height - 26);
    draw_functions(told, rows, count, arena, out);
    for (size_t i = 0; i < lanes; i++) {
        hx_buffer_print(out, "<path class=\"lane\" d=\"M%d %dH%d\"/><text x=\"0\" y=\"%d\">", LANE_LEFT,
                        lane_y(i), width - 8, lane_y(i) + 4);
        const char *name = rt_arena_printf(arena, "%.*s", LANE_LEFT / 7, told->witnesses[i].name);
        hx_markup_text(name, out);
        hx_buffer_text(out, "</text>\n");
    }
    for (size_t n = 0; n < count; n++) {
        const int x = column_x(n);
        if (!rows[n].is_alone && lanes > 1)
            hx_buffer_print(out, "<path class=\"joint\" d=\"M%d %dV%d\"/>\n", x, lane_y(0),
                            lane_y(lanes - 1));
        for (size_t i = 0; i < lanes; i++)
            if (rows[n].at[i] >= 0)
                draw_stop(told, i, &rows[n], x, arena, out);
    }
    hx_buffer_text(out, "</svg></figure>\n");
}
