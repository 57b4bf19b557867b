/* Functions, scopes and variables: one walk over a unit's tree of DIEs.
 *
 * Scopes are built from the inside out: while a scope is being read, its variables and finished children lie
 * on top of the reader's two stacks, and when it ends they move to the arena. */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "stepper/debug.h"
#include "stepper/expression.h"

/* DIEs nested deeper than this are no compiler's. */
#define MAX_DEPTH 256
/* Functions with more variables than this inherit none from their abstract instance. */
#define MAX_ORIGINS 4096

/* ---- The walk ---- */

/* Where a list of siblings goes on: libdw finds a DIE's sibling by stepping over all that is between, which
 * would visit the innermost DIEs once a level. Whoever has walked a DIE's children knows where they end. */
static struct rt_error *next_sibling(const struct st_reader *reader, Dwarf_Die *die, const uint8_t *after,
                                     bool *more, const uint8_t **ret_after) {
    const uint8_t *end = reader->debug->sections[ST_SECTION_INFO].bytes + reader->unit->end;
    *more = false;
    if (!after) {
        Dwarf_Die sibling;
        int result = dwarf_siblingof(die, &sibling);
        if (result < 0)
            return st_reader_broken_die(reader, die);
        *more = result == 0;
        /* The last one: libdw tells where the null entry is that ends the list. */
        after = !sibling.addr ? end : *more ? sibling.addr : (const uint8_t *)sibling.addr + 1;
    } else if (after < end && *after == 0) {
        after++; /* the end of the list */
    } else {
        *more = after < end;
    }
    if (after <= (const uint8_t *)die->addr || after > end)
        return rt_error_format(RT_MALFORMED, "%s: DIE at .debug_info+0x%llx: its sibling is out of place",
                               reader->debug->label, (unsigned long long)dwarf_dieoffset(die));
    if (*more)
        *die = (Dwarf_Die){.addr = (void *)after, .cu = reader->unit->cu};
    else
        *ret_after = after;
    return NULL;
}

struct walk {
    struct st_reader *reader;
    struct st_attributes attributes; /* of the DIE being visited */
    struct st_list origins;          /* uint64_t: DIEs that this function's variables are instances of */
    unsigned depth;
};

/* Visits one child of a unit, namespace, function or block. One that visits the DIE's children sets *after to
 * where they end. */
typedef struct rt_error *(*visitor)(struct walk *walk, Dwarf_Die *die, int tag, const uint8_t **after);

static struct rt_error *for_children(struct walk *walk, Dwarf_Die *parent, visitor visit,
                                     const uint8_t **ret_after) {
    struct st_reader *reader = walk->reader;
    Dwarf_Die die;
    int result = dwarf_child(parent, &die);
    if (result < 0)
        return st_reader_broken_die(reader, parent);
    if (result > 0)
        return NULL; /* the caller steps over a DIE without children */
    if (++walk->depth > MAX_DEPTH)
        return rt_error_format(RT_MALFORMED, "%s: DIE at .debug_info+0x%llx: nested deeper than %d",
                               reader->debug->label, (unsigned long long)dwarf_dieoffset(&die), MAX_DEPTH);
    for (bool more = true; more;) {
        const uint8_t *after = NULL;
        struct rt_error *error = visit(walk, &die, dwarf_tag(&die), &after);
        if (!error)
            error = next_sibling(reader, &die, after, &more, ret_after);
        if (error)
            return error;
    }
    walk->depth--;
    return NULL;
}

/* ---- Ranges ---- */

static struct rt_error *add_range(const struct st_reader *reader, struct st_list *ranges, uint64_t low,
                                  uint64_t high) {
    if (low >= high || !st_debug_is_code(reader->debug, low))
        return NULL;
    struct st_range *range = st_list_push(ranges, sizeof *range);
    if (!range)
        return rt_error_out_of_memory();
    *range = (struct st_range){low, high};
    return NULL;
}

/* A scope's pcs (DWARF 5, section 2.17); none for an abstract instance, dropped code, or ranges that cannot
 * be read: such a scope is left out. */
static struct rt_error *read_ranges(struct walk *walk, Dwarf_Die *die, struct st_scope *scope) {
    struct st_reader *reader = walk->reader;
    struct st_attributes *attributes = &walk->attributes;
    struct st_list ranges = {.items = NULL};
    struct rt_error *error = NULL;
    Dwarf_Addr low, high, base;
    if (st_has(attributes, ST_AT_RANGES)) {
        for (ptrdiff_t next = 0; !error && (next = dwarf_ranges(die, next, &base, &low, &high)) > 0;)
            error = add_range(reader, &ranges, low, high);
    } else if (st_has(attributes, ST_AT_LOW_PC) && st_has(attributes, ST_AT_HIGH_PC) &&
               dwarf_formaddr(&attributes->at[ST_AT_LOW_PC], &low) == 0) {
        Dwarf_Attribute *at = &attributes->at[ST_AT_HIGH_PC];
        if (dwarf_formaddr(at, &high) != 0) /* a constant counts from low_pc */
            high = low + st_attribute_number(attributes, ST_AT_HIGH_PC);
        error = add_range(reader, &ranges, low, high);
    }
    if (!error && ranges.count) {
        scope->ranges = (struct st_range *)rt_arena_copy(reader->arena, ranges.items,
                                                         ranges.count * sizeof *scope->ranges);
        scope->range_count = ranges.count;
        if (!scope->ranges)
            error = st_reader_no_memory(reader);
    }
    st_list_clear(&ranges);
    return error;
}

/* ---- Variables ---- */

/* Whether a location is one address that never changes, and which. */
static bool is_fixed(const struct st_location *location, uint64_t *ret) {
    if (location->kind != ST_LOCATION_EXPRESSIONS || location->count != 1 ||
        location->expressions->range.high != UINT64_MAX)
        return false;
    const struct st_expression *expression = location->expressions;
    const struct st_unit *unit = expression->unit;
    struct rt_cursor cursor = rt_cursor_make(expression->bytes, expression->size, 0);
    uint8_t opcode;
    uint64_t number = 0;
    struct rt_error *error = rt_cursor_u8(&cursor, "operation", &opcode);
    bool fixed = !error;
    if (fixed && opcode == DW_OP_addr) {
        error = st_unit_read_address(unit, &cursor, ret);
    } else if (fixed && (opcode == DW_OP_addrx || opcode == DW_OP_GNU_addr_index)) {
        error = rt_cursor_uleb(&cursor, 64, "index", &number);
        if (!error)
            error = st_unit_address(unit, number, ret);
    } else {
        fixed = false;
    }
    /* What of an address makes another that is as fixed. */
    while (fixed && !error && rt_cursor_left(&cursor)) {
        if (*cursor.next == DW_OP_plus_uconst) {
            cursor.next++;
            error = rt_cursor_uleb(&cursor, 64, "offset", &number);
        } else if (rt_cursor_left(&cursor) >= 2 && cursor.next[0] == DW_OP_lit0 &&
                   cursor.next[1] == DW_OP_or) {
            cursor.next += 2;
        } else {
            break;
        }
    }
    fixed = fixed && !error && rt_cursor_left(&cursor) == 0;
    rt_error_destroy(error);
    return fixed;
}

/* Whether a location makes a pointer of a smaller one at an address that never changes: constants, that are
 * added, lead to it, and what is read there is counted from a constant unless it is null. */
static bool is_fixed_pointer(const struct st_location *location) {
    static const uint8_t made[] = {DW_OP_deref_size, DW_OP_dup, DW_OP_lit0, DW_OP_ne,
                                   DW_OP_constu,     DW_OP_mul, DW_OP_plus, DW_OP_stack_value};
    if (location->kind != ST_LOCATION_EXPRESSIONS || location->count != 1 ||
        location->expressions->range.high != UINT64_MAX)
        return false;
    const struct st_expression *expression = location->expressions;
    struct rt_cursor cursor = rt_cursor_make(expression->bytes, expression->size, 0);
    size_t matched = 0;
    bool is_fixed = true;
    while (is_fixed && matched < sizeof made && rt_cursor_left(&cursor)) {
        struct st_operation operation;
        struct rt_error *error = st_operation_read(expression->unit, &cursor, &operation);
        const uint8_t code = error ? DW_OP_lo_user : operation.code;
        rt_error_destroy(error);
        if (matched || code == DW_OP_deref_size)
            is_fixed = code == made[matched++];
        else
            is_fixed = code == DW_OP_addr || code == DW_OP_constu || code == DW_OP_plus ||
                       (code >= DW_OP_lit0 && code <= DW_OP_lit31);
    }
    return is_fixed && matched == sizeof made && !rt_cursor_left(&cursor);
}

static struct rt_error *read_variable(struct walk *walk, Dwarf_Die *die, int tag, struct st_list *to) {
    struct st_reader *reader = walk->reader;
    struct st_attributes *attributes = &walk->attributes;
    struct rt_error *error = st_attributes_read(reader, die, attributes);
    if (error)
        return error;
    if (st_has(attributes, ST_AT_DECLARATION) && !st_has(attributes, ST_AT_LOCATION))
        return NULL;
    Dwarf_Die origin;
    if (st_has(attributes, ST_AT_ABSTRACT_ORIGIN) &&
        dwarf_formref_die(&attributes->at[ST_AT_ABSTRACT_ORIGIN], &origin)) {
        uint64_t *offset = st_list_push(&walk->origins, sizeof *offset);
        if (!offset)
            return rt_error_out_of_memory();
        *offset = dwarf_dieoffset(&origin);
    }
    error = st_attributes_integrate(reader, attributes);
    struct st_variable variable = {.die = dwarf_dieoffset(die),
                                   .is_parameter = tag == DW_TAG_formal_parameter};
    if (!error)
        error = st_attribute_location(reader, attributes, ST_AT_LOCATION, &variable.location);
    if (error)
        return error;
    uint64_t address;
    if (is_fixed(&variable.location, &address)) {
        uint64_t mask = st_unit_address_mask(variable.location.expressions->unit);
        variable.is_static = address != 0 && address < mask - 1;
        variable.is_dropped = !variable.is_static;
        if (variable.is_dropped)
            variable.location = (struct st_location){.kind = ST_LOCATION_NONE};
    }
    if (to == &reader->globals && variable.location.kind == ST_LOCATION_NONE && !variable.is_dropped)
        return NULL;
    const char *name = st_attribute_string(attributes, ST_AT_NAME);
    variable.name = name ? name : "";
    variable.file = st_attribute_file(reader, attributes, ST_AT_DECL_FILE);
    variable.line = (uint32_t)st_attribute_number(attributes, ST_AT_DECL_LINE);
    variable.is_artificial = st_attribute_flag(attributes, ST_AT_ARTIFICIAL);
    variable.is_external = st_attribute_flag(attributes, ST_AT_EXTERNAL);
    if (st_has(attributes, ST_AT_TYPE)) {
        Dwarf_Die type;
        if (!dwarf_formref_die(&attributes->at[ST_AT_TYPE], &type))
            return st_reader_broken_die(reader, die);
        error = st_type_of(reader, &type, &variable.type);
        if (error)
            return error;
    }
    variable.is_static |= is_fixed_pointer(&variable.location);
    struct st_variable *place = st_list_push(to, sizeof *place);
    if (!place)
        return rt_error_out_of_memory();
    *place = variable;
    return NULL;
}

/* ---- Scopes ---- */

static struct rt_error *visit_in_scope(struct walk *walk, Dwarf_Die *die, int tag, const uint8_t **after);

/* Moves what lies above `base` on a stack to the arena. */
static struct rt_error *take(const struct st_reader *reader, struct st_list *stack, size_t base,
                             size_t item_size, const void **ret, size_t *ret_count) {
    size_t count = stack->count - base;
    *ret_count = count;
    if (count == 0)
        return NULL;
    *ret = rt_arena_copy(reader->arena, (const char *)stack->items + base * item_size, count * item_size);
    stack->count = base;
    return *ret ? NULL : st_reader_no_memory(reader);
}

/* Parameters before variables, otherwise in the order they have. */
static void put_parameters_first(struct st_variable *variables, size_t count) {
    size_t parameters = 0;
    while (parameters < count && variables[parameters].is_parameter)
        parameters++;
    for (size_t i = parameters; i < count; i++) {
        if (!variables[i].is_parameter)
            continue;
        struct st_variable parameter = variables[i];
        memmove(variables + parameters + 1, variables + parameters, (i - parameters) * sizeof *variables);
        variables[parameters++] = parameter;
    }
}

/* What the abstract instance has and this one does not mention: static variables, of which there is one for
 * all instances, and variables that were optimized out. */
static struct rt_error *inherit(struct walk *walk, const Dwarf_Die *abstract, size_t first_origin) {
    struct st_reader *reader = walk->reader;
    Dwarf_Die die = *abstract;
    if (walk->origins.count - first_origin > MAX_ORIGINS)
        return NULL;
    for (int result = dwarf_child(&die, &die); result == 0;) {
        const uint64_t *origins = walk->origins.items;
        int tag = dwarf_tag(&die);
        bool is_new = tag == DW_TAG_variable || tag == DW_TAG_formal_parameter;
        for (size_t i = first_origin; is_new && i < walk->origins.count; i++)
            is_new = origins[i] != dwarf_dieoffset(&die);
        struct rt_error *error = is_new ? read_variable(walk, &die, tag, &reader->variables) : NULL;
        if (error)
            return error;
        uintptr_t address = (uintptr_t)die.addr;
        result = dwarf_siblingof(&die, &die);
        if (result < 0 || (result == 0 && (uintptr_t)die.addr <= address))
            return st_reader_broken_die(reader, &die);
    }
    return NULL;
}

/* Fills in a scope whose ranges are known; `abstract` is the DIE that it is an instance of, or NULL. */
static struct rt_error *read_scope(struct walk *walk, Dwarf_Die *die, const Dwarf_Die *abstract,
                                   struct st_scope *scope, const uint8_t **after) {
    struct st_reader *reader = walk->reader;
    size_t variables = reader->variables.count, scopes = reader->scopes.count;
    size_t origins = walk->origins.count;
    const void *items = NULL;
    struct rt_error *error = for_children(walk, die, visit_in_scope, after);
    if (!error && abstract)
        error = inherit(walk, abstract, origins);
    if (!error)
        error = take(reader, &reader->variables, variables, sizeof *scope->variables, &items,
                     &scope->variable_count);
    scope->variables = items;
    items = NULL;
    put_parameters_first((struct st_variable *)scope->variables, scope->variable_count);
    if (!error)
        error = take(reader, &reader->scopes, scopes, sizeof *scope->children, &items, &scope->child_count);
    scope->children = items;
    return error;
}

static Dwarf_Die *abstract_of(struct st_attributes *attributes, Dwarf_Die *ret) {
    return st_has(attributes, ST_AT_ABSTRACT_ORIGIN)
               ? dwarf_formref_die(&attributes->at[ST_AT_ABSTRACT_ORIGIN], ret)
               : NULL;
}

static struct rt_error *read_block(struct walk *walk, Dwarf_Die *die, int tag, const uint8_t **after) {
    struct st_reader *reader = walk->reader;
    struct st_attributes *attributes = &walk->attributes;
    struct st_scope scope = {.kind = ST_SCOPE_BLOCK, .die = dwarf_dieoffset(die)};
    struct rt_error *error = st_attributes_read(reader, die, attributes);
    /* Debuggers take a block without any pcs for no block at all: what is in it is around it. */
    if (!error && tag == DW_TAG_lexical_block && !st_has(attributes, ST_AT_RANGES) &&
        !st_has(attributes, ST_AT_LOW_PC))
        return for_children(walk, die, visit_in_scope, after);
    if (!error)
        error = read_ranges(walk, die, &scope);
    if (error || scope.range_count == 0)
        return error;
    Dwarf_Die origin, *abstract = abstract_of(attributes, &origin);
    if (tag == DW_TAG_inlined_subroutine) {
        error = st_attributes_integrate(reader, attributes);
        if (error)
            return error;
        const char *name = st_attribute_string(attributes, ST_AT_NAME);
        scope.kind = ST_SCOPE_INLINED;
        scope.inlined = name ? name : "";
        scope.call_file = st_attribute_file(reader, attributes, ST_AT_CALL_FILE);
        scope.call_line = (uint32_t)st_attribute_number(attributes, ST_AT_CALL_LINE);
    }
    error = read_scope(walk, die, abstract, &scope, after);
    if (error)
        return error;
    struct st_scope *place = st_list_push(&reader->scopes, sizeof *place);
    if (!place)
        return rt_error_out_of_memory();
    *place = scope;
    return NULL;
}

static struct rt_error *read_function(struct walk *walk, Dwarf_Die *die, const uint8_t **after) {
    struct st_reader *reader = walk->reader;
    struct st_attributes *attributes = &walk->attributes;
    struct st_function function = {.die = dwarf_dieoffset(die)};
    function.scope.die = function.die;
    struct rt_error *error = st_attributes_read(reader, die, attributes);
    if (!error)
        error = read_ranges(walk, die, &function.scope);
    if (error || function.scope.range_count == 0)
        return error;
    Dwarf_Die origin, *abstract = abstract_of(attributes, &origin);
    Dwarf_Addr entry;
    function.low = dwarf_entrypc(die, &entry) == 0 && st_debug_is_code(reader->debug, entry)
                       ? entry
                       : function.scope.ranges[0].low;
    error = st_attributes_integrate(reader, attributes);
    if (!error)
        error = st_attribute_location(reader, attributes, ST_AT_FRAME_BASE, &function.frame_base);
    if (error)
        return error;
    const char *name = st_attribute_string(attributes, ST_AT_NAME);
    function.name = name ? name : "";
    function.linkage_name = st_attribute_string(attributes, ST_AT_LINKAGE_NAME);
    function.file = st_attribute_file(reader, attributes, ST_AT_DECL_FILE);
    function.line = (uint32_t)st_attribute_number(attributes, ST_AT_DECL_LINE);
    function.is_external = st_attribute_flag(attributes, ST_AT_EXTERNAL);
    if (st_has(attributes, ST_AT_TYPE)) {
        Dwarf_Die type;
        if (!dwarf_formref_die(&attributes->at[ST_AT_TYPE], &type))
            return st_reader_broken_die(reader, die);
        error = st_type_of(reader, &type, &function.type);
        if (error)
            return error;
    }
    error = read_scope(walk, die, abstract, &function.scope, after);
    if (error)
        return error;
    if (walk->depth <= 1) /* not nested in another function */
        walk->origins.count = 0;
    struct st_function *place = st_list_push(&reader->functions, sizeof *place);
    if (!place)
        return rt_error_out_of_memory();
    *place = function;
    return NULL;
}

static struct rt_error *visit_in_scope(struct walk *walk, Dwarf_Die *die, int tag, const uint8_t **after) {
    switch (tag) {
    case DW_TAG_variable:
    case DW_TAG_formal_parameter: return read_variable(walk, die, tag, &walk->reader->variables);
    case DW_TAG_lexical_block:
    case DW_TAG_inlined_subroutine: return read_block(walk, die, tag, after);
    case DW_TAG_subprogram: return read_function(walk, die, after); /* GNU C's nested functions */
    case DW_TAG_invalid: return st_reader_broken_die(walk->reader, die);
    default: return NULL;
    }
}

static struct rt_error *visit_in_unit(struct walk *walk, Dwarf_Die *die, int tag, const uint8_t **after) {
    const struct st_type *type;
    switch (tag) {
    case DW_TAG_variable: return read_variable(walk, die, tag, &walk->reader->globals);
    case DW_TAG_subprogram: return read_function(walk, die, after);
    case DW_TAG_namespace:
    case DW_TAG_module: return for_children(walk, die, visit_in_unit, after);
    case DW_TAG_base_type: return st_type_of(walk->reader, die, &type); /* for typed operations */
    case DW_TAG_invalid: return st_reader_broken_die(walk->reader, die);
    default: return NULL;
    }
}

/* ---- Units ---- */

struct rt_error *st_unit_open(struct st_reader *reader, Dwarf_Die *die) {
    struct st_unit *unit = reader->unit;
    struct st_attributes attributes;
    struct rt_error *error = st_attributes_read(reader, die, &attributes);
    if (error)
        return error;
    if (st_has(&attributes, ST_AT_DWO_NAME)) {
        const char *name = st_attribute_string(&attributes, ST_AT_DWO_NAME);
        return rt_error_format(RT_UNSUPPORTED,
                               "%s: unit at .debug_info+0x%llx: not supported: split DWARF (in %s); compile "
                               "without -gsplit-dwarf",
                               reader->debug->label, (unsigned long long)unit->offset,
                               rt_printable(name ? name : "?").text);
    }
    const char *directory = st_attribute_string(&attributes, ST_AT_COMP_DIR);
    unit->directory = directory ? directory : "";
    /* What the attributes leave out is right after the header of the first table (DWARF 5, section 7.27). */
    unit->address_base = unit->offset_size == 8 ? 16 : 8;
    unit->location_base = unit->offset_size == 8 ? 20 : 12;
    if (st_has(&attributes, ST_AT_ADDR_BASE))
        error = st_attribute_offset(reader, &attributes, ST_AT_ADDR_BASE, &unit->address_base);
    if (!error && st_has(&attributes, ST_AT_LOCLISTS_BASE))
        error = st_attribute_offset(reader, &attributes, ST_AT_LOCLISTS_BASE, &unit->location_base);
    Dwarf_Addr low;
    if (!error && st_has(&attributes, ST_AT_LOW_PC) &&
        dwarf_formaddr(&attributes.at[ST_AT_LOW_PC], &low) == 0)
        unit->low = low;
    uint64_t lines;
    if (!error && st_has(&attributes, ST_AT_STMT_LIST)) {
        error = st_attribute_offset(reader, &attributes, ST_AT_STMT_LIST, &lines);
        if (!error)
            error = st_lines_read(reader, lines);
    }
    return error;
}

struct rt_error *st_unit_read(struct st_reader *reader, Dwarf_Die *die) {
    struct walk walk = {.reader = reader};
    const uint8_t *after;
    int tag = dwarf_tag(die);
    if (tag != DW_TAG_compile_unit && tag != DW_TAG_partial_unit)
        return NULL;
    struct rt_error *error = for_children(&walk, die, visit_in_unit, &after);
    st_list_clear(&walk.origins);
    return error;
}

/* ---- Order ---- */

/* Gives a constant that is a number its object's size. */
static void settle_variables(const struct st_variable *variables, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct st_location *location = (struct st_location *)&variables[i].location;
        if (location->kind != ST_LOCATION_CONSTANT || location->constant_size != 0)
            continue;
        uint64_t size = variables[i].type ? variables[i].type->size : 0;
        location->constant_size = size && size <= 16 ? (size_t)size : 8;
    }
}

static void settle_scope(struct st_scope *scope, const struct st_function *function) {
    scope->function = function;
    settle_variables(scope->variables, scope->variable_count);
    for (size_t i = 0; i < scope->child_count; i++) {
        struct st_scope *child = (struct st_scope *)&scope->children[i];
        child->parent = scope;
        settle_scope(child, function);
    }
}

static int compare_functions(const void *a, const void *b) {
    const struct st_function *left = a, *right = b;
    if (left->low != right->low)
        return left->low < right->low ? -1 : 1;
    return left->die < right->die ? -1 : left->die > right->die;
}

struct rt_error *st_units_finish(struct st_reader *reader) {
    struct st_debug *debug = reader->debug;
    const void *functions = NULL, *globals = NULL;
    if (reader->functions.count)
        qsort(reader->functions.items, reader->functions.count, sizeof *debug->functions, compare_functions);
    struct rt_error *error =
        take(reader, &reader->functions, 0, sizeof *debug->functions, &functions, &debug->function_count);
    if (!error)
        error = take(reader, &reader->globals, 0, sizeof *debug->globals, &globals, &debug->global_count);
    if (error)
        return error;
    debug->functions = (struct st_function *)functions;
    debug->globals = (struct st_variable *)globals;
    settle_variables(debug->globals, debug->global_count);
    for (size_t i = 0; i < debug->function_count; i++) {
        debug->functions[i].index = i;
        settle_scope(&debug->functions[i].scope, &debug->functions[i]);
    }
    return NULL;
}
