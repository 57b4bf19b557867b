/* Faults that tests plant in the translation of DWARF: hooks that hand the sound visitor what is wrong, or
 * put it themselves. Those of places and frames are in faults.c. */
#include "runtime/jit/native.h"

#include <string.h>

/* ---- Ranges and lists ---- */

static struct rt_error *range_without_base(struct rt_native_faulty *faulty, struct rt_dwarf_pass *pass,
                                           const struct rt_dwarf_die *die, struct rt_dwarf_range range) {
    struct rt_dwarf_attribute at;
    bool is_list;
    struct rt_error *error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_ranges, &at, &is_list);
    if (error)
        return error;
    if (is_list && range.low >= die->unit->base) {
        range.low -= die->unit->base;
        range.high -= die->unit->base;
    }
    return faulty->sound.range(faulty->native, pass, die, range);
}

/* As if it were the range of what it lies in. */
static struct rt_error *range_of_parent(struct rt_native_faulty *faulty, struct rt_dwarf_pass *pass,
                                        const struct rt_dwarf_die *die) {
    const struct rt_dwarf_range *ranges;
    size_t count;
    struct rt_error *error = rt_dwarf_scope_ranges(pass, die->parent, &ranges, &count);
    if (error || count == 0)
        return error;
    return faulty->sound.range(faulty->native, pass, die, ranges[0]);
}

static struct rt_error *range_of_function(struct rt_native_faulty *faulty, struct rt_dwarf_pass *pass,
                                          const struct rt_dwarf_die *die, struct rt_dwarf_range range) {
    struct rt_native *native = faulty->native;
    struct rt_native_part part;
    uint32_t start, code, end;
    if (!rt_native_next_part(native, range.low, range.high, &part))
        return NULL;
    if (native->fault == RT_NATIVE_FUNCTION_SHORT) {
        const struct rt_machine_range *machine = &rt_code_map_function(native->map, part.function)->range;
        rt_dwarf_put_range(
            pass, (struct rt_dwarf_range){machine->low, machine->low + (machine->high - machine->low) / 2});
        return NULL;
    }
    if (rt_code_map_function(native->map, part.function ^ 1) &&
        rt_module_function_range(native->module, part.function ^ 1, &start, &code, &end))
        range = (struct rt_dwarf_range){start, end};
    return faulty->sound.range(faulty->native, pass, die, range);
}

static struct rt_error *range(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                              struct rt_dwarf_range range) {
    struct rt_native_faulty *faulty = user;
    switch (faulty->native->fault) {
    case RT_NATIVE_RANGE_BASE_MISSED: return range_without_base(faulty, pass, die, range);
    case RT_NATIVE_RANGES_CUT:
        if (die->position == faulty->last && die->depth > 0)
            return NULL;
        faulty->last = die->position;
        break;
    case RT_NATIVE_BLOCK_WIDENED:
        if (die->tag == RT_DWARF_TAG_lexical_block)
            return range_of_parent(faulty, pass, die);
        break;
    case RT_NATIVE_FUNCTION_SHORT:
    case RT_NATIVE_FUNCTIONS_SWAPPED:
        if (die->tag == RT_DWARF_TAG_subprogram)
            return range_of_function(faulty, pass, die, range);
        break;
    default: break;
    }
    return faulty->sound.range(faulty->native, pass, die, range);
}

/* ---- DIEs and attributes ---- */

static struct rt_error *plan(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                             enum rt_dwarf_fate *ret) {
    struct rt_native_faulty *faulty = user;
    const bool is_block = die->tag == RT_DWARF_TAG_lexical_block;
    switch (faulty->native->fault) {
    case RT_NATIVE_CHILDREN_DROPPED:
        if (die->parent && die->parent->tag == RT_DWARF_TAG_lexical_block) {
            *ret = RT_DWARF_DROP;
            return NULL;
        }
        break;
    case RT_NATIVE_INLINED_DROPPED:
        if (die->tag == RT_DWARF_TAG_inlined_subroutine) {
            *ret = RT_DWARF_DROP;
            return NULL;
        }
        break;
    case RT_NATIVE_EMPTY_SCOPES_KEPT:
        if (is_block || die->tag == RT_DWARF_TAG_inlined_subroutine)
            return NULL;
        break;
    default: break;
    }
    return faulty->sound.plan(faulty->native, pass, die, ret);
}

/* Puts another attribute's number in place of an attribute's own. */
static struct rt_error *put_number_of(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                      unsigned from, unsigned name, bool *ret_keep) {
    struct rt_dwarf_attribute at;
    bool found;
    struct rt_error *error = rt_dwarf_attribute_find(pass, die, from, &at, &found);
    if (error || !found)
        return error;
    at.name = name;
    at.form = 0;
    rt_dwarf_put_attribute(pass, &at);
    *ret_keep = false;
    return NULL;
}

static bool is_variable(const struct rt_dwarf_die *die) {
    return die->tag == RT_DWARF_TAG_variable || die->tag == RT_DWARF_TAG_formal_parameter;
}

/* A type that is in the same unit: that of the variable before. */
static void exchange_type(struct rt_native_faulty *faulty, const struct rt_dwarf_die *die,
                          struct rt_dwarf_attribute *at) {
    const uint64_t before = faulty->last;
    if (!is_variable(die) || at->class != RT_DWARF_CLASS_REFERENCE)
        return;
    faulty->last = at->number;
    if (before >= die->unit->offset && before < die->unit->end)
        at->number = before;
}

static struct rt_error *attribute(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                  struct rt_dwarf_attribute *at, bool *ret_keep) {
    struct rt_native_faulty *faulty = user;
    switch (faulty->native->fault) {
    case RT_NATIVE_FILE_IS_LINE:
        if (at->name == RT_DWARF_AT_decl_file)
            return put_number_of(pass, die, RT_DWARF_AT_decl_line, at->name, ret_keep);
        break;
    case RT_NATIVE_CALL_LINE_LOST:
        if (at->name == RT_DWARF_AT_call_line)
            return put_number_of(pass, die, RT_DWARF_AT_call_column, at->name, ret_keep);
        break;
    case RT_NATIVE_MEMBERS_UNPLACED: *ret_keep = at->name != RT_DWARF_AT_data_member_location; break;
    case RT_NATIVE_BIT_FIELDS_UNPLACED:
        *ret_keep = at->name != RT_NATIVE_AT_data_bit_offset && at->name != RT_NATIVE_AT_bit_offset;
        break;
    case RT_NATIVE_COUNT_IS_BOUND:
        if (at->name == RT_DWARF_AT_count)
            at->name = RT_DWARF_AT_upper_bound;
        break;
    case RT_NATIVE_TYPE_OF_ANOTHER:
        if (at->name == RT_DWARF_AT_type)
            exchange_type(faulty, die, at);
        break;
    case RT_NATIVE_CONSTANT_TRUNCATED:
        if (at->name == RT_DWARF_AT_const_value && is_variable(die)) {
            at->number &= 0xff;
            at->form = 0;
            at->is_signed = false;
        }
        break;
    default: break;
    }
    return *ret_keep ? faulty->sound.attribute(faulty->native, pass, die, at, ret_keep) : NULL;
}

/* ---- Locations ---- */

/* The address as the input has it. */
static void put_without_base(struct rt_dwarf_pass *pass, uint64_t address) {
    const struct rt_dwarf_operation operations[] = {
        {.code = RT_DWARF_OP_addr, .operands = {address}},
        {.code = RT_DWARF_OP_lit0},
        {.code = RT_DWARF_OP_or},
    };
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        rt_dwarf_put_operation(pass, &operations[i]);
    rt_dwarf_put_location(pass, NULL);
}

/* The expression with another first operation, or another operand of it. */
static struct rt_error *change_expression(struct rt_native_faulty *faulty, struct rt_dwarf_pass *pass,
                                          const struct rt_dwarf_die *die, struct rt_dwarf_span *bytes,
                                          bool *ret_put) {
    struct rt_cursor cursor = rt_cursor_make(bytes->bytes, bytes->size, 0);
    struct rt_dwarf_operation operation;
    uint8_t *copy = (uint8_t *)rt_arena_copy(&faulty->native->arena, bytes->bytes, bytes->size);
    *ret_put = false;
    if (!copy)
        return rt_error_out_of_memory();
    struct rt_error *error = rt_dwarf_operation_read(pass, die->unit, &cursor, &operation);
    if (error)
        return error;
    const bool is_local = operation.code == RT_DWARF_OP_WASM_location && operation.operands[0] == 0;
    if (faulty->native->fault == RT_NATIVE_LOCAL_OFF_BY_ONE && is_local)
        copy[2] = copy[2] ? copy[2] - 1 : 1;
    if (faulty->native->fault == RT_NATIVE_STACK_POINTER_MISSED && operation.code == RT_DWARF_OP_fbreg)
        copy[0] = RT_DWARF_OP_consts;
    if (faulty->native->fault == RT_NATIVE_MEMORY_BASE_MISSED && operation.code == RT_DWARF_OP_addr &&
        rt_cursor_left(&cursor) == 0 && !rt_dwarf_module_is_dead(NULL, operation.operands[0])) {
        put_without_base(pass, operation.operands[0]);
        *ret_put = true;
    }
    bytes->bytes = copy;
    return NULL;
}

static struct rt_error *location(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                 unsigned name, const struct rt_dwarf_range *range,
                                 struct rt_dwarf_span bytes) {
    struct rt_native_faulty *faulty = user;
    struct rt_dwarf_range changed = range ? *range : (struct rt_dwarf_range){0};
    const uint64_t last = faulty->last;
    bool is_put = false;
    struct rt_error *error = NULL;
    faulty->last = die->position;
    switch (faulty->native->fault) {
    case RT_NATIVE_LOCATION_BEGINS_LATE: changed.low++; break;
    case RT_NATIVE_LOCATION_ENDS_LATE: changed.high++; break;
    case RT_NATIVE_LIST_BASE_MISSED:
        changed.low -= changed.low >= die->unit->base ? die->unit->base : 0;
        changed.high -= changed.high >= die->unit->base ? die->unit->base : 0;
        break;
    case RT_NATIVE_LIST_COLLAPSED:
        if (range && last == die->position)
            return NULL;
        range = NULL;
        break;
    case RT_NATIVE_GLOBALS_UNTRANSLATED:
        if (die->tag == RT_DWARF_TAG_variable && die->depth == 1 && name == RT_DWARF_AT_location)
            return NULL;
        break;
    case RT_NATIVE_LOCAL_OFF_BY_ONE:
    case RT_NATIVE_STACK_POINTER_MISSED:
    case RT_NATIVE_MEMORY_BASE_MISSED:
        if (bytes.size && name == RT_DWARF_AT_location)
            error = change_expression(faulty, pass, die, &bytes, &is_put);
        break;
    default: break;
    }
    if (error || is_put || (range && changed.low >= changed.high))
        return error;
    return faulty->sound.location(faulty->native, pass, die, name, range ? &changed : NULL, bytes);
}

/* ---- Line rows ---- */

/* The index of the row that shows the end of the prologue; 0 when none does. */
static size_t prologue_end(const struct rt_dwarf_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (rows[i].prologue_end)
            return i;
    return 0;
}

/* Ends the sequence before its last statement. */
static size_t end_early(struct rt_dwarf_row *rows, size_t count) {
    size_t last = count - 1;
    while (last > 1 &&
           (rows[last].end_sequence || !rows[last].is_stmt || rows[last].address == rows[count - 1].address))
        last--;
    rows[last].end_sequence = true;
    return last + 1;
}

/* Ends it where its first function does. */
static size_t end_first_function(struct rt_native *native, struct rt_dwarf_row *rows, size_t count) {
    struct rt_native_part part;
    if (!rt_native_next_part(native, rows[0].address, rows[count - 1].address, &part))
        return count;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].address >= part.high) {
            rows[i].end_sequence = true;
            return i + 1;
        }
    }
    return count;
}

static size_t change_rows(struct rt_native_faulty *faulty, const struct rt_dwarf_unit *unit,
                          struct rt_dwarf_row *rows, size_t count) {
    const size_t body = prologue_end(rows, count);
    const struct rt_dwarf_row last = faulty->row;
    const bool is_same_unit = faulty->unit == unit->offset + 1;
    faulty->unit = unit->offset + 1;
    faulty->row = rows[count > 1 ? count - 2 : 0];
    switch (faulty->native->fault) {
    case RT_NATIVE_ROWS_OF_ONE_FUNCTION:
        return is_same_unit ? 0 : end_first_function(faulty->native, rows, count);
    case RT_NATIVE_SEQUENCE_ENDS_EARLY: return end_early(rows, count);
    case RT_NATIVE_ROW_DOUBLED:
        if (is_same_unit) {
            rows[body].file = last.file;
            rows[body].line = last.line;
            rows[body].column = last.column;
        }
        break;
    case RT_NATIVE_PROLOGUE_END_MOVED:
        if (body + 2 < count && rows[body].prologue_end)
            rows[body + 1].prologue_end = true;
        rows[body].prologue_end = false;
        break;
    default: break;
    }
    for (size_t i = 0; i < count; i++) {
        if (faulty->native->fault == RT_NATIVE_STATEMENTS_LOST)
            rows[i].is_stmt = false;
        if (faulty->native->fault == RT_NATIVE_PROLOGUE_END_LOST)
            rows[i].prologue_end = false;
        if (faulty->native->fault == RT_NATIVE_FILE_OF_ROWS)
            rows[i].file = rows[0].file;
        if (faulty->native->fault == RT_NATIVE_ROW_LATE && i > 0 && !rows[i].end_sequence)
            rows[i].address++;
    }
    return count;
}

static struct rt_error *sequence(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                 const struct rt_dwarf_row *rows, size_t count) {
    struct rt_native_faulty *faulty = user;
    struct rt_dwarf_row *changed = rt_arena_array(&faulty->native->arena, count, sizeof *changed);
    if (!changed)
        return rt_error_out_of_memory();
    memcpy(changed, rows, count * sizeof *changed);
    count = change_rows(faulty, unit, changed, count);
    return count ? faulty->sound.sequence(faulty->native, pass, unit, changed, count) : NULL;
}

/* ---- The others go on as they are ---- */

static struct rt_error *attributes_end(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                       unsigned *tag, bool *ret_children) {
    struct rt_native_faulty *faulty = user;
    return faulty->sound.attributes_end(faulty->native, pass, die, tag, ret_children);
}

static struct rt_error *children_end(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die) {
    struct rt_native_faulty *faulty = user;
    return faulty->sound.children_end(faulty->native, pass, die);
}

static struct rt_error *address(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                unsigned name, uint64_t *address, bool *ret_keep) {
    struct rt_native_faulty *faulty = user;
    return faulty->sound.address(faulty->native, pass, die, name, address, ret_keep);
}

void rt_native_plant(struct rt_native_faulty *faulty, struct rt_native *native,
                     struct rt_dwarf_visitor *visitor) {
    *faulty = (struct rt_native_faulty){.native = native, .sound = *visitor};
    *visitor = (struct rt_dwarf_visitor){.user = faulty,
                                         .is_dead = visitor->is_dead,
                                         .plan = plan,
                                         .attribute = attribute,
                                         .attributes_end = attributes_end,
                                         .children_end = children_end,
                                         .range = range,
                                         .address = address,
                                         .location = location,
                                         .sequence = sequence};
}
