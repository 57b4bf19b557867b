/* The stepper: a programmatic debugger for native images and Wasm modules alike. This is its public header.
 *
 * A debuggee runs on a stack of its own inside this process. A probe or a fault makes it call into the
 * stepper as if it had called a function; the stepper switches back to the driver, which sees an event and
 * looks around: frames, scopes, variables, memory. `st_session_next` switches to the debuggee again.
 *
 * Addresses: a *pc* is an address as the debuggee's DWARF has it (native: link-time virtual address; Wasm:
 * Wasm pc; registered code: machine pc). A *debuggee address* names data: native, a real address of this
 * process; Wasm, an offset into linear memory. */
#ifndef LOCKSTEP_STEPPER_H
#define LOCKSTEP_STEPPER_H

#include "runtime/runtime.h"

/* ---- Debug information: a read-only model of one image's DWARF (versions 4 and 5) ---- */

struct st_debug;

struct st_range {
    uint64_t low, high; /* pcs, [low, high) */
};

enum st_type_kind {
    ST_TYPE_VOID,
    ST_TYPE_BASE, /* encoding is one of DW_ATE_* */
    ST_TYPE_POINTER,
    ST_TYPE_STRUCT, /* classes too */
    ST_TYPE_UNION,
    ST_TYPE_ARRAY, /* one dimension; an array of arrays nests */
    ST_TYPE_ENUM,
    ST_TYPE_FUNCTION,
    ST_TYPE_TYPEDEF, /* from here on: `target` is what it stands for */
    ST_TYPE_CONST,
    ST_TYPE_VOLATILE,
    ST_TYPE_RESTRICT,
    ST_TYPE_ATOMIC,
    ST_TYPE_OTHER, /* a tag that C has not */
};

struct st_member {
    const char *name; /* NULL when anonymous */
    const struct st_type *type;
    uint64_t bit_offset; /* from the start of the structure */
    uint32_t bit_size;   /* of a bit-field, else 0 */
    uint32_t line;
};

struct st_enumerator {
    const char *name;
    int64_t value;
};

struct st_type {
    enum st_type_kind kind;
    uint8_t encoding;             /* of a base type, DW_ATE_* */
    bool is_complete;             /* false: a declaration, or an array without bounds */
    const char *name;             /* NULL when it has none */
    uint64_t size;                /* bytes; of a typedef or a qualified type: its target's */
    uint64_t count;               /* elements of an array */
    const struct st_type *target; /* pointee, element, underlying or return type; NULL is void */
    const struct st_member *members;
    const struct st_enumerator *enumerators;
    size_t member_count; /* members or enumerators */
    uint64_t die;        /* offset in .debug_info */
};

/* Without typedefs and qualifiers; NULL (void) stays NULL. */
const struct st_type *st_type_strip(const struct st_type *type);

/* One DWARF expression, valid in a range. */
struct st_expression {
    struct st_range range; /* {0, UINT64_MAX} when it always holds */
    const uint8_t *bytes;
    size_t size; /* 0: optimised out */
    const struct st_unit *unit;
};

struct st_location {
    enum { ST_LOCATION_NONE, ST_LOCATION_EXPRESSIONS, ST_LOCATION_CONSTANT, ST_LOCATION_BROKEN } kind;
    const struct st_expression *expressions; /* one, or a location list's entries */
    size_t count;
    const uint8_t *constant; /* DW_AT_const_value, in the variable's own size, little endian */
    size_t constant_size;
    const char *reason; /* of ST_LOCATION_BROKEN: why the attribute cannot be read */
};

struct st_variable {
    const char *name; /* never NULL; "" when it has none */
    uint32_t file;    /* index for st_debug_file */
    uint32_t line;    /* declaration line */
    bool is_parameter, is_artificial, is_external;
    bool is_static;  /* storage at a fixed address: a global, or a static local */
    bool is_dropped; /* it was static, and the linker left it out: its address is a tombstone; it has no
                        location */
    const struct st_type *type;
    struct st_location location;
    uint64_t die;
};

struct st_scope {
    enum { ST_SCOPE_FUNCTION, ST_SCOPE_BLOCK, ST_SCOPE_INLINED } kind;
    const struct st_scope *parent;
    const struct st_function *function; /* the one that holds it; for ST_SCOPE_INLINED see `inlined` */
    const char *inlined;                /* name of an inlined function, else NULL */
    uint32_t call_file, call_line;      /* of an inlined function */
    const struct st_range *ranges;
    size_t range_count;
    const struct st_variable *variables; /* in declaration order, parameters first */
    size_t variable_count;
    const struct st_scope *children;
    size_t child_count;
    uint64_t die;
};

struct st_function {
    const char *name;         /* never NULL */
    const char *linkage_name; /* or NULL */
    uint32_t file, line;      /* declaration */
    bool is_external;
    struct st_scope scope; /* its ranges are the function's */
    uint64_t low;          /* entry pc */
    uint64_t entry;        /* first instruction: native, low; Wasm, behind the declarations of its locals */
    uint64_t body; /* first pc after the prologue: the prologue_end row, else the second line's first row,
                      else low */
    struct st_location frame_base;
    const struct st_type *type; /* return type; NULL is void */
    uint64_t die;
    size_t index; /* in st_debug_functions */
};

struct st_row {
    uint64_t pc;
    uint32_t file, line, column;
    bool is_stmt, prologue_end, epilogue_begin, end_sequence;
    uint32_t sequence; /* rows of one sequence have the same number */
};

/* Reads an ELF image's DWARF. RT_USAGE "... has no debug information: compile it with -g" when there is none.
 */
RT_MUST_USE struct rt_error *st_debug_open_elf(const char *path, struct st_debug **ret);
/* The same of an ELF file in memory, which is copied; `label` is what messages call it. */
RT_MUST_USE struct rt_error *st_debug_open_memory(const char *label, const uint8_t *bytes, size_t size,
                                                  struct st_debug **ret);
/* Reads a module's DWARF from its custom sections; the module must outlive it. Functions that the linker
 * dropped (their pc is 0 or a tombstone of all ones) are left out. */
RT_MUST_USE struct rt_error *st_debug_open_wasm(const struct rt_module *module, struct st_debug **ret);
void st_debug_close(struct st_debug *debug);

/* Functions with code, ascending by low. */
const struct st_function *st_debug_functions(const struct st_debug *debug, size_t *count);
const struct st_function *st_debug_function_at(const struct st_debug *debug, uint64_t pc);
const struct st_function *st_debug_function_named(const struct st_debug *debug, const char *name);
/* All line rows, ascending by pc (rows of one pc in the table's order), without sequences of dropped
 * functions. */
const struct st_row *st_debug_rows(const struct st_debug *debug, size_t *count);
/* The row in force at pc; NULL when no sequence covers it. */
const struct st_row *st_debug_row_at(const struct st_debug *debug, uint64_t pc);
/* Unit-level variables with a location or constant, and dropped ones, in order of their units. */
const struct st_variable *st_debug_globals(const struct st_debug *debug, size_t *count);
/* Path of a file as the line table has it, made absolute by its directory and the unit's; never NULL. */
const char *st_debug_file(const struct st_debug *debug, uint32_t file);
/* The innermost scope of `function` at pc (an inlined one counts); never NULL: the function's own scope at
 * least. */
const struct st_scope *st_scope_at(const struct st_function *function, uint64_t pc);
/* An expression's operations, as "DW_OP_fbreg -20" or "DW_OP_WASM_location local 2, DW_OP_stack_value". In
 * the arena. */
const char *st_expression_print(const struct st_expression *expression, struct rt_arena *arena);
/* What it says, in English: "in memory 20 bytes below the frame base", "the value of Wasm local 2"; where no
 * words are known, "computed by" its operations. In the arena. */
const char *st_expression_words(const struct st_expression *expression, struct rt_arena *arena);

/* ---- Sessions ---- */

struct st_session;
struct st_image;

enum st_event_kind {
    ST_STEP,       /* an enabled probe of kind ST_STEP was reached, not yet executed */
    ST_BREAKPOINT, /* the same of kind ST_BREAKPOINT */
    ST_TRAP, /* Wasm: a trap; native: a fault. The whole state is as it was; `next` goes on with the unwinding
              */
    ST_HOST_CALL,   /* a guest is about to call a host function (Wasm, with options.host_calls) */
    ST_HOST_RETURN, /* it returned */
    ST_INTERRUPT,   /* it ran options.quantum without an event */
    ST_EXIT,        /* it ended; `next` must not be called again */
};

struct st_event {
    enum st_event_kind kind;
    uint64_t pc;            /* where, when in the debuggee's own code, else 0 */
    uintptr_t machine;      /* machine pc */
    uint32_t cookie;        /* the probe's */
    int status;             /* ST_EXIT: the exit status */
    int trap;               /* ST_TRAP: enum rt_trap for Wasm, a signal's number for native */
    uint64_t address;       /* ST_TRAP: the faulting debuggee address */
    const char *name;       /* host calls: the function; ST_TRAP: the trap in words */
    struct rt_error *error; /* ST_EXIT by a trap or an error; the session owns it */
};

/* A native shared object, loaded and with its DWARF read. */
RT_MUST_USE struct rt_error *st_image_open(const char *path, struct st_image **ret);
void st_image_close(struct st_image *image);
const struct st_debug *st_image_debug(const struct st_image *image);
/* What is added to a pc or DW_OP_addr to make a real address. */
uintptr_t st_image_bias(const struct st_image *image);

struct st_session_options {
    size_t stack_size; /* bytes; 0 is 8 MiB */
    int argc;          /* native main's arguments; 0 gives it the image's name alone */
    const char *const *argv;
    bool host_calls;  /* deliver ST_HOST_CALL and ST_HOST_RETURN */
    unsigned quantum; /* milliseconds; 0: never interrupt. An interpreted guest is interrupted at sites alone
                       */
    /* Wasm: what to run on the session's stack instead of rt_wasi_run; its status is ST_EXIT's. The stack of
     * a session that is abandoned goes away under it, so it must own nothing. */
    struct rt_error *(*run)(void *user, struct rt_instance *instance, int *ret_status);
    void *run_user;
    /* Registered code: where the guest's memory begins in this process. Pointers that its DWARF has as
     * smaller than the process's are counted from there. 0: from the process's own beginning. */
    uintptr_t memory;
};

/* Calls the image's `main` on a stack of its own. Calls to exit, _exit, _Exit, abort and quick_exit end the
 * session with that status (abort: ST_TRAP SIGABRT first), never the process; so does a fault, with 128 + the
 * signal's number after its ST_TRAP. An image has one session at a time. Host calls are not delivered: an
 * image calls its libraries directly. Signal handlers are taken over here (again, if somebody took them
 * since); a debuggee that installs its own for a fault's signal gets the stepper's faults, too. A session is
 * driven by the thread that first calls `next`. */
RT_MUST_USE struct rt_error *st_session_create_native(struct st_image *image,
                                                      const struct st_session_options *options,
                                                      struct st_session **ret);
/* Runs a WASI command (rt_wasi_run), or options->run, on a stack of its own; takes over the store's hooks and
 * stack limit. The code's engine may be either; an interpreted guest is stopped by calls of the engine.
 * `debug` may be NULL: then stops have no functions. ST_EXIT has the guest's status; 134 after a trap and 1
 * after another error. Store and code must outlive the session. */
RT_MUST_USE struct rt_error *st_session_create_wasm(struct rt_instance *instance,
                                                    const struct st_debug *debug,
                                                    const struct st_session_options *options,
                                                    struct st_session **ret);
/* A session that has not ended is abandoned: its stack goes away without unwinding. The store of an abandoned
 * guest can only be destroyed. */
void st_session_destroy(struct st_session *session);

struct st_probe {
    uint64_t pc;
    uint32_t cookie;
    enum st_event_kind kind; /* ST_STEP or ST_BREAKPOINT */
    /* set by st_session_set_probes; a Wasm site's is ST_PROBE_CALL in both engines */
    enum { ST_PROBE_NONE, ST_PROBE_TRAP, ST_PROBE_JUMP, ST_PROBE_CALL } made;
    /* NONE: no code at that pc, or an instruction that cannot run elsewhere (a far call, XBEGIN) */
};
/* Replaces the set of enabled probes, all at once (ascending by pc, one a pc). In a module's code a pc must
 * have been a site; `made` tells what each became. May be called at any stop and before the first `next`. */
RT_MUST_USE struct rt_error *st_session_set_probes(struct st_session *session, struct st_probe *probes,
                                                   size_t count);
/* Native only: use trap bytes even where a jump would fit (for the benchmark and tests). Before set_probes.
 */
void st_session_prefer_traps(struct st_session *session, bool prefer);

/* True when the code from `low` up to `high` (pcs) does nothing that a debugger's user could see: it jumps,
 * moves what is in Wasm locals, or can never run. False for all other code and for what cannot be decoded. To
 * be asked before probes are set: it reads the code as it stands. */
bool st_session_is_idle_code(struct st_session *session, uint64_t low, uint64_t high);
/* Past the markers of Wasm's control flow at a pc, which no machine code stands for (see
 * rt_module_past_markers); the pc itself where there are none, and in other sessions. */
uint64_t st_session_past_markers(const struct st_session *session, uint64_t pc);

/* One instruction of the debuggee's own code. */
struct st_instruction_info {
    uint32_t size;       /* bytes */
    bool is_call;        /* direct or not */
    bool is_straight;    /* native: no jump, call or return */
    bool is_return;      /* leaves the function (Wasm: a `return`; the body's last `end` is none) */
    uint32_t store_size; /* bytes of memory that it writes by an operand of its own; 0: none, or it is not
                          * known beforehand (a push, a repeated move, memory.fill) */
    /* private to the stepper: where it writes */
    struct st_memory_operand {
        int8_t base, index; /* native: DWARF register numbers, -1 for none; Wasm: base counts operands from
                             * the top, 1 being the topmost */
        uint8_t scale;
        uint32_t size; /* bytes */
        int64_t displacement;
    } store;
};
/* The instruction that starts at a pc, as it stands without probes. In a module the pc must be the first byte
 * of one. False: no function with debug information has one that starts there. */
bool st_session_instruction(struct st_session *session, uint64_t pc, struct st_instruction_info *ret);
/* At a stop before an instruction with a store: the debuggee address of the first byte that it will write.
 * False when registers or operands do not tell. */
bool st_session_store(struct st_session *session, const struct st_instruction_info *instruction,
                      uint64_t *ret);

/* Runs the debuggee to its next event. Sessions nest: a host function of one debuggee may drive another
 * session. */
RT_MUST_USE struct rt_error *st_session_next(struct st_session *session, struct st_event *ret);
/* At a stop: go on at another machine pc (inside the debuggee's own code), which must expect in registers
 * what the present one does: compiled Wasm code keeps locals there, too. RT_USAGE for an
 * interpreted guest. */
RT_MUST_USE struct rt_error *st_session_set_machine_pc(struct st_session *session, uintptr_t machine);

/* ---- Code that engines of this process have made, and registered for debuggers ---- */

/* A snapshot of what the descriptors of the JIT interface list, in each object of the process that has one.
 */
struct st_jit_images;

struct st_jit_function {
    const char *name;
    uint64_t low, high; /* machine pcs */
};

/* One registered ELF file. All is of its bytes as they were copied. */
struct st_jit_image {
    uint64_t address;            /* of the file, in memory */
    const struct st_range *code; /* executable sections, machine pcs */
    size_t code_count;
    const struct st_jit_function *functions; /* by its symbols, ascending by low */
    size_t function_count;
    const struct st_debug *debug; /* NULL when it has no DWARF that can be read; its pcs are machine pcs */
    const char *problem;          /* NULL, or why it cannot be read: then it has nothing else */
};

/* Reads them as a debugger does, from outside: no pointer is trusted, and an image that cannot be read only
 * has its `problem`. Not while another thread registers code. */
RT_MUST_USE struct rt_error *st_jit_images_read(struct st_jit_images **ret);
void st_jit_images_destroy(struct st_jit_images *images);
const struct st_jit_image *st_jit_images_list(const struct st_jit_images *images, size_t *ret_count);
/* The image whose code holds a machine pc, and its function there; NULL for none. */
const struct st_jit_image *st_jit_image_at(const struct st_jit_images *images, uint64_t machine);
const struct st_jit_function *st_jit_function_at(const struct st_jit_image *image, uint64_t machine);

/* Runs `enter` on a stack of its own, and steps the code of one registered image that it comes to as native
 * code, through the image's own DWARF and call-frame information: nothing of the engine is asked. pcs are
 * machine pcs, data addresses those of the process. ST_EXIT's status is what `enter` returns; it owns nothing
 * that an abandoned session would leak. The code has to run on the session's stack: tell the engine of
 * st_session_stack_limit before the first `next`.
 *
 * A fault in the image's code is an ST_TRAP with the signal's number; `next` then hands it to the handler
 * that was there before the stepper's, which is the engine's: that unwinds the guest, or resolves the fault.
 * All other code is the host's, and its faults are not the session's. There are no host calls to deliver.
 *
 * `images` and the registered code must outlive the session; an image has one at a time. RT_USAGE for an
 * image that cannot be read, or has no DWARF or no call-frame information. */
RT_MUST_USE struct rt_error *st_session_create_jit(const struct st_jit_images *images,
                                                   const struct st_jit_image *image, int (*enter)(void *user),
                                                   void *user, const struct st_session_options *options,
                                                   struct st_session **ret);
/* The lowest address of the session's stack that a guest's frames may take: below is room for the host's
 * functions and the stepper. Not for the sessions of native images. */
uintptr_t st_session_stack_limit(const struct st_session *session);

/* ---- Looking around, at a stop ---- */

struct st_frame {
    uint64_t pc;  /* of the stop; of a caller: inside its call instruction */
    uint64_t cfa; /* names the frame while it lives: native, the DWARF CFA; Wasm, the machine frame */
    const struct st_function *function; /* NULL: code without debug information */
    uint64_t registers[17]; /* native, DWARF numbers; 16 is the return address (the stop's: its pc) */
    uint32_t known;         /* bit i: registers[i] is known */
    /* private to the stepper */
    struct rt_activation activation;
};

/* The call stack, innermost first. Native: by call-frame information, out to `main`. Wasm: the engine's
 * activations, out to the outermost. The array lives until the next `next`; frames that did not change are
 * not unwound again. */
RT_MUST_USE struct rt_error *st_session_frames(struct st_session *session, const struct st_frame **ret,
                                               size_t *ret_count);
/* The innermost frame alone (pc, function, cfa): what a stop's location needs. */
RT_MUST_USE struct rt_error *st_session_frame(struct st_session *session, const struct st_frame **ret);

/* Where a variable is. Bytes that a piece leaves out are not `valid`. */
struct st_place {
    enum { ST_PLACE_MEMORY, ST_PLACE_VALUE, ST_PLACE_OPTIMIZED_OUT, ST_PLACE_IRRETRIEVABLE } kind;
    uint64_t address; /* ST_PLACE_MEMORY: debuggee address */
    /* ST_PLACE_VALUE of registered code: a pointer that is made of a smaller one, which lies there; size 0:
     * it is something else. */
    uint64_t storage;
    unsigned storage_size;
    uint8_t bytes[64]; /* ST_PLACE_VALUE: the object's bytes (a register, an implicit value, pieces) */
    uint64_t valid;    /* bit i: bytes[i] is known */
    size_t size;
    const char *reason; /* ST_PLACE_IRRETRIEVABLE: why, in words; static or in the session's arena */
    const struct st_expression *expression; /* the one in force, or NULL */
};

/* Evaluates a variable's location in a frame (DWARF 5, sections 2.5 and 2.6). Never reads wild memory and
 * never fails: what cannot be evaluated is irretrievable, and says why. */
void st_locate(struct st_session *session, const struct st_frame *frame, const struct st_variable *variable,
               struct st_place *ret);

/* `size` bytes of debuggee memory at a debuggee address, in place (valid until `next`), or NULL when not all
 * of it is the debuggee's: its linear memory; its image's segments, its stack, and what the kernel says is
 * readable. */
const void *st_session_memory(struct st_session *session, uint64_t address, size_t size);
/* The same for writing: linear memory; the image's writable segments and the stack. */
void *st_session_writable(struct st_session *session, uint64_t address, size_t size);
/* Sizes of pointers, in bytes: of the DWARF's addresses. Registered code may have smaller ones in memory. */
unsigned st_session_address_size(const struct st_session *session);
/* What pointers that are smaller than addresses are counted from: options.memory of registered code, else 0.
 * A null pointer is 0 in any size. */
uint64_t st_session_pointer_base(const struct st_session *session);
/* True when a native address lies on the session's own stack (for a Wasm session: false). */
bool st_session_on_stack(const struct st_session *session, uint64_t address);
/* A debuggee address as its DWARF's DW_OP_addr would have it (native: without the image's bias). */
uint64_t st_session_static_address(const struct st_session *session, uint64_t address);
const struct st_debug *st_session_debug(const struct st_session *session);

/* ---- Timelines: a replay that is stepped forwards and backwards ----
 *
 * A timeline drives a Wasm session whose run is a replay (runtime/trace/trace.h). Its *stops* have numbers
 * from 0 on, in the order in which they are reached:
 * - each time that a statement of the session's module is reached, which is not executed yet. A statement is
 * the pc of a row of the line table with is_stmt that is a site of the code; where there is none, any site is
 * one;
 * - each trap, with the guest's state before the unwinding;
 * - the end, which is the last.
 * So a stop's number depends on the trace, the module and its sites alone: not on breakpoints, nor on the
 * engine (but a call stack that is exhausted), nor on where one has been before. At a stop, frames,
 * variables, memory and globals are the same whether it was stepped to or gone to from anywhere. What a
 * driver changes at a stop is gone when time goes back before it; the replay tells when it makes a difference
 * at the boundary.
 *
 * Going back is going to the nearest checkpoint before, and forwards from there. Checkpoints lie densely
 * around the present stop and are exponentially sparser away from it. */

struct rt_replayer;
struct st_timeline;

struct st_timeline_options {
    /* Started, and what the session's options.run runs. That function owns nothing while it does, and may be
     * left at any time to be at an earlier place again. */
    struct rt_replayer *replayer;
    const struct rt_area *areas; /* what the replay changes beside: of at_event's, say; copied */
    size_t area_count;
    uint64_t
        interval;  /* stops between checkpoints around the present; 0: 1,000; more when they cost too much */
    size_t budget; /* bytes that checkpoints may take; 0: 256 MiB. The first is there at any price */
};

/* The session has not run yet, and has neither options.host_calls nor options.quantum; from here on the
 * timeline alone runs it and sets its probes. Goes to stop 0. Replayer and session must outlive it. */
RT_MUST_USE struct rt_error *st_timeline_create(struct st_session *session,
                                                const struct st_timeline_options *options,
                                                struct st_timeline **ret);
/* The session stays where it is and can be destroyed. */
void st_timeline_destroy(struct st_timeline *timeline);

/* The present stop: ST_STEP at a statement, ST_TRAP, ST_EXIT. Valid until the timeline moves. */
const struct st_event *st_timeline_event(const struct st_timeline *timeline);
uint64_t st_timeline_position(const struct st_timeline *timeline);
/* The number of the end, once it has been reached; false before. */
bool st_timeline_end(const struct st_timeline *timeline, uint64_t *ret);
/* The furthest stop that was reached so far. */
uint64_t st_timeline_furthest(const struct st_timeline *timeline);

/* Ends what the timeline is doing at its next statement, as soon as possible: the call fails with RT_USAGE
 * "interrupted", and the timeline is at some stop on the way. May be called in a signal handler. */
void st_timeline_interrupt(struct st_timeline *timeline);

/* Goes to a stop, or to the end when there are not so many. */
RT_MUST_USE struct rt_error *st_timeline_goto(struct st_timeline *timeline, uint64_t number);

/* Statements to stop at when running; a pc that is none is left out. Replaces those before. `ret_count` (may
 * be NULL): how many there are. */
RT_MUST_USE struct rt_error *st_timeline_set_breakpoints(struct st_timeline *timeline, const uint64_t *pcs,
                                                         size_t count, size_t *ret_count);

enum st_until {
    ST_UNTIL_BREAKPOINT, /* a breakpoint or a trap */
    ST_UNTIL_SAME_FRAME, /* a statement of this function's activation or of a caller's; or a breakpoint, a
                            trap */
    ST_UNTIL_CALLER,     /* a statement of a caller's activation; or a breakpoint, a trap */
};
/* Runs to the next such stop; to the end when there is none. */
RT_MUST_USE struct rt_error *st_timeline_run(struct st_timeline *timeline, enum st_until until);
/* Runs backwards to the last such stop before; to stop 0 when there is none, with *ret_found false. */
RT_MUST_USE struct rt_error *st_timeline_run_back(struct st_timeline *timeline, enum st_until until,
                                                  bool *ret_found);

/* A write to memory that was watched for. */
struct st_write {
    uint64_t pc; /* of the instruction; of the host's: of the call that it was in */
    bool is_host;
    uint64_t address; /* all of what it wrote */
    uint64_t size;
};
/* Goes back to the last stop behind which, and before the present one, bytes in [address, address + size) of
 * memory 0 were written: stepping on from there writes them. Any store counts, also of the value that was
 * there: stores of the session's own module, which have to be sites of the code (RT_USAGE when one is none),
 * and writes of the host. When there was none, *ret_found is false, and the timeline stays where it is. */
RT_MUST_USE struct rt_error *st_timeline_last_write(struct st_timeline *timeline, uint64_t address,
                                                    uint64_t size, struct st_write *ret, bool *ret_found);

/* Goes on to the first stop behind the present one that has such a write behind it; to the end when there is
 * none. */
RT_MUST_USE struct rt_error *st_timeline_next_write(struct st_timeline *timeline, uint64_t address,
                                                    uint64_t size, struct st_write *ret, bool *ret_found);

struct st_timeline_cost {
    size_t checkpoints, bytes;    /* there are, and take */
    uint64_t taken, pages_copied; /* ever */
    uint64_t nanoseconds;         /* for taking them */
};
struct st_timeline_cost st_timeline_cost(const struct st_timeline *timeline);

#endif
