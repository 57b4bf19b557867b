/* SIMD in modules that run: each instruction of the tables, the bounds of memory, and v128 values wherever a
 * value can be: calls, blocks, globals, locals and operands that an activation shows. */
#include "runtime/tests/vector_rows.h"

#define GET(n) RT_OP_LOCAL_GET, n
#define SET(n) RT_OP_LOCAL_SET, n
#define TEE(n) RT_OP_LOCAL_TEE, n
#define XOR    0xfd, 0x51

static union rt_value value_of(struct vector vector) {
    union rt_value value;
    memcpy(value.v128, vector.bytes, VECTOR_SIZE);
    return value;
}

/* A vector that no other seed gives. */
static union rt_value sample(uint8_t seed) {
    union rt_value value;
    for (unsigned i = 0; i < VECTOR_SIZE; i++)
        value.v128[i] = (uint8_t)(17 * seed + i);
    return value;
}

static void expect_vector(const union rt_value *found, union rt_value expected) {
    assert_memory_equal(found->v128, expected.v128, VECTOR_SIZE);
}

/* ---- Instructions ---- */

/* A function of the instruction's own type, whose operands are its parameters. */
static void build_instruction(struct builder *builder, uint32_t opcode, const char *signature,
                              uint32_t offset, uint8_t lane) {
    struct bytes code = {0};
    for (const char *operand = signature; *operand != ':'; operand++)
        PUT(&code, GET((uint8_t)(operand - signature)));
    put_op(&code, opcode);
    if (accesses_memory(opcode)) {
        put_uleb(&code, 0);
        put_uleb(&code, offset);
    }
    if (rt_opcodes[opcode].immediate == RT_IMM_LANE || rt_opcodes[opcode].immediate == RT_IMM_MEMARG_LANE)
        put_byte(&code, lane);
    build_function(builder, NULL, signature, "", &code);
}

/* Where memory instructions of rows access it: index and offset. */
enum { ROW_INDEX = 35, ROW_OFFSET = 200 };

/* What a row's instruction gave, in the form that judge wants: a scalar as 64 bits. */
static struct vector found_in(const uint8_t *memory, const union rt_value *result, char type) {
    struct vector found = {0};
    uint64_t scalar = type == 'i' || type == 'f' ? result->i32 : result->i64;
    if (type == '\0')
        memcpy(found.bytes, memory, VECTOR_SIZE);
    else if (type == 'v')
        memcpy(found.bytes, result->v128, VECTOR_SIZE);
    else
        memcpy(found.bytes, &scalar, sizeof(scalar));
    return found;
}

/* A row's function, called with the row's operands, gives its result; nothing else in memory changes. */
static void run_row(const struct running *running, uint32_t index, bool canonical_nans) {
    const struct row *row = &rows[index];
    union rt_value args[3] = {{.i64 = 0}}, results[1] = {{.i64 = 0}};
    uint8_t *memory = rt_memory_base(rt_instance_memory(running->instance, 0)) + ROW_INDEX + ROW_OFFSET;
    bool is_access = accesses_memory(row->opcode);
    const char *signature = rt_opcodes[row->opcode].signature;
    for (unsigned i = 0, vectors = 0; signature[i] != ':'; i++) {
        if (signature[i] == 'v')
            args[i] = value_of(from_hex(inputs[row->operands[vectors++]]));
        else
            args[i].i64 = is_access ? ROW_INDEX : row->scalar;
    }
    if (is_access)
        memcpy(memory, memory_before(row, VECTOR_SIZE).bytes, VECTOR_SIZE);
    expect_good(rt_func_call(rt_instance_func(running->instance, index), args, results));
    judge(row, found_in(memory, results, strchr(signature, ':')[1]), canonical_nans);
}

static void rows_in_modules(void **state) {
    (void)state;
    for (int canonical_nans = 0; canonical_nans < 2; canonical_nans++) {
        struct builder builder = {0};
        build_memory(&builder, 1, 1);
        for (unsigned i = 0; i < ROW_COUNT; i++)
            build_instruction(&builder, rows[i].opcode, rt_opcodes[rows[i].opcode].signature, ROW_OFFSET,
                              rows[i].lane);
        struct rt_compile_options options = {.canonical_nans = canonical_nans};
        struct running running = run_with(&builder, &options, NULL, 0, NULL);
        for (unsigned i = 0; i < ROW_COUNT; i++)
            run_row(&running, i, canonical_nans);
        stop(&running);
    }
}

/* Bytes that an instruction accesses, by its name and not by the engine's tables. */
static unsigned access_size(uint32_t opcode) {
    const char *text = rt_opcodes[opcode].text + strlen("v128.");
    while (*text && (*text < '0' || *text > '9'))
        text++;
    unsigned lane = (unsigned)strtoul(text, NULL, 10), size = lane / 8;
    if (!*text)
        return VECTOR_SIZE;
    return strchr(text, 'x') ? 8 : size;
}

static void expect_outside(const struct running *running, uint32_t function, uint32_t index) {
    union rt_value args[2] = {{.i32 = index}, sample(9)}, result;
    expect_trap_error(rt_func_call(rt_instance_func(running->instance, function), args, &result),
                      RT_TRAP_MEMORY_OUT_OF_BOUNDS, NULL);
}

/* The last bytes of memory can be accessed, one byte further on traps and changes nothing, and an index and
 * an offset do not wrap around. */
static void memory_has_an_end(void **state) {
    (void)state;
    enum { OFFSET = 7, PAGE = 65536 };
    for (uint32_t opcode = RT_OP_V128_LOAD; opcode < RT_OP_LIMIT; opcode++) {
        if (!rt_opcodes[opcode].text || !accesses_memory(opcode))
            continue;
        unsigned size = access_size(opcode);
        struct builder builder = {0};
        build_memory(&builder, 1, 1);
        build_instruction(&builder, opcode, rt_opcodes[opcode].signature, OFFSET, 0);
        build_instruction(&builder, opcode, rt_opcodes[opcode].signature, UINT32_MAX, 0);
        struct running running = run(&builder);
        union rt_value args[2] = {{.i32 = PAGE - OFFSET - size}, sample(5)}, result;
        expect_good(rt_func_call(rt_instance_func(running.instance, 0), args, &result));
        uint8_t *end = rt_memory_base(rt_instance_memory(running.instance, 0)) + PAGE - VECTOR_SIZE;
        union rt_value before, after;
        memcpy(before.v128, end, VECTOR_SIZE);
        for (unsigned i = 1; i <= size; i++)
            expect_outside(&running, 0, PAGE - OFFSET - size + i);
        expect_outside(&running, 0, UINT32_MAX);
        expect_outside(&running, 1, 0);
        expect_outside(&running, 1, UINT32_MAX);
        memcpy(after.v128, end, VECTOR_SIZE);
        expect_vector(&after, before);
        stop(&running);
    }
}

/* ---- Values ---- */

static void locals_and_globals(void **state) {
    (void)state;
    struct builder builder = {0};
    build_global(&builder, 'v', true, 0);
    /* The operands keep the values that the locals had. */
    BUILD_FUNCTION(&builder, "swap", "vv:vv", "", GET(0), GET(1), SET(0), SET(1), GET(0), GET(1));
    BUILD_FUNCTION(&builder, "tee", "vv:vvv", "v", GET(2), GET(0), TEE(2), GET(2), GET(1), SET(2), GET(2),
                   XOR);
    BUILD_FUNCTION(&builder, "exchange", "v:v", "", RT_OP_GLOBAL_GET, 0, GET(0), RT_OP_GLOBAL_SET, 0);
    struct running running = run(&builder);
    union rt_value args[] = {sample(1), sample(2)}, results[3];
    expect_good(rt_func_call(exported(&running, "swap"), args, results));
    expect_vector(&results[0], sample(2));
    expect_vector(&results[1], sample(1));
    expect_good(rt_func_call(exported(&running, "tee"), args, results));
    expect_vector(&results[0], (union rt_value){.v128 = {0}});
    expect_vector(&results[1], sample(1));
    for (unsigned i = 0; i < VECTOR_SIZE; i++)
        assert_int_equal(results[2].v128[i], sample(1).v128[i] ^ sample(2).v128[i]);
    for (uint8_t i = 0; i < 3; i++) {
        args[0] = sample((uint8_t)(i + 1));
        expect_good(rt_func_call(exported(&running, "exchange"), args, results));
        expect_vector(&results[0], i ? sample(i) : (union rt_value){.v128 = {0}});
    }
    stop(&running);
}

static void select_and_blocks(void **state) {
    (void)state;
    enum { VECTOR = 0x7b };
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "select", "vvi:v", "", GET(0), GET(1), GET(2), RT_OP_SELECT_T, 1, VECTOR);
    BUILD_FUNCTION(&builder, "plain select", "vvi:v", "", GET(0), GET(1), GET(2), RT_OP_SELECT);
    BUILD_FUNCTION(&builder, "if", "vvi:v", "", GET(2), RT_OP_IF, VECTOR, GET(0), RT_OP_ELSE, GET(1),
                   RT_OP_END);
    BUILD_FUNCTION(&builder, "br_if", "vvi:v", "", RT_OP_BLOCK, VECTOR, GET(0), GET(2), RT_OP_BR_IF, 0,
                   RT_OP_DROP, GET(1), RT_OP_END);
    /* Something lies below what the branch carries. */
    BUILD_FUNCTION(&builder, "br_table", "vvi:v", "", RT_OP_BLOCK, VECTOR, RT_OP_BLOCK, VECTOR, GET(2),
                   GET(0), GET(2), RT_OP_BR_TABLE, 1, 0, 1, RT_OP_END, RT_OP_DROP, GET(1), RT_OP_END);
    BUILD_FUNCTION(&builder, "return", "vvi:v", "", GET(2), GET(0), GET(2), RT_OP_BR_IF, 0, RT_OP_DROP,
                   RT_OP_DROP, GET(1), RT_OP_RETURN);
    struct running running = run(&builder);
    static const char *const names[] = {"select", "plain select", "if", "br_if", "br_table", "return"};
    for (unsigned i = 0; i < 2 * (sizeof names / sizeof *names); i++) {
        union rt_value args[] = {sample(1), sample(2), {.i32 = i % 2}}, result;
        expect_good(rt_func_call(exported(&running, names[i / 2]), args, &result));
        expect_vector(&result, i % 2 ? sample(1) : sample(2));
    }
    stop(&running);
}

/* More vectors than any machine has registers are operands at once. */
static void many_operands(void **state) {
    (void)state;
    enum { COUNT = 60 };
    struct builder builder = {0};
    struct bytes code = {0};
    union rt_value expected = {.v128 = {0}};
    for (uint8_t i = 0; i < COUNT; i++) {
        put_op(&code, RT_OP_V128_CONST);
        put(&code, sample(i).v128, VECTOR_SIZE);
    }
    /* The first less (the second less (the third less ...)). */
    for (unsigned i = 1; i < COUNT; i++)
        put_op(&code, RT_OP_I8X16_SUB);
    for (uint8_t i = COUNT; i > 0; i--) {
        for (unsigned k = 0; k < VECTOR_SIZE; k++)
            expected.v128[k] = (uint8_t)(sample((uint8_t)(i - 1)).v128[k] - expected.v128[k]);
    }
    build_function(&builder, "many", ":v", "", &code);
    struct running running = run(&builder);
    union rt_value result;
    expect_good(rt_func_call(exported(&running, "many"), NULL, &result));
    expect_vector(&result, expected);
    stop(&running);
}

/* ---- Calls ---- */

#define MIXED "ivFvIvvvvvvvvvf:vIvifF"

/* What a function of type MIXED gives, by the parameters' names: vectors from either end, numbers between. */
static struct rt_error *mix(void *user, struct rt_caller *caller, const union rt_value *args,
                            union rt_value *results) {
    (void)user, (void)caller;
    results[0] = args[13];
    results[1].i64 = args[4].i64;
    results[2] = args[1];
    results[3].i32 = args[0].i32;
    results[4].f32 = args[14].f32;
    results[5].f64 = args[2].f64;
    return NULL;
}

static void mixed_calls(void **state) {
    (void)state;
    static const char *const ways[] = {"host", "direct", "indirect", "callee"};
    struct builder builder = {0};
    uint32_t host = build_import(&builder, "mix", MIXED);
    uint32_t callee =
        BUILD_FUNCTION(&builder, "callee", MIXED, "v", GET(13), GET(4), GET(1), GET(0), GET(14), GET(2));
    for (uint32_t way = 0; way < 3; way++) {
        struct bytes code = {0};
        for (uint8_t i = 0; i < 15; i++)
            PUT(&code, GET(i));
        if (way == 2)
            PUT(&code, RT_OP_I32_CONST, 0, RT_OP_CALL_INDIRECT, 0, 0);
        else
            PUT(&code, RT_OP_CALL, (uint8_t)(way ? callee : host));
        build_function(&builder, ways[way], MIXED, "vi", &code);
    }
    build_table(&builder, 'r', 1, 1);
    build_elements(&builder, 0, &callee, 1);

    struct rt_store *store;
    struct rt_func *func;
    expect_good(rt_store_create(&store));
    static const uint8_t params[] = {RT_I32,  RT_V128, RT_F64,  RT_V128, RT_I64,  RT_V128, RT_V128, RT_V128,
                                     RT_V128, RT_V128, RT_V128, RT_V128, RT_V128, RT_V128, RT_F32};
    static const uint8_t results_of[] = {RT_V128, RT_I64, RT_V128, RT_I32, RT_F32, RT_F64};
    struct rt_func_type type = {
        .param_count = 15, .result_count = 6, .params = params, .results = results_of};
    expect_good(rt_func_create(store, "mix", type, mix, NULL, &func));
    struct rt_extern import = {.kind = RT_EXTERN_FUNC, .func = func};
    struct running running = run_with(&builder, NULL, &import, 1, store);

    union rt_value args[15], results[6];
    for (uint8_t i = 0; i < 15; i++)
        args[i] = sample(i);
    args[2].f64 = 2.5;
    args[14].f32 = -1.5f;
    for (unsigned way = 0; way < sizeof ways / sizeof *ways; way++) {
        memset(results, 0xcc, sizeof results);
        expect_good(rt_func_call(exported(&running, ways[way]), args, results));
        expect_vector(&results[0], sample(13));
        assert_true(results[1].i64 == args[4].i64);
        expect_vector(&results[2], sample(1));
        assert_true(results[3].i32 == args[0].i32);
        assert_true(results[4].f32 == -1.5f);
        assert_true(results[5].f64 == 2.5);
    }
    stop(&running);
}

/* ---- Activations ---- */

static unsigned looks;

static union rt_value local_of(const struct rt_activation *activation, uint32_t index) {
    enum rt_type type;
    union rt_value value;
    expect_good(rt_activation_local(activation, index, &type, &value));
    assert_int_equal(type, RT_V128);
    return value;
}

/* A host call's view of its caller, whose second local it changes. */
static struct rt_error *look(void *user, struct rt_caller *caller, const union rt_value *args,
                             union rt_value *results) {
    (void)user, (void)args, (void)results;
    struct rt_activation activation;
    enum rt_type type;
    union rt_value value;
    uint32_t count;
    assert_true(rt_activation_first(caller->store, NULL, &activation));
    value = local_of(&activation, 1);
    expect_vector(&value, sample(3));
    value = local_of(&activation, 3);
    expect_vector(&value, (union rt_value){.v128 = {0}});
    expect_good(rt_activation_operand_count(&activation, &count));
    assert_int_equal(count, 3);
    expect_good(rt_activation_operand(&activation, 0, &type, &value));
    assert_int_equal(type, RT_I32);
    assert_int_equal(value.i32, 77);
    expect_good(rt_activation_operand(&activation, 1, &type, &value));
    assert_int_equal(type, RT_V128);
    expect_vector(&value, sample(8));
    expect_good(rt_activation_operand(&activation, 2, &type, &value));
    assert_int_equal(type, RT_V128);
    for (unsigned i = 0; i < VECTOR_SIZE; i++)
        assert_int_equal(value.v128[i], (uint8_t)~sample(3).v128[i]);
    expect_good(rt_activation_set_local(&activation, 1, sample(6)));
    looks++;
    return NULL;
}

static void activations_show_vectors(void **state) {
    (void)state;
    enum { NOT = 0x4d };
    looks = 0;
    struct builder builder = {0};
    uint32_t host = build_import(&builder, "look", ":");
    struct bytes code = {0};
    PUT(&code, GET(0));
    put_op(&code, RT_OP_V128_CONST);
    put(&code, sample(8).v128, VECTOR_SIZE);
    PUT(&code, GET(1), 0xfd, NOT, RT_OP_CALL, (uint8_t)host, RT_OP_DROP, RT_OP_DROP, RT_OP_DROP, GET(1),
        GET(2));
    build_function(&builder, "show", "ivI:vI", "v", &code);
    struct rt_store *store;
    struct rt_func *func;
    expect_good(rt_store_create(&store));
    expect_good(rt_func_create(store, "look", (struct rt_func_type){0}, look, NULL, &func));
    struct rt_extern import = {.kind = RT_EXTERN_FUNC, .func = func};
    struct running running = run_with(&builder, NULL, &import, 1, store);
    union rt_value args[] = {{.i32 = 77}, sample(3), {.i64 = 1234567890123}}, results[2];
    expect_good(rt_func_call(exported(&running, "show"), args, results));
    assert_int_equal(looks, 1);
    expect_vector(&results[0], sample(6));
    assert_true(results[1].i64 == 1234567890123);
    stop(&running);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_in_modules),
        cmocka_unit_test(memory_has_an_end),
        cmocka_unit_test(locals_and_globals),
        cmocka_unit_test(select_and_blocks),
        cmocka_unit_test(many_operands),
        cmocka_unit_test(mixed_calls),
        cmocka_unit_test(activations_show_vectors),
    };
    tested_engine = RT_ENGINE_INTERP;
    return cmocka_run_group_tests_name("interp", tests, NULL, NULL);
}
