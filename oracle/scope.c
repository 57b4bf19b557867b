/* Compares the variables in scope at a stop: which there are, whether both sides can show them, and their
 * scalars. */
#include "oracle/compare.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

static const char *class_word(const struct or_variable *variable) {
    const struct st_variable *v = variable->side[0] ? variable->side[0] : variable->side[1];
    return v->is_parameter ? "parameter" : !v->is_static ? "local" : variable->owner ? "static" : "global";
}

static const char *type_word(const struct st_type *type) {
    type = st_type_strip(type);
    if (!type)
        return "void";
    switch (type->kind) {
    case ST_TYPE_STRUCT: return "struct";
    case ST_TYPE_UNION: return "union";
    case ST_TYPE_ARRAY: return "array";
    case ST_TYPE_POINTER: return "pointer";
    case ST_TYPE_ENUM: return "enum";
    default: return type->name ? type->name : "scalar";
    }
}

/* "local/array/DW_OP_fbreg|DW_OP_fbreg": what two programs with the same defect share. */
static const char *shape_of(struct or_comparison *comparison, const struct or_variable *variable,
                            const struct st_place place[2]) {
    const struct st_variable *v = variable->side[0] ? variable->side[0] : variable->side[1];
    return rt_arena_printf(&comparison->report->arena, "%s/%s/%s|%s", class_word(variable),
                           type_word(v->type),
                           or_dwarf_shape(comparison, variable->side[0], place ? &place[0] : NULL),
                           or_dwarf_shape(comparison, variable->side[1], place ? &place[1] : NULL));
}

void or_compare_storage(struct or_comparison *comparison, const struct or_variable *const variables[2],
                        const struct or_copy *const copies[2]) {
    struct rt_arena *arena = &comparison->report->arena;
    bool is_shared[2];
    for (int side = 0; side < 2; side++) {
        const uint64_t first = copies[0]->address[side], first_size = copies[0]->size[side];
        const uint64_t second = copies[1]->address[side], second_size = copies[1]->size[side];
        if (first == OR_NO_ADDRESS || second == OR_NO_ADDRESS || !first_size || !second_size)
            return;
        is_shared[side] = first < second + second_size && second < first + first_size;
    }
    if (is_shared[0] == is_shared[1])
        return;
    for (int which = 0; which < 2; which++) {
        const struct or_variable *variable = variables[which];
        const char *name = variable->side[0]->name, *other = variables[!which]->side[0]->name;
        struct or_finding *finding =
            or_report_defer(comparison, OR_VALUE, name, other,
                            rt_arena_printf(arena, "%s/shared", shape_of(comparison, variable, NULL)),
                            rt_arena_printf(arena, "one side shows it in the storage of '%s'", other));
        for (int side = 0; finding && side < 2; side++) {
            finding->witnesses[side].value =
                rt_arena_printf(arena, "at 0x%llx%s%s", (unsigned long long)copies[which]->address[side],
                                is_shared[side] ? ", shared with " : "", is_shared[side] ? other : "");
            or_testify_dwarf(comparison, &finding->witnesses[side], variable->side[side], NULL);
        }
    }
}

static const char *state_word(const struct st_place *place) {
    return place->kind == ST_PLACE_OPTIMIZED_OUT   ? "optimized_out"
           : place->kind == ST_PLACE_IRRETRIEVABLE ? "irretrievable"
                                                   : NULL;
}

/* A variable that one side shows and the other does not, or that a side cannot evaluate. `object`: its bytes
 * on the side that shows it, else NULL. */
static void report_state(struct or_comparison *comparison, const struct or_variable *variable,
                         const struct st_place place[2], const uint8_t *const object[2], enum or_kind kind) {
    const char *shape = shape_of(comparison, variable, place);
    struct or_finding *finding = or_report_add(comparison, kind, variable->side[0]->name, shape, NULL);
    if (!finding)
        return;
    for (int side = 0; side < 2; side++) {
        struct or_testimony *testimony = &finding->witnesses[side];
        or_testify_dwarf(comparison, testimony, variable->side[side], place[side].expression);
        testimony->state = state_word(&place[side]);
        testimony->reason =
            place[side].reason ? rt_arena_printf(&comparison->report->arena, "%s", place[side].reason) : NULL;
        if (object[side])
            testimony->value = or_object_print(comparison, variable, side, object[side]);
    }
}

/* In unoptimised code a variable is in memory, where its address can be taken: one that a side computes
 * instead, out of no smaller one that is there, is suspicious, and of a pointer the value may not tell. */
static void note_computed(struct or_comparison *comparison, const struct or_variable *variable,
                          const struct st_place place[2]) {
    const int computed = place[0].kind == ST_PLACE_VALUE ? 0 : 1;
    const struct st_expression *expression = place[computed].expression;
    const struct st_type *type = st_type_strip(variable->side[0]->type);
    if (!comparison->options.is_unoptimised || place[0].kind == place[1].kind || !type ||
        type->kind != ST_TYPE_POINTER || place[computed].kind != ST_PLACE_VALUE ||
        place[computed].storage_size || place[!computed].kind != ST_PLACE_MEMORY || !expression ||
        expression->size < 2 || expression->bytes[expression->size - 1] != DW_OP_stack_value)
        return;
    struct or_finding *finding = or_report_defer(
        comparison, OR_VALUE, variable->side[0]->name, variable->side[0]->name,
        shape_of(comparison, variable, place), "one side computes it, and has no address for it");
    for (int side = 0; finding && side < 2; side++) {
        finding->witnesses[side].value = side == computed ? "(computed)" : "(in memory)";
        or_testify_dwarf(comparison, &finding->witnesses[side], variable->side[side], place[side].expression);
    }
}

static bool has_all_bytes(const struct st_place *place, uint64_t size) {
    if (size > sizeof(place->bytes) || place->size < size)
        return false;
    uint64_t all = size == 64 ? UINT64_MAX : (UINT64_C(1) << size) - 1;
    return (place->valid & all) == all;
}

/* Two values of which parts are known: the same parts, with the same bytes. */
static bool has_same_parts(const struct st_place place[2]) {
    bool same = place[0].valid == place[1].valid;
    for (unsigned i = 0; same && i < sizeof(place[0].bytes); i++)
        same = !(place[0].valid >> i & 1) || place[0].bytes[i] == place[1].bytes[i];
    return same;
}

uint64_t or_place_storage(const struct st_place *place, uint64_t size, uint64_t *ret_address) {
    *ret_address = place->kind == ST_PLACE_MEMORY ? place->address : place->storage;
    return place->kind == ST_PLACE_MEMORY ? size : place->kind == ST_PLACE_VALUE ? place->storage_size : 0;
}

bool or_place_variable(struct or_comparison *comparison, const struct or_variable *variable,
                       struct st_place place[2], const uint8_t *object[2]) {
    struct or_report *report = &comparison->report->public;
    for (int side = 0; side < 2; side++) {
        struct or_side *s = &comparison->sides[side];
        struct st_place *p = &place[side];
        uint64_t size = variable->layout->size[side];
        st_locate(s->session, s->frame, variable->side[side], p);
        object[side] = NULL;
        if (p->kind == ST_PLACE_MEMORY) {
            object[side] = st_session_memory(s->session, p->address, size);
            if (!object[side]) {
                p->kind = ST_PLACE_IRRETRIEVABLE;
                p->reason =
                    rt_arena_printf(&comparison->scratch, "its address 0x%llx is not the debuggee's memory",
                                    (unsigned long long)p->address);
            }
        } else if (p->kind == ST_PLACE_VALUE) {
            if (has_all_bytes(p, size))
                object[side] = p->bytes;
            else
                p->kind = ST_PLACE_OPTIMIZED_OUT; /* in part; which part is no matter of this level */
        }
        report->optimized_out[side] += p->kind == ST_PLACE_OPTIMIZED_OUT;
        report->irretrievable[side] += p->kind == ST_PLACE_IRRETRIEVABLE;
    }
    if (object[0] && object[1]) {
        note_computed(comparison, variable, place);
        return true;
    }
    if (comparison->options.is_one_module && !object[0] && !object[1])
        return false;
    /* Of one code, what neither debug information can show is no difference. */
    if (comparison->options.is_same_code && place[0].kind == place[1].kind) {
        if (place[0].kind == ST_PLACE_OPTIMIZED_OUT && !has_same_parts(place))
            report_state(comparison, variable, place, object, OR_OPTIMIZED_OUT);
        return false;
    }
    if (place[0].kind == ST_PLACE_IRRETRIEVABLE || place[1].kind == ST_PLACE_IRRETRIEVABLE)
        report_state(comparison, variable, place, object, OR_IRRETRIEVABLE);
    else if ((place[0].kind == ST_PLACE_OPTIMIZED_OUT) != (place[1].kind == ST_PLACE_OPTIMIZED_OUT))
        report_state(comparison, variable, place, object, OR_OPTIMIZED_OUT);
    return false;
}

static void report_wrong(struct or_comparison *comparison, const struct or_variable *variable, size_t leaf,
                         const uint64_t bits[2], const struct st_place place[2], size_t wrong) {
    struct rt_arena *arena = &comparison->report->arena;
    const struct or_layout *layout = variable->layout;
    const char *name =
        rt_arena_printf(arena, "%s%s", variable->side[0]->name, or_layout_path(layout, leaf, arena));
    const char *detail = wrong > 1
                             ? rt_arena_printf(arena, "%zu of its %zu scalars differ; the first one is shown",
                                               wrong, layout->leaf_count)
                             : NULL;
    struct or_finding *finding =
        or_report_add(comparison, OR_VALUE, name, shape_of(comparison, variable, place), detail);
    if (!finding)
        return;
    for (int side = 0; side < 2; side++) {
        finding->witnesses[side].value = or_leaf_print(comparison, &layout->leaves[leaf], side, bits[side]);
        or_testify_dwarf(comparison, &finding->witnesses[side], variable->side[side], place[side].expression);
    }
}

static bool bytes_changed(const struct or_leaf *leaf, const struct or_copy *copy,
                          const uint8_t *const object[2]) {
    return memcmp(object[0] + leaf->offset[0], copy->bytes[0] + leaf->offset[0], leaf->size[0]) ||
           memcmp(object[1] + leaf->offset[1], copy->bytes[1] + leaf->offset[1], leaf->size[1]);
}

void or_compare_object(struct or_comparison *comparison, const struct or_variable *variable,
                       struct or_copy *copy, const uint8_t *const object[2], const uint64_t address[2],
                       const struct st_place place[2]) {
    struct or_report *report = &comparison->report->public;
    const struct or_layout *layout = variable->layout;
    bool may_vouch = copy->is_known && copy->has_agreed && copy->address[0] == address[0] &&
                     copy->address[1] == address[1];
    if (may_vouch && !memcmp(object[0], copy->bytes[0], layout->size[0]) &&
        !memcmp(object[1], copy->bytes[1], layout->size[1])) {
        report->unchanged += layout->leaf_count - copy->opaque;
        return;
    }
    size_t wrong = 0, first_wrong = 0;
    uint64_t wrong_bits[2] = {0, 0}, values = 0, unchanged = 0;
    uint32_t opaque = 0;
    for (size_t i = 0; i < layout->leaf_count; i++) {
        const struct or_leaf *leaf = &layout->leaves[i];
        if (leaf->class == OR_OPAQUE) {
            opaque++;
            continue;
        }
        if (may_vouch && !bytes_changed(leaf, copy, object)) {
            unchanged++;
            continue;
        }
        uint64_t bits[2] = {or_leaf_bits(leaf, 0, object[0]), or_leaf_bits(leaf, 1, object[1])};
        switch (or_leaf_compare(comparison, leaf, bits[0], bits[1])) {
        case OR_EQUAL: values++; break;
        case OR_UNKNOWABLE: opaque++; break;
        case OR_WRONG:
            values++;
            if (!wrong++) {
                first_wrong = i;
                memcpy(wrong_bits, bits, sizeof(bits));
            }
        }
    }
    report->values += values;
    report->unchanged += unchanged;
    report->opaque += opaque;
    copy->opaque = opaque;
    copy->has_agreed = wrong == 0;
    copy->is_known = true;
    for (int side = 0; side < 2; side++) {
        uint64_t start;
        copy->address[side] = address[side];
        copy->size[side] = or_place_storage(&place[side], layout->size[side], &start);
        memcpy(copy->bytes[side], object[side], layout->size[side]);
    }
    if (wrong)
        report_wrong(comparison, variable, first_wrong, wrong_bits, place, wrong);
}

/* ---- Plans ---- */

static size_t pair_bucket(const void *a, const void *b) {
    return ((uintptr_t)a / 16 * 31 + (uintptr_t)b / 16) % 256;
}

static struct or_function_plan *function_plan(struct or_comparison *comparison, const struct st_function *a,
                                              const struct st_function *b) {
    struct or_function_plan **bucket = &comparison->function_plans[pair_bucket(a, b)];
    for (struct or_function_plan *plan = *bucket; plan; plan = plan->next)
        if (plan->function[0] == a && plan->function[1] == b)
            return plan;
    struct or_function_plan *plan = rt_arena_alloc(&comparison->report->arena, sizeof(*plan));
    if (plan) {
        *plan = (struct or_function_plan){.function = {a, b}, .next = *bucket};
        *bucket = plan;
    }
    return plan;
}

/* Index of a variable pair in a function's plan, made when it is new. */
static struct rt_error *plan_variable(struct or_comparison *comparison, struct or_function_plan *plan,
                                      const struct st_variable *a, const struct st_variable *b,
                                      uint32_t *ret) {
    for (size_t i = 0; i < plan->variable_count; i++)
        if (plan->variables[i].side[0] == a && plan->variables[i].side[1] == b) {
            *ret = (uint32_t)i;
            return NULL;
        }
    struct rt_arena *arena = &comparison->report->arena;
    if (plan->variable_count == plan->capacity) {
        size_t capacity = plan->capacity ? 2 * plan->capacity : 16;
        struct or_variable *variables = rt_arena_array(arena, capacity, sizeof(*variables));
        if (!variables)
            return rt_error_out_of_memory();
        if (plan->variable_count)
            memcpy(variables, plan->variables, plan->variable_count * sizeof(*variables));
        plan->variables = variables;
        plan->capacity = capacity;
    }
    struct or_variable variable = {
        .side = {a, b}, .shadow = plan->shadow_size, .owner = plan->function[0]->name};
    struct rt_error *error = or_layout_get(&comparison->layouts, arena, a->type, b->type, &variable.layout);
    if (error)
        return error;
    plan->shadow_size += variable.layout->size[0] + variable.layout->size[1];
    plan->variables[plan->variable_count] = variable;
    *ret = (uint32_t)plan->variable_count++;
    return NULL;
}

bool or_is_same_variable(const struct st_variable *a, const struct st_variable *b) {
    return a->line == b->line && a->is_parameter == b->is_parameter && !strcmp(a->name, b->name);
}

/* The variables of a scope and the scopes around it, out to its (logical) function. Returns their number. */
static size_t visible_variables(const struct st_scope *scope, const struct st_variable **ret,
                                size_t capacity) {
    size_t count = 0;
    for (const struct st_scope *s = scope; s; s = s->parent) {
        for (size_t i = 0; i < s->variable_count; i++, count++)
            if (count < capacity)
                ret[count] = &s->variables[i];
        if (s->kind != ST_SCOPE_BLOCK)
            break;
    }
    return count;
}

static void report_absent(struct or_comparison *comparison, const struct st_variable *variable, int side) {
    struct or_variable pair = {.owner = ""};
    pair.side[side] = variable;
    struct or_finding *finding =
        or_report_add(comparison, OR_SCOPE, variable->name, shape_of(comparison, &pair, NULL),
                      "one side has this variable in scope and the other does not");
    if (!finding)
        return;
    or_testify_dwarf(comparison, &finding->witnesses[side], variable, NULL);
    finding->witnesses[side].value = "(in scope)";
    finding->witnesses[!side].state = "absent";
}

static void report_type(struct or_comparison *comparison, const struct or_variable *variable) {
    struct or_finding *finding =
        or_report_add(comparison, OR_TYPE, variable->side[0]->name, shape_of(comparison, variable, NULL),
                      variable->layout->mismatch);
    for (int side = 0; finding && side < 2; side++) {
        const struct st_type *type = variable->side[side]->type;
        finding->witnesses[side].value = rt_arena_printf(&comparison->report->arena, "type '%s', %llu bytes",
                                                         type && type->name ? type->name : "(unnamed)",
                                                         (unsigned long long)variable->layout->size[side]);
        or_testify_dwarf(comparison, &finding->witnesses[side], variable->side[side], NULL);
    }
}

/* Fills a new plan: pairs the variables of both chains of scopes by name and declaration line. Statics are
 * watch.c's. */
static struct rt_error *fill_plan(struct or_comparison *comparison, struct or_scope_plan *plan) {
    struct rt_arena *arena = &comparison->report->arena;
    const struct st_variable **visible[2];
    size_t count[2];
    for (int side = 0; side < 2; side++) {
        count[side] = visible_variables(plan->scope[side], NULL, 0);
        visible[side] = rt_arena_array(arena, count[side], sizeof(*visible[side]));
        if (!visible[side])
            return rt_error_out_of_memory();
        visible_variables(plan->scope[side], visible[side], count[side]);
    }
    plan->variables = rt_arena_array(arena, count[0], sizeof(*plan->variables));
    bool *is_taken = rt_arena_array(arena, count[1], sizeof(*is_taken));
    if (!plan->variables || !is_taken)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < count[0]; i++) {
        const struct st_variable *a = visible[0][i];
        size_t j = 0;
        while (j < count[1] && (is_taken[j] || !or_is_same_variable(a, visible[1][j])))
            j++;
        if (j == count[1]) {
            report_absent(comparison, a, 0);
            continue;
        }
        is_taken[j] = true;
        if ((a->is_static || a->is_dropped) && (visible[1][j]->is_static || visible[1][j]->is_dropped))
            continue;
        uint32_t index;
        struct rt_error *error = plan_variable(comparison, plan->function, a, visible[1][j], &index);
        if (error)
            return error;
        const struct or_variable *variable = &plan->function->variables[index];
        if (variable->layout->mismatch)
            report_type(comparison, variable);
        else
            plan->variables[plan->variable_count++] = index;
    }
    for (size_t j = 0; j < count[1]; j++)
        if (!is_taken[j])
            report_absent(comparison, visible[1][j], 1);
    return NULL;
}

static struct rt_error *scope_plan(struct or_comparison *comparison, struct or_scope_plan **ret) {
    const struct or_side *n = &comparison->sides[0], *w = &comparison->sides[1];
    const struct st_scope *a = n->point->scope, *b = w->point->scope;
    struct or_scope_plan **bucket = &comparison->scope_plans[pair_bucket(a, b)];
    for (struct or_scope_plan *plan = *bucket; plan; plan = plan->next)
        if (plan->scope[0] == a && plan->scope[1] == b) {
            *ret = plan;
            return NULL;
        }
    struct or_scope_plan *plan = rt_arena_alloc(&comparison->report->arena, sizeof(*plan));
    struct or_function_plan *function = function_plan(comparison, n->point->function, w->point->function);
    if (!plan || !function)
        return rt_error_out_of_memory();
    *plan = (struct or_scope_plan){.scope = {a, b}, .function = function, .next = *bucket};
    *bucket = plan;
    *ret = plan;
    return fill_plan(comparison, plan);
}

/* ---- Frames ---- */

/* The pair of activations that the two sides are in, with room for copies of all variables of its plan. */
static struct rt_error *present_pair(struct or_comparison *comparison, struct or_function_plan *plan,
                                     struct or_frame_pair **ret) {
    const struct or_side *sides = comparison->sides;
    size_t depth = sides[0].depth;
    if (depth > comparison->pair_capacity) {
        size_t capacity = 2 * depth;
        struct or_frame_pair *pairs = realloc(comparison->pairs, capacity * sizeof(*pairs));
        if (!pairs)
            return rt_error_out_of_memory();
        memset(pairs + comparison->pair_capacity, 0, (capacity - comparison->pair_capacity) * sizeof(*pairs));
        comparison->pairs = pairs;
        comparison->pair_capacity = capacity;
    }
    for (size_t i = depth; i < comparison->pair_count;
         i++) /* frames that were left: pointers into them mean nothing */
        comparison->pairs[i].copy_count = 0;
    comparison->pair_count = depth;
    struct or_frame_pair *pair = &comparison->pairs[depth - 1];
    uint64_t serial[2] = {sides[0].frames[depth - 1].serial, sides[1].frames[sides[1].depth - 1].serial};
    if (pair->plan != plan || pair->serial[0] != serial[0] || pair->serial[1] != serial[1]) {
        pair->plan = plan;
        memcpy(pair->serial, serial, sizeof(serial));
        pair->copy_count = 0;
    }
    if (pair->copy_count < plan->variable_count) {
        struct or_copy *copies = realloc(pair->copies, plan->variable_count * sizeof(*copies));
        if (!copies)
            return rt_error_out_of_memory();
        for (size_t i = pair->copy_count; i < plan->variable_count; i++)
            copies[i] = (struct or_copy){.address = {OR_NO_ADDRESS, OR_NO_ADDRESS}};
        pair->copies = copies;
        pair->copy_count = plan->variable_count;
    }
    if (!pair->shadow || pair->shadow_capacity < plan->shadow_size) {
        uint8_t *shadow = realloc(pair->shadow, plan->shadow_size + 1);
        if (!shadow)
            return rt_error_out_of_memory();
        pair->shadow = shadow;
        pair->shadow_capacity = plan->shadow_size;
    }
    for (size_t i = 0; i < pair->copy_count; i++) {
        const struct or_variable *variable = &plan->variables[i];
        pair->copies[i].bytes[0] = pair->shadow + variable->shadow;
        pair->copies[i].bytes[1] = pair->copies[i].bytes[0] + variable->layout->size[0];
    }
    *ret = pair;
    return NULL;
}

/* Whether a location holds where a function's locals are filled. */
static bool is_filled_early(const struct st_location *location, const struct st_function *function) {
    bool holds = location->count == 0;
    for (size_t i = 0; i < location->count && !holds; i++) {
        const struct st_range *range = &location->expressions[i].range;
        holds = range->low <= function->body && function->body < range->high;
    }
    return holds;
}

/* A local to which nothing has been assigned yet, of which a side that could not fill it at its function's
 * first stop, as its location does not hold from there on, shows garbage: the other side shows it full of
 * filling, or could not fill it either, and both stand in front of its declaration (C17 6.7.9, 10:
 * indeterminate). */
static bool is_unassigned(const struct or_comparison *comparison, const struct or_variable *variable,
                          const uint8_t *const object[2]) {
    const struct or_side *sides = comparison->sides;
    bool is_late[2];
    if (!sides[0].fill_locals || variable->side[0]->is_parameter)
        return false;
    for (int side = 0; side < 2; side++)
        is_late[side] = !is_filled_early(&variable->side[side]->location, sides[side].point->function);
    if (is_late[0] && is_late[1] && sides[0].point->row->line == variable->side[0]->line)
        return true;
    for (int side = 0; side < 2; side++) {
        uint64_t size = variable->layout->size[side], filled = 0;
        while (is_late[!side] && filled < size && object[side][filled] == OR_FILL_BYTE)
            filled++;
        if (size && filled == size)
            return true;
    }
    return false;
}

/* Variables of one scope whose storage overlaps on one side alone. In unoptimised code each keeps its own. */
static void compare_storage(struct or_comparison *comparison, struct or_scope_plan *plan,
                            const struct or_frame_pair *pair) {
    for (size_t i = 0; i < plan->variable_count; i++)
        for (size_t k = i + 1; k < plan->variable_count; k++) {
            const uint32_t a = plan->variables[i], b = plan->variables[k];
            const struct or_variable *const both[2] = {&plan->function->variables[a],
                                                       &plan->function->variables[b]};
            const struct or_copy *const copies[2] = {&pair->copies[a], &pair->copies[b]};
            if (copies[0]->is_known && copies[1]->is_known)
                or_compare_storage(comparison, both, copies);
        }
    plan->is_storage_checked = true;
}

struct rt_error *or_compare_scopes(struct or_comparison *comparison) {
    struct or_scope_plan *plan;
    struct or_frame_pair *pair;
    struct rt_error *error = scope_plan(comparison, &plan);
    if (error || (error = present_pair(comparison, plan->function, &pair)))
        return error;
    for (size_t i = 0; i < plan->variable_count; i++) {
        const struct or_variable *variable = &plan->function->variables[plan->variables[i]];
        struct st_place place[2];
        const uint8_t *object[2];
        bool is_shown = or_place_variable(comparison, variable, place, object);
        for (int side = 0; side < 2; side++)
            comparison->report->public.readable[side] += object[side] != NULL;
        if (!is_shown)
            continue;
        if (is_unassigned(comparison, variable, object)) {
            comparison->report->public.opaque += variable->layout->leaf_count;
            comparison->report->public.same++;
            continue;
        }
        uint64_t address[2];
        for (int side = 0; side < 2; side++)
            if (!or_place_storage(&place[side], variable->layout->size[side], &address[side]))
                address[side] = OR_NO_ADDRESS;
        struct or_copy *copy = &pair->copies[plan->variables[i]];
        or_compare_object(comparison, variable, copy, object, address, place);
        comparison->report->public.same += copy->has_agreed;
    }
    if (comparison->options.is_unoptimised && !plan->is_storage_checked)
        compare_storage(comparison, plan, pair);
    return NULL;
}
