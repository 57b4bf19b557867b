/* What the checker of traces accepts, and what it names. */
#include "runtime/tests/trace_events.h"

static const uint8_t i32[] = {RT_I32}, i64[] = {RT_I64}, funcref[] = {RT_FUNCREF},
                     externref[] = {RT_EXTERNREF};

/* One module: imports of each kind, the function twice. */
static const struct rt_import imports[] = {
    {.module = "env", .name = "f", .kind = RT_EXTERN_FUNC, .func = {1, 1, i32, i64}},
    {.module = "env", .name = "t", .kind = RT_EXTERN_TABLE, .type = RT_FUNCREF},
    {.module = "env", .name = "m", .kind = RT_EXTERN_MEMORY},
    {.module = "env", .name = "g", .kind = RT_EXTERN_GLOBAL, .type = RT_I32, .is_mutable = true},
    {.module = "env", .name = "f2", .kind = RT_EXTERN_FUNC, .func = {1, 1, i32, i64}},
};
static const struct rt_trace_module module = {.label = "", .imports = imports, .import_count = 5};
static const struct rt_trace_header header = {.modules = &module, .module_count = 1};
static const struct rt_trace_place links[] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}};
static const union rt_value one = {.i64 = 1}, two = {.i64 = 2};

#define EVENT(kind_, ...)                                                                                    \
    (struct rt_trace_event) {                                                                                \
        .kind = RT_TRACE_##kind_, __VA_ARGS__                                                                \
    }

/* What the host made, one instance, and a call of it. */
static struct rt_trace_checker *begin(void) {
    const struct rt_trace_event events[] = {
        EVENT(HOST_FUNCTION, .host_function = {{(const uint8_t *)"env.f", 5}, {1, 1, i32, i64}}),
        EVENT(HOST_TABLE, .host_table = {.type = RT_FUNCREF}),
        EVENT(HOST_MEMORY, .host_memory = {1, RT_TRACE_NO_LIMIT}),
        EVENT(HOST_GLOBAL, .host_global = {true, {RT_I32, {.i32 = 5}}}),
        EVENT(INSTANTIATE, .instantiate = {0, {5, links}}),
        EVENT(GUEST_CALL, .guest_call = {.function = {1, 2}}),
    };
    struct rt_trace_checker *checker;
    expect_good(rt_trace_checker_create(&header, &checker));
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        expect_good(rt_trace_checker_add(checker, &events[i]));
    return checker;
}

static void good(struct rt_trace_checker *checker, struct rt_trace_event event) {
    expect_good(rt_trace_checker_add(checker, &event));
}

static void bad(struct rt_trace_checker *checker, struct rt_trace_event event, const char *text) {
    expect_error(rt_trace_checker_add(checker, &event), RT_MALFORMED, text);
}

static void a_whole_run(void **state) {
    (void)state;
    struct rt_trace_checker *checker = begin();
    const char *name;
    struct rt_func_type type;
    uint32_t number;
    assert_true(rt_trace_checker_function(checker, 0, &name, &type));
    assert_string_equal(name, "env.f");
    assert_int_equal(type.results[0], RT_I64);
    assert_false(rt_trace_checker_function(checker, 1, &name, &type));
    assert_true(rt_trace_checker_module(checker, 0, &number));
    assert_int_equal(number, 0);
    assert_false(rt_trace_checker_module(checker, 1, &number));
    assert_false(rt_trace_checker_callee(checker, &number));
    good(checker, EVENT(IMPORT_CALL, .import_call = {0, 0, {1, i32, &one}}));
    assert_true(rt_trace_checker_callee(checker, &number));
    assert_int_equal(number, 0);
    good(checker, EVENT(MEMORY_WRITE, .memory_write = {.address = 8, .bytes = {i32, 1}}));
    good(checker, EVENT(GLOBAL_SET, .global_set = {{0, 0}, {RT_I32, one}}));
    good(checker, EVENT(FUNCREF, .funcref.function = {1, 2}));
    good(checker, EVENT(TABLE_SET, .table_set = {.elements = {RT_FUNCREF, 1, &one}}));
    good(checker, EVENT(TABLE_GROW, .table_grow = {.value = {RT_FUNCREF, {.i64 = 0}}}));
    good(checker, EVENT(GUEST_CALL, .guest_call = {.function = {1, 3}, .arguments = {1, externref, &one}}));
    good(checker, EVENT(GUEST_TRAP, .guest_trap = {.trap = 0, .instance = RT_TRACE_NO_INDEX}));
    good(checker, EVENT(IMPORT_RETURN, .import_return.results = {1, i64, &one}));
    good(checker, EVENT(IMPORT_CALL, .import_call = {0, 0, {1, i32, &one}}));
    good(checker, EVENT(IMPORT_EXIT, .import_exit.status = 3));
    good(checker, EVENT(GUEST_EXIT, .guest_exit.status = 3));
    good(checker, EVENT(END, .end = {RT_TRACE_EXITED, 3}));
    rt_trace_checker_destroy(checker);
}

static void what_is_not_there(void **state) {
    (void)state;
    struct rt_trace_checker *checker = begin();
    const struct rt_trace_place others[] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {1, 0}};
    bad(checker, EVENT(INSTANTIATE, .instantiate = {1, {5, links}}), "there is no module 1");
    bad(checker, EVENT(INSTANTIATE, .instantiate = {0, {4, links}}), "4 imports; the module has 5");
    bad(checker, EVENT(INSTANTIATE, .instantiate = {0, {5, others}}),
        "import 4, env.f2: function 0 of instance 0");
    bad(checker, EVENT(IMPORT_CALL, .import_call = {0, 1, {1, i32, &one}}), "no host function 1");
    bad(checker, EVENT(IMPORT_CALL, .import_call = {1, 0, {1, i32, &one}}), "no instance 1");
    bad(checker, EVENT(IMPORT_CALL, .import_call = {0, 0, {1, i64, &one}}), "types of its arguments");
    bad(checker, EVENT(IMPORT_CALL, .import_call = {0, 0, {0, NULL, NULL}}),
        "0 arguments; the function's type has 1");
    bad(checker, EVENT(MEMORY_WRITE, .memory_write.memory = {0, 1}), "no host memory 1");
    bad(checker, EVENT(MEMORY_WRITE, .memory_write.memory = {1, 0}), "memory 0 of instance 0 is an import");
    bad(checker, EVENT(MEMORY_WRITE, .memory_write = {.address = UINT64_MAX, .bytes = {i32, 1}}),
        "past the end");
    bad(checker, EVENT(GLOBAL_SET, .global_set = {{0, 0}, {RT_I64, one}}), "cannot be set");
    bad(checker, EVENT(TABLE_SET, .table_set = {.elements = {RT_EXTERNREF, 1, &one}}), "not of type 0x6f");
    bad(checker, EVENT(TABLE_SET, .table_set = {.elements = {RT_FUNCREF, 1, &one}}),
        "no function reference 0");
    bad(checker, EVENT(GUEST_CALL, .guest_call.function = {0, 0}), "no guest's");
    bad(checker, EVENT(GUEST_CALL, .guest_call = {{1, 2}, {1, externref, &two}}),
        "reference 1 comes before 0");
    bad(checker, EVENT(GUEST_RETURN, .guest_return.results = {1, funcref, &one}), "no function reference 0");
    bad(checker, EVENT(INSTANTIATION_TRAP, .instantiation_trap.trap = 1), "has to follow");
    bad(checker, EVENT(GUEST_TRAP, .guest_trap.instance = 1), "event 0, guest_trap: there is no instance 1");
    good(checker, EVENT(IMPORT_CALL, .import_call = {0, 0, {1, i32, &one}}));
    bad(checker, EVENT(IMPORT_RETURN, .import_return.results = {1, i32, &one}), "types of its results");
    const struct rt_trace_event unknown = {.kind = 0x70}, information = {.kind = 0xf0};
    expect_error(rt_trace_checker_add(checker, &unknown), RT_UNSUPPORTED, "kind 0x70");
    good(checker, information);
    rt_trace_checker_destroy(checker);
}

static void links_fit(void **state) {
    (void)state;
    struct rt_trace_checker *checker;
    expect_good(rt_trace_checker_create(&header, &checker));
    good(checker, EVENT(HOST_FUNCTION, .host_function.type = {1, 1, i64, i64}));
    good(checker, EVENT(HOST_FUNCTION, .host_function.type = {1, 1, i32, i64}));
    good(checker, EVENT(HOST_TABLE, .host_table.type = RT_FUNCREF));
    good(checker, EVENT(HOST_MEMORY, .host_memory.pages = 0));
    good(checker, EVENT(HOST_GLOBAL, .host_global = {false, {RT_I32, one}}));
    good(checker, EVENT(HOST_GLOBAL, .host_global = {true, {RT_I32, one}}));
    struct rt_trace_place places[] = {{0, 0}, {0, 0}, {0, 0}, {0, 1}, {0, 1}};
    const struct rt_trace_event event = EVENT(INSTANTIATE, .instantiate = {0, {5, places}});
    bad(checker, event, "import 0, env.f: what the host made is of another type");
    places[0].index = 1;
    good(checker, event);
    places[3].index = 0;
    bad(checker, event, "import 3, env.g: what the host made is of another type");
    bad(checker, EVENT(HOST_TABLE, .host_table.type = RT_I32), "no reference type");
    bad(checker, EVENT(HOST_TABLE, .host_table = {RT_FUNCREF, 2, 1}), "elements above the maximum");
    bad(checker, EVENT(HOST_MEMORY, .host_memory = {2, 1}), "pages above the maximum");
    good(checker, EVENT(INSTANTIATE, .instantiate = {0, {5, (places[3].index = 1, places)}}));
    good(checker, EVENT(INSTANTIATION_TRAP, .instantiation_trap.trap = 1));
    bad(checker, EVENT(INSTANTIATION_TRAP, .instantiation_trap.trap = 1), "has to follow");
    rt_trace_checker_destroy(checker);
}

static struct rt_trace_bytes name_of(const char *text) {
    return (struct rt_trace_bytes){(const uint8_t *)text, strlen(text)};
}

/* Names come from anybody. */
static void messages_are_one_line(void **state) {
    (void)state;
    const struct rt_trace_event a = EVENT(MESSAGE, .message.name = name_of("a\nb")),
                                b = EVENT(MESSAGE, .message.name = name_of("\x1b[31m")),
                                call = EVENT(IMPORT_CALL, .import_call = {0, 0, {1, i32, &one}}),
                                exit = EVENT(GUEST_EXIT, .guest_exit.status = 1);
    struct rt_trace_checker *checker;
    expect_good(rt_trace_checker_create(&header, &checker));
    expect_error(rt_trace_difference(checker, &a, &b), RT_DIVERGED, "name: expected \"a?b\", got \"?[31m\"");
    good(checker, EVENT(HOST_FUNCTION, .host_function = {name_of("f\n\n"), {1, 1, i32, i64}}));
    expect_error(rt_trace_difference(checker, &call, &exit), RT_DIVERGED, "f??");
    rt_trace_checker_destroy(checker);
}

static void ends_follow_from_each_other(void **state) {
    (void)state;
    const struct rt_trace_event call = EVENT(IMPORT_CALL, .import_call = {0, 0, {1, i32, &one}}),
                                trap = EVENT(IMPORT_TRAP, .import_trap.trap = RT_TRAP_HOST);
    const struct {
        struct rt_trace_event event;
        bool is_good;
    } cases[] = {
        {EVENT(GUEST_TRAP, .guest_trap = {.trap = RT_TRAP_HOST}), true},
        {EVENT(GUEST_TRAP, .guest_trap = {.trap = RT_TRAP_UNREACHABLE}), false},
        {EVENT(GUEST_RETURN, .guest_return = {{0}}), false},
        {EVENT(GUEST_EXIT, .guest_exit.status = RT_TRAP_HOST), false},
        {call, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rt_trace_checker *checker = begin();
        good(checker, call);
        good(checker, trap);
        if (cases[i].is_good)
            good(checker, cases[i].event);
        else
            bad(checker, cases[i].event, "has to end with guest_trap 10");
        rt_trace_checker_destroy(checker);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_run),
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(links_fit),
        cmocka_unit_test(messages_are_one_line),
        cmocka_unit_test(ends_follow_from_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
