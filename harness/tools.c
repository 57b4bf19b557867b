/* Finding the tools, and asking the compilers' drivers how they link. */
#include "harness/tools.h"

#include "harness/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rt_error *hx_tool_find(const char *name, const char *package, struct rt_arena *arena,
                              const char **ret) {
    const char *path = getenv("PATH");

    if (strchr(name, '/')) {
        *ret = name;
        if (access(name, X_OK) == 0)
            return NULL;
        return rt_error_format(RT_USAGE, "cannot run %s: %s", name, strerror(errno));
    }
    while (path && *path) {
        int length = (int)strcspn(path, ":");
        char *candidate = rt_arena_printf(arena, "%.*s/%s", length, path, name);
        if (!candidate)
            return rt_error_out_of_memory();
        if (access(candidate, X_OK) == 0) {
            *ret = candidate;
            return NULL;
        }
        path += length + (path[length] == ':');
    }
    return rt_error_format(RT_USAGE, "%s is missing: install the package %s", name, package);
}

const char **hx_tools_words(const char *line, size_t length, struct rt_arena *arena) {
    /* No word is shorter than one byte and the space before it. */
    const char **words = rt_arena_array(arena, length / 2 + 2, sizeof *words);
    char *text = rt_arena_alloc(arena, length + 1);
    size_t count = 0, i = 0;

    if (!words || !text)
        return NULL;
    for (;;) {
        bool quoted = false;
        while (i < length && line[i] == ' ')
            i++;
        if (i == length)
            break;
        words[count++] = text;
        for (; i < length && (quoted || line[i] != ' '); i++) {
            if (line[i] == '"')
                quoted = !quoted;
            else if (line[i] == '\\' && i + 1 < length)
                *text++ = line[++i];
            else
                *text++ = line[i];
        }
        /* Takes the place of the space, or of the byte after the line. */
        *text++ = '\0';
    }
    return words;
}

/* "-19" of "clang-19", "" of "clang". */
static const char *version_suffix(const char *name) {
    const char *dash = strrchr(name, '-');
    return dash && dash[1] >= '0' && dash[1] <= '9' ? dash : "";
}

static struct rt_error *check_link(const struct hx_compiler *compiler) {
    static const struct {
        const char *part, *package;
    } files[] = {
#define HX_LINK_FILE(part, package) {part, package},
#include "harness/tools.def"
#undef HX_LINK_FILE
    };

    for (const char *const *word = compiler->link; *word; word++) {
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
            char package[64];
            if (**word == '-' || !strstr(*word, files[i].part) || access(*word, R_OK) == 0)
                continue;
            snprintf(package, sizeof package, files[i].package, version_suffix(compiler->name));
            return rt_error_format(RT_USAGE, "%s is missing, which %s links: install the package %s", *word,
                                   compiler->name, package);
        }
    }
    return NULL;
}

bool hx_compiler_is_gcc(const struct hx_compiler *compiler) {
    return strncmp(compiler->name, "gcc", 3) == 0;
}

bool hx_tools_are_alike(const struct hx_tools *tools) {
    return strcmp(tools->native.version, tools->wasm.version) == 0;
}

/* Finds the linker's line in the output of -###: the one that has the object as a word of its own. gcc's is
 * not taken: it names temporary files of a linker plugin. */
static struct rt_error *find_link(struct hx_compiler *compiler, const char *output, const char *object,
                                  struct rt_arena *arena) {
    while (*output) {
        size_t length = strcspn(output, "\n");
        if (length > 1 && output[0] == ' ' && output[1] == '"') {
            const char **words = hx_tools_words(output, length, arena);
            if (!words)
                return rt_error_out_of_memory();
            for (const char **word = words; *word; word++)
                if (strcmp(*word, object) == 0)
                    compiler->link = words;
        }
        output += length + (output[length] == '\n');
    }
    return compiler->link ? check_link(compiler) : NULL;
}

void hx_compiler_link_words(const struct hx_compiler *compiler, bool is_program, const char *object,
                            const char *artifact, const char **words) {
    size_t count = 0;

    words[count++] = compiler->path;
    if (compiler->target)
        words[count++] = compiler->target;
    else if (!is_program)
        words[count++] = "-shared";
    if (compiler->sysroot)
        words[count++] = compiler->sysroot;
    words[count++] = object;
    words[count++] = "-o";
    words[count++] = artifact;
    words[count] = NULL;
}

static void ask(struct hx_process *process, const char **argv, const struct hx_compiler *compiler,
                const char *directory, const char *object, const char *artifact) {
    size_t count = 0;

    if (object) {
        hx_compiler_link_words(compiler, false, object, artifact, argv);
        while (argv[count])
            count++;
        argv[count++] = "-###";
    } else {
        argv[count++] = compiler->path;
        argv[count++] = "--version";
    }
    argv[count] = NULL;
    *process =
        (struct hx_process){.argv = argv, .directory = directory, .time_limit = 30000, .own_group = true};
}

/* Asks both drivers for their versions and their links, all at once. */
static struct rt_error *ask_drivers(struct hx_tools *tools, const struct hx_temp *folder) {
    struct hx_compiler *compilers[2] = {&tools->native, &tools->wasm};
    static const char *const objects[2] = {HX_NATIVE_OBJECT, HX_WASM_OBJECT};
    static const char *const artifacts[2] = {HX_NATIVE, HX_WASM};
    struct hx_process processes[4];
    const char *argv[4][HX_LINK_WORDS + 1];
    char path[512], text[160];
    struct rt_error *error = NULL;

    for (size_t i = 0; i < 2 && !error; i++) {
        ask(&processes[2 * i], argv[2 * i], compilers[i], folder->path, NULL, NULL);
        ask(&processes[2 * i + 1], argv[2 * i + 1], compilers[i], folder->path, objects[i], artifacts[i]);
        /* The driver wants its input to exist. */
        snprintf(path, sizeof path, "%s/%s", folder->path, objects[i]);
        error = hx_file_write(path, "", 0, 0600);
    }
    if (error)
        return error;
    error = hx_process_run(processes, 4);
    for (size_t i = 0; i < 2 && !error; i++) {
        const char *version = hx_buffer_string(&processes[2 * i].output);
        compilers[i]->version = rt_arena_copy(&tools->arena, version, strcspn(version, "\n"));
        if (!compilers[i]->version)
            error = rt_error_out_of_memory();
        else if (!hx_process_succeeded(&processes[2 * i + 1]))
            error = rt_error_format(RT_USAGE, "%s cannot link: %s", compilers[i]->name,
                                    hx_process_complaint(&processes[2 * i + 1], text, sizeof text));
        else
            error = find_link(compilers[i], hx_buffer_string(&processes[2 * i + 1].output), objects[i],
                              &tools->arena);
    }
    for (size_t i = 0; i < 4; i++)
        hx_process_clear(&processes[i]);
    return error;
}

static struct rt_error *find_compilers(const struct hx_tools_choice *choice, struct hx_tools *tools) {
    const char *sdk = getenv("WASI_SDK_PATH");
    bool is_gcc = strncmp(choice->cc, "gcc", 3) == 0;
    struct rt_error *error;

    tools->cc = choice->cc;
    tools->native.name = choice->native_cc ? choice->native_cc : choice->cc;
    tools->wasm.name = is_gcc ? HX_DEFAULT_CC : choice->cc;
    error = hx_tool_find(tools->native.name, tools->native.name, &tools->arena, &tools->native.path);
    if (error)
        return error;
    tools->wasm.target = "--target=wasm32-wasi";
    if (!sdk || !*sdk)
        return hx_tool_find(tools->wasm.name, tools->wasm.name, &tools->arena, &tools->wasm.path);
    tools->wasm.name = "wasi-sdk's clang";
    tools->wasm.path = rt_arena_printf(&tools->arena, "%s/bin/clang", sdk);
    tools->wasm.sysroot = rt_arena_printf(&tools->arena, "--sysroot=%s/share/wasi-sysroot", sdk);
    if (!tools->wasm.path || !tools->wasm.sysroot)
        return rt_error_out_of_memory();
    if (access(tools->wasm.path, X_OK) != 0)
        return rt_error_os(errno, "WASI_SDK_PATH: cannot run %s", tools->wasm.path);
    return NULL;
}

static struct rt_error *find_csmith(const struct hx_tools_choice *choice, struct hx_tools *tools) {
    struct rt_error *error = NULL;

    if (choice->generate)
        error = hx_tool_find("csmith", "csmith", &tools->arena, &tools->csmith);
    if (error)
        return error;
    if (access(HX_CSMITH_INCLUDE "/csmith.h", R_OK) == 0)
        tools->csmith_include = "-I" HX_CSMITH_INCLUDE;
    else if (choice->generate)
        return rt_error_format(RT_USAGE, "%s is missing: install the package libcsmith-dev",
                               HX_CSMITH_INCLUDE "/csmith.h");
    return NULL;
}

/* The command line that rewrites the linked module, and its version beside the compiler's. */
static struct rt_error *find_wasm_opt(const struct hx_tools_choice *choice, struct hx_tools *tools) {
    struct hx_process asked = {0};
    const char *path;
    size_t count = 0;
    struct rt_error *error = hx_tool_find("wasm-opt", "binaryen", &tools->arena, &path);

    if (error)
        return error;
    asked.argv = (const char *const[]){path, "--version", NULL};
    error = hx_process_run(&asked, 1);
    const char *version = hx_buffer_string(&asked.output);
    tools->wasm_opt_words = choice->wasm_opt;
    if (!error)
        tools->wasm.version = rt_arena_printf(&tools->arena, "%s; %.*s", tools->wasm.version,
                                              (int)strcspn(version, "\n"), version);
    hx_process_clear(&asked);
    const char **given = hx_tools_words(choice->wasm_opt, strlen(choice->wasm_opt), &tools->arena);
    while (given && given[count])
        count++;
    const char **words = rt_arena_array(&tools->arena, count + 6, sizeof *words);
    if (error || !given || !words || !tools->wasm.version)
        return error ? error : rt_error_out_of_memory();
    words[0] = path;
    words[1] = "-g";
    memcpy(words + 2, given, count * sizeof *words);
    memcpy(words + 2 + count, (const char *const[]){HX_WASM, "-o", HX_WASM, NULL}, 4 * sizeof *words);
    tools->wasm_opt = words;
    return NULL;
}

struct rt_error *hx_tools_find(const struct hx_tools_choice *choice, const struct hx_temp *temp,
                               struct hx_tools *ret) {
    static const char *const levels[] = {"-O0", "-O1", "-O2", "-O3", "-Os", "-Oz", "-Og"};
    struct hx_temp folder = {0};
    struct rt_error *error;

    *ret = (struct hx_tools){0};
    rt_arena_init(&ret->arena, 0);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(levels[i], choice->optimisation) == 0)
            ret->optimisation = levels[i];
    if (!ret->optimisation)
        return rt_error_format(RT_USAGE, "--opt: '%s' is no optimisation level; write -O0, -O1, -O2, ...",
                               choice->optimisation);
    error = find_compilers(choice, ret);
    if (!error)
        error = find_csmith(choice, ret);
    if (!error)
        error = hx_temp_folder(temp, "drivers", &folder);
    if (!error)
        error = ask_drivers(ret, &folder);
    if (!error && choice->wasm_opt)
        error = find_wasm_opt(choice, ret);
    hx_temp_remove(&folder);
    if (error)
        hx_tools_clear(ret);
    return error;
}

void hx_tools_clear(struct hx_tools *tools) {
    rt_arena_clear(&tools->arena);
}
