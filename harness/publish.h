/* Results for other programs: SARIF 2.1.0 (OASIS standard, 2020) and JUnit's XML, as CI systems read them.
 * Both are fed program by program and written at the end. */
#ifndef LOCKSTEP_HARNESS_PUBLISH_H
#define LOCKSTEP_HARNESS_PUBLISH_H

#include "harness/finding_read.h"

/* Results that SARIF gets at most, which is what GitHub takes of a run; the rest is counted. */
enum { HX_SARIF_RESULTS = 5000 };

struct hx_publisher {
    const char *sarif, *junit; /* files to write; NULL: not wanted */
    struct hx_buffer results, cases;
    struct hx_published_rule {
        const char *signature, *kind;
    } *rules;
    size_t rule_count, rule_capacity;
    uint64_t result_count, results_left_out;
    uint64_t programs, failures, errors, skipped;
    double seconds;
    struct rt_arena arena;
};

void hx_publisher_init(struct hx_publisher *publisher, const char *sarif, const char *junit);
void hx_publisher_clear(struct hx_publisher *publisher);

/* Adds a program. `folder_of` (may be NULL) says where a finding is kept, relative to where the files will be
 * read; NULL: it is not. */
RT_MUST_USE struct rt_error *
hx_publisher_add(struct hx_publisher *publisher, const struct hx_outcome *outcome,
                 const char *(*folder_of)(void *user, const struct hx_told *told), void *user);
/* The same of a result that was just made; known defects are marked already. `publisher` may be NULL. */
RT_MUST_USE struct rt_error *hx_publisher_add_result(struct hx_publisher *publisher,
                                                     const struct hx_result *result);
/* Writes the files. */
RT_MUST_USE struct rt_error *hx_publisher_write(const struct hx_publisher *publisher);

/* sarif.c, junit.c: the parts. */
RT_MUST_USE struct rt_error *hx_sarif_add(struct hx_publisher *publisher, const struct hx_outcome *outcome,
                                          const struct hx_told *told, const char *folder);
void hx_sarif_document(const struct hx_publisher *publisher, struct hx_buffer *out);
void hx_junit_add(struct hx_publisher *publisher, const struct hx_outcome *outcome);
void hx_junit_document(const struct hx_publisher *publisher, struct hx_buffer *out);

/* markup.c: text in XML or HTML, in an element or a quoted attribute. What is no UTF-8, and characters that
 * XML 1.0 (section 2.2) has not, become U+FFFD. NULL is nothing. */
void hx_markup_text(const char *text, struct hx_buffer *out);

#endif
