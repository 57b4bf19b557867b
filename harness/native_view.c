/* A guest's compiled code shown to native tools. */
#include "harness/native_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hx_native_view {
    struct rt_jit_image *image;
    struct rt_low_view *low;
    struct rt_jitdump *dump; /* open while the guest runs, so that perf knows whose it is */
};

struct rt_error *hx_native_options_apply(const struct hx_native_options *options,
                                         struct rt_compile_options *compile) {
    if (options->perf && strcmp(options->perf, "map") != 0 && strcmp(options->perf, "jitdump") != 0)
        return rt_error_format(RT_USAGE, "--perf: there is no form '%s'; write map or jitdump",
                               options->perf);
    if ((options->debugger || options->perf) && compile->engine != RT_ENGINE_COMPILED)
        return rt_error_format(RT_USAGE, "%s: only compiled code can be seen; leave --engine out",
                               options->debugger ? "-g" : "--perf");
    compile->private_code = options->debugger || options->perf;
    compile->writable_locals = options->debugger;
    return NULL;
}

static struct rt_error *write_jitdump(struct hx_native_view *view, const struct rt_code_map *map,
                                      const struct st_debug *debug) {
    size_t count = 0;
    const struct st_row *rows = debug ? st_debug_rows(debug, &count) : NULL;
    struct rt_perf_line *lines = malloc((count + 1) * sizeof *lines);

    if (!lines)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < count; i++)
        lines[i] = (struct rt_perf_line){.pc = (uint32_t)rows[i].pc,
                                         .line = rows[i].end_sequence ? 0 : rows[i].line,
                                         .file = st_debug_file(debug, rows[i].file)};
    struct rt_error *error = rt_jitdump_create(".", &view->dump);
    if (!error)
        error = rt_jitdump_add(view->dump, map, lines, count);
    free(lines);
    return error;
}

struct rt_error *hx_native_image_make(const struct rt_code_map *map, const struct rt_dwarf_output *output,
                                      struct rt_jit_image **ret) {
    struct rt_jit_section sections[RT_DWARF_SECTION_COUNT];
    size_t count = 0;

    for (int i = 0; output && i < RT_DWARF_SECTION_COUNT; i++) {
        const struct rt_dwarf_span *span = &rt_dwarf_output_sections(output)->at[i];
        if (span->size)
            sections[count++] = (struct rt_jit_section){rt_dwarf_section_name((enum rt_dwarf_section)i),
                                                        span->bytes, span->size};
    }
    return rt_jit_register(map, sections, count, ret);
}

/* Functions and frames, and the module's own debug information where it has some that can be read. */
static struct rt_error *show_debugger(struct hx_native_view *view, const struct rt_code_map *map,
                                      struct rt_instance *instance) {
    struct rt_dwarf_output *output = NULL;
    struct rt_memory *memory = rt_instance_memory(instance, 0);

    struct rt_error *error = memory ? rt_low_view_create(memory, &view->low) : NULL;
    if (error)
        return error;
    error = rt_native_dwarf(map, instance, &output);
    if (error) { /* the functions are worth as much without it */
        fprintf(stderr, "lockstep: no lines and variables for a debugger: %s\n", error->message);
        rt_error_destroy(error);
    }
    error = hx_native_image_make(map, output, &view->image);
    rt_dwarf_output_destroy(output);
    return error;
}

struct rt_error *hx_native_view_open(const struct hx_native_options *options, struct rt_instance *instance,
                                     const struct st_debug *debug, struct hx_native_view **ret) {
    struct rt_code_map *map = NULL;

    *ret = NULL;
    if (!options->debugger && !options->perf)
        return NULL;
    struct hx_native_view *view = calloc(1, sizeof *view);
    if (!view)
        return rt_error_out_of_memory();
    struct rt_error *error = rt_code_map_create(rt_instance_code(instance), &map);
    if (!error && options->debugger)
        error = show_debugger(view, map, instance);
    if (!error && options->perf && strcmp(options->perf, "map") == 0)
        error = rt_perf_map_append(map, NULL);
    else if (!error && options->perf)
        error = write_jitdump(view, map, debug);
    rt_code_map_destroy(map);
    if (error)
        hx_native_view_close(view);
    else
        *ret = view;
    return error;
}

void hx_native_view_close(struct hx_native_view *view) {
    if (!view)
        return;
    rt_jit_unregister(view->image);
    rt_low_view_destroy(view->low);
    /* The guest has run: a profile that is cut short is no failure of it. */
    rt_error_destroy(rt_jitdump_close(view->dump));
    free(view);
}
