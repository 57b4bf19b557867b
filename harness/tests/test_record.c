/* The record and replay commands as a person meets them: programs that print, read files, trap and renumber
 * their descriptors; traces of another module, cut short, or with no room to be written. */
#include "harness/tests/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs a shell line, in which $L is the lockstep command; its errors are output, too. */
static void expect(const char *line, int status, const char *text) {
    char command[4096];
    snprintf(command, sizeof command, "L='%s'; { %s; } 2>&1", LOCKSTEP_BINARY, line);
    expect_shell(command, 60000, status, text);
}

static const char program[] =
    "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <time.h>\n#include <unistd.h>\n"
    "static volatile unsigned calls;\n"
    "static unsigned deep(unsigned n) { calls++; return n ? deep(n + 1) + calls : 0; }\n"
    "int main(int argc, char **argv) {\n"
    "    char text[64] = \"\";\n"
    "    srand((unsigned)time(NULL));\n"
    "    printf(\"%s %d %s\\n\", argv[1], rand(), getenv(\"NAME\"));\n"
    "    FILE *file = fopen(\"/input\", \"r\");\n"
    "    if (file) { printf(\"file: %s\", fgets(text, sizeof text, file)); fclose(file); }\n"
    "    if (fgets(text, sizeof text, stdin)) fprintf(stderr, \"input: %s\", text);\n"
    "    fflush(stdout);\n"
    "    switch (argv[1][0]) {\n"
    "    case 't': __builtin_trap();\n"
    "    case 'd': return deep(1);\n"
    "    case 'c': close(1); printf(\"nobody sees this\\n\"); fprintf(stderr, \"closed\\n\"); return 3;\n"
    "    case 'b': setvbuf(stdout, NULL, _IONBF, 0); for (int i = 0; i < 20000; i++) printf(\"%d\\n\", i); "
    "return 0;\n"
    "    }\n"
    "    return argc > 2 ? atoi(argv[2]) : 0;\n"
    "}\n";

static int set_up(void **state) {
    (void)state;
    char path[512];
    assert_null(hx_temp_create(&temp));
    snprintf(path, sizeof path, "%s/program.c", temp.path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(program, file) >= 0);
    assert_int_equal(fclose(file), 0);
    expect("clang-19 --target=wasm32-wasi -O1 -g -w program.c -o program.wasm", 0, "");
    expect("clang-19 --target=wasm32-wasi -O0 -g -w program.c -o other.wasm", 0, "");
    return 0;
}

/* ---- Replays ---- */

/* Records with these words, and replays on both engines with nothing of the run there: the same on standard
 * output, on standard error but for the command's name, and in the exit status. */
static void same_twice(const char *words, int status) {
    char line[2048];
    for (int engine = 0; engine < 2; engine++) {
        snprintf(line, sizeof line,
                 "mkdir -p root; echo in the file >root/input; s=0; r=0;"
                 "echo typed | NAME=mine $L record program.wasm -o trace --engine %s --dir root::/ "
                 "--env NAME=value -- %s >out 2>err || s=$?; rm -r root;"
                 "$L replay trace --engine %s >again 2>again.err </dev/null || r=$?;"
                 "sed 's/^lockstep replay:/lockstep record:/' again.err | cmp - err && cmp out again && "
                 "echo \"statuses $s $r\"; wc -c <out; $L trace verify trace",
                 engine ? "interp" : "compiled", words, engine ? "compiled" : "interp");
        char expected[64];
        snprintf(expected, sizeof expected, "statuses %d %d\n", status, status);
        expect(line, 0, expected);
    }
}

static void test_same_twice(void **state) {
    (void)state;
    same_twice("exits 42", 42);
    same_twice("traps", 134);
    same_twice("closes", 3);
    same_twice("big", 0);
    expect("grep -c typed err; wc -l <out", 0, "20002");
}

static void test_exhausted_stack(void **state) {
    (void)state;
    expect("s=0; $L record program.wasm -o trace -- deep >out 2>err </dev/null || s=$?; echo $s; cat err", 0,
           "134\nlockstep record: trap: call stack exhausted");
    expect("$L replay trace", 134, "lockstep replay: trap: call stack exhausted");
    expect("$L replay --engine interp trace", 134, "lockstep replay: trap: call stack exhausted");
}

static void test_where_the_module_is(void **state) {
    (void)state;
    expect("cp program.wasm moved.wasm; $L record moved.wasm -o trace -- x 7 </dev/null", 7, "x ");
    expect("$L replay trace", 7, "x ");
    expect("rm moved.wasm; $L replay trace", 2, "its module moved.wasm is not there: name it with --wasm");
    expect("$L replay trace --wasm program.wasm", 7, "x ");
    expect("$L replay trace --wasm other.wasm", 1, "another module was recorded: expected SHA-256 ");
    expect("cp other.wasm moved.wasm; $L replay trace", 1, ", got ");
}

/* ---- Traces that are not whole ---- */

static void test_cut(void **state) {
    (void)state;
    expect("$L record program.wasm -o trace -- big >out </dev/null; wc -c <trace >size; "
           "head -c $(($(cat size) - 300)) trace >cut; $L replay cut >again",
           1, "bytes are behind the last whole block");
    expect("head -c $(wc -c <again) out | cmp - again && test $(wc -c <again) -gt 10000 && echo as far", 0,
           "as far");
    expect("head -c 100 trace >cut; $L replay cut", 2, "cut");
    expect("printf 'no trace' >bad; $L replay bad", 2, "bad: ");
}

static void test_no_room(void **state) {
    (void)state;
    expect("$L record program.wasm -o /dev/full -- x </dev/null", 2, "/dev/full: No space left on device");
    expect("rm -f trace; (ulimit -f 8; $L record program.wasm -o trace -- big </dev/null >/dev/null)", 2,
           "File too large");
    expect("ls trace trace.part", 2, "");
    expect("$L record program.wasm -o no/such/folder -- x </dev/null", 2, "no/such/folder");
}

static void test_usage(void **state) {
    (void)state;
    expect("$L record program.wasm", 2, "needs -o FILE.trace");
    expect("$L record -o trace", 2, "needs one Wasm file");
    expect("$L replay", 2, "needs one trace");
    expect("$L replay missing", 2, "missing");
    expect("$L check --replay", 2, "--replay needs one C or Wasm file; its arguments come after --");
    expect("$L check --replay --dir nowhere program.wasm", 2, "cannot open nowhere");
    expect("$L check --replay --env NAME program.wasm", 2, "is not NAME=VALUE");
    expect("$L fuzz --engines compiled,interp --source wasi --seeds 1-1", 2, "add --replay");
}

/* ---- The oracle over traces ---- */

static void test_check_replay(void **state) {
    (void)state;
    expect("$L check --replay program.wasm -- x 3", 0, "agree: ");
    expect("$L check --replay --engines interp,compiled program.wasm -- traps", 0, "agree: ");
    expect("printf 'int main(void) { return 3; }' >small.c; $L check --replay small.c", 0, "agree: ");
    expect("$L check --replay --json program.wasm -- closes", 0, "\"verdict\":\"agree\"");
    /* The runs have copies of the folder. */
    expect("printf '#include <stdio.h>\n#include <stdlib.h>\nint main(void) {"
           "puts(getenv(\"NAME\")); return remove(\"/in/file\") || remove(\"/in/sub/link\"); }' >take.c; "
           "mkdir -p in/sub; echo here >in/file; ln -sf ../file in/sub/link; mkfifo in/pipe; "
           "$L check --replay --dir in::/in --env NAME=value take.c -- x",
           0, "agree: ");
    expect("cat in/file; readlink in/sub/link", 0, "here\n../file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_twice),
        cmocka_unit_test(test_exhausted_stack),
        cmocka_unit_test(test_where_the_module_is),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_check_replay),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
