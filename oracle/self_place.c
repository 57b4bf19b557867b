/* Where variables are, judged by what the program does: an object has a constant address in its lifetime
 * (C11, section 6.2.4), shares no storage with another (6.5.9, note 109), lies in its function's frame (the
 * ABIs), is written as a whole or in parts but not together with its neighbour, and holds its last value; one
 * that is const-qualified, its first (6.7.3). */
#include "oracle/self.h"

#include <string.h>

enum {
    RED_ZONE = 128, /* below the stack pointer: of the AMD64 ABI, and of LLVM's WebAssembly code */
    STACK_POINTER = 7,
    DW_OP_REG0 = 0x50,
    DW_OP_BREG6 = 0x76,
    DW_OP_BREG7 = 0x77,
    DW_OP_FBREG = 0x91,
};

/* An offset from the frame and nothing else: a place that is the same as long as the frame is. */
static bool is_frame_offset(const struct st_expression *expression) {
    size_t end = 1;
    if (!expression || expression->size < 2 ||
        (expression->bytes[0] != DW_OP_FBREG && expression->bytes[0] != DW_OP_BREG6 &&
         expression->bytes[0] != DW_OP_BREG7))
        return false;
    while (end < expression->size && expression->bytes[end] & 0x80)
        end++;
    return end + 1 == expression->size;
}

static const char *hex(struct or_self *self, uint64_t address) {
    return or_printf(&self->report->arena, "0x%llx", (unsigned long long)address);
}

/* ---- From stop to stop ---- */

static void check_constant(struct or_self *self, const struct or_self_site *site,
                           const struct or_self_variable *variable, const struct st_place *place,
                           const uint8_t *bytes) {
    struct or_self_shown *shown = &self->live->shown[variable - self->functions[site->function].variables];
    uint64_t value = 0;
    /* A parameter is initialised once in an activation; how often a block is entered is not to be seen in
     * optimised code, and an inlined call may be made many times. */
    if (!variable->is_constant || !variable->variable->is_parameter || variable->scope_first != 0)
        return;
    memcpy(&value, bytes, variable->size);
    if (!shown->is_constant_known) {
        shown->is_constant_known = true;
        shown->constant = value;
        shown->constant_address = shown->address;
    } else if (is_frame_offset(place->expression) && shown->address != shown->constant_address) {
        return; /* another object is read, and `place` says so */
    } else if (shown->constant != value) {
        struct or_self_place at = or_self_at(self, site, variable->variable, place->expression);
        or_self_report(self, OR_SELF_CONSTANT, &at, NULL, "a const-qualified parameter's value changes",
                       hex(self, value),
                       or_printf(&self->report->arena, "0x%llx before", (unsigned long long)shown->constant));
    }
}

static void compare_shown(struct or_self *self, const struct or_self_site *site,
                          const struct or_self_variable *variable, const struct or_self_shown *old,
                          const struct or_self_shown *now) {
    struct or_self_report *counts = &self->report->public;
    bool is_same = old->digest == now->digest;
    if (old->expression != now->expression) {
        *(is_same ? &counts->carried : &counts->moved) += 1;
        return;
    }
    *(is_same ? &counts->kept : &counts->assigned) += 1;
    if (old->kind != ST_PLACE_MEMORY || now->kind != ST_PLACE_MEMORY || old->address == now->address ||
        !is_frame_offset(now->expression))
        return;
    struct or_self_place at = or_self_at(self, site, variable->variable, now->expression);
    or_self_report(self, OR_SELF_PLACE, &at, NULL,
                   "one expression puts a variable elsewhere than at the frame's stop before",
                   hex(self, now->address),
                   or_printf(&self->report->arena, "0x%llx before", (unsigned long long)old->address));
}

/* What our evaluator cannot do is not the binary's fault. */
static void check_meaning(struct or_self *self, const struct or_self_site *site,
                          const struct or_self_variable *variable, const struct st_place *place) {
    if (strstr(place->reason, "not supported"))
        return;
    struct or_self_place at = or_self_at(self, site, variable->variable, place->expression);
    const struct or_self_shown *shown =
        &self->live->shown[variable - self->functions[site->function].variables];
    const char *shape = strstr(place->reason, "no local")      ? "no_local"
                        : strstr(place->reason, "two types")   ? "two_types"
                        : !strstr(place->reason, "no operand") ? NULL
                        : shown->held == at.expression         ? "operand_gone"
                                                               : "operand_to_come";
    or_self_report(self, OR_SELF_IRRETRIEVABLE, &at, shape, "a variable in scope cannot be evaluated",
                   "a location", or_printf(&self->report->arena, "%s", place->reason));
}

void or_self_check_operands(struct or_self *self, const struct or_self_site *site) {
    const struct or_self_function *function = &self->functions[site->function];
    for (size_t i = 0; site->is_settled && i < function->variable_count; i++) {
        const struct or_self_variable *variable = &function->variables[i];
        struct st_place place;
        if (!variable->is_operand || !or_self_is_visible(variable, site))
            continue;
        st_locate(self->session, self->frame, variable->variable, &place);
        if (place.kind == ST_PLACE_IRRETRIEVABLE)
            check_meaning(self, site, variable, &place);
        else
            self->live->shown[i].held = place.expression;
    }
}

void or_self_check_shown(struct or_self *self, const struct or_self_site *site) {
    const struct or_self_function *function = &self->functions[site->function];
    for (size_t i = 0; site->is_settled && i < function->variable_count; i++) {
        const struct or_self_variable *variable = &function->variables[i];
        struct or_self_shown *shown = &self->live->shown[i], now = *shown;
        struct st_place place;
        if (!or_self_is_visible(variable, site)) {
            shown->is_known = false;
            continue;
        }
        st_locate(self->session, self->frame, variable->variable, &place);
        if (place.kind == ST_PLACE_IRRETRIEVABLE)
            check_meaning(self, site, variable, &place);
        const uint8_t *bytes = or_self_bytes(self, &place, variable->size);
        now.is_known = bytes != NULL;
        if (bytes) {
            now.kind = (uint8_t)place.kind;
            now.expression = place.expression;
            now.address = place.kind == ST_PLACE_MEMORY ? place.address : 0;
            now.digest = or_self_hash(bytes, variable->size, 0);
            if (shown->is_known)
                compare_shown(self, site, variable, shown, &now);
        }
        *shown = now;
        if (bytes)
            check_constant(self, site, variable, &place, bytes);
    }
}

/* ---- Storage ---- */

/* Where a variable with one place is; false when it has none. */
static bool slot_of(struct or_self *self, const struct or_self_variable *variable, uint64_t *ret,
                    const struct st_expression **ret_expression) {
    struct st_place place;
    if (!variable->is_slot)
        return false;
    st_locate(self->session, self->frame, variable->variable, &place);
    *ret = place.address;
    *ret_expression = place.expression;
    return place.kind == ST_PLACE_MEMORY;
}

/* Storage of locals: [*low, *high). False when it is not known. */
static bool frame_extent(const struct or_self *self, uint64_t *low, uint64_t *high) {
    uint64_t stack = self->frame->registers[STACK_POINTER];
    *high = self->live->cfa - 8; /* the return address */
    if (!self->live->is_whole || (self->instance && self->stack_pointer == UINT32_MAX))
        return false;
    if (self->instance) {
        stack = rt_global_get(rt_instance_global(self->instance, self->stack_pointer)).i32;
        *high = self->live->stack_pointer;
    }
    *low = stack > RED_ZONE ? stack - RED_ZONE : 0;
    return true;
}

static void check_extent(struct or_self *self, const struct or_self_site *site,
                         const struct or_self_variable *variable, uint64_t address,
                         const struct st_expression *expression) {
    uint64_t low, high;
    /* Some parameters are in the caller's frame. */
    if (variable->variable->is_parameter || !frame_extent(self, &low, &high) ||
        (address >= low && address + variable->size <= high))
        return;
    struct or_self_place at = or_self_at(self, site, variable->variable, expression);
    or_self_report(self, OR_SELF_OUTSIDE, &at, NULL, "a local lies outside of its function's frame",
                   or_printf(&self->report->arena, "[0x%llx, 0x%llx)", (unsigned long long)address,
                             (unsigned long long)(address + variable->size)),
                   or_printf(&self->report->arena, "frame [0x%llx, 0x%llx)", (unsigned long long)low,
                             (unsigned long long)high));
}

void or_self_check_slots(struct or_self *self, const struct or_self_site *site) {
    const struct or_self_function *function = &self->functions[site->function];
    for (size_t i = 0; site->is_settled && i < function->variable_count; i++) {
        const struct or_self_variable *variable = &function->variables[i];
        const struct st_expression *expression, *other_expression;
        uint64_t address, other_address;
        if (!or_self_is_visible(variable, site) || !slot_of(self, variable, &address, &expression))
            continue;
        check_extent(self, site, variable, address, expression);
        for (size_t k = 0; self->options.is_unoptimised && k < i; k++) {
            const struct or_self_variable *other = &function->variables[k];
            if (!or_self_is_visible(other, site) ||
                !slot_of(self, other, &other_address, &other_expression) ||
                other_address >= address + variable->size || address >= other_address + other->size)
                continue;
            struct or_self_place at = or_self_at(self, site, variable->variable, expression);
            or_self_report(self, OR_SELF_OVERLAP, &at, NULL, "two live variables share storage",
                           or_printf(&self->report->arena, "0x%llx, %llu bytes", (unsigned long long)address,
                                     (unsigned long long)variable->size),
                           or_printf(&self->report->arena, "%s at 0x%llx, %llu bytes", other->variable->name,
                                     (unsigned long long)other_address, (unsigned long long)other->size));
        }
    }
}

/* ---- Stores ---- */

void or_self_check_store(struct or_self *self, const struct or_self_site *site) {
    const struct or_self_function *function = &self->functions[site->function];
    const struct or_self_variable *hidden = NULL;
    const struct st_expression *expression, *hidden_expression = NULL;
    uint64_t store, size = site->instruction.store_size, address;
    if (!site->is_settled || !st_session_store(self->session, &site->instruction, &store))
        return;
    self->report->public.stores++;
    for (size_t i = 0; i < function->variable_count; i++) {
        const struct or_self_variable *variable = &function->variables[i];
        if (!slot_of(self, variable, &address, &expression) || store >= address + variable->size ||
            address >= store + size)
            continue;
        struct or_self_place at = or_self_at(self, site, variable->variable, expression);
        if (!or_self_is_visible(variable, site)) {
            if (variable->may_be_returned)
                continue;
            hidden = variable;
            hidden_expression = expression;
            continue;
        }
        if (store < address || store + size > address + variable->size)
            or_self_report(self, OR_SELF_STORE, &at, NULL, "a store writes into a variable and beside it",
                           or_printf(&self->report->arena, "0x%llx, %llu bytes", (unsigned long long)address,
                                     (unsigned long long)variable->size),
                           or_printf(&self->report->arena, "%llu bytes at 0x%llx are written",
                                     (unsigned long long)size, (unsigned long long)store));
        return;
    }
    if (!hidden)
        return;
    struct or_self_place at = or_self_at(self, site, hidden->variable, hidden_expression);
    or_self_report(self, OR_SELF_HIDDEN, &at, NULL, "a store writes a variable that is not in scope",
                   or_printf(&self->report->arena, "not in scope; DIE 0x%llx is its scope",
                             (unsigned long long)hidden->scope->die),
                   or_printf(&self->report->arena, "%llu bytes at 0x%llx are written",
                             (unsigned long long)size, (unsigned long long)store));
}

/* ---- Calls ---- */

/* The register that alone holds a variable and that a callee need not keep; -1 for any other place. rax and
 * rdx may hold what the call returns. */
static int unkept_register(const struct st_expression *expression) {
    if (!expression || expression->size != 1 || expression->bytes[0] < DW_OP_REG0)
        return -1;
    int number = expression->bytes[0] - DW_OP_REG0;
    return number == 2 || number == 4 || number == 5 || (number >= 8 && number <= 11) ? number : -1;
}

void or_self_note_call(struct or_self *self, const struct or_self_site *site) {
    const struct or_self_function *function = &self->functions[site->function];
    struct or_self_call *call = &self->live->call;
    call->count = 0;
    for (uint32_t i = 0; !self->instance && i < function->variable_count; i++) {
        struct st_place place;
        if (!or_self_is_visible(&function->variables[i], site) ||
            call->count == sizeof call->held / sizeof *call->held)
            continue;
        st_locate(self->session, self->frame, function->variables[i].variable, &place);
        int number = place.kind == ST_PLACE_VALUE ? unkept_register(place.expression) : -1;
        if (number >= 0 && self->frame->known & 1u << number)
            call->held[call->count++] =
                (struct or_self_held){i, place.expression, self->frame->registers[number]};
    }
}

void or_self_check_return(struct or_self *self, const struct or_self_site *site) {
    const struct or_self_function *function = &self->functions[site->function];
    struct or_self_call *call = &self->live->call;
    for (size_t i = 0; i < call->count; i++) {
        const struct or_self_held *held = &call->held[i];
        const struct or_self_variable *variable = &function->variables[held->variable];
        struct st_place place;
        if (!or_self_is_visible(variable, site))
            continue;
        st_locate(self->session, self->frame, variable->variable, &place);
        uint64_t now = self->frame->registers[unkept_register(held->expression)];
        uint64_t mask = variable->size < 8 ? (UINT64_C(1) << 8 * variable->size) - 1 : UINT64_MAX;
        if (place.expression != held->expression || ((now ^ held->value) & mask) == 0)
            continue;
        struct or_self_place at = or_self_at(self, site, variable->variable, place.expression);
        or_self_report(self, OR_SELF_CLOBBERED, &at, NULL,
                       "a register that a call need not keep is said to hold a variable after it",
                       hex(self, now & mask),
                       or_printf(&self->report->arena, "0x%llx before the call",
                                 (unsigned long long)(held->value & mask)));
    }
    call->count = 0;
}
