/* Whole expressions: what they refer to, carrying one over to the output, and the answers to a `location`
 * hook. */
#include "runtime/dwarf/expression.h"

enum { MAX_NESTING = 4 /* of DW_OP_entry_value in one another */ };

/* ---- What an expression needs ---- */

struct needs {
    bool rewriting; /* it is not the same bytes in the output */
    bool branches;
    const char *refused; /* why it cannot be carried over */
};

static bool is_in_unit(const struct rt_dwarf_unit *unit, uint64_t position) {
    return position >= unit->offset && position < unit->end;
}

static void look_at(const struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                    const struct rt_dwarf_operation *op, uint8_t code, struct needs *needs) {
    const struct rt_dwarf_operation_info *info = rt_dwarf_operation_info(op->code);
    needs->branches |= code == RT_DWARF_OP_bra || code == RT_DWARF_OP_skip;
    needs->rewriting |= op->code != code;
    for (int i = 0; i < 2; i++) {
        const enum rt_dwarf_operand operand = (enum rt_dwarf_operand)info->operands[i];
        const bool is_local = operand == RT_DWARF_OPERAND_TYPE || op->code == RT_DWARF_OP_call4 ||
                              op->code == RT_DWARF_OP_GNU_parameter_ref;
        uint64_t target;
        if (operand == RT_DWARF_OPERAND_EXPRESSION)
            needs->rewriting = true;
        if (operand == RT_DWARF_OPERAND_ADDRESS && unit->address_size != pass->address_size)
            needs->rewriting = true;
        if ((operand == RT_DWARF_OPERAND_TYPE && op->operands[i]) || operand == RT_DWARF_OPERAND_REFERENCE ||
            (is_local && operand == RT_DWARF_OPERAND_U32)) {
            needs->rewriting = true;
            if (!rt_dwarf_target(pass, op->operands[i], &target) ||
                (is_local && !is_in_unit(unit, op->operands[i])))
                needs->refused = "optimised out: an expression that refers to a DIE which is not there";
        }
    }
}

/* Reads all of an expression. An operation that is not known refuses it. */
static struct rt_error *find_needs(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                   struct rt_dwarf_span expression, struct needs *ret) {
    struct rt_cursor cursor = rt_cursor_make(expression.bytes, expression.size, 0);
    *ret = (struct needs){0};
    while (rt_cursor_left(&cursor) && !ret->refused) {
        struct rt_dwarf_operation op;
        const uint8_t code = *cursor.next;
        struct rt_error *error = rt_dwarf_operation_read(pass, unit, &cursor, &op);
        if (error && error->code == RT_UNSUPPORTED) {
            rt_error_destroy(error);
            ret->refused = "optimised out: an expression with an unknown operation";
            return NULL;
        }
        if (error)
            return error;
        look_at(pass, unit, &op, code, ret);
    }
    return NULL;
}

void rt_dwarf_expression_references(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                    struct rt_dwarf_span expression,
                                    void (*visit)(void *user, uint64_t position), void *user) {
    struct rt_cursor cursor = rt_cursor_make(expression.bytes, expression.size, 0);
    while (rt_cursor_left(&cursor)) {
        struct rt_dwarf_operation op;
        struct rt_error *error = rt_dwarf_operation_read(pass, unit, &cursor, &op);
        if (error) {
            rt_error_destroy(error);
            return;
        }
        const struct rt_dwarf_operation_info *info = rt_dwarf_operation_info(op.code);
        for (int i = 0; i < 2; i++)
            if ((info->operands[i] == RT_DWARF_OPERAND_TYPE && op.operands[i]) ||
                info->operands[i] == RT_DWARF_OPERAND_REFERENCE || op.code == RT_DWARF_OP_call4 ||
                op.code == RT_DWARF_OP_GNU_parameter_ref)
                visit(user, op.operands[i]);
    }
}

/* ---- Carrying over ---- */

struct branch {               /* every operation of an expression that branches */
    uint32_t in, out, target; /* offsets: in the input, in `expression`; a branch's target in the input */
    bool is_branch;
};

static struct rt_error *copy(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                             struct rt_dwarf_span expression, unsigned nesting, const char **ret_reason);

/* An operation with an expression in it: the size goes in front once it is known. */
static struct rt_error *copy_nested(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                    const struct rt_dwarf_operation *op, unsigned nesting,
                                    const char **ret_reason) {
    struct rt_dwarf_operation head = *op;
    head.block.size = 0;
    rt_dwarf_put_operation(pass, &head);
    if (pass->budget->failed)
        return NULL;
    const size_t start = --pass->expression.size; /* the size, which is not 0 */
    const size_t fixups = pass->expression_fixups.size;
    struct rt_error *error = copy(pass, unit, op->block, nesting + 1, ret_reason);
    if (error || *ret_reason)
        return error;
    const size_t size = pass->expression.size - start;
    rt_dwarf_put_uleb(&pass->expression, size);
    if (pass->budget->failed)
        return NULL;
    uint8_t length[10];
    const size_t length_size = pass->expression.size - start - size;
    memcpy(length, pass->expression.bytes + start + size, length_size);
    memmove(pass->expression.bytes + start + length_size, pass->expression.bytes + start, size);
    memcpy(pass->expression.bytes + start, length, length_size);
    for (size_t at = fixups; at < pass->expression_fixups.size; at += sizeof(struct rt_dwarf_fixup))
        ((struct rt_dwarf_fixup *)(void *)(pass->expression_fixups.bytes + at))->place +=
            (uint32_t)length_size;
    return NULL;
}

static bool find_target(const struct branch *branches, size_t count, uint32_t target, uint32_t *ret) {
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (branches[middle].in < target)
            low = middle + 1;
        else
            high = middle;
    }
    *ret = low < count ? branches[low].out : 0;
    return low < count && branches[low].in == target;
}

/* Points all branches at where their targets went. The last item stands for the expression's end. */
static const char *fix_branches(struct rt_dwarf_pass *pass, size_t first) {
    const struct branch *branches = RT_DWARF_ITEMS(&pass->branches, struct branch) + first;
    const size_t count = RT_DWARF_COUNT(&pass->branches, struct branch) - first;
    for (size_t i = 0; i < count; i++) {
        uint32_t target;
        if (!branches[i].is_branch)
            continue;
        if (!find_target(branches, count, branches[i].target, &target))
            return "optimised out: an expression that branches to where no operation starts";
        const int64_t distance = (int64_t)target - (int64_t)branches[i].out - 3;
        if (distance < INT16_MIN || distance > INT16_MAX)
            return "optimised out: an expression that branches too far";
        rt_dwarf_store(pass->expression.bytes + branches[i].out + 1, (uint64_t)distance, 2);
    }
    return NULL;
}

static void note_branch(struct rt_dwarf_pass *pass, const struct rt_dwarf_operation *op) {
    struct branch *branch = RT_DWARF_PUSH(&pass->branches, struct branch);
    if (!branch)
        return;
    *branch = (struct branch){.in = (uint32_t)op->offset, .out = (uint32_t)pass->expression.size};
    branch->is_branch = op->code == RT_DWARF_OP_bra || op->code == RT_DWARF_OP_skip;
    branch->target = (uint32_t)(op->next + op->operands[0]);
}

static struct rt_error *copy(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                             struct rt_dwarf_span expression, unsigned nesting, const char **ret_reason) {
    struct needs needs;
    struct rt_error *error = find_needs(pass, unit, expression, &needs);
    *ret_reason = needs.refused;
    if (error || needs.refused)
        return error;
    if (!needs.rewriting) {
        rt_dwarf_put(&pass->expression, expression.bytes, expression.size);
        return NULL;
    }
    if (nesting == MAX_NESTING) {
        *ret_reason = "optimised out: entry values that nest too deep";
        return NULL;
    }
    struct rt_cursor cursor = rt_cursor_make(expression.bytes, expression.size, 0);
    const size_t first = RT_DWARF_COUNT(&pass->branches, struct branch);
    while (!error && !*ret_reason && rt_cursor_left(&cursor)) {
        struct rt_dwarf_operation op;
        error = rt_dwarf_operation_read(pass, unit, &cursor, &op);
        if (error)
            break;
        if (needs.branches)
            note_branch(pass, &op);
        if (rt_dwarf_operation_info(op.code)->operands[0] == RT_DWARF_OPERAND_EXPRESSION)
            error = copy_nested(pass, unit, &op, nesting, ret_reason);
        else
            rt_dwarf_put_operation(pass, &op);
    }
    if (!error && !*ret_reason && needs.branches) {
        const struct rt_dwarf_operation end = {.code = RT_DWARF_OP_nop, .offset = expression.size};
        note_branch(pass, &end);
        if (!pass->budget->failed)
            *ret_reason = fix_branches(pass, first);
    }
    pass->branches.size = first * sizeof(struct branch);
    return error;
}

struct rt_error *rt_dwarf_put_expression(struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                         struct rt_dwarf_span expression, const char **ret_reason) {
    struct rt_error *error = copy(pass, unit, expression, 0, ret_reason);
    if (error || *ret_reason)
        rt_dwarf_cancel_expression(pass);
    return error;
}

/* ---- Answers ---- */

size_t rt_dwarf_expression_size(const struct rt_dwarf_pass *pass) {
    return pass->expression.size - pass->expression_start;
}

bool rt_dwarf_aim_branch(struct rt_dwarf_pass *pass, size_t at) {
    enum { BRANCH_SIZE = 3 };
    const size_t distance = rt_dwarf_expression_size(pass) - at - BRANCH_SIZE;
    if (pass->budget->failed)
        return true;
    if (distance > INT16_MAX)
        return false;
    rt_dwarf_store(pass->expression.bytes + pass->expression_start + at + 1, distance, 2);
    return true;
}

size_t rt_dwarf_put_location(struct rt_dwarf_pass *pass, const struct rt_dwarf_range *range) {
    struct rt_dwarf_piece *piece = RT_DWARF_PUSH(&pass->pieces, struct rt_dwarf_piece);
    if (piece)
        *piece = (struct rt_dwarf_piece){.range = range ? *range : (struct rt_dwarf_range){0},
                                         .is_everywhere = !range,
                                         .start = pass->expression_start,
                                         .size = (uint32_t)pass->expression.size - pass->expression_start};
    pass->expression_start = (uint32_t)pass->expression.size;
    return piece ? RT_DWARF_COUNT(&pass->pieces, struct rt_dwarf_piece) - 1 : 0;
}

void rt_dwarf_repeat_location(struct rt_dwarf_pass *pass, const struct rt_dwarf_range *range,
                              size_t location) {
    struct rt_dwarf_piece *piece = RT_DWARF_PUSH(&pass->pieces, struct rt_dwarf_piece);
    if (!piece) /* and there may be no such location */
        return;
    *piece = RT_DWARF_ITEMS(&pass->pieces, struct rt_dwarf_piece)[location];
    piece->range = *range;
}

void rt_dwarf_cancel_expression(struct rt_dwarf_pass *pass) {
    struct rt_dwarf_bytes *fixups = &pass->expression_fixups;
    pass->expression.size = pass->expression_start;
    while (fixups->size &&
           RT_DWARF_ITEMS(fixups, struct rt_dwarf_fixup)[RT_DWARF_COUNT(fixups, struct rt_dwarf_fixup) - 1]
                   .place >= pass->expression_start)
        fixups->size -= sizeof(struct rt_dwarf_fixup);
}

struct rt_error *rt_dwarf_location_translate(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                             unsigned name, const struct rt_dwarf_range *range,
                                             struct rt_dwarf_span expression) {
    const struct rt_dwarf_visitor *visitor = pass->visitor;
    const char *reason = NULL;
    struct rt_error *error;
    pass->stat->in.expressions++;
    pass->expression_start = (uint32_t)pass->expression.size;
    if (visitor->location) {
        error = visitor->location(visitor->user, pass, die, name, range, expression);
        rt_dwarf_cancel_expression(pass);
        return error;
    }
    error = rt_dwarf_put_expression(pass, die->unit, expression, &reason);
    if (reason)
        rt_dwarf_count(pass, reason);
    else if (!error)
        rt_dwarf_put_location(pass, range);
    return error;
}

void rt_dwarf_piece_write(struct rt_dwarf_pass *pass, const struct rt_dwarf_piece *piece,
                          enum rt_dwarf_section section) {
    struct rt_dwarf_bytes *out = section == RT_DWARF_SECTION_COUNT ? &pass->values : &pass->out[section];
    const struct rt_dwarf_fixup *fixups = RT_DWARF_ITEMS(&pass->expression_fixups, struct rt_dwarf_fixup);
    const size_t start = out->size, count = RT_DWARF_COUNT(&pass->expression_fixups, struct rt_dwarf_fixup);
    pass->stat->out.expressions++;
    if (piece->size == 0)
        return;
    rt_dwarf_put(out, pass->expression.bytes + piece->start, piece->size);
    if (pass->budget->failed)
        return;
    size_t low = 0, high = count; /* the first reference of this piece */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (fixups[middle].place < piece->start)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && fixups[low].place < piece->start + piece->size; low++)
        rt_dwarf_refer(pass, fixups[low].target, section, start + (fixups[low].place - piece->start),
                       (enum rt_dwarf_reference_kind)fixups[low].kind);
}
