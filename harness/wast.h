/* Specification test scripts, as wabt's wast2json converts them: read, run, and what came of it.
 *
 * The files wast_*.c but wast_worker.c are a library of their own (`wast` in CMakeLists.txt) that stands on
 * the runtime, buffer.c and json_read.c alone, so that it can be built where there is no debugger. */
#ifndef LOCKSTEP_HARNESS_WAST_H
#define LOCKSTEP_HARNESS_WAST_H

#include "harness/json.h"
#include "runtime/runtime.h"

/* ---- Values ---- */

/* What a script says of a floating-point number that it does not name bit by bit (the test suite's README).
 */
enum hx_wast_nan {
    HX_WAST_BITS,      /* these bits */
    HX_WAST_CANONICAL, /* a NaN whose payload is its highest bit alone, of either sign */
    HX_WAST_ARITHMETIC /* a NaN whose payload has its highest bit */
};

/* A value, or the pattern of one. Scalars are one lane. */
struct hx_wast_value {
    enum rt_type type;
    uint8_t lane_size; /* bytes */
    bool is_float;
    bool is_any_ref; /* any reference but null */
    union rt_value value;
    uint8_t nans[16]; /* enum hx_wast_nan of each lane; only those of floats are not HX_WAST_BITS */
};

/* {"type", "value"} and {"type": "v128", "lane_type", "value": [...]}. A pattern, which an argument may not
 * be, is RT_MALFORMED unless `is_pattern_allowed`. */
RT_MUST_USE struct rt_error *hx_wast_value_read(const struct hx_json_value *json, bool is_pattern_allowed,
                                                struct hx_wast_value *ret);
bool hx_wast_value_matches(const struct hx_wast_value *pattern, const union rt_value *value);
/* "i32 7", "f32 0x7fc00000 (nan)", "i32x4 1 2 3 4", "nan:canonical". A value is printed in the form of the
 * pattern that it was compared with. */
void hx_wast_value_print(const struct hx_wast_value *pattern, struct hx_buffer *out);
/* A value with the form of `like` when that is of its type, for printing. */
struct hx_wast_value hx_wast_value_of(enum rt_type type, const union rt_value *value,
                                      const struct hx_wast_value *like);

/* ---- Scripts ---- */

enum hx_wast_kind {
#define HX_WAST_COMMAND(name, type) HX_WAST_##name,
#include "harness/wast_commands.def"
#undef HX_WAST_COMMAND
    HX_WAST_KIND_COUNT,
};
const char *hx_wast_kind_name(enum hx_wast_kind kind);

struct hx_wast_name { /* terminated; may hold zeros */
    const char *bytes;
    size_t size;
};

struct hx_wast_action {
    bool is_get;                /* of a global, else a call */
    struct hx_wast_name module; /* "$M"; bytes NULL: the last one */
    struct hx_wast_name field;
    const struct hx_wast_value *args;
    size_t arg_count;
};

struct hx_wast_command {
    enum hx_wast_kind kind;
    uint32_t line;
    const char *path;             /* of a module's file, else NULL */
    bool is_text;                 /* which is in text form */
    struct hx_wast_name name;     /* of a module; the module that is registered */
    struct hx_wast_name as;       /* what importers call it from now on */
    const char *text;             /* the message that is expected, else NULL */
    struct hx_wast_action action; /* field.bytes is NULL when there is none */
    const struct hx_wast_value *expected;
    size_t expected_count;
    bool is_either; /* one of them, instead of all */
};

struct hx_wast_script {
    struct rt_arena arena;
    const char *source; /* the .wast file that it was made from, as wast2json was told; else the path */
    const struct hx_wast_command *commands;
    size_t command_count;
};

/* Reads a converted script; modules are looked for beside it. Errors name the path and the line. Clear it in
 * any case. */
RT_MUST_USE struct rt_error *hx_wast_script_read(const char *path, struct hx_wast_script *ret);
void hx_wast_script_clear(struct hx_wast_script *script);

/* ---- Runs ---- */

/* So many remarks are kept of a script, and at most half of them for words. */
enum { HX_WAST_REMARKS = 50 };

struct hx_wast_remark {
    uint32_t line;
    enum hx_wast_kind kind;
    bool is_words; /* right, in other words than the script's; else a failure */
    char text[400];
};

struct hx_wast_counts {
    uint32_t passed, failed, left_out;
};

/* What came of a script. It has no pointers, so that it can be in memory that processes share, and is good
 * after each command: of a run that ended early too. */
struct hx_wast_report {
    struct hx_wast_counts counts[HX_WAST_KIND_COUNT];
    uint32_t words;             /* passed, with a message in other words than the script's */
    volatile uint32_t position; /* the command that is being run, from 1 */
    bool is_finished;
    uint32_t remark_count; /* that are kept: there may have been more */
    struct hx_wast_remark remarks[HX_WAST_REMARKS];
};

struct hx_wast_counts hx_wast_total(const struct hx_wast_report *report);
/* A failed command, or one right in other words. The text is shortened to fit. */
void hx_wast_remark(struct hx_wast_report *report, const struct hx_wast_command *command, bool is_words,
                    const char *text);

/* Runs all commands in one store; a failed one does not end the script. `report` is all zero before. An error
 * is that of a run that could not begin. */
RT_MUST_USE struct rt_error *hx_wast_run(const struct hx_wast_script *script,
                                         const struct rt_compile_options *options,
                                         struct hx_wast_report *report);

/* The same in a process of its own: a script that crashes it, or has a command without end within `limit`
 * milliseconds (0: no limit), is a report with that command failed. RT_EXIT when the user interrupts. */
RT_MUST_USE struct rt_error *hx_wast_run_apart(const struct hx_wast_script *script,
                                               const struct rt_compile_options *options, uint64_t limit,
                                               struct hx_wast_report *ret);

/* ---- The module "spectest" ---- */

/* What scripts import from the host: the print functions, which discard, one global a numeric type, a table
 * and a memory. All are the store's. */
struct hx_wast_spectest {
    struct hx_wast_spectest_item {
        const char *name;
        struct rt_extern item;
    } items[16];
    size_t count;
};
RT_MUST_USE struct rt_error *hx_wast_spectest_create(struct rt_store *store, struct hx_wast_spectest *ret);
bool hx_wast_spectest_export(const struct hx_wast_spectest *spectest, const char *name, size_t size,
                             struct rt_extern *ret);

#endif
