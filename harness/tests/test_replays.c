/* The oracle over replays: that a run and its replays agree, and that each fault that is planted in a trace,
 * or in the replay itself, is noticed where it is. */
#include "harness/engines.h"

#include "harness/finding.h"
#include "harness/job.h"
#include "harness/process.h"
#include "runtime/trace/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct hx_temp temp;

/* Reads a file, which it overwrites, asks the clock, and prints: what it read shows in its memory alone. */
static const char program[] = "#include <fcntl.h>\n"
                              "#include <stdio.h>\n"
                              "#include <time.h>\n"
                              "#include <unistd.h>\n"
                              "char text[16];\n"
                              "int main(void) {\n"
                              "    int file = open(\"/data/file\", O_RDWR);\n"
                              "    if (read(file, text, 12) != 12) return 1;\n"
                              "    if (lseek(file, 0, SEEK_SET) != 0) return 3;\n"
                              "    if (write(file, \"changed once\", 12) != 12) return 2;\n"
                              "    struct timespec now;\n"
                              "    clock_gettime(CLOCK_MONOTONIC, &now);\n"
                              "    return now.tv_nsec % 2 ? puts(\"odd\") < 0 : puts(\"even\") < 0;\n"
                              "}\n";

/* ---- Faults ---- */

/* A sink that takes a trace apart, changes one event, and writes it again. */
struct tampering {
    unsigned round;
    enum rt_trace_kind kind;                                      /* of the event that is changed */
    uint64_t size;                                                /* of the memory write that it is; 0: any */
    void (*change)(struct rt_trace_event *event, uint8_t *bytes); /* NULL: the event is left out */
    unsigned changed;
    struct rt_trace_memory whole;
    struct rt_trace_reader *reader;
    struct rt_trace_writer *writer;
    struct rt_trace_sink next;
};

static struct rt_error *pass_on(struct tampering *tampering, const struct rt_trace_event *event) {
    struct rt_trace_event copy = *event;
    uint8_t bytes[64];

    const bool is_it = event->kind == tampering->kind && !tampering->changed &&
                       (!tampering->size || event->memory_write.bytes.size == tampering->size);
    tampering->changed += is_it;
    if (is_it && !tampering->change)
        return NULL;
    if (is_it)
        tampering->change(&copy, bytes);
    return rt_trace_writer_add(tampering->writer, &copy);
}

static struct rt_error *tamper_write(void *user, const void *bytes, size_t size) {
    struct tampering *tampering = user;
    struct rt_trace_sink memory = rt_trace_sink_memory(&tampering->whole);
    const struct rt_trace_event *event;
    const bool is_header = !tampering->reader;

    struct rt_error *error = memory.write(memory.user, bytes, size);
    if (!error && is_header)
        error = rt_trace_reader_create(rt_trace_source_growing(&tampering->whole), &tampering->reader);
    if (!error && is_header)
        error = rt_trace_writer_create(tampering->next, rt_trace_reader_header(tampering->reader), NULL,
                                       &tampering->writer);
    while (!error && !(error = rt_trace_reader_next(tampering->reader, &event)) && event)
        error = pass_on(tampering, event);
    return error ? error : rt_trace_writer_flush(tampering->writer);
}

static struct rt_error *tamper_finish(void *user) {
    struct tampering *tampering = user;
    return rt_trace_writer_finish(tampering->writer);
}

static void tamper_destroy(void *user) {
    struct tampering *tampering = user;
    rt_trace_reader_destroy(tampering->reader);
    rt_trace_writer_destroy(tampering->writer);
    free(tampering->whole.bytes);
}

static void tamper(void *user, unsigned round, struct rt_trace_sink *sink) {
    struct tampering *tampering = user;

    if (round != tampering->round)
        return;
    tampering->next = *sink;
    *sink = (struct rt_trace_sink){tampering, tamper_write, tamper_finish, tamper_destroy};
}

static void change_byte(struct rt_trace_event *event, uint8_t *bytes) {
    memcpy(bytes, event->memory_write.bytes.data, event->memory_write.bytes.size);
    bytes[3] ^= 1;
    event->memory_write.bytes.data = bytes;
}

static void change_result(struct rt_trace_event *event, uint8_t *bytes) {
    const union rt_value wrong = {.i32 = event->import_return.results.values[0].i32 ^ 4};
    memcpy(bytes, &wrong, sizeof wrong);
    event->import_return.results.values = (const union rt_value *)bytes;
}

static void change_argument(struct rt_trace_event *event, uint8_t *bytes) {
    const union rt_value *const args = event->import_call.arguments.values;
    memcpy(bytes, args, event->import_call.arguments.count * sizeof *args);
    bytes[0] ^= 1;
    event->import_call.arguments.values = (const union rt_value *)bytes;
}

static const char locals[] =
    "__attribute__((noinline)) int twice(int number) { return number * 2; }\n"
    "int main(int count, char **words) { return twice(count + 1) + (words == 0); }\n";

/* Changes the first local of the replay's `twice` once. */
static void change_local(void *user, const struct hx_guest *replay, const struct st_event *event) {
    struct tampering *tampering = user;
    const struct st_frame *frame;
    union rt_value value;
    enum rt_type type;

    if (event->kind != ST_STEP || tampering->changed)
        return;
    assert_null(st_session_frame(replay->session, &frame));
    if (!frame->function || strcmp(frame->function->name, "twice") != 0)
        return;
    assert_null(rt_activation_local(&frame->activation, 0, &type, &value));
    value.i32 ^= 0x100;
    assert_null(rt_activation_set_local(&frame->activation, 0, value));
    tampering->changed = 1;
}

/* ---- Checking ---- */

static const enum rt_engine orders[2][2] = {{RT_ENGINE_COMPILED, RT_ENGINE_INTERP},
                                            {RT_ENGINE_INTERP, RT_ENGINE_COMPILED}};

static void check(int order, const struct hx_replay_faults *faults, const char *file,
                  struct hx_result *result) {
    static const char *const args[] = {"program"};
    const char *folder = "data";
    struct or_progress progress = {0};
    char host[512], path[512];
    const struct rt_wasi_dir dir = {host, "/data"};
    const struct hx_engines options = {.engines = {orders[order][0], orders[order][1]},
                                       .args = args,
                                       .arg_count = 1,
                                       .dirs = &dir,
                                       .dir_count = 1,
                                       .folder = &temp,
                                       .faults = faults,
                                       .is_replay = true};

    snprintf(host, sizeof host, "%s/%s", temp.path, folder);
    snprintf(path, sizeof path, "%s/%s", temp.path, file);
    hx_result_init(result);
    struct rt_error *error = hx_replays_check(&options, path, 60000, &progress, result);
    if (error) {
        print_error("%s\n", error->message);
        fail();
    }
}

static void test_agree(void **state) {
    struct hx_buffer bytes = {0};
    struct hx_result result;
    char path[512];

    (void)state;
    for (int order = 0; order < 2; order++) {
        check(order, NULL, "program.wasm", &result);
        assert_int_equal(result.verdict, HX_AGREE);
        assert_int_equal(result.finding_count, 0);
        assert_true(result.steps > 1000);
        assert_true(result.events > 20);
        assert_false(result.is_limited);
        hx_result_clear(&result);
    }
    /* The runs had copies. */
    snprintf(path, sizeof path, "%s/data/file", temp.path);
    assert_null(hx_file_read(path, 100, &bytes));
    assert_string_equal(hx_buffer_string(&bytes), "twelve bytes");
    hx_buffer_clear(&bytes);
}

/* A trap of the start function ends both sides; one that is the host's own leaves no trace. */
static void test_start(void **state) {
    static const struct {
        const char *file;
        uint64_t steps;
    } cases[] = {{"start.wasm", 1}, {"host_start.wasm", 6 * 2 /* an export of two instructions */}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int order = 0; order < 2; order++) {
            struct hx_result result;
            check(order, NULL, cases[i].file, &result);
            assert_int_equal(result.verdict, HX_AGREE);
            assert_int_equal(result.steps, cases[i].steps);
            hx_result_clear(&result);
        }
    }
}

/* References of the host's, which a replay has as others, in locals, operands, globals and a table. */
static void test_references(void **state) {
    struct hx_result result;

    (void)state;
    for (int order = 0; order < 2; order++) {
        check(order, NULL, "references.wasm", &result);
        assert_int_equal(result.verdict, HX_AGREE);
        assert_true(result.steps > 20);
        hx_result_clear(&result);
    }
}

static void test_faults(void **state) {
    enum { READ = 12 /* bytes: the guest's only read of so many */ };
    static const struct {
        struct tampering tampering;
        const char *signature, *detail, *variable;
    } cases[] = {
        /* Event by event. */
        {{.round = 1, .kind = RT_TRACE_MEMORY_WRITE, .size = READ, .change = change_byte},
         "replay/trace",
         "memory write",
         NULL},
        {{.round = 2, .kind = RT_TRACE_MEMORY_WRITE, .size = READ, .change = NULL},
         "replay/trace",
         "event ",
         NULL},
        {{.round = 0, .kind = RT_TRACE_IMPORT_CALL, .change = change_argument},
         "replay/trace",
         "argument 0",
         NULL},
        {{.round = 1, .kind = RT_TRACE_END, .change = NULL}, "replay/trace", "event ", NULL},
        /* Side by side. */
        {{.round = HX_REPLAY_STEPPED, .kind = RT_TRACE_MEMORY_WRITE, .size = READ, .change = change_byte},
         "replay/memory/call",
         NULL,
         ": text[3]"},
        {{.round = HX_REPLAY_STEPPED, .kind = RT_TRACE_MEMORY_WRITE, .size = READ, .change = NULL},
         "replay/memory/call",
         NULL,
         ": text[0]"},
        {{.round = HX_REPLAY_STEPPED, .kind = RT_TRACE_IMPORT_RETURN, .change = change_result},
         "replay/operand/call",
         NULL,
         "operand 0"},
        {{.round = HX_REPLAY_STEPPED, .kind = RT_TRACE_IMPORT_CALL, .change = change_argument},
         "replay/event/call",
         NULL,
         "return of the host"},
    };

    (void)state;
    for (int order = 0; order < 2; order++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct tampering tampering = cases[i].tampering;
            const struct hx_replay_faults faults = {.sink = tamper, .user = &tampering};
            struct hx_result result;

            check(order, &faults, "program.wasm", &result);
            assert_int_equal(tampering.changed, 1);
            assert_int_equal(result.verdict, HX_DIFFER);
            assert_int_equal(result.finding_count, 1);
            const struct or_finding *finding = &result.findings[0].body;
            assert_string_equal(finding->signature, cases[i].signature);
            if (cases[i].detail)
                assert_non_null(strstr(finding->detail, cases[i].detail));
            if (cases[i].variable)
                assert_non_null(strstr(finding->variable, cases[i].variable));
            /* An 'l': the stepped run has found the file as it was before the first one. */
            if (cases[i].variable && strstr(cases[i].variable, "text[3]"))
                assert_string_equal(finding->witnesses[0].value, "0x6c");
            hx_result_clear(&result);
        }
    }
}

static void test_wrong_local(void **state) {
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct tampering tampering = {.changed = 0};
        const struct hx_replay_faults faults = {.at_event = change_local, .user = &tampering};
        struct hx_result result;

        check(order, &faults, "locals.wasm", &result);
        assert_int_equal(tampering.changed, 1);
        assert_int_equal(result.verdict, HX_DIFFER);
        const struct or_finding *finding = &result.findings[0].body;
        assert_string_equal(finding->signature, "replay/local/call");
        assert_string_equal(finding->variable, "local 0: number");
        assert_non_null(strstr(finding->file, "locals.c"));
        assert_int_equal(finding->line, 2); /* of the call */
        hx_result_clear(&result);
    }
}

/* What is kept of a finding says how to see it again: a program with a setup by its seed. */
static void test_kept(void **state) {
    const struct hx_engines engines = {.engines = {RT_ENGINE_INTERP, RT_ENGINE_COMPILED},
                                       .max_steps = 1000,
                                       .is_coarse = true,
                                       .is_replay = true};
    const struct hx_tools tools = {
        .cc = "clang-19", .wasm = {.name = "clang-19", .path = "/usr/bin/clang-19"}, .optimisation = "-O1"};
    const struct {
        const struct hx_generator *generator;
        const struct hx_tools *tools;
        const char *words;
    } cases[] = {
        {&hx_generator_wasi, &tools,
         "fuzz --source wasi --seeds 7 --cc clang-19 --opt -O1 --replay --coarse"},
        {NULL, NULL, "check program.wasm --replay --coarse --engines interp,compiled --steps 1000 "},
    };
    const struct or_finding body = {.signature = "replay/event/call"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct hx_setup setup = {
            .tools = cases[i].tools, .generator = cases[i].generator, .engines = &engines, .time_limit = 5};
        const struct hx_job job = {.setup = &setup, .source = {.has_seed = true, .seed = 7}, .folder = temp};
        struct hx_buffer text = {0};
        struct hx_result result;
        struct hx_temp out;
        const char *name;
        char path[600];

        hx_result_init(&result);
        assert_null(hx_temp_folder(&temp, "kept", &out));
        const struct hx_finding *finding = hx_result_add(&result, "event", &body);
        assert_non_null(finding);
        assert_null(hx_finding_write(out.path, &job, &result, finding, &name));
        snprintf(path, sizeof path, "%s/%s/reproduce", out.path, name);
        assert_null(hx_file_read(path, 10000, &text));
        assert_non_null(strstr(hx_buffer_string(&text), cases[i].words));
        snprintf(path, sizeof path, "%s/%s/" HX_WASM, out.path, name);
        hx_buffer_clear(&text);
        assert_null(hx_file_read(path, 10 << 20, &text));
        hx_buffer_clear(&text);
        hx_result_clear(&result);
    }
}

/* ---- The programs ---- */

static void make(const char *name, const char *text, const char *const *argv) {
    struct hx_process process = {.argv = argv, .directory = temp.path, .own_group = true};
    char path[512];

    snprintf(path, sizeof path, "%s/%s", temp.path, name);
    assert_null(hx_file_write(path, text, strlen(text), 0644));
    assert_null(hx_process_run(&process, 1));
    assert_true(hx_process_succeeded(&process));
    hx_process_clear(&process);
}

static int set_up(void **state) {
    static const char *const compile[] = {"clang-19", "--target=wasm32-wasi", "-g", "-O0", "program.c",
                                          "-o",       "program.wasm",         NULL};
    static const char *const assemble[] = {"wat2wasm", "references.wat", "-o", "references.wasm", NULL};
    static const char *const host_start[] = {"wat2wasm", "host_start.wat", "-o", "host_start.wasm", NULL};
    static const char *const start[] = {"wat2wasm", "start.wat", "-o", "start.wasm", NULL};
    static const char references[] =
        "(module (import \"env\" \"give\" (func $give (result externref)))\n"
        "  (import \"env\" \"take\" (func $take (param externref funcref)))\n"
        "  (table $t 4 externref) (global $g (mut externref) (ref.null extern)) (elem declare func $take "
        "$f)\n"
        "  (func $f (export \"f\") (param externref) (result externref) (local externref)\n"
        "    call $give global.set $g call $give local.set 1 i32.const 2 call $give table.set $t\n"
        "    local.get 0 ref.func $f call $take global.get $g ref.func $take call $take local.get 1))\n";
    static const char *const optimise[] = {"sh", "-c",
                                           "clang-19 --target=wasm32-wasi -g -O1 -c locals.c && "
                                           "clang-19 --target=wasm32-wasi locals.o -o locals.wasm",
                                           NULL};
    struct hx_temp folder;
    char path[512];

    (void)state;
    assert_null(hx_temp_create(&temp));
    assert_null(hx_temp_folder(&temp, "data", &folder));
    snprintf(path, sizeof path, "%s/file", folder.path);
    assert_null(hx_file_write(path, "twelve bytes", 12, 0644));
    make("program.c", program, compile);
    make("locals.c", locals, optimise);
    make("host_start.wat",
         "(module (import \"env\" \"begin\" (func $f)) (start $f) (func (export \"g\") nop))", host_start);
    make("start.wat", "(module (func $f (export \"f\") unreachable) (start $f))", start);
    make("references.wat", references, assemble);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    hx_temp_remove(&temp);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agree),  cmocka_unit_test(test_start),       cmocka_unit_test(test_references),
        cmocka_unit_test(test_faults), cmocka_unit_test(test_wrong_local), cmocka_unit_test(test_kept),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
