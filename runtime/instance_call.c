/* Calls between C and compiled code: into compiled code, to host functions, and to builtins. */
#include <string.h>

#include "runtime/code.h"
#include "runtime/target.h"

/* Arguments and results in transit are on the stack, where a guest that is abandoned or put back leaves
 * nothing behind: a little for nearly all calls, and as much as a type can ask for. */
#define FEW_WORDS  16
#define MANY_WORDS (2 * RT_MAX_PARAMS)

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* ---- Into compiled code ---- */

static struct rt_error *take_reason(struct rt_store *store) {
    struct rt_error *error = store->pending_error;
    store->pending_error = NULL;
    return error ? error : rt_trap_take(store);
}

static struct rt_error *enter(struct rt_func *func, const union rt_value *args, union rt_value *results,
                              uint64_t *slots, uint32_t count) {
    struct rt_store *store = func->store;
    struct rt_func_type type = func->type;
    uint32_t words = rt_slot_words(func->passes_vectors);
    for (uint32_t i = 0; i < type.param_count; i++)
        rt_slot_write((enum rt_type)type.params[i], slots + i * words, &args[i]);
    struct rt_entry entry = {.outer = store->entry};
    store->entry = &entry;
    bool unwound = rt_target_host()->enter(&entry, func->code, func->instance, slots, count);
    if (unwound) { /* while the entry still is there: the reason names where */
        struct rt_error *error = take_reason(store);
        store->entry = entry.outer;
        return error;
    }
    store->entry = entry.outer;
    for (uint32_t i = 0; i < type.result_count; i++) {
        enum rt_type result = (enum rt_type)type.results[i];
        const uint64_t *first =
            rt_class_of(result) == RT_VECTOR ? entry.vector_result : &entry.general_result;
        results[i] = rt_slot_read(result, i ? slots + i * words : first);
    }
    return NULL;
}

static __attribute__((noinline)) struct rt_error *enter_wide(struct rt_func *func, const union rt_value *args,
                                                             union rt_value *results, uint32_t count) {
    uint64_t slots[MANY_WORDS];
    memset(slots, 0, count * sizeof(*slots));
    return enter(func, args, results, slots, count);
}

struct rt_error *rt_compiled_call(struct rt_func *func, const union rt_value *args, union rt_value *results) {
    struct rt_error *error = rt_trap_prepare_thread(); /* this thread may be new */
    if (error)
        return error;
    uint32_t count =
        larger(func->type.param_count, func->type.result_count) * rt_slot_words(func->passes_vectors);
    uint64_t slots[FEW_WORDS];
    return count > FEW_WORDS ? enter_wide(func, args, results, count)
                             : enter(func, args, results, slots, count);
}

/* ---- Out of it ---- */

/* Where the guest is while C runs on its behalf; the walk of activations starts there. */
static void leave_guest(struct rt_store *store, const uintptr_t *frame) {
    store->entry->exit_frame = frame[0];
    store->entry->exit_return = frame[1];
}

static void return_to_guest(struct rt_store *store) {
    store->entry->exit_frame = store->entry->exit_return = 0;
}

/* `values` has room for the type's parameters and results. */
static bool call_host(struct rt_func *func, uintptr_t *frame, union rt_value *values) {
    struct rt_store *store = func->store;
    struct rt_func_type type = func->type;
    uint64_t *slots = (uint64_t *)(frame + 2);
    uint32_t words = rt_slot_words(func->passes_vectors);
    union rt_value *results = values + type.param_count;
    for (uint32_t i = 0; i < type.param_count; i++)
        rt_slot_read_to((enum rt_type)type.params[i], slots + i * words, &values[i]);
    memset(results, 0, type.result_count * sizeof(*results));

    leave_guest(store, frame);
    /* The word below a guest's frame is its instance. */
    struct rt_caller caller = {.store = store, .instance = ((struct rt_instance **)frame[0])[-1]};
    struct rt_error *error = rt_host_invoke(func, &caller, values, results);
    return_to_guest(store);

    for (uint32_t i = 0; i < type.result_count && !error; i++)
        rt_slot_write((enum rt_type)type.results[i], slots + i * words, &results[i]);
    store->pending_error = error;
    return error;
}

static __attribute__((noinline)) bool call_host_wide(struct rt_func *func, uintptr_t *frame) {
    union rt_value values[2 * RT_MAX_PARAMS];
    return call_host(func, frame, values);
}

bool rt_host_call(struct rt_func *func, uintptr_t *frame) {
    union rt_value values[2 * FEW_WORDS];
    size_t count = (size_t)func->type.param_count + func->type.result_count;
    return count > 2 * FEW_WORDS ? call_host_wide(func, frame) : call_host(func, frame, values);
}

/* ---- Builtins ---- */

static uint32_t grow_memory(struct rt_memory *memory, uint32_t pages) {
    uint64_t old;
    struct rt_error *error = rt_memory_extend(memory, pages, &old);
    if (error) {
        rt_error_destroy(error);
        return UINT32_MAX;
    }
    return (uint32_t)old;
}

static bool init_memory(struct rt_instance *instance, uint32_t to, uint32_t from, uint32_t count,
                        uint32_t data) {
    const struct rt_data_segment *segment = &instance->module->datas[data];
    return rt_memory_init(instance->memory, segment->bytes, instance->data_dropped[data] ? 0 : segment->size,
                          to, from, count);
}

static bool copy_memory(struct rt_memory *memory, uint64_t to, uint64_t from, uint64_t count) {
    size_t size = rt_memory_size(memory);
    if (to + count > size || from + count > size)
        return false;
    memmove(memory->base + to, memory->base + from, count);
    return true;
}

static bool fill_memory(struct rt_memory *memory, uint64_t to, uint32_t value, uint64_t count) {
    if (to + count > rt_memory_size(memory))
        return false;
    memset(memory->base + to, (uint8_t)value, count);
    return true;
}

static bool get_element(const struct rt_table *table, uint32_t index, uint64_t *ret) {
    *ret = (uintptr_t)rt_table_get(table, index);
    return index < table->size;
}

static void *reference(uint64_t slot) {
    return (void *)(uintptr_t)slot;
}

bool rt_builtin_call(struct rt_instance *instance, uint32_t builtin, uintptr_t *frame) {
    uint64_t *slots = (uint64_t *)(frame + 2);
    /* Operands and immediates that are i32; slots beyond a builtin's own are read but not used. */
    uint32_t a = (uint32_t)slots[0];
    bool good = true;
    leave_guest(instance->store, frame);
    switch ((enum rt_builtin)builtin) {
    case RT_BUILTIN_MEMORY_GROW: slots[0] = grow_memory(instance->memory, a); break;
    case RT_BUILTIN_MEMORY_INIT:
        good = init_memory(instance, a, (uint32_t)slots[1], (uint32_t)slots[2], (uint32_t)slots[3]);
        break;
    case RT_BUILTIN_DATA_DROP: instance->data_dropped[a] = true; break;
    case RT_BUILTIN_MEMORY_COPY:
        good = copy_memory(instance->memory, a, (uint32_t)slots[1], (uint32_t)slots[2]);
        break;
    case RT_BUILTIN_MEMORY_FILL:
        good = fill_memory(instance->memory, a, (uint32_t)slots[1], (uint32_t)slots[2]);
        break;
    case RT_BUILTIN_TABLE_GET:
        good = get_element(rt_instance_table(instance, (uint32_t)slots[1]), a, &slots[0]);
        break;
    case RT_BUILTIN_TABLE_SET:
        good = rt_table_fill(rt_instance_table(instance, (uint32_t)slots[2]), a, reference(slots[1]), 1);
        break;
    case RT_BUILTIN_TABLE_INIT:
        good =
            rt_table_init(rt_instance_table(instance, (uint32_t)slots[4]),
                          &instance->elements[(uint32_t)slots[3]], a, (uint32_t)slots[1], (uint32_t)slots[2]);
        break;
    case RT_BUILTIN_ELEM_DROP: instance->elements[a].count = 0; break;
    case RT_BUILTIN_TABLE_COPY:
        good = rt_table_copy(rt_instance_table(instance, (uint32_t)slots[3]),
                             rt_instance_table(instance, (uint32_t)slots[4]), a, (uint32_t)slots[1],
                             (uint32_t)slots[2]);
        break;
    case RT_BUILTIN_TABLE_GROW:
        slots[0] = rt_table_extend(rt_instance_table(instance, (uint32_t)slots[2]), (uint32_t)slots[1],
                                   reference(slots[0]));
        break;
    case RT_BUILTIN_TABLE_FILL:
        good = rt_table_fill(rt_instance_table(instance, (uint32_t)slots[3]), a, reference(slots[1]),
                             (uint32_t)slots[2]);
        break;
    case RT_BUILTIN_COUNT: break;
    }
    return_to_guest(instance->store);
    return !good;
}
