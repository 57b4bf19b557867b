/* Guests as native tools see them: breakpoints and backtraces by the real GDB on `run -g`, `record -g` and
 * `replay -g`, and the files for perf. */
#include "harness/tests/shell.h"

#include <dirent.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char program[] = "#include <stdio.h>\n"
                              "static volatile int calls;\n"
                              "__attribute__((noinline)) int leaf(int n) {\n"
                              "    calls++;\n"
                              "    if (n == 99) __builtin_trap();\n"
                              "    return n + calls;\n"
                              "}\n"
                              "__attribute__((noinline)) int middle(int n) {\n"
                              "    return leaf(n) * 2;\n"
                              "}\n"
                              "int main(int argc, char **argv) {\n"
                              "    printf(\"got %d\\n\", middle(argc > 1 ? 99 : 5));\n"
                              "    return 7;\n"
                              "}\n";

static const char list[] =
    "struct node { int value; struct node *next; const char *text; };\n"
    "struct node nodes[3] = {{1, &nodes[1], \"first\"}, {2, &nodes[2], \"second\"}, {3, 0, \"third\"}};\n"
    "static int total_of_all = 5;\n"
    "int *table[2] = {0, &total_of_all};\n"
    "union { unsigned bits[2]; double real; } shape = {.real = 2.5};\n"
    "int sum(struct node *list)\n"
    "{\n"
    "    int total = 0;\n"
    "    while (list) {\n"
    "        int part = list->value;\n"
    "        total += list->value;\n"
    "        list = list->next;\n"
    "    }\n"
    "    return total;\n"
    "}\n"
    "struct node *last = &nodes[2];\n"
    "int main(void)\n"
    "{\n"
    "    total_of_all += sum(nodes) + (int)shape.real;\n"
    "    if (last->value != *table[1])\n"
    "        total_of_all++;\n"
    "    return total_of_all != 0 && table[0];\n"
    "}\n";

/* Runs a shell line in which $L is the lockstep command, $G is GDB's batch mode on what follows. */
static void expect(const char *line, int status, const char *const *words, size_t count) {
    char command[4096];
    struct hx_buffer output = {0};
    snprintf(command, sizeof command,
             "export DEBUGINFOD_URLS= ASAN_OPTIONS=detect_leaks=0; L='%s';"
             "G='gdb -nx -q -batch -x script --args'; { %s; } 2>&1 </dev/null",
             LOCKSTEP_BINARY, line);
    const int got = run_shell(command, 100000, &output);
    const char *at = hx_buffer_string(&output);
    for (size_t i = 0; i < count && at; i++) {
        at = strstr(at, words[i]);
        if (!at)
            print_error("no '%s', in this order\n", words[i]);
    }
    if (got != status || !at) {
        print_error("%s\nexit status %d, expected %d\n", line, got, status);
        fputs(hx_buffer_string(&output), stderr);
        fail();
    }
    hx_buffer_clear(&output);
}
#define EXPECT(line, status, ...)                                                                            \
    expect(line, status, (const char *const[]){__VA_ARGS__},                                                 \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void write_file(const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", temp.path, name);
    assert_null(hx_file_write(path, text, strlen(text), 0600));
}

static int set_up(void **state) {
    (void)state;
    assert_null(hx_temp_create(&temp));
    write_file("program.c", program);
    EXPECT("clang-19 --target=wasm32-wasi -O0 -g -w program.c -o program.wasm", 0, "");
    return 0;
}

/* ---- GDB ---- */

#define START                                                                                                \
    "set breakpoint pending on\nset confirm off\nset pagination off\nset width 0\nset backtrace past-main\n" \
    "break leaf\nrun\nbt\n"

static void need_gdb(void) {
    if (system("gdb -nx -batch >/dev/null 2>&1") != 0)
        skip();
}

static void test_backtrace(void **state) {
    (void)state;
    need_gdb();
    write_file("script", START "finish\ncontinue\n");
    EXPECT("$G $L run -g program.wasm", 0, "Breakpoint 1", "leaf (n=5) at program.c:4", "calls++;", "#0",
           "leaf (n=5) at program.c:4", "#1", " in middle (n=5) at program.c:9", " in rt_x86_64_enter ()",
           " in rt_wasi_run (", " in run_guest (", " in hx_wasi_command_drive (", "libc_start_main",
           " in middle (n=5)", "got 12", "exited with code 07");
    EXPECT("$G $L record -g program.wasm -o trace", 0, "leaf (n=5)", " in middle (n=5)",
           " in hx_wasi_command_drive (", "got 12", "exited with code 07");
    EXPECT("$G $L replay -g trace", 0, "leaf (n=5)", " in middle (n=5)", " in hx_wasi_command_drive (",
           "got 12", "exited with code 07");
}

/* Lines, steps, variables and pointers, as GDB shows them of a native program. The data lies where all of its
 * pointers can be followed. */
static void test_variables(void **state) {
    (void)state;
    need_gdb();
    write_file("list.c", list);
    write_file("script", "set breakpoint pending on\nset width 0\nbreak sum\nrun\ninfo args\nprint *list\n"
                         "print list->next->next->value\nprint list->text\nnext\nnext\nstep\ninfo locals\n"
                         "print total_of_all\nprint *table[1]\nprint table\nprint shape\nset var total = 40\n"
                         "watch total\ncontinue\ndelete 2\nfinish\nprint nodes[1]\nprint last == &nodes[2]\n"
                         "print *last\nptype last\ntbreak list.c:22\ncontinue\nprint total_of_all\n");
    EXPECT("clang-19 --target=wasm32-wasi -O0 -g -w -Wl,--global-base=65536 list.c -o list.wasm &&"
           "$G $L run -g list.wasm",
           0, "sum (list=0x", "at list.c:8", "list = 0x", "= {value = 1, next = 0x", "text = 0x",
           "\"first\"}", "= 3", "\"first\"", "total += list->value;", "part = 1", "total = 0", "= 5", "= 5",
           "= {0x0, 0x", "real = 2.5", "Hardware watchpoint", "Old value = 40", "New value = 41", "list.c:12",
           "main () at list.c:19", "= {value = 2, next = 0x", "\"second\"}", "= 1",
           "= {value = 3, next = 0x0", "\"third\"", "struct node {", "list.c:22", "= 54");
}

/* The interface's symbols are found in a command without a symbol table, too. */
static void test_stripped(void **state) {
    (void)state;
    need_gdb();
    write_file("script", START "continue\n");
    EXPECT("strip -o stripped \"$L\" && $G ./stripped run -g program.wasm", 0, "Breakpoint 1", "leaf (n=5)",
           "#0", "leaf (n=5)", "#1", " in middle (n=5)", "got 12", "exited with code 07");
}

static void test_lldb(void **state) {
    (void)state;
    if (system("lldb-19 --batch >/dev/null 2>&1") != 0)
        skip();
    write_file("script", "settings set plugin.jit-loader.gdb.enable on\nbreakpoint set -n leaf\nrun\nbt\n"
                         "breakpoint delete -f\nfinish\ncontinue\n");
    EXPECT("lldb-19 --batch -s script -- \"$L\" run -g program.wasm", 0, "stop reason = breakpoint", "`leaf",
           "`middle", "`rt_x86_64_enter", "`hx_wasi_command_drive", "stop reason = step out", "`middle",
           "exited with status = 7");
}

/* What runtime/jit/README.md says that LLDB can do. */
static void test_lldb_variables(void **state) {
    (void)state;
    if (system("lldb-19 --batch >/dev/null 2>&1") != 0)
        skip();
    write_file("list.c", list);
    write_file("script",
               "settings set plugin.jit-loader.gdb.enable on\nbreakpoint set -f list.c -l 11\nrun\n"
               "frame variable\nprint total_of_all\nprint list->value\nnext\nstep\n"
               "watchpoint set variable total\nbreakpoint delete -f\ncontinue\nframe variable total\n"
               "watchpoint delete -f\nfinish\nexpression total_of_all + 1\ncontinue\n");
    EXPECT("clang-19 --target=wasm32-wasi -O0 -g -w -Wl,--global-base=65536 list.c -o list.wasm &&"
           "lldb-19 --batch -s script -- \"$L\" run -g list.wasm",
           0, "stop reason = breakpoint", "`sum(list=0x", "at list.c:11", "list = 0x", "total = 0",
           "part = 1", "(int) 5", "(int) 1", "stop reason = step over", "list.c:12", "stop reason = step in",
           "list.c:9", "Watchpoint created", "old value: 1", "new value: 3", "total = 3",
           "stop reason = step out", "`main at list.c:19", "(int) $", " = 6", "exited with status = 0");
}

/* A trap stops the debugger where it happens, with no settings, and goes its way then: to the stepper, whose
 * injected call has the guest's frames below it. */
static void test_trap(void **state) {
    (void)state;
    need_gdb();
    write_file("script", "set backtrace past-main\nrun\nbt\nbreak st_session_stop\ncontinue\nbt\ncontinue\n");
    EXPECT("$G $L run -g program.wasm -- more", 0, "received signal SIGILL", " in leaf (n=99) at program.c:5",
           "#0", " in leaf (n=99)", "#1", " in middle (n=99)", " in rt_x86_64_enter ()", "libc_start_main",
           "#0", "st_session_stop (", "<signal handler called>", "rt_x86_64_unwind ()", " in middle (n=99)",
           " in rt_x86_64_enter ()", "libc_start_main", "lockstep run: trap: unreachable",
           "exited with code 0206");
}

/* ---- perf ---- */

static void test_perf_map(void **state) {
    (void)state;
    EXPECT(
        "$L run --perf map program.wasm & p=$!; wait $p; echo status $?; cat /tmp/perf-$p.map;"
        "grep -cE '^[0-9a-f]+ [0-9a-f]+ [^ ]' /tmp/perf-$p.map; wc -l </tmp/perf-$p.map; rm /tmp/perf-$p.map",
        0, "got 12", "status 7", " leaf\n", " middle\n");
}

static struct rt_cursor read_dump(uint8_t **ret) {
    char path[600] = "";
    DIR *folder = opendir(temp.path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strncmp(entry->d_name, "jit-", 4) == 0)
            snprintf(path, sizeof path, "%s/%s", temp.path, entry->d_name);
    }
    closedir(folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    enum { ROOM = 1 << 22 };
    *ret = malloc(ROOM);
    assert_non_null(*ret);
    size_t got = fread(*ret, 1, ROOM, file);
    assert_in_range(got, 40, ROOM - 1);
    fclose(file);
    return rt_cursor_make(*ret, got, 0);
}

static uint64_t take(struct rt_cursor *cursor, unsigned size) {
    const uint8_t *bytes;
    uint64_t value = 0;
    assert_null(rt_cursor_bytes(cursor, size, "a number", &bytes));
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static const char *take_text(struct rt_cursor *cursor) {
    const char *text = (const char *)cursor->next;
    const uint8_t *bytes;
    assert_null(rt_cursor_bytes(cursor, strnlen(text, rt_cursor_left(cursor)) + 1, "text", &bytes));
    return text;
}

/* By the specification of the format: lines come before the function that they are of. */
static void test_jitdump(void **state) {
    (void)state;
    EXPECT(
        "$L run --perf jitdump program.wasm & p=$!; wait $p; echo status $?; test -f jit-$p.dump && echo ok",
        0, "got 12", "status 7", "ok");
    uint8_t *bytes;
    struct rt_cursor dump = read_dump(&bytes);
    assert_int_equal(take(&dump, 4), 0x4a695444);
    assert_int_equal(take(&dump, 4), 1);
    assert_int_equal(take(&dump, 4), 40);
    assert_int_equal(take(&dump, 4), EM_X86_64);
    take(&dump, 8); /* unused, process */
    take(&dump, 8); /* when */
    take(&dump, 8); /* flags */
    uint64_t described = 0, functions = 0, last_time = 0;
    bool has_leaf = false, is_closed = false, leaf_lines[16] = {false};
    while (rt_cursor_left(&dump)) {
        assert_false(is_closed);
        const uint8_t *start = dump.next;
        uint64_t kind = take(&dump, 4), size = take(&dump, 4), when = take(&dump, 8);
        assert_true(when >= last_time);
        last_time = when;
        if (kind == 2) { /* lines */
            described = take(&dump, 8);
            bool is_program = false;
            uint64_t address = 0;
            for (uint64_t left = take(&dump, 8); left; left--) {
                uint64_t at = take(&dump, 8);
                assert_true(at > address);
                address = at;
                uint64_t line = take(&dump, 4);
                assert_int_equal(take(&dump, 4), 0);
                const char *file = take_text(&dump);
                is_program = strstr(file, "program.c") != NULL;
                if (is_program && line >= 3 && line <= 7)
                    leaf_lines[line] = true;
            }
        } else if (kind == 0) {
            take(&dump, 8); /* process and thread */
            uint64_t address = take(&dump, 8);
            assert_int_equal(take(&dump, 8), address);
            uint64_t code_size = take(&dump, 8);
            assert_int_equal(take(&dump, 8), functions++);
            const char *name = take_text(&dump);
            const uint8_t *code;
            assert_null(rt_cursor_bytes(&dump, code_size, "code", &code));
            assert_int_equal(code[0], 0x55); /* push rbp */
            if (strcmp(name, "leaf") == 0) {
                has_leaf = true;
                assert_int_equal(described, address);
            }
        } else {
            assert_int_equal(kind, 3);
            is_closed = true;
        }
        assert_int_equal(dump.next - start, size);
    }
    assert_true(has_leaf && is_closed);
    for (int line = 3; line <= 6; line++)
        assert_true(leaf_lines[line]);
    free(bytes);
}

static void test_bad_usage(void **state) {
    (void)state;
    EXPECT("$L run --perf text program.wasm", 2, "there is no form 'text'");
    EXPECT("$L run -g --engine interp program.wasm", 2, "only compiled code");
    EXPECT("$L run --perf map --engine interp program.wasm", 2, "only compiled code");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backtrace),      cmocka_unit_test(test_variables),
        cmocka_unit_test(test_stripped),       cmocka_unit_test(test_lldb),
        cmocka_unit_test(test_lldb_variables), cmocka_unit_test(test_trap),
        cmocka_unit_test(test_perf_map),       cmocka_unit_test(test_jitdump),
        cmocka_unit_test(test_bad_usage),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
