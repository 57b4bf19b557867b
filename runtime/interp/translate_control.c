/* Translates control instructions: blocks, branches, returns and calls (core specification, section 3.3.8).
 *
 * At each label the operands are in their places. Code that cannot run makes no instructions; it ends at the
 * `else` or `end` of the block where it began. */
#include "runtime/interp/translate.h"

/* ---- Passing operands to a label ---- */

static struct rt_translator_control *control_at(struct rt_translator *t, uint32_t label) {
    return &t->controls[t->control_count - 1 - label];
}

static bool is_function(const struct rt_translator_control *control) {
    return control->opcode == RT_OP_UNREACHABLE;
}

static uint32_t label_arity(const struct rt_translator_control *control) {
    return control->opcode == RT_OP_LOOP ? control->type.param_count : control->type.result_count;
}

/* Whether the operands for a label are not where it wants them. */
static bool needs_moves(const struct rt_translator *t, const struct rt_translator_control *control) {
    uint32_t arity = label_arity(control), from = t->height - arity;
    if (!arity)
        return false;
    if (from != control->height)
        return true;
    for (uint32_t i = from; i < t->height; i++) {
        if (t->operands[i].kind != RT_OPERAND_SLOT)
            return true;
    }
    return false;
}

/* Several operands are moved at once, from their places; this can come before a branch. One is moved by
 * itself, behind it. */
static void gather(struct rt_translator *t, const struct rt_translator_control *control, uint32_t top) {
    uint32_t arity = label_arity(control);
    if (arity > 1 || (arity == 1 && t->operands[top - 1].type == RT_V128))
        rt_operands_settle(t, top - arity, top);
}

static void move_operands(struct rt_translator *t, uint32_t from, uint32_t count, uint32_t to) {
    if (count == 1) {
        rt_operand_copy(t, from, to);
    } else if (count && rt_place_slot(t, from) != to) {
        uint32_t slot = rt_place_slot(t, from);
        RT_EMIT(t, RT_DO_MOVE, to, slot, rt_place_slot(t, from + count) - slot);
    }
}

/* Hands the results over and leaves the function; they are gathered, and the state stays as it is. */
static void return_from_function(struct rt_translator *t) {
    uint32_t count = t->type.result_count, from = t->height - count;
    if (!count) {
        RT_EMIT(t, RT_DO_RETURN_NONE, 0);
        return;
    }
    const struct rt_translator_operand *operand = &t->operands[from];
    uint32_t slot = operand->slot;
    if (count == 1 && operand->kind == RT_OPERAND_LOCAL && operand->type != RT_V128)
        slot = (uint32_t)operand->value;
    else if (count == 1)
        rt_operand_copy(t, from, slot);
    if (count == 1 && operand->type != RT_V128)
        RT_EMIT(t, RT_DO_RETURN_ONE, slot);
    else
        RT_EMIT(t, RT_DO_RETURN_MANY, slot, rt_place_slot(t, t->height) - slot);
}

/* Goes to a label with what it needs, which is gathered; the state stays as it is. */
static void go_to(struct rt_translator *t, struct rt_translator_control *control) {
    if (is_function(control)) {
        return_from_function(t);
        return;
    }
    uint32_t arity = label_arity(control);
    move_operands(t, t->height - arity, arity, rt_place_slot(t, control->height));
    uint32_t word = RT_EMIT(t, RT_DO_BR, 0);
    rt_label_use(t, &control->label, word + 1);
}

/* What follows cannot run. */
static void stop_reaching(struct rt_translator *t) {
    t->reachable = false;
    t->dead_depth = 0;
    rt_operands_drop(t, t->controls[t->control_count - 1].height);
}

/* Paths meet: the operands above the block are in their places. */
static void restart_with(struct rt_translator *t, const struct rt_translator_control *control, uint32_t count,
                         const uint8_t *types) {
    rt_operands_drop(t, control->height);
    for (uint32_t i = 0; i < count; i++)
        rt_operand_push(t, (enum rt_type)types[i]);
    t->settled = t->height;
    t->reachable = true;
}

/* Takes the condition off the stack and branches when it is (or is not) true. The branch takes over the
 * comparison that made it, when that is the last instruction. The word for the distance comes back. */
static uint32_t branch_on_condition(struct rt_translator *t, bool when) {
    uint32_t top = t->height - 1, word;
    if (t->last != RT_NO_WORD && t->last_compare && t->last_operand == top &&
        t->operands[top].kind == RT_OPERAND_SLOT) {
        uint32_t *words = t->code->words + t->last;
        words[0] = (uint32_t)t->handlers[rt_compare_branch(t->last_compare, when, t->last_constant)];
        words[1] = words[2];
        words[2] = words[3];
        word = t->last + 3;
        t->last = RT_NO_WORD;
    } else {
        uint32_t slot = rt_operand_slot(t, top);
        word = RT_EMIT(t, rt_compare_branch(RT_OP_I32_NE, when, true), slot, 0, 0) + 3;
    }
    rt_operands_drop(t, top);
    return word;
}

/* ---- Blocks ---- */

static struct rt_translator_control *push_control(struct rt_translator *t, uint32_t opcode,
                                                  struct rt_func_type type) {
    if (t->control_count >= t->control_capacity) { /* validation has found the greatest height */
        rt_translate_fail(t, rt_error_format(RT_INVALID, "function %u: too many labels", t->function));
        return &t->controls[0];
    }
    struct rt_translator_control *control = &t->controls[t->control_count++];
    *control = (struct rt_translator_control){
        .opcode = opcode,
        .height = t->height - type.param_count,
        .type = type,
        .label = {RT_NO_WORD, RT_NO_WORD},
        .otherwise = {RT_NO_WORD, RT_NO_WORD},
    };
    return control;
}

void rt_translate_begin(struct rt_translator *t) {
    t->control_count = 0;
    t->reachable = true;
    struct rt_func_type type = {.result_count = t->type.result_count, .results = t->type.results};
    (void)push_control(t, RT_OP_UNREACHABLE, type);
}

static void translate_block(struct rt_translator *t, uint32_t opcode) {
    struct rt_func_type type = {0};
    struct rt_error *error = rt_block_type_read(t->module, &t->cursor, &type);
    if (error) {
        rt_translate_fail(t, error);
        return;
    }
    uint32_t word = 0;
    rt_operands_settle(t, 0, t->height - (opcode == RT_OP_IF));
    if (opcode == RT_OP_IF)
        word = branch_on_condition(t, false);
    struct rt_translator_control *control = push_control(t, opcode, type);
    if (opcode == RT_OP_LOOP) {
        rt_label_bind(t, &control->label);
        /* A branch to a loop's label executes the loop instruction again (section 4.4.8), and so its site. */
        if (t->site_in_loop)
            rt_emit_site(t);
        t->site_in_loop = false;
    } else if (opcode == RT_OP_IF) {
        rt_label_use(t, &control->otherwise, word);
    }
}

static void translate_else(struct rt_translator *t) {
    struct rt_translator_control *control = &t->controls[t->control_count - 1];
    if (t->reachable) {
        gather(t, control, t->height);
        go_to(t, control);
    }
    control->opcode = RT_OP_ELSE;
    rt_label_bind(t, &control->otherwise);
    restart_with(t, control, control->type.param_count, control->type.params);
}

static void translate_end(struct rt_translator *t) {
    struct rt_translator_control *control = &t->controls[t->control_count - 1];
    if (is_function(control)) {
        if (t->reachable) {
            gather(t, control, t->height);
            return_from_function(t);
        }
        t->control_count--;
        return;
    }
    /* An `if` without `else` passes its parameters on when the condition is zero. */
    bool has_uses = control->opcode != RT_OP_LOOP && control->label.uses != RT_NO_WORD;
    if (has_uses || control->opcode == RT_OP_IF) {
        if (t->reachable)
            rt_operands_settle(t, 0, t->height);
        if (control->opcode == RT_OP_IF)
            rt_label_bind(t, &control->otherwise);
        rt_label_bind(t, &control->label);
        restart_with(t, control, control->type.result_count, control->type.results);
    }
    t->control_count--;
    if (!t->reachable) /* still, in the block around */
        stop_reaching(t);
}

void rt_translate_revival(struct rt_translator *t, uint32_t opcode) {
    if (opcode == RT_OP_ELSE)
        translate_else(t);
    else
        translate_end(t);
}

/* ---- Branches ---- */

static void translate_branch(struct rt_translator *t) {
    struct rt_translator_control *control = control_at(t, rt_translate_u32(t));
    gather(t, control, t->height);
    go_to(t, control);
    stop_reaching(t);
}

static void translate_branch_if(struct rt_translator *t) {
    struct rt_translator_control *control = control_at(t, rt_translate_u32(t));
    gather(t, control, t->height - 1);
    t->height--; /* look below the condition */
    bool moves = is_function(control) || needs_moves(t, control);
    t->height++;
    uint32_t word = branch_on_condition(t, !moves);
    if (!moves) {
        rt_label_use(t, &control->label, word);
        return;
    }
    struct rt_translator_label stay = {RT_NO_WORD, RT_NO_WORD};
    rt_label_use(t, &stay, word);
    go_to(t, control);
    rt_label_bind(t, &stay);
}

static void translate_branch_table(struct rt_translator *t) {
    uint32_t count = rt_translate_u32(t), top = t->height - 1;
    struct rt_cursor labels = t->cursor;
    for (uint32_t i = 0; i < count && !t->error; i++)
        (void)rt_translate_u32(t);
    gather(t, control_at(t, rt_translate_u32(t)), top); /* all have the default's arity */
    uint32_t index = rt_operand_slot(t, top);
    uint32_t table = rt_emit_table(t, index, count) + 3;
    rt_operands_drop(t, top);
    t->cursor = labels;
    for (uint32_t i = 0; i <= count && !t->error; i++) {
        struct rt_translator_control *control = control_at(t, rt_translate_u32(t));
        if (!is_function(control) && !needs_moves(t, control)) {
            rt_label_use(t, &control->label, table + i);
            continue;
        }
        /* One path passes the operands on for all entries with this label. */
        if (control->table != table) {
            control->table = table;
            control->table_path = (struct rt_translator_label){(uint32_t)t->code->word_count, RT_NO_WORD};
            go_to(t, control);
        }
        rt_label_use(t, &control->table_path, table + i);
    }
    stop_reaching(t);
}

static void translate_return(struct rt_translator *t) {
    gather(t, &t->controls[0], t->height);
    return_from_function(t);
    stop_reaching(t);
}

/* ---- Calls ---- */

/* What comes back lies where the arguments were. */
static void finish_call(struct rt_translator *t, struct rt_func_type type, uint32_t from) {
    rt_operands_drop(t, from);
    rt_emit_calling(t);
    for (uint32_t i = 0; i < type.result_count; i++)
        rt_operand_push(t, (enum rt_type)type.results[i]);
}

static void translate_call(struct rt_translator *t) {
    uint32_t function = rt_translate_u32(t), imported = t->module->imported_functions;
    struct rt_func_type type = t->module->types[t->module->function_types[function]];
    uint32_t from = t->height - type.param_count;
    rt_operands_settle(t, from, t->height);
    uint32_t slot = rt_place_slot(t, from);
    if (function < imported) {
        RT_EMIT(t, RT_DO_CALL_IMPORT, function, slot);
    } else {
        uint32_t word = RT_EMIT(t, RT_DO_CALL, 0, slot);
        rt_emit_callee(t, word + 1, function - imported);
    }
    finish_call(t, type, from);
}

static void translate_call_indirect(struct rt_translator *t) {
    uint32_t type_index = rt_translate_u32(t), table = rt_translate_u32(t), top = t->height - 1;
    struct rt_func_type type = t->module->types[type_index];
    uint32_t from = top - type.param_count;
    rt_operands_settle(t, from, top);
    uint32_t index = rt_operand_slot(t, top);
    RT_EMIT(t, RT_DO_CALL_INDIRECT, t->layout.type_ids + type_index * (uint32_t)sizeof(uint32_t),
            t->layout.tables + table * (uint32_t)sizeof(struct rt_table *), index, rt_place_slot(t, from));
    finish_call(t, type, from);
}

/* ---- All of them ---- */

void rt_translate_control(struct rt_translator *t, uint32_t opcode) {
    switch (opcode) {
    case RT_OP_UNREACHABLE:
        RT_EMIT(t, RT_DO_UNREACHABLE, 0);
        stop_reaching(t);
        break;
    case RT_OP_BLOCK:
    case RT_OP_LOOP:
    case RT_OP_IF: translate_block(t, opcode); break;
    case RT_OP_ELSE: translate_else(t); break;
    case RT_OP_END: translate_end(t); break;
    case RT_OP_BR: translate_branch(t); break;
    case RT_OP_BR_IF: translate_branch_if(t); break;
    case RT_OP_BR_TABLE: translate_branch_table(t); break;
    case RT_OP_RETURN: translate_return(t); break;
    case RT_OP_CALL: translate_call(t); break;
    case RT_OP_CALL_INDIRECT: translate_call_indirect(t); break;
    default: break;
    }
}
