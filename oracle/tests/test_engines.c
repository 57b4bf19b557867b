/* Two engines compared: that they agree on a module, and that each thing that is compared is noticed at the
 * right instruction when one side has it otherwise. A side errs in one of two ways: its module has one byte
 * changed, as if its engine took one instruction for another; or the test changes its state at a stop. */
#include "oracle/oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void check(struct rt_error *error) {
    if (error != NULL) {
        print_error("%s\n", error->message);
        fail();
    }
}

/* Made by wat2wasm of this; `run` is function 4.
 *
 *   (import "env" "tick" (func (param i32) (result i32)))
 *   (import "env" "tock" (func (param i32) (result i32)))
 *   (memory 1 4) (table 4 funcref) (table 4 funcref) (global (mut i64) (i64.const 1))
 *   (elem declare func 2)
 *   (func (param i32) (result i32) (local i64) local.get 0 i32.const 3 i32.add)
 *   (func (param i32) (result i32) local.get 0 i32.const 3 i32.add)
 *   (func (export "run") (result i32) (local i32 i32 f64)
 *     i32.const 100 i32.const 7 i32.store offset=4
 *     i64.const 5 global.set 0   f64.const 2.5 local.set 2
 *     i32.const 2 ref.func 2 table.set 0   i32.const 9 call 0 local.set 1
 *     i32.const 4 call 2 local.tee 0   i32.const 7 i32.eq if nop end
 *     i32.const 200 i32.const 17 i32.const 30 memory.fill
 *     i32.const 1 memory.grow drop   i32.const 131070 i32.load drop   local.get 0) */
static const uint8_t module_bytes[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0a, 0x02, 0x60, 0x01, 0x7f, 0x01, 0x7f,
    0x60, 0x00, 0x01, 0x7f, 0x02, 0x17, 0x02, 0x03, 0x65, 0x6e, 0x76, 0x04, 0x74, 0x69, 0x63, 0x6b,
    0x00, 0x00, 0x03, 0x65, 0x6e, 0x76, 0x04, 0x74, 0x6f, 0x63, 0x6b, 0x00, 0x00, 0x03, 0x04, 0x03,
    0x00, 0x00, 0x01, 0x04, 0x07, 0x02, 0x70, 0x00, 0x04, 0x70, 0x00, 0x04, 0x05, 0x04, 0x01, 0x01,
    0x01, 0x04, 0x06, 0x06, 0x01, 0x7e, 0x01, 0x42, 0x01, 0x0b, 0x07, 0x07, 0x01, 0x03, 0x72, 0x75,
    0x6e, 0x00, 0x04, 0x09, 0x05, 0x01, 0x03, 0x00, 0x01, 0x02, 0x0a, 0x63, 0x03, 0x09, 0x01, 0x01,
    0x7e, 0x20, 0x00, 0x41, 0x03, 0x6a, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x41, 0x03, 0x6a, 0x0b, 0x4f,
    0x02, 0x02, 0x7f, 0x01, 0x7c, 0x41, 0xe4, 0x00, 0x41, 0x07, 0x36, 0x02, 0x04, 0x42, 0x05, 0x24,
    0x00, 0x44, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x40, 0x21, 0x02, 0x41, 0x02, 0xd2, 0x02,
    0x26, 0x00, 0x41, 0x09, 0x10, 0x00, 0x21, 0x01, 0x41, 0x04, 0x10, 0x02, 0x22, 0x00, 0x41, 0x07,
    0x46, 0x04, 0x40, 0x01, 0x0b, 0x41, 0xc8, 0x01, 0x41, 0x11, 0x41, 0x1e, 0xfc, 0x0b, 0x00, 0x41,
    0x01, 0x40, 0x00, 0x1a, 0x41, 0xfe, 0xff, 0x07, 0x28, 0x02, 0x00, 0x1a, 0x20, 0x00, 0x0b};

/* ---- Two sides ---- */

/* `size` bytes that become as many others. */
struct change {
    size_t size;
    uint8_t bytes[16]; /* the old ones, then the new ones */
};

struct side {
    struct rt_module *module;
    struct rt_code *code;
    struct rt_store *store;
    struct rt_instance *instance;
    struct st_session *session;
    int status; /* of the run, when nothing traps */
};

struct pair {
    struct side sides[2];
    struct or_engines_options options;
    struct or_engines_report *report;
};

static struct rt_error *plus_one(void *user, struct rt_caller *caller, const union rt_value *args,
                                 union rt_value *results) {
    (void)user, (void)caller;
    results[0] = (union rt_value){.i32 = args[0].i32 + 1};
    return NULL;
}

static struct rt_error *call_run(void *user, struct rt_instance *instance, int *ret_status) {
    const struct side *side = user;
    struct rt_extern run;
    union rt_value result;
    if (!rt_instance_export(instance, "run", &run))
        return rt_error_format(RT_USAGE, "no run");
    *ret_status = side->status;
    return rt_func_call(run.func, NULL, &result);
}

/* Where the bytes are in the module; they must be there once. */
static size_t find(const uint8_t *bytes, size_t size) {
    size_t found = 0, at = 0;
    for (size_t i = 0; i + size <= sizeof module_bytes; i++) {
        if (memcmp(module_bytes + i, bytes, size) == 0) {
            found++;
            at = i;
        }
    }
    assert_int_equal(found, 1);
    return at;
}

static void open_side(struct side *side, enum rt_engine engine, const struct change *change,
                      size_t stack_size) {
    static const uint8_t type = RT_I32;
    const struct rt_func_type func = {1, 1, &type, &type};
    const struct rt_compile_options compile = {
        .engine = engine, .every_instruction = true, .canonical_nans = true};
    const struct st_session_options options = {
        .host_calls = true, .stack_size = stack_size, .run = call_run, .run_user = side};
    struct rt_extern imports[2] = {{.kind = RT_EXTERN_FUNC}, {.kind = RT_EXTERN_FUNC}};
    uint8_t bytes[sizeof module_bytes];
    memcpy(bytes, module_bytes, sizeof bytes);
    if (change != NULL)
        memcpy(bytes + find(change->bytes, change->size), change->bytes + change->size, change->size);
    check(rt_module_create(bytes, sizeof bytes, &side->module));
    check(rt_code_create(side->module, &compile, &side->code));
    check(rt_store_create(&side->store));
    for (int i = 0; i < 2; i++)
        check(rt_func_create(side->store, i == 0 ? "tick" : "tock", func, plus_one, NULL, &imports[i].func));
    check(rt_instance_create(side->store, side->code, imports, 2, &side->instance));
    check(st_session_create_wasm(side->instance, NULL, &options, &side->session));
}

static void compare(struct pair *pair) {
    struct or_engine_witness witnesses[2];
    for (int i = 0; i < 2; i++)
        witnesses[i] = (struct or_engine_witness){i == 0 ? "first" : "second", pair->sides[i].session,
                                                  pair->sides[i].instance};
    check(or_engines_compare(witnesses, &pair->options, &pair->report));
}

static void close_pair(struct pair *pair) {
    or_engines_report_destroy(pair->report);
    for (int i = 0; i < 2; i++) {
        st_session_destroy(pair->sides[i].session);
        rt_store_destroy(pair->sides[i].store);
        rt_code_destroy(pair->sides[i].code);
        rt_module_destroy(pair->sides[i].module);
    }
    *pair = (struct pair){0};
}

static void expect(const struct pair *pair, const char *signature, const char *variable) {
    const struct or_engines_report *report = pair->report;
    assert_int_equal(report->verdict, OR_ENGINES_DIFFER);
    assert_string_equal(report->finding.signature, signature);
    if (variable != NULL)
        assert_string_equal(report->finding.variable, variable);
    for (int i = 0; i < 2; i++) {
        assert_non_null(report->finding.witnesses[i].name);
        assert_non_null(report->finding.witnesses[i].value);
    }
    assert_string_not_equal(report->finding.witnesses[0].value, report->finding.witnesses[1].value);
}

/* ---- Tests ---- */

static const enum rt_engine orders[3][2] = {{RT_ENGINE_COMPILED, RT_ENGINE_INTERP},
                                            {RT_ENGINE_INTERP, RT_ENGINE_COMPILED},
                                            {RT_ENGINE_COMPILED, RT_ENGINE_COMPILED}};
enum { ORDERS = sizeof orders / sizeof *orders };

static void test_agree(void **state) {
    (void)state;
    for (int order = 0; order < ORDERS; order++) {
        struct pair pair = {0};
        for (int i = 0; i < 2; i++)
            open_side(&pair.sides[i], orders[order][i], NULL, 0);
        compare(&pair);
        assert_int_equal(pair.report->verdict, OR_ENGINES_AGREE);
        assert_true(pair.report->ended);
        assert_false(pair.report->is_limited);
        assert_int_equal(pair.report->steps, 34);
        assert_int_equal(pair.report->calls, 1);
        assert_int_equal(pair.report->traps, 1);
        assert_string_equal(pair.report->error[0] ? "trap" : "none", "trap");
        close_pair(&pair);
    }
}

static void test_limit(void **state) {
    (void)state;
    struct pair pair = {.options = {.max_steps = 10}};
    for (int i = 0; i < 2; i++)
        open_side(&pair.sides[i], orders[0][i], NULL, 0);
    compare(&pair);
    assert_int_equal(pair.report->verdict, OR_ENGINES_AGREE);
    assert_true(pair.report->is_limited);
    assert_int_equal(pair.report->steps, 10);
    close_pair(&pair);
}

static void test_wrong_instructions(void **state) {
    static const struct {
        struct change change;
        const char *signature, *variable;
    } cases[] = {
        {{3, {0x41, 0x07, 0x36, 0x41, 0x08, 0x36}}, "engines/operand/i32.const", "operand 1 of 2"},
        {{3, {0x36, 0x02, 0x04, 0x36, 0x02, 0x05}}, "engines/memory/i32.store", "memory at 0x68"},
        {{3, {0x36, 0x02, 0x04, 0x3a, 0x00, 0x05}}, "engines/memory/i32.store", "memory at 0x68"},
        {{3, {0x21, 0x01, 0x41, 0x21, 0x00, 0x41}}, "engines/local/local.set", "local 0"},
        {{3, {0xd2, 0x02, 0x26, 0xd0, 0x70, 0x26}}, "engines/operand/ref.func", "operand 1 of 2"},
        {{3, {0x26, 0x00, 0x41, 0x26, 0x01, 0x41}}, "engines/table/table.set", "table 0, element 2"},
        {{3, {0x10, 0x00, 0x21, 0x10, 0x01, 0x21}}, "engines/host_call/call", NULL},
        {{3, {0x10, 0x02, 0x22, 0x10, 0x03, 0x22}}, "engines/pc/call", NULL},
        {{3, {0x07, 0x46, 0x04, 0x07, 0x47, 0x04}}, "engines/operand/i32.eq", "operand 0 of 1"},
        {{3, {0x40, 0x01, 0x0b, 0x40, 0x00, 0x0b}}, "engines/sites/start", NULL},
        {{3, {0x1e, 0xfc, 0x0b, 0x1d, 0xfc, 0x0b}}, "engines/operand/i32.const", "operand 2 of 3"},
        {{4, {0x01, 0x01, 0x01, 0x04, 0x01, 0x01, 0x01, 0x01}},
         "engines/operand/memory.grow",
         "operand 0 of 1"},
        {{3, {0x28, 0x02, 0x00, 0x2d, 0x00, 0x00}}, "engines/event/i32.load", NULL},
        {{3, {0x28, 0x02, 0x00, 0x28, 0x02, 0x20}}, "engines/trap/i32.load", NULL},
        {{3, {0x42, 0x01, 0x0b, 0x42, 0x02, 0x0b}}, "engines/global/start", "global 0"},
        {{3, {0x00, 0x04, 0x05, 0x00, 0x05, 0x05}}, "engines/table/start", NULL},
    };
    (void)state;
    for (int order = 0; order < ORDERS; order++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct pair pair = {0};
            open_side(&pair.sides[0], orders[order][0], NULL, 0);
            open_side(&pair.sides[1], orders[order][1], &cases[i].change, 0);
            compare(&pair);
            expect(&pair, cases[i].signature, cases[i].variable);
            close_pair(&pair);
        }
    }
}

/* ---- Faults planted at a stop ---- */

/* Changes the second side's state at the stop at `pc`. */
struct fault {
    struct pair *pair;
    uint64_t pc;
    uint64_t step; /* set: of that stop */
    void (*plant)(struct side *side);
};

static struct rt_error *plant_at(void *user, uint32_t side, uint64_t step, const struct st_event *event) {
    struct fault *fault = user;
    if (side == 1 && event->kind == ST_STEP && event->pc == fault->pc) {
        fault->step = step;
        fault->plant(&fault->pair->sides[1]);
    }
    return NULL;
}

static void plant_local(struct side *side) {
    const struct st_frame *frame;
    check(st_session_frame(side->session, &frame));
    check(rt_activation_set_local(&frame->activation, 1, (union rt_value){.i32 = 77}));
}

static void plant_global(struct side *side) {
    rt_global_set(rt_instance_global(side->instance, 0), (union rt_value){.i64 = 6});
}

static void plant_near(struct side *side) {
    rt_memory_base(rt_instance_memory(side->instance, 0))[104 + 4] ^= 1; /* just past the store */
}

static void plant_far(struct side *side) {
    rt_memory_base(rt_instance_memory(side->instance, 0))[50000] ^= 0x80;
}

static void plant_size(struct side *side) {
    uint64_t old;
    check(rt_memory_grow(rt_instance_memory(side->instance, 0), 1, &old));
}

static void test_wrong_state(void **state) {
    enum { AFTER_STORE = 3, AFTER_SET = AFTER_STORE + 4 /* global.set */ }; /* from the store on */
    static const uint8_t store[] = {0x36, 0x02, 0x04};
    static const struct {
        uint64_t pc;
        void (*plant)(struct side *side);
        const char *signature, *variable;
        bool at_once; /* noticed at that very stop */
    } cases[] = {
        {AFTER_STORE, plant_local, "engines/local/i32.store", "local 1", true},
        {AFTER_SET, plant_global, "engines/global/global.set", "global 0", true},
        {AFTER_STORE, plant_near, "engines/memory/i32.store", "memory at 0x6c", true},
        {AFTER_SET, plant_size, "engines/memory/global.set", "size of memory", true},
        /* Nothing says that these may have changed: the host's next return shows it. */
        {AFTER_STORE, plant_far, "engines/memory/call", "memory at 0xc350", false},
        {AFTER_STORE, plant_global, "engines/global/global.set", NULL, false},
    };
    (void)state;
    for (int order = 0; order < ORDERS; order++) {
        /* The last would be overwritten by both sides: it must not be found, nor anything else. */
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct pair pair = {0};
            struct fault fault = {.pair = &pair, .plant = cases[i].plant};
            pair.options = (struct or_engines_options){.at_event = plant_at, .user = &fault};
            for (int k = 0; k < 2; k++)
                open_side(&pair.sides[k], orders[order][k], NULL, 0);
            fault.pc = find(store, sizeof store) - rt_module_code_offset(pair.sides[0].module) + cases[i].pc;
            compare(&pair);
            assert_true(fault.step > 0);
            if (cases[i].variable == NULL) {
                assert_int_equal(pair.report->verdict, OR_ENGINES_AGREE);
            } else {
                expect(&pair, cases[i].signature, cases[i].variable);
                assert_int_equal(pair.report->finding.stop == fault.step, cases[i].at_once);
            }
            close_pair(&pair);
        }
    }
}

static void test_status(void **state) {
    static const struct change no_trap = {4, {0xfe, 0xff, 0x07, 0x28, 0x80, 0x80, 0x00, 0x28}};
    (void)state;
    struct pair pair = {0};
    for (int i = 0; i < 2; i++) {
        pair.sides[i].status = i;
        open_side(&pair.sides[i], orders[0][i], &no_trap, 0);
    }
    compare(&pair);
    expect(&pair, "engines/status/end", NULL);
    close_pair(&pair);
}

/* How deep a stack is is an engine's own affair. */
static void test_exhausted(void **state) {
    static const struct change recursion = {
        7, {0x7e, 0x20, 0x00, 0x41, 0x03, 0x6a, 0x0b, 0x7e, 0x20, 0x00, 0x10, 0x02, 0x01, 0x0b}};
    (void)state;
    struct pair pair = {0};
    for (int i = 0; i < 2; i++)
        open_side(&pair.sides[i], orders[0][i], &recursion, i == 0 ? 64 << 10 : 0);
    compare(&pair);
    assert_int_equal(pair.report->verdict, OR_ENGINES_EXHAUSTED);
    assert_true(pair.report->steps > 1000);
    close_pair(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agree),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_wrong_instructions),
        cmocka_unit_test(test_wrong_state),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_exhausted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
