/* How frames of compiled code are unwound (System V ABI, section 3.6): lower.h has the frame, call.c the
 * prologue. A compiled function keeps the frame pointer, and no other register. */
#include <elf.h>

#include "runtime/frame_rules.h"
#include "runtime/x86_64/lower.h"

enum { DWARF_RBX = 3, DWARF_RBP = 6, DWARF_RSP = 7, DWARF_R12 = 12, DWARF_RA = 16 };
enum {
    DEF_CFA = 0x0c,          /* DW_CFA_def_cfa */
    DEF_CFA_REGISTER = 0x0d, /* DW_CFA_def_cfa_register */
    DEF_CFA_OFFSET = 0x0e,   /* DW_CFA_def_cfa_offset */
    SAME_VALUE = 0x08,       /* DW_CFA_same_value */
    UNDEFINED = 0x07,        /* DW_CFA_undefined */
    OFFSET = 0x80,           /* DW_CFA_offset, + register */
};

#define PROGRAM(...)                                                                                         \
    {                                                                                                        \
        sizeof((const uint8_t[]){__VA_ARGS__}), {                                                            \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

const struct rt_frame_rules rt_x86_frame_rules = {
    .elf_machine = EM_X86_64,
    .data_alignment = -8,
    .return_register = DWARF_RA,
    .cfa_offset = 16,
    .entry = PROGRAM(DEF_CFA, DWARF_RSP, 8, OFFSET | DWARF_RA, 1, UNDEFINED, DWARF_RBX, UNDEFINED, DWARF_R12,
                     UNDEFINED, DWARF_R12 + 1, UNDEFINED, DWARF_R12 + 2, UNDEFINED, DWARF_R12 + 3),
    .prologue = {{1, PROGRAM(DEF_CFA_OFFSET, 16, OFFSET | DWARF_RBP, 2)}, /* push rbp */
                 {4, PROGRAM(DEF_CFA_REGISTER, DWARF_RBP)}},              /* mov rbp, rsp */
    .left_size = 1,                                                       /* ret */
    .left = PROGRAM(DEF_CFA, DWARF_RSP, 8, SAME_VALUE, DWARF_RBP),
    .thunk_size = 7, /* jmp [stub]; ret */
    .thunk = PROGRAM(SAME_VALUE, DWARF_RBX, SAME_VALUE, DWARF_R12, SAME_VALUE, DWARF_R12 + 1, SAME_VALUE,
                     DWARF_R12 + 2, SAME_VALUE, DWARF_R12 + 3),
    .instance_saved = 6, /* push r14 */
    .instance_offset = -24,
    .instance_register = INSTANCE,
    .registers = {{0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15},
                  {17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32}},
};
