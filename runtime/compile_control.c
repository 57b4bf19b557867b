/* Compiles control instructions: blocks, branches, returns and calls (section 3.3.8).
 *
 * At each label the operands that it passes on lie in their slots, so that every path to it agrees. Code that
 * cannot run makes no machine code; it ends at the `else` or `end` of the block where it began. */
#include "runtime/compile.h"
#include "runtime/target.h"

/* ---- Labels ---- */

static uint32_t field_at(const struct rt_compiler *c, uint32_t field) {
    const uint8_t *bytes = c->start + field;
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void chain_field(struct rt_compiler *c, uint32_t field, uint32_t before) {
    uint8_t *bytes = c->start + field;
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(before >> 8 * i);
}

void rt_use_label(struct rt_compiler *c, struct rt_label *label, uint32_t field) {
    if (label->offset != RT_UNBOUND) {
        c->target->set_field(c->start, field, label->offset);
        return;
    }
    chain_field(c, field, label->uses);
    label->uses = field;
}

static void bind_label(struct rt_compiler *c, struct rt_label *label) {
    label->offset = rt_here(c);
    rt_forget_locals(c);
    if (c->error) /* the chain may be broken */
        return;
    for (uint32_t field = label->uses; field;) {
        uint32_t before = field_at(c, field);
        c->target->set_field(c->start, field, label->offset);
        field = before;
    }
}

void rt_trap_exit(struct rt_compiler *c, enum rt_trap trap, uint32_t field, uint32_t origin) {
    if (!rt_compile_array(c, &c->trap_exits, &c->trap_exit_capacity, c->trap_exit_count + (size_t)1,
                          sizeof(*c->trap_exits)))
        return;
    c->trap_exits[c->trap_exit_count++] = (struct rt_trap_exit){field, origin, trap};
}

/* ---- Passing operands to a label ---- */

static struct rt_control *control_at(struct rt_compiler *c, uint32_t label) {
    return &c->controls[c->control_count - 1 - label];
}

static uint32_t label_arity(const struct rt_control *control) {
    return control->opcode == RT_OP_LOOP ? control->type.param_count : control->type.result_count;
}

/* Whether the operands for a label are not where it wants them. */
static bool needs_moves(const struct rt_compiler *c, const struct rt_control *control) {
    uint32_t arity = label_arity(control);
    if (!arity)
        return false;
    if (control->opcode == RT_OP_UNREACHABLE || c->height - arity != control->height)
        return true;
    for (uint32_t i = c->height - arity; i < c->height; i++) {
        if (c->operands[i].kind != RT_IN_SLOT)
            return true;
    }
    return false;
}

/* Copies the operands for a label into its slots; the compiler's state stays as it is. Sources lie at or
 * above their destinations, so that ascending order overwrites none that is still needed. */
static void move_to_label(struct rt_compiler *c, const struct rt_control *control) {
    uint32_t arity = label_arity(control), from = c->height - arity;
    for (uint32_t i = 0; i < arity; i++) {
        const struct rt_operand *operand = &c->operands[from + i];
        if (operand->kind != RT_IN_SLOT || from != control->height)
            c->target->store(c, (struct rt_place){RT_PLACE_OPERAND, control->height + i}, operand);
    }
}

/* Hands the results over and leaves the function; the compiler's state stays as it is. */
static void return_from_function(struct rt_compiler *c) {
    uint32_t count = c->type.result_count, from = c->height - count, start = rt_here(c);
    if (count > 1) {
        /* Results go where the parameters are, which may be results themselves: put all aside first. */
        for (uint32_t i = from; i < c->height; i++) {
            if (c->operands[i].kind != RT_IN_SLOT)
                c->target->store(c, (struct rt_place){RT_PLACE_OPERAND, i}, &c->operands[i]);
        }
        for (uint32_t i = 1; i < count; i++)
            c->target->copy(c, (enum rt_type)c->type.results[i],
                            (struct rt_place){RT_PLACE_RESULT, i * c->shape.argument_words},
                            (struct rt_place){RT_PLACE_OPERAND, from + i});
        struct rt_operand first = {.kind = RT_IN_SLOT, .type = c->type.results[0], .index = from};
        c->target->load(c, c->target->result[rt_class_of((enum rt_type)first.type)], &first);
    } else if (count == 1) {
        const struct rt_operand *operand = &c->operands[from];
        uint8_t reg = c->target->result[rt_class_of((enum rt_type)operand->type)];
        if (operand->kind != RT_IN_REGISTER)
            c->target->load(c, reg, operand);
        else if (operand->reg != reg)
            c->target->move(c, (enum rt_type)operand->type, reg, operand->reg);
    }
    c->target->leave(c);
    if (c->notes)
        rt_note_return(c, start);
}

/* Goes to a label, with what it needs; the compiler's state stays as it is. */
static void go_to(struct rt_compiler *c, struct rt_control *control) {
    if (control->opcode == RT_OP_UNREACHABLE) {
        return_from_function(c);
        return;
    }
    move_to_label(c, control);
    c->target->jump(c, &control->label);
}

/* What follows cannot run. */
static void stop_reaching(struct rt_compiler *c) {
    c->reachable = false;
    c->dead_depth = 0;
    rt_drop_to(c, c->controls[c->control_count - 1].height);
}

/* Paths meet: the operands above the block are in their slots. */
static void restart_with(struct rt_compiler *c, const struct rt_control *control, uint32_t count,
                         const uint8_t *types) {
    rt_drop_to(c, control->height);
    for (uint32_t i = 0; i < count; i++)
        rt_push_slot(c, (enum rt_type)types[i]);
    c->settled = c->height;
    c->reachable = true;
}

/* ---- Blocks ---- */

static struct rt_control *push_control(struct rt_compiler *c, uint32_t opcode, struct rt_func_type type) {
    if (c->control_count >= c->control_capacity) { /* validation has found the greatest height */
        rt_compile_fail(c, rt_error_format(RT_INVALID, "function %u: too many labels", c->function));
        return &c->controls[0];
    }
    struct rt_control *control = &c->controls[c->control_count++];
    *control = (struct rt_control){
        .opcode = opcode,
        .height = c->height - type.param_count,
        .type = type,
        .label = {.offset = RT_UNBOUND},
        .otherwise = {.offset = RT_UNBOUND},
    };
    return control;
}

static void compile_block(struct rt_compiler *c, uint32_t opcode) {
    struct rt_func_type type;
    struct rt_error *error = rt_block_type_read(c->module, &c->cursor, &type);
    if (error) {
        rt_compile_fail(c, error);
        return;
    }
    uint8_t condition = 0;
    if (opcode == RT_OP_IF) {
        struct rt_operand operand = rt_pop(c);
        condition = c->target->test(c, &operand);
    }
    rt_settle(c, type.param_count);
    struct rt_control *control = push_control(c, opcode, type);
    if (opcode == RT_OP_LOOP) {
        bind_label(c, &control->label);
        /* A branch to a loop's label executes the loop instruction again (section 4.4.8), and so its site. */
        if (c->site_in_loop)
            rt_compile_site(c);
        c->site_in_loop = false;
    } else if (opcode == RT_OP_IF)
        c->target->branch(c, c->target->invert(condition), &control->otherwise);
}

static void compile_else(struct rt_compiler *c) {
    struct rt_control *control = &c->controls[c->control_count - 1];
    if (c->reachable) {
        move_to_label(c, control);
        c->target->jump(c, &control->label);
    }
    control->opcode = RT_OP_ELSE;
    bind_label(c, &control->otherwise);
    restart_with(c, control, control->type.param_count, control->type.params);
}

static void compile_end(struct rt_compiler *c) {
    struct rt_control *control = &c->controls[c->control_count - 1];
    if (control->opcode == RT_OP_UNREACHABLE) {
        if (c->reachable)
            return_from_function(c);
        c->control_count--;
        return;
    }
    /* An `if` without `else` passes its parameters on when the condition is zero. */
    bool merges = control->opcode == RT_OP_IF || (control->opcode != RT_OP_LOOP && control->label.uses);
    if (merges) {
        if (c->reachable) {
            uint32_t count = control->type.result_count;
            for (uint32_t i = c->height - count; i < c->height; i++) {
                if (c->operands[i].kind != RT_IN_SLOT)
                    c->target->store(c, (struct rt_place){RT_PLACE_OPERAND, i}, &c->operands[i]);
            }
        }
        if (control->opcode == RT_OP_IF)
            bind_label(c, &control->otherwise);
        bind_label(c, &control->label);
        restart_with(c, control, control->type.result_count, control->type.results);
    }
    c->control_count--;
    if (!c->reachable) /* still, in the block around */
        stop_reaching(c);
}

void rt_compile_revival(struct rt_compiler *c, uint32_t opcode) {
    if (opcode == RT_OP_ELSE)
        compile_else(c);
    else
        compile_end(c);
}

/* ---- Branches ---- */

static void compile_branch(struct rt_compiler *c) {
    go_to(c, control_at(c, (uint32_t)rt_read_uleb(&c->cursor)));
    stop_reaching(c);
}

static void compile_branch_if(struct rt_compiler *c) {
    struct rt_control *control = control_at(c, (uint32_t)rt_read_uleb(&c->cursor));
    struct rt_operand operand = rt_pop(c);
    uint8_t condition = c->target->test(c, &operand);
    if (control->opcode != RT_OP_UNREACHABLE && !needs_moves(c, control)) {
        c->target->branch(c, condition, &control->label);
        return;
    }
    struct rt_label stay = {.offset = RT_UNBOUND};
    c->target->branch(c, c->target->invert(condition), &stay);
    go_to(c, control);
    bind_label(c, &stay);
}

static void compile_branch_table(struct rt_compiler *c) {
    uint32_t count = (uint32_t)rt_read_uleb(&c->cursor);
    uint8_t reg = rt_pop_register(c, NULL);
    uint32_t table = c->target->jump_table(c, reg, count);
    rt_give_register(c, RT_GENERAL, reg);
    c->table_serial++;
    for (uint32_t i = 0; i <= count && !c->error; i++) {
        struct rt_control *control = control_at(c, (uint32_t)rt_read_uleb(&c->cursor));
        uint32_t field = table + 4 * i;
        if (control->opcode != RT_OP_UNREACHABLE && !needs_moves(c, control)) {
            rt_use_label(c, &control->label, field);
            continue;
        }
        /* One stub passes the operands on for all entries with this label. */
        if (control->table_serial != c->table_serial) {
            control->table_serial = c->table_serial;
            control->table_stub = rt_here(c);
            go_to(c, control);
        }
        c->target->set_field(c->start, field, control->table_stub);
    }
    stop_reaching(c);
}

/* ---- Calls ---- */

/* The thunks of host functions and builtins read a result in any case, and a host function's may be a v128.
 */
#define LEAST_OUTGOING 2

static void claim_outgoing(struct rt_compiler *c, uint32_t words) {
    c->outgoing = c->outgoing > words ? c->outgoing : words;
}

/* Moves the arguments to the outgoing area. No operand is in a register then. */
static void pass_arguments(struct rt_compiler *c, struct rt_func_type type) {
    uint32_t count = type.param_count, from = c->height - count;
    uint32_t words = rt_slot_words(rt_func_type_has_vectors(type));
    claim_outgoing(c, (count > type.result_count ? count : type.result_count) * words);
    for (uint32_t i = 0; i < count; i++)
        c->target->store(c, (struct rt_place){RT_PLACE_OUTGOING, i * words}, &c->operands[from + i]);
    rt_drop_to(c, from);
    rt_spill_registers(c);
    rt_map_operands(c, c->height);
}

static void push_results(struct rt_compiler *c, struct rt_func_type type) {
    if (!type.result_count)
        return;
    enum rt_type first = (enum rt_type)type.results[0];
    uint8_t reg = c->target->result[rt_class_of(first)];
    rt_take_this_register(c, rt_class_of(first), reg);
    rt_push_register(c, first, reg);
    uint32_t words = type.result_count > 1 ? rt_slot_words(rt_func_type_has_vectors(type)) : 1;
    for (uint32_t i = 1; i < type.result_count; i++) {
        enum rt_type next = (enum rt_type)type.results[i];
        c->target->copy(c, next, (struct rt_place){RT_PLACE_OPERAND, c->height},
                        (struct rt_place){RT_PLACE_OUTGOING, i * words});
        rt_push_slot(c, next);
    }
}

static void compile_call(struct rt_compiler *c) {
    uint32_t function = (uint32_t)rt_read_uleb(&c->cursor);
    struct rt_func_type type = c->module->types[c->module->function_types[function]];
    if (function < c->module->imported_functions) {
        claim_outgoing(c, LEAST_OUTGOING);
        uint8_t reg = c->target->import(c, function);
        pass_arguments(c, type);
        c->target->call_pointer(c, reg);
        rt_give_register(c, RT_GENERAL, reg);
    } else {
        pass_arguments(c, type);
        c->target->call_defined(c, function);
    }
    push_results(c, type);
}

static void compile_call_indirect(struct rt_compiler *c) {
    uint32_t type_index = (uint32_t)rt_read_uleb(&c->cursor), table = (uint32_t)rt_read_uleb(&c->cursor);
    struct rt_func_type type = c->module->types[type_index];
    claim_outgoing(c, LEAST_OUTGOING);
    uint8_t reg = c->target->element(c, type_index, table);
    pass_arguments(c, type);
    c->target->call_pointer(c, reg);
    rt_give_register(c, RT_GENERAL, reg);
    push_results(c, type);
}

void rt_compile_builtin(struct rt_compiler *c, enum rt_builtin builtin, const uint32_t *immediates,
                        int result_type) {
    static const struct {
        uint8_t operands, immediates, trap;
    } table[] = {
#define RT_BUILTIN(name, operands, immediates, trap) {operands, immediates, trap},
#include "runtime/builtins.def"
#undef RT_BUILTIN
    };
    uint32_t count = table[builtin].operands, total = count + table[builtin].immediates;
    claim_outgoing(c, total > LEAST_OUTGOING ? total : LEAST_OUTGOING);
    rt_settle(c, count); /* so that a trap still knows them */
    for (uint32_t i = 0; i < count; i++)
        c->target->store(c, (struct rt_place){RT_PLACE_OUTGOING, i}, &c->operands[c->height - count + i]);
    for (uint32_t i = count; i < total; i++) {
        struct rt_operand immediate = {.kind = RT_IS_CONSTANT, .type = RT_I32, .bits = immediates[i - count]};
        c->target->store(c, (struct rt_place){RT_PLACE_OUTGOING, i}, &immediate);
    }
    rt_drop_to(c, c->height - count);
    c->target->call_builtin(c, builtin, count, (enum rt_trap)table[builtin].trap);
    if (result_type) {
        enum rt_type type = (enum rt_type)result_type;
        push_results(c, (struct rt_func_type){.result_count = 1, .results = &(uint8_t){(uint8_t)type}});
    }
}

/* ---- All of them ---- */

void rt_compile_control(struct rt_compiler *c, uint32_t opcode) {
    switch (opcode) {
    case RT_OP_UNREACHABLE:
        rt_map_operands(c, c->height);
        c->target->trap(c, RT_TRAP_UNREACHABLE);
        stop_reaching(c);
        break;
    case RT_OP_BLOCK:
    case RT_OP_LOOP:
    case RT_OP_IF: compile_block(c, opcode); break;
    case RT_OP_ELSE: compile_else(c); break;
    case RT_OP_END: compile_end(c); break;
    case RT_OP_BR: compile_branch(c); break;
    case RT_OP_BR_IF: compile_branch_if(c); break;
    case RT_OP_BR_TABLE: compile_branch_table(c); break;
    case RT_OP_RETURN:
        return_from_function(c);
        stop_reaching(c);
        break;
    case RT_OP_CALL: compile_call(c); break;
    case RT_OP_CALL_INDIRECT: compile_call_indirect(c); break;
    default: break;
    }
}
