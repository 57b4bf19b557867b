/* Stepping a replay forwards and backwards by commands, as a person meets it and as a program does, over both
 * engines. */
#include "harness/tests/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char program[] =
    "#include <stdio.h>\n"                                                                   /* 1 */
    "struct point { int x; unsigned flags : 3; };\n"                                         /* 2 */
    "static int total;\n"                                                                    /* 3 */
    "static const char *name = \"corner\";\n"                                                /* 4 */
    "static int add(int a, int b) {\n"                                                       /* 5 */
    "    int sum = a + b;\n"                                                                 /* 6 */
    "    total = sum;\n"                                                                     /* 7 */
    "    return sum;\n"                                                                      /* 8 */
    "}\n"                                                                                    /* 9 */
    "int main(int argc, char **argv) {\n"                                                    /* 10 */
    "    struct point p = {1, 5};\n"                                                         /* 11 */
    "    int values[3] = {0};\n"                                                             /* 12 */
    "    for (int i = 0; i < 3; i++) {\n"                                                    /* 13 */
    "        values[i] = add(i, p.x);\n"                                                     /* 14 */
    "        printf(\"value %d\\n\", values[i]);\n"                                          /* 15 */
    "    }\n"                                                                                /* 16 */
    "    for (int i = 0; argc > 2 && i < 6000; i++, fflush(stdout)) printf(\"%d\\n\", i);\n" /* 17 */
    "    if (argc > 1)\n"                                                                    /* 18 */
    "        return total / (argv[1][0] - '0');\n"                                           /* 19 */
    "    return total + (name[0] == 'x');\n"                                                 /* 20 */
    "}\n";                                                                                   /* 21 */

/* In the shell line $L is the lockstep command and $R replays by the commands on standard input. */
static int shell(const char *line, const char *engine, struct hx_buffer *output) {
    char command[8192];
    snprintf(command, sizeof command,
             "L='%s'; R=\"$L replay run.trace --interactive --engine %s\"; { %s; } 2>&1", LOCKSTEP_BINARY,
             engine, line);
    return run_shell(command, 60000, output);
}

static const char *const engines[] = {"compiled", "interp"};

/* The texts follow one another in what is printed. */
static void expect_all(const char *line, int status, const char *const texts[], size_t count) {
    for (size_t e = 0; e < 2; e++) {
        struct hx_buffer output = {0};
        const int got = shell(line, engines[e], &output);
        const char *at = hx_buffer_string(&output);
        for (size_t i = 0; i < count && at; i++) {
            at = strstr(at, texts[i]);
            if (!at)
                print_error("'%s' is missing\n", texts[i]);
            else
                at += strlen(texts[i]);
        }
        if (got != status || !at) {
            print_error("%s (%s)\nexit status %d, expected %d\n%s\n", line, engines[e], got, status,
                        hx_buffer_string(&output));
            fail();
        }
        hx_buffer_clear(&output);
    }
}
#define EXPECT(line, status, ...)                                                                            \
    expect_all(line, status, (const char *const[]){__VA_ARGS__},                                             \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static int set_up(void **state) {
    (void)state;
    char path[512];
    assert_null(hx_temp_create(&temp));
    snprintf(path, sizeof path, "%s/program.c", temp.path);
    assert_null(hx_file_write(path, program, sizeof program - 1, 0600));
    EXPECT("clang-19 --target=wasm32-wasi -O0 -g -w program.c -o program.wasm && "
           "{ $L record program.wasm -o run.trace; test $? = 3; } && "
           "{ $L record program.wasm -o trap.trace -- 0; test $? = 134; }",
           0, "value 3");
    return 0;
}

static void forwards_and_back(void **state) {
    (void)state;
    EXPECT("printf '%s\\n' 'break add' c where locals finish rc 'print total' quit | $R", 0, "[0] _start",
           "breakpoint 1: add, 1 place", "add at program.c:6", "#0 add at program.c:6",
           "#1  main at program.c:14", "a = 0", "b = 1", "main at program.c:", "add at program.c:6",
           "total = 0");
    EXPECT("printf '%s\\n' 'b program.c:15' c c n rn rn s rs 'p values' 'p p' 'p p.flags' 'p name' list | $R",
           0, "1 place", "main at program.c:15", "main at program.c:15", "main at program.c:13",
           "main at program.c:15", "main at program.c:14", "add at program.c:5", "main at program.c:14",
           "values = {1, 0, 0}", "p = {x = 1, flags = 5}", "p.flags = 5", "name = 0x", "\"corner\"", ">14");
}

static void writes(void **state) {
    (void)state;
    /* Three writes of `total`; each is before the line that makes it. */
    EXPECT("printf '%s\\n' 'goto end' 'lw total' 'print total' 'lw total' 'p total' 'lw total' 'p total' 'lw "
           "total' "
           "| $R",
           0, "ended with status 3", "total: 4 bytes at", "add at program.c:7", "total = 2",
           "add at program.c:7", "total = 1", "add at program.c:7", "total = 0",
           "nothing wrote total between stop 0 and here");
    EXPECT("printf '%s\\n' 'watch total' c c c c rc rc 'd 1' rc | $R", 0, "watchpoint 1: total, 4 bytes at",
           "total: 4 bytes", "add at program.c:7", "total: 4 bytes", "total: 4 bytes", "ended with status 3",
           "add at program.c:7", "add at program.c:7", "[0] _start");
}

/* What the program prints is printed when it is reached for the first time. */
static void prints_once(void **state) {
    (void)state;
    EXPECT("printf '%s\\n' 'goto end' 'goto 0' 'goto end' 'rc' 'goto end' | $R | grep -c '^value 2$'", 0,
           "1\n");
    EXPECT("printf '%s\\n' 'goto end' 'goto 0' 'goto end' | $R --json | grep -c 'output.*value 2'", 0, "1\n");
}

/* A stop is the same from anywhere. */
static void same_from_anywhere(void **state) {
    (void)state;
    EXPECT("for from in 0 70 end; do printf '%s\\n' \"goto $from\" 'goto 60' where locals | $R --json | tail "
           "-3; done "
           "| sort | uniq -c | sort -n | head -1",
           0, " 3 ");
}

static void trap_and_end(void **state) {
    (void)state;
    EXPECT("R=\"${R%run.trace*}trap.trace${R#*run.trace}\"; printf '%s\\n' c where rs rs c c c rc 'g end' "
           "where | $R",
           0, "trap: integer divide by zero, in main at program.c:19", "#0 main at program.c:19", "#1",
           "main at program.c:18", "trap: integer divide by zero", "the program has ended with status",
           "the program has ended", "trap: integer divide", "has ended with status", "go back first");
}

static void wrong_words(void **state) {
    (void)state;
    EXPECT("printf '%s\\n' nonsense 'print nothing' 'break nowhere' 'goto x' 'watch 5' 'frame 99' 'delete 7' "
           "'p *name' "
           "'frame 1' 'info' help quit 'goto end' | $R",
           0, "unknown command 'nonsense'; 'help' lists them", "no variable nothing here",
           "no code at 'nowhere'", "'x' is no number", "'5' is not ADDRESS,SIZE", "there is no frame 99",
           "no breakpoint or watchpoint 7", "*name = 99 'c'", "at stop 0", "reverse-step, rs [N]");
    EXPECT("$R </dev/null", 0, "[0] _start");
    EXPECT("echo where | $R --json", 0, "{\"command\":null,\"stop\":{\"number\":0,\"kind\":\"step\"",
           "{\"command\":\"where\",\"frames\":[{\"frame\":0,");
    EXPECT("cat run.trace | $L replay /dev/stdin --interactive", 2, "in order");
}

/* Every instruction is a stop where there is no line table. */
static void without_a_line_table(void **state) {
    (void)state;
    EXPECT("clang-19 --target=wasm32-wasi -O0 -w program.c -o bare.wasm -Wl,--strip-all && "
           "{ $L record bare.wasm -o bare.trace >/dev/null; R=\"${R%run.trace*}bare.trace${R#*run.trace}\"; "
           "printf '%s\\n' s s rs where 'break main' 'goto end' 'goto 1' | $R; }",
           0, "[0] _start at Wasm pc 0x", "[1] ? at Wasm pc", "[2] ? at Wasm pc", "[1] ? at",
           "#1  _start at Wasm pc", "*PC, a Wasm pc, names a place", "ended with status 3", "[1] ? at");
}

/* A recording that was cut short ends where it was cut, and is stepped like another up to there. */
static void cut_short(void **state) {
    (void)state;
    EXPECT(
        "$L record program.wasm -o long.trace -- 1 many >/dev/null; "
        "head -c $(($(wc -c <long.trace) - 150)) long.trace >cut.trace; "
        "R=\"${R%run.trace*}cut.trace${R#*run.trace}\"; printf '%s\\n' 'goto end' rs where 'lw total' | $R",
        0, "the trace ends here; the program had not", "main at program.c:17", "add at program.c:7");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forwards_and_back),    cmocka_unit_test(writes),       cmocka_unit_test(prints_once),
        cmocka_unit_test(same_from_anywhere),   cmocka_unit_test(trap_and_end), cmocka_unit_test(wrong_words),
        cmocka_unit_test(without_a_line_table), cmocka_unit_test(cut_short),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
