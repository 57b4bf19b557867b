/* What a binary's debug information may not say whatever the program does: each pc belongs to one sequence,
 * one function, and scopes that nest, and every boundary lies between instructions. */
#include "oracle/self.h"

static struct or_self_place place_of(const struct st_function *function, uint64_t pc,
                                     const struct st_row *row) {
    return (struct or_self_place){.pc = pc, .function = function, .row = row};
}

/* ---- The line table (DWARF 5, section 6.2) ---- */

/* The address register is "the program-counter value corresponding to a machine instruction". */
static void check_row(struct or_self *self, const struct st_row *row) {
    const struct st_function *function = st_debug_function_at(self->debug, row->pc);
    struct or_self_place place = place_of(function, row->pc, row);
    if (!function)
        or_self_report(self, OR_SELF_ROW, &place, "no_function", "a row is in no function's range",
                       or_printf(&self->report->arena, "row 0x%llx", (unsigned long long)row->pc),
                       "no function");
    else if (row->pc != function->low && !or_self_site_at(self, row->pc))
        or_self_report(self, OR_SELF_ROW, &place, "no_instruction",
                       "no instruction starts at a row's address",
                       or_printf(&self->report->arena, "row 0x%llx", (unsigned long long)row->pc),
                       "inside of an instruction");
}

/* `next` is the row that follows `row` in its sequence, at a higher address. */
static void check_extent(struct or_self *self, const struct st_row *row, const struct st_row *next) {
    const struct st_function *first = st_debug_function_at(self->debug, row->pc),
                             *last = st_debug_function_at(self->debug, next->pc - 1);
    if (!first || !last || first == last)
        return;
    struct or_self_place place = place_of(last, last->low, row);
    or_self_report(
        self, OR_SELF_ROW, &place, "two_functions", "a row reaches into another function",
        or_printf(&self->report->arena, "row [0x%llx, 0x%llx)", (unsigned long long)row->pc,
                  (unsigned long long)next->pc),
        or_printf(&self->report->arena, "%s ends before 0x%llx", first->name, (unsigned long long)last->low));
}

/* Rows are sorted by pc, whatever sequence they are of: in a table without overlaps, a sequence's rows stand
 * together. */
static void check_rows(struct or_self *self) {
    size_t count;
    const struct st_row *rows = st_debug_rows(self->debug, &count);
    for (size_t i = 0; i < count; i++) {
        const struct st_row *row = &rows[i];
        if (!row->end_sequence)
            check_row(self, row);
        if (row->end_sequence || i + 1 == count)
            continue;
        const struct st_row *next = &rows[i + 1];
        if (next->sequence != row->sequence) {
            struct or_self_place place =
                place_of(st_debug_function_at(self->debug, next->pc), next->pc, next);
            or_self_report(
                self, OR_SELF_SEQUENCE, &place, "overlap",
                "a sequence of the line table begins inside of another one",
                or_printf(&self->report->arena, "row 0x%llx of one sequence", (unsigned long long)next->pc),
                or_printf(&self->report->arena, "the sequence with row 0x%llx has not ended",
                          (unsigned long long)row->pc));
        } else if (next->pc > row->pc) {
            check_extent(self, row, next);
        }
    }
}

static void check_covered(struct or_self *self) {
    for (size_t i = 0; i < self->site_count; i++) {
        const struct or_self_site *site = &self->sites[i];
        struct or_self_place place = or_self_at(self, site, NULL, NULL);
        if (!site->in)
            or_self_report(
                self, OR_SELF_SEQUENCE, &place, "uncovered",
                "an instruction of a function is in no sequence of the line table", "no row",
                or_printf(&self->report->arena, "instruction 0x%llx", (unsigned long long)site->pc));
    }
}

/* ---- Ranges (section 2.17) ---- */

static bool is_boundary(const struct or_self *self, const struct st_function *function, uint64_t pc) {
    if (or_self_site_at(self, pc))
        return true;
    for (size_t i = 0; i < function->scope.range_count; i++)
        if (pc == function->scope.ranges[i].low || pc == function->scope.ranges[i].high)
            return true;
    return false;
}

static bool is_inside(const struct st_scope *scope, const struct st_range *range) {
    for (size_t i = 0; i < scope->range_count; i++)
        if (range->low >= scope->ranges[i].low && range->high <= scope->ranges[i].high)
            return true;
    return false;
}

/* Ranges that leave the scope `in` are left out: they are wrong by themselves. */
static bool overlap(const struct st_scope *a, const struct st_scope *b, const struct st_scope *in,
                    struct st_range *ret) {
    for (size_t i = 0; i < a->range_count; i++)
        for (size_t k = 0; k < b->range_count; k++) {
            const struct st_range *x = &a->ranges[i], *y = &b->ranges[k];
            if (!is_inside(in, x) || !is_inside(in, y))
                continue;
            *ret =
                (struct st_range){x->low > y->low ? x->low : y->low, x->high < y->high ? x->high : y->high};
            if (ret->low < ret->high)
                return true;
        }
    return false;
}

static const char *range_words(struct or_self *self, const struct st_scope *scope,
                               const struct st_range *range) {
    return or_printf(&self->report->arena, "DIE 0x%llx: [0x%llx, 0x%llx)", (unsigned long long)scope->die,
                     (unsigned long long)range->low, (unsigned long long)range->high);
}

static void check_children(struct or_self *self, const struct st_function *function,
                           const struct st_scope *scope) {
    static const char *const words[] = {"function", "block", "inlined"};
    for (size_t i = 0; i < scope->child_count; i++) {
        const struct st_scope *child = &scope->children[i];
        struct st_range common;
        for (size_t k = 0; k < child->range_count; k++) {
            const struct st_range *range = &child->ranges[k];
            struct or_self_place place = place_of(function, range->low, NULL);
            if (!is_inside(scope, range) || !is_inside(&function->scope, range))
                or_self_report(self, OR_SELF_RANGE, &place,
                               or_printf(&self->report->arena, "outside/%s", words[child->kind]),
                               "a scope's range is not inside of its parent's",
                               range_words(self, child, range), range_words(self, scope, &scope->ranges[0]));
            else if (!is_boundary(self, function, range->low) || !is_boundary(self, function, range->high))
                or_self_report(self, OR_SELF_RANGE, &place,
                               or_printf(&self->report->arena, "cut/%s", words[child->kind]),
                               "a scope's range begins or ends inside of an instruction",
                               range_words(self, child, range), "no instruction starts there");
        }
        for (size_t k = 0; k < i; k++)
            if (overlap(&scope->children[k], child, &function->scope, &common)) {
                struct or_self_place place = place_of(function, common.low, NULL);
                or_self_report(self, OR_SELF_RANGE, &place,
                               or_printf(&self->report->arena, "siblings/%s", words[child->kind]),
                               "two scopes have instructions in common, and neither holds the other",
                               range_words(self, &scope->children[k], &common),
                               range_words(self, child, &common));
            }
        check_children(self, function, child);
    }
}

/* A module says itself where a function's body ends; native code ends with an instruction that does not go
 * on to the next one, but for what the compiler knows never to be reached. */
static void check_function(struct or_self *self, const struct st_function *function) {
    uint32_t index, start, code, end;
    struct or_self_place place = place_of(function, function->low, NULL);
    if (self->instance) {
        const struct rt_module *module = rt_code_module(rt_instance_code(self->instance));
        const struct st_range *range = &function->scope.ranges[0];
        if (!rt_module_function_at(module, (uint32_t)function->low, &index) ||
            !rt_module_function_range(module, index, &start, &code, &end))
            return;
        if (range->low != start || range->high != end)
            or_self_report(self, OR_SELF_RANGE, &place, "body", "a function's range is not its body",
                           range_words(self, &function->scope, range),
                           or_printf(&self->report->arena, "body [0x%x, 0x%x)", start, end));
        return;
    }
    for (size_t i = 0; i < function->scope.range_count; i++) {
        const struct st_range *range = &function->scope.ranges[i];
        struct st_instruction_info last = {0};
        uint64_t pc = range->low;
        while (pc < range->high && st_session_instruction(self->session, pc, &last))
            pc += last.size;
        place.pc = pc;
        if (pc != range->high)
            or_self_report(self, OR_SELF_RANGE, &place, "cut/function",
                           "a function's range ends inside of an instruction",
                           range_words(self, &function->scope, range), "an instruction goes on behind it");
    }
}

static void check_functions(struct or_self *self) {
    const struct st_range *last = NULL; /* of those so far, the one that ends last */
    const struct st_function *owner = NULL;
    for (size_t i = 0; i < self->function_count; i++) {
        const struct st_function *function = self->functions[i].function;
        const struct st_range *range = &function->scope.ranges[0];
        if (last && range->low < last->high) {
            struct or_self_place place = place_of(function, range->low, NULL);
            or_self_report(self, OR_SELF_RANGE, &place, "functions",
                           or_printf(&self->report->arena, "%s and %s overlap", owner->name, function->name),
                           range_words(self, &owner->scope, last),
                           range_words(self, &function->scope, range));
        }
        if (!last || range->high > last->high) {
            last = range;
            owner = function;
        }
        check_function(self, function);
        check_children(self, function, &function->scope);
    }
}

/* ---- Location lists (section 2.6.2) ---- */

/* gcc begins and ends entries a byte before a return address: what they say holds, or does so no longer, from
 * where the call is under way, which a debugger looks up by the address before the return address. */
static bool is_inside_call(const struct or_self *self, uint64_t pc) {
    enum { LONGEST = 15 };
    for (uint64_t back = 1; back < LONGEST && back <= pc; back++) {
        const struct or_self_site *site = or_self_site_at(self, pc - back);
        if (site)
            return site->instruction.is_call && back < site->instruction.size;
    }
    return false;
}

static bool may_bound_entry(const struct or_self *self, const struct st_function *function, uint64_t pc) {
    return is_boundary(self, function, pc) || is_inside_call(self, pc);
}

static void check_list(struct or_self *self, const struct st_function *function,
                       const struct st_variable *variable) {
    const struct st_location *location = &variable->location;
    for (size_t i = 0; location->kind == ST_LOCATION_EXPRESSIONS && i < location->count; i++) {
        const struct st_expression *entry = &location->expressions[i];
        const struct st_range *range = &entry->range;
        if (range->low == 0 && range->high == UINT64_MAX)
            continue;
        struct or_self_place place = {range->low, function, NULL, variable, entry};
        const char *said =
            or_printf(&self->report->arena, "DIE 0x%llx: [0x%llx, 0x%llx)", (unsigned long long)variable->die,
                      (unsigned long long)range->low, (unsigned long long)range->high);
        if (range->low >= range->high)
            continue; /* an empty entry says nothing */
        if (!is_inside(&function->scope, range))
            or_self_report(self, OR_SELF_LIST, &place, NULL,
                           "an entry of a location list is not inside of its function", said,
                           range_words(self, &function->scope, &function->scope.ranges[0]));
        else if (!may_bound_entry(self, function, range->low) ||
                 !may_bound_entry(self, function, range->high))
            or_self_report(self, OR_SELF_LIST, &place, NULL,
                           "an entry of a location list begins or ends inside of an instruction", said,
                           "no instruction starts there");
    }
}

void or_self_check_shape(struct or_self *self) {
    check_rows(self);
    check_covered(self);
    check_functions(self);
    for (size_t i = 0; i < self->function_count; i++)
        for (size_t k = 0; k < self->functions[i].variable_count; k++)
            check_list(self, self->functions[i].function, self->functions[i].variables[k].variable);
}
