/* Linking and instantiation (section 4.5.4). */
#include <stdlib.h>
#include <string.h>

#include "runtime/decode.h"
#include "runtime/engine.h"

/* Offsets fit in a displacement. */
#define LAYOUT_LIMIT ((uint64_t)256 << 20)

bool rt_instance_layout(const struct rt_module *module, struct rt_instance_layout *ret) {
    uint64_t end = sizeof(struct rt_instance), at[5];
    const uint64_t sizes[5] = {
        module->imported_functions * (uint64_t)sizeof(struct rt_func *),
        module->table_count * (uint64_t)sizeof(struct rt_table *),
        module->imported_globals * (uint64_t)sizeof(struct rt_global *),
        (module->global_count - module->imported_globals) * (uint64_t)sizeof(struct rt_global),
        module->type_count * (uint64_t)sizeof(uint32_t),
    };
    for (unsigned i = 0; i < 5; i++) {
        end = (end + 15) & ~(uint64_t)15;
        at[i] = end;
        end += sizes[i];
    }
    if (end > LAYOUT_LIMIT || module->function_count * (uint64_t)sizeof(struct rt_func) > LAYOUT_LIMIT)
        return false;
    *ret = (struct rt_instance_layout){.imported_functions = (uint32_t)at[0],
                                       .tables = (uint32_t)at[1],
                                       .imported_globals = (uint32_t)at[2],
                                       .globals = (uint32_t)at[3],
                                       .type_ids = (uint32_t)at[4],
                                       .size = (uint32_t)end};
    return true;
}

/* The variable parts. */
struct parts {
    struct rt_func **imported_functions;
    struct rt_table **tables;
    struct rt_global **imported_globals;
    struct rt_global *globals;
    uint32_t *type_ids;
};

static struct parts parts_of(struct rt_instance *instance) {
    struct rt_instance_layout layout = {0};
    (void)rt_instance_layout(instance->module, &layout); /* it was good when the code was made */
    char *start = (char *)instance;
    return (struct parts){(void *)(start + layout.imported_functions), (void *)(start + layout.tables),
                          (void *)(start + layout.imported_globals), (void *)(start + layout.globals),
                          (void *)(start + layout.type_ids)};
}

/* ---- Index spaces ---- */

struct rt_func *rt_instance_func(struct rt_instance *instance, uint32_t index) {
    uint32_t imported = instance->module->imported_functions;
    if (index >= instance->module->function_count)
        return NULL;
    return index < imported ? parts_of(instance).imported_functions[index]
                            : &instance->functions[index - imported];
}

struct rt_memory *rt_instance_memory(struct rt_instance *instance, uint32_t index) {
    return index ? NULL : instance->memory;
}

struct rt_table *rt_instance_table(struct rt_instance *instance, uint32_t index) {
    return index < instance->module->table_count ? parts_of(instance).tables[index] : NULL;
}

struct rt_global *rt_instance_global(struct rt_instance *instance, uint32_t index) {
    uint32_t imported = instance->module->imported_globals;
    if (index >= instance->module->global_count)
        return NULL;
    struct parts parts = parts_of(instance);
    return index < imported ? parts.imported_globals[index] : &parts.globals[index - imported];
}

bool rt_instance_export(struct rt_instance *instance, const char *name, struct rt_extern *ret) {
    return rt_instance_export_sized(instance, name, strlen(name), ret);
}

bool rt_instance_export_sized(struct rt_instance *instance, const char *name, size_t size,
                              struct rt_extern *ret) {
    const struct rt_module *module = instance->module;
    for (uint32_t i = 0; i < module->export_count; i++) {
        const struct rt_export_entry *entry = &module->exports[i];
        if (entry->name_size != size || memcmp(entry->name, name, size))
            continue;
        ret->kind = entry->kind;
        switch (entry->kind) {
        case RT_EXTERN_FUNC: ret->func = rt_instance_func(instance, entry->index); break;
        case RT_EXTERN_TABLE: ret->table = rt_instance_table(instance, entry->index); break;
        case RT_EXTERN_MEMORY: ret->memory = rt_instance_memory(instance, entry->index); break;
        case RT_EXTERN_GLOBAL: ret->global = rt_instance_global(instance, entry->index); break;
        }
        return true;
    }
    return false;
}

struct rt_code *rt_instance_code(struct rt_instance *instance) {
    return instance->code;
}

struct rt_store *rt_instance_store(struct rt_instance *instance) {
    return instance->store;
}

/* ---- Imports ---- */

static bool limits_match(uint64_t size, uint64_t max, struct rt_limits wanted) {
    return size >= wanted.min && (wanted.max == UINT64_MAX || max <= wanted.max);
}

/* Whether what is given is what the import wants (section 3.2.7). */
static bool import_matches(const struct rt_store *store, const struct rt_import *import,
                           const struct rt_extern *given) {
    if (given->kind != import->kind)
        return false;
    switch (given->kind) {
    case RT_EXTERN_FUNC:
        return given->func->store == store && rt_func_type_equal(given->func->type, import->func);
    case RT_EXTERN_TABLE:
        return given->table->type == import->type &&
               limits_match(given->table->size, given->table->max, import->limits);
    case RT_EXTERN_MEMORY: return limits_match(given->memory->pages, given->memory->max, import->limits);
    case RT_EXTERN_GLOBAL:
        return given->global->type == import->type && given->global->is_mutable == import->is_mutable;
    }
    return false;
}

static struct rt_error *link_imports(struct rt_instance *instance, const struct rt_extern *imports,
                                     size_t import_count) {
    const struct rt_module *module = instance->module;
    struct parts parts = parts_of(instance);
    uint32_t functions = 0, tables = 0, globals = 0;
    for (uint32_t i = 0; i < module->import_count; i++) {
        const struct rt_import *import = &module->imports[i];
        if (i >= import_count || !imports[i].func)
            return rt_error_format(RT_UNLINKABLE, "unknown import: \"%s.%s\" is not given",
                                   rt_printable(import->module).text, rt_printable(import->name).text);
        if (!import_matches(instance->store, import, &imports[i]))
            return rt_error_format(RT_UNLINKABLE, "incompatible import type: \"%s.%s\" is of another type",
                                   rt_printable(import->module).text, rt_printable(import->name).text);
        switch (import->kind) {
        case RT_EXTERN_FUNC: parts.imported_functions[functions++] = imports[i].func; break;
        case RT_EXTERN_TABLE: parts.tables[tables++] = imports[i].table; break;
        case RT_EXTERN_MEMORY: instance->memory = imports[i].memory; break;
        case RT_EXTERN_GLOBAL: parts.imported_globals[globals++] = imports[i].global; break;
        }
    }
    return NULL;
}

/* ---- The instance's own ---- */

static union rt_value evaluate(struct rt_instance *instance, const struct rt_const_expr *expression) {
    union rt_value value = {0};
    switch (expression->kind) {
    case RT_CONST_VALUE: value = expression->value; break;
    case RT_CONST_GLOBAL: value = rt_instance_global(instance, expression->index)->value; break;
    case RT_CONST_FUNC: value.ref = rt_instance_func(instance, expression->index); break;
    case RT_CONST_NULL: break;
    }
    return value;
}

static struct rt_error *make_types(struct rt_instance *instance) {
    struct parts parts = parts_of(instance);
    for (uint32_t i = 0; i < instance->module->type_count; i++) {
        struct rt_error *error =
            rt_store_type_id(instance->store, instance->module->types[i], &parts.type_ids[i]);
        if (error)
            return error;
    }
    return NULL;
}

static struct rt_error *make_functions(struct rt_instance *instance) {
    const struct rt_module *module = instance->module;
    uint32_t count = module->function_count - module->imported_functions;
    struct parts parts = parts_of(instance);
    instance->functions = calloc(count + (size_t)1, sizeof(*instance->functions));
    if (!instance->functions)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = module->imported_functions + i, type = module->function_types[index];
        instance->functions[i] =
            (struct rt_func){.instance = instance,
                             .type_id = parts.type_ids[type],
                             .index = index,
                             .type = module->types[type],
                             .passes_vectors = rt_func_type_has_vectors(module->types[type]),
                             .store = instance->store};
    }
    instance->code->ops->link(instance);
    return NULL;
}

static struct rt_error *make_tables_and_memories(struct rt_instance *instance) {
    const struct rt_module *module = instance->module;
    struct parts parts = parts_of(instance);
    struct rt_error *error = NULL;
    for (uint32_t i = module->imported_tables; i < module->table_count && !error; i++)
        error = rt_table_create(instance->store, module->tables[i].type, module->tables[i].limits,
                                &parts.tables[i]);
    if (!error && module->memory_count > module->imported_memories)
        error =
            rt_memory_create(instance->store, module->memories[module->imported_memories], &instance->memory);
    if (!error && instance->memory)
        instance->memory_base = instance->memory->base;
    return error;
}

static void make_globals(struct rt_instance *instance) {
    const struct rt_module *module = instance->module;
    struct parts parts = parts_of(instance);
    for (uint32_t i = module->imported_globals; i < module->global_count; i++) {
        uint32_t own = i - module->imported_globals;
        parts.globals[own] = (struct rt_global){.value = evaluate(instance, &module->global_inits[own]),
                                                .type = module->globals[i].type,
                                                .is_mutable = module->globals[i].is_mutable,
                                                .store = instance->store};
    }
}

static struct rt_error *make_segments(struct rt_instance *instance) {
    const struct rt_module *module = instance->module;
    instance->data_dropped = calloc(module->data_count + (size_t)1, sizeof(*instance->data_dropped));
    instance->elements = calloc(module->element_count + (size_t)1, sizeof(*instance->elements));
    if (!instance->data_dropped || !instance->elements)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < module->element_count; i++) {
        const struct rt_element_segment *segment = &module->elements[i];
        struct rt_element_items *elements = &instance->elements[i];
        if (segment->mode == RT_SEGMENT_DECLARED || !segment->count)
            continue;
        elements->items = calloc(segment->count, sizeof(*elements->items));
        if (!elements->items)
            return rt_error_out_of_memory();
        elements->count = segment->count;
        for (uint32_t k = 0; k < segment->count; k++)
            elements->items[k] = evaluate(instance, &segment->items[k]).ref;
    }
    return NULL;
}

/* Active segments, in order; each is dropped after it was applied. */
static struct rt_error *apply_segments(struct rt_instance *instance) {
    const struct rt_module *module = instance->module;
    for (uint32_t i = 0; i < module->element_count; i++) {
        const struct rt_element_segment *segment = &module->elements[i];
        struct rt_element_items *elements = &instance->elements[i];
        if (segment->mode != RT_SEGMENT_ACTIVE)
            continue;
        uint32_t to = evaluate(instance, &segment->offset).i32;
        if (!rt_table_init(rt_instance_table(instance, segment->table), elements, to, 0, elements->count))
            return rt_trap_error(RT_TRAP_TABLE_OUT_OF_BOUNDS, "an element segment at instantiation");
        elements->count = 0;
    }
    for (uint32_t i = 0; i < module->data_count; i++) {
        const struct rt_data_segment *segment = &module->datas[i];
        if (!segment->active)
            continue;
        uint32_t to = evaluate(instance, &segment->offset).i32;
        if (!rt_memory_init(instance->memory, segment->bytes, segment->size, to, 0, segment->size))
            return rt_trap_error(RT_TRAP_MEMORY_OUT_OF_BOUNDS, "a data segment at instantiation");
        instance->data_dropped[i] = true;
    }
    return NULL;
}

struct rt_error *rt_instance_restart(struct rt_instance *instance) {
    const struct rt_module *module = instance->module;
    struct rt_error *error = NULL;
    make_globals(instance);
    memset(instance->data_dropped, 0, module->data_count * sizeof(*instance->data_dropped));
    for (uint32_t i = 0; i < module->element_count; i++)
        instance->elements[i].count = instance->elements[i].items ? module->elements[i].count : 0;
    for (uint32_t i = module->imported_tables; i < module->table_count && !error; i++)
        error = rt_table_restart(rt_instance_table(instance, i), module->tables[i].limits.min);
    if (!error && module->memory_count > module->imported_memories)
        error = rt_memory_restart(instance->memory, module->memories[module->imported_memories].min);
    return error ? error : apply_segments(instance);
}

/* A store's first instance decides about its engine: functions of two engines could not call each other. */
static struct rt_error *choose_engine(struct rt_store *store, const struct rt_code *code) {
    if (store->engine == code->ops)
        return NULL;
    if (store->engine)
        return rt_error_format(RT_USAGE, "a store's instances have one engine: this one's is %s, not %s",
                               store->engine->name, code->ops->name);
    struct rt_error *error =
        code->ops->open_store ? code->ops->open_store(store, &store->engine_state) : NULL;
    if (!error)
        store->engine = code->ops;
    return error;
}

struct rt_error *rt_instance_create(struct rt_store *store, struct rt_code *code,
                                    const struct rt_extern *imports, size_t import_count,
                                    struct rt_instance **ret) {
    struct rt_boundary *boundary = RT_BOUNDARY(store);
    struct rt_instance_layout layout;
    if (!rt_instance_layout(code->module, &layout)) /* it was good when the code was made */
        return rt_error_out_of_memory();
    struct rt_error *error = choose_engine(store, code);
    if (error)
        return error;
    struct rt_instance *instance = calloc(1, layout.size);
    if (!instance)
        return rt_error_out_of_memory();
    instance->stack_limit = store->stack_limit;
    instance->store = store;
    instance->code = code;
    instance->module = code->module;
    error = link_imports(instance, imports, import_count);
    if (!error)
        error = make_types(instance);
    if (!error)
        error = make_functions(instance);
    if (!error)
        error = make_tables_and_memories(instance);
    if (!error) {
        make_globals(instance);
        error = make_segments(instance);
    }
    if (error) {
        rt_instance_destroy(instance);
        return error;
    }
    /* From here on other instances may refer to this one, even if it traps: the store keeps it. */
    instance->next = store->instances;
    store->instances = instance;
    instance->number = store->instance_count++;
    code->ops->set_hooks(code, &store->hooks);
    if (boundary)
        boundary->instantiate(boundary, instance, imports);
    error = apply_segments(instance);
    if (boundary)
        error = boundary->instantiated(boundary, error);
    if (error)
        return error;
    *ret = instance;
    return NULL;
}

void rt_instance_destroy(struct rt_instance *instance) {
    if (!instance)
        return;
    for (uint32_t i = 0; instance->elements && i < instance->module->element_count; i++)
        free(instance->elements[i].items);
    free(instance->elements);
    free(instance->data_dropped);
    free(instance->functions);
    free(instance);
}

struct rt_error *rt_instance_start(struct rt_instance *instance) {
    if (!instance->module->has_start)
        return NULL;
    return rt_func_call(rt_instance_func(instance, instance->module->start), NULL, NULL);
}
