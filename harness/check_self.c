/* One binary against itself, for each of a program's builds: loading it so that it stops at every
 * instruction, then the oracle's comparison. Runs in a worker. */
#include "harness/job.h"

#include "harness/engines.h"
#include "harness/pair.h"
#include "harness/process.h"

#include <fcntl.h>
#include <unistd.h>

/* In the child that steps by lines: what it prints is printed by its parent, too. */
static void silence(void *user) {
    const int *result_fd = user;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    close(*result_fd);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
}

static struct rt_error *take_report(const struct or_self_report *report, struct hx_self *self,
                                    struct hx_result *result) {
    *self = (struct hx_self){
        .is_run = true,
        .is_limited = report->is_limited,
#define HX_SELF_COUNT(name) .name = report->name,
#include "harness/self_counts.def"
#undef HX_SELF_COUNT
        .seconds = (double)report->nanoseconds / 1e9,
    };
    result->stops += report->stops;
    result->values += report->values;
    result->findings_left_out += report->findings_left_out;
    for (size_t i = 0; i < report->finding_count; i++)
        if (!hx_result_add(result, or_self_kind_name(report->kinds[i]), &report->findings[i]))
            return rt_error_out_of_memory();
    if (report->verdict == OR_DIFFER)
        result->verdict = HX_DIFFER;
    return NULL;
}

static struct rt_error *compare(const struct hx_setup *setup, const struct or_self_witness *witness,
                                struct or_progress *progress, int *result_fd, struct hx_result *result) {
    const struct or_self_options options = {.max_steps = setup->self_steps,
                                            .max_time = setup->time_limit / 2,
                                            .is_unoptimised = setup->is_unoptimised,
                                            .progress = progress,
                                            .in_child = silence,
                                            .user = result_fd};
    struct or_self_report *report = NULL;
    struct rt_error *error = or_self_compare(witness, &options, &report);

    if (!error)
        error = take_report(report, &result->self[witness->instance != NULL], result);
    or_self_report_destroy(report);
    return error ? rt_error_context(error, "%s", witness->name) : NULL;
}

static struct rt_error *check_wasm(const struct hx_setup *setup, const char *path,
                                   struct or_progress *progress, int *result_fd, struct hx_result *result) {
    static const char *const arguments[] = {"program"};
    const struct hx_engines engines = {.args = arguments, .arg_count = 1};
    struct rt_module *module = NULL;
    struct st_debug *debug = NULL;
    struct hx_guest guest = {0};
    struct rt_error *error = rt_module_open(path, &module);

    if (!error)
        error = st_debug_open_wasm(module, &debug);
    guest.debug = debug;
    if (!error)
        error = hx_guest_open(module, setup->engine, &engines, &guest);
    if (error)
        error = rt_error_context(error, "%s", path);
    if (!error)
        error = compare(setup, &(struct or_self_witness){"wasm", guest.session, guest.instance}, progress,
                        result_fd, result);
    hx_guest_close(&guest);
    st_debug_close(debug);
    rt_module_destroy(module);
    return error;
}

static struct rt_error *check_native(const struct hx_setup *setup, const char *path,
                                     struct or_progress *progress, int *result_fd, struct hx_result *result) {
    const struct hx_load load = {.kind = HX_WITNESS_NATIVE, .path = path};
    struct hx_debuggee debuggee;
    struct rt_error *error = hx_debuggee_open(&load, &debuggee);

    if (!error)
        error = compare(setup, &(struct or_self_witness){"native", debuggee.session, NULL}, progress,
                        result_fd, result);
    hx_debuggee_close(&debuggee);
    return error;
}

struct rt_error *hx_check_self(const struct hx_setup *setup, const char *native, const char *wasm,
                               struct or_progress *progress, int result_fd, struct hx_result *result) {
    struct rt_error *error = NULL;
    double started = hx_seconds();

    result->verdict = HX_AGREE;
    progress->running = 2;
    /* The module first: it cannot hurt this process. */
    if (wasm)
        error = check_wasm(setup, wasm, progress, &result_fd, result);
    if (!error && native)
        error = check_native(setup, native, progress, &result_fd, result);
    result->compare_seconds = hx_seconds() - started;
    return error;
}
