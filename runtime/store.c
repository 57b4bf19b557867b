/* Stores (section 4.2.3): they own every function, table, memory, global and instance made in them. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/engine.h"
#include "runtime/target.h"

/* What the default stack limit leaves to host functions and signal frames. */
#define HOST_STACK ((size_t)256 * 1024)

/* The calling thread's stack: the lowest address that it may use, and the bytes from there on. */
static struct rt_error *thread_stack(uintptr_t *ret, size_t *ret_size) {
    pthread_attr_t attributes;
    int status = pthread_getattr_np(pthread_self(), &attributes);
    if (status)
        return rt_error_os(status, "asking for the thread's stack");
    void *lowest = NULL;
    size_t size = 0;
    status = pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    if (status)
        return rt_error_os(status, "asking for the thread's stack");
    *ret = (uintptr_t)lowest;
    *ret_size = size;
    return NULL;
}

struct rt_error *rt_store_create(struct rt_store **ret) {
    struct rt_error *error = rt_trap_prepare();
    if (error)
        return error;
    struct rt_store *store = calloc(1, sizeof(*store));
    if (!store)
        return rt_error_out_of_memory();
    uintptr_t lowest = 0;
    size_t size = 0;
    error = thread_stack(&lowest, &size);
    if (error) {
        free(store);
        return error;
    }
    store->host.store = store;
    store->max_pages = RT_MAX_PAGES;
    store->max_elements = RT_MAX_TABLE_SIZE;
    rt_store_set_stack_limit(store, lowest + HOST_STACK);
    store->stack_size = size > HOST_STACK ? size - HOST_STACK : 0;
    *ret = store;
    return NULL;
}

void rt_store_set_limits(struct rt_store *store, uint32_t memory_pages, uint32_t table_elements) {
    store->max_pages = memory_pages < RT_MAX_PAGES ? memory_pages : RT_MAX_PAGES;
    store->max_elements = table_elements < RT_MAX_TABLE_SIZE ? table_elements : RT_MAX_TABLE_SIZE;
}

void rt_store_destroy(struct rt_store *store) {
    if (!store)
        return;
    for (struct rt_instance *next, *i = store->instances; i; i = next) {
        next = i->next;
        rt_instance_destroy(i);
    }
    for (struct rt_func *next, *f = store->functions; f; f = next) {
        next = f->next;
        free(f->name);
        free(f);
    }
    for (struct rt_memory *next, *m = store->memories; m; m = next) {
        next = m->next;
        rt_memory_destroy(m);
    }
    for (struct rt_table *next, *t = store->tables; t; t = next) {
        next = t->next;
        rt_table_destroy(t);
    }
    for (struct rt_global *next, *g = store->globals; g; g = next) {
        next = g->next;
        free(g);
    }
    for (uint32_t i = 0; i < store->type_count; i++)
        free((void *)(uintptr_t)store->types[i].params);
    free(store->types);
    free(store->type_slots);
    rt_error_destroy(store->pending_error);
    if (store->engine && store->engine->close_store)
        store->engine->close_store(store->engine_state);
    free(store);
}

void rt_store_set_stack_limit(struct rt_store *store, uintptr_t lowest) {
    store->stack_limit = lowest;
    store->stack_size = 0;
    store->host.stack_limit = lowest;
    for (struct rt_instance *i = store->instances; i; i = i->next)
        i->stack_limit = lowest;
}

void rt_store_set_hooks(struct rt_store *store, const struct rt_hooks *hooks) {
    store->hooks = hooks ? *hooks : (struct rt_hooks){0};
    for (struct rt_instance *i = store->instances; i; i = i->next)
        i->code->ops->set_hooks(i->code, &store->hooks);
}

void rt_store_interpose(struct rt_store *store, rt_interpose_fn fn, void *user) {
    store->interpose = fn;
    store->interpose_user = user;
}

/* ---- Types ---- */

static uint32_t hash_type(struct rt_func_type type) {
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < type.param_count; i++)
        hash = (hash ^ type.params[i]) * 16777619u;
    hash *= 16777619u; /* (a) -> () is not () -> (a) */
    for (uint32_t i = 0; i < type.result_count; i++)
        hash = (hash ^ type.results[i]) * 16777619u;
    return hash;
}

/* The slot of this type: its own, or the free one where it belongs. There is always a free one. */
static uint32_t find_slot(const struct rt_store *store, struct rt_func_type type) {
    uint32_t mask = store->type_slot_count - 1, slot = hash_type(type) & mask;
    while (store->type_slots[slot] && !rt_func_type_equal(store->types[store->type_slots[slot] - 1], type))
        slot = (slot + 1) & mask;
    return slot;
}

/* Keeps at least half of the slots free. */
static bool grow_types(struct rt_store *store) {
    if (store->type_count < store->type_capacity)
        return true;
    uint32_t capacity = store->type_capacity ? store->type_capacity * 2 : 32;
    struct rt_func_type *types = realloc(store->types, capacity * sizeof(*types));
    if (!types)
        return false;
    store->types = types;
    uint32_t *slots = calloc(2 * (size_t)capacity, sizeof(*slots));
    if (!slots)
        return false;
    free(store->type_slots);
    store->type_slots = slots;
    store->type_slot_count = 2 * capacity;
    store->type_capacity = capacity;
    for (uint32_t i = 0; i < store->type_count; i++)
        slots[find_slot(store, types[i])] = i + 1;
    return true;
}

struct rt_error *rt_store_type_id(struct rt_store *store, struct rt_func_type type, uint32_t *ret) {
    if (!grow_types(store))
        return rt_error_out_of_memory();
    uint32_t slot = find_slot(store, type);
    if (!store->type_slots[slot]) {
        uint8_t *bytes = malloc((size_t)type.param_count + type.result_count + 1);
        if (!bytes)
            return rt_error_out_of_memory();
        if (type.param_count)
            memcpy(bytes, type.params, type.param_count);
        if (type.result_count)
            memcpy(bytes + type.param_count, type.results, type.result_count);
        store->types[store->type_count++] =
            (struct rt_func_type){type.param_count, type.result_count, bytes, bytes + type.param_count};
        store->type_slots[slot] = store->type_count;
    }
    *ret = store->type_slots[slot] - 1;
    return NULL;
}

/* ---- Functions and globals of the host ---- */

struct rt_error *rt_func_create(struct rt_store *store, const char *name, struct rt_func_type type,
                                rt_host_fn fn, void *user, struct rt_func **ret) {
    uint32_t id = 0;
    struct rt_error *error = rt_store_type_id(store, type, &id);
    if (error)
        return error;
    struct rt_func *func = calloc(1, sizeof(*func));
    char *copy = func && name ? strdup(name) : NULL;
    if (!func || (name && !copy)) {
        free(func);
        return rt_error_out_of_memory();
    }
    const struct rt_target *target = rt_target_host();
    *func = (struct rt_func){.code = target ? target->host_call : NULL,
                             .instance = &store->host,
                             .type_id = id,
                             .type = store->types[id],
                             .passes_vectors = rt_func_type_has_vectors(type),
                             .store = store,
                             .host = fn,
                             .user = user,
                             .name = copy,
                             .next = store->functions};
    store->functions = func;
    *ret = func;
    return NULL;
}

struct rt_func_type rt_func_type_of(const struct rt_func *func) {
    return func->type;
}

const char *rt_func_name(const struct rt_func *func) {
    if (func->host)
        return func->name;
    return rt_module_function_name(func->instance->module, func->index);
}

struct rt_error *rt_global_create(struct rt_store *store, enum rt_type type, bool is_mutable,
                                  union rt_value value, struct rt_global **ret) {
    struct rt_global *global = calloc(1, sizeof(*global));
    if (!global)
        return rt_error_out_of_memory();
    *global = (struct rt_global){
        .value = value, .type = type, .is_mutable = is_mutable, .store = store, .next = store->globals};
    store->globals = global;
    *ret = global;
    return NULL;
}

enum rt_type rt_global_type(const struct rt_global *global) {
    return global->type;
}

union rt_value rt_global_get(const struct rt_global *global) {
    return global->value;
}

void rt_global_set(struct rt_global *global, union rt_value value) {
    struct rt_boundary *boundary = RT_BOUNDARY(global->store);
    global->value = value;
    if (boundary)
        boundary->global_set(boundary, global);
}
