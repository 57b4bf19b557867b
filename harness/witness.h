/* Witnesses as the command line names them, "native:gcc" or "wasm:interp": which artifact each is made of,
 * how it is run, and what its testimony rests on. */
#ifndef LOCKSTEP_HARNESS_WITNESS_H
#define LOCKSTEP_HARNESS_WITNESS_H

#include "harness/tools.h"
#include "oracle/oracle.h"

enum hx_witness_kind {
#define HX_WITNESS_KIND(name, word, is_module) HX_WITNESS_##name,
#include "harness/witness_kinds.def"
#undef HX_WITNESS_KIND
    HX_WITNESS_KIND_COUNT,
};

enum { HX_MAX_NAMED = 5, HX_MAX_PARTS = 4 };

struct hx_witness {
    const char *name; /* as it was written */
    enum hx_witness_kind kind;
    enum rt_engine engine;              /* of a module */
    const char *variant;                /* the other compiler that was asked for, or NULL */
    const struct hx_tools *tools;       /* NULL: of a pair that was built elsewhere */
    const struct hx_compiler *compiler; /* NULL as well then */
    const char *folder;                 /* of the other compiler's files, in the program's; NULL: that one */
    const char *artifact;               /* its file, seen from the program's folder */
    struct or_part parts[HX_MAX_PARTS];
    size_t part_count;
};

struct hx_witnesses {
    struct hx_witness items[OR_MAX_WITNESSES];
    size_t count;
    size_t first_count;                         /* that are compared always; the others when these differ */
    struct hx_tools variants[OR_MAX_WITNESSES]; /* other compilers */
    size_t variant_count;
    struct rt_arena arena;
};

/* How to write one, for --help. */
#define HX_WITNESS_RULE                                                                                      \
    "A witness is native, wasm or jit. native:CC is built by another compiler (native:gcc,\n"                \
    "native:clang-14), and so is wasm:CC; wasm:interp is the module in the interpreter. jit is the "         \
    "module's\n"                                                                                             \
    "compiled code, stepped as native code through the DWARF that it registers for debuggers."

/* What the options --witness (NULL: not given) and --blame ask for; the functions below in turn. */
RT_MUST_USE struct rt_error *hx_witnesses_create(const char *text, bool blame, enum rt_engine engine,
                                                 const struct hx_tools *tools, const struct hx_temp *temp,
                                                 struct hx_witnesses *ret);
/* What a list of 2 to 5 names means: no tool is looked for. `engine` is that of a plain "wasm". RT_USAGE
 * names the one that is wrong, or there twice. */
RT_MUST_USE struct rt_error *hx_witnesses_parse(const char *text, enum rt_engine engine,
                                                struct hx_witnesses *ret);
/* Adds those of --blame: gcc, another clang on either side, the other engine, and compiled code, of what is
 * installed. */
RT_MUST_USE struct rt_error *hx_witnesses_extend(struct hx_witnesses *witnesses, const struct hx_tools *tools,
                                                 enum rt_engine engine);
/* Finds the other compilers and says where artifacts are. `tools` made the plain ones; NULL for a pair that
 * was built elsewhere, where another compiler is RT_USAGE. */
RT_MUST_USE struct rt_error *hx_witnesses_find(struct hx_witnesses *witnesses, const struct hx_tools *tools,
                                               const struct hx_temp *temp);
void hx_witnesses_clear(struct hx_witnesses *witnesses);

/* Made from a module, and not from a shared object. */
bool hx_witness_is_module(const struct hx_witness *witness);
/* Both are of the same file. */
bool hx_witness_share(const struct hx_witness *a, const struct hx_witness *b);
/* And that file is a module. */
bool hx_witnesses_run_one_module(const struct hx_witness *a, const struct hx_witness *b);

#endif
