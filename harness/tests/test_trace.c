/* The `lockstep trace` commands on a trace that has every kind of event, written here, and its agreement with
 * a reader in another language that was written from FORMAT.md alone. */
#include "harness/tests/shell.h"

#include "runtime/trace/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs a shell line; standard output and error go to `output`. */
static void expect(const char *line, int status, const char *text) {
    char words[2048], command[4096];
    snprintf(words, sizeof words, line, LOCKSTEP_BINARY " trace");
    snprintf(command, sizeof command, "{ %s; } 2>&1", words);
    expect_shell(command, 60000, status, text);
}

static void good(struct rt_error *error) {
    if (error)
        fail_msg("%s", error->message);
}

/* ---- A trace ---- */

static const uint8_t i32[] = {RT_I32},
                     several[] = {RT_I32, RT_I64, RT_F32, RT_F64, RT_V128, RT_FUNCREF, RT_EXTERNREF};
static const union rt_value one[] = {{.i32 = 1}}, minus_one[] = {{.i32 = UINT32_MAX}},
                            values[] = {
                                {.i32 = 0x80000000}, {.i64 = UINT64_MAX},          {.i32 = 0x7fc00001},
                                {.f64 = -0.1},       {.v128 = {1, 2, [15] = 255}}, {.i64 = 1},
                                {.i64 = 1}};
static const struct rt_trace_place links[] = {{0, 0}, {0, 1}, {0, 0}, {0, 0}, {0, 0}};
static const struct rt_import imports[] = {
    {.module = "env", .module_size = 3, .name = "log", .name_size = 3, .func = {1, 1, i32, i32}},
    {.module = "env", .module_size = 3, .name = "all", .name_size = 3, .func = {7, 7, several, several}},
    {.module = "env",
     .module_size = 3,
     .name = "t",
     .name_size = 1,
     .kind = RT_EXTERN_TABLE,
     .type = RT_FUNCREF},
    {.module = "env", .module_size = 3, .name = "m", .name_size = 1, .kind = RT_EXTERN_MEMORY},
    {.module = "env",
     .module_size = 3,
     .name = "g",
     .name_size = 1,
     .kind = RT_EXTERN_GLOBAL,
     .type = RT_F64,
     .is_mutable = true},
};

#define NAME(text) {(const uint8_t *)(text), sizeof(text) - 1}
#define EVENT(kind_, ...)                                                                                    \
    (struct rt_trace_event) {                                                                                \
        .kind = RT_TRACE_##kind_, __VA_ARGS__                                                                \
    }

/* A consistent run with every kind of event; `status` is what the import says. */
static void add_events(struct rt_trace_writer *writer, uint32_t status) {
    const struct rt_trace_event events[] = {
        EVENT(HOST_FUNCTION, .host_function = {NAME("env.log"), {1, 1, i32, i32}}),
        EVENT(HOST_FUNCTION, .host_function = {NAME("env.\"all\"\n\xc3\xa9"), {7, 7, several, several}}),
        EVENT(HOST_TABLE, .host_table = {RT_FUNCREF, 3, RT_TRACE_NO_LIMIT}),
        EVENT(HOST_MEMORY, .host_memory = {1, 65536}),
        EVENT(HOST_GLOBAL, .host_global = {true, {RT_F64, {.f64 = 2.5}}}),
        EVENT(INSTANTIATE, .instantiate = {0, {5, links}}),
        EVENT(INSTANTIATION_TRAP, .instantiation_trap.trap = RT_TRAP_MEMORY_OUT_OF_BOUNDS),
        EVENT(INSTANTIATE, .instantiate = {0, {5, links}}),
        EVENT(FUNCREF, .funcref.function = {2, 7}),
        EVENT(MESSAGE, .message = {NAME("note"), NAME("kept")}),
        EVENT(GUEST_CALL, .guest_call = {{2, 5}, {7, several, values}}),
        EVENT(IMPORT_CALL, .import_call = {1, 0, {1, i32, minus_one}}),
        EVENT(MEMORY_WRITE, .memory_write = {{0, 0}, 65000, NAME("hello, world")}),
        EVENT(MEMORY_GROW, .memory_grow = {{0, 0}, 1, 1}),
        EVENT(MEMORY_GROW, .memory_grow = {{0, 0}, 99999, RT_TRACE_NO_LIMIT}),
        EVENT(GLOBAL_SET, .global_set = {{0, 0}, {RT_F64, {.f64 = 1e300}}}),
        EVENT(TABLE_SET, .table_set = {{0, 0}, 1, {RT_FUNCREF, 1, &values[5]}}),
        EVENT(TABLE_GROW, .table_grow = {{0, 0}, 2, {RT_FUNCREF, {.i64 = 0}}, 3}),
        EVENT(GUEST_CALL, .guest_call = {{2, 6}, {0, NULL, NULL}}),
        EVENT(GUEST_TRAP, .guest_trap = {RT_TRAP_UNREACHABLE, 1, 6, 77}),
        EVENT(IMPORT_RETURN, .import_return.results = {1, i32, &(union rt_value){.i32 = status}}),
        EVENT(IMPORT_CALL, .import_call = {1, 1, {7, several, values}}),
        EVENT(IMPORT_RETURN, .import_return.results = {7, several, values}),
        EVENT(GUEST_RETURN, .guest_return.results = {7, several, values}),
        EVENT(GUEST_CALL, .guest_call = {{2, 5}, {0, NULL, NULL}}),
        EVENT(IMPORT_CALL, .import_call = {1, 0, {1, i32, one}}),
        EVENT(IMPORT_TRAP, .import_trap = {RT_TRACE_FAILURE, NAME("no more")}),
        EVENT(GUEST_TRAP,
              .guest_trap = {RT_TRACE_FAILURE, RT_TRACE_NO_INDEX, RT_TRACE_NO_INDEX, RT_TRACE_NO_INDEX}),
        EVENT(GUEST_CALL, .guest_call = {{2, 5}, {0, NULL, NULL}}),
        EVENT(IMPORT_CALL, .import_call = {1, 0, {1, i32, one}}),
        EVENT(IMPORT_EXIT, .import_exit.status = 7),
        EVENT(GUEST_EXIT, .guest_exit.status = 7),
        EVENT(END, .end = {RT_TRACE_EXITED, 7}),
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        good(rt_trace_writer_add(writer, &events[i]));
}
enum { EVENTS = 33 };

static void write_trace(const char *name, bool is_stored, const char *nan, uint32_t status) {
    const struct rt_trace_module module = {
        .hash = {1, 2, 3}, .size = 1000, .label = "program.wasm", .imports = imports, .import_count = 5};
    const struct rt_trace_setting setting = {"nan", nan};
    const char *const command[] = {"program.wasm", "--flag"};
    const struct rt_trace_header header = {.engine = "a test",
                                           .settings = &setting,
                                           .setting_count = 1,
                                           .modules = &module,
                                           .module_count = 1,
                                           .command = command,
                                           .command_count = 2};
    const struct rt_trace_writer_options options = {.block_size = 100, .is_stored = is_stored};
    struct rt_trace_sink sink;
    struct rt_trace_writer *writer;
    char path[512];
    snprintf(path, sizeof path, "%s/%s", temp.path, name);
    good(rt_trace_sink_file(path, &sink));
    good(rt_trace_writer_create(sink, &header, &options, &writer));
    add_events(writer, status);
    good(rt_trace_writer_finish(writer));
    rt_trace_writer_destroy(writer);
}

static int set_up(void **state) {
    (void)state;
    assert_null(hx_temp_create(&temp));
    write_trace("stored", true, "any", 0);
    write_trace("packed", false, "any", 0);
    write_trace("status", false, "any", 4);
    write_trace("nan", false, "canonical", 0);
    return 0;
}

/* ---- The commands ---- */

static void test_another_reader_agrees(void **state) {
    (void)state;
    char line[1024];
    for (int packed = 0; packed < 2; packed++) {
        /* It reads stored blocks; what ours says of compressed ones is the same. */
        snprintf(line, sizeof line, "%%s dump --json --bytes 2097152 %s | python3 '%s' stored",
                 packed ? "packed" : "stored", TRACE_READER);
        expect(line, 0, "33 events of 22 kinds agree");
    }
}

/* The example of FORMAT.md is a trace, for us and for the other reader. */
static void test_the_example(void **state) {
    (void)state;
    char line[1024];
    snprintf(line, sizeof line, "python3 '%s' --example '%s' >example; %%s verify example", TRACE_READER,
             TRACE_FORMAT);
    expect(line, 0, "example: 3 events in 1 blocks, 18 bytes");
    expect("%s dump example", 0,
           "trace version 1.0, written by an engine without a name\n"
           "setting nan: any\n"
           "       0 host function name \"f\", type (i32) -> ()\n"
           "       1 message name \"n\", bytes 2: 68 69 |hi|\n"
           "       2 end outcome exited, status 3\n");
    snprintf(line, sizeof line, "%%s dump --json example | python3 '%s' example", TRACE_READER);
    expect(line, 0, "3 events of 3 kinds agree");
}

static void test_dump(void **state) {
    (void)state;
    expect("%s dump stored", 0, "module 0: program.wasm, 1000 bytes, 5 imports, SHA-256 010203");
    expect("%s dump stored", 0, "command: program.wasm --flag");
    expect("%s dump stored", 0,
           "      11   import call instance 1, function 0 \"env.log\", arguments (i32 -1)\n"
           "      12     memory write memory 0 of the host, address 65000, bytes 12: "
           "68 65 6c 6c 6f 2c 20 77 6f 72 6c 64 |hello, world|\n");
    expect("%s dump stored", 0, "host function name \"env.\\\"all\\\"\\x0a\xc3\xa9\"");
    expect("%s dump stored", 0, "f32 nan:0x7fc00001, f64 -0.10000000000000001, v128 0102000000");
    expect("%s dump stored --bytes 5", 0, "bytes 12: 68 65 6c 6c 6f... |hello|");
    expect("%s dump stored | wc -l", 0, "37\n");
    expect("%s dump stored --from 30 | wc -l", 0, "3\n");
    expect("%s dump stored --from 29 --count 1", 0, "29   import call instance 1, function 0 \"env.log\"");
    expect("%s dump stored --from 1000 | wc -l", 0, "0\n");
    expect("cat packed | %s dump - --from 32", 0, "32 end outcome exited, status 7\n");
    expect("%s dump stored >/dev/full", 2, "");
}

static void test_verify(void **state) {
    (void)state;
    expect("%s verify stored packed", 0, "packed: 33 events in");
    expect("%s verify --quiet stored packed | wc -c", 0, "0\n");
    expect("cat stored | %s verify -", 0, "standard input: 33 events in");
    expect("head -c 600 stored >cut; %s verify cut", 1, "cut: cut short after 13 events: 151 bytes");
    expect("%s dump cut", 0, "cut: cut short after 13 events: 151 bytes");
    expect("%s dump --json cut | tail -n 1", 0, "{\"cut\":true,\"events\":13,\"behind\":151}\n");
    expect("%s dump --json --count 12 cut | tail -n 1", 0, "{\"event\":11,");
    expect("%s dump --json stored | tail -n 1", 0, "{\"event\":32,");
    expect("head -c 20 stored >cut; %s verify stored cut", 1, "inside its header");
    expect("sed 's/hello/jello/' stored >damaged; %s verify damaged", 1, "the block is damaged");
    expect("echo text >text; %s verify text", 1, "text: this is no trace");
    expect("%s verify nowhere", 2, "cannot open the trace nowhere: No such file");
    expect("%s verify", 2, "needs a trace");
    expect("%s dump damaged", 2, "damaged: at byte 0x");
    expect("%s dump cut", 2, "inside its header");
}

static void test_stat(void **state) {
    (void)state;
    expect("%s stat packed", 0, "all, in ");
    expect("%s stat packed --json", 0, "{\"kind\":\"import_call\",\"code\":2,\"events\":4,");
    expect("%s stat packed --json", 0, "{\"function\":0,\"name\":\"env.log\",\"calls\":3,\"written\":12,");
    expect("%s stat packed --json", 0, "{\"events\":33,");
    expect("%s stat damaged", 2, "the block is damaged");
}

static void test_diff(void **state) {
    (void)state;
    expect("%s diff stored packed", 0, "33 events, all the same");
    expect("cat stored | %s diff - packed --json", 0, "{\"same\":true,\"events\":33,");
    expect("%s diff packed status", 1,
           "the first 20 events are the same; the last of them:\n"
           "      17     table grow");
    expect("%s diff packed status", 1, "status:\n      20   import return results (i32 4)\n");
    expect("%s diff packed status", 1, "packed has 33 events\nstatus has 33 events\n");
    expect("%s diff packed status --context 0", 1, "the first 20 events are the same\npacked:\n");
    expect("%s diff packed status --json", 1, "\"b\":{\"event\":20,\"depth\":2,\"kind\":\"import_return\"");
    expect("%s diff packed nan", 1, "setting nan: any in packed, canonical in nan\n");
    expect("head -c 500 packed >cut; %s diff packed cut", 1, "cut: cut short");
    expect("%s diff packed", 2, "needs two traces");
    expect("%s diff - -", 2, "only one of the traces");
}

static void test_help(void **state) {
    (void)state;
    expect("%s --help", 0, "FORMAT.md");
    expect("%s dump --help", 0, "--from");
    expect("%s verify --help", 0, "Exit status 1");
    expect("%s", 2, "commands:");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_reader_agrees),
        cmocka_unit_test(test_the_example),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_stat),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
