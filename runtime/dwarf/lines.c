/* Line tables of the input (DWARF 5, section 6.2.4): headers of versions 2 to 5, their directories and files.
 */
#include "runtime/dwarf/pass.h"

enum { CONTENT_PATH = 1, CONTENT_DIRECTORY, CONTENT_TIME, CONTENT_SIZE, CONTENT_MD5, MOST_CONTENTS = 16 };

/* ---- Directories and files ---- */

static struct rt_error *read_text(struct rt_cursor *cursor, struct rt_dwarf_span *ret) {
    const uint8_t *end = rt_cursor_left(cursor) ? memchr(cursor->next, 0, rt_cursor_left(cursor)) : NULL;
    if (!end)
        return rt_cursor_error(cursor, "a name without an end");
    ret->size = (size_t)(end - cursor->next);
    return rt_cursor_bytes(cursor, ret->size + 1, "name", &ret->bytes);
}

/* Versions 2 to 4: names up to an empty one. Directory 0 is the unit's, and file 0 is none. */
static struct rt_error *read_old_names(const struct rt_dwarf_unit *unit, struct rt_cursor *cursor,
                                       struct rt_dwarf_line_table *table) {
    struct rt_error *error;
    rt_dwarf_put(&table->directories, &unit->directory, sizeof unit->directory);
    for (;;) {
        struct rt_dwarf_span name;
        error = read_text(cursor, &name);
        if (error || name.size == 0)
            break;
        rt_dwarf_put(&table->directories, &name, sizeof name);
    }
    const struct rt_dwarf_file none = {.name = unit->name};
    rt_dwarf_put(&table->files, &none, sizeof none);
    while (!error) {
        struct rt_dwarf_file file = {.directory = 0};
        error = read_text(cursor, &file.name);
        if (error || file.name.size == 0)
            break;
        error = rt_dwarf_read_uleb(cursor, "directory", &file.directory);
        if (!error)
            error = rt_dwarf_read_uleb(cursor, "time", &file.time);
        if (!error)
            error = rt_dwarf_read_uleb(cursor, "size", &file.size);
        if (!error)
            rt_dwarf_put(&table->files, &file, sizeof file);
    }
    return error;
}

struct contents { /* what an entry of version 5 consists of */
    unsigned count;
    uint64_t kinds[MOST_CONTENTS], forms[MOST_CONTENTS];
    uint64_t entries;
};

static struct rt_error *read_contents(struct rt_cursor *cursor, struct contents *ret) {
    uint8_t count;
    struct rt_error *error = rt_cursor_u8(cursor, "entry format count", &count);
    if (!error && count > MOST_CONTENTS)
        return rt_cursor_error(cursor, "an entry format of %u parts", count);
    ret->count = count;
    for (unsigned i = 0; !error && i < count; i++) {
        error = rt_dwarf_read_uleb(cursor, "content type", &ret->kinds[i]);
        if (!error)
            error = rt_dwarf_read_uleb(cursor, "form", &ret->forms[i]);
    }
    if (!error)
        error = rt_dwarf_read_uleb(cursor, "entry count", &ret->entries);
    if (!error && ret->entries > rt_cursor_left(cursor)) /* none is shorter than a byte */
        return rt_cursor_error(cursor, "%llu entries do not fit", (unsigned long long)ret->entries);
    return error;
}

static struct rt_error *read_entry(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                   const struct rt_dwarf_line_table *table, struct rt_cursor *cursor,
                                   const struct contents *contents, struct rt_dwarf_file *ret) {
    *ret = (struct rt_dwarf_file){.directory = 0};
    for (unsigned i = 0; i < contents->count; i++) {
        struct rt_dwarf_attribute at = {.name = 0};
        struct rt_error *error =
            rt_dwarf_value_read(pass, unit, cursor, contents->forms[i], 0, table->offset_size, &at);
        if (error)
            return error;
        switch (contents->kinds[i]) {
        case CONTENT_PATH:
            if (at.class != RT_DWARF_CLASS_STRING)
                return rt_cursor_error(cursor, "a path that is no string");
            ret->name = at.bytes;
            break;
        case CONTENT_DIRECTORY: ret->directory = at.number; break;
        case CONTENT_TIME: ret->time = at.number; break;
        case CONTENT_SIZE: ret->size = at.number; break;
        case CONTENT_MD5: ret->md5 = at.bytes.size == 16 ? at.bytes.bytes : NULL; break;
        default: rt_dwarf_count(pass, "left out: a file's property in a line table"); break;
        }
    }
    return NULL;
}

static struct rt_error *read_names(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                   struct rt_cursor *cursor, struct rt_dwarf_line_table *table) {
    struct contents contents;
    struct rt_dwarf_file entry;
    struct rt_error *error = read_contents(cursor, &contents);
    for (uint64_t i = 0; !error && i < contents.entries; i++) {
        error = read_entry(pass, unit, table, cursor, &contents, &entry);
        if (!error)
            rt_dwarf_put(&table->directories, &entry.name, sizeof entry.name);
    }
    if (!error)
        error = read_contents(cursor, &contents);
    for (uint64_t i = 0; !error && i < contents.entries; i++) {
        error = read_entry(pass, unit, table, cursor, &contents, &entry);
        if (!error)
            rt_dwarf_put(&table->files, &entry, sizeof entry);
    }
    return error;
}

/* ---- Headers ---- */

static struct rt_error *read_parameters(struct rt_cursor *cursor, struct rt_dwarf_line_table *table) {
    const uint8_t *bytes;
    const unsigned count = table->version >= 4 ? 6 : 5;
    struct rt_error *error = rt_cursor_bytes(cursor, count, "line program's parameters", &bytes);
    if (error)
        return error;
    table->min_length = *bytes++;
    if (table->version >= 4 && *bytes++ > 1)
        return rt_error_format(RT_UNSUPPORTED, "not supported: line tables of VLIW machines");
    table->default_is_stmt = bytes[0] != 0;
    table->line_base = (int8_t)bytes[1];
    table->line_range = bytes[2];
    table->opcode_base = bytes[3];
    if (table->opcode_base == 0)
        return rt_cursor_error(cursor, "an opcode base of 0");
    return rt_cursor_bytes(cursor, table->opcode_base - 1u, "lengths of operations", &table->lengths);
}

static struct rt_error *read_header(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                    struct rt_cursor *cursor, struct rt_dwarf_line_table *table) {
    const uint8_t *bytes;
    uint64_t length, header_length;
    uint8_t segment;
    struct rt_error *error = rt_dwarf_read_length(cursor, &length, &table->offset_size);
    if (error)
        return error;
    cursor->end = cursor->next + length;
    error = rt_dwarf_charge(pass, length);
    if (error)
        return error;
    error = rt_cursor_u16(cursor, "version", &table->version);
    if (!error && (table->version < 2 || table->version > 5))
        return rt_error_format(RT_UNSUPPORTED, "not supported: a line table of version %u", table->version);
    table->address_size = unit->address_size;
    if (!error && table->version >= 5)
        error = rt_cursor_u8(cursor, "address size", &table->address_size);
    if (!error && table->version >= 5)
        error = rt_cursor_u8(cursor, "segment selector size", &segment);
    if (!error)
        error = rt_dwarf_read_number(cursor, table->offset_size, "header length", &header_length);
    if (error)
        return error;
    if (header_length > rt_cursor_left(cursor))
        return rt_cursor_error(cursor, "a header of 0x%llx bytes reaches past the table's end",
                               (unsigned long long)header_length);
    table->program = *cursor;
    error = rt_cursor_bytes(&table->program, (size_t)header_length, "header", &bytes);
    cursor->end = table->program.next;
    if (!error)
        error = read_parameters(cursor, table);
    if (!error)
        error =
            table->version >= 5 ? read_names(pass, unit, cursor, table) : read_old_names(unit, cursor, table);
    return error;
}

struct rt_error *rt_dwarf_lines_transform(struct rt_dwarf_pass *pass, struct rt_dwarf_unit *unit,
                                          uint64_t offset) {
    struct rt_cursor cursor;
    struct rt_error *error = rt_dwarf_section_at(pass, RT_DWARF_LINE, offset, &cursor);
    if (error)
        return error;
    struct rt_dwarf_map_entry *entry = rt_dwarf_map_find(&pass->line_offsets, pass->budget, offset + 1);
    if (!entry)
        return rt_dwarf_check(pass);
    if (entry->key) {
        unit->lines = RT_DWARF_ITEMS(&pass->line_tables, struct rt_dwarf_line_table *)[entry->value];
        return NULL;
    }
    struct rt_dwarf_line_table *table = rt_dwarf_alloc(pass, 1, sizeof *table);
    if (!table)
        return rt_dwarf_check(pass);
    table->directories.budget = table->files.budget = pass->budget;
    unit->lines = table;
    rt_dwarf_map_fill(&pass->line_offsets, entry, offset + 1,
                      (uint32_t)RT_DWARF_COUNT(&pass->line_tables, struct rt_dwarf_line_table *), 0);
    rt_dwarf_put(&pass->line_tables, &table, sizeof table);
    error = rt_dwarf_check(pass);
    if (!error)
        error = read_header(pass, unit, &cursor, table);
    if (!error)
        error = rt_dwarf_check(pass);
    if (!error)
        error = rt_dwarf_lines_begin(pass, unit, table);
    if (!error)
        error = rt_dwarf_lines_run(pass, unit, table);
    if (error)
        return rt_dwarf_section_error(rt_error_context(error, "table at 0x%llx", (unsigned long long)offset),
                                      RT_DWARF_LINE);
    rt_dwarf_lines_end(pass, table);
    return rt_dwarf_check(pass);
}

void rt_dwarf_lines_clear(struct rt_dwarf_pass *pass) {
    for (size_t i = 0; i < RT_DWARF_COUNT(&pass->line_tables, struct rt_dwarf_line_table *); i++) {
        struct rt_dwarf_line_table *table =
            RT_DWARF_ITEMS(&pass->line_tables, struct rt_dwarf_line_table *)[i];
        rt_dwarf_bytes_clear(&table->directories);
        rt_dwarf_bytes_clear(&table->files);
    }
}

bool rt_dwarf_line_file(const struct rt_dwarf_pass *pass, const struct rt_dwarf_line_table *table,
                        uint64_t file, uint64_t *ret) {
    const bool is_old = !table || table->version < 5;
    *ret = file;
    if (is_old == (pass->options.version < 5))
        return true;
    /* File 0 is a file in DWARF 5 alone: it comes last in a DWARF 4 table. */
    if (file == 0 && !is_old)
        *ret = RT_DWARF_COUNT(&table->files, struct rt_dwarf_file);
    return *ret != 0;
}
