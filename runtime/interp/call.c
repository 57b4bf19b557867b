/* The interpreter between C and guests: calls into guest code, host functions, hooks and traps, and the guest
 * stack that they share. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/interp/interp.h"

#define GUEST_STACK ((size_t)16 << 20)

/* ---- The guest stack ---- */

struct rt_error *rt_interp_open(struct rt_store *store, void **ret) {
    struct rt_interp *interp = calloc(1, sizeof(*interp));
    if (!interp)
        return rt_error_out_of_memory();
    void *low =
        mmap(NULL, GUEST_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (low == MAP_FAILED) {
        free(interp);
        return rt_error_os(errno, "reserving %zu bytes of address space for a guest's stack", GUEST_STACK);
    }
    interp->store = store;
    interp->low = low;
    interp->size = GUEST_STACK;
    interp->base = interp->use.record = (struct rt_interp_record *)(interp->low + GUEST_STACK);
    interp->use.free = low;
    *ret = interp;
    return NULL;
}

void rt_interp_close(void *state) {
    struct rt_interp *interp = state;
    munmap(interp->low, interp->size);
    free(interp);
}

size_t rt_interp_areas(void *state, struct rt_area ret[RT_ENGINE_AREAS]) {
    struct rt_interp *interp = state;
    ret[0] = (struct rt_area){.base = &interp->use, .size = sizeof(interp->use), .to = sizeof(interp->use)};
    ret[1] = (struct rt_area){
        .base = interp->low, .size = interp->size, .to = (size_t)((char *)interp->use.free - interp->low)};
    ret[2] = (struct rt_area){.base = interp->low,
                              .size = interp->size,
                              .from = (size_t)((char *)interp->use.record - interp->low),
                              .to = interp->size};
    return 3;
}

size_t rt_interp_stack_size(const struct rt_store *store) {
    (void)store;
    return GUEST_STACK;
}

/* ---- Values and slots ---- */

uint32_t rt_interp_slots_of(const uint8_t *types, uint32_t count) {
    uint32_t slots = 0;
    for (uint32_t i = 0; i < count; i++)
        slots += rt_interp_slots((enum rt_type)types[i]);
    return slots;
}

void rt_interp_put(uint64_t *slots, enum rt_type type, const union rt_value *value) {
    switch (type) {
    case RT_I32:
    case RT_F32: slots[0] = value->i32; break;
    case RT_V128: memcpy(slots, value->v128, sizeof(value->v128)); break;
    case RT_FUNCREF:
    case RT_EXTERNREF: slots[0] = (uintptr_t)value->ref; break;
    default: slots[0] = value->i64; break;
    }
}

union rt_value rt_interp_get(const uint64_t *slots, enum rt_type type) {
    union rt_value value = {.i64 = 0};
    switch (type) {
    case RT_I32:
    case RT_F32: value.i32 = (uint32_t)slots[0]; break;
    case RT_V128: memcpy(value.v128, slots, sizeof(value.v128)); break;
    case RT_FUNCREF:
    case RT_EXTERNREF: value.ref = (void *)(uintptr_t)slots[0]; break;
    default: value.i64 = slots[0]; break;
    }
    return value;
}

static void put_all(uint64_t *slots, const uint8_t *types, uint32_t count, const union rt_value *values) {
    for (uint32_t i = 0; i < count; i++) {
        rt_interp_put(slots, (enum rt_type)types[i], &values[i]);
        slots += rt_interp_slots((enum rt_type)types[i]);
    }
}

static void get_all(const uint64_t *slots, const uint8_t *types, uint32_t count, union rt_value *values) {
    for (uint32_t i = 0; i < count; i++) {
        values[i] = rt_interp_get(slots, (enum rt_type)types[i]);
        slots += rt_interp_slots((enum rt_type)types[i]);
    }
}

/* Whether `size` bytes from `from` on, and the next activation's record, fit on the guest stack. */
static bool has_room(const struct rt_interp *interp, const uint64_t *from, size_t size) {
    return (uintptr_t)(interp->use.record - 1) > (uintptr_t)from + size;
}

/* ---- Into guest code ---- */

static struct rt_error *take_reason(struct rt_store *store) {
    struct rt_error *error = store->pending_error;
    store->pending_error = NULL;
    return error ? error : rt_trap_take(store);
}

/* The function's activation, with its arguments; false when the guest's stack or the thread's has no room:
 * the trap is the function's own, at its start. */
static bool push_activation(struct rt_interp *interp, struct rt_func *func, const union rt_value *args) {
    struct rt_func_type type = func->type;
    uint32_t params = rt_interp_slots_of(type.params, type.param_count);
    const uint32_t *start = func->code;
    bool fits = has_room(interp, interp->use.free, params * sizeof(uint64_t)) &&
                (uintptr_t)__builtin_frame_address(0) > interp->store->stack_limit;
    if (!fits &&
        !has_room(interp, interp->use.free, 0)) { /* hooks at a full stack called this: no activation */
        interp->store->pending_trap = (struct rt_pending_trap){
            true, {.trap = RT_TRAP_STACK_EXHAUSTED, .machine = (uintptr_t)(start + 1)}, func->instance};
        return false;
    }
    interp->use.record--;
    *interp->use.record = (struct rt_interp_record){.slots = interp->use.free, .instance = func->instance};
    if (fits) {
        put_all(interp->use.free, type.params, type.param_count, args);
    } else {
        interp->use.record->at = start + 1;
        interp->use.record->top = interp->use.free;
        rt_interp_trap(interp, interp->use.record, RT_TRAP_STACK_EXHAUSTED, 0);
    }
    return fits;
}

struct rt_error *rt_interp_call(struct rt_func *func, const union rt_value *args, union rt_value *results) {
    struct rt_interp *interp = func->store->engine_state;
    struct rt_interp_record *const record = interp->use.record;
    uint64_t *const slots = interp->use.free;
    struct rt_error *error = NULL;
    if (!push_activation(interp, func, args) || !rt_interp_execute(interp, func->code))
        error = take_reason(func->store);
    else
        get_all(slots, func->type.results, func->type.result_count, results);
    interp->use.record = record;
    interp->use.free = slots;
    return error;
}

/* ---- Out of it ---- */

/* Lets C see where the guest is, and call it again above what it uses. */
static void leave_guest(struct rt_interp *interp, struct rt_interp_record *record, uint64_t *free_slots) {
    interp->use.record = record;
    interp->use.free = free_slots;
}

void rt_interp_trap(struct rt_interp *interp, struct rt_interp_record *record, enum rt_trap trap,
                    uint64_t fault_address) {
    struct rt_store *store = interp->store;
    struct rt_pending_trap pending = {
        true,
        {.trap = trap,
         .machine = (uintptr_t)record->at,
         .fault_address = trap == RT_TRAP_MEMORY_OUT_OF_BOUNDS ? fault_address : 0},
        record->instance};
    leave_guest(interp, record, record->top);
    if (store->hooks.trap)
        store->hooks.trap(store->hooks.user, &pending.info, NULL);
    store->pending_trap = pending; /* the hook may have run the guest */
}

bool rt_interp_host_call(struct rt_interp *interp, struct rt_interp_record *record, struct rt_func *func,
                         uint64_t *slots) {
    struct rt_func_type type = func->type;
    size_t count = (size_t)type.param_count + type.result_count;
    /* The values lie on the guest's stack, aligned: a guest that is abandoned leaves nothing behind. */
    union rt_value *values =
        (union rt_value *)(((uintptr_t)record->top + sizeof(*values) - 1) & ~(sizeof(*values) - 1));
    if ((uintptr_t)(record - 1) <= (uintptr_t)(values + count)) {
        rt_interp_trap(interp, record, RT_TRAP_STACK_EXHAUSTED, 0);
        return false;
    }
    leave_guest(interp, record, (uint64_t *)(values + count));
    get_all(slots, type.params, type.param_count, values);
    memset(values + type.param_count, 0, type.result_count * sizeof(*values));
    struct rt_caller caller = {.store = interp->store, .instance = record->instance};
    struct rt_error *error = rt_host_invoke(func, &caller, values, values + type.param_count);
    interp->store->pending_error = error;
    if (!error)
        put_all(slots, type.results, type.result_count, values + type.param_count);
    return !error;
}

int32_t rt_interp_probe(struct rt_interp *interp, struct rt_interp_record *record) {
    struct rt_hooks *hooks = &interp->store->hooks;
    const struct rt_interp_code *code = rt_interp_code_of(record->instance->code);
    uintptr_t machine = (uintptr_t)record->at;
    size_t low = 0, high = code->base.site_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (code->base.sites[middle].machine <= machine)
            low = middle;
        else
            high = middle;
    }
    leave_guest(interp, record, record->top);
    if (hooks->probe)
        hooks->probe(hooks->user, &code->base, machine);
    return code->site_handlers[low];
}
