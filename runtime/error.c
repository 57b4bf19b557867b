/* Errors: a code and one message in one allocation, and the static error for when there is no memory for
 * that. */
#include "runtime/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char out_of_memory_message[] = "out of memory";
static struct rt_error out_of_memory = {.code = RT_OUT_OF_MEMORY, .message = out_of_memory_message};

struct rt_error *rt_error_out_of_memory(void) {
    return &out_of_memory;
}

void rt_error_destroy(struct rt_error *error) {
    if (error != &out_of_memory)
        free(error);
}

/* An error whose message has room for `size` bytes and a zero, or the static one. */
static struct rt_error *allocate(enum rt_error_code code, size_t size) {
    struct rt_error *error = malloc(sizeof *error + size + 1);
    if (!error)
        return &out_of_memory;
    *error = (struct rt_error){.code = code, .message = (char *)(error + 1)};
    error->message[0] = 0;
    return error;
}

/* Formats `format`, then the bytes of `tail`, into a new error. */
static RT_PRINTF(2, 0)
struct rt_error *format_error(enum rt_error_code code, const char *format, va_list args, const char *tail) {
    va_list again;
    va_copy(again, args);
    int measured = vsnprintf(NULL, 0, format, args);
    /* Formatting fails only on wide characters or on a text above INT_MAX: keep what can be told. */
    size_t size = measured < 0 ? 0 : (size_t)measured;
    size_t tail_size = strlen(tail);
    struct rt_error *error = allocate(code, size + tail_size);
    if (error != &out_of_memory) {
        if (measured >= 0)
            vsnprintf(error->message, size + 1, format, again);
        memcpy(error->message + size, tail, tail_size + 1);
    }
    va_end(again);
    return error;
}

struct rt_error *rt_error_format(enum rt_error_code code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct rt_error *error = format_error(code, format, args, "");
    va_end(args);
    return error;
}

struct rt_error *rt_error_os(int errnum, const char *format, ...) {
    char tail[128] = ": ", text[120];
    /* The GNU strerror_r: thread-safe, and may answer with a constant of its own. */
    strncat(tail, strerror_r(errnum, text, sizeof text), sizeof tail - sizeof ": ");
    va_list args;
    va_start(args, format);
    struct rt_error *error = format_error(RT_OS, format, args, tail);
    va_end(args);
    return error;
}

struct rt_error *rt_error_context(struct rt_error *error, const char *format, ...) {
    if (error == &out_of_memory)
        return error;
    size_t size = strlen(error->message);
    char *tail = malloc(size + sizeof ": ");
    if (!tail) {
        rt_error_destroy(error);
        return &out_of_memory;
    }
    memcpy(tail, ": ", 2);
    memcpy(tail + 2, error->message, size + 1);
    va_list args;
    va_start(args, format);
    struct rt_error *longer = format_error(error->code, format, args, tail);
    va_end(args);
    free(tail);
    if (longer != &out_of_memory) {
        longer->trap = error->trap;
        longer->exit_status = error->exit_status;
    }
    rt_error_destroy(error);
    return longer;
}

struct rt_printable rt_printable(const char *name) {
    struct rt_printable printable;
    size_t size = 0;
    for (; name[size] && size < sizeof printable.text - 1; size++) {
        unsigned char byte = (unsigned char)name[size];
        printable.text[size] = byte < 0x20 || byte == 0x7f ? '?' : name[size];
    }
    /* Not half a character at the end. */
    if (name[size])
        while (size > 0 && ((unsigned char)name[size] & 0xc0) == 0x80)
            size--;
    printable.text[size] = 0;
    return printable;
}
