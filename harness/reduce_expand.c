/* Whole programs: what their headers give them is put into the text, and what they do not use of it can go. A
 * maintainer need not have Csmith's headers then, and no trial reads them. */
#include "harness/reduce.h"
#include "harness/reduce_text.h"

#include "harness/process.h"
#include "harness/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER  "headers"
#define PROGRAM "included.c"

enum { TIME_LIMIT = 20000, TEXT_LIMIT = 16 << 20 };

static struct rt_error *write_headers(const struct hx_temp *folder) {
    static const struct {
        const char *name, *text;
    } headers[] = {
#define HX_HEADER(name, text) {name, text},
#include "harness/reduce_headers.def"
#undef HX_HEADER
    };
    struct rt_error *error = NULL;

    for (size_t i = 0; i < sizeof headers / sizeof *headers && !error; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder->path, headers[i].name);
        error = hx_file_write(path, headers[i].text, strlen(headers[i].text), 0644);
    }
    return error;
}

/* Runs a tool over the best program and gives what it leaves in the file OUT; nothing when it fails. */
static struct rt_error *pipe_through(struct hx_reduction *reduction, const struct hx_temp *folder,
                                     const char *const *words, const char *out, struct hx_buffer *ret) {
    struct hx_process process = {.argv = words, .directory = folder->path, .time_limit = TIME_LIMIT};
    char path[512];

    snprintf(path, sizeof path, "%s/" PROGRAM, folder->path);
    struct rt_error *error = hx_file_write(path, reduction->best.bytes, reduction->best.size, 0644);
    if (!error)
        error = hx_process_run(&process, 1);
    bool has_succeeded = !error && hx_process_succeeded(&process);
    hx_process_clear(&process);
    if (has_succeeded) {
        snprintf(path, sizeof path, "%s/%s", folder->path, out);
        error = hx_file_read(path, TEXT_LIMIT, ret);
    }
    return error;
}

/* Csmith's headers define "(safe_NAME)(...)", so that no macro of that name steps in; nothing needs that any
 * more. */
static void plain_names(const struct hx_buffer *text, struct hx_buffer *ret) {
    static const char prefix[] = "(safe_";
    const char *rest = hx_buffer_string(text), *place;

    while ((place = strstr(rest, prefix))) {
        const size_t length = strspn(place + 1, "abcdefghijklmnopqrstuvwxyz_0123456789");
        const bool is_name = place[1 + length] == ')';
        hx_buffer_append(ret, rest, (size_t)(place - rest) + !is_name);
        hx_buffer_append(ret, place + 1, length);
        rest = place + 1 + length + is_name;
    }
    hx_buffer_text(ret, rest);
}

/* The sanitizing compiler's preprocessor is that of all: what it is told decides about what targets differ
 * in. */
static struct rt_error *preprocess(struct hx_reduction *reduction, const struct hx_temp *folder) {
    const char *const include = reduction->setup.tools->csmith_include;
    const char *words[] = {reduction->sanitizing_cc,
                           "-E",
                           "-P",
                           "-w",
                           "-nostdinc",
                           "-isystem",
                           ".",
                           PROGRAM,
                           "-o",
                           "out.c",
                           include,
                           NULL};
    struct hx_buffer text = {0}, plain = {0}, needed = {0};
    bool is_same = false;
    struct rt_error *error = pipe_through(reduction, folder, words, "out.c", &text);

    plain_names(&text, &plain);
    hx_keep_reachable(hx_buffer_string(&plain), plain.size, &needed);
    if (!error && text.size > 0)
        error = hx_try(reduction, &needed, &is_same);
    if (!error && text.size > 0 && !is_same)
        error = hx_try(reduction, &plain, &is_same);
    hx_buffer_clear(&text);
    hx_buffer_clear(&plain);
    hx_buffer_clear(&needed);
    return error;
}

struct rt_error *hx_reduce_expand(struct hx_reduction *reduction) {
    struct hx_temp folder = {0};

    hx_reduction_begin(reduction, "headers");
    struct rt_error *error = hx_temp_folder(reduction->temp, FOLDER, &folder);
    if (!error)
        error = write_headers(&folder);
    if (!error)
        error = preprocess(reduction, &folder);
    hx_temp_remove(&folder);
    return error;
}

struct rt_error *hx_reduce_format(struct hx_reduction *reduction) {
    static const char *const names[] = {"clang-format-19", "clang-format"};
    struct hx_temp folder = {0};
    struct hx_buffer text = {0};
    struct rt_arena arena;
    const char *path = NULL;
    bool is_same;

    hx_reduction_begin(reduction, "layout");
    rt_arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names && !path; i++)
        rt_error_destroy(hx_tool_find(names[i], names[i], &arena, &path));
    const char *words[] = {path, "-i", "--style={BasedOnStyle: LLVM, IndentWidth: 4, ColumnLimit: 100}",
                           PROGRAM, NULL};
    struct rt_error *error = path ? hx_temp_folder(reduction->temp, FOLDER, &folder) : NULL;
    if (!error && path)
        error = pipe_through(reduction, &folder, words, PROGRAM, &text);
    if (!error && text.size > 0)
        error = hx_try(reduction, &text, &is_same);
    hx_buffer_clear(&text);
    hx_temp_remove(&folder);
    rt_arena_clear(&arena);
    return error;
}
