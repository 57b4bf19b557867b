/* The compiled engine: compiled code's lifetime, ranges, sites and probes, and the table of what it does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/code.h"
#include "runtime/jit/map.h"
#include "runtime/target.h"

void rt_machine_code_destroy(struct rt_machine_code *code) {
    if (!code)
        return;
    if (code->memory.executable) {
        rt_jit_code_destroyed(code);
        rt_trap_remove_code((uintptr_t)code->memory.executable);
    }
    rt_code_memory_close(&code->memory);
    free(code->functions);
    free(code->map.bytes);
    free(code->checkpoints);
    free(code->trap_sites);
    free(code->base.sites);
    if (code->cache)
        free(code->cache->lookups);
    free(code->cache);
    free(code);
}

struct rt_frame_shape rt_frame_shape_of(const struct rt_module *module, uint32_t function) {
    const struct rt_body *body = &module->bodies[function - module->imported_functions];
    uint32_t params = module->types[module->function_types[function]].param_count;
    return (struct rt_frame_shape){.param_count = params,
                                   .local_count = params + body->local_count,
                                   .argument_words = rt_slot_words(body->passes_vectors),
                                   .slot_words = rt_slot_words(body->has_vectors)};
}

static void destroy(struct rt_code *code) {
    rt_machine_code_destroy((struct rt_machine_code *)code);
}

static void range(const struct rt_code *code, uintptr_t *low, uintptr_t *high) {
    const struct rt_code_memory *memory = &rt_machine_code_of(code)->memory;
    *low = (uintptr_t)memory->executable;
    *high = *low + memory->size;
}

static struct rt_error *set_probes(struct rt_code *base, const uint32_t *indices, size_t count,
                                   bool enabled) {
    struct rt_machine_code *code = (struct rt_machine_code *)base;
    uint8_t *writable = rt_code_memory_begin_write(&code->memory);
    if (!writable)
        return rt_error_os(errno, "making machine code writable");
    const struct rt_target *target = rt_target_host();
    for (size_t i = 0; i < count; i++) {
        uintptr_t offset = base->sites[indices[i]].machine - (uintptr_t)code->memory.executable;
        target->set_probe(writable, (uint32_t)offset, code->probe_thunk, enabled);
    }
    target->synchronise();
    return rt_code_memory_end_write(&code->memory);
}

/* Enabled sites go to the stub; without one, nowhere. What the system has allowed before it allows again. */
static void set_hooks(struct rt_code *base, const struct rt_hooks *hooks) {
    struct rt_machine_code *code = (struct rt_machine_code *)base;
    const void *to = hooks->probe_stub ? hooks->probe_stub : code->no_stub;
    uint8_t *writable = rt_code_memory_begin_write(&code->memory);
    if (writable)
        memcpy(writable + code->probe_stub, &to, sizeof(to));
    rt_error_destroy(rt_code_memory_end_write(&code->memory));
}

static bool find_pc(const struct rt_code *code, uintptr_t machine, uint32_t *function, uint32_t *pc) {
    struct rt_code_position position;
    if (!rt_code_find(rt_machine_code_of(code), machine, &position))
        return false;
    *function = position.function;
    *pc = position.pc;
    return true;
}

static uintptr_t find_machine(const struct rt_code *code, uint32_t pc) {
    return rt_code_machine_pc(rt_machine_code_of(code), pc);
}

static struct rt_code_sizes sizes(const struct rt_code *base) {
    const struct rt_machine_code *code = rt_machine_code_of(base);
    return (struct rt_code_sizes){
        .code = code->memory.size,
        .metadata = code->map.size + code->checkpoint_count * sizeof(*code->checkpoints) +
                    code->trap_site_count * sizeof(*code->trap_sites) +
                    code->function_count * sizeof(*code->functions) + sizeof(*code->cache) +
                    (code->cache->lookups ? RT_LOOKUP_SLOTS * sizeof(*code->cache->lookups) : 0),
    };
}

/* Guests run on the thread's stack. */
static size_t stack_size(const struct rt_store *store) {
    return store->stack_size;
}

static void link(struct rt_instance *instance) {
    const struct rt_machine_code *code = rt_machine_code_of(instance->code);
    instance->builtin_call = rt_target_host()->builtin_call;
    for (uint32_t i = 0; i < code->function_count; i++)
        instance->functions[i].code = code->memory.executable + code->functions[i].start;
}

const struct rt_engine_ops rt_engine_compiled = {
    .name = "compiled",
    .create = rt_compile_module,
    .destroy = destroy,
    .range = range,
    .set_probes = set_probes,
    .set_hooks = set_hooks,
    .pc = find_pc,
    .machine = find_machine,
    .sizes = sizes,
    .stack_size = stack_size,
    .link = link,
    .call = rt_compiled_call,
    .first = rt_compiled_first,
    .caller = rt_compiled_caller,
    .local = rt_compiled_local,
    .set_local = rt_compiled_set_local,
    .operand_count = rt_compiled_operand_count,
    .operand = rt_compiled_operand,
};
