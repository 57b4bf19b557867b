/* The programs of `bench runtime`, and building them (for `bench record`, too): as WASI commands, natively at
 * two levels, and as modules that import nothing for interpreters without WASI. */
#include "harness/bench_runtime.h"

#include "harness/process.h"
#include "harness/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Csmith's own sizes, not the small ones that a campaign takes. */
#define CSMITH_SIZES "--max-funcs 10 --max-block-depth 5 --max-expr-complexity 10"

const struct hx_bench_program hx_bench_programs[HX_BENCH_PROGRAMS] = {
    {.name = "zstd", .amount = 40},
    {.name = "sha256", .source = "sha256.c", .amount = 40, .bare = 1, .optimisation = "-O2"},
    {.name = "recursion", .source = "recursion.c", .amount = 200, .bare = 5, .optimisation = "-O2"},
    {.name = "memory", .source = "memory.c", .amount = 9, .bare = 3, .optimisation = "-O2"},
    /* At -O0, as campaigns compile them: optimised, little of them is left. */
    {.name = "csmith",
     .source = "csmith.c",
     .amount = 1,
     .optimisation = "-O0",
     .seeds = {13, 26, 49, 55, 51, 10}},
};

/* Runs a compiler in the folder. */
static struct rt_error *compile(const char *const *words, const char *folder, const char *what) {
    struct hx_process process = {.argv = words, .directory = folder};
    char how[128], complaint[240];
    struct rt_error *error = hx_process_run(&process, 1);

    if (!error && !hx_process_succeeded(&process))
        error = rt_error_format(RT_USAGE, "cannot build %s (%s): %s", what,
                                hx_process_describe(&process, how, sizeof how),
                                hx_process_complaint(&process, complaint, sizeof complaint));
    hx_process_clear(&process);
    return error;
}

/* Compiled and linked in two steps: a driver that optimises and links would run binaryen, which drops line
 * tables. */
static struct rt_error *build_wasm(const struct hx_bench_context *context, const char *optimisation,
                                   const char *source, const char *folder) {
    const struct hx_compiler *compiler = &context->tools->wasm;
    const char *sysroot = compiler->sysroot ? compiler->sysroot : "-g";
    const char *include = context->tools->csmith_include ? context->tools->csmith_include : "-g";
    const char *const object[] = {compiler->path,
                                  compiler->target,
                                  sysroot,
                                  optimisation,
                                  "-g",
                                  "-w",
                                  include,
                                  "-fno-strict-float-cast-overflow",
                                  "-iquote",
                                  ".",
                                  "-c",
                                  source,
                                  "-o",
                                  "program.o",
                                  NULL};
    const char *const link[] = {compiler->path, compiler->target, sysroot, "program.o",
                                "-o",           "program.wasm",   NULL};
    struct rt_error *error = compile(object, folder, source);

    return error ? error : compile(link, folder, source);
}

static struct rt_error *build_native(const struct hx_bench_context *context, const char *level,
                                     const char *source, const char *folder) {
    char output[32];
    const char *include = context->tools->csmith_include ? context->tools->csmith_include : "-w";
    const char *const words[] = {context->tools->native.path,
                                 level,
                                 "-w",
                                 include,
                                 "-fno-strict-float-cast-overflow",
                                 "-iquote",
                                 ".",
                                 source,
                                 "-o",
                                 output,
                                 NULL};

    snprintf(output, sizeof output, "native%s", level);
    return compile(words, folder, source);
}

static struct rt_error *build_bare(const struct hx_bench_context *context, const char *optimisation,
                                   uint32_t amount, const char *source, const char *folder,
                                   const char *output) {
    char definition[64];
    const char *const words[] = {context->tools->wasm.path,
                                 "--target=wasm32",
                                 "-nostdlib",
                                 "-fno-builtin",
                                 optimisation,
                                 "-w",
                                 definition,
                                 "-c",
                                 source,
                                 "-o",
                                 "bare.o",
                                 NULL};
    const char *const link[] = {context->tools->wasm.path,
                                "--target=wasm32",
                                "-nostdlib",
                                "-Wl,--no-entry",
                                "bare.o",
                                "-o",
                                output,
                                NULL};

    snprintf(definition, sizeof definition, "-DLOCKSTEP_BARE=%uu", amount);
    struct rt_error *error = compile(words, folder, source);
    return error ? error : compile(link, folder, source);
}

static struct rt_error *build_one(const struct hx_bench_context *context,
                                  const struct hx_bench_program *program, uint64_t seed, uint32_t bare,
                                  struct hx_bench_build *ret) {
    struct hx_temp folder;
    char name[64], source[512];
    struct rt_error *error = NULL;

    snprintf(name, sizeof name, "%s-%llu", program->name, (unsigned long long)seed);
    snprintf(source, sizeof source, "%s/%s", context->corpus, program->source);
    error = hx_temp_folder(context->temp, name, &folder);
    if (error)
        return error;
    memcpy(ret->folder, folder.path, sizeof ret->folder);
    ret->seed = seed;
    if (seed)
        error = hx_generate(context->tools, seed, CSMITH_SIZES, ret->folder);
    if (!error)
        error = build_wasm(context, program->optimisation, source, ret->folder);
    if (!error)
        error = build_native(context, "-O0", source, ret->folder);
    if (!error)
        error = build_native(context, "-O2", source, ret->folder);
    if (!error && bare)
        error = build_bare(context, program->optimisation, bare, source, ret->folder, "bare.wasm");
    if (!error && bare)
        error = build_bare(context, program->optimisation, 0, source, ret->folder, "idle.wasm");
    return error;
}

/* What ci/bench-programs built for the user. */
static struct rt_error *find_built(const struct hx_bench_program *program, struct hx_bench_build *ret) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char path[300];

    if (cache && *cache)
        snprintf(ret->folder, sizeof ret->folder, "%s/lockstep/%s", cache, program->name);
    else
        snprintf(ret->folder, sizeof ret->folder, "%s/.cache/lockstep/%s", home ? home : "", program->name);
    snprintf(path, sizeof path, "%s/program.wasm", ret->folder);
    if (access(path, R_OK) != 0)
        return rt_error_format(RT_USAGE, "%s is missing: run ci/bench-programs", path);
    return NULL;
}

static uint32_t share(const struct hx_bench_context *context, uint32_t amount) {
    uint64_t part = amount * context->percent / 100;
    return amount && !part ? 1 : (uint32_t)part;
}

/* In the words of the search for it. */
static struct rt_error *no_csmith(void) {
    struct rt_arena arena;
    const char *path;

    rt_arena_init(&arena, 0);
    struct rt_error *error = hx_tool_find("csmith", "csmith", &arena, &path);
    rt_arena_clear(&arena);
    return error;
}

struct rt_error *hx_bench_build(const struct hx_bench_context *context,
                                const struct hx_bench_program *program, struct hx_bench_built *ret) {
    struct rt_error *error = NULL;

    *ret = (struct hx_bench_built){.program = program, .amount = share(context, program->amount)};
    if (!program->source) {
        error = find_built(program, &ret->builds[0]);
    } else if (!program->seeds[0]) {
        error = build_one(context, program, 0, share(context, program->bare), &ret->builds[0]);
    } else {
        if (!context->tools->csmith)
            error = no_csmith();
        for (size_t i = 0; !error && i < HX_BENCH_BUILDS && program->seeds[i]; i++) {
            error = build_one(context, program, program->seeds[i], 0, &ret->builds[i]);
            ret->count = i;
        }
    }
    if (!error)
        ret->count++;
    return error;
}
