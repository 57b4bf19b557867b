/* A probe stub for tests of compiled code: calls `at_site` with the registers at an enabled site, and goes on
 * with what they hold then. PROBE_STUB is NULL where there is no compiled code. */
#ifndef LOCKSTEP_RUNTIME_TESTS_STUB_H
#define LOCKSTEP_RUNTIME_TESTS_STUB_H

#include "runtime/tests/builder.h"

MAYBE_UNUSED static void (*at_site)(struct rt_registers *registers);

#ifdef __x86_64__
/* What the stub saves, from low to high addresses. */
struct saved {
    uint8_t vector_state[512]; /* fxsave */
    uint64_t general[16];      /* r15 to rax */
    uint64_t flags;
    uint64_t return_address;
};

void test_probe_stub(void);
void test_probe_stop(struct saved *saved);

/* Saves all, calls test_probe_stop on an aligned stack, then spoils what it may and restores all. */
__asm__(".text\n"
        ".type test_probe_stub, @function\n"
        "test_probe_stub:\n"
        "    pushfq\n"
        "    push %rax; push %rcx; push %rdx; push %rbx; push %rsp; push %rbp; push %rsi; push %rdi\n"
        "    push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15\n"
        "    sub $512, %rsp\n"
        "    mov %rsp, %rbx\n"
        "    mov %rsp, %rdi\n"
        "    sub $1024, %rsp\n"
        "    and $-16, %rsp\n"
        "    fxsave (%rsp)\n"
        "    mov %rsp, %rsi\n"
        "    mov $64, %ecx\n"
        "    rep movsq\n"
        "    mov %rsp, %r12\n"
        "    mov %rbx, %rdi\n"
        "    call test_probe_stop\n"
        "    mov %rbx, %rsi\n"
        "    mov %r12, %rdi\n"
        "    mov $64, %ecx\n"
        "    rep movsq\n"
        "    fxrstor (%r12)\n"
        "    lea 512(%rbx), %rsp\n"
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8\n"
        "    pop %rdi; pop %rsi; pop %rbp; lea 8(%rsp), %rsp; pop %rbx; pop %rdx; pop %rcx; pop %rax\n"
        "    popfq\n"
        "    ret\n");

void test_probe_stop(struct saved *saved) {
    struct rt_registers registers = {.pc = saved->return_address - 5, .flags = saved->flags};
    for (unsigned i = 0; i < 16; i++)
        registers.general[i] = saved->general[15 - i];
    registers.general[4] = (uintptr_t)(&saved->return_address + 1);
    registers.vector = (uint8_t(*)[16])(saved->vector_state + 160);
    at_site(&registers);
    for (unsigned i = 0; i < 16; i++)
        saved->general[15 - i] = registers.general[i];
}

#define PROBE_STUB ((void *)(uintptr_t)test_probe_stub)
#else
#define PROBE_STUB NULL
#endif

#endif
