/* Compiled code as a native debugger and a profiler see it: the public header of runtime/jit/.
 *
 * A *code map* says of machine code what a debugger must be told: which Wasm pc each instruction belongs to,
 * where locals, operands and globals are, how frames are unwound. An *image* is an ELF file in memory that
 * tells a debugger so, by the JIT interface that GDB and LLDB share. Profilers get files. */
#ifndef LOCKSTEP_RUNTIME_JIT_JIT_H
#define LOCKSTEP_RUNTIME_JIT_JIT_H

#include "runtime/runtime.h"

/* ---- The code map ---- */

struct rt_code_map;

/* Compiles the module once more, and keeps what that finds out on its way; ordinary code has none of it. The
 * code must outlive the map. RT_USAGE for the interpreter's code. */
RT_MUST_USE struct rt_error *rt_code_map_create(const struct rt_code *code, struct rt_code_map **ret);
void rt_code_map_destroy(struct rt_code_map *map);
const struct rt_code *rt_code_map_code(const struct rt_code_map *map);

struct rt_machine_range {
    uintptr_t low, high; /* machine pcs, [low, high) */
};

struct rt_code_map_function {
    uint32_t function; /* index */
    struct rt_machine_range range;
    uintptr_t body; /* past the prologue: its declared locals are there from here on */
    uintptr_t tail; /* traps that are jumped to, from here on */
};
/* The defined functions, ascending by machine pc and by index. */
const struct rt_code_map_function *rt_code_map_functions(const struct rt_code_map *map, size_t *ret_count);
/* One function's; NULL for an import. */
const struct rt_code_map_function *rt_code_map_function(const struct rt_code_map *map, uint32_t function);

/* From `machine` to the next entry, or to the end of the function, code belongs to the instruction at `pc`.
 * The prologue's pc is that of the local declarations. */
struct rt_code_map_entry {
    uintptr_t machine;
    uint32_t pc;
    bool is_trap; /* an out-of-line trap of that instruction, else the instruction's own beginning */
};
/* All entries of a function, ascending by machine pc; those that are no traps ascend by pc as well. */
RT_MUST_USE struct rt_error *rt_code_map_entries(const struct rt_code_map *map, uint32_t function,
                                                 struct rt_arena *arena, const struct rt_code_map_entry **ret,
                                                 size_t *ret_count);
/* The code of the instructions at the Wasm pcs [low, high) of a function, ascending: one range, and those of
 * their traps. */
RT_MUST_USE struct rt_error *rt_code_map_ranges(const struct rt_code_map *map, uint32_t function,
                                                uint32_t low, uint32_t high, struct rt_arena *arena,
                                                const struct rt_machine_range **ret, size_t *ret_count);

/* The call instruction, which ends at the return address, of the call that ends at the Wasm pc `past`. False
 * when the code has none. */
bool rt_code_map_call(const struct rt_code_map *map, uint32_t function, uint32_t past,
                      struct rt_machine_range *ret);

/* Where a value is. */
struct rt_machine_place {
    enum {
        RT_MACHINE_FRAME,    /* memory at the canonical frame address + offset */
        RT_MACHINE_REGISTER, /* register_number, as DWARF counts them */
        RT_MACHINE_CONSTANT, /* bits */
    } where;
    enum rt_type type;
    int32_t offset;
    uint32_t register_number;
    uint64_t bits;
};
bool rt_machine_place_equal(const struct rt_machine_place *a, const struct rt_machine_place *b);
/* In this place while the machine pc is in this range. */
struct rt_placed_range {
    struct rt_machine_range range;
    struct rt_machine_place place;
};

/* Where a local is while the instructions at the Wasm pcs [low, high) run; ascending. It always is in its
 * frame: from the function's first instruction on when it is a parameter, else from the body on. Left out is
 * code in which it is not there: that hands several results over, or has left the frame. RT_USAGE past the
 * last local or for an import. */
RT_MUST_USE struct rt_error *rt_code_map_local(const struct rt_code_map *map, uint32_t function,
                                               uint32_t local, uint32_t low, uint32_t high,
                                               struct rt_arena *arena, const struct rt_placed_range **ret,
                                               size_t *ret_count);
/* The same of an operand, by its index from the bottom of the function's stack; it may move. Complete where
 * an instruction begins, at calls (look up a return address - 1) and at traps; inside of an instruction that
 * consumes or moves it, it is nowhere. */
RT_MUST_USE struct rt_error *rt_code_map_operand(const struct rt_code_map *map, uint32_t function,
                                                 uint32_t index, uint32_t low, uint32_t high,
                                                 struct rt_arena *arena, const struct rt_placed_range **ret,
                                                 size_t *ret_count);
/* The same of the address of the running instance, from which memories and globals are found. */
RT_MUST_USE struct rt_error *rt_code_map_instance(const struct rt_code_map *map, uint32_t function,
                                                  uint32_t low, uint32_t high, struct rt_arena *arena,
                                                  const struct rt_placed_range **ret, size_t *ret_count);

/* A way from an instance's address to something of it: add offsets[0]; then for each further offset, load the
 * word at the address, and add that offset to it. */
struct rt_instance_path {
    uint32_t count; /* 1 or 2 */
    uint32_t offsets[2];
};
/* To the first byte of memory 0. False when the module has none. */
bool rt_code_map_memory(const struct rt_code_map *map, struct rt_instance_path *ret);
/* To a global's value. False past the last. */
bool rt_code_map_global(const struct rt_code_map *map, uint32_t global, struct rt_instance_path *ret);
/* Where one instance's global is, for as long as its store lives; of memories, rt_memory_base says so. */
uintptr_t rt_global_address(const struct rt_global *global);

/* The contents of a section .eh_frame that unwinds all of the code, byte by byte; ended by a zero, addresses
 * absolute. For __register_frame of an embedder that unwinds in its own process, too. Lives as long as the
 * map. */
const uint8_t *rt_code_map_frames(const struct rt_code_map *map, size_t *ret_size);

/* ---- Faults, for tests of what judges debug information ---- */

enum rt_native_fault {
    RT_NATIVE_SOUND,
#define RT_NATIVE_FAULT(name, what) RT_NATIVE_##name,
#include "runtime/jit/faults.def"
#undef RT_NATIVE_FAULT
    RT_NATIVE_FAULT_COUNT,
};
const char *rt_native_fault_name(enum rt_native_fault fault); /* "LIST_COLLAPSED" */
const char *rt_native_fault_text(enum rt_native_fault fault); /* what is wrong */
/* From here on the map, and all that is made from it, has this fault. To be called once, before anything is
 * asked. */
RT_MUST_USE struct rt_error *rt_code_map_plant(struct rt_code_map *map, enum rt_native_fault fault);
enum rt_native_fault rt_code_map_fault(const struct rt_code_map *map);

/* ---- Debug information ---- */

/* A memory's second place in the process: at the very addresses that the module's pointers hold, so that
 * debuggers can follow those. Offsets below vm.mmap_min_addr have no such place (link with
 * -Wl,--global-base=65536 to have nothing there). One memory of a process can have it. */
struct rt_low_view;
/* Moves the memory's contents into pages that both places share; its own addresses stay. The memory's guest
 * must not be running. *ret is NULL when the addresses are taken, or the system refuses. */
RT_MUST_USE struct rt_error *rt_low_view_create(struct rt_memory *memory, struct rt_low_view **ret);
void rt_low_view_destroy(struct rt_low_view *view);

struct rt_dwarf_output;

/* The module's DWARF rewritten for its compiled code (rt_dwarf_output_sections of runtime/dwarf/dwarf.h; to
 * be destroyed by rt_dwarf_output_destroy; it outlives the map). With an instance, variables in its memory
 * and its globals are found at their addresses in this process, for as long as the instance lives; without
 * one, through the frame of a function, and what no function holds is optimised out. The code should be made
 * with writable_locals of rt_compile_options. A module without DWARF has an empty output. */
RT_MUST_USE struct rt_error *rt_native_dwarf(const struct rt_code_map *map, struct rt_instance *instance,
                                             struct rt_dwarf_output **ret);

/* ---- The debugger's JIT interface ---- */

struct rt_jit_image;

/* A section for the image, as ".debug_info". */
struct rt_jit_section {
    const char *name;
    const void *bytes;
    size_t size;
};

/* Makes an ELF image of the code (functions by name, call-frame information, and the sections given), and
 * registers it: a debugger that is attached, or comes later, reads it. All is copied; the map may go. The
 * code should be made with private_code and writable_locals of rt_compile_options. Any thread may call this,
 * and the next. */
RT_MUST_USE struct rt_error *rt_jit_register(const struct rt_code_map *map,
                                             const struct rt_jit_section *sections, size_t count,
                                             struct rt_jit_image **ret);
/* The debugger forgets it. Destroying the code does so as well. */
void rt_jit_unregister(struct rt_jit_image *image);
/* The ELF file. */
const uint8_t *rt_jit_image_bytes(const struct rt_jit_image *image, size_t *ret_size);

/* What the process tells debuggers: the descriptor that the JIT interface names __jit_debug_descriptor. */
struct rt_jit_entry {
    struct rt_jit_entry *next, *previous;
    const void *image;
    uint64_t size;
};
struct rt_jit_descriptor {
    uint32_t version; /* 1 */
    uint32_t action;  /* 0 none, 1 registered, 2 about to be unregistered */
    struct rt_jit_entry *relevant, *first;
};

/* ---- Profilers ---- */

/* From `pc` to the next line's, code is of this line. */
struct rt_perf_line {
    uint32_t pc, line;
    const char *file;
};

/* Appends the code's functions to /tmp/perf-PID.map, or to the file given, where perf looks for the names of
 * code without a file: made with rt_compile_options.private_code. */
RT_MUST_USE struct rt_error *rt_perf_map_append(const struct rt_code_map *map, const char *path);

struct rt_jitdump;

/* Makes FOLDER/jit-PID.dump, which `perf inject --jit` reads, and maps a page of it executable: that is how
 * perf learns of it. Record with `perf record -k mono`. */
RT_MUST_USE struct rt_error *rt_jitdump_create(const char *folder, struct rt_jitdump **ret);
/* Adds the code's functions with their bytes, and their lines (ascending by pc; `line` 0 is none). */
RT_MUST_USE struct rt_error *rt_jitdump_add(struct rt_jitdump *dump, const struct rt_code_map *map,
                                            const struct rt_perf_line *lines, size_t line_count);
/* Ends the file; the error is of the last write. NULL is fine. */
RT_MUST_USE struct rt_error *rt_jitdump_close(struct rt_jitdump *dump);

#endif
