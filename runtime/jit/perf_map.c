/* A perf map: a text file with a line for each function, for code that has no file (Linux,
 * tools/perf/Documentation/jit-interface.txt). */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/jit/map.h"

struct rt_error *rt_perf_map_append(const struct rt_code_map *map, const char *path) {
    char usual[64];
    snprintf(usual, sizeof(usual), "/tmp/perf-%ld.map", (long)getpid());
    path = path ? path : usual;
    FILE *file = fopen(path, "ae");
    if (!file)
        return rt_error_os(errno, "opening %s", path);
    for (uint32_t i = 0; i < map->code->function_count; i++) {
        const struct rt_code_map_function *function = &map->functions[i];
        char name[RT_JIT_NAME_SIZE];
        fprintf(file, "%zx %zx %s\n", (size_t)function->range.low,
                (size_t)(function->range.high - function->range.low),
                rt_jit_name(map, function->function, name));
    }
    bool is_bad = ferror(file);
    is_bad |= fclose(file) != 0;
    return is_bad ? rt_error_os(errno, "writing %s", path) : NULL;
}
