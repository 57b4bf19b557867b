/* Words of findings, whatever was compared. */
#include "oracle/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *or_printf(struct rt_arena *arena, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *copy = rt_arena_copy(arena, text, strlen(text));
    return copy ? copy : "(out of memory)";
}

bool or_names_one_variable(const char *a, const char *b) {
    if (!a || !b)
        return a == b;
    size_t length = strcspn(a, "[.");
    return length == strcspn(b, "[.") && !strncmp(a, b, length);
}
