/* Makes a Csmith program mean the same in both data models: a literal with the suffix L or UL is a long,
 * which has 64 bits natively and 32 in wasm32, and comparisons, shifts and conversions then differ rightly.
 * LL and ULL have 64 on both. */
#include "harness/program.h"

#include <ctype.h>
#include <string.h>

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* Length of the preprocessing number at `text` (C17, section 6.4.8). */
static size_t number_length(const char *text, const char *end) {
    const char *p = text;
    bool is_hex = end - text > 1 && text[0] == '0' && (text[1] | 32) == 'x';
    while (p < end && (is_word(*p) || *p == '.')) {
        bool is_exponent = (*p | 32) == (is_hex ? 'p' : 'e');
        p++;
        if (is_exponent && p < end && (*p == '+' || *p == '-'))
            p++;
    }
    return (size_t)(p - text);
}

/* An integer literal that ends in one L. */
static bool is_long(const char *number, size_t length) {
    if (length < 2 || number[length - 1] != 'L' || number[length - 2] == 'L' || memchr(number, '.', length))
        return false;
    bool is_hex = (number[1] | 32) == 'x';
    return !memchr(number, 'p', length) && (is_hex || !memchr(number, 'e', length));
}

void hx_widen_literals(const char *text, size_t size, struct hx_buffer *ret) {
    const char *p = text, *end = text + size, *kept = text;
    while (p < end) {
        if (*p == '"' || *p == '\'') { /* text is none of ours */
            char quote = *p++;
            while (p < end && *p != quote)
                p += *p == '\\' && p + 1 < end ? 2 : 1;
            p += p < end;
        } else if (isdigit((unsigned char)*p)) {
            size_t length = number_length(p, end);
            p += length;
            if (is_long(p - length, length)) {
                hx_buffer_append(ret, kept, (size_t)(p - kept));
                hx_buffer_text(ret, "L");
                kept = p;
            }
        } else if (is_word(*p)) {
            while (p < end && is_word(*p))
                p++;
        } else {
            p++;
        }
    }
    hx_buffer_append(ret, kept, (size_t)(end - kept));
}
