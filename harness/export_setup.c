/* What a recorded program was run with, as far as its calls tell: arguments and environment when it asked for
 * them, preopened folders by their names, and what it read from standard input. */
#include "harness/export.h"

#include <stdlib.h>
#include <string.h>

/* ---- Standard streams ---- */

enum { CLOSED = -1 };

void hx_export_streams_init(struct hx_export_streams *streams) {
    for (int i = 0; i < 3; i++)
        streams->at[i] = i;
}

int hx_export_stream(const struct hx_export_streams *streams, uint64_t fd) {
    for (int i = 0; i < 3; i++)
        if (streams->at[i] != CLOSED && (uint64_t)streams->at[i] == fd)
            return i;
    return -1;
}

void hx_export_streams_after(struct hx_export_streams *streams, const struct hx_export_call *call) {
    if (!hx_export_succeeded(call))
        return;
    if (call->number == HX_EXPORT_fd_close) {
        const int closed = hx_export_stream(streams, call->args[0]);
        if (closed >= 0)
            streams->at[closed] = CLOSED;
    } else if (call->number == HX_EXPORT_fd_renumber && call->args[0] != call->args[1]) {
        const int from = hx_export_stream(streams, call->args[0]);
        const int to = hx_export_stream(streams, call->args[1]);
        if (to >= 0)
            streams->at[to] = CLOSED;
        if (from >= 0)
            streams->at[from] = (int64_t)call->args[1];
    }
}

/* ---- Arguments and environment ---- */

/* The strings that a call of args_get or environ_get gave. */
static struct rt_error *take_strings(struct hx_export *export, const struct hx_export_call *call,
                                     struct hx_export_strings *ret) {
    const struct hx_export_region *pointers = &call->regions[0], *bytes = &call->regions[1];
    const size_t count = pointers->written / 4;

    const char **items = rt_arena_array(&export->arena, count, sizeof *items);
    if (!items)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < count; i++) {
        const uint64_t at = hx_export_load(pointers->after + 4 * i, 4) - bytes->address;
        if (at >= bytes->written || !memchr(bytes->after + at, 0, bytes->written - (size_t)at))
            return rt_error_format(RT_UNSUPPORTED, "event %llu: string %zu of %s is not where its bytes are",
                                   (unsigned long long)call->event, i, hx_export_function(call)->name);
        items[i] = (const char *)bytes->after + at;
    }
    *ret = (struct hx_export_strings){items, count, true};
    return NULL;
}

/* An environment of as many variables and bytes as a program was told of that did not ask for them: A=, B=,
 * ..., and the last one as long as it has to be. None when they cannot be so few bytes. */
static struct rt_error *make_up_environment(struct hx_export *export, uint64_t count, uint64_t size) {
    enum { LEAST = 3, LETTERS = 26 }; /* "A=" */

    if (count > LETTERS || size < count * LEAST)
        return NULL;
    const char **items = rt_arena_array(&export->arena, (size_t)count, sizeof *items);
    if (!items)
        return rt_error_out_of_memory();
    for (uint64_t i = 0; i < count; i++) {
        const size_t length = i + 1 < count ? LEAST - 1 : (size_t)(size - i * LEAST - 1);
        char *item = rt_arena_array(&export->arena, length + 1, 1);
        if (!item)
            return rt_error_out_of_memory();
        memset(item, 'x', length);
        item[0] = (char)('A' + i);
        item[1] = '=';
        items[i] = item;
    }
    export->env.items = items;
    export->env.count = (size_t)count;
    return NULL;
}

/* ---- Folders and standard input ---- */

/* The first answer tells: a descriptor that is renumbered later was something else then. */
static struct rt_error *add_preopen(struct hx_export *export, const struct hx_export_call *call) {
    const struct hx_export_region *name = &call->regions[0];

    if (name->is_outside)
        return NULL;
    for (size_t i = 0; i < export->preopen_count; i++)
        if (export->preopens[i].fd == call->args[0])
            return NULL;
    if (export->preopen_count == HX_EXPORT_MAX_PREOPENS)
        return rt_error_format(RT_UNSUPPORTED, "its program has more than %d preopened folders",
                               HX_EXPORT_MAX_PREOPENS);
    char *copy = rt_arena_copy(&export->arena, name->after, name->written);
    if (!copy)
        return rt_error_out_of_memory();
    export->preopens[export->preopen_count++] = (struct hx_export_preopen){(uint32_t)call->args[0], copy};
    return NULL;
}

static int compare_preopens(const void *a, const void *b) {
    const struct hx_export_preopen *x = a, *y = b;
    return x->fd < y->fd ? -1 : x->fd > y->fd;
}

/* The bytes that a call of fd_read gave, in their order. */
static void take_input(struct hx_export *export, const struct hx_export_call *call) {
    for (size_t i = 0; i < call->region_count; i++)
        if (call->regions[i].parameter == 1 && call->regions[i].item > 0 && call->regions[i].after)
            hx_buffer_append(&export->input, call->regions[i].after, call->regions[i].written);
}

struct rt_error *hx_export_find_setup(struct hx_export *export) {
    struct hx_export_streams streams;
    struct rt_error *error = NULL;
    uint64_t env_count = 0, env_size = 0;

    hx_export_streams_init(&streams);
    for (size_t i = 0; i < export->call_count && !error; i++) {
        const struct hx_export_call *call = &export->calls[i];
        if (!hx_export_succeeded(call))
            continue;
        switch (call->number) {
        case HX_EXPORT_args_get: error = take_strings(export, call, &export->args); break;
        case HX_EXPORT_environ_get: error = take_strings(export, call, &export->env); break;
        case HX_EXPORT_environ_sizes_get:
            env_count = hx_export_load(call->regions[0].after, 4);
            env_size = hx_export_load(call->regions[1].after, 4);
            break;
        case HX_EXPORT_fd_prestat_dir_name: error = add_preopen(export, call); break;
        case HX_EXPORT_fd_read:
            if (hx_export_stream(&streams, call->args[0]) == 0)
                take_input(export, call);
            break;
        default: break;
        }
        hx_export_streams_after(&streams, call);
    }
    if (!export->args.is_known) {
        export->args.items = export->command;
        export->args.count = export->command_count;
    }
    if (!error && !export->env.is_known && env_count)
        error = make_up_environment(export, env_count, env_size);
    qsort(export->preopens, export->preopen_count, sizeof *export->preopens, compare_preopens);
    if (!error && export->input.failed)
        error = rt_error_out_of_memory();
    return error;
}
