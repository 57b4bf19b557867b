/* Locations of compiled code: an expression of the input becomes one expression for each range of machine
 * code in which all that it needs is in one place. Where one of them is in none, it is optimised out. */
#include "runtime/jit/native.h"

enum { MOST_KEPT = 4 };

/* What became of the expression in some places. */
struct answer {
    struct rt_machine_place places[RT_NATIVE_MOST_NEEDS];
    size_t location;    /* the first one that was put */
    const char *reason; /* why there is none, or NULL */
};

/* An expression that is being placed. */
struct placing {
    struct rt_native *native;
    struct rt_dwarf_pass *pass;
    const struct rt_native_expression *expression;
    const struct rt_native_found *found[RT_NATIVE_MOST_NEEDS]; /* for each need, in one part */
    const struct rt_machine_place *places[RT_NATIVE_MOST_NEEDS];
    struct answer answers[MOST_KEPT]; /* the same places come back from range to range */
    unsigned answer_count, oldest;
    bool is_put, is_refused; /* in one of its ranges */
    const char *reason;      /* for which it is nowhere */
};

/* Answers are not set before they are there: most expressions have one. */
static void begin(struct placing *placing, struct rt_native *native, struct rt_dwarf_pass *pass,
                  const struct rt_native_expression *expression) {
    placing->native = native;
    placing->pass = pass;
    placing->expression = expression;
    placing->answer_count = placing->oldest = 0;
    placing->is_put = placing->is_refused = false;
    placing->reason = NULL;
}

static const struct answer *find_answer(const struct placing *placing) {
    const unsigned needs = placing->expression->need_count;
    for (unsigned i = 0; i < placing->answer_count; i++) {
        const struct answer *answer = &placing->answers[i];
        unsigned same = 0;
        while (same < needs && rt_machine_place_equal(&answer->places[same], placing->places[same]))
            same++;
        if (same == needs)
            return answer;
    }
    return NULL;
}

static void keep_answer(struct placing *placing, size_t location, const char *reason) {
    struct answer *answer = &placing->answers[placing->oldest];
    for (unsigned i = 0; i < placing->expression->need_count; i++)
        answer->places[i] = *placing->places[i];
    answer->location = location;
    answer->reason = reason;
    placing->oldest = (placing->oldest + 1) % MOST_KEPT;
    if (placing->answer_count < MOST_KEPT)
        placing->answer_count++;
}

/* What cannot be translated for these places can be for others. */
static struct rt_error *put(struct placing *placing, const struct rt_machine_range *range) {
    struct rt_dwarf_range output = {0, 0};
    const struct answer *known = range ? find_answer(placing) : NULL;
    const char *reason = known ? known->reason : NULL;
    struct rt_error *error = NULL;
    if (range)
        output = (struct rt_dwarf_range){range->low, range->high};
    if (known && !reason) {
        rt_dwarf_repeat_location(placing->pass, &output, known->location);
        return NULL;
    }
    if (!known)
        error = rt_native_expression_put(placing->native, placing->pass, placing->expression, placing->places,
                                         &reason);
    if (error || reason)
        rt_dwarf_cancel_expression(placing->pass);
    if (error)
        return error;
    size_t location = 0;
    if (reason) {
        rt_dwarf_count(placing->pass, reason);
        placing->is_refused = true;
    } else {
        location = rt_dwarf_put_location(placing->pass, range ? &output : NULL);
        placing->is_put = true;
    }
    if (range && !known)
        keep_answer(placing, location, reason);
    return NULL;
}

/* Where the needs from `index` on are each in one place, within a range. */
static struct rt_error *intersect(struct placing *placing, unsigned index, struct rt_machine_range range) {
    struct rt_error *error = NULL;
    if (index == placing->expression->need_count)
        return put(placing, &range);
    const struct rt_native_found *found = placing->found[index];
    for (size_t i = 0; !error && i < found->count; i++) {
        const struct rt_machine_range *at = &found->ranges[i].range;
        const struct rt_machine_range both = {at->low > range.low ? at->low : range.low,
                                              at->high < range.high ? at->high : range.high};
        placing->places[index] = &found->ranges[i].place;
        if (both.low < both.high)
            error = intersect(placing, index + 1, both);
    }
    return error;
}

/* In one part, in which all needs have been looked for. */
static struct rt_error *put_in_part(struct placing *placing) {
    for (unsigned i = 0; i < placing->expression->need_count; i++) {
        placing->reason = placing->found[i]->reason;
        if (placing->reason)
            return NULL;
    }
    return intersect(placing, 0, (struct rt_machine_range){0, UINTPTR_MAX});
}

/* In the code of one range of Wasm pcs. */
static struct rt_error *put_in_range(struct placing *placing, uint64_t low, uint64_t high) {
    struct rt_native *native = placing->native;
    const unsigned needs = placing->expression->need_count;
    struct rt_native_found found[RT_NATIVE_MOST_NEEDS];
    struct rt_native_part part;
    struct rt_error *error = NULL;
    while (!error && !placing->reason && rt_native_next_part(native, low, high, &part)) {
        const struct rt_machine_range *ranges;
        size_t count = 0;
        if (needs == 0)
            error = rt_code_map_ranges(native->map, part.function, part.low, part.high, &native->arena,
                                       &ranges, &count);
        for (size_t i = 0; !error && i < count; i++)
            error = put(placing, &ranges[i]);
        for (unsigned i = 0; !error && i < needs; i++) {
            error = rt_native_find(native, &part, &placing->expression->needs[i], &native->arena, &found[i]);
            placing->found[i] = &found[i];
        }
        if (needs && !error)
            error = put_in_part(placing);
        low = part.high;
    }
    return error;
}

/* In all of the scope. */
static struct rt_error *put_in_scope(struct placing *placing) {
    const struct rt_native_expression *expression = placing->expression;
    const struct rt_native_found *found[RT_NATIVE_MOST_NEEDS];
    struct rt_native_scope *scope = NULL;
    struct rt_error *error = rt_native_scope_of(placing->native, placing->pass, expression->die, &scope);
    for (unsigned i = 0; !error && i < expression->need_count; i++)
        error = rt_native_scope_find(placing->native, scope, &expression->needs[i], &found[i]);
    for (size_t part = 0; !error && !placing->reason && part < scope->count; part++) {
        for (unsigned i = 0; i < expression->need_count; i++)
            placing->found[i] = &found[i][part];
        error = put_in_part(placing);
    }
    return error;
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
    struct placing placing;
    const struct rt_native_function *function;
    begin(&placing, native, pass, &expression);
    bool has_code = true;
    struct rt_error *error = NULL;
    if (bytes.size == 0)
        return NULL;
    if (name == RT_DWARF_AT_data_member_location) {
        error = put_offset(pass, die, bytes, &placing.reason);
    } else {
        error = rt_native_function_of(native, pass, die, &function);
        if (!error && function) {
            expression.frame_base = function->frame_base;
            has_code = function->has_code;
        }
        if (!error && name == RT_DWARF_AT_location)
            error = rt_native_type_of(native, pass, die, &expression.type);
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
