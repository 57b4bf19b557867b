/* The walk over a guest's activations, at traps and in host calls: functions, pcs, locals, operands. */
#include "runtime/tests/builder.h"

#include <ucontext.h>

#define GET(n)   RT_OP_LOCAL_GET, n
#define CONST(n) RT_OP_I32_CONST, n

/* ---- What a trap's hook sees ---- */

struct view {
    struct running *running;
    int count;
    void (*look)(struct view *view, struct rt_activation *first);
};

static void look_at_trap(void *user, const struct rt_trap_info *info, void *context) {
    struct view *view = user;
    struct rt_activation first;
    view->count++;
    if (!context) { /* the interpreter's */
        assert_true(rt_activation_first(view->running->store, NULL, &first));
        assert_int_equal(first.machine, info->machine);
        view->look(view, &first);
        return;
    }
#ifdef __x86_64__
    static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    const ucontext_t *interrupted = context;
    struct rt_registers registers = {.pc = info->machine, .vector = NULL};
    uint8_t vector[16][16];
    for (unsigned i = 0; i < 16; i++)
        registers.general[i] = (uint64_t)interrupted->uc_mcontext.gregs[order[i]];
    memcpy(vector, interrupted->uc_mcontext.fpregs->_xmm, sizeof(vector));
    registers.vector = vector;
    assert_true(rt_activation_first(view->running->store, &registers, &first));
    view->look(view, &first);
#endif
}

static uint64_t local(const struct rt_activation *activation, uint32_t index, enum rt_type expected) {
    enum rt_type type;
    union rt_value value;
    expect_good(rt_activation_local(activation, index, &type, &value));
    assert_int_equal(type, expected);
    return bits_of(type, value);
}
static uint64_t operand(const struct rt_activation *activation, uint32_t index, enum rt_type expected) {
    enum rt_type type;
    union rt_value value;
    expect_good(rt_activation_operand(activation, index, &type, &value));
    assert_int_equal(type, expected);
    return bits_of(type, value);
}
static uint32_t operand_count(const struct rt_activation *activation) {
    uint32_t count;
    expect_good(rt_activation_operand_count(activation, &count));
    return count;
}

static void look_at_division(struct view *view, struct rt_activation *inner) {
    struct rt_activation outer;
    assert_int_equal(inner->function, 0);
    assert_ptr_equal(inner->instance, view->running->instance);
    assert_int_equal(local(inner, 0, RT_I32), 7);
    assert_int_equal(local(inner, 1, RT_I64), 9);
    assert_int_equal(local(inner, 2, RT_F64), 0x4008000000000000); /* 3.0 */
    assert_int_equal(local(inner, 3, RT_I32), 0);
    /* 100, local 0, 3.5 in a register, and what is divided. */
    assert_int_equal(operand_count(inner), 5);
    assert_int_equal(operand(inner, 0, RT_I32), 100);
    assert_int_equal(operand(inner, 1, RT_I32), 7);
    assert_int_equal(operand(inner, 2, RT_F64), 0x400c000000000000);
    assert_int_equal(operand(inner, 3, RT_I32), 14);
    assert_int_equal(operand(inner, 4, RT_I32), 0);
    enum rt_type type;
    union rt_value value;
    struct rt_error *error = rt_activation_operand(inner, 5, &type, &value);
    assert_int_equal(error->code, RT_USAGE);
    rt_error_destroy(error);
    error = rt_activation_local(inner, 4, &type, &value);
    assert_int_equal(error->code, RT_USAGE);
    rt_error_destroy(error);

    assert_true(rt_activation_caller(inner, &outer));
    assert_int_equal(outer.function, 1);
    assert_int_equal(local(&outer, 0, RT_I32), 7);
    assert_int_equal(operand_count(&outer), 2);
    assert_int_equal(operand(&outer, 0, RT_I32), 55);
    assert_int_equal(operand(&outer, 1, RT_I32), 7 * 3);
    uint32_t start, code, end;
    assert_true(rt_module_function_range(view->running->module, 1, &start, &code, &end));
    assert_in_range(outer.pc, code, end - 1);
    assert_false(rt_activation_caller(&outer, &outer));
}

static void test_at_trap(void **state) {
    (void)state;
    struct builder builder = {0};
    struct bytes code = {0};
    PUT(&code, CONST(0xe4), 0, GET(0)); /* 100 as a long LEB128 */
    put_constant(&code, RT_F64, 0x3fe0000000000000);
    PUT(&code, GET(2), RT_OP_F64_ADD, GET(0), CONST(2), RT_OP_I32_MUL, GET(3), RT_OP_I32_DIV_S, RT_OP_DROP,
        RT_OP_DROP, RT_OP_DROP, RT_OP_DROP);
    build_function(&builder, NULL, "iIF:", "i", &code);
    PUT(&code, CONST(55), GET(0), CONST(3), RT_OP_I32_MUL, GET(0), RT_OP_I64_CONST, 9);
    put_constant(&code, RT_F64, 0x4008000000000000);
    PUT(&code, RT_OP_CALL, 0, RT_OP_DROP, RT_OP_DROP);
    build_function(&builder, "f", "i:", "", &code);
    struct running running = run(&builder);
    struct view view = {.running = &running, .look = look_at_division};
    rt_store_set_hooks(running.store, &(struct rt_hooks){.user = &view, .trap = look_at_trap});
    expect_trap(&running, "f", 7, 0, RT_TRAP_INTEGER_DIVIDE_BY_ZERO);
    assert_int_equal(view.count, 1);
    stop(&running);
}

static void look_at_store(struct view *view, struct rt_activation *first) {
    (void)view;
    assert_int_equal(operand_count(first), 3);
    assert_int_equal(operand(first, 0, RT_I64), 4);
    assert_int_equal(operand(first, 1, RT_I32), 0xfffffff0);
    assert_int_equal(operand(first, 2, RT_I64), 8);
}

static void test_at_memory_trap(void **state) {
    (void)state;
    struct builder builder = {0};
    build_memory(&builder, 1, 1);
    BUILD_FUNCTION(&builder, "f", "iI:", "", GET(1), RT_OP_I64_CONST, 1, RT_OP_I64_SHR_U, GET(0), GET(1),
                   RT_OP_I64_STORE, 0, 8, RT_OP_DROP);
    struct running running = run(&builder);
    struct view view = {.running = &running, .look = look_at_store};
    rt_store_set_hooks(running.store, &(struct rt_hooks){.user = &view, .trap = look_at_trap});
    expect_trap(&running, "f", 0xfffffff0, 8, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    assert_int_equal(view.count, 1);
    stop(&running);
}

/* A vector's operand by its first byte: the others follow it. */
static void assert_vector(const struct rt_activation *activation, uint32_t index, uint8_t first) {
    enum rt_type type;
    union rt_value value;
    expect_good(rt_activation_operand(activation, index, &type, &value));
    assert_int_equal(type, RT_V128);
    for (unsigned i = 0; i < sizeof(value.v128); i++)
        assert_int_equal(value.v128[i], (uint8_t)(first + i));
}

static void look_at_vectors(struct view *view, struct rt_activation *first) {
    (void)view;
    enum rt_type type;
    union rt_value value;
    assert_int_equal(operand_count(first), 4);
    assert_vector(first, 0, 0x40);
    assert_vector(first, 1, 0x41); /* computed: in a register */
    assert_int_equal(operand(first, 2, RT_I32), 0xfffffff0);
    assert_vector(first, 3, 0x40); /* popped already: a local */
    expect_good(rt_activation_local(first, 1, &type, &value));
    assert_int_equal(type, RT_V128);
    for (unsigned i = 0; i < sizeof(value.v128); i++)
        assert_int_equal(value.v128[i], 0x40 + i);
}

static void test_vectors_at_trap(void **state) {
    (void)state;
    struct builder builder = {0};
    struct bytes code = {0};
    build_memory(&builder, 1, 1);
    put_op(&code, RT_OP_V128_CONST);
    for (unsigned i = 0; i < 16; i++)
        put_byte(&code, 0x40 + i);
    PUT(&code, RT_OP_LOCAL_SET, 1, GET(1), GET(1), CONST(1));
    put_op(&code, RT_OP_I8X16_SPLAT);
    put_op(&code, RT_OP_I8X16_ADD);
    PUT(&code, GET(0), GET(1));
    put_op(&code, RT_OP_V128_STORE);
    PUT(&code, 0, 8, RT_OP_DROP, RT_OP_DROP);
    build_function(&builder, "f", "i:", "v", &code);
    struct running running = run(&builder);
    struct view view = {.running = &running, .look = look_at_vectors};
    rt_store_set_hooks(running.store, &(struct rt_hooks){.user = &view, .trap = look_at_trap});
    expect_trap(&running, "f", 0xfffffff0, 0, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    assert_int_equal(view.count, 1);
    stop(&running);
}

static void look_at_exhaustion(struct view *view, struct rt_activation *activation) {
    (void)view;
    unsigned depth = 1;
    assert_int_equal(local(activation, 1, RT_I64), 0); /* not there yet, and zero */
    uint64_t inner = local(activation, 0, RT_I32);
    for (; rt_activation_caller(activation, activation); depth++) {
        uint64_t here = local(activation, 0, RT_I32);
        assert_int_equal(here, inner + 1);
        assert_int_equal(local(activation, 1, RT_I64), here);
        inner = here;
    }
    assert_int_equal(inner, 10000000);
    assert_true(depth > 1000);
}

static void test_at_exhaustion(void **state) {
    (void)state;
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "f", "i:", "I", GET(0), RT_OP_I64_EXTEND_I32_U, RT_OP_LOCAL_SET, 1, GET(0),
                   CONST(1), RT_OP_I32_SUB, RT_OP_CALL, 0);
    struct running running = run(&builder);
    struct view view = {.running = &running, .look = look_at_exhaustion};
    rt_store_set_hooks(running.store, &(struct rt_hooks){.user = &view, .trap = look_at_trap});
    expect_trap(&running, "f", 10000000, 0, RT_TRAP_STACK_EXHAUSTED);
    assert_int_equal(view.count, 1);
    stop(&running);
}

/* ---- Through host frames ---- */

static struct rt_error *host(void *user, struct rt_caller *caller, const union rt_value *args,
                             union rt_value *results) {
    struct view *view = user;
    struct rt_activation activation;
    uint32_t level = args[0].i32;
    assert_true(rt_activation_first(caller->store, NULL, &activation));
    /* f(n) calls the host with n, which calls f(n - 1): every second frame is the host's. */
    uint32_t expected = level;
    do {
        assert_int_equal(activation.function, 1);
        assert_int_equal(local(&activation, 0, RT_I32), expected);
        assert_int_equal(operand_count(&activation), 1);
        assert_int_equal(operand(&activation, 0, RT_I32), expected * 5);
        expected++;
    } while (rt_activation_caller(&activation, &activation));
    assert_int_equal(expected, 6 + 1);
    view->count++;
    results[0].i32 = level;
    if (!level)
        return NULL;
    /* A debugger changes the caller's local; it adds it at the end. */
    assert_true(rt_activation_first(caller->store, NULL, &activation));
    union rt_value argument = {.i32 = level - 1};
    struct rt_error *error = rt_func_call(exported(view->running, "f"), &argument, results);
    if (!error)
        error = rt_activation_set_local(&activation, 1, (union rt_value){.i32 = 1000});
    return error;
}

static void test_host_frames(void **state) {
    (void)state;
    struct rt_store *store;
    expect_good(rt_store_create(&store));
    struct rt_activation none;
    assert_false(rt_activation_first(store, NULL, &none));
    struct running running;
    struct view view = {.running = &running};
    static const uint8_t i32[] = {RT_I32};
    struct rt_extern given = {.kind = RT_EXTERN_FUNC};
    expect_good(
        rt_func_create(store, "env.host", (struct rt_func_type){1, 1, i32, i32}, host, &view, &given.func));
    struct builder builder = {0};
    build_import(&builder, "host", "i:i");
    BUILD_FUNCTION(&builder, "f", "i:i", "i", GET(0), CONST(5), RT_OP_I32_MUL, GET(0), RT_OP_CALL, 0,
                   RT_OP_I32_ADD, GET(1), RT_OP_I32_ADD);
    running = run_with(&builder, NULL, &given, 1, store);
    assert_int_equal(call(&running, "f", 6, 0, 0, 0), 5 * (6 + 5 + 4 + 3 + 2 + 1) + 6 * 1000);
    assert_int_equal(view.count, 7);
    assert_false(rt_activation_first(store, NULL, &none));
    stop(&running);
}

/* ---- The map by itself ---- */

static void test_map(void **state) {
    (void)state;
    struct builder builder = {0};
    for (unsigned k = 0; k < 20; k++) {
        struct bytes code = {0};
        for (unsigned i = 0; i < 50 * k; i++) /* with long stretches of a stack that is not empty */
            PUT(&code, GET(0), CONST(3), RT_OP_I32_MUL);
        for (unsigned i = 0; i < 50 * k; i++)
            PUT(&code, RT_OP_LOCAL_SET, 0);
        build_function(&builder, NULL, "i:", "", &code);
    }
    struct rt_module *module = build_module(&builder);
    struct rt_code *code;
    expect_good(make_code(module, &(struct rt_compile_options){.every_instruction = true}, &code));
    size_t count;
    const struct rt_site *sites = rt_code_sites(code, &count);
    assert_int_equal(count, 50 * 190 * 4 + 20);
    unsigned last_byte = tested_engine == RT_ENGINE_INTERP ? 3 : 4; /* of a site, at least */
    const size_t unasked = rt_code_sizes(code).metadata;
    for (size_t i = 0; i < count; i++) {
        uint32_t function, pc;
        assert_true(rt_code_pc(code, sites[i].machine, &function, &pc));
        assert_int_equal(pc, sites[i].pc);
        assert_true(rt_code_pc(code, sites[i].machine + last_byte, &function, &pc));
        assert_int_equal(pc, sites[i].pc);
        assert_int_equal(rt_code_machine(code, pc), sites[i].machine);
        uint32_t expected;
        assert_true(rt_module_function_at(module, pc, &expected));
        assert_int_equal(function, expected);
        if (i)
            assert_true(sites[i - 1].pc < pc && sites[i - 1].machine < sites[i].machine);
    }
    uintptr_t low, high;
    uint32_t function, pc;
    rt_code_range(code, &low, &high);
    assert_false(rt_code_pc(code, low, &function, &pc)); /* before the first function */
    assert_false(rt_code_pc(code, high, &function, &pc));
    assert_false(rt_code_pc(code, 0, &function, &pc));
    assert_int_equal(rt_code_machine(code, UINT32_MAX), 0);
    /* What compiled code remembers of questions comes with the first one, and is counted. */
    const size_t remembered = rt_code_sizes(code).metadata - unasked;
    assert_true(tested_engine == RT_ENGINE_INTERP ? remembered == 0 : remembered > (size_t)1 << 20);
    rt_code_destroy(code);
    rt_module_destroy(module);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_trap),         cmocka_unit_test(test_at_memory_trap),
        cmocka_unit_test(test_vectors_at_trap), cmocka_unit_test(test_at_exhaustion),
        cmocka_unit_test(test_host_frames),     cmocka_unit_test(test_map),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
