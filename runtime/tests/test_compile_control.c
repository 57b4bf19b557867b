/* Runs control flow and calls: blocks with parameters and results, branches, tables, many arguments and
 * results, deep recursion, huge frames. */
#include "runtime/tests/builder.h"

enum { I32 = RT_I32, I64 = RT_I64, EMPTY = 0x40 };
#define GET(n)   RT_OP_LOCAL_GET, n
#define SET(n)   RT_OP_LOCAL_SET, n
#define CONST(n) RT_OP_I32_CONST, n

static void test_blocks(void **state) {
    (void)state;
    struct builder builder = {0};
    uint32_t two = build_type(&builder, "ii:ii");
    /* A loop with parameters: sum and count down. */
    BUILD_FUNCTION(&builder, "sum", "i:i", "i", CONST(0), GET(0), RT_OP_LOOP, (uint8_t)two, SET(0), GET(0),
                   RT_OP_I32_ADD, GET(0), CONST(1), RT_OP_I32_SUB, RT_OP_LOCAL_TEE, 0, GET(0), RT_OP_BR_IF, 0,
                   RT_OP_END, RT_OP_DROP);
    /* An if without else passes its parameters through; its arm swaps them by way of locals. */
    BUILD_FUNCTION(&builder, "swap", "iii:i", "", GET(0), GET(1), GET(2), RT_OP_IF, (uint8_t)two, SET(0),
                   SET(1), GET(0), GET(1), RT_OP_END, RT_OP_I32_SUB);
    /* A local's old value stays on the stack when the local changes in one arm only. */
    BUILD_FUNCTION(&builder, "keep", "ii:i", "", GET(0), GET(1), RT_OP_IF, EMPTY, CONST(7), SET(0), RT_OP_END,
                   GET(0), RT_OP_I32_SUB);
    /* Constants under a block stay what they are; code that cannot run is skipped, nested blocks too. */
    BUILD_FUNCTION(&builder, "dead", "i:i", "", CONST(40), RT_OP_BLOCK, I32, CONST(2), RT_OP_BR, 0,
                   RT_OP_BLOCK, EMPTY, RT_OP_LOOP, EMPTY, GET(0), RT_OP_IF, EMPTY, RT_OP_ELSE,
                   RT_OP_UNREACHABLE, RT_OP_END, RT_OP_END, RT_OP_END, RT_OP_DROP, RT_OP_END, RT_OP_I32_ADD);
    struct running running = run(&builder);
    assert_int_equal(call(&running, "sum", 1000, 0, 0, 0), 500500);
    assert_int_equal(call(&running, "swap", 50, 8, 0, 0), 42);
    assert_int_equal(call(&running, "swap", 50, 8, 1, 0), (uint32_t)-42);
    assert_int_equal(call(&running, "keep", 9, 0, 0, 0), 0);
    assert_int_equal(call(&running, "keep", 9, 1, 0, 0), 2);
    assert_int_equal(call(&running, "dead", 1, 0, 0, 0), 42);
    stop(&running);
}

static void test_branch_with_value(void **state) {
    (void)state;
    struct builder builder = {0};
    /* br_if out of a deeper stack: the value moves down on one path only. */
    BUILD_FUNCTION(&builder, "f", "ii:i", "", RT_OP_BLOCK, I32, CONST(1), CONST(2), GET(0), GET(1),
                   RT_OP_BR_IF, 0, RT_OP_I32_ADD, RT_OP_I32_ADD, CONST(20), RT_OP_I32_ADD, RT_OP_END);
    /* The same to the function itself. */
    BUILD_FUNCTION(&builder, "g", "ii:i", "", CONST(1), GET(0), GET(1), RT_OP_BR_IF, 0, RT_OP_I32_ADD);
    struct running running = run(&builder);
    assert_int_equal(call(&running, "f", 5, 1, 0, 0), 5);
    assert_int_equal(call(&running, "f", 5, 0, 0, 0), 28);
    assert_int_equal(call(&running, "g", 5, 1, 0, 0), 5);
    assert_int_equal(call(&running, "g", 5, 0, 0, 0), 6);
    stop(&running);
}

static void test_branch_table(void **state) {
    (void)state;
    struct builder builder = {0};
    /* 0 and 2 leave the inner block with the value on top, 1 the outer, the rest the function. */
    BUILD_FUNCTION(&builder, "f", "i:i", "", RT_OP_BLOCK, I32, RT_OP_BLOCK, I32, CONST(3), CONST(9), GET(0),
                   RT_OP_BR_TABLE, 3, 0, 1, 0, 2, RT_OP_END, CONST(10), RT_OP_I32_ADD, RT_OP_END, CONST(20),
                   RT_OP_I32_ADD);
    /* A large one: every case returns its number. */
    enum { CASES = 300 };
    struct bytes code = {0};
    for (unsigned i = 0; i <= CASES; i++)
        PUT(&code, RT_OP_BLOCK, EMPTY);
    PUT(&code, GET(0), RT_OP_BR_TABLE);
    put_uleb(&code, CASES);
    for (unsigned i = 0; i <= CASES; i++)
        put_uleb(&code, i);
    for (unsigned i = 0; i <= CASES; i++) {
        put_byte(&code, RT_OP_END);
        put_constant(&code, RT_I32, i);
        put_byte(&code, RT_OP_RETURN);
    }
    build_function(&builder, "cases", "i:i", "", &code);
    struct running running = run(&builder);
    static const uint32_t expected[] = {39, 29, 39, 9, 9};
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(call(&running, "f", i, 0, 0, 0), expected[i]);
    assert_int_equal(call(&running, "f", UINT32_MAX, 0, 0, 0), 9);
    for (uint32_t i = 0; i < CASES + 5; i++)
        assert_int_equal(call(&running, "cases", i, 0, 0, 0), i < CASES ? i : CASES);
    stop(&running);
}

static void test_results(void **state) {
    (void)state;
    struct builder builder = {0};
    /* Results go where the parameters are: they must not overwrite each other. */
    uint32_t rotate = BUILD_FUNCTION(&builder, "rotate", "iIi:iiI", "", GET(2), GET(0), GET(1));
    BUILD_FUNCTION(&builder, "twice", "iIi:iiI", "I", GET(0), GET(1), GET(2), RT_OP_CALL, (uint8_t)rotate,
                   SET(3), SET(0), SET(2), GET(2), GET(3), GET(0), RT_OP_CALL, (uint8_t)rotate);
    struct running running = run(&builder);
    union rt_value args[3] = {{.i32 = 1}, {.i64 = 2}, {.i32 = 3}}, results[3];
    expect_good(rt_func_call(exported(&running, "rotate"), args, results));
    assert_int_equal(results[0].i32, 3);
    assert_int_equal(results[1].i32, 1);
    assert_int_equal(results[2].i64, 2);
    expect_good(rt_func_call(exported(&running, "twice"), args, results));
    assert_int_equal(results[0].i32, 1);
    assert_int_equal(results[1].i32, 3);
    assert_int_equal(results[2].i64, 2);
    stop(&running);
}

static void test_many_arguments(void **state) {
    (void)state;
    enum { COUNT = 100 };
    struct builder builder = {0};
    char signature[COUNT + 3], outer[COUNT + 3];
    struct bytes sum = {0}, call_it = {0};
    for (unsigned i = 0; i < COUNT; i++)
        signature[i] = "iIfF"[i % 4];
    memcpy(signature + COUNT, ":F", 3);
    memcpy(outer, signature, sizeof(signature));
    put_constant(&sum, RT_F64, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        static const uint8_t to_f64[] = {RT_OP_F64_CONVERT_I32_S, RT_OP_F64_CONVERT_I64_S,
                                         RT_OP_F64_PROMOTE_F32, RT_OP_NOP};
        PUT(&sum, GET((uint8_t)i), to_f64[i % 4], RT_OP_F64_ADD);
        PUT(&call_it, GET((uint8_t)i));
    }
    PUT(&call_it, RT_OP_CALL, 0);
    build_function(&builder, "sum", signature, "", &sum);
    build_function(&builder, "call", outer, "", &call_it);
    struct running running = run(&builder);
    union rt_value args[COUNT], result;
    double expected = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        args[i] = (union rt_value){.i64 = 0};
        switch (i % 4) {
        case 0: args[i].i32 = i; break;
        case 1: args[i].i64 = i; break;
        case 2: args[i].f32 = (float)i; break;
        default: args[i].f64 = i; break;
        }
        expected += i;
    }
    expect_good(rt_func_call(exported(&running, "call"), args, &result));
    assert_true(result.f64 == expected);
    stop(&running);
}

static void test_register_pressure(void **state) {
    (void)state;
    /* Forty integers and forty floats in flight, then all summed. */
    struct builder builder = {0};
    struct bytes code = {0};
    for (unsigned i = 0; i < 40; i++) {
        PUT(&code, GET(0), CONST((uint8_t)i), RT_OP_I32_MUL);
        PUT(&code, GET(0), RT_OP_F64_CONVERT_I32_S);
    }
    for (unsigned i = 0; i < 40; i++) {
        /* i32 f64 -> i32, added to what is carried in local 1. */
        PUT(&code, RT_OP_I32_TRUNC_F64_S, RT_OP_I32_ADD, GET(1), RT_OP_I32_ADD, SET(1));
    }
    PUT(&code, GET(1));
    build_function(&builder, "f", "i:i", "i", &code);
    struct running running = run(&builder);
    assert_int_equal(call(&running, "f", 3, 0, 0, 0), 3 * (780 + 40));
    stop(&running);
}

static void test_indirect(void **state) {
    (void)state;
    struct builder builder = {0};
    uint32_t import = build_import(&builder, "host", "i:i");
    uint32_t type = build_type(&builder, "i:i");
    build_table(&builder, 'r', 5, 5);
    uint32_t functions[] = {
        BUILD_FUNCTION(&builder, NULL, "i:i", "", GET(0), CONST(1), RT_OP_I32_ADD),
        BUILD_FUNCTION(&builder, NULL, "i:", "", RT_OP_NOP),
        import,
    };
    build_elements(&builder, 0, functions, 3);
    BUILD_FUNCTION(&builder, "f", "ii:i", "", CONST(1), GET(1), GET(0), RT_OP_CALL_INDIRECT, (uint8_t)type, 0,
                   RT_OP_I32_ADD);
    struct rt_store *store;
    expect_good(rt_store_create(&store));
    struct builder other = {0};
    build_memory(&other, 1, 1);
    BUILD_FUNCTION(&other, "load", "i:i", "", GET(0), RT_OP_I32_LOAD8_U, 0, 0);
    build_data(&other, 0, "xyz");
    /* Another instance, with a memory of its own, behind the import. */
    struct running behind = run_with(&other, NULL, NULL, 0, store);
    struct rt_extern given = {.kind = RT_EXTERN_FUNC, .func = exported(&behind, "load")};
    struct running running = run_with(&builder, NULL, &given, 1, store);
    assert_int_equal(call(&running, "f", 0, 40, 0, 0), 42);
    assert_int_equal(call(&running, "f", 2, 1, 0, 0), 'y' + 1);
    expect_trap(&running, "f", 1, 0, RT_TRAP_INDIRECT_CALL_TYPE);
    expect_trap(&running, "f", 3, 0, RT_TRAP_UNINITIALIZED_ELEMENT);
    expect_trap(&running, "f", 5, 0, RT_TRAP_UNDEFINED_ELEMENT);
    expect_trap(&running, "f", UINT32_MAX, 0, RT_TRAP_UNDEFINED_ELEMENT);
    stop(&running);
    rt_code_destroy(behind.code);
    rt_module_destroy(behind.module);
}

static void test_recursion(void **state) {
    (void)state;
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "depth", "i:i", "", GET(0), RT_OP_IF, I32, GET(0), CONST(1), RT_OP_I32_SUB,
                   RT_OP_CALL, 0, CONST(1), RT_OP_I32_ADD, RT_OP_ELSE, CONST(0), RT_OP_END);
    BUILD_FUNCTION(&builder, "forever", ":", "", RT_OP_CALL, 1);
    /* 50,000 locals: all zero, the last one used. */
    char *locals = malloc(50001);
    assert_non_null(locals);
    memset(locals, 'I', 50000);
    locals[50000] = 0;
    struct bytes code = {0};
    PUT(&code, GET(0), RT_OP_IF, EMPTY, GET(0), CONST(1), RT_OP_I32_SUB, RT_OP_CALL, 2, SET(0), RT_OP_END,
        RT_OP_LOCAL_GET);
    put_uleb(&code, 50000);
    PUT(&code, CONST(5), RT_OP_I64_EXTEND_I32_U, RT_OP_I64_ADD, RT_OP_LOCAL_TEE);
    put_uleb(&code, 50000);
    put_byte(&code, RT_OP_I32_WRAP_I64);
    build_function(&builder, "huge", "i:i", locals, &code);
    free(locals);
    struct running running = run(&builder);
    assert_int_equal(call(&running, "depth", 10000, 0, 0, 0), 10000);
    assert_int_equal(call(&running, "huge", 3, 0, 0, 0), 5);
    for (unsigned i = 0; i < 3; i++) {
        expect_trap(&running, "forever", 0, 0, RT_TRAP_STACK_EXHAUSTED);
        expect_trap(&running, "huge", 100000, 0, RT_TRAP_STACK_EXHAUSTED);
        expect_trap(&running, "depth", UINT32_MAX, 0, RT_TRAP_STACK_EXHAUSTED);
    }
    /* A limit of the embedder's own. The interpreter needs the thread's stack for calls from C alone. */
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    rt_store_set_stack_limit(running.store, tested_engine == RT_ENGINE_INTERP ? here : here - 16384);
    expect_trap(&running, "depth", 10000, 0, RT_TRAP_STACK_EXHAUSTED);
    rt_store_set_stack_limit(running.store, here - 16384);
    assert_int_equal(call(&running, "depth", 10, 0, 0, 0), 10);
    stop(&running);
}

static void test_references_and_globals(void **state) {
    (void)state;
    struct builder builder = {0};
    build_global(&builder, 'I', true, 77);
    build_global(&builder, 'F', true, 0);
    build_table(&builder, 'e', 1, 4);
    BUILD_FUNCTION(&builder, "global", "I:I", "", RT_OP_GLOBAL_GET, 0, GET(0), RT_OP_GLOBAL_SET, 0);
    BUILD_FUNCTION(&builder, "float", "i:i", "", GET(0), RT_OP_F64_CONVERT_I32_S, RT_OP_GLOBAL_SET, 1,
                   RT_OP_GLOBAL_GET, 1, RT_OP_I32_TRUNC_F64_S);
    BUILD_FUNCTION(&builder, "null", "e:i", "", GET(0), RT_OP_REF_IS_NULL);
    BUILD_FUNCTION(&builder, "grow", "ei:i", "", GET(0), GET(1), 0xfc, 15, 0);
    BUILD_FUNCTION(&builder, "get", "i:e", "", GET(0), RT_OP_TABLE_GET, 0);
    BUILD_FUNCTION(&builder, "set", "ie:", "", GET(0), GET(1), RT_OP_TABLE_SET, 0);
    BUILD_FUNCTION(&builder, "size", ":i", "", 0xfc, 16, 0);
    BUILD_FUNCTION(&builder, "fill", "iei:", "", GET(0), GET(1), GET(2), 0xfc, 17, 0);
    BUILD_FUNCTION(&builder, "copy", "iii:", "", GET(0), GET(1), GET(2), 0xfc, 14, 0, 0);
    struct running running = run(&builder);
    assert_int_equal(call(&running, "global", 5, 0, 0, 0), 77);
    assert_int_equal(rt_global_get(rt_instance_global(running.instance, 0)).i64, 5);
    assert_int_equal(call(&running, "float", 9, 0, 0, 0), 9);
    assert_int_equal(call(&running, "null", 0, 0, 0, 0), 1);
    assert_int_equal(call(&running, "null", 1, 0, 0, 0), 0);
    assert_int_equal(call(&running, "grow", 42, 2, 0, 0), 1);
    assert_int_equal(call(&running, "grow", 42, 2, 0, 0), UINT32_MAX);
    assert_int_equal(call(&running, "size", 0, 0, 0, 0), 3);
    assert_int_equal(call(&running, "get", 2, 0, 0, 0), 42);
    call(&running, "set", 0, 11, 0, 0);
    call(&running, "copy", 1, 0, 2, 0);
    assert_int_equal(call(&running, "get", 1, 0, 0, 0), 11);
    assert_int_equal(call(&running, "get", 2, 0, 0, 0), 42);
    call(&running, "fill", 1, 8, 2, 0);
    assert_int_equal(call(&running, "get", 2, 0, 0, 0), 8);
    expect_trap(&running, "get", 3, 0, RT_TRAP_TABLE_OUT_OF_BOUNDS);
    expect_trap(&running, "set", 3, 0, RT_TRAP_TABLE_OUT_OF_BOUNDS);
    stop(&running);
}

static void test_absurd_code_size(void **state) {
    (void)state;
    /* Each branch would move a thousand operands. */
    struct builder builder = {0};
    struct bytes code = {0};
    char signature[1003] = ":";
    memset(signature + 1, 'i', 1000);
    uint32_t type = build_type(&builder, signature);
    PUT(&code, CONST(0), RT_OP_BLOCK);
    put_uleb(&code, type);
    for (unsigned i = 0; i < 1001; i++)
        PUT(&code, GET(0));
    for (unsigned i = 0; i < 100000; i++)
        PUT(&code, GET(0), RT_OP_BR_IF, 0);
    PUT(&code, RT_OP_UNREACHABLE, RT_OP_END, RT_OP_UNREACHABLE);
    build_function(&builder, "f", "i:", "", &code);
    struct rt_module *module = build_module(&builder);
    struct rt_code *compiled;
    struct rt_error *error = make_code(module, NULL, &compiled);
    if (tested_engine == RT_ENGINE_INTERP) { /* puts the operands in order once */
        expect_good(error);
        assert_true(rt_code_sizes(compiled).code < (size_t)4 << 20);
        rt_code_destroy(compiled);
    } else {
        assert_non_null(error);
        assert_int_equal(error->code, RT_UNSUPPORTED);
        rt_error_destroy(error);
    }
    rt_module_destroy(module);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_branch_with_value),
        cmocka_unit_test(test_branch_table),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_many_arguments),
        cmocka_unit_test(test_register_pressure),
        cmocka_unit_test(test_indirect),
        cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_references_and_globals),
        cmocka_unit_test(test_absurd_code_size),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
