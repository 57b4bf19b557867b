/* The translator's operand stack: where each operand is, and instructions that put it elsewhere. */
#include "runtime/interp/translate.h"

uint32_t rt_place_slot(const struct rt_translator *t, uint32_t index) {
    if (!index)
        return t->local_slots;
    const struct rt_translator_operand *below = &t->operands[index - 1];
    return below->slot + rt_interp_slots((enum rt_type)below->type);
}

static void push(struct rt_translator *t, struct rt_translator_operand operand) {
    uint32_t index = t->height;
    if (index >= t->operand_capacity) { /* validation has found the greatest height */
        rt_translate_fail(t, rt_error_format(RT_INVALID, "function %u: too many operands", t->function));
        return;
    }
    operand.slot = rt_place_slot(t, index);
    t->operands[index] = operand;
    t->height++;
    t->known_nodes = t->known_nodes < index ? t->known_nodes : index;
    t->settled = t->settled < index ? t->settled : index;
    uint32_t top = rt_place_slot(t, t->height);
    t->frame_slots = t->frame_slots > top ? t->frame_slots : top;
}

void rt_operand_push(struct rt_translator *t, enum rt_type type) {
    push(t, (struct rt_translator_operand){.type = (uint8_t)type, .kind = RT_OPERAND_SLOT});
}

void rt_operand_push_constant(struct rt_translator *t, enum rt_type type, uint64_t bits) {
    push(t,
         (struct rt_translator_operand){.value = bits, .type = (uint8_t)type, .kind = RT_OPERAND_CONSTANT});
}

/* The local whose first slot this is: they ascend. */
static struct rt_translator_local *local_at(const struct rt_translator *t, uint64_t slot) {
    uint64_t low = 0, high = slot + 1; /* a local has a slot at least */
    uint64_t count = t->type.param_count + (uint64_t)t->body->local_count;
    high = high < count ? high : count;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (t->locals[middle].slot <= slot)
            low = middle;
        else
            high = middle;
    }
    return &t->locals[low];
}

void rt_operand_push_local(struct rt_translator *t, uint32_t local) {
    t->locals[local].names++;
    t->names++;
    push(t, (struct rt_translator_operand){.value = t->locals[local].slot,
                                           .type = (uint8_t)t->locals[local].type,
                                           .kind = RT_OPERAND_LOCAL});
}

static void forget_name(struct rt_translator *t, const struct rt_translator_operand *operand) {
    if (operand->kind == RT_OPERAND_LOCAL) {
        local_at(t, operand->value)->names--;
        t->names--;
    }
}

static void settle(struct rt_translator *t, uint32_t index) {
    struct rt_translator_operand *operand = &t->operands[index];
    if (operand->kind == RT_OPERAND_SLOT)
        return;
    rt_operand_copy(t, index, operand->slot);
    forget_name(t, operand);
    operand->kind = RT_OPERAND_SLOT;
    t->known_nodes = t->known_nodes < index ? t->known_nodes : index;
}

void rt_operands_drop(struct rt_translator *t, uint32_t height) {
    for (; t->height > height; t->height--)
        forget_name(t, &t->operands[t->height - 1]);
    t->settled = t->settled < height ? t->settled : height;
}

void rt_operand_copy(struct rt_translator *t, uint32_t index, uint32_t slot) {
    const struct rt_translator_operand *operand = &t->operands[index];
    uint32_t from = operand->kind == RT_OPERAND_LOCAL ? (uint32_t)operand->value : operand->slot;
    if (operand->kind == RT_OPERAND_CONSTANT && operand->value <= UINT32_MAX)
        RT_EMIT(t, RT_DO_CONSTANT, slot, (uint32_t)operand->value);
    else if (operand->kind == RT_OPERAND_CONSTANT)
        RT_EMIT(t, RT_DO_CONSTANT_LONG, slot, (uint32_t)operand->value, (uint32_t)(operand->value >> 32));
    else if (from != slot)
        RT_EMIT(t, operand->type == RT_V128 ? RT_DO_COPY_PAIR : RT_DO_COPY, slot, from);
}

uint32_t rt_operand_slot(struct rt_translator *t, uint32_t index) {
    struct rt_translator_operand *operand = &t->operands[index];
    if (operand->kind == RT_OPERAND_LOCAL)
        return (uint32_t)operand->value;
    settle(t, index);
    return operand->slot;
}

void rt_operands_settle(struct rt_translator *t, uint32_t from, uint32_t to) {
    for (uint32_t i = from > t->settled ? from : t->settled; i < to; i++)
        settle(t, i);
    if (from <= t->settled && t->settled < to)
        t->settled = to;
}

void rt_operands_detach(struct rt_translator *t) {
    for (uint32_t i = t->height; t->names && i; i--) {
        if (t->operands[i - 1].kind == RT_OPERAND_LOCAL)
            settle(t, i - 1);
    }
}

bool rt_operand_constant(const struct rt_translator *t, uint32_t index, uint32_t *ret) {
    const struct rt_translator_operand *operand = &t->operands[index];
    bool is_wide = operand->type != RT_I32 && operand->type != RT_F32;
    *ret = (uint32_t)operand->value;
    return operand->kind == RT_OPERAND_CONSTANT &&
           (!is_wide || (int64_t)operand->value == (int32_t)(uint32_t)operand->value);
}

void rt_operand_result(struct rt_translator *t, uint32_t word, uint32_t count, enum rt_type type) {
    rt_operands_drop(t, t->height - count);
    rt_operand_push(t, type);
    t->last = word;
    t->last_operand = t->height - 1;
    t->last_compare = 0;
}
