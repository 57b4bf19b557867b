/* Line programs (DWARF 5, section 6.2; versions 2 to 5).
 *
 * We decode them ourselves, because libdw hands out a unit's rows sorted by address: the sequences of dropped
 * functions, which linkers move to address 0, are then mixed with rows of live code, and a row at the address
 * where its sequence ends trades places with that end. */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "stepper/debug.h"

/* One line table: what its file numbers mean. */
struct st_line_table {
    const uint32_t *files;
    size_t file_count;
};

/* Rows that end with an end_sequence row. */
struct st_sequence {
    uint64_t low;
    size_t first, count; /* in the reader's rows */
};

struct program {
    struct st_reader *reader;
    struct rt_cursor cursor; /* the whole unit in .debug_line, then the rest of it */
    uint16_t version;
    uint8_t offset_size, minimum_length, line_range, opcode_base;
    int8_t line_base;
    bool default_is_stmt;
    const uint8_t *operand_counts; /* of opcode i at [i - 1] */
    struct st_list directories;    /* const char * */
    struct st_list files;          /* uint32_t */
    const char *unit_directory;
};

/* ---- File names ---- */

static uint64_t hash(const char *text) { /* FNV-1a; never 0 in practice, and 0 is a key like any other */
    uint64_t value = 0xcbf29ce484222325u;
    for (; *text; text++)
        value = (value ^ (uint8_t)*text) * 0x100000001b3u;
    return value;
}

/* The index of a path for st_debug_file: the same path has the same index in all units. */
static struct rt_error *intern(struct st_reader *reader, const char *path, uint32_t *ret) {
    uint64_t key = hash(path);
    const char **files = reader->files.items;
    for (uintptr_t found; (found = (uintptr_t)st_map_get(&reader->file_names, key)) != 0; key++) {
        if (strcmp(files[found - 1], path) == 0) {
            *ret = (uint32_t)(found - 1);
            return NULL;
        }
    }
    const char **file = st_list_push(&reader->files, sizeof *file);
    if (!file || !st_map_put(&reader->file_names, key, (void *)(uintptr_t)reader->files.count))
        return rt_error_out_of_memory();
    *file = path;
    *ret = (uint32_t)(reader->files.count - 1);
    return NULL;
}

static struct rt_error *add_file(struct program *program, const char *name, uint64_t directory_index) {
    struct st_reader *reader = program->reader;
    const char *base = program->unit_directory;
    const char **directories = program->directories.items;
    const char *directory = "";
    /* Before version 5, directory 0 is the unit's and not in the table. */
    if (program->version < 5)
        directory_index--;
    if (directory_index < program->directories.count)
        directory = directories[directory_index];
    if (directory[0] == '/' || strcmp(directory, base) == 0)
        base = "";
    const char *path = name[0] == '/' || (!*base && !*directory)
                           ? name
                           : rt_arena_printf(reader->arena, "%s%s%s%s%s", base,
                                             *base && *directory ? "/" : "", directory, "/", name);
    uint32_t *file = st_list_push(&program->files, sizeof *file);
    if (!path || !file)
        return st_reader_no_memory(reader);
    return intern(reader, path, file);
}

static struct rt_error *read_string(struct rt_cursor *cursor, const char *what, const char **ret) {
    const uint8_t *start = cursor->next, *end = memchr(start, 0, rt_cursor_left(cursor));
    if (!end)
        return rt_cursor_error(cursor, "%s: no terminating zero", what);
    *ret = (const char *)start;
    cursor->next = end + 1;
    return NULL;
}

static struct rt_error *add_directory(struct program *program, const char *name) {
    const char **directory = st_list_push(&program->directories, sizeof *directory);
    if (!directory)
        return rt_error_out_of_memory();
    *directory = name;
    return NULL;
}

static struct rt_error *read_offset(struct program *program, const char *what, uint64_t *ret) {
    if (program->offset_size == 8)
        return rt_cursor_u64(&program->cursor, what, ret);
    uint32_t low = 0;
    struct rt_error *error = rt_cursor_u32(&program->cursor, what, &low);
    *ret = low;
    return error;
}

/* One file of the tables before version 5, its name already read. */
static struct rt_error *read_file_rest(struct program *program, const char *name) {
    uint64_t directory, ignored;
    struct rt_error *error = rt_cursor_uleb(&program->cursor, 64, "directory index", &directory);
    if (!error)
        error = rt_cursor_uleb(&program->cursor, 64, "file time", &ignored);
    if (!error)
        error = rt_cursor_uleb(&program->cursor, 64, "file size", &ignored);
    return error ? error : add_file(program, name, directory);
}

static struct rt_error *read_tables_4(struct program *program) {
    const char *name;
    struct rt_error *error;
    for (;;) {
        error = read_string(&program->cursor, "directory", &name);
        if (!error && !*name)
            break;
        if (!error)
            error = add_directory(program, name);
        if (error)
            return error;
    }
    /* File numbers start at 1; 0 is no file. */
    if (!st_list_push(&program->files, sizeof(uint32_t)))
        return rt_error_out_of_memory();
    for (;;) {
        error = read_string(&program->cursor, "file name", &name);
        if (!error && !*name)
            return NULL;
        if (!error)
            error = read_file_rest(program, name);
        if (error)
            return error;
    }
}

/* A value of an entry of version 5's tables: a string or a number, by its form. */
static struct rt_error *read_form(struct program *program, uint64_t form, const char **string,
                                  uint64_t *number) {
    struct rt_cursor *cursor = &program->cursor;
    const uint8_t *bytes;
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    struct rt_error *error;
    switch (form) {
    case DW_FORM_string: return read_string(cursor, "file name", string);
    case DW_FORM_line_strp:
    case DW_FORM_strp: {
        enum st_section_kind kind = form == DW_FORM_strp ? ST_SECTION_STR : ST_SECTION_LINE_STR;
        const struct st_section *section = &program->reader->debug->sections[kind];
        uint64_t offset;
        error = read_offset(program, "string offset", &offset);
        if (error)
            return error;
        if (offset >= section->size)
            return rt_cursor_error(cursor, "string offset 0x%llx is past the end of %s",
                                   (unsigned long long)offset, st_section_names[kind]);
        struct rt_cursor text = rt_cursor_make(section->bytes + offset, section->size - offset, offset);
        return read_string(&text, "file name", string);
    }
    case DW_FORM_udata: return rt_cursor_uleb(cursor, 64, "file entry", number);
    case DW_FORM_data1: error = rt_cursor_u8(cursor, "file entry", &u8); break;
    case DW_FORM_data2: error = rt_cursor_u16(cursor, "file entry", &u16); break;
    case DW_FORM_data4: error = rt_cursor_u32(cursor, "file entry", &u32); break;
    case DW_FORM_data8: return rt_cursor_u64(cursor, "file entry", number);
    case DW_FORM_data16: return rt_cursor_bytes(cursor, 16, "file entry", &bytes);
    case DW_FORM_block: {
        uint64_t size;
        error = rt_cursor_uleb(cursor, 32, "file entry", &size);
        return error ? error : rt_cursor_bytes(cursor, size, "file entry", &bytes);
    }
    default: return rt_cursor_error(cursor, "unknown form 0x%llx", (unsigned long long)form);
    }
    *number = (uint64_t)u8 + u16 + u32; /* one of them was read, the others are 0 */
    return error;
}

/* Directories or files of version 5: a description of the entries, then the entries. */
static struct rt_error *read_table_5(struct program *program, bool is_files) {
    struct rt_cursor *cursor = &program->cursor;
    uint8_t format_count;
    uint64_t formats[256][2], count;
    struct rt_error *error = rt_cursor_u8(cursor, "entry format count", &format_count);
    for (unsigned i = 0; !error && i < format_count; i++) {
        error = rt_cursor_uleb(cursor, 64, "content type", &formats[i][0]);
        if (!error)
            error = rt_cursor_uleb(cursor, 64, "form", &formats[i][1]);
    }
    if (!error)
        error = rt_cursor_uleb(cursor, 64, "entry count", &count);
    if (error)
        return error;
    if (count > rt_cursor_left(cursor)) /* an entry takes a byte at least, or none at all */
        return rt_cursor_error(cursor, "%llu entries in %zu bytes", (unsigned long long)count,
                               rt_cursor_left(cursor));
    while (count-- > 0) {
        const char *name = "";
        uint64_t directory = 0;
        for (unsigned i = 0; i < format_count; i++) {
            const char *string = NULL;
            uint64_t number = 0;
            error = read_form(program, formats[i][1], &string, &number);
            if (error)
                return error;
            if (formats[i][0] == DW_LNCT_path && string)
                name = string;
            else if (formats[i][0] == DW_LNCT_directory_index)
                directory = number;
        }
        error = is_files ? add_file(program, name, directory) : add_directory(program, name);
        if (error)
            return error;
    }
    return NULL;
}

/* ---- The header ---- */

static struct rt_error *read_header(struct program *program) {
    struct rt_cursor *cursor = &program->cursor;
    uint32_t low;
    uint64_t length;
    struct rt_error *error = rt_cursor_u32(cursor, "unit length", &low);
    if (error)
        return error;
    program->offset_size = low == UINT32_MAX ? 8 : 4;
    length = low;
    if (low == UINT32_MAX && (error = rt_cursor_u64(cursor, "unit length", &length)))
        return error;
    if (length > rt_cursor_left(cursor))
        return rt_cursor_error(cursor, "unit length 0x%llx is past the section's end",
                               (unsigned long long)length);
    cursor->end = cursor->next + length;
    /* Each table is read once: more bytes than the section has means that tables overlap. */
    program->reader->line_bytes += length;
    if (program->reader->line_bytes > program->reader->debug->sections[ST_SECTION_LINE].size)
        return rt_cursor_error(cursor, "line tables overlap");

    error = rt_cursor_u16(cursor, "version", &program->version);
    if (error)
        return error;
    if (program->version < 2 || program->version > 5)
        return rt_cursor_error(cursor, "not supported: version %u of the line table", program->version);
    uint8_t address_size, segment_size, maximum_operations = 1, is_stmt, line_base;
    if (program->version >= 5) {
        error = rt_cursor_u8(cursor, "address size", &address_size);
        if (!error)
            error = rt_cursor_u8(cursor, "segment selector size", &segment_size);
        if (error)
            return error;
    }
    uint64_t header_length;
    error = read_offset(program, "header length", &header_length);
    if (error)
        return error;
    if (header_length > rt_cursor_left(cursor))
        return rt_cursor_error(cursor, "header length 0x%llx is past the unit's end",
                               (unsigned long long)header_length);
    const uint8_t *first_opcode = cursor->next + header_length;
    error = rt_cursor_u8(cursor, "minimum instruction length", &program->minimum_length);
    if (!error && program->version >= 4)
        error = rt_cursor_u8(cursor, "maximum operations", &maximum_operations);
    if (!error)
        error = rt_cursor_u8(cursor, "default is_stmt", &is_stmt);
    if (!error)
        error = rt_cursor_u8(cursor, "line base", &line_base);
    if (!error)
        error = rt_cursor_u8(cursor, "line range", &program->line_range);
    if (!error)
        error = rt_cursor_u8(cursor, "opcode base", &program->opcode_base);
    if (error)
        return error;
    if (maximum_operations > 1)
        return rt_cursor_error(cursor, "not supported: %u operations an instruction", maximum_operations);
    if (program->opcode_base == 0 || program->line_range == 0)
        return rt_cursor_error(cursor, "opcode base %u and line range %u must not be 0", program->opcode_base,
                               program->line_range);
    program->default_is_stmt = is_stmt != 0;
    program->line_base = (int8_t)line_base;
    error = rt_cursor_bytes(cursor, program->opcode_base - 1u, "operand counts", &program->operand_counts);
    if (!error && program->version < 5)
        error = read_tables_4(program);
    if (!error && program->version >= 5)
        error = read_table_5(program, false);
    if (!error && program->version >= 5)
        error = read_table_5(program, true);
    if (error)
        return error;
    if (cursor->next > first_opcode)
        return rt_cursor_error(cursor, "the header is longer than its length says");
    cursor->next = first_opcode;
    return NULL;
}

/* ---- The program ---- */

struct state { /* section 6.2.2 */
    uint64_t pc, file, column;
    uint32_t line;
    bool is_stmt, prologue_end, epilogue_begin;
};

static uint32_t limited(uint64_t number) {
    return number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

static struct rt_error *emit(struct program *program, struct state *state, bool end_sequence) {
    struct st_reader *reader = program->reader;
    struct st_row *row = st_list_push(&reader->rows, sizeof *row);
    if (!row)
        return rt_error_out_of_memory();
    const uint32_t *files = program->files.items;
    *row = (struct st_row){
        .pc = state->pc,
        .file = state->file < program->files.count ? files[state->file] : 0,
        .line = state->line,
        .column = limited(state->column),
        .is_stmt = state->is_stmt,
        .prologue_end = state->prologue_end,
        .epilogue_begin = state->epilogue_begin,
        .end_sequence = end_sequence,
    };
    state->prologue_end = state->epilogue_begin = false;
    return NULL;
}

/* A sequence has ended: keep it if its code was kept. */
static struct rt_error *end_sequence(struct st_reader *reader, size_t first) {
    struct st_row *rows = reader->rows.items;
    if (!st_debug_is_code(reader->debug, rows[first].pc)) {
        reader->rows.count = first;
        return NULL;
    }
    struct st_sequence *sequence = st_list_push(&reader->sequences, sizeof *sequence);
    if (!sequence)
        return rt_error_out_of_memory();
    *sequence = (struct st_sequence){rows[first].pc, first, reader->rows.count - first};
    for (size_t i = first; i < reader->rows.count; i++)
        rows[i].sequence = (uint32_t)reader->sequences.count;
    return NULL;
}

static struct rt_error *run_extended(struct program *program, struct state *state, bool *ended) {
    struct rt_cursor *cursor = &program->cursor;
    uint64_t size;
    struct rt_error *error = rt_cursor_uleb(cursor, 64, "extended opcode's size", &size);
    if (error)
        return error;
    if (size == 0 || size > rt_cursor_left(cursor))
        return rt_cursor_error(cursor, "extended opcode of %llu bytes", (unsigned long long)size);
    const uint8_t *next = cursor->next + size;
    uint8_t opcode;
    error = rt_cursor_u8(cursor, "extended opcode", &opcode);
    if (error)
        return error;
    switch (opcode) {
    case DW_LNE_end_sequence:
        *ended = true;
        error = emit(program, state, true);
        break;
    case DW_LNE_set_address: {
        struct st_unit unit = {.address_size = (uint8_t)(size - 1)};
        if (size != 5 && size != 9)
            return rt_cursor_error(cursor, "address of %llu bytes", (unsigned long long)size - 1);
        error = st_unit_read_address(&unit, cursor, &state->pc);
        break;
    }
    case DW_LNE_define_file: {
        const char *name;
        error = read_string(cursor, "file name", &name);
        if (!error)
            error = read_file_rest(program, name);
        break;
    }
    default: break; /* discriminators, and what vendors add */
    }
    cursor->next = next;
    return error;
}

static struct rt_error *run_standard(struct program *program, struct state *state, uint8_t opcode) {
    struct rt_cursor *cursor = &program->cursor;
    uint64_t number = 0;
    int64_t delta = 0;
    uint16_t advance = 0;
    struct rt_error *error = NULL;
    switch (opcode) {
    case DW_LNS_copy: return emit(program, state, false);
    case DW_LNS_advance_pc:
        error = rt_cursor_uleb(cursor, 64, "pc advance", &number);
        state->pc += number * program->minimum_length;
        return error;
    case DW_LNS_advance_line:
        error = rt_cursor_sleb(cursor, 64, "line advance", &delta);
        state->line += (uint32_t)delta;
        return error;
    case DW_LNS_set_file: return rt_cursor_uleb(cursor, 64, "file", &state->file);
    case DW_LNS_set_column: return rt_cursor_uleb(cursor, 64, "column", &state->column);
    case DW_LNS_negate_stmt: state->is_stmt = !state->is_stmt; return NULL;
    case DW_LNS_set_basic_block: return NULL;
    case DW_LNS_const_add_pc:
        state->pc += (uint64_t)((255 - program->opcode_base) / program->line_range) * program->minimum_length;
        return NULL;
    case DW_LNS_fixed_advance_pc:
        error = rt_cursor_u16(cursor, "pc advance", &advance);
        state->pc += advance;
        return error;
    case DW_LNS_set_prologue_end: state->prologue_end = true; return NULL;
    case DW_LNS_set_epilogue_begin: state->epilogue_begin = true; return NULL;
    default: /* the header says how many operands an unknown opcode has */
        for (unsigned i = 0; !error && i < program->operand_counts[opcode - 1]; i++)
            error = rt_cursor_uleb(cursor, 64, "operand of an unknown opcode", &number);
        return error;
    }
}

static struct rt_error *run(struct program *program) {
    struct rt_cursor *cursor = &program->cursor;
    struct st_reader *reader = program->reader;
    const struct state initial = {.file = 1, .line = 1, .is_stmt = program->default_is_stmt};
    struct state state = initial;
    size_t first = reader->rows.count;
    while (cursor->next < cursor->end) {
        uint8_t opcode = *cursor->next++;
        struct rt_error *error = NULL;
        bool ended = false;
        if (opcode >= program->opcode_base) {
            unsigned adjusted = opcode - program->opcode_base;
            state.pc += (uint64_t)(adjusted / program->line_range) * program->minimum_length;
            state.line += (uint32_t)(program->line_base + (int)(adjusted % program->line_range));
            error = emit(program, &state, false);
        } else if (opcode == 0) {
            error = run_extended(program, &state, &ended);
        } else {
            error = run_standard(program, &state, opcode);
        }
        if (!error && ended) {
            error = end_sequence(reader, first);
            first = reader->rows.count;
            state = initial;
        }
        if (error)
            return error;
    }
    if (first != reader->rows.count)
        return rt_cursor_error(cursor, "the last sequence has no end");
    return NULL;
}

struct rt_error *st_lines_read(struct st_reader *reader, uint64_t offset) {
    struct st_line_table *table = st_map_get(&reader->line_tables, offset);
    if (!table) {
        const struct st_section *section = &reader->debug->sections[ST_SECTION_LINE];
        struct program program = {.reader = reader, .unit_directory = reader->unit->directory};
        struct rt_error *error = NULL;
        if (offset >= section->size)
            error = rt_error_format(RT_MALFORMED, "the offset is past the section's end");
        else
            program.cursor = rt_cursor_make(section->bytes + offset, section->size - offset, offset);
        if (!error)
            error = read_header(&program);
        if (!error)
            error = run(&program);
        if (!error) {
            table = rt_arena_alloc(reader->arena, sizeof *table);
            if (table)
                table->files = rt_arena_array(reader->arena, program.files.count, sizeof(uint32_t));
            if (!table || !table->files || !st_map_put(&reader->line_tables, offset, table))
                error = st_reader_no_memory(reader);
        }
        if (!error && (table->file_count = program.files.count))
            memcpy((uint32_t *)table->files, program.files.items, table->file_count * sizeof(uint32_t));
        st_list_clear(&program.directories);
        st_list_clear(&program.files);
        if (error)
            return rt_error_context(error, "%s: line table at .debug_line+0x%llx", reader->debug->label,
                                    (unsigned long long)offset);
    }
    reader->unit->files = table->files;
    reader->unit->file_count = table->file_count;
    return NULL;
}

/* ---- Order ---- */

static int compare_sequences(const void *a, const void *b) {
    const struct st_sequence *left = a, *right = b;
    if (left->low != right->low)
        return left->low < right->low ? -1 : 1;
    return left->first < right->first ? -1 : left->first > right->first;
}

/* Stable insertion: rows are in order already but for sequences that overlap or run backwards, which no
 * compiler makes, so its cost does not matter; a bound on the work keeps hostile tables cheap. */
static bool sort_rows(struct st_row *rows, size_t count) {
    size_t moves = 0, limit = 64 * count;
    for (size_t i = 1; i < count; i++) {
        struct st_row row = rows[i];
        size_t j = i;
        for (; j > 0 && rows[j - 1].pc > row.pc; j--) {
            rows[j] = rows[j - 1];
            if (++moves > limit)
                return false;
        }
        rows[j] = row;
    }
    return true;
}

struct rt_error *st_lines_finish(struct st_reader *reader) {
    struct st_debug *debug = reader->debug;
    struct st_sequence *sequences = reader->sequences.items;
    if (reader->sequences.count)
        qsort(sequences, reader->sequences.count, sizeof *sequences, compare_sequences);
    debug->rows = rt_arena_array(reader->arena, reader->rows.count, sizeof *debug->rows);
    debug->files = rt_arena_array(reader->arena, reader->files.count, sizeof *debug->files);
    if (!debug->rows || !debug->files)
        return st_reader_no_memory(reader);
    for (size_t i = 0; i < reader->sequences.count; i++) {
        memcpy(debug->rows + debug->row_count, (struct st_row *)reader->rows.items + sequences[i].first,
               sequences[i].count * sizeof *debug->rows);
        debug->row_count += sequences[i].count;
    }
    if (!sort_rows(debug->rows, debug->row_count))
        return rt_error_format(RT_MALFORMED, "%s: .debug_line: sequences overlap", debug->label);
    debug->file_count = reader->files.count;
    if (debug->file_count)
        memcpy(debug->files, reader->files.items, debug->file_count * sizeof *debug->files);
    return NULL;
}
