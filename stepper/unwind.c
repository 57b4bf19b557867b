/* Call-frame information of a native image (DWARF 5, section 6.4): .eh_frame first, .debug_frame for what it
 * leaves out.
 *
 * libdw finds the FDE and runs its program; its answer, a list of operations for each register, becomes a row
 * of plain rules that is kept by pc. A second walk through the same pc costs a hash lookup. */
#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stepper/expression.h"

#define REGISTERS      17 /* rax ... r15 and the return address, in DWARF's order */
#define RAX            0
#define RBX            3
#define STACK_POINTER  7
#define RETURN_ADDRESS 16

enum rule_kind {
    RULE_UNDEFINED,     /* the caller's value is lost */
    RULE_SAME,          /* this frame did not touch it */
    RULE_AT_CFA,        /* saved in memory at CFA + offset */
    RULE_CFA_PLUS,      /* is CFA + offset */
    RULE_REGISTER,      /* is in another register, plus offset */
    RULE_AT_EXPRESSION, /* saved where an expression says; the CFA is on its stack */
    RULE_EXPRESSION,    /* is what an expression computes */
};

struct rule {
    uint8_t kind, register_number;
    uint16_t size; /* of `bytes` */
    int32_t offset;
    const uint8_t *bytes; /* an expression */
};

struct st_unwind_row {
    struct rule cfa; /* RULE_REGISTER or RULE_EXPRESSION; RULE_UNDEFINED when it cannot be told */
    struct rule registers[REGISTERS];
};

struct st_unwinder {
    struct rt_arena arena;
    struct st_map rows; /* by pc; `missing` where no FDE covers it */
    Elf *elf;
    Dwarf *dwarf;
    Dwarf_CFI *eh_frame, *debug_frame;
    int fd;
};

static const struct st_unwind_row missing;

/* What the expressions of call-frame information are read with. */
static const struct st_unit cfi_unit = {.version = 5, .address_size = 8, .offset_size = 4};

/* Finds the information in unwinder->elf. */
static struct rt_error *open_information(struct st_unwinder *unwinder, const char *label) {
    if (!unwinder->elf || elf_kind(unwinder->elf) != ELF_K_ELF)
        return rt_error_format(RT_MALFORMED, "%s is not an ELF file", label);
    unwinder->eh_frame = dwarf_getcfi_elf(unwinder->elf);
    unwinder->dwarf = dwarf_begin_elf(unwinder->elf, DWARF_C_READ, NULL);
    if (unwinder->dwarf)
        unwinder->debug_frame = dwarf_getcfi(unwinder->dwarf);
    if (!unwinder->eh_frame && !unwinder->debug_frame)
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
    if (unwinder->eh_frame)
        dwarf_cfi_end(unwinder->eh_frame);
    if (unwinder->dwarf)
        dwarf_end(unwinder->dwarf);
    if (unwinder->elf)
        elf_end(unwinder->elf);
    if (unwinder->fd >= 0)
        close(unwinder->fd);
    st_map_clear(&unwinder->rows);
    rt_arena_clear(&unwinder->arena);
    free(unwinder);
}

/* ---- From libdw's operations to rules ---- */

struct buffer {
    uint8_t bytes[256];
    size_t size;
    bool overflow;
};

static void put(struct buffer *buffer, uint64_t number, unsigned size) {
    for (; size > 0; size--, number >>= 8) {
        if (buffer->size == sizeof buffer->bytes)
            buffer->overflow = true;
        else
            buffer->bytes[buffer->size++] = (uint8_t)number;
    }
}

static void put_leb(struct buffer *buffer, uint64_t number, bool is_signed) {
    for (;;) {
        uint8_t low = number & 0x7f;
        number = is_signed ? (uint64_t)((int64_t)number >> 7) : number >> 7;
        bool last = is_signed ? (number == 0 && !(low & 0x40)) || (number == UINT64_MAX && (low & 0x40))
                              : number == 0;
        put(buffer, last ? low : low | 0x80u, 1);
        if (last)
            return;
    }
}

/* Writes an operation as bytes again; false for one with a block, which libdw does not hand out here. */
static bool put_operation(struct buffer *buffer, const Dwarf_Op *operation) {
    const struct st_operation_info *info = &st_operations[operation->atom];
    if (!info->name)
        return false;
    put(buffer, operation->atom, 1);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t number = i ? operation->number2 : operation->number;
        switch ((enum st_operand)info->operands[i]) {
        case ST_OPERAND_NONE: break;
        case ST_OPERAND_U8:
        case ST_OPERAND_S8: put(buffer, number, 1); break;
        case ST_OPERAND_U16:
        case ST_OPERAND_S16: put(buffer, number, 2); break;
        case ST_OPERAND_U32:
        case ST_OPERAND_S32: put(buffer, number, 4); break;
        case ST_OPERAND_ADDRESS:
        case ST_OPERAND_U64:
        case ST_OPERAND_S64: put(buffer, number, 8); break;
        case ST_OPERAND_ULEB: put_leb(buffer, number, false); break;
        case ST_OPERAND_SLEB: put_leb(buffer, number, true); break;
        default: return false;
        }
    }
    return !buffer->overflow;
}

static struct rule unknown(void) {
    return (struct rule){.kind = RULE_UNDEFINED};
}

static struct rule expression_rule(struct st_unwinder *unwinder, enum rule_kind kind,
                                   const Dwarf_Op *operations, size_t count) {
    struct buffer buffer = {.size = 0};
    for (size_t i = 0; i < count; i++) {
        /* Jumps count bytes: an operation that moves would change where they lead. */
        if (operations[i].offset - operations->offset != buffer.size ||
            !put_operation(&buffer, &operations[i]))
            return unknown();
    }
    struct rule rule = {.kind = (uint8_t)kind, .size = (uint16_t)buffer.size};
    rule.bytes = (const uint8_t *)rt_arena_copy(&unwinder->arena, buffer.bytes, buffer.size);
    return rule.bytes ? rule : unknown();
}

static bool fits(uint64_t offset) {
    return (int64_t)offset == (int32_t)(int64_t)offset;
}

/* A register and an offset, when that is all that an expression says. */
static bool register_plus(const Dwarf_Op *operation, struct rule *ret) {
    uint64_t number, offset;
    if (operation->atom >= DW_OP_breg0 && operation->atom <= DW_OP_breg31) {
        number = (uint64_t)operation->atom - DW_OP_breg0;
        offset = operation->number;
    } else if (operation->atom == DW_OP_bregx) {
        number = operation->number;
        offset = operation->number2;
    } else {
        return false;
    }
    if (number > UINT8_MAX || !fits(offset))
        return false;
    *ret = (struct rule){
        .kind = RULE_REGISTER, .register_number = (uint8_t)number, .offset = (int32_t)(int64_t)offset};
    return true;
}

static struct rule cfa_rule(struct st_unwinder *unwinder, const Dwarf_Op *operations, size_t count) {
    struct rule rule;
    if (count == 0)
        return unknown();
    if (count == 1 && register_plus(operations, &rule))
        return rule;
    return expression_rule(unwinder, RULE_EXPRESSION, operations, count);
}

static struct rule register_rule(struct st_unwinder *unwinder, const Dwarf_Op *operations, size_t count,
                                 const Dwarf_Op *memory) {
    if (count == 0)
        return (struct rule){.kind = operations == memory ? RULE_UNDEFINED : RULE_SAME};
    if (count == 1 && operations->atom >= DW_OP_reg0 && operations->atom <= DW_OP_reg31)
        return (struct rule){.kind = RULE_REGISTER, .register_number = operations->atom - DW_OP_reg0};
    if (count == 1 && operations->atom == DW_OP_regx && operations->number <= UINT8_MAX)
        return (struct rule){.kind = RULE_REGISTER, .register_number = (uint8_t)operations->number};
    bool is_value = operations[count - 1].atom == DW_OP_stack_value;
    count -= is_value;
    if (count >= 1 && count <= 2 && operations->atom == DW_OP_call_frame_cfa) {
        uint64_t offset = count == 2 ? operations[1].number : 0;
        if ((count == 1 || operations[1].atom == DW_OP_plus_uconst) && fits(offset))
            return (struct rule){.kind = is_value ? RULE_CFA_PLUS : RULE_AT_CFA,
                                 .offset = (int32_t)(int64_t)offset};
    }
    /* The first operation is libdw's: it stands for the CFA being on the stack at the start. */
    if (count < 2 || operations->atom != DW_OP_call_frame_cfa)
        return unknown();
    return expression_rule(unwinder, is_value ? RULE_EXPRESSION : RULE_AT_EXPRESSION, operations + 1,
                           count - 1);
}

static const struct st_unwind_row *make_row(struct st_unwinder *unwinder, uint64_t pc) {
    Dwarf_Frame *frame = NULL;
    if ((!unwinder->eh_frame || dwarf_cfi_addrframe(unwinder->eh_frame, pc, &frame) != 0) &&
        (!unwinder->debug_frame || dwarf_cfi_addrframe(unwinder->debug_frame, pc, &frame) != 0))
        return &missing;
    struct st_unwind_row *row = rt_arena_alloc(&unwinder->arena, sizeof *row);
    Dwarf_Op *operations;
    size_t count;
    if (row && dwarf_frame_cfa(frame, &operations, &count) == 0)
        row->cfa = cfa_rule(unwinder, operations, count);
    for (int i = 0; row && i < REGISTERS; i++) {
        Dwarf_Op memory[3];
        if (dwarf_frame_register(frame, i, memory, &operations, &count) == 0)
            row->registers[i] = register_rule(unwinder, operations, count, memory);
    }
    free(frame);
    /* The psABI has rbx kept by the callee. libdw's defaults say so of register 0, which is rax. */
    if (row && row->registers[RAX].kind == RULE_SAME)
        row->registers[RAX].kind = RULE_UNDEFINED;
    if (row && row->registers[RBX].kind == RULE_UNDEFINED)
        row->registers[RBX].kind = RULE_SAME;
    return row;
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

static bool evaluate(const struct rule *rule, const struct st_machine *machine, const uint64_t *cfa,
                     uint64_t *ret) {
    struct st_expression expression = {{0, UINT64_MAX}, rule->bytes, rule->size, &cfi_unit};
    return st_expression_number(machine, &expression, cfa, ret);
}

static bool read_word(const struct st_machine *machine, uint64_t address, uint64_t *ret) {
    const void *bytes = machine->memory(machine->user, address, sizeof *ret);
    if (bytes)
        memcpy(ret, bytes, sizeof *ret);
    return bytes != NULL;
}

bool st_unwind_cfa(const struct st_unwind_row *row, const struct st_machine *machine, uint64_t *ret) {
    uint64_t value;
    switch (row->cfa.kind) {
    case RULE_REGISTER:
        if (!machine->read_register(machine->user, row->cfa.register_number, &value))
            return false;
        *ret = value + (uint64_t)(int64_t)row->cfa.offset;
        return true;
    case RULE_EXPRESSION: return evaluate(&row->cfa, machine, NULL, ret);
    default: return false;
    }
}

bool st_unwind_caller(const struct st_unwind_row *row, const struct st_machine *machine, uint64_t cfa,
                      uint64_t registers[17], uint32_t *known) {
    *known = 0;
    for (unsigned i = 0; i < REGISTERS; i++) {
        const struct rule *rule = &row->registers[i];
        uint64_t offset = (uint64_t)(int64_t)rule->offset, value = 0;
        bool is_known = false;
        switch ((enum rule_kind)rule->kind) {
        case RULE_UNDEFINED: break;
        case RULE_SAME:
            is_known = i != RETURN_ADDRESS && machine->read_register(machine->user, i, &value);
            break;
        case RULE_AT_CFA: is_known = read_word(machine, cfa + offset, &value); break;
        case RULE_CFA_PLUS:
            value = cfa + offset;
            is_known = true;
            break;
        case RULE_REGISTER:
            is_known = machine->read_register(machine->user, rule->register_number, &value);
            value += offset;
            break;
        case RULE_AT_EXPRESSION:
            is_known = evaluate(rule, machine, &cfa, &value) && read_word(machine, value, &value);
            break;
        case RULE_EXPRESSION: is_known = evaluate(rule, machine, &cfa, &value); break;
        }
        registers[i] = value;
        *known |= (uint32_t)is_known << i;
    }
    registers[STACK_POINTER] = cfa;
    *known |= 1u << STACK_POINTER;
    /* A frame whose return address is undefined is the outermost (section 6.4.4). */
    return *known >> RETURN_ADDRESS & 1;
}
