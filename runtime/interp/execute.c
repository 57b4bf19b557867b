/* The interpreter's loop: each handler does its instruction and goes on to the next one's.
 *
 * `ip` points at the instruction's first word. Before C is called that may look at the guest or call it
 * again, the record's `at` says where it is. A memory's base never moves; its size is read again after every
 * call. */
#include "runtime/interp/interp.h"
#include "runtime/interp/numeric.h"
#include "runtime/interp/vector.h"

/* How slots hold each C type of operations.def. */
#define READ_u32(slot)   ((uint32_t)(slot))
#define READ_i32(slot)   ((int32_t)(uint32_t)(slot))
#define READ_u64(slot)   ((uint64_t)(slot))
#define READ_i64(slot)   ((int64_t)(slot))
#define READ_f32(slot)   rt_slot_f32(slot)
#define READ_f64(slot)   rt_slot_f64(slot)
#define WRITE_u32(value) ((uint64_t)(uint32_t)(value))
#define WRITE_i32(value) ((uint64_t)(uint32_t)(value))
#define WRITE_u64(value) ((uint64_t)(value))
#define WRITE_i64(value) ((uint64_t)(value))
#define WRITE_f32(value) rt_f32_slot(value)
#define WRITE_f64(value) rt_f64_slot(value)
#define WRITE_n32(value) rt_n32_slot(value)
#define WRITE_n64(value) rt_n64_slot(value)
#define TYPE_u32         uint32_t
#define TYPE_i32         int32_t
#define TYPE_u64         uint64_t
#define TYPE_i64         int64_t
#define TYPE_f32         float
#define TYPE_f64         double
#define SIZE_u8          1
#define SIZE_u16         2
#define SIZE_u32         4
#define SIZE_u64         8

/* Constants are signed; a wider type extends them. */
#define SLOT(n)     slots[ip[n]]
#define CONSTANT(n) ((uint64_t)(int64_t)(int32_t)ip[n])
/* Goes to the handler of the instruction at `ip`. */
#define DISPATCH() goto *(const void *)((const char *) && do_NOP + (int32_t)*ip)
#define NEXT(words)                                                                                          \
    do {                                                                                                     \
        ip += (words);                                                                                       \
        DISPATCH();                                                                                          \
    } while (0)
/* The word holds the distance from itself. */
#define BRANCH(n)                                                                                            \
    do {                                                                                                     \
        ip += (n) + (int32_t)ip[n];                                                                          \
        DISPATCH();                                                                                          \
    } while (0)
#define TRAP(kind)                                                                                           \
    do {                                                                                                     \
        trap = RT_TRAP_##kind;                                                                               \
        goto trapped;                                                                                        \
    } while (0)

static size_t memory_size(const struct rt_instance *instance) {
    return instance->memory ? (size_t)instance->memory->pages * RT_PAGE_SIZE : 0;
}

static void *at_offset(struct rt_instance *instance, uint32_t offset) {
    return (char *)instance + offset;
}

static struct rt_global *imported_global(struct rt_instance *instance, uint32_t offset) {
    return *(struct rt_global **)at_offset(instance, offset);
}

/* Labels' addresses are one function's: it must not be copied. */
#ifdef __clang__
#define ONE_COPY __attribute__((noinline, noduplicate))
#else
#define ONE_COPY __attribute__((noinline, noclone))
#endif

/* The labels' addresses cannot be known outside of their function: with no interpreter it hands them out. */
ONE_COPY static bool loop(struct rt_interp *interp, const uint32_t *ip, const int32_t **ret_handlers) {
    if (!interp) {
        static const int32_t handlers[] = {
#define RT_HANDLER(name) [RT_DO_##name] = &&do_##name - &&do_NOP,
#include "runtime/interp/handlers.def"
        };
        *ret_handlers = handlers;
        return true;
    }

    struct rt_interp_record *record = interp->use.record, *const outermost = record;
    struct rt_instance *instance = record->instance;
    uint64_t *slots = record->slots;
    uint8_t *memory = instance->memory_base;
    size_t size = memory_size(instance);
    uint64_t address = 0;
    struct rt_func *func = NULL;
    enum rt_trap trap = RT_TRAP_COUNT;
    DISPATCH();

    /* ---- Numbers ---- */

#define RT_INTEGER(name, type, expression)                                                                   \
    do_##name##_RR : {                                                                                       \
        TYPE_##type a = READ_##type(SLOT(2)), b = READ_##type(SLOT(3));                                      \
        SLOT(1) = WRITE_##type(expression);                                                                  \
        NEXT(4);                                                                                             \
    }                                                                                                        \
    do_##name##_RK : {                                                                                       \
        TYPE_##type a = READ_##type(SLOT(2)), b = READ_##type(CONSTANT(3));                                  \
        SLOT(1) = WRITE_##type(expression);                                                                  \
        NEXT(4);                                                                                             \
    }
#define RT_COMPARE(name, inverse, type, expression)                                                          \
    do_##name##_RR : {                                                                                       \
        TYPE_##type a = READ_##type(SLOT(2)), b = READ_##type(SLOT(3));                                      \
        SLOT(1) = (expression);                                                                              \
        NEXT(4);                                                                                             \
    }                                                                                                        \
    do_##name##_RK : {                                                                                       \
        TYPE_##type a = READ_##type(SLOT(2)), b = READ_##type(CONSTANT(3));                                  \
        SLOT(1) = (expression);                                                                              \
        NEXT(4);                                                                                             \
    }                                                                                                        \
    do_BR_##name##_RR : {                                                                                    \
        TYPE_##type a = READ_##type(SLOT(1)), b = READ_##type(SLOT(2));                                      \
        if (expression)                                                                                      \
            BRANCH(3);                                                                                       \
        NEXT(4);                                                                                             \
    }                                                                                                        \
    do_BR_##name##_RK : {                                                                                    \
        TYPE_##type a = READ_##type(SLOT(1)), b = READ_##type(CONSTANT(2));                                  \
        if (expression)                                                                                      \
            BRANCH(3);                                                                                       \
        NEXT(4);                                                                                             \
    }
#define DIVIDE(type, overflows, expression)                                                                  \
    if (!b)                                                                                                  \
        TRAP(INTEGER_DIVIDE_BY_ZERO);                                                                        \
    if (overflows)                                                                                           \
        TRAP(INTEGER_OVERFLOW);                                                                              \
    SLOT(1) = WRITE_##type(expression);                                                                      \
    NEXT(4);
#define RT_DIVIDE(name, type, overflows, expression)                                                         \
    do_##name##_RR : {                                                                                       \
        TYPE_##type a = READ_##type(SLOT(2)), b = READ_##type(SLOT(3));                                      \
        DIVIDE(type, overflows, expression)                                                                  \
    }                                                                                                        \
    do_##name##_RK : {                                                                                       \
        TYPE_##type a = READ_##type(SLOT(2)), b = READ_##type(CONSTANT(3));                                  \
        DIVIDE(type, overflows, expression)                                                                  \
    }
#define RT_BINARY(name, type, result, expression)                                                            \
    do_##name##_RR : {                                                                                       \
        TYPE_##type a = READ_##type(SLOT(2)), b = READ_##type(SLOT(3));                                      \
        SLOT(1) = WRITE_##result(expression);                                                                \
        NEXT(4);                                                                                             \
    }
#define RT_UNARY(name, type, result, expression)                                                             \
    do_##name##_R : {                                                                                        \
        TYPE_##type a = READ_##type(SLOT(2));                                                                \
        SLOT(1) = WRITE_##result(expression);                                                                \
        NEXT(3);                                                                                             \
    }
#define RT_TRUNCATE(name, type, result, fits)                                                                \
    do_##name##_R : {                                                                                        \
        TYPE_##type a = READ_##type(SLOT(2));                                                                \
        if (a != a)                                                                                          \
            TRAP(INVALID_CONVERSION);                                                                        \
        if (!fits(a))                                                                                        \
            TRAP(INTEGER_OVERFLOW);                                                                          \
        SLOT(1) = WRITE_##result((TYPE_##result)a);                                                          \
        NEXT(3);                                                                                             \
    }

    /* ---- Memory: an index and an offset of 32 bits are added in 64 ---- */

#define ACCESS(unit)                                                                                         \
    if (address + SIZE_##unit > size)                                                                        \
        TRAP(MEMORY_OUT_OF_BOUNDS);
#define LOAD(unit, expression, words)                                                                        \
    ACCESS(unit)                                                                                             \
    uint64_t a = rt_memory_##unit(memory + address);                                                         \
    SLOT(1) = (expression);                                                                                  \
    NEXT(words);
#define RT_LOAD(name, unit, expression)                                                                      \
    do_##name##_R : {                                                                                        \
        address = (uint64_t)(uint32_t)SLOT(2) + ip[3];                                                       \
        LOAD(unit, expression, 4)                                                                            \
    }                                                                                                        \
    do_##name##_K : {                                                                                        \
        address = ip[2];                                                                                     \
        LOAD(unit, expression, 3)                                                                            \
    }
#define STORE(unit, value, words)                                                                            \
    ACCESS(unit)                                                                                             \
    rt_memory_set_##unit(memory + address, value);                                                           \
    NEXT(words);
#define RT_STORE(name, unit)                                                                                 \
    do_##name##_RR : {                                                                                       \
        address = (uint64_t)(uint32_t)SLOT(1) + ip[3];                                                       \
        STORE(unit, SLOT(2), 4)                                                                              \
    }                                                                                                        \
    do_##name##_RK : {                                                                                       \
        address = (uint64_t)(uint32_t)SLOT(1) + ip[3];                                                       \
        STORE(unit, CONSTANT(2), 4)                                                                          \
    }                                                                                                        \
    do_##name##_KR : {                                                                                       \
        address = ip[1];                                                                                     \
        STORE(unit, SLOT(2), 3)                                                                              \
    }                                                                                                        \
    do_##name##_KK : {                                                                                       \
        address = ip[1];                                                                                     \
        STORE(unit, CONSTANT(2), 3)                                                                          \
    }
#include "runtime/interp/operations.def"

    /* ---- Values ---- */

do_NOP:
    NEXT(1);
do_COPY:
    SLOT(1) = SLOT(2);
    NEXT(3);
do_COPY_PAIR: {
    uint64_t low = slots[ip[2]], high = slots[ip[2] + 1];
    slots[ip[1]] = low;
    slots[ip[1] + 1] = high;
    NEXT(3);
}
do_MOVE:
    memmove(&SLOT(1), &SLOT(2), ip[3] * sizeof(*slots));
    NEXT(4);
do_CONSTANT:
    SLOT(1) = ip[2];
    NEXT(3);
do_CONSTANT_LONG:
    SLOT(1) = ip[2] | (uint64_t)ip[3] << 32;
    NEXT(4);
do_SELECT:
    SLOT(1) = (uint32_t)SLOT(4) ? SLOT(2) : SLOT(3);
    NEXT(5);
do_SELECT_PAIR: {
    const uint64_t *from = &slots[(uint32_t)SLOT(4) ? ip[2] : ip[3]];
    uint64_t low = from[0], high = from[1];
    slots[ip[1]] = low;
    slots[ip[1] + 1] = high;
    NEXT(5);
}
do_GLOBAL_GET_32:
    SLOT(1) = ((struct rt_global *)at_offset(instance, ip[2]))->value.i32;
    NEXT(3);
do_GLOBAL_GET_64:
    SLOT(1) = ((struct rt_global *)at_offset(instance, ip[2]))->value.i64;
    NEXT(3);
do_GLOBAL_GET_128:
    memcpy(&SLOT(1), ((struct rt_global *)at_offset(instance, ip[2]))->value.v128, 16);
    NEXT(3);
do_GLOBAL_SET_32:
    ((struct rt_global *)at_offset(instance, ip[2]))->value.i32 = (uint32_t)SLOT(1);
    NEXT(3);
do_GLOBAL_SET_64:
    ((struct rt_global *)at_offset(instance, ip[2]))->value.i64 = SLOT(1);
    NEXT(3);
do_GLOBAL_SET_128:
    memcpy(((struct rt_global *)at_offset(instance, ip[2]))->value.v128, &SLOT(1), 16);
    NEXT(3);
do_IMPORTED_GET:
    rt_interp_put(&SLOT(1), (enum rt_type)ip[3], &imported_global(instance, ip[2])->value);
    NEXT(4);
do_IMPORTED_SET:
    imported_global(instance, ip[2])->value = rt_interp_get(&SLOT(1), (enum rt_type)ip[3]);
    NEXT(4);
do_REF_FUNC:
    SLOT(1) = (uintptr_t)rt_instance_func(instance, ip[2]);
    NEXT(3);
do_MEMORY_SIZE:
    SLOT(1) = size / RT_PAGE_SIZE;
    NEXT(2);
do_BULK:
    address = 0;
    trap = rt_interp_bulk(instance, ip[1], &SLOT(2), ip[3], ip[4]);
    if (trap != RT_TRAP_COUNT)
        goto trapped;
    size = memory_size(instance);
    NEXT(5);

    /* ---- Vectors ---- */

do_VECTOR:
    (void)rt_interp_vector(ip[1], &SLOT(2), NULL, true);
    NEXT(3);
do_VECTOR_IMMEDIATE:
    (void)rt_interp_vector(ip[1], &SLOT(2), (const uint8_t *)(ip + 3), true);
    NEXT(7);
do_VECTOR_MEMORY:
    address = (uint64_t)(uint32_t)SLOT(2) + ip[4];
    if (address + rt_interp_vector_access(ip[1]) > size)
        TRAP(MEMORY_OUT_OF_BOUNDS);
    (void)rt_interp_vector_memory(ip[1], &SLOT(3), memory + address, (uint8_t)ip[5]);
    NEXT(6);

    /* ---- Control ---- */

do_BR:
    BRANCH(1);
do_BR_TABLE: {
    uint32_t index = (uint32_t)SLOT(1);
    ip += 3 + (index < ip[2] ? index : ip[2]);
    BRANCH(0);
}
do_UNREACHABLE:
    TRAP(UNREACHABLE);
do_ENTER: {
    uint64_t *top = slots + ip[1];
    if ((uintptr_t)record < (uintptr_t)top + RT_INTERP_MARGIN) {
        record->top = slots + ip[2];
        TRAP(STACK_EXHAUSTED);
    }
    record->top = top;
    for (uint64_t *slot = slots + ip[2], *end = slot + ip[3]; slot < end; slot++)
        *slot = 0;
    NEXT(4);
}
do_RETURN_ONE:
    slots[0] = SLOT(1);
    goto returned;
do_RETURN_MANY:
    memmove(slots, &SLOT(1), ip[2] * sizeof(*slots));
    goto returned;
do_RETURN_NONE:
returned:
    if (record == outermost)
        return true;
    record++;
    ip = record->at;
    slots = record->slots;
    instance = record->instance;
    memory = instance->memory_base;
    size = memory_size(instance);
    NEXT(1);
do_CALL:
    record->at = ip + 2;
    slots += ip[2];
    ip += 1 + (int32_t)ip[1];
    record--;
    record->slots = slots;
    record->instance = instance;
    DISPATCH();
do_CALL_IMPORT:
    func = rt_instance_func(instance, ip[1]);
    ip += 2;
    goto called;
do_CALL_INDIRECT: {
    const struct rt_table *table = *(struct rt_table **)at_offset(instance, ip[2]);
    uint32_t index = (uint32_t)SLOT(3);
    if (index >= table->size)
        TRAP(UNDEFINED_ELEMENT);
    func = table->elements[index];
    if (!func)
        TRAP(UNINITIALIZED_ELEMENT);
    if (func->type_id != *(uint32_t *)at_offset(instance, ip[1]))
        TRAP(INDIRECT_CALL_TYPE);
    ip += 4;
}
called: /* `ip` is at the call's last word: where the arguments are */
    record->at = ip;
    if (!func->host) {
        slots += *ip;
        ip = func->code;
        instance = func->instance;
        record--;
        record->slots = slots;
        record->instance = instance;
        memory = instance->memory_base;
        size = memory_size(instance);
        DISPATCH();
    }
    if (!rt_interp_host_call(interp, record, func, &SLOT(0)))
        return false;
    size = memory_size(instance);
    NEXT(1);
do_PROBE: {
    record->at = ip;
    int32_t handler = rt_interp_probe(interp, record);
    size = memory_size(instance);
    goto *(const void *)((const char *) && do_NOP + handler);
}

trapped:
    record->at = ip + 1;
    rt_interp_trap(interp, record, trap, address);
    return false;
}

const int32_t *rt_interp_handlers(void) {
    const int32_t *handlers = NULL;
    (void)loop(NULL, NULL, &handlers);
    return handlers;
}

bool rt_interp_execute(struct rt_interp *interp, const uint32_t *ip) {
    return loop(interp, ip, NULL);
}
