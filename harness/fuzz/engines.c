/* Fuzz target: two engines do the same with any module: at each loop and call the same locals and operands,
 * in the end the same results, memory, globals and tables. Then again, at every instruction. */
#include "harness/engines.h"

#include <stdlib.h>
#include <string.h>

/* Checks stay on in every build: a property that does not hold is a crash for the fuzzer to report. */
static void require(bool holds) {
    if (!holds)
        abort();
}

static void require_same_text(const struct hx_buffer *a, const struct hx_buffer *b) {
    require(strcmp(hx_buffer_string(a), hx_buffer_string(b)) == 0);
}

static void compare(const struct rt_module *module, const struct hx_engines *options) {
    const struct or_engines_options limits = {.max_steps = options->max_steps};
    struct or_engine_witness witnesses[2];
    struct or_engines_report *report = NULL;
    struct hx_guest guests[2] = {0};
    struct rt_error *errors[2];

    for (int i = 0; i < 2; i++) {
        errors[i] = hx_guest_open(module, options->engines[i], options, &guests[i]);
        witnesses[i] = (struct or_engine_witness){rt_engine_name(options->engines[i]), guests[i].session,
                                                  guests[i].instance};
    }
    require((errors[0] == NULL) == (errors[1] == NULL));
    if (!errors[0]) {
        errors[0] = or_engines_compare(witnesses, &limits, &report);
        require(!errors[0] && report->verdict != OR_ENGINES_DIFFER);
        if (report->ended) {
            require_same_text(&guests[0].calls, &guests[1].calls);
            require_same_text(&guests[0].streams[0], &guests[1].streams[0]);
            require_same_text(&guests[0].streams[1], &guests[1].streams[1]);
        }
    } else {
        require(errors[0]->code == errors[1]->code && errors[0]->trap == errors[1]->trap);
    }
    for (int i = 0; i < 2; i++) {
        rt_error_destroy(errors[i]);
        hx_guest_close(&guests[i]);
    }
    or_engines_report_destroy(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const args[] = {"program"};
    struct hx_engines options = {.engines = {RT_ENGINE_COMPILED, RT_ENGINE_INTERP},
                                 .args = args,
                                 .arg_count = 1,
                                 .max_steps = 4000,
                                 .memory_pages = 16};
    struct rt_module *module;
    struct rt_error *error = rt_module_create(data, size, &module);

    if (error) {
        rt_error_destroy(error);
        return 0;
    }
    for (int coarse = 1; coarse >= 0; coarse--) {
        options.is_coarse = coarse;
        compare(module, &options);
    }
    rt_module_destroy(module);
    return 0;
}
