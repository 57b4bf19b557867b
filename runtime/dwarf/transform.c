/* A pass from its start to its end, and the second walk: each unit's header, line table and DIEs, in the
 * input's order. */
#include <stdlib.h>

#include "runtime/dwarf/pass.h"

enum { UT_COMPILE = 1, UT_TYPE = 2, UT_PARTIAL = 3 };

struct rt_dwarf_output {
    struct rt_dwarf_budget budget;
    struct rt_dwarf_bytes out[RT_DWARF_SECTION_COUNT];
    struct rt_dwarf_sections sections;
    struct rt_dwarf_bytes reasons;
    struct rt_dwarf_stat stat;
};

/* ---- One DIE ---- */

/* The attributes as the visitor wants them. */
static struct rt_error *visit_attribute(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                        struct rt_dwarf_attribute *at) {
    const struct rt_dwarf_visitor *visitor = pass->visitor;
    bool is_kept = true;
    struct rt_error *error = visitor->attribute(visitor->user, pass, die, at, &is_kept);
    return error || !is_kept ? error : rt_dwarf_attribute_write(pass, die, at);
}

/* A string by its offset or an index, which is the most common attribute of all: its bytes are not looked at.
 */
static struct rt_error *copy_string(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                    const struct rt_dwarf_spec *spec, struct rt_cursor *cursor) {
    const struct rt_dwarf_unit *unit = die->unit;
    uint64_t offset;
    uint32_t copied;
    struct rt_error *error = spec->size ? rt_dwarf_read_number(cursor, spec->size, "string", &offset)
                                        : rt_dwarf_read_uleb(cursor, "string", &offset);
    if (!error && spec->form != RT_DWARF_FORM_strp)
        error = rt_dwarf_table_entry(pass, RT_DWARF_STR_OFFSETS, unit->str_offsets_base, offset,
                                     unit->offset_size, &offset);
    if (!error)
        error = rt_dwarf_string_copy(pass, RT_DWARF_STR, offset, &copied);
    if (error)
        return rt_error_context(error, "attribute 0x%x", spec->name);
    rt_dwarf_key(pass, spec->name, RT_DWARF_FORM_strp);
    rt_dwarf_put_number(&pass->values, copied, 4);
    return NULL;
}

static struct rt_error *write_attributes(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die) {
    struct rt_cursor cursor = die->attributes;
    struct rt_error *error = NULL;
    for (uint32_t i = 0; !error && i < die->abbrev->count; i++) {
        const struct rt_dwarf_spec *spec = &die->abbrev->specs[i];
        struct rt_dwarf_attribute at;
        if (spec->is_copied && !spec->is_visited) {
            const uint8_t *start = cursor.next;
            error = rt_dwarf_attribute_skip(die->unit, &cursor, spec);
            rt_dwarf_key(pass, spec->name, spec->form);
            rt_dwarf_put(&pass->values, start, (size_t)(cursor.next - start));
        } else if (spec->is_string && !spec->is_visited) {
            error = copy_string(pass, die, spec, &cursor);
        } else {
            error = rt_dwarf_attribute_read(pass, die->unit, &cursor, spec, &at);
            if (!error && spec->is_visited)
                error = visit_attribute(pass, die, &at);
            else if (!error)
                error = rt_dwarf_attribute_write(pass, die, &at);
        }
    }
    return error;
}

/* Writes a DIE's head; *ret_open: with children. */
static struct rt_error *write_die(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die, uint32_t number,
                                  bool *ret_open) {
    const struct rt_dwarf_visitor *visitor = pass->visitor;
    unsigned tag = die->tag;
    bool adds = false;
    rt_dwarf_die_begin(pass);
    struct rt_error *error = write_attributes(pass, die);
    if (!error && visitor->attributes_end)
        error = visitor->attributes_end(visitor->user, pass, die, &tag, &adds);
    if (!error)
        error = rt_dwarf_check(pass);
    if (error)
        return error;
    *ret_open = adds || (die->has_children && (!pass->planned || pass->planned[number].keeps_child));
    const uint32_t offset = rt_dwarf_die_write(pass, tag, *ret_open, die->abbrev->written);
    if (die->copy == 0)
        pass->written[number] = offset;
    error = rt_dwarf_check(pass);
    if (!error && *ret_open && visitor->children_begin)
        error = visitor->children_begin(visitor->user, pass, die);
    return error;
}

static struct rt_error *end_children(struct rt_dwarf_pass *pass, const struct rt_dwarf_frame *frame) {
    const struct rt_dwarf_visitor *visitor = pass->visitor;
    struct rt_error *error = NULL;
    if (!frame->is_open)
        return NULL;
    if (visitor->children_end)
        error = visitor->children_end(visitor->user, pass, &frame->die);
    if (!error && pass->added.size)
        error = rt_error_format(RT_USAGE, "an added DIE was begun and not ended");
    rt_dwarf_put_number(&pass->out[pass->section], 0, 1);
    return error ? error : rt_dwarf_check(pass);
}

/* ---- The DIEs of a unit ---- */

struct walk {
    struct rt_dwarf_pass *pass;
    const struct rt_dwarf_unit *unit;
    struct rt_dwarf_frame *frames; /* as many as the first walk has found open at once */
    unsigned depth;                /* open frames */
    uint32_t number;               /* of the next DIE */
    struct rt_cursor cursor;
};

/* How often the DIE of a frame is written. */
static struct rt_error *count_copies(struct rt_dwarf_pass *pass, struct rt_dwarf_frame *frame) {
    const struct rt_dwarf_visitor *visitor = pass->visitor;
    if (!visitor->copies || !frame->die.parent || frame->die.copy > 0)
        return NULL;
    struct rt_error *error = visitor->copies(visitor->user, pass, &frame->die, &frame->copies);
    return error || frame->copies
               ? error
               : rt_error_format(RT_USAGE, "a DIE cannot be copied 0 times: `plan` drops it");
}

/* Opens the DIE whose abbreviation has been read from `start` on, and writes it where it is kept. */
static struct rt_error *begin_die(struct walk *walk, struct rt_cursor start,
                                  const struct rt_dwarf_abbrev *abbrev, unsigned copy, unsigned copies) {
    struct rt_dwarf_pass *pass = walk->pass;
    struct rt_dwarf_frame *frame = &walk->frames[walk->depth];
    const struct rt_dwarf_frame *parent = walk->depth ? frame - 1 : NULL;
    struct rt_error *error = NULL;
    frame->number = walk->number++;
    frame->start = start;
    frame->copies = copies;
    frame->is_open = false;
    frame->is_kept = (!parent || parent->is_kept) && (!pass->planned || pass->planned[frame->number].is_kept);
    frame->die = (struct rt_dwarf_die){.unit = walk->unit,
                                       .parent = parent ? &parent->die : NULL,
                                       .position = rt_dwarf_position(pass, walk->unit, &start),
                                       .tag = abbrev->tag,
                                       .depth = walk->depth++,
                                       .has_children = abbrev->has_children,
                                       .copy = copy,
                                       .abbrev = abbrev,
                                       .attributes = walk->cursor};
    if (frame->is_kept)
        error = count_copies(pass, frame);
    if (!error && frame->is_kept)
        error = write_die(pass, &frame->die, frame->number, &frame->is_open);
    return error ? error : rt_dwarf_attributes_skip(walk->unit, &walk->cursor, abbrev);
}

/* Ends the innermost DIE. When it is to be written again, the walk goes back to its start. */
static struct rt_error *end_die(struct walk *walk) {
    for (;;) {
        const struct rt_dwarf_frame *frame = &walk->frames[--walk->depth];
        const struct rt_dwarf_abbrev *abbrev = frame->die.abbrev;
        const struct rt_cursor start = frame->start;
        struct rt_error *error = end_children(walk->pass, frame);
        if (error || frame->die.copy + 1 >= frame->copies)
            return error;
        walk->cursor = frame->die.attributes;
        walk->number = frame->number;
        error = begin_die(walk, start, abbrev, frame->die.copy + 1, frame->copies);
        if (error || abbrev->has_children)
            return error;
    }
}

static struct rt_error *write_dies(struct walk *walk) {
    struct rt_error *error = rt_dwarf_unit_cursor(walk->pass, walk->unit, walk->unit->first, &walk->cursor);
    do {
        const struct rt_dwarf_abbrev *abbrev = NULL;
        const struct rt_cursor start = walk->cursor;
        if (!error)
            error = rt_dwarf_die_read(walk->unit, &walk->cursor, &abbrev);
        if (!error && abbrev)
            error = begin_die(walk, start, abbrev, 0, 1);
        if (!error && (!abbrev || !abbrev->has_children))
            error = end_die(walk);
    } while (!error && walk->depth);
    return error;
}

/* ---- Units ---- */

/* The unit's line table goes first, because DIEs name its files. */
static struct rt_error *write_lines(struct rt_dwarf_pass *pass, struct rt_dwarf_unit *unit) {
    const struct rt_dwarf_abbrev *abbrev;
    struct rt_cursor cursor;
    struct rt_error *error = rt_dwarf_unit_cursor(pass, unit, unit->first, &cursor);
    if (!error)
        error = rt_dwarf_die_read(unit, &cursor, &abbrev);
    for (uint32_t i = 0; !error && i < abbrev->count; i++) {
        const struct rt_dwarf_spec *spec = &abbrev->specs[i];
        struct rt_dwarf_attribute at;
        if (spec->role != RT_DWARF_ROLE_LINES) {
            error = rt_dwarf_attribute_skip(unit, &cursor, spec);
            continue;
        }
        error = rt_dwarf_attribute_read(pass, unit, &cursor, spec, &at);
        if (!error && at.class == RT_DWARF_CLASS_LINE_TABLE)
            error = rt_dwarf_lines_transform(pass, unit, at.number);
    }
    return error;
}

static void begin_unit(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit) {
    const bool is_type = unit->kind == RT_DWARF_TYPE_UNIT;
    const unsigned version = pass->options.version;
    pass->section = is_type && version < 5 ? RT_DWARF_TYPES : RT_DWARF_INFO;
    struct rt_dwarf_bytes *out = &pass->out[pass->section];
    pass->unit_start = (uint32_t)out->size;
    pass->unit_base = 0;
    rt_dwarf_put_number(out, 0, 4); /* the length, by end_unit */
    rt_dwarf_put_number(out, version, 2);
    if (version >= 5) {
        rt_dwarf_put_number(out,
                            is_type                               ? UT_TYPE
                            : unit->kind == RT_DWARF_PARTIAL_UNIT ? UT_PARTIAL
                                                                  : UT_COMPILE,
                            1);
        rt_dwarf_put_number(out, pass->address_size, 1);
    }
    rt_dwarf_put_number(out, 0, 4); /* all units share one table of abbreviations */
    if (version < 5)
        rt_dwarf_put_number(out, pass->address_size, 1);
    if (is_type) {
        uint64_t target;
        rt_dwarf_put_number(out, unit->signature, 8);
        rt_dwarf_put_number(out, 0, 4);
        if (rt_dwarf_target(pass, unit->type, &target))
            rt_dwarf_refer(pass, target, pass->section, out->size - 4, RT_DWARF_IN_UNIT);
        else
            rt_dwarf_count(pass, "left out: the type of a type unit");
    }
}

static void end_unit(struct rt_dwarf_pass *pass) {
    struct rt_dwarf_bytes *out = &pass->out[pass->section];
    rt_dwarf_lists_end(pass);
    if (!pass->budget->failed)
        rt_dwarf_store(out->bytes + pass->unit_start, out->size - pass->unit_start - 4, 4);
    pass->stat->out.units++;
}

static struct rt_error *write_unit(struct walk *walk, struct rt_dwarf_unit *unit) {
    struct rt_dwarf_pass *pass = walk->pass;
    if (!rt_dwarf_number(&pass->index, unit->first, &walk->number) ||
        (pass->planned && !pass->planned[walk->number].is_kept))
        return NULL;
    walk->unit = pass->unit = unit;
    pass->address_size = rt_dwarf_output_address_size(pass, unit);
    struct rt_error *error = write_lines(pass, unit);
    if (error)
        return error;
    begin_unit(pass, unit);
    error = write_dies(walk);
    if (error)
        return rt_dwarf_section_error(error, unit->section);
    end_unit(pass);
    return rt_dwarf_check(pass);
}

/* ---- The pass ---- */

/* Sections that nothing of the output takes the place of. */
static void count_sections(struct rt_dwarf_pass *pass) {
    static const char *const texts[] = {
#define RT_DWARF_SECTION(kind, name) [RT_DWARF_##kind] = "left out: the section " name,
#include "runtime/dwarf/sections.def"
#undef RT_DWARF_SECTION
    };
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++)
        if (pass->input->at[i].size &&
            (i == RT_DWARF_EH_FRAME || i == RT_DWARF_MACRO || i == RT_DWARF_MACINFO || i >= RT_DWARF_NAMES))
            rt_dwarf_count(pass, texts[i]);
}

static struct rt_error *run(struct rt_dwarf_pass *pass) {
    const struct rt_dwarf_visitor *visitor = pass->visitor;
    struct walk walk = {.pass = pass};
    count_sections(pass);
    struct rt_error *error = rt_dwarf_units_read(pass);
    if (!error)
        error = rt_dwarf_index_read(pass);
    walk.frames = rt_dwarf_alloc(pass, pass->deepest, sizeof *walk.frames);
    for (size_t i = 0; !error && i < pass->unit_count; i++) {
        error = rt_dwarf_check(pass);
        if (!error)
            error = write_unit(&walk, &pass->units[i]);
    }
    if (!error && pass->unit_count)
        rt_dwarf_put_number(&pass->out[RT_DWARF_ABBREV], 0, 1);
    if (!error)
        error = rt_dwarf_frames_transform(pass);
    if (!error && visitor->finish)
        error = visitor->finish(visitor->user, pass);
    if (!error)
        error = rt_dwarf_check(pass);
    return error ? error : rt_dwarf_fix_references(pass);
}

/* All buffers of the pass itself. */
static void for_buffers(struct rt_dwarf_pass *pass,
                        void (*visit)(struct rt_dwarf_bytes *, struct rt_dwarf_budget *)) {
    struct rt_dwarf_bytes *const buffers[] = {
        &pass->abbrevs,  &pass->line_tables, &pass->reasons,      &pass->plan,
        &pass->names,    &pass->fixups,      &pass->abbrev_keys,  &pass->abbrev_starts,
        &pass->cies,     &pass->key,         &pass->values,       &pass->die_fixups,
        &pass->added,    &pass->ranges,      &pass->input_ranges, &pass->asked,
        &pass->entries,  &pass->pieces,      &pass->expression,   &pass->expression_fixups,
        &pass->branches, &pass->rows,        &pass->input_rows,
    };
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        visit(buffers[i], pass->budget);
}

static void set_budget(struct rt_dwarf_bytes *buffer, struct rt_dwarf_budget *budget) {
    buffer->budget = budget;
}

static void clear_buffer(struct rt_dwarf_bytes *buffer, struct rt_dwarf_budget *budget) {
    (void)budget;
    rt_dwarf_bytes_clear(buffer);
}

static void clear_pass(struct rt_dwarf_pass *pass) {
    rt_dwarf_lines_clear(pass);
    for_buffers(pass, clear_buffer);
    rt_dwarf_map_clear(&pass->abbrev_offsets);
    rt_dwarf_map_clear(&pass->line_offsets);
    rt_dwarf_map_clear(&pass->abbrev_codes);
    rt_dwarf_map_clear(&pass->strings);
    rt_dwarf_map_clear(&pass->texts);
    rt_arena_clear(&pass->arena);
}

/* Hands what was made to the output. */
static void finish(struct rt_dwarf_pass *pass, struct rt_dwarf_output *output) {
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++) {
        output->sections.at[i] = (struct rt_dwarf_span){output->out[i].bytes, output->out[i].size};
        output->stat.output_bytes += output->out[i].size;
    }
    output->reasons = pass->reasons;
    pass->reasons = (struct rt_dwarf_bytes){.budget = pass->budget};
    output->stat.reasons = RT_DWARF_ITEMS(&output->reasons, struct rt_dwarf_reason);
    output->stat.reason_count = RT_DWARF_COUNT(&output->reasons, struct rt_dwarf_reason);
}

static struct rt_error *check_options(struct rt_dwarf_options *options) {
    if (options->version == 0)
        options->version = 5;
    if (options->version != 4 && options->version != 5)
        return rt_error_format(RT_USAGE, "DWARF %u cannot be written: 4 and 5 can", options->version);
    if (options->address_size != 0 && options->address_size != 4 && options->address_size != 8)
        return rt_error_format(RT_USAGE, "addresses of %u bytes cannot be written: 4 and 8 can",
                               options->address_size);
    if (options->line_range > 242 || options->line_base < -128 || options->line_base > 127)
        return rt_error_format(RT_USAGE, "a line program's range is 242 at most, its base fits in a byte");
    return NULL;
}

struct rt_error *rt_dwarf_transform(const struct rt_dwarf_sections *input,
                                    const struct rt_dwarf_visitor *visitor,
                                    const struct rt_dwarf_options *options, struct rt_dwarf_output **ret) {
    struct rt_dwarf_output *output = calloc(1, sizeof *output);
    if (!output)
        return rt_error_out_of_memory();
    struct rt_dwarf_pass pass = {.input = input,
                                 .visitor = visitor,
                                 .budget = &output->budget,
                                 .stat = &output->stat,
                                 .out = output->out};
    if (options)
        pass.options = *options;
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++) {
        output->stat.input_bytes += input->at[i].size;
        output->out[i].budget = &output->budget;
    }
    const uint64_t proportion = output->stat.input_bytes * 64;
    output->budget.limit = pass.options.limit ? pass.options.limit : proportion;
    if (!pass.options.limit && output->budget.limit < (size_t)256 << 20)
        output->budget.limit = (size_t)256 << 20;
    output->budget.left = output->budget.limit;
    pass.work_left = proportion + ((uint64_t)16 << 20);
    for_buffers(&pass, set_budget);
    struct rt_error *error = check_options(&pass.options);
    if (!error)
        error = run(&pass);
    if (!error)
        finish(&pass, output);
    clear_pass(&pass); /* before the output, which has the budget */
    if (error)
        rt_dwarf_output_destroy(output);
    else
        *ret = output;
    return error;
}

void rt_dwarf_output_destroy(struct rt_dwarf_output *output) {
    if (!output)
        return;
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++)
        rt_dwarf_bytes_clear(&output->out[i]);
    rt_dwarf_bytes_clear(&output->reasons);
    free(output);
}

const struct rt_dwarf_sections *rt_dwarf_output_sections(const struct rt_dwarf_output *output) {
    return &output->sections;
}

const struct rt_dwarf_stat *rt_dwarf_output_stat(const struct rt_dwarf_output *output) {
    return &output->stat;
}
