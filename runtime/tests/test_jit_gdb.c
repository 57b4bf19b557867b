/* The real GDB on this very program, which is the debuggee when it gets an argument: breakpoints in guests,
 * backtraces from the host through them and back, several modules, and that removal leaves no symbol. */
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

static struct running make(struct builder *builder, const struct rt_extern *import, struct rt_store *store,
                           struct rt_jit_image **ret) {
    const struct rt_compile_options options = {.private_code = true, .writable_locals = true};
    struct running running = run_with(builder, &options, import, import ? 1 : 0, store);
    struct rt_code_map *map;
    expect_good(rt_code_map_create(running.code, &map));
    expect_good(rt_jit_register(map, NULL, 0, ret));
    rt_code_map_destroy(map);
    return running;
}

static int debuggee(void) {
    static const uint8_t type[] = {RT_I32};
    struct builder builder = {0};
    struct running first, second;
    struct rt_jit_image *unused, *image;
    struct rt_store *store;
    struct rt_extern import = {.kind = RT_EXTERN_FUNC};
    expect_good(rt_store_create(&store));
    expect_good(rt_func_create(store, "host_function", (struct rt_func_type){1, 1, type, type}, host_function,
                               &first, &import.func));
    build_import(&builder, "host_function", "i:i");
    BUILD_FUNCTION(&builder, "guest_beta", "i:i", "i", GET(0), RT_OP_CALL, 0, CONST(1), RT_OP_I32_ADD);
    BUILD_FUNCTION(&builder, "guest_alpha", "i:i", "", GET(0), RT_OP_CALL, 1, CONST(2), RT_OP_I32_MUL);
    first = make(&builder, &import, store, &unused);
    BUILD_FUNCTION(&builder, "guest_gamma", "i:i", "", GET(0), CONST(3), RT_OP_I32_MUL);
    second = make(&builder, NULL, NULL, &image);

    at_both_modules();
    uint64_t result = call(&first, "guest_alpha", 5, 0, 0, 0);
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
    EXPECT("both", "Non-debugging symbols:", "guest_gamma");
    EXPECT("alpha", "#0", " in guest_alpha ()", "#1", "in rt_x86_64_enter ()", "rt_compiled_call",
           " debuggee (");
    EXPECT("entry", "#0", " in guest_beta ()", "#1", " in guest_alpha ()", "#2", "in rt_x86_64_enter ()",
           " debuggee (");
    EXPECT("pushed", "#0", " in guest_beta ()", "#1", " in guest_alpha ()", "#2", "in rt_x86_64_enter ()",
           " debuggee (");
    EXPECT("host", "#0", "host_function (", "rt_x86_64_host_call ()", " in guest_beta ()",
           "rt_x86_64_enter ()", "host_function (", "rt_x86_64_host_call ()", " in guest_beta ()",
           " in guest_alpha ()", "rt_x86_64_enter ()", " debuggee (");
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
