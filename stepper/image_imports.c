/* A native image's way out: calls that would end the process end its session instead. The image's own GOT
 * slots are changed, so that nothing but the image notices. */
#include "stepper/image.h"
#include "stepper/session.h"
#include "stepper/x86_64/inject.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Functions of different types share this table; a slot holds no type. */
typedef void (*st_import_target)(void);

static const struct {
    const char *name;
    st_import_target target;
} redirections[] = {
#define ST_IMPORT(name, target) {#name, (st_import_target)(target)},
    ST_IMPORT(exit, st_native_exit) ST_IMPORT(quick_exit, st_native_quick_exit)
        ST_IMPORT(_exit, st_native_quick_exit) ST_IMPORT(_Exit, st_native_quick_exit)
            ST_IMPORT(abort, st_inject_abort) ST_IMPORT(__assert_fail, st_inject_assert)
#undef ST_IMPORT
};

static st_import_target target_of(const char *name) {
    for (size_t i = 0; i < sizeof(redirections) / sizeof(redirections[0]); i++) {
        if (strcmp(redirections[i].name, name) == 0) {
            return redirections[i].target;
        }
    }
    return NULL;
}

static struct rt_error *store(struct st_image *image, uintptr_t slot, st_import_target target) {
    const struct st_segment *segment = st_image_segment(image, slot);
    if (segment == NULL || !segment->is_writable || segment->high - slot < sizeof(target)) {
        return rt_error_format(RT_MALFORMED, "%s: a relocation names 0x%zx, which is not its own memory",
                               image->path, (size_t)(slot - image->bias));
    }
    uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t page = slot & ~(size - 1);
    /* The loader makes whole pages of the RELRO range read-only. */
    bool is_relro = slot >= (image->relro_low & ~(size - 1)) && slot < (image->relro_high & ~(size - 1));
    if (is_relro && mprotect((void *)page, size, PROT_READ | PROT_WRITE) != 0) {
        return rt_error_os(errno, "making the GOT of %s writable", image->path);
    }
    memcpy((void *)slot, &target, sizeof(target));
    if (is_relro && mprotect((void *)page, size, PROT_READ) != 0) {
        return rt_error_os(errno, "making the GOT of %s read-only again", image->path);
    }
    return NULL;
}

/* The parts of the dynamic section that relocation needs (System V gABI, chapter 5). */
struct dynamic {
    const char *strings;
    const ElfW(Sym) * symbols;
    const ElfW(Rela) * tables[2];
    size_t sizes[2];
};

static struct dynamic read_dynamic(const struct st_image *image, const ElfW(Dyn) * entry) {
    struct dynamic dynamic = {0};
    for (; entry->d_tag != DT_NULL; entry++) {
        /* glibc has added the bias already; other loaders do not. */
        uintptr_t address = entry->d_un.d_ptr;
        address += address < image->bias ? image->bias : 0;
        switch (entry->d_tag) {
        case DT_STRTAB: dynamic.strings = (const char *)address; break;
        case DT_SYMTAB: dynamic.symbols = (const ElfW(Sym) *)address; break;
        case DT_JMPREL: dynamic.tables[0] = (const ElfW(Rela) *)address; break;
        case DT_PLTRELSZ: dynamic.sizes[0] = entry->d_un.d_val; break;
        case DT_RELA: dynamic.tables[1] = (const ElfW(Rela) *)address; break;
        case DT_RELASZ: dynamic.sizes[1] = entry->d_un.d_val; break;
        default: break;
        }
    }
    return dynamic;
}

struct rt_error *st_image_redirect(struct st_image *image, const void *dynamic_section) {
    struct dynamic dynamic = read_dynamic(image, dynamic_section);
    if (dynamic.strings == NULL || dynamic.symbols == NULL) {
        return NULL; /* no symbols: it calls nothing */
    }
    for (size_t table = 0; table < 2; table++) {
        const ElfW(Rela) *relocations = dynamic.tables[table];
        size_t count = relocations ? dynamic.sizes[table] / sizeof(*relocations) : 0;
        for (size_t i = 0; i < count; i++) {
            uint32_t type = ELF64_R_TYPE(relocations[i].r_info);
            if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_64) {
                continue;
            }
            const ElfW(Sym) *symbol = &dynamic.symbols[ELF64_R_SYM(relocations[i].r_info)];
            st_import_target target = target_of(dynamic.strings + symbol->st_name);
            if (symbol->st_shndx != SHN_UNDEF || target == NULL) {
                continue; /* one of its own, even if it is called "exit" */
            }
            struct rt_error *error = store(image, image->bias + relocations[i].r_offset, target);
            if (error != NULL) {
                return error;
            }
        }
    }
    return NULL;
}
