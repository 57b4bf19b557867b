/* Text in XML and HTML. It comes from programs and their debug information, so every character of it may be
 * there to break out. */
#include "harness/publish.h"

#include <string.h>

/* By its bytes: U+FFFE and U+FFFF are no characters; U+0080 to U+009F are control characters. */
static bool is_allowed(const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    if (length == 1)
        return (bytes[0] >= 0x20 && bytes[0] != 0x7f) || bytes[0] == '\t' || bytes[0] == '\n';
    if (length == 2 && bytes[0] == 0xc2)
        return bytes[1] >= 0xa0;
    return !(length == 3 && bytes[0] == 0xef && bytes[1] == 0xbf && bytes[2] >= 0xbe);
}

void hx_markup_text(const char *text, struct hx_buffer *out) {
    static const char special[] = "<>&\"'";
    static const char *const entities[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#39;"};

    for (const char *stop = text ? text + strlen(text) : NULL; text < stop;) {
        const size_t length = hx_utf8_length(text, (size_t)(stop - text));
        const char *found = strchr(special, *text);
        if (found)
            hx_buffer_text(out, entities[found - special]);
        else if (length == 0 || !is_allowed(text, length))
            hx_buffer_text(out, "\xef\xbf\xbd");
        else
            hx_buffer_append(out, text, length);
        text += length ? length : 1;
    }
}
