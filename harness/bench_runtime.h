/* The parts of `lockstep bench runtime`, private to its files: programs that are built, engines that run
 * them, and how long engines take to start. */
#ifndef LOCKSTEP_HARNESS_BENCH_RUNTIME_H
#define LOCKSTEP_HARNESS_BENCH_RUNTIME_H

#include "harness/buffer.h"
#include "harness/options.h"
#include "harness/samples.h"
#include "harness/tools.h"

#include "runtime/runtime.h"

/* What the parts share. A tool that is not there is NULL, and its engines are left out. */
struct hx_bench_context {
    const struct hx_tools *tools; /* generates, compiles at -O2 */
    const struct hx_temp *temp;
    const char *corpus; /* the folder of our own programs */
    const char *node, *wasm_interp, *wasm2c;
    const char *script; /* bench_node.js, written to a file */
    uint64_t percent;   /* of the usual amount of work */
};

/* ---- Around a measurement, for `bench record` too (bench_command.c) ---- */

/* What a command of these has to give back. */
struct hx_bench_command {
    struct rt_arena arena;
    struct hx_tools tools;
    struct hx_temp temp;
};

/* What --program, --rounds and --work say, of the programs that there are. */
struct hx_bench_choice {
    const struct hx_list *programs;
    const char *const *names;
    size_t name_count;
    uint64_t rounds, percent;
};

/* Checks the command line (RT_USAGE), catches signals, and finds what all measurements need but for the
 * tools. To be ended on errors, too. */
RT_MUST_USE struct rt_error *hx_bench_begin(const struct hx_arguments *arguments,
                                            const struct hx_bench_choice *choice,
                                            struct hx_bench_context *context, struct hx_bench_command *ret);
/* Finds the tools that compile; Csmith, too, with `generate`. */
RT_MUST_USE struct rt_error *hx_bench_tools(struct hx_bench_command *command, bool generate,
                                            struct hx_bench_context *context);
void hx_bench_end(struct hx_bench_command *command);

/* A signal that waits comes through here, between two runs; what was measured until then is told. */
bool hx_bench_interrupted(void);
/* All programs are, when none is named. */
bool hx_bench_is_chosen(const struct hx_list *programs, const char *name);
/* Prints a line of JSON, if `json`, and clears it. */
void hx_bench_end_line(bool json, struct hx_buffer *line);

/* ---- Programs (bench_programs.c) ---- */

struct hx_bench_program {
    const char *name;
    const char *source; /* in the corpus; NULL: built by ci/bench-programs */
    uint32_t amount;    /* of work for compiled code, about half a second of it */
    uint32_t bare;      /* of work for interpreters, by a module that imports nothing; 0: it has none */
    const char *optimisation;
    uint64_t seeds[8]; /* of Csmith, one build each; 0 ends them */
};

#define HX_BENCH_PROGRAMS 5
extern const struct hx_bench_program hx_bench_programs[HX_BENCH_PROGRAMS];

/* One folder with program.wasm, native-O0 and native-O2, each of which takes the amount as its argument, and
 * for programs with `bare` also bare.wasm and idle.wasm, which export `run` and do that amount or none. */
struct hx_bench_build {
    char folder[256];
    uint64_t seed; /* of a Csmith program */
};

enum { HX_BENCH_BUILDS = 8 };
struct hx_bench_built {
    const struct hx_bench_program *program;
    struct hx_bench_build builds[HX_BENCH_BUILDS];
    size_t count;
    uint32_t amount;
};

/* Builds a program, all of its parts. RT_USAGE when its sources or a tool are not there: the message says how
 * to get them. */
RT_MUST_USE struct rt_error *hx_bench_build(const struct hx_bench_context *context,
                                            const struct hx_bench_program *program,
                                            struct hx_bench_built *ret);

/* ---- Engines (bench_engines.c) ---- */

/* What a program printed, without its line of seconds, and those. */
struct hx_bench_run {
    struct hx_buffer output;
    double seconds;
};

struct hx_bench_engine {
    const char *name;
    /* Runs one build to its end; adds to `ret`. */
    struct rt_error *(*run)(const struct hx_bench_engine *engine, const struct hx_bench_context *context,
                            const struct hx_bench_build *build, uint32_t amount, struct hx_bench_run *ret);
    enum rt_engine engine; /* lockstep */
    bool sites;            /* lockstep: probe sites at all statements */
    const char *file;      /* native: the executable */
    bool needs_node, needs_wasm_interp;
};

#define HX_BENCH_COMPILED 5
/* Those that run programs at full length: ours first, then ours with sites, then Node. */
extern const struct hx_bench_engine hx_bench_compiled[HX_BENCH_COMPILED];
#define HX_BENCH_INTERPRETED 3
/* Those that run modules without imports: our interpreter first, then wasm-interp. */
extern const struct hx_bench_engine hx_bench_interpreted[HX_BENCH_INTERPRETED];

bool hx_bench_engine_available(const struct hx_bench_engine *engine, const struct hx_bench_context *context);
/* Runs all builds of a program. */
RT_MUST_USE struct rt_error *hx_bench_run(const struct hx_bench_engine *engine,
                                          const struct hx_bench_context *context,
                                          const struct hx_bench_built *built, struct hx_bench_run *ret);

/* ---- Start-up (bench_start.c) ---- */

/* A module to load: its bytes without custom sections, and the whole file, which has its line table. */
struct hx_bench_module {
    char name[64], path[512];
    size_t size; /* without custom sections */
    bool has_lines;
    /* Seconds a whole module: each of our parts, Node with all of its threads and with one. */
    struct hx_samples decode, validate, compile, compile_sites, node, node_single;
    double wasm2c[3]; /* the C text, then clang -O0 -c and -O2 -c; negative: not measured */
    size_t code, metadata, metadata_sites, sites; /* bytes; sites in number */
};

/* Writes the module without custom sections into the folder and fills in what the name and file tell. */
RT_MUST_USE struct rt_error *hx_bench_module_open(const char *name, const char *file,
                                                  const struct hx_bench_context *context,
                                                  struct hx_bench_module *ret);
/* One round: every engine once, but for wasm2c. */
RT_MUST_USE struct rt_error *hx_bench_module_measure(struct hx_bench_module *module,
                                                     const struct hx_bench_context *context);
/* What wasm2c and Clang take; once, for it takes long. */
RT_MUST_USE struct rt_error *hx_bench_module_translate(struct hx_bench_module *module,
                                                       const struct hx_bench_context *context);

#endif
