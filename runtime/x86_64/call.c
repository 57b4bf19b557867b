/* Lowers function entry and calls. */
#include "runtime/x86_64/lower.h"

#define CALL_ROOM 96
/* More words of declared locals than this are zeroed by a string instruction, whose start takes as long as
 * some dozens of stores. */
#define ZERO_INLINE 96

static void zero_locals(struct rt_compiler *c) {
    uint32_t count = c->body->local_count;
    if (!count)
        return;
    /* They lie side by side, the last one lowest. */
    struct x86_memory last = rt_x86_place(c, (struct rt_place){RT_PLACE_LOCAL, c->shape.local_count - 1});
    uint32_t words = count * c->shape.slot_words;
    if (words > ZERO_INLINE) {
        rt_x86_rr(c, X86_XOR, RAX, RAX);
        rt_x86_rm(c, X86_W | X86_LEA, RDI, last, 0);
        rt_x86_mov_imm(c, RCX, words);
        x86_byte(c, 0xf3); /* rep stosq */
        x86_byte(c, 0x48);
        x86_byte(c, 0xab);
        return;
    }
    rt_x86_rr(c, X86_XORPS, 0, 0);
    for (; words > 1; words -= 2, last.displacement += 16)
        rt_x86_rm(c, X86_MOVUPS_STORE, 0, last, 0);
    if (words)
        rt_x86_rm(c, X86_MOVSD_STORE, 0, last, 0);
}

/* frame_rules.c tells debuggers what the frame is behind each of the first three instructions. */
void rt_x86_begin_function(struct rt_compiler *c) {
    x86_byte(c, 0x55); /* push rbp */
    rt_x86_rr(c, X86_W | X86_MOV_LOAD, RBP, RSP);
    x86_byte(c, 0x41); /* push r14 */
    x86_byte(c, 0x56);
    /* The frame's size is known at the end: a displacement that no short form may replace. */
    rt_x86_rm(c, X86_W | X86_LEA, SCRATCH, x86_at(RSP, INT32_MIN), 0);
    c->frame_field = rt_here(c) - 4;
    rt_x86_rm(c, X86_W | X86_CMP, SCRATCH, x86_at(INSTANCE, offsetof(struct rt_instance, stack_limit)), 0);
    rt_x86_trap_if(c, CC_B, RT_TRAP_STACK_EXHAUSTED, 0);
    rt_x86_rr(c, X86_W | X86_MOV_LOAD, RSP, SCRATCH);
    zero_locals(c);
}

static void align_code(struct rt_compiler *c) {
    while (rt_here(c) % 16)
        x86_byte(c, 0xcc);
}

void rt_x86_end_function(struct rt_compiler *c) {
    /* The instance takes a slot; one word of it is pushed already. */
    uint32_t slots = 1 + c->body->local_count + c->body->max_operands;
    uint32_t words = slots * c->shape.slot_words - 1 + c->outgoing;
    words |= 1; /* with rbp, r14 and the return address the frame is a multiple of 16 */
    uint32_t displacement = (uint32_t)-(int32_t)(8 * words);
    memcpy(c->start + c->frame_field, &displacement, sizeof(displacement));

    struct rt_machine_code *code = c->code;
    if (!rt_compile_array(c, &code->trap_sites, &c->trap_site_capacity,
                          code->trap_site_count + (size_t)c->trap_exit_count, sizeof(*code->trap_sites)))
        return;
    for (uint32_t i = 0; i < c->trap_exit_count && !c->error; i++) {
        const struct rt_trap_exit *exit = &c->trap_exits[i];
        uint32_t here = rt_here(c);
        code->trap_sites[code->trap_site_count++] = (struct rt_trap_site){here, exit->origin};
        rt_x86_set_field(c->start, exit->field, here);
        rt_x86_trap(c, exit->trap);
    }
    rt_compile_reserve(c, CALL_ROOM);
    align_code(c);
    for (uint32_t i = 0; i < c->pool_count && !c->error; i++) {
        rt_compile_reserve(c, CALL_ROOM);
        rt_x86_set_field(c->start, c->pool[i].field, rt_here(c));
        memcpy(c->next, c->pool[i].bytes, sizeof(c->pool[i].bytes));
        c->next += sizeof(c->pool[i].bytes);
    }
}

void rt_x86_call_defined(struct rt_compiler *c, uint32_t function) {
    rt_compile_reserve(c, CALL_ROOM);
    const uint32_t low = rt_here(c);
    x86_byte(c, 0xe8);
    x86_u32(c, 0);
    if (c->notes)
        rt_note_call(c, low);
    uint32_t field = rt_here(c) - 4, defined = function - c->module->imported_functions;
    if (function <= c->function) {
        rt_x86_set_field(c->start, field, c->code->functions[defined].start);
        return;
    }
    if (rt_compile_array(c, &c->fixups, &c->fixup_capacity, c->fixup_count + (size_t)1, sizeof(*c->fixups)))
        c->fixups[c->fixup_count++] = (struct rt_call_fixup){field, defined};
}

uint8_t rt_x86_import(struct rt_compiler *c, uint32_t function) {
    uint8_t reg = rt_take_register(c, RT_GENERAL);
    rt_compile_reserve(c, CALL_ROOM);
    rt_x86_rm(c, X86_W | X86_MOV_LOAD, reg,
              x86_at(INSTANCE, (int32_t)(c->layout.imported_functions + function * sizeof(void *))), 0);
    return reg;
}

uint8_t rt_x86_element(struct rt_compiler *c, uint32_t type, uint32_t table) {
    rt_compile_reserve(c, 2 * CALL_ROOM);
    uint8_t index = rt_pop_register(c, NULL), reg = rt_take_register(c, RT_GENERAL);
    uint32_t height = c->height + 1;
    rt_x86_rm(c, X86_W | X86_MOV_LOAD, reg,
              x86_at(INSTANCE, (int32_t)(c->layout.tables + table * sizeof(void *))), 0);
    rt_x86_rm(c, X86_CMP, index, x86_at(reg, offsetof(struct rt_table, size)), 0);
    rt_x86_trap_if(c, CC_AE, RT_TRAP_UNDEFINED_ELEMENT, height);
    rt_x86_rm(c, X86_W | X86_MOV_LOAD, reg, x86_at(reg, offsetof(struct rt_table, elements)), 0);
    rt_x86_rm(c, X86_W | X86_MOV_LOAD, reg, (struct x86_memory){reg, index, 3, 0}, 0);
    rt_x86_rr(c, X86_W | X86_TEST, reg, reg);
    rt_x86_trap_if(c, CC_E, RT_TRAP_UNINITIALIZED_ELEMENT, height);
    rt_x86_rm(c, X86_MOV_LOAD, SCRATCH,
              x86_at(INSTANCE, (int32_t)(c->layout.type_ids + type * sizeof(uint32_t))), 0);
    rt_x86_rm(c, X86_CMP, SCRATCH, x86_at(reg, offsetof(struct rt_func, type_id)), 0);
    rt_x86_trap_if(c, CC_NE, RT_TRAP_INDIRECT_CALL_TYPE, height);
    rt_give_register(c, RT_GENERAL, index);
    return reg;
}

void rt_x86_call_pointer(struct rt_compiler *c, uint8_t reg) {
    rt_compile_reserve(c, CALL_ROOM);
    if (reg != RAX)
        rt_x86_rr(c, X86_W | X86_MOV_LOAD, RAX, reg);
    rt_x86_rm(c, X86_W | X86_MOV_LOAD, INSTANCE, x86_at(RAX, offsetof(struct rt_func, instance)), 0);
    rt_x86_rm(c, X86_W | X86_MOV_LOAD, MEMORY, x86_at(INSTANCE, offsetof(struct rt_instance, memory_base)),
              0);
    const uint32_t low = rt_here(c);
    rt_x86_rm(c, 0xff, 2, x86_at(RAX, offsetof(struct rt_func, code)), 0);
    if (c->notes)
        rt_note_call(c, low);
    rt_x86_rm(c, X86_W | X86_MOV_LOAD, INSTANCE, x86_at(RBP, -8), 0);
    rt_x86_rm(c, X86_W | X86_MOV_LOAD, MEMORY, x86_at(INSTANCE, offsetof(struct rt_instance, memory_base)),
              0);
}

void rt_x86_call_builtin(struct rt_compiler *c, enum rt_builtin builtin, uint32_t operands,
                         enum rt_trap trap) {
    rt_compile_reserve(c, CALL_ROOM);
    rt_spill_registers(c);
    rt_map_operands(c, c->height + operands);
    rt_x86_mov_imm(c, RAX, builtin);
    rt_x86_rm(c, 0xff, 2, x86_at(INSTANCE, offsetof(struct rt_instance, builtin_call)), 0);
    if (trap != RT_TRAP_COUNT) {
        rt_x86_rr(c, X86_TEST, RDX, RDX);
        rt_x86_trap_if(c, CC_NE, trap, c->height + operands);
    }
}
