/* Csmith programs: which flags a seed gets, and running the generator. */
#include "harness/program.h"

#include "harness/process.h"

#include <stdio.h>
#include <string.h>

/* Every program has these (and floats, but for gcc): bit-fields, unions, structs, pointers and arrays on; no
 * argc, so that a program has no input. */
static const char *const fixed[] = {"--bitfields", "--unions", "--structs",
                                    "--pointers",  "--arrays", "--no-argc"};

/* What varies: a seed takes choice (seed / stride) % 4 of each row, so that neighbouring seeds differ. The
 * sizes keep Csmith's own time small (at its default sizes half a second a program) and still give hundreds
 * of stops. Jumps are rare because one in eight programs with them does not end, and one in sixty without. */
static const struct {
    uint64_t stride;
    const char *choices[4];
} varied[] = {
    {1, {"--max-funcs=5", "--max-funcs=4", "--max-funcs=6", "--max-funcs=5"}},
    {2, {"--packed-struct", "--no-packed-struct", "--packed-struct", "--no-packed-struct"}},
    {3, {"--no-jumps", "--no-jumps", "--jumps", "--no-jumps"}},
    {4, {"--max-block-depth=3", "--max-block-depth=2", "--max-block-depth=4", "--max-block-depth=3"}},
    {7, {"--volatiles", "--no-volatiles", "--volatiles", "--volatiles"}},
    {16,
     {"--max-expr-complexity=6", "--max-expr-complexity=4", "--max-expr-complexity=8",
      "--max-expr-complexity=10"}},
    {32, {"--inline-function", "--no-inline-function", "--no-inline-function", "--no-inline-function"}},
};

enum { MAX_WORDS = 128, SOURCE_LIMIT = 64 << 20 };

/* Csmith takes "--name value", never "--name=value". */
static bool add_choice(const char **words, size_t *count, const char *choice, struct rt_arena *arena) {
    size_t length = strcspn(choice, "=");

    words[(*count)++] = rt_arena_copy(arena, choice, length);
    if (choice[length] == '=')
        words[(*count)++] = choice + length + 1;
    return words[*count - 1] != NULL;
}

struct rt_error *hx_generate_words(const struct hx_tools *tools, uint64_t seed, const char *extra,
                                   struct rt_arena *arena, const char *const **ret) {
    const char **words = rt_arena_array(arena, MAX_WORDS, sizeof *words);
    size_t count = 0;

    if (!words)
        return rt_error_out_of_memory();
    words[count++] = tools->csmith;
    words[count++] = "--seed";
    words[count++] = rt_arena_printf(arena, "%llu", (unsigned long long)seed);
    words[count++] = "--output";
    words[count++] = HX_SOURCE;
    if (!hx_compiler_is_gcc(&tools->native))
        words[count++] = "--float"; /* see compile.c */
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        words[count++] = fixed[i];
    for (size_t i = 0; i < sizeof varied / sizeof *varied; i++)
        if (!add_choice(words, &count, varied[i].choices[seed / varied[i].stride % 4], arena))
            return rt_error_out_of_memory();
    while (extra && *(extra += strspn(extra, " \t")) != '\0') {
        size_t length = strcspn(extra, " \t");
        if (count + 1 == MAX_WORDS)
            return rt_error_format(RT_USAGE, "--csmith: more than %zu words", count);
        words[count++] = rt_arena_copy(arena, extra, length);
        extra += length;
    }
    for (size_t i = 0; i < count; i++)
        if (!words[i])
            return rt_error_out_of_memory();
    *ret = words;
    return NULL;
}

/* Csmith does not notice when the disk is full. A whole program ends in a closing brace, or in the comment
 * with Csmith's statistics. */
static bool is_whole(const struct hx_buffer *text) {
    size_t size = text->size;

    while (size > 0 && strchr(" \n", text->bytes[size - 1]))
        size--;
    return size > 0 && strchr("}/", text->bytes[size - 1]);
}

/* Checks what Csmith wrote, and widens its literals. */
static struct rt_error *finish(const char *folder) {
    char path[512];
    struct hx_buffer text = {0}, widened = {0};

    snprintf(path, sizeof path, "%s/" HX_SOURCE, folder);
    struct rt_error *error = hx_file_read(path, SOURCE_LIMIT, &text);
    if (!error && !is_whole(&text))
        error = rt_error_format(RT_OS, "csmith's program is cut short%s%s",
                                hx_temp_is_full(folder) ? ": no space left on the disk of " : "",
                                hx_temp_is_full(folder) ? folder : "");
    if (!error) {
        hx_widen_literals(text.bytes, text.size, &widened);
        error = widened.failed ? rt_error_out_of_memory()
                               : hx_file_write(path, widened.bytes, widened.size, 0644);
    }
    hx_buffer_clear(&text);
    hx_buffer_clear(&widened);
    return error;
}

struct rt_error *hx_generate(const struct hx_tools *tools, uint64_t seed, const char *extra,
                             const char *folder) {
    struct hx_process csmith = {.directory = folder};
    struct rt_arena arena;
    char how[128], complaint[160];

    rt_arena_init(&arena, 0);
    struct rt_error *error = hx_generate_words(tools, seed, extra, &arena, &csmith.argv);
    if (!error)
        error = hx_process_run(&csmith, 1);
    if (!error && !hx_process_succeeded(&csmith))
        error = rt_error_format(RT_USAGE, "csmith failed on seed %llu with %s: %s", (unsigned long long)seed,
                                hx_process_describe(&csmith, how, sizeof how),
                                hx_process_complaint(&csmith, complaint, sizeof complaint));
    if (!error)
        error = finish(folder);
    hx_process_clear(&csmith);
    rt_arena_clear(&arena);
    return error;
}
