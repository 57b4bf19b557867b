/* Ways between C and compiled code. CFI is complete, so that a native debugger unwinds through all of them.
 *
 * Compiled code keeps the instance in r14, the base of its memory 0 in r15, and frames linked by rbp. It keeps
 * no other register. At a call rsp points at the outgoing area: slots of one or two 8-byte words with the
 * arguments, where the results after the first come back; the first is in rax or xmm0. The area has two words
 * at least. */
#include "runtime/x86_64/layout.h"

    .text

/* bool rt_x86_64_enter(struct rt_entry *entry, const void *code, struct rt_instance *instance,
 *                      uint64_t *slots, uint64_t count)
 *
 * takes:    rdi entry, rsi machine code, rdx instance, rcx slots, r8 their 8-byte words
 * returns:  al 0 after a return: slots and entry hold the results; 1 after rt_x86_64_unwind
 * keeps:    what the System V ABI says
 * stack:    [rbp+8] return address, [rbp] rbp, rbx, r12 to r15, entry, slots, words, alignment;
 *           below, while compiled code runs, its outgoing area */
    .globl rt_x86_64_enter
    .hidden rt_x86_64_enter
    .type rt_x86_64_enter, @function
rt_x86_64_enter:
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    push %rbx
    .cfi_offset %rbx, -24
    push %r12
    .cfi_offset %r12, -32
    push %r13
    .cfi_offset %r13, -40
    push %r14
    .cfi_offset %r14, -48
    push %r15
    .cfi_offset %r15, -56
    push %rdi
    push %rcx
    push %r8
    mov %rsp, RT_ENTRY_STACK(%rdi)
    mov %rbp, RT_ENTRY_FRAME(%rdi)
    /* The outgoing area, aligned to 16. */
    lea 1(%r8), %rax
    and $-2, %rax
    shl $3, %rax
    sub %rax, %rsp
    mov %rsi, %rax
    mov %rdx, %r14
    mov RT_INSTANCE_MEMORY_BASE(%r14), %r15
    mov %rcx, %rsi
    mov %rsp, %rdi
    mov %r8, %rcx
    cld
    rep movsq
    call *%rax
    mov -64(%rbp), %r8 /* rsp stays where it was before the call */
    mov -56(%rbp), %r9
    mov -48(%rbp), %r10
    mov %rax, RT_ENTRY_GENERAL_RESULT(%r10)
    movups %xmm0, RT_ENTRY_VECTOR_RESULT(%r10)
    mov %rsp, %rsi
    mov %r9, %rdi
    mov %r8, %rcx
    rep movsq
    xor %eax, %eax
.Lleave:
    lea -40(%rbp), %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size rt_x86_64_enter, .-rt_x86_64_enter

/* Ends the innermost rt_x86_64_enter: it returns 1. Jumped to, from anywhere in compiled code or a thunk.
 *
 * takes:    r14, an instance of the store
 * clobbers: everything; the frames up to the enter routine are gone
 * stack:    any */
    .globl rt_x86_64_unwind
    .hidden rt_x86_64_unwind
    .type rt_x86_64_unwind, @function
rt_x86_64_unwind:
    .cfi_startproc
    .cfi_def_cfa %rbp, 16
    .cfi_offset %rbp, -16
    .irp register, rbx, r12, r13, r14, r15
    .cfi_undefined \register
    .endr
    mov RT_INSTANCE_STORE(%r14), %rax
    mov RT_STORE_ENTRY(%rax), %rax
    mov RT_ENTRY_FRAME(%rax), %rbp /* before rsp: the frame in force is never below it */
    .cfi_offset %rbx, -24
    .cfi_offset %r12, -32
    .cfi_offset %r13, -40
    .cfi_offset %r14, -48
    .cfi_offset %r15, -56
    mov RT_ENTRY_STACK(%rax), %rsp
    cld
    mov $1, %eax
    jmp .Lleave
    .cfi_endproc
    .size rt_x86_64_unwind, .-rt_x86_64_unwind

/* What compiled code calls for a host function: bool rt_host_call(func, frame).
 *
 * takes:    rax, the struct rt_func; arguments in the outgoing area of the caller; r14 an instance of the store
 * returns:  the first result in rax and xmm0, others in the outgoing area; or goes to rt_x86_64_unwind
 * keeps:    rbp, r14
 * stack:    [rbp+16] the outgoing area, [rbp+8] return address, [rbp] rbp; aligned below */
    .globl rt_x86_64_host_call
    .hidden rt_x86_64_host_call
    .type rt_x86_64_host_call, @function
rt_x86_64_host_call:
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    and $-16, %rsp
    cld
    mov %rax, %rdi
    mov %rbp, %rsi
    call rt_host_call
    test %al, %al
    jnz rt_x86_64_unwind
    mov 16(%rbp), %rax
    movq %rax, %xmm0
    movhps 24(%rbp), %xmm0
    leave
    .cfi_def_cfa %rsp, 8
    .cfi_restore %rbp
    ret
    .cfi_endproc
    .size rt_x86_64_host_call, .-rt_x86_64_host_call

/* What compiled code calls for a builtin: bool rt_builtin_call(instance, builtin, frame).
 *
 * takes:    eax, the builtin's number; operands and immediates in the outgoing area; r14 the instance
 * returns:  the result in rax; edx not zero when it traps
 * keeps:    rbp, r14, r15
 * stack:    as rt_x86_64_host_call */
    .globl rt_x86_64_builtin_call
    .hidden rt_x86_64_builtin_call
    .type rt_x86_64_builtin_call, @function
rt_x86_64_builtin_call:
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    and $-16, %rsp
    cld
    mov %r14, %rdi
    mov %eax, %esi
    mov %rbp, %rdx
    call rt_builtin_call
    movzbl %al, %edx
    mov 16(%rbp), %rax
    leave
    .cfi_def_cfa %rsp, 8
    .cfi_restore %rbp
    ret
    .cfi_endproc
    .size rt_x86_64_builtin_call, .-rt_x86_64_builtin_call

    .section .note.GNU-stack, "", @progbits
