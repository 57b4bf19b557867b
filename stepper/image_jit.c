/* The image of code that an engine has registered, made into one that probes can be put into: its code is
 * where it is, in memory that the engine has mapped as it wanted. */
#include "stepper/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SPAN_MAX ((uintptr_t)1 << 30) /* from the first to the last code section: a copy of it is kept */

/* The protection of the mapping that holds all of [low, high), PROT_*; 0 when there is none. */
static int protection_of(FILE *maps, uintptr_t low, uintptr_t high) {
    char line[4096 + 128];
    unsigned long from, to;
    char read, write, execute;
    rewind(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (sscanf(line, "%lx-%lx %c%c%c", &from, &to, &read, &write, &execute) == 5 && from <= low &&
            high <= to) {
            return (read == 'r' ? PROT_READ : 0) | (write == 'w' ? PROT_WRITE : 0) |
                   (execute == 'x' ? PROT_EXEC : 0);
        }
    }
    return 0;
}

static struct rt_error *note_segments(struct st_image *image, const struct st_jit_image *registered) {
    if (registered->code_count == 0 || registered->code_count > ST_SEGMENTS_MAX) {
        return rt_error_format(RT_UNSUPPORTED, "%s: not supported: %zu sections of code", image->path,
                               registered->code_count);
    }
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL) {
        return rt_error_os(errno, "opening /proc/self/maps");
    }
    struct rt_error *error = NULL;
    image->text_low = UINTPTR_MAX;
    for (size_t i = 0; i < registered->code_count && error == NULL; i++) {
        uintptr_t low = registered->code[i].low, high = registered->code[i].high;
        int protection = protection_of(maps, low, high);
        if (!(protection & PROT_READ) || !(protection & PROT_EXEC)) {
            error = rt_error_format(RT_USAGE, "%s: at 0x%zx is no code that can be read and run", image->path,
                                    (size_t)low);
        }
        image->segments[image->segment_count++] =
            (struct st_segment){low, high, .is_executable = true, .protection = protection};
        image->text_low = low < image->text_low ? low : image->text_low;
        image->text_high = high > image->text_high ? high : image->text_high;
    }
    fclose(maps);
    if (error == NULL && image->text_high - image->text_low > SPAN_MAX) {
        error = rt_error_format(RT_UNSUPPORTED, "%s: not supported: code that is spread over %zu bytes",
                                image->path, (size_t)(image->text_high - image->text_low));
    }
    return error;
}

/* Two copies of what was there would be put back, one of them with the other's probes in it. */
static struct rt_error *check_alone(const struct st_image *image) {
    for (const struct st_image *other = st_images; other != NULL; other = other->next) {
        for (size_t i = 0; i < image->segment_count; i++) {
            if (other->text_low < image->segments[i].high && image->segments[i].low < other->text_high) {
                return rt_error_format(RT_USAGE, "%s: its code has a session already", image->path);
            }
        }
    }
    return NULL;
}

struct rt_error *st_image_borrow(const struct st_jit_images *images, const struct st_jit_image *registered,
                                 struct st_image **ret) {
    char label[64];
    snprintf(label, sizeof(label), "the code registered at 0x%zx", (size_t)registered->address);
    if (registered->problem != NULL) {
        return rt_error_format(RT_USAGE, "%s: %s", label, registered->problem);
    }
    struct st_image *image = calloc(1, sizeof(*image));
    if (image == NULL) {
        return rt_error_out_of_memory();
    }
    rt_arena_init(&image->arena, 0);
    image->is_registered = true;
    image->debug = st_jit_image_debug(images, registered);
    image->unwinder = st_jit_image_unwinder(images, registered);
    image->path = strdup(label);
    struct rt_error *error = NULL;
    if (image->path == NULL) {
        error = rt_error_out_of_memory();
    } else if (image->debug == NULL || image->unwinder == NULL) {
        error = rt_error_format(RT_USAGE, "%s has no %s", label,
                                image->debug == NULL ? "debug information" : "call-frame information");
    }
    if (error == NULL) {
        error = note_segments(image, registered);
    }
    if (error == NULL) {
        error = check_alone(image);
    }
    if (error == NULL) {
        error = st_image_copy_text(image);
    }
    if (error != NULL) {
        st_image_close(image);
        return error;
    }
    image->next = st_images;
    st_images = image;
    *ret = image;
    return NULL;
}
