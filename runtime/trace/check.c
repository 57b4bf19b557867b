/* What a trace must be beyond its framing: numbers of what came before, values of the right types, links that
 * fit the modules' imports, ends of calls that follow from each other. Keeps what events define. */
#include "runtime/trace/format.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFINITIONS_MEMORY = 256 << 20 };
_Static_assert(RT_EXTERN_FUNC == 0 && RT_EXTERN_GLOBAL == 3, "lists by kind of import");
enum { KINDS = RT_EXTERN_GLOBAL + 1 };

struct host_function {
    const char *name;
    struct rt_func_type type;
};
struct host_other {
    uint8_t type; /* of a table or global */
    bool is_mutable;
};

struct rt_trace_checker {
    const struct rt_trace_header *header;
    struct rt_arena arena;              /* names and types */
    struct rt_trace_memory host[KINDS]; /* what the host made: struct host_function, else host_other */
    struct rt_trace_memory instances;   /* uint32_t: the module */
    struct rt_trace_memory calls;       /* uint32_t for each open call: the host function */
    uint64_t funcrefs, externrefs;
    bool is_ending; /* the guest's call has to end so: */
    uint8_t ending; /* kind */
    uint32_t end_value;
    bool may_trap; /* an instantiate came directly before */
};

/* ---- Lists ---- */

static struct rt_error *push(struct rt_trace_memory *list, const void *item, size_t size) {
    return rt_trace_append(list, item, size) ? NULL : rt_error_out_of_memory();
}

static uint32_t list_count(const struct rt_trace_memory *list, size_t item_size) {
    return (uint32_t)(list->size / item_size);
}

static uint32_t host_count(const struct rt_trace_checker *checker, enum rt_extern_kind kind) {
    return list_count(&checker->host[kind],
                      kind == RT_EXTERN_FUNC ? sizeof(struct host_function) : sizeof(struct host_other));
}

static const struct host_function *host_function(const struct rt_trace_checker *checker, uint32_t number) {
    return number < host_count(checker, RT_EXTERN_FUNC)
               ? (const struct host_function *)checker->host[RT_EXTERN_FUNC].bytes + number
               : NULL;
}

static const struct host_other *host_other(const struct rt_trace_checker *checker, enum rt_extern_kind kind,
                                           uint32_t number) {
    return (const struct host_other *)checker->host[kind].bytes + number;
}

static uint32_t instance_count(const struct rt_trace_checker *checker) {
    return list_count(&checker->instances, sizeof(uint32_t));
}

bool rt_trace_checker_function(const struct rt_trace_checker *checker, uint32_t function,
                               const char **ret_name, struct rt_func_type *ret_type) {
    const struct host_function *found = host_function(checker, function);
    if (!found)
        return false;
    *ret_name = found->name;
    *ret_type = found->type;
    return true;
}

bool rt_trace_checker_module(const struct rt_trace_checker *checker, uint32_t instance, uint32_t *ret) {
    if (instance >= instance_count(checker))
        return false;
    *ret = ((const uint32_t *)checker->instances.bytes)[instance];
    return true;
}

/* Of a guest's call. */
#define NO_FUNCTION UINT32_MAX

bool rt_trace_checker_callee(const struct rt_trace_checker *checker, uint32_t *ret) {
    const uint32_t count = list_count(&checker->calls, sizeof *ret);
    if (!count)
        return false;
    *ret = ((const uint32_t *)checker->calls.bytes)[count - 1];
    return *ret != NO_FUNCTION;
}

/* ---- Parts of events ---- */

static RT_PRINTF(1, 2)
struct rt_error *wrong(const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return rt_error_format(RT_MALFORMED, "%s", text);
}

static struct rt_error *check_instance(const struct rt_trace_checker *checker, uint32_t instance) {
    return instance < instance_count(checker) ? NULL : wrong("there is no instance %u yet", instance);
}

static struct rt_error *check_place(const struct rt_trace_checker *checker, enum rt_extern_kind kind,
                                    struct rt_trace_place place) {
    static const char *const names[KINDS] = {"function", "table", "memory", "global"};
    uint32_t module, imported = 0;

    if (!place.owner)
        return place.index < host_count(checker, kind)
                   ? NULL
                   : wrong("there is no host %s %u yet", names[kind], place.index);
    if (!rt_trace_checker_module(checker, place.owner - 1, &module))
        return check_instance(checker, place.owner - 1);
    for (size_t i = 0; i < checker->header->modules[module].import_count; i++)
        imported += checker->header->modules[module].imports[i].kind == kind;
    return place.index >= imported ? NULL
                                   : wrong("%s %u of instance %u is an import: its owner is another",
                                           names[kind], place.index, place.owner - 1);
}

static struct rt_error *check_value(struct rt_trace_checker *checker, uint8_t type,
                                    const union rt_value *value) {
    if (type == RT_FUNCREF && value->i64 > checker->funcrefs)
        return wrong("there is no function reference %llu yet", (unsigned long long)value->i64 - 1);
    if (type == RT_EXTERNREF && value->i64 > checker->externrefs) {
        if (value->i64 - 1 != checker->externrefs)
            return wrong("host reference %llu comes before %llu", (unsigned long long)value->i64 - 1,
                         (unsigned long long)checker->externrefs);
        checker->externrefs++;
    }
    return NULL;
}

static struct rt_error *check_values(struct rt_trace_checker *checker, const struct rt_trace_values *values) {
    struct rt_error *error = NULL;
    for (uint32_t i = 0; i < values->count && !error; i++)
        error = check_value(checker, values->types[i], &values->values[i]);
    return error;
}

static struct rt_error *check_typed(struct rt_trace_checker *checker, const char *what,
                                    const struct rt_trace_values *values, const uint8_t *types,
                                    uint32_t count) {
    if (values->count != count)
        return wrong("%u %s; the function's type has %u", values->count, what, count);
    if (count && memcmp(values->types, types, count) != 0)
        return wrong("the types of its %s are not those of the function", what);
    return check_values(checker, values);
}

static struct rt_error *check_global(struct rt_trace_checker *checker, struct rt_trace_place place,
                                     const struct rt_trace_value *value) {
    struct rt_error *error = check_place(checker, RT_EXTERN_GLOBAL, place);
    if (error)
        return error;
    if (!place.owner) {
        const struct host_other *global = host_other(checker, RT_EXTERN_GLOBAL, place.index);
        if (!global->is_mutable || global->type != value->type)
            return wrong("host global %u cannot be set to this", place.index);
    }
    return check_value(checker, value->type, &value->value);
}

static struct rt_error *check_table(const struct rt_trace_checker *checker, struct rt_trace_place place,
                                    uint8_t type) {
    struct rt_error *error = check_place(checker, RT_EXTERN_TABLE, place);
    if (error)
        return error;
    if (!rt_trace_is_reference(type) ||
        (!place.owner && host_other(checker, RT_EXTERN_TABLE, place.index)->type != type))
        return wrong("the table's elements are not of type 0x%02x", type);
    return NULL;
}

static struct rt_error *check_range(const char *what, uint64_t first, uint64_t count) {
    return count <= UINT64_MAX - first ? NULL : wrong("%s past the end of numbers", what);
}

static struct rt_error *check_limits(const char *what, uint64_t size, uint64_t maximum) {
    return size <= maximum ? NULL : wrong("%s above the maximum", what);
}

static bool same_type(struct rt_func_type a, struct rt_func_type b) {
    return a.param_count == b.param_count && a.result_count == b.result_count &&
           (!a.param_count || memcmp(a.params, b.params, a.param_count) == 0) &&
           (!a.result_count || memcmp(a.results, b.results, a.result_count) == 0);
}

/* ---- Events ---- */

static struct rt_error *check_link(const struct rt_trace_checker *checker, const struct rt_import *import,
                                   struct rt_trace_place place) {
    struct rt_error *error = check_place(checker, import->kind, place);
    bool fits = true;

    if (error || place.owner) /* the instances' own types are the modules' affair */
        return error;
    if (import->kind == RT_EXTERN_FUNC) {
        fits = same_type(import->func, host_function(checker, place.index)->type);
    } else if (import->kind != RT_EXTERN_MEMORY) {
        const struct host_other *other = host_other(checker, import->kind, place.index);
        fits = other->type == import->type && other->is_mutable == import->is_mutable;
    }
    return fits ? NULL : wrong("what the host made is of another type");
}

static struct rt_error *add_instance(struct rt_trace_checker *checker, const struct rt_trace_event *event) {
    const struct rt_trace_places *places = &event->instantiate.imports;
    const uint32_t number = event->instantiate.module;

    if (number >= checker->header->module_count)
        return wrong("there is no module %u", number);
    const struct rt_trace_module *module = &checker->header->modules[number];
    if (places->count != module->import_count)
        return wrong("%u imports; the module has %zu", places->count, module->import_count);
    for (uint32_t i = 0; i < places->count; i++) {
        const struct rt_import *import = &module->imports[i];
        struct rt_error *error = check_link(checker, import, places->items[i]);
        if (error)
            return rt_error_context(error, "import %u, %s.%s", i, rt_printable(import->module).text,
                                    rt_printable(import->name).text);
    }
    return push(&checker->instances, &number, sizeof number);
}

static struct rt_error *add_host_function(struct rt_trace_checker *checker,
                                          const struct rt_trace_event *event) {
    const struct rt_trace_bytes *name = &event->host_function.name;
    struct host_function function = {.type = event->host_function.type};

    function.name = rt_arena_copy(&checker->arena, name->data, name->size);
    function.type.params =
        (uint8_t *)rt_arena_copy(&checker->arena, function.type.params, function.type.param_count);
    function.type.results =
        (uint8_t *)rt_arena_copy(&checker->arena, function.type.results, function.type.result_count);
    if (!function.name || !function.type.params || !function.type.results)
        return rt_error_out_of_memory();
    return push(&checker->host[RT_EXTERN_FUNC], &function, sizeof function);
}

static struct rt_error *add_other(struct rt_trace_checker *checker, enum rt_extern_kind kind, uint8_t type,
                                  bool is_mutable) {
    const struct host_other other = {type, is_mutable};
    return push(&checker->host[kind], &other, sizeof other);
}

static struct rt_error *open_call(struct rt_trace_checker *checker, uint32_t function) {
    return push(&checker->calls, &function, sizeof function);
}

static void close_call(struct rt_trace_checker *checker) {
    if (checker->calls.size)
        checker->calls.size -= sizeof(uint32_t);
}

static struct rt_error *add_import_call(struct rt_trace_checker *checker,
                                        const struct rt_trace_event *event) {
    const struct host_function *function = host_function(checker, event->import_call.function);
    if (!function)
        return wrong("there is no host function %u yet", event->import_call.function);
    struct rt_error *error = check_instance(checker, event->import_call.instance);
    if (!error)
        error = check_typed(checker, "arguments", &event->import_call.arguments, function->type.params,
                            function->type.param_count);
    return error ? error : open_call(checker, event->import_call.function);
}

static struct rt_error *add_guest_call(struct rt_trace_checker *checker, const struct rt_trace_event *event) {
    if (!event->guest_call.function.owner)
        return wrong("a function of the host is no guest's");
    struct rt_error *error = check_place(checker, RT_EXTERN_FUNC, event->guest_call.function);
    if (!error)
        error = check_values(checker, &event->guest_call.arguments);
    return error ? error : open_call(checker, NO_FUNCTION);
}

static struct rt_error *add_import_return(struct rt_trace_checker *checker,
                                          const struct rt_trace_event *event) {
    uint32_t number;
    const struct host_function *function =
        rt_trace_checker_callee(checker, &number) ? host_function(checker, number) : NULL;
    if (!function)
        return wrong("no import's call is open");
    return check_typed(checker, "results", &event->import_return.results, function->type.results,
                       function->type.result_count);
}

static void end_with(struct rt_trace_checker *checker, uint8_t kind, uint32_t value) {
    checker->is_ending = true;
    checker->ending = kind;
    checker->end_value = value;
}

/* After an import that trapped or exited, the guest does nothing more. */
static struct rt_error *check_ending(struct rt_trace_checker *checker, const struct rt_trace_event *event) {
    const uint8_t order = rt_trace_kind_info(event->kind)->order;
    if (!checker->is_ending || (order != RT_TRACE_ORDER_END_GUEST && order != RT_TRACE_ORDER_CALL_IMPORT))
        return NULL;
    checker->is_ending = false;
    const uint32_t value =
        event->kind == RT_TRACE_GUEST_TRAP ? event->guest_trap.trap : event->guest_exit.status;
    return event->kind == checker->ending && value == checker->end_value
               ? NULL
               : wrong("the call around the import has to end with %s %u",
                       rt_trace_kind_info(checker->ending)->name, checker->end_value);
}

static struct rt_error *check_event(struct rt_trace_checker *checker, const struct rt_trace_event *event) {
    struct rt_error *error = NULL;

    switch ((enum rt_trace_kind)event->kind) {
    case RT_TRACE_INSTANTIATE: return add_instance(checker, event);
    case RT_TRACE_IMPORT_CALL: return add_import_call(checker, event);
    case RT_TRACE_IMPORT_RETURN: return add_import_return(checker, event);
    case RT_TRACE_IMPORT_TRAP: end_with(checker, RT_TRACE_GUEST_TRAP, event->import_trap.trap); return NULL;
    case RT_TRACE_IMPORT_EXIT: end_with(checker, RT_TRACE_GUEST_EXIT, event->import_exit.status); return NULL;
    case RT_TRACE_MEMORY_WRITE:
        error = check_place(checker, RT_EXTERN_MEMORY, event->memory_write.memory);
        return error ? error
                     : check_range("addresses", event->memory_write.address, event->memory_write.bytes.size);
    case RT_TRACE_MEMORY_GROW: return check_place(checker, RT_EXTERN_MEMORY, event->memory_grow.memory);
    case RT_TRACE_GLOBAL_SET:
        return check_global(checker, event->global_set.global, &event->global_set.value);
    case RT_TRACE_TABLE_SET:
        error = check_table(checker, event->table_set.table, event->table_set.elements.type);
        for (uint32_t i = 0; !error && i < event->table_set.elements.count; i++)
            error =
                check_value(checker, event->table_set.elements.type, &event->table_set.elements.values[i]);
        return error ? error
                     : check_range("elements", event->table_set.first, event->table_set.elements.count);
    case RT_TRACE_TABLE_GROW:
        error = check_table(checker, event->table_grow.table, event->table_grow.value.type);
        return error ? error
                     : check_value(checker, event->table_grow.value.type, &event->table_grow.value.value);
    case RT_TRACE_FUNCREF:
        error = check_place(checker, RT_EXTERN_FUNC, event->funcref.function);
        checker->funcrefs += !error;
        return error;
    case RT_TRACE_HOST_FUNCTION: return add_host_function(checker, event);
    case RT_TRACE_HOST_MEMORY:
        error = check_limits("pages", event->host_memory.pages, event->host_memory.maximum);
        return error ? error : add_other(checker, RT_EXTERN_MEMORY, 0, false);
    case RT_TRACE_HOST_TABLE:
        if (!rt_trace_is_reference(event->host_table.type))
            return wrong("0x%02x is no reference type", event->host_table.type);
        error = check_limits("elements", event->host_table.size, event->host_table.maximum);
        return error ? error : add_other(checker, RT_EXTERN_TABLE, event->host_table.type, false);
    case RT_TRACE_HOST_GLOBAL:
        error = check_value(checker, event->host_global.value.type, &event->host_global.value.value);
        return error ? error
                     : add_other(checker, RT_EXTERN_GLOBAL, event->host_global.value.type,
                                 event->host_global.is_mutable);
    case RT_TRACE_GUEST_CALL: return add_guest_call(checker, event);
    case RT_TRACE_GUEST_RETURN: return check_values(checker, &event->guest_return.results);
    case RT_TRACE_GUEST_TRAP:
        return event->guest_trap.instance == RT_TRACE_NO_INDEX
                   ? NULL
                   : check_instance(checker, event->guest_trap.instance);
    case RT_TRACE_INSTANTIATION_TRAP:
        return checker->may_trap ? NULL : wrong("it has to follow its instantiate");
    case RT_TRACE_GUEST_EXIT:
    case RT_TRACE_END:
    case RT_TRACE_MESSAGE: return NULL;
    }
    return event->kind >= RT_TRACE_INFORMATION
               ? NULL
               : rt_error_format(RT_UNSUPPORTED, "this version does not know events of kind 0x%02x",
                                 event->kind);
}

struct rt_error *rt_trace_checker_add(struct rt_trace_checker *checker, const struct rt_trace_event *event) {
    const struct rt_trace_kind_info *info = rt_trace_kind_info(event->kind);
    struct rt_error *error = check_ending(checker, event);

    if (!error)
        error = check_event(checker, event);
    if (error)
        return rt_error_context(error, "event %llu, %s", (unsigned long long)event->number,
                                info->name ? info->name : "unknown");
    checker->may_trap = event->kind == RT_TRACE_INSTANTIATE;
    if (info->order == RT_TRACE_ORDER_END_GUEST || info->order == RT_TRACE_ORDER_END_IMPORT)
        close_call(checker);
    return NULL;
}

struct rt_error *rt_trace_checker_create(const struct rt_trace_header *header,
                                         struct rt_trace_checker **ret) {
    struct rt_trace_checker *checker = calloc(1, sizeof *checker);
    if (!checker)
        return rt_error_out_of_memory();
    checker->header = header;
    rt_arena_init(&checker->arena, DEFINITIONS_MEMORY);
    *ret = checker;
    return NULL;
}

void rt_trace_checker_destroy(struct rt_trace_checker *checker) {
    if (!checker)
        return;
    for (size_t i = 0; i < KINDS; i++)
        free(checker->host[i].bytes);
    free(checker->instances.bytes);
    free(checker->calls.bytes);
    rt_arena_clear(&checker->arena);
    free(checker);
}
