/* The replayer for Node: recorded programs, and a host that does everything a host can, replayed there;
 * faults planted into traces, which it has to name; damaged traces, which it has to refuse in words. Skipped
 * where there is no Node. */
#include "harness/tests/shell.h"

#include "runtime/tests/recording.h"

#include <stdio.h>

static struct recording recording;

/* Runs a shell line; $L is the lockstep command, $N Node's replayer, $M the recording's modules, $T
 * harness/tests. Its errors are output, too. */
static void expect(const char *line, int status, const char *text) {
    char command[4096];
    snprintf(command, sizeof command,
             "L='%s'; N=\"${NODE:-node} '%s/replay.mjs'\"; M='0.wasm 1.wasm 2.wasm'; T='%s'; "
             "set -f; { %s; } 2>&1",
             LOCKSTEP_BINARY, LOCKSTEP_NODE, LOCKSTEP_TESTS, line);
    expect_shell(command, 100000, status, text);
}

static void write_file(const char *name, const void *bytes, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", temp.path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static bool has_node(void) {
    struct hx_buffer output = {0};
    const int status = run_shell("${NODE:-node} --version 2>&1", 100000, &output);
    const char *version = hx_buffer_string(&output);
    const bool found = status == 0 && version[0] == 'v' && atoi(version + 1) >= 18;
    hx_buffer_clear(&output);
    return found;
}

static void need_node(void) {
    if (has_node())
        return;
    print_message("skipped: there is no Node of version 18 or newer; install the package nodejs\n");
    skip();
}

/* ---- Traces of the host's run ---- */

typedef bool (*edit)(struct rt_trace_event *event, union rt_value *values);

/* Writes the recording, stored, with event `at` changed or, where `change` says false, left out; false when
 * that changes nothing. */
static bool write_trace(const char *name, edit change, uint64_t at) {
    static const struct rt_trace_writer_options stored = {.is_stored = true, .block_size = 300};
    struct rt_trace_reader *reader = open_reader(&recording.bytes);
    struct rt_trace_memory bytes = {0};
    struct rt_trace_writer *writer;
    const struct rt_trace_event *read;
    union rt_value values[16];
    bool is_changed = !change;

    expect_good(rt_trace_writer_create(rt_trace_sink_memory(&bytes), rt_trace_reader_header(reader), &stored,
                                       &writer));
    for (;;) {
        expect_good(rt_trace_reader_next(reader, &read));
        if (!read)
            break;
        struct rt_trace_event event = *read;
        const bool keeps = !change || read->number != at || change(&event, values);
        is_changed |= !keeps || !rt_trace_event_equal(&event, read);
        if (keeps)
            expect_good(rt_trace_writer_add(writer, &event));
    }
    expect_good(rt_trace_writer_finish(writer));
    rt_trace_writer_destroy(writer);
    rt_trace_reader_destroy(reader);
    write_file(name, bytes.bytes, bytes.size);
    free(bytes.bytes);
    return is_changed;
}

static int set_up(void **state) {
    (void)state;
    tested_engine = replay_engines[0];
    assert_null(hx_temp_create(&temp));
    recording = record();
    for (size_t i = 0; i < MODULES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%zu.wasm", i);
        write_file(name, recording.modules[i]->bytes, recording.modules[i]->size);
    }
    write_trace("host.trace", NULL, 0);
    return 0;
}

static int clean_up(void **state) {
    destroy_recording(&recording);
    return tear_down(state);
}

static void test_everything_a_host_does(void **state) {
    (void)state;
    need_node();
    expect("eval $N host.trace $M", 5, "");
    expect("eval $N host.trace 0.wasm 2.wasm 2.wasm", 1,
           "module 1: another module was recorded: expected SHA-256 ");
    expect("eval $N host.trace 0.wasm", 2, "the trace has 3 modules; 1 are given");
}

static void test_values_keep_their_bits(void **state) {
    (void)state;
    need_node();
    expect("${NODE:-node} $T/node_values.mjs " LOCKSTEP_NODE, 0, "every bit stays");
}

/* ---- Planted faults ---- */

static void flip(struct rt_trace_values *list, union rt_value *values) {
    if (!list->count || list->types[0] == RT_EXTERNREF || list->types[0] == RT_FUNCREF)
        return;
    memcpy(values, list->values, list->count * sizeof *values);
    values[0].i32 ^= 1;
    list->values = values;
}

static bool other_values(struct rt_trace_event *event, union rt_value *values) {
    if (event->kind == RT_TRACE_IMPORT_CALL)
        flip(&event->import_call.arguments, values);
    else if (event->kind == RT_TRACE_GUEST_RETURN)
        flip(&event->guest_return.results, values);
    return true;
}

static bool other_trap(struct rt_trace_event *event, union rt_value *values) {
    (void)values;
    if (event->kind == RT_TRACE_GUEST_TRAP && event->guest_trap.trap < RT_TRAP_STACK_EXHAUSTED)
        event->guest_trap.trap = RT_TRAP_INTEGER_OVERFLOW;
    if (event->kind == RT_TRACE_INSTANTIATION_TRAP)
        event->instantiation_trap.trap = RT_TRAP_TABLE_OUT_OF_BOUNDS;
    return true;
}

static bool other_place(struct rt_trace_event *event, union rt_value *values) {
    (void)values;
    if (event->kind == RT_TRACE_GUEST_TRAP && event->guest_trap.trap < RT_TRAP_STACK_EXHAUSTED)
        event->guest_trap.pc++;
    return true;
}

static bool other_size(struct rt_trace_event *event, union rt_value *values) {
    (void)values;
    if (event->kind == RT_TRACE_MEMORY_GROW)
        event->memory_grow.old ^= 1;
    else if (event->kind == RT_TRACE_TABLE_GROW)
        event->table_grow.old ^= 1;
    else if (event->kind == RT_TRACE_TABLE_SET)
        event->table_set.first = 1000;
    else if (event->kind == RT_TRACE_MEMORY_WRITE)
        event->memory_write.address = 10 << 20;
    return true;
}

/* The instantiation trap, which no other event needs. */
static bool lost(struct rt_trace_event *event, union rt_value *values) {
    (void)values;
    return event->kind != RT_TRACE_INSTANTIATION_TRAP;
}

/* Makes some of the changes, and expects each to be named by its number. */
static void expect_found(edit change, unsigned some) {
    unsigned changes = 0;
    for (uint64_t at = 0; changes < some; at++) {
        char text[64];
        assert_true(at < 10000);
        if (!write_trace("fault.trace", change, at))
            continue;
        changes++;
        snprintf(text, sizeof text, "lockstep replay: fault.trace: event %llu: ", (unsigned long long)at);
        expect("eval $N fault.trace $M", 1, text);
    }
}

static void test_faults(void **state) {
    (void)state;
    need_node();
    expect_found(other_values, 12);
    expect_found(other_trap, 3);
    expect_found(other_place, 2);
    expect_found(other_size, 6);
    expect_found(lost, 1);
}

static void test_both_sides_are_shown(void **state) {
    (void)state;
    need_node();
    assert_true(write_trace("fault.trace", other_values, first_of(&recording, RT_TRACE_IMPORT_CALL)));
    expect("eval $N fault.trace $M", 1,
           "import call env.f: argument 0: expected i32 2 (0x2), got i32 3 (0x3)");
    assert_true(write_trace("fault.trace", other_trap, first_of(&recording, RT_TRACE_INSTANTIATION_TRAP)));
    expect("eval $N fault.trace $M", 1,
           "trap: expected \"out of bounds table access\", got \"out of bounds memory access\"");
    assert_true(write_trace("fault.trace", other_size, first_of(&recording, RT_TRACE_MEMORY_GROW)));
    expect("eval $N fault.trace $M", 1, "memory grow: old: expected 0, got 1");
}

/* ---- What is shown, for the judge of faults ---- */

static bool other_result(struct rt_trace_event *event, union rt_value *values) {
    if (event->kind == RT_TRACE_IMPORT_RETURN)
        flip(&event->import_return.results, values);
    return true;
}

static void test_what_is_shown(void **state) {
    (void)state;
    need_node();
    static const char show[] = "${NODE:-node} " LOCKSTEP_NODE "/shown.mjs host.trace fault.trace $M";
    write_trace("fault.trace", NULL, 0);
    expect(show, 0, "");
    assert_true(write_trace("fault.trace", other_values, first_of(&recording, RT_TRACE_IMPORT_CALL)));
    expect(show, 1, "env.f(3), then refused: event ");
    uint64_t at = first_of(&recording, RT_TRACE_IMPORT_RETURN);
    while (!write_trace("fault.trace", other_result, at))
        at++;
    expect(show, 1, " returns (");
    expect("${NODE:-node} " LOCKSTEP_NODE "/shown.mjs host.trace host.trace 0.wasm", 2,
           "the trace has 3 modules; 1 are given");
    expect("${NODE:-node} " LOCKSTEP_NODE "/shown.mjs host.trace missing $M", 2, "missing");
}

/* ---- Damage ---- */

static void test_damage(void **state) {
    (void)state;
    need_node();
    expect("${NODE:-node} $T/node_damage.mjs " LOCKSTEP_NODE " $L host.trace " LOCKSTEP_FUZZ
           "/trace:" LOCKSTEP_FUZZ "/replay $M",
           0, "damaged traces are refused");
}

/* ---- Recorded programs ---- */

static const char program[] =
    "#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"
    "static volatile unsigned calls;\nstatic volatile float zero;\n"
    "static unsigned deep(unsigned n) { calls++; return n ? deep(n + 1) + calls : 0; }\n"
    "static void show(float value) { unsigned bits; memcpy(&bits, &value, 4); printf(\"%08x\\n\", bits); }\n"
    "int main(int argc, char **argv) {\n"
    "    printf(\"%s\\n\", argv[1]);\n"
    "    fflush(stdout);\n"
    "    switch (argv[1][0]) {\n"
    "    case 't': __builtin_trap();\n"
    "    case 'z': return 5 / (int)zero;\n"
    "    case 'd': return deep(1);\n"
    "    case 'c': close(1); printf(\"nobody sees this\\n\"); fprintf(stderr, \"closed\\n\"); return 3;\n"
    "    case 'b': for (int i = 0; i < 20000; i++) printf(\"%d\\n\", i); return 0;\n"
    /* NaNs that this computes, moves and stores: their bits are the program's output. */
    "    case 'n': show(zero / zero); show(-(zero / zero)); show(sqrtf(-1 - zero)); "
    "show((float)(double)-(zero / zero));\n"
    "              show(fabsf(zero / zero) * 2); return 4;\n"
    "    }\n"
    "    return argc > 2 ? atoi(argv[2]) : 0;\n"
    "}\n";

/* The same output and exit status from Node as from the recorded run, and the same words of a trap. */
static void same_in_node(const char *words, int status) {
    char line[1024], expected[64];
    snprintf(line, sizeof line,
             "s=0; r=0; $L record program.wasm -o trace -- %s >out 2>err </dev/null || s=$?;"
             "$L replay --engine node trace >again 2>again.err </dev/null || r=$?;"
             "cmp out again; sed 's/^lockstep record:/lockstep replay:/; s/ at [^ ]*$//; s/and [0-9]* f/and "
             "f/' err | "
             "diff - again.err; echo \"statuses $s $r\"",
             words);
    snprintf(expected, sizeof expected, "statuses %d %d\n", status, status);
    expect(line, 0, expected);
    expect("cmp out again", 0, "");
}

static void test_programs(void **state) {
    (void)state;
    need_node();
    write_file("program.c", program, strlen(program));
    expect("clang-19 --target=wasm32-wasi -O1 -g -w program.c -o program.wasm", 0, "");
    same_in_node("exits 300", 300 & 0xff);
    same_in_node("traps", 134);
    same_in_node("zero", 134);
    same_in_node("deep", 134);
    same_in_node("closes", 3);
    same_in_node("numbers", 4);
    same_in_node("big", 0);
    expect("head -c $(($(wc -c <trace) - 300)) trace >cut; $L replay cut >out 2>err; $L replay --engine node "
           "cut >again",
           1, "bytes are behind the last whole block");
    expect("cmp out again && $L replay --engine node cut 2>&1 >out | diff - err", 0, "");
}

static void test_usage(void **state) {
    (void)state;
    write_file("program.c", program, strlen(program));
    expect("clang-19 --target=wasm32-wasi -O1 -g -w program.c -o program.wasm; "
           "$L record program.wasm -o trace -- x",
           0, "x");
    expect("$L replay --engine node --node ./missing trace", 2, "./missing");
    expect("NODE=no-such-node $L replay --engine node trace", 2, "no-such-node is missing");
    expect(
        "printf '#!/bin/sh\\necho v12.1.0\\n' >old; chmod +x old; $L replay --engine node --node ./old trace",
        2, "./old is Node v12.1.0; version 18 or newer is needed");
    expect("$L replay --engine nodes trace", 2, "--engine");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_a_host_does),
        cmocka_unit_test(test_values_keep_their_bits),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_both_sides_are_shown),
        cmocka_unit_test(test_what_is_shown),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
