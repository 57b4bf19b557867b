/* `lockstep trace export`: what its JSON says, that the program it writes passes on both engines, and that it
 * notices what is made different: a file's contents, a missing file, the environment, standard input. */
#include "harness/tests/shell.h"

#include <stdio.h>
#include <string.h>

static void expect(const char *line, int status, const char *text) {
    char command[4096];
    snprintf(command, sizeof command, "export LOCKSTEP='%s'; L=$LOCKSTEP; { %s; } 2>&1", LOCKSTEP_BINARY,
             line);
    expect_shell(command, 120000, status, text);
}

/* Calls by the C library, and some that no library makes: pointers outside of memory and across its end, a
 * result inside of what is written, descriptors that are closed, renumbered, not there. */
static const char program[] =
    "#include <dirent.h>\n#include <fcntl.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    "#include <time.h>\n#include <unistd.h>\n#include <sys/stat.h>\n#include <wasi/api.h>\n"
    "int main(int argc, char **argv) {\n"
    "    char text[64] = \"\";\n"
    "    printf(\"%d %s %s\\n\", argc, argv[1], getenv(\"NAME\"));\n"
    "    fgets(text, sizeof text, stdin);\n"
    "    printf(\"%s\", text);\n"
    "    int file = open(\"/file\", O_RDONLY), other = open(\"/other\", O_RDWR | O_CREAT, 0600);\n"
    "    printf(\"%zd\\n\", read(file, text, sizeof text));\n"
    "    write(other, \"abc\", 3);\n"
    "    __wasi_ciovec_t beyond = {(const uint8_t *)0xfffffff0u, 4};\n"
    "    __wasi_size_t size;\n"
    "    printf(\"%d\\n\", __wasi_fd_write(other, &beyond, 1, &size));\n"
    "    const size_t end = __builtin_wasm_memory_size(0) * 65536;\n"
    "    printf(\"%d\\n\", __wasi_random_get((uint8_t *)end - 4, 8));\n"
    "    __wasi_ciovec_t over = {(const uint8_t *)&over, sizeof over};\n"
    "    printf(\"%d\\n\", __wasi_fd_write(other, &over, 1, &over.buf_len));\n"
    "    struct stat stat;\n"
    "    printf(\"%d\\n\", fstat(other, &stat));\n"
    "    DIR *folder = opendir(\"/\");\n"
    "    int entries = 0;\n"
    "    while (readdir(folder)) entries++;\n"
    "    printf(\"%d %d\\n\", entries, __wasi_fd_renumber(other, file));\n"
    "    printf(\"%d %d\\n\", close(other), close(file));\n"
    "    struct timespec time;\n"
    "    clock_gettime(CLOCK_MONOTONIC, &time);\n"
    "    clock_gettime(CLOCK_MONOTONIC, &time);\n"
    "    return 3;\n"
    "}\n";

static int set_up(void **state) {
    (void)state;
    char path[512];
    assert_null(hx_temp_create(&temp));
    snprintf(path, sizeof path, "%s/program.c", temp.path);
    struct rt_error *error = hx_file_write(path, program, strlen(program), 0644);
    assert_null(error);
    expect("clang-19 --target=wasm32-wasi -O1 -w program.c -o program.wasm; mkdir root start; "
           "echo hello >root/file; cp root/file start; printf 'typed\\nmore' >input; "
           "$L record program.wasm -o trace --dir root::/ --env NAME=value -- 'it'\\''s' <input >out",
           3, "");
    expect("$L trace export trace -o test --dir start::/", 0, "");
    return 0;
}

static void test_passes(void **state) {
    (void)state;
    expect("cmp input test/input && cmp start/file test/dirs/0/file && cat test/setup", 0,
           "args=(program.wasm 'it'\\''s')\nenv=(NAME=value)\ndirs=(/)\n");
    expect("test/run lockstep >again", 0, " calls made, 0 differ, 1 left out");
    expect("cmp out again && echo same", 0, "same");
    expect("test/run interp >again", 0, " calls made, 0 differ, 1 left out");
    expect("cmp out again && echo same", 0, "same");
    expect("test/run nothing", 2, "usage: run");
    expect("$L trace export trace -o told && cmp told/dirs/0/file start/file && ls told/dirs/0 && told/run "
           "lockstep",
           0, " calls made, 0 differ, 1 left out");
    expect("$L trace export trace -o alone.c && cmp alone.c test/test.c && echo same", 0, "same");
}

/* Runs the test with something changed, which it has to notice. */
static void notices(const char *change, const char *text) {
    char line[512];
    snprintf(line, sizeof line, "rm -rf changed; cp -a test changed; cd changed; %s; ./run lockstep", change);
    expect(line, 1, text);
}

static void test_notices(void **state) {
    (void)state;
    notices("echo Hello >dirs/0/file", " fd_read: iovs: byte 0 of 6: expected 104, got 72");
    notices("echo hell >dirs/0/file", " fd_read: nread: expected 6, got 5");
    notices("rm dirs/0/file", " path_open: errno: expected SUCCESS, got NOENT");
    notices("rm dirs/0/file", " fd_readdir: entry missing: file");
    notices("touch dirs/0/more", " fd_readdir: entry not expected: more");
    notices("mkdir dirs/0/other", " path_open: errno: expected SUCCESS, got ISDIR");
    notices("sed -i s/value/VALUE/ setup", " environ_get: string 0: expected NAME=value");
    notices("sed -i \"s/^env=.*/env=()/\" setup", " environ_sizes_get: environc: expected 1, got 0");
    notices("sed -i \"s/'it.*s'/its/\" setup", " args_get: string 1: expected it's");
    notices("printf Typed >input", " fd_read: nread: expected 10, got 5");
    notices("printf '%60s' x >dirs/0/other", " fd_filestat_get: size: expected ");
    notices("sed -i 's#dirs=.*#dirs=(/x)#' setup", " fd_prestat_get: pr_name_len: expected 1, got 2");
}

/* What is not open is not tried: it would be another file. */
static void test_leaves_out(void **state) {
    (void)state;
    notices("rm dirs/0/file", " differ, 5 left out");
    expect(
        "rm -rf part; n=$($L trace export trace --json | jq -s '.[1:] | map(select(.function == "
        "\"path_open\"))[0].call'); $L trace export trace -o part --calls $((n + 1))-9999 --dir start::/ && "
        "part/run lockstep",
        0, " calls made, 0 differ, 5 left out");
}

static void test_json(void **state) {
    (void)state;
    expect("$L trace export trace --json | jq -c 'select(.export) | [.version, .args, .env, .stdin, "
           ".preopens]'",
           0,
           "[1,[\"program.wasm\",\"it's\"],[\"NAME=value\"],\"74797065640a6d6f7265\",[{\"fd\":3,\"name\":\"/"
           "\"}]]");
    expect("$L trace export trace --json | jq -c 'select(.function == \"path_open\") | [.arguments[2].type, "
           ".reads[0].bytes, .errno_name, .writes[0].fields[0].compare]' | head -n 1",
           0, "[\"string\",\"66696c65\",\"SUCCESS\",\"mapped\"]");
    expect("$L trace export trace --json | jq -c 'select(.function == \"fd_read\") | [.writes[] | "
           "select(.item == 0) | .bytes]' | tail -n 1",
           0, "[\"68656c6c6f0a\"]");
    expect(
        "$L trace export trace --json | jq -r 'select(.errno_name == \"FAULT\") | .function' | tr '\\n' ' '",
        0, "fd_write random_get ");
    expect(
        "$L trace export trace --json | tail -n 1 | jq -c '[.function, .end, .arguments[0].value, .errno]'",
        0, "[\"proc_exit\",\"exited\",\"3\",null]");
    expect("$L trace export trace --json --calls 2-4 | jq -s -c 'map(.call)'", 0, "[null,2,3,4]");
}

static void test_usage(void **state) {
    (void)state;
    expect("$L trace export trace", 2, "needs --json, or -o FILE.c, or -o FOLDER");
    expect("$L trace export --json", 2, "needs one trace");
    expect("$L trace export missing --json", 2, "missing");
    expect("$L trace export trace -o test", 2, "cannot make the folder test");
    expect("$L trace export trace -o x.c --dir start::/", 2, "--dir is for -o FOLDER");
    expect("$L trace export trace -o x --dir start::/y", 2, "the recorded program saw no folder /y");
    expect("ls x", 2, "");
    expect("$L trace export trace --json --calls 100000", 2, "--calls: its last call is ");
    expect("cp test/test.wasm other.wasm; $L trace export trace --json --wasm other.wasm", 2,
           "another module was recorded");
    expect("printf '(module (memory (export \"memory\") 1) (func (export \"_start\")))' >none.wat; "
           "wat2wasm none.wat -o none.wasm; $L record none.wasm -o none; $L trace export none --json",
           2, "its program calls no function of WASI preview 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),     cmocka_unit_test(test_notices), cmocka_unit_test(test_json),
        cmocka_unit_test(test_leaves_out), cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
