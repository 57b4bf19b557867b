/* A debuggee with an engine of its own: it makes code that keeps no frame pointer, registers it for
 * debuggers, and is called back from there. The image that it registers is relocatable, as many engines' are.
 */
#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

struct entry {
    struct entry *next, *previous;
    const void *image;
    uint64_t size;
};
struct {
    uint32_t version, action;
    struct entry *relevant, *first;
} __jit_debug_descriptor = {1};

/* push rbx; sub rsp, 32; call rdi; add rsp, 32; pop rbx; ret */
static const uint8_t code[] = {0x53, 0x48, 0x83, 0xec, 0x20, 0xff, 0xd7, 0x48, 0x83, 0xc4, 0x20, 0x5b, 0xc3};

static struct {
    Elf64_Ehdr header;
    Elf64_Shdr sections[6];
    Elf64_Sym symbols[2];
    char strings[16];
    char names[48];
    struct __attribute__((packed)) {
        uint32_t common_length, common_zero;
        uint8_t common[16];
        uint32_t length, back;
        uint64_t low, size;
        uint8_t rules[16];
        uint32_t end;
    } frames;
} file = {
    .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
               .e_type = ET_REL,
               .e_machine = EM_X86_64,
               .e_version = EV_CURRENT,
               .e_ehsize = sizeof(Elf64_Ehdr),
               .e_shentsize = sizeof(Elf64_Shdr),
               .e_shnum = 6,
               .e_shstrndx = 5},
    .symbols = {{0}, {.st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_size = sizeof code}},
    .strings = "\0jitted",
    .names = "\0.text\0.eh_frame\0.symtab\0.strtab\0.shstrtab",
    .frames = {.common_length = 20,
               /* version 1, "zR", alignments 1 and -8, column 16, absolute; CFA rsp + 8, return address -8 */
               .common = {1, 'z', 'R', 0, 1, 0x78, 16, 1, 0, 0x0c, 7, 8, 0x90, 1},
               .length = 36,
               .back = 28,
               .size = sizeof code,
               /* +1: CFA + 16, rbx at -16; +4: CFA + 48; +6: CFA + 16; +1: CFA + 8 */
               .rules = {0, 0x41, 0x0e, 16, 0x83, 2, 0x44, 0x0e, 48, 0x46, 0x0e, 16, 0x41, 0x0e, 8}},
};
static struct entry entry = {.image = &file, .size = sizeof file};

static int place(unsigned index, uint32_t name, uint32_t type, const void *bytes, uint64_t size) {
    file.sections[index] = (Elf64_Shdr){.sh_name = name,
                                        .sh_type = type,
                                        .sh_offset = (uint64_t)((char *)bytes - (char *)&file),
                                        .sh_size = size};
    return 0;
}

static int landed(int number) {
    return number + 1; /* the test stops here */
}

int main(void) {
    void *made = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(made, code, sizeof code);
    mprotect(made, 4096, PROT_READ | PROT_EXEC);
    file.header.e_shoff = (uint64_t)((char *)file.sections - (char *)&file);
    place(1, 1, SHT_NOBITS, &file, sizeof code);
    file.sections[1].sh_addr = (uint64_t)made;
    file.sections[1].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
    place(2, 7, SHT_PROGBITS, &file.frames, sizeof file.frames);
    place(3, 17, SHT_SYMTAB, file.symbols, sizeof file.symbols);
    file.sections[3].sh_link = 4;
    file.sections[3].sh_info = 2;
    file.sections[3].sh_entsize = sizeof(Elf64_Sym);
    place(4, 25, SHT_STRTAB, file.strings, sizeof file.strings);
    place(5, 33, SHT_STRTAB, file.names, sizeof file.names);
    file.frames.low = (uint64_t)made;
    __jit_debug_descriptor.first = &entry;
    return ((int (*)(int (*)(int)))made)(landed) == 0;
}
