/* Values of options that several commands have. */
#include "harness/cmd_options.h"

#include <string.h>

static struct rt_error *split_dir(const char *text, struct rt_arena *arena, struct rt_wasi_dir *ret) {
    const char *colons = strstr(text, "::");

    ret->guest = colons ? colons + 2 : text;
    ret->host = colons ? rt_arena_copy(arena, text, (size_t)(colons - text)) : text;
    if (!ret->host)
        return rt_error_out_of_memory();
    if (!ret->host[0] || !ret->guest[0])
        return rt_error_format(RT_USAGE, "--dir: '%s' is neither HOST nor HOST::GUEST", text);
    return NULL;
}

struct rt_error *hx_parse_dirs(const struct hx_list *words, struct rt_arena *arena,
                               struct rt_wasi_dir const **ret) {
    struct rt_wasi_dir *dirs = rt_arena_array(arena, words->count, sizeof *dirs);

    if (!dirs)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < words->count; i++) {
        struct rt_error *error = split_dir(words->items[i], arena, &dirs[i]);
        if (error)
            return error;
        for (size_t k = 0; k < i; k++)
            if (strcmp(dirs[k].guest, dirs[i].guest) == 0)
                return rt_error_format(RT_USAGE, "--dir: the guest would see both %s and %s as %s",
                                       dirs[k].host, dirs[i].host, dirs[i].guest);
    }
    *ret = dirs;
    return NULL;
}

struct rt_error *hx_parse_env(const struct hx_list *given, struct rt_arena *arena, struct hx_list *ret) {
    *ret = (struct hx_list){.items = rt_arena_array(arena, given->count, sizeof *ret->items)};
    if (!ret->items)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < given->count; i++) {
        const char *equals = strchr(given->items[i], '=');
        size_t at = 0;

        if (!equals || equals == given->items[i])
            return rt_error_format(RT_USAGE, "--env: '%s' is not NAME=VALUE", given->items[i]);
        while (at < ret->count &&
               strncmp(ret->items[at], given->items[i], (size_t)(equals + 1 - given->items[i])))
            at++;
        ret->items[at] = given->items[i];
        ret->count += at == ret->count;
    }
    return NULL;
}
