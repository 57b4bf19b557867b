/* What is the interpreter's own: fused instructions, its guest stack, hooks that run guests, probes that
 * change while it runs. */
#include "runtime/tests/builder.h"

#include <ucontext.h>

#define GET(n)   RT_OP_LOCAL_GET, n
#define SET(n)   RT_OP_LOCAL_SET, n
#define TEE(n)   RT_OP_LOCAL_TEE, n
#define CONST(n) RT_OP_I32_CONST, n
#define EMPTY    0x40

static struct running run_interp(struct builder *builder, struct rt_compile_options options,
                                 const struct rt_extern *imports, size_t import_count,
                                 struct rt_store *store) {
    tested_engine = RT_ENGINE_INTERP;
    return run_with(builder, &options, imports, import_count, store);
}

static void set_all(const struct running *running, bool enabled) {
    size_t count;
    (void)rt_code_sites(running->code, &count);
    for (uint32_t i = 0; i < count; i++)
        expect_good(rt_code_set_probes(running->code, &i, 1, enabled));
}

static uint32_t first_pc(const struct running *running, uint32_t function) {
    uint32_t start, code, end;
    assert_true(rt_module_function_range(running->module, function, &start, &code, &end));
    return code;
}

/* ---- Fused and not ---- */

static uint64_t random_state;
static uint32_t random_below(uint32_t limit) {
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(random_state >> 33) % limit;
}

enum { LOCALS = 5, FUEL = 5 /* a local: rounds that all loops may still take */ };

static void put_expression(struct bytes *code, unsigned depth);
static void put_statements(struct bytes *code, unsigned depth, unsigned labels);

/* Of i32. */
static void put_expression(struct bytes *code, unsigned depth) {
    static const uint8_t binary[] = {
        RT_OP_I32_ADD,   RT_OP_I32_SUB,   RT_OP_I32_MUL,   RT_OP_I32_AND,  RT_OP_I32_XOR,  RT_OP_I32_SHL,
        RT_OP_I32_SHR_S, RT_OP_I32_ROTL,  RT_OP_I32_EQ,    RT_OP_I32_NE,   RT_OP_I32_LT_S, RT_OP_I32_LT_U,
        RT_OP_I32_GE_S,  RT_OP_I32_DIV_U, RT_OP_I32_REM_S, RT_OP_I32_LE_U, RT_OP_I32_OR,   RT_OP_I32_GT_S};
    switch (depth ? random_below(9) : random_below(2)) {
    case 0: PUT(code, GET((uint8_t)random_below(LOCALS))); break;
    case 1: put_constant(code, RT_I32, random_below(4) ? random_below(100) : (uint32_t)random_state); break;
    case 2:
        put_expression(code, depth - 1);
        put_byte(code, RT_OP_I32_EQZ);
        break;
    case 3:
        put_expression(code, depth - 1);
        PUT(code, TEE((uint8_t)random_below(LOCALS)));
        break;
    case 4:
        put_expression(code, depth - 1);
        put_expression(code, depth - 1);
        put_expression(code, depth - 1);
        put_byte(code, RT_OP_SELECT);
        break;
    case 5: /* what a branch passes on */
        PUT(code, RT_OP_BLOCK, RT_I32);
        put_expression(code, depth - 1);
        put_expression(code, depth - 1);
        PUT(code, RT_OP_BR_IF, 0, RT_OP_DROP);
        put_expression(code, depth - 1);
        put_byte(code, RT_OP_END);
        break;
    case 6:
        put_expression(code, depth - 1);
        PUT(code, CONST(60), RT_OP_I32_AND, RT_OP_I32_LOAD, 2, 8);
        break;
    default:
        put_expression(code, depth - 1);
        put_expression(code, depth - 1);
        put_byte(code, binary[random_below(sizeof(binary))]);
        break;
    }
}

static void put_statement(struct bytes *code, unsigned depth, unsigned labels) {
    switch (random_below(depth ? 7 : 3)) {
    case 0:
        put_expression(code, 3);
        PUT(code, SET((uint8_t)random_below(LOCALS)));
        break;
    case 1:
        put_expression(code, 2);
        PUT(code, CONST(60), RT_OP_I32_AND);
        put_expression(code, 2);
        PUT(code, RT_OP_I32_STORE, 2, 8);
        break;
    case 2:
        put_expression(code, 2);
        PUT(code, RT_OP_BR_IF, (uint8_t)random_below(labels));
        break;
    case 3:
    case 4: /* each round takes fuel, so that any branch is good */
        PUT(code, RT_OP_BLOCK, EMPTY, RT_OP_LOOP, EMPTY, GET(FUEL), RT_OP_I32_EQZ, RT_OP_BR_IF, 1, GET(FUEL),
            CONST(1), RT_OP_I32_SUB, SET(FUEL));
        put_statements(code, depth - 1, labels + 2);
        put_expression(code, 2);
        PUT(code, RT_OP_BR_IF, 0, RT_OP_END, RT_OP_END);
        break;
    case 5:
        PUT(code, RT_OP_BLOCK, EMPTY);
        put_statements(code, depth - 1, labels + 1);
        put_expression(code, 1);
        PUT(code, RT_OP_BR_TABLE, 2, 0, (uint8_t)random_below(labels + 1), 0, RT_OP_END);
        break;
    default:
        put_expression(code, 3);
        PUT(code, RT_OP_IF, EMPTY);
        put_statements(code, depth - 1, labels + 1);
        PUT(code, RT_OP_ELSE);
        put_statements(code, depth - 1, labels + 1);
        PUT(code, RT_OP_END);
        break;
    }
}

/* Branches go to any of `labels`. */
static void put_statements(struct bytes *code, unsigned depth, unsigned labels) {
    for (uint32_t left = 1 + random_below(4); left; left--)
        put_statement(code, depth, labels);
}

static void build_random(struct builder *builder, uint64_t seed) {
    struct bytes code = {0};
    random_state = seed;
    build_memory(builder, 1, 1);
    PUT(&code, RT_OP_BLOCK, EMPTY);
    put_statements(&code, 4, 1);
    PUT(&code, RT_OP_END, CONST(0));
    for (uint8_t i = 0; i < LOCALS; i++)
        PUT(&code, CONST(31), RT_OP_I32_MUL, GET(i), RT_OP_I32_ADD);
    build_function(builder, "f", "iiiiii:i", "", &code);
}

/* The result and the memory, or the trap. */
static uint64_t outcome(const struct running *running) {
    union rt_value args[] = {{.i32 = 3},  {.i32 = 0},  {.i32 = UINT32_MAX},
                             {.i32 = 77}, {.i32 = 12}, {.i32 = 40}};
    union rt_value result = {0};
    struct rt_error *error = rt_func_call(exported(running, "f"), args, &result);
    uint64_t sum = error ? 1000 + (uint64_t)error->trap : result.i32;
    rt_error_destroy(error);
    const uint8_t *memory = rt_memory_base(rt_instance_memory(running->instance, 0));
    for (unsigned i = 0; i < 128; i++)
        sum = sum * 31 + memory[i];
    return sum;
}

static void count_probe(void *user, const struct rt_code *code, uintptr_t machine) {
    uint64_t *count = user;
    uint32_t function, pc;
    assert_true(rt_code_pc(code, machine, &function, &pc));
    ++*count;
}

/* Forms of the same program: compiled, fused, not fused, stopping everywhere. */
#ifdef __x86_64__
#define FIRST_FORM 0
#else
#define FIRST_FORM 1
#endif

static void test_forms_agree(void **state) {
    (void)state;
    uint64_t stops = 0, sum = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t outcomes[4];
        for (unsigned form = FIRST_FORM; form < 4; form++) {
            struct builder builder = {0};
            build_random(&builder, seed);
            tested_engine = form ? RT_ENGINE_INTERP : RT_ENGINE_COMPILED;
            struct rt_compile_options options = {.every_instruction = form >= 2};
            struct running running = run_with(&builder, &options, NULL, 0, NULL);
            rt_store_set_hooks(running.store, &(struct rt_hooks){.user = &stops, .probe = count_probe});
            set_all(&running, form == 3);
            outcomes[form] = outcome(&running);
            stop(&running);
        }
        for (unsigned form = FIRST_FORM + 1; form < 4; form++) {
            if (outcomes[form] != outcomes[FIRST_FORM])
                fail_msg("seed %llu: form %u differs", (unsigned long long)seed, form);
        }
        sum = sum * 31 + outcomes[FIRST_FORM];
    }
    assert_true(stops > 10000);
    assert_int_equal(sum, 0xcb233c7355acbc96); /* of compiled code on x86-64; the same on every processor */
}

/* A site that shares its word with a later instruction: each has its own pc. */
struct shared {
    struct running *running;
    uint32_t site, trap;
    unsigned stops, traps;
};

static void stop_at_site(void *user, const struct rt_code *code, uintptr_t machine) {
    struct shared *shared = user;
    struct rt_activation activation;
    uint32_t function, count;
    assert_true(rt_code_pc(code, machine, &function, &shared->site));
    assert_true(rt_activation_first(shared->running->store, NULL, &activation));
    assert_int_equal(activation.pc, shared->site);
    expect_good(rt_activation_operand_count(&activation, &count));
    assert_int_equal(count, 0);
    shared->stops++;
}

static void stop_at_trap(void *user, const struct rt_trap_info *info, void *context) {
    struct shared *shared = user;
    struct rt_activation activation;
    uint32_t function, count;
    assert_null(context);
    assert_true(rt_code_pc(shared->running->code, info->machine, &function, &shared->trap));
    assert_true(rt_activation_first(shared->running->store, NULL, &activation));
    assert_int_equal(activation.pc, shared->trap);
    expect_good(rt_activation_operand_count(&activation, &count));
    assert_int_equal(count, 2);
    shared->traps++;
}

static void test_shared_word(void **state) {
    (void)state;
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "f", "ii:i", "", GET(0), GET(1), RT_OP_I32_DIV_U, TEE(0));
    uint32_t first = 3; /* behind the number of bodies, the body's size and its number of locals */
    struct running running =
        run_interp(&builder, (struct rt_compile_options){.sites = &first, .site_count = 1}, NULL, 0, NULL);
    struct shared shared = {.running = &running};
    rt_store_set_hooks(running.store,
                       &(struct rt_hooks){.user = &shared, .probe = stop_at_site, .trap = stop_at_trap});
    set_all(&running, true);
    assert_int_equal(call(&running, "f", 42, 6, 0, 0), 7);
    expect_trap(&running, "f", 1, 0, RT_TRAP_INTEGER_DIVIDE_BY_ZERO);
    assert_int_equal(shared.stops, 2);
    assert_int_equal(shared.traps, 1);
    assert_int_equal(first_pc(&running, 0), first);
    assert_int_equal(shared.site, first);
    assert_int_equal(shared.trap, first + 4);
    stop(&running);
}

/* ---- The guest's stack ---- */

static void test_deep_recursion(void **state) {
    (void)state;
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "depth", "i:i", "I", GET(0), RT_OP_IF, RT_I32, GET(0), CONST(1), RT_OP_I32_SUB,
                   RT_OP_CALL, 0, CONST(1), RT_OP_I32_ADD, RT_OP_ELSE, CONST(0), RT_OP_END);
    struct running running = run_interp(&builder, (struct rt_compile_options){0}, NULL, 0, NULL);
    assert_int_equal(call(&running, "depth", 150000, 0, 0, 0), 150000);
    expect_trap(&running, "depth", UINT32_MAX, 0, RT_TRAP_STACK_EXHAUSTED);
    assert_int_equal(call(&running, "depth", 150000, 0, 0, 0), 150000);
    stop(&running);
}

struct again {
    struct running running;
    uint32_t deepest;
};

/* Calls the guest again, which calls this again. */
static struct rt_error *call_again(void *user, struct rt_caller *caller, const union rt_value *args,
                                   union rt_value *results) {
    struct again *again = user;
    (void)caller;
    if (args[0].i32 > again->deepest)
        again->deepest = args[0].i32;
    union rt_value argument = {.i32 = args[0].i32 + 1};
    return rt_func_call(exported(&again->running, "f"), &argument, results);
}

static void test_host_recursion(void **state) {
    (void)state;
    struct again again = {0};
    static const uint8_t i32[] = {RT_I32};
    struct rt_extern given = {.kind = RT_EXTERN_FUNC};
    struct rt_store *store;
    expect_good(rt_store_create(&store));
    expect_good(rt_func_create(store, "again", (struct rt_func_type){1, 1, i32, i32}, call_again, &again,
                               &given.func));
    struct builder builder = {0};
    build_import(&builder, "again", "i:i");
    BUILD_FUNCTION(&builder, "f", "i:i", "", GET(0), RT_OP_CALL, 0);
    again.running = run_interp(&builder, (struct rt_compile_options){0}, &given, 1, store);
    for (unsigned i = 0; i < 2; i++)
        expect_trap(&again.running, "f", 0, 0, RT_TRAP_STACK_EXHAUSTED);
    assert_true(again.deepest > 1000);
    struct rt_activation none;
    assert_false(rt_activation_first(store, NULL, &none));
    stop(&again.running);
}

/* A guest is abandoned within a host function: nothing but its store is destroyed. */
static ucontext_t abandoning, abandoned;
static char abandoned_stack[256 * 1024];
static struct running abandoned_guest;

static struct rt_error *leave_for_good(void *user, struct rt_caller *caller, const union rt_value *args,
                                       union rt_value *results) {
    (void)user, (void)caller, (void)args, (void)results;
    swapcontext(&abandoned, &abandoning);
    fail_msg("an abandoned guest goes on");
    return NULL;
}

static void run_abandoned(void) {
    call(&abandoned_guest, "f", 1, 0, 0, 0);
}

static void test_abandoned_guest(void **state) {
    (void)state;
    static const uint8_t i32s[40] = {RT_I32, RT_I32, RT_I32, RT_I32, RT_I32, RT_I32, RT_I32, RT_I32};
    struct rt_extern given = {.kind = RT_EXTERN_FUNC};
    struct rt_store *store;
    expect_good(rt_store_create(&store));
    expect_good(rt_func_create(store, "leave", (struct rt_func_type){1, 1, i32s, i32s}, leave_for_good, NULL,
                               &given.func));
    struct builder builder = {0};
    build_import(&builder, "leave", "i:i");
    BUILD_FUNCTION(&builder, "f", "i:i", "", GET(0), RT_OP_CALL, 0);
    abandoned_guest = run_interp(&builder, (struct rt_compile_options){0}, &given, 1, store);
    rt_store_set_stack_limit(store, (uintptr_t)abandoned_stack + 4096);
    getcontext(&abandoned);
    abandoned.uc_stack.ss_sp = abandoned_stack;
    abandoned.uc_stack.ss_size = sizeof(abandoned_stack);
    makecontext(&abandoned, run_abandoned, 0);
    swapcontext(&abandoning, &abandoned);
    struct rt_activation activation;
    assert_true(rt_activation_first(store, NULL, &activation));
    assert_int_equal(activation.function, 1);
    stop(&abandoned_guest);
}

/* ---- Hooks ---- */

struct toggling {
    struct running running;
    uint32_t pcs[64];
    unsigned count;
};

/* Each site that is reached goes off, and the next one on. */
static void toggle(void *user, const struct rt_code *code, uintptr_t machine) {
    struct toggling *toggling = user;
    size_t count;
    uint32_t here = 0;
    const struct rt_site *sites = rt_code_sites(code, &count);
    while (sites[here].machine != machine)
        here++;
    uint32_t next = (here + 1) % (uint32_t)count;
    expect_good(rt_code_set_probes(toggling->running.code, &here, 1, false));
    expect_good(rt_code_set_probes(toggling->running.code, &next, 1, true));
    assert_true(toggling->count < 64);
    toggling->pcs[toggling->count++] = sites[here].pc;
}

static void test_toggling(void **state) {
    (void)state;
    struct toggling toggling = {0};
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "f", "i:i", "i",               /* local 1: rounds */
                   RT_OP_LOOP, EMPTY,                       /* 0 */
                   GET(1), CONST(1), RT_OP_I32_ADD, SET(1), /* 2 4 6 7 */
                   GET(0), CONST(1), RT_OP_I32_SUB, TEE(0), /* 9 11 13 14 */
                   RT_OP_BR_IF, 0,                          /* 16 */
                   RT_OP_END, GET(1));                      /* 18 19 21 */
    toggling.running =
        run_interp(&builder, (struct rt_compile_options){.every_instruction = true}, NULL, 0, NULL);
    rt_store_set_hooks(toggling.running.store, &(struct rt_hooks){.user = &toggling, .probe = toggle});
    expect_good(rt_code_set_probes(toggling.running.code, (uint32_t[]){0}, 1, true));
    assert_int_equal(call(&toggling.running, "f", 1, 0, 0, 0), 1);
    static const uint8_t expected[] = {0, 2, 4, 6, 7, 9, 11, 13, 14, 16, 18, 19, 21};
    assert_int_equal(toggling.count, sizeof(expected));
    for (unsigned i = 0; i < sizeof(expected); i++)
        assert_int_equal(toggling.pcs[i], first_pc(&toggling.running, 0) + expected[i]);
    stop(&toggling.running);
}

/* Both hooks call the guest, and its own state stays. */
struct nested {
    struct running running;
    unsigned probes, traps;
};

static void probe_and_call(void *user, const struct rt_code *code, uintptr_t machine) {
    struct nested *nested = user;
    (void)code;
    struct rt_activation before, after;
    nested->probes++;
    assert_true(rt_activation_first(nested->running.store, NULL, &before));
    assert_int_equal(before.machine, machine);
    assert_int_equal(call(&nested->running, "square", 12, 0, 0, 0), 144);
    expect_trap(&nested->running, "unreachable", 0, 0, RT_TRAP_UNREACHABLE);
    assert_true(rt_activation_first(nested->running.store, NULL, &after));
    assert_int_equal(after.frame, before.frame);
    assert_int_equal(after.pc, before.pc);
}

static void trap_and_call(void *user, const struct rt_trap_info *info, void *context) {
    struct nested *nested = user;
    (void)context;
    if (info->trap == RT_TRAP_INTEGER_DIVIDE_BY_ZERO) {
        nested->traps++;
        expect_trap(&nested->running, "unreachable", 0, 0, RT_TRAP_UNREACHABLE);
    }
}

static void test_hooks_that_call(void **state) {
    (void)state;
    struct nested nested = {0};
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "divide", "ii:i", "iii", CONST(5), GET(0), CONST(2), RT_OP_I32_MUL, GET(1),
                   RT_OP_I32_DIV_U, RT_OP_I32_ADD);
    BUILD_FUNCTION(&builder, "square", "i:i", "II", GET(0), GET(0), RT_OP_I32_MUL);
    BUILD_FUNCTION(&builder, "unreachable", ":", "", RT_OP_UNREACHABLE);
    struct rt_compile_options options = {.every_instruction = true};
    nested.running = run_interp(&builder, options, NULL, 0, NULL);
    size_t count;
    const struct rt_site *sites = rt_code_sites(nested.running.code, &count);
    uint32_t square = first_pc(&nested.running, 1);
    for (uint32_t i = 0; sites[i].pc < square; i++)
        expect_good(rt_code_set_probes(nested.running.code, &i, 1, true));
    rt_store_set_hooks(nested.running.store,
                       &(struct rt_hooks){.user = &nested, .probe = probe_and_call, .trap = trap_and_call});
    assert_int_equal(call(&nested.running, "divide", 21, 6, 0, 0), 12);
    assert_int_equal(nested.probes, 8);
    expect_trap(&nested.running, "divide", 1, 0, RT_TRAP_INTEGER_DIVIDE_BY_ZERO);
    assert_int_equal(nested.traps, 1);
    stop(&nested.running);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_agree),     cmocka_unit_test(test_shared_word),
        cmocka_unit_test(test_deep_recursion),  cmocka_unit_test(test_host_recursion),
        cmocka_unit_test(test_abandoned_guest), cmocka_unit_test(test_toggling),
        cmocka_unit_test(test_hooks_that_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
