/* Programs of call-frame information, run to the row that a pc has (DWARF 5, section 6.4.2). */
#include <dwarf.h>

#include "stepper/call_frames.h"

enum { REMEMBERED_MAX = 16 };

struct run {
    const struct st_call_frames *frames;
    const struct st_frame_entry *entry;
    const struct st_unwind_row *initial; /* the CIE's; NULL while that one is made */
    struct st_unwind_row *row;
    struct st_unwind_row remembered[REMEMBERED_MAX];
    unsigned depth;
    uint64_t location, pc;
    struct rt_cursor cursor;
};

static const struct st_rule lost = {.kind = ST_RULE_UNDEFINED};

/* ---- Operands ---- */

static struct rt_error *read_register(struct run *run, uint64_t *ret) {
    return rt_cursor_uleb(&run->cursor, 64, "register", ret);
}

static struct rt_error *read_unsigned(struct run *run, int64_t *ret) {
    uint64_t number = 0;
    struct rt_error *error = rt_cursor_uleb(&run->cursor, 64, "offset", &number);
    *ret = (int64_t)number;
    return error;
}

static struct rt_error *read_signed(struct run *run, int64_t *ret) {
    return rt_cursor_sleb(&run->cursor, 64, "offset", ret);
}

/* A rule with an offset of `factor` times the number; lost when no offset can be that large. */
static struct st_rule rule_of(enum st_rule_kind kind, int64_t number, int64_t factor) {
    struct st_rule rule = {.kind = (uint8_t)kind};
    int64_t offset;
    if (__builtin_mul_overflow(number, factor, &offset) || offset != (int32_t)offset)
        return lost;
    rule.offset = (int32_t)offset;
    return rule;
}

static struct st_rule register_plus(uint64_t number, int64_t offset, int64_t factor) {
    struct st_rule rule = rule_of(ST_RULE_REGISTER, offset, factor);
    rule.register_number = (uint8_t)number;
    return number <= UINT8_MAX ? rule : lost;
}

static struct rt_error *read_expression(struct run *run, enum st_rule_kind kind, struct st_rule *ret) {
    uint64_t size;
    *ret = (struct st_rule){.kind = (uint8_t)kind};
    struct rt_error *error = rt_cursor_uleb(&run->cursor, 32, "expression's size", &size);
    if (error)
        return error;
    ret->size = (uint32_t)size;
    return rt_cursor_bytes(&run->cursor, (size_t)size, "expression", &ret->bytes);
}

static void set(struct run *run, uint64_t number, struct st_rule rule) {
    if (number < ST_RULE_REGISTERS) /* others are nobody's to restore */
        run->row->registers[number] = rule;
}

/* ---- Operations ---- */

/* A saved register: DW_CFA_offset and its kind. */
static struct rt_error *save(struct run *run, enum st_rule_kind kind, uint64_t number, bool is_signed,
                             int64_t factor) {
    int64_t offset = 0;
    struct rt_error *error = is_signed ? read_signed(run, &offset) : read_unsigned(run, &offset);
    if (!error)
        set(run, number, rule_of(kind, offset, factor));
    return error;
}

static struct rt_error *restore(struct run *run, uint64_t number) {
    if (!run->initial)
        return rt_cursor_error(&run->cursor, "a CIE restores a register");
    if (number < ST_RULE_REGISTERS)
        run->row->registers[number] = run->initial->registers[number];
    return NULL;
}

static struct rt_error *remember(struct run *run) {
    if (run->depth == REMEMBERED_MAX)
        return rt_cursor_error(&run->cursor, "more than %d remembered rows", REMEMBERED_MAX);
    run->remembered[run->depth++] = *run->row;
    return NULL;
}

/* The CFA's rule with it, as GCC's and LLVM's unwinders have it. */
static struct rt_error *recall(struct run *run) {
    if (run->depth == 0)
        return rt_cursor_error(&run->cursor, "a row is restored that was not remembered");
    *run->row = run->remembered[--run->depth];
    return NULL;
}

static struct rt_error *define_cfa(struct run *run, bool is_signed) {
    uint64_t number = 0;
    int64_t offset = 0;
    struct rt_error *error = read_register(run, &number);
    if (!error)
        error = is_signed ? read_signed(run, &offset) : read_unsigned(run, &offset);
    if (!error)
        run->row->cfa = register_plus(number, offset, is_signed ? run->entry->data_alignment : 1);
    return error;
}

/* One half of a CFA's rule, whose other half stays. */
static struct rt_error *change_cfa(struct run *run, uint8_t operation) {
    const struct st_rule before = run->row->cfa;
    uint64_t number = before.register_number;
    int64_t offset = before.offset, factor = 1;
    struct rt_error *error;
    if (before.kind != ST_RULE_REGISTER)
        return rt_cursor_error(&run->cursor, "half of a CFA's rule changes that has no halves");
    if (operation == DW_CFA_def_cfa_register) {
        error = read_register(run, &number);
    } else if (operation == DW_CFA_def_cfa_offset) {
        error = read_unsigned(run, &offset);
    } else {
        error = read_signed(run, &offset);
        factor = run->entry->data_alignment;
    }
    if (!error)
        run->row->cfa = register_plus(number, offset, factor);
    return error;
}

static struct rt_error *advance(struct run *run, unsigned size) {
    uint8_t byte = 0;
    uint16_t half = 0;
    uint32_t word = 0;
    struct rt_error *error = size == 1   ? rt_cursor_u8(&run->cursor, "advance", &byte)
                             : size == 2 ? rt_cursor_u16(&run->cursor, "advance", &half)
                                         : rt_cursor_u32(&run->cursor, "advance", &word);
    run->location += ((uint64_t)byte + half + word) * run->entry->code_alignment;
    return error;
}

/* Operations with a register as their first operand. */
static struct rt_error *execute_on_register(struct run *run, uint8_t operation) {
    const int64_t alignment = run->entry->data_alignment;
    struct st_rule rule;
    uint64_t number = 0, other = 0;
    struct rt_error *error = read_register(run, &number);
    if (error)
        return error;
    switch (operation) {
    case DW_CFA_offset_extended: return save(run, ST_RULE_AT_CFA, number, false, alignment);
    case DW_CFA_offset_extended_sf: return save(run, ST_RULE_AT_CFA, number, true, alignment);
    case DW_CFA_GNU_negative_offset_extended:
        return save(run, ST_RULE_AT_CFA, number, false, alignment == INT64_MIN ? 0 : -alignment);
    case DW_CFA_val_offset: return save(run, ST_RULE_CFA_PLUS, number, false, alignment);
    case DW_CFA_val_offset_sf: return save(run, ST_RULE_CFA_PLUS, number, true, alignment);
    case DW_CFA_restore_extended: return restore(run, number);
    case DW_CFA_undefined: set(run, number, lost); return NULL;
    case DW_CFA_same_value: set(run, number, (struct st_rule){.kind = ST_RULE_SAME}); return NULL;
    case DW_CFA_register:
        error = read_register(run, &other);
        rule = register_plus(other, 0, 1);
        break;
    case DW_CFA_expression: error = read_expression(run, ST_RULE_AT_EXPRESSION, &rule); break;
    case DW_CFA_val_expression: error = read_expression(run, ST_RULE_EXPRESSION, &rule); break;
    default: return rt_cursor_error(&run->cursor, "an unknown operation 0x%x", operation);
    }
    if (!error)
        set(run, number, rule);
    return error;
}

static struct rt_error *execute(struct run *run, uint8_t operation) {
    const uint8_t low = operation & 0x3f;
    int64_t ignored;
    switch (operation & 0xc0) { /* an operand in the operation's own low bits */
    case DW_CFA_advance_loc: run->location += low * run->entry->code_alignment; return NULL;
    case DW_CFA_offset: return save(run, ST_RULE_AT_CFA, low, false, run->entry->data_alignment);
    case DW_CFA_restore: return restore(run, low);
    default: break;
    }
    switch (operation) {
    case DW_CFA_nop: return NULL;
    case DW_CFA_set_loc:
        return st_call_frames_pointer(run->frames, &run->cursor, run->entry->encoding, &run->location);
    case DW_CFA_advance_loc1: return advance(run, 1);
    case DW_CFA_advance_loc2: return advance(run, 2);
    case DW_CFA_advance_loc4: return advance(run, 4);
    case DW_CFA_remember_state: return remember(run);
    case DW_CFA_restore_state: return recall(run);
    case DW_CFA_def_cfa: return define_cfa(run, false);
    case DW_CFA_def_cfa_sf: return define_cfa(run, true);
    case DW_CFA_def_cfa_register:
    case DW_CFA_def_cfa_offset:
    case DW_CFA_def_cfa_offset_sf: return change_cfa(run, operation);
    case DW_CFA_def_cfa_expression: return read_expression(run, ST_RULE_EXPRESSION, &run->row->cfa);
    case DW_CFA_GNU_args_size: return read_unsigned(run, &ignored);
    default: return execute_on_register(run, operation);
    }
}

/* Runs until the row of run->pc is complete: what only moves on changes no rule. */
static struct rt_error *run_program(struct run *run, struct rt_cursor program) {
    run->cursor = program;
    while (rt_cursor_left(&run->cursor)) {
        uint8_t operation = 0;
        struct rt_error *error = rt_cursor_u8(&run->cursor, "operation", &operation);
        if (!error)
            error = execute(run, operation);
        if (error || run->location > run->pc)
            return error;
    }
    return NULL;
}

struct rt_error *st_call_frames_run(const struct st_call_frames *frames, const struct st_frame_entry *entry,
                                    uint64_t pc, struct st_unwind_row *ret) {
    static const uint8_t kept_by_callees[] = {3, 6, 12, 13, 14, 15}; /* rbx, rbp, r12 to r15 */
    struct run run = {.frames = frames, .entry = entry, .row = ret, .location = entry->low, .pc = pc};
    struct st_unwind_row initial;
    *ret = (struct st_unwind_row){.cfa = lost};
    for (size_t i = 0; i < sizeof kept_by_callees; i++)
        ret->registers[kept_by_callees[i]].kind = ST_RULE_SAME;
    struct rt_error *error = run_program(&run, entry->initial);
    if (error)
        return error;
    initial = *ret;
    run.initial = &initial;
    run.location = entry->low;
    return run_program(&run, entry->operations);
}
