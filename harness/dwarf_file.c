/* DWARF in files: a module's by the runtime, an ELF file's by its table of sections (System V ABI, chapter
 * 4). */
#include "harness/dwarf_file.h"

#include "runtime/runtime.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 256 << 20 };

/* ---- ELF files, read ---- */

struct elf {
    Elf64_Ehdr header;
    Elf64_Shdr
        *sections; /* malloc'd copy of the table, with room for one more of each kind of DWARF section */
    size_t count;
    struct rt_dwarf_span names;
};

/* A part of the file. */
static struct rt_error *part(const struct hx_buffer *file, uint64_t offset, uint64_t size, const char *what,
                             const uint8_t **ret) {
    struct rt_cursor cursor = rt_cursor_make(file->bytes, file->size, 0);
    struct rt_error *error = rt_cursor_bytes(&cursor, (size_t)offset, what, ret);
    return error ? error : rt_cursor_bytes(&cursor, (size_t)size, what, ret);
}

static bool is_supported(const Elf64_Ehdr *header) {
    return header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_ident[EI_DATA] == ELFDATA2LSB &&
           header->e_type != ET_REL && header->e_shentsize == sizeof(Elf64_Shdr) &&
           header->e_shstrndx < header->e_shnum && header->e_shnum < SHN_LORESERVE - RT_DWARF_SECTION_COUNT;
}

static struct rt_error *read_elf(const struct hx_buffer *file, struct elf *ret) {
    const uint8_t *bytes;
    *ret = (struct elf){.sections = NULL};
    struct rt_error *error = part(file, 0, sizeof ret->header, "an ELF header", &bytes);
    if (error)
        return error;
    memcpy(&ret->header, bytes, sizeof ret->header);
    if (!is_supported(&ret->header))
        return rt_error_format(RT_USAGE, "no linked ELF file of 64 bits with a table of sections");
    ret->count = ret->header.e_shnum;
    error = part(file, ret->header.e_shoff, ret->count * sizeof(Elf64_Shdr), "the table of sections", &bytes);
    if (error)
        return error;
    ret->sections = calloc(ret->count + RT_DWARF_SECTION_COUNT, sizeof(Elf64_Shdr));
    if (!ret->sections)
        return rt_error_out_of_memory();
    memcpy(ret->sections, bytes, ret->count * sizeof(Elf64_Shdr));
    const Elf64_Shdr *names = &ret->sections[ret->header.e_shstrndx];
    ret->names.size = (size_t)names->sh_size;
    return part(file, names->sh_offset, names->sh_size, "the names of sections", &ret->names.bytes);
}

/* Whether a section holds DWARF that is not loaded, and which. */
static bool is_dwarf(const struct elf *elf, const Elf64_Shdr *section, enum rt_dwarf_section *ret) {
    const uint64_t at = section->sh_name;
    return section->sh_type == SHT_PROGBITS && !(section->sh_flags & SHF_ALLOC) && at < elf->names.size &&
           memchr(elf->names.bytes + at, 0, elf->names.size - at) &&
           rt_dwarf_section_find((const char *)elf->names.bytes + at, ret);
}

static struct rt_error *find_sections(const struct hx_buffer *file, const struct elf *elf,
                                      struct rt_dwarf_sections *ret) {
    struct rt_error *error = NULL;
    for (size_t i = 0; !error && i < elf->count; i++) {
        const Elf64_Shdr *section = &elf->sections[i];
        enum rt_dwarf_section kind;
        if (!is_dwarf(elf, section, &kind) || ret->at[kind].bytes)
            continue;
        if (section->sh_flags & SHF_COMPRESSED)
            return rt_error_format(RT_USAGE, "%s is compressed: link it without",
                                   rt_dwarf_section_name(kind));
        ret->at[kind].size = (size_t)section->sh_size;
        error = part(file, section->sh_offset, section->sh_size, rt_dwarf_section_name(kind),
                     &ret->at[kind].bytes);
    }
    return error;
}

/* ---- ELF files, written: the file as it was, then the sections, the names and the table anew ---- */

/* A section's contents go to the file's end. */
static void put_section(struct hx_buffer *out, struct rt_dwarf_span contents, Elf64_Shdr *section) {
    section->sh_offset = out->size;
    section->sh_size = contents.size;
    hx_buffer_append(out, contents.bytes, contents.size);
}

static void put_sections(const struct rt_dwarf_sections *sections, struct elf *elf, struct hx_buffer *out) {
    bool is_put[RT_DWARF_SECTION_COUNT] = {false};
    struct hx_buffer names = {0};
    hx_buffer_append(&names, elf->names.bytes, elf->names.size);
    for (size_t i = 0; i < elf->count; i++) {
        enum rt_dwarf_section kind;
        if (!is_dwarf(elf, &elf->sections[i], &kind))
            continue;
        if (sections->at[kind].size && !is_put[kind])
            put_section(out, sections->at[kind], &elf->sections[i]);
        else
            elf->sections[i] = (Elf64_Shdr){.sh_type = SHT_NULL}; /* the other sections keep their numbers */
        is_put[kind] = true;
    }
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++) {
        const char *name = rt_dwarf_section_name((enum rt_dwarf_section)i);
        if (is_put[i] || !sections->at[i].size)
            continue;
        Elf64_Shdr *section = &elf->sections[elf->count++];
        *section =
            (Elf64_Shdr){.sh_name = (Elf64_Word)names.size, .sh_type = SHT_PROGBITS, .sh_addralign = 1};
        hx_buffer_append(&names, name, strlen(name) + 1);
        put_section(out, sections->at[i], section);
    }
    put_section(out, (struct rt_dwarf_span){(const uint8_t *)names.bytes, names.size},
                &elf->sections[elf->header.e_shstrndx]);
    out->failed |= names.failed;
    hx_buffer_clear(&names);
}

static struct rt_error *write_elf(const struct hx_buffer *file, const struct rt_dwarf_sections *sections,
                                  const char *path) {
    static const uint8_t padding[sizeof(Elf64_Off)];
    struct hx_buffer out = {0};
    struct elf elf;
    struct rt_error *error = read_elf(file, &elf);
    if (!error) {
        hx_buffer_append(&out, file->bytes, file->size);
        put_sections(sections, &elf, &out);
        hx_buffer_append(&out, padding, -out.size % sizeof padding);
        elf.header.e_shoff = out.size;
        elf.header.e_shnum = (Elf64_Half)elf.count;
        hx_buffer_append(&out, elf.sections, elf.count * sizeof *elf.sections);
        if (out.failed) {
            error = rt_error_out_of_memory();
        } else {
            memcpy(out.bytes, &elf.header, sizeof elf.header);
            error = hx_file_write(path, out.bytes, out.size, 0777);
        }
    }
    free(elf.sections);
    hx_buffer_clear(&out);
    return error;
}

/* ---- Both kinds ---- */

static struct rt_error *open_elf(struct hx_dwarf_file *file) {
    struct elf elf;
    struct rt_error *error = read_elf(&file->bytes, &elf);
    if (!error)
        error = find_sections(&file->bytes, &elf, &file->sections);
    free(elf.sections);
    return error;
}

struct rt_error *hx_dwarf_file_open(const char *path, struct hx_dwarf_file *ret) {
    *ret = (struct hx_dwarf_file){.module = NULL};
    struct rt_error *error = hx_file_read(path, FILE_LIMIT, &ret->bytes);
    if (error)
        return error;
    if (ret->bytes.size >= SELFMAG && !memcmp(ret->bytes.bytes, ELFMAG, SELFMAG)) {
        error = open_elf(ret);
        return error ? rt_error_context(error, "%s", path) : NULL;
    }
    hx_buffer_clear(&ret->bytes);
    error = rt_module_open(path, &ret->module);
    return error ? error : rt_dwarf_module_sections(ret->module, &ret->sections);
}

struct rt_error *hx_dwarf_file_write(const struct hx_dwarf_file *file,
                                     const struct rt_dwarf_sections *sections, const char *path) {
    uint8_t *bytes;
    size_t size;
    if (!file->module)
        return write_elf(&file->bytes, sections, path);
    struct rt_error *error = rt_dwarf_module_write(file->module, sections, &bytes, &size);
    if (error)
        return error;
    error = hx_file_write(path, bytes, size, 0666);
    free(bytes);
    return error;
}

void hx_dwarf_file_close(struct hx_dwarf_file *file) {
    rt_module_destroy(file->module);
    hx_buffer_clear(&file->bytes);
    *file = (struct hx_dwarf_file){.module = NULL};
}
