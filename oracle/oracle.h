/* The oracle: runs two debuggees from stop to stop and compares what a debugger's user would see. This is its
 * public header.
 *
 * It compares at anchors: (function, line) pairs that the line tables of both witnesses mark as statements.
 * Within a frame, consecutive hits of one line are one stop. It knows no compiler and starts no program: the
 * harness hands it two suspended sessions. */
#ifndef LOCKSTEP_ORACLE_H
#define LOCKSTEP_ORACLE_H

#include "stepper/stepper.h"

/* One debuggee of a comparison. The session has not run yet and has no probes. */
struct or_witness {
    const char *name; /* "native", "wasm" */
    struct st_session *session;
};

enum or_kind { /* of a finding; the words are in or_kind_name */
               OR_LOCATION,
               OR_LINE_MISSING,
               OR_STACK,
               OR_SCOPE,
               OR_TYPE,
               OR_VALUE,
               OR_OPTIMIZED_OUT,
               OR_IRRETRIEVABLE,
               OR_OUTPUT, /* what was printed and how it ended, which the harness compares */
               OR_KIND_COUNT,
};
const char *or_kind_name(enum or_kind kind);

enum or_verdict { OR_AGREE, OR_DIFFER, OR_TIMEOUT };

/* A place in the program, as a debugger's user is shown it. */
struct or_spot {
    const char *function, *file; /* the file without its folders */
    uint32_t line, column;       /* line 0: the pc belongs to no line in particular; column 0: none */
    uint32_t depth;              /* frames from main, which is 1 */
    uint64_t pc;
};

/* Most frames of a finding's call stack, and stops of one side before and after it, that are kept. */
enum { OR_STACK_FRAMES = 32, OR_TRAIL_BEFORE = 6, OR_TRAIL_AFTER = 8 };

/* What one witness shows at a finding. Strings live in the report. */
struct or_testimony {
    const char *name;  /* the witness's */
    const char *value; /* as a debugger prints it; of a location: "function at file:line:column, depth n" */
    const char
        *state; /* instead of a value: "optimized_out", "irretrievable", "absent", "exited"; else NULL */
    const char *reason; /* why irretrievable, else NULL */
    const char *dwarf;  /* the DWARF behind it: "DIE 0x1f2, DW_OP_fbreg -20", "row 0x4f is_stmt"; or NULL */
    const char *words;  /* what its expression says, in English; or NULL */
    const char *function;
    const char *file;
    uint32_t line, column; /* column 0: none */
    uint32_t depth;        /* frames from main, which is 1 */
    uint64_t pc;
    uint64_t hits;    /* how often that pc had been stopped at, this time included; 0: not known */
    uint32_t skipped; /* of a location: stops from this one on that the other witness has not */
    uint64_t die;     /* of the variable, its offset in .debug_info; 0: none */
    /* The call stack, innermost first; an inlined call is a frame of its own. None when it had ended, and for
     * what was found in the line tables alone. */
    struct or_spot *stack;
    size_t stack_count;
    /* Its stops around the finding, in order: stops[stop_at] is the one at the finding, which is not there
     * (stop_at is stop_count) when it had ended. Not all of them are compared stops: after a difference in
     * location one side has more. */
    struct or_spot *stops;
    size_t stop_count, stop_at;
};

struct or_finding {
    enum or_kind kind;
    const char *signature; /* the same in another program that shows the same defect */
    const char *function, *file;
    uint32_t line, column, depth;
    const char *variable; /* with its path, "g_5[2].f1"; NULL when no variable is concerned */
    bool is_global;       /* it is a variable of no function: the same in all of them */
    uint64_t stop;        /* number of the compared stop, from 1 */
    const char *detail;   /* one sentence for people, or NULL */
    struct or_testimony witnesses[2];
    /* Set by or_blame, of more than two witnesses. */
    const struct or_testimony *others; /* of the witnesses after the first two */
    size_t other_count;
    const char *blame;        /* who is wrong: a part's word, "two against two" or "undecided"; else NULL */
    const char *blame_reason; /* in a sentence */
};

/* A line of a function that at least one of two line tables has as a statement. */
struct or_place {
    const char *function, *file; /* the file without its folder */
    uint32_t line;
    bool in[2];      /* which line table has it */
    uint32_t visits; /* stops there that were compared */
};

/* Where the comparison is, for a parent that may have to tell of a crash: in memory that it shares. */
struct or_progress {
    volatile uint64_t stops, values, unchanged;
    volatile uint64_t pc[2];
    volatile uint32_t running; /* 0, 1: that witness runs; 2: the oracle itself */
};

struct or_options {
    uint64_t max_stops;  /* compared stops; 0: no limit */
    uint64_t max_visits; /* an anchor is compared so often, and then passed over; 0: no limit */
    unsigned max_time;   /* milliseconds; 0: no limit */
    unsigned max_idle;   /* milliseconds that a side may run without a stop to compare, ten times as long when
                          * the other has ended; 0: no limit */
    size_t max_findings; /* 0: 100 */
    uint32_t lookahead;  /* stops to look ahead after a location difference; 0: 512 */
    /* The code is unoptimised: locals have storage of their own, and get a fixed pattern at a function's
     * first stop. */
    bool is_unoptimised;
    bool leave_locals; /* they get no pattern all the same: nothing is written into the debuggees */
    /* One compiler made both, so that unoptimised code has a function's statements in one order: its line
     * rows are paired in that order, and a row that does something, on a line that the other side lacks, is a
     * finding of kind line_missing. */
    bool is_one_compiler;
    /* Both run one module, with one debug information or what was made of it: what lies in memory is the same
     * byte by byte, also what nobody has assigned. So nothing is filled, and pointers are equal when they
     * lead to the same offset in memory. What one view cannot evaluate, the other may have given up as
     * optimised out: no difference. The code may be two machines', so it says nothing of rows. */
    bool is_one_module;
    /* Both run the same machine's code, each with debug information of its own, and this is to be compared:
     * rows are paired by their pcs, in optimised code too. A variable that both give up in the same way is no
     * difference, but where one knows other parts of it, or one gives it up as irretrievable and the other as
     * optimised out, it is. It says nothing of memory. */
    bool is_same_code;
    struct or_progress *progress; /* may be NULL */
    /* Runs in the forked child that looks ahead, before it steps: silence what must not be printed twice. */
    void (*in_child)(void *user);
    /* Called before a side runs, so that what it prints can be told from the other's. May be NULL. */
    void (*at_turn)(void *user, int side);
    void *user;
};

/* True when the comparison writes into locals before their first assignment. */
static inline bool or_fills_locals(const struct or_options *options) {
    return options->is_unoptimised && !options->is_one_module && !options->leave_locals;
}

struct or_report {
    enum or_verdict verdict;
    uint64_t stops;     /* compared stops */
    uint64_t repeats;   /* hits of anchors that had been compared max_visits times, on both sides together */
    uint64_t values;    /* scalars decoded and compared on both sides */
    uint64_t unchanged; /* scalars vouched for: their bytes changed on neither side since they last agreed */
    uint64_t
        opaque; /* scalars that have no common meaning (pointers to unnamed storage, unions with pointers) */
    uint64_t optimized_out[2], irretrievable[2]; /* variables so, at stops */
    uint64_t readable[2];                        /* parameters and locals that a side can show, at stops */
    uint64_t same;         /* those that both show, with the same value in all that can be compared */
    uint64_t dropped[2];   /* static variables that the linker left out, as nothing uses them: not compared */
    uint64_t skipped[2];   /* stops that had no partner, after location differences */
    uint64_t lines[2];     /* statement lines of the matched functions in each line table */
    uint64_t anchors;      /* those that both have */
    uint64_t lone_rows[2]; /* rows of each side without a partner on the other (is_unoptimised) */
    bool out_of_stops;     /* max_stops was reached; the rest ran unstepped */
    bool ended[2];         /* the witness ended */
    int status[2];         /* its exit status then */
    const char *error[2];  /* it ended by a trap or a fault: in words, else NULL */
    uint64_t findings_left_out; /* beyond max_findings */
    const struct or_finding *findings;
    size_t finding_count;
    const struct or_place *places;
    size_t place_count;
};

/* The Wasm pcs that or_compare may want probes at, ascending: a module has to be compiled with these as its
 * sites. Its code has all of its statements then, for native debuggers, too. In `arena`. */
RT_MUST_USE struct rt_error *or_sites(const struct rt_module *module, const struct st_debug *debug,
                                      struct rt_arena *arena, const uint32_t **ret, size_t *ret_count);

/* Steps both witnesses to their end (or a limit) and compares them. Differences are no errors: they are in
 * the report. */
RT_MUST_USE struct rt_error *or_compare(const struct or_witness witnesses[2],
                                        const struct or_options *options, struct or_report **ret);
void or_report_destroy(struct or_report *report);

/* ---- More than two witnesses, compared pair by pair: who stands alone ---- */

enum { OR_MAX_WITNESSES = 8 };

/* Something that a witness's testimony rests on: a compiler's debug information, an engine. Witnesses whose
 * parts have the same name rest on the same. */
struct or_part {
    const char *name;  /* in words: "Wasm DWARF of clang-19" */
    const char *blame; /* the word for it in a finding: "wasm" */
};

struct or_account {
    const char *name; /* the witness's */
    const struct or_part *parts;
    size_t part_count;
    /* Its compiler gives lines to code by rules of its own: that it stops elsewhere, or lacks a line, says
     * nothing. That it stops where one witness does and another does not, or has the line, counts. */
    bool has_own_lines;
    /* Its code has no markers of control flow, so that it may stop where the line table that it rests on has
     * lost the place in other code, and its functions' ranges are those of the code: about places and lines,
     * that it is right does not acquit its parts. */
    bool may_find_places;
};

/* One comparison of two of the witnesses. */
struct or_pair_report {
    uint32_t witness[2];
    const char *problem; /* NULL: it was made; else why nothing is known of it */
    bool is_complete;    /* both were stepped to their end; if not, it says nothing behind its last stop */
    bool is_output;      /* their output differs: `findings` is that alone */
    bool is_one_module;  /* as in struct or_options */
    uint64_t stops;
    const struct or_finding *findings; /* ->kind is set */
    size_t finding_count;
    bool has_left_out; /* it had more findings than it kept */
    const struct or_place *places;
    size_t place_count;
};

/* Puts the findings of all pairs together: those about the same thing become one, with each witness's
 * testimony and the blame. A fault in one part makes all witnesses that rest on it wrong, and no other: the
 * blame is the part's when that explains who agrees with whom, and the fault of no other part would blame
 * other witnesses. Two witnesses alone get no blame. In the order of the pairs; the first pair that shows it
 * gives a finding its signature. All in `arena`, but for strings of the pairs. */
RT_MUST_USE struct rt_error *or_blame(const struct or_account *witnesses, uint32_t witness_count,
                                      const struct or_pair_report *pairs, size_t pair_count,
                                      struct rt_arena *arena, struct or_finding **ret, size_t *ret_count);

/* ---- One module in two engines, or a run and its replay ---- */

enum or_engine_kind {
#define OR_ENGINE_KIND(name, word) OR_ENGINE_##name,
#include "oracle/engine_kinds.def"
#undef OR_ENGINE_KIND
};
const char *or_engine_kind_name(enum or_engine_kind kind);

/* One side. The session has not run yet, has no probes and no quantum, and delivers host calls. It is stopped
 * at all sites of its instance's code: where every instruction is one, a difference shows at once. Where it
 * has debug information, a finding names the variable and the line. */
struct or_engine_witness {
    const char *name; /* "compiled", "interp" */
    struct st_session *session;
    struct rt_instance *instance;
};

struct or_engines_options {
    uint64_t max_steps; /* instructions on each side; 0: no limit */
    unsigned max_time;  /* milliseconds; 0: no limit */
    struct or_progress *progress;
    const char *subject; /* the first word of signatures; NULL: "engines" */
    /* Called when a side has come to its next event. The second side goes on after the call for the first
     * one, and both have stopped at the call for the second. An error ends the comparison. May be NULL. */
    struct rt_error *(*at_event)(void *user, uint32_t side, uint64_t step, const struct st_event *event);
    /* What a reference that is not null and no function of the instance denotes: the same number, below 2^63,
     * on both sides when it is the same thing of the host's. NULL: its pointer. */
    uint64_t (*reference)(void *user, uint32_t side, enum rt_type type, const void *reference);
    void *user;
};

struct or_engines_report {
    /* EXHAUSTED: one side's call stack had no room where the other's had; what came before agreed. */
    enum { OR_ENGINES_AGREE, OR_ENGINES_DIFFER, OR_ENGINES_EXHAUSTED } verdict;
    bool is_limited;          /* stopped at a limit, and not at the end */
    uint64_t steps;           /* instructions that both sides executed */
    uint64_t values;          /* locals, operands and globals that were compared */
    uint64_t calls, traps;    /* of the host; that both sides had */
    bool ended;               /* both did */
    int status[2];            /* then */
    const char *error[2];     /* in words, when it ended by an error; else NULL */
    enum or_engine_kind kind; /* of the finding, with DIFFER */
    /* `kind` is not set; `stop` is the instruction's number. Of the instruction executed last: function, and
     * with debug information file, line and column. */
    struct or_finding finding;
};

/* Runs both sides instruction by instruction until they end, differ, or meet a limit, and compares the next
 * pc, the call stack, all operands and locals, and what the last instruction could change: globals, memory,
 * tables. The whole memory is compared after each call of the host, at the end, and now and then. The first
 * difference ends the comparison: it is no error, it is in the report. */
RT_MUST_USE struct rt_error *or_engines_compare(const struct or_engine_witness witnesses[2],
                                                const struct or_engines_options *options,
                                                struct or_engines_report **ret);
void or_engines_report_destroy(struct or_engines_report *report);

/* ---- One binary against itself ---- */

enum or_self_kind {
#define OR_SELF_KIND(name, word) OR_SELF_##name,
#include "oracle/self_kinds.def"
#undef OR_SELF_KIND
};
const char *or_self_kind_name(enum or_self_kind kind);

/* The one witness. The session has not run yet, has no probes, and of a module, code that can be stopped at
 * every instruction. */
struct or_self_witness {
    const char *name; /* "native", "wasm" */
    struct st_session *session;
    struct rt_instance *instance; /* NULL natively */
};

struct or_self_options {
    uint64_t max_steps;           /* instructions; 0: no limit */
    uint64_t max_visits;          /* how often all is looked at, at one instruction; 0: 8 */
    unsigned max_time;            /* milliseconds; 0: no limit */
    size_t max_findings;          /* 0: 100 */
    bool is_unoptimised;          /* the code is: every variable has storage of its own */
    struct or_progress *progress; /* may be NULL */
    /* Runs in the forked child that steps by lines: silence what must not be printed twice. */
    void (*in_child)(void *user);
    void *user;
};

struct or_self_report {
    enum or_verdict verdict; /* OR_AGREE or OR_DIFFER */
    bool is_limited;         /* stopped at a limit, or where it ran out of its code: not at the end */
    uint64_t instructions;   /* in functions with debug information, that were stepped */
    uint64_t stops;          /* of both steppers, at statement rows */
    uint64_t values;         /* variables whose digests both steppers have told */
    uint64_t frames; /* instructions at which the caller's frame was found again by call-frame information */
    uint64_t stores; /* that were looked up among a frame's variables */
    /* What became of the variables that a stop showed, until the next stop of their frame. */
    uint64_t kept, assigned; /* the same place, the same value or another */
    uint64_t carried, moved; /* another place, the same value or another */
    uint64_t nanoseconds;    /* of stepping */
    bool ended;
    int status;
    const char *error; /* it ended by a trap or a fault: in words, else NULL */
    uint64_t findings_left_out;
    const struct or_finding *findings; /* `kind` is not set: `kinds` has it */
    const enum or_self_kind *kinds;
    size_t finding_count;
};

/* Looks at the debug information as such; then runs the debuggee by instructions and, in a forked child, by
 * lines. What must hold is in oracle/README.md. Differences are in the report. */
RT_MUST_USE struct rt_error *or_self_compare(const struct or_self_witness *witness,
                                             const struct or_self_options *options,
                                             struct or_self_report **ret);
void or_self_report_destroy(struct or_self_report *report);

#endif
