/* Gives the locals of a function a known content before their first assignment, on both sides alike. What the
 * debug information says of where they are may be wrong, and what is written there may then be another
 * variable's: such storage is left alone, so that a lie changes what is shown and not what the program does.
 */
#include "oracle/compare.h"

#include <dwarf.h>
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

/* The memory of a variable of the present frame, 0 bytes when it is in none. */
static uint64_t find_storage(const struct or_side *side, const struct st_variable *variable,
                             struct st_place *place, uint64_t *ret_address) {
    st_locate(side->session, side->frame, variable, place);
    return or_place_storage(place, variable->type->size, ret_address);
}

/* Not at an offset in this frame: a pointer leads there, as to the caller's room for an aggregate that is
 * returned, which is elsewhere at each call. */
static bool is_led_to(const struct st_place *place) {
    const struct st_expression *expression = place->expression;
    size_t end = 1;
    if (!expression || !expression->size)
        return false;
    while (end < expression->size && expression->bytes[end] & 0x80)
        end++;
    return expression->bytes[0] != DW_OP_fbreg || end + 1 != expression->size;
}

static bool is_parameters(const struct or_side *side, const struct st_function *function, uint64_t address,
                          uint64_t size) {
    for (size_t i = 0; i < function->scope.variable_count; i++) {
        const struct st_variable *variable = &function->scope.variables[i];
        struct st_place place;
        uint64_t own, own_size;
        if (!variable->is_parameter || !variable->type)
            continue;
        own_size = find_storage(side, variable, &place, &own);
        if (own_size && overlaps(address, size, own, own_size))
            return true;
    }
    return false;
}

/* Native: the return address, or what is behind it, where no local of this frame is. */
static bool is_callers(const struct or_side *side, const struct st_place *place, uint64_t address,
                       uint64_t size) {
    return st_session_on_stack(side->session, address) &&
           address + size > side->frame->cfa - st_session_address_size(side->session) &&
           (address < side->frame->cfa || !is_led_to(place));
}

/* Native: below the red zone (System V ABI, 3.2.2), where nothing of the program lasts, and signal handlers
 * and injected calls keep their own. */
static bool is_below_stack(const struct or_side *side, uint64_t address) {
    enum { STACK_POINTER = 7, RED_ZONE = 128 };
    return st_session_on_stack(side->session, address) &&
           address < side->frame->registers[STACK_POINTER] - RED_ZONE;
}

/* A static variable's, or one's of a frame further out. */
static bool is_others(const struct or_comparison *comparison, int side, uint64_t address, uint64_t size) {
    const struct or_watch *watch = &comparison->watch;
    for (size_t i = 0; i < watch->item_count; i++)
        if (overlaps(address, size, watch->items[i].copy.address[side], watch->items[i].copy.size[side]))
            return true;
    const struct or_side *own = &comparison->sides[side];
    for (size_t d = 0; d < comparison->pair_count && d + 1 < own->depth; d++) {
        const struct or_frame_pair *pair = &comparison->pairs[d];
        if (!pair->plan || pair->serial[side] != own->frames[d].serial)
            continue; /* of a frame that was left */
        for (size_t i = 0; i < pair->copy_count; i++)
            if (overlaps(address, size, pair->copies[i].address[side], pair->copies[i].size[side]))
                return true;
    }
    return false;
}

static bool may_write(const struct or_comparison *comparison, const struct or_side *side,
                      const struct st_function *function, const struct st_place *place, uint64_t address,
                      uint64_t size) {
    return !is_callers(side, place, address, size) && !is_below_stack(side, address) &&
           !is_parameters(side, function, address, size) &&
           !is_others(comparison, (int)(side - comparison->sides), address, size);
}

/* A function's frames are alike in unoptimised code, so that what would be written over another variable is
 * left out once and for all; what a pointer leads to is looked at each time. */
struct rt_error *or_fill_locals(struct or_comparison *comparison, struct or_side *side,
                                const struct st_function *function) {
    struct or_filling *filling;
    struct rt_error *error = get_filling(comparison, side, function, &filling);
    if (error)
        return error;
    size_t kept = 0;
    for (size_t i = 0; i < filling->count; i++) {
        const struct st_variable *variable = filling->variables[i];
        struct st_place place;
        uint64_t address, size = find_storage(side, variable, &place, &address);
        const bool is_checked = filling->is_checked && !is_led_to(&place);
        const bool is_own =
            !size || is_checked || may_write(comparison, side, function, &place, address, size);
        void *bytes = size && is_own ? st_session_writable(side->session, address, size) : NULL;
        if (bytes)
            memset(bytes, OR_FILL_BYTE, size);
        if (is_own || is_led_to(&place))
            filling->variables[kept++] = variable;
    }
    filling->count = kept;
    filling->is_checked = true;
    return NULL;
}
