/* One stopped frame as the expression evaluator and the unwinder see it (private to stepper/): sessions fill
 * it, the DWARF side reads it. */
#ifndef LOCKSTEP_STEPPER_MACHINE_H
#define LOCKSTEP_STEPPER_MACHINE_H

#include "stepper/stepper.h"

struct st_machine {
    const struct st_debug *debug;
    uint64_t bias;         /* added to DW_OP_addr / DW_OP_addrx */
    unsigned address_size; /* 4 or 8 */
    uint64_t pc;           /* for location lists */
    const struct st_location *frame_base;
    void *user;
    /* Each says false / NULL when it does not know. */
    bool (*read_register)(void *user, unsigned dwarf_number, uint64_t *ret);
    /* SSE registers (DWARF 17..32), 16 bytes; NULL when unknown. */
    const uint8_t *(*read_vector)(void *user, unsigned index);
    const void *(*memory)(void *user, uint64_t address, size_t size);
    bool (*cfa)(void *user, uint64_t *ret);
    /* DW_OP_WASM_location: kind 0 local, 1 and 3 global, 2 operand stack. NULL on success. */
    struct rt_error *(*wasm)(void *user, unsigned kind, uint32_t index, enum rt_type *type,
                             union rt_value *ret);
};

/* expression.c: finds the expression in force at machine->pc and evaluates it for an object of `size` bytes
 * (0 when unknown). Reasons are static strings or in `arena`. */
void st_evaluate(const struct st_machine *machine, const struct st_location *location, size_t size,
                 struct rt_arena *arena, struct st_place *ret);

/* unwind.c: call-frame information (DWARF 5, section 6.4) of one native image: .eh_frame first, else
 * .debug_frame. */
struct st_unwinder;
RT_MUST_USE struct rt_error *st_unwinder_create(const char *path, struct st_unwinder **ret);
/* The same of an ELF file in memory, which must outlive the unwinder. */
RT_MUST_USE struct rt_error *st_unwinder_create_memory(const char *label, uint8_t *bytes, size_t size,
                                                       struct st_unwinder **ret);
void st_unwinder_destroy(struct st_unwinder *unwinder);

/* jit_images.c: the call-frame information of an image of the list, and its DWARF; NULL when it has none. */
struct st_unwinder *st_jit_image_unwinder(const struct st_jit_images *images,
                                          const struct st_jit_image *image);
struct st_debug *st_jit_image_debug(const struct st_jit_images *images, const struct st_jit_image *image);

/* memory.c: a word of memory that can be read. Its address may be one that the address sanitizer has closed:
 * room between the variables of a host's frame. */
uint64_t st_memory_load(const void *word);

/* memory.c: whether all of these bytes of this process can be read. */
bool st_memory_can_read(uint64_t address, size_t size);

struct st_unwind_row; /* the rule row for one pc; owned and cached by the unwinder */
/* The row for a pc (link-time); NULL when no FDE covers it, or its program is malformed. Cheap on a second
 * call with the same pc. */
const struct st_unwind_row *st_unwinder_row(struct st_unwinder *unwinder, uint64_t pc);
/* The CFA of a frame with these registers (DWARF numbers, `known` bits). False when the rule cannot be
 * evaluated. */
bool st_unwind_cfa(const struct st_unwind_row *row, const struct st_machine *machine, uint64_t *ret);
/* The caller's registers; registers[16] is the return address, registers[7] the CFA. False when it cannot be
 * told. */
bool st_unwind_caller(const struct st_unwind_row *row, const struct st_machine *machine, uint64_t cfa,
                      uint64_t registers[17], uint32_t *known);

#endif
