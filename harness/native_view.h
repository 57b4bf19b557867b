/* A guest's compiled code shown to native tools: a debugger of this process, and perf. */
#ifndef LOCKSTEP_HARNESS_NATIVE_VIEW_H
#define LOCKSTEP_HARNESS_NATIVE_VIEW_H

#include "harness/options.h"
#include "runtime/dwarf/dwarf.h"
#include "runtime/jit/jit.h"
#include "stepper/stepper.h"

struct hx_native_options {
    bool debugger;
    const char *perf; /* "map" or "jitdump"; NULL: nothing is written */
};
/* Rows for a table of options, of a command whose values have such a structure. */
#define HX_NATIVE_OPTIONS(type, field)                                                                       \
    {"-g", NULL, HX_OPTION_FLAG, offsetof(type, field) + offsetof(struct hx_native_options, debugger),       \
     "let a native debugger see the guest: gdb --args lockstep ... -g ..."},                                 \
        {"--perf", "FORM", HX_OPTION_TEXT, offsetof(type, field) + offsetof(struct hx_native_options, perf), \
         "let perf see the guest's functions: map writes /tmp/perf-PID.map, jitdump writes jit-PID.dump"}

/* Checks the options, and adds to `compile` what they need. RT_USAGE for another form or engine. */
RT_MUST_USE struct rt_error *hx_native_options_apply(const struct hx_native_options *options,
                                                     struct rt_compile_options *compile);

/* An image of the code with the sections of an output, which may be NULL. */
RT_MUST_USE struct rt_error *hx_native_image_make(const struct rt_code_map *map,
                                                  const struct rt_dwarf_output *output,
                                                  struct rt_jit_image **ret);

struct hx_native_view;

/* Shows the instance's code; `debug` may be NULL. *ret is NULL when nothing was asked for. */
RT_MUST_USE struct rt_error *hx_native_view_open(const struct hx_native_options *options,
                                                 struct rt_instance *instance, const struct st_debug *debug,
                                                 struct hx_native_view **ret);
/* NULL is fine. Before the instance's store and its code are destroyed. */
void hx_native_view_close(struct hx_native_view *view);

#endif
