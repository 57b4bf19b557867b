/* The runtime: a WebAssembly engine made for looking inside. This is its public header.
 *
 * A module is decoded and validated once, compiled once, and instantiated in a store. Code may be compiled
 * with probe sites: places where an embedder can later enable a call to a stub of its own, at no signal's
 * cost. The runtime does not know who watches: it offers hooks.
 *
 * A *Wasm pc* is the byte offset of an instruction from the start of the code section's contents, as DWARF
 * for WebAssembly has it. A *machine pc* is an address in this process. */
#ifndef LOCKSTEP_RUNTIME_H
#define LOCKSTEP_RUNTIME_H

#include "runtime/base.h"

/* ---- Types and values (core specification, sections 2.3 and 4.2.1) ---- */

enum rt_type { /* the binary format's own codes */
               RT_I32 = 0x7f,
               RT_I64 = 0x7e,
               RT_F32 = 0x7d,
               RT_F64 = 0x7c,
               RT_V128 = 0x7b,
               RT_FUNCREF = 0x70,
               RT_EXTERNREF = 0x6f,
};

/* "i32", "funcref", ...: the text format's word. */
const char *rt_type_name(enum rt_type type);

union rt_value {
    uint32_t i32;
    uint64_t i64;
    float f32;
    double f64;
    void *ref; /* NULL is the null reference; a funcref is a struct rt_func * */
    uint8_t v128[16];
};

struct rt_func_type {
    uint32_t param_count, result_count;
    const uint8_t *params, *results; /* enum rt_type each */
};

struct rt_limits {
    uint64_t min, max; /* max is UINT64_MAX when there is none */
};

enum rt_extern_kind { RT_EXTERN_FUNC, RT_EXTERN_TABLE, RT_EXTERN_MEMORY, RT_EXTERN_GLOBAL };

/* ---- Traps (the specification's words are in traps.def) ---- */

enum rt_trap {
#define RT_TRAP_KIND(name, message) RT_TRAP_##name,
#include "runtime/traps.def"
#undef RT_TRAP_KIND
    RT_TRAP_COUNT,
};
const char *rt_trap_message(enum rt_trap trap);

/* ---- Modules ---- */

struct rt_module;

/* Decodes and validates; copies `bytes`. Errors name the byte offset in the file and the rule. */
RT_MUST_USE struct rt_error *rt_module_create(const void *bytes, size_t size, struct rt_module **ret);
/* Nanoseconds that making the module took: decoding with the copy of its bytes, and validation. */
struct rt_module_times {
    uint64_t decode, validate;
};
struct rt_module_times rt_module_times(const struct rt_module *module);
/* Reads the file first. Not a file, too big, or not Wasm: one clear line. */
RT_MUST_USE struct rt_error *rt_module_open(const char *path, struct rt_module **ret);
void rt_module_destroy(struct rt_module *module);

/* The first custom section of that name; false when there is none. The bytes live as long as the module. */
bool rt_module_custom(const struct rt_module *module, const char *name, const uint8_t **bytes, size_t *size);
/* Walks all custom sections: index from 0; false past the last. `name` is not terminated by the section but
 * by us. */
bool rt_module_custom_at(const struct rt_module *module, size_t index, const char **name,
                         const uint8_t **bytes, size_t *size);
/* The code section's contents, from Wasm pc 0 on; NULL and 0 when there is none. They live as long as the
 * module. */
const uint8_t *rt_module_code(const struct rt_module *module, size_t *size);
/* File offset of the code section's contents: file offset = this + Wasm pc. 0 when there is no code section.
 */
uint64_t rt_module_code_offset(const struct rt_module *module);

/* Functions count imports first (section 2.5.1). */
uint32_t rt_module_function_count(const struct rt_module *module);
uint32_t rt_module_imported_function_count(const struct rt_module *module);
struct rt_func_type rt_module_function_type(const struct rt_module *module, uint32_t function);
/* From the name section, else an export's or import's name, else NULL. */
const char *rt_module_function_name(const struct rt_module *module, uint32_t function);
/* Wasm pcs of a defined function's body: [*start, *end) from its local declarations through its `end`; *code
 * is its first instruction. False for an import. */
bool rt_module_function_range(const struct rt_module *module, uint32_t function, uint32_t *start,
                              uint32_t *code, uint32_t *end);
/* The function whose body holds `pc`; false when none does. */
bool rt_module_function_at(const struct rt_module *module, uint32_t pc, uint32_t *ret);
/* Number and types of a function's locals, parameters first. */
uint32_t rt_module_local_count(const struct rt_module *module, uint32_t function);
enum rt_type rt_module_local_type(const struct rt_module *module, uint32_t function, uint32_t local);

struct rt_import {
    const char *module, *name; /* UTF-8, terminated; may hold zeros (then the sizes tell) */
    size_t module_size, name_size;
    enum rt_extern_kind kind;
    struct rt_func_type func; /* by kind; see section 2.3 */
    enum rt_type type;        /* of a table's elements, of a global */
    bool is_mutable;          /* a global */
    struct rt_limits limits;  /* a table or memory (pages of 64 KiB) */
};
size_t rt_module_import_count(const struct rt_module *module);
struct rt_import rt_module_import(const struct rt_module *module, size_t index);
size_t rt_module_export_count(const struct rt_module *module);
/* Name and kind of an export; its index space is the kind's. */
const char *rt_module_export(const struct rt_module *module, size_t index, enum rt_extern_kind *kind,
                             uint32_t *item);

/* One instruction, and what it can change beside operands, labels and what it calls. */
struct rt_instruction {
    const char *text; /* as "i32.add" */
    uint32_t size;    /* bytes, immediates and all */
    enum {
        RT_CHANGES_NOTHING,
        RT_CHANGES_LOCAL,
        RT_CHANGES_GLOBAL,
        RT_CHANGES_MEMORY, /* of memory.grow, which adds zeros alone: RT_CHANGES_NOTHING */
        RT_CHANGES_TABLE,
    } changes;
    uint32_t index; /* of the local, global or table */
    /* Of memories and tables: from (operand + offset) on, so many bytes or elements. Operands are counted
     * from the top of the stack before the instruction, which is 1. */
    unsigned start_operand; /* 0: table.grow, which adds elements at the end */
    unsigned count_operand; /* 0: `count` says how many */
    uint32_t offset, count;
};
/* False where no instruction of a body begins that could be read; `pc` must be the first byte of one. */
bool rt_module_instruction(const struct rt_module *module, uint32_t pc, struct rt_instruction *ret);
/* Past the markers of control flow at and behind `pc`, which stand for no machine code: `block`, `nop`, and
 * each `end` but a body's. `pc` itself where none is; it must be the first byte of an instruction. */
uint32_t rt_module_past_markers(const struct rt_module *module, uint32_t pc);

/* ---- Code: a module made runnable by an engine ---- */

enum rt_engine {
    RT_ENGINE_COMPILED, /* straight to machine code */
    RT_ENGINE_INTERP,   /* the portable engine, and an independent judge of the other */
};
/* "compiled", "interp" */
const char *rt_engine_name(enum rt_engine engine);
/* RT_USAGE when there is no engine of that name. */
RT_MUST_USE struct rt_error *rt_engine_parse(const char *name, enum rt_engine *ret);

struct rt_code;

struct rt_compile_options {
    enum rt_engine engine;
    /* Wasm pcs that shall be probe sites, ascending. One that is no instruction's first byte becomes a site
     * at the next instruction of its function. Not copied; read during the call only. */
    const uint32_t *sites;
    size_t site_count;
    bool every_instruction; /* all instructions are sites; `sites` is not read */
    bool canonical_nans;    /* every NaN that an instruction produces is the positive canonical one */
    /* For native debuggers and profilers of this process (runtime/jit/jit.h). Compiled code lies in private
     * anonymous memory: a debugger can write breakpoints there, perf looks up its names. Setting probes
     * switches its protection, so no other thread may run it then. */
    bool private_code;
    /* No register of compiled code holds a local's value beside its frame, so that who writes the local there
     * has changed it. Code is slower then. */
    bool writable_locals;
};

/* One pass over each body. The module must outlive the code. `options` may be NULL. */
RT_MUST_USE struct rt_error *rt_code_create(const struct rt_module *module,
                                            const struct rt_compile_options *options, struct rt_code **ret);
void rt_code_destroy(struct rt_code *code);
const struct rt_module *rt_code_module(const struct rt_code *code);
enum rt_engine rt_code_engine(const struct rt_code *code);
/* The addresses that machine pcs are of: for symbolisers, dumps and the stepper's "is this pc mine?". The
 * interpreter's machine pcs are addresses in its own form of the code. */
void rt_code_range(const struct rt_code *code, uintptr_t *low, uintptr_t *high);

/* Bytes of the code that runs, and of all that is kept beside it for looking inside: the functions' places,
 * the maps from machine pcs to Wasm pcs and operands, trap sites and probe sites; what is remembered of the
 * questions about them, from the first one on, too. */
struct rt_code_sizes {
    size_t code, metadata;
};
struct rt_code_sizes rt_code_sizes(const struct rt_code *code);

struct rt_site {
    uint32_t pc;       /* Wasm pc */
    uintptr_t machine; /* address of the site's instruction; of a compiled one: 5 patchable bytes */
};
/* All sites, ascending by Wasm pc. Those in code that can never run have no machine code and are not listed.
 */
const struct rt_site *rt_code_sites(const struct rt_code *code, size_t *count);
/* Enables or disables many sites at once (indices into rt_code_sites): one protection change or none, never a
 * writable and executable page. An enabled site calls the store's probe stub, or its `probe`; see rt_hooks.
 */
RT_MUST_USE struct rt_error *rt_code_set_probes(struct rt_code *code, const uint32_t *indices, size_t count,
                                                bool enabled);
/* Machine pc to Wasm pc of the instruction that it belongs to; false outside of any body. A return address
 * must be looked up as address - 1. */
bool rt_code_pc(const struct rt_code *code, uintptr_t machine, uint32_t *function, uint32_t *pc);
/* Wasm pc to the first machine pc of its instruction; 0 when it has none. */
uintptr_t rt_code_machine(const struct rt_code *code, uint32_t pc);

/* ---- Stores, instances, calls ---- */

struct rt_store;
struct rt_instance;
struct rt_func;
struct rt_table;
struct rt_memory;
struct rt_global;

RT_MUST_USE struct rt_error *rt_store_create(struct rt_store **ret);
/* Destroys its instances too; their code may be destroyed after that. */
void rt_store_destroy(struct rt_store *store);
/* Lowest address that guest frames may reach (the stack's end is a trap). The default leaves 256 KiB of the
 * creating thread's stack. A fiber's owner sets its own. */
void rt_store_set_stack_limit(struct rt_store *store, uintptr_t lowest);

/* What each memory and each table of the store may grow to (pages, elements), for who runs what he does not
 * know. Growing beyond fails as it does beyond a type's own maximum; what starts larger is RT_UNSUPPORTED.
 * Before the first is made. */
void rt_store_set_limits(struct rt_store *store, uint32_t memory_pages, uint32_t table_elements);

struct rt_extern {
    enum rt_extern_kind kind;
    union {
        struct rt_func *func;
        struct rt_table *table;
        struct rt_memory *memory;
        struct rt_global *global;
    };
};

/* What a host function knows of the call it serves. */
struct rt_caller {
    struct rt_store *store;
    struct rt_instance *instance; /* the instance that called; its memory 0 is "the guest's memory" */
};

/* A host function. An error ends the call: RT_TRAP traps, RT_EXIT exits, anything else is handed through.
 * args and results are by the function's type. */
typedef struct rt_error *(*rt_host_fn)(void *user, struct rt_caller *caller, const union rt_value *args,
                                       union rt_value *results);

/* Externals that the host makes; the store owns them. The type is copied. */
RT_MUST_USE struct rt_error *rt_func_create(struct rt_store *store, const char *name,
                                            struct rt_func_type type, rt_host_fn fn, void *user,
                                            struct rt_func **ret);
RT_MUST_USE struct rt_error *rt_memory_create(struct rt_store *store, struct rt_limits limits,
                                              struct rt_memory **ret);
RT_MUST_USE struct rt_error *rt_table_create(struct rt_store *store, enum rt_type type,
                                             struct rt_limits limits, struct rt_table **ret);
RT_MUST_USE struct rt_error *rt_global_create(struct rt_store *store, enum rt_type type, bool is_mutable,
                                              union rt_value value, struct rt_global **ret);

/* Links and instantiates (section 4.5.4), `imports` in the module's order, without running the start
 * function: active segments are applied here, and may trap. All instances of a store have one engine: the
 * first one's; another is RT_USAGE. */
RT_MUST_USE struct rt_error *rt_instance_create(struct rt_store *store, struct rt_code *code,
                                                const struct rt_extern *imports, size_t import_count,
                                                struct rt_instance **ret);
/* Runs the start function, if any. */
RT_MUST_USE struct rt_error *rt_instance_start(struct rt_instance *instance);
/* False when there is no such export. */
bool rt_instance_export(struct rt_instance *instance, const char *name, struct rt_extern *ret);
/* The same for a name of `size` bytes, which may hold zeros. */
bool rt_instance_export_sized(struct rt_instance *instance, const char *name, size_t size,
                              struct rt_extern *ret);
struct rt_code *rt_instance_code(struct rt_instance *instance);
struct rt_store *rt_instance_store(struct rt_instance *instance);
/* Index-space access, for debuggers and tests; NULL past the end. */
struct rt_func *rt_instance_func(struct rt_instance *instance, uint32_t index);
struct rt_memory *rt_instance_memory(struct rt_instance *instance, uint32_t index);
struct rt_table *rt_instance_table(struct rt_instance *instance, uint32_t index);
struct rt_global *rt_instance_global(struct rt_instance *instance, uint32_t index);

/* Calls a function with arguments by its type. RT_TRAP, RT_EXIT, or what a host function returned. */
RT_MUST_USE struct rt_error *rt_func_call(struct rt_func *func, const union rt_value *args,
                                          union rt_value *results);
struct rt_func_type rt_func_type_of(const struct rt_func *func);

/* Linear memory: its base never moves; [base, base + size) is readable and writable. */
uint8_t *rt_memory_base(const struct rt_memory *memory);
size_t rt_memory_size(const struct rt_memory *memory);
struct rt_error *rt_memory_grow(struct rt_memory *memory, uint64_t pages, uint64_t *ret_old_pages);
/* False when the range is not wholly inside memory (nothing is written then). What is written past this and
 * rt_guest_write no recording sees. */
RT_MUST_USE bool rt_memory_write(struct rt_memory *memory, uint64_t address, const void *bytes, size_t size);

enum rt_type rt_global_type(const struct rt_global *global);
union rt_value rt_global_get(const struct rt_global *global);
void rt_global_set(struct rt_global *global, union rt_value value);
enum rt_type rt_table_type(const struct rt_table *table); /* of its elements */
uint32_t rt_table_size(const struct rt_table *table);
void *rt_table_get(const struct rt_table *table, uint32_t index); /* NULL: null, or past the end */
/* RT_USAGE past the end. */
RT_MUST_USE struct rt_error *rt_table_set(struct rt_table *table, uint32_t index, void *value);
/* RT_USAGE beyond its maximum; nothing is changed then. */
RT_MUST_USE struct rt_error *rt_table_grow(struct rt_table *table, uint64_t count, void *value,
                                           uint32_t *ret_old);

/* The guest's memory seen by a host function. Every read and write of the host goes through these two: false
 * when the range is not wholly inside memory (nothing is copied then). rt_guest_write is the recorder's hook.
 */
RT_MUST_USE bool rt_guest_read(struct rt_caller *caller, uint32_t address, void *ret, size_t size);
RT_MUST_USE bool rt_guest_write(struct rt_caller *caller, uint32_t address, const void *bytes, size_t size);
/* A read-only view, or NULL when not wholly inside; valid until the guest runs or grows its memory. */
const uint8_t *rt_guest_view(struct rt_caller *caller, uint32_t address, size_t size);

/* ---- Looking inside ----
 *
 * Code remembers what it was asked about its machine pcs: one thread at a time may look inside guests of one
 * code. */

/* A machine register file, by hardware encoding: rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15. */
struct rt_registers {
    uint64_t general[16];
    uint64_t pc, flags;
    uint8_t (*vector)[16]; /* xmm0 ... xmm15; NULL when unknown */
};

/* One Wasm activation (section 4.2.6's frame). */
struct rt_activation {
    struct rt_instance *instance;
    uint32_t function; /* index */
    uint32_t pc;       /* Wasm pc: where it stopped, or of the call instruction that it is in */
    uintptr_t machine; /* machine pc, or return address */
    uintptr_t frame;   /* the machine frame's address: names the activation while it lives */
    /* private to the walk */
    struct rt_registers *registers; /* the innermost frame's, else NULL; compiled code's alone */
    const void *entry;
};

/* The innermost Wasm activation of a guest that stopped with these registers: at an enabled site, a trap or
 * (with registers NULL) in a host call or between calls; an interpreted guest has no registers anywhere.
 * False when no guest frame is live. The registers must outlive the walk, and the guest must go on with what
 * they hold then: rt_activation_set_local changes those that hold the local's value as well. */
bool rt_activation_first(struct rt_store *store, struct rt_registers *registers, struct rt_activation *ret);
/* The caller's activation, host frames skipped; false at the outermost. */
bool rt_activation_caller(const struct rt_activation *activation, struct rt_activation *ret);

/* A local's value and type; RT_USAGE past the last. Locals can be read at any site, trap or call. */
RT_MUST_USE struct rt_error *rt_activation_local(const struct rt_activation *activation, uint32_t local,
                                                 enum rt_type *type, union rt_value *ret);
/* RT_USAGE as well where the local's old value still is an operand (between statements none is), and where it
 * is in a vector register that the caller of rt_activation_first did not give. */
RT_MUST_USE struct rt_error *rt_activation_set_local(const struct rt_activation *activation, uint32_t local,
                                                     union rt_value value);
/* Operand stack: count and value by index from the bottom of this activation's stack. */
RT_MUST_USE struct rt_error *rt_activation_operand_count(const struct rt_activation *activation,
                                                         uint32_t *ret);
RT_MUST_USE struct rt_error *rt_activation_operand(const struct rt_activation *activation, uint32_t index,
                                                   enum rt_type *type, union rt_value *ret);

/* Many of either at once: [first, first + count). `types` may be NULL. RT_USAGE past the last. */
RT_MUST_USE struct rt_error *rt_activation_locals(const struct rt_activation *activation, uint32_t first,
                                                  uint32_t count, union rt_value *ret);
RT_MUST_USE struct rt_error *rt_activation_operands(const struct rt_activation *activation, uint32_t first,
                                                    uint32_t count, enum rt_type *types, union rt_value *ret);

struct rt_trap_info {
    enum rt_trap trap;
    uintptr_t machine;      /* the pc that trapped */
    uint64_t fault_address; /* of a memory trap: the linear-memory offset, else 0 */
};

struct rt_hooks {
    void *user;
    /* The interpreter's: an enabled site is reached, its instruction not executed yet. Called like a host
     * function, on the guest's stack. NULL: not called. */
    void (*probe)(void *user, const struct rt_code *code, uintptr_t machine);
    /* Compiled code's: where an enabled site's `call` lands: an assembly routine that gets the guest's
     * registers untouched, with the return address (site + 5) on the stack, and must return there with all of
     * them as they were, or as rt_activation_set_local has changed them. NULL: not used. */
    void *probe_stub;
    /* A trap was raised, and the guest's stack is still there. In the interpreter this is a call on the
     * guest's stack, `context` is NULL, and the unwinding begins when the hook returns. In compiled code it
     * runs inside a signal handler; `context` is the ucontext_t, with every register as at the trap but its
     * pc already pointing at the runtime's unwinder (which needs nothing but the unchanged r14). The hook may
     * set the pc to a stub of its own that later continues at that pc with all registers as they were. */
    void (*trap)(void *user, const struct rt_trap_info *info, void *context);
    /* Before and after each call of a host function, on the guest's stack. NULL: not called. */
    void (*host_call)(void *user, struct rt_caller *caller, const struct rt_func *func,
                      const union rt_value *args);
    void (*host_return)(void *user, struct rt_caller *caller, const struct rt_func *func,
                        const union rt_value *results, struct rt_error *error);
};
/* Copies the hooks; NULL takes them away. */
void rt_store_set_hooks(struct rt_store *store, const struct rt_hooks *hooks);

/* Answers a guest's call of a host function in that function's place. It may forward the call, with these
 * arguments or others, any number of times or never; change the results; and change what the guest has, in
 * the ways that a host function does. Errors are those of a rt_host_fn. */
typedef struct rt_error *(*rt_interpose_fn)(void *user, struct rt_caller *caller, const struct rt_func *func,
                                            const union rt_value *args, union rt_value *results);
/* Puts `fn` between the store's guests and all host functions; NULL takes it away. What it does is the host's
 * doing: a recording has the guest's own arguments, the changes as they are made, and the results that the
 * guest gets. It stands inside of the hooks, which see the same. Calls by the host go past it. */
void rt_store_interpose(struct rt_store *store, rt_interpose_fn fn, void *user);
/* For an interposer: calls the host function itself. */
RT_MUST_USE struct rt_error *rt_func_forward(const struct rt_func *func, struct rt_caller *caller,
                                             const union rt_value *args, union rt_value *results);

/* A host function's name as it was imported ("wasi_snapshot_preview1.fd_write"), else the module's own name.
 */
const char *rt_func_name(const struct rt_func *func);

/* ---- Checkpoints: going back ----
 *
 * A checkpoint holds all that a guest changes while it runs: memories with their sizes, tables, globals,
 * dropped segments, and where the engine is. The embedder adds what is its own: the stack that the guest runs
 * on, above all. A checkpoint costs what was written since the one before; they share the rest. */

struct rt_history; /* of one store */
struct rt_checkpoint;

/* Memory of the embedder's. All of a stack has an address and a size; what is in use is `from` to `to`. */
struct rt_area {
    void *base;
    size_t size;     /* bytes, the same in all checkpoints */
    size_t from, to; /* offsets; only whole pages around this are looked at */
};

/* From now on the first write to a page of the store's memories after a checkpoint is a fault, which a
 * handler of SIGSEGV takes care of: a system call that shall write there fails with EFAULT. One history a
 * store; RT_USAGE for one that is recorded. */
RT_MUST_USE struct rt_error *rt_history_create(struct rt_store *store, struct rt_history **ret);
/* After its checkpoints, before the store. */
void rt_history_destroy(struct rt_history *history);
struct rt_history_cost {
    size_t bytes;          /* of all checkpoints together */
    uint64_t pages_copied; /* ever */
};
struct rt_history_cost rt_history_cost(const struct rt_history *history);

/* Takes a checkpoint before the guest runs, or while it is stopped at a site: no call of the host may be
 * under way above it. The areas are always the same ones in the same order; where they are may not be written
 * meanwhile. */
RT_MUST_USE struct rt_error *rt_checkpoint_take(struct rt_history *history, const struct rt_area *areas,
                                                size_t count, struct rt_checkpoint **ret);
/* Goes back, or forward, to a checkpoint: store and areas hold what they did. Whoever calls is not on a stack
 * that is among the areas. What has been made in the store since (instances, memories, tables, globals) stays
 * there and holds anything. After an error nothing can be said of the store. */
RT_MUST_USE struct rt_error *rt_checkpoint_restore(struct rt_checkpoint *checkpoint);
void rt_checkpoint_destroy(struct rt_checkpoint *checkpoint);

/* ---- WASI preview 1 ---- */

struct rt_wasi;

struct rt_wasi_options {
    const char *const *args; /* args[0] is the program's name */
    size_t arg_count;
    const char *const *env; /* "NAME=VALUE" */
    size_t env_count;
    const struct rt_wasi_dir {
        const char *host, *guest;
    } *dirs; /* preopened; guests see `guest` */
    size_t dir_count;
    /* Not closed by the runtime; -1: an empty input, a discarded output. A closed pipe raises SIGPIPE, and is
     * EPIPE for the guest only where the embedder ignores that signal. */
    int stdin_fd, stdout_fd, stderr_fd;
    /* When not NULL, what the guest writes to descriptors 1 and 2 goes here instead (false: EIO). */
    bool (*write)(void *user, int fd, const void *bytes, size_t size);
    void *write_user;
    bool deterministic; /* clocks tick by one millisecond a call from 0, random comes from a fixed seed */
};

RT_MUST_USE struct rt_error *rt_wasi_create(struct rt_store *store, const struct rt_wasi_options *options,
                                            struct rt_wasi **ret);
void rt_wasi_destroy(struct rt_wasi *wasi);

/* Whether preview 1 has a function of this name ("fd_write"), and whether that returns an errno. */
bool rt_wasi_function_find(const char *name, bool *ret_has_errno);
/* An errno's number by its name without the E, in any case ("nospc"), and the other way round: NULL when
 * there is none. */
bool rt_wasi_errno_find(const char *name, uint32_t *ret);
const char *rt_wasi_errno_name(uint32_t number);

/* A whole WASI command: links every import to WASI and instantiates. Another import is RT_UNLINKABLE. */
RT_MUST_USE struct rt_error *rt_wasi_instantiate(struct rt_wasi *wasi, struct rt_code *code,
                                                 struct rt_instance **ret);
/* Runs the start function, then `_start`. A guest that calls proc_exit, or returns, is success with its
 * status. */
RT_MUST_USE struct rt_error *rt_wasi_run(struct rt_instance *instance, int *ret_status);

#endif
