/* One program's way to two artifacts: Csmith, two compilers, two linkers. Each function runs in the process
 * that owns the program and blocks until its tools have ended. */
#ifndef LOCKSTEP_HARNESS_PROGRAM_H
#define LOCKSTEP_HARNESS_PROGRAM_H

#include "harness/buffer.h"
#include "harness/json.h"
#include "harness/process.h"
#include "harness/tools.h"

/* The words of Csmith's command line for a seed, NULL-terminated, in the arena. The fixed flags and those
 * that vary with the seed are in the tables of generate.c; `extra` (words between blanks) comes after them
 * and wins, NULL for none. */
RT_MUST_USE struct rt_error *hx_generate_words(const struct hx_tools *tools, uint64_t seed, const char *extra,
                                               struct rt_arena *arena, const char *const **ret);
/* The rule of those flags in words, for --help. */
#define HX_GENERATE_RULE                                                                                     \
    "Csmith gets --float (not for gcc) --bitfields --unions --structs --pointers --arrays --no-argc, and\n"  \
    "by the seed --max-funcs 4 to 6, --max-block-depth 2 to 4, --max-expr-complexity 4 to 10, jumps for\n"   \
    "one program in four, packed structs, volatiles and inline functions on or off: a seed always gives\n"   \
    "the same program."

/* Appends the C text to `ret` with each literal of type long made a long long. */
void hx_widen_literals(const char *text, size_t size, struct hx_buffer *ret);
/* Writes HX_SOURCE into the folder, its literals widened. RT_USAGE when Csmith fails. */
RT_MUST_USE struct rt_error *hx_generate(const struct hx_tools *tools, uint64_t seed, const char *extra,
                                         const char *folder);
/* Compiles `source` (as seen from the folder) to HX_NATIVE and HX_WASM in the folder. RT_USAGE names the
 * compiler that failed and its complaint. */
RT_MUST_USE struct rt_error *hx_compile(const struct hx_tools *tools, const char *source, const char *folder);
/* Compiles it to HX_NATIVE alone. */
RT_MUST_USE struct rt_error *hx_compile_native(const struct hx_tools *tools, const char *source,
                                               const char *folder);
/* Compiles it to HX_WASM alone, at the level given ("-O2"). */
RT_MUST_USE struct rt_error *hx_compile_wasm(const struct hx_tools *tools, const char *optimisation,
                                             const char *source, const char *folder);

/* Has clang write its intermediate code for one side, as text, to HX_IR in the folder. RT_USAGE for gcc. */
RT_MUST_USE struct rt_error *hx_compile_ir(const struct hx_tools *tools, bool is_wasm, const char *source,
                                           const char *folder);

/* The same in steps, for who wants to stop at the first that fails. Compiles one side's object (with gcc:
 * links it, too) with `warnings`, options that end in NULL, HX_MAX_WARNINGS at most; the process tells how it
 * went. */
#define HX_MAX_WARNINGS 40
RT_MUST_USE struct rt_error *hx_compile_object(const struct hx_tools *tools, bool is_wasm,
                                               const char *const *warnings, const char *source,
                                               const char *folder, struct hx_process *ret);
/* Then links both, and has wasm-opt rewrite the module where the tools say so. */
RT_MUST_USE struct rt_error *hx_link_objects(const struct hx_tools *tools, const char *folder,
                                             bool *ret_linked);

/* Writes strings into a JSON array: a shell's commands that make one side's artifact in the way of
 * hx_compile, from HX_SOURCE in the shell's folder, and of the native side HX_NATIVE_PROGRAM, which a
 * debugger can start. The driver links, by the command that it was asked about. Artifacts lie in `folder`
 * below; NULL: there. */
#define HX_NATIVE_PROGRAM "native"
void hx_compile_commands(const struct hx_tools *tools, bool is_wasm, const char *folder,
                         struct hx_json *json);

#endif
