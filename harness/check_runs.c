/* Programs that mean nothing natively: two Wasm builds of one, each run in a folder of its own, must print
 * the same and end the same way. Runs in a worker. */
#include "harness/job.h"

#include "harness/guest_run.h"
#include "harness/program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 120 };

/* The level that a program is also compiled at. */
static const char *other_level(const struct hx_tools *tools) {
    return strcmp(tools->optimisation, "-O2") == 0 ? "-O0" : "-O2";
}

struct rt_error *hx_compile_levels(const struct hx_tools *tools, const char *folder) {
    char made[512], kept[512];
    struct rt_error *error = hx_compile_wasm(tools, other_level(tools), HX_SOURCE, folder);

    if (error)
        return error;
    snprintf(made, sizeof made, "%s/" HX_WASM, folder);
    snprintf(kept, sizeof kept, "%s/" HX_WASM_OTHER, folder);
    if (rename(made, kept) != 0)
        return rt_error_os(errno, "cannot rename %s", made);
    return hx_compile_wasm(tools, tools->optimisation, HX_SOURCE, folder);
}

/* Makes the setup in the folder NAME of `folder` and runs the artifact there. */
static struct rt_error *run_in(const struct hx_guest_setup *setup, const char *artifact, const char *folder,
                               const char *name, struct hx_guest_run *ret) {
    static const struct hx_guest_options options = {0};
    struct hx_temp parent, own = {0};
    char wasm[512];

    snprintf(parent.path, sizeof parent.path, "%s", folder);
    snprintf(wasm, sizeof wasm, "%s/%s", folder, artifact);
    struct rt_error *error = hx_temp_folder(&parent, name, &own);
    if (!error)
        error = hx_guest_setup_make(setup, own.path);
    if (!error)
        error = hx_guest_run(wasm, setup, own.path, &options, ret);
    hx_temp_remove(&own);
    return error;
}

/* What a run printed from its line with byte `at` on, shortened, and how it ended. */
static const char *show(const struct hx_guest_run *run, size_t at, struct rt_arena *arena) {
    const char *text = hx_buffer_string(&run->streams[0]);

    at = at < run->streams[0].size ? at : run->streams[0].size;
    while (at > 0 && text[at - 1] != '\n')
        at--;
    size_t length = strcspn(text + at, "\n");
    return rt_arena_printf(arena, "\"%.*s\", %s%sexit status %d", (int)(length < SHOWN ? length : SHOWN),
                           text + at, run->trap ? run->trap : "", run->trap ? ", " : "", run->status);
}

static struct rt_error *compare(const struct hx_setup *setup, const struct hx_guest_run runs[2],
                                struct hx_result *result) {
    size_t at;
    const char *difference = hx_guest_run_difference(&runs[0], &runs[1], &at);

    result->verdict = difference ? HX_OUTPUT : HX_AGREE;
    if (!difference)
        return NULL;
    struct or_finding finding = {
        .signature = rt_arena_printf(&result->arena, "output/levels/%s", difference),
        .detail = rt_arena_printf(&result->arena, "%s differs", difference),
        .witnesses = {{.name = setup->tools->optimisation, .value = show(&runs[0], at, &result->arena)},
                      {.name = other_level(setup->tools), .value = show(&runs[1], at, &result->arena)}},
    };
    if (!finding.signature || !finding.detail || !finding.witnesses[0].value || !finding.witnesses[1].value ||
        !hx_result_add(result, "output", &finding))
        return rt_error_out_of_memory();
    return NULL;
}

struct rt_error *hx_check_runs(const struct hx_setup *setup, uint64_t seed, const char *folder,
                               struct hx_result *result) {
    static const char *const artifacts[2] = {HX_WASM, HX_WASM_OTHER};
    static const char *const names[2] = {"guest", "other"};
    struct hx_guest_run runs[2] = {0};
    struct hx_guest_setup guest;

    struct rt_error *error = hx_guest_setup_create(seed, &guest);
    if (error)
        return error;
    for (int i = 0; i < 2 && !error; i++)
        error = run_in(&guest, artifacts[i], folder, names[i], &runs[i]);
    if (!error)
        error = compare(setup, runs, result);
    for (int i = 0; i < 2; i++)
        hx_guest_run_clear(&runs[i]);
    hx_guest_setup_clear(&guest);
    return error;
}
