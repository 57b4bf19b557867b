/* Probe sites: which there are, what they run, and that locals and operands can be read at each. */
#include "runtime/tests/builder.h"
#include "runtime/tests/stub.h"

#define GET(n)   RT_OP_LOCAL_GET, n
#define SET(n)   RT_OP_LOCAL_SET, n
#define CONST(n) RT_OP_I32_CONST, n
#define EMPTY    0x40

/* ---- One stop ---- */

static struct {
    struct running *running;
    void (*look)(const struct rt_activation *activation, struct rt_registers *registers);
    uint32_t pcs[4096];
    size_t count;
    uint64_t sum; /* of what look adds */
} stops;

/* Notes the stop, and looks; its pc. */
static uint32_t stop_with(struct rt_registers *registers) {
    struct rt_activation activation;
    assert_true(rt_activation_first(stops.running->store, registers, &activation));
    if (stops.count < 4096)
        stops.pcs[stops.count] = activation.pc;
    stops.count++;
    if (stops.look)
        stops.look(&activation, registers);
    return activation.pc;
}

/* The interpreter's hook. */
static void probe(void *user, const struct rt_code *code, uintptr_t machine) {
    assert_ptr_equal(user, &stops);
    assert_ptr_equal(code, stops.running->code);
    uint32_t pc = stop_with(NULL);
    assert_int_equal(rt_code_machine(code, pc), machine);
}

/* Compiled code's. */
static void stop_at_site(struct rt_registers *registers) {
    stop_with(registers);
}

static const struct rt_hooks probe_hooks = {.user = &stops, .probe = probe, .probe_stub = PROBE_STUB};

/* Compiles with these sites (none: all instructions) and enables them all. */
static struct running run_probed(struct builder *builder, const uint32_t *sites, size_t count) {
    struct rt_compile_options options = {.sites = sites, .site_count = count, .every_instruction = !sites};
    struct running running = run_with(builder, &options, NULL, 0, NULL);
    rt_store_set_hooks(running.store, &probe_hooks);
    return running;
}
static void set_all(const struct running *running, bool enabled) {
    size_t count;
    (void)rt_code_sites(running->code, &count);
    uint32_t *indices = malloc((count + 1) * sizeof(*indices));
    assert_non_null(indices);
    for (uint32_t i = 0; i < count; i++)
        indices[i] = i;
    expect_good(rt_code_set_probes(running->code, indices, count, enabled));
    free(indices);
}
static uint64_t call_probed(struct running *running, const char *name, uint64_t a, uint64_t b) {
    stops.running = running;
    at_site = stop_at_site;
    stops.count = 0;
    stops.sum = 0;
    return call(running, name, a, b, 0, 0);
}

/* ---- Tests ---- */

static void test_sites_of_blocks(void **state) {
    (void)state;
    struct builder builder = {0};
    /* Offsets of the instructions, from the body's first. */
    BUILD_FUNCTION(&builder, "f", "i:i", "i",                           /* local 1: rounds */
                   RT_OP_BLOCK, EMPTY,                                  /* 0 */
                   RT_OP_LOOP, EMPTY,                                   /* 2: each round */
                   GET(0),                                              /* 4 */
                   RT_OP_I32_EQZ,                                       /* 6 */
                   RT_OP_BR_IF, 1,                                      /* 7 */
                   GET(1), CONST(1), RT_OP_I32_ADD, SET(1),             /* 9 11 13 14 */
                   GET(0), CONST(1), RT_OP_I32_SUB, RT_OP_LOCAL_TEE, 0, /* 16 18 20 21 */
                   RT_OP_BR_IF, 0,                                      /* 23 */
                   RT_OP_END,                                           /* 25: the loop's */
                   RT_OP_END,                                           /* 26: not by the branch */
                   GET(1), RT_OP_RETURN,                                /* 27 29 */
                   RT_OP_UNREACHABLE);                                  /* 30: never */
    struct running running = run_probed(&builder, NULL, 0);
    size_t count;
    const struct rt_site *sites = rt_code_sites(running.code, &count);
    assert_int_equal(count, 18);
    set_all(&running, true);
    uint32_t start, code, end;
    assert_true(rt_module_function_range(running.module, 0, &start, &code, &end));
    static const uint8_t two_rounds[] = {0, 2, 4, 6,  7,  9,  11, 13, 14, 16, 18, 20, 21, 23, 2, 4,
                                         6, 7, 9, 11, 13, 14, 16, 18, 20, 21, 23, 25, 26, 27, 29};
    assert_int_equal(call_probed(&running, "f", 2, 0), 2);
    assert_int_equal(stops.count, sizeof(two_rounds));
    for (size_t i = 0; i < sizeof(two_rounds); i++)
        assert_int_equal(stops.pcs[i], code + two_rounds[i]);
    static const uint8_t no_round[] = {0, 2, 4, 6, 7, 27, 29};
    assert_int_equal(call_probed(&running, "f", 0, 0), 0);
    assert_int_equal(stops.count, sizeof(no_round));
    for (size_t i = 0; i < sizeof(no_round); i++)
        assert_int_equal(stops.pcs[i], code + no_round[i]);
    assert_int_equal(sites[0].pc, code);

    set_all(&running, false);
    assert_int_equal(call_probed(&running, "f", 5, 0), 5);
    assert_int_equal(stops.count, 0);
    uint32_t some[] = {0, 17};
    expect_good(rt_code_set_probes(running.code, some, 2, true));
    assert_int_equal(call_probed(&running, "f", 5, 0), 5);
    assert_int_equal(stops.count, 2);
    struct rt_error *error = rt_code_set_probes(running.code, (uint32_t[]){18}, 1, true);
    assert_non_null(error);
    assert_int_equal(error->code, RT_USAGE);
    rt_error_destroy(error);
    /* Without a stub nothing happens. */
    rt_store_set_hooks(running.store, NULL);
    assert_int_equal(call_probed(&running, "f", 5, 0), 5);
    assert_int_equal(stops.count, 0);
    stop(&running);
}

static void test_sites_of_if(void **state) {
    (void)state;
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "f", "i:i", "", GET(0), RT_OP_IF, RT_I32, CONST(1), RT_OP_ELSE, CONST(2),
                   RT_OP_END);
    struct running running = run_probed(&builder, NULL, 0);
    set_all(&running, true);
    uint32_t start, code, end;
    assert_true(rt_module_function_range(running.module, 0, &start, &code, &end));
    /* The else is the end of the arm before it; the if's end is passed by falling out of the other. */
    static const uint8_t yes[] = {0, 2, 4, 6, 10}, no[] = {0, 2, 7, 9, 10};
    assert_int_equal(call_probed(&running, "f", 1, 0), 1);
    assert_int_equal(stops.count, sizeof(yes));
    for (size_t i = 0; i < sizeof(yes); i++)
        assert_int_equal(stops.pcs[i], code + yes[i]);
    assert_int_equal(call_probed(&running, "f", 0, 0), 2);
    assert_int_equal(stops.count, sizeof(no));
    for (size_t i = 0; i < sizeof(no); i++)
        assert_int_equal(stops.pcs[i], code + no[i]);
    stop(&running);
}

static void test_chosen_sites(void **state) {
    (void)state;
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "g", ":i", "", CONST(9));
    BUILD_FUNCTION(&builder, "f", "ii:i", "i", GET(0), GET(1), RT_OP_I32_LT_S, RT_OP_IF, EMPTY, CONST(4),
                   SET(0), RT_OP_END, GET(0));
    struct rt_module *module = build_module(&builder);
    uint32_t start, code, end;
    assert_true(rt_module_function_range(module, 1, &start, &code, &end));
    /* Before the body, at its declarations, inside an instruction, at the if behind the comparison, and at
     * the end of everything. */
    uint32_t sites[] = {start - 1, start, code + 3, code + 5, end, end + 100};
    struct rt_code *compiled;
    const struct rt_compile_options options = {.sites = sites, .site_count = 6};
    expect_good(make_code(module, &options, &compiled));
    size_t count;
    const struct rt_site *found = rt_code_sites(compiled, &count);
    assert_int_equal(count, 3);
    assert_int_equal(found[0].pc, code);
    assert_int_equal(found[1].pc, code + 4);
    assert_int_equal(found[2].pc, code + 5);
    rt_code_destroy(compiled);
    rt_module_destroy(module);
}

static void add_operands(const struct rt_activation *activation, struct rt_registers *registers) {
    uint32_t count;
    enum rt_type type;
    union rt_value value;
    if (registers)
        assert_int_equal(registers->general[5], activation->frame);
    expect_good(rt_activation_operand_count(activation, &count));
    for (uint32_t i = 0; i < count; i++) {
        expect_good(rt_activation_operand(activation, i, &type, &value));
        assert_true(type == RT_F64 || type == RT_I64);
        double number = type == RT_F64 ? value.f64 : (double)value.i64;
        assert_true(number == 10.0 * (i + 1));
        stops.sum++;
    }
    expect_good(rt_activation_local(activation, 0, &type, &value));
    assert_int_equal(value.i64, 10);
}

static void test_operands(void **state) {
    (void)state;
    /* Operand k is always 10 * (k + 1), wherever it is: constants, locals, registers, slots, of both classes.
     */
    struct builder builder = {0};
    struct bytes code = {0};
    PUT(&code, GET(0));
    for (unsigned i = 2; i <= 40; i++) {
        if (i % 2) {
            PUT(&code, GET(0), RT_OP_I64_CONST, (uint8_t)i, RT_OP_I64_MUL);
        } else {
            PUT(&code, GET(0), RT_OP_F64_CONVERT_I64_S, RT_OP_I64_CONST, (uint8_t)i, RT_OP_F64_CONVERT_I64_S,
                RT_OP_F64_MUL);
        }
    }
    for (unsigned i = 2; i <= 40; i++)
        PUT(&code, RT_OP_DROP);
    build_function(&builder, "f", "I:I", "", &code);
    struct rt_module *module = build_module(&builder);
    /* Sites at the first GET(0) of each operand, where all below hold the rule. */
    uint32_t start, first, end, sites[64];
    size_t count = 0;
    assert_true(rt_module_function_range(module, 0, &start, &first, &end));
    uint32_t pc = first + 2;
    for (unsigned i = 2; i <= 40; i++) {
        sites[count++] = pc;
        pc += i % 2 ? 5 : 7;
    }
    sites[count++] = pc; /* the first drop */
    struct running running = {.module = module};
    expect_good(rt_store_create(&running.store));
    struct rt_compile_options options = {.sites = sites, .site_count = count};
    expect_good(make_code(module, &options, &running.code));
    expect_good(rt_instance_create(running.store, running.code, NULL, 0, &running.instance));
    rt_store_set_hooks(running.store, &probe_hooks);
    set_all(&running, true);
    stops.look = add_operands;
    assert_int_equal(call_probed(&running, "f", 10, 0), 10);
    stops.look = NULL;
    assert_int_equal(stops.count, 40);
    assert_int_equal(stops.sum, 40 * 41 / 2);
    stop(&running);
}

static void change_local(const struct rt_activation *activation, struct rt_registers *registers) {
    (void)registers;
    expect_good(rt_activation_set_local(activation, 1, (union rt_value){.i64 = 100}));
}

static void refuse_change(const struct rt_activation *activation, struct rt_registers *registers) {
    (void)registers;
    struct rt_error *error = rt_activation_set_local(activation, 1, (union rt_value){.i64 = 100});
    assert_non_null(error);
    assert_int_equal(error->code, RT_USAGE);
    rt_error_destroy(error);
}

static void test_set_local(void **state) {
    (void)state;
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "f", "I:I", "I", GET(0), GET(1), RT_OP_I64_ADD);
    struct running running = run_probed(&builder, NULL, 0);
    expect_good(rt_code_set_probes(running.code, (uint32_t[]){0}, 1, true));
    stops.look = change_local;
    assert_int_equal(call_probed(&running, "f", 10, 0), 110);
    /* At the addition its old value is an operand. */
    expect_good(rt_code_set_probes(running.code, (uint32_t[]){0}, 1, false));
    expect_good(rt_code_set_probes(running.code, (uint32_t[]){2}, 1, true));
    stops.look = refuse_change;
    assert_int_equal(call_probed(&running, "f", 10, 0), 10);
    assert_int_equal(stops.count, 1);
    stops.look = NULL;
    stop(&running);

    /* The local's value was in a register as well when it was changed. */
    BUILD_FUNCTION(&builder, "g", "I:I", "I", GET(0), RT_OP_LOCAL_TEE, 1, RT_OP_LOCAL_SET, 0, GET(1), GET(0),
                   RT_OP_I64_ADD);
    running = run_probed(&builder, NULL, 0);
    expect_good(rt_code_set_probes(running.code, (uint32_t[]){3}, 1, true));
    stops.look = change_local;
    assert_int_equal(call_probed(&running, "g", 10, 0), 110);
    stops.look = NULL;
    stop(&running);
}

/* Operand i is a vector of bytes i + 1, but for the two topmost, which are what it is computed from. */
static void look_at_vectors(const struct rt_activation *activation, struct rt_registers *registers) {
    (void)registers;
    uint32_t count;
    enum rt_type type;
    union rt_value value;
    expect_good(rt_activation_operand_count(activation, &count));
    for (uint32_t i = 0; i + 2 < count; i++) {
        expect_good(rt_activation_operand(activation, i, &type, &value));
        assert_int_equal(type, RT_V128);
        for (unsigned k = 0; k < sizeof(value.v128); k++)
            assert_int_equal(value.v128[k], i + 1);
        stops.sum++;
    }
}

static void test_vectors(void **state) {
    (void)state;
    enum { COUNT = 20 }; /* some in registers, some not */
    struct builder builder = {0};
    struct bytes code = {0};
    for (uint8_t i = 0; i < COUNT; i++) {
        PUT(&code, GET(0), CONST((uint8_t)(i + 1)));
        put_op(&code, RT_OP_I8X16_SPLAT);
        put_op(&code, RT_OP_V128_OR);
    }
    for (unsigned i = 1; i < COUNT; i++)
        put_op(&code, RT_OP_V128_XOR);
    put_op(&code, RT_OP_V128_ANY_TRUE);
    build_function(&builder, "f", "v:i", "", &code);
    struct running running = run_probed(&builder, NULL, 0);
    set_all(&running, true);
    stops.running = &running;
    at_site = stop_at_site;
    stops.count = stops.sum = 0;
    stops.look = look_at_vectors;
    union rt_value argument = {.v128 = {0}}, result = {0};
    expect_good(rt_func_call(exported(&running, "f"), &argument, &result));
    stops.look = NULL;
    assert_int_equal(result.i32, 1); /* 1 ^ 2 ^ ... ^ 20 is 20 */
    assert_int_equal(stops.count, COUNT * 4 + (COUNT - 1) + 2);
    assert_true(stops.sum > COUNT * COUNT);
    stop(&running);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sites_of_blocks), cmocka_unit_test(test_sites_of_if),
        cmocka_unit_test(test_chosen_sites),    cmocka_unit_test(test_operands),
        cmocka_unit_test(test_set_local),       cmocka_unit_test(test_vectors),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
