/* Call-frame information of a native image (DWARF 5, section 6.4): .eh_frame first, .debug_frame for what it
 * leaves out. The row of a pc is kept: a second walk through the same pc costs a hash lookup. */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stepper/call_frames.h"
#include "stepper/expression.h"

enum { SECTIONS = 2 };

struct st_unwinder {
    struct rt_arena arena;
    struct st_map rows; /* by pc; `missing` where no FDE covers it, or an FDE's program is malformed */
    Elf *elf;
    struct st_call_frames sections[SECTIONS];
    int fd;
};

static const struct st_unwind_row missing;

/* What the expressions of call-frame information are read with. */
static const struct st_unit cfi_unit = {.version = 5, .address_size = 8, .offset_size = 4};

/* The section of a name; without bytes when there is none. */
static struct rt_error *find_section(struct st_unwinder *unwinder, struct st_call_frames *ret) {
    size_t names;
    if (elf_getshdrstrndx(unwinder->elf, &names) != 0)
        return rt_error_format(RT_MALFORMED, "section names: %s", elf_errmsg(-1));
    for (Elf_Scn *section = NULL; (section = elf_nextscn(unwinder->elf, section));) {
        GElf_Shdr header;
        const char *name;
        if (!gelf_getshdr(section, &header) || !(name = elf_strptr(unwinder->elf, names, header.sh_name)))
            return rt_error_format(RT_MALFORMED, "section %zu: %s", elf_ndxscn(section), elf_errmsg(-1));
        if (header.sh_type == SHT_NOBITS || strcmp(name, ret->name) != 0)
            continue;
        if ((header.sh_flags & SHF_COMPRESSED) && elf_compress(section, 0, 0) < 0)
            return rt_error_format(RT_MALFORMED, "section %s: %s", name, elf_errmsg(-1));
        const Elf_Data *data = elf_rawdata(section, NULL);
        if (!data)
            return rt_error_format(RT_MALFORMED, "section %s: %s", name, elf_errmsg(-1));
        ret->bytes = data->d_buf;
        ret->size = data->d_buf ? data->d_size : 0;
        ret->address = header.sh_addr;
        return NULL;
    }
    return NULL;
}

/* Finds the information in unwinder->elf. */
static struct rt_error *open_information(struct st_unwinder *unwinder, const char *label) {
    bool is_there = false;
    if (!unwinder->elf || elf_kind(unwinder->elf) != ELF_K_ELF)
        return rt_error_format(RT_MALFORMED, "%s is not an ELF file", label);
    unwinder->sections[0] = (struct st_call_frames){.name = ".eh_frame", .is_eh = true};
    unwinder->sections[1] = (struct st_call_frames){.name = ".debug_frame"};
    for (size_t i = 0; i < SECTIONS; i++) {
        struct rt_error *error = find_section(unwinder, &unwinder->sections[i]);
        if (!error)
            error = st_call_frames_read(&unwinder->arena, &unwinder->sections[i]);
        if (error)
            return rt_error_context(error, "%s", label);
        is_there = is_there || unwinder->sections[i].count > 0;
    }
    if (!is_there)
        return rt_error_format(RT_USAGE, "%s has no call-frame information", label);
    return NULL;
}

static struct st_unwinder *allocate(void) {
    struct st_unwinder *unwinder = calloc(1, sizeof *unwinder);
    if (unwinder) {
        rt_arena_init(&unwinder->arena, 0);
        unwinder->fd = -1;
    }
    elf_version(EV_CURRENT);
    return unwinder;
}

static struct rt_error *finish(struct st_unwinder *unwinder, struct rt_error *error,
                               struct st_unwinder **ret) {
    if (error)
        st_unwinder_destroy(unwinder);
    else
        *ret = unwinder;
    return error;
}

struct rt_error *st_unwinder_create(const char *path, struct st_unwinder **ret) {
    struct st_unwinder *unwinder = allocate();
    if (!unwinder)
        return rt_error_out_of_memory();
    unwinder->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (unwinder->fd < 0)
        return finish(unwinder, rt_error_os(errno, "opening %s", path), ret);
    unwinder->elf = elf_begin(unwinder->fd, ELF_C_READ_MMAP, NULL);
    return finish(unwinder, open_information(unwinder, path), ret);
}

struct rt_error *st_unwinder_create_memory(const char *label, uint8_t *bytes, size_t size,
                                           struct st_unwinder **ret) {
    struct st_unwinder *unwinder = allocate();
    if (!unwinder)
        return rt_error_out_of_memory();
    unwinder->elf = elf_memory((char *)bytes, size);
    return finish(unwinder, open_information(unwinder, label), ret);
}

void st_unwinder_destroy(struct st_unwinder *unwinder) {
    if (!unwinder)
        return;
    if (unwinder->elf)
        elf_end(unwinder->elf);
    if (unwinder->fd >= 0)
        close(unwinder->fd);
    st_map_clear(&unwinder->rows);
    rt_arena_clear(&unwinder->arena);
    free(unwinder);
}

/* ---- Rows ---- */

static const struct st_unwind_row *make_row(struct st_unwinder *unwinder, uint64_t pc) {
    struct st_frame_entry entry;
    for (size_t i = 0; i < SECTIONS; i++) {
        const struct st_call_frames *section = &unwinder->sections[i];
        if (!st_call_frames_find(section, pc, &entry))
            continue;
        struct st_unwind_row *row = rt_arena_alloc(&unwinder->arena, sizeof *row);
        struct rt_error *error = row ? st_call_frames_run(section, &entry, pc, row) : NULL;
        const bool is_malformed = error != NULL;
        rt_error_destroy(error);
        return is_malformed ? &missing : row;
    }
    return &missing;
}

const struct st_unwind_row *st_unwinder_row(struct st_unwinder *unwinder, uint64_t pc) {
    const struct st_unwind_row *row = st_map_get(&unwinder->rows, pc);
    if (!row) {
        row = make_row(unwinder, pc);
        if (!row || !st_map_put(&unwinder->rows, pc, (void *)row))
            return NULL;
    }
    return row == &missing ? NULL : row;
}

/* ---- Applying a row ---- */

static bool evaluate(const struct st_rule *rule, const struct st_machine *machine, const uint64_t *cfa,
                     uint64_t *ret) {
    struct st_expression expression = {{0, UINT64_MAX}, rule->bytes, rule->size, &cfi_unit};
    return st_expression_number(machine, &expression, cfa, ret);
}

static bool read_word(const struct st_machine *machine, uint64_t address, uint64_t *ret) {
    const void *bytes = machine->memory(machine->user, address, sizeof *ret);
    if (bytes)
        *ret = st_memory_load(bytes);
    return bytes != NULL;
}

bool st_unwind_cfa(const struct st_unwind_row *row, const struct st_machine *machine, uint64_t *ret) {
    uint64_t value;
    switch (row->cfa.kind) {
    case ST_RULE_REGISTER:
        if (!machine->read_register(machine->user, row->cfa.register_number, &value))
            return false;
        *ret = value + (uint64_t)(int64_t)row->cfa.offset;
        return true;
    case ST_RULE_EXPRESSION: return evaluate(&row->cfa, machine, NULL, ret);
    default: return false;
    }
}

bool st_unwind_caller(const struct st_unwind_row *row, const struct st_machine *machine, uint64_t cfa,
                      uint64_t registers[17], uint32_t *known) {
    *known = 0;
    for (unsigned i = 0; i < ST_RULE_REGISTERS; i++) {
        const struct st_rule *rule = &row->registers[i];
        uint64_t offset = (uint64_t)(int64_t)rule->offset, value = 0;
        bool is_known = false;
        switch ((enum st_rule_kind)rule->kind) {
        case ST_RULE_UNDEFINED: break;
        case ST_RULE_SAME:
            is_known = i != ST_RULE_RETURN_ADDRESS && machine->read_register(machine->user, i, &value);
            break;
        case ST_RULE_AT_CFA: is_known = read_word(machine, cfa + offset, &value); break;
        case ST_RULE_CFA_PLUS:
            value = cfa + offset;
            is_known = true;
            break;
        case ST_RULE_REGISTER:
            is_known = machine->read_register(machine->user, rule->register_number, &value);
            value += offset;
            break;
        case ST_RULE_AT_EXPRESSION:
            is_known = evaluate(rule, machine, &cfa, &value) && read_word(machine, value, &value);
            break;
        case ST_RULE_EXPRESSION: is_known = evaluate(rule, machine, &cfa, &value); break;
        }
        registers[i] = value;
        *known |= (uint32_t)is_known << i;
    }
    registers[ST_RULE_STACK_POINTER] = cfa;
    *known |= 1u << ST_RULE_STACK_POINTER;
    /* A frame whose return address is undefined is the outermost (section 6.4.4). */
    return *known >> ST_RULE_RETURN_ADDRESS & 1;
}
