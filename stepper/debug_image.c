/* Where DWARF comes from: an ELF file, or an ELF image made in memory from a module's custom sections.
 *
 * libdw reads ELF only, and a Wasm module's .debug_* custom sections have the same contents as ELF's, so an
 * ELF header, those sections and a section table are all that it takes. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stepper/debug.h"

const char *const st_section_names[ST_SECTION_COUNT] = {
#define X(kind, name) name,
    ST_SECTIONS(X)
#undef X
};

/* ---- Reading a file ---- */

static struct rt_error *read_whole(int fd, const char *path, uint8_t **ret, size_t *ret_size) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return rt_error_os(errno, "reading %s", path);
    if (!S_ISREG(status.st_mode))
        return rt_error_format(RT_USAGE, "reading %s: not a regular file", path);
    size_t size = (size_t)status.st_size, done = 0;
    uint8_t *bytes = malloc(size + 1);
    if (!bytes)
        return rt_error_out_of_memory();
    while (done < size) {
        ssize_t count = read(fd, bytes + done, size - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            int errnum = errno;
            free(bytes);
            return rt_error_os(errnum, "reading %s", path);
        }
        if (count == 0)
            break;
        done += (size_t)count;
    }
    *ret = bytes;
    *ret_size = done;
    return NULL;
}

static struct rt_error *open_image(struct st_debug *debug) {
    elf_version(EV_CURRENT);
    debug->elf = elf_memory((char *)debug->image, debug->image_size);
    if (!debug->elf || elf_kind(debug->elf) != ELF_K_ELF)
        return rt_error_format(RT_MALFORMED, "%s is not an ELF file", debug->label);
    GElf_Ehdr header;
    if (!gelf_getehdr(debug->elf, &header))
        return rt_error_format(RT_MALFORMED, "%s: ELF header: %s", debug->label, elf_errmsg(-1));
    if (header.e_ident[EI_DATA] != ELFDATA2LSB)
        return rt_error_format(RT_UNSUPPORTED, "%s: not supported: a big-endian ELF file", debug->label);
    if (header.e_type == ET_REL)
        return rt_error_format(RT_USAGE, "%s is a relocatable object: link it first", debug->label);
    return NULL;
}

/* After dwarf_begin_elf, which decompresses compressed sections in place. */
static struct rt_error *find_sections(struct st_debug *debug) {
    size_t names;
    if (elf_getshdrstrndx(debug->elf, &names) != 0)
        return rt_error_format(RT_MALFORMED, "%s: section names: %s", debug->label, elf_errmsg(-1));
    for (Elf_Scn *section = NULL; (section = elf_nextscn(debug->elf, section));) {
        GElf_Shdr header;
        const char *name;
        if (!gelf_getshdr(section, &header) || !(name = elf_strptr(debug->elf, names, header.sh_name)))
            return rt_error_format(RT_MALFORMED, "%s: section %zu: %s", debug->label, elf_ndxscn(section),
                                   elf_errmsg(-1));
        if (header.sh_type == SHT_NOBITS || strncmp(name, ".debug_", 7) != 0)
            continue;
        for (size_t i = 0; i < ST_SECTION_COUNT; i++) {
            if (strcmp(name, st_section_names[i]) != 0 || debug->sections[i].bytes)
                continue;
            Elf_Data *data = elf_rawdata(section, NULL);
            if (!data)
                return rt_error_format(RT_MALFORMED, "%s: section %s: %s", debug->label, name,
                                       elf_errmsg(-1));
            debug->sections[i] = (struct st_section){data->d_buf, data->d_buf ? data->d_size : 0};
        }
    }
    return NULL;
}

static struct rt_error *find_code(struct st_debug *debug) {
    size_t count;
    if (elf_getphdrnum(debug->elf, &count) != 0)
        return rt_error_format(RT_MALFORMED, "%s: program headers: %s", debug->label, elf_errmsg(-1));
    debug->code = rt_arena_array(&debug->arena, count, sizeof *debug->code);
    if (!debug->code)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(debug->elf, (int)i, &header))
            return rt_error_format(RT_MALFORMED, "%s: program header %zu: %s", debug->label, i,
                                   elf_errmsg(-1));
        if (header.p_type == PT_LOAD && (header.p_flags & PF_X) &&
            header.p_vaddr + header.p_memsz > header.p_vaddr)
            debug->code[debug->code_count++] =
                (struct st_range){header.p_vaddr, header.p_vaddr + header.p_memsz};
    }
    return NULL;
}

static struct rt_error *open_dwarf(struct st_debug *debug) {
    debug->dwarf = dwarf_begin_elf(debug->elf, DWARF_C_READ, NULL);
    if (debug->dwarf) {
        struct rt_error *error = find_sections(debug);
        if (error)
            return error;
    }
    if (debug->sections[ST_SECTION_INFO].size == 0)
        return rt_error_format(RT_USAGE, "%s has no debug information: compile it with -g", debug->label);
    return NULL;
}

static struct rt_error *open_elf(struct st_debug *debug) {
    struct rt_error *error = open_image(debug);
    if (!error)
        error = find_code(debug);
    if (!error)
        error = open_dwarf(debug);
    return error;
}

struct rt_error *st_debug_read_elf(struct st_debug *debug, const char *path) {
    if (!(debug->label = rt_arena_printf(&debug->arena, "%s", path)))
        return rt_error_out_of_memory();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rt_error_os(errno, "opening %s", path);
    struct rt_error *error = read_whole(fd, path, &debug->image, &debug->image_size);
    close(fd);
    return error ? error : open_elf(debug);
}

struct rt_error *st_debug_read_memory(struct st_debug *debug, const char *label, const uint8_t *bytes,
                                      size_t size) {
    debug->label = rt_arena_printf(&debug->arena, "%s", label);
    debug->image = malloc(size + 1);
    if (!debug->label || !debug->image)
        return rt_error_out_of_memory();
    memcpy(debug->image, bytes, size);
    debug->image_size = size;
    return open_elf(debug);
}

/* ---- Making an image from custom sections ---- */

struct custom {
    const char *name;
    const uint8_t *bytes;
    size_t size;
};

static size_t aligned(size_t offset) {
    return (offset + 7) & ~(size_t)7;
}

/* Layout: file header, the sections' bytes, the names' table, the section headers (the first one empty, the
 * last one the names' table). */
static struct rt_error *make_image(struct st_debug *debug, const struct custom *customs, size_t count) {
    size_t names_size = sizeof "" + sizeof ".shstrtab", size = sizeof(Elf32_Ehdr);
    for (size_t i = 0; i < count; i++) {
        size = aligned(size) + customs[i].size;
        names_size += strlen(customs[i].name) + 1;
    }
    size_t names_offset = aligned(size);
    size_t headers_offset = aligned(names_offset + names_size);
    size_t total = headers_offset + (count + 2) * sizeof(Elf32_Shdr);
    if (total > UINT32_MAX)
        return rt_error_format(RT_UNSUPPORTED, "%s: not supported: debug sections of more than 4 GiB",
                               debug->label);
    uint8_t *image = calloc(1, total);
    if (!image)
        return rt_error_out_of_memory();
    debug->image = image;
    debug->image_size = total;

    Elf32_Ehdr *header = (Elf32_Ehdr *)image;
    memcpy(header->e_ident, ELFMAG, SELFMAG);
    header->e_ident[EI_CLASS] = ELFCLASS32;
    header->e_ident[EI_DATA] = ELFDATA2LSB;
    header->e_ident[EI_VERSION] = EV_CURRENT;
    header->e_type = ET_EXEC;
    header->e_version = EV_CURRENT;
    header->e_shoff = (Elf32_Off)headers_offset;
    header->e_ehsize = sizeof(Elf32_Ehdr);
    header->e_shentsize = sizeof(Elf32_Shdr);
    header->e_shnum = (Elf32_Half)(count + 2);
    header->e_shstrndx = (Elf32_Half)(count + 1);

    Elf32_Shdr *sections = (Elf32_Shdr *)(image + headers_offset);
    size_t offset = sizeof(Elf32_Ehdr), name = 1;
    for (size_t i = 0; i <= count; i++) {
        bool is_names = i == count;
        const char *text = is_names ? ".shstrtab" : customs[i].name;
        Elf32_Shdr *section = &sections[i + 1];
        offset = aligned(offset);
        section->sh_name = (Elf32_Word)name;
        section->sh_type = is_names ? SHT_STRTAB : SHT_PROGBITS;
        section->sh_offset = (Elf32_Off)offset;
        section->sh_size = (Elf32_Word)(is_names ? names_size : customs[i].size);
        section->sh_addralign = 1;
        if (!is_names && customs[i].size)
            memcpy(image + offset, customs[i].bytes, customs[i].size);
        memcpy(image + names_offset + name, text, strlen(text) + 1);
        name += strlen(text) + 1;
        offset += section->sh_size;
    }
    return NULL;
}

struct rt_error *st_debug_read_wasm(struct st_debug *debug, const struct rt_module *module) {
    debug->label = "the module";
    debug->module = module;
    struct custom customs[ST_SECTION_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < ST_SECTION_COUNT; i++) {
        struct custom custom = {.name = st_section_names[i]};
        if (rt_module_custom(module, custom.name, &custom.bytes, &custom.size))
            customs[count++] = custom;
    }
    const uint8_t *bytes;
    size_t size;
    if (rt_module_custom(module, "linking", &bytes, &size))
        return rt_error_format(RT_USAGE, "%s is a relocatable object: link it first", debug->label);
    struct rt_error *error = make_image(debug, customs, count);
    if (!error)
        error = open_image(debug);
    if (!error)
        error = open_dwarf(debug);
    return error;
}

void st_debug_clear_image(struct st_debug *debug) {
    if (debug->dwarf)
        dwarf_end(debug->dwarf);
    if (debug->elf)
        elf_end(debug->elf);
    free(debug->image);
    debug->dwarf = NULL;
    debug->elf = NULL;
    debug->image = NULL;
}

bool st_debug_is_code(const struct st_debug *debug, uint64_t pc) {
    if (pc <= 1)
        return false;
    if (debug->module) {
        uint32_t function;
        return pc <= UINT32_MAX && rt_module_function_at(debug->module, (uint32_t)pc, &function);
    }
    for (size_t i = 0; i < debug->code_count; i++)
        if (pc >= debug->code[i].low && pc < debug->code[i].high)
            return true;
    return false;
}
