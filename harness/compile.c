/* Compiling one C file to a native shared object and to a WASI command, both sides at once. */
#include "harness/program.h"

#include "harness/process.h"
#include "harness/source.h"

#include <stdio.h>
#include <string.h>

enum { NATIVE, WASM, SIDES, MAX_WORDS = 28 + HX_MAX_WARNINGS + HX_MAX_MORE_WORDS };

/* Milliseconds that a compiler or linker may take where programs are tried by the hundreds. */
enum { COMPILE_LIMIT = 20000 };

static const char *const objects[SIDES] = {HX_NATIVE_OBJECT, HX_WASM_OBJECT};
static const char *const artifacts[SIDES] = {HX_NATIVE, HX_WASM};

static const struct hx_compiler *side(const struct hx_tools *tools, int index) {
    return index == NATIVE ? &tools->native : &tools->wasm;
}

/* What both compilers are told; without a link of our own (`to_object`) the driver goes on to link by itself.
 * The map makes an artifact the same in whatever folder it was built. `warnings` are options in place of -w;
 * NULL: none. */
static void compile_words(const struct hx_tools *tools, int index, bool to_object, const char *optimisation,
                          const char *const *warnings, const char *source, const char *map,
                          const char **words) {
    const struct hx_compiler *compiler = side(tools, index);
    size_t count = 0;

    words[count++] = compiler->path;
    if (compiler->target)
        words[count++] = compiler->target;
    if (compiler->sysroot)
        words[count++] = compiler->sysroot;
    if (index == NATIVE)
        words[count++] = "-fPIC";
    words[count++] = "-g";
    if (!warnings)
        words[count++] = "-w"; /* Csmith programs are full of what compilers warn about */
    while (warnings && *warnings)
        words[count++] = *warnings++;
    /* Csmith converts floats to integers that cannot hold them, which C leaves undefined: this makes it
     * saturate, on both targets alike. gcc cannot, and gets programs without floats (generate.c). */
    if (!hx_compiler_is_gcc(compiler))
        words[count++] = "-fno-strict-float-cast-overflow";
    words[count++] = optimisation;
    for (size_t i = 0; tools->more_words && tools->more_words[i]; i++)
        words[count++] = tools->more_words[i];
    words[count++] = map;
    if (tools->csmith_include)
        words[count++] = tools->csmith_include;
    if (to_object)
        words[count++] = "-c";
    else if (index == NATIVE)
        words[count++] = "-shared";
    words[count++] = source;
    words[count++] = "-o";
    words[count++] = to_object ? objects[index] : artifacts[index];
    words[count] = NULL;
}

/* Runs the processes together; the first that fails is the error. */
static struct rt_error *run(struct hx_process *processes, const struct hx_compiler *const *compilers,
                            size_t count, const char *doing, const char *folder) {
    char how[128], complaint[240];
    struct rt_error *error = hx_process_run(processes, count);

    for (size_t i = 0; i < count; i++) {
        bool failed = !error && !hx_process_succeeded(&processes[i]);
        if (failed && hx_temp_is_full(folder))
            error = rt_error_format(RT_OS, "%s cannot %s the program: no space left on the disk of %s",
                                    compilers[i]->name, doing, folder);
        else if (failed)
            error = rt_error_format(RT_USAGE, "%s cannot %s the program (%s): %s", compilers[i]->name, doing,
                                    hx_process_describe(&processes[i], how, sizeof how),
                                    hx_process_complaint(&processes[i], complaint, sizeof complaint));
        hx_process_clear(&processes[i]);
    }
    return error;
}

/* Compiles and links the sides [first, last] at once. */
static struct rt_error *build(const struct hx_tools *tools, int first, int last, const char *optimisation,
                              const char *source, const char *folder) {
    const char *words[SIDES][MAX_WORDS];
    struct hx_process processes[SIDES] = {0};
    const struct hx_compiler *compilers[SIDES] = {NULL};
    char map[512];
    size_t count = 0, links = 0;

    snprintf(map, sizeof map, "-fdebug-prefix-map=%s=.", folder);
    for (int i = first; i <= last; i++) {
        compile_words(tools, i, side(tools, i)->link, optimisation, NULL, source, map, words[i]);
        processes[count] = (struct hx_process){.argv = words[i], .directory = folder};
        compilers[count++] = side(tools, i);
    }
    struct rt_error *error = run(processes, compilers, count, "compile", folder);
    if (error)
        return error;
    for (int i = first; i <= last; i++) {
        if (!side(tools, i)->link)
            continue;
        processes[links] = (struct hx_process){.argv = side(tools, i)->link, .directory = folder};
        compilers[links++] = side(tools, i);
    }
    error = run(processes, compilers, links, "link", folder);
    if (error || last != WASM || !tools->wasm_opt)
        return error;
    static const struct hx_compiler wasm_opt = {.name = "wasm-opt"};
    processes[0] = (struct hx_process){.argv = tools->wasm_opt, .directory = folder};
    return run(processes, (const struct hx_compiler *const[]){&wasm_opt}, 1, "rewrite", folder);
}

struct rt_error *hx_compile(const struct hx_tools *tools, const char *source, const char *folder) {
    return build(tools, NATIVE, WASM, tools->optimisation, source, folder);
}

struct rt_error *hx_compile_native(const struct hx_tools *tools, const char *source, const char *folder) {
    return build(tools, NATIVE, NATIVE, tools->optimisation, source, folder);
}

struct rt_error *hx_compile_wasm(const struct hx_tools *tools, const char *optimisation, const char *source,
                                 const char *folder) {
    return build(tools, WASM, WASM, optimisation, source, folder);
}

struct rt_error *hx_compile_object(const struct hx_tools *tools, bool is_wasm, const char *const *warnings,
                                   const char *source, const char *folder, struct hx_process *ret) {
    const char *words[MAX_WORDS];
    char map[512];

    snprintf(map, sizeof map, "-fdebug-prefix-map=%s=.", folder);
    const int index = is_wasm ? WASM : NATIVE;
    compile_words(tools, index, side(tools, index)->link, tools->optimisation, warnings, source, map, words);
    *ret = (struct hx_process){.argv = words, .directory = folder, .time_limit = COMPILE_LIMIT};
    struct rt_error *error = hx_process_run(ret, 1);
    ret->argv = NULL;
    return error;
}

struct rt_error *hx_compile_ir(const struct hx_tools *tools, bool is_wasm, const char *source,
                               const char *folder) {
    const struct hx_compiler *compiler = side(tools, is_wasm ? WASM : NATIVE);
    const char *words[MAX_WORDS];
    char map[512];
    size_t count = 0;

    if (hx_compiler_is_gcc(compiler))
        return rt_error_format(RT_USAGE, "%s has no intermediate code that could be read", compiler->name);
    snprintf(map, sizeof map, "-fdebug-prefix-map=%s=.", folder);
    compile_words(tools, is_wasm ? WASM : NATIVE, true, tools->optimisation, NULL, source, map, words);
    while (words[count])
        count++;
    /* Of two files to write, the last one counts. */
    words[count++] = "-S";
    words[count++] = "-emit-llvm";
    words[count++] = "-o";
    words[count++] = HX_IR;
    words[count] = NULL;
    struct hx_process process = {.argv = words, .directory = folder, .time_limit = COMPILE_LIMIT};
    return run(&process, &compiler, 1, "compile", folder);
}

struct rt_error *hx_link_objects(const struct hx_tools *tools, const char *folder, bool *ret_linked) {
    struct hx_process processes[SIDES] = {0};
    size_t count = 0;

    for (int i = 0; i < SIDES; i++)
        if (side(tools, i)->link)
            processes[count++] = (struct hx_process){
                .argv = side(tools, i)->link, .directory = folder, .time_limit = COMPILE_LIMIT};
    struct rt_error *error = hx_process_run(processes, count);
    *ret_linked = !error;
    for (size_t i = 0; i < count; i++) {
        *ret_linked = *ret_linked && hx_process_succeeded(&processes[i]);
        hx_process_clear(&processes[i]);
    }
    if (error || !*ret_linked || !tools->wasm_opt)
        return error;
    processes[0] =
        (struct hx_process){.argv = tools->wasm_opt, .directory = folder, .time_limit = COMPILE_LIMIT};
    error = hx_process_run(processes, 1);
    *ret_linked = !error && hx_process_succeeded(&processes[0]);
    hx_process_clear(&processes[0]);
    return error;
}

/* ---- The same for people ---- */

static const char map_of_here[] = "-fdebug-prefix-map=\"$PWD\"=."; /* for a shell */

/* One command, run in a folder below the program's (NULL: there). */
static void tell(const char *name, const char *const *words, const char *folder, struct hx_json *json) {
    struct hx_buffer line = {0};

    if (folder)
        hx_buffer_print(&line, "(cd %s && ", folder);
    /* As it was asked for, where that leads to the path. */
    hx_buffer_shell_word(&line, strcmp(hx_base_name(words[0]), name) == 0 ? name : words[0]);
    for (const char *const *word = words + 1; *word; word++) {
        hx_buffer_text(&line, " ");
        if (*word == map_of_here)
            hx_buffer_text(&line, map_of_here);
        else
            hx_buffer_shell_word(&line, *word);
    }
    hx_buffer_text(&line, folder ? ")" : "");
    hx_json_string(json, NULL, hx_buffer_string(&line));
    json->out->failed |= line.failed;
    hx_buffer_clear(&line);
}

void hx_compile_commands(const struct hx_tools *tools, bool is_wasm, const char *folder,
                         struct hx_json *json) {
    const int index = is_wasm ? WASM : NATIVE;
    const struct hx_compiler *compiler = side(tools, index);
    const char *words[MAX_WORDS], *link[HX_LINK_WORDS];

    if (folder)
        tell("mkdir", (const char *const[]){"mkdir", "-p", folder, NULL}, NULL, json);
    compile_words(tools, index, true, tools->optimisation, NULL, folder ? "../" HX_SOURCE : HX_SOURCE,
                  map_of_here, words);
    tell(compiler->name, words, folder, json);
    hx_compiler_link_words(compiler, false, objects[index], artifacts[index], link);
    tell(compiler->name, link, folder, json);
    if (!is_wasm) {
        hx_compiler_link_words(compiler, true, objects[index], HX_NATIVE_PROGRAM, link);
        tell(compiler->name, link, folder, json);
    } else if (tools->wasm_opt) {
        tell("wasm-opt", tools->wasm_opt, folder, json);
    }
}
