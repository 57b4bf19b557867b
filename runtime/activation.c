/* A guest's stack as compiled code has it: its activations, their locals and operands. */
#include "runtime/code.h"
#include "runtime/instance.h"
#include "runtime/target.h"

/* Fills in the activation whose frame this is; false when the pc is in no guest function. */
static bool describe(const struct rt_entry *entry, uintptr_t frame, uintptr_t machine, bool is_return_address,
                     struct rt_registers *registers, struct rt_activation *ret) {
    struct rt_instance *instance = ((struct rt_instance **)frame)[-1];
    struct rt_code_position position;
    if (!rt_code_find(rt_machine_code_of(instance->code), machine - is_return_address, &position))
        return false;
    *ret = (struct rt_activation){.instance = instance,
                                  .function = position.function,
                                  .pc = position.pc,
                                  .machine = machine,
                                  .frame = frame,
                                  .registers = registers,
                                  .entry = entry};
    return true;
}

/* The innermost activation of an entry whose guest called C. */
static bool describe_exit(const struct rt_entry *entry, struct rt_activation *ret) {
    return entry && entry->exit_frame &&
           describe(entry, entry->exit_frame, entry->exit_return, true, NULL, ret);
}

static bool is_guest_code(const struct rt_store *store, uintptr_t pc) {
    for (const struct rt_instance *i = store->instances; i; i = i->next) {
        uintptr_t low, high;
        rt_code_range(i->code, &low, &high);
        if (low <= pc && pc < high)
            return true;
    }
    return false;
}

bool rt_compiled_first(struct rt_store *store, struct rt_registers *registers, struct rt_activation *ret) {
    if (!store->entry)
        return false;
    if (!registers || !is_guest_code(store, registers->pc))
        return describe_exit(store->entry, ret);
    return describe(store->entry, registers->general[rt_target_host()->frame_pointer], registers->pc, false,
                    registers, ret);
}

bool rt_compiled_caller(const struct rt_activation *activation, struct rt_activation *ret) {
    const struct rt_entry *entry = activation->entry;
    const uintptr_t *frame = (const uintptr_t *)activation->frame;
    if (frame[0] == entry->frame) /* C called it; who called C? */
        return describe_exit(entry->outer, ret);
    return describe(entry, frame[0], frame[1], true, NULL, ret);
}

/* ---- Places ---- */

static uintptr_t lookup_pc(const struct rt_activation *activation) {
    return activation->machine - (activation->registers ? 0 : 1); /* else a return address */
}

/* A slot of the frame. */
static void *slot_of(const struct rt_activation *activation, enum rt_place_kind kind, uint32_t index) {
    struct rt_frame_shape shape = rt_frame_shape_of(activation->instance->module, activation->function);
    return (void *)rt_target_host()->address(activation->frame, &shape, (struct rt_place){kind, index});
}

/* Whether a declared local is not in the frame yet: it is zero then. */
static bool is_not_there(const struct rt_activation *activation, uint32_t local) {
    const struct rt_module *module = activation->instance->module;
    return local >= module->types[module->function_types[activation->function]].param_count &&
           rt_code_in_prologue(rt_machine_code_of(activation->instance->code), lookup_pc(activation));
}

union rt_value rt_compiled_local(const struct rt_activation *activation, uint32_t local) {
    enum rt_type type = rt_module_local_type(activation->instance->module, activation->function, local);
    if (is_not_there(activation, local))
        return (union rt_value){.v128 = {0}};
    return rt_slot_read(type, slot_of(activation, RT_PLACE_LOCAL, local));
}

/* Whether an operand is but another name for the local: it would change as well. */
static struct rt_error *is_operand(const struct rt_activation *activation, uint32_t local, bool *ret) {
    uint32_t count = 1;
    *ret = false;
    for (uint32_t i = 0; i < count && !*ret; i++) {
        struct rt_operand_place place = {0};
        struct rt_error *error = rt_code_operand(rt_machine_code_of(activation->instance->code),
                                                 lookup_pc(activation), i, &count, &place);
        if (error)
            return error;
        *ret = i < count && place.where == RT_WHERE_LOCAL && place.value == local;
    }
    return NULL;
}

/* Where a local's value is beside the frame: in a saved register, or nowhere (NULL). */
static struct rt_error *find_register(const struct rt_activation *activation, uint32_t local,
                                      enum rt_type type, void **ret) {
    struct rt_registers *registers = activation->registers;
    uint8_t reg = RT_NO_REGISTER;
    *ret = NULL;
    if (!registers) /* a call keeps no register */
        return NULL;
    struct rt_error *error = rt_code_cached_register(rt_machine_code_of(activation->instance->code),
                                                     activation->machine, local, &reg);
    if (error || reg == RT_NO_REGISTER)
        return error;
    if (rt_class_of(type) == RT_GENERAL)
        *ret = &registers->general[reg];
    else if (registers->vector)
        *ret = registers->vector[reg];
    else
        return rt_error_format(RT_USAGE,
                               "local %u of function %u is in a register that the caller did not give", local,
                               activation->function);
    return NULL;
}

struct rt_error *rt_compiled_set_local(const struct rt_activation *activation, uint32_t local,
                                       union rt_value value) {
    if (is_not_there(activation, local))
        return rt_error_format(RT_USAGE, "local %u of function %u does not exist before its body", local,
                               activation->function);
    bool also_operand = false;
    struct rt_error *error = is_operand(activation, local, &also_operand);
    if (error)
        return error;
    if (also_operand)
        return rt_error_format(RT_USAGE,
                               "local %u of function %u cannot change here: its old value is an operand",
                               local, activation->function);
    enum rt_type type = rt_module_local_type(activation->instance->module, activation->function, local);
    void *also_register;
    error = find_register(activation, local, type, &also_register);
    if (error)
        return error;
    rt_slot_write(type, slot_of(activation, RT_PLACE_LOCAL, local), &value);
    if (also_register)
        rt_slot_write(type, also_register, &value);
    return NULL;
}

struct rt_error *rt_compiled_operand_count(const struct rt_activation *activation, uint32_t *ret) {
    return rt_code_operand(rt_machine_code_of(activation->instance->code), lookup_pc(activation), UINT32_MAX,
                           ret, NULL);
}

struct rt_error *rt_compiled_operand(const struct rt_activation *activation, uint32_t index,
                                     enum rt_type *type, union rt_value *ret) {
    struct rt_operand_place place = {0};
    uint32_t count = 0;
    struct rt_error *error = rt_code_operand(rt_machine_code_of(activation->instance->code),
                                             lookup_pc(activation), index, &count, &place);
    if (error)
        return error;
    if (index >= count)
        return rt_error_format(RT_USAGE, "no operand %u: function %u has %u there", index,
                               activation->function, count);
    const struct rt_registers *registers = activation->registers;
    const void *slot = NULL;
    switch (place.where) {
    case RT_WHERE_SLOT: slot = slot_of(activation, RT_PLACE_OPERAND, place.slot); break;
    case RT_WHERE_LOCAL: slot = slot_of(activation, RT_PLACE_LOCAL, (uint32_t)place.value); break;
    case RT_WHERE_CONSTANT: slot = &place.value; break;
    case RT_WHERE_REGISTER:
        if (registers && rt_class_of(place.type) == RT_GENERAL)
            slot = &registers->general[place.value & 15];
        else if (registers && registers->vector)
            slot = registers->vector[place.value & 15];
        else
            return rt_error_format(RT_USAGE, "operand %u is in a register that the caller did not give",
                                   index);
        break;
    }
    *type = place.type;
    *ret = rt_slot_read(place.type, slot);
    return NULL;
}
