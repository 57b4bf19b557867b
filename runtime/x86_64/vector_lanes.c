/* Lowers vector constants, lane access, shuffles and bitwise instructions (sections 4.3.6 and 4.4.3). */
#include "runtime/x86_64/vector.h"

/* operation reg, [16 bytes behind the function's code] */
static void with_pooled(struct rt_compiler *c, uint32_t operation, uint8_t reg, const uint8_t *bytes) {
    rt_x86_rm(c, operation, reg, x86_at(RIP, 0), 0);
    if (!rt_compile_array(c, &c->pool, &c->pool_capacity, c->pool_count + (size_t)1, sizeof(*c->pool)))
        return;
    struct rt_pooled_vector *pooled = &c->pool[c->pool_count++];
    pooled->field = rt_here(c) - 4;
    memcpy(pooled->bytes, bytes, sizeof(pooled->bytes));
}

static bool all_are(const uint8_t *bytes, uint8_t value) {
    for (unsigned i = 0; i < 16; i++) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

X86_VECTOR_LOWERING(rt_x86_vector_constant) {
    (void)how;
    uint8_t reg = rt_take_register(c, RT_VECTOR);
    if (all_are(immediate->bytes, 0))
        rt_x86_rr(c, X86_PXOR, reg, reg);
    else if (all_are(immediate->bytes, 0xff))
        rt_x86_rr(c, X86_PCMPEQD, reg, reg);
    else
        with_pooled(c, X86_MOVUPS, reg, immediate->bytes);
    rt_push_register(c, RT_V128, reg);
}

/* ---- Lanes ---- */

void rt_x86_splat_lowest(struct rt_compiler *c, unsigned lane, uint8_t reg) {
    switch (lane) {
    case LANE_8:
        rt_x86_rr(c, X86_PXOR, VECTOR_SCRATCH, VECTOR_SCRATCH);
        rt_x86_rr(c, X86_PSHUFB, reg, VECTOR_SCRATCH);
        break;
    case LANE_16:
        x86_rr_imm(c, X86_PSHUFLW, reg, reg, 0);
        rt_x86_rr(c, X86_PUNPCKLQDQ, reg, reg);
        break;
    case LANE_32: x86_rr_imm(c, X86_PSHUFD, reg, reg, 0); break;
    default: rt_x86_rr(c, X86_PUNPCKLQDQ, reg, reg); break;
    }
}

X86_VECTOR_LOWERING(rt_x86_vector_splat) {
    (void)immediate;
    enum rt_type type;
    uint8_t reg = rt_pop_register(c, &type);
    if (rt_class_of(type) == RT_GENERAL) {
        uint8_t from = reg;
        reg = rt_take_register(c, RT_VECTOR);
        rt_x86_rr(c, X86_MOVD_LOAD | x86_width(type), reg, from);
        rt_give_register(c, RT_GENERAL, from);
    }
    rt_x86_splat_lowest(c, how->lane, reg);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_extract) {
    uint8_t from = rt_pop_register(c, NULL), reg = rt_take_register(c, RT_GENERAL);
    if (how->lane >= LANE_32 && !immediate->lane)
        rt_x86_rr(c, X86_MOVD_STORE | (how->operation & X86_W), from, reg);
    else
        x86_rr_imm(c, how->operation, from, reg, immediate->lane);
    if (how->detail & VECTOR_SIGNED)
        rt_x86_rr(c, (how->lane == LANE_8 ? X86_MOVSX8 : X86_MOVSX16) | X86_BYTE_RM, reg, reg);
    rt_give_register(c, RT_VECTOR, from);
    rt_push_register(c, how->lane == LANE_64 ? RT_I64 : RT_I32, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_extract_float) {
    uint8_t reg = rt_pop_register(c, NULL);
    if (immediate->lane)
        x86_rr_imm(c, X86_PSHUFD, reg, reg, how->lane == LANE_32 ? immediate->lane : HIGH_HALF);
    rt_push_register(c, how->lane == LANE_32 ? RT_F32 : RT_F64, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_replace) {
    uint8_t value = rt_pop_register(c, NULL), reg = rt_pop_register(c, NULL);
    x86_rr_imm(c, how->operation, reg, value, immediate->lane);
    rt_give_register(c, RT_GENERAL, value);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_replace_float) {
    uint8_t value = rt_pop_register(c, NULL), reg = rt_pop_register(c, NULL);
    if (how->lane == LANE_32)
        x86_rr_imm(c, X86_INSERTPS, reg, value, immediate->lane * 16u);
    else
        rt_x86_rr(c, immediate->lane ? X86_PUNPCKLQDQ : X86_MOVSD, reg, value); /* keeps the other lane */
    rt_give_register(c, RT_VECTOR, value);
    rt_push_register(c, RT_V128, reg);
}

/* ---- Shuffles ---- */

/* Whether the lanes take dwords of one operand; *order is pshufd's. */
static bool moves_dwords(const uint8_t *lanes, unsigned *order) {
    *order = 0;
    for (unsigned i = 0; i < 16; i += 4) {
        if (lanes[i] % 4)
            return false;
        for (unsigned k = 1; k < 4; k++) {
            if (lanes[i + k] != lanes[i] + k)
                return false;
        }
        *order |= lanes[i] / 4u << i / 2;
    }
    return true;
}

/* Whether the lanes interleave the lower or the upper halves of both operands; *operation is punpck's. */
static bool interleaves(const uint8_t *lanes, uint32_t *operation) {
    static const uint8_t low[] = {0x60, 0x61, 0x62, 0x6c}, high[] = {0x68, 0x69, 0x6a, 0x6d};
    for (unsigned lane = LANE_8; lane <= LANE_64; lane++) {
        unsigned size = 1u << lane, first = lanes[0];
        bool good = first == 0 || first == 8;
        for (unsigned i = 0; i < 16 && good; i++) {
            unsigned from_right = i >> lane & 1, in_lane = i % size, pair = i >> (lane + 1);
            good = lanes[i] == first + 16 * from_right + pair * size + in_lane;
        }
        if (good) {
            *operation = PACKED(first ? high[lane] : low[lane]);
            return true;
        }
    }
    return false;
}

static void shuffle_one(struct rt_compiler *c, struct rt_operand *operand, const uint8_t *lanes) {
    unsigned order;
    uint8_t reg;
    if (moves_dwords(lanes, &order)) {
        reg = operand->kind == RT_IN_REGISTER ? operand->reg : rt_take_register(c, RT_VECTOR);
        rt_x86_operate(c, X86_PSHUFD, reg, operand);
        x86_byte(c, order);
    } else {
        reg = rt_x86_to_register(c, operand);
        with_pooled(c, X86_PSHUFB, reg, lanes);
    }
    rt_push_register(c, RT_V128, reg);
}

static void shuffle_two(struct rt_compiler *c, struct rt_operand *left, struct rt_operand *right,
                        const uint8_t *lanes) {
    uint8_t reg = rt_x86_to_register(c, left);
    uint32_t operation;
    if (interleaves(lanes, &operation)) {
        rt_x86_operate(c, operation, reg, right);
    } else {
        uint8_t from_left[16], from_right[16]; /* a set top bit gives zero */
        for (unsigned i = 0; i < 16; i++) {
            from_left[i] = lanes[i] < 16 ? lanes[i] : 0x80;
            from_right[i] = lanes[i] < 16 ? 0x80 : lanes[i] - 16;
        }
        rt_x86_load(c, VECTOR_SCRATCH, right);
        with_pooled(c, X86_PSHUFB, VECTOR_SCRATCH, from_right);
        with_pooled(c, X86_PSHUFB, reg, from_left);
        rt_x86_rr(c, X86_POR, reg, VECTOR_SCRATCH);
    }
    rt_give_operand(c, right);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_shuffle) {
    (void)how;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    bool same = left.kind == RT_IS_LOCAL && right.kind == RT_IS_LOCAL && left.index == right.index;
    bool takes_left = false, takes_right = false;
    uint8_t in_one[16];
    for (unsigned i = 0; i < 16; i++) {
        in_one[i] = immediate->bytes[i] & 15;
        takes_left |= immediate->bytes[i] < 16;
        takes_right |= immediate->bytes[i] >= 16;
    }
    if (takes_left && takes_right && !same) {
        shuffle_two(c, &left, &right, immediate->bytes);
        return;
    }
    rt_give_operand(c, takes_left ? &right : &left);
    shuffle_one(c, takes_left ? &left : &right, in_one);
}

X86_VECTOR_LOWERING(rt_x86_vector_swizzle) {
    (void)how, (void)immediate;
    struct rt_operand right = rt_pop(c), left = rt_pop(c);
    uint8_t reg = rt_x86_to_register(c, &left);
    x86_with_constant(c, X86_MOVAPS, VECTOR_SCRATCH, CONSTANT_SWIZZLE);
    rt_x86_operate(c, X86_PADDUSB, VECTOR_SCRATCH, &right);
    rt_x86_rr(c, X86_PSHUFB, reg, VECTOR_SCRATCH);
    rt_give_operand(c, &right);
    rt_push_register(c, RT_V128, reg);
}

/* ---- Bits ---- */

X86_VECTOR_LOWERING(rt_x86_vector_not) {
    (void)how, (void)immediate;
    uint8_t reg = rt_pop_register(c, NULL);
    rt_x86_rr(c, X86_PCMPEQD, VECTOR_SCRATCH, VECTOR_SCRATCH);
    rt_x86_rr(c, X86_PXOR, reg, VECTOR_SCRATCH);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_bitselect) {
    (void)how, (void)immediate;
    struct rt_operand mask = rt_pop(c), zeros = rt_pop(c), ones = rt_pop(c);
    uint8_t reg = rt_x86_to_register(c, &ones);
    rt_x86_operate(c, X86_PXOR, reg, &zeros);
    rt_x86_operate(c, X86_PAND, reg, &mask);
    rt_x86_operate(c, X86_PXOR, reg, &zeros);
    rt_give_operand(c, &mask);
    rt_give_operand(c, &zeros);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_any_true) {
    (void)how, (void)immediate;
    uint8_t reg = rt_pop_register(c, NULL);
    rt_x86_rr(c, X86_PTEST, reg, reg);
    rt_give_register(c, RT_VECTOR, reg);
    rt_x86_push_condition(c, CC_NE);
}

X86_VECTOR_LOWERING(rt_x86_vector_all_true) {
    (void)immediate;
    struct rt_operand operand = rt_pop(c);
    rt_x86_rr(c, X86_PXOR, VECTOR_SCRATCH, VECTOR_SCRATCH);
    rt_x86_operate(c, how->operation, VECTOR_SCRATCH, &operand); /* finds the lanes that are zero */
    rt_x86_rr(c, X86_PTEST, VECTOR_SCRATCH, VECTOR_SCRATCH);
    rt_give_operand(c, &operand);
    rt_x86_push_condition(c, CC_E);
}

X86_VECTOR_LOWERING(rt_x86_vector_bitmask) {
    (void)immediate;
    uint8_t from = rt_pop_register(c, NULL), reg = rt_take_register(c, RT_GENERAL);
    if (how->lane == LANE_16)
        rt_x86_rr(c, X86_PACKSSWB, from, from);
    rt_x86_rr(c, how->operation, reg, from);
    if (how->lane == LANE_16)
        rt_x86_rr(c, X86_MOVZX8 | X86_BYTE_RM, reg, reg);
    rt_give_register(c, RT_VECTOR, from);
    rt_push_register(c, RT_I32, reg);
}
