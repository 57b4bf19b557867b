/* Line programs of the input (DWARF 5, sections 6.2.2 and 6.2.5): run to rows, a sequence at a time, which
 * the visitor answers for. */
#include "runtime/dwarf/pass.h"

enum {
    LNS_COPY = 1,
    LNS_ADVANCE_PC,
    LNS_ADVANCE_LINE,
    LNS_SET_FILE,
    LNS_SET_COLUMN,
    LNS_NEGATE_STMT,
    LNS_SET_BASIC_BLOCK,
    LNS_CONST_ADD_PC,
    LNS_FIXED_ADVANCE_PC,
    LNS_SET_PROLOGUE_END,
    LNS_SET_EPILOGUE_BEGIN,
    LNS_SET_ISA,
};
enum { LNE_END_SEQUENCE = 1, LNE_SET_ADDRESS, LNE_DEFINE_FILE, LNE_SET_DISCRIMINATOR };

struct machine {
    struct rt_dwarf_pass *pass;
    const struct rt_dwarf_unit *unit;
    struct rt_dwarf_line_table *table;
    struct rt_dwarf_row row;
};

static void reset(struct machine *m) {
    m->row = (struct rt_dwarf_row){.file = 1, .line = 1, .is_stmt = m->table->default_is_stmt};
}

static struct rt_error *end_sequence(struct machine *m) {
    struct rt_dwarf_pass *pass = m->pass;
    const struct rt_dwarf_visitor *visitor = pass->visitor;
    struct rt_error *error = rt_dwarf_check(pass);
    if (error)
        return error;
    const struct rt_dwarf_row *rows = RT_DWARF_ITEMS(&pass->input_rows, struct rt_dwarf_row);
    const size_t count = RT_DWARF_COUNT(&pass->input_rows, struct rt_dwarf_row);
    pass->stat->in.sequences++;
    pass->stat->in.rows += count;
    if (rt_dwarf_is_dead(pass, rows[0].address)) {
        rt_dwarf_count(pass, "left out: a line sequence of dead code");
    } else if (visitor->sequence) {
        error = visitor->sequence(visitor->user, pass, m->unit, rows, count);
    } else {
        const struct rt_dwarf_bytes same = pass->rows;
        pass->rows = pass->input_rows;
        pass->input_rows = same;
    }
    pass->input_rows.size = 0;
    if (error)
        return error;
    rt_dwarf_lines_rows(pass, m->table);
    return rt_dwarf_check(pass);
}

/* Appends the row, and clears what holds for one row only. */
static void put_row(struct machine *m) {
    rt_dwarf_put(&m->pass->input_rows, &m->row, sizeof m->row);
    m->row.discriminator = 0;
    m->row.basic_block = m->row.prologue_end = m->row.epilogue_begin = false;
}

static struct rt_error *run_extended(struct machine *m, struct rt_cursor *program) {
    uint64_t size, number;
    uint8_t code;
    const uint8_t *bytes;
    struct rt_error *error = rt_dwarf_read_uleb(program, "extended operation's size", &size);
    if (error)
        return error;
    if (size == 0 || size > rt_cursor_left(program))
        return rt_cursor_error(program, "an extended operation of 0x%llx bytes", (unsigned long long)size);
    struct rt_cursor operation = *program;
    operation.end = operation.next + size;
    error = rt_cursor_bytes(program, (size_t)size, "extended operation", &bytes);
    if (!error)
        error = rt_cursor_u8(&operation, "extended operation", &code);
    if (error)
        return error;
    switch (code) {
    case LNE_END_SEQUENCE:
        m->row.end_sequence = true;
        put_row(m);
        reset(m);
        return end_sequence(m);
    case LNE_SET_ADDRESS:
        if (size != 5 && size != 9)
            return rt_cursor_error(&operation, "an address of 0x%llx bytes", (unsigned long long)(size - 1));
        return rt_dwarf_read_number(&operation, (unsigned)size - 1, "address", &m->row.address);
    case LNE_SET_DISCRIMINATOR:
        error = rt_dwarf_read_uleb(&operation, "discriminator", &number);
        m->row.discriminator = error ? 0 : (uint32_t)number;
        return error;
    case LNE_DEFINE_FILE:
        rt_dwarf_count(m->pass, "left out: a file that a line program defines");
        return NULL;
    default: rt_dwarf_count(m->pass, "left out: an unknown operation of a line program"); return NULL;
    }
}

/* A standard operation that this version of ours has no meaning for: its operands are ULEB128s. */
static struct rt_error *skip_operands(struct machine *m, struct rt_cursor *program, uint8_t code) {
    struct rt_error *error = NULL;
    uint64_t number;
    rt_dwarf_count(m->pass, "left out: an unknown operation of a line program");
    for (unsigned i = m->table->lengths[code - 1]; !error && i > 0; i--)
        error = rt_dwarf_read_uleb(program, "operand", &number);
    return error;
}

static struct rt_error *run_standard(struct machine *m, struct rt_cursor *program, uint8_t code) {
    struct rt_dwarf_row *row = &m->row;
    struct rt_error *error = NULL;
    uint64_t number = 0;
    int64_t difference = 0;
    uint16_t advance = 0;
    switch (code) {
    case LNS_COPY: put_row(m); return NULL;
    case LNS_ADVANCE_PC:
        error = rt_dwarf_read_uleb(program, "advance", &number);
        row->address += number * m->table->min_length;
        return error;
    case LNS_ADVANCE_LINE:
        error = rt_cursor_sleb(program, 64, "line advance", &difference);
        row->line += (uint32_t)difference;
        return error;
    case LNS_SET_FILE:
        error = rt_dwarf_read_uleb(program, "file", &number);
        row->file = (uint32_t)number;
        return error;
    case LNS_SET_COLUMN:
        error = rt_dwarf_read_uleb(program, "column", &number);
        row->column = (uint32_t)number;
        return error;
    case LNS_NEGATE_STMT: row->is_stmt = !row->is_stmt; return NULL;
    case LNS_SET_BASIC_BLOCK: row->basic_block = true; return NULL;
    case LNS_CONST_ADD_PC:
        if (m->table->line_range)
            row->address +=
                (uint64_t)((255 - m->table->opcode_base) / m->table->line_range) * m->table->min_length;
        return NULL;
    case LNS_FIXED_ADVANCE_PC:
        error = rt_cursor_u16(program, "advance", &advance);
        row->address += advance;
        return error;
    case LNS_SET_PROLOGUE_END: row->prologue_end = true; return NULL;
    case LNS_SET_EPILOGUE_BEGIN: row->epilogue_begin = true; return NULL;
    case LNS_SET_ISA:
        error = rt_dwarf_read_uleb(program, "instruction set", &number);
        row->isa = (uint32_t)number;
        return error;
    default: return skip_operands(m, program, code);
    }
}

struct rt_error *rt_dwarf_lines_run(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                    struct rt_dwarf_line_table *table) {
    struct machine m = {.pass = pass, .unit = unit, .table = table};
    struct rt_cursor program = table->program;
    struct rt_error *error = NULL;
    pass->input_rows.size = 0;
    reset(&m);
    while (!error && program.next < program.end) {
        uint8_t code;
        error = rt_cursor_u8(&program, "operation", &code);
        if (error)
            break;
        if (code >= table->opcode_base) {
            if (table->line_range == 0)
                return rt_cursor_error(&program, "a special operation, and the line range is 0");
            const unsigned adjusted = code - table->opcode_base;
            m.row.address += (uint64_t)(adjusted / table->line_range) * table->min_length;
            m.row.line += (uint32_t)(table->line_base + (int)(adjusted % table->line_range));
            put_row(&m);
        } else {
            error = code == 0 ? run_extended(&m, &program) : run_standard(&m, &program, code);
        }
    }
    if (!error && pass->input_rows.size) {
        rt_dwarf_count(pass, "left out: line rows behind the last end of a sequence");
        pass->input_rows.size = 0;
    }
    return error;
}
