/* The table of generators. */
#include "harness/generator.h"

#include "harness/generate_wasi.h"
#include "harness/program.h"

#include <stdio.h>
#include <string.h>

static struct rt_error *write_wasi(const struct hx_tools *tools, uint64_t seed, const char *words,
                                   const char *folder) {
    struct hx_buffer text = {0};
    struct rt_error *error;
    char path[512];

    (void)tools, (void)words;
    snprintf(path, sizeof path, "%s/" HX_SOURCE, folder);
    hx_generate_wasi(seed, &text);
    error = text.failed ? rt_error_out_of_memory() : hx_file_write(path, text.bytes, text.size, 0644);
    hx_buffer_clear(&text);
    return error;
}

const struct hx_generator hx_generator_csmith = {
    .name = "csmith", .needs_csmith = true, .has_native = true, .write = hx_generate};
const struct hx_generator hx_generator_wasi = {.name = "wasi", .write = write_wasi};

static const struct hx_generator *const generators[] = {&hx_generator_csmith, &hx_generator_wasi};
enum { GENERATOR_COUNT = sizeof generators / sizeof *generators };

struct rt_error *hx_generator_find(const char *name, const char *words, const struct hx_generator **ret) {
    struct hx_buffer names = {0};

    for (int i = 0; i < GENERATOR_COUNT; i++) {
        *ret = generators[i];
        if (strcmp(generators[i]->name, name) != 0) {
            hx_buffer_print(&names, "%s%s", i > 0 ? ", " : "", generators[i]->name);
            continue;
        }
        hx_buffer_clear(&names);
        if (words && !generators[i]->needs_csmith)
            return rt_error_format(RT_USAGE, "--csmith: the programs of --source %s are not Csmith's", name);
        return NULL;
    }
    struct rt_error *error = rt_error_format(RT_USAGE, "--source: there is no source '%s'; write one of: %s",
                                             name, hx_buffer_string(&names));
    hx_buffer_clear(&names);
    return error;
}
