/* The tools that the harness runs: Csmith, two compilers and their linkers. Found once a command; a missing
 * one gives one line that names it and its Debian package. */
#ifndef LOCKSTEP_HARNESS_TOOLS_H
#define LOCKSTEP_HARNESS_TOOLS_H

#include "harness/temp.h"

/* Names of a program's files, in the folder of its own that everything about it runs in. */
#define HX_SOURCE        "program.c"
#define HX_NATIVE        "native.so"
#define HX_NATIVE_OBJECT "native.o"
#define HX_WASM          "program.wasm"
#define HX_WASM_OBJECT   "wasm.o"
#define HX_IR            "program.ll"
/* At another level of optimisation, where two are compared. */
#define HX_NATIVE_OTHER "other.so"
#define HX_WASM_OTHER   "other.wasm"

#define HX_MAX_MORE_WORDS 8

struct hx_compiler {
    const char *name;    /* as it was asked for: "clang-19" */
    const char *path;    /* absolute */
    const char *version; /* the first line of --version */
    const char *target;  /* "--target=..." or NULL */
    const char *sysroot; /* "--sysroot=..." or NULL */
    /* The linker's command line, as the driver itself would run it on the names above; NULL when the driver
     * did not tell and has to link by itself. Running the linker directly saves the driver's start, and keeps
     * other tools out that a driver takes from PATH: binaryen's wasm-opt, which at -O1 and above drops the
     * program's line table. */
    const char *const *link;
};

/* By its name: "gcc", "gcc-12". */
bool hx_compiler_is_gcc(const struct hx_compiler *compiler);
/* Writes the driver's command line for linking one side's object to an artifact, or, with `is_program`, the
 * native one to a program of its own: NULL-terminated, HX_LINK_WORDS at most. */
enum { HX_LINK_WORDS = 8 };
void hx_compiler_link_words(const struct hx_compiler *compiler, bool is_program, const char *object,
                            const char *artifact, const char **words);
struct hx_tools;
/* One compiler of one version makes both sides. */
bool hx_tools_are_alike(const struct hx_tools *tools);

struct hx_tools {
    struct rt_arena arena;
    const char *cc; /* as it was asked for */
    struct hx_compiler native, wasm;
    const char *csmith;            /* NULL when it was not asked for */
    const char *csmith_include;    /* "-I..." of its headers, NULL when they are not installed */
    const char *optimisation;      /* "-O0" */
    const char *const *more_words; /* for both compilers, HX_MAX_MORE_WORDS at most; NULL: none */
    /* binaryen's command line, which changes HX_WASM in place; NULL: it is not run. wasm.version names it,
     * too. */
    const char *const *wasm_opt;
    const char *wasm_opt_words; /* as they were asked for */
};

struct hx_tools_choice {
    const char *cc;        /* both sides; "gcc" is the native side alone, beside the default */
    const char *native_cc; /* the native side, or NULL */
    const char *optimisation;
    const char *wasm_opt; /* words for binaryen, "-O1", or NULL */
    bool generate;        /* Csmith is needed */
};

#define HX_DEFAULT_CC     "clang-19"
#define HX_CSMITH_INCLUDE "/usr/include/csmith" /* its headers, as Debian has them */

/* Finds everything. Asks the drivers how they link, in a folder of its own under `temp`. */
RT_MUST_USE struct rt_error *hx_tools_find(const struct hx_tools_choice *choice, const struct hx_temp *temp,
                                           struct hx_tools *ret);
void hx_tools_clear(struct hx_tools *tools);

/* An executable's absolute path by PATH, in the arena; RT_USAGE "NAME is missing: install the package
 * PACKAGE". */
RT_MUST_USE struct rt_error *hx_tool_find(const char *name, const char *package, struct rt_arena *arena,
                                          const char **ret);
/* The words of a command line as `clang -###` and `gcc -###` print it: quoted with backslashes, or bare.
 * NULL-terminated, in the arena; NULL when memory is at its end. */
const char **hx_tools_words(const char *line, size_t length, struct rt_arena *arena);

#endif
