/* The ELF image of compiled code: its layout, its symbols, its sections. registration.c hands it out.
 *
 * The file says where the code is, and has none of it: .text is of type SHT_NOBITS, at the code's address.
 * All addresses are final, so there is nothing to relocate. .eh_frame has the address where it lies in
 * memory. */
#include "runtime/jit/map.h"

#include <elf.h>
#include <stdlib.h>

#include "runtime/frame_rules.h"

enum { OWN_SECTIONS = 6 /* the empty one, .text, .eh_frame, .symtab, .strtab, .shstrtab */ };
enum { TEXT = 1, FRAMES, SYMBOLS, STRINGS, FIRST_GIVEN };

/* What is put together, before its place in the file is known. */
struct layout {
    const struct rt_code_map *map;
    Elf64_Shdr *headers;
    const void **contents; /* of each section; NULL: none */
    size_t count;
    struct rt_buffer symbols, strings, names;
};

static struct rt_error *add_string(struct rt_buffer *strings, const char *text, uint32_t *ret) {
    size_t size = strlen(text) + 1;
    if (!rt_buffer_reserve(strings, size) || strings->size > UINT32_MAX - size)
        return rt_error_out_of_memory();
    *ret = (uint32_t)strings->size;
    rt_put_bytes(strings, text, size);
    return NULL;
}

/* All symbols are local: a debugger that calls `malloc` for itself must not find the guest's. */
static struct rt_error *add_symbol(struct layout *layout, const char *name, uintptr_t address,
                                   uint64_t size) {
    Elf64_Sym symbol = {.st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
                        .st_shndx = TEXT,
                        .st_value = address,
                        .st_size = size};
    struct rt_error *error = add_string(&layout->strings, name, &symbol.st_name);
    if (error)
        return error;
    if (!rt_buffer_reserve(&layout->symbols, sizeof(symbol)))
        return rt_error_out_of_memory();
    rt_put_bytes(&layout->symbols, &symbol, sizeof(symbol));
    return NULL;
}

static struct rt_error *add_symbols(struct layout *layout) {
    const struct rt_code_map *map = layout->map;
    static const Elf64_Sym none;
    uint32_t empty;
    if (!rt_buffer_reserve(&layout->symbols, sizeof(none)))
        return rt_error_out_of_memory();
    rt_put_bytes(&layout->symbols, &none, sizeof(none));
    struct rt_error *error = add_string(&layout->strings, "", &empty);
    if (!error)
        error = add_symbol(layout, "lockstep_probe_thunk",
                           (uintptr_t)map->code->memory.executable + map->code->probe_thunk,
                           map->rules->thunk_size);
    for (uint32_t i = 0; i < map->code->function_count && !error; i++) {
        const struct rt_code_map_function *function = &map->functions[i];
        char name[RT_JIT_NAME_SIZE];
        error = add_symbol(layout, rt_jit_name(map, function->function, name), function->range.low,
                           function->range.high - function->range.low);
    }
    return error;
}

static struct rt_error *add_section(struct layout *layout, const char *name, Elf64_Shdr header,
                                    const void *contents) {
    struct rt_error *error = add_string(&layout->names, name, &header.sh_name);
    if (error)
        return error;
    layout->headers[layout->count] = header;
    layout->contents[layout->count++] = contents;
    return NULL;
}

static struct rt_error *add_sections(struct layout *layout, const struct rt_jit_section *sections,
                                     size_t count) {
    const struct rt_code_map *map = layout->map;
    const struct rt_code_memory *memory = &map->code->memory;
    const struct {
        const char *name;
        Elf64_Shdr header;
        const void *contents;
    } own[] = {
        {"", {.sh_type = SHT_NULL}, NULL},
        {".text",
         {.sh_type = SHT_NOBITS,
          .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
          .sh_addr = (uintptr_t)memory->executable,
          .sh_size = memory->size,
          .sh_addralign = 16},
         NULL},
        {".eh_frame",
         {.sh_type = SHT_PROGBITS, .sh_size = map->frames.size, .sh_addralign = 8},
         map->frames.bytes},
        {".symtab",
         {.sh_type = SHT_SYMTAB,
          .sh_size = layout->symbols.size,
          .sh_link = STRINGS,
          .sh_info = (uint32_t)(layout->symbols.size / sizeof(Elf64_Sym)),
          .sh_entsize = sizeof(Elf64_Sym),
          .sh_addralign = 8},
         layout->symbols.bytes},
        {".strtab",
         {.sh_type = SHT_STRTAB, .sh_size = layout->strings.size, .sh_addralign = 1},
         layout->strings.bytes},
    };
    struct rt_error *error = NULL;
    for (size_t i = 0; i < FIRST_GIVEN && !error; i++)
        error = add_section(layout, own[i].name, own[i].header, own[i].contents);
    for (size_t i = 0; i < count && !error; i++)
        error =
            add_section(layout, sections[i].name,
                        (Elf64_Shdr){.sh_type = SHT_PROGBITS, .sh_size = sections[i].size, .sh_addralign = 1},
                        sections[i].bytes);
    if (error)
        return error;
    error = add_section(layout, ".shstrtab", (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_addralign = 1}, NULL);
    layout->headers[layout->count - 1].sh_size = layout->names.size; /* its own name is in it now */
    layout->contents[layout->count - 1] = layout->names.bytes;
    return error;
}

static size_t aligned(size_t offset) {
    return (offset + 7) & ~(size_t)7;
}

/* File header, program header, the sections' contents, section headers. */
static struct rt_error *write_file(struct layout *layout, uint8_t **ret, size_t *ret_size) {
    size_t size = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
    for (size_t i = 0; i < layout->count; i++) {
        layout->headers[i].sh_offset = size = aligned(size);
        size += layout->headers[i].sh_type == SHT_NOBITS ? 0 : layout->headers[i].sh_size;
    }
    size_t table = aligned(size);
    uint8_t *file = calloc(1, table + layout->count * sizeof(Elf64_Shdr));
    if (!file)
        return rt_error_out_of_memory();
    const Elf64_Shdr *text = &layout->headers[TEXT];
    const Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = layout->map->rules->elf_machine,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_shoff = table,
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = (Elf64_Half)layout->count,
        .e_shstrndx = (Elf64_Half)(layout->count - 1),
    };
    const Elf64_Phdr segment = {.p_type = PT_LOAD,
                                .p_flags = PF_R | PF_X,
                                .p_offset = text->sh_offset,
                                .p_vaddr = text->sh_addr,
                                .p_paddr = text->sh_addr,
                                .p_memsz = text->sh_size,
                                .p_align = 1};
    layout->headers[FRAMES].sh_addr = (uintptr_t)file + layout->headers[FRAMES].sh_offset;
    memcpy(file, &header, sizeof(header));
    memcpy(file + sizeof(header), &segment, sizeof(segment));
    for (size_t i = 0; i < layout->count; i++) {
        if (layout->contents[i] && layout->headers[i].sh_size)
            memcpy(file + layout->headers[i].sh_offset, layout->contents[i], layout->headers[i].sh_size);
    }
    memcpy(file + table, layout->headers, layout->count * sizeof(Elf64_Shdr));
    *ret = file;
    *ret_size = table + layout->count * sizeof(Elf64_Shdr);
    return NULL;
}

struct rt_error *rt_jit_image_make(const struct rt_code_map *map, const struct rt_jit_section *sections,
                                   size_t count, uint8_t **ret, size_t *ret_size) {
    struct layout layout = {.map = map};
    if (count > SHN_LORESERVE - OWN_SECTIONS)
        return rt_error_format(RT_USAGE, "making an image of compiled code: %zu sections", count);
    layout.headers = calloc(count + OWN_SECTIONS, sizeof(*layout.headers));
    layout.contents = calloc(count + OWN_SECTIONS, sizeof(*layout.contents));
    struct rt_error *error = layout.headers && layout.contents ? NULL : rt_error_out_of_memory();
    if (!error)
        error = add_symbols(&layout);
    if (!error)
        error = add_sections(&layout, sections, count);
    if (!error)
        error = write_file(&layout, ret, ret_size);
    free(layout.headers);
    free(layout.contents);
    free(layout.symbols.bytes);
    free(layout.strings.bytes);
    free(layout.names.bytes);
    return error;
}
