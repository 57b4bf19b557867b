/* A debuggee with one function for each kind of instruction that cannot simply be copied elsewhere. Each
 * returns a number that comes out wrong when the instruction, run out of line, does anything else. */
#include <stdint.h>

#pragma GCC visibility push(hidden) /* the assembly names it without a GOT */
uint64_t data = 0x1122334455667788;
double numbers[2] = {1.5, -2.25};
uint64_t scratch;
#pragma GCC visibility pop

uint64_t results[64];
int result_count;

#define NAKED __attribute__((naked, noinline, used))

NAKED static void helper(void) {
    __asm__("leaq 3(%rdi,%rdi,4), %rax\n ret\n");
}
__attribute__((visibility("hidden"))) void *helper_address = (void *)helper;

#define CASE(name, ...)                                                                                      \
    NAKED uint64_t name(void) {                                                                              \
        __asm__(__VA_ARGS__);                                                                                \
    }

CASE(rip_relative, "movq data(%rip), %rax\n"
                   "leaq data(%rip), %rcx\n"
                   "addq (%rcx), %rax\n"
                   "movq $7, scratch(%rip)\n"
                   "addq %rax, scratch(%rip)\n"
                   "cmpl $0, data+4(%rip)\n"
                   "movsd numbers(%rip), %xmm0\n"
                   "addsd numbers+8(%rip), %xmm0\n"
                   "cvttsd2si %xmm0, %rcx\n"
                   "xorq scratch(%rip), %rax\n"
                   "addq %rcx, %rax\n"
                   "movb $9, scratch+3(%rip)\n"
                   "imulq $1000003, scratch(%rip), %rcx\n"
                   "addq %rcx, %rax\n"
                   "ret\n")
CASE(call_direct, "movl $5, %edi\n"
                  "call helper\n"
                  "movq %rax, %rdi\n"
                  "call helper\n"
                  "ret\n")
CASE(call_register, "movl $6, %edi\n"
                    "movq helper_address(%rip), %r11\n"
                    "call *%r11\n"
                    "movq %rax, %rdi\n"
                    "movq helper_address(%rip), %rax\n"
                    "call *%rax\n"
                    "ret\n")
CASE(call_memory, "movl $7, %edi\n"
                  "call *helper_address(%rip)\n"
                  "movq %rax, %rdi\n"
                  "leaq helper_address-24(%rip), %rdx\n"
                  "call *24(%rdx)\n"
                  "movq %rax, %rdi\n"
                  "movl $3, %ecx\n"
                  "call *(%rdx,%rcx,8)\n"
                  "ret\n")
CASE(call_stack, "pushq helper_address(%rip)\n"
                 "pushq helper_address(%rip)\n"
                 "pushq $0\n"
                 "movl $8, %edi\n"
                 "call *8(%rsp)\n"
                 "movq %rax, %rdi\n"
                 "call *16(%rsp)\n"
                 "addq $24, %rsp\n"
                 "pushq helper_address(%rip)\n"
                 "movq %rax, %rdi\n"
                 "call *(%rsp)\n"
                 "popq %rcx\n"
                 "ret\n")
/* Position-independent code of old: the return address is what counts. */
CASE(call_next, "call 1f\n"
                "1: popq %rax\n"
                "leaq 1b(%rip), %rcx\n"
                "subq %rcx, %rax\n"
                "addq $77, %rax\n"
                "ret\n")
CASE(jumps, "xorl %eax, %eax\n"
            "jmp 1f\n"
            "addl $1000, %eax\n"
            "1: addl $1, %eax\n"
            ".byte 0xe9, 5, 0, 0, 0\n" /* jmp rel32, over the next instruction */
            "addl $1000000, %eax\n"
            "cmpl $1, %eax\n"
            "je 2f\n"
            "addl $2000, %eax\n"
            "2: jne 3f\n"
            "addl $4, %eax\n"
            "3: cmpl $9, %eax\n"
            "jl 4f\n"
            "addl $4000, %eax\n"
            "4: ja 5f\n"
            "addl $8, %eax\n"
            "5: .byte 0x0f, 0x85, 5, 0, 0, 0\n" /* jne rel32 */
            "addl $16000000, %eax\n"
            "addl $16, %eax\n"
            "testl %eax, %eax\n"
            "js 6f\n"
            "jns 7f\n"
            "6: addl $32000, %eax\n"
            "7: jp 8f\n"
            "8: ret\n")
CASE(jump_indirect, "leaq 1f(%rip), %rax\n"
                    "jmp *%rax\n"
                    "ud2\n"
                    "1: leaq 2f(%rip), %rax\n"
                    "movq %rax, scratch(%rip)\n"
                    "jmp *scratch(%rip)\n"
                    "ud2\n"
                    "2: leaq 3f(%rip), %rax\n"
                    "pushq %rax\n"
                    "jmp *(%rsp)\n"
                    "ud2\n"
                    "3: popq %rax\n"
                    "movl $11, %eax\n"
                    "ret\n")
CASE(loops, "xorl %eax, %eax\n"
            "movl $9, %ecx\n"
            "1: addl $3, %eax\n"
            "loop 1b\n"
            "movl $9, %ecx\n"
            "2: addl $5, %eax\n"
            "cmpl $52, %eax\n"
            "loopne 2b\n"
            "movl $9, %ecx\n"
            "3: addl $7, %eax\n"
            "cmpq %rax, %rax\n"
            "loope 3b\n"
            "jrcxz 4f\n"
            "addl $1000, %eax\n"
            "4: movl $1, %ecx\n"
            "jrcxz 5f\n"
            "addl $11, %eax\n"
            "5: xorl %ecx, %ecx\n"
            "jecxz 6f\n"
            "addl $2000, %eax\n"
            "6: ret\n")
/* Jumps to the probed address itself. */
CASE(tight_loops, "movl $20, %ecx\n"
                  "1: loop 1b\n"
                  "movl $20, %eax\n"
                  "2: decl %eax\n"
                  "jnz 2b\n"
                  "movl $30, %edx\n"
                  "3: addl $3, %eax\n"
                  "decl %edx\n"
                  "jnz 3b\n"
                  "addl %ecx, %eax\n"
                  "ret\n")
CASE(returns, "pushq $1\n"
              "pushq $2\n"
              "call 1f\n"
              "addq $100, %rax\n"
              "ret\n"
              "1: movq 8(%rsp), %rax\n"
              "addq 16(%rsp), %rax\n"
              "ret $16\n")
CASE(stack, "pushq %rsp\n"
            "popq %rax\n"
            "subq %rsp, %rax\n"
            "pushq $42\n"
            "popq %rcx\n"
            "addq %rcx, %rax\n"
            "movq $5, -8(%rsp)\n" /* the red zone */
            "movq $6, -128(%rsp)\n"
            "addq -8(%rsp), %rax\n"
            "addq -128(%rsp), %rax\n"
            "stc\n"
            "pushfq\n"
            "popq %rcx\n"
            "andl $1, %ecx\n"
            "addq %rcx, %rax\n"
            "pushq $9\n"
            "popq scratch(%rip)\n"
            "addq scratch(%rip), %rax\n"
            "ret\n")
CASE(strings, "leaq numbers(%rip), %rsi\n"
              "leaq -64(%rsp), %rdi\n"
              "movl $16, %ecx\n"
              "cld\n"
              "rep movsb\n"
              "movq -64(%rsp), %rax\n"
              "addq -56(%rsp), %rax\n"
              "movl $1, %ecx\n"
              "lock xaddq %rcx, scratch(%rip)\n"
              "ret\n")

int main(void) {
    static uint64_t (*const cases[])(void) = {rip_relative, call_direct, call_register, call_memory,
                                              call_stack,   call_next,   jumps,         jump_indirect,
                                              loops,        tight_loops, returns,       stack};
    result_count = 0;
    scratch = 0;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        results[i] = cases[i]();
        result_count++;
    }
    results[result_count++] = strings();
    return 0;
}
