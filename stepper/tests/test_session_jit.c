/* Sessions over registered code: our own engine's, stepped as the native image that it registered. */
#include "stepper/tests/jit_test.h"

#include <signal.h>

/* HOW chooses an end. Lines are found by the word of their comment. */
static const char program[] = "#include <stdio.h>\n"
                              "#include <stdlib.h>\n"
                              "struct point { int x; short y; struct point *next; };\n"
                              "static int numbers[4] = {1, 2, 3, 4};\n"
                              "struct point first = {5, -6, &first};\n"
                              "static int *last = &numbers[3];\n"
                              "double ratio = 0.5, unused = 0.25;\n"
                              "volatile int zero;\n"
                              "int factorial(int n) {\n"
                              "    if (n <= 1)\n"
                              "        return 1; /* innermost */\n"
                              "    return n * factorial(n - 1);\n"
                              "}\n"
                              "int deeper(int n) {\n"
                              "    return n ? deeper(n + 1) + 1 : 0;\n"
                              "}\n"
                              "int sum(const int *list, int count) {\n"
                              "    static int calls = 7;\n"
                              "    int total = 0;\n"
                              "    calls++;\n"
                              "    for (int i = 0; i < count; i++) {\n"
                              "        long long part = list[i];\n"
                              "        total += part; /* loop */\n"
                              "    }\n"
                              "    return total; /* after */\n"
                              "}\n"
                              "int end(int how) {\n"
                              "    switch (how) {\n"
                              "    case 1: exit(9);\n"
                              "    case 2: __builtin_trap(); /* trap */\n"
                              "    case 3: return how / zero; /* divide */\n"
                              "    case 4: return *(volatile int *)0x7ffffff0; /* read */\n"
                              "    case 5: return deeper(1);\n"
                              "    case 6: for (;;) zero++;\n"
                              "    }\n"
                              "    return how;\n"
                              "}\n"
                              "int main(void) {\n"
                              "    struct point local = {1, 2, &first};\n"
                              "    int total = sum(numbers, 4); /* call */\n"
                              "    local.x = factorial(5) + (int)ratio + (*last != 4);\n"
                              "    printf(\"%d %d\\n\", total, local.x); /* print */\n"
                              "    return end(HOW);\n"
                              "}\n";

enum { RETURNS, EXITS, TRAPS, DIVIDES, READS, OVERFLOWS, LOOPS };

static bool can_compile;

static void open_program(struct guest *guest, int how) {
    char flags[64], path[256];
    if (!can_compile)
        skip();
    snprintf(flags, sizeof flags, "--target=wasm32-wasi -O0 -DHOW=%d", how);
    compile_text(program, flags, "program.wasm", path);
    guest_open(guest, path);
}

/* The line with this word. */
static uint32_t line_of(const char *word) {
    const char *at = strstr(program, word);
    uint32_t line = 1;
    assert_non_null(at);
    for (const char *p = program; p < at; p++)
        line += *p == '\n';
    return line;
}

/* Not in the C library. */
static bool is_in_program(const struct st_debug *debug, uint64_t pc) {
    static const char file[] = "program.c";
    const char *path = st_debug_file(debug, st_debug_row_at(debug, pc)->file);
    size_t length = strlen(path), suffix = sizeof file - 1;
    return length > suffix && strcmp(path + length - suffix, file) == 0;
}

static void probe_line(struct guest *guest, const char *word) {
    const struct st_debug *debug = st_session_debug(guest->session);
    size_t count, kept = 0;
    struct st_probe *probes = all_rows(debug, &count);
    for (size_t i = 0; i < count; i++)
        if (probes[i].cookie == line_of(word) && is_in_program(debug, probes[i].pc))
            probes[kept++] = probes[i];
    assert_true(kept > 0);
    check(st_session_set_probes(guest->session, probes, kept));
    free(probes);
}

/* A variable's value by its name, in the scopes around a frame's pc, or among the globals. */
static const struct st_variable *find(struct st_session *session, const struct st_frame *frame,
                                      const char *name) {
    for (const struct st_scope *scope = st_scope_at(frame->function, frame->pc); scope; scope = scope->parent)
        for (size_t i = 0; i < scope->variable_count; i++)
            if (!strcmp(scope->variables[i].name, name))
                return &scope->variables[i];
    size_t count;
    const struct st_variable *globals = st_debug_globals(st_session_debug(session), &count);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(globals[i].name, name))
            return &globals[i];
    print_error("no variable %s\n", name);
    fail();
    return NULL;
}

static struct st_place locate(struct st_session *session, const struct st_frame *frame, const char *name) {
    struct st_place place;
    st_locate(session, frame, find(session, frame, name), &place);
    return place;
}

static void read_object(struct st_session *session, const struct st_frame *frame, const char *name, void *ret,
                        size_t size) {
    struct st_place place = locate(session, frame, name);
    const void *bytes = place.kind == ST_PLACE_MEMORY  ? st_session_memory(session, place.address, size)
                        : place.kind == ST_PLACE_VALUE ? place.bytes
                                                       : NULL;
    if (!bytes) {
        print_error("%s: %s\n", name, place.reason ? place.reason : "it is not to be seen");
        fail();
    }
    memcpy(ret, bytes, size);
}

static int32_t number(struct st_session *session, const struct st_frame *frame, const char *name) {
    int32_t value;
    read_object(session, frame, name, &value, sizeof value);
    return value;
}

static const struct st_frame *innermost(struct st_session *session) {
    const struct st_frame *frame;
    check(st_session_frame(session, &frame));
    return frame;
}

/* The outermost frame with debug information: a linker's function may have called it. */
static const struct st_frame *outermost(const struct st_frame *frames, size_t count) {
    while (count > 1 && !frames[count - 1].function)
        count--;
    return &frames[count - 1];
}

/* ---- Stops ---- */

struct steps {
    uint32_t lines[4096];
    size_t count, jumps, traps;
};

/* Steps all statements of the program. */
static void step_all(int how, bool prefer_traps, struct steps *ret) {
    struct guest guest;
    struct st_event event;
    size_t count;
    open_program(&guest, how);
    *ret = (struct steps){.count = 0};
    struct st_probe *probes = all_rows(st_session_debug(guest.session), &count);
    st_session_prefer_traps(guest.session, prefer_traps);
    check(st_session_set_probes(guest.session, probes, count));
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(probes[i].made, ST_PROBE_NONE);
        ret->jumps += probes[i].made == ST_PROBE_JUMP;
        ret->traps += probes[i].made == ST_PROBE_TRAP;
    }
    free(probes);
    while ((event = next(guest.session)).kind == ST_STEP) {
        const struct st_frame *frame = innermost(guest.session);
        assert_int_equal(frame->pc, event.pc);
        assert_non_null(frame->function);
        if (ret->count < 4096)
            ret->lines[ret->count++] =
                is_in_program(st_session_debug(guest.session), event.pc) ? event.cookie : 0;
    }
    assert_int_equal(event.kind, ST_EXIT);
    assert_int_equal(event.status, how == EXITS ? 9 : 0);
    assert_string_equal(guest.output, "10 120\n");
    assert_string_equal(guest.trouble, "");
    guest_close(&guest);
}

static size_t hits(const struct steps *steps, uint32_t line) {
    size_t count = 0;
    for (size_t i = 0; i < steps->count; i++)
        count += steps->lines[i] == line;
    return count;
}

static void test_statements(void **state) {
    (void)state;
    static struct steps steps[2];
    for (int how = RETURNS; how <= EXITS; how++) {
        step_all(how, false, &steps[0]);
        step_all(how, true, &steps[1]);
        assert_int_equal(steps[0].count, steps[1].count);
        assert_memory_equal(steps[0].lines, steps[1].lines, steps[0].count * sizeof *steps[0].lines);
        assert_true(steps[0].jumps > steps[0].traps);
        assert_int_equal(steps[1].jumps, 0);
        assert_int_equal(hits(&steps[0], line_of("/* innermost */")), 1);
        assert_true(hits(&steps[0], line_of("/* loop */")) >= 4);
        assert_true(hits(&steps[0], line_of("/* print */")) >= 1);
    }
}

static void test_variables(void **state) {
    (void)state;
    struct guest guest;
    struct point {
        int32_t x;
        int16_t y;
        uint32_t next;
    } point;
    int32_t numbers[4];
    double ratio;
    uint64_t pointer;
    open_program(&guest, RETURNS);
    struct st_session *session = guest.session;
    assert_int_equal(st_session_address_size(session), 8);

    probe_line(&guest, "/* loop */");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(next(session).kind, ST_STEP);
        const struct st_frame *frame = innermost(session);
        int64_t part;
        assert_string_equal(frame->function->name, "sum");
        read_object(session, frame, "part", &part, sizeof part);
        assert_int_equal(part, i + 1);
        assert_int_equal(number(session, frame, "i"), i);
        assert_int_equal(number(session, frame, "total"), i * (i + 1) / 2);
        assert_int_equal(number(session, frame, "calls"), 8);
        assert_true(find(session, frame, "calls")->is_static);
        assert_false(find(session, frame, "part")->is_static);
    }
    const struct st_frame *frame = innermost(session);
    read_object(session, frame, "numbers", numbers, sizeof numbers);
    assert_memory_equal(numbers, ((int32_t[]){1, 2, 3, 4}), sizeof numbers);
    read_object(session, frame, "ratio", &ratio, sizeof ratio);
    assert_true(ratio == 0.5);
    assert_true(find(session, frame, "unused")->is_dropped); /* by the linker */

    /* A pointer in memory is an offset of 4 bytes; as a variable it is one of this process. */
    struct st_place first = locate(session, frame, "first"), last = locate(session, frame, "last");
    read_object(session, frame, "first", &point, sizeof point);
    assert_int_equal(point.x, 5);
    assert_int_equal(point.y, -6);
    assert_int_equal(st_session_pointer_base(session) + point.next, first.address);
    assert_int_equal(last.kind, ST_PLACE_VALUE);
    assert_int_equal(last.storage_size, 4);
    memcpy(&pointer, last.bytes, sizeof pointer);
    assert_int_equal(pointer, locate(session, frame, "numbers").address + 3 * sizeof(int32_t));
    const uint32_t *stored = st_session_writable(session, last.storage, 4);
    assert_non_null(stored);
    assert_int_equal(st_session_pointer_base(session) + *stored, pointer);
    assert_true(find(session, frame, "last")->is_static);
    read_object(session, frame, "list", &pointer, sizeof pointer);
    assert_int_equal(pointer, locate(session, frame, "numbers").address);

    /* What is written there is the guest's. */
    struct st_place total = locate(session, frame, "total");
    memcpy(st_session_writable(session, total.address, 4), &(int32_t){96}, 4);
    probe_line(&guest, "/* print */");
    assert_int_equal(next(session).kind, ST_STEP);
    frame = innermost(session);
    assert_string_equal(frame->function->name, "main");
    assert_int_equal(number(session, frame, "total"), 100);
    assert_int_equal(number(session, frame, "local"), 120);
    assert_int_equal(next(session).kind, ST_EXIT);
    assert_string_equal(guest.output, "100 120\n");
    guest_close(&guest);
}

/* Frames are the guest's alone, and callers' variables are found through their frames. */
static void test_recursion(void **state) {
    (void)state;
    for (int prefer_traps = 0; prefer_traps < 2; prefer_traps++) {
        struct guest guest;
        const struct st_frame *frames;
        size_t count;
        open_program(&guest, RETURNS);
        st_session_prefer_traps(guest.session, prefer_traps);
        probe_line(&guest, "/* innermost */");
        assert_int_equal(next(guest.session).kind, ST_STEP);
        check(st_session_frames(guest.session, &frames, &count));
        assert_true(count > 6);
        for (int i = 0; i < 5; i++) {
            assert_string_equal(frames[i].function->name, "factorial");
            assert_int_equal(number(guest.session, &frames[i], "n"), i + 1);
        }
        assert_string_equal(frames[5].function->name, "main");
        assert_int_equal(number(guest.session, &frames[5], "total"), 10);
        for (size_t i = 0; i < count; i++) {
            assert_int_not_equal(frames[i].pc, 0);
            assert_true(i == 0 || frames[i].cfa > frames[i - 1].cfa);
        }
        assert_string_equal(outermost(frames, count)->function->name, "_start");
        assert_int_equal(next(guest.session).kind, ST_EXIT);
        guest_close(&guest);
    }
}

/* ---- Faults ---- */

/* The driver hears of a trap, with the guest as it is; then the engine deals with it. All statements have
 * probes: what traps may be displaced, or lie under a patch. */
static void test_traps(void **state) {
    (void)state;
    static const struct {
        int how, signal;
        const char *function, *words, *trouble;
    } cases[] = {
        {TRAPS, SIGILL, "end", "/* trap */", "unreachable"},
        {DIVIDES, SIGILL, "end", "/* divide */", "integer divide by zero"},
        {READS, SIGSEGV, "end", "/* read */", "out of bounds memory access"},
        {OVERFLOWS, SIGSEGV, "deeper", NULL, "out of bounds memory access"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int form = 0; form < 3; form++) { /* no probes, jumps, trap bytes */
            struct guest guest;
            struct st_event event;
            const struct st_frame *frames;
            size_t count;
            open_program(&guest, cases[i].how);
            struct st_probe *probes = all_rows(st_session_debug(guest.session), &count);
            st_session_prefer_traps(guest.session, form == 2);
            check(st_session_set_probes(guest.session, probes, form ? count : 0));
            free(probes);
            while ((event = next(guest.session)).kind == ST_STEP)
                continue;
            assert_int_equal(event.kind, ST_TRAP);
            assert_int_equal(event.trap, cases[i].signal);
            check(st_session_frames(guest.session, &frames, &count));
            assert_int_equal(frames[0].pc, event.pc);
            assert_string_equal(frames[0].function->name, cases[i].function);
            assert_string_equal(outermost(frames, count)->function->name, "_start");
            if (cases[i].words)
                assert_int_equal(st_debug_row_at(st_session_debug(guest.session), event.pc)->line,
                                 line_of(cases[i].words));
            event = next(guest.session);
            assert_int_equal(event.kind, ST_EXIT);
            assert_int_equal(event.status, 134);
            assert_non_null(strstr(guest.trouble, cases[i].trouble));
            guest_close(&guest);
        }
    }
}

/* An engine that sets its handlers when it is entered comes to be before ours. */
static int enter_late(void *user) {
    struct rt_store *other;
    signal(SIGILL, SIG_DFL);
    check(rt_store_create(&other));
    rt_store_destroy(other);
    return guest_enter(user);
}

static void test_late_handlers(void **state) {
    (void)state;
    struct guest guest;
    uintptr_t low, high;
    open_program(&guest, TRAPS);
    st_session_destroy(guest.session);
    rt_code_range(guest.code, &low, &high);
    const struct st_session_options options = {
        .memory = (uintptr_t)rt_memory_base(rt_instance_memory(guest.instance, 0))};
    check(st_session_create_jit(guest.images, st_jit_image_at(guest.images, low), enter_late, &guest,
                                &options, &guest.session));
    rt_store_set_stack_limit(guest.store, st_session_stack_limit(guest.session));
    probe_line(&guest, "/* call */");
    assert_int_equal(next(guest.session).kind, ST_STEP);
    assert_int_equal(next(guest.session).kind, ST_TRAP);
    assert_int_equal(next(guest.session).status, 134);
    assert_non_null(strstr(guest.trouble, "unreachable"));
    guest_close(&guest);
}

/* ---- Beginning and ending ---- */

static void test_quantum(void **state) {
    (void)state;
    struct guest guest;
    open_program(&guest, LOOPS);
    st_session_destroy(guest.session);
    st_jit_images_destroy(guest.images);
    guest_open_session(&guest, guest_read_image(&guest), &(struct st_session_options){.quantum = 20});
    for (int i = 0; i < 3; i++) {
        struct st_event event = next(guest.session);
        assert_int_equal(event.kind, ST_INTERRUPT);
        assert_string_equal(innermost(guest.session)->function->name, "end");
    }
    guest_close(&guest); /* abandoned */
}

/* The code is as it was, and runs without a session. */
static void test_leaves_no_trace(void **state) {
    (void)state;
    struct guest guest;
    uintptr_t low, high;
    size_t count;
    open_program(&guest, RETURNS);
    rt_code_range(guest.code, &low, &high);
    uint8_t *before = malloc(high - low);
    assert_non_null(before);
    memcpy(before, (void *)low, high - low);
    struct st_probe *probes = all_rows(st_session_debug(guest.session), &count);
    check(st_session_set_probes(guest.session, probes, count));
    free(probes);
    assert_memory_not_equal(before, (void *)low, high - low);
    assert_int_equal(next(guest.session).kind, ST_STEP);
    st_session_destroy(guest.session);
    guest.session = NULL;
    assert_memory_equal(before, (void *)low, high - low);
    free(before);
    guest_close(&guest);
}

static void test_usage(void **state) {
    (void)state;
    struct guest guest, other = {.module = NULL};
    struct st_session *session;
    uintptr_t low, high;
    open_program(&guest, RETURNS);
    rt_code_range(guest.code, &low, &high);
    const struct st_jit_image *image = st_jit_image_at(guest.images, low);
    check_fails(st_session_create_jit(guest.images, image, guest_enter, &guest, NULL, &session),
                "has a session already");
    const struct st_jit_image broken = {.problem = "it is no ELF file of this machine"};
    check_fails(st_session_create_jit(guest.images, &broken, guest_enter, &guest, NULL, &session),
                "no ELF file");

    /* Without DWARF it is not stepped. */
    struct rt_code_map *map;
    struct rt_jit_image *registered;
    check(rt_code_create(guest.module, NULL, &other.code));
    check(rt_code_map_create(other.code, &map));
    check(rt_jit_register(map, NULL, 0, &registered));
    rt_code_map_destroy(map);
    check(st_jit_images_read(&other.images));
    rt_code_range(other.code, &low, &high);
    check_fails(st_session_create_jit(other.images, st_jit_image_at(other.images, low), guest_enter, &guest,
                                      NULL, &session),
                "no debug information");
    st_jit_images_destroy(other.images);
    rt_code_destroy(other.code);
    guest_close(&guest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),      cmocka_unit_test(test_variables),
        cmocka_unit_test(test_recursion),       cmocka_unit_test(test_traps),
        cmocka_unit_test(test_late_handlers),   cmocka_unit_test(test_quantum),
        cmocka_unit_test(test_leaves_no_trace), cmocka_unit_test(test_usage),
    };
    can_compile = compiled_make();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    compiled_remove();
    return failed;
}
