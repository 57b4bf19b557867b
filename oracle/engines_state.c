/* What two engines show at one stop: the call stack, operands, locals, and what the last instruction could
 * change. What it could not change is looked at only when a frame is entered or left, and in the sweeps. */
#include "oracle/engines.h"

#include <stdlib.h>
#include <string.h>

enum {
    MEMORY_MARGIN = 16,     /* bytes compared on either side of a store: one that is too wide shows at once */
    SWEEP_STEPS = 1 << 16,  /* at least so many instructions between two whole comparisons */
    SWEEP_COST = 8,         /* bytes of memory that one more instruction pays for */
    KNOWN_FRAMES = 4,       /* how far down a frame is looked for before the whole stack is walked */
    MANY_INTERVAL = 1 << 10 /* instructions between two whole comparisons of a frame with many values */
};

static bool fail(struct or_engines *engines, struct rt_error *error) {
    if (engines->error)
        rt_error_destroy(error);
    else
        engines->error = error;
    return false;
}

static bool differ_numbers(struct or_engines *engines, enum or_engine_kind kind, const char *variable,
                           uint64_t a, uint64_t b) {
    const char *const values[2] = {or_printf(&engines->report->arena, "%llu", (unsigned long long)a),
                                   or_printf(&engines->report->arena, "%llu", (unsigned long long)b)};
    return or_engines_differ(engines, kind, variable, values);
}

/* ---- Values ---- */

static bool equal_values(const struct or_engines *engines, enum rt_type type, const union rt_value *a,
                         const union rt_value *b) {
    switch (type) {
    case RT_I32:
    case RT_F32: return a->i32 == b->i32;
    case RT_I64:
    case RT_F64: return a->i64 == b->i64;
    case RT_V128: return memcmp(a->v128, b->v128, sizeof a->v128) == 0;
    case RT_FUNCREF:
    case RT_EXTERNREF:
        return or_engines_reference(engines, 0, type, a->ref) ==
               or_engines_reference(engines, 1, type, b->ref);
    }
    return false;
}

static bool differ_values(struct or_engines *engines, enum or_engine_kind kind, const char *variable,
                          enum rt_type type, const union rt_value *a, const union rt_value *b) {
    const char *const values[2] = {or_engines_print(engines, 0, type, *a),
                                   or_engines_print(engines, 1, type, *b)};
    return or_engines_differ(engines, kind, variable, values);
}

static int by_address(const void *a, const void *b) {
    const struct or_engine_func *x = a, *y = b;
    if (x->func != y->func)
        return (uintptr_t)x->func < (uintptr_t)y->func ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

struct rt_error *or_engines_list_functions(struct or_engine_side *side, const struct rt_module *module,
                                           struct rt_arena *arena) {
    uint32_t count = rt_module_function_count(module);
    side->funcs = rt_arena_array(arena, count, sizeof *side->funcs);
    if (!side->funcs)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < count; i++)
        side->funcs[i] = (struct or_engine_func){rt_instance_func(side->instance, i), i};
    qsort(side->funcs, count, sizeof *side->funcs, by_address);
    return NULL;
}

/* ---- The call stack ---- */

static const struct rt_activation *innermost(const struct or_engines *engines, int side) {
    return &engines->sides[side].frame->activation;
}

/* How many frames are live below an activation that is known already; -1 when it is not among the last few.
 */
static long find_frame(const struct or_engines *engines, int side, const struct rt_activation *activation) {
    for (size_t i = 0; i < KNOWN_FRAMES && i < engines->depth; i++) {
        const struct or_engine_frame *frame = &engines->frames[engines->depth - 1 - i];
        if (frame->frame[side] == activation->frame && frame->function == activation->function)
            return (long)(engines->depth - 1 - i);
    }
    return -1;
}

static bool push_frame(struct or_engines *engines, struct or_engine_frame frame) {
    if (engines->depth == engines->capacity) {
        size_t capacity = engines->capacity ? engines->capacity * 2 : 64;
        struct or_engine_frame *grown = realloc(engines->frames, capacity * sizeof *grown);
        if (!grown)
            return fail(engines, rt_error_out_of_memory());
        engines->frames = grown;
        engines->capacity = capacity;
    }
    engines->frames[engines->depth++] = frame;
    return true;
}

/* Both stacks from the innermost frame out: to one that both know at the same depth, or with `whole` to the
 * end. Puts what is new on engines->frames. *ret_known is false when they know different ones. */
static bool walk(struct or_engines *engines, bool whole, bool *ret_known) {
    struct rt_activation at[2] = {*innermost(engines, 0), *innermost(engines, 1)}, next[2];
    size_t first = engines->depth;
    long known[2] = {-1, -1};
    *ret_known = true;
    for (;;) {
        bool more[2];
        if (at[0].function != at[1].function || at[0].pc != at[1].pc) {
            const char *const values[2] = {
                or_printf(&engines->report->arena, "function %u at pc 0x%x", at[0].function, at[0].pc),
                or_printf(&engines->report->arena, "function %u at pc 0x%x", at[1].function, at[1].pc)};
            return or_engines_differ(engines, OR_ENGINE_DEPTH, "call stack", values);
        }
        /* What was pushed above `first` is not settled yet. */
        size_t depth = engines->depth;
        engines->depth = first;
        for (int i = 0; i < 2 && !whole; i++)
            known[i] = find_frame(engines, i, &at[i]);
        engines->depth = depth;
        *ret_known = known[0] == known[1];
        if (!*ret_known || known[0] >= 0)
            break;
        if (!push_frame(engines, (struct or_engine_frame){{at[0].frame, at[1].frame}, at[0].function}))
            return false;
        for (int i = 0; i < 2; i++)
            more[i] = rt_activation_caller(&at[i], &next[i]);
        if (more[0] != more[1]) {
            const char *const values[2] = {more[0] ? "has a caller" : "is the outermost frame",
                                           more[1] ? "has a caller" : "is the outermost frame"};
            return or_engines_differ(engines, OR_ENGINE_DEPTH, "call stack", values);
        }
        if (!more[0])
            break;
        at[0] = next[0];
        at[1] = next[1];
    }
    /* New ones are above `first`, innermost first: they belong above the known one, in the other order. */
    size_t below = known[0] == known[1] ? (size_t)(known[0] + 1) : 0, count = engines->depth - first;
    for (size_t i = 0; i < count / 2; i++) {
        struct or_engine_frame swap = engines->frames[first + i];
        engines->frames[first + i] = engines->frames[engines->depth - 1 - i];
        engines->frames[engines->depth - 1 - i] = swap;
    }
    if (count > 0)
        memmove(engines->frames + below, engines->frames + first, count * sizeof *engines->frames);
    engines->depth = below + count;
    return true;
}

/* Keeps engines->frames true. *ret_moved: a frame was entered or left. */
static bool track_frames(struct or_engines *engines, bool is_entry, bool *ret_moved) {
    const struct rt_activation *a = innermost(engines, 0), *b = innermost(engines, 1);
    const struct or_engine_frame *top = engines->depth > 0 ? &engines->frames[engines->depth - 1] : NULL;
    *ret_moved = false;
    if (top && !is_entry && top->frame[0] == a->frame && top->frame[1] == b->frame &&
        top->function == a->function && top->function == b->function)
        return true;
    *ret_moved = true;
    bool known;
    if (!walk(engines, false, &known))
        return false;
    if (known)
        return true;
    /* An address was used again on one side. */
    engines->depth = 0;
    return walk(engines, true, &known);
}

/* ---- Operands and locals ---- */

static bool read_operands(struct or_engines *engines, struct or_engine_side *side, bool all,
                          uint32_t *ret_first) {
    const struct rt_activation *activation = &side->frame->activation;
    struct rt_error *error = rt_activation_operand_count(activation, &side->operand_count);
    uint32_t count = side->operand_count;
    if (!error && count > engines->room)
        error = rt_error_format(RT_USAGE, "%u operands where the module can have %u", count, engines->room);
    *ret_first = !all && count > OR_MANY_VALUES ? count - OR_MANY_VALUES : 0;
    if (!error)
        error = rt_activation_operands(activation, *ret_first, count - *ret_first, side->types + *ret_first,
                                       side->operands + *ret_first);
    return error ? fail(engines, rt_error_context(error, "operands in %s", side->name)) : true;
}

static bool compare_operands(struct or_engines *engines, bool all) {
    struct or_engine_side *a = &engines->sides[0], *b = &engines->sides[1];
    uint32_t first = 0;
    if (!read_operands(engines, a, all, &first) || !read_operands(engines, b, all, &first))
        return false;
    if (a->operand_count != b->operand_count)
        return differ_numbers(engines, OR_ENGINE_OPERANDS, "number of operands", a->operand_count,
                              b->operand_count);
    for (uint32_t i = first; i < a->operand_count; i++) {
        if (a->types[i] == b->types[i] &&
            equal_values(engines, a->types[i], &a->operands[i], &b->operands[i]))
            continue;
        const char *variable = or_printf(&engines->report->arena, "operand %u of %u", i, a->operand_count);
        const char *const values[2] = {or_engines_print(engines, 0, a->types[i], a->operands[i]),
                                       or_engines_print(engines, 1, b->types[i], b->operands[i])};
        return or_engines_differ(engines, a->types[i] == b->types[i] ? OR_ENGINE_OPERAND : OR_ENGINE_OPERANDS,
                                 variable, values);
    }
    engines->report->public.values += a->operand_count - first;
    return true;
}

static bool compare_locals(struct or_engines *engines, uint32_t function, uint32_t first, uint32_t count) {
    union rt_value *a = engines->sides[0].locals, *b = engines->sides[1].locals;
    for (int i = 0; i < 2; i++) {
        struct rt_error *error =
            rt_activation_locals(innermost(engines, i), first, count, engines->sides[i].locals);
        if (error)
            return fail(engines, rt_error_context(error, "locals in %s", engines->sides[i].name));
    }
    for (uint32_t i = 0; i < count; i++) {
        /* Types are asked for only where the bytes of the widest differ. */
        if (a[i].i64 == b[i].i64 && memcmp(&a[i], &b[i], sizeof a[i]) == 0)
            continue;
        enum rt_type type = rt_module_local_type(engines->module, function, first + i);
        if (!equal_values(engines, type, &a[i], &b[i]))
            return differ_values(engines, OR_ENGINE_LOCAL, or_engines_name_local(engines, first + i), type,
                                 &a[i], &b[i]);
    }
    engines->report->public.values += count;
    return true;
}

/* ---- What instructions change ---- */

static bool compare_global(struct or_engines *engines, uint32_t index) {
    struct rt_global *globals[2] = {rt_instance_global(engines->sides[0].instance, index),
                                    rt_instance_global(engines->sides[1].instance, index)};
    union rt_value a = rt_global_get(globals[0]), b = rt_global_get(globals[1]);
    engines->report->public.values++;
    return equal_values(engines, rt_global_type(globals[0]), &a, &b) ||
           differ_values(engines, OR_ENGINE_GLOBAL, or_printf(&engines->report->arena, "global %u", index),
                         rt_global_type(globals[0]), &a, &b);
}

static bool compare_memory(struct or_engines *engines, uint64_t start, uint64_t count) {
    const struct rt_memory *memories[2] = {rt_instance_memory(engines->sides[0].instance, 0),
                                           rt_instance_memory(engines->sides[1].instance, 0)};
    if (!memories[0])
        return true;
    size_t size = rt_memory_size(memories[0]);
    if (size != rt_memory_size(memories[1]))
        return differ_numbers(engines, OR_ENGINE_MEMORY, "size of memory", size, rt_memory_size(memories[1]));
    if (start >= size)
        return true;
    const uint8_t *a = rt_memory_base(memories[0]) + start, *b = rt_memory_base(memories[1]) + start;
    if (count > size - start)
        count = size - start;
    if (memcmp(a, b, count) == 0)
        return true;
    size_t at = 0;
    while (a[at] == b[at])
        at++;
    const char *const values[2] = {or_printf(&engines->report->arena, "0x%02x", a[at]),
                                   or_printf(&engines->report->arena, "0x%02x", b[at])};
    return or_engines_differ(engines, OR_ENGINE_MEMORY, or_engines_name_address(engines, start + at), values);
}

static bool compare_table(struct or_engines *engines, uint32_t index, uint64_t start, uint64_t count) {
    const struct rt_table *a = rt_instance_table(engines->sides[0].instance, index),
                          *b = rt_instance_table(engines->sides[1].instance, index);
    if (rt_table_size(a) != rt_table_size(b))
        return differ_numbers(engines, OR_ENGINE_TABLE,
                              or_printf(&engines->report->arena, "size of table %u", index), rt_table_size(a),
                              rt_table_size(b));
    uint64_t end =
        count < rt_table_size(a) && start < rt_table_size(a) - count ? start + count : rt_table_size(a);
    for (uint64_t i = start; i < end; i++) {
        union rt_value x = {.ref = rt_table_get(a, (uint32_t)i)}, y = {.ref = rt_table_get(b, (uint32_t)i)};
        if (!equal_values(engines, rt_table_type(a), &x, &y))
            return differ_values(
                engines, OR_ENGINE_TABLE,
                or_printf(&engines->report->arena, "table %u, element %llu", index, (unsigned long long)i),
                rt_table_type(a), &x, &y);
    }
    return true;
}

bool or_engines_effects(struct or_engines *engines) {
    const struct rt_instruction *last = engines->last ? &engines->last->instruction : NULL;
    const struct rt_memory *memories[2] = {rt_instance_memory(engines->sides[0].instance, 0),
                                           rt_instance_memory(engines->sides[1].instance, 0)};
    if (memories[0] && rt_memory_size(memories[0]) != rt_memory_size(memories[1]))
        return compare_memory(engines, 0, 0);
    if (!last)
        return true;
    uint64_t start = engines->range.start, count = engines->range.count;
    switch (last->changes) {
    case RT_CHANGES_GLOBAL: return compare_global(engines, last->index);
    case RT_CHANGES_MEMORY:
        start = start > MEMORY_MARGIN ? start - MEMORY_MARGIN : 0;
        return compare_memory(engines, start, count + 2 * MEMORY_MARGIN);
    case RT_CHANGES_TABLE: return compare_table(engines, last->index, start, count);
    case RT_CHANGES_LOCAL: /* with all locals */
    case RT_CHANGES_NOTHING: break;
    }
    return true;
}

/* Where the instruction that runs next will write, by its operands. */
static struct or_engine_range range_of(const struct or_engines *engines,
                                       const struct rt_instruction *instruction) {
    const struct or_engine_side *side = &engines->sides[0];
    struct or_engine_range range = {instruction->offset, instruction->count};
    if (instruction->changes != RT_CHANGES_MEMORY && instruction->changes != RT_CHANGES_TABLE)
        return range;
    if (instruction->start_operand > side->operand_count || instruction->count_operand > side->operand_count)
        return range; /* validation rules it out */
    const union rt_value *top = side->operands + side->operand_count;
    if (instruction->start_operand > 0)
        range.start += top[-(long)instruction->start_operand].i32;
    else
        range.start = rt_table_size(rt_instance_table(side->instance, instruction->index));
    if (instruction->count_operand > 0)
        range.count = top[-(long)instruction->count_operand].i32;
    if (instruction->start_operand == 0)
        range.count = top[-1].i32; /* table.grow: by so many */
    return range;
}

bool or_engines_sweep(struct or_engines *engines) {
    for (uint32_t i = 0; rt_instance_global(engines->sides[0].instance, i); i++)
        if (!compare_global(engines, i))
            return false;
    for (uint32_t i = 0; rt_instance_table(engines->sides[0].instance, i); i++)
        if (!compare_table(engines, i, 0, UINT32_MAX))
            return false;
    return compare_memory(engines, 0, UINT64_MAX);
}

static bool sweep_now_and_then(struct or_engines *engines) {
    const struct rt_memory *memory = rt_instance_memory(engines->sides[0].instance, 0);
    uint64_t steps = engines->report->public.steps;
    if (steps < engines->next_sweep)
        return true;
    uint64_t wait = memory ? rt_memory_size(memory) / SWEEP_COST : 0;
    for (uint32_t i = 0; rt_instance_table(engines->sides[0].instance, i); i++)
        wait += rt_table_size(rt_instance_table(engines->sides[0].instance, i));
    engines->next_sweep = steps + (wait > SWEEP_STEPS ? wait : SWEEP_STEPS);
    return or_engines_sweep(engines);
}

bool or_engines_step(struct or_engines *engines, uint32_t index) {
    const struct or_engine_site *site = &engines->sites[index];
    bool moved;
    if (engines->sides[0].event.pc != engines->sides[1].event.pc) {
        const char *const values[2] = {
            or_printf(&engines->report->arena, "0x%llx", (unsigned long long)engines->sides[0].event.pc),
            or_printf(&engines->report->arena, "0x%llx", (unsigned long long)engines->sides[1].event.pc)};
        return or_engines_differ(engines, OR_ENGINE_PC, "next pc", values);
    }
    for (int i = 0; i < 2; i++) {
        struct rt_error *error = st_session_frame(engines->sides[i].session, &engines->sides[i].frame);
        if (error)
            return fail(engines, rt_error_context(error, "%s", engines->sides[i].name));
    }
    if (!track_frames(engines, site->is_entry, &moved))
        return false;
    bool all = moved || engines->report->public.steps % MANY_INTERVAL == 0;
    if (!compare_operands(engines, all))
        return false;
    bool good;
    if (all || site->local_count <= OR_MANY_VALUES)
        good = compare_locals(engines, site->function, 0, site->local_count);
    else
        good = !engines->last || engines->last->instruction.changes != RT_CHANGES_LOCAL ||
               compare_locals(engines, site->function, engines->last->instruction.index, 1);
    if (!good || !or_engines_effects(engines) || !sweep_now_and_then(engines))
        return false;
    engines->range = range_of(engines, &site->instruction);
    engines->last = site;
    engines->recent[engines->report->public.steps % OR_RECENT] = index;
    return true;
}
