/* The injected call: entered with the debuggee's registers exactly as interrupted, it saves them all, calls
 * st_injected, restores them all and goes on at saved->resume.
 *
 * Entries:
 *   st_inject_signal  a signal handler set the context's pc to it. Nothing is on the stack; st_injected fills
 *                     the resume slot from st_current->pending.
 *   st_inject_call    a patched site in compiled code called it: (%rsp) is the return address.
 *   st_inject_jump    a jump probe's trampoline called it after stepping over the red zone itself: the return
 *                     address already lies in the resume slot.
 *   st_inject_abort, st_inject_assert
 *                     as st_inject_call, from a native image's call through its GOT.
 *
 * Takes: nothing but a valid stack. Keeps: every register, the flags, and the x87, SSE, AVX and AVX-512 state
 * (whatever XCR0 enables), exactly. Clobbers: nothing above the stack pointer and nothing in the red zone.
 *
 * The stack, from the interrupted stack pointer S down (offsets in inject.h):
 *
 *   S - 128   the red zone, untouched (st_inject_call and its kin: their return address at S - 8)
 *   S - 136   resume: `ret $128` takes the pc from here and leaves the stack pointer at S
 *   S - 144   vector: address of xmm0 in the XSAVE area
 *   S - 152   flags
 *   S - 160   pc, filled by st_injected
 *   S - 288   rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15, ascending
 *   S - 296   origin; %rbx holds this address, the struct st_saved, across the call
 *   ...       the XSAVE area, aligned to 64
 */
#include "stepper/x86_64/inject.h"

/* CFA is S throughout; the frame is marked as a signal frame because the interrupted instruction need not be
 * a call. */
.macro save_all origin
    pushq %rax /* room for `vector` */
    .cfi_adjust_cfa_offset 8
    pushfq
    .cfi_adjust_cfa_offset 8
    pushq %rax /* room for `pc` */
    .cfi_adjust_cfa_offset 8
    .irp register, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rsp, rbx, rdx, rcx, rax
    pushq %\register
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset \register, 0
    .endr
    pushq $\origin
    .cfi_adjust_cfa_offset 8
    .cfi_restore rsp
.endm

.macro call_entry name, origin
    .globl \name
    .hidden \name
    .type \name, @function
    .p2align 4
\name:
    .cfi_startproc
    .cfi_signal_frame
    .cfi_def_cfa rsp, 8
    .cfi_offset rip, -8
    leaq -ST_RED_ZONE(%rsp), %rsp /* not `sub`: the flags are not saved yet */
    .cfi_adjust_cfa_offset ST_RED_ZONE
    save_all \origin
    movq ST_SAVED_RESUME + ST_RED_ZONE(%rsp), %rax
    movq %rax, ST_SAVED_RESUME(%rsp)
    jmp inject
    .cfi_endproc
    .size \name, . - \name
.endm

    .text

    call_entry st_inject_call, ST_ORIGIN_CALL
    call_entry st_inject_abort, ST_ORIGIN_ABORT
    call_entry st_inject_assert, ST_ORIGIN_ASSERT

    .globl st_inject_signal
    .hidden st_inject_signal
    .type st_inject_signal, @function
    .p2align 4
st_inject_signal:
    .cfi_startproc
    .cfi_signal_frame
    .cfi_def_cfa rsp, 0
    .cfi_undefined rip
    leaq -ST_RED_ZONE - 8(%rsp), %rsp
    .cfi_adjust_cfa_offset ST_RED_ZONE + 8
    save_all ST_ORIGIN_SIGNAL
    jmp inject
    .cfi_endproc
    .size st_inject_signal, . - st_inject_signal

    .globl st_inject_jump
    .hidden st_inject_jump
    .type st_inject_jump, @function
    .p2align 4
st_inject_jump:
    .cfi_startproc
    .cfi_signal_frame
    .cfi_def_cfa rsp, ST_RED_ZONE + 8
    .cfi_offset rip, -ST_RED_ZONE - 8
    save_all ST_ORIGIN_JUMP
    /* falls through to inject */

    .type inject, @function
inject:
    movq %rsp, %rbx
    .cfi_def_cfa_register rbx
    leaq ST_SAVED_STACK(%rbx), %rax
    movq %rax, ST_SAVED_GENERAL + 8 * 4(%rbx) /* rsp as it was */

    /* The trap, direction and alignment-check flags would trouble C code; they are hardly ever set, and a
     * load of the flags is slow. */
    testl $0x40500, ST_SAVED_FLAGS(%rbx)
    jnz 6f
1:  subq st_vector_size(%rip), %rsp
    andq $-64, %rsp
    leaq ST_XSAVE_SSE(%rsp), %rax
    movq %rax, ST_SAVED_VECTOR(%rbx)
    xorl %eax, %eax /* XRSTOR wants the header's reserved bytes to be zero */
    .irp word, 0, 1, 2, 3, 4, 5, 6, 7
    movq %rax, ST_XSAVE_HEADER + 8 * \word(%rsp)
    .endr
    movl st_vector_mask(%rip), %eax
    movl st_vector_mask + 4(%rip), %edx
    cmpb $0, st_vector_compact(%rip)
    je 5f
    xsavec64 (%rsp)

    /* C code expects an empty x87 stack and no exception pending there. */
2:  testb $1, ST_XSAVE_HEADER(%rsp)
    jz 3f
    movb ST_XSAVE_STATUS(%rsp), %cl
    andb $0x80, %cl
    orb ST_XSAVE_TAGS(%rsp), %cl
    jnz 7f
3:  testb $4, %al /* AVX: SSE code is slow, on some processors, while the upper halves are in use */
    jz 4f
    vzeroupper
4:  movq %rbx, %rdi
    call st_injected

    movl st_vector_mask(%rip), %eax
    movl st_vector_mask + 4(%rip), %edx
    movq ST_SAVED_VECTOR(%rbx), %rcx
    xrstor64 -ST_XSAVE_SSE(%rcx)
    leaq ST_SAVED_GENERAL(%rbx), %rsp
    .cfi_remember_state
    .cfi_def_cfa rsp, ST_SAVED_STACK - ST_SAVED_GENERAL
    .irp register, rax, rcx, rdx, rbx
    popq %\register
    .cfi_adjust_cfa_offset -8
    .cfi_restore \register
    .endr
    leaq 8(%rsp), %rsp /* rsp comes back by itself */
    .cfi_adjust_cfa_offset -8
    .irp register, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    popq %\register
    .cfi_adjust_cfa_offset -8
    .cfi_restore \register
    .endr
    leaq 8(%rsp), %rsp /* pc */
    .cfi_adjust_cfa_offset -8
    popfq
    .cfi_adjust_cfa_offset -8
    leaq 8(%rsp), %rsp /* vector */
    .cfi_adjust_cfa_offset -8
    ret $ST_RED_ZONE
    .cfi_restore_state

5:  xsave64 (%rsp)
    jmp 2b
6:  pushq $0x2 /* the bit that is always set */
    popfq
    jmp 1b
7:  fninit
    jmp 3b
    .cfi_endproc
    .size inject, . - inject

    .section .note.GNU-stack, "", @progbits
