/* Planting: a rewriting of a base's DWARF in which exactly one entity is another. */
#include "harness/plant.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_EXPRESSION = 256 };
enum { ATE_FLOAT = 4, ATE_SIGNED = 5, ATE_SIGNED_CHAR = 6, ATE_UNSIGNED = 7, ATE_UNSIGNED_CHAR = 8 };

struct apply {
    const char *source; /* of a base: what the units that stay are called; NULL: all stay */
    uint64_t *starts;   /* of a base: where functions begin; malloc'd, ascending once they are used */
    size_t start_count, start_capacity;
    const struct hx_plant *plant; /* NULL: none */
    uint32_t sequence, entry;
    uint64_t list_die;
    bool has_unit, has_moved;
};

static bool is_here(const struct apply *apply, const struct rt_dwarf_die *die) {
    return apply->plant && die->position == apply->plant->at;
}

static bool is_class(const struct apply *apply, enum hx_plant_class class) {
    return apply->plant && apply->plant->class == class;
}

static bool is_sequence_class(const struct apply *apply) {
    return apply->plant && apply->plant->class <= HX_PLANT_PROLOGUE_END;
}

/* ---- DIEs ---- */

static bool ends_with(struct rt_dwarf_span text, const char *end) {
    const size_t size = strlen(end);
    return text.size >= size && !memcmp(text.bytes + text.size - size, end, size) &&
           (text.size == size || text.bytes[text.size - size - 1] == '/');
}

static struct rt_error *add_start(struct apply *apply, struct rt_dwarf_pass *pass,
                                  const struct rt_dwarf_die *die) {
    const struct rt_dwarf_range *ranges;
    size_t count;
    struct rt_error *error = rt_dwarf_die_ranges(pass, die, &ranges, &count);
    if (error || !count)
        return error;
    if (apply->start_count == apply->start_capacity) {
        const size_t capacity = apply->start_capacity ? 2 * apply->start_capacity : 64;
        uint64_t *starts = realloc(apply->starts, capacity * sizeof *starts);
        if (!starts)
            return rt_error_out_of_memory();
        apply->starts = starts;
        apply->start_capacity = capacity;
    }
    apply->starts[apply->start_count++] = ranges[0].low;
    return NULL;
}

static struct rt_error *plan(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                             enum rt_dwarf_fate *ret) {
    struct apply *apply = user;
    struct rt_dwarf_attribute name;
    bool found;
    if (apply->source && die->depth == 0) {
        struct rt_error *error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_name, &name, &found);
        if (error)
            return error;
        if (!found || name.class != RT_DWARF_CLASS_STRING || !ends_with(name.bytes, apply->source))
            *ret = RT_DWARF_DROP;
        else
            apply->has_unit = true;
    }
    if (apply->source && die->tag == RT_DWARF_TAG_subprogram)
        return add_start(apply, pass, die);
    if (is_here(apply, die) &&
        (is_class(apply, HX_PLANT_VARIABLE_DROPPED) || is_class(apply, HX_PLANT_VARIABLE_OUT) ||
         is_class(apply, HX_PLANT_VARIABLE_IN) || is_class(apply, HX_PLANT_INLINED_LOST)))
        *ret = RT_DWARF_DROP;
    return NULL;
}

static void change_size(struct rt_dwarf_attribute *at) {
    at->number = at->number == 8 ? 4 : at->number == 4 ? 2 : at->number == 2 ? 1 : 2;
    at->form = 0;
}

static uint64_t other_sign(uint64_t encoding) {
    switch (encoding) {
    case ATE_SIGNED: return ATE_UNSIGNED;
    case ATE_UNSIGNED: return ATE_SIGNED;
    case ATE_SIGNED_CHAR: return ATE_UNSIGNED_CHAR;
    case ATE_UNSIGNED_CHAR: return ATE_SIGNED_CHAR;
    default: return encoding;
    }
}

/* Adds to a constant; the pass chooses the form anew. */
static void add(struct rt_dwarf_attribute *at, int64_t difference) {
    at->number += (uint64_t)difference;
    at->form = 0;
}

static struct rt_error *attribute(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                  struct rt_dwarf_attribute *at, bool *ret_keep) {
    struct apply *apply = user;
    static const uint8_t renamed[] = "renamed_";
    (void)pass, (void)ret_keep;
    if (!is_here(apply, die))
        return NULL;
    switch (apply->plant->class) {
    case HX_PLANT_VARIABLE_RENAMED:
        if (at->name == RT_DWARF_AT_name)
            at->bytes = (struct rt_dwarf_span){renamed, sizeof renamed - 1};
        break;
    case HX_PLANT_STRING_OFF:
        if (at->name == RT_DWARF_AT_name)
            at->bytes = (struct rt_dwarf_span){at->bytes.bytes + 1, at->bytes.size - 1};
        break;
    case HX_PLANT_VARIABLE_LINE:
        if (at->name == RT_DWARF_AT_decl_line)
            add(at, 1);
        break;
    case HX_PLANT_TYPE_SIZE:
        if (at->name == RT_DWARF_AT_byte_size)
            change_size(at);
        break;
    case HX_PLANT_TYPE_SIGN:
        if (at->name == RT_DWARF_AT_encoding)
            at->number = other_sign(at->number);
        break;
    case HX_PLANT_TYPE_ENCODING:
        if (at->name == RT_DWARF_AT_encoding)
            at->number = at->number == ATE_FLOAT ? ATE_SIGNED : ATE_FLOAT;
        break;
    case HX_PLANT_MEMBER_OFFSET:
        if (at->name == RT_DWARF_AT_data_member_location)
            add(at, at->number ? -1 : 1);
        break;
    case HX_PLANT_ARRAY_BOUND:
        if (at->name == RT_DWARF_AT_count || at->name == RT_DWARF_AT_upper_bound)
            add(at, at->number > 1 ? -1 : 1);
        break;
    case HX_PLANT_ENUM_VALUE:
        if (at->name == RT_DWARF_AT_const_value)
            add(at, 1);
        break;
    default: break;
    }
    return NULL;
}

/* ---- A variable in another block: put there from its DIE in the input ---- */

static struct rt_error *put_moved(struct rt_dwarf_pass *pass, uint64_t position) {
    static const unsigned names[] = {RT_DWARF_AT_name, RT_DWARF_AT_decl_line, RT_DWARF_AT_type};
    struct rt_dwarf_die die;
    struct rt_dwarf_attribute at;
    const char *reason;
    bool found;
    struct rt_error *error = rt_dwarf_die_find(pass, position, &die, &found);
    if (error || !found)
        return error;
    rt_dwarf_add_die(pass, 0, RT_DWARF_TAG_variable, false);
    for (size_t i = 0; !error && i < sizeof names / sizeof *names; i++) {
        error = rt_dwarf_attribute_find(pass, &die, names[i], &at, &found);
        if (!error && found)
            rt_dwarf_put_attribute(pass, &at);
    }
    if (!error)
        error = rt_dwarf_attribute_find(pass, &die, RT_DWARF_AT_location, &at, &found);
    if (!error && found && at.class == RT_DWARF_CLASS_EXPRESSION) {
        error = rt_dwarf_put_expression(pass, die.unit, at.bytes, &reason);
        if (!error)
            rt_dwarf_put_location(pass, NULL);
        rt_dwarf_put_locations(pass, RT_DWARF_AT_location);
    }
    rt_dwarf_add_end(pass);
    return error;
}

static struct rt_error *children_begin(void *user, struct rt_dwarf_pass *pass,
                                       const struct rt_dwarf_die *die) {
    struct apply *apply = user;
    if (!is_class(apply, HX_PLANT_VARIABLE_IN) || die->position != apply->plant->other)
        return NULL;
    return put_moved(pass, apply->plant->at);
}

static struct rt_error *children_end(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die) {
    struct apply *apply = user;
    if (!is_class(apply, HX_PLANT_VARIABLE_OUT) || die->position != apply->plant->other)
        return NULL;
    return put_moved(pass, apply->plant->at);
}

/* ---- Ranges ---- */

static struct rt_error *range_of(struct rt_dwarf_pass *pass, uint64_t position, struct rt_dwarf_range *ret) {
    const struct rt_dwarf_range *ranges;
    struct rt_dwarf_die die;
    size_t count;
    bool found;
    struct rt_error *error = rt_dwarf_die_find(pass, position, &die, &found);
    if (error || !found)
        return error;
    error = rt_dwarf_die_ranges(pass, &die, &ranges, &count);
    if (!error && count)
        *ret = ranges[0];
    return error;
}

static struct rt_error *range(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                              struct rt_dwarf_range range) {
    const struct apply *apply = user;
    const struct hx_plant *plant = apply->plant;
    const uint64_t middle = range.low + (range.high - range.low) / 2;
    struct rt_error *error = NULL;
    if (is_class(apply, HX_PLANT_FUNCTIONS_SWAPPED) && die->position == plant->at) {
        error = range_of(pass, plant->other, &range);
    } else if (is_class(apply, HX_PLANT_FUNCTIONS_SWAPPED) && die->position == plant->other) {
        error = range_of(pass, plant->at, &range);
    } else if (is_class(apply, HX_PLANT_FUNCTION_RANGE) && is_here(apply, die)) {
        range.high = middle;
    } else if (is_class(apply, HX_PLANT_BLOCK_NARROW) && is_here(apply, die)) {
        *(plant->index ? &range.high : &range.low) = middle;
    } else if (is_class(apply, HX_PLANT_BLOCK_WIDE) && is_here(apply, die)) {
        struct rt_dwarf_range outer = range;
        error = range_of(pass, die->parent->position, &outer);
        *(plant->index ? &range.high : &range.low) = plant->index ? outer.high : outer.low;
    }
    rt_dwarf_put_range(pass, range);
    return error;
}

/* ---- Locations ---- */

static struct rt_error *put(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                            const struct rt_dwarf_range *range, struct rt_dwarf_span expression) {
    const char *reason;
    struct rt_error *error = rt_dwarf_put_expression(pass, die->unit, expression, &reason);
    if (!error && !reason)
        rt_dwarf_put_location(pass, range);
    else if (reason)
        rt_dwarf_count(pass, reason);
    return error;
}

/* x86-64's registers in pairs, general ones (0 to 15) and vectors (17 to 32; psABI, figure 3.36): the other
 * one. */
static uint64_t other_register(uint64_t number) {
    return number <= 15 ? number ^ 1 : ((number - 17) ^ 1) + 17;
}

/* What becomes of an expression's first operation. */
static void shift(struct rt_dwarf_operation *operation, int64_t difference) {
    operation->operands[0] += (uint64_t)difference;
}

static void hold_elsewhere(struct rt_dwarf_operation *operation, int64_t difference) {
    const uint8_t code = operation->code;
    if (code == RT_DWARF_OP_WASM_location)
        operation->operands[1] += (uint64_t)difference;
    else if (code == RT_DWARF_OP_regx || code == RT_DWARF_OP_bregx)
        operation->operands[0] = other_register(operation->operands[0]);
    else if (hx_plant_is_register(code))
        operation->code = (uint8_t)(RT_DWARF_OP_reg0 + other_register(code - RT_DWARF_OP_reg0));
    else
        operation->code = (uint8_t)(RT_DWARF_OP_breg0 + other_register(code - RT_DWARF_OP_breg0));
}

/* A register becomes an offset from what it holds. */
static void point(struct rt_dwarf_operation *operation, int64_t offset) {
    operation->code = (uint8_t)(operation->code - RT_DWARF_OP_reg0 + RT_DWARF_OP_breg0);
    operation->operands[0] = (uint64_t)offset;
}

/* The first operation changed, the rest as it is. */
static struct rt_error *put_changed(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                    const struct rt_dwarf_range *range, struct rt_dwarf_span expression,
                                    void (*change)(struct rt_dwarf_operation *, int64_t),
                                    int64_t difference) {
    struct rt_cursor cursor = rt_cursor_make(expression.bytes, expression.size, 0);
    struct rt_dwarf_operation operation;
    struct rt_error *error = rt_dwarf_operation_read(pass, die->unit, &cursor, &operation);
    if (error)
        return error;
    change(&operation, difference);
    rt_dwarf_put_operation(pass, &operation);
    while (!error && rt_cursor_left(&cursor)) {
        error = rt_dwarf_operation_read(pass, die->unit, &cursor, &operation);
        if (!error)
            rt_dwarf_put_operation(pass, &operation);
    }
    if (!error)
        rt_dwarf_put_location(pass, range);
    return error;
}

/* With another operation before the last one, which is DW_OP_stack_value, or at the end. */
static struct rt_error *put_longer(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                   const struct rt_dwarf_range *range, struct rt_dwarf_span expression,
                                   const uint8_t *more, size_t size) {
    uint8_t bytes[MOST_EXPRESSION];
    if (expression.size + size > sizeof bytes)
        return put(pass, die, range, expression);
    const bool is_value = expression.size && expression.bytes[expression.size - 1] == RT_DWARF_OP_stack_value;
    const size_t first = expression.size - is_value;
    memcpy(bytes, expression.bytes, first);
    memcpy(bytes + first, more, size);
    if (is_value)
        bytes[first + size] = RT_DWARF_OP_stack_value;
    return put(pass, die, range, (struct rt_dwarf_span){bytes, expression.size + size});
}

/* The range of a location list's entry; `base` is the start of the scope around it. */
static struct rt_dwarf_range faulty_range(const struct hx_plant *plant, struct rt_dwarf_range range,
                                          uint64_t base) {
    switch (plant->class) {
    case HX_PLANT_LIST_OFF_BY_ONE:
        if (plant->index % 2)
            range.high++;
        else
            range.low++;
        break;
    case HX_PLANT_LIST_BASE:
        range.low += base;
        range.high += base;
        break;
    case HX_PLANT_LIST_EXTENDED: range.high = plant->other; break;
    case HX_PLANT_LIST_CUT: range.high = range.low + (range.high - range.low) / 2; break;
    default: break;
    }
    return range;
}

static struct rt_error *location_here(struct apply *apply, struct rt_dwarf_pass *pass,
                                      const struct rt_dwarf_die *die, unsigned name,
                                      const struct rt_dwarf_range *range, struct rt_dwarf_span expression) {
    static const uint8_t stack_value[] = {RT_DWARF_OP_stack_value}, plus_16[] = {RT_DWARF_OP_plus_uconst, 16};
    const struct hx_plant *plant = apply->plant;
    const bool is_frame = name == RT_DWARF_AT_frame_base;
    const bool is_register = expression.size && hx_plant_is_register(expression.bytes[0]);
    switch (plant->class) {
    case HX_PLANT_FRAME_LOCAL:
        if (is_frame)
            return put_changed(pass, die, range, expression, hold_elsewhere, 1);
        break;
    case HX_PLANT_FRAME_OFF:
        if (is_frame && is_register)
            return put_changed(pass, die, range, expression, point, 16);
        if (is_frame)
            return put_longer(pass, die, range, expression, plus_16, sizeof plus_16);
        break;
    case HX_PLANT_FBREG_4: return put_changed(pass, die, range, expression, shift, 4);
    case HX_PLANT_FBREG_8: return put_changed(pass, die, range, expression, shift, 8);
    case HX_PLANT_ADDRESS_OFF: return put_changed(pass, die, range, expression, shift, 4);
    case HX_PLANT_LOCAL_INDEX: return put_changed(pass, die, range, expression, hold_elsewhere, 1);
    case HX_PLANT_STACK_VALUE:
        return put_longer(pass, die, range, expression, stack_value, sizeof stack_value);
    case HX_PLANT_VALUE_ADDRESS:
        if (is_register)
            return put_changed(pass, die, range, expression, point, 0);
        return put(pass, die, range, (struct rt_dwarf_span){expression.bytes, expression.size - 1});
    case HX_PLANT_VARIABLE_SIBLING: {
        struct rt_dwarf_die sibling;
        struct rt_dwarf_attribute at;
        bool found;
        struct rt_error *error = rt_dwarf_die_find(pass, plant->other, &sibling, &found);
        if (!error && found)
            error = rt_dwarf_attribute_find(pass, &sibling, RT_DWARF_AT_location, &at, &found);
        return error || !found ? error : put(pass, die, range, at.bytes);
    }
    case HX_PLANT_LIST_OFF_BY_ONE:
    case HX_PLANT_LIST_BASE:
    case HX_PLANT_LIST_EXTENDED:
    case HX_PLANT_LIST_CUT: {
        const struct rt_dwarf_range *scope;
        size_t count;
        struct rt_error *error = rt_dwarf_scope_ranges(pass, die, &scope, &count);
        if (error || !range || !count)
            return error;
        const struct rt_dwarf_range other = faulty_range(plant, *range, scope[0].low);
        return put(pass, die, &other, expression);
    }
    default: break;
    }
    return put(pass, die, range, expression);
}

static struct rt_error *location(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                 unsigned name, const struct rt_dwarf_range *range,
                                 struct rt_dwarf_span expression) {
    struct apply *apply = user;
    if (apply->list_die != die->position)
        apply->entry = 0;
    apply->list_die = die->position;
    const uint32_t entry = range && name == RT_DWARF_AT_location ? apply->entry++ : 0;
    if (is_here(apply, die) && !is_sequence_class(apply) && apply->plant->index / 2 == entry &&
        (name == RT_DWARF_AT_location || name == RT_DWARF_AT_frame_base))
        return location_here(apply, pass, die, name, range, expression);
    return put(pass, die, range, expression);
}

/* ---- Line rows ---- */

/* A sequence at the addresses of another one's rows, as far as these go. */
static void put_elsewhere(struct rt_dwarf_pass *pass, const struct rt_dwarf_row *rows, size_t count,
                          const uint64_t *addresses, size_t address_count) {
    const size_t most = count < address_count ? count : address_count;
    for (size_t i = 0; i < most; i++) {
        struct rt_dwarf_row row = rows[i];
        row.end_sequence = i + 1 == most;
        row.address = addresses[i + 1 == most ? address_count - 1 : i];
        rt_dwarf_put_row(pass, &row);
    }
}

static int compare_starts(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* A sequence cut where functions begin: compilers that give each function a section write it so. */
static void put_cut(const struct apply *apply, struct rt_dwarf_pass *pass, const struct rt_dwarf_row *rows,
                    size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (apply->start_count && i > 0 && rows[i].address > rows[i - 1].address && !rows[i].end_sequence &&
            bsearch(&rows[i].address, apply->starts, apply->start_count, sizeof *apply->starts,
                    compare_starts)) {
            struct rt_dwarf_row end = rows[i - 1];
            end.address = rows[i].address;
            end.end_sequence = true;
            rt_dwarf_put_row(pass, &end);
        }
        rt_dwarf_put_row(pass, &rows[i]);
    }
}

static void put_faulty_rows(const struct hx_plant *plant, struct rt_dwarf_pass *pass,
                            const struct rt_dwarf_row *rows, size_t count) {
    bool moves_prologue_end = false;
    for (size_t i = 0; i < count; i++) {
        struct rt_dwarf_row row = rows[i];
        const bool is_row = i == plant->index;
        if (moves_prologue_end && row.address > rows[plant->index].address && !row.end_sequence) {
            row.prologue_end = true;
            moves_prologue_end = false;
        }
        if (is_row && plant->class == HX_PLANT_ROW_LOST)
            continue;
        if (is_row && (plant->class == HX_PLANT_ROW_NEXT_LINE || plant->class == HX_PLANT_ROW_OTHER_FUNCTION))
            row.line = plant->lines[1];
        if (is_row && plant->class == HX_PLANT_ROW_STATEMENT)
            row.is_stmt = !row.is_stmt;
        if (is_row && plant->class == HX_PLANT_PROLOGUE_END) {
            row.prologue_end = false;
            moves_prologue_end = true;
        }
        if (is_row && plant->class == HX_PLANT_SEQUENCE_SHORT) {
            row.end_sequence = true;
            rt_dwarf_put_row(pass, &row);
            return;
        }
        rt_dwarf_put_row(pass, &row);
        if (plant->class == HX_PLANT_ROW_DOUBLED && i == plant->other) {
            struct rt_dwarf_row copy = rows[plant->index];
            copy.address = row.address;
            copy.prologue_end = false;
            rt_dwarf_put_row(pass, &copy);
        }
    }
}

static struct rt_error *sequence(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                 const struct rt_dwarf_row *rows, size_t count) {
    struct apply *apply = user;
    (void)unit;
    const bool is_this = is_sequence_class(apply) && apply->plant->at == apply->sequence;
    if (apply->sequence++ == 0 && apply->start_count)
        qsort(apply->starts, apply->start_count, sizeof *apply->starts, compare_starts);
    if (is_this && apply->plant->class == HX_PLANT_SEQUENCE_MOVED)
        put_elsewhere(pass, rows, count, apply->plant->addresses, apply->plant->index);
    else if (is_this)
        put_faulty_rows(apply->plant, pass, rows, count);
    else
        put_cut(apply, pass, rows, count);
    return NULL;
}

/* ---- Files ---- */

/* The output's sections, one byte of .debug_abbrev replaced. *ret_copy is the caller's to free. */
static struct rt_error *replace_abbreviation(const struct hx_plant *plant, struct rt_dwarf_sections *sections,
                                             uint8_t **ret_copy) {
    struct rt_dwarf_span *section = &sections->at[RT_DWARF_ABBREV];
    bool is_end;
    size_t at;
    uint8_t byte;
    struct rt_error *error = hx_plant_abbreviation(*section, plant->index, &at, &byte, &is_end);
    if (error || !at)
        return error;
    if (!(*ret_copy = malloc(section->size)))
        return rt_error_out_of_memory();
    memcpy(*ret_copy, section->bytes, section->size);
    (*ret_copy)[at] = byte;
    section->bytes = *ret_copy;
    return NULL;
}

static struct rt_error *rewrite(const struct hx_dwarf_file *file, struct apply *apply, const char *path) {
    const struct rt_dwarf_visitor visitor = {.user = apply,
                                             .is_dead = rt_dwarf_module_is_dead,
                                             .plan = plan,
                                             .attribute = attribute,
                                             .children_begin = children_begin,
                                             .children_end = children_end,
                                             .range = range,
                                             .location = location,
                                             .sequence = sequence};
    struct rt_dwarf_sections sections;
    struct rt_dwarf_output *output = NULL;
    uint8_t *copy = NULL;
    struct rt_error *error = rt_dwarf_transform(&file->sections, &visitor, NULL, &output);
    if (!error && apply->source && !apply->has_unit)
        error = rt_error_format(RT_USAGE, "no unit of it is of %s: compile it with -g", apply->source);
    if (!error)
        sections = *rt_dwarf_output_sections(output);
    if (!error && is_class(apply, HX_PLANT_ABBREVIATION))
        error = replace_abbreviation(apply->plant, &sections, &copy);
    if (!error)
        error = hx_dwarf_file_write(file, &sections, path);
    free(copy);
    free(apply->starts);
    rt_dwarf_output_destroy(output);
    return error;
}

struct rt_error *hx_plant_base(const struct hx_dwarf_file *file, const char *source, const char *path) {
    const char *slash = strrchr(source, '/');
    struct apply apply = {.source = slash ? slash + 1 : source};
    return rewrite(file, &apply, path);
}

struct rt_error *hx_plant_apply(const struct hx_dwarf_file *base, const struct hx_plant *plant,
                                const char *path) {
    struct apply apply = {.plant = plant};
    return rewrite(base, &apply, path);
}
