/* ELF files that hold a module's DWARF, and their sizes. */
#include "harness/bench_dwarf.h"

#include "harness/buffer.h"

#include <elf.h>
#include <string.h>

enum { FIRST_PC = 1, MOST_PCS = 1 << 30 };

static void put_section(struct hx_buffer *headers, const Elf32_Shdr *header) {
    hx_buffer_append(headers, header, sizeof *header);
}

struct rt_error *hx_bench_dwarf_image(const struct rt_dwarf_sections *sections, const char *path) {
    struct hx_buffer image = {0}, headers = {0}, names = {0};
    Elf32_Ehdr header = {.e_type = ET_EXEC,
                         .e_machine = EM_386,
                         .e_version = EV_CURRENT,
                         .e_ehsize = sizeof header,
                         .e_shentsize = sizeof(Elf32_Shdr),
                         .e_shnum = 3};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS32;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;

    hx_buffer_append(&image, &header, sizeof header);
    hx_buffer_append(&names, "\0.text", 7);
    put_section(&headers, &(Elf32_Shdr){0});
    put_section(&headers, &(Elf32_Shdr){.sh_name = 1,
                                        .sh_type = SHT_NOBITS,
                                        .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                                        .sh_addr = FIRST_PC,
                                        .sh_offset = sizeof header,
                                        .sh_size = MOST_PCS,
                                        .sh_addralign = 1});
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++) {
        const char *name = rt_dwarf_section_name((enum rt_dwarf_section)i);
        if (!sections->at[i].size)
            continue;
        put_section(&headers, &(Elf32_Shdr){.sh_name = (Elf32_Word)names.size,
                                            .sh_type = SHT_PROGBITS,
                                            .sh_offset = (Elf32_Off)image.size,
                                            .sh_size = (Elf32_Word)sections->at[i].size,
                                            .sh_addralign = 1});
        hx_buffer_append(&names, name, strlen(name) + 1);
        hx_buffer_append(&image, sections->at[i].bytes, sections->at[i].size);
        header.e_shnum++;
    }
    put_section(&headers, &(Elf32_Shdr){.sh_name = (Elf32_Word)names.size,
                                        .sh_type = SHT_STRTAB,
                                        .sh_offset = (Elf32_Off)image.size,
                                        .sh_size = (Elf32_Word)(names.size + sizeof ".shstrtab"),
                                        .sh_addralign = 1});
    hx_buffer_append(&names, ".shstrtab", sizeof ".shstrtab");
    hx_buffer_append(&image, names.bytes, names.size);
    hx_buffer_append(&image, "\0\0\0", (size_t)-image.size % 4);
    header.e_shoff = (Elf32_Off)image.size;
    header.e_shstrndx = header.e_shnum - 1;
    hx_buffer_append(&image, headers.bytes, headers.size);
    struct rt_error *error = NULL;
    if (image.failed || headers.failed || names.failed) {
        error = rt_error_out_of_memory();
    } else {
        memcpy(image.bytes, &header, sizeof header);
        error = hx_file_write(path, image.bytes, image.size, 0700);
    }
    hx_buffer_clear(&image);
    hx_buffer_clear(&headers);
    hx_buffer_clear(&names);
    return error;
}

struct rt_error *hx_bench_dwarf_size(const char *path, uint64_t *ret) {
    struct hx_buffer image = {0};
    Elf32_Ehdr header;
    struct rt_error *error = hx_file_read(path, SIZE_MAX / 2, &image);
    *ret = 0;
    if (!error && image.size < sizeof header)
        error = rt_error_format(RT_MALFORMED, "%s is no ELF file", path);
    if (!error)
        memcpy(&header, image.bytes, sizeof header);
    for (size_t i = 0; !error && i < header.e_shnum; i++) {
        const size_t at = header.e_shoff + i * sizeof(Elf32_Shdr);
        Elf32_Shdr section;
        if (at + sizeof section > image.size)
            break;
        memcpy(&section, image.bytes + at, sizeof section);
        if (section.sh_type == SHT_PROGBITS)
            *ret += section.sh_size;
    }
    hx_buffer_clear(&image);
    return error;
}
