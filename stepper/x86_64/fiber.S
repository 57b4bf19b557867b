/* The switch between stacks.
 *
 * st_fiber_switch(void **save, void *load): pushes what a called function must keep (System V ABI, section
 * 3.2.1), stores the stack pointer in *save, takes `load` for the stack pointer, and pops the same from there.
 * It returns on the other stack, where that one called it.
 *
 * The stack of a suspended side, from its saved pointer up:
 *   +0    mxcsr (4 bytes), x87 control word (2), unused (2)
 *   +8    r15, r14, r13, r12, rbx, rbp
 *   +56   return address
 *
 * st_fiber_start is a new fiber's first return address: r12 is the function to call, r13 its argument, the
 * struct st_fiber. That function never returns. For unwinders its caller is who has entered the fiber last, on
 * the stack that was left; the frame is marked as a signal frame, so that debuggers let the stack pointer go
 * anywhere from there. */
#include "stepper/x86_64/fiber.h"

    .text
    .globl st_fiber_switch
    .hidden st_fiber_switch
    .type st_fiber_switch, @function
    .p2align 4
st_fiber_switch:
    .cfi_startproc
    .irp register, rbp, rbx, r12, r13, r14, r15
    pushq %\register
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset \register, 0
    .endr
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    .irp register, r15, r14, r13, r12, rbx, rbp
    popq %\register
    .cfi_adjust_cfa_offset -8
    .cfi_restore \register
    .endr
    ret
    .cfi_endproc
    .size st_fiber_switch, . - st_fiber_switch

    .globl st_fiber_start
    .hidden st_fiber_start
    .type st_fiber_start, @function
    .p2align 4
st_fiber_start:
    .cfi_startproc
    .cfi_signal_frame
    /* DW_CFA_def_cfa_expression: DW_OP_breg13 ST_FIBER_OUTSIDE, DW_OP_deref, DW_OP_plus_uconst 64 */
    .cfi_escape 0x0f, 5, 0x7d, ST_FIBER_OUTSIDE, 0x06, 0x23, 64
    .cfi_offset rip, -8
    .cfi_offset rbp, -16
    .cfi_offset rbx, -24
    .cfi_offset r12, -32
    .cfi_offset r13, -40
    .cfi_offset r14, -48
    .cfi_offset r15, -56
    movq %r13, %rdi
    call *%r12
    ud2
    .cfi_endproc
    .size st_fiber_start, . - st_fiber_start

    .section .note.GNU-stack, "", @progbits
