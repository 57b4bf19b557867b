/* The interpreter as an engine: its code's lifetime, map, sites and probes, and the table of what it does. */
#include "runtime/interp/interp.h"

#include <stdlib.h>

void rt_interp_code_destroy(struct rt_code *base) {
    struct rt_interp_code *code = rt_interp_code_of(base);
    free(code->words);
    free(code->site_handlers);
    free(code->functions);
    free(code->places);
    free(code->nodes);
    free(code->base.sites);
    free(code);
}

/* ---- The map ---- */

const struct rt_interp_function *rt_interp_function_at(const struct rt_interp_code *code, size_t word) {
    uint32_t low = 0, high = code->function_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (code->functions[middle].start <= word)
            low = middle;
        else
            high = middle;
    }
    const struct rt_interp_function *function = &code->functions[low];
    return code->function_count && function->start <= word && word < function->end ? function : NULL;
}

/* The last place at or before a word or a pc; there is one. */
static size_t last_place(const struct rt_interp_code *code, uint32_t key, bool by_pc) {
    size_t low = 0, high = code->place_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if ((by_pc ? code->places[middle].pc : code->places[middle].word) <= key)
            low = middle;
        else
            high = middle;
    }
    return low;
}

const struct rt_interp_place *rt_interp_place_at(const struct rt_interp_code *code, uintptr_t machine) {
    uintptr_t offset = machine - (uintptr_t)code->words;
    size_t word = offset / sizeof(*code->words);
    if (word >= code->word_count || !rt_interp_function_at(code, word))
        return NULL;
    return &code->places[last_place(code, (uint32_t)word, false)];
}

static bool find_pc(const struct rt_code *base, uintptr_t machine, uint32_t *function, uint32_t *pc) {
    const struct rt_interp_code *code = rt_interp_code_of(base);
    const struct rt_interp_place *place = rt_interp_place_at(code, machine);
    if (!place)
        return false;
    *function = (uint32_t)(rt_interp_function_at(code, place->word) - code->functions) +
                base->module->imported_functions;
    *pc = place->pc;
    return true;
}

static uintptr_t find_machine(const struct rt_code *base, uint32_t pc) {
    const struct rt_interp_code *code = rt_interp_code_of(base);
    if (!code->place_count)
        return 0;
    size_t place = last_place(code, pc, true);
    if (code->places[place].pc != pc)
        return 0;
    while (place && code->places[place - 1].pc == pc)
        place--;
    return (uintptr_t)(code->words + code->places[place].word);
}

static void range(const struct rt_code *base, uintptr_t *low, uintptr_t *high) {
    const struct rt_interp_code *code = rt_interp_code_of(base);
    *low = (uintptr_t)code->words;
    *high = (uintptr_t)(code->words + code->word_count);
}

static struct rt_code_sizes sizes(const struct rt_code *base) {
    const struct rt_interp_code *code = rt_interp_code_of(base);
    return (struct rt_code_sizes){
        .code = code->word_count * sizeof(*code->words),
        .metadata = code->place_count * sizeof(*code->places) + code->node_count * sizeof(*code->nodes) +
                    code->function_count * sizeof(*code->functions) +
                    base->site_count * sizeof(*code->site_handlers),
    };
}

/* ---- Sites ---- */

static struct rt_error *set_probes(struct rt_code *base, const uint32_t *indices, size_t count,
                                   bool enabled) {
    const struct rt_interp_code *code = rt_interp_code_of(base);
    int32_t probe = rt_interp_handlers()[RT_DO_PROBE];
    for (size_t i = 0; i < count; i++) {
        uint32_t *word = (uint32_t *)base->sites[indices[i]].machine;
        *word = (uint32_t)(enabled ? probe : code->site_handlers[indices[i]]);
    }
    return NULL;
}

/* An enabled site asks the store for the hook. */
static void set_hooks(struct rt_code *base, const struct rt_hooks *hooks) {
    (void)base, (void)hooks;
}

static void link(struct rt_instance *instance) {
    const struct rt_interp_code *code = rt_interp_code_of(instance->code);
    for (uint32_t i = 0; i < code->function_count; i++)
        instance->functions[i].code = code->words + code->functions[i].start;
}

const struct rt_engine_ops rt_engine_interp = {
    .name = "interp",
    .create = rt_interp_translate,
    .destroy = rt_interp_code_destroy,
    .range = range,
    .set_probes = set_probes,
    .set_hooks = set_hooks,
    .pc = find_pc,
    .machine = find_machine,
    .sizes = sizes,
    .link = link,
    .open_store = rt_interp_open,
    .close_store = rt_interp_close,
    .stack_size = rt_interp_stack_size,
    .call = rt_interp_call,
    .areas = rt_interp_areas,
    .first = rt_interp_first,
    .caller = rt_interp_caller,
    .local = rt_interp_local,
    .set_local = rt_interp_set_local,
    .operand_count = rt_interp_operand_count,
    .operand = rt_interp_operand,
};
