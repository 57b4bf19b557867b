/* A guest's stack as the interpreter has it: activations, their locals and operands. */
#include "runtime/interp/interp.h"

static const struct rt_interp_record *record_of(const struct rt_activation *activation) {
    return (const struct rt_interp_record *)activation->frame;
}

/* Fills in the activation of a record; false when it is the stack's base: no activation. */
static bool describe(const struct rt_interp *interp, const struct rt_interp_record *record,
                     struct rt_activation *ret) {
    if (record >= interp->base)
        return false;
    const struct rt_interp_code *code = rt_interp_code_of(record->instance->code);
    const struct rt_interp_place *place = rt_interp_place_at(code, (uintptr_t)record->at);
    if (!place)
        return false;
    *ret = (struct rt_activation){
        .instance = record->instance,
        .function = (uint32_t)(rt_interp_function_at(code, place->word) - code->functions) +
                    code->base.module->imported_functions,
        .pc = place->pc,
        .machine = (uintptr_t)record->at,
        .frame = (uintptr_t)record,
        .entry = interp,
    };
    return true;
}

bool rt_interp_first(struct rt_store *store, struct rt_registers *registers, struct rt_activation *ret) {
    (void)registers;
    const struct rt_interp *interp = store->engine_state;
    return describe(interp, interp->use.record, ret);
}

/* Records of a call through a host function lie beside its caller's: a host frame is skipped by itself. */
bool rt_interp_caller(const struct rt_activation *activation, struct rt_activation *ret) {
    return describe(activation->entry, record_of(activation) + 1, ret);
}

/* ---- Locals ---- */

/* A local's slot or slots in its frame. */
static uint64_t *local_slots(const struct rt_activation *activation, uint32_t local) {
    const struct rt_module *module = activation->instance->module;
    uint64_t *slots = record_of(activation)->slots;
    if (!module->bodies[activation->function - module->imported_functions].has_vectors)
        return slots + local;
    for (uint32_t i = 0; i < local; i++)
        slots += rt_interp_slots(rt_module_local_type(module, activation->function, i));
    return slots;
}

/* Whether a declared local is not in the frame yet, as its function could not begin: it is zero then. */
static bool is_not_there(const struct rt_activation *activation, uint32_t local) {
    const struct rt_module *module = activation->instance->module;
    const struct rt_interp_code *code = rt_interp_code_of(activation->instance->code);
    uint32_t defined = activation->function - module->imported_functions;
    const uint32_t *body = code->words + code->functions[defined].start + RT_INTERP_ENTER_WORDS;
    return record_of(activation)->at < body &&
           local >= module->types[module->function_types[activation->function]].param_count;
}

union rt_value rt_interp_local(const struct rt_activation *activation, uint32_t local) {
    if (is_not_there(activation, local))
        return (union rt_value){.v128 = {0}};
    return rt_interp_get(local_slots(activation, local),
                         rt_module_local_type(activation->instance->module, activation->function, local));
}

/* ---- Operands ---- */

/* The operand on top at this place; NULL when there is none. Its nodes are code->nodes. */
static const struct rt_interp_node *top_operand(const struct rt_activation *activation) {
    const struct rt_interp_code *code = rt_interp_code_of(activation->instance->code);
    const struct rt_interp_place *place = rt_interp_place_at(code, activation->machine);
    return place && place->node ? &code->nodes[place->node] : NULL;
}

static const struct rt_interp_node *operand_below(const struct rt_activation *activation,
                                                  const struct rt_interp_node *node) {
    return node->below ? &rt_interp_code_of(activation->instance->code)->nodes[node->below] : NULL;
}

struct rt_error *rt_interp_operand_count(const struct rt_activation *activation, uint32_t *ret) {
    const struct rt_interp_node *top = top_operand(activation);
    *ret = top ? top->height : 0;
    return NULL;
}

struct rt_error *rt_interp_operand(const struct rt_activation *activation, uint32_t index, enum rt_type *type,
                                   union rt_value *ret) {
    const struct rt_interp_node *node = top_operand(activation);
    if (!node || index >= node->height)
        return rt_error_format(RT_USAGE, "no operand %u: function %u has %u there", index,
                               activation->function, node ? node->height : 0);
    while (node->height != index + 1)
        node = operand_below(activation, node);
    *type = (enum rt_type)node->type;
    *ret = rt_interp_get(
        node->kind == RT_OPERAND_CONSTANT ? &node->value : record_of(activation)->slots + node->value, *type);
    return NULL;
}

struct rt_error *rt_interp_set_local(const struct rt_activation *activation, uint32_t local,
                                     union rt_value value) {
    if (is_not_there(activation, local))
        return rt_error_format(RT_USAGE, "local %u of function %u does not exist before its body", local,
                               activation->function);
    uint64_t *slots = local_slots(activation, local);
    for (const struct rt_interp_node *node = top_operand(activation); node;
         node = operand_below(activation, node)) {
        if (node->kind == RT_OPERAND_LOCAL && record_of(activation)->slots + node->value == slots)
            return rt_error_format(RT_USAGE,
                                   "local %u of function %u cannot change here: its old value is an operand",
                                   local, activation->function);
    }
    rt_interp_put(slots, rt_module_local_type(activation->instance->module, activation->function, local),
                  &value);
    return NULL;
}
