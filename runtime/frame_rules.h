/* How compiled frames are unwound, as an architecture tells it: call-frame instructions as bytes (DWARF 5,
 * section 6.4.2), and where they take effect (private to runtime/). */
#ifndef LOCKSTEP_RUNTIME_FRAME_RULES_H
#define LOCKSTEP_RUNTIME_FRAME_RULES_H

#include <stdint.h>

/* Call-frame instructions. */
struct rt_frame_program {
    uint8_t size, bytes[23];
};

struct rt_frame_rules {
    uint16_t elf_machine;    /* EM_* */
    int8_t data_alignment;   /* -128 is not to be used: its LEB128 takes two bytes */
    uint8_t return_register; /* DWARF number of the return address' column */
    uint8_t cfa_offset;      /* the canonical frame address, from the frame pointer */

    struct rt_frame_program entry; /* at a function's first instruction */
    struct {
        uint8_t at; /* machine offset from the function's start, below 64 */
        struct rt_frame_program program;
    } prologue[2];
    /* A return's last instructions, which run when the frame is gone: so many bytes, and what holds there. */
    uint8_t left_size;
    struct rt_frame_program left;
    /* The probe thunk: so many bytes, and what it keeps beside what a function does. */
    uint8_t thunk_size;
    struct rt_frame_program thunk;

    /* The instance: from this offset on it is in the frame, at so many bytes from the CFA; before, and where
     * the frame is gone, in a register (number as in code). */
    uint8_t instance_saved;
    int8_t instance_offset;
    uint8_t instance_register;
    /* DWARF numbers of general and vector registers. */
    uint8_t registers[2][16];
};

#endif
