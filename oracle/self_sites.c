/* All instructions of a binary's functions with debug information: what each is, its row, its scope; and the
 * functions' variables. */
#include "oracle/self.h"

#include <stdlib.h>

enum { DW_OP_FBREG = 0x91, DW_OP_WASM_LOCATION = 0xed, WASM_OPERAND = 2, MAX_CONSTANT = 8 };

/* ---- Variables ---- */

static size_t count_variables(const struct st_scope *scope) {
    size_t count = scope->variable_count;
    for (size_t i = 0; i < scope->child_count; i++)
        count += count_variables(&scope->children[i]);
    return count;
}

/* DW_OP_fbreg and its operand, nothing behind it. */
static bool is_slot(const struct st_location *location) {
    if (location->kind != ST_LOCATION_EXPRESSIONS || location->count != 1)
        return false;
    const struct st_expression *expression = &location->expressions[0];
    if (expression->range.low != 0 || expression->size < 2 || expression->bytes[0] != DW_OP_FBREG)
        return false;
    size_t end = 1;
    while (end < expression->size && expression->bytes[end] & 0x80)
        end++;
    return end + 1 == expression->size;
}

static bool is_operand(const struct st_location *location) {
    for (size_t i = 0; location->kind == ST_LOCATION_EXPRESSIONS && i < location->count; i++) {
        const struct st_expression *expression = &location->expressions[i];
        if (expression->size > 2 && expression->bytes[0] == DW_OP_WASM_LOCATION &&
            expression->bytes[1] == WASM_OPERAND)
            return true;
    }
    return false;
}

static bool is_constant(const struct st_type *type) {
    bool is_const = false;
    while (type && type->kind >= ST_TYPE_TYPEDEF && type->kind <= ST_TYPE_ATOMIC) {
        if (type->kind == ST_TYPE_VOLATILE)
            return false;
        is_const = is_const || type->kind == ST_TYPE_CONST;
        type = type->target;
    }
    return is_const && type && type->size > 0 && type->size <= MAX_CONSTANT;
}

/* Compilers place such a variable where the return value is made, which other statements write as well. */
static bool may_be_returned(const struct st_function *function, const struct st_variable *variable) {
    const struct st_type *type = st_type_strip(variable->type), *returned = st_type_strip(function->type);
    return !variable->is_parameter && type && type == returned &&
           (type->kind == ST_TYPE_STRUCT || type->kind == ST_TYPE_UNION);
}

static void list_variables(struct or_self_function *function, const struct st_scope *scope,
                           uint32_t *number) {
    uint32_t first = (*number)++;
    size_t from = function->variable_count;
    for (size_t i = 0; i < scope->variable_count; i++) {
        const struct st_variable *variable = &scope->variables[i];
        if (variable->is_static || variable->is_artificial || !variable->type || variable->type->size == 0)
            continue;
        function->variables[function->variable_count++] =
            (struct or_self_variable){.variable = variable,
                                      .scope = scope,
                                      .scope_first = first,
                                      .size = variable->type->size,
                                      .is_slot = is_slot(&variable->location),
                                      .is_operand = is_operand(&variable->location),
                                      .is_constant = is_constant(variable->type),
                                      .may_be_returned = may_be_returned(function->function, variable)};
    }
    size_t end = function->variable_count;
    for (size_t i = 0; i < scope->child_count; i++)
        list_variables(function, &scope->children[i], number);
    for (size_t i = from; i < end; i++)
        function->variables[i].scope_end = *number;
}

/* The number of `wanted` in depth-first order; false when it is not below `scope`. */
static bool scope_number(const struct st_scope *scope, const struct st_scope *wanted, uint32_t *number) {
    if (scope == wanted)
        return true;
    ++*number;
    for (size_t i = 0; i < scope->child_count; i++)
        if (scope_number(&scope->children[i], wanted, number))
            return true;
    return false;
}

/* ---- Instructions ---- */

static bool make_room(struct or_self *self) {
    if (self->site_count < self->site_room)
        return true;
    size_t room = self->site_room ? 2 * self->site_room : 4096;
    void *sites = realloc(self->sites, room * sizeof *self->sites);
    if (!sites)
        return false;
    self->sites = sites;
    self->site_room = room;
    return true;
}

static struct rt_error *list_range(struct or_self *self, uint32_t index, const struct st_range *range) {
    const struct st_function *function = self->functions[index].function;
    struct or_self_site site = {.function = index};
    const struct st_scope *scope = NULL;
    /* A module's function begins with declarations of locals. */
    uint64_t pc = range->low == function->low ? function->entry : range->low;
    for (; pc < range->high && st_session_instruction(self->session, pc, &site.instruction);
         pc += site.instruction.size) {
        site.pc = pc;
        site.is_entry = pc == function->entry;
        site.is_body = pc == function->body;
        const struct st_scope *now = st_scope_at(function, pc);
        if (now != scope) {
            scope = now;
            site.scope = 0;
            scope_number(&function->scope, scope, &site.scope);
        }
        if (!make_room(self))
            return rt_error_out_of_memory();
        self->sites[self->site_count++] = site;
    }
    return NULL;
}

static int compare_sites(const void *a, const void *b) {
    const struct or_self_site *left = a, *right = b;
    return left->pc < right->pc ? -1 : left->pc > right->pc;
}

/* Functions that overlap list an instruction twice; or_self_check_shape has said so. */
static void sort_sites(struct or_self *self) {
    size_t count = 0;
    if (self->site_count)
        qsort(self->sites, self->site_count, sizeof *self->sites, compare_sites);
    for (size_t i = 0; i < self->site_count; i++)
        if (count == 0 || self->sites[count - 1].pc != self->sites[i].pc)
            self->sites[count++] = self->sites[i];
    self->site_count = count;
}

/* ---- Rows ---- */

static void attach_rows(struct or_self *self) {
    size_t row_count, next = 0;
    const struct st_row *rows = st_debug_rows(self->debug, &row_count);
    bool in_epilogue = false;
    for (size_t i = 0; i < self->site_count; i++) {
        struct or_self_site *site = &self->sites[i];
        while (next < row_count && rows[next].pc < site->pc)
            next++;
        bool begins_epilogue = false;
        for (size_t k = next; k < row_count && rows[k].pc == site->pc; k++) {
            if (rows[k].is_stmt && !rows[k].end_sequence && !site->row)
                site->row = &rows[k];
            begins_epilogue = begins_epilogue || rows[k].epilogue_begin;
        }
        site->in = st_debug_row_at(self->debug, site->pc);
        site->is_last = i + 1 == self->site_count || site[1].pc != site->pc + site->instruction.size ||
                        site[1].function != site->function;
        if (i > 0 && (site[-1].function != site->function || site[-1].instruction.is_return))
            in_epilogue = false;
        site->is_settled = !in_epilogue && site->pc >= self->functions[site->function].function->body;
        in_epilogue = in_epilogue || begins_epilogue;
    }
}

static struct rt_error *list_statics(struct or_self *self) {
    size_t count;
    const struct st_variable *globals = st_debug_globals(self->debug, &count);
    self->statics = rt_arena_array(&self->report->arena, count, sizeof *self->statics);
    if (!self->statics)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < count; i++)
        if (!globals[i].is_dropped && globals[i].type && globals[i].type->size > 0)
            self->statics[self->static_count++] = &globals[i];
    return NULL;
}

struct rt_error *or_self_list_sites(struct or_self *self) {
    struct rt_arena *arena = &self->report->arena;
    const struct st_function *functions = st_debug_functions(self->debug, &self->function_count);
    self->functions = rt_arena_array(arena, self->function_count, sizeof *self->functions);
    if (!self->functions)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < self->function_count; i++) {
        struct or_self_function *function = &self->functions[i];
        uint32_t number = 0;
        *function = (struct or_self_function){.function = &functions[i]};
        size_t count = count_variables(&functions[i].scope);
        function->variables = rt_arena_array(arena, count, sizeof *function->variables);
        if (!function->variables)
            return rt_error_out_of_memory();
        list_variables(function, &functions[i].scope, &number);
        for (size_t k = 0; k < functions[i].scope.range_count; k++) {
            struct rt_error *error = list_range(self, (uint32_t)i, &functions[i].scope.ranges[k]);
            if (error)
                return error;
        }
    }
    sort_sites(self);
    attach_rows(self);
    return list_statics(self);
}

struct or_self_site *or_self_site_at(const struct or_self *self, uint64_t pc) {
    size_t low = 0, high = self->site_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->sites[middle].pc < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low < self->site_count && self->sites[low].pc == pc ? &self->sites[low] : NULL;
}
