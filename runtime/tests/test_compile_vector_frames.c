/* Runs what moves vectors about: calls of all kinds, blocks, branches, locals, globals, more live vectors
 * than there are registers, and what a host call sees of them. */
#include "runtime/tests/builder.h"

enum { EMPTY = 0x40, MANY = 40 };
#define GET(n)    RT_OP_LOCAL_GET, n
#define SET(n)    RT_OP_LOCAL_SET, n
#define CONST(n)  RT_OP_I32_CONST, n
#define I8X16_ADD 0xfd, 0x6e
#define I8X16_SUB 0xfd, 0x71
#define V128_NOT  0xfd, 0x4d
#define V128_OR   0xfd, 0x50
#define ANY_TRUE  0xfd, 0x53

/* A vector whose bytes all differ, and differ from those of other seeds' at the same place. */
static union rt_value vector(unsigned seed) {
    union rt_value value;
    for (unsigned i = 0; i < sizeof(value.v128); i++)
        value.v128[i] = (uint8_t)(seed * 16 + i * 3);
    return value;
}

static void assert_vector(union rt_value found, union rt_value expected) {
    assert_memory_equal(found.v128, expected.v128, sizeof(expected.v128));
}

/* A value that is all there is of its type. */
static union rt_value seeded(char letter, unsigned seed) {
    if (letter == 'v')
        return vector(seed);
    return value_of(type_of_letter(letter), 0x8899aabbccdd0000 + seed);
}

static void assert_value(char letter, union rt_value found, union rt_value expected) {
    if (letter == 'v')
        assert_vector(found, expected);
    else if (letter == 'i' || letter == 'f')
        assert_int_equal(found.i32, expected.i32);
    else
        assert_true(found.i64 == expected.i64);
}

/* ---- Calls ---- */

#define MIXED "ivIfvF:FvivI"
/* What the callee gives back, by index of its parameters. */
static const uint8_t order[] = {5, 1, 0, 4, 2};

static struct rt_error *mixed_host(void *user, struct rt_caller *caller, const union rt_value *args,
                                   union rt_value *results) {
    (void)caller;
    for (unsigned i = 0; i < 6; i++)
        assert_value(MIXED[i], args[i], seeded(MIXED[i], i));
    for (unsigned i = 0; i < sizeof(order); i++)
        results[i] = args[order[i]];
    ++*(int *)user;
    return NULL;
}

static void put_gets(struct bytes *code, const uint8_t *locals, size_t count) {
    for (size_t i = 0; i < count; i++)
        PUT(code, GET(locals[i]));
}

/* Calls through a function that has a vector on its stack meanwhile, and gives it back first. */
static void build_caller(struct builder *builder, const char *name, uint32_t function, int element) {
    static const uint8_t all[] = {0, 1, 2, 3, 4, 5};
    struct bytes code = {0};
    PUT(&code, GET(4), V128_NOT, V128_NOT);
    put_gets(&code, all, sizeof(all));
    if (element < 0)
        PUT(&code, RT_OP_CALL, (uint8_t)function);
    else
        PUT(&code, CONST((uint8_t)element), RT_OP_CALL_INDIRECT, 0, 0); /* type 0 is the import's */
    build_function(builder, name, "ivIfvF:vFvivI", "", &code);
}

static void calls_of_every_kind(void **state) {
    (void)state;
    static const uint8_t params[] = {RT_I32, RT_V128, RT_I64, RT_F32, RT_V128, RT_F64},
                         results[] = {RT_F64, RT_V128, RT_I32, RT_V128, RT_I64};
    struct rt_store *store;
    expect_good(rt_store_create(&store));
    int host_calls = 0;
    struct rt_extern host = {.kind = RT_EXTERN_FUNC};
    expect_good(rt_func_create(store, "env.host", (struct rt_func_type){6, 5, params, results}, mixed_host,
                               &host_calls, &host.func));
    struct builder builder = {0};
    struct bytes code = {0};
    uint32_t import = build_import(&builder, "host", MIXED);
    enum { EARLIER = 1, LATER = 7 };
    put_gets(&code, order, sizeof(order));
    build_function(&builder, "itself", MIXED, "", &code);
    build_caller(&builder, "earlier", EARLIER, -1);
    build_caller(&builder, "later", LATER, -1);
    build_caller(&builder, "import", import, -1);
    build_caller(&builder, "indirect", 0, 0);
    build_caller(&builder, "indirect import", 0, 1);
    put_gets(&code, order, sizeof(order));
    assert_int_equal(build_function(&builder, NULL, MIXED, "", &code), LATER);
    build_table(&builder, 'r', 2, 2);
    build_elements(&builder, 0, (const uint32_t[]){EARLIER, import}, 2);
    struct running running = run_with(&builder, NULL, &host, 1, store);

    union rt_value args[6], found[6];
    for (unsigned i = 0; i < 6; i++)
        args[i] = seeded(MIXED[i], i);
    static const char *const names[] = {"itself", "earlier",  "later",
                                        "import", "indirect", "indirect import"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        expect_good(rt_func_call(exported(&running, names[i]), args, found));
        if (i)
            assert_vector(found[0], vector(4));
        for (unsigned k = 0; k < sizeof(order); k++)
            assert_value(MIXED[order[k]], found[k + !!i], args[order[k]]);
    }
    assert_int_equal(host_calls, 2);
    stop(&running);
}

static struct rt_error *vector_host(void *user, struct rt_caller *caller, const union rt_value *args,
                                    union rt_value *results) {
    (void)user, (void)caller, (void)args;
    results[0] = vector(9);
    return NULL;
}

/* A vector as a host function's only result, with nothing but it in the outgoing area. */
static void vector_from_host(void **state) {
    (void)state;
    static const uint8_t results[] = {RT_V128};
    struct rt_store *store;
    expect_good(rt_store_create(&store));
    struct rt_extern host = {.kind = RT_EXTERN_FUNC};
    expect_good(rt_func_create(store, "env.host", (struct rt_func_type){0, 1, NULL, results}, vector_host,
                               NULL, &host.func));
    struct builder builder = {0};
    build_import(&builder, "host", ":v");
    BUILD_FUNCTION(&builder, "f", ":v", "", RT_OP_CALL, 0);
    BUILD_FUNCTION(&builder, "never", ":v", "", RT_OP_UNREACHABLE);
    struct running running = run_with(&builder, NULL, &host, 1, store);
    union rt_value found;
    expect_good(rt_func_call(exported(&running, "f"), NULL, &found));
    assert_vector(found, vector(9));
    expect_trap_error(rt_func_call(exported(&running, "never"), NULL, &found), RT_TRAP_UNREACHABLE, NULL);
    stop(&running);
}

/* Many parameters, and as many results in the reverse order. */
static void many_arguments(void **state) {
    (void)state;
    char signature[2 * MANY + 2] = {0};
    struct bytes reverse = {0}, forward = {0};
    for (unsigned i = 0; i < MANY; i++) {
        signature[i] = signature[2 * MANY - i] = "vifIF"[i % 5];
        PUT(&reverse, GET((uint8_t)(MANY - 1 - i)));
        PUT(&forward, GET((uint8_t)i));
    }
    signature[MANY] = ':';
    struct builder builder = {0};
    build_function(&builder, "reverse", signature, "", &reverse);
    PUT(&forward, RT_OP_CALL, 0);
    build_function(&builder, "forward", signature, "", &forward);
    struct running running = run(&builder);
    union rt_value args[MANY], found[MANY];
    for (unsigned i = 0; i < MANY; i++)
        args[i] = seeded(signature[i], i);
    for (unsigned round = 0; round < 2; round++) {
        memset(found, 0, sizeof(found));
        expect_good(rt_func_call(exported(&running, round ? "forward" : "reverse"), args, found));
        for (unsigned i = 0; i < MANY; i++)
            assert_value(signature[i], found[MANY - 1 - i], args[i]);
    }
    stop(&running);
}

/* ---- Control ---- */

static union rt_value call_vectors(struct running *running, const char *name, union rt_value a,
                                   union rt_value b, uint32_t c) {
    union rt_value args[] = {a, b, {.i32 = c}}, found = {.v128 = {0}};
    expect_good(rt_func_call(exported(running, name), args, &found));
    return found;
}

static union rt_value add(union rt_value a, union rt_value b, unsigned times) {
    for (unsigned i = 0; i < sizeof(a.v128); i++)
        a.v128[i] = (uint8_t)(a.v128[i] + times * b.v128[i]);
    return a;
}

static void blocks_and_branches(void **state) {
    (void)state;
    struct builder builder = {0};
    uint32_t loop = build_type(&builder, "vi:v"), two = build_type(&builder, "vv:vv");
    enum { V128 = RT_V128 };
    /* Adds the second vector to the first, so many times. */
    BUILD_FUNCTION(&builder, "loop", "vvi:v", "", GET(0), GET(2), RT_OP_LOOP, (uint8_t)loop, SET(2), GET(1),
                   I8X16_ADD, GET(2), CONST(1), RT_OP_I32_SUB, RT_OP_LOCAL_TEE, 2, GET(2), RT_OP_BR_IF, 0,
                   RT_OP_DROP, RT_OP_END);
    /* An `if` without `else` passes its parameters on; its arm swaps them. */
    BUILD_FUNCTION(&builder, "swap", "vvi:v", "", GET(0), GET(1), GET(2), RT_OP_IF, (uint8_t)two, SET(0),
                   SET(1), GET(0), GET(1), RT_OP_END, I8X16_SUB);
    BUILD_FUNCTION(&builder, "else", "vvi:v", "", GET(2), RT_OP_IF, V128, GET(0), V128_NOT, V128_NOT,
                   RT_OP_ELSE, GET(1), RT_OP_END);
    /* Out of a deeper stack, to a block and to the function. */
    BUILD_FUNCTION(&builder, "deep", "vvi:v", "", RT_OP_BLOCK, V128, GET(1), GET(1), GET(0), GET(2),
                   RT_OP_BR_IF, 0, RT_OP_DROP, I8X16_SUB, GET(0), GET(0), GET(2), CONST(1), RT_OP_I32_ADD,
                   RT_OP_BR_IF, 1, RT_OP_DROP, RT_OP_DROP, RT_OP_END);
    /* 0 and 2 leave the inner block, 1 the outer one, the rest the function. */
    BUILD_FUNCTION(&builder, "table", "vvi:v", "", RT_OP_BLOCK, V128, RT_OP_BLOCK, V128, GET(1), GET(0),
                   V128_NOT, V128_NOT, GET(2), RT_OP_BR_TABLE, 3, 0, 1, 0, 2, RT_OP_END, GET(1), I8X16_ADD,
                   RT_OP_END, GET(1), GET(1), I8X16_ADD, I8X16_ADD);
    struct running running = run(&builder);
    union rt_value a = vector(1), b = vector(2);
    assert_vector(call_vectors(&running, "loop", a, b, 100), add(a, b, 100));
    assert_vector(call_vectors(&running, "swap", a, b, 0), add(a, b, 255));
    assert_vector(call_vectors(&running, "swap", a, b, 1), add(b, a, 255));
    assert_vector(call_vectors(&running, "else", a, b, 1), a);
    assert_vector(call_vectors(&running, "else", a, b, 0), b);
    assert_vector(call_vectors(&running, "deep", a, b, 1), a);
    assert_vector(call_vectors(&running, "deep", a, b, 0), a);
    assert_vector(call_vectors(&running, "deep", a, b, UINT32_MAX), a);
    for (uint32_t i = 0; i < 5; i++)
        assert_vector(call_vectors(&running, "table", a, b, i), add(a, b, i > 2 ? 0 : i == 1 ? 2 : 3));
    stop(&running);
}

static void select_by_every_condition(void **state) {
    (void)state;
    struct builder builder = {0};
#define COMPARED(...) GET(0), GET(1), V128_NOT, V128_NOT, __VA_ARGS__, RT_OP_SELECT
    BUILD_FUNCTION(&builder, "value", "vvi:v", "", COMPARED(GET(2)));
    BUILD_FUNCTION(&builder, "registers", "vvi:v", "", GET(0), V128_NOT, V128_NOT, GET(1), GET(2),
                   RT_OP_SELECT_T, 1, RT_V128);
    BUILD_FUNCTION(&builder, "flags", "vvi:v", "", COMPARED(GET(2), CONST(1), RT_OP_I32_EQ));
    BUILD_FUNCTION(
        &builder, "equal", "vvi:v", "",
        COMPARED(GET(2), RT_OP_F32_REINTERPRET_I32, GET(2), RT_OP_F32_REINTERPRET_I32, RT_OP_F32_EQ));
    BUILD_FUNCTION(
        &builder, "unequal", "vvi:v", "",
        COMPARED(GET(2), RT_OP_F32_REINTERPRET_I32, GET(2), RT_OP_F32_REINTERPRET_I32, RT_OP_F32_NE));
    BUILD_FUNCTION(&builder, "any", "vvi:v", "", COMPARED(GET(0), ANY_TRUE));
    struct running running = run(&builder);
    const union rt_value a = vector(1), b = vector(2), zero = {.v128 = {0}};
    const uint32_t nan = 0x7fc00000;
    assert_vector(call_vectors(&running, "value", a, b, 1), a);
    assert_vector(call_vectors(&running, "value", a, b, 0), b);
    assert_vector(call_vectors(&running, "registers", a, b, 1), a);
    assert_vector(call_vectors(&running, "registers", a, b, 0), b);
    assert_vector(call_vectors(&running, "flags", a, b, 1), a);
    assert_vector(call_vectors(&running, "flags", a, b, 2), b);
    assert_vector(call_vectors(&running, "equal", a, b, 0), a);
    assert_vector(call_vectors(&running, "equal", a, b, nan), b);
    assert_vector(call_vectors(&running, "unequal", a, b, 0), b);
    assert_vector(call_vectors(&running, "unequal", a, b, nan), a);
    assert_vector(call_vectors(&running, "any", a, b, 0), a);
    assert_vector(call_vectors(&running, "any", zero, b, 0), b);
    stop(&running);
}

/* ---- Locals, globals, registers ---- */

static void locals(void **state) {
    (void)state;
    struct builder builder = {0};
    /* The old value stays an operand. */
    BUILD_FUNCTION(&builder, "tee", "vvi:v", "", GET(0), GET(1), RT_OP_LOCAL_TEE, 0, I8X16_SUB, GET(0),
                   I8X16_ADD);
    /* Declared locals are zero, though the stack below is not. */
    struct bytes code = {0};
    for (uint8_t i = 3; i < 33; i++)
        PUT(&code, GET(0), V128_NOT, SET(i));
    PUT(&code, GET(0));
    build_function(&builder, "dirty", "vvi:v", "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", &code);
    static const char *const declared[] = {"vvv", "iivIfFv", "vvvvvvvvvviiiiiiiiiivv"};
    static const char *const names[] = {"few", "mixed", "many"};
    for (unsigned i = 0; i < 3; i++) {
        PUT(&code, GET(0), GET(1), GET(2), RT_OP_CALL, 1, RT_OP_DROP, GET(0), GET(0), I8X16_SUB);
        for (uint8_t k = 0; declared[i][k]; k++) {
            PUT(&code, GET((uint8_t)(3 + k)));
            switch (declared[i][k]) {
            case 'i': PUT(&code, 0xfd, 0x11); break; /* i32x4.splat */
            case 'I': PUT(&code, 0xfd, 0x12); break;
            case 'f': PUT(&code, 0xfd, 0x13); break;
            case 'F': PUT(&code, 0xfd, 0x14); break;
            }
            PUT(&code, V128_OR);
        }
        build_function(&builder, names[i], "vvi:v", declared[i], &code);
    }
    struct running running = run(&builder);
    const union rt_value a = vector(1), b = vector(2), zero = {.v128 = {0}};
    assert_vector(call_vectors(&running, "tee", a, b, 0), a);
    for (unsigned i = 0; i < 3; i++)
        assert_vector(call_vectors(&running, names[i], a, b, 0), zero);
    stop(&running);
}

static void globals(void **state) {
    (void)state;
    struct rt_store *store;
    expect_good(rt_store_create(&store));
    struct rt_extern given = {.kind = RT_EXTERN_GLOBAL};
    expect_good(rt_global_create(store, RT_V128, true, vector(5), &given.global));
    struct builder builder = {0};
    struct bytes *imports = add_to(&builder, 2);
    put_name(imports, "env");
    put_name(imports, "global");
    PUT(imports, RT_EXTERN_GLOBAL, RT_V128, 1);
    build_global(&builder, 'i', true, 7);
    build_global(&builder, 'v', true, 0x0102030405060708);
    build_global(&builder, 'i', true, 9);
    /* Exchanges the imported global and its own. */
    BUILD_FUNCTION(&builder, "exchange", "vvi:v", "", RT_OP_GLOBAL_GET, 0, RT_OP_GLOBAL_GET, 2,
                   RT_OP_GLOBAL_SET, 0, RT_OP_GLOBAL_SET, 2, RT_OP_GLOBAL_GET, 0);
    struct running running = run_with(&builder, NULL, &given, 1, store);
    const union rt_value own = {
        .v128 = {8, 7, 6, 5, 4, 3, 2, 1, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe}};
    assert_vector(call_vectors(&running, "exchange", own, own, 0), own);
    assert_vector(rt_global_get(given.global), own);
    assert_vector(rt_global_get(rt_instance_global(running.instance, 2)), vector(5));
    assert_int_equal(rt_global_get(rt_instance_global(running.instance, 1)).i32, 7);
    assert_int_equal(rt_global_get(rt_instance_global(running.instance, 3)).i32, 9);
    stop(&running);
}

/* a + 0 - (a + 1 - (a + 2 - ...)), all of them computed before the first subtraction. */
static void more_vectors_than_registers(void **state) {
    (void)state;
    enum { COUNT = 33 };
    struct builder builder = {0};
    struct bytes code = {0};
    for (unsigned i = 0; i < COUNT; i++)
        PUT(&code, GET(0), CONST((uint8_t)i), 0xfd, 0x0f, I8X16_ADD); /* i8x16.splat */
    for (unsigned i = 1; i < COUNT; i++)
        PUT(&code, I8X16_SUB);
    build_function(&builder, "f", "vvi:v", "", &code);
    struct running running = run(&builder);
    union rt_value a = vector(3), expected = a;
    for (unsigned i = 0; i < sizeof(expected.v128); i++)
        expected.v128[i] = (uint8_t)(a.v128[i] + COUNT / 2);
    assert_vector(call_vectors(&running, "f", a, a, 0), expected);
    stop(&running);
}

/* ---- Seen by a host ---- */

static struct rt_error *look(void *user, struct rt_caller *caller, const union rt_value *args,
                             union rt_value *results) {
    (void)args, (void)results;
    struct rt_activation activation;
    enum rt_type type;
    union rt_value value;
    assert_true(rt_activation_first(caller->store, NULL, &activation));
    static const struct {
        enum rt_type type;
        unsigned seed; /* of a vector */
    } expected[] = {{RT_V128, 1}, {RT_V128, 2}, {RT_I32, 0}, {RT_V128, 0}, {RT_I32, 0}, {RT_V128, 2}};
    for (uint32_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        expect_good(rt_activation_local(&activation, i, &type, &value));
        assert_int_equal(type, expected[i].type);
        if (expected[i].seed)
            assert_vector(value, vector(expected[i].seed));
        else if (type == RT_I32)
            assert_int_equal(value.i32, i == 2 ? 77 : 0);
        else
            assert_vector(value, (union rt_value){.v128 = {0}});
    }
    uint32_t count;
    expect_good(rt_activation_operand_count(&activation, &count));
    assert_int_equal(count, 4);
    for (uint32_t i = 0; i < count; i++) {
        expect_good(rt_activation_operand(&activation, i, &type, &value));
        assert_int_equal(type, i == 2 ? RT_I32 : RT_V128);
        if (i == 2)
            assert_int_equal(value.i32, 0x1234);
        else
            assert_vector(value, i == 0 ? vector(1) : i == 1 ? add(vector(1), vector(2), 1) : vector(2));
    }
    expect_good(rt_activation_set_local(&activation, 3, vector(6)));
    expect_good(rt_activation_set_local(&activation, 4, (union rt_value){.i32 = 5}));
    ++*(int *)user;
    return NULL;
}

static void seen_by_a_host(void **state) {
    (void)state;
    struct rt_store *store;
    expect_good(rt_store_create(&store));
    int looks = 0;
    struct rt_extern host = {.kind = RT_EXTERN_FUNC};
    expect_good(rt_func_create(store, "env.look", (struct rt_func_type){0}, look, &looks, &host.func));
    struct builder builder = {0};
    build_import(&builder, "look", ":");
    /* Operands: a local's, a computed vector, a constant, and one from before a local changed. */
    BUILD_FUNCTION(&builder, "f", "vvi:v", "viv", GET(1), SET(5), GET(0), GET(0), GET(1), I8X16_ADD,
                   CONST(0xb4), 0x24, GET(5), RT_OP_CALL, 0, RT_OP_DROP, RT_OP_DROP, RT_OP_DROP, RT_OP_DROP,
                   GET(3), GET(4), 0xfd, 0x0f, I8X16_ADD);
    struct running running = run_with(&builder, NULL, &host, 1, store);
    union rt_value expected = vector(6);
    for (unsigned i = 0; i < sizeof(expected.v128); i++)
        expected.v128[i] = (uint8_t)(expected.v128[i] + 5);
    assert_vector(call_vectors(&running, "f", vector(1), vector(2), 77), expected);
    assert_int_equal(looks, 1);
    stop(&running);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_every_kind),
        cmocka_unit_test(vector_from_host),
        cmocka_unit_test(many_arguments),
        cmocka_unit_test(blocks_and_branches),
        cmocka_unit_test(select_by_every_condition),
        cmocka_unit_test(locals),
        cmocka_unit_test(globals),
        cmocka_unit_test(more_vectors_than_registers),
        cmocka_unit_test(seen_by_a_host),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
