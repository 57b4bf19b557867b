/* Which faults can be planted in a base: one pass over its DWARF that changes nothing and notes each entity
 * that a fault can be made of. */
#include "harness/plant.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 64 };
enum { TAG_MEMBER = 0x0d, TAG_SUBRANGE = 0x21, TAG_ENUMERATOR = 0x28 };

struct function {
    uint64_t position;
    struct rt_dwarf_range range;
    const char *name;
    uint32_t line;
};

struct survey {
    struct rt_arena *arena;
    const struct hx_live *live;
    struct hx_plants plants;
    size_t capacity;
    struct function *functions; /* ascending by position; malloc'd */
    size_t function_count, function_capacity;
    /* Of each depth: the last variable whose location is an expression, and the variable that could move into
     * the next block there. */
    struct {
        uint64_t parent, position;
        const char *variable;
    } last[MOST_DEPTH], movable[MOST_DEPTH];
    uint64_t list_die; /* whose location list is being walked, and its next entry */
    uint32_t entry;
    uint32_t sequence;
    const struct function *last_function; /* that had a sequence, and the addresses of its rows */
    const uint64_t *last_addresses;
    uint32_t last_count;
    bool out_of_memory;
};

static bool is_live(const struct survey *survey, uint64_t low, uint64_t high) {
    const struct hx_live *live = survey->live;
    size_t first = 0, end = live->count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (live->pcs[middle] < low)
            first = middle + 1;
        else
            end = middle;
    }
    return first < live->count && live->pcs[first] < high;
}

static void offer(struct survey *survey, struct hx_plant plant) {
    if (survey->plants.count == survey->capacity) {
        size_t capacity = survey->capacity ? 2 * survey->capacity : 1024;
        struct hx_plant *items = rt_arena_array(survey->arena, capacity, sizeof *items);
        if (!items) {
            survey->out_of_memory = true;
            return;
        }
        if (survey->plants.count)
            memcpy(items, survey->plants.items, survey->plants.count * sizeof *items);
        survey->plants.items = items;
        survey->capacity = capacity;
    }
    survey->plants.items[survey->plants.count++] = plant;
}

static struct hx_plant of_class(struct hx_plant plant, enum hx_plant_class class) {
    plant.class = class;
    return plant;
}

/* ---- DIEs ---- */

/* The function that a DIE is in, as a debugger names it. */
static struct rt_error *function_of(const struct survey *survey, struct rt_dwarf_pass *pass,
                                    const struct rt_dwarf_die *die, const char **ret) {
    *ret = NULL;
    for (; die; die = die->parent)
        if (die->tag == RT_DWARF_TAG_subprogram || die->tag == RT_DWARF_TAG_inlined_subroutine)
            return hx_plant_name(pass, die, survey->arena, ret);
    return NULL;
}

static struct rt_error *scope_is_live(const struct survey *survey, struct rt_dwarf_pass *pass,
                                      const struct rt_dwarf_die *die, bool *ret) {
    const struct rt_dwarf_range *ranges;
    size_t count;
    struct rt_error *error = rt_dwarf_scope_ranges(pass, die, &ranges, &count);
    *ret = false;
    for (size_t i = 0; !error && i < count; i++)
        *ret |= is_live(survey, ranges[i].low, ranges[i].high);
    return error;
}

/* Whether an expression begins with a WebAssembly local or global, a register, or an offset from one. */
static bool is_held(struct rt_dwarf_span expression) {
    const uint8_t code = expression.size ? expression.bytes[0] : 0;
    return code == RT_DWARF_OP_WASM_location || code == RT_DWARF_OP_regx || code == RT_DWARF_OP_bregx ||
           (code >= RT_DWARF_OP_reg0 && code <= RT_DWARF_OP_breg31);
}

static void offer_expression(struct survey *survey, struct hx_plant plant, const struct rt_dwarf_die *die,
                             struct rt_dwarf_span expression) {
    const unsigned depth = die->depth;
    const uint8_t code = expression.size ? expression.bytes[0] : 0;
    if (code == RT_DWARF_OP_fbreg) {
        offer(survey, of_class(plant, HX_PLANT_FBREG_4));
        offer(survey, of_class(plant, HX_PLANT_FBREG_8));
        offer(survey, of_class(plant, HX_PLANT_STACK_VALUE));
    } else if (code == RT_DWARF_OP_addr) {
        offer(survey, of_class(plant, HX_PLANT_ADDRESS_OFF));
        offer(survey, of_class(plant, HX_PLANT_STACK_VALUE));
    } else if (is_held(expression)) {
        offer(survey, of_class(plant, HX_PLANT_LOCAL_INDEX));
    }
    if (depth >= MOST_DEPTH)
        return;
    if (survey->last[depth].parent == die->parent->position) {
        plant.other = survey->last[depth].position;
        offer(survey, of_class(plant, HX_PLANT_VARIABLE_SIBLING));
    }
    survey->last[depth].parent = die->parent->position;
    survey->last[depth].position = die->position;
}

static struct rt_error *survey_variable(struct survey *survey, struct rt_dwarf_pass *pass,
                                        const struct rt_dwarf_die *die) {
    struct hx_plant plant = {.at = die->position, .is_live = true};
    struct rt_dwarf_attribute location, own;
    bool has_location, has_name, has_line;
    struct rt_error *error =
        rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_location, &location, &has_location);
    if (error || !has_location || !die->parent)
        return error;
    const bool is_local = die->depth > 1;
    if (is_local)
        error = scope_is_live(survey, pass, die, &plant.is_live);
    if (!error)
        error = hx_plant_name(pass, die, survey->arena, &plant.variable);
    if (!error && is_local)
        error = function_of(survey, pass, die->parent, &plant.function);
    if (!error)
        error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_decl_line, &own, &has_line);
    if (!error)
        error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_name, &own, &has_name);
    if (error || !plant.variable)
        return error;
    offer(survey, of_class(plant, HX_PLANT_VARIABLE_DROPPED));
    if (has_line)
        offer(survey, of_class(plant, HX_PLANT_VARIABLE_LINE));
    if (has_name && own.bytes.size > 1) {
        offer(survey, of_class(plant, HX_PLANT_VARIABLE_RENAMED));
        offer(survey, of_class(plant, HX_PLANT_STRING_OFF));
    }
    if (location.class != RT_DWARF_CLASS_EXPRESSION)
        return NULL;
    offer_expression(survey, plant, die, location.bytes);
    if (die->tag != RT_DWARF_TAG_variable || !has_name || !is_local)
        return NULL;
    if (die->parent->tag == RT_DWARF_TAG_lexical_block) {
        plant.other = die->parent->parent->position;
        offer(survey, of_class(plant, HX_PLANT_VARIABLE_OUT));
    }
    if (die->depth < MOST_DEPTH) {
        survey->movable[die->depth].parent = die->parent->position;
        survey->movable[die->depth].position = die->position;
        survey->movable[die->depth].variable = plant.variable;
    }
    return NULL;
}

static struct rt_error *survey_block(struct survey *survey, struct rt_dwarf_pass *pass,
                                     const struct rt_dwarf_die *die) {
    struct hx_plant plant = {.at = die->position};
    struct rt_error *error = function_of(survey, pass, die, &plant.function);
    if (!error)
        error = scope_is_live(survey, pass, die->parent, &plant.is_live);
    if (error)
        return error;
    for (plant.index = 0; plant.index < 2; plant.index++) {
        offer(survey, of_class(plant, HX_PLANT_BLOCK_WIDE));
        offer(survey, of_class(plant, HX_PLANT_BLOCK_NARROW));
    }
    if (die->depth < MOST_DEPTH && survey->movable[die->depth].parent == die->parent->position &&
        survey->movable[die->depth].position) {
        plant.at = survey->movable[die->depth].position;
        plant.variable = survey->movable[die->depth].variable;
        plant.other = die->position;
        offer(survey, of_class(plant, HX_PLANT_VARIABLE_IN));
    }
    return NULL;
}

static struct rt_error *survey_function(struct survey *survey, struct rt_dwarf_pass *pass,
                                        const struct rt_dwarf_die *die) {
    const struct rt_dwarf_range *ranges;
    struct rt_dwarf_attribute line;
    size_t count;
    bool found;
    struct rt_error *error = rt_dwarf_die_ranges(pass, die, &ranges, &count);
    if (error || count != 1)
        return error;
    struct function function = {die->position, ranges[0], NULL, 0};
    error = hx_plant_name(pass, die, survey->arena, &function.name);
    if (!error)
        error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_decl_line, &line, &found);
    if (error || !function.name)
        return error;
    function.line = found ? (uint32_t)line.number : 0;
    struct hx_plant plant = {.at = die->position,
                             .function = function.name,
                             .is_live = is_live(survey, function.range.low, function.range.high)};
    if (!(error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_frame_base, &line, &found)) && found &&
        line.class == RT_DWARF_CLASS_EXPRESSION) {
        if (is_held(line.bytes))
            offer(survey, of_class(plant, HX_PLANT_FRAME_LOCAL));
        offer(survey, of_class(plant, HX_PLANT_FRAME_OFF));
    }
    offer(survey, of_class(plant, HX_PLANT_FUNCTION_RANGE));
    if (survey->function_count) {
        const struct function *before = &survey->functions[survey->function_count - 1];
        plant.other = before->position;
        plant.partner = before->name;
        plant.is_live |= is_live(survey, before->range.low, before->range.high);
        offer(survey, of_class(plant, HX_PLANT_FUNCTIONS_SWAPPED));
    }
    if (survey->function_count == survey->function_capacity) {
        const size_t capacity = survey->function_capacity ? 2 * survey->function_capacity : 64;
        void *functions = realloc(survey->functions, capacity * sizeof *survey->functions);
        if (!functions)
            return rt_error_out_of_memory();
        survey->functions = functions;
        survey->function_capacity = capacity;
    }
    survey->functions[survey->function_count++] = function;
    return error;
}

static struct rt_error *survey_type(struct survey *survey, struct rt_dwarf_pass *pass,
                                    const struct rt_dwarf_die *die) {
    struct hx_plant plant = {.at = die->position, .is_live = true};
    struct rt_dwarf_attribute at = {0};
    bool found = false;
    struct rt_error *error = NULL;
    switch (die->tag) {
    case RT_DWARF_TAG_base_type:
        for (enum hx_plant_class class = HX_PLANT_TYPE_SIZE; class <= HX_PLANT_TYPE_ENCODING; class ++)
            offer(survey, of_class(plant, class));
        break;
    case TAG_MEMBER:
        error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_data_member_location, &at, &found);
        if (!error && found && at.class == RT_DWARF_CLASS_CONSTANT)
            offer(survey, of_class(plant, HX_PLANT_MEMBER_OFFSET));
        break;
    case TAG_SUBRANGE:
        error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_count, &at, &found);
        if (!error && !found)
            error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_upper_bound, &at, &found);
        if (!error && found && at.class == RT_DWARF_CLASS_CONSTANT)
            offer(survey, of_class(plant, HX_PLANT_ARRAY_BOUND));
        break;
    case TAG_ENUMERATOR: offer(survey, of_class(plant, HX_PLANT_ENUM_VALUE)); break;
    default: break;
    }
    return error;
}

static struct rt_error *plan(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                             enum rt_dwarf_fate *ret) {
    struct survey *survey = user;
    struct rt_error *error = NULL;
    (void)ret;
    switch (die->tag) {
    case RT_DWARF_TAG_variable:
    case RT_DWARF_TAG_formal_parameter: error = survey_variable(survey, pass, die); break;
    case RT_DWARF_TAG_lexical_block: error = survey_block(survey, pass, die); break;
    case RT_DWARF_TAG_subprogram: error = survey_function(survey, pass, die); break;
    case RT_DWARF_TAG_inlined_subroutine: {
        struct hx_plant plant = {.class = HX_PLANT_INLINED_LOST, .at = die->position};
        error = function_of(survey, pass, die, &plant.function);
        if (!error)
            error = function_of(survey, pass, die->parent, &plant.partner);
        if (!error)
            error = scope_is_live(survey, pass, die, &plant.is_live);
        offer(survey, plant);
        break;
    }
    default: error = survey_type(survey, pass, die);
    }
    return error ? error : survey->out_of_memory ? rt_error_out_of_memory() : NULL;
}

/* ---- Location lists ---- */

static struct rt_error *survey_entry(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                     unsigned name, const struct rt_dwarf_range *range,
                                     struct rt_dwarf_span expression) {
    struct survey *survey = user;
    struct hx_plant plant = {.at = die->position};
    const struct rt_dwarf_range *scope;
    size_t count;
    if (survey->list_die != die->position)
        survey->entry = 0;
    survey->list_die = die->position;
    if (!range || name != RT_DWARF_AT_location || !die->parent)
        return NULL;
    const uint32_t entry = survey->entry++;
    struct rt_error *error = hx_plant_name(pass, die, survey->arena, &plant.variable);
    if (!error)
        error = function_of(survey, pass, die->parent, &plant.function);
    if (!error)
        error = rt_dwarf_scope_ranges(pass, die, &scope, &count);
    if (error)
        return error;
    plant.index = 2 * entry;
    plant.is_live = is_live(survey, range->low, range->low + 1);
    offer(survey, of_class(plant, HX_PLANT_LIST_OFF_BY_ONE));
    plant.is_live = is_live(survey, range->low, range->high);
    offer(survey, of_class(plant, HX_PLANT_LIST_BASE));
    if (is_held(expression)) {
        offer(survey, of_class(plant, HX_PLANT_LOCAL_INDEX));
        if (hx_plant_is_register(expression.bytes[0]) ||
            expression.bytes[expression.size - 1] == RT_DWARF_OP_stack_value)
            offer(survey, of_class(plant, HX_PLANT_VALUE_ADDRESS));
    }
    plant.is_live = is_live(survey, range->low + (range->high - range->low) / 2, range->high);
    offer(survey, of_class(plant, HX_PLANT_LIST_CUT));
    plant.index = 2 * entry + 1;
    plant.is_live = is_live(survey, range->high, range->high + 1);
    offer(survey, of_class(plant, HX_PLANT_LIST_OFF_BY_ONE));
    for (size_t i = 0; i < count; i++)
        if (scope[i].low <= range->low && range->high < scope[i].high) {
            plant.index = 2 * entry;
            plant.other = scope[i].high;
            plant.is_live = is_live(survey, range->high, scope[i].high);
            offer(survey, of_class(plant, HX_PLANT_LIST_EXTENDED));
        }
    return survey->out_of_memory ? rt_error_out_of_memory() : NULL;
}

/* ---- Line rows ---- */

static const struct function *function_at(const struct survey *survey, uint64_t address) {
    for (size_t i = 0; i < survey->function_count; i++)
        if (address >= survey->functions[i].range.low && address < survey->functions[i].range.high)
            return &survey->functions[i];
    return NULL;
}

/* A row behind the next one, in the middle of another line, that the copy of row `from` can follow; 0: none.
 */
static uint32_t place_for_copy(const struct rt_dwarf_row *rows, size_t count, size_t from) {
    for (size_t i = from + 2; i + 1 < count; i++)
        if (rows[i].line == rows[i - 1].line && rows[i].line != rows[from].line &&
            rows[i].address > rows[i - 1].address && rows[i].address < rows[i + 1].address)
            return (uint32_t)i;
    return 0;
}

static void survey_row(struct survey *survey, const struct rt_dwarf_row *rows, size_t count, size_t i,
                       const struct function *function) {
    const struct rt_dwarf_row *row = &rows[i];
    const bool starts = i == 0 || rows[i - 1].line != row->line;
    struct hx_plant plant = {.at = survey->sequence,
                             .index = (uint32_t)i,
                             .function = function->name,
                             .lines = {row->line, i > 0 ? rows[i - 1].line : 0},
                             .code = {row->address, rows[i + 1].address},
                             .is_live = is_live(survey, row->address, row->address + 1)};
    if (row->prologue_end)
        offer(survey, of_class(plant, HX_PLANT_PROLOGUE_END));
    if (!starts || row->line == 0)
        return;
    offer(survey, of_class(plant, HX_PLANT_ROW_STATEMENT));
    if (!row->is_stmt)
        return;
    offer(survey, of_class(plant, HX_PLANT_ROW_LOST));
    plant.lines[1] = row->line + 1;
    offer(survey, of_class(plant, HX_PLANT_ROW_NEXT_LINE));
    const struct function *other = &survey->functions[(i + survey->sequence) % survey->function_count];
    if (other != function && other->line) {
        plant.lines[1] = other->line;
        plant.partner = other->name;
        offer(survey, of_class(plant, HX_PLANT_ROW_OTHER_FUNCTION));
        plant.partner = NULL;
    }
    const uint32_t copy = place_for_copy(rows, count, i);
    if (copy) {
        plant.other = copy;
        plant.lines[1] = rows[copy].line;
        plant.code = (struct rt_dwarf_range){rows[copy].address, rows[copy + 1].address};
        plant.is_live = is_live(survey, rows[copy].address, rows[copy].address + 1);
        offer(survey, of_class(plant, HX_PLANT_ROW_DOUBLED));
    }
}

/* This sequence at the addresses of the one before it, which is another function's. */
static void offer_moved(struct survey *survey, const struct rt_dwarf_row *rows, size_t count,
                        const struct function *function) {
    const struct function *other = survey->last_function;
    if (other && other != function)
        offer(survey,
              (struct hx_plant){.class = HX_PLANT_SEQUENCE_MOVED,
                                .at = survey->sequence,
                                .index = survey->last_count,
                                .addresses = survey->last_addresses,
                                .function = function->name,
                                .partner = other->name,
                                .is_live = is_live(survey, function->range.low, function->range.high)});
    uint64_t *addresses = rt_arena_array(survey->arena, count, sizeof *addresses);
    survey->out_of_memory |= !addresses;
    for (size_t i = 0; addresses && i < count; i++)
        addresses[i] = rows[i].address;
    survey->last_function = function;
    survey->last_addresses = addresses;
    survey->last_count = (uint32_t)count;
}

static struct rt_error *survey_sequence(void *user, struct rt_dwarf_pass *pass,
                                        const struct rt_dwarf_unit *unit, const struct rt_dwarf_row *rows,
                                        size_t count) {
    struct survey *survey = user;
    (void)pass, (void)unit;
    const struct function *function = function_at(survey, rows[0].address);
    for (size_t i = 0; function && i + 1 < count; i++)
        survey_row(survey, rows, count, i, function);
    if (function && count > 4) {
        struct hx_plant plant = {.at = survey->sequence,
                                 .index = (uint32_t)(count / 2),
                                 .function = function->name,
                                 .is_live =
                                     is_live(survey, rows[count / 2].address, rows[count - 1].address)};
        offer(survey, of_class(plant, HX_PLANT_SEQUENCE_SHORT));
        offer_moved(survey, rows, count, function);
    }
    survey->sequence++;
    return survey->out_of_memory ? rt_error_out_of_memory() : NULL;
}

/* ---- The survey ---- */

static struct rt_error *survey_abbreviations(struct survey *survey, struct rt_dwarf_span section) {
    bool is_end = false;
    for (uint32_t i = 0; !is_end; i++) {
        size_t at;
        uint8_t byte;
        struct rt_error *error = hx_plant_abbreviation(section, i, &at, &byte, &is_end);
        if (error)
            return error;
        if (at)
            offer(survey, (struct hx_plant){.class = HX_PLANT_ABBREVIATION, .index = i, .is_live = true});
    }
    return NULL;
}

struct rt_error *hx_plant_survey(const struct hx_dwarf_file *base, const struct hx_live *live,
                                 struct rt_arena *arena, struct hx_plants *ret) {
    struct survey survey = {.arena = arena, .live = live};
    const struct rt_dwarf_visitor visitor = {
        .user = &survey, .plan = plan, .location = survey_entry, .sequence = survey_sequence};
    struct rt_dwarf_output *output = NULL;
    struct rt_error *error = rt_dwarf_transform(&base->sections, &visitor, NULL, &output);
    if (!error)
        error = survey_abbreviations(&survey, base->sections.at[RT_DWARF_ABBREV]);
    if (!error && survey.out_of_memory)
        error = rt_error_out_of_memory();
    rt_dwarf_output_destroy(output);
    free(survey.functions);
    *ret = survey.plants;
    return error;
}
