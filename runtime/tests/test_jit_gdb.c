/* The real GDB on this very program, which is the debuggee when it gets an argument: breakpoints in guests,
 * backtraces from the host through them and back, several modules, lines and variables of debug information
 * that is made from the code map, and that removal leaves no symbol. */
#include "runtime/tests/builder.h"

#include "runtime/jit/jit.h"

#ifdef __x86_64__
#include <stdio.h>
#include <unistd.h>

#define GET(n)   RT_OP_LOCAL_GET, n
#define CONST(n) RT_OP_I32_CONST, n

/* ---- The debuggee ---- */

/* GDB stops in these; what they do is of no interest. */
void at_both_modules(void);
void at_one_module(void);
void at_no_module(void);
__attribute__((noinline)) void at_both_modules(void) {
    __asm__ volatile("");
}
__attribute__((noinline)) void at_one_module(void) {
    __asm__ volatile("");
}
__attribute__((noinline)) void at_no_module(void) {
    __asm__ volatile("");
}

struct rt_error *host_function(void *user, struct rt_caller *caller, const union rt_value *args,
                               union rt_value *results);
/* Calls the guest again, once. */
__attribute__((noinline)) struct rt_error *
host_function(void *user, struct rt_caller *caller, const union rt_value *args, union rt_value *results) {
    (void)caller;
    struct running *running = user;
    results[0].i32 = args[0].i32;
    return args[0].i32 ? call_with(exported(running, "guest_beta"), (const uint64_t[4]){0}, results) : NULL;
}

static struct running make(struct builder *builder, const struct rt_extern *import, struct rt_store *store) {
    const struct rt_compile_options options = {.private_code = true, .writable_locals = true};
    return run_with(builder, &options, import, import ? 1 : 0, store);
}

static struct rt_jit_image *show(const struct running *running) {
    struct rt_code_map *map;
    struct rt_jit_image *image;
    expect_good(rt_code_map_create(running->code, &map));
    expect_good(rt_jit_register(map, NULL, 0, &image));
    rt_code_map_destroy(map);
    return image;
}

/* ---- Debug information, made from the code map ---- */

enum { FIRST_LINE = 100 /* of a function's first byte; each further byte is a line further */ };

static void put_line_program(struct bytes *line, const struct rt_code_map_function *function, uint32_t code,
                             const struct rt_code_map_entry *entries, size_t count) {
    struct bytes program = {0};
    uintptr_t machine = function->range.low;
    int64_t last = 1;
    PUT(&program, 0, 9, 2); /* DW_LNE_set_address */
    put_little(&program, machine, 8);
    for (size_t i = 0; i < count; i++) {
        int64_t at = FIRST_LINE + (entries[i].pc < code ? 0 : entries[i].pc - code);
        put_byte(&program, 2); /* DW_LNS_advance_pc */
        put_uleb(&program, entries[i].machine - machine);
        put_byte(&program, 3); /* DW_LNS_advance_line */
        put_sleb(&program, at - last);
        put_byte(&program, 1); /* DW_LNS_copy */
        machine = entries[i].machine;
        last = at;
    }
    put_byte(&program, 2);
    put_uleb(&program, function->range.high - machine);
    PUT(&program, 0, 1, 1); /* DW_LNE_end_sequence */
    /* From the minimal instruction length on: header of version 4, one file. */
    static const uint8_t rest[] = {1, 1, 1, 0xfb, 14,  13,  0,   1,   1,   1,   1, 0, 0, 0, 1, 0,
                                   0, 1, 0, 'g',  'u', 'e', 's', 't', '.', 'c', 0, 0, 0, 0, 0};
    put_little(line, 2 + 4 + sizeof(rest) + program.size, 4);
    put_little(line, 4, 2);
    put_little(line, sizeof(rest), 4);
    put(line, rest, sizeof(rest));
    put(line, program.data, program.size);
    free(program.data);
}

/* A function with one variable, a local in its frame. */
static void put_unit(struct bytes *info, const struct rt_code_map_function *function, const char *name,
                     int32_t offset) {
    struct bytes unit = {0}, location = {0};
    uint32_t size = (uint32_t)(function->range.high - function->range.low);
    put_little(&unit, 4, 2); /* version */
    put_little(&unit, 0, 4); /* abbreviations */
    put_byte(&unit, 8);      /* address size */
    PUT(&unit, 1, 'g', 'u', 'e', 's', 't', '.', 'c', 0, 0x0c);
    put_little(&unit, 0, 4); /* line program */
    put_little(&unit, function->range.low, 8);
    put_little(&unit, size, 4);
    uint32_t type = (uint32_t)unit.size + 4;
    PUT(&unit, 2, 'i', 'n', 't', 0, 4, 5); /* DW_ATE_signed */
    put_byte(&unit, 3);
    put(&unit, name, strlen(name) + 1);
    put_little(&unit, function->range.low, 8);
    put_little(&unit, size, 4);
    PUT(&unit, 1, 0x9c);       /* frame base: DW_OP_call_frame_cfa */
    put_byte(&location, 0x91); /* DW_OP_fbreg */
    put_sleb(&location, offset);
    PUT(&unit, 4, 'l', '1', 0);
    put_little(&unit, type, 4);
    put_uleb(&unit, location.size);
    put(&unit, location.data, location.size);
    PUT(&unit, 0, 0); /* the ends of function and unit */
    put_little(info, unit.size, 4);
    put(info, unit.data, unit.size);
    free(unit.data);
    free(location.data);
}

static const uint8_t abbreviations[] = {
    1, 0x11, 1, 0x03, 0x08, 0x13, 0x0b, 0x10, 0x17, 0x11, 0x01, 0x12, 0x06, 0, 0, /* unit */
    2, 0x24, 0, 0x03, 0x08, 0x0b, 0x0b, 0x3e, 0x0b, 0,    0,                      /* base type */
    3, 0x2e, 1, 0x03, 0x08, 0x11, 0x01, 0x12, 0x06, 0x40, 0x18, 0,    0,          /* function */
    4, 0x34, 0, 0x03, 0x08, 0x49, 0x13, 0x02, 0x18, 0,    0,                      /* variable */
    0};

/* Function 0 of the module, with lines and its local 1. */
static struct rt_jit_image *show_with_lines(const struct running *running, const char *name) {
    struct rt_arena arena;
    struct rt_code_map *map;
    struct rt_jit_image *image;
    const struct rt_code_map_entry *entries;
    const struct rt_placed_range *places;
    size_t count, place_count;
    uint32_t start, code, end;
    struct bytes info = {0}, line = {0};
    rt_arena_init(&arena, 0);
    expect_good(rt_code_map_create(running->code, &map));
    const struct rt_code_map_function *function = rt_code_map_function(map, 0);
    assert_true(rt_module_function_range(running->module, 0, &start, &code, &end));
    expect_good(rt_code_map_entries(map, 0, &arena, &entries, &count));
    expect_good(rt_code_map_local(map, 0, 1, code, end, &arena, &places, &place_count));
    put_line_program(&line, function, code, entries, count);
    put_unit(&info, function, name, places[0].place.offset);
    const struct rt_jit_section sections[] = {{".debug_abbrev", abbreviations, sizeof(abbreviations)},
                                              {".debug_info", info.data, info.size},
                                              {".debug_line", line.data, line.size}};
    expect_good(rt_jit_register(map, sections, 3, &image));
    free(info.data);
    free(line.data);
    rt_code_map_destroy(map);
    rt_arena_clear(&arena);
    return image;
}

static int debuggee(void) {
    static const uint8_t type[] = {RT_I32};
    struct builder builder = {0};
    struct running first, second;
    struct rt_store *store;
    struct rt_extern import = {.kind = RT_EXTERN_FUNC};
    expect_good(rt_store_create(&store));
    expect_good(rt_func_create(store, "host_function", (struct rt_func_type){1, 1, type, type}, host_function,
                               &first, &import.func));
    build_import(&builder, "host_function", "i:i");
    BUILD_FUNCTION(&builder, "guest_beta", "i:i", "i", GET(0), RT_OP_CALL, 0, CONST(1), RT_OP_I32_ADD);
    BUILD_FUNCTION(&builder, "guest_alpha", "i:i", "", GET(0), RT_OP_CALL, 1, CONST(2), RT_OP_I32_MUL);
    first = make(&builder, &import, store);
    /* The sum's line is FIRST_LINE + 11. */
    BUILD_FUNCTION(&builder, "guest_gamma", "i:i", "i", GET(0), CONST(3), RT_OP_I32_MUL, RT_OP_LOCAL_SET, 1,
                   RT_OP_LOCAL_GET, 1, RT_OP_LOCAL_GET, 1, RT_OP_I32_ADD);
    second = make(&builder, NULL, NULL);
    show(&first);
    struct rt_jit_image *image = show_with_lines(&second, "guest_gamma");

    at_both_modules();
    uint64_t result = call(&first, "guest_alpha", 5, 0, 0, 0);
    printf("the sum is %u\n", (unsigned)call(&second, "guest_gamma", 5, 0, 0, 0));
    fflush(stdout);
    rt_jit_unregister(image);
    at_one_module();
    stop(&second);
    stop(&first); /* its image goes with its code */
    at_no_module();
    return result == 4 ? 0 : 1;
}

/* ---- The test ---- */

static const char script[] = "set breakpoint pending on\n"
                             "set confirm off\n"
                             "set pagination off\n"
                             "set width 0\n"
                             "break at_both_modules\n"
                             "break at_one_module\n"
                             "break at_no_module\n"
                             "break guest_alpha\n"
                             "run\n"
                             "echo ==both\\n\n"
                             "info functions ^guest_\n"
                             "continue\n"
                             "echo ==alpha\\n\n"
                             "bt\n"
                             "break *guest_beta\n"
                             "break host_function if args[0].i32 == 0\n"
                             "continue\n"
                             "echo ==entry\\n\n"
                             "bt\n"
                             "stepi\n"
                             "echo ==pushed\\n\n"
                             "bt\n"
                             "continue\n"
                             "continue\n"
                             "echo ==host\\n\n"
                             "bt\n"
                             "finish\n"
                             "up\n"
                             "finish\n"
                             "delete 4 5\n"
                             "break guest.c:111\n"
                             "continue\n"
                             "echo ==line\\n\n"
                             "bt\n"
                             "print l1\n"
                             "set var l1 = 50\n"
                             "step\n"
                             "print l1\n"
                             "info source\n"
                             "delete 7\n"
                             "continue\n"
                             "echo ==one\\n\n"
                             "info functions ^guest_\n"
                             "continue\n"
                             "echo ==none\\n\n"
                             "info functions ^guest_\n"
                             "continue\n";

static char output[1 << 16];

/* What GDB printed after the line "==name", up to the next such line; it is cut off there. */
static const char *part(const char *name) {
    char mark[32];
    snprintf(mark, sizeof(mark), "==%s\n", name);
    char *start = strstr(output, mark);
    if (!start) {
        fputs(output, stderr);
        fail_msg("GDB did not come to '%s'", name);
    }
    return start + strlen(mark);
}

/* The words come in this order before the next part. */
static void expect_words(const char *name, const char *const *words, size_t count) {
    const char *at = part(name), *end = strstr(at, "\n==");
    for (size_t i = 0; i < count; i++) {
        at = strstr(at, words[i]);
        if (!at || (end && at > end)) {
            fputs(output, stderr);
            fail_msg("no '%s' behind '%s'", words[i], name);
        }
        at += strlen(words[i]);
    }
}
#define EXPECT(name, ...)                                                                                    \
    expect_words(name, (const char *const[]){__VA_ARGS__},                                                   \
                 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void expect_not(const char *name, const char *word) {
    const char *at = part(name), *end = strstr(at, "\n=="), *found = strstr(at, word);
    if (found && (!end || found < end)) {
        fputs(output, stderr);
        fail_msg("'%s' is behind '%s'", word, name);
    }
}

static void run_gdb(void) {
    char path[] = "/tmp/lockstep-gdb-XXXXXX", program[4096], line[8192];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, strlen(script)), strlen(script));
    close(fd);
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
    assert_true(size > 0);
    program[size] = 0;
    /* A leak checker cannot trace what GDB traces. */
    snprintf(line, sizeof(line),
             "ASAN_OPTIONS=detect_leaks=0 DEBUGINFOD_URLS= "
             "timeout 100 gdb -nx -q -batch -x %s --args %s debuggee 2>&1 </dev/null",
             path, program);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    size_t got = fread(output, 1, sizeof(output) - 1, pipe);
    output[got] = 0;
    pclose(pipe);
    unlink(path);
}

static void test_gdb(void **state) {
    (void)state;
    if (system("gdb -nx -batch >/dev/null 2>&1") != 0)
        skip();
    run_gdb();
    EXPECT("both", "Non-debugging symbols:", "guest_beta", "guest_alpha");
    EXPECT("both", "guest_gamma");
    EXPECT("alpha", "#0", " in guest_alpha ()", "#1", "in rt_x86_64_enter ()", "rt_compiled_call",
           " debuggee (");
    EXPECT("entry", "#0", " in guest_beta ()", "#1", " in guest_alpha ()", "#2", "in rt_x86_64_enter ()",
           " debuggee (");
    EXPECT("pushed", "#0", " in guest_beta ()", "#1", " in guest_alpha ()", "#2", "in rt_x86_64_enter ()",
           " debuggee (");
    EXPECT("host", "#0", "host_function (", "rt_x86_64_host_call ()", " in guest_beta ()",
           "rt_x86_64_enter ()", "host_function (", "rt_x86_64_host_call ()", " in guest_beta ()",
           " in guest_alpha ()", "rt_x86_64_enter ()", " debuggee (");
    EXPECT("line", "#0", "guest_gamma () at guest.c:111", "#1", "in rt_x86_64_enter ()", "$3 = 15", "112",
           "$4 = 50", "Current source file is guest.c", "the sum is 100");
    EXPECT("one", "Non-debugging symbols:", "guest_beta", "guest_alpha");
    expect_not("one", "guest_gamma");
    EXPECT("none", "exited normally");
    expect_not("none", "Non-debugging symbols");
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1)
        return debuggee();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gdb)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void) {
    return 0;
}
#endif
