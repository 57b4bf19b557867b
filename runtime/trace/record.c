/* The recorder: told of what crosses the boundary between guests and the host, it makes events of that and
 * hands them to a writer. */
#include "runtime/trace/names.h"

#include "runtime/engine.h"
#include "runtime/trace/format.h"

#include <stdlib.h>
#include <string.h>

struct rt_recorder {
    struct rt_boundary boundary; /* first: the store tells this */
    struct rt_store *store;      /* NULL: it is not attached any more */
    struct rt_trace_writer *writer;
    const struct rt_module **modules; /* by their numbers */
    size_t module_count;
    struct rt_trace_names names;
    struct rt_trace_memory scratch; /* union rt_value: of one event, when there are references */
    uint32_t depth;                 /* open calls */
    struct rt_trace_event end;      /* as the last outermost call has ended */
    struct rt_error *failure;       /* the trace is incomplete since */
};

static struct rt_recorder *recorder_of(struct rt_boundary *boundary) {
    return (struct rt_recorder *)boundary;
}

/* ---- Failing ---- */

static void fail(struct rt_recorder *recorder, struct rt_error *error) {
    if (recorder->failure)
        rt_error_destroy(error);
    else if (error)
        recorder->failure = rt_error_context(error, "recording");
}

static void require(struct rt_recorder *recorder, bool holds) {
    if (!holds)
        fail(recorder, rt_error_out_of_memory());
}

static struct rt_error *copy_failure(const struct rt_recorder *recorder) {
    return recorder->failure ? rt_error_format(recorder->failure->code, "%s", recorder->failure->message)
                             : NULL;
}

/* A run that is not recorded to its end must not go on: the failure takes the place of how a call ended. */
static struct rt_error *result_of(const struct rt_recorder *recorder, struct rt_error *error) {
    if (!recorder->failure)
        return error;
    rt_error_destroy(error);
    return copy_failure(recorder);
}

static void emit(struct rt_recorder *recorder, const struct rt_trace_event *event) {
    if (!recorder->failure)
        fail(recorder, rt_trace_writer_add(recorder->writer, event));
}

/* ---- Names ---- */

static void define_function(struct rt_recorder *recorder, const struct rt_func *func) {
    const char *name = func->name ? func->name : "";
    require(recorder, rt_trace_names_add_host(&recorder->names, RT_EXTERN_FUNC, func));
    emit(recorder,
         &(struct rt_trace_event){.kind = RT_TRACE_HOST_FUNCTION,
                                  .host_function = {{(const uint8_t *)name, strlen(name)}, func->type}});
}

static struct rt_trace_place place_of_func(struct rt_recorder *recorder, const struct rt_func *func) {
    struct rt_trace_place place = {0};
    if (!rt_trace_place_of_func(&recorder->names, func, &place)) {
        define_function(recorder, func);
        (void)rt_trace_place_of_func(&recorder->names, func, &place); /* or recording has failed */
    }
    return place;
}

/* The number of a reference in events. */
static uint64_t number_of(struct rt_recorder *recorder, uint8_t type, const void *reference) {
    struct rt_trace_names *names = &recorder->names;
    struct rt_trace_map *map = type == RT_FUNCREF ? &names->funcrefs : &names->externrefs;
    uint32_t *count = type == RT_FUNCREF ? &names->funcref_count : &names->externref_count;

    const uint64_t number = rt_trace_reference(names, type, reference);
    if (number != RT_TRACE_UNNAMED)
        return number;
    if (type == RT_FUNCREF)
        emit(recorder, &(struct rt_trace_event){.kind = RT_TRACE_FUNCREF,
                                                .funcref.function = place_of_func(recorder, reference)});
    require(recorder, rt_trace_map_set(map, reference, (struct rt_trace_place){0, *count}));
    return (uint64_t)++*count;
}

/* The values as events have them: themselves, or a copy with numbers for references, good for one event. */
static const union rt_value *numbered(struct rt_recorder *recorder, const uint8_t *types, uint32_t count,
                                      const union rt_value *values) {
    uint32_t i = 0;
    while (i < count && !rt_trace_is_reference(types[i]))
        i++;
    if (i == count)
        return values;
    recorder->scratch.size = 0;
    if (!rt_trace_append(&recorder->scratch, values, count * sizeof *values)) {
        require(recorder, false);
        return values;
    }
    union rt_value *copy = (union rt_value *)recorder->scratch.bytes;
    for (; i < count; i++)
        if (rt_trace_is_reference(types[i]))
            copy[i].i64 = number_of(recorder, types[i], values[i].ref);
    return copy;
}

static struct rt_trace_values values_of(struct rt_recorder *recorder, const uint8_t *types, uint32_t count,
                                        const union rt_value *values) {
    return (struct rt_trace_values){count, types, numbered(recorder, types, count, values)};
}

static struct rt_trace_value value_of(struct rt_recorder *recorder, enum rt_type type, union rt_value value) {
    const uint8_t code = (uint8_t)type;
    return (struct rt_trace_value){code, *numbered(recorder, &code, 1, &value)};
}

/* ---- What the host made, when a guest first gets it ---- */

static void emit_write(struct rt_recorder *recorder, struct rt_trace_place place, uint64_t address,
                       const uint8_t *bytes, size_t size) {
    emit(recorder, &(struct rt_trace_event){.kind = RT_TRACE_MEMORY_WRITE,
                                            .memory_write = {place, address, {bytes, size}}});
}

/* The parts of a memory that are not zero, about a page each. */
static void emit_contents(struct rt_recorder *recorder, struct rt_trace_place place,
                          const struct rt_memory *memory) {
    const size_t size = rt_memory_size(memory);
    for (size_t at = 0; at < size; at += RT_PAGE_SIZE) {
        size_t first = 0, end = RT_PAGE_SIZE;
        while (first < end && !memory->base[at + first])
            first++;
        while (end > first && !memory->base[at + end - 1])
            end--;
        if (end > first)
            emit_write(recorder, place, at + first, memory->base + at + first, end - first);
    }
}

static void emit_element(struct rt_recorder *recorder, struct rt_trace_place place,
                         const struct rt_table *table, uint32_t index) {
    const struct rt_trace_value value =
        value_of(recorder, table->type, (union rt_value){.ref = table->elements[index]});
    emit(recorder, &(struct rt_trace_event){.kind = RT_TRACE_TABLE_SET,
                                            .table_set = {place, index, {value.type, 1, &value.value}}});
}

static void define_memory(struct rt_recorder *recorder, const struct rt_memory *memory) {
    struct rt_trace_place place = {0};
    require(recorder, rt_trace_names_add_host(&recorder->names, RT_EXTERN_MEMORY, memory));
    (void)rt_trace_place_of(&recorder->names, memory, &place);
    emit(recorder,
         &(struct rt_trace_event){.kind = RT_TRACE_HOST_MEMORY, .host_memory = {memory->pages, memory->max}});
    emit_contents(recorder, place, memory);
}

static void define_table(struct rt_recorder *recorder, const struct rt_table *table) {
    struct rt_trace_place place = {0};
    require(recorder, rt_trace_names_add_host(&recorder->names, RT_EXTERN_TABLE, table));
    (void)rt_trace_place_of(&recorder->names, table, &place);
    emit(recorder, &(struct rt_trace_event){.kind = RT_TRACE_HOST_TABLE,
                                            .host_table = {(uint8_t)table->type, table->size, table->max}});
    for (uint32_t i = 0; i < table->size; i++)
        if (table->elements[i])
            emit_element(recorder, place, table, i);
}

static void define_global(struct rt_recorder *recorder, const struct rt_global *global) {
    const struct rt_trace_value value = value_of(recorder, global->type, global->value);
    require(recorder, rt_trace_names_add_host(&recorder->names, RT_EXTERN_GLOBAL, global));
    emit(recorder,
         &(struct rt_trace_event){.kind = RT_TRACE_HOST_GLOBAL, .host_global = {global->is_mutable, value}});
}

static struct rt_trace_place place_of_import(struct rt_recorder *recorder, const struct rt_extern *given) {
    struct rt_trace_place place = {0};
    if (given->kind == RT_EXTERN_FUNC)
        return place_of_func(recorder, given->func);
    const void *thing = rt_trace_extern_pointer(given);
    if (rt_trace_place_of(&recorder->names, thing, &place))
        return place;
    switch (given->kind) {
    case RT_EXTERN_FUNC: break;
    case RT_EXTERN_TABLE: define_table(recorder, given->table); break;
    case RT_EXTERN_MEMORY: define_memory(recorder, given->memory); break;
    case RT_EXTERN_GLOBAL: define_global(recorder, given->global); break;
    }
    (void)rt_trace_place_of(&recorder->names, thing, &place);
    return place;
}

/* ---- Instantiation ---- */

static bool find_module(const struct rt_recorder *recorder, const struct rt_module *module, uint32_t *ret) {
    for (*ret = 0; *ret < recorder->module_count; ++*ret)
        if (recorder->modules[*ret] == module)
            return true;
    return false;
}

static void on_instantiate(struct rt_boundary *boundary, struct rt_instance *instance,
                           const struct rt_extern *imports) {
    struct rt_recorder *recorder = recorder_of(boundary);
    const uint32_t count = instance->module->import_count;
    struct rt_trace_place *places = calloc((size_t)count + 1, sizeof *places);
    uint32_t module;

    require(recorder, places);
    if (!find_module(recorder, instance->module, &module))
        fail(recorder, rt_error_format(RT_USAGE, "an instance of a module that was not named before"));
    for (uint32_t i = 0; i < count && !recorder->failure; i++)
        places[i] = place_of_import(recorder, &imports[i]);
    require(recorder, rt_trace_names_add_instance(&recorder->names, instance));
    emit(recorder,
         &(struct rt_trace_event){.kind = RT_TRACE_INSTANTIATE, .instantiate = {module, {count, places}}});
    free(places);
}

static struct rt_error *on_instantiated(struct rt_boundary *boundary, struct rt_error *error) {
    struct rt_recorder *recorder = recorder_of(boundary);
    if (error && error->code == RT_TRAP)
        emit(recorder, &(struct rt_trace_event){.kind = RT_TRACE_INSTANTIATION_TRAP,
                                                .instantiation_trap.trap = (uint32_t)error->trap});
    return result_of(recorder, error);
}

/* ---- Calls ---- */

static uint32_t trap_of(const struct rt_error *error) {
    return error->code == RT_TRAP ? (uint32_t)error->trap : RT_TRACE_FAILURE;
}

static void on_import_call(struct rt_boundary *boundary, const struct rt_caller *caller, struct rt_func *func,
                           const union rt_value *args) {
    struct rt_recorder *recorder = recorder_of(boundary);
    const uint32_t number = place_of_func(recorder, func).index;
    const struct rt_trace_values arguments =
        values_of(recorder, func->type.params, func->type.param_count, args);
    recorder->depth++;
    emit(recorder, &(struct rt_trace_event){.kind = RT_TRACE_IMPORT_CALL,
                                            .import_call = {caller->instance->number, number, arguments}});
}

static struct rt_error *on_import_end(struct rt_boundary *boundary, const struct rt_func *func,
                                      const union rt_value *results, struct rt_error *error) {
    struct rt_recorder *recorder = recorder_of(boundary);
    struct rt_trace_event event = {.kind = RT_TRACE_IMPORT_RETURN};

    if (!error) {
        event.import_return.results =
            values_of(recorder, func->type.results, func->type.result_count, results);
    } else if (error->code == RT_EXIT) {
        event.kind = RT_TRACE_IMPORT_EXIT;
        event.import_exit.status = (uint32_t)error->exit_status;
    } else {
        event.kind = RT_TRACE_IMPORT_TRAP;
        event.import_trap.trap = trap_of(error);
        event.import_trap.message =
            (struct rt_trace_bytes){(const uint8_t *)error->message, strlen(error->message)};
    }
    recorder->depth--;
    emit(recorder, &event);
    return result_of(recorder, error);
}

static void on_guest_call(struct rt_boundary *boundary, const struct rt_func *func,
                          const union rt_value *args) {
    struct rt_recorder *recorder = recorder_of(boundary);
    const struct rt_trace_values arguments =
        values_of(recorder, func->type.params, func->type.param_count, args);
    const struct rt_trace_place place = place_of_func(recorder, func);
    recorder->depth++;
    emit(recorder, &(struct rt_trace_event){.kind = RT_TRACE_GUEST_CALL, .guest_call = {place, arguments}});
}

/* How the last outermost call ended is how the program ended. */
static void note_end(struct rt_recorder *recorder, const struct rt_trace_event *event) {
    uint32_t outcome = RT_TRACE_RETURNED, status = 0;
    if (event->kind == RT_TRACE_GUEST_EXIT) {
        outcome = RT_TRACE_EXITED;
        status = event->guest_exit.status;
    } else if (event->kind == RT_TRACE_GUEST_TRAP) {
        outcome = event->guest_trap.trap == RT_TRACE_FAILURE ? RT_TRACE_FAILED : RT_TRACE_TRAPPED;
    }
    recorder->end = (struct rt_trace_event){.kind = RT_TRACE_END, .end = {outcome, status}};
}

static struct rt_error *on_guest_end(struct rt_boundary *boundary, const struct rt_func *func,
                                     const union rt_value *results, struct rt_error *error) {
    struct rt_recorder *recorder = recorder_of(boundary);
    struct rt_trace_event event = {.kind = RT_TRACE_GUEST_RETURN};

    if (!error) {
        event.guest_return.results =
            values_of(recorder, func->type.results, func->type.result_count, results);
    } else if (error->code == RT_EXIT) {
        event.kind = RT_TRACE_GUEST_EXIT;
        event.guest_exit.status = (uint32_t)error->exit_status;
    } else {
        event.kind = RT_TRACE_GUEST_TRAP;
        rt_trace_guest_trap(func->store, error, &event);
    }
    recorder->depth--;
    emit(recorder, &event);
    if (!recorder->depth)
        note_end(recorder, &event);
    return result_of(recorder, error);
}

void rt_trace_guest_trap(const struct rt_store *store, const struct rt_error *error,
                         struct rt_trace_event *ret) {
    const struct rt_trap_place *place = &store->trap_place;
    ret->guest_trap.trap = trap_of(error);
    ret->guest_trap.instance = place->instance ? place->instance->number : RT_TRACE_NO_INDEX;
    ret->guest_trap.function = place->instance ? place->function : RT_TRACE_NO_INDEX;
    ret->guest_trap.pc = place->instance ? place->pc : RT_TRACE_NO_INDEX;
}

/* ---- Changes by the host. What no guest has yet is recorded when one gets it. ---- */

static void on_memory_write(struct rt_boundary *boundary, const struct rt_memory *memory, uint64_t address,
                            const void *bytes, size_t size) {
    struct rt_recorder *recorder = recorder_of(boundary);
    struct rt_trace_place place;
    if (rt_trace_place_of(&recorder->names, memory, &place))
        emit_write(recorder, place, address, bytes, size);
}

static void on_memory_grow(struct rt_boundary *boundary, const struct rt_memory *memory, uint64_t pages,
                           uint64_t old) {
    struct rt_recorder *recorder = recorder_of(boundary);
    struct rt_trace_place place;
    if (rt_trace_place_of(&recorder->names, memory, &place))
        emit(recorder,
             &(struct rt_trace_event){.kind = RT_TRACE_MEMORY_GROW, .memory_grow = {place, pages, old}});
}

static void on_global_set(struct rt_boundary *boundary, const struct rt_global *global) {
    struct rt_recorder *recorder = recorder_of(boundary);
    struct rt_trace_place place;
    if (!rt_trace_place_of(&recorder->names, global, &place))
        return;
    const struct rt_trace_value value = value_of(recorder, global->type, global->value);
    emit(recorder, &(struct rt_trace_event){.kind = RT_TRACE_GLOBAL_SET, .global_set = {place, value}});
}

static void on_table_set(struct rt_boundary *boundary, const struct rt_table *table, uint32_t index) {
    struct rt_recorder *recorder = recorder_of(boundary);
    struct rt_trace_place place;
    if (rt_trace_place_of(&recorder->names, table, &place))
        emit_element(recorder, place, table, index);
}

static void on_table_grow(struct rt_boundary *boundary, const struct rt_table *table, uint64_t count,
                          void *value, uint64_t old) {
    struct rt_recorder *recorder = recorder_of(boundary);
    struct rt_trace_place place;
    if (!rt_trace_place_of(&recorder->names, table, &place))
        return;
    const struct rt_trace_value filler = value_of(recorder, table->type, (union rt_value){.ref = value});
    emit(recorder,
         &(struct rt_trace_event){.kind = RT_TRACE_TABLE_GROW, .table_grow = {place, count, filler, old}});
}

/* ---- Making and ending ---- */

static struct rt_error *write_header(struct rt_recorder *recorder, struct rt_trace_sink sink,
                                     const struct rt_recorder_options *options, struct rt_arena *arena) {
    const size_t stack_size =
        options->module_count ? options->modules[0].code->ops->stack_size(recorder->store) : 0;
    const char *stack = stack_size ? rt_arena_printf(arena, "%zu", stack_size) : "unknown";
    struct rt_trace_module *modules = rt_arena_array(arena, options->module_count, sizeof *modules);
    bool is_canonical = true;
    struct rt_error *error = modules && stack ? NULL : rt_error_out_of_memory();

    for (size_t i = 0; i < options->module_count && !error; i++) {
        recorder->modules[i] = options->modules[i].code->module;
        is_canonical &= options->modules[i].code->has_canonical_nans;
        error = rt_trace_module_describe(recorder->modules[i], options->modules[i].label, arena, &modules[i]);
    }
    if (error) {
        rt_trace_sink_destroy(&sink);
        return error;
    }
    const bool has_limits =
        recorder->store->max_pages != RT_MAX_PAGES || recorder->store->max_elements != RT_MAX_TABLE_SIZE;
    const struct rt_trace_setting settings[] = {{"nan", is_canonical ? "canonical" : "any"},
                                                {"simd.relaxed", "none"},
                                                {"stack", stack},
                                                {"grow", has_limits ? "any" : "limits"}};
    const struct rt_trace_header header = {.engine = options->engine,
                                           .settings = settings,
                                           .setting_count = sizeof settings / sizeof *settings,
                                           .modules = modules,
                                           .module_count = options->module_count,
                                           .command = options->command,
                                           .command_count = options->command_count};
    return rt_trace_writer_create(sink, &header, options->writer, &recorder->writer);
}

static const struct rt_boundary listener = {
    .instantiate = on_instantiate,
    .instantiated = on_instantiated,
    .import_call = on_import_call,
    .import_end = on_import_end,
    .guest_call = on_guest_call,
    .guest_end = on_guest_end,
    .memory_write = on_memory_write,
    .memory_grow = on_memory_grow,
    .global_set = on_global_set,
    .table_set = on_table_set,
    .table_grow = on_table_grow,
};

struct rt_error *rt_recorder_create(struct rt_store *store, struct rt_trace_sink sink,
                                    const struct rt_recorder_options *options, struct rt_recorder **ret) {
    struct rt_error *error = NULL;
    struct rt_recorder *recorder = NULL;
    struct rt_arena arena;

    if (store->boundary || store->instances)
        error = rt_error_format(RT_USAGE, "recording: the store %s",
                                store->boundary ? "is being recorded already" : "has instances already");
    else if (!(recorder = calloc(1, sizeof *recorder)) ||
             !(recorder->modules = calloc(options->module_count + 1, sizeof *recorder->modules)))
        error = rt_error_out_of_memory();
    if (error) {
        rt_trace_sink_destroy(&sink);
        rt_recorder_destroy(recorder);
        return error;
    }
    recorder->boundary = listener;
    recorder->store = store;
    recorder->module_count = options->module_count;
    recorder->end = (struct rt_trace_event){.kind = RT_TRACE_END};
    rt_arena_init(&arena, 0);
    error = write_header(recorder, sink, options, &arena);
    rt_arena_clear(&arena);
    if (error) {
        rt_recorder_destroy(recorder);
        return error;
    }
    store->boundary = &recorder->boundary;
    *ret = recorder;
    return NULL;
}

static void detach(struct rt_recorder *recorder) {
    if (recorder->store && recorder->store->boundary == &recorder->boundary)
        recorder->store->boundary = NULL;
    recorder->store = NULL;
}

struct rt_error *rt_recorder_finish(struct rt_recorder *recorder) {
    detach(recorder);
    if (!recorder->failure && !recorder->depth)
        emit(recorder, &recorder->end);
    if (!recorder->failure)
        fail(recorder, rt_trace_writer_finish(recorder->writer));
    return copy_failure(recorder);
}

struct rt_error *rt_recorder_message(struct rt_recorder *recorder, const char *name, const void *bytes,
                                     size_t size) {
    emit(recorder, &(struct rt_trace_event){
                       .kind = RT_TRACE_MESSAGE,
                       .message = {{(const uint8_t *)name, strlen(name)}, {(const uint8_t *)bytes, size}}});
    return copy_failure(recorder);
}

struct rt_error *rt_recorder_flush(struct rt_recorder *recorder) {
    if (!recorder->failure)
        fail(recorder, rt_trace_writer_flush(recorder->writer));
    return copy_failure(recorder);
}

struct rt_trace_totals rt_recorder_totals(const struct rt_recorder *recorder) {
    return rt_trace_writer_totals(recorder->writer);
}

uint64_t rt_recorder_reference(const struct rt_recorder *recorder, enum rt_type type, const void *reference) {
    return rt_trace_reference(&recorder->names, (uint8_t)type, reference);
}

void rt_recorder_destroy(struct rt_recorder *recorder) {
    if (!recorder)
        return;
    detach(recorder);
    rt_trace_writer_destroy(recorder->writer);
    rt_trace_names_clear(&recorder->names);
    rt_error_destroy(recorder->failure);
    free(recorder->scratch.bytes);
    free(recorder->modules);
    free(recorder);
}
