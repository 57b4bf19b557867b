/* The compiler's operand stack and register allocation.
 *
 * A register belongs to one operand, or is held by the instruction that is being compiled, or is free. When
 * none is free, the operand that is lowest on the stack moves to its slot. Of the free ones those that hold
 * no local's value are taken first. */
#include "runtime/compile.h"
#include "runtime/target.h"

/* More names for locals than this, and the next one is loaded: bounds the work of rt_detach_local. */
#define ALIAS_LIMIT 32

void rt_operands_clear(struct rt_compiler *c) {
    c->height = 0;
    c->settled = 0;
    c->aliases = 0;
    for (unsigned class = 0; class < RT_CLASS_COUNT; class ++)
        c->free[class] = c->target->registers[class];
    rt_forget_locals(c);
    rt_map_changed(c, 0);
}

static struct rt_operand *too_high(struct rt_compiler *c) {
    rt_compile_fail(c, rt_error_format(RT_INVALID, "function %u: operand stack too high", c->function));
    return &c->operands[0];
}

/* The next operand, on the stack, to be filled in. It is written field by field where it stays: a copy in one
 * piece would wait for the fields to reach memory. */
static inline struct rt_operand *push(struct rt_compiler *c, enum rt_operand_kind kind, enum rt_type type) {
    if (c->height >= c->operand_capacity) /* validation has found the greatest height */
        return too_high(c);
    rt_map_changed(c, c->height);
    struct rt_operand *operand = &c->operands[c->height++];
    operand->kind = (uint8_t)kind;
    operand->type = (uint8_t)type;
    return operand;
}

void rt_push_register(struct rt_compiler *c, enum rt_type type, uint8_t reg) {
    c->owners[rt_class_of(type)][reg] = c->height;
    push(c, RT_IN_REGISTER, type)->reg = reg;
}

void rt_push_flags(struct rt_compiler *c, uint8_t condition) {
    push(c, RT_IN_FLAGS, RT_I32)->reg = condition;
}

void rt_push_constant(struct rt_compiler *c, enum rt_type type, uint64_t bits) {
    push(c, RT_IS_CONSTANT, type)->bits = bits;
}

void rt_push_slot(struct rt_compiler *c, enum rt_type type) {
    uint32_t index = c->height;
    push(c, RT_IN_SLOT, type)->index = index;
}

static void push_loaded(struct rt_compiler *c, enum rt_type type, uint32_t local) {
    struct rt_operand name = {.kind = RT_IS_LOCAL, .type = (uint8_t)type, .index = local};
    uint8_t reg = rt_take_register(c, rt_class_of(type));
    c->target->load(c, reg, &name);
    rt_push_register(c, type, reg);
}

void rt_push_local(struct rt_compiler *c, uint32_t local) {
    enum rt_type type = (enum rt_type)c->local_types[local];
    if (c->aliases >= ALIAS_LIMIT) {
        push_loaded(c, type, local);
        return;
    }
    c->aliases++;
    push(c, RT_IS_LOCAL, type)->index = local;
}

/* Bookkeeping for an operand that leaves the stack or changes its place. */
static void forget(struct rt_compiler *c, const struct rt_operand *operand) {
    if (operand->kind == RT_IS_LOCAL)
        c->aliases--;
    else if (operand->kind == RT_IN_REGISTER)
        c->owners[rt_class_of((enum rt_type)operand->type)][operand->reg] = RT_NO_OWNER;
}

struct rt_operand rt_pop(struct rt_compiler *c) {
    if (!c->height) {
        rt_compile_fail(c, rt_error_format(RT_INVALID, "function %u: operand stack empty", c->function));
        return (struct rt_operand){.kind = RT_IS_CONSTANT, .type = RT_I32};
    }
    struct rt_operand operand = c->operands[--c->height];
    forget(c, &operand);
    if (c->settled > c->height)
        c->settled = c->height;
    rt_map_changed(c, c->height);
    return operand;
}

uint8_t rt_pop_register(struct rt_compiler *c, enum rt_type *ret_type) {
    struct rt_operand operand = rt_pop(c);
    if (ret_type)
        *ret_type = (enum rt_type)operand.type;
    if (operand.kind == RT_IN_REGISTER)
        return operand.reg;
    uint8_t reg = rt_take_register(c, rt_class_of((enum rt_type)operand.type));
    c->target->load(c, reg, &operand);
    return reg;
}

void rt_pop_into(struct rt_compiler *c, uint8_t reg) {
    struct rt_operand operand = rt_pop(c);
    enum rt_register_class class = rt_class_of((enum rt_type)operand.type);
    if (operand.kind == RT_IN_REGISTER && operand.reg == reg)
        return;
    bool is_there = rt_cached_register(c, &operand) == reg;
    rt_take_this_register(c, class, reg);
    if (is_there)
        return;
    if (operand.kind == RT_IN_REGISTER) {
        c->target->move(c, (enum rt_type)operand.type, reg, operand.reg);
        rt_give_register(c, class, operand.reg);
        c->operands[c->height].reg = reg;
    } else {
        c->target->load(c, reg, &operand);
    }
}

void rt_drop_to(struct rt_compiler *c, uint32_t height) {
    while (c->height > height) {
        struct rt_operand operand = rt_pop(c);
        rt_give_operand(c, &operand);
    }
}

/* Moves an operand of the stack to its slot. */
static void spill(struct rt_compiler *c, uint32_t index) {
    struct rt_operand *operand = &c->operands[index];
    c->target->store(c, (struct rt_place){RT_PLACE_OPERAND, index}, operand);
    forget(c, operand);
    rt_give_operand(c, operand);
    operand->kind = RT_IN_SLOT;
    operand->index = index;
    rt_map_changed(c, index);
}

static void take(struct rt_compiler *c, enum rt_register_class class, uint8_t reg) {
    c->free[class] &= ~(1u << reg);
    c->cached[class] &= ~(1u << reg);
    c->owners[class][reg] = RT_NO_OWNER;
}

uint8_t rt_take_register(struct rt_compiler *c, enum rt_register_class class) {
    if (!c->free[class]) {
        uint32_t lowest = RT_NO_OWNER;
        for (uint32_t left = c->target->registers[class]; left; left &= left - 1) {
            uint32_t owner = c->owners[class][__builtin_ctz(left)];
            lowest = owner < lowest ? owner : lowest;
        }
        if (lowest == RT_NO_OWNER) { /* an instruction would have to hold them all */
            rt_compile_fail(c, rt_error_format(RT_UNSUPPORTED, "function %u: out of registers", c->function));
            return (uint8_t)__builtin_ctz(c->target->registers[class]);
        }
        spill(c, lowest);
    }
    uint32_t unused = c->free[class] & ~c->cached[class];
    uint32_t from = unused & c->target->preferred[class];
    uint8_t reg;
    if (unused) {
        reg = (uint8_t)__builtin_ctz(from ? from : unused);
    } else { /* in turn, so that what was put there last stays longest */
        uint32_t later = c->free[class] & ~((2u << c->evicted) - 1);
        reg = (uint8_t)__builtin_ctz(later ? later : c->free[class]);
        c->evicted = reg;
    }
    take(c, class, reg);
    return reg;
}

void rt_take_this_register(struct rt_compiler *c, enum rt_register_class class, uint8_t reg) {
    if (!(c->free[class] & 1u << reg)) {
        uint32_t owner = c->owners[class][reg];
        if (owner == RT_NO_OWNER) {
            rt_compile_fail(c, rt_error_format(RT_UNSUPPORTED, "function %u: register %u is held",
                                               c->function, (unsigned)reg));
            return;
        }
        if (c->free[class]) {
            struct rt_operand *operand = &c->operands[owner];
            uint8_t other = rt_take_register(c, class);
            c->target->move(c, (enum rt_type)operand->type, other, reg);
            c->owners[class][other] = owner;
            operand->reg = other;
            rt_map_changed(c, owner);
        } else {
            spill(c, owner);
        }
    }
    take(c, class, reg);
}

void rt_give_register(struct rt_compiler *c, enum rt_register_class class, uint8_t reg) {
    c->free[class] |= 1u << reg;
    c->owners[class][reg] = RT_NO_OWNER;
}

void rt_spill_registers(struct rt_compiler *c) {
    rt_forget_locals(c);
    for (unsigned class = 0; class < RT_CLASS_COUNT; class ++) {
        for (uint32_t left = c->target->registers[class] & ~c->free[class]; left; left &= left - 1) {
            uint32_t owner = c->owners[class][__builtin_ctz(left)];
            if (owner != RT_NO_OWNER)
                spill(c, owner);
        }
    }
}

void rt_settle(struct rt_compiler *c, uint32_t count) {
    uint32_t top = c->height - count;
    for (uint32_t i = c->settled; i < c->height; i++) {
        uint8_t kind = c->operands[i].kind;
        if (kind == RT_IN_REGISTER || kind == RT_IS_LOCAL || (i >= top && kind == RT_IS_CONSTANT))
            spill(c, i);
    }
    /* Constants among the top operands that an earlier call left. */
    for (uint32_t i = top; i < c->settled && i < c->height; i++) {
        if (c->operands[i].kind == RT_IS_CONSTANT)
            spill(c, i);
    }
    c->settled = c->height;
}

void rt_detach_local(struct rt_compiler *c, uint32_t local) {
    for (uint32_t i = c->height; c->aliases && i > c->settled; i--) {
        struct rt_operand *operand = &c->operands[i - 1];
        if (operand->kind != RT_IS_LOCAL || operand->index != local)
            continue;
        enum rt_register_class class = rt_class_of((enum rt_type)operand->type);
        if (!c->free[class]) {
            spill(c, i - 1);
            continue;
        }
        uint8_t reg = rt_take_register(c, class);
        c->target->load(c, reg, operand);
        forget(c, operand);
        operand->kind = RT_IN_REGISTER;
        operand->reg = reg;
        c->owners[class][reg] = i - 1;
        rt_map_changed(c, i - 1);
    }
    struct rt_operand name = {.kind = RT_IS_LOCAL, .type = c->local_types[local], .index = local};
    uint8_t reg = rt_cached_register(c, &name);
    if (reg != RT_NO_REGISTER)
        c->cached[rt_class_of((enum rt_type)name.type)] &= ~(1u << reg);
}

void rt_cache_local(struct rt_compiler *c, uint32_t local, uint8_t reg) {
    if (c->options.writable_locals)
        return;
    enum rt_register_class class = rt_class_of((enum rt_type)c->local_types[local]);
    c->cached[class] |= 1u << reg;
    c->cached_locals[class][reg] = local;
    c->local_registers[local] = reg;
}
