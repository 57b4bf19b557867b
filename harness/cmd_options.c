/* Values of options that several commands have. */
#include "harness/cmd_options.h"

#include <string.h>

struct rt_error *hx_parse_dirs(const struct hx_list *words, struct rt_arena *arena,
                               struct rt_wasi_dir const **ret) {
    struct rt_wasi_dir *dirs = rt_arena_array(arena, words->count, sizeof *dirs);

    if (!dirs)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < words->count; i++) {
        const char *host = words->items[i], *colons = strstr(host, "::");
        dirs[i].guest = colons ? colons + 2 : host;
        dirs[i].host = colons ? rt_arena_copy(arena, host, (size_t)(colons - host)) : host;
        if (!dirs[i].host)
            return rt_error_out_of_memory();
    }
    *ret = dirs;
    return NULL;
}
