/* The visitor that rewrites a module's DWARF for its compiled code: which pcs DIEs have, and which DIEs and
 * attributes are kept. */
#include "runtime/jit/native.h"

#include <stdlib.h>

enum { CALL_NOT_BY_CONVENTION = 3 /* DW_CC_nocall */ };

/* GDB takes the end of a prologue from line rows when it knows the producer as one that writes them so. */
static const char producer[] = "clang (WebAssembly), compiled by Lockstep";

/* ---- Pcs ---- */

/* The first function that ends behind a pc, or one past the last. */
static uint32_t function_behind(const struct rt_native *native, uint64_t pc) {
    uint32_t low = rt_module_imported_function_count(native->module),
             high = rt_module_function_count(native->module), start, code, end;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (rt_module_function_range(native->module, middle, &start, &code, &end) && end <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool rt_native_next_part(struct rt_native *native, uint64_t low, uint64_t high, struct rt_native_part *ret) {
    uint32_t function = native->last_function, start, code, end;
    /* Mostly it is the one that was asked about before. */
    if (!rt_module_function_range(native->module, function, &start, &code, &end) || low < start ||
        low >= end) {
        function = function_behind(native, low);
        if (!rt_module_function_range(native->module, function, &start, &code, &end))
            return false;
        native->last_function = function;
    }
    if (start >= high || !rt_code_map_function(native->map, function))
        return false;
    *ret = (struct rt_native_part){.function = function,
                                   .low = low > start ? (uint32_t)low : start,
                                   .high = high < end ? (uint32_t)high : end};
    ret->is_whole = ret->low <= code && ret->high == end;
    return ret->low < ret->high;
}

static struct rt_error *put_ranges(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                   struct rt_dwarf_range range) {
    struct rt_native *native = user;
    struct rt_native_part part;
    struct rt_error *error = NULL;
    const bool is_function = die->depth == 0 || die->tag == RT_DWARF_TAG_subprogram;
    while (!error && rt_native_next_part(native, range.low, range.high, &part)) {
        const struct rt_machine_range *ranges;
        size_t count = 0;
        if (is_function || part.is_whole) {
            ranges = &rt_code_map_function(native->map, part.function)->range;
            count = 1;
        } else {
            error = rt_code_map_ranges(native->map, part.function, part.low, part.high, &native->arena,
                                       &ranges, &count);
        }
        for (size_t i = 0; !error && i < count; i++)
            rt_dwarf_put_range(pass, (struct rt_dwarf_range){ranges[i].low, ranges[i].high});
        range.low = part.high;
    }
    rt_arena_clear(&native->arena);
    return error;
}

static bool is_call_site(const struct rt_dwarf_die *die) {
    return die->tag == RT_NATIVE_TAG_call_site || die->tag == RT_NATIVE_TAG_GNU_call_site;
}

/* The return address of the call that ends at a pc. */
static bool find_return(struct rt_native *native, uint64_t past, uint64_t *ret) {
    struct rt_native_part part;
    struct rt_machine_range call;
    if (past == 0 || !rt_native_next_part(native, past - 1, past, &part) ||
        !rt_code_map_call(native->map, part.function, (uint32_t)past, &call))
        return false;
    *ret = call.high;
    return true;
}

/* The first machine code of what is at a pc or behind it in its function. */
static struct rt_error *find_code(struct rt_native *native, uint64_t *address, bool *ret_found) {
    struct rt_native_part part;
    const struct rt_machine_range *ranges;
    size_t count = 0;
    struct rt_error *error = NULL;
    if (rt_native_next_part(native, *address, UINT64_MAX, &part) && part.low == *address)
        error = rt_code_map_ranges(native->map, part.function, part.low, part.high, &native->arena, &ranges,
                                   &count);
    *ret_found = !error && count > 0;
    if (*ret_found)
        *address = ranges[0].low;
    rt_arena_clear(&native->arena);
    return error;
}

/* GNU's call sites have their return address as DW_AT_low_pc. */
static struct rt_error *find_address(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                     unsigned name, uint64_t *address, bool *ret_keep) {
    struct rt_native *native = user;
    struct rt_error *error = NULL;
    if (name == RT_DWARF_AT_call_return_pc || (is_call_site(die) && name == RT_DWARF_AT_low_pc))
        *ret_keep = find_return(native, *address, address);
    else
        error = find_code(native, address, ret_keep);
    if (!*ret_keep && !error)
        rt_dwarf_count(pass, "left out: an address without machine code");
    return error;
}

/* ---- DIEs ---- */

/* Whether a scope has pcs and no machine code at all. */
static struct rt_error *is_gone(struct rt_native *native, struct rt_dwarf_pass *pass,
                                const struct rt_dwarf_die *die, bool *ret) {
    const struct rt_dwarf_range *ranges;
    const struct rt_machine_range *machine;
    size_t count, machine_count = 0;
    struct rt_error *error = rt_dwarf_die_ranges(pass, die, &ranges, &count);
    for (size_t i = 0; !error && i < count && machine_count == 0; i++) {
        struct rt_native_part part;
        uint64_t low = ranges[i].low;
        for (; !error && machine_count == 0 && rt_native_next_part(native, low, ranges[i].high, &part);
             low = part.high)
            error = rt_code_map_ranges(native->map, part.function, part.low, part.high, &native->arena,
                                       &machine, &machine_count);
    }
    *ret = !error && count > 0 && machine_count == 0;
    rt_arena_clear(&native->arena);
    return error;
}

/* A call that no code is left of is none. */
static struct rt_error *plan_call(struct rt_native *native, struct rt_dwarf_pass *pass,
                                  const struct rt_dwarf_die *die, enum rt_dwarf_fate *ret) {
    struct rt_dwarf_attribute at;
    uint64_t address;
    bool found;
    struct rt_error *error = rt_dwarf_attribute_find(
        pass, die, die->tag == RT_NATIVE_TAG_call_site ? RT_DWARF_AT_call_return_pc : RT_DWARF_AT_low_pc, &at,
        &found);
    if (error || !found || find_return(native, at.number, &address))
        return error;
    rt_dwarf_count(pass, rt_dwarf_module_is_dead(NULL, at.number)
                             ? "left out: a call site of dead code"
                             : "left out: a call site without machine code");
    *ret = RT_DWARF_DROP;
    return NULL;
}

static struct rt_error *plan(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                             enum rt_dwarf_fate *ret) {
    bool gone;
    switch (die->tag) {
    case RT_NATIVE_TAG_call_site:
    case RT_NATIVE_TAG_GNU_call_site: return plan_call(user, pass, die, ret);
    case RT_NATIVE_TAG_call_site_parameter:
    case RT_NATIVE_TAG_GNU_call_site_parameter:
        rt_dwarf_count(pass,
                       "left out: what a call hands over, which is in no register at the function's entry");
        *ret = RT_DWARF_DROP;
        return NULL;
    case RT_DWARF_TAG_lexical_block:
    case RT_DWARF_TAG_inlined_subroutine: {
        struct rt_error *error = is_gone(user, pass, die, &gone);
        if (!error && gone) {
            rt_dwarf_count(pass, "left out: a scope without machine code");
            *ret = RT_DWARF_DROP;
        }
        return error;
    }
    default: return NULL;
    }
}

/* What change_attribute changes. */
static bool is_changed(void *user, unsigned tag, unsigned name) {
    (void)user;
    switch (name) {
    case RT_DWARF_AT_frame_base:
    case RT_NATIVE_AT_calling_convention: return tag == RT_DWARF_TAG_subprogram;
    case RT_DWARF_AT_type:
    case RT_DWARF_AT_const_value: return true;
    default: return false;
    }
}

static struct rt_error *change_attribute(void *user, struct rt_dwarf_pass *pass,
                                         const struct rt_dwarf_die *die, struct rt_dwarf_attribute *attribute,
                                         bool *ret_keep) {
    if (die->tag == RT_DWARF_TAG_subprogram) {
        switch (attribute->name) {
        case RT_DWARF_AT_frame_base:
        case RT_NATIVE_AT_calling_convention: *ret_keep = false; return NULL;
        default: break;
        }
    }
    return rt_native_type_attribute(user, pass, die, attribute);
}

/* A function's frame base is where its frame is found from; and nobody can call it as the process's own, nor
 * find its result where those leave theirs. */
static struct rt_error *end_attributes(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                       unsigned *tag, bool *ret_children) {
    static const uint8_t frame_base[] = {RT_DWARF_OP_call_frame_cfa};
    const struct rt_dwarf_range *ranges;
    size_t count = 0;
    (void)user, (void)tag, (void)ret_children;
    if (die->tag != RT_DWARF_TAG_subprogram)
        return rt_native_type_end(user, pass, die);
    struct rt_error *error = rt_dwarf_die_ranges(pass, die, &ranges, &count);
    if (error || count == 0)
        return error;
    const struct rt_dwarf_attribute base = {.name = RT_DWARF_AT_frame_base,
                                            .class = RT_DWARF_CLASS_EXPRESSION,
                                            .bytes = {frame_base, sizeof frame_base}},
                                    convention = {.name = RT_NATIVE_AT_calling_convention,
                                                  .class = RT_DWARF_CLASS_CONSTANT,
                                                  .number = CALL_NOT_BY_CONVENTION};
    rt_dwarf_put_attribute(pass, &base);
    rt_dwarf_put_attribute(pass, &convention);
    return NULL;
}

static struct rt_error *end_children(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die) {
    return die->depth == 0 ? rt_native_add_types(user, pass) : NULL;
}

/* ---- The pass ---- */

struct rt_error *rt_native_dwarf(const struct rt_code_map *map, struct rt_instance *instance,
                                 struct rt_dwarf_output **ret) {
    struct rt_dwarf_sections sections;
    struct rt_instance_path path;
    struct rt_native_faulty faulty;
    struct rt_native *native = calloc(1, sizeof *native);
    if (!native)
        return rt_error_out_of_memory();
    native->map = map;
    native->module = rt_code_module(rt_code_map_code(map));
    native->instance = instance;
    native->fault = rt_code_map_fault(map);
    const struct rt_dwarf_options options = {.address_size = 8, .producer = producer};
    struct rt_dwarf_visitor visitor = {.user = native,
                                       .is_dead = rt_dwarf_module_is_dead,
                                       .plan = plan,
                                       .attribute = change_attribute,
                                       .looks_at = is_changed,
                                       .attributes_end = end_attributes,
                                       .children_end = end_children,
                                       .range = put_ranges,
                                       .address = find_address,
                                       .location = rt_native_location,
                                       .sequence = rt_native_sequence};
    if (native->fault)
        rt_native_plant(&faulty, native, &visitor);
    rt_arena_init(&native->arena, 0);
    rt_arena_init(&native->unit_scope.arena, 0);
    rt_arena_init(&native->inner_scope.arena, 0);
    native->has_memory = rt_code_map_memory(map, &path);
    if (instance && native->has_memory)
        native->memory_base = (uintptr_t)rt_memory_base(rt_instance_memory(instance, 0));
    struct rt_error *error = rt_dwarf_module_sections(native->module, &sections);
    if (!error)
        error = rt_dwarf_transform(&sections, &visitor, &options, ret);
    rt_arena_clear(&native->arena);
    rt_native_scopes_clear(native);
    free(native->pointers);
    free(native);
    return error;
}
