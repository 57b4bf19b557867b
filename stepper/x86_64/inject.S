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
 * Takes: nothing but a valid stack, however aligned. Keeps: every register, the flags, and the x87, SSE, AVX
 * and AVX-512 state (whatever XCR0 enables), exactly. Clobbers: nothing above the stack pointer and nothing in
 * the red zone.
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
 *
 * XRSTOR takes as long as all the rest of a stop. So, where XGETBV tells that x87 and whatever else this file
 * does not know are in their initial state, the vector registers are moved one by one: those in use are saved
 * and loaded, the others are cleared, which is their initial state. Else XSAVEC, or XSAVE, does it all. In
 * each way the SSE registers come back as `vector` has them then: the driver may have changed them.
 * %r12 tells across the call which way was taken. */
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

#define WAY_XSAVE  0
#define WAY_SSE    1
#define WAY_AVX    2
#define WAY_AVX512 3

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

    cmpb $0, st_vector_moves(%rip)
    je .Lxsave
    movl $1, %ecx
    xgetbv /* what is in use */
    movl %eax, %ecx
    andl st_vector_mask(%rip), %eax
    andl st_vector_mask + 4(%rip), %edx
    andl $~(ST_STATE_SSE | ST_STATE_AVX | ST_STATE_AVX512), %eax
    orl %edx, %eax
    jnz .Lxsave

    movq $ST_STATE_SSE, ST_XSAVE_HEADER(%rsp) /* for st_vector_settle */
    stmxcsr ST_XSAVE_MXCSR(%rsp)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups %xmm\n, ST_XSAVE_SSE + 16 * \n(%rsp)
    .endr
    movl $WAY_SSE, %r12d
    testb $ST_STATE_AVX | ST_STATE_AVX512, %cl
    jz .Lcall
    movl $WAY_AVX, %r12d
    testb $ST_STATE_AVX512, %cl
    jnz .Lsave_avx512
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups %ymm\n, ST_MOVED_WIDE + 64 * \n(%rsp)
    .endr
    vzeroupper /* SSE code is slow, on some processors, while the upper halves are in use */

.Lcall:
    movq %rbx, %rdi
    call st_injected

    movq ST_SAVED_VECTOR(%rbx), %rsi
    subq $ST_XSAVE_SSE, %rsi
    testl %r12d, %r12d
    jz .Lxrstor
    movl $1, %ecx
    xgetbv
    testb $ST_STATE_X87, %al
    jnz .Lclear_x87
.Lx87_is_clear:
    ldmxcsr ST_XSAVE_MXCSR(%rsi)
    cmpl $WAY_AVX, %r12d
    ja .Lload_avx512
    testb $ST_STATE_AVX512, st_vector_mask(%rip)
    jnz .Lclear_avx512
.Lavx512_is_clear:
    cmpl $WAY_AVX, %r12d
    je .Lload_avx
    testb $ST_STATE_AVX, st_vector_mask(%rip)
    jz .Lload_sse
    vzeroupper
.Lload_sse:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups ST_XSAVE_SSE + 16 * \n(%rsi), %xmm\n
    .endr

.Lreturn:
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

.Lsave_avx512:
    movl $WAY_AVX512, %r12d
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, \
        28, 29, 30, 31
    vmovups %zmm\n, ST_MOVED_WIDE + 64 * \n(%rsp)
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq %k\n, ST_MOVED_MASKS + 8 * \n(%rsp)
    .endr
    vzeroupper
    jmp .Lcall

.Lload_avx512:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, \
        28, 29, 30, 31
    vmovups ST_MOVED_WIDE + 64 * \n(%rsi), %zmm\n
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vinserti32x4 $0, ST_XSAVE_SSE + 16 * \n(%rsi), %zmm\n, %zmm\n
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq ST_MOVED_MASKS + 8 * \n(%rsi), %k\n
    .endr
    jmp .Lreturn

.Lload_avx:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups ST_MOVED_WIDE + 64 * \n(%rsi), %ymm\n
    vinsertf128 $0, ST_XSAVE_SSE + 16 * \n(%rsi), %ymm\n, %ymm\n
    .endr
    jmp .Lreturn

    /* They were in their initial state and may not be any more. The upper halves of the others go with the
     * loads, or by vzeroupper. */
.Lclear_avx512:
    testb $ST_STATE_AVX512, %al
    jz .Lavx512_is_clear
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vpxord %zmm\n, %zmm\n, %zmm\n
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kxorq %k\n, %k\n, %k\n
    .endr
    jmp .Lavx512_is_clear

    /* XRSTOR of a component that the header does not list puts it into its initial state. */
.Lclear_x87:
    movl %eax, %ecx
    xorl %eax, %eax
    .irp word, 0, 1, 2, 3, 4, 5, 6, 7
    movq %rax, ST_XSAVE_HEADER + 8 * \word(%rsi)
    .endr
    xorl %edx, %edx
    movl $ST_STATE_X87, %eax
    xrstor64 (%rsi)
    movl %ecx, %eax
    jmp .Lx87_is_clear

.Lxsave:
    xorl %r12d, %r12d /* WAY_XSAVE */
    xorl %eax, %eax /* XRSTOR wants the header's reserved bytes to be zero */
    .irp word, 0, 1, 2, 3, 4, 5, 6, 7
    movq %rax, ST_XSAVE_HEADER + 8 * \word(%rsp)
    .endr
    movl st_vector_mask(%rip), %eax
    movl st_vector_mask + 4(%rip), %edx
    cmpb $0, st_vector_compact(%rip)
    je 2f
    xsavec64 (%rsp)
    jmp 3f
2:  xsave64 (%rsp)
    /* C code expects an empty x87 stack and no exception pending there. */
3:  testb $ST_STATE_X87, ST_XSAVE_HEADER(%rsp)
    jz 4f
    movb ST_XSAVE_STATUS(%rsp), %cl
    andb $0x80, %cl
    orb ST_XSAVE_TAGS(%rsp), %cl
    jz 4f
    fninit
4:  testb $ST_STATE_AVX, %al
    jz .Lcall
    vzeroupper
    jmp .Lcall

.Lxrstor:
    movl st_vector_mask(%rip), %eax
    movl st_vector_mask + 4(%rip), %edx
    xrstor64 (%rsi)
    jmp .Lreturn

6:  pushq $0x2 /* the bit that is always set */
    popfq
    jmp 1b
    .cfi_endproc
    .size inject, . - inject

    .section .note.GNU-stack, "", @progbits
