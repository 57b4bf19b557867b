/* Fuzz target: two engines do the same with any module: at each loop and call the same locals and operands,
 * in the end the same results, memory, globals and tables. Then again, at every instruction.
 *
 * Covers: runtime/interp/bulk.c runtime/interp/call.c runtime/interp/execute.c runtime/interp/translate.c
 * runtime/interp/translate_control.c runtime/interp/translate_emit.c runtime/interp/translate_numeric.c
 * runtime/interp/translate_operands.c runtime/interp/translate_vector.c runtime/interp/vector.c
 * runtime/interp/vector_float.c runtime/interp/vector_integer.c runtime/interp/vector_memory.c
 * runtime/interp/walk.c runtime/compile.c runtime/compile_control.c runtime/compile_map.c
 * runtime/compile_operands.c runtime/x86_64/call.c runtime/x86_64/control.c runtime/x86_64/convert.c
 * runtime/x86_64/emit.c runtime/x86_64/float.c runtime/x86_64/integer.c runtime/x86_64/memory.c
 * runtime/x86_64/numeric.c runtime/x86_64/operands.c runtime/x86_64/vector.c
 * runtime/x86_64/vector_float.c runtime/x86_64/vector_integer.c runtime/x86_64/vector_lanes.c
 * runtime/x86_64/vector_memory.c */
#include "harness/engines.h"
#include "harness/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void require_same_text(const struct hx_buffer *a, const struct hx_buffer *b) {
    fuzz_require(strcmp(hx_buffer_string(a), hx_buffer_string(b)) == 0);
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
    fuzz_require((errors[0] == NULL) == (errors[1] == NULL));
    if (!errors[0]) {
        errors[0] = or_engines_compare(witnesses, &limits, &report);
        fuzz_require(!errors[0] && report->verdict != OR_ENGINES_DIFFER);
        if (report->ended) {
            require_same_text(&guests[0].calls, &guests[1].calls);
            require_same_text(&guests[0].streams[0], &guests[1].streams[0]);
            require_same_text(&guests[0].streams[1], &guests[1].streams[1]);
        }
    } else {
        fuzz_require(errors[0]->code == errors[1]->code && errors[0]->trap == errors[1]->trap);
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
