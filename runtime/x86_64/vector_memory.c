/* Lowers vector loads and stores (section 4.4.7). Each accesses as many bytes as it is about, so that guard
 * pages alone bound it. */
#include "runtime/x86_64/vector.h"

static void give_address(struct rt_compiler *c, uint8_t held) {
    if (held != NO_REGISTER)
        rt_give_register(c, RT_GENERAL, held);
}

/* Pops an index and loads from there, by way of the general scratch register or not; the vector register. */
static uint8_t load(struct rt_compiler *c, uint32_t operation, uint32_t offset, bool to_general) {
    struct rt_operand index = rt_pop(c);
    uint8_t held, reg = rt_take_register(c, RT_VECTOR);
    struct x86_memory memory = rt_x86_address(c, &index, offset, &held);
    rt_map_operands(c, c->height + 1);
    rt_x86_rm(c, operation, to_general ? SCRATCH : reg, memory, 0);
    if (to_general)
        rt_x86_rr(c, X86_MOVD_LOAD, reg, SCRATCH);
    give_address(c, held);
    return reg;
}

X86_VECTOR_LOWERING(rt_x86_vector_load) {
    rt_push_register(c, RT_V128, load(c, how->operation, immediate->offset, false));
}

X86_VECTOR_LOWERING(rt_x86_vector_load_splat) {
    uint8_t reg = load(c, how->operation, immediate->offset, how->lane < LANE_32);
    rt_x86_splat_lowest(c, how->lane, reg);
    rt_push_register(c, RT_V128, reg);
}

/* Pops a vector and an index, and accesses memory there; the vector is in the register that is returned. */
static uint8_t access_with_vector(struct rt_compiler *c, const struct x86_vector *how,
                                  const struct rt_vector_immediate *immediate, bool lane) {
    struct rt_operand vector = rt_pop(c), index = rt_pop(c);
    uint8_t held, reg = rt_x86_to_register(c, &vector);
    struct x86_memory memory = rt_x86_address(c, &index, immediate->offset, &held);
    rt_map_operands(c, c->height + 2);
    rt_x86_rm(c, how->operation, reg, memory, lane);
    if (lane)
        x86_byte(c, immediate->lane);
    give_address(c, held);
    return reg;
}

X86_VECTOR_LOWERING(rt_x86_vector_load_lane) {
    rt_push_register(c, RT_V128, access_with_vector(c, how, immediate, true));
}

X86_VECTOR_LOWERING(rt_x86_vector_store) {
    rt_give_register(c, RT_VECTOR, access_with_vector(c, how, immediate, false));
}

X86_VECTOR_LOWERING(rt_x86_vector_store_lane) {
    rt_give_register(c, RT_VECTOR, access_with_vector(c, how, immediate, true));
}
