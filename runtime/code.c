/* Compiled code as the embedder sees it: lifetime, ranges, sites and probes. */
#include <stdlib.h>
#include <string.h>

#include "runtime/code.h"
#include "runtime/target.h"

void rt_code_destroy(struct rt_code *code) {
    if (!code)
        return;
    if (code->memory.executable)
        rt_trap_remove_code((uintptr_t)code->memory.executable);
    rt_code_memory_close(&code->memory);
    free(code->functions);
    free(code->map.bytes);
    free(code->checkpoints);
    free(code->trap_sites);
    free(code->sites);
    free(code);
}

const struct rt_module *rt_code_module(const struct rt_code *code) {
    return code->module;
}

void rt_code_range(const struct rt_code *code, uintptr_t *low, uintptr_t *high) {
    *low = (uintptr_t)code->memory.executable;
    *high = *low + code->memory.size;
}

void rt_code_sizes(const struct rt_code *code, size_t *machine, size_t *metadata) {
    *machine = code->memory.size;
    *metadata = code->function_count * sizeof *code->functions + code->map.size +
                code->checkpoint_count * sizeof *code->checkpoints +
                code->trap_site_count * sizeof *code->trap_sites + code->site_count * sizeof *code->sites;
}

const struct rt_site *rt_code_sites(const struct rt_code *code, size_t *count) {
    *count = code->site_count;
    return code->sites;
}

struct rt_error *rt_code_set_probes(struct rt_code *code, const uint32_t *indices, size_t count,
                                    bool enabled) {
    for (size_t i = 0; i < count; i++) {
        if (indices[i] >= code->site_count)
            return rt_error_format(RT_USAGE, "setting probes: no site %u; the code has %zu", indices[i],
                                   code->site_count);
    }
    const struct rt_target *target = rt_target_host();
    for (size_t i = 0; i < count; i++) {
        uintptr_t offset = code->sites[indices[i]].machine - (uintptr_t)code->memory.executable;
        target->set_probe(code->memory.writable, (uint32_t)offset, code->probe_thunk, enabled);
    }
    target->synchronise();
    return NULL;
}

void rt_code_set_stub(struct rt_code *code, void *stub) {
    const void *to = stub ? stub : code->no_stub;
    memcpy(code->memory.writable + code->probe_stub, &to, sizeof(to));
}
