/* The report of a campaign as one page of HTML, which needs nothing beside it. Its fixed part is in page/:
 * page.html, where the marks @TITLE@, @STYLE@, @BODY@ and @SCRIPT@ are replaced, page.css and page.js. */
#ifndef LOCKSTEP_HARNESS_PAGE_H
#define LOCKSTEP_HARNESS_PAGE_H

#include "harness/campaign_view.h"
#include "harness/stops.h"

/* Appends the page. */
RT_MUST_USE struct rt_error *hx_page(const struct hx_campaign_view *view, struct rt_arena *arena,
                                     struct hx_buffer *out);

/* page_finding.c: a signature's smallest program: stops, source, witnesses. */
void hx_page_finding(const struct hx_campaign_view *view, const struct hx_signature_view *signature,
                     struct rt_arena *arena, struct hx_buffer *out);

/* page_plots.c: figures, drawn in SVG. */
void hx_page_discoveries(const struct hx_campaign_view *view, struct hx_buffer *out);
void hx_page_throughput(const struct hx_campaign_view *view, struct hx_buffer *out);
/* One bar of parts, with what each is called. */
struct hx_share {
    const char *name, *class;
    double amount;
    const char *shown; /* the amount in words */
};
void hx_page_shares(const char *title, const struct hx_share *shares, size_t count, struct hx_buffer *out);
/* The stops of a finding's witnesses, a lane each, what they share joined. */
void hx_page_stops(const struct hx_told *told, const struct hx_stop_row *rows, size_t count,
                   struct rt_arena *arena, struct hx_buffer *out);

/* page.c: "12,345". */
void hx_page_number(uint64_t number, struct hx_buffer *out);
/* An element with text in it; `class` may be NULL. */
void hx_page_element(const char *tag, const char *class, const char *text, struct hx_buffer *out);

#endif
