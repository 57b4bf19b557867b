/* Gives the locals of a function a known content before their first assignment, on both sides alike. What the
 * debug information says of where they are may be wrong, and what is written there may then be another
 * variable's: such storage is left alone, so that a lie changes what is shown and not what the program does.
 */
#include "oracle/compare.h"

#include <stdlib.h>
#include <string.h>

/* ---- Which ---- */

static bool may_fill(const struct st_variable *variable) {
    return !variable->is_parameter && !variable->is_static && !variable->is_artificial && variable->type;
}

static bool has_variable(const struct st_scope *scope, const struct st_variable *variable) {
    for (size_t i = 0; i < scope->variable_count; i++)
        if (or_is_same_variable(&scope->variables[i], variable))
            return true;
    for (size_t i = 0; i < scope->child_count; i++)
        if (scope->children[i].kind == ST_SCOPE_BLOCK && has_variable(&scope->children[i], variable))
            return true;
    return false;
}

static size_t count_variables(const struct st_scope *scope) {
    size_t count = scope->variable_count;
    for (size_t i = 0; i < scope->child_count; i++)
        if (scope->children[i].kind == ST_SCOPE_BLOCK)
            count += count_variables(&scope->children[i]);
    return count;
}

/* `partner`: the function on the other side, or NULL. */
static void list_variables(const struct st_scope *scope, const struct st_function *partner,
                           struct or_filling *ret) {
    for (size_t i = 0; i < scope->variable_count; i++) {
        const struct st_variable *variable = &scope->variables[i];
        if (may_fill(variable) && (!partner || has_variable(&partner->scope, variable)))
            ret->variables[ret->count++] = variable;
    }
    for (size_t i = 0; i < scope->child_count; i++)
        if (scope->children[i].kind == ST_SCOPE_BLOCK)
            list_variables(&scope->children[i], partner, ret);
}

static struct rt_error *get_filling(struct or_comparison *comparison, struct or_side *side,
                                    const struct st_function *function, struct or_filling **ret) {
    size_t count;
    if (!side->fillings) {
        st_debug_functions(side->debug, &count);
        if (!(side->fillings = calloc(count + 1, sizeof(*side->fillings))))
            return rt_error_out_of_memory();
    }
    struct or_filling *filling = *ret = &side->fillings[function->index];
    if (filling->variables)
        return NULL;
    const struct or_side *other = &comparison->sides[side == &comparison->sides[0]];
    filling->variables = rt_arena_array(&comparison->report->arena, count_variables(&function->scope) + 1,
                                        sizeof(*filling->variables));
    if (!filling->variables)
        return rt_error_out_of_memory();
    list_variables(&function->scope, or_partner(side->debug, function, other->debug), filling);
    return NULL;
}

/* ---- Where ---- */

static bool overlaps(uint64_t address, uint64_t size, uint64_t other, uint64_t other_size) {
    return other != OR_NO_ADDRESS && address < other + other_size && other < address + size;
}

static bool is_parameters(const struct or_side *side, const struct st_function *function, uint64_t address,
                          uint64_t size) {
    for (size_t i = 0; i < function->scope.variable_count; i++) {
        const struct st_variable *variable = &function->scope.variables[i];
        struct st_place place;
        if (!variable->is_parameter || !variable->type)
            continue;
        st_locate(side->session, side->frame, variable, &place);
        if (place.kind == ST_PLACE_MEMORY && overlaps(address, size, place.address, variable->type->size))
            return true;
    }
    return false;
}

/* Native: the return address, or what is behind it. */
static bool is_callers(const struct or_side *side, uint64_t address, uint64_t size) {
    return st_session_on_stack(side->session, address) &&
           address + size > side->frame->cfa - st_session_address_size(side->session);
}

/* A static variable's, or one's of a frame further out. */
static bool is_others(const struct or_comparison *comparison, int side, uint64_t address, uint64_t size) {
    const struct or_watch *watch = &comparison->watch;
    for (size_t i = 0; i < watch->item_count; i++)
        if (overlaps(address, size, watch->items[i].copy.address[side],
                     watch->items[i].variable.layout->size[side]))
            return true;
    const struct or_side *own = &comparison->sides[side];
    for (size_t d = 0; d < comparison->pair_count && d + 1 < own->depth; d++) {
        const struct or_frame_pair *pair = &comparison->pairs[d];
        if (!pair->plan || pair->serial[side] != own->frames[d].serial)
            continue; /* of a frame that was left */
        for (size_t i = 0; i < pair->copy_count; i++)
            if (overlaps(address, size, pair->copies[i].address[side],
                         pair->plan->variables[i].layout->size[side]))
                return true;
    }
    return false;
}

/* Leaves out what would be written over another variable. A function's frames are alike in unoptimised code,
 * so one look is enough. */
static void check_filling(struct or_comparison *comparison, struct or_side *side,
                          const struct st_function *function, struct or_filling *filling) {
    size_t kept = 0;
    for (size_t i = 0; i < filling->count; i++) {
        const struct st_variable *variable = filling->variables[i];
        struct st_place place;
        st_locate(side->session, side->frame, variable, &place);
        if (place.kind == ST_PLACE_MEMORY &&
            (is_callers(side, place.address, variable->type->size) ||
             is_parameters(side, function, place.address, variable->type->size) ||
             is_others(comparison, (int)(side - comparison->sides), place.address, variable->type->size)))
            continue;
        filling->variables[kept++] = variable;
    }
    filling->count = kept;
    filling->is_checked = true;
}

struct rt_error *or_fill_locals(struct or_comparison *comparison, struct or_side *side,
                                const struct st_function *function) {
    struct or_filling *filling;
    struct rt_error *error = get_filling(comparison, side, function, &filling);
    if (error)
        return error;
    if (!filling->is_checked)
        check_filling(comparison, side, function, filling);
    for (size_t i = 0; i < filling->count; i++) {
        const struct st_variable *variable = filling->variables[i];
        struct st_place place;
        st_locate(side->session, side->frame, variable, &place);
        void *bytes = place.kind == ST_PLACE_MEMORY
                          ? st_session_writable(side->session, place.address, variable->type->size)
                          : NULL;
        if (bytes)
            memset(bytes, OR_FILL_BYTE, variable->type->size);
    }
    return NULL;
}
