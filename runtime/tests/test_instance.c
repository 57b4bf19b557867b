/* Linking and instantiation: import matching, segments and their traps, start, exports, and host functions.
 */
#include "runtime/tests/builder.h"

#define GET(n) RT_OP_LOCAL_GET, n

static void expect_unlinkable(struct builder *builder, const struct rt_extern *given, size_t count,
                              struct rt_store *store, const char *message) {
    struct rt_module *module = build_module(builder);
    struct rt_code *code = NULL;
    struct rt_instance *instance = NULL;
    expect_good(make_code(module, NULL, &code));
    struct rt_error *error = rt_instance_create(store, code, given, count, &instance);
    assert_non_null(error);
    assert_int_equal(error->code, RT_UNLINKABLE);
    if (strncmp(error->message, message, strlen(message)))
        fail_msg("%s", error->message);
    rt_error_destroy(error);
    rt_code_destroy(code);
    rt_module_destroy(module);
}

static struct rt_error *add_user(void *user, struct rt_caller *caller, const union rt_value *args,
                                 union rt_value *results) {
    assert_non_null(caller->instance);
    results[0].i64 = args[0].i64 + (uint64_t)args[1].f64 + *(int *)user;
    return NULL;
}

static void test_imports(void **state) {
    (void)state;
    struct rt_store *store;
    expect_good(rt_store_create(&store));
    int user = 30;
    static const uint8_t params[] = {RT_I64, RT_F64}, results[] = {RT_I64};
    struct rt_func *func;
    expect_good(rt_func_create(store, "env.add", (struct rt_func_type){2, 1, params, results}, add_user,
                               &user, &func));
    assert_string_equal(rt_func_name(func), "env.add");
    struct rt_global *global;
    expect_good(rt_global_create(store, RT_I64, false, (union rt_value){.i64 = 1}, &global));
    const struct rt_extern of_func = {.kind = RT_EXTERN_FUNC, .func = func};
    const struct rt_extern of_global = {.kind = RT_EXTERN_GLOBAL, .global = global};

    struct builder builder = {0};
    build_import(&builder, "add", "IF:I");
    expect_unlinkable(&builder, NULL, 0, store, "unknown import: \"env.add\"");
    build_import(&builder, "add", "IF:i");
    expect_unlinkable(&builder, &of_func, 1, store, "incompatible import type: \"env.add\"");
    build_import(&builder, "add", "IF:I");
    expect_unlinkable(&builder, &of_global, 1, store, "incompatible import type: \"env.add\"");

    build_import(&builder, "add", "IF:I");
    build_memory(&builder, 1, 1);
    BUILD_FUNCTION(&builder, "f", "I:I", "", GET(0), RT_OP_I32_CONST, 4, RT_OP_F64_CONVERT_I32_S, RT_OP_CALL,
                   0, RT_OP_I64_CONST, 1, RT_OP_I64_ADD);
    struct running running = run_with(&builder, NULL, &of_func, 1, store);
    assert_int_equal(call(&running, "f", 7, 0, 0, 0), 42);
    struct rt_extern found;
    assert_false(rt_instance_export(running.instance, "g", &found));
    assert_true(rt_instance_export_sized(running.instance, "f", 1, &found));
    assert_false(rt_instance_export_sized(running.instance, "f\0", 2, &found)); /* a zero is a character */
    assert_ptr_equal(rt_instance_func(running.instance, 0), func);
    assert_null(rt_instance_func(running.instance, 2));
    assert_null(rt_instance_memory(running.instance, 1));
    assert_ptr_equal(rt_instance_code(running.instance), running.code);
    assert_ptr_equal(rt_instance_store(running.instance), store);
    stop(&running);
}

static void test_segments(void **state) {
    (void)state;
    struct rt_store *store;
    expect_good(rt_store_create(&store));
    static const struct {
        int32_t data, elements;
        int trap; /* -1: none */
    } cases[] = {
        {65533, 9, -1},
        {65534, 0, RT_TRAP_MEMORY_OUT_OF_BOUNDS},
        {0, 10, RT_TRAP_TABLE_OUT_OF_BOUNDS},
        {-1 - INT32_MAX, -1 - INT32_MAX, -1},     /* passive */
        {65534, 10, RT_TRAP_TABLE_OUT_OF_BOUNDS}, /* elements come first */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct builder builder = {0};
        build_memory(&builder, 1, 1);
        build_table(&builder, 'r', 10, 10);
        uint32_t function = BUILD_FUNCTION(&builder, "f", ":", "", RT_OP_NOP);
        build_elements(&builder, cases[i].elements, &function, 1);
        build_data(&builder, cases[i].data, "abc");
        struct rt_module *module = build_module(&builder);
        struct rt_code *code = NULL;
        struct rt_instance *instance = NULL;
        expect_good(make_code(module, NULL, &code));
        struct rt_error *error = rt_instance_create(store, code, NULL, 0, &instance);
        if (cases[i].trap >= 0) {
            expect_trap_error(error, (enum rt_trap)cases[i].trap, NULL);
        } else {
            expect_good(error);
            struct rt_table *table = rt_instance_table(instance, 0);
            assert_int_equal(rt_table_size(table), 10);
            assert_ptr_equal(rt_table_get(table, 9),
                             cases[i].elements >= 0 ? rt_instance_func(instance, 0) : NULL);
            assert_null(rt_table_get(table, 10));
        }
        /* A trap leaves the instance with the store, for others may refer to it: its code must outlive that.
         */
        rt_store_destroy(store);
        rt_code_destroy(code);
        rt_module_destroy(module);
        expect_good(rt_store_create(&store));
    }
    rt_store_destroy(store);
}

static void test_start(void **state) {
    (void)state;
    struct builder builder = {0};
    build_global(&builder, 'i', true, 1);
    BUILD_FUNCTION(&builder, NULL, ":", "", RT_OP_I32_CONST, 9, RT_OP_GLOBAL_SET, 0);
    put_byte(&builder.sections[8].bytes, 0);
    struct running running = run(&builder);
    assert_int_equal(rt_global_get(rt_instance_global(running.instance, 0)).i32, 1);
    expect_good(rt_instance_start(running.instance));
    assert_int_equal(rt_global_get(rt_instance_global(running.instance, 0)).i32, 9);
    stop(&running);
}

static void test_host_objects(void **state) {
    (void)state;
    struct rt_store *store;
    struct rt_memory *memory;
    struct rt_table *table;
    uint64_t old;
    expect_good(rt_store_create(&store));
    expect_good(rt_memory_create(store, (struct rt_limits){1, 3}, &memory));
    assert_int_equal(rt_memory_size(memory), 65536);
    rt_memory_base(memory)[65535] = 1;
    expect_good(rt_memory_grow(memory, 2, &old));
    assert_int_equal(old, 1);
    struct rt_error *error = rt_memory_grow(memory, 1, &old);
    assert_non_null(error);
    rt_error_destroy(error);
    error = rt_memory_create(store, (struct rt_limits){65537, UINT64_MAX}, &memory);
    assert_non_null(error);
    rt_error_destroy(error);
    error = rt_table_create(store, RT_I32, (struct rt_limits){1, 1}, &table);
    assert_non_null(error);
    rt_error_destroy(error);
    error = rt_table_create(store, RT_FUNCREF, (struct rt_limits){2, 1}, &table);
    assert_non_null(error);
    assert_int_equal(error->code, RT_USAGE);
    rt_error_destroy(error);
    error = rt_table_create(store, RT_FUNCREF, (struct rt_limits){UINT32_MAX, UINT32_MAX}, &table);
    assert_non_null(error);
    rt_error_destroy(error);
    rt_store_destroy(store);
}

/* ---- Host functions and the guest's memory, nested calls, errors ---- */

struct nesting {
    struct running *running;
    int depth, calls, returns;
    struct rt_error *error;
};

static struct rt_error *nest(void *user, struct rt_caller *caller, const union rt_value *args,
                             union rt_value *results) {
    struct nesting *nesting = user;
    if (args[0].i32 == 0) {
        struct rt_error *error = nesting->error;
        nesting->error = NULL;
        uint8_t byte;
        assert_true(rt_guest_write(caller, 65535, "z", 1));
        assert_false(rt_guest_write(caller, 65535, "zz", 2));
        assert_true(rt_guest_read(caller, 65535, &byte, 1));
        assert_int_equal(byte, 'z');
        assert_true(rt_guest_read(caller, 65536, &byte, 0));
        assert_false(rt_guest_read(caller, UINT32_MAX, &byte, SIZE_MAX));
        assert_null(rt_guest_view(caller, 65530, 7));
        results[0].i32 = 1;
        return error;
    }
    nesting->depth++;
    union rt_value argument = {.i32 = args[0].i32 - 1};
    return rt_func_call(exported(nesting->running, "f"), &argument, results);
}

static void count_call(void *user, struct rt_caller *caller, const struct rt_func *func,
                       const union rt_value *args) {
    (void)args;
    ((struct nesting *)user)->calls++;
    assert_non_null(caller->instance);
    assert_string_equal(rt_func_name(func), "env.nest");
}
static void count_return(void *user, struct rt_caller *caller, const struct rt_func *func,
                         const union rt_value *results, struct rt_error *error) {
    (void)caller, (void)func, (void)results, (void)error;
    ((struct nesting *)user)->returns++;
}

static void test_nested_calls(void **state) {
    (void)state;
    struct rt_store *store;
    expect_good(rt_store_create(&store));
    struct running running;
    struct nesting nesting = {.running = &running};
    static const uint8_t i32[] = {RT_I32};
    struct rt_extern given = {.kind = RT_EXTERN_FUNC};
    expect_good(rt_func_create(store, "env.nest", (struct rt_func_type){1, 1, i32, i32}, nest, &nesting,
                               &given.func));
    struct builder builder = {0};
    build_import(&builder, "nest", "i:i");
    build_memory(&builder, 1, 1);
    BUILD_FUNCTION(&builder, "f", "i:i", "", GET(0), RT_OP_CALL, 0, RT_OP_I32_CONST, 2, RT_OP_I32_MUL);
    running = run_with(&builder, NULL, &given, 1, store);
    struct rt_hooks hooks = {.user = &nesting, .host_call = count_call, .host_return = count_return};
    rt_store_set_hooks(store, &hooks);
    assert_int_equal(call(&running, "f", 9, 0, 0, 0), 1024);
    assert_int_equal(nesting.depth, 9);
    assert_int_equal(nesting.calls, 10);
    assert_int_equal(nesting.returns, 10);

    /* What a host function returns goes through every level. */
    union rt_value argument = {.i32 = 3}, result;
    nesting.error = rt_error_format(RT_EXIT, "exit");
    nesting.error->exit_status = 77;
    struct rt_error *error = rt_func_call(exported(&running, "f"), &argument, &result);
    assert_non_null(error);
    assert_int_equal(error->code, RT_EXIT);
    assert_int_equal(error->exit_status, 77);
    rt_error_destroy(error);
    rt_store_set_hooks(store, NULL);
    assert_int_equal(call(&running, "f", 1, 0, 0, 0), 4);
    stop(&running);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_imports),      cmocka_unit_test(test_segments),
        cmocka_unit_test(test_start),        cmocka_unit_test(test_host_objects),
        cmocka_unit_test(test_nested_calls),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
