/* The JIT interface that GDB and LLDB share (GDB manual, "JIT Compilation Interface"): a list of images, and
 * a function that a debugger has a breakpoint in.
 *
 * Both symbols are weak: with another engine in the same program that defines them, there is one list. */
#include <pthread.h>
#include <stdlib.h>

#include "runtime/jit/map.h"

enum { VERSION = 1 };
enum { ACTION_NONE, ACTION_REGISTER, ACTION_UNREGISTER };

__attribute__((weak)) struct rt_jit_descriptor __jit_debug_descriptor = {.version = VERSION};

void __jit_debug_register_code(void);
/* Not empty, so that no call of it goes away, and the debugger's breakpoint has a place. */
__attribute__((weak, noinline)) void __jit_debug_register_code(void) {
    __asm__ volatile("" ::: "memory");
}

struct rt_jit_image {
    struct rt_jit_entry entry; /* first: what the debugger's list links */
    uint8_t *bytes;
    const struct rt_machine_code *code;
    struct rt_jit_image *next; /* in `images` */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rt_jit_image *images; /* newest first */

/* Tells a debugger. With the lock. */
static void announce(struct rt_jit_image *image, uint32_t action) {
    __jit_debug_descriptor.relevant = &image->entry;
    __jit_debug_descriptor.action = action;
    __jit_debug_register_code();
    __jit_debug_descriptor.action = ACTION_NONE;
    __jit_debug_descriptor.relevant = NULL;
}

struct rt_error *rt_jit_register(const struct rt_code_map *map, const struct rt_jit_section *sections,
                                 size_t count, struct rt_jit_image **ret) {
    struct rt_jit_image *image = calloc(1, sizeof(*image));
    if (!image)
        return rt_error_out_of_memory();
    size_t size;
    struct rt_error *error = rt_jit_image_make(map, sections, count, &image->bytes, &size);
    if (error) {
        free(image);
        return error;
    }
    image->code = map->code;
    image->entry.image = image->bytes;
    image->entry.size = size;
    pthread_mutex_lock(&lock);
    image->next = images;
    images = image;
    image->entry.next = __jit_debug_descriptor.first;
    if (image->entry.next)
        image->entry.next->previous = &image->entry;
    __jit_debug_descriptor.first = &image->entry;
    announce(image, ACTION_REGISTER);
    pthread_mutex_unlock(&lock);
    if (ret)
        *ret = image;
    return NULL;
}

/* Takes it from both lists and frees it. With the lock. */
static void forget(struct rt_jit_image *image) {
    struct rt_jit_entry *entry = &image->entry;
    if (entry->previous)
        entry->previous->next = entry->next;
    else
        __jit_debug_descriptor.first = entry->next;
    if (entry->next)
        entry->next->previous = entry->previous;
    announce(image, ACTION_UNREGISTER);
    for (struct rt_jit_image **link = &images; *link; link = &(*link)->next) {
        if (*link == image) {
            *link = image->next;
            break;
        }
    }
    free(image->bytes);
    free(image);
}

void rt_jit_unregister(struct rt_jit_image *image) {
    if (!image)
        return;
    pthread_mutex_lock(&lock);
    forget(image);
    pthread_mutex_unlock(&lock);
}

void rt_jit_code_destroyed(const struct rt_machine_code *code) {
    pthread_mutex_lock(&lock);
    for (struct rt_jit_image *image = images, *next; image; image = next) {
        next = image->next;
        if (image->code == code)
            forget(image);
    }
    pthread_mutex_unlock(&lock);
}

const uint8_t *rt_jit_image_bytes(const struct rt_jit_image *image, size_t *ret_size) {
    *ret_size = image->entry.size;
    return image->bytes;
}
