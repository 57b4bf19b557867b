/* Locations of compiled code: an expression of the input becomes one expression for each range of machine
 * code in which all that it needs is in one place. Where one of them is in none, it is optimised out. */
#include "runtime/jit/native.h"

/* An expression that is being placed. */
struct placing {
    struct rt_native *native;
    struct rt_dwarf_pass *pass;
    const struct rt_native_expression *expression;
    const struct rt_placed_range *found[RT_NATIVE_MOST_NEEDS]; /* for each need, in one function */
    size_t counts[RT_NATIVE_MOST_NEEDS];
    const struct rt_machine_place *places[RT_NATIVE_MOST_NEEDS];
    bool is_put, is_refused; /* in one of its ranges */
    const char *reason;      /* for which it is nowhere */
};

/* What cannot be translated for these places can be for others. */
static struct rt_error *put(struct placing *placing, const struct rt_machine_range *range) {
    const char *reason;
    struct rt_error *error = rt_native_expression_put(placing->native, placing->pass, placing->expression,
                                                      placing->places, &reason);
    if (error || reason)
        rt_dwarf_cancel_expression(placing->pass);
    if (!error && reason) {
        rt_dwarf_count(placing->pass, reason);
        placing->is_refused = true;
    }
    if (error || reason)
        return error;
    if (range) {
        const struct rt_dwarf_range output = {range->low, range->high};
        rt_dwarf_put_location(placing->pass, &output);
    } else {
        rt_dwarf_put_location(placing->pass, NULL);
    }
    placing->is_put = true;
    return NULL;
}

/* Where the needs from `index` on are each in one place, within a range. */
static struct rt_error *intersect(struct placing *placing, unsigned index, struct rt_machine_range range) {
    struct rt_error *error = NULL;
    if (index == placing->expression->need_count)
        return put(placing, &range);
    for (size_t i = 0; !error && !placing->reason && i < placing->counts[index]; i++) {
        const struct rt_placed_range *found = &placing->found[index][i];
        const struct rt_machine_range both = {found->range.low > range.low ? found->range.low : range.low,
                                              found->range.high < range.high ? found->range.high
                                                                             : range.high};
        placing->places[index] = &found->place;
        if (both.low < both.high)
            error = intersect(placing, index + 1, both);
    }
    return error;
}

static struct rt_error *find_need(struct placing *placing, unsigned index,
                                  const struct rt_native_part *part) {
    const struct rt_code_map *map = placing->native->map;
    struct rt_arena *arena = &placing->native->arena;
    const struct rt_native_need *need = &placing->expression->needs[index];
    const struct rt_placed_range **ret = &placing->found[index];
    size_t *count = &placing->counts[index];
    *count = 0;
    switch (need->kind) {
    case RT_NATIVE_LOCAL:
        if (need->index >= rt_module_local_count(placing->native->module, part->function)) {
            placing->reason = "optimised out: a local that the function does not have";
            return NULL;
        }
        return rt_code_map_local(map, part->function, need->index, part->low, part->high, arena, ret, count);
    case RT_NATIVE_OPERAND:
        return rt_code_map_operand(map, part->function, need->index, part->low, part->high, arena, ret,
                                   count);
    case RT_NATIVE_INSTANCE:
        return rt_code_map_instance(map, part->function, part->low, part->high, arena, ret, count);
    }
    return NULL;
}

/* In the code of one range of Wasm pcs. */
static struct rt_error *put_in_range(struct placing *placing, uint64_t low, uint64_t high) {
    const unsigned needs = placing->expression->need_count;
    struct rt_native_part part;
    struct rt_error *error = NULL;
    while (!error && !placing->reason && rt_native_next_part(placing->native, low, high, &part)) {
        const struct rt_machine_range *ranges;
        size_t count = 0;
        if (needs == 0)
            error = rt_code_map_ranges(placing->native->map, part.function, part.low, part.high,
                                       &placing->native->arena, &ranges, &count);
        for (size_t i = 0; !error && !placing->reason && i < count; i++)
            error = put(placing, &ranges[i]);
        for (unsigned i = 0; !error && !placing->reason && i < needs; i++)
            error = find_need(placing, i, &part);
        if (needs && !error && !placing->reason)
            error = intersect(placing, 0, (struct rt_machine_range){0, UINTPTR_MAX});
        low = part.high;
    }
    return error;
}

/* An object of a block has its place in all of the function: what it is made of is there as well, and a
 * debugger may want to see it before or behind. */
static struct rt_error *put_in_scope(struct placing *placing) {
    const struct rt_dwarf_range *ranges;
    const struct rt_dwarf_die *scope = placing->expression->die;
    size_t count;
    if (scope->parent && scope->parent->tag == RT_DWARF_TAG_lexical_block)
        scope = scope->parent;
    while (scope->parent && scope->tag == RT_DWARF_TAG_lexical_block)
        scope = scope->parent;
    struct rt_error *error = rt_dwarf_scope_ranges(placing->pass, scope, &ranges, &count);
    struct rt_dwarf_range *kept =
        error ? NULL : rt_arena_array(&placing->native->arena, count + 1, sizeof *kept);
    if (!kept)
        return error ? error : rt_error_out_of_memory();
    for (size_t i = 0; i < count; i++)
        kept[i] = ranges[i];
    for (size_t i = 0; !error && !placing->reason && i < count; i++)
        error = put_in_range(placing, kept[i].low, kept[i].high);
    return error;
}

/* The function of a DIE: false when it is in one that has no code. Its frame base stays empty when it has
 * none that is one expression. */
static struct rt_error *find_function(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                      struct rt_dwarf_span *ret_frame_base, bool *ret) {
    struct rt_dwarf_attribute at;
    const struct rt_dwarf_range *ranges;
    size_t count;
    bool found;
    *ret = true;
    for (; die; die = die->parent) {
        if (die->tag != RT_DWARF_TAG_subprogram)
            continue;
        struct rt_error *error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_frame_base, &at, &found);
        if (!error && found && at.class == RT_DWARF_CLASS_EXPRESSION)
            *ret_frame_base = at.bytes;
        if (!error)
            error = rt_dwarf_die_ranges(pass, die, &ranges, &count);
        *ret = !error && count > 0;
        return error;
    }
    return NULL;
}

/* An offset in an object, which has no addresses in it. */
static struct rt_error *put_offset(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                   struct rt_dwarf_span bytes, const char **ret_reason) {
    struct rt_cursor cursor = rt_cursor_make(bytes.bytes, bytes.size, 0);
    while (rt_cursor_left(&cursor)) {
        struct rt_dwarf_operation op;
        struct rt_error *error = rt_dwarf_operation_read(pass, die->unit, &cursor, &op);
        if (error)
            return error;
        if (op.code != RT_DWARF_OP_plus_uconst) {
            *ret_reason = "optimised out: a member whose place is computed";
            return NULL;
        }
    }
    struct rt_error *error = rt_dwarf_put_expression(pass, die->unit, bytes, ret_reason);
    if (!error && !*ret_reason)
        rt_dwarf_put_location(pass, NULL);
    return error;
}

/* An operation that is not known is no error of the input's: its expression is optimised out. */
static struct rt_error *forgive(struct rt_error *error, const char **reason) {
    if (!error || error->code != RT_UNSUPPORTED)
        return error;
    rt_error_destroy(error);
    *reason = "optimised out: an unknown operation";
    return NULL;
}

/* An object that the linker left out stays one: it has an address that none has, as in the input. */
static struct rt_error *put_left_out(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                     struct rt_dwarf_span bytes) {
    static const struct rt_dwarf_operation place[] = {
        {.code = RT_DWARF_OP_addr, .operands = {UINT64_MAX}},
        {.code = RT_DWARF_OP_lit0},
        {.code = RT_DWARF_OP_or},
    };
    struct rt_cursor cursor = rt_cursor_make(bytes.bytes, bytes.size, 0);
    struct rt_dwarf_operation operation;
    if (bytes.bytes[0] != RT_DWARF_OP_addr)
        return NULL;
    struct rt_error *error = rt_dwarf_operation_read(pass, die->unit, &cursor, &operation);
    if (error || rt_cursor_left(&cursor) || !rt_dwarf_module_is_dead(NULL, operation.operands[0]))
        return error;
    for (size_t i = 0; i < sizeof place / sizeof *place; i++)
        rt_dwarf_put_operation(pass, &place[i]);
    return NULL;
}

struct rt_error *rt_native_location(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                    unsigned name, const struct rt_dwarf_range *range,
                                    struct rt_dwarf_span bytes) {
    struct rt_native *native = user;
    struct rt_native_expression expression = {
        .die = die, .bytes = bytes, .is_value = name != RT_DWARF_AT_location};
    struct placing placing = {.native = native, .pass = pass, .expression = &expression};
    bool has_code = true;
    struct rt_error *error = NULL;
    if (bytes.size == 0)
        return NULL;
    if (name == RT_DWARF_AT_data_member_location) {
        error = put_offset(pass, die, bytes, &placing.reason);
    } else {
        error = find_function(pass, die, &expression.frame_base, &has_code);
        if (!error && name == RT_DWARF_AT_location)
            error = rt_native_type_of(pass, die, &expression.type);
        if (!error && has_code)
            error = rt_native_expression_needs(native, pass, &expression, &placing.reason);
        if (!error && !placing.reason && has_code) {
            if (range)
                error = put_in_range(&placing, range->low, range->high);
            else if (expression.need_count == 0)
                error = put(&placing, NULL);
            else
                error = put_in_scope(&placing);
            if (!placing.is_put && !placing.is_refused && !placing.reason)
                placing.reason = "optimised out: no machine code in which all that it needs is there";
        }
        if (!has_code)
            placing.reason = "optimised out: in a function that has no code";
    }
    error = forgive(error, &placing.reason);
    if (placing.reason)
        rt_dwarf_count(pass, placing.reason);
    /* An empty description (section 2.6.1.1.4): with none at all a global variable would be elsewhere. */
    if ((placing.reason || placing.is_refused) && !placing.is_put && !range && name == RT_DWARF_AT_location &&
        !error) {
        error = put_left_out(pass, die, bytes);
        if (!error)
            rt_dwarf_put_location(pass, NULL);
    }
    rt_arena_clear(&native->arena);
    return error;
}
