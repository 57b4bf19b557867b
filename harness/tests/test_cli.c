/* The lockstep command as a person meets it: what bad input gives (one line, exit status 2), and small
 * programs of every verdict. Runs the binary, with the default compilers. */
#include "harness/json.h"
#include "harness/tests/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CC "clang-19 -g -w "

static int shell(struct hx_buffer *output, const char *line) {
    return run_shell(line, 100000, output);
}

/* `lockstep LINE` must end with this status and print this text. */
static void expect(const char *line, int status, const char *text) {
    char command[2048];
    struct hx_buffer output = {0};

    snprintf(command, sizeof command, "'%s' %s", LOCKSTEP_BINARY, line);
    int got = shell(&output, command);
    if (got != status || !strstr(hx_buffer_string(&output), text)) {
        print_error("lockstep %s\nexit status %d, expected %d and '%s'\n%s\n", line, got, status, text,
                    hx_buffer_string(&output));
        fail();
    }
    hx_buffer_clear(&output);
}

/* The same for bad input: exit status 2, and one line that holds the text. */
static void expect_error(const char *line, const char *text) {
    char command[2048];
    struct hx_buffer output = {0};

    expect(line, 2, text);
    snprintf(command, sizeof command, "'%s' %s", LOCKSTEP_BINARY, line);
    shell(&output, command);
    if (strchr(hx_buffer_string(&output), '\n') != output.bytes + output.size - 1) {
        print_error("lockstep %s: not one line:\n%s\n", line, hx_buffer_string(&output));
        fail();
    }
    hx_buffer_clear(&output);
}

static void write_file(const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", temp.path, name);
    assert_null(hx_file_write(path, text, strlen(text), 0600));
}

static void must(const char *line) {
    struct hx_buffer output = {0};
    if (shell(&output, line) != 0) {
        print_error("%s\n%s\n", line, hx_buffer_string(&output));
        fail();
    }
    hx_buffer_clear(&output);
}

static int set_up(void **state) {
    (void)state;
    assert_null(hx_temp_create(&temp));
    write_file("good.c", "#include <stdio.h>\n"
                         "struct pair { int a : 5; float b; } g = {1, 2.5f};\n"
                         "static int twice(int n) {\n"
                         "    int result = n + n;\n"
                         "    return result;\n"
                         "}\n"
                         "int main(void) {\n"
                         "    for (int i = 0; i < 10; i++) {\n"
                         "        g.a = twice(i) % 10;\n"
                         "        g.b *= 2;\n"
                         "    }\n"
                         "    printf(\"%d\\n\", g.a);\n"
                         "    return 0;\n"
                         "}\n");
    must(CC "-shared -fPIC good.c -o good.so");
    must(CC "--target=wasm32-wasi good.c -o good.wasm");
    return 0;
}

static void test_help(void **state) {
    (void)state;
    expect("--help", 0, "commands:");
    expect("help", 0, "commands:");
    expect("help fuzz", 0, "--seeds");
    expect("fuzz --help", 0, "--seeds");
    expect("check --help", 0, "--native");
    expect("check --help", 0, "--engines A,B");
    expect("run --help", 0, "--dir");
    expect("generate --help", 0, "--setup");
    expect("bench --help", 0, "step");
    expect("bench step --help", 0, "--programs");
    expect("help bench fuzz", 0, "--jobs");
    expect("--version", 0, "lockstep ");
    expect("", 2, "commands:");
}

static void test_usage(void **state) {
    (void)state;
    expect_error("no-such-command", "lockstep: unknown command 'no-such-command'");
    expect_error("fuzz --no-such-option", "lockstep fuzz: unknown option");
    expect_error("fuzz extra", "takes no argument 'extra'");
    expect_error("fuzz --resume /nowhere", "cannot open the folder /nowhere");
    expect_error("fuzz --resume here --out there", "--resume names the campaign's folder");
    expect_error("merge here", "-o must name the folder");
    expect_error("merge -o there", "which campaigns?");
    expect_error("merge /nowhere -o there", "there is no campaign: /nowhere");
    expect_error("merge /nowhere -o /", "exists already");
    expect_error("fuzz --opt -O9", "--opt: '-O9' is no optimisation level");
    expect_error("fuzz --known /nowhere", "cannot read the known defects in /nowhere");
    expect_error("fuzz --source magic", "no source 'magic'; write one of: csmith, wasi");
    expect_error("fuzz --source wasi --csmith --concise", "are not Csmith's");
    expect_error("generate extra", "takes no argument 'extra'");
    expect_error("generate --source magic", "no source 'magic'");
    expect_error("generate --setup there", "programs of --source csmith run with nothing");
    expect_error("generate --source wasi --setup /nowhere/there -o unused.c", "cannot make the folder");
    expect_error("check", "needs one C file");
    expect_error("check --native good.so", "a pair is --native");
    expect_error("check --engine magic good.c", "--engine: there is no engine 'magic'");
    expect_error("check --engines compiled good.wasm", "'compiled' is not two engines");
    expect_error("check --engines compiled,magic good.wasm", "--engines: there is no engine 'magic'");
    expect_error("check --engines compiled,interp", "--engines needs one Wasm file");
    expect_error("check --engines compiled,interp good.c", "good.c");
    expect_error("check --engines compiled,interp good.wasm --invoke nothing",
                 "exports no function 'nothing'");
    expect_error("check --engines compiled,interp good.wasm --dir nowhere", "cannot open nowhere");
    expect_error("fuzz --source wasm-opt", "--source wasm-opt needs --engines");
    expect_error("fuzz --engines compiled,interp --source nowhere", "cannot open the folder nowhere");
    expect_error("fuzz --engine magic", "--engine: there is no engine 'magic'");
    expect_error("run", "needs one Wasm file");
    expect_error("run --engine magic good.wasm", "no engine 'magic'");
    expect_error("run --env BAD good.wasm", "'BAD' is not NAME=VALUE");
    expect_error("run --env =value good.wasm", "'=value' is not NAME=VALUE");
    expect_error("run --dir /nowhere good.wasm", "cannot open the folder /nowhere");
    expect_error("run --dir good.c good.wasm", "Not a directory");
    expect_error("run --dir ::/ good.wasm", "'::/' is neither HOST nor HOST::GUEST");
    expect_error("run --dir .:: good.wasm", "'.::' is neither HOST nor HOST::GUEST");
    expect_error("run --dir /tmp::/ --dir .::/ good.wasm", "both /tmp and . as /");
}

static void test_missing_tools(void **state) {
    (void)state;
    expect_error("fuzz --cc clang-0", "clang-0 is missing: install the package clang-0");
    expect_error("check good.c --native-cc gcc-0", "gcc-0 is missing: install the package gcc-0");
}

static void test_bad_files(void **state) {
    (void)state;
    write_file("text.wasm", "this is no module\n");
    write_file("empty.wasm", "");
    write_file("broken.c", "int main(void) { return nothing; }\n");
    must("head -c 2000 good.wasm > short.wasm");
    must("clang-19 -w --target=wasm32-wasi good.c -o plain.wasm");
    must("clang-19 -w -shared -fPIC good.c -o plain.so");
    must("sed 's/main/other/' good.c > other.c && " CC "-shared -fPIC other.c -o other.so");

    expect_error("check nowhere.c", "cannot open nowhere.c: No such file");
    expect_error("check broken.c", "clang-19 cannot compile the program (exit status 1)");
    expect_error("check --native nowhere.so --wasm good.wasm", "cannot open nowhere.so");
    expect_error("check --native good.so --wasm text.wasm", "text.wasm");
    expect_error("check --native good.so --wasm empty.wasm", "empty.wasm");
    expect_error("check --native good.so --wasm short.wasm", "short.wasm");
    expect_error("check --native good.so --wasm plain.wasm", "with -g");
    expect_error("check --native plain.so --wasm good.wasm", "debug information");
    expect_error("check --native other.so --wasm good.wasm", "main");
    expect_error("check --native text.wasm --wasm good.wasm", "text.wasm");
    expect_error("run nowhere.wasm", "nowhere.wasm");
    expect_error("run text.wasm", "text.wasm");
    expect_error("run short.wasm", "short.wasm");
    expect_error("run good.so", "good.so");
}

/* A disk of 64 KiB, in a mount namespace of its own; not every machine lets a user make one. */
static void test_full_disk(void **state) {
    static const char wrapped[] =
        "unshare -rm sh -c 'mkdir -p disk && mount -t tmpfs -o size=64k none disk && "
        "TMPDIR=disk exec \"$0\" \"$@\"' %s %s";
    char line[1024];
    struct hx_buffer output = {0};

    (void)state;
    snprintf(line, sizeof line, wrapped, "true", "");
    int possible = shell(&output, line);
    hx_buffer_clear(&output);
    if (possible != 0)
        skip();
    snprintf(line, sizeof line, wrapped, LOCKSTEP_BINARY, "check good.c");
    assert_int_equal(shell(&output, line), 2);
    assert_non_null(strstr(hx_buffer_string(&output), "no space left on the disk"));
    hx_buffer_clear(&output);
    snprintf(line, sizeof line, wrapped, LOCKSTEP_BINARY, "fuzz --seeds 1-3 --jobs 1");
    assert_int_equal(shell(&output, line), 2);
    assert_non_null(strstr(hx_buffer_string(&output), "3 programs: 0 agree, 3 skipped"));
    hx_buffer_clear(&output);
}

static void test_agree(void **state) {
    const struct hx_json_value *object;
    struct hx_buffer output = {0};
    struct rt_arena arena;

    (void)state;
    expect("check good.c", 0, "agree: ");
    expect("check good.c --cc clang-14", 0, "agree: ");
    expect("check --native good.so --wasm good.wasm", 0, "agree: ");
    assert_int_equal(shell(&output, "'" LOCKSTEP_BINARY "' check --json good.c"), 0);
    rt_arena_init(&arena, 0);
    assert_null(hx_json_parse(output.bytes, output.size, &arena, &object));
    assert_string_equal(hx_json_member_string(object, "verdict"), "agree");
    assert_true(hx_json_member(object, "stops")->number > 40);
    assert_true(hx_json_member(object, "values")->number + hx_json_member(object, "unchanged")->number > 100);
    rt_arena_clear(&arena);
    hx_buffer_clear(&output);
}

static void test_engines(void **state) {
    const struct hx_json_value *object, *finding;
    struct hx_buffer output = {0};
    struct rt_arena arena;

    (void)state;
    expect("check --engines compiled,interp good.wasm", 0, "instructions of compiled,interp");
    expect("check --engines interp,compiled good.wasm --coarse", 0, "agree: ");
    expect("check --engines compiled,interp --steps 100 good.wasm", 0,
           "agree (stopped after 100 instructions)");
    assert_int_equal(shell(&output, "'" LOCKSTEP_BINARY "' check --engines compiled,interp --json good.wasm"),
                     0);
    rt_arena_init(&arena, 0);
    assert_null(hx_json_parse(output.bytes, output.size, &arena, &object));
    assert_string_equal(hx_json_member_string(object, "verdict"), "agree");
    assert_string_equal(hx_json_member_string(object, "engines"), "compiled,interp");
    assert_true(hx_json_member(object, "steps")->number > 1000);
    assert_false(hx_json_member(object, "limited")->boolean);
    hx_buffer_clear(&output);
    /* Two guests that share a folder: the second finds what the first has made. */
    write_file("make.c", "#include <fcntl.h>\n"
                         "#include <stdio.h>\n"
                         "int main(void) {\n"
                         "    return open(\"/made/file\", O_CREAT | O_EXCL | O_WRONLY, 0600) < 0;\n"
                         "}\n");
    must(CC "--target=wasm32-wasi make.c -o make.wasm && mkdir -p made");
    assert_int_equal(shell(&output, "'" LOCKSTEP_BINARY
                                    "' check --engines compiled,interp --json --dir made::/made make.wasm"),
                     1);
    assert_null(hx_json_parse(output.bytes, output.size, &arena, &object));
    assert_string_equal(hx_json_member_string(object, "verdict"), "differ");
    finding = hx_json_member(object, "findings")->first;
    assert_non_null(finding);
    assert_string_equal(hx_json_member_string(finding, "signature"), "engines/memory/call");
    rt_arena_clear(&arena);
    hx_buffer_clear(&output);
    /* A module that is no command. */
    write_file("exports.c", "int sum(int a, int b) { return a + b; }\n"
                            "int quotient(int a, int b) { return a / b; }\n");
    must(CC "--target=wasm32-wasi -nostdlib -Wl,--no-entry,--export=sum,--export=quotient exports.c -o "
            "exports.wasm");
    expect("check --engines compiled,interp exports.wasm", 0, "agree: ");
    expect("check --engines compiled,interp exports.wasm --invoke quotient,7,0", 0, "agree: ");
    expect("check --engines compiled,interp exports.wasm --invoke sum,7", 2, "takes 2 arguments");
    must("mkdir -p modules && cp good.wasm exports.wasm modules");
    expect("fuzz --engines compiled,interp --source modules", 0, "2 programs: 2 agree");
}

static void test_other_verdicts(void **state) {
    (void)state;
    write_file("size.c", "#include <stdio.h>\n"
                         "int main(void) {\n"
                         "    printf(\"%d\\n\", (int)sizeof(long));\n"
                         "    return 0;\n"
                         "}\n");
    write_file("status.c", "int main(void) {\n    return (int)sizeof(long);\n}\n");
    write_file("endless.c", "volatile int n;\nint main(void) {\n    for (;;)\n        n++;\n}\n");
    write_file("wild.c", "int main(void) {\n    *(volatile int *)8 = 1;\n    return 0;\n}\n");
    expect("check size.c", 1, "output/stdout");
    expect("check size.c", 1, "\"8\", exit status 0");
    expect("check status.c", 1, "output/status");
    expect("check endless.c --time-limit 500ms", 0, "timeout (no end within 0.5 s)");
    expect("check wild.c", 1, "output/trap");
}

static void test_run(void **state) {
    (void)state;
    write_file("args.c", "#include <stdio.h>\n#include <stdlib.h>\n"
                         "int main(int argc, char **argv) {\n"
                         "    printf(\"%d %s %s\\n\", argc, argv[1], getenv(\"NAME\"));\n"
                         "    return 7;\n"
                         "}\n");
    write_file("trap.c", "static int divide(int a, int b) {\n    return a / b;\n}\n"
                         "int main(int argc, char **argv) {\n    return divide(1, argc - 1);\n}\n");
    must(CC "--target=wasm32-wasi args.c -o args.wasm");
    must(CC "--target=wasm32-wasi trap.c -o trap.wasm");
    expect("run good.wasm", 0, "8\n");
    expect("run --engine interp good.wasm", 0, "8\n");
    expect("run args.wasm --env NAME=value -- --one", 7, "2 --one value\n");
    expect("run trap.wasm", 134, "integer divide by zero");
    expect("run trap.wasm", 134, "trap.c:2");
}

/* A guest whose streams are closed, broken, or much used; and one that is interrupted. */
static void test_run_streams(void **state) {
    char line[1024];

    (void)state;
    write_file("streams.c", "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
                            "int main(int argc, char **argv) {\n"
                            "    char bytes[8];\n"
                            "    if (argc > 2)\n"
                            "        return atoi(argv[2]);\n"
                            "    switch (argv[1][0]) {\n"
                            "    case 'r': return read(0, bytes, 8) < 0 ? 5 : 0;\n"
                            "    case 'w': return write(1, \"text\", 4) < 0 ? 6 : 0;\n"
                            "    case 's': for (volatile int i = 1; i; i |= 1) {}\n"
                            "    }\n"
                            "    for (int i = 0; i < 1000000; i++)\n"
                            "        if (printf(\"line %d\\n\", i) < 0)\n"
                            "            return 7;\n"
                            "    return 0;\n"
                            "}\n");
    must(CC "--target=wasm32-wasi streams.c -o streams.wasm");
    expect("run streams.wasm -- exit 255", 255, "");
    expect("run streams.wasm -- exit 256", 0, "");
    expect("run streams.wasm -- exit 300", 44, "");
    expect("run streams.wasm -- exit -1", 255, "");
    /* What lockstep itself opens does not take a closed stream's place. */
    expect("run streams.wasm -- read <&-", 5, "");
    expect("run streams.wasm -- write >&-", 6, "");
    expect("run streams.wasm -- write 2>&-", 0, "text");
    expect("run streams.wasm -- write >/dev/full", 6, "");
    expect("run args.wasm --env NAME=1 --env NAMES=2 --env NAME=3 -- x", 7, "2 x 3\n");
    snprintf(line, sizeof line,
             "('%s' run streams.wasm -- print; echo $? >status.txt) | head -n 1 | grep -qx 'line 0' &&"
             " grep -qx 7 status.txt",
             LOCKSTEP_BINARY);
    must(line);
    snprintf(line, sizeof line, "'%s' run streams.wasm -- print | tail -n 1 | grep -qx 'line 999999'",
             LOCKSTEP_BINARY);
    must(line);
    snprintf(line, sizeof line,
             "timeout --preserve-status -s INT 1 '%s' run streams.wasm -- spin; test $? -eq 130",
             LOCKSTEP_BINARY);
    must(line);
}

/* Whether these agree is the compilers' affair; that they can be looked at is ours. */
static void test_other_builds_run(void **state) {
    static const char *const builds[] = {"--opt -O1",     "--opt -O2",       "--cc clang-14 --opt -O1",
                                         "--cc clang-16", "--native-cc gcc", "--native-cc gcc --opt -O2"};
    struct hx_buffer output = {0};
    char line[512];

    (void)state;
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        snprintf(line, sizeof line, "'%s' check good.c %s", LOCKSTEP_BINARY, builds[i]);
        int status = shell(&output, line);
        if ((status != 0 && status != 1) || strstr(hx_buffer_string(&output), "crash")) {
            print_error("check good.c %s: %d\n%s\n", builds[i], status, hx_buffer_string(&output));
            fail();
        }
        hx_buffer_clear(&output);
    }
}

static void test_campaign(void **state) {
    struct hx_buffer output = {0};
    char line[512];

    (void)state;
    snprintf(line, sizeof line,
             "'%s' fuzz --seeds 1-2 --csmith '--no-such-word' > skipped.txt; test $? -eq 2", LOCKSTEP_BINARY);
    must(line);
    must("grep -q '0 agree, 2 skipped' skipped.txt && grep -q 'csmith failed on seed 1' skipped.txt");
    snprintf(line, sizeof line, "'%s' fuzz --seeds 1-3 --json 2>summary.txt | wc -l", LOCKSTEP_BINARY);
    assert_int_equal(shell(&output, line), 0);
    assert_string_equal(hx_buffer_string(&output), "3\n");
    hx_buffer_clear(&output);
    /* An interrupt ends it soon, with a summary and without leaving temporary folders. */
    snprintf(
        line, sizeof line,
        "mkdir t && (TMPDIR=$PWD/t '%s' fuzz --time 10m >interrupted.txt & sleep 2; kill -TERM $!; wait $!);"
        " grep -q ' programs: ' interrupted.txt && rmdir t",
        LOCKSTEP_BINARY);
    must(line);
}

/* A generated program runs as the command beside its setup says, and prints the same in a second setup. */
static void test_generate(void **state) {
    struct hx_buffer output = {0};
    char line[1024];
    (void)state;

    expect("generate --seed 3", 0, "csmith");
    expect("generate --source wasi --seed 3", 0, "--source wasi --seed 3\n");
    snprintf(line, sizeof line,
             "set -e; lockstep() { '%s' \"$@\"; }\n"
             "for name in first second; do\n"
             "  lockstep generate --source wasi --seed 3 --setup $name -o $name.c\n"
             "  clang-19 --target=wasm32-wasi $name.c -o $name/program.wasm\n"
             "  (cd $name; set +e; . ./command >../$name.out 2>../$name.err; echo status $? >>../$name.out)\n"
             "done; cmp first.c second.c; cmp first.out second.out; wc -l <first.out",
             LOCKSTEP_BINARY);
    int status = shell(&output, line);
    if (status != 0 || strtol(hx_buffer_string(&output), NULL, 10) < 5) {
        print_error("exit status %d\n%s\n", status, hx_buffer_string(&output));
        fail();
    }
    hx_buffer_clear(&output);
    expect("fuzz --source wasi --seeds 1-3", 0, "3 programs: 3 agree");
    expect("fuzz --source wasi --seeds 5 --opt -O2 --json", 0, "{\"seed\":5,\"verdict\":\"agree\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_missing_tools),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_agree),
        cmocka_unit_test(test_engines),
        cmocka_unit_test(test_other_verdicts),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_run_streams),
        cmocka_unit_test(test_other_builds_run),
        cmocka_unit_test(test_campaign),
        cmocka_unit_test(test_generate),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
