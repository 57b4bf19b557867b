/* Doing again what the host did: the things that it made, the instances, the changes of what guests have. */
#include "runtime/trace/replay.h"

#include "runtime/trace/format.h"

#include <stdlib.h>
#include <string.h>

/* No run has as many; a trace of unknown origin must not reserve address space and memory without end. */
enum { MAX_THINGS = 10000, MAX_HOST_ELEMENTS = RT_MAX_TABLE_SIZE };

static RT_NEVER_NULL struct rt_error *too_many(const char *what) {
    return rt_error_format(RT_UNSUPPORTED, "more %s than a replay can have", what);
}

static uint32_t list_count(const struct rt_trace_memory *list) {
    return (uint32_t)(list->size / sizeof(void *));
}

static void *list_at(const struct rt_trace_memory *list, uint32_t index) {
    return ((void **)list->bytes)[index];
}

static struct rt_error *list_add(struct rt_trace_memory *list, void *thing) {
    return rt_trace_append(list, &thing, sizeof thing) ? NULL : rt_error_out_of_memory();
}

/* ---- Numbers ---- */

struct rt_error *rt_replay_resolve(const struct rt_replayer *replayer, enum rt_extern_kind kind,
                                   struct rt_trace_place place, void **ret) {
    static const char *const names[] = {"function", "table", "memory", "global"};
    struct rt_instance *instance;

    *ret = NULL;
    if (!place.owner) { /* the checker has seen that it is there */
        *ret = list_at(&replayer->host[kind], place.index);
        return NULL;
    }
    instance = list_at(&replayer->instances, place.owner - 1);
    switch (kind) {
    case RT_EXTERN_FUNC: *ret = rt_instance_func(instance, place.index); break;
    case RT_EXTERN_TABLE: *ret = rt_instance_table(instance, place.index); break;
    case RT_EXTERN_MEMORY: *ret = rt_instance_memory(instance, place.index); break;
    case RT_EXTERN_GLOBAL: *ret = rt_instance_global(instance, place.index); break;
    }
    return *ret ? NULL
                : rt_error_format(RT_MALFORMED, "instance %u has no %s %u", place.owner - 1, names[kind],
                                  place.index);
}

/* A host reference is its number in the trace, plus one: nothing looks behind it. */
union rt_value rt_replay_value(const struct rt_replayer *replayer, uint8_t type, union rt_value value) {
    if (type == RT_FUNCREF && value.i64)
        value.ref = list_at(&replayer->funcrefs, (uint32_t)value.i64 - 1);
    else if (rt_trace_is_reference(type))
        value.ref = (void *)(uintptr_t)value.i64;
    return value;
}

union rt_value rt_replay_number(const struct rt_replayer *replayer, uint8_t type, union rt_value value) {
    if (type == RT_FUNCREF)
        value.i64 = rt_trace_reference(&replayer->names, type, value.ref);
    else if (rt_trace_is_reference(type))
        value.i64 = (uintptr_t)value.ref;
    return value;
}

/* ---- What the host made ---- */

/* The thing that the next definition of a kind made before time was gone back; NULL when it is new. */
static void *made_before(struct rt_replayer *replayer, enum rt_extern_kind kind) {
    const uint32_t number = replayer->now.host[kind]++;
    return number < list_count(&replayer->host[kind]) ? list_at(&replayer->host[kind], number) : NULL;
}

static struct rt_error *add_host(struct rt_replayer *replayer, enum rt_extern_kind kind, void *thing) {
    struct rt_error *error = list_add(&replayer->host[kind], thing);
    if (!error && !rt_trace_names_add_host(&replayer->names, kind, thing))
        error = rt_error_out_of_memory();
    return error;
}

struct rt_error *rt_replay_define_function(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    if (made_before(replayer, RT_EXTERN_FUNC))
        return NULL;
    struct rt_replay_function *function = rt_arena_alloc(&replayer->arena, sizeof *function);
    const struct rt_trace_bytes *name = &event->host_function.name;
    char *text = rt_arena_copy(&replayer->arena, name->data, name->size);
    struct rt_func *func;

    if (!function || !text)
        return rt_error_out_of_memory();
    *function = (struct rt_replay_function){.replayer = replayer,
                                            .number = list_count(&replayer->host[RT_EXTERN_FUNC])};
    struct rt_error *error =
        rt_func_create(replayer->store, text, event->host_function.type, rt_replay_serve, function, &func);
    if (error)
        return error;
    function->type = func->type;
    return add_host(replayer, RT_EXTERN_FUNC, func);
}

struct rt_error *rt_replay_define_funcref(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    const uint32_t number = replayer->now.funcrefs++;
    void *func;
    if (number < list_count(&replayer->funcrefs))
        return NULL;
    struct rt_error *error = rt_replay_resolve(replayer, RT_EXTERN_FUNC, event->funcref.function, &func);
    if (!error)
        error = list_add(&replayer->funcrefs, func);
    if (!error && !rt_trace_map_set(&replayer->names.funcrefs, func, (struct rt_trace_place){0, number}))
        error = rt_error_out_of_memory();
    return error;
}

static struct rt_error *define_memory(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    const struct rt_limits limits = {event->host_memory.pages, event->host_memory.maximum};
    struct rt_memory *memory = made_before(replayer, RT_EXTERN_MEMORY);

    if (memory)
        return rt_memory_restart(memory, limits.min);
    if (list_count(&replayer->host[RT_EXTERN_MEMORY]) >= MAX_THINGS)
        return too_many("memories");
    struct rt_error *error = rt_memory_create(replayer->store, limits, &memory);
    return error ? error : add_host(replayer, RT_EXTERN_MEMORY, memory);
}

static struct rt_error *count_elements(struct rt_replayer *replayer, uint64_t more) {
    if (more > MAX_HOST_ELEMENTS - replayer->now.host_elements)
        return too_many("elements in tables of the host");
    replayer->now.host_elements += more;
    return NULL;
}

static struct rt_error *define_table(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    const struct rt_limits limits = {event->host_table.size, event->host_table.maximum};
    struct rt_table *table = made_before(replayer, RT_EXTERN_TABLE);

    if (list_count(&replayer->host[RT_EXTERN_TABLE]) >= MAX_THINGS && !table)
        return too_many("tables");
    struct rt_error *error = count_elements(replayer, limits.min);
    if (!error && table)
        return rt_table_restart(table, limits.min);
    if (!error)
        error = rt_table_create(replayer->store, (enum rt_type)event->host_table.type, limits, &table);
    return error ? error : add_host(replayer, RT_EXTERN_TABLE, table);
}

static struct rt_error *define_global(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    const struct rt_trace_value *recorded = &event->host_global.value;
    const union rt_value value = rt_replay_value(replayer, recorded->type, recorded->value);
    struct rt_global *global = made_before(replayer, RT_EXTERN_GLOBAL);

    if (global) {
        global->value = value;
        return NULL;
    }
    struct rt_error *error = rt_global_create(replayer->store, (enum rt_type)recorded->type,
                                              event->host_global.is_mutable, value, &global);
    return error ? error : add_host(replayer, RT_EXTERN_GLOBAL, global);
}

/* ---- Instances ---- */

static struct rt_error *collect_imports(struct rt_replayer *replayer, const struct rt_trace_event *event,
                                        struct rt_extern *ret) {
    const struct rt_trace_module *module = &replayer->header->modules[event->instantiate.module];
    struct rt_error *error = NULL;

    for (uint32_t i = 0; i < event->instantiate.imports.count && !error; i++) {
        const enum rt_extern_kind kind = module->imports[i].kind;
        void *thing;
        error = rt_replay_resolve(replayer, kind, event->instantiate.imports.items[i], &thing);
        ret[i].kind = kind;
        switch (kind) {
        case RT_EXTERN_FUNC: ret[i].func = thing; break;
        case RT_EXTERN_TABLE: ret[i].table = thing; break;
        case RT_EXTERN_MEMORY: ret[i].memory = thing; break;
        case RT_EXTERN_GLOBAL: ret[i].global = thing; break;
        }
    }
    return error;
}

static struct rt_error *link_instance(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    const size_t count = event->instantiate.imports.count;
    struct rt_instance *instance;
    struct rt_extern *imports = calloc(count + 1, sizeof *imports);
    if (!imports)
        return rt_error_out_of_memory();
    struct rt_error *error = collect_imports(replayer, event, imports);
    if (!error)
        error = rt_instance_create(replayer->store, replayer->codes[event->instantiate.module], imports,
                                   count, &instance);
    free(imports);
    return error;
}

static struct rt_error *instantiate(struct rt_replayer *replayer, const struct rt_trace_event *event,
                                    enum rt_trap *ret_trap) {
    const uint32_t number = replayer->now.instances++;
    const bool is_new = number >= list_count(&replayer->instances);

    if (list_count(&replayer->instances) >= MAX_THINGS && is_new)
        return too_many("instances");
    struct rt_error *error =
        is_new ? link_instance(replayer, event) : rt_instance_restart(list_at(&replayer->instances, number));
    if (error && error->code != RT_TRAP)
        return error;
    *ret_trap = error ? (enum rt_trap)error->trap : RT_TRAP_COUNT;
    rt_error_destroy(error);
    if (!is_new)
        return NULL;
    /* One that trapped is there all the same. */
    error = list_add(&replayer->instances, replayer->store->instances);
    if (!error && !rt_trace_names_add_instance(&replayer->names, replayer->store->instances))
        error = rt_error_out_of_memory();
    return error;
}

/* ---- Changes ---- */

static RT_NEVER_NULL struct rt_error *differs(const struct rt_replayer *replayer,
                                              const struct rt_trace_event *expected,
                                              const struct rt_trace_event *got) {
    return rt_trace_difference(replayer->checker, expected, got);
}

static struct rt_error *write_memory(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    const struct rt_trace_bytes *bytes = &event->memory_write.bytes;
    void *memory;
    struct rt_error *error =
        rt_replay_resolve(replayer, RT_EXTERN_MEMORY, event->memory_write.memory, &memory);

    if (error)
        return error;
    if (rt_memory_write(memory, event->memory_write.address, bytes->data, bytes->size)) {
        if (replayer->at_write)
            replayer->at_write(replayer->write_user, memory, event->memory_write.address, bytes->size);
        return NULL;
    }
    return rt_error_format(
        RT_DIVERGED, "memory write: expected room for %zu bytes at address 0x%llx, got a memory of 0x%zx",
        bytes->size, (unsigned long long)event->memory_write.address, rt_memory_size(memory));
}

static struct rt_error *grow_memory(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    struct rt_trace_event got = *event;
    void *memory;
    struct rt_error *error =
        rt_replay_resolve(replayer, RT_EXTERN_MEMORY, event->memory_grow.memory, &memory);

    if (error)
        return error;
    error = rt_memory_grow(memory, event->memory_grow.pages, &got.memory_grow.old);
    if (error)
        got.memory_grow.old = RT_TRACE_NO_LIMIT;
    rt_error_destroy(error);
    return rt_trace_event_equal(event, &got) ? NULL : differs(replayer, event, &got);
}

static struct rt_error *set_global(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    const struct rt_trace_value *value = &event->global_set.value;
    void *thing;
    struct rt_error *error = rt_replay_resolve(replayer, RT_EXTERN_GLOBAL, event->global_set.global, &thing);
    struct rt_global *global = thing;

    if (error)
        return error;
    if (!global->is_mutable || global->type != (enum rt_type)value->type)
        return rt_error_format(RT_MALFORMED, "the global cannot be set to a value of this type");
    rt_global_set(global, rt_replay_value(replayer, value->type, value->value));
    return NULL;
}

static struct rt_error *resolve_table(const struct rt_replayer *replayer, struct rt_trace_place place,
                                      uint8_t type, struct rt_table **ret) {
    void *table;
    struct rt_error *error = rt_replay_resolve(replayer, RT_EXTERN_TABLE, place, &table);

    if (error)
        return error;
    *ret = table;
    return (*ret)->type == (enum rt_type)type
               ? NULL
               : rt_error_format(RT_MALFORMED, "the table's elements are of another type");
}

static struct rt_error *set_table(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    const struct rt_trace_elements *elements = &event->table_set.elements;
    const uint64_t first = event->table_set.first;
    struct rt_table *table;
    struct rt_error *error = resolve_table(replayer, event->table_set.table, elements->type, &table);

    if (!error && (first > table->size || elements->count > table->size - first))
        error = rt_error_format(RT_DIVERGED, "table set: expected elements from %llu on, got a table of %u",
                                (unsigned long long)first, table->size);
    for (uint32_t i = 0; i < elements->count && !error; i++)
        error = rt_table_set(table, (uint32_t)first + i,
                             rt_replay_value(replayer, elements->type, elements->values[i]).ref);
    return error;
}

static struct rt_error *grow_table(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    const struct rt_trace_value *value = &event->table_grow.value;
    struct rt_trace_event got = *event;
    struct rt_table *table;
    uint32_t old;
    struct rt_error *error = resolve_table(replayer, event->table_grow.table, value->type, &table);

    if (!error && event->table_grow.old != RT_TRACE_NO_LIMIT)
        error = count_elements(replayer, event->table_grow.count);
    if (error)
        return error;
    error = rt_table_grow(table, event->table_grow.count,
                          rt_replay_value(replayer, value->type, value->value).ref, &old);
    got.table_grow.old = error ? RT_TRACE_NO_LIMIT : old;
    rt_error_destroy(error);
    return rt_trace_event_equal(event, &got) ? NULL : differs(replayer, event, &got);
}

struct rt_error *rt_replay_host_event(struct rt_replayer *replayer, const struct rt_trace_event *event,
                                      enum rt_trap *ret_trap) {
    *ret_trap = RT_TRAP_COUNT;
    switch ((enum rt_trace_kind)event->kind) {
    case RT_TRACE_INSTANTIATE: return instantiate(replayer, event, ret_trap);
    case RT_TRACE_HOST_MEMORY: return define_memory(replayer, event);
    case RT_TRACE_HOST_TABLE: return define_table(replayer, event);
    case RT_TRACE_HOST_GLOBAL: return define_global(replayer, event);
    case RT_TRACE_MEMORY_WRITE: return write_memory(replayer, event);
    case RT_TRACE_MEMORY_GROW: return grow_memory(replayer, event);
    case RT_TRACE_GLOBAL_SET: return set_global(replayer, event);
    case RT_TRACE_TABLE_SET: return set_table(replayer, event);
    case RT_TRACE_TABLE_GROW: return grow_table(replayer, event);
    default: return rt_error_format(RT_MALFORMED, "it cannot come here");
    }
}
