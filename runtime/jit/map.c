/* The code map: made from the notes of a second compilation, and asked by Wasm pcs. */
#include "runtime/jit/map.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/frame_rules.h"
#include "runtime/target.h"

/* ---- Making ---- */

static struct rt_error *list_functions(struct rt_code_map *map) {
    const struct rt_machine_code *code = map->code;
    uintptr_t base = (uintptr_t)code->memory.executable;
    map->functions = calloc(code->function_count + (size_t)1, sizeof(*map->functions));
    if (!map->functions)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < code->function_count; i++) {
        const struct rt_code_function *function = &code->functions[i];
        map->functions[i] = (struct rt_code_map_function){
            .function = code->base.module->imported_functions + i,
            .range = {base + function->start, base + function->end},
            .body = base + function->body,
            .tail = base + function->tail,
        };
    }
    return NULL;
}

static int by_operand(const void *a, const void *b) {
    const struct rt_noted_operand *x = a, *y = b;
    if (x->index != y->index)
        return x->index > y->index ? 1 : -1;
    return (x->low > y->low) - (x->low < y->low);
}

/* One operand's places beside one another: that is how they are asked for. */
static void sort_operands(struct rt_code_map *map) {
    const struct rt_noted_function *notes = map->notes.functions;
    for (uint32_t i = 0; i < map->code->function_count; i++)
        if (notes[i + 1].operand - notes[i].operand > 1)
            qsort(map->notes.operands + notes[i].operand, notes[i + 1].operand - notes[i].operand,
                  sizeof *map->notes.operands, by_operand);
}

struct rt_error *rt_code_map_create(const struct rt_code *code, struct rt_code_map **ret) {
    if (rt_code_engine(code) != RT_ENGINE_COMPILED)
        return rt_error_format(RT_USAGE, "making a code map: only compiled code has machine code");
    struct rt_code_map *map = calloc(1, sizeof(*map));
    if (!map)
        return rt_error_out_of_memory();
    map->code = rt_machine_code_of(code);
    map->rules = rt_target_host()->frame_rules;
    struct rt_error *error = rt_compile_notes(map->code, &map->notes);
    if (!error)
        error = list_functions(map);
    if (!error)
        sort_operands(map);
    if (!error)
        error = rt_code_map_make_frames(map);
    if (error) {
        rt_code_map_destroy(map);
        return error;
    }
    *ret = map;
    return NULL;
}

void rt_code_map_destroy(struct rt_code_map *map) {
    if (!map)
        return;
    rt_notes_clear(&map->notes);
    free(map->functions);
    free(map->frames.bytes);
    free(map->planted);
    free(map);
}

const struct rt_code *rt_code_map_code(const struct rt_code_map *map) {
    return &map->code->base;
}

const uint8_t *rt_code_map_frames(const struct rt_code_map *map, size_t *ret_size) {
    *ret_size = map->frames.size;
    return map->frames.bytes;
}

/* ---- Functions ---- */

const struct rt_code_map_function *rt_code_map_functions(const struct rt_code_map *map, size_t *ret_count) {
    *ret_count = map->code->function_count;
    return map->functions;
}

const struct rt_code_map_function *rt_code_map_function(const struct rt_code_map *map, uint32_t function) {
    uint32_t defined = function - map->code->base.module->imported_functions;
    return defined < map->code->function_count ? &map->functions[defined] : NULL;
}

const char *rt_jit_name(const struct rt_code_map *map, uint32_t function, char ret[RT_JIT_NAME_SIZE]) {
    const char *name = rt_module_function_name(map->code->base.module, function);
    if (name)
        snprintf(ret, RT_JIT_NAME_SIZE, "%s", name);
    else
        snprintf(ret, RT_JIT_NAME_SIZE, "wasm-function[%u]", function);
    for (char *at = ret; *at; at++) { /* files of lines cannot hold all that names may */
        if ((unsigned char)*at < ' ')
            *at = '?';
    }
    return ret;
}

/* ---- One question ---- */

/* What is asked about a function, and the ranges found so far, in machine offsets. */
struct question {
    const struct rt_code_map *map;
    const struct rt_code_function *function;
    const struct rt_noted_function *notes; /* [1] is the next one's */
    uint32_t low, high;                    /* machine offsets of the pcs, before the function's tail */
    uint32_t traps, trap_end;              /* its out-of-line traps, in code->trap_sites */
    struct rt_arena *arena;
    struct rt_placed_range *found;
    size_t count, capacity;
    struct rt_error *error;
};

static uint32_t first_trap(const struct rt_machine_code *code, uint32_t machine) {
    uint32_t low = 0, high = code->trap_site_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (code->trap_sites[middle].trap < machine)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The machine offset where the code of the function's pcs from `pc` on begins. */
static uint32_t machine_from(const struct question *q, uint32_t pc) {
    const struct rt_noted_entry *entries = q->map->notes.entries;
    uint32_t low = q->notes->entry, high = q->notes[1].entry;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (entries[middle].pc < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low < q->notes[1].entry ? entries[low].machine : q->function->tail;
}

static struct rt_error *ask(const struct rt_code_map *map, uint32_t function, uint32_t low, uint32_t high,
                            struct rt_arena *arena, struct question *ret) {
    uint32_t defined = function - map->code->base.module->imported_functions;
    if (defined >= map->code->function_count)
        return rt_error_format(RT_USAGE, "asking a code map: function %u has no code", function);
    *ret = (struct question){.map = map,
                             .function = &map->code->functions[defined],
                             .notes = &map->notes.functions[defined],
                             .arena = arena};
    ret->low = machine_from(ret, low);
    ret->high = high > low ? machine_from(ret, high) : ret->low;
    ret->traps = first_trap(map->code, ret->function->tail);
    ret->trap_end = first_trap(map->code, ret->function->end);
    return NULL;
}

static void find(struct question *q, uint32_t low, uint32_t high, const struct rt_machine_place *place) {
    if (low >= high || q->error)
        return;
    if (q->count == q->capacity) {
        size_t capacity = q->capacity ? q->capacity * 2 : 8;
        struct rt_placed_range *grown = rt_arena_array(q->arena, capacity, sizeof(*grown));
        if (!grown) {
            q->error = rt_error_out_of_memory();
            return;
        }
        if (q->count)
            memcpy(grown, q->found, q->count * sizeof(*grown));
        q->found = grown;
        q->capacity = capacity;
    }
    uintptr_t base = (uintptr_t)q->map->code->memory.executable;
    q->found[q->count++] = (struct rt_placed_range){{base + low, base + high}, *place};
}

static uint32_t later(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}
static uint32_t earlier(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* [low, high), as far as it was asked about. */
static void find_asked(struct question *q, uint32_t low, uint32_t high,
                       const struct rt_machine_place *place) {
    find(q, later(low, q->low), earlier(high, q->high), place);
}

/* The traps of the code in [low, high), as far as it was asked about. */
static void find_traps(struct question *q, uint32_t low, uint32_t high,
                       const struct rt_machine_place *place) {
    const struct rt_trap_site *sites = q->map->code->trap_sites;
    uint32_t first = q->traps, past = q->trap_end;
    low = later(low, q->low);
    high = earlier(high, q->high);
    while (first < past) { /* they are in the order of what jumps to them */
        const uint32_t middle = first + (past - first) / 2;
        if (sites[middle].origin < low)
            first = middle + 1;
        else
            past = middle;
    }
    for (uint32_t i = first; i < q->trap_end && sites[i].origin < high; i++)
        find(q, sites[i].trap, i + 1 < q->trap_end ? sites[i + 1].trap : q->function->end, place);
}

static int by_low(const void *a, const void *b) {
    const struct rt_placed_range *x = a, *y = b;
    return (x->range.low > y->range.low) - (x->range.low < y->range.low);
}

bool rt_machine_place_equal(const struct rt_machine_place *a, const struct rt_machine_place *b) {
    return a->where == b->where && a->type == b->type && a->offset == b->offset &&
           a->register_number == b->register_number && a->bits == b->bits;
}

/* Two that touch and are in one place are one. */
static struct rt_error *answer(struct question *q, const struct rt_placed_range **ret, size_t *ret_count) {
    if (q->error)
        return q->error;
    if (q->map->fault)
        rt_fault_places(q->map, q->found, q->count);
    if (q->count)
        qsort(q->found, q->count, sizeof(*q->found), by_low);
    size_t count = 0;
    for (size_t i = 0; i < q->count; i++) {
        struct rt_placed_range *last = count ? &q->found[count - 1] : NULL;
        const struct rt_machine_place *a = &q->found[i].place;
        if (last && last->range.high == q->found[i].range.low && rt_machine_place_equal(&last->place, a))
            last->range.high = q->found[i].range.high;
        else
            q->found[count++] = q->found[i];
    }
    *ret = q->found;
    *ret_count = count;
    return NULL;
}

/* ---- Pcs ---- */

struct rt_error *rt_code_map_entries(const struct rt_code_map *map, uint32_t function, struct rt_arena *arena,
                                     const struct rt_code_map_entry **ret, size_t *ret_count) {
    struct question q;
    struct rt_error *error = ask(map, function, 0, UINT32_MAX, arena, &q);
    if (error)
        return error;
    const struct rt_machine_code *code = map->code;
    uintptr_t base = (uintptr_t)code->memory.executable;
    size_t own = q.notes[1].entry - q.notes->entry, count = 0;
    struct rt_code_map_entry *entries = rt_arena_array(arena, own + (q.trap_end - q.traps), sizeof(*entries));
    if (!entries)
        return rt_error_out_of_memory();
    for (uint32_t i = q.notes->entry; i < q.notes[1].entry; i++)
        entries[count++] =
            (struct rt_code_map_entry){base + map->notes.entries[i].machine, map->notes.entries[i].pc, false};
    for (uint32_t i = q.traps, from = q.notes->entry; i < q.trap_end; i++) {
        /* Traps are in the order of what jumps to them. */
        while (from + 1 < q.notes[1].entry &&
               map->notes.entries[from + 1].machine <= code->trap_sites[i].origin)
            from++;
        entries[count++] =
            (struct rt_code_map_entry){base + code->trap_sites[i].trap, map->notes.entries[from].pc, true};
    }
    *ret = entries;
    *ret_count = count;
    return NULL;
}

struct rt_error *rt_code_map_ranges(const struct rt_code_map *map, uint32_t function, uint32_t low,
                                    uint32_t high, struct rt_arena *arena,
                                    const struct rt_machine_range **ret, size_t *ret_count) {
    static const struct rt_machine_place anywhere;
    const struct rt_placed_range *placed = NULL;
    size_t count = 0;
    struct question q;
    struct rt_error *error = ask(map, function, low, high, arena, &q);
    if (error)
        return error;
    find_asked(&q, 0, UINT32_MAX, &anywhere);
    find_traps(&q, 0, UINT32_MAX, &anywhere);
    error = answer(&q, &placed, &count);
    if (error)
        return error;
    struct rt_machine_range *ranges = rt_arena_array(arena, count, sizeof(*ranges));
    if (!ranges)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < count; i++)
        ranges[i] = placed[i].range;
    *ret = ranges;
    *ret_count = count;
    return NULL;
}

bool rt_code_map_call(const struct rt_code_map *map, uint32_t function, uint32_t past,
                      struct rt_machine_range *ret) {
    const uint32_t defined = function - map->code->base.module->imported_functions;
    const struct rt_noted_call *calls = map->notes.calls;
    const uintptr_t base = (uintptr_t)map->code->memory.executable;
    if (defined >= map->code->function_count)
        return false;
    uint32_t low = map->notes.functions[defined].call, high = map->notes.functions[defined + 1].call;
    const uint32_t end = high;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (calls[middle].past < past)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == end || calls[low].past != past)
        return false;
    *ret = (struct rt_machine_range){base + calls[low].low, base + calls[low].high};
    return true;
}

/* ---- Places ---- */

static struct rt_machine_place frame_place(const struct question *q, uint32_t function, enum rt_type type,
                                           enum rt_place_kind kind, uint32_t index) {
    struct rt_frame_shape shape = rt_frame_shape_of(q->map->code->base.module, function);
    intptr_t offset = (intptr_t)rt_target_host()->address(0, &shape, (struct rt_place){kind, index}) -
                      q->map->rules->cfa_offset;
    return (struct rt_machine_place){.where = RT_MACHINE_FRAME, .type = type, .offset = (int32_t)offset};
}

static struct rt_machine_place register_place(const struct question *q, enum rt_type type, uint32_t number) {
    return (struct rt_machine_place){.where = RT_MACHINE_REGISTER,
                                     .type = type,
                                     .register_number =
                                         q->map->rules->registers[rt_class_of(type)][number & 15]};
}

struct rt_error *rt_code_map_local(const struct rt_code_map *map, uint32_t function, uint32_t local,
                                   uint32_t low, uint32_t high, struct rt_arena *arena,
                                   const struct rt_placed_range **ret, size_t *ret_count) {
    const struct rt_module *module = map->code->base.module;
    struct question q;
    struct rt_error *error = ask(map, function, low, high, arena, &q);
    if (error)
        return error;
    if (local >= rt_module_local_count(module, function))
        return rt_error_format(RT_USAGE, "no local %u: function %u has %u", local, function,
                               rt_module_local_count(module, function));
    struct rt_machine_place place =
        frame_place(&q, function, rt_module_local_type(module, function, local), RT_PLACE_LOCAL, local);
    bool is_parameter = local < rt_module_function_type(module, function).param_count;
    uint32_t at = is_parameter ? q.function->start : q.function->body;
    for (uint32_t i = q.notes->returns; i < q.notes[1].returns; i++) {
        const struct rt_noted_return *gone = &map->notes.returns[i];
        if (is_parameter && !gone->overwrites)
            continue;
        /* Before its first instruction nothing is overwritten. */
        find_asked(&q, at, is_parameter ? gone->low + 1 : gone->high - map->rules->left_size, &place);
        at = gone->high;
    }
    find_asked(&q, at, q.function->tail, &place);
    /* The stack is checked before declared locals are there. */
    find_traps(&q, is_parameter ? 0 : q.function->body, UINT32_MAX, &place);
    return answer(&q, ret, ret_count);
}

/* The first place of an operand that ends behind what was asked about begins. */
static uint32_t first_place(const struct question *q, uint32_t index) {
    const struct rt_noted_operand *operands = q->map->notes.operands;
    uint32_t low = q->notes->operand, high = q->notes[1].operand;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (operands[middle].index < index ||
            (operands[middle].index == index && operands[middle].high <= q->low))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct rt_error *rt_code_map_operand(const struct rt_code_map *map, uint32_t function, uint32_t index,
                                     uint32_t low, uint32_t high, struct rt_arena *arena,
                                     const struct rt_placed_range **ret, size_t *ret_count) {
    struct question q;
    struct rt_error *error = ask(map, function, low, high, arena, &q);
    if (error)
        return error;
    for (uint32_t i = first_place(&q, index); i < q.notes[1].operand; i++) {
        const struct rt_noted_operand *noted = &map->notes.operands[i];
        if (noted->index != index || noted->low >= q.high)
            break;
        enum rt_type type = (enum rt_type)noted->type;
        struct rt_machine_place place = {.where = RT_MACHINE_CONSTANT, .type = type, .bits = noted->value};
        if (noted->where == RT_WHERE_SLOT)
            place = frame_place(&q, function, type, RT_PLACE_OPERAND, index);
        else if (noted->where == RT_WHERE_LOCAL)
            place = frame_place(&q, function, type, RT_PLACE_LOCAL, (uint32_t)noted->value);
        else if (noted->where == RT_WHERE_REGISTER)
            place = register_place(&q, type, (uint32_t)noted->value);
        find_asked(&q, noted->low, noted->high, &place);
        find_traps(&q, noted->low, noted->high, &place);
    }
    if (map->fault)
        rt_fault_operand(map, q.found, q.count, rt_code_map_function(map, function)->tail);
    return answer(&q, ret, ret_count);
}

struct rt_error *rt_code_map_instance(const struct rt_code_map *map, uint32_t function, uint32_t low,
                                      uint32_t high, struct rt_arena *arena,
                                      const struct rt_placed_range **ret, size_t *ret_count) {
    const struct rt_frame_rules *rules = map->rules;
    struct question q;
    struct rt_error *error = ask(map, function, low, high, arena, &q);
    if (error)
        return error;
    struct rt_machine_place in_frame = {
        .where = RT_MACHINE_FRAME, .type = RT_I64, .offset = rules->instance_offset};
    struct rt_machine_place in_register = register_place(&q, RT_I64, rules->instance_register);
    uint32_t at = q.function->start + rules->instance_saved;
    find_asked(&q, q.function->start, at, &in_register);
    for (uint32_t i = q.notes->returns; i < q.notes[1].returns; i++) {
        uint32_t end = map->notes.returns[i].high, left = end - rules->left_size;
        find_asked(&q, at, left, &in_frame);
        find_asked(&q, left, end, &in_register);
        at = end;
    }
    find_asked(&q, at, q.function->tail, &in_frame);
    find_traps(&q, 0, UINT32_MAX, &in_frame);
    return answer(&q, ret, ret_count);
}

/* ---- What belongs to an instance ---- */

uintptr_t rt_global_address(const struct rt_global *global) {
    return (uintptr_t)&global->value;
}

bool rt_code_map_memory(const struct rt_code_map *map, struct rt_instance_path *ret) {
    *ret = (struct rt_instance_path){2, {offsetof(struct rt_instance, memory_base), 0}};
    return map->code->base.module->memory_count > 0;
}

bool rt_code_map_global(const struct rt_code_map *map, uint32_t global, struct rt_instance_path *ret) {
    const struct rt_module *module = map->code->base.module;
    struct rt_instance_layout layout;
    if (global >= module->global_count || !rt_instance_layout(module, &layout))
        return false;
    uint32_t imported = module->imported_globals, value = offsetof(struct rt_global, value);
    if (global < imported)
        *ret = (struct rt_instance_path){
            2, {layout.imported_globals + global * (uint32_t)sizeof(void *), value}};
    else
        *ret = (struct rt_instance_path){
            1, {layout.globals + (global - imported) * (uint32_t)sizeof(struct rt_global) + value}};
    return true;
}
