/* Native images: loading, what is where in memory, unloading, and closing those that are registered. */
#include "stepper/image.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct st_image *st_images;

bool st_image_is_text(const struct st_image *image, uintptr_t address) {
    const struct st_segment *segment = st_image_segment(image, address);
    return segment != NULL && segment->is_executable;
}

const struct st_segment *st_image_segment(const struct st_image *image, uintptr_t address) {
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct st_segment *segment = &image->segments[i];
        if (address >= segment->low && address < segment->high) {
            return segment;
        }
    }
    return NULL;
}

struct search {
    struct st_image *image;
    bool is_found, is_full;
};

/* Notes the segments of the one object that was loaded with the image's bias. */
static int note_segments(struct dl_phdr_info *info, size_t size, void *user) {
    (void)size;
    struct search *search = user;
    struct st_image *image = search->image;
    if (info->dlpi_addr != image->bias) {
        return 0;
    }
    search->is_found = true;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t low = image->bias + header->p_vaddr, high = low + header->p_memsz;
        if (header->p_type == PT_GNU_RELRO) {
            image->relro_low = low;
            image->relro_high = high;
        }
        if (header->p_type != PT_LOAD || low == high) {
            continue;
        }
        if (image->segment_count == ST_SEGMENTS_MAX) {
            search->is_full = true;
            break;
        }
        image->segments[image->segment_count++] = (struct st_segment){
            low, high, (header->p_flags & PF_W) != 0, (header->p_flags & PF_X) != 0, PROT_READ | PROT_EXEC};
        if (header->p_flags & PF_X) {
            image->text_low = image->text_low && image->text_low < low ? image->text_low : low;
            image->text_high = image->text_high > high ? image->text_high : high;
        }
    }
    return 1;
}

/* dlopen hands out one copy of a file, so a second image of it would share the first one's variables. */
static struct rt_error *load(struct st_image *image) {
    void *loaded = dlopen(image->path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    if (loaded != NULL) {
        dlclose(loaded);
        return rt_error_format(RT_USAGE,
                               "%s is loaded already and would share its variables: open a copy of the file",
                               image->path);
    }
    image->handle = dlopen(image->path, RTLD_NOW | RTLD_LOCAL);
    if (image->handle == NULL) {
        const char *reason = dlerror();
        return rt_error_format(RT_USAGE, "loading a shared object: %s", reason ? reason : image->path);
    }
    struct link_map *map;
    if (dlinfo(image->handle, RTLD_DI_LINKMAP, &map) != 0) {
        return rt_error_format(RT_OS, "loading %s: %s", image->path, dlerror());
    }
    image->bias = map->l_addr;
    struct search search = {image, false, false};
    dl_iterate_phdr(note_segments, &search);
    if (!search.is_found || search.is_full || image->text_high == 0) {
        return rt_error_format(RT_UNSUPPORTED, "%s: %s", image->path,
                               search.is_full ? "not supported: more than 16 segments"
                                              : "the loader lists no executable segment of it");
    }
    void *entry = dlsym(image->handle, "main");
    if (entry == NULL || !st_image_is_text(image, (uintptr_t)entry)) {
        return rt_error_format(RT_USAGE,
                               "%s has no function main: link the program with -shared -fPIC, main visible",
                               image->path);
    }
    memcpy(&image->main, &entry, sizeof(entry));
    return st_image_redirect(image, map->l_ld);
}

struct rt_error *st_image_copy_text(struct st_image *image) {
    size_t size = image->text_high - image->text_low;
    size_t functions;
    st_debug_functions(image->debug, &functions);
    image->text = calloc(1, size);
    image->code_map = calloc(1, size);
    image->analysed = calloc(1, functions + 1);
    if (image->text == NULL || image->code_map == NULL || image->analysed == NULL) {
        return rt_error_out_of_memory();
    }
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct st_segment *segment = &image->segments[i];
        if (segment->is_executable) {
            memcpy(image->text + (segment->low - image->text_low), (void *)segment->low,
                   segment->high - segment->low);
        }
    }
    return NULL;
}

struct rt_error *st_image_open(const char *path, struct st_image **ret) {
    struct st_image *image = calloc(1, sizeof(*image));
    if (image == NULL) {
        return rt_error_out_of_memory();
    }
    rt_arena_init(&image->arena, 0);
    struct rt_error *error;
    image->path = realpath(path, NULL); /* dlopen searches for a name without a slash elsewhere */
    if (image->path == NULL) {
        error = rt_error_os(errno, "opening %s", path);
        goto fail;
    }
    error = st_debug_open_elf(image->path, &image->debug);
    if (error == NULL) {
        error = st_unwinder_create(image->path, &image->unwinder);
    }
    if (error == NULL) {
        error = load(image);
    }
    if (error == NULL) {
        error = st_image_copy_text(image);
    }
    if (error != NULL) {
        goto fail;
    }
    image->next = st_images;
    st_images = image;
    *ret = image;
    return NULL;
fail:
    st_image_close(image);
    return error;
}

void st_image_close(struct st_image *image) {
    if (image == NULL) {
        return;
    }
    for (struct st_image **link = &st_images; *link != NULL; link = &(*link)->next) {
        if (*link == image) {
            *link = image->next;
            break;
        }
    }
    /* Destructors run in dlclose, and must find their code as it was; registered code goes on running. Taking
     * patches away allocates next to nothing; should even that fail, they find a probe of no session, which
     * lets them pass. */
    if (image->enabled_count > 0) {
        rt_error_destroy(st_image_set_probes(image, NULL, 0, true));
    }
    if (image->handle != NULL) {
        dlclose(image->handle);
    }
    st_trampolines_destroy(image);
    if (!image->is_registered) {
        st_unwinder_destroy(image->unwinder);
        st_debug_close(image->debug);
    }
    rt_arena_clear(&image->arena);
    free(image->sites);
    free(image->enabled);
    free(image->text);
    free(image->code_map);
    free(image->analysed);
    free(image->path);
    free(image);
}

const struct st_debug *st_image_debug(const struct st_image *image) {
    return image->debug;
}

uintptr_t st_image_bias(const struct st_image *image) {
    return image->bias;
}
