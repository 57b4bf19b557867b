/* Code that engines of this process have registered by the JIT interface (GDB manual, "JIT Compilation
 * Interface"), read as a debugger reads it: the descriptor is found by its symbol in each loaded object, and
 * nothing that it points to is trusted. */
#include "stepper/machine.h"

#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/jit/jit.h"

enum {
    IMAGES_MAX = 1 << 16, /* more is a loop of the list */
    IMAGE_SIZE_MAX = 1 << 30,
    ARENA_LIMIT = 1 << 30, /* for what all of them say */
    CHUNK = 1 << 20,       /* is asked for readability at once */
    VERSION = 1,
};

struct image {
    struct st_jit_image view; /* first */
    uint8_t *bytes;           /* a copy of the file */
    struct st_debug *debug;
    struct st_unwinder *unwinder;
};

struct st_jit_images {
    struct rt_arena arena;
    struct image *images;
    struct st_jit_image *views; /* of each */
    size_t count, capacity;
};

/* ---- Untrusted memory ---- */

static bool read_memory(uint64_t address, void *ret, size_t size) {
    if (!st_memory_can_read(address, size))
        return false;
    memcpy(ret, (const void *)(uintptr_t)address, size);
    return true;
}

/* A copy to be freed; NULL when not all of it can be read. */
static uint8_t *copy_memory(uint64_t address, uint64_t size) {
    for (uint64_t at = 0; at < size; at += CHUNK) {
        if (!st_memory_can_read(address + at, size - at < CHUNK ? size - at : CHUNK))
            return NULL;
    }
    uint8_t *bytes = malloc(size + 1);
    if (bytes)
        memcpy(bytes, (const void *)(uintptr_t)address, size);
    return bytes;
}

/* ---- Finding the descriptors ---- */

/* The value of the symbol in one symbol table; 0 when it is not there. */
static uint64_t find_in_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header) {
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count = data ? data->d_size / sizeof(Elf64_Sym) : 0;
    for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
        GElf_Sym symbol;
        const char *name;
        if (gelf_getsym(data, (int)i, &symbol) && symbol.st_shndx != SHN_UNDEF &&
            (name = elf_strptr(elf, header->sh_link, symbol.st_name)) &&
            strcmp(name, "__jit_debug_descriptor") == 0)
            return symbol.st_value;
    }
    return 0;
}

static uint64_t find_descriptor(const char *path) {
    uint64_t value = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    for (Elf_Scn *section = NULL; elf && !value && (section = elf_nextscn(elf, section));) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
            value = find_in_table(elf, section, &header);
    }
    if (elf)
        elf_end(elf);
    close(fd);
    return value;
}

/* ---- One image ---- */

static int by_low(const void *a, const void *b) {
    const struct st_jit_function *x = a, *y = b;
    return (x->low > y->low) - (x->low < y->low);
}

/* Code in executable sections; a relocatable file's sections have their final addresses, too. */
static bool read_code(struct st_jit_images *images, struct image *image, Elf *elf) {
    size_t count = 0, room;
    if (elf_getshdrnum(elf, &room) != 0)
        return false;
    struct st_range *code = rt_arena_array(&images->arena, room, sizeof *code);
    if (!code)
        return false;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) && count < room;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && (header.sh_flags & SHF_EXECINSTR) &&
            header.sh_addr + header.sh_size > header.sh_addr)
            code[count++] = (struct st_range){header.sh_addr, header.sh_addr + header.sh_size};
    }
    image->view.code = code;
    image->view.code_count = count;
    return true;
}

static bool read_functions(struct st_jit_images *images, struct image *image, Elf *elf,
                           const GElf_Ehdr *elf_header) {
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        GElf_Shdr header;
        Elf_Data *data;
        if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB ||
            !(data = elf_getdata(section, NULL)))
            continue;
        size_t room = data->d_size / sizeof(Elf64_Sym), count = 0;
        struct st_jit_function *functions = rt_arena_array(&images->arena, room, sizeof *functions);
        if (!functions)
            return false;
        for (size_t i = 0; i < room && i <= INT32_MAX; i++) {
            GElf_Sym symbol;
            GElf_Shdr holder;
            if (!gelf_getsym(data, (int)i, &symbol) || GELF_ST_TYPE(symbol.st_info) != STT_FUNC ||
                symbol.st_shndx == SHN_UNDEF)
                continue;
            const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);
            uint64_t low = symbol.st_value;
            if (elf_header->e_type == ET_REL) { /* counted from the section */
                if (!gelf_getshdr(elf_getscn(elf, symbol.st_shndx), &holder))
                    continue;
                low += holder.sh_addr;
            }
            if (!name || low + symbol.st_size < low)
                continue;
            name = rt_arena_copy(&images->arena, name, strlen(name)); /* libelf's may go with its handle */
            if (!name)
                return false;
            functions[count++] = (struct st_jit_function){name, low, low + symbol.st_size};
        }
        qsort(functions, count, sizeof *functions, by_low);
        image->view.functions = functions;
        image->view.function_count = count;
        return true;
    }
    return true; /* without symbols */
}

/* NULL, or why the image is of no use. */
static const char *parse(struct st_jit_images *images, struct image *image, uint64_t size) {
    elf_version(EV_CURRENT);
    Elf *elf = elf_memory((char *)image->bytes, size);
    GElf_Ehdr header;
    const char *problem = NULL;
    if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
        problem = "it is no ELF file of this machine";
    else if (!read_code(images, image, elf) || !read_functions(images, image, elf, &header))
        problem = "its sections cannot be read, or are too large";
    if (elf)
        elf_end(elf);
    if (problem)
        return problem;
    /* Either may be missing. */
    rt_error_destroy(st_unwinder_create_memory("registered code", image->bytes, size, &image->unwinder));
    rt_error_destroy(st_debug_open_memory("registered code", image->bytes, size, &image->debug));
    image->view.debug = image->debug;
    return NULL;
}

static bool add_image(struct st_jit_images *images, uint64_t address, uint64_t size) {
    if (images->count == images->capacity) {
        size_t capacity = images->capacity ? images->capacity * 2 : 8;
        struct image *grown = realloc(images->images, capacity * sizeof *grown);
        if (!grown)
            return false;
        images->images = grown;
        images->capacity = capacity;
    }
    struct image *image = &images->images[images->count++];
    *image = (struct image){.view = {.address = address}};
    if (size <= IMAGE_SIZE_MAX)
        image->bytes = copy_memory(address, size);
    image->view.problem =
        image->bytes ? parse(images, image, size) : "its memory cannot be read, or is too large";
    return true;
}

/* ---- All images ---- */

/* What one descriptor lists. */
static bool read_list(struct st_jit_images *images, uint64_t address) {
    struct rt_jit_descriptor descriptor;
    struct rt_jit_entry entry;
    if (!read_memory(address, &descriptor, sizeof descriptor) || descriptor.version != VERSION)
        return true;
    uint64_t at = (uintptr_t)descriptor.first;
    for (size_t i = 0; at && i < IMAGES_MAX && read_memory(at, &entry, sizeof entry); i++) {
        if (!add_image(images, (uintptr_t)entry.image, entry.size))
            return false;
        at = (uintptr_t)entry.next;
    }
    return true;
}

struct objects {
    struct st_jit_images *images;
    bool is_out_of_memory;
};

static int read_object(struct dl_phdr_info *info, size_t size, void *user) {
    (void)size;
    struct objects *objects = user;
    const char *path = info->dlpi_name[0] ? info->dlpi_name : "/proc/self/exe";
    uint64_t value = find_descriptor(path);
    objects->is_out_of_memory = value && !read_list(objects->images, info->dlpi_addr + value);
    return objects->is_out_of_memory;
}

struct rt_error *st_jit_images_read(struct st_jit_images **ret) {
    struct st_jit_images *images = calloc(1, sizeof *images);
    if (!images)
        return rt_error_out_of_memory();
    rt_arena_init(&images->arena, ARENA_LIMIT);
    elf_version(EV_CURRENT);
    struct objects objects = {.images = images};
    dl_iterate_phdr(read_object, &objects);
    images->views = calloc(images->count + 1, sizeof *images->views);
    if (objects.is_out_of_memory || !images->views) {
        st_jit_images_destroy(images);
        return rt_error_out_of_memory();
    }
    for (size_t i = 0; i < images->count; i++)
        images->views[i] = images->images[i].view;
    *ret = images;
    return NULL;
}

void st_jit_images_destroy(struct st_jit_images *images) {
    if (!images)
        return;
    for (size_t i = 0; i < images->count; i++) {
        st_unwinder_destroy(images->images[i].unwinder);
        st_debug_close(images->images[i].debug);
        free(images->images[i].bytes);
    }
    free(images->images);
    free(images->views);
    rt_arena_clear(&images->arena);
    free(images);
}

/* ---- Questions ---- */

const struct st_jit_image *st_jit_images_list(const struct st_jit_images *images, size_t *ret_count) {
    *ret_count = images->count;
    return images->views;
}

const struct st_jit_image *st_jit_image_at(const struct st_jit_images *images, uint64_t machine) {
    for (size_t i = 0; i < images->count; i++) {
        const struct st_jit_image *image = &images->views[i];
        for (size_t j = 0; j < image->code_count; j++) {
            if (image->code[j].low <= machine && machine < image->code[j].high)
                return image;
        }
    }
    return NULL;
}

const struct st_jit_function *st_jit_function_at(const struct st_jit_image *image, uint64_t machine) {
    size_t low = 0, high = image->function_count;
    while (low < high) { /* the first one behind it */
        size_t middle = low + (high - low) / 2;
        if (image->functions[middle].low <= machine)
            low = middle + 1;
        else
            high = middle;
    }
    return low && machine < image->functions[low - 1].high ? &image->functions[low - 1] : NULL;
}

struct st_unwinder *st_jit_image_unwinder(const struct st_jit_images *images,
                                          const struct st_jit_image *image) {
    return images->images[image - images->views].unwinder;
}

struct st_debug *st_jit_image_debug(const struct st_jit_images *images, const struct st_jit_image *image) {
    return images->images[image - images->views].debug;
}
