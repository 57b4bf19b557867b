/* Calls a guest with the processor's trap flag set: `at_step` is called before each instruction, of the guest
 * and of all that it calls. x86-64 alone. */
#ifndef LOCKSTEP_RUNTIME_TESTS_SINGLE_STEP_H
#define LOCKSTEP_RUNTIME_TESTS_SINGLE_STEP_H

#include "runtime/tests/builder.h"

#include <signal.h>
#include <ucontext.h>

static void (*at_step)(ucontext_t *context);

MAYBE_UNUSED static void on_step_signal(int number, siginfo_t *info, void *context) {
    (void)number, (void)info;
    at_step(context);
}

MAYBE_UNUSED static void step_begin(void (*at)(ucontext_t *context)) {
    at_step = at;
    struct sigaction action = {.sa_sigaction = on_step_signal, .sa_flags = SA_SIGINFO};
    assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
}
MAYBE_UNUSED static void step_end(void) {
    signal(SIGTRAP, SIG_DFL);
}

/* Not inlined: the flag's change must not come between a caller and its red zone. */
MAYBE_UNUSED static __attribute__((noinline)) struct rt_error *
step_call(struct rt_func *func, const uint64_t bits[4], union rt_value *results) {
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" ::: "cc", "memory");
    struct rt_error *error = call_with(func, bits, results);
    __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" ::: "cc", "memory");
    return error;
}

/* The general registers of struct rt_registers, from a context. */
MAYBE_UNUSED static void general_registers(const ucontext_t *context, uint64_t ret[16]) {
    static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    for (unsigned i = 0; i < 16; i++)
        ret[i] = (uint64_t)context->uc_mcontext.gregs[order[i]];
}

#endif
