/* What one stop costs, by how its probe is made: a loop that reaches one probe again and again. */
#include "harness/bench.h"

#include "harness/pair.h"
#include "harness/process.h"
#include "harness/program.h"

#include <stdio.h>
#include <string.h>

enum { STOPS = 200000, TRAP_STOPS = 50000 };

static const char loop[] = "static volatile int counter;\n"
                           "static void tick(void) {\n"
                           "    counter = 7;\n"
                           "}\n"
                           "int main(void) {\n"
                           "    for (int i = 0; i < 1000000; i++)\n"
                           "        tick();\n"
                           "    return 0;\n"
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

static struct rt_error *measure_all(struct hx_pair *pair, struct hx_probe_times *ret) {
    static const char *const arguments[] = {"program"};
    const struct st_session_options options = {.argc = 1, .argv = arguments};
    struct st_session *trapped = NULL;
    struct rt_error *error;

    error = measure(pair->sessions[1], ST_PROBE_CALL, STOPS, &ret->call);
    if (!error)
        error = measure(pair->sessions[0], ST_PROBE_JUMP, STOPS, &ret->jump);
    /* One image has one set of probes. */
    st_session_destroy(pair->sessions[0]);
    pair->sessions[0] = NULL;
    if (!error)
        error = st_session_create_native(pair->image, &options, &trapped);
    if (!error) {
        st_session_prefer_traps(trapped, true);
        error = measure(trapped, ST_PROBE_TRAP, TRAP_STOPS, &ret->trap);
    }
    st_session_destroy(trapped);
    return error;
}

struct rt_error *hx_bench_probes(const struct hx_tools *tools, const struct hx_temp *temp,
                                 struct hx_probe_times *ret) {
    const struct hx_pair_options load = {.write = discard};
    struct hx_temp folder = {0};
    struct hx_pair pair = {0};
    char path[512], native[512], wasm[512];

    *ret = (struct hx_probe_times){-1, -1, -1};
    struct rt_error *error = hx_temp_folder(temp, "probes", &folder);
    if (error)
        return error;
    snprintf(path, sizeof path, "%s/" HX_SOURCE, folder.path);
    snprintf(native, sizeof native, "%s/" HX_NATIVE, folder.path);
    snprintf(wasm, sizeof wasm, "%s/" HX_WASM, folder.path);
    error = hx_file_write(path, loop, strlen(loop), 0600);
    if (!error)
        error = hx_compile(tools, HX_SOURCE, folder.path);
    if (!error)
        error = hx_pair_open(native, wasm, &load, &pair);
    if (!error)
        error = measure_all(&pair, ret);
    hx_pair_close(&pair);
    hx_temp_remove(&folder);
    return error;
}
