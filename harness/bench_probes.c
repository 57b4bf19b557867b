/* What one stop costs, by how its probe is made: a loop that reaches one probe again and again. And what it
 * costs to set thousands of probes: in many small functions that never run. */
#include "harness/bench.h"

#include "harness/pair.h"
#include "harness/process.h"
#include "harness/program.h"

#include <stdio.h>
#include <stdlib.h>

enum { STOPS = 200000, TRAP_STOPS = 50000, FUNCTIONS = 600, SETTINGS = 20 };

static const char loop[] = "static volatile int counter;\n"
                           "static void tick(void) {\n"
                           "    counter = 7;\n"
                           "}\n"
                           "extern int (*const functions[])(int);\n"
                           "int main(void) {\n"
                           "    for (int i = 0; i < 1000000; i++)\n"
                           "        tick();\n"
                           "    return counter == 7 ? 0 : functions[counter](1);\n"
                           "}\n";

static bool discard(void *user, int fd, const void *bytes, size_t size) {
    (void)user, (void)fd, (void)bytes, (void)size;
    return true;
}

/* Runs the session to `stops` stops at its probe; *ret stays negative when the probe is not made as wanted.
 */
static struct rt_error *measure(struct st_session *session, int wanted, unsigned stops, double *ret) {
    const struct st_function *tick = st_debug_function_named(st_session_debug(session), "tick");
    struct st_probe probe = {.kind = ST_STEP};
    struct st_event event;

    *ret = -1;
    if (!tick)
        return rt_error_format(RT_USAGE, "the benchmark's own program has no function 'tick'");
    probe.pc = tick->body;
    struct rt_error *error = st_session_set_probes(session, &probe, 1);
    if (error || (int)probe.made != wanted)
        return error;
    /* The first stop pays for what is lazy. */
    error = st_session_next(session, &event);
    double started = hx_seconds();
    for (unsigned i = 0; i < stops && !error; i++) {
        error = st_session_next(session, &event);
        if (!error && event.kind != ST_STEP)
            error = rt_error_format(RT_USAGE, "the benchmark's loop ended early, at stop %u", i);
    }
    if (!error)
        *ret = (hx_seconds() - started) * 1e9 / stops;
    return error;
}

/* Sets and takes away probes at all statement rows; *ret in nanoseconds for both together. */
static struct rt_error *measure_setting(struct st_session *session, size_t *ret_count, double *ret) {
    size_t row_count, count = 0;
    const struct st_row *rows = st_debug_rows(st_session_debug(session), &row_count);
    struct st_probe *probes = calloc(row_count + 1, sizeof *probes);
    struct rt_error *error = probes ? NULL : rt_error_out_of_memory();

    for (size_t i = 0; i < row_count && !error; i++)
        if (rows[i].is_stmt && !rows[i].end_sequence && (!count || probes[count - 1].pc < rows[i].pc))
            probes[count++] = (struct st_probe){.pc = rows[i].pc, .kind = ST_STEP};
    double started = 0;
    for (int i = 0; i <= SETTINGS && !error; i++) {
        if (i == 1) /* the first round decodes the code */
            started = hx_seconds();
        error = st_session_set_probes(session, probes, count);
        if (!error)
            error = st_session_set_probes(session, NULL, 0);
    }
    *ret = (hx_seconds() - started) * 1e9 / SETTINGS;
    *ret_count = count;
    free(probes);
    return error;
}

static void write_source(struct hx_buffer *out) {
    hx_buffer_text(out, loop);
    for (int i = 0; i < FUNCTIONS; i++)
        hx_buffer_print(out,
                        "int f%d(int a) {\n    int b = a;\n    while (b > 3)\n        b -= 2;\n    b++;\n    "
                        "return b;\n}\n",
                        i);
    hx_buffer_text(out, "int (*const functions[])(int) = {\n");
    for (int i = 0; i < FUNCTIONS; i++)
        hx_buffer_print(out, "    f%d,\n", i);
    hx_buffer_text(out, "};\n");
}

static struct rt_error *measure_all(struct hx_pair *pair, struct hx_probe_times *ret) {
    static const char *const arguments[] = {"program"};
    const struct st_session_options options = {.argc = 1, .argv = arguments};
    struct st_session *trapped = NULL;
    struct rt_error *error;

    error = measure_setting(pair->sides[1].session, &ret->wasm_probes, &ret->wasm_setting);
    if (!error)
        error = measure_setting(pair->sides[0].session, &ret->native_probes, &ret->native_setting);
    if (!error)
        error = measure(pair->sides[1].session, ST_PROBE_CALL, STOPS, &ret->call);
    if (!error)
        error = measure(pair->sides[0].session, ST_PROBE_JUMP, STOPS, &ret->jump);
    /* One image has one set of probes. */
    st_session_destroy(pair->sides[0].session);
    pair->sides[0].session = NULL;
    if (!error)
        error = st_session_create_native(pair->sides[0].image, &options, &trapped);
    if (!error) {
        st_session_prefer_traps(trapped, true);
        error = measure(trapped, ST_PROBE_TRAP, TRAP_STOPS, &ret->trap);
    }
    st_session_destroy(trapped);
    return error;
}

struct rt_error *hx_bench_probes(const struct hx_tools *tools, const struct hx_temp *temp,
                                 struct hx_probe_times *ret) {
    struct hx_temp folder = {0};
    struct hx_pair pair = {.sides = {{.image = NULL}}};
    struct hx_buffer source = {0};
    char path[512], native[512], wasm[512];

    const struct hx_load loads[2] = {{.kind = HX_WITNESS_NATIVE, .path = native},
                                     {.kind = HX_WITNESS_WASM, .path = wasm, .write = discard}};

    *ret = (struct hx_probe_times){.call = -1, .jump = -1, .trap = -1};
    struct rt_error *error = hx_temp_folder(temp, "probes", &folder);
    if (error)
        return error;
    snprintf(path, sizeof path, "%s/" HX_SOURCE, folder.path);
    snprintf(native, sizeof native, "%s/" HX_NATIVE, folder.path);
    snprintf(wasm, sizeof wasm, "%s/" HX_WASM, folder.path);
    write_source(&source);
    error = source.failed ? rt_error_out_of_memory() : hx_file_write(path, source.bytes, source.size, 0600);
    hx_buffer_clear(&source);
    if (!error)
        error = hx_compile(tools, HX_SOURCE, folder.path);
    if (!error)
        error = hx_pair_open(loads, &pair);
    if (!error)
        error = measure_all(&pair, ret);
    hx_pair_close(&pair);
    hx_temp_remove(&folder);
    return error;
}
