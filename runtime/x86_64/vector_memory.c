/* Lowers vector loads and stores (section 4.4.7). Each accesses as many bytes as it is about, so that guard
 * pages alone bound it. */
#include "runtime/x86_64/vector.h"

static void give_address(struct rt_compiler *c, uint8_t held) {
    if (held != NO_REGISTER)
        rt_give_register(c, RT_GENERAL, held);
}

X86_VECTOR_LOWERING(rt_x86_vector_load) {
    struct rt_operand index = rt_pop(c);
    uint8_t held, reg = rt_take_register(c, RT_VECTOR);
    struct x86_memory memory = rt_x86_address(c, &index, immediate->offset, &held);
    rt_map_operands(c, c->height + 1);
    rt_x86_rm(c, how->operation, reg, memory, 0);
    give_address(c, held);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_load_splat) {
    struct rt_operand index = rt_pop(c);
    uint8_t held, reg = rt_take_register(c, RT_VECTOR);
    struct x86_memory memory = rt_x86_address(c, &index, immediate->offset, &held);
    rt_map_operands(c, c->height + 1);
    if (how->lane < LANE_32) { /* through a general register */
        rt_x86_rm(c, how->operation, SCRATCH, memory, 0);
        rt_x86_rr(c, X86_MOVD_LOAD, reg, SCRATCH);
    } else {
        rt_x86_rm(c, how->operation, reg, memory, 0);
    }
    rt_x86_splat_lowest(c, how->lane, reg);
    give_address(c, held);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_load_lane) {
    struct rt_operand vector = rt_pop(c), index = rt_pop(c);
    uint8_t held, reg = rt_x86_to_register(c, &vector);
    struct x86_memory memory = rt_x86_address(c, &index, immediate->offset, &held);
    rt_map_operands(c, c->height + 2);
    rt_x86_rm(c, how->operation, reg, memory, 1);
    x86_byte(c, immediate->lane);
    give_address(c, held);
    rt_push_register(c, RT_V128, reg);
}

X86_VECTOR_LOWERING(rt_x86_vector_store) {
    struct rt_operand vector = rt_pop(c), index = rt_pop(c);
    uint8_t held, reg = rt_x86_to_register(c, &vector);
    struct x86_memory memory = rt_x86_address(c, &index, immediate->offset, &held);
    rt_map_operands(c, c->height + 2);
    rt_x86_rm(c, how->operation, reg, memory, 0);
    rt_give_register(c, RT_VECTOR, reg);
    give_address(c, held);
}

X86_VECTOR_LOWERING(rt_x86_vector_store_lane) {
    struct rt_operand vector = rt_pop(c), index = rt_pop(c);
    uint8_t held, reg = rt_x86_to_register(c, &vector);
    struct x86_memory memory = rt_x86_address(c, &index, immediate->offset, &held);
    rt_map_operands(c, c->height + 2);
    rt_x86_rm(c, how->operation, reg, memory, 1);
    x86_byte(c, immediate->lane);
    rt_give_register(c, RT_VECTOR, reg);
    give_address(c, held);
}
