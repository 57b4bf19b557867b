/* What `bench runtime` and `bench record` have around their measuring: the command line's checks, the tools,
 * interruption, lines of JSON. */
#include "harness/bench_runtime.h"

#include "harness/data.h"
#include "harness/interrupt.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static struct rt_error *find_corpus(struct rt_arena *arena, const char **ret) {
    char *place = rt_arena_alloc(arena, PATH_MAX + 64);

    if (!place)
        return rt_error_out_of_memory();
    *ret = hx_data_folder("bench", LOCKSTEP_BENCH, place, PATH_MAX + 64);
    if (!*ret)
        return rt_error_format(RT_USAGE, "the benchmark's programs are missing: no folder %s",
                               LOCKSTEP_BENCH);
    return NULL;
}

static struct rt_error *check_choice(const struct hx_bench_choice *choice) {
    for (size_t i = 0; i < choice->programs->count; i++) {
        bool found = false;
        for (size_t j = 0; j < choice->name_count; j++)
            found = found || strcmp(choice->programs->items[i], choice->names[j]) == 0;
        if (!found)
            return rt_error_format(RT_USAGE, "--program: there is no program '%s'",
                                   choice->programs->items[i]);
    }
    if (choice->rounds == 0 || choice->rounds > HX_SAMPLES_MAX)
        return rt_error_format(RT_USAGE, "--rounds: from 1 to %d", HX_SAMPLES_MAX);
    if (choice->percent > 10000)
        return rt_error_format(RT_USAGE, "--work: up to 10000 percent");
    return NULL;
}

struct rt_error *hx_bench_begin(const struct hx_arguments *arguments, const struct hx_bench_choice *choice,
                                struct hx_bench_context *context, struct hx_bench_command *ret) {
    *ret = (struct hx_bench_command){.temp = {.lock = 0}};
    rt_arena_init(&ret->arena, 0);
    if (arguments->count > 0)
        return rt_error_format(RT_USAGE, "takes no argument '%s'", arguments->items[0]);
    struct rt_error *error = check_choice(choice);
    if (error)
        return error;
    context->percent = choice->percent;
    hx_interrupt_catch();
    error = find_corpus(&ret->arena, &context->corpus);
    if (!error)
        error = hx_temp_create(&ret->temp);
    context->temp = &ret->temp;
    return error;
}

struct rt_error *hx_bench_tools(struct hx_bench_command *command, bool generate,
                                struct hx_bench_context *context) {
    const struct hx_tools_choice choice = {.cc = HX_DEFAULT_CC, .optimisation = "-O2", .generate = generate};

    context->tools = &command->tools;
    return hx_tools_find(&choice, &command->temp, &command->tools);
}

void hx_bench_end(struct hx_bench_command *command) {
    hx_tools_clear(&command->tools);
    hx_temp_remove(&command->temp);
    rt_arena_clear(&command->arena);
}

bool hx_bench_interrupted(void) {
    hx_interrupt_poll(NULL, 0, 0);
    return hx_interrupted();
}

bool hx_bench_is_chosen(const struct hx_list *programs, const char *name) {
    for (size_t i = 0; i < programs->count; i++)
        if (strcmp(programs->items[i], name) == 0)
            return true;
    return programs->count == 0;
}

void hx_bench_end_line(bool json, struct hx_buffer *line) {
    if (json)
        puts(hx_buffer_string(line));
    hx_buffer_clear(line);
}
