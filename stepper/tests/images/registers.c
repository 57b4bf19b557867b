/* A debuggee that puts known values into every register, passes a probed place many times, and looks whether
 * any has changed. Nothing here is compiled code between the loading and the storing: the registers hold what
 * the test says and nothing else.
 *
 * `before` is loaded, `after` is stored. `mode` is 1 for AVX, 2 for AVX-512, else SSE; x87 may
 * be used besides, and the stack pointer be off its alignment by `shift` bytes. `stored` is the same for what
 * is looked at in the end, the widest there is. `result` is 0 when all is as it was; else it tells what is
 * not. */
#include <stdint.h>
#include <string.h>

#pragma GCC visibility push(hidden) /* the assembly names it without a GOT */

struct state {
    uint64_t general[16]; /* rsp's is not used */
    uint8_t vector[32][64];
    uint64_t mask[8];
    double x87;
    uint64_t red_zone[16];
    uint64_t flags;
    uint32_t mxcsr, unused;
};

struct state before, after;
_Alignas(64) uint8_t initial[1024] = {[24] = 0x80, [25] = 0x1f}; /* an XSAVE area of nothing but MXCSR */
uint64_t mode, stored, uses_x87, shift, rounds, count, flags_seen, flags_changed, saved_rax;
int result;

#define EACH_GENERAL(X)                                                                                      \
    X(rax, 0)                                                                                                \
    X(rcx, 1)                                                                                                \
    X(rdx, 2)                                                                                                \
    X(rbx, 3)                                                                                                \
    X(rbp, 5)                                                                                                \
    X(rsi, 6) X(rdi, 7) X(r8, 8) X(r9, 9) X(r10, 10) X(r11, 11) X(r12, 12) X(r13, 13) X(r14, 14) X(r15, 15)
#define EACH_LOW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define EACH_HIGH(X)                                                                                         \
    X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#define EACH_MASK(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

/* Offsets in struct state, as the assembly has them. */
_Static_assert(__builtin_offsetof(struct state, vector) == 128, "");
_Static_assert(__builtin_offsetof(struct state, mask) == 2176, "");
_Static_assert(__builtin_offsetof(struct state, x87) == 2240, "");
_Static_assert(__builtin_offsetof(struct state, red_zone) == 2248, "");
_Static_assert(__builtin_offsetof(struct state, flags) == 2376, "");
_Static_assert(__builtin_offsetof(struct state, mxcsr) == 2384, "");

#define LOAD(name, n)  "movq before+8*" #n "(%rip), %" #name "\n"
#define STORE(name, n) "movq %" #name ", after+8*" #n "(%rip)\n"
#define LOAD_SSE(n)    "movdqu before+128+64*" #n "(%rip), %xmm" #n "\n"
#define STORE_SSE(n)   "movdqu %xmm" #n ", after+128+64*" #n "(%rip)\n"
#define LOAD_AVX(n)    "vmovdqu before+128+64*" #n "(%rip), %ymm" #n "\n"
#define STORE_AVX(n)   "vmovdqu %ymm" #n ", after+128+64*" #n "(%rip)\n"
#define LOAD_512(n)    "vmovdqu64 before+128+64*" #n "(%rip), %zmm" #n "\n"
#define STORE_512(n)   "vmovdqu64 %zmm" #n ", after+128+64*" #n "(%rip)\n"
#define LOAD_MASK(n)   "kmovq before+2176+8*" #n "(%rip), %k" #n "\n"
#define STORE_MASK(n)  "kmovq %k" #n ", after+2176+8*" #n "(%rip)\n"
#define RED(n)         "movq before+2248+8*" #n "(%rip), %rax\n movq %rax, -8-8*" #n "(%rsp)\n"
#define UNRED(n)       "movq -8-8*" #n "(%rsp), %rax\n movq %rax, after+2248+8*" #n "(%rip)\n"

/* The test probes some of the instructions of the loop, by their order in the function. */
// clang-format off
__attribute__((naked, noinline)) void pass(void) {
    __asm__(
        "pushq %rbx\n pushq %rbp\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "subq shift(%rip), %rsp\n"
        /* Puts all but SSE into its initial state: the stub looks at what is in use. */
        "movl $0xe5, %eax\n"
        "xorl %edx, %edx\n"
        "xrstor initial(%rip)\n"
        "cmpq $0, uses_x87(%rip)\n"
        "je 1f\n"
        "fldl before+2240(%rip)\n"
        "1:\n"
        "ldmxcsr before+2384(%rip)\n"
        "cmpq $1, mode(%rip)\n"
        "je 2f\n"
        "ja 3f\n"
        EACH_LOW(LOAD_SSE)
        "jmp 4f\n"
        "2:\n"
        EACH_LOW(LOAD_AVX)
        "jmp 4f\n"
        "3:\n"
        EACH_LOW(LOAD_512) EACH_HIGH(LOAD_512) EACH_MASK(LOAD_MASK)
        "4:\n"
        EACH_LOW(RED) EACH_GENERAL(LOAD)
        "5:\n"
        "pushq before+2376(%rip)\n" /* this spoils the first word of the red zone, which is put back */
        "popfq\n"
        "movq %rax, saved_rax(%rip)\n"
        "movq before+2248(%rip), %rax\n"
        "movq %rax, -8(%rsp)\n"
        "movq saved_rax(%rip), %rax\n"
        "nop\n"
        "movq %r15, %r15\n"
        "leaq 0(%r13), %r13\n"
        "movq -8(%rsp), %r15\n"
        "movq before+8*15(%rip), %r15\n"
        "pushfq\n"
        "popq flags_seen(%rip)\n"
        "movq flags_seen(%rip), %rax\n"
        "xorq before+2376(%rip), %rax\n"
        "orq %rax, flags_changed(%rip)\n"
        "movq before+2248(%rip), %rax\n"
        "movq %rax, -8(%rsp)\n"
        "movq saved_rax(%rip), %rax\n"
        "incq count(%rip)\n"
        "decq rounds(%rip)\n"
        "jnz 5b\n"
        "cld\n"
        EACH_GENERAL(STORE) EACH_LOW(UNRED)
        "cmpq $1, stored(%rip)\n"
        "je 2f\n"
        "ja 3f\n"
        EACH_LOW(STORE_SSE)
        "jmp 4f\n"
        "2:\n"
        EACH_LOW(STORE_AVX)
        "vzeroupper\n"
        "jmp 4f\n"
        "3:\n"
        EACH_LOW(STORE_512) EACH_HIGH(STORE_512) EACH_MASK(STORE_MASK)
        "vzeroupper\n"
        "4:\n"
        "cmpq $0, uses_x87(%rip)\n"
        "je 1f\n"
        "fstpl after+2240(%rip)\n"
        "1:\n"
        "stmxcsr after+2384(%rip)\n"
        "movl $0x1f80, -8(%rsp)\n"
        "ldmxcsr -8(%rsp)\n"
        "addq shift(%rip), %rsp\n"
        "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbp\n popq %rbx\n"
        "ret\n");
}
// clang-format on

#pragma GCC visibility pop

static void fill(void *bytes, unsigned size, uint64_t seed) {
    for (unsigned i = 0; i < size; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        ((uint8_t *)bytes)[i] = (uint8_t)(seed >> 33);
    }
}

int main(int argc, char **argv) {
    mode = argc > 1 ? (uint64_t)(argv[1][0] - '0') : 0;
    stored = __builtin_cpu_supports("avx512bw") ? 2 : __builtin_cpu_supports("avx") ? 1 : 0;
    uses_x87 = argc > 1 && argv[1][1] == 'x';
    shift = argc > 1 && argv[1][1] != 0 && argv[1][2] != 0 ? (uint64_t)(argv[1][2] - '0') : 0;
    fill(&before, sizeof(before), 12345 + mode);
    memset(&after, 0, sizeof(after));
    before.x87 = 3.25;
    before.mxcsr = 0x7fa1;                /* round toward zero, two exception flags up, all masked */
    before.flags = 0x202 | 0x8d5 | 0x400; /* carry, parity, adjust, zero, sign, overflow, direction */
    count = flags_changed = 0;
    rounds = 0;
    for (char *digit = argc > 2 ? argv[2] : ""; *digit; digit++) {
        rounds = rounds * 10 + (uint64_t)(*digit - '0');
    }
    pass();

    result = flags_changed != 0 ? 100 : 0;
    for (int i = 0; i < 16; i++) {
        if (i != 4 && before.general[i] != after.general[i]) {
            result = 200 + i;
        }
        if (before.red_zone[i] != after.red_zone[i]) {
            result = 300 + i;
        }
    }
    /* What was loaded is there, and what was not is still clear. */
    static const unsigned width[3] = {16, 32, 64};
    for (unsigned i = 0; i < (stored == 2 ? 32 : 16); i++) {
        unsigned loaded = i < 16 || mode == 2 ? width[mode] : 0;
        for (unsigned j = 0; j < width[stored]; j++) {
            if (after.vector[i][j] != (j < loaded ? before.vector[i][j] : 0)) {
                result = 400 + (int)i;
            }
        }
    }
    for (int i = 0; i < 8 && stored == 2; i++) {
        if (after.mask[i] != (mode == 2 ? before.mask[i] : 0)) {
            result = 500 + i;
        }
    }
    if (uses_x87 && before.x87 != after.x87) {
        result = 600;
    }
    if (before.mxcsr != after.mxcsr) {
        result = 700;
    }
    return result != 0;
}
