/* Line tables of the output (DWARF 5, section 6.2): headers of versions 4 and 5, and programs that give the
 * rows that were put. */
#include "runtime/dwarf/pass.h"

enum { OPCODE_BASE = 13, MOST_OF_A_ROW = 96 };
enum { FORM_udata = RT_DWARF_FORM_udata, FORM_line_strp = RT_DWARF_FORM_line_strp };

static const uint8_t operation_lengths[OPCODE_BASE - 1] = {0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1};

static int line_base(const struct rt_dwarf_pass *pass) {
    return pass->options.line_range ? pass->options.line_base : -5;
}

static unsigned line_range(const struct rt_dwarf_pass *pass) {
    return pass->options.line_range ? pass->options.line_range : 14;
}

/* ---- Headers ---- */

/* An empty name would end the list: a stand-in takes its place. */
static void put_text(struct rt_dwarf_bytes *out, struct rt_dwarf_span text, const char *stand_in) {
    rt_dwarf_put(out, text.bytes, text.size);
    if (text.size == 0)
        rt_dwarf_put(out, stand_in, 1);
    rt_dwarf_put_number(out, 0, 1);
}

static void put_old_file(struct rt_dwarf_bytes *out, const struct rt_dwarf_file *file) {
    put_text(out, file->name, "?");
    rt_dwarf_put_uleb(out, file->directory);
    rt_dwarf_put_uleb(out, file->time);
    rt_dwarf_put_uleb(out, file->size);
}

/* Version 4: directory 0 and file 0 are not written; what DWARF 5 has as file 0 comes last. */
static void put_old_names(struct rt_dwarf_pass *pass, const struct rt_dwarf_line_table *table) {
    struct rt_dwarf_bytes *out = &pass->out[RT_DWARF_LINE];
    const struct rt_dwarf_span *directories = RT_DWARF_ITEMS(&table->directories, struct rt_dwarf_span);
    const struct rt_dwarf_file *files = RT_DWARF_ITEMS(&table->files, struct rt_dwarf_file);
    const size_t file_count = RT_DWARF_COUNT(&table->files, struct rt_dwarf_file);
    for (size_t i = 1; i < RT_DWARF_COUNT(&table->directories, struct rt_dwarf_span); i++)
        put_text(out, directories[i], ".");
    rt_dwarf_put_number(out, 0, 1);
    for (size_t i = 1; i < file_count; i++)
        put_old_file(out, &files[i]);
    if (table->version >= 5 && file_count)
        put_old_file(out, &files[0]);
    rt_dwarf_put_number(out, 0, 1);
}

static struct rt_error *put_string(struct rt_dwarf_pass *pass, struct rt_dwarf_span string) {
    const struct rt_dwarf_span *input = &pass->input->at[RT_DWARF_LINE_STR];
    struct rt_error *error = NULL;
    uint32_t offset;
    if (input->size && string.bytes >= input->bytes && string.bytes < input->bytes + input->size)
        error =
            rt_dwarf_string_copy(pass, RT_DWARF_LINE_STR, (uint64_t)(string.bytes - input->bytes), &offset);
    else
        offset = rt_dwarf_string_put(pass, RT_DWARF_LINE_STR, string);
    if (!error)
        rt_dwarf_put_number(&pass->out[RT_DWARF_LINE], offset, 4);
    return error;
}

static struct rt_error *put_names(struct rt_dwarf_pass *pass, const struct rt_dwarf_line_table *table) {
    struct rt_dwarf_bytes *out = &pass->out[RT_DWARF_LINE];
    const struct rt_dwarf_span *directories = RT_DWARF_ITEMS(&table->directories, struct rt_dwarf_span);
    const struct rt_dwarf_file *files = RT_DWARF_ITEMS(&table->files, struct rt_dwarf_file);
    const size_t directory_count = RT_DWARF_COUNT(&table->directories, struct rt_dwarf_span);
    const size_t file_count = RT_DWARF_COUNT(&table->files, struct rt_dwarf_file);
    bool has_md5 = file_count > 0, has_times = false;
    struct rt_error *error = NULL;
    for (size_t i = 0; i < file_count; i++) {
        has_md5 &= files[i].md5 != NULL;
        has_times |= files[i].time || files[i].size;
    }
    rt_dwarf_put(out, (uint8_t[]){1, 1, FORM_line_strp}, 3);
    rt_dwarf_put_uleb(out, directory_count);
    for (size_t i = 0; !error && i < directory_count; i++)
        error = put_string(pass, directories[i]);
    rt_dwarf_put_number(out, 2u + has_md5 + 2u * has_times, 1);
    rt_dwarf_put(out, (uint8_t[]){1, FORM_line_strp, 2, FORM_udata}, 4);
    if (has_times)
        rt_dwarf_put(out, (uint8_t[]){3, FORM_udata, 4, FORM_udata}, 4);
    if (has_md5)
        rt_dwarf_put(out, (uint8_t[]){5, RT_DWARF_FORM_data16}, 2);
    rt_dwarf_put_uleb(out, file_count);
    for (size_t i = 0; !error && i < file_count; i++) {
        error = put_string(pass, files[i].name);
        rt_dwarf_put_uleb(out, files[i].directory);
        if (has_times) {
            rt_dwarf_put_uleb(out, files[i].time);
            rt_dwarf_put_uleb(out, files[i].size);
        }
        if (has_md5)
            rt_dwarf_put(out, files[i].md5, 16);
    }
    return error;
}

struct rt_error *rt_dwarf_lines_begin(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                      struct rt_dwarf_line_table *table) {
    struct rt_dwarf_bytes *out = &pass->out[RT_DWARF_LINE];
    struct rt_error *error = NULL;
    table->written = (uint32_t)out->size;
    rt_dwarf_put_number(out, 0, 4); /* the length, by rt_dwarf_lines_end */
    rt_dwarf_put_number(out, pass->options.version < 5 ? 4 : 5, 2);
    if (pass->options.version >= 5) {
        rt_dwarf_put_number(out, rt_dwarf_output_address_size(pass, unit), 1);
        rt_dwarf_put_number(out, 0, 1); /* no segments */
    }
    const size_t length_at = out->size;
    rt_dwarf_put_number(out, 0, 4);
    rt_dwarf_put(out,
                 (uint8_t[]){1, 1, table->default_is_stmt, (uint8_t)line_base(pass),
                             (uint8_t)line_range(pass), OPCODE_BASE},
                 6);
    rt_dwarf_put(out, operation_lengths, sizeof operation_lengths);
    if (pass->options.version < 5)
        put_old_names(pass, table);
    else
        error = put_names(pass, table);
    if (!error && !pass->budget->failed)
        rt_dwarf_store(out->bytes + length_at, out->size - length_at - 4, 4);
    return error ? error : rt_dwarf_check(pass);
}

void rt_dwarf_lines_end(struct rt_dwarf_pass *pass, const struct rt_dwarf_line_table *table) {
    struct rt_dwarf_bytes *out = &pass->out[RT_DWARF_LINE];
    if (!pass->budget->failed)
        rt_dwarf_store(out->bytes + table->written, out->size - table->written - 4, 4);
}

/* ---- Programs ---- */

struct program {
    uint8_t *at;
    struct rt_dwarf_row last;
    unsigned address_size;
    int line_base;
    unsigned line_range;
    bool has_address;
};

static void put(struct program *p, uint8_t byte) {
    *p->at++ = byte;
}

static void put_uleb(struct program *p, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        *p->at++ = (uint8_t)(value | 0x80);
    *p->at++ = (uint8_t)value;
}

static void put_sleb(struct program *p, int64_t value) {
    for (; value < -64 || value > 63; value >>= 7)
        *p->at++ = (uint8_t)((value & 0x7f) | 0x80);
    *p->at++ = (uint8_t)(value & 0x7f);
}

static void put_address(struct program *p, uint64_t address) {
    put(p, 0);
    put_uleb(p, 1 + p->address_size);
    put(p, 2);
    rt_dwarf_store(p->at, address, p->address_size);
    p->at += p->address_size;
    p->last.address = address;
    p->has_address = true;
}

/* What an operation sets that stays, or that holds for the next row. */
static void put_registers(struct program *p, const struct rt_dwarf_row *row) {
    if (row->file != p->last.file) {
        put(p, 4);
        put_uleb(p, row->file);
    }
    if (row->column != p->last.column) {
        put(p, 5);
        put_uleb(p, row->column);
    }
    if (row->discriminator) {
        uint8_t *start = p->at;
        p->at += 3;
        put_uleb(p, row->discriminator);
        start[0] = 0;
        start[1] = (uint8_t)(p->at - start - 2);
        start[2] = 4;
    }
    if (row->isa != p->last.isa) {
        put(p, 12);
        put_uleb(p, row->isa);
    }
    if (row->is_stmt != p->last.is_stmt)
        put(p, 6);
    if (row->basic_block)
        put(p, 7);
    if (row->prologue_end)
        put(p, 10);
    if (row->epilogue_begin)
        put(p, 11);
}

/* Line and address go forward together in one operation where they can. */
static void put_advance(struct program *p, int64_t line, uint64_t address) {
    const unsigned pc_of_255 = (255 - OPCODE_BASE) / p->line_range;
    if (line < p->line_base || line >= p->line_base + (int)p->line_range) {
        put(p, 3);
        put_sleb(p, line);
        line = 0;
        if (address == 0 || p->line_base > 0 || p->line_base + (int)p->line_range <= 0) {
            if (address) {
                put(p, 2);
                put_uleb(p, address);
            }
            put(p, 1);
            return;
        }
    }
    const unsigned code = (unsigned)((int)line - p->line_base) + OPCODE_BASE;
    if (address <= 255 && code + address * p->line_range <= 255) {
        put(p, (uint8_t)(code + address * p->line_range));
    } else if (address >= pc_of_255 && address - pc_of_255 <= 255 &&
               code + (address - pc_of_255) * p->line_range <= 255) {
        put(p, 8);
        put(p, (uint8_t)(code + (address - pc_of_255) * p->line_range));
    } else {
        put(p, 2);
        put_uleb(p, address);
        put(p, (uint8_t)code);
    }
}

static void start(struct program *p, bool is_stmt) {
    p->last = (struct rt_dwarf_row){.file = 1, .line = 1, .is_stmt = is_stmt};
    p->has_address = false;
}

void rt_dwarf_lines_rows(struct rt_dwarf_pass *pass, const struct rt_dwarf_line_table *table) {
    struct rt_dwarf_bytes *out = &pass->out[RT_DWARF_LINE];
    const struct rt_dwarf_row *rows = RT_DWARF_ITEMS(&pass->rows, struct rt_dwarf_row);
    const size_t count = RT_DWARF_COUNT(&pass->rows, struct rt_dwarf_row);
    const bool is_mapped = (table->version < 5) != (pass->options.version < 5);
    struct program p = {
        .address_size = pass->address_size, .line_base = line_base(pass), .line_range = line_range(pass)};
    start(&p, table->default_is_stmt);
    for (size_t i = 0; i < count; i++) {
        struct rt_dwarf_row row = rows[i];
        uint64_t file;
        uint8_t *room = rt_dwarf_room(out, MOST_OF_A_ROW);
        if (!room)
            break;
        p.at = room;
        if (is_mapped && rt_dwarf_line_file(pass, table, row.file, &file))
            row.file = (uint32_t)file;
        if (!p.has_address || row.address < p.last.address)
            put_address(&p, row.address);
        if (row.end_sequence) {
            if (row.address != p.last.address) {
                put(&p, 2);
                put_uleb(&p, row.address - p.last.address);
            }
            put(&p, 0);
            put(&p, 1);
            put(&p, 1);
            start(&p, table->default_is_stmt);
            pass->stat->out.sequences++;
        } else {
            put_registers(&p, &row);
            put_advance(&p, (int64_t)row.line - (int64_t)p.last.line, row.address - p.last.address);
            p.last = row;
        }
        out->size -= (size_t)(room + MOST_OF_A_ROW - p.at);
        pass->stat->out.rows++;
    }
    pass->rows.size = 0;
}

void rt_dwarf_put_row(struct rt_dwarf_pass *pass, const struct rt_dwarf_row *row) {
    rt_dwarf_put(&pass->rows, row, sizeof *row);
}
