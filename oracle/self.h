/* One binary against itself: what the parts share (private to oracle/).
 *
 * self_sites.c lists all instructions; self_shape.c looks at the debug information as such; self_frame.c
 * keeps the live frames and judges call-frame information; self_variables.c looks at variables at a stop, and
 * self_place.c judges where they are; self_report.c collects findings; self.c is the loop over both steppers.
 */
#ifndef LOCKSTEP_ORACLE_SELF_H
#define LOCKSTEP_ORACLE_SELF_H

#include "oracle/compare.h"

#define OR_NO_SITE UINT32_MAX

/* ---- self_sites.c: all instructions of functions with debug information ---- */

struct or_self_variable {
    const struct st_variable *variable;
    const struct st_scope *scope; /* that declares it */
    uint32_t scope_first, scope_end;
    uint64_t size;
    bool is_slot;         /* one expression, DW_OP_fbreg alone: it has one place in its frame */
    bool is_operand;      /* somewhere it is on WebAssembly's operand stack */
    bool is_constant;     /* const-qualified, and no volatile, and small enough to be kept */
    bool may_be_returned; /* a local aggregate of the function's return type */
};

/* What is known of one function; scopes are numbered in depth-first order, so that a scope's descendants are
 * a range. */
struct or_self_function {
    const struct st_function *function;
    struct or_self_variable *variables; /* not static; of all its scopes */
    size_t variable_count;
};

struct or_self_site {
    uint64_t pc;
    struct st_instruction_info instruction;
    uint32_t function; /* index in or_self.functions */
    uint32_t scope;    /* number of the innermost one */
    uint32_t visits;
    const struct st_row *row; /* the statement row that is at this pc, else NULL */
    const struct st_row *in;  /* the row in force; NULL: none */
    bool is_entry, is_body;
    bool is_last;    /* no instruction of its function follows it */
    bool is_settled; /* behind the prologue, and not between an epilogue's begin and its return */
};

struct or_self;

RT_MUST_USE struct rt_error *or_self_list_sites(struct or_self *self);
/* The site at a pc, or NULL. */
struct or_self_site *or_self_site_at(const struct or_self *self, uint64_t pc);
static inline bool or_self_is_visible(const struct or_self_variable *variable,
                                      const struct or_self_site *site) {
    return site->scope >= variable->scope_first && site->scope < variable->scope_end;
}

/* ---- self_shape.c: findings that need no run ---- */
void or_self_check_shape(struct or_self *self);

/* ---- self_frame.c ---- */

/* A variable as its frame's last stop showed it. */
struct or_self_shown {
    const struct st_expression *expression;
    const struct st_expression *held; /* the last that found its operand on WebAssembly's stack */
    uint64_t address;                 /* of ST_PLACE_MEMORY */
    uint64_t digest;                  /* of its bytes */
    uint8_t kind;                     /* of the place */
    bool is_known;
    bool is_constant_known; /* `constant` is its value since its initialisation, found at this address */
    uint64_t constant, constant_address;
};

/* A call under way: registers that hold variables and that it need not keep. */
struct or_self_call {
    struct or_self_held {
        uint32_t variable;
        const struct st_expression *expression;
        uint64_t value;
    } held[16];
    size_t count;
};

enum { OR_SAVED_COUNT = 6 };

struct or_self_frame {
    uint64_t cfa; /* natively the stack pointer before the call, as the entry's stop had it */
    uint32_t function;
    bool is_whole;                  /* its entry was seen */
    bool has_caller;                /* `saved` and `back` are known */
    uint64_t saved[OR_SAVED_COUNT]; /* the caller's registers that a call keeps */
    uint64_t back;                  /* return address */
    uint64_t stack_pointer;         /* Wasm: __stack_pointer at the entry */
    uint32_t last;                  /* site executed last; OR_NO_SITE at first */
    bool is_filled;
    struct or_self_call call;
    struct or_self_shown *shown; /* by variable */
    size_t shown_room;
};

/* Brings the live frames up to a stop at `site`. Sets self->frame and self->live. */
RT_MUST_USE struct rt_error *or_self_track(struct or_self *self, const struct or_self_site *site);
/* The caller as call-frame information finds it is the one that called. */
RT_MUST_USE struct rt_error *or_self_check_frame(struct or_self *self, const struct or_self_site *site);

/* ---- self_variables.c ---- */

struct or_self_digest {
    const struct st_variable *variable;
    uint64_t digest;
};

/* Digests of what a debugger shows at this stop: variables in scope, and static ones when `with_statics`. */
RT_MUST_USE struct rt_error *or_self_show(struct or_self *self, const struct or_self_site *site,
                                          bool with_statics);
/* Gives locals a known content at a function's first stop behind its prologue. */
void or_self_fill(struct or_self *self, const struct or_self_site *site);
/* A place's bytes: in memory or in the place itself; NULL when it shows none. */
const uint8_t *or_self_bytes(const struct or_self *self, const struct st_place *place, uint64_t size);
uint64_t or_self_hash(const void *bytes, size_t size, uint64_t seed);

/* ---- self_place.c: judges of where variables are, each at a stop at `site` of the live frame ---- */

/* One expression, one place; a const object, one value; and counts what changed since the last stop. */
void or_self_check_shown(struct or_self *self, const struct or_self_site *site);
/* What is said to be on the operand stack is there. */
void or_self_check_operands(struct or_self *self, const struct or_self_site *site);
/* Inside of the frame, and apart from each other. */
void or_self_check_slots(struct or_self *self, const struct or_self_site *site);
/* What the instruction at the site will write is one variable, which is in scope. */
void or_self_check_store(struct or_self *self, const struct or_self_site *site);
/* At the return of a call: registers that it does not keep. `or_self_note_call` is for the stop before it. */
void or_self_note_call(struct or_self *self, const struct or_self_site *site);
void or_self_check_return(struct or_self *self, const struct or_self_site *site);

/* ---- self_report.c ---- */

struct or_self_full_report { /* `public` first: a report is destroyed through it */
    struct or_self_report public;
    struct rt_arena arena;
    struct or_finding *findings;
    enum or_self_kind *kinds;
    size_t capacity;
};

/* Where a finding is, and what it is about. */
struct or_self_place {
    uint64_t pc;
    const struct st_function *function; /* may be NULL */
    const struct st_row *row;           /* may be NULL */
    const struct st_variable *variable; /* may be NULL */
    const struct st_expression *expression;
};

/* Adds a finding unless one of its kind, function and variable (without one: and line) is there. `shape` ends
 * the signature when there is no variable. `said` and `is` are what the debug information says and what the
 * run shows; in the report's arena. */
void or_self_report(struct or_self *self, enum or_self_kind kind, const struct or_self_place *place,
                    const char *shape, const char *detail, const char *said, const char *is);
/* A place at a site. */
struct or_self_place or_self_at(const struct or_self *self, const struct or_self_site *site,
                                const struct st_variable *variable, const struct st_expression *expression);

/* ---- self.c ---- */

struct or_self {
    const char *name;
    struct st_session *session;
    struct rt_instance *instance;
    const struct st_debug *debug;
    struct or_self_options options;
    uint32_t stack_pointer; /* Wasm: index of the global; UINT32_MAX when it has none of that kind */
    bool is_child;

    struct or_self_function *functions;
    size_t function_count;
    struct or_self_site *sites; /* ascending by pc */
    size_t site_count, site_room;
    const struct st_variable **statics;
    size_t static_count;

    struct or_self_frame *frames; /* live ones, outermost first */
    size_t depth, frame_room;
    struct or_self_frame *live;   /* the one of the present stop */
    const struct st_frame *frame; /* as the session shows it */
    struct or_layouts layouts;

    struct or_self_digest *digests; /* of the present stop */
    size_t digest_count, digest_room;

    struct or_self_full_report *report;
};

#endif
