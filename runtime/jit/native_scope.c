/* What the expressions of a scope share: its function, its code, and where things are in that code. Objects
 * of a scope come one behind another, so what was found out for one of them is kept for the next. */
#include "runtime/jit/native.h"

/* ---- Functions ---- */

struct rt_error *rt_native_function_of(struct rt_native *native, struct rt_dwarf_pass *pass,
                                       const struct rt_dwarf_die *die,
                                       const struct rt_native_function **ret) {
    struct rt_native_function *function = &native->function;
    struct rt_dwarf_attribute at;
    const struct rt_dwarf_range *ranges;
    size_t count;
    bool found;
    while (die && die->tag != RT_DWARF_TAG_subprogram)
        die = die->parent;
    *ret = die ? function : NULL;
    if (!die || function->name == die->position + 1)
        return NULL;
    *function = (struct rt_native_function){.name = 0};
    struct rt_error *error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_frame_base, &at, &found);
    if (!error && found && at.class == RT_DWARF_CLASS_EXPRESSION)
        function->frame_base = at.bytes;
    if (!error)
        error = rt_dwarf_die_ranges(pass, die, &ranges, &count);
    if (error)
        return error;
    function->has_code = count > 0;
    function->name = die->position + 1;
    return NULL;
}

/* ---- Scopes ---- */

static void forget(struct rt_native_scope *scope) {
    rt_arena_clear(&scope->arena);
    scope->name = 0;
    scope->count = scope->known_count = 0;
}

static struct rt_error *list_parts(struct rt_native *native, struct rt_native_scope *scope,
                                   const struct rt_dwarf_range *ranges, size_t count) {
    struct rt_native_part part;
    for (int counting = 1; counting >= 0; counting--) {
        size_t found = 0;
        for (size_t i = 0; i < count; i++) {
            uint64_t low = ranges[i].low;
            for (; rt_native_next_part(native, low, ranges[i].high, &part); low = part.high) {
                if (!counting)
                    scope->parts[found] = part;
                found++;
            }
        }
        if (counting)
            scope->parts = rt_arena_array(&scope->arena, found, sizeof *scope->parts);
        if (!scope->parts)
            return rt_error_out_of_memory();
        scope->count = found;
    }
    return NULL;
}

/* An object of a block has its place in all of the function: what it is made of is there as well, and a
 * debugger may want to see it before or behind. */
struct rt_error *rt_native_scope_of(struct rt_native *native, struct rt_dwarf_pass *pass,
                                    const struct rt_dwarf_die *die, struct rt_native_scope **ret) {
    const struct rt_dwarf_range *ranges;
    size_t count;
    if (die->parent && (die->tag == RT_DWARF_TAG_variable || die->tag == RT_DWARF_TAG_formal_parameter ||
                        die->parent->tag == RT_DWARF_TAG_lexical_block))
        die = die->parent;
    while (die->parent && die->tag == RT_DWARF_TAG_lexical_block)
        die = die->parent;
    struct rt_native_scope *scope = die->parent ? &native->inner_scope : &native->unit_scope;
    *ret = scope;
    if (scope->name == die->position + 1)
        return NULL;
    forget(scope);
    struct rt_error *error = rt_dwarf_scope_ranges(pass, die, &ranges, &count);
    if (!error)
        error = list_parts(native, scope, ranges, count);
    if (error)
        forget(scope);
    else
        scope->name = die->position + 1;
    return error;
}

void rt_native_scopes_clear(struct rt_native *native) {
    forget(&native->unit_scope);
    forget(&native->inner_scope);
}

/* ---- Places ---- */

struct rt_error *rt_native_find(struct rt_native *native, const struct rt_native_part *part,
                                const struct rt_native_need *need, struct rt_arena *arena,
                                struct rt_native_found *ret) {
    const struct rt_code_map *map = native->map;
    const uint32_t function = part->function, low = part->low, high = part->high;
    *ret = (struct rt_native_found){.count = 0};
    switch (need->kind) {
    case RT_NATIVE_LOCAL:
        if (need->index < rt_module_local_count(native->module, function))
            return rt_code_map_local(map, function, need->index, low, high, arena, &ret->ranges, &ret->count);
        ret->reason = "optimised out: a local that the function does not have";
        return NULL;
    case RT_NATIVE_OPERAND:
        return rt_code_map_operand(map, function, need->index, low, high, arena, &ret->ranges, &ret->count);
    case RT_NATIVE_INSTANCE:
        return rt_code_map_instance(map, function, low, high, arena, &ret->ranges, &ret->count);
    }
    return NULL;
}

struct rt_error *rt_native_scope_find(struct rt_native *native, struct rt_native_scope *scope,
                                      const struct rt_native_need *need, const struct rt_native_found **ret) {
    for (unsigned i = 0; i < scope->known_count; i++) {
        *ret = scope->known[i].found;
        if (scope->known[i].need.kind == need->kind && scope->known[i].need.index == need->index)
            return NULL;
    }
    const bool is_kept = scope->known_count < RT_NATIVE_MOST_KNOWN;
    struct rt_arena *arena = is_kept ? &scope->arena : &native->arena;
    struct rt_native_found *found = rt_arena_array(arena, scope->count, sizeof *found);
    struct rt_error *error = found ? NULL : rt_error_out_of_memory();
    for (size_t i = 0; !error && i < scope->count; i++)
        error = rt_native_find(native, &scope->parts[i], need, arena, &found[i]);
    if (error)
        return error;
    if (is_kept)
        scope->known[scope->known_count++] = (struct rt_native_known){*need, found};
    *ret = found;
    return NULL;
}
