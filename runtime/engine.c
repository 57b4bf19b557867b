/* The public functions that each engine answers in its own way. */
#include "runtime/engine.h"

#include <string.h>

/* By enum rt_engine. */
static const struct rt_engine_ops *const engines[] = {
    [RT_ENGINE_COMPILED] = &rt_engine_compiled,
    [RT_ENGINE_INTERP] = &rt_engine_interp,
};
#define ENGINE_COUNT (sizeof(engines) / sizeof(*engines))

const char *rt_engine_name(enum rt_engine engine) {
    return (unsigned)engine < ENGINE_COUNT ? engines[engine]->name : "unknown";
}

struct rt_error *rt_engine_parse(const char *name, enum rt_engine *ret) {
    for (size_t i = 0; i < ENGINE_COUNT; i++) {
        if (!strcmp(name, engines[i]->name)) {
            *ret = (enum rt_engine)i;
            return NULL;
        }
    }
    return rt_error_format(RT_USAGE, "there is no engine '%s'; write compiled or interp", name);
}

/* ---- Code ---- */

struct rt_error *rt_code_create(const struct rt_module *module, const struct rt_compile_options *options,
                                struct rt_code **ret) {
    static const struct rt_compile_options defaults;
    if (!options)
        options = &defaults;
    if ((unsigned)options->engine >= ENGINE_COUNT)
        return rt_error_format(RT_USAGE, "there is no engine number %u", (unsigned)options->engine);
    struct rt_error *error = engines[options->engine]->create(module, options, ret);
    if (!error)
        (*ret)->has_canonical_nans = options->canonical_nans;
    return error;
}

void rt_code_destroy(struct rt_code *code) {
    if (code)
        code->ops->destroy(code);
}

const struct rt_module *rt_code_module(const struct rt_code *code) {
    return code->module;
}

enum rt_engine rt_code_engine(const struct rt_code *code) {
    return code->ops == &rt_engine_interp ? RT_ENGINE_INTERP : RT_ENGINE_COMPILED;
}

void rt_code_range(const struct rt_code *code, uintptr_t *low, uintptr_t *high) {
    code->ops->range(code, low, high);
}

struct rt_code_sizes rt_code_sizes(const struct rt_code *code) {
    struct rt_code_sizes sizes = code->ops->sizes(code);
    sizes.metadata += code->site_count * sizeof(*code->sites);
    return sizes;
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
    return code->ops->set_probes(code, indices, count, enabled);
}

bool rt_code_pc(const struct rt_code *code, uintptr_t machine, uint32_t *function, uint32_t *pc) {
    return code->ops->pc(code, machine, function, pc);
}

uintptr_t rt_code_machine(const struct rt_code *code, uint32_t pc) {
    return code->ops->machine(code, pc);
}

/* ---- Calls ---- */

struct rt_error *rt_func_call(struct rt_func *func, const union rt_value *args, union rt_value *results) {
    if (func->host) { /* the host's own affair: nothing crosses the boundary */
        struct rt_caller caller = {.store = func->store};
        return rt_host_invoke(func, &caller, args, results);
    }
    struct rt_boundary *boundary = RT_BOUNDARY(func->store);
    func->store->trap_place = (struct rt_trap_place){0};
    if (boundary)
        boundary->guest_call(boundary, func, args);
    struct rt_error *error = func->store->engine->call(func, args, results);
    return boundary ? boundary->guest_end(boundary, func, results, error) : error;
}

/* Where a host function that ends its caller with an error was called. */
static struct rt_trap_place calling_place(struct rt_store *store) {
    struct rt_activation activation;
    if (!rt_activation_first(store, NULL, &activation))
        return (struct rt_trap_place){0};
    return (struct rt_trap_place){activation.instance, activation.function, activation.pc};
}

struct rt_error *rt_func_forward(const struct rt_func *func, struct rt_caller *caller,
                                 const union rt_value *args, union rt_value *results) {
    return func->host(func->user, caller, args, results);
}

struct rt_error *rt_host_invoke(struct rt_func *func, struct rt_caller *caller, const union rt_value *args,
                                union rt_value *results) {
    struct rt_hooks *hooks = &func->store->hooks;
    struct rt_boundary *boundary = caller->instance ? RT_BOUNDARY(func->store) : NULL;
    if (hooks->host_call)
        hooks->host_call(hooks->user, caller, func, args);
    if (boundary)
        boundary->import_call(boundary, caller, func, args);
    rt_interpose_fn interpose = caller->instance ? func->store->interpose : NULL;
    struct rt_error *error = interpose ? interpose(func->store->interpose_user, caller, func, args, results)
                                       : func->host(func->user, caller, args, results);
    if (boundary)
        error = boundary->import_end(boundary, func, results, error);
    if (error && caller->instance)
        func->store->trap_place = calling_place(func->store);
    if (hooks->host_return)
        hooks->host_return(hooks->user, caller, func, results, error);
    return error;
}

/* ---- Activations ---- */

static const struct rt_engine_ops *engine_of(const struct rt_activation *activation) {
    return activation->instance->code->ops;
}

bool rt_activation_first(struct rt_store *store, struct rt_registers *registers, struct rt_activation *ret) {
    return store->engine && store->engine->first(store, registers, ret);
}

bool rt_activation_caller(const struct rt_activation *activation, struct rt_activation *ret) {
    return engine_of(activation)->caller(activation, ret);
}

static struct rt_error *check_local(const struct rt_activation *activation, uint32_t local) {
    uint32_t count = rt_module_local_count(activation->instance->module, activation->function);
    if (local < count)
        return NULL;
    return rt_error_format(RT_USAGE, "no local %u: function %u has %u", local, activation->function, count);
}

struct rt_error *rt_activation_local(const struct rt_activation *activation, uint32_t local,
                                     enum rt_type *type, union rt_value *ret) {
    struct rt_error *error = check_local(activation, local);
    if (error)
        return error;
    *type = rt_module_local_type(activation->instance->module, activation->function, local);
    *ret = engine_of(activation)->local(activation, local);
    return NULL;
}

struct rt_error *rt_activation_set_local(const struct rt_activation *activation, uint32_t local,
                                         union rt_value value) {
    struct rt_error *error = check_local(activation, local);
    return error ? error : engine_of(activation)->set_local(activation, local, value);
}

struct rt_error *rt_activation_operand_count(const struct rt_activation *activation, uint32_t *ret) {
    return engine_of(activation)->operand_count(activation, ret);
}

struct rt_error *rt_activation_operand(const struct rt_activation *activation, uint32_t index,
                                       enum rt_type *type, union rt_value *ret) {
    return engine_of(activation)->operand(activation, index, type, ret);
}

struct rt_error *rt_activation_locals(const struct rt_activation *activation, uint32_t first, uint32_t count,
                                      union rt_value *ret) {
    struct rt_error *error = NULL;
    if (count > 0) {
        error = count <= UINT32_MAX - first ? check_local(activation, first + count - 1)
                                            : check_local(activation, UINT32_MAX);
    }
    if (error)
        return error;
    const struct rt_engine_ops *engine = engine_of(activation);
    for (uint32_t i = 0; i < count; i++)
        ret[i] = engine->local(activation, first + i);
    return NULL;
}

struct rt_error *rt_activation_operands(const struct rt_activation *activation, uint32_t first,
                                        uint32_t count, enum rt_type *types, union rt_value *ret) {
    const struct rt_engine_ops *engine = engine_of(activation);
    struct rt_error *error = NULL;
    for (uint32_t i = 0; i < count && !error; i++) {
        enum rt_type type;
        error = engine->operand(activation, first + i, &type, &ret[i]);
        if (types && !error)
            types[i] = type;
    }
    return error;
}
