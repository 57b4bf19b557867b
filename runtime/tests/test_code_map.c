/* The code map against the truth: the interpreter's locals and operands at each instruction, and the places
 * that the map tells for compiled code that is single-stepped and has no sites. */
#include "runtime/tests/builder.h"

#include "runtime/jit/jit.h"

#ifdef __x86_64__
#include "runtime/tests/single_step.h"

#define GET(n)   RT_OP_LOCAL_GET, n
#define SET(n)   RT_OP_LOCAL_SET, n
#define TEE(n)   RT_OP_LOCAL_TEE, n
#define CONST(n) RT_OP_I32_CONST, n

enum { MOST = 16 /* locals, or operands, of a function here */, STATES = 4096 };

/* ---- The truth ---- */

struct state {
    uint32_t function, pc, operand_count;
    enum rt_type types[MOST];
    union rt_value operands[MOST], locals[MOST];
};
static struct state states[STATES];
static size_t state_count;
static struct rt_store *truth_store;

static void record(void *user, const struct rt_code *code, uintptr_t machine) {
    (void)user, (void)machine;
    struct rt_activation activation;
    assert_true(rt_activation_first(truth_store, NULL, &activation));
    assert_true(state_count < STATES);
    struct state *state = &states[state_count++];
    *state = (struct state){.function = activation.function, .pc = activation.pc};
    uint32_t locals = rt_module_local_count(rt_code_module(code), activation.function);
    expect_good(rt_activation_locals(&activation, 0, locals, state->locals));
    expect_good(rt_activation_operand_count(&activation, &state->operand_count));
    assert_true(locals <= MOST && state->operand_count <= MOST);
    expect_good(rt_activation_operands(&activation, 0, state->operand_count, state->types, state->operands));
}

/* ---- What the map says ---- */

static struct running *guest;
static struct rt_code_map *map;
static struct rt_arena arena;

struct places {
    const struct rt_placed_range *items;
    size_t count;
};
struct known_function {
    const struct rt_code_map_entry *entries;
    size_t entry_count;
    struct places locals[MOST], operands[MOST], instance;
};
static struct known_function known[MOST];

static void learn(uint32_t function) {
    struct known_function *k = &known[function];
    expect_good(rt_code_map_entries(map, function, &arena, &k->entries, &k->entry_count));
    for (uint32_t i = 0; i < rt_module_local_count(guest->module, function); i++)
        expect_good(rt_code_map_local(map, function, i, 0, UINT32_MAX, &arena, &k->locals[i].items,
                                      &k->locals[i].count));
    for (uint32_t i = 0; i < MOST; i++)
        expect_good(rt_code_map_operand(map, function, i, 0, UINT32_MAX, &arena, &k->operands[i].items,
                                        &k->operands[i].count));
    expect_good(
        rt_code_map_instance(map, function, 0, UINT32_MAX, &arena, &k->instance.items, &k->instance.count));
}

static const struct rt_machine_place *place_at(const struct places *places, uintptr_t pc) {
    const struct rt_machine_place *found = NULL;
    for (size_t i = 0; i < places->count; i++) {
        if (places->items[i].range.low <= pc && pc < places->items[i].range.high) {
            assert_null(found); /* one place at a time */
            found = &places->items[i].place;
        }
    }
    return found;
}

/* `cfa` is that of a complete frame. */
static const void *bytes_at(const struct rt_machine_place *place, const ucontext_t *context,
                            const uint64_t general[16], uint64_t *word) {
    static const uint8_t hardware[16] = {0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};
    switch (place->where) {
    case RT_MACHINE_FRAME:
        return (const void *)(uintptr_t)(general[5] + 16 + (uint64_t)(int64_t)place->offset);
    case RT_MACHINE_CONSTANT: *word = place->bits; return word;
    case RT_MACHINE_REGISTER: break;
    }
    if (place->register_number >= 17)
        return &context->uc_mcontext.fpregs->_xmm[place->register_number - 17];
    *word = general[hardware[place->register_number]];
    return word;
}

static size_t size_of(enum rt_type type) {
    return type == RT_V128 ? 16 : type == RT_I32 || type == RT_F32 ? 4 : 8;
}

static size_t at_state, compared, in_registers, in_flags;

static void compare(const struct rt_machine_place *place, enum rt_type type, const union rt_value *truth,
                    const ucontext_t *context, const uint64_t general[16]) {
    uint64_t word;
    assert_int_equal(place->type, type);
    assert_memory_equal(bytes_at(place, context, general, &word), truth, size_of(type));
    in_registers += place->where == RT_MACHINE_REGISTER;
    compared++;
}

static void compare_instance(const struct known_function *k, uintptr_t pc, const ucontext_t *context,
                             const uint64_t general[16]) {
    const struct rt_machine_place *place = place_at(&k->instance, pc);
    uint64_t word, instance;
    assert_non_null(place);
    memcpy(&instance, bytes_at(place, context, general, &word), sizeof(instance));
    assert_int_equal(instance, (uintptr_t)guest->instance);
    for (uint32_t i = 0;; i++) {
        struct rt_instance_path path;
        if (!rt_code_map_global(map, i, &path))
            break;
        uintptr_t at = (uintptr_t)instance + path.offsets[0];
        if (path.count == 2)
            at = *(const uintptr_t *)at + path.offsets[1];
        assert_int_equal(at, rt_global_address(rt_instance_global(guest->instance, i)));
        union rt_value value = rt_global_get(rt_instance_global(guest->instance, i));
        assert_memory_equal((const void *)at, &value, 4);
    }
    struct rt_instance_path path;
    assert_true(rt_code_map_memory(map, &path));
    assert_int_equal(path.count, 2);
    uintptr_t base = *(const uintptr_t *)((uintptr_t)instance + path.offsets[0]) + path.offsets[1];
    assert_ptr_equal(base, rt_memory_base(rt_instance_memory(guest->instance, 0)));
}

static void compare_state(const struct known_function *k, const struct state *truth, uintptr_t pc,
                          const ucontext_t *context) {
    uint64_t general[16];
    general_registers(context, general);
    for (uint32_t i = 0; i < rt_module_local_count(guest->module, truth->function); i++) {
        const struct rt_machine_place *place = place_at(&k->locals[i], pc);
        assert_non_null(place);
        compare(place, rt_module_local_type(guest->module, truth->function, i), &truth->locals[i], context,
                general);
    }
    for (uint32_t i = 0; i < MOST; i++) {
        const struct rt_machine_place *place = place_at(&k->operands[i], pc);
        if (i >= truth->operand_count)
            assert_null(place);
        else if (place)
            compare(place, truth->types[i], &truth->operands[i], context, general);
        else /* a condition that the next instruction takes from the flags */
            in_flags++;
    }
    compare_instance(k, pc, context, general);
}

static const struct state *current[MOST]; /* by function: the instruction that it is in; none recurses */

/* Inside of an instruction an operand may be nowhere, but it is not told where it is not. */
static void compare_inside(const struct known_function *k, const struct state *truth, uintptr_t pc,
                           const ucontext_t *context) {
    uint64_t general[16];
    general_registers(context, general);
    for (uint32_t i = 0; i < truth->operand_count; i++) {
        const struct rt_machine_place *place = place_at(&k->operands[i], pc);
        if (place)
            compare(place, truth->types[i], &truth->operands[i], context, general);
    }
}

static void on_step(ucontext_t *context) {
    uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    uint32_t function, wasm;
    if (!rt_code_pc(guest->code, pc, &function, &wasm))
        return;
    const struct known_function *k = &known[function];
    bool is_left = *(const uint8_t *)pc == 0xc3; /* ret: its frame is gone */
    if (current[function] && current[function]->pc == wasm && !is_left)
        compare_inside(k, current[function], pc, context);
    for (size_t i = 0; i < k->entry_count; i++) {
        if (k->entries[i].machine != pc || k->entries[i].is_trap ||
            pc < rt_code_map_function(map, function)->body)
            continue;
        /* Instructions that made no code are passed over, and the code of one may be in two parts. */
        size_t next = at_state;
        while (next < state_count && (states[next].pc != wasm || states[next].function != function))
            next++;
        assert_true(next < state_count);
        at_state = next;
        compare_state(k, &states[next], pc, context);
        current[function] = &states[next];
        at_state++;
    }
}

/* ---- Modules ---- */

/* Runs both, and compares. */
static void check(struct builder *builder, const struct rt_compile_options *options, const char *name,
                  uint64_t a, uint64_t b, const struct rt_extern *(*import)(struct rt_store *store)) {
    struct rt_module *module = build_module(builder);
    struct rt_code *interpreted;
    struct rt_instance *instance;
    size_t count;
    expect_good(rt_store_create(&truth_store));
    const struct rt_compile_options all = {.engine = RT_ENGINE_INTERP, .every_instruction = true};
    expect_good(rt_code_create(module, &all, &interpreted));
    expect_good(rt_instance_create(truth_store, interpreted, import ? import(truth_store) : NULL,
                                   import ? 1 : 0, &instance));
    rt_code_sites(interpreted, &count);
    for (uint32_t i = 0; i < count; i++)
        expect_good(rt_code_set_probes(interpreted, &i, 1, true));
    rt_store_set_hooks(truth_store, &(struct rt_hooks){.probe = record});
    union rt_value truth[4], results[4];
    struct running truth_running = {truth_store, module, interpreted, instance};
    state_count = at_state = compared = in_registers = in_flags = 0;
    memset(current, 0, sizeof(current));
    expect_good(call_with(exported(&truth_running, name), (const uint64_t[4]){a, b}, truth));

    struct running running = {.module = module};
    expect_good(rt_store_create(&running.store));
    expect_good(rt_code_create(module, options, &running.code));
    expect_good(rt_instance_create(running.store, running.code, import ? import(running.store) : NULL,
                                   import ? 1 : 0, &running.instance));
    guest = &running;
    rt_arena_init(&arena, 0);
    expect_good(rt_code_map_create(running.code, &map));
    const struct rt_code_map_function *functions = rt_code_map_functions(map, &count);
    for (size_t i = 0; i < count; i++)
        learn(functions[i].function);
    step_begin(on_step);
    expect_good(step_call(exported(&running, name), (const uint64_t[4]){a, b}, results));
    step_end();
    assert_int_equal(results[0].i32, truth[0].i32);

    rt_code_map_destroy(map);
    rt_arena_clear(&arena);
    rt_store_destroy(running.store);
    rt_code_destroy(running.code);
    rt_store_destroy(truth_store);
    rt_code_destroy(interpreted);
    rt_module_destroy(module);
}

static void build_sums(struct builder *builder) {
    build_memory(builder, 1, 1);
    build_global(builder, 'i', true, 40);
    build_global(builder, 'I', true, 41);
    /* 0: two results over its parameters */
    BUILD_FUNCTION(builder, NULL, "ii:ii", "i", GET(0), GET(1), RT_OP_I32_ADD, TEE(2), GET(2), GET(0),
                   RT_OP_I32_SUB);
    /* 1: a loop with operands below it, floats, memory, globals, calls, a table of branches */
    struct bytes code = {0};
    PUT(&code, CONST(11), GET(0), CONST(3), RT_OP_I32_MUL);
    /* Instructions of several machine instructions, on operands in registers. */
    PUT(&code, GET(0), CONST(5), RT_OP_I32_MUL, RT_OP_I32_CLZ, GET(1), CONST(3), RT_OP_I32_MUL, RT_OP_I32_CTZ,
        RT_OP_I32_SHL, GET(0), CONST(9), RT_OP_I32_ADD, RT_OP_I32_ROTL, GET(1), CONST(2), RT_OP_I32_OR,
        RT_OP_I32_DIV_S, CONST(6), RT_OP_I32_LT_S, GET(0), CONST(7), RT_OP_I32_MUL, RT_OP_I32_REM_U,
        RT_OP_F64_CONVERT_I32_U, RT_OP_I64_TRUNC_F64_U, RT_OP_I32_WRAP_I64, RT_OP_I32_ADD);
    put_constant(&code, RT_F64, 0x3ff8000000000000);
    PUT(&code, GET(1), RT_OP_F64_CONVERT_I32_S, RT_OP_F64_ADD, SET(3));
    PUT(&code, RT_OP_LOOP, 0x40, GET(2), CONST(1), RT_OP_I32_ADD, TEE(2), GET(2), RT_OP_I32_MUL, SET(4));
    PUT(&code, CONST(16), GET(4), RT_OP_I32_STORE, 2, 0, CONST(12), RT_OP_I32_LOAD, 2, 4, GET(0), RT_OP_CALL,
        0, RT_OP_I32_XOR, RT_OP_GLOBAL_GET, 0, RT_OP_I32_ADD, RT_OP_GLOBAL_SET, 0);
    PUT(&code, RT_OP_BLOCK, 0x40, RT_OP_BLOCK, 0x40, RT_OP_BLOCK, 0x40, GET(2), RT_OP_BR_TABLE, 2, 0, 1, 2,
        RT_OP_END, GET(3), GET(3), RT_OP_F64_MUL, SET(3), RT_OP_END, GET(0), CONST(7), GET(1), RT_OP_SELECT,
        SET(0), RT_OP_END);
    PUT(&code, GET(2), GET(1), RT_OP_I32_LT_S, RT_OP_BR_IF, 0, RT_OP_END);
    PUT(&code, RT_OP_I32_ADD, GET(3), RT_OP_I32_TRUNC_F64_S, RT_OP_I32_ADD, GET(4), RT_OP_IF, RT_I32,
        CONST(1), RT_OP_ELSE, CONST(2), RT_OP_END, RT_OP_I32_ADD);
    build_function(builder, "run", "ii:i", "iFi", &code);
}

static void test_places(void **state) {
    (void)state;
    struct builder builder = {0};
    build_sums(&builder);
    check(&builder, NULL, "run", 5, 6, NULL);
    assert_true(compared > 500);
    assert_true(in_registers > 20);
    assert_in_range(in_flags, 0, 20);
}

static void test_places_for_debugger(void **state) {
    (void)state;
    struct builder builder = {0};
    build_sums(&builder);
    check(&builder, &(struct rt_compile_options){.private_code = true, .writable_locals = true}, "run", 5, 6,
          NULL);
    assert_true(compared > 500);
}

static void test_places_with_sites(void **state) {
    (void)state;
    struct builder builder = {0};
    build_sums(&builder);
    check(&builder, &(struct rt_compile_options){.every_instruction = true}, "run", 5, 6, NULL);
    assert_true(compared > 1000);
    assert_int_equal(in_flags, 0);
}

static struct rt_error *count_up(void *user, struct rt_caller *caller, const union rt_value *args,
                                 union rt_value *results) {
    (void)user, (void)caller;
    results[0].i32 = args[0].i32 + 1;
    return NULL;
}

static const struct rt_extern *import_count_up(struct rt_store *store) {
    static const uint8_t type[] = {RT_I32};
    static struct rt_extern import;
    import.kind = RT_EXTERN_FUNC;
    expect_good(rt_func_create(store, "count_up", (struct rt_func_type){1, 1, type, type}, count_up, NULL,
                               &import.func));
    return &import;
}

/* Operands are in slots while C runs, and vectors are 16 bytes wide. */
static void test_vectors_and_imports(void **state) {
    (void)state;
    struct builder builder = {0};
    struct bytes code = {0};
    build_import(&builder, "count_up", "i:i");
    build_memory(&builder, 1, 1);
    PUT(&code, GET(0));
    put_op(&code, RT_OP_I32X4_SPLAT);
    PUT(&code, SET(2), GET(2));
    put_constant(&code, RT_V128, 0x0102030405060708);
    put_op(&code, RT_OP_I32X4_ADD);
    PUT(&code, GET(0), CONST(3), RT_OP_I32_MUL, RT_OP_CALL, 0, GET(1), RT_OP_CALL, 0, RT_OP_I32_ADD, SET(0));
    put_op(&code, RT_OP_I32X4_EXTRACT_LANE);
    PUT(&code, 1, GET(0), RT_OP_I32_ADD);
    build_function(&builder, "run", "ii:i", "v", &code);
    check(&builder, NULL, "run", 5, 6, import_count_up);
    assert_true(compared > 30);
}

/* ---- Writing ---- */

static uint32_t written_pc;
static size_t writes;

/* As a debugger does that knows a local's place alone: 7 into local 1, when that pc is reached. */
static void write_local(ucontext_t *context) {
    uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    if (pc != rt_code_machine(guest->code, written_pc))
        return;
    const struct rt_machine_place *place = place_at(&known[0].locals[1], pc);
    assert_int_equal(place->where, RT_MACHINE_FRAME);
    uint64_t cfa = (uint64_t)context->uc_mcontext.gregs[REG_RBP] + 16;
    *(uint32_t *)(uintptr_t)(cfa + (uint64_t)(int64_t)place->offset) = 7;
    writes++;
}

static uint32_t result_after_write(bool writable_locals) {
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "run", "i:i", "i", GET(0), CONST(1), RT_OP_I32_ADD, SET(1), GET(0), CONST(3),
                   RT_OP_I32_DIV_S, GET(1), GET(1), RT_OP_I32_MUL, RT_OP_I32_ADD);
    const struct rt_compile_options options = {.private_code = writable_locals,
                                               .writable_locals = writable_locals};
    struct running running = run_with(&builder, &options, NULL, 0, NULL);
    uint32_t start, code, end;
    union rt_value result;
    guest = &running;
    rt_arena_init(&arena, 0);
    expect_good(rt_code_map_create(running.code, &map));
    learn(0);
    assert_true(rt_module_function_range(running.module, 0, &start, &code, &end));
    written_pc = code + 11; /* the division */
    writes = 0;
    step_begin(write_local);
    expect_good(step_call(exported(&running, "run"), (const uint64_t[4]){5}, &result));
    step_end();
    assert_int_equal(writes, 1);
    rt_code_map_destroy(map);
    rt_arena_clear(&arena);
    stop(&running);
    return result.i32;
}

static void test_writing(void **state) {
    (void)state;
    assert_int_equal(result_after_write(true), 7 * 7 + 5 / 3);
    assert_int_equal(result_after_write(false), 6 * 6 + 5 / 3); /* a register held it, too */
}

/* ---- Pcs ---- */

static void test_pcs(void **state) {
    (void)state;
    struct builder builder = {0};
    build_sums(&builder);
    struct running running = run(&builder);
    guest = &running;
    rt_arena_init(&arena, 0);
    expect_good(rt_code_map_create(running.code, &map));
    for (uint32_t function = 0; function < 2; function++) {
        const struct rt_code_map_function *f = rt_code_map_function(map, function);
        assert_int_equal(f->function, function);
        learn(function);
        const struct known_function *k = &known[function];
        uint32_t start, code, end, found, pc;
        assert_true(rt_module_function_range(running.module, function, &start, &code, &end));
        assert_int_equal(k->entries[0].machine, f->range.low);
        assert_int_equal(k->entries[0].pc, start);
        size_t entry = 0;
        for (uintptr_t machine = f->range.low; machine < f->range.high; machine++) {
            while (entry + 1 < k->entry_count && k->entries[entry + 1].machine <= machine)
                entry++;
            assert_true(rt_code_pc(running.code, machine, &found, &pc));
            assert_int_equal(found, function);
            assert_int_equal(pc, k->entries[entry].pc);
            assert_int_equal(k->entries[entry].is_trap, machine >= f->tail);
        }
        /* One pc's ranges hold what belongs to it, and all together hold everything. */
        size_t total = 0;
        for (uint32_t at = start; at < end; at++) {
            const struct rt_machine_range *ranges;
            size_t count;
            expect_good(rt_code_map_ranges(map, function, at, at + 1, &arena, &ranges, &count));
            for (size_t i = 0; i < count; i++) {
                for (uintptr_t machine = ranges[i].low; machine < ranges[i].high; machine++, total++) {
                    assert_true(rt_code_pc(running.code, machine, &found, &pc));
                    assert_int_equal(pc, at);
                }
            }
        }
        assert_int_equal(total, f->range.high - f->range.low);
        /* A declared local is not there in the prologue, nor when the frame is gone. */
        uint32_t last = rt_module_local_count(running.module, function) - 1;
        assert_null(place_at(&k->locals[last], f->range.low));
        assert_non_null(place_at(&k->locals[last], f->body));
    }
    const struct rt_placed_range *places;
    size_t count;
    struct rt_error *error = rt_code_map_local(map, 0, 3, 0, UINT32_MAX, &arena, &places, &count);
    assert_int_equal(error->code, RT_USAGE);
    rt_error_destroy(error);
    error = rt_code_map_local(map, 2, 0, 0, UINT32_MAX, &arena, &places, &count);
    assert_int_equal(error->code, RT_USAGE);
    rt_error_destroy(error);
    assert_null(rt_code_map_function(map, 2));
    rt_code_map_destroy(map);
    rt_arena_clear(&arena);
    stop(&running);
}

/* Of each call, and of nothing else, the call instruction: a direct one leads to the function. */
static void test_calls(void **state) {
    (void)state;
    struct builder builder = {0};
    build_import(&builder, "count_up", "i:i");
    BUILD_FUNCTION(&builder, "run", "i:i", "", GET(0), RT_OP_CALL, 0, RT_OP_CALL, 1, RT_OP_CALL, 2);
    BUILD_FUNCTION(&builder, NULL, "i:i", "", GET(0), CONST(1), RT_OP_I32_ADD, RT_OP_BR, 0, GET(0),
                   RT_OP_CALL, 1);
    struct rt_module *module = build_module(&builder);
    struct rt_code *code;
    enum { NEAR_CALL = 0xe8, NEAR_CALL_SIZE = 5, INDIRECT_CALL = 0xff };
    uint32_t start, body, past, calls = 0;
    expect_good(rt_code_create(module, &(struct rt_compile_options){.private_code = true}, &code));
    expect_good(rt_code_map_create(code, &map));
    assert_true(rt_module_function_range(module, 1, &start, &body, &past));
    for (uint32_t pc = start; pc <= past; pc++) {
        struct rt_machine_range range;
        int32_t distance;
        if (!rt_code_map_call(map, 1, pc, &range))
            continue;
        const uint8_t *machine = (const uint8_t *)range.low;
        assert_int_equal(pc, body + 4 + 2 * calls); /* behind local.get and the calls before it */
        if (calls == 0) {
            assert_int_equal(machine[0], INDIRECT_CALL);
        } else {
            assert_int_equal(machine[0], NEAR_CALL);
            assert_int_equal(range.high - range.low, NEAR_CALL_SIZE);
            memcpy(&distance, machine + 1, sizeof distance);
            assert_int_equal(range.high + (uintptr_t)(intptr_t)distance,
                             rt_code_map_function(map, calls)->range.low);
        }
        calls++;
    }
    assert_int_equal(calls, 3);
    assert_true(rt_module_function_range(module, 2, &start, &body, &past));
    for (uint32_t pc = start; pc <= past; pc++) /* its call cannot be reached */
        assert_false(rt_code_map_call(map, 2, pc, &(struct rt_machine_range){0}));
    assert_false(rt_code_map_call(map, 0, 0, &(struct rt_machine_range){0}));
    rt_code_map_destroy(map);
    rt_code_destroy(code);
    rt_module_destroy(module);
}

static void test_interpreter(void **state) {
    (void)state;
    struct builder builder = {0};
    BUILD_FUNCTION(&builder, "f", ":", "", RT_OP_NOP);
    struct rt_module *module = build_module(&builder);
    struct rt_code *code;
    expect_good(rt_code_create(module, &(struct rt_compile_options){.engine = RT_ENGINE_INTERP}, &code));
    struct rt_error *error = rt_code_map_create(code, &map);
    assert_int_equal(error->code, RT_USAGE);
    rt_error_destroy(error);
    rt_code_destroy(code);
    rt_module_destroy(module);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_places_for_debugger),
        cmocka_unit_test(test_places_with_sites),
        cmocka_unit_test(test_vectors_and_imports),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_pcs),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_interpreter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void) {
    return 0;
}
#endif
