/* Options that several commands have, as rows for their tables: one text, one meaning. The command's values
 * have a field of each name. */
#ifndef LOCKSTEP_HARNESS_CMD_OPTIONS_H
#define LOCKSTEP_HARNESS_CMD_OPTIONS_H

#include "harness/options.h"

#include "runtime/runtime.h"

#define HX_COMPILER_OPTIONS(type)                                                                            \
    {"--cc", "CC", HX_OPTION_TEXT, offsetof(type, cc),                                                       \
     "compiler of both sides: clang-14, clang-16, clang-19 (clang-19)"},                                     \
        {"--native-cc", "CC", HX_OPTION_TEXT, offsetof(type, native_cc),                                     \
         "compiler of the native side alone: gcc, clang-14, ..."},                                           \
        {"--opt", "LEVEL", HX_OPTION_TEXT, offsetof(type, opt), "optimisation level (-O0)"}

#define HX_WASM_OPT_OPTION(type)                                                                             \
    {"--wasm-opt", "WORDS", HX_OPTION_TEXT, offsetof(type, wasm_opt),                                        \
     "rewrite the module by binaryen's `wasm-opt -g WORDS` (it is not run)"}

#define HX_ENGINE_OPTION(type)                                                                               \
    {"--engine", "ENGINE", HX_OPTION_TEXT, offsetof(type, engine),                                           \
     "what runs the Wasm side: compiled or interp (compiled)"}

/* Comparing each build with itself. */
#define HX_SELF_OPTION(type)                                                                                 \
    {"--self", NULL, HX_OPTION_FLAG, offsetof(type, self),                                                   \
     "compare each build with itself, stepped by lines and by instructions"}
#define HX_WITNESS_OPTIONS(type)                                                                             \
    {"--witness", "A,B,...", HX_OPTION_TEXT, offsetof(type, witness),                                        \
     "compare these 2 to 5 witnesses, each with each (native,wasm)"},                                        \
        {"--blame", NULL, HX_OPTION_FLAG, offsetof(type, blame),                                             \
         "when they differ, ask more witnesses who is wrong, and GDB what the native side shows"}

#define HX_NO_WITNESSES "--witness and --blame compare builds; --engines, --replay and --self do not"

/* Comparing two engines instead of two builds. */
#define HX_ENGINES_OPTIONS(type)                                                                             \
    {"--engines", "A,B", HX_OPTION_TEXT, offsetof(type, engines),                                            \
     "compare two engines on one module, instruction by instruction: compiled,interp"},                      \
        {"--coarse", NULL, HX_OPTION_FLAG, offsetof(type, coarse),                                           \
         "with --engines: stop at loops and functions' starts alone, which leaves the code as it is"},       \
        {"--steps", "N", HX_OPTION_NUMBER, offsetof(type, steps),                                            \
         "with --engines or --self: at most N instructions of a module or build, 0 for all "                 \
         "(20000000)"} HX_REPLAY_OPTION(type)
#ifdef LOCKSTEP_RR
#define HX_REPLAY_OPTION(type)                                                                               \
    , {"--replay", NULL, HX_OPTION_FLAG, offsetof(type, replay),                                             \
       "compare recorded runs with their replays, on the --engines (compiled,interp)"}
#else
#define HX_REPLAY_OPTION(type)
#endif
#define HX_REPLAY_ENGINES "compiled,interp" /* unless --engines says others */

#define HX_LIMIT_OPTIONS(type)                                                                               \
    {"--stops", "N", HX_OPTION_NUMBER, offsetof(type, stops),                                                \
     "compare at most N stops of a program, 0 for all (20000)"},                                             \
        {"--visits", "N", HX_OPTION_NUMBER, offsetof(type, visits),                                          \
         "compare a statement N times, then pass over it; 0 for always (100)"},                              \
        {"--time-limit", "TIME", HX_OPTION_DURATION, offsetof(type, time_limit),                             \
         "step a program at most this long (1s; with --engines or --self 60s)"},                             \
        {"--known", "DIR", HX_OPTION_TEXT, offsetof(type, known),                                            \
         "folder with the list of known defects (the one that came with lockstep)"}

/* Results for CI systems. */
#define HX_PUBLISH_OPTIONS(type)                                                                             \
    {"--sarif", "FILE", HX_OPTION_TEXT, offsetof(type, sarif),                                               \
     "write the findings to FILE as SARIF 2.1.0: a rule a signature"},                                       \
        {"--junit", "FILE", HX_OPTION_TEXT, offsetof(type, junit),                                           \
         "write the programs to FILE as JUnit's XML: a failure where a finding is not known"}

/* Guest folders of words HOST[::GUEST], in the arena. */
RT_MUST_USE struct rt_error *hx_parse_dirs(const struct hx_list *words, struct rt_arena *arena,
                                           struct rt_wasi_dir const **ret);
/* A guest's variables of words NAME=VALUE, in the arena: the last of each name alone, as a guest's C library
 * takes the first that it finds. */
RT_MUST_USE struct rt_error *hx_parse_env(const struct hx_list *given, struct rt_arena *arena,
                                          struct hx_list *ret);

#endif
