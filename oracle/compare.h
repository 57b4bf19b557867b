/* What the oracle's parts share (private to oracle/).
 *
 * match.c and pair.c find the anchors; witness.c drives one side to its next stop; align.c brings two sides
 * together again; scope.c, watch.c, layout.c and value.c compare what is visible there; report.c collects the
 * findings, trail.c the stops around them; compare.c is the loop. */
#ifndef LOCKSTEP_ORACLE_COMPARE_H
#define LOCKSTEP_ORACLE_COMPARE_H

#include "oracle/words.h"

enum { OR_NATIVE = 0, OR_WASM = 1, OR_MAX_INLINE = 8 };

/* ---- match.c: anchors ---- */

/* A (function, file, line) that at least one line table has as a statement. */
struct or_key {
    const char *function, *file; /* logical function (inlined ones count), file without its folder */
    uint32_t line;
    bool in[2];        /* which side has it */
    bool is_exhausted; /* compared (a function: entered) as often as wanted: hits no longer count */
    uint32_t visits;   /* how often that was so far; a function's are counted on the first side */
};

/* A pc where a side may have to stop. */
struct or_point {
    uint64_t pc;
    uint32_t key;                       /* of an anchor; OR_NO_KEY when it is none */
    uint32_t group;                     /* the key of its function as a whole (line 0) */
    bool is_entry;                      /* a function's first pc */
    bool is_body;                       /* the first pc after its prologue */
    const struct st_row *row;           /* of an anchor */
    const struct st_function *function; /* that holds the pc */
    const struct st_scope *scope;       /* innermost at the pc */
    uint8_t inline_depth;               /* inlined calls between `function` and the scope's own function */
    uint64_t hits;                      /* while there is a probe */
};
#define OR_NO_KEY UINT32_MAX

struct or_match {
    struct st_session *sessions[2];
    /* Both run one module: rows over markers of control flow, which compiled code does not have, stand for
     * what follows them, in the module's view as well. */
    bool is_one_module;
    struct or_key *keys;
    size_t key_count;
    struct or_point *points[2]; /* ascending by pc */
    size_t point_count[2];
    struct or_lone *lone; /* rows without a partner */
    size_t lone_count;
};

struct or_lone {
    int side; /* that has the row */
    struct or_point point;
    uint32_t key;
    bool is_idle; /* its code only jumps or moves values about */
};

/* Where the code is unoptimised, or the same, rows are paired: see struct or_options. */
struct rt_error *or_match_build(struct or_match *match, const struct st_debug *const debug[2],
                                const struct or_options *options, struct rt_arena *arena);
/* pair.c: pairs the statement rows of each function in order, and takes their keys from those that are left
 * alone. */
struct rt_error *or_pair_rows(struct or_match *match, const struct st_debug *const debug[2],
                              bool is_same_code, struct rt_arena *arena);
/* The name of the function that a scope belongs to as a debugger says it: an inlined one's, or the function's
 * own. */
const char *or_logical_function(const struct st_scope *scope);
/* The function with the same name, file and line in `other`; NULL when there is none. */
const struct st_function *or_partner(const struct st_debug *debug, const struct st_function *function,
                                     const struct st_debug *other);
/* The same name, declaration line, and both or none a parameter. */
bool or_is_same_variable(const struct st_variable *a, const struct st_variable *b);
/* A path without its folders. */
const char *or_base_name(const char *path);

/* ---- trail.c: each side's stops around a finding ---- */

struct or_trail {
    struct or_recent {
        const struct or_point *point;
        uint32_t depth;
    } recent[OR_TRAIL_BEFORE + 1];
    uint64_t count; /* of all stops; the last ones are in `recent`, round and round */
};

struct or_comparison;
struct or_side;

/* Notes the present stop of a side, also in the findings that still want stops that come after them. */
void or_trail_note(struct or_comparison *comparison, struct or_side *side);
/* Gives a new finding's testimony the side's last stops, and its call stack. */
void or_trail_begin(struct or_comparison *comparison, int side, struct or_testimony *testimony);

/* ---- witness.c: one side ---- */

struct or_live_frame { /* an activation that has been entered and not left */
    uint64_t cfa;
    const struct st_function *function;
    uint64_t serial;              /* never used twice on one side */
    uint32_t last[OR_MAX_INLINE]; /* key of the last stop, by inline depth */
    bool is_filled;
};

/* The locals of a function that are filled at its first stop: those that both sides call locals. */
struct or_filling {
    const struct st_variable **variables; /* NULL: not listed yet */
    size_t count;
    bool is_checked; /* those whose storage would be another variable's are left out */
};

struct or_side {
    const char *name;
    struct st_session *session;
    const struct st_debug *debug;
    struct or_point *points;
    struct st_probe *probes;
    size_t probe_count;
    uint64_t idle_hits;           /* of exhausted anchors since the probes were set */
    uint64_t started;             /* when it was let run last, monotonic nanoseconds */
    struct or_live_frame *frames; /* outermost first */
    size_t depth, capacity;
    uint64_t serial;
    bool fill_locals;
    struct or_filling *fillings; /* by function's index; made when the first is filled */
    uint64_t pointer_base;       /* what pointers smaller than addresses are counted from */
    unsigned address_size;
    /* the present stop */
    const struct or_point *point;
    const struct st_frame *frame;
    bool has_ended, is_late; /* late: the deadline passed while it ran */
    int status;
    const char *error;
    struct or_trail trail;
};

/* ---- fill.c: a known content for locals before their first assignment ---- */

/* Writes the fill byte over the automatic variables of the function that the side has just entered. */
struct rt_error *or_fill_locals(struct or_comparison *comparison, struct or_side *side,
                                const struct st_function *function);
/* The byte that locals hold before their first assignment. */
enum { OR_FILL_BYTE = 0xa5 };

/* Sets probes at all points that still matter. */
struct rt_error *or_side_set_probes(struct or_comparison *comparison, struct or_side *side);
/* Runs a side to its next stop; sets point and frame, or has_ended, or is_late. */
struct rt_error *or_side_advance(struct or_comparison *comparison, struct or_side *side);
/* Takes all probes away and runs to the end. */
struct rt_error *or_side_finish(struct or_comparison *comparison, struct or_side *side);
void or_side_clear(struct or_side *side);

/* ---- layout.c: two types as one list of scalars ---- */

enum or_class { OR_SIGNED, OR_UNSIGNED, OR_BOOLEAN, OR_FLOAT, OR_POINTER, OR_ENUMERATION, OR_OPAQUE };

struct or_leaf {
    uint32_t offset[2];            /* bytes from the object's start */
    uint8_t size[2];               /* bytes that hold it */
    uint8_t shift[2];              /* of a bit-field: its lowest bit in those bytes */
    uint8_t bits;                  /* of a bit-field, else 0 */
    uint8_t class;                 /* enum or_class */
    const struct st_type *type[2]; /* stripped */
};

struct or_layout {
    const struct st_type *type[2];
    uint64_t size[2];
    struct or_leaf *leaves;
    size_t leaf_count;
    const char *mismatch; /* why the types are not of one kind, or NULL */
    bool is_identical;    /* every leaf has the same place on both sides */
    struct or_layout *next;
};

/* Most scalars of one variable that are looked at; the rest of a larger one is left out. */
enum { OR_MAX_LEAVES = 1 << 16 };

struct or_layouts { /* all layouts so far, by the pair of types */
    struct or_layout *buckets[256];
};
struct rt_error *or_layout_get(struct or_layouts *layouts, struct rt_arena *arena, const struct st_type *a,
                               const struct st_type *b, const struct or_layout **ret);
/* "[2].f1" of a leaf; "" of a scalar. */
const char *or_layout_path(const struct or_layout *layout, size_t leaf, struct rt_arena *arena);
/* The offset on the other side of a native offset (one past the end included); false when nothing is there.
 */
bool or_layout_map(const struct or_layout *layout, uint64_t native, uint64_t *ret);

/* ---- value.c: scalars ---- */

/* A leaf's bits from an object's bytes, zero-extended. */
uint64_t or_leaf_bits(const struct or_leaf *leaf, int side, const uint8_t *object);
enum or_outcome { OR_EQUAL, OR_WRONG, OR_UNKNOWABLE };
enum or_outcome or_leaf_compare(struct or_comparison *comparison, const struct or_leaf *leaf, uint64_t native,
                                uint64_t wasm);
const char *or_leaf_print(struct or_comparison *comparison, const struct or_leaf *leaf, int side,
                          uint64_t bits);

/* ---- variables, in frames (scope.c) and in static storage (watch.c) ---- */

struct or_variable { /* one variable as both sides have it */
    const struct st_variable *side[2];
    const struct or_layout *layout;
    size_t shadow;     /* offset of its two copies in a frame's shadow; native first */
    const char *owner; /* function that declares it, NULL for a global */
};

struct or_copy {         /* what a variable was when it was last compared */
    uint64_t address[2]; /* OR_NO_ADDRESS when it was not in memory */
    uint64_t size[2];    /* of its storage there: less than the type's for a pointer made of a smaller one */
    uint8_t *bytes[2];
    uint32_t opaque; /* leaves that could not be compared then */
    bool is_known;   /* address and bytes are set */
    bool has_agreed;
};

/* value.c: the value of a whole variable from its bytes; of an aggregate, its first scalars with their paths,
 * as ".f0 = 1, .f1[0] = 2"; of a pointer, what it points to, or "(address)". "(unassigned)" when it is full
 * of filling, "(available)" when it has no scalars. In the report's arena. */
const char *or_object_print(struct or_comparison *comparison, const struct or_variable *variable, int side,
                            const uint8_t *object);

/* Compares two objects scalar by scalar; those whose bytes equal the copy's on both sides, when it agreed,
 * are counted as unchanged. Updates the copy. */
void or_compare_object(struct or_comparison *comparison, const struct or_variable *variable,
                       struct or_copy *copy, const uint8_t *const object[2], const uint64_t address[2],
                       const struct st_place place[2]);

#define OR_NO_ADDRESS (UINT64_MAX - UINT32_MAX)

/* Two variables that are there at the same time: reports when one side shows both in the same storage and the
 * other does not. */
void or_compare_storage(struct or_comparison *comparison, const struct or_variable *const variables[2],
                        const struct or_copy *const copies[2]);

/* Where a variable is on both sides, with its bytes in place; reports what one side cannot show. False: no
 * values. */
bool or_place_variable(struct or_comparison *comparison, const struct or_variable *variable,
                       struct st_place place[2], const uint8_t *object[2]);
/* The memory that an object of `size` bytes, found there, takes: its own, or that of the smaller pointer
 * which it is made of. 0: it is in none. */
uint64_t or_place_storage(const struct st_place *place, uint64_t size, uint64_t *ret_address);

struct or_function_plan { /* all variable pairs met so far in one pair of functions */
    const struct st_function *function[2];
    struct or_variable *variables;
    size_t variable_count, capacity;
    size_t shadow_size;
    struct or_function_plan *next;
};

struct or_scope_plan { /* what is visible in one pair of scopes: indices into the function plan */
    const struct st_scope *scope[2];
    struct or_function_plan *function;
    uint32_t *variables;
    size_t variable_count;
    bool is_storage_checked;
    struct or_scope_plan *next;
};

struct or_frame_pair { /* one activation on both sides, with the copies of its variables */
    uint64_t serial[2];
    struct or_function_plan *plan;
    struct or_copy *copies;
    size_t copy_count;
    uint8_t *shadow;
    size_t shadow_capacity;
};

struct rt_error *or_compare_scopes(struct or_comparison *comparison);

struct or_watched { /* a variable at a fixed address on both sides */
    struct or_variable variable;
    struct or_copy copy;
    bool is_dirty;
};

struct or_extent { /* a run of static storage of one side that is watched as a whole */
    uint64_t address;
    size_t size;
    uint8_t *shadow;
};

struct or_watch {
    struct or_watched *items;
    size_t item_count;
    struct or_watched
        *loose; /* those that a side has not in memory, in unoptimised code: placed at each stop */
    size_t loose_count;
    uint64_t scalars;        /* leaves of all items */
    uint64_t vouched;        /* leaves of the items that agreed when last looked at */
    uint32_t *by_address[2]; /* item indices, ascending by that side's address */
    struct or_extent *extents[2];
    size_t extent_count[2];
    uint32_t *dirty;
    size_t dirty_count;
    bool is_ready;
};

/* Pairs the globals and static locals of both sides; reports those that one side lacks. */
struct rt_error *or_watch_build(struct or_comparison *comparison);
struct rt_error *or_compare_watched(struct or_comparison *comparison);

struct rt_error *or_compare_stacks(struct or_comparison *comparison);
/* A side's call stack at its present stop, innermost frame first; at most OR_STACK_FRAMES. In the report's
 * arena; empty when memory is at its end or the stack cannot be unwound. */
size_t or_stack_places(struct or_comparison *comparison, int side, struct or_spot **ret);

/* ---- align.c ---- */

/* At a location difference: looks ahead in a forked child and runs both sides to their nearest common stop.
 */
struct rt_error *or_align(struct or_comparison *comparison, uint32_t skipped[2]);

struct or_seen { /* a stop ahead */
    uint32_t key, depth;
};

struct or_ahead { /* shared with the child */
    uint32_t limit;
    volatile uint32_t count[2];
    struct or_seen
        stops[]; /* `limit` of the native side, from the present one on, then `limit` of the other */
};

/* The common stop with the fewest stops left out before it on both sides together; ones that the following
 * stops confirm come first. False when none is in sight. */
bool or_find_common(struct or_ahead *ahead, uint32_t ret[2]);

/* ---- report.c ---- */

struct or_full_report { /* `public` first: a report is destroyed through it */
    struct or_report public;
    struct rt_arena arena;
    struct or_finding *findings;
    size_t capacity;
    struct or_deferred { /* reported in the end, unless there is a finding of one of both variables */
        struct or_finding finding;
        const char *other;
    } deferred[32];
    size_t deferred_count;
    size_t first_open; /* findings before this one have all of their stops */
};

/* Adds a finding at the present stop unless one of the same kind, function, variable and (for places) line is
 * there. Returns it for its testimonies to be filled, or NULL. Strings are copied. */
struct or_finding *or_report_add(struct or_comparison *comparison, enum or_kind kind, const char *variable,
                                 const char *shape, const char *detail);
/* The same, for or_report_deferred: what only counts where nothing says more of this variable or of `other`.
 */
struct or_finding *or_report_defer(struct or_comparison *comparison, enum or_kind kind, const char *variable,
                                   const char *other, const char *shape, const char *detail);
void or_report_deferred(struct or_comparison *comparison);
/* One finding a shape for the rows that have no partner. */
void or_report_lone_rows(struct or_comparison *comparison);
/* Sets a testimony's DWARF: "DIE 0x1f2: DW_OP_fbreg -20". `expression` NULL: the variable's only one. */
void or_testify_dwarf(struct or_comparison *comparison, struct or_testimony *testimony,
                      const struct st_variable *variable, const struct st_expression *expression);
/* The operations of an expression without their operands, for signatures, up to the first piece of an object
 * in pieces: programs differ in how many. In the arena. */
const char *or_expression_shape(const struct st_expression *expression, struct rt_arena *arena);
/* The same of a place's expression. */
const char *or_dwarf_shape(struct or_comparison *comparison, const struct st_variable *variable,
                           const struct st_place *place);

/* ---- compare.c ---- */

struct or_comparison {
    struct or_options options;
    struct or_side sides[2];
    struct or_match match;
    struct or_layouts layouts;
    struct or_function_plan *function_plans[256];
    struct or_scope_plan *scope_plans[256];
    struct or_frame_pair *pairs; /* by depth, outermost first */
    size_t pair_count, pair_capacity;
    struct or_watch watch;
    struct or_full_report *report;
    struct rt_arena scratch; /* emptied at every stop that prints something */
    bool is_child; /* it looks ahead, in a forked child: code is shared with the parent, and stays as it is */
    uint32_t tired[8]; /* groups that have become exhausted since the last compared stop */
    size_t tired_count;
    uint64_t deadline; /* monotonic nanoseconds; 0: none */
};

uint64_t or_now(void);
/* The present stop of a side as "main at a.c:12:3, depth 1". In the report's arena. */
const char *or_stop_words(struct or_comparison *comparison, int side);

#endif
