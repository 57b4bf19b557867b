/* `check --witness`: each kind of pair, and what is refused. */
#include "harness/tests/shell.h"

#include <stdio.h>
#include <stdlib.h>

enum { LIMIT = 60000 };

static const char good[] = "struct pair { int a : 5; float b; } g = {1, 2.5f};\n"
                           "static int twice(int n) {\n"
                           "    int result = n + n;\n"
                           "    return result;\n"
                           "}\n"
                           "int main(void) {\n"
                           "    for (int i = 0; i < 10; i++) {\n"
                           "        g.a = twice(i) % 10;\n"
                           "        g.b *= 2;\n"
                           "    }\n"
                           "    return 0;\n"
                           "}\n";

static void write_file(const char *name, const char *text) {
    char path[512];

    snprintf(path, sizeof path, "%s/%s", temp.path, name);
    assert_null(hx_file_write(path, text, strlen(text), 0600));
}

static int set_up(void **state) {
    (void)state;
    unsetenv("WASI_SDK_PATH"); /* its compiler is another one */
    assert_null(hx_temp_create(&temp));
    write_file("good.c", good);
    expect_shell("clang-19 -g -w -shared -fPIC good.c -o good.so", LIMIT, 0, "");
    expect_shell("clang-19 -g -w --target=wasm32-wasi good.c -o good.wasm", LIMIT, 0, "");
    return 0;
}

static void expect(const char *arguments, int status, const char *text) {
    char line[512];

    snprintf(line, sizeof line, "'%s' check --time-limit 5s %s", LOCKSTEP_BINARY, arguments);
    expect_shell(line, LIMIT, status, text);
}

static void test_pairs(void **state) {
    (void)state;
    expect("good.c --witness native,native:gcc", 0, "native and native:gcc: agree");
    expect("good.c --witness wasm,wasm:interp,jit", 0, "wasm:interp and jit: agree");
    expect("--native good.so --wasm good.wasm --witness jit,native", 0, "agree: ");
    expect("good.c --blame --json", 0, "\"verdict\":\"agree\"");
}

/* Two native builds print to the same descriptors: it is said who printed what. */
static void test_output(void **state) {
    (void)state;
    write_file("print.c", "#include <stdio.h>\n"
                          "int main(void) {\n"
                          "#ifdef __clang__\n"
                          "    puts(\"clang\");\n"
                          "#else\n"
                          "    puts(\"gcc\");\n"
                          "#endif\n"
                          "    return 0;\n"
                          "}\n");
    expect("print.c --witness native,native:gcc", 1, "native:gcc \"gcc\", exit status 0");
    expect("print.c --witness native,wasm,native:gcc", 1,
           "native, wasm against native:gcc: native DWARF of gcc");
}

static void test_refused(void **state) {
    (void)state;
    expect("good.c --witness native", 2, "a comparison needs two");
    expect("good.c --witness native,magic", 2, "'magic' is none");
    expect("good.c --witness native,wasm:clang-1", 2, "clang-1 is missing");
    expect("--native good.so --wasm good.wasm --witness native,native:gcc", 2, "no source to compile");
    expect("good.wasm --engines compiled,interp --blame", 2, "--witness and --blame");
    expect_shell("'" LOCKSTEP_BINARY "' fuzz --source wasi --blame", LIMIT, 2, "mean nothing natively");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
