/* The x86-64 architecture: its table, the start of its code, probes, and contexts of interrupted threads. */
#include <cpuid.h>
#include <ucontext.h>

#include "runtime/x86_64/layout.h"
#include "runtime/x86_64/lower.h"

/* enter.S */
extern const char rt_x86_64_unwind[], rt_x86_64_host_call[], rt_x86_64_builtin_call[];
bool rt_x86_64_enter(struct rt_entry *entry, const void *code, struct rt_instance *instance, uint64_t *slots,
                     uint64_t count);

_Static_assert(offsetof(struct rt_instance, memory_base) == RT_INSTANCE_MEMORY_BASE, "layout.h");
_Static_assert(offsetof(struct rt_instance, store) == RT_INSTANCE_STORE, "layout.h");
_Static_assert(offsetof(struct rt_store, entry) == RT_STORE_ENTRY, "layout.h");
_Static_assert(offsetof(struct rt_entry, stack) == RT_ENTRY_STACK, "layout.h");
_Static_assert(offsetof(struct rt_entry, frame) == RT_ENTRY_FRAME, "layout.h");
_Static_assert(offsetof(struct rt_entry, general_result) == RT_ENTRY_GENERAL_RESULT, "layout.h");
_Static_assert(offsetof(struct rt_entry, vector_result) == RT_ENTRY_VECTOR_RESULT, "layout.h");

static struct rt_error *check(void) {
    static const struct {
        unsigned bit;
        const char *name;
    } needed[] = {
        {bit_SSSE3, "SSSE3"}, {bit_SSE4_1, "SSE4.1"}, {bit_SSE4_2, "SSE4.2"}, {bit_POPCNT, "POPCNT"}};
    unsigned a, b, c = 0, d;
    (void)__get_cpuid(1, &a, &b, &c, &d);
    for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
        if (!(c & needed[i].bit))
            return rt_error_format(RT_UNSUPPORTED,
                                   "not supported: this processor lacks %s, which compiled code uses",
                                   needed[i].name);
    }
    return NULL;
}

static void begin_code(struct rt_compiler *c) {
    static const uint64_t constants[] = {
#define CONSTANT(name, bits) bits, bits,
        X86_CONSTANTS(CONSTANT)
#undef CONSTANT
            0x0302020102010100,
        0x0403030203020201,
    };
    _Static_assert(sizeof(constants) == STUB_CELL, "lower.h");
    rt_compile_reserve(c, 512);
    for (size_t i = 0; i < sizeof(constants) / sizeof(*constants); i++)
        x86_u64(c, constants[i]);
    c->code->probe_stub = STUB_CELL;
    x86_u64(c, 0);
    c->code->probe_thunk = PROBE_THUNK;
    rt_x86_rm(c, 0xff, 4, x86_at(RIP, STUB_CELL), 0); /* jmp [stub] */
    x86_byte(c, 0xc3);                                /* what the cell points to without a stub */
    while (rt_here(c) % 16)
        x86_byte(c, 0xcc);
}

static void end_code(struct rt_machine_code *code, uint8_t *writable) {
    code->no_stub = code->memory.executable + PROBE_THUNK + 6;
    memcpy(writable + code->probe_stub, &code->no_stub, sizeof(code->no_stub));
}

static const uint8_t disabled_site[5] = {0x0f, 0x1f, 0x44, 0x00, 0x00}; /* nop */

static void site(struct rt_compiler *c) {
    memcpy(c->next, disabled_site, sizeof(disabled_site));
    c->next += sizeof(disabled_site);
}

static void set_probe(uint8_t *start, uint32_t offset, uint32_t thunk, bool enabled) {
    if (enabled) {
        start[offset] = 0xe8;
        rt_x86_set_field(start, offset + 1, thunk);
    } else {
        memcpy(start + offset, disabled_site, sizeof(disabled_site));
    }
}

/* CPUID is serialising: no instruction fetched before it runs after it (Intel SDM volume 3, 9.1.3). */
static void synchronise(void) {
    unsigned a, b, c, d;
    __cpuid(0, a, b, c, d);
}

static uintptr_t context_pc(const void *context) {
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

static void context_set_pc(void *context, uintptr_t pc) {
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
}

static struct rt_instance *context_instance(const void *context) {
    return (struct rt_instance *)((const ucontext_t *)context)->uc_mcontext.gregs[REG_R14];
}

static enum rt_trap trap_at(uintptr_t pc) {
    const uint8_t *bytes = (const uint8_t *)pc;
    return bytes[0] == 0x0f && bytes[1] == 0x0b && bytes[2] < RT_TRAP_COUNT ? (enum rt_trap)bytes[2]
                                                                            : RT_TRAP_COUNT;
}

/* All but the stack and frame pointers, r11 (scratch), r14 (instance), r15 (memory). */
#define GENERAL_REGISTERS 0x37cfu
/* All but xmm15 (scratch). */
#define VECTOR_REGISTERS 0x7fffu

const struct rt_target rt_target_x86_64 = {
    .name = "x86-64",
    .registers = {GENERAL_REGISTERS, VECTOR_REGISTERS},
    /* Short encodings, and not those that divisions and shifts want. */
    .preferred = {1u << RBX | 1u << RSI | 1u << RDI, 0xff},
    .result = {RAX, 0},
    .check = check,
    .begin_code = begin_code,
    .end_code = end_code,
    .begin_function = rt_x86_begin_function,
    .end_function = rt_x86_end_function,
    .set_field = rt_x86_set_field,
    .site = site,
    .set_probe = set_probe,
    .synchronise = synchronise,
    .load = rt_x86_load,
    .store = rt_x86_store,
    .copy = rt_x86_copy,
    .move = rt_x86_move,
    .test = rt_x86_test,
    .invert = rt_x86_invert,
    .jump = rt_x86_jump,
    .branch = rt_x86_branch,
    .jump_table = rt_x86_jump_table,
    .leave = rt_x86_leave,
    .trap = rt_x86_trap,
    .call_defined = rt_x86_call_defined,
    .import = rt_x86_import,
    .element = rt_x86_element,
    .call_pointer = rt_x86_call_pointer,
    .call_builtin = rt_x86_call_builtin,
    .numeric = rt_x86_numeric,
    .memory_load = rt_x86_memory_load,
    .memory_store = rt_x86_memory_store,
    .memory_size = rt_x86_memory_size,
    .select = rt_x86_select,
    .global_get = rt_x86_global_get,
    .global_set = rt_x86_global_set,
    .table_size = rt_x86_table_size,
    .ref_func = rt_x86_ref_func,
    .ref_is_null = rt_x86_ref_is_null,
    .vector = rt_x86_vector,
    .enter = rt_x86_64_enter,
    .host_call = rt_x86_64_host_call,
    .builtin_call = rt_x86_64_builtin_call,
    .unwind = rt_x86_64_unwind,
    .context_pc = context_pc,
    .context_set_pc = context_set_pc,
    .context_instance = context_instance,
    .trap_at = trap_at,
    .frame_rules = &rt_x86_frame_rules,
    .frame_pointer = RBP,
    .address = rt_x86_place_address,
};
